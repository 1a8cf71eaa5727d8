"""Single events by their pointer, and the fields that a group's events have: what stands beside queries."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.errors.api.logs import InvalidParameterException, ResourceNotFoundException
from lambent.protocol.shapes.logs import GetLogGroupFieldsRequest, GetLogRecordRequest
from lambent.services.logs.naming import group_missing, requested_group
from lambent.services.logs.queries import lines_of
from lambent.services.operation import operation
from lambent.store.contract import EventCursor, LogStore

# As in queries.py.
if TYPE_CHECKING:
    from lambent.domain.insights.fields import Line

BACK_S: Final = 15 * 60
AROUND_S: Final = 8 * 60
"""Documented: GetLogGroupFields: the last 15 minutes, or 8 minutes before and after a time."""

_SAMPLE_EVENTS: Final = 1_000
_SAMPLE_BYTES: Final = 4 << 20
"""Assumed: AWS looks at some events as well (test_log_records)."""


class LogRecords:
    """Events taken apart into fields. Both operations see what was written before they were called."""

    def __init__(self, store: LogStore, fold: Callable[[], Awaitable[None]], clock: Clock) -> None:
        self._store = store
        self._fold = fold
        self._clock = clock

    @operation("GetLogRecord")
    async def get(self, caller: Caller, request: GetLogRecordRequest) -> Mapping[str, Any]:
        from lambent.domain.insights.fields import discover, parse_pointer
        from lambent.domain.insights.values import text

        found = parse_pointer(request["logRecordPointer"])
        if found is None:
            # Assumed: the text (test_log_records).
            raise InvalidParameterException("The specified logRecordPointer is invalid.")
        log, *numbers = found
        account, _, group = log.partition(":")
        place = EventCursor(*numbers)
        await self._fold()
        event = await self._store.event(caller.scope, group, place) if account == caller.scope.account else None
        if event is None:
            raise ResourceNotFoundException("The specified log record does not exist.")
        (line,) = lines_of([event], log)
        fields = discover(line)
        # Times as numbers here, and not as in a query's rows. Observed: samples of GetLogRecord.
        record = {name: str(int(value)) if name in _TIMES else text(value) for name, value in fields.items()}
        return {"logRecord": record}

    @operation("GetLogGroupFields")
    async def fields(self, caller: Caller, request: GetLogGroupFieldsRequest) -> Mapping[str, Any]:
        group = requested_group(caller, request)
        now_s = int(self._clock.now())
        from_s, until_s = now_s - BACK_S, now_s + 1
        if "time" in request:
            from_s, until_s = request["time"] - AROUND_S, request["time"] + AROUND_S
        await self._fold()
        if await self._store.group(caller.scope, group) is None:
            raise group_missing()
        events = await self._store.events(
            caller.scope,
            group,
            from_ms=max(0, from_s) * 1_000,
            before_ms=until_s * 1_000,
            newest_first=True,
            limit=_SAMPLE_EVENTS,
            bytes_max=_SAMPLE_BYTES,
        )
        lines = list(lines_of(events, f"{caller.scope.account}:{group}"))
        counts = await asyncio.to_thread(_count_fields, lines)
        return {
            "logGroupFields": [
                {"name": name, "percent": count * 100 // len(lines)}
                for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:FIELDS_MAX]
            ]
        }


FIELDS_MAX: Final = 1_000
"""Documented: CloudWatch Logs user guide, discovered fields of a group."""

_TIMES: Final = frozenset({"@timestamp", "@ingestionTime"})


def _count_fields(lines: "Sequence[Line]") -> Mapping[str, int]:
    from lambent.domain.insights.fields import discover

    counts: Counter[str] = Counter()
    for line in lines:
        for name in discover(line):
            if name in counts or len(counts) < FIELDS_MAX:
                counts[name] += 1
    return counts
