"""
Control groups: memory, processes and processor of each execution environment, and stopping it between invocations.

cgroup2's core (freeze, kill, processor time) needs no controllers, so it does that on every host; where it is not
mounted, a private mount of it is made. Memory, pids and cpu are limited where their controllers are bound: v1, or v2.

`hierarchies.py` finds what is where. Used by the spawner (`Groups`) and by the server (`GroupHandles`). The spawner
imports little: nothing here needs more than the standard library.
"""

import contextlib
import errno
import os
import select
import signal
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lambent.sandbox.hierarchies import LIMITS, SERVER_LEAF, Hierarchies, words

__all__ = ["GroupHandles", "Groups", "Hierarchies", "cpu_quota_us"]

CPU_PERIOD_US = 20_000
"""
Assumed: about what loops on AWS see that measure their own pauses, as pwrdrvr/lambda-throttling does. It is also
kinder than the kernel's 100 ms: at 128 MB a handler pauses for 18.6 ms at a time and not for 92.8 ms.
"""

_CPU_QUOTA_MIN_US = 1_000
"""The kernel takes no less."""

_MIB_PER_CORE = 1769
"""Documented: Lambda developer guide, Configure Lambda function memory: at 1,769 MB a function has one vCPU."""

_TCP_BUFFERS_SHARE = 4
"""Assumed: MemorySize / 4 is more than a function's few connections want. Under version 1 it comes on top."""

_END_ROUNDS_MAX = 1000
_END_ROUND_MS = 10


class Groups:
    """
    The groups of one server's environments, made and removed by the spawner.

    Args:
        hierarchies: where.
        instance: what tells this data folder from others on the machine, 8 hexadecimal digits.
        needs: those of `LIMITS` without which nothing is made.
    """

    def __init__(
        self,
        hierarchies: Hierarchies,
        instance: str,
        *,
        needs: Collection[str] = LIMITS,
    ) -> None:
        self._hierarchies = hierarchies
        self._name = f"lambent-{instance}"
        self._needs = needs

    def open(self) -> int:
        """
        End what an earlier server left behind and make the parent groups anew; return how many groups it left.

        Raises:
            OSError: ENOTSUP where something that is needed is missing, EBUSY where processes do not end.
        """
        if self._hierarchies.unified is None and self._hierarchies.can_mount_unified:
            with contextlib.suppress(OSError):
                self._hierarchies = self._hierarchies.with_private_unified()
        lacking = [f"{entry.what}: {entry.why}" for entry in self._hierarchies.missing if entry.what in self._needs]
        if lacking:
            raise OSError(errno.ENOTSUP, "no control group for " + "; ".join(lacking))
        parents = self._parents()
        left = {group.name for parent in parents for group in _groups_in(parent)}
        _end_members(parents)
        for parent in parents:
            _remove_tree(parent)
        unified = self._hierarchies.unified
        if unified is not None and self._hierarchies.from_unified():
            self._enable(unified)
        for parent in parents:
            _make_folder(parent)
        if unified is not None:
            for controller in self._hierarchies.from_unified():
                _write(unified / self._name / "cgroup.subtree_control", f"+{controller}")
        return len(left)

    def make(self, name: str, memory_mib: int, pids_max: int) -> list[int]:
        """
        Make an environment's group in every hierarchy, with its limits; return what `GroupHandles` is built from.

        Returns:
            Descriptors of its folders: cgroup2, v1 memory, cpu, freezer, cpuacct, in this order, without those that
            are absent or the same. The caller closes them.

        Raises:
            OSError: the kernel refuses; nothing is left.
        """
        descriptors: list[int] = []
        # The limit on processes is set once, here: the server has no use for its folder.
        for_pids_alone = {self._hierarchies.v1.get("pids")} - {
            folder for controller, folder in self._hierarchies.v1.items() if controller != "pids"
        }
        try:
            for parent in self._parents():
                group = parent / name
                _make_folder(group)
                descriptor = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
                descriptors.append(descriptor)
                self._limit(descriptor, memory_mib, pids_max)
                if parent.parent in for_pids_alone:
                    os.close(descriptors.pop())
        except OSError:
            for descriptor in descriptors:
                os.close(descriptor)
            self.remove(name)
            raise
        return descriptors

    def attach_descriptors(self, name: str) -> list[int]:
        """
        Return write-only descriptors of `cgroup.procs` in the v1 hierarchies. The caller closes them.

        The new process writes b"0" into each. That may wait for tens of milliseconds, so it is done ahead of the
        request. Into cgroup2 it is born, by `directory_descriptor_v2`.
        """
        descriptors: list[int] = []
        try:
            for folder in self._hierarchies.v1_folders():
                descriptors.append(os.open(folder / self._name / name / "cgroup.procs", os.O_WRONLY))
        except OSError:
            for descriptor in descriptors:
                os.close(descriptor)
            raise
        return descriptors

    def directory_descriptor_v2(self, name: str) -> int | None:
        """Return a descriptor of the group's cgroup2 folder, for CLONE_INTO_CGROUP. The caller closes it."""
        unified = self._hierarchies.unified
        if unified is None:
            return None
        return os.open(unified / self._name / name, os.O_RDONLY | os.O_DIRECTORY)

    def remove(self, name: str) -> bool:
        """Remove a group in every hierarchy; False while its processes still end: try again. Idempotent."""
        is_gone = True
        for parent in self._parents():
            try:
                _remove_folder(parent / name)
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in {errno.EBUSY, errno.ENOTEMPTY}:
                    raise
                is_gone = False
        return is_gone

    def close(self) -> None:
        """Remove the parent groups where nothing is left in them, and the private mount. Idempotent."""
        for parent in self._parents():
            with contextlib.suppress(OSError):
                _remove_folder(parent)
        if self._hierarchies.private >= 0:
            os.close(self._hierarchies.private)
            self._hierarchies = replace(self._hierarchies, unified=None, private=-1)

    def _parents(self) -> list[Path]:
        unified = self._hierarchies.unified
        tops = [unified] if unified is not None else []
        return [top / self._name for top in (*tops, *self._hierarchies.v1_folders())]

    def _enable(self, unified: Path) -> None:
        """Have cgroup2 hand its controllers down to our parent group."""
        wanted = self._hierarchies.from_unified()
        if not set(wanted) - words(unified / "cgroup.subtree_control"):
            return
        # Only the very root may have processes beside groups with controllers, and it alone has no cgroup.events.
        if (unified / "cgroup.events").exists():
            _move_members(unified, unified / SERVER_LEAF)
        for controller in wanted:
            _write(unified / "cgroup.subtree_control", f"+{controller}")

    def _limit(self, folder: int, memory_mib: int, pids_max: int) -> None:
        _write_if_there("pids.max", str(pids_max), folder)
        # No swap, or a function would get slow where AWS ends it; and no half of a function is left when it is ended.
        _write_if_there("memory.swap.max", "0", folder)
        _write_if_there("memory.oom.group", "1", folder)
        _write_if_there("memory.swappiness", "0", folder)
        _write_if_there("cpu.cfs_period_us", str(CPU_PERIOD_US), folder)
        _set_memory(folder, memory_mib)


