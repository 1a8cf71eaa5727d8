"""
Invoke, the hot path; InvokeWithResponseStream, which is the same but for how the response leaves; and the door to the
queue of asynchronous invocations, Invoke with Event and InvokeAsync.

A payload is checked to be JSON without building it, and never decoded; a warm call touches no database.
"""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.dispatch.async_invocations import AsyncInvocations
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.caller import Caller
from lambent.domain.function import LATEST, FunctionVersion
from lambent.domain.invocation import InvocationOutcome, StreamEnd
from lambent.domain.quotas import Quotas
from lambent.domain.trace import next_trace_header, with_lineage_of, without_lineage
from lambent.errors.api.lambda_ import (
    InvalidParameterValueException,
    InvalidRequestContentException,
    RequestTooLargeException,
    ResourceNotFoundException,
    ServiceException,
)
from lambent.errors.families import DependencyError
from lambent.protocol.shapes.lambda_ import InvocationRequest, InvokeAsyncRequest, InvokeWithResponseStreamRequest
from lambent.protocol.wire import OutputWithHeaders
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.lambda_.synchronous import SynchronousInvocations, check_active, throttled_exception
from lambent.services.operation import operation
from lambent.store.contract import QueueFull

_EMPTY_EVENT = b"{}"
_DETAILS_MAX_BYTES = 16 * 1024 * 1024 - 64 * 1024
"""
Of the details of an error, as JSON; the rest is for the other members. SDKs refuse events that are larger, and with
them what was streamed before. Observed: aws/aws-sdk-go-v2, eventstream, 16 MiB; botocore takes 24.
"""

_ESCAPED_MAX_BYTES = 6
"""What one character takes in JSON at most."""

_NOT_OFFERED = {"DurableExecutionName": "durable executions come with a later version"}


