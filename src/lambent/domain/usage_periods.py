"""
Which time usage is asked for: from when to when, in whose time zone, and in which stretches. Pure.

A stretch begins with an hour, a day or a month as clocks of the zone show it: a day has 23 or 25 hours where they
change. Only the first may begin, and only the last may end, in between.
"""

import enum
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

STRETCHES_MAX: Final = 1_500
"""Of one question. Assumed: a day by the minute, two months by the hour, four years by the day (test_usage_periods)."""

_FIRST_YEAR, _LAST_YEAR = 2000, 2099
"""Before, there were no functions, and zones had offsets with seconds."""

_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_AGO = re.compile(r"(\d{1,6})([mhdw])", re.ASCII)
_FORMS: Final = (
    "a day (2026-11-30), a month (2026-11), a time (2026-11-30T12:00), today, yesterday, this-month, last-month, now, "
    "or so long ago: 30m, 24h, 7d, 4w"
)
_SHOWN_MAX: Final = 60


class InvalidPeriod(ValueError):
    """What is asked for is no time; `args[0]` names the parameter and says what is wrong with it."""


class UsageStep(enum.StrEnum):
    """How long a stretch is."""

    TOTAL = "total"
    """One of all."""
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class UsagePeriod(msgspec.Struct, frozen=True):
    """A time, and what it is taken apart by. Bounds are in seconds since the epoch, at whole minutes."""

    from_s: int
    before_s: int
    step: UsageStep
    timezone: str
    """The zone's name."""
    zone: tzinfo

    def stretches(self) -> list[tuple[int, int]]:
        """
        Return begin and end of each stretch, in order; together they are the whole of it.

        Raises:
            InvalidPeriod: there would be more than `STRETCHES_MAX`.
        """
        found: list[tuple[int, int]] = []
        for stretch in _stretches(self.from_s, self.before_s, self.step, self.zone):
            if len(found) == STRETCHES_MAX:
                raise InvalidPeriod(
                    f"step: by the {self.step} there would be more than {STRETCHES_MAX} stretches; "
                    "ask for a longer step or a shorter time"
                )
            found.append(stretch)
        return found

    def iso(self, at_s: int) -> str:
        """Return a moment as clocks of the zone show it, with its offset."""
        return datetime.fromtimestamp(at_s, self.zone).isoformat()


def parse_period(
    *, now_s: int, from_: str | None = None, to: str | None = None, step: str = "total", timezone: str = "UTC"
) -> UsagePeriod:
    """
    Return what is asked for.

    Args:
        now_s: what `today`, `7d` and the like count from.
        from_: a day, a month, a time, or how long ago; None: the first of this month.
        to: likewise, of which a day or a month is included, and a time is not; None: now, the minute included.
        timezone: the name of a zone of IANA's: whose days they are, and whose times that name no offset.

    Raises:
        InvalidPeriod: one of them cannot be; the text says which, and why.
    """
    if step not in set(UsageStep):
        raise InvalidPeriod(f"step: {_shown(step)} is none of {', '.join(UsageStep)}")
    zone = parse_zone(timezone)
    today = datetime.fromtimestamp(now_s, zone).date()
    if from_ is None:
        from_s = _begin_of(today.replace(day=1), zone)
    else:
        from_s = _bound("from", from_, now_s, today, zone, is_end=False)
    before_s = _bound("to", "now" if to is None else to, now_s, today, zone, is_end=True)
    period = UsagePeriod(from_s, before_s, UsageStep(step), timezone, zone)
    if from_s % 60 or before_s % 60:
        raise InvalidPeriod(f"timezone: {_shown(timezone)} has offsets that are not at whole minutes")
    if from_s >= before_s:
        raise InvalidPeriod(f"from: {period.iso(from_s)} is not before to, which is {period.iso(before_s)}")
    return period


def parse_zone(name: str) -> tzinfo:
    """
    Return the time zone of a name.

    Raises:
        InvalidPeriod: there is none.
    """
    if name == "UTC":
        # Known where the machine has no table of zones, too.
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        remedy = "such as Europe/Berlin or UTC" if _has_zones() else "which knows UTC alone: `apt install tzdata` there"
        raise InvalidPeriod(
            f"timezone: {_shown(name)} is no time zone that the server's machine knows, {remedy}"
        ) from None


