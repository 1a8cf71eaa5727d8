"""
What functions have done since the server started, counted as it happens: for Prometheus, OTLP and `lambent top`.

In: the end of an invocation, a refusal: each a few additions to the integers of one object. Out: these objects. Never:
a name looked up or a text built for each invocation: an environment looks its function's counts up once.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from lambent.domain.caller import Scope

FUNCTIONS_MAX: Final = 1_000
"""Functions that are counted by name; what further ones do is counted under no name."""

EDGES_MS: Final = tuple(
    round(step * 10.0**power, 6) for power in range(-1, 6) for step in (1.0, 1.5, 2.5, 3.5, 5.0, 7.5)
)
"""Upper ends of a `Histogram`'s bins, a tenth of a millisecond to twelve minutes; one more bin has what is longer."""

OTHERS: Final = (Scope("", ""), "")
"""Whose the counts are that have no name."""


class Histogram:
    """How often something took how long. Nothing is forgotten: who wants an interval subtracts two readings."""

    __slots__ = ("bins", "count", "total_ms")

    def __init__(self) -> None:
        self.bins = [0] * (len(EDGES_MS) + 1)
        self.count = 0
        self.total_ms = 0.0

    def add(self, duration_ms: float) -> None:
        """Count one."""
        self.bins[bisect_left(EDGES_MS, duration_ms)] += 1
        self.count += 1
        self.total_ms += duration_ms

    def merge(self, other: "Histogram") -> None:
        """Take in what another has counted."""
        self.bins = [one + two for one, two in zip(self.bins, other.bins, strict=True)]
        self.count += other.count
        self.total_ms += other.total_ms

    def up_to(self, edges_ms: Sequence[float]) -> list[int]:
        """
        Return how many took at most so long.

        Args:
            edges_ms: some of `EDGES_MS`.
        """
        sums = dict(zip(EDGES_MS, accumulate(self.bins), strict=False))
        return [sums[edge] for edge in edges_ms]


class FunctionCounts:
    """One function's counts, of all its versions."""

    __slots__ = ("cold_starts", "durations", "errors", "inits", "throttles")

    def __init__(self) -> None:
        self.durations = Histogram()
        """Of its invocations, which it counts with that."""
        self.inits = Histogram()
        """Of the init phases that an invocation waited for."""
        self.errors = 0
        self.cold_starts = 0
        """Invocations whose environment was started for them, those that were restored from a snapshot among them."""
        self.throttles = 0

    def ended(self, duration_ms: float, start_ms: float | None, *, has_failed: bool) -> None:
        """
        Count an invocation that is over.

        Args:
            start_ms: how long its init or its restore took; None where its environment was warm.
        """
        self.durations.add(duration_ms)
        if has_failed:
            self.errors += 1
        if start_ms is not None:
            self.cold_starts += 1
            self.inits.add(start_ms)


class FunctionFigures:
    """The counts of all functions."""

    def __init__(self) -> None:
        self._counts: dict[tuple[Scope, str], FunctionCounts] = {}

    def of(self, scope: Scope, name: str) -> FunctionCounts:
        """Return a function's counts; those of all that have no name where there are too many."""
        counts = self._counts.get((scope, name))
        if counts is None:
            if len(self._counts) >= FUNCTIONS_MAX:
                scope, name = OTHERS
            counts = self._counts.setdefault((scope, name), FunctionCounts())
        return counts

    def __iter__(self) -> Iterator[tuple[tuple[Scope, str], FunctionCounts]]:
        """Iterate over what there is, by scope and name of the function."""
        return iter(list(self._counts.items()))
