"""Clients that are files of this package, copied to where functions can read them."""

import asyncio
import shutil
import stat
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.runtimes.contract import RuntimeUnavailable
from lambent.runtimes.own_client import OwnClient


def client(folder: Path, text: str = "one") -> OwnClient:
    sources = folder / "sources"
    sources.mkdir(exist_ok=True)
    (sources / "index.rb").write_text(text)
    (sources / "notes.md").write_text("not of it")
    return OwnClient("ruby-client", sources, "*.rb", "index.rb", folder / "runtimes", SystemClock())


def test_it_is_copied_for_every_user(tmp_path: Path) -> None:
    """What the pattern names and no more, readable by all, and once."""
    made = client(tmp_path)
    folder = asyncio.run(made.folder())
    assert [path.name for path in folder.iterdir()] == ["index.rb"]
    assert stat.S_IMODE((folder / "index.rb").stat().st_mode) == 0o644
    assert asyncio.run(made.folder()) == folder
    assert [path.name for path in (tmp_path / "runtimes").iterdir()] == [folder.name]


def test_another_client_is_another_folder(tmp_path: Path) -> None:
    """Its name tells what is in it, so that servers of different versions may share the place."""
    first = asyncio.run(client(tmp_path).folder())
    second = asyncio.run(client(tmp_path, "two").folder())
    assert first != second
    assert {(first / "index.rb").read_text(), (second / "index.rb").read_text()} == {"one", "two"}


def test_it_comes_back(tmp_path: Path) -> None:
    """A folder that was removed while the server runs is made again."""
    made = client(tmp_path)
    shutil.rmtree(asyncio.run(made.folder()))
    assert (asyncio.run(made.folder()) / "index.rb").is_file()


def test_no_place_for_it(tmp_path: Path) -> None:
    """A place that cannot be written to is told."""
    (tmp_path / "runtimes").write_text("a file")
    with pytest.raises(RuntimeUnavailable, match="no folder for ruby-client"):
        asyncio.run(client(tmp_path).folder())


def test_a_folder_beside_it_is_linked(tmp_path: Path) -> None:
    """It is there under its name, links and all, and takes no room of its own."""
    beside = tmp_path / "modules"
    (beside / "deep").mkdir(parents=True)
    (beside / "deep/file").write_text("text")
    (beside / "link").symlink_to("deep/file")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/index.rb").write_text("")
    made = OwnClient("c", tmp_path / "sources", "*.rb", "index.rb", tmp_path / "runtimes", SystemClock(), beside)
    folder = asyncio.run(made.folder())
    assert (folder / "modules/deep/file").samefile(beside / "deep/file")
    assert (folder / "modules/link").readlink() == Path("deep/file")


def test_what_cannot_be_linked_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems without links, and files of other users."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("lambent.runtimes.own_client.os.link", refuse)
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/file").write_text("text")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/index.rb").write_text("")
    arguments = ("c", tmp_path / "sources", "*.rb", "index.rb", tmp_path / "runtimes", SystemClock())
    folder = asyncio.run(OwnClient(*arguments, tmp_path / "beside").folder())
    assert (folder / "beside/file").read_text() == "text"
