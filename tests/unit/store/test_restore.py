"""Restoring: a data folder that is whole, or the folder as it was."""

import asyncio
import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, create_engine

from lambent.clock import SystemClock
from lambent.errors.families import DependencyError, SettingsError
from lambent.store import backup_format as form
from lambent.store.backup_format import BadBackup, Header
from lambent.store.data_folder import DataFolder
from lambent.store.database import schema_of
from lambent.store.restore import restore
from lambent.store.tables import APPLICATION_ID, SCHEMA
from lambent.testing.backups import always, pack, running


def ignore(_: int) -> None:
    pass


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup of a folder with two functions."""
    file = tmp_path / "backup"

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            for name in ("f", "g"):
                await server.create(name, name.encode() * 1000)
            stream = await server.backups.begin(always)
            file.write_bytes(b"".join([piece async for piece in stream]))
            await stream.aclose()

    asyncio.run(run())
    return file


def everything_in(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def check_refused(file: Path, path: Path, error: type[Exception], text: str) -> None:
    """It is refused in one line, and the folder is as it was."""
    before = everything_in(path) if path.exists() else None
    with pytest.raises(error, match=text) as refused:
        restore(file, path, ignore)
    assert "\n" not in str(refused.value)
    assert (everything_in(path) if path.exists() else None) == before


@pytest.mark.parametrize("is_there", [False, True])
def test_a_restored_folder_is_as_serve_makes_it(tmp_path: Path, backup: Path, is_there: bool) -> None:
    """Everything with its bytes and modes, whatever the umask; a start takes it."""
    path = tmp_path / "deep" / "restored"
    if is_there:
        path.mkdir(parents=True)
        (path / "lost+found").mkdir()
    read: list[int] = []
    umask = os.umask(0o077)
    try:
        header = restore(backup, path, read.append)
    finally:
        os.umask(umask)
    assert header.schema == SCHEMA
    assert read == sorted(read)
    assert read[-1] == backup.stat().st_size
    made, original = everything_in(path), everything_in(tmp_path / "data")
    for name in ("secret", "FORMAT"):
        assert made[name][1] == original[name][1]
    assert {name: made[name] for name in made if name.startswith("blobs")} == {
        name: original[name] for name in original if name.startswith("blobs")
    }
    with DataFolder.open(path, SystemClock()) as folder:
        assert everything_in(path).keys() - made.keys() == {"lock"}
        assert folder.secret.hex().encode() in original["secret"][1]
    opened = everything_in(path)
    assert {name: mode for name, (mode, _) in made.items()} == {name: opened[name][0] for name in made}


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path, backup: Path) -> None:
    """Neither somebody's files nor a data folder are touched."""
    check_refused(backup, tmp_path / "data", SettingsError, "is not empty: a backup is restored into a new folder")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "blobs").mkdir()
    check_refused(backup, mine, SettingsError, "is not empty")
    (mine / "RESTORING").touch()
    (mine / "letter").touch()
    check_refused(backup, mine, SettingsError, "is not empty")
    with pytest.raises(SettingsError, match="is not a folder"):
        restore(backup, backup, ignore)


KILLED = """
import os, signal, sys
from pathlib import Path
from lambent.store.restore import restore
def progress(done):
    if done > 100_000:
        os.kill(os.getpid(), signal.SIGKILL)
restore(Path(sys.argv[1]), Path(sys.argv[2]), progress)
"""


