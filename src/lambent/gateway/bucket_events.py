"""
What the gateway does for buckets' notifications: it answers for their configuration, and makes the events of requests
that it passes on, once S3 has said yes and before the client hears it.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import quote

from lambent.clock import Clock
from lambent.domain.bucket_notification import BucketNotification
from lambent.domain.caller import Caller
from lambent.errors.families import DependencyError, FrameworkError
from lambent.gateway.presigned import AccessDenied
from lambent.neighbours.client import Neighbours
from lambent.neighbours.endpoints import Neighbour
from lambent.neighbours.message import AnswerTooLarge, Incoming, NeighbourUnavailable, Outgoing, header
from lambent.protocol.wire import BodyTooLarge, WireRequest, WireResponse
from lambent.services.s3.addressing import Address
from lambent.services.s3.errors import InvalidArgument, MalformedXML, NoSuchBucket, SlowDown
from lambent.services.s3.events import (
    EVENTS,
    FORM_HEAD_BYTES,
    Kind,
    Occurrence,
    Origin,
    is_error,
    is_of_the_bucket,
    key_of_form,
    kind_of,
    removed,
    removed_many,
)
from lambent.services.s3.notifications import BODY_MAX_BYTES, BucketNotifications, host_id_of

ReadBody = Callable[[int], Awaitable[bytes]]

_DELETE_MAX_BYTES = 2_097_152
"""Of DeleteObjects: a thousand keys of 1,024 bytes, and what is round them. Documented: DeleteObjects."""
_ANSWER_MAX_BYTES = 4_194_304
"""Of answers that are read whole: what DeleteObjects says of a thousand keys."""

_READ_WHOLE = frozenset({Kind.COPY, Kind.COMPLETE, Kind.DELETE_MANY})
"""Requests whose answer says in its body what happened."""


class MethodNotAllowed(FrameworkError):
    """No such request on this resource."""

    code = "MethodNotAllowed"
    status = 405


class BucketEvents:
    """Answers for configurations, and watches requests from which events follow."""

    def __init__(self, neighbours: Neighbours, notifications: BucketNotifications, clock: Clock) -> None:
        self._neighbours = neighbours
        self._notifications = notifications
        self._clock = clock

    async def configure(
        self, neighbour: Neighbour, request: WireRequest, read_body: ReadBody, bucket: str, caller: Caller
    ) -> WireResponse:
        """
        Answer a request for a bucket's notification configuration, which the neighbour never sees.

        Raises:
            ApiError: S3's.
        """
        try:
            region = await self._region_of(neighbour, bucket, caller)
        except NoSuchBucket:
            # Whoever deleted it did so round us.
            await self.forget(bucket)
            raise
        ids = [
            (b"x-amz-request-id", caller.request_id.encode()),
            (b"x-amz-id-2", host_id_of(caller.request_id).encode()),
        ]
        if request.method == "GET":
            await request.discard()
            answer = await self._notifications.get(bucket)
            return WireResponse(200, [*ids, (b"content-type", b"application/xml")], answer)
        if request.method != "PUT":
            raise MethodNotAllowed("The specified method is not allowed against this resource.")
        try:
            body = await read_body(BODY_MAX_BYTES)
        except BodyTooLarge:
            raise InvalidArgument(f"A notification configuration has {BODY_MAX_BYTES} bytes at most") from None
        checks_targets = request.headers.get("x-amz-skip-destination-validation", "").lower() != "true"
        try:
            await self._notifications.put(caller, bucket, region, body, checks_targets=checks_targets)
        except DependencyError as error:
            raise SlowDown(f"The configuration cannot be taken now: {error}") from error
        return WireResponse(200, ids)

    async def watch(self, neighbour: Neighbour, request: WireRequest, where: Address, caller: Caller) -> "Watch | None":
        """Return what is to be done about a request's events, None where there will be none."""
        if where.bucket is None:
            return None
        if where.key is None and request.method == "DELETE" and is_of_the_bucket(request.query):
            return Watch(self, neighbour, request, where, caller, None, None)
        kind = kind_of(request.method, request.query, request.headers, has_key=where.key is not None)
        if kind is None:
            return None
        notification = await self._notifications.of(where.bucket)
        if notification is None or not notification.may_want(EVENTS[kind]):
            return None
        return Watch(self, neighbour, request, where, caller, kind, notification)

    async def forget(self, bucket: str) -> None:
        """Drop the configuration of a bucket that is gone."""
        await self._notifications.forget(bucket)

    async def deliver(
        self,
        notification: BucketNotification,
        occurrences: list[Occurrence],
        incoming: Incoming,
        request: WireRequest,
        caller: Caller,
    ) -> None:
        """
        Deliver what a request has done.

        Raises:
            SlowDown: it cannot be taken now.
        """
        request_id = header(incoming, "x-amz-request-id") or caller.request_id
        origin = Origin(
            principal=f"AWS:{caller.scope.account}",
            address=request.client,
            request_id=request_id,
            host_id=header(incoming, "x-amz-id-2") or host_id_of(request_id),
            time=self._clock.now(),
        )
        await self._notifications.deliver(notification, occurrences, origin, caller.trace_header)

    async def head(self, neighbour: Neighbour, path: str, version: str | None, caller: Caller) -> Incoming | None:
        """Ask for an object's head; None where it cannot be had."""
        query = "" if version is None else f"versionId={quote(version, safe='')}"
        try:
            answer = await self._neighbours.send(neighbour, Outgoing("HEAD", path, query), caller.scope)
        except NeighbourUnavailable:
            return None
        await answer.aclose()
        return answer if answer.status == 200 else None

    async def puts_markers(self, neighbour: Neighbour, bucket_path: str, caller: Caller) -> bool:
        """Say whether deletions in a bucket put markers: where it keeps versions, or once did."""
        try:
            answer = await self._neighbours.send(neighbour, Outgoing("GET", bucket_path, "versioning"), caller.scope)
            body = await answer.read(_ANSWER_MAX_BYTES)
        except (NeighbourUnavailable, AnswerTooLarge):
            return False
        return re.search(rb"<Status>\s*(Enabled|Suspended)\s*</Status>", body) is not None

    async def _region_of(self, neighbour: Neighbour, bucket: str, caller: Caller) -> str:
        """Return a bucket's region. Raises what S3 says of a bucket that there is not."""
        answer = await self._neighbours.send(neighbour, Outgoing("HEAD", f"/{bucket}"), caller.scope)
        await answer.aclose()
        if answer.status == 404:
            raise NoSuchBucket("The specified bucket does not exist", fields={"BucketName": bucket})
        # Where we have no keys we are not let in, whoever asks: the bucket is taken to be there.
        is_unknown = answer.status == 403 and neighbour.url is not None and neighbour.credentials is None
        if answer.status != 200 and not is_unknown:
            raise AccessDenied("Access Denied")
        return header(answer, "x-amz-bucket-region") or caller.scope.region


