"""
Brings a database to the newest schema: `python -m lambent.store.migrate <path of state.db>`.

Run in a child process, so that the server never loads Alembic. Makes the file when there is none. All
migrations that are due happen in one transaction, the schema number included: killed half-way, it leaves the
database as it was. Exit code 0; or 1 with one line on stderr.
"""

import os
import sqlite3
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from lambent.store.database import BUSY_TIMEOUT_MS, CorruptDatabase, schema_of
from lambent.store.tables import APPLICATION_ID


def migrate(path: Path) -> None:
    """
    Bring the database at `path` to the newest schema.

    Raises:
        CorruptDatabase: the file is not a database of ours.
        CommandError: its schema is newer than this release knows.
        SQLAlchemyError: the database failed.
    """
    schema_of(path)
    # Made here and not by SQLite, whose files anyone may read. It gives its WAL the mode of the database.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", "lambent.store:migrations")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            revision = MigrationContext.configure(connection).get_current_revision()
            assert revision is not None
            # The start compares this one number; a file's revision is the same number with its zeros.
            connection.exec_driver_sql(f"PRAGMA user_version = {int(revision)}")
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    finally:
        engine.dispose()


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def main(arguments: list[str]) -> int:
    """Run as a program; return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m lambent.store.migrate <path of state.db>", file=sys.stderr)
        return 1
    try:
        migrate(Path(arguments[0]))
    except (CorruptDatabase, CommandError, SQLAlchemyError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
