"""What is looked at every few seconds."""

import asyncio
from collections.abc import Mapping
from typing import Any

from lambent.domain.caller import Scope
from lambent.domain.concurrency import Peaks
from lambent.telemetry.sampling import LOOK_EVERY_S, Sampling, next_look_s
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
KEY = (SCOPE, "u1")


class Told:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def concurrency(self, scope: Scope, peaks: Peaks) -> None:
        self.events.append(("peak", peaks.account))

    def mapping_events(self, scope: Scope, uuid: str, name: str, count: int) -> None:
        self.events.append((uuid, name, count))

    async def look(self, events: object) -> None:
        self.events.append(("queues",))


def sampling(told: Any, counts: Mapping[Any, Mapping[str, int]], clock: VirtualClock | None = None) -> Sampling:
    nothing: Any = None
    peaks = Peaks([], 2, 2, 2, [])
    return Sampling(lambda: [(SCOPE, peaks)], lambda: counts, nothing, told, told, clock or VirtualClock())


def test_each_look_tells_what_is_new() -> None:
    """Counts as differences; a poller that began anew begins with what it has."""
    told, counts = Told(), {KEY: {"PolledEventCount": 5, "DroppedEventCount": 0}}
    made = sampling(told, counts)
    made.look()
    made.look()
    counts[KEY]["PolledEventCount"] = 7
    made.look()
    counts[KEY] = {"PolledEventCount": 3, "DroppedEventCount": 0}
    made.look()
    assert [event for event in told.events if event[0] != "peak"] == [
        ("u1", "PolledEventCount", 5),
        ("u1", "PolledEventCount", 2),
        ("u1", "PolledEventCount", 3),
    ]
    assert told.events.count(("peak", 2)) == 4


def test_the_last_look_of_a_minute_is_at_its_end() -> None:
    """Never beyond it, and the next one is of the minute that follows."""
    assert next_look_s(120.0) == (LOOK_EVERY_S, False)
    left_s, is_last = next_look_s(177.0)
    assert is_last and 179.9 < 177.0 + left_s < 180
    assert next_look_s(177.0 + left_s) == (LOOK_EVERY_S, False)
    left_s, is_last = next_look_s(174.94)
    assert is_last and left_s > LOOK_EVERY_S, "a look a hair before the last one would be late for it"


def test_a_loop_that_is_late_for_the_end_of_a_minute_looks_at_queues_all_the_same() -> None:
    """Whatever the machine is busy with: each minute has its look."""

    async def story() -> None:
        told, clock = Told(), VirtualClock()
        running = asyncio.ensure_future(sampling(told, {}, clock).run())
        for _ in range(4):
            for _ in range(5):
                await asyncio.sleep(0)
            clock.advance(70)
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        assert told.events.count(("queues",)) >= 4

    asyncio.run(story())


def test_queues_are_looked_at_once_a_minute() -> None:
    """At its end, with everything else."""

    async def story() -> None:
        told, clock = Told(), VirtualClock()
        running = asyncio.ensure_future(sampling(told, {}, clock).run())
        for _ in range(120 * 20):
            await asyncio.sleep(0)
            clock.advance(0.05)
        running.cancel()
        assert told.events.count(("queues",)) == 2
        assert told.events.count(("peak", 2)) >= 2 * 10

    asyncio.run(story())
