"""The pool of environments: who is reused, who is frozen, who has to go."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, Code, Configuration, Deployment, FunctionName
from lambent.errors.families import DependencyError
from lambent.execution.host_memory import HostMemory
from lambent.execution.memory_admission import PROMISE_S
from lambent.execution.pool import (
    HANDOVER_S,
    ROOM_WAIT_S,
    ROOM_WATCH_S,
    WATCH_S,
    EnvironmentPool,
    PoolFull,
)
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
IDLE_S = 600.0
AGE_S = 3600.0
FREEZE_AFTER_S = 0.1
RESERVE_MIB = 100.0


def deployment(
    name: str = "f", deployment_id: str | None = None, scope: Scope = SCOPE, memory_mib: int = 128
) -> Deployment:
    return Deployment(
        scope=scope,
        name=FunctionName(name),
        version=LATEST,
        deployment_id=deployment_id or f"{name}-1",
        configuration=Configuration("python3.11", "app.handler", "role", memory_mib=memory_mib),
        code=Code("0" * 64, 1),
    )


class FakeEnvironment:
    """Retires like the real one: at once when it is idle, after its invocation when it is busy."""

    def __init__(self, deployment: Deployment, owner: EnvironmentPool) -> None:
        self.deployment = deployment
        self.owner = owner
        self.epoch = 0
        self.is_new = self.is_starting = True
        self.memory_peak_mib = 0
        self.initialising: asyncio.Future[None] | None = None
        self.is_idle = False
        self.is_frozen = False
        self.is_retired = False
        self.has_to_go_at_once = False
        self.is_gone = False
        self.ended = asyncio.Event()

    def answer(self) -> None:
        """Answer the caller; the runtime has not asked for the next event yet."""
        self.owner.environment_answered(self)  # type: ignore[arg-type]

    def initialise(self, limit_s: float, initialization_type: str) -> "asyncio.Future[None]":
        self.is_new = False
        self.initialising = asyncio.get_running_loop().create_future()
        return self.initialising

    def initialised(self) -> None:
        """End the init that nobody's invocation waits for."""
        assert self.initialising is not None
        self.initialising.set_result(None)
        self.finish()

    def finish(self, memory_peak_mib: int = 0) -> None:
        """End the invocation."""
        self.is_new = self.is_starting = False
        self.memory_peak_mib = memory_peak_mib or self.memory_peak_mib
        if self.is_retired:
            self.go()
        else:
            self.is_idle = True
            self.owner.environment_free(self)  # type: ignore[arg-type]

    def retire(self, *, at_once: bool = False) -> None:
        self.is_retired = True
        self.has_to_go_at_once = at_once
        if self.is_idle:
            self.go()

    def freeze(self) -> None:
        self.is_frozen = True

    def abandon(self) -> None:
        self.go()

    def go(self) -> None:
        self.is_gone = True
        self.is_new = self.is_idle = False
        if self.initialising is not None and not self.initialising.done():
            self.initialising.set_exception(DependencyError("ended", retryable=True))
        self.owner.environment_gone(self)  # type: ignore[arg-type]
        self.ended.set()


class Bench:
    """A pool with a clock that stands still."""

    def __init__(
        self, environments_max: int = 3, freeze_after_s: float = FREEZE_AFTER_S, available_mib: float | None = None
    ) -> None:
        self.clock = VirtualClock()
        self.available_mib = available_mib
        self.memory: HostMemory | None = None
        """Where readings are to be as old as on a real host."""
        self.relieved = 0
        self.released: list[str] = []
        """Names of the functions whose leases are over."""
        self.pool = EnvironmentPool(
            FakeEnvironment,  # type: ignore[arg-type]
            environments_max=environments_max,
            idle_s=IDLE_S,
            age_s=AGE_S,
            freeze_after_s=freeze_after_s,
            available_mib=self.read_mib,
            reserve_mib=RESERVE_MIB,
            relieve=self.relieve,
            clock=self.clock,
            spawn=lambda environment: asyncio.ensure_future(environment.ended.wait()),  # type: ignore[attr-defined]
        )

    def read_mib(self) -> float | None:
        return self.available_mib if self.memory is None else self.memory.available_mib()

    def relieve(self) -> None:
        self.relieved += 1

    def leasing(self, *args: str, **more: Any) -> Any:
        """Return a lease that has not begun."""
        wanted = deployment(*args, **more)
        return self.pool.lease(wanted, lambda: self.released.append(wanted.name))

    def lease(self, *args: str, **more: Any) -> FakeEnvironment:
        """Lease without waiting: an idle environment, or a new one."""
        leasing = self.leasing(*args, **more)
        with pytest.raises(StopIteration) as returned:
            leasing.send(None)
        found = returned.value.value
        assert isinstance(found, FakeEnvironment)
        found.is_idle = found.is_frozen = False
        return found

    def idle(self, *args: str) -> FakeEnvironment:
        """Return an environment that has served one invocation."""
        environment = self.lease(*args)
        environment.finish()
        return environment

    def counts(self) -> tuple[int, int]:
        return self.pool.busy, self.pool.size


