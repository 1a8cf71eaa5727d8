"""
What a backup file is: a tar of plain files, in this order.

    lambent-backup.json    what it is and who made it; see `Header`
    secret                 the data folder's own
    state.db               the database, as one file
    segments/…             log records that are not folded into the database yet
    blobs/…, payloads/…    what the database names, by path
    manifest               a line for each of the above, in order: `<SHA-256> <bytes> <name>`

The manifest comes last, so that a file without it was cut short, and it is compared as it is read, so that neither
side holds it in memory. Nothing follows it but the two empty blocks that end every tar.
"""

import hashlib
import re
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

FORMAT = 1
"""Of the file. Rises when an older Lambent could not restore what a newer one wrote."""

HEADER_NAME = "lambent-backup.json"
DATABASE_NAME = "state.db"
SECRET_NAME = "secret"
MANIFEST_NAME = "manifest"

END = bytes(2 * tarfile.BLOCKSIZE)
CHUNK_BYTES = 1 << 20
"""What is in memory of a member at once, on either side."""

_HEADER_MAX_BYTES = 65_536
_SEGMENT_NAME = re.compile(r"segments/[0-9]{16}\.segment")
_CONTENT_NAME = re.compile(r"(?P<folder>blobs|payloads)/(?P<shard>[0-9a-f]{2})/(?P<sha256>(?P=shard)[0-9a-f]{62})")


class Header(msgspec.Struct, frozen=True):
    """What the first member says."""

    format: int
    lambent: str
    """The version that made it."""
    schema: int
    """Of the database; also the format of the data folder."""
    created: str
    """UTC, ISO 8601."""


class BadBackup(Exception):
    """A file cannot be restored. The message is one line that says why."""


class Member(msgspec.Struct, frozen=True):
    """A file in a backup."""

    name: str
    size_bytes: int


def content_name(folder: str, sha256: str) -> str:
    """Return the name of a blob in a data folder and in a backup; `folder` is `blobs` or `payloads`."""
    return f"{folder}/{sha256[:2]}/{sha256}"


def sha256_in(name: str) -> str | None:
    """Return what a blob's bytes have to hash to, by its name; None for a name that is no blob's."""
    match = _CONTENT_NAME.fullmatch(name)
    return match["sha256"] if match else None


def _is_known(name: str) -> bool:
    """Whether a name is one that a member behind the header may have."""
    return (
        name in {DATABASE_NAME, SECRET_NAME} or sha256_in(name) is not None or _SEGMENT_NAME.fullmatch(name) is not None
    )


def block_before(member: Member, modified_s: int) -> bytes:
    """Return what stands before a member's bytes."""
    info = tarfile.TarInfo(member.name)
    info.size, info.mode, info.mtime = member.size_bytes, 0o600, modified_s
    # Of the forms of tar the one that has sizes beyond 8 GiB without a further member.
    block = info.tobuf(tarfile.GNU_FORMAT)
    assert len(block) == tarfile.BLOCKSIZE, "a name beyond what a block holds"
    return block


def padding_after(size_bytes: int) -> bytes:
    """Return what stands after so many bytes of a member."""
    return bytes(-size_bytes % tarfile.BLOCKSIZE)


def bytes_in_file(size_bytes: int) -> int:
    """Return what a member of so many bytes takes in the file."""
    return tarfile.BLOCKSIZE + size_bytes + len(padding_after(size_bytes))


def manifest_line(member: Member, sha256: str) -> bytes:
    """Return the manifest's line for a member."""
    return f"{sha256} {member.size_bytes} {member.name}\n".encode()


