"""Distributions: exact in what adds up, within a hundredth in where values lie."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.metric import Distribution, bin_of, dimensions_of, value_of

VALUES = st.floats(0, 2.0**360)


def of(*values: float) -> Distribution:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return distribution


@given(st.floats(5e-324, 2.0**360))
def test_a_value_is_known_to_one_per_cent(value: float) -> None:
    assert math.isclose(value_of(bin_of(value)), value, rel_tol=0.01, abs_tol=1e-320)


@given(st.tuples(VALUES, VALUES))
def test_bins_are_in_the_order_of_values(pair: tuple[float, float]) -> None:
    """0 lies below all others."""
    low, high = sorted(pair)
    assert bin_of(low) <= bin_of(high)
    assert (bin_of(0.0), value_of(bin_of(0.0))) < (bin_of(5e-324), value_of(bin_of(5e-324)))


@given(st.lists(VALUES, min_size=1, max_size=20), st.lists(VALUES, max_size=20))
def test_merging_is_adding(first: list[float], second: list[float]) -> None:
    merged, added = of(*first), of(*first, *second)
    merged.merge(of(*second))
    assert math.isclose(merged.total, added.total, rel_tol=1e-12)
    merged.total = added.total
    assert merged == added


def test_values_may_count_several_times() -> None:
    """Observed: recordings: values 1 and 6 with counts add up."""
    distribution = Distribution()
    distribution.add(1.0, 3.0)
    distribution.add(10.0, 0.5)
    assert (distribution.count, distribution.total, distribution.minimum, distribution.maximum) == (3.5, 8, 1, 10)
    assert [times for _, times in distribution.values()] == [3, 0.5]


def test_negative_values_have_no_bins() -> None:
    """Nor has what they are merged with."""
    distribution = of(1, -1)
    assert (distribution.bins, distribution.minimum, list(distribution.values())) == (None, -1, [])
    other = of(5)
    other.merge(distribution)
    assert (other.bins, other.count) == (None, 3)


@pytest.mark.parametrize(
    ("given_set", "has_bins"),
    [
        ((1, 5, 5, 5), True),
        ((4, 20, 5, 5), True),
        ((4, 20, 4, 6), False),
        ((1, -5, -5, -5), False),
        ((0, 0, 0, 0), True),
    ],
)
def test_a_statistic_set_has_bins_where_all_its_values_are_one(
    given_set: tuple[float, float, float, float], has_bins: bool
) -> None:
    """Or where it counts nothing, and says nothing of what it is merged with."""
    assert (Distribution.of_set(*given_set).bins is not None) is has_bins


def test_dimensions_have_one_order() -> None:
    assert dimensions_of({"b": "1", "a": "2"}) == dimensions_of({"a": "2", "b": "1"}) == (("a", "2"), ("b", "1"))
