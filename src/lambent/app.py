"""
Start here: Settings become a running service, by hand, on one screen.

`run` is the whole life of a server. Every part is given just what it uses; nothing is global, so two
apps can live in one process.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import pwd
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambent import __version__
from lambent.access.account_limits import AccountLimits
from lambent.access.audit import Audit
from lambent.access.authentication import AnyKey, Verifying
from lambent.access.authorize import Authorizer, ResourceFacts
from lambent.access.clients import Clients, NewKey
from lambent.access.function_credentials import FunctionCredentials, RoleIds
from lambent.access.identities import Identities
from lambent.access.key_use import KeyUse
from lambent.access.keyring import Keyring
from lambent.access.links import CodeLinks
from lambent.access.modes import iam_mode, make_authorizer
from lambent.access.notices import about_access
from lambent.access.role_trust import CallerRights, RoleTrust
from lambent.access.secrets import Secrets
from lambent.access.tokens import IssuerUnavailable, TokenVerifier
from lambent.clock import Clock, SystemClock
from lambent.destinations.bucket import BucketDestination
from lambent.destinations.contract import Destination, Destinations
from lambent.destinations.function import FunctionDestination
from lambent.destinations.queue import QueueDestination
from lambent.dispatch.async_invocations import AsyncInvocations
from lambent.dispatch.dispatcher import Dispatcher
from lambent.dispatch.function_urls import UrlRouter
from lambent.dispatch.http_apis import ApiRouter
from lambent.dispatch.log_subscribers import LogSubscribers
from lambent.dispatch.outbox import Outbox
from lambent.domain.arn import function_arn
from lambent.domain.caller import Inside, Scope
from lambent.domain.function import Deployment, State
from lambent.domain.function_url import UrlDomain, parse_url_domain
from lambent.domain.log_retention import RETENTION_DAYS
from lambent.domain.quotas import Quotas
from lambent.errors.families import DependencyError, SettingsError
from lambent.event_sources.contract import EventSources, PollerView
from lambent.event_sources.dynamodb_reader import DynamoDBReader
from lambent.event_sources.kinesis_reader import KinesisReader
from lambent.event_sources.role_guard import GuardedReader
from lambent.event_sources.sqs import SqsSource
from lambent.event_sources.stream_reader import StreamReader
from lambent.event_sources.stream_shared import StreamShared
from lambent.event_sources.stream_source import StreamSource
from lambent.event_sources.supervisor import Supervisor
from lambent.execution.driver import ExecutionEnvironment, Surroundings
from lambent.execution.host_memory import HostMemory
from lambent.execution.parked import ParkedPool
from lambent.execution.pool import EnvironmentPool
from lambent.execution.provisioned import InitialisedKeeper
from lambent.execution.starting import plan_start
from lambent.fleet.local import LocalFleet
from lambent.gateway.access_paths import AccessPaths
from lambent.gateway.admission import Admission
from lambent.gateway.bucket_events import BucketEvents
from lambent.gateway.connection import Waits
from lambent.gateway.function_url import FunctionUrls
from lambent.gateway.http_api import HttpApis
from lambent.gateway.http_api_authorizers import ApiAuthorizers
from lambent.gateway.http_api_callers import ApiCallers
from lambent.gateway.http_api_functions import ApiFunctions
from lambent.gateway.http_api_proxy import HttpIntegrations
from lambent.gateway.own_access import OwnAccess
from lambent.gateway.own_paths import OwnPaths
from lambent.gateway.pipeline import Pipeline
from lambent.gateway.proxy import Proxy
from lambent.gateway.s3_events_door import S3EventsDoor, read_token
from lambent.gateway.server import Gateway, GatewayServer, bound_port
from lambent.gateway.signed_callers import SignedCallers
from lambent.gateway.tls import server_context
from lambent.neighbours import endpoints
from lambent.neighbours.client import Neighbours
from lambent.neighbours.embedded import EmbeddedServer, describe
from lambent.neighbours.outward import Outward, Unreachable
from lambent.protocol.service import Protocols
from lambent.runtimes.contract import InvalidEntrypoint, RuntimeUnavailable
from lambent.runtimes.registry import HostRuntimes
from lambent.sandbox import DRIVERS
from lambent.sandbox.contract import DriverSettings, Sandbox
from lambent.sandbox.probe import choose, gather
from lambent.services import apigateway, apigatewayv2, cloudtrail, iam, lambda_, logs, monitoring, sts, xray
from lambent.services.iam.managed_policies import aws_document
from lambent.services.lambda_.activation import Activation
from lambent.services.lambda_.configuration import ConfigurationRules
from lambent.services.lambda_.execution_roles import TrustedRoles
from lambent.services.lambda_.facts import FunctionFacts
from lambent.services.lambda_.role_checks import DeliveryRights, TargetRights
from lambent.services.lambda_.synchronous import SynchronousInvocations
from lambent.services.logs.filters import FilterAccess
from lambent.services.logs.live_tail import LiveTails
from lambent.services.logs.log_records import LogRecords
from lambent.services.logs.queries import LogQueries
from lambent.services.logs.query_definitions import SavedQueries
from lambent.services.monitoring.alarm_actions import AlarmActions
from lambent.services.monitoring.alarm_evaluator import AlarmEvaluator
from lambent.services.monitoring.alarm_queries import AlarmReader
from lambent.services.monitoring.alarm_transitions import Transitions
from lambent.services.s3.buckets import Buckets
from lambent.services.s3.notifications import BucketNotifications
from lambent.services.s3.objects import S3Objects
from lambent.services.sqs import SimpleQueues
from lambent.services.sqs.door import Door
from lambent.services.sqs.elsewhere import QueuesElsewhere
from lambent.settings import (
    ApiSettings,
    SandboxSettings,
    ServerSettings,
    Settings,
    TelemetrySettings,
    why_not_obeyed,
)
from lambent.store.alarms import AlarmRepository
from lambent.store.backup import FolderBackups
from lambent.store.blobs import FileBlobs
from lambent.store.certificate import certificate_of, names_for, own_certificate
from lambent.store.contract import EventQueue, StreamPositions
from lambent.store.dashboards import DashboardRepository
from lambent.store.data_folder import DataFolder, check_reachable
from lambent.store.database import Database, schema_of
from lambent.store.functions import FunctionRepository
from lambent.store.identities import IdentityRepository
from lambent.store.log_filters import LogFilterRepository
from lambent.store.logs import LogRepository
from lambent.store.metrics import MetricRepository
from lambent.store.packages import FilePackages
from lambent.store.query_definitions import QueryDefinitionRepository
from lambent.store.queue import DurableEventQueue
from lambent.store.stream_positions import DurableStreamPositions
from lambent.store.tables import SCHEMA
from lambent.store.trace_settings import TraceSettingRepository
from lambent.store.traces import TraceRepository
from lambent.telemetry.api_metrics import ApiMetrics
from lambent.telemetry.deliveries import DeliveryCounts
from lambent.telemetry.exposition import Exposition, Family, MappingView, ServerView
from lambent.telemetry.figures import FunctionFigures
from lambent.telemetry.ingestion import Ingestion
from lambent.telemetry.lambda_metrics import LambdaMetrics, points_of
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.metrics import Metrics
from lambent.telemetry.otlp import Collector, collector
from lambent.telemetry.queue_metrics import QueueMetrics
from lambent.telemetry.queues import QueueView
from lambent.telemetry.sampling import MappingCounts, Sampling
from lambent.telemetry.segments import Segments
from lambent.telemetry.traces import Traces
from lambent.telemetry.trail import Trail

if TYPE_CHECKING:
    from lambent.telemetry.otlp_metrics import OtlpMetrics
    from lambent.telemetry.otlp_traces import OtlpTraces

__all__ = ["about_access", "about_neighbours", "about_tls", "run"]

_log = logging.getLogger("lambent")

_BOTO3 = ("boto3", "botocore.session", "botocore.httpsession", "botocore.auth", "botocore.endpoint")
"""The package, and what making a client of it imports."""

_EXPECT_MAX = 4
_EXPECT_AMONG = 200
"""Kinds of environments that are parked at the start, and functions that are looked at for them. Assumed."""

_PASSED_ON_OF = 4
"""One in so many requests at once may be for a neighbour. Assumed: invocations are what a server is for."""

_SWEEP_EVERY_S = 30.0
"""Assumed: what a sweep deletes takes room until then, and nothing else."""

_TIDY_EVERY_S = 300.0
"""Assumed: points that are due to be packed are read as well as packed ones."""

_TIDY_PAUSE_S = 0.25
"""Between steps, of some ten milliseconds each. Assumed: a tenth of a processor is what tidying may take."""

_RESTART_S = 1.0
"""Assumed: how soon a failed supervised task is worth running again."""


async def run(
    settings: Settings,
    *,
    ready: Callable[[str], None],
    first_key: Callable[[NewKey], None] = lambda _: None,
    clock: Clock | None = None,
) -> None:
    """
    Serve until SIGINT, SIGTERM or cancellation; then let requests in flight finish and stop.

    Args:
        ready: called with the endpoint once requests are answered.
        first_key: called before it with the key that was made because there was none, and nothing can be done without.
        clock: for tests.

    Raises:
        SettingsError: a setting cannot be obeyed on this machine, a port in use and a foreign data folder included.
    """
    clock = clock or SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(_open_folder(settings.data.data_dir))
        _check_folder(folder, settings.sandbox.function_user)
        edge = stack.enter_context(contextlib.closing(_Edge(settings, folder, clock)))

        # Beside the database: probing the machine and starting a spawner take as long as opening it.
        preparing = asyncio.create_task(_sandbox(settings.sandbox, folder, clock))
        stack.push_async_callback(_give_up, preparing)
        database = await stack.enter_async_context(Database(folder.database))
        store = FunctionRepository(database)
        blobs = FileBlobs(folder.blobs)
        access = _Access(
            settings,
            folder,
            database,
            quotas := Quotas(concurrent_executions=settings.api.concurrent_executions),
            clock,
            stack,
        )
        packages = FilePackages(blobs, folder.packages, quotas)
        stack.push_async_callback(packages.close)
        queue = await stack.enter_async_context(
            DurableEventQueue(database, FileBlobs(folder.payloads), clock, events_max=settings.data.queue_events_max)
        )

        neighbours = await stack.enter_async_context(_neighbours(settings, folder, clock))

        telemetry = _Telemetry(settings.telemetry, folder, database, queue, store, clock)
        await telemetry.logs.recover()
        stack.push_async_callback(telemetry.close)

        sandbox, reason = await preparing
        stack.push_async_callback(sandbox.close)
        edge.open_inside(sandbox)
        file_systems = _file_systems(settings.sandbox, sandbox)
        runtimes = HostRuntimes(
            settings.data.runtimes_dir or folder.runtimes,
            function_user=settings.sandbox.function_user,
            fallback=settings.api.runtime_fallback,
            clock=clock,
            has_own_root=sandbox.has_own_root,
            preload=_BOTO3 if settings.sandbox.preload_boto3 else (),
        )

        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        parked = _parked(settings.sandbox, sandbox, memory := HostMemory(clock), clock)
        stack.push_async_callback(parked.close)
        surroundings = Surroundings(
            sandbox=sandbox,
            parked=parked,
            runtimes=runtimes,
            packages=packages,
            logs=telemetry.logs,
            traces=telemetry.traces,
            clock=clock,
            credentials=access.function_credentials,
            endpoint=lambda: edge.endpoint_inside,
            response_max_bytes=quotas.response_payload_max_bytes,
            stream_max_bytes=quotas.response_stream_max_bytes,
            figures=telemetry.figures,
            file_systems=file_systems,
            # Bound when the first environment asks: the server that answers there is made further down.
            serve_gateway=lambda listener, environment: server.serve_inside(listener, _inside(environment)),
        )
        pool = EnvironmentPool(
            lambda deployment, owner: ExecutionEnvironment(deployment, surroundings, owner),
            environments_max=settings.sandbox.environments_max,
            idle_s=settings.sandbox.environment_idle_s,
            age_s=settings.sandbox.environment_age_s,
            freeze_after_s=sandbox.freeze_after_s,
            available_mib=memory.available_mib,
            reserve_mib=settings.sandbox.memory_reserve_mib,
            relieve=parked.trim,
            clock=clock,
            spawn=lambda environment: tasks.create_task(_live(environment)),
        )
        dispatcher = Dispatcher(
            store,
            fleet := LocalFleet(pool),
            fleet,
            quotas,
            clock,
            access.limits,
            telemetry.traces,
            figures=telemetry.figures,
            metrics=telemetry.of_functions,
        )
        queues = SimpleQueues(
            queue,
            clock,
            folder.secret,
            elsewhere := QueuesElsewhere(neighbours),
            access.authorizer,
            receivers_max=settings.api.sqs_receivers_max,
            purge_wait_s=settings.api.sqs_purge_wait_s,
            recreate_wait_s=settings.api.sqs_recreate_wait_s,
            metrics=telemetry.of_queues,
        )
        asynchronous = _Asynchronous(
            settings.api,
            queue,
            queues.door,
            neighbours,
            store,
            dispatcher,
            rights := TargetRights(access.authorizer, {"lambda": (facts := FunctionFacts(store)), "sqs": queues.facts}),
            tasks,
            clock,
            telemetry.of_functions,
        )
        positions = DurableStreamPositions(database)
        sources = _EventSources(
            settings.api, queue, queues, elsewhere, neighbours, positions, store, dispatcher, access.authorizer, quotas,
            tasks, clock, telemetry,
        )  # fmt: skip
        keeper = InitialisedKeeper(store, pool, clock)
        urls = parse_url_domain(settings.api.url_domain, edge.port, edge.scheme)
        activation = Activation(store, packages, runtimes, clock, partial(_expect, surroundings), keeper.first)

        services = {
            "cloudtrail": cloudtrail.service(access.trail, clock),
            "lambda": lambda_.service(
                store=store,
                packages=packages,
                rules=ConfigurationRules(quotas, runtimes, settings.api.accept_inert, frozenset(file_systems)),
                activation=activation,
                dispatcher=dispatcher,
                provisioned=keeper,
                events=asynchronous.events,
                destinations=asynchronous.destinations,
                rights=rights,
                facts=facts,
                queues=queues.sources,
                streams=sources.streams,
                positions=positions,
                objects=S3Objects(neighbours, folder.run),
                roles=TrustedRoles(access.trust),
                links=access.links,
                urls=urls,
                quotas=quotas,
                of_accounts=access.limits,
                clock=clock,
            ),
            "logs": logs.service(
                telemetry.log_store,
                telemetry.logs.fold,
                telemetry.logs.put,
                clock,
                retention_days=settings.telemetry.log_retention_days or None,
                filters=telemetry.filter_access(),
                destinations=telemetry.subscribers,
                readers=telemetry.log_readers,
            ),
            "monitoring": (
                monitored := _Monitoring(settings.api, database, telemetry, store, asynchronous, clock)
            ).service,
            "xray": xray.service(
                telemetry.trace_store, TraceSettingRepository(database), clock, telemetry.traces.settle
            ),
            "sqs": queues.service,
            "iam": iam.service(access.identities, access.secrets, access.key_use, clock),
            "sts": sts.service(trust=access.trust, identities=access.identities, secrets=access.secrets, clock=clock),
            "apigatewayv2": apigatewayv2.service(
                store=store,
                domain=urls,
                # Bound when the first request asks: what keeps them is made further down.
                forget_verdicts=lambda api_id, stage: http_apis.forget_verdicts(api_id, stage_name=stage),
                clock=clock,
                authorizer=access.authorizer,
            ),
            # REST APIs, unless another server has them.
            **({} if neighbours.of("apigateway") is not None else {"apigateway": apigateway.service()}),
        }
        admission = Admission(settings.server.requests_max, settings.server.body_bytes_max)
        gateway = Gateway(
            Pipeline(
                services,
                Protocols({service.name: service.shape_violation for service in services.values()}),
                access.authenticator,
                access.authorizer,
                settings.api.region,
                Proxy(
                    neighbours,
                    BucketEvents(neighbours, asynchronous.notifications, clock),
                    access.authorizer,
                    clock,
                    requests_max=max(1, settings.server.requests_max // _PASSED_ON_OF),
                ),
                access.trail,
                refuses_pages=not settings.verifies_signatures,
            ),
            OwnPaths(
                blobs,
                access.links,
                _health(
                    {
                        "driver": sandbox.name,
                        "why": reason,
                        "task_root": sandbox.task_root(folder.packages / "{code_sha256}"),
                    },
                    store,
                    fleet,
                    admission,
                    clock,
                ),
                queue_view := QueueView(queue),
                telemetry.expose(
                    queue_view,
                    asynchronous.deliveries,
                    telemetry.looking(sandbox.name, pool, parked, sources, admission),
                ),
                FolderBackups(folder, __version__, clock, logs=telemetry.logs, hold_bodies=queue.hold_bodies),
                S3EventsDoor(asynchronous.notifications, read_token(settings.neighbours.s3_events_token_file), clock),
                access.own,
                access.paths(),
            ),
            FunctionUrls(
                UrlRouter(store),
                dispatcher,
                synchronous := SynchronousInvocations(dispatcher, asynchronous.events, clock, telemetry.of_functions),
                callers := SignedCallers(access.authenticator, access.authorizer),
                services["lambda"].facts,
                urls,
                quotas,
                clock,
                access.trail,
                telemetry.of_functions,
            ),
            http_apis := _http_apis(
                settings.sandbox,
                store,
                dispatcher,
                synchronous,
                callers,
                access,
                services["lambda"].facts,
                telemetry,
                urls,
                quotas,
                tasks,
                stack,
                clock,
            ),
            admission,
            clock,
        )
        server = GatewayServer(
            gateway,
            connections_max=settings.server.connections_max,
            shutdown_grace_s=settings.server.shutdown_grace_s,
            waits=Waits(settings.server.client_silence_s, settings.server.client_head_s),
            tls=edge.tls,
        )
        background = [
            tasks.create_task(_supervise("activation", activation.run, clock)),
            tasks.create_task(_supervise("retirement", dispatcher.retire_old_deployments, clock)),
            tasks.create_task(_supervise("keeping initialised", keeper.run, clock)),
            tasks.create_task(_supervise("queue sweep", partial(_sweep, queue, clock), clock)),
            tasks.create_task(_supervise("move tasks", queues.move_tasks.run, clock)),
            tasks.create_task(_supervise("key use", access.key_use.run, clock)),
            *(tasks.create_task(_supervise(name, work, clock)) for name, work in telemetry.work().items()),
            *(tasks.create_task(_supervise(name, work, clock)) for name, work in monitored.work().items()),
            sources.start(),
            *asynchronous.start(),
            tasks.create_task(_expect_some(store, surroundings)),
        ]
        _stop_on_signals(server, queues.receivers.close, telemetry.live_tails.close)
        # The last step before requests are answered: what fails before has made no key that nobody sees.
        await access.make_first_key(first_key)
        asyncio.get_running_loop().call_soon(ready, edge.endpoint)
        try:
            await server.serve(sockets=edge.listeners)
        finally:
            await _end(background, asynchronous, sources, pool, settings.server.shutdown_grace_s)


class _Edge:
    """
    Where the server listens, and what it speaks there.

    Raises:
        SettingsError: the address cannot be had, or TLS not be spoken.
    """

    def __init__(self, settings: Settings, folder: DataFolder, clock: Clock) -> None:
        self.listeners = [_bind(settings.server, settings.sandbox.allow_host)]
        """The first is everybody's; TLS is spoken there alone."""
        try:
            self.tls = _tls(settings, folder, clock)
        except BaseException:
            self.close()
            raise
        self.scheme = "http" if self.tls is None else "https"
        self.port = bound_port(self.listeners[0])
        self.endpoint = self.endpoint_inside = f"{self.scheme}://{_url_host(settings.server.host)}:{self.port}"

    def open_inside(self, sandbox: Sandbox) -> None:
        """Let functions that share the host's network in without TLS: they do not trust any certificate of ours."""
        if self.tls is not None and not sandbox.has_own_root:
            self.listeners.append(_bind(ServerSettings(port=0), ()))
            self.endpoint_inside = f"http://127.0.0.1:{bound_port(self.listeners[1])}"

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()


