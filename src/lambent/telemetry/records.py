"""
The records that the platform itself writes into a function's log, in the JSON format.

Each is one JSON object a line, of a level that LoggingConfig's SystemLogLevel may filter out.

Source: Lambda developer guide, JSON log format and Telemetry API event schema. Assumed: the levels, which the guide
names by example only.
"""

from typing import Any, Final

import msgspec

from lambent.domain.traced import Tracing
from lambent.telemetry.lines import billed_duration_ms, timestamp

_RANKS: Final = {"DEBUG": 0, "INFO": 1, "WARN": 2}


class SystemRecords:
    """
    Makes records; each method returns the lines to write, none where the level filters them out.

    Args:
        level: DEBUG, INFO or WARN: what is written at least.
        function_name, function_version, instance_id: of the environment.
        memory_mib: the function's memory size.
        runtime_version: the runtime and its release, e.g. `python:3.13.v60`.
        initialization_type: `on-demand`, `provisioned-concurrency` or `snap-start`.
    """

    def __init__(
        self,
        level: str,
        *,
        function_name: str,
        function_version: str,
        instance_id: str,
        memory_mib: int,
        runtime_version: str,
        runtime_version_arn: str,
        initialization_type: str,
    ) -> None:
        self._level = level
        self._version = function_version
        self._memory_mib = memory_mib
        self._initialization_type = initialization_type
        self._runtime = {
            "runtimeVersion": runtime_version,
            "runtimeVersionArn": runtime_version_arn,
            "functionName": function_name,
            "functionVersion": function_version,
            "instanceId": instance_id,
        }

    def init_start(self, now: float) -> list[str]:
        """Return the record at the start of an environment's init phase."""
        start = {"initializationType": self._initialization_type, "phase": "init", **self._runtime}
        return self._record("INFO", now, "platform.initStart", {**start, "instanceMaxMemory": self._memory_mib << 20})

    def init_report(
        self, now: float, init_ms: float, phase: str, status: str = "success", error_type: str = ""
    ) -> list[str]:
        """Return the records at the end of an init; `phase` is `init` or `invoke`."""
        of_both: dict[str, Any] = {
            "initializationType": self._initialization_type,
            "phase": phase,
            "status": status,
            **_error(error_type),
        }
        failed = status != "success"
        done = self._record("WARN" if failed else "DEBUG", now, "platform.initRuntimeDone", of_both)
        report = {**of_both, "metrics": {"durationMs": round(init_ms, 3)}}
        return done + self._record("WARN" if failed else "INFO", now, "platform.initReport", report)

    def restore_start(self, now: float) -> list[str]:
        """Return the record at the start of a restore."""
        return self._record("INFO", now, "platform.restoreStart", self._runtime)

    def restore_report(self, now: float, restore_ms: float, status: str = "", error_type: str = "") -> list[str]:
        """Return the records about a restore; `status` is empty when all went well, else `error` or `timeout`."""
        of_both: dict[str, Any] = {"status": status or "success", **_error(error_type)}
        done = self._record("WARN" if status else "DEBUG", now, "platform.restoreRuntimeDone", of_both)
        report = {**of_both, "metrics": {"durationMs": round(restore_ms, 3)}}
        return done + self._record("WARN" if status else "INFO", now, "platform.restoreReport", report)

    def start(
        self, now: float, request_id: str, tenant: str | None = None, tracing: Tracing | None = None
    ) -> list[str]:
        """Return the record before the function's own output."""
        record: dict[str, Any] = {"requestId": request_id, "version": self._version}
        if tracing is not None:
            record["tracing"] = _tracing(tracing.caller_id, tracing.trace_id, tracing.service_id)
        if tenant is not None:
            record["tenantId"] = tenant
        return self._record("INFO", now, "platform.start", record)

    def fault(self, now: float, text: str) -> list[str]:
        """Return the record about a runtime that ended in the middle of an invocation."""
        return self._record("WARN", now, "platform.fault", text.rstrip("\n"))

    def report(
        self,
        now: float,
        request_id: str,
        *,
        duration_ms: float,
        init_ms: float | None,
        memory_peak_mib: int,
        status: str = "",
        error_type: str = "",
        restore_ms: float | None = None,
        tracing: Tracing | None = None,
    ) -> list[str]:
        """Return the records that sum an invocation up; the arguments are those of `records_of_report`."""
        return records_of_report(
            self._level,
            now,
            request_id,
            duration_ms=duration_ms,
            init_ms=init_ms,
            memory_mib=self._memory_mib,
            memory_peak_mib=memory_peak_mib,
            status=status,
            error_type=error_type,
            restore_ms=restore_ms,
            tracing=tracing,
        )

    def throttled(self, now: float, written_bytes: int) -> list[str]:
        """Return the record about an environment whose output waits. Ours: AWS has no such limit."""
        return self._record("WARN", now, "platform.logsThrottled", {"writtenBytes": written_bytes})

    def _record(self, level: str, now: float, kind: str, record: Any) -> list[str]:
        return _record(self._level, level, now, kind, record)


