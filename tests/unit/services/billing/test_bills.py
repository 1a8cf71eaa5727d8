"""Usage in money, on the real store: whatever is asked, parts come to the month's bill, and hours to their cost."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from lambent.assembly.billing import read_prices
from lambent.domain.caller import Scope
from lambent.domain.focus import COLUMNS
from lambent.domain.machine_cost import MachineSize
from lambent.domain.usage import UsageClass, UsageKey, UsageRecord
from lambent.services.billing import statement
from lambent.services.billing.answers import (
    AdviceAsk,
    FocusAsk,
    PartAsk,
    TooManyRows,
    UsageAnswer,
    UsageAsk,
)
from lambent.services.billing.bills import Bills
from lambent.store.contract import LogPosition
from lambent.store.database import Database
from lambent.store.logs import LogRepository
from lambent.store.usage import UsageRepository
from lambent.store.usage_contract import Allocation, NewUsage, TaggedRow, UsageGroup, UsageQuestion, UsageRow
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

DAY_S = 86_400
HERE = Scope("111122223333", "us-east-1")
THERE = Scope("111122223333", "eu-west-1")
OTHERS = Scope("444455556666", "us-east-1")
LARGE = UsageClass(10_240, runtime="python3.13")
ARM = UsageClass(1024, tmp_mib=1024, architecture="arm64", runtime="nodejs22.x")
KEPT = UsageClass(1024, kind="provisioned-concurrency", runtime="python3.13")


def at(text: str) -> int:
    """Return seconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


OCTOBER, NOVEMBER, DECEMBER = at("2026-10-01"), at("2026-11-01"), at("2026-12-01")
NOW = at("2026-11-20T12:00:00")


class Opened:
    """A store with usage, and its bills."""

    def __init__(self, database: Database) -> None:
        self.clock = VirtualClock(now=float(NOW))
        self.store = UsageRepository(database, self.clock, records_days=100, records_max_bytes=1 << 40)
        self._logs = LogRepository(database, self.clock)
        self._numbers = count(1)

    def bills(self, cost_per_hour: str = "0") -> Bills:
        return Bills(self.store, read_prices(None), Decimal(cost_per_hour), MachineSize(2, 16_384), self.clock)

    async def fold(self, *records: UsageRecord, allocations: tuple[Allocation, ...] = ()) -> None:
        place = LogPosition(1, next(self._numbers))
        await self._logs.fold([], [], ["any"], place, usage=NewUsage(records, allocations))


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    path = tmp_path / "state.db"
    make_sqlite(path)
    async with Database(path) as database:
        yield Opened(database)


def run(tmp_path: Path, story: Callable[[Opened], Awaitable[None]]) -> None:
    async def told() -> None:
        async with opened(tmp_path) as on:
            await story(on)

    asyncio.run(told())


def key(function: str, of: UsageClass = LARGE, scope: Scope = HERE, qualifier: str = "") -> UsageKey:
    return UsageKey(scope, function, "$LATEST", qualifier, of)


def used(of: UsageKey, at_s: int, billed_ms: int = 900_000, **more: object) -> UsageRecord:
    fields: dict[str, object] = {
        "key": of,
        "request_id": "00000000-0000-4000-8000-000000000000",
        "started_ms": at_s * 1000,
        "duration_us": billed_ms * 1000,
        "init_us": 0,
        "billed_ms": billed_ms,
        "cpu_us": billed_ms * 100,
        "memory_peak_mib": 90,
        "streamed_bytes": 0,
        "status": "",
    }
    return UsageRecord(**(fields | more))  # type: ignore[arg-type]


async def mixed(on: Opened) -> None:
    """Bring in usage of two accounts and two months, of most kinds; the first account uses up what is free."""
    records = []
    for number in range(130):
        moment = NOVEMBER - 10 * DAY_S + number * 3 * 3600 + 59
        records += [
            used(key("one"), moment),
            used(key("two", scope=THERE, qualifier="live"), moment, billed_ms=123_457),
            used(key("three", ARM), moment, billed_ms=77_777, streamed_bytes=number << 30),
            used(key("one", scope=OTHERS), moment, billed_ms=7),
        ]
    # The last minute of a month, and the first one of the next.
    records += [used(key("edge"), NOVEMBER - 60), used(key("edge"), NOVEMBER, billed_ms=1000)]
    kept = Allocation(key("one", KEPT), (NOW - DAY_S) * 1000, (NOW - DAY_S + 3600) * 1000, 2)
    await on.fold(*records, used(key("one", KEPT), NOW - DAY_S), allocations=(kept,))


