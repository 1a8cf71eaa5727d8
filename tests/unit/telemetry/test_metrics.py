"""Figures are gathered by the minute and put into the store, and wait where it does not answer."""

import asyncio

import pytest

from lambent.domain.caller import Scope
from lambent.domain.metric import Distribution, Metric, MetricPoint
from lambent.errors.families import DependencyError
from lambent.telemetry import metrics as telemetry_metrics
from lambent.telemetry.metrics import Alike, Metrics
from lambent.testing.virtual_clock import VirtualClock

THROTTLES = Metric(Scope("111122223333", "eu-west-1"), "AWS/Lambda", "Throttles", (("FunctionName", "f"),), "Count")


class _Store:
    def __init__(self) -> None:
        self.points: list[MetricPoint] = []
        self.fails = False

    async def add(self, points: list[MetricPoint]) -> None:
        if self.fails:
            raise DependencyError("the disk is full", retryable=True)
        self.points += points


def test_values_of_one_minute_are_one_point() -> None:
    """What is added in one minute is one point of that minute; the next minute has its own."""

    async def story() -> None:
        clock = VirtualClock(now=1_000_030.0)
        store = _Store()
        metrics = Metrics(store, clock)  # type: ignore[arg-type]
        metrics.add(THROTTLES, 1)
        metrics.add(THROTTLES, 3, 2)
        metrics.add(THROTTLES, 5, at_s=1_000_095.0)
        await metrics.settle()
        first, second = Distribution(), Distribution()
        first.add(1)
        first.add(3, 2)
        second.add(5)
        assert store.points == [
            MetricPoint(THROTTLES, 1_000_020, 60, first),
            MetricPoint(THROTTLES, 1_000_080, 60, second),
        ]

    asyncio.run(story())


def test_a_store_that_fails_loses_nothing() -> None:
    """What the store refused waits, merged with what came meanwhile, and is stored once."""

    async def story() -> None:
        store = _Store()
        metrics = Metrics(store, VirtualClock(now=1_000_030.0))  # type: ignore[arg-type]
        metrics.add(THROTTLES, 1)
        store.fails = True
        with pytest.raises(DependencyError):
            await metrics.settle()
        metrics.add(THROTTLES, 1)
        store.fails = False
        await metrics.settle()
        await metrics.settle()
        assert [(point.values.count, point.values.total) for point in store.points] == [(2, 2)]

    asyncio.run(story())


OF_ALL = THROTTLES._replace(dimensions=())


def test_metrics_that_take_the_same_values_have_points_of_their_own() -> None:
    """Added once, stored for each, with what others added to one of them; also after the store refused."""

    async def story() -> None:
        store = _Store()
        metrics = Metrics(store, VirtualClock(now=1_000_030.0))  # type: ignore[arg-type]
        both, again = Alike([OF_ALL, THROTTLES]), Alike([OF_ALL, THROTTLES])
        metrics.add_alike(both, 1)
        store.fails = True
        with pytest.raises(DependencyError):
            await metrics.settle()
        store.fails = False
        metrics.add_alike(both, 2, 3)
        metrics.add_alike(again, 5)
        metrics.add(OF_ALL, 7)
        await metrics.settle()
        await metrics.settle()
        found = {point.metric: (point.values.count, point.values.total) for point in store.points}
        assert len(store.points) == 2
        assert found == {OF_ALL: (6, 19), THROTTLES: (5, 12)}

    asyncio.run(story())


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Metrics for which there is no room are dropped and counted, however they were added; those that wait already go on.
    """
    monkeypatch.setattr(telemetry_metrics, "POINTS_MAX", 2)

    async def story() -> None:
        store = _Store()
        metrics = Metrics(store, VirtualClock(now=1_000_030.0))  # type: ignore[arg-type]
        metrics.add_alike(both := Alike([OF_ALL, THROTTLES]), 1)
        metrics.add_alike(both, 1)
        metrics.add_alike(Alike([OF_ALL, THROTTLES]), 1)
        assert metrics.dropped_points == 0
        other = OF_ALL._replace(name="Other")
        metrics.add_alike(Alike([other, OF_ALL]), 1)
        metrics.add(other, 1)
        assert metrics.dropped_points == 2
        await metrics.settle()
        metrics.add(OF_ALL, 1)
        await metrics.settle()
        assert [point.values.count for point in store.points] == [4, 3, 1]

    asyncio.run(story())
