"""The three forms in which AWS protocols write a moment: ISO 8601, epoch seconds and RFC 822."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# `datetime.fromisoformat` also takes week dates and times without a date; the protocols do not.
_ISO8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def from_epoch(seconds: float) -> datetime:
    """
    Turn seconds since 1970 into a moment in UTC.

    Raises:
        ValueError: not a number, or outside the years that Python knows.
    """
    if not math.isfinite(seconds):
        raise ValueError("not a moment")
    try:
        # A sum, not `datetime.fromtimestamp`, whose range depends on the platform.
        return EPOCH + timedelta(seconds=seconds)
    except OverflowError as overflow:
        raise ValueError("not a moment") from overflow


def _parse_epoch(text: str) -> datetime:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(text)
    return from_epoch(float(text))


def _parse_iso8601(text: str) -> datetime:
    if _ISO8601.fullmatch(text) is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _parse_rfc822(text: str) -> datetime:
    moment = parsedate_to_datetime(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def to_epoch(moment: datetime) -> float:
    """Write a moment as seconds since 1970 with milliseconds, the precision that AWS answers with."""
    # Integer arithmetic: dividing first and adding later would round twice.
    return ((moment - EPOCH) // timedelta(milliseconds=1)) / 1000


def _format_iso8601(moment: datetime) -> str:
    in_utc = moment.astimezone(UTC)
    if in_utc.microsecond < 1000:
        return in_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{in_utc.strftime('%Y-%m-%dT%H:%M:%S')}.{in_utc.microsecond // 1000:03d}Z"


def _format_rfc822(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def _format_epoch(moment: datetime) -> str:
    seconds = to_epoch(moment)
    return str(int(seconds)) if seconds.is_integer() else repr(seconds)


PARSE: dict[str, Callable[[str], datetime]] = {
    "iso8601": _parse_iso8601,
    "unixtimestamp": _parse_epoch,
    "rfc822": _parse_rfc822,
}
"""Format to its reader of text; each raises ValueError."""

FORMAT: dict[str, Callable[[datetime], str]] = {
    "iso8601": _format_iso8601,
    "unixtimestamp": _format_epoch,
    "rfc822": _format_rfc822,
}
"""Format to its writer of text."""
