"""Who may do what, what is told to those who may not, and that a verdict ends with what it rests on."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from unit.access.people import (
    INVOKE,
    A,
    F,
    Facts,
    People,
    X,
    as_session,
    as_user,
    managed,
    people,
    policy,
    role,
    user,
)  # fmt: skip

from lambent.access import authorize
from lambent.access.authorize import Demand, Everything
from lambent.domain.principal import ANONYMOUS, Session, root_of, service_principal
from lambent.errors.families import AccessDeniedException, UnrecognizedClient

CALL = Demand(INVOKE, F)
WHO = user(inline={"calls": policy(action=INVOKE, resource=F)})


def run(folder: Path, story: Callable[[People], Awaitable[None]], *, is_audit: bool = False) -> None:
    async def told() -> None:
        async with people(folder, is_audit=is_audit) as found:
            await story(found)

    asyncio.run(told())


async def refused(found: People, *asked: object, **more: object) -> str:
    with pytest.raises(AccessDeniedException) as excinfo:
        await found.ask(*asked, **more)  # type: ignore[arg-type]
    return excinfo.value.message


def test_a_user_may_what_its_policies_allow_and_no_more(tmp_path: Path) -> None:
    async def story(found: People) -> None:
        await found.put(WHO)
        await found.ask(as_user(WHO), CALL)
        assert await refused(found, as_user(WHO), Demand(INVOKE, f"{F}:prod")) == (
            f"User: arn:aws:iam::{A}:user/u is not authorized to perform: lambda:InvokeFunction on resource: {F}:prod "
            "because no identity-based policy allows the lambda:InvokeFunction action"
        )

    run(tmp_path, story)


def test_all_demands_have_to_be_allowed(tmp_path: Path) -> None:
    async def story(found: People) -> None:
        await found.put(WHO)
        assert "iam:PassRole" in await refused(
            found, as_user(WHO), (CALL, Demand("iam:PassRole", f"arn:aws:iam::{A}:role/r"))
        )

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("more", "tail"),
    [
        (
            {"inline": {"all": policy(), "no": policy("Deny", INVOKE)}},
            "with an explicit deny in an identity-based policy",
        ),
        (
            {"inline": {"all": policy()}, "boundary": f"arn:aws:iam::{A}:policy/b"},
            "because no permissions boundary allows the lambda:InvokeFunction action",
        ),
    ],
)
def test_denials_name_the_kind_of_policy(tmp_path: Path, more: dict[str, object], tail: str) -> None:
    async def story(found: People) -> None:
        who = user(**more)
        await found.put(who, managed("b", policy(action="sqs:*")))
        assert (await refused(found, as_user(who), CALL)).endswith(tail)

    run(tmp_path, story)


def test_denials_of_sessions_name_the_session(tmp_path: Path) -> None:
    async def story(found: People) -> None:
        who = role(inline={"all": policy()})
        await found.put(who)
        text = await refused(found, as_session(who, policies=(policy(action="sqs:*"),)), CALL)
        assert text.startswith(f"User: arn:aws:sts::{A}:assumed-role/r/s is not authorized")
        assert text.endswith("because no session policy allows the lambda:InvokeFunction action")

    run(tmp_path, story)


def test_services_name_resources_and_actions_in_their_own_way(tmp_path: Path) -> None:
    """IAM by kind and name, SQS its action in small letters."""

    async def story(found: People) -> None:
        who = user()
        await found.put(who)
        iam = Demand("iam:GetRole", f"arn:aws:iam::{A}:role/x", shown_as="role x")
        assert "iam:GetRole on resource: role x because" in await refused(found, as_user(who), iam)
        sqs = Demand("sqs:SendMessage", f"arn:aws:sqs:eu-west-1:{A}:q")
        text = await refused(found, as_user(who), sqs)
        assert f"sqs:sendmessage on resource: arn:aws:sqs:eu-west-1:{A}:q" in text
        assert text.endswith("allows the sqs:sendmessage action")

    run(tmp_path, story)


def test_a_resources_own_policy_lets_in_and_keeps_out(tmp_path: Path) -> None:
    """Also where it keeps root out; whom it names needs nothing else."""

    async def story(found: People) -> None:
        await found.put(WHO, user(name="v", unique_id="AIDAV"))
        stranger = as_user(user(name="v", unique_id="AIDAV"))
        naming = Facts(policy(action=INVOKE, resource=F, Principal={"AWS": stranger.arn}))
        await found.ask(stranger, CALL, naming)
        closed = Facts(policy("Deny", INVOKE, F, Principal="*"))
        for principal in (as_user(WHO), root_of(A)):
            text = await refused(found, principal, CALL, closed)
            assert text.endswith("with an explicit deny in a resource-based policy")

    run(tmp_path, story)


def test_root_of_the_account_may_everything_in_it(tmp_path: Path) -> None:
    async def story(found: People) -> None:
        await found.ask(root_of(A), (CALL, Demand("iam:CreateUser", f"arn:aws:iam::{A}:user/x")))

    run(tmp_path, story)


def test_of_another_accounts_resource_the_callers_side_is_decided_here(tmp_path: Path) -> None:
    """Its own account has to allow it; the resource's policy is asked where the handler goes over, and not twice."""

    async def story(found: People) -> None:
        allowed = user(X, inline={"calls": policy(action=INVOKE, resource=F)})
        denied = user(X, "v", "AIDAV")
        await found.put(allowed, denied)
        facts = Facts(policy("Deny", INVOKE, F, Principal="*"))
        await found.ask(as_user(allowed), CALL, facts)
        assert "no identity-based policy" in await refused(found, as_user(denied), CALL, facts)
        assert facts.looks == 0

    run(tmp_path, story)


