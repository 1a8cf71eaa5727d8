"""SQS queues as destinations, and the queues of the engine where no SQS API answers."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from lambent.destinations.contract import Attribute, Message
from lambent.destinations.queue import EngineQueues, QueueDestination, QueuedMessage
from lambent.domain.caller import Scope
from lambent.domain.destination import Target, parse_target
from lambent.errors.families import DependencyError
from lambent.store.blobs import FileBlobs
from lambent.store.contract import EventQueue, QueueKind, QueueName, QueueRules
from lambent.store.database import Database
from lambent.store.queue import DurableEventQueue
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
QUEUE = QueueName(SCOPE, QueueKind.SQS, "dead")
MESSAGE = Message(b'{"k":1}', "Root=1-a-b", {"RequestID": Attribute("String", "r1")})


def target(name: str) -> Target:
    found = parse_target(f"arn:aws:sqs:us-east-1:000000000000:{name}")
    assert found is not None
    return found


def tell(folder: Path, story: Callable[[QueueDestination, EventQueue], Awaitable[None]]) -> None:
    make_sqlite(folder / "state.db")

    async def run() -> None:
        clock = VirtualClock()
        async with (
            Database(folder / "state.db") as database,
            DurableEventQueue(database, FileBlobs(folder / "payloads"), clock) as queue,
        ):
            await story(QueueDestination(EngineQueues(queue, clock)), queue)

    asyncio.run(run())


def test_a_message_is_in_the_queue_with_its_attributes(tmp_path: Path) -> None:
    """Body, attributes and trace; the queue is made with the first, and each message has an id of its own."""

    async def story(destination: QueueDestination, queue: EventQueue) -> None:
        for _ in range(2):
            await destination.deliver(target("dead"), MESSAGE)
        first, second = (await queue.claim({QUEUE: 10}, 30)).claims
        assert first.body == MESSAGE.body
        assert first.id != second.id
        kept = msgspec.json.decode(first.attributes, type=QueuedMessage)
        assert kept == QueuedMessage("Root=1-a-b", {"RequestID": ("String", "r1")})

    tell(tmp_path, story)


def test_a_full_queue_takes_it_later(tmp_path: Path) -> None:
    """It is no loss: the message stays where it is, and is tried again."""

    async def story(destination: QueueDestination, queue: EventQueue) -> None:
        await queue.define(QUEUE, QueueRules(events_max=1))
        await destination.deliver(target("dead"), MESSAGE)
        with pytest.raises(DependencyError) as refused:
            await destination.deliver(target("dead"), MESSAGE)
        assert refused.value.retryable

    tell(tmp_path, story)


def test_only_names_of_standard_queues_are_there(tmp_path: Path) -> None:
    """What no queue can be called cannot be configured."""

    async def story(destination: QueueDestination, queue: EventQueue) -> None:
        for name, is_there in (("dead", True), ("a" * 80, True), ("a" * 81, False), ("a b", False), ("a.fifo", False)):
            assert await destination.exists(target(name)) is is_there

    tell(tmp_path, story)
