"""Functions as destinations: the message becomes an asynchronous invocation."""

from typing import Protocol

from lambent.clock import Clock
from lambent.destinations.contract import Message, NoSuchTarget
from lambent.domain.arn import parse_function_reference
from lambent.domain.caller import Scope
from lambent.domain.destination import Target
from lambent.domain.function import FunctionName
from lambent.errors.families import DependencyError
from lambent.store.contract import QueueFull


class FunctionDoor(Protocol):
    """How an event gets to a function: `app.py` hands over what dispatch offers."""

    async def exists(self, scope: Scope, name: FunctionName, qualifier: str | None) -> bool: ...

    async def submit(
        self,
        scope: Scope,
        name: FunctionName,
        qualifier: str | None,
        *,
        request_id: str,
        payload: bytes,
        trace_header: str,
    ) -> bool:
        """
        Accept an event for a function; False where there is no such function.

        Raises:
            QueueFull: too many wait already.
            DependencyError: the store failed.
        """
        ...


class FunctionDestination:
    """Implements `Destination` for ARNs of functions, qualified or not."""

    def __init__(self, door: FunctionDoor, clock: Clock) -> None:
        self._door = door
        self._clock = clock

    async def exists(self, target: Target) -> bool:
        named = _named(target)
        return named is not None and await self._door.exists(target.scope, *named)

    async def deliver(self, target: Target, message: Message) -> None:
        named = _named(target)
        if named is None:
            raise NoSuchTarget
        try:
            is_there = await self._door.submit(
                target.scope,
                *named,
                request_id=self._clock.new_id(),
                payload=message.body,
                trace_header=message.trace_header,
            )
        except QueueFull as error:
            raise DependencyError("too many events wait for the function", retryable=True) from error
        if not is_there:
            raise NoSuchTarget


def _named(target: Target) -> tuple[FunctionName, str | None] | None:
    try:
        reference = parse_function_reference(target.arn)
    except ValueError:
        return None
    return (reference.name, reference.qualifier) if target.resource.startswith("function:") else None
