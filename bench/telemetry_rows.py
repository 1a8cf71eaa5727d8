"""Rows about what is told of invocations: what logs, metrics and traces together cost a warm one."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bench.load import build_request, run_load
from bench.processes import ROOT, Server, cpu_ns, quiet_environ, shown
from bench.table import Bound, Line, milliseconds
from bench.targets import EVENT, FUNCTIONS_PATH, RUNTIMES_DIR, Target, scratch_folder, start_lambent, wait_for
from bench.yardsticks import interleave

if TYPE_CHECKING:
    from bench.rows import Plan

_WARM_UP = 800
_CALLS = 6_000
"""Of one sample: some seconds, in which what was written is folded into the store as well."""
_ROOTS = 1_000
"""Traces that calls which are all sampled belong to, by turns."""
_SLOWER_MAX_S = 50e-6


def measure_telemetry(plan: "Plan") -> list[Line]:
    """
    Count warm invocations of a function that writes a line and is traced as AWS traces (one a second and 5 % of the
    rest), of the same with each call sampled, and of the same on a server that tells nothing.

    The time of a sample ends when all that was written is in the store, so that no work is left for another's.
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
            _trace(Target(telling, plan.runtime))
            sides = (
                (telling, [_invoke(telling.url, "")]),
                (telling, [_invoke(telling.url, _sampled(number)) for number in range(_ROOTS)]),
                (silent, [_invoke(silent.url, "")]),
            )
            for server, requests in sides:
                run_load(server.url, requests, concurrency=8, count=_WARM_UP)
            rates = interleave(*(_rate(*side) for side in sides), rounds=plan.heavy_rounds)
            costs = interleave(*(_cost(*side) for side in sides), rounds=plan.heavy_rounds)
            times = interleave(*(_latency(*side) for side in sides), rounds=plan.rounds)
    rate, sampled_rate, silent_rate = (statistics.median(sample) for sample in rates)
    cost_s, sampled_cost_s, silent_cost_s = (statistics.median(sample) for sample in costs)
    time_s, sampled_time_s, silent_time_s = (statistics.median(sample) for sample in times)
    what, sampled = "logs, metrics and traces", "with each call traced"
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
        Line(
            f"warm throughput, {sampled}",
            f"{sampled_rate:.0f} /s",
            f"{silent_rate:.0f} /s, nothing told",
            sampled_rate / silent_rate,
        ),
        Line.of_times(f"warm p50, {sampled}", sampled_time_s, silent_time_s, "nothing told"),
        Line.of_times(f"the server's processor time, {sampled}", sampled_cost_s, silent_cost_s, "nothing told"),
    ]


def _trace(target: Target) -> None:
    """Have the function's tracing active."""
    path = f"{FUNCTIONS_PATH}/bench-line/configuration"
    body = json.dumps({"TracingConfig": {"Mode": "Active"}}).encode()
    run_load(target.url, [build_request(target.url, "PUT", path, body)], concurrency=1, count=1)
    wait_for(lambda: target.call("GET", path)["LastUpdateStatus"] == "Successful", "the update of bench-line")


def _sampled(number: int) -> str:
    return f"X-Amzn-Trace-Id: Root=1-{int(time.time()):08x}-{number:024x};Parent={number:016x};Sampled=1\r\n"


def _invoke(url: str, headers: str) -> bytes:
    return build_request(url, "POST", f"{FUNCTIONS_PATH}/bench-line/invocations", EVENT, headers=headers)


def _settle(url: str) -> None:
    """Return when all that was written is in the store: whoever reads logs or traces waits for that."""
    headers = "X-Amz-Target: Logs_20140328.DescribeLogGroups\r\n"
    logs = build_request(url, "POST", "/", b"{}", service="logs", headers=headers)
    run_load(url, [logs.replace(b"application/json", b"application/x-amz-json-1.1")], concurrency=1, count=1)
    traces = build_request(url, "POST", "/Traces", b'{"TraceIds": []}', service="xray")
    run_load(url, [traces], concurrency=1, count=1)


def _rate(server: Server, requests: Sequence[bytes]) -> Callable[[], float]:
    def sample() -> float:
        begin = time.perf_counter()
        run_load(server.url, requests, concurrency=8, count=_CALLS)
        _settle(server.url)
        return _CALLS / (time.perf_counter() - begin)

    return sample


def _cost(server: Server, requests: Sequence[bytes]) -> Callable[[], float]:
    def sample() -> float:
        before = cpu_ns(server.pid)
        run_load(server.url, requests, concurrency=8, count=_CALLS)
        _settle(server.url)
        return (cpu_ns(server.pid) - before) / _CALLS / 1e9

    return sample


def _latency(server: Server, requests: Sequence[bytes]) -> Callable[[], float]:
    return lambda: run_load(server.url, requests, concurrency=1, count=200).p50_s
