"""Immutable byte strings in files that are named by their SHA-256."""

import asyncio
import contextlib
import hashlib
import itertools
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from lambent.errors.families import DependencyError
from lambent.store.contract import Archive, Blob
from lambent.store.data_folder import sync_folder

_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNFINISHED_PREFIX = ".new-"
_CHUNK_BYTES = 1 << 20


class FileBlobs:
    """
    `Blobs` in a folder: `<first two digits>/<sha256>`.

    A file appears under its name only when its bytes are on disk: it is written under another name in the same
    folder, synced, renamed, and then the folder is synced. So a name that exists is whole, whatever happened. All
    file work runs in threads; a call that is cancelled may still finish its write, which harms nobody because
    the same bytes always have the same name.

    Args:
        folder: holds the blobs and nothing else; made when absent. One server at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._lasting_shards: set[str] = set()
        with _file_failures("prepare"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for leftover in folder.glob(f"*/{_UNFINISHED_PREFIX}*"):
                leftover.unlink()

    async def put(self, body: Archive) -> Blob:
        return await asyncio.to_thread(self._put, body)

    def open(self, sha256: str) -> AsyncIterator[bytes]:
        # The look-up happens here and not at the first chunk: the caller learns of a missing blob
        # while it can still answer with an error.
        path = self._path(sha256)
        if not path.is_file():
            raise KeyError(sha256)
        return _stream(path)

    async def read(self, sha256: str) -> bytes:
        path = self._path(sha256)
        with _file_failures("read"):
            try:
                return await asyncio.to_thread(path.read_bytes)
            except FileNotFoundError:
                raise KeyError(sha256) from None

    def holds(self, sha256: str) -> bool:
        """Say whether a blob is there. Blocks for a look at the disk; may be called on any thread."""
        return self._path(sha256).is_file()

    def remove(self, sha256: str) -> None:
        """Delete a blob; absent is fine. Blocks likewise. The caller knows that nobody needs it."""
        with _file_failures("delete"):
            self._path(sha256).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the blobs that there are, in any order. Blocks likewise."""
        with _file_failures("list"):
            return [path.name for path in self._folder.glob("*/*") if _SHA256.fullmatch(path.name)]

    def _path(self, sha256: str) -> Path:
        # The key may come from a URL. Only what is a digest ever becomes part of a path.
        if _SHA256.fullmatch(sha256) is None:
            raise KeyError(sha256)
        return self._folder / sha256[:2] / sha256

    def _put(self, body: Archive) -> Blob:
        sha256 = hashlib.sha256(body).hexdigest()
        path = self._path(sha256)
        with _file_failures("store"):
            self._make_shard(path.parent)
            if not _has_size(path, len(body)):
                self._write(path, body)
            # Also when the file was there already: whoever renamed it may have been killed before this line,
            # and our caller is about to commit a row that relies on it.
            sync_folder(path.parent)
        return Blob(sha256=sha256, size_bytes=len(body))

    def _make_shard(self, shard: Path) -> None:
        if shard.name in self._lasting_shards:
            return
        shard.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self._folder)
        self._lasting_shards.add(shard.name)

    def _write(self, path: Path, body: Archive) -> None:
        unfinished = path.with_name(f"{_UNFINISHED_PREFIX}{next(self._numbers)}-{path.name}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(body)
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.rename(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def _has_size(path: Path, size_bytes: int) -> bool:
    try:
        return path.stat().st_size == size_bytes
    except FileNotFoundError:
        return False


async def _stream(path: Path) -> AsyncIterator[bytes]:
    with _file_failures("read"):
        stream = await asyncio.to_thread(path.open, "rb")
        try:
            while chunk := await asyncio.to_thread(stream.read, _CHUNK_BYTES):
                yield chunk
        finally:
            stream.close()


@contextlib.contextmanager
def _file_failures(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DependencyError(f"cannot {action} blobs: {error}", retryable=True) from error
