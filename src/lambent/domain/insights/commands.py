"""What a query consists of: commands, and the expressions in them. Made by `syntax`, worked by `run`."""

from typing import Any, TypeAlias

import msgspec


class MalformedQuery(Exception):
    """The text is no query: what is wrong, and from where to where."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


# Expressions --------------------------------------------------------------------------------------------------------


class Field(msgspec.Struct, frozen=True):
    """A field by its name, dots and all."""

    name: str


class Constant(msgspec.Struct, frozen=True):
    """Text, a number or a truth."""

    value: str | int | float | bool


class Regex(msgspec.Struct, frozen=True):
    """A pattern between slashes, and RE2's form of it."""

    pattern: str
    compiled: Any
    literal: str | None
    """The text that it stands for, where it is nothing but text."""


class Period(msgspec.Struct, frozen=True):
    """A length of time, such as `5m`."""

    count: int
    unit: str
    """One of ms, s, m, h, d, w, mo, q, y."""


class Operation(msgspec.Struct, frozen=True):
    """An operator and what it is applied to: one operand or two; `and` and `or` may have more."""

    operator: str
    operands: "tuple[Expression, ...]"


class Call(msgspec.Struct, frozen=True):
    """A function by its name in small letters."""

    name: str
    arguments: "tuple[Expression, ...]"
    text: str
    """As it was written: the name of its column where none is given."""
    start: int
    end: int


Expression: TypeAlias = Field | Constant | Regex | Period | Operation | Call


class Item(msgspec.Struct, frozen=True):
    """An expression and the name of its column."""

    expression: Expression
    name: str
    is_named: bool
    """By `as`."""
    start: int
    end: int


# Commands -----------------------------------------------------------------------------------------------------------


class Fields(msgspec.Struct, frozen=True):
    items: tuple[Item, ...]


class Display(msgspec.Struct, frozen=True):
    items: tuple[Item, ...]


class Filter(msgspec.Struct, frozen=True):
    condition: Expression


class ParseGlob(msgspec.Struct, frozen=True):
    subject: Expression
    literals: tuple[str, ...]
    """The texts around the wildcards: one more than there are names."""
    names: tuple[str, ...]


class ParseRegex(msgspec.Struct, frozen=True):
    subject: Expression
    regex: Regex
    names: tuple[str, ...]


class Stats(msgspec.Struct, frozen=True):
    items: tuple[Item, ...]
    keys: tuple[Item, ...]


class SortKey(msgspec.Struct, frozen=True):
    expression: Expression
    is_descending: bool


class Sort(msgspec.Struct, frozen=True):
    keys: tuple[SortKey, ...]


class Limit(msgspec.Struct, frozen=True):
    rows: int


class Dedup(msgspec.Struct, frozen=True):
    keys: tuple[Expression, ...]


Command: TypeAlias = Fields | Display | Filter | ParseGlob | ParseRegex | Stats | Sort | Limit | Dedup
