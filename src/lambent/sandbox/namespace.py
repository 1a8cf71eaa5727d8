"""
The `namespace` driver: every wall that Linux gives to root, without a container daemon.

This is the server's half: it orders parts of environments from the spawner, hands code to parked ones, and watches
their ends. Nothing here is privileged but two calls: making the read-only view of a package, and the mount of a
directory. Freezing, thawing and accounting are direct reads and writes on descriptors that the spawner sent.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from lambent.clock import Clock
from lambent.errors.families import DependencyError
from lambent.sandbox.contract import Assignment, DriverSettings, Environment, Exit, ParkedKind, SandboxStartError, Stats
from lambent.sandbox.filesystem import directory_mount, folder_mount
from lambent.sandbox.limits import GroupHandles
from lambent.sandbox.network import TRACE_ADDRESS
from lambent.sandbox.process_table import child_numbered, pid_of
from lambent.sandbox.spawner import PARKED
from lambent.sandbox.walls import Wall

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_TASK_ROOT = "/var/task"
_LAYERS_ROOT = "/opt"
_RUNTIME_API_ADDRESS = "127.0.0.1:9001"
"""Documented: AWS's own value of AWS_LAMBDA_RUNTIME_API."""

_LOG_DESCRIPTOR = "3"
_TMP_MIB = 512
_RUNTIME_PID = 2
"""Within its environment: process 1 forks it first, see `inside/zygote.py`."""
_UID_BASE = 1_900_000_000
_UIDS_PER_INSTANCE = 65_536
"""
Documented: systemd, Users, Groups, UIDs and GIDs: nobody hands out the numbers from 1,879,048,192 on. Each data folder
has a stretch of its own, so that functions of two servers on one machine never share a user.
"""

_MOUNTS_AT_ONCE = 2
"""Of one directory. Assumed: mounting takes microseconds, or for ever where it is on a machine that does not answer."""

_START_TRIES_S = (0.0, 0.1, 0.5, 2.0)
"""Assumed: how long to wait before a spawner that died is started again; the last one repeats."""

_CLEAN_UP_MAX_S = 20.0
"""Assumed: a thousand environments end in four seconds; what takes longer hangs."""

_NO_DESCRIPTORS = "the server has no descriptors left"

_SPAWNER = """
import sys
sys.path[:] = sys.argv[2:]
from lambent.sandbox.spawner import main
main(int(sys.argv[1]))
"""


class Group(Protocol):
    """What holds an environment's processes together."""

    def set_memory(self, memory_mib: int) -> None: ...
    def set_cpu(self, memory_mib: int | None) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def kill(self) -> None: ...
    def cpu_us(self) -> int: ...
    def memory_peak_bytes(self) -> int: ...
    def oom_kills(self) -> int: ...
    def oom_event(self) -> int | None: ...
    def close(self) -> None: ...


class NamespaceEnvironment:
    """One environment as the server sees it: a handful of descriptors."""

    def __init__(self, environment_id: str, descriptors: list[int], group: "Group") -> None:
        self.id = environment_id
        parts = dict(zip(PARKED, descriptors, strict=True))
        self.orders = socket.socket(fileno=parts["orders"])
        self.orders.setblocking(False)
        self.output = parts["output"]
        os.set_blocking(self.output, False)
        self.status = parts["status"]
        self.runtime_listener = socket.socket(fileno=parts["runtime_listener"])
        self.runtime_listener.setblocking(False)
        self.gateway_listener: socket.socket | None = socket.socket(fileno=parts["gateway_listener"])
        self.gateway_listener.setblocking(False)
        self.trace_port: socket.socket | None = socket.socket(fileno=parts["trace_port"])
        self.trace_port.setblocking(False)
        self.trace_address = TRACE_ADDRESS
        self.runtime_api_address = _RUNTIME_API_ADDRESS
        self.group = group
        self.loop = asyncio.get_running_loop()
        self.process: int | None = None
        """A descriptor of the environment's first process."""
        self.memory_mib = 0
        self.is_set_up = False
        """Whether its second process waits for work."""
        self.parked: asyncio.Future[None] = self.loop.create_future()
        self.started: asyncio.Future[None] | None = None
        self.ended: asyncio.Future[Exit] = self.loop.create_future()
        self.last_stats = Stats(memory_peak_mib=1)
        self.oom_event: int | None = None
        self.is_out_of_memory = False
        self.is_lost = False
        self.is_killed = False
        self.is_released = False


