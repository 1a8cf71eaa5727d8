"""When keys and roles were used last."""

import asyncio
from pathlib import Path

import pytest

from lambent.access import key_use
from lambent.access.key_use import KeyUse
from lambent.domain.identity import AccessKey, Role
from lambent.domain.principal import ANONYMOUS, Principal, PrincipalType, Session, root_of, session_of_role
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

ACCOUNT = "111122223333"
KEY = AccessKey(account=ACCOUNT, access_key="AKIAEXAMPLE", owner_id="AIDA", created_at=0)
ROLE = Role(account=ACCOUNT, name="r", unique_id="AROAEXAMPLE", created_at=0, trust_policy="{}")
USER = Principal(PrincipalType.USER, ACCOUNT, "arn", "AIDA", "arn", access_key=KEY.access_key)
SESSION = session_of_role(ACCOUNT, "r", "/", ROLE.unique_id, Session("s", 0, 1), access_key="ASIA")


async def stored(repository: IdentityRepository) -> tuple[AccessKey, Role]:
    async with repository.snapshot(ACCOUNT) as rows:
        key, role = await rows.get(AccessKey, KEY.access_key), await rows.get(Role, "r")
    assert key is not None and role is not None
    return key, role


def test_uses_are_written_down_from_time_to_time(tmp_path: Path) -> None:
    """The latest of each; nobody is told of a change, and who has no key is not noted."""
    make_sqlite(tmp_path / "state.db")

    async def story() -> None:
        clock = VirtualClock()
        async with Database(tmp_path / "state.db") as database:
            repository = IdentityRepository(database)
            async with repository.transaction(ACCOUNT) as tx:
                await tx.save(KEY)
                await tx.save(ROLE)
            told: list[str] = []
            repository.on_change(told.append)
            uses = KeyUse(repository, clock)
            for nobody in (ANONYMOUS, root_of(ACCOUNT)):
                uses.note(nobody, "lambda", "eu-west-1")
            uses.note(USER, "sqs", "us-east-1")
            first = clock.now()
            uses.note(USER, "lambda", "eu-west-1")
            uses.note(SESSION, "logs", "eu-west-2")
            uses.note(Principal(PrincipalType.USER, ACCOUNT, "a", "AIDA", "a", access_key="gone"), "s3", "")
            assert (await stored(repository))[0].last_used_at is None
            await uses.flush()
            key, role = await stored(repository)
            assert (key.last_used_at, key.last_used_service, key.last_used_region) == (
                float(int(first)),
                "lambda",
                "eu-west-1",
            )
            assert (role.last_used_at, role.last_used_region) == (float(int(first)), "eu-west-2")
            assert told == []
            # What was written is not written again.
            await uses.flush()

    asyncio.run(story())


def test_what_was_noted_is_written_at_the_end(tmp_path: Path) -> None:
    """A server that stops loses none of it."""
    make_sqlite(tmp_path / "state.db")

    async def story() -> None:
        async with Database(tmp_path / "state.db") as database:
            repository = IdentityRepository(database)
            async with repository.transaction(ACCOUNT) as tx:
                await tx.save(KEY)
                await tx.save(ROLE)
            uses = KeyUse(repository, VirtualClock())
            running = asyncio.create_task(uses.run())
            await asyncio.sleep(0)
            uses.note(USER, "lambda", "eu-west-1")
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert (await stored(repository))[0].last_used_service == "lambda"

    asyncio.run(story())


def test_only_so_many_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of keys takes no more memory; those that are known are noted on."""
    monkeypatch.setattr(key_use, "_NOTED_MAX", 1)
    make_sqlite(tmp_path / "state.db")

    async def story() -> None:
        async with Database(tmp_path / "state.db") as database:
            repository = IdentityRepository(database)
            async with repository.transaction(ACCOUNT) as tx:
                await tx.save(KEY)
                await tx.save(ROLE)
            uses = KeyUse(repository, VirtualClock())
            uses.note(USER, "sqs", "eu-west-1")
            uses.note(SESSION, "logs", "eu-west-2")
            uses.note(USER, "lambda", "eu-west-1")
            await uses.flush()
            key, role = await stored(repository)
            assert (key.last_used_service, role.last_used_at) == ("lambda", None)

    asyncio.run(story())
