"""
What functions may try against the walls around them: one function per attack, named in `ATTACKS`.

This file is put into a deployment package and run there as a program, and without any walls as a control: the standard
library of Python 3.9 only. `attacks.py NAME JSON` calls an attack with keyword arguments and prints, as one line of
JSON, what became of it: mostly "ok" or the name of an error for everything that was tried.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import resource
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Optional

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_SIGCHLD = 17
_TIOCSTI = 0x5412
_BAD_POINTER = 1
_NO_DESCRIPTOR = 0xFFFFFFFF
_IPC_CREAT, _IPC_RMID = 0o1000, 0
_ST_NOSUID = 2
_PR_GET_NO_NEW_PRIVS = 39
_PTRACE_ATTACH, _PTRACE_DETACH = 16, 17
_KEYCTL_GET_KEYRING_ID = 0
_PROCESS_KEYRING = -2 & 0xFFFFFFFF
_PIECE = bytes(1 << 20)
_END_S = 20.0
"""After so long what was left running ends by itself, whoever has forgotten it."""

# x86-64, and the table that newer architectures share.
_NUMBERS = {
    "add_key": (248, 217), "bpf": (321, 280), "chroot": (161, 51), "clone": (56, 220), "clone3": (435, 435),
    "finit_module": (313, 273), "fsopen": (430, 430), "init_module": (175, 105), "io_uring_setup": (425, 425),
    "kexec_load": (246, 104), "keyctl": (250, 219), "mount": (165, 40), "move_mount": (429, 429),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438), "pidfd_open": (434, 434), "pivot_root": (155, 41), "process_vm_readv": (310, 270),
    "ptrace": (101, 117), "request_key": (249, 218), "setns": (308, 268), "umount2": (166, 39), "unshare": (272, 97),
    "userfaultfd": (323, 282),
}  # fmt: skip
_COLUMN = 0 if platform.machine() in ("x86_64", "amd64") else 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _call(name: str, *arguments: Any) -> int:
    """Make a system call. Raises OSError."""
    ctypes.set_errno(0)
    wide = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments]
    result: int = _libc.syscall(ctypes.c_long(_NUMBERS[name][_COLUMN]), *wide)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _tried(what: Callable[..., object], *arguments: Any) -> str:
    """Call something and return `ok`, or the name of the error."""
    try:
        what(*arguments)
    except socket.timeout:
        return "ETIMEDOUT"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return "ok"


def _tried_call(name: str, *arguments: Any) -> str:
    return _tried(_call, name, *arguments)


def _open(path: str, flags: int = os.O_RDONLY) -> None:
    os.close(os.open(path, flags, 0o600))


def _tried_apart(what: Callable[[], object]) -> str:
    """Try something in a child process, which keeps what it changes to itself."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = _tried(what)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    said = os.read(reading, 64).decode()
    os.close(reading)
    os.waitpid(child, 0)
    return said


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


# Using up -----------------------------------------------------------------------------------------------------------


def fork_bomb(processes_max: int) -> Any:
    """Start processes that stay until there can be no more of them."""
    children: list[int] = []
    error = "ok"
    while len(children) < processes_max and error == "ok":

        def fork() -> None:
            child = os.fork()
            if child == 0:
                while True:
                    signal.pause()
            children.append(child)

        error = _tried(fork)
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        os.waitpid(child, 0)
    return {"error": error, "processes": len(children)}


def fill_space(folder: str, mib_max: int) -> Any:
    """Write into one file until the disk is full."""
    path, written, error = Path(folder, "lambent-fill"), 0, "ok"
    with path.open("wb", buffering=0) as file:
        while written < mib_max and error == "ok":
            error = _tried(file.write, _PIECE)
            written = file.tell() >> 20
    path.unlink()
    return {"error": error, "mib": written}


