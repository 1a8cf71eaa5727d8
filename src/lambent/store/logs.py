"""Log groups, streams and events in the database: the `LogStore` of the contract."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, delete, func, insert, select, tuple_, update

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.metric import MetricPoint
from lambent.store.contract import (
    Conflict,
    EventCursor,
    LogEvent,
    LogGroup,
    LogPosition,
    LogStream,
    NewLogEvent,
    OpenInvocation,
)
from lambent.store.database import AnyRow, Database, Statements
from lambent.store.metrics import store_points
from lambent.store.names import starts_with
from lambent.store.tables import deleted_log_groups, log_events, log_groups, log_position, log_streams, open_invocations

EVENT_OVERHEAD_BYTES = 26
"""What an event counts beside its message. Documented: PutLogEvents, size of a batch."""

_SWEEP_EVENTS = 5_000
"""Events deleted in one commit: a few milliseconds, so that a sweep holds no other writer up."""

_NAMES_AT_ONCE = 500
"""Names in one IN list, far below what either database takes."""

_DAY_MS = 86_400_000

_FAR_FUTURE_MS = 1 << 62
"""Later than any event, and still a number that the columns take; a caller may ask for times beyond it."""

_decode_open = msgspec.json.Decoder(OpenInvocation).decode

_g = log_groups.c
_s = log_streams.c
_e = log_events.c

_INSERT_EVENT = insert(log_events)
_DELETE_EVENT = delete(log_events).where(_e.sequence == bindparam("of_sequence"))
_INSERT_OPEN = insert(open_invocations)
_DELETE_OPEN = delete(open_invocations).where(open_invocations.c.request_id == bindparam("of_request"))
_UPDATE_STREAM = (
    update(log_streams)
    .where(_s.id == bindparam("of_id"))
    .values(
        first_event_ms=bindparam("new_first"),
        last_event_ms=bindparam("new_last"),
        last_ingestion_ms=bindparam("new_ingestion"),
        revision=_s.revision + 1,
    )
)
_UPDATE_STORED_BYTES = (
    update(log_groups)
    .where(_g.id == bindparam("of_id"))
    .values(stored_bytes=_g.stored_bytes + bindparam("more"), revision=_g.revision + 1)
)
_GROUP = (_g.account, _g.region, _g.name, _g.created_ms, _g.retention_days, _g.stored_bytes)
_STREAM = (_s.name, _s.created_ms, _s.first_event_ms, _s.last_event_ms, _s.last_ingestion_ms)
_ORDER = (_e.timestamp_ms, _e.ingestion_ms, _e.sequence)


class LogRepository:
    """
    Log groups, streams and events of all scopes.

    Args:
        clock: tells which events are beyond their group's retention; those are hidden at once.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def fold(
        self,
        events: Sequence[NewLogEvent],
        opened: Sequence[OpenInvocation],
        closed: Sequence[str],
        position: LogPosition,
        *,
        points: Sequence[MetricPoint] = (),
    ) -> None:
        """Store a stretch of the segment files and the position after it in one commit; see the contract."""
        async with self._database.write() as statements:
            await _advance(statements, position, is_empty=not (events or opened or closed))
            await _store_events(statements, events)
            await _store_open(statements, opened, closed)
            await store_points(statements, points)

    async def position(self) -> LogPosition:
        """Return how far the segment files are folded."""
        columns = log_position.c
        (row,) = await self._database.rows(select(columns.segment, columns.offset))
        return LogPosition(segment=row[0], offset=row[1])

    async def open_invocations(self) -> Sequence[OpenInvocation]:
        """Return the invocations that started and did not end, by request id."""
        columns = open_invocations.c
        rows = await self._database.rows(select(columns.document).order_by(columns.request_id))
        return [_decode_open(row[0]) for row in rows]

    async def group(self, scope: Scope, name: str) -> LogGroup | None:
        """Return one group."""
        rows = await self._database.rows(select(*_GROUP).where(_is_group(scope, name)))
        return _log_group(rows[0]) if rows else None

    async def list_groups(
        self, scope: Scope, *, prefix: str = "", pattern: str = "", after: str | None, limit: int
    ) -> Sequence[LogGroup]:
        """Return groups by name (byte order); see the contract."""
        query = select(*_GROUP).where(_g.account == scope.account, _g.region == scope.region)
        query = query.where(*starts_with(_g.name, prefix))
        if pattern:
            # Not LIKE, which SQLite takes without regard to case and PostgreSQL with. Both replace exactly.
            query = query.where(func.replace(_g.name, pattern, "") != _g.name)
        if after is not None:
            query = query.where(_g.name > after)
        return [_log_group(row) for row in await self._database.rows(query.order_by(_g.name).limit(limit))]

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
        """Return a group's streams; streams without events sort as the oldest. See the contract."""
        query = select(*_STREAM).where(_s.group_id == _group_id(scope, group), *starts_with(_s.name, prefix))
        if by_last_event:
            # Where the nulls go is said, since the two databases disagree about it.
            newest = _s.last_event_ms
            query = query.order_by(newest.desc().nulls_last() if descending else newest.asc().nulls_first())
        query = query.order_by(_s.name.desc() if descending else _s.name)
        return [_log_stream(row) for row in await self._database.rows(query.offset(offset).limit(limit))]

    async def stream(self, scope: Scope, group: str, name: str) -> LogStream | None:
        """Return one stream."""
        rows = await self._database.rows(
            select(*_STREAM).where(_s.group_id == _group_id(scope, group), _s.name == name)
        )
        return _log_stream(rows[0]) if rows else None

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
        """Return events in order; see the contract."""
        async with self._database.snapshot() as statements:
            rows = await statements.rows(select(_g.id, _g.retention_days).where(_is_group(scope, group)))
            if not rows:
                return []
            group_id, retention_days = rows[0]
            query = select(_e.stored_bytes).join_from(log_events, log_streams, _s.id == _e.stream_id)
            if streams is not None and len(streams) == 1:
                # Looked up first, because with the stream's own number the database can walk the stream's index.
                found = await statements.rows(select(_s.id).where(_s.group_id == group_id, _s.name == streams[0]))
                if not found:
                    return []
                query = query.where(_e.stream_id == found[0][0])
            else:
                query = query.where(_e.group_id == group_id)
                if streams is not None:
                    query = query.where(_s.name.in_(streams))
            if stream_prefix is not None:
                query = query.where(*starts_with(_s.name, stream_prefix))
            if retention_days is not None:
                from_ms = max(from_ms or 0, _oldest_kept_ms(self._clock.now(), retention_days))
            query = query.where(*_between(from_ms, before_ms, after, before))
            query = query.order_by(*(column.desc() if newest_first else column for column in _ORDER))
            if bytes_max is not None:
                # Measured before a message is read: ten thousand of them may be gigabytes.
                limit = _how_many_fit(await statements.rows(query.limit(limit)), bytes_max)
            rows = await statements.rows(query.with_only_columns(_s.name, *_ORDER, _e.message).limit(limit))
            return [
                LogEvent(stream=row[0], timestamp_ms=row[1], ingestion_ms=row[2], sequence=row[3], message=row[4])
                for row in rows
            ]

    async def delete_group(self, scope: Scope, name: str) -> bool:
        """
        Remove a group with all it holds; False when there was none.

        The group and its streams go in one commit, after which nothing shows the events. They are deleted in small
        steps after that; what a crash leaves of them goes with the next `drop_expired`.
        """
        async with self._database.write() as statements:
            rows = await statements.rows(select(_g.id).where(_is_group(scope, name)))
            if not rows:
                return False
            await statements.change(delete(log_groups).where(_g.id == rows[0][0]))
            await statements.change(insert(deleted_log_groups), {"id": rows[0][0]})
        await self._bury(rows[0][0])
        return True

    async def set_retention(self, scope: Scope, name: str, days: int | None) -> bool:
        """Set or remove a group's retention; False when there is no such group."""
        async with self._database.write() as statements:
            changed = await statements.change(
                update(log_groups).where(_is_group(scope, name)).values(retention_days=days, revision=_g.revision + 1)
            )
        return changed > 0

    async def drop_expired(self, now_ms: int) -> int:
        """Delete events beyond their group's retention, and what is left of deleted groups; return how many."""
        dropped = 0
        for row in await self._database.rows(select(deleted_log_groups.c.id)):
            dropped += await self._bury(row[0])
        groups = await self._database.rows(select(_g.id, _g.retention_days).where(_g.retention_days.is_not(None)))
        for group_id, retention_days in groups:
            oldest_ms = _oldest_kept_ms(now_ms / 1000, retention_days)
            dropped += await self._sweep(and_(_e.group_id == group_id, _e.timestamp_ms < oldest_ms))
        return dropped

    async def _bury(self, group_id: int) -> int:
        """Delete the events of a group that is gone, then the note that they are still there; return how many."""
        swept = await self._sweep(_e.group_id == group_id)
        async with self._database.write() as statements:
            await statements.change(delete(deleted_log_groups).where(deleted_log_groups.c.id == group_id))
        return swept

    async def _sweep(self, doomed: Any) -> int:
        """Delete the events that `doomed` describes, some at a time; return how many."""
        query = select(_e.sequence, _e.group_id, _e.stored_bytes).where(doomed).limit(_SWEEP_EVENTS)
        swept = 0
        while True:
            # Looked for by a reader first: a sweep that finds nothing, which is nearly every one, bothers no writer.
            if not await self._database.rows(query.limit(1)):
                return swept
            async with self._database.write() as statements:
                rows = await statements.rows(query)
                freed: defaultdict[int, int] = defaultdict(int)
                for _, group_id, stored_bytes in rows:
                    freed[group_id] += stored_bytes
                if rows:
                    await statements.change(_DELETE_EVENT, [{"of_sequence": row[0]} for row in rows])
                    await statements.change(
                        _UPDATE_STORED_BYTES, [{"of_id": group_id, "more": -size} for group_id, size in freed.items()]
                    )
            swept += len(rows)


