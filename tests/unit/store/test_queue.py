"""The event queue against a model too simple to be wrong, and what its group commit does when the disk fails."""

import asyncio
import contextlib
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection

from lambent.domain.caller import Scope
from lambent.errors.families import DependencyError
from lambent.store import queue as module
from lambent.store.blobs import FileBlobs
from lambent.store.contract import (
    BODY_INLINE_MAX_BYTES,
    Blob,
    Depth,
    Done,
    Extend,
    Hold,
    NewEvent,
    Outcome,
    QueueKind,
    QueueName,
    QueueRules,
    Receipt,
    Retry,
    Step,
)
from lambent.store.database import Database
from lambent.store.queue import DurableEventQueue
from lambent.testing.stores import OpenQueue, make_sqlite, open_queue
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope(account="111122223333", region="eu-west-1")
STANDARD = QueueName(SCOPE, QueueKind.SQS, "standard")
FIFO = QueueName(SCOPE, QueueKind.SQS, "fifo")
QUEUES = st.sampled_from([STANDARD, FIFO])
SECONDS = st.integers(0, 20)
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass
class Known:
    """An event as the model knows it. `due` orders as the engine's time does: milliseconds, then turns."""

    id: str
    group: str | None
    due: tuple[int, int]
    epoch: int = 0
    is_leased: bool = False