class _Access:
    """Who there is, what opens what, what policies do, and the trail of who did what."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        database: Database,
        quotas: Quotas,
        clock: Clock,
        stack: contextlib.AsyncExitStack,
    ) -> None:
        self._settings = settings
        self._quotas = quotas
        self.links = CodeLinks(folder.secret, clock)
        self.secrets = Secrets(folder.secret)
        self.identities = IdentityRepository(database)
        self.keyring = Keyring(self.identities, self.secrets)
        self.key_use = KeyUse(self.identities, clock)
        self.limits = AccountLimits(self.identities, quotas)
        self.clients = Clients(self.identities, self.secrets, settings.api.account, clock)
        is_verified = settings.verifies_signatures
        mode = iam_mode(settings.access.iam, is_verified=is_verified)
        self.rights = Identities(self.identities, aws_document)
        audit = Audit(clock)
        self.authorizer = make_authorizer(mode, self.rights, audit, clock, is_verified=is_verified)
        self.trust = RoleTrust(self.identities, CallerRights(self.rights, clock), mode, audit.note)
        self.function_credentials = FunctionCredentials(
            self.secrets, RoleIds(self.identities), clock, lasts_s=settings.sandbox.environment_age_s
        )
        self.authenticator = (
            Verifying(
                self.keyring,
                clock,
                public_hosts=settings.access.public_host,
                is_alive=self.function_credentials.is_alive,
                note=self.key_use.note,
            )
            if is_verified
            else AnyKey(
                settings.api.account, self.keyring, None if mode == "off" else self.function_credentials.session_of
            )
        )
        self.own = OwnAccess(
            self.authenticator,
            self.authorizer,
            settings.api.region,
            account=settings.api.account if is_verified else None,
            metrics_token=read_token(settings.access.metrics_token_file, "--metrics-token-file"),
        )
        self.trail = None
        """None: --trail is off."""
        if settings.access.trail != "off":
            self.trail = Trail(
                folder.trail,
                clock,
                max_bytes=settings.access.trail_max_mib << 20,
                has_data=settings.access.trail == "all",
                account=settings.api.account,
                region=settings.api.region,
            )
            stack.enter_context(contextlib.closing(self.trail))

    def paths(self) -> AccessPaths:
        """Return what answers the operator."""
        return AccessPaths(self.clients, self.own, self._quotas, self.trail)

    async def make_first_key(self, tell: Callable[[NewKey], None]) -> None:
        """Make a key where nothing can be done without, and there is none."""
        if self._settings.verifies_signatures and (made := await self.clients.first_key()) is not None:
            tell(made)


class _Telemetry:
    """What is told of invocations, and where it is kept."""

    def __init__(
        self,
        settings: TelemetrySettings,
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
        self._clock = clock

    def sample(self, dispatcher: Dispatcher, sources: "_EventSources", queue: EventQueue) -> None:
        """Have those looked at that tell nothing by themselves."""
        self._sampling = Sampling(
            dispatcher.take_peaks, sources.counts_of_mappings, queue, self.of_functions, self.of_queues, self._clock
        )

    def looking(
        self, sandbox: str, pool: EnvironmentPool, parked: ParkedPool, sources: "_EventSources", admission: Admission
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
        assert self._sampling is not None
        work = {
            "queries": self._queries.run,
            "metrics": self.metrics.run,
            "sampling": self._sampling.run,
            "tidying metrics": self._tidy_metrics,
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

    def expose(self, queues: QueueView, deliveries: DeliveryCounts, look: Callable[[], ServerView]) -> Exposition:
        """Return what scrapers are answered; where there is a collector, it gets the same."""
        exposition = Exposition(queues, deliveries, self.figures, look)
        if self._collector is not None:
            self._otlp_metrics = _sender_of_metrics(
                self._collector, exposition.families, self._clock, started_at=look().started_at
            )
        return exposition

    async def _sweep_traces(self) -> None:
        while True:
            await self.trace_store.drop_expired(self._clock.now())
            await self._clock.sleep(_SWEEP_EVERY_S)

    async def _tidy_metrics(self) -> None:
        while True:
            has_more = await self.metric_store.tidy(int(self._clock.now()))
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


class _Asynchronous:
    """What runs events, and takes the news of them where it belongs."""

    def __init__(
        self,
        settings: ApiSettings,
        queue: EventQueue,
        door: Door,
        neighbours: Neighbours,
        store: FunctionRepository,
        dispatcher: Dispatcher,
        rights: TargetRights,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        metrics: LambdaMetrics,
    ) -> None:
        self._tasks, self._clock = tasks, clock
        scale = settings.async_time_scale
        self.events = AsyncInvocations(
            queue,
            store,
            dispatcher,
            clock,
            most=settings.async_invocations_max,
            processors=os.cpu_count() or 1,
            time_scale=scale,
            spawn=self._spawn,
            metrics=metrics,
        )
        targets: dict[str, Destination] = {
            "lambda": FunctionDestination(self.events, clock),
            "sqs": QueueDestination(door),
        }
        self.deliveries = DeliveryCounts()
        self.notifications = BucketNotifications(store, targets, self.deliveries, clock)
        buckets = BucketDestination(Buckets(neighbours, self.notifications, clock))
        self.destinations: Destinations = {**targets, "s3": buckets}
        self.outbox = Outbox(
            queue,
            self.destinations,
            DeliveryRights(rights, dispatcher),
            self.deliveries,
            clock,
            time_scale=scale,
            spawn=self._spawn,
            metrics=metrics,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return self._tasks.create_task(_logged(work))

    def start(self) -> list["asyncio.Task[None]"]:
        """Begin all that goes on for as long as the server does."""
        work = {
            "asynchronous invocations": self.events.run,
            "leases of events": self.events.keep_leases,
            "deliveries": self.outbox.run,
            "leases of deliveries": self.outbox.keep_leases,
        }
        return [self._tasks.create_task(_supervise(name, one, self._clock)) for name, one in work.items()]

    async def close(self) -> None:
        """Leave what still goes on to the next start."""
        await self.events.close()
        await self.outbox.close()


class _Monitoring:
    """What answers for metrics and alarms, looks at these, and does what is to be done because of them."""

    def __init__(
        self,
        settings: ApiSettings,
        database: Database,
        telemetry: _Telemetry,
        functions: FunctionRepository,
        asynchronous: _Asynchronous,
        clock: Clock,
    ) -> None:
        store, metrics = AlarmRepository(database), telemetry.metric_store
        transitions = Transitions(clock)
        self.service = monitoring.service(
            metrics,
            DashboardRepository(database),
            store,
            transitions,
            telemetry.settle,
            clock,
            accept_inert=settings.accept_inert,
        )
        self._evaluator = AlarmEvaluator(store, AlarmReader(metrics), transitions, telemetry.settle, clock)
        self._actions = AlarmActions(
            store, functions, asynchronous.destinations, transitions, asynchronous.deliveries, clock
        )

    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return by name all that goes on for as long as the server does."""
        return {**self._evaluator.work(), "actions of alarms": self._actions.run}


