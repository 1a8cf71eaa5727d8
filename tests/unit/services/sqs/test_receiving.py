"""What receivers get: attributes, order, groups, dead letters, retries of receives."""

from typing import Any

import pytest

from lambent.testing.sqs import SqsBench


def string(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def test_system_attributes(sqs: SqsBench) -> None:
    """None unless asked for; counted on with each receive."""
    sqs.create("q")
    sent = sqs.call(
        "SendMessage", caller=sqs.caller(trace_header="Root=1-2-3"), QueueUrl="q", MessageBody="m", MessageGroupId="t"
    )
    assert set(sent) == {"MessageId", "MD5OfMessageBody"}
    sqs.clock.advance(2)
    (first,) = sqs.receive("q", VisibilityTimeout=0)
    assert set(first) == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}
    sqs.clock.advance(1)
    (again,) = sqs.receive("q", MessageSystemAttributeNames=["All"])
    assert again["MessageId"] == sent["MessageId"] and again["ReceiptHandle"] != first["ReceiptHandle"]
    assert again["Attributes"] == {
        "SenderId": "111122223333",
        "SentTimestamp": "1795000000000",
        "ApproximateReceiveCount": "2",
        "ApproximateFirstReceiveTimestamp": "1795000002000",
        "AWSTraceHeader": "Root=1-2-3",
        "MessageGroupId": "t",
    }
    sqs.wait(30)
    names = {"AttributeNames": ["SenderId", "Policy"], "MessageSystemAttributeNames": ["SentTimestamp"]}
    (third,) = sqs.receive("q", **names)
    assert set(third["Attributes"]) == {"SenderId", "SentTimestamp"}
    assert sqs.refusal("ReceiveMessage", QueueUrl="q", MessageSystemAttributeNames=["Policy"]) == (
        "InvalidAttributeName",
        "Unknown Attribute Policy.",
    )


@pytest.mark.parametrize(
    ("asked", "got", "digest"),
    [
        (["All"], "General Hello Help.Me", "4c360f3fdafd970e05fae2f149d997f5"),
        ([".*"], "General Hello Help.Me", "4c360f3fdafd970e05fae2f149d997f5"),
        (["*"], "General Hello Help.Me", "4c360f3fdafd970e05fae2f149d997f5"),
        (["Hello", "General", "Nope"], "General Hello", "fca026605781cb4126a1e9044df24232"),
        (["Hel.*"], "Hello Help.Me", None),
        (["..foo", "AWS."], "", None),
        ([], "", None),
    ],
)
def test_message_attributes(sqs: SqsBench, asked: list[str], got: str, digest: str | None) -> None:
    """By name, by prefix or all; the digest is of those that come, and absent without any."""
    sqs.create("q")
    attributes = {"Hello": string("There"), "General": string("Kenobi"), "Help.Me": string("Me")}
    sqs.send("q", "m", MessageAttributes=attributes)
    (message,) = sqs.receive("q", MessageAttributeNames=asked)
    assert " ".join(sorted(message.get("MessageAttributes", {}))) == got
    assert ("MD5OfMessageAttributes" in message) is bool(got)
    if digest is not None:
        assert message["MD5OfMessageAttributes"] == digest


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"MaxNumberOfMessages": 11}, "Must be between 1 and 10, if provided."),
        ({"MaxNumberOfMessages": 0}, "Must be between 1 and 10, if provided."),
        ({"WaitTimeSeconds": 21}, "Must be >= 0 and <= 20, if provided."),
        ({"WaitTimeSeconds": -1}, "Must be >= 0 and <= 20, if provided."),
        ({"VisibilityTimeout": 43201}, "Must be >= 0 and <= 43200, if provided."),
        ({"ReceiveRequestAttemptId": "a"}, "The request includes a parameter that is not valid for this queue type."),
    ],
)
def test_what_cannot_be_asked(shared: SqsBench, given: dict[str, Any], text: str) -> None:
    """Beyond the ranges."""
    shared.create("q")
    ((name, value),) = given.items()
    expected = ("InvalidParameterValueException", f"Value {value} for parameter {name} is invalid. Reason: {text}")
    assert shared.refusal("ReceiveMessage", QueueUrl="q", **given) == expected


@pytest.mark.parametrize("attempt", ["a b", "\u00fc", "a" * 129])
def test_what_no_attempt_is_called(shared: SqsBench, attempt: str) -> None:
    shared.create("f.fifo")
    code, text = shared.refusal("ReceiveMessage", QueueUrl="f.fifo", ReceiveRequestAttemptId=attempt)
    assert code == "InvalidParameterValueException"
    assert text.endswith("alphanumeric and punctuation characters. 1 to 128 in length.")


def test_delays_and_timeouts(sqs: SqsBench) -> None:
    """A message's delay is in place of the queue's; timeouts end; retention ends, in flight or not."""
    sqs.create("q", DelaySeconds="10", VisibilityTimeout="20", MessageRetentionPeriod="60")
    sqs.send("q", "queue's")
    sqs.send("q", "own", DelaySeconds=0)
    assert (sqs.counts("q"), sqs.bodies("q")) == ("1/0/1", "own")
    sqs.wait(10)
    assert (sqs.bodies("q"), sqs.counts("q")) == ("queue's", "0/2/0")
    sqs.wait(20)
    assert sqs.bodies("q") == "own queue's"
    sqs.wait(31)
    assert sqs.bodies("q") == ""


