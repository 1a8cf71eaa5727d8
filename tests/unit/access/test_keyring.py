"""What is remembered of keys is never older than the last change."""

import asyncio
from pathlib import Path

from lambent.access.keyring import Keyring
from lambent.access.secrets import Secrets
from lambent.domain.access_key import encode_id
from lambent.domain.identity import AccessKey, Account, User
from lambent.domain.principal import root_of
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.testing.stores import make_sqlite

ACCOUNT = "111122223333"
KEY = encode_id("AKIA", ACCOUNT, "0" * 20)
OWN = AccessKey(account=ACCOUNT, access_key=KEY, owner_id=ACCOUNT, created_at=0)


def test_on_the_real_store(tmp_path: Path) -> None:
    """Made, switched off, switched on, its account closed, gone: each counts with the next request."""

    async def story() -> None:
        make_sqlite(tmp_path / "state.db")
        async with Database(tmp_path / "state.db") as database:
            store = IdentityRepository(database)
            secrets = Secrets(b"s" * 32)
            keyring = Keyring(store, secrets)
            assert await keyring.find(KEY) == (secrets.of_key(KEY), None)
            off = AccessKey(account=ACCOUNT, access_key=KEY, owner_id=ACCOUNT, created_at=0, is_active=False)
            closed = Account(account=ACCOUNT, name="a", created_at=0, is_open=False)
            for identity, is_known in ((OWN, True), (off, False), (OWN, True), (closed, False)):
                async with store.transaction(ACCOUNT) as rows:
                    await rows.save(identity)
                for _ in range(2):
                    secret, principal = await keyring.find(KEY)
                    assert principal == (root_of(ACCOUNT, KEY) if is_known else None)
                    assert secret == secrets.of_key(KEY)
            assert not await keyring.is_open(ACCOUNT)
            async with store.transaction(ACCOUNT) as rows:
                await rows.save(Account(account=ACCOUNT, name="a", created_at=0))
            assert await keyring.is_open(ACCOUNT)
            assert (await keyring.find(KEY))[1] is not None
            async with store.transaction(ACCOUNT) as rows:
                await rows.delete(AccessKey, KEY)
            assert (await keyring.find(KEY))[1] is None

    asyncio.run(story())


def test_a_key_of_a_user(tmp_path: Path) -> None:
    """It is nobody's as soon as its user is gone, though its row were left."""

    async def story() -> None:
        make_sqlite(tmp_path / "state.db")
        async with Database(tmp_path / "state.db") as database:
            store = IdentityRepository(database)
            keyring = Keyring(store, Secrets(b"s" * 32))
            async with store.transaction(ACCOUNT) as rows:
                await rows.save(User(account=ACCOUNT, name="bob", unique_id="AIDA1", created_at=0))
                await rows.save(AccessKey(account=ACCOUNT, access_key=KEY, owner_id="AIDA1", created_at=0))
            found = (await keyring.find(KEY))[1]
            assert found is not None and found.arn == f"arn:aws:iam::{ACCOUNT}:user/bob"
            async with store.transaction(ACCOUNT) as rows:
                await rows.delete(User, "bob")
            assert (await keyring.find(KEY))[1] is None

    asyncio.run(story())


def test_a_change_while_a_key_is_looked_up(tmp_path: Path) -> None:
    """What was read before a change is not remembered after it."""

    async def story() -> None:
        make_sqlite(tmp_path / "state.db")
        async with Database(tmp_path / "state.db") as database:
            store = IdentityRepository(database)
            keyring = Keyring(store, Secrets(b"s" * 32))
            async with store.transaction(ACCOUNT) as rows:
                await rows.save(OWN)
            look_up = keyring._look_up

            async def slowly(account: str, access_key: str):  # type: ignore[no-untyped-def]
                found = await look_up(account, access_key)
                async with store.transaction(ACCOUNT) as rows:
                    await rows.delete(AccessKey, KEY)
                return found

            keyring._look_up = slowly  # type: ignore[method-assign]
            await keyring.find(KEY)
            keyring._look_up = look_up  # type: ignore[method-assign]
            assert (await keyring.find(KEY))[1] is None

    asyncio.run(story())
