"""Reading many traces: some at a time, on a thread, within bounds of memory."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.xray.merge import merge
from lambent.domain.xray.trace import Trace
from lambent.errors.api.xray import InvalidRequestException
from lambent.store.traces_contract import StoredTrace, TraceStore

RANGE_MAX_S = 6 * 3_600.0
"""Documented: X-Ray developer guide: six hours at most between start and end."""

_BATCH_BYTES = 4_194_304
"""Of documents that are in memory at once; as objects they take several times as much."""

_AT_ONCE = 2
"""Batches that are worked on at once. Assumed: more would take the processor from functions (test_xray)."""

_decode = msgspec.json.Decoder().decode
_T = TypeVar("_T")


class TraceReader:
    """Traces, merged."""

    def __init__(self, store: TraceStore) -> None:
        self._store = store
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def each(
        self, scope: Scope, stored: Sequence[StoredTrace], look: Callable[[Trace], _T]
    ) -> AsyncGenerator[tuple[StoredTrace, _T], None]:
        """
        Yield what `look` makes of traces, in their order. Those that are gone meanwhile are left out.

        Args:
            look: called on a thread.
        """
        for batch in _batches(stored):
            async with self._room:
                documents = await self._store.documents(scope, [one.trace_id for one in batch])
                found = await asyncio.to_thread(_looked_at, scope, batch, documents, look)
            for pair in found:
                yield pair


def _batches(stored: Sequence[StoredTrace]) -> Iterator[Sequence[StoredTrace]]:
    batch: list[StoredTrace] = []
    size = 0
    for one in stored:
        if batch and size + one.size_bytes > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.size_bytes
    if batch:
        yield batch


def _looked_at(
    scope: Scope,
    batch: Sequence[StoredTrace],
    documents: Mapping[str, Sequence[bytes]],
    look: Callable[[Trace], _T],
) -> list[tuple[StoredTrace, _T]]:
    found = []
    for one in batch:
        texts = documents.get(one.trace_id)
        if texts:
            segments = merge(map(_decode, texts))
            trace = Trace(
                one.trace_id,
                segments,
                scope.account,
                revision=one.revision,
                updated_s=one.updated_s,
                is_cut=one.is_cut,
            )
            found.append((one, look(trace)))
    return found


def requested_range(request: Mapping[str, Any]) -> tuple[float, float]:
    """
    Return the first and the last moment that a request is about.

    Raises:
        InvalidRequestException: it ends before it begins, or is too long.
    """
    start, end = (_seconds(request[name]) for name in ("StartTime", "EndTime"))
    if start > end:
        raise InvalidRequestException("StartTime has to be before EndTime.")
    if end - start > RANGE_MAX_S:
        # Assumed: the code; the documentation has the limit (test_xray).
        raise InvalidRequestException("Time range cannot be longer than 6 hours.")
    return start, end


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
