"""
Append-only segment files: where records rest between the moment they happen and the log store.

A record is `length u32 · crc32 u32 · payload`, little-endian, written by one write(2), alone or with others, to a
descriptor opened for appending: it survives the end of this process by kill -9, and is synced to disk within about a
second. A power cut may tear the last records; their check sums tell.
"""

import asyncio
import contextlib
import functools
import logging
import os
import re
import struct
import zlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from lambent.clock import Clock, TimerHandle
from lambent.store.contract import LogPosition

SEGMENT_BYTES_MAX: Final = 16 * 1024 * 1024
"""A segment that would grow beyond this is closed and the next one begun; a longer record has a segment to itself."""

SYNC_AFTER_S: Final = 1.0
"""How long a record may stay unsynced: what a power cut may take."""

RECORD_BYTES_MAX: Final = 256 * 1024 * 1024
"""Longest record; a length beyond it is a damaged one."""

_COPY_BYTES: Final = 1024 * 1024
_BLOCK_BYTES: Final = 64 * 1024
"""Read, checked and decoded at once: some tenths of a millisecond."""

_FRAME: Final = struct.Struct("<II")
HEAD_BYTES: Final = _FRAME.size
"""What a record takes in the file beside its payload."""
_NAME: Final = re.compile(r"(\d{16})\.segment")

