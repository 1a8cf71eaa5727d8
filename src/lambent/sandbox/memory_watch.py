"""
The memory limit of environments without a cgroup: one sampler for all of them.

It runs only while an invocation does, so that a server at rest uses no CPU, and reads in a thread, so that the event
loop never waits for the kernel's page tables.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from lambent.clock import Clock
from lambent.sandbox.process_table import HAS_PROC, MemoryReading, memory_of_tree, proportional_kib

INTERVAL_S = 0.05
"""Assumed: short enough to catch a process that fills memory, long enough to cost nothing beside it."""


class MemoryUse:
    """What one environment may use, and has used."""

    def __init__(self, limit_kib: int, leader: int) -> None:
        self.limit_kib = limit_kib
        self.leader = leader
        self.peak_kib = 0
        self.invocations = 0
        """How often an invocation began: tells a long invocation from many short ones without a look at the clock."""
        self.invocations_at_last_tick = -1
        self.peak_checked_kib = 0
        """The leader's peak that was already found to be within the limit, so that it is not measured again."""


class _Finding(msgspec.Struct, frozen=True):
    use: MemoryUse
    reading: MemoryReading
    is_over: bool


class MemoryWatch:
    """
    Reads the memory of the busy environments every `INTERVAL_S` and tells of those above their limit.

    An invocation is looked at once it has seen one whole interval: the many that take a millisecond cost nothing.

    Args:
        clock: where timers come from.
        on_over_limit: called on the event loop.
        call_on_loop: how the reading thread calls back, `loop.call_soon_threadsafe`.
    """

    def __init__(
        self,
        clock: Clock,
        on_over_limit: Callable[[MemoryUse], None],
        call_on_loop: Callable[[Callable[[], None]], object],
    ) -> None:
        self._clock = clock
        self._on_over_limit = on_over_limit
        self._call_on_loop = call_on_loop
        self._busy: set[MemoryUse] = set()
        self._is_armed = False
        self._is_closed = False
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="memory-watch")

    def begin(self, use: MemoryUse) -> None:
        """An invocation begins. Called for every one, so it does next to nothing."""
        use.invocations += 1
        self._busy.add(use)
        if not self._is_armed:
            self._arm()

    def end(self, use: MemoryUse) -> None:
        """The invocation is over. As cheap; ending twice, or without a beginning, does nothing."""
        self._busy.discard(use)

    def close(self) -> None:
        """Stop looking."""
        self._is_closed = True
        self._busy.clear()
        self._reader.shutdown(wait=False, cancel_futures=True)

    def _arm(self) -> None:
        if HAS_PROC and not self._is_closed:
            self._is_armed = True
            self._clock.call_later(INTERVAL_S, self._tick)

    def _tick(self) -> None:
        self._is_armed = False
        due = []
        for use in self._busy:
            if use.invocations == use.invocations_at_last_tick:
                due.append(use)
            use.invocations_at_last_tick = use.invocations
        if due and not self._is_closed:
            # Armed again only after this reading, so that readings never pile up behind a slow one.
            self._is_armed = True
            reading = self._reader.submit(_look_at, due)
            reading.add_done_callback(lambda done: self._call_on_loop(lambda: self._take(done)))
        elif self._busy:
            self._arm()

    def _take(self, reading: Future[list[_Finding]]) -> None:
        self._is_armed = False
        if self._is_closed:
            return
        if self._busy:
            self._arm()
        for finding in reading.result():
            use = finding.use
            use.peak_kib = max(use.peak_kib, finding.reading.resident_kib, finding.reading.leader_peak_kib)
            if finding.is_over:
                self._busy.discard(use)
                self._on_over_limit(use)


def _look_at(due: list[MemoryUse]) -> list[_Finding]:
    findings = []
    for use in due:
        reading = memory_of_tree(use.leader)
        if reading is not None:
            findings.append(_Finding(use, reading, _is_over(use, reading)))
    return findings


def _is_over(use: MemoryUse, reading: MemoryReading) -> bool:
    """
    Decide whether a tree uses, or since the last look has used, more than its limit.

    The PSS decides, but it is only read when the resident size, which is never less and cheap, leaves a doubt. The
    leader's peak catches what was allocated and given back between two looks.
    """
    peak_grew = reading.leader_peak_kib > use.peak_checked_kib
    if reading.resident_kib <= use.limit_kib and not (peak_grew and reading.leader_peak_kib > use.limit_kib):
        return False
    proportional = proportional_kib(use.leader)
    shared = max(reading.resident_kib - proportional, 0)
    use.peak_checked_kib = reading.leader_peak_kib
    return max(proportional, reading.leader_peak_kib - shared) > use.limit_kib
