"""One mapping's reading of a stream: which shards are read when, where it begins, and what it makes of trouble."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from unit.dispatch.async_bench import SCOPE
from unit.event_sources.stream_bench import ARN, FAILED, OK, StreamBench, tell_of_streams

from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.event_sources.stream_reader import StreamUnavailable


def test_parents_come_before_children(tmp_path: Path) -> None:
    """A child begins when all its parents that are known are dealt with, not only read; a merged one after both."""

    async def story(bench: StreamBench) -> None:
        gate = asyncio.Event()

        async def does(invocation: Invocation) -> InvocationOutcome:
            if b"slow" in invocation.payload:
                await gate.wait()
            return OK

        bench.fleet.does = does
        bench.reader.make("a", "b")
        bench.reader.put("a1", "slow", shard="a")
        bench.reader.put("b1", shard="b")
        for shard in ("a", "b"):
            bench.reader.close(shard)
        bench.reader.add("merged", "a", "b")
        bench.reader.add("orphan", "forgotten")
        bench.reader.put("m1", shard="merged")
        bench.reader.put("o1", shard="orphan")
        await bench.stream_mapping(BatchSize=1)
        await bench.until(lambda: {"a1", "slow", "b1", "o1"} <= set(bench.seen()), step_s=0.05)
        await bench.pass_time(5, step_s=0.2)
        assert "m1" not in bench.seen()
        gate.set()
        await bench.until(lambda: bench.seen()[-1] == "m1", step_s=0.05)
        bench.reader.put("m2", shard="merged")
        await bench.until(lambda: bench.seen()[-1] == "m2", step_s=0.05)
        assert len(bench.seen()) == 6

    tell_of_streams(tmp_path, story)


def test_what_was_drained_is_not_read_again(tmp_path: Path) -> None:
    """Not after a start either; what the stream forgets, the store forgets."""

    async def story(bench: StreamBench) -> None:
        bench.reader.put("a1")
        bench.reader.close("a")
        bench.reader.add("child", "a")
        bench.reader.put("c1", shard="child")
        uuid = await bench.stream_mapping()
        await bench.until_seen("a1", "c1")
        await bench.pass_time(1, step_s=0.1)
        await bench.crash()
        await bench.open()
        bench.reader.put("c2", shard="child")
        await bench.until_seen("a1", "c1", "c2")
        del bench.reader.streams[ARN]["a"]
        await bench.pass_time(70, step_s=0.5)
        assert [one.shard_id for one in (await bench.positions.begin(SCOPE, uuid)).positions] == ["child"]

    tell_of_streams(tmp_path, story)


def test_latest_is_fixed_when_polling_starts(tmp_path: Path) -> None:
    """A server that is killed before the first record goes on from that moment; children are read whole."""

    async def story(bench: StreamBench) -> None:
        bench.reader.put("old")
        bench.clock.advance(10)
        uuid = await bench.stream_mapping(StartingPosition="LATEST")
        await bench.pass_time(2, step_s=0.1)
        await bench.crash()
        bench.reader.put("while away")
        bench.reader.close("a")
        bench.reader.add("child", "a")
        bench.reader.put("in child", shard="child")
        await bench.open()
        await bench.until_seen("while away", "in child")
        assert (await bench.call("GetEventSourceMapping", UUID=uuid))["StartingPosition"] == "LATEST"

    tell_of_streams(tmp_path, story)


def test_latest_of_a_stream_that_knows_no_moments(tmp_path: Path) -> None:
    """DynamoDB streams: what is older than the moment is dropped after such a start."""

    async def story(bench: StreamBench) -> None:
        arn = "arn:aws:dynamodb:us-east-1:000000000000:table/tab/stream/2026-11-20T08:00:00.000"
        bench.reader.make("a", arn=arn)
        bench.reader.put({"n": "old"}, arn=arn)
        bench.clock.advance(10)
        await bench.stream_mapping(arn, StartingPosition="LATEST")
        await bench.pass_time(2, step_s=0.1)
        await bench.crash()
        bench.reader.put({"n": "new"}, arn=arn)
        await bench.open()
        await bench.until_seen({"n": "new"})

    tell_of_streams(tmp_path, story)


def test_at_a_timestamp(tmp_path: Path) -> None:
    async def story(bench: StreamBench) -> None:
        bench.reader.put("old")
        bench.clock.advance(10)
        at = datetime.fromtimestamp(bench.clock.now(), UTC)
        bench.reader.put("new")
        uuid = await bench.stream_mapping(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=at)
        await bench.until_seen("new")
        assert (await bench.call("GetEventSourceMapping", UUID=uuid))["StartingPositionTimestamp"] == at

    tell_of_streams(tmp_path, story)


def test_a_source_that_is_away(tmp_path: Path) -> None:
    """The mapping tells why; more and more slowly it is tried again, and all goes on where it was."""

    async def story(bench: StreamBench) -> None:
        uuid = await bench.stream_mapping()
        bench.reader.put(1)
        await bench.until_seen(1)
        bench.reader.failure = StreamUnavailable("kinesis: nobody answers")
        await bench.until_result(uuid, "PROBLEM: kinesis: nobody answers")
        await bench.pass_time(60, step_s=0.2)
        bench.reader.failure = None
        bench.reader.put(2)
        await bench.until_seen(1, 2, step_s=0.2)
        await bench.until_result(uuid, "OK")

    tell_of_streams(tmp_path, story)


def test_away_from_the_start(tmp_path: Path) -> None:
    """A server that starts before its source finds it later."""

    async def story(bench: StreamBench) -> None:
        uuid = await bench.stream_mapping()
        await bench.crash()
        bench.reader.failure = StreamUnavailable("nobody answers")
        await bench.open()
        await bench.until_result(uuid, "PROBLEM: nobody answers")
        bench.reader.failure = None
        bench.reader.put(1)
        await bench.until_seen(1, step_s=0.2)

    tell_of_streams(tmp_path, story)


def test_a_stream_that_is_deleted(tmp_path: Path) -> None:
    """It is said, also while a batch of it fails; one that is made anew is read from its beginning."""

    async def story(bench: StreamBench) -> None:
        bench.fleet.does = lambda _: asyncio.sleep(0, FAILED)
        uuid = await bench.stream_mapping()
        bench.reader.put(1)
        await bench.until(lambda: len(bench.seen()) > 2, step_s=0.1)
        stream = bench.reader.streams.pop(ARN)
        bench.fleet.does = None
        await bench.until_result(uuid, f"PROBLEM: Stream not found: {ARN}", step_s=0.1)
        ran = len(bench.seen())
        assert stream["a"].records
        # Numbers begin anew.
        bench.reader._next = 0
        bench.reader.make()
        bench.reader.put(7)
        await bench.until(lambda: bench.seen()[ran:] == [7], step_s=0.1)

    tell_of_streams(tmp_path, story)


def test_numbers_that_are_none(tmp_path: Path) -> None:
    """A source that answers nonsense is one that cannot be read."""

    async def story(bench: StreamBench) -> None:
        uuid = await bench.stream_mapping()
        bench.reader.put(1)
        shard = bench.reader.streams[ARN]["a"]
        shard.records[0] = msgspec.structs.replace(shard.records[0], sequence="x")
        await bench.until_result(uuid, "PROBLEM: The stream is not understood: 'x' is no sequence number")
        assert bench.seen() == []

    tell_of_streams(tmp_path, story)


def test_new_settings(tmp_path: Path) -> None:
    """ST-04-kinesis-filter-per-record: what is at work ends under the old ones, what follows is the new ones'."""

    async def story(bench: StreamBench) -> None:
        gate = asyncio.Event()

        async def does(_: Invocation) -> InvocationOutcome:
            await gate.wait()
            return OK

        bench.fleet.does = does
        await bench.function("g")
        uuid = await bench.stream_mapping(BatchSize=2)
        bench.reader.put(1, 2, 3, 4)
        await bench.until_seen(1, 2)
        await bench.update(uuid, BatchSize=1, FunctionName="g", ParallelizationFactor=3)
        await bench.pass_time(3, step_s=0.1)
        assert bench.seen() == [1, 2]
        gate.set()
        await bench.until_seen(1, 2, 3, 4)
        assert (bench.bodies("f"), bench.bodies("g")) == ([[1, 2]], [[3], [4]])

    tell_of_streams(tmp_path, story)


