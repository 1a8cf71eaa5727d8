"""What a runtime provider promises."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec


class RuntimeUnavailable(Exception):
    """This machine cannot run the runtime. The message says why and holds the command that changes it."""


class InvalidEntrypoint(Exception):
    """The package has nothing to start. The message is AWS's, e.g. `Couldn't find valid bootstrap(s): [...]`."""


class Zygote(msgspec.Struct, frozen=True):
    """A process with a runtime loaded and no customer code, for sandboxes that fork environments from one."""

    argv: tuple[str, ...]
    """The runtime's command, as `RuntimeCommand.argv` has it."""
    environ: tuple[tuple[str, str], ...]
    """What acts when an interpreter starts, e.g. LD_LIBRARY_PATH and LANG."""
    preload: tuple[str, ...] = ()
    """Further modules to load, e.g. `boto3`."""


class Ahead(msgspec.Struct, frozen=True):
    """A runtime's command that may be started before its function is known, see `sandbox.contract.Ahead`."""

    argv: tuple[str, ...]
    """The runtime's command, as `RuntimeCommand.argv` has it."""
    environ: tuple[tuple[str, str], ...]
    """What acts when an interpreter starts, e.g. LD_LIBRARY_PATH and LANG."""


class RuntimeCommand(msgspec.Struct, frozen=True):
    """How to start a runtime for one package."""

    argv: Sequence[str]
    environ: Mapping[str, str]
    """The runtime's own variables: PATH, PYTHONPATH and the like. A user's variables win over them."""
    reserved: Mapping[str, str]
    """Variables that win over the user's, e.g. AWS_EXECUTION_ENV, LAMBDA_RUNTIME_DIR."""
    folders: tuple[tuple[str, str], ...] = ()
    """The runtime's folders for sandboxes with a root of their own, read-only: path inside, path on the host."""
    zygote: Zygote | None = None
    """From what the runtime can be forked; None where it can only be started by exec."""
    in_zygote: bool = False
    """Whether this function may run in a fork of the zygote: False when its variables act at interpreter start."""
    ahead: Ahead | None = None
    """What may be started before the function is known; None when its variables or files act at interpreter start."""


class LayersAt(msgspec.Struct, frozen=True):
    """The merged layers of a function."""

    folder: Path
    """On the host."""
    root: str
    """Where the function sees them: `/opt`, but for sandboxes without a root of their own."""


class Availability(msgspec.Struct, frozen=True):
    """Whether and how one runtime id can run here."""

    runtime: str
    available: bool
    provider: str
    """`host` or `provided`."""
    detail: str
    """Interpreter and version when available, else what is missing."""
    remedy: str = ""
    """The command that adds it."""


class Runtimes(Protocol):
    """All runtimes of the catalogue."""

    def is_known(self, runtime: str) -> bool:
        """Whether the catalogue has this identifier."""
        ...

    def identifiers(self) -> Sequence[str]:
        """Return every identifier of the catalogue."""
        ...

    def is_offered(self, runtime: str) -> bool:
        """Whether this version of Lambent can run the runtime where the machine has what it needs."""
        ...

    async def prepare(self, runtime: str) -> None:
        """
        Make a runtime ready: find its interpreter, install its client. Cheap when it is ready already;
        concurrent calls for one runtime do it once.

        Raises:
            RuntimeUnavailable: this machine cannot run it.
        """
        ...

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
        """
        Return how to start `runtime` for the package at `package`, which the function sees at `task_root`.

        Args:
            variables: the user's own variables: AWS_LAMBDA_EXEC_WRAPPER among them changes the command.
            memory_mib: MemorySize, of which some interpreters want to be told.

        Raises:
            RuntimeUnavailable: not prepared, and cannot be.
            InvalidEntrypoint: the package lacks what the runtime starts.
        """
        ...

    def version_label(self, runtime: str) -> str:
        """Return what INIT_START shows, e.g. `python:3.13.v60` has `python:3.13` and our client's version."""
        ...

    async def availability(self) -> Sequence[Availability]:
        """Probe the machine for every runtime of the catalogue."""
        ...
