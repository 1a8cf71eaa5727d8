"""Dashboards in the database: the `DashboardStore` of the contract."""

from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select, update

from lambent.store.database import Database
from lambent.store.metrics_contract import Dashboard
from lambent.store.names import starts_with
from lambent.store.tables import dashboards

_d = dashboards.c
_COLUMNS = (_d.name, _d.body, _d.modified_s)


class DashboardRepository:
    """The dashboards of all accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, account: str, dashboard: Dashboard, most: int) -> bool:
        """Store or replace a dashboard; see the contract."""
        values = {"body": dashboard.body, "modified_s": dashboard.modified_s}
        async with self._database.write() as statements:
            changed = await statements.change(
                update(dashboards).where(_d.account == account, _d.name == dashboard.name).values(**values)
            )
            if not changed:
                (row,) = await statements.rows(select(func.count()).where(_d.account == account))
                if row[0] >= most:
                    return False
                await statements.change(insert(dashboards).values(account=account, name=dashboard.name, **values))
        return True

    async def get(self, account: str, name: str) -> Dashboard | None:
        """Return one."""
        rows = await self._database.rows(select(*_COLUMNS).where(_d.account == account, _d.name == name))
        return Dashboard(*rows[0]) if rows else None

    async def list(self, account: str, *, prefix: str, after: str, limit: int) -> Sequence[Dashboard]:
        """Return dashboards by name; see the contract."""
        query = select(*_COLUMNS).where(_d.account == account, _d.name > after, *starts_with(_d.name, prefix))
        return [Dashboard(*row) for row in await self._database.rows(query.order_by(_d.name).limit(limit))]

    async def delete(self, account: str, names: Sequence[str]) -> Sequence[str]:
        """Delete dashboards; see the contract."""
        missing = []
        async with self._database.write() as statements:
            for name in names:
                if not await statements.change(delete(dashboards).where(_d.account == account, _d.name == name)):
                    missing.append(name)
        return missing
