"""Limits of accounts: the operator's where something was set, remembered until it changes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from lambent.access.account_limits import AccountLimits
from lambent.domain.identity import Account
from lambent.domain.quotas import Quotas
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.testing.stores import make_sqlite

TEAM = Account(account="111122223333", name="team", created_at=1.0, concurrent_executions=5)
QUOTAS = Quotas(concurrent_executions=100)


class Counted(IdentityRepository):
    """Counts how often it is asked."""

    asked = 0

    def snapshot(self, account: str):  # type: ignore[no-untyped-def]
        self.asked += 1
        return super().snapshot(account)


def tell(tmp_path: Path, story: Callable[[Counted, AccountLimits], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with Database(tmp_path / "state.db") as database:
            identities = Counted(database)
            await story(identities, AccountLimits(identities, QUOTAS))

    make_sqlite(tmp_path / "state.db")
    asyncio.run(whole())


async def save(identities: Counted, account: Account) -> None:
    async with identities.transaction(account.account) as rows:
        await rows.save(account)


def test_what_was_not_set_is_the_servers(tmp_path: Path) -> None:
    """An account that nobody made has all of the server's limits, and is open; another has those beside its own."""

    async def story(identities: Counted, limits: AccountLimits) -> None:
        await save(identities, TEAM)
        assert await limits.of("999999999999") == QUOTAS
        assert await limits.is_open("999999999999")
        team = await limits.of(TEAM.account)
        assert (team.concurrent_executions, team.code_total_max_bytes) == (5, QUOTAS.code_total_max_bytes)

    tell(tmp_path, story)


def test_the_store_is_asked_once_and_after_a_change(tmp_path: Path) -> None:
    """No call waits for the database; whoever listens is told once an answer would be the new one."""

    async def story(identities: Counted, limits: AccountLimits) -> None:
        await save(identities, TEAM)
        await limits.of(TEAM.account)
        before = identities.asked
        await limits.of(TEAM.account)
        assert identities.asked == before
        told: list[str] = []
        limits.on_change(told.append)
        await save(identities, msgspec.structs.replace(TEAM, is_open=False))
        assert told == [TEAM.account]
        assert not await limits.is_open(TEAM.account)

    tell(tmp_path, story)


def test_a_change_while_it_is_read_is_not_missed(tmp_path: Path) -> None:
    """What was read before it is not remembered after it."""

    async def story(identities: Counted, limits: AccountLimits) -> None:
        await save(identities, TEAM)

        class Slow(Counted):
            def snapshot(self, account: str):  # type: ignore[no-untyped-def]
                limits._note_change(account)
                return super().snapshot(account)

        identities.__class__ = Slow
        await limits.of(TEAM.account)
        assert limits._kept == {}

    tell(tmp_path, story)
