"""
Conditions of the policy language: operators, and what they make of a request's keys. Pure.

Documented: IAM user guide, condition operators; conditions with multiple context keys or values.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from lambent.domain.pattern import ArnPattern, Pattern, compile_arn_pattern, compile_pattern

ContextValue: TypeAlias = str | Sequence[str]
"""Of a condition key: one value, or several of a key that may have several."""

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class MalformedCondition(Exception):
    """What is no condition. The text is for who wrote it."""


class Condition(msgspec.Struct, frozen=True):
    """One key under one operator."""

    key: str
    """In small letters."""
    operator: "_Operator"
    is_negated: bool
    passes_missing: bool
    """`IfExists`."""
    over_all: bool | None
    """`ForAllValues` or `ForAnyValue`; None: the key has one value."""
    wanted: tuple[Any, ...]
    """As the operator compiled them; None for one of the wrong form."""

    @property
    def keys(self) -> Iterator[str]:
        """The condition keys that it looks at, in small letters."""
        yield self.key
        for one in self.wanted:
            if isinstance(one, Pattern | ArnPattern):
                yield from one.variables

    def holds(self, context: Mapping[str, ContextValue]) -> bool:
        """
        Say whether it is met.

        A key without a value meets what is negated, and what says `IfExists`.
        """
        given = context.get(self.key)
        if self.operator is _NULL:
            # Documented: a key whose value is empty counts as one that is not there.
            return any(one is (not given) for one in self.wanted)
        if given is None or (not given and not isinstance(given, str)):
            if self.passes_missing or self.over_all:
                return True
            return self.is_negated and self.over_all is None
        if self.over_all is None:
            # Observed: cloud-copilot/iam-simulate, whose author had it confirmed: several values need a set operator.
            return isinstance(given, str) and self._meets(given, context)
        values = (given,) if isinstance(given, str) else given
        return (all if self.over_all else any)(self._meets(value, context) for value in values)

    def _meets(self, value: str, context: Mapping[str, ContextValue]) -> bool:
        read, test, is_strict = self.operator.read, self.operator.test, self.operator.is_strict
        found = read(value)
        if found is None:
            # Documented for ARNs alone: what is none is unlike any. Assumed: otherwise it fulfils neither an operator
            # nor its negation (test_policy_condition).
            return self.is_negated and not is_strict
        if is_strict and self.is_negated and None in self.wanted:
            return False
        return any(one is not None and test(one, found, context) for one in self.wanted) is not self.is_negated


class _Operator(msgspec.Struct, frozen=True):
    """A comparison, without its negation and quantifiers."""

    compile: Callable[[str, bool], Any]
    """What a policy has (its text; whether variables mean something); None: it is of the wrong form."""
    test: Callable[[Any, Any, Mapping[str, ContextValue]], bool]
    """What a policy has, what a request has, and the context."""
    read: Callable[[str], Any] = str
    """What a request has; None: it is of the wrong form."""
    is_strict: bool = False
    """Whether something of the wrong form fulfils it no more negated than not."""


def compile_conditions(found: Any, *, has_variables: bool) -> Iterator[Condition]:
    """
    Compile what a statement has under Condition.

    Raises:
        MalformedCondition: it is none, or has an operator that there is not.
    """
    if found is None:
        return
    if not isinstance(found, Mapping):
        raise MalformedCondition("Condition must be an object")
    for written, keys in found.items():
        if isinstance(keys, Mapping) and not keys:
            # Observed: localstack/localstack tests/aws/services/iam (recorded): whatever it is called.
            continue
        over_all, name = _quantified(written.lower())
        passes_missing = name.endswith("ifexists")
        name = name.removesuffix("ifexists")
        operator = _OPERATORS.get(_NEGATIONS.get(name, name))
        if operator is None or (passes_missing and operator is _NULL):
            raise MalformedCondition(f"there is no condition operator {written[:100]}")
        if not isinstance(keys, Mapping):
            raise MalformedCondition(f"{written} must map condition keys to values")
        for key, values in keys.items():
            items = values if isinstance(values, list | tuple) else [values]
            if not all(isinstance(item, str | bool | int | float) for item in items):
                raise MalformedCondition(f"{written} must map condition keys to strings, numbers or booleans")
            wanted = tuple(operator.compile(_as_text(item), has_variables) for item in items)
            yield Condition(key.lower(), operator, name in _NEGATIONS, passes_missing, over_all, wanted)


def _quantified(operator: str) -> tuple[bool | None, str]:
    for prefix, over_all in (("forallvalues:", True), ("foranyvalue:", False)):
        if operator.startswith(prefix):
            return over_all, operator.removeprefix(prefix)
    return None, operator


def _as_text(item: Any) -> str:
    if isinstance(item, str):
        return item
    return str(item).lower() if isinstance(item, bool) else repr(item)


def _as_pattern(text: str, has_variables: bool) -> Pattern:
    return compile_pattern(text, has_variables=has_variables)


def _as_arn_pattern(text: str, has_variables: bool) -> ArnPattern | None:
    found = compile_arn_pattern(text, has_variables=has_variables)
    # Documented: each of the six parts is checked separately. Assumed: so there are six, also where a star ends it
    # (test_policy_condition).
    return found if found.is_arn and len(found.parts) == 6 else None


def _as_arn(text: str) -> str | None:
    return text if text.startswith("arn:") and text.count(":") >= 5 else None


def _is_equal(wanted: Pattern, given: str, context: Mapping[str, ContextValue]) -> bool:
    return wanted.text(context, len(given)) == given


def _is_equal_in_any_case(wanted: Pattern, given: str, context: Mapping[str, ContextValue]) -> bool:
    given = given.lower()
    # Small letters are never fewer than large ones.
    text = wanted.text(context, len(given))
    return text is not None and text.lower() == given


def _is_like(wanted: Pattern | ArnPattern, given: str, context: Mapping[str, ContextValue]) -> bool:
    return wanted.matches(given, context)


def _as_bool(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _is_bool(wanted: Pattern, given: bool, context: Mapping[str, ContextValue]) -> bool:
    return _as_bool(wanted.text(context, len("false")) or "") is given


_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")


def _as_number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


_EPOCH_SECONDS = re.compile(r"[0-9]{5,15}(?:\.[0-9]{1,9})?")
_YEAR_OR_MONTH = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")


def _as_time(text: str) -> Decimal | None:
    """Return seconds since the epoch. Documented: date operators: W3C's forms of ISO 8601, or these seconds."""
    if _EPOCH_SECONDS.fullmatch(text):
        return Decimal(text)
    try:
        if short := _YEAR_OR_MONTH.fullmatch(text):
            moment = datetime(int(short[1]), int(short[2] or 1), 1)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return Decimal((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp())


def _as_network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _as_address(text: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A socket of both families shows addresses of the old one so.
    return getattr(found, "ipv4_mapped", None) or found


def _as_bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _plain(read: Callable[[str], Any]) -> Callable[[str, bool], Any]:
    """Return how an operator compiles values in which variables are not known."""
    return lambda text, has_variables: read(text)


def _compared(read: Callable[[str], Decimal | None], holds: Callable[[Decimal, Decimal], bool]) -> _Operator:
    return _Operator(_plain(read), lambda wanted, given, context: holds(given, wanted), read, is_strict=True)


_COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "equals": lambda given, wanted: given == wanted,
    "lessthan": lambda given, wanted: given < wanted,
    "lessthanequals": lambda given, wanted: given <= wanted,
    "greaterthan": lambda given, wanted: given > wanted,
    "greaterthanequals": lambda given, wanted: given >= wanted,
}

_ARN = _Operator(_as_arn_pattern, _is_like, _as_arn)
_NULL = _Operator(_plain(_as_bool), lambda wanted, given, context: False)
"""Its test is of the key, not of a value: `Condition.holds` has it."""

_OPERATORS: Mapping[str, _Operator] = {
    "stringequals": _Operator(_as_pattern, _is_equal),
    "stringequalsignorecase": _Operator(_as_pattern, _is_equal_in_any_case),
    "stringlike": _Operator(_as_pattern, _is_like),
    "arnequals": _ARN,
    "arnlike": _ARN,
    "bool": _Operator(_as_pattern, _is_bool, _as_bool, is_strict=True),
    "binaryequals": _Operator(
        _plain(_as_bytes), lambda wanted, given, context: bool(wanted == given), _as_bytes, is_strict=True
    ),
    "ipaddress": _Operator(
        _plain(_as_network), lambda wanted, given, context: given in wanted, _as_address, is_strict=True
    ),
    "null": _NULL,
    **{f"numeric{name}": _compared(_as_number, holds) for name, holds in _COMPARISONS.items()},
    **{f"date{name}": _compared(_as_time, holds) for name, holds in _COMPARISONS.items()},
}
"""By name in small letters. Assumed: any case is taken, as policies that work have it (test_policy_condition)."""

_NEGATIONS: Mapping[str, str] = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "notipaddress": "ipaddress",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
}

OPERATORS = frozenset({*_OPERATORS, *_NEGATIONS})
"""All of them, in small letters."""
