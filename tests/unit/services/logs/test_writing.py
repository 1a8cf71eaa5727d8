"""PutLogEvents: what is stored, what is left out, and what is refused."""

from typing import Any

import pytest

from lambent.errors.api.logs import InvalidParameterException
from lambent.services.logs.writing import accepted, check_sizes

NOW_MS = 1_700_000_000_000
DAY_MS = 86_400_000
NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")
NO_STREAM = ("ResourceNotFoundException", "The specified log stream does not exist.")


@pytest.fixture(autouse=True)
def made(logs: Any) -> None:
    logs.call("CreateLogGroup", logGroupName="g")
    logs.call("CreateLogStream", logGroupName="g", logStreamName="s")


def batch(*events: tuple[int, str]) -> dict[str, Any]:
    written = [{"timestamp": at_ms, "message": text} for at_ms, text in events]
    return {"logGroupName": "g", "logStreamName": "s", "logEvents": written}


def test_events_are_read_as_they_were_written(logs: Any) -> None:
    """Message and time as sent, a newline at the end included; the token has 56 digits."""
    events = [(NOW_MS - 5, "first\n"), (NOW_MS - 5, "second"), (NOW_MS, "\u00fc\n\n")]
    answer = logs.call("PutLogEvents", **batch(*events), sequenceToken="whatever")
    assert set(answer) == {"nextSequenceToken"}
    assert len(answer["nextSequenceToken"]) == 56
    page = logs.call("GetLogEvents", logGroupName="g", logStreamName="s", startFromHead=True)
    assert page["events"] == [{"timestamp": at, "message": text, "ingestionTime": NOW_MS} for at, text in events]
    (stream,) = logs.call("DescribeLogStreams", logGroupName="g")["logStreams"]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (NOW_MS - 5, NOW_MS)


def test_events_out_of_order_are_refused(logs: Any, refusal: Any) -> None:
    """Nothing of the call is stored."""
    assert refusal("PutLogEvents", **batch((NOW_MS, "a"), (NOW_MS - 1, "b"))) == (
        "InvalidParameterException",
        "Log events in a single PutLogEvents request must be in chronological order.",
    )
    assert logs.messages("FilterLogEvents", logGroupName="g") == []


def test_a_batch_spans_a_day_at_most(logs: Any, refusal: Any) -> None:
    """Exactly a day is fine; events that are left out do not count."""
    logs.call("PutLogEvents", **batch((NOW_MS - DAY_MS, "a"), (NOW_MS, "b")))
    assert refusal("PutLogEvents", **batch((NOW_MS - DAY_MS - 1, "a"), (NOW_MS, "b"))) == (
        "InvalidParameterException",
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
    )
    answer = logs.call("PutLogEvents", **batch((NOW_MS - 15 * DAY_MS, "old"), (NOW_MS, "c")))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}


def test_sizes_are_limited(logs: Any, refusal: Any) -> None:
    """26 bytes are counted for each event beside its UTF-8; at the limit it passes."""
    logs.call("PutLogEvents", **batch((NOW_MS, "x" * (1_048_576 - 26))))
    assert refusal("PutLogEvents", **batch((NOW_MS, "x" * (1_048_577 - 26)))) == (
        "InvalidParameterException",
        "Log event too large: 1048577 bytes exceeds limit of 1048576",
    )
    assert refusal("PutLogEvents", **batch(*[(NOW_MS, "\u00fc" * 262_144)] * 2)) == (
        "InvalidParameterException",
        "Upload too large: 1048628 bytes exceeds limit of 1048576",
    )


def test_a_text_that_no_encoding_has_is_measured_all_the_same() -> None:
    """A lone surrogate, which JSON can bring, counts as the question mark that is stored in its place."""
    check_sizes(["\ud800" * (1_048_576 - 26)])
    with pytest.raises(InvalidParameterException):
        check_sizes(["\ud800" * (1_048_577 - 26)])


def test_group_and_stream_are_to_be_there(logs: Any, refusal: Any) -> None:
    """Writers make both; what they are told decides what they make."""
    event = batch((NOW_MS, "x"))
    assert refusal("PutLogEvents", **{**event, "logGroupName": "nobody"}) == NO_GROUP
    assert refusal("PutLogEvents", **{**event, "logStreamName": "nobody"}) == NO_STREAM


def test_expired_events_are_left_out(logs: Any) -> None:
    """Those older than the group's retention; when nothing is left, nothing is written, and that is no error."""
    logs.call("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    answer = logs.call("PutLogEvents", **batch((NOW_MS - DAY_MS - 1, "old")))
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert logs.folds == 0


@pytest.mark.parametrize(
    ("ages_ms", "retention_days", "expected"),
    [
        ([0], None, (0, 1, {})),
        ([14 * DAY_MS, 0], None, (0, 2, {})),
        ([14 * DAY_MS + 1, 0], None, (1, 2, {"tooOldLogEventEndIndex": 1})),
        (
            [15 * DAY_MS, 2 * DAY_MS, 0],
            1,
            (2, 3, {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2}),
        ),
        ([0, -2 * 3_600_000], None, (0, 2, {})),
        ([0, -2 * 3_600_000 - 1, -DAY_MS], None, (0, 1, {"tooNewLogEventStartIndex": 1})),
        ([-DAY_MS], None, (0, 0, {"tooNewLogEventStartIndex": 0})),
    ],
)
def test_which_events_are_accepted(ages_ms: list[int], retention_days: int | None, expected: object) -> None:
    """Two weeks back, to the retention's end, and two hours ahead, each to the millisecond."""
    assert accepted([NOW_MS - age_ms for age_ms in ages_ms], NOW_MS, retention_days) == expected