async def turns(count: int = 3) -> None:
    """Let what is ready happen."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_idle_environment_is_reused(bench: Bench) -> None:
    """The same environment serves again, under a new epoch."""
    first = bench.idle()
    assert bench.counts() == (0, 1)
    assert bench.lease() is first
    assert (first.epoch, bench.counts()) == (2, (1, 1))


def test_concurrent_invocations_get_environments_of_their_own(bench: Bench) -> None:
    """Nothing is shared while it is busy."""
    assert bench.lease() is not bench.lease()
    assert bench.counts() == (2, 2)


def test_the_newest_idle_one_is_reused_first(bench: Bench) -> None:
    """So that the ones that a peak needed become old and go."""
    first, second, third = (bench.lease() for _ in range(3))
    for environment in (second, first, third):
        environment.finish()
    assert [bench.lease() for _ in range(3)] == [third, first, second]


def test_an_environment_serves_its_deployment_only(bench: Bench) -> None:
    """Another function, and another deployment of the same function, get another."""
    idle = bench.idle("f", "f-1")
    assert bench.lease("f", "f-2") is not idle
    assert bench.lease("g") is not idle


def test_a_full_pool_refuses_after_a_moment() -> None:
    """With all of them busy there is no place; a finished one makes one."""

    async def story() -> None:
        bench = Bench()
        first, *_ = (bench.lease() for _ in range(3))
        refused = asyncio.ensure_future(bench.leasing())
        await turns()
        bench.clock.advance(ROOM_WAIT_S * 0.9)
        await turns()
        assert not refused.done()
        bench.clock.advance(ROOM_WAIT_S * 0.2)
        with pytest.raises(PoolFull):
            await refused
        assert bench.counts() == (3, 3), "a refusal costs nothing"
        first.finish()
        assert bench.lease() is first
        assert bench.released == ["f"]

    asyncio.run(story())


def test_a_call_that_waits_for_room_gets_whatever_comes_first() -> None:
    """An environment of its own that becomes free, or the place of another's that ends or becomes idle."""

    async def story() -> None:
        endings: list[tuple[str, Callable[[FakeEnvironment], None]]] = [
            ("f", FakeEnvironment.finish),
            ("f", FakeEnvironment.go),
            ("g", FakeEnvironment.finish),
            ("g", FakeEnvironment.go),
        ]
        for wanted, ending in endings:
            bench = Bench(environments_max=1)
            first = bench.lease("f")
            waiting = asyncio.ensure_future(bench.leasing(wanted))
            await turns()
            ending(first)
            found = await waiting
            assert (found is first) == (wanted == "f" and not first.is_gone)
            assert (found.deployment.name, found.epoch) == (wanted, 2 if found is first else 1)
            assert bench.counts() == (1, 1)

    asyncio.run(story())


def test_those_who_wait_for_room_are_served_in_order() -> None:
    """First come, first served, whatever function they call."""

    async def story() -> None:
        bench = Bench(environments_max=1)
        busy = bench.lease("f")
        waiting = [asyncio.ensure_future(bench.leasing(name)) for name in ("g", "h")]
        await turns()
        for call in waiting:
            assert not call.done()
            busy.finish()
            busy = await call
        assert busy.deployment.name == "h"

    asyncio.run(story())


def test_a_call_that_leaves_while_it_waits_for_room_holds_nothing() -> None:
    """Cancelled before or after it was given a new environment, which was never started then."""

    async def story() -> None:
        for is_given in (False, True):
            bench = Bench(environments_max=1)
            first = bench.lease("f")
            waiting = asyncio.ensure_future(bench.leasing("g"))
            await turns()
            if is_given:
                first.finish()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            if not is_given:
                first.finish()
            assert bench.counts() == (0, 0 if is_given else 1)
            assert bench.released == ["f"]
            bench.lease("h")

    asyncio.run(story())


def test_a_function_gets_so_many_new_environments_at_once() -> None:
    """A thousand, and as many every ten seconds; another function is not concerned."""

    async def story() -> None:
        bench = Bench(environments_max=3000)
        for _ in range(1000):
            bench.lease("f")
        refused = asyncio.ensure_future(bench.leasing("f"))
        await turns()
        bench.lease("g")
        bench.clock.advance(ROOM_WAIT_S)
        # A second later a hundred more may come: whoever waited is the first of them.
        assert (await refused).deployment.name == "f"
        for _ in range(99):
            bench.lease("f")

    asyncio.run(story())


