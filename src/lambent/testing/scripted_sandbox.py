"""
A sandbox driver whose runtimes are coroutines: no process, no waiting, and failures to order.

What it starts speaks the real Runtime API over a real socket, so that everything but the process itself is the
code that serves functions.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lambent.clock import Clock
from lambent.errors.families import DependencyError
from lambent.sandbox.contract import Assignment, Environment, Exit, ParkedKind, Stats
from lambent.sandbox.walls import Wall

_KILLED = Exit(signal=9)
_TERMINATED = Exit(signal=15)
_LOST = Exit(is_lost=True)
_RUNTIME = "/2018-06-01/runtime"


class Event(NamedTuple):
    """What Next returned."""

    request_id: str
    payload: bytes


class ScriptedRuntime:
    """
    What a script has in hand: a runtime client on one connection.

    Args:
        environment: where it runs.
        assignment: what it was started with.
    """

    def __init__(self, environment: "ScriptedEnvironment", assignment: Assignment) -> None:
        self.environment = environment
        self.assignment = assignment
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def next(self) -> Event:
        """Ask for work and wait for it."""
        headers, body = await self._call("GET", f"{_RUNTIME}/invocation/next")
        return Event(headers["lambda-runtime-aws-request-id"], body)

    async def respond(self, request_id: str, body: bytes) -> None:
        """Post a response."""
        await self._call("POST", f"{_RUNTIME}/invocation/{request_id}/response", body)

    async def begin_stream(self, request_id: str) -> asyncio.StreamWriter:
        """Begin a streamed response; `chunk` makes what is to be written."""
        _, writer = await self._connected()
        path = f"{_RUNTIME}/invocation/{request_id}/response"
        headers = (
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\nContent-Type: text/x"
        )
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
        return writer

    async def end_stream(self, trailers: str = "") -> int:
        """End a streamed response, and return the status of the answer."""
        _, writer = await self._connected()
        writer.write(f"0\r\n{trailers}\r\n".encode())
        return (await self._answer())[0]

    async def fail(self, request_id: str, body: bytes) -> None:
        """Post that the handler failed."""
        await self._call("POST", f"{_RUNTIME}/invocation/{request_id}/error", body)

    async def fail_init(self, body: bytes) -> None:
        """Post that the function cannot be loaded."""
        await self._call("POST", f"{_RUNTIME}/init/error", body)

    def print(self, text: str) -> None:
        """Write to the output that stdout and stderr share."""
        os.write(self.environment.write_end, text.encode())

    def close(self) -> None:
        """Drop the connection, as a process that ends does."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _call(self, method: str, path: str, body: bytes = b"") -> tuple[dict[str, str], bytes]:
        _, writer = await self._connected()
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        _, headers, answer = await self._answer()
        return headers, answer

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            host, _, port = self.environment.runtime_api_address.rpartition(":")
            self._streams = await asyncio.open_connection(host, int(port))
        return self._streams

    async def _answer(self) -> tuple[int, dict[str, str], bytes]:
        reader, _ = await self._connected()
        status, *head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return int(status.split()[1]), headers, await reader.readexactly(int(headers.get("content-length", "0")))


def chunk(data: bytes) -> bytes:
    """Return a piece of a streamed response as it travels."""
    return b"%x\r\n%b\r\n" % (len(data), data)


Script = Callable[[ScriptedRuntime], Coroutine[Any, Any, Exit]]
"""Plays one runtime's process; what it returns is how the process ended."""


class ScriptedEnvironment:
    """The handle of one environment. Implements `sandbox.contract.Environment`."""

    def __init__(self, environment_id: str) -> None:
        self.id = environment_id
        self.runtime_listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.runtime_listener.bind(("127.0.0.1", 0))
        self.runtime_listener.listen()
        self.runtime_listener.setblocking(False)
        self.runtime_api_address = f"127.0.0.1:{self.runtime_listener.getsockname()[1]}"
        self.trace_port: socket.socket | None = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.trace_port.bind(("127.0.0.1", 0))
        self.trace_port.setblocking(False)
        self.trace_address = f"127.0.0.1:{self.trace_port.getsockname()[1]}"
        self.output, self.write_end = os.pipe()
        os.set_blocking(self.output, False)
        self.gateway_listener: socket.socket | None = None
        self.is_frozen = False
        self.is_killed = False
        self.is_terminated = False
        self.is_lost = False
        self.has_ended_init = False
        self.memory_mib = 1
        """What `stats` tells; a script sets it."""
        self.cpu_us = 0
        """Likewise."""
        self.ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.process: asyncio.Task[Exit] | None = None


