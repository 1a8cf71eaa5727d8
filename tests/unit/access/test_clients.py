"""The operator's accounts and keys: what is made, what is refused, and that no secret is kept."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lambent.access.clients import ADMINISTRATOR, Clients, Refused
from lambent.access.secrets import Secrets
from lambent.domain.access_key import account_of_key
from lambent.domain.identity import Account, User
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

OWN = "000000000000"
OTHER = "111122223333"
SECRETS = Secrets(b"s" * 32)


def tell(tmp_path: Path, story: Callable[[Clients, IdentityRepository], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with Database(tmp_path / "state.db") as database:
            identities = IdentityRepository(database)
            await story(Clients(identities, SECRETS, OWN, VirtualClock()), identities)

    make_sqlite(tmp_path / "state.db")
    asyncio.run(whole())


async def refusal(doing: Awaitable[object]) -> str:
    with pytest.raises(Refused) as refused:
        await doing
    return refused.value.code


def test_a_key_comes_with_its_user_and_account(tmp_path: Path) -> None:
    """Both are made where they are not there; the user has no policy unless it is to be an administrator."""

    async def story(clients: Clients, identities: IdentityRepository) -> None:
        made = await clients.create_key(OTHER, "Bob")
        assert (made.account, made.user, made.has_new_account, made.has_new_user) == (OTHER, "Bob", True, True)
        assert not made.has_policies
        assert account_of_key(made.access_key) == OTHER
        assert made.secret_key == SECRETS.of_key(made.access_key)
        # Names are not distinguished by case: it is the same user.
        again = await clients.create_key(OTHER, "bob", is_admin=True)
        assert (again.user, again.has_new_account, again.has_new_user, again.has_policies) == (
            "Bob",
            False,
            False,
            True,
        )
        async with identities.snapshot(OTHER) as rows:
            user = await rows.get(User, "bob")
        assert user is not None and user.attached == (ADMINISTRATOR,)

    tell(tmp_path, story)


def test_root_has_keys_without_a_user(tmp_path: Path) -> None:
    """A user's name, or a policy, makes no sense beside it."""

    async def story(clients: Clients, identities: IdentityRepository) -> None:
        made = await clients.create_key(OTHER, None, is_root=True)
        assert (made.user, made.has_policies) == (None, True)
        assert await refusal(clients.create_key(OTHER, "u", is_root=True)) == "ValidationError"
        async with identities.snapshot(OTHER) as rows:
            assert await rows.count(User) == 0

    tell(tmp_path, story)


def test_an_owner_has_two_keys(tmp_path: Path) -> None:
    """A third is refused, by rotation as well, until one is revoked; an inactive one counts."""

    async def story(clients: Clients, _: IdentityRepository) -> None:
        first = await clients.create_key(None, None)
        second = await clients.rotate_key(first.access_key)
        assert (second.user, second.account) == ("admin", OWN)
        assert await refusal(clients.rotate_key(second.access_key)) == "LimitExceeded"
        await clients.revoke_key(first.access_key, is_kept=True)
        shown, is_complete = await clients.list_keys()
        assert {key.access_key: key.is_active for key in shown} == {first.access_key: False, second.access_key: True}
        assert is_complete
        assert await refusal(clients.create_key(None, None)) == "LimitExceeded"
        await clients.revoke_key(first.access_key)
        assert await refusal(clients.revoke_key(first.access_key)) == "NoSuchEntity"
        await clients.create_key(None, None)

    tell(tmp_path, story)


@pytest.mark.parametrize(
    ("account", "user"), [("1", None), ("11112222333a", None), (OTHER, "a b"), (OTHER, "x\n"), (OTHER, "u" * 65)]
)
def test_a_name_that_is_none(tmp_path: Path, account: str, user: str | None) -> None:
    """It is refused, and nothing is made."""

    async def story(clients: Clients, identities: IdentityRepository) -> None:
        assert await refusal(clients.create_key(account, user)) == "ValidationError"
        assert await identities.accounts() == []

    tell(tmp_path, story)


@pytest.mark.parametrize("key", ["", "test", "AKIAIOSFODNN7EXAMPLE", "AKIA" + "A" * 16, "x" * 5000])
def test_a_key_that_is_not_there(tmp_path: Path, key: str) -> None:
    """Whatever it looks like."""

    async def story(clients: Clients, _: IdentityRepository) -> None:
        assert await refusal(clients.revoke_key(key)) == "NoSuchEntity"
        assert await refusal(clients.rotate_key(key)) == "NoSuchEntity"

    tell(tmp_path, story)


def test_the_first_key_is_made_once(tmp_path: Path) -> None:
    """It is an administrator's; where there is any key, of whomever, there is none to be made."""

    async def story(clients: Clients, _: IdentityRepository) -> None:
        made = await clients.first_key()
        assert made is not None and (made.account, made.user, made.has_policies) == (OWN, "admin", True)
        assert await clients.first_key() is None

    tell(tmp_path, story)


def test_accounts_are_made_changed_and_closed(tmp_path: Path) -> None:
    """A closed one gets no keys, and keeps those that it has."""

    async def story(clients: Clients, _: IdentityRepository) -> None:
        made = await clients.create_account("team", concurrent_executions=5)
        assert made.account[0] != "0" and len(made.account) == 12
        assert await refusal(clients.create_account("again", made.account)) == "EntityAlreadyExists"
        key = await clients.create_key(made.account, "u")
        await clients.update_account(made.account, {"is_open": False, "concurrent_executions": None})
        assert await refusal(clients.create_key(made.account, "u")) == "AccountClosed"
        assert await refusal(clients.rotate_key(key.access_key)) == "AccountClosed"
        assert len((await clients.list_keys(made.account))[0]) == 1
        (own, team) = await clients.list_accounts()
        assert own.account == OWN
        assert (team.name, team.is_open, team.concurrent_executions) == ("team", False, None)
        await clients.update_account(made.account, {"is_open": True})
        await clients.create_key(made.account, "u")

    tell(tmp_path, story)


def test_the_operators_account_is_changed_and_never_closed(tmp_path: Path) -> None:
    """Nobody could open it again; other accounts have to be there."""

    async def story(clients: Clients, identities: IdentityRepository) -> None:
        assert await refusal(clients.update_account(OWN, {"is_open": False})) == "ValidationError"
        assert await refusal(clients.update_account(OTHER, {"is_open": False})) == "NoSuchEntity"
        await clients.update_account(OWN, {"concurrent_executions": 7})
        async with identities.snapshot(OWN) as rows:
            own = await rows.get(Account, OWN)
        assert own is not None and own.concurrent_executions == 7
        assert [one.account for one in await clients.list_accounts()] == [OWN]

    tell(tmp_path, story)


def test_no_secret_is_stored(tmp_path: Path) -> None:
    """A copy of the database gives nobody a key."""
    secrets: list[str] = []

    async def story(clients: Clients, _: IdentityRepository) -> None:
        made = await clients.create_key(OTHER, "u", is_admin=True)
        secrets.extend([made.secret_key, made.access_key])

    tell(tmp_path, story)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secrets[0].encode() not in stored
    assert secrets[1].encode() in stored
