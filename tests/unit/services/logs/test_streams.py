"""DescribeLogStreams."""

from typing import Any


def names(answer: Any) -> list[str]:
    return [stream["logStreamName"] for stream in answer["logStreams"]]


def test_a_stream_is_described_in_full(logs: Any) -> None:
    """A stream tells its first and last event and last ingestion; its stored bytes are always zero."""
    logs.write("x", 10, stream="2026/11/25/[$LATEST]ab")
    logs.write("y", 30, stream="2026/11/25/[$LATEST]ab")
    (stream,) = logs.call("DescribeLogStreams", logGroupName="g")["logStreams"]
    assert len(stream.pop("uploadSequenceToken")) == 56
    assert stream == {
        "logStreamName": "2026/11/25/[$LATEST]ab",
        "creationTime": 15,
        "arn": "arn:aws:logs:eu-west-1:111122223333:log-group:g:log-stream:2026/11/25/[$LATEST]ab",
        "storedBytes": 0,
        "firstEventTimestamp": 10,
        "lastEventTimestamp": 30,
        "lastIngestionTime": 35,
    }


def test_the_newest_stream_is_found(logs: Any) -> None:
    """Ordered by last event, descending, limit 1: the stream of an event that was only just written."""
    logs.write("x", 10, stream="z")
    logs.write("x", 20, stream="a")
    newest = {"logGroupName": "g", "orderBy": "LastEventTime", "descending": True, "limit": 1}
    assert names(logs.call("DescribeLogStreams", **newest)) == ["a"]
    logs.write("x", 30, stream="z")
    assert names(logs.call("DescribeLogStreams", **newest)) == ["z"]


def test_streams_come_in_pages(logs: Any, refusal: Any) -> None:
    """Pages go on by token; the last has none; a foreign one is refused."""
    for name in ("c", "a", "b"):
        logs.write("x", stream=name)
    first = logs.call("DescribeLogStreams", logGroupName="g", limit=2)
    assert names(first) == ["a", "b"]
    second = logs.call("DescribeLogStreams", logGroupName="g", limit=2, nextToken=first["nextToken"])
    assert names(second) == ["c"]
    assert "nextToken" not in second
    _, text = refusal("DescribeLogStreams", logGroupName="g", nextToken="s/-1")
    assert text == "The specified nextToken is invalid."


def test_a_prefix_goes_with_names_only(logs: Any, refusal: Any) -> None:
    """A prefix narrows when ordering by name and is refused otherwise."""
    for name in ("ab", "b"):
        logs.write("x", stream=name)
    assert names(logs.call("DescribeLogStreams", logGroupName="g", logStreamNamePrefix="a")) == ["ab"]
    refused = refusal("DescribeLogStreams", logGroupName="g", logStreamNamePrefix="a", orderBy="LastEventTime")
    assert refused == (
        "InvalidParameterException",
        "Cannot order by LastEventTime with a logStreamNamePrefix.",
    )


def test_an_absent_group_has_no_streams(refusal: Any) -> None:
    """The refusal names the group."""
    assert refusal("DescribeLogStreams", logGroupName="nobody") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )


def test_streams_are_made_and_deleted_by_hand(logs: Any, refusal: Any) -> None:
    """An empty one shows no times; again is refused; what was written before goes with it."""
    no_group = ("ResourceNotFoundException", "The specified log group does not exist.")
    no_stream = ("ResourceNotFoundException", "The specified log stream does not exist.")
    exists = ("ResourceAlreadyExistsException", "The specified log stream already exists")
    stream = {"logGroupName": "g", "logStreamName": "made"}
    assert refusal("CreateLogStream", **stream) == refusal("DeleteLogStream", **stream) == no_group
    logs.write("x", stream="of-a-function")
    assert refusal("CreateLogStream", logGroupName="g", logStreamName="of-a-function") == exists
    assert logs.call("CreateLogStream", **stream) == {}
    assert refusal("CreateLogStream", **stream) == exists
    (shown,) = logs.call("DescribeLogStreams", logGroupName="g", logStreamNamePrefix="made")["logStreams"]
    assert set(shown) == {"logStreamName", "creationTime", "arn", "storedBytes"}
    logs.write("late", stream="made")
    logs.write("kept", stream="of-a-function")
    assert logs.call("DeleteLogStream", **stream) == {}
    assert refusal("DeleteLogStream", **stream) == no_stream
    assert logs.messages("FilterLogEvents", logGroupName="g") == ["x", "kept"]
