"""
Budgets: how much may be used in a day or a month, what counts, and which percentages are reached. Pure.

Sums are kept in whole units (requests, milliseconds times MiB, bytes), each kind of price apart, so that what is added
up piece by piece equals what is read at once. Money follows from them: each quantity times the price of its first tier,
none of it free.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

import msgspec

from lambent.domain.usage import FREE_STREAMED_BYTES, FREE_TMP_MIB, UsageKey, UsageRecord

BUDGETS_MAX: Final = 100
"""Of one account. Assumed: a team watches some dozen functions and tags one by one (test_budget_access)."""

WARN_MAX: Final = 10
TARGETS_MAX: Final = 5
"""Percentages, and targets, of one budget: a period has at most fifty notices of each."""

PERCENT_MAX: Final = 1_000

STATES_MAX: Final = 62
"""Periods of which a budget remembers what it told: a clock may jump back by that many, and nothing is told twice."""

_MIB_MS_OF_A_GB_S: Final = 1_024 * 1_000


class Measure(enum.StrEnum):
    """What is summed."""

    REQUESTS = "requests"
    GB_SECONDS = "gb_seconds"
    """Billed time times memory, as the bill has it; what is kept provisioned is not among it."""
    MONEY = "money"
    """In the currency of the price list: requests, time, /tmp, streamed bytes, restores, what is kept provisioned."""


class BudgetPeriod(enum.StrEnum):
    """For how long. Periods begin at midnight, UTC."""

    DAY = "day"
    MONTH = "month"


class Watched(msgspec.Struct, frozen=True):
    """Whose usage counts: one function's, that of functions with a tag, or, with nothing named, the account's."""

    function: str = ""
    region: str = ""
    """Of the function."""
    tag_key: str = ""
    tag_value: str = ""

    def includes(self, region: str, function: str, tags: Mapping[str, str]) -> bool:
        """Say whether a function's usage counts."""
        if self.function:
            return self.function == function and self.region == region
        return not self.tag_key or tags.get(self.tag_key) == self.tag_value

    def shown(self) -> dict[str, str]:
        """Return it as requests and notices have it."""
        if self.function:
            return {"function": self.function, "region": self.region}
        return {"tag": f"{self.tag_key}={self.tag_value}"} if self.tag_key else {}


class PriceClass(NamedTuple):
    """What has one price."""

    region: str
    architecture: str
    kind: str
    runtime: str


class Quantities(msgspec.Struct, array_like=True):
    """What was used of one price class, in whole units."""

    requests: int = 0
    memory_mib_ms: int = 0
    tmp_mib_ms: int = 0
    """Beyond what is free of /tmp."""
    billable_streamed_bytes: int = 0
    allocated_mib_ms: int = 0
    restored_mib: int = 0

    def add(self, other: "Quantities") -> None:
        """Count more."""
        self.requests += other.requests
        self.memory_mib_ms += other.memory_mib_ms
        self.tmp_mib_ms += other.tmp_mib_ms
        self.billable_streamed_bytes += other.billable_streamed_bytes
        self.allocated_mib_ms += other.allocated_mib_ms
        self.restored_mib += other.restored_mib

    def add_record(self, record: UsageRecord) -> None:
        """Count an invocation. Its rules are the store's (`UsageTotal.add`): a test holds both to one sum."""
        of = record.key.of
        self.requests += 1
        self.memory_mib_ms += record.billed_ms * of.memory_mib
        self.tmp_mib_ms += record.billed_ms * (of.tmp_mib - FREE_TMP_MIB)
        if record.streamed_bytes > FREE_STREAMED_BYTES:
            self.billable_streamed_bytes += record.streamed_bytes - FREE_STREAMED_BYTES
        if record.is_restored:
            self.restored_mib += of.memory_mib


Sums = dict[PriceClass, Quantities]
"""What was used in a period."""


class FirstTierPrices(Protocol):
    """What money is made of: `services.billing` hands over the price list."""

    @property
    def currency(self) -> str: ...

    def first_tier_cost(self, of: PriceClass, used: Quantities) -> Decimal:
        """Return each quantity times the price of its first tier, none of it free."""
        ...


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """A part of sums, as it is kept."""

    of: PriceClass
    used: Quantities


class PeriodState(msgspec.Struct, frozen=True):
    """What became of a budget in one period."""

    start_s: int
    """Its begin, in seconds since the epoch: a state belongs to this period and no other."""
    warned: tuple[int, ...] = ()
    """Percentages that were told, or are stored to be."""
    raised_to: Decimal | None = None
    """The amount for this period alone."""
    baseline: tuple[Counted, ...] = ()
    """What had been used when it was last reset: it does not count."""
    round: int = 0
    """How often it was raised or reset in the period: percentages that are not reached any more are due again."""


