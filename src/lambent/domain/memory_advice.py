"""
Which memory size would be cheapest for what a function does. Pure.

Where a function has run with a size often enough, what it took there counts. For other sizes there is a model: what it
waited stays, and its processor time takes longer or shorter by the share of a processor that memory gives. One thread
gets no more than one processor, so that beyond its size nothing is expected of more.

Source: Lambda developer guide, "Configure Lambda function memory": 1,769 MB give one vCPU, less a share of it.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

SIZE_MIN_MIB: Final = 128
SIZE_MAX_MIB: Final = 10_240
PROCESSOR_MIB: Final = 1_769
"""That give one processor."""

COUNT_MIN: Final = 50
"""Invocations from which on a mean is believed. Assumed (test_memory_advice)."""

ROOM: Final = Fraction(5, 4)
ROOM_MIN_MIB: Final = 32
"""What is left beyond the most that was used: a quarter, at least so much. Assumed: peaks to come are a bit higher."""

SAVING_MIN: Final = Fraction(1, 20)
"""Of the cost, below which it is not worth a change. Assumed: means vary by as much."""

_CONSIDERED_MIB: Final = (*range(128, 1024, 64), *range(1024, 1769, 128), PROCESSOR_MIB)


class Observed(NamedTuple):
    """What a function took with one memory size, all sums but the peak. What timed out is left out."""

    memory_mib: int
    invocations: int
    billed_ms: int
    cpu_us: int
    """0: not known."""
    memory_peak_mib: int
    """0: not known."""


class Prices(NamedTuple):
    """For each million of invocations: of each GB-second of one, and of the request."""

    gb_second: Fraction
    request: Fraction


class Estimate(NamedTuple):
    """What an invocation takes with one memory size."""

    memory_mib: int
    billed_ms: Fraction
    cost: Fraction
    """Of a million invocations."""
    is_observed: bool


class Advice(NamedTuple):
    """Which size is cheapest; none is suggested where it is the current one, or nothing can be said."""

    current: Estimate
    suggested: Estimate | None
    reason: str


def advise(current_mib: int, observed: Sequence[Observed], prices: Prices) -> Advice:
    """
    Return advice.

    Args:
        current_mib: the size that the function has now; one of those observed.
        observed: each size once.
    """
    now = next(one for one in observed if one.memory_mib == current_mib)
    current = _estimate(current_mib, Fraction(now.billed_ms, max(1, now.invocations)), prices, is_observed=True)
    if now.invocations < COUNT_MIN:
        return Advice(current, None, f"{now.invocations} invocations with this size; {COUNT_MIN} are needed")
    peak_mib = max(one.memory_peak_mib for one in observed)
    # Without a peak no smaller size is known to be enough, other than those that it has run with.
    often = [one for one in observed if one.invocations >= COUNT_MIN]
    floor_mib = room_for(peak_mib) if peak_mib else min(one.memory_mib for one in often)
    found = {
        one.memory_mib: _estimate(one.memory_mib, Fraction(one.billed_ms, one.invocations), prices, is_observed=True)
        for one in often
        if one.memory_mib >= floor_mib
    }
    if now.cpu_us:
        for memory_mib in {*_CONSIDERED_MIB, floor_mib}:
            if floor_mib <= memory_mib <= SIZE_MAX_MIB and memory_mib not in found:
                found[memory_mib] = _estimate(memory_mib, _modelled(now, memory_mib), prices, is_observed=False)
    if not found:
        return Advice(current, None, "nothing is known of sizes with room for its memory")
    best = min(found.values(), key=lambda one: (one.cost, one.memory_mib))
    if best.memory_mib == current_mib or best.cost > current.cost * (1 - SAVING_MIN):
        if current_mib < floor_mib:
            return Advice(
                current, None, f"it used up to {peak_mib} MiB: more memory would be safer, and no size cheaper"
            )
        if not now.cpu_us:
            return Advice(
                current, None, "its processor time is not known: only sizes that it has run with are compared"
            )
        return Advice(current, None, "no size is cheaper by a twentieth")
    return Advice(current, best, _why(current, best))


def room_for(peak_mib: int) -> int:
    """Return the smallest size that leaves room beyond the most that was used."""
    wanted = max(math.ceil(peak_mib * ROOM), peak_mib + ROOM_MIN_MIB)
    return min(max(SIZE_MIN_MIB, wanted), SIZE_MAX_MIB)


def share(memory_mib: int) -> Fraction:
    """Return which part of a processor one thread gets."""
    return min(Fraction(1), Fraction(memory_mib, PROCESSOR_MIB))


def _modelled(observed: Observed, memory_mib: int) -> Fraction:
    """Return the billed time with another size."""
    billed_ms = Fraction(observed.billed_ms, observed.invocations)
    here = share(observed.memory_mib)
    # No more than all of it: several threads use more, and short work is over before a limit bites.
    busy_ms = min(billed_ms, Fraction(observed.cpu_us, 1000 * observed.invocations) / here)
    return max(Fraction(1), billed_ms - busy_ms + busy_ms * here / share(memory_mib))


def _estimate(memory_mib: int, billed_ms: Fraction, prices: Prices, *, is_observed: bool) -> Estimate:
    gb_seconds = billed_ms * memory_mib / (1024 * 1000)
    return Estimate(memory_mib, billed_ms, gb_seconds * prices.gb_second + prices.request, is_observed)


def _why(current: Estimate, best: Estimate) -> str:
    if best.memory_mib < current.memory_mib:
        return "it waits more than it computes, and needs less memory"
    return "with more of a processor it is done sooner, which saves more than the memory costs"