class _EventSources:
    """What reads the sources of event source mappings, by the service in a source's ARN."""

    def __init__(
        self,
        settings: ApiSettings,
        queue: EventQueue,
        queues: SimpleQueues,
        elsewhere: QueuesElsewhere,
        neighbours: Neighbours,
        positions: StreamPositions,
        store: FunctionRepository,
        dispatcher: Dispatcher,
        authorizer: Authorizer,
        quotas: Quotas,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        telemetry: "_Telemetry",
    ) -> None:
        self._tasks, self._clock = tasks, clock
        readers: Mapping[str, StreamReader] = {
            "kinesis": KinesisReader(neighbours, clock),
            "dynamodb": DynamoDBReader(neighbours),
        }
        if authorizer.is_on:
            readers = {name: GuardedReader(reader, dispatcher, authorizer) for name, reader in readers.items()}
        shared = StreamShared(
            positions,
            queue,
            dispatcher,
            quotas,
            clock,
            batches_max=settings.event_source_batches_max,
            spawn=lambda work: tasks.create_task(_logged(work)),
            metrics=telemetry.of_functions,
        )
        self.streams = {service: StreamSource(reader, shared, store) for service, reader in readers.items()}
        self._sources: EventSources = {
            **self.streams,
            "sqs": SqsSource(
                queue,
                queues.sources,
                elsewhere,
                queues.handles,
                store,
                dispatcher,
                quotas,
                clock,
                batches_max=settings.event_source_batches_max,
                processors=os.cpu_count() or 1,
                spawn=lambda work: tasks.create_task(_logged(work)),
                of_functions=telemetry.of_functions,
                of_queues=telemetry.of_queues,
            ),
        }
        self._supervisor = Supervisor(store, self._sources, clock)
        telemetry.sample(dispatcher, self, queue)

    def start(self) -> "asyncio.Task[None]":
        """Begin to follow the mappings, for as long as the server runs."""
        return self._tasks.create_task(_supervise("event source mappings", self._supervisor.run, self._clock))

    def pollers(self) -> list[PollerView]:
        """Return what is read for now, of all services."""
        return [poller for source in self._sources.values() for poller in source.pollers()]

    def views(self) -> list[MappingView]:
        """Return them as metrics tell of them."""
        return [
            MappingView(
                poller.mapping.uuid,
                poller.in_flight,
                None if poller.mapping.stream is None else poller.counts.age_s,
                poller.counts.by_metric() if poller.mapping.metrics else None,
            )
            for poller in self.pollers()
        ]

    def counts_of_mappings(self) -> MappingCounts:
        """Return what became of the records of each mapping that has them counted, by AWS's names."""
        return {
            (poller.mapping.scope, poller.mapping.uuid): poller.counts.by_metric()
            for poller in self.pollers()
            if poller.mapping.metrics
        }

    async def stop(self) -> None:
        """Read no more."""
        for source in self._sources.values():
            await source.stop()

    async def close(self) -> None:
        """Leave what still goes on to the next start."""
        for source in self._sources.values():
            await source.close()


