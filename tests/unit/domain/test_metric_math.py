"""Metric math by the tables of the user guide: what is missing, what is zero, and what is refused."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.metric_expression import Call, InvalidExpression, parse_expression
from lambent.domain.metric_math import Grid, Series, Surroundings, evaluate

NONE = None
Points = Sequence[float | None]


def series(*values: float | None, id: str = "", period_s: int = 60) -> Series:
    return Series(
        {number * period_s: float(value) for number, value in enumerate(values) if value is not None},
        period_s,
        label=id,
        id=id,
    )


def shown(one: Series, length: int = 5) -> list[float | None]:
    return [one.points.get(number * one.period_s) for number in range(length)]


def compute(text: str, length: int = 5, found: Sequence[Series] = (), **given: Points) -> list[list[float | None]]:
    known = {id: series(*values, id=id) for id, values in given.items()}

    def refer(id: str) -> Series:
        return known[id]

    def search(_: Call) -> Sequence[Series]:
        return found

    around = Surroundings(Grid(0, length * 60, 60), refer, list(known.values()), search)
    value = evaluate(parse_expression(text), around)
    return [shown(one, length) for one in ([value] if isinstance(value, Series) else value)]


def one(text: str, length: int = 5, **given: Points) -> list[float | None]:
    (only,) = compute(text, length, **given)
    return only


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Documented: a point that one side lacks is 0; a division by zero gives none.
        ("m1 + m2", [50, 0, 20, 0, NONE]),
        ("m1 - m2", [10, 0, -20, 0, NONE]),
        ("m1 / m2", [1.5, NONE, 0, NONE, NONE]),
        ("m1 < m2", [0, 0, 1, 0, NONE]),
        ("m1 >= 30", [1, 0, 0, 0, NONE]),
        ("m1 > 15 AND m2 > 15", [1, 0, 0, 0, NONE]),
        ("m1 > 15 || m2 > 15", [1, 0, 1, 0, NONE]),
        ("m1 == 0", [0, 1, 1, 1, NONE]),
        ("m2 != 20", [0, NONE, 0, NONE, NONE]),
        ("-m1", [-30, 0, 0, 0, NONE]),
        ("m2 * 2 + 1", [41, NONE, 41, NONE, NONE]),
        ("2 ^ 3 + m2", [28, NONE, 28, NONE, NONE]),
        ("(0 - m2) ^ 0.5", [NONE, NONE, NONE, NONE, NONE]),
        ("m2 / PERIOD(m2)", [20 / 60, NONE, 20 / 60, NONE, NONE]),
        ("m1 / SUM(m1) * 100", [100, 0, 0, 0, NONE]),
    ],
)
def test_operators(text: str, expected: Points) -> None:
    assert one(text, m1=[30, 0, 0, 0], m2=[20, NONE, 20, NONE]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Documented: the table of IF.
        ("IF(c, m2, m3)", [30, 0, 20, NONE, NONE]),
        ("IF(c, 5, m3)", [5, 5, 20, NONE, NONE]),
        ("IF(c, m2, 5)", [30, 0, 5, 5, NONE]),
        ("IF(c, m2)", [30, 0, NONE, NONE, NONE]),
        ("IF(1, m2, m3)", [30, NONE, 0, 0, 30]),
        ("IF(0, m2, m3)", [0, 0, 20, NONE, 20]),
        ("IF(m2 > 0, 100 / m2, 0)", [100 / 30, NONE, 0, 0, 100 / 30]),
    ],
)
def test_choices(text: str, expected: Points) -> None:
    given = {"c": [1, 1, 0, 0, NONE], "m2": [30, NONE, 0, 0, 30], "m3": [0, 0, 20, NONE, 20]}
    assert one(text, **given) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FILL(m, 0)", [0, 10, 0, 0, 40]),
        ("FILL(m, AVG(m))", [25, 10, 25, 25, 40]),
        ("FILL(m, REPEAT)", [NONE, 10, 10, 10, 40]),
        ("FILL(m, LINEAR)", [NONE, 10, 20, 30, 40]),
        ("FILL(m, n)", [1, 10, NONE, 3, 40]),
        ("FILL(empty, 0)", [0, 0, 0, 0, 0]),
        ("RATE(m)", [NONE, NONE, NONE, NONE, 30 / 180]),
        ("DIFF(m)", [NONE, NONE, NONE, NONE, 30]),
        ("DIFF_TIME(m)", [NONE, NONE, NONE, NONE, 180]),
        ("RUNNING_SUM(m)", [NONE, 10, NONE, NONE, 50]),
        ("TIME_SERIES(7)", [7, 7, 7, 7, 7]),
        ("TIME_SERIES(MAX(m) - MIN(m))", [30, 30, 30, 30, 30]),
        ("TIME_SERIES(DATAPOINT_COUNT(m))", [2, 2, 2, 2, 2]),
        ("TIME_SERIES(STDDEV(m))", [15, 15, 15, 15, 15]),
        ("TIME_SERIES(AVG(empty))", [NONE] * 5),
        ("TIME_SERIES(SUM(empty))", [0] * 5),
        ("EPOCH(m)", [NONE, 60, NONE, NONE, 240]),
        ("MINUTE(m)", [NONE, 1, NONE, NONE, 4]),
        # The first of January 1970 was a Thursday.
        ("DAY(m) + HOUR(m) + DATE(m) + MONTH(m) + YEAR(m)", [NONE, 1976, NONE, NONE, 1976]),
        ("ABS(0 - m)", [NONE, 10, NONE, NONE, 40]),
        ("CEIL(m / 7)", [NONE, 2, NONE, NONE, 6]),
        ("FLOOR(m / 7)", [NONE, 1, NONE, NONE, 5]),
        ("LOG10(m)", [NONE, 1, NONE, NONE, math.log10(40)]),
        ("LOG(m - 10)", [NONE, NONE, NONE, NONE, math.log(30)]),
    ],
)
def test_functions_of_one_series(text: str, expected: Points) -> None:
    assert one(text, m=[NONE, 10, NONE, NONE, 40], n=[1, 2, NONE, 3], empty=[]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SUM(METRICS())", [[4, 2, 6]]),
        # Documented: the average reads what is missing as 0.
        ("AVG(METRICS())", [[4 / 3, 2 / 3, 2]]),
        ("MIN(METRICS())", [[1, 2, 6]]),
        ("MAX(METRICS())", [[3, 2, 6]]),
        ("DATAPOINT_COUNT(METRICS())", [[2, 1, 1]]),
        ('SUM(METRICS("a"))', [[1, 2, NONE]]),
        ("SUM([a1, b1]) * 2", [[8, 4, 12]]),
        ("METRICS() * 2", [[2, 4, NONE], [6, NONE, 12], [NONE, NONE, NONE]]),
        ("a1 + [a1, b1]", [[2, 4, NONE], [4, 2, 6]]),
        ("FIRST(METRICS())", [[1, 2, NONE]]),
        ("LAST([a1, b1])", [[3, NONE, 6]]),
        ("FIRST(SORT(METRICS(), MAX, DESC))", [[3, NONE, 6]]),
        ("SORT(METRICS(), SUM, ASC)", [[1, 2, NONE], [3, NONE, 6], [NONE, NONE, NONE]]),
        ("SORT(METRICS(), AVG, DESC, 1)", [[3, NONE, 6]]),
        ("REMOVE_EMPTY(METRICS())", [[1, 2, NONE], [3, NONE, 6]]),
        ("SLICE(METRICS(), 1)", [[3, NONE, 6]]),
        ("SLICE(METRICS(), 0, 2)", [[1, 2, NONE], [3, NONE, 6]]),
        ("TIME_SERIES(METRIC_COUNT(METRICS()))", [[3, 3, 3]]),
        ("FILL(METRICS(), 9)", [[1, 2, 9], [3, 9, 6], [9, 9, 9]]),
        ("SEARCH('x', 'Sum', 60) + 1", [[6, NONE, NONE]]),
    ],
)
def test_functions_of_arrays(text: str, expected: Sequence[Points]) -> None:
    found = [series(5)]
    answer = compute(text, 3, found, a1=[1, 2], b1=[3, NONE, 6], empty=[])
    assert [pytest.approx(one) for one in answer] == expected


@pytest.mark.parametrize(
    "text",
    [
        "1 + 1", "SUM(m)", "PERIOD(m)", "METRIC_COUNT(m)", "METRICS() + METRICS()", "IF(METRICS(), 1, 2)", "FILL(m)",
        "FILL(1, 0)", "FILL(m, METRICS())", "RATE(1)", "UNKNOWN(m)", "sum(m)", "REPEAT", "'text'", "METRICS(1)",
        "SLICE(m)", "SLICE(m, 0.5)", "SLICE(m, -1)", "SORT(m, MAX)", "SORT(m, FOO, ASC)", "SORT(m, MAX, UP)",
        "ANOMALY_DETECTION_BAND(m)", "LAMBDA('f', m)", "IF(m)", "[1, m]", "FIRST(1)", "TIME_SERIES(m)",
    ],
)  # fmt: skip
def test_what_makes_no_series_is_refused(text: str) -> None:
    """With a reason, and no failure of ours."""
    with pytest.raises(InvalidExpression) as refused:
        compute(text, m=[1])
    assert str(refused.value)


def test_periods_stay_with_their_series() -> None:
    """FILL fills by the series' own period; what is made of two has the longer one."""
    known = {"a": series(1, NONE, id="a", period_s=60), "b": series(1, id="b", period_s=120)}
    around = Surroundings(Grid(0, 240, 60), known.__getitem__, [], lambda _: [])
    filled = evaluate(parse_expression("FILL(b, 0)"), around)
    assert isinstance(filled, Series) and dict(filled.points) == {0: 1, 120: 0}
    both = evaluate(parse_expression("a + b"), around)
    assert isinstance(both, Series) and both.period_s == 120
    array = evaluate(parse_expression("[a] * 2"), around)
    assert not isinstance(array, Series) and len(array) == 1


