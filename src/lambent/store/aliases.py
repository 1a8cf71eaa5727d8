"""Aliases and resource policies of functions in the database: `AliasRows` and `PolicyRows` of the contract."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import and_, bindparam, delete, insert, select, update

from lambent.domain.alias import Alias
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.domain.resource_policy import ResourcePolicy
from lambent.store.database import Statements
from lambent.store.event_invoke_configs import StoredEventInvokeConfigs
from lambent.store.function_urls import StoredFunctionUrls
from lambent.store.tables import aliases, function_policies
from lambent.store.version_numbers import number_of

_encode = msgspec.json.Encoder().encode
_decode_alias = msgspec.json.Decoder(Alias).decode
_decode_policy = msgspec.json.Decoder(ResourcePolicy).decode

# Built once, like those of functions.
_a = aliases.c
_ALIASES_OF_FUNCTION = and_(
    _a.account == bindparam("of_account"), _a.region == bindparam("of_region"), _a.name == bindparam("of_name")
)
_IS_ALIAS = and_(_ALIASES_OF_FUNCTION, _a.alias == bindparam("of_alias"))
_ALIAS = select(_a.document).where(_IS_ALIAS)
_ALIASES = select(_a.document).where(_ALIASES_OF_FUNCTION).order_by(_a.alias)
_INSERT_ALIAS = insert(aliases)
_UPDATE_ALIAS = (
    update(aliases)
    .where(_IS_ALIAS)
    .values(revision=_a.revision + 1, number=bindparam("new_number"), document=bindparam("new_document"))
)
_DELETE_ALIAS = delete(aliases).where(_IS_ALIAS)

_p = function_policies.c
_IS_POLICY = and_(
    _p.account == bindparam("of_account"),
    _p.region == bindparam("of_region"),
    _p.name == bindparam("of_name"),
    _p.qualifier == bindparam("of_qualifier"),
)
_POLICY = select(_p.document).where(_IS_POLICY)
_INSERT_POLICY = insert(function_policies)
_UPDATE_POLICY = (
    update(function_policies).where(_IS_POLICY).values(revision=_p.revision + 1, document=bindparam("new_document"))
)
_DELETE_POLICY = delete(function_policies).where(_IS_POLICY)


class StoredAliases:
    """
    Rows of one scope inside one transaction.

    Args:
        write: called with a function's name before anything of it is written.
        event_invoke_configs: of which an alias's own goes with it, as does its URL.
    """

    def __init__(
        self,
        statements: Statements,
        scope: Scope,
        write: Callable[[Scope, FunctionName], None],
        event_invoke_configs: StoredEventInvokeConfigs,
        function_urls: StoredFunctionUrls,
    ) -> None:
        self._statements = statements
        self._scope = scope
        self._write = write
        self._event_invoke_configs = event_invoke_configs
        self._function_urls = function_urls
        self._of_scope = {"of_account": scope.account, "of_region": scope.region}

    async def get(self, name: FunctionName, alias: str) -> Alias | None:
        rows = await self._statements.rows(_ALIAS, {**self._of_scope, "of_name": name, "of_alias": alias})
        return _decode_alias(rows[0][0]) if rows else None

    async def save(self, alias: Alias) -> None:
        self._write(alias.scope, alias.name)
        number = number_of(alias.version)
        assert number is not None, f"{alias.version} is not a version"
        document = _encode(alias).decode()
        key = {**self._of_scope, "of_name": alias.name, "of_alias": alias.alias}
        if not await self._statements.change(_UPDATE_ALIAS, {**key, "new_number": number, "new_document": document}):
            await self._statements.change(
                _INSERT_ALIAS,
                {
                    "account": self._scope.account,
                    "region": self._scope.region,
                    "name": alias.name,
                    "alias": alias.alias,
                    "number": number,
                    "revision": 1,
                    "document": document,
                },
            )

    async def delete(self, name: FunctionName, alias: str) -> bool:
        self._write(self._scope, name)
        of_name = {**self._of_scope, "of_name": name}
        await self._statements.change(_DELETE_POLICY, {**of_name, "of_qualifier": alias})
        await self._event_invoke_configs.delete(name, alias)
        await self._function_urls.lose_alias(name, alias)
        return bool(await self._statements.change(_DELETE_ALIAS, {**of_name, "of_alias": alias}))

    async def list(
        self, name: FunctionName, *, version: str | None = None, after: str | None = None, limit: int = 1_000_000
    ) -> Sequence[Alias]:
        query = _ALIASES
        if version is not None:
            query = query.where(_a.number == number_of(version))
        if after is not None:
            query = query.where(_a.alias > after)
        rows = await self._statements.rows(query.limit(limit), {**self._of_scope, "of_name": name})
        return [_decode_alias(row[0]) for row in rows]


class StoredPolicies:
    """
    Rows of one scope inside one transaction.

    Args:
        write: called with a function's name before anything of it is written.
    """

    def __init__(self, statements: Statements, scope: Scope, write: Callable[[Scope, FunctionName], None]) -> None:
        self._statements = statements
        self._scope = scope
        self._write = write

    async def get(self, name: FunctionName, qualifier: str | None) -> ResourcePolicy | None:
        rows = await self._statements.rows(_POLICY, self._key(name, qualifier))
        return _decode_policy(rows[0][0]) if rows else None

    async def save(self, name: FunctionName, qualifier: str | None, policy: ResourcePolicy | None) -> None:
        self._write(self._scope, name)
        key = self._key(name, qualifier)
        if policy is None:
            await self._statements.change(_DELETE_POLICY, key)
            return
        document = _encode(policy).decode()
        if not await self._statements.change(_UPDATE_POLICY, {**key, "new_document": document}):
            await self._statements.change(
                _INSERT_POLICY,
                {
                    "account": self._scope.account,
                    "region": self._scope.region,
                    "name": name,
                    "qualifier": qualifier or "",
                    "revision": 1,
                    "document": document,
                },
            )

    def _key(self, name: FunctionName, qualifier: str | None) -> dict[str, str]:
        return {
            "of_account": self._scope.account,
            "of_region": self._scope.region,
            "of_name": name,
            "of_qualifier": qualifier or "",
        }
