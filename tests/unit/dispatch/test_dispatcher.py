"""The one path of every invocation: what is counted, for how long, and what is read on the way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

import msgspec
import pytest

from lambent.dispatch.budget_gate import BudgetGate
from lambent.dispatch.dispatcher import HANDOVER_S, Dispatcher
from lambent.dispatch.function_tags import FunctionTags
from lambent.domain.budget import Watched
from lambent.domain.caller import Scope
from lambent.domain.concurrency import Claims
from lambent.domain.function import LATEST, Code, Configuration, Deployment, FunctionName, FunctionVersion, State
from lambent.domain.invocation import Invocation, InvocationOutcome, StreamEnd
from lambent.domain.quotas import Quotas
from lambent.errors.families import DependencyError
from lambent.fleet.contract import Slot, Throttled
from lambent.store.contract import FunctionChange
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
OTHER = Scope("111111111111", "us-east-1")
F, G = FunctionName("f"), FunctionName("g")
RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
UNRESERVED = "ConcurrentInvocationLimitExceeded"


def version_of(name: str, number: str = LATEST, scope: Scope = SCOPE) -> FunctionVersion:
    return FunctionVersion(
        scope=scope,
        name=FunctionName(name),
        version=number,
        function_id="id",
        configuration=Configuration("python3.11", "app.handler", "role"),
        code=Code("0" * 64, 1),
        revision_id="r",
        last_modified=0.0,
        state=State.ACTIVE,
        deployment_id=f"{name}:{number}",
    )


class FakeStore:
    """Reservations in memory; counts how often they are read."""

    def __init__(self) -> None:
        self.reserved: dict[Scope, dict[FunctionName, int]] = {}
        self.reads = 0
        self.is_broken = False
        self.while_reading: Callable[[], Awaitable[None]] | None = None
        self.callbacks: list[Callable[[FunctionChange], None]] = []

    def on_change(self, callback: Callable[[FunctionChange], None]) -> None:
        self.callbacks.append(callback)

    def on_changing(self, callback: Callable[[FunctionChange], None]) -> None:
        pass

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator["FakeReading"]:
        if self.is_broken:
            raise DependencyError("the disk is gone", retryable=True)
        yield FakeReading(self, scope)

    def reserve(self, name: FunctionName, count: int | None, scope: Scope = SCOPE) -> None:
        reserved = self.reserved.setdefault(scope, {})
        reserved.pop(name, None)
        if count is not None:
            reserved[name] = count
        for callback in self.callbacks:
            callback(FunctionChange(scope, name))


class FakeReading:
    def __init__(self, store: FakeStore, scope: Scope) -> None:
        self.store = store
        self.scope = scope

    async def claims(self) -> Claims:
        self.store.reads += 1
        found = dict(self.store.reserved.get(self.scope, {}))
        if self.store.while_reading is not None:
            meanwhile, self.store.while_reading = self.store.while_reading, None
            await meanwhile()
        return Claims(found)

    async def list_versions(self, name: FunctionName, *, after: None, limit: int) -> list[FunctionVersion]:
        if self.store.while_reading is not None:
            meanwhile, self.store.while_reading = self.store.while_reading, None
            await meanwhile()
        return [version_of(name, scope=self.scope)]

    async def version(self, name: FunctionName, qualifier: str) -> FunctionVersion:
        self.store.reads += 1
        return version_of(name, scope=self.scope)


class FakeSlot:
    """One invocation as the fleet sees it: it answers, and it is over, when the test says so."""

    def __init__(self, deployment: Deployment, released: Callable[[], None]) -> None:
        self.epoch = 1
        self.deployment = deployment
        self.released = released
        self.outcome: asyncio.Future[InvocationOutcome] = asyncio.get_running_loop().create_future()

    def answer(self) -> None:
        self.outcome.set_result(InvocationOutcome(payload=b"{}", executed_version=self.deployment.version))

    def begin(self) -> "FakeStream":
        """Answer with a stream, which ends when the test says so."""
        stream = FakeStream()
        self.outcome.set_result(InvocationOutcome(b"", self.deployment.version, stream=stream))
        return stream

    def end(self) -> None:
        self.answer()
        self.released()


class FakeStream:
    """A response that nobody reads here."""

    end: StreamEnd | None = None

    def __init__(self) -> None:
        self.ended: list[Callable[[], None]] = []

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("nobody reads it")

    def when_ended(self, call: Callable[[], None]) -> None:
        self.ended.append(call)

    def close(self) -> None: ...


class FakeFleet:
    """Grants every slot, unless told to fail."""

    def __init__(self) -> None:
        self.slots: list[FakeSlot] = []
        self.retained: list[tuple[Scope, FunctionName, set[str]]] = []
        self.refusal: BaseException | None = None
        self.is_slow = False

    async def acquire(self, deployment: Deployment, released: Callable[[], None]) -> FakeSlot:
        if self.refusal is not None:
            raise self.refusal
        if self.is_slow:
            await asyncio.Event().wait()
        self.slots.append(FakeSlot(deployment, released))
        return self.slots[-1]

    async def invoke(self, slot: Slot, invocation: Invocation) -> InvocationOutcome:
        assert isinstance(slot, FakeSlot)
        return await slot.outcome

    def retain(self, scope: Scope, name: FunctionName, deployment_ids: Collection[str]) -> None:
        self.retained.append((scope, name, set(deployment_ids)))

    def in_use(self) -> tuple[int, int]:
        return len(self.slots), len(self.slots)


class Bench:
    """A dispatcher over fakes."""

    def __init__(self, limit: int = 1000) -> None:
        self.store = FakeStore()
        self.fleet = FakeFleet()
        self.clock = VirtualClock()
        self.budgets = BudgetGate(FunctionTags(self.store))  # type: ignore[arg-type]
        self.dispatcher = Dispatcher(
            self.store,  # type: ignore[arg-type]
            self.fleet,
            self.fleet,
            Quotas(concurrent_executions=limit),
            self.clock,
            budgets=self.budgets,
        )

    async def call(self, version: FunctionVersion) -> "asyncio.Task[InvocationOutcome]":
        """Begin a call; return once it runs, waits or is over."""
        invocation = Invocation("id", "arn", b"{}", "Root=1", None, False)
        task = asyncio.ensure_future(self.dispatcher.run(version, invocation))
        await settle()
        return task

    async def reason(self, version: FunctionVersion) -> str:
        task = await self.call(version)
        assert task.done(), "the call runs or waits"
        failure = task.exception()
        assert isinstance(failure, Throttled), failure
        return failure.reason


async def settle() -> None:
    """Let everything happen that needs no time to pass."""
    for _ in range(20):
        await asyncio.sleep(0)


def with_bench(limit: int = 1000) -> Callable[[Callable[[Bench], Awaitable[None]]], Callable[[], None]]:
    """Run a test on a loop of its own."""

    def decorate(test: Callable[[Bench], Awaitable[None]]) -> Callable[[], None]:
        def run() -> None:
            async def whole() -> None:
                await test(Bench(limit))

            asyncio.run(whole())

        run.__doc__ = test.__doc__
        return run

    return decorate


@with_bench()
async def test_all_versions_share_a_reservation(bench: Bench) -> None:
    """A reservation belongs to the function; each version draws on it."""
    bench.store.reserve(F, 2)
    await bench.call(version_of("f"))
    await bench.call(version_of("f", "1"))
    assert await bench.reason(version_of("f", "2")) == RESERVED
    assert len(bench.fleet.slots) == 2
    await bench.call(version_of("g"))


@with_bench(2)
async def test_each_scope_has_its_own_limit(bench: Bench) -> None:
    """The account's limit is one of an account in a region."""
    for _ in range(2):
        await bench.call(version_of("f"))
    assert await bench.reason(version_of("g")) == UNRESERVED
    await bench.call(version_of("g", scope=OTHER))


