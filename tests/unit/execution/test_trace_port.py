"""The port that functions send their traces to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from lambent.domain.caller import Scope
from lambent.execution.trace_port import BYTES_PER_S_MAX, TracePort
from lambent.testing.traces import LeftTraces
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("111122223333", "eu-west-1")


class Bench:
    """A port and somebody who sends to it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.traces = LeftTraces(self.clock)
        self.port = TracePort(SCOPE, "f", self.traces, self.clock)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port.attach(self.socket)

    def send(self, data: bytes) -> None:
        self.sender.sendto(data, self.socket.getsockname())

    @property
    def got(self) -> list[bytes]:
        return [data for _, _, data in self.traces.datagrams]


def play(story: Callable[[Bench], Awaitable[None]]) -> None:
    async def whole() -> None:
        bench = Bench()
        with bench.socket, bench.sender:
            await story(bench)
            bench.port.detach()

    asyncio.run(whole())


def test_what_is_sent_meanwhile_is_taken() -> None:
    """By the loop while it is open, by closing what is left then; what comes later waits."""

    async def story(bench: Bench) -> None:
        bench.port.open()
        bench.port.open()
        bench.send(b"1")
        for _ in range(1000):
            if bench.got:
                break
            await asyncio.sleep(0)
        bench.send(b"2")
        bench.port.close()
        assert bench.got == [b"1", b"2"]
        bench.send(b"3")
        bench.port.close()
        for _ in range(5):
            await asyncio.sleep(0)
        assert bench.got == [b"1", b"2"]
        bench.port.open()
        bench.port.close()
        assert bench.traces.datagrams[2:] == [(SCOPE, "f", b"3")]

    play(story)


def test_nobody_floods_it() -> None:
    """Beyond so many bytes a second datagrams are dropped and counted; the next second takes some again."""

    async def story(bench: Bench) -> None:
        bench.port.open()
        for _ in range(BYTES_PER_S_MAX // 50_000 + 3):
            bench.send(b"x" * 50_000)
            bench.port.close()
            bench.port.open()
        assert sum(map(len, bench.got)) <= BYTES_PER_S_MAX
        assert bench.traces.dropped == 3 - (BYTES_PER_S_MAX % 50_000 == 0)
        bench.clock.advance(1)
        bench.send(b"again")
        bench.port.close()
        assert bench.got[-1] == b"again"

    play(story)


def test_an_environment_without_a_port_has_none() -> None:
    """Nothing is read, and nothing fails."""

    async def story(bench: Bench) -> None:
        bench.port.detach()
        bench.port.attach(None)
        bench.port.open()
        bench.port.close()
        assert bench.got == []

    play(story)
