"""One batch of a stream: retries, bisecting, age, partial failures, refusals, windows, what is told of a failure."""

import asyncio
import json
from pathlib import Path
from typing import Any

from unit.event_sources.stream_bench import ARN, FAILED, StreamBench, tell_of_streams

from lambent.domain.function import State
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.errors.families import DependencyError
from lambent.event_sources.stream_reader import StreamUnavailable
from lambent.fleet.contract import Throttled

FAILED_QUEUE = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:failed"}}
REPORTS = ["ReportBatchItemFailures"]


def answer(value: Any) -> InvocationOutcome:
    return InvocationOutcome(json.dumps(value).encode(), "$LATEST")


def test_a_poison_record_is_bisected(tmp_path: Path) -> None:
    """ST-01-kinesis-bisect: every other record runs, in order; splitting uses up no attempt; what is told of it."""

    async def story(bench: StreamBench) -> None:
        await bench.queue("failed")
        bench.fail_on(5)
        bench.reader.put(*range(8))
        uuid = await bench.stream_mapping(
            BatchSize=8,
            BisectBatchOnFunctionError=True,
            MaximumRetryAttempts=1,
            DestinationConfig=FAILED_QUEUE,
            MetricsConfig={"Metrics": ["EventCount"]},
        )
        bench.reader.put(8)
        await bench.until(lambda: bench.seen()[-1:] == [8], step_s=0.05)
        assert bench.bodies() == [
            [0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [5], [6, 7], [8],
        ]  # fmt: skip
        (record,) = await bench.told()
        sequence = bench.batches()[5][0]["sequence"]
        _, last = bench.fleet.ran[6]
        arrived = record["KinesisBatchInfo"].pop("approximateArrivalOfFirstRecord")
        assert record["KinesisBatchInfo"].pop("approximateArrivalOfLastRecord") == arrived
        assert record.pop("timestamp").endswith("Z")
        assert record == {
            "requestContext": {
                "requestId": last.request_id,
                "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 2,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "KinesisBatchInfo": {
                "shardId": "a",
                "startSequenceNumber": sequence,
                "endSequenceNumber": sequence,
                "batchSize": 1,
                "streamArn": ARN,
            },
        }
        assert bench.streams["kinesis"].counts()[uuid].by_metric()["DroppedEventCount"] == 1
        (view,) = bench.streams["kinesis"].pollers()
        assert (view.mapping.uuid, view.in_flight) == (uuid, 0)
        told = await bench.told_metrics.sums(FunctionName="f")
        assert told["IteratorAge"] >= view.counts.age_s * 1000 >= 0
        await bench.until_result(uuid, "OK")

    tell_of_streams(tmp_path, story)


def test_without_limits_a_batch_is_tried_until_it_succeeds(tmp_path: Path) -> None:
    """It blocks its shard, more and more slowly; the mapping says that the function fails."""

    async def story(bench: StreamBench) -> None:
        bench.fail_on(1)
        uuid = await bench.stream_mapping(BatchSize=2)
        bench.reader.put(0, 1, 2, 3)
        await bench.pass_time(120, step_s=0.2)
        assert set(map(tuple, bench.bodies())) == {(0, 1)}
        assert 8 <= len(bench.bodies()) <= 16
        await bench.until_result(uuid, "PROBLEM: Function call failed")
        bench.fleet.does = None
        await bench.until(lambda: bench.seen()[-4:] == [0, 1, 2, 3], step_s=0.2)
        await bench.until_result(uuid, "OK")

    tell_of_streams(tmp_path, story)


def test_a_batch_that_failed_too_often_is_given_up(tmp_path: Path) -> None:
    """MaximumRetryAttempts after the first attempt; 0: none. The next batch follows."""

    async def story(bench: StreamBench) -> None:
        bench.fail_on(1)
        uuid = await bench.stream_mapping(BatchSize=2, MaximumRetryAttempts=2)
        bench.reader.put(0, 1, 2, 3)
        await bench.until(lambda: bench.bodies() == [[0, 1]] * 3 + [[2, 3]], step_s=0.05)
        await bench.update(uuid, MaximumRetryAttempts=0)
        bench.reader.put(1, 4, 5, 6)
        await bench.until(lambda: bench.bodies()[4:] == [[1, 4], [5, 6]], step_s=0.05)

    tell_of_streams(tmp_path, story)


def test_records_that_are_too_old(tmp_path: Path) -> None:
    """MaximumRecordAgeInSeconds: they are told of without an answer, those that are younger run."""

    async def story(bench: StreamBench) -> None:
        await bench.queue("failed")
        now = bench.clock.now()
        bench.reader.put("old", "older", arrived_at=now - 61)
        bench.reader.put("young")
        await bench.stream_mapping(MaximumRecordAgeInSeconds=60, DestinationConfig=FAILED_QUEUE)
        await bench.until_seen("young")
        (record,) = await bench.told()
        assert record["requestContext"]["condition"] == "RecordAgeExceeded"
        assert "responseContext" not in record
        assert record["KinesisBatchInfo"]["batchSize"] == 2

    tell_of_streams(tmp_path, story)


def test_a_record_that_becomes_too_old_while_it_fails(tmp_path: Path) -> None:
    async def story(bench: StreamBench) -> None:
        bench.fail_on("bad")
        await bench.stream_mapping(MaximumRecordAgeInSeconds=60)
        bench.reader.put("bad")
        await bench.pass_time(90, step_s=0.2)
        ran = len(bench.seen())
        bench.reader.put("good")
        await bench.until(lambda: bench.seen()[-1] == "good", step_s=0.2)
        assert len(bench.seen()) == ran + 1

    tell_of_streams(tmp_path, story)


def test_the_function_says_what_failed(tmp_path: Path) -> None:
    """ReportBatchItemFailures: from the lowest number on all comes again, and nothing before it."""

    async def story(bench: StreamBench) -> None:
        await bench.queue("failed")
        left = {2: 1, 4: 5}

        async def does(invocation: Invocation) -> InvocationOutcome:
            failed = []
            for record in json.loads(invocation.payload)["Records"]:
                if left.get(record["body"], 0):
                    left[record["body"]] -= 1
                    failed.append({"itemIdentifier": record["sequence"]})
            return answer({"batchItemFailures": failed[::-1]})

        bench.fleet.does = does
        bench.reader.put(*range(6))
        await bench.stream_mapping(
            BatchSize=6, FunctionResponseTypes=REPORTS, MaximumRetryAttempts=2, DestinationConfig=FAILED_QUEUE
        )
        bench.reader.put("next")
        await bench.until(lambda: bench.seen()[-1:] == ["next"], step_s=0.05)
        assert bench.bodies()[:3] == [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5], [4, 5]]
        (record,) = await bench.told()
        assert record["responseContext"]["functionError"] is None
        assert record["KinesisBatchInfo"]["batchSize"] == 2

    tell_of_streams(tmp_path, story)