def test_roles_of_other_accounts_are_not_passed_on(tmp_path: Path) -> None:
    """Whatever a policy says, and whoever asks."""

    async def story(found: People) -> None:
        await found.put(who := user(inline={"all": policy()}))
        passing = Demand("iam:PassRole", f"arn:aws:iam::{X}:role/r")
        for principal in (as_user(who), root_of(A)):
            assert await refused(found, principal, passing) == "Cross-account pass role is not allowed."

    run(tmp_path, story)


def test_nobody_and_services_need_the_resources_leave(tmp_path: Path) -> None:
    async def story(found: People) -> None:
        own = Demand(INVOKE, "*")
        assert "User: anonymous is not authorized" in await refused(found, ANONYMOUS, own)
        assert "User: s3.amazonaws.com is not" in await refused(found, service_principal("s3.amazonaws.com"), own)

    run(tmp_path, story)


def test_a_verdict_is_kept_until_a_policy_changes(tmp_path: Path) -> None:
    """A warm call asks neither the store nor the resource; a change of either side counts at once."""

    async def story(found: People) -> None:
        await found.put(WHO)
        facts = Facts()
        for _ in range(3):
            await found.ask(as_user(WHO), CALL, facts)
        assert facts.looks == 1
        facts.document, facts.revision = policy("Deny", INVOKE, F, Principal="*"), 1
        await refused(found, as_user(WHO), CALL, facts)
        facts.document, facts.revision = None, 2
        await found.ask(as_user(WHO), CALL, facts)
        await found.put(msgspec.structs.replace(WHO, inline={}))
        await refused(found, as_user(WHO), CALL, facts)
        await found.put(WHO)
        await found.ask(as_user(WHO), CALL, facts)

    run(tmp_path, story)


def test_denials_are_not_kept_across_a_change(tmp_path: Path) -> None:
    async def story(found: People) -> None:
        await found.put(nobody := user())
        await refused(found, as_user(nobody), CALL)
        await refused(found, as_user(nobody), CALL)
        await found.put(WHO)
        await found.ask(as_user(WHO), CALL)

    run(tmp_path, story)


