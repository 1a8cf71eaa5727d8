"""Invoke: what is refused before anything runs, and how an outcome becomes an answer."""

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Caller, Scope
from lambent.domain.function import LATEST, Code, Configuration, FunctionName, FunctionVersion, State
from lambent.domain.invocation import FunctionError, Invocation, InvocationOutcome, StreamEnd
from lambent.domain.principal import root_of
from lambent.domain.quotas import Quotas
from lambent.domain.traced import Accepted
from lambent.errors.families import ApiError, DependencyError
from lambent.execution.streamed_response import StreamedResponse
from lambent.fleet.contract import Throttled
from lambent.protocol.wire import OutputWithHeaders
from lambent.services.lambda_.invoke import Invoke, ResponseEvents, check_payload, decode_client_context
from lambent.store.contract import QueueFull
from lambent.testing.traces import LeftTraces
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def refusal(call: Callable[..., Any], *arguments: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        call(*arguments)
    return refused.value


# Payloads ------------------------------------------------------------------------------------------------------------


@given(JSON)
def test_any_json_value_passes(value: Any) -> None:
    """Not only objects; in ASCII or in UTF-8."""
    check_payload(json.dumps(value).encode(), 1_000_000)
    check_payload(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), 1_000_000)


@pytest.mark.parametrize(
    "payload", [b" ", b"{", b"nonsense", b"'a'", b"{} {}", b"[1,]", b"NaN", b"\xef\xbb\xbf{}", b'{"a": undefined}']
)
def test_what_is_no_json_is_refused(payload: bytes) -> None:
    """The text begins as AWS's does; the rest is the parser's own."""
    error = refusal(check_payload, payload, 1000)
    assert (error.code, error.status) == ("InvalidRequestContentException", 400)
    assert error.message.startswith("Could not parse request body into json: Could not parse payload into json: ")


