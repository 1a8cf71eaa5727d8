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


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not come to that")


def test_what_is_sent_is_taken_from_the_first_sampled_invocation_on() -> None:
    """By the loop, or at once where somebody wants what is there; before that it waits."""

    async def story(bench: Bench) -> None:
        bench.send(b"1")
        for _ in range(5):
            await asyncio.sleep(0)
        assert bench.got == []
        bench.port.open()
        bench.port.open()
        await until(lambda: bench.got == [b"1"])
        bench.send(b"2")
        bench.port.read()
        assert bench.traces.datagrams == [(SCOPE, "f", b"1"), (SCOPE, "f", b"2")]
        bench.send(b"3")
        await until(lambda: bench.got[2:] == [b"3"])

    play(story)


def test_nobody_floods_it() -> None:
    """Beyond so many bytes a second nothing is read: the kernel has no room for it soon. The next second goes on."""

    async def story(bench: Bench) -> None:
        bench.port.open()
        count = BYTES_PER_S_MAX // 50_000 + 3
        for _ in range(count):
            bench.send(b"x" * 50_000)
            bench.port.read()
        assert BYTES_PER_S_MAX - 100_000 <= sum(map(len, bench.got)) <= BYTES_PER_S_MAX
        assert bench.traces.dropped == 1
        # What was sent meanwhile and fits the buffer is taken then.
        bench.clock.advance(1)
        await until(lambda: len(bench.got) >= count - 1)
        bench.send(b"again")
        await until(lambda: bench.got[-1] == b"again")

    play(story)


def test_small_datagrams_count_as_well() -> None:
    """Empty ones take time, too."""

    async def story(bench: Bench) -> None:
        for _ in range(BYTES_PER_S_MAX // 256 + 100):
            bench.send(b"")
            bench.port.read()
        assert len(bench.got) <= BYTES_PER_S_MAX // 256
        assert bench.traces.dropped == 1

    play(story)


def test_an_environment_that_ends_in_a_pause_is_not_read_any_more() -> None:
    """Its socket may be another's by then."""

    async def story(bench: Bench) -> None:
        bench.port.open()
        for _ in range(BYTES_PER_S_MAX // 50_000 + 3):
            bench.send(b"x" * 50_000)
            bench.port.read()
        count = len(bench.got)
        bench.port.detach()
        bench.clock.advance(5)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(bench.got) == count

    play(story)


def test_an_environment_without_a_port_has_none() -> None:
    """Nothing is read, and nothing fails."""

    async def story(bench: Bench) -> None:
        bench.port.detach()
        bench.port.attach(None)
        bench.port.open()
        bench.port.read()
        assert bench.got == []

    play(story)
