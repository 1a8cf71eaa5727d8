"""Patterns of policies: what matches, what variables become, and that no pattern takes long."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.pattern import compile_arn_pattern, compile_pattern

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:f"


def naive(pattern: str, text: str) -> bool:
    """Match as the documentation tells it, whatever time it takes."""
    expression = "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


@given(st.text("ab*?[]\\.\n\0é:/", max_size=12), st.text("ab[]\\.\n\0é:/", max_size=16))
def test_two_signs_mean_something(pattern: str, text: str) -> None:
    """A star is any text, a question mark any character; all others, NUL as well, are themselves."""
    assert compile_pattern(pattern).matches(text) is naive(pattern, text)


@given(st.lists(st.text("ab?", max_size=4), max_size=6), st.text("ab", max_size=30))
def test_pieces_between_stars_follow_each_other(pieces: list[str], text: str) -> None:
    """The more likely to match, the more is proved."""
    pattern = "*".join(pieces)
    assert compile_pattern(pattern).matches(text) is naive(pattern, text)


@given(st.text("a?", min_size=65, max_size=90), st.text("ab", min_size=60, max_size=200))
def test_long_pieces_are_looked_for_like_short_ones(piece: str, text: str) -> None:
    """Their masks are made when they are needed, with the same result."""
    assert compile_pattern(f"*{piece}*").matches(text) is naive(f"*{piece}*", text)


class Counted(str):
    """A text that counts how often a piece is looked for in it, and from where."""

    __slots__ = ("places",)
    places: list[int]

    def find(self, piece: str, begin: Any = 0, end: Any = None) -> int:
        self.places.append(begin)
        return str.find(self, piece, begin, end)

    def __getitem__(self, place: Any) -> str:
        self.places.append(place if isinstance(place, int) else place.start)
        return str.__getitem__(self, place)


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 3_000 + "b",
        "?*" * 3_000 + "b",
        "*" + "a?" * 1_000 + "*b",
        "*a?b" * 1_000,
        "*" + "?a" * 30 + "*b",
        "*" * 9_000,
    ],
)
def test_a_text_is_read_once(pattern: str) -> None:
    """However many stars: no place is looked at again after what follows failed. It never goes back."""
    text = Counted("a" * 5_000)
    text.places = []
    compile_pattern(pattern).matches(text)
    # The ends first, then from the left to the right: each place once, and once more per piece for where it begins.
    walked = text.places[2:]
    assert len(text.places) <= len(text) + len(pattern) + 2
    assert walked == sorted(walked)


def test_a_piece_that_is_longer_than_the_text_is_not_made_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its masks would take time that grows with the square of its length."""
    pattern = compile_pattern("*" + "a?" * 5_000 + "*")
    monkeypatch.setattr("lambent.domain.pattern._masks", lambda signs: pytest.fail("made"))
    assert not pattern.matches("a" * 9_999)


def test_variables_have_values() -> None:
    """Names are without regard to case; several may stand in one pattern."""
    pattern = compile_pattern("home/${AWS:UserName}/${ aws:PrincipalTag/Team }/*", has_variables=True)
    context = {"aws:username": "ann", "aws:principaltag/team": "red"}
    assert pattern.matches("home/ann/red/x/y", context)
    assert not pattern.matches("home/ann/blue/x", context)
    assert pattern.variables == ("aws:username", "aws:principaltag/team")
    assert not pattern.is_exact


@pytest.mark.parametrize(
    ("text", "context", "matched"),
    [
        ("${aws:username}-*", {}, "-a"),
        ("${aws:username}-*", {"aws:username": ("a", "b")}, "a-a"),
        ("${aws:username}", {"aws:username": "a*"}, "ab"),
        ("${aws:username}", {"aws:username": "a?"}, "ab"),
        ("${*}", {}, "x"),
        ("${?}", {}, "x"),
        ("${aws:principaltag/team, 'all'}", {"aws:principaltag/team": "red"}, "all"),
        ("${aws:principaltag/team, 'all'}", {"aws:principaltag/team": ("all", "red")}, "all"),
        ("${aws:principaltag/team, ''}x", {"aws:principaltag/team": "red"}, "x"),
    ],
)
def test_what_does_not_match(text: str, context: dict[str, Any], matched: str) -> None:
    """A key without a value, or with several, matches nothing; a star in a value is a star."""
    assert not compile_pattern(text, has_variables=True).matches(matched, context)


@pytest.mark.parametrize(
    ("text", "context", "matched"),
    [
        ("${aws:username}", {"aws:username": "a*"}, "a*"),
        ("${*}${?}${$}", {}, "*?$"),
        ("a${*}*", {}, "a*bc"),
        ("${$}{aws:username}", {"aws:username": "x"}, "${aws:username}"),
        ("${aws:principaltag/team, 'all'}/*", {}, "all/x"),
        ("${aws:principaltag/team,''}x", {}, "x"),
        # What only looks like one is text.
        ("${aws:username", {"aws:username": "x"}, "${aws:username"),
        ("${}", {"": "x"}, "${}"),
        ("${a, b}", {"a": "x"}, "${a, b}"),
        ("${a}${b, c}${a}", {"a": "x", "b": "y"}, "x${b, c}x"),
        ("$ {a} {a}", {"a": "x"}, "$ {a} {a}"),
    ],
)
def test_what_matches(text: str, context: dict[str, Any], matched: str) -> None:
    """Characters that stand for themselves, defaults, and what is no variable."""
    assert compile_pattern(text, has_variables=True).matches(matched, context)


def test_without_variables_a_dollar_is_a_dollar() -> None:
    """In documents of the old version."""
    assert compile_pattern("${aws:username}").matches("${aws:username}", {"aws:username": "x"})
    assert not compile_pattern("${aws:username}").matches("x", {"aws:username": "x"})