def test_a_report_that_nobody_understands(tmp_path: Path) -> None:
    """The whole batch failed; without the setting nobody looks at it."""

    async def story(bench: StreamBench) -> None:
        async def does(_: Invocation) -> InvocationOutcome:
            return answer({"batchItemFailures": [{"itemIdentifier": "nobody"}]})

        bench.fleet.does = does
        uuid = await bench.stream_mapping(FunctionResponseTypes=REPORTS, MaximumRetryAttempts=1)
        bench.reader.put(1)
        await bench.until_seen(1, 1)
        await bench.update(uuid, FunctionResponseTypes=[])
        bench.reader.put(2, 3)
        await bench.until_seen(1, 1, 2, 3)

    tell_of_streams(tmp_path, story)


def test_bisecting_begins_at_the_record_that_is_reported(tmp_path: Path) -> None:
    """What stands before it is done; the first one that is reported is split off like any other."""

    async def story(bench: StreamBench) -> None:
        async def does(invocation: Invocation) -> InvocationOutcome:
            records = json.loads(invocation.payload)["Records"]
            failed = [{"itemIdentifier": one["sequence"]} for one in records if one["body"] == "bad"]
            return answer({"batchItemFailures": failed})

        bench.fleet.does = does
        bench.reader.put(0, 1, "bad", 3, 4)
        await bench.stream_mapping(
            FunctionResponseTypes=REPORTS, MaximumRetryAttempts=1, BisectBatchOnFunctionError=True
        )
        await bench.until(lambda: bench.bodies()[-1:] == [[4]], step_s=0.05)
        await bench.pass_time(1, step_s=0.1)
        assert bench.bodies() == [[0, 1, "bad", 3, 4], ["bad", 3, 4], ["bad", 3], ["bad"], ["bad"], [3], [4]]

    tell_of_streams(tmp_path, story)


