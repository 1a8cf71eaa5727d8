"""
The door for messages from within: dead letters and records of functions, which no caller sends.

`app.py` hands it to whoever delivers them; nobody's policy is asked, and no size is too large for a queue that exists,
since there is nobody who could be told.
"""

from collections.abc import Mapping

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.queue_message import MessageAttribute, QueueMessage, pack, size_bytes
from lambent.errors.families import DependencyError
from lambent.services.sqs.attributes import number
from lambent.services.sqs.directory import Directory
from lambent.services.sqs.naming import is_fifo
from lambent.store.contract import EventQueue, NewEvent, NoSuchQueue, QueueFull, QueueKind, QueueName
from lambent.telemetry.queue_metrics import QueueMetrics


class Door:
    """Sends messages into standard queues by account, region and name."""

    def __init__(
        self, events: EventQueue, directory: Directory, clock: Clock, metrics: QueueMetrics | None = None
    ) -> None:
        self._events = events
        self._directory = directory
        self._clock = clock
        self._metrics = metrics

    async def exists(self, scope: Scope, name: str) -> bool:
        """Say whether there is such a queue."""
        return await self._directory.find(QueueName(scope, QueueKind.SQS, name)) is not None

    async def send(
        self, scope: Scope, name: str, body: str, attributes: Mapping[str, tuple[str, str]], trace_header: str = ""
    ) -> bool:
        """
        Put a message into a queue; on disk on return. False when there is no such standard queue.

        Args:
            attributes: name to type (`String`, `Number`) and value.

        Raises:
            DependencyError: it takes nothing now.
        """
        queue = await self._directory.find(QueueName(scope, QueueKind.SQS, name))
        if queue is None or is_fifo(queue.name):
            return False
        given = {key: MessageAttribute(type_, value) for key, (type_, value) in attributes.items()}
        packed, beside = pack(QueueMessage(body, given, sender=scope.account, trace_header=trace_header))
        delay_s = number(queue.document.attributes, "DelaySeconds")
        try:
            await self._events.put([NewEvent(queue.name, self._clock.new_id(), packed, beside, delay_s=delay_s)])
        except NoSuchQueue:
            return False
        except QueueFull as full:
            raise DependencyError(f"the queue takes no more messages: {full}", retryable=True) from full
        if self._metrics is not None:
            self._metrics.sent(queue.name, (size_bytes(body, given),))
        return True
