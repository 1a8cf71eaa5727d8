"""Queues of another server: who waits there and for how long, and what its failures and odd answers do."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.event_sources.elsewhere_bench import Answer, ElsewhereBench, tell_there
from unit.event_sources.mapping_bench import queue_arn
from unit.event_sources.mapping_scenes import OK, Gate

from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.event_sources.budget import HELD_MAX_BYTES


def counts(bench: ElsewhereBench) -> list[str]:
    """Return the receive count of each record, in order."""
    return [record["attributes"]["ApproximateReceiveCount"] for batch in bench.batches() for record in batch]


async def waiting(bench: ElsewhereBench, receives: int = 1) -> None:
    """Wait until so many receives have gone out."""
    await bench.until(lambda: bench.there.count("ReceiveMessage") >= receives)
    await bench.rest()


async def send_many(bench: ElsewhereBench, count: int, queue: str = "q", size_bytes: int = 0) -> None:
    """Send messages ten by ten, each its number and as much beside as it is to be long."""
    for start in range(0, count, 10):
        bodies = [str(number).ljust(size_bytes) for number in range(start, start + 10)]
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        await bench.there.handlers["SendMessageBatch"](bench.caller_there, {"QueueUrl": queue, "Entries": entries})


def test_a_mapping_at_rest_waits_there(tmp_path: Path) -> None:
    """One receive in twenty seconds, no memory reserved for what may come, and the visibility timeout told."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue(VisibilityTimeout="42")
        await bench.mapping()
        await waiting(bench)
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES
        await bench.pass_time(59, step_s=0.5)
        receives = [wanted for action, wanted in bench.there.asked if action == "ReceiveMessage"]
        assert len(receives) == 3
        assert receives[0]["WaitTimeSeconds"] == 20
        assert receives[0]["VisibilityTimeout"] == 42
        assert receives[0]["MaxNumberOfMessages"] == 10
        # The queue is looked up for the mapping, for its poller, and then every half minute.
        assert bench.there.count("GetQueueAttributes") == 3

    tell_there(tmp_path, story)


def test_a_server_that_keeps_nobody_waiting_is_asked_once_a_second(tmp_path: Path) -> None:
    """Whatever it makes of WaitTimeSeconds."""

    async def story(bench: ElsewhereBench) -> None:
        bench.there.is_hasty = True
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.pass_time(10)
        assert 5 <= bench.there.count("ReceiveMessage") <= 11
        await bench.send("a")
        await bench.until_depth(0, 0, 0, step_s=0.25)

    tell_there(tmp_path, story)


def test_a_full_answer_is_followed_by_many(tmp_path: Path) -> None:
    """A batch of thousands takes receives of ten, some at once; as many deletions follow."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue()
        await send_many(bench, 1000)
        await bench.mapping(BatchSize=1000, MaximumBatchingWindowInSeconds=5)
        await bench.until(lambda: bench.fleet.ran)
        (batch,) = bench.bodies()
        assert sorted(map(int, batch)) == list(range(1000))
        await bench.until_depth(0, 0, 0)
        assert bench.there.count("DeleteMessageBatch") == 100
        assert 100 <= bench.there.count("ReceiveMessage") <= 115

    tell_there(tmp_path, story)


def test_answers_of_unknown_length_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Each may be as long as any: as many are asked for as there is room for, and what they did not take is free."""

    async def story(bench: ElsewhereBench) -> None:
        bench.there.tells_lengths = False
        await bench.function()
        await bench.queue()
        await send_many(bench, 500)
        await bench.mapping(BatchSize=500, MaximumBatchingWindowInSeconds=5)
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert sorted(int(body) for batch in bench.bodies() for body in batch) == list(range(500))
        await bench.rest()
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES

    tell_there(tmp_path, story)


