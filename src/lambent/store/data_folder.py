"""
The folder that everything lasting lives in: its format, its lock, its layout.

    FORMAT      "lambent <n>"; written last, so a folder that has it was prepared to the end
    lock        held by the server that uses the folder; its text is "lambent <process id>"
    secret      32 random bytes in hexadecimal digits; signs links; access keys and session tokens follow from it
    tls/        the certificate that the server made for itself, and its key (store.certificate)
    state.db    SQLite
    blobs/      deployment packages as uploaded
    packages/   the same, unpacked; functions read their code here
    runtimes/   clients of the runtimes; functions read them, too
    segments/   log segments that are being written
    neighbours/ what the embedded stand-in for other services keeps, its own user's
    trail/      who called what (telemetry.trail)
    payloads/   bodies of queued events that are too long for state.db
    backup/     the copy of state.db that a backup under way is made from
    run/        execution environments, written down before they start
    RESTORING   in FORMAT's place while `lambent restore` fills the folder; becomes FORMAT
"""

import fcntl
import os
import pwd
import re
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Self

from lambent.clock import Clock, SystemClock
from lambent.errors.families import DependencyError, SettingsError
from lambent.store.new_database import make_database

FORMAT = 17
"""The number of the schema that this version reads and writes: the same as `store.tables.SCHEMA`."""

