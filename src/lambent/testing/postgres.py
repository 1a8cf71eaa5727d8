"""A real PostgreSQL server for tests: a cluster in a temporary folder, reached by a socket there, for nobody else."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NEEDED = ("initdb", "pg_ctl", "postgres")
_DEBIAN = Path("/usr/lib/postgresql")
"""Debian keeps the server's programs out of the path, a folder for each version."""


def find_server() -> Path | None:
    """Return the folder of the newest server's programs, None where there is none."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(_DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    return next((folder for folder in folders if all((folder / name).exists() for name in _NEEDED)), None)


@contextmanager
def running_server(programs: Path) -> Iterator[str]:
    """
    Start a server; give the URL of an empty database in it. It ends with the block, whatever happened.

    Its data survive a kill of it, and no power cut: a test has no use for the wait.

    Args:
        programs: what `find_server` found.
    """
    # The server refuses to be root.
    user = _other_user() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="lambent-postgres-"))
    try:
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        data = folder / "data"

        def run(*command: str) -> None:
            finished = subprocess.run(
                command, user=user, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            if finished.returncode != 0:
                log = folder / "log"
                raise RuntimeError(f"{command[0]}: {finished.stdout}{log.read_text() if log.exists() else ''}")

        run(
            str(programs / "initdb"),
            *("--pgdata", str(data), "--username", "lambent", "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        )
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        start = ("--pgdata", str(data), "--log", str(folder / "log"), "--wait", "--silent")
        run(str(programs / "pg_ctl"), "start", *start, "--options", options)
        try:
            yield f"postgresql://lambent@/postgres?host={folder}"
        finally:
            run(str(programs / "pg_ctl"), "stop", "--pgdata", str(data), "--mode", "immediate", "--wait", "--silent")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)
