"""
Event streams: `application/vnd.amazon.eventstream`, one frame for each event.

    frame  = total length u32, headers length u32, CRC of these 8 bytes u32, headers, payload, CRC of all before u32
    header = name length u8, name, type u8 (7 is a string), value length u16, value

Source: AWS general reference, event stream encoding; botocore's parser, which the tests read with.
"""

import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from struct import Struct
from typing import Any, Final, Protocol

from lambent.protocol.documents import JsonWriters, encode_json
from lambent.protocol.service_model import Shape

CONTENT_TYPE: Final = b"application/vnd.amazon.eventstream"

EventWriter = Callable[[Mapping[str, Any]], list[bytes | bytearray]]
"""
One event, as `{its name: its members}`, to its frame, in parts that nobody has joined. A member that is the whole
payload may be a list of pieces, too.
"""

_LENGTHS: Final = Struct("!II")
_CRC: Final = Struct("!I")
_STRING: Final = 7
_BESIDE_BYTES: Final = _LENGTHS.size + 2 * _CRC.size
"""Of a frame: what is neither header nor payload."""


class EventStream(Protocol):
    """Events that a handler gives, each as `{its name: its members}`, and a way to say that nobody takes them."""

    def __aiter__(self) -> AsyncIterator[Mapping[str, Any]]: ...

    async def aclose(self) -> None:
        """Give no more. Idempotent; also before the first was asked for."""
        ...


def compile_event_writer(shape: Shape) -> EventWriter:
    """Build the writer of the events of one stream's shape."""
    writers = {name: _member_writer(name, member) for name, member in shape.members.items()}

    def write(event: Mapping[str, Any]) -> list[bytes | bytearray]:
        ((name, members),) = event.items()
        return writers[name](members)

    return write


def _member_writer(name: str, shape: Shape) -> EventWriter:
    kind = "exception" if shape.traits.get("exception") else "event"
    named = [(f":{kind}-type", name), (":message-type", kind)]
    assert not any(member.traits.get("eventheader") for member in shape.members.values()), f"{name} has headers"
    payload = next((each for each, member in shape.members.items() if member.traits.get("eventpayload")), None)
    if payload is not None:
        assert shape.members[payload].type == "blob", f"the payload of {name} is no blob"
        headers = _headers([*named, (":content-type", "application/octet-stream")])
        return lambda members: _frame(headers, _pieces(members[payload]))
    headers = _headers([*named, (":content-type", "application/json")])
    write_members = JsonWriters().members(shape, list(shape.members))
    return lambda members: _frame(headers, [encode_json(write_members(members))])


def _pieces(payload: bytes | list[bytes | bytearray]) -> list[bytes | bytearray]:
    return payload if isinstance(payload, list) else [payload]


def _headers(fields: list[tuple[str, str]]) -> bytes:
    written = b""
    for name, value in fields:
        written += bytes([len(name)]) + name.encode() + bytes([_STRING]) + len(value).to_bytes(2, "big")
        written += value.encode()
    return written


def _frame(headers: bytes, payload: list[bytes | bytearray]) -> list[bytes | bytearray]:
    size = sum(map(len, payload))
    lengths = _LENGTHS.pack(_BESIDE_BYTES + len(headers) + size, len(headers))
    head = lengths + _CRC.pack(zlib.crc32(lengths)) + headers
    checksum = zlib.crc32(head)
    for piece in payload:
        checksum = zlib.crc32(piece, checksum)
    return [head, *payload, _CRC.pack(checksum)]


def initial_response(content_type: str, members: bytes) -> bytes:
    """
    Return the frame that comes before the events in the protocols whose body is all of the response.

    Args:
        members: those of the output that are not the stream, as JSON.

    Source: Smithy, event stream specification, initial messages; botocore waits for it.
    """
    named = [(":event-type", "initial-response"), (":message-type", "event"), (":content-type", content_type)]
    return b"".join(_frame(_headers(named), [members]))


class EventFrames:
    """
    A body: the frames of a stream's events, one by one as they are given.

    Args:
        first: a frame that comes before; empty: none.
    """

    def __init__(self, events: EventStream, write: EventWriter, first: bytes = b"") -> None:
        self._events = events
        self._each = aiter(events)
        self._write = write
        self._first = first

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if parts := await self.take():
            return b"".join(parts)
        raise StopAsyncIteration

    async def take(self) -> list[bytes | bytearray]:
        """Return the parts of the next frame; an empty list at the end."""
        if self._first:
            first, self._first = self._first, b""
            return [first]
        event = await anext(self._each, None)
        return [] if event is None else self._write(event)

    async def aclose(self) -> None:
        """Take no more events. Idempotent."""
        await self._events.aclose()
