"""What is kept initialised: the decision from numbers alone, and a keeper that follows a real store."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Scope
from lambent.domain.concurrency import ProvisionedConcurrency, ProvisionedStatus
from lambent.domain.function import (
    LATEST,
    Code,
    Configuration,
    Deployment,
    Function,
    FunctionName,
    FunctionVersion,
    State,
)
from lambent.domain.usage import UsageClass, UsageKey
from lambent.errors.families import DependencyError
from lambent.execution.driver import InitialisationFailed
from lambent.execution.environment import InitFailure
from lambent.execution.pool import PoolFull
from lambent.execution.provisioned import (
    INIT_FAILURE,
    RETRY_FIRST_S,
    RETRY_MOST_S,
    STARTS_MAX,
    InitialisedKeeper,
    Step,
    Wish,
    decide,
    init_limit_s,
    retry_after_s,
    wishes,
)
from lambent.store.contract import FunctionStore
from lambent.testing.stores import make_sqlite, open_sqlite
from lambent.testing.virtual_clock import PATIENCE_S, VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
F = FunctionName("f")


def version(number: str, *, state: State = State.ACTIVE, snap_start: bool = False) -> FunctionVersion:
    return FunctionVersion(
        scope=SCOPE,
        name=F,
        version=number,
        function_id="id",
        configuration=Configuration("python3.11", "app.handler", "role", snap_start=snap_start),
        code=Code("1" * 64, 1),
        revision_id="r",
        last_modified=0.0,
        state=state,
        deployment_id=f"d{number}",
    )


def asks(number: str, count: int, at: float = 0.0) -> ProvisionedConcurrency:
    return ProvisionedConcurrency(SCOPE, F, number, count, at)


# The decision --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "ready", "starting", "failures", "expected"),
    [
        (2, 0, 0, 0, Step(start=2)),
        (2, 1, 1, 0, Step()),
        (2, 2, 0, 0, Step()),
        (1, 3, 0, 0, Step(end=2)),
        (100, 0, 0, 0, Step(start=STARTS_MAX)),
        (100, 0, STARTS_MAX - 1, 0, Step(start=1)),
        (100, 99, 0, 0, Step(start=1)),
        (2, 0, 0, 1, Step(wake_at=10.0)),
    ],
)
def test_decision(wanted: int, ready: int, starting: int, failures: int, expected: Step) -> None:
    """What is missing is started, a few at a time; what is too much ends; after a failure it waits."""
    assert decide(wanted, ready, starting, failures, 10.0, 9.0) == expected


def test_after_a_failure_one_is_tried() -> None:
    """Once its time has come, and no second beside it."""
    assert decide(5, 0, 0, 3, 10.0, 10.0) == Step(start=1)
    assert decide(5, 0, 1, 3, 10.0, 10.0) == Step()


@given(*(st.integers(0, 50) for _ in range(4)), st.floats(0, 100), st.floats(0, 100))
def test_decisions_are_bounded(
    wanted: int, ready: int, starting: int, failures: int, retry_at: float, now: float
) -> None:
    """Never more than wanted, never more at once than may be, never both a start and an end."""
    step = decide(wanted, ready, starting, failures, retry_at, now)
    assert not (step.start and step.end)
    if step.start:
        assert ready + starting + step.start <= wanted
        assert starting + step.start <= STARTS_MAX
    if step.end:
        assert ready - step.end == wanted


def test_retries_come_later_and_later() -> None:
    """Twice as late each time, up to a minute."""
    assert [retry_after_s(failures) for failures in (1, 2, 3)] == [RETRY_FIRST_S, 2.0, 4.0]
    assert retry_after_s(1000) == RETRY_MOST_S


@pytest.mark.parametrize(("timeout_s", "limit_s"), [(3, 130.0), (130, 130.0), (300, 300), (900, 900)])
def test_an_init_ahead_has_longer(timeout_s: int, limit_s: float) -> None:
    """130 seconds, or the function's timeout where that is larger."""
    assert init_limit_s(timeout_s) == limit_s


def test_wishes() -> None:
    """Provisioned versions, and one for each with SnapStart; a pending one is left alone, a failed one unwanted."""
    found = wishes(
        [
            version(LATEST, snap_start=True),
            version("1"),
            version("2"),
            version("3", snap_start=True),
            version("4", snap_start=True, state=State.PENDING),
            version("5", snap_start=True, state=State.FAILED),
        ],
        [asks("2", 7)],
    )
    assert found == {
        "2": Wish(version("2").deployment(), 7, "provisioned-concurrency"),
        "3": Wish(version("3", snap_start=True).deployment(), 1, "snap-start"),
        "4": None,
    }


