"""
A zygote: forks processes of execution environments, parks them, and turns them into runtimes once a function is known.

Runs as root inside the root that environments will have, with a runtime loaded and no customer code: `serve` takes
orders from the spawner. Each environment is two processes: its process 1, which sets up the namespaces and then only
waits, and the runtime, which keeps its privileges until the package is mounted. Runs alone on any Python from 3.8 on.

A command that is started ahead gives its privileges up before: there process 1 keeps them until the package is mounted,
and then hands over what the command waits for, see `_HandOver`.

What an environment's processes say on its orders socket: P (with a descriptor of process 1), R when it is parked, F and
a text when what was ordered cannot be done, and the end of the stream once the runtime runs.
"""

import contextlib
import errno
import gc
import importlib.util
import json
import os
import resource
import select
import signal
import socket
import struct
from typing import TYPE_CHECKING, Any, Dict, List, NoReturn, Optional, Tuple

if TYPE_CHECKING:
    from lambent.sandbox.inside import system_calls
else:
    _spec = importlib.util.spec_from_file_location(
        "lambent_system_calls", os.path.join(os.path.dirname(os.path.abspath(__file__)), "system_calls.py")
    )
    system_calls = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(system_calls)

_MESSAGE_BYTES = 262_144
_DESCRIPTORS_MAX = 16
_LOG_DESCRIPTOR = 3
_ORDERS_DESCRIPTOR = 63
"""Beyond what a runtime expects to find, and below any limit of open descriptors."""

_LINK_DESCRIPTOR = 62
"""Likewise: where a command that is started ahead finds its link to process 1."""

_AHEAD_MAX_S = 30.0
"""Assumed: an interpreter starts in a second even on a busy machine; one that is not ready by then never will be."""

_OPEN_FILES = 1024
"""Documented: Lambda quotas, file descriptors per execution environment."""

_PROCESSES = 1024
"""Documented: Lambda quotas, processes and threads per execution environment. Where there are no control groups."""

_OUT_OF_MEMORY_SCORE = b"1000"
"""Functions go first when memory runs out, their own or the machine's; never process 1 or the server."""

_MASKED = (
    "acpi", "cmdline", "diskstats", "kallsyms", "kcore", "key-users", "keys", "kmsg", "latency_stats", "modules",
    "partitions", "sched_debug", "scsi", "sysrq-trigger", "timer_list",
)  # fmt: skip
"""Files and folders of /proc that tell about the machine and that no runtime reads."""

_READ_ONLY = ("sys", "irq", "bus", "fs")
"""What could be written by whoever has the number of the machine's root, as in a user namespace of root's."""

_HIDDEN = system_calls.MS_NOSUID | system_calls.MS_NODEV | system_calls.MS_NOEXEC

_SIGNALS_FROM_PARENT = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _make_mount_points(targets: "List[str]") -> None:
    """Make folders in /mnt, which is as read-only as the root before and after."""
    system_calls.mount("tmpfs", "/mnt", "tmpfs", _HIDDEN, "size=64k,nr_inodes=16,mode=755")
    for target in targets:
        os.mkdir(target)
    system_calls.mount(None, "/mnt", None, system_calls.MS_REMOUNT | system_calls.MS_RDONLY | _HIDDEN, "size=64k")


def receive(link: socket.socket) -> "Tuple[Optional[Dict[str, Any]], List[int]]":
    """Return the next message and the descriptors that came with it; None at the end of the stream."""
    # Not socket.recv_fds, which Python 3.8 does not have.
    size = struct.calcsize("i")
    data, ancillary, _, _ = link.recvmsg(
        _MESSAGE_BYTES, socket.CMSG_LEN(_DESCRIPTORS_MAX * size), socket.MSG_CMSG_CLOEXEC
    )
    descriptors: List[int] = []
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.extend(struct.unpack("%di" % (len(payload) // size), payload[: len(payload) // size * size]))
    return (json.loads(data) if data else None), descriptors


def _send_descriptor(link: socket.socket, data: bytes, descriptor: int) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))]
    with contextlib.suppress(OSError):
        link.sendmsg([data], rights)


