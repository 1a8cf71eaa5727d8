"""
What GetMetricData asks: queries of one request, and the series that each gives.

A query is read from the store, or is an expression of other queries. Alarms evaluate theirs by the same rules.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, timezone
from typing import NamedTuple

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.metric import Distribution, Metric, MetricPoint
from lambent.domain.metric_expression import (
    Call,
    InvalidExpression,
    Number,
    Reference,
    Text,
    walk,
)
from lambent.domain.metric_labels import Described, LabelFacts, default_label, dynamic_label
from lambent.domain.metric_math import Grid, Series, Surroundings, evaluate
from lambent.domain.metric_periods import MINUTE_S, begin_of, is_period, rounded_start, source_of
from lambent.domain.metric_search import Matches, differing_labels, parse_search, terms_in
from lambent.domain.metric_statistics import InvalidStatistic, Statistic, parse_statistic
from lambent.errors.api.monitoring import ValidationException
from lambent.services.monitoring.metric_lists import LISTED_S
from lambent.services.monitoring.metric_query import MetricQuery, MetricStat, refused
from lambent.store.metrics_contract import SERIES_MAX, MetricStore

FOUND_MAX = 500
"""Series of one SEARCH. Documented: CloudWatch user guide, search expressions."""
POINTS_MAX = 2_000_000
"""
Points that one request may read. Assumed: a search of 500 series over two days by the minute (test_metric_queries).
"""
COMPUTED_MAX = 20_000_000
"""Points that its expressions may compute. Assumed: ten steps over all that may be read (test_metric_queries)."""
_INLINE_MAX = 500
"""Points that are reduced on the event loop. Assumed: half a millisecond."""

_STRETCH = 1_440
"""Points that are read at once: a block of the store. Assumed: with their bins, some megabytes."""

_OLDEST_S = 520 * 86_400
_NEWEST_S = 3 * 3_600
"""What the store may hold at most: 455 days and the block that they end in; two hours ahead, and the period then."""

_REFERENCES_MAX = 50
"""Expressions of expressions. Assumed: nobody nests them so deeply (test_metric_queries)."""

_MATH_PERIOD_S = 60
"""Of an expression that names no metric and no period. Assumed (test_metric_queries)."""


class QueryResult(msgspec.Struct, frozen=True):
    """One series of an answer."""

    id: str
    label: str
    series: Series
    messages: Sequence[Mapping[str, str]] = ()


class Asked(msgspec.Struct, frozen=True):
    """When, of a request."""

    scope: Scope
    start_s: float
    end_s: float
    now_s: float
    zone: timezone = UTC


class MetricQueries:
    """Evaluates queries."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    async def read(
        self, stat: MetricStat, asked: Asked, period_s: int | None = None
    ) -> Mapping[str, Mapping[int, Distribution]]:
        """
        Return what was measured by unit, then by the begin of the period; units not asked for are left out.

        For a short time: it is all read at once.
        """
        period_s = period_s or stat.period_s
        points = await self._store.read(
            asked.scope,
            stat.metric.namespace,
            stat.metric.name,
            stat.metric.dimensions,
            from_s=rounded_start(asked.start_s, period_s, asked.now_s),
            before_s=math.ceil(asked.end_s),
            period_s=period_s,
            with_bins=not stat.statistic.is_basic,
        )
        if stat.unit is not None:
            points = [point for point in points if point.metric.unit == stat.unit]
        return gathered(points, period_s)

    async def told(
        self, stat: MetricStat, statistics: Sequence[Statistic], asked: Asked, period_s: int | None = None
    ) -> Mapping[str, Mapping[int, Sequence[float | None]]]:
        """
        Return some statistics of each period, by unit, then by its begin, in order of time.

        What was measured is read one stretch after the other: all bins of a year would be a hundred megabytes.
        """
        period_s = period_s or stat.period_s
        with_bins = not all(one.is_basic for one in statistics)
        by_unit: dict[str, dict[int, Sequence[float | None]]] = {}
        for from_s, before_s in _stretches(asked, period_s):
            points = await self._store.read(
                asked.scope,
                stat.metric.namespace,
                stat.metric.name,
                stat.metric.dimensions,
                from_s=from_s,
                before_s=before_s,
                period_s=period_s,
                with_bins=with_bins,
            )
            if stat.unit is not None:
                points = [point for point in points if point.metric.unit == stat.unit]
            if len(points) > _INLINE_MAX:
                found = await asyncio.to_thread(_told, points, period_s, statistics)
            else:
                found = _told(points, period_s, statistics)
            for unit, periods in found.items():
                by_unit.setdefault(unit, {}).update(periods)
        return by_unit

    async def results(self, queries: Sequence[MetricQuery], asked: Asked, first: int = 0) -> AsyncIterator[QueryResult]:
        """
        Evaluate queries whose data are returned, in their order, as the results are taken.

        Args:
            first: results before it are wanted no more, and left out.

        Raises:
            ValidationException: an expression cannot be computed.
        """
        evaluation = _Evaluation(self._store, self, queries, asked)
        number = 0
        for query in queries:
            if not query.is_returned:
                continue
            if query.stat is not None and number < first:
                number += 1
                continue
            for result in await evaluation.results(query):
                number += 1
                if number > first:
                    yield result


