"""Messages from within."""

import pytest

from lambent.errors.families import DependencyError
from lambent.store.contract import QueueFull
from lambent.testing.sqs import SCOPE, SqsBench


def test_a_message_from_within_is_received_as_any_other(sqs: SqsBench) -> None:
    """With its attributes and trace header, by the queue's delay, from the account itself."""
    sqs.create("q", DelaySeconds="5", MaximumMessageSize="1024")
    sent = sqs.runner.run(sqs.queues.door.send(SCOPE, "q", "x" * 2000, {"k": ("String", "x")}, "Root=1-2-3"))
    assert sent
    assert sqs.counts("q") == "0/0/1"
    sqs.wait(5)
    (message,) = sqs.receive("q", MessageAttributeNames=["All"], AttributeNames=["SenderId", "AWSTraceHeader"])
    assert message["MD5OfMessageAttributes"] == "a45daa70926828a2f0a1db3418e6feb4"
    assert message["Attributes"] == {"SenderId": SCOPE.account, "AWSTraceHeader": "Root=1-2-3"}


def test_queues_that_are_not_there(sqs: SqsBench) -> None:
    """Missing, removed, or of a type that needs a group."""
    door = sqs.queues.door
    sqs.create("f.fifo")
    sqs.create("q")
    assert sqs.runner.run(door.exists(SCOPE, "q"))
    sqs.call("DeleteQueue", QueueUrl="q")
    assert not sqs.runner.run(door.exists(SCOPE, "q"))
    for name in ("q", "f.fifo", "nowhere"):
        assert not sqs.runner.run(door.send(SCOPE, name, "m", {}))


def test_a_full_queue_is_a_reason_to_come_again(sqs: SqsBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever delivers tries later."""

    async def full(_: object) -> None:
        raise QueueFull("full")

    sqs.create("q")
    monkeypatch.setattr(sqs.events, "put", full)
    with pytest.raises(DependencyError) as excinfo:
        sqs.runner.run(sqs.queues.door.send(SCOPE, "q", "m", {}))
    assert excinfo.value.retryable
    assert sqs.refusal("SendMessage", QueueUrl="q", MessageBody="m")[0] == "OverLimit"
