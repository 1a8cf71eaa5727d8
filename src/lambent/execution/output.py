"""
What one environment leaves in its log: the output of its processes, and the platform's lines around it, as text or as
JSON records.

Beside it stands the tail, the last of an invocation's log, where the caller has asked for it.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import Final

from lambent.clock import Clock, TimerHandle
from lambent.domain.arn import runtime_version_arn
from lambent.domain.function import Deployment
from lambent.domain.invocation import Invocation
from lambent.domain.usage import UsageClass, UsageKind
from lambent.execution import environment as machine
from lambent.runtimes.contract import Runtimes
from lambent.telemetry import lines
from lambent.telemetry.log_records import Usage
from lambent.telemetry.logs import EnvironmentLog, FunctionLogs
from lambent.telemetry.output import OutputParser
from lambent.telemetry.records import SystemRecords

_READ_BYTES: Final = 65_536
_READS_MAX: Final = 4
"""
Reads in a row: a function that floods its pipe gets its turn again from the loop, a millisecond or two later. A pipe
holds no more than the first.
"""

FLOOD_BYTES_PER_S: Final = 8 * 1024 * 1024
"""
How fast the output of one environment is read for long. Assumed: more than anyone reads, and a third of what one
processor takes in at most, so that others are not slowed (test_output, bench logs).
"""

FLOOD_BYTES_FREE: Final = 32 * 1024 * 1024
"""How much is read at once as fast as it comes."""

_WEIGHED_BYTES: Final = 1024 * 1024
"""After so much it is looked at the clock again: the few lines of a usual invocation cost one addition."""

FLOOD_TOLD_EVERY_S: Final = 60.0
"""How often a flood is told of, in the function's log and in ours."""

_log = logging.getLogger("lambent.execution")

_TAIL_BYTES: Final = 4096
"""Documented: Lambda API reference, Invoke, LogResult holds the last 4 KB."""


