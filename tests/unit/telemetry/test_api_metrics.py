"""The figures of HTTP APIs."""

import asyncio
from collections.abc import Sequence

from lambent.domain.caller import Scope
from lambent.domain.metric import MetricPoint
from lambent.telemetry.api_metrics import ApiMetrics
from lambent.telemetry.metrics import Metrics
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")


class Store:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.points: list[MetricPoint] = []

    async def add(self, points: Sequence[MetricPoint]) -> None:
        self.points += points


def answered(*requests: tuple[str, int, float | None]) -> dict[tuple[str, str], tuple[float, float, str]]:
    """Return what is told of requests: the route's key, the status, and the integration's latency."""
    store = Store()

    async def story() -> None:
        metrics = Metrics(store, VirtualClock())  # type: ignore[arg-type]
        of_apis = ApiMetrics(metrics)
        for route_key, status, integration_ms in requests:
            of_apis.answered(
                SCOPE,
                "a1",
                "prod",
                route_key,
                status,
                latency_ms=20.0,
                integration_latency_ms=integration_ms,
                data_bytes=100,
            )
        await metrics.settle()

    asyncio.run(story())
    assert {point.metric.namespace for point in store.points} == {"AWS/ApiGateway"}
    return {
        (metric.name, " ".join(f"{name}={value}" for name, value in metric.dimensions)): (
            values.count,
            values.total,
            metric.unit,
        )
        for metric, _, _, values in store.points
    }


def test_a_request_counts_for_its_api_and_its_stage() -> None:
    """What no integration was asked for has no latency of one."""
    found = answered(("", 200, 15.0), ("", 429, None), ("", 503, 5.0))
    for dimensions in ("ApiId=a1", "ApiId=a1 Stage=prod"):
        assert found.pop(("Count", dimensions)) == (3, 3, "Count")
        assert found.pop(("4xx", dimensions)) == (3, 1, "Count")
        assert found.pop(("5xx", dimensions)) == (3, 1, "Count")
        assert found.pop(("Latency", dimensions)) == (3, 60, "Milliseconds")
        assert found.pop(("IntegrationLatency", dimensions)) == (2, 20, "Milliseconds")
        assert found.pop(("DataProcessed", dimensions)) == (3, 300, "Bytes")
    assert not found


def test_detailed_figures_are_of_the_route_too() -> None:
    """By its key, and by method and resource; the route that takes everything takes any method."""
    found = answered(("GET /pets", 200, None), ("$default", 200, None))
    assert {dimensions for name, dimensions in found if name == "Count"} == {
        "ApiId=a1",
        "ApiId=a1 Stage=prod",
        "ApiId=a1 Route=GET /pets Stage=prod",
        "ApiId=a1 Method=GET Resource=/pets Stage=prod",
        "ApiId=a1 Route=$default Stage=prod",
        "ApiId=a1 Method=ANY Resource=$default Stage=prod",
    }