class Invoke:
    """The operations that invoke a function: those that wait for it, and those that leave an event."""

    def __init__(self, dispatcher: Dispatcher, events: AsyncInvocations, quotas: Quotas, clock: Clock) -> None:
        self._dispatcher = dispatcher
        self._events = events
        self._quotas = quotas
        self._clock = clock
        self._synchronous = SynchronousInvocations(dispatcher, events, clock)

    @operation("Invoke")
    async def invoke(self, caller: Caller, request: InvocationRequest) -> Mapping[str, Any]:
        checked = await self._check(caller, request)
        if checked is None:
            return self._nothing_run(caller)
        if request.get("InvocationType") == "Event":
            # The client context was checked and goes no further. Documented: Lambda API reference, Invoke: it is for
            # synchronous invocations.
            return _telling({"StatusCode": 202}, await self._accept(caller, checked))
        outcome, trace_header = await self._run(caller, checked, request, wants_stream=False)
        answer: dict[str, Any] = {
            "StatusCode": 200,
            "ExecutedVersion": outcome.executed_version,
            "Payload": outcome.payload,
        }
        if outcome.error is not None:
            answer["FunctionError"] = outcome.error.kind
        if outcome.log_tail is not None:
            answer["LogResult"] = base64.b64encode(outcome.log_tail).decode()
        return _telling(answer, trace_header)

    @operation("InvokeWithResponseStream")
    async def invoke_with_response_stream(
        self, caller: Caller, request: InvokeWithResponseStreamRequest
    ) -> Mapping[str, Any]:
        checked = await self._check(caller, request)
        if checked is None:
            return self._nothing_run(caller)
        outcome, trace_header = await self._run(caller, checked, request, wants_stream=True)
        answer = {
            "StatusCode": 200,
            "ExecutedVersion": outcome.executed_version,
            "EventStream": ResponseEvents(outcome),
        }
        return _telling(answer, trace_header)

    def _nothing_run(self, caller: Caller) -> Mapping[str, Any]:
        """Return the answer to a DryRun."""
        random_hex = self._clock.token_hex(20)
        header = next_trace_header(caller.trace_header, self._clock.now(), random_hex[:24], random_hex[24:])
        return _telling({"StatusCode": 204}, header)

    async def _check(self, caller: Caller, request: Any) -> "_Checked | None":
        """Check what a request of either operation asks for. None for a DryRun, which has found nothing wrong."""
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        invocation_type = request.get("InvocationType", "RequestResponse")
        for member, reason in _NOT_OFFERED.items():
            if member in request:
                raise InvalidParameterValueException(f"{member} is not offered by this version of Lambent: {reason}")
        version = await self._version(target)
        tenant = request.get("TenantId")
        if (tenant is not None) is not version.configuration.is_tenant_isolated:
            raise _wrong_tenant(tenant)
        if invocation_type == "DryRun":
            return None
        payload = request.get("Payload") or _EMPTY_EVENT
        if invocation_type == "Event":
            check_payload(payload, self._quotas.event_payload_max_bytes, "Event")
        else:
            check_payload(payload, self._quotas.invoke_payload_max_bytes)
        client_context = request.get("ClientContext")
        context_json = None if client_context is None else decode_client_context(client_context, self._quotas)
        check_active(version)
        return _Checked(target, version, payload, tenant, context_json)

    async def _run(
        self, caller: Caller, checked: "_Checked", request: Any, *, wants_stream: bool
    ) -> tuple[InvocationOutcome, str]:
        """Run an invocation now; return its trace header, too."""
        return await self._synchronous.run(
            checked.target,
            checked.version,
            request_id=caller.request_id,
            payload=checked.payload,
            trace_header=caller.trace_header,
            client_context=checked.client_context,
            tenant=checked.tenant,
            wants_tail=request.get("LogType") == "Tail",
            wants_stream=wants_stream,
        )

    @operation("InvokeAsync")
    async def invoke_async(self, caller: Caller, request: InvokeAsyncRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        version = await self._version(target)
        if version.configuration.is_tenant_isolated:
            raise _wrong_tenant(None)
        payload = request["InvokeArgs"] or _EMPTY_EVENT
        check_payload(payload, self._quotas.invoke_async_payload_max_bytes, "Event")
        check_active(version)
        # Documented: Lambda developer guide, X-Ray: the trace header of this operation is not passed on.
        bare = msgspec.structs.replace(caller, trace_header=_lineage_only(caller))
        await self._accept(bare, _Checked(target, version, payload))
        return {"Status": 202}

    async def _version(self, target: Target) -> FunctionVersion:
        version = await self._dispatcher.resolve(target.scope, target.name, target.qualifier)
        if version is None:
            # Observed: unlike elsewhere, the missing function's ARN ends in `:$LATEST` (recorded 2025-11).
            raise ResourceNotFoundException(
                f"Function not found: {target.unqualified_arn}:{target.qualifier or LATEST}"
            )
        return version

    async def _accept(self, caller: Caller, checked: "_Checked") -> str:
        """
        Take an event; on return it is on disk. Return its trace header.

        Raises:
            TooManyRequestsException: too many events wait.
            ServiceException: the store failed.
        """
        try:
            return await self._events.accept(
                checked.version,
                request_id=caller.request_id,
                qualifier=checked.target.qualifier,
                payload=checked.payload,
                trace_header=caller.trace_header or "",
                tenant=checked.tenant,
            )
        except QueueFull:
            # Assumed: AWS's queue has no end; of its reasons this one is closest (test_invoke).
            raise throttled_exception(
                "Rate Exceeded: too many events wait for this function, or for all together; send this one again when "
                "some have run.",
                "FunctionInvocationRateLimitExceeded",
            ) from None
        except DependencyError as error:
            raise ServiceException(str(error)) from error


class _Checked(msgspec.Struct, frozen=True):
    """What a request asks for, nothing of which is wrong."""

    target: Target
    version: FunctionVersion
    payload: bytes
    tenant: str | None = None
    client_context: str | None = None


class ResponseEvents:
    """
    What came of an invocation, as the events of InvokeWithResponseStream: the response's pieces, then how it ended. A
    response that the function did not stream is one piece. A function that fails does so in the last event, whenever.
    """

    def __init__(self, outcome: InvocationOutcome) -> None:
        self._stream = outcome.stream
        self._end: StreamEnd | None = None
        """Of a response that is whole already."""
        self._piece = b""
        self._is_over = False
        if outcome.stream is None:
            self._end = StreamEnd(outcome.error, outcome.payload if outcome.error else b"", outcome.log_tail)
            self._piece = b"" if outcome.error else outcome.payload

    def __aiter__(self) -> AsyncIterator[Mapping[str, Any]]:
        return self

    async def __anext__(self) -> Mapping[str, Any]:
        if self._is_over:
            raise StopAsyncIteration
        payload: bytes | list[bytes | bytearray] = self._piece
        self._piece = b""
        if self._stream is not None:
            # Framed as it came: joined, it would only be copied.
            payload = await self._stream.take()
        if payload:
            return {"PayloadChunk": {"Payload": payload}}
        self._is_over = True
        end = self._end if self._stream is None else self._stream.end
        # None: it was closed while it was read.
        return {"InvokeComplete": _completion(end or StreamEnd())}

    async def aclose(self) -> None:
        """Let the function go on without a reader. Idempotent."""
        self._is_over = True
        if self._stream is not None:
            self._stream.close()


def _telling(answer: Mapping[str, Any], trace_header: str) -> Mapping[str, Any]:
    """
    Add the trace header that an invocation goes on with to its answer. An error's answer has none.

    Documented: X-Ray developer guide, tracing header. Assumed: without the lineage, which is ours, and with the parent
    that the function sees (test_tracing).
    """
    return OutputWithHeaders(answer, (b"x-amzn-trace-id", without_lineage(trace_header).encode("latin-1")))


def _completion(end: StreamEnd) -> Mapping[str, str]:
    completion = {}
    if end.error is not None:
        # Assumed: the code is what X-Amz-Function-Error says of a buffered response, the details are its payload. The
        # API reference says no more than that there are both; revisit tests/wire/test_streaming.py.
        completion["ErrorCode"] = end.error.kind
        completion["ErrorDetails"] = _details(end.error_payload)
    if end.log_tail is not None:
        completion["LogResult"] = base64.b64encode(end.log_tail).decode()
    return completion


def _details(payload: bytes) -> str:
    """Return what tells of an error, its beginning where the whole is too long for the event that it is a part of."""
    text = payload.decode(errors="replace")
    if len(text) * _ESCAPED_MAX_BYTES <= _DETAILS_MAX_BYTES or len(msgspec.json.encode(text)) <= _DETAILS_MAX_BYTES:
        return text
    return text[: _DETAILS_MAX_BYTES // _ESCAPED_MAX_BYTES]


def _lineage_only(caller: Caller) -> str | None:
    """Return of a caller's trace header what a chain of invocations cannot shake off."""
    running = None if caller.inside is None else caller.inside.trace_header()
    return running and with_lineage_of(None, running)


def _wrong_tenant(tenant: str | None) -> InvalidParameterValueException:
    # Documented: Lambda developer guide, tenant isolation, for the first. Assumed: the second.
    if tenant is None:
        return InvalidParameterValueException(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try "
            "again."
        )
    return InvalidParameterValueException(
        "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and "
        "try again."
    )


def check_payload(payload: bytes, most_bytes: int, invocation_type: str = "RequestResponse") -> None:
    """
    Refuse a payload that is too large or not JSON in UTF-8. Any JSON value passes.

    Raises:
        RequestTooLargeException: more than `most_bytes`.
        InvalidRequestContentException: not JSON.

    Observed: prefixes of both texts (recorded 2025-11); the rest is the parser's own.
    """
    if len(payload) > most_bytes:
        raise RequestTooLargeException(
            f"{len(payload)} byte payload is too large for the {invocation_type} invocation type "
            f"(limit {most_bytes} bytes)"
        )
    try:
        # Twice as fast as a UTF-8 check inside the JSON scan, which msgspec's Raw skips.
        if not payload.isascii():
            payload.decode()
        msgspec.json.decode(payload, type=msgspec.Raw)
    except UnicodeDecodeError as error:
        detail = f"Invalid UTF-8 byte 0x{payload[error.start]:02x} at position {error.start}"
    except msgspec.DecodeError as error:
        detail = str(error)
    except RecursionError:
        detail = "the document is nested too deeply"
    else:
        return
    raise InvalidRequestContentException(
        f"Could not parse request body into json: Could not parse payload into json: {detail}"
    )


def decode_client_context(header: str, quotas: Quotas) -> str:
    """
    Turn the ClientContext header into the JSON text that the runtime gets.

    Raises:
        InvalidRequestContentException: too long, not base64, or not a JSON object.
    """
    if len(header) > quotas.client_context_max_bytes:
        raise InvalidRequestContentException(
            f"Client context must be at most {quotas.client_context_max_bytes} bytes in base64"
        )
    try:
        text = base64.b64decode(header, validate=True).decode()
        value = msgspec.json.decode(text)
        # Through JSON once more: the runtime reads it from a header, which must be one line of ASCII. Writing takes a
        # little more of the stack than reading does.
        line = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise InvalidRequestContentException("Client context must be a JSON object in base64") from None
    if not isinstance(value, dict):
        raise InvalidRequestContentException("Client context must be a JSON object in base64")
    return line