def test_mappings_with_long_messages_do_not_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds a part of what may be held takes no more than there is; all is read in the end."""
    monkeypatch.setattr("lambent.event_sources.budget.HELD_MAX_BYTES", 8 << 20)

    async def story(bench: ElsewhereBench) -> None:
        names = ["q-1", "q-2", "q-3"]
        await bench.function()
        for name in names:
            await bench.queue(name, VisibilityTimeout="3600")
            await send_many(bench, 60, name, 100_000)
        for name in names:
            await bench.mapping(name, BatchSize=60, MaximumBatchingWindowInSeconds=1)
        for name in names:
            await bench.until_depth(0, 0, 0, queue=name, step_s=0.25)
        assert sum(len(batch) for batch in bench.batches()) == 180
        assert set(counts(bench)) == {"1"}

    tell_there(tmp_path, story)


def test_an_answer_longer_than_any_takes_no_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is not waited for, whatever length it tells."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue()
        bench.there.says["ReceiveMessage"] = Answer(200, b"{}", length=2 << 30)
        await bench.mapping()
        await bench.send("a")
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert "the answer is longer than" in caplog.text
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES

    tell_there(tmp_path, story)


def test_an_answer_for_which_there_is_no_room_in_time_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its messages are others' by then; the queue is read again."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue(VisibilityTimeout="5")
        await bench.mapping()
        await waiting(bench)
        budget = bench.source._shared.budget
        budget.hold(HELD_MAX_BYTES)
        await bench.send("a")
        await bench.until(lambda: "no room" in caplog.text, step_s=0.25)
        budget.release(HELD_MAX_BYTES)
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert counts(bench) == ["2"]

    tell_there(tmp_path, story)


def test_what_comes_after_the_mapping_stopped_goes_back(tmp_path: Path) -> None:
    """The receive that waits is not broken off: its server might take messages for delivered."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue()
        uuid = await bench.mapping()
        await waiting(bench)
        await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
        await bench.until_state(uuid, "Disabled")
        await bench.send("a")
        await bench.until(lambda: bench.there.count("ChangeMessageVisibilityBatch") == 1)
        await bench.until_depth(1, 0, 0)
        await bench.pass_time(30)
        assert (bench.there.count("ReceiveMessage"), bench.fleet.ran) == (1, [])

    tell_there(tmp_path, story)


@pytest.mark.parametrize(
    ("change", "count"),
    [({"BatchSize": 5}, "1"), ({"FunctionName": "g"}, "2"), ({"MaximumBatchingWindowInSeconds": 60}, "2")],
)
def test_what_comes_after_a_change_is_for_the_new_settings(tmp_path: Path, change: dict[str, Any], count: str) -> None:
    """At once where it was read for as long; for another function or window it is received again, and has its time."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function("f")
        await bench.function("g", timeout_s=20)
        await bench.queue()
        uuid = await bench.mapping()
        await waiting(bench)
        await bench.call("UpdateEventSourceMapping", UUID=uuid, **change)
        await bench.until_state(uuid, "Enabled")
        await bench.send("a")
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert bench.bodies(change.get("FunctionName", "f")) == [["a"]]
        assert counts(bench) == [count]

    tell_there(tmp_path, story)


def test_a_server_that_stops_waits_for_nothing(tmp_path: Path) -> None:
    """Receives that wait end with it, within no time."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await waiting(bench)
        await bench.source.stop()
        await bench.rest()
        assert all(task.done() for task in bench.tasks)

    tell_there(tmp_path, story)


def test_a_server_that_is_away_is_asked_less_and_less(tmp_path: Path) -> None:
    """After 1, 2, 4, 8 and 16 seconds, and then every 16; what is sent once it is back is read."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await waiting(bench)
        bench.there.is_away = True
        await bench.pass_time(20.5)
        asked, gaps = len(bench.there.asked), []
        for _ in range(6):
            since = bench.clock.monotonic()
            await bench.until(lambda now=asked: len(bench.there.asked) > now, step_s=0.25)  # type: ignore[misc]
            gaps.append(round(bench.clock.monotonic() - since))
            asked = len(bench.there.asked)
        assert gaps[-1] == 16
        assert gaps == sorted(gaps)
        bench.there.is_away = False
        await bench.send("a")
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert counts(bench) == ["1"]

    tell_there(tmp_path, story)


def test_what_is_done_is_deleted_when_the_server_is_back(tmp_path: Path) -> None:
    """The deletion is tried again, and the function runs once."""

    async def story(bench: ElsewhereBench) -> None:
        async def does(_: Invocation) -> InvocationOutcome:
            bench.there.is_away = True
            return OK

        bench.fleet.does = does
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.send("a")
        await bench.until(lambda: bench.there.count("DeleteMessageBatch") == 2, step_s=0.25)
        bench.there.is_away = False
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert bench.bodies() == [["a"]]

    tell_there(tmp_path, story)


@pytest.mark.parametrize(("is_senders", "tries"), [(True, 1), (False, 2)])
def test_a_deletion_that_fails_for_one_message(tmp_path: Path, is_senders: bool, tries: int) -> None:
    """Where the handle is no good any more nothing else would help; where the server failed, all is tried again."""

    async def story(bench: ElsewhereBench) -> None:
        failed = [{"Id": "0", "Code": "X", "SenderFault": is_senders}]
        bench.there.says["DeleteMessageBatch"] = Answer(200, json.dumps({"Failed": failed}).encode())
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.send("a")
        await bench.until(lambda: bench.there.count("DeleteMessageBatch") == tries, step_s=0.25)
        await bench.pass_time(5)
        assert bench.there.count("DeleteMessageBatch") == tries
        assert await bench.depth() == ((0, 1, 0) if is_senders else (0, 0, 0))

    tell_there(tmp_path, story)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>"),
        Answer(200, b"[]"),
        Answer(200, b'{"Messages": 1}'),
        Answer(200, b'{"Messages": [1]}'),
        Answer(200, b"\xff"),
        Answer(500, b"{}"),
        Answer(503, b"slow down"),
        Answer(400, b'{"__type": "com.amazonaws.sqs#OverLimit", "message": "too many"}'),
        Answer(400, b'{"__type": "com.amazonaws.sqs#QueueDoesNotExist"}'),
    ],
    ids=lambda answer: str(answer._body)[:24],
)
def test_an_odd_answer_is_survived(tmp_path: Path, answer: Answer) -> None:
    """Whatever it is, the queue is read again."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue()
        bench.there.says["ReceiveMessage"] = answer
        await bench.mapping()
        await bench.send("a")
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert bench.bodies() == [["a"]]
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES

    tell_there(tmp_path, story)


