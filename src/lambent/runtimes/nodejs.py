"""
The Node.js runtimes: an interpreter of this machine and a client of our own, `nodejs_client`.

AWS's client for Node.js has to be compiled; this one is a few files of JavaScript, which are copied to where functions
can read them.
"""

import asyncio
import hashlib
import logging
import platform
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from lambent.clock import Clock
from lambent.function_user import FunctionUser
from lambent.runtimes.catalogue import CATALOGUE, CatalogueEntry
from lambent.runtimes.contract import Availability, LayersAt, RuntimeCommand, RuntimeUnavailable
from lambent.runtimes.interpreters import Interpreter, Interpreters, newest_reachable
from lambent.runtimes.managed import (
    LANGUAGE_DIR,
    LAYERS_ROOT,
    RUNTIME_DIR,
    finish_client_folder,
    host_variables,
    new_client_folder,
    own_root_variables,
    reserved,
    wrapper,
)
from lambent.runtimes.nodejs_interpreters import language, npm_command

_log = logging.getLogger(__name__)

_CLIENT = Path(__file__).with_name("nodejs_client")
_ENTRY = "index.cjs"

_BOOTSTRAP = (
    'exec "$@" --expose-gc --max-http-header-size=81920 '
    "--max-semi-space-size=$((AWS_LAMBDA_FUNCTION_MEMORY_SIZE / 20)) "
    '--max-old-space-size=$((AWS_LAMBDA_FUNCTION_MEMORY_SIZE - AWS_LAMBDA_FUNCTION_MEMORY_SIZE / 10)) "$0"'
)
"""
What AWS's /var/runtime/bootstrap does: start Node.js, or the wrapper with it, with a heap of nine tenths of MemorySize.
Left to itself Node.js takes less than half. Observed: lambci/node-custom-lambda, its bootstrap for v10.x.
The entry comes as $0, for a name that the shell would give it might be one of the user's variables.
"""


