"""
Requests for other AWS services, passed on to the neighbour that answers them.

Bodies go through piece by piece, both ways. Of S3, the notifications of buckets stay here (`bucket_events`).
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from lambent.access.authentication import Claim, Settled
from lambent.access.authorize import Authorizer
from lambent.clock import Clock
from lambent.domain.access_log import on_one_line
from lambent.domain.caller import Caller
from lambent.errors.families import (
    ApiError,
    DependencyError,
    FrameworkError,
    InternalServerError,
    NotImplementedException,
    RequestEntityTooLargeException,
)
from lambent.gateway.bucket_events import BucketEvents
from lambent.gateway.neighbour_demands import BODY_MAX_BYTES, demands_of, needs_body
from lambent.gateway.presigned import check_expiry
from lambent.neighbours.aws_chunked import MalformedBody
from lambent.neighbours.client import Neighbours
from lambent.neighbours.endpoints import Neighbour
from lambent.neighbours.message import Incoming, Outgoing, without_hops
from lambent.protocol.errors import error_response_without_model
from lambent.protocol.wire import BodyStream, BodyTooLarge, ClientGone, WireRequest, WireResponse
from lambent.services.s3.addressing import address
from lambent.services.s3.errors import InvalidArgument, SlowDown
from lambent.services.s3.events import is_notification

_log = logging.getLogger("lambent.gateway")

_HASHED_MAX_BYTES = BODY_MAX_BYTES
"""The longest body that is read whole, to be signed."""

_REASON_MAX_CHARACTERS = 1_000
"""Of a refusal in the log."""

_CONTROL_PATH = "/v20180820/"
"""Of S3 Control, which signs as S3. Documented: AWS S3 Control API reference."""

_NOT_PASSED_ON = {
    ("secretsmanager", "RotateSecret"): "the embedded server would call functions of its own; use a real server",
}
"""Operations that the embedded server would answer, and do nothing, or something else than it says."""


ReadBody = Callable[[int], Awaitable[bytes]]


class IncompleteBody(FrameworkError):
    """The body is not framed as the request's headers say."""

    code = "IncompleteBody"
    status = 400


class ServiceUnavailable(FrameworkError):
    """Something of ours failed that an answer needs. SDKs back off and retry."""

    code = "ServiceUnavailable"
    status = 503


