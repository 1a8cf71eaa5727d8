"""The functions' log: written without waiting, folded in time, whole after a crash."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.domain.caller import Scope
from lambent.domain.usage import UsageClass, UsageKey, UsageRecord
from lambent.errors.families import DependencyError
from lambent.store.contract import LogEvent, LogPosition, LogStore
from lambent.store.database import Database
from lambent.store.logs import LogRepository
from lambent.store.migrate import migrate
from lambent.store.usage import UsageRepository
from lambent.store.usage_contract import Allocation, NewUsage, UsageQuestion
from lambent.telemetry import logs as logs_module
from lambent.telemetry.folding import BATCH_EVENTS_MAX
from lambent.telemetry.log_records import Usage
from lambent.telemetry.logs import (
    FOLD_AFTER_S,
    FOLD_WITHIN_S,
    FOLLOWED_WITHIN_S,
    RETRY_AFTER_S,
    SWEEP_AGAIN_S,
    SWEEP_EVERY_S,
    EnvironmentLog,
    FunctionLogs,
)
from lambent.telemetry.segments import SYNC_AFTER_S, Segments
from lambent.testing.log_store import MemoryLogStore
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("123456789012", "eu-west-1")
GROUP = "/aws/lambda/hello"
STREAM = "2026/11/25/[$LATEST]0123456789abcdef0123456789abcdef"


class Server:
    """One life of a server, as far as its logs go."""

    def __init__(self, folder: Path, store: LogStore, clock: VirtualClock) -> None:
        self.clock = clock
        self.store = store
        self.segments = Segments(folder, clock)
        self.logs = FunctionLogs(self.segments, store, clock)

    def stream(self, name: str = STREAM) -> EnvironmentLog:
        return self.logs.open_stream(SCOPE, GROUP, name)

    def killed(self) -> None:
        """
        End like `kill -9`, after a turn of the loop: what was written stays, nothing else happens as long as nobody
        moves its clock.
        """
        self.logs.write_now()


async def stored(store: LogStore, limit: int = 100_000) -> list[LogEvent]:
    return list(await store.events(SCOPE, GROUP, limit=limit))


async def messages(store: LogStore) -> list[str]:
    return [event.message for event in await stored(store)]


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        await asyncio.wait_for(story(), 120)

    asyncio.run(told())


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until a thread has done its part."""
    while not condition():  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0.001)


StoreMaker = Callable[[VirtualClock], "asyncio.Future[LogStore]"]