def serve(descriptor: int, is_loaded: bool) -> Dict[str, str]:
    """
    Take orders until the spawner goes. Returns only in forked processes that are to be the runtime which is loaded
    here: the complete environment, once they have given up their privileges.

    Args:
        descriptor: the spawner's end of a SEQPACKET pair's other end.
        is_loaded: whether there is such a runtime; else all are started by exec.
    """
    link = socket.socket(fileno=descriptor)
    link.set_inheritable(False)
    system_calls.die_with_parent()
    # Children of this process are first processes of environments: whoever cares has a descriptor of theirs.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    setup, _ = receive(link)
    if setup is None:
        os._exit(0)
    zygote = _Zygote(bytes.fromhex(setup["filter"]), bool(setup["privileged"]), is_loaded)
    gc.collect()
    # What is here now stays untouched in the children, so that its memory stays shared.
    gc.freeze()
    gc.disable()
    link.send(b"ready")
    while True:
        order, descriptors = receive(link)
        if order is None:
            os._exit(0)
        environ = zygote.park(order, descriptors, link)
        if environ is not None:
            # Nothing of what led here is left below the runtime: not a frame, not a descriptor.
            return environ
        for one in descriptors:
            os.close(one)


class _Zygote:
    def __init__(self, program: bytes, privileged: bool, is_loaded: bool) -> None:
        self._program = program
        self._privileged = privileged
        """Whether this is the machine's root; else the root of a user namespace, which has one user and no more."""
        self._is_loaded = is_loaded
        if privileged:
            # Once for all that are forked here. A user namespace of its own gives them all back.
            system_calls.drop_bounding_capabilities()

    def park(self, order: Dict[str, Any], descriptors: List[int], link: socket.socket) -> Optional[Dict[str, str]]:
        """
        Fork one environment; in its runtime return what `serve` does, here None.

        What goes wrong is told to whoever holds the other end of its orders socket.
        """
        given = dict(zip(order["descriptors"], descriptors))
        orders = socket.socket(fileno=os.dup(given["orders"]))
        flags = (
            system_calls.CLONE_NEWNS | system_calls.CLONE_NEWPID | system_calls.CLONE_NEWIPC | system_calls.CLONE_NEWUTS
        )
        if not self._privileged:
            # One for each environment: the kernel counts a user's processes by user namespace.
            flags |= system_calls.CLONE_NEWUSER
        try:
            if not self._privileged:
                # From a user namespace of its own the child could not enter one that belongs to ours.
                system_calls.setns(given["network"], system_calls.CLONE_NEWNET)
            pid, process = system_calls.clone(flags, given.get("cgroup", -1))
        except OSError as error:
            with contextlib.suppress(OSError):
                orders.send(("F%s" % error.strerror).encode())
            orders.close()
            return None
        if pid == 0:
            try:
                link.close()
                return self._be_first(order, given, orders)
            except BaseException as error:
                _give_up(orders, error)
        _send_descriptor(orders, b"P", process)
        os.close(process)
        orders.close()
        return None

    def _be_first(self, order: Dict[str, Any], given: Dict[str, int], orders: socket.socket) -> Dict[str, str]:
        """Be process 1 of the environment: set up its namespaces, fork the runtime, wait, tell how it ended."""
        system_calls.die_with_parent()
        for number in _SIGNALS_FROM_PARENT:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        for name in order["descriptors"]:
            if name.startswith("procs"):
                os.write(given[name], b"0")
        if self._privileged:
            system_calls.setns(given["network"], system_calls.CLONE_NEWNET)
        system_calls.unshare(system_calls.CLONE_NEWCGROUP)
        system_calls.mount("proc", "/proc", "proc", _HIDDEN)
        if not self._privileged:
            system_calls.map_user(order["uid"], order["gid"], 0, 0)
        _mount_own(order, given.get("tmp"))
        socket.sethostname(order["hostname"])
        ahead = order["ahead"]
        if ahead is not None:
            self._start_ahead(ahead, order, given, orders)
        runtime = os.fork()
        if runtime != 0:
            self._stay_first(runtime, given["status"])
        try:
            environ = self._be_runtime(order, given, orders)
        except BaseException as error:
            _give_up(orders, error)
        return environ

    def _start_ahead(
        self, ahead: Dict[str, Any], order: Dict[str, Any], given: Dict[str, int], orders: socket.socket
    ) -> NoReturn:
        """Start a command before the function is known, without any privilege; give it one, and be process 1."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        runtime = os.fork()
        if runtime == 0:
            ours.close()
            orders.close()
            try:
                self._be_ahead(ahead, order, given, theirs)
            except BaseException as error:
                _give_up(theirs, error)
        theirs.close()
        ours.settimeout(_AHEAD_MAX_S)
        said = ours.recv(4096)
        if said != b"R":
            # It was not executed, or has ended: who waits for process 1 learns how.
            orders.send(said or b"Fwhat was started ahead has ended")
            self._stay_first(runtime, given["status"])
        ours.settimeout(None)
        orders.send(b"R")
        waiting = select.poll()
        for one in (orders, ours):
            waiting.register(one, select.POLLIN)
        if ours.fileno() in dict(waiting.poll()):
            # It has ended; nobody has asked for it yet, or the order is about to come and finds it gone.
            self._stay_first(runtime, given["status"])
        work, descriptors = receive(orders)
        if work is None:
            os._exit(0)
        _mount_function(work["mounts"], descriptors)
        self._stay_first(runtime, given["status"], _HandOver(work, ours, orders))

    def _be_ahead(
        self, ahead: Dict[str, Any], order: Dict[str, Any], given: Dict[str, int], link: socket.socket
    ) -> NoReturn:
        """Be a runtime whose function is not known yet: all that a runtime is, but for the function."""
        link = _become_leader(given["output"], link, _LINK_DESCRIPTOR)
        self._limit()
        self._give_up_privileges(order["uid"], order["gid"])
        link.set_inheritable(True)
        _execute({**ahead, "environ": {**ahead["environ"], "LAMBENT_AHEAD": str(link.fileno())}}, link)

    def _stay_first(self, runtime: int, status: int, hand_over: "Optional[_HandOver]" = None) -> NoReturn:
        """Be process 1 from here on: the function may be at work, and nothing of this process may be of use to it."""
        status = os.dup2(status, _ORDERS_DESCRIPTOR, inheritable=False)
        kept = [status] if hand_over is None else [*hand_over.move(), status]
        os.closerange(0, kept[0])
        system_calls.close_from(status + 1)
        system_calls.set_name("init")
        system_calls.hide_command_line()
        system_calls.set_dumpable(False)
        if not self._privileged:
            system_calls.drop_bounding_capabilities()
        system_calls.drop_capabilities()
        system_calls.forbid_new_privileges()
        # What has a handler also reaches process 1 from inside, where the function has the same user.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not self._privileged:
            _freeze_by_signal()
        if hand_over is not None:
            hand_over.finish()
        _wait_for(runtime, status)

    def _be_runtime(self, order: Dict[str, Any], given: Dict[str, int], orders: socket.socket) -> Dict[str, str]:
        """Be the runtime's process: park, take the one order, give up all privileges, run."""
        orders = _become_leader(given["output"], orders, _ORDERS_DESCRIPTOR)
        self._limit()
        _rehearse()
        orders.send(b"R")
        work, descriptors = receive(orders)
        if work is None:
            os._exit(0)
        _mount_function(work["mounts"], descriptors)
        self._give_up_privileges(order["uid"], order["gid"])
        if not work["in_zygote"]:
            _execute(work, orders)
        assert self._is_loaded
        orders.close()
        environ: Dict[str, str] = work["environ"]
        return environ

    def _limit(self) -> None:
        """Do ahead, while nobody waits, what of a runtime's rights does not stand in the way of mounting."""
        _forbid_core_dumps()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        if self._privileged:
            os.setgroups([])
        else:
            system_calls.drop_bounding_capabilities()
            # The namespace has no other user, and counts processes by itself.
            resource.setrlimit(resource.RLIMIT_NPROC, (_PROCESSES, _PROCESSES))
        system_calls.forbid_new_privileges()

    def _give_up_privileges(self, uid: int, gid: int) -> None:
        """Become the function's user for ever. `_limit` comes first."""
        if self._privileged:
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        else:
            system_calls.drop_capabilities()
        # Another user has made /proc/self root's: functions read their own.
        system_calls.set_dumpable(True)
        if self._program:
            system_calls.load_filter(self._program)


