"""Backup files: what is written is read back, and whatever else is refused with one line."""

import hashlib
import io
import tarfile

import msgspec
import pytest

from lambent.store import backup_format as form
from lambent.store.backup_format import BackupReader, BadBackup, Header, Member
from lambent.testing.backups import pack

HEADER = Header(format=form.FORMAT, lambent="0.1.0", schema=6, created="2026-11-30T08:00:00+00:00")
BLOB = b"a package" * 100
BLOB_NAME = form.content_name("blobs", hashlib.sha256(BLOB).hexdigest())
SOUND = ((form.HEADER_NAME, msgspec.json.encode(HEADER)), ("state.db", b"tables"), ("secret", b"s"), (BLOB_NAME, BLOB))


def unpack(backup: bytes) -> tuple[Header, dict[str, bytes]]:
    reader = BackupReader(io.BytesIO(backup))
    header = reader.header()
    found = {}
    while (member := reader.next()) is not None:
        found[member.name] = b"".join(reader.chunks(member))
    return header, found


def check_refused(backup: bytes, text: str) -> None:
    with pytest.raises(BadBackup, match=text) as refused:
        unpack(backup)
    assert "\n" not in str(refused.value)


def test_what_was_written_is_read() -> None:
    """Header and members come back, byte for byte; the size is known before."""
    backup = pack(SOUND)
    assert unpack(backup) == (HEADER, dict(SOUND[1:]))
    manifest = sum(len(form.manifest_line(Member(name, len(body)), "0" * 64)) for name, body in SOUND)
    sizes = [*(len(body) for _, body in SOUND), manifest]
    assert len(backup) == sum(map(form.bytes_in_file, sizes)) + len(form.END)


def test_any_tar_reads_it() -> None:
    """It is a tar: no tool of ours is needed to look inside."""
    with tarfile.open(fileobj=io.BytesIO(pack(SOUND))) as tar:
        assert [info.name for info in tar] == [*(name for name, _ in SOUND), "manifest"]
        assert {info.mode for info in tar} == {0o600}


def test_sizes_beyond_8_gib_fit_one_block() -> None:
    """A database of many gigabytes has a block like any other."""
    info = tarfile.TarInfo.frombuf(form.block_before(Member("state.db", 1 << 40), 0), "utf-8", "strict")
    assert info.size == 1 << 40


def test_every_shorter_file_is_refused() -> None:
    """A file that ends early is refused wherever it ends, also within what ends a tar."""
    backup = pack(SOUND)
    for length in range(len(backup)):
        with pytest.raises(BadBackup):
            unpack(backup[:length])


def test_no_flipped_byte_passes() -> None:
    """Whichever byte is another one, the file is refused, or what it holds is the same to the byte."""
    backup = bytearray(pack(SOUND))
    passed = 0
    for position in range(len(backup)):
        backup[position] ^= 0x01
        try:
            assert unpack(bytes(backup)) == (HEADER, dict(SOUND[1:]))
            passed += 1
        except BadBackup:
            pass
        backup[position] ^= 0x01
    # The one or two bytes of a block that tar does not look at.
    assert passed <= 2 * (len(SOUND) + 1)


def test_something_behind_the_end_is_refused() -> None:
    """Two files in one are none."""
    check_refused(pack(SOUND) + b"\0", "something follows")


def test_a_manifest_that_does_not_fit_is_refused() -> None:
    """A member that was exchanged for another is noticed although each is sound by itself."""
    one, other = pack(SOUND), pack([SOUND[0], ("state.db", b"TABLES"), *SOUND[2:]])
    end = form.bytes_in_file(len(SOUND[0][1])) + form.bytes_in_file(6)
    check_refused(other[:end] + one[end:], "not what its manifest says")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("../state.db", "leads out of the folder"),
        ("/etc/passwd", "leads out of the folder"),
        ("blobs/../../x", "leads out of the folder"),
        ("lock", "no backup has"),
        ("blobs/ab/short", "no backup has"),
        (BLOB_NAME.replace("blobs", "run"), "no backup has"),
        (f"{BLOB_NAME}/x", "no backup has"),
        ("segments/1.segment", "no backup has"),
        ("blobs/00/" + BLOB_NAME[9:], "no backup has"),
    ],
)
def test_only_what_a_backup_has_is_taken(name: str, text: str) -> None:
    """A member that would lie elsewhere is refused by its name."""
    check_refused(pack([*SOUND, (name, b"x")]), text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.FIFOTYPE, "a device"),
        (tarfile.DIRTYPE, "no plain file"),
        (tarfile.GNUTYPE_LONGNAME, "no plain file"),
        (tarfile.XHDTYPE, "no plain file"),
    ],
)
def test_only_plain_files_are_taken(kind: bytes, text: str) -> None:
    """Links, devices, folders and extensions of tar are refused, whatever their name."""

    def block(member: Member) -> bytes:
        info = tarfile.TarInfo(member.name)
        info.size, info.linkname = member.size_bytes, "/etc/passwd" if member.name == "secret" else ""
        info.type = kind if member.name == "secret" else tarfile.REGTYPE
        return info.tobuf(tarfile.GNU_FORMAT)

    check_refused(pack(SOUND, block=block), text)


def test_a_blob_is_what_its_name_says() -> None:
    """A blob with other bytes is named, before the manifest is reached."""
    check_refused(pack([*SOUND[:3], (BLOB_NAME, b"other")]), f"{BLOB_NAME} has other bytes")


@pytest.mark.parametrize("backup", [b"", b"x" * 512, b"PK\3\4" * 1000, bytes(5000), pack([("state.db", b"")])])
def test_other_files_are_no_backups(backup: bytes) -> None:
    """Whatever somebody names by mistake."""
    check_refused(backup, "is not a backup of Lambent")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (b'{"format":2,"more":1}', "is a backup of format 2; this version of Lambent reads format 1"),
        (b'{"format":1}', "first member cannot be read"),
        (b"{", "first member cannot be read"),
    ],
)
def test_an_unknown_format_is_refused(header: bytes, text: str) -> None:
    """The format is looked at before all else that it may have changed."""
    check_refused(pack([(form.HEADER_NAME, header), *SOUND[1:]]), text)