def test_a_verdict_that_rests_on_the_request_is_made_anew(tmp_path: Path) -> None:
    """One that read the time is another one an hour later."""

    async def story(found: People) -> None:
        until = found.clock.now() + 60
        when = {"NumericLessThan": {"aws:EpochTime": str(int(until))}}
        await found.put(who := user(inline={"now": policy(action=INVOKE, resource=F, Condition=when)}))
        await found.ask(as_user(who), CALL)
        found.clock.advance(3_600)
        await refused(found, as_user(who), CALL)

    run(tmp_path, story)


def test_sessions_with_other_policies_share_no_verdict(tmp_path: Path) -> None:
    """Of one name, with one access key, or none."""

    async def story(found: People) -> None:
        await found.put(who := role(inline={"all": policy()}))
        await found.ask(as_session(who), CALL)
        await refused(found, as_session(who, policies=(policy(action="sqs:*"),)), CALL)
        await found.ask(as_session(who, policies=(policy(action="lambda:*"),)), CALL)

    run(tmp_path, story)


def test_a_user_of_a_new_id_shares_no_verdict_with_the_old_one(tmp_path: Path) -> None:
    async def story(found: People) -> None:
        await found.put(WHO)
        await found.ask(as_user(WHO), CALL)
        await refused(found, as_user(user(unique_id="AIDAOTHER")), CALL)

    run(tmp_path, story)


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for ever other functions fills no memory; nor are long names kept."""
    monkeypatch.setattr(authorize, "_LASTING_MAX", 50)

    async def story(found: People) -> None:
        await found.put(who := user(inline={"all": policy()}))
        for number in range(120):
            await found.ask(as_user(who), Demand(INVOKE, f"{F}{number}"))
        assert len(found.authorizer._lasting) == 20
        await found.ask(as_user(who), Demand("s3:GetObject", "arn:aws:s3:::b/" + "k" * 900))
        assert len(found.authorizer._lasting) == 20

    run(tmp_path, story)


def test_tags_of_a_resource_are_looked_up_where_a_policy_asks_for_them(tmp_path: Path) -> None:
    async def story(found: People) -> None:
        tagged = policy(action=INVOKE, Condition={"StringEquals": {"aws:ResourceTag/team": "red"}})
        await found.put(who := user(inline={"tagged": tagged}), plain := user(name="v", unique_id="AIDAV"))
        red, blue = Facts(tags={"Team": "red"}), Facts(tags={"Team": "blue"})
        await found.ask(as_user(who), CALL, red)
        await refused(found, as_user(who), CALL, blue)
        await refused(found, as_user(plain), CALL, red)
        assert (red.tag_looks, blue.tag_looks) == (1, 1)

    run(tmp_path, story)


def test_what_the_server_does_in_a_roles_name_is_the_roles_to_be_allowed(tmp_path: Path) -> None:
    """A role that is not there may nothing; a change of one counts at once."""

    async def story(found: People) -> None:
        reading = Demand("sqs:ReceiveMessage", f"arn:aws:sqs:eu-west-1:{A}:q")
        await found.put(who := role(inline={"reads": policy(action="sqs:*")}))
        assert await found.authorizer.allows_role(who.arn, reading)
        assert not await found.authorizer.allows_role(who.arn, CALL)
        assert not await found.authorizer.allows_role(f"arn:aws:iam::{A}:role/gone", reading)
        await found.put(msgspec.structs.replace(who, inline={}))
        assert not await found.authorizer.allows_role(who.arn, reading)
        by_queue = Facts(policy(action="sqs:*", Principal={"AWS": who.arn}))
        assert await found.authorizer.allows_role(who.arn, reading, by_queue)

    run(tmp_path, story)


def test_audit_allows_everything(tmp_path: Path) -> None:
    """Roles that are not there included, so that nothing changes for whoever tries it out."""

    async def story(found: People) -> None:
        await found.put(who := user())
        await found.ask(as_user(who), CALL)
        assert await found.authorizer.allows_role(f"arn:aws:iam::{A}:role/gone", CALL)
        assert found.audit is not None and found.audit.policy_of(who.arn) == {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": INVOKE, "Resource": F}],
        }

    run(tmp_path, story, is_audit=True)


def test_off_asks_nothing() -> None:
    """Nobody need find out what is demanded."""
    assert not Everything().is_on
    assert asyncio.run(Everything().allows_role("none", CALL))


@pytest.mark.parametrize(
    ("denial", "vague", "is_denied"),
    [
        (policy("Deny", "s3:GetObject", "arn:aws:s3:::b/*"), Demand("s3:*", is_vague=True), True),
        (policy("Deny", "s3:GetObject", "arn:aws:s3:::b/*"), Demand("s3:*", "arn:aws:s3:::b/k", is_vague=True), True),
        (policy("Deny", "s3:GetObject", "arn:aws:s3:::b/*"), Demand("s3:*", "arn:aws:s3:::c/k", is_vague=True), False),
        (policy("Deny", "s3:GetObject", "arn:aws:s3:::b/*"), Demand("s3:GetObject", is_vague=True), True),
        (policy("Deny", "s3:GetObject", "arn:aws:s3:::b/*"), Demand("s3:*"), False),
        (policy("Deny", "*", "arn:aws:s3:::b/*"), Demand("s3:*", is_vague=True), True),
        (policy("Deny", "s*", "*"), Demand("s3:*", is_vague=True), True),
        (policy("Deny", "sqs:*", "*"), Demand("s3:*", is_vague=True), False),
        (policy("Deny", "*", "arn:aws:sqs:*:*:q"), Demand("s3:*", is_vague=True), False),
        (policy("Deny", "s3:PutObject", "*"), Demand("s3:GetObject", is_vague=True), False),
        (
            policy("Deny", "s3:GetObject", "*", Condition={"Bool": {"aws:SecureTransport": "false"}}),
            Demand("s3:*", is_vague=True),
            False,
        ),
    ],
)
def test_what_denies_a_part_denies_what_is_not_understood(
    tmp_path: Path, denial: str, vague: Demand, is_denied: bool
) -> None:
    """It may be just that part; and a boundary denies as well."""

    async def story(found: People) -> None:
        who = user(inline={"all": policy(), "no": denial})
        bound = user(name="v", unique_id="AIDAV", inline={"all": policy()}, boundary=f"arn:aws:iam::{A}:policy/b")
        statements = [json.loads(document)["Statement"][0] for document in (policy(), denial)]
        await found.put(who, bound, managed("b", json.dumps({"Version": "2012-10-17", "Statement": statements})))
        for principal in (as_user(who), as_user(bound)):
            if is_denied:
                assert "with an explicit deny" in await refused(found, principal, vague)
            else:
                await found.ask(principal, vague)

    run(tmp_path, story)


def test_a_session_of_a_user_or_root_makes_no_keys(tmp_path: Path) -> None:
    """Whoever gets hold of one for an hour would have them for good. Roles are passed on, and roles' sessions may."""

    async def story(found: People) -> None:
        who, other = user(inline={"all": policy()}), role(inline={"all": policy()})
        await found.put(who, other)
        session = Session("", 1.0, 9e9)
        making = Demand("iam:CreateAccessKey", f"arn:aws:iam::{A}:user/u")
        passing = Demand("iam:PassRole", f"arn:aws:iam::{A}:role/r")
        for principal in (as_user(who, session), msgspec.structs.replace(root_of(A), session=session)):
            await found.ask(principal, (CALL, passing))
            for demand in (making, Demand("sts:GetAccessKeyInfo")):
                with pytest.raises(UnrecognizedClient):
                    await found.ask(principal, demand)
        for principal in (as_user(who), root_of(A), as_session(other)):
            await found.ask(principal, making)

    run(tmp_path, story)
