"""Tags of queues."""

import asyncio

from lambent.testing.sqs import SqsBench

INVALID = "InvalidParameterValueException"


def test_tags_merge(sqs: SqsBench) -> None:
    """The same key is written over, an absent one ignored, an empty value kept; made with the queue and shown."""
    sqs.call("CreateQueue", QueueName="q", tags={"a": "1"})
    sqs.call("CreateQueue", QueueName="q", tags={"ignored": "1"})
    sqs.call("TagQueue", QueueUrl="q", Tags={"a": "2", "A": ""})
    assert sqs.call("ListQueueTags", QueueUrl="q") == {"Tags": {"a": "2", "A": ""}}
    sqs.call("UntagQueue", QueueUrl="q", TagKeys=["a", "A", "absent"])
    assert sqs.call("ListQueueTags", QueueUrl="q") == {}


def test_tags_that_are_refused(sqs: SqsBench) -> None:
    """Too many, reserved, too long; the queue keeps what it had."""
    sqs.create("q")
    many = {f"k{number}": "" for number in range(51)}
    assert sqs.refusal("TagQueue", QueueUrl="q", Tags=many) == (INVALID, "Too many tags added for queue q.")
    for tags in ({"aws:x": "1"}, {"": "1"}, {"k" * 129: "1"}, {"k": "v" * 257}):
        assert sqs.refusal("TagQueue", QueueUrl="q", Tags=tags)[0] == INVALID
        assert sqs.refusal("CreateQueue", QueueName="q2", tags=tags)[0] == INVALID
    assert sqs.call("ListQueueTags", QueueUrl="q") == {}


def test_changes_at_once_all_happen(sqs: SqsBench) -> None:
    """Forty callers change one queue at the same time, and none takes another's change back."""
    sqs.create("q")

    async def all_at_once() -> None:
        await asyncio.gather(*(sqs.begin("TagQueue", QueueUrl="q", Tags={f"k{number}": ""}) for number in range(40)))

    sqs.runner.run(all_at_once())
    assert len(sqs.call("ListQueueTags", QueueUrl="q")["Tags"]) == 40
