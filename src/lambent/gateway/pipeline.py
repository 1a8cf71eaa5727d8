"""
The steps of an API request, in order:

    select the service -> who calls -> match the operation -> read the body, which is the one that was signed -> unpack
    -> parse -> validate -> authorize -> handle -> serialize

An `ApiError` of any step becomes the answer, in the service's own error form.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from lambent.access.authentication import Authenticator, Claim
from lambent.access.authorize import Authorizer
from lambent.access.credential import Credential, read_credential
from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import ANONYMOUS
from lambent.domain.trace import with_lineage_of
from lambent.errors.families import (
    AccessDeniedException,
    ApiError,
    DependencyError,
    InternalServerError,
    MissingAuthenticationToken,
    NotImplementedException,
    RequestEntityTooLargeException,
)
from lambent.gateway.neighbour_calls import neighbour_call
from lambent.gateway.proxy import Proxy, service_of
from lambent.gateway.service_selection import region_of_host, select_service
from lambent.neighbours.endpoints import Neighbour
from lambent.neighbours.signing import is_presigned
from lambent.protocol.compression import is_compressed, unpack
from lambent.protocol.errors import error_response_without_model
from lambent.protocol.service import Protocols, ServiceProtocol
from lambent.protocol.wire import BodyTooLarge, ClientGone, WireRequest, WireResponse
from lambent.services.operation import DEFAULT_BODY_LIMIT, Service
from lambent.telemetry.trail import Call, Trail

_log = logging.getLogger("lambent.gateway")

ReadBody = Callable[[int], Awaitable[bytes]]
"""Reads the request's body, at most so many bytes; raises BodyTooLarge beyond."""


