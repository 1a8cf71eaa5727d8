"""
One batch after another of what the segment files hold: decoded, and as the store takes it. For a thread.

In: blocks of records. Out: batches, one for each commit, with what follows from them. Never: the store. Each invocation
has three records and pays for what is done here, so it is done for many at once where that is possible.
"""

import logging
import struct
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Final

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.usage import UsageKey, UsageRecord
from lambent.store.contract import LogPosition, NewLogEvent, OpenInvocation
from lambent.store.usage_contract import Allocation
from lambent.telemetry import lines
from lambent.telemetry.ingestion import Derived, EndedInvocation, Ingestion
from lambent.telemetry.log_records import Allocated, AnyRecord, Ended, Put, Started, Written, decode, decode_all
from lambent.telemetry.segments import HEAD_BYTES, Block, Segments

BATCH_EVENTS_MAX: Final = 5_000
"""Events of one commit; the last record of a batch may go beyond it."""

BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes of one commit; the last block of a batch may go beyond it."""

GIVE_WAY_EVENTS: Final = 250
"""After so many the thread that folds lets others at the interpreter, where there are any; that is a millisecond."""

GIVE_WAY_S: Final = 0.0005
"""
For how long. Without it, the event loop would get the interpreter back five milliseconds after each system call, and an
invocation makes some ten. Assumed: of a request's time, a part is enough (test_folding).
"""

RECENT_MESSAGES: Final = 10_000
RECENT_BYTES: Final = 4 * 1024 * 1024
"""
Of what is not folded yet, so much is kept in memory as well, then a fold is due; twice as much while it cannot begin.
A record without messages counts as one. Messages are counted since the shortest takes some sixty bytes there.
Assumed: some megabytes, a second or two of a busy server; more would be folded no cheaper (test_folding).
"""

_ARRAY: Final = struct.Struct(">BI")
_ARRAY_32: Final = 0xDD
"""Source: the MessagePack specification, array 32: how many elements follow, in four bytes."""

_log = logging.getLogger("lambent.telemetry")


class _Place:
    """Where the records of one stream belong."""

    __slots__ = ("group", "key", "scope", "stream")

    def __init__(self, record: Written) -> None:
        self.scope = Scope(record.account, record.region)
        self.group = record.group
        self.stream = record.stream
        self.key: UsageKey | None = None
        """Of the last invocation that ended there; nearly always it is the next one's, too."""


