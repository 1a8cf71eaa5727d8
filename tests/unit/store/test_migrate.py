"""Migrations, in a child process as the server runs them."""

import asyncio
import contextlib
import json
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, create_engine

from lambent.domain.caller import Scope
from lambent.domain.function import Configuration
from lambent.store.contract import LogPosition, NewLogEvent
from lambent.store.database import schema_of
from lambent.store.tables import APPLICATION_ID, SCHEMA, metadata
from lambent.testing.stores import open_sqlite


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


def make_schema_1(path: Path) -> None:
    """Write a database as the first schema had it, with a function whose inert EphemeralStorage was stored."""
    inert = {
        "runtime": "r",
        "handler": "h",
        "role": "x",
        "inert": {"EphemeralStorage": {"Size": 20_000}, "DeadLetterConfig": {}},
    }
    serving = {"configuration": {**inert, "inert": {"EphemeralStorage": {"Size": 1024}}}}
    function = {"name": "f", "last_published": {"version": "1", "configuration": inert, "code_sha256": "0"}}
    engine = create_engine(URL.create("sqlite", database=str(path)))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "lambent.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO functions VALUES ('1', 'r', 'f', 1, ?)", (json.dumps(function),))
        connection.exec_driver_sql("INSERT INTO functions VALUES ('1', 'r', 'plain', 1, '{\"name\":\"plain\"}')")
        for number, document in enumerate(({"configuration": inert, "serving": serving}, {"configuration": {}})):
            connection.exec_driver_sql(
                "INSERT INTO function_versions VALUES ('1', 'r', 'f', ?, 'Active', NULL, 1, 1, ?)",
                (number, json.dumps(document)),
            )
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql("PRAGMA user_version = 1")
    engine.dispose()


def test_sizes_that_were_stored_inert_act(tmp_path: Path) -> None:
    """EphemeralStorage moves out of the inert settings, wherever a configuration is kept; the rest stays as it was."""
    path = tmp_path / "state.db"
    make_schema_1(path)
    assert migrate(path).returncode == 0
    with sqlite3.connect(path) as connection:
        functions = connection.execute("SELECT document, reserved_executions FROM functions ORDER BY name").fetchall()
        versions = connection.execute("SELECT document FROM function_versions ORDER BY number").fetchall()
    connection.close()
    moved = {"runtime": "r", "handler": "h", "role": "x", "inert": {"DeadLetterConfig": {}}, "tmp_mib": 10_240}
    assert json.loads(functions[0][0])["last_published"]["configuration"] == moved
    assert functions[1] == ('{"name":"plain"}', None)
    latest = json.loads(versions[0][0])
    assert latest["configuration"] == moved
    assert latest["serving"]["configuration"]["tmp_mib"] == 1024
    assert latest["serving"]["configuration"]["inert"] == {}
    assert json.loads(versions[1][0]) == {"configuration": {}}


def test_snap_start_that_was_stored_inert_acts(tmp_path: Path) -> None:
    """It moves out of the inert settings; published versions with it are found by their column, `$LATEST` is not."""
    path = tmp_path / "state.db"
    make_schema_1(path)
    inert = {"runtime": "r", "inert": {"SnapStart": {"ApplyOn": "PublishedVersions"}, "DeadLetterConfig": {}}}
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE function_versions SET document = ?", (json.dumps({"configuration": inert}),))
    connection.close()
    assert migrate(path).returncode == 0
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT document, snap_start FROM function_versions ORDER BY number").fetchall()
    connection.close()
    moved = {"configuration": {"runtime": "r", "inert": {"DeadLetterConfig": {}}, "snap_start": True}}
    assert [json.loads(document) for document, _ in rows] == [moved, moved]
    assert [found for _, found in rows] == [None, "PublishedVersions"]


def test_log_events_of_before_are_read_and_packed(tmp_path: Path) -> None:
    """Rows stay readable under their ids, get no number twice, and become chunks with the next sweep."""
    path = tmp_path / "state.db"
    make_schema_1(path)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO log_groups VALUES (1, '1', 'r', 'g', 5, NULL, 16200, 1)")
        connection.execute("INSERT INTO log_streams VALUES (1, 1, '1', 'r', 's', 5, 0, 599, 599, 1)")
        connection.executemany(
            "INSERT INTO log_events VALUES (?, 1, 1, ?, ?, 27, 'x')",
            [(number + 1, number, number) for number in range(600)],
        )
    connection.close()
    assert migrate(path).returncode == 0
    scope = Scope("1", "r")

    async def story() -> None:
        async with open_sqlite(str(path)) as stores:
            before = await stores.logs.events(scope, "g", limit=1_000)
            assert [event.sequence for event in before] == list(range(1, 601))
            await stores.logs.fold([NewLogEvent(scope, "g", "s", 700, 700, "new")], [], [], LogPosition(1, 1))
            await stores.logs.drop_expired(0)
            after = await stores.logs.events(scope, "g", limit=1_000)
            assert after[:600] == before
            assert after[600].sequence == 601

    asyncio.run(story())
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM log_events").fetchone() == (0,)
        assert connection.execute("SELECT event_count FROM log_chunks").fetchall() == [(601,)]


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from lambent.store.migrate import migrate

