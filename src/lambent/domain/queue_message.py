"""
A message of an SQS queue, and how the event queue keeps it: its body as the event's, the rest as its attributes.

The one place that knows this form. Whoever puts messages into queues of the kind `sqs` packs them here.
"""

import hashlib
from collections.abc import Mapping

import msgspec

ATTRIBUTES_ROOM_BYTES = 60_000
"""What may be kept beside a body. More goes before the body: attributes count for a message's size, up to 1 MiB."""


class MessageAttribute(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value that a sender gave a message, or that was set for it."""

    type: str
    """`String`, `Number` or `Binary`, with a label of the sender's after a dot."""
    text: str = ""
    data: bytes | None = None
    """Of a binary value."""

    @property
    def value(self) -> bytes:
        return self.text.encode() if self.data is None else self.data


class QueueMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an event of the kind `sqs` holds."""

    body: str
    attributes: dict[str, MessageAttribute] = {}
    sender: str = ""
    """SenderId."""
    trace_header: str = ""
    """AWSTraceHeader; empty without one."""
    group: str = ""
    """MessageGroupId on a standard queue, where it orders nothing. That of a FIFO queue is the event's own."""
    deduplication_id: str = ""
    """Of a FIFO message that a move task put: the event has none, for else the queue might take it for a repeat."""


class _Kept(msgspec.Struct, omit_defaults=True):
    sender: str = ""
    trace_header: str = ""
    group: str = ""
    deduplication_id: str = ""
    attributes: dict[str, MessageAttribute] = {}
    before_body_bytes: int = 0
    """How much of the event's body are the attributes, as JSON."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Kept).decode
_decode_attributes = msgspec.json.Decoder(dict[str, MessageAttribute]).decode


def pack(message: QueueMessage) -> tuple[bytes, bytes]:
    """Return a message as the body and the attributes of an event."""
    kept = _Kept(
        message.sender, message.trace_header, message.group, message.deduplication_id, dict(message.attributes)
    )
    body, beside = message.body.encode(), _encode(kept)
    if len(beside) <= ATTRIBUTES_ROOM_BYTES:
        return body, beside
    before = _encode(kept.attributes)
    kept.attributes, kept.before_body_bytes = {}, len(before)
    return before + body, _encode(kept)


def unpack(body: bytes, attributes: bytes) -> QueueMessage:
    """Return the message that an event holds."""
    # An event without attributes is a message that has none.
    kept = _decode(attributes) if attributes else _Kept()
    found = kept.attributes
    if kept.before_body_bytes:
        found = _decode_attributes(body[: kept.before_body_bytes])
        body = body[kept.before_body_bytes :]
    return QueueMessage(
        body.decode(errors="replace"), found, kept.sender, kept.trace_header, kept.group, kept.deduplication_id
    )


def size_bytes(body: str, attributes: Mapping[str, MessageAttribute]) -> int:
    """Return a message's size. Observed: names and types count (localstack/localstack, recorded)."""
    return len(body.encode()) + sum(
        len(name.encode()) + len(attribute.type.encode()) + len(attribute.value)
        for name, attribute in attributes.items()
    )


def md5_of_body(body: str) -> str:
    """Return MD5OfMessageBody."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Mapping[str, MessageAttribute]) -> str:
    """
    Return MD5OfMessageAttributes of one attribute or more.

    Documented: SQS developer guide, calculating the MD5 message digest for message attributes.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes, key=str.encode):
        attribute = attributes[name]
        for part in (name.encode(), attribute.type.encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        value = attribute.value
        digest.update(b"\x01" if attribute.data is None else b"\x02")
        digest.update(len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()
