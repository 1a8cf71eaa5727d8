"""
Budgets over HTTP: `/_lambent/budgets/<action>`.

Each action is a POST with a JSON object, signed for the service `lambent`, and an action that policies name.
A principal acts on its own account's budgets; those of the operator's account on any's.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from lambent.domain.caller import Caller
from lambent.errors.families import ApiError
from lambent.gateway.own_access import SERVICE, OwnAccess, is_function
from lambent.protocol.wire import WireRequest, WireResponse, media_type
from lambent.services.billing.budget_access import (
    BudgetAccess,
    InvalidBudget,
    ListAsk,
    NameAsk,
    PutAsk,
    RaiseAsk,
    checked_account,
)
from lambent.services.billing.budget_targets import shown_target
from lambent.telemetry.trail import Call, Trail

_log = logging.getLogger("lambent.gateway")

_JSON = (b"content-type", b"application/json")
_READING = frozenset({"ListBudgets"})
_TARGETS = frozenset({"targets", "target"})
_S = TypeVar("_S", bound=msgspec.Struct)


class BudgetPaths:
    """
    Answers who may.

    Args:
        access: lets them in.
        trail: None: nothing is recorded.
    """

    def __init__(self, budgets: BudgetAccess, access: OwnAccess, trail: Trail | None = None) -> None:
        self._budgets = budgets
        self._access = access
        self._trail = trail
        self._actions: Mapping[str, Callable[[Caller, bytes], Awaitable[tuple[Any, Any]]]] = {
            "PutBudget": self._put,
            "ListBudgets": self._list,
            "DeleteBudget": self._delete,
            "RaiseBudget": self._raise,
            "ResetBudget": self._reset,
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
        await request.discard()
        if self._trail is not None:
            self._trail.note(call)
        return response

    async def _answer(self, request: WireRequest, action: str, call: Call) -> WireResponse:
        if request.method != "POST" or media_type(request) != "application/json" or "origin" in request.headers:
            # No page of the web can have a browser send this on its own: it would ask for leave first, and get none.
            raise _Denied("only POST with Content-Type: application/json, and of no web page, is answered here")
        caller = call.caller = await self._access.identify(request, call.request_id)
        if action not in _READING and is_function(caller):
            # Whatever its role may: what a budget is to stop does not let itself in again.
            raise _Denied("functions change no budgets")
        answer, asked = await self._actions[action](caller, request.body)
        # Whoever may see budgets sees where they tell. The trail is others' to read, and what functions know gets out.
        call.parameters, call.output = _veiled(msgspec.to_builtins(asked)), _veiled(answer)
        if is_function(caller):
            answer = call.output
        _log.info("budgets.%s request_id=%s by=%s", action, caller.request_id, caller.principal.arn)
        return WireResponse(200, [_JSON], msgspec.json.encode(answer))

    async def _put(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = _parsed(body, PutAsk)
        account = await self._of(caller, "PutBudget", asked.account)
        return {"budget": await self._budgets.put(caller, account, asked)}, asked

    async def _list(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = _parsed(body, ListAsk)
        account = "all" if asked.account == "all" else None
        if account is None:
            account = await self._of(caller, "ListBudgets", asked.account)
        else:
            await self._access.check(caller, "ListBudgets")
        found = await self._budgets.shown(msgspec.structs.replace(asked, account=account))
        return {"budgets": found}, asked

    async def _delete(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = _parsed(body, NameAsk)
        account = await self._of(caller, "DeleteBudget", asked.account)
        return {"is_deleted": await self._budgets.delete(account, asked)}, asked

    async def _raise(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = _parsed(body, RaiseAsk)
        account = await self._of(caller, "RaiseBudget", asked.account)
        return {"budget": await self._budgets.raise_(account, asked)}, asked

    async def _reset(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = _parsed(body, NameAsk)
        account = await self._of(caller, "ResetBudget", asked.account)
        return {"budget": await self._budgets.reset(account, asked)}, asked

    async def _of(self, caller: Caller, action: str, account: str | None) -> str:
        """Return the account whose budgets are meant, if the caller may."""
        of = caller.principal.account if account is None else checked_account(account)
        if of == caller.principal.account:
            await self._access.check_own(caller, action)
        else:
            await self._access.check(caller, action)
        return of


def _veiled(value: Any) -> Any:
    """Return what was asked or answered with of URLs that are told the host alone: behind it is often a secret."""
    if isinstance(value, Mapping):
        return {name: _veiled_targets(inner) if name in _TARGETS else _veiled(inner) for name, inner in value.items()}
    return [_veiled(one) for one in value] if isinstance(value, list | tuple) else value


def _veiled_targets(value: Any) -> Any:
    return shown_target(value) if isinstance(value, str) else [shown_target(one) for one in value]


class _Denied(ApiError):
    code = "AccessDenied"
    status = 403


def _parsed(body: bytes, kind: type[_S]) -> _S:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        said, _, path = str(error)[:300].partition(" - at `$")
        member = path.strip("`.") or "the body"
        raise InvalidBudget(f"{member}: this is not what is asked for: {said}") from None


def _problem(status: int, code: str, text: str) -> WireResponse:
    return WireResponse(status, [_JSON], msgspec.json.encode({"code": code, "message": text}))