class QueueMachine(RuleBasedStateMachine):
    """
    Does things to a queue and to lists of what it must hold.

    Time passes in whole seconds and a millisecond more, so that nothing is due at the very moment that is asked for.
    """

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.stack = contextlib.ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))
        make_sqlite(self.folder / "state.db")
        self.clock = VirtualClock()
        self.known: dict[QueueName, dict[int, Known]] = {STANDARD: {}, FIFO: {}}
        self.receipts: list[Receipt] = []
        self.turns = 0
        self.names = 0
        self.open()
        for queue in (STANDARD, FIFO):
            self.run(self.queue.define(queue, QueueRules(is_fifo=queue is FIFO)))

    def open(self) -> None:
        self.opened = contextlib.AsyncExitStack()

        async def enter() -> OpenQueue:
            database = await self.opened.enter_async_context(Database(self.folder / "state.db"))
            return await self.opened.enter_async_context(open_queue(database, self.folder / "payloads", self.clock))

        self.queue = self.run(enter()).queue

    def run(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(step)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.run(self.opened.aclose())
            self.loop.close()
            self.stack.close()

    def due(self, seconds: int) -> tuple[int, int]:
        self.turns += 1
        return round(self.clock.monotonic() * 1000) + seconds * 1000, self.turns

    def is_due(self, known: Known) -> bool:
        return known.due[0] <= round(self.clock.monotonic() * 1000)

    @rule(queue=QUEUES, count=st.integers(1, 4), delay_s=SECONDS, data=st.data())
    def put(self, queue: QueueName, count: int, delay_s: int, data: st.DataObject) -> None:
        events = []
        for _ in range(count):
            self.names += 1
            group = data.draw(st.sampled_from("gh")) if queue is FIFO else None
            events.append(NewEvent(queue, f"e{self.names}", b"", delay_s=delay_s, group=group))
        for event, stored in zip(events, self.run(self.queue.put(events)), strict=True):
            self.known[queue][stored.sequence] = Known(event.id, event.group, self.due(delay_s))

    @rule(most=st.integers(1, 6), lease_s=SECONDS)
    def claim(self, most: int, lease_s: int) -> None:
        expected = sorted(filter(self.is_due, self.known[STANDARD].values()), key=lambda known: known.due)[:most]
        claims = self.run(self.queue.claim({STANDARD: most}, lease_s)).claims
        assert [found.id for found in claims] == [known.id for known in expected]
        self.lease(STANDARD, [found.receipt for found in claims], lease_s)

    @rule(most=st.integers(1, 6), lease_s=SECONDS)
    def claim_groups(self, most: int, lease_s: int) -> None:
        ready: dict[str, list[str]] = {}
        for group in "gh":
            for _, known in sorted(self.known[FIFO].items()):
                if known.group == group:
                    if not self.is_due(known):
                        break
                    ready.setdefault(group, []).append(known.id)
        claims = self.run(self.queue.claim({FIFO: most}, lease_s)).claims
        assert len(claims) == min(most, sum(len(ids) for ids in ready.values()))
        groups = list(dict.fromkeys(found.group for found in claims))
        for group in groups:
            ids = [found.id for found in claims if found.group == group]
            # As far as possible from one group before the next one.
            assert ids == ready[group][: len(ids)]
            assert group == groups[-1] or ids == ready[group]
        self.lease(FIFO, [found.receipt for found in claims], lease_s)

    def lease(self, queue: QueueName, receipts: list[Receipt], lease_s: int) -> None:
        for receipt in receipts:
            known = self.known[queue][receipt.sequence]
            known.epoch += 1
            assert receipt.epoch == known.epoch
            known.due = self.due(lease_s)
            known.is_leased = lease_s > 0
            self.receipts.append(receipt)

    @precondition(lambda self: self.receipts)
    @rule(data=st.data(), hold=st.sampled_from(Hold), seconds=SECONDS)
    def settle(self, data: st.DataObject, hold: Hold, seconds: int) -> None:
        receipt = data.draw(st.sampled_from(self.receipts))
        step: Step = data.draw(
            st.sampled_from(
                [Done(receipt, hold=hold), Retry(receipt, seconds, hold=hold), Extend(receipt, seconds, hold=hold)]
            )
        )
        known = self.known[receipt.queue].get(receipt.sequence)
        if known is None:
            expected = Outcome.GONE
        elif hold is not Hold.ANY and known.epoch != receipt.epoch:
            expected = Outcome.LOST
        elif hold is Hold.UNEXPIRED and (not known.is_leased or self.is_due(known)):
            expected = Outcome.EXPIRED
        else:
            expected = Outcome.HAPPENED
            if isinstance(step, Done):
                del self.known[receipt.queue][receipt.sequence]
            else:
                known.due = self.due(seconds)
                known.is_leased = isinstance(step, Extend) and seconds > 0
        assert self.run(self.queue.settle([step])) == [expected]

    @rule(queue=QUEUES)
    def purge(self, queue: QueueName) -> None:
        assert self.run(self.queue.purge(queue))
        self.known[queue].clear()

    @rule(seconds=SECONDS, wall_s=st.sampled_from([0, -3600]))
    def wait(self, seconds: int, wall_s: int) -> None:
        self.clock.advance(seconds + 0.001)
        self.clock.set_wall(wall_s)

    @rule()
    def sweep(self) -> None:
        self.run(self.queue.sweep())

    @rule()
    def reopen(self) -> None:
        # Time between two processes is by the wall clock, which the model does not follow back.
        self.clock.set_wall(1_795_000_000.0 + self.clock.monotonic() - self.clock.now())
        self.run(self.opened.aclose())
        self.open()

    @invariant()
    def it_holds_what_it_must(self) -> None:
        if not hasattr(self, "opened"):
            return
        for queue, found in self.run(self.queue.depth([STANDARD, FIFO])).items():
            later = [known for known in self.known[queue].values() if not self.is_due(known)]
            in_flight = sum(known.is_leased for known in later)
            expected = Depth(
                waiting=len(self.known[queue]) - len(later),
                delayed=len(later) - in_flight,
                in_flight=in_flight,
                oldest_age_s=found.oldest_age_s,
            )
            assert found == expected


TestAgainstAModel = QueueMachine.TestCase
TestAgainstAModel.settings = settings(stateful_step_count=30)


class FailingDatabase:
    """A real database whose commits fail when told to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fails: Callable[[int], DependencyError | None] = lambda _: None
        self.commits = 0
        self.look = database.look

    async def apply(self, work: Callable[[Connection], Any]) -> Any:
        self.commits += 1
        if (failure := self.fails(self.commits)) is not None:
            raise failure
        return await self._database.apply(work)


@contextlib.asynccontextmanager
async def failing_queue(tmp_path: Path) -> AsyncIterator[tuple[DurableEventQueue, FailingDatabase]]:
    make_sqlite(tmp_path / "state.db")
    async with Database(tmp_path / "state.db") as database:
        failing = FailingDatabase(database)
        async with DurableEventQueue(failing, FileBlobs(tmp_path / "payloads"), VirtualClock()) as queue:
            await queue.define(STANDARD, QueueRules())
            failing.commits = 0
            yield queue, failing


def new(name: str, body: bytes = b"") -> NewEvent:
    return NewEvent(STANDARD, name, body)


def test_calls_share_commits(tmp_path: Path) -> None:
    """What comes while a commit is under way shares the next one, up to what one commit may take."""

    async def run() -> None:
        async with failing_queue(tmp_path) as (queue, database):
            await asyncio.gather(*(queue.put([new(f"{number}")]) for number in range(module.BATCH_ROWS_MAX)))
            assert database.commits == 1
            await asyncio.gather(*(queue.put([new(f"{number}")]) for number in range(module.BATCH_ROWS_MAX + 1)))
            assert database.commits == 3

    asyncio.run(run())


def test_one_bad_call_fails_alone(tmp_path: Path) -> None:
    """When a commit fails for good, each of its calls is tried by itself; a failure that passes is told to all."""

    async def run() -> None:
        async with failing_queue(tmp_path) as (queue, database):
            database.fails = lambda commit: DependencyError("full", retryable=False) if commit in (1, 3) else None
            outcomes = await asyncio.gather(*(queue.put([new(f"{n}")]) for n in range(3)), return_exceptions=True)
            assert [isinstance(outcome, DependencyError) for outcome in outcomes] == [False, True, False]
            database.fails = lambda _: DependencyError("locked", retryable=True)
            database.commits = 0
            outcomes = await asyncio.gather(*(queue.put([new(f"{n}")]) for n in range(3)), return_exceptions=True)
            assert [isinstance(outcome, DependencyError) for outcome in outcomes] == [True] * 3
            assert database.commits == 1
            database.fails = lambda _: None
            assert (await queue.depth([STANDARD]))[STANDARD].waiting == 2

    asyncio.run(run())


def test_too_many_calls_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that wait for the disk are bounded."""
    monkeypatch.setattr(module, "CALLS_WAITING_MAX", 2)

    async def run() -> None:
        async with failing_queue(tmp_path) as (queue, _):
            outcomes = await asyncio.gather(*(queue.put([new(f"{n}")]) for n in range(3)), return_exceptions=True)
            assert isinstance(outcomes[2], DependencyError)
            assert not any(isinstance(outcome, BaseException) for outcome in outcomes[:2])

    asyncio.run(run())


def test_closing_waits_for_what_was_taken(tmp_path: Path) -> None:
    """A call that was taken is on disk when the queue is closed; later ones are refused."""

    async def run() -> None:
        async with failing_queue(tmp_path) as (queue, _):
            taken = asyncio.create_task(queue.put([new("a")]))
            await asyncio.sleep(0)
            await queue.close()
            assert taken.done()
            with pytest.raises(DependencyError, match="closed"):
                await queue.put([new("b")])

    asyncio.run(run())


def grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)


