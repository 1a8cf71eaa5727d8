"""
What `stats` gathers of the rows of a group: each aggregate takes a value at a time and holds little.

Counts of different values are exact up to a bound and an estimate beyond it, as are percentiles.
"""

import bisect
import hashlib
import math
from collections.abc import Callable
from typing import Final, Protocol

from lambent.domain.insights.commands import Call, Constant, MalformedQuery
from lambent.domain.insights.expressions import Evaluate
from lambent.domain.insights.fields import Row, place_of
from lambent.domain.insights.values import Value, number, order, text

DISTINCT_EXACT_MAX: Final = 2_048
"""
Different values that are told apart exactly; beyond, their number is estimated to 2 percent. Documented: user guide:
an approximation for many values.
"""
QUANTILE_EXACT_MAX: Final = 1_024
"""Numbers that are kept for percentiles; beyond, they are counted in bins that differ by 1 percent."""
_BIN: Final = math.log(1.01)
_SMALLEST: Final = 1e-9
_HASHES: Final = 1 << 64


_HASH_BYTES: Final = 130
_NUMBER_BYTES: Final = 40
_BIN_BYTES: Final = 200
"""What one of each takes where it is held. Measured with tracemalloc, rounded up."""

Take = Callable[[int], None]
"""Takes room for so many bytes; raises where there is none."""


class Aggregation(Protocol):
    """One aggregate of one group."""

    def add(self, row: Row) -> None:
        """Take a row into account."""
        ...

    def result(self) -> Value:
        """Return what has come of it; None: nothing was there."""
        ...


class _Count:
    __slots__ = ("_rows", "_value")

    def __init__(self, value: Evaluate | None) -> None:
        self._value = value
        self._rows = 0

    def add(self, row: Row) -> None:
        if self._value is None or self._value(row) is not None:
            self._rows += 1

    def result(self) -> Value:
        return self._rows


class _Distinct:
    """Keeps the least hashes: how far they reach tells how many there are."""

    __slots__ = ("_hashes", "_is_full", "_sorted", "_take", "_value")

    def __init__(self, value: Evaluate, take: Take) -> None:
        self._value = value
        self._take = take
        self._hashes: set[int] = set()
        self._sorted: list[int] = []
        self._is_full = False

    def add(self, row: Row) -> None:
        shown = text(self._value(row))
        if shown is None:
            return
        digest = hashlib.blake2b(shown.encode(errors="surrogatepass"), digest_size=8).digest()
        found = int.from_bytes(digest, "big")
        if found in self._hashes:
            return
        if not self._is_full:
            self._take(_HASH_BYTES)
            self._hashes.add(found)
            if len(self._hashes) > DISTINCT_EXACT_MAX:
                self._is_full = True
                self._sorted = sorted(self._hashes)
                self._drop_largest()
        elif found < self._sorted[-1]:
            self._hashes.add(found)
            bisect.insort(self._sorted, found)
            self._drop_largest()

    def _drop_largest(self) -> None:
        self._hashes.discard(self._sorted.pop())

    def result(self) -> Value:
        if not self._is_full:
            return len(self._hashes)
        return round((len(self._sorted) - 1) * _HASHES / (self._sorted[-1] + 1))


class _Sum:
    __slots__ = ("_count", "_sum", "_value")

    def __init__(self, value: Evaluate) -> None:
        self._value = value
        self._count = 0
        self._sum: float = 0

    def add(self, row: Row) -> None:
        found = number(self._value(row))
        if found is not None:
            self._count += 1
            self._sum += found

    def result(self) -> Value:
        return self._sum if self._count and math.isfinite(self._sum) else None


class _Average(_Sum):
    __slots__ = ()

    def result(self) -> Value:
        total = super().result()
        return None if total is None else total / self._count


class _Deviation:
    """Of a population. Assumed: the guide calls it the deviation of the values (test_stats)."""

    __slots__ = ("_count", "_mean", "_squares", "_value")

    def __init__(self, value: Evaluate) -> None:
        self._value = value
        self._count = 0
        self._mean = self._squares = 0.0

    def add(self, row: Row) -> None:
        found = number(self._value(row))
        if found is None:
            return
        # Welford's way: the difference of two great sums would lose what it is about.
        self._count += 1
        away = found - self._mean
        self._mean += away / self._count
        self._squares += away * (found - self._mean)

    def result(self) -> Value:
        if not self._count or not math.isfinite(self._squares):
            return None
        return math.sqrt(self._squares / self._count)


class _Extreme:
    """The value that comes first or last in the order of `sort`."""

    __slots__ = ("_best", "_is_last", "_order", "_size", "_take", "_value")

    def __init__(self, value: Evaluate, take: Take, *, is_last: bool) -> None:
        self._value = value
        self._take = take
        self._size = 0
        self._is_last = is_last
        self._best: Value = None
        self._order: tuple[object, ...] | None = None

    def add(self, row: Row) -> None:
        found = self._value(row)
        if found is None:
            return
        place = order(found)
        if self._order is None or (place > self._order if self._is_last else place < self._order):
            self._size = _grown(self._size, found, self._take)
            self._best, self._order = found, place

    def result(self) -> Value:
        return self._best