_PIECES = (
    "m n 0 1 2.5 60 ( ) [ ] , + - * / ^ < >= == AND OR || ' ' 'Sum' REPEAT LINEAR MAX ASC DESC ABS( AVG( FILL( IF( "
    "LOG( METRICS( RATE( RUNNING_SUM( SEARCH( SLICE( SORT( STDDEV( SUM( TIME_SERIES( YEAR("
)
PIECES = st.sampled_from(sorted(set(_PIECES.split())))


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_no_text_is_our_fault(text: str) -> None:
    """Whatever is written: series, or a reason."""
    try:
        for points in compute(text, m=[1, NONE, 0, 1e300], n=[]):
            assert all(value is NONE or math.isfinite(value) for value in points)
    except InvalidExpression as refused:
        assert str(refused)


def test_long_expressions_are_computed() -> None:
    """As long as an expression may be, and numbers alone cost as well."""
    assert compute("+".join(["m1"] * 600), 2, m1=[1.0, 2.0]) == [[600, 1200]]
    assert compute("m1 - " + "-".join(["1"] * 900), 1, m1=[1000.0]) == [[100]]
    spent: list[int] = []
    around = Surroundings(Grid(0, 60, 60), lambda _: series(1.0), [], lambda _: (), spent.append)
    evaluate(parse_expression("m1 + " + "+".join(["1"] * 900)), around)
    assert sum(spent) >= 900


@pytest.mark.parametrize(
    "text",
    [
        "m1 * STDDEV(m1)",
        "m1 * SUM(m1)",
        "m1 * AVG(m1)",
        "SUM([m1, m1])",
        "STDDEV([m1, -m1])",
        "DIFF(m2)",
        "FILL(m3, 1e999)",
        "TIME_SERIES(1e999)",
    ],
)
def test_what_is_too_large_for_a_number_is_no_point(text: str) -> None:
    """Nothing can be said of it, and nothing fails: neither an answer nor an alarm."""
    assert compute(text, 2, m1=[1.7e308, 1.7e308], m2=[-1.7e308, 1.7e308], m3=[None, None]) == [[None, None]]


def test_sums_that_become_too_large_end() -> None:
    """With the last one that is a number."""
    assert compute("RUNNING_SUM(m1)", 2, m1=[1.7e308, 1.7e308]) == [[1.7e308, None]]
