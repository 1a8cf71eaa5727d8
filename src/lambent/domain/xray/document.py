"""
Segment documents: what a writer may send, and why a document is refused.

Whatever a document holds beside the fields that are checked here is kept and given back: readers of it take nothing for
granted. Documented: X-Ray developer guide, segment documents.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

DOCUMENT_BYTES_MAX = 65_536
"""Documented: X-Ray developer guide, segment documents: 64 kB each."""

DEPTH_MAX = 100
"""
How deep a document may be nested. Assumed: AWS says nothing; real ones have some ten levels, and what reads a trace
nests documents into each other (test_document).
"""

_NAME_MAX = 200

_START_MAX_S = 253_402_214_400.0
"""The end of the year 9999, so that milliseconds, a common mistake, are told from seconds, and each has a date."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Documented: letters, numbers, white space and these.
_NAME = re.compile(r"[\w\s.:/%&#=+\\\-@]+")
_TRACE_ID = re.compile(r"1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}")
_ID = re.compile(r"[0-9a-fA-F]{16}")

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Segment(msgspec.Struct, frozen=True):
    """A document that was taken: a segment, or a subsegment that was sent alone."""

    trace_id: str
    """In small letters, as is `id`."""
    id: str
    is_complete: bool
    """Whether it has ended. One that has not is replaced by one of the same id that has."""
    start_s: float
    """Since the epoch, as `end_s`."""
    end_s: float
    """The start of one that has not ended, or that claims to have ended before it began."""
    text: bytes
    """The document, as JSON."""


class Refusal(msgspec.Struct, frozen=True):
    """Why a document was not taken."""

    id: str | None
    """Of the document, where it has one."""
    code: str
    message: str


class Parsed(NamedTuple):
    """What became of one element of PutTraceSegments."""

    segments: list[Segment]
    refusals: list[Refusal]


class _Refused(Exception):
    """A document breaks a rule."""

    def __init__(self, code: str, *, is_nested: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.is_nested = is_nested


def parse(text: str | bytes) -> Parsed:
    """
    Take one element of PutTraceSegments, or one datagram's document, apart.

    Args:
        text: a document, or an array of subsegments. Documented: X-Ray API reference, PutTraceSegments.
    """
    data = text if isinstance(text, bytes) else text.encode(errors="replace")
    if len(data) > DOCUMENT_BYTES_MAX:
        return Parsed([], [Refusal(None, "InvalidSegment", _message("segment", "InvalidSegment"))])
    try:
        content = _decode(data)
        # An array is one level more.
        if _is_deeper(content, DEPTH_MAX + isinstance(content, list)):
            raise RecursionError
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Parsed([], [Refusal(None, "ParseError", _message("segment", "ParseError"))])
    parsed = Parsed([], [])
    for document in content if isinstance(content, list) else [content]:
        is_subsegment = isinstance(content, list) or is_sent_alone(document)
        try:
            parsed.segments.append(_checked(document, is_subsegment=is_subsegment))
        except _Refused as refused:
            of = document.get("id") if isinstance(document, dict) else None
            kind = "subsegment" if is_subsegment or refused.is_nested else "segment"
            parsed.refusals.append(
                Refusal(of if isinstance(of, str) else None, refused.code, _message(kind, refused.code))
            )
    return parsed


def is_sent_alone(document: Any) -> bool:
    """Say whether a document is a subsegment that was sent without its parent."""
    return isinstance(document, dict) and document.get("type") == "subsegment"


def moment_of(seconds: float) -> datetime:
    """Return a time of a document as a moment."""
    return _EPOCH + timedelta(seconds=seconds)


def is_seconds(value: Any) -> bool:
    """Say whether a value of a document is a time."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _START_MAX_S


def _message(kind: str, code: str) -> str:
    # Observed: field reports of the Zipkin and Fluent exporters' users; those of an invalid name alone have a cause.
    cause = ", Cause: null" if code == "InvalidName" else ""
    return f"Invalid {kind}. ErrorCode: {code}{cause}"


def _checked(document: Any, *, is_subsegment: bool) -> Segment:
    if not isinstance(document, dict):
        raise _Refused("ParseError")
    trace_id = _matched(document, "trace_id", _TRACE_ID, "TraceId")
    _check_common(document)
    parent_id = document.get("parent_id")
    if parent_id is None:
        if is_subsegment:
            raise _Refused("MissingParentId")
    elif not isinstance(parent_id, str) or not _ID.fullmatch(parent_id):
        raise _Refused("InvalidParentId")
    if is_subsegment and not is_sent_alone(document):
        # In an array it goes without saying; by itself it has to say so.
        document = {**document, "type": "subsegment"}
    try:
        _check_nested(document)
    except _Refused as refused:
        raise _Refused(refused.code, is_nested=True) from refused
    start, is_complete = float(document["start_time"]), has_ended(document)
    return Segment(
        trace_id=trace_id.lower(),
        id=document["id"].lower(),
        is_complete=is_complete,
        start_s=start,
        end_s=max(start, float(document["end_time"])) if is_complete else start,
        text=_encode(document),
    )


def has_ended(document: Mapping[str, Any]) -> bool:
    """Say whether what a checked document speaks of is complete."""
    return document.get("in_progress") is not True and "end_time" in document


def _check_common(document: Mapping[str, Any]) -> None:
    """Check what segments and subsegments have in common."""
    _matched(document, "id", _ID, "Id")
    if len(_matched(document, "name", _NAME, "Name")) > _NAME_MAX:
        raise _Refused("InvalidName")
    # Assumed: the spelling of codes for times (test_document).
    if document.get("start_time") is None:
        raise _Refused("MissingStartTime")
    if not is_seconds(document["start_time"]):
        raise _Refused("InvalidStartTime")
    if document.get("in_progress") is not True and document.get("end_time") is None:
        raise _Refused("MissingEndTime")
    if "end_time" in document and not is_seconds(document["end_time"]):
        raise _Refused("InvalidEndTime")


def _matched(document: Mapping[str, Any], field: str, pattern: re.Pattern[str], what: str) -> str:
    value = document.get(field)
    if value is None:
        raise _Refused(f"Missing{what}")
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _Refused(f"Invalid{what}")
    return value


def _check_nested(document: Mapping[str, Any]) -> None:
    waiting: list[Any] = [document]
    while waiting:
        subsegments = waiting.pop().get("subsegments")
        if subsegments is None:
            continue
        if not isinstance(subsegments, list):
            raise _Refused("ParseError")
        for subsegment in subsegments:
            if not isinstance(subsegment, dict):
                raise _Refused("ParseError")
            _check_common(subsegment)
            waiting.append(subsegment)


def _is_deeper(content: Any, depth: int) -> bool:
    """Say whether objects and arrays nest deeper than `depth`: level by level, for the deepest may be anywhere."""
    level = [content] if isinstance(content, dict | list) else []
    for _ in range(depth):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
