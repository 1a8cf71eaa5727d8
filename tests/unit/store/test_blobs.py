"""Blobs in files."""

import asyncio
import hashlib
import stat
from pathlib import Path

import pytest

from lambent.errors.families import DependencyError
from lambent.store.blobs import FileBlobs
from lambent.store.contract import Blob


async def read_in_chunks(blobs: FileBlobs, sha256: str) -> list[bytes]:
    return [chunk async for chunk in blobs.open(sha256)]


def test_what_was_put_can_be_read_whole_and_in_chunks(tmp_path: Path) -> None:
    """A blob is found under its SHA-256 and comes back byte for byte."""
    body = bytes(range(256)) * 9000
    blobs = FileBlobs(tmp_path / "blobs")

    blob = asyncio.run(blobs.put(body))

    assert blob == Blob(sha256=hashlib.sha256(body).hexdigest(), size_bytes=len(body))
    assert asyncio.run(blobs.read(blob.sha256)) == body
    chunks = asyncio.run(read_in_chunks(blobs, blob.sha256))
    assert len(chunks) > 1
    assert b"".join(chunks) == body


def test_a_blob_outlives_the_object_that_stored_it(tmp_path: Path) -> None:
    """Another start on the same folder finds every blob."""
    blob = asyncio.run(FileBlobs(tmp_path).put(b"kept"))

    assert asyncio.run(FileBlobs(tmp_path).read(blob.sha256)) == b"kept"


def test_storing_the_same_bytes_again_changes_nothing(tmp_path: Path) -> None:
    """The same content is one file, which is not written a second time."""
    blobs = FileBlobs(tmp_path)
    first = asyncio.run(blobs.put(b"same"))
    file = tmp_path / first.sha256[:2] / first.sha256
    before = file.stat()

    assert asyncio.run(blobs.put(b"same")) == first

    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


def test_many_puts_of_the_same_bytes_at_once_agree(tmp_path: Path) -> None:
    """Concurrent uploads of one package all succeed."""
    blobs = FileBlobs(tmp_path)

    async def put_often() -> list[Blob]:
        return await asyncio.gather(*(blobs.put(b"x" * 100_000) for _ in range(20)))

    assert len(set(asyncio.run(put_often()))) == 1
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_torn_file_is_replaced(tmp_path: Path) -> None:
    """A file of the wrong size, as a damaged disk may leave, does not pass for the blob."""
    blobs = FileBlobs(tmp_path)
    blob = asyncio.run(blobs.put(b"whole"))
    (tmp_path / blob.sha256[:2] / blob.sha256).write_bytes(b"")

    asyncio.run(blobs.put(b"whole"))

    assert asyncio.run(blobs.read(blob.sha256)) == b"whole"


def test_blobs_are_private(tmp_path: Path) -> None:
    """No other user of the machine reads what was uploaded."""
    folder = tmp_path / "blobs"
    blob = asyncio.run(FileBlobs(folder).put(b"secret"))

    shard = folder / blob.sha256[:2]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, shard, shard / blob.sha256)] == [0o700, 0o700, 0o600]


@pytest.mark.parametrize("name", ["0" * 64, "", "..", "../../secret", "A" * 64, f"{'0' * 64}\n"])
def test_a_name_that_is_no_blob_is_a_key_error(tmp_path: Path, name: str) -> None:
    """Names come from URLs: what is not the digest of a stored blob is simply not there."""
    blobs = FileBlobs(tmp_path / "blobs")
    (tmp_path / "secret").write_text("s")

    with pytest.raises(KeyError):
        asyncio.run(blobs.read(name))
    with pytest.raises(KeyError):
        blobs.open(name)


def test_what_a_killed_server_left_half_written_is_removed(tmp_path: Path) -> None:
    """Unfinished files disappear at the next start, finished ones stay."""
    blob = asyncio.run(FileBlobs(tmp_path).put(b"done"))
    half = tmp_path / blob.sha256[:2] / f".new-0-{blob.sha256}"
    half.write_bytes(b"do")

    blobs = FileBlobs(tmp_path)

    assert not half.exists()
    assert asyncio.run(blobs.read(blob.sha256)) == b"done"


def test_a_disk_that_refuses_is_a_dependency_error(tmp_path: Path) -> None:
    """Failures of the file system arrive in the store's own family of errors, and leave nothing half-written."""
    blobs = FileBlobs(tmp_path)
    sha256 = hashlib.sha256(b"x").hexdigest()
    (tmp_path / sha256[:2]).write_text("a file where a folder should be")

    with pytest.raises(DependencyError):
        asyncio.run(blobs.put(b"x"))
