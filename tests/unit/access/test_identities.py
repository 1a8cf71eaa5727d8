"""What speaks for a principal, and that it is what the account has now."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.access.people import (
    ADMIN,
    INVOKE,
    A,
    F,
    X,
    as_session,
    as_user,
    group,
    managed,
    people,
    policy,
    role,
    user,
)

from lambent.access.identities import Rights
from lambent.domain.identity import Role, User
from lambent.domain.policy import AccessRequest, decide
from lambent.domain.principal import Principal, Session, root_of


def allows(rights: Rights, principal: Principal, action: str = INVOKE, resource: str = F) -> bool:
    return decide(AccessRequest(principal, action, resource, A), rights.policies).is_allowed


def rights_of(folder: Path, principal: Principal, *there: Any) -> Rights:
    async def find() -> Rights:
        async with people(folder) as found:
            await found.put(*there)
            return await found.identities.of(principal)

    return asyncio.run(find())


def test_a_user_has_its_own_policies_and_those_of_its_groups(tmp_path: Path) -> None:
    who = user(inline={"own": policy(action="sqs:*")}, groups=("AGPA2222222222222222A",))
    member_of = group(inline={"calls": policy(action=INVOKE)}, attached=(f"arn:aws:iam::{A}:policy/logs",))
    found = rights_of(tmp_path, as_user(who), who, member_of, managed("logs", policy(action="logs:*")))
    assert [allows(found, as_user(who), action) for action in ("sqs:SendMessage", INVOKE, "logs:GetLogEvents")] == (
        [True, True, True]
    )
    assert not allows(found, as_user(who), "iam:ListUsers")


def test_who_is_made_anew_under_an_old_name_has_nothing_of_the_old_one(tmp_path: Path) -> None:
    """A principal is found by its id; the new user's policies are not the old key's."""
    new = user(unique_id="AIDANEW", inline={"all": policy()})
    found = rights_of(tmp_path, as_user(user(unique_id="AIDAOLD")), new)
    assert not allows(found, as_user(user(unique_id="AIDAOLD")))


def test_aws_owned_policies_are_asked_for_by_arn(tmp_path: Path) -> None:
    who = user(attached=(ADMIN,))
    assert allows(rights_of(tmp_path, as_user(who), who), as_user(who))


def test_an_unknown_policy_grants_nothing_and_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Others of the same name, on another path or in another account, are no stand-in for it."""
    arns = ("arn:aws:iam::aws:policy/Nowhere", f"arn:aws:iam::{A}:policy/path/all", f"arn:aws:iam::{X}:policy/all")
    who = user(attached=arns)

    async def run() -> bool:
        async with people(tmp_path) as found:
            await found.put(who, managed("all", policy()), managed("all", policy(), X))
            rights = await found.identities.of(as_user(who))
            await found.put(who)
            await found.identities.of(as_user(who))
            return allows(rights, as_user(who))

    with caplog.at_level(logging.WARNING, "lambent.access"):
        assert not asyncio.run(run())
    assert [record.getMessage().split("arn=")[1].split()[0] for record in caplog.records] == list(arns)


def test_a_boundary_that_is_not_there_allows_nothing(tmp_path: Path) -> None:
    who = user(inline={"all": policy()}, boundary=f"arn:aws:iam::{A}:policy/gone")
    assert not allows(rights_of(tmp_path, as_user(who), who), as_user(who))


def test_a_malformed_document_denies(tmp_path: Path) -> None:
    """What it may have denied is not known."""
    who = user(inline={"all": policy(), "broken": '{"Statement": 1}'})
    assert not allows(rights_of(tmp_path, as_user(who), who), as_user(who))


def test_a_session_has_no_more_than_its_own_policies_allow(tmp_path: Path) -> None:
    who = role(inline={"all": policy()})
    narrow = as_session(who, policies=(policy(action="sqs:*"),))
    by_arn = as_session(who, policy_arns=(f"arn:aws:iam::{A}:policy/calls",))
    wide = as_session(who)

    async def run() -> list[bool]:
        async with people(tmp_path) as found:
            await found.put(who, managed("calls", policy(action=INVOKE)))
            return [allows(await found.identities.of(one), one) for one in (narrow, by_arn, wide)]

    assert asyncio.run(run()) == [False, True, True]


def test_session_tags_take_the_place_of_the_roles(tmp_path: Path) -> None:
    """Names that differ in case alone are one."""
    who = role(tags={"Team": "red", "Cost": "1"})
    found = rights_of(tmp_path, as_session(who, tags={"team": "blue"}), who)
    assert found.tags == {"team": "blue", "Cost": "1"}


def test_root_services_and_nobody_have_no_policies(tmp_path: Path) -> None:
    found = rights_of(tmp_path, root_of(A))
    assert (found.policies.identity, found.policies.boundary, found.policies.session) == (None, None, None)


def test_a_change_counts_at_once(tmp_path: Path) -> None:
    """What was compiled is forgotten with the commit; nothing of it is asked again before."""
    who = user(inline={"all": policy()})

    async def run() -> list[bool]:
        async with people(tmp_path) as found:
            await found.put(who)
            before = await found.identities.of(as_user(who))
            assert await found.identities.of(as_user(who)) is before
            await found.put(msgspec.structs.replace(who, inline={}))
            after = await found.identities.of(as_user(who))
            async with found.store.transaction(A) as rows:
                await rows.delete(User, "u")
            gone = await found.identities.of(as_user(who))
            return [allows(rights, as_user(who)) for rights in (before, after, gone)]

    assert asyncio.run(run()) == [True, False, False]


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    """Ten thousand sessions with policies of their own leave what the limit says."""

    async def run() -> int:
        async with people(tmp_path) as found:
            who = role()
            await found.put(who)
            for number in range(2_100):
                await found.identities.of(as_session(who, name=f"s{number}"))
            return len(found.identities._rights._kept)

    assert asyncio.run(run()) == 2_000


def test_a_role_is_found_by_its_whole_arn(tmp_path: Path) -> None:
    """With its path, in its account; as a session that the server has in its name."""
    who = role(path="/app/")

    async def run() -> list[str | None]:
        async with people(tmp_path) as found:
            await found.put(who)
            arns = (who.arn, f"arn:aws:iam::{A}:role/r", f"arn:aws:iam::{X}:role/app/r", "nothing")
            sessions = [await found.identities.role(arn) for arn in arns]
            async with found.store.transaction(A) as rows:
                await rows.delete(Role, "r")
            sessions.append(await found.identities.role(who.arn))
            return [None if one is None else one.arn for one in sessions]

    assert asyncio.run(run()) == [f"arn:aws:sts::{A}:assumed-role/r/lambent", None, None, None, None]


def test_a_users_session_is_told_from_its_long_term_key(tmp_path: Path) -> None:
    """GetSessionToken makes credentials of the same rights."""
    who = user(inline={"all": policy()})
    found = rights_of(tmp_path, as_user(who, Session("", 1.0, 9e9)), who)
    assert found.policies.session is None and allows(found, as_user(who))
