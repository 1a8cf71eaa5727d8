"""
One batch after another of what the segment files hold: decoded, and as the store takes it. For a thread.

In: blocks of records. Out: batches, one for each commit, with what follows from them. Never: the store. Each invocation
has three records and pays for what is done here, so it is done for many at once where that is possible.
"""

import logging
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.usage import UsageKey, UsageRecord
from lambent.store.contract import LogPosition, NewLogEvent, OpenInvocation
from lambent.telemetry.ingestion import Derived, EndedInvocation, Ingestion
from lambent.telemetry.log_records import Ended, Put, Started, Written, decode, decode_all
from lambent.telemetry.segments import Block

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
        self.derived = Derived()
        self.position = LogPosition(0, 0)
        self.read_bytes = 0
        self._begun: dict[str, Started] = {}
        self._places: dict[tuple[str, str, str, str], _Place] = {}
        """Records that name the same share the names, which are then compared at a glance."""

    @property
    def is_full(self) -> bool:
        return len(self.events) >= BATCH_EVENTS_MAX or self.read_bytes >= BATCH_BYTES_MAX

    def take(self, records: Sequence[Written | None], begin: int, events_max: int) -> int:
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

    def _end(self, place: _Place, record: Ended) -> None:
        """Note that an invocation has ended, and what it used."""
        request_id, function = record.request_id, record.function
        if self._begun.pop(request_id, None) is None:
            # One that began in this very batch, nearly every one, needs no row at all.
            self.closed[request_id] = None
        if not function:
            return
        version, qualifier = record.version, record.qualifier
        started_ms, duration_ms, init_ms, status = record.started_ms, record.duration_ms, record.init_ms, record.status
        key = place.key
        if (
            key is None
            or key.function != function
            or key.version != version
            or key.qualifier != qualifier
            or key.of != record.of
        ):
            key = place.key = UsageKey(place.scope, function, version, qualifier, record.of)
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


class Reading:
    """
    Makes batches of blocks.

    Args:
        blocks: of a stretch of the segment files; whoever opened them closes them.
        is_contended: says whether others want the interpreter; asked in the thread.
    """

    def __init__(self, blocks: Iterator[Block], is_contended: Callable[[], bool]) -> None:
        self._blocks = blocks
        self._is_contended = is_contended
        self._block: Block | None = None
        self._records: Sequence[Written | None] = ()
        self._next = 0
        """Which of the block's records comes next."""

    def next_batch(self, ingestion: Ingestion) -> Batch | None:
        """Return what the next commit holds, with what follows from it; None when there is no more."""
        batch = Batch()
        give_way_at = GIVE_WAY_EVENTS
        while not batch.is_full and self._has_more():
            self._take(batch, min(give_way_at, BATCH_EVENTS_MAX))
            if len(batch.events) >= give_way_at:
                give_way_at = len(batch.events) + GIVE_WAY_EVENTS
                if not batch.is_full and self._is_contended():
                    time.sleep(GIVE_WAY_S)
        if not batch.read_bytes:
            return None
        batch.derived = ingestion.derive(batch.events, batch.ended)
        return batch

    def _has_more(self) -> bool:
        """Have a block at hand; say whether there is one."""
        if self._next == len(self._records):
            self._block = next(self._blocks, None)
            self._records, self._next = () if self._block is None else decoded(self._block), 0
        return self._block is not None

    def _take(self, batch: Batch, events_max: int) -> None:
        block, begin = self._block, self._next
        assert block is not None
        self._next = batch.take(self._records, begin, events_max)
        end = block.ends[self._next - 1]
        batch.read_bytes += end - (block.ends[begin - 1] if begin else block.start)
        batch.position = LogPosition(block.segment, end)


def decoded(block: Block) -> Sequence[Written | None]:
    """Return a block's records; None for one that cannot be read, which is logged."""
    payloads = block.payloads
    try:
        return decode_all(_ARRAY.pack(_ARRAY_32, len(payloads)) + b"".join(payloads))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [_decoded(payload, block.segment, end) for payload, end in zip(payloads, block.ends, strict=True)]


def _decoded(payload: bytes, segment: int, end: int) -> Written | None:
    try:
        return decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # Its check sum is right, so another version of Lambent wrote it. The rest is still worth reading.
        _log.error("logs.record_unreadable segment=%d end=%d reason=%s", segment, end, error)
        return None
