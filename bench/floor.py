"""
The floor relay: the least program that does the job, and the yardstick of every warm figure.

A raw ASGI application under uvicorn hands the body of a POST to a runtime that waits in a bare Runtime API and answers
with what comes back. The runtimes are the official Python client. There is no sandbox, no routing, no validation, no
log, no limit and no recovery: whoever adds those pays the distance to this program. With `--echo` there is no runtime,
and with `--store` none either: each body is on disk before it is answered, in one commit with the others that wait.

It prints `ready http://127.0.0.1:<port>` once every runtime has asked for its first event.
"""

import argparse
import asyncio
import functools
import os
import signal
import socket
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import uvicorn
import uvloop

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, bytes]

_ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'
_START_TIMEOUT_S = 60.0
_PIECE = bytes(65536)
_DEADLINE_MS = 4_102_444_800_000
"""The year 2100: the client wants a number, and nothing here ends an invocation."""


class Relay:
    """Events that wait for a runtime, or runtimes that wait for an event; never both."""

    def __init__(self, runtimes_expected: int) -> None:
        self.all_waiting = asyncio.Event()
        self._expected = runtimes_expected
        self._runtimes: deque[RuntimeConnection] = deque()
        self._events: deque[tuple[bytes, bytes]] = deque()
        self._answers: dict[bytes, asyncio.Future[Answer]] = {}
        self._count = 0

    def submit(self, body: bytes) -> asyncio.Future[Answer]:
        """Hand an event to the runtime that has waited longest, or queue it."""
        self._count += 1
        request_id = b"%d" % self._count
        answer = self._answers[request_id] = asyncio.get_running_loop().create_future()
        if self._runtimes:
            self._runtimes.popleft().send_event(request_id, body)
        else:
            self._events.append((request_id, body))
        return answer

    def next(self, runtime: "RuntimeConnection") -> None:
        """Give `runtime` the oldest event, or let it wait."""
        if self._events:
            runtime.send_event(*self._events.popleft())
            return
        self._runtimes.append(runtime)
        if len(self._runtimes) == self._expected:
            self.all_waiting.set()

    def settle(self, request_id: bytes, status: int, body: bytes) -> None:
        """Pass an answer to the request that waits for it."""
        answer = self._answers.pop(request_id)
        if not answer.done():
            answer.set_result((status, body))


class RuntimeConnection(asyncio.Protocol):
    """The Runtime API of one runtime process: GET next, POST <id>/response, POST <id>/error."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._received = bytearray()
        self._body_start = 0
        self._body_end = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, since uvloop's transports do not derive from asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if not self._body_end:
            head_end = received.find(b"\r\n\r\n")
            if head_end < 0:
                return
            if received.startswith(b"GET"):
                # The client sends one request and waits, so whatever was received is this request alone.
                received.clear()
                self._relay.next(self)
                return
            _, _, after = bytes(received[:head_end]).lower().partition(b"\r\ncontent-length:")
            self._body_start = head_end + 4
            self._body_end = self._body_start + int(after.partition(b"\r\n")[0])
        if len(received) < self._body_end:
            return
        path = received[: received.index(b" HTTP/")].split(b"/")
        body = bytes(memoryview(received)[self._body_start : self._body_end])
        self._body_end = 0
        received.clear()
        self._transport.write(_ACCEPTED)
        self._relay.settle(bytes(path[-2]), 200 if path[-1] == b"response" else 502, body)

    def send_event(self, request_id: bytes, body: bytes) -> None:
        """Answer the GET that waits on this connection."""
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Lambda-Runtime-Aws-Request-Id: %b\r\nLambda-Runtime-Deadline-Ms: %d\r\n"
            b"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:floor\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (request_id, _DEADLINE_MS, len(body), body)
        )


async def _read_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    if not message.get("more_body"):
        return body
    chunks = [body]
    while message.get("more_body"):
        message = await receive()
        chunks.append(message["body"])
    return b"".join(chunks)


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def relay_application(relay: Relay) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """Return the ASGI application that relays every request's body."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        status, body = await relay.submit(await _read_body(receive))
        await _respond(send, status, body)

    return application


