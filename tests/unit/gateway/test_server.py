"""The gateway on several sockets: who called is known by the listener, and what is closed stays closed."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from lambent.clock import SystemClock
from lambent.domain.caller import Inside, Scope
from lambent.errors.families import InternalServerError
from lambent.gateway.admission import Admission
from lambent.gateway.connection import USUAL_WAITS, Cycle, Waits, send_unpaced
from lambent.gateway.host_names import HostNames
from lambent.gateway.server import INSIDE_CONNECTIONS_MAX, Gateway, GatewayServer, bound_port
from lambent.protocol.wire import WireRequest, WireResponse

INSIDE = Inside(Scope("111111111111", "eu-west-1"), "arn:aws:lambda:eu-west-1:111111111111:function:one")
OTHER = Inside(Scope("222222222222", "us-east-1"), "arn:aws:lambda:us-east-1:222222222222:function:two")


class Telling:
    """A pipeline whose answer is what it was asked with."""

    def __init__(self) -> None:
        self.hold = asyncio.Event()
        self.hold.set()
        self.arrived = asyncio.Event()

    async def answer(
        self, request: WireRequest, read_body: Callable[[int], Awaitable[bytes]], request_id: str, endpoint: str
    ) -> WireResponse:
        self.arrived.set()
        body = await read_body(3_000_000)
        await self.hold.wait()
        told = {"inside": request.inside and request.inside.function_arn, "endpoint": endpoint, "body": body.decode()}
        return WireResponse(200, [], msgspec.json.encode(told))


class NoApis:
    """HTTP APIs of which there are none."""

    is_current = True

    def is_for_api(self, request):
        return False

    def has_domain(self, host):
        return host == "own.example"


class Stage:
    """A running server with one listener outside."""

    def __init__(
        self, connections_max: int = 100, waits: Waits = USUAL_WAITS, host_names: HostNames | None = None
    ) -> None:
        self.pipeline = Telling()
        nowhere: Any = None
        apis: Any = NoApis()
        pipeline: Any = self.pipeline
        self.admission = Admission(100, 10_000_000)
        gateway = Gateway(pipeline, nowhere, nowhere, apis, self.admission, SystemClock(), host_names)
        self.server = GatewayServer(gateway, connections_max=connections_max, shutdown_grace_s=5, waits=waits)
        self.outside = listener()
        self.serving = asyncio.create_task(self.server.serve(sockets=[self.outside]))

    async def close(self) -> None:
        self.server.stop()
        await asyncio.wait_for(self.serving, 60)


def run(story: Callable[[Stage], Awaitable[None]], **given: Any) -> None:
    """Tell a story on a stage of its own."""

    async def tell() -> None:
        stage = Stage(**given)
        try:
            await asyncio.wait_for(story(stage), 120)
        finally:
            await stage.close()

    asyncio.run(tell())


def listener() -> socket.socket:
    """Return a listening socket, as drivers give them."""
    made = socket.create_server(("127.0.0.1", 0))
    made.setblocking(False)
    return made


class Connection:
    """One HTTP connection of a client."""

    @classmethod
    async def to(cls, to: socket.socket) -> "Connection":
        made = cls()
        made.reader, made.writer = await asyncio.open_connection("127.0.0.1", bound_port(to))
        return made

    async def send(self, body: str = "", host: str = "gateway:1") -> None:
        self.writer.write(f"POST /x HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        await self.writer.drain()

    async def read(self) -> Any:
        """Return the status of an answer that is no success, else its body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
        body = await self.reader.readexactly(int(length.partition(":")[2]))
        status = int(head.split()[1])
        return msgspec.json.decode(body) if status == 200 else status

    async def ask(self, body: str = "", host: str = "gateway:1") -> Any:
        await self.send(body, host)
        return await self.read()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0.001)


async def ask(to: socket.socket, body: str = "") -> Any:
    """Ask once on a connection of its own."""
    connection = await Connection.to(to)
    try:
        return await connection.ask(body)
    finally:
        connection.writer.close()


async def is_refused(to: socket.socket) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", bound_port(to))
    except OSError:
        return True
    writer.close()
    return False


