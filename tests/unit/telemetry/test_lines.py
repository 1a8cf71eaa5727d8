"""The platform's own lines, to the byte."""

import pytest

from lambent.telemetry import lines

ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
NOW = 1_795_572_619.1239


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (lines.start_line(ID, "$LATEST"), f"START RequestId: {ID} Version: $LATEST\n"),
        (lines.end_line(ID), f"END RequestId: {ID}\n"),
        (
            lines.init_start_line("python:3.13.v60", "arn:aws:lambda:eu-west-1::runtime:" + "0" * 64),
            "INIT_START Runtime Version: python:3.13.v60\t"
            "Runtime Version ARN: arn:aws:lambda:eu-west-1::runtime:" + "0" * 64 + "\n",
        ),
        (lines.init_start_line("python:3.13.v60"), "INIT_START Runtime Version: python:3.13.v60\n"),
        (
            lines.init_report_line(9999.716, "init", "timeout"),
            "INIT_REPORT Init Duration: 9999.72 ms\tPhase: init\tStatus: timeout\n",
        ),
        (
            lines.init_report_line(1, "invoke", "error", "Runtime.ImportModuleError"),
            "INIT_REPORT Init Duration: 1.00 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ImportModuleError\n",
        ),
        (lines.timeout_line(NOW, ID, 3), f"2026-11-25T02:10:19.123Z {ID} Task timed out after 3.00 seconds\n\n"),
        (
            lines.crash_line(ID, "Runtime exited with error: exit status 1"),
            f"RequestId: {ID} Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n",
        ),
        (lines.date_path(NOW), "2026/11/25"),
    ],
)
def test_each_line_has_its_form(line: str, expected: str) -> None:
    """PL-03: log tools parse these lines; tabs, decimals and newlines are as on AWS."""
    assert line == expected


def report(**changes: object) -> str:
    fields: dict[str, object] = {"duration_ms": 3.0051, "init_ms": None, "memory_mib": 128, "memory_peak_mib": 36}
    return lines.report_line(ID, **(fields | changes))  # type: ignore[arg-type]


def test_report_of_a_warm_invocation() -> None:
    """Every field ends with a tab; there is no Init Duration."""
    assert report() == (
        f"REPORT RequestId: {ID}\tDuration: 3.01 ms\tBilled Duration: 4 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 36 MB\t\n"
    )


def test_report_of_a_sampled_invocation_names_its_trace() -> None:
    """Behind the durations, before the status."""
    assert report(init_ms=110.1, trace_id="1-2-3", segment_id="abc", status="timeout").endswith(
        "\tInit Duration: 110.10 ms\tXRAY TraceId: 1-2-3\tSegmentId: abc\tSampled: true\tStatus: timeout\n"
    )


def test_report_of_a_cold_start_bills_the_init() -> None:
    """Init and duration are summed, then rounded up."""
    assert report(init_ms=110.1) == (
        f"REPORT RequestId: {ID}\tDuration: 3.01 ms\tBilled Duration: 114 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n"
    )


def test_report_of_a_failure_says_so() -> None:
    """Status and error type close the line."""
    assert report(status="timeout").endswith("Max Memory Used: 36 MB\tStatus: timeout\n")
    assert report(status="error", error_type="Runtime.ExitError").endswith(
        "\tStatus: error\tError Type: Runtime.ExitError\n"
    )


@pytest.mark.parametrize(
    ("duration_ms", "init_ms", "billed_ms"),
    [(3.0, None, 3), (3.01, None, 4), (3.001, None, 3), (0.0, None, 1), (2.9, 110.1, 113), (1000.0, 0.004, 1000)],
)
def test_billing_follows_what_the_line_shows(duration_ms: float, init_ms: float | None, billed_ms: int) -> None:
    """Billed Duration is the shown durations' sum, rounded up, and never nothing."""
    assert lines.billed_duration_ms(duration_ms, init_ms) == billed_ms


@pytest.mark.parametrize(
    ("posted", "shown"),
    [
        ("Runtime.ImportModuleError", "Runtime.ImportModuleError"),
        ("Function.Custom", "Function.Custom"),
        ("Function.not a name", "Function.Unknown"),
        ("Exception", "Runtime.Unknown"),
        ("Runtime.Bad\tStatus: fine\n", "Runtime.Unknown"),
        ("", "Runtime.Unknown"),
    ],
)
def test_free_text_does_not_reach_the_report(posted: str, shown: str) -> None:
    """Only error types of the platform's form are shown as they are."""
    assert lines.reported_error_type(posted) == shown


def test_report_of_a_restored_invocation() -> None:
    """The restore is billed by itself, rounded up, and added; there is no Init Duration."""
    assert report(restore_ms=120.004) == (
        f"REPORT RequestId: {ID}\tDuration: 3.01 ms\tBilled Duration: 124 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 36 MB\t"
        "Restore Duration: 120.00 ms\tBilled Restore Duration: 120 ms\t\n"
    )


def test_lines_of_a_restore() -> None:
    """RESTORE_START is as INIT_START; RESTORE_REPORT ends with a status only where it failed."""
    assert lines.restore_start_line("python:3.13.v60", "arn") == (
        "RESTORE_START Runtime Version: python:3.13.v60\tRuntime Version ARN: arn\n"
    )
    assert lines.restore_report_line(120.004) == "RESTORE_REPORT Restore Duration: 120.00 ms\n"
    assert lines.restore_report_line(1.0, "error", "Runtime.ExitError") == (
        "RESTORE_REPORT Restore Duration: 1.00 ms\tStatus: error\tError Type: Runtime.ExitError\n"
    )


def test_the_memory_of_a_report() -> None:
    """As REPORT names it, in text; other lines name none, whatever a function prints."""
    report = lines.report_line("id", duration_ms=1, init_ms=2, memory_mib=1769, memory_peak_mib=30, status="error")
    assert lines.reported_memory_mib(["END RequestId: id\n", report]) == 1769
    assert lines.reported_memory_mib(["END RequestId: id\n"]) == lines.reported_memory_mib([]) == 0
