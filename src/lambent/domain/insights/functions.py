"""
The functions of queries, beside those that aggregate.

A table by name in small letters. What is not there, or is none of what a function takes, gives None.
"""

import ipaddress
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from lambent.domain.insights.commands import Period
from lambent.domain.insights.fields import parse_json
from lambent.domain.insights.values import Moment, Value, computed, json_text, number, text

TEXT_MAX: Final = 1_048_576
"""Characters that a function may make: as many as an event has bytes. Assumed: more is a mistake (test_functions)."""


class Function(NamedTuple):
    """How many values a function takes, at least and at most, and what it makes of them."""

    least: int
    most: int
    apply: Callable[..., Value]


def _numeric(apply: Callable[..., Any]) -> Callable[..., Value]:
    def applied(*values: Value) -> Value:
        numbers = [number(value) for value in values]
        return None if None in numbers else computed(lambda: apply(*numbers))

    return applied


def _textual(apply: Callable[..., Value]) -> Callable[..., Value]:
    """The first value is text, whatever it was; the others are as they are."""

    def applied(first: Value, *rest: Value) -> Value:
        shown = text(first)
        return None if shown is None or None in rest else apply(shown, *rest)

    return applied


def _concat(*values: Value) -> Value:
    # Assumed: what is not there adds nothing (test_functions).
    return "".join(text(value) or "" for value in values)[:TEXT_MAX]


def _trimmed(strip: Callable[..., str]) -> Callable[..., Value]:
    def trim(shown: str, characters: Value = None) -> Value:
        return strip(shown, text(characters) if characters is not None else None)

    return _textual(trim)


def _substr(shown: str, start: Value, length: Value = math.inf) -> Value:
    first, most = number(start), number(length)
    if first is None or most is None:
        return None
    begin = max(0, int(first))
    return shown[begin:] if most == math.inf else shown[begin : begin + max(0, int(most))]


def _replace(shown: str, sought: Value, put: Value) -> Value:
    old, new = text(sought), text(put)
    if not old or new is None:
        return shown
    grown = shown.count(old) * (len(new) - len(old))
    return shown.replace(old, new) if len(shown) + grown <= TEXT_MAX else None


def _in_subnet(version: int | None) -> Callable[..., Value]:
    def is_in(shown: str, subnet: Value) -> Value:
        address = _address(shown)
        try:
            network = ipaddress.ip_network(str(text(subnet))[:_ADDRESS_MAX], strict=False)
        except ValueError:
            return False
        if address is None or address.version != network.version:
            return False
        return version in (None, address.version) and address in network

    return _textual(is_in)


def _is_address(version: int | None) -> Callable[..., Value]:
    def is_one(shown: str) -> Value:
        address = _address(shown)
        return address is not None and version in (None, address.version)

    return _textual(is_one)


