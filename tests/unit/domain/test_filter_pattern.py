"""Filter patterns: which kind a text is of, terms, and what all kinds promise."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.filter_pattern import PATTERN_CHARS_MAX, InvalidPattern, parse

BAD_REQUEST = "[ERROR 400] BAD REQUEST"
UNAUTHORIZED = "[ERROR 401] UNAUTHORIZED REQUEST"
MISSING = "[ERROR 419] MISSING ARGUMENTS"
INVALID = "[ERROR 420] INVALID ARGUMENTS"
SERVER = "[ERROR 500] INTERNAL SERVER ERROR"
ALL = [BAD_REQUEST, UNAUTHORIZED, MISSING, INVALID, SERVER]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        # Documented: the user guide's own examples.
        ("ERROR", ALL),
        ("ERROR ARGUMENTS", [MISSING, INVALID]),
        ("?MISSING ?INVALID", [MISSING, INVALID]),
        ("?MISSING ?SERVER REQUEST", [BAD_REQUEST, UNAUTHORIZED]),
        ("ERROR -ARGUMENTS", [BAD_REQUEST, UNAUTHORIZED, SERVER]),
        ('"INTERNAL SERVER ERROR"', [SERVER]),
        ('" "', ALL),
        ('""', ALL),
        ("", ALL),
        (" \t", ALL),
        ("%AUTHORIZED%", [UNAUTHORIZED]),
        # Within a word, in this case.
        ("AUTHORIZED", [UNAUTHORIZED]),
        ("authorized", []),
        ("400", [BAD_REQUEST]),
        ("-ERROR", []),
        ("-ARGUMENTS -REQUEST", [SERVER]),
        ('-"BAD REQUEST" REQUEST', [UNAUTHORIZED]),
        ("?MISSING -ARGUMENTS", [BAD_REQUEST, UNAUTHORIZED, SERVER]),
        ('"[ERROR 4" -"40"', [MISSING, INVALID]),
        ('?" " ?NOTHING', ALL),
        # Regular expressions, with what terms may have before them.
        ("%4[0-9]{2}% -%4[01]%", [INVALID]),
        ("?%^.ERROR 5% ?%4\\d0%", [BAD_REQUEST, INVALID, SERVER]),
        ("-%4..%", [SERVER]),
        ("%ERROR$% SERVER", [SERVER]),
    ],
)
def test_terms(pattern: str, expected: list[str]) -> None:
    """All have to occur, those with a minus must not, of those with a question mark any has to."""
    compiled = parse(pattern)
    assert [message for message in ALL if compiled.matches(message)] == expected
    assert [compiled.extract(message) for message in ALL] == [{} if one in expected else None for one in ALL]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("key=value", "Invalid character(s) in term '='"),
        ("[ERROR", "If a filter pattern starts with '[' it must end with ']'"),
        ("  { $.a = 1", "If a filter pattern starts with '{' it must end with '}'"),
        ("?Status: timeout", "Invalid character(s) in term ':'"),
        ("status=5*", "Invalid character(s) in term '='"),
        ("ERROR*", "Invalid character(s) in term '*'"),
        ("(x)", "Invalid character(s) in term '('"),
        ("a \\b", "Invalid character(s) in term '\\'"),
        ('"open', "Invalid filter pattern"),
        ('"open\\"', "Invalid filter pattern"),
        ('"a"!', "Invalid character(s) in term '!'"),
        ("%open", "Invalid filter pattern"),
        ("%%", "Invalid filter pattern"),
        ("a -", "Invalid filter pattern"),
        ("? a", "Invalid filter pattern"),
        ("%a% %b% %c%", "Invalid filter pattern"),
        ("a" * (PATTERN_CHARS_MAX + 1), "Invalid filter pattern"),
    ],
)
def test_what_is_no_pattern(pattern: str, message: str) -> None:
    """It is refused in AWS's words."""
    with pytest.raises(InvalidPattern) as refused:
        parse(pattern)
    assert str(refused.value) == message


def test_quotation_marks_within_a_term() -> None:
    """A backslash takes its meaning from a quotation mark, and from a backslash."""
    assert parse(r'"level\":\"error"').matches('{"level":"error"}')
    assert parse(r'"level\\\":"').matches('{"log":"{\\"level\\":1}"}')