MONTHS = ((OCTOBER, NOVEMBER), (NOVEMBER, DECEMBER))
DAYS = tuple((day, day + DAY_S) for day in range(OCTOBER, DECEMBER, DAY_S))
# Days of a zone that is an hour ahead: its first of November begins in UTC's October.
DAYS_ELSEWHERE = (*((begin - 3600, end - 3600) for begin, end in DAYS), (DECEMBER - 3600, DECEMBER))


def cost(answer: UsageAnswer) -> Decimal:
    """Return what rows come to, which the total says as well."""
    of_rows = sum((row.aws_cost for row in answer.rows), Decimal(0))
    assert of_rows == answer.total.aws_cost
    return of_rows


@pytest.mark.parametrize("by", [by for by in UsageGroup if by is not UsageGroup.TAG])
@pytest.mark.parametrize("periods", [MONTHS, DAYS, DAYS_ELSEWHERE], ids=["months", "days", "days elsewhere"])
def test_rows_add_up_to_the_bills_of_the_months(tmp_path: Path, by: UsageGroup, periods: object) -> None:
    """Whatever rows are by, in whichever steps and zone: to the last decimal."""

    async def story(on: Opened) -> None:
        await mixed(on)
        bills = on.bills()
        whole = await bills.usage(UsageAsk(periods=[(OCTOBER, DECEMBER)], by=UsageGroup.ACCOUNT))
        found = await bills.usage(UsageAsk(periods=periods, by=by))  # type: ignore[arg-type]
        assert cost(found) == cost(whole) > 5
        assert found.total.requests == whole.total.requests == 523
        assert [(row.at_s, row.group, row.account) for row in found.rows] == sorted(
            (row.at_s, row.group, row.account) for row in found.rows
        )

    run(tmp_path, story)


def test_each_month_and_account_has_what_is_free(tmp_path: Path) -> None:
    """By hand: each month of the account beyond 400,000 GB-seconds is charged for what is beyond."""

    async def story(on: Opened) -> None:
        # 9,000 GB-seconds each: 50 are 450,000.
        await on.fold(
            *[used(key("f"), OCTOBER + number * 3600) for number in range(50)],
            *[used(key("f"), NOVEMBER + number * 3600) for number in range(44)],
            *[used(key("f", scope=OTHERS), NOVEMBER + number * 3600) for number in range(44)],
        )
        answer = await on.bills().usage(UsageAsk(periods=MONTHS, by=UsageGroup.ACCOUNT))
        assert [(row.at_s, row.account, row.aws_cost) for row in answer.rows] == [
            (OCTOBER, HERE.account, 50_000 * Decimal("0.0000166667")),
            (NOVEMBER, HERE.account, 0),
            (NOVEMBER, OTHERS.account, 0),
        ]
        assert answer.rows[0].gb_seconds == 450_000

    run(tmp_path, story)


def test_a_part_is_priced_at_the_rate_of_the_whole_month(tmp_path: Path) -> None:
    """A function's rows are the same whether or not others are asked for; a day's, whether or not the month is."""

    async def story(on: Opened) -> None:
        await mixed(on)
        bills = on.bills()
        day = (NOVEMBER + DAY_S, NOVEMBER + 2 * DAY_S)
        every = await bills.usage(UsageAsk(periods=[day], account=HERE.account))
        alone = await bills.usage(UsageAsk(periods=[day], account=HERE.account, function="two"))
        of_all = next(row for row in every.rows if row.group == "two")
        assert abs(of_all.aws_cost - alone.total.aws_cost) <= Decimal("1e-12")
        assert alone.total.aws_cost > 0
        assert {row.group for row in alone.rows} == {"two"}
        assert (await bills.usage(UsageAsk(periods=[], function="two"))).total.aws_cost == 0

    run(tmp_path, story)


def test_what_it_cost_here_adds_up_to_the_hours(tmp_path: Path) -> None:
    """From the first usage until now, rows and what is idle; in an answer about a part as well."""

    async def story(on: Opened) -> None:
        await mixed(on)
        bills = on.bills("0.5")
        first = NOVEMBER - 10 * DAY_S
        for ask in (
            UsageAsk(periods=MONTHS),
            UsageAsk(periods=DAYS),
            UsageAsk(periods=MONTHS, function="one"),
            UsageAsk(periods=MONTHS, account=OTHERS.account),
        ):
            answer = await bills.usage(ask)
            assert answer.machine is not None
            assert answer.machine.hours == (NOW - first) / 3600
            assert answer.machine.cost == Decimal("0.5") * (NOW - first) / 3600
            of_rows = sum((row.here_cost or Decimal(0) for row in answer.rows), Decimal(0))
            assert of_rows == answer.total.here_cost
            assert of_rows + answer.machine.idle == answer.machine.cost
            assert of_rows > 0 and answer.machine.idle > 0
        assert (await on.bills().usage(UsageAsk(periods=MONTHS))).machine is None

    run(tmp_path, story)