def test_disabled_and_enabled(tmp_path: Path) -> None:
    """The batch at work ends, and counts; nothing is read meanwhile, and nothing is lost or read twice."""

    async def story(bench: StreamBench) -> None:
        uuid = await bench.stream_mapping(BatchSize=1)
        bench.reader.put(1)
        await bench.until_seen(1)
        await bench.update(uuid, Enabled=False)
        bench.reader.put(2)
        reads = len(bench.reader.reads)
        await bench.pass_time(5, step_s=0.2)
        assert len(bench.reader.reads) == reads
        await bench.update(uuid, Enabled=True)
        await bench.until_seen(1, 2)

    tell_of_streams(tmp_path, story)


def test_a_replaced_poller_moves_nothing(tmp_path: Path) -> None:
    """Another server has begun for the mapping: what this one deals with is written down no more, and it stops."""

    async def story(bench: StreamBench) -> None:
        uuid = await bench.stream_mapping(BatchSize=1)
        bench.reader.put(1)
        await bench.until_seen(1)
        await bench.pass_time(1, step_s=0.1)
        before = await bench.positions.begin(SCOPE, uuid)
        bench.reader.put(2, 3)
        await bench.pass_time(5, step_s=0.1)
        assert bench.seen() == [1, 2]
        after = await bench.positions.begin(SCOPE, uuid)
        assert (after.positions, after.epoch) == (before.positions, before.epoch + 1)

    tell_of_streams(tmp_path, story)


