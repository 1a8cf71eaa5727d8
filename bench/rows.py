"""
The rows of the table, one function each: start what is measured and its yardstick, sample both in turn, state both.

Every row has a server of its own on a new data folder, so that no row sees what another left behind.
"""

import itertools
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.access_rows import measure_access
from bench.api_rows import measure_api
from bench.async_rows import measure_accept, measure_drain
from bench.async_rows import measure_start as measure_event_start
from bench.edge_rows import measure_idle_connections
from bench.kinesis_rows import measure_kinesis
from bench.languages import LANGUAGES, measure_language
from bench.load import build_request, invoke_request, read_stream, run_load, stream_request
from bench.log_rows import measure_logs
from bench.mapping_rows import measure_resting_mappings, measure_trigger, measure_trigger_drain, measure_trigger_http
from bench.metric_rows import measure_metrics
from bench.policy_rows import measure_authorize
from bench.processes import ROOT, Server, cpu_ns, descendants, environments, memory_bytes, shown
from bench.queue_rows import measure_backlog, measure_queue
from bench.sqs_rows import measure_sqs
from bench.table import Bound, Line, mebibytes, milliseconds
from bench.targets import (
    EVENT,
    FUNCTIONS_PATH,
    RuntimeFacts,
    Target,
    TargetFailed,
    lambent,
    lambent_command,
    newest_runtime,
    runtime_facts,
    scratch_folder,
    start_lambent,
    task_folder,
)
from bench.telemetry_rows import measure_telemetry
from bench.url_rows import measure_url, measure_url_stream
from bench.usage_rows import measure_usage
from bench.yardsticks import (
    PAIRS_MIN,
    QUIET_S,
    InterpreterStart,
    after_quiet,
    interleave,
    start_echo,
    start_floor,
    start_stream,
)

_WARM_UP = 200
"""Requests before the first round: connections, caches and the interpreter's specialisations settle."""
_BURST = 50
_LARGE_EVENT = b'"' + b"a" * 6_000_000 + b'"'
_PIECES = 763
"""Of 64 KiB: fifty megabytes."""
_READS = 50
"""Requests of one sample where functions are read."""
_FREEZE_MAX_S = 100e-6
_REST_MEMORY_MAX_BYTES = 80 * 2**20
_REST_CPU_MAX_PERCENT = 0.5
"""What still reads 0 % without decimals."""


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    runtime: str
    """The functions' Runtime, e.g. `python3.11`."""
    facts: RuntimeFacts
    rounds: int
    """Alternating samples of a row."""
    heavy_rounds: int
    """The same where one sample takes a second or more."""
    rest_s: float
    stored_functions: int
    waiting_events: int
    """How many events wait in a queue that is full."""
    log_lines: int
    dense: int
    """How many environments stand idle at once."""
    say: Callable[[str], None]
    """Tells the person who waits what runs now."""


@contextmanager
def _floor(plan: Plan, handler: str, runtimes: int) -> Iterator[Server]:
    with (
        task_folder() as folder,
        start_floor(
            interpreter=plan.facts.interpreter,
            client=plan.facts.client,
            task_root=str(folder),
            handler=handler,
            runtimes=runtimes,
        ) as floor,
    ):
        plan.say(f"  yardstick: {shown(floor.command)}")
        yield floor


def measure_cold(plan: Plan) -> list[Line]:
    """Time the first invocation of functions that never ran, each of them once."""
    yardstick = InterpreterStart(plan.facts.interpreter)
    with lambent(plan.runtime) as target:
        measured, held_against = _sample_cold(plan, target, yardstick)
    lines = [
        Line.of_times(
            "cold start, Python hello, request to response, p50",
            statistics.median(measured),
            statistics.median(held_against),
            "interpreter `-I -c pass`",
            goal=Bound(1.0),
        )
    ]
    if plan.rounds >= PAIRS_MIN:
        lines.append(
            Line.of_times("cold start, the slowest", max(measured), max(held_against), "interpreter, the slowest")
        )
    return lines


