"""
The lines that the platform itself writes into a function's log, in the text format.

Source: Lambda developer guide, log formats; recorded logs of the service.
"""

import math
import re
import time
from collections.abc import Sequence

_REPORTABLE_ERROR_TYPE = re.compile(r"(?:Runtime|Function)\.[A-Z][a-zA-Z]+")
_MEMORY_SIZE = re.compile(r'\tMemory Size: ([0-9]+) MB\t|"memorySizeMB": ?([0-9]+)')


def billed_duration_ms(duration_ms: float, init_ms: float | None, restore_ms: float | None = None) -> int:
    """
    Return what an invocation is billed for, in whole milliseconds.

    Args:
        duration_ms: from START to the runtime's next Next.
        init_ms: duration of the init phase on a cold start, else None.
        restore_ms: duration of the restore on a cold start of SnapStart, else None.

    Documented: Lambda pricing since August 2025, init is billed for all configurations, the sum rounded up. Assumed: a
    restore is rounded up by itself and added, so that REPORT adds up (test_lines).
    """
    # Counted in hundredths, as REPORT shows them, so that 3.00 ms never bill as 4.
    hundredths = round(duration_ms * 100)
    if init_ms:
        hundredths += round(init_ms * 100)
    billed = max(1, -(-hundredths // 100))
    return billed if restore_ms is None else billed + billed_restore_ms(restore_ms)


def billed_restore_ms(restore_ms: float | None) -> int:
    """Return what a restore is billed for, in whole milliseconds; 0 where there was none."""
    return 0 if restore_ms is None else math.ceil(round(restore_ms * 100) / 100)


def reported_error_type(posted: str) -> str:
    """
    Return the error type that REPORT shows for one that a runtime posted: free text does not get there.

    Observed: aws/aws-lambda-runtime-interface-emulator, package fatalerror.
    """
    if _REPORTABLE_ERROR_TYPE.fullmatch(posted):
        return posted
    return "Function.Unknown" if posted.startswith("Function.") else "Runtime.Unknown"


def init_start_line(runtime_version: str, runtime_version_arn: str = "") -> str:
    """
    Return the line at the start of an environment's init phase.

    Args:
        runtime_version: the runtime and its release, e.g. `python:3.13.v60`.
        runtime_version_arn: left out, label and all, when empty.
    """
    arn = f"\tRuntime Version ARN: {runtime_version_arn}" if runtime_version_arn else ""
    return f"INIT_START Runtime Version: {runtime_version}{arn}\n"


def init_report_line(init_ms: float, phase: str, status: str, error_type: str = "") -> str:
    """Return the line about an init that failed; `phase` is `init` or `invoke`, `status` is `error` or `timeout`."""
    return f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\t{_status(status, error_type)}\n"


def restore_start_line(runtime_version: str, runtime_version_arn: str = "") -> str:
    """Return the line at the start of a restore; the arguments are those of `init_start_line`."""
    return init_start_line(runtime_version, runtime_version_arn).replace("INIT_START", "RESTORE_START", 1)


def restore_report_line(restore_ms: float, status: str = "", error_type: str = "") -> str:
    """
    Return the line about a restore; `status` is empty when all went well, else `error` or `timeout`.

    Assumed: a failure is told as in INIT_REPORT.
    """
    ending = f"\t{_status(status, error_type)}" if status else ""
    return f"RESTORE_REPORT Restore Duration: {restore_ms:.2f} ms{ending}\n"


def start_line(request_id: str, version: str) -> str:
    """Return the line before the function's own output."""
    return f"START RequestId: {request_id} Version: {version}\n"


def end_line(request_id: str) -> str:
    """Return the line after the function's own output."""
    return f"END RequestId: {request_id}\n"


def report_line(
    request_id: str,
    *,
    duration_ms: float,
    init_ms: float | None,
    memory_mib: int,
    memory_peak_mib: int,
    status: str = "",
    error_type: str = "",
    restore_ms: float | None = None,
    trace_id: str = "",
    segment_id: str = "",
    billed_ms: int | None = None,
) -> str:
    """
    Return the line that sums an invocation up.

    Args:
        request_id: the invocation's id.
        duration_ms: from START to the runtime's next Next.
        init_ms: duration of the init phase on a cold start, else None.
        memory_mib: the function's memory size.
        memory_peak_mib: the most that the environment has used so far.
        status: empty when all went well, else `timeout` or `error`.
        error_type: what went wrong, for `error`.
        restore_ms: duration of the restore on a cold start of SnapStart, else None.
        trace_id: under which it is written down; empty where it is not sampled.
        segment_id: of the function's segment there.
        billed_ms: what `billed_duration_ms` says, where that has been asked already.
    """
    if billed_ms is None:
        billed_ms = billed_duration_ms(duration_ms, init_ms, restore_ms)
    init = "" if init_ms is None else f"Init Duration: {init_ms:.2f} ms\t"
    if restore_ms is not None:
        billed = billed_restore_ms(restore_ms)
        init += f"Restore Duration: {restore_ms:.2f} ms\tBilled Restore Duration: {billed} ms\t"
    if trace_id:
        # Documented: Lambda developer guide, X-Ray, for the three fields. Assumed: that the segment is the function's.
        init += f"XRAY TraceId: {trace_id}\tSegmentId: {segment_id}\tSampled: true\t"
    # Assumed: no tab after the status, as in INIT_REPORT; recordings of a failed REPORT differ in white space only.
    ending = _status(status, error_type) if status else ""
    return (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {billed_ms} ms\t"
        f"Memory Size: {memory_mib} MB\tMax Memory Used: {memory_peak_mib} MB\t{init}{ending}\n"
    )


def reported_memory_mib(messages: Sequence[str]) -> int:
    """Return the memory size that a REPORT among messages names, in text or in JSON; 0 where there is none."""
    for message in messages:
        if (found := _MEMORY_SIZE.search(message)) is not None:
            return int(found[1] or found[2])
    return 0


def timeout_line(now: float, request_id: str, timeout_s: float) -> str:
    """Return the line about an invocation that took too long; it ends with a blank line."""
    return f"{timestamp(now)} {request_id} Task timed out after {timeout_s:.2f} seconds\n\n"


def crash_line(request_id: str, description: str, error_type: str = "Runtime.ExitError") -> str:
    """
    Return the lines about a runtime that ended in the middle of an invocation, one message.

    Args:
        request_id: the invocation's id.
        description: AWS's words for the end, e.g. `Runtime exited with error: exit status 1`.
        error_type: the second line.
    """
    return f"RequestId: {request_id} Error: {description}\n{error_type}\n"


def throttled_line(now: float, written_bytes: int) -> str:
    """Return the line about an environment whose output waits. Ours: AWS has no such limit."""
    return (
        f"{timestamp(now)} LAMBENT Output throttled: this environment has written {written_bytes >> 20} MiB "
        "and waits whenever it prints more than is stored\n"
    )


def timestamp(now: float) -> str:
    """Return seconds since the epoch as `2026-11-25T02:10:19.123Z`."""
    milliseconds = math.floor(now * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"


def date_path(now: float) -> str:
    """Return seconds since the epoch as the beginning of a log stream's name, `2026/11/25`, UTC."""
    return time.strftime("%Y/%m/%d", time.gmtime(now))


def _status(status: str, error_type: str) -> str:
    return f"Status: {status}\tError Type: {error_type}" if error_type else f"Status: {status}"
