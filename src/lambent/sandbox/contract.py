"""
What a sandbox driver promises. `lambent.testing.conformance.sandbox` runs on every driver.

The life of one environment: `park` makes everything that needs no customer data; `assign`, once, gives
it the code and starts the runtime; `freeze` and `thaw` alternate between invocations; `kill` ends it.
An environment is assigned once and never shared between owners.
"""

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec


class Assignment(msgspec.Struct, frozen=True):
    """What a parked environment is to become."""

    argv: Sequence[str]
    """The runtime's command; argv[0] is an absolute path."""
    environ: Mapping[str, str]
    """The complete environment of the process, nothing is inherited."""
    working_directory: str
    package: Path
    """The unpacked deployment package on the host, read-only."""
    memory_mib: int


class Exit(msgspec.Struct, frozen=True):
    """How an environment ended: by itself with a status, or by a signal."""

    status: int | None = None
    signal: int | None = None
    out_of_memory: bool = False
    """Whether it was ended for using more memory than it was given."""


class Stats(msgspec.Struct, frozen=True):
    """What an environment has used."""

    memory_peak_mib: int


class SandboxStartError(Exception):
    """
    The runtime could not be started. The message is the operating system's word on it, in AWS's form,
    e.g. `fork/exec /var/task/bootstrap: permission denied`.
    """


class Environment(Protocol):
    """The handle of one parked or running environment."""

    @property
    def id(self) -> str:
        """32 hexadecimal digits."""
        ...

    @property
    def runtime_listener(self) -> socket.socket:
        """A listening TCP socket that only this environment reaches. The driver closes it on kill."""
        ...

    @property
    def runtime_api_address(self) -> str:
        """`host:port` of that listener as seen from inside."""
        ...

    @property
    def output(self) -> int:
        """
        Read end, non-blocking, of the pipe that stdout, stderr and the telemetry log descriptor share.
        The driver closes it on release.
        """
        ...


class Sandbox(Protocol):
    """One driver. All methods are called on the event loop."""

    @property
    def name(self) -> str:
        """The driver's name as in `--sandbox`."""
        ...

    def task_root(self, package: Path) -> str:
        """Return the path under which the functions of this driver see the package, LAMBDA_TASK_ROOT."""
        ...

    def runtime_path(self, host_path: Path) -> str:
        """Return the path under which an environment sees a runtime's file or folder of the host."""
        ...

    async def park(self) -> Environment:
        """
        Make an environment without customer data.

        Raises:
            DependencyError: the host cannot provide one.
        """
        ...

    async def assign(self, environment: Environment, assignment: Assignment) -> None:
        """
        Start the runtime. Called once per environment; when it raises, the environment is only good for `kill`.

        Before the customer's code runs, the environment has been written down, so that the next start of
        the server finds and ends what a crash left behind.

        Raises:
            SandboxStartError: the command cannot be executed.
            DependencyError: the host has no process to give, or no room to write the environment down.
        """
        ...

    def freeze(self, environment: Environment) -> None:
        """Stop all its processes from running. Repeating it, or freezing a dead one, does nothing."""
        ...

    def thaw(self, environment: Environment) -> None:
        """Let it run again. Repeating it, or thawing a dead one, does nothing."""
        ...

    def kill(self, environment: Environment) -> None:
        """End all its processes, frozen or not, and close its listener. Idempotent; `wait` tells when it is over."""
        ...

    async def wait(self, environment: Environment) -> Exit:
        """
        Return once the runtime's process has ended and been reaped, and nothing of its group is left.
        May be called several times, before or after the end; cancelling it changes nothing.
        """
        ...

    def stats(self, environment: Environment) -> Stats:
        """Return what it has used so far, including after its end. Cheap: a few reads at most."""
        ...

    def watch(self, environment: Environment, busy: bool) -> None:
        """Say whether an invocation runs; memory is enforced while one does. Cheap."""
        ...

    def release(self, environment: Environment) -> None:
        """Close what is left of a dead environment, its output pipe included. Idempotent."""
        ...

    async def end_leftovers(self) -> int:
        """End environments that an earlier server left behind; return how many. Called once, before any `park`."""
        ...

    async def close(self) -> None:
        """Kill every environment and give back what the driver holds."""
        ...