def measure_cold_node(plan: Plan) -> list[Line]:
    """
    Time the same for Node.js: at the pace of people, with half a second of quiet before each, and without a pause.

    Without one, more is taken than can be kept ready: starting one takes longer than what is measured.
    """
    runtime = newest_runtime("nodejs")
    yardstick = InterpreterStart(runtime_facts(runtime).interpreter, "-e", "0")
    with lambent(runtime) as target:
        measured, held_against = _sample_cold(plan, target, yardstick, quiet_s=QUIET_S)
        # The stock is refilled after the last start.
        time.sleep(QUIET_S)
        kept_ready = [memory_bytes(pid)[0] for pid in _at_rest(target.server.pid)[1]]
    with lambent(runtime) as target:
        hurried, held_against_hurried = _sample_cold(plan, target, yardstick)
    return [
        Line.of_times(
            f"cold start, Node.js hello, after {QUIET_S:g} s of quiet, p50",
            statistics.median(measured),
            statistics.median(held_against),
            "`node -e 0`",
            required=Bound(0.8),
        ),
        Line.of_times(
            "cold start, Node.js hello, one after the other, p50",
            statistics.median(hurried),
            statistics.median(held_against_hurried),
            "`node -e 0`",
        ),
        Line("kept ready for Node.js", mebibytes(sum(kept_ready)), f"in {len(kept_ready)} processes"),
    ]


def _sample_cold(plan: Plan, target: Target, yardstick: InterpreterStart, quiet_s: float = 0) -> list[list[float]]:
    """Return how long cold starts took, and beside each the start of a bare interpreter; before each it is quiet."""
    plan.say(f"  yardstick: {yardstick.command}")
    names = [f"bench-cold-{number:03d}" for number in range(plan.rounds)]
    target.create(["bench-cold-first", *names])
    requests = iter([target.invoke(name) for name in names])
    # The very first environment also pays for what the server reads once.
    run_load(target.url, [target.invoke("bench-cold-first")], concurrency=1, count=1)
    yardstick.one()

    return interleave(
        after_quiet(lambda: run_load(target.url, [next(requests)], concurrency=1, count=1).p50_s, quiet_s),
        after_quiet(yardstick.one, quiet_s),
        rounds=plan.rounds,
    )


def measure_gaps(plan: Plan) -> list[Line]:
    """Time cold starts with half a second of quiet before each: what an idle machine has put to sleep counts, too."""
    yardstick = InterpreterStart(plan.facts.interpreter)
    with lambent(plan.runtime) as target:
        measured, held_against = _sample_cold(plan, target, yardstick, quiet_s=QUIET_S)
    what = f"cold start after {QUIET_S:g} s of quiet, p50"
    return [
        Line.of_times(what, statistics.median(measured), statistics.median(held_against), "interpreter `-I -c pass`")
    ]


def measure_freeze(plan: Plan) -> list[Line]:
    """Time freezing and thawing an idle environment of the namespace driver: what they add to a warm invocation."""
    with scratch_folder() as folder:
        command = [sys.executable, "-m", "bench.freeze", str(folder)]
        told = subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    freeze_s, thaw_s = (float(word) for word in told.stdout.split())
    return [
        Line(
            "freeze and thaw of an idle environment, median",
            f"{(freeze_s + thaw_s) * 1e6:.0f} µs",
            "-",
            is_met=freeze_s + thaw_s < _FREEZE_MAX_S,
            required_text="under 100 µs",
        )
    ]


