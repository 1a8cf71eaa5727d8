"""Alarms, their histories and their actions in the database."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.domain.alarm import (
    ALARM,
    CREATED,
    INSUFFICIENT_DATA,
    Alarm,
    AlarmQuery,
    AlarmStatus,
    Combination,
    Comparison,
    HistoryItem,
    HistoryKind,
    Missing,
    Watch,
    WatchedMetric,
)
from lambent.domain.caller import Scope
from lambent.store import alarms as module
from lambent.store.alarms import AlarmRepository
from lambent.store.alarms_contract import HISTORY_MAX, HISTORY_S, HistoryPlace, NewAction
from lambent.store.database import Database
from lambent.testing.stores import make_sqlite

HERE = Scope("111122223333", "eu-west-1")
THERE = Scope("111122223333", "us-east-1")
AT = 1_764_036_660.0
METRIC = WatchedMetric("Shop", "Latency", (("Region", "north"),), 60, "Average")


def story(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Have a test run in an event loop of its own."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[AlarmRepository]:
    path = folder / "state.db"
    if not path.exists():
        make_sqlite(path)
    async with Database(path) as database:
        yield AlarmRepository(database)


def alarm(name: str = "slow", watches: Watch | Combination | None = None, scope: Scope = HERE, **changes: Any) -> Alarm:
    made = Alarm(
        scope,
        name,
        watches or Watch(60, 1, 21.0, Comparison.ABOVE, METRIC),
        None,
        True,
        {},
        AT,
        AlarmStatus(INSUFFICIENT_DATA, CREATED, AT, AT),
    )
    return msgspec.structs.replace(made, **changes)


def fast(name: str) -> Alarm:
    return alarm(name, Watch(10, 1, 21.0, Comparison.ABOVE, msgspec.structs.replace(METRIC, period_s=10)))


def item(number: int, name: str = "slow", kind: HistoryKind = HistoryKind.STATE, **changes: Any) -> HistoryItem:
    made = HistoryItem(HERE, name, "MetricAlarm", AT + number, kind, f"item {number}", "{}")
    return msgspec.structs.replace(made, **changes)


def action(number: int) -> NewAction:
    return NewAction(HERE, "slow", "MetricAlarm", f"arn:{number}", b'{"a":1}', AT)


async def save(store: AlarmRepository, *some: Alarm) -> None:
    for one in some:
        async with store.transaction(one.scope) as rows:
            await rows.save(one)


async def summaries(store: AlarmRepository, **wanted: Any) -> list[str]:
    asked: dict[str, Any] = {
        "name": None,
        "kind": None,
        "types": ["MetricAlarm"],
        "from_s": None,
        "until_s": None,
        "after": None,
        "newest_first": False,
        "limit": 100,
    }
    async with store.snapshot(HERE) as rows:
        return [one.summary for _, one in await rows.history(**asked | wanted)]


@story
async def test_alarms_are_kept_as_they_are(tmp_path: Path) -> None:
    """With all that they may have, over a restart."""
    some = [
        alarm(
            "computed",
            Watch(
                300,
                3,
                0.5,
                Comparison.AT_MOST,
                queries=(AlarmQuery("e", expression="m / 2", label="half"), AlarmQuery("m", METRIC, is_returned=False)),
                datapoints_to_alarm=2,
                treat_missing=Missing.BREACHING,
            ),
            description="",
            actions={ALARM: ("arn:a", "arn:b")},
            status=AlarmStatus(ALARM, "so", AT, AT, "{}"),
            tags={"a": "b"},
        ),
        alarm("a & b", Combination("ALARM(x)")),
    ]
    async with opened(tmp_path) as store:
        await save(store, *some)
    async with opened(tmp_path) as store, store.snapshot(HERE) as rows:
        assert [await rows.get(one.name) for one in some] == some
        assert await rows.get("nobody") is None
        assert await rows.count() == 2


@story
async def test_scopes_are_apart(tmp_path: Path) -> None:
    """An alarm of one region is not another one's."""
    async with opened(tmp_path) as store:
        await save(store, alarm("a"), alarm("a", scope=THERE), alarm("b", scope=THERE))
        async with store.transaction(THERE) as rows:
            assert await rows.delete("a")
            assert not await rows.delete("a")
        async with store.snapshot(HERE) as rows:
            assert [one.name for one in await rows.list(limit=9)] == ["a"]
        assert await store.total() == 2


@story
async def test_alarms_are_listed_by_name(tmp_path: Path) -> None:
    """By prefix, page by page."""
    async with opened(tmp_path) as store:
        await save(store, *(alarm(name) for name in ("b2", "a", "b1", "b%", "c")))
        async with store.snapshot(HERE) as rows:
            assert [one.name for one in await rows.list(prefix="b", limit=2)] == ["b%", "b1"]
            assert [one.name for one in await rows.list(prefix="b", after="b1", limit=2)] == ["b2"]


@story
async def test_alarms_on_a_metric(tmp_path: Path) -> None:
    """By its namespace and name; what computes with it is not on it."""
    other = msgspec.structs.replace(METRIC, name="Errors")
    computed = Watch(60, 1, 1.0, Comparison.ABOVE, queries=(AlarmQuery("m", METRIC),))
    async with opened(tmp_path) as store:
        await save(store, alarm("b"), alarm("a"), alarm("c", Watch(60, 1, 1.0, Comparison.ABOVE, other)))
        await save(store, alarm("d", computed), alarm("e", Combination("TRUE")))
        async with store.snapshot(HERE) as rows:
            assert [one.name for one in await rows.of_metric("Shop", "Latency")] == ["a", "b"]
            assert await rows.of_metric("Shop", "latency") == []


