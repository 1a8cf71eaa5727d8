"""`lambent backup`: everything that a running server keeps, as one file."""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, open_own_path
from lambent.cli.failure import CommandFailed
from lambent.cli.terminal import progress_of

if TYPE_CHECKING:
    from http.client import HTTPResponse

_TIMEOUT_S = 3_600
"""How long to wait for the next bytes. The first come when the server has copied its database, which may be large."""
_CHUNK_BYTES = 1 << 20
_PARTIAL_SUFFIX = ".partial"


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write, e.g. lambent.backup.")],
    force: Annotated[bool, typer.Option("--force", metavar="", help="Replace FILE.")] = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """
    Write everything that a running server keeps into one file.

    Functions with their packages, queues with their messages, events that wait, logs, metrics and traces, as they are
    at this moment; the server goes on. FILE exists only when it is whole. It holds secrets, such as the environment
    variables of functions, and only you may read it. `lambent restore` makes a data folder of it.
    """
    from rich.filesize import decimal

    _check(file, force)
    with _partial(file) as partial:
        with progress_of("copying the database") as show:
            answer = open_own_path(endpoint, "backup", posts=True, timeout_s=_TIMEOUT_S)
            with answer:
                size_bytes = _download(answer, partial, show, endpoint)
        _check(file, force)
    print(f"{file}: {decimal(size_bytes)}")


def _check(file: Path, force: bool) -> None:
    if file.is_dir():
        raise CommandFailed(f"{file} is a folder", exit_code=2)
    if not force and os.path.lexists(file):
        raise CommandFailed(f"{file} is there already: name another file, or say --force", exit_code=2)


@contextmanager
def _partial(file: Path) -> Iterator[BinaryIO]:
    """Open a file that gets the name that is wanted when the block ends, and goes away when the block raises."""
    from lambent.store.data_folder import sync_folder

    path = file.with_name(file.name + _PARTIAL_SUFFIX)
    try:
        # One that an earlier command left, killed, is taken over. A pipe would keep us until somebody reads it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as partial:
            _take(path, descriptor)
            try:
                yield partial
                partial.flush()
                os.fsync(descriptor)
                path.rename(file)
                sync_folder(file.parent)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        # Also that of the end of the block, which writes once more what could not be written.
        raise CommandFailed(f"{file}: {error.strerror}: nothing was kept") from error


def _take(path: Path, descriptor: int) -> None:
    """
    Make an open file an empty one that is written and read by us alone.

    Raises:
        CommandFailed: it is another's, or has another name by which it can be read.
        OSError: the disk refuses.
    """
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
        raise CommandFailed(f"{path} is there already and is no file of yours alone: remove it, or name another FILE")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The other one may have come to its end in between, and this be its file, which has its name by now.
        is_ours = path.exists() and os.path.samestat(path.stat(), found)
    except BlockingIOError:
        is_ours = False
    if not is_ours:
        raise CommandFailed(f"{path} is being written by another `lambent backup`")
    os.fchmod(descriptor, 0o600)
    os.ftruncate(descriptor, 0)


def _download(
    answer: "HTTPResponse", partial: BinaryIO, show: Callable[[str, int, int | None], None], endpoint: str
) -> int:
    """
    Write an answer to a file; return how long it is.

    Raises:
        CommandFailed: the server broke it off, or this is no backup.
        OSError: the file cannot be written.
    """
    if answer.headers.get("Content-Type") != "application/x-tar":
        raise CommandFailed(f"{endpoint}: this is no Lambent server")
    expected = answer.length
    done = 0
    while chunk := _read(answer, endpoint):
        partial.write(chunk)
        done += len(chunk)
        show("backing up", done, expected)
    if expected is None or done != expected:
        raise CommandFailed(f"{endpoint}: the server broke the backup off: nothing was kept, its log says more")
    return done


def _read(answer: "HTTPResponse", endpoint: str) -> bytes:
    from http.client import HTTPException

    try:
        return answer.read(_CHUNK_BYTES)
    except (OSError, HTTPException) as error:
        raise CommandFailed(f"{endpoint}: the connection broke: nothing was kept") from error
