"""
The pattern language by which events are chosen: for event source mappings here, for rules and subscriptions later.

A pattern is compiled once, and matching costs what pattern and event are long: wildcards do not backtrack. Pure.

Observed: localstack/localstack tests/aws/services/events/test_events_patterns.py with its recordings of
TestEventPattern (what matches, and the reasons of refusals), unless a line says otherwise.
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

Test: TypeAlias = Callable[[Any], bool]
"""Says whether one value of an event, which is no list and no object, is one that the pattern wants."""

DEPTH_MAX = 100
"""
Objects within objects, those of `$or` included. Assumed: a pattern of 4,096 characters could hold hundreds, and none is
meant to.
"""

_MISSING: Any = object()
_NOTHING: dict[str, Any] = {}
_ADDRESS_MAX = 64
"""The longest text of an address with a scope is not much longer: no time is spent on what cannot be one."""
_OPERATORS = frozenset(
    {"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}
)


class InvalidPattern(Exception):
    """The pattern is none. The message is the reason in AWS's words, without what leads up to it."""


def compile_pattern(pattern: Any) -> "Pattern":
    """
    Make a decoded pattern ready to match.

    Raises:
        InvalidPattern: it is none.
    """
    if not isinstance(pattern, dict):
        raise InvalidPattern("Filter is not an object")
    return Pattern(_compile_object(pattern, (), 0))


def parse_pattern(text: str) -> Any:
    """
    Decode a pattern from JSON.

    Raises:
        InvalidPattern: it is no JSON.
    """
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise InvalidPattern(f"the pattern is not JSON: {error}") from None


class Pattern:
    """A compiled pattern."""

    __slots__ = ("_root",)

    def __init__(self, root: "_Object") -> None:
        self._root = root

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Say whether an event, decoded from JSON, is one that the pattern chooses."""
        return self._root.matches(event, _Looks(event))


# Structure ----------------------------------------------------------------------------------------------------------


class _Object:
    """Fields that all have to match, and sets of objects of each of which one has to."""

    __slots__ = ("_alternatives", "_fields")

    def __init__(self, fields: Mapping[str, "_Object | _Leaf"], alternatives: Sequence[Sequence["_Object"]]) -> None:
        self._fields = fields
        self._alternatives = alternatives

    def matches(self, value: Mapping[str, Any], looks: "_Looks") -> bool:
        """
        Args:
            value: the object in the event that stands where this one stands in the pattern.
            looks: at the whole: whether a field is there at all is asked of that.
        """
        fields = looks.fields(value)
        for name, wanted in self._fields.items():
            found = fields.get(name, _MISSING)
            if isinstance(wanted, _Leaf):
                if not wanted.matches(found, looks):
                    return False
                continue
            # Of a list of objects one is enough, which has to match in all.
            for item in _objects(found):
                if wanted.matches(item, looks):
                    break
            else:
                return False
        for any_of in self._alternatives:
            for one in any_of:
                if one.matches(value, looks):
                    break
            else:
                return False
        return True


class _Leaf:
    """What one field may be: any of several."""

    __slots__ = ("_exact", "_or_absent", "_path", "_tests")

    def __init__(self, exact: frozenset[Any], tests: tuple[Test, ...], path: tuple[str, ...], or_absent: bool) -> None:
        self._exact = exact
        self._tests = tests
        self._path = path
        self._or_absent = or_absent

    def matches(self, found: Any, looks: "_Looks") -> bool:
        for value in _scalars(found):
            if _exact(value) in self._exact or any(test(value) for test in self._tests):
                return True
        # Of the whole event: in a list of objects, one that has the field is enough for it to be there.
        return self._or_absent and not looks.has(self._path)


class _Looks:
    """What one event was found to hold: each object is looked through once, and so is the whole for each path."""

    __slots__ = ("_event", "_fields", "_has")

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self._fields: dict[int, Mapping[str, Any]] = {}
        """By the identity of objects that live as long as the event, or as what is kept here of those."""
        self._has: dict[tuple[str, ...], bool] = {}

    def fields(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an object with its names that hold dots taken apart."""
        fields = self._fields.get(id(value))
        if fields is None:
            fields = self._fields[id(value)] = _without_dots(value)
        return fields

    def has(self, path: tuple[str, ...]) -> bool:
        """Say whether there is a value at the end of a path that is neither an object nor an empty list."""
        has = self._has.get(path)
        if has is None:
            *before, last = path
            objects: list[Mapping[str, Any]] = [self._event]
            for name in before:
                within = (_items(self.fields(one).get(name, _MISSING)) for one in objects)
                objects = [item for items in within for item in items if isinstance(item, dict)]
            has = self._has[path] = any(True for one in objects for _ in _scalars(self.fields(one).get(last, _MISSING)))
        return has


