"""What tests of budgets stand on: a real database, folds as the server makes them, a clock that is moved by hand."""

import asyncio
import datetime
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from lambent.assembly.billing import read_prices
from lambent.dispatch.budget_gate import BudgetGate
from lambent.dispatch.function_tags import FunctionTags
from lambent.domain.budget import Budget, BudgetPeriod, BudgetView, Measure, Watched
from lambent.domain.caller import Scope
from lambent.domain.function import Code, Configuration, Function, FunctionName, FunctionVersion, State
from lambent.domain.usage import UsageClass, UsageKey, UsageRecord
from lambent.errors.families import DependencyError
from lambent.fleet.contract import Throttled
from lambent.services.billing.budget_notices import BudgetNotices
from lambent.services.billing.budget_targets import NotDelivered
from lambent.services.billing.budgets import Budgets
from lambent.services.billing.first_tier import FirstTier
from lambent.store.budgets import BudgetRepository
from lambent.store.budgets_contract import BudgetRows, NewNotice
from lambent.store.contract import LogPosition
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.logs import LogRepository
from lambent.store.usage import UsageRepository
from lambent.store.usage_contract import Allocation, NewUsage
from lambent.telemetry.deliveries import DeliveryCounts
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import PATIENCE_S, VirtualClock

ACCOUNT = "111122223333"
SCOPE = Scope(ACCOUNT, "eu-west-1")
DAY_S = 86_400
NOON = datetime.datetime(2026, 11, 17, 12, tzinfo=datetime.UTC).timestamp()
SMALL = UsageClass(1_024, runtime="python3.12")


