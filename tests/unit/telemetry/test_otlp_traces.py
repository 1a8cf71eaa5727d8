"""Segments on their way to a collector: a real receiver, which reads what the protocol's own classes read."""

import asyncio
import gzip
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from lambent.clock import SystemClock
from lambent.domain.caller import Scope
from lambent.domain.traced import Accepted, Failure, HttpCall, Link, Ran, documents_of
from lambent.telemetry.otlp import Collector
from lambent.telemetry.otlp_traces import WAITING_MAX_BYTES, OtlpTraces
from lambent.telemetry.traces import Exported

SCOPE = Scope("111122223333", "eu-west-1")
TRACE_ID = "1-654c0557-5611b044040fc7224c4790b6"
OTLP_ID = bytes.fromhex("654c05575611b044040fc7224c4790b6")
PRODUCER = Link("1-654c0557-bbbbbbbbbbbbbbbbbbbbbbbb", "4" * 16)
ACCEPTED = Accepted(
    SCOPE, "f", TRACE_ID, "5" * 16, "c" * 16, "r1", 100.0, 101.0, 200, True,
    links=[PRODUCER], http=HttpCall("GET", "http://h/p", "me", "127.0.0.1"),
)  # fmt: skip
RAN = Ran(
    SCOPE, "f", "/aws/lambda/f", TRACE_ID, "f" * 16, "5" * 16, "1" * 16, 100.1, 100.8, 100.9,
    failure=Failure("ValueError", "boom"),
)  # fmt: skip


def exported(*traced: Accepted | Ran) -> list[Exported]:
    return [
        Exported(one.scope, one.name, msgspec.json.encode(document)) for one in traced for document in documents_of(one)
    ]


def sent(function: str = "f", **changes: Any) -> Exported:
    """Return a subsegment that a function sent."""
    document = {"trace_id": TRACE_ID, "id": "a" * 16, "parent_id": "1" * 16, "type": "subsegment", "name": "## work"}
    document |= {"start_time": 100.2, "end_time": 100.3, **changes}
    return Exported(SCOPE, function, msgspec.json.encode(document))


class Receiver:
    """What came in, and how it is answered."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any, ExportTraceServiceRequest]] = []
        self.status = 200
        self.port = 0

    def spans(self) -> dict[str, Span]:
        """Return the spans that came, by their names in the order in which they came."""
        return {
            f"{span.name} {span.span_id.hex()}": span
            for _, _, request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }


@contextmanager
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
            if made.status == 200:
                made.requests.append((self.path, self.headers, ExportTraceServiceRequest.FromString(body)))
            self.send_response(made.status)
            self.send_header("content-length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sending(there: Receiver) -> OtlpTraces:
    return OtlpTraces(Collector(f"http://127.0.0.1:{there.port}", {"x-key": "secret"}), SystemClock(), version="1.2.3")


def sent_to(there: Receiver, *segments: Exported) -> dict[str, Span]:
    """Send segments to a receiver, and return the spans that it got."""

    async def story() -> None:
        traces = sending(there)
        traces.take(segments)
        await traces.close()

    asyncio.run(story())
    return there.spans()


def attributes_of(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_segments_are_spans_of_one_trace() -> None:
    """By their ids, in 32 digits; subsegments are spans below theirs; who it is of stands in the resource."""
    with receiver() as there:
        spans = sent_to(there, *exported(ACCEPTED, RAN), sent(annotations={"order": 7}, metadata={"default": {"a": 1}}))
    ((path, headers, request),) = there.requests
    assert (path, headers["x-key"]) == ("/v1/traces", "secret")
    resource = attributes_of(request.resource_spans[0].resource)
    assert (resource["service.name"], resource["faas.name"], resource["cloud.account.id"]) == ("f", "f", SCOPE.account)
    assert {span.trace_id for span in spans.values()} == {OTLP_ID}
    by_id = {span.span_id.hex(): span for span in spans.values()}
    service, function, invocation, work = (by_id[digit * 16] for digit in "5f1a")
    assert [span.parent_span_id.hex() for span in (service, function, invocation, work)] == [
        "c" * 16,
        "5" * 16,
        "f" * 16,
        "1" * 16,
    ]
    assert (service.start_time_unix_nano, service.end_time_unix_nano) == (100_000_000_000, 101_000_000_000)
    assert (service.kind, invocation.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_INTERNAL)
    assert attributes_of(service)["http.request.method"] == "GET"
    assert attributes_of(service)["http.response.status_code"] == 200
    assert attributes_of(work)["order"] == 7
    assert attributes_of(work)["aws.xray.metadata.default"] == '{"a":1}'
    assert service.status.code == invocation.status.code == Status.STATUS_CODE_ERROR
    (event,) = invocation.events
    assert attributes_of(event)["exception.type"] == "ValueError"
    assert invocation.status.message == "boom"
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in service.links] == [
        (PRODUCER.trace_id.replace("-", "")[1:], PRODUCER.segment_id)
    ]


def test_what_has_not_ended_is_no_span_yet() -> None:
    """An event that will run again, say; its segment comes once more when it ends."""
    with receiver() as there:
        spans = sent_to(there, *exported(ACCEPTED._replace(is_open=True)), sent(namespace="aws", name="sqs"))
    ((name, span),) = spans.items()
    assert name.startswith("sqs ")
    assert span.kind == Span.SPAN_KIND_CLIENT


@pytest.mark.parametrize(
    "changes",
    [
        {"annotations": {"big": 10**30, "nested": {}, "list": [1]}},
        {"start_time": 2e11, "end_time": 2e11},
        {"end_time": 1.0},
        {"links": [1, {"trace_id": 1}, {"trace_id": "x", "id": "y"}], "http": 1, "aws": [], "metadata": 7},
        {"cause": {"exceptions": [1, {"stack": 1, "message": 5}]}, "fault": True},
        {"trace_id": "1-00000000-000000000000000000000000", "id": "0" * 16},
    ],
    ids=str,
)
def test_whatever_a_function_sends_keeps_nothing_else_back(changes: dict[str, Any]) -> None:
    """What follows is sent all the same."""
    with receiver() as there:
        spans = sent_to(there, sent(**changes), sent(id="b" * 16, name="next"))
    assert "next " + "b" * 16 in spans


def test_a_collector_that_is_away_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """What waits meanwhile is sent when it is back; the oldest go where there is no room."""
    with receiver() as there:

        async def story() -> None:
            traces = sending(there)
            there.status = 400
            traces.take(exported(ACCEPTED))
            assert not await traces.send()
            assert not await traces.send()
            there.status = 200
            assert await traces.send()
            traces.take([sent(metadata="x" * 60_000)] * (WAITING_MAX_BYTES // 60_000 + 10))
            assert traces._waiting_bytes <= WAITING_MAX_BYTES
            assert traces.dropped >= 10
            traces._waiting.clear()
            await traces.close()

        with caplog.at_level(logging.WARNING, "lambent.telemetry"):
            asyncio.run(story())
    assert len(there.spans()) == 1
    said = [record.getMessage().partition(" ")[0] for record in caplog.records]
    assert said == ["otlp.traces_not_taken", "otlp.traces_taken_again"]


def test_it_sends_by_itself() -> None:
    """As soon as there is something."""
    with receiver() as there:

        async def story() -> None:
            traces = sending(there)
            running = asyncio.ensure_future(traces.run())
            traces.take(exported(RAN))
            async with asyncio.timeout(20):
                while not there.requests:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait([running])
            await traces.close()

        asyncio.run(story())
    assert len(there.spans()) == 3
