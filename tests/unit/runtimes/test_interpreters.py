"""Which interpreters of a machine are found, and which of them is taken."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.clock import SystemClock
from lambent.function_user import FunctionUser, find_function_user, own_user
from lambent.runtimes.interpreters import Interpreter, Interpreters, is_ours_alone, newest_reachable


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the functions' user can pass."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def closed_home(folder: Path) -> Path:
    """Give a private folder with a CPython 3.12 that really runs: the machine's own files, linked hard or copied."""
    source = Path(os.path.realpath(folder))
    found = asyncio.run(Interpreters(own_user(), SystemClock()).best("3.12"))
    if found is None or found.is_in_usr:
        pytest.skip("needs:python3.12:uv python install 3.12")
    home = source / "home"
    home.mkdir(mode=0o700)
    kept_out = shutil.ignore_patterns("__pycache__", "test", "tests", "idlelib", "site-packages", "*.a", "include")
    for part in ("bin", "lib"):
        shutil.copytree(found.prefix / part, home / "py" / part, ignore=kept_out, copy_function=_link_or_copy)
    return home


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def fake(path: Path) -> None:
    """Write what the search takes for an interpreter, and nobody may execute: its version is read off its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("no script")
    path.chmod(0o644)


def found_in(folder: Path, user: FunctionUser | None = None) -> list[Interpreter]:
    """Search a machine whose PATH is one folder; what the machine itself has is left out."""
    environ = {"PATH": str(folder), "HOME": str(folder / "home")}
    search = Interpreters(user or find_function_user("nobody"), SystemClock(), environ)
    return [one for one in asyncio.run(search.find()) if folder in one.path.parents]


def test_the_machines_own_is_found() -> None:
    """A search of this machine finds at least one interpreter, and knows its whole version."""
    found = asyncio.run(Interpreters(find_function_user("nobody"), SystemClock()).find())
    assert found
    assert all(one.path == Path(os.path.realpath(one.path)) for one in found)
    assert all(one.version >= (3, 9, 0) for one in found if one.is_reachable)


def test_version_managers_are_searched(folder: Path) -> None:
    """pyenv and uv keep theirs outside of PATH."""
    fake(folder / "home/.pyenv/versions/3.12.4/bin/python3.12")
    fake(folder / "home/.local/share/uv/python/cpython-3.13.2-linux/bin/python3.13")
    found = found_in(folder, _other_user())
    assert {one.version for one in found} == {(3, 12, 4), (3, 13, 2)}
    assert {one.obstacle for one in found} == {"user other may not execute it"}


def test_shims_are_passed_over(folder: Path) -> None:
    """A script that stands in for an interpreter is none."""
    (folder / "python3.12").write_text("#!/bin/sh\nexec true\n")
    (folder / "python3.12").chmod(0o755)
    assert found_in(folder) == []


def test_what_is_closed_is_told(folder: Path) -> None:
    """An interpreter below a private folder is found, but not executed and not offered."""
    fake(folder / "private/3.13.1/bin/python3.13")
    (folder / "private").chmod(0o700)
    (only,) = found_in(folder / "private/3.13.1/bin", _other_user())
    assert (only.version, only.is_reachable) == ((3, 13, 1), False)
    assert only.obstacle == f"{folder}/private is closed to user other"


def test_a_closed_home_does_not_matter_when_mounted(closed_home: Path) -> None:
    """Environments that get the interpreter's folder mounted need no way to it; what runs it here is ourselves."""
    environ = {"PATH": str(closed_home / "py/bin"), "HOME": str(closed_home)}
    user = _other_user()

    def found(is_mounted: bool) -> Interpreter:
        search = Interpreters(user, SystemClock(), environ, is_mounted=is_mounted)
        return next(one for one in asyncio.run(search.find()) if closed_home in one.path.parents)

    assert (found(is_mounted=False).is_reachable, found(is_mounted=False).obstacle) == (
        False,
        f"{closed_home} is closed to user other",
    )
    mounted = found(is_mounted=True)
    assert (mounted.is_reachable, mounted.obstacle) == (True, "")
    assert (mounted.prefix, mounted.version[:2]) == (closed_home / "py", (3, 12))


def test_what_is_closed_in_the_mounted_folder_matters(closed_home: Path) -> None:
    """The interpreter's own folders are still seen by the functions' user."""
    (closed_home / "py/bin").chmod(0o700)
    environ = {"PATH": str(closed_home / "py/bin"), "HOME": str(closed_home)}
    search = Interpreters(_other_user(), SystemClock(), environ, is_mounted=True)
    (found,) = [one for one in asyncio.run(search.find()) if closed_home in one.path.parents]
    assert (found.is_reachable, found.obstacle) == (False, f"{closed_home}/py/bin is closed to all users but its own")


def test_a_file_of_ours_alone(folder: Path) -> None:
    """What others may write, or replace, or what is another's, is not ours alone."""
    path = folder / "a/b"
    path.parent.mkdir(mode=0o755)
    path.write_text("")
    path.chmod(0o755)
    # Below /tmp, which everybody may write but where nobody may touch what is another's.
    assert is_ours_alone(path)
    path.chmod(0o757)
    assert not is_ours_alone(path)
    path.chmod(0o755)
    path.parent.chmod(0o777)
    assert not is_ours_alone(path)
    path.parent.chmod(0o755)
    assert not is_ours_alone(folder / "nothing")
    if os.geteuid() == 0:
        os.chown(path, 54321, 0)
        assert not is_ours_alone(path)


