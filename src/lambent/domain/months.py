"""Calendar months of UTC, by which providers bill. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime

DAY_S = 86_400


def month_of(at_s: int) -> tuple[int, int]:
    """Return the begin and the end of the month that a moment is in, in seconds since the epoch."""
    at = datetime.fromtimestamp(at_s, UTC)
    first = datetime(at.year, at.month, 1, tzinfo=UTC)
    following = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()), int(following.timestamp())


def by_month(from_s: int, before_s: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a stretch, each within one month."""
    begin = from_s
    while begin < before_s:
        end = min(before_s, month_of(begin)[1])
        yield begin, end
        begin = end


def month_name(at_s: int) -> str:
    """Return the month as YYYY-MM."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m")
