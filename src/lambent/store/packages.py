"""Deployment packages: the zip as a blob, and the folder that it unpacks to."""

import asyncio
import errno
import functools
import hashlib
import itertools
import logging
import os
import re
import shutil
import stat
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import NoReturn

from lambent.domain.quotas import Quotas
from lambent.errors.families import DependencyError
from lambent.store import archive as zips
from lambent.store.contract import Archive, Blob, Blobs, PackageRefused

_log = logging.getLogger("lambent.store")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNPACKING_PREFIX = ".unpacking-"
_REMOVING_PREFIX = ".removing-"
_MERGED_PREFIX = "layers-"
_BOOT_FILE = ".boot"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NO_BOOT_ID = "unknown"
_UNPACKING_MAX = 2
"""Unpacking is work for a processor and a disk: more at once make each slower and starve running functions."""
_MERGED_KEPT_MAX = 1000
"""
Merged trees that a start takes over. Every order of every choice of layers makes one; while the server runs none can
go, since nobody here knows which are mounted.
"""
_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_WARNINGS_MAX = 10
"""Names per package and kind of warning; a package may have 100,000."""


class FilePackages:
    """
    `Packages` in a folder: `<sha256>/` is the unpacked tree of that blob, `layers-<digest>/` what several were merged
    into.

    The trees are a cache of the blobs and are not synced to disk: to sync each of ten thousand files would take longer
    than everything else in a deployment. A killed server does no harm to them, for a tree gets its name by a rename
    once it is whole, and what the kernel holds outlives us. A crash of the machine may: the name can be on disk
    while the files behind it are still empty. So the folder remembers which boot its trees belong to, and after
    another boot they are thrown away, to be unpacked anew when they are asked for.

    Args:
        blobs: where the zips are kept.
        folder: holds the trees and nothing else; made when absent. One server at a time.
        quotas: the limits of a package.

    Raises:
        DependencyError: the folder cannot be prepared.
    """

    def __init__(self, blobs: Blobs, folder: Path, quotas: Quotas) -> None:
        self._blobs = blobs
        self._folder = folder
        self._new_limits = zips.ArchiveLimits(
            zipped_max_bytes=quotas.code_zipped_max_bytes, unzipped_max_bytes=quotas.code_unzipped_max_bytes
        )
        self._read_limits = zips.ArchiveLimits(unzipped_max_bytes=quotas.code_unzipped_max_bytes)
        self._stored_limits = zips.ArchiveLimits(unzipped_max_bytes=quotas.code_unzipped_max_bytes)
        self._slots = asyncio.Semaphore(_UNPACKING_MAX)
        self._flights: dict[str, asyncio.Task[None]] = {}
        self._numbers = itertools.count()
        self._sizes: dict[str, int] = {}
        """Unzipped bytes of packages, as far as somebody has asked."""
        try:
            self._unpacked = _prepare(folder)
        except OSError as error:
            raise DependencyError(f"cannot prepare the packages: {error}", retryable=False) from error

    async def add(self, archive: Archive) -> Blob:
        sha256 = await asyncio.to_thread(_sha256, archive)
        while sha256 not in self._unpacked:
            flight = self._flights.get(sha256)
            if flight is None:
                await asyncio.shield(self._start(sha256, self._unpack_new(sha256, archive)))
                return Blob(sha256=sha256, size_bytes=len(archive))
            # Whoever is at it may be reading a blob that is not there yet; its failure need not be ours.
            await asyncio.wait([flight])
        return await self._blobs.put(archive)

    async def check(self, archive: Archive) -> Blob:
        sha256 = await asyncio.to_thread(_sha256, archive)
        if sha256 not in self._unpacked:
            async with self._slots:
                await asyncio.to_thread(self._check, archive)
        return Blob(sha256=sha256, size_bytes=len(archive))

    async def folder(self, sha256: str) -> Path:
        while sha256 not in self._unpacked:
            if _SHA256.fullmatch(sha256) is None:
                raise KeyError(sha256)
            flight = self._flights.get(sha256) or self._start(sha256, self._unpack_stored(sha256))
            # A caller that gives up leaves the others' work alone.
            try:
                await asyncio.shield(flight)
            except PackageRefused:
                # Somebody was adding this very package and it turned out to be no good.
                raise KeyError(sha256) from None
        return self._folder / sha256

    def folder_nowait(self, sha256: str) -> Path | None:
        return self._folder / sha256 if sha256 in self._unpacked else None

    async def layers(self, sha256s: tuple[str, ...]) -> Path:
        trees = [await self.folder(sha256) for sha256 in sha256s]
        if len(trees) == 1:
            return trees[0]
        key = _merged_name(sha256s)
        while key not in self._unpacked:
            # A caller that gives up leaves the others' work alone.
            await asyncio.shield(self._flights.get(key) or self._start(key, self._merge(key, trees)))
        return self._folder / key

    def layers_nowait(self, sha256s: tuple[str, ...]) -> Path | None:
        return self.folder_nowait(sha256s[0] if len(sha256s) == 1 else _merged_name(sha256s))

    async def unzipped_bytes(self, sha256: str) -> int:
        tree = await self.folder(sha256)
        size_bytes = self._sizes.get(sha256)
        if size_bytes is None:
            size_bytes = self._sizes[sha256] = await asyncio.to_thread(_size_of, tree)
        return size_bytes

    async def close(self) -> None:
        """Wait for what is being unpacked."""
        if self._flights:
            await asyncio.wait(list(self._flights.values()))

    def _start(self, sha256: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        flight = asyncio.create_task(work, name=f"unpack {sha256}")
        self._flights[sha256] = flight
        flight.add_done_callback(lambda _: self._flights.pop(sha256))
        return flight

    async def _unpack_new(self, sha256: str, archive: Archive) -> None:
        async with self._slots:
            tree = await asyncio.to_thread(self._unpack, sha256, archive, self._limits_of(archive))
            try:
                # The blob comes after the tree: a zip that does not unpack is never kept.
                await self._blobs.put(archive)
            except BaseException:
                await asyncio.to_thread(_remove, tree)
                raise
            await asyncio.to_thread(self._finish, sha256, tree)
        self._unpacked.add(sha256)

    async def _unpack_stored(self, sha256: str) -> None:
        async with self._slots:
            archive = await self._blobs.read(sha256)
            try:
                tree = await asyncio.to_thread(self._unpack, sha256, archive, self._stored_limits)
            except PackageRefused as error:
                # It was accepted once, so the disk gave back something else.
                raise DependencyError(f"package {sha256} is damaged: {error}", retryable=False) from error
            await asyncio.to_thread(self._finish, sha256, tree)
        self._unpacked.add(sha256)

    async def _merge(self, key: str, trees: list[Path]) -> None:
        merged = self._folder / f"{_UNPACKING_PREFIX}{next(self._numbers)}-{key}"
        async with self._slots:
            try:
                await asyncio.to_thread(_merge, trees, merged)
            except OSError as error:
                await asyncio.to_thread(_remove, merged)
                raise DependencyError(f"cannot put layers together: {error}", retryable=True) from error
            await asyncio.to_thread(self._finish, key, merged)
        self._unpacked.add(key)

    def _limits_of(self, archive: Archive) -> zips.ArchiveLimits:
        """Return the limits of a new zip: only what came in a request has one of its zipped size."""
        return self._new_limits if isinstance(archive, bytes) else self._read_limits

    def _check(self, archive: Archive) -> None:
        zips.verify(archive, zips.inspect(archive, self._limits_of(archive)))

    def _unpack(self, sha256: str, archive: Archive, limits: zips.ArchiveLimits) -> Path:
        index = zips.inspect(archive, limits)
        tree = self._folder / f"{_UNPACKING_PREFIX}{next(self._numbers)}-{sha256}"
        try:
            zips.extract(archive, index, tree)
        except OSError as error:
            _remove(tree)
            raise DependencyError(f"cannot unpack package {sha256}: {error}", retryable=True) from error
        except BaseException:
            _remove(tree)
            raise
        if limits is not self._stored_limits:
            _warn(sha256, index)
        return tree

    def _finish(self, sha256: str, tree: Path) -> None:
        try:
            tree.rename(self._folder / sha256)
        except OSError as error:
            _remove(tree)
            raise DependencyError(f"cannot unpack package {sha256}: {error}", retryable=True) from error


def _prepare(folder: Path) -> set[str]:
    """Throw away what is unfinished or from before the last boot; return the names of the trees that stay."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Functions run as another user and reach their code through this folder, whatever the umask is.
    folder.chmod(0o755)
    boot = folder / _BOOT_FILE
    boot_id = _boot_id()
    is_same_boot = boot.is_file() and boot.read_text(errors="replace") == boot_id
    for leftover in [*folder.glob(f"{_UNPACKING_PREFIX}*"), *folder.glob(f"{_REMOVING_PREFIX}*")]:
        _remove(leftover)
    trees = [path for path in folder.iterdir() if _SHA256.fullmatch(path.name)]
    merged = [path for path in folder.iterdir() if path.name.startswith(_MERGED_PREFIX)]
    doomed: list[Path] = []
    if not is_same_boot:
        doomed += trees
    if not is_same_boot or len(merged) > _MERGED_KEPT_MAX:
        doomed += merged
    # Renamed before anything in them goes: a tree under its own name is whole at every moment.
    renamed = [tree.rename(folder / f"{_REMOVING_PREFIX}{tree.name}") for tree in doomed]
    if not is_same_boot:
        boot.write_text(boot_id)
    for tree in renamed:
        _remove(tree)
    return {tree.name for tree in {*trees, *merged} - set(doomed)}


def _boot_id() -> str:
    """Return what changes at every boot. Systems without one keep their trees over a crash."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return _NO_BOOT_ID


@functools.lru_cache(maxsize=1024)
def _merged_name(sha256s: tuple[str, ...]) -> str:
    """Return the name of a tree that several packages were merged into."""
    return _MERGED_PREFIX + hashlib.sha256(",".join(sha256s).encode()).hexdigest()


def _merge(trees: Sequence[Path], target: Path) -> None:
    """
    Link the files of several trees into a new one, later ones in the place of earlier ones: no byte is copied.

    As when a package is unpacked, folders are entered by descriptors: no link is followed, a path may be longer than
    the system takes at once, and the umask does not matter.

    Raises:
        OSError: the disk refuses. A part of the tree may be there.
    """
    target.mkdir(mode=0o700)
    into = os.open(target, _ENTER)
    try:
        os.fchmod(into, 0o755)
        for tree in trees:
            source = os.open(tree, _ENTER)
            try:
                _merge_folder(source, into)
            finally:
                os.close(source)
    finally:
        os.close(into)


def _merge_folder(source: int, into: int) -> None:
    with os.scandir(source) as listing:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]
    for name, is_folder in entries:
        if not is_folder:
            _link(name, source, into)
            continue
        below = os.open(name, _ENTER, dir_fd=source)
        try:
            there = _enter_or_make(name, into)
            try:
                _merge_folder(below, there)
            finally:
                os.close(there)
        finally:
            os.close(below)


