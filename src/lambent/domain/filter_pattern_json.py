r"""
Filter patterns for JSON: `{ $.level = "ERROR" && $.latency > 100 }`. Pure.

A message has to be one object of JSON, with blanks around it at most. Documented: CloudWatch Logs user guide, filter
pattern syntax, JSON log events, unless a line says otherwise.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

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

DEPTH_MAX = 64
"""Parentheses within parentheses. Assumed: nobody means more, and each level is a call."""

WILDCARDS_MAX = 3
"""In a pattern; in the path of one property there is one at most."""

_Holds: TypeAlias = Callable[[Any], bool]
"""Says of a decoded message whether it has what is asked."""

_Step: TypeAlias = str | int | None
"""A member, an element, or any of either."""

_MISSING: Any = object()

_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_NUMERIC = frozenset("0123456789+-.eE")


class _Path:
    """Where in a message a property is."""

    __slots__ = ("_has_star", "steps", "text")

    def __init__(self, text: str, steps: Sequence[_Step]) -> None:
        self.text = text
        self.steps = steps
        self._has_star = None in steps

    @property
    def literals(self) -> Iterator[str]:
        """What a message without a backslash holds that has the property."""
        return (f'"{step}"' for step in self.steps if isinstance(step, str))

    @property
    def wildcards(self) -> int:
        return sum(1 for step in self.steps if step is None)

    def values(self, message: Any) -> Sequence[Any]:
        """Return what is there: one value, or more where the path has a star; none where nothing is."""
        if not self._has_star:
            value = message
            for step in self.steps:
                assert step is not None, "that is a star"
                value = _member(value, step)
                if value is _MISSING:
                    return ()
            return (value,)
        values = [message]
        for step in self.steps:
            if step is None:
                values = [one for value in values for one in _within(value)]
            else:
                values = [one for value in values if (one := _member(value, step)) is not _MISSING]
            if not values:
                break
        return values


def _within(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _member(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
    return value[step] if isinstance(value, list) and step < len(value) else _MISSING


class _Condition:
    """A condition or several in one, compiled."""

    __slots__ = ("holds", "literals", "plain")

    def __init__(self, holds: _Holds, plain: Sequence[str] = (), literals: Sequence[str] = ()) -> None:
        self.holds = holds
        self.plain = plain
        self.literals = literals


class JsonPattern:
    """A pattern for JSON."""

    def __init__(self, condition: _Condition, paths: Sequence[_Path], regexes: int) -> None:
        self.regexes = regexes
        self.literals = tuple(dict.fromkeys(["{", *condition.literals]))
        self.plain_literals = tuple(dict.fromkeys([*self.literals, *condition.plain]))
        self._holds = condition.holds
        self._paths = paths

    def matches(self, message: str) -> bool:
        return self._decoded(message) is not None

    def extract(self, message: str) -> Mapping[str, str] | None:
        return self._read(message, self._paths)

    def reader(self, references: Sequence[str]) -> Callable[[str], Mapping[str, str] | None]:
        paths = [parse_path(reference) for reference in references]
        return lambda message: self._read(message, paths)

    def _read(self, message: str, paths: Sequence[_Path]) -> Mapping[str, str] | None:
        decoded = self._decoded(message)
        if decoded is None:
            return None
        found = {}
        for path in paths:
            # Assumed: where a star finds several values, the first is taken (test_filter_pattern_json).
            text = next((text for value in path.values(decoded) if (text := _text(value)) is not None), None)
            if text is not None:
                found[path.text] = text
        return found

    def _decoded(self, message: str) -> Any:
        """Return what a message holds if it matches."""
        if "\\" not in message:
            # Looking for a name costs a small part of what decoding does.
            for literal in self.plain_literals:
                if literal not in message:
                    return None
        decoded = decoded_object(message)
        return decoded if decoded is not None and self._holds(decoded) else None


def decoded_object(message: str) -> Mapping[str, Any] | None:
    """Return the object that a message is; None for one that is none. Assumed: blanks around it do not matter."""
    try:
        decoded = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _text(value: Any) -> str | None:
    """Return a value as text: of objects, lists and null there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


