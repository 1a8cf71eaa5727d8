"""`lambent trace`: which trace, what of it stands where, and what a terminal is not told."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.cli.failure import CommandFailed
from lambent.cli.trace import Row, bar_of, parse_id, rows_of

Run = Callable[..., Any]
TRACE_ID = "1-654c0557-5611b044040fc7224c4790b6"


def segment(name: str, id_: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    made = {"id": id_ * 16, "name": name, "trace_id": TRACE_ID, "start_time": 100.0, "end_time": 101.0, **more}
    return made if parent is None else {**made, "parent_id": parent * 16}


SERVICE = segment("f", "5", origin="AWS::Lambda", http={"response": {"status": 200}})
FUNCTION = segment(
    "f",
    "f",
    "5",
    origin="AWS::Lambda::Function",
    start_time=100.2,
    end_time=100.9,
    subsegments=[
        segment(
            "Invocation",
            "1",
            start_time=100.3,
            fault=True,
            cause={"exceptions": [{"type": "E", "message": "boom"}]},
            subsegments=[segment("## work", "a", annotations={"order": 7}, in_progress=True)],
        ),
        segment("Initialization", "2", start_time=100.2, end_time=100.25),
    ],
)


def test_a_trace_is_a_tree_from_top_to_bottom() -> None:
    """What is below a segment follows it, by when it began, in whatever order documents come; made-up ones do not."""
    rows = rows_of([segment("sqs", "9", "a", inferred=True), FUNCTION, SERVICE])
    assert [row.branches + row.name for row in rows] == [
        "f (AWS::Lambda)",
        "└─ f (AWS::Lambda::Function)",
        "   ├─ Initialization",
        "   └─ Invocation",
        "      └─ ## work",
    ]
    assert [(row.state, row.remark) for row in rows] == [
        ("", "200"),
        ("", ""),
        ("", ""),
        ("fault", "fault  E: boom"),
        ("running", "running  order=7"),
    ]
    assert rows[4].ended == 101.0


def test_segments_without_their_parent_stand_at_the_top() -> None:
    """The caller's may be elsewhere; and one that claims to be its own parent ends nothing."""
    rows = rows_of([segment("b", "b", "c", start_time=99.0), segment("a", "a"), segment("d", "d", "d")])
    assert [row.branches + row.name for row in rows] == ["b", "a"]


@pytest.mark.parametrize(
    "text",
    [
        TRACE_ID,
        f"  {TRACE_ID.upper()}\n",
        f"Root={TRACE_ID};Parent={'c' * 16};Sampled=1",
        f"X-Amzn-Trace-Id: Self=1-2-3;Root={TRACE_ID}",
        TRACE_ID[2:].replace("-", ""),
    ],
)
def test_ids_are_taken_however_they_are_found(text: str) -> None:
    """As logs, headers and OpenTelemetry spell them."""
    assert parse_id(text) == TRACE_ID


def test_what_is_no_id_is_said_to_be_none() -> None:
    """Before anybody is asked."""
    for text in ("", "1-2-3", TRACE_ID + "0"):
        with pytest.raises(CommandFailed, match="no trace's id"):
            parse_id(text)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 200))
def test_every_bar_is_seen_and_stays_in_its_place(one: float, other: float, width: int) -> None:
    """At least one character, and none beyond the width."""
    row = Row("", "", 100 + min(one, other), 100 + max(one, other), "", "")
    start, length = bar_of(row, 100.0, 1.0, width)
    assert 0 <= start < start + length <= width


def answer_with(stand_in: Any, *documents: dict[str, Any]) -> None:
    segments = [{"Id": one["id"], "Document": json.dumps(one)} for one in documents]
    stand_in.json("POST /Traces", {"Traces": [{"Id": TRACE_ID, "Segments": segments}]})


def test_it_is_printed_on_lines_with_bars(lambent: Run, stand_in: Any) -> None:
    """And nothing in a name gives the terminal orders."""
    answer_with(stand_in, SERVICE, {**FUNCTION, "name": "f\x1b[31m\n[bold]"})
    finished = lambent("trace", TRACE_ID, "--endpoint", stand_in.endpoint)
    assert finished.code == 0
    head, *lines = finished.out.splitlines()
    assert head.startswith(TRACE_ID) and head.endswith("1000.0 ms")
    assert "\x1b" not in finished.out and "[bold]" in lines[1]
    assert all("█" in line or "#" in line for line in lines[:5])
    assert "700.0" in lines[1] and "boom" in lines[3]


def test_json_is_what_x_ray_has(lambent: Run, stand_in: Any) -> None:
    """The documents, as documents."""
    answer_with(stand_in, SERVICE, FUNCTION)
    finished = lambent("trace", TRACE_ID, "--json", "--endpoint", stand_in.endpoint)
    assert json.loads(finished.out) == {"Id": TRACE_ID, "Segments": [SERVICE, FUNCTION]}


def test_the_newest_of_a_function(lambent: Run, stand_in: Any) -> None:
    """Of all pages; asked for by its name and its kind."""
    summary = {"Id": TRACE_ID, "StartTime": 200.0}
    older = {"Id": TRACE_ID.replace("6", "7"), "StartTime": 100.0}
    stand_in.json("POST /TraceSummaries", {"TraceSummaries": [summary], "NextToken": "t"}, {"TraceSummaries": [older]})
    answer_with(stand_in, SERVICE)
    assert lambent("trace", "--function", "f", "--endpoint", stand_in.endpoint).code == 0
    asked = [json.loads(request.body) for request in stand_in.requests]
    assert asked[0]["FilterExpression"] == 'service(id(name: "f", type: "AWS::Lambda"))'
    assert asked[-1]["TraceIds"] == [TRACE_ID]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a trace's ID, or --function NAME"),
        ((TRACE_ID, "--function", "f"), "give a trace's ID, or --function NAME"),
        (("--function", 'f")'), "is no function's name"),
        ((TRACE_ID,), "there is no trace"),
        (("--function", "f"), "there is no trace of the last 6 hours; only sampled requests have one"),
    ],
)
def test_what_cannot_be_shown_is_said(lambent: Run, stand_in: Any, arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2, one line."""
    stand_in.json("POST /Traces", {"Traces": []})
    stand_in.json("POST /TraceSummaries", {"TraceSummaries": []})
    finished = lambent("trace", *arguments, "--endpoint", stand_in.endpoint)
    assert finished.code == 2
    assert said in finished.err
