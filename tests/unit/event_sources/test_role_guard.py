"""Streams are read with the rights that the function's role has now."""

import asyncio
from typing import Any, cast

import pytest
from unit.access.people import A, as_user, calling, user

from lambent.access.authorize import Authorizer, Demand, Everything, ResourceFacts
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.event_source_mapping import EventSourceMapping, MappingState
from lambent.domain.function import FunctionName
from lambent.errors.families import DependencyError
from lambent.event_sources.role_guard import GuardedReader
from lambent.event_sources.stream_reader import Position, Start, StreamDenied, StreamReader, StreamUnavailable
from lambent.event_sources.stream_source import StreamSource

SCOPE = calling(as_user(user())).scope
ROLE = f"arn:aws:iam::{A}:role/r"
KINESIS = f"arn:aws:kinesis:eu-west-1:{A}:stream/s"
DYNAMODB = f"arn:aws:dynamodb:eu-west-1:{A}:table/t/stream/2026"


def mapping(source: str = KINESIS) -> EventSourceMapping:
    return EventSourceMapping(
        scope=SCOPE,
        uuid="u",
        source_arn=source,
        function_name=FunctionName("f"),
        qualifier=None,
        state=MappingState.ENABLED,
        is_enabled=True,
        last_modified=0.0,
        batch_size=1,
    )


class Roles(Everything):
    """An authorizer by which a role may do some actions."""

    def __init__(self, *actions: str) -> None:
        self.actions = set(actions)
        self.asked: list[tuple[str, str, str]] = []

    async def allows_role(self, role_arn: str, demand: Demand, facts: ResourceFacts | None = None) -> bool:
        self.asked.append((role_arn, demand.action, demand.resource))
        return demand.action in self.actions


class Functions:
    """A dispatcher that knows one function, or none, or fails."""

    def __init__(self, found: Any) -> None:
        self.found = found

    async def resolve(self, *_: Any) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Version:
    class configuration:
        role = ROLE


class Reader:
    """A reader that keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def shards(self, mapping: EventSourceMapping) -> tuple[()]:
        self.calls.append("shards")
        return ()

    async def iterator(self, mapping: EventSourceMapping, shard_id: str, position: Position) -> str:
        self.calls.append("iterator")
        return "i"

    async def read(self, mapping: EventSourceMapping, iterator: str, limit: int) -> None:
        self.calls.append("read")


ALL = ("GetRecords", "GetShardIterator", "DescribeStream", "ListShards")


def guarded(authorizer: Authorizer, found: Any = Version) -> tuple[Reader, GuardedReader]:
    reader = Reader()
    made = GuardedReader(cast("StreamReader", reader), cast("Dispatcher", Functions(found)), authorizer)
    return reader, made


async def read_all(reader: GuardedReader, of: EventSourceMapping) -> None:
    await reader.shards(of)
    await reader.iterator(of, "s", Position(Start.OLDEST))
    await reader.read(of, "i", 1)


@pytest.mark.parametrize("source", [KINESIS, DYNAMODB])
def test_a_role_that_may_reads(source: str) -> None:
    """By the actions of the stream's own service, on the stream."""
    service = source.split(":")[2]
    roles = Roles(*(f"{service}:{action}" for action in ALL))
    reader, guard = guarded(roles)
    asyncio.run(read_all(guard, mapping(source)))
    assert reader.calls == ["shards", "iterator", "read"]
    assert {role for role, _, _ in roles.asked} == {ROLE} and {arn for _, _, arn in roles.asked} == {source}
    assert (f"{service}:ListShards" in {action for _, action, _ in roles.asked}) is (service == "kinesis")


@pytest.mark.parametrize("lacking", ALL)
def test_a_role_that_lacks_anything_reads_nothing(lacking: str) -> None:
    """It is told before the first shard is looked at, in AWS's words."""
    reader, guard = guarded(Roles(*(f"kinesis:{action}" for action in ALL if action != lacking)))
    with pytest.raises(StreamDenied) as excinfo:
        asyncio.run(guard.shards(mapping()))
    assert str(excinfo.value) == (
        f"Cannot access stream {KINESIS}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, ListShards, and ListStreams Actions on your stream in IAM."
    )
    assert reader.calls == []


def test_a_role_that_lost_its_right_stops_reading_and_goes_on_with_it() -> None:
    roles = Roles(*(f"kinesis:{action}" for action in ALL))
    reader, guard = guarded(roles)

    async def story() -> None:
        await guard.read(mapping(), "i", 1)
        roles.actions.remove("kinesis:GetRecords")
        with pytest.raises(StreamUnavailable):
            await guard.read(mapping(), "i", 1)
        roles.actions.add("kinesis:GetRecords")
        await guard.read(mapping(), "i", 1)

    asyncio.run(story())
    assert reader.calls == ["read", "read"]


def test_without_a_function_there_is_no_role_to_ask() -> None:
    roles = Roles()
    reader, guard = guarded(roles, None)
    asyncio.run(guard.shards(mapping()))
    assert reader.calls == ["shards"] and roles.asked == []


def test_a_store_that_fails_lets_nothing_through() -> None:
    reader, guard = guarded(Roles(), DependencyError("gone", retryable=True))
    with pytest.raises(StreamUnavailable):
        asyncio.run(guard.shards(mapping()))
    assert reader.calls == []


def test_the_api_answers_in_the_same_words() -> None:
    """CreateEventSourceMapping asks the source why a stream cannot be read."""

    class Store:
        def on_change(self, callback: Any) -> None:
            pass

    nothing: Any = None
    store: Any = Store()
    _, guard = guarded(Roles())
    reason = asyncio.run(StreamSource(guard, nothing, store).why_not(mapping()))
    assert reason is not None and reason.startswith(f"Cannot access stream {KINESIS}. Please ensure the role")