class Pipeline:
    """
    Takes one request to its answer. Knows no HTTP server.

    Args:
        services: by signing name.
        protocols: reads a service's model at its first request.
        region: of requests that name none.
        proxy: passes on what is for other services; None: nothing is.
        trail: told of every request that is over; None: nothing is recorded.
        refuses_pages: whether what a browser sends for a page is refused: where any key is taken.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        protocols: Protocols,
        authenticator: Authenticator,
        authorizer: Authorizer,
        region: str,
        proxy: Proxy | None = None,
        trail: Trail | None = None,
        *,
        refuses_pages: bool = True,
    ) -> None:
        self._services = services
        self._protocols = protocols
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._region = region
        self._proxy = proxy
        self._trail = trail
        self._refuses_pages = refuses_pages

    async def answer(self, request: WireRequest, read_body: ReadBody, request_id: str, endpoint: str) -> WireResponse:
        """
        Answer one request. Never raises but for a client that left.

        Args:
            request: without its body, which is read once the operation and so its limit are known.
            endpoint: base URL under which the client reached us.

        Raises:
            ClientGone: nobody waits for the answer.
        """
        call = Call(request, request_id, endpoint)
        try:
            return await self._answer(call, read_body)
        except ClientGone:
            call.refusal = ("ClientGone", "the client left before its request was complete")
            raise
        finally:
            if self._trail is not None:
                self._trail.note(call)

    async def _answer(self, call: Call, read_body: ReadBody) -> WireResponse:
        request, request_id = call.request, call.request_id
        headers = request.headers
        credential = read_credential(headers.get("authorization", ""), request.query)
        name = select_service(credential, headers, request.path, request.query)
        service = self._services.get(name) if name is not None else None
        call.service = name or ""
        if service is None and name is not None and self._proxy is not None:
            name = service_of(name, request)
            neighbour = self._proxy.neighbour(name)
            if neighbour is not None:
                return await self._pass_on(neighbour, call, read_body, credential)
        if service is None:
            error = call.error = await self._why_nobody_answers(request, read_body, name, credential)
            return error_response_without_model(request, name or "", error, request_id)
        protocol = self._protocols.of(service.name, request)
        if self._refuses_pages and "authorization" not in headers and _is_sent_by_a_page(headers):
            await _discard(read_body)
            call.operation = _operation_of(protocol, request)
            denied = call.error = AccessDeniedException(
                "No page in a browser may use this API: sign the request in a header"
            )
            return protocol.serialize_error(denied, request_id, request)
        try:
            return await self._operate(call, read_body, service, protocol, credential)
        except ApiError as error:
            call.error = error
            return protocol.serialize_error(error, request_id, request)
        except DependencyError as error:
            _log.error("request.dependency_failed request_id=%s reason=%s", request_id, error)
            call.error = InternalServerError("Service unavailable: see the server's log")
            return protocol.serialize_error(call.error, request_id)
        except ClientGone:
            raise
        except Exception:
            _log.exception("request.failed request_id=%s", request_id)
            call.error = InternalServerError("Internal error: see the server's log")
            return protocol.serialize_error(call.error, request_id)

    async def _why_nobody_answers(
        self, request: WireRequest, read_body: ReadBody, name: str | None, credential: Credential | None
    ) -> ApiError:
        try:
            # A stranger is not told what is offered here.
            claim = await self._authenticator.begin(request, name or ("" if credential is None else credential.service))
        except ApiError as error:
            await _discard(read_body)
            return error
        try:
            if claim.needs_body:
                claim.check_body(await read_body(DEFAULT_BODY_LIMIT.read_max_bytes))
            else:
                await _discard(read_body)
        except BodyTooLarge:
            return RequestEntityTooLargeException(f"Request must be smaller than {DEFAULT_BODY_LIMIT.max_bytes} bytes")
        except ApiError as error:
            return error
        label = name or "This request"
        answered = ", ".join(sorted(other for other, one in self._services.items() if one.handlers))
        reason = (
            f"this version answers {answered}; --neighbour {name}=URL passes {name} on to a server"
            if name
            else "it names no service: sign it, or send X-Amz-Target"
        )
        return NotImplementedException(f"{label} is not offered by this version of Lambent: {reason}")

    async def _pass_on(
        self,
        neighbour: Neighbour,
        call: Call,
        read_body: ReadBody,
        credential: Credential | None,
    ) -> WireResponse:
        assert self._proxy is not None
        request, request_id, endpoint = call.request, call.request_id, call.endpoint
        call.service = neighbour.service
        call.operation, call.parameters = neighbour_call(neighbour.service, request)
        try:
            claim = await self._authenticator.begin(request, neighbour.service)
        except ApiError as error:
            call.error = error
            await _discard(read_body)
            return error_response_without_model(request, neighbour.service, error, request_id)
        caller = self._caller(claim, credential, request, request_id, endpoint)
        is_signed = credential is not None or is_presigned(request.query)
        try:
            response = await self._proxy.answer(neighbour, request, read_body, caller, claim, is_signed=is_signed)
        finally:
            # Not before: whose key a signature names, nobody knows before it is looked at, and some are with the body.
            if not claim.needs_body:
                call.caller = caller
        if response.status >= 400:
            call.refusal = (f"HTTP{response.status}", "")
        return response

    async def _operate(
        self,
        call: Call,
        read_body: ReadBody,
        service: Service,
        protocol: ServiceProtocol,
        credential: Credential | None,
    ) -> WireResponse:
        request, request_id, endpoint = call.request, call.request_id, call.endpoint
        try:
            claim = await self._authenticator.begin(
                request, protocol.signing_name, allows_anonymous=bool(service.unsigned)
            )
            match = None if protocol.needs_body_to_match else protocol.match(request)
        except ApiError:
            call.operation = _operation_of(protocol, request)
            await _discard(read_body)
            raise
        call.operation = "" if match is None else match.operation.name
        request.body = await self._read(read_body, service, call.operation)
        claim.check_body(request.body)
        caller = call.caller = self._caller(claim, credential, request, request_id, endpoint)
        if service.unpacked_max_bytes and is_compressed(request):
            # Not before: what is signed is what is sent. In a thread, since a small body may become a large one.
            request.body = await asyncio.to_thread(unpack, request.body, service.unpacked_max_bytes)
        if match is None:
            match = protocol.match(request)
        operation = match.operation
        call.operation = operation.name
        if claim.principal is ANONYMOUS and operation.name not in service.unsigned:
            raise MissingAuthenticationToken("Missing Authentication Token")
        reason = service.not_offered.get(operation.name)
        if reason is not None:
            raise NotImplementedException(f"{operation.name} is not offered by this version of Lambent: {reason}")
        parameters = protocol.parse(match, request)
        protocol.validate(operation, parameters)
        call.parameters = parameters
        if self._authorizer.is_on:
            demands = service.demanded(operation.name, caller, parameters)
            await self._authorizer.authorize(caller, demands, service.facts)
        output = call.output = await service.handlers[operation.name](caller, parameters)
        return protocol.serialize(operation, output, request_id)

    async def _read(self, read_body: ReadBody, service: Service, operation: str) -> bytes:
        limit = service.body_limits.get(operation, service.default_body_limit)
        try:
            return await read_body(limit.read_max_bytes)
        except BodyTooLarge:
            error = limit.error or RequestEntityTooLargeException
            shown = limit.shown_as or operation
            raise error(f"Request must be smaller than {limit.max_bytes} bytes for the {shown} operation") from None

    def _caller(
        self, claim: Claim, credential: Credential | None, request: WireRequest, request_id: str, endpoint: str
    ) -> Caller:
        region = self._region
        trace_header = request.headers.get("x-amzn-trace-id")
        if request.inside is not None:
            running = request.inside.trace_header()
            if running is not None:
                trace_header = with_lineage_of(trace_header, running)
            # A function's unsigned call acts where the function is.
            region = request.inside.scope.region
        elif (named := region_of_host(request.headers.get("host", ""))) is not None:
            region = named
        if credential is not None:
            region = credential.region
        return Caller(
            scope=Scope(claim.principal.account, region),
            principal=claim.principal,
            authenticated_by=claim.how,
            request_id=request_id,
            endpoint=endpoint,
            trace_header=trace_header,
            inside=request.inside,
            client=request.client,
            user_agent=request.headers.get("user-agent", ""),
            is_secure=endpoint.startswith("https:"),
            wait_gone=request.wait_gone,
        )


def _operation_of(protocol: ServiceProtocol, request: WireRequest) -> str:
    """Return what a request that was refused at the door would have done; empty where its head does not tell."""
    if protocol.needs_body_to_match:
        return ""
    try:
        return protocol.match(request).operation.name
    except ApiError:
        return ""


def _is_sent_by_a_page(headers: Mapping[str, str]) -> bool:
    """
    Say whether a browser sends a request for a page that is not of this origin, or may not be.

    Where any key is taken, and of what needs no leave, which a signature in a header does, a browser sends whatever a
    page wants: one of a function URL, or of any place in the web. Source: Fetch standard, Origin header; W3C, Fetch
    Metadata, Sec-Fetch-Site, for requests without an Origin.
    """
    return "origin" in headers or headers.get("sec-fetch-site") in {"cross-site", "same-site"}


async def _discard(read_body: ReadBody) -> None:
    """Read the body away: a client that is still sending would see a reset instead of our answer."""
    try:
        await read_body(0)
    except BodyTooLarge:
        return
