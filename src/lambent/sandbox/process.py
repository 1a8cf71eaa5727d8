"""
The `process` driver: an environment is a process group. It isolates nothing.

What it does give: an own session and process group, another user where the server is root, the limits of open files
and core files that Lambda has, MemorySize, and an end that takes the whole group along. Works without root and, with
less, on macOS: no memory limit there, since there is no /proc.

How one starts: a shell (the gate) is spawned in the function's place and waits for a line. Only when its group is
written down does the line come, and the gate becomes the runtime. A server that dies in between closes the gate's
input, and the gate ends instead.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lambent.clock import Clock
from lambent.errors.families import DependencyError
from lambent.function_user import find_function_user
from lambent.sandbox.contract import Assignment, DriverSettings, Environment, Exit, ParkedKind, SandboxStartError, Stats
from lambent.sandbox.executable import check_executable
from lambent.sandbox.memory_watch import MemoryUse, MemoryWatch
from lambent.sandbox.process_table import (
    HAS_PROC,
    ProcessEntry,
    all_processes,
    descendants,
    leader_peak_kib,
    process_entry,
)
from lambent.sandbox.walls import Wall
from lambent.sandbox.written_down import WrittenDown, end_processes, processes_to_end, still_running

_log = logging.getLogger(__name__)

_OPEN_FILES_MAX = 1024
"""Documented: Lambda quotas, file descriptors per execution environment."""

_STARTS_MAX = 4
"""Assumed: spawning blocks a thread for some milliseconds; more at once would only compete for the same processors."""

_LISTEN_BACKLOG = 16
"""Assumed: one runtime and its extensions are the only clients, each with a connection or two."""

_PEAK_AGE_MAX_S = 1.0
"""Assumed: how old the peak in a REPORT may be. Reading it for each of thousands of invocations per second shows."""

_GROUP_END_POLL_S = 0.005
_GROUP_END_POLLS_MAX = 200
"""Assumed: a killed process is gone within milliseconds; one that the kernel holds for a second (a dead network disk)
may be held for hours, and the environment must not wait for it."""

_LOG_DESCRIPTOR = 3
"""
Where official clients write framed log records. The same pipe as stdout, so that prints and records keep their order.
A number below ten, since POSIX shells redirect no other. Observed: AWS itself uses another one, and clients read it
from the variable (aws/aws-lambda-python-runtime-interface-client, bootstrap.py).
"""

_GATE = f'read -r _gate || exit 1; ulimit -c 0; ulimit -n "$1"; shift; exec "$@" {_LOG_DESCRIPTOR}>&1 </dev/null'


class ProcessEnvironment:
    """One process group, or the place for one."""

    def __init__(
        self, environment_id: str, listener: socket.socket, trace_port: socket.socket, output: int, write_end: int
    ) -> None:
        self.id = environment_id
        self.trace_port: socket.socket | None = trace_port
        self.runtime_listener = listener
        self.gateway_listener: socket.socket | None = None
        self.output = output
        host, port = listener.getsockname()
        self.runtime_api_address = f"{host}:{port}"
        host, port = trace_port.getsockname()
        self.trace_address = f"{host}:{port}"
        self.loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Exit] = self.loop.create_future()
        self.process: subprocess.Popen[bytes] | None = None
        """Set from the moment it runs until it has been reaped: while it is set, its group cannot be another's."""
        self.memory: MemoryUse | None = None
        self.memory_read_at: float | None = None
        self.is_starting = False
        self.is_killed = False
        self.is_released = False
        self.is_out_of_memory = False
        self.below: list[ProcessEntry] = []
        """What was below the leader when it was asked to end: once it has ended nothing leads there any more."""
        self._write_end: int | None = write_end

    @property
    def write_end(self) -> int:
        assert self._write_end is not None, "an environment is assigned once"
        return self._write_end

    def close_write_end(self) -> None:
        """Let go of the pipe's other end, so that the reader sees its end when the group is gone. Idempotent."""
        if self._write_end is not None:
            os.close(self._write_end)
            self._write_end = None

    def signal_group(self, number: signal.Signals) -> None:
        """Signal every process of the group; does nothing before the start and after the end."""
        if self.process is not None:
            # PermissionError: macOS says so of a group that holds zombies only.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


