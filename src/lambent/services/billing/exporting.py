"""The export in the columns of FOCUS: a day at a time, so that it needs no more memory for a year."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from lambent.domain.bill import Rounding, charges, cost
from lambent.domain.focus import Day, header, rows
from lambent.domain.months import DAY_S
from lambent.domain.price_list import PriceList
from lambent.services.billing.answers import FocusAsk
from lambent.services.billing.pricing import Months, usage_of
from lambent.store.usage_contract import UsageQuestion, UsageStore

_FUNCTIONS_AT_ONCE: Final = 50
"""In one piece: some 50 KiB, made in some ten milliseconds."""

_AHEAD_S: Final = 32 * DAY_S
"""How far beyond now rows are looked for: a clock that jumped back has left usage in what is to come."""


async def export(ask: FocusAsk, store: UsageStore, prices: PriceList, now_s: int) -> AsyncGenerator[bytes]:
    """Yield the table, its header first."""
    yield header()
    months = Months(store, prices, ask.account)
    rounding = Rounding()
    began_s = await store.began_s()
    if began_s is None:
        return
    # Days before the first usage and far beyond now have no rows: nobody waits for a century of them.
    first = max(ask.from_s, began_s // DAY_S * DAY_S)
    for day_s in range(first, min(ask.before_s, now_s + _AHEAD_S), DAY_S):
        question = UsageQuestion(
            from_s=day_s,
            before_s=day_s + DAY_S,
            account=ask.account,
            region=ask.region,
            function=ask.function,
            tags=ask.tags,
        )
        found = await store.tagged_totals(question)
        if not found:
            continue
        rates = await months.rates(day_s, [row for row, _ in found])
        for start in range(0, len(found), _FUNCTIONS_AT_ONCE):
            lines = [
                Day(
                    day_s,
                    row.account,
                    row.region,
                    row.group,
                    tags,
                    charge,
                    cost(charge.quantity, rates[row.account][charge.meter]),
                )
                for row, tags in found[start : start + _FUNCTIONS_AT_ONCE]
                for charge in charges(usage_of(row), prices)
            ]
            yield rows(lines, prices, rounding)
            # Whoever takes it may have room for all: others get their turn all the same.
            await asyncio.sleep(0)
