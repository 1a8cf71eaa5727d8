"""Reading and unpacking zips from strangers."""

import contextlib
import io
import os
import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.store.archive import CANNOT_UNZIP, EMPTY, ArchiveLimits, extract, inspect, verify
from lambent.store.contract import MappedArchive, PackageRefused

LIMITS = ArchiveLimits(zipped_max_bytes=52_428_800, unzipped_max_bytes=262_144_000)
UNIX, DOS = 3, 0


@dataclass(frozen=True)
class Entry:
    """One entry as a test wants it; `mode` includes the file type."""

    name: str
    body: bytes = b""
    mode: int = 0o100644
    system: int = UNIX


def make_zip(*entries: Entry, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as opened:
        for entry in entries:
            info = zipfile.ZipInfo("placeholder")
            # Set afterwards: the constructor cleans names up.
            info.filename = entry.name
            info.create_system = entry.system
            info.compress_type = compression
            with opened.open(info, "w") as stream:
                # Set in here: `open` replaces a mode of 0.
                info.external_attr = entry.mode << 16
                stream.write(entry.body)
    return buffer.getvalue()


def link(name: str, target: str) -> Entry:
    return Entry(name, target.encode(), 0o120777)


def unpack(archive: bytes, folder: Path, limits: ArchiveLimits = LIMITS) -> Path:
    tree = folder / "tree"
    extract(archive, inspect(archive, limits), tree)
    return tree


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def check_refused(archive: bytes, text: str = CANNOT_UNZIP, limits: ArchiveLimits = LIMITS) -> PackageRefused:
    """Both ways, to unpack and only to look, say no with the same words."""
    with pytest.raises(PackageRefused) as refused, tempfile.TemporaryDirectory() as folder:
        unpack(archive, Path(folder), limits)
    with pytest.raises(PackageRefused) as refused_unseen:
        verify(archive, inspect(archive, limits))
    assert str(refused.value) == str(refused_unseen.value) == text
    return refused.value


@pytest.fixture
def narrow_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("narrow_umask")
def test_files_keep_their_stored_mode(tmp_path: Path) -> None:
    """
    PK-01: a program stays executable and a plain file stays plain, whatever the umask is. PK-06: 0600 stays 0600.

    Only the right to write is the owner's alone.
    """
    tree = unpack(
        make_zip(
            Entry("bin/tool", b"#!/bin/sh\necho hi", 0o100755),
            Entry("bin/plain", b"#!/bin/sh\necho hi", 0o100644),
            Entry("app.py", b"", 0o100600),
            Entry("odd", b"", 0o100421),
        ),
        tmp_path,
    )

    modes = {name: mode_of(tree / name) for name in ("bin/tool", "bin/plain", "app.py", "odd", "bin", ".")}
    assert modes == {
        "bin/tool": 0o755,
        "bin/plain": 0o644,
        "app.py": 0o600,
        "odd": 0o401,
        "bin": 0o755,
        ".": 0o755,
    }


@pytest.mark.parametrize("mode", [0o104755, 0o102755, 0o101777, 0o107777])
def test_setuid_setgid_and_sticky_are_dropped(tmp_path: Path, mode: int) -> None:
    """No package brings a file that changes the user."""
    tree = unpack(make_zip(Entry("su", b"", mode), Entry("d/", b"", 0o047777)), tmp_path)

    assert mode_of(tree / "su") == mode & 0o755
    assert mode_of(tree / "d") == 0o755


@pytest.mark.parametrize("entry", [Entry("f", mode=0), Entry("f", mode=0o100600, system=DOS)])
@pytest.mark.usefixtures("narrow_umask")
def test_entries_without_unix_modes_are_world_readable(tmp_path: Path, entry: Entry) -> None:
    """A zip made on Windows, or by a tool that stores no modes, works."""
    tree = unpack(make_zip(entry, Entry("d/", mode=0)), tmp_path)

    assert mode_of(tree / "f") == 0o644
    assert mode_of(tree / "d") == 0o755


@pytest.mark.parametrize("mode", [0o040000, 0o040700, 0o040500])
def test_folders_can_always_be_walked(tmp_path: Path, mode: int) -> None:
    """A folder that was stored closed still lets the function in, and us remove it."""
    tree = unpack(make_zip(Entry("d/", mode=mode), Entry("d/f", b"x")), tmp_path)

    assert mode_of(tree / "d") == 0o755
    assert (tree / "d" / "f").read_bytes() == b"x"


def test_files_whose_users_cannot_read_them_are_named() -> None:
    """PK-06: an entry that others may not read is kept so, and the caller learns of it."""
    index = inspect(make_zip(Entry("app.py", mode=0o100600), Entry("ok.py"), Entry("g", mode=0o100640)), LIMITS)

    assert index.unreadable_names() == ["app.py", "g"]


def test_links_are_links(tmp_path: Path) -> None:
    """PK-02: symbolic links are restored, also when they come before their target, chain, and point at folders."""
    tree = unpack(
        make_zip(
            link("bootstrap", "bin/app"),
            link("lib/link.txt", "real.txt"),
            Entry("lib/real.txt", b"data"),
            link("lib/second.txt", "link.txt"),
            link("shared", "lib"),
            link("up/back", "../lib/real.txt"),
            Entry("bin/app", b"#!/bin/sh", 0o100755),
        ),
        tmp_path,
    )

    assert (tree / "lib/link.txt").readlink() == Path("real.txt")
    for name in ("lib/link.txt", "lib/second.txt", "shared/real.txt", "up/back"):
        assert (tree / name).read_text() == "data"
    assert os.access(tree / "bootstrap", os.X_OK)


@pytest.mark.parametrize("target", ["/opt/x", "/tmp", "../../outside", "nowhere"])
def test_links_out_of_the_folder_are_kept_as_they_are(tmp_path: Path, target: str) -> None:
    """PK-02: where a link points is the function's business. We never follow it."""
    tree = unpack(make_zip(link("out", target)), tmp_path)

    assert str((tree / "out").readlink()) == target


@pytest.mark.parametrize(
    "entries",
    [
        (link("out", "/tmp"), Entry("out/f", b"x")),
        (Entry("out/f", b"x"), link("out", "/tmp")),
        (link("out", "in"), Entry("in/", mode=0o040755), Entry("out/f", b"x")),
        (link("out", "."), link("out/out", "/tmp"), Entry("out/out/f", b"x")),
        (link("out", "/tmp"), Entry("out/", mode=0o040777)),
        (link("out", "/tmp"), Entry("./out//f", b"x")),
        (link("out/", "/tmp"),),
    ],
)
def test_nothing_is_written_through_a_link(entries: tuple[Entry, ...]) -> None:
    """PK-02: an entry below a link is refused, wherever the link points and in whatever order they come."""
    check_refused(make_zip(*entries))


@pytest.mark.parametrize("target", ["", "x" * 4096, "a\0b"])
def test_links_that_cannot_exist_are_refused(target: str) -> None:
    """A link has a target of at most 4095 characters."""
    check_refused(make_zip(link("l", target)))


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "//x",
        "..",
        "../x",
        "a/../../x",
        "a/../b",
        "a/..",
        "../",
        "/",
        "",
        ".",
        "a/.",
        "a\0b",
        "a\0/../../x",
        "x" * 256,
        "/".join(["d"] * 129),
        "/".join(["d" * 200] * 30),
    ],
)
def test_names_that_are_no_path_below_the_folder_are_refused(name: str) -> None:
    """Absolute names, `..`, NUL, and what a file system could not hold: nothing of such a zip is used."""
    check_refused(make_zip(Entry("app.py"), Entry(name, b"x")))


