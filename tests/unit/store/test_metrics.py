"""Points in the database: merged as they come, packed as they age, dropped when they are too old."""

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lambent.domain.caller import Scope
from lambent.domain.metric import Distribution, Metric, MetricPoint
from lambent.errors.families import DependencyError
from lambent.store import metrics as module
from lambent.store.database import Database
from lambent.store.metrics import MetricRepository, store_points
from lambent.store.metrics_contract import TooManySeries
from lambent.testing.stores import make_sqlite

SCOPE = Scope("111122223333", "eu-west-1")
OTHER = Scope("111122223333", "us-east-1")
F = (("FunctionName", "f"),)
DAY_S = 86_400
NOW_S = 1_795_000_000 // DAY_S * DAY_S
"""Midnight: begin of a block of each resolution."""


def metric(name: str = "Duration", unit: str = "Milliseconds", scope: Scope = SCOPE, dimensions: object = F) -> Metric:
    return Metric(scope, "AWS/Lambda", name, dimensions, unit)  # type: ignore[arg-type]


def point(at_s: int, *values: float, of: Metric | None = None, period_s: int = 60) -> MetricPoint:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return MetricPoint(of or metric(), at_s, period_s, distribution)


def run(tmp_path: Path, story: Callable[[MetricRepository], Awaitable[None]]) -> None:
    async def told() -> None:
        async with opened(tmp_path) as (_, store):
            await story(store)

    asyncio.run(told())


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[tuple[Database, MetricRepository]]:
    path = tmp_path / "state.db"
    if not path.exists():
        make_sqlite(path)
    async with Database(path) as database:
        yield database, MetricRepository(database)


async def read(
    store: MetricRepository, from_s: int = 0, before_s: int = 1 << 40, period_s: int = 60, *, with_bins: bool = True
) -> Sequence[MetricPoint]:
    return await store.read(
        SCOPE,
        "AWS/Lambda",
        "Duration",
        F,
        from_s=from_s,
        before_s=before_s,
        period_s=period_s,
        with_bins=with_bins,
    )


async def tidy(store: MetricRepository, now_s: int) -> int:
    """Tidy until nothing is left to do; return how many steps it took."""
    steps = 1
    while await store.tidy(now_s):
        steps += 1
        assert steps < 1_000, "tidying comes to no end"
    return steps


