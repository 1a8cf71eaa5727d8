"""What policies get to know of functions and mappings, and that it is what there is now."""

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lambent.access.authorize import Demand
from lambent.access.identities import compile_or_deny
from lambent.domain.policy import AccessRequest, Policies, PolicySet, decide
from lambent.domain.principal import Principal, PrincipalType
from lambent.services.lambda_ import facts as module
from lambent.services.lambda_.facts import FunctionFacts
from lambent.testing.api import SCOPE, InProcessApi, open_api

INVOKE = "lambda:InvokeFunction"
F = f"arn:aws:lambda:{SCOPE.region}:{SCOPE.account}:function:f"
MAPPING = f"arn:aws:lambda:{SCOPE.region}:{SCOPE.account}:event-source-mapping:"
WHO = Principal(
    PrincipalType.USER,
    SCOPE.account,
    f"arn:aws:iam::{SCOPE.account}:user/u",
    "AIDAU",
    f"arn:aws:iam::{SCOPE.account}:user/u",
)


async def make_function(api: InProcessApi) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("f.py", "def handler(event, context): return event")
    await api.call(
        "CreateFunction",
        FunctionName="f",
        Runtime="python3.12",
        Role=f"arn:aws:iam::{SCOPE.account}:role/r",
        Handler="f.handler",
        Code={"ZipFile": buffer.getvalue()},
        Tags={"Team": "red"},
    )
    await api.settle("f")


async def grant(api: InProcessApi, sid: str, **more: Any) -> None:
    await api.call("AddPermission", FunctionName="f", StatementId=sid, Action=INVOKE, Principal=WHO.arn, **more)


def lets_in(policy: Policies | None, arn: str) -> bool:
    return decide(AccessRequest(WHO, INVOKE, arn, SCOPE.account), PolicySet(resource=policy)).is_allowed


def test_the_policy_of_what_is_addressed_counts(tmp_path: Path) -> None:
    """A grant on the function reaches its `$LATEST` and none of its aliases or versions; theirs are their own."""

    async def story() -> None:
        async with open_api(tmp_path) as api:
            await make_function(api)
            await api.call("PublishVersion", FunctionName="f")
            await api.call("CreateAlias", FunctionName="f", Name="a", FunctionVersion="1")
            facts = FunctionFacts(api._store)
            await grant(api, "whole")
            arns = (F, f"{F}:$LATEST", f"{F}:a", f"{F}:1")
            assert [lets_in(await facts.policy(Demand(INVOKE, arn)), arn) for arn in arns] == [True, True, False, False]
            await grant(api, "alias", Qualifier="a")
            assert [lets_in(await facts.policy(Demand(INVOKE, arn)), arn) for arn in arns] == [True, True, True, False]

    asyncio.run(story())


def test_a_change_counts_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_api(tmp_path) as api:
            await make_function(api)
            facts = FunctionFacts(api._store)
            demand = Demand(INVOKE, F)
            assert await facts.policy(demand) is None
            before = facts.revision
            await grant(api, "one")
            assert facts.revision > before
            kept = await facts.policy(demand)
            assert kept is not None and await facts.policy(demand) is kept
            await api.call("RemovePermission", FunctionName="f", StatementId="one")
            assert await facts.policy(demand) is None

    asyncio.run(story())


def test_a_statement_for_another_resource_says_nothing_of_latest() -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": f"{F}:other"}],
    }
    compiled = compile_or_deny(document, F)
    assert not lets_in(Policies((module._as_of_latest(compiled, F),)), f"{F}:$LATEST")


def test_tags_are_those_of_functions_and_mappings(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_api(tmp_path) as api:
            await make_function(api)
            facts = FunctionFacts(api._store)
            assert await facts.tags(Demand("lambda:GetFunction", f"{F}:1")) == {"Team": "red"}
            for nothing in (
                "*",
                F.replace("function:f", "function:gone"),
                f"{MAPPING}gone",
                "arn:aws:lambda:::function:::",
            ):
                assert await facts.tags(Demand("lambda:GetFunction", nothing)) == {}

    asyncio.run(story())


def test_a_mapping_is_known_by_its_function(tmp_path: Path) -> None:
    """Where the request does not name it."""

    async def story() -> None:
        async with open_api(tmp_path) as api:
            await make_function(api)
            await api.call("CreateQueue", "sqs", QueueName="q")
            made = await api.call(
                "CreateEventSourceMapping",
                FunctionName="f",
                EventSourceArn=f"arn:aws:sqs:{SCOPE.region}:{SCOPE.account}:q",
                Tags={"k": "v"},
            )
            facts = FunctionFacts(api._store)
            demand = Demand("lambda:DeleteEventSourceMapping", f"{MAPPING}{made['UUID']}")
            assert (await facts.completed(demand)).context == {"lambda:functionarn": F}
            assert await facts.tags(demand) == {"k": "v"}
            named = Demand("lambda:UpdateEventSourceMapping", demand.resource, context={"lambda:functionarn": "arn:g"})
            assert await facts.completed(named) is named

    asyncio.run(story())


def test_a_url_is_known_by_how_it_is_open(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_api(tmp_path) as api:
            await make_function(api)
            await api.call("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
            facts = FunctionFacts(api._store)
            demand = Demand("lambda:DeleteFunctionUrlConfig", F)
            assert (await facts.completed(demand)).context == {"lambda:functionurlauthtype": "NONE"}
            other = Demand("lambda:DeleteFunctionUrlConfig", f"{F}:a")
            assert await facts.completed(other) is other

    asyncio.run(story())


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names functions and qualifiers for ever fills no memory."""
    monkeypatch.setattr(module, "_FUNCTIONS_MAX", 3)
    monkeypatch.setattr(module, "_QUALIFIERS_MAX", 2)

    async def story() -> None:
        async with open_api(tmp_path) as api:
            facts = FunctionFacts(api._store)
            for number in range(10):
                await facts.policy(Demand(INVOKE, f"{F}{number}"))
                await facts.policy(Demand(INVOKE, f"{F}:a{number}"))
            assert len(facts._policies) == 3
            assert all(len(kept) <= 2 for kept in facts._policies.values())

    asyncio.run(story())