def _address(shown: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(shown[:_ADDRESS_MAX])
    except ValueError:
        return None


_ADDRESS_MAX: Final = 64


def _from_millis(value: Value) -> Value:
    milliseconds = number(value)
    return None if milliseconds is None else Moment(int(milliseconds))


def _to_millis(value: Value) -> Value:
    return int(value) if isinstance(value, Moment) else None


def _extreme(choose: Callable[..., Any]) -> Callable[..., Value]:
    def chosen(*values: Value) -> Value:
        numbers = [each for each in map(number, values) if each is not None]
        return choose(numbers) if numbers else None

    return chosen


def _json_text(value: Value) -> Value:
    return None if value is None else json_text(value)


def _coalesce(*values: Value) -> Value:
    return next((value for value in values if value is not None), None)


_MANY: Final = 100
"""Values that a function takes which takes any number. Assumed: nobody writes more (test_functions)."""

FUNCTIONS: Final[dict[str, Function]] = {
    "abs": Function(1, 1, _numeric(abs)),
    "ceil": Function(1, 1, _numeric(math.ceil)),
    "floor": Function(1, 1, _numeric(math.floor)),
    "greatest": Function(1, _MANY, _extreme(max)),
    "least": Function(1, _MANY, _extreme(min)),
    "log": Function(1, 1, _numeric(math.log)),
    "sqrt": Function(1, 1, _numeric(math.sqrt)),
    "ispresent": Function(1, 1, lambda value: value is not None),
    "coalesce": Function(1, _MANY, _coalesce),
    "isempty": Function(1, 1, lambda value: value is None or text(value) == ""),
    "isblank": Function(1, 1, lambda value: value is None or not str(text(value)).strip()),
    "concat": Function(1, _MANY, _concat),
    "ltrim": Function(1, 2, _trimmed(str.lstrip)),
    "rtrim": Function(1, 2, _trimmed(str.rstrip)),
    "trim": Function(1, 2, _trimmed(str.strip)),
    "strlen": Function(1, 1, _textual(len)),
    "toupper": Function(1, 1, _textual(str.upper)),
    "tolower": Function(1, 1, _textual(str.lower)),
    "substr": Function(2, 3, _textual(_substr)),
    "replace": Function(3, 3, _textual(_replace)),
    "strcontains": Function(2, 2, _textual(lambda shown, sought: str(text(sought)) in shown)),
    "frommillis": Function(1, 1, _from_millis),
    "tomillis": Function(1, 1, _to_millis),
    "isvalidip": Function(1, 1, _is_address(None)),
    "isvalidipv4": Function(1, 1, _is_address(4)),
    "isvalidipv6": Function(1, 1, _is_address(6)),
    "isipinsubnet": Function(2, 2, _in_subnet(None)),
    "isipv4insubnet": Function(2, 2, _in_subnet(4)),
    "isipv6insubnet": Function(2, 2, _in_subnet(6)),
    "jsonparse": Function(1, 1, _textual(parse_json)),
    "jsonstringify": Function(1, 1, _json_text),
}

_MILLISECONDS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MONTHS: Final = {"mo": 1, "q": 3, "y": 12}
_MONDAY_MS: Final = 4 * 86_400_000
"""The first Monday: the epoch began on a Thursday. Assumed: weeks begin on Mondays (test_functions)."""


def floor_to(period: Period) -> Callable[[int], int]:
    """Return what takes a moment, in milliseconds, to the beginning of its period."""
    width = period.count * _MILLISECONDS.get(period.unit, 0)
    if period.unit == "w":
        return lambda moment: moment - (moment - _MONDAY_MS) % width
    if width:
        return lambda moment: moment - moment % width
    months = period.count * _MONTHS[period.unit]
    return lambda moment: _month_start(_month_of(moment) // months * months)


def ceil_to(period: Period) -> Callable[[int], int]:
    """Return what takes a moment, in milliseconds, to the next beginning of a period, itself where it is one."""
    floor = floor_to(period)
    width = period.count * _MILLISECONDS.get(period.unit, 0)
    if width:
        return lambda moment: floor(moment + width - 1)
    months = period.count * _MONTHS[period.unit]

    def ceil(moment: int) -> int:
        start = floor(moment)
        return start if start == moment else _month_start(_month_of(start) + months)

    return ceil


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH_MAX: Final = 9_999 * 12 - 1
_MOMENT_MIN_MS: Final = -62_135_596_800_000
_MOMENT_MAX_MS: Final = 253_370_764_800_000
"""The beginnings of the years 1 and 9999."""


def _month_of(moment: int) -> int:
    """Return how many months of the calendar begin before a moment's."""
    date = _EPOCH + timedelta(milliseconds=max(_MOMENT_MIN_MS, min(moment, _MOMENT_MAX_MS)))
    return date.year * 12 + date.month - 1


def _month_start(month: int) -> int:
    # Months are counted from the year 0, which the calendar here does not have.
    year, rest = divmod(max(12, min(month, _MONTH_MAX)), 12)
    return (datetime(year, rest + 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
