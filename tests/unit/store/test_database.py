"""Connections, transactions and failures of the database."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from lambent.errors.families import DependencyError
from lambent.store import database
from lambent.store.contract import Conflict
from lambent.store.database import CorruptDatabase, Database, schema_of
from lambent.store.tables import SCHEMA
from lambent.testing.stores import make_sqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_sqlite(tmp_path / "state.db")
    return tmp_path / "state.db"


def test_a_migrated_database_tells_its_schema(path: Path) -> None:
    """The number is read without leaving a file behind."""
    before = path.read_bytes()
    assert schema_of(path) == SCHEMA
    assert [entry.name for entry in path.parent.iterdir()] == ["state.db"]
    assert path.read_bytes() == before


def test_the_schema_is_read_through_the_wal(path: Path) -> None:
    """A number that a crash left in the WAL counts."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA user_version = 77")
    assert schema_of(path) == 77
    connection.close()


def test_no_database_has_schema_zero(tmp_path: Path) -> None:
    """Absent and empty files are databases that were never migrated; looking makes none."""
    assert schema_of(tmp_path / "state.db") == 0
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "state.db").touch()
    assert schema_of(tmp_path / "state.db") == 0


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """Other files, damaged ones and other programs' databases are told apart from ours and left alone."""
    other = tmp_path / "text"
    other.write_text("a text of somebody's, longer than the header of a database" * 10)
    damaged = tmp_path / "damaged.db"
    make_sqlite(damaged)
    damaged.write_bytes(damaged.read_bytes()[:150] + b"\xff" * 6000)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    for refused in (other, damaged, foreign, tmp_path):
        with pytest.raises(CorruptDatabase) as caught:
            schema_of(refused)
        assert str(refused) in str(caught.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["damaged.db", "foreign.db", "text"]


def test_commits_are_synced(path: Path) -> None:
    """Every connection writes ahead, syncs fully, and minds foreign keys."""

    async def run() -> list[object]:
        async with Database(path) as opened:
            names = ("journal_mode", "synchronous", "foreign_keys")
            return [(await opened.rows(text(f"PRAGMA {name}")))[0][0] for name in names]

    full = 2
    assert asyncio.run(run()) == ["wal", full, 1]


def test_a_database_is_not_made_by_opening_it(tmp_path: Path) -> None:
    """A missing file is a failure of the first statement, not a new empty database."""

    async def run() -> None:
        async with Database(tmp_path / "state.db") as opened:
            with pytest.raises(DependencyError):
                await opened.rows(text("SELECT 1"))

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


def test_a_broken_constraint_is_a_conflict(path: Path) -> None:
    """The contract's exception comes, not the driver's."""

    async def run() -> None:
        async with Database(path) as opened:
            with pytest.raises(Conflict):
                async with opened.write() as statements:
                    await statements.change(text("INSERT INTO log_position VALUES (1, 0, 0, 1)"))

    asyncio.run(run())


def test_a_locked_database_is_worth_another_try(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process holds the lock, writing fails as retryable and reading goes on."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def run() -> None:
        async with Database(path) as opened:
            with pytest.raises(DependencyError) as caught:
                async with opened.write():
                    pass
            assert caught.value.retryable
            assert (await opened.rows(text("SELECT segment FROM log_position")))[0][0] == 0
            other.execute("ROLLBACK")
            async with opened.write() as statements:
                assert await statements.change(text("UPDATE log_position SET segment = 1")) == 1

    asyncio.run(run())
    other.close()


def test_a_bad_statement_is_not_worth_another_try(path: Path) -> None:
    """What fails by itself fails again."""

    async def run() -> None:
        async with Database(path) as opened, opened.snapshot() as statements:
            with pytest.raises(DependencyError) as caught:
                await statements.rows(text("SELECT nothing"))
            assert not caught.value.retryable

    asyncio.run(run())


def test_a_damaged_database_is_told_so(path: Path) -> None:
    """Damage met while serving is the same failure as damage met at the start."""
    path.write_bytes(b"no database at all, but long enough to look at" * 100)

    async def run() -> None:
        async with Database(path) as opened:
            with pytest.raises(CorruptDatabase):
                await opened.rows(text("SELECT 1 FROM log_position"))

    asyncio.run(run())


def test_many_readers_share_few_connections(path: Path) -> None:
    """Readers beyond the connections wait for one instead of failing."""

    async def run() -> None:
        async with Database(path) as opened:
            rows = await asyncio.gather(*(opened.rows(text("SELECT segment FROM log_position")) for _ in range(50)))
            assert [row[0][0] for row in rows] == [0] * 50

    asyncio.run(run())


def test_a_cancelled_call_gives_its_connection_back(path: Path) -> None:
    """Wherever reading or writing is cancelled, its connection is free for the next."""

    async def snapshot(opened: Database) -> None:
        async with opened.snapshot() as statements:
            await statements.rows(text("SELECT 1"))

    async def glance(opened: Database) -> None:
        await opened.rows(text("SELECT 1"))

    async def write(opened: Database) -> None:
        async with opened.write() as statements:
            await statements.change(text("UPDATE log_position SET segment = 1"))

    async def cancelled_after(
        turns: int, opened: Database, story: Callable[[Database], Coroutine[Any, Any, None]]
    ) -> bool:
        task = asyncio.create_task(story(opened))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    async def run() -> None:
        for story in (snapshot, glance, write):
            async with Database(path) as opened:
                turns = 0
                while await cancelled_after(turns, opened, story):
                    turns += 1
                    # Those that are not given back would soon be all that there are.
                    async with asyncio.timeout(5):
                        await glance(opened)
                        await write(opened)
                assert turns > 3

    asyncio.run(run())


def test_a_transaction_that_the_database_ended_does_not_go_on(path: Path) -> None:
    """SQLite rolls back by itself when its disk is full: what follows is refused, and never committed by itself."""

    async def run() -> None:
        async with Database(path) as opened:
            pages = (await opened.rows(text("PRAGMA page_count")))[0][0]
            with pytest.raises(DependencyError, match="has ended"):
                async with opened.write() as statements:
                    await statements.rows(text(f"PRAGMA max_page_count = {pages + 1}"))
                    await statements.change(text("UPDATE log_position SET segment = 1"))
                    with pytest.raises(DependencyError, match="full"):
                        await statements.change(text("INSERT INTO deleted_log_groups VALUES (zeroblob(1000000))"))
                    with pytest.raises(DependencyError, match="has ended"):
                        await statements.change(text("UPDATE log_position SET segment = 2"))
            assert (await opened.rows(text("SELECT segment FROM log_position")))[0][0] == 0
            with pytest.raises(DependencyError, match="has ended"):
                await statements.change(text("UPDATE log_position SET segment = 3"))
            async with opened.write() as statements:
                await statements.change(text("UPDATE log_position SET segment = 4"))

    asyncio.run(run())


def test_after_a_commit_that_failed_the_next_write_begins_anew(path: Path) -> None:
    """What such a commit leaves open is nobody's."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE late (x REFERENCES log_position (id) DEFERRABLE INITIALLY DEFERRED)")
    connection.close()

    async def run() -> None:
        async with Database(path) as opened:
            with pytest.raises(Conflict):
                async with opened.write() as statements:
                    await statements.change(text("INSERT INTO late VALUES (77)"))
            async with opened.write() as statements:
                await statements.change(text("UPDATE log_position SET segment = 1"))
            assert await opened.rows(text("SELECT x FROM late")) == []

    asyncio.run(run())
