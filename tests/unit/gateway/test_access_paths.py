"""The operator's paths: who may, what is taken, and what the trail says of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.access.authorize import Demand, ResourceFacts
from lambent.access.clients import Clients
from lambent.access.secrets import Secrets
from lambent.domain.caller import Caller, Inside, Scope
from lambent.domain.principal import Principal, Session, root_of, session_of_role
from lambent.domain.quotas import Quotas
from lambent.errors.families import AccessDeniedException, MissingAuthenticationToken
from lambent.gateway.access_paths import AccessPaths
from lambent.gateway.own_access import OwnAccess
from lambent.protocol.wire import WireRequest, WireResponse
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.telemetry.trail import Trail
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")


class _Claim(msgspec.Struct):
    principal: Principal
    how: str

    def check_body(self, body: bytes) -> None:
        if b"not what was signed" in body:
            raise AccessDeniedException("The body is not what was signed")

    def watch_body(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return body

    @property
    def needs_body(self) -> bool:
        return True


class _Authenticator:
    def __init__(self, principal: Principal | None, how: str) -> None:
        self.principal, self.how = principal, how

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> _Claim:
        assert service == "lambent"
        if self.principal is None:
            raise MissingAuthenticationToken("Missing Authentication Token")
        return _Claim(self.principal, self.how)


class _Authorizer:
    """Allows what is listed."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        for demand in demands:
            assert demand.account == caller.principal.account
            if demand.action not in self.allowed:
                raise AccessDeniedException(f"not authorized to perform: {demand.action}")

    async def allows_role(self, role_arn: str, demand: Demand) -> bool:
        raise AssertionError


