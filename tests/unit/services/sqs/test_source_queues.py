"""What a mapping has to know of a queue."""

import json

import pytest

from lambent.domain.caller import Scope
from lambent.services.sqs.source_queues import NotAllowed, SourceQueue
from lambent.testing.sqs import SCOPE, SqsBench

ROLE = "arn:aws:iam::444455556666:role/reader"
OTHER = Scope("444455556666", SCOPE.region)


def arn_of(name: str) -> str:
    return f"arn:aws:sqs:{SCOPE.region}:{SCOPE.account}:{name}"


def find(sqs: SqsBench, arn: str, scope: Scope = SCOPE) -> SourceQueue | None:
    return sqs.runner.run(sqs.queues.sources.find(arn, scope, ROLE))


def test_a_queue_of_the_own_account(sqs: SqsBench) -> None:
    """Its type and its visibility timeout, as they are now; None where there is none."""
    sqs.create("q")
    assert find(sqs, arn_of("q")) == SourceQueue(sqs.queue("q"), False, 30)
    sqs.call("SetQueueAttributes", QueueUrl="q", Attributes={"VisibilityTimeout": "7"})
    assert find(sqs, arn_of("q")) == SourceQueue(sqs.queue("q"), False, 7)
    sqs.create("q.fifo")
    assert find(sqs, arn_of("q.fifo")) == SourceQueue(sqs.queue("q.fifo"), True, 30)
    assert find(sqs, arn_of("none")) is None
    assert find(sqs, "arn:aws:s3:::bucket") is None


@pytest.mark.parametrize(
    ("statement", "lacking"),
    [
        (None, "ReceiveMessage"),
        ({"Principal": {"AWS": ROLE}, "Action": "sqs:ReceiveMessage"}, "DeleteMessage"),
        ({"Principal": {"AWS": ROLE}, "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"]}, "GetQueueAttributes"),
        ({"Principal": {"AWS": ROLE + "-other"}, "Action": "sqs:*"}, "ReceiveMessage"),
        ({"Principal": {"AWS": ROLE}, "Action": "sqs:*"}, None),
        ({"Principal": {"AWS": OTHER.account}, "Action": "sqs:*"}, None),
    ],
)
def test_a_queue_of_another_account(sqs: SqsBench, statement: dict[str, object] | None, lacking: str | None) -> None:
    """Its policy decides, and a queue that is not there looks as one that lets nobody in."""
    attributes = {}
    if statement is not None:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}
        attributes["Policy"] = json.dumps(document)
    sqs.create("q", **attributes)
    if lacking is None:
        assert find(sqs, arn_of("q"), OTHER) is not None
    else:
        with pytest.raises(NotAllowed, match=f"^{lacking}$"):
            find(sqs, arn_of("q"), OTHER)
    with pytest.raises(NotAllowed, match=r"^ReceiveMessage$"):
        find(sqs, arn_of("none"), OTHER)
