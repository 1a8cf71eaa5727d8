"""
Budgets over HTTP: `/_lambent/budgets/<action>`.

A principal acts on its own account's budgets; those of the operator's account on any's.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.gateway.own_access import OwnAccess
from lambent.gateway.own_actions import OwnActions, parsed
from lambent.protocol.wire import WireRequest, WireResponse
from lambent.services.billing.budget_access import (
    BudgetAccess,
    ListAsk,
    NameAsk,
    PutAsk,
    RaiseAsk,
    checked_account,
)
from lambent.services.billing.budget_targets import shown_target
from lambent.telemetry.trail import Trail

_READING = frozenset({"ListBudgets"})
_TARGETS = frozenset({"targets", "target"})


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
        self._actions = OwnActions(
            "budgets",
            {
                "PutBudget": self._put,
                "ListBudgets": self._list,
                "DeleteBudget": self._delete,
                "RaiseBudget": self._raise,
                "ResetBudget": self._reset,
            },
            access,
            trail,
            # What a budget is to stop does not let itself in again.
            functions="functions change no budgets",
            of_functions=_READING,
            # Whoever may see budgets sees where they tell. The trail is others' to read, and what functions know gets
            # out.
            veil=_veiled,
        )

    async def answer(self, request: WireRequest, action: str, request_id: str, endpoint: str = "") -> WireResponse:
        """Answer a request of one action. Raises ClientGone, DependencyError, and what is a defect."""
        return await self._actions.answer(request, action, request_id, endpoint)

    async def _put(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, PutAsk)
        account = await self._of(caller, "PutBudget", asked.account)
        return {"budget": await self._budgets.put(caller, account, asked)}, asked

    async def _list(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, ListAsk)
        account = "all" if asked.account == "all" else None
        if account is None:
            account = await self._of(caller, "ListBudgets", asked.account)
        else:
            await self._access.check(caller, "ListBudgets")
        found = await self._budgets.shown(msgspec.structs.replace(asked, account=account))
        return {"budgets": found}, asked

    async def _delete(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, NameAsk)
        account = await self._of(caller, "DeleteBudget", asked.account)
        return {"is_deleted": await self._budgets.delete(account, asked)}, asked

    async def _raise(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, RaiseAsk)
        account = await self._of(caller, "RaiseBudget", asked.account)
        return {"budget": await self._budgets.raise_(account, asked)}, asked

    async def _reset(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, NameAsk)
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
