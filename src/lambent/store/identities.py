"""Users, groups, roles, policies, keys and accounts in the database: the `IdentityStore` of the contract."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from lambent.domain.identity import IDENTITIES, AccessKey, Account, Identity, Role
from lambent.store.contract import Conflict
from lambent.store.database import Database, Statements
from lambent.store.tables import identities

N = TypeVar("N", bound=Identity)

_encode = msgspec.json.Encoder().encode
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {kind.kind: msgspec.json.Decoder(kind) for kind in IDENTITIES}

# Built once, like those of functions.
_i = identities.c
_IS_KIND = and_(_i.account == bindparam("of_account"), _i.kind == bindparam("of_kind"))
_IS_KEY = and_(_IS_KIND, _i.key == bindparam("of_key"))
_IS_ID = and_(_IS_KIND, _i.unique_id == bindparam("of_unique_id"))
_BY_KEY = select(_i.document).where(_IS_KEY)
_BY_ID = select(_i.document).where(_IS_ID)
_LIST = select(_i.document).where(_IS_KIND, _i.key > bindparam("after")).order_by(_i.key).limit(bindparam("at_most"))
_COUNT = select(func.count()).select_from(identities).where(_IS_KIND)
_OWNED = (
    select(_i.document)
    .where(_i.account == bindparam("of_account"), _i.owner_id == bindparam("of_owner_id"))
    .order_by(_i.key)
)
_ACCOUNTS = select(_i.document).where(_i.kind == Account.kind).order_by(_i.account)
_ANY_KEY = select(_i.key).where(_i.kind == AccessKey.kind).limit(1)
_INSERT = insert(identities)
_UPDATE = (
    update(identities)
    .where(_IS_ID)
    .values(revision=_i.revision + 1, key=bindparam("new_key"), document=bindparam("new_document"))
)
_DELETE = delete(identities).where(_IS_KEY)


class IdentityRepository:
    """Identities of all accounts, as rows of one table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callbacks: list[Callable[[str], None]] = []

    @asynccontextmanager
    async def transaction(self, account: str) -> AsyncIterator["StoredIdentities"]:
        """Open a transaction that may write; see the contract."""
        written: list[str] = []

        def committed() -> None:
            if written:
                for callback in self._callbacks:
                    callback(account)

        async with self._database.write(committed) as statements:
            yield StoredIdentities(statements, account, written)

    @asynccontextmanager
    async def snapshot(self, account: str) -> AsyncIterator["StoredIdentities"]:
        """Open a read-only transaction; see the contract."""
        async with self._database.snapshot() as statements:
            yield StoredIdentities(statements, account, None)

    async def accounts(self) -> Sequence[Account]:
        """Return all accounts that were made, by number."""
        return [_DECODERS[Account.kind].decode(row[0]) for row in await self._database.rows(_ACCOUNTS)]

    async def has_keys(self) -> bool:
        """Say whether there is any access key, whosesoever."""
        return bool(await self._database.rows(_ANY_KEY))

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call back after every commit that changed an identity. The callback must not raise."""
        self._callbacks.append(callback)


class StoredIdentities:
    """
    Rows of one account inside one transaction: `IdentityRows` of the contract.

    Args:
        written: collects what `on_change` is told; None forbids writing.
    """

    def __init__(self, statements: Statements, account: str, written: list[str] | None) -> None:
        self._statements = statements
        self._account = account
        self._written = written

    async def get(self, kind: type[N], name: str) -> N | None:
        key = name if kind in (AccessKey, Account) else name.lower()
        return await self._one(kind, _BY_KEY, "of_key", key)

    async def by_id(self, kind: type[N], unique_id: str) -> N | None:
        return await self._one(kind, _BY_ID, "of_unique_id", unique_id)

    async def list(self, kind: type[N], *, after: str = "", limit: int = 1_000_000) -> Sequence[N]:
        rows = await self._statements.rows(_LIST, {**self._of(kind), "after": after, "at_most": limit})
        return [_DECODERS[kind.kind].decode(row[0]) for row in rows]

    async def count(self, kind: type[Identity]) -> int:
        ((count,),) = await self._statements.rows(_COUNT, self._of(kind))
        return int(count)

    async def keys_of(self, owner_id: str) -> Sequence[AccessKey]:
        rows = await self._statements.rows(_OWNED, {"of_account": self._account, "of_owner_id": owner_id})
        return [_DECODERS[AccessKey.kind].decode(row[0]) for row in rows]

    async def save(self, identity: Identity) -> None:
        assert self._written is not None and identity.account == self._account
        self._written.append(identity.key)
        if await self._replace(identity):
            return
        if await self.get(type(identity), identity.key) is not None:
            raise Conflict(f"{identity.kind} {identity.key} exists")
        await self._statements.change(
            _INSERT,
            {
                "account": self._account,
                "kind": identity.kind,
                "key": identity.key,
                "unique_id": identity.unique_id,
                "owner_id": identity.owner_id if isinstance(identity, AccessKey) else None,
                "revision": 1,
                "document": _encode(identity).decode(),
            },
        )

    async def touch(self, identity: AccessKey | Role) -> None:
        assert self._written is not None
        await self._replace(identity)

    async def delete(self, kind: type[Identity], name: str) -> bool:
        assert self._written is not None
        found = await self.get(kind, name)
        if found is None:
            return False
        self._written.append(found.key)
        return bool(await self._statements.change(_DELETE, {**self._of(kind), "of_key": found.key}))

    async def _replace(self, identity: Identity) -> int:
        changes = {"new_key": identity.key, "new_document": _encode(identity).decode()}
        which = {**self._of(type(identity)), "of_unique_id": identity.unique_id}
        return await self._statements.change(_UPDATE, {**which, **changes})

    async def _one(self, kind: type[N], statement: Any, parameter: str, value: str) -> N | None:
        rows = await self._statements.rows(statement, {**self._of(kind), parameter: value})
        if not rows:
            return None
        found = _DECODERS[kind.kind].decode(rows[0][0])
        assert isinstance(found, kind)
        return found

    def _of(self, kind: type[Any]) -> dict[str, str]:
        return {"of_account": self._account, "of_kind": kind.kind}
