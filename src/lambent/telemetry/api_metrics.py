"""
The metrics of AWS/ApiGateway for HTTP APIs: what each request came to.

Documented: API Gateway developer guide, CloudWatch metrics for HTTP APIs.
"""

from typing import Final

from lambent.domain.caller import Scope
from lambent.domain.metric import Metric, dimensions_of
from lambent.telemetry.metrics import Alike, Metrics

NAMESPACE: Final = "AWS/ApiGateway"

_UNITS: Final = {
    "Count": "Count",
    "4xx": "Count",
    "5xx": "Count",
    "Latency": "Milliseconds",
    "IntegrationLatency": "Milliseconds",
    "DataProcessed": "Bytes",
}

_KNOWN_MAX: Final = 2_000
"""Routes whose metrics are remembered, so that they are not put together for each request; then all are forgotten."""


class ApiMetrics:
    """
    The figures of HTTP APIs. All methods are for the event loop.

    Args:
        metrics: gathers them.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: dict[tuple[Scope, str, str, str], dict[str, Alike]] = {}

    def answered(
        self,
        scope: Scope,
        api_id: str,
        stage: str,
        route_key: str,
        status: int,
        *,
        latency_ms: float,
        integration_latency_ms: float | None,
        data_bytes: int,
    ) -> None:
        """
        A request has its response, its beginning where it is streamed.

        Args:
            route_key: where the stage has detailed metrics and a route was found; else empty.
            integration_latency_ms: None where no integration was asked.
            data_bytes: of the bodies of request and response.
        """
        key = (scope, api_id, stage, route_key)
        metrics = self._known.get(key)
        if metrics is None:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            metrics = self._known[key] = _metrics(*key)
        values = {
            "Count": 1.0,
            # Documented: how many; their average is the rate.
            "4xx": float(400 <= status < 500),
            "5xx": float(status >= 500),
            "Latency": latency_ms,
            "IntegrationLatency": integration_latency_ms,
            "DataProcessed": float(data_bytes),
        }
        for name, value in values.items():
            if value is not None:
                self._metrics.add_alike(metrics[name], value)


def _metrics(scope: Scope, api_id: str, stage: str, route_key: str) -> dict[str, Alike]:
    of_api, of_stage = {"ApiId": api_id}, {"ApiId": api_id, "Stage": stage}
    sets = [of_api, of_stage]
    if route_key:
        # Documented, in versions of one page: the route, or its method and resource. Readers of either find theirs.
        # Assumed: what the route that takes everything has as its method (test_api_metrics).
        method, _, resource = route_key.rpartition(" ")
        sets += [{**of_stage, "Route": route_key}, {**of_stage, "Method": method or "ANY", "Resource": resource}]
    return {
        name: Alike([Metric(scope, NAMESPACE, name, dimensions_of(one), unit) for one in sets])
        for name, unit in _UNITS.items()
    }
