"""What a mapping makes of a queue, ours or another server's: who gets what, what comes back, and in which order."""

import json
from pathlib import Path
from typing import Any

from unit.event_sources.mapping_bench import Bench, Tell, queue_arn
from unit.event_sources.mapping_scenes import FAILED, OK, Gate, bodies_of, on_body

from lambent.domain.invocation import Invocation, InvocationOutcome


def test_a_message_reaches_its_function_and_is_gone(tell: Tell, tmp_path: Path) -> None:
    """SQ-02-attributes: every member of a record, of a message with attributes of each type and of one without."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        attributes = {
            "Author": {"DataType": "String", "StringValue": "ü"},
            "WeeksOn": {"DataType": "Number", "StringValue": "6"},
            "Blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        }
        (sent,) = await bench.send("one", MessageAttributes=attributes)
        await bench.until_depth(0, 0, 0)
        (plain,) = await bench.send("two")
        await bench.until_depth(0, 0, 0)
        first, second = (batch[0] for batch in bench.batches())
        empty: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
        assert first["messageAttributes"] == {
            "Author": {"stringValue": "ü", **empty, "dataType": "String"},
            "WeeksOn": {"stringValue": "6", **empty, "dataType": "Number"},
            "Blob": {"binaryValue": "AAE=", **empty, "dataType": "Binary"},
        }
        assert first["md5OfMessageAttributes"]
        assert set(second) == {
            "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "eventSource",
            "eventSourceARN", "awsRegion",
        }  # fmt: skip
        assert (first["messageId"], second["messageId"]) == (sent, plain)
        assert second["messageAttributes"] == {}
        assert second["md5OfBody"] == "b8a9f715dbb64fd5c56e7783c6820a61"
        assert (second["eventSource"], second["awsRegion"]) == ("aws:sqs", "us-east-1")
        assert second["eventSourceARN"] == queue_arn("q")
        assert set(second["attributes"]) == {
            "ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp",
        }  # fmt: skip
        assert all(isinstance(value, str) for value in second["attributes"].values())
        (_, invocation), _ = bench.fleet.ran
        assert invocation.invoked_arn == "arn:aws:lambda:us-east-1:000000000000:function:f"
        assert len(invocation.request_id) == 36

    tell(tmp_path, story)


def test_a_fifo_message_says_where_it_belongs(tell: Tell, tmp_path: Path) -> None:
    """SQ-02-attributes: group, deduplication id and sequence number."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo")
        await bench.mapping("q.fifo")
        await bench.send("a-1", queue="q.fifo")
        await bench.until_depth(0, 0, 0, queue="q.fifo")
        attributes = bench.batches()[0][0]["attributes"]
        assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == ("a", "a-1")
        assert len(attributes["SequenceNumber"]) == 20

    tell(tmp_path, story)


def test_what_was_there_before_the_mapping_is_read(tell: Tell, tmp_path: Path) -> None:
    """In batches of ten, unless the mapping says otherwise."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.send(*(str(number) for number in range(25)))
        await bench.mapping()
        await bench.until_depth(0, 0, 0)
        assert sorted(len(batch) for batch in bench.bodies()) == [5, 10, 10]
        assert sorted(int(body) for batch in bench.bodies() for body in batch) == list(range(25))

    tell(tmp_path, story)


def test_a_failed_batch_comes_back_when_its_time_is_over(tell: Tell, tmp_path: Path) -> None:
    """With the queue's visibility timeout, counted; after as many times as the redrive policy says it is moved."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("dead")
        policy = json.dumps({"deadLetterTargetArn": queue_arn("dead"), "maxReceiveCount": 2})
        await bench.queue(VisibilityTimeout="10", RedrivePolicy=policy)
        bench.fleet.does = on_body({"bad": FAILED})
        await bench.mapping()
        await bench.send("bad")
        await bench.until(lambda: len(bench.fleet.ran) == 1)
        await bench.rest()
        await bench.pass_time(9)
        assert len(bench.fleet.ran) == 1
        await bench.until(lambda: len(bench.fleet.ran) == 2, step_s=0.25)
        counts = [batch[0]["attributes"]["ApproximateReceiveCount"] for batch in bench.batches()]
        assert counts == ["1", "2"]
        await bench.until_depth(1, 0, 0, queue="dead", step_s=0.25)
        assert await bench.depth() == (0, 0, 0)
        assert len(bench.fleet.ran) == 2

    tell(tmp_path, story)