def test_a_long_value_that_is_named_often_is_not_filled_in() -> None:
    """A policy of 64 KB may name a header of 8 KB thousands of times: what is longer than the text is given up."""
    looks = 0

    class Context(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            nonlocal looks
            looks += 1
            return "x" * 8_000

    pattern = compile_pattern("${aws:useragent}" * 4_000, has_variables=True)
    assert not pattern.matches("x" * 9_000, Context())
    assert looks <= 10
    assert pattern.text(Context(), 9_000) is None
    assert looks <= 20


@given(st.text("${} ,'a*?:", max_size=40))
def test_any_text_is_a_pattern(text: str) -> None:
    """Nothing that a policy may say cannot be compiled; without a variable it is the pattern that it was."""
    pattern = compile_pattern(text, has_variables=True)
    if not pattern.parts:
        assert pattern.matches(text.replace("*", "b").replace("?", "c"))


def test_blanks_in_a_variable_are_passed_once() -> None:
    """They were looked at by an expression that tried each way to share them out."""
    text = "${" + " " * 200_000
    assert not compile_pattern(text, has_variables=True).parts
    assert compile_pattern(f"{text}a }}", has_variables=True).variables == ("a",)


def shortened(arn: str) -> Iterator[str]:
    parts = arn.split(":")
    for count in range(1, 6):
        yield ":".join(parts[:count]) + ":*"


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (ARN, True),
        ("*", True),
        (f"{ARN}*", True),
        (f"{ARN}:*", False),
        (ARN.replace("eu-west-1", "*"), True),
        (ARN.replace("eu-west-1", "eu-west-?"), True),
        (ARN.replace("111122223333", "*"), True),
        (ARN.replace("111122223333", "444455556666"), False),
        (ARN.replace("function:f", "*"), True),
        (ARN.replace("function:f", "*:f"), True),
        ("arn:aws:lambda:*:function:f", False),
        ("arn:aws:lambda:*:f", False),
        ("arn:*:f", False),
        ("arn:aws:lambda", False),
        ("arn:aws:lambda:eu*", True),
        ("arn:aws:lambda:us*", False),
        ("arn", False),
        ("arn*", True),
        (ARN.upper(), False),
        *((text, True) for text in shortened(ARN)),
    ],
)
def test_arns_are_matched_part_by_part(pattern: str, matches: bool) -> None:
    """A star does not cross the first five colons; one that ends a short pattern is for all that is missing."""
    assert compile_arn_pattern(pattern).matches(ARN) is matches


def test_a_star_crosses_colons_and_slashes_of_the_last_part() -> None:
    """`f*` is also an alias of `f`, and other functions whose names begin so."""
    pattern = compile_arn_pattern(f"{ARN}*")
    for more in (":prod", "oo", "/a:b/c"):
        assert pattern.matches(ARN + more)
    assert not compile_arn_pattern(ARN).matches(f"{ARN}:prod")
    # Which is no ARN has but one part.
    assert not compile_arn_pattern(f"{ARN}*").matches("*")
    assert not compile_arn_pattern("arn:*").matches("arn:aws")


def test_variables_stand_behind_the_fifth_colon() -> None:
    """Elsewhere they are text, which no ARN has."""
    last = compile_arn_pattern("arn:aws:s3:::${aws:username}/*", has_variables=True)
    assert last.variables == ("aws:username",)
    assert last.matches("arn:aws:s3:::ann/x", {"aws:username": "ann"})
    account = compile_arn_pattern("arn:aws:sqs:*:${aws:principalaccount}:q", has_variables=True)
    assert account.variables == ()
    assert not compile_arn_pattern("arn:aws:sqs:${x}:1:q", has_variables=True).matches("arn:aws:sqs:r:1:q", {"x": "r"})
    assert not account.matches("arn:aws:sqs:eu-west-1:1:q", {"aws:principalaccount": "1"})


@pytest.mark.parametrize(
    ("text", "head"),
    [
        (ARN, ARN),
        ("x", "x"),
        ("*", ""),
        (f"{ARN}*", ARN),
        ("arn:aws:*", "arn:aws:"),
        ("arn:aws:s3:::a?c", "arn:aws:s3:::a"),
        ("arn:aws:s3:*:1:abc", "arn:aws:s3:"),
        ("arn:aws:s3:::b/${aws:username}/x", "arn:aws:s3:::b/"),
        ("arn:aws:s3:::b/a*${aws:username}", "arn:aws:s3:::b/a"),
    ],
)
def test_heads(text: str, head: str) -> None:
    """By these statements are found."""
    assert compile_arn_pattern(text, has_variables=True).head == head


@pytest.mark.parametrize(
    ("text", "exact"),
    [(ARN, ARN), ("x", "x"), (f"{ARN}*", None), ("arn:aws:*", None), ("arn:aws:s3", None), ("arn:aws:s3:::a?", None)],
)
def test_what_is_exact(text: str, exact: str | None) -> None:
    """It is compared as it is: there is no other text, and this one does match."""
    pattern = compile_arn_pattern(text)
    assert pattern.exact == exact
    assert exact is None or pattern.matches(exact)
    assert not compile_arn_pattern("arn:aws:s3:::${*}", has_variables=True).exact


@given(st.text("ar:*?n", max_size=9), st.text("ar:n", max_size=12))
def test_what_matches_begins_with_the_head(pattern: str, text: str) -> None:
    """Always: what begins otherwise is never looked at."""
    for compiled in (compile_pattern(pattern), compile_arn_pattern(f"arn:{pattern}")):
        for given_text in (text, f"arn:{text}"):
            if compiled.matches(given_text):
                assert given_text.startswith(compiled.head)