def test_one_that_was_killed_is_begun_anew(tmp_path: Path, backup: Path) -> None:
    """What a killed restore left is no data folder; the same command makes one of it."""
    path = tmp_path / "restored"
    done = subprocess.run([sys.executable, "-c", KILLED, str(backup), str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (path / "state.db").exists()
    with pytest.raises(SettingsError, match="was not restored to the end: run `lambent restore` once more"):
        DataFolder.open(path, SystemClock())
    restore(backup, path, ignore)
    with DataFolder.open(path, SystemClock()):
        assert not (path / "RESTORING").exists()


def test_two_at_once(tmp_path: Path, backup: Path) -> None:
    """The second is refused while the first works, and when it came too late for a look."""
    path = tmp_path / "restored"

    def meanwhile(_: int) -> None:
        with pytest.raises(SettingsError, match="is being restored by another process"):
            restore(backup, path, ignore)

    restore(backup, path, meanwhile)
    check_refused(backup, path, SettingsError, "is not empty")


def test_one_that_came_to_its_end_meanwhile_is_left_alone(
    tmp_path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at an empty folder and the mark, another restore fills it: that one stays."""
    path = tmp_path / "restored"
    path.mkdir()
    real = os.open

    def late(file: object, *rest: object) -> int:
        if str(file).endswith("RESTORING"):
            monkeypatch.setattr(os, "open", real)
            restore(backup, path, ignore)
        return real(file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", late)
    with pytest.raises(SettingsError, match="another process"):
        restore(backup, path, ignore)
    with DataFolder.open(path, SystemClock()):
        assert not (path / "RESTORING").exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_server_that_starts_meanwhile_is_left_alone(
    tmp_path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """Between the look at an empty folder and the mark, a server begins to prepare it: what it laid there stays."""
    path = tmp_path / "restored"
    if is_there:
        path.mkdir()
    real = os.open

    def late(file: object, *rest: object) -> int:
        if str(file).endswith("RESTORING"):
            monkeypatch.setattr(os, "open", real)
            (path / "lock").write_bytes(b"lambent 17\n")
            (path / "secret").write_bytes(b"a" * 64)
        return real(file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", late)
    with pytest.raises(SettingsError, match="is in use by another process"):
        restore(backup, path, ignore)
    assert {entry.name for entry in path.iterdir()} == {"lock", "secret"}


def test_all_is_on_disk_before_it_is_a_data_folder(
    tmp_path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file and each folder, those above a new one too, and then the name FORMAT."""
    path = Path(os.path.realpath(tmp_path)) / "deep" / "restored"
    synced: list[str] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    restore(backup, path, ignore)
    assert synced[-2:] == [str(path / "RESTORING"), str(path)]
    everything = {str(path.parent.parent), str(path.parent), str(path)}
    everything |= {str(entry) for entry in path.rglob("*") if entry.name != "FORMAT"}
    assert everything <= set(synced[:-2])


@pytest.mark.parametrize("where", ["state.db", "blobs"])
def test_a_disk_that_fails_to_write_back_ends_it(
    tmp_path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """What the disk says only when it is asked is an error like any other."""
    real = os.fsync

    def failing(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == where:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    check_refused(backup, tmp_path / "restored", DependencyError, "Input/output error")


def _cut(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _without_end(body: bytes) -> bytes:
    return body[:-1]


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


@pytest.mark.parametrize("harm", [_cut, _without_end, _flipped])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_damaged_file_makes_no_folder(
    tmp_path: Path, backup: Path, harm: Callable[[bytes], bytes], is_there: bool
) -> None:
    """A folder that was absent is absent again, an empty one empty."""
    path = tmp_path / "restored"
    if is_there:
        path.mkdir()
    backup.write_bytes(harm(backup.read_bytes()))
    check_refused(backup, path, BadBackup, f"^{backup} is (cut short|damaged)")
    assert path.exists() == is_there


def _header(schema: int) -> tuple[str, bytes]:
    header = Header(format=form.FORMAT, lambent="9.9.9", schema=schema, created="2026-11-30T08:00:00+00:00")
    return form.HEADER_NAME, msgspec.json.encode(header)


SECRET = ("secret", b"a" * 64 + b"\n")


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            [_header(SCHEMA + 1)],
            f"was made by a newer Lambent, 9.9.9: its state has schema {SCHEMA + 1}, this version reads up to {SCHEMA}",
        ),
        ([_header(SCHEMA), SECRET], "lacks state.db"),
        ([_header(SCHEMA), ("state.db", b"")], "lacks secret"),
        ([_header(SCHEMA), ("state.db", b""), ("secret", b"guess")], "has a secret that cannot be read"),
        ([_header(SCHEMA), ("state.db", b""), SECRET], f"has a state.db of schema 0, and says {SCHEMA}"),
        ([_header(SCHEMA), ("state.db", b"x" * 100), SECRET], "has a state.db that cannot be read"),
        ([_header(SCHEMA), SECRET, SECRET], "has a member twice: secret"),
        ([_header(SCHEMA), ("../escaped", b"x")], "leads out of the folder"),
    ],
)
def test_what_no_server_wrote_is_refused(tmp_path: Path, members: list[tuple[str, bytes]], text: str) -> None:
    """A file that is sound as a file, and no backup that this version can use."""
    file = tmp_path / "backup"
    file.write_bytes(pack(members))
    check_refused(file, tmp_path / "folder" / "restored", BadBackup, text)
    assert not list(tmp_path.rglob("escaped"))


def test_a_full_disk(tmp_path: Path, backup: Path, small_disk: Path) -> None:
    """Without room nothing is left, and the same command works when there is room."""
    path = small_disk / "restored"
    filler = small_disk / "filler"
    filler.write_bytes(bytes(8_250_000))
    check_refused(backup, path, DependencyError, "No space left")
    filler.unlink()
    restore(backup, path, ignore)
    with DataFolder.open(path, SystemClock()):
        pass


def test_one_of_an_older_lambent_is_migrated_by_its_first_start(tmp_path: Path) -> None:
    """It is restored as it was made; a start then finds a folder of its format."""
    state = tmp_path / "state.db"
    engine = create_engine(URL.create("sqlite", database=str(state)))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "lambent.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql("PRAGMA user_version = 1")
    engine.dispose()
    file, path = tmp_path / "backup", tmp_path / "restored"
    file.write_bytes(pack([_header(1), SECRET, ("state.db", state.read_bytes())]))
    restore(file, path, ignore)
    assert (path / "FORMAT").read_text() == "lambent 1\n"
    with DataFolder.open(path, SystemClock()) as folder:
        assert schema_of(folder.database) == SCHEMA
