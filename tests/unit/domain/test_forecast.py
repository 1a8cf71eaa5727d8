"""A month carried on: by days of the week once there are enough of them, else by the last days."""

from datetime import UTC, datetime

from lambent.domain.forecast import LOOKED_BACK_DAYS, Plan, plan, remainder
from lambent.domain.months import DAY_S


def at(text: str) -> int:
    """Return seconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOW = at("2026-11-17T12:00:00")
"""A Tuesday."""


def test_with_less_than_a_day_there_is_no_forecast() -> None:
    """Nor with a clock that jumped back before the first usage."""
    assert plan(NOW - DAY_S + 60, NOW) is None
    assert plan(NOW + DAY_S, NOW) is None
    assert plan(NOW - DAY_S, NOW) == Plan("rate", NOW - DAY_S, NOW)


def test_a_plan_goes_by_days_of_the_week_from_two_weeks_on() -> None:
    """Of full days: neither the first one's half nor today's count."""
    today = NOW // DAY_S * DAY_S
    assert plan(today - 14 * DAY_S + 60, NOW) == Plan("rate", NOW - 7 * DAY_S, NOW)
    assert plan(today - 14 * DAY_S, NOW) == Plan("weekday", today - 14 * DAY_S, today)
    long_ago = plan(at("2020-01-01"), NOW)
    assert long_ago == Plan("weekday", today - LOOKED_BACK_DAYS * DAY_S, today)
    assert long_ago is not None and len(long_ago.stretches()) == 28 == long_ago.days


def test_the_rate_of_the_last_days_goes_on() -> None:
    """Three days of 300 are 100 a day; thirteen and a half are left of November."""
    made_from = Plan("rate", NOW - 3 * DAY_S, NOW)
    assert made_from.stretches() == [(NOW - 3 * DAY_S, NOW)]
    assert remainder(made_from, [{"a": 300, "b": 1}], NOW, at("2026-12-01")) == {"a": 1350, "b": 4}


def test_days_of_the_week_go_on_as_they_were() -> None:
    """Weekends rest: what is left has nine and a half days of work and four of rest."""
    today = NOW // DAY_S * DAY_S
    made_from = Plan("weekday", today - 14 * DAY_S, today)
    used = [
        {} if datetime.fromtimestamp(begin, UTC).weekday() >= 5 else {"a": 100} for begin, _ in made_from.stretches()
    ]
    assert remainder(made_from, used, NOW, at("2026-12-01")) == {"a": 950}


def test_nothing_is_left_at_the_end() -> None:
    """The last minute of a month, and a month without usage."""
    end = at("2026-12-01")
    made_from = Plan("rate", end - DAY_S, end)
    assert remainder(made_from, [{"a": 5}], end, end) == {"a": 0}
    assert remainder(made_from, [{}], NOW, end) == {}
