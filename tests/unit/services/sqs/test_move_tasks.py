"""Redrive tasks: what they move, where to, how they end, and that they go on after a restart."""

import asyncio
import json
from typing import Any

from lambent.testing.sqs import SqsBench

ARN = "arn:aws:sqs:eu-west-1:111122223333:"


def dead(sqs: SqsBench, *bodies: str, suffix: str = "") -> None:
    """Have messages given up by `q` to `dead`."""
    sqs.create(f"dead{suffix}")
    redrive = json.dumps({"deadLetterTargetArn": f"{ARN}dead{suffix}", "maxReceiveCount": 1})
    sqs.create(f"q{suffix}", RedrivePolicy=redrive, VisibilityTimeout="0")
    sqs.send(f"q{suffix}", *bodies)
    for _ in range(2):
        while sqs.receive(f"q{suffix}"):
            sqs.clock.advance(1)
    assert sqs.counts(f"dead{suffix}") == f"{len(bodies)}/0/0"


async def working(sqs: SqsBench, story: Any) -> Any:
    """Run a story while tasks are worked on."""
    work = asyncio.create_task(sqs.queues.move_tasks.run())
    try:
        return await story
    finally:
        work.cancel()
        await asyncio.wait([work])


async def ended(sqs: SqsBench, source: str = "dead") -> dict[str, Any]:
    """Let time pass until the newest task of a queue has ended; return it."""
    while True:
        (task,) = (await sqs.begin("ListMessageMoveTasks", SourceArn=ARN + source))["Results"]
        if task["Status"] != "RUNNING":
            found: dict[str, Any] = task
            return found
        await asyncio.sleep(0)
        sqs.clock.advance(0.5)


def move(sqs: SqsBench, source: str = "dead", **more: Any) -> dict[str, Any]:
    """Start a task and wait for its end."""
    sqs.call("StartMessageMoveTask", SourceArn=ARN + source, **more)
    found: dict[str, Any] = sqs.runner.run(working(sqs, ended(sqs, source)))
    return found


def test_messages_go_back_where_they_came_from(sqs: SqsBench) -> None:
    """As new ones: another id, received never, of no dead-letter source."""
    dead(sqs, *(f"m{number}" for number in range(12)))
    (before,) = sqs.receive("dead", 1, VisibilityTimeout=0)
    sqs.clock.advance(100)
    task = move(sqs)
    assert "TaskHandle" not in task
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"], task["ApproximateNumberOfMessagesToMove"]) == (
        "COMPLETED",
        12,
        12,
    )
    assert (sqs.counts("dead"), sqs.counts("q")) == ("0/0/0", "12/0/0")
    (first, *_) = sqs.receive("q", AttributeNames=["All"])
    assert first["MessageId"] != before["MessageId"]
    assert first["Attributes"]["ApproximateReceiveCount"] == "1"
    assert int(first["Attributes"]["SentTimestamp"]) > task["StartedTimestamp"] - 1
    assert "DeadLetterQueueSourceArn" not in first["Attributes"]


def test_another_destination_at_its_own_pace(sqs: SqsBench) -> None:
    """So many a second; the destination and the rate are shown."""
    dead(sqs, "a", "b", "c")
    sqs.create("other")
    before = sqs.clock.monotonic()
    task = move(sqs, DestinationArn=f"{ARN}other", MaxNumberOfMessagesPerSecond=1)
    assert sqs.clock.monotonic() - before >= 2
    assert (task["DestinationArn"], task["MaxNumberOfMessagesPerSecond"]) == (f"{ARN}other", 1)
    assert sqs.counts("other") == "3/0/0"


def test_a_fifo_message_is_no_repeat_of_itself(sqs: SqsBench) -> None:
    """The source remembers its id for five minutes; the message comes back all the same, and shows it."""
    dead(sqs, "g-1", "g-2", suffix=".fifo")
    assert move(sqs, "dead.fifo")["ApproximateNumberOfMessagesMoved"] == 2
    messages = sqs.receive("q.fifo", AttributeNames=["MessageDeduplicationId"])
    assert [message["Attributes"]["MessageDeduplicationId"] for message in messages] == ["g-1", "g-2"]


