"""
Values of a query: how text and numbers compare, order and show.

A value is text, a number, a moment, a truth, what JSON holds, or None for a field that is not there.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec

Value: TypeAlias = Any

_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_NUMBER_CHARACTERS_MAX: Final = 40
"""Longer digits are somebody's identifier; no time is spent on them."""
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT_MAX: Final = 1 << 53
_MOMENT_MAX_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""


class Moment(int):
    """Milliseconds since the epoch that show as a date. Arithmetic makes plain numbers of them."""


class ReadFloat(float):
    """A number as an event has it, which shows as it is; what a query computes is rounded."""


def number(value: Value) -> int | float | None:
    """Return the number that a value is or looks like; None: it does not."""
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and len(value) <= _NUMBER_CHARACTERS_MAX:
        stripped = value.strip()
        if _NUMBER.fullmatch(stripped):
            try:
                return int(stripped)
            except ValueError:
                return finite(float(stripped))
    return None


def finite(value: float) -> float | None:
    """Return a float that is a number; None for what is none."""
    return value if math.isfinite(value) else None


def computed(function: Callable[[], Any]) -> int | float | None:
    """
    Return what arithmetic gives; None where it gives no number.

    Whole numbers past what a float holds exactly become floats: nothing grows without end.
    """
    try:
        result = function()
    except (ArithmeticError, ValueError):
        return None
    if isinstance(result, int):
        return int(result) if -_EXACT_MAX <= result <= _EXACT_MAX else float(result)
    return finite(result) if isinstance(result, float) else None


def text(value: Value) -> str | None:
    """Return how a value shows; None: the field is not there."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Moment):
        return moment_text(value)
    if isinstance(value, bool):
        # Assumed: as the functions that say yes or no show theirs (test_values).
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(float(value)) if isinstance(value, ReadFloat) else _rounded(value)
    return json_text(value)


def json_text(value: Value) -> str:
    """Return a value as JSON; nothing where it is deeper than anybody could read."""
    try:
        return msgspec.json.encode(value, enc_hook=_plain).decode()
    except RecursionError:
        return ""


def _plain(value: Any) -> int | float:
    return int(value) if isinstance(value, int) else float(value)


def _rounded(value: float) -> str:
    # Observed: sample queries of the user guide show results such as 122.0703. Assumed: of every computed number
    # (test_values).
    if abs(value) >= _EXACT_MAX:
        return repr(value)
    shown = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def moment_text(milliseconds: int) -> str:
    """Return `2026-11-25 02:10:19.123`, UTC. Observed: samples of GetQueryResults."""
    moment = _EPOCH + timedelta(milliseconds=max(0, min(milliseconds, _MOMENT_MAX_MS)))
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


def is_true(value: Value) -> bool:
    """Say whether a value holds as a condition."""
    if isinstance(value, str):
        return value.lower() == "true" or bool(number(value))
    return bool(value)


def equal(left: Value, right: Value) -> bool:
    """Say whether two values are one: as numbers where both look like some."""
    if left is None or right is None:
        return False
    if isinstance(left, str) and isinstance(right, str) and left == right:
        return True
    left, right = _truth_beside(left, right)
    left_number, right_number = number(left), number(right)
    if left_number is not None and right_number is not None:
        return left_number == right_number
    return text(left) == text(right)


def less(left: Value, right: Value) -> bool:
    """Say whether one value is less than another. What is not there is neither."""
    if left is None or right is None:
        return False
    left, right = _truth_beside(left, right)
    left_number, right_number = number(left), number(right)
    if left_number is not None and right_number is not None:
        return left_number < right_number
    return str(text(left)) < str(text(right))


def _truth_beside(left: Value, right: Value) -> tuple[Value, Value]:
    """Return truths as their words where the other side is one of these. Assumed: JSON's true is "true" and 1."""
    if isinstance(left, bool) and right in ("true", "false"):
        return ("true" if left else "false"), right
    if isinstance(right, bool) and left in ("true", "false"):
        return left, ("true" if right else "false")
    return left, right


def order(value: Value) -> tuple[Any, ...]:
    """
    Return a key that puts values into the order of `sort`, ascending.

    Documented: user guide, sort: text before numbers; in text, runs of digits by their length, then by their value,
    and everything else by code points. Assumed: what is not there comes first (test_values).
    """
    if value is None:
        return (0,)
    as_number = number(value)
    if as_number is not None:
        return (2, as_number)
    shown = str(text(value))[:_ORDERED_CHARACTERS_MAX]
    # A run of digits stands where a 0 would, as in the documentation's example, and is told by its length first.
    return (1, _DIGITS.sub(lambda run: f"0{chr(len(run[0]))}{run[0]}", shown))


_ORDERED_CHARACTERS_MAX: Final = 256
"""Of a text: those by which it is put into order. Assumed: nobody reads on (test_values)."""
