"""HTTP APIs, what they consist of, and custom domains in the database: `HttpApiRows` of the contract."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import and_, bindparam, delete, insert, select, update

from lambent.domain.caller import Scope
from lambent.domain.http_api import PARTS, ApiDomain, HttpApi, Part
from lambent.store.contract import Conflict
from lambent.store.database import Database, Statements
from lambent.store.tables import api_domains, http_api_parts, http_apis

P = TypeVar("P", bound=Part)

_encode = msgspec.json.Encoder().encode
_decode_api = msgspec.json.Decoder(HttpApi).decode
_decode_domain = msgspec.json.Decoder(ApiDomain).decode
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {kind.kind: msgspec.json.Decoder(kind) for kind in PARTS}

# Built once, like those of functions.
_a, _p, _d = http_apis.c, http_api_parts.c, api_domains.c
_IS_API = _a.api_id == bindparam("of_api_id")
_API = select(_a.document).where(_IS_API)
_APIS = (
    select(_a.document)
    .where(_a.account == bindparam("of_account"), _a.region == bindparam("of_region"))
    .where(_a.api_id > bindparam("after"))
    .order_by(_a.api_id)
    .limit(bindparam("at_most"))
)
_INSERT_API = insert(http_apis)
_UPDATE_API = update(http_apis).where(_IS_API).values(revision=_a.revision + 1, document=bindparam("new_document"))
_DELETE_API = delete(http_apis).where(_IS_API)

_IS_KIND = and_(_p.api_id == bindparam("of_api_id"), _p.kind == bindparam("of_kind"))
_IS_PART = and_(_IS_KIND, _p.part_id == bindparam("of_part_id"))
_PART = select(_p.document).where(_IS_PART)
_PART_BY_KEY = select(_p.document).where(_IS_KIND, _p.part_key == bindparam("of_part_key"))
_PARTS = (
    select(_p.document)
    .where(_IS_KIND, _p.part_id > bindparam("after"))
    .order_by(_p.part_id)
    .limit(bindparam("at_most"))
)
_INSERT_PART = insert(http_api_parts)
_UPDATE_PART = (
    update(http_api_parts)
    .where(_IS_PART)
    .values(revision=_p.revision + 1, part_key=bindparam("new_part_key"), document=bindparam("new_document"))
)
_DELETE_PART = delete(http_api_parts).where(_IS_PART)
_DELETE_KIND = delete(http_api_parts).where(_IS_KIND)

_IS_DOMAIN = _d.domain_name == bindparam("of_domain_name")
_DOMAIN = select(_d.document).where(_IS_DOMAIN)
_DOMAINS = (
    select(_d.document)
    .where(_d.account == bindparam("of_account"), _d.region == bindparam("of_region"))
    .where(_d.domain_name > bindparam("after"))
    .order_by(_d.domain_name)
    .limit(bindparam("at_most"))
)
_EVERY_DOMAIN = select(_d.document).order_by(_d.domain_name)
_INSERT_DOMAIN = insert(api_domains)
_UPDATE_DOMAIN = (
    update(api_domains).where(_IS_DOMAIN).values(revision=_d.revision + 1, document=bindparam("new_document"))
)
_DELETE_DOMAIN = delete(api_domains).where(_IS_DOMAIN)


class StoredHttpApis:
    """
    Rows of one scope inside one transaction.

    Args:
        write: called with the id of an API, or the name of a domain, before anything of it is written.
    """

    def __init__(self, statements: Statements, scope: Scope, write: Callable[[Scope, str], None]) -> None:
        self._statements = statements
        self._scope = scope
        self._write = write

    async def get(self, api_id: str) -> HttpApi | None:
        rows = await self._statements.rows(_API, {"of_api_id": api_id})
        api = _decode_api(rows[0][0]) if rows else None
        return api if api is not None and api.scope == self._scope else None

    async def save(self, api: HttpApi) -> None:
        self._write(api.scope, api.api_id)
        document = _encode(api).decode()
        if await self.get(api.api_id) is not None:
            await self._statements.change(_UPDATE_API, {"of_api_id": api.api_id, "new_document": document})
        else:
            await self._statements.change(_INSERT_API, {"api_id": api.api_id, **self._new_row(document)})

    async def delete(self, api_id: str) -> bool:
        self._write(self._scope, api_id)
        # What it consists of goes with it: the foreign key cascades.
        return await self.get(api_id) is not None and bool(
            await self._statements.change(_DELETE_API, {"of_api_id": api_id})
        )

    async def list(self, *, after: str = "", limit: int = 1_000_000) -> Sequence[HttpApi]:
        rows = await self._statements.rows(_APIS, {**self._of_scope(), "after": after, "at_most": limit})
        return [_decode_api(row[0]) for row in rows]

    async def part(self, kind: type[P], api_id: str, part_id: str) -> P | None:
        rows = await self._statements.rows(_PART, {"of_api_id": api_id, "of_kind": kind.kind, "of_part_id": part_id})
        return _part(kind, rows[0][0]) if rows else None

    async def part_by_key(self, kind: type[P], api_id: str, key: str) -> P | None:
        rows = await self._statements.rows(
            _PART_BY_KEY, {"of_api_id": api_id, "of_kind": kind.kind, "of_part_key": key}
        )
        return _part(kind, rows[0][0]) if rows else None

    async def parts(self, kind: type[P], api_id: str, *, after: str = "", limit: int = 1_000_000) -> Sequence[P]:
        rows = await self._statements.rows(
            _PARTS, {"of_api_id": api_id, "of_kind": kind.kind, "after": after, "at_most": limit}
        )
        return [_part(kind, row[0]) for row in rows]

    async def save_part(self, api_id: str, part: Part) -> None:
        self._write(self._scope, api_id)
        if await self.get(api_id) is None:
            raise Conflict(f"API {api_id} is gone")
        row = _part_row(api_id, part)
        key = {"of_api_id": api_id, "of_kind": part.kind, "of_part_id": part.part_id}
        changes = {"new_part_key": part.key, "new_document": row["document"]}
        if not await self._statements.change(_UPDATE_PART, {**key, **changes}):
            await self._statements.change(_INSERT_PART, row)

    async def replace_parts(self, api_id: str, kinds: Sequence[type[Part]], parts: Sequence[Part]) -> None:
        self._write(self._scope, api_id)
        if await self.get(api_id) is None:
            raise Conflict(f"API {api_id} is gone")
        for kind in kinds:
            await self._statements.change(_DELETE_KIND, {"of_api_id": api_id, "of_kind": kind.kind})
        if parts:
            await self._statements.change(_INSERT_PART, [_part_row(api_id, part) for part in parts])

    async def delete_part(self, kind: type[Part], api_id: str, part_id: str) -> bool:
        self._write(self._scope, api_id)
        if await self.get(api_id) is None:
            return False
        key = {"of_api_id": api_id, "of_kind": kind.kind, "of_part_id": part_id}
        return bool(await self._statements.change(_DELETE_PART, key))

    async def domain(self, name: str) -> ApiDomain | None:
        rows = await self._statements.rows(_DOMAIN, {"of_domain_name": name})
        domain = _decode_domain(rows[0][0]) if rows else None
        return domain if domain is not None and domain.scope == self._scope else None

    async def save_domain(self, domain: ApiDomain) -> None:
        self._write(domain.scope, domain.domain_name)
        document = _encode(domain).decode()
        if await self.domain(domain.domain_name) is not None:
            await self._statements.change(
                _UPDATE_DOMAIN, {"of_domain_name": domain.domain_name, "new_document": document}
            )
        else:
            await self._statements.change(
                _INSERT_DOMAIN, {"domain_name": domain.domain_name, **self._new_row(document)}
            )

    async def delete_domain(self, name: str) -> bool:
        self._write(self._scope, name)
        return await self.domain(name) is not None and bool(
            await self._statements.change(_DELETE_DOMAIN, {"of_domain_name": name})
        )

    async def domains(self, *, after: str = "", limit: int = 1_000_000) -> Sequence[ApiDomain]:
        rows = await self._statements.rows(_DOMAINS, {**self._of_scope(), "after": after, "at_most": limit})
        return [_decode_domain(row[0]) for row in rows]

    def _of_scope(self) -> dict[str, Any]:
        return {"of_account": self._scope.account, "of_region": self._scope.region}

    def _new_row(self, document: str) -> dict[str, Any]:
        return {
            "account": self._scope.account,
            "region": self._scope.region,
            "revision": 1,
            "document": document,
        }


def _part_row(api_id: str, part: Part) -> dict[str, Any]:
    return {
        "api_id": api_id,
        "kind": part.kind,
        "part_id": part.part_id,
        "part_key": part.key,
        "revision": 1,
        "document": _encode(part).decode(),
    }


def _part(kind: type[P], document: str) -> P:
    part = _DECODERS[kind.kind].decode(document)
    assert isinstance(part, kind)
    return part


async def find_api(database: Database, api_id: str) -> HttpApi | None:
    """Return the API of an id, whatever its scope."""
    rows = await database.rows(_API, {"of_api_id": api_id})
    return _decode_api(rows[0][0]) if rows else None


async def all_domains(database: Database) -> Sequence[ApiDomain]:
    """Return the custom domains of all scopes."""
    return [_decode_domain(row[0]) for row in await database.rows(_EVERY_DOMAIN)]
