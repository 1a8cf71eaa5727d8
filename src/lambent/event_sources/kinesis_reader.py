"""
Reads Kinesis streams: the ones of whatever server stands behind `kinesis` in the table of neighbours.

Documented: Kinesis API reference, ListShards, GetShardIterator, GetRecords. Observed: localstack/localstack
tests/aws/services/lambda_/event_source_mapping (recorded), for the members of a function's record.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.record_filter import decoded
from lambent.event_sources.failed_batch import iso_ms
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
    PAGES_MAX,
    SHARDS_MAX,
    Moment,
    Refused,
    ShardId,
    StreamService,
    parents_first,
)
from lambent.neighbours.client import Neighbours
from lambent.neighbours.message import AnswerTooLarge

_TOO_FAST = frozenset({"ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException"})
"""Others read the same shard: the next read, a moment later, finds what this one did not."""

_FORGIVEN_S = 1.0
"""What a clock may be ahead of the server's where reading begins at a moment."""


class _Listed(msgspec.Struct):
    shard_id: ShardId = msgspec.field(name="ShardId")
    parent: str | None = msgspec.field(name="ParentShardId", default=None)
    adjacent_parent: str | None = msgspec.field(name="AdjacentParentShardId", default=None)


class _Shards(msgspec.Struct):
    shards: list[_Listed] = msgspec.field(name="Shards")
    next_token: str | None = msgspec.field(name="NextToken", default=None)


class _Iterator(msgspec.Struct):
    iterator: str = msgspec.field(name="ShardIterator")


class _Got(msgspec.Struct):
    sequence: str = msgspec.field(name="SequenceNumber")
    data: str = msgspec.field(name="Data")
    key: str = msgspec.field(name="PartitionKey")
    arrived_at: Moment = msgspec.field(name="ApproximateArrivalTimestamp")


class _Records(msgspec.Struct):
    records: list[_Got] = msgspec.field(name="Records")
    next_iterator: str | None = msgspec.field(name="NextShardIterator", default=None)
    behind_ms: int | None = msgspec.field(name="MillisBehindLatest", default=None)


