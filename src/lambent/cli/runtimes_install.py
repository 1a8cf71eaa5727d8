"""`lambent runtimes install`: adds runtimes to this machine, each whole or not at all."""

import importlib.util
import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambent.cli.failure import CommandFailed
from lambent.cli.runtimes import host_runtimes, runtimes_dir
from lambent.cli.setting_options import settings_from, with_settings
from lambent.settings import Settings

if TYPE_CHECKING:
    import asyncio

    from lambent.cli.build_tool import Builder
    from lambent.runtimes.additions import Addition, Machine
    from lambent.runtimes.contract import Availability


@with_settings("sandbox", "data_dir", "runtimes_dir", "function_user")
def install(
    runtimes: Annotated[list[str], typer.Argument(metavar="RUNTIME", help="E.g. nodejs22.x python3.13.")],
    verbose: Annotated[bool, typer.Option("--verbose", metavar="", help="Show what the installers print.")] = False,
    **given: Any,
) -> None:
    """
    Add runtimes to this machine.

    Each by what this machine has: npm, uv, pip, or Debian's packages where this is root. `aws-sdk-js` adds the modules
    of the AWS SDK that Node.js functions use most, which they then find without packaging them. What is there already
    stays as it is.

    A server that runs finds all this by itself; a function that failed for want of a runtime starts over with its next
    update, or when it is deployed again.
    """
    import asyncio

    from lambent.cli.build_tool import Builder
    from lambent.clock import SystemClock
    from lambent.runtimes.additions import SDK
    from lambent.runtimes.catalogue import CATALOGUE

    if unknown := [runtime for runtime in runtimes if runtime not in CATALOGUE and runtime != SDK]:
        raise CommandFailed(f"{unknown[0]} is not a runtime of Lambda; see `lambent runtimes`", exit_code=2)
    builder = Builder(SystemClock(), verbose, command="runtimes", undone="nothing has been installed")
    failures = []
    with asyncio.Runner() as runner:
        installing = _Installing(settings_from(given), builder, runner)
        for runtime in dict.fromkeys(runtimes):
            try:
                if runtime == SDK:
                    installing.install_sdk()
                else:
                    installing.install(runtime)
            except CommandFailed as error:
                failures.append(f"{runtime}: {error}")
    if failures:
        raise CommandFailed("\nlambent: ".join(failures))


class _Installing:
    """One run of the command."""

    def __init__(self, settings: Settings, builder: "Builder", runner: "asyncio.Runner") -> None:
        self._folder = runtimes_dir(settings).absolute()
        # What stands in for a version is not the version.
        self._host = host_runtimes(settings, fallback="none")
        self._builder = builder
        self._runner = runner

    def install(self, runtime: str) -> None:
        """
        Make a runtime available, its client included.

        Raises:
            CommandFailed: it is not, and why.
        """
        found = self._find(runtime)
        if found.provider == "none":
            raise CommandFailed(found.detail)
        if found.provider == "provided":
            self._builder.say(f"{runtime}: nothing to install, {found.detail}")
            return
        is_new = not found.available
        if is_new:
            self._add(runtime)
            found = self._find(runtime)
            if not found.available:
                # E.g. below a home that is closed to the functions' user.
                raise CommandFailed(f"installed, but functions cannot have it: {found.detail}")
        self._prepare(runtime)
        self._builder.say(f"{runtime}: {'installed' if is_new else 'already there'}, {self._find(runtime).detail}")

    def install_sdk(self) -> None:
        """
        Make the AWS SDK for JavaScript available to Node.js functions.

        Raises:
            CommandFailed: it is not, and why.
        """
        from lambent.runtimes.additions import SDK, sdk_addition, sdk_folder

        folder = sdk_folder(self._folder)
        is_new = not folder.exists()
        if is_new:
            self._follow(sdk_addition(self._machine(), self._folder))
        self._builder.say(f"{SDK}: {'installed' if is_new else 'already there'}, in {folder}")

    def _find(self, runtime: str) -> "Availability":
        """Look at the machine, now."""
        listed = self._runner.run(self._host.availability())
        return next(entry for entry in listed if entry.runtime == runtime)

    def _prepare(self, runtime: str) -> None:
        """Do what the server would for a runtime's first function, so that it need not."""
        from lambent.runtimes.contract import RuntimeUnavailable

        try:
            self._runner.run(self._host.prepare(runtime))
        except RuntimeUnavailable as error:
            raise CommandFailed(str(error)) from error

    def _add(self, runtime: str) -> None:
        """Run the command that adds the interpreter."""
        from lambent.runtimes.additions import addition
        from lambent.runtimes.catalogue import CATALOGUE

        self._follow(addition(CATALOGUE[runtime], self._machine(), self._folder))

    def _machine(self) -> "Machine":
        from lambent.runtimes.additions import Machine

        return Machine(
            system=platform.system(),
            architecture=platform.machine(),
            is_root=os.geteuid() == 0,
            has=self._builder.has,
            pip=(sys.executable, "-m", "pip") if importlib.util.find_spec("pip") else (),
            candidate=self._debian_candidate,
        )

    def _follow(self, way: "Addition | str") -> None:
        if isinstance(way, str):
            raise CommandFailed(f"this machine has nothing to install it with: {way}")
        if way.folder is None:
            self._run(way, Path("/"))
        else:
            self._add_folder(way, way.folder)

    def _add_folder(self, way: "Addition", folder: Path) -> None:
        """Let a command fill a folder, which gets its name when what is in it works."""
        from lambent.runtimes.managed import finish_client_folder, new_client_folder

        if self._works(folder, way):
            # Found, and still functions cannot run it: whoever prepares it says why.
            return
        try:
            unfinished = new_client_folder(self._folder, self._builder.clock)
        except OSError as error:
            raise CommandFailed(f"no folder in {self._folder}: {error.strerror}; choose --runtimes-dir") from error
        try:
            self._run(way, unfinished)
            if not self._works(unfinished, way):
                raise CommandFailed(f"what `{way.shown}` brought does not run on this machine")
            if not self._works(folder, way):
                # Of an installation by hand that was interrupted.
                shutil.rmtree(folder, ignore_errors=True)
            # Another of these commands may have been quicker.
            finish_client_folder(unfinished, folder, str(way.entry))
        except OSError as error:
            raise CommandFailed(f"{folder}: {error.strerror}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _run(self, way: "Addition", folder: Path) -> None:
        from lambent.cli.build_tool import Tool

        program, *arguments = way.command
        tool = Tool(program, f"install {program}")
        self._builder.run(tool, *arguments, folder=folder, shown=way.shown, variables=dict(way.variables))

    def _works(self, folder: Path, way: "Addition") -> bool:
        entry = folder / way.entry
        if not way.is_program:
            return entry.exists()
        return entry.is_file() and self._builder.ask(str(entry), "--version", folder=folder) is not None

    def _debian_candidate(self, package: str) -> str | None:
        """Return the version of a Debian package that apt would install."""
        # Its words are read, so they have to be English.
        policy = self._builder.ask("env", "LC_ALL=C", "apt-cache", "policy", package, folder=Path("/")) or ""
        found = re.search(r"^  Candidate: (\d\S*)$", policy, re.MULTILINE)
        return found[1] if found else None
