"""What is promised of the store of traces; `store.traces` keeps it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from lambent.domain.caller import Scope

if TYPE_CHECKING:
    # At first use: a server that nobody asks for sampling or groups does without.
    from lambent.domain.xray.group import TraceGroup
    from lambent.domain.xray.sampling import SamplingChange, SamplingRule

TRACE_BYTES_MAX = 2_097_152
"""
Of the documents of one trace. Documented: X-Ray quotas have 500 kB. Assumed: more is of use, and still read at once
(test_traces).
"""

T = TypeVar("T", "SamplingRule", "SamplingChange", "TraceGroup")


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
    size_bytes: int = 0
    """Of its documents."""
    is_cut: bool = False
    """Whether documents were refused because it would have grown beyond `TRACE_BYTES_MAX`."""


class TraceStore(Protocol):
    """Traces of all scopes, for thirty days and within a bound of bytes."""

    async def put(self, scope: Scope, documents: Sequence[TraceDocument]) -> Sequence[TraceDocument]:
        """
        Store documents, all in one commit; return those that were refused because their trace is full.

        One of an id that is there already is stored behind it: readers take the last complete one, or else the last.
        """
        ...

    async def documents(self, scope: Scope, trace_ids: Sequence[str]) -> Mapping[str, Sequence[bytes]]:
        """Return the documents of traces by their ids, those that are there, in the order in which they were put."""
        ...

    async def find(self, scope: Scope, trace_ids: Sequence[str]) -> Mapping[str, StoredTrace]:
        """Return what is kept of traces by their ids, those that are there."""
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


class TraceSettingRows(Protocol):
    """Sampling rules and groups of one scope inside one transaction, a few dozen at most."""

    async def list(self, kind: type[T]) -> Sequence[T]:
        """Return all of a kind by name."""
        ...

    async def save(self, item: "SamplingRule | SamplingChange | TraceGroup") -> None:
        """Store an item, in the place of one of its name."""
        ...

    async def delete(self, kind: type[T], name: str) -> bool:
        """Remove an item; False when there was none."""
        ...


class TraceSettings(Protocol):
    """Sampling rules and groups of all scopes."""

    async def list(self, scope: Scope, kind: type[T]) -> Sequence[T]:
        """Return all of a kind by name."""
        ...

    def change(self, scope: Scope) -> AbstractAsyncContextManager[TraceSettingRows]:
        """Open a transaction, which commits with its block and rolls back when that raises."""
        ...
