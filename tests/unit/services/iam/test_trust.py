"""Whom trust policies name, by id."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambent.domain.identity import Role
from lambent.domain.policy import compile_policy
from lambent.domain.principal import Principal, PrincipalType, root_of
from lambent.errors.api.iam import MalformedPolicyDocumentException
from lambent.services.iam.trust import aws_principals, trusted_ids

ACCOUNT, OTHER = "111122223333", "444455556666"


def trust(*principals: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def test_principals_are_read_once_each() -> None:
    """Of all statements, one or several; services and everybody are none."""
    statements = [
        {"Principal": {"AWS": "a"}},
        {"Principal": {"AWS": ["b", "a"], "Service": "c"}},
        {"Principal": "*"},
        {},
    ]
    assert list(aws_principals({"Statement": statements})) == ["a", "b"]
    assert list(aws_principals({"Statement": statements[0]})) == ["a"]


def test_ids_are_those_of_users_and_roles(tell: Callable[[Any], None]) -> None:
    """Also of other accounts, if they are here; sessions are checked by their role, and accounts not at all."""

    async def story(bench: Any) -> None:
        user = (await bench.call("CreateUser", UserName="u", Path="/p/"))["User"]
        theirs = (await bench.call("CreateUser", root_of(OTHER), UserName="x"))["User"]
        role = (await bench.call("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust(ACCOUNT)))["Role"]
        text = trust(
            "*",
            ACCOUNT,
            f"arn:aws:iam::{OTHER}:root",
            user["Arn"],
            theirs["Arn"],
            role["Arn"],
            f"arn:aws:iam::{OTHER}:user/not-here",
            f"arn:aws:sts::{ACCOUNT}:assumed-role/r/session",
            user["UserId"],
        )
        found = await trusted_ids(bench.store, ACCOUNT, text)
        assert found == {
            user["Arn"]: user["UserId"],
            theirs["Arn"]: theirs["UserId"],
            role["Arn"]: role["RoleId"],
        }

    tell(story)


@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{ACCOUNT}:user/u",
        f"arn:aws:iam::{ACCOUNT}:user/P/U",
        f"arn:aws:iam::{ACCOUNT}:role/r",
        f"arn:aws:iam::{ACCOUNT}:group/g",
        f"arn:aws:iam::{ACCOUNT}:user/*",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/r/session",
        "AIDAAAAAAAAAAAAAAAAAA",
        "lambda.amazonaws.com",
        "",
    ],
)
def test_who_is_not_there_is_not_trusted(tell: Callable[[Any], None], principal: str) -> None:
    """Another path or another case is somebody else; groups and patterns are nobody."""

    async def story(bench: Any) -> None:
        await bench.call("CreateUser", UserName="u", Path="/p/")
        await bench.call("CreateGroup", GroupName="g")
        with pytest.raises(MalformedPolicyDocumentException) as excinfo:
            await trusted_ids(bench.store, ACCOUNT, trust(principal))
        assert excinfo.value.message == f'Invalid principal in policy: "AWS":"{principal}"'

    tell(story)


def test_a_user_of_the_same_name_is_not_trusted(tell: Callable[[Any], None]) -> None:
    """What is stored grants to the id: case 43 of the reference, on the policy that the authorizer compiles."""

    async def story(bench: Any) -> None:
        first = (await bench.call("CreateUser", UserName="u"))["User"]
        await bench.call("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust(first["Arn"]))
        await bench.call("DeleteUser", UserName="u")
        second = (await bench.call("CreateUser", UserName="u"))["User"]
        async with bench.store.snapshot(ACCOUNT) as rows:
            role = await rows.get(Role, "r")
        (statement,) = compile_policy(role.trust_policy, ids=role.trust_ids).statements
        granted = [
            bool(
                statement.grants_to(
                    Principal(PrincipalType.USER, ACCOUNT, one["Arn"], one["UserId"], one["Arn"], name="u")
                )
            )
            for one in (first, second)
        ]
        assert first["Arn"] == second["Arn"]
        assert granted == [True, False]

    tell(story)