_log = logging.getLogger("lambent.telemetry")


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record and the place behind it."""

    payload: bytes
    end: LogPosition


class Block(msgspec.Struct, frozen=True, gc=False):
    """Some records of one segment, one behind the other; at least one."""

    segment: int
    start: int
    """Where the first begins in the segment."""
    payloads: list[bytes]
    ends: list[int]
    """Where each ends."""


class Segments:
    """
    The segment files of one folder. One writer, whose methods are called on the event loop; readers in any thread.

    A file is opened by the first record that needs it, always with a number above all that ever were.

    Args:
        folder: made when it is not there.
        clock: for the timer that syncs.
        segment_bytes_max: when to begin the next file.
    """

    def __init__(self, folder: Path, clock: Clock, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock
        self._segment_bytes_max = segment_bytes_max
        self.number = max(self._numbers(), default=0)
        """The newest segment: the one being written to, once `_descriptor` is open."""
        self.offset = 0
        self._descriptor: int | None = None
        self._unsynced: list[int] = []
        """Descriptors of closed segments that wait for a sync."""
        self._is_folder_unsynced = False
        self._is_dirty = False
        self._sync_timer: TimerHandle | None = None
        self._syncing: asyncio.Future[None] | None = None
        self._has_failed = False
        self._holds = 0
        """How many want that no file goes."""
        self.appended_bytes = 0
        """Bytes appended since the start, frames included."""
        self.dropped_records = 0
        """Records that could not be written: they are lost, the invocation is not."""

    # Writing -----------------------------------------------------------------------------------------------------

    def begin_after(self, number: int) -> None:
        """Use only numbers above `number`: the store may know of segments whose files are gone."""
        if self._descriptor is None:
            self.number = max(self.number, number)

    def append(self, *payloads: bytes) -> int:
        """
        Write records, one behind the other in one file and in one piece; return how many bytes of it they take.

        Never raises for a full or broken disk: then the records count as dropped, all of them, and 0 is returned.
        """
        parts: list[bytes] = []
        for payload in payloads:
            assert payload, "an empty record could not be told from a disk's zeros"
            parts += (_FRAME.pack(len(payload), zlib.crc32(payload)), payload)
        record = b"".join(parts)
        size = len(record)
        try:
            descriptor = self._descriptor
            if descriptor is None or (self.offset and self.offset + size > self._segment_bytes_max):
                descriptor = self._begin_segment()
            written = os.write(descriptor, record)
            if written != size:
                self._take_back(descriptor)
                raise OSError(f"{written} of {size} bytes written")
        except OSError as error:
            self.dropped_records += len(payloads)
            if not self._has_failed:
                self._has_failed = True
                _log.error("segments.write_failed folder=%s reason=%s", self._folder, error)
            return 0
        if self._has_failed:
            self._has_failed = False
            _log.warning("segments.write_recovered folder=%s dropped=%d", self._folder, self.dropped_records)
        self.offset += size
        self.appended_bytes += size
        if not self._is_dirty:
            self._is_dirty = True
            if self._sync_timer is None and self._syncing is None:
                self._sync_timer = self._clock.call_later(SYNC_AFTER_S, self._start_sync)
        return size

    def end(self) -> LogPosition:
        """Return the place behind the last record, where the next one will or may stand."""
        return LogPosition(self.number, self.offset if self._descriptor is not None else self._size(self.number))

    def _take_back(self, descriptor: int) -> None:
        """The disk became full in the middle. What follows a torn record cannot be read, so it goes away again."""
        try:
            os.ftruncate(descriptor, self.offset)
        except OSError:
            self._retire_segment()

    def _begin_segment(self) -> int:
        descriptor = os.open(
            self._path(self.number + 1), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        self._retire_segment()
        self._descriptor = descriptor
        self.number += 1
        self.offset = 0
        self._is_folder_unsynced = True
        return descriptor

    def _retire_segment(self) -> None:
        if self._descriptor is not None:
            self._unsynced.append(self._descriptor)
            self._descriptor = None

    # Syncing -----------------------------------------------------------------------------------------------------

    def _start_sync(self) -> None:
        self._sync_timer = None
        if self._syncing is None and self._is_dirty:
            self._syncing = asyncio.get_running_loop().run_in_executor(None, self._sync_job())
            self._syncing.add_done_callback(self._synced)

    def _sync_job(self) -> Callable[[], None]:
        """Return a call, for a thread, that syncs what is unsynced now and closes the segments that are done with."""
        self._is_dirty = False
        retired, self._unsynced = self._unsynced, []
        # A duplicate, since the next append may close the segment while a thread syncs it.
        current = [] if self._descriptor is None else [os.dup(self._descriptor)]
        folder = self._folder if self._is_folder_unsynced else None
        self._is_folder_unsynced = False
        return functools.partial(_sync, retired + current, folder)

    def _synced(self, syncing: "asyncio.Future[None]") -> None:
        self._syncing = None
        if not syncing.cancelled() and (error := syncing.exception()) is not None:
            _log.error("segments.sync_failed folder=%s reason=%s", self._folder, error)
        if self._is_dirty and self._sync_timer is None:
            self._sync_timer = self._clock.call_later(SYNC_AFTER_S, self._start_sync)

    @property
    def is_syncing(self) -> bool:
        return self._syncing is not None

    async def close(self) -> None:
        """Sync and close; nothing may be appended afterwards."""
        while self._syncing is not None:
            await asyncio.wait([self._syncing])
            # The callback that forgets it runs in the same turn of the loop, in no promised order.
            await asyncio.sleep(0)
        if self._sync_timer is not None:
            self._sync_timer.cancel()
            self._sync_timer = None
        self._retire_segment()
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._sync_job())
        except OSError as error:
            _log.error("segments.sync_failed folder=%s reason=%s", self._folder, error)

    # Reading -----------------------------------------------------------------------------------------------------

    def read(self, position: LogPosition, until: LogPosition) -> Generator[Record]:
        """Iterate over the records between two places one by one; all else is as of `blocks`."""
        for block in self.blocks(position, until):
            for payload, end in zip(block.payloads, block.ends, strict=True):
                yield Record(payload, LogPosition(block.segment, end))

    def blocks(self, position: LogPosition, until: LogPosition) -> Generator[Block]:
        """
        Iterate over the records between two places, many at once. May run in a thread, beside the writer.

        A record that is torn or damaged ends its segment: reading goes on with the next. Segments that are gone are
        passed over.

        Args:
            position: where to begin: a place that `Record.end` or `end` gave.
            until: where to stop, at most what `end` gave before the call.
        """
        for number in sorted(self._numbers()):
            if position.segment <= number <= until.segment:
                start = position.offset if number == position.segment else 0
                stop = until.offset if number == until.segment else None
                yield from self._blocks_of(number, start, stop)

    def _blocks_of(self, number: int, start: int, stop: int | None) -> Generator[Block]:
        try:
            file = self._path(number).open("rb")
        except FileNotFoundError:
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            end = size if stop is None else min(stop, size)
            file.seek(start)
            rest = b""
            while start < end:
                block = _read_on(file, rest, end - start)
                if len(block) == len(rest):
                    # There is no more of it in the file: it is torn or damaged.
                    _log.warning("segments.torn segment=%d offset=%d lost_bytes=%d", number, start, end - start)
                    return
                payloads, ends = _records_in(block)
                if payloads:
                    yield Block(number, start, payloads, [start + place for place in ends])
                    start += ends[-1]
                    block = block[ends[-1] :]
                rest = block

    def copy(self, position: LogPosition, until: LogPosition, folder: Path) -> None:
        """
        Copy what lies between two places into an empty folder, so that whoever reads there from `position` on reads it.

        The copies have numbers that are one higher: the first then begins at the place, and holds nothing of what is
        before it. May run in a thread, beside the writer, while no file may go.

        Args:
            position: where to begin.
            until: where to stop, at most what `end` gave before the call.
        """
        for number in sorted(self._numbers()):
            if position.segment <= number <= until.segment:
                start = position.offset if number == position.segment else 0
                stop = until.offset if number == until.segment else self._size(number)
                if start < stop:
                    _copy_part(self._path(number), start, stop, folder / f"{number + 1:016d}.segment")

    @contextlib.contextmanager
    def hold(self) -> Generator[None]:
        """Let no file go until the block ends; what is folded in it goes with a later fold."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    def drop_folded(self, position: LogPosition) -> None:
        """Delete the segments that end at or before `position`, except the one being written to."""
        if self._holds:
            return
        for number in self._numbers():
            if self._descriptor is not None and number == self.number:
                continue
            if number < position.segment or (number == position.segment and self._size(number) <= position.offset):
                with contextlib.suppress(OSError):
                    self._path(number).unlink()

    def _numbers(self) -> list[int]:
        found = (_NAME.fullmatch(name) for name in (path.name for path in self._folder.iterdir()))
        return [int(match[1]) for match in found if match]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:016d}.segment"

    def _size(self, number: int) -> int:
        try:
            return self._path(number).stat().st_size
        except FileNotFoundError:
            return 0