@story
async def test_what_goes_by_what(tmp_path: Path) -> None:
    """Until it goes by something else, or is gone."""
    async with opened(tmp_path) as store, store.transaction(HERE) as rows:
        await rows.save(alarm("both", Combination("ALARM(b) AND ALARM(a)")), children=["b", "a"])
        await rows.save(alarm("one", Combination("ALARM(a)")), children=["a"])
        await rows.save(alarm("both", Combination("ALARM(b) AND ALARM(a)")))
        assert [one.name for one in await rows.parents("a")] == ["both", "one"]
        assert await rows.children("both") == ["a", "b"]

        await rows.save(alarm("both", Combination("TRUE")), children=[])
        await rows.delete("one")
        assert await rows.parents("a") == []
        assert await rows.children("one") == []


@story
async def test_what_is_evaluated(tmp_path: Path) -> None:
    """Metric alarms of all scopes, those that are evaluated more often by themselves."""
    async with opened(tmp_path) as store:
        await save(store, alarm("b"), alarm("a", scope=THERE), fast("a"), alarm("c", Combination("TRUE")))

        everything = await store.watching(limit=9)
        assert [(one.scope.region, one.name) for one in everything] == [
            ("eu-west-1", "a"),
            ("eu-west-1", "b"),
            ("us-east-1", "a"),
        ]
        assert [one.name for one in await store.watching(is_fast=True, limit=9)] == ["a"]
        assert [one.name for one in await store.watching(is_fast=False, limit=1)] == ["b"]
        assert await store.watching(after=(HERE, "b"), limit=9) == everything[2:]

        # What is configured anew may be evaluated more seldom.
        await save(store, alarm("a"))
        assert await store.watching(is_fast=True, limit=9) == []


@story
async def test_histories(tmp_path: Path) -> None:
    """In order of time either way, filtered, page by page, for as long as nobody sweeps."""
    async with opened(tmp_path) as store:
        await save(store, alarm())
        async with store.transaction(HERE) as rows:
            await rows.note([item(2), item(1), item(3, kind=HistoryKind.ACTION), item(4, "other")])
            await rows.note([item(5, alarm_type="CompositeAlarm")])
            await rows.delete("slow")

        assert await summaries(store) == ["item 1", "item 2", "item 3", "item 4"]
        assert await summaries(store, newest_first=True, limit=2) == ["item 4", "item 3"]
        assert await summaries(store, name="slow", kind=HistoryKind.STATE) == ["item 1", "item 2"]
        assert await summaries(store, from_s=AT + 2, until_s=AT + 3) == ["item 2", "item 3"]
        assert await summaries(store, types=["CompositeAlarm"]) == ["item 5"]
        place = HistoryPlace(round((AT + 3) * 1000), 3)
        assert await summaries(store, newest_first=True, after=place) == ["item 2", "item 1"]
        assert await summaries(store, after=place) == ["item 4"]


@story
async def test_a_history_is_bounded(tmp_path: Path) -> None:
    """Its oldest items go, and nobody else's."""
    async with opened(tmp_path) as store:
        async with store.transaction(HERE) as rows:
            await rows.note([item(0, "other")])
            await rows.note([item(number) for number in range(HISTORY_MAX + 2)])
            await rows.note([item(HISTORY_MAX + 2)])
        found = await summaries(store, name="slow", limit=HISTORY_MAX + 9)
        assert len(found) == HISTORY_MAX
        assert (found[0], found[-1]) == ("item 3", f"item {HISTORY_MAX + 2}")
        assert await summaries(store, name="other") == ["item 0"]


@story
async def test_sweeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too old goes, and the oldest of what is too much."""
    monkeypatch.setattr(module, "HISTORY_TOTAL_MAX", 3)
    monkeypatch.setattr(module, "_SWEPT_AT_ONCE", 2)
    async with opened(tmp_path) as store:
        await store.sweep(AT)
        async with store.transaction(HERE) as rows:
            await rows.note([item(number) for number in range(8)])
        await store.sweep(AT + HISTORY_S + 0.5)
        assert await summaries(store) == ["item 5", "item 6", "item 7"]
        await store.sweep(AT + HISTORY_S + 6.5)
        assert await summaries(store) == ["item 7"]


@story
async def test_actions_wait_until_they_are_done(tmp_path: Path) -> None:
    """In their order, over a restart; a number is never given again."""
    async with opened(tmp_path) as store:
        async with store.transaction(HERE) as rows:
            await rows.order([action(1), action(2), action(3)])
        first, second, third = await store.pending(limit=9)
        assert [one.action for one in (first, second, third)] == [action(1), action(2), action(3)]
        assert await store.pending(after=first.number, limit=1) == [second]
    async with opened(tmp_path) as store:
        async with store.transaction(HERE) as rows:
            assert [await rows.finish(one.number) for one in (first, second, third, third)] == [True, True, True, False]
            await rows.order([action(4)])
        ((fourth),) = await store.pending(limit=9)
        assert fourth.number > third.number
        assert await store.pending_count() == 1


@story
async def test_nothing_of_a_transaction_that_fails_is_there(tmp_path: Path) -> None:
    """State, history and action come to be together or not at all."""
    async with opened(tmp_path) as store:
        told = counted(store)
        with pytest.raises(RuntimeError):
            async with store.transaction(HERE) as rows:
                await rows.save(alarm())
                await rows.note([item(1)])
                await rows.order([action(1)])
                raise RuntimeError
        assert await store.total() == 0
        assert await summaries(store) == []
        assert await store.pending(limit=9) == []
        assert told() == 0
        await save(store, alarm())
        assert told() == 1


def counted(store: AlarmRepository) -> Callable[[], int]:
    """Return what says how many changes were told."""
    told: list[None] = []
    store.on_change(lambda: told.append(None))
    return lambda: len(told)
