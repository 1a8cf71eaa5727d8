"""
The `rootless` driver: the walls of `namespace` that an ordinary user can raise.

The spawner is root in a user namespace only. Missing against `namespace`, since they are not an ordinary user's to
give: a user for each environment, control groups (memory is sampled, the processor is not shared out, freezing is by
signals), a /tmp on disk, and a way to the internet.
"""

import contextlib
import signal
from pathlib import Path

from lambent.clock import Clock
from lambent.sandbox.contract import DriverSettings, Environment
from lambent.sandbox.memory_watch import MemoryUse, MemoryWatch
from lambent.sandbox.namespace import Group, NamespaceEnvironment, NamespaceSandbox
from lambent.sandbox.process_table import leader_peak_kib, pid_of
from lambent.sandbox.walls import Wall

_INSIDE_ID = 993
"""Observed: the number of sbx_user1051 in functions on AWS. Every environment's own user namespace maps it."""

_UNLIMITED_KIB = 1 << 40


class SignalledGroup:
    """What a user namespace offers in the place of a control group: signals to its first process."""

    def __init__(self) -> None:
        self.process: int | None = None
        self.memory = MemoryUse(_UNLIMITED_KIB, 0)
        self.is_over_limit = False

    def began(self, process: int) -> None:
        """Take note of the first process, of which the sampler wants the number on this machine."""
        self.process = process
        self.memory.leader = pid_of(process) or 0

    def set_memory(self, memory_mib: int) -> None:
        self.memory.limit_kib = memory_mib * 1024

    def set_cpu(self, memory_mib: int | None) -> None:
        """Nothing: see the module's docstring."""

    def freeze(self) -> None:
        self._signal(signal.SIGUSR1)

    def thaw(self) -> None:
        self._signal(signal.SIGUSR2)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.process, number)

    def cpu_us(self) -> int:
        return 0

    def memory_peak_bytes(self) -> int:
        if self.memory.leader:
            self.memory.peak_kib = max(self.memory.peak_kib, leader_peak_kib(self.memory.leader) or 0)
        return min(self.memory.peak_kib, self.memory.limit_kib) * 1024

    def oom_kills(self) -> int:
        return int(self.is_over_limit)

    def oom_event(self) -> None:
        """Nothing to wait for: the sampler ends the whole environment."""

    def close(self) -> None:
        self.process = None


class RootlessSandbox(NamespaceSandbox):
    """The driver named `rootless`. Arguments and errors as of `NamespaceSandbox`."""

    name = "rootless"
    holds = frozenset(Wall) - {Wall.FORK_BOMB, Wall.MEMORY, Wall.PROCESSOR, Wall.TMP_SPACE}
    is_privileged = False

    def __init__(self, settings: DriverSettings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self._setup["uid_base"] = _INSIDE_ID
        self._watch: MemoryWatch | None = None
        self._by_memory: dict[MemoryUse, NamespaceEnvironment] = {}

    def _group(self, descriptors: list[int]) -> Group:
        assert not descriptors, "a rootless spawner has no control groups"
        return SignalledGroup()

    def _process_known(self, environment: NamespaceEnvironment) -> None:
        assert environment.process is not None
        group = _group_of(environment)
        group.began(environment.process)
        self._by_memory[group.memory] = environment
        if self._watch is None:
            self._watch = MemoryWatch(self._clock, self._end_over_limit, environment.loop.call_soon_threadsafe)

    async def _code(self, own: NamespaceEnvironment, package: Path) -> list[int]:
        # An ordinary user may not mount; the spawner may, in its own namespace.
        link = await self._link()
        return await link.ask({"op": "code", "id": own.id, "folder": str(package)})

    async def _directory(self, own: NamespaceEnvironment, directory: str) -> list[int]:
        link = await self._link()
        return await link.ask({"op": "directory", "id": own.id, "folder": directory})

    def watch(self, environment: Environment, busy: bool) -> None:
        if self._watch is not None:
            memory = _group_of(environment).memory
            (self._watch.begin if busy else self._watch.end)(memory)

    def _end_over_limit(self, memory: MemoryUse) -> None:
        environment = self._by_memory.get(memory)
        if environment is not None and not environment.is_killed:
            _group_of(environment).is_over_limit = True
            environment.group.kill()

    def release(self, environment: Environment) -> None:
        memory = _group_of(environment).memory
        if self._watch is not None:
            self._watch.end(memory)
        self._by_memory.pop(memory, None)
        super().release(environment)

    async def close(self) -> None:
        await super().close()
        if self._watch is not None:
            self._watch.close()


def _group_of(environment: Environment) -> SignalledGroup:
    assert isinstance(environment, NamespaceEnvironment) and isinstance(environment.group, SignalledGroup)
    return environment.group
