"""GetTraceSummaries and BatchGetTraces: traces are searched, and read."""

import math
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.xray.document import moment_of
from lambent.domain.xray.summary import summarise
from lambent.domain.xray.trace import Trace
from lambent.errors.api.xray import InvalidRequestException
from lambent.protocol.shapes.xray import BatchGetTracesRequest, GetTraceSummariesRequest
from lambent.services.operation import operation
from lambent.services.xray.filters import Filters, checked_trace_ids, compiled
from lambent.services.xray.reading import TraceReader, requested_range
from lambent.services.xray.tokens import digest_of, make_token, parse_token
from lambent.store.traces_contract import StoredTrace, TraceSettings, TraceStore

_PAGE = 100
"""Summaries in an answer. Assumed: AWS does not say (test_xray)."""

_SCANNED_MAX = 2_000
"""Traces that one call looks at; then it answers what it has found, maybe nothing, and where to go on."""

_SCANNED_BYTES = 16_777_216
"""Of documents that one call looks at: whoever asks most of the largest traces waits for seconds, not for minutes."""

_AT_ONCE = 200
"""Traces looked at in one step."""

_PAGE_BYTES = 4_194_304
"""Of documents that stand in an answer, or behind one: then the next page begins."""

_BY = {"TraceId": "start_s", "Event": "updated_s", "Service": "end_s"}
"""
TimeRangeType to the time that it is about. Documented: X-Ray API reference, GetTraceSummaries. Assumed: TraceId goes by
the first start, not by the id: in those of others there is no time (test_xray).
"""

_encode = msgspec.json.Encoder().encode


class Traces:
    """Traces as readers have them."""

    def __init__(self, store: TraceStore, settings: TraceSettings, reader: TraceReader) -> None:
        self._store = store
        self._filters = Filters(settings)
        self._reader = reader

    @operation("GetTraceSummaries")
    async def summaries(self, caller: Caller, request: GetTraceSummariesRequest) -> Mapping[str, Any]:
        start, end = requested_range(request)
        range_type = request.get("TimeRangeType", "TraceId")
        text = request.get("FilterExpression", "")
        matches = await self._filters.ready(caller.scope, compiled(text))
        digest = digest_of(caller.scope, start, end, range_type, text)
        place = parse_token(request.get("NextToken"), digest)
        after = None if place is None else StoredTrace(place[1], place[0], place[0], place[0], 0)
        found: list[dict[str, Any]] = []
        scanned = scanned_bytes = size = 0
        is_more = True
        while is_more and len(found) < _PAGE and scanned < _SCANNED_MAX:
            stored = await self._store.between(
                caller.scope, start, _just_after(end), by=_BY[range_type], after=after, limit=_AT_ONCE
            )
            is_more = len(stored) == _AT_ONCE
            is_full = False
            summing_up = _summing_up(matches, range_type)
            async with aclosing(self._reader.each(caller.scope, stored, summing_up)) as pairs:
                async for one, summary in pairs:
                    after = one
                    scanned += 1
                    scanned_bytes += one.size_bytes
                    if summary is not None:
                        found.append(summary)
                        size += one.size_bytes
                    if len(found) == _PAGE or size >= _PAGE_BYTES or scanned_bytes >= _SCANNED_BYTES:
                        is_full = True
                        break
            if is_full:
                is_more = True
                break
            # Those that went meanwhile count as looked at.
            after = stored[-1] if stored else after
        answer: dict[str, Any] = {
            "TraceSummaries": found,
            # Documented: the start of this page.
            "ApproximateTime": found[0]["StartTime"] if found else moment_of(start),
            "TracesProcessedCount": scanned,
        }
        if is_more and after is not None:
            answer["NextToken"] = make_token(digest, getattr(after, _BY[range_type]), after.trace_id)
        return answer

    @operation("BatchGetTraces")
    async def get(self, caller: Caller, request: BatchGetTracesRequest) -> Mapping[str, Any]:
        ids, malformed = checked_trace_ids(request["TraceIds"])
        digest = digest_of(caller.scope, ids)
        place = parse_token(request.get("NextToken"), digest)
        first = 0 if place is None else int(place[0])
        if not 0 <= first <= len(ids):
            raise InvalidRequestException("Invalid next token.")
        known = await self._store.find(caller.scope, ids[first:])
        wanted: list[StoredTrace] = []
        size = 0
        end = first
        while end < len(ids) and size < _PAGE_BYTES:
            # Assumed: one that is not there is left out (test_xray).
            if (stored := known.get(ids[end])) is not None:
                wanted.append(stored)
                size += stored.size_bytes
            end += 1
        answer: dict[str, Any] = {
            "Traces": [shown async for _, shown in self._reader.each(caller.scope, wanted, _shown)],
            "UnprocessedTraceIds": malformed if first == 0 else [],
        }
        if end < len(ids):
            answer["NextToken"] = make_token(digest, end, "")
        return answer


def _summing_up(matches: Callable[[Trace], bool], range_type: str) -> Callable[[Trace], dict[str, Any] | None]:
    def sum_up(trace: Trace) -> dict[str, Any] | None:
        if not matches(trace):
            return None
        summary = summarise(trace)
        if range_type == "Event":
            summary["MatchedEventTime"] = moment_of(trace.updated_s)
        return summary

    return sum_up


def _shown(trace: Trace) -> dict[str, Any]:
    return {
        "Id": trace.id,
        "Duration": round(trace.duration_s, 6),
        "LimitExceeded": trace.is_cut,
        "Segments": [{"Id": segment["id"], "Document": _encode(segment).decode()} for segment in trace.segments],
    }


def _just_after(moment: float) -> float:
    """Return the end of a range whose last moment is part of it. Assumed: clients ask up to now (test_xray)."""
    return math.nextafter(moment, math.inf)
