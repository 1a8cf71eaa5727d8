"""Alarms over the real stores, with functions that only note what they get, on a virtual clock."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lambent.destinations.contract import Message, NoSuchTarget
from lambent.domain.caller import Caller, Scope
from lambent.domain.destination import Target
from lambent.domain.function import LATEST, Code, Configuration, Function, FunctionName, FunctionVersion, State
from lambent.domain.metric import Distribution, Metric, MetricPoint
from lambent.domain.principal import root_of
from lambent.domain.resource_policy import ResourcePolicy
from lambent.services.monitoring.alarm_actions import SERVICE, AlarmActions
from lambent.services.monitoring.alarm_evaluator import AlarmEvaluator
from lambent.services.monitoring.alarm_history import AlarmHistory
from lambent.services.monitoring.alarm_listing import AlarmListing
from lambent.services.monitoring.alarm_queries import AlarmReader
from lambent.services.monitoring.alarm_tags import AlarmTags
from lambent.services.monitoring.alarm_transitions import Transitions
from lambent.services.monitoring.alarms import Alarms
from lambent.services.operation import collect_handlers
from lambent.store.alarms import AlarmRepository
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.metrics import MetricRepository
from lambent.telemetry.deliveries import DeliveryCounts
from lambent.testing.counting_loop import come_to_rest, run_counting, threads_are_at_work
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import PATIENCE_S, VirtualClock

SCOPE = Scope("111122223333", "eu-west-1")
BEGIN = 1_764_036_660.0
"""2025-11-25 02:11:00 UTC."""
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:mend"
PLAIN: Mapping[str, Any] = {
    "MetricName": "Latency",
    "Namespace": "Shop",
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 21.0,
    "ComparisonOperator": "GreaterThanThreshold",
}
"""Of an alarm on the metric that `measure` measures unless told otherwise."""


class FakeFunctions:
    """A destination that keeps what functions get, or fails as told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Mapping[str, Any]]] = []
        self.failure: Exception | None = None

    async def exists(self, target: Target) -> bool:
        return True

    async def deliver(self, target: Target, message: Message) -> None:
        if self.failure is not None:
            raise self.failure
        if target.resource.startswith("function:gone"):
            raise NoSuchTarget
        self.got.append((target.resource, json.loads(message.body)))


