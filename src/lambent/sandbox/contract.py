"""
What a sandbox driver promises. `lambent.testing.conformance.sandbox` runs on every driver.

The life of one environment: `park` makes everything that needs no customer data; `assign`, once, gives
it the code and starts the runtime; `freeze` and `thaw` alternate between invocations; `terminate` asks it to end,
and `kill` ends it.
An environment is assigned once and never shared between owners.

`walls.py` lists the attacks that a driver may declare to hold off; `lambent.testing.conformance.walls` tries them.
"""

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from lambent.sandbox.walls import Wall


class DriverSettings(msgspec.Struct, frozen=True):
    """What every driver is constructed with, beside the clock; each takes what it uses."""

    run_folder: Path
    """Where the driver keeps what it needs at run time; one server at a time uses it."""
    function_user: str = "nobody"
    """Who functions run as where there is no user for each environment and the server is root."""
    egress: str = "auto"
    """`nat`, `none`, or `auto`: nat where the machine can do it."""
    allow_host: tuple[int, ...] = ()
    """Ports of this machine that functions may reach."""
    allow_net: tuple[str, ...] = ()
    """Private IPv4 networks that functions may reach."""


class Zygote(msgspec.Struct, frozen=True):
    """
    A process with a runtime loaded and no customer code, from which the processes of environments are forked.

    Only for an interpreter that nobody but the server's user can have changed: it runs before privileges drop.
    """

    argv: tuple[str, ...]
    """The runtime's command, as `Assignment.argv` has it: what /proc/self/cmdline shows in either case."""
    environ: tuple[tuple[str, str], ...]
    """What acts when an interpreter starts, e.g. LD_LIBRARY_PATH and LANG."""
    preload: tuple[str, ...] = ()
    """Further modules to load, e.g. `boto3`."""


class Ahead(msgspec.Struct, frozen=True):
    """
    A runtime's command that is started while an environment is parked, without privileges, and waits for its function.

    It finds a socket at the descriptor that its variable LAMBENT_AHEAD names. It writes one byte, `R`, when it is
    ready, and reads up to the end of the stream: nothing when it is not needed, else a JSON object with
    `working_directory` and `environ`, as `Assignment` has them. It then goes on as if it had been executed with these.
    """

    argv: tuple[str, ...]
    environ: tuple[tuple[str, str], ...]
    """What acts when an interpreter starts, e.g. LD_LIBRARY_PATH and LANG."""


class ParkedKind(msgspec.Struct, frozen=True):
    """All that is known of an environment before its function is. Parked environments of one kind are alike."""

    owner: str = ""
    """Account and region. Environments of different owners never share a zygote."""
    folders: tuple[tuple[str, str], ...] = ()
    """The runtime's folders, read-only: path inside, path on the host. For drivers with a root of their own."""
    zygote: Zygote | None = None
    """None: the runtime is started by exec."""
    ahead: Ahead | None = None
    """What runs already in a parked environment, where the driver parks ahead of need; a zygote has no part in it."""
    egress: bool = True
    """Whether the environment may reach the internet, where the driver offers it."""


class Assignment(msgspec.Struct, frozen=True):
    """What a parked environment is to become."""

    argv: Sequence[str]
    """The runtime's command; argv[0] is an absolute path. Where the kind has an `ahead`, that command runs already."""
    environ: Mapping[str, str]
    """The complete environment of the process, nothing is inherited."""
    working_directory: str
    package: Path
    """The unpacked deployment package on the host, read-only."""
    memory_mib: int
    tmp_mib: int = 512
    """The size of /tmp, EphemeralStorage."""
    in_zygote: bool = False
    """Run the runtime that the zygote has loaded; else start `argv` by exec, which any parked kind can do."""
    layers: Path | None = None
    """The merged layers on the host, read-only; None without any."""
    file_systems: tuple[tuple[str, str], ...] = ()
    """Directories of the host that may be written to: path inside, `/mnt/<name>`, and path on the host."""


class Exit(msgspec.Struct, frozen=True):
    """How an environment ended: by itself with a status, or by a signal."""

    status: int | None = None
    signal: int | None = None
    out_of_memory: bool = False
    """Whether it was ended for using more memory than it was given."""
    is_lost: bool = False
    """Whether the sandbox failed, and not the function: the spawner ended, say."""


class Stats(msgspec.Struct, frozen=True):
    """What an environment has used."""

    memory_peak_mib: int
    cpu_us: int = 0
    """Processor time of all its processes so far, in microseconds; 0 where the driver cannot tell."""


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
    def gateway_listener(self) -> socket.socket | None:
        """
        A listening socket at 127.0.0.1:4566 inside, by which only this environment reaches the gateway. None: it
        shares the host's network and reaches the gateway as anyone does. The driver closes it on kill.
        """
        ...

    @property
    def trace_port(self) -> socket.socket | None:
        """
        A non-blocking datagram socket that this environment's functions send their traces to. None: it has none. The
        driver closes it on release.
        """
        ...

    @property
    def trace_address(self) -> str:
        """`host:port` of that socket as seen from inside; empty without one."""
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

    @property
    def holds(self) -> frozenset[Wall]:
        """The attacks that this driver holds off."""
        ...

    @property
    def has_own_root(self) -> bool:
        """
        Whether environments have a file system of their own, laid out as Lambda's: /var/task, /var/runtime, /var/lang.
        Else they see the host's paths.
        """
        ...

    @property
    def parks_ahead(self) -> bool:
        """Whether parking costs enough to be done before it is needed."""
        ...

    @property
    def freeze_after_s(self) -> float:
        """How long an environment should be idle before it is frozen: what freezing costs is not paid between calls."""
        ...

    def task_root(self, package: Path) -> str:
        """Return the path under which the functions of this driver see the package, LAMBDA_TASK_ROOT."""
        ...

    def layers_root(self, layers: Path) -> str:
        """Return the path under which they see merged layers: `/opt` where the driver has a root of its own."""
        ...

    async def park(self, kind: ParkedKind) -> Environment:
        """
        Make an environment without customer data; return once it can be assigned without delay.

        Whoever is cancelled meanwhile leaves nothing behind.

        Raises:
            DependencyError: the host cannot provide one now.
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

    def terminate(self, environment: Environment) -> None:
        """
        Ask the runtime to end: SIGTERM for its process, and for no other, once it is thawed. Returns at once; `wait`
        tells whether and how it ended. One that is parked, killed or dead is left alone.
        """
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

    def end_init(self, environment: Environment) -> None:
        """Say that init is over: from here on the processor share follows MemorySize. Idempotent; cheap."""
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
