"""The pattern language: what matches, what is no pattern, and that no event costs more than it is long."""

import fnmatch
import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.event_pattern import DEPTH_MAX, InvalidPattern, compile_pattern, parse_pattern


def check(pattern: Any, event: Any) -> bool:
    return compile_pattern(pattern).matches(event)


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        # Exact values.
        ({"a": ["x"]}, {"a": "x"}, True),
        ({"a": ["x"]}, {"a": "X"}, False),
        ({"a": [300]}, {"a": 300.0}, True),
        ({"a": [300]}, {"a": "300"}, False),
        ({"a": ["300"]}, {"a": 300}, False),
        ({"a": [True]}, {"a": True}, True),
        ({"a": [True]}, {"a": 1}, False),
        ({"a": [1]}, {"a": True}, False),
        ({"a": [None]}, {"a": None}, True),
        ({"a": [None]}, {"a": "null"}, False),
        ({"a": [None]}, {"a": []}, False),
        ({"a": [None]}, {}, False),
        ({"a": [""]}, {"a": ""}, True),
        ({"a": ["x", "y"]}, {"a": "y"}, True),
        ({"a": ["x"], "b": ["y"]}, {"a": "x", "b": "z"}, False),
        # Lists in the event: one element is enough; of objects one has to match in all.
        ({"a": ["x"]}, {"a": ["w", "x"]}, True),
        ({"a": ["x"]}, {"a": [["w", ["x"]]]}, True),
        ({"a": {"b": [1], "c": [2]}}, {"a": [{"b": 1, "c": 2}]}, True),
        ({"a": {"b": [1], "c": [2]}}, {"a": [{"b": 1}, {"c": 2}]}, False),
        # Names with dots, on both sides.
        ({"a.b": [1]}, {"a": {"b": 1}}, True),
        ({"a": {"b": [1]}}, {"a.b": 1}, True),
        ({"a.b": [1], "a.c": [2]}, {"a": {"b": 1, "c": 2}}, True),
        ({"a.b": [1], "a.c": [2]}, {"a": {"b": 1, "c": 3}}, False),
        ({"a": {"b": [1], "c": [2]}}, {"a.b": 1, "a": {"c": 2}}, True),
        ({"a": {"b": [1]}}, {"a.b": 1, "a": 2}, True),
        ({"a": [2]}, {"a.b": 1, "a": 2}, True),
        ({"a": {"b": {"c": [1]}}}, {"a.b.c": 1, "a.b": {"d": 2}}, True),
        ({"a": {"b": [{"exists": False}]}}, {"a.b": 1}, False),
        ({"a.": [1]}, {"a.": 1}, True),
        ({".a": [1]}, {".a": 1}, True),
        # A text is never looked into.
        ({"a": {"b": [1]}}, {"a": '{"b": 1}'}, False),
        # Prefix, suffix, case.
        ({"a": [{"prefix": "eu-"}]}, {"a": "eu-west-1"}, True),
        ({"a": [{"prefix": ""}]}, {"a": "x"}, True),
        ({"a": [{"prefix": "1"}]}, {"a": 1}, False),
        ({"a": [{"prefix": {"equals-ignore-case": "EU"}}]}, {"a": "eU-west"}, True),
        ({"a": [{"suffix": ".png"}]}, {"a": "x.png"}, True),
        ({"a": [{"suffix": {"equals-ignore-case": ".PNG"}}]}, {"a": "x.pnG"}, True),
        ({"a": [{"equals-ignore-case": "yes"}]}, {"a": "YeS"}, True),
        ({"a": [{"equals-ignore-case": "yes"}]}, {"a": "yess"}, False),
        # Wildcards.
        ({"a": [{"wildcard": "a/*/b"}]}, {"a": "a/x/y/b"}, True),
        ({"a": [{"wildcard": "a/*/b"}]}, {"a": "a//b"}, True),
        ({"a": [{"wildcard": "a/*/b"}]}, {"a": "a/b"}, False),
        ({"a": [{"wildcard": "*"}]}, {"a": ""}, True),
        ({"a": [{"wildcard": ""}]}, {"a": ""}, False),
        ({"a": [{"wildcard": "x"}]}, {"a": "x"}, True),
        ({"a": [{"wildcard": "a*a"}]}, {"a": "a"}, False),
        ({"a": [{"wildcard": "*ab*ab"}]}, {"a": "abab"}, True),
        ({"a": [{"wildcard": r"a\*b*"}]}, {"a": "a*bc"}, True),
        ({"a": [{"wildcard": r"a\*b"}]}, {"a": "axb"}, False),
        ({"a": [{"wildcard": "*\\\\"}]}, {"a": "x\\"}, True),
        # Anything but.
        ({"a": [{"anything-but": "x"}]}, {"a": "y"}, True),
        ({"a": [{"anything-but": "x"}]}, {"a": "x"}, False),
        ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "y"}, False),
        ({"a": [{"anything-but": 3}]}, {"a": 3.0}, False),
        ({"a": [{"anything-but": 1}]}, {"a": True}, True),
        ({"a": [{"anything-but": "x"}]}, {"a": None}, True),
        ({"a": [{"anything-but": "x"}]}, {"a": 1}, True),
        ({"a": [{"anything-but": "x"}]}, {}, False),
        ({"a": [{"anything-but": "x"}]}, {"a": {"b": 1}}, False),
        ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "xy"}, False),
        ({"a": [{"anything-but": {"suffix": ["x", "y"]}}]}, {"a": "xy"}, False),
        ({"a": [{"anything-but": {"wildcard": "x*z"}}]}, {"a": "xyz"}, False),
        ({"a": [{"anything-but": {"wildcard": "x*z"}}]}, {"a": 5}, True),
        ({"a": [{"anything-but": {"equals-ignore-case": ["x"]}}]}, {"a": "X"}, False),
        # Numbers.
        ({"a": [{"numeric": ["=", 5]}]}, {"a": 5.0}, True),
        ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5}, True),
        ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 0}, False),
        ({"a": [{"numeric": ["<", 5]}]}, {"a": "1"}, False),
        ({"a": [{"numeric": ["<", 5]}]}, {"a": None}, False),
        ({"a": [{"numeric": ["<", 5]}]}, {"a": True}, False),
        # Addresses.
        ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.255"}, True),
        ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.1.0"}, False),
        ({"a": [{"cidr": "2001:db8::/32"}]}, {"a": "2001:db8::1"}, True),
        ({"a": [{"cidr": "2001:db8::/32"}]}, {"a": "10.0.0.1"}, False),
        ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "no address"}, False),
        # Whether a field is there.
        ({"a": [{"exists": True}]}, {"a": None}, True),
        ({"a": [{"exists": True}]}, {"a": {"b": 1}}, False),
        ({"a": [{"exists": True}]}, {"a": []}, False),
        ({"a": [{"exists": False}]}, {"a": []}, True),
        ({"a": [{"exists": False}]}, {"a": {"b": 1}}, True),
        ({"a": [{"exists": False}]}, {"a": 1}, False),
        ({"a": {"b": [{"exists": False}]}}, {}, True),
        ({"a": {"b": [{"exists": False}]}}, {"a": [{"b": 1}, {"c": 2}]}, False),
        ({"a": [{"exists": False}, "x"]}, {"a": "x"}, True),
        # Either.
        ({"$or": [{"a": [1]}, {"b": [2]}]}, {"b": 2}, True),
        ({"$or": [{"a": [1]}, {"b": [2]}]}, {"b": 3}, False),
        ({"c": [3], "$or": [{"a": [1]}, {"b": [2]}]}, {"b": 2}, False),
        ({"d": {"$or": [{"a": [1]}, {"b": [2]}]}}, {"d": {"a": 1}}, True),
        ({"d": {"$or": [{"a": [1]}, {"b": [{"exists": False}]}]}}, {"d": {"c": 1}}, True),
        ({"$or": [{"prefix": "x"}, "y"]}, {"$or": "xyz"}, True),
        ({}, {"a": 1}, True),
    ],
)
def test_what_matches(pattern: Any, event: Any, expected: bool) -> None:
    """Each form of the language chooses what AWS chooses."""
    assert check(pattern, event) is expected


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ([], "Filter is not an object"),
        ("x", "Filter is not an object"),
        ({"a": "x"}, '"a" must be an object or an array'),
        ({"a": {"b": 1}}, '"b" must be an object or an array'),
        ({"a": []}, "Empty arrays are not allowed"),
        ({"a": [{"begins": "x"}]}, "Unrecognized match type begins"),
        ({"a": [{"prefix": 1}]}, "prefix match pattern must be a string"),
        ({"a": [{"suffix": ["x"]}]}, "suffix match pattern must be a string"),
        ({"a": [{"wildcard": 1}]}, "wildcard match pattern must be a string"),
        ({"a": [{"wildcard": "x**y"}]}, "Consecutive wildcard characters at pos 2"),
        ({"a": [{"equals-ignore-case": ["x"]}]}, "equals-ignore-case match pattern must be a string"),
        ({"a": [{"anything-but": None}]}, "Value of anything-but must be an array or single string/number value."),
        ({"a": [{"anything-but": ["x", 1]}]}, "Inside anything but list, start|null|boolean is not supported."),
        ({"a": [{"anything-but": [None]}]}, "Inside anything but list, start|null|boolean is not supported."),
        ({"a": [{"anything-but": {"prefix": 1}}]}, "prefix/suffix match pattern must be a string"),
        ({"a": [{"anything-but": {"suffix": ""}}]}, "Null prefix/suffix not allowed"),
        (
            {"a": [{"anything-but": {"equals-ignore-case": ["x", 1]}}]},
            "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
        ),
        ({"a": [{"anything-but": {"prefix": {"x": "x"}}}]}, "prefix/suffix match pattern must be a string"),
        ({"a": [{"numeric": 5}]}, "Value of numeric must be an array."),
        ({"a": [{"numeric": ["<", 5, ">", 0]}]}, "Bad numeric range operator: >"),
        ({"a": [{"numeric": ["<", "5"]}]}, "Value of < must be numeric"),
        ({"a": [{"cidr": "10.0.0.0"}]}, "Malformed CIDR, one '/' required"),
        ({"a": [{"cidr": "10.0.0.0/x"}]}, "Malformed CIDR, mask bits must be an integer"),
        ({"a": [{"cidr": "10.0.0/8"}]}, "Nonstandard IP address: 10.0.0"),
        ({"a": [{"cidr": 1}]}, "prefix match pattern must be a string"),
        ({"a": [{"cidr": "1.2.3.4/00009999"}]}, "Malformed CIDR, mask bits must not exceed 32"),
        ({"a": [{"cidr": "1.2.3.4/" + "0" * 5000}]}, "Malformed CIDR, mask bits must not exceed 32"),
        ({"a." * 1900 + "a": [1]}, f"objects are nested deeper than {DEPTH_MAX}"),
    ],
)  # fmt: skip
def test_what_is_no_pattern(pattern: Any, reason: str) -> None:
    """What cannot be a pattern is refused with AWS's reason."""
    with pytest.raises(InvalidPattern) as excinfo:
        compile_pattern(pattern)
    assert str(excinfo.value) == reason


