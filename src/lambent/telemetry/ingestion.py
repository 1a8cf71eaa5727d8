"""
What follows from log events on their way into the store.

In: the events and the ended invocations of one batch, decoded in a thread. Out: metric points, which are stored in the
batch's own commit; payloads for subscribers, handed over before it; events for live tails, after it. Never: the store
of events.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.log_filter import MetricFilter, SubscriptionFilter
from lambent.domain.metric import Metric, MetricPoint
from lambent.store.contract import NewLogEvent
from lambent.store.log_filters_contract import LogFilterStore
from lambent.telemetry.log_filters import NAMESPACE, Gathering, GroupFilters, Payload, compiled
from lambent.telemetry.metrics import Metrics

DELIVER_WITHIN_S: Final = 5.0
"""
How long a batch waits for a function that has too many events waiting, before what is for it is dropped. Assumed: all
logs come later by as much; AWS tries for a day, and holds up nothing by it (test_ingestion).
"""

WAITING_PART: Final = 0.1
"""
What part of the time may go into waiting: a function whose queue is always nearly full would have every batch wait, and
with it the logs of all. Assumed (test_ingestion).
"""

DEFAULTS_EVERY_S: Final = 10.0
"""How often minutes that are over are looked through for default values of metric filters."""

_DEFAULTS_AFTER_MS: Final = 20_000
"""How long after a minute its events may still come in and count as of it: folds take some seconds."""

_MINUTES_KEPT_MS: Final = 600_000
"""For how long it is known whether a minute had a match. Older events make no default values."""

_MINUTES_MAX: Final = 10_000
"""Filters times minutes that are known. Assumed: beyond that, default values are left out."""

_log = logging.getLogger("lambent.telemetry")


class EndedInvocation(msgspec.Struct, frozen=True, gc=False):
    """An invocation that is over, as its record tells."""

    scope: Scope
    function: str
    qualifier: str
    """As the caller addressed it; empty without one."""
    version: str
    """That ran."""
    started_ms: int
    duration_ms: float
    init_ms: float
    """0 without a cold start."""
    status: str
    """Empty when all went well, else `error` or `timeout`."""
    is_weighted: bool = False
    """Whether an alias's weights chose the version."""


class Derived(NamedTuple):
    """What follows from one batch."""

    points: Sequence[MetricPoint] = ()
    deliveries: Sequence[Payload] = ()
    """For `Ingestion.deliver`."""
    matched: frozenset[tuple[MetricFilter, int]] = frozenset()
    unmatched: frozenset[tuple[MetricFilter, int]] = frozenset()
    """Filters with a default value and minutes in which events matched, or came and did not."""


class TargetFull(Exception):
    """Too many events wait for it."""


class Subscribers(Protocol):
    """The way to functions that subscribed; `app.py` hands over what dispatch offers."""

    async def deliver(self, subscription: SubscriptionFilter, payloads: Sequence[bytes]) -> str:
        """
        Hand payloads over; on return they are on disk, all of them, unless a reason is returned why none can be.

        Raises:
            TargetFull: not now. None was taken.
            DependencyError: the store failed.
        """
        ...


LiveTail = Callable[[Sequence[NewLogEvent]], None]
"""Is told of events that are in the store now, on the event loop; must not raise and not take long."""