def test_a_function_that_cannot_run_uses_up_no_attempt(tmp_path: Path) -> None:
    """Throttled, closed by a reservation of 0, not ready: the batch waits, and comes as soon as that changes."""

    async def story(bench: StreamBench) -> None:
        await bench.stream_mapping(MaximumRetryAttempts=0)
        bench.fleet.refusal = Throttled("x")
        bench.reader.put(1)
        await bench.pass_time(20, step_s=0.2)
        bench.fleet.refusal = DependencyError("x", retryable=True)
        await bench.pass_time(5, step_s=0.2)
        bench.fleet.refusal = None
        await bench.until_seen(1, step_s=0.2)
        await bench.change_function("f", reserved_executions=0)
        bench.reader.put(2)
        await bench.pass_time(20, step_s=0.2)
        await bench.change_function("f", reserved_executions=1)
        # Told by the change itself, not by a look some seconds later.
        await bench.until_seen(1, 2, step_s=0)
        await bench.set_state("f", State.PENDING)
        bench.reader.put(3)
        await bench.pass_time(20, step_s=0.2)
        assert bench.seen() == [1, 2]
        await bench.set_state("f", State.ACTIVE)
        await bench.until_seen(1, 2, 3, step_s=0)

    tell_of_streams(tmp_path, story)


def test_a_batch_that_waits_for_long_is_not_held(tmp_path: Path) -> None:
    """It is read again before each attempt, byte for byte; so is what follows it, once it is dealt with."""

    async def story(bench: StreamBench) -> None:
        bench.fail_on(*range(4))
        await bench.stream_mapping(BatchSize=2)
        bench.reader.put(*range(6))
        held = bench.streams["kinesis"]._shared.held
        await bench.until(lambda: len(bench.batches()) == 6, step_s=0.1)
        await bench.pass_time(1, step_s=0.1)
        assert held.held == 0
        await bench.until(lambda: len(bench.batches()) == 9, step_s=0.1)
        assert all(call.payload == bench.fleet.ran[0][1].payload for _, call in bench.fleet.ran)
        bench.fleet.does = None
        await bench.until(lambda: bench.seen()[-6:] == list(range(6)), step_s=0.1)
        await bench.pass_time(1, step_s=0.1)
        assert held.held == 0

    tell_of_streams(tmp_path, story)


def test_nothing_is_read_for_a_function_that_is_closed(tmp_path: Path) -> None:
    """A reservation of 0 may last for days: its batch is read again once it can run."""

    async def story(bench: StreamBench) -> None:
        await bench.change_function("f", reserved_executions=0)
        await bench.stream_mapping()
        bench.reader.put(1, 2)
        await bench.pass_time(20, step_s=0.1)
        reads = len(bench.reader.reads)
        await bench.pass_time(60, step_s=0.5)
        assert len(bench.reader.reads) == reads
        await bench.change_function("f", reserved_executions=1)
        await bench.until_seen(1, 2, step_s=0)

    tell_of_streams(tmp_path, story)