@with_bench(1)
async def test_a_budget_that_is_used_up_refuses_before_anything_is_counted(bench: Bench) -> None:
    """What it watches, in its account; nothing of it is in flight, and it is free at once."""
    bench.budgets.stop(SCOPE.account, "b", Watched("f", SCOPE.region), "used up")
    for _ in range(3):
        assert await bench.reason(version_of("f")) == "BudgetExceeded"
    assert bench.fleet.slots == [] and bench.dispatcher.slots_nowait(SCOPE).in_flight(F) == 0
    await bench.call(version_of("f", scope=OTHER))
    await bench.call(version_of("g"))
    bench.budgets.free(SCOPE.account, "b")
    assert await bench.reason(version_of("f")) == UNRESERVED


@with_bench()
async def test_it_counts_until_the_environment_is_free(bench: Bench) -> None:
    """The caller's answer does not return the slot; the environment's being free does."""
    bench.store.reserve(F, 1)
    call = await bench.call(version_of("f"))
    bench.fleet.slots[0].answer()
    await call
    waiting = await bench.call(version_of("f"))
    assert not waiting.done() and len(bench.fleet.slots) == 1
    bench.clock.advance(HANDOVER_S)
    await settle()
    with pytest.raises(Throttled, match=RESERVED):
        await waiting
    bench.fleet.slots[0].released()
    await bench.call(version_of("f"))
    assert len(bench.fleet.slots) == 2


