"""What one commit of the event queue asks of the tables. Built once, since building a statement costs more than it."""

from functools import cache
from typing import Any

from sqlalchemy import bindparam, case, delete, exists, func, insert, literal, select, tuple_, update

from lambent.store.tables import (
    dropped_event_contents,
    event_deduplications,
    event_groups,
    event_numbers,
    event_queues,
    queued_events,
)

_q = event_queues.c
_e = queued_events.c
_g = event_groups.c
_d = event_deduplications.c
_n = event_numbers.c


@cache
def queues(count: int) -> Any:
    """Return what reads and locks so many queues, by parameters `path_0` and so on."""
    return (
        select(_q.path, _q.content_id, _q.event_count, _q.revision, _q.rules)
        .where(_q.path.in_([bindparam(f"path_{number}") for number in range(count)]))
        .order_by(_q.path)
        .with_for_update()
    )


INSERT_QUEUE = insert(event_queues)
DELETE_QUEUE = delete(event_queues).where(_q.path == bindparam("of_path"))
UPDATE_COUNT = (
    update(event_queues)
    .where(_q.path == bindparam("of_path"))
    .values(event_count=bindparam("new_count"), content_id=bindparam("new_content"))
)
UPDATE_DEFINITION = (
    update(event_queues)
    .where(_q.path == bindparam("of_path"))
    .values(rules=bindparam("new_rules"), document=bindparam("new_document"), revision=bindparam("new_revision"))
)
DROP_CONTENT = insert(dropped_event_contents)

NUMBERS = select(_n.next_number).where(_n.id == 1).with_for_update()
TAKE_NUMBERS = (
    update(event_numbers)
    .where(_n.id == 1)
    .values(
        next_number=bindparam("next_free"),
        latest_us=case((_n.latest_us < bindparam("now_us"), bindparam("now_us")), else_=_n.latest_us),
    )
)
SET_LATEST = (
    update(event_numbers).where(_n.id == 1, _n.latest_us < bindparam("now_us")).values(latest_us=bindparam("now_us"))
)


@cache
def held(count: int) -> Any:
    """Return what reads so many events, by parameters `sequence_0` and so on."""
    return select(
        _e.sequence, _e.content_id, _e.is_leased, _e.due_us, _e.claim_count, _e.group_key, _e.body_sha256
    ).where(_e.sequence.in_([bindparam(f"sequence_{number}") for number in range(count)]))


@cache
def alike(count: int) -> Any:
    """Return what reads in one row what so many events have in common, by the same parameters."""
    return select(
        func.count(),
        func.min(_e.content_id),
        func.max(_e.content_id),
        func.min(_e.claim_count),
        func.max(_e.claim_count),
        func.count(_e.group_key),
        func.count(_e.body_sha256),
    ).where(_e.sequence.in_([bindparam(f"sequence_{number}") for number in range(count)]))


@cache
def delete_events(count: int) -> Any:
    """Return what deletes so many events, by the same parameters."""
    return delete(queued_events).where(_e.sequence.in_([bindparam(f"sequence_{number}") for number in range(count)]))


@cache
def lease(count: int) -> Any:
    """Return what leases so many events, by the same parameters and those of the lease."""
    return (
        update(queued_events)
        .where(_e.sequence.in_([bindparam(f"sequence_{number}") for number in range(count)]))
        .values(
            is_leased=bindparam("new_leased"),
            due_us=bindparam("new_due"),
            claim_count=_e.claim_count + 1,
            first_claimed_ms=func.coalesce(_e.first_claimed_ms, bindparam("now_ms")),
        )
    )


INSERT_EVENT = insert(queued_events)
MOVE_DUE = (
    update(queued_events)
    .where(_e.sequence == bindparam("of_sequence"))
    .values(is_leased=bindparam("new_leased"), due_us=bindparam("new_due"))
)
SET_ATTRIBUTES = (
    update(queued_events).where(_e.sequence == bindparam("of_sequence")).values(attributes=bindparam("new_attributes"))
)
REDRIVE = (
    update(queued_events)
    .where(_e.sequence == bindparam("of_sequence"))
    .values(
        content_id=bindparam("new_content"),
        is_leased=0,
        due_us=bindparam("new_due"),
        entered_us=bindparam("new_entered"),
        redriven_from=bindparam("source"),
    )
)

_CLAIMED = (
    _e.sequence,
    _e.is_leased,
    _e.due_us,
    _e.entered_us,
    _e.sent_ms,
    _e.first_claimed_ms,
    _e.claim_count,
    _e.id,
    _e.group_key,
    _e.deduplication_id,
    _e.redriven_from,
    _e.attributes,
    _e.body,
    _e.body_sha256,
)
DUE = (
    select(*_CLAIMED)
    .where(
        _e.content_id == bindparam("of_content"),
        _e.is_leased == bindparam("leased"),
        _e.due_us <= bindparam("now_us"),
    )
    .order_by(_e.due_us, _e.sequence)
    .limit(bindparam("most"))
)
OF_GROUP = (
    select(*_CLAIMED)
    .where(
        _e.content_id == bindparam("of_content"),
        _e.group_key == bindparam("of_group"),
        _e.sequence > bindparam("after"),
    )
    .order_by(_e.sequence)
    .limit(bindparam("most"))
)
IN_FLIGHT = select(func.count()).select_from(
    select(_e.sequence)
    .where(_e.content_id == bindparam("of_content"), _e.is_leased == 1, _e.due_us > bindparam("now_us"))
    .limit(bindparam("most"))
    .subquery()
)


def _first_due(is_leased: int) -> Any:
    return (
        select(_e.due_us)
        .where(_e.content_id == bindparam("of_content"), _e.is_leased == is_leased)
        .order_by(_e.due_us)
        .limit(1)
        .scalar_subquery()
    )


FIRST_DUE = select(_first_due(0), _first_due(1))

DUE_GROUPS = (
    select(_g.group_key)
    .where(_g.content_id == bindparam("of_content"), _g.due_us <= bindparam("now_us"))
    .order_by(_g.due_us, _g.head)
    .limit(bindparam("most"))
)
FIRST_GROUP_DUE = select(func.min(_g.due_us)).where(_g.content_id == bindparam("of_content"))
HEAD = (
    select(_e.sequence, _e.due_us)
    .where(_e.content_id == bindparam("of_content"), _e.group_key == bindparam("of_group"))
    .order_by(_e.sequence)
    .limit(1)
)
_OF_ONE_GROUP = (_g.content_id == bindparam("of_content"), _g.group_key == bindparam("of_group"))
ADD_GROUP = insert(event_groups).from_select(
    ["content_id", "group_key", "due_us", "head"],
    select(
        bindparam("of_content", type_=_g.content_id.type),
        bindparam("of_group", type_=_g.group_key.type),
        bindparam("new_due", type_=_g.due_us.type),
        bindparam("new_head", type_=_g.head.type),
    ).where(~exists(select(literal(1)).where(*_OF_ONE_GROUP).select_from(event_groups))),
)
UPDATE_GROUP = (
    update(event_groups).where(*_OF_ONE_GROUP).values(due_us=bindparam("new_due"), head=bindparam("new_head"))
)
DELETE_GROUP = delete(event_groups).where(*_OF_ONE_GROUP)

REMEMBERED = select(_d.content_id, _d.key, _d.sequence, _d.id).where(
    tuple_(_d.content_id, _d.key).in_(bindparam("keys", expanding=True)), _d.until_us > bindparam("now_us")
)
FORGET = delete(event_deduplications).where(_d.content_id == bindparam("of_content"), _d.key == bindparam("of_key"))
REMEMBER = insert(event_deduplications)