class Proxy:
    """
    Passes requests on.

    Args:
        neighbours: what there is, and how to get there.
        buckets: what is done for S3's notifications.
        requests_max: requests at once, until their answers are sent: fewer than the gateway takes in all, so that a
            neighbour that hangs leaves room for our own services.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        buckets: BucketEvents,
        authorizer: Authorizer,
        clock: Clock,
        *,
        requests_max: int,
    ) -> None:
        self._neighbours = neighbours
        self._authorizer = authorizer
        self._buckets = buckets
        self._clock = clock
        self._requests_max = requests_max
        self.requests = 0

    def neighbour(self, service: str) -> Neighbour | None:
        """Return who answers a service's requests; None where nobody does."""
        return self._neighbours.of(service)

    async def answer(
        self,
        neighbour: Neighbour,
        request: WireRequest,
        read_body: ReadBody,
        caller: Caller,
        claim: Claim,
        *,
        is_signed: bool,
    ) -> WireResponse:
        """Pass a request on and return its answer, whose body is still to come. Raises ClientGone alone."""
        if self.requests >= self._requests_max:
            full = SlowDown("Please reduce your request rate.", headers={"retry-after": "1"})
            return await _refuse(neighbour, request, caller, full)
        self.requests += 1
        try:
            response = await self._answer_or_refuse(neighbour, request, read_body, caller, claim, is_signed=is_signed)
        except BaseException:
            self._leave()
            raise
        if isinstance(response.body, bytes):
            self._leave()
        else:
            response.body = _Passed(response.body, self._leave)
            response.ends_with_client = True
        return response

    def _leave(self) -> None:
        self.requests -= 1

    async def _answer_or_refuse(
        self,
        neighbour: Neighbour,
        request: WireRequest,
        read_body: ReadBody,
        caller: Caller,
        claim: Claim,
        *,
        is_signed: bool,
    ) -> WireResponse:
        try:
            if claim.needs_body:
                # Before anything is said of who calls: it is not known yet.
                body = await _whole(read_body, neighbour.service)
                claim.check_body(body)
                read_body, request.stream = _as_read(body)
                claim = Settled(claim.principal, claim.how)
            if self._authorizer.is_on:
                read_body, claim = await self._authorize(neighbour, request, read_body, caller, claim)
            return await self._answer(neighbour, request, read_body, caller, claim, is_signed=is_signed)
        except MalformedBody as malformed:
            error: ApiError = IncompleteBody(f"The request body is not aws-chunked as its headers say: {malformed}")
        except ApiError as refused:
            error = refused
        except DependencyError as failed:
            _log.error("request.dependency_failed request_id=%s reason=%s", caller.request_id, failed)
            error = ServiceUnavailable("Service unavailable: see the server's log")
        except ClientGone:
            raise
        except Exception:
            _log.exception("request.failed request_id=%s", caller.request_id)
            error = InternalServerError("Internal error: see the server's log")
        return await _refuse(neighbour, request, caller, error)

    async def _authorize(
        self, neighbour: Neighbour, request: WireRequest, read_body: ReadBody, caller: Caller, claim: Claim
    ) -> tuple[ReadBody, Claim]:
        """
        Refuse what the caller may not do. Return what reads the body, which may have been read and verified for it, and
        what is left to verify.

        Raises:
            ApiError: the caller may not, the body is not what was signed, or too long to be understood.
        """
        body = b""
        if needs_body(neighbour.service, request):
            body = await _whole(read_body, neighbour.service)
            # Nothing is decided by what somebody on the way may have put there.
            claim.check_body(body)
            read_body, request.stream = _as_read(body)
            claim = Settled(claim.principal, claim.how)
        demands = demands_of(neighbour.service, request, caller.scope, body)
        await self._authorizer.authorize(caller, demands)
        return read_body, claim

    async def _answer(
        self,
        neighbour: Neighbour,
        request: WireRequest,
        read_body: ReadBody,
        caller: Caller,
        claim: Claim,
        *,
        is_signed: bool,
    ) -> WireResponse:
        if neighbour.url is None:
            _check_embedded(neighbour.service, request)
        if neighbour.service == "s3":
            return await self._answer_s3(neighbour, request, read_body, caller, claim, is_signed=is_signed)
        outgoing = await self._outgoing(neighbour, request, read_body, caller, claim, is_signed=is_signed)
        incoming = await self._neighbours.send(neighbour, outgoing, caller.scope)
        return await _response(request, incoming)

    async def _answer_s3(
        self,
        neighbour: Neighbour,
        request: WireRequest,
        read_body: ReadBody,
        caller: Caller,
        claim: Claim,
        *,
        is_signed: bool,
    ) -> WireResponse:
        check_expiry(request.query, self._clock.now())
        read_body = _verified(read_body, claim)
        where = address(request.headers.get("host", ""), request.path)
        if where.bucket is not None and where.key is None and is_notification(request.query):
            return await self._buckets.configure(neighbour, request, read_body, where.bucket, caller)
        watch = await self._buckets.watch(neighbour, request, where, caller)
        outgoing = await self._outgoing(neighbour, request, read_body, caller, claim, is_signed=is_signed)
        if watch is not None:
            await watch.before(outgoing, read_body)
        incoming = await self._neighbours.send(neighbour, outgoing, caller.scope)
        # From here on the request has happened: what follows does not depend on the client any more.
        with contextlib.suppress(ClientGone):
            await request.discard()
        if watch is not None:
            return await watch.after(incoming)
        return WireResponse(incoming.status, incoming.headers, incoming)

    async def _outgoing(
        self,
        neighbour: Neighbour,
        request: WireRequest,
        read_body: ReadBody,
        caller: Caller,
        claim: Claim,
        *,
        is_signed: bool,
    ) -> Outgoing:
        is_s3 = neighbour.service == "s3"
        # Sessions are this server's own: nobody else can make anything of one, nor has to see its token. What is sent
        # instead says the account, by which servers for development tell accounts apart.
        is_session = is_signed and caller.principal.session is not None and neighbour.url is not None
        goes_on_as_signed = neighbour.url is not None and neighbour.credentials is None and not is_session
        headers = _as_text(request.headers.items())
        host = headers.get("host", "")
        path = address(host, request.path).path if is_s3 and not goes_on_as_signed else request.path
        declared = request.headers.get("content-length", "")
        body_bytes = int(declared) if declared.isascii() and declared.isdigit() else None
        body: bytes | AsyncIterator[bytes] = b""
        if body_bytes or "transfer-encoding" in request.headers:
            if (neighbour.credentials is not None or is_session) and not is_s3 and is_signed:
                body = await _whole(read_body, neighbour.service)
                claim.check_body(body)
            else:
                body = claim.watch_body(request.stream())
        else:
            claim.check_body(b"")
        return Outgoing(
            method=request.method,
            path=path,
            query=request.query,
            headers=without_hops(headers.items()),
            body=body,
            body_bytes=body_bytes,
            host=host,
            is_own=is_session,
            is_signed=is_signed,
        )


