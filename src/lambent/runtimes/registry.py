"""All runtimes of the catalogue, each with the provider that can start it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lambent.clock import Clock
from lambent.function_user import find_function_user
from lambent.runtimes.ahead import brings_libraries, started_ahead
from lambent.runtimes.catalogue import CATALOGUE
from lambent.runtimes.contract import Availability, LayersAt, RuntimeCommand, RuntimeUnavailable
from lambent.runtimes.dotnet import DotnetRuntimes
from lambent.runtimes.go import GoRuntimes
from lambent.runtimes.java import JavaRuntimes
from lambent.runtimes.language import LanguageRuntimes
from lambent.runtimes.nodejs import NodejsRuntimes
from lambent.runtimes.provided import ProvidedRuntimes
from lambent.runtimes.python import PythonRuntimes
from lambent.runtimes.ruby import RubyRuntimes

_NOT_OFFERED = "not offered by this version of Lambent"
_REASONS = {"java": "not offered: Java 17 or newer"}
"""By family: why those that are not offered are not, where there is more to say."""


class HostRuntimes:
    """
    The runtimes that this machine can run by itself; implements `runtimes.contract.Runtimes`.

    Args:
        runtimes_dir: where clients are installed; made when it is missing.
        function_user: who functions run as when the server is root.
        fallback: `none` or `nearest`, the setting `--runtime-fallback`.
        clock: tells how old an answer is.
        has_own_root: whether environments see Lambda's paths, where `RuntimeCommand.folders` are mounted, and not the
            machine's.
        preload: modules that zygotes load beside the client.

    Raises:
        SettingsError: the server is root and there is no such user.
    """

    def __init__(
        self,
        runtimes_dir: Path,
        function_user: str,
        fallback: str,
        clock: Clock,
        *,
        has_own_root: bool = False,
        preload: tuple[str, ...] = (),
    ) -> None:
        self._has_own_root = has_own_root
        user = find_function_user(function_user)
        self._hosts: dict[str, LanguageRuntimes] = {
            "python": PythonRuntimes(runtimes_dir, user, fallback, clock, has_own_root=has_own_root, preload=preload),
            "nodejs": NodejsRuntimes(runtimes_dir, user, fallback, clock, has_own_root=has_own_root),
            "java": JavaRuntimes(runtimes_dir, user, fallback, clock, has_own_root=has_own_root),
            "dotnet": DotnetRuntimes(runtimes_dir, user, fallback, clock, has_own_root=has_own_root),
            "ruby": RubyRuntimes(runtimes_dir, user, fallback, clock, has_own_root=has_own_root),
        }
        """By family: who finds an interpreter on this machine."""
        self._provided = ProvidedRuntimes()
        self._go = GoRuntimes()

    def is_known(self, runtime: str) -> bool:
        return runtime in CATALOGUE

    def identifiers(self) -> Sequence[str]:
        return list(CATALOGUE)

    def is_offered(self, runtime: str) -> bool:
        return self.is_known(runtime) and CATALOGUE[runtime].provider != "none"

    async def prepare(self, runtime: str) -> None:
        if self._provider(runtime) == "host":
            await self._hosts[CATALOGUE[runtime].family].prepare(runtime)

    async def command(
        self,
        runtime: str,
        handler: str,
        package: Path,
        task_root: str,
        variables: Mapping[str, str],
        layers: LayersAt | None = None,
        *,
        memory_mib: int,
    ) -> RuntimeCommand:
        provider, family = self._provider(runtime), CATALOGUE[runtime].family
        if provider == "host":
            host = self._hosts[family]
            command = await host.command(runtime, handler, task_root, variables, layers)
            if not self._has_own_root or not host.may_start_ahead(variables, package, layers):
                return command
            if brings_libraries(package, layers):
                return command
            ahead = started_ahead(command, memory_mib if host.starts_with_memory else None)
            return msgspec.structs.replace(command, ahead=ahead)
        if family == "go":
            return await self._go.command(runtime, handler, package, task_root, layers)
        return self._provided.command(package, task_root, layers)

    def version_label(self, runtime: str) -> str:
        entry = CATALOGUE[runtime]
        if entry.provider == "host":
            return self._hosts[entry.family].version_label(entry)
        if entry.family == "go":
            return self._go.version_label(entry)
        return self._provided.version_label(entry)

    async def availability(self) -> Sequence[Availability]:
        found = {row.runtime: row for host in self._hosts.values() for row in await host.availability()}
        return [found.get(runtime) or self._other(runtime) for runtime in CATALOGUE]

    def _other(self, runtime: str) -> Availability:
        provider = CATALOGUE[runtime].provider
        if provider == "provided":
            name = "that the handler names" if CATALOGUE[runtime].family == "go" else "named bootstrap"
            return Availability(runtime, True, provider, f"the package brings an executable {name}")
        return Availability(runtime, False, provider, _REASONS.get(CATALOGUE[runtime].family, _NOT_OFFERED))

    def _provider(self, runtime: str) -> str:
        """Return who starts a runtime: `host` or `provided`."""
        entry = CATALOGUE.get(runtime)
        if entry is None:
            raise RuntimeUnavailable(f"{runtime} is not a runtime of Lambda")
        if entry.provider == "none":
            reason = _REASONS.get(entry.family, _NOT_OFFERED)
            raise RuntimeUnavailable(f"{runtime} is {reason}; see `lambent runtimes`")
        return entry.provider
