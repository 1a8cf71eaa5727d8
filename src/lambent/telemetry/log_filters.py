"""
What the filters of log groups make of events: metric points, and payloads for who subscribed. Pure.

Documented: CloudWatch Logs user guide, metric filters and subscription filters, unless a line says otherwise.
"""

import gzip
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.embedded_metrics import VALUE_MAX, embedded_metrics
from lambent.domain.filter_pattern import InvalidPattern, Values, parse
from lambent.domain.filter_pattern_columns import ColumnsPattern
from lambent.domain.log_filter import LogFilter, MetricFilter, SubscriptionFilter
from lambent.domain.metric import Distribution, Metric, MetricPoint
from lambent.store.contract import LogEvent, NewLogEvent

PAYLOAD_JSON_MAX_BYTES: Final = 4 * 1024 * 1024
"""
Of one payload before it is compressed; a single event may have more. Compressed and in base64 it stays under what a
function can be given. Documented: a batch is at most 6 MB compressed.
"""

POINTS_MAX: Final = 10_000
"""
Of one batch: metrics times their minutes. They are part of its commit, and nobody else writes meanwhile. Assumed: some
tenths of a second (test_log_filters).
"""

NAMESPACE: Final = "AWS/Logs"

_DIMENSION_MAX: Final = 1024

_encode = msgspec.json.Encoder().encode

_log = logging.getLogger("lambent.telemetry")


class Payload(NamedTuple):
    """Events of one stream for one subscription."""

    subscription: SubscriptionFilter
    stream: str
    body: bytes
    """The invocation's payload."""
    event_count: int
    byte_count: int
    """Compressed."""


