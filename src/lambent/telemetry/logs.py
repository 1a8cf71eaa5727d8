"""
The functions' log: written as records while invocations run, folded into the log store afterwards.

Writing is one append to a segment file, never a database statement. Folding happens when a reader asks, a second
after the last record, or when much has piled up; each record is stored exactly once, because its events and the
position behind it are one commit.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from lambent.clock import Clock, TimerHandle
from lambent.domain.caller import Scope
from lambent.domain.invocation import EnvironmentFailure
from lambent.domain.usage import UsageClass
from lambent.errors.families import DependencyError
from lambent.store.contract import Conflict, LogPosition, LogStore, OpenInvocation
from lambent.store.usage_contract import Allocation, NewUsage
from lambent.telemetry import lines
from lambent.telemetry.folding import Reading, Recent
from lambent.telemetry.ingestion import Ingestion
from lambent.telemetry.log_records import (
    NO_CLASS,
    NOTHING_USED,
    Allocated,
    Ended,
    Output,
    Put,
    Started,
    Usage,
    Written,
    encode,
)
from lambent.telemetry.records import logs_dropped, records_of_report
from lambent.telemetry.segments import Segments
from lambent.telemetry.usage_follower import UsageFollower

FOLD_AFTER_S: Final = 1.0
"""How long nothing may be written before what was written is folded without being asked for."""

FOLD_WITHIN_S: Final = 5.0
"""Under constant writing, how long after a record a fold begins at the latest: figures follow from what is folded."""

FOLLOWED_WITHIN_S: Final = 1.0
"""The same where somebody follows: subscribers and live tails."""

RETRY_AFTER_S: Final = 5.0
"""How long to wait after the store refused. Assumed: long enough for a lock to pass, short enough to stay bounded."""

UNFOLDED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Under constant load, fold when so much has piled up in segment files."""

BEHIND_BYTES: Final = 96 * 1024 * 1024
"""
From so much unfolded on, environments that write much wait: folding is slower than they are.

Assumed: half as much again as what begins a fold, so that nobody waits where folding keeps up (test_output).
"""

RECORD_MESSAGES_MAX: Final = 2_000
"""Messages of one record; more become several, so that a batch stays near its limits."""

HELD_BYTES_MAX: Final = 16 * 1024
"""A longer record is written at once, with those before it: what is held back stays small."""

SWEEP_EVERY_S: Final = 3600.0
"""How often events beyond their group's retention are deleted. They are hidden from readers at once."""

SWEEP_AGAIN_S: Final = 10.0
"""How soon a sweep that found some is followed by another. Assumed: a tenth of the time may go into deleting."""

_log = logging.getLogger("lambent.telemetry")

_Record = TypeVar("_Record", bound=Written)


class LogCounts(msgspec.Struct, frozen=True):
    """What was written since the server started."""

    messages: int
    written_bytes: int
    backlog_bytes: int
    """Of these, what is not in the store yet."""
    records_dropped: int
    """That the disk did not take."""
    throttles: int
    """How often a function had to wait that wrote too much."""


