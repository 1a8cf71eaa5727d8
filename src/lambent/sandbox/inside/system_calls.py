"""
The system calls that Python has no function for, by ctypes.

Runs alone on any Python from 3.8 on, also in the interpreter of a function's runtime: nothing of the rest of Lambent
is imported. Every function raises OSError with the system's errno.
"""

import ctypes
import os
import signal
import struct
from typing import Any, Mapping, Optional

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
_CLONE_PIDFD = 0x00001000
_CLONE_INTO_CGROUP = 0x200000000
_SIGCHLD = 17

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOATIME = 0x10
_MOUNT_ATTR_IDMAP = 0x00100000

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38

_CAPABILITIES_MAX = 63

# The same on every architecture for calls from Linux 5.1 on; the older ones below are looked up by machine.
_OPEN_TREE = 428
_MOVE_MOUNT = 429
_FSOPEN = 430
_FSCONFIG = 431
_FSMOUNT = 432
_CLONE3 = 435
_CLOSE_RANGE = 436
_MOUNT_SETATTR = 442
_IS_X86 = os.uname().machine in ("x86_64", "amd64")
_CAPSET = 126 if _IS_X86 else 91
_SECCOMP = 317 if _IS_X86 else 277
_PIVOT_ROOT = 155 if _IS_X86 else 41

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_OPEN_TREE_CLOEXEC = 0o2000000
_MOVE_MOUNT_F_EMPTY_PATH = 4
_FSOPEN_CLOEXEC = 1
_FSMOUNT_CLOEXEC = 1
_FSCONFIG_SET_FLAG = 0
_FSCONFIG_SET_STRING = 1
_FSCONFIG_CMD_CREATE = 6
_SECCOMP_SET_MODE_FILTER = 1

# PyDLL keeps the interpreter's lock: a clone in the middle of releasing it would leave the child without.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_python = ctypes.pythonapi


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _call(number: int, *arguments: Any) -> int:
    ctypes.set_errno(0)
    return _check(_libc.syscall(ctypes.c_long(number), *arguments))


def _text(value: Optional[str]) -> Optional[bytes]:
    return None if value is None else os.fsencode(value)


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones."""
    _check(_libc.unshare(flags))


def setns(descriptor: int, kind: int) -> None:
    """Enter a namespace."""
    _check(_libc.setns(descriptor, kind))


def clone(flags: int, cgroup: int = -1) -> "tuple[int, int]":
    """
    Fork into new namespaces. The calling process must have one thread.

    Args:
        flags: the CLONE_NEW* constants.
        cgroup: descriptor of a cgroup2 folder to start in, -1 to stay where the parent is.

    Returns:
        (0, -1) in the child; its process id and a descriptor of the process (pidfd) in the parent.
    """
    pidfd = ctypes.c_int(-1)
    flags |= _CLONE_PIDFD
    if cgroup >= 0:
        flags |= _CLONE_INTO_CGROUP
    arguments = struct.pack("11Q", flags, ctypes.addressof(pidfd), 0, 0, _SIGCHLD, 0, 0, 0, 0, 0, max(cgroup, 0))
    _python.PyOS_BeforeFork()
    ctypes.set_errno(0)
    pid = _libc.syscall(ctypes.c_long(_CLONE3), arguments, ctypes.c_size_t(len(arguments)))
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return 0, -1
    number = ctypes.get_errno()
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, os.strerror(number))
    return pid, pidfd.value


def map_user(inside_uid: int, inside_gid: int, outside_uid: int, outside_gid: int) -> None:
    """Give this process's user namespace its one user and group. Needs /proc."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", "%d %d 1" % (inside_uid, outside_uid)),
        ("gid_map", "%d %d 1" % (inside_gid, outside_gid)),
    ):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)


