"""
What a kind of event source promises. An implementation is one module here and a row of the table that `app.py` makes,
by the service in the source's ARN.

A kind keeps its position itself: a queue's is the queue. One that reads streams keeps a checkpoint for each shard in
the store, under an epoch that rises with each `begin`, so that a poller which was replaced cannot move it any more.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from lambent.domain.event_source_mapping import EventSourceMapping


class Counts(msgspec.Struct):
    """What became of a mapping's records since its poller began, in the words of its metrics."""

    polled: int = 0
    filtered_out: int = 0
    invoked: int = 0
    """Handed to the function, whatever it made of them."""
    failed_invoke: int = 0
    """Not handed to it, although they were to be."""
    deleted: int = 0
    """Deleted from a queue after they were dealt with; what filters dropped is not counted here."""
    dropped: int = 0
    """Of a stream: given up, because they were too old or failed too often."""
    age_s: float = 0.0
    """Of a stream: how old the last record was of the batch that was run last, when it was."""

    def by_metric(self) -> Mapping[str, int]:
        """Return them by the names of AWS's metrics. Documented: Lambda developer guide, metrics of mappings."""
        return {
            "PolledEventCount": self.polled,
            "FilteredOutEventCount": self.filtered_out,
            "InvokedEventCount": self.invoked,
            "FailedInvokeEventCount": self.failed_invoke,
            "DeletedEventCount": self.deleted,
            "DroppedEventCount": self.dropped,
        }


class PollerView(msgspec.Struct, frozen=True):
    """One mapping's reading, as it is now."""

    mapping: EventSourceMapping
    counts: Counts
    in_flight: int
    """Batches that its function works on."""


class EventSource(Protocol):
    """
    The pollers of one kind of source. Plain methods: nothing here waits, and all happen on the event loop.

    Every record of an enabled mapping reaches the function at least once, or is filtered out, or meets what the source
    has for failures. A server that is killed repeats at most the batches whose end it had not written down.
    """

    def begin(self, mapping: EventSourceMapping) -> None:
        """
        Read for an enabled mapping from now on. For one that is read for already: go on under its new settings.

        What was begun under the old ones ends under them.
        """
        ...

    def end(self, uuid: str) -> None:
        """Read no more for a mapping. What its function works on ends; what was only read is given back."""
        ...

    def counts(self) -> Mapping[str, Counts]:
        """Return, by UUID, the counts of mappings that ask for them."""
        ...

    def pollers(self) -> Iterable[PollerView]:
        """Return what is read for now."""
        ...

    async def stop(self) -> None:
        """End all, as the server does that stops; return when what was only read is given back."""
        ...

    async def close(self) -> None:
        """Leave what functions still work on to the next start."""
        ...


EventSources = Mapping[str, EventSource]
"""What there is, by the service in a source's ARN: `sqs`."""