def test_before_the_first_usage_and_after_now_the_machine_costs_nothing(tmp_path: Path) -> None:
    """Also where there is none at all."""

    async def story(on: Opened) -> None:
        bills = on.bills("0.5")
        for _ in range(2):
            answer = await bills.usage(UsageAsk(periods=[(OCTOBER, OCTOBER + DAY_S), (DECEMBER, DECEMBER + DAY_S)]))
            assert answer.machine is not None and answer.machine.cost == 0
            await on.fold(used(key("f"), NOVEMBER))

    run(tmp_path, story)


@pytest.mark.parametrize(("at_once", "rows_max"), [(60, 20_000), (7, 20_000), (60, 1)])
def test_stretches_that_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, rows_max: int
) -> None:
    """An answer is the same as when each is read by itself, and many of them are one question."""
    hours = [(begin, begin + 3_600) for begin in range(NOVEMBER - DAY_S, NOVEMBER + 2 * DAY_S, 3_600)]
    odd = [(NOVEMBER - 1_800, NOVEMBER), *hours[30:50], (hours[50][0], hours[50][0] + 900), *DAYS[40:]]

    async def story(on: Opened) -> None:
        await mixed(on)
        read = on.store.totals
        asked: list[UsageQuestion] = []

        async def counted(question: UsageQuestion) -> Sequence[UsageRow]:
            asked.append(question)
            return await read(question)

        on.store.totals = counted  # type: ignore[method-assign]
        for periods in (hours, odd, DAYS):
            for more in ({}, {"function": "one"}, {"by": UsageGroup.REGION, "account": HERE.account}):
                ask = UsageAsk(periods=periods, **more)  # type: ignore[arg-type]
                monkeypatch.setattr(statement, "_READ_AT_ONCE", 1)
                expected = await on.bills("0.5").usage(ask)
                assert expected.rows and len(asked) > len(periods)
                asked.clear()
                monkeypatch.setattr(statement, "_READ_AT_ONCE", at_once)
                monkeypatch.setattr(statement, "_READ_ROWS_MAX", rows_max)
                assert await on.bills("0.5").usage(ask) == expected
                assert rows_max == 1 or len(asked) < 10
                asked.clear()

    run(tmp_path, story)


def test_what_is_used_while_an_answer_is_made_has_a_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day is read after the month's rates were, and has an account and a charge that these have not."""
    monkeypatch.setattr(statement, "_READ_AT_ONCE", 1)

    async def story(on: Opened) -> None:
        await on.fold(used(key("f"), NOVEMBER))
        totals, tagged = on.store.totals, on.store.tagged_totals
        late = iter([OTHERS, THERE])

        async def fold_some(question: UsageQuestion) -> None:
            if question.from_s == NOVEMBER + DAY_S and question.before_s == question.from_s + DAY_S:
                await on.fold(used(key("late", ARM, next(late)), NOVEMBER + DAY_S))

        async def late_totals(question: UsageQuestion) -> Sequence[UsageRow]:
            await fold_some(question)
            return await totals(question)

        async def late_tagged(question: UsageQuestion) -> Sequence[TaggedRow]:
            await fold_some(question)
            return await tagged(question)

        on.store.totals, on.store.tagged_totals = late_totals, late_tagged  # type: ignore[method-assign]
        answer = await on.bills().usage(UsageAsk(periods=DAYS))
        assert [(row.group, row.account) for row in answer.rows] == [("f", HERE.account), ("late", OTHERS.account)]
        lines = [part async for part in on.bills().focus(FocusAsk(from_s=OCTOBER, before_s=DECEMBER))]
        assert b"".join(lines).count(b"late,Function") == 6

    run(tmp_path, story)


