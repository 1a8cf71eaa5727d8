"""What usage comes to by the price of the first tier, without what is free: money as budgets count it."""

from decimal import Decimal
from fractions import Fraction
from typing import Final

from lambent.domain.bill import Meter, Usage, charges, list_rate
from lambent.domain.budget import PriceClass, Quantities
from lambent.domain.price_list import PriceList

_RATES_MAX: Final = 10_000
"""That are kept: regions, which any key may name, times the rest."""


class FirstTier:
    """Implements `domain.budget.FirstTierPrices` by a list of prices. What is charged is for the bill to say."""

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices
        self._rates: dict[Meter, Fraction] = {}

    @property
    def currency(self) -> str:
        return self._prices.currency

    def first_tier_cost(self, of: PriceClass, used: Quantities) -> Decimal:
        """Return each quantity times the price of its first tier, none of it free."""
        usage = Usage(
            region=of.region,
            architecture=of.architecture,
            kind=of.kind,
            runtime=of.runtime,
            requests=used.requests,
            memory_mib_ms=used.memory_mib_ms,
            tmp_mib_ms=used.tmp_mib_ms,
            allocated_mib_ms=used.allocated_mib_ms,
            restored_mib=used.restored_mib,
            billable_streamed_bytes=used.billable_streamed_bytes,
        )
        total = Fraction(0)
        for charge in charges(usage, self._prices):
            total += charge.quantity * self._rate(charge.meter)
        return Decimal(total.numerator) / Decimal(total.denominator)

    def _rate(self, meter: Meter) -> Fraction:
        rate = self._rates.get(meter)
        if rate is None:
            if len(self._rates) >= _RATES_MAX:
                self._rates.clear()
            rate = self._rates[meter] = list_rate(meter, self._prices)
        return rate
