"""Deployment packages: kept as blobs, unpacked once, thrown away after a crash of the machine."""

import asyncio
import errno
import hashlib
import io
import logging
import os
import stat
import threading
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lambent.domain.quotas import Quotas
from lambent.errors.families import DependencyError
from lambent.store import archive as zips
from lambent.store import packages as packages_module
from lambent.store.blobs import FileBlobs
from lambent.store.contract import Blob, PackageRefused
from lambent.store.packages import FilePackages


def make_zip(files: dict[str, bytes], mode: int = 0o100644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, body in files.items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = mode << 16
            opened.writestr(info, body)
    return buffer.getvalue()


APP = make_zip({"app.py": b"def handler(e, c): return 1"})
APP_SHA256 = hashlib.sha256(APP).hexdigest()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Store:
    """Blobs and packages on one folder, as after a start of the server."""

    def __init__(self, folder: Path, quotas: Quotas | None = None) -> None:
        self.folder = folder / "packages"
        self.blobs = FileBlobs(folder / "blobs")
        self.packages = FilePackages(self.blobs, self.folder, quotas or Quotas())

    def names(self) -> list[str]:
        return [name for name in names_in(self.folder) if name != ".boot"]

    def blob_count(self) -> int:
        return sum(path.is_file() for path in self.blobs._folder.rglob("*"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_adding_keeps_the_zip_and_unpacks_it(store: Store) -> None:
    """PK-04: a package is known by the SHA-256 of the zip as uploaded, and its folder is there at once."""
    blob = asyncio.run(store.packages.add(APP))

    assert blob == Blob(sha256=APP_SHA256, size_bytes=len(APP))
    assert asyncio.run(store.blobs.read(APP_SHA256)) == APP
    folder = store.packages.folder_nowait(APP_SHA256)
    assert folder == store.folder / APP_SHA256 == asyncio.run(store.packages.folder(APP_SHA256))
    assert names_in(folder) == ["app.py"]
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o755


def test_adding_the_same_zip_again_unpacks_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """PK-04: an unchanged zip is the same package."""
    first = asyncio.run(store.packages.add(APP))
    monkeypatch.setattr(zips, "extract", None)

    assert asyncio.run(store.packages.add(APP)) == first
    assert asyncio.run(store.packages.check(APP)) == first


def test_a_package_is_unpacked_again_when_only_its_zip_is_left(tmp_path: Path) -> None:
    """The trees are a cache: without them, the zip is enough."""
    blob = asyncio.run(FileBlobs(tmp_path / "blobs").put(APP))
    store = Store(tmp_path)

    assert store.packages.folder_nowait(blob.sha256) is None
    folder = asyncio.run(store.packages.folder(blob.sha256))

    assert (folder / "app.py").is_file()
    assert store.packages.folder_nowait(blob.sha256) == folder


@pytest.mark.parametrize("sha256", ["0" * 64, "..", "", "x" * 64])
def test_an_unknown_package_is_a_key_error(store: Store, sha256: str) -> None:
    """There is no folder without a zip."""
    with pytest.raises(KeyError):
        asyncio.run(store.packages.folder(sha256))
    assert store.packages.folder_nowait(sha256) is None
    assert store.names() == []


@pytest.mark.parametrize(
    ("archive", "text"),
    [
        (b"not a zip", "Could not unzip uploaded file. Please check your file, then try to upload again."),
        (make_zip({}), "Uploaded file must be a non-empty zip"),
        (make_zip({"../x": b""}), "Could not unzip uploaded file. Please check your file, then try to upload again."),
        (APP.replace(b"handler", b"Handler"), zips.CANNOT_UNZIP),
    ],
)
def test_nothing_is_left_of_a_refused_package(store: Store, archive: bytes, text: str) -> None:
    """PK-04: a broken zip gets AWS's text, to add and to check, and leaves neither blob nor folder."""
    for attempt in (store.packages.add, store.packages.check):
        with pytest.raises(PackageRefused) as refused:
            asyncio.run(attempt(archive))
        assert str(refused.value) == text
    assert (store.names(), store.blob_count()) == ([], 0)


def test_the_quotas_decide_what_is_too_large(tmp_path: Path) -> None:
    """PK-05: zipped and unzipped size have their own refusals."""
    small = Store(tmp_path, Quotas(code_zipped_max_bytes=len(APP), code_unzipped_max_bytes=100))

    with pytest.raises(PackageRefused, match="Unzipped size must be smaller than 100 bytes") as unzipped:
        asyncio.run(small.packages.add(zip_of_zeros(101)))
    with pytest.raises(PackageRefused, match=f"Zipped size must be smaller than {len(APP)} bytes") as zipped:
        asyncio.run(small.packages.add(APP + b"x"))
    assert (unzipped.value.too_large_zipped, zipped.value.too_large_zipped) == (False, True)


def zip_of_zeros(size_bytes: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("z", bytes(size_bytes))
    return buffer.getvalue()


def test_checking_keeps_nothing(store: Store) -> None:
    """UpdateFunctionCode with DryRun learns the hash and the size, and nothing else happens."""
    assert asyncio.run(store.packages.check(APP)) == Blob(sha256=APP_SHA256, size_bytes=len(APP))
    assert (store.names(), store.blob_count()) == ([], 0)


def count_extractions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by a folder's name per unpacked zip."""
    done: list[str] = []
    original = zips.extract

    def extract(archive: bytes, index: zips.ArchiveIndex, folder: Path) -> None:
        done.append(folder.name)
        original(archive, index, folder)

    monkeypatch.setattr(zips, "extract", extract)
    return done


def test_many_who_want_one_package_unpack_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst of first invocations after a restart does the work of one."""
    asyncio.run(FileBlobs(tmp_path / "blobs").put(APP))
    store = Store(tmp_path)
    done = count_extractions(monkeypatch)

    async def burst() -> list[Path]:
        wanted = [store.packages.folder(APP_SHA256) for _ in range(20)]
        added = [store.packages.add(APP) for _ in range(5)]
        folders, _ = await asyncio.gather(asyncio.gather(*wanted), asyncio.gather(*added))
        return folders

    assert set(asyncio.run(burst())) == {store.folder / APP_SHA256}
    assert len(done) == 1


def test_at_most_two_packages_are_unpacked_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third waits for one of the two to end."""
    lock, running, most = threading.Lock(), 0, 0
    both_in = threading.Barrier(2)
    original = zips.extract

    def extract(archive: bytes, index: zips.ArchiveIndex, folder: Path) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both_in.wait(10)
        original(archive, index, folder)
        with lock:
            running -= 1

    monkeypatch.setattr(zips, "extract", extract)

    async def add_all() -> None:
        await asyncio.gather(*(store.packages.add(make_zip({f"f{number}": b""})) for number in range(6)))

    asyncio.run(add_all())
    assert most == 2


def test_one_who_gives_up_does_not_spoil_it_for_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that disconnects while its package is unpacked leaves a whole package or none."""
    may_go_on, has_begun = threading.Event(), threading.Event()
    original = zips.extract

    def extract(archive: bytes, index: zips.ArchiveIndex, folder: Path) -> None:
        has_begun.set()
        assert may_go_on.wait(10)
        original(archive, index, folder)

    monkeypatch.setattr(zips, "extract", extract)

    async def story() -> Path:
        first = asyncio.create_task(store.packages.add(APP))
        await asyncio.to_thread(has_begun.wait, 10)
        second = asyncio.create_task(store.packages.folder(APP_SHA256))
        await asyncio.sleep(0)
        first.cancel()
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    assert names_in(asyncio.run(story())) == ["app.py"]
    assert store.names() == [APP_SHA256]


def test_closing_waits_for_what_is_being_unpacked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a stop, nothing is left half-done."""
    has_begun = threading.Event()
    original = zips.extract

    def extract(archive: bytes, index: zips.ArchiveIndex, folder: Path) -> None:
        has_begun.set()
        original(archive, index, folder)

    monkeypatch.setattr(zips, "extract", extract)

    async def story() -> None:
        adding = asyncio.create_task(store.packages.add(APP))
        await asyncio.to_thread(has_begun.wait, 10)
        adding.cancel()
        await store.packages.close()

    asyncio.run(story())
    assert store.names() == [APP_SHA256]


def test_trees_outlive_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart, after a kill too, finds what was unpacked; half-unpacked trees go."""
    asyncio.run(Store(tmp_path).packages.add(APP))
    packages = tmp_path / "packages"
    for leftover in (f".unpacking-0-{'1' * 64}", f".removing-{'2' * 64}"):
        (packages / leftover / "deep").mkdir(parents=True)
    monkeypatch.setattr(zips, "extract", None)

    store = Store(tmp_path)

    assert store.names() == [APP_SHA256]
    assert store.packages.folder_nowait(APP_SHA256) == packages / APP_SHA256


def test_trees_do_not_outlive_a_reboot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not synced may be torn after a crash of the machine, so it is unpacked anew from the zip, which was."""
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("first\n")
    monkeypatch.setattr(packages_module, "_BOOT_ID", boot_id)
    asyncio.run(Store(tmp_path).packages.add(APP))
    (tmp_path / "packages" / APP_SHA256 / "app.py").write_bytes(b"")
    (tmp_path / "packages" / f".removing-{APP_SHA256}" / "from before").mkdir(parents=True)
    boot_id.write_text("second\n")

    store = Store(tmp_path)

    assert (store.names(), store.packages.folder_nowait(APP_SHA256)) == ([], None)
    assert (asyncio.run(store.packages.folder(APP_SHA256)) / "app.py").read_bytes() != b""
    assert Store(tmp_path).packages.folder_nowait(APP_SHA256) is not None


def test_a_system_without_boot_ids_keeps_its_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel does not tell boots apart, the cache stays."""
    monkeypatch.setattr(packages_module, "_BOOT_ID", tmp_path / "absent")
    asyncio.run(Store(tmp_path).packages.add(APP))

    assert Store(tmp_path).names() == [APP_SHA256]


def test_a_damaged_zip_on_disk_is_our_failure(store: Store) -> None:
    """A package that was accepted once is never refused to the caller later."""
    sha256 = asyncio.run(store.blobs.put(b"damaged")).sha256

    with pytest.raises(DependencyError):
        asyncio.run(store.packages.folder(sha256))
    assert store.names() == []


def test_a_disk_that_refuses_leaves_no_package(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk while unpacking: no tree, no blob, and the next attempt works."""

    def extract(archive: bytes, index: zips.ArchiveIndex, folder: Path) -> None:
        folder.mkdir()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(DependencyError) as failed:
        patch.setattr(zips, "extract", extract)
        asyncio.run(store.packages.add(APP))

    assert failed.value.retryable
    assert (store.names(), store.blob_count()) == ([], 0)
    asyncio.run(store.packages.add(APP))


class FullBlobs:
    """Blobs on a disk that is full."""

    async def put(self, body: bytes) -> Blob:
        raise DependencyError("no space", retryable=True)

    def open(self, sha256: str) -> AsyncIterator[bytes]:
        raise KeyError(sha256)

    async def read(self, sha256: str) -> bytes:
        raise KeyError(sha256)


def test_a_zip_that_cannot_be_kept_leaves_no_tree(tmp_path: Path) -> None:
    """When the blob fails, the unpacked tree goes, too."""
    packages = FilePackages(FullBlobs(), tmp_path, Quotas())

    with pytest.raises(DependencyError):
        asyncio.run(packages.add(APP))
    assert names_in(tmp_path) == [".boot"]
    assert packages.folder_nowait(APP_SHA256) is None


def test_backslashes_and_unreadable_files_are_warned_of(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """PK-03 and PK-06: such packages behave as on AWS, and the log says what will surprise their author."""
    with caplog.at_level(logging.WARNING, logger="lambent.store"):
        asyncio.run(store.packages.add(make_zip({"pkg\\mod.py": b""})))
        asyncio.run(store.packages.add(make_zip({"app.py": b"", "new\nline": b""}, mode=0o100600)))

    events = [message.split(" sha256=")[0] + message[message.index(" name=") :] for message in caplog.messages]
    assert events == [
        r"package.backslash_name name='pkg\\mod.py'",
        "package.unreadable_file name='app.py'",
        r"package.unreadable_file name='new\nline'",
    ]


def test_warnings_about_one_package_are_few(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A package of thousands of such files does not flood the log."""
    with caplog.at_level(logging.WARNING, logger="lambent.store"):
        asyncio.run(store.packages.add(make_zip({f"{number:02}": b"" for number in range(50)}, mode=0o100600)))

    assert len(caplog.messages) == 11
    assert caplog.messages[-1].endswith("more=40")


# Layers --------------------------------------------------------------------------------------------------------------


def tree_of(folder: Path) -> dict[str, str]:
    """Return what a tree holds: path to text, `-> target` of a link, `/` of a folder."""

    def text(path: Path) -> str:
        if path.is_symlink():
            return f"-> {path.readlink()}"
        return "/" if path.is_dir() else path.read_text()

    return {str(path.relative_to(folder)): text(path) for path in sorted(folder.rglob("*"))}


def add_layers(store: Store, *archives: bytes) -> tuple[str, ...]:
    """Add packages and return their hashes."""

    async def add() -> tuple[str, ...]:
        return tuple([(await store.packages.add(archive)).sha256 for archive in archives])

    return asyncio.run(add())


def zip_with_link(name: str, target: str, files: dict[str, bytes] | None = None) -> bytes:
    buffer = io.BytesIO(make_zip(files or {}))
    with zipfile.ZipFile(buffer, "a") as opened:
        info = zipfile.ZipInfo(name)
        info.create_system = 3
        info.external_attr = 0o120777 << 16
        opened.writestr(info, target)
    return buffer.getvalue()


LAYER_A = make_zip({"python/who.py": b"A", "data/a.txt": b"a"})
LAYER_B = make_zip({"python/who.py": b"B", "data/b.txt": b"b"})


def test_layers_are_put_together_in_their_order(store: Store) -> None:
    """LY-01: the last one's file stays, in either order; files of both are there."""
    a, b = add_layers(store, LAYER_A, LAYER_B)
    both = {"data": "/", "data/a.txt": "a", "data/b.txt": "b", "python": "/"}

    assert store.packages.layers_nowait((a, b)) is None
    ab = asyncio.run(store.packages.layers((a, b)))
    ba = asyncio.run(store.packages.layers((b, a)))

    assert tree_of(ab) == {**both, "python/who.py": "B"}
    assert tree_of(ba) == {**both, "python/who.py": "A"}
    assert (store.packages.layers_nowait((a, b)), store.packages.layers_nowait((b, a))) == (ab, ba)
    # The layers themselves are as they were.
    assert tree_of(store.folder / a) == {"data": "/", "data/a.txt": "a", "python": "/", "python/who.py": "A"}


def test_one_layer_is_its_own_tree(store: Store) -> None:
    """With one there is nothing to do."""
    (a,) = add_layers(store, LAYER_A)
    assert store.packages.layers_nowait((a,)) == asyncio.run(store.packages.layers((a,))) == store.folder / a
    assert store.names() == [a]


def test_the_same_content_twice_is_fine(store: Store) -> None:
    """Two layers may have been published from one zip."""
    (a,) = add_layers(store, LAYER_A)
    assert tree_of(asyncio.run(store.packages.layers((a, a)))) == tree_of(store.folder / a)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (make_zip({"x": b"1"}), make_zip({"x/y": b"2"}), {"x": "/", "x/y": "2"}),
        (make_zip({"x/y/z": b"1", "x/w": b"1"}), make_zip({"x": b"2"}), {"x": "2"}),
        (zip_with_link("x", "away", {"away/y": b"1"}), make_zip({"x/y": b"2"}), {"away": "/", "away/y": "1", "x": "/"}),
        (zip_with_link("x", "/etc/passwd"), make_zip({"x": b"2"}), {"x": "2"}),
        (make_zip({"x": b"1"}), zip_with_link("x", "nowhere"), {"x": "-> nowhere"}),
        (make_zip({"x/y": b"1"}), zip_with_link("x", "/usr"), {"x": "-> /usr"}),
        (zip_with_link("x", "one"), zip_with_link("x", "two"), {"x": "-> two"}),
    ],
    ids=[
        "folder-over-file",
        "file-over-folder",
        "folder-over-link",
        "file-over-link",
        "link",
        "link-over-folder",
        "links",
    ],
)
def test_what_is_later_takes_the_place(store: Store, first: bytes, second: bytes, expected: dict[str, str]) -> None:
    """Whatever has a path in an earlier layer makes way; no link is followed."""
    merged = asyncio.run(store.packages.layers(add_layers(store, first, second)))
    if "away" in expected:
        expected = {**expected, "x/y": "2"}
    assert tree_of(merged) == expected


def test_merged_files_are_those_of_the_layers(store: Store) -> None:
    """Nothing is copied: five layers of 250 MB take no second 250 MB."""
    a, b = add_layers(store, LAYER_A, zip_with_link("python/link", "who.py"))
    merged = asyncio.run(store.packages.layers((a, b)))
    assert (merged / "python/who.py").samefile(store.folder / a / "python/who.py")


@pytest.mark.parametrize("number", [errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP])
def test_what_cannot_be_linked_is_copied(store: Store, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """File systems bound the names of a file, or have no links at all."""
    layers = add_layers(store, make_zip({"bin/tool": b"#!", "x": b"1"}, 0o100755), zip_with_link("bin/l", "tool"))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(packages_module.os, "link", refuse)
    merged = asyncio.run(store.packages.layers(layers))
    assert tree_of(merged) == {"bin": "/", "bin/l": "-> tool", "bin/tool": "#!", "x": "1"}
    assert stat.S_IMODE((merged / "bin/tool").stat().st_mode) == 0o755


def test_functions_may_read_merged_layers_whatever_the_umask_is(store: Store) -> None:
    """Functions are other users."""
    layers = add_layers(store, LAYER_A, LAYER_B)
    before = os.umask(0o077)
    try:
        merged = asyncio.run(store.packages.layers(layers))
    finally:
        os.umask(before)
    folders = [merged, *(path for path in merged.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o755}


def test_long_paths_are_merged_and_measured(store: Store) -> None:
    """A path may be as long as a package allows, and longer together with the folder that all lie in."""
    deep = "/".join(["d" * 250] * 15) + "/" + "f" * 200
    a, b = add_layers(store, make_zip({deep: b"1"}), make_zip({deep: b"two"}))

    asyncio.run(store.packages.layers((a, b)))

    assert [asyncio.run(store.packages.unzipped_bytes(one)) for one in (a, b)] == [1, 3]


def test_many_who_want_the_same_layers_merge_them_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One who gives up spoils nothing for the others."""
    layers = add_layers(store, LAYER_A, LAYER_B)
    may_go_on, has_begun = threading.Event(), threading.Event()
    done: list[Path] = []
    original = packages_module._merge

    def merge(trees: list[Path], target: Path) -> None:
        done.append(target)
        has_begun.set()
        assert may_go_on.wait(10)
        original(trees, target)

    monkeypatch.setattr(packages_module, "_merge", merge)

    async def story() -> set[Path]:
        first = asyncio.create_task(store.packages.layers(layers))
        await asyncio.to_thread(has_begun.wait, 10)
        others = [asyncio.create_task(store.packages.layers(layers)) for _ in range(10)]
        await asyncio.sleep(0)
        assert store.packages.layers_nowait(layers) is None
        first.cancel()
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        return set(await asyncio.gather(*others))

    (merged,) = asyncio.run(story())
    assert (len(done), len(tree_of(merged))) == (1, 5)


def test_a_disk_that_refuses_leaves_no_merged_tree(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be read, or a full disk: nothing half is ever kept, and the next attempt works."""
    a, b = add_layers(store, LAYER_A, LAYER_B)
    original = os.scandir

    def refuse(path: Any = ".") -> Any:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch, pytest.raises(DependencyError) as failed:
        patch.setattr(packages_module.os, "scandir", refuse)
        asyncio.run(store.packages.layers((a, b)))
    assert failed.value.retryable
    assert os.scandir is original
    assert (store.packages.layers_nowait((a, b)), store.names()) == (None, sorted([a, b]))
    assert len(tree_of(asyncio.run(store.packages.layers((a, b))))) == 5


def test_unknown_layers_are_a_key_error(store: Store) -> None:
    """There is no tree without a zip."""
    (a,) = add_layers(store, LAYER_A)
    with pytest.raises(KeyError):
        asyncio.run(store.packages.layers((a, "0" * 64)))
    assert store.packages.layers_nowait((a, "0" * 64)) is None
    assert store.names() == [a]


def test_merged_layers_outlive_the_server_and_no_reboot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have their name once they are whole; what a killed server has not finished goes."""
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("first\n")
    monkeypatch.setattr(packages_module, "_BOOT_ID", boot_id)
    store = Store(tmp_path)
    layers = add_layers(store, LAYER_A, LAYER_B)
    merged = asyncio.run(store.packages.layers(layers))
    (store.folder / f".unpacking-7-{merged.name}" / "python").mkdir(parents=True)

    again = Store(tmp_path)
    assert again.packages.layers_nowait(layers) == merged
    assert again.names() == sorted([*layers, merged.name])

    boot_id.write_text("second\n")
    (merged / "python/who.py").unlink()
    anew = Store(tmp_path)
    assert (anew.packages.layers_nowait(layers), anew.names()) == (None, [])
    assert tree_of(asyncio.run(anew.packages.layers(layers)))["python/who.py"] == "B"


def test_a_start_takes_over_a_bounded_number_of_merged_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each order of each choice of layers makes one; with too many of them, all are made anew when they are wanted."""
    monkeypatch.setattr(packages_module, "_MERGED_KEPT_MAX", 2)
    store = Store(tmp_path)
    a, b = add_layers(store, LAYER_A, LAYER_B)
    for wanted in ((a, b), (b, a)):
        asyncio.run(store.packages.layers(wanted))
    assert Store(tmp_path).packages.layers_nowait((a, b)) is not None
    asyncio.run(store.packages.layers((a, b, a)))

    again = Store(tmp_path)
    assert again.names() == sorted([a, b])
    assert tree_of(asyncio.run(again.packages.layers((a, b))))["python/who.py"] == "B"