def fill_files(folder: str, files_max: int) -> Any:
    """Make empty files until there can be no more of them."""
    made, error = 0, "ok"
    into = Path(folder, "lambent-many")
    into.mkdir()
    while made < files_max and error == "ok":
        error = _tried(os.mknod, f"{into}/{made}")
        made += error == "ok"
    for number in range(made):
        os.unlink(f"{into}/{number}")
    into.rmdir()
    return {"error": error, "files": made}


def fill_memory(mib_max: int) -> Any:
    """Touch more and more memory."""
    held = []
    for mib in range(1, mib_max + 1):
        held.append(mmap.mmap(-1, 1 << 20))
        for offset in range(0, 1 << 20, mmap.PAGESIZE):
            held[-1][offset] = 1
        if mib % 16 == 0:
            _say(mib=mib)
    return {"mib": len(held)}


def fill_buffers(mib_max: int, connections_max: int = 200) -> Any:
    """Send to oneself over TCP what nobody receives, until so much has been taken or there are so many connections."""
    held: list[socket.socket] = []
    sent = 0
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(4)
        while sent >> 20 < mib_max and len(held) < 2 * connections_max:
            pair = [socket.create_connection(listener.getsockname()), listener.accept()[0]]
            held += pair
            for sender in pair:
                sender.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while sent >> 20 < mib_max:
                        sent += sender.send(_PIECE)
    return {"mib": sent >> 20}


def use_processor() -> Any:
    """Never pause."""
    _say(up=True)
    end = time.monotonic() + _END_S
    while time.monotonic() < end:
        pass


def flood_output(mib: int) -> Any:
    """Print a lot."""
    line = b"x" * 1023 + b"\n"
    for _ in range(mib * 1024):
        os.write(1, line)
    return {"mib": mib}


# Files --------------------------------------------------------------------------------------------------------------


def read_files(paths: Sequence[str], name: str) -> Any:
    """Open files and folders, and look for one by its name wherever one may look."""
    found = []
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [one for one in folders if one not in {"proc", "sys", "usr", "dev"}]
        if name in files:
            found.append(folder)
    opened = {path: _tried(_open, path) for path in paths}
    return {"opened": opened, "found": found}


def change_files(folders: Sequence[str], files: Sequence[str]) -> Any:
    """Make a file in each folder; change the permissions and the contents of each file."""
    flags = os.O_CREAT | os.O_WRONLY
    said = {}
    for folder in folders:
        path = f"{folder}/lambent-intruder"
        said[folder] = _tried(_open, path, flags)
        with contextlib.suppress(OSError):
            os.unlink(path)
    for path in files:
        said[f"chmod {path}"] = _tried(os.chmod, path, 0o777)
        said[f"truncate {path}"] = _tried(_open, path, os.O_WRONLY | os.O_TRUNC)
    return said


def leave_files(folder: str, name: str, key: int) -> Any:
    """Leave something in a folder, in shared memory by name, and in shared memory by number."""
    place = {}
    for where in (folder, "/dev/shm"):
        place[where] = _tried(Path(where, name).write_text, "left")
    place["shmget"] = "ok" if _libc.shmget(key, 4096, _IPC_CREAT | 0o666) >= 0 else "refused"
    return place


def find_files(folder: str, name: str, key: int) -> Any:
    """Look for what `leave_files` left, and take it away."""
    found = []
    for where in (folder, "/dev/shm"):
        path = Path(where, name)
        if path.exists():
            found.append(where)
            path.unlink()
    segment = _libc.shmget(key, 4096, 0o666)
    if segment >= 0:
        found.append("shmget")
        _libc.shmctl(segment, _IPC_RMID, None)
    return {"found": found, "listed": sorted(os.listdir(folder))}


