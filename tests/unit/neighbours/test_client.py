"""Requests on their way to a server that is not ours, over real sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lambent.domain.caller import Scope
from lambent.neighbours.client import Neighbours
from lambent.neighbours.endpoints import Endpoints, Neighbour
from lambent.neighbours.message import NeighbourUnavailable, Outgoing, without_hops

SCOPE = Scope("000000000000", "us-east-1")
NOWHERE: Any = None


class Server:
    """Answers each request alike, or leaves it waiting; keeps the heads that came."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                await self.hold.wait()
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def run(story: Callable[[Server, Neighbours, Neighbour], Awaitable[None]]) -> None:
    """Tell a story between a server and what reaches it."""

    async def tell() -> None:
        server = Server()
        listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        neighbours = Neighbours(Endpoints({"s3": url}), NOWHERE)
        try:
            await asyncio.wait_for(story(server, neighbours, Neighbour("s3", url)), 120)
        finally:
            server.hold.set()
            await neighbours.close()
            listening.close()

    asyncio.run(tell())


def test_nobody_waits_for_a_connection_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour that hangs has all connections that there may be: one more fails soon, the others stay."""
    monkeypatch.setattr("lambent.neighbours.client._CONNECTIONS_MAX", 1)
    monkeypatch.setattr("lambent.neighbours.client._CONNECT_S", 0.1)

    async def story(server: Server, neighbours: Neighbours, neighbour: Neighbour) -> None:
        server.hold.clear()
        first = asyncio.ensure_future(neighbours.send(neighbour, Outgoing("GET", "/a"), SCOPE))
        while not server.heads:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)
        with pytest.raises(NeighbourUnavailable):
            await neighbours.send(neighbour, Outgoing("GET", "/b"), SCOPE)
        server.hold.set()
        answer = await first
        assert answer.status == 200
        await answer.aclose()

    run(story)


def test_headers_of_one_connection_stay_on_it() -> None:
    """Those that `Connection` names too, in requests and in answers."""
    given = {"connection": "close, X-Hop,x-other", "x-hop": "1", "x-other": "2", "x-end": "3"}
    assert without_hops(given.items()) == {"x-end": "3"}

    async def story(server: Server, neighbours: Neighbours, neighbour: Neighbour) -> None:
        server.answer = (
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nConnection: x-other\r\nX-Hop: 1\r\nX-Other: 2\r\n"
            b"X-End: 3\r\nContent-Length: 0\r\n\r\n"
        )
        answer = await neighbours.send(neighbour, Outgoing("GET", "/a"), SCOPE)
        assert answer.headers == [(b"x-end", b"3"), (b"content-length", b"0")]
        await answer.aclose()

    run(story)


def test_long_polls_have_connections_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait, another request goes out at once; those beyond the limit wait for their turn."""
    monkeypatch.setattr("lambent.neighbours.client._LONG_POLLS_MAX", 2)
    monkeypatch.setattr("lambent.neighbours.client._CONNECT_S", 0.1)

    async def story(server: Server, neighbours: Neighbours, neighbour: Neighbour) -> None:
        server.hold.clear()
        polls = [
            asyncio.ensure_future(neighbours.send(neighbour, Outgoing("GET", f"/{n}", is_long_poll=True), SCOPE))
            for n in range(3)
        ]
        while len(server.heads) < 2:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)
        other = asyncio.ensure_future(neighbours.send(neighbour, Outgoing("GET", "/other"), SCOPE))
        while len(server.heads) < 3:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)
        assert server.heads[2].startswith(b"GET /other ")
        # Longer than a connection may take.
        await asyncio.sleep(0.2)
        server.hold.set()
        for sent in (other, *polls):
            await (await sent).aclose()

    run(story)


def test_a_neighbour_that_falls_silent_is_given_up() -> None:
    """As soon as the request says."""

    async def story(server: Server, neighbours: Neighbours, neighbour: Neighbour) -> None:
        server.hold.clear()
        with pytest.raises(NeighbourUnavailable, match="s3: the neighbour does not answer"):
            await neighbours.send(neighbour, Outgoing("GET", "/a", silence_s=0.1, is_long_poll=True), SCOPE)

    run(story)
