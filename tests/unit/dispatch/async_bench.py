"""Asynchronous invocations on the real queue and store, with functions that do as told, under a virtual clock."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from lambent.destinations.contract import Destinations, Message
from lambent.dispatch.async_invocations import AsyncInvocations
from lambent.dispatch.dispatcher import Dispatcher
from lambent.dispatch.outbox import Outbox
from lambent.domain.caller import Scope
from lambent.domain.destination import Target
from lambent.domain.event_invoke import EventInvokeConfig
from lambent.domain.function import LATEST, Code, Configuration, Function, FunctionName, FunctionVersion, State
from lambent.domain.invocation import FunctionError, Invocation, InvocationOutcome
from lambent.domain.quotas import Quotas
from lambent.store.blobs import FileBlobs
from lambent.store.contract import EventQueue, QueueKind
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.queue import DurableEventQueue
from lambent.telemetry.deliveries import DeliveryCounts
from lambent.telemetry.lambda_metrics import LambdaMetrics
from lambent.testing.counting_loop import come_to_rest, run_counting, threads_are_at_work
from lambent.testing.metric_sums import MetricSums
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import PATIENCE_S, VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:"
FAILED = InvocationOutcome(b'{"errorMessage": "boom"}', LATEST, FunctionError())

Run = Callable[[Invocation], Awaitable[InvocationOutcome]]


class FakeFleet:
    """Grants every slot; what an invocation comes to, the test says."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, Invocation]] = []
        self.running = 0
        self.most_running = 0
        self.does: Run | None = None
        self.refusal: Exception | None = None

    async def acquire(self, deployment: Any, released: Callable[[], None]) -> Any:
        if self.refusal is not None:
            raise self.refusal
        return deployment, released

    async def invoke(self, slot: Any, invocation: Invocation) -> InvocationOutcome:
        deployment, released = slot
        self.ran.append((deployment.name, invocation))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.does is not None:
                return await self.does(invocation)
            return InvocationOutcome(invocation.payload, deployment.version)
        finally:
            self.running -= 1
            released()

    def retain(self, *_: object) -> None:
        pass


class FakeTarget:
    """A destination that keeps what it gets, or fails as told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Message]] = []
        self.failure: BaseException | None = None
        self.hangs: set[str] = set()

    async def exists(self, target: Target) -> bool:
        return True

    async def deliver(self, target: Target, message: Message) -> None:
        if target.resource in self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        self.got.append((target.resource, message))


class AllRights:
    """Implements `Rights`: roles may send everywhere, but for what a test takes from them."""

    def __init__(self) -> None:
        self.lacks: str | None = None

    async def lacking(self, function_arn: str, target: Target, object_key: str) -> str | None:
        return self.lacks


class Server:
    """What dispatches events, as one process of a server has it."""

    def __init__(self, bench: "Bench", queue: EventQueue) -> None:
        self.queue = queue
        clock = bench.clock
        self.told = MetricSums(clock)
        metrics = LambdaMetrics(self.told.metrics)
        self.dispatcher = Dispatcher(bench.store, bench.fleet, bench.fleet, Quotas(), clock, metrics=metrics)  # type: ignore[arg-type]
        self.events = AsyncInvocations(
            queue,
            bench.store,
            self.dispatcher,
            clock,
            most=bench.most,
            processors=2,
            time_scale=1.0,
            spawn=self._spawn,
            metrics=metrics,
        )
        destinations: Destinations = {"sqs": bench.target, "s3": bench.target}
        self.deliveries = DeliveryCounts()
        self.outbox = Outbox(
            queue,
            destinations,
            bench.rights,
            self.deliveries,
            clock,
            time_scale=1.0,
            spawn=self._spawn,
            metrics=metrics,
        )
        self._loops = [
            asyncio.create_task(work())
            for work in (self.events.run, self.events.keep_leases, self.outbox.run, self.outbox.keep_leases)
        ]
        self.tasks: set[asyncio.Task[None]] = set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self.tasks.add(task)
        return task

    async def end(self) -> None:
        """End as a server does that stops."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.wait(self._loops)
        await self.events.stop()
        await self.events.close()
        await self.outbox.close()
        self.check()

    async def vanish(self) -> None:
        """End as a process does that is killed: nothing more happens, and nothing is given back."""
        doing = [task for task in (*self._loops, *self.tasks) if not task.done()]
        for task in doing:
            task.cancel()
        if doing:
            await asyncio.wait(doing)

    def check(self) -> None:
        """See that no task has failed: each is somebody's."""
        for task in (*self._loops, *self.tasks):
            if task.done() and not task.cancelled():
                assert task.exception() is None, task


