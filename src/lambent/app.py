"""
Start here: Settings become a running service, by hand, on one screen.

`run` is the whole life of a server. Every part is given just what it uses; nothing is global, so two
apps can live in one process.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lambent import __version__
from lambent.access.clients import NewKey
from lambent.access.notices import about_access
from lambent.assembly.access import Access
from lambent.assembly.asynchronous import Asynchronous
from lambent.assembly.billing import Billing, read_prices
from lambent.assembly.budgets import BudgetKeeping
from lambent.assembly.edge import Edge
from lambent.assembly.folder import check_folder, open_folder
from lambent.assembly.http_apis import make_http_apis
from lambent.assembly.machine import check_file_systems, give_up, make_parked_pool, make_sandbox
from lambent.assembly.monitoring import Monitoring
from lambent.assembly.sources import Sources
from lambent.assembly.tasks import run_environment, supervise, sweep_queue
from lambent.assembly.telemetry import Telemetry
from lambent.clock import Clock, SystemClock
from lambent.dispatch.dispatcher import Dispatcher
from lambent.dispatch.function_urls import UrlRouter
from lambent.domain.arn import function_arn
from lambent.domain.caller import Inside, Scope
from lambent.domain.function import Deployment, State
from lambent.domain.function_url import parse_url_domain
from lambent.domain.quotas import Quotas
from lambent.errors.families import DependencyError
from lambent.execution.driver import ExecutionEnvironment, Surroundings
from lambent.execution.host_memory import HostMemory
from lambent.execution.pool import EnvironmentPool
from lambent.execution.provisioned import InitialisedKeeper
from lambent.execution.starting import plan_start
from lambent.fleet.local import LocalFleet
from lambent.gateway.admission import Admission
from lambent.gateway.bucket_events import BucketEvents
from lambent.gateway.connection import Waits
from lambent.gateway.function_url import FunctionUrls
from lambent.gateway.host_names import HostNames
from lambent.gateway.own_paths import OwnPaths
from lambent.gateway.pipeline import Pipeline
from lambent.gateway.proxy import Proxy
from lambent.gateway.s3_events_door import S3EventsDoor, read_token
from lambent.gateway.server import Gateway, GatewayServer
from lambent.gateway.signed_callers import SignedCallers
from lambent.neighbours import endpoints
from lambent.neighbours.client import Neighbours
from lambent.neighbours.embedded import EmbeddedServer, describe
from lambent.protocol.service import Protocols
from lambent.runtimes.contract import InvalidEntrypoint, RuntimeUnavailable
from lambent.runtimes.registry import HostRuntimes
from lambent.services import apigateway, apigatewayv2, cloudtrail, iam, lambda_, logs, sts, xray
from lambent.services.lambda_.activation import Activation
from lambent.services.lambda_.configuration import ConfigurationRules
from lambent.services.lambda_.execution_roles import TrustedRoles
from lambent.services.lambda_.facts import FunctionFacts
from lambent.services.lambda_.role_checks import TargetRights
from lambent.services.lambda_.synchronous import SynchronousInvocations
from lambent.services.s3.objects import S3Objects
from lambent.services.sqs import SimpleQueues
from lambent.services.sqs.elsewhere import QueuesElsewhere
from lambent.settings import (
    Settings,
)
from lambent.store.backup import FolderBackups
from lambent.store.blobs import FileBlobs
from lambent.store.certificate import certificate_of
from lambent.store.data_folder import DataFolder
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.packages import FilePackages
from lambent.store.queue import DurableEventQueue
from lambent.store.stream_positions import DurableStreamPositions
from lambent.store.trace_settings import TraceSettingRepository
from lambent.telemetry.queues import QueueView

__all__ = ["about_access", "about_neighbours", "about_tls", "run"]

_log = logging.getLogger("lambent")

_BOTO3 = ("boto3", "botocore.session", "botocore.httpsession", "botocore.auth", "botocore.endpoint")
"""The package, and what making a client of it imports."""

_EXPECT_MAX = 4
_EXPECT_AMONG = 200
"""Kinds of environments that are parked at the start, and functions that are looked at for them. Assumed."""

_PASSED_ON_OF = 4
"""One in so many requests at once may be for a neighbour. Assumed: invocations are what a server is for."""


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
    prices = read_prices(settings.usage.price_file)
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(open_folder(settings.data.data_dir))
        check_folder(folder, settings.sandbox.function_user)
        edge = stack.enter_context(contextlib.closing(Edge(settings, folder, clock)))

        # Beside the database: probing the machine and starting a spawner take as long as opening it.
        preparing = asyncio.create_task(make_sandbox(settings.sandbox, folder, clock))
        stack.push_async_callback(give_up, preparing)
        database = await stack.enter_async_context(Database(folder.database))
        store = FunctionRepository(database)
        blobs = FileBlobs(folder.blobs)
        access = Access(
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

        telemetry = Telemetry(settings.telemetry, settings.usage, folder, database, queue, store, clock)
        billing = Billing(settings.usage, prices, telemetry.usage_store, clock)
        await telemetry.logs.recover()
        stack.push_async_callback(telemetry.close)

        sandbox, reason = await preparing
        stack.push_async_callback(sandbox.close)
        edge.open_inside(sandbox)
        file_systems = check_file_systems(settings.sandbox, sandbox)
        runtimes = HostRuntimes(
            settings.data.runtimes_dir or folder.runtimes,
            function_user=settings.sandbox.function_user,
            fallback=settings.api.runtime_fallback,
            clock=clock,
            has_own_root=sandbox.has_own_root,
            preload=_BOTO3 if settings.sandbox.preload_boto3 else (),
        )

        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        parked = make_parked_pool(settings.sandbox, sandbox, memory := HostMemory(clock), clock)
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
            spawn=lambda environment: tasks.create_task(run_environment(environment)),
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
            budgets=(budgets := await BudgetKeeping(database, telemetry, store, prices, clock).begun()).gate,
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
        asynchronous = Asynchronous(
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
        sources = Sources(
            settings.api, queue, queues, elsewhere, neighbours, positions := DurableStreamPositions(database), store,
            dispatcher, access.authorizer, quotas, tasks, clock, telemetry,
        )  # fmt: skip
        telemetry.meter(keeper := InitialisedKeeper(store, pool, clock))
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
                urls=(urls := parse_url_domain(settings.api.url_domain, edge.port, edge.scheme)),
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
                monitored := Monitoring(settings.api, database, telemetry, store, asynchronous, clock)
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
                    budgets.figures,
                ),
                FolderBackups(folder, __version__, clock, logs=telemetry.logs, hold_bodies=queue.hold_bodies),
                S3EventsDoor(asynchronous.notifications, read_token(settings.neighbours.s3_events_token_file), clock),
                access.own,
                access.paths(),
                billing.paths(access.own, telemetry.logs.fold),
                budgets.paths(settings.sandbox, asynchronous, rights, access, tasks, stack),
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
            http_apis := make_http_apis(
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
            # Beyond loopback it has any name, and who may come is signed for or `--insecure`.
            HostNames((*settings.access.public_host, urls.name))
            if settings.is_on_loopback and not settings.verifies_signatures
            else None,
        )
        server = GatewayServer(
            gateway,
            connections_max=settings.server.connections_max,
            shutdown_grace_s=settings.server.shutdown_grace_s,
            waits=Waits(settings.server.client_silence_s, settings.server.client_head_s),
            tls=edge.tls,
        )
        background = [
            tasks.create_task(supervise("activation", activation.run, clock)),
            tasks.create_task(supervise("retirement", dispatcher.retire_old_deployments, clock)),
            tasks.create_task(supervise("keeping initialised", keeper.run, clock)),
            tasks.create_task(supervise("queue sweep", partial(sweep_queue, queue, clock), clock)),
            tasks.create_task(supervise("move tasks", queues.move_tasks.run, clock)),
            tasks.create_task(supervise("key use", access.key_use.run, clock)),
            *(tasks.create_task(supervise(name, work, clock)) for name, work in telemetry.work().items()),
            *(tasks.create_task(supervise(name, work, clock)) for name, work in budgets.work().items()),
            *(tasks.create_task(supervise(name, work, clock)) for name, work in monitored.work().items()),
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


async def _end(
    background: Iterable["asyncio.Task[None]"],
    asynchronous: Asynchronous,
    sources: Sources,
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
