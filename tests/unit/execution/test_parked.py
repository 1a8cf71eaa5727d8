"""The parked pool: what is kept ahead, who gets it, and what becomes of what fails."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from lambent.errors.families import DependencyError
from lambent.execution.parked import (
    AHEAD_MIB,
    EXPECT_MAX_S,
    KEEP_S,
    KINDS_MAX,
    PARKS_AT_ONCE,
    REFILL_AFTER_S,
    REFILLS_AT_ONCE,
    ParkedEnvironment,
    ParkedPool,
)
from lambent.sandbox.contract import Ahead, Exit, ParkedKind, Zygote
from lambent.testing.scripted_sandbox import ScriptedEnvironment, ScriptedRuntime, ScriptedSandbox
from lambent.testing.virtual_clock import VirtualClock

KIND = ParkedKind(owner="a")
OTHER = ParkedKind(owner="b")


async def no_script(runtime: ScriptedRuntime) -> Exit:
    raise AssertionError("nothing is assigned here")


class Bench:
    """A parked pool over a sandbox whose parks take as long as a test says."""

    def __init__(self, *, parks_ahead: bool = True, budget_mib: float = 150.0, count_max: int = 100) -> None:
        self.clock = VirtualClock()
        self.sandbox = ScriptedSandbox(no_script, self.clock, parks_ahead=parks_ahead, freeze_after_s=0)
        self.sandbox.before_park = self.before_park
        self.spare_mib: float | None = None
        self.park_s = 0.0
        self.failing = False
        self.parking: list[ParkedKind] = []
        self.parks = 0
        self.pool = ParkedPool(
            self.sandbox, self.clock, budget_mib=budget_mib, count_max=count_max, spare_mib=lambda: self.spare_mib
        )

    async def before_park(self, kind: ParkedKind) -> None:
        self.parks += 1
        self.parking.append(kind)
        try:
            if self.park_s:
                await self.clock.sleep(self.park_s)
            if self.failing:
                raise DependencyError("no process left", retryable=True)
        finally:
            self.parking.remove(kind)

    async def settle(self, seconds: float = 0.0) -> None:
        """Let so much time pass in small steps, and what is ready happen."""
        for _ in range(max(1, round(seconds / 0.01))):
            for _ in range(6):
                await asyncio.sleep(0)
            self.clock.advance(min(seconds, 0.01))
        for _ in range(6):
            await asyncio.sleep(0)

    async def take(self, kind: ParkedKind = KIND) -> ParkedEnvironment:
        """Take one and end it at once, as an environment that lives on does not matter here."""
        taken = await self.pool.take(kind)
        self.end(taken)
        return taken

    def end(self, taken: ParkedEnvironment) -> None:
        self.sandbox.kill(taken.environment)
        self.sandbox.release(taken.environment)

    def parked(self) -> list[ScriptedEnvironment]:
        return [environment for environment in self.sandbox.environments if not environment.is_killed]


def play(story: Callable[[Bench], Awaitable[None]], **how: object) -> None:
    """Run a story, then close the pool: nothing may be left."""

    async def whole() -> None:
        bench = Bench(**how)  # type: ignore[arg-type]
        await story(bench)
        await bench.pool.close()
        await bench.settle()
        assert bench.sandbox.environments == set()
        assert bench.pool._timer is None
        assert (bench.pool.size, bench.pool.parking) == (0, 0)

    asyncio.run(whole())


def test_what_is_wanted_is_parked_before_it_is_taken() -> None:
    """The first cold start finds one and waits for nothing; it is replaced in the background."""

    async def story(bench: Bench) -> None:
        bench.pool.want(KIND)
        await bench.settle()
        assert bench.pool.size == 2
        taking = bench.pool.take(KIND)
        with pytest.raises(StopIteration) as returned:
            taking.send(None)
        bench.end(returned.value.value)
        assert bench.pool.size == 1
        await bench.settle(2 * REFILL_AFTER_S)
        assert bench.pool.size == 2

    play(story)


def test_refilling_does_not_compete_with_the_cold_start_that_caused_it() -> None:
    """Not until a moment has passed without a take, unless nothing is left."""

    async def story(bench: Bench) -> None:
        bench.pool.want(KIND)
        await bench.settle()
        await bench.take()
        await bench.settle()
        assert (bench.pool.size, bench.parks) == (1, 2)
        await bench.take()
        await bench.settle()
        assert bench.parks > 2

    play(story)


def test_one_that_is_not_there_is_parked_on_demand() -> None:
    """Whoever came first gets the first; as many as there are callers, so many at once and no more."""

    async def story(bench: Bench) -> None:
        bench.park_s = 0.05
        calls = [asyncio.ensure_future(bench.take()) for _ in range(10)]
        most = 0
        while not all(call.done() for call in calls):
            await bench.settle(0.01)
            most = max(most, len(bench.parking))
            done = [call.done() for call in calls]
            assert done == sorted(done, reverse=True), "in order"
        assert most == min(10, PARKS_AT_ONCE)
        assert len({id(call.result()) for call in calls}) == 10

    play(story)


def test_a_burst_of_one_kind_does_not_hold_up_another() -> None:
    """Kinds are served in turns."""

    async def story(bench: Bench) -> None:
        bench.park_s = 0.05
        burst = [asyncio.ensure_future(bench.take()) for _ in range(40)]
        await bench.settle()
        other = asyncio.ensure_future(bench.take(OTHER))
        await bench.settle(0.15)
        assert other.done()
        assert sum(call.done() for call in burst) < 20
        await bench.settle(1)
        await asyncio.gather(*burst)

    play(story)


def test_refilling_is_bounded() -> None:
    """Few in flight, whatever is missing."""

    async def story(bench: Bench) -> None:
        bench.park_s = 0.05
        for kind in (KIND, OTHER, ParkedKind(owner="c")):
            bench.pool.want(kind)
        await bench.settle()
        assert len(bench.parking) == REFILLS_AT_ONCE
        await bench.settle(0.5)
        assert bench.pool.size == 6

    play(story)


def test_the_stock_grows_with_demand_and_stays_within_its_budget() -> None:
    """After a burst of fifty as many are kept, if there is memory for them."""

    async def story(bench: Bench) -> None:
        await asyncio.gather(*(bench.take() for _ in range(50)))
        await bench.settle(1)
        assert bench.pool.size == 50
        zygotes = ParkedKind(owner="z", zygote=Zygote(("python",), ()))
        await asyncio.gather(*(bench.take(zygotes) for _ in range(80)))
        await bench.settle(1)
        assert bench.pool.size_mib <= 150
        assert bench.pool.size_mib > 140
        bench.spare_mib = -50
        bench.pool.trim()
        assert bench.pool.size_mib <= 100

    play(story)


def test_what_runs_ahead_costs_more() -> None:
    """Of interpreters that run already as many are kept as the budget has room for."""

    async def story(bench: Bench) -> None:
        ahead = ParkedKind(ahead=Ahead(("node",), ()))
        await asyncio.gather(*(bench.take(ahead) for _ in range(50)))
        await bench.settle(1)
        assert bench.pool.size == 150 // AHEAD_MIB

    play(story)


def test_a_kind_that_nobody_takes_gives_its_stock_back() -> None:
    """After ten minutes; saying again that it is wanted keeps it."""

    async def story(bench: Bench) -> None:
        bench.pool.want(KIND)
        bench.pool.want(OTHER)
        await bench.settle()
        bench.clock.advance(KEEP_S * 0.6)
        bench.pool.want(OTHER)
        bench.clock.advance(KEEP_S * 0.6)
        await bench.settle()
        assert bench.pool.size == 2
        assert len(bench.parked()) == 2
        bench.clock.advance(KEEP_S)
        await bench.settle()
        assert bench.parked() == []

    play(story)


def test_kinds_are_bounded() -> None:
    """One more takes the place of the one that was wanted longest ago."""

    async def story(bench: Bench) -> None:
        for number in range(KINDS_MAX + 5):
            bench.pool.want(ParkedKind(owner=str(number)))
        assert len(bench.pool._kinds) == KINDS_MAX
        assert ParkedKind(owner="0") in bench.pool._kinds, "it is being parked"
        assert ParkedKind(owner="2") not in bench.pool._kinds
        await bench.settle()

    play(story)


def test_a_failing_park_is_tried_again_with_patience() -> None:
    """Doubling its delay: never a spin; and it recovers by itself."""

    async def story(bench: Bench) -> None:
        bench.failing = True
        bench.pool.want(KIND)
        await bench.settle(60)
        assert 5 <= bench.parks <= 25
        assert bench.pool.failures == bench.parks
        bench.failing = False
        await bench.settle(35)
        assert bench.pool.size == 2

    play(story)


def test_whoever_waits_for_a_park_that_fails_is_told() -> None:
    """One failure, one caller; the next is tried."""

    async def story(bench: Bench) -> None:
        bench.failing = True
        with pytest.raises(DependencyError):
            await bench.take()
        bench.failing = False
        await bench.take()

    play(story)


def test_a_failure_that_is_none_of_the_contracts_is_told_as_well() -> None:
    """A bug in a driver leaves nobody waiting."""

    async def story(bench: Bench) -> None:
        async def broken(kind: ParkedKind) -> None:
            raise RuntimeError("broken")

        bench.sandbox.before_park = broken
        with pytest.raises(DependencyError):
            await bench.take()

    play(story)


def test_a_parked_environment_that_dies_leaves_the_stock_and_is_replaced() -> None:
    """Also all of them at once, when the sandbox's own process ends; never in a spin."""

    async def story(bench: Bench) -> None:
        bench.pool.want(KIND)
        await bench.settle(10)
        bench.sandbox.lose_all()
        await bench.settle()
        assert bench.pool.size == 0
        await bench.settle(1)
        assert bench.pool.size == 2
        parks = bench.parks
        for _ in range(1000):
            bench.sandbox.lose_all()
            await bench.settle(0.02)
        assert bench.parks - parks < 30

    play(story)