@pytest.mark.parametrize(
    "pattern",
    [
        {"a": [["x"]]},
        {"a": [{}]},
        {"a": [{"prefix": "x", "suffix": "y"}]},
        {"a": [{"exists": "yes"}]},
        {"a": [{"numeric": []}]},
        {"a": [{"numeric": ["~", 1]}]},
        {"a": [{"numeric": [1]}]},
        {"a": [{"numeric": [">", 5, "<", 1]}]},
        {"a": [{"numeric": [">", 0, "<", 1, ">", 2]}]},
        {"a": [{"numeric": ["=", "x"]}]},
        {"a": [{"cidr": "10.0.0.0/33"}]},
        {"a": [{"anything-but": []}]},
        {"a": [{"anything-but": {"numeric": ["=", 1]}}]},
        {"a": [{"anything-but": {}}]},
        {"a": [{"anything-but": {"prefix": []}}]},
        {"a": [{"anything-but": {"wildcard": 1}}]},
        {"a": [{"wildcard": "x\\y"}]},
        {"$or": [{"a": [1]}]},
    ],
)
def test_other_refusals(pattern: Any) -> None:
    """What else is no pattern is refused as well; of these AWS's words are not known."""
    with pytest.raises(InvalidPattern):
        compile_pattern(pattern)


