"""Where requests to addresses that users name may go; and what becomes of those that go."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from lambent.neighbours.message import AnswerTooLarge
from lambent.neighbours.outward import CONNECTIONS_MAX, HOST_NAME, Outward, TimedOut, Unreachable, _source_of

EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@asynccontextmanager
async def answering(head: bytes, body: bytes = b"", came: "asyncio.Queue[None] | None" = None) -> AsyncIterator[int]:
    """Serve one answer to each connection, and yield the port; with nothing to say, say nothing."""

    handling: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.append(asyncio.ensure_future(handle(reader, writer)))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if came is not None:
            came.put_nowait(None)
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
        "[2002:7f00:1::]",
        "[fec0::1]",
        "[::ffff:0:127.0.0.1]",
        "[::10.0.0.1]",
    ],
)
def test_closed_places(host: str) -> None:
    """The machine itself, private networks and where clouds tell secrets, however they are written. Nothing is sent."""

    async def story() -> None:
        async with opened() as outward, answering(EMPTY) as port:
            said = await refusal(outward, f"http://{host}:{port}/")
        assert "opens it" in said or "spelled otherwise" in said, said

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
        outward.check("http://10.1.2.3/")
        with pytest.raises(Unreachable):
            outward.check("http://192.168.0.1/")

    asyncio.run(story())


def test_the_machine_by_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Ports that listen everywhere are reached by whatever address the machine has, in a network that is open or not. The
    kernel knows which are its own.
    """
    asked = []

    def source_of(address: str) -> str:
        asked.append(address)
        return address if address == "93.184.215.14" else "192.0.2.1"

    monkeypatch.setattr("lambent.neighbours.outward._source_of", source_of)
    outward = Outward(is_open=True, allow_host=[8080], allow_net=["93.184.215.0/24"])
    with pytest.raises(Unreachable, match="--allow-host 22 opens it"):
        outward.check("http://93.184.215.14:22/")
    outward.check("http://93.184.215.14:8080/")
    outward.check("http://93.184.215.15:22/")
    assert asked == ["93.184.215.14", "93.184.215.14", "93.184.215.15"]


def test_which_addresses_are_the_machines() -> None:
    """The kernel sends from the very address that it sends to; there is none for what has no way."""
    assert _source_of("127.0.0.53") == "127.0.0.1"
    assert _source_of("::1") == "::1"
    assert _source_of("203.0.113.7") != "203.0.113.7"


def test_every_network_is_open_but_the_machine_is_not() -> None:
    """The address that stands for none reaches the machine, too."""
    outward = Outward(is_open=True, allow_net=["0.0.0.0/0", "::/0"])
    for host in ("0.0.0.0", "[::]", "127.0.0.1", "[::ffff:0.0.0.0]"):
        with pytest.raises(Unreachable, match="--allow-host"):
            outward.check(f"http://{host}:22/")


def test_what_is_connected_to_is_looked_at() -> None:
    """However a host got past what reads URLs: no socket is made for what is closed."""

    async def story() -> None:
        async with answering(EMPTY) as port, opened() as outward:
            outward.check = lambda url: None  # type: ignore[method-assign]
            assert "opens it" in await refusal(outward, f"http://127.0.0.1:{port}/")

    asyncio.run(story())


def test_slow_names_are_looked_up_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes a name server slow holds no thread that the server needs elsewhere."""
    held = threading.Event()
    looking: list[str] = []

    def slow(host: str, *_: Any, **__: Any) -> list[Any]:
        looking.append(threading.current_thread().name)
        held.wait(120)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))]

    async def story() -> None:
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        async with opened() as outward:
            asked = [
                asyncio.ensure_future(refusal(outward, f"http://slow{number}.example.com/")) for number in range(40)
            ]
            try:
                assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 60) == "free"
            finally:
                held.set()
            assert all("opens it" in said for said in await asyncio.gather(*asked))
        assert all(name.startswith("names") for name in looking)

    asyncio.run(story())


def test_one_server_takes_not_all_connections() -> None:
    """A server that keeps its clients waiting leaves room for others."""

    async def story() -> None:
        came: asyncio.Queue[None] = asyncio.Queue()
        async with (
            answering(b"", came=came) as slow,
            answering(EMPTY) as port,
            opened(allow_host=[slow, port]) as outward,
        ):
            waiting = [
                asyncio.ensure_future(outward.send("GET", f"http://127.0.0.1:{slow}/", headers={}, timeout_s=30))
                for _ in range(CONNECTIONS_MAX + 1)
            ]
            for _ in range(CONNECTIONS_MAX // 4):
                await came.get()
            answer = await outward.send("GET", f"http://127.0.0.1:{port}/", headers={}, timeout_s=5)
            await answer.aclose()
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(story())


@pytest.mark.parametrize("status", [b"101", b"600", b"999"])
def test_statuses_that_are_none(status: bytes) -> None:
    """None of them is the last word of an answer that may go on to a client."""

    async def story() -> None:
        head = b"HTTP/1.1 " + status + b" X\r\ncontent-length: 0\r\n\r\n"
        async with answering(head) as port, opened(allow_host=[port]) as outward:
            assert f"status {status.decode()}" in await refusal(outward, f"http://127.0.0.1:{port}/")

    asyncio.run(story())


def test_a_name_with_one_closed_address_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of its addresses were taken would be chance."""

    async def story() -> None:
        def addresses(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in ("93.184.215.14", "10.0.0.1")
            ]

        monkeypatch.setattr(socket, "getaddrinfo", addresses)
        async with opened() as outward:
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