def test_one_message_that_nobody_understands_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of a FIFO queue what follows it in its group waits with it; others are invoked."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue("q.fifo")

        def message(number: int, group: str, **more: Any) -> dict[str, Any]:
            attributes = {"MessageGroupId": group, "SentTimestamp": 1}
            return {"MessageId": str(number), "ReceiptHandle": "h", "Attributes": attributes, **more}

        messages = [
            message(1, "a", Body=1),
            message(2, "a", Body="a-2"),
            message(3, "b", Body="b-1", MessageAttributes={"x": {"DataType": "Binary", "BinaryValue": "?"}}),
            message(4, "c", Body="c-1"),
            {"Body": "without an id", "Attributes": {"MessageGroupId": "f"}},
            message(7, "f", Body="f-2"),
            {**message(8, "g", Body="g-1"), "MessageId": "of two\nlines"},
            {**message(9, "g", Body="g-1"), "MessageId": "long" * 100},
            {**message(6, "e"), "Attributes": {"MessageGroupId": ["e"]}},
            message(5, "d", Body="d-1", MessageAttributes={"x": {"DataType": "String", "StringValue": "y"}}),
        ]
        bench.there.says["ReceiveMessage"] = Answer(200, msgspec.json.encode({"Messages": messages}), has_length=False)
        await bench.mapping("q.fifo")
        await bench.until(lambda: bench.fleet.ran)
        assert bench.bodies() == [["c-1", "d-1"]]
        assert "two\nlines" not in caplog.text
        assert "long" * 100 not in caplog.text
        assert bench.batches()[0][0]["attributes"]["SentTimestamp"] == "1"

    tell_there(tmp_path, story)


def test_a_queue_that_goes_and_comes_again(tmp_path: Path) -> None:
    """The mapping stays, and looks for it now and then."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue()
        uuid = await bench.mapping()
        await waiting(bench)
        await bench.call("DeleteQueue", QueueUrl="q")
        await bench.pass_time(60, step_s=0.5)
        assert bench.there.count("GetQueueUrl") < 12
        assert await bench.state(uuid) == "Enabled"
        await bench.queue()
        await bench.send("a")
        await bench.until_depth(0, 0, 0, step_s=0.5)
        assert bench.bodies() == [["a"]]

    tell_there(tmp_path, story)


def test_a_server_that_lets_us_not_in_is_asked_every_half_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As with a queue of ours whose policy lets the role in no more; the log names the action."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue()
        denied = Answer(403, b'{"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "no"}')
        bench.there.says["ReceiveMessage"] = denied
        await bench.mapping()
        await bench.until(lambda: "mapping.denied" in caplog.text)
        assert "action=ReceiveMessage" in caplog.text
        await bench.send("a")
        await bench.pass_time(29)
        assert bench.fleet.ran == []
        await bench.until_depth(0, 0, 0, step_s=0.25)

    tell_there(tmp_path, story)


def test_who_waits_for_messages_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Where all mappings together may run one batch, one that waits for messages has no turn to itself."""

    async def story(bench: ElsewhereBench) -> None:
        gate = Gate(bench)
        for name in "fg":
            await bench.function(name)
            await bench.queue(f"q-{name}")
            await bench.mapping(f"q-{name}", name)
        await waiting(bench, 2)
        await bench.send("a", queue="q-f")
        await bench.until(lambda: gate.waiting)
        await bench.send("b", queue="q-g")
        await bench.until_depth(0, 1, 0, queue="q-g")
        gate.let_go("a")
        await bench.until(lambda: "b" in gate.waiting)
        gate.let_go("b")
        await bench.until_depth(0, 0, 0, queue="q-g")
        await bench.send("c", queue="q-f")
        await bench.until(lambda: "c" in gate.waiting)
        gate.let_all_go()

    tell_there(tmp_path, story, batches_max=1)


