"""Reading one shard: order, batches, windows, filters, lanes, positions; and that nothing is lost."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
from unit.dispatch.async_bench import SCOPE
from unit.event_sources.stream_bench import ARN, OK, StreamBench, tell_of_streams

from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.event_sources.stream_reader import Page, Position, PositionExpired, Start, StreamUnavailable


def test_records_reach_the_function_in_order(tmp_path: Path) -> None:
    """In batches of at most BatchSize; the mapping tells that all is well."""

    async def story(bench: StreamBench) -> None:
        bench.reader.put(*range(25))
        uuid = await bench.stream_mapping(BatchSize=10)
        await bench.until_seen(*range(25))
        assert all(len(batch) <= 10 for batch in bench.batches())
        await bench.until_result(uuid, "OK")
        first = bench.batches()[0][0]
        assert first["role"] == "arn:aws:iam::000000000000:role/reader"

    tell_of_streams(tmp_path, story)


def test_a_shard_at_rest_is_read_once_a_second_and_costs_no_write(tmp_path: Path) -> None:
    """Sooner while records come."""

    async def story(bench: StreamBench) -> None:
        await bench.stream_mapping()
        await bench.pass_time(5, step_s=0.05)
        reads = len(bench.reader.reads)
        writes: list[object] = []
        save = bench.positions.save

        async def counted(*arguments: object, **named: object) -> bool:
            writes.append(arguments)
            return await save(*arguments, **named)  # type: ignore[arg-type]

        bench.positions.save = counted  # type: ignore[method-assign, assignment]
        await bench.pass_time(20, step_s=0.05)
        assert 18 <= len(bench.reader.reads) - reads <= 21
        assert writes == []
        reads = len(bench.reader.reads)
        for number in range(10):
            bench.reader.put(number)
            await bench.pass_time(0.2, step_s=0.05)
        assert len(bench.reader.reads) - reads >= 5
        assert bench.seen() == list(range(10))

    tell_of_streams(tmp_path, story)


def test_a_batching_window_gathers_from_the_first_record_on(tmp_path: Path) -> None:
    """Later records do not begin it anew; a full batch does not wait for it."""

    async def story(bench: StreamBench) -> None:
        await bench.stream_mapping(BatchSize=4, MaximumBatchingWindowInSeconds=5)
        bench.reader.put(1)
        await bench.pass_time(3, step_s=0.1)
        bench.reader.put(2)
        await bench.pass_time(1.5, step_s=0.1)
        assert bench.bodies() == []
        await bench.pass_time(2, step_s=0.1)
        assert bench.bodies() == [[1, 2]]
        bench.reader.put(3, 4, 5, 6, 7)
        await bench.pass_time(2, step_s=0.1)
        assert bench.bodies() == [[1, 2], [3, 4, 5, 6]]
        await bench.pass_time(5, step_s=0.1)
        assert bench.bodies()[2:] == [[7]]

    tell_of_streams(tmp_path, story)


def test_a_payload_is_no_longer_than_an_invocation_may_have(tmp_path: Path) -> None:
    """Six megabytes, records that are 1 MB each among them."""

    async def story(bench: StreamBench) -> None:
        large = "x" * 1_000_000
        bench.reader.put(*[large] * 13)
        await bench.stream_mapping()
        await bench.until(lambda: len(bench.seen()) == 13, step_s=0.05)
        assert all(len(call.payload) <= 6_291_556 for _, call in bench.fleet.ran)

    tell_of_streams(tmp_path, story)


def test_filters_drop_records_and_the_position_moves_on(tmp_path: Path) -> None:
    """ST-04-kinesis-filter-per-record: BatchSize counts what is left; one that the reader cannot show is dropped."""

    async def story(bench: StreamBench) -> None:
        pattern = json.dumps({"data": {"kind": ["x"]}})
        uuid = await bench.stream_mapping(
            BatchSize=2,
            FilterCriteria={"Filters": [{"Pattern": pattern}]},
            MetricsConfig={"Metrics": ["EventCount"]},
            MaximumBatchingWindowInSeconds=1,
        )
        x, y = {"kind": "x"}, {"kind": "y"}
        bench.reader.put(x, y, x, "never", x, y, "text")
        await bench.until(lambda: bench.bodies() == [[x, x], [x]], step_s=0.1)
        await bench.pass_time(3, step_s=0.1)
        last = bench.reader.streams["arn:aws:kinesis:us-east-1:000000000000:stream/s"]["a"].records[-1].sequence
        begun = await bench.positions.begin(SCOPE, uuid)
        assert [one.sequence for one in begun.positions] == [last]
        counts = bench.streams["kinesis"].counts()[uuid].by_metric()
        assert (counts["PolledEventCount"], counts["FilteredOutEventCount"], counts["InvokedEventCount"]) == (7, 4, 3)

    tell_of_streams(tmp_path, story)


def test_filters_that_match_nothing(tmp_path: Path) -> None:
    """Nothing runs, and what was looked at is not looked at again."""

    async def story(bench: StreamBench) -> None:
        pattern = json.dumps({"data": {"kind": ["x"]}})
        uuid = await bench.stream_mapping(FilterCriteria={"Filters": [{"Pattern": pattern}]})
        bench.reader.put(*["no"] * 500)
        await bench.pass_time(20, step_s=0.1)
        assert bench.batches() == []
        (position,) = (await bench.positions.begin(SCOPE, uuid)).positions
        assert position.sequence == str(100 + 500)

    tell_of_streams(tmp_path, story)


def test_lanes_run_beside_each_other_and_keep_the_order_of_keys(tmp_path: Path) -> None:
    """ParallelizationFactor: as many batches of a shard at once; those of one key never."""

    async def story(bench: StreamBench) -> None:
        at_work: set[str] = set()
        seen: dict[str, list[int]] = {}

        async def does(invocation: Invocation) -> InvocationOutcome:
            bodies = [record["body"] for record in json.loads(invocation.payload)["Records"]]
            keys = {body.partition("-")[0] for body in bodies}
            assert at_work.isdisjoint(keys)
            at_work.update(keys)
            await bench.clock.sleep(0.5)
            at_work.difference_update(keys)
            for body in bodies:
                key, _, number = body.partition("-")
                seen.setdefault(key, []).append(int(number))
            return OK

        bench.fleet.does = does
        await bench.stream_mapping(ParallelizationFactor=4, BatchSize=3)
        for number in range(10):
            bench.reader.put(*(f"k{key}-{number}" for key in range(8)))
        await bench.until(lambda: sum(map(len, seen.values())) == 80, step_s=0.05)
        assert all(numbers == list(range(10)) for numbers in seen.values())
        assert bench.fleet.most_running == 4

    tell_of_streams(tmp_path, story)


def test_killed_in_the_middle_of_batches(tmp_path: Path) -> None:
    """What was written down does not run again, what was not does; lanes stand where they stood."""

    async def story(bench: StreamBench) -> None:
        hanging = asyncio.Event()

        async def does(invocation: Invocation) -> InvocationOutcome:
            if "k0-" in invocation.payload.decode():
                await hanging.wait()
            return OK

        bench.fleet.does = does
        uuid = await bench.stream_mapping(ParallelizationFactor=2, BatchSize=1)
        for number in range(5):
            bench.reader.put(f"k0-{number}", f"k1-{number}")
        await bench.until(
            lambda: [body for body in bench.seen() if body[1] == "1"] == [f"k1-{n}" for n in range(5)], step_s=0.05
        )
        await bench.pass_time(0.5, step_s=0.05)
        await bench.crash()
        bench.fleet.ran.clear()
        bench.fleet.does = None
        await bench.open()
        await bench.until(lambda: len(bench.seen()) >= 5, step_s=0.05)
        await bench.pass_time(2, step_s=0.1)
        assert bench.seen() == [f"k0-{number}" for number in range(5)]
        assert await bench.result(uuid) == "OK"

    tell_of_streams(tmp_path, story)


def test_an_iterator_that_is_too_old(tmp_path: Path) -> None:
    """Another one is asked for, and nothing runs twice."""

    async def story(bench: StreamBench) -> None:
        await bench.stream_mapping()
        bench.reader.put(1)
        await bench.until_seen(1)
        bench.reader.expires = True
        bench.reader.put(2)
        await bench.until_seen(1, 2)

    tell_of_streams(tmp_path, story)


def test_a_position_that_was_trimmed(tmp_path: Path) -> None:
    """What is left is read from its beginning."""

    async def story(bench: StreamBench) -> None:
        uuid = await bench.stream_mapping()
        bench.reader.put(1, 2)
        await bench.until_seen(1, 2)
        await bench.update(uuid, Enabled=False)
        bench.reader.put(3, 4)
        records = bench.reader.streams["arn:aws:kinesis:us-east-1:000000000000:stream/s"]["a"].records
        del records[:3]
        await bench.update(uuid, Enabled=True)
        await bench.until_seen(1, 2, 4)

    tell_of_streams(tmp_path, story)


def test_a_server_that_tells_whoever_reads_that_something_was_trimmed(tmp_path: Path) -> None:
    """It is not asked in a circle, and what is left runs; also behind a batch that is let go while a page is read."""

    async def story(bench: StreamBench) -> None:
        await bench.stream_mapping()
        bench.reader.put(1, 2)
        await bench.until_seen(1, 2)
        bench.reader.trims = bench.reader.expires = True
        del bench.reader.streams[ARN]["a"].records[:]
        bench.reader.put(3, 4)
        await bench.until_seen(1, 2, 3, 4, step_s=0.1)
        assert bench.reader.refused <= 5
        bench.fail_on(5)
        bench.reader.put(5, 6)
        await bench.pass_time(10, step_s=0.1)
        del bench.reader.streams[ARN]["a"].records[:-1]
        bench.reader.refused = 0
        await bench.until(lambda: bench.bodies()[-1] == [6], step_s=0.1)
        assert bench.reader.refused <= 5

    tell_of_streams(tmp_path, story)


def test_an_iterator_that_expires_while_its_batch_is_let_go(tmp_path: Path) -> None:
    """The page that was asked for is nobody's any more, and says nothing of the position."""

    async def story(bench: StreamBench) -> None:
        bench.reader.put(*range(10))
        await bench.stream_mapping(BatchSize=10)
        await bench.until_seen(*range(10))
        asked, answers = asyncio.Event(), asyncio.Event()
        read = bench.reader.read

        async def reads(mapping: EventSourceMapping, iterator: str, limit: int) -> Page:
            page = await read(mapping, iterator, limit)
            if not page.records and len(bench.batches()) >= 2 and not asked.is_set():
                asked.set()
                await answers.wait()
                raise PositionExpired
            return page

        bench.reader.read = reads  # type: ignore[method-assign]
        bench.fail_on("bad")
        bench.reader.put("bad")
        await bench.until(lambda: asked.is_set() and len(bench.batches()) >= 6, step_s=0.1)
        answers.set()
        bench.fleet.does = None
        await bench.pass_time(10, step_s=0.1)
        assert bench.seen().count(0) == 1

    tell_of_streams(tmp_path, story)