def use_devices(folder: str) -> Any:
    """List the devices, open some that lead out, and make one."""
    paths = ("/dev/mem", "/dev/kvm", "/dev/fuse", "/dev/loop-control", "/dev/net/tun", "/dev/vda", "/dev/sda")
    block = os.makedev(7, 0)
    path = f"{folder}/lambent-device"
    made = _tried(os.mknod, path, 0o600 | stat.S_IFBLK, block)
    with contextlib.suppress(OSError):
        os.unlink(path)
    return {
        "listed": sorted(os.listdir("/dev")),
        "opened": {one: _tried(_open, one) for one in paths},
        "made": made,
        "shared_memory": _tried(Path("/dev/shm/lambent-intruder").touch),
    }


def read_descriptors() -> Any:
    """Say what every open descriptor leads to."""
    seen = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            seen[name] = os.readlink(f"/proc/self/fd/{name}")
    return seen


def read_variables(secret: str) -> Any:
    """Say what variables there are, here and in the other processes that show theirs."""
    elsewhere = []
    for name in os.listdir("/proc"):
        if name.isdigit() and name != str(os.getpid()):
            with contextlib.suppress(OSError):
                if secret.encode() in Path("/proc", name, "environ").read_bytes():
                    elsewhere.append(name)
    return {"environ": dict(os.environ), "elsewhere": elsewhere}


def read_names() -> Any:
    """Collect every text that may tell where this is."""
    texts = [socket.gethostname(), " ".join(os.uname()), " ".join(sys.argv), os.getcwd()]
    paths = (
        "self/mountinfo", "self/mounts", "self/mountstats", "self/environ", "self/cmdline", "self/maps", "1/cmdline",
        "1/environ", "1/mountinfo", "cmdline", "sys/kernel/hostname", "keys", "modules", "partitions", "diskstats",
    )  # fmt: skip
    for path in [*(f"/proc/{path}" for path in paths), "/etc/hostname", "/etc/hosts", "/etc/machine-id"]:
        with contextlib.suppress(OSError):
            texts.append(Path(path).read_bytes().decode("utf-8", "replace"))
    return {"text": "\n".join(texts)}


def dump_core() -> Any:
    """Crash, with as large a core file as one may have; then ask for none at all."""

    def limit_after(wanted: int) -> int:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (wanted, wanted))
        return resource.getrlimit(resource.RLIMIT_CORE)[0]

    raised_to = limit_after(resource.RLIM_INFINITY)
    child = os.fork()
    if child == 0:
        os.abort()
    _, how = os.waitpid(child, 0)
    lowered_to = limit_after(0)
    return {
        "dumped": os.WCOREDUMP(how), "lowered_to": lowered_to, "raised_to": raised_to, "signal": os.WTERMSIG(how),
    }  # fmt: skip


# Processes ----------------------------------------------------------------------------------------------------------