async def _whole(read_body: ReadBody, service: str) -> bytes:
    try:
        return await read_body(_HASHED_MAX_BYTES)
    except BodyTooLarge:
        raise RequestEntityTooLargeException(
            f"Request must be smaller than {_HASHED_MAX_BYTES} bytes for {service}"
        ) from None


def _verified(read_body: ReadBody, claim: Claim) -> ReadBody:
    """Return what reads the same body, if it is the one that was signed."""

    async def read(most_bytes: int) -> bytes:
        body = await read_body(most_bytes)
        claim.check_body(body)
        return body

    return read


def service_of(signing_name: str, request: WireRequest) -> str:
    """Return the service that a request is for, where several sign with one name."""
    if signing_name == "dynamodb":
        is_stream = request.headers.get("x-amz-target", "").startswith("DynamoDBStreams_")
        return "dynamodbstreams" if is_stream or "/DynamoDBStreams_" in request.path else signing_name
    if signing_name == "s3" and request.path.startswith(_CONTROL_PATH):
        return "s3control"
    return signing_name


def _check_embedded(service: str, request: WireRequest) -> None:
    """
    Refuse what the embedded server would do to nobody's use.

    Raises:
        NotImplementedException: it is so.
    """
    operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
    if reason := _NOT_PASSED_ON.get((service, operation)):
        raise NotImplementedException(f"{operation} is not offered by this version of Lambent: {reason}")


def _as_read(body: bytes) -> tuple[ReadBody, Callable[[], AsyncIterator[bytes]]]:
    """Return what reads a body whole, or as it comes, that has been read already."""

    async def read_body(most_bytes: int) -> bytes:
        if len(body) > most_bytes:
            raise BodyTooLarge
        return body

    async def stream() -> AsyncIterator[bytes]:
        if body:
            yield body

    return read_body, stream


def _as_text(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Return headers, which came as bytes, so that they are the same bytes in UTF-8, in which they are signed and sent.

    Raises:
        InvalidArgument: there are none such.
    """
    found = {}
    for name, value in headers:
        try:
            found[name] = value if value.isascii() else value.encode("latin-1").decode()
        except UnicodeDecodeError:
            raise InvalidArgument(f"The value of the header {name} is not valid UTF-8") from None
    return found


async def _response(request: WireRequest, incoming: Incoming) -> WireResponse:
    # An answer may come before all of the request was read: a client that is still sending would not see it.
    try:
        await request.discard()
    except BaseException:
        await incoming.aclose()
        raise
    return WireResponse(incoming.status, incoming.headers, incoming)


async def _refuse(neighbour: Neighbour, request: WireRequest, caller: Caller, error: ApiError) -> WireResponse:
    await request.discard()
    # The rest repeats what was signed, a session's token included; and a text may hold anything that was sent.
    reason = on_one_line(error.message.partition("\n\n")[0][:_REASON_MAX_CHARACTERS])
    _log.warning(
        "neighbours.refused service=%s request_id=%s code=%s reason=%s",
        neighbour.service, caller.request_id, error.code, reason,
    )  # fmt: skip
    return error_response_without_model(request, neighbour.service, error, caller.request_id)


class _Passed:
    """The body of an answer on its way; calls `leave` once, when it is closed."""

    def __init__(self, body: BodyStream, leave: Callable[[], None]) -> None:
        self._body = body
        self._leave = leave
        self._is_open = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._body.__aiter__()

    async def aclose(self) -> None:
        if self._is_open:
            self._is_open = False
            self._leave()
        await self._body.aclose()
