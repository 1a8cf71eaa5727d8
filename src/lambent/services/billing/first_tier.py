"""What usage comes to by the price of the first tier, without what is free: money as budgets count it."""

from decimal import Decimal
from fractions import Fraction

from lambent.domain.budget import PriceClass, Quantities
from lambent.domain.price_list import PriceList, What
from lambent.domain.usage import UsageKind


class FirstTier:
    """Implements `domain.budget.FirstTierPrices` by a list of prices."""

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices
        self._rates: dict[tuple[What, PriceClass], Fraction] = {}
        """Of one that is counted."""

    @property
    def currency(self) -> str:
        return self._prices.currency

    def first_tier_cost(self, of: PriceClass, used: Quantities) -> Decimal:
        """Return each quantity times the price of its first tier, none of it free."""
        is_provisioned = of.kind == UsageKind.PROVISIONED
        is_snapshot = of.kind == UsageKind.SNAP_START
        total = Fraction(0)
        for what, quantity in (
            (What.REQUEST, used.requests),
            (What.PROVISIONED_DURATION if is_provisioned else What.DURATION, used.memory_mib_ms),
            (What.TMP, used.tmp_mib_ms),
            (What.PROVISIONED, used.allocated_mib_ms if is_provisioned else 0),
            (What.STREAMED, used.billable_streamed_bytes),
            (What.SNAPSHOT_CACHED, used.allocated_mib_ms if is_snapshot else 0),
            (What.SNAPSHOT_RESTORED, used.restored_mib if is_snapshot else 0),
        ):
            if quantity:
                total += quantity * self._rate(what, of)
        return Decimal(total.numerator) / Decimal(total.denominator)

    def _rate(self, what: What, of: PriceClass) -> Fraction:
        rate = self._rates.get((what, of))
        if rate is None:
            price = self._prices.find(what, of.architecture, of.region)
            is_free = of.runtime.startswith(price.except_runtimes or ("\0",))
            rate = Fraction(0) if is_free else Fraction(price.tiers[0].amount) / price.unit_size
            if len(self._rates) >= _RATES_MAX:
                self._rates.clear()
            self._rates[what, of] = rate
        return rate


_RATES_MAX = 10_000
"""That are kept: regions, which any key may name, times the rest."""