def read_processes(marker: str) -> Any:
    """List processes, look for one by its command line, and read of process 1 what is private."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    marked = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if pid != os.getpid() and marker.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                marked.append(pid)
    private = {}
    for pid in [1, *marked]:
        for name in ("environ", "mem", "maps"):
            path = f"/proc/{pid}/{name}"
            private[path] = _tried(_open, path)
        private[f"/proc/{pid}/root"] = _tried(os.listdir, f"/proc/{pid}/root/")
    return {"pids": pids, "marked": marked, "private": private}


def trace_processes(process_1: bool) -> Any:
    """Trace a child, which nothing but a filter forbids, and read its memory and descriptors."""
    child = os.fork()
    if child == 0:
        while True:
            signal.pause()
    said = {"ptrace": _tried_call("ptrace", _PTRACE_ATTACH, child, 0, 0)}
    if said["ptrace"] == "ok":
        os.waitpid(child, os.WUNTRACED)
        _call("ptrace", _PTRACE_DETACH, child, 0, 0)
    theirs = ctypes.create_string_buffer(b"secret")
    mine = ctypes.create_string_buffer(8)
    to, where = (struct.pack("PN", ctypes.addressof(one), 6) for one in (mine, theirs))
    said["process_vm_readv"] = _tried_call("process_vm_readv", child, to, 1, where, 1, 0)

    def take_descriptor() -> None:
        process = _call("pidfd_open", child, 0)
        os.close(_call("pidfd_getfd", process, 1, 0))

    said["pidfd_getfd"] = _tried(take_descriptor)
    if process_1:
        said["ptrace process 1"] = _tried_call("ptrace", _PTRACE_ATTACH, 1, 0, 0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return said


def kill_others(pid: int, outside: str) -> Any:
    """
    Kill one process by its number; then, in a process namespace other than `outside`, process 1 and all others.

    On the machine itself the latter would end everything.
    """
    said = {"it": _tried(os.kill, pid, signal.SIGKILL)}
    if os.readlink("/proc/self/ns/pid") != outside:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR2):
            _tried(os.kill, 1, number)
        _leave_to_process_1()
        said["process 1"] = _tried(os.kill, 1, signal.SIGKILL)
        said["all"] = _tried(os.kill, -1, signal.SIGKILL)
    return said


def _leave_to_process_1() -> None:
    """Return once process 1 has reaped an orphan: it has then had whatever signals it was sent before."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        orphan = os.fork()
        if orphan:
            os.write(writing, struct.pack("i", orphan))
        os._exit(0)
    os.waitpid(child, 0)
    (orphan,) = struct.unpack("i", os.read(reading, 4))
    while _tried(os.kill, orphan, 0) == "ok":
        time.sleep(0.002)


def leave_running(marker: str, heartbeat: bool) -> Any:
    """Leave a process behind in a session of its own; with a heartbeat it prints dots all the time."""
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        if not heartbeat:
            os.execv("/bin/sleep", ["sleep", marker])
        end = time.monotonic() + _END_S
        while time.monotonic() < end:
            os.write(1, b".")
            time.sleep(0.002)
        os._exit(0)
    _say(up=True)
    while True:
        signal.pause()


def fork_for_ever(stop: str, chains: int) -> Any:
    """Leave processes behind of which each starts the next in a session of its own and ends; all hold the output."""
    end = time.monotonic() + _END_S
    reading, writing = os.pipe()
    for _ in range(chains):
        if os.fork() == 0:
            is_first = True
            while time.monotonic() < end and not Path(stop).exists():
                os.setsid()
                if is_first:
                    os.write(writing, b".")
                    is_first = False
                # Slow enough that the control leaves something of the machine to others.
                time.sleep(0.002)
                if os.fork():
                    os._exit(0)
            os._exit(0)
    # Each has left this session: the signal that ends it ends none of them.
    left = 0
    while left < chains:
        left += len(os.read(reading, chains))
    _say(up=True)
    while True:
        signal.pause()


def run_set_user_id(program: Optional[str]) -> Any:
    """Ask a set-user-ID copy of `id` who it is, and say what is in its way."""
    said: dict[str, Any] = {"no_new_privileges": _libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)}
    lines = Path("/proc/self/mounts").read_text().splitlines()
    mounts = [line.split()[1].replace("\\040", " ") for line in lines]
    said["may_change_user"] = []
    for mount in mounts:
        with contextlib.suppress(OSError):
            # A device is no program.
            if not os.statvfs(mount).f_flag & _ST_NOSUID and not stat.S_ISCHR(os.stat(mount).st_mode):
                said["may_change_user"].append(mount)
    if program is not None:
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.dup2(writing, 1)
            os.execv(program, ["id", "-u"])
        os.close(writing)
        said["effective"] = int(os.read(reading, 32))
        os.wait()
    said["mine"] = os.geteuid()
    return said


# The kernel ---------------------------------------------------------------------------------------------------------


def use_keyring() -> Any:
    """Put a key into this process's own keyring, and look."""
    return {
        "add_key": _tried_call("add_key", b"user", b"lambent-intruder", b"x", 1, _PROCESS_KEYRING),
        "keyctl": _tried_call("keyctl", _KEYCTL_GET_KEYRING_ID, _PROCESS_KEYRING, 1, 0, 0),
        "request_key": _tried_call("request_key", b"user", b"lambent-nothing", None, 0),
    }


