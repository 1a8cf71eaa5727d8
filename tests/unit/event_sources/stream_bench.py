"""Streams that a test writes by hand, and mappings of them on the bench of mappings."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from unit.dispatch.async_bench import SCOPE
from unit.event_sources.mapping_bench import Bench, tell

from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.invocation import FunctionError, Invocation, InvocationOutcome
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
)
from lambent.store.contract import QueueKind, QueueName
from lambent.testing.virtual_clock import PATIENCE_S, VirtualClock

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
OK = InvocationOutcome(b"null", "$LATEST")
FAILED = InvocationOutcome(b'{"errorMessage": "boom"}', "$LATEST", FunctionError())


class ScriptedShard:
    """One shard of a scripted stream."""

    def __init__(self, shard_id: str, parents: tuple[str, ...]) -> None:
        self.shard = Shard(shard_id, parents)
        self.records: list[StreamRecord] = []
        self.is_closed = False


class ScriptedReader:
    """Implements `StreamReader` over lists; its iterators are places in them."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._next = 100
        self.streams: dict[str, dict[str, ScriptedShard]] = {}
        self.failure: Exception | None = None
        """What every call raises."""
        self.expires = False
        """Whether iterators are too old, each the first time."""
        self.trims = False
        """Whether it tells only whoever reads, not who asks for an iterator, that what follows has been trimmed."""
        self.refused = 0
        """How often it told so."""
        self.is_busy = False
        """Whether others read so much that it gives nothing now."""
        self.reads: list[tuple[str, int]] = []
        """Shard and limit of each read."""

    def make(self, *shards: str, arn: str = ARN) -> None:
        self.streams[arn] = {}
        for shard in shards or ("a",):
            self.add(shard, arn=arn)

    def add(self, shard: str, *parents: str, arn: str = ARN) -> None:
        self.streams[arn][shard] = ScriptedShard(shard, parents)

    def close(self, shard: str, arn: str = ARN) -> None:
        self.streams[arn][shard].is_closed = True

    def put(
        self, *bodies: Any, shard: str = "a", key: str = "k", arn: str = ARN, arrived_at: float | None = None
    ) -> None:
        """Put records; a body's part before the dash is its key, where it has one."""
        for body in bodies:
            self._next += 1
            own_key, dash, _ = str(body).partition("-")
            self.streams[arn][shard].records.append(
                StreamRecord(
                    str(self._next),
                    own_key if dash else key,
                    self._clock.now() if arrived_at is None else arrived_at,
                    {"data": body},
                )
            )

    def _of(self, mapping: EventSourceMapping) -> dict[str, ScriptedShard]:
        if self.failure is not None:
            raise self.failure
        if mapping.source_arn not in self.streams:
            raise StreamNotFound
        return self.streams[mapping.source_arn]

    async def shards(self, mapping: EventSourceMapping) -> Sequence[Shard]:
        return [one.shard for one in self._of(mapping).values()]

    async def iterator(self, mapping: EventSourceMapping, shard_id: str, position: Position) -> str:
        shards = self._of(mapping)
        if shard_id not in shards:
            raise ShardGone
        records = shards[shard_id].records
        if position.start is Start.OLDEST:
            return f"{shard_id}/0"
        if position.start is Start.NEWEST:
            return f"{shard_id}/{len(records)}"
        if position.start is Start.AT_TIME:
            return f"{shard_id}/{sum(one.arrived_at < position.at for one in records)}"
        place = next((number for number, one in enumerate(records) if one.sequence == position.sequence), None)
        if place is None:
            if self.trims:
                return f"{shard_id}/trimmed"
            raise PositionExpired
        return f"{shard_id}/{place + (position.start is Start.AFTER)}"

    async def read(self, mapping: EventSourceMapping, iterator: str, limit: int) -> Page:
        shards = self._of(mapping)
        shard_id, _, place = iterator.partition("/")
        if shard_id not in shards:
            raise ShardGone
        if self.expires or place == "trimmed":
            self.expires = False
            self.refused += 1
            raise PositionExpired
        self.reads.append((shard_id, limit))
        if self.is_busy:
            return Page((), iterator, is_behind=True)
        shard, first = shards[shard_id], int(place)
        records = shard.records[first : first + limit]
        after = first + len(records)
        is_end = shard.is_closed and after == len(shard.records)
        return Page(records, None if is_end else f"{shard_id}/{after}")

    def record(self, mapping: EventSourceMapping, shard_id: str, record: StreamRecord, role_arn: str) -> dict[str, Any]:
        return {"body": record.content["data"], "sequence": record.sequence, "shard": shard_id, "role": role_arn}

    def filtered(self, record: StreamRecord) -> dict[str, Any] | None:
        return (
            None if record.content["data"] == "never" else {"data": record.content["data"], "partitionKey": record.key}
        )

    def batch_info(
        self, mapping: EventSourceMapping, shard_id: str, first: StreamRecord, last: StreamRecord, count: int
    ) -> tuple[str, dict[str, Any]]:
        return "KinesisBatchInfo", {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": iso_ms(first.arrived_at),
            "approximateArrivalOfLastRecord": iso_ms(last.arrived_at),
            "batchSize": count,
            "streamArn": mapping.source_arn,
        }


