"""What the event queue shows without changing it. Synchronous, for a `ConnectionThread`; each sees one state."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, func, select

from lambent.domain.caller import Scope
from lambent.store.contract import (
    Depth,
    QueueDefinition,
    QueueKind,
    QueueName,
    QueueRules,
    WaitingEvent,
)
from lambent.store.engine_time import SECOND_US
from lambent.store.names import starts_with
from lambent.store.queue_calls import NAMES_AT_ONCE, path_of, queue_at
from lambent.store.tables import HOLDS_EVENTS, event_groups, event_numbers, event_queues, queued_events

_decode_rules = msgspec.json.Decoder(QueueRules).decode

_q = event_queues.c
_e = queued_events.c
_g = event_groups.c

_CONTENTS = select(_q.path, _q.content_id, _q.event_count).where(_q.path.in_(bindparam("paths", expanding=True)))
_DEFINITION = (_q.path, _q.rules, _q.document, _q.revision)
_LATER = (
    select(_e.is_leased, func.count())
    .where(
        _e.content_id == bindparam("of_content"), _e.is_leased == bindparam("leased"), _e.due_us > bindparam("now_us")
    )
    .group_by(_e.is_leased)
)
_OLDEST = (
    select(_e.entered_us)
    .where(
        _e.content_id == bindparam("of_content"), _e.is_leased == bindparam("leased"), _e.due_us <= bindparam("now_us")
    )
    .order_by(_e.due_us, _e.sequence)
    .limit(1)
)
_SHOWN = (
    _e.id,
    _e.sequence,
    _e.body,
    _e.attributes,
    _e.group_key,
    _e.claim_count,
    _e.sent_ms,
    _e.due_us,
    _e.is_leased,
    _e.body_sha256,
)
_PEEK = (
    select(*_SHOWN)
    .where(_e.content_id == bindparam("of_content"), _e.is_leased == bindparam("leased"))
    .order_by(_e.due_us, _e.sequence)
    .limit(bindparam("most"))
)


def _first(is_leased: int) -> Any:
    return (
        select(_e.due_us)
        .where(_e.content_id == _q.content_id, _e.is_leased == is_leased)
        .order_by(_e.due_us)
        .limit(1)
        .scalar_subquery()
    )


_FIRST_GROUP = select(_g.due_us).where(_g.content_id == _q.content_id).order_by(_g.due_us).limit(1).scalar_subquery()


def beginning(connection: Connection) -> tuple[int, int]:
    """Return the engine's newest time and the number of all events: what a start needs to know."""
    latest_us = connection.execute(select(event_numbers.c.latest_us)).scalar_one()
    # Only the queues that hold something: an index has them.
    total = connection.execute(select(func.sum(_q.event_count)).where(HOLDS_EVENTS)).scalar()
    return latest_us, int(total or 0)


def definition(connection: Connection, queue: QueueName) -> QueueDefinition | None:
    """Return one queue's definition."""
    row = connection.execute(select(*_DEFINITION).where(_q.path == path_of(queue))).first()
    return None if row is None else _definition(row)


def definitions(
    connection: Connection, kind: QueueKind, scope: Scope | None, prefix: str, after: QueueName | None, limit: int
) -> Sequence[QueueDefinition]:
    """Return queues of a kind by scope and name."""
    query = select(*_DEFINITION)
    start = f"{kind.value}/" if scope is None else f"{kind.value}/{scope.account}/{scope.region}/{prefix}"
    query = query.where(*starts_with(_q.path, start))
    if after is not None:
        query = query.where(_q.path > path_of(after))
    return [_definition(row) for row in connection.execute(query.order_by(_q.path).limit(limit))]


def depth(connection: Connection, queues: Sequence[QueueName], now_us: int) -> dict[QueueName, Depth]:
    """Count what queues hold. What waits is not counted but what remains: it may be millions."""
    by_path = {path_of(queue): queue for queue in queues}
    paths = sorted(by_path)
    found: dict[QueueName, Depth] = {}
    for start in range(0, len(paths), NAMES_AT_ONCE):
        chunk = paths[start : start + NAMES_AT_ONCE]
        for path, content_id, count in connection.execute(_CONTENTS, {"paths": chunk}).all():
            found[by_path[path]] = _depth(connection, content_id, count, now_us) if count else Depth()
    return found


def _depth(connection: Connection, content_id: int, count: int, now_us: int) -> Depth:
    key = {"of_content": content_id, "now_us": now_us}
    delayed, in_flight = (
        next((row[1] for row in connection.execute(_LATER, {**key, "leased": leased})), 0) for leased in (0, 1)
    )
    oldest = [
        entered
        for leased in (0, 1)
        if (entered := connection.execute(_OLDEST, {**key, "leased": leased}).scalar()) is not None
    ]
    return Depth(
        waiting=count - delayed - in_flight,
        delayed=delayed,
        in_flight=in_flight,
        oldest_age_s=(now_us - min(oldest)) / SECOND_US if oldest else None,
    )


def filled(connection: Connection, kind: QueueKind, now_us: int) -> dict[QueueName, float]:
    """Name the queues of a kind that hold events, and when the first can be claimed."""
    query = select(_q.path, _FIRST_GROUP, _first(0), _first(1)).where(
        HOLDS_EVENTS, *starts_with(_q.path, f"{kind.value}/")
    )
    found: dict[QueueName, float] = {}
    for path, *dues in connection.execute(query):
        of_group, waiting, leased = dues
        due_us = of_group if of_group is not None else min(due for due in (waiting, leased) if due is not None)
        found[queue_at(path)] = max(0, due_us - now_us) / SECOND_US
    return found


def peek(connection: Connection, queue: QueueName, limit: int, now_us: int) -> list[tuple[WaitingEvent, str | None]]:
    """Return some events, what is leased last; each with the name of the blob where that is its body."""
    row = connection.execute(_CONTENTS, {"paths": [path_of(queue)]}).first()
    if row is None:
        return []
    found: list[tuple[WaitingEvent, str | None]] = []
    for leased in (0, 1):
        key = {"of_content": row.content_id, "leased": leased, "most": limit - len(found)}
        for event in connection.execute(_PEEK, key):
            found.append((_waiting(event, now_us), event.body_sha256))
    return found


def _waiting(row: Any, now_us: int) -> WaitingEvent:
    return WaitingEvent(
        id=row.id,
        sequence=row.sequence,
        body=b"" if row.body is None else row.body,
        attributes=row.attributes,
        group=row.group_key,
        receive_count=row.claim_count,
        sent_ms=row.sent_ms,
        due_s=(row.due_us - now_us) / SECOND_US,
        is_in_flight=bool(row.is_leased) and row.due_us > now_us,
    )


def _definition(row: Any) -> QueueDefinition:
    path, rules, document, revision = row
    return QueueDefinition(
        queue=queue_at(path), rules=_decode_rules(rules), document=bytes(document), revision=revision
    )
