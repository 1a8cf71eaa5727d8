"""
What changes the events of the log store: stretches of the segment files come in, rows become chunks, and what is
expired or deleted goes in small steps. Plain functions over a connection, each within a transaction of its caller.

A group's events are rows of `log_events` while they are few, and lie in `log_chunks` once they are some thousands.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, bindparam, delete, insert, select, tuple_, update

from lambent.domain.caller import Scope
from lambent.store.contract import Conflict, NewLogEvent
from lambent.store.log_chunks import EVENT_OVERHEAD_BYTES, Chunk, Events, Packed, pack, split
from lambent.store.prepared import Prepared, padded
from lambent.store.tables import (
    deleted_log_groups,
    deleted_log_streams,
    log_chunk_streams,
    log_chunks,
    log_events,
    log_groups,
    log_position,
    log_streams,
)

CHUNK_AT_ONCE_EVENTS: Final = 1_000
CHUNK_AT_ONCE_BYTES: Final = 1024 * 1024
"""From so many of one group in one commit on they become chunks without having been rows."""

LOOSE_EVENTS_MAX: Final = 4_000
LOOSE_BYTES_MAX: Final = 4 * 1024 * 1024
"""From so many rows of one group on they are packed: few enough that a reader goes through them at once."""

LOOSE_EVENTS_OLD: Final = 500
"""What a sweep packs: of a group that writes little, which would never have enough."""

SWEEP_EVENTS: Final = 5_000
SWEEP_CHUNKS: Final = 20
"""Deleted in one commit: a few milliseconds, so that a sweep holds no other writer up."""

_NAMES_AT_ONCE: Final = 500
"""Names in one IN list, far below what either database takes."""

_g = log_groups.c
_s = log_streams.c
_e = log_events.c
_c = log_chunks.c
_p = log_chunk_streams.c

_ORDER = (_e.timestamp_ms, _e.ingestion_ms, _e.sequence)
_FIND_GROUP = select(_g.id).where(
    _g.account == bindparam("of_account"), _g.region == bindparam("of_region"), _g.name == bindparam("of_name")
)
_INSERT_EVENT = insert(log_events)
_EVENT_COLUMNS = ("sequence", "group_id", "stream_id", "timestamp_ms", "ingestion_ms", "stored_bytes", "message")
_INSERT_PART = insert(log_chunk_streams)
_DELETE_EVENT = delete(log_events).where(_e.sequence == bindparam("of_sequence"))
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
_UPDATE_SIZES = (
    update(log_groups)
    .where(_g.id == bindparam("of_id"))
    .values(
        stored_bytes=_g.stored_bytes + bindparam("more"),
        loose_events=_g.loose_events + bindparam("more_loose"),
        loose_bytes=_g.loose_bytes + bindparam("more_loose_bytes"),
        revision=_g.revision + 1,
    )
)


@cache
def _find_streams(length: int) -> Select[str, int, int | None, int | None, int | None]:
    """Return the query for as many streams of a group by their names. Lengths are few, see `padded`."""
    names: list[Any] = [bindparam(f"name_{number}") for number in range(length)]
    return select(_s.name, _s.id, _s.first_event_ms, _s.last_event_ms, _s.last_ingestion_ms).where(
        _s.group_id == bindparam("of_group"), _s.name.in_(names)
    )


IS_FULL = (_g.loose_events >= LOOSE_EVENTS_MAX) | (_g.loose_bytes >= LOOSE_BYTES_MAX)
"""True of the groups whose rows are due to be packed."""


class NewStream(msgspec.Struct):
    """What a stretch adds to one stream; the streams of its group's events are places among them."""

    name: str
    first_ms: int
    last_ms: int
    ingestion_ms: int
    created_ms: int


class NewGroup(msgspec.Struct):
    """What a stretch adds to one group."""

    scope: Scope
    name: str
    created_ms: int
    streams: list[NewStream]
    events: Events
    stored_bytes: int = 0
    chunks: Sequence[Packed] = ()
    """Empty: the events become rows."""


