"""
LookupEvents: management events of one account in one region, the newest first.

The trail is read backwards, line by line, on a thread: what a look-up takes of memory is a page of its answer.
"""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.errors.api.cloudtrail import (
    InvalidEventCategoryException,
    InvalidLookupAttributesException,
    InvalidNextTokenException,
    InvalidTimeRangeException,
    UnsupportedOperationException,
)
from lambent.protocol.shapes.cloudtrail import LookupEventsRequest
from lambent.services.operation import operation
from lambent.telemetry.trail import Position, Trail

_PAGE = 50
"""Documented: CloudTrail API reference, LookupEvents: MaxResults, default and most."""
_KEPT_S = 90 * 86_400.0
"""Documented: CloudTrail API reference, LookupEvents: the last 90 days."""
_VALUE_MAX = 2_000
"""Documented: CloudTrail API reference, LookupAttribute."""
_LINES_MAX = 20_000
"""
That one call looks through; then it answers what it has found, maybe nothing, and where to go on. Documented:
CloudTrail API reference: as paginators expect of any list. Assumed: a tenth of a second's work (test_lookup).
"""
_AT_ONCE = 2
"""Assumed: AWS has two calls a second of an account and region; here two at once, and the others wait (test_lookup)."""
_DISORDER_S = 3_600.0
"""How far a clock that was set may have put newer records behind older ones. Assumed: summer time, set by hand."""


class _Identity(msgspec.Struct):
    type: str = ""
    userName: str = ""
    principalId: str = ""
    accessKeyId: str = ""
    invokedBy: str = ""


class _Resource(msgspec.Struct):
    ARN: str = ""
    type: str = ""


class _Record(msgspec.Struct):
    """What a look-up needs of a record."""

    eventTime: datetime
    eventID: str
    eventName: str
    eventSource: str
    awsRegion: str
    readOnly: bool
    managementEvent: bool
    recipientAccountId: str
    userIdentity: _Identity
    resources: list[_Resource] = []

    @property
    def user_name(self) -> str:
        """Documented: CloudTrail user guide: of a role, the name of its session."""
        identity = self.userIdentity
        if identity.type == "AssumedRole":
            return identity.principalId.partition(":")[2]
        if identity.type == "Root":
            return "root"
        return identity.userName or identity.invokedBy


class _Token(msgspec.Struct, array_like=True):
    """Where to go on, and of which look-up."""

    digest: str
    file: int
    offset: int


_decode = msgspec.json.Decoder(_Record).decode

_MATCHES: Mapping[str, Callable[[_Record, str], bool]] = {
    "AccessKeyId": lambda record, value: record.userIdentity.accessKeyId == value,
    "EventId": lambda record, value: record.eventID == value,
    "EventName": lambda record, value: record.eventName == value,
    "EventSource": lambda record, value: record.eventSource == value,
    "ReadOnly": lambda record, value: ("true" if record.readOnly else "false") == value,
    "ResourceName": lambda record, value: any(
        value == resource.ARN or _name_of(resource.ARN) == value for resource in record.resources
    ),
    "ResourceType": lambda record, value: any(resource.type == value for resource in record.resources),
    "Username": lambda record, value: record.user_name == value,
}