def _enter_or_make(name: str, parent: int) -> int:
    """Return a descriptor of a folder, which takes the place of whatever else has its name."""
    try:
        return os.open(name, _ENTER, dir_fd=parent)
    except FileNotFoundError:
        pass
    except OSError as error:
        # A file, and a link, of which some systems say the latter.
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        os.unlink(name, dir_fd=parent)
    os.mkdir(name, 0o700, dir_fd=parent)
    made = os.open(name, _ENTER, dir_fd=parent)
    # As folders are in every package.
    os.fchmod(made, 0o755)
    return made


def _link(name: str, source: int, into: int) -> None:
    """Give a file, or a symbolic link, a name in another folder too, in the place of whatever has that name there."""
    try:
        os.link(name, name, src_dir_fd=source, dst_dir_fd=into, follow_symlinks=False)
    except FileExistsError:
        if stat.S_ISDIR(os.stat(name, dir_fd=into, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=into)
        else:
            os.unlink(name, dir_fd=into)
        _link(name, source, into)
    except OSError as error:
        # A file that has all the names that it may have (65,000 on ext4), or is another user's, as after the server
        # changed its own; or a file system without links.
        if error.errno not in {errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP}:
            raise
        _copy(name, source, into)


def _copy(name: str, source: int, into: int) -> None:
    mode = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=into)
        return
    with (
        os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=source), "rb") as reading,
        os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=into), "wb") as writing,
    ):
        shutil.copyfileobj(reading, writing)
        os.fchmod(writing.fileno(), stat.S_IMODE(mode))


def _size_of(tree: Path) -> int:
    """Return the bytes of all files together. By descriptors, as above: a path may be long."""
    return sum(
        found.st_size
        for _, _, names, folder in os.fwalk(tree, onerror=_raise)
        for name in names
        if stat.S_ISREG((found := os.stat(name, dir_fd=folder, follow_symlinks=False)).st_mode)
    )


def _raise(error: OSError) -> NoReturn:
    raise error


def _remove(tree: Path) -> None:
    # What cannot be removed now is tried again at the next start.
    shutil.rmtree(tree, ignore_errors=True)


def _warn(sha256: str, index: zips.ArchiveIndex) -> None:
    """Log what works on AWS as badly as here, and what its author most likely did not mean."""
    for event, names in (
        ("package.backslash_name", index.backslash_names()),
        ("package.unreadable_file", index.unreadable_names()),
    ):
        for name in names[:_WARNINGS_MAX]:
            _log.warning("%s sha256=%s name=%r", event, sha256, name)
        if len(names) > _WARNINGS_MAX:
            _log.warning("%s sha256=%s more=%d", event, sha256, len(names) - _WARNINGS_MAX)


def _sha256(archive: Archive) -> str:
    return hashlib.sha256(archive).hexdigest()
