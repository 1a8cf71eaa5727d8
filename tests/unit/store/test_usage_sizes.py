"""What invocations took by memory size: the newest records, those that timed out or ran provisioned left out."""

import asyncio
from pathlib import Path

import pytest

from lambent.domain.caller import Scope
from lambent.domain.usage import UsageClass, UsageKey, UsageRecord
from lambent.store import usage_sizes
from lambent.store.contract import LogPosition
from lambent.store.database import Database
from lambent.store.logs import LogRepository
from lambent.store.usage import UsageRepository
from lambent.store.usage_contract import NewUsage, SizeRow, UsageGroup, UsageQuestion
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

NOW_S = 1_795_046_400
ACCOUNT, REGION = "111122223333", "eu-west-1"


def used(number: int, memory_mib: int, *, alias: str = "", kind: str = "on-demand", status: str = "") -> UsageRecord:
    """Return the record of an invocation, begun so many seconds before now."""
    of = UsageClass(memory_mib, kind=kind)
    return UsageRecord(
        UsageKey(Scope(ACCOUNT, REGION), "f", "1", alias, of),
        "00000000-0000-4000-8000-000000000000",
        (NOW_S - number) * 1000,
        number * 1000,
        0,
        number,
        number * 10,
        number,
        0,
        status,
    )


def sizes(tmp_path: Path, records: list[UsageRecord], question: UsageQuestion, limit: int = 100) -> list[SizeRow]:
    """Return what a store with these records says."""

    tmp_path.mkdir(exist_ok=True)

    async def told() -> list[SizeRow]:
        path = tmp_path / "state.db"
        make_sqlite(path)
        async with Database(path) as database:
            clock = VirtualClock(now=float(NOW_S))
            usage = UsageRepository(database, clock, records_days=35, records_max_bytes=1 << 40)
            logs = LogRepository(database, clock)
            await logs.fold([], [], ["any"], LogPosition(1, 1), usage=NewUsage(records))
            return list(await usage.sizes(question, limit=limit))

    return asyncio.run(told())


EVER = UsageQuestion(from_s=0, before_s=NOW_S + 60)
RECORDS = [
    used(400, 1024),
    used(300, 128, alias="live"),
    used(200, 128, status="error"),
    used(100, 128, status="timeout"),
    used(90, 128, kind="provisioned-concurrency"),
    used(80, 128, kind="snap-start"),
]


def test_sums_by_size(tmp_path: Path) -> None:
    """Errors count, and so does what ran from snapshots: it took its time."""
    of_128 = SizeRow("f", ACCOUNT, REGION, "x86_64", 128, 3, 580, 5800, 300, (NOW_S - 80) * 1000)
    of_1024 = SizeRow("f", ACCOUNT, REGION, "x86_64", 1024, 1, 400, 4000, 400, (NOW_S - 400) * 1000)
    assert sizes(tmp_path, RECORDS, EVER) == [of_128, of_1024]


def test_by_alias(tmp_path: Path) -> None:
    """An alias is shown behind its function; what was addressed without one is the function."""
    question = UsageQuestion(from_s=0, before_s=NOW_S, by=UsageGroup.ALIAS)
    found = sizes(tmp_path, RECORDS, question)
    assert [(row.group, row.memory_mib, row.invocations) for row in found] == [
        ("f", 128, 2),
        ("f", 1024, 1),
        ("f:live", 128, 1),
    ]


def test_the_newest_count_where_there_are_too_many(tmp_path: Path) -> None:
    """And only those of the time that is asked for."""
    assert [row.invocations for row in sizes(tmp_path, RECORDS, EVER, limit=1)] == [1]
    before = UsageQuestion(from_s=NOW_S - 420, before_s=NOW_S - 360)
    assert [row.memory_mib for row in sizes(tmp_path, RECORDS, before)] == [1024]
    assert sizes(tmp_path, RECORDS, UsageQuestion(from_s=0, before_s=NOW_S, function="g")) == []
    assert sizes(tmp_path, RECORDS, UsageQuestion(from_s=0, before_s=NOW_S, tags={"a": "b"})) == []


def test_so_many_records_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those before the end of what is asked for, whether or not they suit: a look takes some seconds and no more."""
    monkeypatch.setattr(usage_sizes, "SCANNED_MAX", 3)
    records = [used(60 * (10 - number), 1024 if number == 2 else 128) for number in range(10)]
    big = UsageQuestion(from_s=0, before_s=NOW_S, function="f")
    assert [(row.memory_mib, row.invocations) for row in sizes(tmp_path / "a", records, big)] == [(128, 3)]
    # The fifth began 300 seconds ago: of it, and the two before.
    earlier = UsageQuestion(from_s=0, before_s=NOW_S - 300)
    found = [(row.memory_mib, row.invocations) for row in sizes(tmp_path / "b", records, earlier)]
    assert found == [(128, 2), (1024, 1)]
    assert sizes(tmp_path / "c", records, UsageQuestion(from_s=0, before_s=NOW_S - 6_000)) == []