def test_the_end_of_a_shard_is_known_before_anything_is_let_go(tmp_path: Path) -> None:
    """A batch is let go while it is written down that all is well again: nobody reads what is behind it once more."""

    async def story(bench: StreamBench) -> None:
        bench.fail_on("bad")
        bench.reader.put("bad")
        uuid = await bench.stream_mapping(BatchSize=1)
        await bench.until(lambda: len(bench.batches()) == 1, step_s=0.01)
        bench.reader.failure = StreamUnavailable("away")
        await bench.until_result(uuid, "PROBLEM: away", step_s=0.01)
        save, saving, is_saved = bench.positions.save, asyncio.Event(), asyncio.Event()

        async def saves(*arguments: Any, **named: Any) -> bool:
            if not saving.is_set():
                saving.set()
                await is_saved.wait()
            return await save(*arguments, **named)

        bench.positions.save = saves  # type: ignore[method-assign]
        bench.reader.failure = None
        bench.reader.put("last")
        bench.reader.close("a")
        await bench.until(saving.is_set, step_s=0.01)
        await bench.pass_time(3, step_s=0.1)
        is_saved.set()
        bench.fleet.does = None
        await bench.until(lambda: bench.seen()[-2:] == ["bad", "last"], step_s=0.1)

    tell_of_streams(tmp_path, story)


