"""
The messages in an environment's output: lines of stdout and stderr, and framed records, on one pipe.

A frame is `type u32 · length u32 · timestamp u64 (µs) · message`, big-endian; it may stand in the middle of a line,
since two threads of a function write as they like, and is then taken out of it.

Source: the official runtime clients (aws/aws-lambda-python-runtime-interface-client, FramedTelemetryLogSink).
"""

import itertools
import struct
from typing import Final

MESSAGE_BYTES_MAX: Final = 1_048_576 - 26
"""
Longest message, in bytes of UTF-8; a longer line or frame becomes several. Documented: CloudWatch Logs quotas, an event
is at most 1 MiB with 26 bytes counted for overhead.
"""

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""A frame that claims more is text. Assumed: no client writes such a record, while binary output may look like one."""

_MAGIC: Final = b"\xa5\x5a\x00"
_HEADER: Final = struct.Struct(">4sIQ")
_LEVELS: Final = (0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18)
_FORMATS: Final = (0x02, 0x03)
_TYPES: Final = frozenset(_MAGIC + bytes([level | kind]) for level, kind in itertools.product(_LEVELS, _FORMATS))
_MAGIC_BEGINNINGS: Final = (_MAGIC[:1], _MAGIC[:2])
_CONTINUATION_BYTES_MAX: Final = 3
_REPLACED_GROWTH: Final = 3
"""An invalid byte becomes U+FFFD, three bytes of UTF-8."""


class OutputParser:
    """
    Turns the bytes of one pipe into messages, however they were cut.

    Holds at most one line, one frame and the header of another, each no longer than a message.
    """

    __slots__ = ("_frame", "_frame_bytes_left", "_line", "_line_was_cut", "_undecided")

    def __init__(self) -> None:
        self._line = bytearray()
        """The line that has not ended yet."""
        self._line_was_cut = False
        """Whether `_line` continues a line whose beginning was too long and has left."""
        self._undecided = b""
        """The last bytes, when they may begin a frame's header."""
        self._frame = bytearray()
        self._frame_bytes_left = 0

    def feed(self, data: bytes) -> list[str]:
        """
        Take bytes in and return the messages that are complete now, in the order in which they became so.

        A line keeps its newline; a frame is one message, as written. Invalid UTF-8 is replaced.
        """
        if (
            not self._frame_bytes_left
            and not self._undecided
            and _MAGIC not in data
            and not data.endswith(_MAGIC_BEGINNINGS)
        ):
            return self._text(data)
        messages: list[str] = []
        data = self._undecided + data
        self._undecided = b""
        place = 0
        while place < len(data):
            take = self._take_frame if self._frame_bytes_left else self._take_text
            place = take(data, place, messages)
        return messages

    def flush(self) -> list[str]:
        """
        Return what is incomplete as messages: an invocation is over, or the pipe is.

        A frame cut short is returned as far as it came; its rest, should it come, is a message of its own.
        """
        if self._undecided and len(self._undecided) <= len(_MAGIC):
            # With its type complete it is a header whose rest is on its way, and worth nothing as text.
            self._line += self._undecided
            self._undecided = b""
        messages = _messages(bytes(self._frame)) + _messages(bytes(self._line))
        self._frame.clear()
        self._line.clear()
        self._line_was_cut = False
        return messages

    def _text(self, data: bytes) -> list[str]:
        """Take in bytes without a frame."""
        if self._line:
            end = data.find(b"\n") + 1
            if not end or len(self._line) + end > MESSAGE_BYTES_MAX or self._line_was_cut:
                return self._long_text(data)
            data = bytes(self._line) + data
            self._line.clear()
        if len(data) > MESSAGE_BYTES_MAX // _REPLACED_GROWTH or self._line_was_cut:
            return self._long_text(data)
        *lines, rest = data.split(b"\n")
        if rest:
            self._line += rest
        return [f"{line.decode('utf-8', 'replace')}\n" for line in lines]

    def _long_text(self, data: bytes) -> list[str]:
        """Take in bytes without a frame, with an eye on the length of lines."""
        messages: list[str] = []
        start = 0
        while start < len(data):
            end = data.find(b"\n", start) + 1
            self._line += data[start : end or len(data)]
            start = end or len(data)
            while len(self._line) > MESSAGE_BYTES_MAX:
                cut = _boundary(self._line, MESSAGE_BYTES_MAX)
                messages += _messages(bytes(self._line[:cut]))
                del self._line[:cut]
                self._line_was_cut = True
            if end:
                if self._line != b"\n" or not self._line_was_cut:
                    messages += _messages(bytes(self._line))
                self._line.clear()
                self._line_was_cut = False
        return messages

    def _take_text(self, data: bytes, begin: int, messages: list[str]) -> int:
        """Take text up to and with a frame's header, or all there is; return the place behind it."""
        place = begin
        while True:
            place = data.find(_MAGIC, place)
            if place < 0:
                kept = next((len(part) for part in reversed(_MAGIC_BEGINNINGS) if data.endswith(part)), 0)
                # Bytes before `begin` belong to a frame; they cannot be the beginning of another.
                place = max(begin, len(data) - kept)
                break
            if len(data) == place + len(_MAGIC):
                break
            if data[place : place + len(_MAGIC) + 1] in _TYPES:
                if len(data) < place + _HEADER.size:
                    break
                _, length, _ = _HEADER.unpack_from(data, place)
                if length <= FRAME_BYTES_MAX:
                    messages += self._text(data[begin:place])
                    self._frame_bytes_left = length
                    return place + _HEADER.size
            place += 1
        messages += self._text(data[begin:place])
        self._undecided = data[place:]
        return len(data)

    def _take_frame(self, data: bytes, begin: int, messages: list[str]) -> int:
        """Take the bytes of a frame; return the place behind them."""
        end = min(len(data), begin + self._frame_bytes_left)
        self._frame_bytes_left -= end - begin
        self._frame += data[begin:end]
        while len(self._frame) > MESSAGE_BYTES_MAX:
            cut = _boundary(self._frame, MESSAGE_BYTES_MAX)
            messages += _messages(bytes(self._frame[:cut]))
            del self._frame[:cut]
        if not self._frame_bytes_left:
            messages += _messages(bytes(self._frame))
            self._frame.clear()
        return end


def _boundary(data: bytes | bytearray, cut: int) -> int:
    """Return the last place at or before `cut` that is not inside a character."""
    for back in range(_CONTINUATION_BYTES_MAX + 1):
        if data[cut - back] & 0xC0 != 0x80:
            return cut - back
    return cut


def _messages(data: bytes) -> list[str]:
    """Decode one line or frame: one message, several when replacing invalid bytes made it too long, none if empty."""
    if not data:
        return []
    text = data.decode("utf-8", "replace")
    if len(data) <= MESSAGE_BYTES_MAX // _REPLACED_GROWTH:
        return [text]
    encoded = text.encode()
    messages = []
    start = 0
    while len(encoded) - start > MESSAGE_BYTES_MAX:
        end = _boundary(encoded, start + MESSAGE_BYTES_MAX)
        messages.append(encoded[start:end].decode())
        start = end
    messages.append(encoded[start:].decode())
    return messages
