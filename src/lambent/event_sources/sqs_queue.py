"""
Where the messages of a mapping come from: the seam between the poller of queues and the places where queues are.

A poller decides when to read and how much, and what follows; a queue gives, deletes and takes back.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec

from lambent.domain.event_source_mapping import EventSourceMapping


class Message(msgspec.Struct, frozen=True):
    """One message, read."""

    record: dict[str, Any]
    """As the function gets it."""
    body: str
    trace_header: str
    """What it came with; empty without one."""


class Received(Protocol):
    """One message, as its server gave it."""

    @property
    def id(self) -> str: ...

    @property
    def group(self) -> str | None:
        """Of a FIFO queue's message."""
        ...

    @property
    def receipt(self) -> Any:
        """What it is deleted and given back by; it means something to its queue alone."""
        ...

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        ...

    def read(self) -> Message:
        """Return what it says. Whatever this raises concerns this one message."""
        ...


class Claimed(msgspec.Struct, frozen=True):
    """What was claimed at once."""

    messages: Sequence[Received]
    at: float
    """Since when they are hidden from others, by the monotonic clock."""
    is_drained: bool
    """There is no more now, and the queue will tell of more."""
    next_due_s: float | None = None
    """Of one that is drained: when more is there if nothing else happens."""


class ReadQueue(Protocol):
    """A queue that one mapping reads. Its calls may be cancelled; what was claimed by then comes back in its time."""

    @property
    def tells(self) -> bool:
        """Whether it tells when there is something to read. Of one that does not, a claim waits for messages."""
        ...

    @property
    def pause_max_s(self) -> float:
        """How long nothing is read, or a deletion is not repeated, after failure upon failure."""
        ...

    async def visibility_s(self, mapping: EventSourceMapping, role: str) -> int | None:
        """
        Return for how long the queue hides what was read; None where there is no such queue.

        Args:
            role: that the function runs with.

        Raises:
            NotAllowed: the queue may not be read.
            DependencyError: nobody can say.
        """
        ...

    def claim(self, wanted: int, lease_s: float, bytes_max: int) -> AbstractAsyncContextManager[Claimed]:
        """
        Claim messages, in the order in which the function is to have them, hidden from others for so many seconds.

        What they take is counted in the budget while the context is open.

        Args:
            wanted: how many at most.
            bytes_max: about how long they may be together.

        Raises:
            NotAllowed: the queue may not be read.
            DependencyError: nothing could be claimed.
        """
        ...

    async def delete(self, receipts: Sequence[Any]) -> None:
        """
        Delete messages that are dealt with. Safe to repeat.

        Raises:
            DependencyError: not all of them may be deleted; the call is worth repeating.
        """
        ...

    async def give_back(self, receipts: Sequence[Any]) -> None:
        """
        Let others read messages at once.

        Raises:
            DependencyError: they come back when their time is over.
        """
        ...
