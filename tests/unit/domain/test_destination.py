"""ARNs that records go to."""

import pytest

from lambent.domain.caller import Scope
from lambent.domain.destination import Target, object_key, parse_target, why_not_offered

OFFERED = ("lambda", "sqs")


def test_an_arn_is_taken_apart() -> None:
    """Service, scope and the service's own name; also of ARNs without account or region."""
    arn = "arn:aws:lambda:eu-west-1:111122223333:function:f:live"
    assert parse_target(arn) == Target(arn, "lambda", Scope("111122223333", "eu-west-1"), "function:f:live")
    assert parse_target("arn:aws:s3:::bucket") == Target("arn:aws:s3:::bucket", "s3", Scope("", ""), "bucket")
    for nonsense in ("", "f", "arn:aws:sqs", "kafka://topic", "arn:aws:sqs:r:12:q"):
        assert parse_target(nonsense) is None


@pytest.mark.parametrize(
    ("arn", "word"),
    [
        ("arn:aws:sns:us-east-1:111122223333:t", "SNS"),
        ("arn:aws:events:us-east-1:111122223333:event-bus/b", "EventBridge"),
        ("kafka://topic", "Kafka"),
    ],
)
def test_what_comes_later_is_named(arn: str, word: str) -> None:
    """Whoever configures one is told what is missing, and what to use."""
    reason = why_not_offered(arn, OFFERED)
    assert reason is not None
    assert word in reason
    assert "use a function or an SQS queue" in reason
    assert why_not_offered(arn, (*OFFERED, "sns", "events", "kafka")) is None


def test_what_never_was_a_destination_is_not_announced() -> None:
    """Other services, and those that are there."""
    for arn in (
        "arn:aws:iam::111122223333:role/r",
        "arn:aws:sqs:us-east-1:111122223333:q",
        "arn:aws:s3:::b",
        "nonsense",
    ):
        assert why_not_offered(arn, OFFERED) is None


def test_a_buckets_arn_means_one_of_whoever_names_it() -> None:
    """It says neither account nor region; what other ARNs leave out stays out."""
    scope = Scope("111122223333", "eu-west-1")
    bucket, queue = parse_target("arn:aws:s3:::bucket"), parse_target("arn:aws:sqs:eu-west-1::q")
    assert bucket is not None and queue is not None
    assert bucket.seen_from(scope) == Target("arn:aws:s3:::bucket", "s3", scope, "bucket")
    assert queue.seen_from(scope) == queue


def test_the_key_of_a_record() -> None:
    """Of asynchronous invocations, and of a shard of a mapping; in UTC."""
    assert object_key("async/f", 1_795_572_619.9, "6f0c") == "aws/lambda/async/f/2026/11/25/2026-11-25T02.10.19-6f0c"
    key = object_key("7b3e/shardId-000000000000", 1_795_572_619.9, "6f0c")
    assert key == "aws/lambda/7b3e/shardId-000000000000/2026/11/25/2026-11-25T02.10.19-6f0c"
