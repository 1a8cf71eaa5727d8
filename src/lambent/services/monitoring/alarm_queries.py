"""What an alarm watches, read: one metric, or what is computed of several."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from lambent.domain.alarm import AlarmQuery, Watch, WatchedMetric
from lambent.domain.alarm_evaluation import Point, Slot, range_periods
from lambent.domain.caller import Scope
from lambent.domain.metric import Distribution, Metric
from lambent.domain.metric_expression import Call, Reference, parse_expression, walk
from lambent.domain.metric_periods import begin_of
from lambent.domain.metric_statistics import parse_statistic
from lambent.errors.api.monitoring import ValidationException
from lambent.services.monitoring.metric_queries import Asked, MetricQueries, computed
from lambent.services.monitoring.metric_query import MetricQuery, MetricStat
from lambent.store.metrics_contract import MetricStore

_INLINE_MAX = 500
"""Periods that are dealt with on the event loop; more are on a thread. Assumed: some tenths of a millisecond."""

_SLIDES_FROM_S = 3_600
_SLIDE_S = 300
"""Assumed: by how much the last hours move on at a time (test_alarm_queries)."""

_LATELY_S = 7_200
"""Alarms that look back further are read whatever was measured: a list of days would be long."""
_FEW = 20
"""Alarms of a scope that are read without a list. Assumed: as much work as one (test_alarm_queries)."""
_HEARD_MAX = 5_000
"""Metrics that are listed. Assumed: some tens of milliseconds on a thread."""

_SAMPLES_MIN = 10
"""Documented: CloudWatch user guide, percentile-based alarms: 10/(1-p) for the upper half, 10/p for the lower one."""


class Reading(msgspec.Struct, frozen=True):
    """What an alarm goes by at one moment."""

    slots: Sequence[Slot]
    """The evaluation range, oldest first."""
    has_few_samples: bool = False
    """A percentile rests on too few values to mean something."""


class Unreadable(Exception):
    """What is watched cannot be computed; `args[0]` says why."""


_NOT_FOR_ALARMS = frozenset({"SEARCH", "ANOMALY_DETECTION_BAND", "INSIGHT_RULE_METRIC", "LAMBDA"})


def check_references(queries: Sequence[AlarmQuery]) -> None:
    """
    Refuse expressions that ask for what an alarm cannot have.

    Raises:
        ValidationException: a circle, or a function that is not for alarms.
    """
    asked: dict[str, set[str]] = {}
    for query in queries:
        if query.expression is None:
            continue
        nodes = list(walk(parse_expression(query.expression)))
        calls = {one.function for one in nodes if isinstance(one, Call)}
        # Documented: CloudWatch user guide, metric math and search expressions: not in alarms.
        if refused := calls & _NOT_FOR_ALARMS:
            raise ValidationException(f"Error in expression '{query.id}': {min(refused)} is not for alarms")
        asked[query.id] = {one.id for one in nodes if isinstance(one, Reference)}
    while done := [name for name, others in asked.items() if not others & set(asked)]:
        for name in done:
            del asked[name]
    if asked:
        raise ValidationException(f"Error in expression '{min(asked)}': it refers to itself")


class AlarmReader:
    """Reads what alarms go by."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store
        self._queries = MetricQueries(store)

    def listen(self, now: float) -> "Silence":
        """Return what knows, for one look at many alarms, on which metrics there is nothing to read."""
        return Silence(self._store, now)

    async def read(self, scope: Scope, watch: Watch, now: float, silence: "Silence | None" = None) -> Reading:
        """
        Return the periods that are over by now, as many as are looked at.

        Args:
            silence: of this look.

        Raises:
            Unreadable: an expression makes nothing of what there is.
            DependencyError: the store failed.
        """
        # Documented: CloudWatch user guide, evaluating an alarm: the periods that are complete.
        before_s = begin_of(now, _SLIDE_S if _slides(watch) else watch.period_s)
        times = range(before_s - range_periods(watch) * watch.period_s, before_s, watch.period_s)
        asked = Asked(scope, times.start, times.stop, now)
        if watch.metric is None:
            values = await self._computed(watch, asked)
            return Reading([Slot(at, Point(values[at]) if at in values else None) for at in times])
        if silence is not None and await silence.is_over(scope, watch.metric, times.start):
            return Reading([Slot(at) for at in times])
        found = await self._measured(watch.metric, asked, slides=_slides(watch))
        used = [found[at] for at in times if at in found][-watch.evaluation_periods :]
        least = _samples_needed(watch.metric.statistic)
        return Reading(
            [Slot(at, found.get(at)) for at in times], any((point.sample_count or 0) < least for point in used)
        )

    async def _measured(self, metric: WatchedMetric, asked: Asked, *, slides: bool) -> Mapping[int, Point]:
        """
        Return what one metric was, by the begin of the period.

        Args:
            slides: whether periods begin where the time asked for does.

        Observed: GetMetricData without a unit: of several the one that is first by its name.
        """
        stat = _stat(asked.scope, metric)
        by_unit = await self._queries.read(stat, asked, _SLIDE_S if slides else None)
        if not by_unit:
            return {}
        periods = by_unit[min(by_unit)]
        if slides:
            periods = _merged(periods, int(asked.start_s), metric.period_s)
        if len(periods) > _INLINE_MAX:
            values: Mapping[int, float] = await asyncio.to_thread(computed, periods, stat.statistic)
        else:
            values = computed(periods, stat.statistic)
        return {at: Point(value, periods[at].count) for at, value in values.items()}

    async def _computed(self, watch: Watch, asked: Asked) -> Mapping[int, float]:
        """
        Return what the row that is returned gives, by the begin of the period.

        Raises:
            Unreadable: it is not one series.
        """
        try:
            # Not on the loop: thousands of alarms may have long expressions.
            queries = await asyncio.to_thread(_queries, asked.scope, watch)
            results = [one async for one in self._queries.results(queries, asked)]
        except ValidationException as error:
            raise Unreadable(error.message) from error
        if len(results) != 1:
            # Documented: CloudWatch user guide, metric math: of an alarm an expression gives one series.
            raise Unreadable(f"it gives {len(results)} series")
        return results[0].series.points