def measure_density(plan: Plan) -> list[Line]:
    """Have many environments stand idle, see that all of them answer, and what they take of the machine's memory."""
    names = [f"bench-dense-{number:04d}" for number in range(plan.dense)]
    with lambent(plan.runtime, "--environments-max", str(plan.dense + 50)) as target:
        target.create(names)
        before = _available_bytes()
        requests = [target.invoke(name) for name in names]
        begin = time.monotonic()
        run_load(target.url, requests, concurrency=4, count=len(names), seconds=600)
        elapsed_s = time.monotonic() - begin
        taken = before - _available_bytes()
        # Every one of them, frozen meanwhile, answers again, and without another start.
        again = run_load(target.url, requests, concurrency=4, count=len(names))
        alive = target.call("GET", "/_lambent/health")["environments"]["total"]
        if alive != len(names):
            raise TargetFailed(f"{alive} of {len(names)} environments are alive")
    return [
        Line(
            f"{len(names)} idle environments, each answers again",
            f"{again.p50_s * 1000:.2f} ms p50",
            f"{len(names) / taken * 2**30:.0f} a GiB of the machine's free memory",
            is_met=True,
            required_text="all answer",
        ),
        Line("environments parked and started, one after the other", f"{len(names) / elapsed_s:.0f} /s", "-"),
    ]


def _available_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise TargetFailed("/proc/meminfo does not tell what is available")


def measure_warm(plan: Plan) -> list[Line]:
    """Time invocations one after the other, of a function whose environment is there."""

    tails: dict[str, list[float]] = {}

    def sampler(url: str) -> Callable[[], float]:
        request = [invoke_request(url, "bench-hello", EVENT)]
        run_load(url, request, concurrency=1, count=_WARM_UP)
        tails[url] = []

        def sample() -> float:
            result = run_load(url, request, concurrency=1, count=200)
            tails[url].append(result.percentile_s(99))
            return result.p50_s

        return sample

    with lambent(plan.runtime) as target, _floor(plan, "app.hello", 1) as floor, start_echo() as echo:
        plan.say(f"  yardstick: {shown(echo.command)}")
        target.create(["bench-hello"])
        samples = interleave(sampler(target.url), sampler(floor.url), sampler(echo.url), rounds=plan.rounds)
        tail, floor_tail = (statistics.median(tails[server.url]) for server in (target.server, floor))
    measured, by_floor, by_echo = (statistics.median(sample) for sample in samples)
    return [
        Line.of_times(
            "warm invoke p50, concurrency 1", measured, by_floor, "floor relay", required=Bound(2.4), goal=Bound(1.6)
        ),
        Line.of_times("warm invoke p99", tail, floor_tail, "floor relay"),
        Line.of_times("warm invoke p50 against bare uvicorn", measured, by_echo, "uvicorn echo"),
    ]


def measure_throughput(plan: Plan) -> list[Line]:
    """Count invocations per second that eight clients get through, each with one request in flight."""

    def sampler(url: str) -> Callable[[], float]:
        request = [invoke_request(url, "bench-hello", EVENT)]
        run_load(url, request, concurrency=8, count=_WARM_UP * 4)
        return lambda: run_load(url, request, concurrency=8, count=600).per_second

    with lambent(plan.runtime) as target, _floor(plan, "app.hello", 8) as floor:
        target.create(["bench-hello"])
        samples = interleave(sampler(target.url), sampler(floor.url), rounds=plan.rounds)
    measured, by_floor = (statistics.median(sample) for sample in samples)
    return [
        Line(
            "warm throughput, concurrency 8",
            f"{measured:.0f} /s",
            f"{by_floor:.0f} /s, floor relay with 8 runtimes",
            measured / by_floor,
            required=Bound(0.33, is_upper=False),
            goal=Bound(0.5, is_upper=False),
        )
    ]


def measure_payload(plan: Plan) -> list[Line]:
    """Send six megabytes through a function that answers what it got."""

    def sampler(url: str) -> Callable[[], float]:
        request = [invoke_request(url, "bench-echo", _LARGE_EVENT)]
        answer = run_load(url, request, concurrency=1, count=2, keep_answers=True).answers[-1]
        if answer != _LARGE_EVENT:
            raise AssertionError(f"{url} answered {len(answer)} bytes that are not the event")
        return lambda: run_load(url, request, concurrency=1, count=2).p50_s

    with lambent(plan.runtime) as target, _floor(plan, "app.echo", 1) as floor:
        target.create(["bench-echo"], "app.echo")
        samples = interleave(sampler(target.url), sampler(floor.url), rounds=plan.rounds)
    measured, by_floor = (statistics.median(sample) for sample in samples)
    return [Line.of_times("6 MB payload through and back, p50", measured, by_floor, "floor relay", goal=Bound(1.4))]


