"""
HTTP requests to function URLs: in by Host header or by path, out as the function has it.

A URL of AuthType NONE is open to anybody, if its resource policy says so, and no signature is looked at. One of AWS_IAM
is for whoever signs and may use it. That is found out once, before the function runs: a response under way is not
broken off when a key or a right is taken away, and the next request is refused.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from lambent.access.authentication import Claim
from lambent.access.authorize import Demand, ResourceFacts
from lambent.clock import Clock
from lambent.dispatch.dispatcher import Dispatcher
from lambent.dispatch.function_urls import UrlRoute, UrlRouter
from lambent.domain.access_log import on_one_line
from lambent.domain.caller import Caller
from lambent.domain.cors import HttpHeaders, is_preflight
from lambent.domain.function_url import ACTIONS, FunctionUrl, UrlDomain, UrlHost, parse_url_host
from lambent.domain.http_event import Addressed, HttpRequest, encode_event, joined_headers
from lambent.domain.principal import ANONYMOUS
from lambent.domain.quotas import Quotas
from lambent.domain.resource_policy import Requester
from lambent.domain.trace import rooted, sampled_in, with_lineage_of, without_lineage
from lambent.domain.traced import HttpCall
from lambent.errors.families import (
    AccessDeniedException,
    ApiError,
    DependencyError,
    MissingAuthenticationToken,
)
from lambent.gateway.function_url_answers import failed, response_of
from lambent.gateway.signed_callers import SignedCallers, iam_identity, without_signature
from lambent.protocol.wire import BodyTooLarge, ClientGone, WireRequest, WireResponse
from lambent.services.lambda_.cross_account import requester_of
from lambent.services.lambda_.naming import Target
from lambent.services.lambda_.synchronous import SynchronousInvocations, check_active
from lambent.telemetry.lambda_metrics import LambdaMetrics
from lambent.telemetry.trail import Call, Trail

_log = logging.getLogger("lambent.gateway")

URL_PREFIX: Final = "/_lambent/url/"

_TARGET_MAX_BYTES = 32_768
"""Of path and query. Assumed: AWS takes less, and taking a query apart costs with its length (test_function_url)."""

_JSON = (b"content-type", b"application/json")
_DENIED = (b"x-amzn-errortype", b"AccessDeniedException")

# Observed: recorded (2025-11), the first for an id that nobody has, the second without a grant or alias.
_UNKNOWN = b'{"Message":null}'
_FORBIDDEN = (
    b'{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: '
    b'https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}'
)

# By path, all functions and the server itself are one origin to a browser: what a function serves must not act there in
# the name of whoever looks at it. By host name each function is an origin of its own.
_SANDBOX = (b"content-security-policy", b"sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts")

_REFUSED = frozenset({403, 413, 429, 500, 502, 503})
"""Statuses that are as likely the service's as the function's own: what the caller was told."""

ReadBody = Callable[[int], Awaitable[bytes]]


class _Refused(Exception):
    """A request ends here: whoever sends it may not, or cannot be told."""

    def __init__(self, response: WireResponse) -> None:
        super().__init__(response.status)
        self.response = response


class FunctionUrls:
    """
    Answers requests to function URLs.

    Args:
        callers: asked for URLs of AuthType AWS_IAM alone.
        facts: what is known of functions.
        domain: below which they are.
        trail: told of every request to one that is there; None: nothing is recorded.
        metrics: told of the same; None: nobody is.
    """

    def __init__(
        self,
        router: UrlRouter,
        dispatcher: Dispatcher,
        synchronous: SynchronousInvocations,
        callers: SignedCallers,
        facts: ResourceFacts | None,
        domain: UrlDomain,
        quotas: Quotas,
        clock: Clock,
        trail: Trail | None = None,
        metrics: LambdaMetrics | None = None,
    ) -> None:
        self._router = router
        self._trail = trail
        self._metrics = metrics
        self._dispatcher = dispatcher
        self._synchronous = synchronous
        self._callers = callers
        self._facts = facts
        self._domain = domain
        self._quotas = quotas
        self._clock = clock

    async def answer(self, request: WireRequest, read_body: ReadBody, request_id: str) -> WireResponse:
        """Answer a request for which `is_for_url` holds. Raises ClientGone alone."""
        response = await _answered(self._answer(request, read_body, request_id), request_id)
        response.headers.append((b"x-amzn-requestid", request_id.encode()))
        if request.path.startswith(URL_PREFIX) and parse_url_host(request.headers.get("host", "")) is None:
            response.headers.append(_SANDBOX)
        return response

    async def _answer(self, request: WireRequest, read_body: ReadBody, request_id: str) -> WireResponse:
        hosts = sum(name == b"host" for name, _ in request.pairs)
        host = parse_url_host(request.headers.get("host", ""))
        path = request.path
        if host is None:
            url_id, slash, rest = path[len(URL_PREFIX) :].partition("/")
            host, path = UrlHost(url_id, ""), slash + rest or "/"
        # Whoever stands before us may have read another one of two.
        is_sound = hosts == 1 or (hosts == 0 and request.protocol == "HTTP/1.0")
        if not is_sound or not path.startswith("/"):
            refusal = _refusal(400, "Bad Request")
            refusal.headers.append((b"connection", b"close"))
            return await _without(read_body, refusal)
        if len(path) + len(request.query) > _TARGET_MAX_BYTES:
            return await _without(read_body, _refusal(414, "URI Too Long"))
        route = await self._router.find(host.url_id) if len(host.url_id) == 32 else None
        if route is None or host.region not in ("", route.url.scope.region):
            return await _without(read_body, WireResponse(403, [_JSON, _DENIED], _UNKNOWN))
        if self._metrics is None:
            return await self._answer_for(route, request, path, read_body, request_id)
        url, began = route.url, self._clock.monotonic()
        response = await self._answer_for(route, request, path, read_body, request_id)
        latency_s = self._clock.monotonic() - began
        self._metrics.url_answered(url.scope, url.name, url.qualifier or "", response.status, latency_s)
        return response

    async def _answer_for(
        self, route: UrlRoute, request: WireRequest, path: str, read_body: ReadBody, request_id: str
    ) -> WireResponse:
        cors, origin = route.url.cors, request.headers.get("origin")
        if cors is not None and origin is not None and is_preflight(request.method, request.headers):
            return await _without(read_body, WireResponse(200, cors.preflight(origin)))
        call: Call | None = None
        if self._trail is not None and self._trail.wants("lambda", "InvokeFunctionUrl"):
            call = _call(route, request, request_id, self._domain.scheme)
        response = await _answered(self._run(route, request, path, read_body, request_id, call), request_id)
        if self._trail is not None and call is not None:
            if response.status in _REFUSED:
                call.refusal = (f"HTTP{response.status}", "")
            self._trail.note(call)
        if cors is not None and origin is not None:
            response.headers.extend(cors.beside_answer(origin))
        if cors is not None and cors.answers_differ:
            # Who keeps an answer must not give it to another origin; also not one that was for none. Assumed: AWS says
            # so, too (test_function_urls).
            response.headers.append((b"vary", b"Origin"))
        return response

    async def _run(
        self,
        route: UrlRoute,
        request: WireRequest,
        path: str,
        read_body: ReadBody,
        request_id: str,
        call: Call | None,
    ) -> WireResponse:
        url, quotas, clock = route.url, self._quotas, self._clock
        may_be_used = not url.is_lost if url.is_signed else route.is_open
        if may_be_used is None:
            anybody = _anybody(
                route, request, request_id, self._domain.url(url)[:-1], is_secure=self._is_secure(request)
            )
            may_be_used = url.lets_in(route.policy, self._requester(url, anybody))
        version = await self._dispatcher.resolve(url.scope, url.name, url.qualifier or None) if may_be_used else None
        if version is None:
            return await _without(read_body, _forbidden())
        claim: Claim | None = None
        if url.is_signed:
            try:
                claim = await self._begin(route, request)
            except _Refused as refused:
                return await _without(read_body, refused.response)
        body = await read_body(quotas.invoke_payload_max_bytes)
        headers, cookies = joined_headers(request.pairs)
        if claim is not None:
            try:
                await self._admit(claim, route, request, body, request_id, call)
            except _Refused as refused:
                return refused.response
            without_signature(headers)
        trace_header = headers.get("x-amzn-trace-id")
        running = request.inside.trace_header() if request.inside is not None else None
        if running is not None:
            trace_header = with_lineage_of(trace_header, running)
        http = None
        if version.configuration.is_traced or sampled_in(trace_header) is not None:
            # Assumed: a URL has no segment of its own, and its request stands in the service's (test_traces).
            http = HttpCall(
                request.method,
                f"{self._domain.scheme}://{self._domain.host(url)}{path}",
                headers.get("user-agent", ""),
                request.client,
            )
        now = clock.now()
        trace_header = rooted(trace_header, now, clock.token_hex(12))
        # Assumed: what a client says of itself there counts for nothing (test_function_url).
        headers["x-forwarded-for"] = request.client
        headers["x-forwarded-port"] = self._domain.port_number
        headers["x-forwarded-proto"] = self._domain.scheme
        headers["x-amzn-trace-id"] = trace_header
        payload = encode_event(
            HttpRequest(
                method=request.method,
                path=path,
                query=request.query,
                protocol=request.protocol,
                headers=headers,
                cookies=cookies,
                body=body,
                source_ip=request.client,
            ),
            Addressed(
                account_id="anonymous" if claim is None else claim.principal.account,
                api_id=url.url_id,
                domain_name=self._domain.host(url),
                domain_prefix=url.url_id,
                request_id=request_id,
                now=now,
                authorizer=None if claim is None else {"iam": iam_identity(claim.principal)},
            ),
        )
        if len(payload) > quotas.invoke_payload_max_bytes:
            raise BodyTooLarge
        check_active(version)
        outcome, _ = await self._synchronous.run(
            Target(url.scope, url.name, url.qualifier or None),
            version,
            request_id=request_id,
            payload=payload,
            trace_header=trace_header,
            http=http,
            wants_stream=url.is_streaming,
        )
        response = await response_of(outcome, request_id)
        response.headers.append((b"x-amzn-trace-id", without_lineage(trace_header).encode("latin-1")))
        return response

    # Who may use a URL of AWS_IAM ----------------------------------------------------------------------------------

    async def _begin(self, route: UrlRoute, request: WireRequest) -> Claim:
        try:
            return await self._callers.begin(request, "lambda", route.url.scope.region)
        except MissingAuthenticationToken:
            # Assumed: as where a grant is missing (test_function_url_iam). Documented: the status.
            raise _Refused(_forbidden()) from None
        except ApiError as error:
            raise _Refused(_unauthenticated(error)) from None

    async def _admit(
        self, claim: Claim, route: UrlRoute, request: WireRequest, body: bytes, request_id: str, call: Call | None
    ) -> None:
        """
        Return where whoever signed may use a URL.

        Documented: Lambda developer guide, access to function URLs: within the account its policies or the function's
        have to allow both actions, for another account both sides.

        Raises:
            _Refused: they may not, or have signed another body.
        """
        try:
            claim.check_body(body)
        except ApiError as error:
            raise _Refused(_unauthenticated(error)) from None
        url = route.url
        caller = self._callers.caller(
            claim, request, request_id, url.scope.region, self._domain.url(url)[:-1], is_secure=self._is_secure(request)
        )
        if call is not None:
            call.caller = caller
        is_foreign = claim.principal.account != url.scope.account
        if is_foreign and not url.lets_in(route.policy, self._requester(url, caller)):
            raise _Refused(_forbidden())
        demands = [Demand(action, url.arn, url.scope.account, context=url.context) for action in ACTIONS]
        try:
            await self._callers.authorize(caller, demands, self._facts)
        except AccessDeniedException as denied:
            _log.info("function_url.denied request_id=%s reason=%s", request_id, on_one_line(denied.message))
            raise _Refused(_forbidden()) from None

    def _requester(self, url: FunctionUrl, caller: Caller) -> Requester:
        """Return a caller who is not of the function's account, as the function's policy sees one."""
        return requester_of(caller, ACTIONS[0], url.scope.account, self._clock.now(), url.context)

    def _is_secure(self, request: WireRequest) -> bool:
        # As functions are told by x-forwarded-proto. What is inside is plain.
        return self._domain.scheme == "https" and request.inside is None


def _call(route: UrlRoute, request: WireRequest, request_id: str, scheme: str) -> Call:
    """
    Return a request as the audit trail has it. Paths and queries are the function's own affair.

    Who sends it is not known yet where somebody has to sign.
    """
    call = Call(request, request_id, f"{scheme}://{request.headers.get('host', '')}")
    call.service, call.operation = "lambda", "InvokeFunctionUrl"
    call.parameters = {"FunctionName": route.url.name, "Qualifier": route.url.qualifier, "method": request.method}
    if not route.url.is_signed:
        call.caller = _anybody(route, request, request_id, call.endpoint, is_secure=scheme == "https")
    return call


def _anybody(route: UrlRoute, request: WireRequest, request_id: str, endpoint: str, *, is_secure: bool) -> Caller:
    return Caller(
        scope=route.url.scope,
        principal=ANONYMOUS,
        authenticated_by="none",
        request_id=request_id,
        endpoint=endpoint,
        client=request.client,
        user_agent=request.headers.get("user-agent", ""),
        is_secure=is_secure,
    )


def is_for_url(request: WireRequest) -> bool:
    """Say whether a request is for a function URL: by its Host, which every path is below, or by its path."""
    return parse_url_host(request.headers.get("host", "")) is not None or request.path.startswith(URL_PREFIX)


async def _answered(answering: Awaitable[WireResponse], request_id: str) -> WireResponse:
    """Return the response, that of a failure included. Raises ClientGone alone."""
    try:
        return await answering
    except BodyTooLarge:
        return _refusal(413, "Request Entity Too Large")
    except DependencyError as error:
        _log.error("request.dependency_failed request_id=%s reason=%s", request_id, error)
        return failed(500)
    except ApiError as error:
        return _refused(error)
    except ClientGone:
        raise
    except Exception:
        _log.exception("request.failed request_id=%s", request_id)
        return failed(500)


def _refused(error: ApiError) -> WireResponse:
    """Return what a client gets when its invocation did not come about."""
    if error.status == 429:
        # Observed: the body of a throttled Invoke. Assumed: a URL's has it, too (test_function_url).
        headers: HttpHeaders = [_JSON, (b"retry-after", b"1")]
        fields = {name: value for name, value in error.fields.items() if name != "retryAfterSeconds"}
        return WireResponse(429, headers, msgspec.json.encode({**fields, "message": error.message}))
    # Assumed: what Invoke says of a function that cannot run is for its owner (test_function_url).
    return failed(500 if error.status == 500 else 502)


def _forbidden() -> WireResponse:
    return WireResponse(403, [_JSON, _DENIED], _FORBIDDEN)


def _unauthenticated(error: ApiError) -> WireResponse:
    """
    Return what a client gets whose signature does not hold.

    Assumed: the body, as Lambda's API has it (test_function_url_iam). Documented: the status.
    """
    if error.status >= 500:
        raise error
    headers: HttpHeaders = [_JSON, (b"x-amzn-errortype", error.code.encode())]
    return WireResponse(403, headers, msgspec.json.encode({error.message_key: error.message}))


def _refusal(status: int, message: str) -> WireResponse:
    return WireResponse(status, [_JSON], msgspec.json.encode({"Message": message}))


async def _without(read_body: ReadBody, response: WireResponse) -> WireResponse:
    """Read the body away first: a client that is still sending would see a reset instead of the response."""
    with contextlib.suppress(BodyTooLarge):
        await read_body(0)
    return response
