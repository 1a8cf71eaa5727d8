"""What the fold asks of ingestion: filters that are read anew, deliveries that wait and give up, default values."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from lambent.domain.caller import Scope
from lambent.domain.log_filter import LogFilter, MetricFilter, SubscriptionFilter
from lambent.domain.metric import Metric, MetricPoint
from lambent.errors.families import DependencyError
from lambent.store.contract import NewLogEvent
from lambent.store.log_filters_contract import AnyFilter, FilterState
from lambent.telemetry.ingestion import DELIVER_WITHIN_S, WAITING_PART, Ingestion, TargetFull
from lambent.telemetry.metrics import Metrics
from lambent.testing.counting_loop import run_counting, threads_are_at_work
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("111122223333", "eu-west-1")
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"
SUBSCRIPTION = SubscriptionFilter(SCOPE, "g", "sub", 1, "", FUNCTION)
WITH_DEFAULT = MetricFilter(SCOPE, "g", "f", 1, "ERROR", "M", "N", "1", 0.0, (), "Count")


class Filters:
    """Implements `LogFilterStore` as far as ingestion reads it."""

    def __init__(self, *filters: LogFilter) -> None:
        self.filters = list(filters)
        self.next_sequence = 1
        self.reads = 0
        self.is_down = False

    async def every(self) -> Sequence[LogFilter]:
        self.reads += 1
        if self.is_down:
            raise DependencyError("down", retryable=True)
        return list(self.filters)

    async def state(self) -> FilterState:
        metric_filters = sum(1 for one in self.filters if isinstance(one, MetricFilter))
        return FilterState(metric_filters, len(self.filters) - metric_filters, self.next_sequence)

    async def put(self, log_filter: LogFilter, check: Callable[[Sequence[LogFilter]], None]) -> bool:
        raise NotImplementedError

    async def delete(self, kind: type[LogFilter], scope: Scope, group: str, name: str) -> bool | None:
        raise NotImplementedError

    async def metric_filter_counts(self, scope: Scope, groups: Sequence[str]) -> Mapping[str, int]:
        raise NotImplementedError

    async def list(self, kind: type[AnyFilter], scope: Scope, **_: Any) -> Sequence[AnyFilter]:
        raise NotImplementedError


class Queue:
    """Implements `Subscribers`."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.refusals = 0
        """How often it is full from now on."""
        self.tries = 0
        self.reason = ""
        self.is_down = False

    async def deliver(self, subscription: SubscriptionFilter, payloads: Sequence[bytes]) -> str:
        self.tries += 1
        if self.is_down:
            raise DependencyError("down", retryable=True)
        if self.refusals:
            self.refusals -= 1
            raise TargetFull
        if not self.reason:
            self.taken += payloads
        return self.reason


class Points:
    """Implements what `Metrics` needs of `MetricStore`."""

    def __init__(self) -> None:
        self.points: dict[tuple[str, int], list[float]] = {}

    async def add(self, points: Sequence[MetricPoint]) -> None:
        for point in points:
            key = (point.metric.name, point.at_s)
            self.points.setdefault(key, []).append(point.values.total)


class Bench:
    def __init__(self, *filters: LogFilter) -> None:
        self.clock = VirtualClock()
        self.filters = Filters(*filters)
        self.queue = Queue()
        self.points = Points()
        self.metrics = Metrics(self.points, self.clock)  # type: ignore[arg-type]
        self.ingestion = Ingestion(filters=self.filters, subscribers=self.queue, metrics=self.metrics, clock=self.clock)

    def event(self, message: str, ago_s: float = 0, group: str = "g") -> NewLogEvent:
        at_ms = int((self.clock.now() - ago_s) * 1000)
        return NewLogEvent(SCOPE, group, "s", at_ms, at_ms, message)

    async def fold(self, *messages: str | NewLogEvent) -> Sequence[MetricPoint]:
        """Do what the fold does with a batch."""
        events = [self.event(one) if isinstance(one, str) else one for one in messages]
        await self.ingestion.prepare()
        derived = self.ingestion.derive(events, [])
        await self.ingestion.deliver(derived)
        self.filters.next_sequence += len(events)
        self.ingestion.committed(events)
        return derived.points

    async def figures(self) -> dict[tuple[str, int], list[float]]:
        await self.metrics.settle()
        return self.points.points