def measure_stream(plan: Plan) -> list[Line]:
    """Time the first byte of a streamed response, then fifty megabytes of one, by a function in Node.js."""
    runtime = _nodejs()
    if runtime is None:
        plan.say("  no Node.js here: see `lambent runtimes`")
        return []
    with lambent(plan.runtime) as target, _floor(plan, "app.hello", 1) as floor, start_stream() as bare:
        plan.say(f"  yardstick: {shown(bare.command)}")
        target.create(["bench-stream"], "stream.handler", runtime)
        small, large = (stream_request(target.url, "bench-stream", b'{"pieces":%d}' % count) for count in (0, _PIECES))
        hello = [invoke_request(floor.url, "bench-hello", EVENT)]
        pieces = build_request(bare.url, "POST", "/", b"%d" % _PIECES)
        run_load(floor.url, hello, concurrency=1, count=_WARM_UP)
        for _ in range(_WARM_UP):
            read_stream(target.url, small)

        def rate(url: str, request: bytes) -> Callable[[], float]:
            def sample() -> float:
                result = read_stream(url, request)
                return result.received / result.whole_s / 1e6

            return sample

        firsts, floors = interleave(
            lambda: statistics.median(read_stream(target.url, small).first_s for _ in range(20)),
            lambda: run_load(floor.url, hello, concurrency=1, count=20).p50_s,
            rounds=plan.rounds,
        )
        rates, bare_rates = interleave(rate(target.url, large), rate(bare.url, pieces), rounds=plan.rounds)
    what = "stream, request to first byte, Node.js, new connection, p50"
    measured, by_bare = statistics.median(rates), statistics.median(bare_rates)
    return [
        Line.of_times(what, statistics.median(firsts), statistics.median(floors), "floor relay, whole answer, Python"),
        Line(
            f"stream of {_PIECES * 65536 / 1e6:.0f} MB, Node.js",
            f"{measured:.0f} MB/s",
            f"{by_bare:.0f} MB/s, uvicorn without a runtime",
            measured / by_bare,
        ),
    ]


def _nodejs() -> str | None:
    """Return the newest Node.js runtime that functions here can have."""
    command = lambent_command("")
    command[command.index("serve") :] = ["runtimes", "--json"]
    told = subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, capture_output=True).stdout
    found = [row["runtime"] for row in json.loads(told) if row["available"]]
    return max((name for name in found if name.startswith("nodejs")), default=None)


def measure_burst(plan: Plan) -> list[Line]:
    """Invoke fifty functions that never ran, all at once; the time is that of the last answer."""
    yardstick = InterpreterStart(plan.facts.interpreter)
    plan.say(f"  yardstick: {_BURST} at once of {yardstick.command}")
    with lambent(plan.runtime) as target:

        def burst() -> float:
            names = [f"bench-burst-{number:02d}" for number in range(_BURST)]
            target.create(names)
            elapsed = run_load(
                target.url, [target.invoke(name) for name in names], concurrency=_BURST, count=_BURST
            ).elapsed_s
            target.delete(names)
            return elapsed

        burst()
        samples = interleave(burst, lambda: yardstick.many(_BURST), rounds=plan.heavy_rounds)
    measured, held_against = (statistics.median(sample) for sample in samples)
    what = f"{_BURST} simultaneous cold starts, all answered"
    return [Line.of_times(what, measured, held_against, f"{_BURST} interpreters at once", goal=Bound(2.0))]


