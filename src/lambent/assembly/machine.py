"""What functions run in, as this machine and its settings allow."""

import asyncio
import importlib
import logging
from pathlib import Path

from lambent.clock import Clock
from lambent.errors.families import DependencyError, SettingsError
from lambent.execution.host_memory import HostMemory
from lambent.execution.parked import ParkedPool
from lambent.sandbox import DRIVERS
from lambent.sandbox.contract import DriverSettings, Sandbox
from lambent.sandbox.probe import choose, gather
from lambent.settings import (
    SandboxSettings,
    why_not_obeyed,
)
from lambent.store.data_folder import DataFolder

_log = logging.getLogger("lambent")


def make_parked_pool(settings: SandboxSettings, sandbox: Sandbox, memory: HostMemory, clock: Clock) -> ParkedPool:
    return ParkedPool(
        sandbox,
        clock,
        budget_mib=settings.parked_memory_mib,
        spare_mib=lambda: memory.spare_mib(settings.memory_reserve_mib),
    )


def check_file_systems(settings: SandboxSettings, sandbox: Sandbox) -> dict[str, str]:
    """
    Return the directories that functions may mount, by ARN.

    Raises:
        SettingsError: one is none, or the sandbox cannot mount.
    """
    found = dict(item.split("=", 1) for item in settings.file_system)
    for directory in found.values():
        if not Path(directory).is_dir():
            raise SettingsError(f"--file-system: {directory} is not a directory")
    if found and not sandbox.has_own_root:
        raise SettingsError(f"--file-system: the sandbox {sandbox.name} cannot mount; namespace and rootless can")
    return found


async def make_sandbox(settings: SandboxSettings, folder: DataFolder, clock: Clock) -> tuple[Sandbox, str]:
    """
    Make the sandbox driver, without what an earlier server left; return it with the reason why it is this one.

    Raises:
        SettingsError: it does not work on this machine.
    """
    if settings.sandbox == "auto":
        choice = choose(await asyncio.to_thread(gather))
        name, reason = choice.driver, f"auto: {choice.why}"
    else:
        name, reason = settings.sandbox, "asked for by --sandbox"
    if unobeyed := why_not_obeyed(settings, name):
        raise SettingsError(unobeyed)
    module, _, attribute = DRIVERS[name].partition(":")
    driver = getattr(importlib.import_module(module), attribute)
    made: Sandbox = driver(
        DriverSettings(
            run_folder=folder.run,
            function_user=settings.function_user,
            egress=settings.egress,
            allow_host=tuple(int(port) for port in settings.allow_host),
            allow_net=settings.allow_net,
        ),
        clock,
    )
    try:
        leftovers = await made.end_leftovers()
    except DependencyError as error:
        raise SettingsError(f"--sandbox: {name} does not work here: {error}; `lambent doctor` says more") from error
    if leftovers:
        _log.warning("sandbox.leftovers_ended count=%d", leftovers)
    return made, reason


async def give_up(preparing: "asyncio.Task[tuple[Sandbox, str]]") -> None:
    """End what was begun and never taken over, where the start has failed elsewhere."""
    if not preparing.done():
        preparing.cancel()
        await asyncio.wait([preparing])
