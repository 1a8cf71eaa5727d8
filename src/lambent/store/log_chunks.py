"""
Chunks: some thousands of a group's log events as one compressed value. Pure: bytes and lists, no database.

The messages lie one behind the other, so that a text is looked for in all of them at once, before any becomes a string;
times, sequences and streams are columns of differences, of which compression leaves next to nothing.
"""

import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import sub
from typing import Final

import msgspec

EVENT_OVERHEAD_BYTES: Final = 26
"""What an event counts beside its message. Documented: PutLogEvents, size of a batch."""

CHUNK_EVENTS_MAX: Final = 5_000
"""And a tenth, rather than that a few are left over."""
CHUNK_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of messages; what a reader holds at once. One longer message has a chunk to itself."""

_LEVEL: Final = 3
"""Of zlib. Assumed: level 6 takes two thirds more time for a fifteenth less on disk (bench logs)."""

_COLUMNS: Final = 5


class Events(msgspec.Struct):
    """Events as columns, in order of arrival; `streams` holds keys of the writer's choice."""

    timestamps: list[int]
    ingestions: list[int]
    sequences: list[int]
    """Rising; in a chunk they count from the chunk's base."""
    streams: list[int]
    messages: list[str]


class Packed(msgspec.Struct, frozen=True):
    """A chunk to be stored."""

    first_ms: int
    last_ms: int
    event_count: int
    stored_bytes: int
    streams: Sequence[int]
    """In the order by which the columns refer to them."""
    columns: bytes
    text: bytes


def pack(events: Events) -> Packed:
    """Return one chunk of events, which come to lie in order of timestamp, ingestion and arrival."""
    # Nearly always they are in order; sorting what is sorted is the quickest way to see it.
    if events.timestamps != sorted(events.timestamps) or events.ingestions != sorted(events.ingestions):
        events = _sorted(events)
    text, sizes = _joined(events.messages)
    places = {stream: place for place, stream in enumerate(dict.fromkeys(events.streams))}
    columns = array("q", _differences(events.timestamps))
    columns.extend(map(sub, events.ingestions, events.timestamps))
    columns.extend(_differences(events.sequences))
    columns.extend(map(places.__getitem__, events.streams))
    columns.extend(sizes)
    return Packed(
        first_ms=events.timestamps[0],
        last_ms=events.timestamps[-1],
        event_count=len(events.messages),
        stored_bytes=len(text) + EVENT_OVERHEAD_BYTES * len(events.messages),
        streams=list(places),
        columns=zlib.compress(_little(columns).tobytes(), _LEVEL),
        text=zlib.compress(text, _LEVEL),
    )


def _joined(messages: Sequence[str]) -> tuple[bytes, Iterable[int]]:
    """Return messages one behind the other, and the size of each."""
    text = "".join(messages)
    if text.isascii():
        # As nearly all are: it takes a tenth of the time.
        return text.encode(), map(len, messages)
    encoded = [message.encode() for message in messages]
    return b"".join(encoded), map(len, encoded)


def split(events: Events) -> Iterator[Events]:
    """
    Cut events, in order of arrival, into what fits into chunks.

    What is hardly more than a chunk is one: a commit goes a little beyond its limit, and the rest alone would cost
    readers as much as a whole one.
    """
    messages = events.messages
    rest = CHUNK_EVENTS_MAX // 10
    if len(messages) <= CHUNK_EVENTS_MAX + rest and sum(map(len, messages)) <= CHUNK_BYTES_MAX:
        if messages:
            yield events
        return
    start = size = 0
    for place, message in enumerate(messages):
        # Counted in characters, which is at most four times too little.
        is_full = place - start >= CHUNK_EVENTS_MAX and len(messages) - place > rest
        if is_full or (size + len(message) > CHUNK_BYTES_MAX and place > start):
            yield _part(events, start, place)
            start, size = place, 0
        size += len(message)
    if start < len(messages):
        yield _part(events, start, len(messages))


