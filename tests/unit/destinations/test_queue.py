"""SQS queues as destinations."""

import asyncio
from collections.abc import Mapping

import pytest

from lambent.destinations.contract import Attribute, Message, NoSuchTarget
from lambent.destinations.queue import QueueDestination
from lambent.domain.caller import Scope
from lambent.domain.destination import Target, parse_target

SCOPE = Scope("000000000000", "us-east-1")
MESSAGE = Message(b'{"k":1}', "Root=1-a-b", {"RequestID": Attribute("String", "r1")})


def target(name: str) -> Target:
    found = parse_target(f"arn:aws:sqs:us-east-1:000000000000:{name}")
    assert found is not None
    return found


class Door:
    """Queues that note what is sent into them."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.sent: list[tuple[str, str, dict[str, tuple[str, str]], str]] = []

    async def exists(self, scope: Scope, name: str) -> bool:
        return scope == SCOPE and name in self.names

    async def send(
        self, scope: Scope, name: str, body: str, attributes: Mapping[str, tuple[str, str]], trace_header: str = ""
    ) -> bool:
        if not await self.exists(scope, name):
            return False
        self.sent.append((name, body, dict(attributes), trace_header))
        return True


def test_a_message_goes_in_by_the_door() -> None:
    """Body, attributes and trace."""
    door = Door("dead")
    asyncio.run(QueueDestination(door).deliver(target("dead"), MESSAGE))
    assert door.sent == [("dead", '{"k":1}', {"RequestID": ("String", "r1")}, "Root=1-a-b")]


def test_a_queue_that_is_gone_may_come_again() -> None:
    """It is no loss: the message stays where it is, and is tried again."""
    with pytest.raises(NoSuchTarget):
        asyncio.run(QueueDestination(Door()).deliver(target("dead"), MESSAGE))


def test_only_standard_queues_are_there() -> None:
    """What is no queue, or of the other type, cannot be configured."""
    destination = QueueDestination(Door("dead", "a.fifo"))
    for name, is_there in (("dead", True), ("other", False), ("a b", False), ("a.fifo", False)):
        assert asyncio.run(destination.exists(target(name))) is is_there
