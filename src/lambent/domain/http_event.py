"""
The event that a function gets for an HTTP request: payload format 2.0, and 1.0 of API Gateway. Pure.

Source: Lambda developer guide, function URLs, request payload; API Gateway developer guide, AWS Lambda integrations for
HTTP APIs.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

_encode = msgspec.json.Encoder().encode

_OF_THE_CONNECTION = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say how a request travelled. Source: RFC 9110, section 7.6.1."""

_TEXT = re.compile(r"text/.*|application/(?:json|xml|javascript)|.*\+(?:json|xml)")
"""
Media types whose bodies are text. Documented: Lambda developer guide, function URLs. Assumed: no others; a form is in
base64, as users report (test_http_event).
"""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class HttpRequest(msgspec.Struct, frozen=True):
    """One HTTP request to a function."""

    method: str
    path: str
    """As sent, percent-encoded."""
    query: str
    """As sent, without the question mark."""
    protocol: str
    """For instance `HTTP/1.1`."""
    headers: Mapping[str, str]
    """See `joined_headers`."""
    cookies: Sequence[str]
    body: bytes
    source_ip: str


class Addressed(msgspec.Struct, frozen=True):
    """What was addressed, and when."""

    account_id: str
    """`anonymous` of a URL that anybody may use. Observed: (sample)."""
    api_id: str
    domain_name: str
    domain_prefix: str
    request_id: str
    now: float
    """Seconds since the epoch."""
    route_key: str = "$default"
    stage: str = "$default"
    path_parameters: Mapping[str, str] = {}
    stage_variables: Mapping[str, str] = {}
    authorizer: Mapping[str, Any] | None = None
    """`jwt` or `lambda` with what it said, or `iam` with who signed; None: nobody was asked."""


def joined_headers(pairs: Sequence[tuple[bytes, bytes]]) -> tuple[dict[str, str], list[str]]:
    """
    Return a request's headers as an event holds them, and its cookies, which are not among them.

    Args:
        pairs: names in lower case.

    Observed: values of a header that is sent twice are joined by a comma (recorded 2025-11).
    """
    headers: dict[str, str] = {}
    # Joined once, since a head may be full of one header; parameters are few.
    repeated: dict[str, list[str]] = {}
    cookies: list[str] = []
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "cookie":
            cookies.extend(cookies_of(value))
        elif name in headers:
            repeated.setdefault(name, [headers[name]]).append(value)
        elif name not in _OF_THE_CONNECTION:
            headers[name] = value
    for name, values in repeated.items():
        headers[name] = ",".join(values)
    return headers, cookies


def cookies_of(value: str) -> list[str]:
    """Return the cookies that the value of a Cookie header holds."""
    return [cookie for part in value.split(";") if (cookie := part.strip())]


def encode_event(request: HttpRequest, addressed: Addressed) -> bytes:
    """Return the event of payload format 2.0 as JSON."""
    event = request_event(request, addressed)
    text = _text(request.headers.get("content-type"), request.body)
    if request.body:
        event["body"] = base64.b64encode(request.body).decode() if text is None else text
    event["isBase64Encoded"] = text is None
    return _encode(event)


def request_event(request: HttpRequest, addressed: Addressed) -> dict[str, Any]:
    """
    Return what payload format 2.0 says of a request, but for its body.

    Observed: what has no value is absent (sample; recorded 2025-11).
    """
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": addressed.route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
    }
    if request.cookies:
        event["cookies"] = request.cookies
    event["headers"] = request.headers
    if request.query:
        event["queryStringParameters"] = _query_parameters(request.query)
    context: dict[str, Any] = {
        "accountId": addressed.account_id,
        "apiId": addressed.api_id,
        "domainName": addressed.domain_name,
        "domainPrefix": addressed.domain_prefix,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": addressed.request_id,
        "routeKey": addressed.route_key,
        "stage": addressed.stage,
        "time": clf_time(addressed.now),
        "timeEpoch": int(addressed.now * 1000),
    }
    if addressed.authorizer is not None:
        context["authorizer"] = addressed.authorizer
    event["requestContext"] = context
    if addressed.path_parameters:
        event["pathParameters"] = addressed.path_parameters
    if addressed.stage_variables:
        event["stageVariables"] = addressed.stage_variables
    return event


