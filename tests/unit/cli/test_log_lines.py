"""Whose a line is, and of which level."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.cli.log_lines import Kind, Level, coloured, kind_of, parse_level, plain

ID = "8a2c91cf-1f5d-4f3a-a1d4-0a1b2c3d4e5f"


@pytest.mark.parametrize(
    ("message", "level", "is_platform"),
    [
        (f"START RequestId: {ID} Version: $LATEST\n", Level.INFO, True),
        (f"END RequestId: {ID}\n", Level.INFO, True),
        (f"REPORT RequestId: {ID}\tDuration: 3.05 ms\t\n", Level.INFO, True),
        (f"REPORT RequestId: {ID}\tDuration: 3.05 ms\tStatus: timeout\n", Level.ERROR, True),
        ("INIT_START Runtime Version: python:3.13.v60\n", Level.INFO, True),
        ("INIT_REPORT Init Duration: 5.00 ms\tPhase: init\tStatus: error\tError Type: X\n", Level.ERROR, True),
        (f"2025-11-25T12:00:00.000Z {ID} Task timed out after 3.00 seconds\n\n", Level.ERROR, True),
        (f"RequestId: {ID} Error: Runtime exited\n", Level.ERROR, True),
        ('{"time":"x","type":"platform.report","record":{"status":"success"}}', Level.INFO, True),
        ('{"time":"x","type":"platform.report","record":{"status":"timeout"}}', Level.ERROR, True),
        ('{"time":"x","type":"platform.fault","record":"gone"}', Level.ERROR, True),
        ('{"level":"warn","message":"ERROR"}', Level.WARN, False),
        ('{"log_level":"CRITICAL"}', Level.FATAL, False),
        ('{"message":"ERROR"}', Level.INFO, False),
        ('{"level":5}', Level.INFO, False),
        ('{"level": "error"', Level.INFO, False),
        ("[ERROR] ValueError: boom", Level.ERROR, False),
        (f"[WARNING]\t2025-11-25T12:00:00.000Z\t{ID}\tcareful", Level.WARN, False),
        (f"2025-11-25T12:00:00.000Z\t{ID}\tERROR\tInvoke Error", Level.ERROR, False),
        (f"2025-11-25T12:00:00.000Z\t{ID}\tDEBUG\tx", Level.DEBUG, False),
        ("ERROR:root:boom", Level.ERROR, False),
        ("2025-11-25 12:00:00,123 INFO started", Level.INFO, False),
        ("12:00:00 [main] SEVERE com.example.App - x", Level.ERROR, False),
        ("Traceback (most recent call last):", Level.ERROR, False),
        ("trace is a word", Level.INFO, False),
        ("one two three four five ERROR", Level.INFO, False),
        ("ERRORS", Level.INFO, False),
        ("", Level.INFO, False),
    ],
)
def test_what_a_line_is(message: str, level: Level, is_platform: bool) -> None:
    assert kind_of(message) == Kind(level, is_platform)


def test_names_of_levels() -> None:
    assert [parse_level(name) for name in ("trace", "Warning", "ERROR", "loud")] == [
        Level.TRACE,
        Level.WARN,
        Level.ERROR,
        None,
    ]


def test_colours_and_nothing_else_that_a_terminal_obeys() -> None:
    """A function's own colours stay; what moves the cursor or sets a title does not."""
    assert coloured("T", "[ERROR] x") == "\x1b[2mT\x1b[0m \x1b[31m[ERROR] x\x1b[0m"
    assert coloured("T", "[WARN] x") == "\x1b[2mT\x1b[0m \x1b[33m[WARN] x\x1b[0m"
    assert coloured("T", f"END RequestId: {ID}") == f"\x1b[2mT\x1b[0m \x1b[2mEND RequestId: {ID}\x1b[0m"
    assert coloured("T", "x") == "\x1b[2mT\x1b[0m x\x1b[0m"
    assert coloured("T", "\x1b[32mok\x1b[0m\x1b]0;title\x07\x1b[2J\r\n\ty\x9b") == (
        "\x1b[2mT\x1b[0m \x1b[32mok\x1b[0m�]0;title��[2J�\n\ty�\x1b[0m"
    )


@given(st.text())
def test_any_line_can_be_shown(message: str) -> None:
    assert coloured("T", message).startswith("\x1b[2mT\x1b[0m ")


def test_without_colours_nothing_is_obeyed_either() -> None:
    """A function that prints a title, or wipes the screen, does so only in a file."""
    assert plain("\x1b[32mok\x1b[0m\x1b]0;title\x07\x1b[2J\r\n\ty\x9b") == "ok�]0;title��[2J�\n\ty�"
