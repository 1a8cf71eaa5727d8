"""
The rules of composite alarms: `ALARM(a) AND NOT (OK("b c") OR INSUFFICIENT_DATA(arn:...))`.

Documented: CloudWatch API reference, PutCompositeAlarm, AlarmRule.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from lambent.domain.alarm import parse_alarm_arn
from lambent.domain.caller import Scope

CHILDREN_MAX = 100
ELEMENTS_MAX = 500
"""Documented: CloudWatch API reference, PutCompositeAlarm: alarms that a rule names, and elements that it has."""

PARENTS_MAX = 150
"""Documented: CloudWatch user guide, CloudWatch service quotas: composite alarms that name one alarm."""

_NESTING_MAX = 100
"""Parentheses and NOTs around each other: more is nobody's rule, and each takes a frame. Assumed."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]{1,1600})"|(?P<bare>[^"()\s]{1,1600}))\s*\)"""
    r"""|(?P<word>AND|OR|NOT|TRUE|FALSE)(?![A-Za-z0-9_])|(?P<sign>[()]))"""
)


class InvalidRule(Exception):
    """A text is no rule; `args[0]` says why."""


class InState(msgspec.Struct, frozen=True):
    """Whether an alarm is in a state."""

    state: str
    alarm: str
    """Its name."""


class Not(msgspec.Struct, frozen=True):
    of: "Expression"


class Both(msgspec.Struct, frozen=True):
    parts: "tuple[Expression, ...]"


class Either(msgspec.Struct, frozen=True):
    parts: "tuple[Expression, ...]"


Expression: TypeAlias = InState | Not | Both | Either | bool


class AlarmRule(msgspec.Struct, frozen=True):
    """A rule, read."""

    expression: Expression
    children: tuple[str, ...]
    """Names of the alarms that it asks for, each once, in their order."""

    def holds(self, states: Mapping[str, str]) -> bool:
        """
        Say whether it is fulfilled.

        Args:
            states: by the name of the alarm. One that is not there is in no state.
        """
        return _holds(self.expression, states)


def parse_rule(text: str, scope: Scope) -> AlarmRule:
    """
    Read a rule.

    Args:
        scope: whose alarms it may name.

    Raises:
        InvalidRule: it is none, it is too long, or it names an alarm of another account or region.
    """
    reader = _Reader(text, scope)
    expression = reader.read()
    return AlarmRule(expression, tuple(reader.children))


def find_cycle(name: str, children_of: Callable[[str], Iterable[str]]) -> bool:
    """
    Say whether an alarm depends on itself.

    Args:
        children_of: names of the alarms that one depends on by itself.
    """
    seen: set[str] = set()
    ahead = list(children_of(name))
    while ahead:
        one = ahead.pop()
        if one == name:
            return True
        if one not in seen:
            seen.add(one)
            ahead.extend(children_of(one))
    return False


def upwards(changed: str, parents_of: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """
    Return the alarms above one that has changed, each behind all those that it goes by.

    What is in a circle is left out, and what is above one. Documented: CloudWatch user guide, creating a composite
    alarm: evaluation stops there.

    Args:
        parents_of: the names of those that go by an alarm by themselves; of the changed one and of all above it.
    """
    below = dict.fromkeys(parents_of, 0)
    for parents in parents_of.values():
        for parent in parents:
            below[parent] += 1
    order: list[str] = []
    ahead = [changed]
    while ahead:
        for parent in parents_of[ahead.pop()]:
            below[parent] -= 1
            if not below[parent] and parent != changed:
                order.append(parent)
                ahead.append(parent)
    # What was reached is in a circle only with the changed one itself: all else in one waits for itself for ever.
    in_circle = _leading_to(changed, parents_of)
    return [name for name in order if name not in in_circle]


def _leading_to(changed: str, parents_of: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the alarms from which one comes up to the changed one."""
    below: dict[str, list[str]] = {}
    for name, parents in parents_of.items():
        for parent in parents:
            below.setdefault(parent, []).append(name)
    found: set[str] = set()
    ahead = [changed]
    while ahead:
        for name in below.get(ahead.pop(), ()):
            if name not in found:
                found.add(name)
                ahead.append(name)
    return found


class _Reader:
    """Goes through a rule from left to right; NOT binds most, then AND, then OR."""

    def __init__(self, text: str, scope: Scope) -> None:
        self._text = text
        self._scope = scope
        self._at = 0
        self._elements = 0
        self._depth = 0
        self._token: re.Match[str] | None = None
        self.children: dict[str, None] = {}
        self._advance()

    def read(self) -> Expression:
        expression = self._either()
        if self._token is not None:
            raise InvalidRule(f"{self._token[0].strip()} is not expected there")
        return expression

    def _advance(self) -> None:
        rest = self._text[self._at :]
        if not rest.strip():
            self._token = None
            return
        self._token = _TOKEN.match(self._text, self._at)
        if self._token is None:
            raise InvalidRule(f"it cannot be understood from {rest.strip()[:40]!r} on")
        self._at = self._token.end()
        if self._token["sign"] is None:
            self._elements += 1
            if self._elements > ELEMENTS_MAX:
                raise InvalidRule(f"it has more than {ELEMENTS_MAX} elements")

    def _is(self, text: str) -> bool:
        return self._token is not None and text in (self._token["word"], self._token["sign"])

    def _either(self) -> Expression:
        parts = [self._both()]
        while self._is("OR"):
            self._advance()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self) -> Expression:
        parts = [self._one()]
        while self._is("AND"):
            self._advance()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _one(self) -> Expression:
        token = self._token
        if token is None:
            raise InvalidRule("it ends too early")
        self._depth += 1
        if self._depth > _NESTING_MAX:
            raise InvalidRule("it is nested too deeply")
        self._advance()
        expression: Expression
        if token["state"]:
            expression = InState(token["state"], self._child(token["quoted"] or token["bare"]))
        elif token["word"] == "NOT":
            expression = Not(self._one())
        elif token["word"] in ("TRUE", "FALSE"):
            expression = token["word"] == "TRUE"
        elif token["sign"] == "(":
            expression = self._either()
            if not self._is(")"):
                raise InvalidRule("a parenthesis is not closed")
            self._advance()
        else:
            raise InvalidRule(f"{token[0].strip()} is not expected there")
        self._depth -= 1
        return expression

    def _child(self, text: str) -> str:
        name = text
        if text.startswith("arn:"):
            named = parse_alarm_arn(text)
            if named is None:
                raise InvalidRule(f"{text} is not the ARN of an alarm")
            scope, name = named
            if scope != self._scope:
                raise InvalidRule(f"{text} is an alarm of another account or region")
        self.children[name] = None
        if len(self.children) > CHILDREN_MAX:
            raise InvalidRule(f"it names more than {CHILDREN_MAX} alarms")
        return name


def _holds(expression: Expression, states: Mapping[str, str]) -> bool:
    match expression:
        case bool():
            return expression
        case InState(state, alarm):
            return states.get(alarm) == state
        case Not(of):
            return not _holds(of, states)
        case Both(parts):
            return all(_holds(part, states) for part in parts)
        case Either(parts):
            return any(_holds(part, states) for part in parts)
