"""
The .NET runtimes: an installation of this machine and a client of our own, `dotnet_client`.

AWS's client is no package that could be fetched; this one is a small program in C#. A release carries it compiled; in a
checkout `make dotnet-client` compiles it.
"""

import ctypes.util
import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path

from lambent.clock import Clock
from lambent.function_user import FunctionUser
from lambent.runtimes.catalogue import CatalogueEntry
from lambent.runtimes.contract import Availability, LayersAt, RuntimeCommand, RuntimeUnavailable
from lambent.runtimes.dotnet_interpreters import language
from lambent.runtimes.interpreters import Interpreter
from lambent.runtimes.language import LanguageRuntimes
from lambent.runtimes.managed import (
    LANGUAGE_DIR,
    LAYERS_ROOT,
    RUNTIME_DIR,
    host_variables,
    own_root_variables,
    reserved,
)
from lambent.runtimes.own_client import OwnClient

_SOURCES = Path(__file__).with_name("dotnet_client")
_BUILT = _SOURCES / "built"
_ENTRY = "Lambent.Runtime.dll"
_BOOTSTRAP = "bootstrap"
_BUILD = "`make dotnet-client` in the checkout"

_ROOT = f"{LANGUAGE_DIR}/bin"
"""Observed: aws/aws-lambda-dotnet, LambdaRuntimeDockerfiles, where DOTNET_ROOT is."""


class DotnetRuntimes(LanguageRuntimes):
    """All `dotnetX` identifiers. See `LanguageRuntimes`."""

    family = "dotnet"
    interpreter_name = ".NET"

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
        self._own_client = OwnClient("dotnet-client", _BUILT, "*", _ENTRY, self._runtimes_dir, clock)
        self._is_built = False
        """Whether the client has been seen to be compiled: neither it nor its sources change below a server."""
        self._settings: dict[str, str] | None = None

    async def _client(self, interpreter: Interpreter) -> Path:
        if not self._is_built and (why := why_not_built(_SOURCES)):
            raise RuntimeUnavailable(f"{why}. To change that: {_BUILD}")
        self._is_built = True
        folder = await self._own_client.folder()
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
        root = str(interpreter.prefix)
        folders: tuple[tuple[str, str], ...] = ()
        if not self._has_own_root:
            inside = str(client)
            environ = host_variables(
                interpreter.path.parent, client, task_root, LAYERS_ROOT if layers is None else layers.root
            )
        else:
            inside = RUNTIME_DIR
            environ = own_root_variables(task_root)
            folders = ((RUNTIME_DIR, str(client)),)
            if not interpreter.is_in_usr:
                root = _ROOT
                folders += ((_ROOT, str(interpreter.prefix)),)
        if interpreter.version[0] != int(runtime.removeprefix(self.family)):
            # What was built for the version that this one stands in for asks for that one.
            environ["DOTNET_ROLL_FORWARD"] = "Major"
        if self._settings is None:
            self._settings = host_settings()
        return RuntimeCommand(
            # A wrapper is its own business: it starts one as AWS's does.
            argv=("/bin/sh", f"{inside}/{_BOOTSTRAP}"),
            environ={**environ, **self._settings},
            reserved={**reserved(runtime, inside), "DOTNET_ROOT": root, "LAMBDA_RUNTIME_NAME": runtime},
            folders=folders,
        )

    def version_label(self, entry: CatalogueEntry) -> str:
        """Return e.g. `dotnet:8.v1`. Assumed: the number has no meaning here, AWS counts its own images."""
        return f"dotnet:{entry.version}.v1"

    async def availability(self) -> list[Availability]:
        """See `LanguageRuntimes`; without the client there is nothing that could run."""
        found = await super().availability()
        if why := why_not_built(_SOURCES):
            return [
                Availability(one.runtime, False, one.provider, why, _BUILD) if one.available else one for one in found
            ]
        return found

    def _stand_in(self, version: str, found: tuple[Interpreter, ...]) -> Interpreter | None:
        # Newer ones alone: what was built for a version does not run on one before it.
        return super()._stand_in(version, tuple(one for one in found if one.version[0] >= int(version)))


def why_not_built(sources: Path) -> str:
    """Return why there is no compiled client beside its sources, or none of these; empty: there is one."""
    built = sources / "built"
    if not (built / _ENTRY).is_file():
        return "the client of .NET has not been compiled"
    if (built / "sources").read_text() != _digest_of(sources):
        return "the client of .NET was compiled from other sources than these"
    return ""


def _digest_of(sources: Path) -> str:
    """Return what tells one state of the sources from another, by the rule of tools/dotnet.py."""
    digest = hashlib.sha256()
    for path in sorted(path for path in sources.iterdir() if path.is_file()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def host_settings() -> dict[str, str]:
    """Return the variables that tell .NET of this machine; a user's variables win over them."""
    settings = {
        # For cold starts: counting what runs often pays for itself long after those, and so would loading a tracer that
        # nobody listens to.
        "DOTNET_TieredPGO": "0",
        "DOTNET_LTTng": "0",
        # As AWS's image has them. Observed: aws/aws-lambda-dotnet, LambdaRuntimeDockerfiles.
        "DOTNET_NOLOGO": "true",
        "DOTNET_CLI_TELEMETRY_OPTOUT": "true",
    }
    # Without libicu .NET does not start, unless it is told to do without cultures. AWS's has libicu.
    if platform.system() == "Linux" and ctypes.util.find_library("icuuc") is None:
        settings["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"
    return settings