class GroupHandles:
    """
    One environment's group as the server sees it. Everything is a direct read or write; nothing waits.

    A controller that the group has not limits nothing and reads as 0; `Hierarchies.missing` says so beforehand. Once
    the group is gone, or after `close`, writes do nothing and reads return what was read last; also `kill`, while this
    process has no descriptor left.

    Args:
        descriptors: as `Groups.make` returned them; each is recognised by the files in it. Owned from here on.
    """

    def __init__(self, descriptors: Sequence[int]) -> None:
        self._folders = list(descriptors)
        # Opened at their first use: a parked environment is neither frozen nor asked for anything.
        self._kept: dict[str, int | None] = {}
        self._last = {"cpu": 0, "peak": 0, "oom": 0}

    def freeze(self) -> None:
        """Have all processes stopped; they are within microseconds to milliseconds."""
        if not self._write_kept("cgroup.freeze", b"1"):
            self._write_kept("freezer.state", b"FROZEN")

    def thaw(self) -> None:
        """Let all processes run again."""
        if not self._write_kept("cgroup.freeze", b"0"):
            self._write_kept("freezer.state", b"THAWED")

    def kill(self) -> None:
        """End every process of the group, frozen or not, also while it forks."""
        if self._write_once("cgroup.kill", b"1"):
            return
        # Linux before 5.14: nothing that is frozen forks, so one look at the members sees them all.
        self.freeze()
        for folder in self._folders:
            with contextlib.suppress(OSError):
                _kill_members(os.open("cgroup.procs", os.O_RDONLY, dir_fd=folder))
        # A process that v1 has frozen dies when it runs again.
        self.thaw()

    def set_memory(self, memory_mib: int) -> None:
        """
        Set the memory limit.

        Raises:
            OSError: EBUSY where v1 cannot get below it.
        """
        for folder in self._folders:
            _set_memory(folder, memory_mib)

    def set_cpu(self, memory_mib: int | None) -> None:
        """Give the processor share that goes with a MemorySize; None: as much as there is."""
        quota_us = None if memory_mib is None else cpu_quota_us(memory_mib)
        if not self._write_once("cpu.max", f"{quota_us or 'max'} {CPU_PERIOD_US}".encode()):
            self._write_once("cpu.cfs_quota_us", str(quota_us or -1).encode())

    def cpu_us(self) -> int:
        """Return the processor time of all processes so far, in microseconds."""
        text = self._read_kept("cpu.stat")
        if text is not None and text.startswith(b"usage_usec "):
            self._last["cpu"] = int(text[11 : text.index(b"\n")])
        elif (text := self._read_kept("cpuacct.usage")) is not None:
            self._last["cpu"] = int(text) // 1000
        return self._last["cpu"]

    def memory_peak_bytes(self) -> int:
        """Return the most memory used at once so far; before Linux 5.19, on v2, the most seen by this method."""
        for name in ("memory.peak", "memory.max_usage_in_bytes", "memory.current"):
            text = self._read_kept(name)
            if text is not None:
                self._last["peak"] = max(self._last["peak"], int(text))
                break
        return self._last["peak"]

    def oom_kills(self) -> int:
        """Return how many processes were ended for lack of memory."""
        for name in ("memory.events", "memory.oom_control"):
            text = self._read_kept(name)
            if text is not None:
                counts = [int(line.split()[1]) for line in text.splitlines() if line.startswith(b"oom_kill ")]
                self._last["oom"] = counts[0] if counts else 0
                break
        return self._last["oom"]

    def oom_event(self) -> int | None:
        """
        Return a descriptor that is readable once a process was ended for lack of memory; it closes with the handles.

        None where the kernel ends the whole group by itself, as cgroup2 does when told so. Under version 1 it ends one
        process, and what is left of a function would go on without it.

        Raises:
            OSError: this process has no descriptor left.
        """
        if "memory.oom_control" not in self._kept:
            self._kept["memory.oom_control"] = self._open("memory.oom_control", os.O_RDONLY)
        control = self._kept["memory.oom_control"]
        registry = None if control is None else self._open("cgroup.event_control", os.O_WRONLY)
        if control is None or registry is None:
            return None
        try:
            event = self._kept["oom_event"] = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            os.write(registry, f"{event} {control}".encode())
        finally:
            os.close(registry)
        return event

    def close(self) -> None:
        """Close every descriptor. Idempotent."""
        for descriptor in (*self._folders, *self._kept.values()):
            if descriptor is not None:
                os.close(descriptor)
        self._folders = []
        self._kept = {}

    def _keep(self, name: str, flags: int) -> int | None:
        if name not in self._kept:
            try:
                self._kept[name] = self._open(name, flags)
            except OSError:
                # No descriptor to be had now: the next time it is tried again.
                return None
        return self._kept[name]

    def _open(self, name: str, flags: int) -> int | None:
        """Open a file of the group; None where it has no such file."""
        for folder in self._folders:
            try:
                return os.open(name, flags, dir_fd=folder)
            except OSError as error:
                # ENOENT: another hierarchy's folder; ENODEV: the group has been removed.
                if error.errno not in {errno.ENOENT, errno.ENODEV}:
                    raise
        return None

    def _write_kept(self, name: str, word: bytes) -> bool:
        """Write to a file that stays open; False where the group has no such file."""
        descriptor = self._keep(name, os.O_WRONLY)
        if descriptor is None:
            return False
        with _may_be_gone():
            os.pwrite(descriptor, word, 0)
        return True

    def _write_once(self, name: str, word: bytes) -> bool:
        try:
            descriptor = self._open(name, os.O_WRONLY | os.O_TRUNC)
        except OSError:
            descriptor = None
        if descriptor is None:
            return False
        try:
            with _may_be_gone():
                os.write(descriptor, word)
        finally:
            os.close(descriptor)
        return True

    def _read_kept(self, name: str) -> bytes | None:
        descriptor = self._keep(name, os.O_RDONLY)
        if descriptor is None:
            return None
        try:
            return os.pread(descriptor, 1024, 0)
        except OSError:
            return None


