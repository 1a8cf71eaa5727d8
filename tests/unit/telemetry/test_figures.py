"""What functions have done, and what is read of it."""

import pytest

from lambent.domain.caller import Scope
from lambent.telemetry import figures
from lambent.telemetry.figures import EDGES_MS, FunctionFigures, Histogram

SCOPE = Scope("000000000000", "us-east-1")


def test_an_invocation_is_counted_once_wherever_it_belongs() -> None:
    """A cold one, one that failed, a warm one."""
    counts = FunctionFigures().of(SCOPE, "f")
    counts.ended(10.0, 120.0, has_failed=False)
    counts.ended(30.0, None, has_failed=True)
    counts.ended(20.0, None, has_failed=False)
    assert (counts.durations.count, counts.errors, counts.cold_starts) == (3, 1, 1)
    assert (counts.durations.total_ms, counts.inits.total_ms) == (60.0, 120.0)


def test_an_edge_belongs_to_the_bin_below_it() -> None:
    """As Prometheus has it: `le`. What is longer than all edges is in none but the whole."""
    histogram = Histogram()
    for duration_ms in (1.0, 1.1, 25.0, 1e9):
        histogram.add(duration_ms)
    assert histogram.up_to((1.0, 1.5, 25.0, EDGES_MS[-1])) == [1, 2, 3, 3]
    assert histogram.count == 4


def test_functions_beyond_the_limit_have_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """They share one; a function of before keeps its own."""
    monkeypatch.setattr(figures, "FUNCTIONS_MAX", 2)
    found = FunctionFigures()
    first = found.of(SCOPE, "a")
    found.of(SCOPE, "b")
    assert found.of(SCOPE, "c") is found.of(SCOPE, "d")
    assert found.of(SCOPE, "a") is first
    assert [name for (_, name), _ in found] == ["a", "b", ""]