@pytest.mark.parametrize(
    ("pattern", "literals", "plain"),
    [
        ("ERROR", ("ERROR",), ("ERROR",)),
        ("b a b -c %d%", ("b", "a"), ("b", "a")),
        ("?a ?b", (), ()),
        ("?a", ("a",), ("a",)),
        ("?a ?%b%", (), ()),
        ('{ $.level = "ERR*" && $.n = 12 }', ("{",), ("{", '"level"', "ERR", '"n"')),
        ("{ $.a = x || $.b = y }", ("{",), ("{",)),
        ("{ $.a[*].b IS NULL && $.c NOT EXISTS }", ("{", "null"), ("{", "null", '"a"', '"b"')),
        ("{ $.n = 12* }", ("{",), ("{", '"n"')),
        ("[a=ERROR*x, b!=no, c=4, d=1* || d=2*]", ("ERROR", "x"), ("ERROR", "x")),
    ],
)
def test_literals(pattern: str, literals: tuple[str, ...], plain: tuple[str, ...]) -> None:
    """What a chunk of messages can be searched for first is what each that matches surely holds."""
    compiled = parse(pattern)
    assert compiled.literals == literals
    assert compiled.plain_literals == plain


@pytest.mark.parametrize(
    ("pattern", "count"), [("a", 0), ("%a%", 1), ("{ $.a = %a% && $.b != %b% }", 2), ("[%a%]", -1)]
)
def test_regexes_are_counted(pattern: str, count: int) -> None:
    """For a log group may have few patterns with any."""
    if count < 0:
        with pytest.raises(InvalidPattern):
            parse(pattern)
    else:
        assert parse(pattern).regexes == count


def test_terms_have_no_values() -> None:
    """A reference to what no message of this kind has is refused."""
    for pattern in ("a", "a b"):
        assert parse(pattern).reader([])("a b") == {}
        with pytest.raises(InvalidPattern):
            parse(pattern).reader(["$.latency"])


signs = st.text("ab1 \"\\%[]{}$.*=!<>&|()?-,'IS NULEXTO\n", max_size=40)


@given(signs, signs)
def test_anything_is_a_pattern_or_refused(pattern: str, message: str) -> None:
    """Nobody's text does worse, whatever the message; and what is refused is refused each time."""
    for text in (pattern, f"{{{pattern}}}", f"[{pattern}]", f"{{ $.a = {pattern} }}", f"[x={pattern}, ...]"):
        try:
            compiled = parse(text)
        except InvalidPattern:
            continue
        values = compiled.extract(message)
        assert (values is not None) is compiled.matches(message)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.sampled_from(["a", "b", "ab", 'a"b', "é", "", "12"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", 'a"', "é"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", 'a"', "é"]), values, max_size=3),
    st.sampled_from(["$.a", "$.b", "$.a.b", "$.a[*]", "$.*", "$.['é']", "$.a[0]"]),
    st.sampled_from(['= "a"', "= a*", "!= b", "= *", "= 12", "> 3", "IS NULL", "IS TRUE", "EXISTS", "= %a%", '= "é"']),
    st.booleans(),
)
def test_literals_never_exclude_a_match(document: dict[str, Any], path: str, condition: str, is_ascii: bool) -> None:
    """Whoever searches for them first misses nothing, however the JSON is written."""
    compiled = parse(f"{{ {path} {condition} }}")
    written = json.dumps(document, ensure_ascii=is_ascii)
    # The longest way to write it: every letter of a text by its number.
    escaped = written.replace("a", "\\u0061").replace("b", "\\u0062") if '\\"' not in written else written
    for message in (written, escaped.replace("f\\u0061lse", "false").replace("nul\\u006c", "null")):
        if compiled.matches(message):
            assert all(literal in message for literal in compiled.literals)
            if "\\" not in message:
                assert all(literal in message for literal in compiled.plain_literals)
    try:
        decoded = json.loads(escaped)
    except json.JSONDecodeError:
        return
    assert decoded == document
    assert compiled.matches(escaped) is compiled.matches(written)
