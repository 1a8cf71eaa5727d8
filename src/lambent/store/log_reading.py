"""
Reading the log store: pages of a group's events in order, and all of them block by block.

A block is a chunk, or a page of rows. Blocks come in order of their first event (of their last, newest first) and may
overlap in time. What is held at once is one block and one page.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, select, tuple_

from lambent.store.contract import EventCursor, LogEvent, LogPage, MessagePattern
from lambent.store.log_chunks import CHUNK_BYTES_MAX, Chunk
from lambent.store.log_writing import unpack_ids
from lambent.store.names import starts_with
from lambent.store.tables import log_chunk_streams, log_chunks, log_events, log_streams

_HEADS_AT_ONCE: Final = 64
"""Chunks whose times are looked up together."""

_ROWS_AT_ONCE: Final = 2_000

_NAMES_AT_ONCE: Final = 500

FAR_FUTURE: Final = 1 << 62
"""Beyond any event, and still a number that the columns take; a caller may ask for times beyond it."""

_s = log_streams.c
_e = log_events.c
_c = log_chunks.c
_p = log_chunk_streams.c
_ORDER = (_e.timestamp_ms, _e.ingestion_ms, _e.sequence)

_Item = tuple[int, int, int, int, str, str]
"""Timestamp, ingestion, sequence, size, stream, message: the first three are unique, so nothing else is compared."""


class Wanted(msgspec.Struct):
    """What a reader asks for of one group; see `LogStore.page`."""

    group_id: int
    from_ms: int
    before_ms: int
    streams: Sequence[str] | None = None
    stream_prefix: str | None = None
    after: EventCursor | None = None
    before: EventCursor | None = None
    pattern: MessagePattern | None = None
    newest_first: bool = False

    @property
    def first(self) -> tuple[int, int, int]:
        """What no event comes before, in order."""
        start = (min(self.from_ms, FAR_FUTURE), -1, -1)
        if self.after is None:
            return start
        timestamp_ms, ingestion_ms, sequence = _key(self.after)
        return max(start, (timestamp_ms, ingestion_ms, sequence + 1))

    @property
    def last(self) -> tuple[int, int, int]:
        """What all events come before."""
        end = (min(self.before_ms, FAR_FUTURE), -1, -1)
        return end if self.before is None else min(end, _key(self.before))


class _Block(msgspec.Struct):
    """A chunk that has not been read, or rows that have."""

    bound_ms: int
    """No event of it, nor of the blocks behind it, comes before this; none after it, newest first."""
    chunk_id: int | None = None
    rows: Sequence[Any] = ()


def read_page(
    connection: Connection, wanted: Wanted, *, limit: int, bytes_max: int | None, is_late: Callable[[], bool]
) -> LogPage:
    """
    Return one page; see `LogStore.page`.

    Args:
        is_late: asked before each further block: whether none is to be begun, once there is a place to go on from.
    """
    if wanted.first >= wanted.last:
        return LogPage([], None)
    names = _Names(connection, wanted)
    if names.are_none:
        return LogPage([], None)
    is_newest_first = wanted.newest_first
    found: list[_Item] = []
    fitting, is_full, has_looked = 0, False, False
    for block in _blocks(connection, wanted, names):
        bound_ms = block.bound_ms
        if is_full and (found[-1][0] > bound_ms if is_newest_first else found[-1][0] < bound_ms):
            break
        if has_looked and _is_further(bound_ms, wanted) and is_late():
            return _cut(found, fitting, bound_ms, is_newest_first)
        has_looked = True
        found += _first(_matching(connection, block, wanted, names), limit, bytes_max)
        # Two stretches that are in order: merging them is all that sorting has to do.
        found.sort(reverse=is_newest_first)
        fitting, is_full = _how_many_fit(found, limit, bytes_max)
        # One more than fit says that there is more.
        del found[fitting + 1 :]
    page = [_event(item) for item in found[:fitting]]
    return LogPage(page, _cursor(page[-1]) if is_full else None)


def never() -> bool:
    """Return that there is time."""
    return False


def read_event(connection: Connection, group_id: int, place: EventCursor, oldest_ms: int) -> LogEvent | None:
    """Return the event at a place, unless it is gone."""
    wanted = Wanted(
        group_id,
        max(place.timestamp_ms, oldest_ms),
        place.timestamp_ms + 1,
        after=EventCursor(place.timestamp_ms, place.ingestion_ms, place.sequence - 1),
        before=EventCursor(place.timestamp_ms, place.ingestion_ms, place.sequence + 1),
    )
    page = read_page(connection, wanted, limit=1, bytes_max=None, is_late=never)
    return page.events[0] if page.events else None


def read_rows(connection: Connection, wanted: Wanted) -> Sequence[LogEvent]:
    """Return the events that are rows and are wanted, in order."""
    names = _Names(connection, wanted)
    return [
        _event(item) for block in _row_blocks(connection, wanted, names) for item in _of_rows(block.rows, wanted, names)
    ]


def chunk_ids(connection: Connection, wanted: Wanted) -> Sequence[int]:
    """Return the chunks that may hold what is wanted, the newest first."""
    return list(
        connection.execute(select(_c.id).where(*_in_time(wanted)).order_by(_c.last_ms.desc(), _c.id.desc())).scalars()
    )


def read_chunk(connection: Connection, wanted: Wanted, chunk_id: int) -> Sequence[LogEvent]:
    """Return what is wanted of one chunk, in order; nothing of one that is gone."""
    return [_event(item) for item in _of_chunk(connection, chunk_id, wanted, _Names(connection, wanted))]


# Blocks ----------------------------------------------------------------------------------------------------------


def _blocks(connection: Connection, wanted: Wanted, names: "_Names") -> Iterator[_Block]:
    """Give the blocks that may hold what is wanted, in order of their bounds."""
    chunks = _chunk_blocks(connection, wanted, names)
    rows = _row_blocks(connection, wanted, names)
    chunk, page = next(chunks, None), next(rows, None)
    while chunk is not None or page is not None:
        is_chunk = page is None or (
            chunk is not None
            and (chunk.bound_ms >= page.bound_ms if wanted.newest_first else chunk.bound_ms <= page.bound_ms)
        )
        if is_chunk:
            assert chunk is not None
            yield chunk
            chunk = next(chunks, None)
        else:
            assert page is not None
            yield page
            page = next(rows, None)


def _chunk_blocks(connection: Connection, wanted: Wanted, names: "_Names") -> Iterator[_Block]:
    bound = _c.last_ms if wanted.newest_first else _c.first_ms
    conditions = [*_in_time(wanted), *names.of_chunks()]
    place: tuple[int, int] | None = None
    while True:
        query = select(_c.id, bound).where(*conditions)
        if place is not None:
            key = tuple_(bound, _c.id)
            query = query.where(key < tuple_(*place) if wanted.newest_first else key > tuple_(*place))
        order = (bound.desc(), _c.id.desc()) if wanted.newest_first else (bound, _c.id)
        heads = connection.execute(query.order_by(*order).limit(_HEADS_AT_ONCE)).all()
        for chunk_id, bound_ms in heads:
            yield _Block(bound_ms, chunk_id=chunk_id)
        if len(heads) < _HEADS_AT_ONCE:
            return
        place = (heads[-1][1], heads[-1][0])


def _row_blocks(connection: Connection, wanted: Wanted, names: "_Names") -> Iterator[_Block]:
    place = None
    while rows := _row_page(connection, wanted, names, place):
        yield _Block(rows[0][0], rows=rows)
        place = EventCursor(*rows[-1][:3])


def _row_page(connection: Connection, wanted: Wanted, names: "_Names", place: EventCursor | None) -> Sequence[Any]:
    """Return the next rows behind `place`: (timestamp, ingestion, sequence, stored bytes, stream id, message)."""
    query = select(_e.stored_bytes).where(_e.group_id == wanted.group_id, *names.of_rows())
    query = query.where(tuple_(*_ORDER) >= tuple_(*wanted.first), tuple_(*_ORDER) < tuple_(*wanted.last))
    if place is not None:
        key = tuple_(place.timestamp_ms, place.ingestion_ms, place.sequence)
        query = query.where(tuple_(*_ORDER) < key if wanted.newest_first else tuple_(*_ORDER) > key)
    query = query.order_by(*(column.desc() if wanted.newest_first else column for column in _ORDER))
    # Measured before a message is read: thousands of them may be gigabytes.
    count = total = 0
    for size in connection.execute(query.limit(_ROWS_AT_ONCE)).scalars():
        count, total = count + 1, total + size
        if total >= CHUNK_BYTES_MAX:
            break
    if not count:
        return []
    return connection.execute(
        query.with_only_columns(*_ORDER, _e.stored_bytes, _e.stream_id, _e.message).limit(count)
    ).all()


def _in_time(wanted: Wanted) -> list[ColumnElement[bool]]:
    return [
        _c.group_id == wanted.group_id,
        _c.last_ms >= wanted.first[0],
        _c.first_ms <= wanted.last[0],
    ]


# Events of a block -----------------------------------------------------------------------------------------------


def _matching(connection: Connection, block: _Block, wanted: Wanted, names: "_Names") -> Iterable[_Item]:
    if block.chunk_id is None:
        return _of_rows(block.rows, wanted, names)
    return _of_chunk(connection, block.chunk_id, wanted, names)


def _of_rows(rows: Sequence[Any], wanted: Wanted, names: "_Names") -> Iterator[_Item]:
    matches = None if wanted.pattern is None else wanted.pattern.matches
    names.learn({row[4] for row in rows})
    for timestamp_ms, ingestion_ms, sequence, size, stream_id, message in rows:
        name = names.known[stream_id]
        if name is not None and (matches is None or matches(message)):
            yield timestamp_ms, ingestion_ms, sequence, size, name, message


def _of_chunk(connection: Connection, chunk_id: int, wanted: Wanted, names: "_Names") -> Iterator[_Item]:
    row = connection.execute(select(_c.streams, _c.base_sequence, _c.columns, _c.text).where(_c.id == chunk_id)).first()
    if row is None:
        return
    ids = unpack_ids(row[0])
    names.learn(set(ids))
    of_place = [names.known[stream_id] for stream_id in ids]
    chunk = Chunk(row[2], row[3], row[1])
    first, last = wanted.first, wanted.last
    start, stop = chunk.between(first[0], last[0])
    pattern = wanted.pattern
    literals: Sequence[str] = ()
    if pattern is not None:
        literals = pattern.literals if chunk.has(b"\\") else pattern.plain_literals
    matches = None if pattern is None else pattern.matches
    places: Iterable[int] = chunk.candidates(start, stop, [literal.encode() for literal in literals])
    if wanted.newest_first:
        places = reversed(list(places))
    streams = chunk.streams
    timestamps = chunk.timestamps
    message_at = chunk.message
    for place in places:
        name = of_place[streams[place]]
        if name is None:
            continue
        message = message_at(place)
        if matches is not None and not matches(message):
            continue
        key = (timestamps[place], chunk.ingestion_ms(place), chunk.sequence(place))
        if first <= key < last:
            yield (*key, chunk.size_bytes(place), name, message)


class _Names:
    """The streams that are wanted, by number; None for those that are not, or are deleted."""

    def __init__(self, connection: Connection, wanted: Wanted) -> None:
        self._connection = connection
        self._of_group = _s.group_id == wanted.group_id
        self._narrowing: list[ColumnElement[bool]] = []
        self.known: dict[int, str | None] = {}
        self.are_none = False
        self._only: list[int] | None = None
        if wanted.stream_prefix is not None:
            self._narrowing += starts_with(_s.name, wanted.stream_prefix)
        if wanted.streams is not None:
            self._narrowing.append(_s.name.in_(wanted.streams))
            rows = connection.execute(select(_s.id, _s.name).where(self._of_group, *self._narrowing)).all()
            self.known = {row[0]: row[1] for row in rows}
            self._only = list(self.known)
            self.are_none = not rows

    def learn(self, ids: set[int]) -> None:
        """Look up those that are not known yet."""
        new = [stream_id for stream_id in ids if stream_id not in self.known]
        for start in range(0, len(new), _NAMES_AT_ONCE):
            part = new[start : start + _NAMES_AT_ONCE]
            self.known |= dict.fromkeys(part)
            if self._only is None:
                rows = self._connection.execute(
                    select(_s.id, _s.name).where(_s.id.in_(part), self._of_group, *self._narrowing)
                )
                self.known |= {row[0]: row[1] for row in rows}

    def of_rows(self) -> list[ColumnElement[bool]]:
        """Return the conditions on rows."""
        if self._only is not None and len(self._only) == 1:
            # With the stream's own number the database can walk the stream's index.
            return [_e.stream_id == self._only[0]]
        if self._only is not None:
            return [_e.stream_id.in_(self._only)]
        if self._narrowing:
            return [_e.stream_id.in_(select(_s.id).where(self._of_group, *self._narrowing))]
        return []

    def of_chunks(self) -> list[ColumnElement[bool]]:
        """Return the conditions on chunks: those without any of the streams are not even opened."""
        if self._only is not None:
            return [_c.id.in_(select(_p.chunk_id).where(_p.stream_id.in_(self._only)))]
        if self._narrowing:
            return [
                _c.id.in_(
                    select(_p.chunk_id).where(_p.stream_id.in_(select(_s.id).where(self._of_group, *self._narrowing)))
                )
            ]
        return []


# Pages -----------------------------------------------------------------------------------------------------------


def _first(items: Iterable[_Item], limit: int, bytes_max: int | None) -> Iterator[_Item]:
    """Give no more of one block than a page could take, and one."""
    count = size = 0
    for item in items:
        yield item
        count, size = count + 1, size + item[3]
        if count > limit or (bytes_max is not None and size > bytes_max and count > 1):
            return


def _how_many_fit(items: Sequence[_Item], limit: int, bytes_max: int | None) -> tuple[int, bool]:
    """Return how many of the first items stay within a page, at least one, and whether others do not."""
    count = min(limit, len(items))
    if bytes_max is not None:
        size = 0
        for place, item in enumerate(items[:count]):
            size += item[3]
            if size > bytes_max:
                count = max(place, 1)
                break
    return count, count < len(items)


def _is_further(bound_ms: int, wanted: Wanted) -> bool:
    """Return whether going on before a block is getting on at all: blocks may all begin where the page did."""
    return (bound_ms + 1, 0, 0) < wanted.last if wanted.newest_first else (bound_ms, 0, 0) > wanted.first


def _cut(found: Sequence[_Item], fitting: int, bound_ms: int, is_newest_first: bool) -> LogPage:
    """Return the page that time allowed: what surely comes before all that was not looked at, and where to go on."""
    if is_newest_first:
        sure = [_event(item) for item in found[:fitting] if item[0] > bound_ms]
        unread = EventCursor(bound_ms + 1, 0, 0)
    else:
        sure = [_event(item) for item in found[:fitting] if item[0] < bound_ms]
        unread = EventCursor(bound_ms, 0, 0)
    is_whole = len(sure) < fitting or fitting == len(found)
    return LogPage(sure, unread if is_whole else _cursor(sure[-1]))


def _event(item: _Item) -> LogEvent:
    return LogEvent(timestamp_ms=item[0], ingestion_ms=item[1], sequence=item[2], stream=item[4], message=item[5])


def _key(place: EventCursor) -> tuple[int, int, int]:
    return (
        min(place.timestamp_ms, FAR_FUTURE),
        min(place.ingestion_ms, FAR_FUTURE),
        min(place.sequence, FAR_FUTURE),
    )


def _cursor(event: LogEvent) -> EventCursor:
    return EventCursor(event.timestamp_ms, event.ingestion_ms, event.sequence)
