"""A clock that a test moves by hand."""

import asyncio
import heapq
import itertools
import random
import uuid
from collections.abc import Callable
from typing import Final

from lambent.clock import TimerHandle

PATIENCE_S: Final = 120.0
"""
For how long, on the machine's own clock, a test waits for what its story makes happen. It is no measure of anything: it
ends a test that would hang, and no test that has a busy machine.
"""


class VirtualTimer:
    """A timer of a VirtualClock."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """
    Implements `lambent.clock.Clock` without time passing by itself.

    Args:
        seed: ids and tokens follow from it, so that a failure can be repeated.
        now: the first moment, in seconds since the epoch.
    """

    def __init__(self, seed: int = 0, now: float = 1_795_000_000.0) -> None:
        self._random = random.Random(seed)
        self._epoch = now
        self._elapsed = 0.0
        self._timers: list[tuple[float, int, VirtualTimer]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._epoch + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    def set_wall(self, seconds: float) -> None:
        """Let the wall clock jump by so many seconds, back where they are negative. No time passes."""
        self._epoch += seconds

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        timer = VirtualTimer(callback)
        heapq.heappush(self._timers, (self._elapsed + delay_s, next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.call_later(seconds, woken.set)
        await woken.wait()

    def new_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def token_hex(self, size_bytes: int) -> str:
        return f"{self._random.getrandbits(8 * size_bytes):0{2 * size_bytes}x}"

    @property
    def timer_count(self) -> int:
        """How many timers are set: a server at rest has few, and none that comes soon."""
        return sum(timer.callback is not None for _, _, timer in self._timers)

    def advance(self, seconds: float) -> None:
        """Let time pass, calling every timer that comes due on the way, in order."""
        until = self._elapsed + seconds
        while self._timers and self._timers[0][0] <= until:
            due, _, timer = heapq.heappop(self._timers)
            self._elapsed = due
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._elapsed = until
