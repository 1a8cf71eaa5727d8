"""Sampling rules and groups of traces in the database: the `TraceSettings` of the contract."""

import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import and_, bindparam, delete, insert, select, update

from lambent.domain.caller import Scope
from lambent.store.database import AnyRow, Database, Statements
from lambent.store.tables import trace_settings
from lambent.store.traces_contract import T

if TYPE_CHECKING:
    from lambent.domain.xray.group import TraceGroup
    from lambent.domain.xray.sampling import SamplingChange, SamplingRule

_encode = msgspec.json.Encoder().encode

_c = trace_settings.c
_OF_KIND = and_(
    _c.account == bindparam("of_account"), _c.region == bindparam("of_region"), _c.kind == bindparam("of_kind")
)
_IS = and_(_OF_KIND, _c.name == bindparam("of_name"))
_ALL = select(_c.document).where(_OF_KIND).order_by(_c.name)
_INSERT = insert(trace_settings)
_UPDATE = update(trace_settings).where(_IS).values(revision=_c.revision + 1, document=bindparam("new_document"))
_DELETE = delete(trace_settings).where(_IS)


class TraceSettingRepository:
    """Sampling rules and groups of all scopes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, scope: Scope, kind: type[T]) -> Sequence[T]:
        """Return all of a kind by name."""
        return _decoded(kind, await self._database.rows(_ALL, _of(scope, kind)))

    @asynccontextmanager
    async def change(self, scope: Scope) -> "AsyncIterator[StoredTraceSettings]":
        """Open a transaction; see the contract."""
        async with self._database.write() as statements:
            yield StoredTraceSettings(statements, scope)


class StoredTraceSettings:
    """Rows of one scope inside one transaction."""

    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def list(self, kind: type[T]) -> Sequence[T]:
        return _decoded(kind, await self._statements.rows(_ALL, _of(self._scope, kind)))

    async def save(self, item: "SamplingRule | SamplingChange | TraceGroup") -> None:
        document = _encode(item).decode()
        key = {**_of(self._scope, type(item)), "of_name": item.name}
        if not await self._statements.change(_UPDATE, {**key, "new_document": document}):
            await self._statements.change(
                _INSERT,
                {
                    "account": self._scope.account,
                    "region": self._scope.region,
                    "kind": _kinds()[type(item)],
                    "name": item.name,
                    "revision": 1,
                    "document": document,
                },
            )

    async def delete(self, kind: type[T], name: str) -> bool:
        return bool(await self._statements.change(_DELETE, {**_of(self._scope, kind), "of_name": name}))


@functools.cache
def _kinds() -> Mapping[type, str]:
    """Return what the kinds are called in the table."""
    # At first use: a server that nobody asks for sampling or groups does without.
    from lambent.domain.xray.group import TraceGroup
    from lambent.domain.xray.sampling import SamplingChange, SamplingRule

    return {SamplingRule: "rule", SamplingChange: "change", TraceGroup: "group"}


def _of(scope: Scope, kind: type) -> dict[str, str]:
    return {"of_account": scope.account, "of_region": scope.region, "of_kind": _kinds()[kind]}


def _decoded(kind: type[T], rows: Sequence[AnyRow]) -> Sequence[T]:
    return [msgspec.json.decode(row[0], type=kind) for row in rows]