class EnvironmentLog:
    """
    The log stream of one execution environment. Each call appends one record, on the event loop, and never fails. It is
    in the file at the end of the loop's turn, before anybody who was answered in that turn goes on.

    Timestamps are the moment of writing and never go back within the stream.
    """

    __slots__ = (
        "_account",
        "_dropped_bytes",
        "_dropped_records",
        "_group",
        "_last_ms",
        "_logs",
        "_now",
        "_region",
        "_stream",
    )

    def __init__(
        self, logs: "FunctionLogs", now: Callable[[], float], scope: Scope, group: str, stream: str, last_ms: int = 0
    ) -> None:
        self._logs = logs
        self._now = now
        self._account = scope.account
        self._region = scope.region
        self._group = group
        self._stream = stream
        self._last_ms = last_ms
        self._dropped_records = 0
        """Messages that the disk did not take, and that the log does not know of yet."""
        self._dropped_bytes = 0

    def output(self, messages: Sequence[str]) -> None:
        """Write messages, each an event of its own."""
        if len(messages) > RECORD_MESSAGES_MAX:
            for start in range(0, len(messages), RECORD_MESSAGES_MAX):
                self.output(messages[start : start + RECORD_MESSAGES_MAX])
        elif messages:
            self._append(Output(self._account, self._region, self._group, self._stream, self._now_ms(), messages))

    def started(
        self,
        request_id: str,
        version: str,
        memory_mib: int,
        timeout_s: int,
        messages: Sequence[str],
        system_level: str = "",
        function: str = "",
        qualifier: str = "",
        of: UsageClass = NO_CLASS,
    ) -> int:
        """
        Write that an invocation starts, with its first lines; return when, in milliseconds since the epoch. To be
        called before its response can leave.

        What is given here is what a REPORT and figures need, should this server not live to write them.
        """
        now_ms = int(self._now() * 1000)
        if now_ms > self._last_ms:  # noqa: PLR1730 - as in `_now_ms`
            self._last_ms = now_ms
        self._append(
            Started(
                self._account,
                self._region,
                self._group,
                self._stream,
                self._last_ms,
                messages,
                request_id,
                version,
                memory_mib,
                timeout_s,
                system_level,
                function,
                qualifier,
                of,
            )
        )
        # Not what the stream says, in which time stands still until a clock that was set back has caught up.
        return now_ms

    def ended(
        self,
        request_id: str,
        messages: Sequence[str],
        usage: Usage = NOTHING_USED,
        *,
        function: str = "",
        qualifier: str = "",
        version: str = "",
        started_ms: int = 0,
        status: str = "",
        is_weighted: bool = False,
        of: UsageClass = NO_CLASS,
    ) -> None:
        """
        Write that an invocation is over, with its last lines and what it used; the others are what figures need.

        Args:
            qualifier: as the caller addressed the function; empty without one.
            status: empty when all went well, else `error` or `timeout`.
            is_weighted: whether an alias's weights chose the version.
            of: says what it costs.
        """
        self._append(
            Ended(
                self._account,
                self._region,
                self._group,
                self._stream,
                self._now_ms(),
                messages,
                request_id,
                usage.duration_ms,
                usage.init_ms,
                usage.billed_ms,
                usage.cpu_us,
                usage.memory_peak_mib,
                function,
                qualifier,
                version,
                started_ms,
                status,
                is_weighted,
                usage.streamed_bytes,
                usage.is_restored,
                of,
            )
        )

    def _append(self, record: Written) -> None:
        if self._dropped_records:
            self._tell_dropped()
        self._logs.hold_back(self, record)

    def dropped(self, record: Written) -> None:
        """The disk has not taken a record."""
        self._dropped_records += len(record.messages)
        self._dropped_bytes += sum(len(message.encode("utf-8", "replace")) for message in record.messages)

    def _tell_dropped(self) -> None:
        """Say in the log what it lacks; as long as the disk takes nothing, that is one with the rest."""
        self._logs.write_now()
        now_ms = self._now_ms()
        told = logs_dropped(now_ms / 1000, self._dropped_records, self._dropped_bytes, "the disk took no records")
        if self._logs.append(Output(self._account, self._region, self._group, self._stream, now_ms, told)):
            self._logs.messages += len(told)
            self._dropped_records = self._dropped_bytes = 0

    def _now_ms(self) -> int:
        now_ms = int(self._now() * 1000)
        # Not `max`, which takes twice as long: each record comes through here.
        if now_ms > self._last_ms:  # noqa: PLR1730
            self._last_ms = now_ms
        return self._last_ms