def cpu_quota_us(memory_mib: int) -> int:
    """Return how long a function may run within `CPU_PERIOD_US`, on all cores together."""
    return max(_CPU_QUOTA_MIN_US, round(memory_mib * CPU_PERIOD_US / _MIB_PER_CORE))


# Reading and writing control files -------------------------------------------------------------------------------


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _write_if_there(name: str, text: str, folder: int) -> bool:
    """Write to a file of an open folder; False where there is no such file."""
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_TRUNC, dir_fd=folder)
    except FileNotFoundError:
        return False
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
    return True


@contextlib.contextmanager
def _may_be_gone() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


def _set_memory(folder: int, memory_mib: int) -> None:
    limit = memory_mib << 20
    if _write_if_there("memory.max", str(limit), folder):
        return
    try:
        descriptor = os.open("memory.limit_in_bytes", os.O_RDONLY, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        is_raised = limit > int(os.pread(descriptor, 64, 0))
    finally:
        os.close(descriptor)
    # Memory with swap may never be less than memory alone. Its file is there only where the kernel counts swap.
    files = ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]
    for name in files if is_raised else reversed(files):
        _write_if_there(name, str(limit), folder)
    # Counted apart, and only where there is a limit: else TCP's buffers would hold whatever the machine has for all.
    _write_if_there("memory.kmem.tcp.limit_in_bytes", str(limit // _TCP_BUFFERS_SHARE), folder)


# Folders and members ---------------------------------------------------------------------------------------------


def _make_folder(folder: Path) -> None:
    folder.mkdir()


def _remove_folder(folder: Path) -> None:
    folder.rmdir()


def _groups_in(group: Path) -> list[Path]:
    try:
        return [entry for entry in group.iterdir() if entry.is_dir()]
    except FileNotFoundError:
        return []


def _with_descendants(group: Path) -> Iterator[Path]:
    """Yield a group and all below it, the deepest first."""
    for child in _groups_in(group):
        yield from _with_descendants(child)
    if group.is_dir():
        yield group


def _remove_tree(group: Path) -> None:
    """Remove a group without processes, and all below it."""
    for folder in list(_with_descendants(group)):
        for rounds_left in reversed(range(_END_ROUNDS_MAX)):
            try:
                _remove_folder(folder)
                break
            except OSError as error:
                # A process in the middle of its end is not listed any more, and still in the way.
                if error.errno != errno.EBUSY or not rounds_left:
                    raise
            select.select([], [], [], _END_ROUND_MS / 1000)


def _move_members(source: Path, target: Path) -> None:
    """Move every process of a group to another, also those that are forked meanwhile."""
    with contextlib.suppress(FileExistsError):
        _make_folder(target)
    for _ in range(_END_ROUNDS_MAX):
        members = words(source / "cgroup.procs")
        if not members:
            return
        for pid in members:
            # ESRCH: it has ended in between.
            with contextlib.suppress(ProcessLookupError):
                _write(target / "cgroup.procs", pid)


def _kill_members(procs: int) -> None:
    """Kill whatever an open `cgroup.procs` names, and close it."""
    with open(procs) as file:
        for line in file:
            # 0 stands for a process that is in no process namespace of ours.
            if int(line) > 0:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(int(line), signal.SIGKILL)


def _end_members(parents: Sequence[Path]) -> None:
    """
    Kill all processes in groups and below, and wait until they have ended.

    Raises:
        OSError: EBUSY, they do not.
    """
    for _ in range(_END_ROUNDS_MAX):
        groups = [group for parent in parents for group in _with_descendants(parent)]
        populated = [group for group in groups if words(group / "cgroup.procs")]
        if not populated:
            return
        for parent in parents:
            if (parent / "cgroup.kill").exists():
                _write(parent / "cgroup.kill", "1")
        for group in populated:
            # Without cgroup.kill: what is frozen does not fork, so all its members are seen.
            _end_frozen(group)
        # v1 tells nobody when a group becomes empty, so its members are looked at again.
        select.select([], [], [], _END_ROUND_MS / 1000)
    raise OSError(errno.EBUSY, f"processes of an earlier server do not end: {', '.join(map(str, populated))}")


def _end_frozen(group: Path) -> None:
    """Freeze one group, kill its members, and thaw it, since a process that v1 has frozen dies when it runs again."""
    with contextlib.suppress(FileNotFoundError):
        freezer, frozen, thawed = _freezer_of(group)
        _write(freezer, frozen)
        _kill_members(os.open(group / "cgroup.procs", os.O_RDONLY))
        _write(freezer, thawed)
        return
    with contextlib.suppress(FileNotFoundError):
        _kill_members(os.open(group / "cgroup.procs", os.O_RDONLY))


def _freezer_of(group: Path) -> tuple[Path, str, str]:
    unified = group / "cgroup.freeze"
    return (unified, "1", "0") if unified.exists() else (group / "freezer.state", "FROZEN", "THAWED")