def count(tmp_path: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_points_of_one_minute_are_merged(tmp_path: Path) -> None:
    """In one call and in several; twice is twice. Metrics differ by scope, name, dimensions and unit."""

    async def story(store: MetricRepository) -> None:
        await store.add([point(NOW_S, 1, 2), point(NOW_S, 3), point(NOW_S + 60, 4)])
        await store.add([point(NOW_S, 5)])
        await store.add([point(NOW_S, 9, of=metric(scope=OTHER)), point(NOW_S, 9, of=metric("Errors"))])
        await store.add([point(NOW_S, 9, of=metric(dimensions=())), point(NOW_S, 7, of=metric(unit="Seconds"))])
        found = await read(store)
        assert [(one.metric.unit, one.at_s, one.values.count, one.values.total) for one in found] == [
            ("Milliseconds", NOW_S, 4, 11),
            ("Seconds", NOW_S, 1, 7),
            ("Milliseconds", NOW_S + 60, 1, 4),
        ]
        assert found[0].values == point(NOW_S, 1, 2, 3, 5).values
        assert [one.at_s for one in await read(store, NOW_S + 1, NOW_S + 61)] == [NOW_S + 60]

    run(tmp_path, story)


def test_points_are_part_of_somebody_elses_transaction(tmp_path: Path) -> None:
    """What follows from log events is stored with them, or not at all."""

    async def story() -> None:
        async with opened(tmp_path) as (database, store):
            with pytest.raises(RuntimeError):
                async with database.write() as statements:
                    await store_points(statements, [point(NOW_S, 1)])
                    raise RuntimeError
            assert await read(store) == []
            async with database.write() as statements:
                await store_points(statements, [point(NOW_S, 1)])
                await store_points(statements, [point(NOW_S, 2)])
            assert [one.values.total for one in await read(store)] == [3]

    asyncio.run(story())


def test_many_metrics_at_once(tmp_path: Path) -> None:
    """More than one list of a statement holds."""

    async def story(store: MetricRepository) -> None:
        many = [point(NOW_S, 1, of=metric(f"m{number:04}")) for number in range(1_000)]
        await store.add(many)
        await store.add(many)
        found = await store.list(SCOPE, since_s=0, limit=2_000)
        assert [one.name for one in found] == [f"m{number:04}" for number in range(1_000)]
        points = await store.read(SCOPE, "AWS/Lambda", "m0999", F, from_s=0, before_s=1 << 40)
        assert [one.values.count for one in points] == [2]

    run(tmp_path, story)


def test_what_is_measured_by_the_second_counts_in_its_minute(tmp_path: Path) -> None:
    """Below a minute seconds are read, and minutes of which there are none."""

    async def story(store: MetricRepository) -> None:
        await store.add([point(NOW_S + 1, 1, period_s=1), point(NOW_S + 59, 2, period_s=1), point(NOW_S + 60, 4)])
        assert [(one.at_s, one.period_s, one.values.total) for one in await read(store)] == [
            (NOW_S, 60, 3),
            (NOW_S + 60, 60, 4),
        ]
        assert [(one.at_s, one.period_s, one.values.total) for one in await read(store, period_s=10)] == [
            (NOW_S + 1, 1, 1),
            (NOW_S + 59, 1, 2),
            (NOW_S + 60, 60, 4),
        ]

    run(tmp_path, story)


def test_packing_changes_nothing_that_is_read(tmp_path: Path) -> None:
    """Rows of whole hours become blocks, of which longer periods are read coarser; what comes late is merged."""

    async def story(store: MetricRepository) -> None:
        minutes = range(NOW_S, NOW_S + 10 * 3_600, 60)
        await store.add([point(at_s, at_s % 7_200 / 60 + 1, 5) for at_s in minutes])
        before = await read(store)
        assert await tidy(store, NOW_S + 9 * 3_600) > 1
        # The rows of two hours are younger than the last time of packing.
        assert count(tmp_path, "metric_points") == 120
        assert count(tmp_path, "metric_blocks") == 3
        after = await read(store)
        assert after == before
        assert await tidy(store, NOW_S + 9 * 3_600) == 1
        hours = await read(store, period_s=3_600)
        assert [one.period_s for one in hours] == [3_600] * 8 + [60] * 120
        assert sum(one.values.total for one in hours) == sum(one.values.total for one in before)
        assert hours[0].values.count == 120 and hours[0].values.bins is not None
        fives = await read(store, NOW_S, NOW_S + 900, period_s=900)
        assert [(one.at_s, one.period_s, one.values.count) for one in fives] == [
            (NOW_S, 300, 10),
            (NOW_S + 300, 300, 10),
            (NOW_S + 600, 300, 10),
        ]
        plain = await read(store, NOW_S, NOW_S + 60, with_bins=False)
        assert [(one.values.count, one.values.maximum) for one in plain] == [(2, 5)]
        await store.add([point(NOW_S + 120, 100)])
        await tidy(store, NOW_S + 9 * 3_600)
        assert count(tmp_path, "metric_points") == 120
        ((late),) = await read(store, NOW_S + 120, NOW_S + 180)
        assert (late.values.count, late.values.maximum) == (3, 100)
        assert (await read(store, NOW_S, NOW_S + 60, period_s=3_600))[0].values.count == 121

    run(tmp_path, story)


def test_what_counts_nothing_is_no_point(tmp_path: Path) -> None:
    """And makes no metric."""

    async def story(store: MetricRepository) -> None:
        nothing = Distribution()
        nothing.add(100, 0)
        await store.add([MetricPoint(metric(), NOW_S, 60, nothing), point(NOW_S), point(NOW_S, 1, of=metric("x"))])
        assert [one.name for one in await store.list(SCOPE, since_s=0, limit=10)] == ["x"]

    run(tmp_path, story)


def test_seconds_are_kept_for_three_hours(tmp_path: Path) -> None:
    """Also of a metric that is silent since; packing its minutes takes none of them along."""

    async def story(store: MetricRepository) -> None:
        await store.add([point(NOW_S + 14_399, 1, period_s=1), point(NOW_S, 1, period_s=1)])
        await tidy(store, NOW_S + 4 * 3_600 + 700)
        assert count(tmp_path, "metric_blocks") == 3
        assert [(one.at_s - NOW_S, one.period_s) for one in await read(store, period_s=1)] == [(0, 60), (14_399, 1)]
        await tidy(store, NOW_S + 8 * 3_600 + 700)
        assert [(one.at_s - NOW_S, one.period_s) for one in await read(store, period_s=1)] == [(0, 60), (14_340, 60)]
        assert count(tmp_path, "metric_points") == 0
        assert await tidy(store, NOW_S + 8 * 3_600 + 700) == 1

    run(tmp_path, story)


def test_points_that_come_while_a_series_is_packed_are_not_lost(tmp_path: Path) -> None:
    """What was packed is thrown away then, and packed in the next round."""

    async def story() -> None:
        async with opened(tmp_path) as (database, store):
            await store.add([point(NOW_S, 1)])
            packed = await database.look(lambda connection: module._next_packed(connection, 0, NOW_S + 60))
            assert packed is not None
            await store.add([point(NOW_S, 2)])
            await database.apply(packed.write)
            assert count(tmp_path, "metric_blocks") == 0
            assert [one.values.total for one in await read(store)] == [3]
            await tidy(store, NOW_S + DAY_S)
            assert count(tmp_path, "metric_points") == 0
            assert [one.values.total for one in await read(store)] == [3]

    asyncio.run(story())


def test_old_points_go(tmp_path: Path) -> None:
    """Minutes after 15 days, five minutes after 63, hours after 455, each with the block that it is in."""

    async def story(store: MetricRepository) -> None:
        await store.add([point(NOW_S, 1)])
        await tidy(store, NOW_S + DAY_S)

        async def periods(age_days: int) -> list[int]:
            now_s = NOW_S + age_days * DAY_S
            await tidy(store, now_s)
            return [p for p in (60, 300, 3_600) if await read(store, NOW_S, NOW_S + 60, period_s=p)]

        assert await periods(15) == [60, 300, 3_600]
        assert await periods(17) == [300, 3_600]
        assert await periods(63) == [300, 3_600]
        assert await periods(69) == [3_600]
        assert await periods(455) == [3_600]
        assert await periods(516) == []
        assert count(tmp_path, "metric_blocks") == count(tmp_path, "metric_series") == 0

    run(tmp_path, story)


def test_there_is_room_for_so_many_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients are refused, figures of our own are left out; what has been silent longest goes when room is needed."""
    monkeypatch.setattr(module, "SERIES_MAX", 10)

    async def story(store: MetricRepository) -> None:
        await store.add([point(NOW_S + number, 1, of=metric(f"m{number}")) for number in range(9)])
        with pytest.raises(TooManySeries):
            await store.add([point(NOW_S, 1, of=metric("x")), point(NOW_S, 1, of=metric("y"))], refuses_series=True)
        assert len(await store.list(SCOPE, since_s=0, limit=100)) == 9
        await store.add([point(NOW_S + 20, 1, of=metric("x")), point(NOW_S + 20, 1, of=metric("y"))])
        assert len(await store.list(SCOPE, since_s=0, limit=100)) == 10
        await store.add([point(NOW_S, 2, of=metric("m1"))], refuses_series=True)
        await tidy(store, NOW_S + 13 * DAY_S)
        assert len(await store.list(SCOPE, since_s=0, limit=100)) == 10
        await tidy(store, NOW_S + 14 * DAY_S + 5)
        assert [one.name for one in await store.list(SCOPE, since_s=0, limit=100)] == ["m5", "m6", "m7", "m8", "x"]

    run(tmp_path, story)


def test_no_account_takes_the_room_of_others_and_none_that_of_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that logs ids as dimensions would keep everybody else from being measured for weeks."""
    monkeypatch.setattr(module, "SERIES_MAX", 10)
    monkeypatch.setattr(module, "SERIES_OF_SERVICES", 2)
    monkeypatch.setattr(module, "SERIES_OF_ACCOUNT_MAX", 5)
    other = Scope("444455556666", "eu-west-1")

    async def story(store: MetricRepository) -> None:
        async def kept(scope: Scope) -> int:
            return len(await store.list(scope, since_s=0, limit=100))

        ours = [metric(f"m{number}")._replace(namespace="N") for number in range(20)]
        await store.add([point(NOW_S, 1, of=one) for one in ours])
        assert await kept(SCOPE) == 5
        theirs = [one._replace(scope=other) for one in ours]
        await store.add([point(NOW_S, 1, of=one) for one in theirs])
        assert await kept(other) == 3
        with pytest.raises(TooManySeries):
            await store.add([point(NOW_S, 1, of=theirs[9])], refuses_series=True)
        await store.add([point(NOW_S, 1, of=metric("x"))], refuses_series=True)
        await store.add([point(NOW_S, 1, of=one._replace(namespace="AWS/Lambda")) for one in theirs])
        assert (await kept(SCOPE), await kept(other)) == (6, 4)

    run(tmp_path, story)


def test_calls_share_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred at once take two; who is refused harms nobody, and who has left is stored all the same."""
    monkeypatch.setattr(module, "SERIES_MAX", 2)

    async def story() -> None:
        async with opened(tmp_path) as (database, store):
            applied = []
            apply = database.apply

            async def counted(work: Any) -> Any:
                applied.append(work)
                return await apply(work)

            monkeypatch.setattr(database, "apply", counted)
            await store.add([point(NOW_S, 1, of=metric("a"))])
            calls = [asyncio.create_task(store.add([point(NOW_S, 1)], refuses_series=True)) for _ in range(100)]
            calls.append(asyncio.create_task(store.add([point(NOW_S, 1, of=metric("c"))], refuses_series=True)))
            left = asyncio.create_task(store.add([point(NOW_S, 5)]))
            await asyncio.sleep(0)
            left.cancel()
            answers = await asyncio.gather(*calls, left, return_exceptions=True)
            assert [type(one) for one in answers[-2:]] == [TooManySeries, asyncio.CancelledError]
            assert answers[:-2] == [None] * 100
            assert len(applied) <= 3
            assert [one.values.total for one in await read(store)] == [105]

    asyncio.run(story())


def test_a_store_that_fails_says_so_to_every_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And takes the next ones again."""

    async def story() -> None:
        async with opened(tmp_path) as (database, store):

            async def fails(_: object) -> None:
                raise DependencyError("the disk is full", retryable=True)

            with monkeypatch.context() as patched:
                patched.setattr(database, "apply", fails)
                calls = [store.add([point(NOW_S, 1)]) for _ in range(3)]
                answers = await asyncio.gather(*calls, return_exceptions=True)
                assert [type(one) for one in answers] == [DependencyError] * 3
            await store.add([point(NOW_S, 1)])
            assert [one.values.total for one in await read(store)] == [1]

    asyncio.run(story())


def test_metrics_are_listed_in_order(tmp_path: Path) -> None:
    """By namespace, name, dimensions and unit; those with points since then, behind another."""

    async def story(store: MetricRepository) -> None:
        named = [metric("b"), metric("a", unit="Count"), metric("a"), metric("a", dimensions=())]
        await store.add([point(NOW_S, 1, of=one) for one in named] + [point(NOW_S - 60, 1, of=metric("old"))])
        listed = await store.list(SCOPE, since_s=NOW_S, limit=10)
        assert [(one.name, one.dimensions, one.unit) for one in listed] == [
            ("a", F, "Count"),
            ("a", F, "Milliseconds"),
            ("a", (), "Milliseconds"),
            ("b", F, "Milliseconds"),
        ]
        assert await store.list(SCOPE, since_s=NOW_S, after=listed[1], limit=1) == listed[2:3]
        assert await store.list(SCOPE, since_s=0, name="old", limit=10) == [metric("old")]
        assert await store.list(SCOPE, since_s=0, namespace="Else", limit=10) == []
        assert await store.list(OTHER, since_s=0, limit=10) == []

    run(tmp_path, story)


def test_statistic_sets_have_no_bins(tmp_path: Path) -> None:
    """Nor has what they are merged with; packing does not make them up."""

    async def story(store: MetricRepository) -> None:
        await store.add([MetricPoint(metric(), NOW_S, 60, Distribution.of_set(3, 30, 5, 20)), point(NOW_S + 60, 1)])
        await store.add([point(NOW_S, 10)])
        for _ in range(2):
            first, second = await read(store)
            assert (first.values.count, first.values.total, first.values.bins) == (4, 40, None)
            assert second.values.bins
            await tidy(store, NOW_S + DAY_S)

    run(tmp_path, story)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_added_and_packed_is_read(tmp_path: Path, seed: int) -> None:
    """Two days of points that come in order, late and again, with tidying in between, against a mere sum."""
    chance = random.Random(seed)
    known: dict[int, Distribution] = {}

    async def story(store: MetricRepository) -> None:
        now_s = NOW_S
        for _ in range(150):
            now_s += chance.choice((60, 60, 600, 3_600))
            points = []
            for _ in range(chance.randint(1, 5)):
                at_s = (now_s - chance.choice((0, 60, 600, 7_200, 90_000))) // 60 * 60
                value = float(chance.choice((0, 1, 5, 12.5, 1e6)))
                points.append(point(at_s, value))
                known.setdefault(at_s, Distribution()).add(value)
            await store.add(points)
            if chance.random() < 0.2:
                await tidy(store, now_s)
        assert count(tmp_path, "metric_blocks") > 3
        for from_s, before_s in ((0, 1 << 40), (NOW_S + 3_600, NOW_S + 90_000)):
            wanted = {at_s: values for at_s, values in known.items() if from_s <= at_s < before_s}
            assert _of(await read(store, from_s, before_s), 60) == _of_known(wanted, 60)
            assert _of(await read(store, from_s, before_s, 300), 300) == _of_known(wanted, 300)
            assert _of(await read(store, from_s, before_s, 3_600), 3_600) == _of_known(wanted, 3_600)

    run(tmp_path, story)


def _of(points: Sequence[MetricPoint], period_s: int) -> dict[int, Distribution]:
    assert [one.at_s for one in points] == sorted(one.at_s for one in points)
    return _of_known(((one.at_s, one.values) for one in points), period_s)


def _of_known(found: Any, period_s: int) -> dict[int, Distribution]:
    periods: dict[int, Distribution] = {}
    for at_s, values in found.items() if isinstance(found, dict) else found:
        periods.setdefault(at_s // period_s * period_s, Distribution()).merge(values)
    return periods