class Watch:
    """One request on its way, and what follows from it."""

    def __init__(
        self,
        events: BucketEvents,
        neighbour: Neighbour,
        request: WireRequest,
        where: Address,
        caller: Caller,
        kind: Kind | None,
        notification: BucketNotification | None,
    ) -> None:
        self._events = events
        self._neighbour = neighbour
        self._request = request
        self._where = where
        self._caller = caller
        self._kind = kind
        """None: the bucket itself is deleted. Where it was gone already, it was deleted round us."""
        self._notification = notification
        self._body = b""
        """Of DeleteObjects, whole; of a form, its head."""
        self._sent_bytes = 0

    async def before(self, outgoing: Outgoing, read_body: ReadBody) -> None:
        """
        Look at what goes out, as far as events need it.

        Raises:
            MalformedXML: a DeleteObjects that is too long to be one.
        """
        if self._kind is Kind.DELETE_MANY:
            try:
                self._body = await read_body(_DELETE_MAX_BYTES)
            except BodyTooLarge:
                raise MalformedXML from None
            outgoing.body, outgoing.body_bytes = self._body, None
        elif self._kind in {Kind.POST, Kind.PUT} and not isinstance(outgoing.body, bytes):
            outgoing.body = self._seen(outgoing.body)

    async def after(self, incoming: Incoming) -> WireResponse:
        """
        Deliver what has happened, then return the answer.

        Raises:
            ApiError: it cannot be taken now, or the answer broke off.
        """
        is_gone = self._kind is None and incoming.status == 404
        if not (200 <= incoming.status < 300 or is_gone):
            return WireResponse(incoming.status, incoming.headers, incoming)
        try:
            answer = b""
            if self._kind in _READ_WHOLE:
                answer = await self._read(incoming)
            if self._kind is None:
                assert self._where.bucket is not None
                await self._events.forget(self._where.bucket)
            elif not (answer and is_error(answer)):
                assert self._notification is not None
                occurrences = await self._occurrences(self._kind, incoming, answer)
                await self._events.deliver(self._notification, occurrences, incoming, self._request, self._caller)
        except BaseException:
            await incoming.aclose()
            raise
        if self._kind in _READ_WHOLE:
            headers = [(name, value) for name, value in incoming.headers if name != b"content-length"]
            return WireResponse(incoming.status, headers, answer)
        return WireResponse(incoming.status, incoming.headers, incoming)

    async def _occurrences(self, kind: Kind, incoming: Incoming, answer: bytes) -> list[Occurrence]:
        assert self._where.bucket is not None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in incoming.headers}
        if kind is Kind.DELETE_MANY:
            bucket_path = f"/{self._where.bucket}"
            puts_markers = await self._events.puts_markers(self._neighbour, bucket_path, self._caller)
            return removed_many(self._body, answer, puts_markers=puts_markers)
        key, path = self._where.key, self._where.path
        if kind is Kind.POST:
            key = key_of_form(self._body)
            path = "" if key is None else f"{path.rstrip('/')}/{quote(key, safe='/-_.~')}"
        if key is None:
            return []
        if kind is Kind.DELETE:
            return [removed(key, self._request.query, headers)]
        (event,) = EVENTS[kind]
        version = headers.get("x-amz-version-id")
        if version == "null":
            version = None
        if kind is Kind.PUT and "etag" in headers:
            return [Occurrence(event, key, self._put_bytes(), headers["etag"].strip('"'), version)]
        head = await self._events.head(self._neighbour, path, version, self._caller)
        if head is None:
            found = re.search(rb"<ETag>(?:&quot;|&#34;|\")?([0-9a-fA-F-]+)", answer)
            etag = found[1].decode() if found else headers.get("etag", "").strip('"') or None
            return [Occurrence(event, key, None, etag, version)]
        length = header(head, "content-length")
        is_whole = kind not in {Kind.TAG, Kind.UNTAG, Kind.ACL}
        size = int(length) if is_whole and length.isdigit() else None
        return [Occurrence(event, key, size, header(head, "etag").strip('"') or None, version)]

    def _put_bytes(self) -> int:
        declared = self._request.headers.get("x-amz-decoded-content-length", "")
        return int(declared) if declared.isascii() and declared.isdigit() else self._sent_bytes

    async def _seen(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Let a body pass; count it, and keep the head of a form."""
        async for piece in body:
            self._sent_bytes += len(piece)
            if self._kind is Kind.POST and len(self._body) < FORM_HEAD_BYTES:
                self._body += piece[: FORM_HEAD_BYTES - len(self._body)]
            yield piece

    async def _read(self, incoming: Incoming) -> bytes:
        try:
            return await incoming.read(_ANSWER_MAX_BYTES)
        except AnswerTooLarge:
            raise NeighbourUnavailable("the neighbour's answer is longer than any of its kind") from None