def mount_something(folder: str, alone: bool) -> Any:
    """
    Try every way to change what is mounted.

    Args:
        alone: leave the machine's mounts first, so that they stay as they are.
    """
    if alone:
        _call("unshare", _CLONE_NEWNS | (_CLONE_NEWUSER if os.geteuid() else 0))
        _call("mount", 0, b"/", 0, 0x4000 | 0x40000, 0)
    target = os.fsencode(folder)
    at_here = -100 & 0xFFFFFFFF
    said = {
        "mount": _tried_call("mount", b"none", target, b"tmpfs", 0, 0),
        "umount": _tried_call("umount2", target, 2),
        "fsopen": _tried_call("fsopen", b"tmpfs", 0),
        "open_tree": _tried_call("open_tree", at_here, b"/", 0x8001),
        "move_mount": _tried_call("move_mount", at_here, b"/", at_here, target, 0),
        "pivot_root": _tried_call("pivot_root", b".", b"."),
    }
    return {**said, "chroot": _tried_apart(lambda: _call("chroot", b"/"))}


def make_namespaces() -> Any:
    """Make a user namespace in every way, and enter another namespace."""

    def clone() -> None:
        if _call("clone", _CLONE_NEWUSER | _SIGCHLD, 0, 0, 0, 0) == 0:
            os._exit(0)
        os.wait()

    def clone3() -> None:
        arguments = struct.pack("11Q", _CLONE_NEWUSER, 0, 0, 0, _SIGCHLD, 0, 0, 0, 0, 0, 0)
        if _call("clone3", arguments, len(arguments)) == 0:
            os._exit(0)
        os.wait()

    def enter() -> None:
        _call("setns", os.open("/proc/self/ns/uts", os.O_RDONLY), 0)

    return {
        "unshare user": _tried_apart(lambda: _call("unshare", _CLONE_NEWUSER)),
        "unshare mount": _tried_apart(lambda: _call("unshare", _CLONE_NEWNS)),
        "clone": _tried_apart(clone),
        "clone3": _tried_apart(clone3),
        "setns": _tried_apart(enter),
    }


def open_rare_sockets() -> Any:
    """Open a socket of each kind that functions have no use for, and two that they have."""
    kinds = {
        "raw": (2, 3, 1), "raw IPv6": (10, 3, 58), "packet": (17, 3, 0), "vsock": (40, 1, 0), "algorithms": (38, 5, 0),
        "netlink audit": (16, 3, 9), "netlink firewall": (16, 3, 12), "netlink events": (16, 3, 15),
        "netlink generic": (16, 3, 16), "bluetooth": (31, 3, 1), "can": (29, 3, 1), "sctp": (2, 1, 132),
        "routes": (16, 3, 0), "tcp": (2, 1, 6),
    }  # fmt: skip
    return {name: _tried(socket.socket, *kind) for name, kind in kinds.items()}


def make_rare_calls() -> Any:
    """Make calls with arguments that do no harm: the kernel's own word on them is seldom EPERM or ENOSYS."""
    return {
        "io_uring_setup": _tried_call("io_uring_setup", 0, _BAD_POINTER),
        "bpf": _tried_call("bpf", 9999, 0, 0),
        "perf_event_open": _tried_call("perf_event_open", _BAD_POINTER, 0, 0, _NO_DESCRIPTOR, 0),
        "userfaultfd": _tried_call("userfaultfd", 0x7FFF0000),
        "open_by_handle_at": _tried_call("open_by_handle_at", _NO_DESCRIPTOR, _BAD_POINTER, 0),
        "kexec_load": _tried_call("kexec_load", 0, 0, 0, 0xFFFF),
        "init_module": _tried_call("init_module", _BAD_POINTER, 0, _BAD_POINTER),
        "finit_module": _tried_call("finit_module", _NO_DESCRIPTOR, _BAD_POINTER, 0),
    }