class FunctionLogs:
    """
    The log of every function on this machine.

    Args:
        segments: where records are appended; closed by `close`.
        store: where they are folded into; outlives this.
        clock: for timestamps and timers.
        ingestion: sees all that is folded.
    """

    def __init__(self, segments: Segments, store: LogStore, clock: Clock, ingestion: Ingestion | None = None) -> None:
        self._segments = segments
        self._store = store
        self._clock = clock
        self._ingestion = ingestion or Ingestion()
        self._follower: UsageFollower | None = None
        self._folded: LogPosition | None = None
        """How far the store has everything; None until it has been asked."""
        self._folded_bytes = 0
        """The segments' `appended_bytes` at that place."""
        self._recent = Recent(segments.end())
        self._held: list[Written] = []
        """What is written at the end of this turn of the loop."""
        self._held_by: list[EnvironmentLog] = []
        """Whose each of it is."""
        self._payloads: list[bytes] = []
        """The same, encoded."""
        self._run: asyncio.Task[None] | None = None
        self._timer: TimerHandle | None = None
        self.messages = 0
        """That were written: whoever appends a record counts them here."""
        self.throttles = 0
        """Of those who write too much: whoever makes one wait counts it here."""
        self._last_append = 0.0
        self._first_append = 0.0
        """When the record that has waited longest was written, since the timer was set."""
        self._retry_at = 0.0
        self._waiting: list[Callable[[], None]] = []
        """Environments that wait for a fold: at most one call for each."""
        self._swept_at: float | None = None
        self._is_closed = False

    def open_stream(self, scope: Scope, group: str, stream: str) -> EnvironmentLog:
        """Return the log of one environment. Group and stream come into being with the first record."""
        return EnvironmentLog(self, self._clock.now, scope, group, stream)

    def follow_usage(self, follower: UsageFollower) -> None:
        """Have somebody count along from the next fold on."""
        self._follower = follower

    async def recover(self) -> None:
        """
        Bring in what an earlier server left; called once, before the first record is written.

        An invocation that had started and not ended gets its END and REPORT, up to its last sign of life and
        marked as failed, since nobody will report it otherwise.

        Raises:
            DependencyError: the store does not answer.
        """
        position = await self._store.position()
        self._segments.begin_after(position.segment)
        # Sweeps as well, being the first.
        await self.fold()
        invocations = await self._store.open_invocations()
        for invocation in invocations:
            self._report_lost(invocation, await self._last_sign_ms(invocation))
        if invocations:
            await self.fold()
            _log.warning("logs.recovered invocations=%d", len(invocations))

    async def fold(self) -> None:
        """
        Return once everything written before this call is in the store. Concurrent calls share the work.

        Raises:
            DependencyError: the store does not answer; what is not folded stays in the segment files.
        """
        written = self._end()
        while not self._has_folded(written):
            run = self._run
            # A run that is over but whose callback has not come yet would be awaited without ever yielding.
            await asyncio.shield(self._begin_fold() if run is None or run.done() else run)

    async def put(self, scope: Scope, group: str, stream: str, events: Sequence[tuple[int, str]]) -> int:
        """
        Store events of a writer that is no function of ours; on return they are in the store. Calls share commits.

        Args:
            events: timestamp and message of each.

        Returns:
            When they were taken in, in milliseconds since the epoch.

        Raises:
            DependencyError: the disk or the store refuses them.
        """
        at_ms = self.now_ms()
        messages = [message for _, message in events]
        timestamps = [timestamp_ms for timestamp_ms, _ in events]
        if not self.append(Put(scope.account, scope.region, group, stream, at_ms, messages, timestamps)):
            raise DependencyError("log events cannot be written to disk", retryable=True)
        self.messages += len(messages)
        await self.fold()
        return at_ms

    def allocated(self, allocation: Allocation) -> bool:
        """
        Write what is kept for a version; False when the disk refuses it. Counted once, when it is folded.

        Its key has no qualifier.
        """
        (scope, function, version, _, of), from_ms, until_ms, environments = allocation
        record = Allocated(scope.account, scope.region, function, version, of, from_ms, until_ms, environments)
        return self.append(record)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keep what is folded until the block ends: `copy_unfolded` may be asked for a place that has passed."""
        with self._segments.hold():
            yield

    async def copy_unfolded(self, position: LogPosition, folder: Path) -> None:
        """
        Copy all that is written by now and lies behind a place, for a store that has everything up to there.

        Args:
            position: what such a store says; within a `hold` that began before it was read.
            folder: an empty one; becomes the folder of segments beside that store.

        Raises:
            OSError: the disk refuses.
        """
        until = self._end()
        await asyncio.to_thread(self._segments.copy, position, until, folder)

    async def close(self) -> None:
        """Fold and sync what is left; nothing may be written afterwards. A store that fails loses nothing."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            await self.fold()
            if (run := self._run) is not None:
                # All is folded, and it sweeps: the store and the files are nobody's afterwards.
                await asyncio.wait([run])
        except (DependencyError, Conflict):
            pass  # Logged by the run itself; the next start folds what is in the segment files.
        finally:
            await self._segments.close()

    def counts(self) -> LogCounts:
        """Return what was written since the server started."""
        segments = self._segments
        return LogCounts(
            self.messages,
            segments.appended_bytes,
            self._unfolded_bytes,
            segments.dropped_records,
            self.throttles,
        )

    # For EnvironmentLog ------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Return the time in milliseconds since the epoch."""
        return int(self._clock.now() * 1000)

    def hold_back(self, log: EnvironmentLog, record: Written) -> None:
        """
        Append one record, together with all others of this turn of the loop: before anything that waits for the loop's
        next turn goes on, as who was answered in this one does. A write for each would cost more than all else here.

        Args:
            log: is told should the disk not take it.
        """
        try:
            payload = encode(record)
        except UnicodeEncodeError:
            record, payload = _mended(record)
        if not self._held:
            # Documented: asyncio calls back in the order in which it was asked to.
            asyncio.get_running_loop().call_soon(self.write_now)
        self._held.append(record)
        self._held_by.append(log)
        self._payloads.append(payload)
        if len(payload) > HELD_BYTES_MAX:
            self.write_now()

    def append(self, record: Put | Output | Allocated) -> bool:
        """Append one record at once; False when the disk refuses it."""
        self.write_now()
        try:
            payload = encode(record)
        except UnicodeEncodeError:
            assert not isinstance(record, Allocated), "it has no messages"
            record, payload = _mended(record)
        size = self._segments.append(payload)
        if not size:
            return False
        self._recent.extend((record,), self._segments.number, self._segments.offset - size, (payload,))
        self._note_written()
        return True

    def write_now(self) -> None:
        """Write what is held back for the end of this turn of the loop."""
        held = self._held
        if not held:
            return
        held_by, payloads, segments = self._held_by, self._payloads, self._segments
        self._held, self._held_by, self._payloads = [], [], []
        size = segments.append(*payloads)
        if not size:
            for log, record in zip(held_by, held, strict=True):
                log.dropped(record)
            return
        self.messages += self._recent.extend(held, segments.number, segments.offset - size, payloads)
        self._note_written()

    def _note_written(self) -> None:
        """See to it that what was written is folded in time."""
        self._last_append = self._clock.monotonic()
        if self._timer is None and not self._is_closed:
            self._first_append = self._last_append
            self._timer = self._clock.call_later(FOLD_AFTER_S, self._look)
        if self._recent.is_due or self._unfolded_bytes > UNFOLDED_BYTES_MAX:
            self._make_room()

    def _end(self) -> LogPosition:
        """Return the place behind all that was appended."""
        self.write_now()
        return self._segments.end()

    def _make_room(self) -> None:
        """Fold, as much is written; where that is not to be, forget rather than grow."""
        if self._may_begin():
            self._begin_fold()
        elif self._recent.is_full:
            self._recent = Recent(self._end())

    # Floods ------------------------------------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be folded that who writes much is to wait as well."""
        self.write_now()
        return self._unfolded_bytes > BEHIND_BYTES

    def when_folded(self, resume: Callable[[], None]) -> None:
        """Call back, once and on the event loop, when what is written by now is folded, or could not be."""
        self._waiting.append(resume)
        if self._may_begin():
            self._begin_fold()

    @property
    def _unfolded_bytes(self) -> int:
        return self._segments.appended_bytes - self._folded_bytes

    def _resume(self) -> None:
        waiting, self._waiting = self._waiting, []
        for resume in waiting:
            resume()

    # When to fold ------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Fold, unless more has been written meanwhile: then look again later."""
        self._timer = None
        if self._is_closed or self._has_folded(self._end()):
            return
        is_followed = self._ingestion.is_followed or (self._follower is not None and self._follower.is_urgent)
        within_s = FOLLOWED_WITHIN_S if is_followed else FOLD_WITHIN_S
        quiet_from = min(self._last_append + FOLD_AFTER_S, self._first_append + within_s)
        wait_s = max(quiet_from, self._retry_at) - self._clock.monotonic()
        if wait_s > 0:
            self._timer = self._clock.call_later(wait_s, self._look)
        elif self._run is None:
            self._begin_fold()

    def _may_begin(self) -> bool:
        return self._run is None and self._clock.monotonic() >= self._retry_at

    def _begin_fold(self) -> "asyncio.Task[None]":
        assert self._run is None or self._run.done()
        self._run = asyncio.get_running_loop().create_task(self._fold_written(), name="logs.fold")
        self._run.add_done_callback(self._fold_ended)
        return self._run

    def _fold_ended(self, run: "asyncio.Task[None]") -> None:
        if self._run is run:
            self._run = None
        if not run.cancelled() and (error := run.exception()) is not None:
            _log.error(
                "logs.fold_failed reason=%s", error, exc_info=None if isinstance(error, DependencyError) else error
            )
            self._retry_at = self._clock.monotonic() + RETRY_AFTER_S
        if self._timer is None and not self._is_closed and not self._has_folded(self._end()):
            self._timer = self._clock.call_later(FOLD_AFTER_S, self._look)
        self._resume()

    def _has_folded(self, position: LogPosition) -> bool:
        folded = self._folded
        return folded is not None and (folded.segment, folded.offset) >= (position.segment, position.offset)

    # Folding -----------------------------------------------------------------------------------------------------

    async def _fold_written(self) -> None:
        until = self._end()
        appended_bytes = self._segments.appended_bytes
        # What is here by now is this run's; should it fail, the next one reads it from the files.
        recent, self._recent = self._recent, Recent(until)
        position = self._folded or await self._store.position()
        written = recent.between(position, self._segments, until)
        reading = Reading(written, self._is_written_to())
        try:
            # In a thread: reading and decoding thousands of records would hold up invocations.
            await self._ingestion.prepare()
            while (batch := await asyncio.to_thread(reading.next_batch, self._ingestion)) is not None:
                await self._ingestion.deliver(batch.derived)
                usage = NewUsage(batch.used, batch.allocated)
                async with self._follower.folding(usage) if self._follower is not None else contextlib.nullcontext():
                    await self._store.fold(
                        batch.events,
                        batch.opened,
                        list(batch.closed),
                        batch.position,
                        points=batch.derived.points,
                        usage=usage,
                    )
                self._folded = batch.position
                self._folded_bytes += batch.read_bytes
                self._ingestion.committed(batch.events)
        except BaseException:
            # Whether the last commit came through is the store's to say.
            self._folded = None
            raise
        finally:
            written.close()
        # Beyond the last record there may be a torn one, which no one will ever read.
        self._folded = until
        self._folded_bytes = appended_bytes
        self._segments.drop_folded(until)
        if self._swept_at is None or self._clock.monotonic() - self._swept_at >= SWEEP_EVERY_S:
            await self._sweep()

    def _is_written_to(self) -> Callable[[], bool]:
        """Return what says, in a thread, whether invocations write while it folds: whether anything came since last."""
        seen = self._segments.appended_bytes

        def look() -> bool:
            nonlocal seen
            before, seen = seen, self._segments.appended_bytes
            return seen != before

        return look

    async def _sweep(self) -> None:
        self._swept_at = self._clock.monotonic()
        try:
            dropped = await self._store.drop_expired(self.now_ms())
        except DependencyError as error:
            # Expired events are hidden anyway; whoever waits for a fold shall not hear of this.
            _log.error("logs.sweep_failed reason=%s", error)
            return
        if dropped:
            _log.info("logs.expired events=%d", dropped)
            # It took no longer than readers may wait, so there may be more.
            self._swept_at += SWEEP_AGAIN_S - SWEEP_EVERY_S

    # Recovery ----------------------------------------------------------------------------------------------------

    async def _last_sign_ms(self, invocation: OpenInvocation) -> int:
        newest = await self._store.events(
            invocation.scope, invocation.group, streams=[invocation.stream], newest_first=True, limit=1
        )
        return max(invocation.started_ms, *(event.timestamp_ms for event in newest), 0)

    def _report_lost(self, invocation: OpenInvocation, last_sign_ms: int) -> None:
        duration_ms = min(last_sign_ms - invocation.started_ms, invocation.timeout_s * 1000)
        written = _lost_report(invocation, duration_ms, last_sign_ms / 1000)
        log = EnvironmentLog(self, self._clock.now, invocation.scope, invocation.group, invocation.stream, last_sign_ms)
        # Assumed: what is known is billed, as REPORT says it; what was used in the dark is not.
        usage = Usage(duration_ms=duration_ms, billed_ms=lines.billed_duration_ms(duration_ms, None))
        log.ended(
            invocation.request_id,
            written,
            usage,
            function=invocation.function,
            qualifier=invocation.qualifier,
            version=invocation.version,
            started_ms=invocation.started_ms,
            status="error",
            of=_class_of(invocation),
        )


