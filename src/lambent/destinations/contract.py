"""What a kind of destination promises. An implementation is a row of the table that `app.py` makes, by ARN service."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from lambent.domain.destination import Target


class Attribute(msgspec.Struct, frozen=True):
    """A message attribute, where the target knows such."""

    type: str
    """`String` or `Number`."""
    value: str


class Message(msgspec.Struct, frozen=True):
    """What is delivered: a record of an asynchronous invocation, or a dead letter."""

    body: bytes
    """JSON."""
    trace_header: str = ""
    """Of the invocation that it tells of."""
    attributes: Mapping[str, Attribute] = {}
    function_arn: str = ""
    """The function that it tells of, qualified; for targets that say where a message comes from."""
    is_success: bool = False
    """Whether it tells of a success."""
    object_key: str = ""
    """For targets that keep it as an object: the key of that, the same whenever it is delivered again."""
    ends_chain: bool = False
    """It tells of a chain that came back too often: no function is to be started by the object that it becomes."""


class NoSuchTarget(Exception):
    """The target is not there now. It may have been deleted, and may be made again."""


class TargetRefuses(Exception):
    """The target may be there, and nothing can be delivered to it as things are; `args[0]` says why."""


class Destination(Protocol):
    """Delivers to the resources of one AWS service."""

    async def exists(self, target: Target) -> bool:
        """
        Say whether there is such a target; asked when a function is configured with it.

        Raises:
            TargetRefuses: there is nothing to be delivered there.
            ApiError: its server does not answer, or is not offered.
        """
        ...

    async def deliver(self, target: Target, message: Message) -> None:
        """
        Hand a message over; on return it is as durable as the target is.

        Safe to repeat, and repeated when it was cancelled or the server ended: the target may see a message twice.

        Raises:
            NoSuchTarget: there is none. It will be tried again.
            DependencyError: the target takes nothing now. It will be tried again.
        """
        ...


Destinations = Mapping[str, Destination]
"""What there is, by the service in a target's ARN: `lambda`, `sqs`, `s3`."""