def test_a_function_that_may_not_start_more_costs_others_nothing() -> None:
    """No idle environment of another ends for a start that is refused anyway, and nobody waits behind one."""

    async def story() -> None:
        bench = Bench(environments_max=1002)
        for _ in range(1000):
            bench.lease("f")
        idle, busy = bench.idle("g"), bench.lease("h")
        waiting = [asyncio.ensure_future(bench.leasing("f"))]
        await turns()
        assert not idle.is_gone
        assert bench.lease("g") is idle
        waiting += [asyncio.ensure_future(bench.leasing(name)) for name in ("f", "i")]
        await turns()
        busy.go()
        assert (await waiting[2]).deployment.name == "i"
        assert not waiting[0].done() and not waiting[1].done()
        for call in waiting[:2]:
            call.cancel()
        await turns()

    asyncio.run(story())


def test_a_full_pool_makes_room_by_ending_the_longest_idle(bench: Bench) -> None:
    """Idle environments of others never stand in the way of an invocation."""
    oldest = bench.idle("a")
    newest = bench.idle("b")
    bench.lease("c")
    bench.lease("d")
    assert (oldest.is_gone, newest.is_gone) == (True, False)
    assert oldest.has_to_go_at_once
    assert bench.counts() == (2, 3)


def test_an_idle_environment_is_frozen_after_a_moment(bench: Bench) -> None:
    """Not at once: the next invocation may come at once."""
    environment = bench.idle()
    bench.clock.advance(FREEZE_AFTER_S * 0.9)
    assert not environment.is_frozen
    bench.clock.advance(FREEZE_AFTER_S * 0.2)
    assert environment.is_frozen


def test_each_environment_is_frozen_in_its_time(bench: Bench) -> None:
    """Also one that becomes idle while the pool waits for another's end only."""
    first, second = bench.lease(), bench.lease("g")
    first.finish()
    bench.clock.advance(10)
    second.finish()
    bench.clock.advance(2 * FREEZE_AFTER_S)
    assert (first.is_frozen, second.is_frozen) == (True, True)


def test_a_busy_environment_is_not_frozen(bench: Bench) -> None:
    """One that is taken again within the moment runs on."""
    environment = bench.idle()
    bench.clock.advance(FREEZE_AFTER_S / 2)
    bench.lease()
    bench.clock.advance(100)
    assert not environment.is_frozen


def test_an_environment_that_is_idle_for_long_is_ended(bench: Bench) -> None:
    """Each after its own idle time, counted from its last invocation."""
    first, second = bench.lease(), bench.lease("g")
    first.finish()
    bench.clock.advance(IDLE_S / 2)
    second.finish()
    bench.clock.advance(IDLE_S / 2 + 1)
    assert (first.is_gone, second.is_gone, first.has_to_go_at_once) == (True, False, False)
    bench.clock.advance(IDLE_S / 2)
    assert second.is_gone
    assert bench.counts() == (0, 0)


def test_a_pool_at_rest_has_no_timer(bench: Bench) -> None:
    """No environment, nothing to wake up for; with a frozen one the next wake-up is its end."""
    bench.idle()
    bench.clock.advance(1)
    assert bench.clock.timer_count == 1
    bench.clock.advance(2 * IDLE_S)
    assert bench.clock.timer_count == 0


def test_an_update_retires_the_deployments_before(bench: Bench) -> None:
    """Idle ones now, busy ones after their invocation; other functions and other regions stay."""
    busy, idle = bench.lease("f", "f-1"), bench.lease("f", "f-1")
    idle.finish()
    other = bench.idle("g", "g-1")
    bench.pool.retain(SCOPE, FunctionName("f"), {"f-2"})
    assert (idle.is_gone, busy.is_gone, other.is_gone) == (True, False, False)
    busy.finish()
    assert busy.is_gone
    bench.pool.retain(Scope(SCOPE.account, "eu-west-1"), FunctionName("g"), set())
    assert not other.is_gone


def test_nothing_stays_of_deployments_that_are_gone(bench: Bench) -> None:
    """Thousands of updates leave the pool as empty as it was."""
    for number in range(50):
        environment = bench.idle("f", f"f-{number}")
        bench.lease("f", f"f-{number}")
        environment.retire()
        environment.finish()
    assert bench.counts() == (0, 0)
    assert (bench.pool._idle.ordinary.stacks, bench.pool._idle.ordinary.since) == ({}, {})


