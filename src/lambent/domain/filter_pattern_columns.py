"""
Filter patterns for columns between blanks: `[ip, user, status = 4*, bytes > 1000]`. Pure.

Documented: CloudWatch Logs user guide, filter pattern syntax, space-delimited log events, unless a line says otherwise.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence

from lambent.domain.filter_pattern_terms import (
    InvalidPattern,
    Reader,
    Test,
    bad_characters,
    is_name,
    is_value,
    number,
    wildcard,
)

_WORD = re.compile(r"\S+")

_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Column:
    """One column: its name, and what it has to be."""

    __slots__ = ("holds", "literals", "name")

    def __init__(self, name: str, holds: Test | None = None, literals: Sequence[str] = ()) -> None:
        self.name = name
        self.holds = holds
        """None where anything will do."""
        self.literals = literals


class ColumnsPattern:
    """
    A pattern of columns.

    Args:
        before: columns from the left.
        after: those behind `...`, counted from the right; None where there is no `...`.
    """

    def __init__(self, before: Sequence[_Column], after: Sequence[_Column] | None, regexes: int) -> None:
        self.regexes = regexes
        self._before = before
        self._after = after
        columns = [*before, *(after or ())]
        self.literals = tuple(dict.fromkeys(literal for column in columns for literal in column.literals))
        self.plain_literals = self.literals
        self._names = {f"${column.name}" for column in columns if column.name}
        self._tests = [(at, column.holds) for at, column in enumerate(before) if column.holds]
        self._tests += [(at - len(after or ()), column.holds) for at, column in enumerate(after or ()) if column.holds]

    def matches(self, message: str) -> bool:
        return self._columns(message) is not None

    def extract(self, message: str) -> Mapping[str, str] | None:
        found = self._columns(message)
        if found is None:
            return None
        names = [column.name for column in self._before]
        if self._after is not None:
            # What `...` stands for has no names but numbers.
            names += [""] * (len(found) - len(self._before) - len(self._after))
            names += [column.name for column in self._after]
        return {f"${name or place}": value for place, (name, value) in enumerate(zip(names, found, strict=True), 1)}

    def reader(self, references: Sequence[str]) -> Callable[[str], Mapping[str, str] | None]:
        for reference in references:
            # A column's number may be one that only `...` gives some messages.
            if reference not in self._names and not (reference[:1] == "$" and reference[1:].isdecimal()):
                raise InvalidPattern
        return self.extract

    def _columns(self, message: str) -> Sequence[str] | None:
        """Return a message's columns if it matches."""
        found = split_columns(message)
        fixed = len(self._before)
        if self._after is None:
            if len(found) != fixed:
                return None
        elif len(found) < fixed + len(self._after):
            return None
        for place, holds in self._tests:
            if not holds(found[place]):
                return None
        return found


def split_columns(message: str) -> Sequence[str]:
    """Return a message's columns: what is between blanks, and between quotation marks or brackets without these."""
    if '"' not in message and "[" not in message:
        return message.split()
    columns = []
    at, size = 0, len(message)
    # An end that is not found once is not looked for again: the message would be passed for each beginning of one.
    unended: set[str] = set()
    while at < size:
        character = message[at]
        if character.isspace():
            at += 1
            continue
        closing = {'"': '"', "[": "]"}.get(character)
        if closing and closing not in unended:
            end = message.find(closing, at + 1)
            if end >= 0:
                columns.append(message[at + 1 : end])
                at = end + 1
                continue
            # Assumed: without its end it is a word like others (test_filter_pattern_columns).
            unended.add(closing)
        word = _WORD.match(message, at)
        assert word is not None, "no blank stands here"
        columns.append(word.group())
        at = word.end()
    return columns


def parse_columns(text: str) -> ColumnsPattern:
    """
    Read a pattern.

    Args:
        text: from its bracket to its bracket.

    Raises:
        InvalidPattern: it is none.
    """
    reader = Reader(text, 1, len(text) - 1)
    before: list[_Column] = []
    after: list[_Column] | None = None
    reader.skip_blanks()
    if reader.is_done():
        # Observed: it is a pattern, which published setups take for that of every event with columns.
        return ColumnsPattern([], [], 0)
    while True:
        reader.skip_blanks()
        if reader.takes("..."):
            if after is not None:
                raise InvalidPattern
            after = []
        else:
            (before if after is None else after).append(_parse_column(reader))
        reader.skip_blanks()
        if reader.is_done():
            break
        if not reader.takes(","):
            raise bad_characters(reader.peek())
    names = [column.name for column in [*before, *(after or ())] if column.name]
    if len(names) != len(set(names)):
        raise InvalidPattern
    return ColumnsPattern(before, after, reader.regexes)


def _parse_column(reader: Reader) -> _Column:
    name = reader.word(is_name)
    reader.skip_blanks()
    alternatives: list[list[Test]] = [[]]
    literals: list[str] = []
    while sign := reader.operator():
        reader.skip_blanks()
        test, sure = _parse_test(reader, sign)
        alternatives[-1].append(test)
        literals += sure
        reader.skip_blanks()
        if reader.takes("||"):
            alternatives.append([])
        elif not reader.takes("&&"):
            break
        reader.skip_blanks()
        # Documented: each condition names the column again. Observed: the name of another one is no pattern.
        if reader.word(is_name) not in {name, ""}:
            raise InvalidPattern
        reader.skip_blanks()
    else:
        if alternatives != [[]]:
            raise InvalidPattern
        return _Column(name)
    return _Column(name, _any_of(alternatives), literals if len(alternatives) == 1 else ())


def _parse_test(reader: Reader, sign: str) -> tuple[Test, Sequence[str]]:
    """Return a condition's test, and what a message surely holds that passes it."""
    if reader.peek() == "%" and sign in {"=", "!="}:
        test = reader.regex()
        return (test if sign == "=" else _not(test)), ()
    is_quoted = reader.peek() == '"'
    text = reader.quoted() if is_quoted else reader.word(is_value)
    if not text and not is_quoted:
        raise bad_characters(reader.peek()) if not reader.is_done() else InvalidPattern
    value = None if is_quoted else number(text)
    if sign in _ORDER:
        if value is None:
            # Observed: a suite of patterns that somebody ran on AWS.
            raise bad_characters(f'"{text}"')
        return _ordered(_ORDER[sign], value), ()
    test = wildcard(text) if value is None else _equal(text, value)
    if sign == "!=":
        return _not(test), ()
    return test, () if value is not None else [piece for piece in text.split("*") if piece]


def _any_of(alternatives: Sequence[Sequence[Test]]) -> Test:
    """Return the test that all tests of one of several sets pass."""
    if len(alternatives) == 1 and len(alternatives[0]) == 1:
        return alternatives[0][0]
    return lambda text: any(all(test(text) for test in tests) for tests in alternatives)


def _not(test: Test) -> Test:
    return lambda text: not test(text)


def _equal(text: str, value: float) -> Test:
    return lambda given: given == text or number(given) == value


def _ordered(order: Callable[[float, float], bool], value: float) -> Test:
    def test(text: str) -> bool:
        given = number(text)
        return given is not None and order(given, value)

    return test