class NodejsRuntimes:
    """
    All `nodejsXX.x` identifiers.

    Args:
        runtimes_dir: where the client is copied to, and where versions of Node.js may be installed.
        user: who functions run as; has to be able to read what is copied.
        fallback: `none`, or `nearest` to take the nearest version for one that is not here.
        has_own_root: whether environments see Lambda's paths and not the machine's.
    """

    def __init__(
        self, runtimes_dir: Path, user: FunctionUser, fallback: str, clock: Clock, *, has_own_root: bool = False
    ) -> None:
        self._has_own_root = has_own_root
        self._runtimes_dir = runtimes_dir.absolute()
        self._user = user
        self._fallback = fallback
        self._clock = clock
        self._interpreters = Interpreters(user, clock, is_mounted=has_own_root, language=language(self._runtimes_dir))
        self._client_folder: Path | None = None
        """Where the client is once it is there."""
        self._copying = asyncio.Lock()

    async def prepare(self, runtime: str) -> None:
        """Find the interpreter and copy the client. See `Runtimes.prepare`."""
        await self._interpreter(runtime)
        await self._client()

    async def command(
        self, runtime: str, task_root: str, variables: Mapping[str, str], layers: LayersAt | None = None
    ) -> RuntimeCommand:
        """Return how to start the client. See `Runtimes.command`."""
        interpreter = await self._interpreter(runtime)
        client = await self._client()
        if not self._has_own_root:
            opt = LAYERS_ROOT if layers is None else layers.root
            return RuntimeCommand(
                argv=_argv(interpreter.path, str(client / _ENTRY), variables),
                environ={
                    **host_variables(interpreter.path.parent, client, task_root, opt),
                    "NODE_PATH": _node_path(runtime, str(client), task_root, opt),
                },
                reserved=reserved(runtime, str(client)),
            )
        folders = [(RUNTIME_DIR, str(client))]
        path = interpreter.path
        if not interpreter.is_in_usr:
            folders.append((LANGUAGE_DIR, str(interpreter.prefix)))
            path = Path(LANGUAGE_DIR) / interpreter.path.relative_to(interpreter.prefix)
        return RuntimeCommand(
            argv=_argv(path, f"{RUNTIME_DIR}/{_ENTRY}", variables),
            environ={
                **own_root_variables(task_root),
                "NODE_PATH": _node_path(runtime, RUNTIME_DIR, task_root, LAYERS_ROOT),
            },
            reserved=reserved(runtime, RUNTIME_DIR),
            folders=tuple(folders),
        )

    def version_label(self, entry: CatalogueEntry) -> str:
        """Return e.g. `nodejs:22.v1`. Assumed: the number has no meaning here, AWS counts its own images."""
        return f"nodejs:{_major(entry)}.v1"

    async def availability(self) -> list[Availability]:
        """Search this machine again, for all versions of Node.js."""
        found = await self._interpreters.find(fresh=True)
        return [
            self._availability_of(entry, found)
            for entry in CATALOGUE.values()
            if entry.family == "nodejs" and entry.provider == "host"
        ]

    # -- interpreters -------------------------------------------------------------------------------------------

    async def _interpreter(self, runtime: str) -> Interpreter:
        major = _major(CATALOGUE[runtime])
        if best := await self._interpreters.best(major):
            return best
        found = await self._interpreters.find()
        if stand_in := self._stand_in(major, found):
            _log.warning("runtimes.fallback runtime=%s uses=nodejs%s", runtime, stand_in.version_text)
            return stand_in
        detail, remedy = self._missing(major, found)
        raise RuntimeUnavailable(f"{runtime} cannot run on this machine: {detail}. To change that: {remedy}")

    def _stand_in(self, major: str, found: tuple[Interpreter, ...]) -> Interpreter | None:
        """Return what runs a version that is not here, where the fallback says that something may."""
        if self._fallback != "nearest":
            return None
        nearest = nearest_major(int(major), {one.version[0] for one in found if one.is_reachable})
        return None if nearest is None else newest_reachable(found, str(nearest))

    def _availability_of(self, entry: CatalogueEntry, found: tuple[Interpreter, ...]) -> Availability:
        major = _major(entry)
        best = newest_reachable(found, major) or self._stand_in(major, found)
        if best is None:
            detail, remedy = self._missing(major, found)
            return Availability(entry.runtime, False, "host", detail, remedy)
        detail = f"Node.js {best.version_text} at {best.path}, Lambent's own client"
        if not best.is_of(major):
            detail = f"--runtime-fallback nearest, there is no Node.js {major}: {detail}"
        return Availability(entry.runtime, True, "host", detail)

    def _missing(self, major: str, found: tuple[Interpreter, ...]) -> tuple[str, str]:
        """Return what is missing for a version, and the command that adds it."""
        command = self._install_command(major)
        closed = next((one for one in found if one.is_of(major) and not one.is_reachable), None)
        if closed is not None:
            return (
                f"Node.js {closed.version_text} is at {closed.path}, but {closed.obstacle}",
                f"`{command}`, which puts one where functions can reach it",
            )
        here = sorted({one.version[0] for one in found if one.is_reachable})
        return (
            f"there is no Node.js {major} (there is {', '.join(map(str, here)) or 'none'})",
            f"`{command}`, or start the server with --runtime-fallback nearest",
        )

    def _install_command(self, major: str) -> str:
        if platform.system() == "Darwin":
            return f"brew install node@{major}"
        command = npm_command(self._runtimes_dir, major)
        return command if shutil.which("npm") else f"apt install npm` and `{command}"

    # -- the client ---------------------------------------------------------------------------------------------

    async def _client(self) -> Path:
        """Return the folder of the client, copied if need be."""
        folder = self._client_folder
        if folder is None or not (folder / _ENTRY).is_file():
            async with self._copying:
                try:
                    folder = self._client_folder = await asyncio.to_thread(self._copy)
                except OSError as error:
                    raise RuntimeUnavailable(f"no folder for the client of Node.js: {error}") from error
        if not self._has_own_root and (closed := self._user.closed_at(folder / _ENTRY)):
            raise RuntimeUnavailable(
                f"the client of Node.js is at {folder}, but {closed} is closed to user {self._user.name}. "
                f"To change that: `chmod o+x {closed}`, or another --runtimes-dir"
            )
        return folder

    def _copy(self) -> Path:
        """Copy the client to where functions can read it, under a name that tells what is in it. Blocks."""
        contents = {path.name: path.read_bytes() for path in sorted(_CLIENT.glob("*.cjs"))}
        digest = hashlib.sha256(b"\0".join(part for name, text in contents.items() for part in (name.encode(), text)))
        folder = self._runtimes_dir / f"nodejs-client-{digest.hexdigest()[:12]}"
        if (folder / _ENTRY).is_file():
            return folder
        unfinished = new_client_folder(self._runtimes_dir, self._clock)
        try:
            for name, text in contents.items():
                (unfinished / name).write_bytes(text)
            finish_client_folder(unfinished, folder, _ENTRY)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return folder


def nearest_major(wanted: int, available: Iterable[int]) -> int | None:
    """Return the version of `available` that is nearest to `wanted`, the newer of two that are as near."""
    return min(available, key=lambda one: (abs(one - wanted), -one), default=None)


def _argv(interpreter: Path, entry: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    return ("/bin/sh", "-c", _BOOTSTRAP, entry, *wrapper(variables), str(interpreter))


def _major(entry: CatalogueEntry) -> str:
    """Return `22` of nodejs22.x."""
    return entry.version.partition(".")[0]


def _node_path(runtime: str, client: str, task_root: str, opt: str) -> str:
    """
    Return where `require` looks beside the package. The version in it is the one that was asked for.

    Documented: Lambda developer guide, defined runtime environment variables; layers for Node.js functions.
    """
    layers = f"{opt}/nodejs/node{_major(CATALOGUE[runtime])}/node_modules:{opt}/nodejs/node_modules"
    return f"{layers}:{client}/node_modules:{client}:{task_root}"
