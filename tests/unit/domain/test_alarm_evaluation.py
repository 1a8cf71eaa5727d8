"""What the points of a metric say about an alarm."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.alarm import ALARM, INSUFFICIENT_DATA, OK, REASON_MAX, Comparison, Missing, Watch, WatchedMetric
from lambent.domain.alarm_evaluation import Point, Slot, Verdict, evaluate, range_periods

KEEP = "keep"
BEGIN = 1_764_036_000.0
"""2025-11-25 02:00:00 UTC."""
METRIC = WatchedMetric("Shop", "Latency", (), 60, "Average")


def watch(
    periods: int = 1,
    needed: int | None = None,
    missing: Missing | None = None,
    comparison: Comparison = Comparison.ABOVE,
    low_samples: str | None = None,
) -> Watch:
    return Watch(
        60,
        periods,
        21.0,
        comparison,
        METRIC,
        datapoints_to_alarm=needed,
        treat_missing=missing,
        low_samples=low_samples,
    )


def slots(points: str) -> list[Slot]:
    """Return periods, oldest first: `0` is fine, `X` breaches, `-` has no point."""
    values = {"0": Point(1.0, 2.0), "X": Point(21.5), "-": None}
    return [Slot(BEGIN + 60 * number, values[point]) for number, point in enumerate(points)]


def judge(alarm: Watch, points: str) -> str:
    verdict = evaluate(alarm, slots(points), BEGIN + 3_600)
    return KEEP if verdict is None else verdict.value


def verdict_of(alarm: Watch, points: str) -> Verdict:
    verdict = evaluate(alarm, slots(points), BEGIN + 660.1234)
    assert verdict is not None
    return verdict


def data_of(alarm: Watch, points: str) -> Mapping[str, Any]:
    data = verdict_of(alarm, points).reason_data
    assert data is not None
    decoded: Mapping[str, Any] = json.loads(data)
    return decoded


TABLE = """
3 0-X-X OK                OK    OK    OK
3 0---- OK                OK    OK    OK
3 ----- INSUFFICIENT_DATA keep  ALARM OK
3 0XX-X ALARM             ALARM ALARM ALARM
3 --X-- ALARM             keep  ALARM OK
2 0-X-X ALARM             ALARM ALARM ALARM
2 00X0X ALARM             ALARM ALARM ALARM
2 0-X-- OK                OK    ALARM OK
2 ----0 OK                OK    ALARM OK
2 ---X- ALARM             keep  ALARM OK
"""
"""Needed of three, the points, and the state with what is missing treated as each of `Missing`, in its order."""


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_the_tables_of_the_documentation(row: str) -> None:
    """Ten rows, four ways to treat what is missing."""
    needed, points, *states = row.split()
    found = [judge(watch(3, int(needed), treat), points) for treat in Missing]

    assert found == states


@pytest.mark.parametrize("points", ["----X", "---X-", "---XX"])
def test_new_breaches_between_gaps_do_not_alarm_yet(points: str) -> None:
    """The next point may be fine."""
    assert judge(watch(3, 3), points) == KEEP


def test_points_that_come_late_count() -> None:
    """The range is longer than what is evaluated, so that N real points are found in it."""
    assert range_periods(watch(3)) == 5
    assert judge(watch(3), "XXX--") == ALARM
    assert judge(watch(1), "X--") == ALARM
    assert judge(watch(1), "X-0") == OK


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        (Comparison.ABOVE, OK, OK, ALARM),
        (Comparison.AT_LEAST, OK, ALARM, ALARM),
        (Comparison.BELOW, ALARM, OK, OK),
        (Comparison.AT_MOST, ALARM, ALARM, OK),
    ],
)
def test_comparisons(comparison: Comparison, below: str, equal: str, above: str) -> None:
    """Each at its border."""
    states = [
        evaluate(watch(comparison=comparison), [Slot(BEGIN, Point(value))], BEGIN + 60) for value in (20.9, 21.0, 21.1)
    ]

    assert [state and state.value for state in states] == [below, equal, above]


def test_a_percentile_of_few_values_keeps_the_state_where_that_is_asked_for() -> None:
    """And is evaluated otherwise."""
    few = slots("X")

    assert evaluate(watch(low_samples="ignore"), few, BEGIN, has_few_samples=True) is None
    for low_samples in ("evaluate", None):
        verdict = evaluate(watch(low_samples=low_samples), few, BEGIN, has_few_samples=True)
        assert verdict is not None
        assert verdict.value == ALARM
    assert evaluate(watch(low_samples="ignore"), few, BEGIN) is not None


@pytest.mark.parametrize(
    ("alarm", "points", "reason"),
    [
        (
            watch(),
            "X",
            "Threshold Crossed: 1 datapoint [21.5 (25/11/25 02:00:00)] was greater than the threshold (21.0).",
        ),
        (
            watch(),
            "0",
            "Threshold Crossed: 1 datapoint [1.0 (25/11/25 02:00:00)] was not greater than the threshold (21.0).",
        ),
        (
            watch(3, 2),
            "0XX",
            "Threshold Crossed: 2 out of the last 3 datapoints [21.5 (25/11/25 02:02:00), 21.5 (25/11/25 02:01:00)] "
            "were greater than the threshold (21.0) (minimum 2 datapoints for OK -> ALARM transition).",
        ),
        (
            watch(1, 1),
            "0",
            "Threshold Crossed: 1 out of the last 1 datapoint [1.0 (25/11/25 02:00:00)] was not greater than the "
            "threshold (21.0) (minimum 1 datapoint for ALARM -> OK transition).",
        ),
        (
            watch(2, None, Missing.BREACHING),
            "----",
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
            "[Breaching].",
        ),
        (
            watch(1, None, Missing.NOT_BREACHING),
            "---",
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
            "[NonBreaching].",
        ),
        (
            watch(2, None, Missing.BREACHING),
            "---X",
            "Threshold Crossed: 1 datapoint [21.5 (25/11/25 02:03:00)] was greater than the threshold (21.0) and 1 "
            "missing datapoint was treated as [Breaching].",
        ),
        (watch(), "---", "Insufficient Data: 1 datapoint was unknown."),
        (watch(2), "----", "Insufficient Data: 2 datapoints were unknown."),
        (
            watch(6),
            "XXXXXX",
            "Threshold Crossed: 6 datapoints were greater than the threshold (21.0). The most recent datapoints which "
            "crossed the threshold: [21.5 (25/11/25 02:05:00), 21.5 (25/11/25 02:04:00), 21.5 (25/11/25 02:03:00), "
            "21.5 (25/11/25 02:02:00), 21.5 (25/11/25 02:01:00)].",
        ),
    ],
)
def test_reasons(alarm: Watch, points: str, reason: str) -> None:
    """Worded as CloudWatch does."""
    assert verdict_of(alarm, points).reason == reason


def test_what_a_reason_goes_by() -> None:
    """The points, newest first, with when they were asked for."""
    assert data_of(watch(2, 1), "0X") == {
        "version": "1.0",
        "queryDate": "2025-11-25T02:11:00.123+0000",
        "startDate": "2025-11-25T02:00:00.000+0000",
        "statistic": "Average",
        "period": 60,
        "recentDatapoints": [1.0, 21.5],
        "threshold": 21.0,
        "evaluatedDatapoints": [
            {"timestamp": "2025-11-25T02:01:00.000+0000", "value": 21.5},
            {"timestamp": "2025-11-25T02:00:00.000+0000", "sampleCount": 2.0, "value": 1.0},
        ],
    }


def test_what_a_reason_goes_by_without_points() -> None:
    """No start, and times alone."""
    data = data_of(watch(2), "----")

    assert "startDate" not in data
    assert data["recentDatapoints"] == []
    assert data["evaluatedDatapoints"] == [
        {"timestamp": "2025-11-25T02:03:00.000+0000"},
        {"timestamp": "2025-11-25T02:02:00.000+0000"},
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (100.0, "100.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (-123_456_789.0, "-1.23456789E8"),
        (2.0**360, "2.3485425827738332E108"),
    ],
)
def test_numbers_are_written_as_in_java(value: float, text: str) -> None:
    """Where Python would write them otherwise."""
    verdict = evaluate(watch(comparison=Comparison.BELOW), [Slot(BEGIN, Point(value))], BEGIN)

    assert verdict is not None
    assert f"[{text} (" in verdict.reason


@given(
    points=st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60),
    needed=st.integers(1, 60),
    treat=st.sampled_from(Missing),
    comparison=st.sampled_from(Comparison),
)
def test_every_range_has_a_verdict_within_the_limits(
    points: list[float | None], needed: int, treat: Missing, comparison: Comparison
) -> None:
    """Whatever the points are: reasons and their data fit into what clients take."""
    alarm = watch(len(points), min(needed, len(points)), treat, comparison)
    some = [Slot(BEGIN + 60 * number, None if value is None else Point(value)) for number, value in enumerate(points)]
    verdict = evaluate(alarm, some, BEGIN)

    if verdict is None:
        assert treat in (Missing.MISSING, Missing.IGNORE)
        return
    assert verdict.value in (OK, ALARM, INSUFFICIENT_DATA)
    assert (verdict.value == INSUFFICIENT_DATA) == (treat is Missing.MISSING and set(points) == {None})
    assert 0 < len(verdict.reason) <= REASON_MAX
    assert verdict.reason_data is not None
    assert len(verdict.reason_data) <= 1_900
    json.loads(verdict.reason_data)
