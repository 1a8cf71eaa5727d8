"""
The event that a function gets for an HTTP request: payload format 2.0. Pure.

Source: Lambda developer guide, function URLs, request payload.
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

    url_id: str
    domain_name: str
    request_id: str
    now: float
    """Seconds since the epoch."""


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
            cookies.extend(cookie for part in value.split(";") if (cookie := part.strip()))
        elif name in headers:
            repeated.setdefault(name, [headers[name]]).append(value)
        elif name not in _OF_THE_CONNECTION:
            headers[name] = value
    for name, values in repeated.items():
        headers[name] = ",".join(values)
    return headers, cookies


def encode_event(request: HttpRequest, addressed: Addressed) -> bytes:
    """
    Return the event as JSON.

    Observed: cookies, queryStringParameters and body are absent where there is nothing (sample; recorded 2025-11).
    """
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
    }
    if request.cookies:
        event["cookies"] = request.cookies
    event["headers"] = request.headers
    if request.query:
        event["queryStringParameters"] = _query_parameters(request.query)
    event["requestContext"] = {
        # Observed: of a URL that anybody may use (sample).
        "accountId": "anonymous",
        "apiId": addressed.url_id,
        "domainName": addressed.domain_name,
        "domainPrefix": addressed.url_id,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": addressed.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": _time(addressed.now),
        "timeEpoch": int(addressed.now * 1000),
    }
    text = _text(request.headers.get("content-type"), request.body)
    if request.body:
        event["body"] = base64.b64encode(request.body).decode() if text is None else text
    event["isBase64Encoded"] = text is None
    return _encode(event)


def _query_parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


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


def _time(now: float) -> str:
    at = datetime.fromtimestamp(now, UTC)
    return f"{at.day:02}/{_MONTHS[at.month - 1]}/{at.year}:{at.hour:02}:{at.minute:02}:{at.second:02} +0000"