@pytest.mark.parametrize("body_bytes", [8_000, BODY_INLINE_MAX_BYTES + 1])
def test_a_full_disk(small_disk: Path, body_bytes: int) -> None:
    """Puts are refused while the disk is full, what was put is all there, and with room again it goes on."""

    async def run() -> None:
        async with failing_queue(small_disk) as (queue, _):
            stored = []
            for _ in range(2):
                with pytest.raises(DependencyError):
                    for number in range(len(stored), 1_000):
                        await queue.put([new(f"{number}", f"{number}".encode().ljust(body_bytes))])
                        stored.append(f"{number}")
            assert len(stored) > 20
            await asyncio.to_thread(grow, small_disk)
            assert (await queue.depth([STANDARD]))[STANDARD].waiting == len(stored)
            await queue.put([new("after", b"after".ljust(body_bytes))])
            found = (await queue.claim({STANDARD: 1_000}, 30)).claims
            assert [claim.id for claim in found] == [*stored, "after"]
            assert [claim.body for claim in found] == [claim.id.encode().ljust(body_bytes) for claim in found]
            assert set(await queue.settle([Done(claim.receipt) for claim in found])) == {Outcome.HAPPENED}
            await queue.sweep()
            assert list((small_disk / "payloads").glob("*/*")) == []

    asyncio.run(run())


@pytest.mark.parametrize("begins_in_commit", [False, True])
def test_a_hold_keeps_bodies(tmp_path: Path, begins_in_commit: bool) -> None:
    """While they are held no body goes, also where the sweep has begun before; afterwards what is unused goes."""

    async def run() -> None:
        async with failing_queue(tmp_path) as (queue, database):
            await queue.put([new("a", bytes(BODY_INLINE_MAX_BYTES + 1))])
            ((claim,), _) = msgspec.structs.astuple(await queue.claim({STANDARD: 1}, 30))
            await queue.settle([Done(claim.receipt)])
            with contextlib.ExitStack() as held:

                def hold(_: int) -> None:
                    database.fails = lambda _: None
                    held.enter_context(queue.hold_bodies())

                if begins_in_commit:
                    database.fails = hold
                else:
                    hold(0)
                for _ in range(2):
                    await queue.sweep()
                    assert len(list((tmp_path / "payloads").glob("*/*"))) == 1
            await queue.sweep()
            assert list((tmp_path / "payloads").glob("*/*")) == []

    asyncio.run(run())


def test_a_body_that_is_swept_before_its_commit_is_stored_again(tmp_path: Path) -> None:
    """A put finds that the file is gone, whoever took it; when that never ends it says so and nothing is put."""
    losses = 0

    class Losing(FileBlobs):
        """Loses what was stored last, a number of times."""

        async def put(self, body: bytes) -> Blob:
            nonlocal losses
            stored = await super().put(body)
            if losses:
                losses -= 1
                self.remove(stored.sha256)
            return stored

    async def run() -> None:
        nonlocal losses
        make_sqlite(tmp_path / "state.db")
        async with (
            Database(tmp_path / "state.db") as database,
            DurableEventQueue(database, Losing(tmp_path / "payloads"), VirtualClock()) as queue,
        ):
            await queue.define(STANDARD, QueueRules())
            long = bytes(BODY_INLINE_MAX_BYTES + 1)
            losses = 2
            await queue.put([new("a", long)])
            ((claim,), _) = msgspec.structs.astuple(await queue.claim({STANDARD: 5}, 30))
            assert claim.body == long
            losses = 100
            with pytest.raises(DependencyError, match="vanish"):
                await queue.settle([Done(claim.receipt, then=(new("b", long[1:] + b"1"),))])
            assert (await queue.depth([STANDARD]))[STANDARD].in_flight == 1

    asyncio.run(run())


