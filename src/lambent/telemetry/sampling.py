"""
Looks every few seconds at what nobody tells of: how much is in flight, what queues hold, how far pollers are.

A look falls on the end of each minute, so that what is seen belongs to the minute that it is put into.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.concurrency import Peaks
from lambent.store.contract import EventQueue
from lambent.telemetry.lambda_metrics import LambdaMetrics
from lambent.telemetry.queue_metrics import QueueMetrics

LOOK_EVERY_S: Final = 5.0
"""What a crash may lose of peaks and of counts."""

_MINUTE_S: Final = 60.0

_BEFORE_S: Final = 0.05
"""How long before the end of a minute its last look is. Assumed: a loop that is later by more is overloaded anyway."""

_APART_S: Final = 1.0
"""How far the last two looks of a minute are apart at least. Assumed."""

MappingCounts = Mapping[tuple[Scope, str], Mapping[str, int]]
"""By scope and UUID of a mapping, its counts since its poller began, by AWS's names."""


class Sampling:
    """
    Looks, and takes in what it sees.

    Args:
        peaks: returns the most that was in flight since it was called last, by account and region.
        mappings: returns the counts of mappings that want them.
        events: what queues are looked at in.
    """

    def __init__(
        self,
        peaks: Callable[[], Iterable[tuple[Scope, Peaks]]],
        mappings: Callable[[], MappingCounts],
        events: EventQueue,
        of_functions: LambdaMetrics,
        of_queues: QueueMetrics,
        clock: Clock,
    ) -> None:
        self._peaks = peaks
        self._mappings = mappings
        self._events = events
        self._of_functions = of_functions
        self._of_queues = of_queues
        self._clock = clock
        self._seen: dict[tuple[Scope, str], Mapping[str, int]] = {}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            before = self._clock.now()
            left_s, is_last = next_look_s(before)
            await self._clock.sleep(left_s)
            self.look()
            # On a loop that is late the minute may be over before its last look came: better late than never.
            if is_last or self._clock.now() // _MINUTE_S > before // _MINUTE_S:
                await self._of_queues.look(self._events)

    def look(self) -> None:
        """Take in what happened since the last look. The server that ends looks once more."""
        for scope, peaks in self._peaks():
            self._of_functions.concurrency(scope, peaks)
        counts = self._mappings()
        for key, by_metric in counts.items():
            before = self._seen.get(key, {})
            for name, count in by_metric.items():
                more = count - before.get(name, 0)
                if more < 0:
                    # Its poller has begun anew.
                    more = count
                if more:
                    self._of_functions.mapping_events(*key, name, more)
        self._seen = {key: dict(by_metric) for key, by_metric in counts.items()}


def next_look_s(now: float) -> tuple[float, bool]:
    """Return in how many seconds to look, and whether that is the last look of its minute."""
    end = math.floor(now / _MINUTE_S) * _MINUTE_S + _MINUTE_S - _BEFORE_S
    if end <= now:
        end += _MINUTE_S
    left_s = end - now
    # No look so shortly before the last one that, a little late, it would be in its place.
    return (left_s, True) if left_s <= LOOK_EVERY_S + _APART_S else (LOOK_EVERY_S, False)
