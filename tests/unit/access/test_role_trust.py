"""Which services may act as a role."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from lambent.access.role_trust import NoRights, RoleTrust
from lambent.domain.identity import Role

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
    return asyncio.run(
        trust.allows_service(arn, service, {key.replace("_", ":"): value for key, value in context.items()})
    )


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
