"""
Metric math: what an expression makes of series.

A value is a number, a series, or an array of series; a number that there is none of (the average of nothing) is NaN.
Documented: CloudWatch user guide, Using math expressions with CloudWatch metrics.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import msgspec

from lambent.domain.metric_expression import (
    Binary,
    Call,
    InvalidExpression,
    Listed,
    Node,
    Number,
    Reference,
    Text,
    Unary,
    Word,
)

__all__ = ["Grid", "InvalidExpression", "Series", "Surroundings", "evaluate"]


TIMES_MAX = 100_800
"""Periods that FILL fills and TIME_SERIES draws. Documented: GetMetricData: points of one answer."""


class Series(msgspec.Struct, frozen=True):
    """Points by the begin of their period, in order."""

    points: Mapping[int, float]
    period_s: int
    label: str = ""
    id: str = ""
    """Of the query that it comes from."""
    properties: Mapping[str, str] = {}
    """Of the metric that it is of: what `${PROP('...')}` in a label names."""


class Grid(msgspec.Struct, frozen=True):
    """The time that is asked for: what FILL fills and TIME_SERIES draws."""

    start_s: int
    end_s: int
    period_s: int

    def times(self, period_s: int) -> range:
        """
        Return the begins of all periods. The first may begin before the start.

        Raises:
            InvalidExpression: there are too many.
        """
        times = range(self.start_s // period_s * period_s, self.end_s, period_s)
        if len(times) > TIMES_MAX:
            raise InvalidExpression(
                f"There are more than {TIMES_MAX} periods of {period_s} s in the time that is asked for"
            )
        return times


class Surroundings(msgspec.Struct, frozen=True):
    """What an expression may ask for."""

    grid: Grid
    refer: "Callable[[str], Value]"
    """Returns what the query of an id gives. Raises InvalidExpression: there is none."""
    metrics: Sequence[Series]
    """What the queries that are no expressions give."""
    search: Callable[[Call], Sequence[Series]]
    """Returns what a SEARCH has found."""
    spend: Callable[[int], None] = lambda _: None
    """Is told of points that were computed. Raises InvalidExpression: it were too many."""


Value = float | Series | Sequence[Series]


def evaluate(node: Node, surroundings: Surroundings) -> Series | Sequence[Series]:
    """
    Compute an expression.

    Returns:
        a series, or an array of them, which may have only one.

    Raises:
        InvalidExpression: it cannot be computed, or is a mere number.
    """
    value = _Evaluation(surroundings).value(node)
    if isinstance(value, float):
        raise InvalidExpression("The expression does not return a time series or an array of time series")
    return value


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "AND": lambda left, right: left != 0 and right != 0,
    "OR": lambda left, right: left != 0 or right != 0,
}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}


def _apply(sign: str, left: float, right: float) -> float:
    """Return what an operator makes of two numbers. Documented: a division by zero gives no point: NaN."""
    if math.isnan(left) or math.isnan(right):
        return math.nan
    comparison = _COMPARISONS.get(sign)
    if comparison is not None:
        return 1.0 if comparison(left, right) else 0.0
    try:
        result = _ARITHMETIC[sign](left, right)
    except (ZeroDivisionError, OverflowError):
        return math.nan
    # A root of something negative is a complex number in Python.
    return result if isinstance(result, float) and math.isfinite(result) else math.nan


def _kept(points: Mapping[int, float]) -> dict[int, float]:
    """Return the points that are there: what is too large for a number is none either."""
    return {time_s: value for time_s, value in points.items() if math.isfinite(value)}


def _mapped(series: Series, change: Callable[[float], float]) -> Series:
    return msgspec.structs.replace(
        series, points=_kept({time_s: change(value) for time_s, value in series.points.items()})
    )


def _each(value: Value, change: Callable[[float], float]) -> Value:
    """Apply a function of a number to all that a value holds."""
    if isinstance(value, float):
        return change(value)
    if isinstance(value, Series):
        return _mapped(value, change)
    return [_mapped(series, change) for series in value]


def _guarded(function: Callable[[float], float]) -> Callable[[float], float]:
    """Return a function that has no point where it is not defined."""

    def compute(value: float) -> float:
        try:
            return function(value)
        except (ValueError, OverflowError):
            return math.nan

    return compute


_POINTWISE: Mapping[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": _guarded(lambda value: float(math.ceil(value))),
    "FLOOR": _guarded(lambda value: float(math.floor(value))),
    "LOG": _guarded(math.log),
    "LOG10": _guarded(math.log10),
}


def _deviation(values: Sequence[float]) -> float:
    # Not the standard library's: its module, with its fractions and decimals, would stay in memory.
    if not values:
        return math.nan
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


_REDUCING: Mapping[str, Callable[[Sequence[float]], float]] = {
    "AVG": lambda values: math.fsum(values) / len(values) if values else math.nan,
    "MIN": lambda values: min(values, default=math.nan),
    "MAX": lambda values: max(values, default=math.nan),
    "SUM": math.fsum,
    # Assumed: of the whole population (test_metric_math).
    "STDDEV": _deviation,
    "DATAPOINT_COUNT": lambda values: float(len(values)),
}


def _reduced(function: str, values: Sequence[float]) -> float:
    try:
        return _REDUCING[function](values)
    except OverflowError:
        return math.nan


_CALENDAR: Mapping[str, Callable[[datetime], int]] = {
    "MINUTE": lambda moment: moment.minute,
    "HOUR": lambda moment: moment.hour,
    # Documented: Monday is 1.
    "DAY": lambda moment: moment.isoweekday(),
    "DATE": lambda moment: moment.day,
    "MONTH": lambda moment: moment.month,
    "YEAR": lambda moment: moment.year,
}

_NOT_HERE = frozenset({"ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "SERVICE_QUOTA"})


class _Evaluation:
    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._grid = surroundings.grid

    def value(self, node: Node) -> Value:
        # A long sum leans to the left as deep as it is long: it is taken apart before, not by recursion.
        rights = []
        while isinstance(node, Binary):
            rights.append((node.operator, node.right))
            node = node.left
        value = self._spent(self._value(node))
        for sign, right in reversed(rights):
            value = self._spent(_combine(sign, value, self.value(right)))
        return value

    def _spent(self, value: Value) -> Value:
        """Count a value, numbers as well: an expression may be nothing else."""
        if isinstance(value, float):
            self._surroundings.spend(1)
        elif isinstance(value, Series):
            self._surroundings.spend(1 + len(value.points))
        else:
            self._surroundings.spend(1 + sum(len(series.points) for series in value))
        return value

    def _value(self, node: Node) -> Value:
        match node:
            case Number(value):
                return value
            case Reference(id):
                return self._surroundings.refer(id)
            case Unary(of):
                return _each(self.value(of), operator.neg)
            case Binary():
                return self.value(node)
            case Listed(items):
                return [series for item in items for series in _array(self.value(item), "A list")]
            case Call(function, arguments):
                return self._call(node, function, arguments)
            case Word(name):
                raise InvalidExpression(f"Unknown word {name}")
            case Text():
                raise InvalidExpression("A text stands where a value is expected")

    def _call(self, node: Call, function: str, arguments: Sequence[Node]) -> Value:
        if function in _POINTWISE:
            (of,) = _arguments(function, arguments, 1)
            return _each(self.value(of), _POINTWISE[function])
        if function in _REDUCING:
            (of,) = _arguments(function, arguments, 1)
            return _reduce(function, self.value(of))
        if function in _CALENDAR:
            (of,) = _arguments(function, arguments, 1)
            return self._of_times(function, of, _CALENDAR[function])
        if function in _NOT_HERE:
            raise InvalidExpression(f"The function {function} is not offered by this version of Lambent")
        if function == "SEARCH":
            return self._surroundings.search(node)
        handler = _FUNCTIONS.get(function)
        if handler is None:
            raise InvalidExpression(f"Unknown function {function}")
        return handler(self, arguments)

    def _series(self, function: str, node: Node) -> Series:
        value = self.value(node)
        if isinstance(value, Series):
            return value
        raise InvalidExpression(f"{function} takes a time series")

    def _number(self, function: str, node: Node) -> float:
        value = self.value(node)
        if isinstance(value, float):
            return value
        raise InvalidExpression(f"{function} takes a number there")

    def _of_times(self, function: str, of: Node, tell: Callable[[datetime], int]) -> Value:
        series = self._series(function, of)
        return msgspec.structs.replace(
            series,
            points={time_s: float(tell(datetime.fromtimestamp(time_s, UTC))) for time_s in series.points},
        )

    def epoch(self, arguments: Sequence[Node]) -> Value:
        (of,) = _arguments("EPOCH", arguments, 1)
        return self._of_times("EPOCH", of, lambda moment: int(moment.timestamp()))

    def metric_count(self, arguments: Sequence[Node]) -> Value:
        (of,) = _arguments("METRIC_COUNT", arguments, 1)
        return float(len(_array(self.value(of), "METRIC_COUNT")))

    def first(self, arguments: Sequence[Node]) -> Value:
        return self._one_of("FIRST", arguments, 0)

    def last(self, arguments: Sequence[Node]) -> Value:
        return self._one_of("LAST", arguments, -1)

    def _one_of(self, function: str, arguments: Sequence[Node], index: int) -> Value:
        (of,) = _arguments(function, arguments, 1)
        array = _array(self.value(of), function)
        return array[index] if array else Series({}, self._grid.period_s)

    def metrics(self, arguments: Sequence[Node]) -> Value:
        known = self._surroundings.metrics
        if not arguments:
            return known
        (part,) = _arguments("METRICS", arguments, 1)
        if not isinstance(part, Text):
            raise InvalidExpression("METRICS takes a text")
        return [series for series in known if part.value in series.id]

    def fill(self, arguments: Sequence[Node]) -> Value:
        of, filler = _arguments("FILL", arguments, 2)
        value = self.value(of)
        if isinstance(filler, Word) and filler.name in ("REPEAT", "LINEAR"):
            fill: _Fill = _repeat if filler.name == "REPEAT" else _linear
        else:
            fill = _with(self.value(filler))
        if isinstance(value, float):
            raise InvalidExpression("FILL takes a time series")
        filled = [self._filled(series, fill) for series in _array(value, "FILL")]
        return filled[0] if isinstance(value, Series) else filled

    def _filled(self, series: Series, fill: "_Fill") -> Series:
        # Assumed: a metric that has no point at all is filled as well (test_metric_math).
        times = sorted({*self._grid.times(series.period_s), *series.points})
        return msgspec.structs.replace(series, points=fill(series.points, times))

    def if_(self, arguments: Sequence[Node]) -> Value:
        if len(arguments) not in (2, 3):
            raise InvalidExpression("IF takes two or three arguments")
        condition, chosen = self.value(arguments[0]), self.value(arguments[1])
        other = self.value(arguments[2]) if len(arguments) == 3 else math.nan
        if isinstance(condition, float):
            return chosen if condition != 0 and not math.isnan(condition) else other
        if not isinstance(condition, Series) or not all(isinstance(one, float | Series) for one in (chosen, other)):
            raise InvalidExpression("IF takes no arrays")
        points = {}
        for time_s, decides in condition.points.items():
            # Documented: where the condition holds, a point that the second argument lacks is 0; of the third, none.
            points[time_s] = _at(chosen, time_s, 0.0) if decides != 0 else _at(other, time_s, math.nan)
        return msgspec.structs.replace(condition, points=_kept(points))

    def rate(self, arguments: Sequence[Node]) -> Value:
        return self._steps("RATE", arguments, lambda rise, seconds: rise / seconds)

    def diff(self, arguments: Sequence[Node]) -> Value:
        return self._steps("DIFF", arguments, lambda rise, _: rise)

    def diff_time(self, arguments: Sequence[Node]) -> Value:
        return self._steps("DIFF_TIME", arguments, lambda _, seconds: float(seconds))

    def _steps(self, function: str, arguments: Sequence[Node], tell: Callable[[float, int], float]) -> Value:
        (of,) = _arguments(function, arguments, 1)
        value = self.value(of)
        if isinstance(value, float):
            raise InvalidExpression(f"{function} takes a time series")
        stepped = []
        for series in _array(value, function):
            times = list(series.points)
            points = {
                time_s: tell(series.points[time_s] - series.points[before_s], time_s - before_s)
                for before_s, time_s in pairwise(times)
            }
            stepped.append(msgspec.structs.replace(series, points=_kept(points)))
        return stepped[0] if isinstance(value, Series) else stepped

    def running_sum(self, arguments: Sequence[Node]) -> Value:
        (of,) = _arguments("RUNNING_SUM", arguments, 1)
        value = self.value(of)
        if isinstance(value, float):
            raise InvalidExpression("RUNNING_SUM takes a time series")
        summed = []
        for series in _array(value, "RUNNING_SUM"):
            total, points = 0.0, {}
            for time_s, one in series.points.items():
                total += one
                points[time_s] = total
            summed.append(msgspec.structs.replace(series, points=_kept(points)))
        return summed[0] if isinstance(value, Series) else summed

    def time_series(self, arguments: Sequence[Node]) -> Value:
        (of,) = _arguments("TIME_SERIES", arguments, 1)
        number = self._number("TIME_SERIES", of)
        period_s = self._grid.period_s
        return Series(_kept(dict.fromkeys(self._grid.times(period_s), number)), period_s)

    def period(self, arguments: Sequence[Node]) -> Value:
        (of,) = _arguments("PERIOD", arguments, 1)
        return float(self._series("PERIOD", of).period_s)

    def remove_empty(self, arguments: Sequence[Node]) -> Value:
        (of,) = _arguments("REMOVE_EMPTY", arguments, 1)
        return [series for series in _array(self.value(of), "REMOVE_EMPTY") if series.points]

    def slice(self, arguments: Sequence[Node]) -> Value:
        if len(arguments) not in (2, 3):
            raise InvalidExpression("SLICE takes two or three arguments")
        array = _array(self.value(arguments[0]), "SLICE")
        begin = _index(self._number("SLICE", arguments[1]))
        if len(arguments) == 3:
            return array[begin : _index(self._number("SLICE", arguments[2]))]
        # Documented: without an end, one series is taken.
        return array[begin] if begin < len(array) else Series({}, self._grid.period_s)

    def sort(self, arguments: Sequence[Node]) -> Value:
        if len(arguments) not in (3, 4):
            raise InvalidExpression("SORT takes three or four arguments")
        array = _array(self.value(arguments[0]), "SORT")
        by, direction = (one.name if isinstance(one, Word) else "" for one in arguments[1:3])
        if by not in _REDUCING or direction not in ("ASC", "DESC"):
            raise InvalidExpression("SORT takes a function and ASC or DESC")

        # What there is nothing of comes last either way.
        def key(series: Series) -> tuple[bool, float]:
            value = _reduced(by, list(series.points.values()))
            missing = not series.points
            return missing, 0.0 if missing else value if direction == "ASC" else -value

        ordered = sorted(array, key=key)
        return ordered[: _index(self._number("SORT", arguments[3]))] if len(arguments) == 4 else ordered


_FUNCTIONS: Mapping[str, Callable[[_Evaluation, Sequence[Node]], Value]] = {
    "DIFF": _Evaluation.diff,
    "DIFF_TIME": _Evaluation.diff_time,
    "EPOCH": _Evaluation.epoch,
    "FILL": _Evaluation.fill,
    "FIRST": _Evaluation.first,
    "IF": _Evaluation.if_,
    "LAST": _Evaluation.last,
    "METRICS": _Evaluation.metrics,
    "METRIC_COUNT": _Evaluation.metric_count,
    "PERIOD": _Evaluation.period,
    "RATE": _Evaluation.rate,
    "REMOVE_EMPTY": _Evaluation.remove_empty,
    "RUNNING_SUM": _Evaluation.running_sum,
    "SLICE": _Evaluation.slice,
    "SORT": _Evaluation.sort,
    "TIME_SERIES": _Evaluation.time_series,
}


def _arguments(function: str, arguments: Sequence[Node], number: int) -> Sequence[Node]:
    if len(arguments) != number:
        raise InvalidExpression(f"{function} takes {number} argument{'s' if number > 1 else ''}")
    return arguments


def _index(number: float) -> int:
    if math.isnan(number) or number < 0 or number > 10_000 or number != int(number):
        raise InvalidExpression("A position in an array is a whole number from 0 on")
    return int(number)


def _array(value: Value, taker: str) -> Sequence[Series]:
    if isinstance(value, float):
        raise InvalidExpression(f"{taker} takes time series, not a number")
    return [value] if isinstance(value, Series) else value


def _at(value: Value, time_s: int, missing: float) -> float:
    if isinstance(value, Series):
        return value.points.get(time_s, missing)
    assert isinstance(value, float)
    return value


def _combine(sign: str, left: Value, right: Value) -> Value:
    """Return what an operator makes of two values."""
    if isinstance(left, float) and isinstance(right, float):
        return _apply(sign, left, right)
    if isinstance(left, float):
        return _each(right, lambda value: _apply(sign, left, value))
    if isinstance(right, float):
        return _each(left, lambda value: _apply(sign, value, right))
    if isinstance(left, Series) and isinstance(right, Series):
        return _combine_series(sign, left, right)
    if isinstance(left, Series):
        assert not isinstance(right, Series)
        return [
            msgspec.structs.replace(
                _combine_series(sign, left, one), label=one.label, id=one.id, properties=one.properties
            )
            for one in right
        ]
    if isinstance(right, Series):
        return [_combine_series(sign, one, right) for one in left]
    raise InvalidExpression(f"The operator {sign} takes no two arrays")


def _combine_series(sign: str, left: Series, right: Series) -> Series:
    """Documented: a point that one side lacks is read as 0 where the other has one."""
    points = {
        time_s: _apply(sign, left.points.get(time_s, 0.0), right.points.get(time_s, 0.0))
        for time_s in sorted({*left.points, *right.points})
    }
    return Series(_kept(points), max(left.period_s, right.period_s), left.label, left.id, left.properties)


def _reduce(function: str, value: Value) -> Value:
    """Reduce a series to a number, an array to a series, point by point."""
    if isinstance(value, float):
        return value
    if isinstance(value, Series):
        return _reduced(function, list(value.points.values()))
    by_time: dict[int, list[float]] = {}
    for series in value:
        for time_s, one in series.points.items():
            by_time.setdefault(time_s, []).append(one)
    # Documented: over an array AVG reads what is missing as 0.
    padding = [0.0] * len(value) if function == "AVG" else []
    points = {time_s: _reduced(function, values + padding[len(values) :]) for time_s, values in sorted(by_time.items())}
    return Series(_kept(points), max((series.period_s for series in value), default=60))


_Fill = Callable[[Mapping[int, float], Sequence[int]], dict[int, float]]


def _with(filler: Value) -> _Fill:
    """Fill with a number, or with the points of another series."""
    if not isinstance(filler, float | Series):
        raise InvalidExpression("FILL takes no array to fill with")

    def fill(points: Mapping[int, float], times: Sequence[int]) -> dict[int, float]:
        return _kept(
            {time_s: points[time_s] if time_s in points else _at(filler, time_s, math.nan) for time_s in times}
        )

    return fill


def _repeat(points: Mapping[int, float], times: Sequence[int]) -> dict[int, float]:
    """Fill with the last point before."""
    latest, filled = math.nan, {}
    for time_s in times:
        latest = points.get(time_s, latest)
        filled[time_s] = latest
    return _kept(filled)


def _linear(points: Mapping[int, float], times: Sequence[int]) -> dict[int, float]:
    """Fill gaps with what lies on the line between their ends; outside there is none."""
    known = list(points)
    filled: dict[int, float] = {}
    after = 0
    for time_s in times:
        while after < len(known) and known[after] < time_s:
            after += 1
        if time_s in points:
            filled[time_s] = points[time_s]
        elif 0 < after < len(known):
            before_s, after_s = known[after - 1], known[after]
            share = (time_s - before_s) / (after_s - before_s)
            filled[time_s] = points[before_s] + (points[after_s] - points[before_s]) * share
    return filled
