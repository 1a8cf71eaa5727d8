"""
What filter expressions are made of: words, texts, numbers and signs; and what each keyword asks of a segment.

Documented: X-Ray developer guide, filter expressions.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.domain.xray.document import has_ended
from lambent.domain.xray.trace import (
    Entity,
    Trace,
    duration_of,
    entities,
    exceptions_of,
    flags_of,
    status_of,
    text_at,
)


class InvalidExpression(Exception):
    """The text is no filter expression, or one that is not offered."""


class Token(NamedTuple):
    kind: str
    """`word`, `text`, `number`, `sign`, or `end`."""
    value: str
    place: int


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<number>-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<word>[A-Za-z_][\w.:]*)
      | (?P<sign>!=|<=|>=|[!=<>(){}\[\],])
    )""",
    re.VERBOSE,
)
# Each alternative begins with other characters, and none can match one text in two ways: this engine's time is linear.

_ESCAPED = re.compile(r'\\(["\\])')


def tokens_of(text: str) -> Iterator[Token]:
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            raise InvalidExpression(f"there is no meaning in the filter expression at position {place}")
        kind = found.lastgroup or ""
        value = found[kind]
        # Assumed: a backslash is itself before all but these (test_filter_expression).
        yield Token(kind, _ESCAPED.sub(r"\1", value[1:-1]) if kind == "text" else value, found.start(kind))
        place = found.end()
    yield Token("end", "", len(text))


BOOLEANS: Mapping[str, Callable[[Trace, Entity], bool]] = {
    # Assumed: what goes on has not ended well yet (test_filter_expression).
    "ok": lambda trace, segment: flags_of(segment).is_ok and has_ended(segment),
    "error": lambda trace, segment: flags_of(segment).error,
    "fault": lambda trace, segment: flags_of(segment).fault,
    "throttle": lambda trace, segment: flags_of(segment).throttle,
    "partial": lambda trace, segment: not has_ended(segment),
    "inferred": lambda trace, segment: bool(segment.get("inferred")),
    "remote": lambda trace, segment: trace.service_of(segment).type == "remote",
    "root": lambda trace, segment: segment is trace.root,
}
"""Of one segment; at the level of the trace of its root, but for those of `ANYWHERE`."""

ANYWHERE = frozenset({"throttle", "partial", "inferred", "remote"})
"""Documented: HasThrottle and IsPartial are any segment's. Assumed: so are the others, which a root never is."""

NUMBERS: Mapping[str, Callable[[Entity], float | None]] = {
    "responsetime": duration_of,
    "duration": duration_of,
    "http.status": status_of,
}

TEXTS: Mapping[str, Callable[[Trace, Entity], Sequence[str]]] = {
    "http.url": lambda trace, segment: _one(text_at(segment, "http", "request", "url")),
    "http.method": lambda trace, segment: _one(text_at(segment, "http", "request", "method")),
    "http.useragent": lambda trace, segment: _one(text_at(segment, "http", "request", "user_agent")),
    "http.clientip": lambda trace, segment: _one(text_at(segment, "http", "request", "client_ip")),
    "user": lambda trace, segment: _one(text_at(segment, "user")),
    "name": lambda trace, segment: [segment["name"]],
    "type": lambda trace, segment: _one(trace.service_of(segment).type),
    "message": lambda trace, segment: [
        message for entity in entities(segment) for _, message in exceptions_of(entity)
    ],
    "availabilityzone": lambda trace, segment: _one(text_at(segment, "aws", "ec2", "availability_zone")),
    "instance.id": lambda trace, segment: _one(text_at(segment, "aws", "ec2", "instance_id")),
    "resource.arn": lambda trace, segment: _one(text_at(segment, "resource_arn")),
}  # fmt: skip
"""Documented: at the level of the trace those of `http` are its root's, the others any segment's."""

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda found, wanted: found == wanted,
    "<": lambda found, wanted: found < wanted,
    "<=": lambda found, wanted: found <= wanted,
    ">": lambda found, wanted: found > wanted,
    ">=": lambda found, wanted: found >= wanted,
}

TEXT_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "=": lambda found, wanted: found == wanted,
    "contains": lambda found, wanted: wanted in found,
    "beginswith": lambda found, wanted: found.startswith(wanted),
    "endswith": lambda found, wanted: found.endswith(wanted),
}


def compares(found: float, sign: str, wanted: float) -> bool:
    """Say whether a number is as wanted."""
    return found != wanted if sign == "!=" else COMPARISONS[sign](found, wanted)


def holds(found: Sequence[str], sign: str, wanted: str) -> bool:
    """Say whether one of several texts is as wanted. Assumed: for `!=`, if none is it (test_filter_expression)."""
    if sign == "!=":
        return bool(found) and wanted not in found
    return any(TEXT_OPERATORS[sign](text, wanted) for text in found)


def _one(text: str | None) -> Sequence[str]:
    return () if text is None else (text,)