async def echo_application(scope: Message, receive: Receive, send: Send) -> None:
    """Answer every request with its own body: bare uvicorn."""
    await _respond(send, 200, await _read_body(receive))


class DurableEcho:
    """
    Answers each request with its own body once SQLite has it: the least that taking an event durably can cost.

    What comes while a commit is under way shares the next. One table of bodies, the journal and sync of Lambent's.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((body, stored))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        await stored
        await _respond(send, 202, body)

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken, self._waiting = self._waiting, []
            await loop.run_in_executor(self._thread, self._store, [(body,) for body, _ in taken])
            for _, stored in taken:
                stored.set_result(None)
        self._committing = None

    @functools.cached_property
    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE events (sequence INTEGER PRIMARY KEY, body BLOB);"
        )
        return connection

    def _store(self, rows: list[tuple[bytes]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO events (body) VALUES (?)", rows)
        self._connection.execute("COMMIT")


async def stream_application(scope: Message, receive: Receive, send: Send) -> None:
    """Answer every request with as many pieces of 64 KiB as its body says: bare uvicorn, sending as fast as it may."""
    pieces = int(await _read_body(receive))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(pieces):
        await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _start_runtimes(relay: Relay, options: argparse.Namespace) -> list[Process]:
    loop = asyncio.get_running_loop()
    api = await loop.create_server(lambda: RuntimeConnection(relay), "127.0.0.1", 0, backlog=1024)
    environ = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": f"{options.task_root}:{options.client}",
        "LAMBDA_TASK_ROOT": options.task_root,
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.sockets[0].getsockname()[1]}",
        "AWS_LAMBDA_FUNCTION_NAME": "floor",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_REGION": "us-east-1",
    }
    command = [options.interpreter, "-m", "awslambdaric", options.handler]
    return [
        await asyncio.create_subprocess_exec(
            *command, env=environ, cwd=options.task_root, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        for _ in range(options.runtimes)
    ]


async def _serve(options: argparse.Namespace) -> None:
    listener = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    runtimes: list[Process] = []
    application: Any = stream_application if options.stream else echo_application
    if options.store:
        application = DurableEcho(options.store)
    try:
        if not (options.echo or options.stream or options.store):
            relay = Relay(options.runtimes)
            application = relay_application(relay)
            runtimes = await _start_runtimes(relay, options)
            await asyncio.wait_for(relay.all_waiting.wait(), _START_TIMEOUT_S)
        config = uvicorn.Config(
            application,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
        )
        # Connections made from here on wait in the listener's backlog until uvicorn accepts them.
        print(f"ready http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        await uvicorn.Server(config).serve(sockets=[listener])
    finally:
        for runtime in runtimes:
            if runtime.returncode is None:
                runtime.kill()
        for runtime in runtimes:
            await runtime.wait()


def main() -> int:
    """Run the relay until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="bench.floor", description="the least program that relays an event to a runtime"
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 picks a free one")
    parser.add_argument("--echo", action="store_true", help="no runtime: answer each request with its own body")
    parser.add_argument("--stream", action="store_true", help="no runtime: answer with pieces, as many as asked for")
    parser.add_argument("--store", help="no runtime: answer once the body is in this new SQLite file")
    parser.add_argument("--runtimes", type=int, default=1, help="runtime processes to start")
    parser.add_argument("--client", help="folder that holds the installed awslambdaric")
    parser.add_argument("--interpreter", help="Python that runs the function")
    parser.add_argument("--task-root", help="folder of the function")
    parser.add_argument("--handler", default="app.hello", help="module.function")
    options = parser.parse_args()
    has_no_runtime = options.echo or options.stream or options.store
    if not has_no_runtime and not (options.client and options.interpreter and options.task_root):
        parser.error("--client, --interpreter and --task-root are needed unless there is no runtime")
    # Before uvicorn installs its own handlers a signal must still unwind, or the runtimes would outlive this process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        uvloop.run(_serve(options))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