@pytest.mark.parametrize("payload", [b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"'])
def test_what_is_no_utf_8_is_refused(payload: bytes) -> None:
    """A runtime that decodes the event must not be the first to find out."""
    assert "Invalid UTF-8 byte" in refusal(check_payload, payload, 1000).message


def test_a_payload_at_the_limit_passes_and_one_byte_more_does_not() -> None:
    """The refusal names both sizes."""
    payload = b'"' + b"x" * 98 + b'"'
    check_payload(payload, 100)
    error = refusal(check_payload, payload, 99)
    assert (error.code, error.status) == ("RequestTooLargeException", 413)
    assert error.message == ("100 byte payload is too large for the RequestResponse invocation type (limit 99 bytes)")


@pytest.mark.parametrize("depth", [10, 1_000, 3_000_000])
def test_deep_nesting_is_an_ordinary_payload_or_an_ordinary_refusal(depth: int) -> None:
    """A bomb of brackets neither crashes nor hangs."""
    try:
        check_payload(b"[" * depth + b"]" * depth, 10_000_000)
    except ApiError as error:
        assert error.code == "InvalidRequestContentException"
        assert depth > 10


# Client context ------------------------------------------------------------------------------------------------------


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@given(st.dictionaries(st.text(max_size=20), JSON, max_size=3))
def test_a_context_arrives_as_it_was_meant(context: dict[str, Any]) -> None:
    """One line of ASCII, since the runtime reads it from a header, and the same JSON."""
    header = encoded(json.dumps(context))
    if len(header) > Quotas().client_context_max_bytes:
        return
    text = decode_client_context(header, Quotas())
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text) == context


@pytest.mark.parametrize(
    "header",
    [
        "not base64!",
        "e30",
        encoded("nonsense"),
        encoded("[]"),
        encoded('"text"'),
        encoded("null"),
        encoded(b"\xff\xfe"),
        encoded("[" * 2500),
        encoded('{"a":' + "[" * 1200 + "]" * 1200 + "}"),
    ],
    ids=lambda header: header[:12],
)
def test_anything_but_an_object_is_refused(header: str) -> None:
    """Broken base64, broken JSON, another JSON value, and nesting without end."""
    error = refusal(decode_client_context, header, Quotas())
    assert (error.code, error.message) == (
        "InvalidRequestContentException",
        "Client context must be a JSON object in base64",
    )


def test_a_context_is_bounded() -> None:
    """3,583 bytes of base64."""
    error = refusal(decode_client_context, "A" * 3584, Quotas())
    assert error.message == "Client context must be at most 3583 bytes in base64"


# The operation -------------------------------------------------------------------------------------------------------

ACTIVE = FunctionVersion(
    scope=SCOPE,
    name=FunctionName("f"),
    version=LATEST,
    function_id="id",
    configuration=Configuration("python3.11", "app.handler", "role"),
    code=Code("0" * 64, 1),
    revision_id="r",
    last_modified=0.0,
    state=State.ACTIVE,
)


class FakeDispatcher:
    """Knows one function; answers or raises as told, and keeps what it was given."""

    def __init__(self, version: FunctionVersion | None, result: InvocationOutcome | BaseException) -> None:
        self.version = version
        self.result = result
        self.ran: list[Invocation] = []
        self.traces = LeftTraces(VirtualClock())

    async def may_recurse(self, scope: Scope, name: FunctionName) -> bool:
        return self.version is not None and self.version.name == "again"

    async def resolve(self, scope: Scope, name: FunctionName, qualifier: str | None) -> FunctionVersion | None:
        return self.version

    async def run(self, version: FunctionVersion, invocation: Invocation) -> InvocationOutcome:
        self.ran.append(invocation)
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


class FakeEvents:
    """Takes events, or refuses them as told; keeps what it was given."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal
        self.accepted: list[dict[str, Any]] = []
        self.yields = 0

    async def accept(self, version: FunctionVersion, **event: Any) -> str:
        if self.refusal is not None:
            raise self.refusal
        self.accepted.append(event)
        return "Root=1-a-b;Parent=c;Sampled=1;Lineage=d:1"

    def yield_to_callers(self, scope: Scope, name: FunctionName, reason: str) -> None:
        self.yields += 1


OUTCOME = InvocationOutcome(payload=b'"hi"', executed_version=LATEST)


def call(
    version: FunctionVersion | None = ACTIVE,
    result: InvocationOutcome | Exception = OUTCOME,
    events: FakeEvents | None = None,
    trace_header: str = "Root=1-a-b;Sampled=1",
    **request: Any,
) -> tuple[Mapping[str, Any], list[Invocation]]:
    dispatcher = FakeDispatcher(version, result)
    caller = Caller(SCOPE, root_of("000000000000"), "none", "request-1", "http://127.0.0.1:4566", trace_header)
    invoke = Invoke(dispatcher, events or FakeEvents(), Quotas(), VirtualClock())  # type: ignore[arg-type]
    return asyncio.run(invoke.invoke(caller, {"FunctionName": "f", **request})), dispatcher.ran  # type: ignore[typeddict-item]


def test_an_invocation_carries_what_the_caller_sent() -> None:
    """The request's id is the invocation's; the payload goes through untouched; the trace goes on."""
    answer, (invocation,) = call(Payload=b' {"a" : 1} ', LogType="Tail", ClientContext=encoded("{}"), Qualifier="1")
    assert answer == {"StatusCode": 200, "ExecutedVersion": LATEST, "Payload": b'"hi"'}
    assert invocation.request_id == "request-1"
    assert invocation.payload == b' {"a" : 1} '
    assert invocation.invoked_arn == "arn:aws:lambda:us-east-1:000000000000:function:f:1"
    assert (invocation.client_context, invocation.wants_tail) == ("{}", True)
    assert invocation.trace_header.startswith("Root=1-a-b;Parent=")
    assert ";Sampled=1;Lineage=" in invocation.trace_header


def told(answer: Mapping[str, Any]) -> str:
    """Return the trace header of an answer."""
    assert isinstance(answer, OutputWithHeaders)
    ((name, value),) = answer.headers
    assert name == b"x-amzn-trace-id"
    return value.decode()


def test_an_answer_names_its_trace() -> None:
    """As the function sees it, or the event goes on with it, without the functions that its chain has passed."""
    answer, (invocation,) = call()
    assert told(answer) == invocation.trace_header.partition(";Lineage=")[0]
    assert told(answer).startswith("Root=1-a-b;Parent=")
    assert told(call(InvocationType="Event")[0]) == "Root=1-a-b;Parent=c;Sampled=1"
    assert re.fullmatch(r"Root=1-a-b;Parent=[0-9a-f]{16};Sampled=1", told(call(InvocationType="DryRun")[0]))


def test_no_payload_is_an_empty_event() -> None:
    """The runtime gets an object."""
    assert [call(**request)[1][0].payload for request in ({}, {"Payload": b""})] == [b"{}", b"{}"]


def test_a_functions_failure_is_an_answer() -> None:
    """Status 200, FunctionError, and the log's tail in base64 where it was asked for."""
    outcome = InvocationOutcome(b"{}", "3", error=FunctionError(error_type="E"), log_tail=b"REPORT")
    answer, _ = call(result=outcome)
    assert answer["FunctionError"] == "Unhandled"
    assert (answer["ExecutedVersion"], answer["LogResult"]) == ("3", encoded("REPORT"))


def test_dry_run_runs_nothing() -> None:
    """204 once the function is there."""
    assert call(InvocationType="DryRun") == ({"StatusCode": 204}, [])


def test_a_missing_function_is_named_with_its_qualifier() -> None:
    """Unlike elsewhere, $LATEST is spelled out."""
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert refusal(lambda: call(None)).message == f"Function not found: {arn}:$LATEST"
    assert refusal(lambda: call(None, Qualifier="7")).message == f"Function not found: {arn}:7"
    assert refusal(lambda: call(None, InvocationType="DryRun")).code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("version", "ending"),
    [
        (msgspec.structs.replace(ACTIVE, state=State.PENDING), "state: Pending"),
        (msgspec.structs.replace(ACTIVE, state=State.FAILED, state_reason="no python"), "state: Failed (no python)"),
    ],
)
def test_only_active_functions_run(version: FunctionVersion, ending: str) -> None:
    """409 with the state, and why where it failed."""
    error = refusal(lambda: call(version))
    assert (error.code, error.status) == ("ResourceConflictException", 409)
    assert error.message.endswith(ending)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"InvocationType": "Event", "Payload": b"{"}, "InvalidRequestContentException"),
        ({"InvocationType": "Event", "ClientContext": "?"}, "InvalidRequestContentException"),
        ({"InvocationType": "Event", "TenantId": "t"}, "InvalidParameterValueException"),
        ({"TenantId": "t"}, "InvalidParameterValueException"),
        ({"DurableExecutionName": "d"}, "InvalidParameterValueException"),
        ({"Payload": b"{"}, "InvalidRequestContentException"),
        ({"ClientContext": "?"}, "InvalidRequestContentException"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused(request_: dict[str, Any], code: str) -> None:
    """Before anything runs or is queued."""
    assert refusal(lambda: call(**request_)).code == code


def test_a_full_machine_throttles() -> None:
    """429 with AWS's reason, and when to come again."""
    events = FakeEvents()
    error = refusal(lambda: call(result=Throttled("ConcurrentInvocationLimitExceeded"), events=events))
    assert (error.code, error.status) == ("TooManyRequestsException", 429)
    assert error.fields["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert error.fields["retryAfterSeconds"] == "1"
    # Asynchronous invocations make room.
    assert events.yields == 1


def test_a_failure_of_the_machine_is_a_service_exception() -> None:
    """Retryable, and not the function's."""
    error = refusal(lambda: call(result=DependencyError("no room", retryable=True)))
    assert (error.code, error.status, error.message) == ("ServiceException", 500, "no room")


# Traces --------------------------------------------------------------------------------------------------------------

SAMPLED = f"Root=1-654c0557-{'a' * 24};Parent={'c' * 16};Sampled=1"


@pytest.mark.parametrize(
    ("result", "status", "has_failed"),
    [
        (OUTCOME, 200, False),
        (InvocationOutcome(b"{}", "1", error=FunctionError(error_type="E")), 200, True),
        (Throttled("ConcurrentInvocationLimitExceeded"), 429, False),
        (DependencyError("no room", retryable=True), 500, False),
        (asyncio.CancelledError(), 499, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_sampled_call_leaves_how_the_service_saw_it(result: Any, status: int, has_failed: bool) -> None:
    """Whatever became of it; the function's own segment is below that one."""
    dispatcher = FakeDispatcher(ACTIVE, result)
    caller = Caller(SCOPE, root_of("000000000000"), "none", "request-1", "http://127.0.0.1:4566", SAMPLED)
    invoke = Invoke(dispatcher, FakeEvents(), Quotas(), VirtualClock())  # type: ignore[arg-type]
    with contextlib.suppress(ApiError, asyncio.CancelledError):
        asyncio.run(invoke.invoke(caller, {"FunctionName": "f"}))
    (accepted,) = dispatcher.traces.left
    assert isinstance(accepted, Accepted)
    assert (accepted.status, accepted.has_failed, accepted.request_id) == (status, has_failed, "request-1")
    tracing = dispatcher.ran[0].tracing
    assert tracing is not None
    assert (accepted.trace_id, accepted.id, accepted.parent_id) == (tracing.trace_id, tracing.parent_id, "c" * 16)


def test_a_call_that_is_not_sampled_leaves_nothing() -> None:
    """As nearly all are."""
    dispatcher = FakeDispatcher(ACTIVE, OUTCOME)
    caller = Caller(SCOPE, root_of("000000000000"), "none", "request-1", "http://127.0.0.1:4566", None)
    asyncio.run(Invoke(dispatcher, FakeEvents(), Quotas(), VirtualClock()).invoke(caller, {"FunctionName": "f"}))  # type: ignore[arg-type]
    assert (dispatcher.traces.left, dispatcher.ran[0].tracing) == ([], None)


# Events --------------------------------------------------------------------------------------------------------------


def test_an_event_is_queued_and_not_run() -> None:
    """202; the queue gets the request's id, the qualifier as it was invoked, the tenant, and the trace to go on."""
    events = FakeEvents()
    answer, ran = call(
        events=events, InvocationType="Event", Payload=b" [1]", Qualifier="1", ClientContext=encoded("{}")
    )
    assert (answer, ran) == ({"StatusCode": 202}, [])
    (accepted,) = events.accepted
    assert accepted.pop("trace_header") == "Root=1-a-b;Sampled=1"
    assert accepted == {"request_id": "request-1", "qualifier": "1", "payload": b" [1]", "tenant": None}


def test_a_full_queue_throttles() -> None:
    """429 with a reason of the API's, and a message that says what is full; a broken disk is a ServiceException."""
    error = refusal(lambda: call(events=FakeEvents(QueueFull()), InvocationType="Event"))
    assert (error.code, error.status) == ("TooManyRequestsException", 429)
    assert error.fields["Reason"] == "FunctionInvocationRateLimitExceeded"
    assert "too many events wait" in error.message
    broken = FakeEvents(DependencyError("the disk is full", retryable=True))
    assert refusal(lambda: call(events=broken, InvocationType="Event")).code == "ServiceException"


def test_a_chain_without_end_is_stopped() -> None:
    """The 17th pass is refused, and not run; where recursion is allowed, it is."""
    header = "Root=1-a-b"
    for _ in range(16):
        _, (invocation,) = call(trace_header=header)
        header = invocation.trace_header
    error = refusal(lambda: call(trace_header=header))
    assert (error.code, error.status) == ("RecursiveInvocationException", 400)
    # An event is accepted: what becomes of it is decided when it would run.
    assert call(trace_header=header, InvocationType="Event")[0] == {"StatusCode": 202}
    allowed = msgspec.structs.replace(ACTIVE, name=FunctionName("again"))
    assert call(allowed, trace_header=header)[0]["StatusCode"] == 200


# A response as events ------------------------------------------------------------------------------------------------


class Connection:
    """A runtime's connection that nobody looks at."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


def events_of(outcome: InvocationOutcome) -> list[Mapping[str, Any]]:
    async def read() -> list[Mapping[str, Any]]:
        return [event async for event in ResponseEvents(outcome)]

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("outcome", "pieces", "completion"),
    [
        (InvocationOutcome(b"null", LATEST), [b"null"], {}),
        (InvocationOutcome(b"", LATEST, log_tail=b"REPORT"), [], {"LogResult": encoded("REPORT")}),
        (
            InvocationOutcome(b'{"errorType":"E"}', LATEST, error=FunctionError()),
            [],
            {"ErrorCode": "Unhandled", "ErrorDetails": '{"errorType":"E"}'},
        ),
        (
            InvocationOutcome(b"\xff", LATEST, error=FunctionError(), log_tail=b""),
            [],
            {"ErrorCode": "Unhandled", "ErrorDetails": "\ufffd", "LogResult": ""},
        ),
    ],
)
def test_a_response_that_is_whole_is_one_piece(
    outcome: InvocationOutcome, pieces: list[bytes], completion: dict[str, str]
) -> None:
    """None if it is empty or an error; the end tells of the error and of the log."""
    told = [{"PayloadChunk": {"Payload": piece}} for piece in pieces]
    assert events_of(outcome) == [*told, {"InvokeComplete": completion}]


@pytest.mark.parametrize(
    ("payload", "is_whole"),
    [(b'{"errorMessage":"%b"}' % (b"x" * 6_000_000), True), (b"\x01" * 6_291_556, False), (b"\xff" * 6_291_556, False)],
    ids=["json", "controls", "no-utf-8"],
)
def test_an_error_fits_into_one_frame(payload: bytes, is_whole: bool) -> None:
    """SDKs refuse a frame with more than 16 MiB, and with it all that was streamed before."""
    (event,) = events_of(InvocationOutcome(payload, LATEST, error=FunctionError(), log_tail=bytes(4096)))
    size_bytes = len(msgspec.json.encode(event["InvokeComplete"]))
    assert size_bytes < 16 * 1024 * 1024
    details, text = event["InvokeComplete"]["ErrorDetails"], payload.decode(errors="replace")
    assert len(details) > 2_000_000
    assert text.startswith(details)
    assert (len(details) == len(text)) is is_whole


def test_a_streamed_response_is_its_pieces_and_how_it_ended() -> None:
    """The request for the end waits for it."""

    async def story() -> None:
        stream = StreamedResponse(Connection())
        events = ResponseEvents(InvocationOutcome(b"", LATEST, stream=stream))
        stream.write(b"a")
        assert await anext(events) == {"PayloadChunk": {"Payload": [b"a"]}}
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        assert not waiting.done()
        stream.finish(StreamEnd(FunctionError("Unhandled"), b"{}", b"tail"))
        completion = {"ErrorCode": "Unhandled", "ErrorDetails": "{}", "LogResult": encoded("tail")}
        assert await waiting == {"InvokeComplete": completion}
        assert await anext(events, None) is None

    asyncio.run(story())


def test_events_that_nobody_takes_close_the_stream() -> None:
    """Before the first or after some: the function goes on without a reader."""

    async def story() -> None:
        stream = StreamedResponse(Connection())
        stream.write(b"a")
        events = ResponseEvents(InvocationOutcome(b"", LATEST, stream=stream))
        await events.aclose()
        assert await anext(events, None) is None
        assert await anext(stream, None) is None
        await ResponseEvents(OUTCOME).aclose()

    asyncio.run(story())
