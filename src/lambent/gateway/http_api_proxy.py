"""HTTP servers behind HTTP APIs: the integration HTTP_PROXY."""

import logging
from collections.abc import AsyncIterator
from urllib.parse import quote

from lambent.domain.api_request import ApiRequest
from lambent.domain.cors import HttpHeaders
from lambent.domain.http_api import Integration
from lambent.domain.http_event import HttpRequest
from lambent.domain.parameter_mapping import needs_body
from lambent.errors.families import InternalServerError
from lambent.gateway.http_api_authorizers import with_stage_variables
from lambent.neighbours.message import AnswerTooLarge, hops_named, without_hops
from lambent.neighbours.outward import Answer, Outward, Unreachable
from lambent.protocol.wire import BodyStream

_log = logging.getLogger("lambent.gateway")

PAYLOAD_MAX_BYTES = 10_485_760
"""Documented: API Gateway quotas, payload of HTTP APIs, either way."""

_REMAPPED = frozenset({"date", "server", "x-amzn-requestid"})
"""What the gateway says itself. Observed: comes back renamed (recorded for REST APIs)."""

_DROPPED = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "te", "content-length"})


class HttpIntegrations:
    """Passes requests on to HTTP servers."""

    def __init__(self, outward: Outward) -> None:
        self._outward = outward

    async def answer(
        self, integration: Integration, request: ApiRequest, mapped: HttpRequest, *, is_https: bool
    ) -> tuple[int, HttpHeaders, "bytes | BodyStream", bytes]:
        """
        Return a server's answer: status, headers, body, and the body once more where a mapping looks into it.

        Args:
            mapped: the request, once parameters are mapped.
            is_https: whether the client came by TLS, which the server is told.

        Raises:
            TimedOut, Unreachable: the server does not answer in time, or at all, or with too much.
        """
        url = _url(integration, request, mapped)
        headers = without_hops(mapped.headers.items())
        headers.pop("content-length", None)
        if mapped.cookies:
            headers["cookie"] = "; ".join(mapped.cookies)
        # Documented: RFC 7239. Assumed: what API Gateway adds (test_http_api_proxy).
        headers["forwarded"] = _forwarded(request, is_https=is_https)
        method = integration.integration_method or "ANY"
        answer = await self._outward.send(
            mapped.method if method == "ANY" else method,
            url,
            headers=headers,
            body=mapped.body,
            timeout_s=integration.timeout_in_millis / 1000,
        )
        try:
            if (answer.length or 0) > PAYLOAD_MAX_BYTES:
                raise Unreachable(f"its answer has more than {PAYLOAD_MAX_BYTES} bytes")
            sent = _headers(answer)
            if mapped.method == "HEAD" or answer.status in (204, 304):
                await answer.aclose()
                return answer.status, sent, b"", b""
            if needs_body(integration.response_parameters):
                body = await answer.read(PAYLOAD_MAX_BYTES)
                return answer.status, sent, body, body
        except AnswerTooLarge:
            await answer.aclose()
            raise Unreachable(f"its answer has more than {PAYLOAD_MAX_BYTES} bytes") from None
        except BaseException:
            await answer.aclose()
            raise
        return answer.status, sent, _Passed(answer), b""


class _Passed:
    """A server's body as it comes. It breaks off where the server does, or beyond the limit."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._pieces = aiter(answer)
        self._size = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
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
    url = with_stage_variables(integration.integration_uri, request)
    for name, value in request.parameters.items():
        # What a greedy one matched has slashes, which are part of the path.
        for place in (f"{{{name}}}", f"{{{name}+}}"):
            url = url.replace(place, quote(value, safe="/:@!$&'()*+,;=~"))
    base, _, query = url.partition("?")
    if mapped.path != request.http.path:
        # `overwrite:path` has the last word.
        scheme, _, rest = base.partition("://")
        base = f"{scheme}://{rest.partition('/')[0]}{quote(mapped.path, safe=_IN_PATH)}"
    elif request.route.route_key == "$default":
        base = f"{base.rstrip('/')}{quote(request.route_path, safe=_IN_PATH)}"
    query = "&".join(part for part in (query, mapped.query) if part)
    return f"{base}?{query}" if query else base


_IN_PATH = "/:@!$&'()*+,;=~"


def _forwarded(request: ApiRequest, *, is_https: bool) -> str:
    address = request.http.source_ip
    client = f'"[{address}]"' if ":" in address else address
    host = request.http.headers.get("host", "").replace('"', "").replace("\\", "")
    return f'for={client};host="{host}";proto={"https" if is_https else "http"}'


def _headers(answer: Answer) -> HttpHeaders:
    dropped = _DROPPED | hops_named(value.decode("latin-1") for name, value in answer.headers if name == b"connection")
    found: HttpHeaders = []
    for raw, value in answer.headers:
        name = raw.decode("latin-1").lower()
        if name not in dropped:
            found.append((f"x-amzn-remapped-{name}".encode() if name in _REMAPPED else raw.lower(), value))
    return found
