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
from lambent.telemetry.queues import QueueFigures, QueueView
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
        found = await QueueView(events).figures()
        counted = [(queue.kind, queue.name, queue.waiting, queue.delayed, queue.in_flight) for queue in found]
        assert counted == [("async", "f/1", 1, 0, 0), ("sqs", "empty", 0, 0, 0), ("sqs", "orders", 1, 1, 1)]
        assert found[0].oldest_age_s == pytest.approx(5, abs=0.1)
        assert found[1].oldest_age_s is None

    run(story)


def test_messages_are_shown_as_messages(run: Any) -> None:
    """With their body and group; what is in flight comes last."""

    async def story(events: EventQueue, clock: VirtualClock) -> None:
        await fill(events, clock)
        found = await QueueView(events).peek(ORDERS, 10)
        assert [(shown.body, shown.group, shown.is_in_flight) for shown in found] == [
            ("m1", "tenant", False),
            ("m2", "tenant", False),
            ("m0", "tenant", True),
        ]
        assert [shown.body for shown in await QueueView(events).peek(EVENTS, 10)] == ["{}"]

    run(story)


def test_sums_are_bounded(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each queue by itself; beyond the bound, the emptiest are added up under no name."""

    async def story(events: EventQueue, clock: VirtualClock) -> tuple[list[QueueFigures], list[QueueFigures]]:
        await fill(events, clock)
        all_of_them = await QueueView(events).summed()
        monkeypatch.setattr(queues, "SHOWN_MAX", 1)
        return all_of_them, await QueueView(events).summed()

    all_of_them, bounded = run(story)
    assert [queue.name for queue in all_of_them] == ["f/1", "orders"]
    assert [(queue.name, queue.waiting) for queue in bounded] == [("orders", 1), ("", 1)]
