"""Points come out of a block as they went in, and take little room in it."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.domain.metric import Distribution, bin_of
from lambent.domain.metric_statistics import parse_statistic
from lambent.store.metric_blocks import Point, pack, pack_bins, unpack, unpack_bins

NUMBERS = st.one_of(
    st.integers(-1_000, 1_000_000).map(float),
    st.decimals(-1_000, 1_000_000, places=3).map(float),
    st.floats(-(2.0**360), 2.0**360),
)
BINS: st.SearchStrategy[dict[int, float] | None] = st.one_of(
    st.none(),
    st.dictionaries(
        st.floats(0, 2.0**360).map(bin_of),
        st.one_of(st.integers(1, 70_000).map(float), st.floats(0.1, 9.5)),
        min_size=1,
    ),
)
VARIOUS = st.builds(
    lambda low, more, bins: Distribution(sum((bins or {1: 3.0}).values()), low * 2 + more, low, low + more, bins),
    NUMBERS,
    st.floats(1, 1_000),
    BINS,
).filter(lambda values: values.minimum < values.maximum)
ALIKE = st.builds(
    lambda value, count: Distribution.of_set(count, value * count, value, value), NUMBERS, st.integers(1, 9)
)
POINTS = st.dictionaries(st.integers(0, 1_439), st.one_of(VARIOUS, ALIKE), min_size=1, max_size=20)


def points_of(found: dict[int, Distribution], period_s: int) -> list[Point]:
    return [(step * period_s + 1_728_000_000, values) for step, values in sorted(found.items())]


@settings(deadline=None)
@given(found=POINTS, period_s=st.sampled_from([60, 300, 3_600]))
def test_what_was_packed_comes_out(found: dict[int, Distribution], period_s: int) -> None:
    """Times and bins exactly; numbers to what a sum of decimal fractions is off by itself."""
    points = points_of(found, period_s)
    basics, bins = pack(points, period_s)
    out = list(unpack(basics, bins, period_s))
    assert [at_s for at_s, _ in out] == [at_s for at_s, _ in points]
    for (_, before), (_, after) in zip(points, out, strict=True):
        assert after.bins == before.bins
        for name in ("count", "total", "minimum", "maximum"):
            assert math.isclose(getattr(after, name), getattr(before, name), rel_tol=1e-12)


@settings(deadline=None)
@given(bins=BINS)
def test_bins_of_one_point_come_back(bins: dict[int, float] | None) -> None:
    assert unpack_bins(pack_bins(bins)) == bins


@settings(deadline=None)
@given(found=POINTS, percent=st.integers(0, 100))
def test_percentiles_are_read_as_they_lie(found: dict[int, Distribution], percent: int) -> None:
    """Of hours, whose bins are not laid out for it; what is merged with them afterwards counts as well."""
    statistic = parse_statistic(f"p{percent}")
    points = points_of(found, 3_600)
    out = list(unpack(*pack(points, 3_600), 3_600))
    for (_, before), (_, after) in zip(points, out, strict=True):
        expected, read = statistic.compute(before), statistic.compute(after)
        assert (expected is None) is (read is None)
        assert expected is None or read is None or math.isclose(expected, read, rel_tol=1e-9)
        before.merge(Distribution(1, 5, 5, 5, {bin_of(5): 1.0}))
        after.merge(Distribution(1, 5, 5, 5, {bin_of(5): 1.0}))
        assert after.bins == before.bins and after.has_bins is before.has_bins


def test_without_bins_none_are_read() -> None:
    """Whoever asks for a sum reads no percentiles; values that are all one tell theirs."""
    values = Distribution()
    values.add(12.5, 2)
    values.add(13.0)
    basics, bins = pack([(0, values), (60, Distribution.of_set(2, 8, 4, 4))], 60)
    assert bins is not None
    (_, various), (_, alike) = unpack(basics, None, 60)
    assert (various.count, various.total, various.bins) == (3, 38, None)
    assert alike.bins == {bin_of(4): 2}


@pytest.mark.parametrize(
    ("invocations", "points", "bytes_max"),
    [
        # Of a function that runs once a second: its durations by the minute, by five minutes, by the hour.
        (60, 1_440, 32),
        (300, 300, 52),
        (3_600, 60, 95),
    ],
)
def test_durations_take_little_room(invocations: int, points: int, bytes_max: int) -> None:
    """So that 200 busy functions stay below what is promised of 455 days."""
    random_ = random.Random(1)
    made = []
    for step in range(points):
        values = Distribution()
        for _ in range(invocations):
            values.add(round(random_.lognormvariate(4, 0.4), 2))
        made.append((step * 60, values))
    basics, bins = pack(made, 60)
    assert bins is not None
    assert (len(basics) + len(bins)) / points < bytes_max


def test_counts_take_nearly_none() -> None:
    """Invocations: as many ones as there were."""
    random_ = random.Random(1)
    points = []
    for step in range(1_440):
        values = Distribution()
        values.add(1, random_.randint(200, 400))
        points.append((step * 60, values))
    basics, bins = pack(points, 60)
    assert bins is None
    assert len(basics) / len(points) < 2