def prepare(events: Sequence[NewLogEvent]) -> Sequence[NewGroup]:
    """Sort a stretch by groups, and pack those that bring much. Pure, but takes time: for a thread, before a commit."""
    groups: dict[tuple[Scope, str], NewGroup] = {}
    places: dict[tuple[Scope, str, str], tuple[NewGroup, int]] = {}
    scope = name = stream_name = None
    for sequence, event in enumerate(events):
        # By identity: neighbours mostly share their names, and where they do not the names are looked up once more.
        if event.stream is not stream_name or event.group is not name or event.scope is not scope:
            scope, name, stream_name = event.scope, event.group, event.stream
            known = places.get((scope, name, stream_name))
            if known is None:
                known = places[scope, name, stream_name] = _new_place(groups, event)
            group, place = known
            stream, columns = group.streams[place], group.events
            timestamps, ingestions, sequences = columns.timestamps, columns.ingestions, columns.sequences
            streams, messages = columns.streams, columns.messages
        timestamp_ms, ingestion_ms = event.timestamp_ms, event.ingestion_ms
        if timestamp_ms > stream.last_ms:
            stream.last_ms = timestamp_ms
        elif timestamp_ms < stream.first_ms:
            stream.first_ms = timestamp_ms
        stream.ingestion_ms = max(stream.ingestion_ms, ingestion_ms)
        timestamps.append(timestamp_ms)
        ingestions.append(ingestion_ms)
        sequences.append(sequence)
        streams.append(place)
        messages.append(event.message)
    for group in groups.values():
        count = len(group.events.messages)
        size = _utf8_bytes("".join(group.events.messages))
        group.stored_bytes = size + EVENT_OVERHEAD_BYTES * count
        if count >= CHUNK_AT_ONCE_EVENTS or size >= CHUNK_AT_ONCE_BYTES:
            group.chunks = [pack(part) for part in split(group.events)]
    return list(groups.values())


def _new_place(groups: dict[tuple[Scope, str], NewGroup], event: NewLogEvent) -> tuple[NewGroup, int]:
    """Return the group of the first event of a stream, and the stream's place in it."""
    group = groups.get((event.scope, event.group))
    if group is None:
        group = NewGroup(event.scope, event.group, event.ingestion_ms, [], Events([], [], [], [], []))
        groups[event.scope, event.group] = group
    group.streams.append(NewStream(event.stream, event.timestamp_ms, event.timestamp_ms, 0, event.ingestion_ms))
    return group, len(group.streams) - 1


def store(
    connection: Connection, groups: Sequence[NewGroup], event_count: int, retention_days: int | None
) -> Sequence[int]:
    """
    Store what `prepare` made, with the groups and streams that are missing; return the groups that are full now.

    Args:
        retention_days: of groups that are made; None for ever.
    """
    if not groups:
        return []
    base = _take_sequences(connection, event_count)
    prepared = Prepared(connection)
    rows: list[tuple[Any, ...]] = []
    sizes, streams = [], []
    for group in groups:
        group_id = ensure_group(connection, group.scope, group.name, group.created_ms, retention_days)
        ids, updates = _ensure_streams(connection, group_id, group)
        streams += updates
        if group.chunks:
            for chunk in group.chunks:
                _insert_chunk(connection, group_id, chunk, base, ids)
        else:
            rows += _rows(group_id, group.events, base, ids)
        is_loose = not group.chunks
        sizes.append(
            _sizes(group_id, group.stored_bytes, len(group.events.messages) * is_loose, group.stored_bytes * is_loose)
        )
    if rows:
        prepared.insert(_INSERT_EVENT, _EVENT_COLUMNS, rows)
    prepared.execute(_UPDATE_STREAM, streams)
    prepared.execute(_UPDATE_SIZES, sizes)
    full: list[int] = []
    loose = [size["of_id"] for size in sizes if size["more_loose"]]
    for start in range(0, len(loose), _NAMES_AT_ONCE):
        part = loose[start : start + _NAMES_AT_ONCE]
        full += connection.execute(select(_g.id).where(_g.id.in_(part), IS_FULL)).scalars()
    return full


