"""A statement of usage: what was used and what it comes to, by stretch and group."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from lambent.domain.bill import GRAINS, Rounding, rounded_one
from lambent.domain.machine_cost import MachineSize, share
from lambent.domain.months import by_month
from lambent.domain.price_list import GB_SECOND, PriceList
from lambent.domain.usage import UsageKind, UsageTotal
from lambent.services.billing.answers import (
    ROWS_MAX,
    MachineCost,
    Prices,
    TooManyRows,
    UsageAnswer,
    UsageAsk,
    Used,
    UsedBy,
)
from lambent.services.billing.pricing import Months, held_by, row_cost
from lambent.store.usage_contract import RESOLUTIONS_S, UsageGroup, UsageQuestion, UsageRow, UsageStore

Place: TypeAlias = tuple[int, str, str]
"""The begin of a stretch, a group, and its account."""


_READ_AT_ONCE: Final = 60
_READ_ROWS_MAX: Final = 20_000
"""Stretches that are read together, and rows, which are all in memory then; with more they are read one by one."""

_ROWS_AT_ONCE: Final = 500
"""Some five milliseconds."""


class _Sum(msgspec.Struct):
    """What comes together in a row of the answer."""

    total: UsageTotal = msgspec.field(default_factory=UsageTotal)
    memory_mib_ms: int = 0
    tmp_mib_ms: int = 0
    provisioned_mib_ms: int = 0
    aws: int = 0
    """In grains, as `here`."""
    here: int = 0

    def add(self, row: UsageRow) -> None:
        self.total.merge(row.total)
        self.memory_mib_ms += row.memory_mib_ms
        self.tmp_mib_ms += row.tmp_mib_ms
        if row.kind == UsageKind.PROVISIONED:
            self.provisioned_mib_ms += row.allocated_mib_ms

    def merge(self, other: "_Sum") -> None:
        self.total.merge(other.total)
        self.memory_mib_ms += other.memory_mib_ms
        self.tmp_mib_ms += other.tmp_mib_ms
        self.provisioned_mib_ms += other.provisioned_mib_ms
        self.aws += other.aws
        self.here += other.here


class Statement:
    """
    One answer in the making.

    Args:
        began_s: when the first usage was; the machine costs nothing before.
        now_s: nor does it from here on.
    """

    def __init__(
        self,
        ask: UsageAsk,
        store: UsageStore,
        prices: PriceList,
        cost_per_hour: Decimal,
        size: MachineSize,
        *,
        began_s: int | None,
        now_s: int,
    ) -> None:
        self._ask = ask
        self._store = store
        self._prices = prices
        self._cost_per_hour = cost_per_hour
        self._size = size
        self._costs = bool(cost_per_hour)
        self._from_s = now_s if began_s is None else began_s
        self._now_s = now_s
        self._months = Months(store, prices, ask.account)
        self._sums: dict[Place, _Sum] = {}
        self._machine_s = 0

    async def make(self, prices: Prices) -> UsageAnswer:
        """
        Return the answer.

        Raises:
            Coarse, TooManyRows: it cannot be given.
        """
        parts = [(begin, part) for begin, end in self._ask.periods for part in by_month(begin, end)]
        for period_s, some in _alike(parts):
            read = _Read(self._store, period_s, some[0][1][0], some[-1][1][1])
            for at_s, part in some:
                await self._take_in(at_s, part, read)
        total = _Sum()
        rows: list[UsedBy] = []
        aws, here = Rounding(), Rounding()
        for number, (place, found) in enumerate(sorted(self._sums.items())):
            await _let_others(number)
            total.merge(found)
            shown = _shown(found, aws.next(found.aws), here.next(found.here) if self._costs else None)
            rows.append(UsedBy(at_s=place[0], group=place[1], account=place[2], **shown))
        shown = _shown(total, rounded_one(total.aws), rounded_one(total.here) if self._costs else None)
        return UsageAnswer(prices=prices, machine=self._machine(total.here), rows=rows, total=Used(**shown))

    async def _take_in(self, at_s: int, part: tuple[int, int], read: "_Read") -> None:
        rows = await read.totals(self._question(part))
        here = await self._here(part, rows, read)
        if not rows:
            return
        rates = await self._months.rates(part[0], rows)
        for number, (row, of_here) in enumerate(zip(rows, here, strict=True)):
            await _let_others(number)
            place = (at_s, row.group, row.account)
            found = self._sums.get(place)
            if found is None:
                if len(self._sums) >= ROWS_MAX:
                    raise TooManyRows(f"more than {ROWS_MAX:,} rows; ask for less time, longer steps, or one function")
                found = self._sums[place] = _Sum()
            found.add(row)
            found.aws += row_cost(row, rates, self._prices)
            found.here += of_here

    async def _here(self, part: tuple[int, int], rows: Sequence[UsageRow], read: "_Read") -> Sequence[int]:
        """Return what rows cost on this machine, in grains."""
        begin, end = max(part[0], self._from_s), min(part[1], self._now_s)
        if not self._costs or begin >= end:
            return [0] * len(rows)
        self._machine_s += end - begin
        ask = self._ask
        everybody = held_by(rows)
        if rows and (ask.account, ask.region, ask.function, dict(ask.tags)) != (None, None, None, {}):
            everybody = held_by(
                await read.totals(UsageQuestion(from_s=part[0], before_s=part[1], by=UsageGroup.ACCOUNT))
            )
        cost = int(self._cost_per_hour * GRAINS) * (end - begin) // 3600
        return share(cost, self._size, end - begin, everybody, [held_by((row,)) for row in rows])

    def _question(self, part: tuple[int, int]) -> UsageQuestion:
        ask = self._ask
        return UsageQuestion(
            from_s=part[0],
            before_s=part[1],
            by=ask.by,
            tag=ask.tag,
            account=ask.account,
            region=ask.region,
            function=ask.function,
            tags=ask.tags,
        )

    def _machine(self, here: int) -> MachineCost | None:
        if not self._costs:
            return None
        cost = rounded_one(int(self._cost_per_hour * GRAINS) * self._machine_s // 3600)
        return MachineCost(
            cost_per_hour=self._cost_per_hour,
            processors=self._size.processors,
            memory_mib=self._size.memory_mib,
            hours=self._machine_s / 3600,
            cost=cost,
            idle=cost - rounded_one(here),
        )


class _Read:
    """
    What is read of some stretches that follow one another: each question once for all of them, where they are minutes,
    hours or days. One for each took seconds for a day by the minute.

    Args:
        period_s: how long each is; 0: they are read one by one.
    """

    def __init__(self, store: UsageStore, period_s: int, from_s: int, before_s: int) -> None:
        self._store = store
        self._period_s = period_s
        self._from_s = from_s
        self._before_s = before_s
        self._found: dict[tuple[Any, ...], Mapping[int, Sequence[UsageRow]] | None] = {}

    async def totals(self, question: UsageQuestion) -> Sequence[UsageRow]:
        if not self._period_s:
            return await self._store.totals(question)
        # What is asked of one statement differs in these alone.
        place = (question.by, question.account, question.region, question.function, tuple(question.tags.items()))
        if place not in self._found:
            whole = msgspec.structs.replace(question, from_s=self._from_s, before_s=self._before_s)
            self._found[place] = await self._store.totals_by_time(whole, self._period_s, limit=_READ_ROWS_MAX)
        found = self._found[place]
        return await self._store.totals(question) if found is None else found.get(question.from_s, ())


_Part: TypeAlias = tuple[int, tuple[int, int]]
"""The begin of the stretch that it is of, and its bounds."""


def _alike(parts: Sequence[_Part]) -> Iterator[tuple[int, Sequence[_Part]]]:
    """Yield parts that can be read together, as many as `_READ_AT_ONCE`, with how long each is; 0: by itself."""
    start = 0
    while start < len(parts):
        period_s = _period_of(parts[start])
        end = start + 1
        while (
            period_s
            and end < min(len(parts), start + _READ_AT_ONCE)
            and _period_of(parts[end]) == period_s
            and parts[end][1][0] == parts[end - 1][1][1]
        ):
            end += 1
        yield period_s if end > start + 1 else 0, parts[start:end]
        start = end


def _period_of(part: _Part) -> int:
    """Return as which period of the store's a part is summed; 0: as none."""
    begin, end = part[1]
    return end - begin if end - begin in RESOLUTIONS_S and begin % (end - begin) == 0 else 0


async def _let_others(number: int) -> None:
    """Give way each so many rows: an answer of a hundred thousand is made over a second."""
    if number % _ROWS_AT_ONCE == _ROWS_AT_ONCE - 1:
        await asyncio.sleep(0)


def _shown(found: _Sum, aws: Decimal, here: Decimal | None) -> dict[str, Any]:
    total = found.total
    return {
        "requests": total.requests,
        "errors": total.errors,
        "cold_starts": total.cold_starts,
        "duration_ms": total.duration_us / 1000,
        "billed_ms": total.billed_ms,
        "gb_seconds": found.memory_mib_ms / GB_SECOND,
        "tmp_gb_seconds": found.tmp_mib_ms / GB_SECOND,
        "provisioned_gb_seconds": found.provisioned_mib_ms / GB_SECOND,
        "streamed_bytes": total.streamed_bytes,
        "billable_streamed_bytes": total.billable_streamed_bytes,
        "cpu_seconds": total.cpu_us / 1_000_000,
        "memory_peak_mib": total.memory_peak_mib,
        "aws_cost": aws,
        "here_cost": here,
    }
