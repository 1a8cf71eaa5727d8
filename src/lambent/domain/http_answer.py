"""
The HTTP response that follows from what a function returns: payload format 2.0, the prelude of streams, and format 1.0
of API Gateway. Pure.

Source: Lambda developer guide, function URLs, response payload and response streaming; API Gateway developer guide, AWS
Lambda integrations for HTTP APIs.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lambent.domain.cors import HttpHeaders

PRELUDE_TYPE: Final = "application/vnd.awslambda.http-integration-response"
"""The content type of a runtime's response that begins with a prelude: JSON, then `PRELUDE_END`."""

PRELUDE_END: Final = b"\0" * 8

PRELUDE_MAX_BYTES: Final = 1_048_576
"""Assumed: many times what clients take as the head of a response (test_http_answer)."""

JSON_TYPE: Final = b"application/json"

TEXT_TYPE: Final = b"text/plain; charset=utf-8"
"""
What HTTP APIs say of a response that names no type, in both formats. Observed: measured against the live service
(aws/aws-lambda-dotnet, ApiGatewayResponseTestCases.cs, V2_DefaultsToTextPlainContentType).
"""

_JSON = (b"content-type", JSON_TYPE)

_OWN = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-amzn-requestid",
        "x-amzn-trace-id",
    }
)
"""
Headers that are the front door's: a function's own come back renamed. Observed: API Gateway, for the first ones
(recorded). Assumed: so do function URLs, and with all that would say how the connection is used (test_http_answer).
"""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Source: RFC 9110, sections 5.1 and 5.5. A line end in a value would begin a header that nobody set."""


class MalformedAnswer(Exception):
    """What a function returned is no response. Its client gets 502."""


class HttpAnswer(msgspec.Struct, frozen=True):
    """A response to send."""

    status: int
    headers: HttpHeaders
    """Without any that says how long the body is."""
    body: bytes = b""

    @property
    def has_body(self) -> bool:
        """Whether the status lets a body follow. Source: RFC 9110, section 6.4.1."""
        return self.status not in (204, 304)


class _Returned(msgspec.Struct):
    """An object that a function returned, as far as it is a response."""

    statusCode: msgspec.Raw = msgspec.Raw()
    headers: msgspec.Raw = msgspec.Raw()
    cookies: msgspec.Raw = msgspec.Raw()
    multiValueHeaders: msgspec.Raw = msgspec.Raw()
    body: msgspec.Raw = msgspec.Raw()
    isBase64Encoded: msgspec.Raw = msgspec.Raw()


_decode_returned = msgspec.json.Decoder(_Returned).decode
_decode = msgspec.json.Decoder().decode


def answer_of(payload: bytes, content_type: bytes = JSON_TYPE) -> HttpAnswer:
    """
    Return the response that a function's payload asks for, or that is inferred from it.

    Args:
        content_type: of a response that names none.

    Raises:
        MalformedAnswer: there is none.

    Observed: a value that is no object with a statusCode is the body, 200, and a string is sent without its quotes
    (recorded 2025-11).
    """
    payload = payload.strip(b" \t\r\n")
    try:
        if payload.startswith(b"{"):
            returned = _decode_returned(payload)
            if bytes(returned.statusCode):
                return HttpAnswer(*_head(returned, content_type=content_type), _body(returned))
        if payload.startswith(b'"'):
            return HttpAnswer(200, [_JSON], _decode(payload).encode())
        return HttpAnswer(200, [_JSON], _compact(payload))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedAnswer(str(error)) from None


def answer_of_1(payload: bytes) -> HttpAnswer:
    """
    Return the response that a function's payload asks for in format 1.0, in which nothing is inferred.

    Raises:
        MalformedAnswer: it is no object with a statusCode.
    """
    try:
        returned = _decode_returned(payload)
        if not bytes(returned.statusCode):
            raise MalformedAnswer("statusCode is missing")
        # Documented: cookies are of format 2.0.
        returned.cookies = msgspec.Raw()
        status, headers = _head(returned, content_type=TEXT_TYPE)
        every = _value(returned.multiValueHeaders, {})
        if not isinstance(every, Mapping) or not all(isinstance(values, list) for values in every.values()):
            raise MalformedAnswer("multiValueHeaders is no object of lists")
        several = [_header(name, value) for name, values in every.items() for value in values]
        if any(name == b"content-type" for name, _ in several) and not _names_type(returned):
            headers = [header for header in headers if header[0] != b"content-type"]
        # Observed: of a name in both maps the values of this one come first (recorded for REST APIs).
        return HttpAnswer(status, [*several, *headers], _body(returned))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedAnswer(str(error)) from None


def _names_type(returned: _Returned) -> bool:
    return any(name.lower() == "content-type" for name in _value(returned.headers, {}))


def answer_of_prelude(prelude: bytes, body: bytes = b"") -> HttpAnswer:
    """
    Return the response whose status, headers and cookies a prelude holds.

    Raises:
        MalformedAnswer: it holds something else.
    """
    try:
        # Assumed: without a status it is 200, without a content type it is bytes (test_http_answer).
        status, headers = _head(_decode_returned(prelude), status=200, content_type=b"application/octet-stream")
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedAnswer(str(error)) from None
    return HttpAnswer(status, headers, body)


def streamed_answer(content_type: str) -> HttpAnswer:
    """
    Return the response of a stream without a prelude.

    Args:
        content_type: as the runtime said; Node.js says application/octet-stream unless a handler sets another.

    Assumed: a type that a handler sets is passed on; a form is what curl says in a bootstrap that names none, and
    counts as bytes (test_http_answer).
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("", "application/x-www-form-urlencoded") or _NOT_IN_VALUE.search(content_type):
        content_type = "application/octet-stream"
    return HttpAnswer(200, [(b"content-type", content_type.encode("latin-1"))])