async def _advance(statements: Statements, position: LogPosition, *, is_empty: bool) -> None:
    """
    Move the stored position forward.

    Raises:
        Conflict: it stands at `position` or beyond, so this stretch is folded already.
    """
    columns = log_position.c
    stored = tuple_(columns.segment, columns.offset)
    wanted = tuple_(position.segment, position.offset)
    moved = await statements.change(
        update(log_position)
        .where(stored <= wanted if is_empty else stored < wanted)
        .values(segment=position.segment, offset=position.offset)
    )
    if not moved:
        raise Conflict(f"the segment files are folded to {position.segment}:{position.offset} or beyond already")


async def _store_events(statements: Statements, events: Sequence[NewLogEvent]) -> None:
    """Insert events in the order given, making groups and streams that are missing."""
    if not events:
        return
    by_stream: defaultdict[tuple[Scope, str], dict[str, list[NewLogEvent]]] = defaultdict(dict)
    for event in events:
        by_stream[event.scope, event.group].setdefault(event.stream, []).append(event)
    ids: dict[tuple[Scope, str, str], tuple[int, int]] = {}
    group_updates, stream_updates = [], []
    for (scope, group), streams in by_stream.items():
        first = next(iter(streams.values()))[0]
        group_id = await _ensure_group(statements, scope, group, first.ingestion_ms)
        rows = await _ensure_streams(statements, scope, group_id, streams)
        for name, batch in streams.items():
            stream_id, first_ms, last_ms, ingestion_ms = rows[name]
            ids[scope, group, name] = (group_id, stream_id)
            times = [event.timestamp_ms for event in batch]
            # Computed here and not in SQL: the two databases call the smaller of two values differently.
            stream_updates.append(
                {
                    "of_id": stream_id,
                    "new_first": min(times if first_ms is None else [first_ms, *times]),
                    "new_last": max(times if last_ms is None else [last_ms, *times]),
                    "new_ingestion": max([ingestion_ms or 0, *(event.ingestion_ms for event in batch)]),
                }
            )
        size = sum(_stored_bytes(event.message) for batch in streams.values() for event in batch)
        group_updates.append({"of_id": group_id, "more": size})
    await statements.change(_INSERT_EVENT, [_event_row(event, ids) for event in events])
    await statements.change(_UPDATE_STREAM, stream_updates)
    await statements.change(_UPDATE_STORED_BYTES, group_updates)


