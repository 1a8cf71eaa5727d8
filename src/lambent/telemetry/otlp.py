"""
Where telemetry is sent by OTLP over HTTP: the collector, and what it wants to be told in headers.

Source: OpenTelemetry protocol specification, OTLP/HTTP.
"""

import importlib.util
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from lambent.errors.families import SettingsError

_HEADERS_MAX_BYTES: Final = 65_536
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""Source: RFC 9110, section 5.1."""

_PACKAGE: Final = "opentelemetry.exporter.otlp.proto.http"


class Collector(msgspec.Struct, frozen=True):
    """An OpenTelemetry collector."""

    endpoint: str
    """Of the form http://host:port, or with a path before those of the signals."""
    headers: Mapping[str, str]

    def url(self, signal: str) -> str:
        """Return where one kind of telemetry goes: `metrics` or `traces`."""
        return f"{self.endpoint.rstrip('/')}/v1/{signal}"


def collector(endpoint: str, headers_file: Path | None) -> Collector | None:
    """
    Return what settings say of a collector; None where they name none.

    Raises:
        SettingsError: what it takes is not installed, or the headers cannot be read, are none, or are open to others.
    """
    if not endpoint:
        return None
    if not _is_installed():
        raise SettingsError("--otlp-endpoint: needs `pip install 'lambent[otlp]'`")
    return Collector(endpoint, {} if headers_file is None else _read_headers(headers_file))


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec(_PACKAGE) is not None
    except ModuleNotFoundError:
        # One of the packages above it is missing: what needs the API alone brings none of them.
        return False


def session() -> Any:
    """Return what requests are sent with. Proxies of the environment are for the internet, and not for a collector."""
    import requests

    made = requests.Session()
    made.trust_env = False
    return made


def _read_headers(path: Path) -> dict[str, str]:
    where = f"--otlp-headers-file: {path}"
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            lines = stream.read(_HEADERS_MAX_BYTES).decode().splitlines()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{where}: {error}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise SettingsError(f"{where} is open to others; run `chmod 600 {path}`")
    headers: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not _NAME.fullmatch(name.strip()) or not value.strip().isprintable():
            raise SettingsError(f"{where}: line {number} is not of the form NAME: VALUE")
        headers[name.strip()] = value.strip()
    return headers