def encode_event_1(
    request: HttpRequest,
    addressed: Addressed,
    path: str,
    context_path: str,
    pairs: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """
    Return the event of payload format 1.0 as JSON.

    Args:
        path: without the stage.
        context_path: of `requestContext`.
        pairs: the headers as they were sent.
    """
    event = request_event_1(request, addressed, path, context_path, pairs)
    text = _text(request.headers.get("content-type"), request.body)
    event["body"] = (base64.b64encode(request.body).decode() if text is None else text) if request.body else None
    event["isBase64Encoded"] = bool(request.body) and text is None
    return _encode(event)


def request_event_1(
    request: HttpRequest,
    addressed: Addressed,
    path: str,
    context_path: str,
    pairs: Sequence[tuple[bytes, bytes]] = (),
) -> dict[str, Any]:
    """
    Return what payload format 1.0 says of a request, but for its body.

    Documented: what has no value is null; of a name that comes again the last value counts, and all are in a list.
    """
    headers = dict(request.headers)
    if request.cookies:
        headers["cookie"] = "; ".join(request.cookies)
    every_header = {name: [value] for name, value in headers.items()}
    for name, values in _repeated(pairs).items():
        # Not where a mapping has changed it.
        if ",".join(values) == headers.get(name):
            headers[name], every_header[name] = values[-1], values
    query = parse_qsl(request.query, keep_blank_values=True)
    every: dict[str, list[str]] = {}
    for name, value in query:
        every.setdefault(name, []).append(value)
    resource = addressed.route_key.partition(" ")[2] or addressed.route_key
    signed: Mapping[str, Any] = (addressed.authorizer or {}).get("iam") or {}
    return {
        "version": "1.0",
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": every_header,
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": every or None,
        "requestContext": {
            "accountId": addressed.account_id,
            "apiId": addressed.api_id,
            "authorizer": _authorizer_1(addressed.authorizer),
            "domainName": addressed.domain_name,
            "domainPrefix": addressed.domain_prefix,
            "extendedRequestId": addressed.request_id,
            "httpMethod": request.method,
            "identity": {
                "accessKey": signed.get("accessKey"),
                "accountId": signed.get("accountId"),
                "caller": signed.get("callerId"),
                "cognitoAmr": None,
                "cognitoAuthenticationProvider": None,
                "cognitoAuthenticationType": None,
                "cognitoIdentityId": None,
                "cognitoIdentityPoolId": None,
                "principalOrgId": None,
                "sourceIp": request.source_ip,
                "user": signed.get("userId"),
                "userAgent": request.headers.get("user-agent", ""),
                "userArn": signed.get("userArn"),
            },
            "path": context_path,
            "protocol": request.protocol,
            "requestId": addressed.request_id,
            "requestTime": clf_time(addressed.now),
            "requestTimeEpoch": int(addressed.now * 1000),
            "resourceId": None,
            "resourcePath": resource,
            "stage": addressed.stage,
        },
        "pathParameters": addressed.path_parameters or None,
        "stageVariables": addressed.stage_variables or None,
    }


def _repeated(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    if len({name for name, _ in pairs}) == len(pairs):
        return {}
    # In one pass: a head may be full of short names, each of them twice.
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        if name != b"cookie":
            values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return {name: several for name, several in values.items() if len(several) > 1}


def _authorizer_1(said: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if said is None or "iam" in said:
        # Documented: who signed stands in `identity`.
        return {"claims": None, "scopes": None}
    if "jwt" in said:
        return dict(said["jwt"])
    # Documented: what a function returned as its context stands here by itself.
    return dict(said.get("lambda") or {})


def _query_parameters(query: str) -> dict[str, str]:
    parameters: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in parameters.items()}


def _text(content_type: str | None, body: bytes) -> str | None:
    """Return a body that an event holds as text; None: it goes in base64."""
    if content_type is None:
        # Assumed: no published example (test_http_event).
        return body.decode() if body.isascii() else None
    if _TEXT.fullmatch(content_type.partition(";")[0].strip().lower()) is None:
        return None if body else ""
    try:
        return body.decode()
    except UnicodeDecodeError:
        # Assumed: what JSON cannot hold has to go so, for instance a compressed text (test_http_event).
        return None


def clf_time(now: float) -> str:
    """Return a moment as access logs have it."""
    at = datetime.fromtimestamp(now, UTC)
    return f"{at.day:02}/{_MONTHS[at.month - 1]}/{at.year}:{at.hour:02}:{at.minute:02}:{at.second:02} +0000"