def _without_dots(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object whose names with a dot stand for objects in objects, as those of patterns do."""
    if not any("." in key for key in value):
        return value
    fields: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for key, found in value.items():
        if (parts := _parts(key)) is None:
            fields[key] = found
        else:
            nested.setdefault(parts[0], {})[parts[1]] = found
    for name, within in nested.items():
        found = fields.get(name, _MISSING)
        if isinstance(found, dict):
            fields[name] = {**within, **found}
        else:
            fields[name] = within if found is _MISSING else [found, within]
    return fields


def _parts(key: str) -> tuple[str, str] | None:
    """Return what stands before the first dot of a name and what behind it; None where either is nothing."""
    head, dot, rest = key.partition(".")
    return (head, rest) if dot and head and rest else None


def _items(value: Any) -> Iterator[Any]:
    """Yield a value, or what a list holds, lists in it taken apart as well."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left.extend(reversed(one))
        elif one is not _MISSING:
            yield one


def _scalars(value: Any) -> Iterator[Any]:
    return (item for item in _items(value) if not isinstance(item, dict))


def _objects(value: Any) -> Iterator[Any]:
    found = [item for item in _items(value) if isinstance(item, dict)]
    # What is not there is looked into all the same: a pattern may ask for just that.
    return iter(found or [_NOTHING])


def _exact(value: Any) -> Any:
    """Return what is equal for equal values of JSON: 300 and 300.0 are, true and 1 are not."""
    return (bool, value) if isinstance(value, bool) else value


# Compilation --------------------------------------------------------------------------------------------------------


def _compile_object(pattern: Mapping[str, Any], path: tuple[str, ...], depth: int) -> _Object:
    if depth > DEPTH_MAX:
        raise InvalidPattern(f"objects are nested deeper than {DEPTH_MAX}")
    fields: dict[str, Any] = {}
    alternatives = []
    for key, wanted in pattern.items():
        if key == "$or" and _is_or(wanted):
            alternatives.append([_compile_object(one, path, depth + 1) for one in wanted])
        else:
            _nest(fields, key, wanted)
    compiled: dict[str, _Object | _Leaf] = {}
    for key, wanted in fields.items():
        here = (*path, key)
        if isinstance(wanted, list):
            compiled[key] = _compile_leaf(wanted, here)
        elif isinstance(wanted, dict):
            compiled[key] = _compile_object(wanted, here, depth + 1)
        else:
            raise InvalidPattern(f'"{key}" must be an object or an array')
    return _Object(compiled, alternatives)


def _is_or(wanted: Any) -> bool:
    """Say whether what stands under `$or` are alternatives; else it is a field. Documented: EventBridge user guide."""
    return (
        isinstance(wanted, list)
        and len(wanted) > 1
        and all(isinstance(one, dict) and one and _OPERATORS.isdisjoint(one) for one in wanted)
    )


def _nest(fields: dict[str, Any], key: str, wanted: Any) -> None:
    """Enter a field whose name may hold dots, which stand for objects in objects."""
    if (parts := _parts(key)) is None:
        # Of two spellings of one field the later counts, as of one key given twice.
        fields[key] = {**fields[key], **wanted} if _are_objects(fields.get(key), wanted) else wanted
        return
    head, rest = parts
    if rest.count(".") >= DEPTH_MAX:
        raise InvalidPattern(f"objects are nested deeper than {DEPTH_MAX}")
    within = dict(fields[head]) if isinstance(fields.get(head), dict) else {}
    _nest(within, rest, wanted)
    fields[head] = within


def _are_objects(one: Any, other: Any) -> bool:
    return isinstance(one, dict) and isinstance(other, dict)


def _compile_leaf(wanted: Sequence[Any], path: tuple[str, ...]) -> _Leaf:
    if not wanted:
        raise InvalidPattern("Empty arrays are not allowed")
    exact: set[Any] = set()
    tests: list[Test] = []
    or_absent = False
    for one in wanted:
        if isinstance(one, dict):
            (name, value), *more = one.items() or [("", None)]
            if more:
                raise InvalidPattern("Only one key allowed in match expression")
            if name == "exists":
                if not isinstance(value, bool):
                    raise InvalidPattern("exists match pattern must be either true or false.")
                if value:
                    tests.append(_anything)
                else:
                    or_absent = True
            else:
                tests.append(_operator(name, value))
        elif isinstance(one, list):
            # Assumed: the words; JSON allows it and the language does not.
            raise InvalidPattern("Match value must be String, number, true, false, or null")
        else:
            exact.add(_exact(one))
    return _Leaf(frozenset(exact), tuple(tests), path, or_absent)


def _operator(name: str, value: Any) -> Test:
    make = _TESTS.get(name)
    if make is None:
        raise InvalidPattern(f"Unrecognized match type {name}")
    return make(value)


# Operators ----------------------------------------------------------------------------------------------------------


def _anything(_: Any) -> bool:
    return True


def _on_text(test: Callable[[str], bool]) -> Test:
    """Return a test that no value but a text passes."""
    return lambda value: isinstance(value, str) and test(value)


def _prefix(wanted: Any) -> Test:
    if (folded := _ignoring_case(wanted, "prefix")) is not None:
        return _on_text(lambda text: text.lower().startswith(folded))
    start = _text(wanted, "prefix")
    return _on_text(lambda text: text.startswith(start))


def _suffix(wanted: Any) -> Test:
    if (folded := _ignoring_case(wanted, "suffix")) is not None:
        return _on_text(lambda text: text.lower().endswith(folded))
    end = _text(wanted, "suffix")
    return _on_text(lambda text: text.endswith(end))


def _equals_ignore_case(wanted: Any) -> Test:
    folded = _text(wanted, "equals-ignore-case").lower()
    return _on_text(lambda text: text.lower() == folded)


def _ignoring_case(wanted: Any, name: str) -> str | None:
    """Return the text of the one form that may stand in a prefix or suffix, in small letters; None where none does."""
    if isinstance(wanted, dict) and list(wanted) == ["equals-ignore-case"]:
        return _text(wanted["equals-ignore-case"], name).lower()
    return None


def _text(wanted: Any, name: str) -> str:
    if not isinstance(wanted, str):
        raise InvalidPattern(f"{name} match pattern must be a string")
    return wanted


def _wildcard(wanted: Any) -> Test:
    return _on_text(_glob(_text(wanted, "wildcard")))


def _glob(pattern: str) -> Callable[[str], bool]:
    r"""
    Return a test for a text in which `*` stands for anything. `\*` and `\\` are the characters themselves.

    What stands between two stars is looked for where it comes first: if the rest does not fit behind that, it fits
    behind no later one either. So a text is passed once, whatever the pattern.
    """
    parts = [""]
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\" and pattern[position + 1 : position + 2] in {"*", "\\"}:
            position += 1
            parts[-1] += pattern[position]
        elif character == "\\":
            # Assumed: the words (documented is what may follow).
            raise InvalidPattern(f"Invalid escape character at pos {position + 1}")
        elif character == "*":
            if pattern[position + 1 : position + 2] == "*":
                raise InvalidPattern(f"Consecutive wildcard characters at pos {position + 1}")
            parts.append("")
        else:
            parts[-1] += character
        position += 1
    first, *between = parts
    if not between:
        # Observed: an empty one matches nothing, not even the empty text.
        return lambda text: text == first != ""
    last = between.pop()

    def test(text: str) -> bool:
        if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
            return False
        at, end = len(first), len(text) - len(last)
        for part in between:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return test


def _numeric(wanted: Any) -> Test:
    if not isinstance(wanted, list):
        raise InvalidPattern("Value of numeric must be an array.")
    if not wanted:
        raise InvalidPattern("Invalid member in numeric match: ]")
    sign, *rest = wanted
    if not isinstance(sign, str):
        raise InvalidPattern(f"Invalid member in numeric match: {_shown(sign)}")
    if sign not in _COMPARE:
        raise InvalidPattern(f"Unrecognized numeric range operator: {sign}")
    compare, limit = _COMPARE[sign], _number(sign, rest)
    rest = rest[1:]
    if not rest:
        return lambda value: _is_number(value) and compare(value, limit)
    # Observed: a lower bound comes first, and an upper one may follow.
    upper = rest[0]
    if sign not in {">", ">="} or upper not in {"<", "<="}:
        raise InvalidPattern(f"Bad numeric range operator: {_shown(upper)}")
    most = _number(upper, rest[1:])
    if len(rest) > 2:
        raise InvalidPattern("Too many elements in numeric expression")
    if limit >= most:
        raise InvalidPattern("Bottom must be less than top")
    compare_most = _COMPARE[upper]
    return lambda value: _is_number(value) and compare(value, limit) and compare_most(value, most)


_COMPARE: Mapping[str, Callable[[Any, float], bool]] = {
    "=": lambda value, limit: value == limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}


def _number(sign: str, rest: Sequence[Any]) -> float:
    if not rest or not _is_number(rest[0]):
        raise InvalidPattern(f"Value of {sign} must be numeric" if sign != "=" else "Value of equals must be numeric")
    number: float = rest[0]
    return number


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cidr(wanted: Any) -> Test:
    # Observed: of what is no text the reason speaks of a prefix.
    text = _text(wanted, "prefix")
    address, slash, bits = text.partition("/")
    if not slash or "/" in bits:
        raise InvalidPattern("Malformed CIDR, one '/' required")
    if not (bits.isascii() and bits.isdigit()):
        raise InvalidPattern("Malformed CIDR, mask bits must be an integer")
    base = _address(address)
    if base is None:
        raise InvalidPattern(f"Nonstandard IP address: {address}")
    if len(bits) > _ADDRESS_MAX or int(bits) > base.max_prefixlen:
        raise InvalidPattern(f"Malformed CIDR, mask bits must not exceed {base.max_prefixlen}")
    network = ipaddress.ip_network((base, int(bits)), strict=False)
    return _on_text(lambda value: (found := _address(value)) is not None and found in network)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if len(text) > _ADDRESS_MAX:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _anything_but(wanted: Any) -> Test:
    """Return a test that values pass which are something else; those of another type are."""
    if isinstance(wanted, dict):
        if len(wanted) != 1:
            raise InvalidPattern("Only one key allowed in match expression")
        ((name, value),) = wanted.items()
        if name not in _BUT:
            raise InvalidPattern(f"Unsupported anything-but pattern: {name}")
        tests = [_BUT[name](one) for one in _texts_of(name, value)]
        return lambda found: not any(test(found) for test in tests)
    values = wanted if isinstance(wanted, list) else [wanted]
    if isinstance(wanted, list):
        if not wanted:
            raise InvalidPattern("Empty arrays are not allowed")
        if not (all(isinstance(one, str) for one in values) or all(_is_number(one) for one in values)):
            raise InvalidPattern("Inside anything but list, start|null|boolean is not supported.")
    elif not (isinstance(wanted, str) or _is_number(wanted)):
        raise InvalidPattern("Value of anything-but must be an array or single string/number value.")
    excluded = frozenset(values)
    return lambda found: _exact(found) not in excluded


def _texts_of(name: str, value: Any) -> Sequence[str]:
    """Return the texts that a form within anything-but names: one, or a list."""
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise InvalidPattern("Empty arrays are not allowed")
    if name in {"prefix", "suffix"}:
        if not all(isinstance(text, str) for text in texts):
            raise InvalidPattern("prefix/suffix match pattern must be a string")
        if "" in texts:
            raise InvalidPattern("Null prefix/suffix not allowed")
    elif not all(isinstance(text, str) for text in texts):
        if isinstance(value, list):
            raise InvalidPattern(f"Inside anything-but/{name} list, number|start|null|boolean is not supported.")
        raise InvalidPattern(f"{name} match pattern must be a string")
    return texts


_BUT: Mapping[str, Callable[[Any], Test]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
    "equals-ignore-case": _equals_ignore_case,
}
"""What may stand within anything-but."""

_TESTS: Mapping[str, Callable[[Any], Test]] = {
    **_BUT,
    "anything-but": _anything_but,
    "cidr": _cidr,
    "numeric": _numeric,
}


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
