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
from lambent.domain.caller import Scope
from lambent.domain.function import Code, Configuration, Deployment, FunctionName
from lambent.execution.variables import function_variables
from lambent.function_user import FunctionUser, find_function_user
from lambent.runtimes import python
from lambent.runtimes.contract import Availability, LayersAt, RuntimeCommand, RuntimeUnavailable
from lambent.runtimes.interpreters import Interpreter, Interpreters
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


def own_root(folder: Path, *found: Interpreter) -> PythonRuntimes:
    """Make the runtimes for environments that see Lambda's own paths."""
    made = PythonRuntimes(
        folder / "runtimes",
        find_function_user("nobody"),
        "none",
        SystemClock(),
        has_own_root=True,
        preload=("boto3",),
    )
    made._interpreters = FoundInterpreters(*found)  # type: ignore[assignment]
    return made


def interpreter_in(prefix: Path) -> Interpreter:
    """Make a folder that looks like an interpreter's own, with a library of one module."""
    library = prefix / "lib/python3.12"
    for made in (prefix / "bin", library):
        made.mkdir(parents=True, mode=0o755)
    for path in (prefix / "bin/python3.12", library / "os.py"):
        # Something that can be asked to compile a client, and does not.
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return Interpreter(prefix / "bin/python3.12", (3, 12, 1), True, prefix=prefix, library=(library,))


def inside(of: PythonRuntimes, **variables: str) -> RuntimeCommand:
    return asyncio.run(of.command("python3.12", "app.handler", "/var/task", variables))


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
    assert f"`lambent runtimes install python3.12 --runtimes-dir {folder}/runtimes`" in told
    assert "--runtime-fallback nearest" in told


def test_a_version_that_functions_cannot_reach(folder: Path) -> None:
    """It is named, with what closes it."""
    told = refusal(runtimes(folder, CLOSED), "python3.13")
    assert "CPython 3.13.1 is at /home/me/bin/python3.13, but /home/me is closed to user nobody" in told


