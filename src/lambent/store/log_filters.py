"""Filters of log groups in the database: the `LogFilterStore` of the contract."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Table, and_, delete, func, insert, select, tuple_, update

from lambent.domain.caller import Scope
from lambent.domain.log_filter import LogFilter, MetricFilter, SubscriptionFilter
from lambent.store.database import Database, Statements
from lambent.store.log_filters_contract import AnyFilter, FilterState
from lambent.store.names import starts_with
from lambent.store.tables import log_groups, log_metric_filters, log_position, log_subscription_filters

_TABLES: Mapping[type[LogFilter], Table] = {
    MetricFilter: log_metric_filters,
    SubscriptionFilter: log_subscription_filters,
}

_g = log_groups.c

_STATE = select(
    select(func.count()).select_from(log_metric_filters).scalar_subquery(),
    select(func.count()).select_from(log_subscription_filters).scalar_subquery(),
    log_position.c.next_sequence,
)


class LogFilterRepository:
    """Implements `lambent.store.log_filters_contract.LogFilterStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, log_filter: LogFilter, check: Callable[[Sequence[LogFilter]], None]) -> bool:
        """Insert or replace a filter; see the contract."""
        table = _TABLES[type(log_filter)]
        async with self._database.write() as statements:
            group_id = await _group_id(statements, log_filter.scope, log_filter.group)
            if group_id is None:
                return False
            there: LogFilter | None = None
            others: list[LogFilter] = []
            for kind, kinds_table in _TABLES.items():
                query = select(kinds_table.c.document).where(kinds_table.c.group_id == group_id)
                for row in await statements.rows(query):
                    found = msgspec.json.decode(row[0], type=kind)
                    if kind is type(log_filter) and found.name == log_filter.name:
                        there = found
                    else:
                        others.append(found)
            check(others)
            if there is None:
                values = {"group_id": group_id, "name": log_filter.name, "created_ms": log_filter.created_ms}
                await statements.change(insert(table).values(**values, document=_encode(log_filter)))
                return True
            log_filter = msgspec.structs.replace(log_filter, created_ms=there.created_ms)
            await statements.change(
                update(table)
                .where(table.c.group_id == group_id, table.c.name == log_filter.name)
                .values(document=_encode(log_filter))
            )
            return True

    async def delete(self, kind: type[LogFilter], scope: Scope, group: str, name: str) -> bool | None:
        """Remove a filter; see the contract."""
        table = _TABLES[kind]
        async with self._database.write() as statements:
            group_id = await _group_id(statements, scope, group)
            if group_id is None:
                return None
            return bool(
                await statements.change(delete(table).where(table.c.group_id == group_id, table.c.name == name))
            )

    async def list(
        self,
        kind: type[AnyFilter],
        scope: Scope,
        *,
        group: str | None = None,
        prefix: str = "",
        after: tuple[str, str] | None = None,
        limit: int,
    ) -> Sequence[AnyFilter]:
        """Return filters by name, then group; see the contract."""
        table = _TABLES[kind]
        query = (
            select(table.c.document)
            .join_from(table, log_groups, table.c.group_id == _g.id)
            .where(_g.account == scope.account, _g.region == scope.region, *starts_with(table.c.name, prefix))
            .order_by(table.c.name, _g.name)
            .limit(limit)
        )
        if group is not None:
            query = query.where(_g.name == group)
        if after is not None:
            query = query.where(tuple_(table.c.name, _g.name) > tuple_(*after))
        return [msgspec.json.decode(row[0], type=kind) for row in await self._database.rows(query)]

    async def metric_filter_counts(self, scope: Scope, groups: Sequence[str]) -> Mapping[str, int]:
        """Return how many metric filters groups have; see the contract."""
        query = (
            select(_g.name, func.count())
            .join_from(log_groups, log_metric_filters, log_metric_filters.c.group_id == _g.id)
            .where(_g.account == scope.account, _g.region == scope.region, _g.name.in_(groups))
            .group_by(_g.name)
        )
        return {row[0]: row[1] for row in await self._database.rows(query)} if groups else {}

    async def every(self) -> Sequence[LogFilter]:
        """Return all filters of all scopes."""
        found: list[LogFilter] = []
        async with self._database.snapshot() as statements:
            for kind, table in _TABLES.items():
                rows = await statements.rows(select(table.c.document))
                found += [msgspec.json.decode(row[0], type=kind) for row in rows]
        return found

    async def state(self) -> FilterState:
        """Return how many filters there are, and where events go on."""
        (row,) = await self._database.rows(_STATE)
        return FilterState(row[0], row[1], row[2])


def _encode(log_filter: LogFilter) -> str:
    return msgspec.json.encode(log_filter).decode()


async def _group_id(statements: Statements, scope: Scope, name: str) -> Any:
    rows = await statements.rows(
        select(_g.id).where(and_(_g.account == scope.account, _g.region == scope.region, _g.name == name))
    )
    return rows[0][0] if rows else None