def test_what_ends_for_being_idle_may_make_room_that_costs_others_their_end() -> None:
    """Room that comes up goes to those who wait, and others may have to end for it: in the middle of the sweep."""

    async def story() -> None:
        bench = Bench(environments_max=10, available_mib=1000)
        swept, larger, last = (bench.lease(name) for name in "abc")
        for environment in (swept, larger, last):
            bench.pool.start(environment)  # type: ignore[arg-type]
        swept.finish(10)
        bench.clock.advance(0.3)
        larger.finish(60)
        last.finish(60)
        bench.clock.advance(IDLE_S - 0.35)
        bench.available_mib = RESERVE_MIB
        waiting = asyncio.ensure_future(bench.leasing("d"))
        await asyncio.sleep(0)
        assert (swept.is_gone, larger.is_gone, last.is_gone) == (False, True, False)
        bench.available_mib = RESERVE_MIB - 50
        bench.clock.advance(0.06)
        assert (swept.is_gone, last.is_gone) == (True, True)
        bench.available_mib = 1000
        await waiting
        bench.lease("e").finish()
        bench.clock.advance(IDLE_S + 1)
        assert bench.counts() == (1, 1), "the sweep goes on"

    asyncio.run(story())


def test_an_idle_environment_that_ends_by_itself_leaves(bench: Bench) -> None:
    """Its place is free and it is not leased again."""
    environment = bench.idle()
    environment.go()
    assert bench.counts() == (0, 0)
    assert bench.lease() is not environment
    bench.clock.advance(2 * IDLE_S)


def test_closing_ends_the_idle_and_waits_for_the_busy() -> None:
    """What runs finishes, and does not become idle any more."""

    async def story() -> None:
        bench = Bench()
        idle, busy = bench.lease(), bench.lease()
        for environment in (idle, busy):
            bench.pool.start(environment)  # type: ignore[arg-type]
        idle.finish()
        closing = asyncio.create_task(bench.pool.close(30))
        await asyncio.sleep(0)
        assert (idle.is_gone, busy.is_gone, closing.done()) == (True, False, False)
        busy.finish()
        await asyncio.wait_for(closing, 5)
        assert bench.counts() == (0, 0)
        assert bench.clock.timer_count == 0

    asyncio.run(story())


def test_closing_ends_what_does_not_finish_in_time() -> None:
    """The grace is over: the tasks of the environments are cancelled."""

    async def story() -> None:
        bench = Bench()
        environment = bench.lease()
        task = asyncio.create_task(environment.ended.wait())
        bench.pool._spawn = lambda _: task  # type: ignore[assignment, return-value]
        bench.pool.start(environment)  # type: ignore[arg-type]
        await asyncio.wait_for(bench.pool.close(0.01), 5)
        assert task.cancelled()
        assert (bench.counts(), bench.released) == ((0, 0), ["f"])

    asyncio.run(story())


def test_an_environment_that_has_answered_is_waited_for() -> None:
    """A caller that comes back at once gets the environment that is about to be free, not a second one."""

    async def story() -> None:
        bench = Bench(environments_max=1)
        first = bench.lease()
        first.answer()
        coming_back = asyncio.ensure_future(bench.leasing())
        await asyncio.sleep(0)
        first.finish()
        assert await coming_back is first
        assert first.epoch == 2
        assert bench.counts() == (1, 1)

    asyncio.run(story())


def test_the_wait_for_a_handover_is_short() -> None:
    """A runtime that goes on working after its answer does not hold up the next call: a new environment is made."""

    async def story() -> None:
        bench = Bench()
        first = bench.lease()
        first.answer()
        waiting = asyncio.ensure_future(bench.leasing())
        await asyncio.sleep(0)
        bench.clock.advance(HANDOVER_S)
        assert await waiting is not first
        first.is_idle = False
        first.finish()
        assert bench.counts() == (1, 2)
        assert bench.lease() is first

    asyncio.run(story())


def test_an_environment_that_is_late_for_its_handover_is_taken_all_the_same() -> None:
    """It became free when the wait was over, and the call had not gone on yet: no second one is made."""

    async def story() -> None:
        bench = Bench()
        first = bench.lease()
        first.answer()
        waiting = asyncio.ensure_future(bench.leasing())
        await asyncio.sleep(0)
        bench.clock.advance(HANDOVER_S)
        first.finish()
        assert await waiting is first
        assert bench.counts() == (1, 1)

    asyncio.run(story())


