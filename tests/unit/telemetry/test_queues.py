"""Figures of queues, of all kinds and accounts, and their bounds."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.domain.caller import Scope
from lambent.domain.queue_message import QueueMessage, pack
from lambent.store.contract import EventQueue, NewEvent, QueueKind, QueueName, QueueRules
from lambent.store.database import Database
from lambent.telemetry import queues
from lambent.telemetry.deliveries import Delivery, DeliveryCounts
from lambent.telemetry.queues import QueueView
from lambent.testing.stores import make_sqlite, open_queue
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("111122223333", "eu-west-1")
ORDERS = QueueName(SCOPE, QueueKind.SQS, "orders")
EVENTS = QueueName(SCOPE, QueueKind.ASYNC, "f/1")


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[EventQueue, VirtualClock], Awaitable[Any]]], Any]:
    """Run a story on an open queue."""
    make_sqlite(tmp_path / "state.db")

    def story(tell: Callable[[EventQueue, VirtualClock], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            clock = VirtualClock()
            async with (
                Database(tmp_path / "state.db") as database,
                open_queue(database, tmp_path / "payloads", clock) as opened,
            ):
                return await tell(opened.queue, clock)

        return asyncio.run(whole())

    return story


async def fill(events: EventQueue, clock: VirtualClock) -> None:
    """Two messages of which one is hidden, one that is delayed, an event of a function."""
    await events.define(ORDERS, QueueRules())
    for number, delay_s in enumerate((0, 0, 60)):
        body, attributes = pack(QueueMessage(f"m{number}", sender="1", group="tenant"))
        await events.put([NewEvent(ORDERS, f"id{number}", body, attributes, delay_s=delay_s)])
    await events.put([NewEvent(EVENTS, "request", b"{}")])
    clock.advance(5)
    await events.claim({ORDERS: 1}, 30)


def test_every_kind_is_counted(run: Any) -> None:
    """In order of kind and name, empty queues of SQS among them; nothing is claimed by looking."""

    async def story(events: EventQueue, clock: VirtualClock) -> None:
        await fill(events, clock)
        await events.define(QueueName(SCOPE, QueueKind.SQS, "empty"), QueueRules())
        found = await QueueView(events, DeliveryCounts()).figures()
        counted = [(queue.kind, queue.name, queue.waiting, queue.delayed, queue.in_flight) for queue in found]
        assert counted == [("async", "f/1", 1, 0, 0), ("sqs", "empty", 0, 0, 0), ("sqs", "orders", 1, 1, 1)]
        assert found[0].oldest_age_s == pytest.approx(5, abs=0.1)
        assert found[1].oldest_age_s is None

    run(story)


def test_messages_are_shown_as_messages(run: Any) -> None:
    """With their body and group; what is in flight comes last."""

    async def story(events: EventQueue, clock: VirtualClock) -> None:
        await fill(events, clock)
        found = await QueueView(events, DeliveryCounts()).peek(ORDERS, 10)
        assert [(shown.body, shown.group, shown.is_in_flight) for shown in found] == [
            ("m1", "tenant", False),
            ("m2", "tenant", False),
            ("m0", "tenant", True),
        ]
        assert [shown.body for shown in await QueueView(events, DeliveryCounts()).peek(EVENTS, 10)] == ["{}"]

    run(story)


def test_metrics_are_bounded(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A series for each queue; beyond the bound, the emptiest are added up under no name."""

    async def story(events: EventQueue, clock: VirtualClock) -> tuple[str, str]:
        await fill(events, clock)
        all_of_them = (await QueueView(events, DeliveryCounts()).metrics()).decode()
        monkeypatch.setattr(queues, "SHOWN_MAX", 1)
        return all_of_them, (await QueueView(events, DeliveryCounts()).metrics()).decode()

    all_of_them, bounded = run(story)
    labels = 'account="111122223333",kind="sqs",queue="orders",region="eu-west-1"'
    for state in ("waiting", "delayed", "in_flight"):
        assert f'lambent_queue_events{{{labels},state="{state}"}} 1.0' in all_of_them
    assert f"lambent_queue_oldest_age_seconds{{{labels}}} 5.0" in all_of_them
    assert 'lambent_queue_events{account="",kind="async",queue="",region="",state="waiting"} 1.0' in bounded
    assert 'queue="f/1"' not in bounded


def test_metrics_tell_what_became_of_deliveries(run: Any) -> None:
    """A counter for each destination and outcome."""
    deliveries = DeliveryCounts()
    arn = "arn:aws:sqs:eu-west-1:111122223333:told"
    deliveries.count(SCOPE, arn, Delivery.FAILED)
    deliveries.count(SCOPE, arn, Delivery.DELIVERED)

    async def story(events: EventQueue, clock: VirtualClock) -> str:
        return (await QueueView(events, deliveries).metrics()).decode()

    text = run(story)
    labels = f'account="111122223333",destination="{arn}"'
    for outcome, count in (("delivered", 1.0), ("failed", 1.0), ("given_up", 0.0)):
        assert f'lambent_deliveries_total{{{labels},outcome="{outcome}",region="eu-west-1"}} {count}' in text
