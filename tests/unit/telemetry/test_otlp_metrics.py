"""Figures on their way to a collector: a real receiver, which reads what the protocol's own classes read."""

import asyncio
import gzip
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from lambent.clock import SystemClock
from lambent.telemetry.exposition import Family, HistogramValue
from lambent.telemetry.otlp import Collector
from lambent.telemetry.otlp_metrics import OtlpMetrics

FAMILIES = [
    Family("lambent_invocations", "counter", "Over.", ("function",), [(("f",), 3), (("g",), 0)]),
    Family("lambent_log_backlog_bytes", "gauge", "Behind.", (), [((), 70)]),
    Family(
        "lambent_invocation_duration_seconds",
        "histogram",
        "How long.",
        ("function",),
        [(("f",), HistogramValue((0.1, 1.0), (1, 2), 3, 5.5))],
    ),
    Family("lambent_queue_oldest_age_seconds", "gauge", "Nobody waits.", ("queue",), []),
]


class Receiver:
    """What came in, and how it is answered."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any, ExportMetricsServiceRequest]] = []
        self.status = 200
        self.port = 0


@contextmanager
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
            made.requests.append((self.path, self.headers, ExportMetricsServiceRequest.FromString(body)))
            answer = ExportMetricsServiceResponse().SerializeToString()
            self.send_response(made.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

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


def sending(port: int, **given: Any) -> OtlpMetrics:
    async def families() -> list[Family]:
        return FAMILIES

    to = Collector(f"http://127.0.0.1:{port}", {"x-key": "secret"})
    return OtlpMetrics(to, families, SystemClock(), started_at=1000.0, version="1.2.3", **given)


def test_a_collector_gets_what_prometheus_reads() -> None:
    """Sums since the start, gauges, histograms with their buckets; units in their place, and who it is that sends."""
    with receiver() as there:

        async def story() -> None:
            made = sending(there.port)
            await made.send()
            await made.close()

        asyncio.run(story())
        path, headers, request = there.requests[0]
    assert len(there.requests) == 2, "one that ends sends once more"
    assert (path, headers["x-key"]) == ("/v1/metrics", "secret")
    (resource,) = request.resource_metrics
    assert {one.key: one.value.string_value for one in resource.resource.attributes} == {
        "service.name": "lambent",
        "service.version": "1.2.3",
    }
    metrics = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    assert set(metrics) == {"lambent_invocations", "lambent_log_backlog", "lambent_invocation_duration"}
    invocations = metrics["lambent_invocations"].sum
    assert invocations.is_monotonic and invocations.aggregation_temporality == 2
    assert [(point.attributes[0].value.string_value, point.as_int) for point in invocations.data_points] == [
        ("f", 3),
        ("g", 0),
    ]
    assert {point.start_time_unix_nano for point in invocations.data_points} == {1_000_000_000_000}
    backlog = metrics["lambent_log_backlog"]
    assert (backlog.unit, backlog.gauge.data_points[0].as_int) == ("By", 70)
    (duration,) = metrics["lambent_invocation_duration"].histogram.data_points
    assert (list(duration.bucket_counts), list(duration.explicit_bounds)) == ([1, 1, 1], [0.1, 1.0])
    assert (duration.count, duration.sum, metrics["lambent_invocation_duration"].unit) == (3, 5.5, "s")


def test_a_collector_that_is_away_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing piles up meanwhile; what it takes next holds everything, and it is said that it is back."""
    caplog.set_level(logging.WARNING)
    with receiver() as there:
        # An answer that is not worth repeating: no attempt waits for the next.
        there.status = 400

        async def story() -> None:
            made = sending(there.port)
            for _ in range(3):
                await made.send()
            there.status = 200
            await made.send()
            await made.close()

        asyncio.run(story())
    said = [record.message.partition(" ")[0] for record in caplog.records]
    assert said == ["otlp.metrics_not_taken", "otlp.metrics_taken_again"]
    assert "missed=3" in caplog.records[1].message
    assert len({request.SerializeToString()[:40] for _, _, request in there.requests}) == 1


def test_a_server_that_ends_waits_for_no_collector(caplog: pytest.LogCaptureFixture) -> None:
    """One that does not answer at all holds up nothing for long."""

    async def story(port: int) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await sending(port).close()
        return loop.time() - began

    # The kernel takes connections for it, and it says nothing.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert asyncio.run(story(silent.getsockname()[1])) < 9
    assert "otlp.last_figures_lost" in caplog.text