def _mended(record: _Record) -> tuple[_Record, bytes]:
    """Return a record without lone surrogates: a runtime's JSON may have them in an error type, and no encoding has."""
    messages = [message.encode("utf-8", "replace").decode() for message in record.messages]
    record = msgspec.structs.replace(record, messages=messages)
    return record, encode(record)


def _class_of(invocation: OpenInvocation) -> UsageClass:
    """Return what says what a lost invocation costs: rows of older versions have nothing but its memory."""
    of = invocation.of
    return of if of.memory_mib else msgspec.structs.replace(of, memory_mib=invocation.memory_mib)


def _lost_report(invocation: OpenInvocation, duration_ms: float, now: float) -> list[str]:
    """Return the last lines of an invocation that its server did not live to write."""
    status, error_type = "error", EnvironmentFailure.SANDBOX_FAILED.value
    if not invocation.system_level:
        report = lines.report_line(
            invocation.request_id,
            duration_ms=duration_ms,
            init_ms=None,
            memory_mib=invocation.memory_mib,
            memory_peak_mib=0,
            status=status,
            error_type=error_type,
        )
        return [lines.end_line(invocation.request_id), report]
    return records_of_report(
        invocation.system_level,
        now,
        invocation.request_id,
        duration_ms=duration_ms,
        init_ms=None,
        memory_mib=invocation.memory_mib,
        memory_peak_mib=0,
        status=status,
        error_type=error_type,
    )
