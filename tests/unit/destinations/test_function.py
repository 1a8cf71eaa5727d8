"""Functions as destinations."""

import asyncio
from typing import Any

import pytest

from lambent.destinations.contract import Message, NoSuchTarget
from lambent.destinations.function import FunctionDestination
from lambent.domain.caller import Scope
from lambent.domain.destination import Target, parse_target
from lambent.domain.function import FunctionName
from lambent.errors.families import DependencyError
from lambent.store.contract import QueueFull
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
MESSAGE = Message(b'{"version":"1.0"}', "Root=1-a-b;Lineage=c:1")


class FakeDoor:
    """Knows the function `f` with the alias `live`, and keeps what it gets."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal
        self.got: list[dict[str, Any]] = []

    async def exists(self, scope: Scope, name: FunctionName, qualifier: str | None) -> bool:
        return (scope, name) == (SCOPE, "f") and qualifier in {None, "live"}

    async def submit(self, scope: Scope, name: FunctionName, qualifier: str | None, **event: Any) -> bool:
        if self.refusal is not None:
            raise self.refusal
        if not await self.exists(scope, name, qualifier):
            return False
        self.got.append({"qualifier": qualifier, **event})
        return True


def target(arn: str) -> Target:
    found = parse_target(arn)
    assert found is not None
    return found


def deliver(door: FakeDoor, *arns: str) -> None:
    async def run() -> None:
        destination = FunctionDestination(door, VirtualClock())
        for arn in arns:
            await destination.deliver(target(arn), MESSAGE)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("arn", "is_there"),
    [
        (ARN, True),
        (f"{ARN}:live", True),
        (f"{ARN}:other", False),
        (ARN + "x", False),
        ("arn:aws:lambda:eu-west-1:000000000000:function:f", False),
        ("arn:aws:lambda:us-east-1:000000000000:layer:f", False),
        ("arn:aws:lambda:us-east-1:000000000000:function:f:live:more", False),
    ],
)
def test_a_target_is_a_function_with_its_qualifier(arn: str, is_there: bool) -> None:
    """What is no function, or none there is, cannot be configured."""
    assert asyncio.run(FunctionDestination(FakeDoor(), VirtualClock()).exists(target(arn))) is is_there


def test_a_message_becomes_an_event_of_its_own() -> None:
    """Under a new request id, with the trace of the chain that it goes on with."""
    door = FakeDoor()
    deliver(door, f"{ARN}:live", ARN)
    first, second = door.got
    assert first["payload"] == MESSAGE.body
    assert first["trace_header"] == MESSAGE.trace_header
    assert (first["qualifier"], second["qualifier"]) == ("live", None)
    assert first["request_id"] != second["request_id"]


def test_what_cannot_be_delivered_now_is_told_apart() -> None:
    """A function that is gone, a full queue and a broken store: each is tried again."""
    for arn in (f"{ARN}:other", "arn:aws:lambda:us-east-1:000000000000:layer:f"):
        with pytest.raises(NoSuchTarget):
            deliver(FakeDoor(), arn)
    for refusal in (QueueFull(), DependencyError("no disk", retryable=True)):
        with pytest.raises(DependencyError):
            deliver(FakeDoor(refusal), ARN)