class Chunk:
    """
    An opened chunk. Columns are unpacked at once, messages with the first that is asked for.

    Args:
        columns, text: as packed.
        base_sequence: what its sequences count from.
    """

    def __init__(self, columns: bytes, text: bytes, base_sequence: int) -> None:
        unpacked = array("q")
        unpacked.frombytes(zlib.decompress(columns))
        count = len(unpacked) // _COLUMNS
        assert count and count * _COLUMNS == len(unpacked), "a damaged chunk"
        self._columns = _little(unpacked)
        self._count = count
        self._base_sequence = base_sequence
        self._packed_text = text
        self._text: bytes | None = None
        self._offsets: list[int] = []
        self._sequences: list[int] | None = None
        self.timestamps = list(accumulate(self._columns[:count]))

    def __len__(self) -> int:
        return self._count

    @property
    def streams(self) -> Sequence[int]:
        """The place of each event's stream among the chunk's streams."""
        return self._columns[3 * self._count : 4 * self._count]

    def between(self, first_ms: int, last_ms: int) -> tuple[int, int]:
        """Return where the events of these times begin and end, both times included."""
        return bisect_left(self.timestamps, first_ms), bisect_right(self.timestamps, last_ms)

    def ingestion_ms(self, place: int) -> int:
        return self.timestamps[place] + self._columns[self._count + place]

    def sequence(self, place: int) -> int:
        if self._sequences is None:
            rising = accumulate(self._columns[2 * self._count : 3 * self._count], initial=self._base_sequence)
            self._sequences = list(rising)[1:]
        return self._sequences[place]

    def size_bytes(self, place: int) -> int:
        """Return what an event counts: its message and the overhead."""
        return self._columns[4 * self._count + place] + EVENT_OVERHEAD_BYTES

    def message(self, place: int) -> str:
        text = self._opened_text()
        return text[self._offsets[place] : self._offsets[place + 1]].decode()

    def has(self, text: bytes) -> bool:
        """Return whether `text` is anywhere in the messages, as they lie one behind the other."""
        return text in self._opened_text()

    def candidates(self, start: int, stop: int, texts: Sequence[bytes]) -> Iterator[int]:
        """
        Return the places, from `start` up to and without `stop`, of the messages that may have all of `texts`.

        They have the one that is the rarest here. To look for more than that costs more than it saves.
        """
        if start >= stop:
            return
        if not texts:
            yield from range(start, stop)
            return
        text = self._opened_text()
        offsets = self._offsets
        # A single letter is rare nowhere, and slow to count where it is frequent.
        count, sought = min((text.count(one), one) for one in ([one for one in texts if len(one) > 1] or texts))
        if not count:
            return
        find = text.find
        length = len(sought)
        found, end = offsets[start], offsets[stop]
        while (found := find(sought, found, end)) >= 0:
            place = bisect_right(offsets, found) - 1
            after = offsets[place + 1]
            if found + length > after:
                # It reaches into the next message.
                found += 1
                continue
            yield place
            found = after

    def _opened_text(self) -> bytes:
        if self._text is None:
            self._text = zlib.decompress(self._packed_text)
            self._offsets = list(accumulate(self._columns[4 * self._count :], initial=0))
            assert self._offsets[-1] == len(self._text), "a damaged chunk"
        return self._text


def _sorted(events: Events) -> Events:
    order = sorted(
        range(len(events.timestamps)),
        key=lambda place: (events.timestamps[place], events.ingestions[place], events.sequences[place]),
    )
    return Events(
        [events.timestamps[place] for place in order],
        [events.ingestions[place] for place in order],
        [events.sequences[place] for place in order],
        [events.streams[place] for place in order],
        [events.messages[place] for place in order],
    )


def _part(events: Events, start: int, stop: int) -> Events:
    if stop - start == len(events.messages):
        return events
    return Events(
        events.timestamps[start:stop],
        events.ingestions[start:stop],
        events.sequences[start:stop],
        events.streams[start:stop],
        events.messages[start:stop],
    )


def _differences(values: Sequence[int]) -> Iterator[int]:
    yield values[0]
    yield from map(sub, values[1:], values)


def _little(values: "array[int]") -> "array[int]":
    """Turn between the machine's byte order and that of stored columns, which a backup takes to other machines."""
    if sys.byteorder == "big":
        values.byteswap()
    return values
