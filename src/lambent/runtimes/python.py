"""
The Python runtimes: an interpreter of this machine and AWS's own client.

The client is installed once per Python version into a folder whose name holds a digest of what is in it; an upgrade
of Lambent makes a new one beside it. Several servers may share the folders.
"""

import asyncio
import hashlib
import importlib.util
import logging
import platform
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from lambent.clock import Clock
from lambent.function_user import FunctionUser
from lambent.runtimes.ahead import DEFAULT_LANG, DEFAULT_TZ, acts_at_start
from lambent.runtimes.catalogue import PYTHON_PINS, CatalogueEntry
from lambent.runtimes.contract import LayersAt, RuntimeCommand, RuntimeUnavailable, Zygote
from lambent.runtimes.interpreters import Interpreter, is_ours_alone
from lambent.runtimes.language import LanguageRuntimes, path_inside
from lambent.runtimes.managed import (
    LAYERS_ROOT,
    RUNTIME_DIR,
    finish_client_folder,
    host_variables,
    new_client_folder,
    own_root_variables,
    reserved,
    run_command,
    wrapped,
)

_log = logging.getLogger(__name__)

_BOOTSTRAP = "python_bootstrap.py"
_BESIDE_THE_CLIENT = {"python_forked.py": "_lambent_forked.py"}
"""Files of this package to the names that they have beside the client."""


