"""Which services may act as a role."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.access.authorize import Demand
from lambent.access.identities import Identities
from lambent.access.role_trust import CallerRights, NoRights, RoleTrust
from lambent.domain.caller import Caller, Scope
from lambent.domain.identity import Role, User
from lambent.domain.principal import Principal, PrincipalType
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

ARN = "arn:aws:iam::111122223333:role/p/r"
GATEWAY, LAMBDA = "apigateway.amazonaws.com", "lambda.amazonaws.com"


class Roles:
    """One role; counts how often it was looked for."""

    def __init__(self, **statement: Any) -> None:
        self.reads = 0
        self.while_reading: Callable[[], None] = lambda: None
        self.tell: Callable[[str], None] = lambda account: None
        self.role: Role | None = None
        self.trust(**statement)

    def trust(self, **statement: Any) -> None:
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **statement}],
        }
        self.role = Role(
            account="111122223333", name="r", unique_id="AROAR", created_at=0, path="/p/",
            trust_policy=msgspec.json.encode(document).decode(),
        )  # fmt: skip

    def on_change(self, callback: Callable[[str], None]) -> None:
        self.tell = callback

    @asynccontextmanager
    async def snapshot(self, account: str) -> AsyncIterator["Roles"]:
        assert account == "111122223333"
        yield self

    async def get(self, kind: type[Role], name: str) -> Role | None:
        self.reads += 1
        found = self.role
        self.while_reading()
        return found if name.lower() == "r" else None


def lets(trust: RoleTrust, service: str = GATEWAY, arn: str = ARN, **context: str) -> bool:
    keys = {key.replace("_", ":"): value for key, value in context.items()}
    return asyncio.run(trust.allows_service(arn, service, keys))


def trust_of(roles: Roles) -> RoleTrust:
    return RoleTrust(roles, NoRights(), "enforce")  # type: ignore[arg-type]


def test_whom_a_trust_policy_names() -> None:
    trust = trust_of(Roles(Principal={"Service": [GATEWAY]}))
    assert lets(trust) and not lets(trust, LAMBDA)
    assert not lets(trust_of(Roles(Principal={"AWS": "111122223333"})))
    assert not lets(trust_of(Roles(Principal={"Service": GATEWAY}, Action="sts:TagSession")))
    assert not lets(trust_of(Roles(Principal={"Service": GATEWAY}, Effect="Deny")))
    assert not lets(trust_of(Roles(Principal={"Service": GATEWAY}, Condition={"Nonsense": {"a": "b"}})))


def test_what_it_asks_of_the_call() -> None:
    trust = trust_of(Roles(Principal={"Service": GATEWAY}, Condition={"StringEquals": {"aws:SourceAccount": "1"}}))
    assert lets(trust, aws_sourceaccount="1")
    assert not lets(trust, aws_sourceaccount="2") and not lets(trust)


def test_a_role_that_is_not_there() -> None:
    """Nor is one with another path, or in other letters."""
    trust = trust_of(Roles(Principal={"Service": GATEWAY}))
    for arn in ("arn:aws:iam::111122223333:role/x", "arn:aws:iam::111122223333:role/r", f"{ARN[:-1]}R"):
        assert not lets(trust, arn=arn)


def test_it_is_read_again_when_something_of_its_account_changed() -> None:
    roles = Roles(Principal={"Service": LAMBDA})
    trust = trust_of(roles)
    assert [lets(trust) for _ in range(3)] == [False] * 3 and roles.reads == 1
    roles.trust(Principal={"Service": GATEWAY})
    roles.tell("444455556666")
    assert not lets(trust) and roles.reads == 1
    roles.tell("111122223333")
    assert lets(trust) and roles.reads == 2


def test_what_changed_while_it_was_read_is_not_remembered() -> None:
    roles = Roles(Principal={"Service": LAMBDA})
    trust = trust_of(roles)
    roles.while_reading = lambda: roles.tell("111122223333")
    assert not lets(trust)
    roles.while_reading = lambda: None
    roles.trust(Principal={"Service": GATEWAY})
    assert lets(trust)


@pytest.mark.parametrize("document", ["{", "[]", "{}"])
def test_a_trust_policy_that_nobody_can_read_lets_nobody_in(document: str) -> None:
    roles = Roles(Principal={"Service": GATEWAY})
    assert roles.role is not None
    roles.role = msgspec.structs.replace(roles.role, trust_policy=document)
    assert not lets(trust_of(roles))


def test_audit_logs_what_it_would_deny(caplog: pytest.LogCaptureFixture) -> None:
    """With who, what and why; and lets everybody in."""
    roles: Any = Roles(Principal={"Service": GATEWAY}, Effect="Deny")
    with caplog.at_level(logging.WARNING, logger="lambent.access"):
        assert lets(RoleTrust(roles, NoRights(), "audit"))
    assert caplog.messages == [
        f"access.would_deny principal={GATEWAY} action=sts:AssumeRole resource={ARN} "
        "why='with an explicit deny in the role trust policy'"
    ]


def test_callers_are_known_by_what_they_have(tmp_path: Path) -> None:
    """Their own policies, their tags, and what a trust policy may ask of the request."""
    make_sqlite(tmp_path / "state.db")
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ARN}
    own = msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()
    user = User(
        account="111122223333", name="u", unique_id="AIDAU", created_at=0, inline={"p": own}, tags={"Team": "a"}
    )  # fmt: skip

    def role(condition: dict[str, Any]) -> Role:
        roles = Roles(Principal={"AWS": "111122223333"}, Condition=condition)
        assert roles.role is not None
        return roles.role

    async def story() -> None:
        async with Database(tmp_path / "state.db") as database:
            store = IdentityRepository(database)
            async with store.transaction(user.account) as tx:
                await tx.save(user)
            rights = CallerRights(Identities(store, lambda _: None), VirtualClock())
            trust = RoleTrust(store, rights, "enforce")
            caller = caller_of(Principal(PrincipalType.USER, user.account, user.arn, "AIDAU", user.arn, "u"))

            async def may(condition: dict[str, Any], who: Caller = caller) -> bool:
                return await trust.may_assume(who, role(condition), Demand("sts:AssumeRole", ARN))

            assert await may({})
            assert await may({"StringEquals": {"aws:PrincipalTag/team": "a", "aws:username": "u"}})
            assert await may({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}})
            assert await may({"StringEquals": {"aws:ResourceAccount": "111122223333"}})
            assert not await may({"StringEquals": {"aws:PrincipalTag/team": "b"}})
            arn = f"{user.arn}2"
            stranger = caller_of(Principal(PrincipalType.USER, user.account, arn, "AIDAX", arn, "u2"))
            assert not await may({}, stranger)

    asyncio.run(story())


def caller_of(principal: Principal) -> Caller:
    return Caller(Scope("111122223333", "eu-west-1"), principal, "signature", "id", "http://x")
