"""Event source mappings in the database: `EventSourceMappingRows` of the contract."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import and_, bindparam, delete, insert, select, tuple_, update

from lambent.domain.caller import Scope
from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.store.contract import MappingChange
from lambent.store.database import Database, Statements
from lambent.store.stream_positions import forget_mapping
from lambent.store.tables import event_source_mappings

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(EventSourceMapping).decode

# Built once, like those of functions.
_m = event_source_mappings.c
_IN_SCOPE = and_(_m.account == bindparam("of_account"), _m.region == bindparam("of_region"))
_IS = and_(_IN_SCOPE, _m.uuid == bindparam("of_uuid"))
_ONE = select(_m.document).where(_IS)
_FOUND = select(_m.document).where(
    _IN_SCOPE, _m.source_arn == bindparam("of_source"), _m.function_arn == bindparam("of_function")
)
_ALL = select(_m.document).where(_IN_SCOPE).order_by(_m.uuid)
_NAMES = select(_m.account, _m.region, _m.uuid).order_by(_m.account, _m.region, _m.uuid)
_INSERT = insert(event_source_mappings)
_UPDATE = (
    update(event_source_mappings)
    .where(_IS)
    .values(
        revision=_m.revision + 1,
        source_arn=bindparam("new_source_arn"),
        function_arn=bindparam("new_function_arn"),
        document=bindparam("new_document"),
    )
)
_DELETE = delete(event_source_mappings).where(_IS)


class StoredEventSourceMappings:
    """
    Rows of one scope inside one transaction.

    Args:
        write: called with a mapping's UUID before anything of it is written.
    """

    def __init__(self, statements: Statements, scope: Scope, write: Callable[[Scope, str], None]) -> None:
        self._statements = statements
        self._scope = scope
        self._write = write
        self._of_scope = {"of_account": scope.account, "of_region": scope.region}

    async def get(self, uuid: str) -> EventSourceMapping | None:
        rows = await self._statements.rows(_ONE, {**self._of_scope, "of_uuid": uuid})
        return _decode(rows[0][0]) if rows else None

    async def find(self, source_arn: str, function_arn: str) -> EventSourceMapping | None:
        key = {**self._of_scope, "of_source": source_arn, "of_function": function_arn}
        rows = await self._statements.rows(_FOUND, key)
        return _decode(rows[0][0]) if rows else None

    async def save(self, mapping: EventSourceMapping) -> None:
        self._write(mapping.scope, mapping.uuid)
        columns = {
            "source_arn": mapping.source_arn,
            "function_arn": mapping.function_arn,
            "document": _encode(mapping).decode(),
        }
        renamed = {f"new_{column}": value for column, value in columns.items()}
        if not await self._statements.change(_UPDATE, {**self._of_scope, "of_uuid": mapping.uuid, **renamed}):
            await self._statements.change(
                _INSERT,
                {
                    "account": self._scope.account,
                    "region": self._scope.region,
                    "uuid": mapping.uuid,
                    "revision": 1,
                    **columns,
                },
            )

    async def delete(self, uuid: str) -> bool:
        self._write(self._scope, uuid)
        await forget_mapping(self._statements, self._scope, uuid)
        return bool(await self._statements.change(_DELETE, {**self._of_scope, "of_uuid": uuid}))

    async def list(
        self,
        *,
        source_arn: str | None = None,
        function_arn: str | None = None,
        after: str | None = None,
        limit: int,
    ) -> Sequence[EventSourceMapping]:
        query = _ALL
        for column, wanted in ((_m.source_arn, source_arn), (_m.function_arn, function_arn)):
            if wanted is not None:
                query = query.where(column == wanted)
        if after is not None:
            query = query.where(_m.uuid > after)
        rows = await self._statements.rows(query.limit(limit), self._of_scope)
        return [_decode(row[0]) for row in rows]


async def name_all(database: Database, after: MappingChange | None, limit: int) -> Sequence[MappingChange]:
    """Name the mappings of all scopes, by scope and UUID."""
    query = _NAMES
    if after is not None:
        key = (after.scope.account, after.scope.region, after.uuid)
        query = query.where(tuple_(_m.account, _m.region, _m.uuid) > tuple_(*key))
    rows = await database.rows(query.limit(limit))
    return [MappingChange(Scope(account, region), uuid) for account, region, uuid in rows]
