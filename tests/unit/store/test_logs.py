"""What the log repository does beyond the store's suite: chunks, indexes, and sweeping up after a crash."""

import asyncio
import contextlib
import itertools
import random
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lambent.domain.caller import Scope
from lambent.errors.families import DependencyError
from lambent.store import log_reading, log_writing
from lambent.store.contract import EventCursor, LogEvent, LogPage, LogPosition, LogStore, NewLogEvent
from lambent.store.database import READERS_MAX, Database
from lambent.store.logs import LogRepository
from lambent.store.tables import log_groups
from lambent.testing.log_store import MemoryLogStore
from lambent.testing.stores import Stores, make_sqlite, open_sqlite
from lambent.testing.virtual_clock import PATIENCE_S, VirtualClock

SCOPE = Scope(account="111122223333", region="eu-west-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_sqlite(tmp_path / "state.db")
    return tmp_path / "state.db"


def test_events_of_a_group_whose_deletion_was_cut_short_are_swept(path: Path) -> None:
    """A crash between deleting a group and sweeping its events leaves them to the next sweep, shown to nobody."""

    async def run() -> None:
        async with open_sqlite(str(path)) as stores:
            event = NewLogEvent(SCOPE, "g", "s", 1, 1, "x")
            await stores.logs.fold([event], [], [], LogPosition(1, 1))
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("INSERT INTO deleted_log_groups SELECT id FROM log_groups")
            connection.execute("DELETE FROM log_groups")
        async with open_sqlite(str(path)) as stores:
            await stores.logs.fold([event], [], [], LogPosition(1, 2))
            assert len(await stores.logs.events(SCOPE, "g", limit=10)) == 1
            assert await stores.logs.drop_expired(0) == 1
            assert await stores.logs.drop_expired(0) == 0
            assert len(await stores.logs.events(SCOPE, "g", limit=10)) == 1
        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT count(*) FROM log_events").fetchone() == (1,)
            assert connection.execute("SELECT count(*) FROM deleted_log_groups").fetchone() == (0,)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("e.group_id = 1", "log_events_by_group"),
        ("e.stream_id = 1", "log_events_by_stream"),
        ("e.group_id = 1 AND s.name IN ('a', 'b')", "log_events_by_group"),
    ],
)
def test_pages_of_events_walk_an_index(path: Path, where: str, index: str) -> None:
    """Reading a page neither scans a table nor sorts, however many events there are."""
    query = f"""
        SELECT s.name, e.message FROM log_events e JOIN log_streams s ON s.id = e.stream_id
        WHERE {where} AND (e.timestamp_ms, e.ingestion_ms, e.sequence) > (1, 2, 3)
        ORDER BY e.timestamp_ms DESC, e.ingestion_ms DESC, e.sequence DESC LIMIT 10
    """
    with sqlite3.connect(path) as connection:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    connection.close()
    assert index in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


# Chunks ----------------------------------------------------------------------------------------------------------


@dataclass
class Holding:
    """A pattern for messages that hold a text."""

    text: str
    looked_at: list[str] = field(default_factory=list)

    @property
    def literals(self) -> Sequence[str]:
        return [self.text]

    plain_literals = literals

    def matches(self, message: str) -> bool:
        self.looked_at.append(message)
        return self.text in message


@dataclass
class Both:
    """The real store and the fake, told the same."""

    stores: Stores
    fake: MemoryLogStore
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def real(self) -> LogStore:
        return self.stores.logs

    async def fold(self, events: Sequence[NewLogEvent]) -> None:
        position = LogPosition(1, next(self.numbers))
        for store in (self.real, self.fake):
            await store.fold(events, [], [], position)


