"""
What all queues hold: for the operator's command, and for metrics, which also tell what became of deliveries and of the
records of event source mappings.

In: the event queue, counts of deliveries. Out: figures, messages as they wait, the text form of metrics. Never: a
message claimed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from lambent.domain.queue_message import unpack
from lambent.store.contract import Depth, EventQueue, QueueKind, QueueName, WaitingEvent
from lambent.telemetry.deliveries import DeliveryCounts

SHOWN_MAX = 1_000
"""Queues in one answer; beyond it the emptiest are left out, and metrics add them up under no name."""

PEEK_MAX = 100

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_OTHERS = ""
"""The name under which metrics hold what is beyond `SHOWN_MAX`."""


class QueueFigures(msgspec.Struct, frozen=True):
    """One queue."""

    kind: str
    account: str
    region: str
    name: str
    waiting: int
    delayed: int
    in_flight: int
    oldest_age_s: float | None


class Peeked(msgspec.Struct, frozen=True):
    """One event or message as it waits."""

    id: str
    body: str
    group: str
    receive_count: int
    sent_ms: int
    due_s: float
    """In how many seconds it can be received; 0 or less: now."""
    is_in_flight: bool


class QueueView:
    """
    Looks at the queues of all accounts.

    Args:
        deliveries: what became of records, dead letters and events of buckets.
        mappings: returns, by UUID of a mapping that asks for them and by name, its counts.
    """

    def __init__(
        self,
        events: EventQueue,
        deliveries: DeliveryCounts,
        mappings: Callable[[], Mapping[str, Mapping[str, int]]] = dict,
    ) -> None:
        self._events = events
        self._deliveries = deliveries
        self._mappings = mappings

    async def figures(self) -> list[QueueFigures]:
        """
        Return the queues that hold events, and those of SQS that hold none; the fullest first where there are too many.

        Costs what there are queues. At most `SHOWN_MAX`.
        """
        names: dict[QueueName, None] = {}
        for kind in QueueKind:
            names.update(dict.fromkeys(await self._events.filled(kind)))
        for definition in await self._events.definitions(QueueKind.SQS, limit=SHOWN_MAX):
            names.setdefault(definition.queue)
        depths = await self._events.depth(list(names))
        found = [_figures(name, depths[name]) for name in names if name in depths]
        found.sort(key=lambda queue: -_size(queue))
        return sorted(found[:SHOWN_MAX], key=lambda queue: (queue.kind, queue.account, queue.region, queue.name))

    async def peek(self, queue: QueueName, limit: int) -> list[Peeked]:
        """Return some events of a queue, those that can be received soonest first, without receiving them."""
        found = await self._events.peek(queue, limit=min(limit, PEEK_MAX))
        return [_peeked(queue, event) for event in found]

    async def purge(self, queue: QueueName) -> bool:
        """Drop all that a queue holds; False when there is none."""
        return await self._events.purge(queue)

    async def metrics(self) -> bytes:
        """Return the figures in the text form of Prometheus."""
        # Loaded when somebody asks: a server that nobody watches has no use for it.
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Snapshot(await self._summed(), self._deliveries, self._mappings()))
        return generate_latest(registry)

    async def _summed(self) -> list[QueueFigures]:
        """Return the figures of the fullest queues, and those of all others as one without a name."""
        shown = await self.figures()
        names = {(queue.kind, queue.account, queue.region, queue.name) for queue in shown}
        if len(shown) < SHOWN_MAX:
            return shown
        others: dict[str, list[Depth]] = {}
        for kind in QueueKind:
            filled = [
                name
                for name in await self._events.filled(kind)
                if (kind.value, name.scope.account, name.scope.region, name.name) not in names
            ]
            others[kind.value] = list((await self._events.depth(filled)).values())
        return [*shown, *(_sum(kind, depths) for kind, depths in others.items() if depths)]


class _Snapshot:
    """What Prometheus's library collects: figures that were gathered before it asked."""

    def __init__(
        self, queues: Sequence[QueueFigures], deliveries: DeliveryCounts, mappings: Mapping[str, Mapping[str, int]]
    ) -> None:
        self._queues = queues
        self._deliveries = deliveries
        self._mappings = mappings

    def collect(self) -> list[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        labels = ["kind", "account", "region", "queue"]
        events = GaugeMetricFamily(
            "lambent_queue_events",
            "Events and messages that a queue holds, by what they wait for.",
            labels=[*labels, "state"],
        )
        oldest = GaugeMetricFamily(
            "lambent_queue_oldest_age_seconds", "Age of the event that has waited longest.", labels=labels
        )
        for queue in self._queues:
            named = [queue.kind, queue.account, queue.region, queue.name]
            for state in ("waiting", "delayed", "in_flight"):
                events.add_metric([*named, state], getattr(queue, state))
            if queue.oldest_age_s is not None:
                oldest.add_metric(named, queue.oldest_age_s)
        deliveries = CounterMetricFamily(
            "lambent_deliveries",
            "Attempts to deliver records, dead letters and events of buckets since the start, by what came of them.",
            labels=["account", "region", "destination", "outcome"],
        )
        for (scope, arn), counts in self._deliveries.all().items():
            for outcome, count in counts.items():
                deliveries.add_metric([scope.account, scope.region, arn, outcome.value], count)
        records = CounterMetricFamily(
            "lambent_event_source_mapping_events",
            "What became of the records of mappings with MetricsConfig, by AWS's names, since their pollers began.",
            labels=["mapping", "metric"],
        )
        for uuid, by_metric in self._mappings.items():
            for name, count in by_metric.items():
                records.add_metric([uuid, name], count)
        return [events, oldest, deliveries, records]


def _figures(name: QueueName, depth: Depth) -> QueueFigures:
    return QueueFigures(
        name.kind.value,
        name.scope.account,
        name.scope.region,
        name.name,
        depth.waiting,
        depth.delayed,
        depth.in_flight,
        None if depth.oldest_age_s is None else round(depth.oldest_age_s, 3),
    )


def _size(queue: QueueFigures) -> int:
    return queue.waiting + queue.delayed + queue.in_flight


def _sum(kind: str, depths: Sequence[Depth]) -> QueueFigures:
    ages = [depth.oldest_age_s for depth in depths if depth.oldest_age_s is not None]
    return QueueFigures(
        kind,
        "",
        "",
        _OTHERS,
        sum(depth.waiting for depth in depths),
        sum(depth.delayed for depth in depths),
        sum(depth.in_flight for depth in depths),
        max(ages, default=None),
    )


def _peeked(queue: QueueName, event: WaitingEvent) -> Peeked:
    body = event.body.decode(errors="replace")
    group = event.group or ""
    if queue.kind is QueueKind.SQS:
        message = unpack(event.body, event.attributes)
        body, group = message.body, group or message.group
    return Peeked(event.id, body, group, event.receive_count, event.sent_ms, round(event.due_s, 3), event.is_in_flight)
