"""
Log groups, streams and events in the database: the `LogStore` of the contract.

Events come in through `log_writing` and are read through `log_reading`; both run on the threads of connections.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, and_, bindparam, delete, func, insert, select, tuple_, update

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.metric import MetricPoint
from lambent.errors.families import DependencyError
from lambent.store import log_reading, log_writing
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
from lambent.store.database import READERS_MAX, AnyRow, Database
from lambent.store.log_reading import Wanted
from lambent.store.metrics import store_points
from lambent.store.names import starts_with
from lambent.store.tables import (
    deleted_log_groups,
    deleted_log_streams,
    log_chunk_streams,
    log_chunks,
    log_events,
    log_groups,
    log_position,
    log_resource_policies,
    log_streams,
    open_invocations,
)
from lambent.store.usage import store_usage
from lambent.store.usage_contract import NOTHING_USED, NewUsage

PACKINGS_MAX: Final = 20
"""Chunks that one fold or sweep makes of rows, so that neither takes long; the next goes on."""

SEARCHES_MAX: Final = READERS_MAX // 2
"""Pages with a pattern that are read at once: each has a connection for a second or so, and others read as well."""

SWEEP_S: Final = 1.0
"""
How long one call deletes what nobody sees any more. Assumed: who deletes a group waits for no more; the rest goes with
sweeps (test_logs).
"""

_DAY_MS = 86_400_000

_decode_open = msgspec.json.Decoder(OpenInvocation).decode

_log = logging.getLogger("lambent.store")

_g = log_groups.c
_s = log_streams.c
_e = log_events.c

_INSERT_OPEN = insert(open_invocations)
_DELETE_OPEN = delete(open_invocations).where(open_invocations.c.request_id == bindparam("of_request"))
_GROUP = (
    _g.account,
    _g.region,
    _g.name,
    _g.created_ms,
    _g.retention_days,
    _g.stored_bytes,
    _g.log_class,
    _g.document,
)
_STREAM = (_s.name, _s.created_ms, _s.first_event_ms, _s.last_event_ms, _s.last_ingestion_ms)


class _GroupDocument(msgspec.Struct, omit_defaults=True):
    """What is only read with the whole group."""

    is_protected: bool = False
    kms_key: str = ""
    tags: dict[str, str] = {}


_decode_document = msgspec.json.Decoder(_GroupDocument).decode


class LogRepository:
    """
    Log groups, streams and events of all scopes.

    Args:
        clock: tells which events are beyond their group's retention; those are hidden at once.
        retention_days: of groups that come into being when a function writes; None for ever.
    """

    def __init__(self, database: Database, clock: Clock, *, retention_days: int | None = None) -> None:
        self._database = database
        self._clock = clock
        self._retention_days = retention_days
        self._searches = asyncio.Semaphore(SEARCHES_MAX)

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
        """Store a stretch of the segment files and the position after it in one commit; see the contract."""
        # Packed before the transaction, in a thread: nobody who writes waits for it.
        groups = await asyncio.to_thread(log_writing.prepare, events)
        is_empty = not (events or opened or closed or any(usage))

        def store(connection: Connection) -> Sequence[int]:
            _advance(connection, position, is_empty=is_empty)
            full = log_writing.store(connection, groups, len(events), self._retention_days)
            _store_open(connection, opened, closed)
            return full

        async with self._database.write() as statements:
            full = await statements.run(store)
            await store_points(statements, points)
            await store_usage(statements, usage)
        try:
            await self._pack(full)
        except Exception as error:
            # The stretch is in. Who is told that it is not would leave followers without it, and readers with an error.
            _log.error(
                "logs.pack_failed reason=%s", error, exc_info=None if isinstance(error, DependencyError) else error
            )

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

    # Groups and streams ------------------------------------------------------------------------------------------

    async def group(self, scope: Scope, name: str) -> LogGroup | None:
        """Return one group."""
        rows = await self._database.rows(select(*_GROUP).where(_is_group(scope, name)))
        return _log_group(rows[0]) if rows else None

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
        """Return groups by name (byte order); see the contract."""
        query = select(*_GROUP).where(_g.account == scope.account, _g.region == scope.region)
        query = query.where(*starts_with(_g.name, prefix))
        if pattern:
            # Not LIKE, which SQLite takes without regard to case and PostgreSQL with. Both replace exactly.
            query = query.where(func.replace(_g.name, pattern, "") != _g.name)
        if log_class is not None:
            query = query.where(_g.log_class == log_class)
        if after is not None:
            query = query.where(_g.name > after)
        return [_log_group(row) for row in await self._database.rows(query.order_by(_g.name).limit(limit))]

    async def create_group(self, group: LogGroup) -> bool:
        """Make an empty group; False when there is one of that name."""
        async with self._database.write() as statements:
            if await statements.rows(select(_g.id).where(_is_group(group.scope, group.name))):
                return False
            await statements.change(
                insert(log_groups).values(
                    account=group.scope.account,
                    region=group.scope.region,
                    name=group.name,
                    created_ms=group.created_ms,
                    stored_bytes=0,
                    loose_events=0,
                    loose_bytes=0,
                    log_class=group.log_class,
                    revision=1,
                    **_settings(group),
                )
            )
        return True

    async def update_group(self, scope: Scope, name: str, change: Callable[[LogGroup], LogGroup]) -> LogGroup | None:
        """Replace what is set of a group; see the contract."""
        async with self._database.write() as statements:
            rows = await statements.rows(select(*_GROUP).where(_is_group(scope, name)))
            if not rows:
                return None
            group = change(_log_group(rows[0]))
            await statements.change(
                update(log_groups).where(_is_group(scope, name)).values(revision=_g.revision + 1, **_settings(group))
            )
        return group

    async def set_retention(self, scope: Scope, name: str, days: int | None) -> bool:
        """Set or remove a group's retention; False when there is no such group."""
        changed = await self.update_group(
            scope, name, lambda group: msgspec.structs.replace(group, retention_days=days)
        )
        return changed is not None

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
            group_id: int = rows[0][0]
            await statements.run(lambda connection: log_writing.bury_group(connection, group_id))
        await self._sweep_group(group_id, self._timer(SWEEP_S))
        return True

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

    async def create_stream(self, scope: Scope, group: str, name: str) -> bool | None:
        """Make an empty stream; see the contract."""
        created_ms = int(self._clock.now() * 1000)
        async with self._database.write() as statements:
            found = await statements.rows(select(_g.id).where(_is_group(scope, group)))
            if not found:
                return None
            group_id: int = found[0][0]
            if await statements.rows(select(_s.id).where(_s.group_id == group_id, _s.name == name)):
                return False
            await statements.run(
                lambda connection: log_writing.insert_stream(connection, group_id, scope, name, created_ms)
            )
        return True

    async def delete_stream(self, scope: Scope, group: str, name: str) -> bool:
        """Remove a stream with its events, like a group: hidden at once, then deleted in small steps."""
        async with self._database.write() as statements:
            rows = await statements.rows(
                select(_s.group_id, _s.id).where(_s.group_id == _group_id(scope, group), _s.name == name)
            )
            if not rows:
                return False
            group_id, stream_id = rows[0]
            await statements.run(lambda connection: log_writing.bury_stream(connection, group_id, stream_id))
        await self._sweep_stream(stream_id, self._timer(SWEEP_S))
        return True

    # Events ------------------------------------------------------------------------------------------------------

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
        """Return events in order, and where the next page begins; see the contract."""

        def read(connection: Connection) -> LogPage:
            wanted = self._wanted(connection, scope, group, from_ms, before_ms)
            if wanted is None:
                return LogPage([], None)
            wanted = msgspec.structs.replace(
                wanted,
                streams=streams,
                stream_prefix=stream_prefix,
                after=after,
                before=before,
                newest_first=newest_first,
                pattern=pattern,
            )
            is_late = log_reading.never if seconds_max is None else self._timer(seconds_max)
            return log_reading.read_page(connection, wanted, limit=limit, bytes_max=bytes_max, is_late=is_late)

        if pattern is None:
            return await self._database.look(read)
        async with self._searches:
            return await self._database.look(read)

    async def event(self, scope: Scope, group: str, place: EventCursor) -> LogEvent | None:
        """Return the event at a place."""

        def read(connection: Connection) -> LogEvent | None:
            wanted = self._wanted(connection, scope, group, None, None)
            if wanted is None:
                return None
            return log_reading.read_event(connection, wanted.group_id, place, wanted.from_ms)

        return await self._database.look(read)

    async def scan(
        self,
        scope: Scope,
        groups: Sequence[str],
        *,
        from_ms: int,
        before_ms: int,
        pattern: MessagePattern | None = None,
    ) -> AsyncIterator[LogBatch]:
        """Give all events of groups; see the contract."""
        for name in groups:
            async for events in self._scan(scope, name, from_ms, before_ms, pattern):
                if events:
                    yield LogBatch(name, events)

    async def _scan(
        self, scope: Scope, group: str, from_ms: int, before_ms: int, pattern: MessagePattern | None
    ) -> AsyncIterator[Sequence[LogEvent]]:
        """Give a group's events block by block: no transaction stays open while somebody works on a batch."""

        def begin(connection: Connection) -> tuple[Wanted, Sequence[int], Sequence[LogEvent]] | None:
            # On one state: a row that is packed later is in no chunk of this list, and in these rows.
            wanted = self._wanted(connection, scope, group, from_ms, before_ms)
            if wanted is None:
                return None
            wanted.pattern = pattern
            return wanted, log_reading.chunk_ids(connection, wanted), log_reading.read_rows(connection, wanted)

        # All rows are read at once. They are few but where an older version left them.
        full = await self._database.rows(select(_g.id).where(_is_group(scope, group), log_writing.IS_FULL))
        await self._pack([row[0] for row in full], most=sys.maxsize)
        found = await self._database.look(begin)
        if found is None:
            return
        wanted, chunks, rows = found
        yield rows
        for chunk_id in chunks:
            yield await self._database.look(partial(log_reading.read_chunk, wanted=wanted, chunk_id=chunk_id))

    def _wanted(
        self, connection: Connection, scope: Scope, group: str, from_ms: int | None, before_ms: int | None
    ) -> Wanted | None:
        """Begin to say what is wanted of a group, without what is beyond its retention; None when there is no group."""
        row = connection.execute(select(_g.id, _g.retention_days).where(_is_group(scope, group))).first()
        if row is None:
            return None
        oldest_ms = 0 if row[1] is None else _oldest_kept_ms(self._clock.now(), row[1])
        return Wanted(
            group_id=row[0],
            from_ms=max(from_ms or 0, oldest_ms),
            before_ms=log_reading.FAR_FUTURE if before_ms is None else before_ms,
        )

    # Resource policies -------------------------------------------------------------------------------------------

    async def resource_policies(self, scope: Scope) -> Sequence[LogResourcePolicy]:
        """Return the policies of a scope by name."""
        columns = log_resource_policies.c
        rows = await self._database.rows(
            select(columns.name, columns.document, columns.updated_ms)
            .where(columns.account == scope.account, columns.region == scope.region)
            .order_by(columns.name)
        )
        return [LogResourcePolicy(*row) for row in rows]

    async def put_resource_policy(self, scope: Scope, policy: LogResourcePolicy, *, most: int) -> bool:
        """Insert or replace a policy; False when it would be one more than `most`."""
        columns = log_resource_policies.c
        of_scope = and_(columns.account == scope.account, columns.region == scope.region)
        async with self._database.write() as statements:
            await statements.change(delete(log_resource_policies).where(of_scope, columns.name == policy.name))
            ((count,),) = await statements.rows(select(func.count()).select_from(log_resource_policies).where(of_scope))
            if count >= most:
                return False
            await statements.change(
                insert(log_resource_policies).values(
                    account=scope.account,
                    region=scope.region,
                    name=policy.name,
                    document=policy.document,
                    updated_ms=policy.updated_ms,
                )
            )
        return True

    async def delete_resource_policy(self, scope: Scope, name: str) -> bool:
        """Remove a policy; False when there was none."""
        columns = log_resource_policies.c
        is_it = and_(columns.account == scope.account, columns.region == scope.region, columns.name == name)
        async with self._database.write() as statements:
            return await statements.change(delete(log_resource_policies).where(is_it)) > 0

    # What goes ---------------------------------------------------------------------------------------------------

    async def drop_expired(self, now_ms: int) -> int:
        """
        Delete events beyond their group's retention, and what is left of deleted groups and streams; return how many.

        Rows of groups that write little are packed as well.
        """
        is_late = self._timer(SWEEP_S)
        dropped = 0
        for row in await self._database.rows(select(deleted_log_groups.c.id)):
            dropped += await self._sweep_group(row[0], is_late)
        for row in await self._database.rows(select(deleted_log_streams.c.id)):
            dropped += await self._sweep_stream(row[0], is_late)
        groups = await self._database.rows(select(_g.id, _g.retention_days).where(_g.retention_days.is_not(None)))
        for group_id, retention_days in groups:
            oldest_ms = _oldest_kept_ms(now_ms / 1000, retention_days)
            dropped += await self._sweep_rows(and_(_e.group_id == group_id, _e.timestamp_ms < oldest_ms), is_late)
            chunks = log_chunks.c
            dropped += await self._sweep_chunks(and_(chunks.group_id == group_id, chunks.last_ms < oldest_ms), is_late)
        await self._pack(await self._database.look(log_writing.groups_to_pack))
        return dropped

    def _timer(self, seconds: float) -> Callable[[], bool]:
        """Return what says whether so much time has passed since now; any thread may ask."""
        until = self._clock.monotonic() + seconds
        return lambda: self._clock.monotonic() >= until

    async def _sweep_group(self, group_id: int, is_late: Callable[[], bool]) -> int:
        """Delete the events of a group that is gone, then the note that they are still there; return how many."""
        swept = await self._sweep_rows(_e.group_id == group_id, is_late)
        swept += await self._sweep_chunks(log_chunks.c.group_id == group_id, is_late)
        await self._forget(deleted_log_groups, group_id, _e.group_id, log_chunks.c.group_id)
        return swept

    async def _sweep_stream(self, stream_id: int, is_late: Callable[[], bool]) -> int:
        """Do the same for a stream; its chunks are written anew where others have a part in them."""
        swept = await self._sweep_rows(_e.stream_id == stream_id, is_late)
        step = partial(log_writing.sweep_stream, stream_id=stream_id)
        while not is_late() and (gone := await self._database.apply(step)):
            swept += gone
        await self._forget(deleted_log_streams, stream_id, _e.stream_id, log_chunk_streams.c.stream_id)
        return swept

    async def _forget(self, notes: Table, number: int, of_rows: Any, of_chunks: Any) -> None:
        """Delete the note that events of a group or stream are still there, when there are none any more."""
        async with self._database.write() as statements:
            for owner in (of_rows, of_chunks):
                if await statements.rows(select(owner).where(owner == number).limit(1)):
                    return
            await statements.change(delete(notes).where(notes.c.id == number))

    async def _sweep_rows(self, doomed: Any, is_late: Callable[[], bool]) -> int:
        """Delete the rows that `doomed` describes, some at a time; return how many."""
        swept = 0
        # Looked for by a reader first: a sweep that finds nothing, which is nearly every one, bothers no writer.
        while not is_late() and await self._database.rows(select(_e.sequence).where(doomed).limit(1)):
            swept += await self._database.apply(lambda connection: log_writing.sweep_rows(connection, doomed))
        return swept

    async def _sweep_chunks(self, doomed: Any, is_late: Callable[[], bool]) -> int:
        """Delete the chunks that `doomed` describes, some at a time; return how many events."""
        swept = 0
        while not is_late() and await self._database.rows(select(log_chunks.c.id).where(doomed).limit(1)):
            swept += await self._database.apply(lambda connection: log_writing.sweep_chunks(connection, doomed))
        return swept

    async def _pack(self, groups: Sequence[int], most: int = PACKINGS_MAX) -> None:
        """Make chunks of the rows of groups, as long as they have many."""
        for group_id in groups:
            is_first = True
            while most and (packing := await self._next_packing(group_id, is_first)) is not None:
                most -= 1
                is_first = False
                try:
                    await self._database.apply(partial(log_writing.store_packed, packing=packing))
                except Conflict:
                    # Somebody deletes from this group now. What is left is packed another time.
                    break

    async def _next_packing(self, group_id: int, is_first: bool) -> log_writing.Packing | None:
        return await self._database.look(
            lambda connection: (
                log_writing.pack_rows(connection, group_id)
                if is_first or log_writing.is_full(connection, group_id)
                else None
            )
        )