def test_the_listener_says_who_calls() -> None:
    """One application, three sockets: each request carries the environment of the socket that accepted it."""

    async def story(stage: Stage) -> None:
        one, two = listener(), listener()
        with one, two:
            await stage.server.serve_inside(one, INSIDE)
            await stage.server.serve_inside(two, OTHER)
            told = [(await ask(to))["inside"] for to in (stage.outside, one, two, one)]
        assert told == [None, INSIDE.function_arn, OTHER.function_arn, INSIDE.function_arn]

    run(story)


def test_inside_is_like_outside() -> None:
    """Bodies arrive, connections are kept, and the endpoint is what the Host header calls it."""

    async def story(stage: Stage) -> None:
        with listener() as one:
            await stage.server.serve_inside(one, INSIDE)
            connection = await Connection.to(one)
            first = await connection.ask("some", host="127.0.0.1:4566")
            second = await connection.ask("more", host="host:1")
            connection.writer.close()
        assert (first["body"], first["endpoint"]) == ("some", "http://127.0.0.1:4566")
        assert (second["body"], second["endpoint"]) == ("more", "http://host:1")

    run(story)


def test_connections_inside_count() -> None:
    """The limit of open connections is one for all listeners."""

    async def story(stage: Stage) -> None:
        with listener() as one:
            await stage.server.serve_inside(one, INSIDE)
            kept = [await Connection.to(one), await Connection.to(stage.outside)]
            assert [type(await each.ask()) for each in kept] == [dict, dict]
            assert stage.server.connection_count == 2
            assert await ask(one) == 503
            for each in kept:
                each.writer.close()

    run(story, connections_max=3)


def test_one_environment_has_a_limit_of_its_own() -> None:
    """Connections beyond it are dropped; those before it, other environments and clients outside are served."""

    async def story(stage: Stage) -> None:
        with listener() as one, listener() as two:
            await stage.server.serve_inside(one, INSIDE)
            await stage.server.serve_inside(two, OTHER)
            kept = [await Connection.to(one) for _ in range(INSIDE_CONNECTIONS_MAX)]
            assert (await kept[-1].ask())["inside"] == INSIDE.function_arn
            refused = await Connection.to(one)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await refused.ask()
            assert stage.server.connection_count == INSIDE_CONNECTIONS_MAX
            assert (await ask(two))["inside"] == OTHER.function_arn
            assert (await ask(stage.outside))["inside"] is None
            await kept.pop().close()
            await until(lambda: stage.server.connection_count < INSIDE_CONNECTIONS_MAX)
            assert (await ask(one))["inside"] == INSIDE.function_arn
            for each in (*kept, refused):
                await each.close()

    run(story, connections_max=1000)


@pytest.mark.parametrize(
    "start",
    ["GET /x HTTP/1.1\r\nendless: ", "POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nendless: "],
)
@pytest.mark.parametrize("is_inside", [False, True])
def test_a_head_that_does_not_end_is_refused(start: str, is_inside: bool) -> None:
    """Headers and trailers are kept until they are complete: more of them than anybody needs end the connection."""

    async def story(stage: Stage) -> None:
        with listener() as one:
            await stage.server.serve_inside(one, INSIDE)
            connection = await Connection.to(one if is_inside else stage.outside)
            connection.writer.write(start.encode())
            sent = 0
            with contextlib.suppress(ConnectionError):
                while sent < 4_000_000 and not connection.reader.at_eof():
                    connection.writer.write(b"a" * 65_536)
                    await connection.writer.drain()
                    sent += 65_536
            with contextlib.suppress(ConnectionError):
                answer = await asyncio.wait_for(connection.reader.read(), 60)
                assert answer.startswith(b"HTTP/1.1 431 ") or answer == b""
            await until(lambda: stage.server.connection_count == 0)
            await connection.close()

    run(story)


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize(
    "part",
    [
        "",
        "POST /x HT",
        "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc",
        "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
        "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc",
    ],
)
def test_a_client_that_stops_half_way_is_given_up(part: str, answered: bool) -> None:
    """Its connection ends, and with it what its request counted; one that waits for its answer is left alone."""

    async def story(stage: Stage) -> None:
        silent = await Connection.to(stage.outside)
        if answered:
            await silent.ask()
        silent.writer.write(part.encode())
        await asyncio.wait_for(silent.reader.read(), 60)
        await until(lambda: stage.admission.requests == 0)
        assert stage.admission.body_bytes == 0
        stage.pipeline.hold.clear()
        waiting = await Connection.to(stage.outside)
        await waiting.send("patient")
        other = await Connection.to(stage.outside)
        await asyncio.wait_for(other.reader.read(), 60)
        stage.pipeline.hold.set()
        assert (await waiting.read())["body"] == "patient"
        for each in (silent, waiting, other):
            await each.close()

    run(story, waits=Waits(silence_s=0.2))


