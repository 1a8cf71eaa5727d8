"""
What a provider would charge for usage. Pure.

A bill is of one account and one calendar month of UTC. Its charges are summed by `Meter`, what is free is taken off,
and tiers are gone through; that gives each meter one rate for the whole month, at which every part of that month is
priced. So parts add up to the bill, whichever way usage is told apart.

Rates are fractions: a third of a price has no end as a decimal number. What parts come to is counted in `GRAINS`, far
finer than what is shown, and `rounded` makes decimal numbers of these that add up to the sum as it is shown.

Source: Lambda pricing page: tiers by architecture and region in an account, what is free by account.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from lambent.domain.price_list import GB_IN_BYTES, GB_SECOND, Free, Price, PriceList, What
from lambent.domain.usage import UsageKind

PLACES: Final = 12
"""Decimals of an amount that is shown: a millisecond with 128 MiB costs 0.000000002083."""

GRAINS: Final = 10**30
"""
Of a unit of the currency. A million parts are off by 1e-24 together; fractions would be exact, and grow a digit longer
with each digit of each account's sums.
"""

_GRAINS_IN_LAST_PLACE: Final = GRAINS // 10**PLACES


class Meter(NamedTuple):
    """What is summed over a month before it is priced."""

    what: What
    architecture: str
    """Empty where the price tells architectures not apart."""
    region: str
    is_provisioned: bool
    """Nothing is free of what ran in provisioned environments. Documented: Lambda pricing."""


class Charge(NamedTuple):
    """How much was used of what one meter sums."""

    meter: Meter
    quantity: int
    """Requests, MiB times milliseconds, bytes, or restored MiB: by the meter's `what`."""


class Usage(NamedTuple):
    """Sums of usage that has one price each."""

    region: str
    architecture: str
    kind: str
    runtime: str
    requests: int
    memory_mib_ms: int
    tmp_mib_ms: int
    allocated_mib_ms: int
    restored_mib: int
    billable_streamed_bytes: int


class MeterBill(NamedTuple):
    """What one meter comes to in a month."""

    quantity: int
    amount: Fraction

    @property
    def rate(self) -> Fraction:
        """Amount for each one that is counted."""
        return self.amount / self.quantity if self.quantity else Fraction(0)


def charges(usage: Usage, prices: PriceList) -> list[Charge]:
    """Return what usage is charged by; what there was none of is left out."""
    is_provisioned = usage.kind == UsageKind.PROVISIONED
    is_snapshot = usage.kind == UsageKind.SNAP_START
    amounts = (
        (What.REQUEST, usage.requests),
        (What.PROVISIONED_DURATION if is_provisioned else What.DURATION, usage.memory_mib_ms),
        (What.TMP, usage.tmp_mib_ms),
        (What.PROVISIONED, usage.allocated_mib_ms if is_provisioned else 0),
        (What.STREAMED, usage.billable_streamed_bytes),
        (What.SNAPSHOT_CACHED, usage.allocated_mib_ms if is_snapshot else 0),
        (What.SNAPSHOT_RESTORED, usage.restored_mib if is_snapshot else 0),
    )
    found = []
    for what, quantity in amounts:
        if quantity <= 0:
            continue
        price = prices.find(what, usage.architecture, usage.region)
        if not usage.runtime.startswith(price.except_runtimes or ("\0",)):
            found.append(Charge(Meter(what, price.architecture, usage.region, is_provisioned), quantity))
    return found


def month_bill(quantities: Mapping[Meter, int], prices: PriceList) -> dict[Meter, MeterBill]:
    """
    Return what a month of one account comes to, by meter.

    What is free is shared among the meters that it covers by how much each counted, and taken off before tiers are gone
    through. Assumed: AWS does not say in which order (test_bill).
    """
    billed = {meter: Fraction(quantity) for meter, quantity in quantities.items() if quantity > 0}
    for covered, free in _free(prices.free):
        meters = [meter for meter in billed if meter.what == covered and not meter.is_provisioned]
        total = sum((billed[meter] for meter in meters), Fraction(0))
        if total:
            left = max(Fraction(0), total - free) / total
            for meter in meters:
                billed[meter] *= left
    return {meter: MeterBill(quantities[meter], amount) for meter, amount in _priced(billed, prices).items()}


def price_of(meter: Meter, prices: PriceList) -> Price:
    """Return the price of what a meter counts."""
    return prices.find(meter.what, meter.architecture, meter.region)


def list_rate(meter: Meter, prices: PriceList) -> Fraction:
    """Return the first tier's amount for each one that is counted."""
    price = price_of(meter, prices)
    return Fraction(price.tiers[0].amount) / price.unit_size


def cost(quantity: int, rate: Fraction) -> int:
    """Return what a part of a month comes to, in grains."""
    return round(quantity * rate * GRAINS)


class Rounding:
    """Makes decimal numbers of amounts, one after another, so that they add up: what is lost of one, the next gets."""

    def __init__(self) -> None:
        self._so_far = 0
        self._given = 0

    def next(self, amount: int) -> Decimal:
        """Return an amount of grains with `PLACES` decimals, off by one in the last at most."""
        self._so_far += amount
        upto = _rounded(self._so_far)
        found = _decimal(upto - self._given)
        self._given = upto
        return found


def rounded(amounts: Sequence[int]) -> list[Decimal]:
    """Return amounts of grains with `PLACES` decimals; their sum is the sum of all, rounded."""
    rounding = Rounding()
    return [rounding.next(amount) for amount in amounts]


def rounded_one(amount: int) -> Decimal:
    """Return an amount of grains with `PLACES` decimals."""
    return _decimal(_rounded(amount))


def summed(parts: Iterable[Charge]) -> dict[Meter, int]:
    """Return quantities by meter."""
    found: dict[Meter, int] = {}
    for meter, quantity in parts:
        found[meter] = found.get(meter, 0) + quantity
    return found


def _rounded(grains: int) -> int:
    return (grains + _GRAINS_IN_LAST_PLACE // 2) // _GRAINS_IN_LAST_PLACE


def _decimal(last_places: int) -> Decimal:
    # Of digits: arithmetic would round to the context's precision.
    return Decimal((last_places < 0, tuple(map(int, str(abs(last_places)))), -PLACES))


def _free(free: Free) -> tuple[tuple[What, Fraction], ...]:
    return (
        (What.REQUEST, Fraction(free.requests)),
        (What.DURATION, Fraction(free.gb_seconds) * GB_SECOND),
        (What.STREAMED, Fraction(free.streamed_gb) * GB_IN_BYTES),
    )


def _priced(billed: Mapping[Meter, Fraction], prices: PriceList) -> dict[Meter, Fraction]:
    """
    Return amounts by meter.

    Meters that differ only in whether they are provisioned, requests that is, go through the same tiers together.
    """
    together: dict[tuple[What, str, str], list[Meter]] = {}
    for meter in billed:
        together.setdefault((meter.what, meter.architecture, meter.region), []).append(meter)
    amounts: dict[Meter, Fraction] = {}
    for meters in together.values():
        total = sum((billed[meter] for meter in meters), Fraction(0))
        price = price_of(meters[0], prices)
        amount = _through_tiers(total / price.unit_size, price)
        for meter in meters:
            amounts[meter] = amount * billed[meter] / total if total else Fraction(0)
    return amounts


def _through_tiers(units: Fraction, price: Price) -> Fraction:
    amount, begin = Fraction(0), Fraction(0)
    for tier in price.tiers:
        end = units if tier.up_to is None else min(units, Fraction(tier.up_to))
        if end > begin:
            amount += (end - begin) * Fraction(tier.amount)
            begin = end
    return amount
