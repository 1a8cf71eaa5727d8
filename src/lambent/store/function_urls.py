"""Function URLs in the database: `FunctionUrlRows` of the contract."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import and_, bindparam, delete, insert, select, update

from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.domain.function_url import FunctionUrl
from lambent.store.database import Database, Statements
from lambent.store.tables import function_urls

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(FunctionUrl).decode

# Built once, like those of functions.
_c = function_urls.c
_OF_FUNCTION = and_(
    _c.account == bindparam("of_account"), _c.region == bindparam("of_region"), _c.name == bindparam("of_name")
)
_IS = and_(_OF_FUNCTION, _c.qualifier == bindparam("of_qualifier"))
_IS_KEPT = _c.lost_alias == 0
_ONE = select(_c.document).where(_IS, _IS_KEPT)
_ALL = select(_c.document).where(_OF_FUNCTION, _IS_KEPT).order_by(_c.qualifier)
_BY_ID = select(_c.document, _c.lost_alias).where(_c.url_id == bindparam("of_url_id"))
_INSERT = insert(function_urls)
_UPDATE = (
    update(function_urls)
    .where(_IS)
    .values(
        revision=_c.revision + 1,
        url_id=bindparam("new_url_id"),
        document=bindparam("new_document"),
        lost_alias=0,
    )
)
_DELETE = delete(function_urls).where(_IS, _IS_KEPT)
_LOSE = update(function_urls).where(_IS).values(revision=_c.revision + 1, lost_alias=1)
_FORGET = delete(function_urls).where(_OF_FUNCTION, _c.lost_alias == 1)


class StoredFunctionUrls:
    """
    Rows of one scope inside one transaction.

    Args:
        write: called with a function's name before anything of it is written.
    """

    def __init__(self, statements: Statements, scope: Scope, write: Callable[[Scope, FunctionName], None]) -> None:
        self._statements = statements
        self._write = write
        self._scope = scope

    async def get(self, name: FunctionName, qualifier: str) -> FunctionUrl | None:
        rows = await self._statements.rows(_ONE, self._key(name, qualifier))
        return _decode(rows[0][0]) if rows else None

    async def save(self, url: FunctionUrl) -> None:
        self._write(url.scope, url.name)
        document = _encode(url).decode()
        key = self._key(url.name, url.qualifier)
        if not await self._statements.change(_UPDATE, {**key, "new_url_id": url.url_id, "new_document": document}):
            await self._statements.change(
                _INSERT,
                {
                    "account": self._scope.account,
                    "region": self._scope.region,
                    "name": url.name,
                    "qualifier": url.qualifier,
                    "url_id": url.url_id,
                    "lost_alias": 0,
                    "revision": 1,
                    "document": document,
                },
            )

    async def delete(self, name: FunctionName, qualifier: str) -> bool:
        self._write(self._scope, name)
        return bool(await self._statements.change(_DELETE, self._key(name, qualifier)))

    async def lose_alias(self, name: FunctionName, alias: str) -> None:
        """Remove an alias's URL as its alias goes, but remember its id, in the place of one that was lost before."""
        key = self._key(name, alias)
        if await self._statements.rows(_ONE, key):
            del (of_function := dict(key))["of_qualifier"]
            await self._statements.change(_FORGET, of_function)
            await self._statements.change(_LOSE, key)

    async def list(
        self, name: FunctionName, *, after: str | None = None, limit: int = 1_000_000
    ) -> Sequence[FunctionUrl]:
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


async def find_url(database: Database, url_id: str) -> FunctionUrl | None:
    """Return the URL of an id, whatever its scope, the one of an alias that is gone included."""
    rows = await database.rows(_BY_ID, {"of_url_id": url_id})
    return msgspec.structs.replace(_decode(rows[0][0]), is_lost=bool(rows[0][1])) if rows else None
