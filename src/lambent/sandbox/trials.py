"""
What only trying tells: whether the kernel gives us namespaces and mounts.

Run by `probe.py` in a process that ends at once. Everything made here belongs to that process's own namespaces and
goes with it.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from lambent.sandbox.inside import system_calls

_READ_ONLY = system_calls.MOUNT_ATTR_RDONLY | system_calls.MOUNT_ATTR_NOSUID | system_calls.MOUNT_ATTR_NODEV


def main(as_root: bool) -> None:
    """
    Print, as JSON, why each of `namespaces`, `mounts` and `overlay` does not work, "" where it does.

    For root `cgroup2` is added: the controllers that a mount of our own would offer, None where there is none.

    Args:
        as_root: whether with the privileges of this process; else in a user namespace.
    """
    found: dict[str, str | list[str] | None] = dict.fromkeys(("namespaces", "mounts", "overlay"), "was not tried")
    if as_root:
        # First, since what follows hides /proc of this process.
        found["cgroup2"] = _controllers_of_own_mount()
    found["namespaces"] = _why_not(lambda: _try_namespaces(as_root))
    if not found["namespaces"]:
        found["mounts"] = _why_not(_try_mounts)
        found["overlay"] = _why_not(_try_overlay)
    sys.stdout.write(json.dumps(found))


def _why_not(trial: Callable[[], None]) -> str:
    try:
        trial()
    except OSError as error:
        return str(error.strerror or error).lower()
    return ""


def _try_namespaces(as_root: bool) -> None:
    """Make what the spawner and one environment would be in, with a /proc of its own."""
    if as_root:
        system_calls.unshare(system_calls.CLONE_NEWNS)
    else:
        uid, gid = os.geteuid(), os.getegid()
        system_calls.unshare(system_calls.CLONE_NEWUSER | system_calls.CLONE_NEWNS | system_calls.CLONE_NEWNET)
        system_calls.map_user(0, 0, uid, gid)
    # Where AppArmor restricts user namespaces, one can be made that has no powers: the map of its user or this fails.
    # Observed: gominimal/minimal#610, google/nsjail#236.
    system_calls.mount(None, "/", None, system_calls.MS_REC | system_calls.MS_PRIVATE)
    flags = system_calls.CLONE_NEWNS | system_calls.CLONE_NEWPID | system_calls.CLONE_NEWIPC | system_calls.CLONE_NEWUTS
    pid, _ = system_calls.clone(flags if as_root else flags | system_calls.CLONE_NEWUSER)
    if pid == 0:
        status = 70
        try:
            system_calls.die_with_parent()
            if as_root:
                system_calls.unshare(system_calls.CLONE_NEWNET)
            system_calls.unshare(system_calls.CLONE_NEWCGROUP)
            system_calls.mount("proc", "/proc", "proc", system_calls.MS_NOSUID | system_calls.MS_NODEV)
            status = 0
        except OSError as error:
            status = error.errno or status
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise OSError(status, os.strerror(status))


def _try_mounts() -> None:
    """Show a folder read-only where another was, by calls that came with Linux 5.2 and 5.12."""
    descriptor = system_calls.clone_mount("/usr", _READ_ONLY, recursive=True)
    system_calls.move_mount(descriptor, "/usr")
    os.close(descriptor)


def _try_overlay() -> None:
    empty = system_calls.make_mount("tmpfs", {"size": "64k"}, _READ_ONLY)
    os.close(system_calls.read_only_view("/usr", f"/proc/self/fd/{empty}"))
    os.close(empty)


def _controllers_of_own_mount() -> list[str] | None:
    try:
        folder = system_calls.make_mount("cgroup2", {}, system_calls.MOUNT_ATTR_NOSUID)
    except OSError:
        return None
    try:
        if not os.access(f"/proc/self/fd/{folder}", os.W_OK):
            return None
        return Path(f"/proc/self/fd/{folder}/cgroup.controllers").read_text().split()
    except OSError:
        return None
    finally:
        os.close(folder)