class Batch:
    """What one commit holds."""

    def __init__(self) -> None:
        self.events: list[NewLogEvent] = []
        self.closed: dict[str, None] = {}
        self.ended: list[EndedInvocation] = []
        self.used: list[UsageRecord] = []
        self.allocated: list[Allocation] = []
        self.derived = Derived()
        self.position = LogPosition(0, 0)
        self.read_bytes = 0
        self._begun: dict[str, Started] = {}
        self._places: dict[tuple[str, str, str, str], _Place] = {}
        """Records that name the same share the names, which are then compared at a glance."""

    @property
    def is_full(self) -> bool:
        most = max(len(self.events), len(self.used))  # In JSON at WARN, invocations may leave no event at all.
        return most >= BATCH_EVENTS_MAX or self.read_bytes >= BATCH_BYTES_MAX

    def take(self, records: Sequence[AnyRecord | None], begin: int, events_max: int) -> int:
        """
        Take records until there are so many events.

        Args:
            records: None stands for one that could not be read.
            begin: which is the first to be taken.

        Returns:
            Which is the first that was not.
        """
        events, places = self.events, self._places
        add = events.append
        for number in range(begin, len(records)):
            record = records[number]
            if record is None:
                continue
            if isinstance(record, Allocated):
                self._allocate(record)
                continue
            named = (record.account, record.region, record.group, record.stream)
            place = places.get(named)
            if place is None:
                place = places[named] = _Place(record)
            scope, group, stream, at_ms = place.scope, place.group, place.stream, record.at_ms
            if isinstance(record, Put):
                for timestamp_ms, message in zip(record.timestamps, record.messages, strict=True):
                    add(NewLogEvent(scope, group, stream, timestamp_ms, at_ms, message))
            else:
                for message in record.messages:
                    add(NewLogEvent(scope, group, stream, at_ms, at_ms, message))
                if isinstance(record, Started):
                    self.closed.pop(record.request_id, None)
                    self._begun[record.request_id] = record
                elif isinstance(record, Ended):
                    self._end(place, record)
            if len(events) >= events_max:
                return number + 1
        return len(records)

    def _allocate(self, record: Allocated) -> None:
        key = UsageKey(Scope(record.account, record.region), record.function, record.version, "", record.of)
        self.allocated.append(Allocation(key, record.from_ms, record.until_ms, record.environments))

    def _end(self, place: _Place, record: Ended) -> None:
        """Note that an invocation has ended, and what it used."""
        request_id, function = record.request_id, record.function
        if self._begun.pop(request_id, None) is None:
            # One that began in this very batch, nearly every one, needs no row at all.
            self.closed[request_id] = None
        if not function:
            return
        version, qualifier, of = record.version, record.qualifier, record.of
        if not of.memory_mib:
            # Of an older version, which wrote no class. Its start may have been folded long ago.
            of = msgspec.structs.replace(of, memory_mib=lines.reported_memory_mib(record.messages))
        started_ms, duration_ms, init_ms, status = record.started_ms, record.duration_ms, record.init_ms, record.status
        key = place.key
        if (
            key is None
            or key.function != function
            or key.version != version
            or key.qualifier != qualifier
            or (key.of is not of and key.of != of)
        ):
            key = place.key = UsageKey(place.scope, function, version, qualifier, of)
        # Both by place: what is named costs more, and there is one of each invocation.
        self.ended.append(
            EndedInvocation(
                place.scope,
                function,
                qualifier,
                version,
                started_ms,
                duration_ms,
                init_ms,
                status,
                record.is_weighted,
            )
        )
        self.used.append(
            UsageRecord(
                key,
                request_id,
                started_ms,
                round(duration_ms * 1000),
                round(init_ms * 1000),
                record.billed_ms,
                record.cpu_us,
                record.memory_peak_mib,
                record.streamed_bytes,
                status,
                record.is_restored,
            )
        )

    @property
    def opened(self) -> Sequence[OpenInvocation]:
        """Invocations that began in it and did not end."""
        return [
            OpenInvocation(
                request_id=record.request_id,
                scope=Scope(record.account, record.region),
                group=record.group,
                stream=record.stream,
                version=record.version,
                started_ms=record.at_ms,
                memory_mib=record.memory_mib,
                timeout_s=record.timeout_s,
                system_level=record.system_level,
                function=record.function,
                qualifier=record.qualifier,
                of=record.of,
            )
            for record in self._begun.values()
        ]


class Stretch:
    """Records of one segment, one behind the other, as they were before they were written or after they were read."""

    __slots__ = ("ends", "records", "segment", "start")

    def __init__(self, segment: int, start: int, records: list[AnyRecord | None], ends: list[int]) -> None:
        self.segment = segment
        self.start = start
        """Where the first begins in the segment."""
        self.records = records
        """None stands for one that cannot be read."""
        self.ends = ends
        """Where each ends."""


