"""`lambent restore`: what is said, and with which exit code."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.store import backup_format as form
from lambent.store.backup_format import Header
from lambent.store.tables import SCHEMA
from lambent.testing.backups import pack
from lambent.testing.stores import make_sqlite

Run = Callable[..., Any]


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup of a server that kept nothing yet."""
    make_sqlite(tmp_path / "state.db")
    header = Header(form.FORMAT, "0.1.0", SCHEMA, "2026-11-30T08:00:00+00:00")
    members = [
        (form.HEADER_NAME, msgspec.json.encode(header)),
        ("state.db", (tmp_path / "state.db").read_bytes()),
        ("secret", b"a" * 64 + b"\n"),
    ]
    file = tmp_path / "b"
    file.write_bytes(pack(members))
    return file


def test_it_says_what_it_made(lambent: Run, backup: Path, tmp_path: Path) -> None:
    """Where, of what, from when and by whom."""
    done = lambent("restore", "b", "--data-dir", "new")
    assert (done.code, done.err) == (0, "")
    assert done.out == "new: restored from b, made 2026-11-30T08:00:00+00:00 by Lambent 0.1.0\n"
    assert (tmp_path / "new" / "FORMAT").read_text() == f"lambent {SCHEMA}\n"


def test_a_pipe_is_read(lambent: Run, backup: Path, tmp_path: Path) -> None:
    """So does a backup that comes from another machine need no room for itself."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(backup.read_bytes(),))
    writer.start()
    done = lambent("restore", "pipe", "--data-dir", "new")
    writer.join()
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "new" / "FORMAT").exists()


@pytest.mark.parametrize(
    ("file", "folder", "line"),
    [
        ("b", ".", "--data-dir: {} is not empty: a backup is restored into a new folder"),
        ("state.db", "new", "state.db is not a backup of Lambent; nothing was restored"),
        ("nothing", "new", "nothing cannot be read: No such file or directory; nothing was restored"),
        (".", "new", ". cannot be read: Is a directory; nothing was restored"),
    ],
)
@pytest.mark.usefixtures("backup")
def test_a_refusal_is_one_line(lambent: Run, tmp_path: Path, file: str, folder: str, line: str) -> None:
    """Exit code 2, and nothing is made."""
    done = lambent("restore", file, "--data-dir", folder)
    assert (done.code, done.err) == (2, f"lambent: {line.format(os.path.realpath(tmp_path))}\n")
    assert not (tmp_path / "new").exists()