def run(clock: VirtualClock, work: Coroutine[Any, Any, None]) -> None:
    """Run a story; time passes while it waits."""
    run_counting(_run(clock, work))


async def _run(clock: VirtualClock, work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0)
        # A thread takes as long as the machine has it take.
        if not threads_are_at_work():
            clock.advance(0.01)
    await task


def test_filters_are_read_once_and_when_they_changed() -> None:
    """A count that is another one tells that some went with their group."""
    bench = Bench(SUBSCRIPTION)

    async def story() -> None:
        assert not bench.ingestion.is_followed
        await bench.fold("a")
        await bench.fold("b")
        assert bench.filters.reads == 1
        assert bench.ingestion.is_followed
        bench.filters.filters = [WITH_DEFAULT, SUBSCRIPTION]
        bench.ingestion.filters_changed()
        assert len(await bench.fold("ERROR")) == 1
        assert bench.filters.reads == 2
        bench.filters.filters = []
        assert not await bench.fold("ERROR")
        assert len(bench.queue.taken) == 3
        assert not bench.ingestion.is_followed

    run(bench.clock, story())


def test_filters_that_could_not_be_read_are_read_next_time() -> None:
    """The fold fails, and begins again."""
    bench = Bench(SUBSCRIPTION)
    bench.filters.is_down = True

    async def story() -> None:
        with pytest.raises(DependencyError):
            await bench.fold("a")
        bench.filters.is_down = False
        await bench.fold("a")
        assert len(bench.queue.taken) == 1

    run(bench.clock, story())


def test_batches_of_one_fold_go_on_with_their_sequences() -> None:
    """Between them nobody asks the store."""
    bench = Bench(SUBSCRIPTION)
    seen: list[str] = []

    async def story() -> None:
        await bench.ingestion.prepare()
        for message in ("a", "b"):
            events = [bench.event(message)]
            derived = bench.ingestion.derive(events, [])
            again = bench.ingestion.derive(events, [])
            assert derived.deliveries[0].body == again.deliveries[0].body
            seen.append(str(derived.deliveries[0].body))
            bench.ingestion.committed(events)
        assert seen[0] != seen[1]

    run(bench.clock, story())


def test_a_full_queue_is_waited_for() -> None:
    """The batch comes later; nothing is lost."""
    bench = Bench(SUBSCRIPTION)
    bench.queue.refusals = 3

    async def story() -> None:
        await bench.fold("a")
        assert len(bench.queue.taken) == 1
        figures = await bench.figures()
        assert {name for name, _ in figures} == {"ForwardedLogEvents", "ForwardedBytes"}

    run(bench.clock, story())


def test_a_queue_that_stays_full_is_waited_for_once() -> None:
    """Then what is for it is dropped and counted, without a wait, until it takes something again."""
    bench = Bench(SUBSCRIPTION)
    bench.queue.refusals = 1_000

    async def story() -> None:
        began = bench.clock.monotonic()
        await bench.fold("a", "b")
        assert 1 < bench.clock.monotonic() - began <= DELIVER_WITHIN_S + 0.1
        tries = bench.queue.tries
        await bench.fold("c")
        assert bench.queue.tries == tries + 1
        figures = await bench.figures()
        assert [sum(values) for (name, _), values in figures.items() if name == "DeliveryErrors"] == [3]
        bench.queue.refusals = 0
        await bench.fold("d")
        await bench.clock.sleep(DELIVER_WITHIN_S / WAITING_PART)
        bench.queue.refusals = 2
        await bench.fold("e")
        assert len(bench.queue.taken) == 2

    run(bench.clock, story())


def test_a_queue_that_is_nearly_full_takes_little_of_the_time_of_all() -> None:
    """One that has room again a moment later, each time, would have every batch wait: most are dropped instead."""
    bench = Bench(SUBSCRIPTION)

    async def story() -> None:
        began, waited = bench.clock.monotonic(), 0.0
        for _ in range(200):
            bench.queue.refusals = 3
            before = bench.clock.monotonic()
            await bench.fold("a")
            waited += bench.clock.monotonic() - before
            await bench.clock.sleep(0.1)
        assert bench.queue.taken
        assert 0 < waited <= 1.3 * WAITING_PART * (bench.clock.monotonic() - began)

    run(bench.clock, story())


