"""Which interpreters of a machine are found, and which of them is taken."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.function_user import FunctionUser, find_function_user
from lambent.runtimes.interpreters import Interpreter, Interpreters, nearest_minor, newest_reachable


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


def test_the_newest_patch_wins() -> None:
    """Of several interpreters of one minor version, the newest that can be reached."""
    old = Interpreter(Path("/a"), (3, 11, 2), True)
    new = Interpreter(Path("/b"), (3, 11, 9), True)
    closed = Interpreter(Path("/c"), (3, 11, 12), False, "closed")
    assert newest_reachable([old, new, closed], "3.11") == new
    assert newest_reachable([closed], "3.11") is None


def test_nearest() -> None:
    """The nearest minor version stands in; of two as near, the newer."""
    assert nearest_minor("3.13", ["3.9", "3.11"]) == "3.11"
    assert nearest_minor("3.12", ["3.11", "3.13"]) == "3.13"
    assert nearest_minor("3.9", ["3.10", "3.14"]) == "3.10"
    assert nearest_minor("3.12", []) is None


def _other_user() -> FunctionUser:
    """A user that owns nothing here; only used where nothing has to be executed."""
    return FunctionUser(name="other", uid=54321, gid=54321, is_other=True)