class ProcessSandbox:
    """
    The driver named `process`.

    Args:
        settings: `run_folder` is where environments are written down.
        clock: where time, timers and ids come from.

    Raises:
        SettingsError: the server is root and there is no such user.
    """

    name = "process"
    holds = frozenset({Wall.CORE_DUMPS, Wall.DESCRIPTORS, Wall.TERMINAL, Wall.LOG_FLOOD, Wall.REUSE})
    """Not VARIABLES: a server that is not root shares its user with functions, which read its environ in /proc."""

    has_own_root = False
    parks_ahead = False
    freeze_after_s = 0.1
    """Freezing and thawing a process group by signal costs more than the next warm invocation should pay."""

    def __init__(self, settings: DriverSettings, clock: Clock) -> None:
        self._clock = clock
        self._user = find_function_user(settings.function_user)
        self._written_down = WrittenDown(settings.run_folder)
        self._starters = ThreadPoolExecutor(max_workers=_STARTS_MAX, thread_name_prefix="sandbox-start")
        self._environments: set[ProcessEnvironment] = set()
        self._by_memory: dict[MemoryUse, ProcessEnvironment] = {}
        self._memory_watch: MemoryWatch | None = None
        self._open_files_max = min(_OPEN_FILES_MAX, _hard_limit(resource.RLIMIT_NOFILE))
        _log.warning(
            "sandbox.isolates_nothing driver=process functions_run_as=%s memory_limit=%s "
            "meaning='functions see this machine's files, processes and network; run only code that you trust'",
            self._user.name,
            "sampled" if HAS_PROC else "none",
        )

    def task_root(self, package: Path) -> str:
        return str(package.resolve())

    def layers_root(self, layers: Path) -> str:
        return str(layers.resolve())

    async def park(self, kind: ParkedKind) -> ProcessEnvironment:
        listener = trace_port = None
        try:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.bind(("127.0.0.1", 0))
            listener.listen(_LISTEN_BACKLOG)
            listener.setblocking(False)
            trace_port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            trace_port.bind(("127.0.0.1", 0))
            trace_port.setblocking(False)
            read_end, write_end = os.pipe()
        except OSError as error:
            for made in (listener, trace_port):
                if made is not None:
                    made.close()
            raise DependencyError(f"no listener or pipe for an environment: {error}", retryable=True) from error
        os.set_blocking(read_end, False)
        environment = ProcessEnvironment(self._clock.token_hex(16), listener, trace_port, read_end, write_end)
        self._environments.add(environment)
        return environment

    async def assign(self, environment: Environment, assignment: Assignment) -> None:
        own = _own(environment)
        assert not own.is_starting and own.memory is None and not own.is_killed, "an environment is assigned once"
        own.is_starting = True
        start = own.loop.run_in_executor(self._starters, self._start, own, assignment)
        start.add_done_callback(partial(self._started, own, assignment))
        # Shielded: a process that is being spawned cannot be called back. Whoever gives up calls `kill`, and
        # `_started` then ends what it finds.
        await asyncio.shield(start)

    def freeze(self, environment: Environment) -> None:
        _own(environment).signal_group(signal.SIGSTOP)

    def thaw(self, environment: Environment) -> None:
        _own(environment).signal_group(signal.SIGCONT)

    def terminate(self, environment: Environment) -> None:
        own = _own(environment)
        if own.process is not None and not own.is_killed:
            own.below = [entry for pid in descendants(own.process.pid) if (entry := process_entry(pid))]
            # Pending where it is stopped, so that it comes before anything else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(own.process.pid, signal.SIGTERM)
            self.thaw(own)

    def kill(self, environment: Environment) -> None:
        own = _own(environment)
        if own.is_killed:
            return
        own.is_killed = True
        own.runtime_listener.close()
        if own.process is not None:
            self._kill_processes(own)
        elif not own.is_starting and own.memory is None:
            # It never ran: parked, or its start failed.
            own.close_write_end()
            own.ended.set_result(Exit(signal=signal.SIGKILL))

    async def wait(self, environment: Environment) -> Exit:
        return await asyncio.shield(_own(environment).ended)

    def stats(self, environment: Environment) -> Stats:
        memory = _own(environment).memory
        if memory is None:
            return Stats(memory_peak_mib=1)
        self._read_peak(_own(environment), memory, _PEAK_AGE_MAX_S)
        # Not above what it was given, as on AWS: pages shared with other processes are counted in full here.
        peak_kib = min(memory.peak_kib, memory.limit_kib)
        return Stats(memory_peak_mib=max(1, -(-peak_kib // 1024)))

    def end_init(self, environment: Environment) -> None:
        """Nothing: this driver has no way to share out the processor."""

    def watch(self, environment: Environment, busy: bool) -> None:
        memory = _own(environment).memory
        if memory is None or self._memory_watch is None:
            return
        if busy:
            self._memory_watch.begin(memory)
        else:
            self._memory_watch.end(memory)

    def release(self, environment: Environment) -> None:
        own = _own(environment)
        if own.is_released:
            return
        own.is_released = True
        own.close_write_end()
        os.close(own.output)
        if own.trace_port is not None:
            own.trace_port.close()
        self._environments.discard(own)

    async def end_leftovers(self) -> int:
        loop = asyncio.get_running_loop()

        def find_and_end() -> tuple[int, bool]:
            groups = processes_to_end(self._written_down.leftovers())
            end_processes(groups)
            return len(groups), still_running(groups)

        ended, is_running = await loop.run_in_executor(self._starters, find_and_end)
        for _ in range(50):
            if not is_running:
                break
            await self._clock.sleep(0.02)
            _, is_running = await loop.run_in_executor(self._starters, find_and_end)
        await loop.run_in_executor(self._starters, self._written_down.keep_living)
        if is_running:
            _log.error("sandbox.leftovers_survive environments=%d", ended)
        return ended

    async def close(self) -> None:
        environments = list(self._environments)
        for environment in environments:
            self.kill(environment)
        for environment in environments:
            await self.wait(environment)
            self.release(environment)
        if self._memory_watch is not None:
            self._memory_watch.close()
        self._written_down.keep_living()
        self._starters.shutdown(wait=False)

    # -- starting -----------------------------------------------------------------------------------------------

    def _start(self, own: ProcessEnvironment, assignment: Assignment) -> tuple[subprocess.Popen[bytes], int | None]:
        """Spawn the gate, write it down, open it. Blocks: runs in one of the starter threads."""
        command = Path(assignment.argv[0])
        check_executable(command, assignment.argv[0], self._user)
        if not Path(assignment.working_directory).is_dir():
            raise SandboxStartError(f"chdir {assignment.working_directory}: no such file or directory")
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _GATE, "lambent-gate", str(self._open_files_max), *assignment.argv],
                stdin=subprocess.PIPE,
                stdout=own.write_end,
                stderr=own.write_end,
                cwd=assignment.working_directory,
                env={**assignment.environ, "_LAMBDA_TELEMETRY_LOG_FD": str(_LOG_DESCRIPTOR)},
                start_new_session=True,
                umask=0o022,
                **self._user.popen_arguments(),
            )
        except PermissionError as error:
            raise SandboxStartError(f"chdir {assignment.working_directory}: permission denied") from error
        except OSError as error:
            raise DependencyError(f"no process for an environment: {error}", retryable=True) from error
        assert process.stdin is not None
        try:
            self._written_down.add(process.pid, own.runtime_api_address)
            if not own.is_killed:
                process.stdin.write(b"\n")
                process.stdin.flush()
        except OSError as error:
            # Nothing was let through the gate, so one signal to one process ends it.
            process.kill()
            process.wait()
            self._forget(process.pid)
            raise DependencyError(f"an environment could not be written down: {error}", retryable=True) from error
        finally:
            with contextlib.suppress(OSError):
                process.stdin.close()
        return process, _open_exit_descriptor(process.pid)

    def _started(
        self,
        own: ProcessEnvironment,
        assignment: Assignment,
        start: "asyncio.Future[tuple[subprocess.Popen[bytes], int | None]]",
    ) -> None:
        """Take over what `_start` made; called on the event loop, also when nobody waits for `assign` any more."""
        own.is_starting = False
        own.close_write_end()
        if start.cancelled() or start.exception() is not None:
            if own.is_killed:
                own.ended.set_result(Exit(signal=signal.SIGKILL))
            return
        own.process, exit_descriptor = start.result()
        own.memory = MemoryUse(assignment.memory_mib * 1024, own.process.pid)
        self._by_memory[own.memory] = own
        if self._memory_watch is None:
            self._memory_watch = MemoryWatch(self._clock, self._end_over_limit, own.loop.call_soon_threadsafe)
        if exit_descriptor is not None:
            own.loop.add_reader(exit_descriptor, self._exit_seen, own, exit_descriptor)
        else:
            wait_for_exit = partial(_wait_for_exit, own.process, own.loop, partial(self._exit_seen, own, None))
            threading.Thread(target=wait_for_exit, name=f"exit-of-{own.process.pid}", daemon=True).start()
        if own.is_killed:
            self._kill_processes(own)

    def _forget(self, leader: int) -> None:
        """Strike an environment off the list; on a full disk the list only does not get shorter."""
        with contextlib.suppress(OSError):
            self._written_down.remove(leader)

    # -- ending -------------------------------------------------------------------------------------------------

    def _kill_processes(self, own: ProcessEnvironment) -> None:
        """Kill the group, and what left the group for a session of its own but is still below the leader."""
        assert own.process is not None
        if own.memory is not None:
            self._read_peak(own, own.memory, 0)
        below = descendants(own.process.pid)
        own.signal_group(signal.SIGKILL)
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _end_over_limit(self, memory: MemoryUse) -> None:
        own = self._by_memory.get(memory)
        if own is None or own.process is None or own.is_killed:
            return
        own.is_out_of_memory = True
        _log.info("sandbox.out_of_memory environment=%s memory_mib=%d", own.id, memory.limit_kib // 1024)
        # The listener stays open until `kill`: whoever serves it finds out by `wait`, not by an error on its socket.
        self._kill_processes(own)
        memory.peak_kib = max(memory.peak_kib, memory.limit_kib)

    def _exit_seen(self, own: ProcessEnvironment, exit_descriptor: int | None) -> None:
        """The leader has ended: end the rest of the group, then reap."""
        if exit_descriptor is not None:
            own.loop.remove_reader(exit_descriptor)
            os.close(exit_descriptor)
        process = own.process
        assert process is not None
        # In this order: as long as the leader is not reaped, the number of its group cannot be given to another.
        own.signal_group(signal.SIGKILL)
        end_processes({process.pid: own.below})
        code = process.wait()
        own.process = None
        if own.memory is not None:
            self._by_memory.pop(own.memory, None)
            if self._memory_watch is not None:
                self._memory_watch.end(own.memory)
        self._forget(process.pid)
        how = Exit(signal=-code) if code < 0 else Exit(status=code)
        if own.is_out_of_memory:
            how = Exit(how.status, how.signal, out_of_memory=True)
        self._end_when_group_is_gone(own, process.pid, how, _GROUP_END_POLLS_MAX)

    def _end_when_group_is_gone(self, own: ProcessEnvironment, group: int, how: Exit, polls_left: int) -> None:
        """Resolve `ended` once no process of the group runs. The usual group had one process: no wait, no thread."""
        if polls_left > 0 and _has_members(group):
            looking = own.loop.run_in_executor(self._starters, _has_running_members, group)
            looking.add_done_callback(partial(self._group_looked_at, own, group, how, polls_left))
        else:
            own.ended.set_result(how)

    def _group_looked_at(
        self, own: ProcessEnvironment, group: int, how: Exit, polls_left: int, looking: "asyncio.Future[bool]"
    ) -> None:
        if looking.cancelled() or not looking.result():
            own.ended.set_result(how)
            return
        again = partial(self._end_when_group_is_gone, own, group, how, polls_left - 1)
        self._clock.call_later(_GROUP_END_POLL_S, again)

    def _read_peak(self, own: ProcessEnvironment, memory: MemoryUse, age_max_s: float) -> None:
        if own.process is None:
            return
        now = self._clock.monotonic()
        if own.memory_read_at is None or now - own.memory_read_at >= age_max_s:
            own.memory_read_at = now
            memory.peak_kib = max(memory.peak_kib, leader_peak_kib(memory.leader))


def _own(environment: Environment) -> ProcessEnvironment:
    assert isinstance(environment, ProcessEnvironment), "an environment of another driver"
    return environment


def _hard_limit(which: int) -> int:
    hard = resource.getrlimit(which)[1]
    return _OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else hard


def _open_exit_descriptor(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends, None where the kernel has none."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _wait_for_exit(
    process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop, on_exit: Callable[[], None]
) -> None:
    """
    Call `on_exit` on the loop once the process has ended. For kernels without process descriptors, in a thread.

    It reaps here, so for a moment the group's number is free while it still counts as ours; macOS gives numbers out
    in turn, which makes that moment harmless.
    """
    process.wait()
    # RuntimeError: the loop was closed first; nobody waits any more.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(on_exit)


def _has_members(group: int) -> bool:
    """Return whether a process group, whose leader has been reaped, still has members."""
    # Where the server is process 1 of a container, orphans become its children: it has to reap them, too.
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS says so of a group that holds zombies only; a member that changed its user is beyond our reach anyway.
        return False
    return True


def _has_running_members(group: int) -> bool:
    """Return whether any of the members is more than a zombie that its parent has not reaped yet. Not for the loop."""
    return not HAS_PROC or any(entry.group == group and entry.state not in "ZX" for entry in all_processes())
