"""The store of traces: what comes back, what counts, what is refused and what goes."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lambent.domain.caller import Scope
from lambent.domain.xray.group import TraceGroup
from lambent.domain.xray.sampling import SamplingChange, SamplingRule
from lambent.store.database import Database
from lambent.store.trace_settings import TraceSettingRepository
from lambent.store.traces import RETENTION_S, ROW_BYTES, TraceRepository
from lambent.store.traces_contract import TRACE_BYTES_MAX, StoredTrace, TraceDocument
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope(account="111122223333", region="eu-west-1")
OTHER = Scope(account="111122223333", region="us-east-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_sqlite(tmp_path / "state.db")
    return tmp_path / "state.db"


def trace_id(number: int) -> str:
    return f"1-{number:08x}-{number:024x}"


def document(
    trace: int, segment: int = 1, *, start_s: float = 100.0, end_s: float | None = 101.0, text: bytes = b'{"id":1}'
) -> TraceDocument:
    return TraceDocument(trace_id(trace), f"{segment:016x}", start_s, end_s, text)


def run(path: Path, test: Callable[[TraceRepository, VirtualClock], Awaitable[None]], max_bytes: int = 1 << 30) -> None:
    async def body() -> None:
        clock = VirtualClock()
        async with Database(path) as database:
            await test(TraceRepository(database, clock, max_bytes=max_bytes), clock)

    asyncio.run(body())


def test_documents_come_back_in_order(path: Path) -> None:
    """Byte for byte, from several puts, of many traces, in the scope that they were put in."""
    texts = [f'{{"n":{n},"name":"\u00e4, \\"quoted\\" [ "}}'.encode() for n in range(5)]

    async def test(store: TraceRepository, clock: VirtualClock) -> None:
        assert await store.put(SCOPE, [document(n % 2, n, text=text) for n, text in enumerate(texts)]) == []
        await store.put(SCOPE, [document(1, 9, text=b"{}")])
        await store.put(OTHER, [document(1, 9, text=b"[]")])
        many = [trace_id(n) for n in range(600)]
        found = await store.documents(SCOPE, many)
        assert found == {trace_id(0): texts[0::2], trace_id(1): [*texts[1::2], b"{}"]}
        assert await store.documents(OTHER, many) == {trace_id(1): [b"[]"]}
        assert await store.documents(SCOPE, []) == {}

    run(path, test)


def test_a_trace_knows_its_times_and_changes(path: Path) -> None:
    """First start, last end, when it changed, and a revision that rises with each put."""

    async def test(store: TraceRepository, clock: VirtualClock) -> None:
        await store.put(SCOPE, [document(1, start_s=5.0, end_s=None), document(1, 2, start_s=7.0, end_s=9.0)])
        first = (await store.find(SCOPE, [trace_id(1), trace_id(2)]))[trace_id(1)]
        assert (first.start_s, first.end_s, first.revision) == (5.0, 9.0, 1)
        clock.advance(3.0)
        await store.put(SCOPE, [document(1, 3, start_s=4.0, end_s=8.0)])
        second = (await store.find(SCOPE, [trace_id(1)]))[trace_id(1)]
        assert (second.start_s, second.end_s, second.revision) == (4.0, 9.0, 2)
        assert second.updated_s == first.updated_s + 3.0

    run(path, test)


def test_traces_are_found_by_each_of_their_times(path: Path) -> None:
    """From the first moment on, up to before the last; page by page, also where times are equal."""

    async def test(store: TraceRepository, clock: VirtualClock) -> None:
        for n in range(6):
            await store.put(SCOPE, [document(n, start_s=float(n // 2), end_s=10.0 - n)])
        everything = await store.between(SCOPE, 0.0, 3.0, limit=10)
        assert [one.trace_id for one in everything] == [trace_id(n) for n in range(6)]
        assert await store.between(OTHER, 0.0, 3.0, limit=10) == []
        some = await store.between(SCOPE, 1.0, 2.0, limit=10)
        assert [one.trace_id for one in some] == [trace_id(2), trace_id(3)]
        pages: list[StoredTrace] = []
        page = await store.between(SCOPE, 0.0, 3.0, limit=1)
        while page:
            pages += page
            page = await store.between(SCOPE, 0.0, 3.0, after=page[-1], limit=1)
        assert pages == everything
        by_end = await store.between(SCOPE, 0.0, 7.5, by="end_s", limit=10)
        assert [one.end_s for one in by_end] == [5.0, 6.0, 7.0]
        now = clock.now()
        assert len(await store.between(SCOPE, now, now + 1, by="updated_s", limit=10)) == 6

    run(path, test)


@pytest.mark.parametrize("by", ["start_s", "end_s", "updated_s"])
def test_a_search_walks_an_index(path: Path, by: str) -> None:
    """However many traces there are, a page neither scans the table nor sorts."""
    query = f"""
        SELECT trace_id FROM traces WHERE account = 'a' AND region = 'r' AND {by} >= 1 AND {by} < 9
        AND ({by}, trace_id) > (2, 'x') ORDER BY {by}, trace_id LIMIT 10
    """
    with sqlite3.connect(path) as connection:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    connection.close()
    assert f"traces_by_{by}" in plan
    assert "SCAN" not in plan and "TEMP B-TREE" not in plan


def test_a_full_trace_takes_no_more(path: Path) -> None:
    """What does not fit is handed back and the trace says so; others, and what is there, stay as they are."""
    text = b'"' + b"x" * (TRACE_BYTES_MAX // 4 - 2) + b'"'

    async def test(store: TraceRepository, clock: VirtualClock) -> None:
        batch = [document(1, n, text=text) for n in range(6)]
        assert await store.put(SCOPE, [*batch, document(2)]) == batch[4:]
        assert await store.put(SCOPE, [batch[5], document(2, 2)]) == [batch[5]]
        found = await store.find(SCOPE, [trace_id(1), trace_id(2)])
        assert (found[trace_id(1)].is_cut, found[trace_id(1)].size_bytes) == (True, TRACE_BYTES_MAX)
        assert found[trace_id(1)].revision == 1
        assert (found[trace_id(2)].is_cut, found[trace_id(2)].revision) == (False, 2)
        assert len((await store.documents(SCOPE, [trace_id(1)]))[trace_id(1)]) == 4

    run(path, test)


def test_old_traces_go(path: Path) -> None:
    """Those that came thirty days ago, with their documents; the others stay."""

    async def test(store: TraceRepository, clock: VirtualClock) -> None:
        await store.put(SCOPE, [document(n) for n in range(1_200)])
        clock.advance(100.0)
        await store.put(SCOPE, [document(5_000)])
        assert await store.drop_expired(clock.now()) == 0
        assert await store.drop_expired(clock.now() + RETENTION_S - 50.0) == 1_200
        left = await store.between(SCOPE, 0.0, 1e9, limit=10)
        assert [one.trace_id for one in left] == [trace_id(5_000)]
        assert await store.documents(SCOPE, [trace_id(7)]) == {}

    run(path, test)
    with sqlite3.connect(path) as connection:
        (kept,) = connection.execute("SELECT count(*) FROM trace_documents").fetchone()
        (row,) = connection.execute("SELECT sum(stored_bytes) FROM traces").fetchone()
        assert (kept, connection.execute("SELECT stored_bytes FROM trace_totals").fetchone()) == (1, (row,))
    connection.close()


def test_the_oldest_go_first_where_there_is_no_room(path: Path) -> None:
    """As many as are needed, whatever the scope."""

    async def test(store: TraceRepository, clock: VirtualClock) -> None:
        for n in range(10):
            await store.put(OTHER if n % 2 else SCOPE, [document(n)])
        assert await store.drop_expired(clock.now()) > 0
        left = [*await store.between(SCOPE, 0.0, 1e9, limit=10), *await store.between(OTHER, 0.0, 1e9, limit=10)]
        assert {one.trace_id for one in left} == {trace_id(n) for n in range(10 - len(left), 10)}
        assert 3 <= len(left) <= 4
        assert await store.drop_expired(clock.now()) == 0

    run(path, test, max_bytes=5 * ROW_BYTES)


def test_what_a_trace_takes_is_about_what_is_counted(path: Path) -> None:
    """The bound is one of the disk: rows and indexes count, and so does what compression saves."""
    segment = (
        b'{"id":"%016x","name":"orders","start_time":1700000000.%06d,"end_time":1700000001.25,"trace_id":"%s",'
        b'"origin":"AWS::Lambda","resource_arn":"arn:aws:lambda:eu-west-1:111122223333:function:orders",'
        b'"aws":{"request_id":"8476a536-e9f4-11e8-9739-2dfe598c3fcd"},"http":{"response":{"status":200}}}'
    )

    async def test(store: TraceRepository, clock: VirtualClock) -> None:
        for start in range(0, 3_000, 500):
            made = [
                document(n, n, start_s=float(n), text=segment % (n, n, trace_id(n).encode()))
                for n in range(start, start + 500)
            ]
            await store.put(SCOPE, made)

    before = path.stat().st_size
    run(path, test)
    with sqlite3.connect(path) as connection:
        (counted,) = connection.execute("SELECT stored_bytes FROM trace_totals").fetchone()
        (shortest,) = connection.execute("SELECT avg(length(content)) FROM trace_documents").fetchone()
    connection.close()
    assert 0.6 < counted / (path.stat().st_size - before) < 1.4
    assert shortest < 150


def test_rules_and_groups_are_kept(path: Path) -> None:
    """By kind and name; a change that fails leaves everything as it was."""

    async def body() -> None:
        async with Database(path) as database:
            settings = TraceSettingRepository(database)
            rule, group = SamplingRule("r", 1, 0.5, 1, attributes={"a": "b"}), TraceGroup("r", "SUFFIX", "fault")
            async with settings.change(SCOPE) as rows:
                await rows.save(rule)
                await rows.save(group)
                await rows.save(SamplingChange(3.0))
                assert await rows.list(SamplingRule) == [rule]
            with pytest.raises(ValueError):
                async with settings.change(SCOPE) as rows:
                    assert await rows.delete(SamplingRule, "r")
                    raise ValueError
            async with settings.change(SCOPE) as rows:
                await rows.save(TraceGroup("r", "SUFFIX", "error"))
                assert not await rows.delete(SamplingRule, "other")
            assert await settings.list(SCOPE, SamplingRule) == [rule]
            assert [one.filter_expression for one in await settings.list(SCOPE, TraceGroup)] == ["error"]
            assert await settings.list(SCOPE, SamplingChange) == [SamplingChange(3.0)]
            assert await settings.list(OTHER, TraceGroup) == []

    asyncio.run(body())
