"""
Constraints of the model: what a request breaks of them, collected into one message in AWS's words.

One check per operation, compiled at its first use; a pattern is compiled when the first value meets it.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from datetime import datetime
from functools import cache, lru_cache
from itertools import islice
from typing import Any

from lambent.protocol.scalars import write_float
from lambent.protocol.service_model import Operation, ServiceModel, Shape

Validator = Callable[[Mapping[str, Any]], str | None]
"""Parameters to the whole error text, or None where nothing is broken."""

_Check = Callable[[Any, str, list[str]], None]
"""Value, path of the member and the clauses so far, to which the check adds its own."""

_NOT_NULL = "Member must not be null"

# A request of some megabytes can break the model in millions of places, and each would repeat its value. Assumed: how
# much of that AWS tells is not known; nobody reads as much as this.
_CLAUSES_MAX = 100
"""Collections are not looked at any further once so many constraints are broken."""
_SHOWN_CHARACTERS_MAX = 4096
_SHOWN_ITEMS_MAX = 100
_MATCHED_CHARACTERS_MAX = 65_536
"""A longer text is not held against its pattern where the request is refused anyway."""

UNCHECKED = frozenset(
    {
        ("apigatewayv2", "CreateApi", "ProtocolType", "enum"),
        ("lambda", "CreateFunction", "Runtime", "enum"),
        ("lambda", "UpdateFunctionConfiguration", "Runtime", "enum"),
        ("logs", "CreateLogGroup", "LogGroupName", "max"),
        ("logs", "ListTagsForResource", "AmazonResourceName", "pattern"),
        ("logs", "TagResource", "AmazonResourceName", "pattern"),
        ("logs", "UntagResource", "AmazonResourceName", "pattern"),
    }
)
"""Service, operation, shape and trait of constraints that the service itself checks: it answers otherwise."""
# Assumed: the ARN that DescribeLogGroups shows, and CloudFormation's GetAtt, ends with `:*`, which the pattern of the
# operations on tags leaves out; who passes it on means the group. Revisit: test_tags.

CHECK_ENUMS_THEMSELVES = frozenset({"sqs"})
"""Services that check every enum themselves."""
# Observed: SQS answers an unknown attribute with InvalidAttributeName (localstack/localstack, recorded answers).
# Observed: an unknown runtime is an InvalidParameterValueException that also speaks of ARNs
# (localstack/localstack, recorded answers of CreateFunction).


def compile_validator(model: ServiceModel, operation: Operation) -> Validator:
    """Build the validator of one operation's input."""
    if operation.input is None:
        return lambda _parameters: None
    check = _Checks(model.name, operation.name).check(operation.input)
    if check is None:
        return lambda _parameters: None

    def validate(parameters: Mapping[str, Any]) -> str | None:
        clauses: list[str] = []
        check(parameters, "", clauses)
        if not clauses:
            return None
        plural = "" if len(clauses) == 1 else "s"
        return f"{len(clauses)} validation error{plural} detected: {'; '.join(clauses)}"

    return validate


@cache
def compile_pattern(pattern: str) -> Callable[[str], object]:
    """
    Compile a pattern of a model.

    Returns:
        what matches a whole value or returns None.
    """
    # `re` has no \p{L}. Models mean Java's classes: \d, \w and \s are ASCII, \p{...} is not; the library's flag
    # would narrow both, so a pattern with \p keeps the wide ones.
    import regex

    compiled = regex.compile(pattern, 0 if r"\p" in pattern else regex.ASCII)
    return compiled.fullmatch


_REMEMBERED_CHARACTERS_MAX = 256


def _is_match(pattern: str, value: str) -> bool:
    """Say whether a pattern matches a whole value."""
    return (_remembered if len(value) <= _REMEMBERED_CHARACTERS_MAX else _matches)(pattern, value)


def _matches(pattern: str, value: str) -> bool:
    return compile_pattern(pattern)(value) is not None


_remembered = lru_cache(maxsize=2048)(_matches)
"""
The same few names come again and again. It is not for the time that matching takes: the library lets go of the
interpreter meanwhile, another thread takes it, and getting it back takes ten times as long.
"""


