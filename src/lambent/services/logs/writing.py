"""PutLogEvents: events of any writer, through the same door as those of functions."""

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lambent.clock import Clock
from lambent.domain.caller import Caller, Scope
from lambent.errors.api.logs import InvalidParameterException
from lambent.protocol.shapes.logs import PutLogEventsRequest
from lambent.services.logs.naming import group_missing, stream_missing
from lambent.services.logs.tokens import upload_token
from lambent.services.operation import operation
from lambent.store.contract import LogStore

# Documented: PutLogEvents, the constraints of a batch.
BATCH_BYTES_MAX = 1_048_576
EVENT_BYTES_MAX = 1_048_576
EVENT_OVERHEAD_BYTES = 26
SPAN_MAX_MS = 24 * 3_600_000
AGE_MAX_MS = 14 * 86_400_000
AHEAD_MAX_MS = 2 * 3_600_000
_DAY_MS = 86_400_000

PutEvents = Callable[[Scope, str, str, Sequence[tuple[int, str]]], Awaitable[int]]
"""Stores timestamps and messages in one stream; on return they are in the store. Returns when they were taken in."""


class LogWriting:
    """
    Writing events.

    Args:
        put: stores them; concurrent calls share a commit.
    """

    def __init__(self, store: LogStore, put: PutEvents, clock: Clock) -> None:
        self._store = store
        self._put = put
        self._clock = clock

    @operation("PutLogEvents")
    async def put(self, caller: Caller, request: PutLogEventsRequest) -> Mapping[str, Any]:
        group_name, stream = request["logGroupName"], request["logStreamName"]
        events = [(event["timestamp"], event["message"]) for event in request["logEvents"]]
        check_sizes([message for _, message in events])
        times = [timestamp_ms for timestamp_ms, _ in events]
        if times != sorted(times):
            # Observed: recordings of the service.
            raise InvalidParameterException(
                "Log events in a single PutLogEvents request must be in chronological order."
            )
        group = await self._store.group(caller.scope, group_name)
        if group is None:
            raise group_missing()
        if await self._store.stream(caller.scope, group_name, stream) is None:
            raise stream_missing()
        now_ms = int(self._clock.now() * 1000)
        start, stop, rejected = accepted(times, now_ms, group.retention_days)
        if start < stop and times[stop - 1] - times[start] > SPAN_MAX_MS:
            # Observed: field reports of the text.
            raise InvalidParameterException(
                "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
            )
        taken_ms = now_ms
        if start < stop:
            taken_ms = await self._put(caller.scope, group_name, stream, events[start:stop])
        # Documented: PutLogEvents, sequence tokens are ignored, and one is returned all the same.
        answer: dict[str, Any] = {"nextSequenceToken": upload_token(times[-1], taken_ms)}
        if rejected:
            answer["rejectedLogEventsInfo"] = rejected
        return answer


def check_sizes(messages: Sequence[str]) -> None:
    """
    Refuse messages that are too long, alone or together.

    Raises:
        InvalidParameterException: so. Observed: field reports of the texts.
    """
    # A lone surrogate, which JSON can bring, is stored as a question mark.
    sizes = [len(message.encode("utf-8", "replace")) + EVENT_OVERHEAD_BYTES for message in messages]
    if (longest := max(sizes)) > EVENT_BYTES_MAX:
        raise InvalidParameterException(f"Log event too large: {longest} bytes exceeds limit of {EVENT_BYTES_MAX}")
    if (total := sum(sizes)) > BATCH_BYTES_MAX:
        raise InvalidParameterException(f"Upload too large: {total} bytes exceeds limit of {BATCH_BYTES_MAX}")


def accepted(times: Sequence[int], now_ms: int, retention_days: int | None) -> tuple[int, int, Mapping[str, int]]:
    """
    Return where the events that are stored begin and end, and what is said of the others.

    Args:
        times: of the events, ascending.

    Source: CloudWatch Logs API reference, RejectedLogEventsInfo.
    """
    rejected: dict[str, int] = {}
    start = bisect_left(times, now_ms - AGE_MAX_MS)
    if start:
        rejected["tooOldLogEventEndIndex"] = start
    if retention_days is not None and (expired := bisect_left(times, now_ms - retention_days * _DAY_MS)):
        rejected["expiredLogEventEndIndex"] = expired
        start = max(start, expired)
    stop = bisect_right(times, now_ms + AHEAD_MAX_MS)
    if stop < len(times):
        rejected["tooNewLogEventStartIndex"] = stop
    return start, stop, rejected