def measure_idle(plan: Plan) -> list[Line]:
    """Read the memory of fifty environments that each answered once, then of fifty bare runtimes that did."""
    # One after the other: running together, each side's proportional share would fall by what it shares with the other.
    names = [f"bench-idle-{number:02d}" for number in range(_BURST)]
    with lambent(plan.runtime) as target:
        target.create(names)
        run_load(target.url, [target.invoke(name) for name in names], concurrency=4, count=_BURST)
        sizes = [sum(memory_bytes(pid)[0] for pid in group) for group in environments(target.server.pid)]
    with _floor(plan, "app.hello", _BURST) as floor:
        # The relay serves its runtimes in turn, so each of them gets one.
        run_load(floor.url, [invoke_request(floor.url, "bench-idle", EVENT)], concurrency=1, count=_BURST)
        held_against = statistics.median(memory_bytes(pid)[0] for pid in descendants(floor.pid))
    return [
        Line(
            f"{len(sizes)} idle environments, Python hello after one call, median PSS",
            mebibytes(statistics.median(sizes)),
            f"{mebibytes(held_against)}, {_BURST} official clients",
            statistics.median(sizes) / held_against,
            goal=Bound(0.8),
        )
    ]


def measure_rest(plan: Plan) -> list[Line]:
    """
    Watch a server that served a call and has nothing to do, its spawner with it. Its environments are left out; what
    is kept ready for the next ones (a zygote, parked environments) is told beside it.
    """
    with lambent(plan.runtime) as target:
        target.create(["bench-hello"])
        run_load(target.url, [target.invoke("bench-hello")], concurrency=1, count=20)
        # What follows a call, such as the folding of logs and the refilling of the stock, is not rest.
        time.sleep(3)
        core, kept_ready = _at_rest(target.server.pid)
        pids = core + kept_ready
        before_ns, begin = sum(map(cpu_ns, pids)), time.monotonic()
        time.sleep(plan.rest_s)
        cpu_percent = (sum(map(cpu_ns, pids)) - before_ns) / 1e7 / (time.monotonic() - begin)
        sizes = [memory_bytes(pid) for pid in core]
        ready = sum(memory_bytes(pid)[0] for pid in kept_ready)
    pss, rss = sum(size[0] for size in sizes), sum(size[1] for size in sizes)
    return [
        Line(
            f"server and spawner at rest, {plan.rest_s:.0f} s",
            f"{cpu_percent:.2f} % CPU, PSS {mebibytes(pss)}, RSS {mebibytes(rss)}",
            f"{mebibytes(ready)} more in what is kept ready",
            is_met=cpu_percent < _REST_CPU_MAX_PERCENT and pss < _REST_MEMORY_MAX_BYTES,
            required_text="0 % CPU, under 80 MiB",
        )
    ]


