"""A log store in memory, as honest as the real one where telemetry can tell the difference."""

from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.metric import MetricPoint
from lambent.domain.usage import UsageRecord
from lambent.store.contract import (
    Conflict,
    EventCursor,
    LogBatch,
    LogEvent,
    LogGroup,
    LogPage,
    LogPosition,
    LogResourcePolicy,
    LogStream,
    MessagePattern,
    NewLogEvent,
    OpenInvocation,
)
from lambent.store.usage_contract import NOTHING_USED, Allocation, NewUsage

_DAY_MS = 86_400_000
_EVENT_OVERHEAD_BYTES = 26


class MemoryLogStore:
    """
    Implements `lambent.store.contract.LogStore`.

    Args:
        clock: tells which events are beyond their group's retention.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._groups: dict[tuple[Scope, str], LogGroup] = {}
        self._streams: dict[tuple[Scope, str], dict[str, LogStream]] = {}
        self._events: dict[tuple[Scope, str], list[LogEvent]] = {}
        self._open: dict[str, OpenInvocation] = {}
        self._policies: dict[tuple[Scope, str], LogResourcePolicy] = {}
        self._position = LogPosition(0, 0)
        self._sequence = 0
        self.before_fold: Callable[[], None] = lambda: None
        """Called by every `fold` before it does anything; may raise, as a store that fails does."""
        self.fold_sizes: list[int] = []
        """How many events each commit held."""
        self.points: list[MetricPoint] = []
        self.usage: list[UsageRecord] = []
        self.allocations: list[Allocation] = []
        self.sweep_count = 0

    async def fold(
        self,
        events: Sequence[NewLogEvent],
        opened: Sequence[OpenInvocation],
        closed: Sequence[str],
        position: LogPosition,
        *,
        points: Sequence[MetricPoint] = (),
        usage: NewUsage = NOTHING_USED,
    ) -> None:
        self.before_fold()
        stands, wanted = _order(self._position), _order(position)
        if stands > wanted or (stands == wanted and (events or opened or closed or any(usage))):
            raise Conflict(f"folded to {self._position} already")
        self.fold_sizes.append(len(events))
        for event in events:
            self._add(event)
        for invocation in opened:
            self._open[invocation.request_id] = invocation
        for request_id in closed:
            self._open.pop(request_id, None)
        self.points += points
        self.usage += usage.records
        self.allocations += usage.allocations
        self._position = position

    async def position(self) -> LogPosition:
        return self._position

    async def open_invocations(self) -> Sequence[OpenInvocation]:
        return [self._open[request_id] for request_id in sorted(self._open)]

    async def group(self, scope: Scope, name: str) -> LogGroup | None:
        return self._groups.get((scope, name))

    async def list_groups(
        self,
        scope: Scope,
        *,
        prefix: str = "",
        pattern: str = "",
        log_class: str | None = None,
        after: str | None,
        limit: int,
    ) -> Sequence[LogGroup]:
        found = [
            group
            for (owner, name), group in sorted(self._groups.items())
            if owner == scope
            and name.startswith(prefix)
            and pattern in name
            and (log_class is None or group.log_class == log_class)
            and (after is None or name > after)
        ]
        return found[:limit]

    async def list_streams(
        self,
        scope: Scope,
        group: str,
        *,
        prefix: str = "",
        by_last_event: bool,
        descending: bool,
        offset: int,
        limit: int,
    ) -> Sequence[LogStream]:
        streams = self._streams.get((scope, group), {})
        found = [stream for name, stream in sorted(streams.items()) if name.startswith(prefix)]
        if by_last_event:
            found.sort(key=lambda stream: stream.last_event_ms or 0)
        if descending:
            found.reverse()
        return found[offset : offset + limit]

    async def stream(self, scope: Scope, group: str, name: str) -> LogStream | None:
        return self._streams.get((scope, group), {}).get(name)

    async def events(
        self,
        scope: Scope,
        group: str,
        *,
        streams: Sequence[str] | None = None,
        stream_prefix: str | None = None,
        from_ms: int | None = None,
        before_ms: int | None = None,
        after: EventCursor | None = None,
        before: EventCursor | None = None,
        newest_first: bool = False,
        limit: int,
        bytes_max: int | None = None,
    ) -> Sequence[LogEvent]:
        page = await self.page(
            scope,
            group,
            streams=streams,
            stream_prefix=stream_prefix,
            from_ms=from_ms,
            before_ms=before_ms,
            after=after,
            before=before,
            newest_first=newest_first,
            limit=limit,
            bytes_max=bytes_max,
        )
        return page.events

    async def page(
        self,
        scope: Scope,
        group: str,
        *,
        streams: Sequence[str] | None = None,
        stream_prefix: str | None = None,
        from_ms: int | None = None,
        before_ms: int | None = None,
        after: EventCursor | None = None,
        before: EventCursor | None = None,
        newest_first: bool = False,
        pattern: MessagePattern | None = None,
        limit: int,
        bytes_max: int | None = None,
        seconds_max: float | None = None,
    ) -> LogPage:
        from_ms = max(from_ms or 0, self._oldest_ms(self._groups.get((scope, group)), int(self._clock.now() * 1000)))
        found = [
            event
            for event in sorted(self._events.get((scope, group), []), key=_cursor)
            if (streams is None or event.stream in streams)
            and (stream_prefix is None or event.stream.startswith(stream_prefix))
            and event.timestamp_ms >= from_ms
            and (before_ms is None or event.timestamp_ms < before_ms)
            and (after is None or _cursor(event) > after)
            and (before is None or _cursor(event) < before)
            and (pattern is None or pattern.matches(event.message))
        ]
        if newest_first:
            found.reverse()
        events = _within(found[:limit], bytes_max)
        return LogPage(events, _cursor(events[-1]) if len(events) < len(found) else None)

    async def event(self, scope: Scope, group: str, place: EventCursor) -> LogEvent | None:
        page = await self.page(scope, group, from_ms=place.timestamp_ms, limit=1_000_000)
        return next((event for event in page.events if _cursor(event) == place), None)

    async def scan(
        self,
        scope: Scope,
        groups: Sequence[str],
        *,
        from_ms: int,
        before_ms: int,
        pattern: MessagePattern | None = None,
    ) -> AsyncIterator[LogBatch]:
        for group in groups:
            page = await self.page(scope, group, from_ms=from_ms, before_ms=before_ms, pattern=pattern, limit=1_000_000)
            if page.events:
                yield LogBatch(group, page.events)

    async def create_group(self, group: LogGroup) -> bool:
        key = (group.scope, group.name)
        if key in self._groups:
            return False
        self._groups[key] = group
        return True

    async def update_group(self, scope: Scope, name: str, change: Callable[[LogGroup], LogGroup]) -> LogGroup | None:
        group = self._groups.get((scope, name))
        if group is None:
            return None
        self._groups[scope, name] = changed = change(group)
        return changed

    async def delete_group(self, scope: Scope, name: str) -> bool:
        self._streams.pop((scope, name), None)
        self._events.pop((scope, name), None)
        return self._groups.pop((scope, name), None) is not None

    async def create_stream(self, scope: Scope, group: str, name: str) -> bool | None:
        if (scope, group) not in self._groups:
            return None
        made = LogStream(name=name, created_ms=int(self._clock.now() * 1000))
        return self._streams.setdefault((scope, group), {}).setdefault(name, made) is made

    async def delete_stream(self, scope: Scope, group: str, name: str) -> bool:
        key = (scope, group)
        if self._streams.get(key, {}).pop(name, None) is None:
            return False
        self._events[key] = [event for event in self._events.get(key, []) if event.stream != name]
        self._weigh(key)
        return True

    async def set_retention(self, scope: Scope, name: str, days: int | None) -> bool:
        changed = await self.update_group(
            scope, name, lambda group: msgspec.structs.replace(group, retention_days=days)
        )
        return changed is not None

    async def resource_policies(self, scope: Scope) -> Sequence[LogResourcePolicy]:
        return [policy for (owner, _), policy in sorted(self._policies.items()) if owner == scope]

    async def put_resource_policy(self, scope: Scope, policy: LogResourcePolicy, *, most: int) -> bool:
        if (scope, policy.name) not in self._policies and len(await self.resource_policies(scope)) >= most:
            return False
        self._policies[scope, policy.name] = policy
        return True

    async def delete_resource_policy(self, scope: Scope, name: str) -> bool:
        return self._policies.pop((scope, name), None) is not None

    async def drop_expired(self, now_ms: int) -> int:
        self.sweep_count += 1
        dropped = 0
        for key, events in self._events.items():
            oldest_ms = self._oldest_ms(self._groups[key], now_ms)
            kept = [event for event in events if event.timestamp_ms >= oldest_ms]
            dropped += len(events) - len(kept)
            self._events[key] = kept
            self._weigh(key)
        return dropped

    def _weigh(self, key: tuple[Scope, str]) -> None:
        size = sum(map(_size_bytes, self._events[key]))
        self._groups[key] = msgspec.structs.replace(self._groups[key], stored_bytes=size)

    def _add(self, event: NewLogEvent) -> None:
        key = (event.scope, event.group)
        group = self._groups.get(key) or LogGroup(scope=event.scope, name=event.group, created_ms=event.ingestion_ms)
        self._groups[key] = msgspec.structs.replace(group, stored_bytes=group.stored_bytes + _size_bytes(event))
        streams = self._streams.setdefault(key, {})
        stream = streams.get(event.stream) or LogStream(name=event.stream, created_ms=event.ingestion_ms)
        first_ms, last_ms = stream.first_event_ms, stream.last_event_ms
        streams[event.stream] = msgspec.structs.replace(
            stream,
            first_event_ms=event.timestamp_ms if first_ms is None else min(first_ms, event.timestamp_ms),
            last_event_ms=event.timestamp_ms if last_ms is None else max(last_ms, event.timestamp_ms),
            last_ingestion_ms=max(stream.last_ingestion_ms or 0, event.ingestion_ms),
        )
        self._sequence += 1
        stored = LogEvent(event.stream, event.timestamp_ms, event.ingestion_ms, self._sequence, event.message)
        self._events.setdefault(key, []).append(stored)

    @staticmethod
    def _oldest_ms(group: LogGroup | None, now_ms: int) -> int:
        return 0 if group is None or group.retention_days is None else now_ms - group.retention_days * _DAY_MS


def _cursor(event: LogEvent) -> EventCursor:
    return EventCursor(event.timestamp_ms, event.ingestion_ms, event.sequence)


def _size_bytes(event: LogEvent | NewLogEvent) -> int:
    return len(event.message.encode()) + _EVENT_OVERHEAD_BYTES


def _within(events: list[LogEvent], bytes_max: int | None) -> list[LogEvent]:
    total = 0
    for count, event in enumerate(events):
        total += _size_bytes(event)
        if bytes_max is not None and total > bytes_max:
            return events[: max(count, 1)]
    return events


def _order(position: LogPosition) -> tuple[int, int]:
    return (position.segment, position.offset)
