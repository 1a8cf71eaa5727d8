"""Rows about queues that start functions: how soon a handler has what was sent, a backlog, and mappings at rest."""

import json
import statistics
import time
from typing import TYPE_CHECKING, Any

from bench.async_rows import stamps, waiting_events
from bench.load import build_request, run_load
from bench.processes import cpu_ns, memory_bytes
from bench.sqs_rows import Caller
from bench.table import Bound, Line, mebibytes, milliseconds
from bench.targets import Target, lambent, start_elasticmq, wait_for

if TYPE_CHECKING:
    from bench.rows import Plan

_MAPPINGS_PATH = "/2015-03-31/event-source-mappings"
_QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:"
_HIDDEN = {"VisibilityTimeout": "300"}
"""Longer than the functions' timeout."""
_PAUSE_S = 0.05
_TRIGGER_MAX_S = 0.015
_TRIGGER_HTTP_MAX_S = 0.060
_RESTING_HTTP_CPU_MAX_PERCENT = 0.5
_WAIT_S = 20
"""How long a receive waits at a server."""
_BACKLOG = 10_000
_AT_ONCE = 8
"""Synchronous clients that the drain is held against."""
_RESTING = 500
_RESTING_CPU_MAX_PERCENT = 5
_RESTING_MAX_BYTES = 60 << 20


def measure_trigger(plan: "Plan") -> list[Line]:
    """Send messages one by one to a queue whose function waits; each handler notes when it starts."""
    with lambent(plan.runtime) as target:
        trigger_s = _trigger_s(target, target.url, plan.rounds * 10)
    return [
        Line(
            "SQS trigger: SendMessage to the handler's start, p50",
            milliseconds(trigger_s),
            "-",
            is_met=trigger_s < _TRIGGER_MAX_S,
            required_text="under 15 ms",
        )
    ]


def measure_trigger_http(plan: "Plan") -> list[Line]:
    """Do the same with a queue of another server; then let its mapping rest, for longer than a receive waits there."""
    with start_elasticmq() as there, lambent(plan.runtime, "--neighbour", f"sqs={there.url}") as target:
        trigger_s = _trigger_s(target, there.url, plan.rounds * 10)
        time.sleep(3)
        before_ns, begin = cpu_ns(target.server.pid), time.monotonic()
        time.sleep(max(plan.rest_s, _WAIT_S + 1))
        percent = (cpu_ns(target.server.pid) - before_ns) / 1e7 / (time.monotonic() - begin)
    return [
        Line(
            "SQS trigger over HTTP: SendMessage to ElasticMQ to the handler's start, p50",
            milliseconds(trigger_s),
            "-",
            is_met=trigger_s < _TRIGGER_HTTP_MAX_S,
            required_text="under 60 ms",
        ),
        Line(
            "one mapping over HTTP at rest, the whole server",
            f"{percent:.2f} % CPU",
            "-",
            is_met=percent < _RESTING_HTTP_CPU_MAX_PERCENT,
            required_text="under 0.5 % CPU",
        ),
    ]


def _trigger_s(target: Target, queues_url: str, count: int) -> float:
    """Return the median of the time from a send to its handler's start."""
    target.create(["bench-stamp"], "app.stamp_records")
    call = Caller(queues_url)
    call("CreateQueue", QueueName="triggers", Attributes=_HIDDEN)
    queue = f"{queues_url}/000000000000/triggers"
    _map(target, "triggers", "bench-stamp")
    for number in range(-20, 0):
        call("SendMessage", QueueUrl=queue, MessageBody=str(number))
        time.sleep(_PAUSE_S)
    sent = []
    for number in range(count):
        time.sleep(_PAUSE_S)
        sent.append(time.time())
        call("SendMessage", QueueUrl=queue, MessageBody=str(number))
    started: dict[int, float] = {}

    def all_told() -> bool:
        started.update(stamps(target, "bench-stamp"))
        return set(started) >= set(range(count))

    wait_for(all_told, "the log of all messages")
    return statistics.median(started[number] - sent[number] for number in range(count))