def use_kernel_settings() -> Any:
    """Open the kernel's settings for writing, ask to be spared by it, and read what tells about the machine."""
    writable = (
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory",
        "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity",
    )  # fmt: skip
    readable = (
        "cmdline", "diskstats", "kallsyms", "kcore", "key-users", "keys", "kmsg", "modules", "partitions", "timer_list",
    )  # fmt: skip

    def read(name: str) -> str:
        try:
            descriptor = os.open(f"/proc/{name}", os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        try:
            return "ok" if os.read(descriptor, 64) else "empty"
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        finally:
            os.close(descriptor)

    return {
        "written": {path: _tried(_open, path, os.O_WRONLY) for path in writable},
        "spared": _tried(Path("/proc/self/oom_score_adj").write_text, "-1000"),
        "read": {name: read(name) for name in readable},
    }


def find_control_groups() -> Any:
    """Find a control group to change."""
    groups = [line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    mounted = [one[1] for one in mounts if one[2] in {"cgroup", "cgroup2"}]
    return {"groups": groups, "mounted": mounted, "exists": Path("/sys/fs/cgroup").exists()}


def use_terminal() -> Any:
    """Open the terminal of this session, and type into whatever may be one."""
    return {
        "opened": _tried(_open, "/dev/tty", os.O_RDWR | os.O_NOCTTY),
        "terminals": [one for one in range(4) if os.isatty(one)],
        "typed": [_tried(fcntl.ioctl, one, _TIOCSTI, b"x") for one in range(4)],
    }


# The network --------------------------------------------------------------------------------------------------------


def _reach(host: str, port: int, token: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        client.connect((host, port))
        client.sendall(token.encode())


def reach_ports(addresses: Sequence[Sequence[Any]], gateway_port: int = 0) -> Any:
    """
    Connect to addresses.

    Args:
        addresses: host, port, and what to say there.
        gateway_port: try it at whatever the routes lead to first as well; 0 for no.
    """
    wanted = [tuple(address) for address in addresses]
    if gateway_port:
        for line in Path("/proc/net/route").read_text().splitlines()[1:]:
            gateway = int(line.split()[2], 16)
            if gateway:
                wanted.append((socket.inet_ntoa(struct.pack("=I", gateway)), gateway_port, "attack"))
    return {f"{host} {port}": _tried(_reach, host, port, token) for host, port, token in wanted}


def listen() -> Any:
    """Listen at every address that there is here, and say which they are; then wait."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("0.0.0.0", 0))
    server.listen(16)
    _say(port=server.getsockname()[1], addresses=own_addresses())
    while True:
        signal.pause()


def own_addresses() -> "list[str]":
    """Return the IPv4 addresses of this network namespace."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(asking, 0x8915, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return found


def reach_abstract(name: str) -> Any:
    """Connect to a Unix socket without a file."""

    def connect() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect("\0" + name)

    return {"reached": _tried(connect)}


ATTACKS: "dict[str, Callable[..., Any]]" = {
    function.__name__: function
    for function in (
        fork_bomb, fill_space, fill_files, fill_memory, fill_buffers, use_processor, flood_output, read_files,
        change_files, leave_files, find_files, use_devices, read_descriptors, read_variables, read_names, dump_core,
        read_processes, trace_processes, kill_others, leave_running, fork_for_ever, run_set_user_id, use_keyring,
        mount_something, make_namespaces, open_rare_sockets, make_rare_calls, use_kernel_settings, find_control_groups,
        use_terminal, reach_ports, listen, reach_abstract,
    )
}  # fmt: skip

if __name__ == "__main__":
    _say(result=ATTACKS[sys.argv[1]](**json.loads(sys.argv[2])))