class _HandOver:
    """
    What process 1 gives to a command that was started ahead, once it has no privileges left itself.

    The command has said R on its link when it was ready. It finds there, up to the end of the stream, one JSON object:
    `environ`, the complete environment, and `working_directory`.
    """

    def __init__(self, work: Dict[str, Any], link: socket.socket, orders: socket.socket) -> None:
        self._text = json.dumps({name: work[name] for name in ("environ", "working_directory")}).encode()
        self._link = link
        self._orders = orders

    def move(self) -> List[int]:
        """Move the descriptors to where they may stay for now, below the one of the status; return them."""
        numbers = [_ORDERS_DESCRIPTOR - 2, _ORDERS_DESCRIPTOR - 1]
        for name, number in zip(("_link", "_orders"), numbers):
            moved = os.dup2(getattr(self, name).detach(), number, inheritable=False)
            setattr(self, name, socket.socket(fileno=moved))
        return numbers

    def finish(self) -> None:
        """Hand it over. Where the command has ended meanwhile, that is seen as the end of any runtime."""
        with contextlib.suppress(OSError):
            self._link.sendall(self._text)
        self._link.close()
        self._orders.close()


def _become_leader(output: int, link: socket.socket, link_at: int) -> socket.socket:
    """Have the session, the streams and the score of a runtime, one link at a number of its own, and nothing else."""
    os.setsid()
    os.umask(0o022)
    output = os.dup2(output, link_at - 1, inheritable=False)
    link_at = os.dup2(link.detach(), link_at, inheritable=False)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    for number in (1, 2, _LOG_DESCRIPTOR):
        os.dup2(output, number)
    os.closerange(_LOG_DESCRIPTOR + 1, link_at)
    system_calls.close_from(link_at + 1)
    with open("/proc/self/oom_score_adj", "wb", buffering=0) as score:
        score.write(_OUT_OF_MEMORY_SCORE)
    return socket.socket(fileno=link_at)


