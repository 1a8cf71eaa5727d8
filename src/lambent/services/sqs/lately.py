"""What happened to queues a moment ago. Not kept over a restart: it only holds the next call of the same kind off."""

from collections import OrderedDict

from lambent.clock import Clock
from lambent.store.contract import QueueName

_QUEUES_MAX = 10_000
"""Beyond it the oldest is forgotten early, and a call gets through that should have waited."""


class Lately:
    """
    Args:
        for_s: how long something is lately; 0: nothing ever is.
    """

    def __init__(self, clock: Clock, for_s: float) -> None:
        self._clock = clock
        self._for_s = for_s
        self._at: OrderedDict[QueueName, float] = OrderedDict()

    def add(self, queue: QueueName) -> None:
        self._at[queue] = self._clock.monotonic()
        self._at.move_to_end(queue)
        if len(self._at) > _QUEUES_MAX:
            self._at.popitem(last=False)

    def discard(self, queue: QueueName) -> None:
        self._at.pop(queue, None)

    def __contains__(self, queue: QueueName) -> bool:
        at = self._at.get(queue)
        return at is not None and self._clock.monotonic() - at < self._for_s