# Reading ------------------------------------------------------------------------------------------------------------


def parse_json(text: str) -> JsonPattern:
    """
    Read a pattern.

    Args:
        text: from its brace to its brace.

    Raises:
        InvalidPattern: it is none.
    """
    reader = Reader(text, 1, len(text) - 1)
    paths: list[_Path] = []
    condition = _parse_any(reader, paths, 0)
    reader.skip_blanks()
    if not reader.is_done():
        raise InvalidPattern
    if sum(path.wildcards for path in paths) > WILDCARDS_MAX:
        raise InvalidPattern
    return JsonPattern(condition, list({path.text: path for path in paths}.values()), reader.regexes)


def parse_path(text: str) -> _Path:
    """
    Read a property's path, all of a text.

    Raises:
        InvalidPattern: it is none.
    """
    reader = Reader(text, 0, len(text))
    path = _parse_path(reader)
    if not reader.is_done():
        raise InvalidPattern
    return path


def _parse_any(reader: Reader, paths: list[_Path], depth: int) -> _Condition:
    conditions = [_parse_all(reader, paths, depth)]
    while reader.takes("||"):
        conditions.append(_parse_all(reader, paths, depth))
    if len(conditions) == 1:
        return conditions[0]
    tests = [one.holds for one in conditions]
    return _Condition(lambda message: any(test(message) for test in tests))


def _parse_all(reader: Reader, paths: list[_Path], depth: int) -> _Condition:
    conditions = [_parse_one(reader, paths, depth)]
    reader.skip_blanks()
    while reader.takes("&&"):
        conditions.append(_parse_one(reader, paths, depth))
        reader.skip_blanks()
    if len(conditions) == 1:
        return conditions[0]
    tests = [one.holds for one in conditions]
    return _Condition(
        lambda message: all(test(message) for test in tests),
        [literal for one in conditions for literal in one.plain],
        [literal for one in conditions for literal in one.literals],
    )


def _parse_one(reader: Reader, paths: list[_Path], depth: int) -> _Condition:
    reader.skip_blanks()
    if not reader.takes("("):
        path = _parse_path(reader)
        paths.append(path)
        return _parse_condition(reader, path)
    if depth >= DEPTH_MAX:
        raise InvalidPattern
    condition = _parse_any(reader, paths, depth + 1)
    reader.skip_blanks()
    reader.demand(")")
    return condition


def _parse_path(reader: Reader) -> _Path:
    start = reader.at
    reader.demand("$")
    steps: list[_Step] = []
    while True:
        if reader.takes("."):
            if reader.takes("*"):
                steps.append(None)
            elif reader.peek() != "[":
                name = reader.word(is_name)
                if not name:
                    # Observed: `$."sc-status"` is refused with what has been read of it.
                    raise bad_characters(reader.text[start : reader.at + 1]) if not reader.is_done() else InvalidPattern
                steps.append(name)
        elif reader.takes("["):
            steps.append(_parse_bracket(reader))
        else:
            break
    path = _Path(reader.text[start : reader.at], steps)
    if not steps or path.wildcards > 1 or path.text.endswith("."):
        raise InvalidPattern
    return path


def _parse_bracket(reader: Reader) -> _Step:
    step: _Step
    if reader.takes("*"):
        step = None
    elif (quote := reader.peek()) in {"'", '"'} and quote:
        reader.at += 1
        step = reader.word(lambda character: character != quote)
        reader.demand(quote)
    else:
        digits = reader.word(str.isdecimal)
        # More than nine digits are an element that no message has; and no number here is to become large.
        if not digits or not digits.isascii() or len(digits) > 9:
            raise InvalidPattern
        step = int(digits)
    reader.demand("]")
    return step


