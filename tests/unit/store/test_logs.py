"""What the log repository does beyond the store's suite: it walks indexes, and sweeps up after a crash."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from lambent.domain.caller import Scope
from lambent.store.contract import LogPosition, NewLogEvent
from lambent.testing.stores import make_sqlite, open_sqlite

SCOPE = Scope(account="111122223333", region="eu-west-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_sqlite(tmp_path / "state.db")
    return tmp_path / "state.db"


def test_events_of_a_group_whose_deletion_was_cut_short_are_swept(path: Path) -> None:
    """A crash between deleting a group and sweeping its events leaves them to the next sweep, shown to nobody."""

    async def run() -> None:
        async with open_sqlite(str(path)) as stores:
            event = NewLogEvent(SCOPE, "g", "s", 1, 1, "x")
            await stores.logs.fold([event], [], [], LogPosition(1, 1))
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("INSERT INTO deleted_log_groups SELECT id FROM log_groups")
            connection.execute("DELETE FROM log_groups")
        async with open_sqlite(str(path)) as stores:
            await stores.logs.fold([event], [], [], LogPosition(1, 2))
            assert len(await stores.logs.events(SCOPE, "g", limit=10)) == 1
            assert await stores.logs.drop_expired(0) == 1
            assert await stores.logs.drop_expired(0) == 0
            assert len(await stores.logs.events(SCOPE, "g", limit=10)) == 1
        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT count(*) FROM log_events").fetchone() == (1,)
            assert connection.execute("SELECT count(*) FROM deleted_log_groups").fetchone() == (0,)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("e.group_id = 1", "log_events_by_group"),
        ("e.stream_id = 1", "log_events_by_stream"),
        ("e.group_id = 1 AND s.name IN ('a', 'b')", "log_events_by_group"),
    ],
)
def test_pages_of_events_walk_an_index(path: Path, where: str, index: str) -> None:
    """Reading a page neither scans a table nor sorts, however many events there are."""
    query = f"""
        SELECT s.name, e.message FROM log_events e JOIN log_streams s ON s.id = e.stream_id
        WHERE {where} AND (e.timestamp_ms, e.ingestion_ms, e.sequence) > (1, 2, 3)
        ORDER BY e.timestamp_ms DESC, e.ingestion_ms DESC, e.sequence DESC LIMIT 10
    """
    with sqlite3.connect(path) as connection:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    connection.close()
    assert index in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan
