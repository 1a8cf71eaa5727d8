"""The rows of asynchronous invocation: taking events, the way to the handler, and working a backlog off."""

import json
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.load import build_request, invoke_request, run_load
from bench.processes import shown
from bench.table import Bound, Line, milliseconds
from bench.targets import EVENT, FUNCTIONS_PATH, Target, TargetFailed, lambent, scratch_folder, wait_for
from bench.yardsticks import interleave, start_durable_echo, start_echo

if TYPE_CHECKING:
    from bench.rows import Plan

_CLIENTS = 16
_AT_ONCE = 8
"""Synchronous clients that the drain is held against, and what the function may have of its own while it waits."""
_BACKLOG = 3_000
_PAUSE_S = 0.05
_START_MAX_S = 0.005


def _event(url: str, name: str, event: bytes = EVENT) -> bytes:
    path = f"{FUNCTIONS_PATH}/{name}/invocations"
    return build_request(url, "POST", path, event, headers="X-Amz-Invocation-Type: Event\r\n")


def measure_accept(plan: "Plan") -> list[Line]:
    """Count the events that sixteen clients get accepted, each on disk, while one of the function's runs."""

    def sampler(url: str, request: bytes) -> Callable[[], float]:
        run_load(url, [request], concurrency=_CLIENTS, count=400)
        return lambda: run_load(url, [request], concurrency=_CLIENTS, count=800).per_second

    with (
        scratch_folder() as folder,
        lambent(plan.runtime) as target,
        start_echo() as echo,
        start_durable_echo(folder / "events.db") as durable,
    ):
        plan.say(f"  yardsticks: {shown(echo.command)}; {shown(durable.command)}")
        # One of them runs all the time: what is measured is taking events, not working them off.
        target.create(["bench-sleep"], "app.sleep")
        _reserve(target, "bench-sleep", 1)
        samples = interleave(
            sampler(target.url, _event(target.url, "bench-sleep")),
            sampler(durable.url, invoke_request(durable.url, "bench-sleep", EVENT)),
            sampler(echo.url, invoke_request(echo.url, "bench-sleep", EVENT)),
            rounds=plan.rounds,
        )
    accepted, stored, echoed = (statistics.median(sample) for sample in samples)
    what = f"events accepted (202, on disk), {_CLIENTS} clients"
    return [
        Line(
            what,
            f"{accepted:.0f} /s",
            f"{stored:.0f} /s, uvicorn and SQLite",
            accepted / stored,
        ),
        Line(
            f"{what}, against bare uvicorn",
            f"{accepted:.0f} /s",
            f"{echoed:.0f} /s, echo",
            accepted / echoed,
            required=Bound(0.4, is_upper=False),
        ),
    ]


def measure_start(plan: "Plan") -> list[Line]:
    """Send events one by one to a function that waits; each notes when its handler starts."""
    count = plan.rounds * 10
    with lambent(plan.runtime) as target:
        target.create(["bench-stamp"], "app.stamp")
        run_load(target.url, [target.invoke("bench-stamp", b'{"number": -1}')], concurrency=1, count=20)
        sent, answered = [], []
        for number in range(count):
            time.sleep(_PAUSE_S)
            request = _event(target.url, "bench-stamp", b'{"number": %d}' % number)
            sent.append(time.time())
            run_load(target.url, [request], concurrency=1, count=1)
            answered.append(time.time())
        started: dict[int, float] = {}

        def all_told() -> bool:
            started.update(stamps(target, "bench-stamp"))
            return set(started) >= set(range(count))

        wait_for(all_told, "the log of all events")
    from_answer = statistics.median(started[number] - answered[number] for number in range(count))
    from_sending = statistics.median(started[number] - sent[number] for number in range(count))
    return [
        Line(
            "202 to the handler's start, idle, p50",
            milliseconds(max(from_answer, 0.0)),
            f"{milliseconds(from_sending)} from sending",
            is_met=from_answer < _START_MAX_S,
            required_text="under 5 ms",
        )
    ]


def measure_drain(plan: "Plan") -> list[Line]:
    """Let events pile up, then work them off; between rounds eight clients invoke the same function synchronously."""
    with lambent(plan.runtime) as target:
        target.create(["bench-hello"])
        synchronous = [target.invoke("bench-hello")]
        event = _event(target.url, "bench-hello")
        run_load(target.url, synchronous, concurrency=_AT_ONCE, count=1600)

        def drain() -> float:
            # Ten a second run until then.
            _reserve(target, "bench-hello", 1)
            run_load(target.url, [event], concurrency=_CLIENTS, count=_BACKLOG)
            # The others' rates and claims are read anew.
            waiting, begin = waiting_events(target), time.perf_counter()
            _reserve(target, "bench-hello", None)
            while waiting_events(target):
                time.sleep(0.005)
            return waiting / (time.perf_counter() - begin)

        drained, called = interleave(
            drain,
            lambda: run_load(target.url, synchronous, concurrency=_AT_ONCE, count=1600).per_second,
            rounds=plan.heavy_rounds,
        )
    drain_rate, call_rate = statistics.median(drained), statistics.median(called)
    return [
        Line(
            f"events worked off, {_BACKLOG} waiting",
            f"{drain_rate:.0f} /s",
            f"{call_rate:.0f} /s, synchronous with {_AT_ONCE} clients",
            drain_rate / call_rate,
            required=Bound(0.8, is_upper=False),
        )
    ]


def _reserve(target: Target, name: str, executions: int | None) -> None:
    path = f"/2017-10-31/functions/{name}/concurrency"
    body = b"" if executions is None else json.dumps({"ReservedConcurrentExecutions": executions}).encode()
    method = "DELETE" if executions is None else "PUT"
    run_load(target.url, [build_request(target.url, method, path, body)], concurrency=1, count=1)


def waiting_events(target: Target) -> int:
    """Return how many events the queues hold, from the database beside the server: asking the server would cost it."""
    with sqlite3.connect(f"file:{_database(target)}?mode=ro", uri=True) as connection:
        return int(connection.execute("SELECT coalesce(sum(event_count), 0) FROM event_queues").fetchone()[0])


def _database(target: Target) -> Path:
    command = target.server.command
    return Path(command[command.index("--data-dir") + 1]) / "state.db"


def stamps(target: Target, name: str) -> dict[int, float]:
    """Return when each numbered event's handler started, as its log has it."""
    body: dict[str, Any] = {"logGroupName": f"/aws/lambda/{name}", "limit": 10_000}
    request = build_request(
        target.url,
        "POST",
        "/",
        json.dumps(body).encode(),
        "logs",
        headers="X-Amz-Target: Logs_20140328.FilterLogEvents\r\n",
    )
    answer = run_load(target.url, [request], concurrency=1, count=1, keep_answers=True).answers[0]
    found = {}
    for event in json.loads(answer)["events"]:
        word, _, rest = event["message"].partition(" ")
        if word == "STAMP":
            number, moment = rest.split()
            found[int(number)] = float(moment)
    if not found:
        raise TargetFailed("no event left a line in the log")
    return found