def test_a_deleted_mapping_leaves_nothing(tmp_path: Path) -> None:
    """No position, no task; what still ends is written nowhere."""

    async def story(bench: StreamBench) -> None:
        gate = asyncio.Event()

        async def does(_: Invocation) -> InvocationOutcome:
            await gate.wait()
            return OK

        bench.fleet.does = does
        uuid = await bench.stream_mapping()
        bench.reader.put(1)
        await bench.until_seen(1)
        await bench.call("DeleteEventSourceMapping", UUID=uuid)
        await bench.until_state(uuid, "ResourceNotFoundException")
        gate.set()
        await bench.rest()
        assert (await bench.positions.begin(SCOPE, uuid)).epoch == 1
        assert await bench.positions.results(SCOPE, [uuid]) == {}

    tell_of_streams(tmp_path, story)


def test_batches_of_all_mappings_have_a_limit(tmp_path: Path) -> None:
    """They take turns."""

    async def story(bench: StreamBench) -> None:
        async def does(_: Invocation) -> InvocationOutcome:
            await bench.clock.sleep(0.3)
            return OK

        bench.fleet.does = does
        bench.reader.make(*"abcdef")
        for shard in "abcdef":
            bench.reader.put(f"{shard}-1", f"{shard}-2", shard=shard)
        await bench.stream_mapping(BatchSize=1)
        await bench.until(lambda: len(bench.seen()) == 12, step_s=0.05)
        assert bench.fleet.most_running <= 2

    tell_of_streams(tmp_path, story, batches_max=2)


def test_shards_that_came_later_are_written_down(tmp_path: Path) -> None:
    """Once the ones before have left the stream, they are all that says that LATEST was long ago."""

    async def story(bench: StreamBench) -> None:
        await bench.stream_mapping(StartingPosition="LATEST")
        await bench.pass_time(2, step_s=0.1)
        bench.reader.add("b", "a")
        bench.reader.close("a")
        await bench.pass_time(5, step_s=0.1)
        del bench.reader.streams[ARN]["a"]
        await bench.pass_time(70, step_s=0.5)
        await bench.crash()
        bench.reader.put("meanwhile", shard="b")
        await bench.open()
        await bench.until_seen("meanwhile", step_s=0.1)

    tell_of_streams(tmp_path, story)