class Ingestion:
    """
    Sees every batch of log events.

    Args:
        of_invocations: makes metric points of ended invocations (`lambda_metrics`); pure, called in a thread.
        filters: of the log groups.
        subscribers: where events are passed on to.
        metrics: takes figures of deliveries, and default values of metric filters.
    """

    def __init__(
        self,
        of_invocations: Callable[[Sequence[EndedInvocation]], Sequence[MetricPoint]] = lambda _: (),
        *,
        filters: LogFilterStore | None = None,
        subscribers: Subscribers | None = None,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._of_invocations = of_invocations
        self._store = filters
        self._subscribers = subscribers
        self._metrics = metrics
        self._clock = clock
        self._live_tails: list[LiveTail] = []
        self._filters: Mapping[tuple[Scope, str], GroupFilters] = {}
        self._counts = (0, 0)
        self._is_stale = True
        self._sequence = 0
        self._full: set[tuple[Scope, str]] = set()
        """Targets that were waited for in vain, by scope and ARN: nobody waits for them again before they take some."""
        self._waits_from = 0.0
        """Before then nobody waits for a target: it has been done long enough."""
        self._minutes: dict[tuple[MetricFilter, int], bool] = {}
        """Whether an event matched, for filters with a default value and minutes in which events came."""

    @property
    def is_followed(self) -> bool:
        """Whether somebody wants to hear of events within about a second of their being written."""
        return bool(self._live_tails) or self._counts[1] > 0

    def follow(self, tail: LiveTail) -> Callable[[], None]:
        """Have a live tail told of what comes from now on; return what ends that."""
        self._live_tails.append(tail)
        return lambda: self._live_tails.remove(tail)

    def filters_changed(self) -> None:
        """Look at the filters anew before the next batch."""
        self._is_stale = True

    async def prepare(self) -> None:
        """
        Have what `derive` needs at hand. Called on the event loop before the first batch of each fold.

        Raises:
            DependencyError: the store failed.
        """
        if self._store is None:
            return
        state = await self._store.state()
        self._sequence = state.next_sequence
        counts = (state.metric_filters, state.subscription_filters)
        # Filters go with their groups, of which nobody tells: then there are fewer.
        if not self._is_stale and counts == self._counts:
            return
        self._is_stale = False
        try:
            found = await self._store.every()
            # In a thread: each takes up to some milliseconds, and a server may have thousands.
            self._filters, broken = await asyncio.to_thread(compiled, found, self._filters)
        except BaseException:
            self._is_stale = True
            raise
        self._counts = counts
        self._full &= {(one.scope, one.destination_arn) for one in found if isinstance(one, SubscriptionFilter)}
        for one in broken:
            _log.error("logs.filter_not_used group=%s filter=%s reason=its pattern is none", one.group, one.name)

    def derive(self, events: Sequence[NewLogEvent], ended: Sequence[EndedInvocation]) -> Derived:
        """Return what follows from a batch. Called in a thread; changes nothing."""
        gathering = Gathering(self._filters, self._sequence)
        gathering.note(events)
        if gathering.points.dropped:
            _log.warning("metrics.dropped values=%d reason=too many metrics in one batch", gathering.points.dropped)
        return Derived(
            [*self._of_invocations(ended), *gathering.points.take()],
            list(gathering.payloads()),
            frozenset(gathering.matched),
            frozenset(gathering.unmatched),
        )

    async def deliver(self, derived: Derived) -> None:
        """
        Hand payloads to those who subscribe, durably: the batch's commit comes next. A batch that is repeated after a
        crash is delivered again, with the same ids of events.

        Raises:
            DependencyError: the store failed.
        """
        self._note_minutes(derived)
        if not derived.deliveries or self._subscribers is None or self._clock is None:
            return
        by_filter: dict[SubscriptionFilter, list[Payload]] = {}
        for payload in derived.deliveries:
            by_filter.setdefault(payload.subscription, []).append(payload)
        now = self._clock.monotonic()
        deadline = now + DELIVER_WITHIN_S if now >= self._waits_from else now
        for subscription, payloads in by_filter.items():
            reason = await self._deliver(subscription, [payload.body for payload in payloads], deadline)
            self._count(subscription, payloads, reason)

    def committed(self, events: Sequence[NewLogEvent]) -> None:
        """Tell live tails of a batch that is in the store now."""
        self._sequence += len(events)
        for tail in list(self._live_tails):
            tail(events)

    async def run(self) -> None:
        """Give metric filters their default values, for ever."""
        assert self._clock is not None
        while True:
            await self._clock.sleep(DEFAULTS_EVERY_S)
            self.add_defaults()

    def add_defaults(self) -> None:
        """Give metric filters their default values for minutes that are over, in which events came and none matched."""
        if self._metrics is None or self._clock is None:
            return
        now_ms = int(self._clock.now() * 1000)
        for (configured, minute), is_settled in list(self._minutes.items()):
            if minute < now_ms - _MINUTES_KEPT_MS:
                del self._minutes[configured, minute]
            if is_settled or minute + 60_000 + _DEFAULTS_AFTER_MS > now_ms:
                continue
            if (configured, minute) in self._minutes:
                self._minutes[configured, minute] = True
            if self._is_there(configured):
                assert configured.default is not None
                metric = Metric(configured.scope, configured.namespace, configured.metric, (), configured.unit)
                self._metrics.add(metric, configured.default, at_s=minute / 1000)

    def _is_there(self, configured: MetricFilter) -> bool:
        filters = self._filters.get((configured.scope, configured.group))
        return filters is not None and any(one.configured == configured for one in filters.metrics)

    def _note_minutes(self, derived: Derived) -> None:
        if self._clock is None:
            return
        oldest = int(self._clock.now() * 1000) - _MINUTES_KEPT_MS
        for keys, is_settled in ((derived.matched, True), (derived.unmatched, False)):
            for key in keys:
                if key in self._minutes:
                    self._minutes[key] |= is_settled
                elif key[1] >= oldest and len(self._minutes) < _MINUTES_MAX:
                    self._minutes[key] = is_settled

    async def _deliver(self, subscription: SubscriptionFilter, bodies: Sequence[bytes], deadline: float) -> str:
        """Hand payloads over; return why that cannot be, nothing where it could."""
        assert self._subscribers is not None and self._clock is not None
        target = (subscription.scope, subscription.destination_arn)
        wait_s = 0.05
        while True:
            try:
                reason = await self._subscribers.deliver(subscription, bodies)
            except TargetFull:
                if target in self._full or self._clock.monotonic() + wait_s > deadline:
                    self._full.add(target)
                    return "too many events wait for it"
                await self._clock.sleep(wait_s)
                self._waits_from = max(self._waits_from, self._clock.monotonic()) + wait_s * (1 / WAITING_PART - 1)
                wait_s = min(wait_s * 2, 1.0)
            else:
                self._full.discard(target)
                return reason

    def _count(self, subscription: SubscriptionFilter, payloads: Sequence[Payload], reason: str) -> None:
        events = sum(payload.event_count for payload in payloads)
        if reason:
            _log.error(
                "logs.not_delivered group=%s filter=%s events=%d reason=%s",
                subscription.group,
                subscription.name,
                events,
                reason,
            )
            figures = [("DeliveryErrors", float(events), "Count")]
        else:
            size = sum(payload.byte_count for payload in payloads)
            figures = [("ForwardedLogEvents", float(events), "Count"), ("ForwardedBytes", float(size), "Bytes")]
        if self._metrics is None:
            return
        # Documented: CloudWatch Logs user guide, monitoring with CloudWatch metrics.
        dimensions = (
            ("DestinationType", "Lambda"),
            ("FilterName", subscription.name),
            ("LogGroupName", subscription.group),
        )
        for name, value, unit in figures:
            self._metrics.add(Metric(subscription.scope, NAMESPACE, name, dimensions, unit), value)
