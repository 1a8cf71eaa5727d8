"""
A new database, made from `tables.py` in one go and in the server's own process.

It is what the migrations lead to (a test compares the two), without the half second that a process with the migration
tool and all its steps would take of a first start.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.schema import CreateIndex, CreateTable

from lambent.store.tables import APPLICATION_ID, SCHEMA, metadata

_FIRST_ROWS = (
    "INSERT INTO log_position (id, segment, offset) VALUES (1, 0, 0)",
    "INSERT INTO event_numbers (id, next_number, latest_us) VALUES (1, 1, 0)",
    "INSERT INTO trace_totals (id, stored_bytes) VALUES (1, 0)",
)
"""Of tables that always have one row."""

_MIGRATED_TO = (
    "CREATE TABLE alembic_version "
    "( version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num) )",
    f"INSERT INTO alembic_version VALUES ('{SCHEMA:04}')",
)
"""What tells the migration tool where the next release has to begin."""


def make_database(path: Path) -> None:
    """
    Make the tables in the empty file at `path`, all in one transaction: killed half-way, it leaves no table.

    Raises:
        sqlite3.Error: the database failed.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in (*_tables(), *_FIRST_ROWS, *_MIGRATED_TO):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")


def _tables() -> Iterator[str]:
    dialect = SQLiteDialect()
    for table in metadata.sorted_tables:
        yield str(CreateTable(table).compile(dialect=dialect))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield str(CreateIndex(index).compile(dialect=dialect))
