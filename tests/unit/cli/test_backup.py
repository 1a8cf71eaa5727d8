"""`lambent backup`: FILE is there when it is whole, and only then."""

import fcntl
import os
import resource
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
BACKUP = "POST /_lambent/backup"
BODY = bytes(range(256)) * 8_192


@pytest.fixture
def answer(stand_in: Any) -> Callable[..., None]:
    """Have the server answer a backup, or some of one."""

    def answer(body: bytes = BODY, length: int | None = None) -> None:
        headers = {"Content-Type": "application/x-tar"}
        if length is not None:
            headers["Content-Length"] = str(length)
        stand_in.rules[BACKUP] = lambda request: type("Answer", (), {"body": body, "status": 200, "headers": headers})

    return answer


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_one_gets_its_name(lambent: Run, stand_in: Any, answer: Any, tmp_path: Path) -> None:
    """Byte for byte, for its owner's eyes only, whatever the umask; asked for as no web page can."""
    answer()
    umask = os.umask(0)
    try:
        done = lambent("backup", "b", "--endpoint", stand_in.endpoint)
    finally:
        os.umask(umask)
    assert (done.code, done.out, done.err) == (0, "b: 2.1 MB\n", "")
    assert (tmp_path / "b").read_bytes() == BODY
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert files(tmp_path) == ["b"]
    assert stand_in.requests[0].headers["Content-Type"] == "application/json"


def test_a_file_that_is_there_stays(lambent: Run, stand_in: Any, answer: Any, tmp_path: Path) -> None:
    """It is replaced with --force, and then at once."""
    answer()
    (tmp_path / "b").write_text("an older one")
    done = lambent("backup", "b", "--endpoint", stand_in.endpoint)
    assert done.code == 2
    assert done.err == "lambent: b is there already: name another file, or say --force\n"
    assert (tmp_path / "b").read_text() == "an older one"
    assert stand_in.requests == []
    assert lambent("backup", "b", "--force", "--endpoint", stand_in.endpoint).code == 0
    assert (tmp_path / "b").read_bytes() == BODY


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_one_that_is_broken_off_is_no_file(
    lambent: Run, stand_in: Any, answer: Any, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """A server that ends early leaves nothing, and what --force would have replaced."""
    answer(length=len(BODY) + 1)
    if options:
        (tmp_path / "b").write_text("an older one")
    done = lambent("backup", "b", *options, "--endpoint", stand_in.endpoint)
    assert done.code == 1
    assert done.err.endswith(": the server broke the backup off: nothing was kept, its log says more\n")
    assert files(tmp_path) == (["b"] if options else [])
    if options:
        assert (tmp_path / "b").read_text() == "an older one"


def test_a_refusal_is_one_line(lambent: Run, stand_in: Any, tmp_path: Path) -> None:
    """What the server says, and exit code 2."""
    stand_in.json(BACKUP, {"code": "BackupInProgressException", "message": "one at a time"}, status=409)
    done = lambent("backup", "b", "--endpoint", stand_in.endpoint)
    assert (done.code, done.err) == (2, "lambent: one at a time\n")
    assert files(tmp_path) == []


def test_another_server(lambent: Run, stand_in: Any, tmp_path: Path) -> None:
    """What somebody else answers is not taken for a backup."""
    stand_in.json(BACKUP, {"hello": "there"})
    done = lambent("backup", "b", "--endpoint", stand_in.endpoint)
    assert (done.code, done.err) == (1, f"lambent: {stand_in.endpoint}: this is no Lambent server\n")
    assert files(tmp_path) == []


def test_no_server(lambent: Run, tmp_path: Path) -> None:
    """Nothing is left where nobody answers."""
    done = lambent("backup", "b", "--endpoint", "http://127.0.0.1:1")
    assert (done.code, done.err) == (
        1,
        "lambent: no server at http://127.0.0.1:1: start one with `lambent serve`\n",
    )
    assert files(tmp_path) == []


def test_what_a_killed_command_left_is_taken_over(lambent: Run, stand_in: Any, answer: Any, tmp_path: Path) -> None:
    """However long it is, and whoever could read it."""
    answer()
    (tmp_path / "b.partial").write_bytes(bytes(2 * len(BODY)))
    (tmp_path / "b.partial").chmod(0o644)
    assert lambent("backup", "b", "--endpoint", stand_in.endpoint).code == 0
    assert (tmp_path / "b").read_bytes() == BODY
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


def test_two_that_write_one_file(lambent: Run, stand_in: Any, answer: Any, tmp_path: Path) -> None:
    """The second is refused, and takes nothing from the first."""
    answer()
    with (tmp_path / "b.partial").open("wb") as first:
        first.write(b"from the first")
        first.flush()
        fcntl.flock(first, fcntl.LOCK_EX)
        done = lambent("backup", "b", "--endpoint", stand_in.endpoint)
    assert (done.code, done.err) == (1, "lambent: b.partial is being written by another `lambent backup`\n")
    assert (tmp_path / "b.partial").read_bytes() == b"from the first"


@pytest.fixture
def short_files() -> Iterator[None]:
    """Let no file of this process grow beyond a megabyte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("short_files")
def test_a_file_that_cannot_be_written(lambent: Run, stand_in: Any, answer: Any, tmp_path: Path) -> None:
    """Without room nothing is kept."""
    answer()
    done = lambent("backup", "b", "--endpoint", stand_in.endpoint)
    assert (done.code, done.err) == (1, "lambent: b: File too large: nothing was kept\n")
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "line"), [("nowhere/b", "nowhere/b.partial: No such file or directory"), (".", ". is a folder")]
)
def test_a_name_that_cannot_be(lambent: Run, stand_in: Any, file: str, line: str) -> None:
    """Told before the server is asked."""
    assert lambent("backup", file, "--endpoint", stand_in.endpoint).err == f"lambent: {line}\n"
    assert stand_in.requests == []