# The keeper ----------------------------------------------------------------------------------------------------------


class FakeEnvironment:
    def __init__(self, pool: "FakePool", deployment: Deployment, left: Callable[[], None]) -> None:
        self.pool = pool
        self.deployment = deployment
        self.left = left

    def retire(self) -> None:
        if self in self.pool.kept:
            self.pool.kept.remove(self)
            self.left()


class FakePool:
    """Makes environments at once, or fails as told."""

    def __init__(self) -> None:
        self.kept: list[FakeEnvironment] = []
        self.failures: list[Exception] = []
        self.asked: list[tuple[str, str, bool]] = []
        self.blocked: asyncio.Event | None = None

    async def initialise(
        self, deployment: Deployment, *, limit_s: float, initialization_type: str, stays: bool, left: Callable[[], None]
    ) -> FakeEnvironment:
        self.asked.append((deployment.version, initialization_type, stays))
        if self.blocked is not None:
            await self.blocked.wait()
        if self.failures:
            raise self.failures.pop(0)
        made = FakeEnvironment(self, deployment, left)
        self.kept.append(made)
        return made


class Bench:
    def __init__(self, store: FunctionStore) -> None:
        self.store = store
        self.pool = FakePool()
        self.clock = VirtualClock()
        self.keeper = InitialisedKeeper(store, self.pool, self.clock)  # type: ignore[arg-type]

    async def save(self, *versions: FunctionVersion, provisioned: ProvisionedConcurrency | None = None) -> None:
        async with self.store.transaction(SCOPE) as tx:
            if await tx.function(F) is None:
                await tx.create(Function(SCOPE, F, "id"), version(LATEST))
            for one in versions:
                await tx.save_version(one)
            if provisioned is not None:
                await tx.save_provisioned(provisioned)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():  # noqa: ASYNC110
                # The store works in a thread: turns of the loop alone do not finish its reads.
                await asyncio.sleep(0.001)

    def status(self, requested: int) -> ProvisionedStatus:
        return self.keeper.state(SCOPE, F, "1", requested).status


@pytest.fixture
def story(tmp_path: Path) -> Callable[..., None]:
    """Give a function that runs a coroutine with a bench over a real store, and a keeper that runs."""
    make_sqlite(tmp_path / "state.db")

    def run(tell: Callable[[Bench], Awaitable[None]], before: Callable[[Bench], Awaitable[None]] | None = None) -> None:
        async def open_and_tell() -> None:
            async with open_sqlite(str(tmp_path / "state.db")) as stores:
                bench = Bench(stores.functions)
                if before is not None:
                    await before(bench)
                running = asyncio.create_task(bench.keeper.run())
                try:
                    await tell(bench)
                    assert not running.done(), "the task has ended"
                    # Not in the middle of a read.
                    await bench.until(lambda: bench.keeper.has_caught_up)
                finally:
                    running.cancel()
                    await asyncio.wait([running])

        asyncio.run(open_and_tell())

    return run


def test_as_many_as_are_asked_for_are_kept(story: Callable[..., None]) -> None:
    """They are made after the change, kept for good, and the state goes from IN_PROGRESS to READY."""

    async def tell(bench: Bench) -> None:
        await bench.save(version("1"))
        assert bench.status(6) is ProvisionedStatus.IN_PROGRESS
        await bench.save(provisioned=asks("1", 6))
        await bench.until(lambda: bench.status(6) is ProvisionedStatus.READY)
        assert len(bench.pool.kept) == 6
        assert set(bench.pool.asked) == {("1", "provisioned-concurrency", True)}
        assert bench.keeper.state(SCOPE, F, "1", 6).available == 6

    story(tell)


def test_a_start_takes_up_what_is_stored(story: Callable[..., None]) -> None:
    """Nobody changes anything: the start finds what is wanted."""

    async def before(bench: Bench) -> None:
        await bench.save(version("1"), version("2", snap_start=True), provisioned=asks("1", 2))
        bench.keeper._changed.clear()

    async def tell(bench: Bench) -> None:
        await bench.until(lambda: len(bench.pool.kept) == 3)
        assert sorted(set(bench.pool.asked)) == [("1", "provisioned-concurrency", True), ("2", "snap-start", False)]

    story(tell, before)