class EnvironmentOutput:
    """
    The log stream of one environment, over all processes that it may have one after the other.

    Platform lines are written where they are called for; whoever wants the output that came before them reads it first.
    """

    def __init__(self, deployment: Deployment, logs: FunctionLogs, runtimes: Runtimes, clock: Clock) -> None:
        self.stream_name = _stream_name(deployment, clock)
        self._deployment = deployment
        self._logs = logs
        self._runtimes = runtimes
        self._clock = clock
        self._log: EnvironmentLog = logs.open_stream(
            deployment.scope, deployment.configuration.log_group, self.stream_name
        )
        self._records: SystemRecords | None = None
        """Where the function logs in JSON; made at INIT_START."""
        self._usage_class = usage_class(deployment, UsageKind.ON_DEMAND.value)
        self._pipe: int | None = None
        self._parser = OutputParser()
        self._tail: bytearray | None = None
        self._started_ms = 0
        """When the invocation began of which START was written last."""
        self._qualifier = ""
        """To which it was addressed; empty without one."""
        self._read_bytes = 0
        """Since it was weighed last."""
        self._written_bytes = 0
        """Weighed so far."""
        self._free_bytes = float(FLOOD_BYTES_FREE)
        """That may be read before the pipe has to wait; grows again with time."""
        self._weighed_at = clock.monotonic()
        self._flood_told_at: float | None = None
        self._pause: TimerHandle | None = None
        self._pauses = 0
        """Counts those that have ended, so that a call for an earlier one is told from one for this."""
        self._is_paused = False

    # The pipe ----------------------------------------------------------------------------------------------------

    def attach(self, pipe: int) -> None:
        """Follow the output of a new process. The descriptor stays the caller's; `detach` comes before its end."""
        self._pipe = pipe
        # What the process before has not finished is nothing that this one goes on with.
        self._parser = OutputParser()
        asyncio.get_running_loop().add_reader(pipe, self.read)

    def detach(self) -> None:
        """Read no more."""
        self._end_pause()
        if self._pipe is not None:
            asyncio.get_running_loop().remove_reader(self._pipe)
            self._pipe = None

    def read(self, flush: bool = False) -> None:
        """
        Read what the pipe holds without waiting and write it to the log.

        Args:
            flush: also write what is incomplete: the invocation, or the process, is over.
        """
        if self._pipe is None:
            return
        messages: list[str] = []
        for _ in range(_READS_MAX):
            try:
                chunk = os.read(self._pipe, _READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""
            if not chunk:
                asyncio.get_running_loop().remove_reader(self._pipe)
                flush = True
                break
            messages.extend(self._parser.feed(chunk))
            self._read_bytes += len(chunk)
            if len(chunk) < _READ_BYTES:
                break
        if flush:
            messages.extend(self._parser.flush())
        if messages:
            self.write(messages)
        if self._read_bytes >= _WEIGHED_BYTES:
            self._weigh()

    # Floods ------------------------------------------------------------------------------------------------------

    def _weigh(self) -> None:
        """Have the pipe wait, and by it the function, when more has come than is good for the others."""
        now = self._clock.monotonic()
        grown = (now - self._weighed_at) * FLOOD_BYTES_PER_S
        self._free_bytes = min(self._free_bytes + grown, FLOOD_BYTES_FREE) - self._read_bytes
        self._weighed_at = now
        self._written_bytes += self._read_bytes
        self._read_bytes = 0
        if self._is_paused or self._pipe is None or (self._free_bytes >= 0 and not self._logs.is_behind):
            return
        asyncio.get_running_loop().remove_reader(self._pipe)
        self._is_paused = True
        self._logs.throttles += 1
        if self._free_bytes < 0:
            self._pause = self._clock.call_later(-self._free_bytes / FLOOD_BYTES_PER_S, self._resume)
        else:
            pause = self._pauses
            self._logs.when_folded(lambda: self._resume() if pause == self._pauses else None)
        if self._flood_told_at is None or now - self._flood_told_at >= FLOOD_TOLD_EVERY_S:
            self._flood_told_at = now
            self._tell_flood()

    def _tell_flood(self) -> None:
        _log.warning(
            "logs.throttled function=%s version=%s stream=%s written_bytes=%d",
            self._deployment.name,
            self._deployment.version,
            self.stream_name,
            self._written_bytes,
        )
        wall = self._clock.now()
        if self._records is not None:
            self._log.output(self._records.throttled(wall, self._written_bytes))
        else:
            self._log.output([lines.throttled_line(wall, self._written_bytes)])

    def _resume(self) -> None:
        if not self._is_paused:
            return
        self._end_pause()
        if self._pipe is not None:
            asyncio.get_running_loop().add_reader(self._pipe, self.read)

    def _end_pause(self) -> None:
        self._is_paused = False
        self._pauses += 1
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    # The tail ----------------------------------------------------------------------------------------------------

    def begin_tail(self, is_wanted: bool) -> None:
        """Begin a tail, or have none, for the invocation that was placed now."""
        self._tail = bytearray() if is_wanted else None

    def take_tail(self) -> bytes | None:
        """Return the tail and keep none; None where none was wanted."""
        tail, self._tail = self._tail, None
        return None if tail is None else bytes(tail)

    def _add_to_tail(self, tail: bytearray, messages: Sequence[str]) -> None:
        for message in messages:
            tail += message.encode()
            del tail[:-_TAIL_BYTES]

    # Lines -------------------------------------------------------------------------------------------------------

    def write(self, messages: Sequence[str]) -> None:
        """Write messages as they are."""
        if self._tail is not None:
            self._add_to_tail(self._tail, messages)
        self._log.output(messages)

    def init_start(self, initialization_type: str) -> None:
        """Write INIT_START. Observed: no tail holds it."""
        self._usage_class = usage_class(self._deployment, initialization_type)
        if self._deployment.configuration.logging.is_json:
            self._records = self._new_records(initialization_type)
            self._log.output(self._records.init_start(self._clock.now()))
        else:
            self._log.output([lines.init_start_line(*self._runtime_version())])

    def init_done(self, init_ms: float, phase: str) -> None:
        """Tell that init went well, which the text format does not."""
        if self._records is not None:
            self.read()
            self._log.output(self._records.init_report(self._clock.now(), init_ms, phase))

    def restore_start(self) -> None:
        """Write RESTORE_START, which no tail holds either."""
        if self._records is not None:
            self._log.output(self._records.restore_start(self._clock.now()))
        else:
            self._log.output([lines.restore_start_line(*self._runtime_version())])

    def restore_report(self, report: machine.LogRestoreReport) -> None:
        """Write RESTORE_REPORT."""
        if self._records is not None:
            now = self._clock.now()
            self._log.output(self._records.restore_report(now, report.restore_ms, report.status, report.error_type))
        else:
            self._log.output([lines.restore_report_line(report.restore_ms, report.status, report.error_type)])

    def init_report(self, report: machine.LogInitReport) -> None:
        """Write INIT_REPORT."""
        told = (report.init_ms, report.phase, report.status, report.error_type)
        if self._records is not None:
            self.write(self._records.init_report(self._clock.now(), *told))
        else:
            self.write([lines.init_report_line(*told)])

    def start(self, invocation: Invocation) -> None:
        """Write START."""
        version, configuration = self._deployment.version, self._deployment.configuration
        if self._records is not None:
            written = self._records.start(
                self._clock.now(), invocation.request_id, invocation.tenant, invocation.tracing
            )
        else:
            written = [lines.start_line(invocation.request_id, version)]
        if self._tail is not None:
            self._add_to_tail(self._tail, written)
        self._qualifier = qualifier = _qualifier(invocation)
        self._started_ms = self._log.started(
            invocation.request_id,
            version,
            configuration.memory_mib,
            configuration.timeout_s,
            written,
            configuration.logging.system_level or "",
            self._deployment.name,
            qualifier,
            self._usage_class,
        )

    def timeout(self, invocation: Invocation) -> None:
        """Write that the invocation took too long. Assumed: in JSON the status of the report alone says it."""
        if self._records is not None:
            return
        timeout_s = self._deployment.configuration.timeout_s
        self.write([lines.timeout_line(self._clock.now(), invocation.request_id, timeout_s)])

    def end(
        self, invocation: Invocation, end: machine.LogEnd, memory_peak_mib: int, cpu_us: int, streamed_bytes: int = 0
    ) -> None:
        """
        Write END and REPORT, and what the invocation used.

        Args:
            memory_peak_mib: the most that the environment has used so far.
            cpu_us: processor time of this invocation, a cold start's init included.
            streamed_bytes: of its response, where that was streamed.
        """
        usage = Usage(
            duration_ms=end.duration_ms,
            init_ms=end.init_ms or 0.0,
            billed_ms=lines.billed_duration_ms(end.duration_ms, end.init_ms, end.restore_ms),
            cpu_us=cpu_us,
            memory_peak_mib=memory_peak_mib,
            streamed_bytes=streamed_bytes,
            is_restored=end.restore_ms is not None,
        )
        if self._records is not None:
            written = self._records.report(
                self._clock.now(),
                invocation.request_id,
                duration_ms=end.duration_ms,
                init_ms=end.init_ms,
                memory_peak_mib=memory_peak_mib,
                status=end.status,
                error_type=end.error_type,
                restore_ms=end.restore_ms,
                tracing=invocation.tracing,
            )
        else:
            written = self._closing_lines(invocation, end, memory_peak_mib, usage.billed_ms)
        if self._tail is not None:
            self._add_to_tail(self._tail, written)
        self._log.ended(
            invocation.request_id,
            written,
            usage,
            function=self._deployment.name,
            qualifier=self._qualifier,
            version=self._deployment.version,
            started_ms=self._started_ms,
            # REPORT says nothing of a handler that failed and whose runtime lives on; it is an error all the same.
            status=end.status or ("error" if end.is_error else ""),
            is_weighted=invocation.is_weighted,
            of=self._usage_class,
        )

    def crash(self, text: str) -> None:
        """Write what is said of a runtime that ended in the middle of an invocation."""
        if self._records is not None:
            self.write(self._records.fault(self._clock.now(), text))
        else:
            self.write([text])

    def _closing_lines(
        self, invocation: Invocation, end: machine.LogEnd, memory_peak_mib: int, billed_ms: int
    ) -> list[str]:
        tracing = invocation.tracing
        return [
            lines.end_line(invocation.request_id),
            lines.report_line(
                invocation.request_id,
                duration_ms=end.duration_ms,
                billed_ms=billed_ms,
                init_ms=end.init_ms,
                memory_mib=self._deployment.configuration.memory_mib,
                memory_peak_mib=memory_peak_mib,
                status=end.status,
                error_type=end.error_type,
                restore_ms=end.restore_ms,
                trace_id="" if tracing is None else tracing.trace_id,
                segment_id="" if tracing is None else tracing.id,
            ),
        ]

    def _new_records(self, initialization_type: str) -> SystemRecords:
        label, arn = self._runtime_version()
        configuration = self._deployment.configuration
        return SystemRecords(
            configuration.logging.system_level or "INFO",
            function_name=self._deployment.name,
            function_version=self._deployment.version,
            # What the stream's name ends with: the environment's own.
            instance_id=self.stream_name[-32:],
            memory_mib=configuration.memory_mib,
            runtime_version=label,
            runtime_version_arn=arn,
            initialization_type=initialization_type,
        )

    def _runtime_version(self) -> tuple[str, str]:
        runtime = self._deployment.configuration.runtime
        return self._runtimes.version_label(runtime), runtime_version_arn(self._deployment.scope.region, runtime)


def usage_class(deployment: Deployment, initialization_type: str) -> UsageClass:
    """Return what says what an environment costs, and the invocations in it."""
    configuration = deployment.configuration
    return UsageClass(
        configuration.memory_mib,
        configuration.tmp_mib,
        configuration.architectures[0],
        initialization_type,
        configuration.runtime,
        deployment.tenant or "",
    )


_ARN_PARTS = 7
"""Of a function's ARN without a qualifier."""


def _qualifier(invocation: Invocation) -> str:
    """Return the qualifier that an invocation was addressed to; empty without one."""
    arn = invocation.invoked_arn
    return arn.rpartition(":")[2] if arn.count(":") == _ARN_PARTS else ""


def _stream_name(deployment: Deployment, clock: Clock) -> str:
    """
    Name the environment's log stream.

    Documented: Lambda developer guide, CloudWatch log streams. Observed: with a group of the user's choice the
    function's name stands in front of the version.
    """
    day = lines.date_path(clock.now())
    owner = "" if deployment.configuration.log_group == f"/aws/lambda/{deployment.name}" else deployment.name
    return f"{day}/{owner}[{deployment.version}]{clock.token_hex(16)}"