async def _end(
    background: Iterable["asyncio.Task[None]"],
    asynchronous: _Asynchronous,
    sources: _EventSources,
    pool: EnvironmentPool,
    grace_s: float,
) -> None:
    """Begin nothing more, let functions end for a while, and leave what they still work on to the next start."""
    for task in background:
        task.cancel()
    await asynchronous.events.stop()
    await sources.stop()
    await pool.close(grace_s)
    await sources.close()
    await asynchronous.close()


def about_tls(settings: Settings) -> str:
    """Return a line on what clients have to trust; nothing where they trust it already, or where there is no TLS."""
    if settings.server.tls != "self-signed":
        return ""
    certificate = certificate_of(Path(os.path.realpath(settings.data.data_dir)))
    return f"certificate {certificate} (made by this server: have clients trust it, e.g. AWS_CA_BUNDLE={certificate})"


def about_neighbours(settings: Settings) -> str:
    """Return lines on what the embedded stand-in is and is not, where it may be used, and on queues elsewhere."""
    table = endpoints.load(settings.neighbours.neighbour, settings.neighbours.neighbour_credentials)
    embedded = describe(table.embedded()) if EmbeddedServer.is_installed() else ""
    return "\n".join(line for line in (embedded, *table.about()) if line)


@contextlib.asynccontextmanager
async def _neighbours(settings: Settings, folder: DataFolder, clock: Clock) -> AsyncIterator[Neighbours]:
    """Reach the other AWS services; the stand-in for those that have no URL starts with the first request to one."""
    table = endpoints.load(settings.neighbours.neighbour, settings.neighbours.neighbour_credentials)
    embedded = EmbeddedServer(
        folder.neighbours,
        folder.run,
        table.embedded(),
        clock,
        state_max_bytes=settings.neighbours.embedded_max_mib << 20,
        keeps_apart=settings.verifies_signatures,
    )
    neighbours = Neighbours(table, embedded)
    try:
        yield neighbours
    finally:
        await neighbours.close()
        await embedded.close()


