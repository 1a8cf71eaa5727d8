"""
Accounts and access keys over HTTP: `/_lambent/access/<action>`, for what IAM's API has no words.

Each action is a POST with a JSON object, signed for the service `lambent`, and an action that policies name.
"""

import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from lambent.access.clients import Clients, NewKey, Refused
from lambent.domain.identity import Account
from lambent.domain.quotas import Quotas
from lambent.errors.families import ApiError
from lambent.gateway.own_access import SERVICE, OwnAccess, is_function
from lambent.protocol.wire import WireRequest, WireResponse, media_type
from lambent.telemetry.trail import Call, Trail

_log = logging.getLogger("lambent.gateway")

_STATUSES = {"NoSuchEntity": 404, "EntityAlreadyExists": 409, "LimitExceeded": 409, "AccountClosed": 409}
_JSON = (b"content-type", b"application/json")
_S = TypeVar("_S", bound=msgspec.Struct)


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
        self._trail = trail
        self._actions: Mapping[str, Callable[[bytes], Awaitable[tuple[Any, Any]]]] = {
            "CreateKey": self._create_key,
            "ListKeys": self._list_keys,
            "RotateKey": self._rotate_key,
            "RevokeKey": self._revoke_key,
            "CreateAccount": self._create_account,
            "UpdateAccount": self._update_account,
            "ListAccounts": self._list_accounts,
        }

    async def answer(self, request: WireRequest, action: str, request_id: str, endpoint: str = "") -> WireResponse:
        """Answer a request of one action. Raises ClientGone, DependencyError, and what is a defect."""
        if action not in self._actions:
            await request.discard()
            return _problem(404, "NoSuchAction", "there is no such action")
        call = Call(request, request_id, endpoint)
        call.service, call.operation = SERVICE, action
        try:
            response = await self._answer(request, action, call)
        except ApiError as error:
            call.error = error
            response = _problem(error.status, error.code, error.message)
        except Refused as refused:
            call.refusal = (refused.code, refused.text)
            response = _problem(_STATUSES.get(refused.code, 400), refused.code, refused.text)
        await request.discard()
        if self._trail is not None:
            self._trail.note(call)
        return response

    async def _answer(self, request: WireRequest, action: str, call: Call) -> WireResponse:
        if request.inside is not None:
            raise _functions_make_none()
        if request.method != "POST" or media_type(request) != "application/json" or "origin" in request.headers:
            # No page of the web can have a browser send this on its own: it would ask for leave first, and get none.
            raise _denied("only POST with Content-Type: application/json, and of no web page, is answered here")
        caller = call.caller = await self._access.identify(request, call.request_id)
        if caller.authenticated_by == "none" and not _is_here(request.client):
            # It would outlive the day on which signatures come to be verified.
            raise _denied("where signatures are not verified, this machine alone makes and sees keys")
        if is_function(caller):
            raise _functions_make_none()
        await self._access.check(caller, action)
        answer, call.parameters = await self._actions[action](request.body)
        call.output = answer
        _log.info("access.%s request_id=%s by=%s", action, caller.request_id, caller.principal.arn)
        return WireResponse(200, [_JSON], msgspec.json.encode(answer))

    async def _create_key(self, body: bytes) -> tuple[NewKey, Any]:
        asked = _parsed(body, _CreateKey)
        made = await self._clients.create_key(asked.account, asked.user, is_root=asked.is_root, is_admin=asked.is_admin)
        return made, asked

    async def _list_keys(self, body: bytes) -> tuple[Any, Any]:
        asked = _parsed(body, _ListKeys)
        keys, is_complete = await self._clients.list_keys(asked.account)
        return {"keys": keys, "is_complete": is_complete}, asked

    async def _rotate_key(self, body: bytes) -> tuple[NewKey, Any]:
        asked = _parsed(body, _RotateKey)
        return await self._clients.rotate_key(asked.access_key), asked

    async def _revoke_key(self, body: bytes) -> tuple[Any, Any]:
        asked = _parsed(body, _RevokeKey)
        await self._clients.revoke_key(asked.access_key, is_kept=asked.is_kept)
        return {}, asked

    async def _create_account(self, body: bytes) -> tuple[Any, Any]:
        asked = _parsed(body, _CreateAccount)
        _check_limits(asked.concurrent_executions, asked.code_total_max_bytes)
        made = await self._clients.create_account(
            asked.name,
            asked.account,
            concurrent_executions=asked.concurrent_executions,
            code_total_max_bytes=asked.code_total_max_bytes,
        )
        return self._shown(made), asked

    async def _update_account(self, body: bytes) -> tuple[Any, Any]:
        asked = _parsed(body, _UpdateAccount)
        changes = {
            name: value
            for name in ("name", "is_open", "concurrent_executions", "code_total_max_bytes")
            if (value := getattr(asked, name)) is not msgspec.UNSET
        }
        _check_limits(changes.get("concurrent_executions"), changes.get("code_total_max_bytes"))
        return self._shown(await self._clients.update_account(asked.account, changes)), asked

    async def _list_accounts(self, body: bytes) -> tuple[Any, Any]:
        asked = _parsed(body, _ListAccounts)
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


class _Denied(ApiError):
    code = "AccessDenied"
    status = 403


class _Invalid(ApiError):
    code = "ValidationError"
    status = 400


class _TooLarge(ApiError):
    code = "RequestEntityTooLarge"
    status = 413


def _is_here(client: str) -> bool:
    """Say whether an address is this machine's loopback."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _functions_make_none() -> ApiError:
    # Whatever a function's role may: its code is not the operator.
    return _denied("functions make no keys")


def _denied(text: str) -> ApiError:
    return _Denied(text)


def _parsed(body: bytes, kind: type[_S]) -> _S:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _Invalid(f"this is not what is asked for: {str(error)[:300]}") from None


def _check_limits(executions: Any, code_bytes: Any) -> None:
    # As --concurrent-executions may be; a petabyte is more than any disk.
    for name, value, least, most in (
        ("concurrent_executions", executions, 1, 1_000_000),
        ("code_total_max_bytes", code_bytes, 0, 1 << 50),
    ):
        if value is not None and not least <= value <= most:
            raise _Invalid(f"{name}: {value} is not between {least} and {most}")


def _problem(status: int, code: str, text: str) -> WireResponse:
    return WireResponse(status, [_JSON], msgspec.json.encode({"code": code, "message": text}))
