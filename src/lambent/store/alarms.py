"""Alarms, their histories and their actions in the database: the `AlarmStore` of the contract."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, delete, func, insert, select, tuple_, update

from lambent.domain.alarm import Alarm, HistoryItem, HistoryKind, Watch
from lambent.domain.caller import Scope
from lambent.store.alarms_contract import (
    HISTORY_MAX,
    HISTORY_S,
    HISTORY_TOTAL_MAX,
    HistoryPlace,
    NewAction,
    PendingAction,
)
from lambent.store.database import Database, Statements
from lambent.store.names import starts_with
from lambent.store.tables import alarm_actions, alarm_children, alarm_history, alarms

_SWEPT_AT_ONCE = 2_000
"""Items deleted in one commit: a few milliseconds, in which nobody else writes."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Alarm).decode
_decode_item = msgspec.json.Decoder(HistoryItem).decode
_decode_action = msgspec.json.Decoder(NewAction).decode

_a = alarms.c
_c = alarm_children.c
_h = alarm_history.c
_p = alarm_actions.c

_IS_HERE = and_(_a.account == bindparam("of_account"), _a.region == bindparam("of_region"))
_IS_NAMED = and_(_IS_HERE, _a.name == bindparam("of_name"))
_GET = select(_a.document).where(_IS_NAMED)
_LIST = select(_a.document).where(_IS_HERE, _a.name > bindparam("after")).order_by(_a.name)
_OF_METRIC = select(_a.document).where(_IS_HERE, _a.metric == bindparam("of_metric")).order_by(_a.name)
_COUNT = select(func.count()).select_from(alarms).where(_IS_HERE)
_TOTAL = select(func.count()).select_from(alarms)
_REPLACE = (
    update(alarms)
    .where(_IS_NAMED)
    .values(
        revision=_a.revision + 1,
        every_s=bindparam("new_every"),
        metric=bindparam("new_metric"),
        document=bindparam("new_document"),
    )
)
_INSERT = insert(alarms)
_DELETE = delete(alarms).where(_IS_NAMED)

_OF_PARENT = and_(
    _c.account == bindparam("of_account"), _c.region == bindparam("of_region"), _c.parent == bindparam("of_name")
)
_CHILDREN = select(_c.child).where(_OF_PARENT).order_by(_c.child)
_PARENTS = (
    select(_a.document)
    .join_from(alarm_children, alarms, and_(_a.account == _c.account, _a.region == _c.region, _a.name == _c.parent))
    .where(_c.account == bindparam("of_account"), _c.region == bindparam("of_region"), _c.child == bindparam("of_name"))
    .order_by(_a.name)
)
_FORGET_CHILDREN = delete(alarm_children).where(_OF_PARENT)
_INSERT_CHILD = insert(alarm_children)

_IS_HISTORY = and_(
    _h.account == bindparam("of_account"), _h.region == bindparam("of_region"), _h.alarm == bindparam("of_name")
)
_INSERT_ITEM = insert(alarm_history)
_TRIM = delete(alarm_history).where(
    _IS_HISTORY,
    _h.number
    <= select(_h.number).where(_IS_HISTORY).order_by(_h.number.desc()).offset(HISTORY_MAX).limit(1).scalar_subquery(),
)

_INSERT_ACTION = insert(alarm_actions)
_FINISH = delete(alarm_actions).where(_p.number == bindparam("of_number"))
_PENDING = (
    select(_p.number, _p.document).where(_p.number > bindparam("after")).order_by(_p.number).limit(bindparam("at_most"))
)

_ITEM_NEWEST = select(func.max(_h.number))


class AlarmRepository:
    """Alarms of all scopes, as rows with one document each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callbacks: list[Callable[[], None]] = []

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator["StoredAlarms"]:
        """Open a transaction that may write; see the contract."""

        def committed() -> None:
            for callback in self._callbacks:
                callback()

        async with self._database.write(committed) as statements:
            yield StoredAlarms(statements, scope)

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator["StoredAlarms"]:
        """Open a read-only transaction; see the contract."""
        async with self._database.snapshot() as statements:
            yield StoredAlarms(statements, scope)

    async def watching(
        self, *, is_fast: bool | None = None, after: tuple[Scope, str] | None = None, limit: int
    ) -> Sequence[Alarm]:
        """Return metric alarms of all scopes; see the contract."""
        query = select(_a.document).where(_a.every_s.is_not(None))
        if is_fast is not None:
            query = query.where(_a.every_s < 60 if is_fast else _a.every_s >= 60)
        if after is not None:
            scope, name = after
            query = query.where(tuple_(_a.account, _a.region, _a.name) > tuple_(scope.account, scope.region, name))
        query = query.order_by(_a.account, _a.region, _a.name).limit(limit)

        # Decoded on the connection's thread: thousands take tens of milliseconds.
        return await self._database.look(lambda connection: [_decode(row[0]) for row in connection.execute(query)])

    async def pending(self, *, after: int = 0, limit: int) -> Sequence[PendingAction]:
        """Return actions that are not done; see the contract."""
        rows = await self._database.rows(_PENDING, {"after": after, "at_most": limit})
        return [PendingAction(row[0], _decode_action(row[1])) for row in rows]

    async def pending_count(self) -> int:
        """Return how many actions are not done."""
        ((count,),) = await self._database.rows(select(func.count()).select_from(alarm_actions))
        return int(count)

    async def total(self) -> int:
        """Return how many alarms there are."""
        ((count,),) = await self._database.rows(_TOTAL)
        return int(count)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every commit that may have changed something. The callback must not raise."""
        self._callbacks.append(callback)

    async def sweep(self, now: float) -> None:
        """Delete what is too old, and the oldest of what is too much, some at a time."""
        ((newest,),) = await self._database.rows(_ITEM_NEWEST)
        if newest is None:
            return
        for is_doomed in (_h.at_ms < round((now - HISTORY_S) * 1000), _h.number <= newest - HISTORY_TOTAL_MAX):
            some = select(_h.number).where(is_doomed).limit(_SWEPT_AT_ONCE)
            while await self._database.rows(some.limit(1)):
                async with self._database.write() as statements:
                    await statements.change(delete(alarm_history).where(_h.number.in_(some)))


