"""
What the managed runtimes of every language do alike: pick the interpreter of a version, say what is missing.

A language subclasses `LanguageRuntimes` and brings the search for its interpreters, its client and its command.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from lambent.clock import Clock
from lambent.function_user import FunctionUser
from lambent.runtimes.catalogue import CATALOGUE, CatalogueEntry
from lambent.runtimes.contract import Availability, LayersAt, RuntimeCommand, RuntimeUnavailable
from lambent.runtimes.interpreters import Interpreter, Interpreters, Language, newest_reachable
from lambent.runtimes.managed import LANGUAGE_DIR

_log = logging.getLogger(__name__)


class LanguageRuntimes(ABC):
    """
    All identifiers of one family that interpreters of this machine run.

    Args:
        runtimes_dir: where clients lie, and where interpreters may be installed.
        user: who functions run as; has to be able to read the client.
        fallback: `none`, or `nearest` to take the nearest version for one that is not here.
        clock: tells how old an answer is.
        has_own_root: whether environments see Lambda's paths and not the machine's.
        language: how interpreters are searched for; CPython's by default.
    """

    family: ClassVar[str]
    """As in the catalogue, and in front of the version in an identifier: `nodejs`."""
    interpreter_name: ClassVar[str]
    """What people call an interpreter: `Node.js`."""
    starts_with_memory: ClassVar[bool] = False
    """Whether MemorySize is something that the interpreter has to be told when it starts."""

    def __init__(
        self,
        runtimes_dir: Path,
        user: FunctionUser,
        fallback: str,
        clock: Clock,
        *,
        has_own_root: bool = False,
        language: Language | None = None,
    ) -> None:
        self._runtimes_dir = runtimes_dir.absolute()
        self._user = user
        self._fallback = fallback
        self._clock = clock
        self._has_own_root = has_own_root
        self._interpreters = Interpreters(user, clock, is_mounted=has_own_root, language=language)

    # -- what a language brings ---------------------------------------------------------------------------------

    @abstractmethod
    async def _client(self, interpreter: Interpreter) -> Path:
        """
        Return the folder of the client for an interpreter, made if need be.

        Raises:
            RuntimeUnavailable: it cannot be made, or functions cannot read it.
        """

    @abstractmethod
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
        """Return how to start the client. See `Runtimes.command`."""

    @abstractmethod
    def version_label(self, entry: CatalogueEntry) -> str:
        """Return what INIT_START shows, e.g. `nodejs:22.v1`."""

    def _client_text(self, interpreter: Interpreter) -> str:
        """Return what `lambent runtimes` says of the client for an interpreter."""
        return "Lambent's own client"

    def may_start_ahead(self, variables: Mapping[str, str], package: Path, layers: LayersAt | None) -> bool:
        """
        Whether the client knows how to wait for its function, and nothing of a user's acts before it waits.

        Args:
            variables: the user's own.
            package: on the host, as `layers` are. Libraries of the system's that either has are none of its business.
        """
        return False

    def _version(self, entry: CatalogueEntry) -> str:
        """Return the version of an identifier as precisely as the language counts: `22` of nodejs22.x."""
        return entry.version

    def _version_of(self, interpreter: Interpreter) -> str:
        """Return the version of an interpreter, as precisely: `22`."""
        return str(interpreter.version[0])

    def _may_stand_in(self, interpreter: Interpreter) -> bool:
        """Whether the client runs on an interpreter of whichever version."""
        return True

    # -- Runtimes -----------------------------------------------------------------------------------------------

    async def prepare(self, runtime: str) -> None:
        """Find the interpreter and make the client. See `Runtimes.prepare`."""
        await self._client(await self._interpreter(runtime))

    async def command(
        self,
        runtime: str,
        handler: str,
        task_root: str,
        variables: Mapping[str, str],
        layers: LayersAt | None = None,
    ) -> RuntimeCommand:
        """Return how to start the client. See `Runtimes.command`."""
        interpreter = await self._interpreter(runtime)
        client = await self._client(interpreter)
        return await self._command(runtime, handler, interpreter, client, task_root, variables, layers)

    async def availability(self) -> list[Availability]:
        """Search this machine again, for all versions of the language."""
        found = await self._interpreters.find(fresh=True)
        return [
            self._availability_of(entry, found)
            for entry in CATALOGUE.values()
            if entry.family == self.family and entry.provider == "host"
        ]

    # -- interpreters -------------------------------------------------------------------------------------------

    async def _interpreter(self, runtime: str) -> Interpreter:
        version = self._version(CATALOGUE[runtime])
        if best := await self._interpreters.best(version):
            return best
        found = await self._interpreters.find()
        if stand_in := self._stand_in(version, found):
            _log.warning("runtimes.fallback runtime=%s uses=%s%s", runtime, self.family, stand_in.version_text)
            return stand_in
        detail, remedy = self._missing(version, found)
        raise RuntimeUnavailable(f"{runtime} cannot run on this machine: {detail}. To change that: {remedy}")

    def _stand_in(self, version: str, found: tuple[Interpreter, ...]) -> Interpreter | None:
        """Return what runs a version that is not here, where the fallback says that something may."""
        if self._fallback != "nearest":
            return None
        fitting = [one for one in found if one.is_reachable and self._may_stand_in(one)]
        nearest = nearest_version(version, map(self._version_of, fitting))
        return None if nearest is None else newest_reachable(fitting, nearest)

    def _availability_of(self, entry: CatalogueEntry, found: tuple[Interpreter, ...]) -> Availability:
        version = self._version(entry)
        best = newest_reachable(found, version) or self._stand_in(version, found)
        if best is None:
            detail, remedy = self._missing(version, found)
            return Availability(entry.runtime, False, "host", detail, remedy)
        detail = f"{self.interpreter_name} {best.version_text} at {best.path}, {self._client_text(best)}"
        if not best.is_of(version):
            detail = f"--runtime-fallback nearest, there is no {self.interpreter_name} {version}: {detail}"
        return Availability(entry.runtime, True, "host", detail)

    def _missing(self, version: str, found: tuple[Interpreter, ...]) -> tuple[str, str]:
        """Return what is missing for a version, and the command that adds it."""
        command = f"`{self._install_command(version)}`"
        closed = next((one for one in found if one.is_of(version) and not one.is_reachable), None)
        if closed is not None:
            return (
                f"{self.interpreter_name} {closed.version_text} is at {closed.path}, but {closed.obstacle}",
                f"{command}, which puts one where functions can reach it",
            )
        here = sorted({self._version_of(one) for one in found if one.is_reachable}, key=_numbers)
        return (
            f"there is no {self.interpreter_name} {version} (there is {', '.join(here) or 'none'})",
            f"{command}, or start the server with --runtime-fallback nearest",
        )

    def _install_command(self, version: str) -> str:
        """Return the command that adds an interpreter of a version, without the quotes around it."""
        entries = [entry for entry in CATALOGUE.values() if entry.family == self.family and entry.provider == "host"]
        runtime = next(entry.runtime for entry in entries if self._version(entry) == version)
        return f"lambent runtimes install {runtime} --runtimes-dir {self._runtimes_dir}"

    def _refuse_closed(self, client: Path, entry: str) -> None:
        """
        Say so where functions cannot read a client.

        Raises:
            RuntimeUnavailable: its folder is closed to them.
        """
        if not self._has_own_root and (closed := self._user.closed_at(client / entry)):
            raise RuntimeUnavailable(
                f"the client of {self.interpreter_name} is at {client}, but {closed} is closed to user "
                f"{self._user.name}. To change that: `chmod o+x {closed}`, or another --runtimes-dir"
            )


def path_inside(interpreter: Interpreter) -> tuple[Path, tuple[tuple[str, str], ...]]:
    """Return where environments with a root of their own see an interpreter, and the folders to mount for it."""
    if interpreter.is_in_usr:
        return interpreter.path, ()
    # Found again there: languages look for their library from where the executable lies.
    path = Path(LANGUAGE_DIR) / interpreter.path.relative_to(interpreter.prefix)
    return path, ((LANGUAGE_DIR, str(interpreter.prefix)),)


def nearest_version(wanted: str, available: Iterable[str]) -> str | None:
    """Return the version of `available` that is nearest to `wanted`, the newer of two that are as near."""

    def number(version: str) -> int:
        # A new first number is further away than any second one.
        return sum(part * weight for part, weight in zip(_numbers(version), (1000, 1), strict=False))

    return min(available, key=lambda one: (abs(number(one) - number(wanted)), -number(one)), default=None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
