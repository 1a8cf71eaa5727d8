"""The forecast of the current month: what the store has, carried on."""

from collections.abc import Mapping
from fractions import Fraction

from lambent.domain.bill import Meter, cost, rounded_one
from lambent.domain.forecast import Plan, plan, remainder
from lambent.domain.months import month_name, month_of
from lambent.domain.price_list import GB_SECOND, PriceList, What
from lambent.services.billing.answers import Forecast, PartAsk
from lambent.services.billing.pricing import quantities_by_account, rates_of
from lambent.store.usage_contract import UsageGroup, UsageQuestion, UsageStore

_DURATIONS = frozenset({What.DURATION, What.PROVISIONED_DURATION})


async def make_forecast(ask: PartAsk, store: UsageStore, prices: PriceList, now_s: int) -> Forecast | None:
    """Return what the month that now is in will come to; None with less than a day of usage."""
    began_s = await store.began_s()
    now_s = now_s // 60 * 60
    made_from = None if began_s is None else plan(began_s // 60 * 60, now_s)
    if made_from is None:
        return None
    begin_s, end_s = month_of(now_s)
    account = PartAsk(account=ask.account)
    whole = _Looking(account, store, prices)
    whole_so_far = await whole.used(begin_s, end_s)
    whole_expected = _sum(whole_so_far, await whole.rest(made_from, now_s, end_s))
    part_so_far, part_expected = whole_so_far, whole_expected
    if ask != account:
        part = _Looking(ask, store, prices)
        part_so_far = await part.used(begin_s, end_s)
        part_expected = _sum(part_so_far, await part.rest(made_from, now_s, end_s))
    return Forecast(
        month=month_name(begin_s),
        so_far=rounded_one(_cost(part_so_far, whole_so_far, prices)),
        expected=rounded_one(_cost(part_expected, whole_expected, prices)),
        expected_requests=_total(part_expected, frozenset({What.REQUEST})),
        expected_gb_seconds=_total(part_expected, _DURATIONS) / GB_SECOND,
        method=made_from.method,
        days=made_from.days,
        from_s=made_from.from_s,
        before_s=made_from.before_s,
    )


class _Looking:
    """What was used of a part, in stretches of time."""

    def __init__(self, ask: PartAsk, store: UsageStore, prices: PriceList) -> None:
        self._ask = ask
        self._store = store
        self._prices = prices

    async def used(self, from_s: int, before_s: int) -> dict[tuple[str, Meter], int]:
        ask = self._ask
        question = UsageQuestion(
            from_s=from_s,
            before_s=before_s,
            by=UsageGroup.ACCOUNT,
            account=ask.account,
            region=ask.region,
            function=ask.function,
            tags=ask.tags,
        )
        by_account = quantities_by_account(await self._store.totals(question), self._prices)
        return {(account, meter): quantity for account, sums in by_account.items() for meter, quantity in sums.items()}

    async def rest(self, made_from: Plan, now_s: int, end_s: int) -> dict[tuple[str, Meter], int]:
        used = [await self.used(begin, end) for begin, end in made_from.stretches()]
        return remainder(made_from, used, now_s, end_s)


def _sum(one: Mapping[tuple[str, Meter], int], other: Mapping[tuple[str, Meter], int]) -> dict[tuple[str, Meter], int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {*one, *other}}


def _cost(part: Mapping[tuple[str, Meter], int], whole: Mapping[tuple[str, Meter], int], prices: PriceList) -> int:
    """Return what a part comes to, in grains, at the rates that the whole has."""
    by_account: dict[str, dict[Meter, int]] = {}
    for (account, meter), quantity in whole.items():
        by_account.setdefault(account, {})[meter] = quantity
    rates = rates_of(by_account, prices)
    # What came in between two looks may be in the part alone: it has no rate yet.
    return sum(
        cost(quantity, rates.get(account, {}).get(meter, Fraction(0))) for (account, meter), quantity in part.items()
    )


def _total(part: Mapping[tuple[str, Meter], int], what: frozenset[What]) -> int:
    return sum(quantity for (_, meter), quantity in part.items() if meter.what in what)
