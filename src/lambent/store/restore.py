"""
Restoring a backup into a new data folder, without a server.

The folder has no FORMAT until everything in it was compared with the manifest and is on disk, and has the file
RESTORING instead, by which `lambent serve` refuses it and another restore begins anew.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lambent.errors.families import DependencyError
from lambent.store import backup_format as form
from lambent.store.backup_format import BackupReader, BadBackup, Header, Member
from lambent.store.data_folder import (
    FORMAT_FILE,
    NOT_CONTENT,
    OURS,
    RESTORING_FILE,
    ROOT_MODE,
    SECRET_TEXT,
    make_layout,
    refusal,
    set_mode,
    sync_folder,
)
from lambent.store.database import schema_of
from lambent.store.tables import SCHEMA

_RESTORING_TEXT = b"lambent restore\n"


def restore(file: Path, path: Path, progress: Callable[[int], None]) -> Header:
    """
    Make a data folder of a backup, or leave things as they were.

    Args:
        file: the backup; may be a pipe.
        path: the folder; absent, empty, or left by a restore that was cut short.
        progress: called with how many bytes of the file have been read, now and then.

    Returns: what the backup says of itself.

    Raises:
        BadBackup: the file is no sound backup that this version can read. Its message begins with the file.
        SettingsError: the folder is not to be filled.
        DependencyError: the disk refuses.
    """
    path = Path(os.path.realpath(path))
    try:
        with _opened(file) as stream:
            reader = BackupReader(stream)
            header = reader.header()
            if header.schema > SCHEMA:
                raise BadBackup(
                    f"was made by a newer Lambent, {header.lambent}: "
                    f"its state has schema {header.schema}, this version reads up to {SCHEMA}"
                )
            with _filling(path) as lock:
                while (member := reader.next()) is not None:
                    _unpack(reader, member, path / member.name, lambda: progress(reader.read_bytes))
                progress(reader.read_bytes)
                _check(path, header)
                make_layout(path)
                _finish(path, lock, header.schema)
    except BadBackup as error:
        raise BadBackup(f"{file} {error}") from None
    except OSError as error:
        named = f" {error.filename}" if error.filename is not None else ""
        raise DependencyError(f"cannot restore{named}: {error.strerror or error}", retryable=False) from error
    return header


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise BadBackup(f"cannot be read: {error.strerror}") from error


@contextmanager
def _filling(path: Path) -> Iterator[int]:
    """
    Hold a folder for the block, which fills it; empty it again when the block raises.

    Yields the descriptor of RESTORING, locked.

    Raises:
        SettingsError: the folder holds something, or another restore fills it.
    """
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    if new:
        path.mkdir(parents=True)
        set_mode(path, ROOT_MODE)
    elif not path.is_dir():
        raise refusal(path, "is not a folder")
    found = _names(path)
    if found and not (RESTORING_FILE in found and found <= OURS):
        raise refusal(path, "is not empty: a backup is restored into a new folder")
    in_use = refusal(path, "is being restored by another process")
    with ExitStack() as opened:
        if new:
            opened.callback(_remove_if_empty, path)
        for folder in new:
            sync_folder(folder.parent)
        try:
            # Never made where one was seen, and made where none was: else it is another's, or a whole folder by now.
            flags = os.O_RDWR | os.O_NOFOLLOW | (0 if found else os.O_CREAT | os.O_EXCL)
            lock = os.open(path / RESTORING_FILE, flags, 0o600)
            opened.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (FileExistsError, FileNotFoundError, BlockingIOError):
            raise in_use from None
        if not {RESTORING_FILE} <= _names(path) <= (OURS if found else {RESTORING_FILE}):
            # Since the look above another restore came to its end, or a server began to prepare the folder.
            if not found:
                (path / RESTORING_FILE).unlink()
            raise refusal(path, "is in use by another process")
        os.ftruncate(lock, 0)
        os.pwrite(lock, _RESTORING_TEXT, 0)
        # Before anything else has a name there, also after a power cut.
        os.fsync(lock)
        sync_folder(path)
        _empty(path)
        try:
            yield lock
        except BaseException:
            (path / FORMAT_FILE).unlink(missing_ok=True)
            _empty(path)
            (path / RESTORING_FILE).unlink(missing_ok=True)
            raise


def _remove_if_empty(path: Path) -> None:
    with suppress(OSError):
        path.rmdir()


def _names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()} - NOT_CONTENT


def _empty(path: Path) -> None:
    """Delete what a restore lays into a folder, but for the file that says so."""
    for name in OURS - {RESTORING_FILE}:
        entry = path / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def _unpack(reader: BackupReader, member: Member, target: Path, progress: Callable[[], None]) -> None:
    # Names have been checked: they lead to the folder itself, or two folders down.
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise BadBackup(f"has a member twice: {member.name}") from None
    with os.fdopen(descriptor, "wb") as file:
        for chunk in reader.chunks(member):
            file.write(chunk)
            progress()
        file.flush()
        os.fsync(descriptor)


def _check(path: Path, header: Header) -> None:
    """See that what every data folder has is there. Whether its bytes are right, the manifest has said."""
    for name in (form.DATABASE_NAME, form.SECRET_NAME):
        if not (path / name).exists():
            raise BadBackup(f"lacks {name}")
    if SECRET_TEXT.fullmatch((path / form.SECRET_NAME).read_bytes()) is None:
        raise BadBackup("has a secret that cannot be read")
    try:
        schema = schema_of(path / form.DATABASE_NAME)
    except DependencyError:
        raise BadBackup("has a state.db that cannot be read") from None
    if schema != header.schema:
        raise BadBackup(f"has a state.db of schema {schema}, and says {header.schema}")


def _finish(path: Path, lock: int, schema: int) -> None:
    """Make a filled folder a data folder, in one step that comes after all else is on disk."""
    for folder, _, _ in os.walk(path):
        sync_folder(Path(folder))
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"lambent {schema}\n".encode(), 0)
    os.fsync(lock)
    (path / RESTORING_FILE).rename(path / FORMAT_FILE)
    sync_folder(path)
