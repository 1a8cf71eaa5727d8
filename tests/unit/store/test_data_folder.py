"""The data folder: what is taken, what is refused untouched, what is made."""

import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.errors.families import DependencyError, SettingsError
from lambent.store import data_folder as module
from lambent.store import database, new_database, tables
from lambent.store.data_folder import FORMAT, DataFolder, check_reachable

SQLITE = b"SQLite format 3\0" + bytes(84)


@pytest.fixture
def migrations(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stand in for what makes a database or migrates one; grows by a path each time."""
    done: list[Path] = []

    def migrate(path: Path) -> None:
        (path / "state.db").write_bytes(SQLITE)
        done.append(path)

    monkeypatch.setattr(module, "_make_or_migrate", migrate)
    return done


def open_and_close(path: Path) -> bytes:
    with DataFolder.open(path, SystemClock()) as folder:
        return folder.secret


def everything_in(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return what a refusal must leave alone: names, modes, times and bytes."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
    return found


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def check_refused(path: Path, text: str) -> None:
    """The folder is refused in one line that names the setting, and nothing in it has changed."""
    before = everything_in(path)
    with pytest.raises(SettingsError) as refused:
        DataFolder.open(path, SystemClock())
    message = str(refused.value)
    assert message.startswith(f"--data-dir: {path} ")
    assert text in message
    assert "\n" not in message
    assert everything_in(path) == before


def test_an_absent_folder_is_made(tmp_path: Path) -> None:
    """The first start makes everything, with a real migration; functions may read two folders of it."""
    path = tmp_path / "deep" / "data"
    umask = os.umask(0o077)
    try:
        with DataFolder.open(path, SystemClock()) as folder:
            assert stat.S_IMODE(path.stat().st_mode) == 0o711
            assert modes(path) == {
                "FORMAT": 0o600,
                "lock": 0o600,
                "secret": 0o600,
                "state.db": 0o600,
                "blobs": 0o700,
                "packages": 0o755,
                "runtimes": 0o755,
                "segments": 0o700,
                "payloads": 0o700,
                "backup": 0o700,
                "run": 0o700,
                "neighbours": 0o700,
                "trail": 0o700,
            }
            assert (path / "FORMAT").read_text() == f"lambent {FORMAT}\n"
            assert (path / "lock").read_text() == f"lambent {os.getpid()}\n"
            assert folder.database.read_bytes().startswith(b"SQLite format 3\0")
            assert [folder.blobs, folder.packages, folder.runtimes, folder.segments, folder.run] == [
                path / name for name in ("blobs", "packages", "runtimes", "segments", "run")
            ]
    finally:
        os.umask(umask)


def test_the_format_is_the_schema() -> None:
    """One number, written in two places, so that the start need not load the database library."""
    assert FORMAT == tables.SCHEMA


def test_a_folder_is_opened_again_without_migrating(tmp_path: Path, migrations: list[Path]) -> None:
    """The second start compares one number and keeps the secret."""
    first = open_and_close(tmp_path / "data")
    second = open_and_close(tmp_path / "data")

    assert first == second
    assert len(first) == 32
    assert migrations == [tmp_path / "data"]


def test_an_older_format_is_migrated(tmp_path: Path, migrations: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the version before is brought up, and says so afterwards."""
    open_and_close(tmp_path)
    monkeypatch.setattr(module, "FORMAT", FORMAT + 1)

    open_and_close(tmp_path)

    assert len(migrations) == 2
    assert (tmp_path / "FORMAT").read_text() == f"lambent {FORMAT + 1}\n"


def test_a_fresh_file_system_counts_as_empty(tmp_path: Path, migrations: list[Path]) -> None:
    """A disk mounted for Lambent alone has one folder of its own."""
    (tmp_path / "lost+found").mkdir()

    open_and_close(tmp_path)

    assert len(migrations) == 1


def test_a_folder_is_found_through_a_link(tmp_path: Path, migrations: list[Path]) -> None:
    """Paths are real ones: functions are told them."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    with DataFolder.open(tmp_path / "link", SystemClock()) as folder:
        assert folder.path == tmp_path / "real"


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    """Somebody's files are not ours to live beside."""
    (tmp_path / "thesis.txt").write_text("years of work")

    check_refused(tmp_path, "is not a Lambent data folder")


def test_a_foreign_folder_with_a_lock_is_refused(tmp_path: Path) -> None:
    """Names that we use, too, do not make a folder ours."""
    (tmp_path / "lock").write_text("12345")
    check_refused(tmp_path, "is not a Lambent data folder")

    (tmp_path / "lock").write_text("")
    (tmp_path / "other").write_text("")
    check_refused(tmp_path, "is not a Lambent data folder")


def test_a_file_is_refused(tmp_path: Path) -> None:
    """The setting wants a folder."""
    (tmp_path / "file").write_text("")

    check_refused(tmp_path / "file", "is not a folder")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"lambent {FORMAT + 1}\n", f"has format {FORMAT + 1}, of a newer Lambent"),
        ("", "has a FORMAT that cannot be read"),
        ("lambent\n", "has a FORMAT that cannot be read"),
        ("lambent 0\n", "has a FORMAT that cannot be read"),
        ("lambent ١\n", "has a FORMAT that cannot be read"),
        ("something else", "has a FORMAT that cannot be read"),
    ],
)
def test_a_format_that_is_not_ours_is_refused(tmp_path: Path, migrations: list[Path], text: str, reason: str) -> None:
    """A newer version's data and damaged data are left alone."""
    open_and_close(tmp_path)
    (tmp_path / "FORMAT").write_text(text)

    check_refused(tmp_path, reason)


