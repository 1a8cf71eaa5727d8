"""
What clients saw, what the log says, what CloudWatch sums, what X-Ray has and what the bill says are the same, through
a mixed load and kill -9.

Exact, whatever happens: Invocations, Errors, Duration's count and the bill against the log, which has one REPORT for
each. Exact where no server was killed, and within what it gathers in memory otherwise: throttles, the figures of
events, traces.
"""

import itertools
import json
import os
import re
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from wire.support import FunctionMaker, around_today, invoke, wait_for

CALLS = int(os.environ.get("LAMBENT_FIGURES_CALLS", "400"))
"""Calls in all; `make soak` makes ten thousand."""
AT_ONCE = 8

WORK = """
import os, time

def handler(event, context):
    kind = event["kind"]
    print(f"BEGUN {context.aws_request_id} {kind}", flush=True)
    if kind == "raise":
        raise RuntimeError("as asked")
    if kind == "exit":
        os._exit(3)
    if kind == "sleep":
        time.sleep(60)
    if kind == "fill":
        filled = bytearray(os.urandom(1 << 20)) * 400
    return kind
"""

FAILING = {"raise", "exit", "sleep", "fill"}

KINDS = ("ok",) * 70 + ("raise",) * 20 + ("exit", "exit", "sleep", "fill")
"""How often of which, in turn; some are refused and some are events besides."""


class Load:
    """Calls from several threads, and what came of each by the request's id."""

    def __init__(self):
        self.client = None
        self.names = {}
        self.kinds = itertools.cycle(KINDS)
        """What is asked for next."""
        self.numbers = itertools.count()
        self.lock = threading.Lock()
        self.answered = {}
        """Request id to whether the function failed."""
        self.traced = {}
        """Trace id to the same, of calls that the server answered which was started last."""
        self.headers = threading.local()
        self.unknown = 0
        """Calls whose connection broke: nobody knows what came of them."""
        self.refused = Counter()
        """Calls that a limit refused, by life of the server."""
        self.accepted = {}
        """Request id of an event to its kind."""
        self.received = Counter()
        """Events that were accepted, by life of the server."""
        self.life = 0
        self.unexpected = []

    def connect(self, server):
        """Call a server from now on, each call with a trace of its own."""
        self.client = server.client("lambda")
        self.client.meta.events.register("before-sign.lambda.Invoke", self._add_trace)
        self.traced = {}

    def _add_trace(self, request, **_):
        self.headers.trace_id = f"1-{int(time.time()):08x}-{os.urandom(12).hex()}"
        request.headers["X-Amzn-Trace-Id"] = f"Root={self.headers.trace_id};Sampled=1"

    def run(self, calls):
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for _ in range(calls):
                threads.submit(self._one)

    def _one(self):
        with self.lock:
            number, kind, life = next(self.numbers), next(self.kinds), self.life
        try:
            if number % 10 == 9:
                self._refused(life)
            elif number % 10 == 4:
                self._event("raise" if number % 20 == 4 else "ok", life)
            else:
                self._call(kind)
        except (ConnectionError, HTTPClientError):
            with self.lock:
                self.unknown += 1
        except Exception as error:
            self.unexpected.append(error)

    def _call(self, kind):
        answer, _ = invoke(self.client, self.names["called"], {"kind": kind})
        request_id = answer["ResponseMetadata"]["RequestId"]
        with self.lock:
            self.answered[request_id] = self.traced[self.headers.trace_id] = "FunctionError" in answer

    def _refused(self, life):
        try:
            invoke(self.client, self.names["closed"], {"kind": "ok"})
        except ClientError as error:
            if error.response["Error"]["Code"] != "TooManyRequestsException":
                raise
            with self.lock:
                self.refused[life] += 1

    def _event(self, kind, life):
        payload = json.dumps({"kind": kind}).encode()
        answer = self.client.invoke(FunctionName=self.names["told"], InvocationType="Event", Payload=payload)
        with self.lock:
            self.accepted[answer["ResponseMetadata"]["RequestId"]] = kind
            self.received[life] += 1


