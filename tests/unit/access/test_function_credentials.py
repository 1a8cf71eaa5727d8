"""Credentials of environments: whose they are, how long they last, and that they end."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambent.access.authentication import Verifying
from lambent.access.function_credentials import (
    FRESH_S,
    OUTLIVES_S,
    EnvironmentCredentials,
    FunctionCredentials,
    RoleIds,
)
from lambent.access.keyring import Keyring
from lambent.clock import SystemClock
from lambent.domain.caller import Inside, Scope
from lambent.domain.function import LATEST, Code, Configuration, Deployment, FunctionName
from lambent.domain.identity import Role
from lambent.domain.principal import Principal
from lambent.errors.families import ApiError, ExpiredToken
from lambent.protocol.wire import WireRequest
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.testing.credentials import SECRETS, function_credentials
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

ACCOUNT = "111122223333"
BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
SCOPE = Scope(ACCOUNT, "eu-west-1")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/r"


def deployment(role: str = ROLE) -> Deployment:
    configuration = Configuration("python3.13", "app.handler", role)
    return Deployment(SCOPE, FunctionName("f"), LATEST, "d", configuration, Code("0" * 64, 1))


def begun(role: str = ROLE, clock: VirtualClock | None = None) -> EnvironmentCredentials:
    return asyncio.run(function_credentials(clock or VirtualClock(), lasts_s=100).begin(deployment(role)))


def opened(credentials: Any) -> Principal:
    return SECRETS.open(credentials.access_key, credentials.session_token)


def test_a_function_is_a_session_of_its_role() -> None:
    """Its name is the function's; it lasts as long as the environment may, and says which that is."""
    clock = VirtualClock()
    made = begun(clock=clock)
    got = opened(made.issue())
    assert got.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/r/f"
    assert (got.account, got.identity_arn) == (ACCOUNT, ROLE)
    assert got.session is not None
    assert (got.session.environment, got.session.function_arn) == (
        made.environment, f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f",
    )  # fmt: skip
    assert got.session.expires_at == int(clock.now()) + 100 + OUTLIVES_S


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("arn:aws:iam::999999999999:role/r", "r"),
        ("arn:aws:iam::111122223333:role/" + "n" * 9_000, "n" * 64),
        ("arn:aws:iam::111122223333:role/" + "/".join(map(str, range(3_000))), "2999"),
        ("role", "role"),
    ],
    ids=["another account's", "too long", "too deep", "none"],
)
def test_whatever_stands_for_a_role_is_one_of_the_functions_account(role: str, name: str) -> None:
    """That has no policies: an id which no role has says so. The session's token stays within its limits."""
    got = opened(begun(role).issue())
    assert (got.account, got.name) == (ACCOUNT, name)
    assert got.identity_id.startswith("AROA") and got.identity_id.endswith("0") and len(got.identity_id) == 21
    assert opened(begun(role).issue()).identity_id == got.identity_id


def test_they_end_with_the_environment() -> None:
    """Each counts only while its own environment is there; after a restart none of before does."""

    async def story() -> None:
        given = function_credentials(VirtualClock())
        first, second = await given.begin(deployment()), await given.begin(deployment())
        assert first.environment != second.environment
        inside = Inside(SCOPE, "arn", first.environment)
        assert given.session_of(inside) == first.principal
        first.end()
        first.end()
        assert not given.is_alive(first.environment) and given.is_alive(second.environment)
        assert given.session_of(inside) is None
        assert not given.is_alive("")
        restarted = function_credentials(VirtualClock())
        assert not restarted.is_alive(second.environment)

    asyncio.run(story())


def test_what_they_sign_counts_as_long_as_the_environment_is_there(tmp_path: Path) -> None:
    """Then they have expired, whatever they say; and from inside another environment they never counted."""
    make_sqlite(tmp_path / "state.db")

    async def story() -> None:
        async with Database(tmp_path / "state.db") as database:
            clock = SystemClock()
            given = function_credentials(clock)
            made = await given.begin(deployment())
            keyring = Keyring(IdentityRepository(database), SECRETS)
            verifying = Verifying(keyring, clock, is_alive=given.is_alive)

            async def ask(environment: str = "") -> Principal:
                inside = Inside(SCOPE, "arn", environment) if environment else None
                claim = await verifying.begin(signed(made.issue(), inside), "sts")
                claim.check_body(BODY)
                return claim.principal

            assert (await ask()).arn == (await ask(made.environment)).arn == made.principal.arn
            other = await given.begin(deployment())
            with pytest.raises(ApiError):
                await ask(other.environment)
            made.end()
            with pytest.raises(ExpiredToken):
                await ask()

    asyncio.run(story())


def signed(credentials: Any, inside: Inside | None) -> WireRequest:
    """Return GetCallerIdentity as a client signs it."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Host": "localhost:4566"}
    request = AWSRequest("POST", "http://localhost:4566/", headers=headers, data=BODY)
    key = Credentials(credentials.access_key, credentials.secret_key, credentials.session_token)
    SigV4Auth(key, "sts", "eu-west-1").add_auth(request)
    found = {name.lower(): value for name, value in request.headers.items()}
    pairs = [(name.encode(), value.encode()) for name, value in found.items()]
    return WireRequest("POST", "/", headers=found, pairs=pairs, body=BODY, inside=inside)


def test_fresh_ones_are_for_who_has_the_token() -> None:
    """They last an hour, from when they were asked for."""
    clock = VirtualClock()
    made = begun(clock=clock)
    clock.advance(5_000)
    found = made.refresh(made.token)
    assert found is not None
    session = opened(found).session
    assert session is not None
    assert (session.environment, session.issued_at) == (made.environment, int(clock.now()))
    assert session.expires_at == found.expires_at == int(clock.now()) + FRESH_S
    assert made.refresh("") is made.refresh(made.token[:-1]) is made.refresh("\xff") is None
    assert begun(clock=VirtualClock(7)).refresh(made.token) is None


def test_role_ids_are_those_of_now(tmp_path: Path) -> None:
    """A role is looked up once, and anew when an identity of its account changes; by the whole of its ARN."""
    make_sqlite(tmp_path / "state.db")
    role = Role(account=ACCOUNT, name="r", path="/team/", unique_id="AROA1", created_at=1, trust_policy="{}")

    async def story() -> None:
        async with Database(tmp_path / "state.db") as database:
            identities = IdentityRepository(database)
            role_ids = RoleIds(identities)
            reads: list[str] = []
            count_reads(identities, reads)
            assert await role_ids(ACCOUNT, ROLE) is None
            await put(identities, role)
            assert await role_ids(ACCOUNT, ROLE) == await role_ids(ACCOUNT, ROLE) == "AROA1"
            assert reads == [ACCOUNT] * 2
            assert await role_ids(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/r") is None
            async with identities.transaction(ACCOUNT) as tx:
                await tx.delete(Role, "r")
            await put(identities, msgspec.structs.replace(role, unique_id="AROA2"))
            assert await role_ids(ACCOUNT, ROLE) == "AROA2"
            given = FunctionCredentials(SECRETS, role_ids, VirtualClock(), lasts_s=1)
            assert (await given.begin(deployment())).principal.unique_id == "AROA2:f"

    asyncio.run(story())


async def put(identities: IdentityRepository, role: Role) -> None:
    async with identities.transaction(role.account) as tx:
        await tx.save(role)


def count_reads(identities: IdentityRepository, reads: list[str]) -> None:
    snapshot: Callable[[str], Any] = identities.snapshot

    def counted(account: str) -> Any:
        reads.append(account)
        return snapshot(account)

    identities.snapshot = counted  # type: ignore[method-assign]