@pytest.mark.parametrize("body", [b"", b"garbage" * 100, b"SQLite format 2\0", SQLITE[:10]])
def test_a_damaged_database_is_refused(tmp_path: Path, migrations: list[Path], body: bytes) -> None:
    """What is not an SQLite file is not opened, let alone replaced."""
    open_and_close(tmp_path)
    (tmp_path / "state.db").write_bytes(body)

    check_refused(tmp_path, "state.db that is not an SQLite database")


def test_a_lost_database_is_refused(tmp_path: Path, migrations: list[Path]) -> None:
    """A prepared folder without its database is no reason to begin with an empty one."""
    open_and_close(tmp_path)
    (tmp_path / "state.db").unlink()

    check_refused(tmp_path, "has lost its state.db")


def test_a_damaged_secret_is_refused(tmp_path: Path, migrations: list[Path]) -> None:
    """The line says what to do."""
    open_and_close(tmp_path)
    (tmp_path / "secret").write_text("short")

    with pytest.raises(SettingsError, match="remove the file `secret`"):
        open_and_close(tmp_path)


def test_a_start_that_was_interrupted_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before FORMAT was written, the next start goes on instead of refusing its own files."""

    def fail(path: Path) -> None:
        raise DependencyError("killed", retryable=False)

    with monkeypatch.context() as patch, pytest.raises(DependencyError):
        patch.setattr(module, "_make_or_migrate", fail)
        open_and_close(tmp_path)
    assert not (tmp_path / "FORMAT").exists()

    open_and_close(tmp_path)

    assert (tmp_path / "FORMAT").exists()


def test_a_migration_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's own words are in the error, the folder keeps its format, and the lock is free again."""
    open_and_close(tmp_path)
    (tmp_path / "FORMAT").write_text(f"lambent {FORMAT - 1}\n")
    monkeypatch.setattr(module, "_MIGRATE_MODULE", "lambent.no_such_module")

    for _ in range(2):
        with pytest.raises(DependencyError, match=r"failed with exit code 1: .*no_such_module"):
            open_and_close(tmp_path)
    assert (tmp_path / "FORMAT").read_text() == f"lambent {FORMAT - 1}\n"


def test_a_database_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder stays unfinished, and the next start goes on with it."""
    with monkeypatch.context() as patch, pytest.raises(DependencyError, match=r"state\.db could not be made: no such"):
        patch.setattr(new_database, "_FIRST_ROWS", ("INSERT INTO nowhere VALUES (1)",))
        open_and_close(tmp_path)
    assert not (tmp_path / "FORMAT").exists()

    open_and_close(tmp_path)

    assert database.schema_of(tmp_path / "state.db") == tables.SCHEMA


def test_two_servers_never_share_a_folder(tmp_path: Path, migrations: list[Path]) -> None:
    """The second is told whose it is; when the first has gone, it may."""
    with DataFolder.open(tmp_path, SystemClock()):
        check_refused(tmp_path, f"is used by another server (pid {os.getpid()})")
    open_and_close(tmp_path)


def test_a_killed_server_leaves_no_lock(tmp_path: Path, migrations: list[Path]) -> None:
    """The lock dies with its process, whatever its text says; its children do not keep it."""
    ours, theirs = socket.socketpair()
    program = (
        "import pathlib, socket, subprocess, sys;"
        "from lambent.clock import SystemClock; from lambent.store.data_folder import DataFolder;"
        "folder = DataFolder.open(pathlib.Path(sys.argv[1]), SystemClock());"
        "child = subprocess.Popen(['sleep', '60']);"
        "socket.socket(fileno=int(sys.argv[2])).sendall(b'%d\\n' % child.pid);"
        "sys.stdin.read()"
    )
    open_and_close(tmp_path)
    with (
        ours,
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), str(theirs.fileno())],
            stdin=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
        ) as server,
    ):
        theirs.close()
        grandchild = int(ours.makefile().readline())
        try:
            check_refused(tmp_path, f"is used by another server (pid {server.pid})")
            server.kill()
            server.wait()
            open_and_close(tmp_path)
        finally:
            os.kill(grandchild, 9)


def test_closing_twice_is_fine(tmp_path: Path, migrations: list[Path]) -> None:
    """Whoever opens, closes; repeating it harms nobody."""
    folder = DataFolder.open(tmp_path, SystemClock())
    folder.close()
    folder.close()


def test_modes_that_were_loosened_are_put_right(tmp_path: Path, migrations: list[Path]) -> None:
    """Functions run as another user of this machine: what is private is so at every start."""
    open_and_close(tmp_path)
    (tmp_path / "state.db-wal").write_bytes(b"")
    for name, mode in {"state.db": 0o644, "state.db-wal": 0o644, "blobs": 0o755, "packages": 0o700, ".": 0o755}.items():
        (tmp_path / name).chmod(mode)

    open_and_close(tmp_path)

    found = modes(tmp_path)
    assert [found[name] for name in ("state.db", "state.db-wal", "blobs", "packages")] == [0o600, 0o600, 0o700, 0o755]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o711


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder below /tmp that everybody may enter; pytest's own is private."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


NOBODY_WE_KNOW = 4_000_000_000


def test_a_folder_that_functions_can_reach_is_fine(open_place: Path) -> None:
    """Every folder on the way lets others through."""
    check_reachable(open_place, NOBODY_WE_KNOW)


def test_a_closed_parent_is_named_with_its_remedy(open_place: Path) -> None:
    """A data folder below a private home would make every function fail; the start says so instead."""
    closed = open_place / "home"
    data = closed / "data"
    data.mkdir(parents=True)
    closed.chmod(0o700)

    with pytest.raises(SettingsError, match=re.escape(f"may not enter {closed} (mode 0700); run `chmod o+x {closed}`")):
        check_reachable(data, NOBODY_WE_KNOW)
    check_reachable(data, os.geteuid())
    check_reachable(data, 0)
