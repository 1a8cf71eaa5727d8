"""Deployment packages: kept as blobs, unpacked once, thrown away after a crash of the machine."""

import asyncio
import hashlib
import io
import logging
import stat
import threading
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

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
