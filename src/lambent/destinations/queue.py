"""SQS queues as destinations and dead-letter queues."""

import re
from typing import Protocol

import msgspec

from lambent.clock import Clock
from lambent.destinations.contract import Message, NoSuchTarget
from lambent.domain.caller import Scope
from lambent.domain.destination import Target
from lambent.errors.families import DependencyError
from lambent.store.contract import EventQueue, NewEvent, NoSuchQueue, QueueFull, QueueKind, QueueName, QueueRules

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,80}")
"""A standard queue's name. Documented: Amazon SQS API reference, CreateQueue."""


class Queues(Protocol):
    """The SQS queues of this server."""

    async def exists(self, scope: Scope, name: str) -> bool: ...

    async def send(self, scope: Scope, name: str, message: Message) -> None:
        """
        Put a message into a queue.

        Raises:
            NoSuchTarget: there is no such queue.
            DependencyError: it takes nothing now.
        """
        ...


class QueueDestination:
    """Implements `Destination` for ARNs of SQS queues."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    async def exists(self, target: Target) -> bool:
        return _NAME.fullmatch(target.resource) is not None and await self._queues.exists(target.scope, target.resource)

    async def deliver(self, target: Target, message: Message) -> None:
        await self._queues.send(target.scope, target.resource, message)


class QueuedMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the queue keeps of a message beside its body."""

    trace_header: str = ""
    attributes: dict[str, tuple[str, str]] = {}
    """Name to type and value."""


class EngineQueues:
    """
    Implements `Queues` where no SQS API answers: a queue of any name is there, and made with its first message.

    Whoever reads them is to come; until then nothing that was sent is lost.
    """

    def __init__(self, queue: EventQueue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock

    async def exists(self, scope: Scope, name: str) -> bool:
        return True

    async def send(self, scope: Scope, name: str, message: Message) -> None:
        queue = QueueName(scope, QueueKind.SQS, name)
        attributes = {key: (value.type, value.value) for key, value in message.attributes.items()}
        kept = msgspec.json.encode(QueuedMessage(message.trace_header, attributes))
        event = NewEvent(queue, self._clock.new_id(), message.body, kept)
        try:
            try:
                await self._queue.put([event])
            except NoSuchQueue:
                await self._queue.define(queue, QueueRules())
                await self._queue.put([event])
        except NoSuchQueue:
            raise NoSuchTarget from None
        except QueueFull as error:
            raise DependencyError("the queue is full", retryable=True) from error
