"""HTTP servers behind HTTP APIs: the integration HTTP_PROXY."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar
from urllib.parse import quote

from lambent.clock import Clock
from lambent.domain.api_request import ApiRequest
from lambent.domain.cors import HttpHeaders
from lambent.domain.http_api import Integration
from lambent.domain.http_event import HttpRequest
from lambent.domain.parameter_mapping import needs_body
from lambent.errors.families import InternalServerError
from lambent.gateway.http_api_authorizers import with_stage_variables
from lambent.neighbours.message import AnswerTooLarge, hops_named, without_hops
from lambent.neighbours.outward import Answer, Outward, TimedOut, Unreachable
from lambent.protocol.wire import BodyStream

T = TypeVar("T")

PAYLOAD_MAX_BYTES = 10_485_760
"""Documented: API Gateway quotas, payload of HTTP APIs, either way."""

_REMAPPED = frozenset({"date", "server", "x-amzn-requestid"})
"""What the gateway says itself. Observed: comes back renamed (recorded for REST APIs)."""

_DROPPED = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""What is of one connection, and how long the body is, which is said anew."""

_NOT_IN_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""Source: RFC 9110, section 5.5."""

_LABEL = re.compile(r"[A-Za-z0-9-]{1,63}")
"""Of a host name, or a port."""

_IN_PATH = "/:@!$&'()*+,;=~"
_IN_QUERY = "/:@!$'()*,~"


_SEGMENT_END = re.compile("/|%5C")


class LeadsElsewhere(Exception):
    """A request would get to another place of a server, or to another server, than the integration names."""


class HttpIntegrations:
    """Passes requests on to HTTP servers."""

    def __init__(self, outward: Outward, clock: Clock) -> None:
        self._outward = outward
        self._clock = clock

    async def answer(
        self, integration: Integration, request: ApiRequest, mapped: HttpRequest, *, is_https: bool
    ) -> tuple[int, HttpHeaders, "bytes | BodyStream", bytes]:
        """
        Return a server's answer: status, headers, body, and the body once more where a mapping looks into it.

        Args:
            mapped: the request, once parameters are mapped.
            is_https: whether the client came by TLS, which the server is told.

        Raises:
            LeadsElsewhere: by what the client sent.
            TimedOut, Unreachable: the server does not answer in time, or at all, or with too much.
        """
        url = _url(integration, request, mapped)
        headers = {name: _as_sent(value) for name, value in without_hops(mapped.headers.items()).items()}
        headers.pop("content-length", None)
        if mapped.cookies:
            headers["cookie"] = _as_sent("; ".join(mapped.cookies))
        if "host" in mapped.headers and mapped.headers["host"] != request.http.headers.get("host"):
            # A mapping has set it; the client's own is of the connection to us.
            headers["host"] = mapped.headers["host"]
        # Documented: RFC 7239. Assumed: what API Gateway adds (test_http_api_proxy).
        headers["forwarded"] = _forwarded(request, is_https=is_https)
        method = integration.integration_method or "ANY"
        if method == "ANY":
            method = mapped.method
        most_s = integration.timeout_in_millis / 1000
        began = self._clock.monotonic()
        answer = await self._outward.send(method, url, headers=headers, body=mapped.body, timeout_s=most_s)
        waiting = _Patience(most_s, self._clock.monotonic() - began, self._clock)
        try:
            sent = _headers(answer)
            if answer.status in (204, 304) or "HEAD" in (method, mapped.method):
                await answer.aclose()
                if mapped.method != "HEAD" or answer.length is None:
                    return answer.status, sent, b"", b""
                # What a client asks for by this method may well be how long it is.
                return answer.status, [*sent, _length(answer.length)], _Nothing(), b""
            if (answer.length or 0) > PAYLOAD_MAX_BYTES:
                raise Unreachable(f"its answer has more than {PAYLOAD_MAX_BYTES} bytes")
            if not needs_body(integration.response_parameters):
                if answer.length is not None:
                    sent.append(_length(answer.length))
                return answer.status, sent, _Passed(answer, waiting), b""
            body = await waiting.for_(answer.read(PAYLOAD_MAX_BYTES))
        except AnswerTooLarge:
            await answer.aclose()
            raise Unreachable(f"its answer has more than {PAYLOAD_MAX_BYTES} bytes") from None
        except BaseException:
            await answer.aclose()
            raise
        return answer.status, sent, body, body


class _Patience:
    """How long a server may let us wait, all in all. How long a client takes for what we have is not of it."""

    def __init__(self, most_s: float, gone_s: float, clock: Clock) -> None:
        self._most_s = most_s
        self._left_s = most_s - gone_s
        self._clock = clock

    async def for_(self, coming: Awaitable[T]) -> T:
        """
        Return what is awaited.

        Raises:
            TimedOut: it does not come in time.
        """
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(max(0.0, self._left_s)):
                return await coming
        except TimeoutError as error:
            raise TimedOut(f"no answer within {self._most_s:g} s") from error
        finally:
            self._left_s -= self._clock.monotonic() - began


class _Nothing:
    """No body, where the head says how long it would be."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        return