class Bench:
    """A store with functions, a queue, and a server that can end and come again."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self.most = most
        self.clock = VirtualClock()
        self.fleet = FakeFleet()
        self.target = FakeTarget()
        self.rights = AllRights()
        self._opened = AsyncExitStack()

    async def open(self) -> None:
        self._opened = AsyncExitStack()
        database = self._database = await self._opened.enter_async_context(Database(self._folder / "state.db"))
        self.store = FunctionRepository(database)
        payloads = FileBlobs(self._folder / "payloads")
        queue = self._queue = await self._opened.enter_async_context(DurableEventQueue(database, payloads, self.clock))
        self.server = Server(self, queue)

    async def close(self) -> None:
        await self.server.end()
        await self._opened.aclose()

    async def crash(self) -> None:
        """End as a process does that is killed."""
        await self.server.vanish()
        await self._opened.aclose()

    async def create(self, name: str, *, dead_letters: str = "", **config: Any) -> None:
        """Make a function, with an event invoke config if anything of it is given."""
        name_ = FunctionName(name)
        function_id = self.clock.new_id()
        configuration = Configuration(
            "python3.13", "app.handler", "role", dead_letter_arn=dead_letters and QUEUE_ARN + dead_letters
        )
        latest = FunctionVersion(
            scope=SCOPE,
            name=name_,
            version=LATEST,
            function_id=function_id,
            configuration=configuration,
            code=Code("1" * 64, 1),
            revision_id="r",
            last_modified=0.0,
            state=State.ACTIVE,
            deployment_id=self.clock.new_id(),
        )
        async with self.store.transaction(SCOPE) as tx:
            await tx.create(Function(SCOPE, name_, function_id), latest)
            if config:
                for on in ("on_success", "on_failure"):
                    if on in config:
                        config[on] = config[on] if config[on].startswith("arn:") else QUEUE_ARN + config[on]
                await tx.event_invoke_configs.save(EventInvokeConfig(SCOPE, name_, LATEST, 0.0, **config))

    async def reserve(self, name: str, executions: int | None) -> None:
        async with self.store.transaction(SCOPE) as tx:
            function = await tx.function(FunctionName(name))
            assert function is not None
            await tx.save_function(msgspec.structs.replace(function, reserved_executions=executions))

    async def delete(self, name: str) -> None:
        async with self.store.transaction(SCOPE) as tx:
            await tx.delete_function(FunctionName(name))

    async def send(self, name: str, *ids: str, payload: bytes = b"{}", trace_header: str = "Root=1-a-b") -> None:
        for request_id in ids:
            assert await self.server.events.submit(
                SCOPE, FunctionName(name), None, request_id=request_id, payload=payload, trace_header=trace_header
            )

    def ids(self, name: str | None = None) -> list[str]:
        """Return the request ids of what ran, in order."""
        return [invocation.request_id for function, invocation in self.fleet.ran if name in {None, function}]

    def records(self) -> list[Mapping[str, Any]]:
        """Return the records that were delivered, without their times."""
        return [json.loads(message.body) for _, message in self.target.got]

    async def _step(self, step_s: float) -> None:
        self.server.check()
        await come_to_rest()
        # Time stands still while something is on its way to disk or from there: on a busy machine leases would run out,
        # and what happens at once would come late.
        if self._queue._committing is None and not is_at_work(self._database):
            self.clock.advance(step_s)
        await asyncio.sleep(0.002)

    async def until(self, condition: Callable[[], object], *, step_s: float = 0.001) -> None:
        """Wait until a condition holds, letting time pass by steps."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await self._step(step_s)

    async def settled(self, *, step_s: float = 0.001) -> None:
        """Wait until no queue holds anything, letting time pass by steps: outcomes wait a moment for each other."""
        async with asyncio.timeout(PATIENCE_S):
            while [
                *await self.server.queue.filled(QueueKind.ASYNC),
                *await self.server.queue.filled(QueueKind.DESTINATION),
            ]:
                await self._step(step_s)


def is_at_work(database: Database) -> bool:
    """Whether anybody reads, writes, waits to write, or has a file on its way."""
    return database._turn.locked() or threads_are_at_work()


def tell(folder: Path, story: Callable[[Bench], Awaitable[None]], most: int = 50) -> None:
    """Run a story on a bench of its own."""
    make_sqlite(folder / "state.db")

    async def run() -> None:
        bench = Bench(folder, most)
        await bench.open()
        try:
            await story(bench)
        finally:
            await bench.close()

    run_counting(run())
