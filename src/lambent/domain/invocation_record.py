"""
What is told of an asynchronous invocation that ended: the record for a destination, and the dead letter.

Source: Lambda developer guide, asynchronous invocation, destinations and dead-letter queues.
"""

from datetime import UTC, datetime

import msgspec

from lambent.domain.invocation import InvocationOutcome

RECORD_MAX_BYTES = 1_048_576
"""What every target takes that is no bucket; a record that is larger loses payloads."""
# Documented: Lambda API reference, OnFailure, for topics: the payload is dropped. Assumed: so it is for others.

_MESSAGE_MAX = 1024
"""Of the ErrorMessage of a dead letter. Documented: 1 KB of it."""


class _RequestContext(msgspec.Struct):
    requestId: str
    functionArn: str
    condition: str
    approximateInvokeCount: int


class _ResponseContext(msgspec.Struct, omit_defaults=True):
    statusCode: int = msgspec.field(default=0)
    executedVersion: str = ""
    functionError: str | None = None


class _Record(msgspec.Struct):
    version: str
    timestamp: str
    requestContext: _RequestContext
    requestPayload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    responseContext: _ResponseContext | msgspec.UnsetType = msgspec.UNSET
    responsePayload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def invocation_record(
    *,
    now: float,
    request_id: str,
    function_arn: str,
    condition: str,
    attempts: int,
    payload: bytes,
    outcome: InvocationOutcome | None,
    is_whole: bool = False,
) -> bytes:
    """
    Return the record of an event that ended.

    Args:
        now: seconds since the epoch.
        function_arn: qualified.
        attempts: how often the function ran with it.
        payload: the event; JSON.
        outcome: of the last attempt; None where the function did not run.
        is_whole: whether it keeps its payloads however large they are.

    Observed: the members of success and failure (recorded 2025-11). Assumed: without an outcome both members of the
    response are left out.
    """
    moment = datetime.fromtimestamp(now, UTC)
    record = _Record(
        version="1.0",
        timestamp=f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
        requestContext=_RequestContext(request_id, function_arn, condition, attempts),
        requestPayload=msgspec.Raw(payload),
    )
    if outcome is not None:
        error = None if outcome.error is None else outcome.error.kind
        record.responseContext = _ResponseContext(200, outcome.executed_version, error)
        response = _as_json(outcome.payload)
        record.responsePayload = msgspec.Raw(response)
    encoded = msgspec.json.encode(record)
    if is_whole:
        return encoded
    if len(encoded) > RECORD_MAX_BYTES:
        record.responsePayload = msgspec.UNSET
        encoded = msgspec.json.encode(record)
    if len(encoded) > RECORD_MAX_BYTES:
        record.requestPayload = msgspec.UNSET
        encoded = msgspec.json.encode(record)
    return encoded


def _as_json(payload: bytes) -> bytes:
    """Return a response as JSON: what is none, as custom runtimes may answer, becomes a text."""
    try:
        if not payload.isascii():
            payload.decode()
        msgspec.json.decode(payload, type=msgspec.Raw)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(payload.decode(errors="replace"))
    return payload


class _Error(msgspec.Struct):
    errorMessage: str = ""


def error_message(outcome: InvocationOutcome) -> str:
    """Return what a dead letter says of the error. Observed: the bare message of the function's own error."""
    try:
        message = msgspec.json.decode(outcome.payload, type=_Error).errorMessage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = outcome.payload.decode(errors="replace")
    return message.encode(errors="replace")[:_MESSAGE_MAX].decode(errors="ignore")