def test_an_answer_has_bounded_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More are refused while they are gathered."""
    monkeypatch.setattr(statement, "ROWS_MAX", 5)

    async def story(on: Opened) -> None:
        await mixed(on)
        with pytest.raises(TooManyRows, match="more than 5 rows"):
            await on.bills().usage(UsageAsk(periods=DAYS))
        assert len((await on.bills().usage(UsageAsk(periods=MONTHS, function="one"))).rows) == 4

    run(tmp_path, story)


def test_a_month_is_carried_on(tmp_path: Path) -> None:
    """At the rate of the last days, priced with what is free of the whole month."""

    async def story(on: Opened) -> None:
        bills = on.bills()
        assert await bills.forecast(PartAsk()) is None
        # Twice an hour for ten days: 432,000 GB-seconds a day, and a tenth of that of the second function.
        begin = NOW - 10 * DAY_S
        for number in range(480):
            moment = begin + number * 1800
            await on.fold(used(key("f"), moment), used(key("g"), moment, billed_ms=90_000))
        found = await bills.forecast(PartAsk())
        assert found is not None
        assert (found.month, found.method, found.days) == ("2026-11", "rate", 7)
        so_far = Decimal(480 * 9_900)
        expected = so_far + Decimal(48 * 9_900) * Decimal("10.5")
        assert found.expected_requests == 960 + 1008
        assert found.expected_gb_seconds == float(expected)
        assert abs(found.so_far - (so_far - 400_000) * Decimal("0.0000166667")) < Decimal("1e-9")
        assert abs(found.expected - (expected - 400_000) * Decimal("0.0000166667")) < Decimal("1e-9")
        part = await bills.forecast(PartAsk(function="g"))
        assert part is not None
        assert part.expected_requests == 480 + 504
        assert abs(part.expected * 11 - found.expected) < Decimal("1e-9")
        answer = await bills.usage(UsageAsk(periods=[(NOVEMBER, DECEMBER)]))
        assert answer.total.aws_cost == found.so_far

    run(tmp_path, story)


def test_less_than_a_day_is_no_ground_for_a_forecast(tmp_path: Path) -> None:
    """By the minute of the first usage, not its day."""

    async def story(on: Opened) -> None:
        await on.fold(used(key("f"), NOW - DAY_S + 120))
        assert await on.bills().forecast(PartAsk()) is None
        on.clock.advance(180)
        found = await on.bills().forecast(PartAsk())
        assert found is not None and found.days == pytest.approx(1, abs=0.01)

    run(tmp_path, story)


def test_advice_is_of_what_ran_and_did_not_time_out(tmp_path: Path) -> None:
    """By function, or by alias when asked; the size of the last invocation is the current one."""

    async def story(on: Opened) -> None:
        small = key("f", UsageClass(256, runtime="python3.13"))
        live = key("f", UsageClass(1024, runtime="python3.13"), qualifier="live")
        await on.fold(
            *[used(small, NOW - 7200 + number, 100, cpu_us=1_000) for number in range(60)],
            *[used(live, NOW - 3600 + number, 100, cpu_us=1_000) for number in range(60)],
            *[used(live, NOW - 3600 + number, 900_000, status="timeout") for number in range(60)],
            used(key("rare", ARM), NOW - 60, 100),
            used(key("kept", KEPT), NOW - 60, 100),
        )
        ask = AdviceAsk(from_s=NOW - DAY_S, before_s=NOW)
        rows = (await on.bills().advice(ask)).rows
        assert [(row.group, row.count, row.current.memory_mib) for row in rows] == [("f", 120, 1024), ("rare", 1, 1024)]
        assert rows[0].suggested is not None
        assert (rows[0].suggested.memory_mib, rows[0].suggested.basis) == (128, "modelled")
        assert (rows[0].current.billed_ms, rows[0].current.basis) == (100, "observed")
        # 0.1 s of one GB, a million times, and the requests.
        assert rows[0].current.cost_per_million == Decimal("1.86667")
        assert rows[1].suggested is None and "50 are needed" in rows[1].reason
        by_alias = await on.bills().advice(
            AdviceAsk(from_s=NOW - DAY_S, before_s=NOW, by=UsageGroup.ALIAS, function="f")
        )
        assert [(row.group, row.count) for row in by_alias.rows] == [("f", 60), ("f:live", 60)]

    run(tmp_path, story)


def test_the_export_adds_up_to_the_bill(tmp_path: Path) -> None:
    """A row for each function, day and charge, and nothing but the columns."""

    async def story(on: Opened) -> None:
        await mixed(on)
        bills = on.bills()
        table = b"".join([part async for part in bills.focus(FocusAsk(from_s=OCTOBER, before_s=DECEMBER))]).decode()
        lines = list(csv.reader(io.StringIO(table)))
        assert tuple(lines[0]) == COLUMNS
        rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
        whole = await bills.usage(UsageAsk(periods=[(OCTOBER, DECEMBER)]))
        assert sum(Decimal(row["BilledCost"]) for row in rows) == whole.total.aws_cost
        requests = [row for row in rows if row["ConsumedUnit"] == "Requests"]
        assert sum(Decimal(row["ConsumedQuantity"]) for row in requests) == whole.total.requests
        of_accounts = {row["SubAccountId"] for row in rows}
        assert of_accounts == {HERE.account, OTHERS.account}
        part = FocusAsk(from_s=NOVEMBER, before_s=NOVEMBER + DAY_S, account=HERE.account, function="edge")
        lines = b"".join([piece async for piece in bills.focus(part)]).decode().splitlines()
        assert len(lines) == 3 and all("2026-11-01T00:00:00Z" in line for line in lines[1:])

    run(tmp_path, story)
