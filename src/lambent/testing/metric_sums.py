"""What parts tell of themselves, summed up, for tests that look at it."""

from collections.abc import Sequence

from lambent.clock import Clock
from lambent.domain.metric import MetricPoint
from lambent.telemetry.metrics import Metrics


class MetricSums:
    """Stands in for the store of metrics, as far as it is written to; `metrics` is what parts are given."""

    def __init__(self, clock: Clock) -> None:
        self.metrics = Metrics(self, clock)  # type: ignore[arg-type]
        self.points: list[MetricPoint] = []

    async def add(self, points: Sequence[MetricPoint]) -> None:
        """Keep points, as the store does."""
        self.points += points

    async def sums(self, **dimensions: str) -> dict[str, float]:
        """Return the sums of all that is told of one set of dimensions, by name."""
        await self.metrics.settle()
        wanted = tuple(sorted(dimensions.items()))
        found: dict[str, float] = {}
        for metric, _, _, values in self.points:
            if metric.dimensions == wanted:
                found[metric.name] = found.get(metric.name, 0.0) + values.total
        return found
