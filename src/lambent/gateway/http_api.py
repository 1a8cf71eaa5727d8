"""
HTTP requests to HTTP APIs: in by Host header or by path, out as an integration has it. The steps, in order:

    API and stage -> route -> throttle -> authorizer or signature -> preflight -> body -> mapping -> integration
    -> mapping -> CORS -> access log

Source: API Gateway developer guide, HTTP APIs.
"""

import base64
import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable
from typing import Final, NamedTuple
from urllib.parse import unquote

import msgspec

from lambent.access.credential import read_credential
from lambent.clock import Clock
from lambent.dispatch.http_apis import ApiRouter, ServedApi, ServedStage
from lambent.domain.access_log import on_one_line
from lambent.domain.api_request import ApiRequest, query_pairs
from lambent.domain.cors import HttpHeaders, is_preflight
from lambent.domain.function_url import UrlDomain
from lambent.domain.http_answer import TEXT_TYPE, HttpAnswer, MalformedAnswer, answer_of, answer_of_1
from lambent.domain.http_api import (
    AWS_IAM,
    DEFAULT_STAGE,
    ApiDomain,
    ApiHost,
    Integration,
    Route,
    name_of_host,
    parse_api_host,
)
from lambent.domain.http_event import HttpRequest, encode_event, encode_event_1, joined_headers
from lambent.domain.parameter_mapping import mapped_request, mapped_response
from lambent.domain.quotas import Quotas
from lambent.domain.throttling import TokenBucket
from lambent.domain.trace import below, rooted, sampled_in, with_lineage_of
from lambent.domain.traced import Entered, HttpCall, StageTracing
from lambent.errors.families import DependencyError
from lambent.gateway.admission import TooManyRequests
from lambent.gateway.http_api_authorizers import ApiAuthorizers, NotAuthorized, with_stage_variables
from lambent.gateway.http_api_bodies import LoggedBody, ReadBody, RequestBody, leave_body
from lambent.gateway.http_api_callers import ApiCallers
from lambent.gateway.http_api_functions import ApiFunctions, CannotInvoke, IntegrationTimedOut
from lambent.gateway.http_api_proxy import HttpIntegrations, LeadsElsewhere
from lambent.gateway.own_paths import PREFIX
from lambent.neighbours.message import hops_named
from lambent.neighbours.outward import TimedOut, Unreachable
from lambent.protocol.wire import BodyStream, BodyTooLarge, ClientGone, WireRequest, WireResponse
from lambent.telemetry.api_metrics import ApiMetrics
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.traces import Traces

_log = logging.getLogger("lambent.gateway")

API_PREFIX: Final = f"{PREFIX}api/"

_HEAD_MAX_BYTES = 10_240
"""Of request line and headers together. Documented: API Gateway quotas."""

_BUCKETS_MAX = 20_000
"""Routes whose rates are remembered; the one that was used least recently begins anew."""

_WITHOUT_BODY = frozenset({204, 304})
"""Source: RFC 9110, section 6.4.1."""

_REQUEST_ID = b"apigw-requestid"

_STAGE_END = re.compile("/|%2[Ff]")

_NO_ROUTE = "-"
"""The key of what a request is for until a route was found."""

_JSON = (b"content-type", b"application/json")
_INTERNAL = "Internal Server Error"

# By path, all APIs and the server itself are one origin to a browser: what an integration serves must not act there in
# the name of whoever looks at it. By host name each API is an origin of its own.
_SANDBOX = (b"content-security-policy", b"sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts")