class _Checks:
    """
    Builds checks.

    One instance serves one operation: it remembers the checks of structures, because a structure may hold itself.
    """

    def __init__(self, service: str, operation: str) -> None:
        self._service = service
        self._operation = operation
        self._structures: dict[str, _Check | None] = {}

    def check(self, shape: Shape) -> _Check | None:
        """Build the check of one shape, or None where every value is valid."""
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        return self._scalar(shape)

    def _structure(self, shape: Shape) -> _Check | None:
        if shape.name in self._structures:
            return self._structures[shape.name]
        members: list[tuple[str, str, bool, _Check | None]] = []

        def check(value: Any, path: str, clauses: list[str]) -> None:
            for name, shown_name, is_required, check_member in members:
                member = value.get(name)
                if member is not None:
                    if check_member is not None:
                        check_member(member, f"{path}.{shown_name}" if path else shown_name, clauses)
                elif is_required:
                    clauses.append(_clause("Value null", f"{path}.{shown_name}" if path else shown_name, _NOT_NULL))

        # Until its members are known, a structure inside itself is taken for one that needs its check.
        self._structures[shape.name] = check
        # Observed: where qualifier and functionName both fail, the qualifier comes first (localstack/localstack,
        # recorded answers). Assumed: so do all members of the query string.
        for name, member in sorted(shape.members.items(), key=lambda named: named[1].location != "querystring"):
            check_member = self.check(member)
            is_required = name in shape.required
            if check_member is not None or is_required:
                members.append((name, name[:1].lower() + name[1:], is_required, check_member))
        if not members:
            self._structures[shape.name] = None
        return self._structures[shape.name]

    def _list(self, shape: Shape) -> _Check:
        check_length = _length_check(shape)
        check_item = self.check(shape.item)
        show = _shown(shape, shape.item)

        def check_scalars(value: Any, path: str, clauses: list[str]) -> None:
            if check_length is not None:
                check_length(value, path, clauses)
            if _any_broken(value, check_item):
                clauses.append(_clause(show(value), path, f"Member must satisfy constraint: [{rules}]"))

        def check_collections(value: Any, path: str, clauses: list[str]) -> None:
            if check_length is not None:
                check_length(value, path, clauses)
            for number, item in enumerate(value, 1):
                if len(clauses) >= _CLAUSES_MAX:
                    return
                # Observed: paths go on with the item's number and `member` (mhart/dynalite, recorded answers).
                if item is None:
                    clauses.append(_clause("Value null", f"{path}.{number}.member", _NOT_NULL))
                elif check_item is not None:
                    check_item(item, f"{path}.{number}.member", clauses)

        if shape.item.type in ("structure", "list", "map"):
            return check_collections
        rules = ", ".join((*self._rules(shape.item), _NOT_NULL))
        return check_scalars

    def _map(self, shape: Shape) -> _Check:
        check_length = _length_check(shape)
        check_key = self.check(shape.key)
        check_value = self.check(shape.value)
        key_rules = ", ".join(self._rules(shape.key))
        value_rules = ", ".join((*self._rules(shape.value), _NOT_NULL))
        is_nested = shape.value.type in ("structure", "list", "map")
        show = _shown(shape, shape.key, shape.value)

        def check(value: Any, path: str, clauses: list[str]) -> None:
            if check_length is not None:
                check_length(value, path, clauses)
            if check_key is not None and _any_broken(value, check_key):
                clauses.append(_clause(show(value), path, f"Map keys must satisfy constraint: [{key_rules}]"))
            if not is_nested:
                if _any_broken(value.values(), check_value):
                    clauses.append(_clause(show(value), path, f"Map value must satisfy constraint: [{value_rules}]"))
                return
            for key, item in value.items():
                if len(clauses) >= _CLAUSES_MAX:
                    return
                if item is None:
                    clauses.append(_clause("Value null", f"{path}.{_show(key)}.member", _NOT_NULL))
                elif check_value is not None:
                    check_value(item, f"{path}.{_show(key)}.member", clauses)

        return check

    def _checked(self, shape: Shape) -> Shape:
        """Return a shape with the constraints alone that the service does not check itself."""
        here = (self._service, self._operation, shape.name)
        left = {trait for *place, trait in UNCHECKED if tuple(place) == here}
        if left:
            shape = copy(shape)
            shape.traits = {name: trait for name, trait in shape.traits.items() if name not in left}
        return shape

    def _scalar(self, shape: Shape) -> _Check | None:
        shape = self._checked(shape)
        rules = self._rules(shape)
        if not rules:
            return None
        if shape.type == "blob":
            return _length_check(shape)
        if shape.type != "string":
            return _range_check(shape)
        check_length = _length_check(shape)
        pattern: str | None = shape.traits.get("pattern")
        allowed = self._enum(shape)
        show = _shown(shape)

        def check(value: Any, path: str, clauses: list[str]) -> None:
            if check_length is not None:
                check_length(value, path, clauses)
            is_too_much = bool(clauses) and len(value) > _MATCHED_CHARACTERS_MAX
            if pattern is not None and not is_too_much and not _is_match(pattern, value):
                clauses.append(_clause(show(value), path, _pattern_rule(pattern)))
            if allowed is not None and value not in allowed:
                clauses.append(_clause(show(value), path, _enum_rule(allowed)))

        return check

    def _enum(self, shape: Shape) -> Mapping[str, None] | None:
        """Return the values of an enum, in the model's order, unless the service checks them itself."""
        values = shape.traits.get("enum")
        if not values or self._service in CHECK_ENUMS_THEMSELVES:
            return None
        return dict.fromkeys(values)

    def _rules(self, shape: Shape) -> list[str]:
        """Word every constraint of a scalar, in the order in which they are checked."""
        if shape.type in ("structure", "list", "map", "boolean", "timestamp"):
            return []
        word = _length_rules if shape.type in ("string", "blob") else _range_rules
        rules = [rule for rule in word(shape) if rule]
        if "pattern" in shape.traits:
            rules.append(_pattern_rule(shape.traits["pattern"]))
        allowed = self._enum(shape)
        if allowed is not None:
            rules.append(_enum_rule(allowed))
        return rules