class ScriptedSandbox:
    """
    Implements `lambent.sandbox.contract.Sandbox`.

    Args:
        script: what every environment runs.
        clock: where ids come from.
        parks_ahead, freeze_after_s: what the driver says of itself.
    """

    name = "scripted"
    holds: frozenset[Wall] = frozenset()
    has_own_root = False

    def __init__(self, script: Script, clock: Clock, *, parks_ahead: bool = False, freeze_after_s: float = 0.1) -> None:
        self.parks_ahead = parks_ahead
        self.freeze_after_s = freeze_after_s
        self._script = script
        self._clock = clock
        self.environments: set[ScriptedEnvironment] = set()
        """Those that are not released yet."""
        self.failures: list[BaseException] = []
        """What scripts raised: a test's own assertions among it."""
        self.ignores_terminate = False
        """Whether runtimes go on as if they had not been asked to end."""
        self.before_start: Callable[[], None] = lambda: None
        """Called by every `assign`; may raise what `assign` may raise."""
        self.before_park: Callable[[ParkedKind], Awaitable[None]] = _at_once
        """Awaited by every `park`; may take its time, and raise what `park` may raise."""

    def task_root(self, package: Path) -> str:
        return str(package)

    def layers_root(self, layers: Path) -> str:
        return str(layers)

    async def park(self, kind: ParkedKind) -> ScriptedEnvironment:
        await self.before_park(kind)
        environment = ScriptedEnvironment(self._clock.token_hex(16))
        self.environments.add(environment)
        return environment

    async def assign(self, environment: Environment, assignment: Assignment) -> None:
        own = _own(environment)
        assert own.process is None, "an environment is assigned once"
        self.before_start()
        if own.is_lost:
            raise DependencyError("the environment was lost", retryable=True)
        if not own.is_killed:
            own.process = asyncio.create_task(self._play(own, assignment))
            own.process.add_done_callback(partial(self._over, own))

    async def _play(self, own: ScriptedEnvironment, assignment: Assignment) -> Exit:
        runtime = ScriptedRuntime(own, assignment)
        try:
            return await self._script(runtime)
        finally:
            runtime.close()

    def _over(self, own: ScriptedEnvironment, process: "asyncio.Task[Exit]") -> None:
        how = Exit(status=1)
        if process.cancelled():
            how = _LOST if own.is_lost else _TERMINATED if own.is_terminated and not own.is_killed else _KILLED
        elif (failure := process.exception()) is None:
            how = process.result()
        elif not isinstance(failure, (OSError, EOFError)):
            # Those two: the server closed its side, which ends a real runtime as well.
            self.failures.append(failure)
        if not own.ended.done():
            own.ended.set_result(how)

    def freeze(self, environment: Environment) -> None:
        _own(environment).is_frozen = True

    def thaw(self, environment: Environment) -> None:
        _own(environment).is_frozen = False

    def end_init(self, environment: Environment) -> None:
        _own(environment).has_ended_init = True

    def lose(self, environment: Environment) -> None:
        """Have the sandbox fail under an environment, parked or running."""
        own = _own(environment)
        if not own.is_killed and not own.ended.done():
            own.is_lost = True
            if own.process is not None:
                own.process.cancel()
            else:
                own.ended.set_result(_LOST)

    def lose_all(self) -> None:
        """Have the process that made all environments end, and they with it."""
        for environment in list(self.environments):
            self.lose(environment)

    def kill(self, environment: Environment) -> None:
        own = _own(environment)
        if own.is_killed:
            return
        own.is_killed = True
        own.runtime_listener.close()
        if own.process is not None:
            own.process.cancel()
        elif not own.ended.done():
            own.ended.set_result(_KILLED)

    def terminate(self, environment: Environment) -> None:
        own = _own(environment)
        own.is_frozen = False
        if own.process is not None and not own.is_killed and not self.ignores_terminate:
            own.is_terminated = True
            own.process.cancel()

    async def wait(self, environment: Environment) -> Exit:
        return await asyncio.shield(_own(environment).ended)

    def stats(self, environment: Environment) -> Stats:
        own = _own(environment)
        return Stats(memory_peak_mib=own.memory_mib, cpu_us=own.cpu_us)

    def watch(self, environment: Environment, busy: bool) -> None:
        return

    def release(self, environment: Environment) -> None:
        own = _own(environment)
        if own in self.environments:
            self.environments.discard(own)
            os.close(own.output)
            os.close(own.write_end)
            if own.trace_port is not None:
                own.trace_port.close()

    async def end_leftovers(self) -> int:
        return 0

    async def close(self) -> None:
        for environment in list(self.environments):
            self.kill(environment)
            await self.wait(environment)
            self.release(environment)


async def _at_once(kind: ParkedKind) -> None:
    """Make nobody wait."""


def _own(environment: Environment) -> ScriptedEnvironment:
    assert isinstance(environment, ScriptedEnvironment), "an environment of another driver"
    return environment