class _Passed:
    """A server's body as it comes. It breaks off where the server does, or beyond the limits of bytes and time."""

    def __init__(self, answer: Answer, waiting: _Patience) -> None:
        self._answer = answer
        self._waiting = waiting
        self._pieces = aiter(answer)
        self._size = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._waiting.for_(anext(self._pieces))
        except Unreachable as error:
            raise InternalServerError(f"the integration's server: {error}") from error
        self._size += len(piece)
        if self._size > PAYLOAD_MAX_BYTES:
            raise InternalServerError(f"the integration's server sent more than {PAYLOAD_MAX_BYTES} bytes")
        return piece

    async def aclose(self) -> None:
        await self._answer.aclose()


def _url(integration: Integration, request: ApiRequest, mapped: HttpRequest) -> str:
    """
    Return where a request goes.

    Documented: variables of the route's path stand for what they matched; `$default` passes the whole path on.
    """
    uri = with_stage_variables(integration.integration_uri, request)
    scheme, _, rest = uri.partition("://")
    place, _, query = rest.partition("?")
    host, slash, path = place.partition("/")
    path = slash + path
    for name, value in request.parameters.items():
        # What a greedy one matched has slashes, which are part of the path.
        for variable in (f"{{{name}}}", f"{{{name}+}}"):
            if variable in host and _LABEL.fullmatch(value) is None:
                # It must not name another server, or a way on one.
                raise LeadsElsewhere("a variable in the host of an integration's URI is no part of a name")
            host = host.replace(variable, value)
            path = path.replace(variable, quote(value, safe=_IN_PATH))
            query = query.replace(variable, quote(value, safe=_IN_QUERY))
    if mapped.path != request.http.path:
        # `overwrite:path` has the last word.
        path = quote(mapped.path, safe=_IN_PATH)
    elif request.route.route_key == "$default":
        path = f"{path.rstrip('/')}{quote(request.route_path, safe=_IN_PATH)}"
    if "." in path and any(segment.partition(";")[0] in (".", "..") for segment in _SEGMENT_END.split(path)):
        # Assumed: servers go up by them, out of the place that the integration names; some leave out what is behind a
        # semicolon first, and some take a backslash for a slash (test_http_api_proxy).
        raise LeadsElsewhere("a path with the segments . or .. leads elsewhere")
    query = "&".join(part for part in (query, mapped.query) if part)
    return f"{scheme}://{host}{path}{'?' if query else ''}{query}"


def _as_sent(value: str) -> str:
    """Return a header's value so that it is the client's own bytes in UTF-8, in which it goes out."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        # No UTF-8; or a mapping's, which is text already.
        return value


def _forwarded(request: ApiRequest, *, is_https: bool) -> str:
    address = request.http.source_ip
    client = f'"[{address}]"' if ":" in address else address
    host = request.http.headers.get("host", "").replace('"', "").replace("\\", "")
    return f'for={client};host="{host}";proto={"https" if is_https else "http"}'


def _length(length_bytes: int) -> tuple[bytes, bytes]:
    return b"content-length", str(length_bytes).encode()


def _headers(answer: Answer) -> HttpHeaders:
    dropped = _DROPPED | hops_named(value.decode("latin-1") for name, value in answer.headers if name == b"connection")
    found: HttpHeaders = []
    for raw, value in answer.headers:
        name = raw.decode("latin-1").lower()
        if _NOT_IN_VALUE.search(value):
            raise Unreachable(f"the header {name[:100]!r} of its answer")
        if name not in dropped:
            found.append((f"x-amzn-remapped-{name}".encode() if name in _REMAPPED else raw.lower(), value))
    return found
