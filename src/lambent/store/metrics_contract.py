"""What is promised of the store of metrics; `store.metrics` keeps it."""

from collections.abc import Sequence
from typing import Protocol

from lambent.domain.caller import Scope
from lambent.domain.metric import Metric, MetricPoint

POINT_PERIODS_S = (1, 60)
"""Lengths of the periods that points come in; longer ones are made of them as they grow old."""


class MetricStore(Protocol):
    """Metric points of all scopes, coarser the older they are."""

    async def add(self, points: Sequence[MetricPoint]) -> None:
        """
        Store points, all in one commit. A point of a metric and period that is there already is merged into it: what is
        added twice counts twice.
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
    ) -> Sequence[MetricPoint]:
        """
        Return the points of a name and an exact set of dimensions, of all units, by time, in the finest periods kept.

        Args:
            from_s, before_s: when the points' periods begin; the first inclusive, the last exclusive.
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

    async def tidy(self, now_s: int) -> None:
        """Pack, roll up and drop what has grown old, in small steps. To be called every some minutes."""
        ...
