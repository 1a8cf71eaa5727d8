"""What functions' qualifiers say of asynchronous events, in the database: `EventInvokeConfigRows` of the contract."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import and_, bindparam, delete, insert, select, update

from lambent.domain.caller import Scope
from lambent.domain.event_invoke import EventInvokeConfig
from lambent.domain.function import FunctionName
from lambent.store.database import Statements
from lambent.store.tables import event_invoke_configs

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(EventInvokeConfig).decode

# Built once, like those of functions.
_c = event_invoke_configs.c
_OF_FUNCTION = and_(
    _c.account == bindparam("of_account"), _c.region == bindparam("of_region"), _c.name == bindparam("of_name")
)
_IS = and_(_OF_FUNCTION, _c.qualifier == bindparam("of_qualifier"))
_ONE = select(_c.document).where(_IS)
_ALL = select(_c.document).where(_OF_FUNCTION).order_by(_c.qualifier)
_INSERT = insert(event_invoke_configs)
_UPDATE = update(event_invoke_configs).where(_IS).values(revision=_c.revision + 1, document=bindparam("new_document"))
_DELETE = delete(event_invoke_configs).where(_IS)


class StoredEventInvokeConfigs:
    """
    Rows of one scope inside one transaction.

    Args:
        write: called with a function's name before anything of it is written.
    """

    def __init__(self, statements: Statements, scope: Scope, write: Callable[[Scope, FunctionName], None]) -> None:
        self._statements = statements
        self._write = write
        self._scope = scope

    async def get(self, name: FunctionName, qualifier: str) -> EventInvokeConfig | None:
        rows = await self._statements.rows(_ONE, self._key(name, qualifier))
        return _decode(rows[0][0]) if rows else None

    async def save(self, config: EventInvokeConfig) -> None:
        self._write(config.scope, config.name)
        document = _encode(config).decode()
        key = self._key(config.name, config.qualifier)
        if not await self._statements.change(_UPDATE, {**key, "new_document": document}):
            await self._statements.change(
                _INSERT,
                {
                    "account": self._scope.account,
                    "region": self._scope.region,
                    "name": config.name,
                    "qualifier": config.qualifier,
                    "revision": 1,
                    "document": document,
                },
            )

    async def delete(self, name: FunctionName, qualifier: str) -> bool:
        self._write(self._scope, name)
        return bool(await self._statements.change(_DELETE, self._key(name, qualifier)))

    async def list(
        self, name: FunctionName, *, after: str | None = None, limit: int = 1_000_000
    ) -> Sequence[EventInvokeConfig]:
        query = _ALL if after is None else _ALL.where(_c.qualifier > after)
        rows = await self._statements.rows(
            query.limit(limit),
            {"of_account": self._scope.account, "of_region": self._scope.region, "of_name": name},
        )
        return [_decode(row[0]) for row in rows]

    def _key(self, name: FunctionName, qualifier: str) -> dict[str, str]:
        return {
            "of_account": self._scope.account,
            "of_region": self._scope.region,
            "of_name": name,
            "of_qualifier": qualifier,
        }
