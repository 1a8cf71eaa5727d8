"""When memory is looked at, and what counts as too much."""

import os
from collections.abc import Callable

import pytest

from lambent.sandbox import memory_watch
from lambent.sandbox.memory_watch import INTERVAL_S, MemoryUse, MemoryWatch
from lambent.sandbox.process_table import MemoryReading
from lambent.testing.virtual_clock import VirtualClock

pytestmark = pytest.mark.skipif(not memory_watch.HAS_PROC, reason="needs:linux:run the tests on Linux")

MIB = 1024


class Bench:
    """A watch over processes whose memory a test decides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = VirtualClock()
        self.reading = MemoryReading(20 * MIB, 20 * MIB)
        self.proportional = 0
        self.looks = 0
        self.over: list[MemoryUse] = []
        monkeypatch.setattr(memory_watch, "memory_of_tree", self._look)
        monkeypatch.setattr(memory_watch, "proportional_kib", lambda pid: self.proportional)
        self.watch = MemoryWatch(self.clock, self.over.append, self._call)
        # The reading thread's place is taken by the test's own.
        self.watch._reader.shutdown()
        self.watch._reader = Immediately()  # type: ignore[assignment]

    def _look(self, pid: int) -> MemoryReading:
        self.looks += 1
        return self.reading

    def _call(self, callback: Callable[[], None]) -> None:
        callback()


class Immediately:
    """An executor that does it at once."""

    def submit(self, function: Callable[..., object], *arguments: object) -> object:
        from concurrent.futures import Future

        done: Future[object] = Future()
        done.set_result(function(*arguments))
        return done

    def shutdown(self, **_: object) -> None: ...


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def use() -> MemoryUse:
    return MemoryUse(128 * MIB, os.getpid())


def test_at_rest_nothing_ticks(bench: Bench) -> None:
    """No timer before the first invocation, none soon after the last."""
    assert bench.clock.timer_count == 0
    one = use()
    bench.watch.begin(one)
    bench.watch.end(one)
    bench.clock.advance(2 * INTERVAL_S)
    assert bench.clock.timer_count == 0
    assert bench.looks == 0


def test_short_invocations_are_not_looked_at(bench: Bench) -> None:
    """Thousands per second cost no reading, although some environment is busy at every tick."""
    one = use()
    for _ in range(100):
        bench.watch.begin(one)
        bench.clock.advance(INTERVAL_S * 0.4)
        bench.watch.end(one)
    assert bench.looks == 0


def test_a_long_invocation_is_looked_at_every_interval(bench: Bench) -> None:
    """From its second tick on."""
    one = use()
    bench.watch.begin(one)
    bench.clock.advance(INTERVAL_S * 10.5)
    assert bench.looks == 9
    assert one.peak_kib == 20 * MIB
    bench.watch.end(one)
    bench.clock.advance(INTERVAL_S)
    assert bench.clock.timer_count == 0


def test_shared_pages_count_in_part(bench: Bench) -> None:
    """Resident above the limit is a doubt; the proportional size decides."""
    one = use()
    bench.reading = MemoryReading(140 * MIB, 20 * MIB)
    bench.proportional = 100 * MIB
    bench.watch.begin(one)
    bench.clock.advance(INTERVAL_S * 5)
    assert bench.over == []
    bench.proportional = 129 * MIB
    bench.clock.advance(INTERVAL_S)
    assert bench.over == [one]


def test_a_peak_between_two_looks_counts(bench: Bench) -> None:
    """What was allocated and given back in between was too much all the same; pages shared do not make it so."""
    one = use()
    bench.reading = MemoryReading(20 * MIB, 133 * MIB)
    bench.proportional = 12 * MIB
    bench.watch.begin(one)
    bench.clock.advance(INTERVAL_S * 5)
    assert bench.over == []
    bench.reading = MemoryReading(20 * MIB, 600 * MIB)
    bench.clock.advance(INTERVAL_S)
    assert bench.over == [one]


def test_it_tells_once(bench: Bench) -> None:
    """An environment above its limit is told of once; ending it is another's work."""
    one = use()
    bench.reading = MemoryReading(200 * MIB, 200 * MIB)
    bench.proportional = 200 * MIB
    bench.watch.begin(one)
    bench.clock.advance(INTERVAL_S * 5)
    assert bench.over == [one]