def test_a_client_whose_body_nobody_takes_is_not_given_up() -> None:
    """It cannot send while we do not read, as when a neighbour hangs; from when we do, its silence has its limit."""

    async def story(stage: Stage) -> None:
        take = asyncio.Event()

        async def answer(request: WireRequest, read_body: Callable[[int], Awaitable[bytes]], *_: Any) -> WireResponse:
            await take.wait()
            return WireResponse(200, [], msgspec.json.encode({"length": len(await read_body(10_000_000))}))

        stage.pipeline.answer = answer  # type: ignore[method-assign]
        head = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 400000\r\n\r\n"
        patient, silent = await Connection.to(stage.outside), await Connection.to(stage.outside)
        for each in (patient, silent):
            each.writer.write(head + bytes(200_000))
        await until(lambda: stage.admission.requests == 2)
        for _ in range(3):
            # As long as it takes to give up three, one after the other.
            other = await Connection.to(stage.outside)
            await asyncio.wait_for(other.reader.read(), 60)
            await other.close()
        assert stage.admission.requests == 2
        patient.writer.write(bytes(200_000))
        take.set()
        assert await patient.read() == {"length": 400_000}
        assert (await asyncio.wait_for(silent.reader.read(), 60)).startswith(b"HTTP/1.1 408 ")
        await until(lambda: stage.admission.requests == 0)
        for each in (patient, silent):
            await each.close()

    run(story, waits=Waits(silence_s=0.2))


def test_a_long_body_is_no_head() -> None:
    """What becomes part of a body counts as that, however large it is and in whatever pieces it comes."""

    async def story(stage: Stage) -> None:
        connection = await Connection.to(stage.outside)
        for body in ("a" * 2_500_000, "b"):
            assert (await connection.ask(body))["body"] == body
        await connection.close()

    run(story)


def test_closing_drops_one_environments_connections() -> None:
    """An environment is gone: its connections end, nobody is accepted there any more, others go on."""

    async def story(stage: Stage) -> None:
        with listener() as one, listener() as two:
            opened = await stage.server.serve_inside(one, INSIDE)
            await stage.server.serve_inside(two, OTHER)
            idle, other = await Connection.to(one), await Connection.to(two)
            await idle.ask()
            await other.ask()
            opened.close()
            opened.close()
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await idle.read()
            assert await is_refused(one)
            assert (await other.ask("still"))["body"] == "still"
            assert (await ask(stage.outside))["inside"] is None
            idle.writer.close()
            other.writer.close()

    run(story)


def test_stopping_lets_calls_from_inside_finish() -> None:
    """What is in flight is answered, nothing new is accepted inside either, and the server comes to its end."""

    async def story(stage: Stage) -> None:
        with listener() as one:
            await stage.server.serve_inside(one, INSIDE)
            idle, busy = await Connection.to(one), await Connection.to(one)
            await idle.ask()
            stage.pipeline.hold.clear()
            stage.pipeline.arrived.clear()
            await busy.send("last")
            await stage.pipeline.arrived.wait()
            stage.server.stop()
            assert await idle.reader.read() == b""
            assert await is_refused(one)
            stage.pipeline.hold.set()
            assert (await busy.read())["body"] == "last"
            await stage.serving
            assert stage.server.connection_count == 0
            idle.writer.close()
            busy.writer.close()

    run(story)


def test_a_server_that_stops_serves_nobody_new() -> None:
    """An environment that starts meanwhile is refused instead of left waiting."""

    async def story(stage: Stage) -> None:
        await ask(stage.outside)
        stage.server.stop()
        with listener() as one:
            await stage.server.serve_inside(one, INSIDE)
            assert await is_refused(one)

    run(story)


# Bodies that are sent as they come -----------------------------------------------------------------------------------

PIECE = b"p" * 65_536


