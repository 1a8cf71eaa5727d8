"""Budgets over HTTP: who may, whose they are, and what is taken."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from lambent.access.authorize import Demand, ResourceFacts
from lambent.domain.caller import Caller, Inside, Scope
from lambent.domain.principal import Principal, root_of
from lambent.errors.families import AccessDeniedException
from lambent.gateway.budget_paths import BudgetPaths
from lambent.gateway.own_access import OwnAccess
from lambent.protocol.wire import WireRequest
from lambent.services.billing.budget_access import ListAsk, NameAsk, PutAsk, RaiseAsk

OPERATOR, TEAM = "000000000000", "111122223333"
PUT = {"name": "b", "measure": "requests", "amount": 5}


class Claim(msgspec.Struct):
    principal: Principal
    how: str = "signature"

    def check_body(self, body: bytes) -> None:
        pass


class Stage:
    """Implements what stands behind the paths, and says what got there."""

    def __init__(self) -> None:
        self.principal = root_of(TEAM)
        self.allowed = {"PutBudget", "ListBudgets", "DeleteBudget", "RaiseBudget", "ResetBudget"}
        self.done: list[tuple[str, str | None]] = []
        self.noted: list[Any] = []
        self.budgets: list[Any] = []

    async def begin(self, request: WireRequest, service: str, **more: Any) -> Claim:
        assert service == "lambent"
        return Claim(self.principal)

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        for demand in demands:
            if demand.action.removeprefix("lambent:") not in self.allowed:
                raise AccessDeniedException(f"not authorized to perform: {demand.action}")

    def note(self, call: Any) -> None:
        self.noted.append(call)

    async def put(self, caller: Caller, account: str, ask: PutAsk) -> Any:
        self.done.append(("put", account))
        return {"name": ask.name, "targets": ask.targets}

    async def shown(self, ask: ListAsk) -> Any:
        self.done.append(("list", ask.account))
        return self.budgets

    async def delete(self, account: str, ask: NameAsk) -> bool:
        self.done.append(("delete", account))
        return True

    async def raise_(self, account: str, ask: RaiseAsk) -> Any:
        self.done.append(("raise", account))
        return {"name": ask.name}

    async def reset(self, account: str, ask: NameAsk) -> Any:
        self.done.append(("reset", account))
        return {"name": ask.name}

    def ask(self, action: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        sent = body if isinstance(body, bytes) else json.dumps(body or {}).encode()

        async def stream() -> AsyncIterator[bytes]:
            yield sent

        request = WireRequest(
            **{"method": "POST", "path": f"/_lambent/budgets/{action}", "stream": stream}
            | {"headers": {"content-type": "application/json"}}
            | more
        )
        own: Any = OwnAccess(self, self, "us-east-1", account=OPERATOR)  # type: ignore[arg-type]
        paths = BudgetPaths(self, own, self)  # type: ignore[arg-type]
        response = asyncio.run(paths.answer(request, action, "the-id"))
        assert isinstance(response.body, bytes)
        return response.status, json.loads(response.body)


ACTIONS = {
    "PutBudget": (PUT, "put"),
    "ListBudgets": ({}, "list"),
    "DeleteBudget": ({"name": "b"}, "delete"),
    "RaiseBudget": ({"name": "b", "to": 5}, "raise"),
    "ResetBudget": ({"name": "b"}, "reset"),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_principal_acts_on_its_own_account_and_the_operators_on_any(action: str) -> None:
    body, done = ACTIONS[action]
    stage = Stage()
    assert stage.ask(action, body)[0] == 200
    assert stage.ask(action, body | {"account": TEAM})[0] == 200
    assert stage.ask(action, body | {"account": OPERATOR})[0] == 403
    stage.principal = root_of(OPERATOR)
    assert stage.ask(action, body | {"account": TEAM})[0] == 200
    assert stage.done == [(done, TEAM)] * 3
    assert [call.operation for call in stage.noted] == [action] * 4


def test_all_accounts_are_the_operators_to_list() -> None:
    stage = Stage()
    assert stage.ask("ListBudgets", {"account": "all"})[0] == 403
    stage.principal = root_of(OPERATOR)
    assert stage.ask("ListBudgets", {"account": "all"})[0] == 200 and stage.done == [("list", "all")]
    assert stage.ask("PutBudget", PUT | {"account": "all"})[0] == 400


@pytest.mark.parametrize("action", ACTIONS)
def test_leave_is_needed_for_each(action: str) -> None:
    stage = Stage()
    stage.allowed.discard(action)
    assert stage.ask(action, ACTIONS[action][0])[0] == 403 and stage.done == []


@pytest.mark.parametrize("action", ACTIONS)
def test_functions_may_look_and_no_more(action: str) -> None:
    stage = Stage()
    inside = Inside(Scope(TEAM, "us-east-1"), "arn:aws:lambda:us-east-1:111122223333:function:f", "id", "")
    assert stage.ask(action, ACTIONS[action][0], inside=inside)[0] == (200 if action == "ListBudgets" else 403)


WEBHOOK = "https://hooks.example.com/T0/secret"
VEILED = "https://hooks.example.com"


def test_the_trail_has_of_a_url_the_host_alone() -> None:
    """Whoever may read calls may not call whom a budget tells."""
    stage = Stage()
    assert stage.ask("PutBudget", PUT | {"targets": [WEBHOOK]})[1]["budget"]["targets"] == [WEBHOOK]
    (call,) = stage.noted
    assert call.parameters["targets"] == call.output["budget"]["targets"] == [VEILED]
    assert (call.parameters["name"], call.parameters["amount"]) == ("b", "5")


def test_functions_see_of_a_url_the_host_alone() -> None:
    stage = Stage()
    stage.budgets = [{"name": "b", "targets": (WEBHOOK,), "notices": [{"target": WEBHOOK, "percent": 50}]}]
    assert stage.ask("ListBudgets")[1]["budgets"][0]["notices"][0]["target"] == WEBHOOK
    inside = Inside(Scope(TEAM, "us-east-1"), "arn:aws:lambda:us-east-1:111122223333:function:f", "id", "")
    (seen,) = stage.ask("ListBudgets", inside=inside)[1]["budgets"]
    assert seen == {"name": "b", "targets": [VEILED], "notices": [{"target": VEILED, "percent": 50}]}


def test_no_page_of_the_web_gets_in() -> None:
    """How that is known: test_own_actions."""
    stage = Stage()
    assert stage.ask("ListBudgets", method="GET")[0] == 403
    assert stage.done == []
    assert stage.ask("Nothing")[0] == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "the body"),
        ({**PUT, "amount": "x"}, "amount"),
        ({**PUT, "amount": None}, "amount"),
        ({**PUT, "amount": "1e99999999999999999999"}, "amount"),
        ({**PUT, "measure": "cpu"}, "measure"),
        ({**PUT, "period": 1}, "period"),
        ({**PUT, "warn": ["x"]}, "warn[0]"),
        ({**PUT, "targets": "x"}, "targets"),
        ({**PUT, "throttle": "yes"}, "throttle"),
        ({**PUT, "more": 1}, "the body"),
        ({**PUT, "account": "1"}, "account"),
    ],
)
def test_what_is_not_asked_for_is_named(body: Any, said: str) -> None:
    stage = Stage()
    status, answer = stage.ask("PutBudget", body)
    assert (status, answer["code"], stage.done) == (400, "ValidationError", [])
    assert answer["message"].startswith(f"{said}: ")