class KinesisReader:
    """Implements `StreamReader` for Kinesis."""

    def __init__(self, neighbours: Neighbours, clock: Clock) -> None:
        self._service = StreamService(neighbours, "kinesis", "Kinesis_20131202", "1.1")
        self._clock = clock

    async def shards(self, mapping: EventSourceMapping) -> Sequence[Shard]:
        """List the shards; see the contract."""
        found: dict[str, Shard] = {}
        request: dict[str, Any] = {"StreamName": _name(mapping)}
        for _ in range(PAGES_MAX):
            try:
                page = await self._service.ask(mapping, "ListShards", request, _Shards)
            except Refused as refused:
                if refused.code == "ResourceNotFoundException":
                    raise StreamNotFound from None
                raise StreamUnavailable(str(refused)) from None
            except AnswerTooLarge:
                break
            for one in page.shards:
                parents = tuple(parent for parent in (one.parent, one.adjacent_parent) if parent)
                found[one.shard_id] = Shard(one.shard_id, parents)
            if not page.next_token:
                return parents_first(found.values())
            if len(found) > SHARDS_MAX:
                break
            request = {"NextToken": page.next_token}
        raise StreamUnavailable(f"the stream has more than {SHARDS_MAX} shards, or the list of them does not end")

    async def iterator(self, mapping: EventSourceMapping, shard_id: str, position: Position) -> str:
        """Return where reading can begin; see the contract."""
        request: dict[str, Any] = {
            "StreamName": _name(mapping),
            "ShardId": shard_id,
            "ShardIteratorType": position.start.value,
        }
        if position.start in {Start.AT, Start.AFTER}:
            request["StartingSequenceNumber"] = position.sequence
        elif position.start is Start.AT_TIME:
            now = self._clock.now()
            if position.at > now:
                # Documented: what is yet to come cannot be asked for. Assumed: reading begins with it all the same.
                request["ShardIteratorType"] = Start.NEWEST.value
            else:
                request["Timestamp"] = min(position.at, now - _FORGIVEN_S) if position.at else 0.0
        try:
            return (await self._service.ask(mapping, "GetShardIterator", request, _Iterator)).iterator
        except Refused as refused:
            if refused.code == "ResourceNotFoundException":
                # The shard, or the stream, which is told here.
                if all(shard.shard_id != shard_id for shard in await self.shards(mapping)):
                    raise ShardGone from None
                if position.sequence:
                    # Some servers say so of a record that they do not have.
                    raise PositionExpired from None
                raise StreamUnavailable(str(refused)) from None
            if refused.code == "InvalidArgumentException" and position.sequence:
                raise PositionExpired from None
            raise StreamUnavailable(str(refused)) from None
        except AnswerTooLarge:
            raise StreamUnavailable("kinesis answers more than an iterator") from None

    async def read(self, mapping: EventSourceMapping, iterator: str, limit: int) -> Page:
        """Return the next records; see the contract."""
        while True:
            try:
                request = {"ShardIterator": iterator, "Limit": limit}
                page = await self._service.ask(mapping, "GetRecords", request, _Records)
            except AnswerTooLarge:
                if limit == 1:
                    raise StreamUnavailable("kinesis answers a record that is too long") from None
                limit = max(limit // 8, 1)
                continue
            except Refused as refused:
                if refused.code == "ExpiredIteratorException":
                    raise PositionExpired from None
                if refused.code in _TOO_FAST:
                    return Page((), iterator, is_behind=True)
                if refused.code in {"InvalidArgumentException", "ResourceNotFoundException"}:
                    # Such as an iterator that a server made before it was started anew, or of a stream that is gone:
                    # whoever asks for another one hears of that.
                    raise PositionExpired from None
                raise StreamUnavailable(str(refused)) from None
            records = [_record(got) for got in page.records]
            return Page(records, page.next_iterator, is_behind=bool(page.behind_ms))

    def record(self, mapping: EventSourceMapping, shard_id: str, record: StreamRecord, role_arn: str) -> dict[str, Any]:
        """Return a record as the function gets it."""
        return {
            "kinesis": record.content,
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard_id}:{record.sequence}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": role_arn,
            "awsRegion": mapping.source_arn.split(":")[3],
            "eventSourceARN": mapping.source_arn,
        }

    def filtered(self, record: StreamRecord) -> Mapping[str, Any] | None:
        """Return what filters are matched against: the data decoded, as JSON where it is. See the contract."""
        # Assumed: bytes that are no text match no pattern of text either.
        text = base64.b64decode(record.content["data"]).decode(errors="replace")
        value = decoded(text)
        return {**record.content, "data": text if value is None else value}

    def batch_info(
        self, mapping: EventSourceMapping, shard_id: str, first: StreamRecord, last: StreamRecord, count: int
    ) -> tuple[str, dict[str, Any]]:
        """Return what tells of a failed batch."""
        return "KinesisBatchInfo", {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": iso_ms(first.arrived_at),
            "approximateArrivalOfLastRecord": iso_ms(last.arrived_at),
            "batchSize": count,
            "streamArn": mapping.source_arn,
        }


def _name(mapping: EventSourceMapping) -> str:
    return mapping.source_arn.rpartition("/")[2]


def _record(got: _Got) -> StreamRecord:
    try:
        base64.b64decode(got.data, validate=True)
    except ValueError as error:
        raise StreamUnavailable(f"kinesis answers what is not understood: {error}") from None
    return StreamRecord(
        got.sequence,
        got.key,
        got.arrived_at,
        {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": got.key,
            "sequenceNumber": got.sequence,
            "data": got.data,
            "approximateArrivalTimestamp": round(got.arrived_at, 3),
        },
    )