def test_lanes_that_wait_for_long_hold_nothing(tmp_path: Path) -> None:
    """Nor at the end of a shard: what is behind the batch is read again, too, in events as long as they may be."""

    async def story(bench: StreamBench) -> None:
        held = bench.streams["kinesis"]._shared.held
        bench.fail_on("k-0")
        await bench.stream_mapping(BatchSize=5, ParallelizationFactor=2)
        bench.reader.put("k-0")
        await bench.until(lambda: len(bench.batches()) == 1, step_s=0.05)
        bodies = [f"k-{number}" + "x" * 1_500_000 for number in range(1, 9)]
        bench.reader.put(*bodies[:4])
        await bench.pass_time(10, step_s=0.1)
        assert held.held == 0
        bench.reader.put(*bodies[4:])
        bench.reader.close("a")
        await bench.pass_time(60, step_s=0.2)
        assert held.held == 0
        bench.fleet.does = None
        await bench.until(lambda: bench.seen()[-9:] == ["k-0", *bodies], step_s=0.1)
        assert all(len(call.payload) <= 6_291_556 for _, call in bench.fleet.ran)
        await bench.pass_time(1, step_s=0.1)
        assert held.held == 0

    tell_of_streams(tmp_path, story)


def test_a_batch_is_tried_until_it_leaves_the_stream(tmp_path: Path) -> None:
    """Documented: where no limit is set. What is left of it runs; in lanes, too."""

    async def story(bench: StreamBench) -> None:
        await bench.queue("failed")
        bench.fail_on("k-0", "k-1", "k-2")
        await bench.stream_mapping(BatchSize=3, ParallelizationFactor=2, DestinationConfig=FAILED_QUEUE)
        bench.reader.put("k-0", "k-1", "k-2", "k-3")
        await bench.pass_time(20, step_s=0.1)
        del bench.reader.streams[ARN]["a"].records[:2]
        bench.fail_on("k-0", "k-1")
        await bench.until(lambda: bench.seen()[-2:] == ["k-2", "k-3"], step_s=0.1)
        (record,) = await bench.told()
        assert record["requestContext"]["condition"] == "RecordAgeExceeded"
        assert record["KinesisBatchInfo"]["batchSize"] == 2

    tell_of_streams(tmp_path, story)


def test_a_source_that_has_lost_records_in_the_middle_of_a_batch(tmp_path: Path) -> None:
    """What is left of it runs, in events that are whole; what is not there is told of."""

    async def story(bench: StreamBench) -> None:
        await bench.queue("failed")
        bench.fail_on(0)
        await bench.stream_mapping(DestinationConfig=FAILED_QUEUE)
        bench.reader.put(*range(5))
        await bench.pass_time(10, step_s=0.1)
        del bench.reader.streams[ARN]["a"].records[2:4]
        bench.fleet.does = None
        await bench.until(lambda: bench.bodies()[-2:] == [[0, 1], [4]], step_s=0.1)
        (record,) = await bench.told()
        assert record["KinesisBatchInfo"]["batchSize"] == 2

    tell_of_streams(tmp_path, story)


def test_what_a_source_says_is_shown_in_a_line(tmp_path: Path) -> None:
    """However long, and whatever is in it: it goes into the store, and into each answer about the mapping."""

    async def story(bench: StreamBench) -> None:
        uuid = await bench.stream_mapping()
        await bench.pass_time(1, step_s=0.1)
        bench.reader.failure = StreamUnavailable("a\0b\n" + "x" * 1_000_000)
        await bench.until_result(uuid, "PROBLEM: a b " + "x" * 496 + "...", step_s=0.1)

    tell_of_streams(tmp_path, story)