def test_what_ends_is_made_again(story: Callable[..., None]) -> None:
    """Dead, too old or taken: another comes."""

    async def tell(bench: Bench) -> None:
        await bench.save(version("1"), provisioned=asks("1", 2))
        await bench.until(lambda: len(bench.pool.kept) == 2)
        bench.pool.kept[0].retire()
        await bench.until(lambda: len(bench.pool.asked) == 3 and len(bench.pool.kept) == 2)

    story(tell)


def test_fewer_and_none(story: Callable[..., None]) -> None:
    """A smaller number ends the surplus; the configuration's end, and the version's, end all."""

    async def tell(bench: Bench) -> None:
        await bench.save(version("1"), version("2", snap_start=True), provisioned=asks("1", 3))
        await bench.until(lambda: len(bench.pool.kept) == 4)
        await bench.save(provisioned=asks("1", 1))
        await bench.until(lambda: len(bench.pool.kept) == 2)
        async with bench.store.transaction(SCOPE) as tx:
            await tx.delete_provisioned(F, "1")
        await bench.until(lambda: len(bench.pool.kept) == 1)
        async with bench.store.transaction(SCOPE) as tx:
            await tx.delete_function(F)
        await bench.until(lambda: not bench.pool.kept)
        assert not bench.keeper._keepings

    story(tell)


def test_what_is_kept_is_told(story: Callable[..., None]) -> None:
    """By version and what it costs, and somebody is called whenever there is more of it."""

    async def tell(bench: Bench) -> None:
        told: list[int] = []
        bench.keeper.on_more(lambda: told.append(sum(bench.keeper.kept().values())))
        await bench.save(version("1"), version("2", snap_start=True), provisioned=asks("1", 2))
        await bench.until(lambda: len(told) == 3)
        assert sorted(told) == [1, 2, 3]
        classes = [
            UsageClass(128, runtime="python3.11", kind=kind) for kind in ("provisioned-concurrency", "snap-start")
        ]
        expected = {UsageKey(SCOPE, F, "1", "", classes[0]): 2, UsageKey(SCOPE, F, "2", "", classes[1]): 1}
        assert bench.keeper.kept() == expected
        async with bench.store.transaction(SCOPE) as tx:
            await tx.delete_provisioned(F, "1")
        await bench.until(lambda: len(bench.keeper.kept()) == 1)

    story(tell)


def test_a_new_deployment_replaces_them(story: Callable[..., None]) -> None:
    """Those of the old one end, as many of the new one come."""

    async def tell(bench: Bench) -> None:
        await bench.save(version("1"), provisioned=asks("1", 2))
        await bench.until(lambda: len(bench.pool.kept) == 2)
        await bench.save(msgspec.structs.replace(version("1"), deployment_id="new", egress=False))
        await bench.until(lambda: [one.deployment.deployment_id for one in bench.pool.kept] == ["new", "new"])

    story(tell)


def test_an_init_that_fails_is_told_and_tried_again(story: Callable[..., None]) -> None:
    """FAILED with AWS's reason, until one succeeds; the next try waits for its time."""

    async def tell(bench: Bench) -> None:
        failure = InitFailure("Runtime.Unknown", b"{}")
        bench.pool.failures = [InitialisationFailed(failure), InitialisationFailed(failure)]
        await bench.save(version("1"), provisioned=asks("1", 1))
        await bench.until(lambda: bench.status(1) is ProvisionedStatus.FAILED)
        assert bench.keeper.state(SCOPE, F, "1", 1).reason == INIT_FAILURE
        await bench.until(lambda: bench.clock.timer_count == 1)
        assert len(bench.pool.asked) == 1
        bench.clock.advance(RETRY_FIRST_S)
        await bench.until(lambda: len(bench.pool.asked) == 2 and bench.clock.timer_count == 1)
        assert bench.status(1) is ProvisionedStatus.FAILED
        bench.clock.advance(2 * RETRY_FIRST_S)
        await bench.until(lambda: bench.status(1) is ProvisionedStatus.READY)

    story(tell)


def test_asking_again_for_the_same_is_another_try(story: Callable[..., None]) -> None:
    """Put answers IN_PROGRESS, and so it is: nobody waits for the time of the next try."""

    async def tell(bench: Bench) -> None:
        bench.pool.failures = [InitialisationFailed(InitFailure("Runtime.Unknown", b"{}"))]
        await bench.save(version("1"), provisioned=asks("1", 1, 1.0))
        await bench.until(lambda: bench.status(1) is ProvisionedStatus.FAILED)
        await bench.save(provisioned=asks("1", 1, 2.0))
        await bench.until(lambda: bench.status(1) is ProvisionedStatus.READY)

    story(tell)


