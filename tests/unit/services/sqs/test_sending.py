"""What may be sent, and what is answered."""

from typing import Any

import pytest

from lambent.testing.sqs import SqsBench

ID_TEXT = (
    "parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation "
    "characters. 1 to 128 in length."
)
WRONG_TYPE = "Reason: The request includes a parameter that is not valid for this queue type."
INVALID = "InvalidParameterValueException"
STRING = {"DataType": "String", "StringValue": "x"}


def attribute(**value: Any) -> dict[str, Any]:
    return {"MessageAttributes": {"name": {"DataType": "String", "StringValue": "x", **value}}}


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        (
            {"MessageBody": ""},
            "MissingRequiredParameterException",
            "The request must contain the parameter MessageBody.",
        ),
        ({"MessageBody": "a\x00"}, "InvalidMessageContents", "Invalid characters found."),
        ({"MessageBody": "\ufffe"}, "InvalidMessageContents", "Invalid characters found."),
        ({"DelaySeconds": -1}, INVALID, "Value -1 for parameter DelaySeconds is invalid. Reason: Delay"),
        ({"DelaySeconds": 901}, INVALID, "Value 901 for parameter DelaySeconds is invalid."),
        (
            {"MessageDeduplicationId": "d"},
            INVALID,
            f"Value d for parameter MessageDeduplicationId is invalid. {WRONG_TYPE}",
        ),
        ({"MessageGroupId": ""}, INVALID, f"Value  for {ID_TEXT}"),
        ({"MessageGroupId": "a b"}, INVALID, f"Value a b for {ID_TEXT}"),
        ({"MessageGroupId": "g" * 129}, INVALID, "Value ggg"),
        (attribute(StringValue=""), INVALID, "Message (user) attribute 'name' must contain a non-empty value of type"),
        (attribute(DataType="Bool"), INVALID, "The type of message (user) attribute"),
        (attribute(DataType="String." + "x" * 249), INVALID, "The type of message (user) attribute"),
        (attribute(DataType="Number"), INVALID, "Can't cast the value"),
        (attribute(DataType="Number", StringValue="1e127"), INVALID, "Can't cast the value"),
        (attribute(DataType="Number", StringValue="1" * 39), INVALID, "Can't cast the value"),
        *(
            (
                attribute(**{member: []}),
                "UnsupportedOperation",
                "Message attribute list values in SendMessage operation are not supported.",
            )
            for member in ("StringListValues", "BinaryListValues")
        ),
        (attribute(StringValue="\x01"), INVALID, "Message (user) attribute 'name' holds"),
        (
            {"MessageAttributes": {f"n{n}": STRING for n in range(11)}},
            INVALID,
            "Number of message attributes [11] exceeds the allowed maximum [10].",
        ),
        *(
            ({"MessageAttributes": {name: STRING}}, INVALID, "Invalid message attribute name")
            for name in ("", "a b", "AWS.x", "amazon.x", ".x", "x.", "a..b", "x" * 257)
        ),
        ({"MessageSystemAttributes": {"Other": STRING}}, INVALID, "Message system attribute name"),
        (
            {"MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "Binary", "BinaryValue": b"x"}}},
            INVALID,
            "Message (system) attribute",
        ),
        (
            {"MessageBody": "x" * 1025},
            INVALID,
            "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
        ),
    ],
)
def test_what_cannot_be_sent(shared: SqsBench, given: dict[str, Any], code: str, text: str) -> None:
    """Bodies, attributes, ids and delays beyond what may be."""
    shared.create("q", MaximumMessageSize="1024")
    found = shared.refusal("SendMessage", **{"QueueUrl": "q", "MessageBody": "m", **given})
    assert found[0] == code and found[1].startswith(text), found
    assert shared.counts("q") == "0/0/0"


def test_what_just_fits(sqs: SqsBench) -> None:
    """A message of exactly the limit; names, labels and numbers at the edge."""
    sqs.create("q", MaximumMessageSize="1024")
    sqs.send("q", "x" * 1024)
    sqs.send("q", "x" * (1024 - 4 - 6 - 1), **attribute())
    sqs.send("q", "m", **attribute(DataType="String." + "x" * 248))
    sqs.send("q", "\t\n\r \ud7ff\ue000\ufffd\U00010000", MessageGroupId="!~`")
    for number in ("1e126", "-0.00", "1" * 38, "0001e-128", ".5"):
        sqs.send("q", "m", **attribute(DataType="Number.java.lang.Long", StringValue=number))
    (first,) = sqs.receive("q", 1, MessageAttributeNames=["All"])
    assert first["Body"] == "x" * 1024
    for name in ("é.x", "AWSx", "x" * 256):
        sqs.send("q", "m", MessageAttributes={name: {"DataType": "String", "StringValue": "x"}})