def test_what_is_no_json() -> None:
    """A text that is no JSON, or far too deep, is no pattern."""
    for text in ('{"a":', "{a: 1}", '{"a":' * 5000, "\ud800"):
        with pytest.raises(InvalidPattern):
            parse_pattern(text)
    with pytest.raises(InvalidPattern):
        compile_pattern(json.loads('{"a":' * (DEPTH_MAX + 2) + "[1]" + "}" * (DEPTH_MAX + 2)))


def test_a_wildcard_does_not_backtrack() -> None:
    """The text that ruins a backtracking matcher is passed once. A second is a thousand times what it takes."""
    pattern = compile_pattern({"a": [{"wildcard": "*a" * 1000 + "*b"}]})
    began = time.process_time()
    assert not pattern.matches({"a": "a" * 1_000_000})
    assert time.process_time() - began < 1


def test_a_deep_event_is_looked_into_without_recursion() -> None:
    """Lists in lists cost no stack."""
    value: Any = "x"
    for _ in range(100_000):
        value = [value]
    assert check({"a": ["x"]}, {"a": value})


def _deep(levels: str, innermost: Any) -> Any:
    """Return a pattern whose levels, from the outermost on, are a field (a) or alternatives ($)."""
    pattern = innermost
    for level in reversed(levels):
        pattern = {"a": pattern} if level == "a" else {"$or": [pattern, {"b": [1]}]}
    return pattern


