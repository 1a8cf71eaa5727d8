"""
What the kernel says about processes: start times, groups, descendants, memory.

Everything here reads /proc and answers None or nothing where there is no /proc (macOS) or the process is gone.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import msgspec

HAS_PROC = sys.platform == "linux"


class ProcessEntry(msgspec.Struct, frozen=True):
    """One process, as /proc/<pid>/stat shows it."""

    pid: int
    state: str
    """One letter; Z is a zombie, X dead."""
    group: int
    session: int
    started: str
    """When it started, in a form that is only good for comparison: a pid with another start is another process."""


class MemoryReading(msgspec.Struct, frozen=True):
    """The memory of one process tree."""

    resident_kib: int
    """Sum of what is resident now. Shared pages count once per process, so this is never less than the PSS."""
    leader_peak_kib: int
    """The most that the leader ever had resident since it was executed."""


def read_bytes(path: str, size_max: int = 65536) -> bytes:
    """Return the beginning of a file of /proc, empty when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, size_max)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def boot_id() -> str:
    """Return what tells this boot of the machine from any other, `-` where the machine does not say."""
    return read_bytes("/proc/sys/kernel/random/boot_id").decode().strip() or "-"


def process_entry(pid: int) -> ProcessEntry | None:
    """Return the process with this pid, None when there is none."""
    if not HAS_PROC:
        return _entry_from_ps(pid)
    text = read_bytes(f"/proc/{pid}/stat").decode("utf-8", "replace")
    # The name, in brackets, may hold blanks and brackets; the fields after it cannot.
    _, _, rest = text.rpartition(")")
    fields = rest.split()
    if len(fields) < 20:
        return None
    return ProcessEntry(pid, fields[0], int(fields[2]), int(fields[3]), fields[19])


def all_processes() -> Iterator[ProcessEntry]:
    """Yield every process of this machine that /proc shows. Takes some milliseconds: not for the event loop."""
    if not HAS_PROC:
        return
    for name in os.listdir("/proc"):  # noqa: PTH208 - a Path per process would double the time
        if name.isdigit():
            entry = process_entry(int(name))
            if entry is not None:
                yield entry


def descendants(pid: int) -> list[int]:
    """Return the processes below `pid`, whatever their group, without `pid` itself."""
    found: list[int] = []
    todo = [pid]
    while todo:
        parent = todo.pop()
        children = _children(parent)
        found += children
        todo += children
    return found


def memory_of_tree(pid: int) -> MemoryReading | None:
    """Read the memory of a process and all below it: some ten microseconds per process. None when it is gone."""
    leader = _memory_fields(pid)
    if "VmRSS" not in leader:
        return None
    resident = leader["VmRSS"] + sum(_memory_fields(below).get("VmRSS", 0) for below in descendants(pid))
    return MemoryReading(resident, leader.get("VmHWM", 0))


def proportional_kib(pid: int) -> int:
    """
    Return the proportional set size of a process and all below it, which counts a page that n share as 1/n each.

    The kernel walks all page tables: about 30 microseconds per MiB. Not for the event loop.
    """
    total = 0
    for process in (pid, *descendants(pid)):
        for line in read_bytes(f"/proc/{process}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1])
    return total


def leader_peak_kib(pid: int) -> int:
    """Return the most that one process ever had resident, 0 when that is unknown. Cheap."""
    return _memory_fields(pid).get("VmHWM", 0)


def has_in_environment(pid: int, setting: str) -> bool:
    """Return whether a process was started with `NAME=value` in its environment."""
    return setting.encode() in read_bytes(f"/proc/{pid}/environ", 1 << 20).split(b"\0")


def pid_of(descriptor: int) -> int | None:
    """Return the number on this machine of the process behind a process descriptor; None when it has been reaped."""
    for line in read_bytes(f"/proc/self/fdinfo/{descriptor}").splitlines():
        if line.startswith(b"Pid:"):
            pid = int(line.split()[1])
            return pid if pid > 0 else None
    return None


def child_numbered(pid: int, number: int) -> int | None:
    """Return the child of a process that has a number in the process namespace which it is in; None without one."""
    for child in _children(pid):
        for line in read_bytes(f"/proc/{child}/status").splitlines():
            if line.startswith(b"NSpid:") and int(line.split()[-1]) == number:
                return child
    return None


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - as above
            found += [int(child) for child in read_bytes(f"/proc/{pid}/task/{thread}/children").split()]
    return found


def _memory_fields(pid: int) -> dict[str, int]:
    fields: dict[str, int] = {}
    for line in read_bytes(f"/proc/{pid}/status").splitlines():
        if line.startswith((b"VmHWM:", b"VmRSS:")):
            name, _, value = line.partition(b":")
            fields[name.decode()] = int(value.split()[0])
    return fields


def _entry_from_ps(pid: int) -> ProcessEntry | None:
    """Return what `ps` knows, for machines without /proc. Starts a process: not for the event loop."""
    try:
        answer = subprocess.run(
            ["/bin/ps", "-o", "stat=,pgid=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    fields = answer.stdout.split()
    if len(fields) < 3:
        return None
    return ProcessEntry(pid, fields[0][:1], int(fields[1]), int(fields[1]), "-".join(fields[2:]))
