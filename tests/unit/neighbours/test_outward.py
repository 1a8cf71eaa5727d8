"""Where requests to addresses that users name may go; and what becomes of those that go."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from lambent.neighbours.message import AnswerTooLarge
from lambent.neighbours.outward import HOST_NAME, Outward, TimedOut, Unreachable

EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@asynccontextmanager
async def answering(head: bytes, body: bytes = b"") -> AsyncIterator[int]:
    """Serve one answer to each connection, and yield the port; with nothing to say, say nothing."""

    handling: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.append(asyncio.ensure_future(handle(reader, writer)))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if head:
            writer.write(head + body)
            await writer.drain()
        else:
            await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    # Clients have closed theirs by now.
    await asyncio.gather(*handling, return_exceptions=True)


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[Outward]:
    outward = Outward(**{"is_open": True, **settings})
    try:
        yield outward
    finally:
        await outward.close()


async def refusal(outward: Outward, url: str) -> str:
    with pytest.raises(Unreachable) as excinfo:
        await outward.send("GET", url, headers={}, timeout_s=5)
    return str(excinfo.value)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        HOST_NAME,
        "0.0.0.0",
        "10.0.0.1",
        "172.16.5.5",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fd00::1]",
        "[::]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
    ],
)
def test_closed_places(host: str) -> None:
    """The machine itself, private networks and where clouds tell secrets, however they are written. Nothing is sent."""

    async def story() -> None:
        async with opened() as outward, answering(EMPTY) as port:
            said = await refusal(outward, f"http://{host}:{port}/")
        # By us, by the library that takes no other spelling of an address, or by the kernel that has no way there.
        assert "opens it" in said or "not a canonical" in said or "annot connect" in said, said

    asyncio.run(story())


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://example.com/", "http://", "http:///x", "http://user@example.com/", "http://[::1/", "http://a:b/"],
)
def test_what_is_no_url(url: str) -> None:
    async def story() -> None:
        async with opened() as outward:
            await refusal(outward, url)

    asyncio.run(story())


def test_opened_places() -> None:
    """A port that functions may reach, by each of its names; another one stays closed. With no way out, all are."""

    async def story() -> None:
        said = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: y\r\n\r\n"
        async with answering(said, b"ok") as port, answering(EMPTY) as other:
            async with opened(allow_host=[port]) as outward:
                for host in ("127.0.0.1", "localhost", HOST_NAME):
                    answer = await outward.send("GET", f"http://{host}:{port}/", headers={}, timeout_s=5)
                    assert (answer.status, answer.length, (b"x", b"y") in answer.headers) == (200, 2, True)
                    assert await answer.read(2) == b"ok"
                assert f"--allow-host {other} opens it" in await refusal(outward, f"http://localhost:{other}/")
            async with opened(is_open=False, allow_host=[port]) as closed:
                assert "--egress none" in await refusal(closed, f"http://127.0.0.1:{port}/")

    asyncio.run(story())


def test_opened_networks() -> None:
    """A private network that the operator opened is tried."""

    async def story() -> None:
        outward = Outward(is_open=True, allow_net=["10.0.0.0/8"])
        outward._check("http://10.1.2.3/")
        with pytest.raises(Unreachable):
            outward._check("http://192.168.0.1/")

    asyncio.run(story())


def test_a_name_with_one_closed_address_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of its addresses were taken would be chance."""

    async def story() -> None:
        async def addresses(host: str, port: int, **_: Any) -> list[Any]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in ("93.184.215.14", "10.0.0.1")
            ]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", addresses)
        outward = Outward(is_open=True)
        with pytest.raises(Unreachable, match=r"10\.0\.0\.1"):
            await outward.resolve("example.com", 80, socket.AF_INET)

    asyncio.run(story())


def test_a_server_that_says_nothing() -> None:
    """It is given up in time."""

    async def story() -> None:
        async with answering(b"") as port, opened(allow_host=[port]) as outward:
            with pytest.raises(TimedOut):
                await outward.send("GET", f"http://127.0.0.1:{port}/", headers={}, timeout_s=0.05)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("head", "body", "said"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", b"", "status 404"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", b"", "status 302"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n", b"12345678901", "more than 10 bytes"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"1", "broke off"),
        (b"nonsense\r\n\r\n", b"", "400"),
    ],
)
def test_documents_that_do_not_come(head: bytes, body: bytes, said: str) -> None:
    """Redirects lead nowhere, what is too long is not kept, and what breaks off is none."""

    async def story() -> None:
        async with answering(head, body) as port, opened(allow_host=[port]) as outward:
            with pytest.raises(Unreachable, match=said):
                await outward.fetch(f"http://127.0.0.1:{port}/", 10, 5)

    asyncio.run(story())


def test_an_answer_that_is_too_long_to_read() -> None:
    async def story() -> None:
        said = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"
        async with answering(said, b"abc") as port, opened(allow_host=[port]) as outward:
            answer = await outward.send("GET", f"http://127.0.0.1:{port}/", headers={}, timeout_s=5)
            with pytest.raises(AnswerTooLarge):
                await answer.read(2)

    asyncio.run(story())
