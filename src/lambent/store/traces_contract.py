"""What is promised of the store of traces; `store.traces` keeps it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from lambent.domain.caller import Scope


class TraceDocument(NamedTuple):
    """One segment, or one subsegment that was sent alone, as its maker wrote it."""

    trace_id: str
    """`1-<8 hex>-<24 hex>`, in lower case."""
    segment_id: str
    """16 hexadecimal digits, in lower case."""
    start_s: float
    end_s: float | None
    """None: it is in progress."""
    document: bytes
    """JSON text."""


class StoredTrace(NamedTuple):
    """What is kept of one trace, its documents aside."""

    trace_id: str
    start_s: float
    """Of the segment that began first."""
    end_s: float
    """Of the one that ended last, as far as known."""
    updated_s: float
    revision: int
    """Grows with every change."""


class TraceStore(Protocol):
    """Traces of all scopes, for thirty days and within a bound of bytes."""

    async def put(self, scope: Scope, documents: Sequence[TraceDocument]) -> None:
        """
        Store documents, all in one commit. One of an id that is there already takes its place, unless that one is
        complete and this one in progress.
        """
        ...

    async def documents(self, scope: Scope, trace_ids: Sequence[str]) -> Mapping[str, Sequence[bytes]]:
        """Return the documents of traces by their ids, those that are there."""
        ...

    async def between(
        self,
        scope: Scope,
        from_s: float,
        before_s: float,
        *,
        by: str = "start_s",
        after: StoredTrace | None = None,
        limit: int,
    ) -> Sequence[StoredTrace]:
        """
        Return traces by time, the oldest first, those behind `after`.

        Args:
            by: `start_s`, `end_s` or `updated_s`: which of their times has to lie between the two.
        """
        ...

    async def drop_expired(self, now_s: float) -> int:
        """Drop traces that are too old or beyond the bound of bytes, in small steps; return how many."""
        ...
