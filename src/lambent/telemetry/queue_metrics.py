"""
The metrics of AWS/SQS: what goes into queues and out of them, and once a minute what those hold that are in use.

Documented: SQS developer guide, available CloudWatch metrics.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.metric import Metric
from lambent.store.contract import EventQueue, QueueKind, QueueName
from lambent.telemetry.metrics import Metrics

NAMESPACE: Final = "AWS/SQS"

ACTIVE_S: Final = 6 * 3600.0
"""How long a queue is in use after something was done with it, or something was in it. Documented."""

ACTIVE_MAX: Final = 10_000
"""Queues that are looked at each minute; what nothing was done with for longest is left out first."""

_AT_ONCE: Final = 500
"""Queues that are looked at in one go."""


class QueueMetrics:
    """
    The figures of queues. All methods are for the event loop.

    Args:
        metrics: gathers them.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._active: OrderedDict[QueueName, float] = OrderedDict()
        """Those in use, and when something was done with them, the longest ago first."""

    def sent(self, queue: QueueName, sizes_bytes: Iterable[int]) -> None:
        """Messages are in a queue that somebody sent. What a redrive policy moves is not sent."""
        for size_bytes in sizes_bytes:
            self._add(queue, "NumberOfMessagesSent", 1.0)
            self._add(queue, "SentMessageSize", float(size_bytes), "Bytes")
        self._touch(queue)

    def received(self, queue: QueueName, count: int) -> None:
        """A receive has got so many messages; none at all is told, too."""
        if count:
            self._add(queue, "NumberOfMessagesReceived", float(count))
        else:
            self._add(queue, "NumberOfEmptyReceives", 1.0)
        self._touch(queue)

    def deleted(self, queue: QueueName, count: int) -> None:
        """Messages are deleted by whoever received them."""
        if count:
            self._add(queue, "NumberOfMessagesDeleted", float(count))
        self._touch(queue)

    async def look(self, events: EventQueue) -> None:
        """
        Take in what the queues hold that are in use.

        Raises:
            DependencyError: the store failed.
        """
        now = self._clock.monotonic()
        for queue in await events.filled(QueueKind.SQS):
            self._touch(queue)
        while self._active and now - next(iter(self._active.values())) > ACTIVE_S:
            self._active.popitem(last=False)
        names = list(self._active)
        for start in range(0, len(names), _AT_ONCE):
            for queue, depth in (await events.depth(names[start : start + _AT_ONCE])).items():
                self._add(queue, "ApproximateNumberOfMessagesVisible", float(depth.waiting))
                self._add(queue, "ApproximateNumberOfMessagesNotVisible", float(depth.in_flight))
                self._add(queue, "ApproximateNumberOfMessagesDelayed", float(depth.delayed))
                self._add(queue, "ApproximateAgeOfOldestMessage", depth.oldest_age_s or 0.0, "Seconds")

    def _touch(self, queue: QueueName) -> None:
        self._active[queue] = self._clock.monotonic()
        self._active.move_to_end(queue)
        if len(self._active) > ACTIVE_MAX:
            self._active.popitem(last=False)

    def _add(self, queue: QueueName, name: str, value: float, unit: str = "Count") -> None:
        scope: Scope = queue.scope
        self._metrics.add(Metric(scope, NAMESPACE, name, (("QueueName", queue.name),), unit), value)
