"""What is kept initialised is counted in steps, ahead, once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lambent.domain.caller import Scope
from lambent.domain.usage import UsageClass, UsageKey
from lambent.errors.families import DependencyError
from lambent.store.database import Database
from lambent.store.logs import LogRepository
from lambent.store.usage import UsageRepository
from lambent.store.usage_contract import Allocation, UsageQuestion
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.metering import RETRY_AFTER_S, STEP_S, Metering
from lambent.telemetry.segments import Segments
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("111122223333", "eu-west-1")
ONE = UsageKey(SCOPE, "f", "1", "", UsageClass(1_024, kind="provisioned-concurrency"))
TWO = UsageKey(SCOPE, "f", "2", "", UsageClass(512, kind="snap-start"))
EVER = UsageQuestion(from_s=0, before_s=40_000 * 86_400)


class Kept:
    """What is kept, by hand."""

    def __init__(self) -> None:
        self.counts: dict[UsageKey, int] = {}
        self.tell: Callable[[], None] = lambda: None

    def kept(self) -> Mapping[UsageKey, int]:
        return {key: count for key, count in self.counts.items() if count}

    def on_more(self, callback: Callable[[], None]) -> None:
        self.tell = callback


class Server:
    """One life of a server, as far as this goes."""

    def __init__(self, folder: Path, database: Database, clock: VirtualClock) -> None:
        self.clock = clock
        self.kept = Kept()
        self.segments = Segments(folder, clock)
        self.logs = FunctionLogs(self.segments, LogRepository(database, clock), clock)
        self.usage = UsageRepository(database, clock, records_days=1, records_max_bytes=1 << 30)
        self.metering = Metering(self.logs, self.usage, self.kept, clock)
        self.running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.logs.recover()
        self.running = asyncio.create_task(self.metering.run())
        await self.turn()

    async def keep(self, key: UsageKey, count: int) -> None:
        has_more = count > self.kept.counts.get(key, 0)
        self.kept.counts[key] = count
        if has_more:
            self.kept.tell()
        await self.turn()

    async def turn(self) -> None:
        """Let the task look at what there is: it reads the store once, in a thread."""
        assert self.running is not None
        while not self.metering._has_read or self.metering._has_more.is_set():
            assert not self.running.done(), self.running
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        while seconds > 0:
            step_s = min(seconds, 10.0)
            self.clock.advance(step_s)
            await self.turn()
            seconds -= step_s

    async def environment_s(self, key: UsageKey) -> float:
        """Return what is counted, in seconds of one environment."""
        await self.logs.fold()
        rows = await self.usage.totals(EVER)
        return sum(row.total.allocated_ms for row in rows if row.kind == key.of.kind) / 1000

    async def kill(self) -> None:
        assert self.running is not None
        self.running.cancel()
        await asyncio.wait([self.running])
        # A commit that is under way comes through or not: here it does.
        while self.logs._run is not None:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)


class Machine:
    """A disk and a clock, that servers come and go on."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.clock = VirtualClock(now=1_795_000_000.0)

    async def start(self, after_s: float = 0.0) -> Server:
        # A clock of its own: no timer of an earlier life goes off, and monotonic time begins anew.
        self.clock = VirtualClock(now=self.clock.now() + after_s)
        server = Server(self.folder, self.database, self.clock)
        await server.start()
        return server


@asynccontextmanager
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    make_sqlite(tmp_path / "state.db")
    async with Database(tmp_path / "state.db") as database:
        yield Machine(tmp_path / "segments", database)


def run(tmp_path: Path, story: Callable[[Machine], Awaitable[None]]) -> None:
    async def told() -> None:
        async with machine(tmp_path) as on:
            await asyncio.wait_for(story(on), 60)

    asyncio.run(told())


def test_a_step_is_counted_as_it_begins(tmp_path: Path) -> None:
    """At once for five minutes, then for the next: as long as something is kept, and no longer."""

    async def story(on: Machine) -> None:
        server = await on.start()
        assert on.clock.timer_count == 0, "nobody is kept, and it looks again and again"
        await server.keep(ONE, 2)
        assert await server.environment_s(ONE) == 2 * STEP_S
        await server.advance(STEP_S - 1)
        assert await server.environment_s(ONE) == 2 * STEP_S
        await server.advance(1)
        assert await server.environment_s(ONE) == 4 * STEP_S
        await server.keep(ONE, 0)
        await server.advance(3 * STEP_S)
        assert await server.environment_s(ONE) == 4 * STEP_S
        await server.keep(ONE, 1)
        assert await server.environment_s(ONE) == 5 * STEP_S
        await server.kill()

    run(tmp_path, story)