def budget(name: str = "b", **changes: Any) -> Budget:
    """Return a budget of ten requests a day of function f."""
    made = Budget(
        ACCOUNT, name, Watched("f", SCOPE.region), Measure.REQUESTS, Decimal(10), BudgetPeriod.DAY, (50, 100),
        ("https://example.com/told",), throttle=True,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def record(at: float, function: str = "f", billed_ms: int = 1_000, scope: Scope = SCOPE, **more: Any) -> UsageRecord:
    """Return an invocation of so long."""
    fields = {
        "key": UsageKey(scope, function, "$LATEST", "", more.pop("of", SMALL)),
        "request_id": str(uuid.UUID(int=random.getrandbits(128), version=4)),
        "started_ms": int(at * 1000),
        "duration_us": billed_ms * 1000,
        "init_us": 0,
        "billed_ms": billed_ms,
        "cpu_us": 0,
        "memory_peak_mib": 0,
        "streamed_bytes": 0,
        "status": "",
    }
    return UsageRecord(**(fields | more))


class Targets:
    """Takes what is told, except where a test says otherwise."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.failing: dict[str, str] = {}
        self.hanging: set[str] = set()

    async def deliver(self, target: str, body: bytes, notice_id: str) -> None:
        if target in self.hanging:
            await asyncio.Event().wait()
        if target in self.failing:
            raise NotDelivered(self.failing[target])
        said = msgspec.json.decode(body)
        assert said["id"] == notice_id
        self.told.append((target, said))

    def percents(self) -> list[int]:
        return [said["percent"] for _, said in self.told]


class Stage:
    """One server's budgets. `crashed` makes another one of the same database."""

    def __init__(self, database: Database, clock: VirtualClock) -> None:
        self.database = database
        self.clock = clock
        self.functions = FunctionRepository(database)
        self.usage = UsageRepository(database, clock, records_days=35, records_max_bytes=1 << 40)
        self.logs = LogRepository(database, clock)
        self.store = BudgetRepository(database)
        self.gate = BudgetGate(FunctionTags(self.functions))
        self.prices = FirstTier(read_prices(None))
        self.targets = Targets()
        self.deliveries = DeliveryCounts()
        self.budgets = Budgets(
            self.store, self.usage, FunctionTags(self.functions), self.prices, self.gate, self._fold, clock
        )
        self.notices = BudgetNotices(
            self.store,
            self.targets,  # type: ignore[arg-type]
            self.deliveries,
            clock,
            lambda work: asyncio.get_running_loop().create_task(work),
        )
        self.unfolded: list[UsageRecord] = []
        self.is_failing = False
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        await self.budgets.begin()
        self._tasks = [asyncio.create_task(self.budgets.run()), asyncio.create_task(self.notices.run())]

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def crashed(self) -> "Stage":
        """Return what comes after a kill: nothing of this one is left but its database."""
        await self.end()
        other = Stage(self.database, self.clock)
        other.targets = self.targets
        other.notices._targets = self.targets  # type: ignore[assignment]
        await other.begin()
        return other

    async def put(self, wanted: Budget) -> BudgetView:
        async def decide(old: Budget | None, view: BudgetView | None, rows: BudgetRows) -> Budget:
            return wanted if old is None else msgspec.structs.replace(wanted, revision=old.revision, states=old.states)

        view = await self.budgets.change(wanted.account, wanted.name, decide)
        assert view is not None
        return view

    async def use(self, *records: UsageRecord, allocations: Sequence[Allocation] = ()) -> None:
        """Fold invocations, as the server does a second after them."""
        usage = NewUsage(records, allocations)
        async with self.budgets.folding(usage):
            if self.is_failing:
                raise DependencyError("the disk is full", retryable=True)
            position = await self.logs.position()
            there = LogPosition(max(position.segment, 1), position.offset + 1)
            await self.logs.fold([], [], ["any"], there, usage=usage)

    async def run_times(self, count: int, function: str = "f") -> None:
        await self.use(*(record(self.clock.now(), function) for _ in range(count)))

    async def _fold(self) -> None:
        records, self.unfolded = self.unfolded, []
        if records:
            await self.use(*records)

    async def until(self, holds: Callable[[], bool], what: str = "") -> None:
        """Let tasks run until something holds; no time passes for the server."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.001)

    async def settled(self) -> None:
        """Return when what was reached is stored, and what could be told was."""

        async def is_settled() -> bool:
            if any(watch.is_due or watch.is_stale for watch in self.budgets._all()):
                return False
            if self.budgets._day != self.clock.now() // DAY_S:
                return False
            first: dict[str, NewNotice] = {}
            for one in await self.store.pending(limit=1_000):
                first.setdefault(one.notice.target, one.notice)
            is_told = all(one.tries and one.target in self.targets.failing for one in first.values())
            return is_told and not self.notices._at_work

        async with asyncio.timeout(PATIENCE_S):
            while not await is_settled():  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.001)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and what comes of it come."""
        self.clock.advance(seconds)
        await self.settled()

    async def is_refused(self, function: str = "f", scope: Scope = SCOPE) -> bool:
        stopped = self.gate.stopped.get(scope.account)
        if stopped is None:
            return False
        try:
            await stopped.check(scope, FunctionName(function))
        except Throttled as throttled:
            assert throttled.reason == "BudgetExceeded"
            return True
        return False

    async def tag(self, name: str, tags: Mapping[str, str], scope: Scope = SCOPE) -> None:
        """Give a function tags; it is made when there is none."""
        async with self.functions.transaction(scope) as tx:
            known = await tx.function(FunctionName(name))
            if known is not None:
                await tx.save_function(msgspec.structs.replace(known, tags=tags))
                return
            latest = FunctionVersion(
                scope=scope,
                name=FunctionName(name),
                version="$LATEST",
                function_id=name,
                configuration=Configuration("python3.12", "app.handler", "role"),
                code=Code("1" * 64, 1),
                revision_id="r",
                last_modified=0.0,
                state=State.ACTIVE,
                deployment_id="d",
            )
            await tx.create(Function(scope, FunctionName(name), name, tags=tags), latest)

    def view(self, name: str = "b") -> BudgetView:
        (found,) = [one for one in self.budgets.standing() if one.budget.name == name]
        return found


@asynccontextmanager
async def opened(folder: Path, now: float = NOON) -> AsyncIterator[Stage]:
    path = folder / "state.db"
    if not path.exists():
        make_sqlite(path)
    async with Database(path) as database:
        stage = Stage(database, VirtualClock(now=now))
        await stage.begin()
        try:
            yield stage
        finally:
            await stage.end()


def told(folder: Path, story: Callable[[Stage], Awaitable[None]]) -> None:
    """Run a story on a stage of its own."""

    async def run() -> None:
        async with opened(folder) as stage:
            await story(stage)

    asyncio.run(run())
