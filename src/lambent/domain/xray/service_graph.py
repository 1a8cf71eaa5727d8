"""
The graph of services that traces make: who calls whom, how often, how fast, and what comes of it.

Documented: X-Ray API reference, GetServiceGraph, Service, Edge. What is gathered of a trace takes no more room however
many traces there are: only services, edges between them and a bounded number of bins count.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from lambent.domain.xray.document import moment_of
from lambent.domain.xray.summary import show_service
from lambent.domain.xray.trace import (
    Entity,
    ServiceId,
    Trace,
    duration_of,
    end_of,
    entities,
    flags_of,
    text_at,
    value_at,
)

SERVICES_MAX = 1_000
"""In one graph; others are left out. Assumed: AWS pages, and clients draw a few dozen (test_service_graph)."""

EDGES_MAX = 5_000
"""Likewise: of a thousand services there could else be a million."""

STRETCHES_MAX = 2_000
"""Of a time series, likewise: a trace that begins within hours may have segments of any year."""

_LINK = "aws.xray.reserved."
"""What the attributes of a link begin with. Observed: traces of functions that write to queues."""


class Statistics(msgspec.Struct):
    """What came of calls."""

    ok: int = 0
    throttles: int = 0
    errors: int = 0
    """Without throttles."""
    faults: int = 0
    total: int = 0
    seconds: float = 0.0
    histogram: dict[float, int] = {}

    def add(self, segment: Entity) -> None:
        flags, seconds = flags_of(segment), duration_of(segment)
        # Each call counts once, as the worst that it was.
        if flags.fault:
            self.faults += 1
        elif flags.throttle:
            self.throttles += 1
        elif flags.error:
            self.errors += 1
        else:
            self.ok += 1
        self.total += 1
        self.seconds += seconds
        # Two digits: there are a few hundred bins at most, from microseconds to days.
        value = float(f"{max(seconds, 1e-6):.1e}")
        self.histogram[value] = self.histogram.get(value, 0) + 1

    def shown(self) -> dict[str, Any]:
        return {
            "OkCount": self.ok,
            "ErrorStatistics": {
                "ThrottleCount": self.throttles,
                "OtherCount": self.errors,
                "TotalCount": self.throttles + self.errors,
            },
            "FaultStatistics": {"OtherCount": self.faults, "TotalCount": self.faults},
            "TotalCount": self.total,
            "TotalResponseTime": round(self.seconds, 6),
        }

    def histogram_shown(self) -> list[dict[str, Any]]:
        return [{"Value": value, "Count": count} for value, count in sorted(self.histogram.items())]


class _Edge(msgspec.Struct):
    """Calls from one node to another."""

    start_s: float
    end_s: float
    statistics: Statistics
    is_link: bool = False


class _Node(msgspec.Struct):
    number: int
    """ReferenceId."""
    service: ServiceId
    start_s: float
    end_s: float
    is_root: bool = False
    statistics: Statistics | None = None
    """None of a client, of which nothing is known but that it called."""
    edges: dict[ServiceId, _Edge] = {}


class ServiceGraph:
    """A graph, to which traces are added one by one, in any order."""

    def __init__(self) -> None:
        self._nodes: dict[ServiceId, _Node] = {}
        self._edges = 0

    def add(self, trace: Trace) -> None:
        """Add a trace. Nothing of it is kept."""
        for segment in trace.segments:
            service = trace.service_of(segment)
            node = self._node(service, segment)
            if node is None:
                continue
            if node.statistics is None:
                node.statistics = Statistics()
            node.statistics.add(segment)
            caller = trace.caller_of(segment)
            if caller is not None:
                self._call(trace.service_of(caller), service, caller, segment)
            elif segment.get("type") != "subsegment" and not any(_links(segment, "parent")):
                # Assumed: what another trace led to has no client of its own (test_service_graph).
                node.is_root = True
                # Documented: X-Ray developer guide: clients stand before what nobody else here called.
                self._call(service._replace(type="client"), service, segment, segment)
            self._link(service, segment)

    def _node(self, service: ServiceId, segment: Entity) -> _Node | None:
        start, end = float(segment["start_time"]), end_of(segment)
        node = self._nodes.get(service)
        if node is None:
            if len(self._nodes) >= SERVICES_MAX:
                return None
            node = self._nodes[service] = _Node(len(self._nodes), service, start, end)
        node.start_s, node.end_s = min(node.start_s, start), max(node.end_s, end)
        return node

    def _call(
        self, source: ServiceId, target: ServiceId, caller: Entity, callee: Entity, *, is_link: bool = False
    ) -> None:
        node = self._node(source, caller)
        if node is None or target not in self._nodes:
            return
        start, end = float(callee["start_time"]), end_of(callee)
        edge = node.edges.get(target)
        if edge is None:
            if self._edges >= EDGES_MAX:
                return
            self._edges += 1
            edge = node.edges[target] = _Edge(start, end, Statistics(), is_link)
        edge.start_s, edge.end_s = min(edge.start_s, start), max(edge.end_s, end)
        edge.statistics.add(callee)

    def _link(self, service: ServiceId, segment: Entity) -> None:
        """Add an edge for each trace that a segment says follows from it. Observed: as `links` of its entities."""
        for entity in entities(segment):
            for attributes in _links(entity, "child"):
                names = value_at(attributes, f"{_LINK}names")
                name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None
                if name is not None:
                    target = ServiceId(name, text_at(attributes, f"{_LINK}type"), service.account)
                    if self._node(target, entity) is not None:
                        self._call(service, target, segment, entity, is_link=True)

    def shown(self) -> list[dict[str, Any]]:
        """Return the Services of an answer."""
        return [self._shown(node) for node in self._nodes.values()]

    def _shown(self, node: _Node) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "ReferenceId": node.number,
            **show_service(node.service),
            "State": "active",
            "StartTime": moment_of(node.start_s),
            "EndTime": moment_of(node.end_s),
            "Edges": [
                {
                    "ReferenceId": self._nodes[target].number,
                    "StartTime": moment_of(edge.start_s),
                    "EndTime": moment_of(edge.end_s),
                    "SummaryStatistics": edge.statistics.shown(),
                    "ResponseTimeHistogram": edge.statistics.histogram_shown(),
                    "Aliases": [],
                    **({"EdgeType": "link"} if edge.is_link else {}),
                }
                for target, edge in node.edges.items()
            ],
        }
        if node.is_root:
            shown["Root"] = True
        if node.statistics is not None:
            shown["SummaryStatistics"] = node.statistics.shown()
            # Assumed: of a service they are one, since a segment lasts from the request to the answer.
            shown["DurationHistogram"] = shown["ResponseTimeHistogram"] = node.statistics.histogram_shown()
        return shown


def _links(entity: Entity, reference_type: str) -> Iterator[Mapping[str, Any]]:
    """Yield the attributes of an entity's links of a kind, `child` or `parent`."""
    links = entity.get("links")
    for link in links if isinstance(links, list) else ():
        attributes = value_at(link, "attributes")
        if text_at(attributes, f"{_LINK}reference_type") == reference_type:
            yield attributes


class TimeSeries:
    """Statistics of services, or of edges, by stretches of time."""

    def __init__(self, period_s: int) -> None:
        self._period_s = period_s
        self._services: dict[int, Statistics] = {}

    def add(self, segments: Iterable[Entity]) -> None:
        """Add calls, each to the stretch in which it began."""
        for segment in segments:
            at_s = int(segment["start_time"]) // self._period_s * self._period_s
            statistics = self._services.get(at_s)
            if statistics is None:
                if len(self._services) >= STRETCHES_MAX:
                    continue
                statistics = self._services[at_s] = Statistics()
            statistics.add(segment)

    def shown(self, member: str) -> list[Mapping[str, Any]]:
        """
        Return TimeSeriesServiceStatistics.

        Args:
            member: `ServiceSummaryStatistics` or `EdgeSummaryStatistics`.
        """
        return [
            {
                "Timestamp": moment_of(at_s),
                member: statistics.shown(),
                "ResponseTimeHistogram": statistics.histogram_shown(),
            }
            for at_s, statistics in sorted(self._services.items())
        ]
