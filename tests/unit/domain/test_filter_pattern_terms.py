"""What filter patterns are made of: text with stars, numbers, regular expressions."""

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.filter_pattern_terms import InvalidPattern, compile_regex, number, wildcard


@given(st.text("ab*?", max_size=8), st.text("ab?", max_size=16))
def test_stars(pattern: str, text: str) -> None:
    """A star is any text, all other signs are themselves."""
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert wildcard(pattern)(text) is (re.fullmatch(expression, text, re.DOTALL) is not None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("+2", 2),
        ("1e+3", 1000.0),
        ("1E-3", 0.001),
        (".5", 0.5),
        ("5.", 5.0),
        ("", None),
        ("1.1.1", None),
        ("1_0", None),
        ("nan", None),
        ("infinity", None),
        ("٣", None),
        (" 1", None),
        ("1 ", None),
        ("0x10", None),
    ],
)
def test_numbers(text: str, value: float | None) -> None:
    """Digits, a point, signs and an exponent: what else Python takes for a number is a text."""
    assert number(text) == value


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        # Documented.
        ("^[hc]at", "hat", True),
        ("^[hc]at", "a hat", False),
        ("[hc]at$", "a hat", True),
        ("[hc]at$", "a hat\n", True),
        ("colou?r", "color", True),
        ("a{3,5}", "aa", False),
        ("gra|ey", "they", True),
        ("^starting|^initializing|^shutting down", "shutting down", True),
        ("^starting|^initializing|^shutting down", "skipping initializing", False),
        (r"\[.\]", "[7]", True),
        (r"10\.10\.0\.1", "10.10.0.1", True),
        (r"10\.10\.0\.1", "10010,051", False),
        ("10.10.0.1", "10010,051", True),
        (r"\d\D\s\S\w\W", "1a b_!", True),
        (r"\x3A\x28", "x:(", True),
        ("^.$", "é", True),
        (r"\w", "é", False),
    ],
)
def test_regular_expressions(source: str, text: str, expected: bool) -> None:
    """They are looked for anywhere in a text."""
    assert compile_regex(source)(text) is expected


@pytest.mark.parametrize(
    "source",
    [
        "",
        "something!",
        "(a)",
        "(?i)a",
        "é",
        "a\\",
        r"\b",
        r"\1",
        r"\pL",
        r"\Qa\E",
        r"\x4",
        r"\xGG",
        r"\x 4",
        "[a",
        "a**",
        "a{3001}",
    ],
)
def test_what_is_no_regular_expression(source: str) -> None:
    """What the language has not, and what its engine cannot read."""
    with pytest.raises(InvalidPattern):
        compile_regex(source)


def test_large_regular_expressions_are_refused() -> None:
    """For they cost their size for each byte of a message."""
    with pytest.raises(InvalidPattern):
        compile_regex(".{1000}" * 100)
    # Whose size is found out before much is done.
    start = time.process_time()
    with pytest.raises(InvalidPattern):
        compile_regex("a{1,1000}" * 50)
    assert time.process_time() - start < 2


def test_no_regular_expression_takes_long() -> None:
    """What would take an engine that goes back the age of the universe."""
    test = compile_regex("a*a*a*a*a*a*a*a*b$")
    start = time.process_time()
    assert not test("a" * 200_000)
    assert time.process_time() - start < 5


def test_the_worst_regular_expression_ends() -> None:
    """One of which no state comes twice, in a text as long as events may be: its beginning is looked at."""
    text = "".join(random.Random(1).choices("ab", k=200_000))
    start = time.process_time()
    assert not compile_regex("[ab]*a[ab]{900}c")(text)
    assert compile_regex("[ab]*a[ab]{900}c")("a" * 1_000 + "c" + text)
    assert not compile_regex(".{200}c")("x" * 100_000 + "c")
    assert compile_regex(".{5}c")("x" * 1_000_000 + "c")
    assert time.process_time() - start < 30


def test_half_a_character_matches_as_something_else() -> None:
    """The engine sees none."""
    assert compile_regex("^a.$")("a\ud800")
