"""
Backups of a running server's data folder: the `Backups` of the contract.

The database is copied first, in one read transaction, so the copy is one state whatever is written meanwhile, and no
writer waits. What that state names is then streamed from where it lies: packages, which nobody deletes, and bodies of
events, which the queue keeps until the backup is over. Log records that are not in the copy are copied as well, from
the place on that the copy names: a server that starts with it folds each of them once. All file work is in threads.
"""

import asyncio
import hashlib
import logging
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, Protocol

import msgspec

from lambent.clock import Clock
from lambent.domain.function import Code, Configuration, FunctionVersion
from lambent.domain.layer import LayerVersion
from lambent.errors.families import DependencyError
from lambent.store import backup_format as form
from lambent.store.backup_format import Member
from lambent.store.contract import BackupInProgress, BackupStream, Conflict, LogPosition
from lambent.store.data_folder import DataFolder
from lambent.store.tables import SCHEMA
from lambent.store.uninterrupted import uninterrupted

_PAGES_AT_ONCE = 2_048
"""Pages of the database copied between two looks at whether the copy is still wanted: 8 MiB."""

_SEGMENTS = "segments"
"""The folder of log records, in the folder `backup` as in a data folder."""

_LOOK_EVERY = 1_000
"""Files named between two such looks."""

_RESERVE_MIN_BYTES = 64 << 20
_RESERVE_MAX_BYTES = 1 << 30
"""
What has to stay free beside the copy: a tenth of it, within these bounds.

Assumed: it holds the list of files, log records that are copied, and what the server writes meanwhile, of which there
is more the longer the copy takes. The least is four segments of the log; the most lets a large disk be filled well.
"""

_encode = msgspec.json.encode
_decode_version = msgspec.json.Decoder(FunctionVersion).decode
_decode_layer = msgspec.json.Decoder(LayerVersion).decode

_log = logging.getLogger("lambent.store.backup")


class UnfoldedLogs(Protocol):
    """The log of functions, as far as a backup needs it."""

    async def fold(self) -> None:
        """
        Bring what is written into the database.

        Raises:
            DependencyError, Conflict: it stays where it is.
        """
        ...

    def hold(self) -> AbstractContextManager[None]:
        """Keep what is folded meanwhile for `copy_unfolded`."""
        ...

    async def copy_unfolded(self, position: LogPosition, folder: Path) -> None:
        """
        Lay all records behind a place into an empty folder, as the segments of a data folder.

        Raises:
            OSError: the disk refuses.
        """
        ...


