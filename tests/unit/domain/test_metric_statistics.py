"""Each statistic, by rank and by value."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.metric import Distribution
from lambent.domain.metric_statistics import InvalidStatistic, parse_statistic

HUNDRED = [float(value) for value in range(1, 101)]


def of(*values: float) -> Distribution:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return distribution


def compute(name: str, *values: float) -> float | None:
    return parse_statistic(name).compute(of(*values))


def test_the_basic_five_are_exact() -> None:
    names = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
    assert [compute(name, 1, 2, 6.5) for name in names] == [3, 9.5, 9.5 / 3, 1, 6.5]
    assert all(parse_statistic(name).is_basic for name in names)
    assert not parse_statistic("p50").is_basic


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p0", 1),
        ("p50", 50),
        ("p90", 90),
        ("p99.9", 100),
        ("p100", 100),
        # From the lowest up to a share of the values.
        ("tm90", sum(range(1, 91)) / 90),
        ("tc90", 90),
        ("ts90", sum(range(1, 91))),
        ("wm90", (sum(range(1, 91)) + 10 * 90) / 100),
        # Between two shares.
        ("TM(10%:90%)", sum(range(11, 91)) / 80),
        ("TM(10%:)", sum(range(11, 101)) / 90),
        ("IQM", sum(range(26, 76)) / 50),
        ("TC(10%:90%)", 80),
        ("TS(10%:90%)", sum(range(11, 91))),
        ("WM(10%:90%)", (sum(range(11, 91)) + 10 * 11 + 10 * 90) / 100),
        # Between two values, the lower exclusive and the upper inclusive.
        ("TC(20:50)", 30),
        ("TC(:50)", 50),
        ("TC(50:)", 50),
        ("TM(20:50)", sum(range(21, 51)) / 30),
        ("TS(20:50)", sum(range(21, 51))),
        ("PR(20:50)", 30),
        ("PR(:50)", 50),
        ("PR(95:)", 5),
        ("WM(20:50)", (20 * 20 + sum(range(21, 51)) + 50 * 50) / 100),
    ],
)
def test_each_statistic_of_one_to_hundred(name: str, expected: float) -> None:
    """Within a hundredth where values are read from their bins."""
    found = compute(name, *HUNDRED)
    assert found is not None
    # A value that shares its bin with a border counts as the border: one of a hundred does at most.
    is_of_values = ":" in name and "%" not in name
    assert math.isclose(found, expected, rel_tol=0.03 if is_of_values else 0.01, abs_tol=1.0 if is_of_values else 0)


@pytest.mark.parametrize("name", ["p0", "p50", "p100", "tm1", "tm99", "wm10", "IQM", "TM(10%:20%)", "TM(:5)"])
def test_one_value_is_each_mean_of_itself(name: str) -> None:
    """Exactly: what all values have in common is known."""
    assert compute(name, 4.2) == compute(name, 4.2, 4.2, 4.2) == pytest.approx(4.2, rel=1e-12)


def test_counts_multiply_values() -> None:
    distribution = Distribution()
    distribution.add(1, 90)
    distribution.add(1_000, 10)
    found = [parse_statistic(name).compute(distribution) for name in ("p90", "p91", "p100", "tc50")]
    assert found == [1, pytest.approx(1_000, rel=0.01), 1_000, 50]


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=50), st.integers(0, 100))
def test_percentiles_lie_where_the_nearest_rank_does(values: list[float], percent: int) -> None:
    """Within a hundredth, and never beyond the extremes."""
    found = compute(f"p{percent}", *values)
    ordered = sorted(values)
    expected = ordered[max(0, math.ceil(len(values) * percent / 100) - 1)]
    assert found is not None and math.isclose(found, expected, rel_tol=0.01, abs_tol=1e-300)
    assert ordered[0] <= found <= ordered[-1]


@pytest.mark.parametrize("name", ["p99", "tm90", "IQM", "PR(:5)", "tc50", "TS(1:2)", "WM(10%:90%)"])
def test_what_has_no_bins_has_none_of_these(name: str) -> None:
    """Statistic sets and negative values; one set of one value has them."""
    assert parse_statistic(name).compute(Distribution.of_set(3, 30, 5, 20)) is None
    assert compute(name, -1, 3) is None


def test_means_of_nothing_are_none() -> None:
    """A range without values has a count and no mean."""
    assert compute("TM(200:300)", *HUNDRED) is None
    assert compute("TC(200:300)", *HUNDRED) == compute("PR(200:300)", *HUNDRED) == 0


@pytest.mark.parametrize(
    "name",
    [
        "", "average", "P99", "p101", "p-1", "p99.12345678901", "p", "tm", "TM", "TM(1:2", "TM(10%:2)", "TM(:)",
        "PR(10%:20%)", "TM(5:1)", "TM(10%:101%)", "iqm", "TM(a:b)", "p1e2", "Sum ",
    ],
)  # fmt: skip
def test_other_names_are_none(name: str) -> None:
    with pytest.raises(InvalidStatistic):
        parse_statistic(name)