def test_a_caller_that_leaves_wastes_nothing() -> None:
    """What is parked for it goes to the next caller, then into the stock."""

    async def story(bench: Bench) -> None:
        bench.park_s = 0.05
        leaving, staying = (asyncio.ensure_future(bench.take()) for _ in range(2))
        await bench.settle(0.01)
        leaving.cancel()
        await bench.settle(0.2)
        assert (leaving.cancelled(), staying.done()) == (True, True)
        assert (bench.parks, bench.pool.size) == (3, 2)

    play(story)


def test_a_caller_that_leaves_after_it_was_given_one_holds_nothing() -> None:
    """Without a budget to keep it there is nowhere to put it: it ends."""

    async def story(bench: Bench) -> None:
        leaving = asyncio.ensure_future(bench.pool.take(KIND))
        await asyncio.sleep(0)
        while bench.pool._kinds[KIND].waiters:  # noqa: ASYNC110 - the very step in which it is given one
            await asyncio.sleep(0)
        leaving.cancel()
        await bench.settle()
        assert (leaving.cancelled(), bench.parks, bench.parked()) == (True, 1, [])

    play(story, budget_mib=0)


def test_where_parking_costs_nothing_there_is_no_stock() -> None:
    """Taking is parking; wanting does nothing."""

    async def story(bench: Bench) -> None:
        bench.pool.want(KIND)
        await bench.settle()
        assert bench.parks == 0
        await bench.take()
        assert (bench.parks, bench.pool.size) == (1, 0)

    play(story, parks_ahead=False)


