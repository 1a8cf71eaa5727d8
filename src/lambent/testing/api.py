"""
The API in this process: the gateway's pipeline, every service and a real store, without a socket or a sandbox.

Functions are created, settled and invoked, but none runs: an invocation answers with its own event.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from lambent.access.audit import Audit
from lambent.access.authentication import AnyKey, Authenticator
from lambent.access.identities import Identities
from lambent.access.key_use import KeyUse
from lambent.access.links import CodeLinks
from lambent.access.modes import IamMode, make_authorizer
from lambent.access.role_trust import CallerRights, RoleTrust
from lambent.access.secrets import Secrets
from lambent.destinations.contract import Destinations
from lambent.destinations.function import FunctionDestination
from lambent.destinations.queue import QueueDestination
from lambent.dispatch.async_invocations import AsyncInvocations
from lambent.dispatch.dispatcher import Dispatcher
from lambent.dispatch.log_subscribers import LogSubscribers
from lambent.domain.caller import Caller, Scope
from lambent.domain.concurrency import ProvisionedState, ProvisionedStatus
from lambent.domain.event_source_mapping import EventSourceMapping, settled
from lambent.domain.function import Deployment, FunctionName
from lambent.domain.function_url import UrlDomain
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.domain.principal import root_of
from lambent.domain.quotas import Quotas
from lambent.execution.environment import InitFailure
from lambent.fleet.contract import Slot
from lambent.gateway.pipeline import Pipeline
from lambent.protocol.service import Protocols
from lambent.protocol.wire import BodyTooLarge, WireRequest, WireResponse
from lambent.runtimes.catalogue import CATALOGUE
from lambent.runtimes.contract import Runtimes
from lambent.services import apigatewayv2, lambda_, logs, monitoring, sts, xray
from lambent.services.iam import service as iam_service
from lambent.services.lambda_.activation import Activation
from lambent.services.lambda_.configuration import ConfigurationRules
from lambent.services.lambda_.execution_roles import TrustedRoles
from lambent.services.lambda_.facts import FunctionFacts
from lambent.services.lambda_.role_checks import TargetRights
from lambent.services.logs.filters import FilterAccess
from lambent.services.logs.live_tail import LiveTails
from lambent.services.logs.log_records import LogRecords
from lambent.services.logs.queries import LogQueries
from lambent.services.logs.query_definitions import SavedQueries
from lambent.services.monitoring.alarm_transitions import Transitions
from lambent.services.operation import Service
from lambent.services.s3.objects import S3Objects
from lambent.services.sqs import SimpleQueues
from lambent.services.sqs.elsewhere import QueuesElsewhere
from lambent.store.alarms import AlarmRepository
from lambent.store.blobs import FileBlobs
from lambent.store.contract import LogPosition, NewLogEvent
from lambent.store.dashboards import DashboardRepository
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.identities import IdentityRepository
from lambent.store.log_filters import LogFilterRepository
from lambent.store.logs import LogRepository
from lambent.store.metrics import MetricRepository
from lambent.store.packages import FilePackages
from lambent.store.query_definitions import QueryDefinitionRepository
from lambent.store.queue import DurableEventQueue
from lambent.store.stream_positions import DurableStreamPositions
from lambent.store.trace_settings import TraceSettingRepository
from lambent.store.traces import TraceRepository
from lambent.telemetry.ingestion import Ingestion
from lambent.testing.neighbours import no_neighbours
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
"""Where a request acts that is signed for nobody else."""

ENDPOINT = "http://127.0.0.1:4566"

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
"""The one policy of AWS's own that is known here."""

_SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"


class EchoFleet:
    """Grants every slot; an invocation answers with its event."""

    class _Slot:
        epoch = 1

        def __init__(self, version: str, released: Callable[[], None]) -> None:
            self.version = version
            self.released = released

    async def acquire(self, deployment: Deployment, released: Callable[[], None]) -> Slot:
        return self._Slot(deployment.version, released)

    def give_back(self, slot: Slot) -> None:
        cast("EchoFleet._Slot", slot).released()

    def retain(self, scope: Scope, name: FunctionName, deployment_ids: Collection[str]) -> None:
        pass

    def in_use(self) -> tuple[int, int]:
        return 0, 0

    async def invoke(self, slot: Slot, invocation: Invocation) -> InvocationOutcome:
        granted = cast("EchoFleet._Slot", slot)
        granted.released()
        tail = b"END RequestId\n" if invocation.wants_tail else None
        return InvocationOutcome(payload=invocation.payload, executed_version=granted.version, log_tail=tail)


