"""The platform's own records in the JSON format."""

import json
from typing import Any

import pytest

from lambent.domain.traced import Tracing
from lambent.telemetry.records import SystemRecords

NOW = 1_795_000_000.25
RUNTIME = {
    "runtimeVersion": "python:3.13.v60",
    "runtimeVersionArn": "arn:aws:lambda:us-east-1::runtime:00",
    "functionName": "f",
    "functionVersion": "$LATEST",
    "instanceId": "i",
}


def records(level: str = "DEBUG") -> SystemRecords:
    return SystemRecords(
        level,
        function_name="f",
        function_version="$LATEST",
        instance_id="i",
        memory_mib=128,
        runtime_version=RUNTIME["runtimeVersion"],
        runtime_version_arn=RUNTIME["runtimeVersionArn"],
        initialization_type="on-demand",
    )


def parsed(lines: list[str]) -> list[Any]:
    """Return what lines hold, each of which is one object and ends with its only newline."""
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    return [json.loads(line) for line in lines]


def test_a_start_names_invocation_version_and_tenant() -> None:
    """The tenant is there only where there is one."""
    time = {"time": "2026-11-18T11:06:40.250Z", "type": "platform.start"}
    assert parsed(records().start(NOW, "id")) == [{**time, "record": {"requestId": "id", "version": "$LATEST"}}]
    with_tenant = {"requestId": "id", "version": "$LATEST", "tenantId": "t"}
    assert parsed(records().start(NOW, "id", "t")) == [{**time, "record": with_tenant}]


def test_records_of_a_sampled_invocation_name_its_trace() -> None:
    """At its start whom it goes on from, at its end what it was; without a caller there is no span to name."""
    tracing = Tracing("1-2-3", "caller", "service", "service", "function", "invocation", 0.0)
    kind = "X-Amzn-Trace-Id"
    (start,) = parsed(records().start(NOW, "id", tracing=tracing))
    assert start["record"]["tracing"] == {
        "spanId": "caller",
        "type": kind,
        "value": "Root=1-2-3;Parent=service;Sampled=1",
    }
    ends = parsed(records().report(NOW, "id", duration_ms=3.0, init_ms=None, memory_peak_mib=36, tracing=tracing))
    assert [end["record"]["tracing"] for end in ends] == 2 * [
        {"spanId": "invocation", "type": kind, "value": "Root=1-2-3;Parent=caller;Sampled=1"}
    ]
    (start,) = parsed(records().start(NOW, "id", tracing=tracing._replace(caller_id="")))
    assert "spanId" not in start["record"]["tracing"]


def test_a_report_holds_the_figures_of_the_text_format() -> None:
    """Init and restore are there only where there was one; the bill is the text format's."""
    done, report = parsed(records().report(NOW, "id", duration_ms=3.0, init_ms=110.1, memory_peak_mib=36))
    assert done["type"] == "platform.runtimeDone"
    assert done["record"] == {"requestId": "id", "status": "success", "metrics": {"durationMs": 3.0}}
    assert report["type"] == "platform.report"
    assert report["record"] == {
        "requestId": "id",
        "status": "success",
        "metrics": {
            "durationMs": 3.0,
            "billedDurationMs": 114,
            "memorySizeMB": 128,
            "maxMemoryUsedMB": 36,
            "initDurationMs": 110.1,
        },
    }
    _, restored = parsed(records().report(NOW, "id", duration_ms=1.0, init_ms=None, memory_peak_mib=1, restore_ms=2.5))
    assert restored["record"]["metrics"]["restoreDurationMs"] == 2.5
    assert "initDurationMs" not in restored["record"]["metrics"]


def test_init_and_restore_have_their_records() -> None:
    """They say of which environment they are."""
    (start,) = parsed(records().init_start(NOW))
    of_init = {"initializationType": "on-demand", "phase": "init", "instanceMaxMemory": 134_217_728}
    assert start["record"] == {**of_init, **RUNTIME}
    _, report = parsed(records().init_report(NOW, 9.5, "init", "error", "Runtime.ImportModuleError"))
    assert report["type"] == "platform.initReport"
    assert report["record"]["metrics"] == {"durationMs": 9.5}
    assert report["record"]["errorType"] == "Runtime.ImportModuleError"
    (start,) = parsed(records().restore_start(NOW))
    assert (start["type"], start["record"]) == ("platform.restoreStart", RUNTIME)
    _, report = parsed(records().restore_report(NOW, 9.5, "timeout"))
    assert (report["type"], report["record"]["status"]) == ("platform.restoreReport", "timeout")
    (fault,) = parsed(records().fault(NOW, "RequestId: id Error: x\nRuntime.ExitError\n"))
    assert fault["record"] == "RequestId: id Error: x\nRuntime.ExitError"


@pytest.mark.parametrize(
    ("level", "kinds"),
    [
        ("DEBUG", ["platform.start", "platform.runtimeDone", "platform.report"]),
        ("INFO", ["platform.start", "platform.report"]),
        ("WARN", []),
    ],
)
def test_the_level_filters(level: str, kinds: list[str]) -> None:
    """WARN leaves only what went wrong."""
    made = records(level)
    lines = made.start(NOW, "id") + made.report(NOW, "id", duration_ms=1.0, init_ms=None, memory_peak_mib=1)
    assert [record["type"] for record in parsed(lines)] == kinds
    failed = made.report(NOW, "id", duration_ms=1.0, init_ms=None, memory_peak_mib=1, status="timeout")
    assert [record["type"] for record in parsed(failed)] == ["platform.runtimeDone", "platform.report"]
