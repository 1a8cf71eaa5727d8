"""
The audit trail: who called what, when, from where, and whether they might. One line of JSON each, in files that rotate.

In: calls that are over. Out: lines, newest first, for `LookupEvents`. A disk that is full loses records and says so in
the log: a server that refused its work instead could be stopped by filling the disk, and nobody could set it right.
"""

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from lambent.clock import Clock
from lambent.telemetry.trail_record import RECORD_MAX_BYTES, Call, is_data, record_of

__all__ = ["Call", "Position", "Trail"]

_log = logging.getLogger("lambent.trail")

_FILES = 16
"""As many share the room; the oldest of them goes first."""
_NAME = re.compile(r"trail-([0-9]{12})\.jsonl")
_CHUNK_BYTES = 65_536
_COMPLAIN_EVERY_S = 60.0
_STRANGERS_PER_S = 10.0
_STRANGERS_BURST = 200.0
"""
Records of calls that nobody proved to have made: whoever has no key must not be able to push everybody else's out.
Assumed: far more than mistakes make (test_trail). What is left out is counted in the next record.
"""
_READ_KEY = re.compile(r"Credential=([^/,\s]{1,128})")


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Between two lines."""

    file: int
    offset: int
    """Bytes of the file that come before."""


class Trail:
    """
    Writes records, and reads them back.

    Args:
        folder: holds the files; private.
        max_bytes: all of them together.
        has_data: whether invocations, messages and the like are recorded as well.
        account: whom calls belong to of which nobody knows who made them.
        region: likewise.
    """

    def __init__(
        self, folder: Path, clock: Clock, *, max_bytes: int, has_data: bool, account: str, region: str
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._file_max_bytes = max(max_bytes // _FILES, RECORD_MAX_BYTES)
        self._max_bytes = max_bytes
        self._has_data = has_data
        self._account = account
        self._region = region
        self._number = 0
        self._descriptor: int | None = None
        self._size = 0
        self._lost = 0
        self._complained_at: float | None = None
        self._strangers = _STRANGERS_BURST
        self._strangers_at = clock.monotonic()
        self._suppressed = 0

    def wants(self, service: str, operation: str) -> bool:
        """Say whether calls of an operation are recorded."""
        return self._has_data or not is_data(service, operation)

    def note(self, call: Call) -> None:
        """Record a call that is over, if it is one of those that are. Never raises."""
        if not self.wants(call.service, call.operation):
            return
        if call.caller is None and not self._takes_stranger():
            self._suppressed += 1
            return
        try:
            said = "" if call.caller is not None else _said_key(call)
            line = record_of(
                call,
                now=self._clock.now(),
                event_id=self._clock.new_id(),
                account=self._account,
                region=self._region,
                access_key=said,
                suppressed=self._suppressed,
            )
        except Exception:
            # A defect, of which the caller must not suffer: its call is over.
            _log.exception("trail.failed request_id=%s", call.request_id)
            return
        self._suppressed = 0
        self._write(line + b"\n")

    def read_back(self, position: Position | None = None) -> Iterator[tuple[Position, bytes]]:
        """
        Yield lines from the newest to the oldest, each with the position before it. Blocks on the disk.

        Args:
            position: what comes before it; None: all.
        """
        for number in sorted(_numbers(self._folder), reverse=True):
            if position is not None and number > position.file:
                continue
            end = position.offset if position is not None and number == position.file else None
            try:
                with self._path(number).open("rb") as stream:
                    size = os.fstat(stream.fileno()).st_size
                    for offset, line in _lines_back(stream, size if end is None else min(end, size)):
                        yield Position(number, offset), line
            except FileNotFoundError:
                # The oldest one, which had to go meanwhile.
                return

    def close(self) -> None:
        """Write no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _takes_stranger(self) -> bool:
        now = self._clock.monotonic()
        gained = (now - self._strangers_at) * _STRANGERS_PER_S
        self._strangers = min(self._strangers + gained, _STRANGERS_BURST)
        self._strangers_at = now
        if self._strangers < 1:
            return False
        self._strangers -= 1
        return True

    def _write(self, line: bytes) -> None:
        try:
            if self._descriptor is None:
                self._open()
            if self._size and self._size + len(line) > self._file_max_bytes:
                self._rotate()
            assert self._descriptor is not None
            written = os.write(self._descriptor, line)
            if written < len(line):
                # No half lines: what comes next would be the rest of it.
                os.ftruncate(self._descriptor, self._size)
                raise OSError("there is no room left")
            self._size += written
        except OSError as error:
            self._lost += 1
            self._complain(error)

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        numbers = _numbers(self._folder)
        self._number = max(numbers, default=1)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path(self._number), flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        if self._size and os.pread(self._descriptor, 1, self._size - 1) != b"\n":
            # A server that was killed, or a machine that went down, while it wrote: that line stays what it is.
            self._size += os.write(self._descriptor, b"\n")
        self._make_room()

    def _rotate(self) -> None:
        self.close()
        self._number += 1
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path(self._number), flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        self._make_room()

    def _make_room(self) -> None:
        """Remove the oldest files, so that one more that is full stays within the bound."""
        sizes = {}
        for number in _numbers(self._folder):
            with contextlib.suppress(FileNotFoundError):
                sizes[number] = self._path(number).stat().st_size
        sizes[self._number] = self._file_max_bytes
        for number in sorted(sizes):
            if number == self._number or sum(sizes.values()) <= self._max_bytes:
                return
            self._path(number).unlink(missing_ok=True)
            del sizes[number]

    def _complain(self, error: OSError) -> None:
        now = self._clock.monotonic()
        if self._complained_at is None or now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            _log.error("trail.lost records=%d reason=%s", self._lost, error.strerror or error)
            self._lost = 0

    def _path(self, number: int) -> Path:
        return self._folder / f"trail-{number:012d}.jsonl"


def _numbers(folder: Path) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return [int(match[1]) for name in names if (match := _NAME.fullmatch(name))]


def _lines_back(stream: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the whole lines before `end`, the last one first, each with where it begins."""
    rest = b""
    while end > 0:
        start = max(0, end - _CHUNK_BYTES)
        stream.seek(start)
        pieces = (stream.read(end - start) + rest).split(b"\n")
        # Where the first of them begins is not known yet, unless it is the file's first.
        at = start + sum(len(piece) + 1 for piece in pieces)
        rest = pieces[0]
        for piece in reversed(pieces[1:]):
            at -= len(piece) + 1
            if piece:
                yield at, piece
        if len(rest) > 4 * RECORD_MAX_BYTES:
            # None of ours: nothing that we write is as long.
            rest = b""
        end = start
    if rest:
        yield 0, rest


def _said_key(call: Call) -> str:
    found = _READ_KEY.search(call.request.headers.get("authorization", ""))
    return found[1] if found else ""
