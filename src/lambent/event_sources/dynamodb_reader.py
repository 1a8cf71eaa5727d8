"""
Reads the streams of DynamoDB's tables: the ones of whatever server stands behind `dynamodbstreams` in the table of
neighbours, which is where `dynamodb` is unless it has a URL of its own.

Documented: DynamoDB Streams API reference, DescribeStream, GetShardIterator, GetRecords, Record. Observed:
localstack/localstack tests/aws/services/lambda_/event_source_mapping (recorded), for the members of a function's record
and of the record of a failed batch.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.event_sources.stream_reader import (
    Page,
    Position,
    PositionExpired,
    Shard,
    ShardGone,
    Start,
    StreamNotFound,
    StreamRecord,
    StreamUnavailable,
)
from lambent.event_sources.stream_service import (
    LATEST_MOMENT,
    PAGES_MAX,
    SHARDS_MAX,
    Refused,
    ShardId,
    StreamService,
    parents_first,
)
from lambent.neighbours.client import Neighbours
from lambent.neighbours.message import AnswerTooLarge

_PAGE_MAX = 1_000
"""Documented: GetRecords, Limit."""

_TOO_FAST = frozenset({"LimitExceededException", "ProvisionedThroughputExceededException", "ThrottlingException"})
"""Others read the same shard: the next read, a moment later, finds what this one did not."""

_EXPIRED = frozenset(
    {
        "ExpiredIteratorException",
        "TrimmedDataAccessException",
        "ValidationException",
        "ResourceNotFoundException",
    }
)
"""Of GetRecords. A server that was started anew may not know what it gave as an iterator before."""


class _Listed(msgspec.Struct):
    shard_id: ShardId = msgspec.field(name="ShardId")
    parent: str | None = msgspec.field(name="ParentShardId", default=None)


class _Stream(msgspec.Struct):
    shards: list[_Listed] = msgspec.field(name="Shards", default_factory=list)
    last: str | None = msgspec.field(name="LastEvaluatedShardId", default=None)


class _Described(msgspec.Struct):
    stream: _Stream = msgspec.field(name="StreamDescription")


class _Iterator(msgspec.Struct):
    iterator: str = msgspec.field(name="ShardIterator")


class _Identity(msgspec.Struct):
    """Who made a change, where that was a service. The API has capitals, the developer guide small letters."""

    PrincipalId: str = ""
    Type: str = ""
    principalId: str = ""
    type: str = ""


class _Got(msgspec.Struct):
    change: dict[str, Any] = msgspec.field(name="dynamodb")
    event_id: str = msgspec.field(name="eventID")
    event: str = msgspec.field(name="eventName")
    version: str = msgspec.field(name="eventVersion", default="1.1")
    identity: _Identity | None = msgspec.field(name="userIdentity", default=None)


class _Records(msgspec.Struct):
    records: list[_Got] = msgspec.field(name="Records")
    next_iterator: str | None = msgspec.field(name="NextShardIterator", default=None)


class DynamoDBReader:
    """Implements `StreamReader` for the streams of tables."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._service = StreamService(neighbours, "dynamodbstreams", "DynamoDBStreams_20120810", "1.0")

    async def shards(self, mapping: EventSourceMapping) -> Sequence[Shard]:
        """List the shards; see the contract."""
        found: dict[str, Shard] = {}
        request: dict[str, Any] = {"StreamArn": mapping.source_arn}
        for _ in range(PAGES_MAX):
            try:
                stream = (await self._service.ask(mapping, "DescribeStream", request, _Described)).stream
            except Refused as refused:
                if refused.code == "ResourceNotFoundException":
                    raise StreamNotFound from None
                raise StreamUnavailable(str(refused)) from None
            except AnswerTooLarge:
                break
            for one in stream.shards:
                found[one.shard_id] = Shard(one.shard_id, (one.parent,) if one.parent else ())
            if not stream.last:
                return parents_first(found.values())
            if len(found) > SHARDS_MAX:
                break
            request["ExclusiveStartShardId"] = stream.last
        raise StreamUnavailable(f"the stream has more than {SHARDS_MAX} shards, or the list of them does not end")

    async def iterator(self, mapping: EventSourceMapping, shard_id: str, position: Position) -> str:
        """Return where reading can begin; see the contract. The API lets no mapping in that begins at a moment."""
        assert position.start is not Start.AT_TIME, "streams of tables know no moments"
        request: dict[str, Any] = {
            "StreamArn": mapping.source_arn,
            "ShardId": shard_id,
            "ShardIteratorType": position.start.value,
        }
        if position.start in {Start.AT, Start.AFTER}:
            request["SequenceNumber"] = position.sequence
        try:
            return (await self._service.ask(mapping, "GetShardIterator", request, _Iterator)).iterator
        except Refused as refused:
            # The shard, or the stream, which is told here. One that is there all the same must not count as done.
            if refused.code == "ResourceNotFoundException" and all(
                shard.shard_id != shard_id for shard in await self.shards(mapping)
            ):
                raise ShardGone from None
            if refused.code == "TrimmedDataAccessException" or (
                refused.code == "ValidationException" and position.sequence
            ):
                raise PositionExpired from None
            raise StreamUnavailable(str(refused)) from None
        except AnswerTooLarge:
            raise StreamUnavailable("dynamodbstreams answers more than an iterator") from None

    async def read(self, mapping: EventSourceMapping, iterator: str, limit: int) -> Page:
        """Return the next records; see the contract."""
        limit = min(limit, _PAGE_MAX)
        region = mapping.source_arn.split(":")[3]
        while True:
            try:
                request = {"ShardIterator": iterator, "Limit": limit}
                page = await self._service.ask(mapping, "GetRecords", request, _Records)
            except AnswerTooLarge:
                if limit == 1:
                    raise StreamUnavailable("dynamodbstreams answers a record that is too long") from None
                limit = max(limit // 8, 1)
                continue
            except Refused as refused:
                if refused.code in _EXPIRED:
                    # Whoever asks for another one hears whether shard and stream are there.
                    raise PositionExpired from None
                if refused.code in _TOO_FAST:
                    return Page((), iterator, is_behind=True)
                raise StreamUnavailable(str(refused)) from None
            return Page([_record(got, region) for got in page.records], page.next_iterator)

    def record(self, mapping: EventSourceMapping, shard_id: str, record: StreamRecord, role_arn: str) -> dict[str, Any]:
        """Return a record as the function gets it."""
        return {**record.content, "eventSourceARN": mapping.source_arn}

    def filtered(self, record: StreamRecord) -> Mapping[str, Any] | None:
        """Return the record as it is: types of attributes stand in patterns too. See the contract."""
        # Documented: Lambda developer guide, event filtering with DynamoDB.
        return record.content

    def batch_info(
        self, mapping: EventSourceMapping, shard_id: str, first: StreamRecord, last: StreamRecord, count: int
    ) -> tuple[str, dict[str, Any]]:
        """Return what tells of a failed batch."""
        return "DDBStreamBatchInfo", {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": _iso_s(first.arrived_at),
            "approximateArrivalOfLastRecord": _iso_s(last.arrived_at),
            "batchSize": count,
            "streamArn": mapping.source_arn,
        }


def _record(got: _Got, region: str) -> StreamRecord:
    """
    Return a record of an answer.

    Raises:
        StreamUnavailable: it lacks what each has.
    """
    change = got.change
    sequence, keys, at = (change.get(name) for name in ("SequenceNumber", "Keys", "ApproximateCreationDateTime"))
    if not (
        isinstance(sequence, str)
        and isinstance(keys, dict)
        and isinstance(at, int | float)
        and 0 <= at <= LATEST_MOMENT
    ):
        raise StreamUnavailable(f"dynamodbstreams answers what is not understood: a record {got.event_id!r}")
    content = {
        "eventID": got.event_id,
        "eventName": got.event,
        "eventVersion": got.version,
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        # Documented: DynamoDB Streams API reference, StreamRecord: rounded down to the closest second.
        "dynamodb": {**change, "ApproximateCreationDateTime": int(at)},
    }
    if (identity := got.identity) is not None:
        content["userIdentity"] = {
            "type": identity.Type or identity.type,
            "principalId": identity.PrincipalId or identity.principalId,
        }
    # Of the item: a table with a range key has two.
    return StreamRecord(sequence, msgspec.json.encode(keys, order="sorted").decode(), float(at), content)


def _iso_s(seconds: float) -> str:
    """Return a moment as records of failed batches have it: without a fraction. Observed, see above."""
    return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%dT%H:%M:%S}Z"
