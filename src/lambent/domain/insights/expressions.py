"""Expressions made ready: each becomes a function of a row."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from lambent.domain.insights.commands import Call, Constant, Expression, Field, MalformedQuery, Operation, Period, Regex
from lambent.domain.insights.fields import SYSTEM, Row, at, reader
from lambent.domain.insights.functions import FUNCTIONS, ceil_to, floor_to
from lambent.domain.insights.values import Moment, Value, computed, equal, is_true, less, number, text

Evaluate: TypeAlias = Callable[[Row], Value]

Aggregate: TypeAlias = Callable[[Call], Evaluate]
"""Takes a call of a function that aggregates, and returns what reads its result."""

AGGREGATES: Final = frozenset(
    [
        "avg",
        "count",
        "count_distinct",
        "earliest",
        "latest",
        "max",
        "median",
        "min",
        "pct",
        "percentile",
        "sortsfirst",
        "sortslast",
        "stddev",
        "sum",
    ]
)


class Names:
    """
    What names stand for at one place of a query.

    Args:
        now_s: when the query began, for `now()`.
        made: the names that commands before this place have given.
        is_of_events: whether rows still are events; else they hold what `stats` has made, and nothing more.
    """

    def __init__(self, now_s: int, made: frozenset[str] = frozenset(), *, is_of_events: bool = True) -> None:
        self.now_s = now_s
        self.made = made
        self.is_of_events = is_of_events

    def with_made(self, *names: str) -> "Names":
        """Return these names and some more."""
        return Names(self.now_s, self.made.union(names), is_of_events=self.is_of_events)

    def field(self, name: str) -> Evaluate:
        """Return what reads a field."""
        if name in self.made:
            return lambda row: row.made.get(name)
        # Observed: samples of the user guide: a field that parse made as `user` is read as `@user`.
        if name.startswith("@") and name not in SYSTEM and name[1:] in self.made:
            return self.field(name[1:])
        parts = name.split(".")
        for length in range(len(parts) - 1, 0, -1):
            if (begin := ".".join(parts[:length])) in self.made:
                rest = parts[length:]
                return lambda row: at(row.made.get(begin), rest)
        return reader(name) if self.is_of_events else lambda row: None


def compile_expression(expression: Expression, names: Names, aggregate: Aggregate | None = None) -> Evaluate:
    """
    Make an expression ready.

    Args:
        aggregate: None: functions that aggregate have no place here.

    Raises:
        MalformedQuery: a function is none, or takes other values.
    """

    def ready(each: Expression) -> Evaluate:
        return compile_expression(each, names, aggregate)

    if isinstance(expression, Field):
        return names.field(expression.name)
    if isinstance(expression, Constant):
        value = expression.value
        return lambda row: value
    if isinstance(expression, Call):
        return _call(expression, names, aggregate, ready)
    if isinstance(expression, Operation):
        return _operation(expression, ready)
    raise MalformedQuery("a period or a regular expression stands where it means nothing", 0, 0)


def compile_condition(expression: Expression, names: Names) -> Callable[[Row], bool]:
    """Make a condition ready. Raises as `compile_expression` does."""
    evaluate = compile_expression(expression, names)
    if isinstance(expression, Operation) and expression.operator in _CONDITIONS:
        return evaluate
    return lambda row: is_true(evaluate(row))


def calls_aggregate(expression: Expression) -> bool:
    """Say whether an expression has a function in it that aggregates."""
    if isinstance(expression, Call):
        return expression.name in AGGREGATES or any(map(calls_aggregate, expression.arguments))
    return isinstance(expression, Operation) and any(map(calls_aggregate, expression.operands))


def fields_in(expression: Expression) -> set[str]:
    """Return the names of the fields that an expression reads."""
    if isinstance(expression, Field):
        return {expression.name}
    parts: tuple[Expression, ...] = expression.arguments if isinstance(expression, Call) else ()
    if isinstance(expression, Operation):
        parts = expression.operands
    return {name for part in parts for name in fields_in(part)}


# Functions ----------------------------------------------------------------------------------------------------------


def _call(call: Call, names: Names, aggregate: Aggregate | None, ready: Callable[[Expression], Evaluate]) -> Evaluate:
    if call.text in names.made:
        # After `stats count(*) by bin(5m)`, its columns are named just so.
        return names.field(call.text)
    if call.name in AGGREGATES:
        if aggregate is None:
            raise MalformedQuery(f"{call.name} belongs into stats, and not into another function", call.start, call.end)
        return aggregate(call)
    if call.name in {"bin", "datefloor", "dateceil"}:
        return _of_period(call, names, ready)
    if call.name == "now":
        _check_count(call, 0, 0)
        # Documented: user guide, datetime functions: in seconds.
        now_s = names.now_s
        return lambda row: now_s
    function = FUNCTIONS.get(call.name)
    if function is None:
        raise MalformedQuery(f"there is no function {call.name[:100]}", call.start, call.end)
    _check_count(call, function.least, function.most)
    apply = function.apply
    arguments = [ready(argument) for argument in call.arguments]
    if len(arguments) == 1:
        (only,) = arguments
        return lambda row: apply(only(row))
    return lambda row: apply(*[argument(row) for argument in arguments])


def _check_count(call: Call, least: int, most: int) -> None:
    if not least <= len(call.arguments) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise MalformedQuery(f"{call.name} takes {wanted} values, not {len(call.arguments)}", call.start, call.end)


def _of_period(call: Call, names: Names, ready: Callable[[Expression], Evaluate]) -> Evaluate:
    *before, period = call.arguments or (None,)
    if call.name == "bin" and not before:
        before = [Field("@timestamp")]
    if len(before) != 1 or not isinstance(period, Period):
        raise MalformedQuery(f"{call.name} takes a period such as 5m", call.start, call.end)
    rounded = (ceil_to if call.name == "dateceil" else floor_to)(period)
    if before == [Field("@timestamp")] and "@timestamp" not in names.made and names.is_of_events:
        return lambda row: Moment(rounded(row.line.timestamp_ms))
    moment = ready(before[0])

    def of_row(row: Row) -> Value:
        value = number(moment(row))
        return None if value is None else Moment(rounded(int(value)))

    return of_row


# Operators ----------------------------------------------------------------------------------------------------------

_CONDITIONS: Final = frozenset({"and", "or", "not", "in", "like", "=", "!=", "<", "<=", ">", ">="})


def _add(left: float, right: float) -> float:
    return left + right


def _power(left: float, right: float) -> float:
    # As floats: the digits of whole numbers would grow without end.
    result = float(left) ** float(right)
    return int(result) if isinstance(result, float) and result.is_integer() else result


_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": _add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "^": _power,
}

_COMPARISONS: Final[Mapping[str, Callable[[Value, Value], bool]]] = {
    "=": equal,
    # Assumed: a field that is not there is not equal to anything (test_expressions).
    "!=": lambda left, right: not equal(left, right),
    "<": less,
    ">": lambda left, right: less(right, left),
    "<=": lambda left, right: less(left, right) or equal(left, right),
    ">=": lambda left, right: less(right, left) or equal(left, right),
}


def _operation(expression: Operation, ready: Callable[[Expression], Evaluate]) -> Evaluate:
    name = expression.operator
    if name == "like":
        return _like(expression, ready)
    if name in {"and", "or"}:
        conditions = [_condition(each, ready) for each in expression.operands]
        return _all_of(conditions) if name == "and" else _any_of(conditions)
    operands = [ready(each) for each in expression.operands]
    left = operands[0]
    if name == "not":
        condition = _condition(expression.operands[0], ready)
        return lambda row: not condition(row)
    if name == "negative":
        return lambda row: _calculated(operator.sub, 0, left(row))
    if name == "in":
        choices = operands[1:]

        def is_one_of(row: Row) -> bool:
            value = left(row)
            return any(equal(value, choice(row)) for choice in choices)

        return is_one_of
    right = operands[1]
    if name in _COMPARISONS:
        compare = _COMPARISONS[name]
        return lambda row: compare(left(row), right(row))
    calculate = _ARITHMETIC[name]
    return lambda row: _calculated(calculate, left(row), right(row))


def _calculated(calculate: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    left, right = number(left), number(right)
    if left is None or right is None:
        return None
    return computed(lambda: calculate(left, right))


def _condition(expression: Expression, ready: Callable[[Expression], Evaluate]) -> Evaluate:
    evaluate = ready(expression)
    if isinstance(expression, Operation) and expression.operator in _CONDITIONS:
        return evaluate
    return lambda row: is_true(evaluate(row))


def _all_of(conditions: list[Evaluate]) -> Evaluate:
    if len(conditions) == 2:
        first, second = conditions
        return lambda row: first(row) and second(row)
    return lambda row: all(condition(row) for condition in conditions)


def _any_of(conditions: list[Evaluate]) -> Evaluate:
    return lambda row: any(condition(row) for condition in conditions)


def _like(expression: Operation, ready: Callable[[Expression], Evaluate]) -> Evaluate:
    left = ready(expression.operands[0])
    pattern = expression.operands[1]
    if isinstance(pattern, Regex) and pattern.literal is None:
        search = pattern.compiled.search

        def is_found(row: Row) -> bool:
            shown = text(left(row))
            return shown is not None and search(shown) is not None

        return is_found
    if isinstance(pattern, Regex | Constant):
        sought = pattern.literal if isinstance(pattern, Regex) else text(pattern.value)
        assert sought is not None

        def is_in(row: Row) -> bool:
            shown = text(left(row))
            return shown is not None and sought in shown

        return is_in
    wanted = ready(pattern)

    def contains(row: Row) -> bool:
        shown, part = text(left(row)), text(wanted(row))
        return shown is not None and part is not None and part in shown

    return contains