def logs_dropped(now: float, records: int, size_bytes: int, reason: str) -> list[str]:
    """
    Return the record about output that is lost, which either format has.

    Documented: Telemetry API event schema, platform.logsDropped. Assumed: that the log has it too (test_logs).
    """
    lost = {"reason": reason, "droppedRecords": records, "droppedBytes": size_bytes}
    return _record("DEBUG", "WARN", now, "platform.logsDropped", lost)


def records_of_report(
    least: str,
    now: float,
    request_id: str,
    *,
    duration_ms: float,
    init_ms: float | None,
    memory_mib: int,
    memory_peak_mib: int,
    status: str = "",
    error_type: str = "",
    restore_ms: float | None = None,
    tracing: Tracing | None = None,
) -> list[str]:
    """
    Return the records that sum an invocation up; the other arguments are those of `lines.report_line`.

    Args:
        least: the level that is written at least.
        tracing: None: it is not sampled.
    """
    of_both: dict[str, Any] = {"requestId": request_id, "status": status or "success", **_error(error_type)}
    if tracing is not None:
        of_both["tracing"] = _tracing(tracing.invocation_id, tracing.trace_id, tracing.caller_id)
    metrics: dict[str, Any] = {
        "durationMs": round(duration_ms, 3),
        "billedDurationMs": billed_duration_ms(duration_ms, init_ms, restore_ms),
        "memorySizeMB": memory_mib,
        "maxMemoryUsedMB": memory_peak_mib,
    }
    if init_ms is not None:
        metrics["initDurationMs"] = round(init_ms, 3)
    if restore_ms is not None:
        metrics["restoreDurationMs"] = round(restore_ms, 3)
    done = {**of_both, "metrics": {"durationMs": metrics["durationMs"]}}
    report = {**of_both, "metrics": metrics}
    return [
        *_record(least, "WARN" if status else "DEBUG", now, "platform.runtimeDone", done),
        *_record(least, "WARN" if status else "INFO", now, "platform.report", report),
    ]


def _record(least: str, level: str, now: float, kind: str, record: Any) -> list[str]:
    if _RANKS[level] < _RANKS[least]:
        return []
    return [msgspec.json.encode({"time": timestamp(now), "type": kind, "record": record}).decode() + "\n"]


def _tracing(span_id: str, trace_id: str, parent_id: str) -> dict[str, str]:
    """
    Return what a record of a sampled invocation says of its trace.

    Documented: Lambda developer guide, Telemetry API event schema, TraceContext. Assumed: which ids stand where
    (test_records).
    """
    parent = f";Parent={parent_id}" if parent_id else ""
    span = {"spanId": span_id} if span_id else {}
    return {**span, "type": "X-Amzn-Trace-Id", "value": f"Root={trace_id}{parent};Sampled=1"}


def _error(error_type: str) -> dict[str, str]:
    return {"errorType": error_type} if error_type else {}
