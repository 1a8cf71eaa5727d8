"""
Streams that are read with the rights of a function's execution role: whatever it may not read is not read.

The role is that of the version which the mapping invokes now, so that a role that lost its right stops a mapping that
reads, and one that gets it back lets it go on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.access.authorize import Authorizer, Demand
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.errors.families import DependencyError
from lambent.event_sources.stream_reader import Page, Position, Shard, StreamDenied, StreamReader, StreamRecord

_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "dynamodb": ("GetRecords", "GetShardIterator", "DescribeStream"),
    "kinesis": ("GetRecords", "GetShardIterator", "DescribeStream", "ListShards"),
}
"""
What a role needs of a stream. Documented: Lambda developer guide, execution role permissions for Kinesis and DynamoDB.
Assumed: not ListStreams, which nobody needs to read a stream by its ARN, and which policies cannot allow on one
(test_role_guard).
"""

_NAMED = {
    "dynamodb": "GetRecords, GetShardIterator, DescribeStream, and ListStreams",
    "kinesis": "GetRecords, GetShardIterator, DescribeStream, ListShards, and ListStreams",
}
"""As AWS's text names them."""


class GuardedReader:
    """
    Implements `StreamReader` on top of another one.

    Args:
        reader: of one service.
    """

    def __init__(self, reader: StreamReader, dispatcher: Dispatcher, authorizer: Authorizer) -> None:
        self._reader = reader
        self._dispatcher = dispatcher
        self._authorizer = authorizer

    async def shards(self, mapping: EventSourceMapping) -> Sequence[Shard]:
        """Return all shards; all that reading takes is asked for, so that it does not begin and then stop."""
        await self._check(mapping, _ACTIONS[mapping.service])
        return await self._reader.shards(mapping)

    async def iterator(self, mapping: EventSourceMapping, shard_id: str, position: Position) -> str:
        """Return where reading can begin."""
        await self._check(mapping, ("GetShardIterator",))
        return await self._reader.iterator(mapping, shard_id, position)

    async def read(self, mapping: EventSourceMapping, iterator: str, limit: int) -> Page:
        """Return the next records."""
        await self._check(mapping, ("GetRecords",))
        return await self._reader.read(mapping, iterator, limit)

    def record(self, mapping: EventSourceMapping, shard_id: str, record: StreamRecord, role_arn: str) -> dict[str, Any]:
        """Return a record as the function gets it."""
        return self._reader.record(mapping, shard_id, record, role_arn)

    def filtered(self, record: StreamRecord) -> Mapping[str, Any] | None:
        """Return what filters are matched against."""
        return self._reader.filtered(record)

    def batch_info(
        self, mapping: EventSourceMapping, shard_id: str, first: StreamRecord, last: StreamRecord, count: int
    ) -> tuple[str, dict[str, Any]]:
        """Return the name and the content of the member that tells of a failed batch."""
        return self._reader.batch_info(mapping, shard_id, first, last, count)

    async def _check(self, mapping: EventSourceMapping, actions: Sequence[str]) -> None:
        try:
            version = await self._dispatcher.resolve(mapping.scope, mapping.function_name, mapping.qualifier)
            if version is None:
                # There is no role, and nothing that records could be handed to.
                return
            for action in actions:
                demand = Demand(f"{mapping.service}:{action}", mapping.source_arn)
                if not await self._authorizer.allows_role(version.configuration.role, demand):
                    raise _denied(mapping)
        except DependencyError as error:
            raise StreamDenied(f"whether the role may read {mapping.source_arn} is not known: {error}") from error


def _denied(mapping: EventSourceMapping) -> StreamDenied:
    # Assumed: the text (test_role_guard).
    return StreamDenied(
        f"Cannot access stream {mapping.source_arn}. Please ensure the role can perform the {_NAMED[mapping.service]} "
        "Actions on your stream in IAM."
    )