class ReadyRuntimes:
    """Every runtime of the catalogue, ready. `command` is missing: nothing is started."""

    def is_known(self, runtime: str) -> bool:
        return runtime in CATALOGUE

    def identifiers(self) -> list[str]:
        return list(CATALOGUE)

    def is_offered(self, runtime: str) -> bool:
        return self.is_known(runtime) and CATALOGUE[runtime].provider != "none"

    async def prepare(self, runtime: str) -> None:
        pass


class KeptAsAsked:
    """Provisioned concurrency that is there at once."""

    def state(self, scope: Scope, name: FunctionName, version: str, requested: int) -> ProvisionedState:
        return ProvisionedState(requested, ProvisionedStatus.READY)


class OneStream:
    """Implements `StreamLook` for streams of which one is there, `s`: nobody reads it."""

    async def why_not(self, mapping: EventSourceMapping) -> str | None:
        return None if mapping.source_arn.endswith(":stream/s") else f"Stream not found: {mapping.source_arn}"


class InProcessApi:
    """
    An open API. `open_api` makes one.

    Args:
        folder: holds `state.db`, blobs and packages.
        protocols: those of another that was open before: what requests need is compiled once.
        authenticator: None: any key is taken.
        iam: what policies do.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        queue: DurableEventQueue,
        packages: FilePackages,
        clock: VirtualClock,
        protocols: Protocols | None,
        authenticator: Authenticator | None = None,
        iam: IamMode = "off",
    ) -> None:
        self._database_path = folder / "state.db"
        self.identities = IdentityRepository(database)
        rights = Identities(self.identities, {ADMINISTRATOR: EVERYTHING}.get)
        self.authorizer = make_authorizer(iam, rights, Audit(clock), clock, is_verified=True)
        self.logs = LogRepository(database, clock)
        self._store = store = FunctionRepository(database)
        trust = RoleTrust(self.identities, CallerRights(rights, clock), iam)
        quotas = Quotas()
        runtimes = cast("Runtimes", ReadyRuntimes())
        dispatcher = Dispatcher(store, fleet := EchoFleet(), fleet, quotas, clock)
        # Events are accepted, and wait: nobody runs them here.
        events = AsyncInvocations(
            queue, store, dispatcher, clock, most=1, processors=1, time_scale=1.0, spawn=_run_nothing
        )
        neighbours = no_neighbours(folder, clock)
        self.queues = SimpleQueues(
            queue,
            clock,
            bytes(32),
            QueuesElsewhere(neighbours),
            self.authorizer,
            receivers_max=0,
            purge_wait_s=60,
            recreate_wait_s=0,
        )
        facts = FunctionFacts(store)
        destinations: Destinations = {
            "lambda": FunctionDestination(events, clock),
            "sqs": QueueDestination(self.queues.door),
        }
        self._activation = Activation(store, packages, runtimes, clock, _expect_nothing, _start_nothing)
        self.queries = LogQueries(self.logs, _fold_nothing, clock)
        self.services: dict[str, Service] = {
            "lambda": lambda_.service(
                store=store,
                packages=packages,
                rules=ConfigurationRules(quotas, runtimes, accept_inert=False),
                activation=self._activation,
                dispatcher=dispatcher,
                provisioned=KeptAsAsked(),
                events=events,
                destinations=destinations,
                rights=TargetRights(self.authorizer, {"lambda": facts, "sqs": self.queues.facts}),
                facts=facts,
                queues=self.queues.sources,
                streams={"kinesis": OneStream()},
                positions=DurableStreamPositions(database),
                objects=S3Objects(neighbours, folder),
                roles=TrustedRoles(trust),
                links=CodeLinks(bytes(32), clock),
                urls=UrlDomain("http", "localhost", ":4566"),
                quotas=quotas,
                clock=clock,
            ),
            "logs": logs.service(
                self.logs,
                _fold_nothing,
                self._put_logs,
                clock,
                filters=FilterAccess(
                    LogFilterRepository(database), self.logs, _change_nothing, _fold_nothing, clock.now
                ),
                destinations=LogSubscribers(queue, store, clock),
                readers=(
                    self.queries,
                    LogRecords(self.logs, _fold_nothing, clock),
                    SavedQueries(QueryDefinitionRepository(database), clock),
                    LiveTails(self.logs, _fold_nothing, Ingestion().follow, clock),
                ),
            ),
            "monitoring": monitoring.service(
                MetricRepository(database),
                DashboardRepository(database),
                AlarmRepository(database),
                Transitions(clock),
                _fold_nothing,
                clock,
                accept_inert=False,
            ),
            "xray": xray.service(
                TraceRepository(database, clock, max_bytes=1 << 30), TraceSettingRepository(database), clock
            ),
            "sqs": self.queues.service,
            "sts": sts.service(
                trust=trust,
                identities=self.identities,
                secrets=Secrets(bytes(32)),
                clock=clock,
            ),
            "iam": iam_service(self.identities, Secrets(bytes(32)), KeyUse(self.identities, clock), clock),
            "apigatewayv2": apigatewayv2.service(
                store=store,
                domain=UrlDomain("http", "localhost", ":4566"),
                forget_verdicts=_forget_nothing,
                clock=clock,
                authorizer=self.authorizer,
            ),
        }
        self.protocols = protocols or Protocols(
            {service.name: service.shape_violation for service in self.services.values()}
        )
        self._pipeline = Pipeline(
            self.services, self.protocols, authenticator or AnyKey(SCOPE.account), self.authorizer, SCOPE.region
        )
        self.clock = clock

    async def send(self, request: WireRequest) -> WireResponse:
        """Send a request through the whole pipeline, its body through the limit that the server applies."""

        async def read_body(most_bytes: int) -> bytes:
            if len(request.body) > most_bytes:
                raise BodyTooLarge
            return request.body

        head = replace(request, body=b"")
        return await self._pipeline.answer(head, read_body, self.clock.new_id(), ENDPOINT)

    async def call(self, operation: str, service: str = "lambda", **parameters: Any) -> Mapping[str, Any]:
        """Call one handler past the pipeline, to set a stage; raises what it raises."""
        caller = Caller(SCOPE, root_of(SCOPE.account), "none", self.clock.new_id(), ENDPOINT)
        return await self.services[service].handlers[operation](caller, parameters)

    async def settle(self, name: str) -> None:
        """Take a function to Active, as the server does in the background."""
        pending = await self._activation.settle(SCOPE, FunctionName(name))
        for version in pending:
            await self._activation.initialise(version)

    async def settle_mappings(self) -> None:
        """Have each event source mapping's state settle, as those do who follow them; nobody reads its source here."""
        for change in await self._store.mappings(after=None, limit=1_000):
            async with self._store.transaction(change.scope) as tx:
                mapping = await tx.event_source_mappings.get(change.uuid)
                assert mapping is not None
                if (after := settled(mapping)) is None:
                    await tx.event_source_mappings.delete(change.uuid)
                else:
                    await tx.event_source_mappings.save(after)

    async def write_logs(self, group: str, stream: str, *messages: str) -> None:
        """Store log events, as functions that ran would have."""
        now_ms = int(self.clock.now() * 1000)
        events = [
            NewLogEvent(SCOPE, group, stream, now_ms + number, now_ms, text) for number, text in enumerate(messages)
        ]
        position = await self.logs.position()
        await self.logs.fold(events, [], [], LogPosition(position.segment, position.offset + 1))

    async def _put_logs(self, scope: Scope, group: str, stream: str, events: Sequence[tuple[int, str]]) -> int:
        now_ms = int(self.clock.now() * 1000)
        position = await self.logs.position()
        new = [NewLogEvent(scope, group, stream, timestamp_ms, now_ms, text) for timestamp_ms, text in events]
        await self.logs.fold(new, [], [], LogPosition(position.segment, position.offset + 1))
        return now_ms

    @cached_property
    def _watching(self) -> sqlite3.Connection:
        return sqlite3.connect(self._database_path, isolation_level=None)

    def commits(self) -> int:
        """Return a number that is another one after every commit that changed the database."""
        number: int = self._watching.execute("PRAGMA data_version").fetchone()[0]
        return number

    def copy_to(self, path: Path) -> None:
        """Write a copy of the database to a new file."""
        copy = sqlite3.connect(path)
        self._watching.backup(copy)
        copy.close()

    def stop_watching(self) -> None:
        if "_watching" in self.__dict__:
            self._watching.close()


