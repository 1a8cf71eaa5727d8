"""GetLogEvents and FilterLogEvents."""

from typing import Any

import pytest

from lambent.services.logs.events import NEWEST_FIRST_FROM_MS

GET = {"logGroupName": "g", "logStreamName": "s"}
NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")
NO_STREAM = ("ResourceNotFoundException", "The specified log stream does not exist.")
BAD_TOKEN = ("InvalidParameterException", "The specified nextToken is invalid.")


def test_a_page_is_the_newest_and_ascends(logs: Any) -> None:
    """Without startFromHead the newest events come, with it the oldest; both in ascending order."""
    for at in range(1, 6):
        logs.write(str(at), at)
    assert logs.messages("GetLogEvents", **GET, limit=2) == ["4", "5"]
    assert logs.messages("GetLogEvents", **GET, limit=2, startFromHead=True) == ["1", "2"]
    assert logs.messages("GetLogEvents", **GET) == ["1", "2", "3", "4", "5"]


def test_an_event_has_three_members(logs: Any) -> None:
    """GetLogEvents shows no event id; the message is as written, its newline included."""
    logs.write("START\n", 7)
    page = logs.call("GetLogEvents", **GET)
    assert page["events"] == [{"timestamp": 7, "message": "START\n", "ingestionTime": 12}]


def test_start_time_is_included_and_end_time_is_not(logs: Any) -> None:
    """GetLogEvents leaves an event at endTime out."""
    for at in range(1, 5):
        logs.write(str(at), at)
    assert logs.messages("GetLogEvents", **GET, startTime=2, endTime=4) == ["2", "3"]


def test_reading_forward_ends_with_a_repeated_token(logs: Any) -> None:
    """At the end the page is empty and its forward token the one sent; later events appear under that token."""
    for at in range(1, 4):
        logs.write(str(at), at)
    first = logs.call("GetLogEvents", **GET, startFromHead=True, limit=2)
    second = logs.call("GetLogEvents", **GET, nextToken=first["nextForwardToken"], limit=2)
    end = logs.call("GetLogEvents", **GET, nextToken=second["nextForwardToken"])
    assert [event["message"] for event in second["events"]] == ["3"]
    assert end["events"] == []
    assert end["nextForwardToken"] == second["nextForwardToken"]
    logs.write("4", 4)
    assert logs.messages("GetLogEvents", **GET, nextToken=end["nextForwardToken"]) == ["4"]
    # From the end backwards: everything, the last event included.
    assert logs.messages("GetLogEvents", **GET, nextToken=end["nextBackwardToken"]) == ["1", "2", "3"]


def test_reading_backward_ends_with_a_repeated_token(logs: Any) -> None:
    """Towards the start pages ascend, too; at the start the backward token repeats and forward reads all."""
    for at in range(1, 4):
        logs.write(str(at), at)
    newest = logs.call("GetLogEvents", **GET, limit=2)
    oldest = logs.call("GetLogEvents", **GET, nextToken=newest["nextBackwardToken"], limit=2)
    start = logs.call("GetLogEvents", **GET, nextToken=oldest["nextBackwardToken"], startFromHead=True)
    assert [event["message"] for event in oldest["events"]] == ["1"]
    assert start["events"] == []
    assert start["nextBackwardToken"] == oldest["nextBackwardToken"]
    assert logs.messages("GetLogEvents", **GET, nextToken=start["nextForwardToken"]) == ["1", "2", "3"]


def test_tokens_are_always_there(logs: Any) -> None:
    """A page without events has both tokens, in the known form; the forward one yields what comes later."""
    logs.write("later", 100)
    page = logs.call("GetLogEvents", **GET, endTime=50)
    assert page["nextForwardToken"] == f"f/{'0' * 56}/s"
    assert page["nextBackwardToken"] == f"b/{'0' * 56}/s"
    assert logs.messages("GetLogEvents", **GET, nextToken=page["nextForwardToken"]) == ["later"]


