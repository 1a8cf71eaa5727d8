"""
The Node.js runtimes: an interpreter of this machine and a client of our own, `nodejs_client`.

AWS's client for Node.js has to be compiled; this one is a few files of JavaScript, which are copied to where functions
can read them. The AWS SDK, where it is installed, lies in `node_modules` beside it, as in AWS's runtimes.
"""

from collections.abc import Mapping
from pathlib import Path

from lambent.clock import Clock
from lambent.function_user import FunctionUser
from lambent.runtimes.additions import sdk_folder
from lambent.runtimes.ahead import acts_at_start
from lambent.runtimes.catalogue import CATALOGUE, CatalogueEntry
from lambent.runtimes.contract import LayersAt, RuntimeCommand
from lambent.runtimes.interpreters import Interpreter
from lambent.runtimes.language import LanguageRuntimes, path_inside
from lambent.runtimes.managed import (
    LAYERS_ROOT,
    RUNTIME_DIR,
    host_variables,
    own_root_variables,
    reserved,
    wrapper,
)
from lambent.runtimes.nodejs_interpreters import language
from lambent.runtimes.own_client import OwnClient

_CLIENT = Path(__file__).with_name("nodejs_client")
_ENTRY = "index.cjs"

_SDK_MAJOR_MIN = 20
"""Documented: package.json of the modules in `NODEJS_SDK`, engines."""

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


_ACT_AT_START = frozenset(
    # Where `require` looks; what the resolver is made of; the data of ICU.
    {"HOME", "HOSTALIASES", "ICU_DATA", "LOCALDOMAIN", "RES_OPTIONS"}
)
_ACT_AT_START_PREFIXES = ("NODE_", "SSL_CERT_", "UV_")
"""Documented: Node.js, command-line options, environment variables; resolver(5) and c-ares, ares_init_options(3)."""


class NodejsRuntimes(LanguageRuntimes):
    """All `nodejsXX.x` identifiers. See `LanguageRuntimes`."""

    family = "nodejs"
    interpreter_name = "Node.js"
    starts_with_memory = True

    def __init__(
        self, runtimes_dir: Path, user: FunctionUser, fallback: str, clock: Clock, *, has_own_root: bool = False
    ) -> None:
        super().__init__(
            runtimes_dir,
            user,
            fallback,
            clock,
            has_own_root=has_own_root,
            language=language(runtimes_dir.absolute()),
        )
        self._sdk = sdk_folder(self._runtimes_dir) / "node_modules"
        self._own_client = OwnClient("nodejs-client", _CLIENT, "*.cjs", _ENTRY, self._runtimes_dir, clock)
        name = f"nodejs-client-and-{self._sdk.parent.name}"
        self._client_and_sdk = OwnClient(name, _CLIENT, "*.cjs", _ENTRY, self._runtimes_dir, clock, self._sdk)

    async def _client(self, interpreter: Interpreter) -> Path:
        # The SDK may be installed while the server runs.
        has_sdk = interpreter.version[0] >= _SDK_MAJOR_MIN and self._sdk.is_dir()
        client = self._client_and_sdk if has_sdk else self._own_client
        folder = await client.folder()
        self._refuse_closed(folder, _ENTRY)
        return folder

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
        path, folders = path_inside(interpreter)
        return RuntimeCommand(
            argv=_argv(path, f"{RUNTIME_DIR}/{_ENTRY}", variables),
            environ={
                **own_root_variables(task_root),
                "NODE_PATH": _node_path(runtime, RUNTIME_DIR, task_root, LAYERS_ROOT),
            },
            reserved=reserved(runtime, RUNTIME_DIR),
            folders=((RUNTIME_DIR, str(client)), *folders),
        )

    def version_label(self, entry: CatalogueEntry) -> str:
        """Return e.g. `nodejs:22.v1`. Assumed: the number has no meaning here, AWS counts its own images."""
        return f"nodejs:{_major(entry)}.v1"

    def may_start_ahead(self, variables: Mapping[str, str], package: Path, layers: LayersAt | None) -> bool:
        return not acts_at_start(variables, _ACT_AT_START, _ACT_AT_START_PREFIXES)

    def _version(self, entry: CatalogueEntry) -> str:
        return _major(entry)


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
