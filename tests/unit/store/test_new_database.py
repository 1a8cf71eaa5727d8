"""Databases that are made at once, beside those that all migrations made."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lambent.store import new_database
from lambent.store.database import schema_of
from lambent.store.migrate import migrate
from lambent.store.new_database import make_database


def facts(path: Path) -> dict[str, Any]:
    """Return all that a database is: its numbers, what makes its tables and indexes, and its rows."""
    with closing(sqlite3.connect(path)) as connection:
        found: dict[str, Any] = {
            pragma: connection.execute(f"PRAGMA {pragma}").fetchall()
            for pragma in ("application_id", "user_version", "journal_mode", "auto_vacuum", "page_size", "encoding")
        }
        for name, kind, sql in connection.execute("SELECT name, type, sql FROM sqlite_master").fetchall():
            found[name] = kind, " ".join((sql or "").replace('"', "").split())
            if kind == "table":
                found[f"rows of {name}"] = connection.execute(f'SELECT * FROM "{name}"').fetchall()
    return found


def test_it_is_what_the_migrations_lead_to(tmp_path: Path) -> None:
    """Table by table, to the order of the columns, and with the same first rows."""
    (tmp_path / "made.db").touch()
    make_database(tmp_path / "made.db")
    migrate(tmp_path / "migrated.db")
    assert facts(tmp_path / "made.db") == facts(tmp_path / "migrated.db")


def test_half_of_one_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails near the end leaves no table, and the migrations make what it did not."""
    path = tmp_path / "state.db"
    path.touch()
    with monkeypatch.context() as patch, pytest.raises(sqlite3.Error):
        patch.setattr(new_database, "_MIGRATED_TO", ("INSERT INTO nowhere VALUES (1)",))
        make_database(path)
    assert schema_of(path) == 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    migrate(path)
    assert facts(path)["rows of event_numbers"] == [(1, 1, 0)]
