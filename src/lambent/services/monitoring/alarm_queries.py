"""What an alarm watches, read: one metric, or what is computed of several."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from lambent.domain.alarm import AlarmQuery, Watch, WatchedMetric
from lambent.domain.alarm_evaluation import Point, Slot, range_periods
from lambent.domain.caller import Scope
from lambent.domain.metric import Distribution, MetricPoint
from lambent.domain.metric_expression import Call, InvalidExpression, Reference, parse_expression, walk
from lambent.domain.metric_math import Grid, Series, Surroundings, evaluate
from lambent.domain.metric_periods import begin_of
from lambent.domain.metric_statistics import parse_statistic
from lambent.errors.api.cloudwatch import ValidationException
from lambent.store.metrics_contract import MetricStore

_INLINE_MAX = 500
"""Points that are dealt with on the event loop; more are on a thread. Assumed: some tenths of a millisecond."""

_SAMPLES_MIN = 10
"""Documented: CloudWatch user guide, percentile-based alarms: 10/(1-p) for the upper half, 10/p for the lower one."""

_T = TypeVar("_T")


class Reading(msgspec.Struct, frozen=True):
    """What an alarm goes by at one moment."""

    slots: Sequence[Slot]
    """The evaluation range, oldest first."""
    has_few_samples: bool = False
    """A percentile rests on too few values to mean something."""


class Unreadable(Exception):
    """What is watched cannot be computed; `args[0]` says why."""


def check_references(queries: Sequence[AlarmQuery]) -> None:
    """
    Refuse expressions that ask for what an alarm cannot have.

    Raises:
        ValidationException: an id that there is none of, a circle, or a function that is not for alarms.
    """
    nodes = {query.id: parse_expression(query.expression) for query in queries if query.expression is not None}
    known = {query.id for query in queries}
    asked: dict[str, set[str]] = {}
    for name, node in nodes.items():
        calls = {one.function for one in walk(node) if isinstance(one, Call)}
        # Documented: CloudWatch user guide, metric math and search expressions: not in alarms.
        if refused := calls & {"SEARCH", "ANOMALY_DETECTION_BAND", "INSIGHT_RULE_METRIC", "LAMBDA"}:
            raise ValidationException(f"Error in expression '{name}': {min(refused)} is not for alarms")
        asked[name] = {one.id for one in walk(node) if isinstance(one, Reference)}
        if unknown := asked[name] - known:
            raise ValidationException(f"Error in expression '{name}': there is no query {min(unknown)}")
    while done := [name for name, others in asked.items() if not others & set(asked)]:
        for name in done:
            del asked[name]
    if asked:
        raise ValidationException(f"Error in expression '{min(asked)}': it refers to itself")


class AlarmReader:
    """Reads what alarms go by."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    async def read(self, scope: Scope, watch: Watch, now: float) -> Reading:
        """
        Return the periods that are over by now, as many as are looked at.

        Raises:
            Unreadable: an expression makes nothing of what there is.
            DependencyError: the store failed.
        """
        # Documented: CloudWatch user guide, evaluating an alarm: the periods that are complete.
        before_s = begin_of(now, watch.period_s)
        times = range(before_s - range_periods(watch) * watch.period_s, before_s, watch.period_s)
        if watch.metric is None:
            return Reading(await self._computed(scope, watch, times))
        found = await self._measured(scope, watch.metric, times)
        slots = [Slot(at, found.get(at)) for at in times]
        used = [point for point in (found.get(at) for at in times) if point is not None][-watch.evaluation_periods :]
        least = _samples_needed(watch.metric.statistic)
        return Reading(slots, any((point.sample_count or 0) < least for point in used))

    async def _measured(self, scope: Scope, metric: WatchedMetric, times: range) -> Mapping[int, Point]:
        """Return what one metric was, by the begin of the period."""
        points = await self._store.read(
            scope,
            metric.namespace,
            metric.name,
            tuple(sorted(metric.dimensions)),
            from_s=times.start,
            before_s=times.stop,
        )
        return await _aside(len(points), partial(_statistics, metric, points))

    async def _computed(self, scope: Scope, watch: Watch, times: range) -> Sequence[Slot]:
        series: dict[str, Series] = {}
        # One after the other: a scope's alarms share few connections with everybody else.
        for query in watch.queries:
            if query.metric is not None:
                found = await self._measured(scope, query.metric, times)
                points = {at: point.value for at, point in found.items()}
                series[query.id] = Series(points, watch.period_s, query.label or query.metric.name, query.id)
        result = await _aside(len(series) * len(times), partial(_compute, watch, series, times))
        return [Slot(at, Point(result[at]) if at in result else None) for at in times]


def _statistics(metric: WatchedMetric, points: Sequence[MetricPoint]) -> Mapping[int, Point]:
    """
    Return what a statistic makes of points, by the begin of its period.

    Observed: GetMetricData without a unit: of several the one that is first by its name.
    """
    unit = metric.unit or min((point.metric.unit for point in points), default="")
    statistic = parse_statistic(metric.statistic)
    merged: dict[int, Distribution] = {}
    for point in points:
        if point.metric.unit == unit:
            merged.setdefault(begin_of(point.at_s, metric.period_s), Distribution()).merge(point.values)
    found = {}
    for at, values in merged.items():
        value = statistic.compute(values)
        if value is not None:
            found[at] = Point(value, values.count)
    return found


def _compute(watch: Watch, series: Mapping[str, Series], times: range) -> Mapping[int, float]:
    """
    Return what the row that is returned gives.

    Raises:
        Unreadable: it is not one series.
    """
    expressions = {query.id: query.expression for query in watch.queries if query.expression is not None}
    surroundings: Surroundings

    def refer(name: str) -> Series | Sequence[Series]:
        if name in series:
            return series[name]
        if name not in expressions:
            raise InvalidExpression(f"there is no query {name}")
        found = evaluate(parse_expression(expressions[name]), surroundings)
        return found[0] if len(found) == 1 else found

    surroundings = Surroundings(
        Grid(times.start, times.stop, watch.period_s), refer, list(series.values()), _search_nothing
    )
    returned = next(query.id for query in watch.queries if query.is_returned is not False)
    try:
        result = refer(returned)
    except (InvalidExpression, RecursionError) as error:
        raise Unreadable(str(error) or "it is nested too deeply") from error
    if not isinstance(result, Series):
        # Documented: CloudWatch user guide, metric math: of an alarm an expression gives one series.
        raise Unreadable(f"it gives {len(result)} series")
    return result.points


def _search_nothing(call: Call) -> Sequence[Series]:
    raise InvalidExpression("SEARCH is not for alarms")


def _samples_needed(statistic: str) -> float:
    """Return how many values a percentile needs; 0 for other statistics."""
    if not statistic.startswith("p"):
        return 0
    share = float(statistic[1:]) / 100
    rare = 1 - share if share > 0.5 else share
    return _SAMPLES_MIN / rare if rare else float("inf")


async def _aside(size: int, work: Callable[[], _T]) -> _T:
    """Do what takes long on a thread."""
    return work() if size <= _INLINE_MAX else await asyncio.to_thread(work)
