"""Which roles functions may have, where policies are in force."""

import asyncio
from pathlib import Path

import pytest

from lambent.access.role_trust import IamMode, NoRights, RoleTrust
from lambent.domain.caller import Scope
from lambent.domain.identity import Role
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.errors.families import AccessDeniedException, ApiError
from lambent.services.lambda_.execution_roles import TrustedRoles
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.testing.stores import make_sqlite

ACCOUNT = "111122223333"
TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "%s"}, '
    '"Action": "sts:AssumeRole"}]}'
)
NOT_LAMBDAS = "The role defined for the function cannot be assumed by Lambda."
FOREIGN = "Cross-account pass role is not allowed."


def arn(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


@pytest.fixture
def check(tmp_path: Path) -> "Check":
    make_sqlite(tmp_path / "state.db")
    return Check(tmp_path / "state.db")


class Check:
    """Asks about a role; knows `good`, which Lambda may assume, and `bad`, which another service may."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.told: list[tuple[str, str]] = []

    def __call__(self, mode: IamMode, **request: str) -> ApiError | None:
        async def run() -> None:
            async with Database(self._path) as database:
                identities = IdentityRepository(database)
                for name, service in (("good", "lambda.amazonaws.com"), ("bad", "ec2.amazonaws.com")):
                    trust = TRUST % service
                    role = Role(account=ACCOUNT, name=name, unique_id=name, created_at=1, trust_policy=trust)
                    async with identities.transaction(ACCOUNT) as tx:
                        await tx.save(role)
                trust_of_roles = RoleTrust(
                    identities, NoRights(), mode, lambda who, action, resource, _: self.told.append((who.arn, resource))
                )
                await TrustedRoles(trust_of_roles).check(Scope(ACCOUNT, "eu-west-1"), request)

        try:
            asyncio.run(run())
        except ApiError as error:
            return error
        return None


@pytest.mark.parametrize(
    ("role", "kind", "text"),
    [
        (arn("bad"), InvalidParameterValueException, NOT_LAMBDAS),
        (arn("gone"), InvalidParameterValueException, NOT_LAMBDAS),
        (arn("path/good"), InvalidParameterValueException, NOT_LAMBDAS),
        (arn("good", "444455556666"), AccessDeniedException, FOREIGN),
    ],
)
def test_what_is_refused(check: Check, role: str, kind: type[ApiError], text: str) -> None:
    """A role that is not there, of another account, or another service's; audit tells of it, and off looks at none."""
    refused = check("enforce", Role=role)
    assert type(refused) is kind and refused.message == text
    assert check.told == []
    assert check("audit", Role=role) is None
    assert check.told == [("lambda.amazonaws.com", role)]
    assert check("off", Role=role) is None


def test_what_is_taken(check: Check) -> None:
    """A role whose trust policy names Lambda; a request that names none changes nothing."""
    assert check("enforce", Role=arn("good")) is None
    assert check("enforce", Description="d") is None
