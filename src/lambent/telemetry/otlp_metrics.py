"""
The server's own figures, sent to an OpenTelemetry collector every some seconds.

In: families, on the event loop. Out: requests, from a thread of its own. Never: a backlog: sums are cumulative, so that
the next one that arrives makes up for those that did not.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Final

from lambent.clock import Clock
from lambent.errors.families import DependencyError
from lambent.telemetry.exposition import Family, HistogramValue
from lambent.telemetry.otlp import Collector, session

SEND_EVERY_S: Final = 15.0
"""Assumed: as often as scrapers are told to come."""

SEND_MAX_S: Final = 5.0
"""How long one attempt may take, repeated requests within it included: a server that ends waits as long at most."""

LAST_SEND_MAX_S: Final = 3.0
"""How long a server that ends waits for its last figures to be taken."""

_UNITS: Final = {"_seconds": "s", "_bytes": "By"}
"""Ending of a family's name to its unit, which a reader puts back where it wants it."""

_log = logging.getLogger("lambent.telemetry")


class OtlpMetrics:
    """
    Sends figures.

    Args:
        families: returns what there is now.
        started_at: when counting began, in seconds since the epoch.
        version: of the server.
    """

    def __init__(
        self,
        to: Collector,
        families: Callable[[], Awaitable[Sequence[Family]]],
        clock: Clock,
        *,
        started_at: float,
        version: str,
        every_s: float = SEND_EVERY_S,
    ) -> None:
        self._to = to
        self._families = families
        self._clock = clock
        self._started_ns = int(started_at * 1e9)
        self._version = version
        self._every_s = every_s
        # Of its own: a collector that hangs keeps nothing else waiting.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="otlp-metrics")
        self._exporter: Any = None
        self._failures = 0

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await self._clock.sleep(self._every_s)
            await self.send()

    async def send(self) -> None:
        """
        Send what there is now. A collector that does not take it is told of once, until it takes one again.

        Raises:
            DependencyError: the store failed.
        """
        families = await self._families()
        now_ns = int(self._clock.now() * 1e9)
        loop = asyncio.get_running_loop()
        self._note(await loop.run_in_executor(self._thread, self._send, families, now_ns))

    async def close(self) -> None:
        """Send once more, if that is quick, and end."""
        last = asyncio.ensure_future(self.send())
        try:
            await asyncio.wait_for(asyncio.shield(last), LAST_SEND_MAX_S)
        except (TimeoutError, DependencyError):
            _log.warning("otlp.last_figures_lost endpoint=%s", self._to.endpoint)
        finally:
            if self._exporter is not None:
                # Has an attempt that waits to be repeated give up.
                self._exporter.shutdown()
            self._thread.shutdown(wait=False, cancel_futures=True)
            await asyncio.wait([last], timeout=SEND_MAX_S)

    def _note(self, is_taken: bool) -> None:
        if not is_taken:
            self._failures += 1
            if self._failures == 1:
                _log.warning("otlp.metrics_not_taken endpoint=%s again_every_s=%g", self._to.endpoint, self._every_s)
        elif self._failures:
            _log.warning("otlp.metrics_taken_again endpoint=%s missed=%d", self._to.endpoint, self._failures)
            self._failures = 0

    # In the thread ------------------------------------------------------------------------------------------------

    def _send(self, families: Sequence[Family], now_ns: int) -> bool:
        from opentelemetry.sdk.metrics.export import MetricExportResult

        if self._exporter is None:
            self._exporter = self._make_exporter()
        taken: bool = self._exporter.export(self._data(families, now_ns)) is MetricExportResult.SUCCESS
        return taken

    def _make_exporter(self) -> Any:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        # It tells of each attempt; what there is to say of it is said here, once.
        logging.getLogger(OTLPMetricExporter.__module__).setLevel(logging.CRITICAL)
        return OTLPMetricExporter(
            endpoint=self._to.url("metrics"),
            headers=dict(self._to.headers),
            timeout=SEND_MAX_S,
            compression=Compression.Gzip,
            session=session(),
        )

    def _data(self, families: Sequence[Family], now_ns: int) -> Any:
        from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        resource = Resource({"service.name": "lambent", "service.version": self._version})
        metrics = [self._metric(family, now_ns) for family in families if family.samples]
        scope = ScopeMetrics(InstrumentationScope("lambent", self._version), metrics, "")
        return MetricsData([ResourceMetrics(resource, [scope], "")])

    def _metric(self, family: Family, now_ns: int) -> Any:
        from opentelemetry.sdk.metrics.export import (
            AggregationTemporality,
            Gauge,
            Histogram,
            HistogramDataPoint,
            Metric,
            NumberDataPoint,
            Sum,
        )

        points: list[Any] = []
        for labels, value in family.samples:
            attributes = dict(zip(family.labels, labels, strict=True))
            if isinstance(value, HistogramValue):
                up_to = (0, *value.up_to, value.count)
                points.append(
                    HistogramDataPoint(
                        attributes,
                        self._started_ns,
                        now_ns,
                        value.count,
                        value.total,
                        [after - before for before, after in pairwise(up_to)],
                        list(value.edges),
                        # Not known: what lies in the outermost bins has an end on one side only.
                        None,  # type: ignore[arg-type]
                        None,  # type: ignore[arg-type]
                    )
                )
            else:
                started_ns = None if family.kind == "gauge" else self._started_ns
                points.append(NumberDataPoint(attributes, started_ns, now_ns, value))  # type: ignore[arg-type]
        data: Any
        if family.kind == "histogram":
            data = Histogram(points, AggregationTemporality.CUMULATIVE)
        elif family.kind == "counter":
            data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        else:
            data = Gauge(points)
        ending = next((one for one in _UNITS if family.name.endswith(one)), "")
        name = family.name.removesuffix(ending) if ending else family.name
        return Metric(name, family.text, _UNITS.get(ending, "1"), data)
