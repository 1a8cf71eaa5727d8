"""Segment documents: each rule of theirs, with the code that a writer who breaks it gets."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.domain.xray.segments import TRACE_ID, alone, nested, segment

from lambent.domain.xray.document import DEPTH_MAX, DOCUMENT_BYTES_MAX, moment_of, parse


def code_of(document: Any) -> str | None:
    """Return why a document is refused, None where it is taken."""
    segments, refusals = parse(json.dumps(document))
    assert len(segments) + len(refusals) == 1
    return refusals[0].code if refusals else None


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (segment(1), None),
        (segment(1, name="A-Za z0_.:/%&#=+\\-@ \u00e9\u4e2d"), None),
        (segment(1, name="x" * 200), None),
        (segment(1, name="x" * 201), "InvalidName"),
        (segment(1, name="a|b"), "InvalidName"),
        (segment(1, name=""), "InvalidName"),
        (segment(1, name=5), "InvalidName"),
        (segment(1, name=None), "MissingName"),
        (segment(1, id=None), "MissingId"),
        (segment(1, id="123"), "InvalidId"),
        (segment(1, id="ABCDEF0123456789"), None),
        (segment(1, trace_id=None), "MissingTraceId"),
        (segment(1, trace_id="2-654c0557-5611b044040fc7224c4790b6"), "InvalidTraceId"),
        (segment(1, trace_id="654c05575611b044040fc7224c4790b6"), "InvalidTraceId"),
        # What is no time of ours: the id of a trace that others made.
        (segment(1, trace_id="1-ffffffff-5611b044040fc7224c4790b6"), None),
        (segment(1, start_time=None), "MissingStartTime"),
        (segment(1, start_time="now"), "InvalidStartTime"),
        (segment(1, start_time=True), "InvalidStartTime"),
        (segment(1, start_time=-1), "InvalidStartTime"),
        # Milliseconds.
        (segment(1, start_time=1_480_615_200_010), "InvalidStartTime"),
        (segment(1, end_time=None), "MissingEndTime"),
        (segment(1, end_time=None, in_progress=True), None),
        (segment(1, end_time=None, in_progress="true"), "MissingEndTime"),
        (segment(1, end_time=1e300), "InvalidEndTime"),
        (segment(1, start_time=253_402_214_399.9), None),
        # Ends before it begins, as real ones do.
        (segment(1, end_time=1.0), None),
        (segment(1, parent_id="x"), "InvalidParentId"),
        (segment(1, parent_id="0" * 16), None),
        (alone(2, 1), None),
        (segment(2, type="subsegment"), "MissingParentId"),
        (segment(1, subsegments=[nested(2, subsegments=[nested(3)])]), None),
        (segment(1, subsegments=[nested(2, name=None)]), "MissingName"),
        (segment(1, subsegments=[nested(2, subsegments=[nested(3, id="x")])]), "InvalidId"),
        (segment(1, subsegments={}), "ParseError"),
        (segment(1, subsegments=[5]), "ParseError"),
        # Of what is not checked here anything is kept.
        (segment(1, annotations=5, http="x", aws=[], unknown={"a": None}), None),
        (5, "ParseError"),
        ("x", "ParseError"),
        (None, "ParseError"),
    ],
)
def test_rules(document: Any, code: str | None) -> None:
    """A document is taken, or refused for its first fault."""
    assert code_of(document) == code


@pytest.mark.parametrize(
    ("document", "id_", "message"),
    [
        (segment(1, name="|"), "0000000000000001", "Invalid segment. ErrorCode: InvalidName, Cause: null"),
        (alone(2, 1, name="|"), "0000000000000002", "Invalid subsegment. ErrorCode: InvalidName, Cause: null"),
        (
            segment(1, subsegments=[nested(2, name="|")]),
            "0000000000000001",
            "Invalid subsegment. ErrorCode: InvalidName, Cause: null",
        ),
        (segment(1, id=None), None, "Invalid segment. ErrorCode: MissingId"),
        (segment(1, trace_id="x"), "0000000000000001", "Invalid segment. ErrorCode: InvalidTraceId"),
        ("{", None, "Invalid segment. ErrorCode: ParseError"),
    ],
)
def test_what_a_writer_is_told(document: Any, id_: str | None, message: str) -> None:
    """Whose fault it is, where that can be told, and the words that are known of the service."""
    (refusal,) = parse(document if isinstance(document, str) else json.dumps(document)).refusals
    assert (refusal.id, refusal.message) == (id_, message)


def test_an_array_holds_subsegments() -> None:
    """Each is taken or refused by itself; that they are subsegments goes without saying."""
    lone = alone(2, 1)
    del lone["type"]
    assert parse("[]") == ([], [])
    segments, refusals = parse(json.dumps([lone, alone(3, 1, name="|"), 7]))
    assert [one.id for one in segments] == ["0000000000000002"]
    assert json.loads(segments[0].text)["type"] == "subsegment"
    assert [(one.code, one.message[:18]) for one in refusals] == [
        ("InvalidName", "Invalid subsegment"),
        ("ParseError", "Invalid subsegment"),
    ]


def test_a_document_has_an_end() -> None:
    """64 KiB, and a hundred levels."""
    room = DOCUMENT_BYTES_MAX - len(json.dumps(segment(1, user="")))
    assert code_of(segment(1, user="x" * room)) is None
    assert code_of(segment(1, user="x" * (room + 1))) == "InvalidSegment"
    deep: Any = 1
    for _ in range(DEPTH_MAX - 2):
        deep = [deep]
    assert code_of(segment(1, metadata={"a": deep})) is None
    assert code_of(segment(1, metadata={"a": [deep]})) == "ParseError"
    assert parse("[" * 60_000).refusals[0].code == "ParseError"
    assert parse('{"a":' * 10_000 + "1" + "}" * 10_000).refusals[0].code == "ParseError"


def test_what_is_taken_is_kept_as_it_is() -> None:
    """Ids are compared in small letters; unknown fields, and times in exponent form, come back."""
    given = segment(1, id="ABCDEF0123456789", trace_id=TRACE_ID.upper(), x={"y": [1, None]})
    text = json.dumps(given).replace('"start_time": 101.0', '"start_time": 1.480615200010E9')
    (taken,) = parse(text).segments
    assert (taken.id, taken.trace_id, taken.start_s) == ("abcdef0123456789", TRACE_ID, 1480615200.010)
    assert json.loads(taken.text) == {**given, "start_time": 1480615200.010}
    assert (taken.is_complete, taken.end_s) == (True, 1480615200.010)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
_FIELD = st.sampled_from([*segment(1), "parent_id", "type", "subsegments", "in_progress", "annotations"])


@given(st.text(max_size=200) | _ANY.map(json.dumps))
def test_whatever_comes_is_taken_or_refused(text: str) -> None:
    """Nothing that is sent raises anything."""
    parsed = parse(text)
    assert all(len(refusal.code) > 0 for refusal in parsed.refusals)


@given(st.dictionaries(_FIELD, _ANY, max_size=4))
def test_whatever_a_field_holds(fields: dict[str, Any]) -> None:
    """A document with any field spoilt is one segment or one refusal, and what is taken parses again to the same."""
    segments, refusals = parse(json.dumps({**segment(1), **fields}))
    assert len(segments) + len(refusals) == 1
    for taken in segments:
        moment_of(taken.end_s)
        assert parse(taken.text).segments == [taken]
