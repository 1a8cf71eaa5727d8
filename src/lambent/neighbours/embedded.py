"""
The embedded server for a few neighbours: moto, in a process of its own.

A development stand-in, started when somebody asks for the first time. The process is never root, ends with the server
however that ends, and is watched: one that has ended, or does not answer, is started again by the next request that
wants it, sooner or later according to how often that happened.
"""

import asyncio
import contextlib
import functools
import importlib.util
import json
import logging
import os
import socket
import stat
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.neighbours.message import NeighbourUnavailable, Outgoing

_log = logging.getLogger("lambent.neighbours")

STATE_MAX_BYTES = 1 << 30
"""What it keeps in all. Beyond it writes get 503."""

NOT_INSTALLED = (
    "the embedded server is not installed; `pip install lambent[neighbours]` (`make serve`) adds it, for the next start"
)

_SAVE_EVERY_S = 30.0
_READY_S = 120.0
"""Loading moto takes a second or two, reading a full state several; on a busy machine many times as much."""
_STOP_S = 60.0
"""What saving a full state may take on a slow disk."""
_PING_EVERY_S = 15.0
_PING_S = 60.0
"""Writing a full state holds everybody up, the answer to a ping does not wait for it. Assumed."""
_BACKOFF_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
_HEALTHY_S = 60.0
"""After so long the failures before are forgotten."""
_SOCKET_PATH_MAX = 100
"""Documented: unix(7), 108 bytes; macOS has 104."""

_MODULE = "lambent.neighbours.embedded_process"

USER_NUMBER = 65_525
"""
Of the user, and of its group, that the process becomes where the server is root. Not `--function-user`: functions
without walls run as that one, and would read keys and secrets here, or write what is unpickled. Documented: systemd,
UIDS-GIDS: 65520 to 65533 are nobody's. Below 65536, beyond which containers often have no users.
"""


def describe(services: list[str]) -> str:
    """Return a line on what the embedded server answers, for the start and for `lambent doctor`; empty for nothing."""
    if not services:
        return ""
    return (
        f"an embedded stand-in for development answers {', '.join(services)}; --neighbour NAME=URL names a real server"
    )