ALL = [
    f"lambent:{action}"
    for action in (
        "CreateKey", "ListKeys", "RotateKey", "RevokeKey", "CreateAccount", "UpdateAccount", "ListAccounts",
    )
]  # fmt: skip


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.principal: Principal | None = root_of(SCOPE.account, "AKIAROOT")
        self.how = "signature"
        self.allowed = ALL
        make_sqlite(folder / "state.db")

    def ask(self, action: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """Return status and answer."""
        return asyncio.run(self._ask(action, body, more))

    async def _ask(self, action: str, body: Any, more: dict[str, Any]) -> tuple[int, Any]:
        sent = body if isinstance(body, bytes) else json.dumps(body or {}).encode()

        async def stream() -> AsyncIterator[bytes]:
            for start in range(0, len(sent), 1_000):
                yield sent[start : start + 1_000]

        request = WireRequest(
            **{"method": "POST", "path": f"/_lambent/access/{action}", "stream": stream}
            | {"headers": {"content-type": "application/json"}}
            | more
        )
        clock = VirtualClock()
        trail = Trail(
            self.folder / "trail", clock, max_bytes=1 << 30, has_data=False, account=SCOPE.account, region=SCOPE.region
        )
        async with Database(self.folder / "state.db") as database:
            paths = AccessPaths(
                Clients(IdentityRepository(database), Secrets(b"s" * 32), SCOPE.account, clock),
                OwnAccess(
                    _Authenticator(self.principal, self.how),
                    _Authorizer(*self.allowed),
                    SCOPE.region,
                    account=None if self.how == "none" else SCOPE.account,
                ),
                Quotas(),
                trail,
            )
            response: WireResponse = await paths.answer(request, action, "the-id")
        trail.close()
        assert isinstance(response.body, bytes)
        return response.status, json.loads(response.body)

    def records(self) -> list[dict[str, Any]]:
        paths = sorted((self.folder / "trail").iterdir()) if (self.folder / "trail").exists() else []
        return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_story_of_a_key(stage: Stage) -> None:
    """Made, seen, replaced, ended; its secret is in the first answer alone, and never in the trail."""
    status, made = stage.ask("CreateKey", {"account": "111122223333", "user": "bob"})
    assert status == 200 and len(made["secret_key"]) == 40
    status, listed = stage.ask("ListKeys")
    assert [(key["access_key"], key["user"], key["is_active"]) for key in listed["keys"]] == [
        (made["access_key"], "bob", True)
    ]
    _, other = stage.ask("RotateKey", {"access_key": made["access_key"]})
    assert stage.ask("RevokeKey", {"access_key": made["access_key"]}) == (200, {})
    assert stage.ask("RevokeKey", {"access_key": made["access_key"]})[0] == 404
    said = json.dumps(stage.records())
    assert made["secret_key"] not in said + json.dumps(listed) and other["secret_key"] not in said
    assert [record["eventName"] for record in stage.records()] == [
        "CreateKey", "ListKeys", "RotateKey", "RevokeKey", "RevokeKey",
    ]  # fmt: skip
    assert stage.records()[-1]["errorCode"] == "NoSuchEntity"


def test_a_story_of_an_account(stage: Stage) -> None:
    """Limits that nobody set are shown as the server has them."""
    _, made = stage.ask("CreateAccount", {"name": "team", "concurrent_executions": 5})
    assert (made["concurrent_executions"], made["code_total_max_bytes"]) == (5, Quotas().code_total_max_bytes)
    asked = {"account": made["account"], "is_open": False, "concurrent_executions": None}
    _, changed = stage.ask("UpdateAccount", asked)
    assert (changed["is_open"], changed["concurrent_executions"], changed["name"]) == (False, 1000, "team")
    assert stage.ask("CreateKey", {"account": made["account"]})[0] == 409
    _, listed = stage.ask("ListAccounts")
    assert [one["account"] for one in listed["accounts"]] == [SCOPE.account, made["account"]]


def test_nobody_elses_principals_may(stage: Stage) -> None:
    """Whatever they may do in their own account; of those who may not, the trail says so."""
    stage.principal = root_of("111122223333", "AKIAOTHER")
    assert stage.ask("ListKeys")[0] == 403
    assert stage.records()[-1]["userIdentity"]["accountId"] == "111122223333"
    stage.principal = None
    assert stage.ask("ListKeys")[0] == 403
    assert stage.records()[-1]["userIdentity"]["type"] == "Unknown"
    stage.principal, stage.allowed = root_of(SCOPE.account), ["lambent:ListKeys"]
    assert stage.ask("ListKeys")[0] == 200
    assert stage.ask("CreateKey")[0] == 403
    assert stage.ask("ListKeys", {"account": "not what was signed"})[0] == 403


def test_where_any_key_is_taken_so_is_any_account(stage: Stage) -> None:
    """On loopback nobody has to be the operator."""
    stage.principal, stage.how = root_of("111122223333"), "none"
    assert stage.ask("ListKeys")[0] == 200


@pytest.mark.parametrize(
    ("client", "status"),
    [("127.0.0.1", 200), ("127.9.9.9", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.9", 403), ("", 403)],
)
def test_where_any_key_is_taken_the_caller_is_on_this_machine(stage: Stage, client: str, status: int) -> None:
    """A key that a stranger made would outlive the day on which signatures come to be verified."""
    stage.how = "none"
    assert stage.ask("ListKeys", client=client)[0] == status
    stage.how = "signature"
    assert stage.ask("ListKeys", client=client)[0] == 200


@pytest.mark.parametrize(
    "more",
    [
        {"inside": Inside(SCOPE, "arn:aws:lambda:us-east-1:000000000000:function:f")},
        {"method": "GET"},
    ],
)
def test_neither_functions_nor_pages_may(stage: Stage, more: dict[str, Any]) -> None:
    """Whatever they are signed with. How that is known: test_own_actions."""
    status, answer = stage.ask("CreateKey", **more)
    assert (status, answer["code"]) == (403, "AccessDenied")
    assert stage.ask("ListKeys")[1]["keys"] == []


def test_a_function_is_known_by_its_credentials_as_well(stage: Stage) -> None:
    """Where no sandbox tells who calls; what somebody has who assumed the same role is none."""
    session = Session("f", 0.0, 9e9, environment="env-1")
    stage.principal = session_of_role(SCOPE.account, "r", "/", "AROA1", session)
    assert stage.ask("CreateKey") == (403, {"code": "AccessDenied", "message": "functions make no keys"})
    stage.principal = session_of_role(SCOPE.account, "r", "/", "AROA1", Session("s", 0.0, 9e9))
    assert stage.ask("CreateKey")[0] == 200


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("CreateKey", b'{"acount": "1"}', 400),
        ("CreateKey", b'{"account": 1}', 400),
        ("CreateAccount", {"name": "a\nb"}, 400),
        ("CreateAccount", {"name": "a", "concurrent_executions": 0}, 400),
        ("CreateAccount", {"name": "a", "concurrent_executions": 10**9}, 400),
        ("CreateAccount", {"name": "a", "code_total_max_bytes": -1}, 400),
        ("UpdateAccount", {"account": "1"}, 400),
        ("UpdateAccount", {"account": "111122223333", "is_open": None}, 400),
        ("RotateKey", {}, 400),
        ("Nothing", {}, 404),
    ],
)
def test_what_is_not_asked_for_rightly(stage: Stage, action: str, body: Any, status: int) -> None:
    """One answer of JSON with a code and a message; nothing is made."""
    found, answer = stage.ask(action, body)
    assert found == status
    assert set(answer) == {"code", "message"} and len(answer["message"]) < 500