def test_a_page_holds_a_megabyte(logs: Any) -> None:
    """A page ends before 1 MB, and the tokens go on from there."""
    for at in range(1, 8):
        logs.write(str(at) * 262_144, at)
    first = logs.call("GetLogEvents", **GET, startFromHead=True)
    assert len(first["events"]) == 3
    second = logs.call("GetLogEvents", **GET, nextToken=first["nextForwardToken"])
    assert [event["message"][0] for event in second["events"]] == ["4", "5", "6"]
    found = logs.call("FilterLogEvents", logGroupName="g")
    assert len(found["events"]) == 3
    assert "nextToken" in found


def test_absent_groups_and_streams_are_told_apart(logs: Any, refusal: Any) -> None:
    """The text says which of the two is missing."""
    logs.write("x")
    assert refusal("GetLogEvents", logGroupName="nobody", logStreamName="s") == NO_GROUP
    assert refusal("GetLogEvents", logGroupName="g", logStreamName="nobody") == NO_STREAM
    assert refusal("FilterLogEvents", logGroupName="nobody") == NO_GROUP
    assert refusal("FilterLogEvents", logGroupName="nobody", logStreamNames=["s"]) == NO_GROUP
    assert refusal("FilterLogEvents", logGroupName="g", logStreamNames=["s", "nobody"]) == NO_STREAM


@pytest.mark.parametrize("token", ["x", f"f/{'0' * 55}/s", f"f/{1 << 143:056d}/s", f"o/{'0' * 56}", f"x/{'0' * 56}/s"])
def test_a_foreign_token_is_refused(logs: Any, refusal: Any, token: str) -> None:
    """A token that GetLogEvents did not give is told so."""
    logs.write("x")
    assert refusal("GetLogEvents", **GET, nextToken=token) == BAD_TOKEN


def test_a_token_of_the_other_operation_is_refused(logs: Any, refusal: Any) -> None:
    """FilterLogEvents takes its own tokens only."""
    logs.write("x")
    assert refusal("FilterLogEvents", logGroupName="g", nextToken=f"f/{'0' * 56}/s") == BAD_TOKEN


def test_filtering_goes_over_all_streams_in_order_of_time(logs: Any) -> None:
    """Events of all streams are interleaved; each has a stable, unique, ascending id of 56 digits."""
    logs.write("2", 2, stream="a")
    logs.write("1", 1, stream="b")
    logs.write("2 again", 2, stream="b")
    answer = logs.call("FilterLogEvents", logGroupName="g", interleaved=True)
    assert [event["message"] for event in answer["events"]] == ["1", "2", "2 again"]
    assert [event["logStreamName"] for event in answer["events"]] == ["b", "a", "b"]
    ids = [event["eventId"] for event in answer["events"]]
    assert ids == sorted(set(ids))
    assert all(len(event_id) == 56 for event_id in ids)
    assert answer["searchedLogStreams"] == []
    assert logs.call("FilterLogEvents", logGroupName="g") == answer


def test_the_last_page_of_a_search_has_no_token(logs: Any) -> None:
    """`nextToken` comes only while more follow, even when a page is exactly full."""
    for at in range(1, 5):
        logs.write(str(at), at)
    first = logs.call("FilterLogEvents", logGroupName="g", limit=2)
    second = logs.call("FilterLogEvents", logGroupName="g", limit=2, nextToken=first["nextToken"])
    assert [event["message"] for event in second["events"]] == ["3", "4"]
    assert "nextToken" not in second
    assert "nextToken" not in logs.call("FilterLogEvents", logGroupName="g", startTime=9)


def test_a_search_includes_both_times(logs: Any) -> None:
    """FilterLogEvents, unlike GetLogEvents, includes an event at endTime."""
    for at in range(1, 5):
        logs.write(str(at), at)
    assert logs.messages("FilterLogEvents", logGroupName="g", startTime=2, endTime=3) == ["2", "3"]


