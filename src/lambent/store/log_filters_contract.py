"""What is promised of the store of log filters; `store.log_filters` keeps it."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from lambent.domain.caller import Scope
from lambent.domain.log_filter import LogFilter, MetricFilter, SubscriptionFilter

AnyFilter = TypeVar("AnyFilter", MetricFilter, SubscriptionFilter)


class FilterState(NamedTuple):
    """What tells whether filters that were read before are all there still, and where events go on."""

    metric_filters: int
    subscription_filters: int
    next_sequence: int
    """The `sequence` of the next event that is stored; those behind it follow without a gap."""


class LogFilterStore(Protocol):
    """Filters of the log groups of all scopes. They go when their group goes."""

    async def put(self, log_filter: LogFilter, check: Callable[[Sequence[LogFilter]], None]) -> bool:
        """
        Insert or replace a filter; False when there is no such group. One that is replaced keeps when it was created.

        Args:
            check: called in the transaction with all others of the group, of both kinds; what it raises leaves all as
                it was.
        """
        ...

    async def delete(self, kind: type[LogFilter], scope: Scope, group: str, name: str) -> bool | None:
        """Remove a filter; False when there is none of that name, None when there is no such group."""
        ...

    async def list(
        self,
        kind: type[AnyFilter],
        scope: Scope,
        *,
        group: str | None = None,
        prefix: str = "",
        after: tuple[str, str] | None = None,
        limit: int,
    ) -> Sequence[AnyFilter]:
        """
        Return filters by name, then group (byte order).

        Args:
            after: name and group of the last one already seen.
        """
        ...

    async def metric_filter_counts(self, scope: Scope, groups: Sequence[str]) -> Mapping[str, int]:
        """Return how many metric filters groups have; those that have none are left out."""
        ...

    async def every(self) -> Sequence[LogFilter]:
        """Return all filters of all scopes."""
        ...

    async def state(self) -> FilterState:
        """Return what costs one short query."""
        ...
