"""
`python -m bench.peers`: the same load client against Lambent and against MiniStack, in turn, in one run.

MiniStack is installed from PyPI into an environment of its own (`.cache/peers`, see the Makefile) and runs with the
defaults it ships: functions are local processes there too, by a runtime client of its own, as the server's user.
"""

import argparse
import math
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.load import BadAnswer, run_load
from bench.processes import ROOT, NotReady, Server, memory_bytes, shown
from bench.table import machine, mebibytes, milliseconds, render
from bench.targets import Target, TargetFailed, lambent, lambent_command, scratch_folder
from bench.yardsticks import PAIRS_MIN, interleave

PEERS = ROOT / ".cache" / "peers"
"""The environment that the peers are installed in."""

_FAILURES = (BadAnswer, NotReady, TargetFailed, OSError)


def ministack_version(environment: Path) -> str:
    """Return the version installed in `environment`."""
    program = "import importlib.metadata as m; print(m.version('ministack'))"
    command = [str(environment / "bin" / "python"), "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def ministack(environment: Path, runtime: str) -> Iterator[Target]:
    """Yield MiniStack with its defaults on a free port, and stop it in the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with scratch_folder() as home:
        environ = {
            "PATH": f"{environment / 'bin'}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(home),
            "TMPDIR": str(home),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
        }
        with Server([str(environment / "bin" / "ministack")], environ=environ, cwd=home) as server:
            yield Target(server, runtime)


class _Sampler:
    """Samples one target; the first failure ends it and becomes the result."""

    def __init__(self, target: Target, prepare: Callable[[Target], Callable[[], float]]) -> None:
        self.failure: str | None = None
        try:
            self._sample = prepare(target)
        except _FAILURES as error:
            self.failure = _reason(error)

    def __call__(self) -> float:
        if self.failure is None:
            try:
                return self._sample()
            except _FAILURES as error:
                self.failure = _reason(error)
        return math.nan


def _reason(error: Exception) -> str:
    return "not measured: " + (str(error).splitlines() or [type(error).__name__])[0][:60]


def _row(
    what: str,
    targets: Sequence[Target],
    prepare: Callable[[Target], Callable[[], float]],
    rounds: int,
    show: Callable[[float], str],
) -> list[str]:
    print(f"{what} ...", file=sys.stderr, flush=True)
    samplers = [_Sampler(target, prepare) for target in targets]
    samples = interleave(*samplers, rounds=rounds)
    shown = [
        sampler.failure or show(statistics.median(sample)) for sampler, sample in zip(samplers, samples, strict=True)
    ]
    return [what, *shown]


def _warm(name: str, handler: str) -> Callable[[Target], Callable[[], float]]:
    def prepare(target: Target) -> Callable[[], float]:
        target.create([name], handler)
        request = [target.invoke(name)]
        run_load(target.url, request, concurrency=1, count=50)
        return lambda: run_load(target.url, request, concurrency=1, count=50).p50_s

    return prepare


def _throughput(target: Target) -> Callable[[], float]:
    target.create(["peers-throughput"], "app.print_line")
    request = [target.invoke("peers-throughput")]
    run_load(target.url, request, concurrency=8, count=200)
    return lambda: run_load(target.url, request, concurrency=8, count=200).per_second


def _cold(rounds: int) -> Callable[[Target], Callable[[], float]]:
    def prepare(target: Target) -> Callable[[], float]:
        names = [f"peers-cold-{number:03d}" for number in range(rounds + 1)]
        target.create(names)
        requests = iter([target.invoke(name) for name in names])
        run_load(target.url, [next(requests)], concurrency=1, count=1)
        return lambda: run_load(target.url, [next(requests)], concurrency=1, count=1).p50_s

    return prepare


def main() -> int:
    """Measure, and print the table for the README."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description="the same client against Lambent and MiniStack"
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that it works, not how fast")
    parser.add_argument("--peers", type=Path, default=PEERS, help="environment that MiniStack is installed in")
    parser.add_argument("--runtime", default=f"python{sys.version_info.major}.{sys.version_info.minor}")
    options = parser.parse_args()
    if not (options.peers / "bin" / "ministack").exists():
        print(f"bench.peers: {options.peers} has no ministack; `make bench-peers` installs it", file=sys.stderr)
        return 1
    rounds = 5 if options.quick else PAIRS_MIN
    version = ministack_version(options.peers)
    try:
        with lambent(options.runtime) as ours, ministack(options.peers, options.runtime) as theirs:
            targets = [ours, theirs]
            lines = [
                # The peer waits 50 ms for the output of a function that writes none; so both kinds are shown, and its
                # throughput is taken where it is at its best.
                _row("warm invoke p50", targets, _warm("peers-quiet", "app.hello"), rounds, milliseconds),
                _row(
                    "the same, function prints a line",
                    targets,
                    _warm("peers-prints", "app.print_line"),
                    rounds,
                    milliseconds,
                ),
                _row(
                    "the same, 8 clients at once",
                    targets,
                    _throughput,
                    rounds,
                    lambda rate: f"{rate:.0f} /s",
                ),
                _row("cold start p50, Python hello", targets, _cold(rounds), rounds, milliseconds),
                [
                    "server's memory after that (RSS)",
                    *(mebibytes(memory_bytes(target.server.pid)[1]) for target in targets),
                ],
                ["start to ready", *(milliseconds(target.server.start_s) for target in targets)],
            ]
    except _FAILURES as error:
        print(f"bench.peers: {error}", file=sys.stderr)
        return 1
    print(f"machine: {machine()}")
    print(f"medians of {rounds} alternating rounds" + (": too few to quote" if options.quick else ""))
    print(f"Lambent: {shown(lambent_command('<new folder>'))}")
    print(
        f"MiniStack: BIND_HOST=127.0.0.1 GATEWAY_PORT=<free port> {shown([str(options.peers / 'bin' / 'ministack')])}\n"
    )
    print(render(["`make bench-peers`", "Lambent", f"MiniStack {version}"], lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