class Pieces:
    """A body without end, unless it is told; counts what was taken of it."""

    def __init__(self) -> None:
        self.taken = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.is_over = False
        self.is_closed = False

    def __aiter__(self) -> "Pieces":
        return self

    async def __anext__(self) -> bytes:
        # As a reader of a function's response: each piece is waited for.
        await asyncio.sleep(0)
        await self.hold.wait()
        if self.is_over:
            raise StopAsyncIteration
        self.taken += 1
        return PIECE

    async def aclose(self) -> None:
        self.is_closed = True


class Parts(Pieces):
    """The same in parts that nobody joins before they are sent."""

    async def __anext__(self) -> bytes:
        return await super().__anext__() + b"p"

    async def take(self) -> list[bytes | bytearray]:
        piece = await anext(self, b"")
        return [piece[:-1], bytearray(piece[-1:])] if piece else []


KINDS = pytest.mark.parametrize("kind", [Pieces, Parts])


def streaming(stage: Stage, kind: type[Pieces] = Pieces, *, ends_with_client: bool = False) -> Pieces:
    """Have the next answer be a stream."""
    pieces = kind()

    async def answer(*_: Any) -> WireResponse:
        return WireResponse(200, [], pieces, ends_with_client=ends_with_client)

    stage.pipeline.answer = answer  # type: ignore[assignment]
    return pieces


@KINDS
def test_a_client_that_does_not_read_is_not_written_for(kind: type[Pieces]) -> None:
    """Some pieces fill what lies between; then none is taken before the client reads. It is closed at its end."""

    async def story(stage: Stage) -> None:
        pieces = streaming(stage, kind)
        connection = await Connection.to(stage.outside)
        await connection.send()
        await until(lambda: bool(stage.server.server_state.connections))
        (protocol,) = stage.server.server_state.connections
        await until(lambda: protocol.flow.write_paused)  # type: ignore[union-attr]
        before = pieces.taken
        assert before < 400, "26 MB in the kernel would be a lot"
        for _ in range(before):
            await connection.reader.readexactly(len(PIECE))
        await until(lambda: pieces.taken > before)
        assert stage.admission.requests == 1
        pieces.is_over = True
        while not pieces.is_closed:
            await connection.reader.read(1_000_000)
        await until(lambda: stage.admission.requests == 0)
        await connection.close()

    run(story)