class BackupReader:
    """
    Reads a backup member by member, and believes nothing.

    `header` first, then `next` and, for each member, all of `chunks`; `next` returns None once the manifest was found
    to fit what was read and the file to end where it should.

    Args:
        file: at its beginning, a pipe as well; reads as much as it is asked for, if there is so much. Stays the
            caller's.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read_bytes = 0
        """How much of the file has been read: a pipe could not say."""
        self._manifest = hashlib.sha256()
        """Of the lines that the manifest must have."""

    def header(self) -> Header:
        """
        Read the first member.

        Raises:
            BadBackup: this is no backup, or one of a format that this version does not know.
        """
        not_one = BadBackup("is not a backup of Lambent")
        try:
            member = self._member()
        except BadBackup:
            raise not_one from None
        if member is None or member.name != HEADER_NAME or member.size_bytes > _HEADER_MAX_BYTES:
            raise not_one
        text = b"".join(self.chunks(member))
        try:
            # The format by itself, before the rest: another one may have other fields.
            found = msgspec.json.decode(text, type=_Format).format
            if found != FORMAT:
                raise BadBackup(f"is a backup of format {found}; this version of Lambent reads format {FORMAT}")
            return msgspec.json.decode(text, type=Header)
        except msgspec.DecodeError:
            raise BadBackup("is damaged: its first member cannot be read") from None

    def next(self) -> Member | None:
        """
        Return the next member; None when the whole file has been read and is sound.

        Raises:
            BadBackup: it is damaged, cut short, or has a member that no backup has.
        """
        member = self._member()
        if member is None:
            raise BadBackup("is cut short: it has no manifest")
        if member.name == MANIFEST_NAME:
            self._check_manifest(member)
            return None
        if not _is_known(member.name):
            if member.name.startswith("/") or ".." in member.name.split("/"):
                raise BadBackup(f"has a member that leads out of the folder: {member.name!r}")
            raise BadBackup(f"has a member that no backup has: {member.name!r}")
        return member

    def chunks(self, member: Member) -> Iterator[bytes]:
        """
        Iterate over a member's bytes, to its end.

        Raises:
            BadBackup: the file ends before it does, or a blob is not what its name says; at the latest with the end.
        """
        digest = hashlib.sha256()
        for chunk in self._content(member):
            digest.update(chunk)
            yield chunk
        sha256 = digest.hexdigest()
        if (sha256_in(member.name) or sha256) != sha256:
            raise BadBackup(f"is damaged: {member.name} has other bytes than were backed up")
        self._manifest.update(manifest_line(member, sha256))

    def _check_manifest(self, member: Member) -> None:
        digest = hashlib.sha256()
        for chunk in self._content(member):
            digest.update(chunk)
        if digest.digest() != self._manifest.digest():
            raise BadBackup("is damaged: its members are not what its manifest says")
        end = self._read(len(END) + 1)
        if end != END:
            raise BadBackup("is cut short" if END.startswith(end) else "is damaged: something follows its manifest")

    def _content(self, member: Member) -> Iterator[bytes]:
        left = member.size_bytes
        while left:
            chunk = self._read(min(left, CHUNK_BYTES))
            if not chunk:
                raise BadBackup(f"is cut short: it ends within {member.name}")
            left -= len(chunk)
            yield chunk
        padding = padding_after(member.size_bytes)
        if self._read(len(padding)) != padding:
            raise BadBackup(f"is damaged or cut short after {member.name}")

    def _read(self, most_bytes: int) -> bytes:
        found = self._file.read(most_bytes)
        self.read_bytes += len(found)
        return found

    def _member(self) -> Member | None:
        """Read the block before a member; None where the tar ends."""
        block = self._read(tarfile.BLOCKSIZE)
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            return None
        except tarfile.HeaderError:
            short = len(block) < tarfile.BLOCKSIZE
            raise BadBackup("is cut short" if short else "is damaged: a member's block cannot be read") from None
        if info.issym() or info.islnk():
            raise BadBackup(f"has a link for a member: {info.name!r}")
        if info.isdev():
            raise BadBackup(f"has a device for a member: {info.name!r}")
        if info.type != tarfile.REGTYPE or info.size < 0:
            raise BadBackup(f"has a member that is no plain file: {info.name!r}")
        return Member(info.name, info.size)


class _Format(msgspec.Struct, frozen=True):
    format: int
