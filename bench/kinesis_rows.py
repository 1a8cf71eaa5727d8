"""The row about streams that start functions: four shards under load, in order, none lost, none twice."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench.load import BadAnswer, build_request, run_load
from bench.mapping_rows import send, wait_state
from bench.processes import ROOT
from bench.table import Line
from bench.targets import Target, TargetFailed, lambent, wait_for

if TYPE_CHECKING:
    from bench.rows import Plan

_FOLDER = ROOT / ".cache" / "kinesis-local" / "node_modules" / "kinesis-local"
_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/"
_SHARDS = 4
_RECORDS = 8_000
_AT_ONCE = 500
"""Records of one PutRecords, which is all that it takes."""
_BATCH = 100
_WAIT_S = 120.0
_READ = 1_000
"""Records of one read, as a poller has it."""


def measure_kinesis(plan: "Plan") -> list[Line]:
    """Work a backlog off through a mapping, and read it with a bare client; compare what the function had."""
    worked, read = [], []
    is_whole = True
    with _kinesis() as port, lambent(plan.runtime, "--neighbour", f"kinesis=http://127.0.0.1:{port}") as target:
        target.create(["bench-numbers"], "app.number_records")
        for number in range(max(plan.heavy_rounds // 2, 1)):
            stream = f"s{number}"
            _fill(port, stream)
            read.append(_RECORDS / _read_alone(port, stream))
            begin = time.perf_counter()
            uuid = _map(target, stream)
            _wait_seen(target, _RECORDS * (number + 1))
            worked.append(_RECORDS / (time.perf_counter() - begin))
            send(target, "PUT", f"/2015-03-31/event-source-mappings/{uuid}", {"Enabled": False})
            is_whole = is_whole and _is_in_order(_batches(target)[_RECORDS * number :])
    rate, bare = statistics.median(worked), statistics.median(read)
    return [
        Line(
            f"Kinesis trigger: {_RECORDS} records of {_SHARDS} shards, in batches of {_BATCH}",
            f"{rate:.0f} records/s",
            f"{bare:.0f}/s, read by a bare client, shard after shard",
            rate / bare,
            is_met=is_whole,
            required_text="in order, none lost, none twice",
        )
    ]


@contextlib.contextmanager
def _kinesis() -> Iterator[int]:
    """Yield the port of a Kinesis server that is not ours."""
    if shutil.which("node") is None or not (_FOLDER / "main.js").is_file():
        raise TargetFailed("there is no Kinesis server: .venv/bin/python tools/setup.py kinesis-local")
    with socket.socket() as plain, socket.socket() as tls:
        for one in (plain, tls):
            one.bind(("127.0.0.1", 0))
        port, tls_port = plain.getsockname()[1], tls.getsockname()[1]
    environ = {
        "PATH": os.environ["PATH"],
        "KINESIS_MOCK_PLAIN_PORT": str(port),
        "KINESIS_MOCK_TLS_PORT": str(tls_port),
        "CREATE_STREAM_DURATION": "10ms",
        "LOG_LEVEL": "ERROR",
    }
    process = subprocess.Popen(
        ["node", ROOT / "tools" / "kinesis_local.js"],
        cwd=_FOLDER,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:

        def answers() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            return False

        wait_for(answers, "a Kinesis server")
        yield port
    finally:
        # It would wait for its clients to leave.
        process.kill()
        process.wait()


class _Client:
    """A bare client on one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def __call__(self, operation: str, **request: object) -> Any:
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"Kinesis_20131202.{operation}",
            "x-amz-date": "20260101T000000Z",
            "authorization": "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/kinesis/aws4_request, "
            "SignedHeaders=host, Signature=00",
        }
        self._connection.request("POST", "/", json.dumps(request), headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise TargetFailed(f"{operation}: {answer.status} {body[:200]!r}")
        return json.loads(body or b"{}")


def _fill(port: int, stream: str) -> None:
    """Put numbered records into a new stream, each shard's in rising order."""
    call = _Client(port)
    call("CreateStream", StreamName=stream, ShardCount=_SHARDS)

    def is_there() -> bool:
        described = call("DescribeStreamSummary", StreamName=stream)["StreamDescriptionSummary"]
        return bool(described["StreamStatus"] == "ACTIVE")

    wait_for(is_there, "a stream")
    for start in range(0, _RECORDS, _AT_ONCE):
        records = [
            {"Data": base64.b64encode(f"{number:<200}".encode()).decode(), "PartitionKey": str(number)}
            for number in range(start, start + _AT_ONCE)
        ]
        if call("PutRecords", StreamName=stream, Records=records)["FailedRecordCount"]:
            raise TargetFailed("the Kinesis server took not all records")


def _read_alone(port: int, stream: str) -> float:
    """Return how long a bare client takes to read all of a stream."""
    call = _Client(port)
    begin, count = time.perf_counter(), 0
    for shard in call("ListShards", StreamName=stream)["Shards"]:
        iterator = call(
            "GetShardIterator", StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while found := (page := call("GetRecords", ShardIterator=iterator, Limit=_READ))["Records"]:
            count += len(found)
            iterator = page["NextShardIterator"]
    if count != _RECORDS:
        raise TargetFailed(f"the Kinesis server has {count} of {_RECORDS} records")
    return time.perf_counter() - begin


def _map(target: Target, stream: str) -> str:
    wanted = {
        "EventSourceArn": _ARN + stream,
        "FunctionName": "bench-numbers",
        "BatchSize": _BATCH,
        "StartingPosition": "TRIM_HORIZON",
    }
    uuid: str = send(target, "POST", "/2015-03-31/event-source-mappings", wanted)["UUID"]
    wait_state(target, uuid, "Enabled")
    return uuid


def _batches(target: Target) -> list[tuple[str, int]]:
    """Return shard and number of each record that the function had, in the order of its runs."""
    body = {"logGroupName": "/aws/lambda/bench-numbers", "limit": 10_000}
    request = build_request(
        target.url,
        "POST",
        "/",
        json.dumps(body).encode(),
        "logs",
        headers="X-Amz-Target: Logs_20140328.FilterLogEvents\r\n",
    )
    answer = json.loads(run_load(target.url, [request], concurrency=1, count=1, keep_answers=True).answers[0])
    batches = []
    for event in answer["events"]:
        word, _, rest = event["message"].partition(" ")
        if word == "BATCH":
            moment, shard, *numbers = rest.split()
            batches.append((int(moment), shard, [int(number) for number in numbers]))
    return [(shard, number) for _, shard, numbers in sorted(batches) for number in numbers]


def _wait_seen(target: Target, count: int) -> None:
    deadline = time.monotonic() + _WAIT_S
    while True:
        # There is no log before the first batch.
        with contextlib.suppress(BadAnswer):
            if len(_batches(target)) >= count:
                return
        if time.monotonic() > deadline:
            raise TargetFailed("not all records were worked off")
        # A look costs both of them something.
        time.sleep(0.1)


def _is_in_order(seen: list[tuple[str, int]]) -> bool:
    """Say whether each record was seen once, and those of each shard in their order."""
    by_shard: dict[str, list[int]] = {}
    for shard, number in seen:
        by_shard.setdefault(shard, []).append(number)
    in_order = all(numbers == sorted(numbers) for numbers in by_shard.values())
    return in_order and sorted(number for _, number in seen) == list(range(_RECORDS))