@KINDS
@pytest.mark.parametrize("is_stalled", [False, True])
def test_a_client_that_leaves_is_not_waited_for(
    is_stalled: bool, kind: type[Pieces], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes, or takes nothing for too long: the body is read to its end, for nobody, and closed."""
    monkeypatch.setattr("lambent.gateway.connection._STALLED_S", 0.2)

    async def story(stage: Stage) -> None:
        pieces = streaming(stage, kind)
        connection = await Connection.to(stage.outside)
        await connection.send()
        await until(lambda: pieces.taken > 0)
        if not is_stalled:
            connection.writer.transport.abort()
        await until(lambda: stage.server.connection_count == 0)
        taken = pieces.taken
        await until(lambda: pieces.taken > taken + 100)
        pieces.is_over = True
        await until(lambda: pieces.is_closed)
        await until(lambda: stage.admission.requests == 0)
        connection.writer.close()

    run(story)


@KINDS
@pytest.mark.parametrize("is_silent", [False, True])
def test_what_is_for_one_client_alone_ends_with_it(is_silent: bool, kind: type[Pieces]) -> None:
    """A download: it is closed when the client leaves, also where nothing more comes; one that stays gets it whole."""

    async def story(stage: Stage) -> None:
        pieces = streaming(stage, kind, ends_with_client=True)
        connection = await Connection.to(stage.outside)
        await connection.send()
        await until(lambda: pieces.taken > 0)
        if is_silent:
            pieces.hold.clear()
        connection.writer.transport.abort()
        await until(lambda: pieces.is_closed)
        await until(lambda: stage.admission.requests == 0)
        pieces = streaming(stage, kind, ends_with_client=True)
        connection = await Connection.to(stage.outside)
        await connection.send()
        await until(lambda: pieces.taken > 10)
        pieces.is_over = True
        received = b""
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += await connection.reader.read(1_000_000)
        assert received.count(PIECE) == pieces.taken
        await until(lambda: pieces.is_closed and stage.admission.requests == 0)
        await connection.close()

    run(story)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_parts_are_framed_as_one_piece(method: str, is_chunked: bool) -> None:
    """As a chunk with what nobody joined in it, or as all there is where the client knows no chunks; for HEAD, not."""

    async def story(stage: Stage) -> None:
        parts = streaming(stage, Parts)
        connection = await Connection.to(stage.outside)
        version, last = (1, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") if is_chunked else (0, b"")
        connection.writer.write(f"{method} / HTTP/1.{version}\r\nHost: a\r\n\r\n".encode() + last)
        reading = asyncio.create_task(connection.reader.read())
        await until(lambda: parts.taken > 1)
        parts.is_over = True
        head, _, body = (await asyncio.wait_for(reading, 60)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        whole = PIECE + b"p"
        if is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(whole), whole)
            sent = b"" if method == "HEAD" else chunk * parts.taken + b"0\r\n\r\n"
            assert body.startswith(sent + b"HTTP/1.1 200 OK\r\n"), "the connection goes on"
        else:
            assert body == (b"" if method == "HEAD" else whole * parts.taken)
        await connection.close()

    run(story)


# What is sent byte by byte: tests/wire/test_http_edge.py has what a client sees of a whole server --------------------


async def exchange(stage: Stage, sent: bytes) -> bytes:
    """Send bytes on a connection of its own; return all that comes back."""
    connection = await Connection.to(stage.outside)
    connection.writer.write(sent)
    got = await asyncio.wait_for(connection.reader.read(), 60)
    await connection.close()
    return got


HEADERS = [(b"x-amzn-requestid", b"1"), (b"x-text", b"a\tb"), (b"content-type", b"application/json")]


@pytest.mark.parametrize(
    ("method", "status", "headers", "body"),
    [
        ("GET", 200, HEADERS[:1], b"body"),
        ("POST", 202, HEADERS[::2], b""),
        ("GET", 200, HEADERS[::2], bytes(100_000)),
        ("GET", 404, HEADERS, b"{}"),
        ("HEAD", 200, HEADERS, b"body"),
        ("GET", 204, HEADERS, b""),
        ("GET", 200, [(b"Upper-Case", b"1")], b"body"),
        ("GET", 200, [(b"connection", b"close")], b"body"),
        ("GET", 200, [(b"x", b"split\r\nset-cookie: 1")], b"body"),
        ("GET", 200, [(b"x:", b"1")], b"body"),
    ],
)
def test_one_piece_is_what_two_would_be(
    method: str, status: int, headers: list[tuple[bytes, bytes]], body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole response that is sent at once has the bytes that uvicorn sends; what it refuses is refused."""

    async def story(stage: Stage) -> None:
        async def answer(*_: Any) -> WireResponse:
            return WireResponse(status, list(headers), body)

        stage.pipeline.answer = answer  # type: ignore[method-assign]
        monkeypatch.setattr("lambent.gateway.server.formatdate", lambda *_, **__: "now")
        asked = f"{method} /x HTTP/1.1\r\nhost: x\r\n\r\n".encode()
        # The second request is one of HTTP/1.0, whose answer comes the usual way and ends the connection.
        last = f"{method} /x HTTP/1.0\r\n\r\n".encode()
        quick = await exchange(stage, asked + last)
        monkeypatch.setattr(Cycle, "answer", lambda *_: False)
        assert quick == await exchange(stage, asked + last)
        is_refused = headers[0][0] in (b"x", b"x:")
        assert quick.startswith(b"" if is_refused else b"HTTP/1.1 %d " % status) and bool(quick) is not is_refused

    run(story)


def test_one_piece_takes_no_turn_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent at once for a client that takes nothing: the usual way waits for it."""

    async def story(stage: Stage) -> None:
        taken: list[bool] = []
        usual = Cycle.answer

        def noted(cycle: Cycle, *given: Any) -> bool:
            if len(taken) == 1:
                cycle.flow.pause_writing()
                asyncio.get_running_loop().call_soon(cycle.flow.resume_writing)
            taken.append(usual(cycle, *given))
            return taken[-1]

        monkeypatch.setattr(Cycle, "answer", noted)
        connection = await Connection.to(stage.outside)
        for _ in range(2):
            await connection.ask()
        assert taken == [True, False]
        await connection.close()

    run(story)


def test_only_what_stays_on_the_machine_is_sent_unpaced() -> None:
    """Whoever comes over a network gets the machine's own choice."""

    def chosen(to: socket.socket) -> bytes:
        return to.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")

    with socket.create_server(("127.0.0.1", 0)) as near, socket.create_server(("0.0.0.0", 0)) as far:
        usual = chosen(far)
        for each in (near, far):
            send_unpaced(each)
        assert (chosen(near), chosen(far)) == (b"reno", usual)
        with socket.create_connection(near.getsockname()), near.accept()[0] as accepted:
            assert chosen(accepted) == b"reno"


class Gathered:
    """A body of heaps of pieces, all there already; the iteration gives each heap joined."""

    def __init__(self, *heaps: list[bytes | bytearray], error: Exception | None = None) -> None:
        self._heaps = list(heaps)
        self._error = error

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if pieces := await self.take():
            return b"".join(pieces)
        raise StopAsyncIteration

    async def take(self) -> list[bytes | bytearray]:
        if self._heaps:
            return self._heaps.pop(0)
        if self._error is not None:
            raise self._error
        return []

    async def aclose(self) -> None:
        self._heaps.clear()


@pytest.mark.parametrize("error", [None, InternalServerError("the function failed")])
@pytest.mark.parametrize("headers", [[], [(b"content-length", b"231074")], [(b"connection", b"close")]])
@pytest.mark.parametrize("asked", ["GET /x HTTP/1.1\r\nhost: x", "HEAD /x HTTP/1.1\r\nhost: x", "GET /x HTTP/1.0"])
def test_pieces_are_sent_as_what_they_make_would_be(
    asked: str, headers: list[tuple[bytes, bytes]], error: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream whose pieces nobody joins has the bytes that uvicorn sends, and breaks off as it does."""
    heaps: list[list[bytes | bytearray]] = [
        [b"a"],
        [b"b" * 50_000, bytearray(b"c" * 50_000)],
        [b"d", bytearray(b"e"), b"f" * 65_533],
        [bytearray(b"g" * 65_537)],
        [b"h"],
    ]

    async def story(stage: Stage) -> None:
        async def answer(*_: Any) -> WireResponse:
            return WireResponse(200, list(headers), Gathered(*map(list, heaps), error=error))

        async def got() -> bytes:
            sent = f"{asked}\r\n\r\n".encode()
            try:
                # Told to end: the second request is one of HTTP/1.0.
                return await exchange(stage, sent if asked.endswith("1.0") else sent + b"GET /x HTTP/1.0\r\n\r\n")
            except ConnectionResetError:
                return b"reset"

        stage.pipeline.answer = answer  # type: ignore[method-assign]
        monkeypatch.setattr("lambent.gateway.server.formatdate", lambda *_, **__: "now")
        by_pieces = await got()
        monkeypatch.setattr("lambent.gateway.server.BodyInPieces", type(None))
        assert by_pieces == await got()
        if error is None and not asked.startswith("HEAD"):
            assert all(b"".join(heap) in by_pieces for heap in heaps)

    run(story)


def test_a_stream_to_http_1_0_has_no_frames() -> None:
    """Its end is that of the connection."""

    async def story(stage: Stage) -> None:
        async def answer(*_: Any) -> WireResponse:
            async def pieces() -> Any:
                yield b"one"
                yield b"two"

            return WireResponse(200, [], pieces())

        stage.pipeline.answer = answer  # type: ignore[method-assign]
        head, _, body = (await exchange(stage, b"GET /x HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower() and b"connection: close" in head
        assert body == b"onetwo"

    run(story)


def test_a_stream_to_http_1_0_that_breaks_off_is_reset() -> None:
    """A mere end would be that of the whole."""

    async def story(stage: Stage) -> None:
        async def answer(*_: Any) -> WireResponse:
            async def pieces() -> Any:
                yield b"one"
                raise InternalServerError("the function failed")

            return WireResponse(200, [], pieces())

        stage.pipeline.answer = answer  # type: ignore[method-assign]
        with pytest.raises(ConnectionResetError):
            await exchange(stage, b"GET /x HTTP/1.0\r\n\r\n")

    run(story)


def test_a_refusal_is_not_put_into_an_answer() -> None:
    """A body that turns out to be none while its request is being answered: the answer breaks off, nothing is added."""

    async def story(stage: Stage) -> None:
        pieces = streaming(stage, ends_with_client=True)
        connection = await Connection.to(stage.outside)
        connection.writer.write(b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        head = await connection.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        connection.writer.write(b"nonsense\r\n")
        with pytest.raises(ConnectionResetError):
            while piece := await asyncio.wait_for(connection.reader.read(1 << 20), 60):
                assert b"HTTP/1.1" not in piece
        await until(lambda: pieces.is_closed and stage.server.connection_count == 0)
        await connection.close()

    run(story)


def test_a_refusal_is_no_second_answer() -> None:
    """The body of a request that is answered already: the connection ends without a word, which would be the next's."""

    async def story(stage: Stage) -> None:
        async def answer(*_: Any) -> WireResponse:
            return WireResponse(404, [], b"gone")

        stage.pipeline.answer = answer  # type: ignore[method-assign]
        connection = await Connection.to(stage.outside)
        connection.writer.write(b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        await connection.reader.readuntil(b"gone")
        connection.writer.write(b"nonsense\r\n")
        assert await asyncio.wait_for(connection.reader.read(), 60) == b""
        await connection.close()

    run(story)


def test_a_client_that_leaves_takes_its_requests_in_a_row_with_it() -> None:
    """The one that is answered learns that nobody reads, and those that wait behind it are not run."""

    async def story(stage: Stage) -> None:
        pieces = streaming(stage, ends_with_client=True)
        connection = await Connection.to(stage.outside)
        connection.writer.write(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n" * 3)
        await connection.reader.readuntil(b"\r\n\r\n")
        connection.writer.transport.abort()
        await until(lambda: pieces.is_closed and stage.admission.requests == 0)

    run(story)


def test_far_more_connections_than_allowed_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some are kept until they can be told 503; descriptors have an end."""
    monkeypatch.setattr("lambent.gateway.connection._SURPLUS_MAX", 2)

    async def story(stage: Stage) -> None:
        kept = [await Connection.to(stage.outside) for _ in range(5)]
        await until(lambda: stage.server.connection_count == 5)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await ask(stage.outside)
        assert await kept[-1].ask() == 503
        for each in kept:
            await each.close()
        await until(lambda: stage.server.connection_count == 0)
        assert isinstance(await ask(stage.outside), dict)

    run(story, connections_max=3)


def test_a_head_waits_in_its_turn_only() -> None:
    """One that began while the request before it ran has its time from when that is answered."""

    async def story(stage: Stage) -> None:
        stage.pipeline.hold.clear()
        connection = await Connection.to(stage.outside)
        await connection.send("first")
        connection.writer.write(b"POST /x HTTP/1.1\r\nho")
        other = await Connection.to(stage.outside)
        other.writer.write(b"GET")
        # As long as a head may take, and longer.
        assert (await asyncio.wait_for(other.reader.read(), 60)).startswith(b"HTTP/1.1 408 ")
        stage.pipeline.hold.set()
        assert (await connection.read())["body"] == "first"
        connection.writer.write(b"st: x\r\ncontent-length: 1\r\n\r\n2")
        assert (await connection.read())["body"] == "2"
        for each in (connection, other):
            await each.close()

    run(story, waits=Waits(head_s=1.0))


def test_a_name_that_a_stranger_may_own_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """With its body read away, so that the connection goes on; the log names some of them, once each."""

    async def story(stage: Stage) -> None:
        client = await Connection.to(stage.outside)
        for number in range(30):
            for _ in range(2):
                await client.send("x" * 100_000, host=f"evil{number}.example:4566")
                assert await client.read() == 403
        assert not stage.pipeline.arrived.is_set()
        for host in ("localhost:4566", "own.example"):
            assert (await client.ask("body", host=host))["body"] == "body"
        client.writer.close()

    run(story, host_names=HostNames())
    told = [message for message in caplog.messages if message.startswith("request.host_refused")]
    assert len(told) == 20 and told[0] == "request.host_refused host=evil0.example:4566 hint=--public-host"


def test_functions_call_by_any_name() -> None:
    """Their door is theirs alone: no browser comes in by it."""

    async def story(stage: Stage) -> None:
        with listener() as inside:
            await stage.server.serve_inside(inside, INSIDE)
            client = await Connection.to(inside)
            assert (await client.ask(host="evil.example"))["inside"] == INSIDE.function_arn
            client.writer.close()

    run(story, host_names=HostNames())
