"""Accounts and access keys over HTTP: `/_lambent/access/<action>`, for what IAM's API has no words."""

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from lambent.access.clients import Clients, NewKey, Refused
from lambent.domain.caller import Caller
from lambent.domain.identity import Account
from lambent.domain.quotas import Quotas
from lambent.errors.families import ApiError
from lambent.gateway.own_access import OwnAccess
from lambent.gateway.own_actions import Denied, InvalidBody, OwnActions, parsed
from lambent.protocol.wire import WireRequest, WireResponse
from lambent.telemetry.trail import Trail


class _CreateKey(msgspec.Struct, forbid_unknown_fields=True):
    account: str | None = None
    user: str | None = None
    is_root: bool = False
    is_admin: bool = False


class _ListKeys(msgspec.Struct, forbid_unknown_fields=True):
    account: str | None = None


class _RotateKey(msgspec.Struct, forbid_unknown_fields=True):
    access_key: str


class _RevokeKey(msgspec.Struct, forbid_unknown_fields=True):
    access_key: str
    is_kept: bool = False


class _CreateAccount(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    account: str | None = None
    concurrent_executions: int | None = None
    code_total_max_bytes: int | None = None


class _UpdateAccount(msgspec.Struct, forbid_unknown_fields=True):
    account: str
    name: str | msgspec.UnsetType = msgspec.UNSET
    is_open: bool | msgspec.UnsetType = msgspec.UNSET
    concurrent_executions: int | msgspec.UnsetType | None = msgspec.UNSET
    code_total_max_bytes: int | msgspec.UnsetType | None = msgspec.UNSET


class _ListAccounts(msgspec.Struct, forbid_unknown_fields=True):
    pass


class AccessPaths:
    """
    Answers the operator's own principals.

    Args:
        access: lets them in.
        quotas: what accounts have that nothing was set for.
        trail: None: nothing is recorded.
    """

    def __init__(
        self,
        clients: Clients,
        access: OwnAccess,
        quotas: Quotas,
        trail: Trail | None = None,
    ) -> None:
        self._clients = clients
        self._access = access
        self._quotas = quotas
        actions: Mapping[str, Callable[[bytes], Awaitable[tuple[Any, Any]]]] = {
            "CreateKey": self._create_key,
            "ListKeys": self._list_keys,
            "RotateKey": self._rotate_key,
            "RevokeKey": self._revoke_key,
            "CreateAccount": self._create_account,
            "UpdateAccount": self._update_account,
            "ListAccounts": self._list_accounts,
        }
        self._actions = OwnActions(
            "access",
            {name: partial(self._act, name, act) for name, act in actions.items()},
            access,
            trail,
            functions="functions make no keys",
        )

    async def answer(self, request: WireRequest, action: str, request_id: str, endpoint: str = "") -> WireResponse:
        """Answer a request of one action. Raises ClientGone, DependencyError, and what is a defect."""
        return await self._actions.answer(request, action, request_id, endpoint)

    async def _act(
        self, action: str, act: Callable[[bytes], Awaitable[tuple[Any, Any]]], caller: Caller, body: bytes
    ) -> tuple[Any, Any]:
        if caller.authenticated_by == "none" and not _is_here(caller.client):
            # It would outlive the day on which signatures come to be verified.
            raise Denied("where signatures are not verified, this machine alone makes and sees keys")
        await self._access.check(caller, action)
        try:
            return await act(body)
        except Refused as refused:
            raise _REFUSALS.get(refused.code, InvalidBody)(refused.text) from None

    async def _create_key(self, body: bytes) -> tuple[NewKey, Any]:
        asked = parsed(body, _CreateKey)
        made = await self._clients.create_key(asked.account, asked.user, is_root=asked.is_root, is_admin=asked.is_admin)
        return made, asked

    async def _list_keys(self, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, _ListKeys)
        keys, is_complete = await self._clients.list_keys(asked.account)
        return {"keys": keys, "is_complete": is_complete}, asked

    async def _rotate_key(self, body: bytes) -> tuple[NewKey, Any]:
        asked = parsed(body, _RotateKey)
        return await self._clients.rotate_key(asked.access_key), asked

    async def _revoke_key(self, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, _RevokeKey)
        await self._clients.revoke_key(asked.access_key, is_kept=asked.is_kept)
        return {}, asked

    async def _create_account(self, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, _CreateAccount)
        _check_limits(asked.concurrent_executions, asked.code_total_max_bytes)
        made = await self._clients.create_account(
            asked.name,
            asked.account,
            concurrent_executions=asked.concurrent_executions,
            code_total_max_bytes=asked.code_total_max_bytes,
        )
        return self._shown(made), asked

    async def _update_account(self, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, _UpdateAccount)
        changes = {
            name: value
            for name in ("name", "is_open", "concurrent_executions", "code_total_max_bytes")
            if (value := getattr(asked, name)) is not msgspec.UNSET
        }
        _check_limits(changes.get("concurrent_executions"), changes.get("code_total_max_bytes"))
        return self._shown(await self._clients.update_account(asked.account, changes)), asked

    async def _list_accounts(self, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, _ListAccounts)
        return {"accounts": [self._shown(one) for one in await self._clients.list_accounts()]}, asked

    def _shown(self, account: Account) -> dict[str, Any]:
        own, most = account.concurrent_executions, account.code_total_max_bytes
        return {
            "account": account.account,
            "name": account.name,
            "is_open": account.is_open,
            "created_at": account.created_at,
            "concurrent_executions": self._quotas.concurrent_executions if own is None else own,
            "code_total_max_bytes": self._quotas.code_total_max_bytes if most is None else most,
        }


class _NoSuchEntity(ApiError):
    code = "NoSuchEntity"
    status = 404


class _EntityAlreadyExists(ApiError):
    code = "EntityAlreadyExists"
    status = 409


class _LimitExceeded(ApiError):
    code = "LimitExceeded"
    status = 409


class _AccountClosed(ApiError):
    code = "AccountClosed"
    status = 409


_REFUSALS: Mapping[str, type[ApiError]] = {
    kind.code: kind for kind in (_NoSuchEntity, _EntityAlreadyExists, _LimitExceeded, _AccountClosed)
}
"""All others are what a body should not have said."""


def _is_here(client: str) -> bool:
    """Say whether an address is this machine's loopback."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _check_limits(executions: Any, code_bytes: Any) -> None:
    # As --concurrent-executions may be; a petabyte is more than any disk.
    for name, value, least, most in (
        ("concurrent_executions", executions, 1, 1_000_000),
        ("code_total_max_bytes", code_bytes, 0, 1 << 50),
    ):
        if value is not None and not least <= value <= most:
            raise InvalidBody(f"{name}: {value} is not between {least} and {most}")
