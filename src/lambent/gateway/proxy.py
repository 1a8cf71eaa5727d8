"""
Requests for other AWS services, passed on to the neighbour that answers them.

Bodies go through piece by piece, both ways. Of S3, the notifications of buckets stay here (`bucket_events`).
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.errors.families import ApiError, FrameworkError, NotImplementedException, RequestEntityTooLargeException
from lambent.gateway.bucket_events import BucketEvents
from lambent.gateway.presigned import check_expiry
from lambent.neighbours.aws_chunked import MalformedBody
from lambent.neighbours.client import Neighbours
from lambent.neighbours.endpoints import Neighbour
from lambent.neighbours.message import Incoming, Outgoing, without_hops
from lambent.protocol.errors import error_response_without_model
from lambent.protocol.wire import BodyTooLarge, ClientGone, WireRequest, WireResponse
from lambent.services.s3.addressing import address
from lambent.services.s3.events import is_notification

_log = logging.getLogger("lambent.gateway")

_HASHED_MAX_BYTES = 33_554_432
"""
The longest body that is read whole, to be signed. Documented: DynamoDB and Kinesis take at most 16 and 10 MB in a
request; Base64 makes more of them.
"""

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


class Proxy:
    """
    Passes requests on.

    Args:
        neighbours: what there is, and how to get there.
        buckets: what is done for S3's notifications.
    """

    def __init__(self, neighbours: Neighbours, buckets: BucketEvents, clock: Clock) -> None:
        self._neighbours = neighbours
        self._buckets = buckets
        self._clock = clock

    def neighbour(self, service: str) -> Neighbour | None:
        """Return who answers a service's requests; None where nobody does."""
        return self._neighbours.of(service)

    async def answer(
        self,
        neighbour: Neighbour,
        request: WireRequest,
        read_body: ReadBody,
        caller: Caller,
        *,
        is_signed: bool,
    ) -> WireResponse:
        """Pass a request on and return its answer, whose body is still to come. Raises ClientGone alone."""
        try:
            return await self._answer(neighbour, request, read_body, caller, is_signed=is_signed)
        except MalformedBody as malformed:
            error: ApiError = IncompleteBody(f"The request body is not aws-chunked as its headers say: {malformed}")
        except ApiError as refused:
            error = refused
        await request.discard()
        _log.warning("neighbours.refused service=%s code=%s reason=%s", neighbour.service, error.code, error.message)
        return error_response_without_model(request, neighbour.service, error, caller.request_id)

    async def _answer(
        self,
        neighbour: Neighbour,
        request: WireRequest,
        read_body: ReadBody,
        caller: Caller,
        *,
        is_signed: bool,
    ) -> WireResponse:
        if neighbour.url is None:
            _check_embedded(neighbour.service, request)
        if neighbour.service == "s3":
            return await self._answer_s3(neighbour, request, read_body, caller, is_signed=is_signed)
        outgoing = await self._outgoing(neighbour, request, read_body, is_signed=is_signed)
        incoming = await self._neighbours.send(neighbour, outgoing, caller.scope)
        return await _response(request, incoming)

    async def _answer_s3(
        self, neighbour: Neighbour, request: WireRequest, read_body: ReadBody, caller: Caller, *, is_signed: bool
    ) -> WireResponse:
        check_expiry(request.query, self._clock.now())
        where = address(request.headers.get("host", ""), request.path)
        if where.bucket is not None and where.key is None and is_notification(request.query):
            return await self._buckets.configure(neighbour, request, read_body, where.bucket, caller)
        watch = await self._buckets.watch(neighbour, request, where, caller)
        outgoing = await self._outgoing(neighbour, request, read_body, is_signed=is_signed)
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
        *,
        is_signed: bool,
    ) -> Outgoing:
        is_s3 = neighbour.service == "s3"
        goes_on_as_signed = neighbour.url is not None and neighbour.credentials is None
        host = request.headers.get("host", "")
        path = address(host, request.path).path if is_s3 and not goes_on_as_signed else request.path
        declared = request.headers.get("content-length", "")
        body_bytes = int(declared) if declared.isascii() and declared.isdigit() else None
        body: bytes | AsyncIterator[bytes] = b""
        if body_bytes or "transfer-encoding" in request.headers:
            if neighbour.credentials is not None and not is_s3 and is_signed:
                try:
                    body = await read_body(_HASHED_MAX_BYTES)
                except BodyTooLarge:
                    raise RequestEntityTooLargeException(
                        f"Request must be smaller than {_HASHED_MAX_BYTES} bytes for {neighbour.service}"
                    ) from None
            else:
                body = request.stream()
        headers = without_hops(request.headers.items())
        return Outgoing(
            method=request.method,
            path=path,
            query=request.query,
            headers=headers,
            body=body,
            body_bytes=body_bytes,
            host=host,
            is_signed=is_signed,
        )


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


async def _response(request: WireRequest, incoming: Incoming) -> WireResponse:
    # An answer may come before all of the request was read: a client that is still sending would not see it.
    await request.discard()
    return WireResponse(incoming.status, incoming.headers, incoming)