@pytest.fixture(params=["memory", "sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[VirtualClock], object]:
    """Give what opens a store: the shipped fake, and the real one on SQLite."""

    @asynccontextmanager
    async def opened(clock: VirtualClock) -> AsyncIterator[LogStore]:
        if request.param == "memory":
            yield MemoryLogStore(clock)
            return
        path = tmp_path / "state.db"
        await asyncio.to_thread(migrate, path)
        async with Database(path) as database:
            yield LogRepository(database, clock)

    return opened


def test_an_invocation_is_in_the_store_after_a_fold(tmp_path: Path, open_store) -> None:
    """Everything that was written is there, each message an event, in order, with the time of its writing."""

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        async with open_store(clock) as store:
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            log = server.stream()
            log.started("id-1", "$LATEST", 128, 3, ["START\n"])
            clock.advance(0.25)
            log.output(["hello\n", "world\n"])
            clock.advance(0.25)
            log.ended("id-1", ["END\n", "REPORT\n"])
            assert await stored(store) == []
            await server.logs.fold()
            events = await stored(store)
            assert [(event.timestamp_ms, event.message) for event in events] == [
                (1_000_000, "START\n"),
                (1_000_250, "hello\n"),
                (1_000_250, "world\n"),
                (1_000_500, "END\n"),
                (1_000_500, "REPORT\n"),
            ]
            assert {event.stream for event in events} == {STREAM}
            assert list(await store.open_invocations()) == []
            await server.logs.close()

    run(story)


def test_the_end_of_an_invocation_says_what_it_used(tmp_path: Path) -> None:
    """A bill can be folded from the records; a segment of an older version, which lacks this, is read all the same."""

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        usage = Usage(duration_ms=12.5, init_ms=100.25, billed_ms=113, cpu_us=40_000, memory_peak_mib=30)
        server.stream().ended("id-1", ["END\n"], usage)
        server.logs.write_now()
        start = LogPosition(0, 0)
        (record,) = server.segments.read(start, server.segments.end())
        written = msgspec.msgpack.decode(record.payload)
        assert written[7:13] == ["id-1", 12.5, 100.25, 113, 40_000, 30]
        server.segments.append(msgspec.msgpack.encode(written[:-5]))
        server.killed()
        later = Server(tmp_path, store, clock)
        await later.logs.recover()
        assert await messages(store) == ["END\n", "END\n"]
        await later.logs.close()

    run(story)


KEPT = UsageKey(SCOPE, "hello", "3", "", UsageClass(512, kind="provisioned-concurrency"))
LARGE = UsageClass(1_769, 2_048, "arm64", "snap-start", "java21", "blue")


def test_what_an_invocation_used_is_folded_with_it(tmp_path: Path) -> None:
    """Everything that its end says, by function, version and as it was addressed; once, whoever folds."""

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        usage = Usage(12.5, 100.25, 113, 40_000, 30, streamed_bytes=7_000_000, is_restored=True)
        server.stream().ended(
            "id-1", ["END\n"], usage,
            function="hello", qualifier="live", version="3", started_ms=999_900, status="timeout", of=LARGE,
        )  # fmt: skip
        server.killed()
        for _ in range(2):
            server = Server(tmp_path, store, clock)
            await server.logs.recover()
            assert store.usage == [
                UsageRecord(
                    UsageKey(SCOPE, "hello", "3", "live", LARGE),
                    "id-1", 999_900, 12_500, 100_250, 113, 40_000, 30, 7_000_000, "timeout", True,
                )
            ]  # fmt: skip
        await server.logs.close()

    run(story)


def test_what_is_kept_is_folded_once(tmp_path: Path, open_store) -> None:
    """An allocation goes the way of all that is written: it is no message, and a kill neither loses nor doubles it."""

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        async with open_store(clock) as store:
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            allocation = Allocation(KEPT, 1_000_000, 1_300_000, 4)
            assert server.logs.allocated(allocation)
            assert server.logs.counts().messages == 0
            server.killed()
            for _ in range(2):
                server = Server(tmp_path / "segments", store, clock)
                await server.logs.recover()
            assert await kept_in(store, tmp_path) == [allocation]
            # Nobody has to ask: it is folded as lines are.
            assert server.logs.allocated(allocation._replace(from_ms=1_300_000, until_ms=1_600_000))
            clock.advance(FOLD_AFTER_S)
            await server.logs.fold()
            assert len(await kept_in(store, tmp_path)) == (2 if isinstance(store, MemoryLogStore) else 1)
            await server.logs.close()

    run(story)


async def kept_in(store: LogStore, tmp_path: Path) -> list[Allocation]:
    if isinstance(store, MemoryLogStore):
        return store.allocations
    async with Database(tmp_path / "state.db") as database:
        usage = UsageRepository(database, VirtualClock(now=2_000.0), records_days=1, records_max_bytes=1 << 30)
        question = UsageQuestion(from_s=960, before_s=1_020)
        assert [row.total.allocated_ms for row in await usage.totals(question)] == [1_200_000]
        return list(await usage.allocations(0))


@pytest.mark.parametrize(
    "report",
    [
        "REPORT RequestId: id-1\tBilled Duration: 13 ms\tMemory Size: 512 MB\tMax Memory Used: 30 MB\n",
        '{"type":"platform.report","record":{"metrics":{"memorySizeMB":512,"maxMemoryUsedMB":30}}}\n',
    ],
)
def test_usage_of_what_an_older_version_wrote(tmp_path: Path, report: str) -> None:
    """
    Its segments say nothing of what an invocation costs but the size of its memory, in REPORT: it is counted as what
    most are. What says not even that is counted, too.
    """

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        place = [SCOPE.account, SCOPE.region, GROUP, STREAM]
        ended = ["id-1", 12.5, 0.0, 13, 40_000, 30, "hello", "live", "3", 999_900, "error", True]
        for messages in ([report], []):
            server.segments.append(msgspec.msgpack.encode(["ended", *place, 1_000_000, messages, *ended]))
        await server.logs.recover()
        assert [(one.key, one.billed_ms, one.status) for one in store.usage] == [
            (UsageKey(SCOPE, "hello", "3", "live", UsageClass(memory_mib)), 13, "error") for memory_mib in (512, 0)
        ]
        await server.logs.close()

    run(story)


def test_what_a_lost_invocation_costs(tmp_path: Path) -> None:
    """What its start says, and of one that an older version began, its memory: in the segments or in the store."""

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        make_sqlite(tmp_path / "state.db")
        async with Database(tmp_path / "state.db") as database:
            store = LogRepository(database, clock)
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            place = [SCOPE.account, SCOPE.region, GROUP, STREAM]
            old = ["$LATEST", 256, 3, "", "hello", "live"]
            server.segments.append(msgspec.msgpack.encode(["started", *place, 1_000_000, [], "in segments", *old]))
            server.stream().started("new", "3", 1_769, 3, [], function="hello", qualifier="live", of=LARGE)
            server.killed()
            with contextlib.closing(sqlite3.connect(tmp_path / "state.db")) as connection, connection:
                row = {"request_id": "in store", "scope": SCOPE, "group": GROUP, "stream": STREAM, "version": "2"}
                row |= {"started_ms": 1_000_000, "memory_mib": 256, "timeout_s": 3, "function": "hello"}
                connection.execute(
                    "INSERT INTO open_invocations VALUES ('in store', ?, ?, ?)",
                    (SCOPE.account, SCOPE.region, msgspec.json.encode(row).decode()),
                )
            server = Server(tmp_path / "segments", store, VirtualClock(now=1_060.0))
            await server.logs.recover()
            await server.logs.close()
            usage = UsageRepository(database, clock, records_days=1, records_max_bytes=1 << 30)
            found = (await usage.records(UsageQuestion(from_s=0, before_s=86_400), limit=10)).records
            assert {one.request_id: (one.key, one.started_ms, one.status) for _, one in found} == {
                "in segments": (UsageKey(SCOPE, "hello", "$LATEST", "live", UsageClass(256)), 1_000_000, "error"),
                "in store": (UsageKey(SCOPE, "hello", "2", "", UsageClass(256)), 1_000_000, "error"),
                "new": (UsageKey(SCOPE, "hello", "3", "live", LARGE), 1_000_000, "error"),
            }
            assert await store.open_invocations() == []

    run(story)


def test_a_clock_that_jumps_counts_each_invocation_once(tmp_path: Path) -> None:
    """Back or ahead, between start and end or between folds: as many records and sums as invocations, of as long."""

    async def story() -> None:
        clock = VirtualClock(now=1_795_000_000.0)
        make_sqlite(tmp_path / "state.db")
        async with Database(tmp_path / "state.db") as database:
            store = LogRepository(database, clock)
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            number = 0
            for jump_s in (0, -3_600, 7_200, -90_000, 30, -1):
                started_ms = server.logs.now_ms()
                clock.advance(0.1)
                clock.set_wall(jump_s)
                for _ in range(3):
                    number += 1
                    log = server.stream()
                    log.started(f"id-{number}", "3", 1_769, 3, [], function="hello", of=LARGE)
                    ended = Usage(duration_ms=100, billed_ms=100)
                    log.ended(f"id-{number}", [], ended, function="hello", version="3", started_ms=started_ms, of=LARGE)
                if jump_s % 7_200:
                    await server.logs.fold()
                else:
                    server.killed()
                    server = Server(tmp_path / "segments", store, clock)
                    await server.logs.recover()
            await server.logs.fold()
            usage = UsageRepository(database, clock, records_days=35, records_max_bytes=1 << 30)
            question = UsageQuestion(from_s=1_794_000_000 // 86_400 * 86_400, before_s=1_796_000_000 // 86_400 * 86_400)
            found = [one for _, one in (await usage.records(question, limit=100)).records]
            assert sorted(one.request_id for one in found) == sorted(f"id-{one + 1}" for one in range(number))
            (row,) = await usage.totals(question)
            assert (row.total.requests, row.total.billed_ms) == (number, number * 100)
            await server.logs.close()

    run(story)


def test_a_second_server_stores_nothing_twice(tmp_path: Path, open_store) -> None:
    """After kill -9 the next server folds what was left, exactly once, over any number of lives."""

    async def story() -> None:
        clock = VirtualClock()
        async with open_store(clock) as store:
            for life in range(4):
                server = Server(tmp_path / "segments", store, clock)
                await server.logs.recover()
                server.stream().output([f"{life} early\n"])
                if life % 2:
                    await server.logs.fold()
                server.stream().output([f"{life} late\n"])
                server.killed()
            last = Server(tmp_path / "segments", store, clock)
            await last.logs.recover()
            assert await messages(store) == [f"{life} {part}\n" for life in range(4) for part in ("early", "late")]
            assert list((tmp_path / "segments").iterdir()) == []
            await last.logs.close()

    run(story)


def test_an_invocation_that_a_crash_cut_off_is_reported(tmp_path: Path, open_store) -> None:
    """A start without an end gets END and REPORT up to its last sign of life, marked as failed, once."""

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        async with open_store(clock) as store:
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            log = server.stream()
            log.started("whole", "$LATEST", 128, 3, ["START whole\n"])
            log.ended("whole", ["END whole\n"])
            log.started("cut", "$LATEST", 256, 3, ["START cut\n"])
            await server.logs.fold()
            clock.advance(0.5)
            log.output(["alive\n"])
            server.killed()
            for later in (60, 120):
                server = Server(tmp_path / "segments", store, VirtualClock(now=1_000.0 + later))
                await server.logs.recover()
                await server.logs.close()
            assert (await messages(store))[2:] == [
                "START cut\n",
                "alive\n",
                "END RequestId: cut\n",
                "REPORT RequestId: cut\tDuration: 500.00 ms\tBilled Duration: 500 ms\tMemory Size: 256 MB\t"
                "Max Memory Used: 0 MB\tStatus: error\tError Type: Sandbox.Failure\n",
            ]
            assert list(await store.open_invocations()) == []

    run(story)


def test_an_invocation_in_flight_over_several_folds_is_closed(tmp_path: Path, open_store) -> None:
    """Start and end may be commits apart; a retry under the same id stays open until its own end."""

    async def story() -> None:
        clock = VirtualClock()
        async with open_store(clock) as store:
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            log = server.stream()
            log.started("id", "$LATEST", 128, 3, ["START\n"])
            await server.logs.fold()
            assert [invocation.request_id for invocation in await store.open_invocations()] == ["id"]
            log.ended("id", ["END\n"])
            log.started("id", "$LATEST", 128, 3, ["START\n"])
            await server.logs.fold()
            assert [invocation.request_id for invocation in await store.open_invocations()] == ["id"]
            log.ended("id", ["END\n"])
            await server.logs.fold()
            assert list(await store.open_invocations()) == []
            await server.logs.close()

    run(story)


def test_usage_goes_by_the_clock_and_not_by_the_stream(tmp_path: Path) -> None:
    """What is counted is of the hour that the clock says, also where the stream waits for it to catch up."""

    async def story() -> None:
        clock = VirtualClock(now=10_000.0)
        server = Server(tmp_path, MemoryLogStore(clock), clock)
        log = server.stream()
        assert log.started("id-1", "$LATEST", 128, 3, []) == 10_000_000
        clock.set_wall(-3_600)
        assert log.started("id-2", "$LATEST", 128, 3, []) == 6_400_000
        await server.logs.close()

    run(story)


def test_timestamps_never_go_back_within_a_stream(tmp_path: Path) -> None:
    """When the machine's clock is set back, a stream's events still ascend."""

    class Jumping(VirtualClock):
        offset = 0.0

        def now(self) -> float:
            return super().now() + self.offset

    async def story() -> None:
        clock = Jumping(now=1_000.0)
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        log = server.stream()
        log.output(["one"])
        clock.offset = -500
        log.output(["two"])
        server.stream("other").output(["three"])
        await server.logs.fold()
        assert {event.message: event.timestamp_ms for event in await stored(store)} == {
            "one": 1_000_000,
            "two": 1_000_000,
            "three": 500_000,
        }
        await server.logs.close()

    run(story)


def test_much_output_is_folded_in_bounded_commits(tmp_path: Path, open_store) -> None:
    """Tens of thousands of lines arrive whole and in order; no commit is much larger than its limit."""

    async def story() -> None:
        clock = VirtualClock()
        async with open_store(clock) as store:
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            log = server.stream()
            sent = [f"line {number}\n" for number in range(21_000)]
            log.output(sent[:15_000])
            for start in range(15_000, 21_000, 10):
                log.output(sent[start : start + 10])
            await server.logs.fold()
            assert await messages(store) == sent
            if isinstance(store, MemoryLogStore):
                assert max(store.fold_sizes) < BATCH_EVENTS_MAX + logs_module.RECORD_MESSAGES_MAX
            await server.logs.close()

    run(story)


def test_folds_that_overlap_share_the_work_and_each_sees_what_it_should(tmp_path: Path) -> None:
    """A reader that comes while a fold runs waits for that one, and for one more if it wrote something meanwhile."""

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        log = server.stream()
        log.output(["first"])
        late: list[asyncio.Task[None]] = []

        def write_meanwhile() -> None:
            if not late:
                log.output(["second"])
                late.append(asyncio.create_task(server.logs.fold()))

        store.before_fold = write_meanwhile
        await asyncio.gather(*(server.logs.fold() for _ in range(5)))
        assert await messages(store) == ["first"]
        await late[0]
        assert await messages(store) == ["first", "second"]
        # Whether the first run already saw the second line is the scheduler's business.
        folded = list(store.fold_sizes)
        assert folded in ([1, 1], [2])
        await server.logs.fold()
        assert store.fold_sizes == folded
        await server.logs.close()

    run(story)


def test_a_reader_that_comes_in_the_last_moment_of_a_fold_begins_another(tmp_path: Path) -> None:
    """A fold that has ended, but has not been cleared away yet, is not waited for once more."""

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        log = server.stream()
        late: list[asyncio.Task[None]] = []
        genuine = server.segments.drop_folded

        def write_meanwhile(position: LogPosition) -> None:
            genuine(position)
            if not late:
                log.output(["second"])
                late.append(asyncio.create_task(server.logs.fold()))

        server.segments.drop_folded = write_meanwhile  # type: ignore[method-assign]
        log.output(["first"])
        await server.logs.fold()
        await late[0]
        assert await messages(store) == ["first", "second"]
        await server.logs.close()

    run(story)


def test_what_was_written_is_folded_when_it_is_quiet_and_then_no_timer_is_left(tmp_path: Path) -> None:
    """A second after the last record it is folded without being asked; a server at rest has no timer."""

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        log = server.stream()
        assert clock.timer_count == 0
        log.output(["one"])
        server.logs.write_now()
        clock.advance(FOLD_AFTER_S * 0.75)
        log.output(["two"])
        server.logs.write_now()
        clock.advance(FOLD_AFTER_S * 0.75)
        await asyncio.sleep(0.01)
        assert store.fold_sizes == []
        clock.advance(FOLD_AFTER_S * 0.25)
        await until(lambda: store.fold_sizes == [2])
        clock.advance(SYNC_AFTER_S)
        await until(lambda: not server.segments.is_syncing)
        clock.advance(SYNC_AFTER_S)
        assert clock.timer_count == 0
        await server.logs.close()

    run(story)


class Follower:
    """Implements `UsageFollower`: says what it surrounds."""

    def __init__(self, *, is_urgent: bool) -> None:
        self.is_urgent = is_urgent
        self.seen: list[str] = []

    @asynccontextmanager
    async def folding(self, usage: NewUsage) -> AsyncIterator[None]:
        self.seen.append(f"{len(usage.records)} come")
        try:
            yield
        except DependencyError:
            self.seen.append("who knows")
            raise
        self.seen.append("stored")


def test_who_follows_usage_surrounds_each_commit(tmp_path: Path) -> None:
    """And hears of one of which nobody knows whether it came through."""

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)

        def fail() -> None:
            raise DependencyError("database is locked", retryable=True)

        server, follower = Server(tmp_path, store, clock), Follower(is_urgent=False)
        server.logs.follow_usage(follower)
        log = server.stream()
        log.ended("id", ["END"], function="f", version="1")
        store.before_fold = fail
        with pytest.raises(DependencyError):
            await server.logs.fold()
        store.before_fold = lambda: None
        await server.logs.fold()
        assert follower.seen == ["1 come", "who knows", "1 come", "stored"]
        await server.logs.close()

    run(story)


@pytest.mark.parametrize(("is_urgent", "within_s"), [(True, FOLLOWED_WITHIN_S), (False, FOLD_WITHIN_S)])
def test_under_constant_writing_what_is_urgent_is_folded_soon(tmp_path: Path, is_urgent: bool, within_s: float) -> None:
    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        server.logs.follow_usage(Follower(is_urgent=is_urgent))
        log = server.stream()
        written_s = 0.0
        while written_s < within_s:
            log.output(["one"])
            # It is written at the end of the turn.
            await asyncio.sleep(0)
            assert store.fold_sizes == []
            clock.advance(0.25)
            written_s += 0.25
        await until(lambda: store.fold_sizes != [])
        await server.logs.close()

    run(story)


def test_constant_load_is_folded_when_much_has_piled_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a quiet second, size decides: segment files do not grow for ever."""

    async def story() -> None:
        monkeypatch.setattr(logs_module, "UNFOLDED_BYTES_MAX", 10_000)
        clock = VirtualClock()
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        log = server.stream()
        for number in range(90):
            log.output(["x" * 100])
            assert store.fold_sizes == [], number
        for _ in range(20):
            log.output(["x" * 100])
        await until(lambda: sum(store.fold_sizes) > 0)
        await server.logs.close()

    run(story)


def test_a_store_that_fails_loses_nothing(tmp_path: Path) -> None:
    """The reader hears of it, the records stay, and the fold is tried again, even if the commit came through."""

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)

        def fail() -> None:
            raise DependencyError("database is locked", retryable=True)

        server = Server(tmp_path, store, clock)
        log = server.stream()
        log.output(["one"])
        store.before_fold = fail
        with pytest.raises(DependencyError):
            await server.logs.fold()
        clock.advance(FOLD_AFTER_S)
        assert store.fold_sizes == []
        store.before_fold = lambda: None
        clock.advance(RETRY_AFTER_S)
        await until(lambda: store.fold_sizes == [1])
        # A commit whose answer was lost: the store has it, we do not know.
        log.output(["two"])
        genuine = store.fold

        async def lost_answer(*arguments: Any, **named: Any) -> None:
            await genuine(*arguments, **named)
            fail()

        store.fold = lost_answer  # type: ignore[assignment,method-assign]
        with pytest.raises(DependencyError):
            await server.logs.fold()
        store.fold = genuine  # type: ignore[method-assign]
        log.output(["three"])
        await server.logs.fold()
        assert await messages(store) == ["one", "two", "three"]
        await server.logs.close()

    run(story)


def test_close_with_a_failing_store_leaves_the_records_for_the_next_start(tmp_path: Path) -> None:
    """A server that cannot fold at its end stops all the same."""

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)

        def fail() -> None:
            raise DependencyError("disk I/O error", retryable=False)

        server = Server(tmp_path, store, clock)
        server.stream().output(["kept"])
        store.before_fold = fail
        await server.logs.close()
        assert clock.timer_count == 0
        store.before_fold = lambda: None
        server = Server(tmp_path, store, clock)
        await server.logs.recover()
        assert await messages(store) == ["kept"]
        await server.logs.close()

    run(story)


def test_a_torn_record_costs_itself_only(tmp_path: Path, open_store) -> None:
    """What a power cut tore is passed over; what came before and after is stored."""

    async def story() -> None:
        clock = VirtualClock()
        async with open_store(clock) as store:
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            server.stream().output(["before"])
            server.stream().output(["torn"])
            server.killed()
            (path,) = (tmp_path / "segments").iterdir()
            os.truncate(path, path.stat().st_size - 1)
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            server.stream().output(["after"])
            await server.logs.fold()
            assert await messages(store) == ["before", "after"]
            await server.logs.close()

    run(story)


def test_a_record_of_another_version_is_passed_over(tmp_path: Path) -> None:
    """What this version cannot read does not keep it from reading the rest."""

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        server.stream().output(["one"])
        server.segments.append(b"\x91\xa5later")
        server.stream().output(["two"])
        await server.logs.fold()
        assert await messages(store) == ["one", "two"]
        await server.logs.close()

    run(story)


def test_a_lone_surrogate_does_not_fail_the_log(tmp_path: Path) -> None:
    """An error type from a runtime's JSON may hold what UTF-8 cannot; it is replaced."""

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        server.stream().ended("id", ["Error Type: \ud800"])
        await server.logs.fold()
        assert await messages(store) == ["Error Type: ?"]
        await server.logs.close()

    run(story)


def test_a_sweep_that_found_some_is_followed_soon(tmp_path: Path) -> None:
    """It takes a second at most, so there may be more: the next comes with a fold ten seconds later."""

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        server.stream().output(["old"])
        await server.logs.fold()
        await store.set_retention(SCOPE, GROUP, 1)
        clock.advance(2 * 86_400)
        sweeps = []
        for wait_s in (0, SWEEP_AGAIN_S / 2, SWEEP_AGAIN_S / 2, SWEEP_AGAIN_S):
            clock.advance(wait_s)
            server.stream().output(["x"])
            await server.logs.fold()
            sweeps.append(store.sweep_count)
        # The second of all found some; the third, which found none, is the last for an hour.
        assert sweeps == [2, 2, 3, 3]
        await server.logs.close()

    run(story)


def test_expired_events_are_swept_at_most_hourly(tmp_path: Path) -> None:
    """Retention deletes at the start and then while there is something to fold, once an hour."""

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)
        server = Server(tmp_path, store, clock)
        await server.logs.recover()
        assert store.sweep_count == 1
        for _ in range(4):
            server.stream().output(["x"])
            await server.logs.fold()
            clock.advance(SWEEP_EVERY_S / 2)
        assert store.sweep_count == 2
        await server.logs.close()

    run(story)


def test_the_end_waits_for_a_sweep(tmp_path: Path) -> None:
    """Also where all is folded that there is: whoever has closed it may close the store."""

    class Sweeping(MemoryLogStore):
        async def drop_expired(self, now_ms: int) -> int:
            begun.set()
            await let_go.wait()
            return await super().drop_expired(now_ms)

    async def story() -> None:
        clock = VirtualClock()
        store = Sweeping(clock)
        server = Server(tmp_path, store, clock)
        server.stream().output(["one"])
        folding = asyncio.create_task(server.logs.fold())
        await begun.wait()
        asyncio.get_running_loop().call_later(0.05, let_go.set)
        await server.logs.close()
        assert store.sweep_count == 1
        assert "logs.fold" not in {task.get_name() for task in asyncio.all_tasks()}
        await folding

    begun, let_go = asyncio.Event(), asyncio.Event()
    run(story)


def test_a_commit_that_was_refused_is_nothing_but_a_failed_fold(tmp_path: Path) -> None:
    """On SQLite: another process that holds the database makes the fold fail, later it succeeds."""

    async def story() -> None:
        clock = VirtualClock()
        path = tmp_path / "state.db"
        await asyncio.to_thread(migrate, path)
        async with Database(path) as database:
            store = LogRepository(database, clock)
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            server.stream().output(["one"])
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("ALTER TABLE log_events RENAME TO hidden")
            with pytest.raises(DependencyError):
                await server.logs.fold()
            other.execute("ALTER TABLE hidden RENAME TO log_events")
            other.close()
            await server.logs.fold()
            assert await messages(store) == ["one"]
            await server.logs.close()

    run(story)


def test_events_of_other_writers_are_in_the_store_when_put_returns(tmp_path: Path, open_store) -> None:
    """With their own times and one of ingestion; calls at once share a commit; what no encoding has is marked."""

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        async with open_store(clock) as store:
            server = Server(tmp_path / "segments", store, clock)
            await server.logs.recover()
            put = server.logs.put
            taken = await asyncio.gather(
                put(SCOPE, GROUP, "s", [(5, "five"), (7, "seven\ud800")]), put(SCOPE, GROUP, "t", [(6, "six\n")])
            )
            assert taken == [1_000_000, 1_000_000]
            assert [
                (event.stream, event.timestamp_ms, event.ingestion_ms, event.message) for event in await stored(store)
            ] == [
                ("s", 5, 1_000_000, "five"),
                ("t", 6, 1_000_000, "six\n"),
                ("s", 7, 1_000_000, "seven?"),
            ]
            if isinstance(store, MemoryLogStore):
                assert store.fold_sizes[-1] == 3
            await server.logs.close()

    run(story)


def test_events_that_the_disk_refuses_are_not_acknowledged(tmp_path: Path) -> None:
    """Whoever put them hears of it, and may come again."""

    async def story() -> None:
        clock = VirtualClock()
        server = Server(tmp_path / "segments", MemoryLogStore(clock), clock)
        server.segments.append = lambda *payloads: 0  # type: ignore[method-assign]
        with pytest.raises(DependencyError) as caught:
            await server.logs.put(SCOPE, GROUP, "s", [(5, "five")])
        assert caught.value.retryable
        await server.logs.close()

    run(story)


def test_a_log_says_what_it_lacks(tmp_path: Path) -> None:
    """Messages that a full disk did not take are counted in the log, once it takes any again."""

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        store = MemoryLogStore(clock)
        server = Server(tmp_path / "segments", store, clock)
        log = server.stream()
        genuine = server.segments.append
        log.output(["before\n"])
        server.logs.write_now()
        server.segments.append = lambda *payloads: 0  # type: ignore[method-assign]
        log.output(["lost\n", "l\u00f6st\n"])
        server.logs.write_now()
        log.output(["lost\n"])
        server.logs.write_now()
        server.segments.append = genuine  # type: ignore[method-assign]
        log.output(["after\n"])
        log.output(["and on\n"])
        await server.logs.fold()
        before, told, *after = await messages(store)
        assert (before, after) == ("before\n", ["after\n", "and on\n"])
        assert msgspec.json.decode(told) == {
            "time": "1970-01-01T00:16:40.000Z",
            "type": "platform.logsDropped",
            "record": {"reason": "the disk took no records", "droppedRecords": 3, "droppedBytes": 16},
        }
        await server.logs.close()

    run(story)


def test_who_waits_for_a_fold_is_called_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is behind says so until it has folded; a fold that fails calls as well: nobody waits for ever."""
    monkeypatch.setattr(logs_module, "BEHIND_BYTES", 1_000)

    async def story() -> None:
        clock = VirtualClock()
        store = MemoryLogStore(clock)
        server = Server(tmp_path / "segments", store, clock)
        calls: list[bool] = []

        def resume() -> None:
            calls.append(server.logs.is_behind)

        server.stream().output(["x" * 500])
        assert not server.logs.is_behind
        server.stream().output(["x" * 600])
        assert server.logs.is_behind
        server.logs.when_folded(resume)
        await until(lambda: len(calls) == 1)
        assert calls == [False]

        def fail() -> None:
            raise DependencyError("no", retryable=True)

        server.stream().output(["x" * 2_000])
        store.before_fold = fail
        server.logs.when_folded(resume)
        await until(lambda: len(calls) == 2)
        assert calls == [False, True]
        store.before_fold = lambda: None
        await server.logs.fold()
        assert len(calls) == 2
        await server.logs.close()

    run(story)