@with_bench()
async def test_a_stream_is_about_to_be_over_only_at_its_end(bench: Bench) -> None:
    """While its pieces come, nobody waits for it: that may last; from its end on, a moment."""
    bench.store.reserve(F, 1)
    call = await bench.call(version_of("f"))
    stream = bench.fleet.slots[0].begin()
    await settle()
    assert call.result().stream is stream
    assert await bench.reason(version_of("f")) == RESERVED
    (ended,) = stream.ended
    ended()
    waiting = await bench.call(version_of("f"))
    assert not waiting.done()
    bench.fleet.slots[0].released()
    await settle()
    assert len(bench.fleet.slots) == 2


@with_bench()
async def test_a_caller_that_comes_back_at_once_waits_a_moment(bench: Bench) -> None:
    """Calls one after the other are never refused, although the runtime has not asked for the next event yet."""
    bench.store.reserve(F, 1)
    for number in range(5):
        call = await bench.call(version_of("f"))
        if number:
            bench.fleet.slots[number - 1].released()
            await settle()
        bench.fleet.slots[number].answer()
        await call
    assert bench.clock.timer_count == 0


@with_bench()
async def test_no_more_wait_than_are_about_to_be_over(bench: Bench) -> None:
    """One invocation that has been answered makes room for one; who comes after that is refused at once."""
    bench.store.reserve(F, 2)
    answered, _ = await bench.call(version_of("f")), await bench.call(version_of("f"))
    bench.fleet.slots[0].answer()
    await answered
    waiting = await bench.call(version_of("f"))
    assert await bench.reason(version_of("f")) == RESERVED
    bench.fleet.slots[0].released()
    await settle()
    assert len(bench.fleet.slots) == 3 and not waiting.done()


@with_bench()
async def test_a_caller_that_leaves_returns_nothing_early(bench: Bench) -> None:
    """Its invocation goes on and counts until it is over, and then no more."""
    bench.store.reserve(F, 1)
    call = await bench.call(version_of("f"))
    call.cancel()
    await settle()
    assert await bench.reason(version_of("f")) == RESERVED
    bench.fleet.slots[0].released()
    await bench.call(version_of("f"))


@with_bench()
async def test_a_caller_that_leaves_while_it_waits_takes_nothing(bench: Bench) -> None:
    """Neither a waiting call nor one whose environment was being found holds a slot once it is cancelled."""
    bench.store.reserve(F, 1)
    bench.fleet.is_slow = True
    finding = await bench.call(version_of("f"))
    finding.cancel()
    await settle()
    bench.fleet.is_slow = False
    first = await bench.call(version_of("f"))
    bench.fleet.slots[0].answer()
    await first
    waiting = await bench.call(version_of("f"))
    waiting.cancel()
    await settle()
    bench.fleet.slots[0].released()
    await bench.call(version_of("f"))
    assert len(bench.fleet.slots) == 2
    assert bench.clock.timer_count == 0


@with_bench()
async def test_a_caller_that_leaves_when_it_is_told_of_room_passes_it_on(bench: Bench) -> None:
    """The next one that waits is told at once, not when its own wait is over."""
    bench.store.reserve(F, 2)
    for number in range(2):
        call = await bench.call(version_of("f"))
        bench.fleet.slots[number].answer()
        await call
    first, second = await bench.call(version_of("f")), await bench.call(version_of("f"))
    assert not first.done() and not second.done()
    bench.fleet.slots[0].released()
    first.cancel()
    await settle()
    assert len(bench.fleet.slots) == 3
    second.cancel()


@with_bench()
async def test_every_change_retires_what_was_before_it(bench: Bench) -> None:
    """Also one of several that came together when the store failed for a moment; and one that came meanwhile."""

    async def fail() -> None:
        raise DependencyError("the disk is gone", retryable=True)

    async def change() -> None:
        bench.store.reserve(G, 3)

    for scope in (SCOPE, OTHER):
        bench.store.reserve(F, 1, scope)
        bench.store.reserve(G, 1, scope)
    bench.store.while_reading = fail
    with pytest.raises(DependencyError):
        await bench.dispatcher.retire_old_deployments()
    bench.store.while_reading = change
    retiring = asyncio.ensure_future(bench.dispatcher.retire_old_deployments())
    await settle()
    changed = [(scope, name) for scope, name, _ in bench.fleet.retained]
    assert set(changed) == {(SCOPE, F), (OTHER, F), (SCOPE, G), (OTHER, G)}
    assert changed.count((SCOPE, G)) == 2
    assert (SCOPE, F, {"f:$LATEST"}) in bench.fleet.retained
    retiring.cancel()


