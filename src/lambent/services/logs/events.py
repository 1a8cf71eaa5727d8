"""Log events: one stream page by page in either direction, or a whole group in order of time."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.domain.caller import Caller
from lambent.domain.filter_pattern import InvalidPattern, parse
from lambent.errors.api.logs import InvalidParameterException
from lambent.protocol.shapes.logs import FilterLogEventsRequest, GetLogEventsRequest
from lambent.services.logs.naming import group_missing, requested_group, stream_missing
from lambent.services.logs.tokens import (
    BACKWARD,
    FORWARD,
    NEWEST_FIRST,
    OLDEST_FIRST,
    START,
    at,
    just_after,
    just_before,
    page_token,
    parse_page_token,
    parse_search_token,
    search_token,
)
from lambent.services.operation import operation
from lambent.store.contract import EventCursor, LogEvent, LogStore

PAGE_BYTES_MAX = 1_048_576
"""Documented: GetLogEvents and FilterLogEvents, a page is at most 1 MB."""

PAGE_EVENTS_MAX = 10_000
"""Documented: the same, and the default of `limit`."""

SEARCH_S = 1.0
"""
How long one call looks for matches, beyond which it answers what it has found and a token.

Documented: FilterLogEvents, a page may be empty although there is a token. Assumed: how long (test_events).
"""

NEWEST_FIRST_FROM_MS = 1_704_067_200_000
"""2024-01-01. Documented: FilterLogEvents, startFromHead=false needs a startTime from here on."""


class LogEvents:
    """Reading events. Both operations see what was written before they were called."""

    def __init__(self, store: LogStore, fold: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._fold = fold

    @operation("GetLogEvents")
    async def get(self, caller: Caller, request: GetLogEventsRequest) -> Mapping[str, Any]:
        group = requested_group(caller, request)
        stream = request["logStreamName"]
        place: EventCursor | None = None
        # A token's letter decides, whatever startFromHead says with it: readers are known to leave that away.
        is_forward = request.get("startFromHead", False)
        if "nextToken" in request:
            direction, place = parse_page_token(request["nextToken"])
            is_forward = direction == FORWARD
        await self._fold()
        await self._check_stream(caller, group, stream)
        events = list(
            await self._store.events(
                caller.scope,
                group,
                streams=[stream],
                from_ms=request.get("startTime"),
                # Documented: GetLogEvents, an event at endTime is not included; FilterLogEvents differs.
                before_ms=request.get("endTime"),
                after=place if is_forward else None,
                before=None if is_forward else place,
                newest_first=not is_forward,
                limit=request.get("limit", PAGE_EVENTS_MAX),
                bytes_max=PAGE_BYTES_MAX,
            )
        )
        if not is_forward:
            events.reverse()
        forward, backward = _around(events, place, is_forward)
        return {
            "events": [
                {"timestamp": event.timestamp_ms, "message": event.message, "ingestionTime": event.ingestion_ms}
                for event in events
            ],
            "nextForwardToken": page_token(FORWARD, forward),
            "nextBackwardToken": page_token(BACKWARD, backward),
        }

    @operation("FilterLogEvents")
    async def filter(self, caller: Caller, request: FilterLogEventsRequest) -> Mapping[str, Any]:
        group = requested_group(caller, request)
        streams, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
        try:
            pattern = parse(text) if (text := request.get("filterPattern", "").strip()) else None
        except InvalidPattern as error:
            raise InvalidParameterException(str(error)) from None
        if streams is not None and prefix is not None:
            # Documented: FilterLogEvents, the code. Assumed: the text. Revisit: test_events.
            raise InvalidParameterException("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.")
        is_newest_first, place = _search_start(request)
        await self._fold()
        if await self._store.group(caller.scope, group) is None:
            raise group_missing()
        for stream in streams or ():
            await self._check_stream(caller, group, stream)

        page = await self._store.page(
            caller.scope,
            group,
            streams=streams,
            stream_prefix=prefix,
            from_ms=request.get("startTime"),
            # Documented: FilterLogEvents, only events later than endTime are left out.
            before_ms=request["endTime"] + 1 if "endTime" in request else None,
            after=None if is_newest_first else place,
            before=place if is_newest_first else None,
            newest_first=is_newest_first,
            pattern=pattern,
            limit=request.get("limit", PAGE_EVENTS_MAX),
            bytes_max=PAGE_BYTES_MAX,
            seconds_max=None if pattern is None else SEARCH_S,
        )
        # Documented: FilterLogEvents, the list is always empty.
        answer: dict[str, Any] = {"events": [_found(event) for event in page.events], "searchedLogStreams": []}
        # No token means the end, and readers that follow a log spin when one comes at the end.
        if page.next is not None:
            answer["nextToken"] = search_token(NEWEST_FIRST if is_newest_first else OLDEST_FIRST, page.next)
        return answer

    async def _check_stream(self, caller: Caller, group: str, stream: str) -> None:
        if await self._store.stream(caller.scope, group, stream) is None:
            if await self._store.group(caller.scope, group) is None:
                raise group_missing()
            raise stream_missing()


def _around(events: list[LogEvent], place: EventCursor | None, is_forward: bool) -> tuple[EventCursor, EventCursor]:
    """
    Return where reading on forward and backward begins, seen from one page.

    At either end a page is empty and its token in that direction is the one that asked for it: by that
    readers know to stop, and it still yields events that arrive later.

    Args:
        events: the page, oldest first.
        place: where the token stood that asked for it; None without one.
    """
    if events:
        return at(events[-1]), at(events[0])
    if place is None:
        return START, START
    if is_forward:
        return place, just_after(place)
    return just_before(place), place


def _search_start(request: FilterLogEventsRequest) -> tuple[bool, EventCursor | None]:
    """
    Return whether a search goes from the newest event, and where it begins.

    Raises:
        InvalidParameterException: the token is not one of ours, or newest first reaches too far back.
    """
    if "nextToken" in request:
        # Documented: FilterLogEvents, a token keeps the direction of the first call.
        direction, place = parse_search_token(request["nextToken"])
        return direction == NEWEST_FIRST, place
    if request.get("startFromHead", True):
        return False, None
    if request.get("startTime", 0) < NEWEST_FIRST_FROM_MS:
        # Assumed: the text; the code is documented. Revisit: test_events.
        raise InvalidParameterException("startFromHead=false needs a startTime of 2024-01-01T00:00:00Z or later.")
    return True, None


def _found(event: LogEvent) -> dict[str, Any]:
    return {
        "logStreamName": event.stream,
        "timestamp": event.timestamp_ms,
        "message": event.message,
        "ingestionTime": event.ingestion_ms,
        "eventId": event.event_id,
    }
