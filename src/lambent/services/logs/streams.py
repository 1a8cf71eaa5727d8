"""Log streams: one per execution environment, and those that writers make."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.domain.arn import log_stream_arn
from lambent.domain.caller import Caller, Scope
from lambent.errors.api.logs import InvalidParameterException, ResourceAlreadyExistsException
from lambent.protocol.shapes.logs import CreateLogStreamRequest, DeleteLogStreamRequest, DescribeLogStreamsRequest
from lambent.services.logs.naming import group_missing, requested_group, stream_missing
from lambent.services.logs.tokens import offset_token, parse_offset_token, upload_token
from lambent.services.operation import operation
from lambent.store.contract import LogStore, LogStream


class LogStreams:
    """The streams of a group."""

    def __init__(self, store: LogStore, fold: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._fold = fold

    @operation("CreateLogStream")
    async def create(self, caller: Caller, request: CreateLogStreamRequest) -> Mapping[str, Any]:
        # A function may have made it with what it wrote a moment ago.
        await self._fold()
        is_made = await self._store.create_stream(caller.scope, request["logGroupName"], request["logStreamName"])
        if is_made is None:
            raise group_missing()
        if not is_made:
            # Observed: recordings of the service, without a full stop.
            raise ResourceAlreadyExistsException("The specified log stream already exists")
        return {}

    @operation("DeleteLogStream")
    async def delete(self, caller: Caller, request: DeleteLogStreamRequest) -> Mapping[str, Any]:
        group = request["logGroupName"]
        # What was written before belongs to the stream that goes; folded later it would bring the stream back.
        await self._fold()
        if not await self._store.delete_stream(caller.scope, group, request["logStreamName"]):
            if await self._store.group(caller.scope, group) is None:
                raise group_missing()
            raise stream_missing()
        return {}

    @operation("DescribeLogStreams")
    async def describe(self, caller: Caller, request: DescribeLogStreamsRequest) -> Mapping[str, Any]:
        group = requested_group(caller, request)
        prefix = request.get("logStreamNamePrefix", "")
        by_last_event = request.get("orderBy") == "LastEventTime"
        if prefix and by_last_event:
            # Observed: field reports of the text.
            raise InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
        limit = request.get("limit", 50)
        offset = parse_offset_token(request["nextToken"]) if "nextToken" in request else 0
        # Readers find the newest stream by this call, so it must know of the newest event.
        await self._fold()
        if await self._store.group(caller.scope, group) is None:
            raise group_missing()
        streams = await self._store.list_streams(
            caller.scope,
            group,
            prefix=prefix,
            by_last_event=by_last_event,
            descending=request.get("descending", False),
            offset=offset,
            limit=limit + 1,
        )
        answer: dict[str, Any] = {
            "logStreams": [_described(caller.scope, group, stream) for stream in streams[:limit]],
        }
        if len(streams) > limit:
            answer["nextToken"] = offset_token(offset + limit)
        return answer


def _described(scope: Scope, group: str, stream: LogStream) -> dict[str, Any]:
    """Return a stream as DescribeLogStreams shows it; one without events has fewer members."""
    shown: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": log_stream_arn(scope, group, stream.name),
        # Documented: DescribeLogStreams, always zero since June 2019.
        "storedBytes": 0,
    }
    if stream.first_event_ms is not None:
        assert stream.last_event_ms is not None and stream.last_ingestion_ms is not None
        shown["firstEventTimestamp"] = stream.first_event_ms
        shown["lastEventTimestamp"] = stream.last_event_ms
        shown["lastIngestionTime"] = stream.last_ingestion_ms
        shown["uploadSequenceToken"] = upload_token(stream.last_event_ms, stream.last_ingestion_ms)
    return shown