def _http_apis(
    settings: SandboxSettings,
    store: FunctionRepository,
    dispatcher: Dispatcher,
    synchronous: SynchronousInvocations,
    callers: SignedCallers,
    access: "_Access",
    facts: ResourceFacts | None,
    telemetry: "_Telemetry",
    domain: UrlDomain,
    quotas: Quotas,
    tasks: asyncio.TaskGroup,
    stack: contextlib.AsyncExitStack,
    clock: Clock,
) -> HttpApis:
    """Put together what answers for HTTP APIs. What they reach, and who issues tokens, is where functions may go."""
    # Servers that keep their clients waiting, and names that are slow to be found, keep no token waiting.
    to_servers, to_issuers = (
        Outward(
            is_open=settings.egress != "none",
            allow_host=map(int, settings.allow_host),
            allow_net=settings.allow_net,
        )
        for _ in range(2)
    )
    for outward in (to_servers, to_issuers):
        stack.push_async_callback(outward.close)
    functions = ApiFunctions(
        store, dispatcher, synchronous, access.authorizer, facts, access.trust, clock, tasks.create_task
    )
    authorizers = ApiAuthorizers(functions, TokenVerifier(_issuers(to_issuers), clock), clock)
    servers = HttpIntegrations(to_servers, clock)
    return HttpApis(
        ApiRouter(store),
        authorizers,
        ApiCallers(callers),
        functions,
        servers,
        telemetry.logs,
        domain,
        quotas,
        clock,
        telemetry.traces,
        telemetry.of_apis,
    )


