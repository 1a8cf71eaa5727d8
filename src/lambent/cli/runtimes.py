"""`lambent runtimes`: which runtimes this machine can run, probed now."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lambent.cli.setting_options import settings_from, with_settings
from lambent.cli.terminal import AsJson, print_json, print_table
from lambent.settings import Settings

if TYPE_CHECKING:
    from lambent.runtimes.contract import Availability
    from lambent.runtimes.registry import HostRuntimes

RUNTIME_SETTINGS = ("data_dir", "runtimes_dir", "function_user", "runtime_fallback")


@with_settings("sandbox", *RUNTIME_SETTINGS)
def runtimes(context: typer.Context, json: AsJson = False, **given: Any) -> None:
    """
    List the runtimes, which of them can run here, and what adds the others.

    It looks at this machine, not at a server: both agree where the settings do. `lambent runtimes install` adds one.
    """
    if context.invoked_subcommand is not None:
        return
    from lambent.runtimes.catalogue import CATALOGUE

    found = probe(settings_from(given))
    deprecated = {entry.runtime: CATALOGUE[entry.runtime].deprecated for entry in found}
    if json:
        print_json(
            [
                {
                    "runtime": entry.runtime,
                    "available": entry.available,
                    "provider": entry.provider,
                    "detail": entry.detail,
                    "remedy": entry.remedy,
                    "deprecated": deprecated[entry.runtime],
                }
                for entry in found
            ]
        )
        return
    offered = [entry for entry in found if entry.available or entry.remedy]
    rows = [
        (
            entry.runtime,
            "yes" if entry.available else "no",
            str(deprecated[entry.runtime] or ""),
            entry.detail if entry.available else f"{entry.detail}\n  -> {entry.remedy}",
        )
        for entry in offered
    ]
    print_table(("runtime", "here", "deprecated", "with what, or what is missing and what adds it"), rows)
    others = [entry.runtime for entry in found if entry not in offered]
    if others:
        print(f"Not offered by this version: {', '.join(others)}")


def probe(settings: Settings) -> Sequence["Availability"]:
    """Probe this machine for every runtime of the catalogue, as the server would with these settings."""
    import asyncio

    return asyncio.run(host_runtimes(settings, settings.api.runtime_fallback).availability())


def host_runtimes(settings: Settings, fallback: str) -> "HostRuntimes":
    """Return the runtimes of this machine as a server with these settings has them."""
    from lambent.clock import SystemClock
    from lambent.runtimes.registry import HostRuntimes
    from lambent.sandbox.probe import choose, gather

    driver = settings.sandbox.sandbox
    if driver == "auto":
        driver = choose(gather()).driver
    return HostRuntimes(
        runtimes_dir(settings),
        settings.sandbox.function_user,
        fallback,
        SystemClock(),
        # Every driver but one mounts an interpreter where functions see it.
        has_own_root=driver != "process",
    )


def runtimes_dir(settings: Settings) -> Path:
    """Return the folder of what is installed for runtimes."""
    return settings.data.runtimes_dir or settings.data.data_dir / "runtimes"
