"""
Zip files from strangers: what is in them, and how to unpack them without harm.

Two steps. `inspect` reads the directory at the end of the zip and decides about every name, kind, mode and
size; nothing is written. `extract` then writes exactly what the index says into a new folder.

What a package may hold:

- Names are paths below the folder. Absolute names, `..` and NUL are refused. A backslash is an ordinary character
  of a name, as on AWS, where such packages fail to import; callers warn (`ArchiveIndex.backslash_names`).
- Files keep their stored mode, except setuid, setgid and sticky. A file that others may not read stays so, as on
  AWS, where the function then fails with "Permission denied"; callers warn (`unreadable_names`).
- Folders are always at least 0755, so that the tree can be walked, and removed.
- Symbolic links are kept with whatever target they have. A target outside the folder is no danger by itself: the
  function that follows it could as well open the target by its path. What must not happen is that *we* follow it. So no
  entry may have a link among its parents, every file and folder is opened below its parent's descriptor without
  following links, and all links are made last.
- Devices, sockets, pipes and encrypted entries are refused.
"""

import contextlib
import copy
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Self

import msgspec

from lambent.store.contract import Archive, PackageRefused

CANNOT_UNZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
"""Observed: localstack test_create_lambda_exceptions (recorded), getmoto/moto#4943."""
EMPTY = "Uploaded file must be a non-empty zip"
"""Observed: widely reported text of CreateFunction."""

_UNIX_SYSTEMS = frozenset({3, 19})
"""Who "made" an entry whose attributes hold a Unix mode: UNIX, OS X. Documented: PKWARE APPNOTE, section 4.4.2."""
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8_NAME = 0x800
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""
Assumed: AWS names no methods; common zip tools write these two, and others can ask for gigabytes of memory
(test_unusual_compression_is_refused).
"""
_NAME_MAX_BYTES = 255
_PATH_MAX_BYTES = 4000
"""Below Linux's PATH_MAX of 4096, with room for the folder that the package lies in."""
_DEPTH_MAX = 128
"""
Assumed: no package nests deeper; AWS publishes no number (test_archive). Removing a tree takes one open file per
level, and a process has 1024.
"""
_LINK_TARGET_MAX_BYTES = 4095
_CHUNK_BYTES = 256 * 1024
_DIRECTORY_HEADER = b"PK\x01\x02"
_DIRECTORY_END = b"PK\x05\x06"
_DIRECTORY_END_BYTES = 22
_ZIP64_LOCATOR = b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES = 20


class ArchiveLimits(msgspec.Struct, frozen=True):
    """How much a zip may hold."""

    unzipped_max_bytes: int
    zipped_max_bytes: int | None = None
    """None where the zip was accepted before, or comes from a place without this limit."""
    entries_max: int = 100_000
    """Bounds memory and inodes; the folders may be twice as many. Assumed: AWS publishes no number (test_archive)."""


class ArchiveFile(msgspec.Struct, frozen=True):
    """A regular file in a zip."""

    path: bytes
    mode: int
    """Permission bits only."""
    info: zipfile.ZipInfo


class ArchiveLink(msgspec.Struct, frozen=True):
    """A symbolic link in a zip."""

    path: bytes
    target: bytes


class ArchiveIndex(msgspec.Struct, frozen=True):
    """What a zip unpacks to. Paths are relative, without `.` and `..`; no file or link is a parent of anything."""

    directories: Mapping[bytes, int]
    """Path to permission bits. Every parent of every path is here."""
    files: Sequence[ArchiveFile]
    links: Sequence[ArchiveLink]
    unzipped_bytes: int
    """Sum of the declared sizes."""

    def backslash_names(self) -> list[str]:
        """Return the names with a backslash: a tool on Windows most likely meant folders."""
        paths = [*self.directories, *(file.path for file in self.files), *(link.path for link in self.links)]
        return [_readable(path) for path in sorted(paths) if b"\\" in path]

    def unreadable_names(self) -> list[str]:
        """Return the files that only their owner or group may read: a function's user is neither."""
        return [_readable(file.path) for file in self.files if not file.mode & stat.S_IROTH]


def inspect(archive: Archive, limits: ArchiveLimits) -> ArchiveIndex:
    """
    Decide whether a zip may be unpacked, from its directory alone.

    Contents are not read (except link targets), so a file that is corrupt inside passes here and is refused by
    `verify` and `extract`.

    Raises:
        PackageRefused: with AWS's text.
    """
    if limits.zipped_max_bytes is not None and len(archive) > limits.zipped_max_bytes:
        # Observed: localstack test_oversized_zipped_create_lambda (recorded).
        raise PackageRefused(f"Zipped size must be smaller than {limits.zipped_max_bytes} bytes", too_large_zipped=True)
    if not archive:
        raise PackageRefused(EMPTY)
    _check_entry_count(archive, limits.entries_max)
    with _open(archive) as opened:
        entries = opened.infolist()
        if not entries:
            raise PackageRefused(EMPTY)
        unzipped_bytes = sum(entry.file_size for entry in entries)
        if unzipped_bytes > limits.unzipped_max_bytes:
            # Observed: localstack TestLambdaSizeLimits (recorded).
            raise PackageRefused(f"Unzipped size must be smaller than {limits.unzipped_max_bytes} bytes")
        plan = _Plan(limits.entries_max)
        for entry in entries:
            plan.add(opened, entry)
        return plan.index(unzipped_bytes)


