"""
What every sandbox driver has to show. Subclass `SandboxConformance`, name the driver, and let pytest collect it.

Functions are shell scripts here, so that the suite needs no runtime. Real processes; a test takes milliseconds.
"""

import asyncio
import contextlib
import json
import os
import re
import resource
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from lambent.clock import SystemClock
from lambent.errors.families import DependencyError
from lambent.sandbox.contract import (
    Ahead,
    Assignment,
    DriverSettings,
    Environment,
    Exit,
    ParkedKind,
    Sandbox,
    SandboxStartError,
)
from lambent.sandbox.process_table import HAS_PROC, process_entry

_T = TypeVar("_T")

PATIENCE_S = 120.0
"""How long a test waits for something that must happen. Only a failure ever takes that long."""

_SHELL_ADDS = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
"""Documented: Lambda's own start script leaves some of these behind as well."""

_SERVER_TO_BE_KILLED = """
import asyncio, sys
from pathlib import Path
from lambent.sandbox.contract import Assignment, ParkedKind
from lambent.testing.conformance.sandbox import driver_from_path, read_line

async def serve(driver_path, run_folder, script):
    driver = driver_from_path(driver_path, Path(run_folder))
    environment = await driver.park(ParkedKind())
    package = Path(script).parent
    await driver.assign(environment, Assignment(
        argv=[f"{driver.task_root(package)}/{Path(script).name}"],
        environ={"AWS_LAMBDA_RUNTIME_API": environment.runtime_api_address, "PATH": "/usr/bin:/bin"},
        working_directory="/",
        package=package,
        memory_mib=128,
    ))
    print(await read_line(environment, "up"), flush=True)
    await asyncio.sleep(3600)

asyncio.run(serve(*sys.argv[1:]))
"""


def driver_from_path(driver_path: str, run_folder: Path) -> Sandbox:
    """Construct a driver from its import path, e.g. `lambent.sandbox.process:ProcessSandbox`."""
    module, _, name = driver_path.partition(":")
    driver: Sandbox = getattr(import_module(module), name)(DriverSettings(run_folder=run_folder), SystemClock())
    return driver


