"""FilterCriteria: what of a record a pattern sees, and which formats of payload and pattern go together."""

import json
from typing import Any

import pytest

from lambent.domain.event_pattern import InvalidPattern
from lambent.domain.record_filter import compile_filters

RECORD = {"messageId": "m", "body": "never looked at", "messageAttributes": {"kind": {"stringValue": "web"}}}


def lets_through(payload: str, *patterns: Any) -> bool:
    return compile_filters([json.dumps(pattern) for pattern in patterns], "body").lets_through(RECORD, payload)


@pytest.mark.parametrize(
    ("payload", "pattern", "expected"),
    [
        # Both plain text.
        ("hi", {"body": ["hi"]}, True),
        ("ho", {"body": ["hi"]}, False),
        ("hi there", {"body": [{"prefix": "hi"}]}, True),
        # Text, and a pattern for JSON: dropped, whatever it asks.
        ("hi", {"body": {"a": ["hi"]}}, False),
        ("hi", {"body": {"a": [{"exists": False}]}}, False),
        ("hi", {"body.a": [{"exists": False}]}, False),
        # No pattern for the payload: the rest of the record decides.
        ("hi", {"messageAttributes": {"kind": {"stringValue": ["web"]}}}, True),
        ('{"a": 1}', {"messageAttributes": {"kind": {"stringValue": ["app"]}}}, False),
        # Both JSON.
        ('{"a": 1}', {"body": {"a": [1]}}, True),
        (' {"a": {"b": "x"}}', {"body": {"a": {"b": [{"suffix": "x"}]}}}, True),
        ('{"a": 1}', {"body.a": [1]}, True),
        ('{"a": 1}', {"body": {"a": [2]}}, False),
        ('[{"a": 1}, {"a": 2}]', {"body": {"a": [2]}}, True),
        # JSON, and a pattern for text: dropped.
        ('{"a": 1}', {"body": [{"exists": True}]}, False),
        ('["hi"]', {"body": ["hi"]}, False),
        # What only looks like JSON is text, and so is a mere value.
        ("{hi", {"body": ["{hi"]}, True),
        ("5", {"body": ["5"]}, True),
        ('{"a": 1e999}', {"body": {"a": [{"exists": True}]}}, False),
        # Either.
        ("hi", {"$or": [{"body": ["hi"]}, {"body": {"a": [1]}}]}, True),
        ('{"a": 1}', {"$or": [{"body": ["hi"]}, {"body": {"a": [1]}}]}, True),
        ('{"a": 2}', {"$or": [{"body": ["hi"]}, {"body": {"a": [1]}}]}, False),
        ("x", {"$or": ["a", "b"]}, False),
    ],
)
def test_format_of_payload_and_pattern(payload: str, pattern: Any, expected: bool) -> None:
    """A payload reaches a pattern of its own format only."""
    assert lets_through(payload, pattern) is expected


def test_one_of_several_filters_is_enough() -> None:
    """Filters are alternatives, and none at all lets everything through."""
    assert lets_through("b", {"body": ["a"]}, {"body": ["b"]})
    assert not lets_through("c", {"body": ["a"]}, {"body": ["b"]})
    assert lets_through("c")


def test_a_deep_payload_is_text() -> None:
    """What no decoder gets through is no JSON, and stops nothing."""
    assert lets_through("[" * 100_000, {"body": [{"prefix": "["}]})


@pytest.mark.parametrize("text", ["", "hi", "[]", '{"body": "x"}', '{"\\u0000text": ["x"]}', '{"body": {"a": 1}}'])
def test_what_is_no_filter(text: str) -> None:
    """A pattern that is none is refused before anything is stored."""
    with pytest.raises(InvalidPattern):
        compile_filters([text], "body")
