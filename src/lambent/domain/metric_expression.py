"""
Expressions of metric math as trees.

Precedence from below: OR, AND, comparisons, sums, products, signs, powers. Documented: CloudWatch user guide, Using
math expressions with CloudWatch metrics, for operators and functions. Assumed: precedence (test_metric_expression).
"""

import re
from collections.abc import Iterator

import msgspec

DEPTH_MAX = 64
"""Of parentheses and signs. Assumed: an expression has 2,048 characters (test_metric_expression)."""


class InvalidExpression(Exception):
    """An expression cannot be read or computed. The message is the reason."""


class Number(msgspec.Struct, frozen=True):
    value: float


class Text(msgspec.Struct, frozen=True):
    value: str


class Reference(msgspec.Struct, frozen=True):
    """Another query of the request, by its id."""

    id: str


class Word(msgspec.Struct, frozen=True):
    """A name in upper case without parentheses: what some functions take for an option."""

    name: str


class Listed(msgspec.Struct, frozen=True):
    items: "tuple[Node, ...]"


class Unary(msgspec.Struct, frozen=True):
    """A minus."""

    of: "Node"


class Binary(msgspec.Struct, frozen=True):
    operator: str
    left: "Node"
    right: "Node"


class Call(msgspec.Struct, frozen=True):
    function: str
    arguments: "tuple[Node, ...]"


Node = Number | Text | Reference | Word | Listed | Unary | Binary | Call

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?)
    | (?P<name>[A-Za-z][A-Za-z0-9_]*)
    | (?P<text>"[^"]*"|'[^']*')
    | (?P<sign>&&|\|\||==|!=|<=|>=|[-+*/^()<>,\[\]])
    )""",
    re.VERBOSE,
)
_SAME = {"&&": "AND", "||": "OR"}
_LEVELS = (("OR",), ("AND",), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"))


def parse_expression(text: str) -> Node:
    """
    Read an expression.

    Raises:
        InvalidExpression: it is none.
    """
    reader = _Reader(list(_tokens(text)))
    node = reader.level(0)
    reader.end()
    return node


def walk(node: Node) -> Iterator[Node]:
    """Return a tree's nodes, the outer ones first."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case Listed(below) | Call(_, below):
                waiting += reversed(below)
            case Unary(of):
                waiting.append(of)
            case Binary(_, left, right):
                waiting += (right, left)
            case _:
                pass


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            raise InvalidExpression(f"Unexpected character at position {position + 1}")
        kind = found.lastgroup
        assert kind is not None
        token = found[kind]
        if kind == "name" and token in ("AND", "OR"):
            kind = "sign"
        yield kind, _SAME.get(token, token)
        position = found.end()


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "the end")

    def _takes(self, *signs: str) -> str | None:
        kind, token = self._peek()
        if kind == "sign" and token in signs:
            self._next += 1
            return token
        return None

    def _demand(self, sign: str) -> None:
        if self._takes(sign) is None:
            raise InvalidExpression(f"Expected '{sign}' before {self._peek()[1]}")

    def end(self) -> None:
        if self._next < len(self._tokens):
            raise InvalidExpression(f"Unexpected {self._peek()[1]}")

    def level(self, number: int) -> Node:
        """Read operands of one level of precedence and what joins them, from the left."""
        if number == len(_LEVELS):
            return self._signed()
        node = self.level(number + 1)
        while (operator := self._takes(*_LEVELS[number])) is not None:
            node = Binary(operator, node, self.level(number + 1))
        return node

    def _signed(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise InvalidExpression("The expression is nested too deeply")
        try:
            sign = self._takes("-", "+")
            if sign is not None:
                below = self._signed()
                return Unary(below) if sign == "-" else below
            node = self._primary()
            # To the right, as powers are written.
            return Binary("^", node, self._signed()) if self._takes("^") is not None else node
        finally:
            self._depth -= 1

    def _primary(self) -> Node:
        kind, token = self._peek()
        self._next += 1
        if kind == "number":
            return Number(float(token))
        if kind == "text":
            return Text(token[1:-1])
        if kind == "name":
            return self._named(token)
        if token == "(":
            node = self.level(0)
            self._demand(")")
            return node
        if token == "[":
            return Listed(self._until("]"))
        raise InvalidExpression(f"Unexpected {token}")

    def _named(self, name: str) -> Node:
        if self._takes("(") is not None:
            return Call(name, self._until(")"))
        # Documented: ids begin with a lower-case letter, and functions are upper-case.
        return Reference(name) if name[0].islower() else Word(name)

    def _until(self, closing: str) -> tuple[Node, ...]:
        if self._takes(closing) is not None:
            return ()
        items = [self.level(0)]
        while self._takes(",") is not None:
            items.append(self.level(0))
        self._demand(closing)
        return tuple(items)