def test_a_body_that_cannot_be_read(tmp_path: Path) -> None:
    """It keeps no other event from being claimed, of its queue or of another one, and comes again when it can be."""

    class Broken(FileBlobs):
        is_broken = True

        async def read(self, sha256: str) -> bytes:
            if self.is_broken:
                raise DependencyError("no such sector", retryable=False)
            return await super().read(sha256)

    async def run() -> None:
        make_sqlite(tmp_path / "state.db")
        clock = VirtualClock()
        payloads = Broken(tmp_path / "payloads")
        other = QueueName(SCOPE, QueueKind.SQS, "other")
        async with (
            Database(tmp_path / "state.db") as database,
            DurableEventQueue(database, payloads, clock) as queue,
        ):
            await queue.define(STANDARD, QueueRules())
            await queue.define(other, QueueRules())
            await queue.put([new("long", bytes(BODY_INLINE_MAX_BYTES + 1)), new("short")])
            await queue.put([NewEvent(other, "elsewhere", b"{}")])
            claimed = await queue.claim({STANDARD: 1, other: 1}, 30)
            assert [claim.id for claim in claimed.claims] == ["elsewhere"]
            assert claimed.next_due_s[STANDARD] == 0
            assert [claim.id for claim in (await queue.claim({STANDARD: 5}, 30)).claims] == ["short"]
            payloads.is_broken = False
            clock.advance(31)
            assert {claim.id for claim in (await queue.claim({STANDARD: 5}, 30)).claims} == {"long", "short"}

    asyncio.run(run())


def test_a_callback_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was put is put, whoever stumbles over the news."""

    async def run() -> None:
        async with failing_queue(tmp_path) as (queue, _):
            told: list[QueueName] = []

            def stumble(of: QueueName, due_s: float) -> None:
                raise RuntimeError(of.name)

            queue.on_due(stumble)
            queue.on_due(lambda of, _: told.append(of))
            await queue.put([new("a")])
            assert told == [STANDARD]

    asyncio.run(run())
    assert "queue.callback_failed" in caplog.text


def test_a_start_reads_no_event_that_waits(tmp_path: Path) -> None:
    """
    What a start and its first sweep ask takes as many steps of SQLite's machine with thousands of events as with a few,
    and no step goes over all of them, as one that counts them would: a million that wait cost a start nothing.
    """
    steps = 0
    asked: set[str] = set()

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    class Counted(Database):
        def _open(self) -> sqlite3.Connection:
            connection = super()._open()
            connection.set_progress_handler(count, 1)
            connection.set_trace_callback(asked.add)
            return connection

    queues = [QueueName(SCOPE, kind, f"{kind.value}-queue") for kind in QueueKind]

    async def fill(folder: Path, waiting: int) -> None:
        async with (
            Database(folder / "state.db") as database,
            open_queue(database, folder / "payloads", VirtualClock()) as opened,
        ):
            for queue in queues:
                await opened.queue.define(queue, QueueRules(retention_s=3600))
                await opened.queue.put([NewEvent(queue, f"{number}", b"x") for number in range(waiting)])
                claimed = await opened.queue.claim({queue: 2}, 600)
                assert len(claimed.claims) == 2

    async def start(folder: Path) -> None:
        async with (
            Counted(folder / "state.db") as database,
            open_queue(database, folder / "payloads", VirtualClock()) as opened,
        ):
            for kind in (QueueKind.ASYNC, QueueKind.DESTINATION):
                assert await opened.queue.give_back(kind) == 2
            for kind in QueueKind:
                assert len(await opened.queue.filled(kind)) == 1
            await opened.queue.sweep()

    taken = []
    for name, waiting in (("few", 10), ("many", 2_000)):
        folder = tmp_path / name
        folder.mkdir()
        make_sqlite(folder / "state.db")
        asyncio.run(fill(folder, waiting))
        steps = 0
        asyncio.run(start(folder))
        taken.append(steps)
    assert taken[0] == taken[1] > 0
    with contextlib.closing(sqlite3.connect(tmp_path / "many" / "state.db")) as connection:
        for statement in asked:
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
                assert not [step for step in plan if step.startswith("SCAN queued_events")], (statement, plan)