def test_the_nearest_version_stands_in(folder: Path, installs: list[list[str]]) -> None:
    """With the fallback, the name that the function sees is still the one that it asked for."""
    under_test = runtimes(folder, HERE, CLOSED, fallback="nearest")
    command = asyncio.run(under_test.command("python3.13", "app.handler", "/var/task", {}))
    assert command.argv[0] == str(HERE.path)
    assert command.reserved["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert [minor for minor, _ in installs] == ["3.11"]


def test_a_stand_in_is_told(folder: Path) -> None:
    """What a server with the fallback would run is available, and by what; without it, it is not."""

    def row(fallback: str) -> Availability:
        rows = asyncio.run(runtimes(folder, HERE, fallback=fallback).availability())
        return next(one for one in rows if one.runtime == "python3.13")

    assert not row("none").available
    assert row("nearest").available
    assert row("nearest").detail.startswith("--runtime-fallback nearest, there is no CPython 3.13: CPython 3.11.9 at ")


def test_the_package_is_searched_for_libraries(folder: Path, installs: list[list[str]]) -> None:
    """Shared libraries in the package and its lib folder are found, as on AWS."""
    command = asyncio.run(runtimes(folder, HERE).command("python3.11", "app.handler", "/var/task", {}))
    assert {"/var/task", "/var/task/lib", "/opt/lib"} <= set(command.environ["LD_LIBRARY_PATH"].split(":"))
    assert command.environ["PYTHONPATH"] == command.reserved["LAMBDA_RUNTIME_DIR"]


def test_layers_are_searched_where_they_are(folder: Path, installs: list[list[str]]) -> None:
    """Without a root of its own, /opt is the machine's: the paths and the bootstrap are told where the layers lie."""
    layers = LayersAt(folder / "layers", "/data/layers")
    command = asyncio.run(runtimes(folder, HERE).command("python3.11", "app.handler", "/var/task", {}, layers))
    assert command.environ["PATH"].split(":")[-1] == "/data/layers/bin"
    assert command.environ["LD_LIBRARY_PATH"].split(":")[-1] == "/data/layers/lib"
    assert command.reserved["LAMBENT_LAYERS_ROOT"] == "/data/layers"


def test_layers_are_at_opt_inside(folder: Path, installs: list[list[str]]) -> None:
    """With a root of its own, layers change nothing of the command: all environments can be forked from one zygote."""
    under_test = own_root(folder, interpreter_in(folder / "3.12.1"))
    layers = LayersAt(folder / "layers", "/opt")
    command = asyncio.run(under_test.command("python3.12", "app.handler", "/var/task", {}, layers))
    assert command == inside(under_test)
    assert command.in_zygote


def test_a_client_that_functions_cannot_reach(folder: Path, installs: list[list[str]]) -> None:
    """A runtimes folder below a private one is refused with the folder's name."""
    (folder / "private").mkdir(mode=0o700)
    user = FunctionUser(name="other", uid=54321, gid=54321, is_other=True)
    under_test = PythonRuntimes(folder / "private/runtimes", user, "none", SystemClock())
    under_test._interpreters = FoundInterpreters(HERE)  # type: ignore[assignment]
    for _ in ("while it is installed", "once it is"):
        assert f"{folder}/private is closed to user other" in refusal(under_test, "python3.11")


def test_an_interpreter_of_its_own_is_mounted_at_var_lang(folder: Path, installs: list[list[str]]) -> None:
    """With a root of its own, an environment has client and language where Lambda has them."""
    command = inside(own_root(folder, interpreter_in(folder / "3.12.1")))
    mounted = dict(command.folders)
    assert set(mounted) == {"/var/runtime", "/var/lang"}
    assert mounted["/var/lang"] == str(folder / "3.12.1")
    assert (Path(mounted["/var/runtime"]) / "bootstrap.py").is_file()
    assert command.argv == ("/var/lang/bin/python3.12", "/var/runtime/bootstrap.py")
    assert command.reserved["LAMBDA_RUNTIME_DIR"] == command.environ["PYTHONPATH"] == "/var/runtime"


def test_an_interpreter_in_usr_stays_there(folder: Path, installs: list[list[str]]) -> None:
    """/usr is in every environment as it is: only the client is mounted."""
    here = Interpreter(Path("/usr/bin/python3.12"), (3, 12, 1), True, prefix=Path("/usr"))
    command = inside(own_root(folder, here))
    assert [target for target, _ in command.folders] == ["/var/runtime"]
    assert command.argv[0] == "/usr/bin/python3.12"


def test_paths_inside_are_lambdas(folder: Path, installs: list[list[str]]) -> None:
    """PATH and LD_LIBRARY_PATH are AWS's, in its order."""
    environ = inside(own_root(folder, interpreter_in(folder / "3.12.1"))).environ
    # Observed: LD_LIBRARY_PATH as functions on AWS print it.
    assert environ["LD_LIBRARY_PATH"] == (
        "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
    )
    assert environ["PATH"] == "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"


def test_a_zygote_has_what_acts_at_start(folder: Path, installs: list[list[str]]) -> None:
    """It runs the same command with the runtime's own variables and the default language and time, and no user's."""
    command = inside(own_root(folder, interpreter_in(folder / "3.12.1")), GREETING="hello")
    zygote = command.zygote
    assert zygote is not None
    assert zygote.argv == command.argv
    defaults = variables()
    assert dict(zygote.environ) == {**command.environ, "LANG": defaults["LANG"], "TZ": defaults["TZ"]}
    assert zygote.preload == ("boto3",)
    assert command.in_zygote


def variables() -> dict[str, str]:
    """Return what a function starts with whose user sets nothing."""
    deployment = Deployment(
        scope=Scope("000000000000", "us-east-1"),
        name=FunctionName("f"),
        version="1",
        deployment_id="d",
        configuration=Configuration("python3.12", "app.handler", "role"),
        code=Code("0" * 64, 1),
    )
    return function_variables(
        deployment,
        runtime_variables={},
        runtime_reserved={},
        task_root="/var/task",
        runtime_api_address="127.0.0.1:9001",
        trace_address="169.254.100.1:2000",
        log_stream="stream",
        endpoint="http://127.0.0.1:4566",
        credentials={"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"},
    )


@pytest.mark.parametrize("opened", ["bin/python3.12", "lib/python3.12/os.py", "lib/python3.12", "."])
def test_what_others_can_change_is_no_zygote(folder: Path, installs: list[list[str]], opened: str) -> None:
    """A zygote runs as root: with an interpreter that others can write there is none, and functions are executed."""
    found = interpreter_in(folder / "3.12.1")
    (found.prefix / opened).chmod(0o777)
    command = inside(own_root(folder, found))
    assert (command.zygote, command.in_zygote) == (None, False)
    assert command.argv[0] == "/var/lang/bin/python3.12"


def test_an_interpreter_is_looked_at_once(
    folder: Path, installs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where many functions start at once: it is tens of thousands of files."""
    under_test = own_root(folder, interpreter_in(folder / "3.12.1"))
    looked: list[Interpreter] = []
    look = Interpreter.is_ours_alone

    def counted(interpreter: Interpreter) -> bool:
        looked.append(interpreter)
        return look(interpreter)

    monkeypatch.setattr(Interpreter, "is_ours_alone", counted)

    async def start_many() -> None:
        await under_test.prepare("python3.12")
        looked.clear()
        under_test._trusted.clear()
        await asyncio.gather(*(under_test.command("python3.12", "app.handler", "/var/task", {}) for _ in range(5)))

    asyncio.run(start_many())
    assert len(looked) == 1


@pytest.mark.parametrize(
    "name",
    [
        "PYTHONHASHSEED", "PYTHONUNBUFFERED", "PYTHONHOME", "LD_PRELOAD", "LD_LIBRARY_PATH", "LC_ALL", "LANGUAGE",
        "MALLOC_ARENA_MAX", "OPENSSL_CONF", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH", "BOTO_DISABLE_CRT",
        "AWS_LAMBDA_EXEC_WRAPPER",
    ],
)  # fmt: skip
def test_variables_that_act_at_start_are_executed(folder: Path, installs: list[list[str]], name: str) -> None:
    """They would come too late for a fork; the zygote itself stays the one of all other functions."""
    under_test = own_root(folder, interpreter_in(folder / "3.12.1"))
    assert not inside(under_test, **{name: "1"}).in_zygote
    assert inside(under_test, **{name: "1"}).zygote == inside(under_test).zygote


def test_another_language_is_executed(folder: Path, installs: list[list[str]]) -> None:
    """LANG acts at the start, unless it says what it would be anyway."""
    under_test = own_root(folder, interpreter_in(folder / "3.12.1"))
    assert not inside(under_test, LANG="C").in_zygote
    assert inside(under_test, LANG="en_US.UTF-8").in_zygote


@pytest.mark.parametrize("name", ["TZ", "PYTHONPATH", "HOME", "PATH", "AWS_LAMBDA_LOG_FORMAT", "MY_PYTHON", "LDAP"])
def test_other_variables_are_forked(folder: Path, installs: list[list[str]], name: str) -> None:
    """What can be applied to a running process costs no start."""
    assert inside(own_root(folder, interpreter_in(folder / "3.12.1")), **{name: "1"}).in_zygote


def test_a_wrapper_gets_the_command_inside(folder: Path, installs: list[list[str]]) -> None:
    """A wrapper is executed by a shell with interpreter and bootstrap as its arguments."""
    command = inside(own_root(folder, interpreter_in(folder / "3.12.1")), AWS_LAMBDA_EXEC_WRAPPER="/opt/wrapper")
    assert command.argv[:2] == ("/bin/sh", "-c")
    assert command.argv[-3:] == ("/opt/wrapper", "/var/lang/bin/python3.12", "/var/runtime/bootstrap.py")
    assert command.zygote is not None
    assert command.zygote.argv == ("/var/lang/bin/python3.12", "/var/runtime/bootstrap.py")


def test_a_client_behind_a_closed_folder_is_mounted(folder: Path, installs: list[list[str]]) -> None:
    """What is mounted needs no way through the folders above it."""
    (folder / "private").mkdir(mode=0o700)
    assert inside(own_root(folder / "private", interpreter_in(folder / "3.12.1"))).folders


@pytest.mark.parametrize("minor", ["3.9", "3.12", "3.13"])
def test_versions_of_this_machine(folder: Path, installs: list[list[str]], minor: str) -> None:
    """A real interpreter is found again at the path that the command names inside."""
    search = Interpreters(find_function_user("nobody"), SystemClock(), is_mounted=True)
    found = asyncio.run(search.best(minor))
    if found is None:
        pytest.skip(f"needs:python{minor}:uv python install {minor}")
    command = asyncio.run(own_root(folder, found).command(f"python{minor}", "app.handler", "/var/task", {}))
    path = Path(command.argv[0])
    if not found.is_in_usr:
        path = Path(dict(command.folders)["/var/lang"]) / path.relative_to("/var/lang")
    assert path.samefile(found.path)
    assert command.in_zygote is found.is_ours_alone()
    assert [installed for installed, _ in installs] == [minor]