def _at_rest(server: int) -> tuple[list[int], list[int]]:
    """Return the server's process with its spawner's, and those that are kept ready; environments are in neither."""
    elsewhere = {pid for group in environments(server) for pid in group}
    others = [pid for pid in descendants(server) if pid not in elsewhere]
    spawner = [pid for pid in others if b"lambent.sandbox.spawner" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    if not spawner:
        return [server, *others], []
    return [server, spawner[0]], [pid for pid in others if pid != spawner[0]]


def _store_functions(plan: Plan, data_dir: Path, count: int) -> None:
    """Make a data folder with so many functions of two published versions each."""
    data_dir.mkdir(mode=0o711)
    with start_lambent(data_dir) as server:
        Target(server, plan.runtime).create(["bench-first"])
    plan.say(f"  seeding {count} functions")
    seed = [sys.executable, "-m", "bench.seed", str(data_dir), str(count)]
    subprocess.run(seed, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


def measure_stored(plan: Plan) -> list[Line]:
    """Read one page of functions, and one function after another, where many are stored and where few are."""
    few_functions = 100
    with scratch_folder() as folder:
        full, few = folder / "full", folder / "few"
        _store_functions(plan, full, plan.stored_functions)
        _store_functions(plan, few, few_functions)
        with start_lambent(full) as measured, start_lambent(few) as held_against:

            def sampler(server: Server, paths: list[str]) -> Callable[[], float]:
                turns = itertools.cycle(paths)

                def sample() -> float:
                    requests = [build_request(server.url, "GET", next(turns), b"") for _ in range(_READS)]
                    return run_load(server.url, requests, concurrency=1, count=_READS).p50_s

                return sample

            def functions(count: int) -> list[str]:
                # Spread over all names, so that pages of the database are not the same few.
                numbers = random.Random(1).sample(range(count), min(count, 2_000))
                return [f"{FUNCTIONS_PATH}/bench-seed-{number:05d}" for number in numbers]

            page = [f"{FUNCTIONS_PATH}?MaxItems=50"]
            lists = interleave(sampler(measured, page), sampler(held_against, page), rounds=plan.rounds)
            names = functions(plan.stored_functions), functions(few_functions)
            reads = interleave(sampler(measured, names[0]), sampler(held_against, names[1]), rounds=plan.rounds)
            pss, _ = memory_bytes(measured.pid)
    lines = []
    for what, samples in (("ListFunctions, a page of 50", lists), ("GetFunction p50", reads)):
        many_s, few_s = (statistics.median(sample) for sample in samples)
        lines.append(
            Line(
                f"{what}, {plan.stored_functions} functions and {2 * plan.stored_functions} versions stored",
                milliseconds(many_s),
                f"{milliseconds(few_s)}, {few_functions} stored",
                many_s / few_s,
                required=Bound(1.5),
            )
        )
    return [*lines, Line("memory of that server afterwards", f"PSS {mebibytes(pss)}", "-")]


def measure_start(plan: Plan) -> list[Line]:
    """Time a server's start, from the process to the line that holds its URL, with many functions stored and none."""

    def sampler(data_dir: Path) -> Callable[[], float]:
        def start() -> float:
            with start_lambent(data_dir) as server:
                return server.start_s

        return start

    with scratch_folder() as folder:
        full, empty = folder / "full", folder / "empty"
        empty.mkdir(mode=0o711)
        _store_functions(plan, full, plan.stored_functions)
        with start_lambent(empty) as server:
            pass
        with start_lambent(full) as server:
            # A start that skipped what it cannot read would be quick for nothing.
            page = Target(server, plan.runtime).call("GET", "/2015-03-31/functions?MaxItems=50")
            if len(page["Functions"]) != 50:
                raise TargetFailed(f"the server lists {len(page['Functions'])} of the seeded functions")
        samples = interleave(sampler(full), sampler(empty), rounds=plan.heavy_rounds)
    measured, held_against = (statistics.median(sample) for sample in samples)
    return [
        Line(
            f"server start, {plan.stored_functions} functions stored",
            milliseconds(measured),
            f"{milliseconds(held_against)}, none stored",
            measured / held_against,
            is_met=measured < 1.0,
            required_text="under 1 s",
        )
    ]


def measure_languages(plan: Plan) -> list[Line]:
    """Time each language that this machine has."""
    return [line for one in LANGUAGES for line in measure_language(one, plan.runtime, plan.rounds, plan.say)]


ROWS: dict[str, Callable[[Plan], list[Line]]] = {
    "cold": measure_cold,
    "cold-node": measure_cold_node,
    "gaps": measure_gaps,
    "freeze": measure_freeze,
    "warm": measure_warm,
    "throughput": measure_throughput,
    "access": measure_access,
    "telemetry": measure_telemetry,
    "payload": measure_payload,
    "stream": measure_stream,
    "url": measure_url,
    "url-stream": measure_url_stream,
    "api": measure_api,
    "idle-connections": measure_idle_connections,
    "authorize": measure_authorize,
    "burst": measure_burst,
    "idle": measure_idle,
    "density": measure_density,
    "rest": measure_rest,
    "start": measure_start,
    "stored": measure_stored,
    "languages": measure_languages,
    "async-accept": measure_accept,
    "async-start": measure_event_start,
    "async-drain": measure_drain,
    "queue": measure_queue,
    "queue-backlog": measure_backlog,
    "sqs": measure_sqs,
    "sqs-trigger": measure_trigger,
    "sqs-http": measure_trigger_http,
    "sqs-drain": measure_trigger_drain,
    "mappings-rest": measure_resting_mappings,
    "kinesis": measure_kinesis,
    "logs": measure_logs,
    "metrics": measure_metrics,
    "usage": measure_usage,
}
