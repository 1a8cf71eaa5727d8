"""What is promised of the store of metrics; `store.metrics` keeps it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.metric import Metric, MetricPoint

POINT_PERIODS_S = (1, 60)
"""Lengths of the periods that points come in; longer ones are made of them as they grow old."""

SERIES_MAX = 100_000
"""
Metrics of all scopes, each unit of one for itself. Assumed: fifty times what 200 functions have; an id as a dimension
makes as many as there are requests (test_metrics).
"""


SERIES_OF_SERVICES = 10_000
"""Of these, for namespaces of AWS alone: new functions have their figures whatever others measure."""

SERIES_OF_ACCOUNT_MAX = 60_000
"""Of one account, where a further one is not of a service: a single function with ids as dimensions fills no other."""


class TooManySeries(Exception):
    """There are as many metrics as there may be, and a further one was to be stored."""


class MetricStore(Protocol):
    """Metric points of all scopes, coarser the older they are."""

    async def add(self, points: Sequence[MetricPoint], *, refuses_series: bool = False) -> None:
        """
        Store points, all in one commit. A point of a metric and period that is there already is merged into it: what is
        added twice counts twice. Points of new metrics that find no room are dropped, counted and logged.

        Args:
            refuses_series: whether to store nothing then.

        Raises:
            TooManySeries: it refuses.
        """
        ...

    async def read(
        self,
        scope: Scope,
        namespace: str,
        name: str,
        dimensions: tuple[tuple[str, str], ...],
        *,
        from_s: int,
        before_s: int,
        period_s: int = 60,
        with_bins: bool = True,
    ) -> Sequence[MetricPoint]:
        """
        Return the points of a name and an exact set of dimensions, of all units, by time. What is returned is the
        caller's: it may be merged.

        Args:
            from_s, before_s: when the points' periods begin; the first inclusive, the last exclusive.
            period_s: what the points are to be gathered into. They come in the coarsest periods that it can be made of,
                and below a minute with those minutes of which nothing finer is known.
            with_bins: whether the points' bins are wanted; what is None or empty without is not said.
        """
        ...

    async def list(
        self,
        scope: Scope,
        *,
        namespace: str | None = None,
        name: str | None = None,
        since_s: int,
        after: Metric | None = None,
        limit: int,
    ) -> Sequence[Metric]:
        """Return metrics that have points since then, in a stable order, those behind `after`."""
        ...

    async def tidy(self, now_s: int) -> bool:
        """
        Pack, roll up and drop some of what has grown old; say whether there may be more. To be called every some
        minutes, and again while there is more, with a pause: each step takes some ten milliseconds of a processor.
        """
        ...


class Dashboard(msgspec.Struct, frozen=True):
    """A dashboard, as it was put."""

    name: str
    body: str
    modified_s: float


class DashboardStore(Protocol):
    """The dashboards of accounts: they have no region."""

    async def put(self, account: str, dashboard: Dashboard, most: int) -> bool:
        """Store or replace a dashboard; False when it is new and the account has `most` already."""
        ...

    async def get(self, account: str, name: str) -> Dashboard | None:
        """Return one."""
        ...

    async def list(self, account: str, *, prefix: str, after: str, limit: int) -> Sequence[Dashboard]:
        """Return dashboards by name, those behind `after`."""
        ...

    async def delete(self, account: str, names: Sequence[str]) -> Sequence[str]:
        """Delete dashboards in one commit; return the names of those that there were not."""
        ...
