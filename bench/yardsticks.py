"""
What figures are held against. Yardsticks are started here and nowhere else.

A yardstick and the measured thing alternate in one loop, so that a machine that slows down slows both. Interpreters are
started as the very binary that runs the function, symbolic links resolved, with PATH as their only variable: a version
manager's shim and inherited PYTHON* variables have been seen to cost many times the start itself.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.processes import ROOT, Server

PAIRS_MIN = 30
"""Fewer pairs than this are printed with a warning: their median moves from run to run."""


QUIET_S = 0.5
"""The pace of people: what was used up in the background is there again."""


def after_quiet(sample: Callable[[], float], quiet_s: float = QUIET_S) -> Callable[[], float]:
    """Return a sampler that waits before each sample."""

    def wait_and_sample() -> float:
        time.sleep(quiet_s)
        return sample()

    return wait_and_sample


def interleave(*samplers: Callable[[], float], rounds: int) -> list[list[float]]:
    """
    Call the samplers in turn, `rounds` times; return the samples of each.

    Who goes first changes each round, so that none always inherits what another left in the caches.
    """
    samples: list[list[float]] = [[] for _ in samplers]
    for number in range(rounds):
        for offset in range(len(samplers)):
            index = (number + offset) % len(samplers)
            samples[index].append(samplers[index]())
    return samples


class InterpreterStart:
    """The least that an interpreter can do, from the start of its process to its end; Python's by default."""

    def __init__(self, interpreter: str, *arguments: str) -> None:
        self._argv = [os.path.realpath(interpreter), *(arguments or ("-I", "-c", "pass"))]
        self._environ = {"PATH": os.environ.get("PATH", os.defpath)}

    @property
    def command(self) -> str:
        return 'env -i PATH="$PATH" ' + " ".join(self._argv)

    def one(self) -> float:
        """Start one and wait for its end; return the seconds."""
        return self.many(1)

    def many(self, count: int) -> float:
        """Start `count` at once and wait for the last; return the seconds."""
        begin = time.perf_counter()
        # posix_spawn runs no Python code in the child and copies no memory: the start costs what the kernel takes.
        to_nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        pids = [os.posix_spawn(self._argv[0], self._argv, self._environ, file_actions=to_nowhere) for _ in range(count)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        elapsed = time.perf_counter() - begin
        if any(codes):
            raise RuntimeError(f"{self.command} exited with {max(codes)}")
        return elapsed


def _start(arguments: Sequence[str]) -> Server:
    return Server(
        [sys.executable, "-m", "bench.floor", *arguments],
        environ={"PATH": os.environ.get("PATH", os.defpath)},
        cwd=ROOT,
    )


def start_floor(*, interpreter: str, client: str, task_root: str, handler: str, runtimes: int) -> Server:
    """Start the floor relay; the caller stops it."""
    return _start(
        [
            *("--runtimes", str(runtimes), "--handler", handler, "--task-root", task_root),
            *("--interpreter", os.path.realpath(interpreter), "--client", client),
        ]
    )


def start_stream() -> Server:
    """Start bare uvicorn that answers with as many pieces of 64 KiB as it is asked for; the caller stops it."""
    return _start(["--stream"])


def start_echo() -> Server:
    """Start bare uvicorn that answers each request with its own body; the caller stops it."""
    return _start(["--echo"])


def start_durable_echo(file: Path) -> Server:
    """Start bare uvicorn that answers each request once its body is in a new SQLite file; the caller stops it."""
    return _start(["--store", str(file)])
