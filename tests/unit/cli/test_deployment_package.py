"""Deployment packages: what gets in, and that the same files give the same bytes."""

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from lambent.cli import deployment_package
from lambent.cli.deployment_package import pack
from lambent.cli.failure import CommandFailed


def write(folder: Path, *names: str, content: str = "") -> Path:
    """Write files below a folder, all with the same content; return the folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def names_in(archive: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.namelist()


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    """Neither when they were written nor in which order shows in the package."""
    first = write(tmp_path / "first", "b", "a", "z/c")
    second = write(tmp_path / "second", "z/c", "a", "b")
    for path in second.rglob("*"):
        os.utime(path, (10**9, 10**9))
    assert pack([first]) == pack([second])
    assert names_in(pack([first]).archive) == ["a", "b", "z/c"]


def test_a_changed_byte_or_mode_gives_other_bytes(tmp_path: Path) -> None:
    """What matters to the function shows in the package."""
    folder = write(tmp_path / "it", "a")
    before = pack([folder]).archive
    (folder / "a").chmod(0o755)
    executable = pack([folder]).archive
    (folder / "a").write_text("2")
    assert len({before, executable, pack([folder]).archive}) == 3


def test_modes_and_links_are_kept(tmp_path: Path) -> None:
    """Programs stay programs, links stay links, wherever they lead."""
    folder = write(tmp_path / "it", "bin/run", "secret")
    (folder / "bin" / "run").chmod(0o755)
    (folder / "secret").chmod(0o600)
    (folder / "bootstrap").symlink_to("bin/run")
    (folder / "broken").symlink_to("/opt/nowhere")
    (folder / "loop").symlink_to(".")
    made = pack([folder])
    with zipfile.ZipFile(io.BytesIO(made.archive)) as opened:
        modes = {entry.filename: entry.external_attr >> 16 for entry in opened.infolist()}
        targets = {name: opened.read(name) for name in ("bootstrap", "broken", "loop")}
    assert modes == {
        "bin/run": stat.S_IFREG | 0o755,
        "secret": stat.S_IFREG | 0o600,
        **dict.fromkeys(targets, stat.S_IFLNK | 0o777),
    }
    assert targets == {"bootstrap": b"bin/run", "broken": b"/opt/nowhere", "loop": b"."}
    assert made.entries == 5


def test_what_no_function_needs_stays_out(tmp_path: Path) -> None:
    """Version control, caches, virtual environments and cargo's target; a package that is called target is in."""
    kept = (".env", "app.py", "crate/source", "lib/module", "target/module")
    left_out = (
        *(".git/HEAD", "lib/.git/HEAD", "lib/__pycache__/app", "lib/old.pyc", "env/pyvenv.cfg", "env/lib/module"),
        *("crate/target/CACHEDIR.TAG", "crate/target/release/program", ".pytest_cache/README", ".tox/py/module"),
    )
    assert names_in(pack([write(tmp_path / "it", *kept, *left_out)]).archive) == sorted(kept)


def test_an_empty_folder_is_kept(tmp_path: Path) -> None:
    """A function may look into a folder that has nothing in it."""
    folder = write(tmp_path / "it", "app")
    (folder / "data").mkdir()
    made = pack([folder])
    assert (names_in(made.archive), made.entries) == (["app", "data/"], 1)


def test_the_later_folder_wins(tmp_path: Path) -> None:
    """A customer's own file stands before what a dependency brings."""
    installed = write(tmp_path / "installed", "module", "other", content="theirs")
    own = write(tmp_path / "own", "module", content="own")
    with zipfile.ZipFile(io.BytesIO(pack([installed, own]).archive)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == {"module": b"own", "other": b"theirs"}


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """Reading it would hang."""
    os.mkfifo(write(tmp_path / "it", "app") / "pipe")
    with pytest.raises(CommandFailed, match=r"it/pipe: neither a file nor a folder nor a symbolic link"):
        pack([tmp_path / "it"])


def test_an_empty_package_is_refused(tmp_path: Path) -> None:
    """A folder of nothing but caches deploys nothing."""
    with pytest.raises(CommandFailed, match="there is nothing in it to deploy"):
        pack([write(tmp_path / "it", ".git/HEAD")])


def test_what_no_function_could_unzip_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit counts all files together; what reaches it is named, and nothing more is read."""
    monkeypatch.setattr(deployment_package, "UNZIPPED_MAX_BYTES", 2 * 1024**2)
    folder = write(tmp_path / "it", "a", "b", content="x" * 1024**2)
    assert pack([folder]).entries == 2
    write(folder, "c", content="x")
    with pytest.raises(CommandFailed, match=r"more than the 2 MiB .* \(reached at c\)"):
        pack([folder])


def test_a_name_that_no_zip_can_hold_is_refused(tmp_path: Path) -> None:
    """It is named as the bytes that it is."""
    folder = write(tmp_path / "it", "app")
    try:
        Path(os.fsdecode(bytes(folder) + b"/\xff")).touch()
    except OSError:
        pytest.skip("needs:file-names:a file system that takes any bytes as a name")
    with pytest.raises(CommandFailed, match=r"\\xff.*not UTF-8"):
        pack([folder])