def _advance(connection: Connection, position: LogPosition, *, is_empty: bool) -> None:
    """
    Move the stored position forward.

    Raises:
        Conflict: it stands at `position` or beyond, so this stretch is folded already.
    """
    columns = log_position.c
    stored = tuple_(columns.segment, columns.offset)
    wanted = tuple_(position.segment, position.offset)
    moved = connection.execute(
        update(log_position)
        .where(stored <= wanted if is_empty else stored < wanted)
        .values(segment=position.segment, offset=position.offset)
    ).rowcount
    if not moved:
        raise Conflict(f"the segment files are folded to {position.segment}:{position.offset} or beyond already")


def _store_open(connection: Connection, opened: Sequence[OpenInvocation], closed: Sequence[str]) -> None:
    """Note the invocations that opened, forget those that closed; one that did both within a stretch is closed."""
    gone = set(closed)
    standing = {invocation.request_id: invocation for invocation in opened if invocation.request_id not in gone}
    # A request id that opens again (a retry keeps it) replaces what is noted of it.
    forget = [{"of_request": request_id} for request_id in (*gone, *standing)]
    if forget:
        connection.execute(_DELETE_OPEN, forget)
    if standing:
        connection.execute(
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


def _oldest_kept_ms(now_s: float, retention_days: int) -> int:
    return int(now_s * 1000) - retention_days * _DAY_MS


def _is_group(scope: Scope, name: str) -> Any:
    return and_(_g.account == scope.account, _g.region == scope.region, _g.name == name)


def _group_id(scope: Scope, name: str) -> Any:
    return select(_g.id).where(_is_group(scope, name)).scalar_subquery()


def _log_group(row: AnyRow) -> LogGroup:
    document = _decode_document(row[7])
    return LogGroup(
        scope=Scope(account=row[0], region=row[1]),
        name=row[2],
        created_ms=row[3],
        retention_days=row[4],
        stored_bytes=row[5],
        log_class=row[6],
        is_protected=document.is_protected,
        kms_key=document.kms_key,
        tags=document.tags,
    )


def _settings(group: LogGroup) -> dict[str, Any]:
    """Return the columns of what is set of a group."""
    document = _GroupDocument(group.is_protected, group.kms_key, dict(group.tags))
    return {"retention_days": group.retention_days, "document": msgspec.json.encode(document).decode()}


def _log_stream(row: AnyRow) -> LogStream:
    return LogStream(
        name=row[0], created_ms=row[1], first_event_ms=row[2], last_event_ms=row[3], last_ingestion_ms=row[4]
    )