def measure_trigger_drain(plan: "Plan") -> list[Line]:
    """Let messages pile up, then work them off in batches of ten; in between eight clients invoke synchronously."""
    drained, called = [], []
    with lambent(plan.runtime) as target:
        target.create(["bench-hello"])
        synchronous = [target.invoke("bench-hello")]
        run_load(target.url, synchronous, concurrency=_AT_ONCE, count=1600)
        call = Caller(target.url)
        call("CreateQueue", QueueName="backlog", Attributes=_HIDDEN)
        mapping = _map(target, "backlog", "bench-hello")
        for _ in range(max(plan.heavy_rounds // 2, 1)):
            _enable(target, mapping, is_enabled=False)
            for start in range(0, _BACKLOG, 10):
                entries = [{"Id": str(number), "MessageBody": "x" * 200} for number in range(start, start + 10)]
                call("SendMessageBatch", QueueUrl="backlog", Entries=entries)
            begin = time.perf_counter()
            _enable(target, mapping, is_enabled=True)
            while waiting_events(target):
                time.sleep(0.005)
            drained.append(_BACKLOG / (time.perf_counter() - begin))
            called.append(run_load(target.url, synchronous, concurrency=_AT_ONCE, count=1600).per_second)
    messages, calls = statistics.median(drained), statistics.median(called)
    return [
        Line(
            f"SQS trigger: {_BACKLOG} messages worked off, in batches of 10",
            f"{messages:.0f} messages/s, {messages / 10:.0f} batches/s",
            f"{calls:.0f} /s, synchronous with {_AT_ONCE} clients",
            messages / calls,
            required=Bound(0.5, is_upper=False),
        )
    ]


def measure_resting_mappings(plan: "Plan") -> list[Line]:
    """Make five hundred mappings and leave them alone: what the server takes beyond what it took without."""
    with lambent(plan.runtime) as target:
        target.create(["bench-hello"])
        call = Caller(target.url)
        for number in range(_RESTING):
            call("CreateQueue", QueueName=f"rest-{number}", Attributes=_HIDDEN)
        time.sleep(2)
        before = memory_bytes(target.server.pid)[0]
        for number in range(_RESTING):
            _map(target, f"rest-{number}", "bench-hello", waits=False)
        time.sleep(3)
        before_ns, begin = cpu_ns(target.server.pid), time.monotonic()
        time.sleep(plan.rest_s)
        percent = (cpu_ns(target.server.pid) - before_ns) / 1e7 / (time.monotonic() - begin)
        more = memory_bytes(target.server.pid)[0] - before
    return [
        Line(
            f"{_RESTING} mappings at rest, {plan.rest_s:.0f} s",
            f"{percent:.2f} % CPU, {mebibytes(more)}",
            "-",
            is_met=percent < _RESTING_CPU_MAX_PERCENT and more < _RESTING_MAX_BYTES,
            required_text="under 5 % CPU, 60 MiB",
        )
    ]


def _map(target: Target, queue: str, function: str, *, waits: bool = True) -> str:
    """Have a queue start a function; return the mapping's UUID."""
    wanted = {"EventSourceArn": _QUEUE_ARN + queue, "FunctionName": function}
    uuid: str = send(target, "POST", _MAPPINGS_PATH, wanted)["UUID"]
    if waits:
        wait_state(target, uuid, "Enabled")
    return uuid


def _enable(target: Target, uuid: str, *, is_enabled: bool) -> None:
    send(target, "PUT", f"{_MAPPINGS_PATH}/{uuid}", {"Enabled": is_enabled})
    wait_state(target, uuid, "Enabled" if is_enabled else "Disabled")


def wait_state(target: Target, uuid: str, state: str) -> None:
    wait_for(lambda: target.call("GET", f"{_MAPPINGS_PATH}/{uuid}")["State"] == state, f"a mapping to be {state}")


def send(target: Target, method: str, path: str, body: dict[str, Any]) -> Any:
    request = build_request(target.url, method, path, json.dumps(body).encode())
    answers = run_load(target.url, [request], concurrency=1, count=1, keep_answers=True).answers
    return json.loads(answers[0])
