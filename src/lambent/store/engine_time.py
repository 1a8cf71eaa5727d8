"""The event queue's own time."""

from lambent.clock import Clock

SECOND_US = 1_000_000


class EngineTime:
    """
    Microseconds since about the epoch, that never go back.

    A start goes on from the wall clock or from the newest time that the store knows, whichever is later; from there on
    it follows the monotonic clock. So a wall clock that jumps neither ends leases early nor hides what is due.

    Args:
        latest_us: the newest time that the store knows.
    """

    def __init__(self, clock: Clock, latest_us: int) -> None:
        self._clock = clock
        self._offset_us = max(int(clock.now() * SECOND_US), latest_us + 1) - int(clock.monotonic() * SECOND_US)
        self._newest_us = 0

    def now(self) -> int:
        """Return the time."""
        return max(self._newest_us, self._offset_us + int(self._clock.monotonic() * SECOND_US))

    def tick(self) -> int:
        """Return the time, later than that of every tick before: what happens in turn gets times in turn."""
        self._newest_us = max(self._newest_us + 1, self._offset_us + int(self._clock.monotonic() * SECOND_US))
        return self._newest_us
