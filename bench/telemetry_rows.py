"""Rows about what is told of invocations: what logs, metrics and traces together cost a warm one."""

import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.load import build_request, run_load
from bench.processes import ROOT, Server, cpu_ns, quiet_environ, shown
from bench.table import Bound, Line, milliseconds
from bench.targets import EVENT, FUNCTIONS_PATH, RUNTIMES_DIR, Target, scratch_folder, start_lambent
from bench.yardsticks import interleave

if TYPE_CHECKING:
    from bench.rows import Plan

_WARM_UP = 800
_CALLS = 6_000
"""Of one sample: some seconds, in which what was written is folded into the store as well."""
_SLOWER_MAX_S = 50e-6
_SAMPLED = "X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1\r\n"


def measure_telemetry(plan: "Plan") -> list[Line]:
    """
    Count warm invocations of a function that writes a line, each of them traced, and of the same where nothing is told.

    The time of a sample ends when all that was written is in the store, so no work is left for another's.
    """
    with scratch_folder() as folder:
        told, untold = folder / "told", folder / "untold"
        for data_dir in (told, untold):
            data_dir.mkdir(mode=0o711)
        command = [sys.executable, "-m", "bench.untold", "serve", "--port", "0", "--data-dir", str(untold)]
        command += ["--runtimes-dir", str(RUNTIMES_DIR)]
        plan.say(f"  yardstick: {shown(command)}")
        environ = quiet_environ() | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
        with start_lambent(told) as telling, Server(command, environ=environ, cwd=folder) as silent:
            for server in (telling, silent):
                Target(server, plan.runtime).create(["bench-line"], "app.print_line")
            sides = (telling, _invoke(telling.url, _SAMPLED)), (silent, _invoke(silent.url, ""))
            for server, request in sides:
                run_load(server.url, [request], concurrency=8, count=_WARM_UP)
            rates = interleave(*(_rate(*side) for side in sides), rounds=plan.heavy_rounds)
            costs = interleave(*(_cost(*side) for side in sides), rounds=plan.heavy_rounds)
            times = interleave(*(_latency(*side) for side in sides), rounds=plan.rounds)
    rate, silent_rate = (statistics.median(sample) for sample in rates)
    cost_s, silent_cost_s = (statistics.median(sample) for sample in costs)
    time_s, silent_time_s = (statistics.median(sample) for sample in times)
    what = "logs, metrics and a trace of each call"
    return [
        Line(
            f"warm throughput with {what}, concurrency 8",
            f"{rate:.0f} /s",
            f"{silent_rate:.0f} /s, nothing told",
            rate / silent_rate,
            required=Bound(0.9, is_upper=False),
        ),
        Line(
            f"warm p50 with {what}",
            milliseconds(time_s),
            f"{milliseconds(silent_time_s)}, nothing told",
            is_met=time_s - silent_time_s <= _SLOWER_MAX_S,
            required_text="at most 0.05 ms more",
        ),
        Line.of_times(f"the server's processor time, with {what}", cost_s, silent_cost_s, "nothing told"),
    ]


def _invoke(url: str, headers: str) -> bytes:
    return build_request(url, "POST", f"{FUNCTIONS_PATH}/bench-line/invocations", EVENT, headers=headers)


def _settle(url: str) -> None:
    """Return when all that was written is in the store: whoever reads logs waits for that."""
    headers = "X-Amz-Target: Logs_20140328.DescribeLogGroups\r\n"
    request = build_request(url, "POST", "/", b"{}", service="logs", headers=headers)
    run_load(url, [request.replace(b"application/json", b"application/x-amz-json-1.1")], concurrency=1, count=1)


def _rate(server: Server, request: bytes) -> Callable[[], float]:
    def sample() -> float:
        begin = time.perf_counter()
        run_load(server.url, [request], concurrency=8, count=_CALLS)
        _settle(server.url)
        return _CALLS / (time.perf_counter() - begin)

    return sample


def _cost(server: Server, request: bytes) -> Callable[[], float]:
    def sample() -> float:
        before = cpu_ns(server.pid)
        run_load(server.url, [request], concurrency=8, count=_CALLS)
        _settle(server.url)
        return (cpu_ns(server.pid) - before) / _CALLS / 1e9

    return sample


def _latency(server: Server, request: bytes) -> Callable[[], float]:
    return lambda: run_load(server.url, [request], concurrency=1, count=200).p50_s