def test_names_are_taken_literally_but_for_dots_and_doubled_slashes(tmp_path: Path) -> None:
    """`./a//b` is `a/b`; names differ by case; letters of any script, blanks and line breaks are fine."""
    tree = unpack(
        make_zip(
            Entry("./", mode=0o040700),
            Entry("./a//b", b"1"),
            Entry("A/B", b"2"),
            Entry("ünï/日本.py", b"3"),
            Entry("C:x y\n", b"4"),
            Entry("...", b"5"),
        ),
        tmp_path,
    )

    found = {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}
    assert found == {"a/b": "1", "A/B": "2", "ünï/日本.py": "3", "C:x y\n": "4", "...": "5"}
    assert mode_of(tree) == 0o755


def test_names_without_the_utf8_flag_are_the_bytes_of_the_file_system(tmp_path: Path) -> None:
    """Zip tools on Unix store UTF-8 names without saying so; old ones of DOS mean code page 437."""
    for stored, expected in ((b"caf\xc3\xa9", "café"), (b"caf\x82", "café")):
        # The placeholder has the length of the stored name, which takes its place in both headers.
        placeholder = "q" * len(stored)
        archive = make_zip(Entry(placeholder, b"x")).replace(placeholder.encode(), stored)
        folder = tmp_path / str(len(stored))
        folder.mkdir()

        assert [path.name for path in unpack(archive, folder).iterdir()] == [expected]


