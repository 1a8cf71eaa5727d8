"""`lambent logs`: which events, each once, in which form."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from lambent.cli import logs
from lambent.cli.failure import CommandFailed
from lambent.cli.logs import LATE_MS, LOOK_BACK_MS, Reader, parse_since

Run = Callable[..., Any]
CONFIGURATION = "GET /2015-03-31/functions/hello/configuration"


OWN_STREAM = "2026/11/25/hello[$LATEST]f1"


def event(number: int, timestamp_ms: int, message: str = "", stream: str = "s") -> dict[str, Any]:
    return {
        "eventId": f"{number:056d}",
        "timestamp": timestamp_ms,
        "ingestionTime": timestamp_ms,
        "logStreamName": stream,
        "message": message or f"line {number}\n",
    }


class Pages:
    """A logs client that answers one list of events per call, in a single page."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, *answers: list[dict[str, Any]] | None, date: str = "") -> None:
        self.answers = list(answers)
        self.date = date
        self.start_times: list[int] = []

    def get_paginator(self, operation: str) -> "Pages":
        assert operation == "filter_log_events"
        return self

    def paginate(self, *, logGroupName: str, startTime: int) -> list[dict[str, Any]]:
        self.start_times.append(startTime)
        answer = self.answers.pop(0)
        if answer is None:
            raise self.exceptions.ResourceNotFoundException
        return [{"events": answer, "ResponseMetadata": {"HTTPHeaders": {"date": self.date}}}]


def test_messages_are_printed_with_their_time(lambent: Run, stand_in: Any) -> None:
    """One line per event: when, and what; the line's own end is not doubled."""
    stand_in.json(CONFIGURATION, {"FunctionName": "hello", "LoggingConfig": {"LogGroup": "/own/group"}})
    stand_in.json(
        "FilterLogEvents",
        {"events": [event(1, 1_000_250, "first\n", OWN_STREAM)], "nextToken": "t"},
        {"events": [event(2, 2_000_000, stream=OWN_STREAM)]},
    )
    finished = lambent("logs", "hello", "--endpoint", stand_in.endpoint)
    assert finished.code == 0
    lines = finished.out.splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["first", "line 2"]
    assert lines[0].split(" ")[1].endswith(".250")
    first = json.loads(next(request.body for request in stand_in.requests if request.operation == "FilterLogEvents"))
    assert first["logGroupName"] == "/own/group"


def test_an_age_beyond_all_time_begins_with_it(lambent: Run, stand_in: Any) -> None:
    """The API takes no time before 1970."""
    stand_in.json(CONFIGURATION, {"FunctionName": "hello"})
    stand_in.json("FilterLogEvents", {"events": []})
    assert lambent("logs", "hello", "--since", "9999w", "--endpoint", stand_in.endpoint).code == 0
    assert json.loads(stand_in.requests[-1].body)["startTime"] == 0


def test_a_function_that_was_deleted_still_has_its_log(lambent: Run, stand_in: Any) -> None:
    """The log group outlives the function, under the name that it has by default."""
    stand_in.refuse(CONFIGURATION, "ResourceNotFoundException", "Function not found", 404)
    stand_in.json("FilterLogEvents", {"events": [event(1, 5)]})
    finished = lambent("logs", "hello", "--json", "--endpoint", stand_in.endpoint)
    assert json.loads(finished.out)["message"] == "line 1\n"
    assert json.loads(stand_in.requests[-1].body)["logGroupName"] == "/aws/lambda/hello"


def test_a_log_that_does_not_exist_is_refused(lambent: Run, stand_in: Any) -> None:
    """Without --follow there is nothing to wait for."""
    stand_in.json(CONFIGURATION, {"FunctionName": "hello"})
    stand_in.refuse("FilterLogEvents", "ResourceNotFoundException", "The specified log group does not exist.")
    finished = lambent("logs", "hello", "--endpoint", stand_in.endpoint)
    assert finished.code == 2
    assert "there is no log group /aws/lambda/hello: hello has logged nothing yet" in finished.err
    finished = lambent("logs", "/own/group", "--endpoint", stand_in.endpoint)
    assert finished.code == 2
    assert finished.err.rstrip().endswith("there is no log group /own/group")


def test_neither_a_function_nor_its_log(lambent: Run, stand_in: Any) -> None:
    """A name that was mistyped is told from a function that has not run."""
    stand_in.refuse(CONFIGURATION, "ResourceNotFoundException", "Function not found", 404)
    stand_in.refuse("FilterLogEvents", "ResourceNotFoundException", "The specified log group does not exist.")
    finished = lambent("logs", "hello", "--endpoint", stand_in.endpoint)
    assert finished.code == 2
    assert "there is no log group /aws/lambda/hello: nor is there a function hello" in finished.err


def test_of_a_group_that_functions_share_a_function_has_its_own_streams(lambent: Run, stand_in: Any) -> None:
    """The group itself, with its slash, has all of them."""
    stand_in.json(CONFIGURATION, {"FunctionName": "hello", "LoggingConfig": {"LogGroup": "/own/group"}})
    streams = (OWN_STREAM, "2026/11/25/hello-again[$LATEST]f2", "web-1")
    stand_in.json("FilterLogEvents", {"events": [event(n, n, stream=stream) for n, stream in enumerate(streams)]})
    at = ("--json", "--endpoint", stand_in.endpoint)
    assert [json.loads(line)["logStreamName"] for line in lambent("logs", "hello", *at).out.splitlines()] == [
        OWN_STREAM
    ]
    assert len(lambent("logs", "/own/group", *at).out.splitlines()) == len(streams)


