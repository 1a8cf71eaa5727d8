"""Rows about function URLs: what a request costs, how many there are, and how fast a stream leaves."""

import json
import statistics
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.load import build_request, invoke_request, read_stream, run_load
from bench.processes import memory_bytes, shown
from bench.table import Bound, Line, mebibytes
from bench.targets import EVENT, FUNCTIONS_PATH, Target, TargetFailed, lambent, newest_runtime, task_folder
from bench.yardsticks import interleave, start_floor, start_stream

if TYPE_CHECKING:
    from bench.rows import Plan

_WARM_UP = 200
_PIECES = 1526
"""Of 64 KiB: a hundred megabytes."""
_MEMORY_MAX_BYTES = 8 << 20
"""How much more memory a server may take with streams: less than a twelfth of one."""


def measure_url(plan: "Plan") -> list[Line]:
    """GET a hello by URL, one client and then eight, in turn with the floor relay."""
    with (
        lambent(plan.runtime) as target,
        task_folder() as folder,
        start_floor(
            interpreter=plan.facts.interpreter,
            client=plan.facts.client,
            task_root=str(folder),
            handler="app.hello",
            runtimes=8,
        ) as floor,
    ):
        plan.say(f"  yardstick: {shown(floor.command)}")
        target.create(["bench-url"])
        requests = {
            target.url: [_get(open_url(target, "bench-url", "BUFFERED"))],
            floor.url: [invoke_request(floor.url, "bench-hello", EVENT)],
        }

        def latency(url: str) -> Callable[[], float]:
            return lambda: run_load(url, requests[url], concurrency=1, count=200).p50_s

        def rate(url: str) -> Callable[[], float]:
            return lambda: run_load(url, requests[url], concurrency=8, count=600).per_second

        for url, request in requests.items():
            run_load(url, request, concurrency=8, count=_WARM_UP * 4)
        times = interleave(latency(target.url), latency(floor.url), rounds=plan.rounds)
        rates = interleave(rate(target.url), rate(floor.url), rounds=plan.rounds)
    measured, by_floor = (statistics.median(sample) for sample in times)
    served, by_relay = (statistics.median(sample) for sample in rates)
    return [
        Line.of_times("function URL, GET hello, p50", measured, by_floor, "floor relay", required=Bound(1.8)),
        Line(
            "function URL, GET hello, concurrency 8",
            f"{served:.0f} /s",
            f"{by_relay:.0f} /s, floor relay with 8 runtimes",
            served / by_relay,
            required=Bound(0.45, is_upper=False),
        ),
    ]


def measure_url_stream(plan: "Plan") -> list[Line]:
    """Take a hundred megabytes from a function in Node.js through a URL that streams."""
    try:
        runtime = newest_runtime("nodejs")
    except TargetFailed as error:
        plan.say(f"  {error}")
        return []
    with lambent(plan.runtime) as target, start_stream() as bare:
        plan.say(f"  yardstick: {shown(bare.command)}")
        target.create(["bench-url-stream"], "stream.handler", runtime)
        request = _get(open_url(target, "bench-url-stream", "RESPONSE_STREAM"), f"/?pieces={_PIECES}")
        pieces = build_request(bare.url, "POST", "/", b"%d" % _PIECES)

        def rate(url: str, what: bytes) -> Callable[[], float]:
            def sample() -> float:
                result = read_stream(url, what)
                return result.received / result.whole_s / 1e6

            return sample

        rate(target.url, request)()
        before, _ = memory_bytes(target.server.pid)
        rates, bare_rates = interleave(rate(target.url, request), rate(bare.url, pieces), rounds=plan.rounds)
        more = memory_bytes(target.server.pid)[0] - before
    measured, by_bare = statistics.median(rates), statistics.median(bare_rates)
    return [
        Line(
            f"function URL, stream of {_PIECES * 65536 / 1e6:.0f} MB, Node.js",
            f"{measured:.0f} MB/s",
            f"{by_bare:.0f} MB/s, uvicorn without a runtime",
            measured / by_bare,
            required=Bound(0.5, is_upper=False),
        ),
        Line(
            "function URL, the server's memory after the streams",
            f"{mebibytes(more)} more",
            "-",
            is_met=more < _MEMORY_MAX_BYTES,
            required_text=f"under {mebibytes(_MEMORY_MAX_BYTES)} more",
        ),
    ]


def open_url(target: Target, name: str, mode: str) -> str:
    """Give a function a URL that anybody may use; return it."""
    path = f"{FUNCTIONS_PATH}/{name}/policy"
    for sid, grant in (
        ("url", {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}),
        ("invoke", {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True}),
    ):
        _post(target, path, {"StatementId": sid, "Principal": "*", **grant})
    made = _post(target, f"/2021-10-31/functions/{name}/url", {"AuthType": "NONE", "InvokeMode": mode})
    return str(json.loads(made)["FunctionUrl"])


def _post(target: Target, path: str, body: Mapping[str, object]) -> bytes:
    request = build_request(target.url, "POST", path, json.dumps(body).encode())
    return run_load(target.url, [request], concurrency=1, count=1, keep_answers=True).answers[0]


def _get(url: str, path: str = "/") -> bytes:
    """Return the bytes of a request as a browser would send it, without much of what it says of itself."""
    return f"GET {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()
