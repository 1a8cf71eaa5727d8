"""Layers in the database: the `LayerRows` of the contract."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import and_, bindparam, delete, insert, select, update

from lambent.domain.caller import Scope
from lambent.domain.layer import LayerName, LayerVersion
from lambent.store.database import Statements
from lambent.store.tables import layer_versions, layers

_encode = msgspec.json.Encoder().encode
_decode_version = msgspec.json.Decoder(LayerVersion).decode

NUMBER_MAX = (1 << 63) - 1
"""What the column holds: a version beyond it does not exist."""

# Built once, like those of functions.
_l = layers.c
_IS_LAYER = and_(
    _l.account == bindparam("of_account"), _l.region == bindparam("of_region"), _l.name == bindparam("of_name")
)
_LAST_NUMBER = select(_l.last_number).where(_IS_LAYER)
_INSERT_LAYER = insert(layers)
_UPDATE_LAYER = update(layers).where(_IS_LAYER).values(last_number=_l.last_number + 1)

_v = layer_versions.c
_IN_SCOPE = and_(_v.account == bindparam("of_account"), _v.region == bindparam("of_region"))
_OF_LAYER = and_(_IN_SCOPE, _v.name == bindparam("of_name"))
_IS_VERSION = and_(_OF_LAYER, _v.number == bindparam("of_number"))
_VERSION = select(_v.document).where(_IS_VERSION)
_VERSIONS = select(_v.document).where(_OF_LAYER).order_by(_v.number.desc())
_NAMES = select(_v.name).where(_IN_SCOPE).distinct().order_by(_v.name)
_INSERT_VERSION = insert(layer_versions)
_UPDATE_VERSION = (
    update(layer_versions)
    .where(_IS_VERSION)
    .values(revision=_v.revision + 1, code_bytes=bindparam("new_code_bytes"), document=bindparam("new_document"))
)
_DELETE_VERSION = delete(layer_versions).where(_IS_VERSION)


class StoredLayers:
    """Rows of one scope inside one transaction. Writing in a snapshot fails."""

    def __init__(self, statements: Statements, scope: Scope, *, may_write: bool) -> None:
        self._statements = statements
        self._scope = scope
        self._may_write = may_write
        self._of_scope = {"of_account": scope.account, "of_region": scope.region}

    async def next_number(self, name: LayerName) -> int:
        assert self._may_write, "a snapshot is for reading"
        of_name = {**self._of_scope, "of_name": name}
        if not await self._statements.change(_UPDATE_LAYER, of_name):
            key = {"account": self._scope.account, "region": self._scope.region, "name": name}
            await self._statements.change(_INSERT_LAYER, {**key, "last_number": 1})
        (row,) = await self._statements.rows(_LAST_NUMBER, of_name)
        return int(row[0])

    async def save(self, version: LayerVersion) -> None:
        assert self._may_write, "a snapshot is for reading"
        assert version.scope == self._scope, "a transaction writes to its own scope"
        document = _encode(version).decode()
        key = {**self._of_scope, "of_name": version.name, "of_number": version.number}
        new = {"new_code_bytes": version.size_bytes, "new_document": document}
        if not await self._statements.change(_UPDATE_VERSION, {**key, **new}):
            await self._statements.change(
                _INSERT_VERSION,
                {
                    "account": self._scope.account,
                    "region": self._scope.region,
                    "name": version.name,
                    "number": version.number,
                    "code_bytes": version.size_bytes,
                    "revision": 1,
                    "document": document,
                },
            )

    async def get(self, name: LayerName, number: int) -> LayerVersion | None:
        if not 0 < number <= NUMBER_MAX:
            return None
        rows = await self._statements.rows(_VERSION, {**self._of_scope, "of_name": name, "of_number": number})
        return _decode_version(rows[0][0]) if rows else None

    async def delete(self, name: LayerName, number: int) -> bool:
        assert self._may_write, "a snapshot is for reading"
        if not 0 < number <= NUMBER_MAX:
            return False
        key = {**self._of_scope, "of_name": name, "of_number": number}
        return bool(await self._statements.change(_DELETE_VERSION, key))

    async def list(self, name: LayerName, *, before: int | None, limit: int) -> Sequence[LayerVersion]:
        query = _VERSIONS if before is None else _VERSIONS.where(_v.number < before)
        rows = await self._statements.rows(query.limit(limit), {**self._of_scope, "of_name": name})
        return [_decode_version(row[0]) for row in rows]

    async def names(self, *, after: LayerName | None, limit: int) -> Sequence[LayerName]:
        query = _NAMES if after is None else _NAMES.where(_v.name > after)
        rows = await self._statements.rows(query.limit(limit), self._of_scope)
        return [LayerName(row[0]) for row in rows]
