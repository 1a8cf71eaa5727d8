"""What is promised of the store of usage; `store.usage` keeps it."""

import enum
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from lambent.domain.usage import UsageKey, UsageRecord, UsageTotal

RESOLUTIONS_S = (60, 900, 3_600, 86_400)
"""
What usage is summed by: minutes, quarters of an hour, hours, and days of UTC. A day or a month of a time zone that is
off by half an hour, or by a quarter of one, begins and ends with quarters.
"""

MINUTES_KEPT_S = 15 * 86_400
HOURS_KEPT_S = 455 * 86_400
"""How long sums of minutes, and those of quarters and hours are kept; days stay for ever. As CloudWatch's points."""

SERIES_OF_ACCOUNT_MAX = 50_000
"""
Keys of one account. What comes beyond counts as of tenant, version and alias `*`, and from twice as many on as of
function `*` without tags: nothing is lost of the sum. Assumed: a tenant for each of some thousand customers of some
functions (test_usage).
"""


class UsageGroup(enum.StrEnum):
    """What usage is told apart by."""

    FUNCTION = "function"
    VERSION = "version"
    ALIAS = "alias"
    TAG = "tag"
    TENANT = "tenant"
    ACCOUNT = "account"
    REGION = "region"


class UsageQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which usage, and by what it is told apart.

    Bounds are in seconds since the epoch and at whole minutes. The part of it that lies within days, hours, or
    quarters of one, is read from their sums; what is asked for by the minute and older than `MINUTES_KEPT_S` is
    answered as `Coarse`.
    """

    from_s: int
    before_s: int
    by: UsageGroup = UsageGroup.FUNCTION
    tag: str = ""
    """The tag's key, by TAG."""
    account: str | None = None
    """None: of all."""
    region: str | None = None
    function: str | None = None
    tags: Mapping[str, str] = {}
    """That the function has to have had."""


class UsageRow(NamedTuple):
    """What one group used, of what has one price."""

    group: str
    """A function, `name:version`, `name:alias`, a tag's value, a tenant, an account, a region. Empty: without."""
    account: str
    region: str
    architecture: str
    kind: str
    runtime: str
    total: UsageTotal
    memory_mib_ms: int
    """Billed milliseconds times memory."""
    tmp_mib_ms: int
    """Billed milliseconds times what /tmp is beyond the free part."""
    allocated_mib_ms: int
    """Milliseconds of provisioned environments, or kept snapshots, times memory."""
    restored_mib: int


class TaggedRow(NamedTuple):
    """What one function used while it had the same tags, of what has one price."""

    row: UsageRow
    tags: Mapping[str, str]


class SizeRow(NamedTuple):
    """What invocations took with one memory size; those that timed out are left out."""

    group: str
    account: str
    region: str
    architecture: str
    memory_mib: int
    invocations: int
    billed_ms: int
    cpu_us: int
    memory_peak_mib: int
    last_ms: int
    """When the last of them began."""


class RecordPage(NamedTuple):
    """Records, and where the next page begins."""

    records: Sequence[tuple[int, UsageRecord]]
    """Each with its number. There may be none although there are more: a page looks at so many, and no further."""
    after: int | None
    """What to ask for the next ones with; None: there are no more now."""


class Allocation(NamedTuple):
    """That environments were kept for a version from one moment to another."""

    key: UsageKey
    """The qualifier is empty."""
    from_ms: int
    until_ms: int
    environments: int


class Coarse(Exception):
    """It was asked for by the minute, or a part of a day, where only longer sums are kept by now; `args[0]` says so."""


class UsageStore(Protocol):
    """
    Usage of all scopes: a record of each invocation for a set time, and sums.

    Records come in by `LogStore.fold`, in its commit: sums and records agree at any moment.
    """

    async def totals(self, question: UsageQuestion) -> Sequence[UsageRow]:
        """
        Return sums by group.

        Raises:
            Coarse: a bound lies within a period whose parts are not kept any more.
        """
        ...

    async def totals_by_time(
        self, question: UsageQuestion, period_s: int, *, limit: int
    ) -> Mapping[int, Sequence[UsageRow]] | None:
        """
        Return sums by group of each period, by its begin, in one go; those in which nothing was used are left out.

        None: there are more rows than the limit, tags told apart.

        Args:
            question: its bounds are where periods begin.
            period_s: one of `RESOLUTIONS_S`.

        Raises:
            Coarse: as `totals`.
        """
        ...

    async def tagged_totals(self, question: UsageQuestion) -> Sequence[TaggedRow]:
        """
        Return sums by function and the tags that it had.

        Raises:
            Coarse: as `totals`.
        """
        ...

    async def sizes(self, question: UsageQuestion, *, limit: int) -> Sequence[SizeRow]:
        """
        Return what was taken by group and memory size, of the last `limit` records of functions on demand.

        Args:
            question: by FUNCTION, VERSION or ALIAS.
        """
        ...

    async def records(self, question: UsageQuestion, *, after: int = 0, limit: int) -> RecordPage:
        """Return records in the order in which they came in; `after` is that of the page before."""
        ...

    async def allocations(self, since_ms: int) -> Sequence[Allocation]:
        """
        Return the last allocation of each version that ends then or later: so far, all is paid. What was added in the
        course of it is in its environments.
        """
        ...

    async def began_s(self) -> int | None:
        """Return when the first usage was, in seconds since the epoch; None where there is none."""
        ...

    async def tidy(self, now_s: int) -> bool:
        """Drop some of what is kept no longer; say whether there may be more."""
        ...


class NewUsage(NamedTuple):
    """What one fold brings in."""

    records: Sequence[UsageRecord] = ()
    allocations: Sequence[Allocation] = ()


NOTHING_USED = NewUsage()