def ensure_group(connection: Connection, scope: Scope, name: str, created_ms: int, retention_days: int | None) -> int:
    """Return the number of a group, which is made when it is missing."""
    place = {"of_account": scope.account, "of_region": scope.region, "of_name": name}
    found = Prepared(connection).execute(_FIND_GROUP, place).first()
    if found is not None:
        return int(found[0])
    made = connection.execute(
        insert(log_groups).values(
            account=scope.account,
            region=scope.region,
            name=name,
            created_ms=created_ms,
            retention_days=retention_days,
            stored_bytes=0,
            loose_events=0,
            loose_bytes=0,
            log_class="STANDARD",
            document="{}",
            revision=1,
        )
    ).inserted_primary_key
    assert made is not None
    return int(made[0])


# From rows to chunks ---------------------------------------------------------------------------------------------


class Packing(msgspec.Struct):
    """Rows of one group that can become a chunk."""

    group_id: int
    first: tuple[int, int, int]
    last: tuple[int, int, int]
    sequence_max: int
    chunks: Sequence[Packed]


def is_full(connection: Connection, group_id: int) -> bool:
    """Return whether a group's rows are due to be packed."""
    return connection.execute(select(_g.id).where(_g.id == group_id, IS_FULL)).first() is not None


def groups_to_pack(connection: Connection) -> Sequence[int]:
    """Return the groups whose rows a sweep packs."""
    is_due = (_g.loose_events >= LOOSE_EVENTS_OLD) | IS_FULL
    return list(connection.execute(select(_g.id).where(is_due)).scalars())


def pack_rows(connection: Connection, group_id: int) -> Packing | None:
    """Read a group's oldest rows and pack them; None when there are none. Only reads."""
    of_group = _e.group_id == group_id
    sizes = connection.execute(
        select(_e.stored_bytes).where(of_group).order_by(*_ORDER).limit(LOOSE_EVENTS_MAX + CHUNK_AT_ONCE_EVENTS)
    ).scalars()
    count = total = 0
    for size in sizes:
        count, total = count + 1, total + size
        if total >= LOOSE_BYTES_MAX:
            break
    rows = connection.execute(
        select(*_ORDER, _e.stream_id, _e.message).where(of_group).order_by(*_ORDER).limit(count)
    ).all()
    if not rows:
        return None
    events = Events(*([row[column] for row in rows] for column in range(5)))
    return Packing(
        group_id,
        (rows[0][0], rows[0][1], rows[0][2]),
        (rows[-1][0], rows[-1][1], rows[-1][2]),
        max(events.sequences),
        [pack(part) for part in split(events)],
    )


def store_packed(connection: Connection, packing: Packing) -> None:
    """
    Put chunks in the place of the rows that they were made of.

    Raises:
        Conflict: rows, or the group, have gone meanwhile. Nothing may be committed.
    """
    count = sum(chunk.event_count for chunk in packing.chunks)
    size = sum(chunk.stored_bytes for chunk in packing.chunks)
    # By the order and not one by one: an index finds them. What came later has a higher sequence.
    deleted = connection.execute(
        delete(log_events).where(
            _e.group_id == packing.group_id,
            tuple_(*_ORDER) >= tuple_(*packing.first),
            tuple_(*_ORDER) <= tuple_(*packing.last),
            _e.sequence <= packing.sequence_max,
        )
    ).rowcount
    is_there = connection.execute(_UPDATE_SIZES, _sizes(packing.group_id, 0, -count, -size)).rowcount
    if deleted != count or not is_there:
        raise Conflict("rows of the log have gone while they were packed")
    for chunk in packing.chunks:
        _insert_chunk(connection, packing.group_id, chunk, 0, None)


# What goes -------------------------------------------------------------------------------------------------------


def sweep_rows(connection: Connection, doomed: Any) -> int:
    """Delete some of the rows that `doomed` describes; return how many, 0 when there are none left."""
    rows = connection.execute(select(_e.sequence, _e.group_id, _e.stored_bytes).where(doomed).limit(SWEEP_EVENTS)).all()
    if not rows:
        return 0
    freed: defaultdict[int, list[int]] = defaultdict(list)
    for _, group_id, stored_bytes in rows:
        freed[group_id].append(stored_bytes)
    connection.execute(_DELETE_EVENT, [{"of_sequence": row[0]} for row in rows])
    connection.execute(
        _UPDATE_SIZES,
        [_sizes(group_id, -sum(sizes), -len(sizes), -sum(sizes)) for group_id, sizes in freed.items()],
    )
    return len(rows)


