"""The row about connections that are open and do nothing: what each costs the server."""

import resource
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.processes import NotReady, memory_bytes
from bench.table import Line, mebibytes
from bench.targets import TargetFailed, scratch_folder, start_lambent

if TYPE_CHECKING:
    from bench.rows import Plan

_CONNECTIONS = 2_000
_MEMORY_MAX_BYTES = 60_000_000
"""How much more memory a server may take with so many."""
_REQUEST = b"GET /_lambent/health HTTP/1.1\r\nHost: %b\r\n\r\n"


def measure_idle_connections(plan: "Plan") -> list[Line]:
    """Open connections, each for one request, and leave them open; once more over TLS."""
    _raise_open_files()
    more = _measure()
    lines = [
        Line(
            f"{_CONNECTIONS:,} idle keep-alive connections",
            f"{mebibytes(more)} more, {more / _CONNECTIONS / 1024:.1f} KiB each",
            "-",
            is_met=more < _MEMORY_MAX_BYTES,
            required_text=f"under {_MEMORY_MAX_BYTES / 1e6:.0f} MB more",
        )
    ]
    try:
        secured = _measure("--tls", "self-signed")
    except TargetFailed as error:
        plan.say(f"  {error}")
    else:
        lines.append(
            Line(
                f"{_CONNECTIONS:,} idle keep-alive connections over TLS",
                f"{mebibytes(secured)} more, {secured / _CONNECTIONS / 1024:.1f} KiB each",
                "-",
            )
        )
    return lines


def _measure(*options: str) -> int:
    """
    Return what more memory (PSS) a server takes with the connections than with one.

    Raises:
        TargetFailed: it makes no certificate here, or does not answer on every connection.
    """
    with scratch_folder() as folder, ExitStack() as opened:
        data_dir = folder / "data"
        data_dir.mkdir(mode=0o711)
        try:
            server = opened.enter_context(start_lambent(data_dir, *options))
        except NotReady as error:
            raise TargetFailed(f"no server with {' '.join(options)}: {error}") from error
        certificate = data_dir / "tls" / "certificate.pem"
        context = ssl.create_default_context(cafile=certificate) if options else None
        # The first ones load and fill what all share.
        for _ in range(100):
            _open(server.url, context).close()
        opened.enter_context(_open(server.url, context))
        before, _ = memory_bytes(server.pid)
        for _ in range(_CONNECTIONS):
            opened.enter_context(_open(server.url, context))
        after, _ = memory_bytes(server.pid)
        _check_open(server.pid)
        return after - before


def _open(url: str, context: ssl.SSLContext | None) -> socket.socket:
    """Return a connection on which a request was answered."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)
    if context is not None:
        connection = context.wrap_socket(connection, server_hostname=parts.hostname)
    connection.sendall(_REQUEST % parts.netloc.encode())
    answer = connection.recv(65_536)
    if not answer.startswith(b"HTTP/1.1 200 ") or b"connection: close" in answer.lower():
        raise TargetFailed(f"a connection was not kept: {answer[:200]!r}")
    return connection


def _check_open(pid: int) -> None:
    """
    See that the server holds them all: one that closes them early would measure little.

    Raises:
        TargetFailed: it does not.
    """
    sockets = sum(path.readlink().name.startswith("socket:") for path in Path(f"/proc/{pid}/fd").iterdir())
    if sockets < _CONNECTIONS:
        raise TargetFailed(f"the server has {sockets} sockets, fewer than were opened")


def _raise_open_files() -> None:
    """Let this process hold its ends; the server sees to its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + 200
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
