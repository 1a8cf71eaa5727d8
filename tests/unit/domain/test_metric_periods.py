"""Which period a time is in, and from where points are read."""

import pytest

from lambent.domain.metric_periods import DAY_S, begin_of, is_period, rounded_start, source_of

NOW_S = 1_795_000_000.0 // DAY_S * DAY_S


@pytest.mark.parametrize(
    ("period_s", "expected"),
    [
        *((period_s, True) for period_s in (1, 5, 10, 20, 30, 60, 300, 86_400)),
        *((period_s, False) for period_s in (0, 2, 45, 61, -60)),
    ],
)
def test_periods_are_short_ones_or_whole_minutes(period_s: int, expected: bool) -> None:
    assert is_period(period_s) is expected


def test_periods_begin_with_the_epoch() -> None:
    assert [begin_of(time_s, 300) for time_s in (0, 299.9, 300, 601)] == [0, 0, 300, 600]


@pytest.mark.parametrize(
    ("age_s", "period_s", "step_s"),
    [
        # By the minute for 15 days, by five minutes for 63, by the hour beyond; never finer than the period.
        (3_600 + 7, 60, 60),
        (14 * DAY_S + 7, 60, 60),
        (16 * DAY_S + 7, 60, 300),
        (64 * DAY_S + 7, 60, 3_600),
        (3_600 + 7, 3_600, 3_600),
        (3_600 + 7, 10, 10),
        (4 * 3_600 + 7, 10, 60),
    ],
)
def test_starts_are_rounded_down(age_s: int, period_s: int, step_s: int) -> None:
    start_s = NOW_S - age_s
    rounded = rounded_start(start_s, period_s, NOW_S)
    assert rounded % step_s == 0 and 0 <= start_s - rounded < step_s


def test_long_periods_are_made_of_long_ones() -> None:
    assert [source_of(period_s) for period_s in (1, 10, 60, 120, 300, 900, 3_600, 5_400, 86_400)] == [
        1, 1, 60, 60, 300, 300, 3_600, 300, 3_600,
    ]  # fmt: skip
