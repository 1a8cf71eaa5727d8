"""What rows of the store come to: rates of whole months, and what was used at these."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import TypeAlias

from lambent.domain.bill import Meter, Usage, charges, cost, month_bill
from lambent.domain.machine_cost import Held
from lambent.domain.months import month_of
from lambent.domain.price_list import PriceList
from lambent.domain.usage import UsageKind
from lambent.store.usage_contract import UsageGroup, UsageQuestion, UsageRow, UsageStore

Rates: TypeAlias = Mapping[str, Mapping[Meter, Fraction]]
"""By account."""


def usage_of(row: UsageRow) -> Usage:
    """Return of a row what has a price."""
    return Usage(
        row.region,
        row.architecture,
        row.kind,
        row.runtime,
        row.total.requests,
        row.memory_mib_ms,
        row.tmp_mib_ms,
        row.allocated_mib_ms,
        row.restored_mib,
        row.total.billable_streamed_bytes,
    )


def held_by(rows: Iterable[UsageRow]) -> Held:
    """
    Return what rows had of the machine.

    What ran in provisioned environments is within what was kept of these; a snapshot that is kept takes no memory.
    """
    cpu_us = memory_mib_ms = 0
    for row in rows:
        cpu_us += row.total.cpu_us
        memory_mib_ms += row.allocated_mib_ms if row.kind == UsageKind.PROVISIONED else row.memory_mib_ms
    return Held(cpu_us, memory_mib_ms)


def quantities_by_account(rows: Iterable[UsageRow], prices: PriceList) -> dict[str, dict[Meter, int]]:
    """Return what rows are charged by, summed for each account."""
    found: dict[str, dict[Meter, int]] = {}
    for row in rows:
        sums = found.setdefault(row.account, {})
        for meter, quantity in charges(usage_of(row), prices):
            sums[meter] = sums.get(meter, 0) + quantity
    return found


def rates_of(quantities: Mapping[str, Mapping[Meter, int]], prices: PriceList) -> Rates:
    """Return the rates of a month."""
    return {
        account: {meter: bill.rate for meter, bill in month_bill(sums, prices).items()}
        for account, sums in quantities.items()
    }


class Months:
    """The rates of months, each read once. One answer has one: what is read goes with it."""

    def __init__(self, store: UsageStore, prices: PriceList, account: str | None) -> None:
        self._store = store
        self._prices = prices
        self._account = account
        self._rates: dict[int, Rates] = {}

    async def rates(self, at_s: int, rows: Iterable[UsageRow]) -> Rates:
        """
        Return the rates of the month that a moment is in.

        Args:
            rows: what is priced by it, read before: what these are charged by is in it.
        """
        begin, end = month_of(at_s)
        found = self._rates.get(begin)
        if found is None or not self._has_all(found, rows):
            question = UsageQuestion(from_s=begin, before_s=end, by=UsageGroup.ACCOUNT, account=self._account)
            read = await self._store.totals(question)
            found = self._rates[begin] = rates_of(quantities_by_account(read, self._prices), self._prices)
        return found

    def _has_all(self, rates: Rates, rows: Iterable[UsageRow]) -> bool:
        """Say whether rates that were read earlier do: what was used first in the meantime has none among them."""
        return all(
            meter in rates.get(row.account, {}) for row in rows for meter, _ in charges(usage_of(row), self._prices)
        )


def row_cost(row: UsageRow, rates: Rates, prices: PriceList) -> int:
    """Return what a row comes to, in grains."""
    of_account = rates[row.account]
    return sum(cost(quantity, of_account[meter]) for meter, quantity in charges(usage_of(row), prices))