def test_without_a_budget_each_is_parked_when_it_is_needed() -> None:
    """Nothing is kept."""

    async def story(bench: Bench) -> None:
        bench.pool.want(KIND)
        await bench.take()
        await bench.settle(1)
        assert (bench.parks, bench.pool.size) == (1, 0)

    play(story, budget_mib=0)


def test_closing_ends_everything_and_refuses() -> None:
    """What is parked, what is being parked, and whoever waits for it."""

    async def story(bench: Bench) -> None:
        bench.pool.want(KIND)
        await bench.settle()
        bench.park_s = 5
        waiting = asyncio.ensure_future(bench.take(OTHER))
        await bench.settle()
        await bench.pool.close()
        for call in (waiting, asyncio.ensure_future(bench.take())):
            with pytest.raises(DependencyError):
                await call

    play(story)


def test_closing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel holds, as on a dead network disk, may not hold up the server's end."""
    monkeypatch.setattr("lambent.execution.parked.LEAVE_MAX_S", 0.01)

    async def story(bench: Bench) -> None:
        bench.pool.want(KIND)
        await bench.settle()
        kill, held = bench.sandbox.kill, bench.parked()
        monkeypatch.setattr(bench.sandbox, "kill", lambda environment: None)
        await bench.pool.close()
        assert bench.sandbox.environments == set()
        for environment in held:
            kill(environment)
        await bench.settle()

    play(story)


def test_whoever_expects_a_kind_waits_until_one_is_parked() -> None:
    """Or until parking failed, or a moment is over: never for long, and it takes nothing."""

    async def story(bench: Bench) -> None:
        bench.park_s = 0.1
        expecting = asyncio.ensure_future(bench.pool.expect(KIND))
        await bench.settle(0.05)
        assert not expecting.done()
        await bench.settle(0.1)
        assert expecting.done()
        assert bench.pool.size == 2
        await bench.pool.expect(KIND)
        bench.failing = True
        failing = asyncio.ensure_future(bench.pool.expect(OTHER))
        await bench.settle(0.15)
        assert failing.done()
        bench.failing = False
        bench.park_s = 60
        late = asyncio.ensure_future(bench.pool.expect(ParkedKind(owner="c")))
        await bench.settle(EXPECT_MAX_S * 1.1)
        assert late.done()

    play(story)
