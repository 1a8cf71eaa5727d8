"""Usage in the database: records and sums of one commit, that agree at any moment."""

import asyncio
import contextlib
import random
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from lambent.domain.caller import Scope
from lambent.domain.function import Code, Configuration, Function, FunctionName, FunctionVersion, State
from lambent.domain.usage import FREE_STREAMED_BYTES, UsageClass, UsageKey, UsageKind, UsageRecord, UsageTotal
from lambent.errors.families import DependencyError
from lambent.store import usage as module
from lambent.store import usage_reading
from lambent.store.contract import Conflict, LogPosition
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.logs import LogRepository
from lambent.store.usage import ROW_BYTES, UsageRepository, store_usage
from lambent.store.usage_contract import (
    HOURS_KEPT_S,
    MINUTES_KEPT_S,
    RESOLUTIONS_S,
    Allocation,
    Coarse,
    NewUsage,
    UsageGroup,
    UsageQuestion,
    UsageRow,
)
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("111122223333", "eu-west-1")
OTHER = Scope("444455556666", "us-east-1")
DAY_S = 86_400
NOW_S = 1_795_000_000 // DAY_S * DAY_S
EVER = UsageQuestion(from_s=0, before_s=40_000 * DAY_S)
SMALL = UsageClass(128, runtime="python3.12")
FIELDS = UsageTotal.__struct_fields__


class Opened:
    """A database with its usage, and a clock."""

    def __init__(self, path: Path, database: Database, records_days: int, records_max_bytes: int) -> None:
        self.path = path
        self.database = database
        self.clock = VirtualClock(now=float(NOW_S))
        self.usage = UsageRepository(
            database, self.clock, records_days=records_days, records_max_bytes=records_max_bytes
        )
        self.logs = LogRepository(database, self.clock)
        self.functions = FunctionRepository(database)
        self._position = 0

    async def fold(self, *records: UsageRecord, allocations: Sequence[Allocation] = ()) -> None:
        self._position += 1
        usage = NewUsage(records, allocations)
        await self.logs.fold([], [], ["any"], LogPosition(1, self._position), usage=usage)

    async def records(self, question: UsageQuestion = EVER) -> list[UsageRecord]:
        page = await self.usage.records(question, limit=1 << 30)
        assert page.after is None
        return [record for _, record in page.records]

    async def tidy(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        for _ in range(1_000):
            if not await self.usage.tidy(int(self.clock.now())):
                return
        raise AssertionError("tidying comes to no end")

    def count(self, table: str, where: str = "1") -> int:
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0])


@asynccontextmanager
async def opened(tmp_path: Path, *, records_days: int = 35, records_max_bytes: int = 1 << 40) -> AsyncIterator[Opened]:
    path = tmp_path / "state.db"
    if not path.exists():
        make_sqlite(path)
    async with Database(path) as database:
        yield Opened(path, database, records_days, records_max_bytes)


def run(tmp_path: Path, story: Callable[[Opened], Awaitable[None]], **options: int) -> None:
    async def told() -> None:
        async with opened(tmp_path, **options) as at:
            await story(at)

    asyncio.run(told())


def key(
    function: str = "f",
    version: str = "$LATEST",
    qualifier: str = "",
    of: UsageClass = SMALL,
    scope: Scope = SCOPE,
) -> UsageKey:
    return UsageKey(scope, function, version, qualifier, of)


def used(at_ms: int = NOW_S * 1000, of: UsageKey | None = None, billed_ms: int = 1, **more: object) -> UsageRecord:
    fields = {
        "key": of or key(),
        "request_id": str(uuid.UUID(int=random.getrandbits(128), version=4)),
        "started_ms": at_ms,
        "duration_us": billed_ms * 1000,
        "init_us": 0,
        "billed_ms": billed_ms,
        "cpu_us": 0,
        "memory_peak_mib": 0,
        "streamed_bytes": 0,
        "status": "",
    }
    return UsageRecord(**(fields | more))  # type: ignore[arg-type]


