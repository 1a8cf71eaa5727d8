"""
What is asked of `Bills`, and what it answers.

Money is `Decimal` everywhere, in the currency of the price list and to `domain.bill.PLACES` places; msgspec writes it
into JSON as a string. Quantities are numbers.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from lambent.store.usage_contract import UsageGroup

ROWS_MAX: Final = 100_000
"""Of one answer: some 50 MiB while it is made. Assumed: more is an export's business, which is made day by day."""


class TooManyRows(Exception):
    """The answer would have more rows than `ROWS_MAX`; `args[0]` says so, and what helps."""


class UsageAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage, in which stretches of time, and by what it is told apart."""

    periods: Sequence[tuple[int, int]]
    """Begin and end (exclusive) of each stretch, in seconds since the epoch and at whole minutes, in order."""
    by: UsageGroup = UsageGroup.FUNCTION
    tag: str = ""
    """The tag's key, by TAG."""
    account: str | None = None
    """None: of all."""
    region: str | None = None
    function: str | None = None
    tags: Mapping[str, str] = {}


class Used(msgspec.Struct, kw_only=True):
    """What was used, and what that comes to."""

    requests: int = 0
    errors: int = 0
    cold_starts: int = 0
    duration_ms: float = 0.0
    billed_ms: int = 0
    gb_seconds: float = 0.0
    """Billed time times memory; 1 GB is 1024 MiB, as AWS bills."""
    tmp_gb_seconds: float = 0.0
    """Beyond the free part of /tmp."""
    provisioned_gb_seconds: float = 0.0
    """For which environments were kept, whether or not they ran."""
    streamed_bytes: int = 0
    billable_streamed_bytes: int = 0
    cpu_seconds: float = 0.0
    memory_peak_mib: int = 0
    aws_cost: Decimal = Decimal(0)
    here_cost: Decimal | None = None
    """None where nobody said what the machine costs."""


class UsedBy(Used, kw_only=True):
    """A row: one group of one account in one stretch."""

    at_s: int
    """Begin of the stretch."""
    group: str
    account: str


class Prices(msgspec.Struct, frozen=True):
    """Which list of prices."""

    name: str
    source: str
    date: str
    currency: str


class MachineCost(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine cost in the stretches asked for; `cost` is the sum of all rows' `here_cost` and of `idle`."""

    cost_per_hour: Decimal
    processors: int
    memory_mib: int
    hours: float
    """Of the stretches, from the first usage on and until now."""
    cost: Decimal
    idle: Decimal
    """What no row has: what nobody used, and in an answer about a part, what all others used."""


class UsageAnswer(msgspec.Struct, kw_only=True):
    """Rows in the order of `at_s`, group and account; there is none where nothing was used."""

    prices: Prices
    machine: MachineCost | None
    rows: Sequence[UsedBy]
    total: Used


class PartAsk(msgspec.Struct, frozen=True, kw_only=True):
    """A part of all usage."""

    account: str | None = None
    region: str | None = None
    function: str | None = None
    tags: Mapping[str, str] = {}


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What the current month of UTC will come to, if it goes on like that."""

    month: str
    """YYYY-MM."""
    so_far: Decimal
    expected: Decimal
    """At the month's end, what is there so far included."""
    expected_requests: int
    expected_gb_seconds: float
    method: str
    """`weekday`: each day that is to come as the mean of such days; `rate`: as the mean of the days looked at."""
    days: float
    """How many days it is made from."""
    from_s: int
    before_s: int
    """The stretch that these days are."""


class AdviceAsk(msgspec.Struct, frozen=True, kw_only=True):
    """For which functions advice is wanted, from what was used in which stretch."""

    from_s: int
    before_s: int
    by: UsageGroup = UsageGroup.FUNCTION
    """FUNCTION, VERSION or ALIAS."""
    account: str | None = None
    region: str | None = None
    function: str | None = None
    tags: Mapping[str, str] = {}


class AtSize(msgspec.Struct, frozen=True, kw_only=True):
    """A memory size and what an invocation takes with it."""

    memory_mib: int
    billed_ms: float
    """The mean."""
    cost_per_million: Decimal
    """Invocations, requests included, at the first tier and without the free part."""
    basis: str
    """`observed`, or `modelled`."""


class MemoryAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """Which memory size would be cheapest for one function."""

    group: str
    account: str
    region: str
    architecture: str
    count: int
    """Invocations that it is based on, those that timed out left out."""
    memory_peak_mib: int
    current: AtSize
    suggested: AtSize | None
    """None: the current one is the cheapest, or `reason` says why there is none."""
    reason: str
    """In a few words."""


class AdviceAnswer(msgspec.Struct, kw_only=True):
    """Advice, by group, account, region and architecture."""

    prices: Prices
    rows: Sequence[MemoryAdvice]


class FocusAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage is exported. Bounds are midnights of UTC."""

    from_s: int
    before_s: int
    account: str | None = None
    region: str | None = None
    function: str | None = None
    tags: Mapping[str, str] = {}
