"""Budgets in the database: rows, notices, and their limits."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from lambent.domain.budget import (
    Budget,
    BudgetPeriod,
    Counted,
    Measure,
    PeriodState,
    PriceClass,
    Quantities,
    Watched,
)
from lambent.store import budgets as module
from lambent.store.budgets import BudgetRepository
from lambent.store.budgets_contract import NewNotice
from lambent.store.database import Database
from lambent.testing.stores import make_sqlite

ONE, TWO = "111122223333", "444455556666"
STATE = PeriodState(
    86_400, (50,), Decimal("12.5"), (Counted(PriceClass("r", "arm64", "on-demand", ""), Quantities(1, 2)),), 3
)


def run(folder: Path, story: Callable[[BudgetRepository], Awaitable[None]]) -> None:
    async def told() -> None:
        make_sqlite(folder / "state.db")
        async with Database(folder / "state.db") as database:
            await story(BudgetRepository(database))

    asyncio.run(told())


def budget(name: str, account: str = ONE) -> Budget:
    return Budget(
        account, name, Watched("f", "r"), Measure.MONEY, Decimal("0.100000001"), BudgetPeriod.MONTH, (50,), ("u",),
        True, 1.5, 0, (STATE,),
    )  # fmt: skip


def notice(name: str = "b", target: str = "u", account: str = ONE) -> NewNotice:
    return NewNotice(account, name, target, "id", 50, 0, 1.0, "{}")


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    """To the last digit, with a revision that counts writes; each account has its own."""

    async def story(store: BudgetRepository) -> None:
        async with store.transaction(ONE) as rows:
            saved = await rows.save(budget("b"))
            assert saved == msgspec.structs.replace(budget("b"), revision=1)
            await rows.save(budget("a"))
        async with store.transaction(ONE) as rows:
            assert (await rows.save(saved)).revision == 2
        async with store.transaction(TWO) as rows:
            assert await rows.get("b") is None and await rows.count() == 0
            await rows.save(budget("b", TWO))
        async with store.snapshot(ONE) as rows:
            assert [one.name for one in await rows.list()] == ["a", "b"] and await rows.count() == 2
            assert await rows.get("b") == msgspec.structs.replace(budget("b"), revision=2)
        assert [(one.account, one.name) for one in await store.every()] == [(ONE, "a"), (ONE, "b"), (TWO, "b")]

    run(tmp_path, story)


def test_a_transaction_that_raises_leaves_all_as_it_was(tmp_path: Path) -> None:
    async def story(store: BudgetRepository) -> None:
        calls: list[None] = []
        store.on_notices(lambda: calls.append(None))
        with pytest.raises(RuntimeError):
            async with store.transaction(ONE) as rows:
                await rows.save(budget("b"))
                await rows.order([notice()])
                raise RuntimeError
        assert await store.every() == [] and await store.pending_count() == 0 and calls == []

    run(tmp_path, story)


def test_notices_wait_until_they_are_finished(tmp_path: Path) -> None:
    """In the order in which they came; what came of a try is kept; who waits for some is woken by the commit."""

    async def story(store: BudgetRepository) -> None:
        calls: list[None] = []
        store.on_notices(lambda: calls.append(None))
        async with store.transaction(ONE) as rows:
            assert await rows.order([]) == 0
        assert calls == []
        async with store.transaction(ONE) as rows:
            await rows.order([notice(target="u"), notice(target="v"), notice("c")])
            assert calls == []
        assert len(calls) == 1
        first, second, third = await store.pending(limit=9)
        assert [one.notice.target for one in (first, second)] == ["u", "v"]
        assert [one.number for one in await store.pending(after=first.number, limit=1)] == [second.number]
        failed = msgspec.structs.replace(first.notice, tries=1, failure="down")
        assert await store.note_failure(first.number, failed)
        async with store.snapshot(ONE) as rows:
            assert (await rows.notices())[0].notice == failed
        async with store.snapshot(TWO) as rows:
            assert await rows.notices() == []
        assert await store.finish(second.number) and not await store.finish(second.number)
        async with store.transaction(ONE) as rows:
            await rows.save(budget("b"))
            assert await rows.delete("b") and not await rows.delete("b")
        assert [one.number for one in await store.pending(limit=9)] == [third.number]
        assert not await store.note_failure(first.number, failed)

    run(tmp_path, story)


def test_an_account_has_room_for_so_many_notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is not stored, and it is said how many; another account's have room."""
    monkeypatch.setattr(module, "NOTICES_MAX", 3)

    async def story(store: BudgetRepository) -> None:
        async with store.transaction(ONE) as rows:
            assert await rows.order([notice()] * 2) == 0
            assert await rows.order([notice()] * 3) == 2
            assert await rows.order([notice()]) == 1
        async with store.transaction(TWO) as rows:
            assert await rows.order([notice(account=TWO)]) == 0
        assert await store.pending_count() == 4

    run(tmp_path, story)