def _head(returned: _Returned, *, content_type: bytes, status: int | None = None) -> tuple[int, HttpHeaders]:
    if bytes(returned.statusCode):
        status = _status(_decode(returned.statusCode))
    assert status is not None
    headers: HttpHeaders = []
    given = _value(returned.headers, {})
    if not isinstance(given, Mapping):
        raise MalformedAnswer("headers is no object")
    for name, value in given.items():
        headers.append(_header(name, value))
    types = [value for name, value in headers if name == b"content-type"]
    if len(types) > 1:
        # Written in several ways. A client of two would believe either. Assumed: the last one (test_http_answer).
        headers = [header for header in headers if header[0] != b"content-type"]
    if len(types) != 1:
        headers.append((b"content-type", types[-1] if types else content_type))
    cookies = _value(returned.cookies, [])
    if not isinstance(cookies, list):
        raise MalformedAnswer("cookies is no list")
    headers.extend(_header("set-cookie", cookie) for cookie in cookies)
    return status, headers


def _status(value: Any) -> int:
    # Observed: a status may be a string (recorded for REST APIs).
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:4])
    # One of 1xx is not the last word of a response: the next one on the connection would be taken for it.
    if isinstance(value, bool) or not isinstance(value, int) or not 200 <= value <= 599:
        raise MalformedAnswer("statusCode is no status")
    return value


def _header(name: str, value: Any) -> tuple[bytes, bytes]:
    """
    Return one header as it is sent.

    Raises:
        MalformedAnswer: it is none; one that would be two on the wire is not.
    """
    if isinstance(value, bool | int | float):
        # Assumed: as JSON has them (test_http_answer).
        value = msgspec.json.encode(value).decode()
    if not isinstance(value, str) or _NAME.fullmatch(name) is None or _NOT_IN_VALUE.search(value) is not None:
        raise MalformedAnswer(f"the header {name[:100]!r}")
    name = name.lower()
    sent = value.encode()
    return (f"x-amzn-remapped-{name}" if name in _OWN else name).encode(), sent


def _body(returned: _Returned) -> bytes:
    raw = bytes(returned.body)
    if not raw.startswith(b'"'):
        # Observed: a body that is no string is sent as the JSON that it is (field reports).
        return b"" if raw == b"null" else raw
    text = _decode(raw)
    assert isinstance(text, str)
    if _value(returned.isBase64Encoded, False) is not True:
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedAnswer("body is not base64") from None


def _value(raw: msgspec.Raw, default: Any) -> Any:
    value = _decode(raw) if bytes(raw) else None
    return default if value is None else value


def _compact(payload: bytes) -> bytes:
    # Checked first: the formatter takes what is none.
    msgspec.json.decode(payload, type=msgspec.Raw)
    return msgspec.json.format(payload, indent=-1)