_ISSUER_TIMEOUT_S = 1.5
"""Documented: API Gateway quotas, each of an issuer's endpoints."""


def _issuers(outward: Outward) -> Callable[[str, int], Awaitable[bytes]]:
    async def fetch(url: str, most_bytes: int) -> bytes:
        try:
            return await outward.fetch(url, most_bytes, _ISSUER_TIMEOUT_S)
        except Unreachable as error:
            raise IssuerUnavailable(f"{url}: {error}") from error

    return fetch


def _stop_on_signals(server: GatewayServer, *releases: Callable[[], None]) -> None:
    """Stop the server on a signal; `releases` send those home who would keep it waiting."""

    def stop() -> None:
        for release in releases:
            release()
        server.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError, NotImplementedError, RuntimeError):
            asyncio.get_running_loop().add_signal_handler(number, stop)


def _health(
    sandbox: Mapping[str, Any], store: FunctionRepository, fleet: LocalFleet, admission: Admission, clock: Clock
) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return what answers /_lambent/health."""
    started = clock.monotonic()

    async def health() -> dict[str, Any]:
        busy, size = fleet.in_use()
        return {
            "version": __version__,
            "uptime_s": round(clock.monotonic() - started, 3),
            "sandbox": sandbox,
            "functions": await store.function_count(),
            "environments": {"busy": busy, "total": size},
            "requests_in_flight": admission.requests,
        }

    return health


async def _sweep(events: EventQueue, clock: Clock) -> None:
    while True:
        await events.sweep()
        await clock.sleep(_SWEEP_EVERY_S)


async def _expect(around: Surroundings, deployment: Deployment) -> None:
    """Have an environment for a deployment parked before its first invocation comes."""
    try:
        plan = await plan_start(deployment, around.sandbox, around.runtimes, around.packages, around.file_systems)
    except (InvalidEntrypoint, RuntimeUnavailable, DependencyError):
        # Told to whoever invokes it.
        return
    await around.parked.expect(plan.kind)


async def _expect_some(store: FunctionRepository, around: Surroundings) -> None:
    """Have environments parked for what functions there are, so that the first call after a start finds one."""
    kinds: set[tuple[Scope, str]] = set()
    try:
        for version in await store.some(_EXPECT_AMONG):
            kind = (version.scope, version.configuration.runtime)
            if version.state is State.ACTIVE and kind not in kinds and len(kinds) < _EXPECT_MAX:
                kinds.add(kind)
                await _expect(around, version.deployment())
    except Exception:
        # Only to make a call quicker: whatever it is, the server has to stand.
        _log.exception("start.parking_failed")


def _inside(environment: ExecutionEnvironment) -> Inside:
    deployment = environment.deployment
    arn = function_arn(deployment.scope, deployment.name, deployment.version)
    return Inside(deployment.scope, arn, environment.credentials_id, environment.trace_header)


def _parked(settings: SandboxSettings, sandbox: Sandbox, memory: HostMemory, clock: Clock) -> ParkedPool:
    return ParkedPool(
        sandbox,
        clock,
        budget_mib=settings.parked_memory_mib,
        spare_mib=lambda: memory.spare_mib(settings.memory_reserve_mib),
    )


def _file_systems(settings: SandboxSettings, sandbox: Sandbox) -> dict[str, str]:
    """
    Return the directories that functions may mount, by ARN.

    Raises:
        SettingsError: one is none, or the sandbox cannot mount.
    """
    found = dict(item.split("=", 1) for item in settings.file_system)
    for directory in found.values():
        if not Path(directory).is_dir():
            raise SettingsError(f"--file-system: {directory} is not a directory")
    if found and not sandbox.has_own_root:
        raise SettingsError(f"--file-system: the sandbox {sandbox.name} cannot mount; namespace and rootless can")
    return found


async def _live(environment: ExecutionEnvironment) -> None:
    """Run one environment; its failure is ours to log and nobody else's to die of."""
    try:
        await environment.live()
    except Exception:
        _log.exception("environment.failed function=%s", environment.deployment.name)
        environment.abandon()


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """Run one piece of work to its end; its failure is ours to log and nobody else's to die of."""
    try:
        await work
    except Exception:
        _log.exception("task.failed name=%s", getattr(work, "__qualname__", "?"))