def test_a_file_behind_a_link(folder: Path) -> None:
    """Where a folder on the way is a link, the way to what it leads to counts as well."""
    (folder / "real/place").mkdir(parents=True)
    for made in (folder / "real", folder / "real/place"):
        made.chmod(0o755)
    (folder / "real/place/file").touch(mode=0o644)
    (folder / "link").symlink_to(folder / "real/place")
    assert is_ours_alone(folder / "link/file")
    (folder / "real").chmod(0o777)
    assert not is_ours_alone(folder / "link/file")


@pytest.mark.parametrize("opened", ["lib/python3.12/deep/module.py", "lib/python3.12/deep", "lib/libpython3.12.so.1.0"])
def test_one_module_that_others_can_write(folder: Path, opened: str) -> None:
    """An interpreter is ours alone with everything that it loads, or not at all."""
    deep = folder / "lib/python3.12/deep"
    deep.mkdir(parents=True)
    (folder / "bin").mkdir()
    for path in (folder / "bin/python3.12", deep / "module.py", folder / "lib/libpython3.12.so.1.0"):
        path.write_text("")
        path.chmod(0o755)
    for path in (folder / "bin", folder / "lib", folder / "lib/python3.12", deep):
        path.chmod(0o755)
    found = Interpreter(
        folder / "bin/python3.12", (3, 12, 1), True, prefix=folder, library=(folder / "lib/python3.12",)
    )
    assert found.is_ours_alone()
    (folder / opened).chmod(0o777)
    assert not found.is_ours_alone()


def test_a_link_out_of_the_library_is_followed(folder: Path) -> None:
    """A module that is a link counts as what it leads to."""
    library = folder / "lib/python3.12"
    library.mkdir(parents=True, mode=0o755)
    (folder / "lib").chmod(0o755)
    (folder / "python3.12").write_text("")
    (folder / "python3.12").chmod(0o755)
    (folder / "elsewhere.py").write_text("")
    (folder / "elsewhere.py").chmod(0o644)
    (library / "module.py").symlink_to(folder / "elsewhere.py")
    found = Interpreter(folder / "python3.12", (3, 12, 1), True, prefix=folder, library=(library,))
    assert found.is_ours_alone()
    (folder / "elsewhere.py").chmod(0o666)
    assert not found.is_ours_alone()


def test_a_linked_folder_is_looked_into(folder: Path) -> None:
    """A package that is a link counts with everything in it, once, also where it leads back."""
    library = folder / "lib/python3.12"
    module = folder / "elsewhere/deep/module.py"
    for made in (folder / "lib", library, folder / "elsewhere", module.parent):
        made.mkdir(mode=0o755)
    for path in (folder / "python3.12", module):
        path.write_text("")
        path.chmod(0o644)
    (library / "package").symlink_to(folder / "elsewhere")
    (module.parent / "back").symlink_to(library)
    found = Interpreter(folder / "python3.12", (3, 12, 1), True, prefix=folder, library=(library,))
    assert found.is_ours_alone()
    module.chmod(0o666)
    assert not found.is_ours_alone()


def test_no_folder_is_looked_into_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed lies inside the library: tens of thousands of files on some machines."""
    packages = folder / "lib/python3.12/site-packages"
    for made in (folder / "lib", folder / "lib/python3.12", packages):
        made.mkdir(mode=0o755)
    (folder / "python3.12").touch(mode=0o644)
    seen: list[str] = []
    scandir = os.scandir

    def watched(path: str | Path) -> Any:
        seen.append(str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", watched)
    library = (folder / "lib/python3.12", packages)
    assert Interpreter(folder / "python3.12", (3, 12, 1), True, prefix=folder, library=library).is_ours_alone()
    assert sorted(path for path in seen if "python3.12" in path) == sorted(map(str, library))


def test_the_newest_patch_wins() -> None:
    """Of several interpreters of one minor version, the newest that can be reached."""
    old = Interpreter(Path("/a"), (3, 11, 2), True)
    new = Interpreter(Path("/b"), (3, 11, 9), True)
    closed = Interpreter(Path("/c"), (3, 11, 12), False, "closed")
    assert newest_reachable([old, new, closed], "3.11") == new
    assert newest_reachable([closed], "3.11") is None


def _other_user() -> FunctionUser:
    """A user that owns nothing here; only used where nothing has to be executed."""
    return FunctionUser(name="other", uid=54321, gid=54321, is_other=True)


def test_what_is_missing_is_looked_for_as_of_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was installed a moment after a search is found; calls at once share searches."""
    searches: list[None] = []

    async def search(_: Interpreters) -> tuple[Interpreter, ...]:
        searches.append(None)
        await asyncio.sleep(0)
        return ()

    monkeypatch.setattr(Interpreters, "_search", search)
    interpreters = Interpreters(own_user(), SystemClock())

    async def story() -> None:
        for times in (1, 2):
            assert await interpreters.best("3.99") is None
            assert len(searches) == times
        await asyncio.gather(*(interpreters.best("3.99") for _ in range(8)))
        assert 3 <= len(searches) <= 4
        await interpreters.find()
        assert len(searches) <= 4

    asyncio.run(story())