def test_a_task_goes_on_after_a_restart(sqs: SqsBench) -> None:
    """From where it was; every message is in exactly one of the two queues."""
    dead(sqs, *(f"m{number}" for number in range(25)))

    async def some() -> None:
        await sqs.begin("StartMessageMoveTask", SourceArn=f"{ARN}dead", MaxNumberOfMessagesPerSecond=5)
        moved = 0
        while moved == 0:
            await sqs.events.settle([])
            (task,) = (await sqs.begin("ListMessageMoveTasks", SourceArn=f"{ARN}dead"))["Results"]
            moved = task["ApproximateNumberOfMessagesMoved"]

    sqs.runner.run(working(sqs, some()))
    assert (sqs.counts("dead"), sqs.counts("q")) == ("20/0/0", "5/0/0")
    sqs.reopen()
    task = sqs.runner.run(working(sqs, ended(sqs)))
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 25)
    bodies = [message["Body"] for _ in range(3) for message in sqs.receive("q", VisibilityTimeout=1000)]
    assert sorted(bodies) == sorted(f"m{number}" for number in range(25))


def test_a_cancelled_task_leaves_the_rest(sqs: SqsBench) -> None:
    """What was moved stays moved; another task may begin."""
    dead(sqs, "a", "b")
    handle = sqs.call("StartMessageMoveTask", SourceArn=f"{ARN}dead")["TaskHandle"]
    assert sqs.refusal("StartMessageMoveTask", SourceArn=f"{ARN}dead")[1].startswith("There is already a task running.")
    assert sqs.call("CancelMessageMoveTask", TaskHandle=handle) == {"ApproximateNumberOfMessagesMoved": 0}
    assert sqs.refusal("CancelMessageMoveTask", TaskHandle=handle)[0] == "InvalidParameterValueException"
    assert sqs.runner.run(working(sqs, ended(sqs)))["Status"] == "CANCELLED"
    assert sqs.counts("dead") == "2/0/0"
    sqs.clock.advance(1)
    assert move(sqs)["Status"] == "COMPLETED"
    tasks = sqs.call("ListMessageMoveTasks", SourceArn=f"{ARN}dead", MaxResults=10)["Results"]
    assert [task["Status"] for task in tasks] == ["COMPLETED", "CANCELLED"]


def test_tasks_that_fail_say_why(sqs: SqsBench) -> None:
    """The destination is gone, or nobody knows where a message came from; nothing is lost."""
    dead(sqs, "a")
    sqs.call("DeleteQueue", QueueUrl="q")
    sqs.create("q2", RedrivePolicy=json.dumps({"deadLetterTargetArn": f"{ARN}dead", "maxReceiveCount": 1}))
    assert move(sqs)["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert sqs.counts("dead") == "1/0/0"
    sqs.call("PurgeQueue", QueueUrl="dead")
    sqs.send("dead", "sent here")
    assert move(sqs)["FailureReason"] == "CouldNotDetermineMessageSource"
    assert sqs.bodies("dead") == "sent here"


def test_what_cannot_be_moved(sqs: SqsBench) -> None:
    """Queues that nobody gives messages up to, queues that are not there, handles that are none."""
    sqs.create("plain")
    start = "StartMessageMoveTask"
    invalid, missing = "InvalidParameterValueException", "ResourceNotFoundException"
    assert sqs.refusal(start, SourceArn=f"{ARN}plain") == (
        invalid,
        "Source queue must be configured as a Dead Letter Queue.",
    )
    assert sqs.refusal(start, SourceArn=f"{ARN}nope") == (
        missing,
        "The resource that you specified for the SourceArn parameter doesn't exist.",
    )
    assert sqs.refusal(start, SourceArn=f"{ARN}plain", DestinationArn=f"{ARN}nope")[0] == missing
    assert sqs.refusal(start, SourceArn="x")[1].startswith("You must use this format to specify the SourceArn")
    assert sqs.refusal(start, SourceArn=f"{ARN}plain", MaxNumberOfMessagesPerSecond=501)[0] == invalid
    assert sqs.refusal("ListMessageMoveTasks", SourceArn=f"{ARN}plain", MaxResults=11)[0] == invalid
    assert sqs.call("ListMessageMoveTasks", SourceArn=f"{ARN}plain") == {"Results": []}
    assert sqs.refusal("CancelMessageMoveTask", TaskHandle="garbage") == (
        invalid,
        "Value for parameter TaskHandle is invalid.",
    )
    dead(sqs, "a")
    handle = sqs.call(start, SourceArn=f"{ARN}dead")["TaskHandle"]
    sqs.call("DeleteQueue", QueueUrl="dead")
    assert sqs.refusal("CancelMessageMoveTask", TaskHandle=handle)[0] == missing
    sqs.create("dead")
    assert sqs.refusal("CancelMessageMoveTask", TaskHandle=handle) == (missing, "Task does not exist.")