class _Refused(Exception):
    """A request ends here."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class _Addressed(NamedTuple):
    """Which API and stage a request is for."""

    served: ServedApi
    stage: ServedStage
    domain_name: str
    base_path: str
    path: str
    """Decoded, as functions see it: with the stage, unless that is `$default`."""
    route_path: str
    """Decoded, without it and without the key of a mapping."""
    sent_path: str
    """As sent, without a stage: what payload 1.0 has."""
    is_own_domain: bool = False
    """Whether a custom domain was asked."""


class HttpApis:
    """
    Answers requests to HTTP APIs.

    Args:
        callers: asked for routes of AWS_IAM alone.
        logs: where access logs go.
        domain: below which APIs are.
        traces: where sampled requests leave theirs; None: nowhere.
        metrics: told what requests came to; None: nobody is.
    """

    def __init__(
        self,
        router: ApiRouter,
        authorizers: ApiAuthorizers,
        callers: ApiCallers,
        functions: ApiFunctions,
        servers: HttpIntegrations,
        logs: FunctionLogs,
        domain: UrlDomain,
        quotas: Quotas,
        clock: Clock,
        traces: Traces | None = None,
        metrics: ApiMetrics | None = None,
    ) -> None:
        self._traces = traces or Traces(None, clock)
        self._router = router
        self._metrics = metrics
        self._authorizers = authorizers
        self._callers = callers
        self._functions = functions
        self._servers = servers
        self._logs = logs
        self._domain = domain
        self._quotas = quotas
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str, str], TokenBucket] = OrderedDict()

    @property
    def is_current(self) -> bool:
        """Whether `is_for_api` knows all custom domains; else `refresh` has to be awaited first."""
        return self._router.is_current

    async def refresh(self) -> None:
        """Learn of the custom domains that there are. A store that fails leaves those that are known."""
        try:
            await self._router.refresh()
        except DependencyError as error:
            _log.error("http_api.domains_unknown reason=%s", error)

    def forget_verdicts(self, api_id: str, stage_name: str) -> None:
        """Ask the authorizers of a stage anew from now on."""
        self._authorizers.forget(api_id, stage_name)

    def is_for_api(self, request: WireRequest) -> bool:
        """Say whether a request is for an HTTP API: by its Host, which every path is below, or by its path."""
        host = request.headers.get("host", "")
        if parse_api_host(host) is not None or request.path.startswith(API_PREFIX):
            return True
        return self._router.domain_of(host) is not None and not _is_for_a_service(request)

    def has_domain(self, host: str) -> bool:
        """Say whether a Host header has the name of a custom domain."""
        return self._router.domain_of(host) is not None

    async def answer(self, request: WireRequest, read_body: ReadBody) -> WireResponse:
        """Answer a request for which `is_for_api` holds. Raises ClientGone alone."""
        # Observed: sixteen characters, the last one an equals sign (sample).
        request_id = base64.urlsafe_b64encode(bytes.fromhex(self._clock.token_hex(11))).decode()
        body = RequestBody(read_body)
        response = await self._guarded(self._answer(request, body, request_id), request_id, body)
        if any(name == _REQUEST_ID for name, _ in response.headers):
            # What stands behind may be an API, too, or claim to be one; the gateway's own is the one that counts.
            response.headers = [
                (b"x-amzn-remapped-" + name if name == _REQUEST_ID else name, value) for name, value in response.headers
            ]
        response.headers.append((_REQUEST_ID, request_id.encode()))
        if request.path.startswith(API_PREFIX) and not self._has_own_origin(request):
            response.headers.append(_SANDBOX)
        return response

    def _has_own_origin(self, request: WireRequest) -> bool:
        host = request.headers.get("host", "")
        return parse_api_host(host) is not None or self._router.domain_of(host) is not None

    async def _guarded(self, answering: Awaitable[WireResponse], request_id: str, body: RequestBody) -> WireResponse:
        """Return the response, that of a failure included. Raises ClientGone alone."""
        try:
            return await answering
        except _Refused as refused:
            await body.discard()
            return _refusal(refused.status, refused.message, *refused.headers)
        except BodyTooLarge:
            return _refusal(413, "Request Entity Too Large")
        except DependencyError as error:
            _log.error("request.dependency_failed request_id=%s reason=%s", request_id, error)
        except TooManyRequests as error:
            # Too many bytes of bodies are in memory, of whomever.
            return _refusal(429, "Too Many Requests", *((k.encode(), v.encode()) for k, v in error.headers.items()))
        except ClientGone:
            raise
        except Exception:
            _log.exception("request.failed request_id=%s", request_id)
        return _refusal(500, _INTERNAL)

    async def _answer(self, wire: WireRequest, body: RequestBody, request_id: str) -> WireResponse:
        began = self._clock.monotonic()
        hosts = sum(name == b"host" for name, _ in wire.pairs)
        # Whoever stands before us may have read another one of two. What is no path, such as `*`, would become a part
        # of the name of an integration's server.
        if hosts > 1 or (hosts == 0 and wire.protocol != "HTTP/1.0") or not wire.path.startswith("/"):
            raise _Refused(400, "Bad Request", (b"connection", b"close"))
        head_bytes = (
            len(wire.method)
            + len(wire.path)
            + len(wire.query)
            + sum(len(name) + len(value) + 4 for name, value in wire.pairs)
        )
        if head_bytes > _HEAD_MAX_BYTES:
            raise _Refused(431, "Request Header Fields Too Large")
        addressed = await self._address(wire)
        served = addressed.stage
        headers, cookies = joined_headers(wire.pairs)
        request = ApiRequest(
            scope=addressed.served.api.scope,
            api_id=addressed.served.api.api_id,
            stage=served.stage,
            route=Route("", _NO_ROUTE),
            http=HttpRequest(
                method=wire.method,
                path=addressed.path,
                query=wire.query,
                protocol=wire.protocol,
                headers=headers,
                cookies=cookies,
                body=b"",
                source_ip=wire.client,
            ),
            route_path=addressed.route_path,
            sent_path=addressed.sent_path,
            is_own_domain=addressed.is_own_domain,
            parameters={},
            request_id=request_id,
            domain_name=addressed.domain_name,
            now=self._clock.now(),
            base_path=addressed.base_path,
            query=query_pairs(wire.query) if wire.query else [],
        )
        response = await self._guarded(self._run(served, request, wire, body), request_id, body)
        origin = wire.headers.get("origin")
        if served.cors is not None:
            # Documented: what a function says of it counts for nothing where the API has a configuration.
            response.headers = [header for header in response.headers if not header[0].startswith(b"access-control-")]
            if origin is not None and is_preflight(wire.method, wire.headers) and response.status == 204:
                response.headers.extend(served.cors.preflight(origin))
            elif origin is not None:
                response.headers.extend(served.cors.beside_answer(origin))
            if served.cors.answers_differ and not (is_preflight(wire.method, wire.headers) and response.status == 204):
                # Who keeps an answer must not give it to another origin; also not one that was for none.
                response.headers.append((b"vary", b"Origin"))
        if request.tracing is not None:
            self._leave_trace(addressed, request, request.tracing, wire, response.status)
        request.status = response.status
        request.latency_ms = round((latency_s := self._clock.monotonic() - began) * 1000)

        def tell() -> None:
            if served.log_format is not None:
                self._write_log(served, request)
            if self._metrics is not None:
                self._metrics.answered(
                    request.scope,
                    request.api_id,
                    served.stage.stage_name,
                    _detailed_route(served, request),
                    request.status,
                    latency_ms=latency_s * 1000,
                    integration_latency_ms=request.integration_latency_ms,
                    data_bytes=body.size_bytes + request.response_bytes,
                )

        if isinstance(response.body, bytes):
            request.response_bytes = len(response.body)
            tell()
        else:
            response.body = LoggedBody(response.body, request, tell)
        return response

    # Which API, stage and route -----------------------------------------------------------------------------------

    async def _address(self, wire: WireRequest) -> _Addressed:
        host = wire.headers.get("host", "")
        domain = self._router.domain_of(host)
        if domain is not None:
            if wire.path.startswith(PREFIX):
                # Nobody proves that a domain is theirs: one with the name by which others reach the server would get
                # the tokens that they send there, for metrics and events, and links to packages. Nor is anything of
                # the server's own answered to pages of a stranger's domain.
                raise _Refused(404, "Not Found")
            return await self._by_domain(domain, host, wire.path)
        named, path = parse_api_host(host), wire.path
        by_path = named is None
        if named is None:
            api_id, slash, rest = path[len(API_PREFIX) :].partition("/")
            named, path = ApiHost(api_id, ""), slash + rest or "/"
        sent_path, path = path, _decoded(path)
        served = await self._router.find(named.api_id) if named.api_id else None
        if (
            served is None
            or named.region not in ("", served.api.scope.region)
            or served.api.disable_execute_api_endpoint
        ):
            raise _Refused(404, "Not Found")
        name, slash, rest = path[1:].partition("/")
        stage = served.stages.get(name) if name != DEFAULT_STAGE or by_path else None
        if stage is not None:
            route_path = slash + rest or "/"
            # The stage's own slash may be one that was encoded.
            sent_path = f"/{_STAGE_END.split(sent_path[1:], maxsplit=1)[-1]}" if slash else "/"
        else:
            stage, route_path = served.stages.get(DEFAULT_STAGE), path
        if stage is None:
            raise _Refused(404, "Not Found")
        # Documented: a stage in the path is part of it for functions.
        seen = route_path if stage.stage.stage_name == DEFAULT_STAGE else path
        return _Addressed(served, stage, served.api.host(self._domain), "", seen, route_path, sent_path)

    async def _by_domain(self, domain: ApiDomain, host: str, sent_path: str) -> _Addressed:
        path = _decoded(sent_path)
        mapping = domain.mapping_of(path)
        served = await self._router.find(mapping.api_id) if mapping is not None else None
        stage = served.stages.get(mapping.stage) if served is not None and mapping is not None else None
        if mapping is None or served is None or stage is None:
            # Assumed: the answer where no mapping fits (test_http_api).
            raise _Refused(403, "Forbidden")
        key = mapping.api_mapping_key
        route_path = path[len(key) + 1 :] or "/" if key else path
        # Documented: API Gateway developer guide, AWS Lambda integrations for HTTP APIs: rawPath has not the mapping's
        # key, `path` of payload 1.0 has. Observed: rawPath has the stage instead (CodeGenieApp/serverless-express#465).
        seen = route_path if stage.stage.stage_name == DEFAULT_STAGE else f"/{stage.stage.stage_name}{route_path}"
        return _Addressed(served, stage, name_of_host(host), key, seen, route_path, sent_path, is_own_domain=True)

    async def _run(
        self, served: ServedStage, request: ApiRequest, wire: WireRequest, body: RequestBody
    ) -> WireResponse:
        found = served.routes.match(wire.method, request.route_path)
        is_asked = served.cors is not None and is_preflight(wire.method, wire.headers)
        if found is None:
            if is_asked:
                # Documented: the API answers, also where no route takes OPTIONS.
                await body.discard()
                return WireResponse(204, [])
            request.error_message, request.error_type = "Not Found", "NOT_FOUND"
            raise _Refused(404, "Not Found")
        route = found.route
        request.route, request.parameters = route.route, found.parameters
        self._throttle(request)
        trace_header = wire.headers.get("x-amzn-trace-id")
        running = wire.inside.trace_header() if wire.inside is not None else None
        if running is not None:
            trace_header = with_lineage_of(trace_header, running)
        sampled = sampled_in(trace_header) if trace_header else None
        if sampled is not None:
            random_hex = self._clock.token_hex(16)
            request.tracing = StageTracing(*sampled, random_hex[:16], random_hex[16:])
        trace_header = rooted(trace_header, request.now, self._clock.token_hex(12))
        if route.integration is not None and not route.integration.is_function:
            request.http = _without_named_hops(request.http, wire)
        headers = dict(request.http.headers)
        # Assumed: what a client says of itself there counts for nothing (test_http_api).
        headers["x-forwarded-for"] = wire.client
        headers["x-forwarded-port"] = self._domain.port_number
        headers["x-forwarded-proto"] = self._domain.scheme
        headers["x-amzn-trace-id"] = trace_header
        # Observed: it is there also where there is no body (milliHQ/terraform-aws-next-js#31).
        headers.setdefault("content-length", "0")
        request.http = msgspec.structs.replace(request.http, headers=headers)
        kind = route.route.authorization_type
        # A browser signs no preflight. Assumed: so it is answered before a signature is asked for (test_http_api_iam).
        if kind != "NONE" and not (is_asked and kind == AWS_IAM):
            try:
                if kind == AWS_IAM:
                    await self._callers.check(request, wire, body.read, is_https=self._domain.scheme == "https")
                else:
                    await self._authorizers.check(route, request, wire, trace_header)
            except NotAuthorized as error:
                request.error_message, request.error_type = error.message, error.error_type
                challenge = [(b"www-authenticate", error.challenge.encode())] if error.challenge else []
                raise _Refused(error.status, error.message, *challenge) from None
        if is_asked:
            await body.discard()
            return WireResponse(204, [])
        integration = route.integration
        if integration is None:
            # Assumed: as where the integration cannot be reached (test_http_api).
            request.integration_error = "the route has no integration"
            raise _Refused(500, _INTERNAL)
        if kind != AWS_IAM:
            request.http = msgspec.structs.replace(request.http, body=await body.read())
        return await self._integrate(integration, request, wire, trace_header)

    def _throttle(self, request: ApiRequest) -> None:
        """Documented: a route's own limits, else its stage's; a request beyond them gets 429."""
        settings = request.stage.settings_of(request.route.route_key)
        rate, burst = settings.throttling_rate_limit, settings.throttling_burst_limit
        if rate is None and burst is None:
            return
        # Assumed: one without the other follows from it (test_http_api).
        rate = float(burst or 0) if rate is None else rate
        size = max(1.0, rate) if burst is None else float(burst)
        now = self._clock.monotonic()
        key = (request.api_id, request.stage.stage_name, request.route.route_key)
        bucket = self._buckets.get(key)
        if bucket is None or (bucket.rate, bucket.burst) != (rate, size):
            bucket = self._buckets[key] = TokenBucket(rate, size, now)
            if len(self._buckets) > _BUCKETS_MAX:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        if not bucket.take(now):
            request.error_message, request.error_type = "Too Many Requests", "THROTTLED"
            raise _Refused(429, "Too Many Requests")

    # What answers ---------------------------------------------------------------------------------------------------

    async def _integrate(
        self, integration: Integration, request: ApiRequest, wire: WireRequest, trace_header: str
    ) -> WireResponse:
        mapping = integration.request_parameters
        mapped = mapped_request(mapping, request) if mapping else request.http
        began = self._clock.monotonic()
        seen = b""
        body: bytes | BodyStream
        try:
            if integration.is_function:
                answer = await self._of_function(integration, request, mapped, wire, trace_header)
                status, headers, body = answer.status, answer.headers, answer.body if answer.has_body else b""
                seen = answer.body
            else:
                status, headers, body, seen = await self._servers.answer(
                    integration, request, mapped, is_https=self._domain.scheme == "https"
                )
                request.integration_status = str(status)
        except (IntegrationTimedOut, TimedOut) as error:
            self._failed(request, str(error))
            raise _Refused(503, "Service Unavailable") from None
        except CannotInvoke as error:
            self._failed(request, str(error), logging.INFO if error.is_throttled else logging.WARNING)
            # Assumed: a function at its limit is not there for the moment (test_http_api).
            raise (_Refused(503, "Service Unavailable") if error.is_throttled else _Refused(500, _INTERNAL)) from None
        except Unreachable as error:
            self._failed(request, str(error), logging.WARNING)
            raise _Refused(500, _INTERNAL) from None
        except MalformedAnswer as error:
            self._failed(request, str(error))
            raise _Refused(500, _INTERNAL) from None
        except LeadsElsewhere as error:
            request.error_message, request.error_type = str(error), "BAD_REQUEST"
            raise _Refused(400, "Bad Request") from None
        finally:
            request.integration_latency_ms = round((self._clock.monotonic() - began) * 1000)
        steps = (integration.response_parameters or {}).get(str(status))
        if steps:
            status, headers = mapped_response(steps, request, status, headers, seen)
        response = WireResponse(status, headers, body, ends_with_client=not isinstance(body, bytes))
        if status in _WITHOUT_BODY and body:
            # By a mapping: what came with another status has no place there.
            await leave_body(response)
        return response

    async def _of_function(
        self,
        integration: Integration,
        request: ApiRequest,
        mapped: HttpRequest,
        wire: WireRequest,
        trace_header: str,
    ) -> HttpAnswer:
        is_newest = integration.payload_format_version == "2.0"
        addressed = request.addressed()
        payload = (
            encode_event(mapped, addressed)
            if is_newest
            else encode_event_1(mapped, addressed, *self._paths_1(request, mapped), wire.pairs)
        )
        if len(payload) > self._quotas.invoke_payload_max_bytes:
            raise BodyTooLarge
        began = 0.0
        if request.tracing is not None:
            trace_header, began = below(trace_header, request.tracing.call_id), self._clock.now()
        outcome, request.integration_request_id = await self._functions.run(
            with_stage_variables(integration.integration_uri, request),
            payload,
            source_arn=request.source_arn(),
            source_account=request.scope.account,
            credentials=integration.credentials_arn,
            caller=request.caller,
            timeout_s=integration.timeout_in_millis / 1000,
            trace_header=trace_header,
        )
        if request.tracing is not None:
            request.called = (began, self._clock.now())
        # Documented: what Lambda answered, which is 200 also where the function failed.
        request.integration_status = "200"
        if outcome.error is not None:
            raise MalformedAnswer(f"the function failed: {outcome.error.error_type or outcome.error.kind}")
        return answer_of(outcome.payload, TEXT_TYPE) if is_newest else answer_of_1(outcome.payload)

    def _paths_1(self, request: ApiRequest, mapped: HttpRequest) -> tuple[str, str]:
        # Observed: it is not decoded, unlike path parameters (aws/aws-lambda-dotnet, HttpContextTestCases.cs, measured
        # against the live service). Assumed: without the stage, as REST APIs have it (test_http_apis).
        return (mapped.path, mapped.path) if mapped.path != request.http.path else request.paths_1

    def _failed(self, request: ApiRequest, reason: str, level: int = logging.INFO) -> None:
        """Note what became of an integration. What the API's owner has to put right is worth a warning."""
        request.integration_error = reason
        request.error_message, request.error_type = _INTERNAL, "INTEGRATION_FAILURE"
        # A part of it may be what a function or another server said.
        _log.log(level, "http_api.integration_failed request_id=%s reason=%s", request.request_id, on_one_line(reason))

    def _leave_trace(
        self, addressed: _Addressed, request: ApiRequest, tracing: StageTracing, wire: WireRequest, status: int
    ) -> None:
        url = f"{self._domain.scheme}://{wire.headers.get('host', request.domain_name)}{wire.path}"
        self._traces.add(
            Entered(
                request.scope,
                request.api_id,
                addressed.served.api.name,
                request.stage.stage_name,
                tracing.trace_id,
                tracing.id,
                tracing.parent_id,
                request.request_id,
                tracing.call_id,
                request.now,
                request.called,
                self._clock.now(),
                status,
                HttpCall(wire.method, url, wire.headers.get("user-agent", ""), wire.client),
            )
        )

    def _write_log(self, served: ServedStage, request: ApiRequest) -> None:
        settings, log_format = served.stage.access_log_settings, served.log_format
        assert settings is not None and log_format is not None
        group = settings.destination_arn.split(":log-group:", 1)[-1].removesuffix(":*")
        stream = f"{request.api_id}-{request.stage.stage_name}"
        self._logs.open_stream(request.scope, group, stream).output([log_format.line(request.context)])