def _parse_condition(reader: Reader, path: _Path) -> _Condition:
    reader.skip_blanks()
    sign = reader.operator()
    if sign:
        reader.skip_blanks()
        return _parse_comparison(reader, path, sign)
    word = reader.word(str.isalpha)
    literals = list(path.literals)
    if word == "EXISTS":
        # Documented as not supported once. It says what `= *` does not: that there is a value of any kind.
        return _Condition(lambda message: bool(path.values(message)), literals)
    reader.skip_blanks()
    constant = reader.word(str.isalpha)
    if word == "NOT" and constant == "EXISTS":
        return _Condition(lambda message: not path.values(message))
    if word == "IS" and constant in _CONSTANTS:
        wanted = _CONSTANTS[constant]
        # These are written in one way only.
        sure = [constant.lower()]
        return _Condition(lambda message: any(value is wanted for value in path.values(message)), literals, sure)
    raise InvalidPattern


_CONSTANTS: Mapping[str, bool | None] = {"NULL": None, "TRUE": True, "FALSE": False}


def _parse_comparison(reader: Reader, path: _Path, sign: str) -> _Condition:
    literals = list(path.literals)
    if reader.peek() == "%" and sign in {"=", "!="}:
        return _Condition(_compared(path, _on_text(reader.regex()), is_negated=sign == "!="), literals)
    is_quoted = reader.peek() == '"'
    text = reader.quoted() if is_quoted else reader.word(is_value)
    if not text and not is_quoted:
        raise bad_characters(reader.peek()) if not reader.is_done() else InvalidPattern
    wanted = None if is_quoted else number(text)
    if sign in _ORDER:
        if wanted is None:
            # Observed: a suite of patterns that somebody ran on AWS.
            raise bad_characters(f'"{text}"')
        return _Condition(_ordered(path, _ORDER[sign], wanted), literals)
    test = _on_text(wildcard(text)) if wanted is None else _equal(text, wanted)
    if "*" in text and not text.strip("*"):
        # A value of any kind but null, an object or a list.
        test = _is_scalar
    if sign == "=" and wanted is None:
        # A number may be written otherwise than the pattern has it: what looks like a part of one proves nothing.
        literals += [piece for piece in text.split("*") if not _NUMERIC.issuperset(piece)]
    return _Condition(_compared(path, test, is_negated=sign == "!="), literals)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _on_text(test: Test) -> Callable[[Any], bool]:
    """
    Return the test of a text, and of a number as it is written.

    Observed: a suite of patterns that somebody ran on AWS: "12.34" and 12.* are of the number 12.34, "12" is not of
    12.0.
    """

    def on_value(value: Any) -> bool:
        if isinstance(value, str):
            return test(value)
        return isinstance(value, int | float) and not isinstance(value, bool) and test(str(value))

    return on_value


def _equal(text: str, wanted: float) -> Callable[[Any], bool]:
    """Return the test for a number. Observed: 123.0 is 123. Assumed: a text is the number's if it is written so."""

    def test(value: Any) -> bool:
        if isinstance(value, str):
            return value == text
        return isinstance(value, int | float) and not isinstance(value, bool) and value == wanted

    return test


def _compared(path: _Path, test: Callable[[Any], bool], *, is_negated: bool) -> _Holds:
    """
    Return whether a property is what is wanted, or is there and is not.

    Observed: the same suite: a property that is not there, an object and a list are neither. Assumed: null, true and
    false are neither as well; where a path has a star, one value is enough (test_filter_pattern_json).
    """
    if not is_negated:
        return lambda message: any(test(value) for value in path.values(message))

    def differs(message: Any) -> bool:
        return any(
            isinstance(value, str | int | float) and not isinstance(value, bool) and not test(value)
            for value in path.values(message)
        )

    return differs


def _ordered(path: _Path, order: Callable[[float, float], bool], wanted: float) -> _Holds:
    def holds(message: Any) -> bool:
        return any(
            isinstance(value, int | float) and not isinstance(value, bool) and order(value, wanted)
            for value in path.values(message)
        )

    return holds