def test_nobody_waits_for_a_handover_that_will_not_come() -> None:
    """The environment ends after its answer: the call goes on at once, without the rest of its wait."""

    async def story() -> None:
        bench = Bench()
        first = bench.lease()
        first.answer()
        waiting = asyncio.ensure_future(bench.leasing())
        await asyncio.sleep(0)
        first.go()
        assert await asyncio.wait_for(waiting, 5) is not first
        assert bench.clock.timer_count == 0

    asyncio.run(story())


def test_no_more_wait_than_environments_are_about_to_be_free() -> None:
    """Of two callers one waits for the one environment that has answered; the other gets a new one at once."""

    async def story() -> None:
        bench = Bench()
        first = bench.lease()
        first.answer()
        waiting = asyncio.ensure_future(bench.leasing())
        await asyncio.sleep(0)
        assert bench.lease() is not first
        assert not waiting.done()
        first.finish()
        await waiting

    asyncio.run(story())


def test_a_handover_to_a_caller_that_left_goes_to_the_idle_ones() -> None:
    """A cancelled wait, before or after the handover, holds no environment."""

    async def story() -> None:
        for finish_first in (False, True):
            bench = Bench(environments_max=1)
            first = bench.lease()
            first.answer()
            waiting = asyncio.ensure_future(bench.leasing())
            await asyncio.sleep(0)
            if finish_first:
                first.finish()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            if not finish_first:
                first.finish()
            assert bench.counts() == (0, 1)
            assert bench.lease() is first

    asyncio.run(story())


def test_an_environment_that_ends_during_its_handover_is_not_used() -> None:
    """It was free, was promised, and ended before the caller went on: a new one takes its place."""

    async def story() -> None:
        bench = Bench()
        first = bench.lease()
        first.answer()
        waiting = asyncio.ensure_future(bench.leasing())
        await asyncio.sleep(0)
        first.finish()
        first.go()
        assert await waiting is not first
        assert bench.counts() == (1, 1)

    asyncio.run(story())


def test_an_environment_is_frozen_in_the_next_iteration_where_that_is_cheap() -> None:
    """Not in the step that frees it: the answer leaves first. One that is leased at once is not frozen at all."""
    bench = Bench(freeze_after_s=0)
    environment = bench.idle()
    assert not environment.is_frozen
    bench.clock.advance(0)
    assert environment.is_frozen
    again = bench.lease()
    again.finish()
    assert bench.lease() is again
    bench.clock.advance(1)
    assert not again.is_frozen


def test_a_warm_lease_sets_no_timer(bench: Bench) -> None:
    """What is set is for the pool, not for each invocation."""
    environment = bench.idle()
    bench.clock.advance(1)
    before = bench.clock.timer_count
    for _ in range(50):
        assert bench.lease() is environment
        environment.finish()
    assert bench.clock.timer_count <= before + 1, "one to freeze it"


def test_an_old_environment_ends_once_it_is_free(bench: Bench) -> None:
    """After its invocation, while it is idle, or when it would be leased: never in the middle."""
    busy, idle = bench.lease("f"), bench.lease("g")
    bench.clock.advance(AGE_S - IDLE_S / 2)
    idle.finish()
    assert not idle.is_gone
    bench.clock.advance(IDLE_S / 2)
    assert (busy.is_gone, idle.is_gone) == (False, True)
    busy.finish()
    assert busy.is_gone
    assert bench.released == ["g", "f"]


def test_a_lease_is_over_once_the_environment_is_free_or_gone(bench: Bench) -> None:
    """Exactly once each, whether the environment answers, ends in the middle, or is given back unused."""
    for ending in (FakeEnvironment.finish, FakeEnvironment.go, bench.pool.give_back):
        bench.released.clear()
        environment = bench.lease()
        assert bench.released == []
        ending(environment)  # type: ignore[arg-type]
        assert bench.released == ["f"]
        environment.retire()
        assert bench.released == ["f"]


def test_an_environment_that_is_given_back_unused_stays(bench: Bench) -> None:
    """An idle one is idle again; a new one, of which nothing was started, is forgotten."""
    idle = bench.idle()
    assert bench.lease() is idle
    bench.pool.give_back(idle)  # type: ignore[arg-type]
    assert bench.counts() == (0, 1)
    new = bench.lease("g")
    bench.pool.give_back(new)  # type: ignore[arg-type]
    assert bench.counts() == (0, 1)


def test_whoever_is_told_that_a_lease_is_over_may_lease_at_once(bench: Bench) -> None:
    """The pool is in order when it tells."""
    first = bench.lease()
    again = []
    bench.pool._released[first] = lambda: again.append(bench.lease())  # type: ignore[index]
    first.finish()
    assert again == [first]


