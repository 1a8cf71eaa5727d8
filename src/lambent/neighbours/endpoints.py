"""The table of neighbours: which service is reached where, and as whom."""

import configparser
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lambent.errors.families import SettingsError

EMBEDDED = frozenset({"s3", "dynamodb", "dynamodbstreams", "kinesis", "ssm", "secretsmanager", "kms"})
"""
What the embedded server answers, and no more: a service that starts functions or reaches queues would say 200 there,
and deliver to queues of its own that nobody reads.
"""

_SIDE_DOORS = {"dynamodbstreams": "dynamodb"}
"""Services that stand where another does, unless they have a URL of their own."""

_QUEUES = "sqs"
"""The one service that Lambent answers itself, and may have a neighbour for: more queues that mappings read."""

_CREDENTIALS_MAX_BYTES = 65_536


class Credentials(msgspec.Struct, frozen=True):
    """What requests to one neighbour are signed with."""

    access_key: str
    secret_key: str
    token: str | None = None
    region: str | None = None
    """Of the signature; None: the request's own."""

    def __repr__(self) -> str:
        # Whatever is printed or logged of a table has no secret in it.
        return f"Credentials({self.access_key!r})"


class Neighbour(msgspec.Struct, frozen=True):
    """One service and where it is."""

    service: str
    url: str | None = None
    """Scheme, host and port; None: the embedded server."""
    credentials: Credentials | None = None
    """None: requests go on as they were signed."""


class Endpoints:
    """
    Looks neighbours up by service.

    Args:
        table: service to URL, or to `none` for one that is not offered.
        credentials: service to what its requests are signed with.
    """

    def __init__(self, table: dict[str, str], credentials: dict[str, Credentials] | None = None) -> None:
        self._table = table
        self._credentials = credentials or {}

    def of(self, service: str) -> Neighbour | None:
        """Return where a service is; None where it is not offered."""
        for name in (service, _SIDE_DOORS.get(service, service)):
            url = self._table.get(name)
            if url == "none":
                return None
            if url is not None:
                return Neighbour(service, url, self._credentials.get(service, self._credentials.get(name)))
        return Neighbour(service) if service in EMBEDDED else None

    def embedded(self) -> list[str]:
        """Return the services that the embedded server answers, sorted."""
        return sorted(name for name in EMBEDDED if (found := self.of(name)) is not None and found.url is None)

    def elsewhere(self) -> dict[str, str]:
        """Return what becomes of the services that have a URL, in words."""
        return {
            name: f"passed on to {url}" if name != _QUEUES else _describe_queues(url)
            for name, url in sorted(self._table.items())
            if url != "none"
        }

    def about(self) -> list[str]:
        """Return lines for the start: on what the table does beside passing requests on."""
        url = self._table.get(_QUEUES)
        return [] if url is None else [_describe_queues(url)]


def _describe_queues(url: str) -> str:
    """Return a line on a server that has more queues, for the start and for `lambent doctor`."""
    return f"event source mappings of queues that this server does not have read them at {url}"


def load(neighbours: Sequence[str], credentials_file: Path | None) -> Endpoints:
    """
    Make the table of the settings.

    Args:
        neighbours: `service=URL`, or `service=none`, checked for their form already.
        credentials_file: as AWS's shared credentials file, a section per service.

    Raises:
        SettingsError: the file cannot be read, is open to others, or names a service that has no URL.
    """
    table = dict(item.split("=", 1) for item in neighbours)
    credentials = {} if credentials_file is None else read_credentials(credentials_file)
    for name in credentials:
        if table.get(name, "none") == "none" and table.get(_SIDE_DOORS.get(name, name), "none") == "none":
            raise SettingsError(
                f"--neighbour-credentials: {credentials_file} has a section [{name}], but there is no "
                f"--neighbour {name}=URL"
            )
    return Endpoints({name: url.rstrip("/") for name, url in table.items()}, credentials)


def read_credentials(path: Path) -> dict[str, Credentials]:
    """
    Read a file of credentials.

    Raises:
        SettingsError: it cannot be read, is open to others, or a section lacks a key.
    """
    where = "--neighbour-credentials"
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            text = stream.read(_CREDENTIALS_MAX_BYTES).decode()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{where}: {path}: {error}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise SettingsError(f"{where}: {path} is open to others; run `chmod 600 {path}`")
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # What the parser says quotes the line, which may hold a secret.
        raise SettingsError(f"{where}: {path} is not a credentials file ({type(error).__name__})") from None
    found = {}
    for name in parser.sections():
        section = parser[name]
        key, secret = section.get("aws_access_key_id", ""), section.get("aws_secret_access_key", "")
        if not key or not secret:
            raise SettingsError(f"{where}: {path}: [{name}] needs aws_access_key_id and aws_secret_access_key")
        found[name] = Credentials(key, secret, section.get("aws_session_token"), section.get("region"))
    return found
