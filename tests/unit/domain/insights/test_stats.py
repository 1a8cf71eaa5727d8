"""Aggregates: exact where there is little, close where there is much."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.domain.insights.asking import ask

FIVE = ['{"n": 4, "w": "b"}', '{"n": 1, "w": "a10"}', '{"w": "a9"}', '{"n": "2"}', '{"n": "x", "w": "b"}']
"""The newest first."""


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("count()", "5"),
        ("count(*)", "5"),
        ("count(n)", "4"),
        ("count_distinct(w)", "3"),
        ("sum(n)", "7"),
        ("avg(n)", "2.3333"),
        ("min(n)", "x"),
        ("max(n)", "4"),
        ("min(n * 1)", "1"),
        ("pct(n, 50)", "2"),
        ("pct(n, 100)", "4"),
        ("median(n)", "2"),
        ("stddev(n)", "1.2472"),
        ("earliest(w)", "b"),
        ("latest(n)", "4"),
        ("earliest(n)", "x"),
        ("sortsFirst(w)", "a9"),
        ("sortsLast(w)", "b"),
        ("sum(missing)", None),
        ("avg(missing)", None),
        ("stddev(missing)", None),
        ("max(missing)", None),
        ("pct(missing, 9)", None),
        ("count(missing)", "0"),
        ("count_distinct(missing)", "0"),
        ("sum(n) / count(n) * 10", "17.5"),
        ("greatest(max(n * 1), 100)", "100"),
    ],
)
def test_what_an_aggregate_gives(aggregate: str, expected: str | None) -> None:
    (row,) = ask(f"stats {aggregate} as it", FIVE)
    assert row.get("it") == expected


@given(
    st.lists(st.floats(0.001, 1e6) | st.floats(-1e6, -0.001) | st.just(0.0), min_size=1, max_size=30),
    st.integers(0, 100),
)
def test_few_numbers_give_exact_percentiles(numbers: list[float], percent: int) -> None:
    (row,) = ask(f"stats pct(n, {percent}) as it", [f'{{"n": {number!r}}}' for number in numbers])
    assert any(math.isclose(float(row["it"]), number, abs_tol=0.0001) for number in numbers)
    below = sum(number <= float(row["it"]) + 0.0001 for number in numbers)
    assert below >= math.ceil(len(numbers) * percent / 100)


def test_many_numbers_give_close_ones() -> None:
    """Within a percent, whatever their sign; and the deviation does not lose its digits."""
    numbers = [number * 1.5 - 6_000 for number in range(12_000)]
    messages = [f'{{"n": {number}}}' for number in numbers]
    (row,) = ask("stats pct(n, 10) as low, pct(n, 90) as high, stddev(n + 1000000) as spread", messages)
    assert float(row["low"]) == pytest.approx(numbers[1_199], rel=0.01)
    assert float(row["high"]) == pytest.approx(numbers[10_799], rel=0.01)
    assert float(row["spread"]) == pytest.approx(statistics.pstdev(numbers), rel=1e-6)


@pytest.mark.parametrize("count", [2_000, 40_000])
def test_different_values_are_counted_or_estimated(count: int) -> None:
    (row,) = ask("stats count_distinct(@message) as it", [f"message {number % count}" for number in range(count * 2)])
    assert float(row["it"]) == (count if count <= 2_048 else pytest.approx(count, rel=0.08))
