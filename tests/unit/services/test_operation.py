"""What an operation asks leave for is asked before it runs: whole requests of a user, through the pipeline."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.access.authentication import AnyKey, Claim
from lambent.access.modes import IamMode
from lambent.domain.identity import User
from lambent.domain.principal import Principal, PrincipalType
from lambent.protocol.wire import WireRequest
from lambent.testing.api import SCOPE, InProcessApi, authorization, open_api

U = User(account=SCOPE.account, name="u", unique_id="AIDAU", created_at=0.0)
WHO = Principal(PrincipalType.USER, U.account, U.arn, U.unique_id, U.arn, name="u")
ROLE = f"arn:aws:iam::{SCOPE.account}:role/r"
F = f"arn:aws:lambda:{SCOPE.region}:{SCOPE.account}:function:f"


class AsUser(AnyKey):
    """Takes everybody for one user."""

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Claim:
        return Known()


class Known:
    principal = WHO
    how = "signature"
    needs_body = False

    def check_body(self, body: bytes) -> None:
        pass

    def watch_body(self, body: Any) -> Any:
        return body


def policy(*statements: tuple[str, Any, Any]) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": effect, "Action": action, "Resource": to} for effect, action, to in statements],
        }
    )


def as_user(
    folder: Path, story: Callable[[InProcessApi], Awaitable[None]], *, iam: IamMode = "enforce", **has: Any
) -> None:
    """Run a story in which every request is of a user who has some policies."""

    async def told() -> None:
        async with open_api(folder, authenticator=AsUser(SCOPE.account), iam=iam) as api:
            async with api.identities.transaction(SCOPE.account) as rows:
                await rows.save(msgspec.structs.replace(U, **has))
            await story(api)

    asyncio.run(told())


async def send(api: InProcessApi, method: str, path: str, body: Any = None) -> tuple[int, str]:
    headers = {"authorization": authorization("lambda"), "content-type": "application/json"}
    content = b"" if body is None else json.dumps(body).encode()
    answer = await api.send(WireRequest(method, path, headers=headers, body=content))
    assert isinstance(answer.body, bytes)
    return answer.status, answer.body.decode()


def test_whoever_may_call_one_function_sees_nothing_of_others(tmp_path: Path) -> None:
    """A refusal reads the same whether there is such a function or not."""

    async def story(api: InProcessApi) -> None:
        status, _ = await send(api, "POST", "/2015-03-31/functions/f/invocations", {})
        assert status == 404
        for name in ("g", "missing"):
            status, text = await send(api, "POST", f"/2015-03-31/functions/{name}/invocations", {})
            arn = F.removesuffix("f") + name
            assert (status, json.loads(text)["Message"]) == (
                403,
                f"User: {U.arn} is not authorized to perform: lambda:InvokeFunction on resource: {arn} because no "
                "identity-based policy allows the lambda:InvokeFunction action",
            )
        status, text = await send(api, "GET", "/2015-03-31/functions/")
        assert status == 403 and "lambda:ListFunctions on resource: * because" in text

    as_user(tmp_path, story, inline={"one": policy(("Allow", "lambda:InvokeFunction", F))})


def test_an_explicit_deny_wins(tmp_path: Path) -> None:
    async def story(api: InProcessApi) -> None:
        assert (await send(api, "GET", "/2015-03-31/functions/f"))[0] == 404
        status, text = await send(api, "DELETE", "/2015-03-31/functions/f")
        assert status == 403 and text.endswith('with an explicit deny in an identity-based policy"}')

    statements = ("Allow", "*", "*"), ("Deny", "lambda:Delete*", "*")
    as_user(tmp_path, story, inline={"most": policy(*statements)})


def test_a_boundary_narrows_what_is_allowed(tmp_path: Path) -> None:
    async def story(api: InProcessApi) -> None:
        status, text = await send(api, "GET", "/2015-03-31/functions/f")
        assert status == 403 and "because no permissions boundary allows the lambda:GetFunction action" in text

    as_user(
        tmp_path, story, inline={"all": policy(("Allow", "*", "*"))}, boundary=f"arn:aws:iam::{U.account}:policy/none"
    )


def test_a_role_has_to_be_passed_on(tmp_path: Path) -> None:
    """Whoever may make functions cannot take a role with it that is not for them, nor one of another account."""

    async def story(api: InProcessApi) -> None:
        wanted = {
            "FunctionName": "f",
            "Role": ROLE,
            "Runtime": "python3.12",
            "Handler": "f.f",
            "Code": {"ZipFile": "UEs="},
        }
        status, text = await send(api, "POST", "/2015-03-31/functions", wanted)
        assert status == 403 and f"iam:PassRole on resource: {ROLE} because no identity-based policy" in text
        elsewhere = {**wanted, "Role": "arn:aws:iam::444455556666:role/r"}
        status, text = await send(api, "POST", "/2015-03-31/functions", elsewhere)
        assert status == 403 and "Cross-account pass role is not allowed." in text
        status, _ = await send(api, "PUT", "/2015-03-31/functions/f/configuration", {"Description": "d"})
        assert status == 404

    as_user(tmp_path, story, inline={"functions": policy(("Allow", "lambda:*", "*"))})


def test_audit_lets_through_and_tells(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(api: InProcessApi) -> None:
        assert (await send(api, "GET", "/2015-03-31/functions/"))[0] == 200

    with caplog.at_level(logging.WARNING, "lambent.access"):
        as_user(tmp_path, story, iam="audit")
    assert [record.getMessage() for record in caplog.records] == [
        f"access.would_deny principal={U.arn} action=lambda:ListFunctions resource=* reason=no identity-based policy",
        f"access.would_allow principal={U.arn} policy="
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:ListFunctions","Resource":"*"}]}',
    ]


def test_where_policies_are_off_nothing_is_demanded(tmp_path: Path) -> None:
    """Nobody has any policy, and everybody may everything."""

    async def story(api: InProcessApi) -> None:
        def demanded(*_: Any) -> Any:
            raise AssertionError("nobody asks")

        lambda_ = api.services["lambda"]
        api.services["lambda"] = msgspec.structs.replace(lambda_, demands=dict.fromkeys(lambda_.demands, demanded))
        assert (await send(api, "GET", "/2015-03-31/functions/"))[0] == 200

    as_user(tmp_path, story, iam="off")