class Silence:
    """
    On which metrics there is nothing to read: most alarms are on functions that fail seldom, or that nobody calls.

    One list of what was measured lately is cheaper than reading each of many metrics.
    """

    def __init__(self, store: MetricStore, now: float) -> None:
        self._store = store
        self._since_s = int(now) - _LATELY_S
        self._asked: dict[Scope, int] = {}
        self._heard: dict[Scope, frozenset[tuple[object, ...]] | None] = {}
        """None: too much was measured lately to be listed."""

    async def is_over(self, scope: Scope, metric: WatchedMetric, from_s: int) -> bool:
        """Say whether a metric is known to have no points since then."""
        if from_s < self._since_s:
            return False
        self._asked[scope] = self._asked.get(scope, 0) + 1
        if self._asked[scope] <= _FEW:
            return False
        if scope not in self._heard:
            listed = await self._store.list(scope, since_s=self._since_s, limit=_HEARD_MAX)
            self._heard[scope] = (
                None
                if len(listed) == _HEARD_MAX
                else frozenset((one.namespace, one.name, one.dimensions) for one in listed)
            )
        heard = self._heard[scope]
        return heard is not None and (metric.namespace, metric.name, tuple(sorted(metric.dimensions))) not in heard


def _slides(watch: Watch) -> bool:
    """
    Say whether the last hours are watched, and not the last whole ones.

    Documented: CloudWatch user guide, evaluating an alarm: of periods of an hour or more, where there is only one.
    """
    return watch.metric is not None and watch.period_s >= _SLIDES_FROM_S and watch.evaluation_periods == 1


def _merged(periods: Mapping[int, Distribution], start_s: int, period_s: int) -> Mapping[int, Distribution]:
    """Gather short periods into long ones, the first of which begins at a start."""
    merged: dict[int, Distribution] = {}
    for at, values in periods.items():
        merged.setdefault(start_s + (at - start_s) // period_s * period_s, Distribution()).merge(values)
    return merged


def _queries(scope: Scope, watch: Watch) -> Sequence[MetricQuery]:
    return [
        MetricQuery(
            query.id,
            query.label,
            query.is_returned is not False,
            query.period_s or watch.period_s,
            None if query.metric is None else _stat(scope, query.metric),
            None if query.expression is None else parse_expression(query.expression),
        )
        for query in watch.queries
    ]


def _stat(scope: Scope, metric: WatchedMetric) -> MetricStat:
    named = Metric(scope, metric.namespace, metric.name, tuple(sorted(metric.dimensions)))
    return MetricStat(named, metric.period_s, parse_statistic(metric.statistic), metric.unit)


def _samples_needed(statistic: str) -> float:
    """Return how many values a percentile needs; 0 for other statistics."""
    if not statistic.startswith("p"):
        return 0
    percent = float(statistic[1:])
    rare = 100 - percent if percent > 50 else percent
    # Rounded, since what is left of a hundred is not exact.
    return round(_SAMPLES_MIN * 100 / rare, 6) if rare else float("inf")