def test_a_source_that_is_away_while_a_batch_waits(tmp_path: Path) -> None:
    """The batch waits for it; a stream that is deleted meanwhile takes it along."""

    async def story(bench: StreamBench) -> None:
        bench.fail_on("bad")
        uuid = await bench.stream_mapping()
        bench.reader.put("bad")
        await bench.until(lambda: len(bench.batches()) == 6, step_s=0.1)
        bench.reader.failure = StreamUnavailable("nobody answers")
        await bench.until_result(uuid, "PROBLEM: nobody answers", step_s=0.1)
        bench.reader.failure = None
        await bench.until(lambda: len(bench.batches()) == 8, step_s=0.1)
        del bench.reader.streams[ARN]
        await bench.until_result(uuid, f"PROBLEM: Stream not found: {ARN}", step_s=0.1)

    tell_of_streams(tmp_path, story)


def test_a_tumbling_window_keeps_a_state(tmp_path: Path) -> None:
    """ST-02-tumbling-window: the state of the call before, one last call, and a new state after it."""

    async def story(bench: StreamBench) -> None:
        async def does(invocation: Invocation) -> InvocationOutcome:
            event = json.loads(invocation.payload)
            state = event["state"]
            return answer({"state": {"n": state.get("n", 0) + len(event["Records"])}})

        bench.fleet.does = does
        uuid = await bench.stream_mapping(TumblingWindowInSeconds=10)
        # The first moment is the beginning of a window.
        bench.reader.put(1, 2, 3)
        await bench.pass_time(2, step_s=0.1)
        bench.reader.put(4, 5)
        await bench.pass_time(2, step_s=0.1)
        # A server that ends meanwhile keeps the state.
        await bench.crash()
        await bench.open()
        await bench.pass_time(8, step_s=0.1)
        bench.reader.put(6)
        calls = len(bench.fleet.ran)
        # A shard is read once a second.
        await bench.until(lambda: len(bench.fleet.ran) > calls, step_s=0.1)
        events = [json.loads(call.payload) for _, call in bench.fleet.ran]
        assert [len(event.pop("Records")) for event in events[-2:]] == [0, 1]
        last, after = events[-2:]
        assert last == {
            "window": {"start": "2026-11-18T11:06:40Z", "end": "2026-11-18T11:06:50Z"},
            "state": {"n": 5},
            "shardId": "a",
            "eventSourceARN": ARN,
            "isFinalInvokeForWindow": True,
            "isWindowTerminatedEarly": False,
        }
        assert after["state"] == {}
        assert after["window"]["start"] == "2026-11-18T11:06:50Z"
        assert events[0]["state"] == {} and events[0]["isFinalInvokeForWindow"] is False
        assert sum(event["isFinalInvokeForWindow"] for event in events) == 1
        await bench.until_result(uuid, "OK")

    tell_of_streams(tmp_path, story)


def test_a_window_does_not_end_while_there_may_be_more_of_it(tmp_path: Path) -> None:
    """A read that finds nothing because others read as well tells nothing of what is there."""

    async def story(bench: StreamBench) -> None:
        async def does(invocation: Invocation) -> InvocationOutcome:
            event = json.loads(invocation.payload)
            return answer({"state": {"n": event["state"].get("n", 0) + len(event["Records"])}})

        bench.fleet.does = does
        await bench.stream_mapping(TumblingWindowInSeconds=10)
        bench.reader.put(1, 2)
        await bench.pass_time(5, step_s=0.1)
        bench.reader.is_busy = True
        bench.reader.put(3)
        await bench.pass_time(10, step_s=0.1)
        bench.reader.is_busy = False
        await bench.pass_time(3, step_s=0.1)
        events = [json.loads(call.payload) for _, call in bench.fleet.ran]
        assert [event["state"] for event in events if event["isFinalInvokeForWindow"]] == [{"n": 3}]

    tell_of_streams(tmp_path, story)


