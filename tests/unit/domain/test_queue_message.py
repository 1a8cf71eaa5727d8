"""Digests and sizes of messages, and how the event queue keeps them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.queue_message import (
    MessageAttribute,
    QueueMessage,
    md5_of_attributes,
    md5_of_body,
    pack,
    size_bytes,
    unpack,
)
from lambent.store.contract import ATTRIBUTES_MAX_BYTES

TRACE = "00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"
HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def string(value: str) -> MessageAttribute:
    return MessageAttribute("String", value)


@pytest.mark.parametrize(
    ("attributes", "digest"),
    [
        ({"k": string("x")}, "a45daa70926828a2f0a1db3418e6feb4"),
        ({"MyAttribute": string("foobar")}, "adb59cd4678ea5a855436b949cd07ab6"),
        ({"timestamp": MessageAttribute("Number", "1493147359900")}, "235c5c510d26fb653d073faed50ae77c"),
        ({"Hello": string("There"), "General": string("Kenobi")}, "fca026605781cb4126a1e9044df24232"),
        (
            {"Hello": string("There"), "General": string("Kenobi"), "Help.Me": string("Me")},
            "4c360f3fdafd970e05fae2f149d997f5",
        ),
        (
            {"attr1": MessageAttribute("Binary", data=b"traceparent\x1e" + TRACE.encode())},
            "8cbe4db156db8a94db8b801b7addb984",
        ),
        ({"AWSTraceHeader": string(HEADER)}, "5ae4d5d7636402d80f4eb6d213245a88"),
    ],
)
def test_digests_are_as_recorded(attributes: dict[str, MessageAttribute], digest: str) -> None:
    """Seven digests that AWS's own answers have had."""
    assert md5_of_attributes(attributes) == digest


def test_a_body_is_digested_as_its_bytes() -> None:
    """UTF-8."""
    assert md5_of_body("hello") == "5d41402abc4b2a76b9719d911017c592"
    assert md5_of_body("é") == "66ddcd97cfdeabb2f6fb8a999b4bc76f"


def test_sizes_count_names_and_types() -> None:
    """Body, name, type and value, in bytes."""
    assert size_bytes("é", {"name": MessageAttribute("Number.int", "12")}) == 2 + 4 + 10 + 2
    assert size_bytes("", {"b": MessageAttribute("Binary", data=bytes(7))}) == 1 + 6 + 7


TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
ATTRIBUTES = st.builds(MessageAttribute, type=TEXT, text=TEXT) | st.builds(
    MessageAttribute, type=TEXT, data=st.binary(max_size=60)
)


@given(
    st.builds(
        QueueMessage,
        body=TEXT,
        attributes=st.dictionaries(TEXT, ATTRIBUTES, max_size=10),
        sender=TEXT,
        trace_header=TEXT,
        group=TEXT,
        deduplication_id=TEXT,
    )
)
def test_what_was_packed_comes_back(message: QueueMessage) -> None:
    """Whatever a message holds."""
    assert unpack(*pack(message)) == message


@pytest.mark.parametrize("size", [40_000, 60_000, 1_000_000])
def test_long_attributes_fit(size: int) -> None:
    """They count for a message's size, up to 1 MiB: what does not fit beside the body goes before it."""
    data = base64.b64encode(bytes(size // 4 * 3))
    message = QueueMessage("body", {"a": MessageAttribute("Binary", data=data)}, sender="1")
    body, attributes = pack(message)
    assert len(attributes) <= ATTRIBUTES_MAX_BYTES
    assert unpack(body, attributes) == message


def test_an_event_without_attributes_is_a_message() -> None:
    """What others put has none."""
    assert unpack(b"{}", b"") == QueueMessage("{}")