_sync_data = getattr(os, "fdatasync", os.fsync)


def _sync(descriptors: Sequence[int], folder: Path | None) -> None:
    """Sync files and close them; sync the folder, too, when files are new in it."""
    try:
        for descriptor in descriptors:
            _sync_data(descriptor)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    if folder is not None:
        entry = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(entry)
        finally:
            os.close(entry)


def _copy_part(source: Path, start: int, stop: int, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    # A segment is small, but for one that a single record fills.
    with source.open("rb") as reading, os.fdopen(descriptor, "wb") as writing:
        reading.seek(start)
        while start < stop and (chunk := reading.read(min(_COPY_BYTES, stop - start))):
            writing.write(chunk)
            start += len(chunk)


def _records_in(block: bytes) -> tuple[list[bytes], list[int]]:
    """Return the whole and sound records that a block begins with, and where each ends in it."""
    payloads: list[bytes] = []
    ends: list[int] = []
    place, size = 0, len(block)
    # Here comes every record by: what is looked up for each of them is paid by each invocation.
    unpack, check = _FRAME.unpack_from, zlib.crc32
    while (begin := place + HEAD_BYTES) <= size:
        length, check_sum = unpack(block, place)
        place = begin + length
        payload = block[begin:place]
        if place > size or not length or check(payload) != check_sum:
            break
        payloads.append(payload)
        ends.append(place)
    return payloads, ends


def _read_on(file: BinaryIO, block: bytes, bytes_left: int) -> bytes:
    """
    Return a block that begins with a record, with more of the file; the block as it is when that has all of the record.

    Args:
        bytes_left: that may be read, with those that are in the block.
    """
    missing = HEAD_BYTES - len(block)
    if missing <= 0:
        length, _ = _FRAME.unpack_from(block)
        missing = HEAD_BYTES + length - len(block)
        if not 0 < length <= RECORD_BYTES_MAX or missing <= 0 or missing > bytes_left - len(block):
            return block
    return block + file.read(min(max(missing, _BLOCK_BYTES), bytes_left - len(block)))
