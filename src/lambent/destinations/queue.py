"""SQS queues as destinations and dead-letter queues."""

import re
from collections.abc import Mapping
from typing import Protocol

from lambent.destinations.contract import Message, NoSuchTarget
from lambent.domain.caller import Scope
from lambent.domain.destination import Target

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,80}")
"""A standard queue's name. Documented: Amazon SQS API reference, CreateQueue."""


class Queues(Protocol):
    """The SQS queues of this server: `app.py` hands over the door of the SQS service."""

    async def exists(self, scope: Scope, name: str) -> bool: ...

    async def send(
        self, scope: Scope, name: str, body: str, attributes: Mapping[str, tuple[str, str]], trace_header: str = ""
    ) -> bool:
        """
        Put a message into a queue, on disk on return; False when there is no such queue.

        Raises:
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
        attributes = {name: (attribute.type, attribute.value) for name, attribute in message.attributes.items()}
        body = message.body.decode(errors="replace")
        if not await self._queues.send(target.scope, target.resource, body, attributes, message.trace_header):
            raise NoSuchTarget
