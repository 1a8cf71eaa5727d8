"""
What all managed runtimes have in common: Lambda's places, the variables of a start, wrapper scripts, and the folders in
which their clients are laid out.

A client's folder has a name that holds a digest of what is in it; an upgrade of Lambent makes a new one beside it.
Several servers may share the folders.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambent.clock import Clock

RUNTIME_DIR = "/var/runtime"
LANGUAGE_DIR = "/var/lang"
"""Documented: Lambda developer guide, where functions find the runtime's client and the language."""

SYSTEM_PATH = "/usr/local/bin:/usr/bin/:/bin"
LAYERS_ROOT = "/opt"

_UNFINISHED = ".unfinished-"

_ABANDONED_AFTER_S = 86_400.0
"""Assumed: no installation takes a day; what is older was left behind by a server that was killed."""


def wrapper(variables: Mapping[str, str]) -> tuple[str, ...]:
    """
    Return what is put in front of a command: the user's AWS_LAMBDA_EXEC_WRAPPER, or nothing.

    For managed runtimes only. Documented: developer guide, Modifying the runtime environment.
    """
    named = variables.get("AWS_LAMBDA_EXEC_WRAPPER", "")
    return (named,) if named else ()


def wrapped(argv: Sequence[str], variables: Mapping[str, str]) -> Sequence[str]:
    """Return the command as a wrapper makes it, which gets it as its arguments."""
    before = wrapper(variables)
    # By a shell, as on AWS: a wrapper that is missing is a runtime that exits with status 127.
    # Assumed: status 127 is what people report for it.
    return ("/bin/sh", "-c", 'exec "$@"', "bootstrap", *before, *argv) if before else argv


def own_root_variables(task_root: str) -> dict[str, str]:
    """
    Return PATH and LD_LIBRARY_PATH for functions that see Lambda's paths.

    Documented: Lambda developer guide, defined runtime environment variables. Observed: the whole of the latter.
    """
    return {
        "PATH": f"{LANGUAGE_DIR}/bin:{SYSTEM_PATH}:{LAYERS_ROOT}/bin",
        "LD_LIBRARY_PATH": (
            f"{LANGUAGE_DIR}/lib:/lib64:/usr/lib64:{_library_path(RUNTIME_DIR, task_root)}:{LAYERS_ROOT}/lib"
        ),
    }


def host_variables(programs: Path, client: Path, task_root: str, layers_root: str) -> dict[str, str]:
    """Return PATH and LD_LIBRARY_PATH for functions that see the machine's paths; `programs` is the language's bin."""
    return {
        "PATH": f"{programs}:{SYSTEM_PATH}:{layers_root}/bin",
        "LD_LIBRARY_PATH": f"{_library_path(str(client), task_root)}:{layers_root}/lib",
    }


def _library_path(client: str, task_root: str) -> str:
    return f"{client}:{client}/lib:{task_root}:{task_root}/lib"


def reserved(runtime: str, client: str) -> dict[str, str]:
    """Return the variables that win over the user's."""
    # The runtime that was asked for, also where another version stands in for it.
    return {"AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}", "LAMBDA_RUNTIME_DIR": client}


def new_client_folder(runtimes_dir: Path, clock: Clock) -> Path:
    """
    Make a folder for a client that is to be laid out, and remove those that were left behind by servers long gone.

    Raises:
        OSError: there can be none.
    """
    runtimes_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    runtimes_dir.chmod(0o755)
    for left in runtimes_dir.glob(_UNFINISHED + "*"):
        with contextlib.suppress(OSError):
            if clock.now() - left.stat().st_mtime > _ABANDONED_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=runtimes_dir))


def finish_client_folder(unfinished: Path, folder: Path, entry: str) -> None:
    """
    Make a client readable for every user and give its folder its name. Losing to another server is fine. Blocks.

    Args:
        entry: the file by whose presence a folder is known to be complete.
    """
    for parent, _, names in os.walk(unfinished):
        Path(parent).chmod(0o755)
        for name in names:
            path = Path(parent, name)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    try:
        unfinished.rename(folder)
    except OSError:
        if not (folder / entry).exists():
            raise


async def run_command(
    command: Sequence[str], folder: Path | None = None, environ: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """
    Run a command to its end and return its status and output; whoever gives up waiting ends it.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        environ: its variables; the server's own by default.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode("utf-8", "replace")