@pytest.mark.parametrize("failure", [PoolFull(), DependencyError("gone", retryable=True)])
def test_what_is_not_the_functions_fault_stays_in_progress(story: Callable[..., None], failure: Exception) -> None:
    """No room, or a sandbox that failed: it is tried again, and not FAILED."""

    async def tell(bench: Bench) -> None:
        bench.pool.failures = [failure]
        await bench.save(version("1"), provisioned=asks("1", 1))
        await bench.until(lambda: bench.clock.timer_count == 1)
        assert bench.status(1) is ProvisionedStatus.IN_PROGRESS
        bench.clock.advance(RETRY_FIRST_S)
        await bench.until(lambda: bench.status(1) is ProvisionedStatus.READY)

    story(tell)


def test_the_first_init_of_a_version_is_kept(story: Callable[..., None]) -> None:
    """What publishing initialised is what is kept once the version is Active: nothing is made twice."""

    async def tell(bench: Bench) -> None:
        pending = version("1", snap_start=True, state=State.PENDING)
        await bench.save(pending)
        assert await bench.keeper.first(pending.deployment()) is None
        await bench.until(lambda: bench.keeper.has_caught_up)
        await bench.save(version("1", snap_start=True))
        await bench.until(lambda: bench.keeper.has_caught_up)
        assert bench.pool.asked == [("1", "snap-start", False)]
        bench.pool.kept[0].retire()
        await bench.until(lambda: len(bench.pool.kept) == 1)

    story(tell)


def test_a_first_init_of_a_newer_deployment_replaces_the_older(story: Callable[..., None]) -> None:
    """The version changed before it became Active, as when a tag closes the internet: the new one is kept."""

    async def tell(bench: Bench) -> None:
        pending = version("1", snap_start=True, state=State.PENDING)
        await bench.save(pending)
        assert await bench.keeper.first(pending.deployment()) is None
        changed = msgspec.structs.replace(pending, deployment_id="new")
        await bench.save(changed)
        assert await bench.keeper.first(changed.deployment()) is None
        await bench.save(msgspec.structs.replace(changed, state=State.ACTIVE))
        await bench.until(lambda: bench.keeper.has_caught_up)
        assert [one.deployment.deployment_id for one in bench.pool.kept] == ["new"]
        assert len(bench.pool.asked) == 2

    story(tell)


def test_the_first_init_tells_what_went_wrong(story: Callable[..., None]) -> None:
    """The function's failure is a value; no room is worth another try."""

    async def tell(bench: Bench) -> None:
        failure = InitFailure("Runtime.Unknown", b"{}")
        bench.pool.failures = [InitialisationFailed(failure), PoolFull()]
        deployment = version("1", snap_start=True).deployment()
        assert await bench.keeper.first(deployment) == failure
        with pytest.raises(DependencyError):
            await bench.keeper.first(deployment)

    story(tell)


def test_a_version_that_went_during_its_first_init_keeps_nothing(story: Callable[..., None]) -> None:
    """The deletion was heard before the init was over."""

    async def tell(bench: Bench) -> None:
        pending = version("1", snap_start=True, state=State.PENDING)
        await bench.save(pending)
        bench.pool.blocked = asyncio.Event()
        first = asyncio.create_task(bench.keeper.first(pending.deployment()))
        await bench.until(lambda: bool(bench.pool.asked))
        async with bench.store.transaction(SCOPE) as tx:
            await tx.delete_version(F, "1")
        await bench.until(lambda: bench.keeper.has_caught_up)
        bench.pool.blocked.set()
        assert await first is None
        await bench.until(lambda: not bench.pool.kept and not bench.keeper._keepings)

    story(tell)


def test_a_wish_that_goes_cancels_inits_under_way(story: Callable[..., None]) -> None:
    """Nothing comes of them."""

    async def tell(bench: Bench) -> None:
        bench.pool.blocked = asyncio.Event()
        await bench.save(version("1"), provisioned=asks("1", 2))
        await bench.until(lambda: len(bench.pool.asked) == 2)
        async with bench.store.transaction(SCOPE) as tx:
            await tx.delete_provisioned(F, "1")
        await bench.until(lambda: not bench.keeper._keepings)
        bench.pool.blocked.set()
        await asyncio.sleep(0)
        assert not bench.pool.kept

    story(tell)
