"""
Policy, as arithmetic: how many environments to keep parked, what a new one may cost, which idle one goes first.

Everything here takes observations and `now`, returns a decision and touches nothing.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

STOCK_MIN: Final = 2
"""Parked environments of a kind in use: one to take, and one for whoever comes while it is replaced."""

RATE_OVER_S: Final = 5.0
"""Over how long the rate of takes is averaged. Assumed: longer than a burst's gaps; the simulation shows no better."""

BURST_S: Final = 0.5
"""Takes within so long belong to one burst: parking does not keep up with them."""

BURST_HALF_LIFE_S: Final = 300.0
"""How fast a burst is forgotten. Assumed: what came at once will come at once again within minutes, or not soon."""

ESTIMATE_MIB: Final = 48
"""
What an environment is taken to cost before one of its deployment has been seen. Assumed: a Node or boto3 hello world;
bounded by MemorySize.
"""


class Demand:
    """How often parked environments of one kind are taken: the rate, and how many at once."""

    __slots__ = ("_at", "_burst", "_burst_began", "_in_burst", "_rate")

    def __init__(self, now: float) -> None:
        self._rate = 0.0
        self._at = now
        self._burst = 0.0
        self._burst_began = now
        self._in_burst = 0

    def taken(self, now: float) -> None:
        """Note that one was taken."""
        gap_s = now - self._at
        if now - self._burst_began > BURST_S:
            self._burst_began = now
            self._in_burst = 0
        self._in_burst += 1
        self._burst = max(self._burst * _halved(gap_s, BURST_HALF_LIFE_S), self._in_burst)
        self._rate = self._rate * math.exp(-gap_s / RATE_OVER_S) + 1 / RATE_OVER_S
        self._at = now

    def target(self, now: float, refill_s: float) -> int:
        """
        Return how many should be parked: what is taken while one is replaced, or at once as it was lately.

        Args:
            refill_s: how long parking one takes.
        """
        gap_s = now - self._at
        rate = self._rate * math.exp(-gap_s / RATE_OVER_S)
        burst = self._burst * _halved(gap_s, BURST_HALF_LIFE_S)
        # A product that is whole but for the last bit of a float is not the next whole number.
        return max(STOCK_MIN, math.ceil(rate * refill_s - 1e-9), round(burst))


class Wanted(msgspec.Struct, frozen=True):
    """What one kind of parked environment asks for."""

    target: int
    cost_mib: float


def share_stock(wanted: Sequence[Wanted], budget_mib: float, count_max: int) -> list[int]:
    """
    Share a budget of memory and number among kinds; return how many of each may be parked.

    Each gets the least first and then what it asks for, in the order given: whoever stands first is served first.
    """
    shares = [0] * len(wanted)
    for least in (STOCK_MIN, count_max):
        for index, kind in enumerate(wanted):
            more = min(least, kind.target) - shares[index]
            more = max(0, min(more, count_max - sum(shares), math.floor(budget_mib / kind.cost_mib + 1e-9)))
            shares[index] += more
            budget_mib -= more * kind.cost_mib
    return shares


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row: a tenth of a second, doubled up to half a minute."""
    return min(0.1 * 2.0 ** min(failures - 1, 16), 30.0)


class MemoryView(msgspec.Struct, frozen=True):
    """The host's memory as one decision sees it, in MiB."""

    available_mib: float
    """What the host could give now without swapping."""
    reserve_mib: float
    """What stays with the host."""
    promised_mib: float = 0
    """What environments that have just started will still take."""
    leaving_mib: float = 0
    """What environments that are ending will give back, unless they have already."""

    @property
    def room_mib(self) -> float:
        """What new environments may take; below 0 under pressure."""
        return self.available_mib - self.promised_mib - self.reserve_mib

    def admits(self, cost_mib: float) -> bool:
        """Whether one more environment fits now."""
        return self.room_mib >= cost_mib

    def lacks(self, cost_mib: float) -> bool:
        """Whether even what is ending does not make room for one more: another must end."""
        return self.room_mib + self.leaving_mib < cost_mib


def cost_mib(observed_mib: float | None, memory_mib: int) -> float:
    """
    Return what an environment is taken to cost.

    Args:
        observed_mib: what those of its deployment have used; None before there was one.
        memory_mib: its MemorySize, which it never exceeds.
    """
    return min(float(memory_mib), ESTIMATE_MIB if observed_mib is None else max(observed_mib, 1.0))


def observe_mib(before_mib: float | None, peak_mib: float) -> float:
    """Take one environment's peak into what its deployment's are known to use: up at once, down slowly."""
    if before_mib is None or peak_mib >= before_mib:
        return peak_mib
    return before_mib * 0.9 + peak_mib * 0.1


def first_to_go(idle: Iterable[tuple[float, float]]) -> int | None:
    """
    Return the index of the idle environment to evict: the least recently used, the larger of those that tie.

    Args:
        idle: (idle since, in monotonic seconds; size in MiB), the longest idle first. Those that became idle in the
            same second tie.
    """
    found: int | None = None
    largest = second = 0.0
    for index, (since, size_mib) in enumerate(idle):
        if found is None:
            found, largest, second = index, size_mib, math.floor(since)
        elif math.floor(since) != second:
            break
        elif size_mib > largest:
            found, largest = index, size_mib
    return found


def _halved(gap_s: float, half_life_s: float) -> float:
    return math.exp2(-gap_s / half_life_s)
