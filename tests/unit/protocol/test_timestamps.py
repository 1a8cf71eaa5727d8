"""The three forms of a moment."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.protocol.timestamps import EPOCH, FORMAT, PARSE, to_epoch

MOMENT = datetime(2025, 11, 25, 2, 10, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("iso8601", "2025-11-25T02:10:19Z", MOMENT),
        ("iso8601", "2025-11-25T02:10:19", MOMENT),
        ("iso8601", "2025-11-25T02:10:19.5+00:00", MOMENT + timedelta(milliseconds=500)),
        ("iso8601", "2025-11-25T03:10:19+0100", MOMENT),
        ("iso8601", "2025-11-25T02:10:19.123456789Z", MOMENT + timedelta(microseconds=123456)),
        ("unixtimestamp", "1764036619", MOMENT),
        ("unixtimestamp", "1764036619.25", MOMENT + timedelta(milliseconds=250)),
        ("rfc822", "Tue, 25 Nov 2025 02:10:19 GMT", MOMENT),
    ],
)
def test_a_moment_is_read(form: str, text: str, expected: datetime) -> None:
    """Always aware and in UTC, whatever offset was written."""
    read = PARSE[form](text)
    assert read == expected
    assert read.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("iso8601", ""),
        ("iso8601", "2025-11-25"),
        ("iso8601", "2025-W48-2T02:10:19Z"),
        ("iso8601", "2025-13-25T02:10:19Z"),
        ("unixtimestamp", "nan"),
        ("unixtimestamp", "1_000"),
        ("unixtimestamp", "1e300"),
        ("rfc822", "yesterday"),
    ],
)
def test_what_is_no_moment_is_refused(form: str, text: str) -> None:
    """ValueError, also for years that Python does not know."""
    with pytest.raises(ValueError):
        PARSE[form](text)


@given(st.integers(-62_000_000_000_000, 250_000_000_000_000))
def test_epoch_seconds_keep_milliseconds(milliseconds: int) -> None:
    """For every year from 5 to 9892."""
    moment = EPOCH + timedelta(milliseconds=milliseconds)
    assert to_epoch(moment) == milliseconds / 1000


def test_a_moment_is_written() -> None:
    """In UTC; a fraction only where there is one."""
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5)))
    fraction = MOMENT + timedelta(microseconds=123456)
    assert FORMAT["iso8601"](elsewhere) == "2025-11-25T02:10:19Z"
    assert FORMAT["iso8601"](fraction) == "2025-11-25T02:10:19.123Z"
    assert FORMAT["rfc822"](fraction) == "Tue, 25 Nov 2025 02:10:19 GMT"
    assert FORMAT["unixtimestamp"](elsewhere) == "1764036619"
    assert FORMAT["unixtimestamp"](fraction) == "1764036619.123"
