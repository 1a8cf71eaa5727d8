"""Migrations, in a child process as the server runs them."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, create_engine

from lambent.store.database import schema_of
from lambent.store.tables import SCHEMA, metadata


def migrate(path: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "lambent.store.migrate", str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_migrations_lead_to_the_tables(tmp_path: Path) -> None:
    """A new file becomes, silently, a database with the tables of `tables.py`, private to its owner; again is fine."""
    path = tmp_path / "state.db"
    for _ in range(2):
        done = migrate(path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert schema_of(path) == SCHEMA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.db"]
    engine = create_engine(URL.create("sqlite", database=str(path)))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_newest_migration_has_the_schema_number() -> None:
    """`SCHEMA` is the number of the newest file in `versions/`."""
    versions = Path(__file__).parents[3] / "src" / "lambent" / "store" / "migrations" / "versions"
    assert max(int(file.name.partition("_")[0]) for file in versions.glob("*.py")) == SCHEMA


def test_what_is_no_database_of_ours_is_left_alone(tmp_path: Path) -> None:
    """A foreign or newer file stops it with 1 and one line that names the trouble; the file stays as it is."""
    text = tmp_path / "text"
    text.write_text("not a database")
    newer = tmp_path / "newer.db"
    assert migrate(newer).returncode == 0
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for path in (text, newer):
        before = path.read_bytes()
        done = migrate(path)
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
        assert path.read_bytes() == before


def test_the_store_does_not_load_the_migration_tool() -> None:
    """Opening the store imports nothing of Alembic: that stays in the child process."""
    program = (
        "import sys, lambent.store.database, lambent.store.functions, lambent.store.logs;"
        "print([name for name in sys.modules if name.split('.')[0] in ('alembic', 'mako')])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