def test_some_of_a_batch_failed(tell: Tell, tmp_path: Path) -> None:
    """SQ-01-partial-batch: only what the function names comes back; the rest is deleted once."""

    async def story(bench: Bench) -> None:
        async def does(invocation: Invocation) -> InvocationOutcome:
            failed = [
                {"itemIdentifier": record["messageId"]}
                for record in json.loads(invocation.payload)["Records"]
                if record["body"] == "bad"
            ]
            return InvocationOutcome(json.dumps({"batchItemFailures": failed}).encode(), "$LATEST")

        bench.fleet.does = does
        await bench.function(timeout_s=2)
        await bench.queue(VisibilityTimeout="2")
        await bench.send("good", "bad")
        await bench.mapping(FunctionResponseTypes=["ReportBatchItemFailures"])
        await bench.until_depth(0, 1, 0)
        await bench.until(lambda: len(bench.fleet.ran) == 2, step_s=0.25)
        assert bench.bodies() == [["good", "bad"], ["bad"]]
        assert bench.batches()[1][0]["attributes"]["ApproximateReceiveCount"] == "2"

    tell(tmp_path, story)


def test_without_the_setting_an_answer_is_ignored(tell: Tell, tmp_path: Path) -> None:
    """SQ-01-partial-batch: everything is deleted, whatever the function says of it."""

    async def story(bench: Bench) -> None:
        bench.fleet.does = on_body({"x": InvocationOutcome(b'{"batchItemFailures": [{"foo": 1}]}', "$LATEST")})
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.send("x")
        await bench.until_depth(0, 0, 0)
        assert len(bench.fleet.ran) == 1

    tell(tmp_path, story)


def test_filters_drop_messages(tell: Tell, tmp_path: Path) -> None:
    """What no filter lets through is deleted unseen; a filter that matches nothing empties the queue in silence."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        filters = {"Filters": [{"Pattern": '{"body": {"kind": ["order"]}}'}]}
        uuid = await bench.mapping(FilterCriteria=filters, MetricsConfig={"Metrics": ["EventCount"]})
        await bench.send('{"kind": "order"}', '{"kind": "other"}', "text")
        await bench.until_depth(0, 0, 0)
        assert [body for batch in bench.bodies() for body in batch] == ['{"kind": "order"}']
        counts = bench.source.counts()[uuid].by_metric()
        assert counts == {
            "PolledEventCount": 3,
            "FilteredOutEventCount": 2,
            "InvokedEventCount": 1,
            "FailedInvokeEventCount": 0,
            "DeletedEventCount": 1,
            "DroppedEventCount": 0,
        }
        nothing = {"Filters": [{"Pattern": '{"body": ["no message says so"]}'}]}
        await bench.call("UpdateEventSourceMapping", UUID=uuid, FilterCriteria=nothing)
        await bench.until_state(uuid, "Enabled")
        await bench.send('{"kind": "order"}')
        await bench.until_depth(0, 0, 0)
        assert len(bench.fleet.ran) == 1

    tell(tmp_path, story)


def test_groups_keep_their_order(tell: Tell, tmp_path: Path) -> None:
    """
    SQ-03-fifo-order: of a group one batch at a time, in order, and nothing passes a message that failed; other groups
    go on meanwhile.
    """

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo", VisibilityTimeout="5")
        await bench.send(*(f"{group}-{number}" for number in range(1, 6) for group in "ab"), queue="q.fifo")
        failed = False

        async def does(invocation: Invocation) -> InvocationOutcome:
            nonlocal failed
            (body,) = bodies_of(invocation)
            if body == "a-3" and not failed:
                failed = True
                return FAILED
            return OK

        bench.fleet.does = does
        await bench.mapping("q.fifo", BatchSize=1)
        await bench.until(lambda: [body for (body,) in bench.bodies()].count("b-5") == 1)
        await bench.rest()
        in_a = [body for (body,) in bench.bodies() if body.startswith("a")]
        assert in_a == ["a-1", "a-2", "a-3"]
        await bench.until_depth(0, 0, 0, queue="q.fifo", step_s=0.25)
        seen = [body for (body,) in bench.bodies()]
        assert [body for body in seen if body.startswith("a")] == ["a-1", "a-2", "a-3", "a-3", "a-4", "a-5"]
        assert [body for body in seen if body.startswith("b")] == ["b-1", "b-2", "b-3", "b-4", "b-5"]

    tell(tmp_path, story)


def test_groups_run_beside_each_other(tell: Tell, tmp_path: Path) -> None:
    """SQ-03-fifo-order: two groups may overlap, one never does with itself."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo")
        await bench.send("a-1", "a-2", "b-1", queue="q.fifo")
        gate = Gate(bench)
        await bench.mapping("q.fifo", BatchSize=1)
        await bench.until(lambda: set(gate.waiting) == {"a-1", "b-1"})
        gate.let_go("a-1")
        await bench.until(lambda: set(gate.waiting) == {"a-2", "b-1"}, step_s=0.25)
        gate.let_go("a-2")
        gate.let_go("b-1")
        await bench.until_depth(0, 0, 0, queue="q.fifo")

    tell(tmp_path, story)