def test_times_may_be_out_of_all_reason(logs: Any) -> None:
    """The largest number that a request can hold is a time like any other."""
    logs.write("x")
    largest = (1 << 63) - 1
    assert logs.messages("FilterLogEvents", logGroupName="g", endTime=largest) == ["x"]
    assert logs.messages("GetLogEvents", **GET, startTime=largest, endTime=largest) == []


def test_a_search_is_narrowed_to_streams(logs: Any, refusal: Any) -> None:
    """By names or by a prefix, not by both."""
    for stream in ("a1", "a2", "b"):
        logs.write(stream, stream=stream)
    assert logs.messages("FilterLogEvents", logGroupName="g", logStreamNames=["a1", "b"]) == ["a1", "b"]
    assert logs.messages("FilterLogEvents", logGroupName="g", logStreamNamePrefix="a") == ["a1", "a2"]
    code, _ = refusal("FilterLogEvents", logGroupName="g", logStreamNames=["b"], logStreamNamePrefix="a")
    assert code == "InvalidParameterException"


def test_a_search_may_go_from_the_newest(logs: Any, refusal: Any) -> None:
    """startFromHead=false turns the order round, the token keeps it; it needs a startTime of 2024 or later."""
    start = 1_704_067_200_000
    for at in range(1, 4):
        logs.write(str(at), start + at)
    newest = {"logGroupName": "g", "startTime": start, "limit": 2}
    first = logs.call("FilterLogEvents", **newest, startFromHead=False)
    assert [event["message"] for event in first["events"]] == ["3", "2"]
    assert logs.messages("FilterLogEvents", **newest, nextToken=first["nextToken"]) == ["1"]
    code, _ = refusal("FilterLogEvents", logGroupName="g", startFromHead=False, startTime=start - 1)
    assert code == "InvalidParameterException"


def test_patterns_narrow_a_search(logs: Any, refusal: Any) -> None:
    """Only events that match come, in either direction; blanks match everything; a pattern that is none is refused."""
    for number, text in enumerate(["an ERROR", "fine", '{"level": "ERROR", "n": 7}', '{"level": "INFO", "n": 8}']):
        logs.write(text, NEWEST_FIRST_FROM_MS + number)
    of_group = {"logGroupName": "g"}
    for pattern, expected in (
        ("ERROR", ["an ERROR", '{"level": "ERROR", "n": 7}']),
        ("-ERROR", ["fine", '{"level": "INFO", "n": 8}']),
        ("{ $.n > 7 }", ['{"level": "INFO", "n": 8}']),
        ("%f.ne%", ["fine"]),
    ):
        assert logs.messages("FilterLogEvents", **of_group, filterPattern=pattern) == expected
        newest_first = {"startFromHead": False, "startTime": NEWEST_FIRST_FROM_MS}
        assert logs.messages("FilterLogEvents", **of_group, filterPattern=pattern, **newest_first) == expected[::-1]
    for everything in ("", " "):
        assert len(logs.messages("FilterLogEvents", **of_group, filterPattern=everything)) == 4
    assert refusal("FilterLogEvents", **of_group, filterPattern="{ $.a = ") == (
        "InvalidParameterException",
        "If a filter pattern starts with '{' it must end with '}'",
    )


def test_pages_of_a_search_end_without_a_token(logs: Any) -> None:
    """The last page of matches has none, though events that do not match come after them."""
    for number in range(6):
        logs.write("ERROR" if number < 3 else "fine", number)
    of_group = {"logGroupName": "g", "filterPattern": "ERROR", "limit": 2}
    first = logs.call("FilterLogEvents", **of_group)
    assert len(first["events"]) == 2
    second = logs.call("FilterLogEvents", **of_group, nextToken=first["nextToken"])
    assert len(second["events"]) == 1
    assert "nextToken" not in second