class Log:
    """What the log of one function says."""

    def __init__(self, logs, name):
        self.kinds = {}
        self.statuses = defaultdict(list)
        """Request id to the statuses of its REPORTs; empty where REPORT has none."""
        self.billed_mb_ms = 0
        """Billed milliseconds times megabytes, of all."""
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        for event in itertools.chain.from_iterable(page["events"] for page in pages):
            message = event["message"]
            if begun := re.match(r"BEGUN (\S+) (\w+)", message):
                self.kinds[begun[1]] = begun[2]
            elif report := re.match(r"REPORT RequestId: (\S+)", message):
                status = re.search(r"Status: (\w+)", message)
                self.statuses[report[1]].append(status[1] if status else "")
                billed = re.search(r"\tBilled Duration: (\d+) ms\tMemory Size: (\d+) MB\t", message)
                self.billed_mb_ms += int(billed[1]) * int(billed[2])

    @property
    def reports(self):
        return sum(len(statuses) for statuses in self.statuses.values())

    @property
    def failures(self):
        """REPORTs of invocations that failed: as REPORT says, or as a handler does whose runtime lives on."""
        return sum(
            bool(status) or self.kinds.get(request_id) == "raise"
            for request_id, statuses in self.statuses.items()
            for status in statuses
        )


def summed(cloudwatch, name, metric, statistic="Sum"):
    now = datetime.now(UTC)
    points = cloudwatch.get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=now - timedelta(hours=12),
        EndTime=now + timedelta(minutes=2),
        Period=60,
        Statistics=[statistic],
    )["Datapoints"]
    return sum(point[statistic] for point in points)


def failures_of_traces(xray, trace_ids):
    """Return, by id, whether anything of a trace failed, of those that have ended."""
    found = {}
    for start in range(0, len(trace_ids), 100):
        for trace in xray.batch_get_traces(TraceIds=trace_ids[start : start + 100])["Traces"]:
            segments = [json.loads(one["Document"]) for one in trace["Segments"]]
            if {one.get("origin") for one in segments} >= {"AWS::Lambda", "AWS::Lambda::Function"} and not any(
                one.get("in_progress") for one in segments
            ):
                found[trace["Id"]] = any(one.get("fault") or one.get("error") for one in segments)
    return found


def usage(server, path="usage", **query):
    """Return what a server answers of usage."""
    with urllib.request.urlopen(f"{server.endpoint}/_lambent/{path}?{urllib.parse.urlencode(query)}") as answer:
        return answer.read()


def check_bill(server, logs):
    """Compare what is billed with REPORT lines, by AWS's rules, however it is asked for; `logs` by function."""
    expected = {name: (log.reports, log.failures, log.billed_mb_ms) for name, log in logs.items() if log.reports}
    # Edges of days and months of here and elsewhere, on either side of a quarter of an hour.
    for step, timezone in (("total", "UTC"), ("day", "UTC"), ("hour", "Asia/Kathmandu"), ("month", "Pacific/Auckland")):
        answer = json.loads(usage(server, **around_today(), step=step, timezone=timezone))
        found, cost = defaultdict(lambda: [0, 0, 0.0]), 0
        for row in answer["rows"]:
            sums = found[row["group"]]
            sums[0] += row["requests"]
            sums[1] += row["errors"]
            sums[2] += row["gb_seconds"] * 1024 * 1000
            cost += Decimal(row["aws_cost"])
        assert {name: (one, other, round(mb_ms)) for name, (one, other, mb_ms) in found.items()} == expected
        assert cost == Decimal(answer["total"]["aws_cost"])
        # Documented: Lambda pricing, N. Virginia, x86.
        requests, _, mb_ms = map(sum, zip(*expected.values(), strict=True))
        assert abs(cost - requests * Decimal("0.2e-6") - mb_ms * Decimal("0.0000166667") / 1024_000) < Decimal("1e-9")


