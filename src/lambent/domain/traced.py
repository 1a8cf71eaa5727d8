"""
What sampled invocations leave, as plain tuples, and the X-Ray segments that they become. Pure.

A tuple is made on the way of an invocation, and only of a sampled one; the rest is done later, by whoever has time.

Source: X-Ray developer guide, segment documents; Lambda developer guide, X-Ray; published traces of the service.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from lambent.domain.arn import function_arn, log_group_arn
from lambent.domain.caller import Scope

CAUSE_MAX_BYTES: Final = 16 * 1024
"""
Of what a runtime says of an error. Assumed: a document may have 64 KB, and holds it twice (test_traced).
"""

_EXCEPTIONS_MAX: Final = 20
_FRAMES_MAX: Final = 100
_TEXT_MAX: Final = 1024
"""Of one message, path or label, and of a URL. Assumed."""

_NAME_MAX: Final = 200
_NOT_IN_NAMES: Final = re.compile(r"[^\w\s.:/%&#=+\-@]")
"""Documented: X-Ray developer guide, segment documents, name."""

LINKS_MAX: Final = 20
"""Of one segment. Documented: X-Ray developer guide, tracing linked messages."""

Document = dict[str, Any]


class Link(NamedTuple):
    """A segment of another trace."""

    trace_id: str
    segment_id: str


class Tracing(NamedTuple):
    """The ids under which a sampled invocation that is under way will be written down."""

    trace_id: str
    caller_id: str
    """What the service's segment is below; empty where the caller named nothing."""
    service_id: str
    """Of the Lambda service's segment."""
    parent_id: str
    """What the function's segment is below: the service's, or an attempt in it."""
    id: str
    """Of the function's segment."""
    invocation_id: str
    """Of the subsegment that the function sees as its parent."""
    began: float
    """When the request was accepted, in seconds since the epoch."""


class HttpCall(NamedTuple):
    """The request that a client sent, where it came by HTTP."""

    method: str
    url: str
    user_agent: str
    client_ip: str


class Attempt(NamedTuple):
    """One run of an asynchronous event."""

    id: str
    began: float
    ended: float
    is_fault: bool


class Accepted(NamedTuple):
    """What the Lambda service did with one request. Times are seconds since the epoch."""

    scope: Scope
    name: str
    trace_id: str
    id: str
    parent_id: str
    """Empty without one."""
    request_id: str
    began: float
    ended: float
    status: int
    """Of the answer."""
    has_failed: bool = False
    """Whether the function did, which its answer's status does not tell."""
    is_open: bool = False
    """Whether an asynchronous event will run again: what is written now is replaced then."""
    attempts: Sequence[Attempt] = ()
    """Of an asynchronous event."""
    links: Sequence[Link] = ()
    """To the producers of the messages that it was invoked with."""
    http: HttpCall | None = None


class Failure(NamedTuple):
    """Why a function failed, as far as anybody said."""

    error_type: str
    message: str
    cause: str = ""
    """JSON, as the runtime posted it for this."""


class Ran(NamedTuple):
    """What a function did with one event. Times are seconds since the epoch."""

    scope: Scope
    name: str
    log_group: str
    trace_id: str
    id: str
    parent_id: str
    invocation_id: str
    """Of the subsegment that the function itself sees as its parent."""
    began: float
    answered: float
    """When the runtime was done with it."""
    ended: float
    """When the environment was."""
    init: tuple[float, float] | None = None
    restore: tuple[float, float] | None = None
    failure: Failure | None = None


class StageTracing(NamedTuple):
    """The ids under which a sampled request to a stage of an HTTP API that is under way will be written down."""

    trace_id: str
    parent_id: str
    """Empty where the caller named nothing."""
    id: str
    call_id: str
    """Of the subsegment for the call of the function, which is what the function's own segments are below."""


class Entered(NamedTuple):
    """What a stage of an HTTP API did with one request."""

    scope: Scope
    api_id: str
    api_name: str
    stage: str
    trace_id: str
    id: str
    parent_id: str
    request_id: str
    call_id: str
    """Of the subsegment for the call of the function; empty where there was none."""
    began: float
    called: tuple[float, float] | None
    """When the function was called, and had answered."""
    ended: float
    status: int
    http: HttpCall


class Linked(NamedTuple):
    """That a segment's message was consumed by another trace."""

    scope: Scope
    trace_id: str
    """Of the producer."""
    id: str
    """Its segment or subsegment that sent the message."""
    to: Link
    """The consumer's."""
    name: str
    """The consumer's."""
    at: float
    """When the message was handed to it."""


Traced = Accepted | Ran | Entered