class FolderBackups:
    """
    Args:
        folder: open; its `backup` folder is this object's own, and is emptied.
        version: Lambent's, for the file.
        logs: the functions' log, of which the database has a part.
        hold_bodies: while it is entered, no body of an event is deleted.

    What an earlier server left there and cannot be removed is logged: a server starts all the same.
    """

    def __init__(
        self,
        folder: DataFolder,
        version: str,
        clock: Clock,
        *,
        logs: UnfoldedLogs,
        hold_bodies: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._folder = folder
        self._version = version
        self._clock = clock
        self._logs = logs
        self._hold_bodies = hold_bodies
        self._is_under_way = False
        _empty_quietly(folder.backup)

    async def begin(self, is_wanted: Callable[[], bool]) -> BackupStream:
        """Copy the database and return the backup's bytes; see the contract."""
        if self._is_under_way:
            raise BackupInProgress("a backup is under way already: one at a time")
        self._is_under_way = True
        opened = ExitStack()
        opened.callback(self._end)
        try:
            opened.enter_context(self._hold_bodies())
            copy = await self._copy(is_wanted)
        except BaseException:
            try:
                await uninterrupted(asyncio.to_thread(_empty_quietly, self._folder.backup))
            finally:
                opened.close()
            raise
        _log.info("backup.begun bytes=%d", copy.size_bytes)
        return _Stream(copy, self._folder.backup, opened, is_wanted)

    async def _copy(self, is_wanted: Callable[[], bool]) -> "_Copy":
        # Only so that little is left to copy. Who else folds logs a failure.
        with suppress(DependencyError, Conflict, OSError):
            await self._logs.fold()
        with self._logs.hold():
            # Whoever is cancelled leaves no thread behind that still writes.
            position = await uninterrupted(asyncio.to_thread(_copy_database, self._folder, is_wanted))
            with _failures():
                await uninterrupted(self._logs.copy_unfolded(position, self._folder.backup / _SEGMENTS))
        header = form.Header(form.FORMAT, self._version, SCHEMA, self._now())
        return await uninterrupted(asyncio.to_thread(_list_files, self._folder, header, is_wanted))

    def _end(self) -> None:
        self._is_under_way = False

    def _now(self) -> str:
        return datetime.fromtimestamp(int(self._clock.now()), UTC).isoformat()


class _Stream:
    """The `BackupStream` of one copy."""

    def __init__(self, copy: "_Copy", folder: Path, opened: ExitStack, is_wanted: Callable[[], bool]) -> None:
        self._copy = copy
        self._folder = folder
        self._opened = opened
        self._is_wanted = is_wanted
        self._pieces: Generator[bytes] | None = copy.pieces()
        self._read_bytes = 0

    @property
    def size_bytes(self) -> int:
        return self._copy.size_bytes

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._pieces is None:
            raise StopAsyncIteration
        # Who has all may leave before we hear that there is no more.
        if self._read_bytes < self.size_bytes and not self._is_wanted():
            _log.warning("backup.broken_off bytes=%d of=%d", self._read_bytes, self.size_bytes)
            raise StopAsyncIteration
        piece = await uninterrupted(asyncio.to_thread(next, self._pieces, b""))
        self._read_bytes += len(piece)
        if not piece:
            _log.info("backup.done bytes=%d", self.size_bytes)
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        if self._pieces is None:
            return
        pieces, self._pieces = self._pieces, None
        try:
            await uninterrupted(asyncio.to_thread(self._tidy, pieces))
        finally:
            self._opened.close()

    def _tidy(self, pieces: Generator[bytes]) -> None:
        pieces.close()
        _empty_quietly(self._folder)


class _Copy:
    """
    A copy of the database, and the list of files that it names, on disk beside it.

    Args:
        given: members whose bytes are in memory, first the header.
        names: a database with the table `files`.
    """

    def __init__(self, folder: DataFolder, given: list[tuple[Member, bytes]], names: Path, modified_s: int) -> None:
        self._folder = folder
        self._given = given
        self._copied = [
            form.DATABASE_NAME,
            *sorted(f"{_SEGMENTS}/{path.name}" for path in (folder.backup / _SEGMENTS).iterdir()),
        ]
        """Members that lie in the folder `backup`: few."""
        self._names = names
        self._modified_s = modified_s
        self._manifest: list[bytes] = []
        """Lines of the members whose hash is not in their name: few."""
        self._manifest_bytes = sum(len(form.manifest_line(member, "0" * 64)) for member in self._members())
        self.size_bytes = len(form.END) + form.bytes_in_file(self._manifest_bytes)
        self.size_bytes += sum(form.bytes_in_file(member.size_bytes) for member in self._members())

    def pieces(self) -> Generator[bytes]:
        """Iterate over the file, in pieces of about `CHUNK_BYTES`."""
        gathered: list[bytes] = []
        size = 0
        with _failures():
            for part in self._parts():
                gathered.append(part)
                size += len(part)
                if size >= form.CHUNK_BYTES:
                    yield b"".join(gathered)
                    gathered.clear()
                    size = 0
            yield b"".join(gathered)

    def _members(self) -> Iterator[Member]:
        """Iterate over all but the manifest, in the order of the file."""
        yield from (member for member, _ in self._given)
        for name in self._copied:
            yield Member(name, (self._folder.backup / name).stat().st_size)
        with closing(sqlite3.connect(self._names, check_same_thread=False)) as names:
            for name, size_bytes in names.execute("SELECT name, size_bytes FROM files ORDER BY name"):
                yield Member(name, size_bytes)

    def _parts(self) -> Iterator[bytes]:
        given = {member.name: body for member, body in self._given}
        for member in self._members():
            yield form.block_before(member, self._modified_s)
            digest = hashlib.sha256()
            body = given.get(member.name)
            for chunk in self._chunks(member) if body is None else [body]:
                digest.update(chunk)
                yield chunk
            expected = form.sha256_in(member.name)
            if expected is None:
                self._manifest.append(form.manifest_line(member, digest.hexdigest()))
            elif expected != digest.hexdigest():
                _fail(f"{member.name} is damaged: its bytes are not those of its name")
            yield form.padding_after(member.size_bytes)
        yield form.block_before(Member(form.MANIFEST_NAME, self._manifest_bytes), self._modified_s)
        yield from self._manifest
        for member in self._members():
            if (sha256 := form.sha256_in(member.name)) is not None:
                yield form.manifest_line(member, sha256)
        yield form.padding_after(self._manifest_bytes)
        yield form.END

    def _chunks(self, member: Member) -> Iterator[bytes]:
        path = (self._folder.backup if member.name in self._copied else self._folder.path) / member.name
        left = member.size_bytes
        with path.open("rb", buffering=0) as file:
            while left:
                chunk = file.read(min(left, form.CHUNK_BYTES))
                if not chunk:
                    _fail(f"{member.name} is damaged: it lacks {left} bytes")
                left -= len(chunk)
                yield chunk


def _copy_database(folder: DataFolder, is_wanted: Callable[[], bool]) -> LogPosition:
    """
    Copy the database into the folder `backup`; return up to where the copy has the log.

    Raises:
        DependencyError: the disk refuses or has too little room; or nobody waits any more.
    """
    with _failures():
        _empty(folder.backup)
        (folder.backup / _SEGMENTS).mkdir(mode=0o700)
        copy = _new_file(folder.backup / form.DATABASE_NAME)
        with closing(_connect(folder.database, "mode=ro")) as reading, closing(_connect(copy, "mode=rw")) as writing:
            # Without this transaction, which sees one state as long as it lasts, every write would make the copy begin
            # anew.
            reading.execute("BEGIN")
            segment, offset = reading.execute("SELECT segment, offset FROM log_position").fetchone()
            _check_room(reading, folder.backup)
            # A copy that was interrupted is thrown away.
            writing.execute("PRAGMA journal_mode = OFF")
            writing.execute("PRAGMA synchronous = OFF")
            reading.backup(writing, pages=_PAGES_AT_ONCE, progress=lambda *_: _look(is_wanted))
    return LogPosition(segment, offset)


def _check_room(database: sqlite3.Connection, folder: Path) -> None:
    """
    Refuse a copy that would fill the disk: the server itself could write nothing until it is gone.

    Args:
        database: in the transaction that is going to be copied.
        folder: where to.

    Raises:
        DependencyError: too little is free.
    """
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = database.execute("PRAGMA page_size").fetchone()
    copy_bytes = pages * page_bytes
    needed = copy_bytes + min(max(copy_bytes // 10, _RESERVE_MIN_BYTES), _RESERVE_MAX_BYTES)
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < needed:
        reason = f"the copy of state.db needs {needed / 1e6:.1f} MB free, {free / 1e6:.1f} MB is free in {folder}"
        raise DependencyError(f"cannot back up: {reason}", retryable=True)


def _list_files(folder: DataFolder, header: form.Header, is_wanted: Callable[[], bool]) -> "_Copy":
    """
    Write the files that the copy names, with their sizes, into a database: in memory they might be too many.

    Raises:
        DependencyError: as above; or a file is lost.
    """
    copy = folder.backup / form.DATABASE_NAME
    with _failures():
        names = _new_file(folder.backup / "names.db")
        # Immutable, since the copy is marked for WAL: SQLite would lay files beside it to read by.
        with closing(_connect(copy, "mode=ro&immutable=1")) as reading, closing(_connect(names, "mode=rw")) as writing:
            writing.execute("PRAGMA journal_mode = OFF")
            writing.execute("PRAGMA synchronous = OFF")
            writing.execute("BEGIN")
            writing.execute("CREATE TABLE files (name TEXT PRIMARY KEY, size_bytes INTEGER) WITHOUT ROWID")
            for number, (name, used_by) in enumerate(_named(reading)):
                if number % _LOOK_EVERY == 0:
                    _look(is_wanted)
                try:
                    size_bytes = (folder.path / name).stat().st_size
                except FileNotFoundError:
                    _fail(f"{name}, of {used_by}, is lost")
                writing.execute("INSERT OR IGNORE INTO files VALUES (?, ?)", (name, size_bytes))
            writing.execute("COMMIT")
        secret = f"{folder.secret.hex()}\n".encode()
        given = [
            (Member(name, len(body)), body)
            for name, body in ((form.HEADER_NAME, _encode(header)), (form.SECRET_NAME, secret))
        ]
        return _Copy(folder, given, names, int(datetime.fromisoformat(header.created).timestamp()))


def _look(is_wanted: Callable[[], bool]) -> None:
    if not is_wanted():
        raise DependencyError("nobody waits for the backup any more", retryable=True)


def _named(database: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Iterate over the files that a database names, some of them repeatedly, with what needs them."""
    for (document,) in database.execute("SELECT document FROM function_versions"):
        version = _decode_version(document)
        contents: list[tuple[Code, Configuration]] = [(version.code, version.configuration)]
        if version.serving is not None:
            contents.append((version.serving.code, version.serving.configuration))
        for code, configuration in contents:
            for sha256 in (code.sha256, *(layer.sha256 for layer in configuration.layers)):
                yield form.content_name("blobs", sha256), f"function {version.name}"
    for (document,) in database.execute("SELECT document FROM layer_versions"):
        layer = _decode_layer(document)
        yield form.content_name("blobs", layer.sha256), f"layer {layer.name}:{layer.number}"
    query = "SELECT DISTINCT body_sha256 FROM queued_events WHERE body_sha256 IS NOT NULL ORDER BY body_sha256"
    for (sha256,) in database.execute(query):
        yield form.content_name("payloads", sha256), "an event that waits"


def _connect(path: Path, options: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, isolation_level=None)


def _new_file(path: Path) -> Path:
    """Make an empty file that only its owner reads: SQLite's own would have the mode of the umask."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return path


def _empty(folder: Path) -> None:
    for path in list(folder.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _empty_quietly(folder: Path) -> None:
    try:
        _empty(folder)
    except OSError as error:
        # The next backup finds them in its way and says so; the next start tries again.
        _log.error("backup.left_files folder=%s reason=%s", folder, error)


def _fail(reason: str) -> NoReturn:
    raise DependencyError(f"cannot back up: {reason}", retryable=False)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise DependencyError(f"cannot back up: {error}", retryable=True) from error
