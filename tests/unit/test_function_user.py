"""Whose rights functions have."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.errors.families import SettingsError
from lambent.function_user import FunctionUser, find_function_user

OTHER = FunctionUser(name="other", uid=54321, gid=54321, is_other=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that every user can pass."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def test_a_server_that_is_not_root_runs_functions_as_itself() -> None:
    """Only root can switch; then the setting counts, and has to name a user."""
    user = find_function_user("nobody")
    if os.geteuid() == 0:
        assert user.is_other
        assert user.popen_arguments() == {"user": user.uid, "group": user.gid, "extra_groups": [user.gid]}
        with pytest.raises(SettingsError, match="--function-user: there is no user 'no such user'"):
            find_function_user("no such user")
    else:
        assert (user.uid, user.is_other, user.popen_arguments()) == (os.geteuid(), False, {})


def test_the_first_closed_folder_is_named(folder: Path) -> None:
    """That is what an operator has to open."""
    (folder / "a/b/c").mkdir(parents=True)
    assert OTHER.closed_at(folder / "a/b/c/file") is None
    (folder / "a/b").chmod(0o700)
    (folder / "a/b/c").chmod(0o700)
    assert OTHER.closed_at(folder / "a/b/c/file") == folder / "a/b"
    assert OTHER.closed_at(folder / "missing/file") is None


def test_the_narrowest_bits_count(folder: Path) -> None:
    """An owner or a group member has the rights of owner or group, even if others have more."""
    file = folder / "file"
    file.write_text("")
    file.chmod(0o605)
    found = file.stat()
    owner = FunctionUser(name="owner", uid=found.st_uid or 1, gid=54321, is_other=True)
    member = FunctionUser(name="member", uid=54321, gid=found.st_gid, is_other=True)
    assert OTHER.may_execute(file)
    assert not member.may_execute(file)
    if found.st_uid:
        assert not owner.may_execute(file)