def test_figures_agree_with_the_log_and_with_clients(own_server, runtime, server, tmp_path):
    """kill -9 in the middle of calls that work, fail, time out, are refused and are events."""
    prices = tmp_path / "prices.toml"
    # As the built-in one, and nothing is free: else little would be billed.
    built_in = usage(server, "usage/prices").decode()
    prices.write_text(re.sub(r"(?m)^(requests|gb_seconds|streamed_gb) = .*$", r"\1 = 0", built_in))
    server = own_server(None, "--async-time-scale", "0.01", "--price-file", str(prices)).start()
    load = Load()
    if server.sandbox["driver"] == "process":
        # Nothing bounds memory there.
        load.kinds = itertools.cycle(kind for kind in KINDS if kind != "fill")
    make = FunctionMaker(server.client("lambda"), runtime, "reconcile")
    for name in ("called", "closed", "told"):
        load.names[name] = make(WORK, name=f"reconcile-{name}", Timeout=3, TracingConfig={"Mode": "Active"})
    server.client("lambda").put_function_concurrency(FunctionName=load.names["closed"], ReservedConcurrentExecutions=0)
    server.client("lambda").put_function_event_invoke_config(FunctionName=load.names["told"], MaximumRetryAttempts=1)

    load.connect(server)
    first = threading.Thread(target=load.run, args=(CALLS // 2,))
    first.start()
    wait_for(lambda: len(load.answered) >= CALLS // 4, within_s=600)
    server.kill()
    first.join()
    server.restart()
    load.connect(server)
    load.life = 1
    load.run(CALLS - CALLS // 2)
    assert load.unexpected == []
    assert load.answered and load.traced and load.accepted and load.refused[1] and load.unknown

    logs, cloudwatch = server.client("logs"), server.client("cloudwatch")
    told = load.names["told"]
    raising = sum(kind == "raise" for kind in load.accepted.values())

    def all_events_are_over():
        log = Log(logs, told)
        tried = [len(log.statuses[request_id]) >= (2 if kind == "raise" else 1) for request_id, kind in
                 load.accepted.items()]  # fmt: skip
        return all(tried) and log

    of_events = wait_for(all_events_are_over, within_s=120, every_s=0.5)
    # What is in flight at the kill is run once more: nothing else may still be on its way.
    time_of_last = time.monotonic()
    while time.monotonic() - time_of_last < 3:
        again = Log(logs, told)
        if again.reports != of_events.reports:
            of_events, time_of_last = again, time.monotonic()
    of_calls = Log(logs, load.names["called"])

    # Logs and metrics, exactly.
    for name, log in ((load.names["called"], of_calls), (told, of_events)):
        assert summed(cloudwatch, name, "Invocations") == log.reports
        assert summed(cloudwatch, name, "Duration", "SampleCount") == log.reports
        assert summed(cloudwatch, name, "Errors") == log.failures
    assert summed(cloudwatch, load.names["closed"], "Invocations") == 0
    # The bill, exactly: what was refused costs nothing, what was tried again counts again.
    check_bill(server, {load.names["called"]: of_calls, told: of_events})

    # Clients and logs: an answer has one REPORT, and what nobody had an answer for was in flight at the kill.
    assert [request_id for request_id in load.answered if len(of_calls.statuses.get(request_id, ())) != 1] == []
    without_answer = of_calls.statuses.keys() - load.answered.keys()
    assert len(without_answer) <= AT_ONCE
    lost_after_answer = 0
    for request_id, has_failed in load.answered.items():
        assert has_failed == (of_calls.kinds[request_id] in FAILING)
        # One whose answer had left and whose REPORT had not, at the kill, is reported as lost.
        lost_after_answer += bool(of_calls.statuses[request_id][0]) and not has_failed
    assert lost_after_answer <= AT_ONCE
    failed = sum(load.answered.values())
    failed_without_answer = sum(
        bool(of_calls.statuses[one][0]) or of_calls.kinds.get(one) == "raise" for one in without_answer
    )
    assert of_calls.failures == failed + lost_after_answer + failed_without_answer

    # Gathered in memory: exact since the restart, and never more than there was.
    refused = summed(cloudwatch, load.names["closed"], "Throttles")
    assert load.refused[1] <= refused <= load.refused.total()
    received = summed(cloudwatch, told, "AsyncEventsReceived")
    assert load.received[1] <= received <= load.received.total() + AT_ONCE
    assert summed(cloudwatch, told, "AsyncEventsDropped") <= raising + AT_ONCE
    wait_for(lambda: summed(cloudwatch, told, "AsyncEventAge", "SampleCount") >= load.received[1])

    # Each call of the server that was not killed has a trace, which failed where the call did.
    xray = server.client("xray")
    wait_for(lambda: failures_of_traces(xray, list(load.traced)) == load.traced, every_s=1.0)
