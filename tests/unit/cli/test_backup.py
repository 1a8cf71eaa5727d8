"""`lambent backup`: FILE is there when it is whole, and only then."""

import fcntl
import os
import resource
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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


@pytest.fixture
def rude() -> Iterator[Callable[[bool], str]]:
    """Listen; drop each connection once it has asked, or leave it without an answer. Return the address."""
    with ExitStack() as opened:

        def listen(drops: bool) -> str:
            listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                connection, _ = listener.accept()
                while not connection.recv(65_536).endswith(b"{}"):
                    pass
                if not drops:
                    connection.recv(1)
                connection.close()

            thread = threading.Thread(target=serve)
            thread.start()
            opened.callback(thread.join)
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield listen


def test_a_server_that_breaks_the_connection(lambent: Run, rude: Callable[[bool], str], tmp_path: Path) -> None:
    """There is a server: to start one would be no help."""
    endpoint = rude(True)
    done = lambent("backup", "b", "--endpoint", endpoint)
    line = f"lambent: {endpoint}: the connection broke: Remote end closed connection without response\n"
    assert (done.code, done.err) == (1, line)
    assert files(tmp_path) == []


def test_a_server_that_says_nothing(
    lambent: Run, rude: Callable[[bool], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told from one that is not there."""
    monkeypatch.setattr("lambent.cli.backup._TIMEOUT_S", 0.2)
    endpoint = rude(False)
    done = lambent("backup", "b", "--endpoint", endpoint)
    assert (done.code, done.err) == (1, f"lambent: {endpoint}: no answer within 0.2 seconds\n")
    assert files(tmp_path) == []


def test_a_host_that_is_not_there(lambent: Run, tmp_path: Path) -> None:
    """A name that leads nowhere is no server that could be started."""
    done = lambent("backup", "b", "--endpoint", "http://nowhere.invalid:4566")
    assert done.code == 1
    assert done.err.startswith("lambent: http://nowhere.invalid:4566: cannot be reached: ")
    assert done.err.count("\n") == 1


def test_what_a_killed_command_left_is_taken_over(lambent: Run, stand_in: Any, answer: Any, tmp_path: Path) -> None:
    """However long it is, and whoever could read it."""
    answer()
    (tmp_path / "b.partial").write_bytes(bytes(2 * len(BODY)))
    (tmp_path / "b.partial").chmod(0o644)
    assert lambent("backup", "b", "--endpoint", stand_in.endpoint).code == 0
    assert (tmp_path / "b").read_bytes() == BODY
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


NOT_OURS = " is there already and is no file of yours alone: remove it, or name another FILE"


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("a file of another user", NOT_OURS),
        ("a second name", NOT_OURS),
        ("a pipe with a reader", NOT_OURS),
        ("a pipe", ": No such device or address"),
    ],
)
def test_no_file_of_another_is_written(
    lambent: Run, stand_in: Any, answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, line: str
) -> None:
    """Who laid it there before us could read the secrets that we write into it."""
    answer()
    partial, reader = tmp_path / "b.partial", None
    if kind.startswith("a pipe"):
        os.mkfifo(partial)
        reader = os.open(partial, os.O_RDONLY | os.O_NONBLOCK) if kind == "a pipe with a reader" else None
    else:
        partial.write_bytes(b"theirs")
    if kind == "a second name":
        (tmp_path / "theirs").hardlink_to(partial)
    if kind == "a file of another user":
        monkeypatch.setattr(os, "geteuid", lambda: partial.stat().st_uid + 1)
    before = partial.stat()
    done = lambent("backup", "b", "--endpoint", stand_in.endpoint)
    if reader is not None:
        os.close(reader)
    assert (done.code, done.err) == (1, f"lambent: b.partial{line}\n")
    assert stand_in.requests == []
    assert os.path.samestat(partial.stat(), before)
    if partial.is_file():
        assert partial.read_bytes() == b"theirs"


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
@pytest.mark.parametrize("body", [BODY, bytes((1 << 20) + 100)], ids=["in the middle", "at the tail"])
def test_a_file_that_cannot_be_written(lambent: Run, stand_in: Any, answer: Any, tmp_path: Path, body: bytes) -> None:
    """Without room nothing is kept, also where only the last bytes, written when the file is closed, find none."""
    answer(body)
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