def _event_row(event: NewLogEvent, ids: dict[tuple[Scope, str, str], tuple[int, int]]) -> dict[str, Any]:
    group_id, stream_id = ids[event.scope, event.group, event.stream]
    return {
        "group_id": group_id,
        "stream_id": stream_id,
        "timestamp_ms": event.timestamp_ms,
        "ingestion_ms": event.ingestion_ms,
        "stored_bytes": _stored_bytes(event.message),
        "message": event.message,
    }


async def _ensure_group(statements: Statements, scope: Scope, name: str, created_ms: int) -> int:
    rows = await statements.rows(select(_g.id).where(_is_group(scope, name)))
    if rows:
        return int(rows[0][0])
    return await statements.insert(
        insert(log_groups).values(
            account=scope.account, region=scope.region, name=name, created_ms=created_ms, stored_bytes=0, revision=1
        )
    )


async def _ensure_streams(
    statements: Statements, scope: Scope, group_id: int, streams: dict[str, list[NewLogEvent]]
) -> dict[str, tuple[int, int | None, int | None, int | None]]:
    """Return id, first and last event's time and last ingestion of each stream, making those that are missing."""
    names = list(streams)
    found: dict[str, tuple[int, int | None, int | None, int | None]] = {}
    for start in range(0, len(names), _NAMES_AT_ONCE):
        rows = await statements.rows(
            select(_s.name, _s.id, _s.first_event_ms, _s.last_event_ms, _s.last_ingestion_ms).where(
                _s.group_id == group_id, _s.name.in_(names[start : start + _NAMES_AT_ONCE])
            )
        )
        found.update({row[0]: (row[1], row[2], row[3], row[4]) for row in rows})
    for name in names:
        if name not in found:
            stream_id = await statements.insert(
                insert(log_streams).values(
                    group_id=group_id,
                    account=scope.account,
                    region=scope.region,
                    name=name,
                    created_ms=streams[name][0].ingestion_ms,
                    revision=1,
                )
            )
            found[name] = (stream_id, None, None, None)
    return found