async def _supervise(name: str, work: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run `work` for ever: what fails is logged and begun again."""
    while True:
        try:
            await work()
        except DependencyError as error:
            # Such as a disk that is full: it comes again each second, and where it was raised tells nothing.
            _log.error("task.failed name=%s reason=%s", name, error)
        except Exception:
            _log.exception("task.failed name=%s", name)
        await clock.sleep(_RESTART_S)


def _open_folder(path: Path) -> DataFolder:
    """
    Open the data folder. Migrations are a child process's work and are not loaded here.

    Raises:
        SettingsError: it is none of ours, of a newer version, damaged, or in use.
    """
    try:
        return DataFolder.open(path)
    except DependencyError as error:
        raise SettingsError(f"--data-dir: {path}: {error}") from error


def _check_folder(folder: DataFolder, function_user: str) -> None:
    """
    Compare the one number that says whether tables and code belong together; see that functions reach their code.

    Raises:
        SettingsError: state.db is damaged or of another version, or the folder is out of the functions' reach.
    """
    try:
        found = schema_of(folder.database)
    except DependencyError as error:
        raise SettingsError(f"--data-dir: {folder.path}: {error}") from error
    if found != SCHEMA:
        raise SettingsError(f"--data-dir: {folder.path}: state.db has schema {found}, this version needs {SCHEMA}")
    if os.geteuid() == 0:
        check_reachable(folder.path, _uid_of(function_user))


def _bind(server: ServerSettings, allow_host: Sequence[str]) -> socket.socket:
    """
    Listen.

    Args:
        allow_host: ports that functions may reach. The server's must not be one: what comes there bears no sign of the
            environment that it left, and may do everything.

    Raises:
        SettingsError: the address cannot be had, or functions would reach it.
    """
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((server.host, server.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise SettingsError(f"--port: cannot listen on {server.host}:{server.port}: {error.strerror}") from error
    if (port := bound_port(listener)) in map(int, allow_host):
        listener.close()
        raise SettingsError(
            f"--allow-host: {port} is this server's own port; functions reach the server by AWS_ENDPOINT_URL without it"
        )
    listener.setblocking(False)
    return listener


def _tls(settings: Settings, folder: DataFolder, clock: Clock) -> ssl.SSLContext | None:
    """
    Return what TLS is spoken with; None where it is not.

    Raises:
        SettingsError: a certificate or key cannot be used, or none can be made.
    """
    server, api = settings.server, settings.api
    if server.tls_cert is not None:
        assert server.tls_key is not None
        return server_context(server.tls_cert, server.tls_key)
    if server.tls == "off":
        return None
    names = names_for(server.host, parse_url_domain(api.url_domain, 0).name, api.region)
    try:
        return server_context(*own_certificate(folder, names, clock))
    except DependencyError as error:
        raise SettingsError(f"--tls: {error}") from error


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _sandbox(settings: SandboxSettings, folder: DataFolder, clock: Clock) -> tuple[Sandbox, str]:
    """
    Make the sandbox driver, without what an earlier server left; return it with the reason why it is this one.

    Raises:
        SettingsError: it does not work on this machine.
    """
    if settings.sandbox == "auto":
        choice = choose(await asyncio.to_thread(gather))
        name, reason = choice.driver, f"auto: {choice.why}"
    else:
        name, reason = settings.sandbox, "asked for by --sandbox"
    if unobeyed := why_not_obeyed(settings, name):
        raise SettingsError(unobeyed)
    module, _, attribute = DRIVERS[name].partition(":")
    driver = getattr(importlib.import_module(module), attribute)
    made: Sandbox = driver(
        DriverSettings(
            run_folder=folder.run,
            function_user=settings.function_user,
            egress=settings.egress,
            allow_host=tuple(int(port) for port in settings.allow_host),
            allow_net=settings.allow_net,
        ),
        clock,
    )
    try:
        leftovers = await made.end_leftovers()
    except DependencyError as error:
        raise SettingsError(f"--sandbox: {name} does not work here: {error}; `lambent doctor` says more") from error
    if leftovers:
        _log.warning("sandbox.leftovers_ended count=%d", leftovers)
    return made, reason


async def _give_up(preparing: "asyncio.Task[tuple[Sandbox, str]]") -> None:
    """End what was begun and never taken over, where the start has failed elsewhere."""
    if not preparing.done():
        preparing.cancel()
        await asyncio.wait([preparing])


def _uid_of(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise SettingsError(f"--function-user: there is no user {user!r} on this machine") from None