def test_fifo_queues_want_more(sqs: SqsBench) -> None:
    """A group, an id, and no delay of a message's own."""
    sqs.create("f.fifo", DelaySeconds="5")
    message = {"QueueUrl": "f.fifo", "MessageBody": "m"}
    assert sqs.refusal("SendMessage", **message) == (
        "MissingRequiredParameterException",
        "The request must contain the parameter MessageGroupId.",
    )
    assert sqs.refusal("SendMessage", **message, MessageGroupId="g") == (
        INVALID,
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    )
    whole = {**message, "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    assert sqs.refusal("SendMessage", **whole, DelaySeconds=2) == (
        INVALID,
        "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for "
        "this queue type.",
    )
    sqs.call("SendMessage", **whole, DelaySeconds=0)
    assert sqs.counts("f.fifo") == "0/0/1"


def test_digests_are_answered(sqs: SqsBench) -> None:
    """Of what was sent, and only of what was given; a header of the request's own becomes AWSTraceHeader."""
    sqs.create("q")
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    (sent,) = sqs.send(
        "q",
        "hello",
        MessageAttributes={"k": {"DataType": "String", "StringValue": "x"}},
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace}},
    )
    assert sent.pop("MessageId")
    assert sent == {
        "MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592",
        "MD5OfMessageAttributes": "a45daa70926828a2f0a1db3418e6feb4",
        "MD5OfMessageSystemAttributes": "5ae4d5d7636402d80f4eb6d213245a88",
    }
    (message,) = sqs.receive("q", MessageSystemAttributeNames=["AWSTraceHeader"])
    assert message["Attributes"] == {"AWSTraceHeader": trace}


def entry(id_: str, body: str = "m", **more: Any) -> dict[str, Any]:
    return {"Id": id_, "MessageBody": body, **more}


@pytest.mark.parametrize(
    ("entries", "code", "text"),
    [
        ([], "EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request."),
        (
            [entry(str(n)) for n in range(20)],
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent 20.",
        ),
        ([entry("")], "InvalidBatchEntryId", "A batch entry id can only contain"),
        ([entry("a b")], "InvalidBatchEntryId", "A batch entry id can only contain"),
        ([entry("a"), entry("b"), entry("a")], "BatchEntryIdsNotDistinct", "Id a repeated."),
        (
            [entry("a", "x" * 1048576), entry("b", "x")],
            "BatchRequestTooLong",
            "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
        ),
        (
            [entry("a"), entry("b", **attribute(StringListValues=[]))],
            "UnsupportedOperation",
            "Message attribute list values in SendMessageBatch operation are not supported.",
        ),
    ],
)
def test_batches_that_are_refused_as_a_whole(
    shared: SqsBench, entries: list[dict[str, Any]], code: str, text: str
) -> None:
    """Nothing of them is sent."""
    shared.create("q", MaximumMessageSize="1024")
    found = shared.refusal("SendMessageBatch", QueueUrl="q", Entries=entries)
    assert found[0] == code and found[1].startswith(text)
    assert shared.counts("q") == "0/0/0"


def test_a_batch_fails_entry_by_entry(sqs: SqsBench) -> None:
    """The rest is sent, in order."""
    sqs.create("q", MaximumMessageSize="1024")
    entries = [
        entry("1", "one"),
        entry("2", "x" * 1025),
        entry("3", "\x00"),
        entry("4", DelaySeconds=1800),
        entry("5", "five"),
    ]
    answer = sqs.call("SendMessageBatch", QueueUrl="q", Entries=entries)
    assert [sent["Id"] for sent in answer["Successful"]] == ["1", "5"]
    failed = {entry["Id"]: (entry["Code"], entry["Message"].partition("Reason: ")[2]) for entry in answer["Failed"]}
    assert failed["2"] == ("InvalidParameterValue", "Message must be shorter than 1024 bytes.")
    assert failed["3"][0] == "InvalidMessageContents"
    assert failed["4"] == ("InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900.")
    assert all(entry["SenderFault"] for entry in answer["Failed"])
    assert sqs.bodies("q") == "one five"
    assert "Failed" not in sqs.call("SendMessageBatch", QueueUrl="q", Entries=[entry("1")])


def test_a_fifo_batch_lacks_nothing(sqs: SqsBench) -> None:
    """A missing group or id refuses the whole batch, a missing group with another code than alone."""
    sqs.create("f.fifo")
    whole = entry("1", MessageGroupId="g", MessageDeduplicationId="d")
    for lacking, text in (
        ("MessageGroupId", "The request must contain"),
        ("MessageDeduplicationId", "The queue should"),
    ):
        other = {name: value for name, value in {**whole, "Id": "2"}.items() if name != lacking}
        found = sqs.refusal("SendMessageBatch", QueueUrl="f.fifo", Entries=[whole, other])
        assert found[0] == INVALID and found[1].startswith(text)
    assert sqs.counts("f.fifo") == "0/0/0"