def test_a_group_that_always_fails_is_dead_lettered(tell: Tell, tmp_path: Path) -> None:
    """FIFO: blocked until its first message has had its tries, and then it goes on with the next."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("dead.fifo")
        policy = json.dumps({"deadLetterTargetArn": queue_arn("dead.fifo"), "maxReceiveCount": 2})
        await bench.queue("q.fifo", VisibilityTimeout="5", RedrivePolicy=policy)
        bench.fleet.does = on_body({"a-1": FAILED})
        await bench.send("a-1", "a-2", queue="q.fifo")
        await bench.mapping("q.fifo", BatchSize=1)
        await bench.until_depth(1, 0, 0, queue="dead.fifo", step_s=0.25)
        await bench.until_depth(0, 0, 0, queue="q.fifo")
        assert bench.bodies() == [["a-1"], ["a-1"], ["a-2"]]

    tell(tmp_path, story)


def test_a_delayed_message_is_read_when_it_is_due(tell: Tell, tmp_path: Path) -> None:
    """A timer rings for it, and for nothing else."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.send("a", DelaySeconds=60)
        await bench.rest()
        await bench.pass_time(59, step_s=5)
        assert bench.fleet.ran == []
        await bench.until_depth(0, 0, 0, step_s=1)

    tell(tmp_path, story)


def test_messages_outlive_a_crash(tell: Tell, tmp_path: Path) -> None:
    """What a dead server's function worked on comes back when its time is over; what was deleted does not."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        gate = Gate(bench)
        await bench.mapping(BatchSize=1)
        await bench.send("done", "lost")
        await bench.until(lambda: len(gate.waiting) == 2)
        gate.let_go("done")
        await bench.until_depth(0, 1, 0)
        await bench.crash()
        gate.waiting.clear()
        await bench.open()
        await bench.send("new")
        await bench.until(lambda: set(gate.waiting) == {"new"})
        await bench.until(lambda: set(gate.waiting) == {"new", "lost"}, step_s=1)
        gate.let_go("new")
        gate.let_go("lost")
        await bench.until_depth(0, 0, 0)
        assert bench.batches()[-1][0]["attributes"]["ApproximateReceiveCount"] == "2"

    tell(tmp_path, story)