class Bench:
    """What a server has of alarms. Repositories of one database may be opened again, as after a restart."""

    def __init__(self, database: Database, clock: VirtualClock, *, accept_inert: bool = False) -> None:
        self.clock = clock
        self.store = AlarmRepository(database)
        self.metrics = MetricRepository(database)
        self.functions = FunctionRepository(database)
        self.target = FakeFunctions()
        self.counts = DeliveryCounts()
        self.transitions = Transitions(clock)
        self.actions = AlarmActions(
            self.store, self.functions, {"lambda": self.target}, self.transitions, self.counts, clock
        )
        self.settled = 0
        self.evaluator = AlarmEvaluator(self.store, AlarmReader(self.metrics), self.transitions, self._settle, clock)
        self._handlers = collect_handlers(
            Alarms(self.store, self.transitions, clock, accept_inert=accept_inert),
            AlarmListing(self.store),
            AlarmHistory(self.store),
            AlarmTags(self.store),
        )

    async def call(self, operation: str, *, scope: Scope = SCOPE, **request: Any) -> Mapping[str, Any]:
        """Call an operation; raises what it raises."""
        caller = Caller(scope, root_of(scope.account), "signature", "the-id", "http://x")
        return await self._handlers[operation](caller, request)

    async def put(self, name: str = "slow", **changes: Any) -> None:
        """Put an alarm like `PLAIN`; members that are None are left out."""
        request = {**PLAIN, **changes}
        request = {member: value for member, value in request.items() if value is not None}
        await self.call("PutMetricAlarm", AlarmName=name, **request)

    async def measure(
        self,
        *values: float | Sequence[float],
        at: float | None = None,
        every_s: int = 60,
        name: str = "Latency",
        unit: str = "None",
        dimensions: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Measure values in periods one after the other, of which the last one is over now."""
        resolution_s = 60 if every_s >= 60 else 1
        begin = int((self.clock.now() if at is None else at) // every_s - len(values)) * every_s
        points = []
        for number, value in enumerate(values):
            measured = Distribution()
            for one in value if isinstance(value, Sequence) else [value]:
                measured.add(one)
            metric = Metric(SCOPE, "Shop", name, dimensions, unit)
            points.append(MetricPoint(metric, begin + number * every_s, resolution_s, measured))
        await self.metrics.add(points)

    async def look(self, *, is_fast: bool = False) -> bool:
        """Evaluate all alarms once."""
        return await self.evaluator.look(is_fast=is_fast)

    async def state(self, name: str = "slow") -> str:
        return str((await self.shown(name))["StateValue"])

    async def shown(self, name: str = "slow") -> Mapping[str, Any]:
        answer = await self.call("DescribeAlarms", AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        (one,) = [*answer["MetricAlarms"], *answer["CompositeAlarms"]]
        assert isinstance(one, dict)
        return one

    async def history(self, name: str | None = None, **wanted: Any) -> list[str]:
        """Return summaries, the oldest first."""
        named = {} if name is None else {"AlarmName": name}
        answer = await self.call("DescribeAlarmHistory", **named, **wanted)
        return [item["HistorySummary"] for item in reversed(answer["AlarmHistoryItems"])]

    async def let_in(self, name: str = "mend", *, service: str = SERVICE, alarm: str = "*") -> None:
        """Make a function that lets alarms in."""
        function_name, function_id = FunctionName(name), self.clock.new_id()
        latest = FunctionVersion(
            scope=SCOPE,
            name=function_name,
            version=LATEST,
            function_id=function_id,
            configuration=Configuration("python3.13", "app.handler", "role"),
            code=Code("1" * 64, 1),
            revision_id="r",
            last_modified=0.0,
            state=State.ACTIVE,
            deployment_id=self.clock.new_id(),
        )
        arn = f"arn:aws:lambda:eu-west-1:111122223333:function:{name}"
        statement = {
            "Sid": "alarms",
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "lambda:InvokeFunction",
            "Resource": arn,
            "Condition": {
                "StringEquals": {"AWS:SourceAccount": SCOPE.account},
                "ArnLike": {"AWS:SourceArn": f"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:{alarm}"},
            },
        }
        async with self.functions.transaction(SCOPE) as tx:
            await tx.create(Function(SCOPE, function_name, function_id), latest)
            await tx.policies.save(function_name, None, ResourcePolicy((statement,)))

    async def until(self, is_so: Callable[[], Any], step_s: float = 0.0) -> None:
        """Let time pass, so much at once, until something is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                await come_to_rest()
                # Time stands still meanwhile: what is looked up in a moment would take minutes on a busy machine.
                if not threads_are_at_work():
                    self.clock.advance(step_s)
                await asyncio.sleep(0.001)

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[None]:
        """Do actions, for as long as the block lasts."""
        task = asyncio.create_task(self.actions.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (failure := task.exception()) is not None:
                raise failure

    async def act(self) -> None:
        """Do the actions that there are."""
        async with self.acting():
            pending: list[int] = [1]
            while pending[0]:
                # The clock stands still: what is being done ends by itself.
                pending[0] = await self.store.pending_count()

    async def _settle(self) -> None:
        self.settled += 1


@asynccontextmanager
async def opened(folder: Path, *, accept_inert: bool = False, now: float = BEGIN) -> AsyncIterator[Bench]:
    """Open what a folder has, and make it if it has nothing."""
    path = folder / "state.db"
    if not path.exists():
        make_sqlite(path)
    async with Database(path) as database:
        yield Bench(database, VirtualClock(now=now), accept_inert=accept_inert)


def story(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Have a test run in an event loop of its own."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        run_counting(test(*arguments, **named))

    return run
