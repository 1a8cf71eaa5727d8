"""How expressions are read."""

import pytest

from lambent.domain.metric_expression import (
    Binary,
    Call,
    InvalidExpression,
    Listed,
    Number,
    Reference,
    Text,
    Unary,
    Word,
    parse_expression,
    walk,
)

A, B, C = Reference("a"), Reference("b"), Reference("c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", A),
        ("1.5e3", Number(1_500)),
        (".5", Number(0.5)),
        ("a+b*c", Binary("+", A, Binary("*", B, C))),
        ("a-b-c", Binary("-", Binary("-", A, B), C)),
        ("(a-b)/c", Binary("/", Binary("-", A, B), C)),
        ("-a^b", Unary(Binary("^", A, B))),
        ("a^-b", Binary("^", A, Unary(B))),
        ("a^b^c", Binary("^", A, Binary("^", B, C))),
        ("a*-b", Binary("*", A, Unary(B))),
        ("a>b AND c", Binary("AND", Binary(">", A, B), C)),
        ("a || b && c", Binary("OR", A, Binary("AND", B, C))),
        ("a+1 <= b", Binary("<=", Binary("+", A, Number(1)), B)),
        ("FILL(a, REPEAT)", Call("FILL", (A, Word("REPEAT")))),
        ("METRICS()", Call("METRICS", ())),
        ("SUM([a, b])", Call("SUM", (Listed((A, B)),))),
        ("SEARCH('{N,d} x=\"y\"', 'Sum', 300)", Call("SEARCH", (Text('{N,d} x="y"'), Text("Sum"), Number(300)))),
        (" a ", A),
    ],
)
def test_expressions_are_trees(text: str, expected: object) -> None:
    assert parse_expression(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a+", "(a", "a)", "FILL(a,", "'a", "a ? b", "[a", "1.2.3", "a,b", "AND", "()", "=a", "a=b", "é"],
)
def test_other_texts_are_none(text: str) -> None:
    with pytest.raises(InvalidExpression):
        parse_expression(text)


@pytest.mark.parametrize("text", ["(" * 1_000 + "a" + ")" * 1_000, "-" * 2_000 + "a", "2^" * 1_000 + "2", "F(" * 600])
def test_depth_has_an_end(text: str) -> None:
    """A refusal, and no failure of ours."""
    with pytest.raises(InvalidExpression):
        parse_expression(text)


def test_long_chains_are_read_and_walked() -> None:
    node = parse_expression("+".join(["a"] * 500))
    assert sum(isinstance(one, Reference) for one in walk(node)) == 500