def documents_of(traced: Traced) -> list[Document]:
    """Return the segments that a tuple stands for."""
    if isinstance(traced, Accepted):
        return [_service_segment(traced)]
    if isinstance(traced, Ran):
        return [_function_segment(traced)]
    return [_stage_segment(traced)]


def subsegment_id(segment_id: str, name: str) -> str:
    """Return the id of a subsegment that only its segment knows of: the same, however often it is made."""
    return hashlib.sha256(f"{segment_id}/{name}".encode()).hexdigest()[:16]


def _service_segment(one: Accepted) -> Document:
    # Observed: milliseconds here, microseconds in the function's segment (published traces).
    document: Document = {
        "id": one.id,
        "name": one.name,
        "start_time": _earlier(one.began),
        "trace_id": one.trace_id,
        "http": _http(one.http, one.status),
        "aws": {"request_id": one.request_id},
        "origin": "AWS::Lambda",
        "resource_arn": function_arn(one.scope, one.name),
    }
    if one.parent_id:
        document["parent_id"] = one.parent_id
    document.update({"in_progress": True} if one.is_open else {"end_time": _later(one.ended)})
    # Assumed: which flags a failed function sets here is nowhere published. Filters and summaries read the root, so
    # that it says what went wrong (test_traced).
    if one.has_failed:
        document["fault"] = True
    document.update(_flags(one.status))
    if one.attempts:
        document["subsegments"] = _attempts(one)
    if one.links:
        document["links"] = [
            {
                "trace_id": link.trace_id,
                "id": link.segment_id,
                "attributes": {"aws.xray.reserved.reference_type": "parent"},
            }
            for link in one.links[:LINKS_MAX]
        ]
    return document


def _attempts(one: Accepted) -> list[Document]:
    """Observed: older traces of asynchronous invocations: how long it waited, and each attempt."""
    dwell = {
        "id": subsegment_id(one.id, "Dwell Time"),
        "name": "Dwell Time",
        "start_time": _earlier(one.began),
        "end_time": _earlier(one.attempts[0].began),
    }
    attempts = [
        {
            "id": attempt.id,
            "name": f"Attempt #{number}",
            "start_time": _earlier(attempt.began),
            "end_time": _later(attempt.ended),
            **({"fault": True} if attempt.is_fault else {}),
        }
        for number, attempt in enumerate(one.attempts, 1)
    ]
    return [dwell, *attempts]


def _function_segment(one: Ran) -> Document:
    arn = function_arn(one.scope, one.name)
    fault: Document = {}
    if one.failure is not None:
        fault = {"fault": True, "cause": cause_of(one.failure, one.invocation_id)}

    def part(segment_id: str, name: str, began: float, ended: float, **more: Any) -> Document:
        times = {"start_time": round(began, 6), "end_time": round(ended, 6)}
        return {"id": segment_id, "name": name, **times, "aws": {"function_arn": arn}, **more}

    parts = []
    for name, times in (("Initialization", one.init), ("Restore", one.restore)):
        if times is not None:
            parts.append(part(subsegment_id(one.id, name), name, *times))
    parts.append(part(one.invocation_id, "Invocation", one.began, one.answered, **fault))
    parts.append(part(subsegment_id(one.id, "Overhead"), "Overhead", one.answered, one.ended))
    return {
        "id": one.id,
        "name": one.name,
        "start_time": round(one.began, 6),
        "end_time": round(one.ended, 6),
        "parent_id": one.parent_id,
        "trace_id": one.trace_id,
        "aws": {
            "account_id": one.scope.account,
            "function_arn": arn,
            "cloudwatch_logs": [{"log_group": one.log_group, "arn": log_group_arn(one.scope, one.log_group)}],
            "resource_names": [one.name],
        },
        "origin": "AWS::Lambda::Function",
        "resource_arn": arn,
        **fault,
        "subsegments": parts,
    }


def _stage_segment(one: Entered) -> Document:
    """
    Observed: published traces of REST APIs. Assumed: AWS's own HTTP APIs are not traced; ours are where the caller's
    header says so, and look like these (test_traced).
    """
    document: Document = {
        "id": one.id,
        "name": segment_name(f"{one.api_name}/{one.stage}"),
        "start_time": _earlier(one.began),
        "end_time": _later(one.ended),
        "trace_id": one.trace_id,
        "origin": "AWS::ApiGateway::Stage",
        "resource_arn": f"arn:aws:apigateway:{one.scope.region}::/apis/{one.api_id}/stages/{one.stage}",
        "http": _http(one.http, one.status),
        "aws": {
            "api_gateway": {
                "account_id": one.scope.account,
                "rest_api_id": one.api_id,
                "stage": one.stage,
                "request_id": one.request_id,
            }
        },
        "annotations": {"aws:api_id": one.api_id, "aws:api_stage": one.stage},
        "metadata": {"default": {"request_id": one.request_id, "extended_request_id": one.request_id}},
        **_flags(one.status),
    }
    if one.parent_id:
        document["parent_id"] = one.parent_id
    if one.called is not None:
        document["subsegments"] = [
            {
                "id": one.call_id,
                "name": "Lambda",
                "start_time": _earlier(one.called[0]),
                "end_time": _later(one.called[1]),
                "namespace": "aws",
            }
        ]
    return document


