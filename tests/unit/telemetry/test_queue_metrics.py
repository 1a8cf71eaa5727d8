"""The figures of queues."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lambent.domain.caller import Scope
from lambent.domain.metric import MetricPoint
from lambent.store.contract import Depth, QueueKind, QueueName
from lambent.telemetry import queue_metrics
from lambent.telemetry.metrics import Metrics
from lambent.telemetry.queue_metrics import ACTIVE_S, QueueMetrics
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
ORDERS = QueueName(SCOPE, QueueKind.SQS, "orders")


class Events:
    """Queues that hold what a test says."""

    def __init__(self) -> None:
        self.depths: dict[QueueName, Depth] = {}
        self.looked_at: list[QueueName] = []

    async def filled(self, kind: QueueKind) -> dict[QueueName, float]:
        return {queue: 0.0 for queue, depth in self.depths.items() if depth.waiting}

    async def depth(self, queues: Sequence[QueueName]) -> dict[QueueName, Depth]:
        self.looked_at += queues
        return {queue: self.depths[queue] for queue in queues if queue in self.depths}


class Bench:
    """The figures, a clock, and what came of them."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.points: list[MetricPoint] = []
        self.metrics = Metrics(self, self.clock)  # type: ignore[arg-type]
        self.of_queues = QueueMetrics(self.metrics, self.clock)
        self.events: Any = Events()

    async def add(self, points: Sequence[MetricPoint]) -> None:
        self.points += points

    async def found(self) -> dict[str, tuple[float, float, str]]:
        await self.metrics.settle()
        assert {point.metric.namespace for point in self.points} <= {"AWS/SQS"}
        assert {point.metric.dimensions for point in self.points} <= {(("QueueName", "orders"),)}
        return {metric.name: (one.count, one.total, metric.unit) for metric, _, _, one in self.points}


def test_what_goes_in_and_out_is_counted() -> None:
    """Messages, not calls; receives that find nothing are counted by themselves."""

    async def story() -> None:
        bench = Bench()
        bench.of_queues.sent(ORDERS, [10, 20])
        bench.of_queues.received(ORDERS, 2)
        bench.of_queues.received(ORDERS, 0)
        bench.of_queues.deleted(ORDERS, 1)
        assert await bench.found() == {
            "NumberOfMessagesSent": (2, 2, "Count"),
            "SentMessageSize": (2, 30, "Bytes"),
            "NumberOfMessagesReceived": (1, 2, "Count"),
            "NumberOfEmptyReceives": (1, 1, "Count"),
            "NumberOfMessagesDeleted": (1, 1, "Count"),
        }

    asyncio.run(story())


def test_a_look_tells_what_a_queue_in_use_holds() -> None:
    """One that was found to hold something is in use, too."""

    async def story() -> None:
        bench = Bench()
        bench.events.depths[ORDERS] = Depth(waiting=3, delayed=1, in_flight=2, oldest_age_s=7.5)
        await bench.of_queues.look(bench.events)
        assert await bench.found() == {
            "ApproximateNumberOfMessagesVisible": (1, 3, "Count"),
            "ApproximateNumberOfMessagesDelayed": (1, 1, "Count"),
            "ApproximateNumberOfMessagesNotVisible": (1, 2, "Count"),
            "ApproximateAgeOfOldestMessage": (1, 7.5, "Seconds"),
        }

    asyncio.run(story())


def test_a_queue_that_nobody_uses_is_looked_at_no_more() -> None:
    """Six hours after the last time; one that is gone by then tells nothing."""

    async def story() -> None:
        bench = Bench()
        bench.of_queues.received(ORDERS, 0)
        bench.events.depths[ORDERS] = Depth()
        bench.clock.advance(ACTIVE_S)
        await bench.of_queues.look(bench.events)
        assert bench.events.looked_at == [ORDERS]
        del bench.events.depths[ORDERS]
        await bench.of_queues.look(bench.events)
        bench.clock.advance(1)
        await bench.of_queues.look(bench.events)
        assert bench.events.looked_at == [ORDERS] * 2

    asyncio.run(story())


def test_queues_in_use_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one with which nothing was done for longest is left out."""
    monkeypatch.setattr(queue_metrics, "ACTIVE_MAX", 2)

    async def story() -> None:
        bench = Bench()
        names = [QueueName(SCOPE, QueueKind.SQS, name) for name in "abc"]
        for name in (names[0], names[1], names[0], names[2]):
            bench.of_queues.deleted(name, 0)
        await bench.of_queues.look(bench.events)
        assert bench.events.looked_at == [names[0], names[2]]

    asyncio.run(story())