@with_bench()
async def test_a_function_that_changed_is_read_before_it_is_called(bench: Bench) -> None:
    """So that a first invocation does not wait for the store."""
    retiring = asyncio.ensure_future(bench.dispatcher.retire_old_deployments())
    bench.store.reserve(F, 1)
    await settle()
    reads = bench.store.reads
    assert reads > 0
    assert (await bench.dispatcher.resolve(SCOPE, F, None)) is not None
    assert bench.store.reads == reads
    retiring.cancel()


@pytest.mark.parametrize(
    "refusal", [Throttled("ConcurrentInvocationLimitExceeded"), DependencyError("no", retryable=True), RuntimeError()]
)
def test_a_placement_that_fails_returns_the_slot(refusal: Exception) -> None:
    """What was counted before a slot was refused is not in flight."""

    async def run() -> None:
        bench = Bench()
        bench.store.reserve(F, 1)
        bench.fleet.refusal = refusal
        for _ in range(3):
            call = await bench.call(version_of("f"))
            assert call.exception() is refusal
        bench.fleet.refusal = None
        await bench.call(version_of("f"))

    asyncio.run(run())


@with_bench()
async def test_an_environment_that_ends_before_its_answer_returns_the_slot(bench: Bench) -> None:
    """A crash, a timeout and a failure of ours: gone first, then the caller is told, with an outcome or an error."""
    bench.store.reserve(F, 1)
    call = await bench.call(version_of("f"))
    bench.fleet.slots[0].released()
    bench.fleet.slots[0].answer()
    await call
    call = await bench.call(version_of("f"))
    bench.fleet.slots[1].released()
    bench.fleet.slots[1].outcome.set_exception(DependencyError("it failed", retryable=True))
    with pytest.raises(DependencyError):
        await call
    await bench.call(version_of("f"))


@with_bench()
async def test_a_warm_call_reads_nothing(bench: Bench) -> None:
    """The reservations of a scope are read once, and again after a change in it."""
    for number in range(3):
        await bench.call(version_of("f"))
        bench.fleet.slots[number].end()
    assert bench.store.reads == 1
    bench.store.reserve(G, 3, OTHER)
    await bench.call(version_of("f"))
    assert bench.store.reads == 1
    bench.store.reserve(G, 3)
    await bench.call(version_of("f"))
    await bench.call(version_of("f"))
    assert bench.store.reads == 2


@with_bench()
async def test_a_change_acts_at_the_next_call(bench: Bench) -> None:
    """Reserving, changing and giving back all act at once, on what is in flight too."""
    await bench.call(version_of("f"))
    bench.store.reserve(F, 1)
    assert await bench.reason(version_of("f")) == RESERVED
    bench.store.reserve(F, 2)
    await bench.call(version_of("f"))
    bench.store.reserve(F, 0)
    assert await bench.reason(version_of("f")) == RESERVED
    bench.store.reserve(F, None)
    await bench.call(version_of("f"))


@with_bench()
async def test_a_change_during_the_reading_is_not_missed(bench: Bench) -> None:
    """What was read before a commit serves the call that read it, and no later one."""
    bench.store.reserve(F, 1)

    async def change() -> None:
        bench.store.reserve(F, 0)

    bench.store.while_reading = change
    await bench.call(version_of("f"))
    bench.fleet.slots[0].end()
    assert await bench.reason(version_of("f")) == RESERVED


@with_bench()
async def test_a_store_that_fails_counts_nothing(bench: Bench) -> None:
    """Reservations that cannot be read fail the call, and the next one that can be served is."""
    bench.store.reserve(F, 1)
    bench.store.is_broken = True
    call = await bench.call(version_of("f"))
    assert isinstance(call.exception(), DependencyError)
    bench.store.is_broken = False
    await bench.call(version_of("f"))


@with_bench()
async def test_what_serves_meanwhile_is_what_runs(bench: Bench) -> None:
    """While an update is prepared the old deployment gets the slot."""
    version = version_of("f")
    await bench.call(msgspec.structs.replace(version, deployment_id="new", serving=version.deployment()))
    assert bench.fleet.slots[0].deployment.deployment_id == "f:$LATEST"
