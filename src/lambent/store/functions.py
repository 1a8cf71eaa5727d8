"""Functions and their versions in the database: the `FunctionStore` of the contract."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import Select, and_, bindparam, case, delete, func, insert, select, tuple_, update

from lambent.domain.caller import Scope
from lambent.domain.concurrency import Claims, ProvisionedConcurrency
from lambent.domain.function import LATEST, Function, FunctionName, FunctionVersion
from lambent.domain.function_url import FunctionUrl
from lambent.domain.http_api import ApiDomain, HttpApi
from lambent.store.aliases import StoredAliases, StoredPolicies
from lambent.store.bucket_notifications import StoredBucketNotifications
from lambent.store.contract import ApiChange, Conflict, FunctionChange, MappingChange, ScopeUsage
from lambent.store.database import Database, Statements
from lambent.store.event_invoke_configs import StoredEventInvokeConfigs
from lambent.store.event_source_mappings import StoredEventSourceMappings, name_all
from lambent.store.function_urls import StoredFunctionUrls, find_url
from lambent.store.http_apis import StoredHttpApis, all_domains, find_api
from lambent.store.layers import StoredLayers
from lambent.store.tables import (
    HAS_RESERVATION,
    IS_SNAP_STARTED,
    IS_UNSETTLED,
    function_versions,
    functions,
    layer_versions,
    provisioned_concurrency,
)
from lambent.store.version_numbers import number_of

_encode = msgspec.json.Encoder().encode
_decode_function = msgspec.json.Decoder(Function).decode
_decode_version = msgspec.json.Decoder(FunctionVersion).decode
_decode_provisioned = msgspec.json.Decoder(ProvisionedConcurrency).decode

# Built once, since building a statement takes longer than running it. The parameters are called `of_...` because
# SQLAlchemy keeps the columns' own names for the values that an INSERT or UPDATE sets.
_f = functions.c
_v = function_versions.c
_IS_FUNCTION = and_(
    _f.account == bindparam("of_account"), _f.region == bindparam("of_region"), _f.name == bindparam("of_name")
)
_IN_SCOPE = and_(_v.account == bindparam("of_account"), _v.region == bindparam("of_region"))
_IS_VERSION = and_(_IN_SCOPE, _v.name == bindparam("of_name"), _v.number == bindparam("of_number"))

_FUNCTION = select(_f.document).where(_IS_FUNCTION)
_INSERT_FUNCTION = insert(functions)
_UPDATE_FUNCTION = (
    update(functions)
    .where(_IS_FUNCTION)
    .values(
        revision=_f.revision + 1,
        document=bindparam("new_document"),
        reserved_executions=bindparam("new_reserved_executions"),
    )
)
_DELETE_FUNCTION = delete(functions).where(_IS_FUNCTION)
_RESERVATIONS = select(_f.name, _f.reserved_executions).where(
    _f.account == bindparam("of_account"), _f.region == bindparam("of_region"), HAS_RESERVATION
)
_SOME = select(function_versions.c.document).where(function_versions.c.number == 0).limit(bindparam("at_most"))
_COUNT_FUNCTIONS = select(func.count()).select_from(functions)

_VERSION = select(_v.document).where(_IS_VERSION)
_INSERT_VERSION = insert(function_versions)
_UPDATE_VERSION = (
    update(function_versions)
    .where(_IS_VERSION)
    .values(
        revision=_v.revision + 1,
        state=bindparam("new_state"),
        last_update_status=bindparam("new_last_update_status"),
        code_bytes=bindparam("new_code_bytes"),
        document=bindparam("new_document"),
        snap_start=bindparam("new_snap_start"),
    )
)
_DELETE_VERSION = delete(function_versions).where(_IS_VERSION)
_VERSIONS = select(_v.document).where(_IN_SCOPE)
_UNSETTLED = select(_v.document).where(IS_UNSETTLED).order_by(_v.account, _v.region, _v.name, _v.number)
_SNAP_STARTED = (
    select(_v.account, _v.region, _v.name).where(IS_SNAP_STARTED).distinct().order_by(_v.account, _v.region, _v.name)
)
_LAYER_BYTES = select(func.coalesce(func.sum(layer_versions.c.code_bytes), 0)).where(
    layer_versions.c.account == bindparam("of_account"), layer_versions.c.region == bindparam("of_region")
)
_USAGE = select(
    func.coalesce(func.sum(case((_v.number == 0, 1), else_=0)), 0),
    func.coalesce(func.sum(_v.code_bytes), 0),
).where(_IN_SCOPE)

_p = provisioned_concurrency.c
_PROVISIONED_IN_SCOPE = and_(_p.account == bindparam("of_account"), _p.region == bindparam("of_region"))
_PROVISIONED_OF_FUNCTION = and_(_PROVISIONED_IN_SCOPE, _p.name == bindparam("of_name"))
_IS_PROVISIONED = and_(_PROVISIONED_OF_FUNCTION, _p.number == bindparam("of_number"))
_INSERT_PROVISIONED = insert(provisioned_concurrency)
_UPDATE_PROVISIONED = (
    update(provisioned_concurrency)
    .where(_IS_PROVISIONED)
    .values(revision=_p.revision + 1, requested=bindparam("new_requested"), document=bindparam("new_document"))
)
_DELETE_PROVISIONED = delete(provisioned_concurrency).where(_IS_PROVISIONED)
_PROVISIONED = select(_p.document).where(_PROVISIONED_OF_FUNCTION).order_by(_p.number)
_PROVISIONED_SHARES = select(_p.name, _p.number, _p.requested).where(_PROVISIONED_IN_SCOPE).order_by(_p.name, _p.number)
_PROVISIONED_FUNCTIONS = select(_p.account, _p.region, _p.name).distinct().order_by(_p.account, _p.region, _p.name)


class FunctionRepository:
    """Functions and versions of all scopes, as rows of two tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callbacks: list[Callable[[FunctionChange], None]] = []
        self._changing_callbacks: list[Callable[[FunctionChange], None]] = []
        self._mapping_callbacks: list[Callable[[MappingChange], None]] = []
        self._api_callbacks: list[Callable[[ApiChange], None]] = []

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator["FunctionRows"]:
        """Open a transaction that may write; see the contract."""
        changed = Changed()
        is_to_be_told = False

        def committed() -> None:
            nonlocal is_to_be_told
            is_to_be_told = False
            for name in changed.functions:
                for callback in self._callbacks:
                    callback(FunctionChange(scope=scope, name=name))
            for uuid in changed.mappings:
                for tell in self._mapping_callbacks:
                    tell(MappingChange(scope, uuid))
            for api in changed.apis:
                for announce in self._api_callbacks:
                    announce(ApiChange(api))

        try:
            async with self._database.write(committed) as statements:
                yield FunctionRows(statements, scope, changed)
                is_to_be_told = True
                for name in changed.functions:
                    for callback in self._changing_callbacks:
                        callback(FunctionChange(scope=scope, name=name))
        except BaseException:
            if is_to_be_told:
                committed()
            raise

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator["FunctionRows"]:
        """Open a read-only transaction; see the contract."""
        async with self._database.snapshot() as statements:
            yield FunctionRows(statements, scope, None)

    async def unsettled(self) -> Sequence[FunctionVersion]:
        """Return the versions whose preparation is not over, by account, region, name and number."""
        return [_decode_version(row[0]) for row in await self._database.rows(_UNSETTLED)]

    async def kept(self) -> Sequence[FunctionChange]:
        """Name the functions of which versions are kept initialised."""
        rows = [*await self._database.rows(_PROVISIONED_FUNCTIONS), *await self._database.rows(_SNAP_STARTED)]
        # A dict for its order: one function may have both.
        names = dict.fromkeys((row[0], row[1], row[2]) for row in rows)
        return [FunctionChange(Scope(account, region), FunctionName(name)) for account, region, name in names]

    def on_change(self, callback: Callable[[FunctionChange], None]) -> None:
        """Call back after every commit that changed a function; see the contract. The callback must not raise."""
        self._callbacks.append(callback)

    def on_changing(self, callback: Callable[[FunctionChange], None]) -> None:
        """Call back before every such commit; see the contract."""
        self._changing_callbacks.append(callback)

    def on_mapping_change(self, callback: Callable[[MappingChange], None]) -> None:
        """Call back after every commit that changed an event source mapping. The callback must not raise."""
        self._mapping_callbacks.append(callback)

    def on_api_change(self, callback: Callable[[ApiChange], None]) -> None:
        """Call back after every commit that changed an HTTP API or a custom domain. The callback must not raise."""
        self._api_callbacks.append(callback)

    async def mappings(self, *, after: MappingChange | None, limit: int) -> Sequence[MappingChange]:
        """Name the event source mappings of all scopes, by scope and UUID."""
        return await name_all(self._database, after, limit)

    async def function_url(self, url_id: str) -> FunctionUrl | None:
        """Return the URL of an id; see the contract."""
        return await find_url(self._database, url_id)

    async def http_api(self, api_id: str) -> HttpApi | None:
        """Return the HTTP API of an id; see the contract."""
        return await find_api(self._database, api_id)

    async def api_domains(self) -> Sequence[ApiDomain]:
        """Return the custom domains of all scopes; see the contract."""
        return await all_domains(self._database)

    async def some(self, limit: int) -> Sequence[FunctionVersion]:
        """Return `$LATEST` of some functions, at most so many, over all scopes."""
        return [_decode_version(row[0]) for row in await self._database.rows(_SOME, {"at_most": limit})]

    async def function_count(self) -> int:
        """Return how many functions exist, over all scopes."""
        (row,) = await self._database.rows(_COUNT_FUNCTIONS)
        return int(row[0])