def test_following_yields_each_event_once() -> None:
    """Reading again looks back a little for late lines, and drops what was seen."""
    now_ms = 1_000_000
    late = event(3, now_ms - 100)
    client = Pages([event(1, now_ms - 9_000), event(2, now_ms)], [late, event(2, now_ms)], [event(4, now_ms)])
    reader = Reader(client, "g", now_ms - 60_000)
    read = [[found["message"] for found in reader.read_new(is_missing_fine=False)] for _ in range(3)]
    assert read == [["line 1\n", "line 2\n"], ["line 3\n"], ["line 4\n"]]
    assert client.start_times == [now_ms - 60_000, now_ms - LOOK_BACK_MS, now_ms - LOOK_BACK_MS]


def test_looking_back_never_goes_before_the_start() -> None:
    """--since is a promise: nothing older is shown."""
    client = Pages([event(1, 1_000)], [])
    reader = Reader(client, "g", 900)
    for _ in range(2):
        list(reader.read_new(is_missing_fine=False))
    assert client.start_times == [900, 900]


def test_following_does_not_search_the_past_for_ever() -> None:
    """Where nothing is found, the server's clock says how far it has got; what is not much later is still shown."""
    noon_ms = 1_764_072_000_000
    client = Pages([], [event(1, noon_ms - LATE_MS)], date="Tue, 25 Nov 2025 12:00:00 GMT")
    reader = Reader(client, "g", noon_ms - 3_600_000)
    assert [len(list(reader.read_new(is_missing_fine=False))) for _ in range(2)] == [0, 1]
    assert client.start_times == [noon_ms - 3_600_000, noon_ms - LATE_MS]
    for date in ("", "nonsense"):
        client = Pages([], [], date=date)
        reader = Reader(client, "g", 5)
        assert [len(list(reader.read_new(is_missing_fine=False))) for _ in range(2)] == [0, 0]
        assert client.start_times == [5, 5]


def test_following_waits_for_a_group_that_does_not_exist_yet() -> None:
    """The first invocation makes the group; until then it counts as empty."""
    reader = Reader(Pages(None, [event(1, 10)]), "g", 0)
    assert list(reader.read_new(is_missing_fine=True)) == []
    assert len(list(reader.read_new(is_missing_fine=True))) == 1


def test_who_waits_for_a_log_is_told_so_once(lambent: Run, stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name may be mistyped."""
    rounds = iter(range(2))

    def interrupted_in_the_third(_clock: Any) -> None:
        if next(rounds, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(logs, "_pause", interrupted_in_the_third)
    stand_in.refuse(CONFIGURATION, "ResourceNotFoundException", "Function not found", 404)
    stand_in.refuse("FilterLogEvents", "ResourceNotFoundException", "The specified log group does not exist.")
    finished = lambent("logs", "hello", "--follow", "--endpoint", stand_in.endpoint)
    said = "there is no log group /aws/lambda/hello: nor is there a function hello; waiting for it"
    assert finished.err.count(said) == 1
    assert finished.out == ""


def test_where_to_begin_is_an_age_or_a_time() -> None:
    """Seconds to weeks; a time with its zone, or of this machine's; and nothing else."""
    now = 1_764_072_000.0
    ages = [parse_since(text, now) for text in ("90s", "10m", "2h", "1d", "1w")]
    assert [now * 1000 - since for since in ages] == [90_000, 600_000, 7_200_000, 86_400_000, 604_800_000]
    assert parse_since("2025-11-25T12:00:00.250Z", now) == 1_764_072_000_250
    assert parse_since("2025-11-25T14:00+02:00", now) == 1_764_072_000_000
    local = datetime(2025, 11, 25, 12).astimezone()
    assert parse_since("2025-11-25 12:00", now) == local.timestamp() * 1000
    assert parse_since("1960-01-01T00:00:00Z", now) == 0
    for text in ("10", "m", "-1m", "1y", "1.5h", "10m ", "yesterday", "2025-13-01"):
        with pytest.raises(CommandFailed):
            parse_since(text, now)


def test_a_pattern_is_the_servers_business_and_a_level_is_ours(lambent: Run, stand_in: Any) -> None:
    """A group can be named itself."""
    messages = ["[DEBUG] a", "b", "[WARN] c", "[ERROR] d"]
    stand_in.json("FilterLogEvents", {"events": [event(n, n, message) for n, message in enumerate(messages)]})
    at = ("--endpoint", stand_in.endpoint)
    finished = lambent("logs", "/own/group", "--filter", "?a ?d", "--level", "Warning", *at)
    assert [line.split(" ", 2)[2] for line in finished.out.splitlines()] == ["[WARN] c", "[ERROR] d"]
    asked = json.loads(stand_in.requests[-1].body)
    assert (asked["logGroupName"], asked["filterPattern"]) == ("/own/group", "?a ?d")
    finished = lambent("logs", "/own/group", "--level", "info", "--json", *at)
    assert [json.loads(line)["message"] for line in finished.out.splitlines()] == messages[1:]
    assert "filterPattern" not in json.loads(stand_in.requests[-1].body)
    for wrong in (("--level", "loud"), ("--color", "red"), ("--since", "soon")):
        refused = lambent("logs", "/own/group", *wrong, *at)
        assert (refused.code, refused.out) == (2, "")
        assert wrong[0] in refused.err


def test_colours_are_for_terminals_or_for_who_asks(lambent: Run, stand_in: Any) -> None:
    stand_in.json("FilterLogEvents", {"events": [event(1, 1, "[ERROR] d")]})
    at = ("/own/group", "--endpoint", stand_in.endpoint)
    assert "\x1b" not in lambent("logs", *at).out
    assert "\x1b" not in lambent("logs", "--color", "never", *at).out
    assert "\x1b[31m[ERROR] d\x1b[0m" in lambent("logs", "--color", "always", *at).out
