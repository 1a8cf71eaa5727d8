"""Stretches of usage are read from the longest sums that lie within them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.store.usage_contract import RESOLUTIONS_S
from lambent.store.usage_reading import stretches

DAY_S = 86_400
MINUTES = st.integers(0, 4 * DAY_S // 60)


@pytest.mark.parametrize(
    ("from_s", "before_s", "expected"),
    [
        (0, 0, []),
        (60, 0, []),
        (0, 60, [(60, 0, 60)]),
        (0, 900, [(900, 0, 900)]),
        (0, DAY_S, [(DAY_S, 0, DAY_S)]),
        # A day of a zone that is half an hour off.
        (1_800, DAY_S + 1_800, [(3_600, 3_600, DAY_S), (900, 1_800, 3_600), (900, DAY_S, DAY_S + 1_800)]),
        (
            DAY_S - 960,
            3 * DAY_S + 60,
            [(DAY_S, DAY_S, 3 * DAY_S), (900, DAY_S - 900, DAY_S), (60, DAY_S - 960, DAY_S - 900),
             (60, 3 * DAY_S, 3 * DAY_S + 60)],
        ),
    ],
)  # fmt: skip
def test_stretches(from_s: int, before_s: int, expected: list[tuple[int, int, int]]) -> None:
    """Days in the middle, hours, quarters and minutes at the edges."""
    assert list(stretches(from_s, before_s)) == expected


@given(MINUTES, MINUTES)
def test_stretches_cover_each_minute_once(first: int, last: int) -> None:
    """Nothing twice, nothing left out, and each at the edges of its own length."""
    found = []
    for period_s, begin, end in stretches(first * 60, last * 60):
        assert period_s in RESOLUTIONS_S and begin % period_s == end % period_s == 0
        found += range(begin, end, 60)
    assert sorted(found) == list(range(first * 60, last * 60, 60))