class Changed:
    """What a transaction writes to, by name, UUID or id, in dicts for their order."""

    def __init__(self) -> None:
        self.functions: dict[FunctionName, None] = {}
        self.mappings: dict[str, None] = {}
        self.apis: dict[str, None] = {}
        """Custom domains among them."""


class FunctionRows:
    """
    The rows of one scope inside one transaction: the `FunctionTransaction` of the contract.

    Args:
        changed: collects what is written to; None forbids writing.
    """

    def __init__(self, statements: Statements, scope: Scope, changed: Changed | None) -> None:
        self._statements = statements
        self._scope = scope
        self._changed = changed
        self._of_scope = {"of_account": scope.account, "of_region": scope.region}
        self.event_invoke_configs = StoredEventInvokeConfigs(statements, scope, self._write)
        self.function_urls = StoredFunctionUrls(statements, scope, self._write)
        self.aliases = StoredAliases(statements, scope, self._write, self.event_invoke_configs, self.function_urls)
        self.policies = StoredPolicies(statements, scope, self._write)
        self.http_apis = StoredHttpApis(statements, scope, self._write_api)
        self.event_source_mappings = StoredEventSourceMappings(statements, scope, self._write_mapping)
        self.bucket_notifications = StoredBucketNotifications(statements, may_write=changed is not None)
        self.layers = StoredLayers(statements, scope, may_write=changed is not None)

    async def function(self, name: FunctionName) -> Function | None:
        rows = await self._statements.rows(_FUNCTION, {**self._of_scope, "of_name": name})
        return _decode_function(rows[0][0]) if rows else None

    async def version(self, name: FunctionName, version: str) -> FunctionVersion | None:
        number = number_of(version)
        if number is None:
            return None
        rows = await self._statements.rows(_VERSION, {**self._of_scope, "of_name": name, "of_number": number})
        return _decode_version(rows[0][0]) if rows else None

    async def create(self, function: Function, latest: FunctionVersion) -> None:
        assert latest.version == LATEST and latest.name == function.name
        self._write(function.scope, function.name)
        await self._statements.change(
            _INSERT_FUNCTION,
            {
                "account": self._scope.account,
                "region": self._scope.region,
                "name": function.name,
                "revision": 1,
                "document": _text(function),
                "reserved_executions": function.reserved_executions,
            },
        )
        await self._insert_version(latest)

    async def save_function(self, function: Function) -> None:
        self._write(function.scope, function.name)
        replaced = await self._statements.change(
            _UPDATE_FUNCTION,
            {
                **self._of_scope,
                "of_name": function.name,
                "new_document": _text(function),
                "new_reserved_executions": function.reserved_executions,
            },
        )
        if not replaced:
            raise Conflict(f"function {function.name} is gone")

    async def save_version(self, version: FunctionVersion) -> None:
        self._write(version.scope, version.name)
        columns = {f"new_{column}": value for column, value in _columns(version).items()}
        # Update, then insert where there was nothing: right without an upsert (which each database spells its own
        # way), since nobody else writes meanwhile; and nearly every call replaces.
        replaced = await self._statements.change(
            _UPDATE_VERSION,
            {**self._of_scope, "of_name": version.name, "of_number": _stored_number(version), **columns},
        )
        if not replaced:
            await self._insert_version(version)

    async def delete_function(self, name: FunctionName) -> None:
        self._write(self._scope, name)
        # The versions go with it: their foreign key cascades.
        await self._statements.change(_DELETE_FUNCTION, {**self._of_scope, "of_name": name})

    async def delete_version(self, name: FunctionName, version: str) -> None:
        self._write(self._scope, name)
        number = number_of(version)
        if number is not None:
            await self.policies.save(name, version, None)
            await self.event_invoke_configs.delete(name, version)
            await self._statements.change(_DELETE_VERSION, {**self._of_scope, "of_name": name, "of_number": number})

    async def list_latest(self, *, after: FunctionName | None, limit: int) -> Sequence[FunctionVersion]:
        query = _VERSIONS.where(_v.number == 0).order_by(_v.name)
        return await self._page(query if after is None else query.where(_v.name > after), limit)

    async def list_all_versions(
        self, *, after: tuple[FunctionName, int] | None, limit: int
    ) -> Sequence[FunctionVersion]:
        query = _VERSIONS.order_by(_v.name, _v.number)
        if after is not None:
            query = query.where(tuple_(_v.name, _v.number) > tuple_(after[0], after[1]))
        return await self._page(query, limit)

    async def list_versions(self, name: FunctionName, *, after: int | None, limit: int) -> Sequence[FunctionVersion]:
        query = _VERSIONS.where(_v.name == name).order_by(_v.number)
        return await self._page(query if after is None else query.where(_v.number > after), limit)

    async def usage(self) -> ScopeUsage:
        (row,) = await self._statements.rows(_USAGE, self._of_scope)
        (layers,) = await self._statements.rows(_LAYER_BYTES, self._of_scope)
        return ScopeUsage(function_count=int(row[0]), code_bytes=int(row[1]) + int(layers[0]))

    async def claims(self) -> Claims:
        reserved = await self._statements.rows(_RESERVATIONS, self._of_scope)
        provisioned: dict[FunctionName, dict[str, int]] = {}
        for name, number, requested in await self._statements.rows(_PROVISIONED_SHARES, self._of_scope):
            provisioned.setdefault(FunctionName(name), {})[str(number)] = int(requested)
        return Claims({FunctionName(row[0]): int(row[1]) for row in reserved}, provisioned)

    async def save_provisioned(self, provisioned: ProvisionedConcurrency) -> None:
        self._write(provisioned.scope, provisioned.name)
        number = number_of(provisioned.version)
        if not number or await self.version(provisioned.name, provisioned.version) is None:
            raise Conflict(f"version {provisioned.version} of {provisioned.name} is gone")
        document = _text(provisioned)
        replaced = await self._statements.change(
            _UPDATE_PROVISIONED,
            {
                **self._of_scope,
                "of_name": provisioned.name,
                "of_number": number,
                "new_requested": provisioned.requested,
                "new_document": document,
            },
        )
        if not replaced:
            await self._statements.change(
                _INSERT_PROVISIONED,
                {
                    "account": self._scope.account,
                    "region": self._scope.region,
                    "name": provisioned.name,
                    "number": number,
                    "requested": provisioned.requested,
                    "revision": 1,
                    "document": document,
                },
            )

    async def delete_provisioned(self, name: FunctionName, version: str) -> bool:
        self._write(self._scope, name)
        number = number_of(version)
        if number is None:
            return False
        gone = await self._statements.change(
            _DELETE_PROVISIONED, {**self._of_scope, "of_name": name, "of_number": number}
        )
        return bool(gone)

    async def list_provisioned(self, name: FunctionName) -> Sequence[ProvisionedConcurrency]:
        rows = await self._statements.rows(_PROVISIONED, {**self._of_scope, "of_name": name})
        return [_decode_provisioned(row[0]) for row in rows]

    def _write(self, scope: Scope, name: FunctionName) -> None:
        assert self._changed is not None, "a snapshot is for reading"
        assert scope == self._scope, "a transaction writes to its own scope"
        self._changed.functions[name] = None

    def _write_mapping(self, scope: Scope, uuid: str) -> None:
        assert self._changed is not None, "a snapshot is for reading"
        assert scope == self._scope, "a transaction writes to its own scope"
        self._changed.mappings[uuid] = None

    def _write_api(self, scope: Scope, name: str) -> None:
        assert self._changed is not None, "a snapshot is for reading"
        assert scope == self._scope, "a transaction writes to its own scope"
        self._changed.apis[name] = None

    async def _page(self, query: Select[tuple[str]], limit: int) -> list[FunctionVersion]:
        rows = await self._statements.rows(query.limit(limit), self._of_scope)
        return [_decode_version(row[0]) for row in rows]

    async def _insert_version(self, version: FunctionVersion) -> None:
        assert version.scope == self._scope, "a transaction writes to its own scope"
        await self._statements.change(
            _INSERT_VERSION,
            {
                "account": self._scope.account,
                "region": self._scope.region,
                "name": version.name,
                "number": _stored_number(version),
                "revision": 1,
                **_columns(version),
            },
        )


def _columns(version: FunctionVersion) -> dict[str, Any]:
    """Return the document and the columns that repeat, for searching, what it says."""
    return {
        "state": version.state.value,
        "last_update_status": None if version.last_update_status is None else version.last_update_status.value,
        "code_bytes": version.code.size_bytes,
        "document": _text(version),
        "snap_start": "PublishedVersions" if version.is_snap_started else None,
    }


def _stored_number(version: FunctionVersion) -> int:
    number = number_of(version.version)
    assert number is not None, f"{version.version} is not a version"
    return number


def _text(value: Any) -> str:
    return _encode(value).decode()
