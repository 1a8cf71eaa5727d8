"""How a Python runtime is made ready, and what is said when it cannot be."""

import asyncio
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.function_user import FunctionUser, find_function_user
from lambent.runtimes import python
from lambent.runtimes.contract import RuntimeUnavailable
from lambent.runtimes.interpreters import Interpreter
from lambent.runtimes.python import PythonRuntimes

HERE = Interpreter(Path(os.path.realpath(sys.executable)), (3, 11, 9), True)
CLOSED = Interpreter(Path("/home/me/bin/python3.13"), (3, 13, 1), False, "/home/me is closed to user nobody")


class FoundInterpreters:
    """A machine with given interpreters."""

    def __init__(self, *found: Interpreter) -> None:
        self._found = found

    async def find(self, *, fresh: bool = False) -> tuple[Interpreter, ...]:
        return self._found

    async def best(self, minor: str) -> Interpreter | None:
        return next((one for one in self._found if one.minor == minor and one.is_reachable), None)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the functions' user can pass."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Let an installer that only makes a file stand in for pip; give the commands that it was called with."""
    commands: list[list[str]] = []

    def installer(interpreter: Interpreter, target: Path) -> list[str]:
        commands.append([interpreter.minor, str(target)])
        return ["/bin/sh", "-c", 'umask 077; mkdir "$0/package"; echo "x = 1" > "$0/package/module.py"', str(target)]

    monkeypatch.setattr(python, "_installer", installer)
    return commands


def runtimes(folder: Path, *found: Interpreter, fallback: str = "none") -> PythonRuntimes:
    made = PythonRuntimes(folder / "runtimes", find_function_user("nobody"), fallback, SystemClock())
    made._interpreters = FoundInterpreters(*found)  # type: ignore[assignment]
    return made


def refusal(of: PythonRuntimes, runtime: str) -> str:
    with pytest.raises(RuntimeUnavailable) as refused:
        asyncio.run(of.prepare(runtime))
    return str(refused.value)


def test_the_client_is_installed_once(folder: Path, installs: list[list[str]]) -> None:
    """Calls at the same time and later ones find what the first installed."""
    under_test = runtimes(folder, HERE)

    async def prepare_often() -> None:
        await asyncio.gather(*(under_test.prepare("python3.11") for _ in range(5)))
        await under_test.prepare("python3.11")

    asyncio.run(prepare_often())
    assert len(installs) == 1
    assert [path.name[:11] for path in (folder / "runtimes").iterdir()] == ["python3.11-"]


def test_every_user_can_read_the_client(folder: Path, installs: list[list[str]]) -> None:
    """Functions run as another user than the server."""
    asyncio.run(runtimes(folder, HERE).prepare("python3.11"))
    for path in [folder / "runtimes", *(folder / "runtimes").rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o444 == 0o444
        assert mode & 0o022 == 0


def test_losing_to_another_server_is_fine(folder: Path, installs: list[list[str]]) -> None:
    """Two servers that share a folder may install at the same time."""
    one, other = runtimes(folder, HERE), runtimes(folder, HERE)

    async def prepare_both() -> None:
        await asyncio.gather(one.prepare("python3.11"), other.prepare("python3.11"))

    asyncio.run(prepare_both())
    assert len(installs) == 2
    assert len(list((folder / "runtimes").iterdir())) == 1


def test_a_failed_installation_tells_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installer's own last word and its command, and nothing half-made is left."""
    script = "echo first; echo ERROR: no index; echo hint; exit 1"
    monkeypatch.setattr(python, "_installer", lambda *_: ["/bin/sh", "-c", script])
    told = refusal(runtimes(folder, HERE), "python3.11")
    assert told == (
        f"the client of python3.11 could not be installed: ERROR: no index. The command was: /bin/sh -c '{script}'"
    )
    assert list((folder / "runtimes").iterdir()) == []


def test_a_version_that_is_not_here(folder: Path) -> None:
    """The message says what there is, and holds the command that adds what there is not."""
    told = refusal(runtimes(folder, HERE), "python3.12")
    assert told.startswith("python3.12 cannot run on this machine: there is no CPython 3.12 (there is 3.11). ")
    assert "uv python install" in told
    assert "3.12`" in told
    assert "--runtime-fallback nearest" in told


def test_a_version_that_functions_cannot_reach(folder: Path) -> None:
    """It is named, with what closes it."""
    told = refusal(runtimes(folder, CLOSED), "python3.13")
    assert "CPython 3.13.1 is at /home/me/bin/python3.13, but /home/me is closed to user nobody" in told


def test_the_nearest_version_stands_in(folder: Path, installs: list[list[str]]) -> None:
    """With the fallback, the name that the function sees is still the one that it asked for."""
    under_test = runtimes(folder, HERE, CLOSED, fallback="nearest")
    command = asyncio.run(under_test.command("python3.13", "/var/task", {}))
    assert command.argv[0] == str(HERE.path)
    assert command.reserved["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert [minor for minor, _ in installs] == ["3.11"]


def test_the_package_is_searched_for_libraries(folder: Path, installs: list[list[str]]) -> None:
    """Shared libraries in the package and its lib folder are found, as on AWS."""
    command = asyncio.run(runtimes(folder, HERE).command("python3.11", "/var/task", {}))
    assert {"/var/task", "/var/task/lib", "/opt/lib"} <= set(command.environ["LD_LIBRARY_PATH"].split(":"))
    assert command.environ["PYTHONPATH"] == command.reserved["LAMBDA_RUNTIME_DIR"]


def test_a_client_that_functions_cannot_reach(folder: Path, installs: list[list[str]]) -> None:
    """A runtimes folder below a private one is refused with the folder's name."""
    (folder / "private").mkdir(mode=0o700)
    user = FunctionUser(name="other", uid=54321, gid=54321, is_other=True)
    under_test = PythonRuntimes(folder / "private/runtimes", user, "none", SystemClock())
    under_test._interpreters = FoundInterpreters(HERE)  # type: ignore[assignment]
    assert f"{folder}/private is closed to user other" in refusal(under_test, "python3.11")
