"""How many asynchronous invocations may run at once, of one function and beside others: arithmetic without a queue."""

import math
from typing import TypeVar

_RATE_MAX = 5_000.0
"""
Invocations a second that a server gets through at best: more of a function at once than it begins while one of them
lasts would only take memory. Assumed: about what `make bench` measures on small machines, generously.
"""
_UNKNOWN_MOST = 4
"""
At once, while none has ended in an environment that was there, and so nobody knows how long they take; twice as many
after each further second, up to as many as the last one took with its cold start: some never leave an environment.
"""

_STALLED_S = 5.0
"""
After how long without an end twice as many of a function may run that was quicker before: it waits for something slow
now, which leaves the processors alone. Assumed: on a machine that only has much to do, one of them ends within that.
"""

_QUICK_S = 0.1
"""
What takes less keeps the machine itself busy: of such a function no more run at once than its processors can use, for
each more would only wait longer for them. What takes longer mostly waits for something else. Assumed.
"""
_QUICK_FOR_EACH_PROCESSOR = 4
"""
Enough that none is idle while answers and next events are on their way, however short they are: the quickest of a
backlog takes a part of what most take, and as many as begin within that part are too few. Measured on two cores: from 3
to 8 the rate is the same within its noise.
"""

_AHEAD_S = 0.02
"""Invocations that take less are claimed ahead, since a claim takes as long as some of them."""

_AHEAD = 16
"""How many are claimed ahead for each that runs: while a claim is on its way, environments are not to fall idle."""

_BACK_EACH_S = 1.0
"""
How many more may run again with each second after a refusal. Assumed: successes alone would take hours where each lasts
a quarter of an hour, and the machine had no room for a moment only.
"""

_FORGET = 1.02
"""By how much the quickest invocation fades with each one, so that one of an empty event does not count for ever."""

_KEPT_FREE = 4

_K = TypeVar("_K")


class AsyncRoom:
    """
    What is known of one function's asynchronous invocations.

    Args:
        processors: of the machine.
    """

    __slots__ = ("_cold_s", "_limit", "_limited_at", "_processors", "_quickest_s", "_since", "running", "throttles")

    def __init__(self, processors: int) -> None:
        self._processors = processors
        self.running = 0
        """Claimed and not ended."""
        self.throttles = 0
        """In a row."""
        self._quickest_s: float | None = None
        self._cold_s = math.inf
        """What the last one with a cold start took."""
        self._since = 0.0
        """When one ended last, or the first of those that run began. While nobody knows how long they take, only an end
        that tells counts."""
        self._limit = math.inf
        """What refusals have taught; it grows back with each success, and with time."""
        self._limited_at = 0.0

    def begin(self, now: float) -> None:
        """Count one more."""
        if not self.running:
            self._since = now
        self.running += 1

    def end(self, took_s: float | None, now: float, *, is_cold: bool = False) -> None:
        """
        Count one less.

        Args:
            took_s: how long it ran; None where it did not.
            is_cold: whether a cold start was part of it, which on a machine that has much to do takes seconds: by that
                measure hundreds of environments would be started for a quick function.
        """
        self.running -= 1
        if self._quickest_s is not None:
            # However it ended: who ends does not wait for something slow.
            self._since = now
        if took_s is None:
            return
        self.throttles = 0
        self._limit += 1
        if is_cold:
            self._cold_s = took_s
        else:
            self._since = now
            quickest = self._quickest_s
            self._quickest_s = took_s if quickest is None else min(quickest * _FORGET, took_s)

    def throttle(self, now: float) -> float:
        """
        Note that one was refused: half as many from now on. Return how long nothing of the function is to be tried.

        Without that pause a function at its limit would have its whole backlog claimed and refused.
        """
        self._limit = max(min(self._limit_now(now), self.running + 1) // 2, 1)
        self._limited_at = now
        self.throttles += 1
        return float(min(0.05 * 2 ** min(self.throttles - 1, 10), 1.0))

    def most(self, now: float) -> int:
        """Return how many may be claimed and not ended at once, as far as the function's own running goes."""
        age_s = max(now - self._since, 0.0) if self.running else 0.0
        if self._quickest_s is None:
            most = _UNKNOWN_MOST * 2 ** int(min(age_s, self._cold_s, 20.0))
        else:
            most = self._useful(self._quickest_s)
            if age_s >= _STALLED_S:
                most *= 2 ** int(min(age_s / _STALLED_S, 20.0))
        return most if self._limit == math.inf else int(min(most, self._limit_now(now)))

    def ahead(self, now: float) -> int:
        """Return how many more may be claimed to wait here for those to end."""
        if self._quickest_s is None or self._quickest_s >= _AHEAD_S:
            return 0
        return int(_AHEAD * min(self._useful(self._quickest_s), self._limit_now(now)))

    def _useful(self, took_s: float) -> int:
        """Return how many at once gain something over fewer, where one takes so long."""
        if took_s < _QUICK_S:
            return _QUICK_FOR_EACH_PROCESSOR * self._processors
        return math.ceil(_RATE_MAX * took_s) + 1

    def _limit_now(self, now: float) -> float:
        return self._limit + (now - self._limited_at) * _BACK_EACH_S


def share(left_by_others: int) -> int:
    """
    Return how many of one function may run at once beside what the others run: three fourths of what those leave.

    Events may last a quarter of an hour. So one function never takes all, two that are slow come to a little less than
    half each, and the next one still finds room.
    """
    left = max(left_by_others, 0)
    return left - left // _KEPT_FREE


def shared(wants: dict[_K, int], left: int) -> dict[_K, int]:
    """Return how many each of several queues gets where they want more than there is: equal parts, those first that
    come first."""
    if sum(wants.values()) <= left:
        return wants
    shares: dict[_K, int] = {}
    hungry = dict(wants)
    while left > 0 and hungry:
        part = max(left // len(hungry), 1)
        for queue, want in list(hungry.items()):
            given = min(part, want, left)
            if not given:
                break
            shares[queue] = shares.get(queue, 0) + given
            left -= given
            hungry[queue] = want - given
            if not hungry[queue]:
                del hungry[queue]
    return shares