def test_an_end_that_is_told_twice_is_one(bench: Bench) -> None:
    """A failure of ours behind the end of an environment changes nothing any more."""
    environment = bench.idle()
    environment.go()
    environment.go()
    assert bench.counts() == (0, 0)


# Memory ---------------------------------------------------------------------------------------------------------------


def test_a_new_environment_needs_memory() -> None:
    """What the host could give, less its reserve and what others will still take, must hold its cost."""

    async def story() -> None:
        bench = Bench(available_mib=RESERVE_MIB + 100)
        bench.lease("f")
        bench.lease("g")
        waiting = asyncio.ensure_future(bench.leasing("h"))
        await turns()
        bench.clock.advance(ROOM_WAIT_S)
        with pytest.raises(PoolFull):
            await waiting
        assert bench.counts() == (2, 2)

    asyncio.run(story())


def test_a_call_waits_for_memory_that_comes_back() -> None:
    """Whoever gives it back, one of ours or anything else on the machine."""

    async def story() -> None:
        bench = Bench(available_mib=RESERVE_MIB)
        waiting = asyncio.ensure_future(bench.leasing("f"))
        await turns()
        bench.available_mib = RESERVE_MIB + 128
        bench.clock.advance(0.2)
        assert (await waiting).deployment.name == "f"

    asyncio.run(story())


def test_nobody_overtakes_those_who_wait_for_memory() -> None:
    """Whoever comes when it is back, and has not been looked at yet, gets what the others leave."""

    async def story() -> None:
        bench = Bench(available_mib=RESERVE_MIB)
        first = asyncio.ensure_future(bench.leasing("f"))
        await turns()
        bench.available_mib = RESERVE_MIB + 60
        second = asyncio.ensure_future(bench.leasing("g"))
        await turns()
        assert (first.done(), second.done()) == (True, False)
        second.cancel()
        await turns()

    asyncio.run(story())


def test_memory_is_looked_at_however_many_come() -> None:
    """Those who come to wait do not put off the look at what the first of them waits for."""

    async def story() -> None:
        bench = Bench(available_mib=RESERVE_MIB)
        first = asyncio.ensure_future(bench.leasing("f"))
        await turns()
        bench.clock.advance(ROOM_WATCH_S * 0.6)
        second = asyncio.ensure_future(bench.leasing("g"))
        await turns()
        bench.available_mib = RESERVE_MIB + 60
        bench.clock.advance(ROOM_WATCH_S * 0.6)
        await turns()
        assert (first.done(), second.done()) == (True, False)
        second.cancel()
        await turns()

    asyncio.run(story())


def test_nothing_ends_for_memory_that_shows_a_little_later() -> None:
    """What has just ended may not be in the reading yet: no second environment ends for the same room."""

    async def story() -> None:
        bench = Bench(environments_max=10, available_mib=1000)
        bench.memory = HostMemory(bench.clock, lambda: bench.available_mib)
        first, second = bench.lease("a"), bench.lease("b")
        for environment in (first, second):
            bench.pool.start(environment)  # type: ignore[arg-type]
            environment.finish(60)
            bench.clock.advance(2)
        bench.available_mib = RESERVE_MIB
        waiting = asyncio.ensure_future(bench.leasing("c"))
        await turns(1)
        assert (first.is_gone, second.is_gone) == (True, False)
        bench.available_mib += 60
        await turns()
        bench.clock.advance(ROOM_WATCH_S)
        assert (await waiting).deployment.name == "c"
        assert not second.is_gone

    asyncio.run(story())


def test_nothing_ends_for_room_that_does_not_come() -> None:
    """Where all idle environments together are too little, they stay; the call waits for what else may end."""

    async def story() -> None:
        bench = Bench(environments_max=10, available_mib=1000)
        idle, busy = bench.lease("a"), bench.lease("b")
        for environment in (idle, busy):
            bench.pool.start(environment)  # type: ignore[arg-type]
        idle.finish(20)
        bench.available_mib = RESERVE_MIB + 10
        waiting = asyncio.ensure_future(bench.leasing("c"))
        await turns()
        assert not idle.is_gone
        busy.finish(20)
        assert (idle.is_gone, busy.is_gone) == (True, True), "together they are enough"
        bench.available_mib += 40
        await turns()
        bench.clock.advance(ROOM_WATCH_S)
        await waiting

    asyncio.run(story())


def test_a_promise_counts_until_it_is_kept() -> None:
    """Memory that a started environment has taken is in the reading, and is not counted twice."""
    bench = Bench(environments_max=10, available_mib=RESERVE_MIB + 50)
    first = bench.lease("f")
    bench.clock.advance(PROMISE_S + 0.1)
    asyncio.run(refused(bench, "g"))
    bench.pool.environment_started(first)  # type: ignore[arg-type]
    bench.clock.advance(PROMISE_S + 0.1)
    second = bench.lease("g")
    second.finish(memory_peak_mib=5)
    bench.lease("h")


