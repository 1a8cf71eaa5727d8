"""Periods of usage: bounds in a zone's own time, and stretches that leave nothing out and overlap nowhere."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain import usage_periods
from lambent.domain.usage_periods import STRETCHES_MAX, InvalidPeriod, UsagePeriod, parse_period, parse_zone

NOW_S = int(datetime(2026, 11, 30, 12, 34, 56, tzinfo=UTC).timestamp())


def period(from_: str | None = None, to: str | None = None, step: str = "total", timezone: str = "UTC") -> UsagePeriod:
    return parse_period(now_s=NOW_S, from_=from_, to=to, step=step, timezone=timezone)


def bounds(from_: str | None = None, to: str | None = None, timezone: str = "UTC") -> tuple[str, str]:
    found = period(from_, to, timezone=timezone)
    return found.iso(found.from_s), found.iso(found.before_s)


def check(period: UsagePeriod, hours: list[float]) -> None:
    """The stretches last so many hours."""
    assert [(end - begin) / 3600 for begin, end in period.stretches()] == hours


@pytest.mark.parametrize(
    ("from_", "to", "expected"),
    [
        (None, None, ("2026-11-01T00:00:00", "2026-11-30T12:35:00")),
        ("2026-10", "2026-10", ("2026-10-01T00:00:00", "2026-11-01T00:00:00")),
        ("2026-11-03", "2026-11-03", ("2026-11-03T00:00:00", "2026-11-04T00:00:00")),
        ("2024-02", "2024-02-29", ("2024-02-01T00:00:00", "2024-03-01T00:00:00")),
        ("2026-12", "2026-12", ("2026-12-01T00:00:00", "2027-01-01T00:00:00")),
        ("today", None, ("2026-11-30T00:00:00", "2026-11-30T12:35:00")),
        ("yesterday", "yesterday", ("2026-11-29T00:00:00", "2026-11-30T00:00:00")),
        ("7d", None, ("2026-11-23T00:00:00", "2026-11-30T12:35:00")),
        ("this-month", "this-month", ("2026-11-01T00:00:00", "2026-12-01T00:00:00")),
        ("last-month", "last-month", ("2026-10-01T00:00:00", "2026-11-01T00:00:00")),
        ("2w", "1d", ("2026-11-16T00:00:00", "2026-11-30T00:00:00")),
        ("24h", "now", ("2026-11-29T12:34:00", "2026-11-30T12:35:00")),
        ("90m", "30m", ("2026-11-30T11:04:00", "2026-11-30T12:04:00")),
        ("2026-11-30T10:00", "2026-11-30T12:00:00", ("2026-11-30T10:00:00", "2026-11-30T12:00:00")),
        ("2026-11-30 10:00Z", "2026-11-30T12:00:00.000+00:30", ("2026-11-30T10:00:00", "2026-11-30T11:30:00")),
    ],
)
def test_bounds(from_: str | None, to: str | None, expected: tuple[str, str]) -> None:
    """A day and a month are included where they are the end; times are not."""
    assert bounds(from_, to) == tuple(f"{text}+00:00" for text in expected)


def test_bounds_are_those_of_the_zone() -> None:
    """Days, months and times without an offset; `today` is the zone's as well."""
    assert bounds("2026-10", "2026-10", "Europe/Berlin") == ("2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00")
    assert bounds("2026-07-01T08:00", "2026-07-01", "Asia/Kolkata") == (
        "2026-07-01T08:00:00+05:30",
        "2026-07-02T00:00:00+05:30",
    )
    # There, it is the first of December.
    assert bounds("today", None, "Pacific/Kiritimati") == ("2026-12-01T00:00:00+14:00", "2026-12-01T02:35:00+14:00")
    assert bounds(None, None, "Pacific/Kiritimati")[0] == "2026-12-01T00:00:00+14:00"


def test_the_moment_a_month_begins() -> None:
    """There is a minute of it by then."""
    now_s = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    found = parse_period(now_s=now_s)
    assert (found.from_s, found.before_s) == (now_s, now_s + 60)