def test_a_clock_that_is_set_back_does_not_make_latest_later(tmp_path: Path) -> None:
    """LATEST was a moment that has been, and what came since is read."""

    async def story(bench: StreamBench) -> None:
        await bench.stream_mapping(StartingPosition="LATEST")
        await bench.pass_time(2, step_s=0.1)
        await bench.crash()
        asked: list[Position] = []
        iterator = bench.reader.iterator

        async def gives(mapping: EventSourceMapping, shard_id: str, position: Position) -> str:
            asked.append(position)
            return await iterator(mapping, shard_id, position)

        bench.reader.iterator = gives  # type: ignore[method-assign]
        now = bench.clock.now
        bench.clock.now = lambda: now() - 3600  # type: ignore[method-assign]
        await bench.open()
        await bench.until(lambda: asked != [], step_s=0.1)
        assert asked[0].start is Start.AT_TIME and asked[0].at <= bench.clock.now()

    tell_of_streams(tmp_path, story)


def test_what_filters_drop_of_a_busy_shard_is_written_down(tmp_path: Path) -> None:
    """Also where no read ever finds nothing: else hours of it would be read again after a kill."""

    async def story(bench: StreamBench) -> None:
        pattern = json.dumps({"data": {"kind": ["x"]}})
        uuid = await bench.stream_mapping(FilterCriteria={"Filters": [{"Pattern": pattern}]})
        for _ in range(150):
            bench.reader.put("no")
            await bench.pass_time(0.1, step_s=0.05)
        (position,) = (await bench.positions.begin(SCOPE, uuid)).positions
        assert int(position.sequence or "0") >= 100 + 50

    tell_of_streams(tmp_path, story)


def test_what_stands_before_a_record_that_is_none(tmp_path: Path) -> None:
    """It runs; the shard waits for the one that it does not understand."""

    async def story(bench: StreamBench) -> None:
        bench.reader.put(1, 2, 3)
        records = bench.reader.streams[ARN]["a"].records
        records[1] = msgspec.structs.replace(records[1], sequence="none")
        uuid = await bench.stream_mapping()
        await bench.until_seen(1)
        await bench.until_result_begins(uuid, "PROBLEM: The stream is not understood")

    tell_of_streams(tmp_path, story)