def _stretches(asked: Asked, period_s: int) -> Iterator[tuple[int, int]]:
    """
    Divide a time into stretches of so many points that are read at once, each of whole periods.

    They are cut where the store's blocks are, at multiples of a stretch: else it would open each block twice.
    """
    # Nothing is kept from before, and nothing can be put for later.
    first_s, last_s = asked.now_s - _OLDEST_S, asked.now_s + _NEWEST_S
    start_s = rounded_start(max(asked.start_s, first_s), period_s, asked.now_s)
    end_s = math.ceil(min(asked.end_s, last_s))
    # What is measured by the second is kept for some hours: a day of it is no more.
    source_s = max(source_of(period_s), MINUTE_S)
    span_s = max(_STRETCH * source_s // period_s, 1) * period_s
    from_s = start_s
    while from_s < end_s:
        to_s = min(begin_of(from_s, span_s) + span_s, end_s)
        yield from_s, to_s
        from_s = to_s


def _told(
    points: Sequence[MetricPoint], period_s: int, statistics: Sequence[Statistic]
) -> Mapping[str, dict[int, Sequence[float | None]]]:
    return {
        unit: {begin_s: [one.compute(values) for one in statistics] for begin_s, values in periods.items()}
        for unit, periods in gathered(points, period_s).items()
    }


def gathered(points: Sequence[MetricPoint], period_s: int) -> Mapping[str, Mapping[int, Distribution]]:
    """Merge points into periods, by unit."""
    by_unit: dict[str, dict[int, Distribution]] = {}
    for metric, at_s, _, values in points:
        periods = by_unit.setdefault(metric.unit, {})
        begin_s = begin_of(at_s, period_s)
        known = periods.get(begin_s)
        if known is None:
            periods[begin_s] = values
        else:
            known.merge(values)
    return by_unit


def computed(periods: Mapping[int, Distribution], statistic: Statistic) -> dict[int, float]:
    """Return a statistic of each period that it can be told of."""
    points = {}
    for begin_s, values in periods.items():
        value = statistic.compute(values)
        if value is not None:
            points[begin_s] = value
    return points


class _Parts(NamedTuple):
    """What of an expression is not computed from numbers alone."""

    references: Sequence[str]
    """Ids of other queries, each once."""
    searches: Sequence[Call]
    has_metrics: bool
    """Whether it is about all metrics of the request."""


class _Evaluation:
    """The queries of one request; what was read is kept for those that refer to it."""

    def __init__(self, store: MetricStore, reader: MetricQueries, queries: Sequence[MetricQuery], asked: Asked) -> None:
        self._store = store
        self._reader = reader
        self._queries = {query.id: query for query in queries}
        self._described = {
            query.id: Described(query.stat.metric.name, query.stat.statistic.name, query.stat.period_s)
            for query in queries
            if query.stat is not None
        }
        self._asked = asked
        self._parts: dict[str, _Parts] = {}
        self._read: dict[tuple[str, int], tuple[Series, Sequence[Mapping[str, str]]]] = {}
        self._found: dict[tuple[Call, int], Sequence[Series]] = {}
        self._known: dict[int, dict[str, Series | Sequence[Series]]] = {}
        """What was computed of each period, by id: hundreds of expressions may refer to the same one."""
        self._points = 0
        self._computed = 0

    async def results(self, query: MetricQuery) -> Sequence[QueryResult]:
        if query.stat is not None:
            series, messages = await self._of_stat(query, query.stat.period_s)
            return [QueryResult(query.id, self._label(query, series, series.label), series, messages)]
        found = await self._of_expression(query)
        if isinstance(found, Series):
            return [QueryResult(query.id, self._label(query, found, query.id), found)]
        results = []
        for series in found:
            # Assumed: what a query calls its results stands before what tells them apart (test_metric_queries).
            label = self._label(query, series, series.label or query.id)
            if query.label is not None and series.label and query.label and "${" not in query.label:
                label = f"{label} {series.label}"
            results.append(QueryResult(query.id, label, series))
        return results

    def _label(self, query: MetricQuery, series: Series, default: str) -> str:
        if query.label is None:
            return default
        if "${" not in query.label:
            return query.label
        scope = self._asked.scope
        properties = {"Region": scope.region, "AccountId": scope.account, "AccountLabel": scope.account}
        if (stat := query.stat) is not None:
            properties |= {
                "MetricName": stat.metric.name,
                "Namespace": stat.metric.namespace,
                "Stat": stat.statistic.name,
                "Period": str(stat.period_s),
            }
            properties |= {f"Dim.{name}": value for name, value in stat.metric.dimensions}
        return dynamic_label(query.label, series, LabelFacts(default, properties, self._asked.now_s, self._asked.zone))

    async def _of_stat(self, query: MetricQuery, period_s: int) -> tuple[Series, Sequence[Mapping[str, str]]]:
        key = (query.id, period_s)
        if key not in self._read:
            assert query.stat is not None
            label = default_label(self._described[query.id], list(self._described.values()))
            self._read[key] = await self._series(query.stat, period_s, label, query.id)
        return self._read[key]

    async def _series(
        self, stat: MetricStat, period_s: int, label: str, id: str
    ) -> tuple[Series, Sequence[Mapping[str, str]]]:
        by_unit = await self._reader.told(stat, [stat.statistic], self._asked, period_s)
        if not by_unit:
            return Series({}, period_s, label, id), ()
        units = sorted(by_unit)
        points = {begin_s: told[0] for begin_s, told in by_unit[units[0]].items() if told[0] is not None}
        self._points += len(points)
        if self._points > POINTS_MAX:
            raise ValidationException(
                f"The request reads more than {POINTS_MAX} datapoints: shorten its time or lengthen its periods"
            )
        messages: Sequence[Mapping[str, str]] = ()
        if len(units) > 1:
            # Observed: the values of the unit that comes first, and this.
            messages = ({"Code": "MultipleUnits", "Value": f"Multiple units returned: '[{', '.join(units)}]'"},)
        return Series(points, period_s, label, id), messages

    async def _of_expression(self, query: MetricQuery) -> Series | Sequence[Series]:
        """Compute an expression, when all is read that it needs."""
        assert query.expression is not None
        try:
            needed = self._needed(query)
            period_s = self._period(query, needed)
            metrics = {one.id: (await self._of_stat(one, period_s))[0] for one in needed if one.stat is not None}
            searches: dict[Call, Sequence[Series]] = {}
            for one in needed:
                for search in self._parts_of(one).searches:
                    searches[search] = await self._search(search, query.period_s, period_s)
            return await asyncio.to_thread(self._compute, needed, metrics, searches, period_s)
        except InvalidExpression as invalid:
            raise refused(query, str(invalid)) from None

    def _parts_of(self, query: MetricQuery) -> "_Parts":
        """Return what an expression is made of. Looked for once: hundreds of queries may need the same one."""
        parts = self._parts.get(query.id)
        if parts is None:
            nodes = () if query.expression is None else tuple(walk(query.expression))
            calls = [node for node in nodes if isinstance(node, Call)]
            parts = self._parts[query.id] = _Parts(
                tuple(dict.fromkeys(node.id for node in nodes if isinstance(node, Reference))),
                tuple(call for call in calls if call.function == "SEARCH"),
                any(call.function == "METRICS" for call in calls),
            )
        return parts

    def _needed(self, query: MetricQuery) -> list[MetricQuery]:
        """Return all queries that an expression is made of, itself included."""
        found: dict[str, MetricQuery] = {}

        def visit(one: MetricQuery, path: tuple[str, ...]) -> None:
            if one.id in path:
                raise InvalidExpression(f"The expression refers to itself: {' -> '.join((*path, one.id))}")
            if one.id in found:
                return
            if len(path) > _REFERENCES_MAX:
                raise InvalidExpression("The expression refers to others too deeply")
            parts = self._parts_of(one)
            for id in parts.references:
                visit(self._queries[id], (*path, one.id))
            if parts.has_metrics:
                found.update({other.id: other for other in self._queries.values() if other.stat is not None})
            found[one.id] = one

        visit(query, ())
        return list(found.values())

    def _period(self, query: MetricQuery, needed: Sequence[MetricQuery]) -> int:
        """Return the period of a whole expression. Assumed: the coarsest of its metrics (test_metric_queries)."""
        periods = [one.stat.period_s for one in needed if one.stat is not None]
        for one in needed:
            periods += [_search_of(search, query.period_s)[2] for search in self._parts_of(one).searches]
        return max(periods) if periods else query.period_s or _MATH_PERIOD_S

    def _compute(
        self,
        needed: Sequence[MetricQuery],
        metrics: Mapping[str, Series],
        searches: Mapping[Call, Sequence[Series]],
        period_s: int,
    ) -> Series | Sequence[Series]:
        """Compute the last of some queries, each of which stands behind those that it refers to."""
        asked = self._asked
        # What has not come yet is not missing.
        end_s = int(min(asked.end_s, asked.now_s + 1))
        grid = Grid(rounded_start(asked.start_s, period_s, asked.now_s), end_s, period_s)
        known = self._known.setdefault(period_s, {})
        known.update(metrics)

        surroundings = Surroundings(
            grid, known.__getitem__, list(metrics.values()), lambda call: searches[call], self._spend
        )
        for one in needed:
            if one.expression is not None and one.id not in known:
                known[one.id] = evaluate(one.expression, surroundings)
        return known[needed[-1].id]

    def _spend(self, points: int) -> None:
        self._computed += points
        if self._computed > COMPUTED_MAX:
            raise InvalidExpression(f"The expressions compute more than {COMPUTED_MAX} datapoints")

    async def _search(self, call: Call, default_period_s: int | None, period_s: int) -> Sequence[Series]:
        """Read what a SEARCH finds, in the period of the expression that it is part of."""
        key = (call, period_s)
        if key not in self._found:
            text, statistic, _ = _search_of(call, default_period_s)
            matches = parse_search(text)
            since_s = int(self._asked.now_s) - LISTED_S
            listed = await self._store.list(self._asked.scope, since_s=since_s, limit=SERIES_MAX)
            self._spend(len(listed) * terms_in(text))
            found = await asyncio.to_thread(_matching, listed, matches)
            series = []
            for metric, label in found:
                stat = MetricStat(metric, period_s, statistic)
                series.append((await self._series(stat, period_s, label, ""))[0])
            self._found[key] = series
        return self._found[key]


def _matching(listed: Sequence[Metric], matches: Matches) -> list[tuple[Metric, str]]:
    """Return what a search finds, and a label of each: one of each, whatever its units are."""
    found = list({metric[:4]: metric for metric in listed if matches(metric)}.values())[:FOUND_MAX]
    return list(zip(found, differing_labels(found), strict=True))


def _search_of(call: Call, default_period_s: int | None) -> tuple[str, Statistic, int]:
    """Return what a SEARCH looks for, and the statistic and period of what it finds."""
    arguments = call.arguments
    if len(arguments) not in (2, 3) or not all(isinstance(one, Text) for one in arguments[:2]):
        raise InvalidExpression("SEARCH takes a text, a statistic and a period")
    text, named = (one.value for one in arguments[:2] if isinstance(one, Text))
    try:
        statistic = parse_statistic(named)
    except InvalidStatistic as unknown:
        raise InvalidExpression(str(unknown)) from None
    if len(arguments) == 2:
        return text, statistic, default_period_s or 300
    period = arguments[2]
    if not isinstance(period, Number) or not period.value.is_integer() or not is_period(int(period.value)):
        raise InvalidExpression("The period of a SEARCH is 1, 5, 10, 20, 30 or a multiple of 60")
    return text, statistic, int(period.value)
