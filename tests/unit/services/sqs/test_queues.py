"""Queues: made once, compared, changed, listed, purged, deleted."""

from pathlib import Path

import pytest

from lambent.errors.api.sqs import QueueDeletedRecently
from lambent.testing.sqs import SqsBench

EXISTS = "A queue already exists with the same name and a different value for attribute "


def test_a_queue_shows_its_attributes(sqs: SqsBench) -> None:
    """What is always there, what only FIFO queues have, what was set."""
    sqs.create("q", DelaySeconds="5")
    assert sqs.attributes("q") == {
        "QueueArn": "arn:aws:sqs:eu-west-1:111122223333:q",
        "CreatedTimestamp": "1795000000",
        "LastModifiedTimestamp": "1795000000",
        "VisibilityTimeout": "30",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "5",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
    }
    sqs.create("f.fifo")
    fifo = ("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
    assert list(sqs.attributes("f.fifo", *fifo).values()) == ["true", "false", "queue", "perQueue"]
    assert sqs.attributes("q", "Policy", "FifoQueue") == {}
    assert sqs.call("GetQueueAttributes", QueueUrl="q") == {}
    assert sqs.refusal("GetQueueAttributes", QueueUrl="q", AttributeNames=["Foobar"]) == (
        "InvalidAttributeName",
        "Unknown Attribute Foobar.",
    )


def test_creation_is_repeatable_while_nothing_differs(sqs: SqsBench) -> None:
    """Only what is given is compared, and with what the queue has now."""
    sqs.create("q", DelaySeconds="1", VisibilityTimeout="20")
    sqs.send("q", "m")
    for same in ({}, {"DelaySeconds": "1"}, {"DelaySeconds": "01"}, {"MaximumMessageSize": "1048576"}):
        sqs.create("q", **same)
    sqs.call("SetQueueAttributes", QueueUrl="q", Attributes={"DelaySeconds": "2"})
    sqs.create("q", DelaySeconds="2")
    for other, named in (({"DelaySeconds": "1"}, "DelaySeconds"), ({"VisibilityTimeout": "30"}, "VisibilityTimeout")):
        assert sqs.refusal("CreateQueue", QueueName="q", Attributes=other) == ("QueueNameExists", EXISTS + named)


@pytest.mark.parametrize(
    ("name", "attributes", "code", "text"),
    [
        ("a b", {}, "InvalidParameterValueException", "Can only include alphanumeric"),
        ("a" * 81, {}, "InvalidParameterValueException", "Can only include alphanumeric"),
        ("f.fifo", {}, "InvalidParameterValueException", "Can only include alphanumeric"),
        ("f", {"FifoQueue": "true"}, "InvalidParameterValueException", "The name of a FIFO queue can only"),
        ("q", {"FifoQueue": "false"}, "InvalidAttributeName", "Unknown Attribute FifoQueue."),
        ("q", {"ContentBasedDeduplication": "true"}, "InvalidAttributeName", "Unknown Attribute ContentBased"),
        ("q", {"DeduplicationScope": "queue"}, "InvalidAttributeName", "You can specify the DeduplicationScope only"),
        ("q", {"VisibilityTimeout": "43201"}, "InvalidAttributeValue", "Invalid value for the parameter Visibility"),
        ("q", {"DelaySeconds": "-1"}, "InvalidAttributeValue", "Invalid value for the parameter DelaySeconds."),
        ("q", {"QueueArn": "x"}, "InvalidAttributeName", "Unknown Attribute QueueArn."),
        ("q", {"Policy": "{"}, "InvalidAttributeValue", "Invalid value for the parameter Policy."),
        ("q", {"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"}, "InvalidAttributeName", "You can use one type"),
        ("f.fifo", {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}, "InvalidAttributeValue", "Inval"),
    ],
)
def test_what_no_queue_can_be(shared: SqsBench, name: str, attributes: dict[str, str], code: str, text: str) -> None:
    """Names and values that are refused, and how."""
    found = shared.refusal("CreateQueue", QueueName=name, Attributes=attributes)
    assert found[0] == code and found[1].startswith(text), found
    assert shared.call("ListQueues") == {}


def test_a_queues_type_stays(sqs: SqsBench) -> None:
    """FifoQueue may be repeated and not taken back."""
    sqs.create("f.fifo")
    sqs.call("SetQueueAttributes", QueueUrl="f.fifo", Attributes={"FifoQueue": "true"})
    assert sqs.refusal("SetQueueAttributes", QueueUrl="f.fifo", Attributes={"FifoQueue": "false"}) == (
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    )


def test_two_kinds_of_encryption_end_each_other(sqs: SqsBench) -> None:
    """As recorded: a key turns the other kind off, and without the key it stays off."""
    names = ("SqsManagedSseEnabled", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds")
    sqs.create("q")

    def after(**change: str) -> dict[str, str]:
        sqs.call("SetQueueAttributes", QueueUrl="q", Attributes=change)
        return sqs.attributes("q", *names)

    assert after(KmsMasterKeyId="k") == {"SqsManagedSseEnabled": "false", "KmsMasterKeyId": "k"}
    assert after(KmsDataKeyReusePeriodSeconds="600")["KmsDataKeyReusePeriodSeconds"] == "600"
    assert after(KmsMasterKeyId="") == {"SqsManagedSseEnabled": "false"}
    assert after(KmsMasterKeyId="k2") == {"SqsManagedSseEnabled": "false", "KmsMasterKeyId": "k2"}
    assert after(SqsManagedSseEnabled="true") == {"SqsManagedSseEnabled": "true"}


def test_listings_go_on_where_they_ended(sqs: SqsBench) -> None:
    """By name; a token comes to those alone who ask for pages."""
    for name in ("b", "a", "ab", "c"):
        sqs.create(name)

    def names(**asked: object) -> tuple[list[str], str | None]:
        answer = sqs.call("ListQueues", **asked)
        return [url.rsplit("/", 1)[1] for url in answer.get("QueueUrls", [])], answer.get("NextToken")

    assert names() == (["a", "ab", "b", "c"], None)
    assert names(QueueNamePrefix="a") == (["a", "ab"], None)
    first, token = names(MaxResults=3)
    assert first == ["a", "ab", "b"]
    assert names(MaxResults=3, NextToken=token) == (["c"], None)
    assert sqs.refusal("ListQueues", NextToken="é")[0] == "InvalidParameterValueException"
    assert sqs.refusal("ListQueues", MaxResults=1001)[0] == "InvalidParameterValueException"
    assert sqs.call("ListQueues", QueueNamePrefix="zz") == {}


def test_a_purge_forgets_all_and_rests_a_minute(sqs: SqsBench) -> None:
    """What waits, what is delayed, what is in flight, and deduplication ids; the next purge is 60 s later."""
    sqs.create("f.fifo", VisibilityTimeout="5")
    sqs.send("f.fifo", "g-1", "g-2", "h-1")
    (held,) = sqs.receive("f.fifo", 1)
    sqs.call("PurgeQueue", QueueUrl="f.fifo")
    assert sqs.counts("f.fifo") == "0/0/0"
    sqs.delete("f.fifo", held)
    sqs.send("f.fifo", "g-1")
    assert sqs.bodies("f.fifo") == "g-1"
    assert sqs.refusal("PurgeQueue", QueueUrl="f.fifo") == (
        "PurgeQueueInProgress",
        "Only one PurgeQueue operation on f.fifo is allowed every 60 seconds.",
    )
    sqs.clock.advance(60)
    sqs.call("PurgeQueue", QueueUrl="f.fifo")


def test_a_deleted_queue_is_gone_at_once(sqs: SqsBench) -> None:
    """With all it held; one of the same name is another."""
    sqs.create("q", DelaySeconds="3")
    sqs.send("q", "old")
    sqs.call("DeleteQueue", QueueUrl="q")
    for operation in ("DeleteQueue", "PurgeQueue", "GetQueueAttributes", "ReceiveMessage", "ListQueueTags"):
        assert sqs.refusal(operation, QueueUrl="q") == ("QueueDoesNotExist", "The specified queue does not exist.")
    sqs.create("q")
    assert sqs.attributes("q", "DelaySeconds") == {"DelaySeconds": "0"}
    assert sqs.receive("q") == []


def test_the_wait_of_aws_can_be_had(tmp_path: Path) -> None:
    """With a setting, a name is taken for a minute after its queue was deleted."""
    sqs = SqsBench(tmp_path, recreate_wait_s=60)
    sqs.create("q")
    sqs.call("DeleteQueue", QueueUrl="q")
    with pytest.raises(QueueDeletedRecently):
        sqs.create("q")
    sqs.clock.advance(60)
    sqs.create("q")
    sqs.close()


def test_urls_name_queues_by_their_end(sqs: SqsBench) -> None:
    """The host does not matter, and a bare name will do."""
    sqs.create("q")
    for url in ("q", "https://sqs.eu-west-1.amazonaws.com/111122223333/q", "http://127.0.0.1:4566/111122223333/q/"):
        assert sqs.attributes(url, "QueueArn")
    assert sqs.call("GetQueueUrl", QueueName="q") == {"QueueUrl": "http://127.0.0.1:4566/111122223333/q"}
    for url in ("", "/", "http://x/111122223333/a b"):
        assert sqs.refusal("ReceiveMessage", QueueUrl=url)[0] == "QueueDoesNotExist"