async def _store_open(statements: Statements, opened: Sequence[OpenInvocation], closed: Sequence[str]) -> None:
    """Note the invocations that opened, forget those that closed; one that did both within a stretch is closed."""
    gone = set(closed)
    standing = {invocation.request_id: invocation for invocation in opened if invocation.request_id not in gone}
    # A request id that opens again (a retry keeps it) replaces what is noted of it.
    forget = [{"of_request": request_id} for request_id in (*gone, *standing)]
    if forget:
        await statements.change(_DELETE_OPEN, forget)
    if standing:
        await statements.change(
            _INSERT_OPEN,
            [
                {
                    "request_id": invocation.request_id,
                    "account": invocation.scope.account,
                    "region": invocation.scope.region,
                    "document": msgspec.json.encode(invocation).decode(),
                }
                for invocation in standing.values()
            ],
        )


def _stored_bytes(message: str) -> int:
    return len(message.encode()) + EVENT_OVERHEAD_BYTES


def _how_many_fit(sizes: Sequence[AnyRow], bytes_max: int) -> int:
    """Return how many of the first rows stay within `bytes_max` together; at least one."""
    total = 0
    for count, row in enumerate(sizes):
        total += row[0]
        if total > bytes_max:
            return max(count, 1)
    return len(sizes)


def _oldest_kept_ms(now_s: float, retention_days: int) -> int:
    return int(now_s * 1000) - retention_days * _DAY_MS


def _is_group(scope: Scope, name: str) -> Any:
    return and_(_g.account == scope.account, _g.region == scope.region, _g.name == name)


def _group_id(scope: Scope, name: str) -> Any:
    return select(_g.id).where(_is_group(scope, name)).scalar_subquery()


def _between(
    from_ms: int | None, before_ms: int | None, after: EventCursor | None, before: EventCursor | None
) -> list[Any]:
    conditions: list[Any] = []
    if from_ms is not None:
        conditions.append(_e.timestamp_ms >= min(from_ms, _FAR_FUTURE_MS))
    if before_ms is not None:
        conditions.append(_e.timestamp_ms < min(before_ms, _FAR_FUTURE_MS))
    if after is not None:
        conditions.append(tuple_(*_ORDER) > tuple_(after.timestamp_ms, after.ingestion_ms, after.sequence))
    if before is not None:
        conditions.append(tuple_(*_ORDER) < tuple_(before.timestamp_ms, before.ingestion_ms, before.sequence))
    return conditions


def _log_group(row: AnyRow) -> LogGroup:
    return LogGroup(
        scope=Scope(account=row[0], region=row[1]),
        name=row[2],
        created_ms=row[3],
        retention_days=row[4],
        stored_bytes=row[5],
    )


def _log_stream(row: AnyRow) -> LogStream:
    return LogStream(
        name=row[0], created_ms=row[1], first_event_ms=row[2], last_event_ms=row[3], last_ingestion_ms=row[4]
    )
