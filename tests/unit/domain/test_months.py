"""Months of UTC, leap years and ends of years among them."""

from datetime import UTC, datetime

import pytest

from lambent.domain.months import by_month, month_name, month_of


def at(text: str) -> int:
    """Return seconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("moment", "begin", "end"),
    [
        ("2026-11-30T23:59:59", "2026-11-01", "2026-12-01"),
        ("2026-12-01T00:00:00", "2026-12-01", "2027-01-01"),
        ("2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
    ],
)
def test_month_of(moment: str, begin: str, end: str) -> None:
    """A month's first moment is in it, the next one's is not."""
    assert month_of(at(moment)) == (at(begin), at(end))
    assert month_name(at(moment)) == begin[:7]


def test_a_stretch_is_cut_at_the_ends_of_months() -> None:
    """Parts touch, and cover all of it."""
    parts = list(by_month(at("2026-11-30T22:00:00"), at("2027-01-01T01:00:00")))
    assert parts == [
        (at("2026-11-30T22:00:00"), at("2026-12-01")),
        (at("2026-12-01"), at("2027-01-01")),
        (at("2027-01-01"), at("2027-01-01T01:00:00")),
    ]
    assert list(by_month(5, 5)) == []