def test_an_environment_costs_what_its_like_have_used() -> None:
    """The estimate gives way to what was seen, in either direction, and MemorySize bounds both."""
    bench = Bench(environments_max=100, available_mib=RESERVE_MIB + 50)
    bench.lease("f").finish(memory_peak_mib=5)
    bench.pool._idle.ordinary.newest("f-1").retire()  # type: ignore[union-attr]
    for _ in range(10):
        bench.lease("f")
    asyncio.run(refused(bench, "f"))


def test_an_environment_that_failed_says_little_of_its_like() -> None:
    """One whose init failed has used nothing: the estimate stands. One that was ended for using much says so."""
    bench = Bench(environments_max=100, available_mib=RESERVE_MIB + 50)
    for peak_mib in (1, 60):
        failed = bench.lease("f")
        failed.memory_peak_mib = peak_mib
        failed.go()
        if peak_mib == 1:
            bench.lease("f").go()
    asyncio.run(refused(bench, "f"))


async def refused(bench: Bench, *args: str) -> None:
    """Lease, wait as long as it takes, and see it refused."""
    waiting = asyncio.ensure_future(bench.leasing(*args))
    await turns()
    bench.clock.advance(ROOM_WAIT_S)
    with pytest.raises(PoolFull):
        await waiting


def test_memory_is_made_by_ending_idle_environments() -> None:
    """The least recently used first, the larger of two that became idle together; no more of them than needed."""

    async def story() -> None:
        bench = Bench(environments_max=10, available_mib=1000)
        old, small, large = (bench.lease(name) for name in "abc")
        for environment in (old, small, large):
            bench.pool.start(environment)  # type: ignore[arg-type]
        old.finish(60)
        bench.clock.advance(10)
        small.finish(50)
        large.finish(60)
        bench.available_mib = RESERVE_MIB
        for name, gone in (("d", (True, False, False)), ("e", (True, False, True))):
            waiting = asyncio.ensure_future(bench.leasing(name))
            await asyncio.sleep(0)
            assert (old.is_gone, small.is_gone, large.is_gone) == gone
            assert not waiting.done(), "its memory is not there yet"
            bench.available_mib += 60
            await turns()
            new = await waiting
            bench.pool.environment_started(new)
            bench.clock.advance(PROMISE_S)
            bench.available_mib -= 60
        assert bench.relieved

    asyncio.run(story())


def test_growing_invocations_push_idle_environments_out() -> None:
    """While anything runs, memory is looked at now and then; at rest there is no such timer."""
    bench = Bench(available_mib=1000)
    idle = bench.idle("f")
    bench.clock.advance(10)
    busy = bench.lease("g")
    bench.available_mib = RESERVE_MIB - 1
    bench.clock.advance(WATCH_S)
    assert idle.is_gone
    assert not busy.is_gone
    busy.finish()
    bench.clock.advance(2 * WATCH_S)
    assert bench.clock.timer_count == 1, "the one for its idle time"


# Kept initialised -----------------------------------------------------------------------------------------------------


class Keeping:
    """One environment that is kept initialised."""

    def __init__(self, bench: Bench, *, stays: bool = True) -> None:
        self.left = 0
        self.bench = bench
        self.asking = asyncio.ensure_future(
            bench.pool.initialise(
                deployment(),
                limit_s=130,
                initialization_type="provisioned-concurrency",
                stays=stays,
                left=self.note_left,
            )
        )

    def note_left(self) -> None:
        self.left += 1

    async def ready(self) -> FakeEnvironment:
        await turns()
        (environment,) = self.bench.pool._kept
        assert isinstance(environment, FakeEnvironment)
        environment.initialised()
        assert await self.asking is environment
        return environment


def test_a_kept_environment_is_leased_before_others_and_kept_again() -> None:
    """It is initialised without an invocation, frozen like any, and neither idle time nor a full pool ends it."""

    async def story() -> None:
        bench = Bench(environments_max=2)
        keeping = Keeping(bench)
        kept = await keeping.ready()
        assert (bench.counts(), bench.pool.kept_idle("f-1")) == ((0, 1), 1)
        bench.clock.advance(2 * FREEZE_AFTER_S)
        assert kept.is_frozen
        assert (bench.lease(), kept.epoch) == (kept, 2)
        other = bench.lease()
        kept.finish()
        other.finish()
        assert bench.lease() is kept
        kept.finish()
        bench.lease("g")
        assert (other.is_gone, kept.is_gone) == (True, False)
        bench.clock.advance(2 * IDLE_S)
        assert (kept.is_gone, keeping.left) == (False, 0)
        kept.retire()
        assert (bench.pool.kept_idle("f-1"), keeping.left) == (0, 1)

    asyncio.run(story())


