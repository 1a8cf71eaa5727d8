"""Starting, reading and ending processes. Everything that a benchmark starts is ended here, by its process id."""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

_READY_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 45.0
"""Longer than a server's own grace for requests in flight."""


def shown(command: Sequence[str]) -> str:
    """Return a command as someone in the checkout would type it."""
    return " ".join(command).replace(f"{ROOT}/", "")


class NotReady(Exception):
    """A program ended or stayed silent instead of saying where it listens."""


class Server:
    """A program that prints its URL when it is ready, in its own process."""

    def __init__(self, command: Sequence[str], *, environ: Mapping[str, str], cwd: Path) -> None:
        """
        Start `command` and wait for its URL.

        Raises:
            NotReady: it ended first, or printed no URL for a minute.
        """
        self.command = list(command)
        self.last_lines: deque[str] = deque(maxlen=20)
        self._url: str | None = None
        self._said = threading.Event()
        begin = time.perf_counter()
        self._process = subprocess.Popen(
            self.command,
            env=dict(environ),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A group of its own tells the server's processes from ours, and Ctrl-C reaches it through `stop` alone.
            process_group=0,
        )
        # The pipe is read to its end: a full one would stop the program that is measured.
        self._reader = threading.Thread(target=self._read, name="bench-server-output", daemon=True)
        self._reader.start()
        is_said = self._said.wait(_READY_TIMEOUT_S)
        self.start_s = time.perf_counter() - begin
        """From the start of the process to the line that holds its URL."""
        if not is_said or self._url is None:
            self.stop()
            raise NotReady(f"{shown(self.command)}\n" + "\n".join(self.last_lines))

    @property
    def url(self) -> str:
        assert self._url is not None
        return self._url

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.last_lines.append(line.rstrip())
            if self._url is None:
                words = [word for word in line.split() if word.startswith(("http://", "https://"))]
                if words:
                    self._url = words[0].rstrip("/.,")
                    self._said.set()
        self._said.set()

    def stop(self) -> None:
        """End the program: SIGTERM, then SIGKILL."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(5)

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def descendants(pid: int) -> list[int]:
    """Return the ids of all processes below `pid`, nearest first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The command's name may hold anything; what follows its closing bracket is state and parent.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    queue = deque([pid])
    while queue:
        below = children.get(queue.popleft(), [])
        found += below
        queue.extend(below)
    return found


def environments(pid: int) -> list[list[int]]:
    """
    Return the processes of each execution environment below a server.

    A server that is root runs functions as others, and its spawner, zygotes and parked environments as root, but for
    what was started ahead in these. A process 1 that waits beside a function counts with it.
    """
    own_group = os.getpgid(pid)
    by_group: dict[int, list[int]] = {}
    for below in descendants(pid):
        try:
            is_other = os.geteuid() != 0 or Path(f"/proc/{below}").stat().st_uid != 0
            if not is_other or os.getpgid(below) == own_group:
                continue
            status = Path(f"/proc/{below}/status").read_text()
            parent = int(status.partition("\nPPid:")[2].split()[0])
            has_first = Path(f"/proc/{parent}/comm").read_text().strip() == "init" and parent != 1
            if not has_first and b"LAMBENT_AHEAD=" in Path(f"/proc/{below}/environ").read_bytes():
                # Process 1 takes that name once there is a function.
                continue
            group = by_group.setdefault(os.getpgid(below), [])
            group.append(below)
            if has_first and parent not in group:
                group.append(parent)
        except (ProcessLookupError, FileNotFoundError):
            continue
    return list(by_group.values())


def memory_bytes(pid: int) -> tuple[int, int]:
    """Return PSS and RSS of one process."""
    sizes = {"Pss": 0, "Rss": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in sizes:
            sizes[name] = int(rest.split()[0]) * 1024
    return sizes["Pss"], sizes["Rss"]


def cpu_ns(pid: int) -> int:
    """Return the processor time of all living threads of one process. Finer than the 10 ms of /proc/<pid>/stat."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def quiet_environ() -> dict[str, str]:
    """Return this process's variables without those that would configure the program under test."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("LAMBENT_", "AWS_", "PYTHON"))}