class NamespaceSandbox:
    """
    The driver named `namespace`.

    Args:
        settings: `run_folder` is for the spawner alone; `function_user` does not matter here.
        clock: where time, timers and ids come from.
    """

    name = "namespace"
    holds = frozenset(Wall)
    has_own_root = True
    parks_ahead = True
    freeze_after_s = 0.005
    # Freezing and thawing take some 25 microseconds of the server together: more than a tenth of a warm call. Where
    # calls follow each other within milliseconds there is nothing to stop.
    is_privileged = True

    def __init__(self, settings: DriverSettings, clock: Clock) -> None:
        self._clock = clock
        folder = settings.run_folder.resolve()
        instance = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
        work = folder / "spawner"
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._empty = work / "empty"
        self._empty.mkdir(mode=0o700, exist_ok=True)
        self._setup = {
            "instance": instance,
            "uid_base": _UID_BASE + int(instance, 16) % 3000 * _UIDS_PER_INSTANCE,
            "work": str(work),
            "egress": settings.egress,
            "allow_host": settings.allow_host,
            "allow_net": settings.allow_net,
            "privileged": self.is_privileged,
        }
        self._spawner: _SpawnerLink | None = None
        self._starting: asyncio.Task[_SpawnerLink] | None = None
        self._failed_starts = 0
        self._environments: dict[str, NamespaceEnvironment] = {}
        self._mounters: dict[str, ThreadPoolExecutor] = {}
        """By directory of the operator: it may be on another machine, for which neither the loop nor others wait."""
        self._unmapped: set[str] = set()
        """Directories of which the log has it that environments do not act as their owner."""
        self._is_closing = False

    def task_root(self, package: Path) -> str:
        return _TASK_ROOT

    def layers_root(self, layers: Path) -> str:
        return _LAYERS_ROOT

    async def end_leftovers(self) -> int:
        link = await self._link()
        left, link.hello["left"] = int(link.hello["left"]), 0
        return left

    # Parking -----------------------------------------------------------------------------------------------------

    async def park(self, kind: ParkedKind) -> NamespaceEnvironment:
        link = await self._link()
        environment_id = self._clock.token_hex(16)
        order = {"op": "park", "id": environment_id, "kind": msgspec.to_builtins(kind)}
        try:
            descriptors = await link.ask(order)
        except BaseException:
            link.tell({"op": "gone", "id": environment_id})
            raise
        group = self._group(descriptors[len(PARKED) :])
        environment = NamespaceEnvironment(environment_id, descriptors[: len(PARKED)], group)
        self._environments[environment_id] = environment
        environment.loop.add_reader(environment.orders, self._read_orders, environment)
        try:
            await asyncio.shield(environment.parked)
        except SandboxStartError as error:
            self._discard(environment)
            raise DependencyError(f"no environment could be parked: {error}", retryable=True) from error
        except BaseException:
            self._discard(environment)
            raise
        return environment

    def _group(self, descriptors: list[int]) -> Group:
        return GroupHandles(descriptors)

    def _process_known(self, environment: NamespaceEnvironment) -> None:
        """Do what can be done only once there is a process."""

    def _discard(self, environment: NamespaceEnvironment) -> None:
        self.kill(environment)
        self.release(environment)

    def _read_orders(self, environment: NamespaceEnvironment) -> None:
        """Take in what the environment's processes say: see `inside/zygote.py`."""
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(environment.orders, 4096, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            what, text = data[:1], data[1:].decode("utf-8", "replace")
            if what == b"P" and not descriptors:
                # The kernel leaves out those for which this process has no room.
                what, text = b"F", _NO_DESCRIPTORS
            if what == b"P":
                environment.process = descriptors[0]
                environment.loop.add_reader(environment.process, self._process_ended, environment)
                self._process_known(environment)
                self._said_to_be_there(environment)
            elif what == b"R":
                environment.is_set_up = True
                self._said_to_be_there(environment)
            else:
                failure = SandboxStartError(text or "its zygote has ended")
                if not environment.parked.done():
                    environment.parked.set_exception(failure)
                elif environment.started is not None and not environment.started.done():
                    if what == b"F":
                        environment.started.set_exception(failure)
                    else:
                        environment.started.set_result(None)
                if not data:
                    environment.loop.remove_reader(environment.orders)
                    return

    @staticmethod
    def _said_to_be_there(environment: NamespaceEnvironment) -> None:
        # The two are said by two processes, either of which may be the first. What is not known cannot be ended.
        is_there = environment.is_set_up and environment.process is not None
        if is_there and not environment.parked.done():
            environment.parked.set_result(None)

    # Running -----------------------------------------------------------------------------------------------------

    async def assign(self, environment: Environment, assignment: Assignment) -> None:
        own = _own(environment)
        assert own.started is None and not own.is_killed, "an environment is assigned once"
        own.started = own.loop.create_future()
        mounts: list[str] = []
        descriptors: list[int] = []
        try:
            for where, folder in ((_TASK_ROOT, assignment.package), (_LAYERS_ROOT, assignment.layers)):
                if folder is not None:
                    descriptors += await self._code(own, folder)
                    mounts.append(where)
            for where, directory in assignment.file_systems:
                descriptors += await self._directory(own, directory)
                mounts.append(where)
            if assignment.tmp_mib != _TMP_MIB:
                link = await self._link()
                descriptors += await link.ask({"op": "tmp", "id": own.id, "mib": assignment.tmp_mib})
                mounts.append("/tmp")
            own.memory_mib = assignment.memory_mib
            own.group.set_memory(assignment.memory_mib)
            own.oom_event = own.group.oom_event()
            if own.oom_event is not None:
                own.loop.add_reader(own.oom_event, self._out_of_memory, own)
            message = {
                "mounts": mounts,
                "argv": list(assignment.argv),
                "environ": {**assignment.environ, "_LAMBDA_TELEMETRY_LOG_FD": _LOG_DESCRIPTOR},
                "working_directory": assignment.working_directory,
                "in_zygote": assignment.in_zygote,
            }
            socket.send_fds(own.orders, [msgspec.json.encode(message)], descriptors)
        except OSError as error:
            raise DependencyError(f"an environment could not be given its work: {error}", retryable=True) from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        await asyncio.shield(own.started)

    async def _code(self, own: NamespaceEnvironment, package: Path) -> list[int]:
        """Return a mount of the package, as one descriptor."""
        try:
            return [folder_mount(str(package), str(self._empty))]
        except OSError as error:
            raise DependencyError(f"the package cannot be mounted: {error}", retryable=True) from error

    async def _directory(self, own: NamespaceEnvironment, directory: str) -> list[int]:
        """
        Return a mount of a directory that may be written to, as one descriptor.

        Environments are different users; so each acts as the owner of the directory there, and finds what others left.
        """
        mapping: list[int] = []
        try:
            about = await self._aside(own, directory, partial(os.stat, directory))
            mapping = await self._owner_mapping(own, directory, about)
            if mapping:
                try:
                    return [await self._aside(own, directory, partial(directory_mount, directory, mapping[0]))]
                except OSError as error:
                    # NFS and some others do not show users as others.
                    self._warn_unmapped(directory, f"its file system refuses: {error.strerror}")
            return [await self._aside(own, directory, partial(directory_mount, directory))]
        except OSError as error:
            raise DependencyError(f"{directory} cannot be mounted: {error}", retryable=True) from error
        finally:
            for descriptor in mapping:
                os.close(descriptor)

    async def _owner_mapping(self, own: NamespaceEnvironment, directory: str, about: os.stat_result) -> list[int]:
        """Return what lets an environment act as the owner of a directory, as one descriptor; none where it may not."""
        if about.st_uid == 0:
            self._warn_unmapped(directory, "it is root's, and functions never act as root: chown it to another user")
            return []
        link = await self._link()
        try:
            return await link.ask({"op": "mapping", "id": own.id, "owner": about.st_uid, "group": about.st_gid})
        except DependencyError as error:
            if own.is_killed or own.is_lost or link is not self._spawner:
                raise
            # The machine has no user namespaces, or none to spare.
            self._warn_unmapped(directory, str(error))
            return []

    def _warn_unmapped(self, directory: str, reason: str) -> None:
        if directory not in self._unmapped:
            self._unmapped.add(directory)
            _log.warning(
                "file_system.owner_not_mapped directory=%s reason=%r meaning='each execution environment is a user of "
                "its own there, and cannot write to files of another'",
                directory,
                reason,
            )

    async def _aside(self, own: NamespaceEnvironment, directory: str, work: Callable[[], _T]) -> _T:
        """
        Do something with a directory in a thread. Nobody waits for a thread beyond the end of the environment.

        Raises:
            DependencyError: the environment has ended, or the server stops.
        """
        if self._is_closing:
            raise DependencyError("the server stops", retryable=True)
        mounter = self._mounters.get(directory)
        if mounter is None:
            mounter = ThreadPoolExecutor(max_workers=_MOUNTS_AT_ONCE, thread_name_prefix="sandbox-mount")
            self._mounters[directory] = mounter
        doing = own.loop.run_in_executor(mounter, work)
        ends: set[asyncio.Future[Any]] = {doing, own.ended}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            doing.add_done_callback(_close_made)
            raise
        if not doing.done():
            doing.add_done_callback(_close_made)
            raise DependencyError(f"{directory} has not answered before the environment ended", retryable=True)
        return doing.result()

    def end_init(self, environment: Environment) -> None:
        own = _own(environment)
        if not own.is_released:
            own.group.set_cpu(own.memory_mib)

    def freeze(self, environment: Environment) -> None:
        own = _own(environment)
        if not own.is_released:
            own.group.freeze()

    def thaw(self, environment: Environment) -> None:
        own = _own(environment)
        if not own.is_released:
            own.group.thaw()

    def watch(self, environment: Environment, busy: bool) -> None:
        """Nothing: the kernel enforces memory at any time."""

    def stats(self, environment: Environment) -> Stats:
        own = _own(environment)
        if not own.is_released:
            own.last_stats = Stats(
                memory_peak_mib=max(1, -(-own.group.memory_peak_bytes() // 1_048_576)), cpu_us=own.group.cpu_us()
            )
        return own.last_stats

    # Ending ------------------------------------------------------------------------------------------------------

    def terminate(self, environment: Environment) -> None:
        own = _own(environment)
        if own.is_killed or own.process is None or own.started is None or own.ended.done():
            return
        own.group.thaw()
        # Not through process 1, which has no right left to signal a process of another user.
        first = pid_of(own.process)
        runtime = None if first is None else child_numbered(first, _RUNTIME_PID)
        with contextlib.suppress(OSError):
            if first is None or runtime is None:
                return
            descriptor = os.pidfd_open(runtime)
            try:
                # Still the same, both: else they have ended meanwhile, and their numbers may be somebody else's.
                if child_numbered(first, _RUNTIME_PID) == runtime and pid_of(own.process) == first:
                    signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            finally:
                os.close(descriptor)

    def kill(self, environment: Environment) -> None:
        own = _own(environment)
        if own.is_killed:
            return
        own.is_killed = True
        own.runtime_listener.close()
        if own.gateway_listener is not None:
            own.gateway_listener.close()
        self._end_processes(own)
        if own.process is None:
            # Its first process has not been seen, nor will it be: nobody reads its orders any more.
            own.loop.remove_reader(own.orders)
            if not own.parked.done():
                own.parked.cancel()
            self._end(own, Exit(signal=signal.SIGKILL))

    def _end_processes(self, own: NamespaceEnvironment) -> None:
        own.group.kill()
        if own.process is not None:
            # Enough by itself as long as nothing is frozen, and it takes no descriptor, which may be what is lacking.
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(own.process, signal.SIGKILL)

    def _out_of_memory(self, own: NamespaceEnvironment) -> None:
        """The kernel has ended one process: end the others. The limit is on the environment, not on one of them."""
        if own.oom_event is not None:
            own.loop.remove_reader(own.oom_event)
            own.oom_event = None
        # Told before the kernel has picked a process; ours may be the first to end one, and nothing counts that.
        own.is_out_of_memory = True
        self._end_processes(own)

    def _process_ended(self, own: NamespaceEnvironment) -> None:
        """The first process is gone, and with it everything in its process namespace."""
        assert own.process is not None
        own.loop.remove_reader(own.process)
        try:
            data = os.read(own.status, 4)
        except OSError:
            data = b""
        if len(data) == 4:
            status = struct.unpack("i", data)[0]
            how = Exit(status=os.WEXITSTATUS(status)) if os.WIFEXITED(status) else Exit(signal=os.WTERMSIG(status))
        else:
            how = Exit(signal=signal.SIGKILL)
        if own.oom_event is not None:
            with contextlib.suppress(OSError):
                # Both may have become readable in one step of the loop.
                own.is_out_of_memory = os.eventfd_read(own.oom_event) > 0
        if not own.is_killed and (own.is_out_of_memory or own.group.oom_kills()):
            how = Exit(signal=signal.SIGKILL, out_of_memory=True)
        elif len(data) != 4 and not own.is_killed:
            # Nobody ended the runtime and it did not end by itself: its zygote or the spawner did.
            how = msgspec.structs.replace(how, is_lost=True)
            if self._spawner is not None:
                # Before anybody hears of this end: who comes back at once is to find none of the others, which end too.
                self._spawner.look()
        self._end(own, how)

    def _end(self, own: NamespaceEnvironment, how: Exit) -> None:
        if not own.ended.done():
            own.ended.set_result(msgspec.structs.replace(how, is_lost=True) if own.is_lost else how)
        # Whoever waits for a start finds out by the end.
        if own.started is not None and not own.started.done():
            own.started.set_result(None)
        if not own.parked.done():
            own.parked.set_exception(SandboxStartError("the environment has ended"))

    async def wait(self, environment: Environment) -> Exit:
        return await asyncio.shield(_own(environment).ended)

    def release(self, environment: Environment) -> None:
        own = _own(environment)
        if own.is_released:
            return
        self.stats(own)
        own.is_released = True
        self._environments.pop(own.id, None)
        own.loop.remove_reader(own.orders)
        own.orders.close()
        if own.process is not None:
            own.loop.remove_reader(own.process)
            os.close(own.process)
        if own.oom_event is not None:
            own.loop.remove_reader(own.oom_event)
        own.group.close()
        if own.trace_port is not None:
            own.trace_port.close()
        os.close(own.output)
        os.close(own.status)
        if own.parked.done() and not own.parked.cancelled():
            own.parked.exception()
        if self._spawner is not None:
            self._spawner.tell({"op": "gone", "id": own.id})

    async def close(self) -> None:
        self._is_closing = True
        for mounter in self._mounters.values():
            mounter.shutdown(wait=False, cancel_futures=True)
        environments = list(self._environments.values())
        # All at once: one after the other, each would wait for the kernel to end its namespaces, ten times as long.
        for environment in environments:
            self.kill(environment)
        for environment in environments:
            await self.wait(environment)
            self.release(environment)
        if self._starting is not None:
            self._starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, DependencyError):
                await self._starting
        if self._spawner is not None:
            spawner, self._spawner = self._spawner, None
            spawner.let_go()
            await asyncio.get_running_loop().run_in_executor(None, spawner.wait)

    # The spawner -------------------------------------------------------------------------------------------------

    async def _link(self) -> "_SpawnerLink":
        """
        Return the link to a living spawner, started if need be.

        Raises:
            DependencyError: it cannot be started now.
        """
        if self._spawner is not None:
            return self._spawner
        if self._is_closing:
            raise DependencyError("the server stops", retryable=True)
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start_spawner(), name="spawner-start")
        return await asyncio.shield(self._starting)

    async def _start_spawner(self) -> "_SpawnerLink":
        try:
            await self._clock.sleep(_START_TRIES_S[min(self._failed_starts, len(_START_TRIES_S) - 1)])
            self._failed_starts += 1
            link = _SpawnerLink(self._setup, self._spawner_lost)
            try:
                await link.greet()
            except asyncio.CancelledError:
                link.let_go()
                await asyncio.get_running_loop().run_in_executor(None, link.wait)
                raise
        finally:
            self._starting = None
        self._failed_starts = 0
        self._spawner = link
        for reason in link.hello["reasons"]:
            _log.warning("sandbox.weaker driver=namespace reason=%r", reason)
        return link

    def _spawner_lost(self, link: "_SpawnerLink") -> None:
        """The spawner has ended: so have its zygotes, and so will have its environments."""
        if link is not self._spawner:
            return
        self._spawner = None
        _log.error("sandbox.spawner_lost environments=%d", len(self._environments))
        for environment in list(self._environments.values()):
            environment.is_lost = True
            self._end_processes(environment)
            # Now, and not when the kernel is done with it: nothing may be given to one that is about to end.
            self._end(environment, Exit(signal=signal.SIGKILL))


class _SpawnerLink:
    """The spawner's process and the socket to it."""

    def __init__(self, setup: Mapping[str, Any], lost: Any) -> None:
        self.hello: dict[str, Any] = {}
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        paths = [path for path in sys.path if path]
        try:
            # Isolated and without site: it starts in half the time and imports nothing that it was not told to.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _SPAWNER, str(theirs.fileno()), *paths],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        except OSError as error:
            self._socket.close()
            raise DependencyError(f"the spawner cannot be started: {error}", retryable=True) from error
        finally:
            theirs.close()
        self._asked: dict[str, asyncio.Future[list[int]]] = {}
        self._waiting: deque[bytes] = deque()
        self._greeting: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._is_closed = False
        self._loop.add_reader(self._socket, self.look)
        self.tell(setup)

    async def greet(self) -> None:
        """Wait until the spawner is ready."""
        answer = await self._greeting
        if "error" in answer:
            self.let_go()
            # It cleans up first, which may take seconds; invocations go on meanwhile.
            await self._loop.run_in_executor(None, self.wait)
            raise DependencyError(f"the spawner cannot work: {answer['error']}", retryable=False)
        self.hello = answer

    async def ask(self, order: Mapping[str, Any]) -> list[int]:
        """
        Order something and return its descriptors, which are the caller's.

        Raises:
            DependencyError: the spawner cannot make it, or has ended.
        """
        answer: asyncio.Future[list[int]] = self._loop.create_future()
        self._asked[order["id"]] = answer
        self.tell(order)
        try:
            return await answer
        except asyncio.CancelledError:
            # Cancelled in the moment between the answer and its being taken: nobody else knows of these.
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                for descriptor in answer.result():
                    os.close(descriptor)
            raise

    def tell(self, order: Mapping[str, Any]) -> None:
        """Order something that has no answer."""
        if self._is_closed:
            return
        self._waiting.append(msgspec.json.encode(order))
        if len(self._waiting) == 1:
            self._write()

    def _write(self) -> None:
        while self._waiting:
            try:
                self._socket.send(self._waiting[0])
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._write)
                return
            except OSError:
                # It has ended; reading tells.
                self._waiting.clear()
                break
            self._waiting.popleft()
        self._loop.remove_writer(self._socket)

    def look(self) -> None:
        """Read what the spawner says; at its end tell whoever has to know."""
        while not self._is_closed:
            try:
                data, descriptors, flags, _ = socket.recv_fds(self._socket, 65_536, 32, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors, flags = b"", [], 0
            if not data:
                self._ended()
                return
            answer = json.loads(data)
            if not self._greeting.done():
                self._greeting.set_result(answer)
                continue
            asked = self._asked.pop(answer["id"], None)
            if flags & socket.MSG_CTRUNC:
                _log.error("sandbox.no_descriptors remedy='raise the limit of open files: ulimit -n'")
                answer["error"] = _NO_DESCRIPTORS
            if asked is None or asked.done() or "error" in answer:
                for descriptor in descriptors:
                    os.close(descriptor)
            if asked is None or asked.done():
                continue
            if "error" in answer:
                asked.set_exception(DependencyError(f"no environment: {answer['error']}", retryable=True))
            else:
                asked.set_result(list(descriptors))

    def _ended(self) -> None:
        self.let_go()
        self.wait()
        if not self._greeting.done():
            self._greeting.set_result({"error": "it has ended"})
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(DependencyError("the spawner has ended", retryable=True))
        self._asked.clear()
        self._lost(self)

    def let_go(self) -> None:
        """Close the socket: the spawner then ends everything, and itself. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()

    def wait(self) -> None:
        """Wait until it has cleaned up and ended. Blocks."""
        try:
            self._process.wait(timeout=_CLEAN_UP_MAX_S)
        except subprocess.TimeoutExpired:
            # What it leaves is found and ended by the next start.
            self._process.kill()
            self._process.wait()


def _close_made(doing: "asyncio.Future[Any]") -> None:
    """Close the descriptor that nobody takes any more."""
    if not doing.cancelled() and doing.exception() is None and isinstance(doing.result(), int):
        os.close(doing.result())


def _own(environment: Environment) -> NamespaceEnvironment:
    assert isinstance(environment, NamespaceEnvironment), "an environment of this driver"
    return environment
