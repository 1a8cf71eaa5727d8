"""Budgets: periods, what is reached, what is kept."""

import random
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from lambent.domain.budget import (
    STATES_MAX,
    Budget,
    BudgetPeriod,
    Counted,
    Measure,
    PeriodState,
    PriceClass,
    Quantities,
    Watched,
    counted,
    iso,
    period_end,
    period_start,
    reached,
    rearmed,
    shown_amount,
    used_of,
)

HERE = PriceClass("eu-west-1", "x86_64", "on-demand", "python3.12")
THERE = PriceClass("us-east-1", "arm64", "on-demand", "python3.12")


class Prices:
    """A thousandth for each request."""

    currency = "USD"

    def first_tier_cost(self, of: PriceClass, used: Quantities) -> Decimal:
        return Decimal(used.requests) / 1000


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("period", "moment", "start", "end"),
    [
        (BudgetPeriod.DAY, "2026-11-17T00:00:00", "2026-11-17", "2026-11-18"),
        (BudgetPeriod.DAY, "2026-11-17T23:59:59.999999", "2026-11-17", "2026-11-18"),
        (BudgetPeriod.MONTH, "2026-11-30T23:59:59.999999", "2026-11-01", "2026-12-01"),
        (BudgetPeriod.MONTH, "2026-12-01T00:00:00", "2026-12-01", "2027-01-01"),
        (BudgetPeriod.MONTH, "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        (BudgetPeriod.MONTH, "2027-01-31T12:00:00", "2027-01-01", "2027-02-01"),
    ],
)
def test_periods_begin_at_midnight_of_utc(period: BudgetPeriod, moment: str, start: str, end: str) -> None:
    begin = period_start(period, at(moment))
    assert (iso(begin), iso(period_end(period, begin))) == (f"{start}T00:00:00Z", f"{end}T00:00:00Z")


def test_periods_follow_each_other_without_a_gap() -> None:
    for period in BudgetPeriod:
        start = period_start(period, at("2000-01-01T00:00:00"))
        for _ in range(2_000):
            end = period_end(period, start)
            assert end > start and period_start(period, end) == end and period_start(period, end - 0.001) == start
            start = end


@pytest.mark.parametrize(
    ("used", "limit", "percents"),
    [("0", "10", ()), ("4.9", "10", ()), ("5", "10", (50,)), ("9.99", "10", (50, 80)), ("12", "10", (50, 80, 100))],
)
def test_what_is_reached(used: str, limit: str, percents: tuple[int, ...]) -> None:
    assert reached((50, 80, 100), Decimal(used), Decimal(limit)) == percents


def test_what_is_measured() -> None:
    """GB-seconds are exact; what was before a reset does not count."""
    sums = {HERE: Quantities(3, 1_536 * 2_000), THERE: Quantities(2, 1_024 * 500)}
    assert used_of(Measure.REQUESTS, sums, (), Prices()) == 5
    assert used_of(Measure.GB_SECONDS, sums, (), Prices()) == Decimal("3.5")
    assert used_of(Measure.MONEY, sums, (), Prices()) == Decimal("0.005")
    before = (Counted(HERE, Quantities(1, 1_024 * 500)),)
    assert used_of(Measure.REQUESTS, sums, before, Prices()) == 4
    assert used_of(Measure.GB_SECONDS, sums, before, Prices()) == 3
    assert used_of(Measure.REQUESTS, sums, counted(sums), Prices()) == 0


def test_a_baseline_is_no_part_of_what_runs_on() -> None:
    sums = {HERE: Quantities(3)}
    baseline = counted(sums)
    sums[HERE].add(Quantities(4))
    assert used_of(Measure.REQUESTS, sums, baseline, Prices()) == 4


def test_states_are_kept_for_the_latest_periods_and_the_one_that_is_written() -> None:
    made = Budget("1", "b", Watched(), Measure.REQUESTS, Decimal(1), BudgetPeriod.DAY)
    starts = [86_400 * number for number in range(100)]
    random.Random(1).shuffle(starts)
    for start in starts:
        made = made.with_state(PeriodState(start, (50,)))
        assert made.state(start) is not None and len(made.states) <= STATES_MAX
    made = made.with_state(PeriodState(0, (80,)))
    assert made.state(0) == PeriodState(0, (80,)) and made.state(99 * 86_400) is not None
    assert [one.start_s for one in made.states] == sorted(one.start_s for one in made.states)


def test_a_raise_never_lowers_and_is_of_one_period() -> None:
    made = Budget("1", "b", Watched(), Measure.REQUESTS, Decimal(10), BudgetPeriod.DAY)
    raised = made.with_state(PeriodState(0, raised_to=Decimal(15)))
    assert (raised.limit(0), raised.limit(86_400)) == (15, 10)
    assert msgspec.structs.replace(raised, amount=Decimal(20)).limit(0) == 20


def test_who_raises_is_told_anew_of_what_is_not_reached_any_more() -> None:
    state = rearmed(PeriodState(0, (50, 80, 100)), Decimal(10), Decimal(15))
    assert (state.warned, state.round) == ((50,), 1)


@pytest.mark.parametrize(
    ("watched", "region", "function", "tags", "is_included"),
    [
        (Watched(), "r", "f", {}, True),
        (Watched("f", "r"), "r", "f", {}, True),
        (Watched("f", "r"), "s", "f", {}, False),
        (Watched("f", "r"), "r", "ff", {}, False),
        (Watched(tag_key="k", tag_value="v"), "r", "f", {"k": "v", "l": "w"}, True),
        (Watched(tag_key="k", tag_value="v"), "r", "f", {"k": "w"}, False),
        (Watched(tag_key="k", tag_value=""), "r", "f", {"k": ""}, True),
        (Watched(tag_key="k", tag_value=""), "r", "f", {}, False),
    ],
)
def test_what_is_watched(watched: Watched, region: str, function: str, tags: dict[str, str], is_included: bool) -> None:
    assert watched.includes(region, function, tags) is is_included


@pytest.mark.parametrize(
    ("amount", "text"),
    [("10", "10"), ("1E+3", "1000"), ("0.50", "0.5"), ("1e-9", "0.000000001"), ("0.00000000049", "0"), ("-0.0", "-0")],
)
def test_amounts_are_shown_as_digits(amount: str, text: str) -> None:
    assert shown_amount(Decimal(amount)) == text