class _Outermost:
    """The value of the event that is the oldest or the newest."""

    __slots__ = ("_best", "_is_latest", "_place", "_size", "_take", "_value")

    def __init__(self, value: Evaluate, take: Take, *, is_latest: bool) -> None:
        self._value = value
        self._take = take
        self._size = 0
        self._is_latest = is_latest
        self._best: Value = None
        self._place: tuple[int, int, int] | None = None

    def add(self, row: Row) -> None:
        found = self._value(row)
        if found is None:
            return
        place = place_of(row)
        if self._place is None or (place > self._place if self._is_latest else place < self._place):
            self._size = _grown(self._size, found, self._take)
            self._best, self._place = found, place

    def result(self) -> Value:
        return self._best


def _grown(size: int, value: Value, take: Take) -> int:
    """Take room for a text that is longer than any that was held in its place; return the room that is taken."""
    wanted = len(value) if isinstance(value, str) else 0
    if wanted > size:
        take(wanted - size)
    return max(size, wanted)


class _Percentile:
    """Numbers, of which many are counted in bins: each one's number tells its logarithm."""

    __slots__ = ("_bins", "_count", "_numbers", "_percent", "_take", "_value")

    def __init__(self, value: Evaluate, percent: float, take: Take) -> None:
        self._value = value
        self._take = take
        self._percent = percent
        self._numbers: list[float] = []
        self._bins: dict[tuple[int, int], int] | None = None
        self._count = 0

    def add(self, row: Row) -> None:
        found = number(self._value(row))
        if found is None:
            return
        self._count += 1
        if self._bins is not None:
            self._put(self._bins, found)
            return
        self._take(_NUMBER_BYTES)
        self._numbers.append(found)
        if len(self._numbers) > QUANTILE_EXACT_MAX:
            self._bins = {}
            for each in self._numbers:
                self._put(self._bins, each)
            self._numbers = []

    def _put(self, bins: dict[tuple[int, int], int], found: float) -> None:
        size = abs(found)
        sign = 0 if size < _SMALLEST else (1 if found > 0 else -1)
        place = (sign, round(math.log(size) / _BIN) if sign else 0)
        if place not in bins:
            self._take(_BIN_BYTES)
        bins[place] = bins.get(place, 0) + 1

    def result(self) -> Value:
        if not self._count:
            return None
        # The least number that so many percent do not exceed.
        rank = max(1, math.ceil(self._count * self._percent / 100))
        if self._bins is None:
            return sorted(self._numbers)[rank - 1]
        seen = 0
        for sign, exponent in sorted(self._bins, key=lambda place: (place[0], place[0] * place[1])):
            seen += self._bins[sign, exponent]
            if seen >= rank:
                return sign * math.exp(exponent * _BIN)
        raise AssertionError("fewer numbers than were counted")


def compile_aggregation(call: Call, ready: Callable[[int], Evaluate], take: Take) -> Callable[[], Aggregation]:
    """
    Return what makes an aggregation for each group.

    Args:
        take: takes room for what an aggregation holds beyond itself.
        ready: makes one of the call's arguments ready.

    Raises:
        MalformedQuery: it takes other values.
    """
    count = len(call.arguments)
    wanted = (0, 1) if call.name == "count" else (2, 2) if call.name in {"pct", "percentile"} else (1, 1)
    if not wanted[0] <= count <= wanted[1]:
        takes = "none or one value" if call.name == "count" else f"{wanted[0]} values"
        raise MalformedQuery(f"{call.name} takes {takes}, not {count}", call.start, call.end)
    if call.name == "count":
        counted = ready(0) if count else None
        return lambda: _Count(counted)
    value = ready(0)
    if call.name in {"pct", "percentile"}:
        percent = call.arguments[1]
        if not isinstance(percent, Constant) or not isinstance(percent.value, int | float):
            raise MalformedQuery(f"{call.name} takes a number of percent", call.start, call.end)
        if not 0 <= percent.value <= 100:
            raise MalformedQuery("a percentile is a number from 0 to 100", call.start, call.end)
        wanted_percent = float(percent.value)
        return lambda: _Percentile(value, wanted_percent, take)
    make: dict[str, Callable[[], Aggregation]] = {
        "avg": lambda: _Average(value),
        "count_distinct": lambda: _Distinct(value, take),
        "earliest": lambda: _Outermost(value, take, is_latest=False),
        "latest": lambda: _Outermost(value, take, is_latest=True),
        "max": lambda: _Extreme(value, take, is_last=True),
        "median": lambda: _Percentile(value, 50.0, take),
        "min": lambda: _Extreme(value, take, is_last=False),
        "sortsfirst": lambda: _Extreme(value, take, is_last=False),
        "sortslast": lambda: _Extreme(value, take, is_last=True),
        "stddev": lambda: _Deviation(value),
        "sum": lambda: _Sum(value),
    }
    return make[call.name]
