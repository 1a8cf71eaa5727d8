"""
Metrics as CloudWatch knows them: what a figure is of, and what became of it in one period.

Source: CloudWatch user guide, metrics concepts.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final, NamedTuple

from lambent.domain.caller import Scope

_GROWTH: Final = 1.02
"""Each bin reaches so many times as far as the one before it: a value is known to one per cent."""
_LOG_GROWTH: Final = math.log(_GROWTH)

_ZERO_BIN: Final = -40_000
"""The bin of 0, below that of every positive value, the least of which is 5e-324; near enough to be kept in 16 bits."""


class Metric(NamedTuple):
    """
    What a figure is of. Points of different units are of different metrics here, which CloudWatch shows as one.

    Documented: CloudWatch API reference, PutMetricData: namespace, name and the exact set of dimensions.
    """

    scope: Scope
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()
    """Name and value, by name."""
    unit: str = "None"


class Distribution:
    """
    What was measured in one period: how often, the sum, the extremes and, where values are known, how they lie.

    Grows by at most one bin for each per cent between the smallest and the greatest value.
    """

    __slots__ = ("bins", "count", "maximum", "minimum", "total")

    def __init__(
        self,
        count: float = 0.0,
        total: float = 0.0,
        minimum: float = math.inf,
        maximum: float = -math.inf,
        bins: dict[int, float] | None = None,
    ) -> None:
        self.count = count
        self.total = total
        self.minimum = minimum
        self.maximum = maximum
        self.bins = {} if bins is None and not count else bins
        """Number of a bin to how many values lie in it; None where the values are not known, or some are negative."""

    def add(self, value: float, times: float = 1.0) -> None:
        """Take in a value that was measured `times` times."""
        self.count += times
        self.total += value * times
        # Not `min` and `max`, which take twice as long: each invocation comes through here some times.
        if value < self.minimum:  # noqa: PLR1730
            self.minimum = value
        if value > self.maximum:  # noqa: PLR1730
            self.maximum = value
        if self.bins is not None:
            if value < 0:
                self.bins = None
            else:
                number = bin_of(value)
                self.bins[number] = self.bins.get(number, 0.0) + times

    @classmethod
    def of_set(cls, count: float, total: float, minimum: float, maximum: float) -> "Distribution":
        """
        Return the distribution of a statistic set.

        Documented: CloudWatch user guide, percentiles: it has some where all it counts can only be one value.
        """
        if not count:
            return cls()
        is_known = minimum == maximum and minimum >= 0
        return cls(count, total, minimum, maximum, {bin_of(minimum): count} if is_known else None)

    def merge(self, other: "Distribution") -> None:
        """Take in what was measured elsewhere, or in another period."""
        if self.bins is not None and other.bins is not None:
            for number, times in other.bins.items():
                self.bins[number] = self.bins.get(number, 0.0) + times
        else:
            self.bins = None
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)

    @property
    def has_bins(self) -> bool:
        """Whether it is known how its values lie; not where there are none."""
        return bool(self.bins)

    def bin_of_rank(self, rank: float) -> int:
        """Return the bin in which the value of a rank lies, counted from 1. There are bins."""
        assert self.bins
        numbers = sorted(self.bins)
        ends = list(accumulate(map(self.bins.__getitem__, numbers)))
        return numbers[min(bisect_left(ends, rank), len(ends) - 1)]

    def values(self) -> Iterator[tuple[float, float]]:
        """Iterate over values, ascending, each with how often it was measured; none where they are not known."""
        for number in sorted(self.bins or ()):
            assert self.bins is not None
            yield min(max(value_of(number), self.minimum), self.maximum), self.bins[number]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distribution) and all(
            getattr(self, name) == getattr(other, name) for name in Distribution.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Distribution({self.count}, {self.total}, {self.minimum}, {self.maximum}, {self.bins})"


class MetricPoint(NamedTuple):
    """What became of one metric in one period."""

    metric: Metric
    at_s: int
    """Where the period begins, in seconds since the epoch: a multiple of its length."""
    period_s: int
    """1, 60, 300 or 3600."""
    values: Distribution


def bin_of(value: float) -> int:
    """Return the number of the bin in which a value of 0 or more lies."""
    return _ZERO_BIN if value == 0 else math.ceil(math.log(value) / _LOG_GROWTH)


def value_of(number: int) -> float:
    """Return the middle of a bin."""
    return 0.0 if number == _ZERO_BIN else _GROWTH ** (number - 0.5)


def dimensions_of(given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return dimensions in the order in which a `Metric` has them."""
    return tuple(sorted(given.items()))