def sweep_chunks(connection: Connection, doomed: Any) -> int:
    """Delete some of the chunks that `doomed` describes; return how many events, 0 when there are none left."""
    rows = connection.execute(
        select(_c.id, _c.group_id, _c.stored_bytes, _c.event_count).where(doomed).limit(SWEEP_CHUNKS)
    ).all()
    for chunk_id, group_id, stored_bytes, _ in rows:
        connection.execute(delete(log_chunk_streams).where(_p.chunk_id == chunk_id))
        connection.execute(delete(log_chunks).where(_c.id == chunk_id))
        connection.execute(_UPDATE_SIZES, _sizes(group_id, -stored_bytes, 0, 0))
    return sum(row[3] for row in rows)


def sweep_stream(connection: Connection, stream_id: int) -> int:
    """Take the events of a deleted stream out of one chunk; return how many, 0 when no chunk has any."""
    row = connection.execute(
        select(_c.id, _c.group_id, _c.streams, _c.base_sequence, _c.stored_bytes, _c.columns, _c.text)
        .join_from(log_chunk_streams, log_chunks, _c.id == _p.chunk_id)
        .where(_p.stream_id == stream_id)
        .limit(1)
    ).first()
    if row is None:
        return 0
    chunk_id, group_id, packed_ids, base, stored_bytes, columns, text = row
    ids = unpack_ids(packed_ids)
    chunk = Chunk(columns, text, 0)
    gone = ids.index(stream_id)
    kept = [place for place, stream in enumerate(chunk.streams) if stream != gone]
    connection.execute(delete(log_chunk_streams).where(_p.chunk_id == chunk_id))
    if not kept:
        connection.execute(delete(log_chunks).where(_c.id == chunk_id))
        connection.execute(_UPDATE_SIZES, _sizes(group_id, -stored_bytes, 0, 0))
        return len(chunk)
    rest = pack(
        Events(
            [chunk.timestamps[place] for place in kept],
            [chunk.ingestion_ms(place) for place in kept],
            [chunk.sequence(place) for place in kept],
            [ids[chunk.streams[place]] for place in kept],
            [chunk.message(place) for place in kept],
        )
    )
    # Under its number, which readers that are on their way know.
    connection.execute(update(log_chunks).where(_c.id == chunk_id).values(**_chunk_values(rest, base, None)))
    _insert_parts(connection, chunk_id, rest, None)
    connection.execute(_UPDATE_SIZES, _sizes(group_id, rest.stored_bytes - stored_bytes, 0, 0))
    return len(chunk) - len(kept)


def bury_group(connection: Connection, group_id: int) -> None:
    """Delete a group and its streams, and note that its events are still there."""
    connection.execute(delete(log_groups).where(_g.id == group_id))
    connection.execute(delete(deleted_log_streams).where(deleted_log_streams.c.group_id == group_id))
    connection.execute(insert(deleted_log_groups), {"id": group_id})


def bury_stream(connection: Connection, group_id: int, stream_id: int) -> None:
    """Delete a stream, and note that its events are still there."""
    connection.execute(delete(log_streams).where(_s.id == stream_id))
    connection.execute(insert(deleted_log_streams), {"id": stream_id, "group_id": group_id})


# Rows of the tables ----------------------------------------------------------------------------------------------


def pack_ids(ids: Sequence[int]) -> bytes:
    return msgspec.msgpack.encode(ids)


def unpack_ids(packed: bytes) -> list[int]:
    return msgspec.msgpack.decode(packed, type=list[int])


def _take_sequences(connection: Connection, count: int) -> int:
    columns = log_position.c
    base = int(connection.execute(select(columns.next_sequence)).scalar_one())
    connection.execute(update(log_position).values(next_sequence=base + count))
    return base