class Points:
    """Metric points, gathered."""

    def __init__(self) -> None:
        self._gathered: dict[tuple[Metric, int, int], Distribution] = {}
        self.dropped = 0
        """Values that found no room."""

    def add(self, metric: Metric, timestamp_ms: int, values: Iterable[float], period_s: int = 60) -> None:
        """Take in values of a metric."""
        key = (metric, timestamp_ms // 1000 // period_s * period_s, period_s)
        distribution = self._gathered.get(key)
        if distribution is None:
            if len(self._gathered) >= POINTS_MAX:
                self.dropped += 1
                return
            distribution = self._gathered[key] = Distribution()
        for value in values:
            distribution.add(value)

    def take(self) -> Sequence[MetricPoint]:
        """Return what was gathered."""
        return [MetricPoint(metric, at_s, period_s, d) for (metric, at_s, period_s), d in self._gathered.items()]


class GroupMetrics:
    """
    One metric filter, compiled.

    Raises:
        InvalidPattern: its pattern is none, or has not what its references name.
    """

    def __init__(self, configured: MetricFilter) -> None:
        self.configured = configured
        pattern = parse(configured.pattern)
        self._constant = number(configured.value)
        references = [reference for _, reference in configured.dimensions]
        if self._constant is None:
            references.append(configured.value)
        self._matches: Callable[[str], bool] = pattern.matches
        self._read: Callable[[str], Values | None] | None = pattern.reader(references) if references else None
        self._metric = Metric(configured.scope, configured.namespace, configured.metric, (), configured.unit)

    @property
    def metric(self) -> Metric:
        """Without dimensions, which is what a default value is of."""
        return self._metric

    def note(self, event: NewLogEvent, points: Points) -> bool:
        """Take in an event; say whether it matches."""
        if self._read is None:
            if not self._matches(event.message):
                return False
            assert self._constant is not None, "a value that is no reference is a number"
            points.add(self._metric, event.timestamp_ms, (self._constant,))
            return True
        values = self._read(event.message)
        if values is None:
            return False
        measured = self._constant if self._constant is not None else number(values.get(self.configured.value, ""))
        if measured is None:
            # It is no number: there is no data point.
            return True
        metric = self._metric
        if self.configured.dimensions:
            dimensions = [(name, values.get(reference, "")) for name, reference in self.configured.dimensions]
            # Assumed: without one of them there is no data point either (test_log_filters).
            if not all(0 < len(value) <= _DIMENSION_MAX for _, value in dimensions):
                return True
            metric = metric._replace(dimensions=tuple(dimensions))
        points.add(metric, event.timestamp_ms, (measured,))
        return True


class GroupSubscription:
    """
    One subscription filter, compiled, with what of a batch is for it.

    Raises:
        InvalidPattern: its pattern is none.
    """

    def __init__(self, configured: SubscriptionFilter) -> None:
        self.configured = configured
        self._pattern = parse(configured.pattern)
        # Documented: the sample of a pattern for JSON has no extracted fields.
        self._has_columns = isinstance(self._pattern, ColumnsPattern)

    def member(self, event: NewLogEvent, sequence: int) -> bytes | None:
        """
        Return an event as payloads hold it; None for one that does not match.

        Args:
            sequence: that the event will have in the store: its id is the one that FilterLogEvents shows.
        """
        values = self._pattern.extract(event.message)
        if values is None:
            return None
        stored = LogEvent(event.stream, event.timestamp_ms, event.ingestion_ms, sequence, event.message)
        member: dict[str, Any] = {"id": stored.event_id, "timestamp": event.timestamp_ms, "message": event.message}
        if values and self._has_columns:
            # Observed: functions that read them know the columns by their bare names.
            member["extractedFields"] = {name.removeprefix("$"): value for name, value in values.items()}
        return _encode(member)


class GroupFilters(NamedTuple):
    """The filters of one group."""

    metrics: Sequence[GroupMetrics]
    subscriptions: Sequence[GroupSubscription]


def compiled(
    filters: Iterable[LogFilter], before: Mapping[tuple[Scope, str], GroupFilters] = MappingProxyType({})
) -> tuple[Mapping[tuple[Scope, str], GroupFilters], Sequence[LogFilter]]:
    """
    Return filters by group, ready to be used; and those that cannot be, which an older version may have taken.

    Args:
        before: what was ready already: a filter that is as it was is not compiled again.
    """
    metrics_before = {one.configured: one for group in before.values() for one in group.metrics}
    subscriptions_before = {one.configured: one for group in before.values() for one in group.subscriptions}
    found: dict[tuple[Scope, str], tuple[list[GroupMetrics], list[GroupSubscription]]] = {}
    broken: list[LogFilter] = []
    for one in filters:
        metrics, subscriptions = found.setdefault((one.scope, one.group), ([], []))
        try:
            if isinstance(one, MetricFilter):
                metrics.append(metrics_before.get(one) or GroupMetrics(one))
            else:
                subscriptions.append(subscriptions_before.get(one) or GroupSubscription(one))
        except InvalidPattern:
            broken.append(one)
    return {key: GroupFilters(*both) for key, both in found.items()}, broken


class Gathering:
    """
    What the filters make of one batch.

    Args:
        filters: by group.
        first_sequence: of the batch's first event.
    """

    def __init__(self, filters: Mapping[tuple[Scope, str], GroupFilters], first_sequence: int) -> None:
        self._filters = filters
        self._sequence = first_sequence
        self.points = Points()
        self.matched: set[tuple[MetricFilter, int]] = set()
        """Filters that have a default value, and minutes (in milliseconds) of which an event matched."""
        self.unmatched: set[tuple[MetricFilter, int]] = set()
        """The same, of which an event did not."""
        self._members: dict[tuple[int, str], tuple[SubscriptionFilter, list[bytes]]] = {}

    def note(self, events: Sequence[NewLogEvent]) -> None:
        """Take in all events of the batch."""
        scope: Scope | None = None
        group: str | None = None
        filters: GroupFilters | None = None
        for sequence, event in enumerate(events, self._sequence):
            # Neighbours are nearly always of one group, whose name is the same object.
            if event.group is not group or event.scope is not scope:
                scope, group = event.scope, event.group
                filters = self._filters.get((scope, group))
            try:
                if '"_aws"' in event.message:
                    self._note_embedded(event)
                if filters is not None:
                    self._note_filtered(filters, event, sequence)
            except Exception:
                # Ours to mend. The batch would fail for ever, and with it all that anybody logs.
                _log.exception("logs.event_not_understood group=%s stream=%s", event.group, event.stream)

    def payloads(self) -> Iterator[Payload]:
        """Return what is to be delivered."""
        for (_, stream), (subscription, members) in self._members.items():
            begin, size = 0, 0
            for place, member in enumerate(members):
                if size and size + len(member) > PAYLOAD_JSON_MAX_BYTES:
                    yield _payload(subscription, stream, members[begin:place])
                    begin, size = place, 0
                size += len(member) + 1
            yield _payload(subscription, stream, members[begin:])

    def _note_embedded(self, event: NewLogEvent) -> None:
        found = embedded_metrics(event.message, event.ingestion_ms)
        for one in found.metrics:
            metric = Metric(event.scope, one.namespace, one.name, one.dimensions, one.unit)
            self.points.add(metric, one.timestamp_ms, one.values, one.period_s)
        for name, count in (("EMFParsingErrors", int(found.is_malformed)), ("EMFValidationErrors", found.invalid)):
            if count:
                metric = Metric(event.scope, NAMESPACE, name, (("LogGroupName", event.group),), "Count")
                self.points.add(metric, event.timestamp_ms, (float(count),))

    def _note_filtered(self, filters: GroupFilters, event: NewLogEvent, sequence: int) -> None:
        for one in filters.metrics:
            matches = one.note(event, self.points)
            if one.configured.default is not None:
                minute = event.timestamp_ms // 60_000 * 60_000
                (self.matched if matches else self.unmatched).add((one.configured, minute))
        for subscribed in filters.subscriptions:
            member = subscribed.member(event, sequence)
            if member is not None:
                key = (id(subscribed), event.stream)
                found = self._members.get(key)
                if found is None:
                    found = self._members[key] = (subscribed.configured, [])
                found[1].append(member)


def number(text: str) -> float | None:
    """Return the number that a text is; None for any other, and for one that no metric can have."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= VALUE_MAX and "_" not in text else None


def _payload(subscription: SubscriptionFilter, stream: str, members: Sequence[bytes]) -> Payload:
    head = _encode(
        {
            "messageType": "DATA_MESSAGE",
            "owner": subscription.scope.account,
            "logGroup": subscription.group,
            "logStream": stream,
            "subscriptionFilters": [subscription.name],
        }
    )
    body = b"".join((head[:-1], b',"logEvents":[', b",".join(members), b"]}"))
    # No time in it: the same events are the same bytes, also when they are delivered again.
    packed = gzip.compress(body, mtime=0)
    return Payload(subscription, stream, _encode({"awslogs": {"data": packed}}), len(members), len(packed))
