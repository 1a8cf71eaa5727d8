"""
What functions used: of one invocation, and summed. Pure.

Source: Lambda pricing page (requests, duration by the millisecond, memory, /tmp beyond 512 MB, streamed bytes beyond
the first 6 MB of a request, provisioned concurrency); Lambda developer guide, init billed since August 2025.
"""

import enum
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from lambent.domain.caller import Scope

FREE_TMP_MIB: Final = 512
"""Of /tmp, which costs nothing. Documented: Lambda pricing."""

FREE_STREAMED_BYTES: Final = 6 * 1024 * 1024
"""Of each streamed response. Documented: Lambda pricing, "6MB". Assumed: binary ones, as other limits are."""

ELSEWHERE: Final = "*"
"""Stands for the tenants, aliases and versions of usage that found no room of its own: no name can be that."""


class UsageKind(enum.StrEnum):
    """By which of AWS's prices an environment's work goes."""

    ON_DEMAND = "on-demand"
    PROVISIONED = "provisioned-concurrency"
    SNAP_START = "snap-start"


class UsageClass(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is the same for all that runs in one environment, and says what it costs."""

    memory_mib: int = 0
    tmp_mib: int = FREE_TMP_MIB
    architecture: str = "x86_64"
    """As the function names it: x86_64 or arm64."""
    kind: str = UsageKind.ON_DEMAND.value
    runtime: str = ""
    tenant: str = ""
    """For whom alone the environment runs; empty where the function does not tell tenants apart."""


class UsageKey(NamedTuple):
    """Whose usage it is. All that has the same key has one price."""

    scope: Scope
    function: str
    version: str
    """That ran: `$LATEST` or decimal digits."""
    qualifier: str
    """As the caller addressed it: an alias, a version, or empty."""
    of: UsageClass


class UsageRecord(msgspec.Struct, frozen=True, gc=False):
    """
    One invocation that is over. Times are of its start by the wall clock, and durations.

    Nothing in it leads back to it, so the collector need not look at it: thousands are made at once, and to have them
    looked at took as long as storing them.
    """

    key: UsageKey
    request_id: str
    started_ms: int
    duration_us: int
    """From START to the runtime's next Next."""
    init_us: int
    """Of the init that is billed with it; 0 without."""
    billed_ms: int
    """Init and restore included, as REPORT says it."""
    cpu_us: int
    """Processor time, init included; 0 where the sandbox cannot tell."""
    memory_peak_mib: int
    """The most that its environment has used so far."""
    streamed_bytes: int
    """Of a streamed response; 0 of one that was buffered."""
    status: str
    """Empty when all went well, else `error` or `timeout`."""
    is_restored: bool = False
    """Whether a snapshot was restored for it."""


class UsageTotal(msgspec.Struct):
    """What several invocations used, and what was kept for such. All but the peak are sums."""

    requests: int = 0
    errors: int = 0
    cold_starts: int = 0
    """Whose init was billed with an invocation."""
    restores: int = 0
    duration_us: int = 0
    init_us: int = 0
    billed_ms: int = 0
    cpu_us: int = 0
    memory_peak_mib: int = 0
    """The highest."""
    streamed_bytes: int = 0
    billable_streamed_bytes: int = 0
    """Beyond what is free of each response."""
    allocated_ms: int = 0
    """Environments times milliseconds: provisioned concurrency, or a snapshot that is kept."""

    def add(self, record: UsageRecord) -> None:
        """Count one more invocation."""
        self.requests += 1
        self.errors += bool(record.status)
        self.cold_starts += bool(record.init_us)
        self.restores += record.is_restored
        self.duration_us += record.duration_us
        self.init_us += record.init_us
        self.billed_ms += record.billed_ms
        self.cpu_us += record.cpu_us
        self.memory_peak_mib = max(self.memory_peak_mib, record.memory_peak_mib)
        self.streamed_bytes += record.streamed_bytes
        self.billable_streamed_bytes += max(0, record.streamed_bytes - FREE_STREAMED_BYTES)

    @classmethod
    def of(cls, records: Sequence[UsageRecord]) -> "UsageTotal":
        """Return what some invocations used together: what `add` makes of them, for a part of the time."""
        if not records:
            return cls()
        inits = [record.init_us for record in records]
        streamed = [record.streamed_bytes for record in records]
        return cls(
            requests=len(records),
            errors=sum([record.status != "" for record in records]),
            cold_starts=len(records) - inits.count(0),
            restores=sum(record.is_restored for record in records),
            duration_us=sum([record.duration_us for record in records]),
            init_us=sum(inits),
            billed_ms=sum([record.billed_ms for record in records]),
            cpu_us=sum([record.cpu_us for record in records]),
            memory_peak_mib=max([record.memory_peak_mib for record in records]),
            streamed_bytes=sum(streamed),
            billable_streamed_bytes=sum(size - FREE_STREAMED_BYTES for size in streamed if size > FREE_STREAMED_BYTES),
        )

    def merge(self, other: "UsageTotal") -> None:
        """Add what was counted elsewhere."""
        self.requests += other.requests
        self.errors += other.errors
        self.cold_starts += other.cold_starts
        self.restores += other.restores
        self.duration_us += other.duration_us
        self.init_us += other.init_us
        self.billed_ms += other.billed_ms
        self.cpu_us += other.cpu_us
        self.memory_peak_mib = max(self.memory_peak_mib, other.memory_peak_mib)
        self.streamed_bytes += other.streamed_bytes
        self.billable_streamed_bytes += other.billable_streamed_bytes
        self.allocated_ms += other.allocated_ms