def _ensure_streams(
    connection: Connection, group_id: int, group: NewGroup
) -> tuple[list[int], list[Mapping[str, Any]]]:
    """Return the numbers of a group's streams, making those that are missing, and what is to be updated of them."""
    names = [stream.name for stream in group.streams]
    found = {}
    prepared = Prepared(connection)
    for start in range(0, len(names), _NAMES_AT_ONCE):
        asked = padded(names[start : start + _NAMES_AT_ONCE], _NAMES_AT_ONCE)
        place = {"of_group": group_id} | {f"name_{number}": name for number, name in enumerate(asked)}
        rows = prepared.execute(_find_streams(len(asked)), place)
        found.update({row[0]: (row[1], row[2], row[3], row[4]) for row in rows})
    ids: list[int] = []
    updates: list[Mapping[str, Any]] = []
    for stream in group.streams:
        stream_id, first_ms, last_ms, ingestion_ms = found.get(stream.name, (None, None, None, None))
        if stream_id is None:
            stream_id = insert_stream(connection, group_id, group.scope, stream.name, stream.created_ms)
        ids.append(stream_id)
        updates.append(
            {
                "of_id": stream_id,
                # Computed here and not in SQL: the two databases call the smaller of two values differently.
                "new_first": stream.first_ms if first_ms is None else min(first_ms, stream.first_ms),
                "new_last": stream.last_ms if last_ms is None else max(last_ms, stream.last_ms),
                "new_ingestion": max(ingestion_ms or 0, stream.ingestion_ms),
            }
        )
    return ids, updates


def insert_stream(connection: Connection, group_id: int, scope: Scope, name: str, created_ms: int) -> int:
    """Make a stream; return its number."""
    made = connection.execute(
        insert(log_streams).values(
            group_id=group_id,
            account=scope.account,
            region=scope.region,
            name=name,
            created_ms=created_ms,
            revision=1,
        )
    ).inserted_primary_key
    assert made is not None
    return int(made[0])


def _rows(group_id: int, events: Events, base: int, ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return events as rows of `_EVENT_COLUMNS`."""
    return [
        (
            base + sequence,
            group_id,
            ids[place],
            timestamp_ms,
            ingestion_ms,
            _utf8_bytes(message) + EVENT_OVERHEAD_BYTES,
            message,
        )
        for timestamp_ms, ingestion_ms, sequence, place, message in zip(
            events.timestamps, events.ingestions, events.sequences, events.streams, events.messages, strict=True
        )
    ]


def _insert_chunk(connection: Connection, group_id: int, chunk: Packed, base: int, ids: Sequence[int] | None) -> None:
    made = connection.execute(
        insert(log_chunks).values(group_id=group_id, **_chunk_values(chunk, base, ids))
    ).inserted_primary_key
    assert made is not None
    _insert_parts(connection, int(made[0]), chunk, ids)


def _chunk_values(chunk: Packed, base: int, ids: Sequence[int] | None) -> Mapping[str, Any]:
    """Return the columns of a chunk; `ids` has the numbers of the streams where the chunk has places among them."""
    return {
        "first_ms": chunk.first_ms,
        "last_ms": chunk.last_ms,
        "base_sequence": base,
        "event_count": chunk.event_count,
        "stored_bytes": chunk.stored_bytes,
        "streams": pack_ids(_ids(chunk, ids)),
        "columns": chunk.columns,
        "text": chunk.text,
    }


def _insert_parts(connection: Connection, chunk_id: int, chunk: Packed, ids: Sequence[int] | None) -> None:
    connection.execute(_INSERT_PART, [{"stream_id": stream_id, "chunk_id": chunk_id} for stream_id in _ids(chunk, ids)])


def _ids(chunk: Packed, ids: Sequence[int] | None) -> list[int]:
    return [stream if ids is None else ids[stream] for stream in chunk.streams]


def _sizes(group_id: int, more: int, more_loose: int, more_loose_bytes: int) -> Mapping[str, int]:
    return {"of_id": group_id, "more": more, "more_loose": more_loose, "more_loose_bytes": more_loose_bytes}


def _utf8_bytes(message: str) -> int:
    return len(message) if message.isascii() else len(message.encode())