class PythonRuntimes(LanguageRuntimes):
    """
    All `python3.x` identifiers. See `LanguageRuntimes`.

    Args:
        preload: modules that zygotes load beside the client.
    """

    family = "python"
    interpreter_name = "CPython"

    def __init__(
        self,
        runtimes_dir: Path,
        user: FunctionUser,
        fallback: str,
        clock: Clock,
        *,
        has_own_root: bool = False,
        preload: tuple[str, ...] = (),
    ) -> None:
        super().__init__(runtimes_dir, user, fallback, clock, has_own_root=has_own_root)
        self._preload = preload
        self._installing: dict[str, asyncio.Lock] = {}
        self._trusted: dict[Interpreter, bool] = {}
        """Whether each may be run with the server's rights; kept, for thousands of files are looked at."""
        self._trusting = asyncio.Lock()

    async def _command(
        self,
        runtime: str,
        handler: str,
        interpreter: Interpreter,
        client: Path,
        task_root: str,
        variables: Mapping[str, str],
        layers: LayersAt | None,
    ) -> RuntimeCommand:
        if self._has_own_root:
            return await self._inside(runtime, interpreter, client, task_root, variables)
        return self._beside(runtime, interpreter, client, task_root, variables, layers)

    async def _inside(
        self, runtime: str, interpreter: Interpreter, client: Path, task_root: str, variables: Mapping[str, str]
    ) -> RuntimeCommand:
        """Return the command with Lambda's own paths, and what is to be mounted for them."""
        path, folders = path_inside(interpreter)
        argv = (str(path), f"{RUNTIME_DIR}/bootstrap.py")
        environ = {**own_root_variables(task_root), "PYTHONPATH": RUNTIME_DIR}
        zygote = None
        if await self._is_trusted(interpreter) and is_ours_alone(client / "bootstrap.py"):
            zygote = Zygote(argv, tuple({**environ, "LANG": DEFAULT_LANG, "TZ": DEFAULT_TZ}.items()), self._preload)
        return RuntimeCommand(
            argv=wrapped(argv, variables),
            environ=environ,
            reserved=reserved(runtime, RUNTIME_DIR),
            folders=((RUNTIME_DIR, str(client)), *folders),
            zygote=zygote,
            in_zygote=zygote is not None and not _acts_at_start(variables),
        )

    def _beside(
        self,
        runtime: str,
        interpreter: Interpreter,
        client: Path,
        task_root: str,
        variables: Mapping[str, str],
        layers: LayersAt | None,
    ) -> RuntimeCommand:
        """Return the command with the machine's own paths."""
        opt = LAYERS_ROOT if layers is None else layers.root
        return RuntimeCommand(
            argv=wrapped((str(interpreter.path), str(client / "bootstrap.py")), variables),
            environ={**host_variables(interpreter.path.parent, client, task_root, opt), "PYTHONPATH": str(client)},
            # Read by bootstrap.py, since /opt is the machine's own here.
            reserved={**reserved(runtime, str(client)), "LAMBENT_LAYERS_ROOT": opt},
        )

    async def _is_trusted(self, interpreter: Interpreter) -> bool:
        """Whether nobody but root and the server's user can have changed it, so that we may run it as ourselves."""
        if interpreter not in self._trusted:
            # One after the other: after a start of the server, many functions want the same answer at once.
            async with self._trusting:
                if interpreter not in self._trusted:
                    self._trusted[interpreter] = await asyncio.to_thread(interpreter.is_ours_alone)
                    if not self._trusted[interpreter]:
                        # No zygote either, and a client that is compiled at each cold start.
                        _log.info("runtimes.not_trusted runtime=python%s path=%s", interpreter.minor, interpreter.path)
        return self._trusted[interpreter]

    def version_label(self, entry: CatalogueEntry) -> str:
        """Return e.g. `python:3.13.v422`: AWS writes a number after the v, here it is the client's version."""
        return f"python:{entry.version}.v{PYTHON_PINS[entry.version].client.replace('.', '')}"

    def _version_of(self, interpreter: Interpreter) -> str:
        return interpreter.minor

    def _may_stand_in(self, interpreter: Interpreter) -> bool:
        return interpreter.minor in PYTHON_PINS

    def _client_text(self, interpreter: Interpreter) -> str:
        state = "installed" if _is_complete(self._client_folder(interpreter)) else "installed on first use"
        return f"awslambdaric {PYTHON_PINS[interpreter.minor].client} {state}"

    # -- clients ------------------------------------------------------------------------------------------------

    def _client_folder(self, interpreter: Interpreter) -> Path:
        pins = PYTHON_PINS[interpreter.minor]
        own = [_source(name) for name in (_BOOTSTRAP, *_BESIDE_THE_CLIENT)]
        content = [*pins.requirements, *own, platform.system(), platform.machine()]
        digest = hashlib.sha256("\n".join(content).encode()).hexdigest()
        return self._runtimes_dir / f"python{interpreter.minor}-{digest[:12]}"

    async def _client(self, interpreter: Interpreter) -> Path:
        """Return the folder of the client for an interpreter, installed if need be."""
        folder = self._client_folder(interpreter)
        if not _is_complete(folder):
            async with self._installing.setdefault(interpreter.minor, asyncio.Lock()):
                if not _is_complete(folder):
                    await self._install(interpreter, folder)
        self._refuse_closed(folder, "bootstrap.py")
        return folder

    async def _install(self, interpreter: Interpreter, folder: Path) -> None:
        began = self._clock.monotonic()
        _log.info("runtimes.client_installing runtime=python%s folder=%s", interpreter.minor, folder)
        try:
            unfinished = new_client_folder(self._runtimes_dir, self._clock)
        except OSError as error:
            raise RuntimeUnavailable(f"no folder for the client of python{interpreter.minor}: {error}") from error
        try:
            await _run_installer(_installer(interpreter, unfinished), interpreter.minor)
            for name, installed in _BESIDE_THE_CLIENT.items():
                (unfinished / installed).write_text(_source(name), encoding="utf-8")
            await self._compile(interpreter, unfinished, folder)
            await asyncio.to_thread(_finish, unfinished, folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
        seconds = self._clock.monotonic() - began
        _log.info("runtimes.client_installed runtime=python%s seconds=%.1f", interpreter.minor, seconds)

    async def _compile(self, interpreter: Interpreter, unfinished: Path, folder: Path) -> None:
        """
        Compile the client beforehand: functions cannot write it, so each cold start would compile it again.

        Runs the interpreter with the server's rights, hence only one that nobody else can have changed.
        """
        if not await self._is_trusted(interpreter):
            return
        # Without site, which would run what is installed beside the interpreter.
        command = [str(interpreter.path), "-I", "-S", "-m", "compileall"]
        command += ["-q", "-s", str(unfinished), "-p", str(folder)]
        command += ["--invalidation-mode", "unchecked-hash", str(unfinished)]
        status, output = await run_command(command)
        if status:
            # Some modules are for other versions and do not compile; that has never kept the others from it.
            _log.info("runtimes.client_compiled_in_part runtime=python%s last=%s", interpreter.minor, output[-200:])


_ACT_AT_START = frozenset({"BOTO_DISABLE_CRT"})
"""Read when botocore is imported, which a zygote may have done."""
_ACT_AT_START_PREFIXES = ("PYTHON",)
"""Documented: CPython, environment variables."""


def _acts_at_start(variables: Mapping[str, str]) -> bool:
    """Whether a variable comes too late for a fork. What PYTHONPATH leads to is looked at in the process."""
    others = {name: value for name, value in variables.items() if name != "PYTHONPATH"}
    return acts_at_start(others, _ACT_AT_START, _ACT_AT_START_PREFIXES)


def _source(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _is_complete(folder: Path) -> bool:
    # Written before the folder gets its name, so its presence says that everything is there.
    return (folder / "bootstrap.py").is_file()


def _installer(interpreter: Interpreter, target: Path) -> list[str]:
    """Return the command that installs a client: pip of the server's own Python, or uv where there is no pip."""
    pins = PYTHON_PINS[interpreter.minor].requirements
    if importlib.util.find_spec("pip") is not None:
        abi = "cp" + interpreter.minor.replace(".", "")
        return [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"),
            *("--target", str(target), "--python-version", interpreter.minor, "--implementation", "cp", "--abi", abi),
            *("--only-binary=:all:", "--no-deps", "--no-compile"),
            *pins,
        ]
    if uv := shutil.which("uv"):
        options = ("--target", str(target), "--python", str(interpreter.path), "--only-binary", ":all:", "--no-deps")
        return [uv, "pip", "install", "--quiet", *options, *pins]
    raise RuntimeUnavailable(
        f"the client of python{interpreter.minor} needs pip or uv to be installed. "
        f"To change that: `{sys.executable} -m ensurepip`"
    )


async def _run_installer(command: list[str], minor: str) -> None:
    status, output = await run_command(command)
    if status:
        lines = [line for line in output.splitlines() if line.strip()] or [f"exit status {status}"]
        told = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1])
        raise RuntimeUnavailable(
            f"the client of python{minor} could not be installed: {told.strip()}. "
            f"The command was: {shlex.join(command)}"
        )


def _finish(unfinished: Path, folder: Path) -> None:
    """Make an installation readable for every user and give it its name. Losing to another server is fine."""
    (unfinished / "bootstrap.py").write_text(_source(_BOOTSTRAP), encoding="utf-8")
    finish_client_folder(unfinished, folder, "bootstrap.py")