# Section by section what was recorded of FIFO queues: steps and what they give.
ORDER = [
    # Two of four: the others wait until both are gone or back.
    (["r2=g-1 g-2", "r9=", "d0", "r9=", "d1", "r9=g-3 g-4"], ["g-1", "g-2", "g-3", "g-4"]),
    # The first is back, the second is not: the third waits behind the second.
    (["r2=g-1 g-2", "v0:0", "r9=g-1", "r9="], ["g-1", "g-2", "g-3", "g-4"]),
    # Of three in flight the second is extended: when the others come back, only the first is deliverable.
    (["r3=g-1 g-2 g-3", "v1:100", "t30", "r9=g-1", "r9="], ["g-1", "g-2", "g-3"]),
    # The first is extended: all wait.
    (["r3=g-1 g-2 g-3", "v0:100", "t30", "r9="], ["g-1", "g-2", "g-3"]),
    # One call fills from one group and goes on with the next.
    (["r3=a-1 a-2 b-1", "r9=c-1"], ["a-1", "b-1", "c-1", "a-2"]),
    # Groups do not wait for each other.
    (["r1=a-1", "r1=b-1", "d0", "r1=a-2"], ["a-1", "a-2", "b-1"]),
]


@pytest.mark.parametrize(("steps", "sent"), ORDER, ids=range(len(ORDER)))
def test_the_order_of_groups(sqs: SqsBench, steps: list[str], sent: list[str]) -> None:
    """A group is delivered from its oldest message on, up to the first that is in flight."""
    sqs.create("f.fifo")
    sqs.send("f.fifo", *sent)
    held: list[dict[str, Any]] = []
    for step in steps:
        if step[0] == "r":
            most, _, bodies = step[1:].partition("=")
            got = sqs.receive("f.fifo", int(most))
            held += got
            assert " ".join(message["Body"] for message in got) == bodies, step
        elif step[0] == "d":
            sqs.delete("f.fifo", held[int(step[1:])])
        elif step[0] == "v":
            number, _, seconds = step[1:].partition(":")
            sqs.hide("f.fifo", held[int(number)], int(seconds))
        else:
            sqs.wait(float(step[1:]))


def test_groups_take_turns(sqs: SqsBench) -> None:
    """Recorded: a served group goes to the end of the line."""
    sqs.create("f.fifo")
    sqs.send("f.fifo", "g1-m1", "g1-m2", "g2-m1", "g2-m2", "g3-m1")
    assert sqs.bodies("f.fifo", 3, VisibilityTimeout=0) == "g1-m1 g1-m2 g2-m1"
    assert sqs.bodies("f.fifo", 10) == "g3-m1 g1-m1 g1-m2 g2-m1 g2-m2"


def test_visible_counts_what_waits_behind_its_group(sqs: SqsBench) -> None:
    """Recorded: of six, one received, five are visible."""
    sqs.create("f.fifo")
    sqs.send("f.fifo", *(f"g-{number}" for number in range(6)))
    sqs.receive("f.fifo", 1)
    assert sqs.counts("f.fifo") == "5/1/0"


def test_a_fifo_message_shows_its_place(sqs: SqsBench) -> None:
    """Group, deduplication id, and a number of twenty digits that rises."""
    sqs.create("f.fifo", ContentBasedDeduplication="true")
    first, second = (
        sqs.call("SendMessage", QueueUrl="f.fifo", MessageBody=body, MessageGroupId="g") for body in ("a", "b")
    )
    assert len(first["SequenceNumber"]) == 20 and first["SequenceNumber"] < second["SequenceNumber"]
    (message, _) = sqs.receive("f.fifo", AttributeNames=["All"])
    assert message["Attributes"]["MessageGroupId"] == "g"
    assert message["Attributes"]["SequenceNumber"] == first["SequenceNumber"]
    # SHA-256 of the body.
    assert message["Attributes"]["MessageDeduplicationId"].startswith("ca978112ca1bbdcafac231b39a23dc4d")


def test_deduplication(sqs: SqsBench) -> None:
    """Five minutes from the send, whatever became of the message; in the queue, or in each group."""
    sqs.create("f.fifo")
    (first,) = sqs.send("f.fifo", "a-1")
    (repeat,) = sqs.send("f.fifo", "b-1", MessageDeduplicationId="a-1")
    assert (repeat["MessageId"], repeat["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    (message,) = sqs.receive("f.fifo")
    sqs.delete("f.fifo", message)
    sqs.send("f.fifo", "a-1")
    assert sqs.bodies("f.fifo") == ""
    sqs.wait(301)
    sqs.send("f.fifo", "a-1")
    assert sqs.bodies("f.fifo") == "a-1"
    sqs.call("SetQueueAttributes", QueueUrl="f.fifo", Attributes={"DeduplicationScope": "messageGroup"})
    sqs.send("f.fifo", "c-1", "d-1", MessageDeduplicationId="same")
    assert sqs.bodies("f.fifo") == "c-1 d-1"


def test_a_receive_that_is_tried_again_gets_the_same(sqs: SqsBench) -> None:
    """The same messages and handles, their time begun anew; without those that were deleted meanwhile."""
    sqs.create("f.fifo")
    sqs.send("f.fifo", "a-1", "a-2", "b-1")
    first = sqs.receive("f.fifo", 2, ReceiveRequestAttemptId="try")
    sqs.wait(20)
    assert sqs.receive("f.fifo", 2, ReceiveRequestAttemptId="try") == first
    sqs.wait(20)
    sqs.delete("f.fifo", first[0])
    assert sqs.receive("f.fifo", 2, ReceiveRequestAttemptId="try") == first[1:]
    assert sqs.bodies("f.fifo", 2, ReceiveRequestAttemptId="other") == "b-1"
    sqs.wait(31)
    assert sqs.bodies("f.fifo", 2, ReceiveRequestAttemptId="try") == "a-2 b-1"