def verify(archive: Archive, index: ArchiveIndex) -> None:
    """
    Read every file of a zip and check its size and checksum; write nothing.

    Raises:
        PackageRefused: a file does not decompress to what the zip says.
    """
    with _open(archive) as opened:
        for file in index.files:
            for _ in _contents(opened, file.info):
                pass


def extract(archive: Archive, index: ArchiveIndex, folder: Path) -> None:
    """
    Unpack a zip into a new folder.

    The umask does not matter. At most `index.unzipped_bytes` are written. When it raises, a part of the tree may be
    there: the caller removes the folder.

    Args:
        index: what `inspect` returned for this very archive.
        folder: does not exist; its parent does.

    Raises:
        PackageRefused: a file does not decompress to what the zip says.
        OSError: the disk refuses.
    """
    folder.mkdir(mode=0o700)
    with _Tree(folder) as tree, _open(archive) as opened:
        # A parent's path is a prefix of its children's, so it sorts before them.
        for path in sorted(index.directories):
            tree.make_folder(path, index.directories[path])
        for file in index.files:
            with tree.create(file.path, file.mode) as stream:
                for chunk in _contents(opened, file.info):
                    stream.write(chunk)
        for link in index.links:
            tree.link(link.path, link.target)


class _Plan:
    """Collects entries in the order of the zip. The last entry of a name wins, as `unzip -o` has it."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._directories: dict[bytes, int] = {}
        self._leaves: dict[bytes, ArchiveFile | ArchiveLink] = {}

    def add(self, opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        name = _stored_name(entry)
        parts = _split(name)
        mode = entry.external_attr >> 16 if entry.create_system in _UNIX_SYSTEMS else 0
        kind = stat.S_IFMT(mode)
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
            _refuse()
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
            _refuse()
        if name.endswith(b"/") or kind == stat.S_IFDIR:
            if kind == stat.S_IFLNK:
                _refuse()
            self._add_directory(parts)
        elif not parts or name.endswith(b"/."):
            _refuse()
        elif kind == stat.S_IFLNK:
            path = b"/".join(parts)
            self._add_leaf(parts, ArchiveLink(path, _link_target(opened, entry)))
        else:
            # Documented: deployment packages, entries without Unix bits need world-readable permissions.
            # Nobody but the owner may write: where no mount makes the tree read-only, as in the `process` driver, a
            # function could otherwise change code that other environments share. On AWS the mount sees to that.
            permissions = mode & 0o755 if mode else 0o644
            self._add_leaf(parts, ArchiveFile(b"/".join(parts), permissions, entry))

    def index(self, unzipped_bytes: int) -> ArchiveIndex:
        leaves = [self._leaves[path] for path in sorted(self._leaves)]
        return ArchiveIndex(
            directories=self._directories,
            files=[leaf for leaf in leaves if isinstance(leaf, ArchiveFile)],
            links=[leaf for leaf in leaves if isinstance(leaf, ArchiveLink)],
            unzipped_bytes=unzipped_bytes,
        )

    def _add_directory(self, parts: list[bytes]) -> None:
        if not parts:
            return  # The folder itself, as in "./".
        path = b"/".join(parts)
        if path in self._leaves:
            _refuse()
        self._add_parents(parts)
        self._directories[path] = 0o755

    def _add_leaf(self, parts: list[bytes], leaf: ArchiveFile | ArchiveLink) -> None:
        if leaf.path in self._directories:
            _refuse()
        self._add_parents(parts)
        self._leaves[leaf.path] = leaf

    def _add_parents(self, parts: list[bytes]) -> None:
        for depth in range(len(parts) - 1, 0, -1):
            path = b"/".join(parts[:depth])
            if path in self._directories:
                return  # And with it all of its parents.
            if path in self._leaves:
                _refuse()  # Below a file, or through a link.
            self._directories[path] = 0o755
            # A short name may imply a hundred folders: without this, 100,000 entries make millions of inodes.
            if len(self._directories) > 2 * self._entries_max:
                _refuse()


class _Tree:
    """A new folder that is only ever entered by descriptors, one component at a time, following no link."""

    _ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    _CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW

    def __init__(self, folder: Path) -> None:
        self._root = os.open(folder, self._ENTER)
        os.fchmod(self._root, 0o755)
        self._near_path = b""
        self._near = os.dup(self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._near)
        os.close(self._root)

    def make_folder(self, path: bytes, mode: int) -> None:
        parent, name = self._parent(path)
        os.mkdir(name, 0o700, dir_fd=parent)
        made = os.open(name, self._ENTER, dir_fd=parent)
        try:
            os.fchmod(made, mode)
        finally:
            os.close(made)

    @contextlib.contextmanager
    def create(self, path: bytes, mode: int) -> Iterator[BinaryIO]:
        parent, name = self._parent(path)
        with os.fdopen(os.open(name, self._CREATE, 0o600, dir_fd=parent), "wb") as stream:
            yield stream
            os.fchmod(stream.fileno(), mode)

    def link(self, path: bytes, target: bytes) -> None:
        parent, name = self._parent(path)
        os.symlink(target, name, dir_fd=parent)

    def _parent(self, path: bytes) -> tuple[int, bytes]:
        """Return a descriptor of a path's folder, good until the next call, and the name in it."""
        parent_path, _, name = path.rpartition(b"/")
        if parent_path != self._near_path:
            # Entries come sorted, so most have the parent of the one before.
            entered = os.dup(self._root)
            try:
                for part in parent_path.split(b"/") if parent_path else []:
                    deeper = os.open(part, self._ENTER, dir_fd=entered)
                    os.close(entered)
                    entered = deeper
            except BaseException:
                os.close(entered)
                raise
            os.close(self._near)
            self._near, self._near_path = entered, parent_path
        return self._near, name


