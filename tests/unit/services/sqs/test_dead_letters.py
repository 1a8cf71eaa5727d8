"""Messages that are given up, and what may be given up to whom."""

import json
from typing import Any

import pytest

from lambent.testing.sqs import SqsBench

VALID = "valid values are from 1 to 1000 both inclusive."
ARN = "arn:aws:sqs:eu-west-1:111122223333:"


def policy(name: str = "dead", after: Any = 1, **more: Any) -> str:
    return json.dumps({"deadLetterTargetArn": ARN + name, "maxReceiveCount": after, **more})


def test_a_message_is_given_up(sqs: SqsBench) -> None:
    """Past maxReceiveCount; it keeps what it was, its count goes on, and it tells where it comes from."""
    sqs.create("dead")
    sqs.create("q", RedrivePolicy=policy(), VisibilityTimeout="0")
    (sent,) = sqs.send("q", "m", MessageAttributes={"k": {"DataType": "String", "StringValue": "x"}})
    assert sqs.bodies("q") == "m"
    sqs.clock.advance(1)
    assert sqs.bodies("q") == ""
    (dead,) = sqs.receive("dead", AttributeNames=["All"], MessageAttributeNames=["All"])
    assert dead["MessageId"] == sent["MessageId"]
    assert dead["MD5OfMessageAttributes"] == "a45daa70926828a2f0a1db3418e6feb4"
    assert dead["Attributes"] == {
        "SenderId": "111122223333",
        "SentTimestamp": "1795000000000",
        "ApproximateReceiveCount": "2",
        "ApproximateFirstReceiveTimestamp": "1795000000000",
        "DeadLetterQueueSourceArn": f"{ARN}q",
    }


def test_a_group_goes_on_when_its_head_is_given_up(sqs: SqsBench) -> None:
    """Recorded of FIFO queues."""
    sqs.create("dead.fifo")
    sqs.create("f.fifo", RedrivePolicy=policy("dead.fifo", "1"), VisibilityTimeout="5")
    sqs.send("f.fifo", "g-1", "g-2")
    assert sqs.bodies("f.fifo", 1) == "g-1"
    sqs.wait(5)
    assert sqs.bodies("f.fifo", 1) == "g-2"
    (dead,) = sqs.receive("dead.fifo", AttributeNames=["All"])
    assert (dead["Body"], dead["Attributes"]["MessageDeduplicationId"]) == ("g-1", "g-1")


def test_nothing_is_lost_with_its_dead_letter_queue(sqs: SqsBench) -> None:
    """While there is no target, messages go on being received."""
    sqs.create("dead")
    sqs.create("q", RedrivePolicy=policy(), VisibilityTimeout="0")
    sqs.call("DeleteQueue", QueueUrl="dead")
    sqs.send("q", "m")
    assert [sqs.bodies("q") for _ in range(3)] == ["m", "m", "m"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
        ("[]", "Redrive policy is not a valid JSON map."),
        (policy(after=None), "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
        (policy(after=0), f"Invalid value for maxReceiveCount: 0, {VALID}"),
        (policy(after=1001), f"Invalid value for maxReceiveCount: 1001, {VALID}"),
        (policy("dead.fifo"), "Dead-letter queue must be same type of queue as the source."),
        (policy("missing"), "Dead letter target does not exist."),
        (policy("closed"), "Queue permissions on the dead-letter target do not allow redrive from the source queue."),
        (policy().replace("sqs", "sns"), "Only SQS queues are valid resources for deadLetterTargetArn."),
        (policy().replace("1111", "9999"), "Dead-letter target owner should be same as the source."),
        (policy().replace("eu-west-1", "eu-west-2"), "Dead-letter target must be in the region of the source."),
    ],
)
def test_redrive_policies_that_are_refused(shared: SqsBench, text: str, reason: str) -> None:
    """Each with its reason, at creation and later."""
    shared.create("dead")
    shared.create("closed", RedriveAllowPolicy='{"redrivePermission":"denyAll"}')
    shared.create("q")
    expected = (
        "InvalidParameterValueException",
        f"Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}",
    )
    assert shared.refusal("SetQueueAttributes", QueueUrl="q", Attributes={"RedrivePolicy": text}) == expected
    assert shared.refusal("CreateQueue", QueueName="q2", Attributes={"RedrivePolicy": text}) == expected
    assert shared.attributes("q", "RedrivePolicy") == {}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"redrivePermission":"x"}',
        '{"redrivePermission":"byQueue"}',
        '{"redrivePermission":"byQueue","sourceQueueArns":[]}',
        '{"redrivePermission":"byQueue","sourceQueueArns":["x"]}',
        f'{{"redrivePermission":"allowAll","sourceQueueArns":["{ARN}q"]}}',
    ],
)
def test_allow_policies_that_are_refused(shared: SqsBench, text: str) -> None:
    """They must say what is allowed."""
    assert shared.refusal("CreateQueue", QueueName="q", Attributes={"RedriveAllowPolicy": text})[0] == (
        "InvalidAttributeValue"
    )


@pytest.mark.parametrize("after", [3, "3"])
def test_a_policy_is_shown_without_blanks(sqs: SqsBench, after: Any) -> None:
    """Its members in their order, and the number as it was sent."""
    sqs.create("dead")
    sqs.create("q", RedrivePolicy=json.dumps({"maxReceiveCount": after, "deadLetterTargetArn": ARN + "dead"}, indent=2))
    shown = f'{{"maxReceiveCount":{json.dumps(after)},"deadLetterTargetArn":"{ARN}dead"}}'
    assert sqs.attributes("q", "RedrivePolicy") == {"RedrivePolicy": shown}


def test_sources_are_listed(sqs: SqsBench) -> None:
    """By name, in pages; a policy that is taken away, or allows some only, changes who is one."""
    sqs.create(
        "dead",
        RedriveAllowPolicy=json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [ARN + "a", ARN + "b"]}),
    )
    for name in ("b", "a"):
        sqs.create(name, RedrivePolicy=policy())
    assert sqs.refusal("CreateQueue", QueueName="c", Attributes={"RedrivePolicy": policy()})[0] == (
        "InvalidParameterValueException"
    )

    def sources(**asked: Any) -> tuple[list[str], str | None]:
        answer = sqs.call("ListDeadLetterSourceQueues", QueueUrl="dead", **asked)
        return [url.rsplit("/", 1)[1] for url in answer["queueUrls"]], answer.get("NextToken")

    assert sources() == (["a", "b"], None)
    first, token = sources(MaxResults=1)
    assert (first, sources(MaxResults=1, NextToken=token)) == (["a"], (["b"], None))
    sqs.call("SetQueueAttributes", QueueUrl="b", Attributes={"RedrivePolicy": ""})
    sqs.call("DeleteQueue", QueueUrl="a")
    assert sources() == ([], None)
    assert sqs.attributes("b", "RedrivePolicy") == {}