def user_namespace(uids: str, gids: str) -> int:
    """
    Return a descriptor of a new user namespace that nobody is in: what `clone_mount` takes for a mapping.

    Needs /proc. The calling process must have one thread.

    Args:
        uids, gids: as /proc/PID/uid_map has them; for a mapping the first number is what the disk holds, the second
            what is seen.
    """
    pid, process = clone(CLONE_NEWUSER)
    if pid == 0:
        # Waits to be killed; and ends by itself should its parent have gone before it was told of that.
        signal.alarm(10)
        die_with_parent()
        signal.pause()
        os._exit(0)
    try:
        for name, text in (("uid_map", uids), ("gid_map", gids)):
            with open("/proc/%d/%s" % (pid, name), "w") as file:
                file.write(text)
        return os.open("/proc/%d/ns/user" % pid, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(process)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def mount(source: Optional[str], target: str, kind: Optional[str], flags: int, options: Optional[str] = None) -> None:
    """Mount, as mount(2) does; None stands for an argument that does not matter."""
    _check(_libc.mount(_text(source), _text(target), _text(kind), ctypes.c_ulong(flags), _text(options)))


def unmount(target: str) -> None:
    """Take a mount out of sight at once; it goes when nothing uses it any more."""
    _check(_libc.umount2(_text(target), MNT_DETACH))


def pivot_root(new_root: str) -> None:
    """Make a mount point the root of this mount namespace and let go of the old root. Stands in it afterwards."""
    os.chdir(new_root)
    _call(_PIVOT_ROOT, b".", b".")
    unmount(".")
    os.chdir("/")


def clone_mount(path: str, attributes: int, recursive: bool = False, mapping: int = -1) -> int:
    """
    Return a detached copy of the mount at a path, or of a folder in it, with attributes set on it.

    Args:
        mapping: descriptor of a user namespace by which users and groups are shown as others, -1 to show what is there.
            Not every file system can do so.
    """
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    descriptor = _call(_OPEN_TREE, _AT_FDCWD, _text(path), flags)
    if mapping >= 0:
        attributes |= _MOUNT_ATTR_IDMAP
    packed = struct.pack("4Q", attributes, 0, 0, max(mapping, 0))
    try:
        _call(_MOUNT_SETATTR, descriptor, b"", _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0), packed, 32)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def make_mount(kind: str, options: Mapping[str, Optional[str]], attributes: int) -> int:
    """Return a new, detached mount of a file system; an option without a value is a flag."""
    context = _call(_FSOPEN, _text(kind), _FSOPEN_CLOEXEC)
    try:
        for name, value in options.items():
            if value is None:
                _call(_FSCONFIG, context, _FSCONFIG_SET_FLAG, _text(name), None, 0)
            else:
                _call(_FSCONFIG, context, _FSCONFIG_SET_STRING, _text(name), _text(value), 0)
        _call(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return _call(_FSMOUNT, context, _FSMOUNT_CLOEXEC, attributes)
    finally:
        os.close(context)


def move_mount(descriptor: int, target: str) -> None:
    """Put a detached mount somewhere."""
    _call(_MOVE_MOUNT, descriptor, b"", _AT_FDCWD, _text(target), _MOVE_MOUNT_F_EMPTY_PATH)


def read_only_view(folder: str, empty: str) -> int:
    """
    Return a detached read-only mount that shows a folder and tells nobody where it is.

    A bind mount would show the folder's path in /proc/self/mountinfo; an overlay shows what it was asked for, and that
    is the number of a descriptor.

    Args:
        empty: an empty folder: an overlay without an upper layer wants two lower ones.
    """
    below = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    nothing = os.open(empty, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV
    try:
        return make_mount("overlay", {"lowerdir": "/proc/self/fd/%d:/proc/self/fd/%d" % (below, nothing)}, attributes)
    finally:
        os.close(below)
        os.close(nothing)


def close_from(first: int) -> None:
    """Close every descriptor from `first` on."""
    try:
        _call(_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(0xFFFFFFFF), ctypes.c_uint(0))
    except OSError:
        # Linux before 5.9.
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def die_with_parent() -> None:
    """Have this process killed when the thread that forked it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0))


def set_dumpable(is_dumpable: bool) -> None:
    """Say whether /proc/self belongs to the process's own user, and whether it may be traced."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, int(is_dumpable), 0, 0, 0))


def set_name(name: str) -> None:
    """Set the process's short name, at most 15 bytes."""
    _check(_libc.prctl(_PR_SET_NAME, _text(name), 0, 0, 0))


def hide_command_line() -> None:
    """Blank what /proc/PID/cmdline shows of this process: it was started with paths of the machine."""
    with open("/proc/self/stat", "rb") as file:
        # After the name, which may hold anything: arg_start and arg_end are fields 48 and 49 of proc(5).
        fields = file.read().rpartition(b")")[2].split()
    begin, end = int(fields[45]), int(fields[46])
    if 0 < begin < end:
        ctypes.memset(begin, 0, end - begin)


def forbid_new_privileges() -> None:
    """Make set-user-ID programs and file capabilities ineffective from here on."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def drop_bounding_capabilities() -> None:
    """Give up every capability for programs that are executed later."""
    for capability in range(_CAPABILITIES_MAX + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            # EINVAL: the kernel knows no more.
            break


def drop_capabilities() -> None:
    """Give up every capability of this process, whatever its user."""
    version_3, this_process = 0x20080522, 0
    _call(_CAPSET, struct.pack("Ii", version_3, this_process), struct.pack("6I", 0, 0, 0, 0, 0, 0))


def load_filter(program: bytes) -> None:
    """Put a system call filter over this process and its children, for ever. `forbid_new_privileges` comes first."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    _call(_SECCOMP, _SECCOMP_SET_MODE_FILTER, 0, header)