def test_an_environment_that_is_kept_for_one_invocation_becomes_an_ordinary_one() -> None:
    """Whoever keeps it is told when it is taken, and not once more when it ends."""

    async def story() -> None:
        bench = Bench()
        keeping = Keeping(bench, stays=False)
        kept = await keeping.ready()
        assert (bench.lease(), keeping.left) == (kept, 1)
        kept.finish()
        assert bench.pool.kept_idle("f-1") == 0
        bench.clock.advance(IDLE_S)
        assert (kept.is_gone, keeping.left) == (True, 1)

    asyncio.run(story())


def test_one_that_is_handed_to_a_call_that_waits_is_taken_as_well() -> None:
    """Straight after its init: it is not kept once more after that invocation."""

    async def story() -> None:
        bench = Bench(environments_max=1)
        keeping = Keeping(bench, stays=False)
        await turns()
        waiting = asyncio.ensure_future(bench.leasing())
        kept = await keeping.ready()
        assert await waiting is kept  # type: ignore[comparison-overlap]
        assert keeping.left == 1
        kept.finish()
        assert (bench.pool.kept_idle("f-1"), bench.counts()) == (0, (0, 1))

    asyncio.run(story())


def test_a_kept_environment_grows_old_as_any() -> None:
    """Whoever keeps it is told and makes another."""

    async def story() -> None:
        bench = Bench()
        keeping = Keeping(bench)
        kept = await keeping.ready()
        bench.clock.advance(AGE_S)
        assert (kept.is_gone, keeping.left) == (True, 1)

    asyncio.run(story())


def test_an_init_that_fails_is_told_to_whoever_asked() -> None:
    """And to nobody else: it was never kept."""

    async def story() -> None:
        bench = Bench()
        keeping = Keeping(bench)
        await turns()
        (environment,) = bench.pool._kept
        assert isinstance(environment, FakeEnvironment)
        environment.go()
        with pytest.raises(DependencyError):
            await keeping.asking
        assert (bench.counts(), keeping.left) == ((0, 0), 0)

    asyncio.run(story())


def test_whoever_stops_waiting_for_an_init_keeps_nothing() -> None:
    """A cancelled call ends the environment, before or after its init was over."""

    async def story() -> None:
        for is_initialised in (False, True):
            bench = Bench()
            keeping = Keeping(bench)
            await turns()
            (environment,) = bench.pool._kept
            assert isinstance(environment, FakeEnvironment)
            environment.is_idle = True
            if is_initialised:
                environment.initialised()
            keeping.asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await keeping.asking
            assert (bench.counts(), keeping.left) == ((0, 0), 0)

    asyncio.run(story())


def test_a_closed_pool_refuses() -> None:
    """At once, those who wait for room included."""

    async def story() -> None:
        bench = Bench(environments_max=1)
        first = bench.lease("f")
        waiting = asyncio.ensure_future(bench.leasing("g"))
        await turns()
        await bench.pool.close(0)
        for call in (waiting, asyncio.ensure_future(bench.leasing("h"))):
            with pytest.raises(PoolFull):
                await call
        first.finish()
        assert (bench.counts(), bench.clock.timer_count) == ((0, 0), 0)

    asyncio.run(story())


def test_a_call_that_was_just_given_room_is_refused_by_a_stop() -> None:
    """Nothing is started after the end: not even for a call that has not heard of its new environment yet."""

    async def story() -> None:
        bench = Bench(environments_max=1)
        first = bench.lease("f")
        waiting = asyncio.ensure_future(bench.leasing("g"))
        await turns()
        first.go()
        assert bench.counts() == (1, 1)
        await bench.pool.close(0)
        with pytest.raises(PoolFull):
            await waiting
        assert (bench.counts(), bench.released) == ((0, 0), ["f"])

    asyncio.run(story())


def test_what_is_used_up_when_taken_is_taken_last() -> None:
    """An ordinary idle environment serves before one that is kept for a cold start."""

    async def story() -> None:
        bench = Bench()
        ordinary = bench.idle()
        keeping = Keeping(bench, stays=False)
        kept = await keeping.ready()
        assert bench.lease() is ordinary
        assert keeping.left == 0
        assert bench.lease() is kept
        assert keeping.left == 1

    asyncio.run(story())