def summed(rows: Sequence[UsageRow]) -> UsageTotal:
    total = UsageTotal()
    for row in rows:
        total.merge(row.total)
    return total


def sum_of(records: Sequence[UsageRecord]) -> UsageTotal:
    total = UsageTotal()
    for record in records:
        total.add(record)
    return total


async def tag(at: Opened, name: str, tags: dict[str, str]) -> None:
    """Give a function tags; it is made when there is none."""
    async with at.functions.transaction(SCOPE) as tx:
        known = await tx.function(FunctionName(name))
        if known is not None:
            await tx.save_function(msgspec.structs.replace(known, tags=tags))
            return
        latest = FunctionVersion(
            scope=SCOPE,
            name=FunctionName(name),
            version="$LATEST",
            function_id=name,
            configuration=Configuration("python3.12", "app.handler", "role"),
            code=Code("1" * 64, 1),
            revision_id="r",
            last_modified=0.0,
            state=State.ACTIVE,
            deployment_id="d",
        )
        await tx.create(Function(SCOPE, FunctionName(name), name, tags=tags), latest)


async def delete(at: Opened, name: str) -> None:
    async with at.functions.transaction(SCOPE) as tx:
        await tx.delete_function(FunctionName(name))


# Adding --------------------------------------------------------------------------------------------------------------

EDGES_S = (60, 900, 3_600, DAY_S)
CLASSES = (
    UsageClass(128, runtime="python3.12"),
    UsageClass(1_769, 2_048, "arm64", UsageKind.PROVISIONED.value, "nodejs22.x"),
    UsageClass(10_240, tenant="blue", runtime="python3.12"),
)


def any_records(chance: random.Random, count: int) -> list[UsageRecord]:
    """Draw records of some keys, many of them within a few milliseconds of the end of a minute, a day or a month."""
    keys = [
        key(name, version, qualifier, of, scope)
        for name, version, qualifier in (("f", "$LATEST", ""), ("f", "1", "live"), ("g", "2", "2"))
        for of in CLASSES
        for scope in (SCOPE, OTHER)
    ]
    months = (1_792_540_800_000, 1_795_219_200_000)  # 21 October and 21 November 2026, for want of better ones
    records = []
    for _ in range(count):
        at_ms = chance.choice((*months, NOW_S * 1000)) + chance.choice(EDGES_S) * 1000 * chance.randrange(-3, 4)
        at_ms += chance.choice((-1, 0, 1, chance.randrange(-DAY_S * 1000, DAY_S * 1000)))
        records.append(
            used(
                at_ms,
                chance.choice(keys),
                billed_ms=chance.choice((1, 100, 900_000)),
                init_us=chance.choice((0, 150_001)),
                cpu_us=chance.randrange(1 << 20),
                memory_peak_mib=chance.randrange(10_240),
                streamed_bytes=chance.choice((0, 1, FREE_STREAMED_BYTES, FREE_STREAMED_BYTES + 1, 200 << 20)),
                status=chance.choice(("", "error", "timeout")),
                is_restored=chance.random() < 0.2,
            )
        )
    return records


