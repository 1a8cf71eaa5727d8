"""Deleting, hiding and showing again, by handles that nobody can make up."""

import base64
from typing import Any

import pytest

from lambent.services.sqs.handles import Handles
from lambent.store.contract import Receipt
from lambent.testing.sqs import SqsBench

INVALID = "InvalidParameterValueException"


def received(sqs: SqsBench, queue: str, body: str = "g-1") -> dict[str, Any]:
    """Send one message and receive it."""
    sqs.send(queue, body)
    (message,) = sqs.receive(queue)
    return message


def test_a_standard_handle_deletes_whenever(sqs: SqsBench) -> None:
    """In flight, when its time is over, when the message was received again, and when it is gone."""
    sqs.create("q")
    message = received(sqs, "q")
    sqs.delete("q", message)
    sqs.delete("q", message)
    message = received(sqs, "q")
    sqs.wait(31)
    sqs.delete("q", message)
    assert sqs.counts("q") == "0/0/0"
    message = received(sqs, "q")
    sqs.wait(31)
    assert sqs.bodies("q") == "g-1"
    sqs.delete("q", message)
    assert sqs.counts("q") == "0/0/0"


def test_a_fifo_handle_expires(sqs: SqsBench) -> None:
    """With its time; an extended time counts."""
    sqs.create("f.fifo")
    message = received(sqs, "f.fifo")
    sqs.hide("f.fifo", message, 100)
    sqs.wait(60)
    sqs.delete("f.fifo", message)
    sqs.delete("f.fifo", message)
    message = received(sqs, "f.fifo", "g-2")
    sqs.wait(31)
    handle = message["ReceiptHandle"]
    named = {"QueueUrl": "f.fifo", "ReceiptHandle": handle}
    expired = (
        INVALID,
        f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
    )
    assert sqs.refusal("DeleteMessage", **named) == expired
    assert sqs.refusal("ChangeMessageVisibility", **named, VisibilityTimeout=9) == expired
    assert sqs.call("DeleteMessageBatch", QueueUrl="f.fifo", Entries=[{"Id": "a", "ReceiptHandle": handle}]) == {
        "Successful": [],
        "Failed": [
            {
                "Id": "a",
                "SenderFault": True,
                "Code": "ReceiptHandleIsInvalid",
                "Message": "The receipt handle has expired",
            }
        ],
    }
    (again,) = sqs.receive("f.fifo")
    assert sqs.refusal("DeleteMessage", **named) == expired
    sqs.delete("f.fifo", again)


def test_visibility_changes(sqs: SqsBench) -> None:
    """The new time replaces the old one, for this receive; when it is over the handle still hides the message."""
    sqs.create("q")
    message = received(sqs, "q")
    sqs.hide("q", message, 0)
    (message,) = sqs.receive("q")
    sqs.hide("q", message, 5)
    sqs.wait(5)
    sqs.hide("q", message, 5)
    assert sqs.bodies("q") == ""
    sqs.wait(5)
    assert sqs.bodies("q") == "g-1"
    # Another receive has it now.
    text = "Message does not exist or is not available for visibility timeout change."
    for _ in range(2):
        found = sqs.refusal(
            "ChangeMessageVisibility", QueueUrl="q", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
        assert found[0] == INVALID and found[1].endswith(text)
        sqs.delete("q", message)


def test_twelve_hours_in_all(sqs: SqsBench) -> None:
    """From the receive on; the whole range is too much already."""
    sqs.create("q")
    message = received(sqs, "q")
    limit = "is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]."

    def refused(seconds: int) -> str:
        return sqs.refusal(
            "ChangeMessageVisibility", QueueUrl="q", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )[1]

    assert refused(43200) == f"Value 43200 for parameter VisibilityTimeout {limit}"
    assert refused(43201).endswith("Must be >= 0 and <= 43200, if provided.")
    sqs.hide("q", message, 43000)
    sqs.wait(1000)
    assert refused(42201).endswith("[43200 seconds].")
    sqs.hide("q", message, 42000)


def test_batches_of_both(sqs: SqsBench) -> None:
    """Entry by entry; a handle that is none is one entry's failure."""
    sqs.create("q")
    sqs.send("q", "a", "b")
    first, second = sqs.receive("q")
    good, bad = {"Id": "good", "ReceiptHandle": first["ReceiptHandle"]}, {"Id": "bad", "ReceiptHandle": "garbage"}
    for operation in ("ChangeMessageVisibilityBatch", "DeleteMessageBatch"):
        answer = sqs.call(operation, QueueUrl="q", Entries=[bad, good])
        assert answer["Successful"] == [{"Id": "good"}]
        (failed,) = answer["Failed"]
        assert (failed["Id"], failed["Code"]) == ("bad", "ReceiptHandleIsInvalid")
        assert sqs.refusal(operation, QueueUrl="q", Entries=[])[0] == "EmptyBatchRequest"
    assert sqs.counts("q") == "0/1/0"
    sqs.delete("q", second)


def test_handles_outlive_the_server(sqs: SqsBench) -> None:
    """They are signed with the data folder's secret."""
    sqs.create("q")
    message = received(sqs, "q")
    sqs.reopen()
    sqs.delete("q", message)
    assert sqs.counts("q") == "0/0/0"


@pytest.mark.parametrize("handle", ["", "garbage", "é", "AAAA", base64.b64encode(bytes(37)).decode()])
def test_handles_cannot_be_made_up(shared: SqsBench, handle: str) -> None:
    """Neither from nothing, nor from those of another queue or of another server."""
    shared.create("q")
    shared.create("other")
    text = f'The input receipt handle "{handle}" is not a valid receipt handle.'
    assert shared.refusal("DeleteMessage", QueueUrl="q", ReceiptHandle=handle) == ("ReceiptHandleIsInvalid", text)
    message = received(shared, "other")
    foreign = message["ReceiptHandle"]
    assert shared.refusal("DeleteMessage", QueueUrl="q", ReceiptHandle=foreign)[0] == "ReceiptHandleIsInvalid"
    queue = shared.runner.run(shared.queues.directory.page(None, "", None, 9))[0].name
    forged = Handles(b"x" * 32).write(Receipt(queue, 1, 1), 0)
    assert shared.refusal("DeleteMessage", QueueUrl=queue.name, ReceiptHandle=forged)[0] == "ReceiptHandleIsInvalid"
