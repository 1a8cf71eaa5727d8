"""ARNs that records go to."""

import pytest

from lambent.domain.caller import Scope
from lambent.domain.destination import Target, parse_target, why_not_offered

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
        ("arn:aws:s3:::bucket", "S3"),
        ("kafka://topic", "Kafka"),
    ],
)
def test_what_comes_later_is_named(arn: str, word: str) -> None:
    """Whoever configures one is told what is missing, and what to use."""
    reason = why_not_offered(arn, OFFERED)
    assert reason is not None
    assert word in reason
    assert "use a function or an SQS queue" in reason
    assert why_not_offered(arn, (*OFFERED, "sns", "events", "s3", "kafka")) is None


def test_what_never_was_a_destination_is_not_announced() -> None:
    """Other services, and those that are there."""
    for arn in ("arn:aws:iam::111122223333:role/r", "arn:aws:sqs:us-east-1:111122223333:q", "nonsense"):
        assert why_not_offered(arn, OFFERED) is None