@asynccontextmanager
async def open_api(
    folder: Path,
    protocols: Protocols | None = None,
    *,
    authenticator: Authenticator | None = None,
    iam: IamMode = "off",
) -> AsyncIterator[InProcessApi]:
    """
    Open the API on a folder, which becomes a data folder if it is empty.

    Ids and times follow from a fixed seed, so that the same requests get the same answers.
    """
    if not (folder / "state.db").exists():
        make_sqlite(folder / "state.db")
    clock = VirtualClock()
    async with AsyncExitStack() as stack:
        packages = FilePackages(FileBlobs(folder / "blobs"), folder / "packages", Quotas())
        stack.push_async_callback(packages.close)
        database = await stack.enter_async_context(Database(folder / "state.db"))
        payloads = FileBlobs(folder / "payloads")
        queue = await stack.enter_async_context(DurableEventQueue(database, payloads, clock))
        api = InProcessApi(folder, database, queue, packages, clock, protocols, authenticator, iam)
        stack.callback(api.stop_watching)
        working = asyncio.get_running_loop().create_task(api.queries.run())
        try:
            yield api
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


@dataclass(frozen=True)
class Answer:
    """What a request got, and whether it changed anything."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes
    has_committed: bool
    """Whether a transaction that wrote something was committed meanwhile."""


class Stage:
    """
    The API on a state that every request may change: what it changed is put back before the next.

    Requests are sent from plain functions, as property tests are; a loop of its own runs behind them.

    Args:
        folder: scratch space.
        set_up: makes the state, once.
    """

    def __init__(self, folder: Path, set_up: Callable[[InProcessApi], Any]) -> None:
        self._template = folder / "template.db"
        self._folder = folder / "data"
        self._folder.mkdir()
        self._protocols: Protocols | None = None
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._open()
        self._runner.run(set_up(self.api))
        self._commits = self.api.commits()
        self.api.copy_to(self._template)

    def _open(self) -> None:
        async def open_and_enter() -> InProcessApi:
            return await self._stack.enter_async_context(open_api(self._folder, self._protocols))

        self.api = self._runner.run(open_and_enter())
        self._protocols = self.api.protocols
        self._commits = self.api.commits()

    def send(self, request: WireRequest, within_s: float = 60.0) -> "Answer":
        """
        Send one request, a second after the last, and read the answer whole.

        Raises:
            TimeoutError: none came in time.
        """
        # Without time, what is limited by the second would soon be refused for ever.
        self.api.clock.advance(1.0)

        before = self.api.commits()

        async def send_and_read() -> tuple[WireResponse, bytes]:
            async with asyncio.timeout(within_s):
                response = await self.api.send(request)
                body = response.body
                if isinstance(body, bytes):
                    return response, body
                if response.ends_with_client:
                    # It would go on for hours: this client leaves after the first piece.
                    try:
                        return response, await anext(aiter(body))
                    finally:
                        await body.aclose()
                return response, b"".join([chunk async for chunk in body])

        response, body = self._runner.run(send_and_read())
        return Answer(response.status, dict(response.headers), body, self.api.commits() != before)

    def settle(self, name: str) -> None:
        """Take a function to Active, and mappings to their ends, as the server does in the background."""
        self._runner.run(self.api.settle(name))
        self._runner.run(self.api.settle_mappings())

    def restore(self) -> None:
        """Put the state back, if anything changed it."""
        if self.api.commits() == self._commits:
            return
        self._runner.run(self._stack.aclose())
        for path in self._folder.glob("state.db*"):
            path.unlink()
        shutil.copyfile(self._template, self._folder / "state.db")
        self._open()

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()


def _run_nothing(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    raise AssertionError("nothing is run here")


async def _expect_nothing(deployment: Deployment) -> None:
    pass


async def _start_nothing(deployment: Deployment) -> InitFailure | None:
    return None


def _change_nothing() -> None:
    pass


async def _fold_nothing() -> None:
    pass


def _forget_nothing(_api_id: str, _stage_name: str) -> None:
    pass


def authorization(service: str) -> str:
    """Return the header of a request that is signed for a service."""
    return _SIGNED.format(service=service)
