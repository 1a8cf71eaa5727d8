"""Saved queries of Logs Insights in the database: the `QueryDefinitions` of the contract."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, delete, func, insert, select, tuple_, update

from lambent.domain.caller import Scope
from lambent.store.database import Database
from lambent.store.names import starts_with
from lambent.store.query_definitions_contract import QueryDefinition
from lambent.store.tables import log_query_definitions

_q = log_query_definitions.c
_decode = msgspec.json.Decoder(QueryDefinition).decode


class QueryDefinitionRepository:
    """Saved queries of all scopes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, scope: Scope, definition: QueryDefinition, *, is_new: bool, most: int) -> bool:
        """Save a query; see the contract."""
        values = {"name": definition.name, "document": msgspec.json.encode(definition).decode()}
        async with self._database.write() as statements:
            changed = await statements.change(
                update(log_query_definitions).where(_is(scope, definition.id)).values(**values)
            )
            if changed or not is_new:
                return changed > 0
            ((count,),) = await statements.rows(select(func.count()).where(_is_of(scope)))
            if count >= most:
                return False
            await statements.change(
                insert(log_query_definitions),
                {"account": scope.account, "region": scope.region, "id": definition.id, **values},
            )
        return True

    async def delete(self, scope: Scope, query_id: str) -> bool:
        """Remove a query; False when there was none."""
        async with self._database.write() as statements:
            return await statements.change(delete(log_query_definitions).where(_is(scope, query_id))) > 0

    async def list(
        self, scope: Scope, *, prefix: str, after: tuple[str, str] | None, limit: int
    ) -> Sequence[QueryDefinition]:
        """Return queries by name and id; see the contract."""
        query = select(_q.document).where(_is_of(scope), *starts_with(_q.name, prefix))
        if after is not None:
            query = query.where(tuple_(_q.name, _q.id) > tuple_(*after))
        rows = await self._database.rows(query.order_by(_q.name, _q.id).limit(limit))
        return [_decode(row[0]) for row in rows]


def _is_of(scope: Scope) -> Any:
    return and_(_q.account == scope.account, _q.region == scope.region)


def _is(scope: Scope, query_id: str) -> Any:
    return and_(_is_of(scope), _q.id == query_id)