@pytest.mark.parametrize("levels", ["a" * 100, "$" * 100, "a$" * 50, "$" * 50 + "a" * 50])
def test_a_pattern_is_no_deeper_than_can_be_matched(levels: str) -> None:
    """As deep as a pattern may be, alternatives counted, it matches any event; one level more is refused."""
    pattern = compile_pattern(_deep(levels, {"c": [{"exists": False}]}))
    event: Any = {"c": 1}
    for _ in range(100_000):
        event = {"a": event}
    assert pattern.matches({})
    # Not at the end of this one, which is as deep in objects as in the pattern, or deeper.
    assert pattern.matches(event)
    with pytest.raises(InvalidPattern):
        compile_pattern(_deep(levels + "$", {"c": [1]}))


def _in_a_list(count: int) -> dict[str, Any]:
    return {"items": [{"y": number} for number in range(count)] + [{"x": 1}]}


def _wide(count: int) -> dict[str, Any]:
    return {f"k{number}": 1 for number in range(count)} | {"a.b": 1}


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({"items": {"x": [{"exists": False}]}}, _in_a_list(20_000)),
        ({f"{number:x}": [{"exists": False}] for number in range(0xA00, 0xA96)}, _wide(20_000)),
    ],
)
def test_an_event_is_looked_through_once(pattern: Any, event: Any) -> None:
    """Not again for each item of a list, or each field of the pattern: that took minutes, or a second."""
    compiled = compile_pattern(pattern)
    began = time.process_time()
    compiled.matches(event)
    assert time.process_time() - began < 0.5


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_wildcards_are_as_a_shell_has_them(pattern: str, text: str) -> None:
    """For patterns without escapes, and without two stars in a row, the well-known rules hold."""
    pattern = re.sub(r"\*+", "*", pattern)
    expected = fnmatch.fnmatchcase(text, pattern) and pattern != ""
    assert check({"a": [{"wildcard": pattern}]}, {"a": text}) is expected


_scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b", "ab"])
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
_events = st.dictionaries(st.sampled_from("abc"), _values, max_size=3)


@given(_events, _scalars)
def test_a_field_is_there_or_not(event: dict[str, Any], _: Any) -> None:
    """Of two patterns that ask whether a field is there, each event matches exactly one."""
    there, absent = check({"a": [{"exists": True}]}, event), check({"a": [{"exists": False}]}, event)
    assert there is not absent


@given(_events, _scalars, _scalars)
def test_alternatives_add_up(event: dict[str, Any], one: Any, other: Any) -> None:
    """Two values for a field, or `$or` of two patterns, match what either matches."""
    either = check({"a": [one]}, event) or check({"a": [other]}, event)
    assert check({"a": [one, other]}, event) is either
    assert check({"$or": [{"a": [one]}, {"a": [other]}]}, event) is either


@given(_events, st.sampled_from(["a", "b", "ab"]))
def test_matching_changes_no_event(event: dict[str, Any], text: str) -> None:
    """An event is only read, and any event can be."""
    before = json.dumps(event)
    check({"a": {"b": [{"anything-but": [text]}, {"exists": False}], "c": [{"prefix": text}]}}, event)
    assert json.dumps(event) == before