class StreamBench(Bench):
    """A bench with a scripted stream."""

    def __init__(self, folder: Path, batches_max: int) -> None:
        super().__init__(folder, batches_max)
        self.reader = ScriptedReader(self.clock)
        self.readers = {"kinesis": self.reader, "dynamodb": self.reader}

    async def stream_mapping(self, arn: str = ARN, function: str = "f", **settings: Any) -> str:
        """Make a mapping from the oldest record on, and wait until it is enabled; return its UUID."""
        given = {"StartingPosition": "TRIM_HORIZON", **settings}
        made = await self.call("CreateEventSourceMapping", EventSourceArn=arn, FunctionName=function, **given)
        uuid: str = made["UUID"]
        await self.until_settled(uuid)
        return uuid

    async def update(self, uuid: str, **settings: Any) -> None:
        await self.call("UpdateEventSourceMapping", UUID=uuid, **settings)
        await self.until_settled(uuid)

    async def result(self, uuid: str) -> str:
        found: str = (await self.call("GetEventSourceMapping", UUID=uuid))["LastProcessingResult"]
        return found

    def seen(self, function: str | None = None) -> list[Any]:
        """Return the bodies of all records that ran, in order."""
        return [body for bodies in self.bodies(function) for body in bodies]

    async def until_seen(self, *bodies: Any, step_s: float = 0.05) -> None:
        """Wait until just these ran, in this order."""
        await self.until(lambda: self.seen() == list(bodies), step_s=step_s)

    async def until_result(self, uuid: str, result: str, step_s: float = 0.05) -> None:
        while await self.result(uuid) != result:
            await self._step(step_s)

    async def until_result_begins(self, uuid: str, beginning: str) -> None:
        """Wait until a mapping says so: that is written down some time after what it tells of."""
        async with asyncio.timeout(PATIENCE_S):
            while not (await self.result(uuid)).startswith(beginning):
                await self._step(0.05)

    def fail_on(self, *poison: Any) -> None:
        """Have the function fail with every batch that holds one of these."""

        async def does(invocation: Invocation) -> InvocationOutcome:
            bodies = [record["body"] for record in json.loads(invocation.payload)["Records"]]
            return FAILED if set(map(str, bodies)) & set(map(str, poison)) else OK

        self.fleet.does = does

    async def told(self, queue: str = "failed") -> list[dict[str, Any]]:
        """Return the records in the outbox, on their way to a queue."""
        name = QueueName(SCOPE, QueueKind.DESTINATION, f"arn:aws:sqs:us-east-1:000000000000:{queue}")
        return [json.loads(one.body) for one in await self.events.peek(name, limit=10)]


def tell_of_streams(
    folder: Path, story: Callable[[StreamBench], Awaitable[None]], *, batches_max: int = 50, follows: bool = True
) -> None:
    """Run a story on a bench of its own, with a function `f` and a stream of one shard, `a`."""

    async def run(bench: Any) -> None:
        await bench.function()
        bench.reader.make()
        await story(bench)

    tell(folder, run, batches_max=batches_max, follows=follows, kind=StreamBench)
