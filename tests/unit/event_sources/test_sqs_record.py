"""A message as the function gets it. What is in every record is in test_sqs_poller."""

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.queue_message import QueueMessage
from lambent.event_sources.sqs_record import record_of
from lambent.store.contract import Claim, QueueKind, QueueName, Receipt

SCOPE = Scope("111122223333", "eu-west-1")
QUEUE = QueueName(SCOPE, QueueKind.SQS, "orders")
CLAIM = Claim(Receipt(QUEUE, 17, 2), "id", b"", b"", None, None, 2, 1_795_000_000_123, 1_795_000_000_130, 0.0)


def test_what_only_some_messages_have() -> None:
    """A trace, a tenant of a standard queue, and where a dead letter came from; absent where there is none."""
    plain = record_of(CLAIM, QueueMessage("body", sender="AIDA"), "handle")["attributes"]
    assert plain == {
        "SenderId": "AIDA",
        "SentTimestamp": "1795000000123",
        "ApproximateReceiveCount": "2",
        "ApproximateFirstReceiveTimestamp": "1795000000130",
    }
    dead = msgspec.structs.replace(CLAIM, redriven_from=QueueName(SCOPE, QueueKind.SQS, "source"))
    message = QueueMessage("body", sender="AIDA", trace_header="Root=1-2-3", group="tenant")
    assert record_of(dead, message, "handle")["attributes"] == {
        **plain,
        "AWSTraceHeader": "Root=1-2-3",
        "MessageGroupId": "tenant",
        "DeadLetterQueueSourceArn": "arn:aws:sqs:eu-west-1:111122223333:source",
    }


def test_its_place() -> None:
    """The queue's own region and ARN, whichever the function's are."""
    record = record_of(CLAIM, QueueMessage("body"), "handle")
    assert (record["awsRegion"], record["eventSourceARN"]) == ("eu-west-1", "arn:aws:sqs:eu-west-1:111122223333:orders")
    assert (record["receiptHandle"], record["messageId"]) == ("handle", "id")