class EventHistory:
    """The event history of accounts."""

    def __init__(self, trail: Trail | None, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock
        self._room = asyncio.Semaphore(_AT_ONCE)

    @operation("LookupEvents")
    async def lookup(self, caller: Caller, request: LookupEventsRequest) -> Mapping[str, Any]:
        if self._trail is None:
            raise UnsupportedOperationException("this server keeps no audit trail: it runs with --trail off")
        if request.get("EventCategory") is not None:
            raise InvalidEventCategoryException("there are no Insights events here: leave EventCategory out")
        matches = _matcher(request)
        now = self._clock.now()
        since = max(_seconds(request.get("StartTime"), 0.0), now - _KEPT_S)
        until = _seconds(request.get("EndTime"), now + _DISORDER_S)
        # Documented: the start must not be after the end.
        if request.get("StartTime") is not None and request.get("EndTime") is not None and since > until:
            raise InvalidTimeRangeException("StartTime is after EndTime")
        digest = _digest(caller, request)
        position = _position(request.get("NextToken"), digest)
        limit = request.get("MaxResults") or _PAGE
        scope = caller.scope

        def wanted(record: _Record) -> bool:
            return (
                record.recipientAccountId == scope.account
                and record.awsRegion == scope.region
                and record.managementEvent
                and since <= record.eventTime.timestamp() <= until
                and matches(record)
            )

        async with self._room:
            events, position = await asyncio.to_thread(_scan, self._trail, position, wanted, since, limit)
        answer: dict[str, Any] = {"Events": events}
        if position is not None:
            token = msgspec.json.encode(_Token(digest, position.file, position.offset))
            answer["NextToken"] = base64.urlsafe_b64encode(token).decode()
        return answer


def _scan(
    trail: Trail, position: Position | None, wanted: Callable[[_Record], bool], since: float, limit: int
) -> tuple[list[dict[str, Any]], Position | None]:
    """Return events, and where there may be more; None: there are none."""
    events: list[dict[str, Any]] = []
    lines = trail.read_back(position)
    seen = 0
    for where, line in islice(lines, _LINES_MAX):
        seen += 1
        position = where
        try:
            record = _decode(line)
        except (msgspec.DecodeError, UnicodeError):
            # Half a line, of a machine that went down.
            continue
        if record.eventTime.timestamp() < since - _DISORDER_S:
            return events, None
        if wanted(record):
            events.append(_event(record, line.decode()))
            if len(events) == limit:
                break
    lines.close()  # type: ignore[attr-defined]
    is_more = seen == _LINES_MAX or len(events) == limit
    return events, position if is_more else None


def _event(record: _Record, line: str) -> dict[str, Any]:
    event: dict[str, Any] = {
        "EventId": record.eventID,
        "EventName": record.eventName,
        "ReadOnly": "true" if record.readOnly else "false",
        "EventTime": record.eventTime,
        "EventSource": record.eventSource,
        "Resources": [
            {"ResourceType": resource.type, "ResourceName": _name_of(resource.ARN)} for resource in record.resources
        ],
        "CloudTrailEvent": line,
    }
    if record.userIdentity.accessKeyId:
        event["AccessKeyId"] = record.userIdentity.accessKeyId
    if record.user_name:
        event["Username"] = record.user_name
    return event


def _name_of(arn: str) -> str:
    """Return a resource's name. Assumed: what stands last in its ARN (test_lookup)."""
    rest = arn.split(":", 5)[-1]
    return rest.rpartition("/")[2] if "/" in rest else rest.partition(":")[2] or rest


def _matcher(request: LookupEventsRequest) -> Callable[[_Record], bool]:
    attributes = request.get("LookupAttributes") or []
    if not attributes:
        return lambda record: True
    if len(attributes) > 1:
        # Documented: CloudTrail API reference, LookupEvents: currently the list can hold one item.
        raise InvalidLookupAttributesException("only one lookup attribute can be given")
    key, value = attributes[0]["AttributeKey"], attributes[0]["AttributeValue"]
    matches = _MATCHES.get(key)
    if matches is None or len(value) > _VALUE_MAX:
        raise InvalidLookupAttributesException("the lookup attribute is none, or its value is too long")
    if key == "ReadOnly" and value not in {"true", "false"}:
        raise InvalidLookupAttributesException("ReadOnly is either true or false")
    return lambda record: matches(record, value)


def _seconds(moment: datetime | None, default: float) -> float:
    if moment is None:
        return default
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _digest(caller: Caller, request: LookupEventsRequest) -> str:
    """Return what a token is good for: the same look-up again. Documented: its parameters have to be the same."""
    attributes = [(one["AttributeKey"], one["AttributeValue"]) for one in request.get("LookupAttributes") or []]
    start, end = (str(request.get(name)) for name in ("StartTime", "EndTime"))
    what = msgspec.json.encode([caller.scope.account, caller.scope.region, attributes, start, end])
    return hashlib.sha256(what).hexdigest()[:16]


def _position(token: str | None, digest: str) -> Position | None:
    if token is None:
        return None
    try:
        if len(token) > 200:
            raise ValueError
        found = msgspec.json.decode(base64.urlsafe_b64decode(token.encode()), type=_Token)
        if found.digest != digest or found.file < 0 or found.offset < 0:
            raise ValueError
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise InvalidNextTokenException("the token is none, or another look-up's") from None
    return Position(found.file, found.offset)