def _check_entry_count(archive: Archive, entries_max: int) -> None:
    """
    Refuse too many entries before `zipfile` makes an object for each.

    Every entry has one header in the directory at the end of the zip. The number there is not to be believed, and
    `zipfile` does not; so the headers are counted. Files that were stored uncompressed and are zips themselves have
    headers too: when there are too many in all, only those in the directory count, provided that its place is certain.
    """
    if archive.count(_DIRECTORY_HEADER) <= entries_max:
        return
    end = len(archive) - _DIRECTORY_END_BYTES
    has_plain_end = archive.startswith(_DIRECTORY_END, max(end, 0)) and archive.endswith(b"\0\0")
    if not has_plain_end or archive.startswith(_ZIP64_LOCATOR, max(end - _ZIP64_LOCATOR_BYTES, 0)):
        _refuse()
    (directory_bytes,) = struct.unpack_from("<L", archive, end + 12)
    if archive.count(_DIRECTORY_HEADER, max(end - directory_bytes, 0), end) > entries_max:
        _refuse()


def _stored_name(entry: zipfile.ZipInfo) -> bytes:
    # `filename` ends at the first NUL; `orig_filename` is what the zip says.
    if entry.flag_bits & _UTF8_NAME:
        return entry.orig_filename.encode()
    # Without the flag `zipfile` reads code page 437, but tools on Unix write the bytes of the file system, and
    # those are UTF-8 today. Assumed: AWS unpacks them unchanged, as unzip on Linux does (test_archive).
    stored = entry.orig_filename.encode("cp437")
    try:
        stored.decode()
    except UnicodeDecodeError:
        return entry.orig_filename.encode()
    return stored


def _split(name: bytes) -> list[bytes]:
    if name.startswith(b"/") or b"\0" in name or len(name) > _PATH_MAX_BYTES:
        _refuse()
    parts = [part for part in name.split(b"/") if part not in {b"", b"."}]
    if b".." in parts or len(parts) > _DEPTH_MAX or any(len(part) > _NAME_MAX_BYTES for part in parts):
        _refuse()
    return parts


def _link_target(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if not 0 < entry.file_size <= _LINK_TARGET_MAX_BYTES:
        _refuse()
    target = b"".join(_contents(opened, entry))
    if b"\0" in target:
        _refuse()
    return target


def _contents(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield an entry's bytes, never more than declared; refuse when they are more, fewer or others."""
    # `zipfile` cuts at the declared size and is content. Asking for one byte more shows whether there is more.
    one_more = copy.copy(entry)
    one_more.file_size += 1
    left_bytes = entry.file_size
    with _broken_zips(), opened.open(one_more) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            left_bytes -= len(chunk)
            if left_bytes < 0:
                _refuse()
            yield chunk
    if left_bytes:
        _refuse()


@contextlib.contextmanager
def _open(archive: Archive) -> Iterator[zipfile.ZipFile]:
    with _broken_zips():
        # A mapping has all that is asked of a file here, though not all that a file has.
        readable: Any = io.BytesIO(archive) if isinstance(archive, bytes) else archive
        opened = zipfile.ZipFile(readable)
    with opened:
        yield opened


@contextlib.contextmanager
def _broken_zips() -> Iterator[None]:
    """Turn what `zipfile` raises for malformed input into a refusal. Nothing in the block touches a disk."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        OverflowError,
        RuntimeError,
    ) as error:
        raise PackageRefused(CANNOT_UNZIP) from error


def _refuse() -> NoReturn:
    raise PackageRefused(CANNOT_UNZIP)


def _readable(path: bytes) -> str:
    return path.decode(errors="backslashreplace")