def test_a_function_that_is_gone_gets_nothing() -> None:
    """That is counted, and holds up nobody."""
    bench = Bench(SUBSCRIPTION)
    bench.queue.reason = "it is gone"

    async def story() -> None:
        await bench.fold("a")
        assert [name for name, _ in await bench.figures()] == ["DeliveryErrors"]

    run(bench.clock, story())


def test_a_store_that_fails_stops_the_batch() -> None:
    """It is folded again, with its deliveries."""
    bench = Bench(SUBSCRIPTION)
    bench.queue.is_down = True

    async def story() -> None:
        with pytest.raises(DependencyError):
            await bench.fold("a")
        bench.queue.is_down = False
        await bench.fold("a")
        assert len(bench.queue.taken) == 1

    run(bench.clock, story())


def test_live_tails_are_told_of_what_is_stored() -> None:
    """From when they follow until they end."""
    bench = Bench()
    told: list[str] = []

    async def story() -> None:
        await bench.fold("before")
        end = bench.ingestion.follow(lambda events: told.extend(event.message for event in events))
        assert bench.ingestion.is_followed
        await bench.fold("a", "b")
        end()
        await bench.fold("after")
        assert told == ["a", "b"]

    run(bench.clock, story())


# Default values -----------------------------------------------------------------------------------------------------


def defaults(figures: dict[tuple[str, int], list[float]]) -> list[tuple[int, list[float]]]:
    return [(at_s, values) for (name, at_s), values in sorted(figures.items()) if name == "M"]


def test_a_minute_without_a_match_has_the_default_value() -> None:
    """Once, when it is over; a minute with a match has none, and one without events neither."""
    bench = Bench(WITH_DEFAULT)

    async def story() -> None:
        start = bench.clock.now() // 60 * 60
        bench.clock.advance(start + 60 - bench.clock.now())
        first = int(bench.clock.now())
        await bench.fold("fine")
        await bench.fold("fine")
        bench.clock.advance(60)
        await bench.fold("fine")
        await bench.fold("ERROR")
        bench.ingestion.add_defaults()
        assert defaults(await bench.figures()) == []
        bench.clock.advance(60)
        bench.ingestion.add_defaults()
        bench.clock.advance(600)
        bench.ingestion.add_defaults()
        bench.ingestion.add_defaults()
        assert defaults(await bench.figures()) == [(first, [0.0])]
        # Old events come too late to be told from a minute that had a match.
        await bench.fold(bench.event("fine", ago_s=3_600))
        bench.clock.advance(120)
        bench.ingestion.add_defaults()
        assert len(defaults(await bench.figures())) == 1

    run(bench.clock, story())


def test_a_filter_that_went_has_no_default_value() -> None:
    """Or says another thing by now."""
    bench = Bench(WITH_DEFAULT)

    async def story() -> None:
        await bench.fold("fine")
        bench.filters.filters = []
        await bench.fold("fine")
        bench.clock.advance(300)
        bench.ingestion.add_defaults()
        assert defaults(await bench.figures()) == []

    run(bench.clock, story())


def test_default_values_come_by_themselves() -> None:
    """Also where no further event does."""
    bench = Bench(WITH_DEFAULT)

    async def story() -> None:
        await bench.fold("fine")
        task = asyncio.ensure_future(bench.ingestion.run())
        while not defaults(await bench.figures()):
            await asyncio.sleep(0)
            bench.clock.advance(1)
        task.cancel()
        assert len(defaults(await bench.figures())) == 1

    run(bench.clock, story())


def test_without_anything_to_do() -> None:
    """As in tests of parts that only fold."""
    ingestion = Ingestion(lambda _: [MetricPoint(Metric(SCOPE, "N", "M"), 0, 60, None)])  # type: ignore[arg-type]

    async def story() -> None:
        await ingestion.prepare()
        derived = ingestion.derive([NewLogEvent(SCOPE, "g", "s", 1, 1, "x")], [])
        assert len(derived.points) == 1
        await ingestion.deliver(derived)
        ingestion.add_defaults()

    asyncio.run(story())