class Stage:
    """A driver, and a package that functions can read."""

    def __init__(self, driver: Sandbox, folder: Path) -> None:
        self.driver = driver
        self.folder = folder
        self.package = folder / "package"
        # Functions run as another user where the tests run as root.
        folder.chmod(0o711)
        self.package.mkdir(mode=0o755)

    def script(self, text: str, name: str = "script", mode: int = 0o755) -> Path:
        """Put a file into the package."""
        path = self.package / name
        path.write_text(text)
        path.chmod(mode)
        return path

    async def start(self, text: str, environ: Mapping[str, str] | None = None, memory_mib: int = 128) -> Environment:
        """Park an environment and run a shell script in it."""
        self.script("#!/bin/sh\n" + text)
        environment = await self.driver.park(ParkedKind())
        await self.assign(environment, "script", environ, memory_mib)
        return environment

    async def assign(
        self,
        environment: Environment,
        name: str,
        environ: Mapping[str, str] | None = None,
        memory_mib: int = 128,
        layers: Path | None = None,
        file_systems: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Run a file of the package in a parked environment."""
        root = self.driver.task_root(self.package)
        assignment = Assignment(
            argv=[f"{root}/{name}"],
            environ={"PATH": "/usr/bin:/bin"} if environ is None else environ,
            working_directory=root,
            package=self.package,
            layers=layers,
            file_systems=file_systems,
            memory_mib=memory_mib,
        )
        await self.driver.assign(environment, assignment)

    async def run(
        self,
        text: str,
        environ: Mapping[str, str] | None = None,
        layers: Path | None = None,
        file_systems: tuple[tuple[str, str], ...] = (),
    ) -> tuple[Exit, str]:
        """Run a script to its end; return how it ended and all its output."""
        self.script("#!/bin/sh\n" + text)
        environment = await self.driver.park(ParkedKind())
        await self.assign(environment, "script", environ, layers=layers, file_systems=file_systems)
        output = await read_to_end(environment)
        how = await within_patience(self.driver.wait(environment))
        self.driver.kill(environment)
        self.driver.release(environment)
        return how, output


async def within_patience(something: Awaitable[_T]) -> _T:
    """Await something that must happen."""
    return await asyncio.wait_for(something, PATIENCE_S)


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition that must come true."""

    async def check() -> None:
        while not condition():  # noqa: ASYNC110 - processes come and go without telling anybody
            await asyncio.sleep(0.005)

    await within_patience(check())


async def read_some(environment: Environment) -> bytes:
    """Wait for output and return it; empty at its end, which comes when no process holds the pipe any more."""
    loop = asyncio.get_running_loop()
    is_readable = asyncio.Event()
    loop.add_reader(environment.output, is_readable.set)
    try:
        await within_patience(is_readable.wait())
    finally:
        loop.remove_reader(environment.output)
    return os.read(environment.output, 65536)


async def read_to_end(environment: Environment) -> str:
    """Return all output, once nothing of the environment can write any more."""
    text = b""
    while some := await read_some(environment):
        text += some
    return text.decode()


async def read_line(environment: Environment, beginning: str) -> str:
    """Read until there is a line that begins so."""
    text = ""
    while True:
        some = await read_some(environment)
        assert some, f"the output ended before a line with {beginning!r}: {text!r}"
        text += some.decode()
        for line in text.splitlines():
            if line.startswith(beginning) and text.endswith("\n"):
                return line


def marked_processes(marker: str) -> list[int]:
    """
    Return the machine's processes whose command line holds a marker.

    Process ids that a function sees mean nothing outside of its process namespace.
    """
    listing = subprocess.run(["ps", "-A", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 1) for line in listing.splitlines())
    return [int(row[0]) for row in rows if len(row) == 2 and marker in row[1]]


def new_marker() -> str:
    """Return seconds to sleep that no other process sleeps."""
    return f"86400.{int.from_bytes(os.urandom(6), 'big')}"


class SandboxConformance:
    """The suite. `driver_path` names the class; its constructor takes the driver settings and a clock."""

    driver_path = ""
    limits_memory = HAS_PROC

    def on_stage(self, play: Callable[[Stage], Awaitable[None]]) -> None:
        """Run one story with a fresh driver, and end whatever it leaves."""

        async def perform() -> None:
            async with self.stage() as stage:
                await play(stage)

        asyncio.run(perform())

    @contextlib.asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        folder = Path(tempfile.mkdtemp(prefix="lambent-conformance-"))
        try:
            stage = Stage(driver_from_path(self.driver_path, folder / "run"), folder)
            try:
                yield stage
            finally:
                await within_patience(stage.driver.close())
        finally:
            shutil.rmtree(folder)

    # -- park ---------------------------------------------------------------------------------------------------

    def test_a_parked_environment_listens_where_it_says(self) -> None:
        """The Runtime API's listener is there before there is anything to run."""

        async def play(stage: Stage) -> None:
            environment = await stage.driver.park(ParkedKind())
            assert re.fullmatch("[0-9a-f]{32}", environment.id)
            assert environment.runtime_listener.gettimeout() == 0.0
            host, _, port = environment.runtime_api_address.partition(":")
            assert host and int(port) > 0

        self.on_stage(play)

    def test_functions_send_traces_where_it_says(self) -> None:
        """By datagrams to a port of the environment's own, which outlives the function: what it sent last is there."""
        sender = (
            "import os, socket; host, _, port = os.environ['TO'].rpartition(':'); "
            "socket.socket(type=socket.SOCK_DGRAM).sendto(b'trace', (host, int(port)))"
        )

        async def play(stage: Stage) -> None:
            environment, other = await stage.driver.park(ParkedKind()), await stage.driver.park(ParkedKind())
            assert environment.trace_port is not None and other.trace_port is not None
            stage.script(f'#!/bin/sh\nexec python3 -c "{sender}"\n')
            environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TO": environment.trace_address}
            await stage.assign(environment, "script", environ)
            assert await read_to_end(environment) == ""
            await within_patience(stage.driver.wait(environment))
            stage.driver.kill(environment)
            assert environment.trace_port.recv(100) == b"trace"
            # Nothing is there, and nobody waits.
            assert not select.select([other.trace_port], [], [], 0)[0]

        self.on_stage(play)

    def test_environments_share_nothing(self) -> None:
        """Each has its own id, listener and output."""

        async def play(stage: Stage) -> None:
            one, other = await stage.driver.park(ParkedKind()), await stage.driver.park(ParkedKind())
            assert one.id != other.id
            assert one.output != other.output
            assert one.runtime_listener is not other.runtime_listener

        self.on_stage(play)

    # -- assign -------------------------------------------------------------------------------------------------

    def test_output_comes_in_the_order_of_writing(self) -> None:
        """stdout, stderr and the descriptor for log records are one pipe."""

        async def play(stage: Stage) -> None:
            text = 'echo 1; echo 2 >&2; eval "echo 3 >&$_LAMBDA_TELEMETRY_LOG_FD"; echo 4; echo 5 >&2'
            _, output = await stage.run(text)
            assert output.split() == ["1", "2", "3", "4", "5"]

        self.on_stage(play)

    def test_the_environment_is_complete(self) -> None:
        """A function sees the variables that it was given and none of the server's."""

        async def play(stage: Stage) -> None:
            os.environ["LAMBENT_CONFORMANCE_SECRET"] = "of the server"
            try:
                _, output = await stage.run("env", {"PATH": "/usr/bin:/bin", "GREETING": "hello you"})
            finally:
                del os.environ["LAMBENT_CONFORMANCE_SECRET"]
            seen = dict(line.split("=", 1) for line in output.splitlines())
            assert seen.pop("_LAMBDA_TELEMETRY_LOG_FD").isdigit()
            added = set(seen) - _SHELL_ADDS
            assert {name: seen[name] for name in added} == {"PATH": "/usr/bin:/bin", "GREETING": "hello you"}

        self.on_stage(play)

    def test_it_starts_in_its_working_directory(self) -> None:
        """The working directory is the package's root."""

        async def play(stage: Stage) -> None:
            _, output = await stage.run("pwd -P")
            assert output.strip() == stage.driver.task_root(stage.package)

        self.on_stage(play)

    def test_layers_are_where_it_says(self) -> None:
        """Merged layers are seen at `layers_root`, and nobody can change them there."""

        async def play(stage: Stage) -> None:
            layers = stage.folder / "layers"
            (layers / "bin").mkdir(parents=True)
            for folder in (layers, layers / "bin"):
                folder.chmod(0o755)
            (layers / "bin" / "tool").write_text("#!/bin/sh\necho tool\n")
            (layers / "bin" / "tool").chmod(0o755)
            root = stage.driver.layers_root(layers)
            script = (
                f"{root}/bin/tool\nls {root}\n(echo x >> {root}/bin/tool) 2>&1 || (> {root}/new) 2>&1 || echo closed"
            )
            how, output = await stage.run(script, layers=layers)
            assert how == Exit(status=0)
            lines = output.splitlines()
            assert lines[:2] == ["tool", "bin"]
            if os.geteuid() == 0 or stage.driver.has_own_root:
                assert lines[-1] == "closed"
                assert sorted(path.name for path in layers.rglob("*")) == ["bin", "tool"]

        self.on_stage(play)

    def test_limits_are_lambdas(self) -> None:
        """1024 open files, no core files, and a umask that lets others read."""

        async def play(stage: Stage) -> None:
            _, output = await stage.run("ulimit -n; ulimit -c; umask")
            files, core, umask = output.split()
            assert int(files) <= 1024
            assert core == "0"
            assert int(umask, 8) == 0o022

        self.on_stage(play)

    def test_nothing_of_the_server_is_open(self) -> None:
        """No descriptor beyond the four that every environment has; input is empty."""

        async def play(stage: Stage) -> None:
            with (stage.folder / "open").open("w") as held:
                os.set_inheritable(held.fileno(), True)
                text = "for n in 0 1 2 3 4 5 6 7 8 9; do (eval ': <&'$n) 2>/dev/null && echo $n; done; wc -c"
                _, output = await stage.run(text)
            assert output.split() == ["0", "1", "2", "3", "0"]

        self.on_stage(play)

    def test_functions_are_not_root(self) -> None:
        """A server that is root runs functions as somebody else, with none of root's groups."""

        async def play(stage: Stage) -> None:
            _, output = await stage.run("id -u; id -G")
            assert "0" not in output.split()

        self.on_stage(play)

    def test_it_leads_a_session_of_its_own(self) -> None:
        """A signal at the server's terminal does not reach functions."""

        async def play(stage: Stage) -> None:
            marker = new_marker()
            environment = await stage.start(f"echo up; exec sleep {marker}")
            await read_line(environment, "up")
            await until(lambda: marked_processes(marker))
            entries = [process_entry(pid) for pid in marked_processes(marker)]
            assert all(entry is None or entry.session != os.getsid(0) for entry in entries)

        self.on_stage(play)

    def test_what_cannot_be_executed_is_refused(self) -> None:
        """RT-04 b and d: the operating system's word, and the environment is still good for `kill`."""

        async def play(stage: Stage) -> None:
            stage.script("#!/bin/sh\n", "closed", mode=0o644)
            stage.script("#!/no/such/interpreter\n", "lost")
            stage.script("#!/bin/sh\r\necho hello\r\n", "dos")
            stage.script("echo hello\n", "plain")
            root = stage.driver.task_root(stage.package)
            for name, word in (
                ("closed", "permission denied"),
                ("lost", "no such file or directory"),
                ("dos", "no such file or directory"),
                ("plain", "exec format error"),
                ("missing", "no such file or directory"),
            ):
                environment = await stage.driver.park(ParkedKind())
                message = ""
                try:
                    await stage.assign(environment, name)
                except SandboxStartError as error:
                    message = str(error)
                assert message == f"fork/exec {root}/{name}: {word}"
                stage.driver.kill(environment)
                await within_patience(stage.driver.wait(environment))
                assert os.read(environment.output, 1) == b""
                stage.driver.release(environment)

        self.on_stage(play)

    def test_a_link_to_an_executable_runs(self) -> None:
        """RT-04 e."""

        async def play(stage: Stage) -> None:
            (stage.package / "bin").mkdir()
            stage.script("#!/bin/sh\necho linked\n", "bin/app")
            (stage.package / "bootstrap").symlink_to("bin/app")
            environment = await stage.driver.park(ParkedKind())
            await stage.assign(environment, "bootstrap")
            assert await read_to_end(environment) == "linked\n"

        self.on_stage(play)

    # -- the end ------------------------------------------------------------------------------------------------

    def test_wait_tells_how_it_ended(self) -> None:
        """A status, or the signal."""

        async def play(stage: Stage) -> None:
            assert (await stage.run("exit 0"))[0] == Exit(status=0)
            assert (await stage.run("exit 127"))[0] == Exit(status=127)
            assert (await stage.run("kill -9 $$"))[0] == Exit(signal=signal.SIGKILL)
            assert (await stage.run("kill -SEGV $$"))[0] == Exit(signal=signal.SIGSEGV)

        self.on_stage(play)

    def test_wait_may_be_called_often_and_cancelled(self) -> None:
        """Before and after the end; a cancelled one changes nothing."""

        async def play(stage: Stage) -> None:
            environment = await stage.start("exec sleep 600")
            waiting = [asyncio.ensure_future(stage.driver.wait(environment)) for _ in range(2)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            stage.driver.kill(environment)
            how = await within_patience(waiting[1])
            assert how == Exit(signal=signal.SIGKILL)
            assert await within_patience(stage.driver.wait(environment)) == how

        self.on_stage(play)

    def test_kill_leaves_nothing(self) -> None:
        """All processes go, also those that ignore polite signals or left for a session of their own."""

        async def play(stage: Stage) -> None:
            leaves = "command -v setsid >/dev/null && setsid sleep 600 &\n"
            environment = await stage.start(f"trap '' TERM INT HUP\nsleep 600 &\n{leaves}sleep 0.1; echo up; sleep 600")
            await read_line(environment, "up")
            stage.driver.kill(environment)
            stage.driver.kill(environment)
            assert environment.runtime_listener.fileno() == -1
            await within_patience(stage.driver.wait(environment))
            # The pipe ends only when the last process that holds it is gone.
            assert await read_to_end(environment) == ""

        self.on_stage(play)

    def test_the_end_of_the_leader_is_the_end_of_all(self) -> None:
        """What a runtime started in the background does not outlive it."""

        async def play(stage: Stage) -> None:
            environment = await stage.start("sleep 600 &\nsleep 601 &\nexit 3")
            assert await within_patience(stage.driver.wait(environment)) == Exit(status=3)
            assert await read_to_end(environment) == ""

        self.on_stage(play)

    def test_kill_ends_what_never_ran(self) -> None:
        """A parked environment can be killed, too."""

        async def play(stage: Stage) -> None:
            environment = await stage.driver.park(ParkedKind())
            stage.driver.kill(environment)
            await within_patience(stage.driver.wait(environment))
            assert os.read(environment.output, 1) == b""
            stage.driver.release(environment)
            stage.driver.release(environment)

        self.on_stage(play)

    def test_kill_ends_what_is_just_starting(self) -> None:
        """A start that nobody waits for any more leaves nothing behind."""

        async def play(stage: Stage) -> None:
            stage.script("#!/bin/sh\nexec sleep 600\n")
            environment = await stage.driver.park(ParkedKind())
            starting = asyncio.ensure_future(stage.assign(environment, "script"))
            await asyncio.sleep(0)
            starting.cancel()
            stage.driver.kill(environment)
            await within_patience(stage.driver.wait(environment))
            assert await read_to_end(environment) == ""

        self.on_stage(play)

    def test_kill_needs_no_descriptor(self) -> None:
        """A server that has opened as many files as it may still ends what takes too long."""

        async def play(stage: Stage) -> None:
            environment = await stage.start("echo up; exec sleep 600")
            await read_line(environment, "up")
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                stage.driver.kill(environment)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert await within_patience(stage.driver.wait(environment)) == Exit(signal=signal.SIGKILL)

        self.on_stage(play)

    def test_close_ends_everything(self) -> None:
        """A server that stops leaves no process."""

        async def play(stage: Stage) -> None:
            marker = new_marker()
            environment = await stage.start(f"echo up; exec sleep {marker}")
            await read_line(environment, "up")
            await until(lambda: marked_processes(marker))
            await stage.driver.park(ParkedKind())
            await within_patience(stage.driver.close())
            assert not marked_processes(marker)

        self.on_stage(play)

    def test_a_runtime_may_say_goodbye(self) -> None:
        """Asked to end, frozen or not, it does what it has to do; nobody else of the environment is asked."""

        async def play(stage: Stage) -> None:
            text = "(trap 'echo child asked' TERM; while :; do sleep 0.01; done) &\n"
            text += "trap 'sleep 0.1; echo bye; exit 7' TERM\necho up\nwhile :; do sleep 0.01; done"
            for is_frozen in (False, True):
                environment = await stage.start(text)
                await read_line(environment, "up")
                if is_frozen:
                    stage.driver.freeze(environment)
                stage.driver.terminate(environment)
                assert await within_patience(stage.driver.wait(environment)) == Exit(status=7)
                assert await read_to_end(environment) == "bye\n"
                stage.driver.terminate(environment)

        self.on_stage(play)

    def test_a_runtime_that_knows_no_goodbye_ends_at_once(self) -> None:
        """As any process does that was not told what to do; and one that is not there yet is not asked."""

        async def play(stage: Stage) -> None:
            environment = await stage.start("echo up; exec sleep 600")
            await read_line(environment, "up")
            stage.driver.terminate(environment)
            assert await within_patience(stage.driver.wait(environment)) == Exit(signal=signal.SIGTERM)
            parked = await stage.driver.park(ParkedKind())
            stage.driver.terminate(parked)
            await stage.assign(parked, "script")
            await read_line(parked, "up")

        self.on_stage(play)

    def test_a_runtime_that_goes_when_asked_leaves_nothing(self) -> None:
        """What it started ends with it, also what left for a session of its own."""

        async def play(stage: Stage) -> None:
            leaves = "command -v setsid >/dev/null && setsid sleep 600 &\n"
            environment = await stage.start(f"sleep 600 &\n{leaves}sleep 0.1; echo up; exec sleep 600")
            await read_line(environment, "up")
            stage.driver.terminate(environment)
            assert await within_patience(stage.driver.wait(environment)) == Exit(signal=signal.SIGTERM)
            assert await read_to_end(environment) == ""

        self.on_stage(play)

    def test_a_runtime_that_will_not_go_can_be_killed(self) -> None:
        """It ignores that it was asked."""

        async def play(stage: Stage) -> None:
            environment = await stage.start("trap '' TERM; echo up; while :; do sleep 0.01; echo on; done")
            await read_line(environment, "up")
            stage.driver.terminate(environment)
            await read_line(environment, "on")
            stage.driver.kill(environment)
            assert await within_patience(stage.driver.wait(environment)) == Exit(signal=signal.SIGKILL)

        self.on_stage(play)

    # -- freeze and thaw ----------------------------------------------------------------------------------------

    def test_a_frozen_environment_does_nothing_until_it_is_thawed(self) -> None:
        """All its processes stop, and go on where they were."""

        async def play(stage: Stage) -> None:
            environment = await stage.start("(while :; do echo child; sleep 0.01; done) &\nwait")
            await read_line(environment, "child")
            stage.driver.freeze(environment)
            stage.driver.freeze(environment)

            async def become_silent() -> None:
                # Where it freezes by signals, on a busy machine, it takes a while.
                while True:
                    # Ten times its rhythm.
                    await asyncio.sleep(0.1)
                    try:
                        os.read(environment.output, 65536)
                    except BlockingIOError:
                        return

            await within_patience(become_silent())
            stage.driver.thaw(environment)
            stage.driver.thaw(environment)
            await read_line(environment, "child")

        self.on_stage(play)

    def test_a_frozen_environment_can_be_killed(self) -> None:
        """Kill needs no thaw; afterwards freeze and thaw do nothing."""

        async def play(stage: Stage) -> None:
            environment = await stage.start("echo up; exec sleep 600")
            await read_line(environment, "up")
            stage.driver.freeze(environment)
            stage.driver.kill(environment)
            assert await within_patience(stage.driver.wait(environment)) == Exit(signal=signal.SIGKILL)
            stage.driver.freeze(environment)
            stage.driver.thaw(environment)

        self.on_stage(play)

    # -- memory -------------------------------------------------------------------------------------------------

    def test_memory_has_a_limit(self) -> None:
        """ER-02: what grows beyond MemorySize is killed, and shown as having used all of it."""

        async def play(stage: Stage) -> None:
            if not self.limits_memory:
                return
            environment = await stage.start("exec tail /dev/zero")
            stage.driver.watch(environment, busy=True)
            how = await within_patience(stage.driver.wait(environment))
            assert how == Exit(signal=signal.SIGKILL, out_of_memory=True)
            assert stage.driver.stats(environment).memory_peak_mib == 128

        self.on_stage(play)

    def test_memory_of_children_counts(self) -> None:
        """The limit is on the environment, not on one process."""

        async def play(stage: Stage) -> None:
            if not self.limits_memory:
                return
            environment = await stage.start("tail /dev/zero &\nwait")
            stage.driver.watch(environment, busy=True)
            assert (await within_patience(stage.driver.wait(environment))).out_of_memory

        self.on_stage(play)

    def test_stats_are_never_nothing(self) -> None:
        """Between one MiB and what it was given, while it runs and after its end."""

        async def play(stage: Stage) -> None:
            environment = await stage.start("echo up; exec sleep 600")
            await read_line(environment, "up")
            stage.driver.watch(environment, busy=True)
            stage.driver.watch(environment, busy=False)
            assert 1 <= stage.driver.stats(environment).memory_peak_mib <= 128
            stage.driver.kill(environment)
            await within_patience(stage.driver.wait(environment))
            assert 1 <= stage.driver.stats(environment).memory_peak_mib <= 128

        self.on_stage(play)

    # -- a server that was killed -------------------------------------------------------------------------------

    def test_the_next_start_ends_what_a_killed_server_left(self) -> None:
        """kill -9 of the server: its environments are found and ended, and nothing else is."""

        async def play(stage: Stage) -> None:
            marker = new_marker()
            script = stage.script(f"#!/bin/sh\nsleep {marker} &\necho up\nsleep {marker}\n")
            run_folder = stage.folder / "run-of-the-killed"
            await asyncio.to_thread(self._kill_a_server, run_folder, script)

            bystander = await stage.start("echo up; exec sleep 600")
            await read_line(bystander, "up")
            successor = driver_from_path(self.driver_path, run_folder)
            try:
                # A driver with a spawner may have ended them by itself, before anybody came to look.
                assert await within_patience(successor.end_leftovers()) <= 1
                assert not marked_processes(marker)
                assert await within_patience(successor.end_leftovers()) == 0
            finally:
                await within_patience(successor.close())
            assert bystander.runtime_listener.fileno() != -1
            stage.driver.kill(bystander)
            assert await within_patience(stage.driver.wait(bystander)) == Exit(signal=signal.SIGKILL)

        self.on_stage(play)

    def _kill_a_server(self, run_folder: Path, script: Path) -> None:
        """Start a server in a process of its own; kill it once its function runs."""
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
        command = [sys.executable, "-c", _SERVER_TO_BE_KILLED, self.driver_path, str(run_folder), str(script)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"up\n"
            server.kill()

    def test_what_is_written_down_is_private(self) -> None:
        """Functions can neither read nor change the list of environments."""

        async def play(stage: Stage) -> None:
            await stage.start("exec sleep 600")
            for path in (stage.folder / "run").rglob("*"):
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0

        self.on_stage(play)


class DirectoryConformance(SandboxConformance):
    """
    The suite for drivers with a root of their own: they show functions directories of the machine, and start commands
    ahead.
    """

    @contextlib.contextmanager
    def shared(self, stage: Stage, owner: int, mode: int) -> Iterator[Path]:
        """Make a directory of some user, where the tests run as root."""
        folder = stage.folder / "shared"
        folder.mkdir()
        if os.geteuid() == 0:
            os.chown(folder, owner, owner)
        folder.chmod(mode)
        yield folder
        shutil.rmtree(folder)

    def test_environments_share_a_directory(self) -> None:
        """What one environment writes the next one reads and changes, in a directory that is closed to others."""

        async def play(stage: Stage) -> None:
            # Without a user for each environment, all of them are the user that the server has.
            owner = _SOMEBODY if stage.driver.name == "namespace" else os.geteuid()
            with self.shared(stage, owner, 0o700) as folder:
                file_systems = (("/mnt/data", str(folder)),)
                script = "umask 077; echo one >> /mnt/data/file; mkdir -p /mnt/data/deep; cat /mnt/data/file"
                assert await stage.run(script, file_systems=file_systems) == (Exit(status=0), "one\n")
                assert await stage.run(script, file_systems=file_systems) == (Exit(status=0), "one\none\n")
                assert {path.stat().st_uid for path in folder.iterdir()} == {owner}

        self.on_stage(play)

    def test_nothing_else_of_mnt_can_be_written(self) -> None:
        """The folder that holds the mount points is read-only."""

        async def play(stage: Stage) -> None:
            with self.shared(stage, os.geteuid(), 0o755) as folder:
                script = "ls /mnt; (mkdir /mnt/x) 2>&1; (> /mnt/y) 2>&1; ls /mnt"
                _, output = await stage.run(script, file_systems=(("/mnt/data", str(folder)),))
                lines = output.splitlines()
                assert (lines[0], lines[-1], output.count("Read-only file system")) == ("data", "data", 2), output

        self.on_stage(play)

    def test_without_file_systems_mnt_is_empty(self) -> None:
        """Nobody sees another's."""

        async def play(stage: Stage) -> None:
            assert await stage.run("ls -A /mnt") == (Exit(status=0), "")

        self.on_stage(play)

    def test_a_directory_that_is_gone_is_no_ones_fault(self) -> None:
        """The operator may take one away: the environment is not started."""

        async def play(stage: Stage) -> None:
            try:
                await stage.run("true", file_systems=(("/mnt/data", str(stage.folder / "gone")),))
            except DependencyError as error:
                assert "No such file" in str(error)
            else:
                raise AssertionError("it started")

        self.on_stage(play)

    # -- commands that are started ahead ------------------------------------------------------------------------

    def ahead(self, script: str) -> ParkedKind:
        """Return the kind of environments in which a script of bash runs before there is a function."""
        environ = (("PATH", "/usr/bin:/bin"), ("LEFT", "behind"))
        return ParkedKind(ahead=Ahead(("/bin/bash", "-c", script), environ))

    def test_what_is_started_ahead_has_no_privileges_and_no_function(self) -> None:
        """It is who functions are from its first instruction on, and sees nothing of any."""

        async def play(stage: Stage) -> None:
            script = 'cat /proc/self/status; ls -A /var/task /opt; echo "$LEFT"; printf R >&"$LAMBENT_AHEAD"; read'
            environment = await stage.driver.park(self.ahead(script))
            lines = (await read_to_end(environment)).splitlines()
            status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            assert "0" not in status["Uid"].split()
            assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
            assert lines[len(status) :] == ["/opt:", "", "/var/task:", "lib", "behind"]

        self.on_stage(play)

    def test_what_was_started_ahead_becomes_as_if_executed(self) -> None:
        """It is handed the environment, and all else that a process has is what one has that was executed."""
        facts = (
            # What is executed may run before process 1 is done with itself.
            'until [ "$(cat /proc/1/comm)" = init ]; do :; done\n'
            "cd /proc/$$; cat limits oom_score_adj; stat -c %a /tmp; ls /opt /mnt\n"
            "sed 's/^[0-9]* [0-9]* [0-9:]* //; s/lowerdir=[^,]*//; s/loop[0-9]*//' mountinfo; ls fd\n"
            "sed 's/ (.*)//' stat | cut -d' ' -f1,3-7\n"
            "grep -E '^(Umask|NS|Groups|SigIgn|Cap|NoNew|Seccomp:)' status\n"
        )
        waits = (
            'printf R >&"$LAMBENT_AHEAD"; given=$(cat <&"$LAMBENT_AHEAD"); eval "exec $LAMBENT_AHEAD>&-"\n'
            'echo "$given"; cd /var/task; . ./facts'
        )

        async def play(stage: Stage) -> None:
            layers = stage.folder / "layers"
            layers.mkdir(mode=0o755)
            (layers / "of-a-layer").touch()
            stage.script("#!/bin/bash\n. ./facts", "run")
            stage.script(facts, "facts")
            told = []
            with self.shared(stage, os.geteuid(), 0o755) as folder:
                for kind in (self.ahead(waits), ParkedKind()):
                    environment = await stage.driver.park(kind)
                    file_systems = (("/mnt/data", str(folder)),)
                    environ = {"PATH": "/usr/bin:/bin", "A": "ü\n"}
                    await stage.assign(environment, "run", environ, layers=layers, file_systems=file_systems)
                    told.append(await read_to_end(environment))
                    assert await within_patience(stage.driver.wait(environment)) == Exit(status=0)
            given, _, ahead = told[0].partition("\n")
            assert json.loads(given) == {
                "working_directory": "/var/task",
                "environ": {"PATH": "/usr/bin:/bin", "A": "ü\n", "_LAMBDA_TELEMETRY_LOG_FD": "3"},
            }
            assert "of-a-layer" in ahead
            # Where bash has the script that it was executed for.
            assert ahead == told[1].replace("\n255\n", "\n")

        self.on_stage(play)

    def test_what_ends_while_it_waits_is_seen(self) -> None:
        """As the end of any environment, by whoever keeps it."""

        async def play(stage: Stage) -> None:
            environment = await stage.driver.park(self.ahead('printf R >&"$LAMBENT_AHEAD"; exit 3'))
            assert await within_patience(stage.driver.wait(environment)) == Exit(status=3)
            stage.driver.kill(environment)
            stage.driver.release(environment)

        self.on_stage(play)

    def test_what_cannot_be_started_ahead_is_not_parked(self) -> None:
        """It is not there, or ends before it is ready."""

        async def play(stage: Stage) -> None:
            missing = ParkedKind(ahead=Ahead(("/no/such",), ()))
            for kind, why in (
                (missing, "fork/exec /no/such: no such file or directory"),
                (self.ahead("exit 1"), "ended"),
            ):
                try:
                    await within_patience(stage.driver.park(kind))
                except DependencyError as error:
                    assert why in str(error)
                else:
                    raise AssertionError("it was parked")

        self.on_stage(play)


_SOMEBODY = 54_321
"""A user that no machine has."""
