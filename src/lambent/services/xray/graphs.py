"""GetServiceGraph, GetTraceGraph and GetTimeSeriesServiceStatistics: what many traces say together."""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any

from lambent.domain.caller import Caller, Scope
from lambent.domain.xray.document import moment_of
from lambent.domain.xray.filter_expression import Selector, compile_selector
from lambent.domain.xray.filter_terms import InvalidExpression
from lambent.domain.xray.service_graph import ServiceGraph, TimeSeries
from lambent.domain.xray.trace import Trace
from lambent.errors.api.xray import InvalidRequestException
from lambent.protocol.shapes.xray import (
    GetServiceGraphRequest,
    GetTimeSeriesServiceStatisticsRequest,
    GetTraceGraphRequest,
)
from lambent.services.operation import operation
from lambent.services.xray.filters import Filters, checked_trace_ids
from lambent.services.xray.reading import TraceReader, requested_range
from lambent.services.xray.tokens import refuse_token
from lambent.store.traces_contract import StoredTrace, TraceSettings, TraceStore

_TRACES_MAX = 20_000
"""
That one graph is made of: some seconds of work. Beyond it a request is refused, for half a graph would be a wrong one.
Assumed: AWS samples its traces and has no such limit (test_xray).
"""

_BYTES_MAX = 268_435_456
"""Of documents that it is made of, for the same reason."""

_AT_ONCE = 500

_PERIODS = frozenset({60, 300})
"""Documented: GetTimeSeriesServiceStatistics, Period."""


class Graphs:
    """Services, and calls between them."""

    def __init__(self, store: TraceStore, settings: TraceSettings, reader: TraceReader) -> None:
        self._store = store
        self._filters = Filters(settings)
        self._reader = reader

    @operation("GetServiceGraph")
    async def service_graph(self, caller: Caller, request: GetServiceGraphRequest) -> Mapping[str, Any]:
        refuse_token(request)
        start, end = requested_range(request)
        matches = await self._filters.of_group(caller.scope, request)
        graph = ServiceGraph()

        def add(trace: Trace) -> None:
            if matches(trace):
                graph.add(trace)

        await self._scan(caller.scope, start, end, add)
        return {
            "StartTime": moment_of(start),
            "EndTime": moment_of(end),
            "Services": await asyncio.to_thread(graph.shown),
            "ContainsOldGroupVersions": False,
        }

    @operation("GetTraceGraph")
    async def trace_graph(self, caller: Caller, request: GetTraceGraphRequest) -> Mapping[str, Any]:
        refuse_token(request)
        ids, _ = checked_trace_ids(request["TraceIds"])
        graph = ServiceGraph()
        known = await self._store.find(caller.scope, ids)
        stored = [known[id_] for id_ in ids if id_ in known]
        async for _ in self._reader.each(caller.scope, stored, graph.add):
            pass
        return {"Services": await asyncio.to_thread(graph.shown)}

    @operation("GetTimeSeriesServiceStatistics")
    async def time_series(self, caller: Caller, request: GetTimeSeriesServiceStatisticsRequest) -> Mapping[str, Any]:
        refuse_token(request)
        start, end = requested_range(request)
        period_s = request.get("Period", 60)
        if period_s not in _PERIODS:
            raise InvalidRequestException("Period has to be 60 or 300.")
        matches = await self._filters.of_group(caller.scope, request)
        selector = _selector(request.get("EntitySelectorExpression"))
        series = TimeSeries(period_s)

        def add(trace: Trace) -> None:
            if matches(trace):
                series.add(selector.select(trace))

        await self._scan(caller.scope, start, end, add)
        member = "EdgeSummaryStatistics" if selector.is_edge else "ServiceSummaryStatistics"
        return {
            "TimeSeriesServiceStatistics": await asyncio.to_thread(series.shown, member),
            "ContainsOldGroupVersions": False,
        }

    async def _scan(self, scope: Scope, start: float, end: float, look: Callable[[Trace], None]) -> None:
        """Show all traces that began within a range."""
        after: StoredTrace | None = None
        scanned = scanned_bytes = 0
        while True:
            stored = await self._store.between(scope, start, math.nextafter(end, math.inf), after=after, limit=_AT_ONCE)
            scanned += len(stored)
            scanned_bytes += sum(one.size_bytes for one in stored)
            if scanned > _TRACES_MAX or scanned_bytes > _BYTES_MAX:
                raise InvalidRequestException(
                    f"There are more than {_TRACES_MAX} traces, or than {_BYTES_MAX >> 20} MiB of them: "
                    "ask for less time at once."
                )
            async for _ in self._reader.each(scope, stored, look):
                pass
            if len(stored) < _AT_ONCE:
                return
            after = stored[-1]


def _selector(text: str | None) -> Selector:
    try:
        return compile_selector(text)
    except InvalidExpression as error:
        raise InvalidRequestException(f"Invalid entity selector expression: {error}") from error