ROOT_MODE = 0o711
"""Functions may run as another user: it may pass through to their code, but see no list."""
_FOLDERS = {
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
FORMAT_FILE = "FORMAT"
RESTORING_FILE = "RESTORING"
_FORMAT_TEXT = re.compile(rb"lambent ([1-9][0-9]{0,8})\n?")
_LOCK_FILE = "lock"
_LOCK_TEXT = re.compile(rb"(?:lambent (?P<pid>[0-9]{1,10})\n?)?")
_SECRET_FILE = "secret"
_SECRET_BYTES = 32
SECRET_TEXT = re.compile(rb"[0-9a-f]{64}\n?")
_DATABASE = "state.db"
_DATABASE_FILES = (_DATABASE, "state.db-wal", "state.db-shm", "state.db-journal")
_DATABASE_MAGIC = b"SQLite format 3\0"
"""Documented: sqlite.org, Database File Format, section 1.3."""
_NEW_SUFFIX = ".new"
OURS = frozenset(
    {
        RESTORING_FILE,
        _LOCK_FILE,
        _SECRET_FILE,
        _SECRET_FILE + _NEW_SUFFIX,
        FORMAT_FILE + _NEW_SUFFIX,
        *_DATABASE_FILES,
        *_FOLDERS,
    }
)
"""What a preparation or restore that was interrupted may have left, besides the FORMAT it never wrote."""
NOT_CONTENT = frozenset({"lost+found"})
"""A fresh file system, mounted here, counts as an empty folder."""
_MIGRATE_MODULE = "lambent.store.migrate"


class DataFolder:
    """
    A data folder that is open, and locked until `close`.

    Made by `open`. Also a context manager that closes.
    """

    def __init__(self, path: Path, lock: int, secret: bytes) -> None:
        self.path = path
        """Absolute, without symbolic links."""
        self.secret = secret
        """32 bytes."""
        self._lock: int | None = lock

    @classmethod
    def open(cls, path: Path, clock: Clock | None = None) -> Self:
        """
        Check a folder, lock it, and prepare what is missing.

        An absent or empty folder becomes a data folder; one of an older format is migrated, in a child process: the
        migration tool and all it imports would otherwise stay in the server's memory for ever.

        Args:
            path: the setting `data_dir`.
            clock: where a new secret's randomness comes from; the machine's when absent.

        Raises:
            SettingsError: the folder cannot be used. Nothing in it was touched.
            DependencyError: the migration failed.
        """
        path = Path(os.path.realpath(path))
        try:
            _read_format(path)
            _make_root(path)
            lock = _take_lock(path)
            try:
                # Again, now that nobody else is changing it.
                found = _read_format(path)
                make_layout(path)
                secret = _read_or_make_secret(path, clock or SystemClock())
                if found != FORMAT:
                    _make_or_migrate(path)
                    write_durably(path / FORMAT_FILE, f"lambent {FORMAT}\n".encode())
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            raise refusal(path, f"cannot be used: {error.strerror or error}") from error
        return cls(path, lock, secret)

    @property
    def database(self) -> Path:
        return self.path / _DATABASE

    @property
    def blobs(self) -> Path:
        return self.path / "blobs"

    @property
    def packages(self) -> Path:
        return self.path / "packages"

    @property
    def runtimes(self) -> Path:
        return self.path / "runtimes"

    @property
    def segments(self) -> Path:
        return self.path / "segments"

    @property
    def payloads(self) -> Path:
        return self.path / "payloads"

    @property
    def trail(self) -> Path:
        return self.path / "trail"

    @property
    def neighbours(self) -> Path:
        return self.path / "neighbours"

    @property
    def tls(self) -> Path:
        """Absent where no certificate was ever made."""
        return self.path / "tls"

    @property
    def backup(self) -> Path:
        return self.path / "backup"

    @property
    def run(self) -> Path:
        return self.path / "run"

    def close(self) -> None:
        """Give the lock back. Repeating it is fine."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_reachable(path: Path, uid: int) -> None:
    """
    Refuse a folder that functions cannot reach.

    Called when the server is root and functions run as somebody else. Judges by owner, primary group and mode; access
    control lists are not read, for nothing in the standard library can.

    Args:
        path: the data folder, or another folder that functions read from; exists.
        uid: the user that functions run as.

    Raises:
        SettingsError: names the first folder that the user cannot enter, and what to do.
    """
    path = Path(os.path.realpath(path))
    if uid == 0:
        return
    try:
        account = pwd.getpwuid(uid)
        user, gid = account.pw_name, account.pw_gid
    except KeyError:
        user, gid = str(uid), -1
    for folder in [*reversed(path.parents), path]:
        status = folder.stat()
        if status.st_uid == uid:
            is_open = status.st_mode & stat.S_IXUSR
        elif status.st_gid == gid:
            is_open = status.st_mode & stat.S_IXGRP
        else:
            is_open = status.st_mode & stat.S_IXOTH
        if not is_open:
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            raise refusal(
                path,
                f"is out of reach of the functions' user {user}, who may not enter {folder} (mode {mode}); "
                f"run `chmod o+x {folder}` or choose another folder",
            )


def refusal(path: Path, reason: str) -> SettingsError:
    """Return the error that says why a folder is not used."""
    return SettingsError(f"--data-dir: {path} {reason}")


def _read_format(path: Path) -> int | None:
    """
    Return a folder's format number, None when it is still to be prepared; change nothing.

    Raises:
        SettingsError: not a folder that this version may use.
    """
    try:
        names = {entry.name for entry in os.scandir(path)} - NOT_CONTENT
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise refusal(path, "is not a folder") from None
    if RESTORING_FILE in names:
        raise refusal(path, "was not restored to the end: run `lambent restore` once more")
    if FORMAT_FILE not in names:
        if names and not _is_unfinished(path, names):
            raise refusal(path, "is not a Lambent data folder: it has files and no FORMAT")
        _check_database(path, may_be_new=True)
        return None
    match = _FORMAT_TEXT.fullmatch(_read_start(path / FORMAT_FILE))
    if match is None:
        raise refusal(path, "has a FORMAT that cannot be read; it is damaged or not a Lambent data folder")
    found = int(match[1])
    if found > FORMAT:
        raise refusal(path, f"has format {found}, of a newer Lambent; this version reads up to {FORMAT}")
    _check_database(path, may_be_new=False)
    return found


def _is_unfinished(path: Path, names: set[str]) -> bool:
    """Tell a preparation that was interrupted, whose first file is the lock, from somebody else's folder."""
    return names <= OURS and _LOCK_FILE in names and _LOCK_TEXT.fullmatch(_read_start(path / _LOCK_FILE)) is not None


def _check_database(path: Path, *, may_be_new: bool) -> None:
    try:
        start = _read_start(path / _DATABASE)
    except FileNotFoundError:
        if may_be_new:
            return
        raise refusal(path, "has lost its state.db") from None
    if start == b"" and may_be_new:
        return
    if not start.startswith(_DATABASE_MAGIC):
        raise refusal(path, "has a state.db that is not an SQLite database; it is damaged")


def _read_start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(100)


def _make_root(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(parents=True)
        set_mode(path, ROOT_MODE)


def _take_lock(path: Path) -> int:
    lock = os.open(path / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            match = _LOCK_TEXT.fullmatch(os.pread(lock, 100, 0))
            # Between its lock and its note, the other server's pid is unknown.
            pid = match["pid"].decode() if match and match["pid"] else "unknown"
            raise refusal(path, f"is used by another server (pid {pid})") from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"lambent {os.getpid()}\n".encode(), 0)
    except BaseException:
        os.close(lock)
        raise
    return lock


def make_layout(path: Path) -> None:
    """Make the folders and the database file that are missing, and give each its mode."""
    set_mode(path, ROOT_MODE)
    for name, mode in _FOLDERS.items():
        (path / name).mkdir(mode=0o700, exist_ok=True)
        set_mode(path / name, mode)
    # The root lets everybody pass, so each file must close its own door. SQLite gives its side files the mode of
    # the database.
    os.close(os.open(path / _DATABASE, os.O_RDWR | os.O_CREAT, 0o600))
    for name in _DATABASE_FILES:
        if (path / name).exists():
            set_mode(path / name, 0o600)


def set_mode(path: Path, mode: int) -> None:
    """Give a file or folder a mode, if it has another."""
    # mkdir and open obey the umask. Nothing is changed without need: the folder may be another user's, set up rightly.
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def _read_or_make_secret(path: Path, clock: Clock) -> bytes:
    file = path / _SECRET_FILE
    if not file.exists():
        write_durably(file, f"{clock.token_hex(_SECRET_BYTES)}\n".encode())
    text = _read_start(file)
    if SECRET_TEXT.fullmatch(text) is None:
        raise refusal(path, "has a secret that cannot be read; remove the file `secret` to get a new one")
    return bytes.fromhex(text.decode())


def write_durably(path: Path, body: bytes, mode: int = 0o600) -> None:
    """Write a file, a private one by default, that is, whatever happens, either as it was or whole."""
    unfinished = path.with_name(path.name + _NEW_SUFFIX)
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(body)
        os.fchmod(stream.fileno(), mode)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_or_migrate(path: Path) -> None:
    database = path / _DATABASE
    if database.stat().st_size > 0:
        _migrate(path)
        return
    try:
        make_database(database)
    except sqlite3.Error as error:
        raise DependencyError(f"{database} could not be made: {error}", retryable=False) from error


def _migrate(path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", _MIGRATE_MODULE, str(path / _DATABASE)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if finished.returncode != 0:
        said = finished.stdout.strip() or "it said nothing"
        raise DependencyError(
            f"the migration of {path / _DATABASE} failed with exit code {finished.returncode}: {said}", retryable=False
        )