def test_an_answer_waits_until_there_is_room_for_it(tmp_path: Path) -> None:
    """While other mappings hold what may be held it is not read."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await waiting(bench)
        budget = bench.source._shared.budget
        budget.hold(HELD_MAX_BYTES)
        await bench.send("a")
        await bench.pass_time(5)
        assert bench.fleet.ran == []
        budget.release(HELD_MAX_BYTES)
        await bench.until_depth(0, 0, 0, step_s=0.05)
        assert counts(bench) == ["1"]

    tell_there(tmp_path, story)


def test_where_a_queue_is_looked_for(tmp_path: Path) -> None:
    """Ours first, and there if we have none; a mapping stays where its queue was found."""

    async def story(bench: ElsewhereBench) -> None:
        async def own(operation: str, **request: Any) -> None:
            await bench.queues.service.handlers[operation](bench.caller_there, request)

        await bench.function()
        await bench.queue("there")
        await bench.queue("both")
        await own("CreateQueue", QueueName="both")
        await bench.mapping("there")
        await bench.mapping("both")
        await own("CreateQueue", QueueName="there")
        for name in ("there", "both"):
            await bench.send(f"there-{name}", queue=name)
            await own("SendMessage", QueueUrl=name, MessageBody=f"ours-{name}")
        await bench.until(lambda: len(bench.fleet.ran) == 2)
        await bench.rest()
        assert sorted(bench.bodies()) == [["ours-both"], ["there-there"]]

    tell_there(tmp_path, story)


def test_refusals(tmp_path: Path) -> None:
    """In the words that are known of our own queues; what only another server can say is told with its code."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function(timeout_s=31)
        await bench.queue()
        wanted = {"EventSourceArn": queue_arn("q"), "FunctionName": "f"}
        create = "CreateEventSourceMapping"
        assert (await bench.refusal(create, **wanted))[1] == (
            "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"
        )
        assert "NonExistentQueue" in (await bench.refusal(create, **{**wanted, "EventSourceArn": queue_arn("no")}))[1]
        bench.there.says["GetQueueUrl"] = Answer(403, b'{"__type": "AccessDenied"}')
        assert (await bench.refusal(create, **wanted))[1] == (
            "The provided execution role does not have permissions to call GetQueueUrl on SQS"
        )
        bench.there.says["GetQueueAttributes"] = Answer(400, b'{"__type": "a#InvalidSecurity", "message": "m"}')
        assert await bench.refusal(create, **wanted) == (
            "InvalidParameterValueException",
            "Error occurred while GetQueueAttributes. SQS Error Code: InvalidSecurity. SQS Error Message: m",
        )
        bench.there.says["GetQueueAttributes"] = Answer(200, b"{}")
        assert (await bench.refusal(create, **wanted))[0] == "ServiceUnavailable"
        bench.there.is_away = True
        assert (await bench.refusal(create, **wanted))[0] == "ServiceUnavailable"

    tell_there(tmp_path, story)


def test_a_mapping_whose_server_is_not_named_any_more_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A server that starts without the setting says so, and reads nothing of it."""

    async def story(bench: ElsewhereBench) -> None:
        await bench.function()
        await bench.queue()
        uuid = await bench.mapping()
        await bench.crash()
        bench.there_is_named = False
        await bench.open()
        await bench.until(lambda: "none is named: --neighbour sqs=URL" in caplog.text, step_s=0.25)
        assert await bench.state(uuid) == "Enabled"

    tell_there(tmp_path, story)