class EmbeddedServer:
    """
    Starts the process, watches it, ends it.

    Args:
        folder: for its state; this class makes it the user's.
        run: for its socket.
        services: that it answers.
        keeps_apart: whether a bucket is there for its own account alone: where it matters who calls.
    """

    def __init__(
        self,
        folder: Path,
        run: Path,
        services: list[str],
        clock: Clock,
        *,
        state_max_bytes: int = STATE_MAX_BYTES,
        keeps_apart: bool = False,
    ) -> None:
        self._folder = folder
        self._run = run
        self._services = services
        self._clock = clock
        self._state_max_bytes = state_max_bytes
        self._keeps_apart = keeps_apart
        self._listener: socket.socket | None = None
        self._own_run: str | None = None
        self._socket = ""
        self._process: Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_closed = False
        self._failures = 0
        self._not_before = 0.0

    @staticmethod
    @functools.cache
    def is_installed() -> bool:
        """Say whether this machine has what it needs; nothing is loaded. Looked up once."""
        return importlib.util.find_spec("moto") is not None and importlib.util.find_spec("flask") is not None

    @property
    def socket_path(self) -> str:
        """Where it listens. Only after `ensure_running`."""
        assert self._socket
        return self._socket

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return None if self._process is None else self._process.pid

    async def ensure_running(self) -> None:
        """
        Return when the process takes requests; start it where there is none. Concurrent calls start one.

        Raises:
            NeighbourUnavailable: it does not start, or failed so recently that it is not tried again yet.
        """
        if self._process is not None:
            return
        if self._starting is None:
            if self._is_closed:
                raise NeighbourUnavailable("the server is stopping")
            if (wait_s := self._not_before - self._clock.monotonic()) > 0:
                raise NeighbourUnavailable(
                    f"the embedded server has failed and is started again in {wait_s:.0f} s",
                    headers={"retry-after": str(int(wait_s) + 1)},
                )
            self._starting = asyncio.create_task(self._start(), name="start of the embedded server")
            self._starting.add_done_callback(self._started)
        # A caller that gives up leaves the others' start alone.
        await asyncio.shield(self._starting)

    def addressed(self, request: Outgoing, service: str, scope: Scope) -> Outgoing:
        """Return a request as the process takes it: with its service, and the account and region that it is for."""
        own = ("x-moto-", "x-lambent-")
        headers = {name: value for name, value in request.headers.items() if not name.startswith(own)}
        headers["x-lambent-service"] = service
        if self._keeps_apart:
            headers["x-lambent-apart"] = "1"
        headers["x-moto-account-id"] = scope.account
        headers["host"] = f"{service}.{scope.region}.amazonaws.com" if service == "s3" else "localhost"
        if request.is_signed:
            signing = "dynamodb" if service == "dynamodbstreams" else service
            headers["authorization"] = (
                f"AWS4-HMAC-SHA256 Credential={scope.account}/20200101/{scope.region}/{signing}/aws4_request, "
                "SignedHeaders=host, Signature=0"
            )
        request.headers = headers
        return request

    async def close(self) -> None:
        """Let the process save its state and end."""
        self._is_closed = True
        if self._starting is not None:
            with contextlib.suppress(NeighbourUnavailable):
                await self._starting
        process = self._process
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                async with asyncio.timeout(_STOP_S):
                    await process.wait()
            except TimeoutError:
                _log.error("neighbours.embedded_killed reason=%s", "it did not end")
                process.kill()
                await process.wait()
        if self._watching is not None:
            await self._watching
        self._stop_listening()
        if self._own_run is not None:
            os.rmdir(self._own_run)  # noqa: PTH106

    async def _start(self) -> None:
        began = self._clock.monotonic()
        try:
            process = await self._spawn()
        except OSError as error:
            self._stop_listening()
            raise NeighbourUnavailable(f"the embedded server cannot be started: {error}") from error
        assert process.stdout is not None
        line = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_S):
                line = await process.stdout.readline()
        if line.strip() != b"ready":
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            code = await process.wait()
            self._stop_listening()
            raise NeighbourUnavailable(f"the embedded server did not start (exit code {code}): see the server's log")
        took_s = self._clock.monotonic() - began
        _log.info("neighbours.embedded_started pid=%d took_s=%.1f", process.pid, took_s)
        self._process = process
        self._watching = asyncio.create_task(self._watch(process), name="watch of the embedded server")

    async def _spawn(self) -> Process:
        listener = self._listen()
        uid, gid = os.geteuid(), os.getegid()
        if uid == 0:
            uid = gid = USER_NUMBER
            give(self._folder, uid, gid)
        configuration = {
            "socket": listener.fileno(),
            "folder": str(self._folder),
            "services": self._services,
            "uid": uid,
            "gid": gid,
            "most_bytes": self._state_max_bytes,
            "every_s": _SAVE_EVERY_S,
        }
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", _MODULE, json.dumps(configuration),
            stdin=PIPE, stdout=PIPE, stderr=None, pass_fds=[listener.fileno()], start_new_session=True,
            cwd="/", env=_environment(self._folder),
        )  # fmt: skip

    def _started(self, starting: "asyncio.Task[None]") -> None:
        self._starting = None
        if not starting.cancelled() and starting.exception() is not None:
            self._failed()

    def _failed(self) -> None:
        self._failures += 1
        wait_s = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
        self._not_before = self._clock.monotonic() + wait_s
        _log.error("neighbours.embedded_failed failures=%d again_in_s=%.0f", self._failures, wait_s)

    async def _watch(self, process: Process) -> None:
        """Return when the process has ended; kill it when it does not answer."""
        began = self._clock.monotonic()
        ending = asyncio.create_task(process.wait())
        while not ending.done():
            await asyncio.wait([ending], timeout=_PING_EVERY_S)
            if ending.done() or self._is_closed:
                continue
            # One that ends while it owes an answer is not waited for: until this returns nobody starts another.
            answering = asyncio.create_task(self._answers())
            await asyncio.wait([ending, answering], return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                answering.cancel()
            elif not answering.result():
                _log.error("neighbours.embedded_killed reason=%s", "it does not answer")
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        self._process = None
        # Whoever has connected meanwhile hears that nobody is there, instead of waiting for the next start.
        self._stop_listening()
        if self._is_closed:
            return
        _log.error("neighbours.embedded_ended pid=%d code=%s", process.pid, ending.result())
        if self._clock.monotonic() - began > _HEALTHY_S:
            self._failures = 0
        self._failed()

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(_PING_S):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(b"GET / HTTP/1.0\r\nHost: localhost\r\nX-Lambent-Service: ping\r\n\r\n")
                    return b" 204 " in await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    def _listen(self) -> socket.socket:
        """Return the listening socket, which is as old as the process, and a little older."""
        if self._listener is None:
            path = str(self._run / "neighbours.sock")
            if len(os.fsencode(path)) > _SOCKET_PATH_MAX:
                self._own_run = self._own_run or tempfile.mkdtemp(prefix="lambent-")
                path = f"{self._own_run}/neighbours.sock"
            Path(path).unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listener.bind(path)
                Path(path).chmod(0o600)
                listener.listen(512)
            except BaseException:
                listener.close()
                raise
            self._listener, self._socket = listener, path
        return self._listener

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            Path(self._socket).unlink(missing_ok=True)


def give(folder: Path, uid: int, gid: int) -> None:
    """
    Give a folder to a user, with those of its files that are its owner's, or root's.

    That owner may put names of other files, links and pipes into it, and change them at any time: what is given is what
    was looked at.

    Raises:
        OSError: it cannot be given.
    """
    with _opened(folder, os.O_DIRECTORY) as holder:
        owner = os.fstat(holder).st_uid
        for name in os.listdir(holder):  # noqa: PTH208
            # Of a pipe nobody waits for the other end.
            with contextlib.suppress(OSError), _opened(name, os.O_NOFOLLOW | os.O_NONBLOCK, holder) as file:
                found = os.fstat(file)
                if found.st_uid in {owner, 0} and found.st_nlink == 1 and stat.S_ISREG(found.st_mode):
                    os.fchown(file, uid, gid)
        os.fchown(holder, uid, gid)


@contextlib.contextmanager
def _opened(path: Path | str, flags: int, folder: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _environment(folder: Path) -> dict[str, Any]:
    # Nothing of the server's own: it may hold credentials, and settings of moto and boto3.
    kept = {name: value for name in ("PATH", "LANG", "LC_ALL") if (value := os.environ.get(name)) is not None}
    return {**kept, "HOME": str(folder), "TMPDIR": str(folder), "AWS_EC2_METADATA_DISABLED": "true"}
