"""PutTraceSegments, which is how everybody but functions here writes traces; PutTelemetryRecords."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.domain.caller import Caller
from lambent.domain.xray.document import Refusal, Segment, parse
from lambent.protocol.shapes.xray import PutTelemetryRecordsRequest, PutTraceSegmentsRequest
from lambent.services.operation import operation
from lambent.store.traces_contract import TraceDocument, TraceStore


class TraceSegments:
    """Segments as they come."""

    def __init__(self, store: TraceStore) -> None:
        self._store = store

    @operation("PutTraceSegments")
    async def put(self, caller: Caller, request: PutTraceSegmentsRequest) -> Mapping[str, Any]:
        # Not on the loop: a body may hold six megabytes of them.
        segments, refusals = await asyncio.to_thread(_parsed, request["TraceSegmentDocuments"])
        full = await self._store.put(caller.scope, [as_stored(segment) for segment in segments])
        # Documented: X-Ray API reference, PutTraceSegments: one that is refused fails no other.
        # Observed: field reports of InvalidSegment for traces that had grown too large.
        unprocessed = [_shown(refusal) for refusal in refusals]
        unprocessed += [
            {
                "Id": document.segment_id,
                "ErrorCode": "InvalidSegment",
                "Message": "Invalid segment. ErrorCode: InvalidSegment, Cause: the trace is full",
            }
            for document in full
        ]
        return {"UnprocessedTraceSegments": unprocessed}

    @operation("PutTelemetryRecords")
    async def put_telemetry(self, caller: Caller, request: PutTelemetryRecordsRequest) -> Mapping[str, Any]:
        # Documented: they are for AWS, which shows them nowhere. Daemons send one a minute.
        return {}


def as_stored(segment: Segment) -> TraceDocument:
    """Return a segment as the store takes it."""
    end_s = segment.end_s if segment.is_complete else None
    return TraceDocument(segment.trace_id, segment.id, segment.start_s, end_s, segment.text)


def _parsed(texts: Sequence[str]) -> tuple[list[Segment], list[Refusal]]:
    segments: list[Segment] = []
    refusals: list[Refusal] = []
    for text in texts:
        taken, refused = parse(text)
        segments += taken
        refusals += refused
    return segments, refusals


def _shown(refusal: Refusal) -> dict[str, Any]:
    # Observed: an answer for a document without an id has no Id either.
    shown = {} if refusal.id is None else {"Id": refusal.id}
    return {**shown, "ErrorCode": refusal.code, "Message": refusal.message}
