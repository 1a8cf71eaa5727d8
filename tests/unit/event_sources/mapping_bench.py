"""Mappings of queues on the real queue engine and store, with functions that do as told, under a virtual clock."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from unit.dispatch.async_bench import SCOPE, FakeFleet, is_at_work

from lambent.access.authorize import Everything
from lambent.destinations.bucket import BucketDestination
from lambent.destinations.contract import TargetRefuses
from lambent.destinations.queue import QueueDestination
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.caller import Caller, Scope
from lambent.domain.function import LATEST, Code, Configuration, Function, FunctionName, FunctionVersion, State
from lambent.domain.principal import root_of
from lambent.domain.quotas import Quotas
from lambent.errors.families import ApiError
from lambent.event_sources.sqs import SqsSource
from lambent.event_sources.stream_reader import StreamReader
from lambent.event_sources.stream_shared import StreamShared
from lambent.event_sources.stream_source import StreamSource
from lambent.event_sources.supervisor import Supervisor
from lambent.neighbours.client import Neighbours
from lambent.services.lambda_.event_source_mappings import EventSourceMappings
from lambent.services.lambda_.role_checks import TargetRights
from lambent.services.operation import collect_handlers
from lambent.services.sqs import SimpleQueues
from lambent.services.sqs.elsewhere import QueuesElsewhere
from lambent.store.blobs import FileBlobs
from lambent.store.contract import QueueKind, QueueName
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.queue import DurableEventQueue
from lambent.store.stream_positions import DurableStreamPositions
from lambent.telemetry.lambda_metrics import LambdaMetrics
from lambent.telemetry.queue_metrics import QueueMetrics
from lambent.testing.counting_loop import come_to_rest, run_counting
from lambent.testing.metric_sums import MetricSums
from lambent.testing.neighbours import no_neighbours
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import PATIENCE_S, VirtualClock

ROLE = "arn:aws:iam::000000000000:role/reader"


def queue_arn(name: str, account: str = SCOPE.account) -> str:
    return f"arn:aws:sqs:{SCOPE.region}:{account}:{name}"


class Buckets:
    """An S3 with one bucket, and one that lets nobody in."""

    async def exists(self, scope: Scope, bucket: str) -> bool:
        if bucket == "closed":
            raise TargetRefuses("it lets nobody in")
        return scope == SCOPE and bucket == "failed"

    async def put(self, scope: Scope, bucket: str, key: str, body: bytes, trace_header: str | None) -> bool:
        raise AssertionError("nothing is delivered here")


class Bench:
    """A store, queues, and what reads them, which can end and come again."""

    is_elsewhere = False
    """Whether queues are at another server."""

    def __init__(self, folder: Path, batches_max: int) -> None:
        self._folder = folder
        self._batches_max = batches_max
        self.clock = VirtualClock()
        self.fleet = FakeFleet()
        self.quotas = Quotas()
        self.readers: dict[str, StreamReader] = {}
        """By service: the streams that there are beside the queues."""
        self._opened = AsyncExitStack()

    async def open(self, *, follows: bool = True) -> None:
        self._opened = AsyncExitStack()
        database = await self._opened.enter_async_context(Database(self._folder / "state.db"))
        self._databases = [database]
        self.store = FunctionRepository(database)
        payloads = FileBlobs(self._folder / "payloads")
        self.events = await self._opened.enter_async_context(DurableEventQueue(database, payloads, self.clock))
        self.elsewhere = QueuesElsewhere(await self._neighbours())
        self.queues = SimpleQueues(
            self.events, self.clock, bytes(32), self.elsewhere, receivers_max=4, purge_wait_s=0, recreate_wait_s=0
        )
        self.told_metrics = MetricSums(self.clock)
        of_functions = LambdaMetrics(self.told_metrics.metrics)
        of_queues = QueueMetrics(self.told_metrics.metrics, self.clock)
        self.dispatcher = Dispatcher(self.store, self.fleet, self.fleet, self.quotas, self.clock)  # type: ignore[arg-type]
        self.source = SqsSource(
            self.events,
            self.queues.sources,
            self.elsewhere,
            self.queues.handles,
            self.store,
            self.dispatcher,
            self.quotas,
            self.clock,
            batches_max=self._batches_max,
            processors=2,
            spawn=self._spawn,
            of_functions=of_functions,
            of_queues=of_queues,
        )
        self.positions = DurableStreamPositions(database)
        self.tasks: set[asyncio.Task[None]] = set()
        shared = StreamShared(
            self.positions,
            self.events,
            self.dispatcher,
            self.quotas,
            self.clock,
            batches_max=self._batches_max,
            spawn=self._spawn,
            metrics=of_functions,
        )
        self.streams = {service: StreamSource(reader, shared, self.store) for service, reader in self.readers.items()}
        self.supervisor = Supervisor(self.store, {"sqs": self.source, **self.streams}, self.clock)
        self._handlers = {
            **self.queues.service.handlers,
            **collect_handlers(
                EventSourceMappings(
                    self.store,
                    self.queues.sources,
                    self.streams,
                    self.positions,
                    {"sqs": QueueDestination(self.queues.door), "s3": BucketDestination(Buckets())},
                    TargetRights(Everything(), {}),
                    self.quotas,
                    self.clock,
                )
            ),
        }
        self._loops: set[asyncio.Task[None]] = set()
        if follows:
            self.follow()

    async def _neighbours(self) -> Neighbours:
        """Return the other services: none."""
        return no_neighbours(self._folder, self.clock)

    @property
    def kept_by(self) -> DurableEventQueue:
        """What keeps the queues that mappings read."""
        return self.events

    @property
    def is_writing(self) -> bool:
        """Whether a queue has something that is on its way to disk."""
        return self.events._committing is not None

    @property
    def is_at_work(self) -> bool:
        """Whether something is on its way to disk, or from there."""
        return self.is_writing or any(map(is_at_work, self._databases))

    def follow(self) -> None:
        """Have somebody follow the mappings, as a server does."""
        self._loops.add(asyncio.create_task(self.supervisor.run()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self.tasks.add(task)
        return task

    async def close(self) -> None:
        """End as a server does that stops."""
        await self._end_loops()
        sources = [self.source, *self.streams.values()]
        for source in sources:
            await source.stop()
        for source in sources:
            closing = asyncio.create_task(source.close())
            while not closing.done():
                self.clock.advance(1)
                await asyncio.sleep(0)
        self.check()
        await self._opened.aclose()

    async def crash(self) -> None:
        """End as a process does that is killed: nothing more happens, and nothing is given back."""
        await self._end_loops()
        for poller in self.source._pollers.values():
            # The clock, and the timers of the dead, live on.
            poller._is_stopped = True
        doing = [task for task in self.tasks if not task.done()]
        for task in doing:
            task.cancel()
        if doing:
            await asyncio.wait(doing)
        await self._opened.aclose()

    async def _end_loops(self) -> None:
        for loop in self._loops:
            loop.cancel()
        if self._loops:
            await asyncio.wait(self._loops)

    def check(self) -> None:
        """See that no task has failed: each is somebody's."""
        for task in (*self._loops, *self.tasks):
            if task.done() and not task.cancelled():
                assert task.exception() is None, task

    # What clients do ----------------------------------------------------------------------------------------------

    async def call(self, operation: str, account: str = SCOPE.account, **request: Any) -> Any:
        caller = Caller(Scope(account, SCOPE.region), root_of(account), "none", "id", "http://127.0.0.1:4566")
        return await self._handlers[operation](caller, request)

    async def refusal(self, operation: str, **request: Any) -> tuple[str, str]:
        """Return code and text of the error that an operation answers."""
        with pytest.raises(ApiError) as excinfo:
            await self.call(operation, **request)
        return excinfo.value.code, excinfo.value.message

    async def function(
        self, name: str = "f", timeout_s: int = 3, version: str = LATEST, *, for_tenants: bool = False, **settings: Any
    ) -> None:
        """Make a function, or a version of one."""
        configuration = Configuration(
            "python3.13", "app.handler", ROLE, timeout_s=timeout_s, is_tenant_isolated=for_tenants
        )
        name_ = FunctionName(name)
        made = FunctionVersion(
            scope=SCOPE,
            name=name_,
            version=version,
            function_id=f"id-{name}",
            configuration=configuration,
            code=Code("1" * 64, 1),
            revision_id="r",
            last_modified=0.0,
            state=State.ACTIVE,
            deployment_id=self.clock.new_id(),
        )
        async with self.store.transaction(SCOPE) as tx:
            if version == LATEST:
                await tx.create(Function(SCOPE, name_, f"id-{name}", **settings), made)
            else:
                await tx.save_version(made)

    async def change_function(self, name: str, **changes: Any) -> None:
        async with self.store.transaction(SCOPE) as tx:
            function = await tx.function(FunctionName(name))
            assert function is not None
            await tx.save_function(msgspec.structs.replace(function, **changes))

    async def set_state(self, name: str, state: State) -> None:
        async with self.store.transaction(SCOPE) as tx:
            version = await tx.version(FunctionName(name), LATEST)
            assert version is not None
            await tx.save_version(msgspec.structs.replace(version, state=state))

    async def queue(self, name: str = "q", **attributes: str) -> str:
        if name.endswith(".fifo"):
            attributes.setdefault("FifoQueue", "true")
        await self.call("CreateQueue", QueueName=name, Attributes=attributes)
        return name

    async def mapping(self, queue: str = "q", function: str = "f", **settings: Any) -> str:
        """Make a mapping, and wait until it is enabled; return its UUID."""
        made = await self.call(
            "CreateEventSourceMapping", EventSourceArn=queue_arn(queue), FunctionName=function, **settings
        )
        uuid: str = made["UUID"]
        await self.until_state(uuid, "Enabled" if settings.get("Enabled", True) else "Disabled")
        return uuid

    async def state(self, uuid: str) -> str:
        try:
            state: str = (await self.call("GetEventSourceMapping", UUID=uuid))["State"]
        except ApiError as error:
            return error.code
        return state

    async def until_state(self, uuid: str, *states: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.state(uuid) not in states:
                await self._step(0)

    async def until_settled(self, uuid: str) -> None:
        await self.until_state(uuid, "Enabled", "Disabled")

    async def send(self, *bodies: str, queue: str = "q", **more: Any) -> list[str]:
        """Send messages; return their ids. On a FIFO queue a body's part before the dash is its group."""
        ids = []
        for body in bodies:
            given = dict(more)
            if queue.endswith(".fifo"):
                given.update(MessageGroupId=body.partition("-")[0], MessageDeduplicationId=body[:40])
            ids.append((await self.call("SendMessage", QueueUrl=queue, MessageBody=body, **given))["MessageId"])
        return ids

    # What came of it ----------------------------------------------------------------------------------------------

    def batches(self, function: str | None = None) -> list[list[dict[str, Any]]]:
        """Return the records of each invocation, in order."""
        ran = self.fleet.ran
        return [json.loads(call.payload)["Records"] for name, call in ran if function in {None, name}]

    def bodies(self, function: str | None = None) -> list[list[str]]:
        return [[record["body"] for record in batch] for batch in self.batches(function)]

    async def depth(self, queue: str = "q") -> tuple[int, int, int]:
        """Return how many messages are visible, hidden and delayed."""
        found = (await self.kept_by.depth([name := QueueName(SCOPE, QueueKind.SQS, queue)]))[name]
        return found.waiting, found.in_flight, found.delayed

    async def _step(self, step_s: float) -> None:
        self.check()
        await come_to_rest()
        # Time stands still meanwhile: on a busy machine leases would run out, and what happens at once would come late.
        if not self.is_at_work:
            self.clock.advance(step_s)
        await asyncio.sleep(0.002)

    async def until(self, condition: Callable[[], object], *, step_s: float = 0.0) -> None:
        """Wait until a condition holds, letting time pass by steps."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await self._step(step_s)

    async def until_depth(self, *depth: int, queue: str = "q", step_s: float = 0.0) -> None:
        """Wait until a queue holds so many messages that are visible, hidden and delayed."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.depth(queue) != depth:
                await self._step(step_s)

    async def rest(self) -> None:
        """Wait until nothing goes on any more."""
        async with asyncio.timeout(PATIENCE_S):
            while any(not task.done() for task in self.tasks) or self.is_at_work:
                await self._step(0)

    async def pass_time(self, seconds: float, step_s: float = 0.25) -> None:
        """Let time pass, and what it brings happen."""
        end = self.clock.monotonic() + seconds
        # It may be an hour in steps of seconds.
        async with asyncio.timeout(10 * PATIENCE_S):
            # The sum of many steps is hardly ever what it is to be.
            while self.clock.monotonic() < end - 1e-6 or self.is_at_work:
                await self._step(min(step_s, max(end - self.clock.monotonic(), 0.0)))


class Tell(Protocol):
    """Runs a story on a bench of its own."""

    def __call__(
        self,
        folder: Path,
        story: Callable[[Bench], Awaitable[None]],
        *,
        batches_max: int = 50,
        follows: bool = True,
    ) -> None: ...


def tell(
    folder: Path,
    story: Callable[[Bench], Awaitable[None]],
    *,
    batches_max: int = 50,
    follows: bool = True,
    kind: type["Bench"] | None = None,
) -> None:
    """Run a story on a bench of its own."""
    make_sqlite(folder / "state.db")

    async def run() -> None:
        bench = (kind or Bench)(folder, batches_max)
        await bench.open(follows=follows)
        try:
            await story(bench)
        finally:
            await bench.close()

    run_counting(run())