path, statements = Path(sys.argv[1]), 0

def count(*_):
    global statements
    statements += 1
    if statements == at:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "before_cursor_execute", count)
# Forked with everything imported: a fresh process for each statement would take minutes.
for at in range(1, 1000):
    pid = os.fork()
    if pid == 0:
        migrate(path)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if ended == 0:
        break
    assert ended == -signal.SIGKILL, ended
print(at)
"""
"""Migrates again and again, each time killed one statement later, until nobody kills it."""


def test_killed_at_any_statement_it_begins_again(tmp_path: Path) -> None:
    """kill -9 leaves the database as it was: the next run begins with the old schema and gets to the newest."""
    killed, at_once = tmp_path / "killed.db", tmp_path / "at_once.db"
    for path in (killed, at_once):
        make_schema_1(path)
    assert migrate(at_once).returncode == 0
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, str(killed)], check=True, capture_output=True, text=True, timeout=120
    )
    assert int(done.stdout) > 10
    dumps = []
    for path in (killed, at_once):
        assert schema_of(path) == SCHEMA
        with contextlib.closing(sqlite3.connect(path)) as connection:
            dumps.append(list(connection.iterdump()))
    assert dumps[0] == dumps[1]


def migrated(path: Path, configuration: dict[str, object]) -> dict[str, object]:
    """
    Return a configuration of the first schema as the migrations leave it.

    It is kept in four places, of two tables; they must agree afterwards.
    """
    make_schema_1(path)
    version = {"configuration": configuration, "serving": {"configuration": configuration}}
    function = {"name": "f", "last_published": {"version": "1", "configuration": configuration}}
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE function_versions SET document = ?", (json.dumps(version),))
        connection.execute("UPDATE functions SET document = ? WHERE name = 'f'", (json.dumps(function),))
    connection.close()
    assert migrate(path).returncode == 0
    with sqlite3.connect(path) as connection:
        versions = [json.loads(row[0]) for row in connection.execute("SELECT document FROM function_versions")]
        (row,) = connection.execute("SELECT document FROM functions WHERE name = 'f'")
    connection.close()
    found = [json.loads(row[0])["last_published"]["configuration"]]
    for document in versions:
        found += [document["configuration"], document["serving"]["configuration"]]
    assert found == [found[0]] * 5
    moved: dict[str, object] = found[0]
    return moved


_STORED: dict[str, object] = {"runtime": "r", "handler": "h", "role": "x"}


def test_settings_that_were_stored_inert_act(tmp_path: Path) -> None:
    """Each moves to where it acts, in every place, and reads as a configuration; the rest stays inert."""
    rest = {"DeadLetterConfig": {"TargetArn": "arn"}}
    inert = {
        "KMSKeyArn": "arn:aws:kms:r:1:key/k",
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "Ipv6AllowedForDualStack": True},
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "INFO"},
        "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},
        # There was nothing behind these two.
        "Layers": ["arn:aws:lambda:r:1:layer:l:1"],
        "FileSystemConfigs": [{"Arn": "a", "LocalMountPath": "/mnt/a"}],
    }
    acts = {
        "kms_key_arn": "arn:aws:kms:r:1:key/k",
        "vpc": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"], "ipv6_allowed": True},
        "logging": {"is_json": True, "application_level": "WARN", "system_level": "INFO"},
        "is_tenant_isolated": True,
    }
    moved = migrated(tmp_path / "state.db", {**_STORED, "inert": {**inert, **rest}})
    assert moved == {**_STORED, **acts, "inert": rest}
    read = json.loads(msgspec.json.encode(msgspec.convert(moved, Configuration)))
    assert {key: read[key] for key in acts} == acts


def test_a_vpc_that_was_stored_in_part_acts(tmp_path: Path) -> None:
    """What a request left out is empty afterwards."""
    moved = migrated(tmp_path / "state.db", {**_STORED, "inert": {"VpcConfig": {"SubnetIds": ["subnet-1"]}}})
    assert moved["vpc"] == {"subnet_ids": ["subnet-1"], "security_group_ids": [], "ipv6_allowed": False}


def test_what_was_never_inert_stays(tmp_path: Path) -> None:
    """A configuration without such settings is left as it is, whatever else it holds."""
    plain = {**_STORED, "environment": {"inert": "x"}, "inert": {}}
    assert migrated(tmp_path / "state.db", plain) == plain


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


def test_dead_letter_queues_that_were_stored_inert_act(tmp_path: Path) -> None:
    """A queue moves to where it acts; a topic, of which nothing comes in this version, stays inert."""
    queue = "arn:aws:sqs:us-east-1:000000000000:dead"
    moved = migrated(tmp_path / "state.db", {**_STORED, "inert": {"DeadLetterConfig": {"TargetArn": queue}}})
    assert moved == {**_STORED, "inert": {}, "dead_letter_arn": queue}
    assert msgspec.convert(moved, Configuration).dead_letter_arn == queue
    topic = {"DeadLetterConfig": {"TargetArn": "arn:aws:sns:us-east-1:000000000000:topic"}}
    (tmp_path / "other").mkdir()
    assert migrated(tmp_path / "other" / "state.db", {**_STORED, "inert": topic}) == {**_STORED, "inert": topic}