def test_a_backslash_is_part_of_the_name(tmp_path: Path) -> None:
    """PK-03: `pkg\\mod.py` is one file with that name, not a folder; the caller learns of it."""
    archive = make_zip(Entry("app.py"), Entry("pkg\\mod.py", b"x"))

    assert names_in(unpack(archive, tmp_path)) == ["app.py", "pkg\\mod.py"]
    assert inspect(archive, LIMITS).backslash_names() == ["pkg\\mod.py"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_last_of_two_entries_with_one_name_wins(tmp_path: Path) -> None:
    """Duplicates are unpacked as unzip does it, with body and mode of the last."""
    tree = unpack(
        make_zip(Entry("f", b"old", 0o100755), link("l", "f"), Entry("./f", b"new"), Entry("l", b"x")), tmp_path
    )

    assert ((tree / "f").read_bytes(), mode_of(tree / "f")) == (b"new", 0o644)
    assert not (tree / "l").is_symlink()


@pytest.mark.parametrize(
    "entries",
    [
        (Entry("a"), Entry("a/b")),
        (Entry("a/b"), Entry("a")),
        (Entry("a/", mode=0o040755), Entry("a")),
        (Entry("a"), Entry("a/", mode=0o040755)),
        (Entry("a/b/c"), Entry("a/b")),
    ],
)
def test_a_name_cannot_be_both_file_and_folder(entries: tuple[Entry, ...]) -> None:
    """Such a zip cannot be unpacked."""
    check_refused(make_zip(*entries))


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_devices_pipes_and_sockets_are_refused(kind: int) -> None:
    """A package holds files, folders and links."""
    check_refused(make_zip(Entry("null", mode=kind | 0o666)))


@pytest.mark.parametrize("archive", [b"not a zip", b"PK\x03\x04", b"PK\x05\x06", b"\0" * 1000])
def test_what_is_no_zip_is_refused(archive: bytes) -> None:
    """PK-04: AWS's text for an upload that is no zip."""
    check_refused(archive, "Could not unzip uploaded file. Please check your file, then try to upload again.")


@pytest.mark.parametrize("archive", [b"", make_zip()])
def test_an_empty_zip_is_refused(archive: bytes) -> None:
    """PK-04: a zip without entries has its own text."""
    check_refused(archive, EMPTY)


def test_a_bomb_is_refused_by_its_declared_size() -> None:
    """PK-05: 250 MB and one byte are refused from the zip's directory; nothing is decompressed."""
    archive = patched(make_zip(Entry("zeros", b"\0")), declared_bytes=262_144_001)

    with pytest.raises(PackageRefused, match=r"^Unzipped size must be smaller than 262144000 bytes$"):
        inspect(archive, LIMITS)


def test_the_unzipped_limit_counts_all_entries() -> None:
    """PK-05: many files together are over the limit, too; exactly at the limit is fine."""
    archive = make_zip(Entry("a", b"x" * 600), Entry("b", b"x" * 400))

    inspect(archive, ArchiveLimits(unzipped_max_bytes=1000))
    check_refused(archive, "Unzipped size must be smaller than 999 bytes", ArchiveLimits(unzipped_max_bytes=999))


def test_a_zip_that_is_too_large_zipped_is_told_apart() -> None:
    """PK-05: the upload limit is a 413, and does not hold for zips that come another way."""
    archive = make_zip(Entry("a", os.urandom(500)))
    size = len(archive)

    refused = check_refused(
        archive,
        f"Zipped size must be smaller than {size - 1} bytes",
        ArchiveLimits(zipped_max_bytes=size - 1, unzipped_max_bytes=1000),
    )
    assert refused.too_large_zipped
    inspect(archive, ArchiveLimits(zipped_max_bytes=size, unzipped_max_bytes=1000))
    inspect(archive, ArchiveLimits(unzipped_max_bytes=1000))


def patched(archive: bytes, *, declared_bytes: int) -> bytes:
    """Return a zip of one entry whose headers claim another size."""
    body = bytearray(archive)
    struct.pack_into("<L", body, 22, declared_bytes)
    struct.pack_into("<L", body, archive.index(b"PK\x01\x02") + 24, declared_bytes)
    return bytes(body)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("declared_bytes", [0, 1, 999_999, 1_000_001, 5_000_000])
def test_a_file_that_is_not_as_large_as_declared_is_refused(compression: int, declared_bytes: int) -> None:
    """The declared sizes decided whether the zip is small enough, so no file may be larger, or smaller."""
    archive = make_zip(Entry("a", b"x" * 1_000_000), compression=compression)

    check_refused(patched(archive, declared_bytes=declared_bytes))


def test_no_more_is_written_than_declared(tmp_path: Path) -> None:
    """Unpacking stops where the declared size ends, even with a checksum that fits so far."""
    archive = patched(make_zip(Entry("a", b"\0" * 1_000_000)), declared_bytes=10)

    with pytest.raises(PackageRefused):
        unpack(archive, tmp_path)
    assert (tmp_path / "tree" / "a").stat().st_size <= 10


def test_a_file_with_a_wrong_checksum_is_refused() -> None:
    """One flipped bit inside a file spoils the zip."""
    archive = make_zip(Entry("a", b"hello"), compression=zipfile.ZIP_STORED).replace(b"hello", b"jello")

    check_refused(archive)


@pytest.mark.parametrize("flag", [0x1, 0x40, 0x2000])
def test_encrypted_entries_are_refused(flag: int) -> None:
    """Nobody gave us a password."""
    archive = bytearray(make_zip(Entry("a", b"hello")))
    struct.pack_into("<H", archive, 6, flag)
    struct.pack_into("<H", archive, archive.index(b"PK\x01\x02") + 8, flag)

    check_refused(bytes(archive))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(compression: int) -> None:
    """Only stored and deflated files are unpacked: others may ask for any amount of memory."""
    check_refused(make_zip(Entry("a", b"hello" * 100), compression=compression))


def test_too_many_entries_are_refused() -> None:
    """The number of entries is bounded."""
    archive = make_zip(*(Entry(str(number)) for number in range(11)))

    check_refused(archive, limits=ArchiveLimits(unzipped_max_bytes=1, entries_max=10))
    inspect(archive, ArchiveLimits(unzipped_max_bytes=1, entries_max=11))


def test_too_many_implied_folders_are_refused() -> None:
    """A few long names cannot make any number of folders."""
    archive = make_zip(*(Entry(f"{number}/" + "d/" * 100 + "f") for number in range(10)))

    check_refused(archive, limits=ArchiveLimits(unzipped_max_bytes=1, entries_max=20))


def test_zips_inside_a_zip_do_not_count_as_entries() -> None:
    """A jar that is stored uncompressed brings its own headers: they are contents."""
    jar = make_zip(*(Entry(str(number)) for number in range(20)))
    archive = make_zip(Entry("a.jar", jar), Entry("b.jar", jar), compression=zipfile.ZIP_STORED)

    index = inspect(archive, ArchiveLimits(unzipped_max_bytes=10_000, entries_max=10))

    assert [file.path for file in index.files] == [b"a.jar", b"b.jar"]


def test_a_zip_with_something_before_it_unpacks(tmp_path: Path) -> None:
    """Self-extracting archives are zips with a program in front."""
    archive = b"#!/bin/sh\nexit 1\n" + make_zip(Entry("a", b"x"))

    assert (unpack(archive, tmp_path) / "a").read_bytes() == b"x"


NAMES = st.one_of(
    st.lists(st.sampled_from(["a", "b", "l", "..", ".", "", "c\\d", "\0", "tmp"]), min_size=1, max_size=4).map(
        "/".join
    ),
    st.text(max_size=6),
)
MODES = st.one_of(
    st.builds(
        lambda kind, bits: kind | bits,
        st.sampled_from([0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR]),
        st.integers(0, 0o7777),
    )
)
TARGETS = st.sampled_from(
    [b"..", b"../..", b".", b"a", b"l", b"../outside", b"../outside/kept", b"/", b"/tmp", b"", b"x"]
)
ENTRIES = st.builds(Entry, NAMES, TARGETS, MODES, st.sampled_from([UNIX, DOS]))


def everything_in(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mode, path.lstat().st_size) for path in [folder, *folder.rglob("*")]}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@settings(deadline=None, max_examples=200)
@given(st.lists(ENTRIES, min_size=1, max_size=6))
def test_no_zip_ever_reaches_outside_its_folder(entries: list[Entry]) -> None:
    """Whatever names, kinds, links and order: all beside the new folder stays as it was, and no file changes users."""
    try:
        archive = make_zip(*entries)
    except (UnicodeEncodeError, ValueError):
        return  # Python's own writer cannot even make this one.
    with tempfile.TemporaryDirectory() as name:
        beside = Path(name)
        (beside / "outside").mkdir(mode=0o750)
        (beside / "outside" / "kept").write_text("as it was")
        (beside / "inside").mkdir()
        before = everything_in(beside / "outside")
        try:
            tree = unpack(archive, beside / "inside")
        except PackageRefused:
            tree = beside / "inside"

        assert everything_in(beside / "outside") == before
        assert names_in(beside) == ["inside", "outside"]
        assert names_in(beside / "inside") in ([], ["tree"])
        for path in tree.rglob("*"):
            status = path.lstat()
            assert stat.S_IFMT(status.st_mode) in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}
            assert stat.S_ISLNK(status.st_mode) or not status.st_mode & 0o7000