class Budget(msgspec.Struct, frozen=True):
    """How much may be used, and what follows when it is."""

    account: str
    name: str
    watched: Watched
    measure: Measure
    amount: Decimal
    period: BudgetPeriod
    warn: tuple[int, ...] = ()
    """Percentages, ascending."""
    targets: tuple[str, ...] = ()
    """URLs, and ARNs of queues and functions."""
    throttle: bool = False
    """Whether invocations are refused once all is used."""
    created_at: float = 0.0
    """Seconds since the epoch."""
    revision: int = 0
    """How often it was written."""
    states: tuple[PeriodState, ...] = ()
    """Of the latest periods in which it was looked at, by their begin."""

    def state(self, start_s: int) -> PeriodState | None:
        """Return what became of it in the period that begins then."""
        return next((one for one in self.states if one.start_s == start_s), None)

    def limit(self, start_s: int) -> Decimal:
        """Return what may be used in a period."""
        state = self.state(start_s)
        raised = None if state is None else state.raised_to
        return self.amount if raised is None else max(raised, self.amount)

    def with_state(self, state: PeriodState) -> "Budget":
        """Return it with another state of one period; the oldest states go where there are too many."""
        others = sorted((one for one in self.states if one.start_s != state.start_s), key=lambda one: one.start_s)
        kept = [*others[-(STATES_MAX - 1) :], state]
        return msgspec.structs.replace(self, states=tuple(sorted(kept, key=lambda one: one.start_s)))


class BudgetView(NamedTuple):
    """A budget and how it stands in one period."""

    budget: Budget
    start_s: int
    end_s: int
    used: Decimal
    limit: Decimal
    is_used_up: bool
    sums: Sums
    """What was used in the period, resets or not."""


def period_start(period: BudgetPeriod, at_s: float) -> int:
    """Return when the period began in which a moment lies, in seconds since the epoch."""
    day = int(at_s // 86_400)
    if period is BudgetPeriod.DAY:
        return day * 86_400
    return int(datetime.fromtimestamp(day * 86_400, UTC).replace(day=1).timestamp())


def period_end(period: BudgetPeriod, start_s: int) -> int:
    """Return when the period ends that begins then; the next one begins at that moment."""
    # No month has 32 days, and 32 days after its first are within the next.
    return start_s + 86_400 if period is BudgetPeriod.DAY else period_start(period, start_s + 32 * 86_400)


def used_of(measure: Measure, sums: Sums, baseline: Sequence[Counted], prices: FirstTierPrices) -> Decimal:
    """Return what counts: requests, GB-seconds, or money."""
    used = _measured(measure, sums.items(), prices)
    return used - _measured(measure, ((one.of, one.used) for one in baseline), prices) if baseline else used


def _measured(measure: Measure, sums: Iterable[tuple[PriceClass, Quantities]], prices: FirstTierPrices) -> Decimal:
    if measure is Measure.REQUESTS:
        return Decimal(sum(used.requests for _, used in sums))
    if measure is Measure.GB_SECONDS:
        return Decimal(sum(used.memory_mib_ms for _, used in sums)) / _MIB_MS_OF_A_GB_S
    return sum((prices.first_tier_cost(of, used) for of, used in sums), Decimal(0))


def reached(warn: Iterable[int], used: Decimal, limit: Decimal) -> tuple[int, ...]:
    """Return the percentages that are reached: a budget of 10 has reached 50 per cent with the fifth."""
    return tuple(percent for percent in warn if used * 100 >= limit * percent)


def rearmed(state: PeriodState, used: Decimal, limit: Decimal) -> PeriodState:
    """
    Return a state whose percentages that are not reached any more are due again.

    That is for who raises or resets a budget, and so asks to be told anew. Nothing else makes one due twice.
    """
    return msgspec.structs.replace(state, warned=reached(state.warned, used, limit), round=state.round + 1)


def counted(sums: Sums) -> tuple[Counted, ...]:
    """Return sums as they are kept."""
    return tuple(Counted(of, msgspec.structs.replace(used)) for of, used in sorted(sums.items()))


class Usages:
    """What a batch brings in, summed by whose it is and by its day: one pass over what may be thousands of records."""

    def __init__(self) -> None:
        self.by_key: dict[tuple[UsageKey, int], Quantities] = {}

    def add_all(self, records: Iterable[UsageRecord], accounts: Mapping[str, object]) -> None:
        """Count the invocations of some accounts. A month's day is told by its begin as well."""
        by_key = self.by_key
        for record in records:
            key = record.key
            if key.scope.account not in accounts:
                continue
            place = (key, record.started_ms // 86_400_000 * 86_400)
            of_key = by_key.get(place)
            if of_key is None:
                of_key = by_key[place] = Quantities()
            of_key.add_record(record)

    def allocate(self, key: UsageKey, from_ms: int, allocated_ms: int) -> None:
        """Count milliseconds of environments that were kept."""
        of_key = self.by_key.setdefault((key, from_ms // 86_400_000 * 86_400), Quantities())
        of_key.allocated_mib_ms += allocated_ms * key.of.memory_mib


def price_class(key: UsageKey) -> PriceClass:
    """Return the price that usage goes by."""
    return PriceClass(key.scope.region, key.of.architecture, key.of.kind, key.of.runtime)


def iso(at_s: float) -> str:
    """Return a moment of UTC as notices have it."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(at_s))).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown_amount(amount: Decimal) -> str:
    """Return an amount as plain digits, without zeros behind: money to some digits more than any bill has."""
    text = f"{amount if amount == (rounded := round(amount, 9)) else rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