class Recent:
    """
    What was written last, beside the files that have it as well: what is folded from here is neither read nor decoded.

    It holds all from one place on, and a bounded part: what is forgotten is read from the files.
    """

    def __init__(self, begin: LogPosition) -> None:
        self.begin = begin
        """Where the first of these records begins; the next one's place where there are none."""
        self.is_due = False
        """Whether it should be folded now."""
        self._messages = 0
        self._size_bytes = 0
        self._stretches: list[Stretch] = []
        self._last: Stretch | None = None

    @property
    def is_full(self) -> bool:
        """Whether it has to be forgotten."""
        return self._messages >= 2 * RECENT_MESSAGES or self._size_bytes >= 2 * RECENT_BYTES

    def extend(self, records: Sequence[AnyRecord], segment: int, start: int, payloads: Sequence[bytes]) -> int:
        """
        Keep records that were written now, one behind the other; return how many messages they have.

        Args:
            start: where the first begins in the segment.
            payloads: the records, as they were written.
        """
        last = self._last
        if last is None or last.segment != segment:
            last = self._last = Stretch(segment, start, [], [])
            self._stretches.append(last)
        last.records += records
        add = last.ends.append
        end, messages, without = start, 0, 0
        for record, payload in zip(records, payloads, strict=True):
            end += HEAD_BYTES + len(payload)
            add(end)
            if isinstance(record, Allocated) or not record.messages:
                without += 1
            else:
                messages += len(record.messages)
        self._messages += messages + without
        self._size_bytes += end - start
        if self._messages >= RECENT_MESSAGES or self._size_bytes >= RECENT_BYTES:
            self.is_due = True
        return messages

    def between(self, position: LogPosition, segments: Segments, until: LogPosition) -> Generator[Stretch]:
        """
        Iterate over all that was written between two places.

        Args:
            until: where the last record ends; no more is added.
        """
        begin, stretches, last = self.begin, self._stretches, self._last
        is_whole = last is not None and (last.segment, last.ends[-1]) == (until.segment, until.offset)
        if not is_whole or (position.segment, position.offset) > (begin.segment, begin.offset):
            # The files are what counts. A fold may have failed behind its commit.
            begin, stretches = until, []
        for block in segments.blocks(position, begin):
            yield decoded(block)
        yield from stretches


class Reading:
    """
    Makes batches of what was written.

    Args:
        stretches: one behind the other.
        is_contended: says whether others want the interpreter; asked in the thread.
    """

    def __init__(self, stretches: Iterator[Stretch], is_contended: Callable[[], bool]) -> None:
        self._stretches = stretches
        self._is_contended = is_contended
        self._stretch: Stretch | None = None
        self._next = 0
        """Which of its records comes next."""

    def next_batch(self, ingestion: Ingestion) -> Batch | None:
        """Return what the next commit holds, with what follows from it; None when there is no more."""
        batch = Batch()
        give_way_at = GIVE_WAY_EVENTS
        while not batch.is_full and (stretch := self._current()) is not None:
            begin = self._next
            self._next = batch.take(stretch.records, begin, min(give_way_at, BATCH_EVENTS_MAX))
            end = stretch.ends[self._next - 1]
            batch.read_bytes += end - (stretch.ends[begin - 1] if begin else stretch.start)
            batch.position = LogPosition(stretch.segment, end)
            if len(batch.events) >= give_way_at:
                give_way_at = len(batch.events) + GIVE_WAY_EVENTS
                if not batch.is_full and self._is_contended():
                    time.sleep(GIVE_WAY_S)
        if not batch.read_bytes:
            return None
        batch.derived = ingestion.derive(batch.events, batch.ended)
        return batch

    def _current(self) -> Stretch | None:
        """Return the stretch that has the next record; None where there is none."""
        stretch = self._stretch
        if stretch is None or self._next == len(stretch.records):
            stretch = self._stretch = next(self._stretches, None)
            self._next = 0
        return stretch


def decoded(block: Block) -> Stretch:
    """Return a block's records; one that cannot be read is logged."""
    payloads = block.payloads
    records: list[AnyRecord | None]
    try:
        records = [*decode_all(_ARRAY.pack(_ARRAY_32, len(payloads)) + b"".join(payloads))]
    except (msgspec.DecodeError, UnicodeDecodeError):
        records = [_decoded(payload, block.segment, end) for payload, end in zip(payloads, block.ends, strict=True)]
    return Stretch(block.segment, block.start, records, block.ends)


def _decoded(payload: bytes, segment: int, end: int) -> AnyRecord | None:
    try:
        return decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # Its check sum is right, so another version of Lambent wrote it. The rest is still worth reading.
        _log.error("logs.record_unreadable segment=%d end=%d reason=%s", segment, end, error)
        return None