@pytest.mark.parametrize("seed", range(4))
def test_sums_equal_the_records(tmp_path: Path, seed: int) -> None:
    """By minute, quarter, hour and day, of any stretch and any function: whatever the fold that brought a record in."""
    chance = random.Random(seed)

    async def story(at: Opened) -> None:
        records = any_records(chance, 400)
        left = list(records)
        while left:
            size = chance.randrange(1, 80)
            await at.fold(*left[:size])
            left = left[size:]
        at.clock = VirtualClock(now=0.0)
        at.usage = UsageRepository(at.database, at.clock, records_days=35, records_max_bytes=1 << 40)
        stored = await at.records()
        assert stored == records
        first, last = (edge(one.started_ms for one in records) // 60_000 for edge in (min, max))
        for _ in range(60):
            begin, end = sorted(chance.randrange(first - 1, last + 2) * 60 for _ in range(2))
            account, function = chance.choice((None, *(SCOPE.account, OTHER.account))), chance.choice((None, "f", "g"))
            question = UsageQuestion(from_s=begin, before_s=end, account=account, function=function)
            expected = [
                one
                for one in records
                if begin * 1000 <= one.started_ms < end * 1000
                and account in (None, one.key.scope.account)
                and function in (None, one.key.function)
            ]
            rows = await at.usage.totals(question)
            assert summed(rows) == sum_of(expected)
            assert await at.records(question) == expected
            assert sum(row.memory_mib_ms for row in rows) == sum(
                one.billed_ms * one.key.of.memory_mib for one in expected
            )
            assert sum(row.tmp_mib_ms for row in rows) == sum(
                one.billed_ms * (one.key.of.tmp_mib - 512) for one in expected
            )
            assert sum(row.restored_mib for row in rows) == sum(
                one.is_restored * one.key.of.memory_mib for one in expected
            )
        with contextlib.closing(sqlite3.connect(at.path)) as connection:
            columns = ", ".join(f"{'max' if name == 'memory_peak_mib' else 'sum'}({name})" for name in FIELDS)
            for period_s in RESOLUTIONS_S:
                (row,) = connection.execute(f"SELECT {columns} FROM usage_totals WHERE period_s = {period_s}")
                assert UsageTotal(*row) == sum_of(records)

    run(tmp_path, story)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Ids that are no UUIDs included, and such as look like one."""

    async def story(at: Opened) -> None:
        ids = ["", "a", "sixteen letters!", str(uuid.UUID(int=7)), str(uuid.UUID(int=7 << 100)).upper(), "g" * 36]
        records = [used(request_id=one, status="timeout", is_restored=True, cpu_us=3) for one in ids]
        await at.fold(*records)
        assert await at.records() == records

    run(tmp_path, story)


def test_usage_is_part_of_the_folds_commit(tmp_path: Path) -> None:
    """What raises takes it along, and a stretch that is folded already is refused: twice is once."""

    async def story(at: Opened) -> None:
        usage = NewUsage([used()], [Allocation(key(), NOW_S * 1000, NOW_S * 1000 + 300_000, 1)])
        with pytest.raises(RuntimeError):
            async with at.database.write() as statements:
                await store_usage(statements, usage)
                raise RuntimeError
        assert await at.usage.totals(EVER) == [] == await at.records()
        await at.logs.fold([], [], ["any"], LogPosition(1, 7), usage=usage)
        with pytest.raises(Conflict):
            await at.logs.fold([], [], ["any"], LogPosition(1, 7), usage=usage)
        # What is kept is a stretch by itself as well.
        alone = NewUsage(allocations=usage.allocations)
        await at.logs.fold([], [], [], LogPosition(1, 8), usage=alone)
        with pytest.raises(Conflict):
            await at.logs.fold([], [], [], LogPosition(1, 8), usage=alone)
        (row,) = await at.usage.totals(EVER)
        assert (row.total.requests, row.total.allocated_ms) == (1, 600_000)

    run(tmp_path, story)


def test_a_disk_that_is_full_loses_no_sum(tmp_path: Path, small_disk: Path) -> None:
    """Records and sums are of one commit: where it fails, neither is there, and the next one brings in both."""

    async def story(at: Opened) -> None:
        stored = 0
        filler = small_disk / "filler"
        records = [used(billed_ms=number + 1) for number in range(2_000)]
        with pytest.raises(DependencyError):
            while True:
                await at.fold(*records)
                stored += len(records)
                if stored == 4_000:
                    free = await asyncio.to_thread(lambda: __import__("shutil").disk_usage(small_disk).free)
                    await asyncio.to_thread(filler.write_bytes, bytes(max(free - 100_000, 0)))
        filler.unlink()
        assert summed(await at.usage.totals(EVER)).requests == stored == at.count("usage_records")
        await at.fold(*records)
        assert summed(await at.usage.totals(EVER)).requests == stored + 2_000 == at.count("usage_records")

    run(small_disk, story)


# Groups --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (UsageGroup.FUNCTION, {"f": 3, "g": 4}),
        (UsageGroup.VERSION, {"f:$LATEST": 1, "f:1": 2, "g:1": 4}),
        (UsageGroup.ALIAS, {"f": 1, "f:live": 2, "g:1": 4}),
        (UsageGroup.TENANT, {"": 3, "blue": 4}),
        (UsageGroup.ACCOUNT, {SCOPE.account: 3, OTHER.account: 4}),
        (UsageGroup.REGION, {SCOPE.region: 3, OTHER.region: 4}),
        (UsageGroup.TAG, {"red": 3, "": 4}),
    ],
)
def test_groups(tmp_path: Path, by: UsageGroup, expected: dict[str, int]) -> None:
    """By each that there is; what has no tenant or no such tag is of the group without a name."""

    async def story(at: Opened) -> None:
        await tag(at, "f", {"team": "red"})
        blue = UsageClass(128, tenant="blue")
        await at.fold(
            used(of=key()),
            *[used(of=key("f", "1", "live"))] * 2,
            *[used(of=key("g", "1", "1", blue, OTHER))] * 4,
        )
        question = msgspec.structs.replace(EVER, by=by, tag="team")
        found: dict[str, int] = {}
        for row in await at.usage.totals(question):
            found[row.group] = found.get(row.group, 0) + row.total.requests
        assert found == expected

    run(tmp_path, story)


def test_what_has_another_price_is_a_row_of_its_own(tmp_path: Path) -> None:
    """Architecture, kind, runtime, account and region; not memory, which is in the amounts."""

    async def story(at: Opened) -> None:
        classes = [UsageClass(128), UsageClass(256), UsageClass(128, architecture="arm64")]
        classes += [UsageClass(128, kind=UsageKind.SNAP_START.value), UsageClass(128, runtime="java21")]
        await at.fold(*(used(of=key(of=of), billed_ms=10) for of in classes), used(of=key(scope=OTHER)))
        rows = await at.usage.totals(EVER)
        assert [(row.account, row.architecture, row.kind, row.runtime, row.memory_mib_ms) for row in rows] == [
            (SCOPE.account, "arm64", "on-demand", "", 1_280),
            (SCOPE.account, "x86_64", "on-demand", "", 3_840),
            (SCOPE.account, "x86_64", "on-demand", "java21", 1_280),
            (SCOPE.account, "x86_64", "snap-start", "", 1_280),
            (OTHER.account, "x86_64", "on-demand", "python3.12", 128),
        ]

    run(tmp_path, story)


@pytest.mark.parametrize("by", UsageGroup)
def test_sums_of_many_periods_in_one_go(tmp_path: Path, by: UsageGroup) -> None:
    """As those of each alone, whatever they are by and of; where they were too many there are none."""

    async def story(at: Opened) -> None:
        await tag(at, "f", {"team": "red"})
        await tag(at, "g", {"team": "blue"})
        chance = random.Random(7)
        for period_s in RESOLUTIONS_S:
            keys = [key("f"), key("g", "2", "live"), key("g", of=UsageClass(512, tenant="t")), key("h", scope=OTHER)]
            await at.fold(
                *(used((NOW_S + chance.randrange(9) * period_s) * 1000, chance.choice(keys)) for _ in range(60))
            )
        for period_s in RESOLUTIONS_S:
            periods = [(NOW_S + number * period_s, NOW_S + (number + 1) * period_s) for number in range(12)]
            for filters in ({}, {"function": "g"}, {"tags": {"team": "red"}}, {"account": SCOPE.account}):
                whole = UsageQuestion(from_s=NOW_S, before_s=periods[-1][1], by=by, tag="team", **filters)  # type: ignore[arg-type]
                expected = {
                    first: rows
                    for first, last in periods
                    if (rows := await at.usage.totals(msgspec.structs.replace(whole, from_s=first, before_s=last)))
                }
                assert len(expected) > 1
                assert await at.usage.totals_by_time(whole, period_s, limit=1_000) == expected
                assert await at.usage.totals_by_time(whole, period_s, limit=1) is None
        at.clock.advance(MINUTES_KEPT_S + DAY_S)
        with pytest.raises(Coarse):
            await at.usage.totals_by_time(whole, 60, limit=1)

    run(tmp_path, story)


def test_filters(tmp_path: Path) -> None:
    """By account, region, function and tags, of sums and of records alike."""

    async def story(at: Opened) -> None:
        await tag(at, "f", {"team": "red", "stage": "prod"})
        await at.fold(used(), *[used(of=key("g"))] * 2, *[used(of=key(scope=OTHER))] * 4)
        for filters, count in (
            ({}, 7),
            ({"account": SCOPE.account}, 3),
            ({"region": OTHER.region}, 4),
            ({"function": "f"}, 5),
            ({"function": "f", "account": OTHER.account}, 4),
            ({"tags": {"team": "red"}}, 1),
            ({"tags": {"team": "red", "stage": "dev"}}, 0),
            ({"function": "nobody"}, 0),
        ):
            question = msgspec.structs.replace(EVER, **filters)
            assert summed(await at.usage.totals(question)).requests == count, filters
            assert len(await at.records(question)) == count, filters

    run(tmp_path, story)


def test_tags_are_those_of_the_moment(tmp_path: Path) -> None:
    """A change makes no difference to what was before, and a function that is deleted leaves its last tags."""

    async def story(at: Opened) -> None:
        by_team = msgspec.structs.replace(EVER, by=UsageGroup.TAG, tag="team")

        async def found() -> dict[str, int]:
            return {row.group: row.total.requests for row in await at.usage.totals(by_team)}

        await tag(at, "f", {"team": "red"})
        await at.fold(used())
        await tag(at, "f", {"team": "blue"})
        await at.fold(used(), used())
        await delete(at, "f")
        await at.fold(*[used()] * 4)
        assert await found() == {"red": 1, "blue": 6}
        await tag(at, "f", {})
        await at.fold(used())
        assert await found() == {"red": 1, "blue": 6, "": 1}

    run(tmp_path, story)


def test_an_account_has_so_many_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes beyond counts as of all tenants, versions and aliases, then of all functions; nothing is lost."""
    monkeypatch.setattr(module, "SERIES_OF_ACCOUNT_MAX", 5)

    async def story(at: Opened) -> None:
        def tenant(number: int, function: str = "f") -> UsageKey:
            return key(function, str(number), "live", UsageClass(128, tenant=f"t{number}"))

        for number in range(12):
            await at.fold(used(of=tenant(number)))
        by_tenant = msgspec.structs.replace(EVER, by=UsageGroup.TENANT)
        assert {row.group: row.total.requests for row in await at.usage.totals(by_tenant)} == {
            **{f"t{number}": 1 for number in range(5)},
            "*": 7,
        }
        # Those that have a place keep it.
        await at.fold(used(of=tenant(3)))
        for number in range(20):
            await at.fold(used(of=tenant(0, f"f{number}")))
        await at.fold(used(of=key(scope=OTHER)))
        rows = {(row.account, row.group): row.total.requests for row in await at.usage.totals(EVER)}
        assert rows[SCOPE.account, "f"] == 13
        assert sum(rows.values()) == 34 == at.count("usage_records")
        assert rows[SCOPE.account, "*"] >= 15
        assert rows[OTHER.account, "f"] == 1
        assert at.count("usage_series") <= 2 * 5 + 2

    run(tmp_path, story)


# Paging --------------------------------------------------------------------------------------------------------------


def test_records_come_page_by_page(tmp_path: Path) -> None:
    """In the order in which they came in, each once, however small a page is and whoever writes meanwhile."""

    async def story(at: Opened) -> None:
        records = [used((NOW_S + number % 7 * 60) * 1000, key("fg"[number % 2])) for number in range(50)]
        await at.fold(*records)
        question = UsageQuestion(from_s=NOW_S + 60, before_s=NOW_S + 360, function="f")
        expected = [one for one in records if one.key.function == "f" and 60 <= one.started_ms // 1000 - NOW_S < 360]
        for limit in (1, 3, 100):
            after: int | None = 0
            found: list[UsageRecord] = []
            while after is not None:
                page = await at.usage.records(question, after=after, limit=limit)
                assert len(page.records) <= limit
                after = page.after
                found += [record for _, record in page.records]
                await at.fold(used(NOW_S * 1000))
            assert found == expected

    run(tmp_path, story)


def test_a_page_looks_at_so_many_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Who asks for what there is none of, or little, gets short pages, each after a bounded look, and misses nothing.

    A look holds one of the few connections that all of the server reads by.
    """
    monkeypatch.setattr(usage_reading, "SCANNED_MAX", 100)

    async def story(at: Opened) -> None:
        await tag(at, "g", {"a%_": 'x"y', "team": "a"})
        await tag(at, "f", {"aX_": 'x"y'})
        await at.fold(
            *(used((NOW_S + number) * 1000, key("g" if number % 250 == 130 else "f")) for number in range(1_000))
        )
        expected = [130, 380, 630, 880]
        for wanted, numbers in (
            ({"tags": {"team": "a"}}, expected),
            ({"tags": {"a%_": 'x"y'}}, expected),
            ({"function": "g"}, expected),
            ({"tags": {"TEAM": "a"}}, []),
            ({"tags": {"team": "a", "b": "c"}}, []),
            ({"account": OTHER.account}, []),
        ):
            question = UsageQuestion(from_s=NOW_S, before_s=NOW_S + 1_020, **wanted)  # type: ignore[arg-type]
            after: int | None = 0
            found, pages = [], 0
            while after is not None:
                page = await at.usage.records(question, after=after, limit=1 if pages % 2 else 50)
                found += [record.started_ms // 1000 - NOW_S for _, record in page.records]
                after, pages = page.after, pages + 1
            assert (found, pages >= 10) == (numbers, True), wanted

    run(tmp_path, story)


# Keeping -------------------------------------------------------------------------------------------------------------


def test_records_are_kept_for_so_many_days(tmp_path: Path) -> None:
    """By their start; the sums stay."""

    async def story(at: Opened) -> None:
        await at.fold(*(used((NOW_S - days * DAY_S) * 1000) for days in range(5)))
        await at.tidy()
        assert at.count("usage_records") == 4
        await at.tidy(DAY_S)
        assert at.count("usage_records") == 3
        assert summed(await at.usage.totals(EVER)).requests == 5

    run(tmp_path, story, records_days=3)


def test_records_may_take_so_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first, some in a commit."""
    monkeypatch.setattr(module, "_DROPPED_AT_ONCE", 7)

    async def story(at: Opened) -> None:
        records = [used(NOW_S * 1000 + number) for number in range(100)]
        await at.fold(*records)
        await at.tidy()
        assert await at.records() == records[-30:]
        await at.fold(*records[:5])
        await at.tidy()
        assert await at.records() == records[-25:] + records[:5]
        assert summed(await at.usage.totals(EVER)).requests == 105

    run(tmp_path, story, records_max_bytes=30 * ROW_BYTES)


def test_sums_are_kept_by_their_length(tmp_path: Path) -> None:
    """Parts of days go, days stay; what is asked for by what is gone is refused and not answered with less."""

    async def story(at: Opened) -> None:
        begin = NOW_S - NOW_S % DAY_S
        await at.fold(used((begin + 61) * 1000), allocations=[Allocation(key(), begin * 1000, begin * 1000 + 1, 1)])
        minute = UsageQuestion(from_s=begin + 60, before_s=begin + 120)
        quarter = UsageQuestion(from_s=begin, before_s=begin + 900)
        day = UsageQuestion(from_s=begin, before_s=begin + DAY_S)

        async def counts() -> list[int | None]:
            found: list[int | None] = []
            for question in (minute, quarter, day):
                try:
                    found.append(summed(await at.usage.totals(question)).requests)
                except Coarse:
                    found.append(None)
            return found

        await at.tidy()
        assert await counts() == [1, 1, 1]
        await at.tidy(MINUTES_KEPT_S + 61)
        assert await counts() == [None, 1, 1]
        await at.tidy(120)
        assert [at.count("usage_totals", f"period_s = {period_s}") for period_s in RESOLUTIONS_S] == [0, 1, 1, 1]
        await at.tidy(HOURS_KEPT_S)
        assert await counts() == [None, None, 1]
        await at.tidy(3_700)
        assert [at.count("usage_totals", f"period_s = {period_s}") for period_s in RESOLUTIONS_S] == [0, 0, 0, 1]
        assert at.count("usage_allocations") == 0
        assert await at.usage.began_s() == begin

    run(tmp_path, story)


def test_nothing_began(tmp_path: Path) -> None:
    """An empty store says so, and answers."""

    async def story(at: Opened) -> None:
        assert await at.usage.began_s() is None
        assert await at.usage.totals(EVER) == [] == await at.records()
        assert await at.usage.totals(UsageQuestion(from_s=60, before_s=60)) == []

    run(tmp_path, story)


# Allocations ---------------------------------------------------------------------------------------------------------


def test_the_last_allocation_of_each_version(tmp_path: Path) -> None:
    """What was added within a step is in it; tags that change, and a full account, make no difference to it."""
    at_ms = NOW_S * 1000
    one, two = key(version="1"), key(version="2", of=UsageClass(128, kind=UsageKind.SNAP_START.value))

    async def story(at: Opened) -> None:
        await tag(at, "f", {"team": "red"})
        await at.fold(allocations=[Allocation(one, at_ms, at_ms + 300_000, 2)])
        await tag(at, "f", {"team": "blue"})
        more = Allocation(one, at_ms + 100_000, at_ms + 300_000, 3)
        await at.fold(allocations=[more, Allocation(two, at_ms + 1, at_ms + 300_001, 1)])
        assert await at.usage.allocations(at_ms) == [
            Allocation(one, at_ms, at_ms + 300_000, 5),
            Allocation(two, at_ms + 1, at_ms + 300_001, 1),
        ]
        await at.fold(allocations=[Allocation(one, at_ms + 300_000, at_ms + 600_000, 1)])
        assert await at.usage.allocations(at_ms + 300_002) == [Allocation(one, at_ms + 300_000, at_ms + 600_000, 1)]
        rows = {row.kind: row for row in await at.usage.totals(EVER)}
        assert rows["on-demand"].total.allocated_ms == 2 * 300_000 + 3 * 200_000 + 300_000
        assert rows["on-demand"].allocated_mib_ms == 128 * rows["on-demand"].total.allocated_ms
        assert rows["snap-start"].total.allocated_ms == 300_000
        assert summed(list(rows.values())).requests == 0

    run(tmp_path, story)


# Room ----------------------------------------------------------------------------------------------------------------


def test_what_an_invocation_takes_on_disk(tmp_path: Path) -> None:
    """A record with its place in the index stays below `ROW_BYTES`, by which the limit in MiB is reckoned."""

    async def story(at: Opened) -> None:
        before = 0
        for round_ in range(4):
            records = [
                used(
                    (NOW_S + round_) * 1000 + number // 4,
                    key(f"f{number % 100}"),
                    billed_ms=random.randrange(900_000),
                    cpu_us=random.randrange(1 << 26),
                    memory_peak_mib=random.randrange(128, 3_008),
                )
                for number in range(10_000)
            ]
            await at.fold(*records)
            with contextlib.closing(sqlite3.connect(at.path)) as connection:
                (pages,) = connection.execute(
                    "SELECT sum(pgsize) FROM dbstat WHERE name IN ('usage_records', 'usage_records_in_time')"
                ).fetchone()
            if round_:
                assert 40 < (pages - before) / len(records) < ROW_BYTES
            before = pages

    run(tmp_path, story)