def _rehearse() -> None:
    """Read an order that is none: the memory that a fork copies at its first use is there when one comes."""
    json.loads('{"mounts": ["/var/task"], "environ": {"A": "B"}, "in_zygote": false, "memory": [1, 2.5, null]}')


def _mount_function(targets: "List[str]", descriptors: "List[int]") -> None:
    """Mount what is the function's where it belongs."""
    file_systems = [target for target in targets if target.startswith("/mnt/")]
    if file_systems:
        _make_mount_points(file_systems)
    for target, descriptor in zip(targets, descriptors):
        system_calls.move_mount(descriptor, target)
        os.close(descriptor)
        if target == "/tmp":
            os.chmod(target, 0o1777)


def _forbid_core_dumps() -> None:
    """
    Have a crash leave no core file and run no program of the machine's.

    Where core_pattern names a program, as it does on most machines, the kernel runs it as root, also with a limit of
    0. 1 is less than any core file has, and the kernel's own word for "no program". The filter keeps it so.
    Source: Linux, fs/coredump.c.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except ValueError:
        # The server itself was given 0, and is not root, who alone may raise it.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _give_up(orders: socket.socket, error: BaseException) -> NoReturn:
    """End a process that could not become what it was forked for, and say why."""
    try:
        with contextlib.suppress(OSError):
            orders.send(("F%s: %s" % (type(error).__name__, error)).encode())
    finally:
        os._exit(70)


def _execute(work: Dict[str, Any], orders: socket.socket) -> NoReturn:
    """Become the command; what keeps it from running is told in AWS's form."""
    # Ignored by Python for itself; a program that is executed expects them at their defaults.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    path = work["argv"][0]
    try:
        os.chdir(work["working_directory"])
    except OSError as error:
        orders.send(("Fchdir %s: %s" % (work["working_directory"], _reason(error))).encode())
        os._exit(1)
    try:
        os.execve(path, work["argv"], work["environ"])
    except OSError as error:
        orders.send(("Ffork/exec %s: %s" % (path, _reason(error))).encode())
        os._exit(1)


