"""
What a month will come to if it goes on like that. Pure.

With two weeks of full days behind, each hour that is to come is taken as the mean of such days of the week; before, as
the mean of the last days. What comes of it is a quantity by meter, which is priced as a bill is: tiers and what is free
are those of the whole month.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final, NamedTuple, TypeVar

from lambent.domain.months import DAY_S

LOOKED_BACK_DAYS: Final = 28
"""Four of each day of the week. Assumed: what was before tells little of now (test_forecast)."""

WEEKDAYS_FROM_DAYS: Final = 14
"""Full days from which on days of the week are told apart: two of each."""

RATE_DAYS: Final = 7
"""Days that the mean is of where they are not."""

LEAST_S: Final = DAY_S
"""With less behind there is no forecast."""

Key = TypeVar("Key")


class Plan(NamedTuple):
    """From which stretches a forecast is made, and how."""

    method: str
    """`weekday` or `rate`."""
    from_s: int
    before_s: int
    """With `weekday`, whole days of UTC."""

    @property
    def days(self) -> float:
        """How long that is."""
        return (self.before_s - self.from_s) / DAY_S

    def stretches(self) -> list[tuple[int, int]]:
        """Return what is to be looked at: each day by itself, or all at once."""
        if self.method == "rate":
            return [(self.from_s, self.before_s)]
        return [(day, day + DAY_S) for day in range(self.from_s, self.before_s, DAY_S)]


def plan(began_s: int, now_s: int) -> Plan | None:
    """
    Return what a forecast can be made from; None: too little.

    Args:
        began_s: when the first usage was.
        now_s: at a whole minute.
    """
    if now_s - began_s < LEAST_S:
        return None
    today = now_s // DAY_S * DAY_S
    first_full = max(-(-began_s // DAY_S) * DAY_S, today - LOOKED_BACK_DAYS * DAY_S)
    if today - first_full >= WEEKDAYS_FROM_DAYS * DAY_S:
        return Plan("weekday", first_full, today)
    return Plan("rate", max(began_s, now_s - RATE_DAYS * DAY_S), now_s)


def remainder(plan: Plan, used: Sequence[Mapping[Key, int]], now_s: int, end_s: int) -> dict[Key, int]:
    """
    Return what will be used from now until the end.

    Args:
        used: in each of the plan's stretches.
    """
    found: dict[Key, Fraction] = {}
    if plan.method == "rate":
        of_time = Fraction(max(0, end_s - now_s), plan.before_s - plan.from_s)
        for key, quantity in used[0].items():
            found[key] = quantity * of_time
    else:
        for weekday, seconds in _seconds_by_weekday(now_s, end_s).items():
            days = [day for (begin, _), day in zip(plan.stretches(), used, strict=True) if _weekday(begin) == weekday]
            for day in days:
                for key, quantity in day.items():
                    found[key] = found.get(key, Fraction(0)) + Fraction(quantity * seconds, DAY_S * len(days))
    return {key: round(quantity) for key, quantity in found.items()}


def _seconds_by_weekday(begin_s: int, end_s: int) -> dict[int, int]:
    found: dict[int, int] = {}
    while begin_s < end_s:
        following = min(end_s, (begin_s // DAY_S + 1) * DAY_S)
        weekday = _weekday(begin_s)
        found[weekday] = found.get(weekday, 0) + following - begin_s
        begin_s = following
    return found


def _weekday(at_s: int) -> int:
    return datetime.fromtimestamp(at_s, UTC).weekday()