@pytest.mark.parametrize("to", [None, "now"])
@pytest.mark.parametrize("second", [0, 1, 59])
def test_now_is_within_its_minute(to: str | None, second: int) -> None:
    """In the second in which that begins as well: what has just run is part of the answer."""
    minute_s = int(datetime(2026, 11, 30, 12, 34, tzinfo=UTC).timestamp())
    found = parse_period(now_s=minute_s + second, from_="24h", to=to)
    assert (found.from_s, found.before_s) == (minute_s - 86_400, minute_s + 60)


def test_days_when_the_clocks_change() -> None:
    """23 and 25 hours, months as they are, whatever the zone."""
    check(period("2026-03-28", "2026-03-30", "day", "Europe/Berlin"), [24, 23, 24])
    check(period("2026-10-24", "2026-10-26", "day", "Europe/Berlin"), [24, 25, 24])
    check(period("2026-02", "2026-04", "month", "America/New_York"), [28 * 24, 31 * 24 - 1, 30 * 24])
    # Half an hour of summer, and midnights that are not there or come twice.
    check(period("2026-10-04", "2026-10-05", "day", "Australia/Lord_Howe"), [23.5, 24])
    check(period("2026-03-28", "2026-03-30", "day", "Asia/Beirut"), [24, 23, 24])
    check(period("2026-10-31", "2026-11-02", "day", "America/Havana"), [24, 25, 24])


def test_a_day_that_a_zone_left_out() -> None:
    """Samoa had no 30 December 2011."""
    found = period("2011-12-29", "2011-12-31", "day", "Pacific/Apia")
    assert [found.iso(begin)[:10] for begin, _ in found.stretches()] == ["2011-12-29", "2011-12-31"]
    check(found, [24, 24])


def test_hours_are_those_of_the_zone() -> None:
    """In Nepal they begin at 15 minutes past; where clocks change by half an hour, one is that long."""
    found = period("2026-11-30T10:20", "2026-11-30T12:10", "hour", "Asia/Kathmandu")
    assert [found.iso(begin)[11:16] for begin, _ in found.stretches()] == ["10:20", "11:00", "12:00"]
    check(period("2026-10-25T01:00", "2026-10-25T04:00", "hour", "Europe/Berlin"), [1, 1, 1, 1])
    check(period("2026-10-04T01:00", "2026-10-04T04:00", "hour", "Australia/Lord_Howe"), [1, 0.5, 1])
    check(period("2026-04-05T01:00", "2026-04-05T03:00", "hour", "Australia/Lord_Howe"), [1, 0.5, 1])


def test_only_the_ends_are_in_between() -> None:
    """Stretches begin with days, months and minutes, but for the first."""
    found = period("2026-01-15T12:00", "2026-03-02T01:00", "month")
    assert [found.iso(begin)[:13] for begin, _ in found.stretches()] == [
        "2026-01-15T12",
        "2026-02-01T00",
        "2026-03-01T00",
    ]
    check(period("2026-11-30T10:00", "2026-11-30T10:02", "minute"), [1 / 60, 1 / 60])
    check(period("2026-11-30T10:00", "2026-11-30", "total"), [14])


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Beirut",
     "America/Havana", "Pacific/Apia", "Africa/Casablanca", "America/Santiago", "Asia/Tehran", "Pacific/Chatham"]
)  # fmt: skip
MINUTES = st.integers(60 * 24 * 365 * 35, 60 * 24 * 365 * 100)


