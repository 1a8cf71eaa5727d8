"""Buckets that the server itself writes into: records for destinations."""

import hashlib
from urllib.parse import quote

from lambent.clock import Clock
from lambent.destinations.contract import TargetRefuses
from lambent.domain.caller import Scope
from lambent.errors.families import DependencyError, FrameworkError, NotImplementedException
from lambent.neighbours.client import Neighbours
from lambent.neighbours.message import Incoming, NeighbourUnavailable, Outgoing, header
from lambent.services.s3.events import EVENTS, Kind, Occurrence, Origin
from lambent.services.s3.notifications import BucketNotifications, host_id_of
from lambent.services.s3.objects import error_in

_NOT_OFFERED = "s3 is not offered by this server: --neighbour s3=URL"
_OWN_ADDRESS = "127.0.0.1"


class Buckets:
    """
    Writes objects through the table of neighbours.

    Args:
        notifications: told of each object, as of those that pass the gateway.
    """

    def __init__(self, neighbours: Neighbours, notifications: BucketNotifications, clock: Clock) -> None:
        self._neighbours = neighbours
        self._notifications = notifications
        self._clock = clock

    async def exists(self, scope: Scope, bucket: str) -> bool:
        """
        Say whether objects can be written into a bucket, as far as its head tells.

        Raises:
            TargetRefuses: S3 does not let Lambent in, or has it in another region.
            NotImplementedException: S3 is not offered.
            NeighbourUnavailable: S3 does not answer.
        """
        neighbour = self._neighbours.of("s3")
        if neighbour is None:
            raise NotImplementedException(_NOT_OFFERED)
        answer = await self._neighbours.send(neighbour, Outgoing("HEAD", f"/{quote(bucket, safe='')}"), scope)
        await answer.aclose()
        if answer.status == 403:
            raise TargetRefuses(
                "S3 does not let Lambent in; it writes with the keys of the section [s3] of --neighbour-credentials"
            )
        if answer.status == 301:
            raise TargetRefuses(f"the bucket is in {header(answer, 'x-amz-bucket-region') or 'another region'}")
        if answer.status not in {200, 404}:
            raise NeighbourUnavailable(f"s3: asked for the bucket {bucket}, the server answered {answer.status}")
        return answer.status == 200

    async def put(self, scope: Scope, bucket: str, key: str, body: bytes, trace_header: str | None) -> bool:
        """
        Write an object of JSON, and tell of it where the bucket wants that; False when there is no such bucket.

        Repeated, it writes the same object again.

        Args:
            trace_header: what is told goes on with it; None: nothing is told.

        Raises:
            DependencyError: S3 takes nothing now, or what is told cannot be taken.
        """
        neighbour = self._neighbours.of("s3")
        if neighbour is None:
            raise DependencyError(_NOT_OFFERED, retryable=True)
        path = f"/{quote(bucket, safe='')}/{quote(key, safe='/-_.~')}"
        headers = {"content-type": "application/json", "x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
        request = Outgoing("PUT", path, headers=headers, body=body)
        try:
            answer = await self._neighbours.send(neighbour, request, scope)
            try:
                if answer.status != 200:
                    error = await error_in(answer)
                    if error.code == "NoSuchBucket":
                        return False
                    raise DependencyError(f"s3: {error}", retryable=True)
            finally:
                await answer.aclose()
            if trace_header is not None:
                await self._tell(scope, bucket, key, len(body), answer, trace_header)
        except FrameworkError as error:
            raise DependencyError(error.message, retryable=True) from error
        return True

    async def _tell(
        self, scope: Scope, bucket: str, key: str, size_bytes: int, answer: Incoming, trace_header: str
    ) -> None:
        """
        Deliver what follows from a new object.

        Raises:
            SlowDown: it cannot be taken now.
        """
        (event,) = EVENTS[Kind.PUT]
        notification = await self._notifications.of(bucket)
        if notification is None or not notification.wanting(event, key):
            return
        version = header(answer, "x-amz-version-id").removeprefix("null") or None
        occurrence = Occurrence(event, key, size_bytes, header(answer, "etag").strip('"') or None, version)
        request_id = header(answer, "x-amz-request-id") or self._clock.new_id()
        host_id = header(answer, "x-amz-id-2") or host_id_of(request_id)
        origin = Origin(f"AWS:{scope.account}", _OWN_ADDRESS, request_id, host_id, self._clock.now())
        await self._notifications.deliver(notification, [occurrence], origin, trace_header)
