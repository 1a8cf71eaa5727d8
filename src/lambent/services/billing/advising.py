"""Advice on memory sizes, from the records of invocations."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby
from typing import Final

from lambent.domain.bill import GRAINS, rounded_one
from lambent.domain.memory_advice import Advice, Estimate, Observed, Prices, advise
from lambent.domain.price_list import PriceList, What
from lambent.services.billing.answers import AdviceAsk, AtSize, MemoryAdvice
from lambent.store.usage_contract import SizeRow, UsageQuestion, UsageStore

RECORDS_MAX: Final = 1_000_000
"""That are looked at, the newest: about a second. Assumed: what was before these tells little of now."""


async def make_advice(ask: AdviceAsk, store: UsageStore, prices: PriceList) -> list[MemoryAdvice]:
    """Return advice for each group, account, region and architecture."""
    question = UsageQuestion(
        from_s=ask.from_s,
        before_s=ask.before_s,
        by=ask.by,
        account=ask.account,
        region=ask.region,
        function=ask.function,
        tags=ask.tags,
    )
    rows = await store.sizes(question, limit=RECORDS_MAX)
    # Sorted by these, then by size.
    return [_advice(list(sizes), prices) for _, sizes in groupby(rows, key=lambda row: row[:4])]


def _advice(sizes: Sequence[SizeRow], prices: PriceList) -> MemoryAdvice:
    group, account, region, architecture = sizes[0][:4]
    now = max(sizes, key=lambda row: row.last_ms)
    request = prices.find(What.REQUEST, architecture, region)
    found = advise(
        now.memory_mib,
        [Observed(row.memory_mib, row.invocations, row.billed_ms, row.cpu_us, row.memory_peak_mib) for row in sizes],
        Prices(
            Fraction(prices.find(What.DURATION, architecture, region).tiers[0].amount) * 1_000_000,
            Fraction(request.tiers[0].amount) / request.unit_size * 1_000_000,
        ),
    )
    return MemoryAdvice(
        group=group,
        account=account,
        region=region,
        architecture=architecture,
        count=sum(row.invocations for row in sizes),
        memory_peak_mib=max(row.memory_peak_mib for row in sizes),
        current=_at_size(found.current),
        suggested=_suggested(found),
        reason=found.reason,
    )


def _suggested(advice: Advice) -> AtSize | None:
    return None if advice.suggested is None else _at_size(advice.suggested)


def _at_size(estimate: Estimate) -> AtSize:
    return AtSize(
        memory_mib=estimate.memory_mib,
        billed_ms=round(float(estimate.billed_ms), 3),
        cost_per_million=rounded_one(round(estimate.cost * GRAINS)),
        basis="observed" if estimate.is_observed else "modelled",
    )