def _reason(error: OSError) -> str:
    # As Go writes them, in which AWS's own supervisor is written.
    if error.errno == errno.ENOEXEC:
        return "exec format error"
    return os.strerror(error.errno or 0).lower()


def _freeze_by_signal() -> None:
    """
    Stop all other processes of the environment on SIGUSR1, let them go on on SIGUSR2.

    Where there are no control groups: process 1 can do to all at once what nobody else can, and none of those that are
    stopped can undo it.
    """
    signal.signal(signal.SIGUSR1, lambda number, frame: _signal_all(signal.SIGSTOP))
    signal.signal(signal.SIGUSR2, lambda number, frame: _signal_all(signal.SIGCONT))


def _signal_all(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, number)


def _wait_for(child: int, status: int) -> NoReturn:
    """Reap whatever ends; leave when the runtime has. The kernel then ends the rest of the environment."""
    while True:
        try:
            pid, how = os.waitpid(-1, 0)
        except InterruptedError:
            continue
        if pid == child:
            os.write(status, struct.pack("i", how))
            os._exit(0)


def _mount_own(order: Dict[str, Any], tmp: Optional[int]) -> None:
    """Mount what each environment has for itself: masks over /proc, /tmp and the names of its user."""
    for name in _MASKED:
        path = "/proc/" + name
        if os.path.isdir(path):
            system_calls.mount("tmpfs", path, "tmpfs", _HIDDEN | system_calls.MS_RDONLY, "size=0,nr_inodes=1,mode=555")
        elif os.path.exists(path):
            system_calls.mount("/dev/null", path, None, system_calls.MS_BIND)
    read_only = system_calls.MS_BIND | system_calls.MS_REMOUNT | system_calls.MS_RDONLY | _HIDDEN
    for name in _READ_ONLY:
        path = "/proc/" + name
        if os.path.isdir(path):
            system_calls.mount(path, path, None, system_calls.MS_BIND | system_calls.MS_REC)
            system_calls.mount(None, path, None, read_only)
    # Empty until layers are mounted there: the root has a folder in it, for the loader of libraries.
    system_calls.mount("/var/empty", "/opt", None, system_calls.MS_BIND)
    if tmp is not None:
        system_calls.move_mount(tmp, "/tmp")
    else:
        system_calls.mount("tmpfs", "/tmp", "tmpfs", system_calls.MS_NOSUID | system_calls.MS_NODEV, order["tmp"])
    os.chmod("/tmp", 0o1777)
    # The user's number differs from environment to environment, so its name has to come with it.
    system_calls.mount("tmpfs", "/run", "tmpfs", _HIDDEN, "size=64k,nr_inodes=16,mode=755")
    for name, text in order["files"].items():
        with open("/run/" + name, "w") as file:
            file.write(text)
    system_calls.mount(None, "/run", None, system_calls.MS_REMOUNT | system_calls.MS_RDONLY | _HIDDEN, "size=64k")