def test_windows_that_are_switched_off_for_lanes(tmp_path: Path) -> None:
    """The last one ends, once, before anything else: its state is nobody's beside it."""

    async def story(bench: StreamBench) -> None:
        async def does(invocation: Invocation) -> InvocationOutcome:
            event = json.loads(invocation.payload)
            await bench.clock.sleep(0.5)
            n = event.get("state", {}).get("n", 0)
            return answer({"state": {"n": n + len(event["Records"])}})

        bench.fleet.does = does
        uuid = await bench.stream_mapping(TumblingWindowInSeconds=900)
        bench.reader.put("k0-0", "k1-0")
        await bench.pass_time(5, step_s=0.1)
        await bench.update(uuid, Enabled=False)
        bench.reader.put("k0-1", "k1-1", "k2-1", "k3-1")
        await bench.update(uuid, Enabled=True, TumblingWindowInSeconds=0, ParallelizationFactor=4, BatchSize=1)
        await bench.until(lambda: len(bench.seen()) == 6, step_s=0.1)
        await bench.pass_time(5, step_s=0.1)
        events = [json.loads(call.payload) for _, call in bench.fleet.ran]
        kinds = [event.get("isFinalInvokeForWindow") for event in events]
        first = kinds.index(True)
        assert kinds[first + 1 :] == [None] * 4
        assert events[first]["state"] == {"n": 2}

    tell_of_streams(tmp_path, story)


def test_an_answer_without_a_state_fails_the_batch(tmp_path: Path) -> None:
    """ST-02-tumbling-window."""

    async def story(bench: StreamBench) -> None:
        async def does(_: Invocation) -> InvocationOutcome:
            return answer({})

        bench.fleet.does = does
        uuid = await bench.stream_mapping(TumblingWindowInSeconds=10, MaximumRetryAttempts=1)
        bench.reader.put(1)
        await bench.until_seen(1, 1)
        await bench.until_result(uuid, "PROBLEM: Function call failed")

    tell_of_streams(tmp_path, story)


def test_a_state_that_is_too_long_ends_its_window(tmp_path: Path) -> None:
    """ST-02-tumbling-window: one last call with it, early; what follows begins with nothing."""

    async def story(bench: StreamBench) -> None:
        async def does(invocation: Invocation) -> InvocationOutcome:
            is_long = b'"long"' in invocation.payload
            return answer({"state": {"s": "x" * (1_000_001 if is_long else 1)}})

        bench.fleet.does = does
        await bench.stream_mapping(TumblingWindowInSeconds=60, BatchSize=1)
        bench.reader.put("short", "long", "after")
        await bench.until(lambda: bench.seen()[-1:] == ["after"], step_s=0.05)
        events = [json.loads(call.payload) for _, call in bench.fleet.ran]
        assert [event["isWindowTerminatedEarly"] for event in events] == [False, False, True, False]
        assert events[2]["isFinalInvokeForWindow"] and len(events[2]["state"]["s"]) == 1_000_001
        assert events[3]["state"] == {}

    tell_of_streams(tmp_path, story)


def test_what_is_told_waits_for_the_store(tmp_path: Path) -> None:
    """A batch is not passed before its record is in the outbox."""

    async def story(bench: StreamBench) -> None:
        await bench.queue("failed")
        put, failures = bench.events.put, 3

        async def failing(events: Any) -> Any:
            nonlocal failures
            if failures:
                failures -= 1
                raise DependencyError("x", retryable=True)
            return await put(events)

        bench.events.put = failing  # type: ignore[method-assign]
        bench.fleet.does = lambda _: asyncio.sleep(0, FAILED)
        await bench.stream_mapping(MaximumRetryAttempts=0, DestinationConfig=FAILED_QUEUE)
        bench.reader.put(1)
        await bench.pass_time(10, step_s=0.1)
        assert len(await bench.told()) == 1
        assert bench.seen() == [1]

    tell_of_streams(tmp_path, story)