def _has_zones() -> bool:
    """Say whether there is a table of zones: small images have none."""
    try:
        ZoneInfo("Europe/Berlin")
    except (KeyError, OSError):
        return False
    return True


def _bound(name: str, text: str, now_s: int, today: date, zone: tzinfo, *, is_end: bool) -> int:
    """Return one of the bounds, in seconds since the epoch."""
    try:
        at_s = _parsed(name, text.strip(), now_s, today, zone, is_end=is_end)
    except (ValueError, OverflowError) as error:
        if isinstance(error, InvalidPeriod):
            raise
        hint = "; in a URL + is written as %2B" if re.search(r"\d \d\d:?\d\d$", text) else ""
        raise InvalidPeriod(f"{name}: {_shown(text)} is none of {_FORMS}{hint}") from None
    return at_s


def _parsed(name: str, text: str, now_s: int, today: date, zone: tzinfo, *, is_end: bool) -> int:
    if text == "now":
        # With its minute, also in the second in which that begins: what has just run is part of it.
        return (now_s // 60 + is_end) * 60
    if text in {"today", "yesterday"}:
        return _day_bound(today - timedelta(days=text == "yesterday"), zone, is_end=is_end)
    if match := _AGO.fullmatch(text):
        count, unit = int(match[1]), match[2]
        if unit in "dw":
            day = today - timedelta(days=count * (7 if unit == "w" else 1))
            return _day_bound(_checked(name, text, day), zone, is_end=is_end)
        at_s = (now_s - count * (3600 if unit == "h" else 60)) // 60 * 60
        _checked(name, text, datetime.fromtimestamp(at_s, UTC).date())
        return at_s
    first = _month(text, today)
    if first is not None:
        _checked(name, text, first)
        return _begin_of(_next_month(first) if is_end else first, zone)
    if _DAY.fullmatch(text):
        return _day_bound(_checked(name, text, date.fromisoformat(text)), zone, is_end=is_end)
    if not _TIME.fullmatch(text):
        raise ValueError
    moment = datetime.fromisoformat(text)
    _checked(name, text, moment.date())
    if moment.second or moment.microsecond:
        raise InvalidPeriod(f"{name}: {_shown(text)} is not at a whole minute, by which usage is summed")
    # Of an hour that comes twice, the first; of one that does not come, the moment at which it would.
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp())


def _month(text: str, today: date) -> date | None:
    """Return the first day of a month; None where the text is none."""
    if text == "this-month":
        return today.replace(day=1)
    if text == "last-month":
        return (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    match = _MONTH.fullmatch(text)
    return None if match is None else date(int(match[1]), int(match[2]), 1)


def _checked(name: str, text: str, day: date) -> date:
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise InvalidPeriod(f"{name}: {_shown(text)} is not between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return day


def _day_bound(day: date, zone: tzinfo, *, is_end: bool) -> int:
    return _begin_of(day + timedelta(days=1) if is_end else day, zone)


def _begin_of(day: date, zone: tzinfo) -> int:
    """Return when a day begins: at the first midnight where there are two, and when the clocks change where none is."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _stretches(from_s: int, before_s: int, step: UsageStep, zone: tzinfo) -> Iterator[tuple[int, int]]:
    begin = from_s
    while begin < before_s:
        end = before_s if step is UsageStep.TOTAL else min(_end_of(begin, step, zone), before_s)
        yield begin, end
        begin = end


def _end_of(begin: int, step: UsageStep, zone: tzinfo) -> int:
    """Return when the stretch ends in which a moment lies."""
    if step is UsageStep.MINUTE:
        return begin + 60
    local = datetime.fromtimestamp(begin, zone)
    if step is UsageStep.HOUR:
        # Where clocks change by half an hour, what is left of the hour is a stretch.
        return begin + 3600 - 60 * local.minute
    day = local.date()
    while True:
        day = _next_month(day.replace(day=1)) if step is UsageStep.MONTH else day + timedelta(days=1)
        end = _begin_of(day, zone)
        if end > begin:
            return end
        # A day that a zone left out when it changed sides of the date line.


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…")
