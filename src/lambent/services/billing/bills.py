"""What was used, in money: the one door to bills, forecasts, advice and exports."""

from collections.abc import AsyncGenerator
from decimal import Decimal

from lambent.clock import Clock
from lambent.domain.machine_cost import MachineSize
from lambent.domain.price_list import PriceList
from lambent.services.billing.advising import make_advice
from lambent.services.billing.answers import (
    AdviceAnswer,
    AdviceAsk,
    FocusAsk,
    Forecast,
    PartAsk,
    Prices,
    UsageAnswer,
    UsageAsk,
)
from lambent.services.billing.exporting import export
from lambent.services.billing.forecasting import make_forecast
from lambent.services.billing.statement import Statement
from lambent.store.usage_contract import UsageStore


class Bills:
    """
    Usage priced.

    All methods may raise `Coarse` where sums that short are not kept any more.

    Args:
        store: of usage.
        prices: what AWS would charge.
        cost_per_hour: of this machine, in the currency of the prices; 0: nobody asks.
        size: of this machine.
    """

    def __init__(
        self, store: UsageStore, prices: PriceList, cost_per_hour: Decimal, size: MachineSize, clock: Clock
    ) -> None:
        self._store = store
        self._prices = prices
        self._cost_per_hour = cost_per_hour
        self._size = size
        self._clock = clock

    def prices_text(self) -> str:
        """Return the list in force, as TOML."""
        return self._prices.text

    async def usage(self, ask: UsageAsk) -> UsageAnswer:
        """
        Return what was used and what it comes to, by stretch and group.

        Raises:
            TooManyRows: with what is asked for.
        """
        statement = Statement(
            ask,
            self._store,
            self._prices,
            self._cost_per_hour,
            self._size,
            began_s=await self._store.began_s() if self._cost_per_hour else None,
            now_s=int(self._clock.now()),
        )
        return await statement.make(self._about_prices())

    async def forecast(self, ask: PartAsk) -> Forecast | None:
        """Return what the current month will come to; None with less than a day of usage."""
        return await make_forecast(ask, self._store, self._prices, int(self._clock.now()))

    async def advice(self, ask: AdviceAsk) -> AdviceAnswer:
        """Return which memory sizes would be cheaper."""
        return AdviceAnswer(prices=self._about_prices(), rows=await make_advice(ask, self._store, self._prices))

    def focus(self, ask: FocusAsk) -> AsyncGenerator[bytes]:
        """Yield a CSV table in the columns of FOCUS, day by day."""
        return export(ask, self._store, self._prices, int(self._clock.now()))

    def _about_prices(self) -> Prices:
        prices = self._prices
        return Prices(prices.name, prices.source, prices.date.isoformat(), prices.currency)