@given(ZONES, st.sampled_from(["minute", "hour", "day", "month"]), MINUTES, st.integers(1, 1_000))
def test_nothing_is_left_out_or_twice(timezone: str, step: str, minute: int, length: int) -> None:
    """At whole minutes, in order, each beginning where the one before ended, and none longer than it may be."""
    unit_s = {"minute": 60, "hour": 3_600, "day": 86_400, "month": 31 * 86_400}[step]
    wanted = UsagePeriod(
        minute * 60, minute * 60 + length * (unit_s // 3 // 60 * 60 or 60), period(step=step).step, timezone,
        parse_zone(timezone),
    )  # fmt: skip
    found = wanted.stretches()
    assert (found[0][0], found[-1][1]) == (wanted.from_s, wanted.before_s)
    assert all(one[1] == other[0] for one, other in pairwise(found))
    assert all(not begin % 60 and begin < end <= begin + unit_s + 7_200 for begin, end in found)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"from_": "2026-13"}, "from: '2026-13' is none of a day"),
        ({"from_": "2026-02-30"}, "from: '2026-02-30' is none of"),
        ({"to": "2026-11-30T12:00:30"}, "to: '2026-11-30T12:00:30' is not at a whole minute"),
        ({"from_": "2026-11-30T12:00:00 01:00"}, "%2B"),
        ({"from_": ""}, "from: '' is none of"),
        ({"from_": "٢٠٢٦-11"}, "from:"),
        ({"from_": "x" * 1000}, "xxx…' is none of"),
        ({"from_": "1999-12-31"}, "from: '1999-12-31' is not between the years"),
        ({"from_": "99999d"}, "from: '99999d' is not between the years"),
        ({"from_": "999999w"}, "from: '999999w' is none of"),
        ({"from_": "100h", "to": "9999-12"}, "to: '9999-12' is not between"),
        ({"to": "9999-12-31"}, "to: '9999-12-31' is not between"),
        ({"from_": "2026-11-30", "to": "2026-11-29"}, "from: 2026-11-30T00:00:00+00:00 is not before to"),
        ({"from_": "2027-01"}, "from: 2027-01-01T00:00:00+00:00 is not before to"),
        ({"step": "week"}, "step: 'week' is none of total, minute, hour, day, month"),
        ({"timezone": "Europe/Berlim"}, "timezone: 'Europe/Berlim' is no time zone"),
        ({"timezone": "../../etc/passwd"}, "timezone:"),
        ({"timezone": "/etc/passwd"}, "timezone:"),
        ({"timezone": "Europe"}, "timezone:"),
        ({"timezone": ""}, "timezone:"),
        ({"timezone": "a\0b"}, "timezone:"),
        ({"timezone": "x" * 5_000}, "timezone:"),
    ],
)
def test_what_cannot_be(given: dict[str, str], said: str) -> None:
    """The text names the parameter."""
    with pytest.raises(InvalidPeriod) as refused:
        parse_period(now_s=NOW_S, **given)
    text = str(refused.value)
    assert said in text
    assert len(text) < 400


def test_a_machine_without_a_table_of_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has UTC, and says what to do about others."""

    def missing(name: str) -> None:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(usage_periods, "ZoneInfo", missing)
    assert period(timezone="UTC").timezone == "UTC"
    with pytest.raises(InvalidPeriod, match=r"timezone: 'Europe/Paris' .* which knows UTC alone: `apt install tzdata`"):
        parse_zone("Europe/Paris")


def test_how_many_stretches_there_may_be() -> None:
    """A day by the minute and four years by the day; a year by the minute is refused, and not counted out first."""
    assert len(period("2026-11-30", "2026-11-30", "minute").stretches()) == 1_440
    assert len(period("2023-01", "2026-12", "day").stretches()) == 1_461
    with pytest.raises(InvalidPeriod, match=f"step: by the minute there would be more than {STRETCHES_MAX}"):
        period("2000-01", "2099-12", "minute").stretches()


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=12), st.text(max_size=30))
def test_rubbish(from_: str, to: str, step: str, timezone: str) -> None:
    """Whatever is sent is a period or is refused."""
    for parameters in ({"from_": from_}, {"to": to}, {"step": step}, {"timezone": timezone}):
        try:
            parse_period(now_s=NOW_S, **parameters)  # type: ignore[arg-type]
        except InvalidPeriod as error:
            assert str(error)