def test_what_comes_within_a_step_is_counted_for_its_rest(tmp_path: Path) -> None:
    """And what goes and comes again within it costs nothing more; each version has steps of its own."""

    async def story(on: Machine) -> None:
        server = await on.start()
        await server.keep(ONE, 1)
        await server.advance(100)
        await server.keep(ONE, 4)
        await server.keep(TWO, 1)
        assert await server.environment_s(ONE) == STEP_S + 3 * (STEP_S - 100)
        assert await server.environment_s(TWO) == STEP_S
        for count in (2, 4, 0, 3):
            await server.keep(ONE, count)
        assert await server.environment_s(ONE) == STEP_S + 3 * (STEP_S - 100)
        await server.advance(STEP_S - 100)
        assert await server.environment_s(ONE) == STEP_S + 3 * (STEP_S - 100) + 3 * STEP_S
        assert await server.environment_s(TWO) == STEP_S
        await server.kill()

    run(tmp_path, story)


@pytest.mark.parametrize("has_folded", [True, False])
def test_a_kill_counts_nothing_twice(tmp_path: Path, has_folded: bool) -> None:
    """The next server goes on in the step that was counted, folded or not; what it keeps beyond that is counted."""

    async def story(on: Machine) -> None:
        server = await on.start()
        await server.keep(ONE, 1)
        await server.advance(50)
        await server.keep(ONE, 2)
        counted = STEP_S + STEP_S - 50
        if has_folded:
            assert await server.environment_s(ONE) == counted
        await server.kill()
        server = await on.start(50)
        await server.keep(ONE, 2)
        assert await server.environment_s(ONE) == counted
        await server.keep(ONE, 3)
        assert await server.environment_s(ONE) == counted + STEP_S - 100
        await server.kill()
        # Gone for longer than the step: another begins.
        server = await on.start(STEP_S)
        await server.keep(ONE, 1)
        assert await server.environment_s(ONE) == counted + STEP_S - 100 + STEP_S
        await server.kill()

    run(tmp_path, story)


@pytest.mark.parametrize("jump_s", [-3_600, 3_600, -STEP_S / 2])
def test_steps_do_not_follow_the_wall_clock(tmp_path: Path, jump_s: float) -> None:
    """Back or ahead in the middle of a step: the next one begins in its time, and is dated as the clock says then."""

    async def story(on: Machine) -> None:
        server = await on.start()
        await server.keep(ONE, 1)
        await server.advance(100)
        on.clock.set_wall(jump_s)
        await server.keep(ONE, 2)
        assert await server.environment_s(ONE) == STEP_S + STEP_S - 100
        await server.advance(STEP_S - 101)
        assert await server.environment_s(ONE) == STEP_S + STEP_S - 100
        await server.advance(1)
        assert await server.environment_s(ONE) == STEP_S + STEP_S - 100 + 2 * STEP_S
        (last,) = await server.usage.allocations(0)
        assert last.from_ms == int(on.clock.now() * 1000)
        await server.kill()

    run(tmp_path, story)


def test_a_clock_that_was_set_back_skips_no_step(tmp_path: Path) -> None:
    """After a start nobody knows what is left of a step that ends in an hour: another begins at once."""

    async def story(on: Machine) -> None:
        server = await on.start()
        await server.keep(ONE, 1)
        await server.environment_s(ONE)
        await server.kill()
        on.clock.set_wall(-3_600)
        server = await on.start()
        await server.keep(ONE, 1)
        assert await server.environment_s(ONE) == 2 * STEP_S
        await server.advance(STEP_S)
        assert await server.environment_s(ONE) == 3 * STEP_S
        await server.kill()

    run(tmp_path, story)


def test_a_disk_that_takes_nothing_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is counted when it can."""

    async def story(on: Machine) -> None:
        server = await on.start()
        with monkeypatch.context() as patch:
            patch.setattr(server.segments, "append", lambda _: False)
            await server.keep(ONE, 1)
            await server.advance(RETRY_AFTER_S)
            assert await server.environment_s(ONE) == 0
        await server.advance(RETRY_AFTER_S)
        assert await server.environment_s(ONE) == STEP_S
        await server.kill()

    run(tmp_path, story)


def test_a_store_that_does_not_answer_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task ends, whoever supervises it begins it again, and nothing was counted before it knew what was."""

    async def story(on: Machine) -> None:
        server = await on.start()
        await server.keep(ONE, 1)
        await server.kill()
        server = Server(on.folder, on.database, VirtualClock(now=on.clock.now()))
        await server.logs.recover()
        server.kept.counts[ONE] = 1

        async def fail(since_ms: int) -> list[Allocation]:
            raise DependencyError("away", retryable=True)

        with monkeypatch.context() as patch:
            patch.setattr(server.usage, "allocations", fail)
            with pytest.raises(DependencyError):
                await server.metering.run()
        server.running = asyncio.create_task(server.metering.run())
        await server.turn()
        assert await server.environment_s(ONE) == STEP_S
        await server.kill()

    run(tmp_path, story)
