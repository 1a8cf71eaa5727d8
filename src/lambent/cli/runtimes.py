"""`lambent runtimes`: which runtimes this machine can run, probed now."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lambent.cli.setting_options import settings_from, with_settings
from lambent.cli.terminal import AsJson, print_json, print_table
from lambent.settings import Settings

if TYPE_CHECKING:
    from lambent.runtimes.contract import Availability

RUNTIME_SETTINGS = ("data_dir", "runtimes_dir", "function_user", "runtime_fallback")


@with_settings("sandbox", *RUNTIME_SETTINGS)
def runtimes(json: AsJson = False, **given: Any) -> None:
    """
    List the runtimes, which of them can run here, and what adds the others.

    It looks at this machine, not at a server: both agree where the settings do.
    """
    found = probe(settings_from(given))
    if json:
        print_json(
            [
                {
                    "runtime": entry.runtime,
                    "available": entry.available,
                    "provider": entry.provider,
                    "detail": entry.detail,
                    "remedy": entry.remedy,
                }
                for entry in found
            ]
        )
        return
    offered = [entry for entry in found if entry.available or entry.remedy]
    rows = [(entry.runtime, "yes" if entry.available else "no", _detail(entry)) for entry in offered]
    print_table(("runtime", "here", "with what, or what is missing and what adds it"), rows)
    others = [entry.runtime for entry in found if entry not in offered]
    if others:
        print(f"Not offered by this version: {', '.join(others)}")


def _detail(entry: "Availability") -> str:
    return entry.detail if entry.available else f"{entry.detail}\n  -> {entry.remedy}"


def probe(settings: Settings) -> Sequence["Availability"]:
    """Probe this machine for every runtime of the catalogue, as the server would with these settings."""
    import asyncio

    from lambent.clock import SystemClock
    from lambent.runtimes.registry import HostRuntimes
    from lambent.sandbox.probe import choose, gather

    runtimes_dir = settings.data.runtimes_dir or settings.data.data_dir / "runtimes"
    driver = settings.sandbox.sandbox
    if driver == "auto":
        driver = choose(gather()).driver
    host = HostRuntimes(
        runtimes_dir,
        settings.sandbox.function_user,
        settings.api.runtime_fallback,
        SystemClock(),
        # Every driver but one mounts an interpreter where functions see it.
        has_own_root=driver != "process",
    )
    return asyncio.run(host.availability())
