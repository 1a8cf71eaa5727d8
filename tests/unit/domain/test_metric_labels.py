"""Default labels by the recordings, and what dynamic ones show."""

from datetime import timedelta, timezone

import pytest

from lambent.domain.metric_labels import Described, LabelFacts, default_label, dynamic_label, parse_zone
from lambent.domain.metric_math import Series

POINTS = Series({1_795_000_020: 2.0, 1_795_000_080: 10.5, 1_795_000_140: 4.25}, 60)
FACTS = LabelFacts("Errors", {"Stat": "Sum", "Dim.FunctionName": "f"}, now_s=1_795_000_140.0 + 3_725)


def test_a_default_label_depends_on_the_other_queries() -> None:
    """Observed: the name; then the statistic and the period where queries differ by them."""
    one = Described("metric1", "Sum", 60)
    assert default_label(one, [one]) == "metric1"
    assert default_label(one, [one, Described("metric2", "Sum", 60)]) == "metric1"
    assert default_label(one, [one, Described("metric1", "Average", 60)]) == "metric1 Sum"
    assert default_label(one, [one, Described("metric1", "Sum", 300)]) == "metric1 60"
    assert default_label(one, [one, Described("metric2", "Average", 300)]) == "metric1 Sum 60"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("plain", "plain"),
        ("${LABEL} max ${MAX}", "Errors max 10.5"),
        ("${MIN} ${AVG} ${SUM}", "2 5.583 16.75"),
        ("${FIRST} ${LAST} ${DATAPOINT_COUNT}", "2 4.25 3"),
        ("${MIN_MAX_RANGE}, ${FIRST_LAST_RANGE}", "2 - 10.5, 2 - 4.25"),
        ("${MAX_TIME}", "2026-11-18T11:08:00Z"),
        ("${FIRST_LAST_TIME_RANGE}", "2026-11-18T11:07:00Z - 2026-11-18T11:09:00Z"),
        ("${LAST_TIME_RELATIVE}", "1h 2m ago"),
        ("${PROP('Stat')} of ${PROP('Dim.FunctionName')}", "Sum of f"),
        ("${PROP('Else')} ${NOPE} ${MAX('x')} ${LABEL", "${PROP('Else')} ${NOPE} ${MAX('x')} ${LABEL"),
        ("${MAX}" * 7, "10.5" * 5 + "${MAX}" * 2),
    ],
)
def test_dynamic_labels_show_values(label: str, expected: str) -> None:
    """What is not known stays as written."""
    assert dynamic_label(label, POINTS, FACTS) == expected


def test_there_is_nothing_to_show_of_nothing() -> None:
    empty = Series({}, 60)
    label = "${MAX} ${MAX_TIME} ${MIN_MAX_RANGE} ${LAST_TIME_RELATIVE} ${LABEL}"
    assert dynamic_label(label, empty, FACTS) == "-- -- -- -- Errors"


def test_times_are_shown_in_a_zone() -> None:
    zone = parse_zone("+0130")
    assert zone == timezone(timedelta(hours=1, minutes=30))
    facts = LabelFacts("", {}, 0.0, zone)
    assert dynamic_label("${MAX_TIME}", POINTS, facts) == "2026-11-18T12:38:00+01:30"
    assert parse_zone("-0800") == timezone(-timedelta(hours=8))


@pytest.mark.parametrize("text", ["", "0130", "+130", "+2460", "+9900", "UTC"])
def test_other_zones_are_none(text: str) -> None:
    assert parse_zone(text) is None