def link_of(linked: Linked) -> Document:
    """
    Return the link by which a producer's segment leads to a consumer's.

    Observed: published traces (SQS). Assumed: both times are when the message was handed over (test_traced).
    """
    return {
        "trace_id": linked.to.trace_id,
        "id": linked.to.segment_id,
        "attributes": {
            "aws.xray.reserved.reference_type": "child",
            "aws.xray.reserved.type": "AWS::Lambda",
            "aws.xray.reserved.names": [linked.name],
            "aws.xray.reserved.received_event_end_time": round(linked.at, 3),
            "aws.xray.reserved.dwell_end_time": round(linked.at, 3),
        },
    }


def segment_name(text: str) -> str:
    """Return a text as the name of a segment, which not every character may be in."""
    return _NOT_IN_NAMES.sub("_", text)[:_NAME_MAX]


def _http(call: HttpCall | None, status: int) -> Document:
    http: Document = {}
    if call is not None:
        request = {
            "method": call.method,
            "url": call.url[:_TEXT_MAX],
            "user_agent": call.user_agent[:_TEXT_MAX],
            "client_ip": call.client_ip,
        }
        http["request"] = {name: value for name, value in request.items() if value}
    return {**http, "response": {"status": status}}


def _earlier(at: float) -> float:
    """Return the millisecond in which a time lies: what is below in microseconds began no sooner."""
    return round(at * 1e6) // 1000 / 1000


def _later(at: float) -> float:
    """Return the millisecond at or behind a time: what is below in microseconds has ended by then."""
    return -(-round(at * 1e6) // 1000) / 1000


def _flags(status: int) -> Document:
    """Documented: X-Ray developer guide, errors: 4xx is an error, 429 a throttle as well, 5xx a fault."""
    if status >= 500:
        return {"fault": True}
    if status == 429:
        return {"error": True, "throttle": True}
    return {"error": True} if status >= 400 else {}


def cause_of(failure: Failure, invocation_id: str) -> Document:
    """
    Return what a segment says of why its function failed: what the runtime posted, else type and message.

    Of the runtime's only what X-Ray knows is kept: it is whatever the function made of it.
    """
    said = _cause_said(failure.cause, invocation_id)
    if said is not None:
        return said
    exception = {
        "id": subsegment_id(invocation_id, "exception 0"),
        "type": failure.error_type[:_TEXT_MAX],
        "message": failure.message[:_TEXT_MAX],
    }
    return {"exceptions": [{name: value for name, value in exception.items() if value}]}


def _cause_said(text: str, invocation_id: str) -> Document | None:
    if not text or len(text) > CAUSE_MAX_BYTES:
        return None
    try:
        said = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("exceptions"), list):
        return None
    exceptions = [
        {"id": subsegment_id(invocation_id, f"exception {number}"), **_texts(one, "type", "message"), **_stack(one)}
        for number, one in enumerate(said["exceptions"][:_EXCEPTIONS_MAX])
        if isinstance(one, dict)
    ]
    cause: Document = {**_texts(said, "working_directory"), "exceptions": exceptions}
    if isinstance(said.get("paths"), list):
        cause["paths"] = [path[:_TEXT_MAX] for path in said["paths"][:_FRAMES_MAX] if isinstance(path, str)]
    return cause


def _stack(exception: Mapping[str, Any]) -> Document:
    stack = exception.get("stack")
    if not isinstance(stack, list):
        return {}
    frames = []
    for frame in stack[:_FRAMES_MAX]:
        if isinstance(frame, dict):
            line = frame.get("line")
            has_line = isinstance(line, int) and not isinstance(line, bool)
            frames.append({**_texts(frame, "path", "label"), **({"line": line} if has_line else {})})
    return {"stack": frames}


def _texts(said: Mapping[str, Any], *names: str) -> Document:
    return {name: said[name][:_TEXT_MAX] for name in names if isinstance(said.get(name), str)}
