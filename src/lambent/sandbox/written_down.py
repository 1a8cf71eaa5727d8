"""
The environments of this server, written down so that the next server can end what a crash left behind.

One file, one line per environment: boot id, process group, start of its leader, address of its Runtime API. A line is
appended before the customer's code runs; lines of environments that ended are thrown out when they are the majority.
"""

import contextlib
import os
import signal
import threading
from pathlib import Path

import msgspec

from lambent.sandbox.process_table import (
    ProcessEntry,
    all_processes,
    boot_id,
    descendants,
    has_in_environment,
    process_entry,
)

_DEAD_LINES_MIN = 64
"""Assumed: below this many dead lines a rewrite costs more than it saves; the file stays at some kilobytes."""


class WrittenEnvironment(msgspec.Struct, frozen=True):
    """One line."""

    boot: str
    group: int
    started: str
    address: str

    def line(self) -> bytes:
        return f"{self.boot} {self.group} {self.started} {self.address}\n".encode()


class WrittenDown:
    """
    The file `environments` in the run folder. Its methods block and may be called from any thread.

    Args:
        folder: the run folder; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / "environments"
        self._lock = threading.Lock()
        self._boot = boot_id()
        self._alive: dict[int, WrittenEnvironment] = {}
        self._lines = 0

    def add(self, leader: int, address: str) -> None:
        """
        Write an environment down in one write, so that a crash leaves a whole line or none.

        No fsync: the file outlives a killed server, and no process outlives a machine that stops.
        """
        entry = process_entry(leader)
        written = WrittenEnvironment(self._boot, leader, entry.started if entry else "-", address)
        with self._lock:
            self._alive[leader] = written
            self._append(written.line())
            self._lines += 1

    def remove(self, leader: int) -> None:
        """Forget an environment that ended. Cheap: the file itself is rewritten only now and then."""
        with self._lock:
            self._alive.pop(leader, None)
            if self._lines - len(self._alive) > max(_DEAD_LINES_MIN, len(self._alive)):
                self._rewrite()

    def leftovers(self) -> list[WrittenEnvironment]:
        """Return what an earlier server wrote. Lines that cannot be read are skipped."""
        try:
            text = self._path.read_text(errors="replace")
        except FileNotFoundError:
            return []
        return [found for line in text.splitlines() if (found := _parse(line))]

    def keep_living(self) -> None:
        """Reduce the file to the environments that live now, once leftovers are ended, and when the server stops."""
        with self._lock:
            self._rewrite()

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            written = os.write(descriptor, line)
            assert written == len(line), "a line of the run folder was written in part"
        finally:
            os.close(descriptor)

    def _rewrite(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(b"".join(written.line() for written in self._alive.values()))
        fresh.chmod(0o600)
        fresh.replace(self._path)
        self._lines = len(self._alive)


def processes_to_end(leftovers: list[WrittenEnvironment]) -> dict[int, list[ProcessEntry]]:
    """
    Return the processes, by group, that still belong to environments that an earlier server wrote down.

    A pid alone proves nothing: the kernel gives it to others. A group is ours when its leader has the start that was
    written down, and then everything below the leader is, too. When the leader is gone, a member is ours only if it was
    started with the address of our Runtime API. Reads all of /proc: not for the event loop.
    """
    boot = boot_id()
    wanted = {written.group: written for written in leftovers if written.boot == boot}
    if not wanted:
        return {}
    found: dict[int, list[ProcessEntry]] = {}
    for group, written in wanted.items():
        leader = process_entry(group)
        if leader is not None and leader.started == written.started and leader.group == group:
            below = [entry for pid in descendants(group) if (entry := process_entry(pid))]
            found[group] = [leader, *below]
    for entry in all_processes():
        written_here = wanted.get(entry.group)
        if written_here is None or entry.pid == entry.group or entry.state in "ZX":
            continue
        if entry.group in found or has_in_environment(entry.pid, f"AWS_LAMBDA_RUNTIME_API={written_here.address}"):
            members = found.setdefault(entry.group, [])
            if all(entry.pid != member.pid for member in members):
                members.append(entry)
    return {group: members for group, members in found.items() if any(one.state not in "ZX" for one in members)}


def end_processes(groups: dict[int, list[ProcessEntry]]) -> None:
    """Kill every process of `groups` that is still the one that was found."""
    for group, members in groups.items():
        for member in members:
            current = process_entry(member.pid)
            if current is None or current.started != member.started:
                continue
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member.pid, signal.SIGKILL)
            # The whole group as well, while one of its members is known to be ours: a member may have forked since.
            if current.group == group:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)


def still_running(groups: dict[int, list[ProcessEntry]]) -> bool:
    """Return whether any process of `groups` has not ended yet."""
    for members in groups.values():
        for member in members:
            current = process_entry(member.pid)
            if current is not None and current.started == member.started and current.state not in "ZX":
                return True
    return False


def _parse(line: str) -> WrittenEnvironment | None:
    words = line.split()
    if len(words) != 4 or not words[1].isdigit() or int(words[1]) <= 1:
        return None
    return WrittenEnvironment(words[0], int(words[1]), words[2], words[3])