def tell(path: Path, story: Callable[[Both], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_sqlite(str(path)) as stores:
            await story(Both(stores, MemoryLogStore(stores.clock)))

    asyncio.run(run())


def count(path: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return found


def written(chance: random.Random, amount: int, streams: str = "abc") -> list[NewLogEvent]:
    """Return events of few streams and times, as PutLogEvents may bring them."""
    now_ms = 1_000_000
    return [
        NewLogEvent(
            SCOPE,
            "g",
            chance.choice(streams),
            now_ms + chance.randrange(200),
            now_ms + 500,
            chance.choice(["ERROR it broke", "fine", "fine \\u0045", "x" * 60]) + f" {number}",
        )
        for number in range(amount)
    ]


async def pages(store: LogStore, most: int = 1_000, **wanted: Any) -> list[LogPage]:
    """Read on until there is no more, or enough."""
    found = [await store.page(SCOPE, "g", **wanted)]
    side = "before" if wanted.get("newest_first") else "after"
    while (place := found[-1].next) is not None and len(found) < most:
        found.append(await store.page(SCOPE, "g", **{**wanted, side: place}))
    return found


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have chunks of few events, so that a short story has many that overlap."""
    monkeypatch.setattr("lambent.store.log_chunks.CHUNK_EVENTS_MAX", 7)
    monkeypatch.setattr(log_writing, "CHUNK_AT_ONCE_EVENTS", 12)
    monkeypatch.setattr(log_writing, "LOOSE_EVENTS_MAX", 20)
    monkeypatch.setattr(log_writing, "IS_FULL", log_writing.log_groups.c.loose_events >= 20)
    monkeypatch.setattr(log_writing, "LOOSE_EVENTS_OLD", 5)
    monkeypatch.setattr(log_reading, "_HEADS_AT_ONCE", 3)
    monkeypatch.setattr(log_reading, "_ROWS_AT_ONCE", 4)


@pytest.mark.parametrize("seed", range(8))
def test_the_store_reads_like_its_fake(path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whatever is written, packed, deleted and asked for: pages hold the same events in the same order."""
    small(monkeypatch)
    chance = random.Random(seed)

    async def story(both: Both) -> None:
        for _ in range(8):
            await both.fold(written(chance, chance.choice([1, 3, 11, 40])))
            if chance.random() < 0.2:
                for store in (both.real, both.fake):
                    await store.delete_stream(SCOPE, "g", "b")
            if chance.random() < 0.3:
                await both.real.drop_expired(0)
            for _ in range(5):
                wanted: dict[str, Any] = {
                    "newest_first": chance.random() < 0.5,
                    "limit": chance.choice([1, 2, 10, 1_000]),
                    "bytes_max": chance.choice([None, 100, 400]),
                    "from_ms": chance.choice([None, 1_000_050]),
                    "before_ms": chance.choice([None, 1_000_120]),
                    "streams": chance.choice([None, None, ["a"], ["b", "c"], []]),
                    "stream_prefix": chance.choice([None, None, "c"]),
                    "pattern": chance.choice([None, Holding("ERROR"), Holding("fine")]),
                }
                real, fake = [
                    [list(page.events) for page in await pages(store, most=6, **wanted)]
                    for store in (both.real, both.fake)
                ]
                assert real == fake, wanted
                assert all(real[:-1]), "a page is empty though events remain"
        for store in (both.real, both.fake):
            group = await store.group(SCOPE, "g")
            assert group is not None
        real_group, fake_group = await both.real.group(SCOPE, "g"), await both.fake.group(SCOPE, "g")
        assert real_group is not None and fake_group is not None
        assert real_group.stored_bytes == fake_group.stored_bytes

    tell(path, story)
    assert count(path, "log_chunks") > 1


def test_much_at_once_never_becomes_rows(path: Path) -> None:
    """What a flood brings is packed on its way in; little stays rows until there is enough."""

    async def story(both: Both) -> None:
        await both.fold(written(random.Random(1), log_writing.CHUNK_AT_ONCE_EVENTS))
        assert (count(path, "log_events"), count(path, "log_chunks")) == (0, 1)
        await both.fold(written(random.Random(2), log_writing.CHUNK_AT_ONCE_EVENTS - 1))
        assert (count(path, "log_events"), count(path, "log_chunks")) == (999, 1)

    tell(path, story)


def test_rows_are_packed_when_they_are_many(path: Path) -> None:
    """Ids stay what they were, and as many bytes are counted as before."""

    async def story(both: Both) -> None:
        before: list[LogEvent] = []
        stored_bytes = 0
        for number in range(8):
            await both.fold(written(random.Random(number), 600))
            if count(path, "log_chunks"):
                break
            before = list(await both.real.events(SCOPE, "g", limit=10_000))
        assert (count(path, "log_events"), count(path, "log_chunks"), count(path, "log_chunk_streams")) == (0, 1, 3)
        after = await both.real.events(SCOPE, "g", limit=10_000)
        assert set(before) < set(after)
        group = await both.real.group(SCOPE, "g")
        stored_bytes = sum(len(event.message) + 26 for event in after)
        assert group is not None and group.stored_bytes == stored_bytes

    tell(path, story)


def test_rows_that_cannot_be_packed_are_in_the_store_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever folds is not told that nothing came in; the next fold packs them."""
    real = log_writing.pack_rows

    def fails_once(connection: Any, group_id: int) -> Any:
        monkeypatch.setattr(log_writing, "pack_rows", real)
        raise DependencyError("the disk does not answer", retryable=True)

    async def story(both: Both) -> None:
        monkeypatch.setattr(log_writing, "IS_FULL", log_groups.c.loose_events >= 100)
        monkeypatch.setattr(log_writing, "pack_rows", fails_once)
        await both.fold(written(random.Random(1), 100))
        assert (count(path, "log_events"), count(path, "log_chunks")) == (100, 0)
        assert "logs.pack_failed reason=the disk does not answer" in caplog.text
        await both.fold(written(random.Random(2), 10))
        assert (count(path, "log_events"), count(path, "log_chunks")) == (0, 1)

    tell(path, story)


def test_a_sweep_packs_what_a_quiet_group_has(path: Path) -> None:
    """Some hundreds of rows are worth a chunk; fewer stay rows."""

    async def story(both: Both) -> None:
        await both.fold(written(random.Random(1), log_writing.LOOSE_EVENTS_OLD - 1))
        await both.real.drop_expired(0)
        assert count(path, "log_chunks") == 0
        await both.fold(written(random.Random(2), 1))
        await both.real.drop_expired(0)
        assert (count(path, "log_events"), count(path, "log_chunks")) == (0, 1)

    tell(path, story)


def test_rows_that_go_while_they_are_packed_are_not_brought_back(path: Path) -> None:
    """A packing that was prepared before a deletion is given up, and leaves all as it is."""

    async def story(both: Both) -> None:
        await both.fold(written(random.Random(1), 900))
        database = both.real._database  # type: ignore[attr-defined]
        for delete in (
            lambda: both.real.delete_stream(SCOPE, "g", "a"),
            lambda: both.real.delete_group(SCOPE, "g"),
        ):
            packing = await database.look(lambda connection: log_writing.pack_rows(connection, 1))
            assert packing is not None
            await delete()
            with pytest.raises(log_writing.Conflict):
                await database.apply(lambda connection, packing=packing: log_writing.store_packed(connection, packing))
            assert count(path, "log_chunks") == 0
        assert count(path, "log_events") == 0

    tell(path, story)


def test_expired_chunks_go_whole(path: Path) -> None:
    """One whose last event is beyond the retention is deleted; of one that reaches into it, events are hidden."""
    now_ms = 1_700_000_000_000
    day_ms = 86_400_000

    async def story(both: Both) -> None:
        both.stores.clock.set_wall(now_ms / 1000 - both.stores.clock.now())
        for first_ms in (now_ms - 3 * day_ms, now_ms - day_ms - 500):
            await both.fold(
                [NewLogEvent(SCOPE, "g", "s", first_ms + number, now_ms, str(number)) for number in range(1_000)]
            )
        await both.real.set_retention(SCOPE, "g", 1)
        assert len(await both.real.events(SCOPE, "g", limit=10_000)) == 500
        assert await both.real.drop_expired(now_ms) == 1_000
        assert count(path, "log_chunks") == count(path, "log_chunk_streams") == 1
        assert len(await both.real.events(SCOPE, "g", limit=10_000)) == 500

    tell(path, story)


def test_a_deleted_group_leaves_no_chunk(path: Path) -> None:
    """Nothing of it stays in any table."""

    async def story(both: Both) -> None:
        await both.fold(written(random.Random(1), 2_000))
        await both.fold(written(random.Random(1), 10))
        await both.real.delete_group(SCOPE, "g")

    tell(path, story)
    tables = "log_events log_chunks log_chunk_streams log_streams deleted_log_groups deleted_log_streams"
    assert [count(path, table) for table in tables.split()] == [0] * 6


def test_a_deleted_stream_whose_sweep_was_cut_short_is_swept_later(path: Path) -> None:
    """After a crash its events are shown to nobody, not even to a stream of its name, and go with the next sweep."""

    async def write(both: Both) -> None:
        await both.fold(written(random.Random(1), 1_500))

    async def look(both: Both) -> None:
        shown = await both.real.events(SCOPE, "g", limit=10_000)
        assert {event.stream for event in shown} == {"b", "c"}
        assert await both.real.create_stream(SCOPE, "g", "a")
        assert await both.real.events(SCOPE, "g", streams=["a"], limit=10) == []
        assert await both.real.drop_expired(0) == 1_500 - len(shown)
        assert await both.real.events(SCOPE, "g", limit=10_000) == shown
        assert await both.real.drop_expired(0) == 0

    tell(path, write)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO deleted_log_streams SELECT id, group_id FROM log_streams WHERE name = 'a'")
        connection.execute("DELETE FROM log_streams WHERE name = 'a'")
        connection.commit()
    tell(path, look)


def test_a_search_that_takes_long_says_where_to_go_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no time at all each page looks through one chunk; together they find all, either way."""
    small(monkeypatch)

    async def story(both: Both) -> None:
        await both.fold(written(random.Random(3), 200))
        for newest_first in (False, True):
            wanted = {"pattern": Holding("ERROR"), "limit": 1_000, "newest_first": newest_first}
            slow = await pages(both.real, **wanted, seconds_max=0.0)
            (whole,) = await pages(both.fake, **wanted)
            assert [event for page in slow for event in page.events] == whole.events
            assert len(slow) > 5

    tell(path, story)


def test_a_search_opens_few_messages(path: Path) -> None:
    """The pattern is asked about those only that hold its literal, and a stream's chunks alone are opened."""

    async def story(both: Both) -> None:
        await both.fold(written(random.Random(3), 2_000, streams="a"))
        await both.fold(written(random.Random(4), 2_000, streams="b"))
        pattern = Holding("ERROR")
        page = await both.real.page(SCOPE, "g", streams=["a"], pattern=pattern, limit=10_000)
        assert 0 < len(page.events) == len(pattern.looked_at) < 1_000
        opened: list[int] = []
        genuine = log_reading.Chunk

        def noticed(*arguments: Any) -> log_reading.Chunk:
            opened.append(1)
            return genuine(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(log_reading, "Chunk", noticed)
            await both.real.page(SCOPE, "g", streams=["a"], limit=10_000)
        assert len(opened) == 1

    tell(path, story)


def test_a_scan_gives_each_event_once_whatever_is_packed_meanwhile(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that become chunks between two batches are neither left out nor repeated; what comes later is not in it."""
    small(monkeypatch)

    async def story(both: Both) -> None:
        await both.fold(written(random.Random(1), 100))
        await both.fold(written(random.Random(2), 11))
        expected = {event.event_id for event in await both.real.events(SCOPE, "g", limit=10_000)}
        found: list[str] = []

        async def batches() -> AsyncIterator[Sequence[LogEvent]]:
            async for batch in both.real.scan(SCOPE, ["g", "nobody"], from_ms=0, before_ms=1 << 62):
                assert batch.group == "g"
                yield batch.events

        async for events in batches():
            if not found:
                await both.fold(written(random.Random(3), 10))
                await both.real.drop_expired(0)
                assert count(path, "log_events") == 0
            found += [event.event_id for event in events]
        assert sorted(found) == sorted(expected)
        errors = [
            event
            async for batch in both.real.scan(
                SCOPE, ["g"], from_ms=1_000_050, before_ms=1_000_100, pattern=Holding("ERROR")
            )
            for event in batch.events
        ]
        (whole,) = await pages(
            both.fake, from_ms=1_000_050, before_ms=1_000_100, pattern=Holding("ERROR"), limit=10_000
        )
        assert sorted(event.event_id for event in errors) == sorted(event.event_id for event in whole.events)

    tell(path, story)


def test_one_event_is_found_by_its_place(path: Path) -> None:
    """As a row and in a chunk; a place without an event has none."""

    async def story(both: Both) -> None:
        for amount in (10, 1_500):
            await both.fold(written(random.Random(amount), amount))
        events = await both.real.events(SCOPE, "g", limit=10_000)
        for event in events[::100]:
            place = EventCursor(event.timestamp_ms, event.ingestion_ms, event.sequence)
            assert await both.real.event(SCOPE, "g", place) == event
        assert await both.real.event(SCOPE, "g", EventCursor(1, 2, 3)) is None
        assert await both.real.event(SCOPE, "nobody", EventCursor(1, 2, 3)) is None

    tell(path, story)


@pytest.mark.parametrize("bound", ["first_ms", "last_ms"])
def test_chunks_are_found_by_an_index(path: Path, bound: str) -> None:
    """Times are looked through in an index that has all of them; no chunk is touched for it."""
    name = "log_chunks_by_first" if bound == "first_ms" else "log_chunks_by_last"
    query = f"""
        SELECT id, {bound} FROM log_chunks WHERE group_id = 1 AND last_ms >= 5 AND first_ms <= 9
        AND ({bound}, id) > (3, 4) ORDER BY {bound}, id LIMIT 64
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert f"USING COVERING INDEX {name}" in plan
    assert "TEMP B-TREE" not in plan


def test_groups_that_functions_make_have_the_retention_of_the_server(path: Path) -> None:
    """From the first event on; one that is there keeps its own."""

    async def run() -> None:
        clock = VirtualClock()
        async with Database(path) as database:
            for number, days in enumerate((3, 5), 1):
                store = LogRepository(database, clock, retention_days=days)
                await store.fold([NewLogEvent(SCOPE, "g", "s", 1, 1, "x")], [], [], LogPosition(1, number))
                group = await store.group(SCOPE, "g")
                assert group is not None and group.retention_days == 3

    asyncio.run(run())


def test_a_deletion_that_takes_long_is_left_to_sweeps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever deletes waits for a second; what is left then is shown to nobody, and goes with the next sweep."""

    async def story(both: Both) -> None:
        await both.fold(written(random.Random(1), 1_500))
        await both.fold(written(random.Random(2), 10))
        monkeypatch.setattr("lambent.store.logs.SWEEP_S", 0.0)
        assert await both.real.delete_stream(SCOPE, "g", "a")
        shown = await both.real.events(SCOPE, "g", limit=10_000)
        assert {event.stream for event in shown} == {"b", "c"}
        assert await both.real.delete_group(SCOPE, "g")
        assert await both.real.events(SCOPE, "g", limit=10) == []
        assert (count(path, "log_events"), count(path, "log_chunks"), count(path, "deleted_log_groups")) == (10, 1, 1)
        assert await both.real.drop_expired(0) == 0
        assert count(path, "deleted_log_groups") == 1
        monkeypatch.setattr("lambent.store.logs.SWEEP_S", 1.0)
        assert await both.real.drop_expired(0) == 1_510

    tell(path, story)
    tables = "log_events log_chunks log_chunk_streams deleted_log_groups deleted_log_streams"
    assert [count(path, table) for table in tables.split()] == [0] * 5


def test_searches_leave_room_for_others(path: Path) -> None:
    """However many look for a pattern at once, whoever reads anything else does not wait for them."""
    begun, may_end = threading.Semaphore(0), threading.Event()

    class Slow(Holding):
        def matches(self, message: str) -> bool:
            begun.release()
            assert may_end.wait(PATIENCE_S)
            return True

    async def story(both: Both) -> None:
        await both.fold([NewLogEvent(SCOPE, "g", "s", 1, 1, "x")])
        searches = [
            asyncio.create_task(both.real.page(SCOPE, "g", pattern=Slow("x"), limit=1)) for _ in range(2 * READERS_MAX)
        ]
        await asyncio.to_thread(begun.acquire)
        try:
            async with asyncio.timeout(PATIENCE_S / 2):
                group = await both.real.group(SCOPE, "g")
        finally:
            may_end.set()
        assert group is not None
        assert [len(page.events) for page in await asyncio.gather(*searches)] == [1] * (2 * READERS_MAX)

    tell(path, story)