class StoredAlarms:
    """Rows of one scope inside one transaction: `AlarmRows` of the contract."""

    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def get(self, name: str) -> Alarm | None:
        rows = await self._statements.rows(_GET, self._named(name))
        return _decode(rows[0][0]) if rows else None

    async def list(self, *, prefix: str = "", after: str = "", limit: int) -> Sequence[Alarm]:
        query = _LIST.where(*starts_with(_a.name, prefix)).limit(limit)
        return [_decode(row[0]) for row in await self._statements.rows(query, {**self._here(), "after": after})]

    async def of_metric(self, namespace: str, name: str) -> Sequence[Alarm]:
        rows = await self._statements.rows(_OF_METRIC, {**self._here(), "of_metric": _metric(namespace, name)})
        return [_decode(row[0]) for row in rows]

    async def count(self) -> int:
        ((count,),) = await self._statements.rows(_COUNT, self._here())
        return int(count)

    async def parents(self, name: str) -> Sequence[Alarm]:
        return [_decode(row[0]) for row in await self._statements.rows(_PARENTS, self._named(name))]

    async def children(self, name: str) -> Sequence[str]:
        return [row[0] for row in await self._statements.rows(_CHILDREN, self._named(name))]

    async def save(self, alarm: Alarm, *, children: Sequence[str] | None = None) -> None:
        assert alarm.scope == self._scope
        watches = alarm.watches
        every_s = metric = None
        if isinstance(watches, Watch):
            every_s = 10 if watches.is_fast else 60
            metric = None if watches.metric is None else _metric(watches.metric.namespace, watches.metric.name)
        document = _encode(alarm).decode()
        named = self._named(alarm.name)
        new = {"new_every": every_s, "new_metric": metric, "new_document": document}
        if not await self._statements.change(_REPLACE, {**named, **new}):
            await self._statements.change(
                _INSERT,
                {
                    "account": self._scope.account,
                    "region": self._scope.region,
                    "name": alarm.name,
                    "revision": 1,
                    "every_s": every_s,
                    "metric": metric,
                    "document": document,
                },
            )
        if children is not None:
            await self._statements.change(_FORGET_CHILDREN, named)
            if children:
                here = {"account": self._scope.account, "region": self._scope.region, "parent": alarm.name}
                await self._statements.change(_INSERT_CHILD, [{**here, "child": child} for child in children])

    async def delete(self, name: str) -> bool:
        await self._statements.change(_FORGET_CHILDREN, self._named(name))
        return bool(await self._statements.change(_DELETE, self._named(name)))

    async def note(self, items: Sequence[HistoryItem]) -> None:
        if not items:
            return
        assert all(item.scope == self._scope for item in items)
        await self._statements.change(
            _INSERT_ITEM,
            [
                {
                    "account": self._scope.account,
                    "region": self._scope.region,
                    "alarm": item.alarm,
                    "alarm_type": item.alarm_type,
                    "kind": item.kind.value,
                    "at_ms": round(item.at * 1000),
                    "document": _encode(item).decode(),
                }
                for item in items
            ],
        )
        for name in {item.alarm for item in items}:
            await self._statements.change(_TRIM, self._named(name))

    async def history(
        self,
        *,
        name: str | None,
        kind: HistoryKind | None,
        types: Sequence[str],
        from_s: float | None,
        until_s: float | None,
        after: HistoryPlace | None,
        newest_first: bool,
        limit: int,
    ) -> Sequence[tuple[HistoryPlace, HistoryItem]]:
        query = select(_h.at_ms, _h.number, _h.document).where(
            _h.account == self._scope.account, _h.region == self._scope.region, _h.alarm_type.in_(types)
        )
        if name is not None:
            query = query.where(_h.alarm == name)
        if kind is not None:
            query = query.where(_h.kind == kind.value)
        if from_s is not None:
            query = query.where(_h.at_ms >= round(from_s * 1000))
        if until_s is not None:
            query = query.where(_h.at_ms <= round(until_s * 1000))
        if after is not None:
            place, border = tuple_(_h.at_ms, _h.number), tuple_(after.at_ms, after.number)
            query = query.where(place < border if newest_first else place > border)
        order = (_h.at_ms, _h.number)
        query = query.order_by(*(column.desc() if newest_first else column for column in order)).limit(limit)
        return [(HistoryPlace(row[0], row[1]), _decode_item(row[2])) for row in await self._statements.rows(query)]

    async def order(self, actions: Sequence[NewAction]) -> None:
        if actions:
            await self._statements.change(_INSERT_ACTION, [{"document": _encode(one).decode()} for one in actions])

    async def finish(self, number: int) -> bool:
        return bool(await self._statements.change(_FINISH, {"of_number": number}))

    def _here(self) -> dict[str, Any]:
        return {"of_account": self._scope.account, "of_region": self._scope.region}

    def _named(self, name: str) -> dict[str, Any]:
        return {**self._here(), "of_name": name}


def _metric(namespace: str, name: str) -> str:
    return f"{namespace}\n{name}"
