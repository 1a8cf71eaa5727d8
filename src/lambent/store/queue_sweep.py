"""
What the event queue deletes behind its callers, in steps that each are one small commit. Synchronous, for a
`ConnectionThread`.
"""

from collections.abc import Callable, Iterable

import msgspec
from sqlalchemy import Connection, and_, bindparam, delete, select, update

from lambent.store.contract import QueueKind, QueueName, QueueRules
from lambent.store.engine_time import SECOND_US
from lambent.store.queue_batch import queue_at
from lambent.store.tables import (
    HOLDS_EVENTS,
    dropped_event_contents,
    event_deduplications,
    event_groups,
    event_numbers,
    event_queues,
    queued_events,
)

ROWS_AT_ONCE = 1_000
"""Rows deleted in one commit: some milliseconds, so that a sweep holds no other writer up."""

_decode_rules = msgspec.json.Decoder(QueueRules).decode

_q = event_queues.c
_e = queued_events.c
_g = event_groups.c
_d = event_deduplications.c

_DROPPED = select(dropped_event_contents.c.content_id).limit(1)
_FORGET_CONTENT = delete(dropped_event_contents).where(dropped_event_contents.c.content_id == bindparam("of_content"))
_EVENTS_OF = select(_e.sequence, _e.body_sha256).where(_e.content_id == bindparam("of_content")).limit(ROWS_AT_ONCE)
_DELETE_EVENT = delete(queued_events).where(_e.sequence == bindparam("of_sequence"))
_GROUPS_OF = select(_g.content_id, _g.group_key).where(_g.content_id == bindparam("of_content")).limit(ROWS_AT_ONCE)
_DELETE_GROUP = delete(event_groups).where(
    _g.content_id == bindparam("of_content"), _g.group_key == bindparam("of_key")
)
_KEYS_OF = select(_d.content_id, _d.key).where(_d.content_id == bindparam("of_content")).limit(ROWS_AT_ONCE)
_KEYS_OVER = select(_d.content_id, _d.key).where(_d.until_us <= bindparam("now_us")).limit(ROWS_AT_ONCE)
_DELETE_KEY = delete(event_deduplications).where(
    _d.content_id == bindparam("of_content"), _d.key == bindparam("of_key")
)
_OLDEST = (
    select(_e.entered_us)
    .where(
        _e.content_id == bindparam("of_content"), _e.is_leased == bindparam("leased"), _e.due_us <= bindparam("now_us")
    )
    .order_by(_e.due_us, _e.sequence)
    .limit(1)
)
_FILLED = select(_q.content_id).where(HOLDS_EVENTS, _q.path.like(bindparam("prefix")))
_LEASED_OF = (
    select(_e.sequence)
    .where(_e.content_id == bindparam("of_content"), _e.is_leased == 1, _e.group_key.is_(None))
    .limit(ROWS_AT_ONCE)
)
_GIVE_BACK = (
    update(queued_events).where(_e.sequence == bindparam("of_sequence")).values(is_leased=0, due_us=bindparam("now_us"))
)
_LOCK = select(event_numbers.c.next_number).where(event_numbers.c.id == 1).with_for_update()
_REFERRED = (
    select(_e.body_sha256)
    .where(and_(_e.body_sha256.is_not(None), _e.body_sha256.in_(bindparam("names", expanding=True))))
    .distinct()
)


def give_back_some(connection: Connection, kind: QueueKind, now_us: int) -> int:
    """End the leases of some events in standard queues of a kind; return of how many."""
    given = 0
    for content_id in connection.execute(_FILLED, {"prefix": f"{kind.value}/%"}).scalars().all():
        sequences = connection.execute(_LEASED_OF, {"of_content": content_id}).scalars().all()
        if sequences:
            connection.execute(_GIVE_BACK, [{"of_sequence": sequence, "now_us": now_us} for sequence in sequences])
        given += len(sequences)
        if given >= ROWS_AT_ONCE:
            break
    return given


def drop_some(connection: Connection) -> tuple[set[str], bool]:
    """
    Delete some of what queues held that were purged or removed.

    Returns:
        blobs that lost a reference, and whether more may be left.
    """
    content_id = connection.execute(_DROPPED).scalar()
    if content_id is None:
        return set(), False
    key = {"of_content": content_id}
    if rows := connection.execute(_EVENTS_OF, key).all():
        connection.execute(_DELETE_EVENT, [{"of_sequence": row.sequence} for row in rows])
        return {row.body_sha256 for row in rows if row.body_sha256 is not None}, True
    for found, statement in ((_GROUPS_OF, _DELETE_GROUP), (_KEYS_OF, _DELETE_KEY)):
        if rows := connection.execute(found, key).all():
            connection.execute(statement, [{"of_content": row[0], "of_key": row[1]} for row in rows])
            return set(), True
    connection.execute(_FORGET_CONTENT, key)
    return set(), True


def forget_some(connection: Connection, now_us: int) -> bool:
    """Delete some deduplication ids whose time is over; say whether more may be left."""
    rows = connection.execute(_KEYS_OVER, {"now_us": now_us}).all()
    if rows:
        connection.execute(_DELETE_KEY, [{"of_content": row[0], "of_key": row[1]} for row in rows])
    return len(rows) == ROWS_AT_ONCE


def has_dropped(connection: Connection, now_us: int) -> bool:
    """Say whether `drop_some` or `forget_some` would find something, without the right to write."""
    return (
        connection.execute(_DROPPED).first() is not None
        or connection.execute(_KEYS_OVER, {"now_us": now_us}).first() is not None
    )


def beyond_retention(connection: Connection, now_us: int) -> list[QueueName]:
    """Name the queues whose oldest events are beyond their retention."""
    found = []
    for path, content_id, text in connection.execute(select(_q.path, _q.content_id, _q.rules).where(HOLDS_EVENTS)):
        retention_s = _decode_rules(text).retention_s
        if retention_s is None:
            continue
        for leased in (0, 1):
            key = {"of_content": content_id, "leased": leased, "now_us": now_us}
            entered_us = connection.execute(_OLDEST, key).scalar()
            if entered_us is not None and entered_us <= now_us - retention_s * SECOND_US:
                found.append(queue_at(path))
                break
    return found


def unlink_unreferred(connection: Connection, names: Iterable[str], unlink: Callable[[str], None]) -> None:
    """
    Delete blobs that no event refers to.

    Inside the transaction, under the lock that every put takes: a put looks whether its blob is there, so it either has
    referred to it before, or finds it gone and stores it again.
    """
    connection.execute(_LOCK)
    names = list(names)
    referred = set(connection.execute(_REFERRED, {"names": names}).scalars())
    for name in names:
        if name not in referred:
            unlink(name)