GOOD = make_zip(Entry("app.py", b"print(1)" * 20), link("l", "app.py"), Entry("d/x", b"x" * 50, 0o100755))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=4), st.integers(0, len(GOOD)))
def test_a_damaged_zip_is_refused_or_unpacked_and_never_a_crash(changes: list[tuple[int, int]], cut: int) -> None:
    """Bytes flipped anywhere, or an end that is missing, give a package or a refusal."""
    damaged = bytearray(GOOD)
    for position, value in changes:
        damaged[position] = value
    for archive in (bytes(damaged), bytes(damaged[:cut])):
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(PackageRefused):
            unpack(archive, Path(folder))


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_mapped_zip_is_like_one_in_memory(tmp_path: Path, compression: int) -> None:
    """Read where it lies: inspected, verified and unpacked to the same."""
    archive = make_zip(Entry("a/b.txt", b"hello"), Entry("c", os.urandom(100_000)), compression=compression)
    with tempfile.TemporaryFile() as file:
        file.write(archive)
        file.flush()
        mapped = MappedArchive(file.fileno(), len(archive))
    assert mapped.startswith(b"PK") and mapped.endswith(archive[-5:])
    assert mapped.count(b"PK\x01\x02") == archive.count(b"PK\x01\x02")
    index = inspect(mapped, LIMITS)
    verify(mapped, index)
    extract(mapped, index, tmp_path / "tree")
    assert (tmp_path / "tree" / "a" / "b.txt").read_bytes() == b"hello"
    assert index.unzipped_bytes == inspect(archive, LIMITS).unzipped_bytes


def test_a_mapped_file_that_is_no_zip() -> None:
    """It is refused like any other."""
    with tempfile.TemporaryFile() as file:
        file.write(b"no zip")
        file.flush()
        mapped = MappedArchive(file.fileno(), 6)
    with pytest.raises(PackageRefused, match="Could not unzip"):
        inspect(mapped, LIMITS)
