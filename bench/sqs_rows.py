"""Rows about the SQS API: how soon a waiting receiver has what was sent, and how much can be sent."""

import json
import os
import statistics
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.load import build_request, run_load
from bench.table import Line, milliseconds
from bench.targets import lambent, scratch_folder, wait_for
from bench.yardsticks import interleave, start_echo

if TYPE_CHECKING:
    from bench.rows import Plan

_BODY = "x" * 200
_SENDERS = 16
_SENDS = 400
"""Requests of one sample."""
_RECEIVE_MAX_S = 0.005


def measure_sqs(plan: "Plan") -> list[Line]:
    """Send to a receiver that waits, and send as much as sixteen clients can; every message is on disk."""
    with lambent(plan.runtime) as target, scratch_folder() as folder, start_echo() as echo:
        call = Caller(target.url)
        call("CreateQueue", QueueName="waited")
        call("CreateQueue", QueueName="filled")
        request = call.request("SendMessage", QueueUrl="filled", MessageBody=_BODY)
        bare = build_request(echo.url, "POST", "/", _BODY.encode())

        def rate(url: str, what: bytes) -> float:
            return run_load(url, [what], concurrency=_SENDERS, count=_SENDS).per_second

        rate(target.url, request)
        soon, written = interleave(call.send_to_waiting, lambda: _write(folder / "file"), rounds=plan.rounds)
        sent, echoed = interleave(
            lambda: rate(target.url, request), lambda: rate(echo.url, bare), rounds=plan.heavy_rounds
        )
    soon_s, sends, echoes = statistics.median(soon), statistics.median(sent), statistics.median(echoed)
    return [
        Line(
            "SQS: SendMessage to the end of a waiting ReceiveMessage, p50",
            milliseconds(soon_s),
            f"{milliseconds(statistics.median(written))}, one fdatasync of a file",
            is_met=soon_s < _RECEIVE_MAX_S,
            required_text="under 5 ms",
        ),
        Line(
            f"SQS: messages sent by {_SENDERS} clients, each on disk",
            f"{sends:.0f}/s",
            f"{echoes:.0f}/s, bare uvicorn echo",
            sends / echoes,
        ),
    ]


class Caller:
    """Calls operations of SQS on two connections: what waits on the one does not hold the other up."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        self._sends, self._waits, self._asks = (HTTPConnection(parts.hostname or "", parts.port) for _ in range(3))

    def request(self, operation: str, **parameters: object) -> bytes:
        """Return the bytes of one call, for the load client."""
        made = build_request(self._url, "POST", "/", json.dumps(parameters).encode(), "sqs")
        named = f"Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.{operation}".encode()
        return made.replace(b"Content-Type: application/json", named)

    def __call__(self, operation: str, **parameters: object) -> None:
        self._begin(self._sends, operation, parameters)
        self._end(self._sends)

    def send_to_waiting(self) -> float:
        """Have a receiver wait, then send; return the seconds from the send to the end of the receiver's answer."""
        self._begin(
            self._waits, "ReceiveMessage", {"QueueUrl": "waited", "WaitTimeSeconds": 20, "VisibilityTimeout": 43200}
        )
        wait_for(self._is_waiting, "a receiver to wait")
        begin = time.perf_counter()
        self._begin(self._sends, "SendMessage", {"QueueUrl": "waited", "MessageBody": _BODY})
        received = self._end(self._waits)
        elapsed = time.perf_counter() - begin
        self._end(self._sends)
        assert json.loads(received)["Messages"][0]["Body"] == _BODY
        return elapsed

    def _is_waiting(self) -> bool:
        self._asks.request("GET", "/_lambent/health")
        # The question itself is one of them.
        return bool(json.loads(self._end(self._asks))["requests_in_flight"] == 2)

    def _begin(self, connection: HTTPConnection, operation: str, parameters: dict[str, object]) -> None:
        scope = f"Credential=000000000000/20260101/us-east-1/sqs/aws4_request, Signature={'0' * 64}"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 {scope}",
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AmazonSQS.{operation}",
        }
        connection.request("POST", "/", json.dumps(parameters), headers)

    def _end(self, connection: HTTPConnection) -> bytes:
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body


def _write(path: Path) -> float:
    """Append to a file and wait until it is on disk; return the seconds."""
    with path.open("ab", buffering=0) as file:
        begin = time.perf_counter()
        file.write(_BODY.encode())
        os.fdatasync(file.fileno())
        return time.perf_counter() - begin