def _is_for_a_service(request: WireRequest) -> bool:
    """
    Say whether a request is signed for one of our services.

    Nobody proves that a custom domain is theirs: one with the name by which others reach the server would get their
    calls.
    """
    credential = read_credential(request.headers.get("authorization", ""), request.query)
    return credential is not None and credential.service != "execute-api"


def _without_named_hops(http: HttpRequest, wire: WireRequest) -> HttpRequest:
    """
    Return a request that is to be passed on without what the client says is of its connection alone.

    Source: RFC 9110, section 7.6.1. Before anything is added: what the gateway says, or a mapping, a client does not
    take away.
    """
    # The host is said by other means as well.
    named = hops_named([wire.headers.get("connection", "")]) - {"host"}
    if "cookie" not in named and named.isdisjoint(http.headers):
        return http
    return msgspec.structs.replace(
        http,
        headers={name: value for name, value in http.headers.items() if name not in named},
        cookies=[] if "cookie" in named else http.cookies,
    )


def _decoded(path: str) -> str:
    """
    Return a path as API Gateway goes on with it.

    Observed: it is decoded before a route is looked for, and ends at a question mark that was encoded
    (hotsock/voker#8, recorded from a live API).
    """
    return unquote(path, errors="replace").partition("?")[0]


def _detailed_route(served: ServedStage, request: ApiRequest) -> str:
    """Return the key of the route that a request was for where figures of single routes are wanted; else nothing."""
    key = request.route.route_key
    return key if key != _NO_ROUTE and served.stage.settings_of(key).detailed_metrics_enabled else ""


def _refusal(status: int, message: str, *headers: tuple[bytes, bytes]) -> WireResponse:
    sent: HttpHeaders = [_JSON, *headers]
    return WireResponse(status, sent, msgspec.json.encode({"message": message}))