# --- single constraints ----------------------------------------------------------------------------------------------


def _length_rules(shape: Shape) -> tuple[str, str]:
    """Word the upper and the lower bound of a length; empty where there is none."""
    most, least = shape.traits.get("max"), shape.traits.get("min")
    return (
        "" if most is None else f"Member must have length less than or equal to {most}",
        # A lower bound of nothing forbids nothing and stays in the model as a remnant.
        "" if not least else f"Member must have length greater than or equal to {least}",
    )


def _range_rules(shape: Shape) -> tuple[str, str]:
    """Word the upper and the lower bound of a number; empty where there is none."""
    is_whole = shape.type in ("integer", "long")
    most, least = (
        None if bound is None else str(int(bound)) if is_whole else write_float(float(bound))
        for bound in (shape.traits.get("max"), shape.traits.get("min"))
    )
    return (
        "" if most is None else f"Member must have value less than or equal to {most}",
        "" if least is None else f"Member must have value greater than or equal to {least}",
    )


def _pattern_rule(pattern: str) -> str:
    return f"Member must satisfy regular expression pattern: {pattern}"


def _enum_rule(allowed: Mapping[str, None]) -> str:
    return f"Member must satisfy enum value set: [{', '.join(allowed)}]"


def _length_check(shape: Shape) -> _Check | None:
    """Build the check of how long a string, blob, list or map is."""
    too_long, too_short = _length_rules(shape)
    if not too_long and not too_short:
        return None
    return _bounds_check(shape, len, too_long, too_short)


def _range_check(shape: Shape) -> _Check | None:
    """Build the check of how large a number is."""
    too_large, too_small = _range_rules(shape)
    if not too_large and not too_small:
        return None
    return _bounds_check(shape, lambda value: value, too_large, too_small)


def _bounds_check(shape: Shape, measure: Callable[[Any], Any], above: str, below: str) -> _Check:
    most = float(shape.traits["max"]) if above else float("inf")
    least = float(shape.traits["min"]) if below else float("-inf")
    show = _shown(shape)

    def check(value: Any, path: str, clauses: list[str]) -> None:
        # NaN is within no bounds.
        if not least <= measure(value) <= most:
            clauses.append(_clause(show(value), path, below if below and measure(value) < least else above or below))

    return check


def _any_broken(values: Any, check: _Check | None) -> bool:
    """Tell whether a value is missing or breaks its check."""
    found: list[str] = []
    for value in values:
        if value is None:
            return True
        if check is not None:
            check(value, "", found)
            if found:
                return True
    return False


# --- words -----------------------------------------------------------------------------------------------------------


def _clause(shown: str, path: str, rule: str) -> str:
    return f"{shown} at '{path}' failed to satisfy constraint: {rule}"


def _shown(*shapes: Shape) -> Callable[[Any], str]:
    """Build what begins a clause: with the value, unless one of its shapes is sensitive."""
    # Observed: the value of a sensitive member is left out, e.g. `Value at 'environment.variables'`
    # (texts quoted for CreateFunction and for Cognito's passwords).
    if any(shape.is_sensitive for shape in shapes):
        return lambda _value: "Value"
    return lambda value: f"Value '{_show(value)}'"


def _show(value: Any) -> str:
    """Print a value as the service does, whose words for collections are Java's; of large ones the beginning."""
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_CHARACTERS_MAX else f"{value[:_SHOWN_CHARACTERS_MAX]}..."
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return write_float(value)
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{_joined(map(_show, value), len(value))}]"
    if isinstance(value, dict):
        return f"{{{_joined((f'{_show(key)}={_show(item)}' for key, item in value.items()), len(value))}}}"
    return str(value)


def _joined(shown: Iterable[str], count: int) -> str:
    """Join the items of a collection, not many more characters than are shown of a text."""
    parts: list[str] = []
    size = 0
    for part in islice(shown, _SHOWN_ITEMS_MAX):
        if size > _SHOWN_CHARACTERS_MAX:
            break
        parts.append(part)
        size += len(part)
    return ", ".join(parts if len(parts) == count else [*parts, "..."])
