"""What is told of invocations, where it is kept, and who else is told."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lambent import __version__
from lambent.assembly.sources import Sources
from lambent.assembly.tasks import SWEEP_EVERY_S
from lambent.clock import Clock
from lambent.dispatch.dispatcher import Dispatcher
from lambent.dispatch.log_subscribers import LogSubscribers
from lambent.domain.log_retention import RETENTION_DAYS
from lambent.errors.families import SettingsError
from lambent.execution.parked import ParkedPool
from lambent.execution.pool import EnvironmentPool
from lambent.gateway.admission import Admission
from lambent.services.logs.filters import FilterAccess
from lambent.services.logs.live_tail import LiveTails
from lambent.services.logs.log_records import LogRecords
from lambent.services.logs.queries import LogQueries
from lambent.services.logs.query_definitions import SavedQueries
from lambent.settings import (
    TelemetrySettings,
    UsageSettings,
)
from lambent.store.contract import EventQueue
from lambent.store.data_folder import DataFolder
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.log_filters import LogFilterRepository
from lambent.store.logs import LogRepository
from lambent.store.metrics import MetricRepository
from lambent.store.query_definitions import QueryDefinitionRepository
from lambent.store.traces import TraceRepository
from lambent.store.usage import UsageRepository
from lambent.telemetry.api_metrics import ApiMetrics
from lambent.telemetry.deliveries import DeliveryCounts
from lambent.telemetry.exposition import Exposition, Family, ServerView
from lambent.telemetry.figures import FunctionFigures
from lambent.telemetry.ingestion import Ingestion
from lambent.telemetry.lambda_metrics import LambdaMetrics, points_of
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.metering import KeptEnvironments, Metering
from lambent.telemetry.metrics import Metrics
from lambent.telemetry.otlp import Collector, collector
from lambent.telemetry.queue_metrics import QueueMetrics
from lambent.telemetry.queues import QueueView
from lambent.telemetry.sampling import Sampling
from lambent.telemetry.segments import Segments
from lambent.telemetry.traces import Traces

_TIDY_EVERY_S = 300.0
"""Assumed: points that are due to be packed are read as well as packed ones."""

_TIDY_PAUSE_S = 0.25
"""Between steps, of some ten milliseconds each. Assumed: a tenth of a processor is what tidying may take."""


if TYPE_CHECKING:
    from lambent.telemetry.otlp_metrics import OtlpMetrics
    from lambent.telemetry.otlp_traces import OtlpTraces


class Telemetry:
    """What is told of invocations, and where it is kept."""

    def __init__(
        self,
        settings: TelemetrySettings,
        usage: UsageSettings,
        folder: DataFolder,
        database: Database,
        queue: EventQueue,
        store: FunctionRepository,
        clock: Clock,
    ) -> None:
        if settings.log_retention_days not in RETENTION_DAYS | {0}:
            days = ", ".join(map(str, sorted(RETENTION_DAYS)))
            raise SettingsError(f"--log-retention-days: {settings.log_retention_days} is neither 0 nor one of {days}")
        self.metric_store = MetricRepository(database)
        self.usage_store = UsageRepository(
            database,
            clock,
            records_days=usage.usage_records_days,
            records_max_bytes=usage.usage_records_max_mib << 20,
        )
        self.trace_store = TraceRepository(database, clock, max_bytes=settings.traces_max_mib << 20)
        self.metrics = Metrics(self.metric_store, clock)
        self.of_functions = LambdaMetrics(self.metrics)
        self.subscribers = LogSubscribers(queue, store, clock, metrics=self.of_functions)
        self.log_store = LogRepository(database, clock, retention_days=settings.log_retention_days or None)
        self.log_filters = LogFilterRepository(database)
        self.ingestion = Ingestion(
            points_of, filters=self.log_filters, subscribers=self.subscribers, metrics=self.metrics, clock=clock
        )
        self.logs = FunctionLogs(Segments(folder.segments, clock), self.log_store, clock, self.ingestion)
        self._queries = LogQueries(self.log_store, self.logs.fold, clock)
        self.live_tails = LiveTails(self.log_store, self.logs.fold, self.ingestion.follow, clock)
        self.log_readers = (
            self._queries,
            LogRecords(self.log_store, self.logs.fold, clock),
            SavedQueries(QueryDefinitionRepository(database), clock),
            self.live_tails,
        )
        self.of_queues = QueueMetrics(self.metrics, clock)
        self.of_apis = ApiMetrics(self.metrics)
        self.figures = FunctionFigures()
        self._collector = collector(settings.otlp_endpoint, settings.otlp_headers_file)
        self._otlp_traces = None if self._collector is None else _sender_of_traces(self._collector, clock)
        self._otlp_metrics: OtlpMetrics | None = None
        self.traces = Traces(self.trace_store, clock, None if self._otlp_traces is None else self._otlp_traces.take)
        self._sampling: Sampling | None = None
        self._metering: Metering | None = None
        self._clock = clock

    def sample(self, dispatcher: Dispatcher, sources: Sources, queue: EventQueue) -> None:
        """Have those looked at that tell nothing by themselves."""
        self._sampling = Sampling(
            dispatcher.take_peaks, sources.counts_of_mappings, queue, self.of_functions, self.of_queues, self._clock
        )

    def meter(self, kept: KeptEnvironments) -> None:
        """Have that counted what is kept initialised."""
        self._metering = Metering(self.logs, self.usage_store, kept, self._clock)

    def looking(
        self, sandbox: str, pool: EnvironmentPool, parked: ParkedPool, sources: Sources, admission: Admission
    ) -> Callable[[], ServerView]:
        """Return what tells what the server is at."""
        started_at = self._clock.now()

        def look() -> ServerView:
            written = self.logs.counts()
            return ServerView(
                version=__version__,
                sandbox=sandbox,
                started_at=started_at,
                environments=pool.view(),
                parked=parked.size,
                parked_mib=parked.size_mib,
                parking_failures=parked.failures,
                mappings=sources.views(),
                log_messages=written.messages,
                log_bytes=written.written_bytes,
                log_backlog_bytes=written.backlog_bytes,
                log_records_dropped=written.records_dropped,
                log_throttles=written.throttles,
                metric_points_dropped=self.metrics.dropped_points,
                trace_segments_dropped=self.traces.dropped
                + self.traces.malformed
                + (0 if self._otlp_traces is None else self._otlp_traces.dropped),
                requests_in_flight=admission.requests,
            )

        return look

    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return by name all that goes on for as long as the server does."""
        assert self._sampling is not None and self._metering is not None
        work = {
            "metering": self._metering.run,
            "queries": self._queries.run,
            "metrics": self.metrics.run,
            "sampling": self._sampling.run,
            "tidying metrics": self._tidy_metrics,
            "tidying usage": self._tidy_usage,
            "default values of metric filters": self.ingestion.run,
            "traces": self.traces.run,
            "trace sweep": self._sweep_traces,
        }
        if self._otlp_traces is not None:
            work["OTLP traces"] = self._otlp_traces.run
        if self._otlp_metrics is not None:
            work["OTLP metrics"] = self._otlp_metrics.run
        return work

    def filter_access(self) -> FilterAccess:
        """Return what the filters of log groups work on."""
        return FilterAccess(
            self.log_filters, self.log_store, self.ingestion.filters_changed, self.logs.fold, self._clock.now
        )

    def expose(
        self,
        queues: QueueView,
        deliveries: DeliveryCounts,
        look: Callable[[], ServerView],
        further: Callable[[], Sequence[Family]],
    ) -> Exposition:
        """Return what scrapers are answered; where there is a collector, it gets the same."""
        exposition = Exposition(queues, deliveries, self.figures, look, further)
        if self._collector is not None:
            self._otlp_metrics = _sender_of_metrics(
                self._collector, exposition.families, self._clock, started_at=look().started_at
            )
        return exposition

    async def _sweep_traces(self) -> None:
        while True:
            await self.trace_store.drop_expired(self._clock.now())
            await self._clock.sleep(SWEEP_EVERY_S)

    async def _tidy_metrics(self) -> None:
        while True:
            has_more = await self.metric_store.tidy(int(self._clock.now()))
            await self._clock.sleep(_TIDY_PAUSE_S if has_more else _TIDY_EVERY_S)

    async def _tidy_usage(self) -> None:
        while True:
            has_more = await self.usage_store.tidy(int(self._clock.now()))
            await self._clock.sleep(_TIDY_PAUSE_S if has_more else _TIDY_EVERY_S)

    async def settle(self) -> None:
        """Return once all figures of what happened before the call are stored."""
        if self._sampling is not None:
            self._sampling.look()
        await self.logs.fold()
        await self.metrics.settle()

    async def close(self) -> None:
        """Put what is left where it is kept."""
        await self.traces.close()
        for otlp in (self._otlp_traces, self._otlp_metrics):
            if otlp is not None:
                await otlp.close()
        if self._sampling is not None:
            self._sampling.look()
        await self.logs.close()
        # Last: what is folded makes figures.
        await self.metrics.close()


def _sender_of_traces(to: Collector, clock: Clock) -> "OtlpTraces":
    # Here and below: most servers have no collector, and do without a quarter of a MiB of it.
    from lambent.telemetry.otlp_traces import OtlpTraces

    return OtlpTraces(to, clock, version=__version__)


def _sender_of_metrics(
    to: Collector, families: Callable[[], Awaitable[Sequence[Family]]], clock: Clock, *, started_at: float
) -> "OtlpMetrics":
    from lambent.telemetry.otlp_metrics import OtlpMetrics

    return OtlpMetrics(to, families, clock, started_at=started_at, version=__version__)
