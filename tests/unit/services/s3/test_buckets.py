"""Objects that the server writes itself: what S3 says, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from lambent.destinations.contract import TargetRefuses
from lambent.domain.bucket_notification import BucketNotification, Rule
from lambent.domain.caller import Scope
from lambent.errors.families import DependencyError, FrameworkError, NotImplementedException
from lambent.neighbours.client import Neighbours
from lambent.neighbours.endpoints import Neighbour
from lambent.neighbours.message import Incoming, NeighbourUnavailable, Outgoing
from lambent.services.s3.buckets import Buckets
from lambent.services.s3.errors import SlowDown
from lambent.services.s3.events import Occurrence, Origin
from lambent.services.s3.notifications import BucketNotifications
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
GONE = b"<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>"
DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


class Answer:
    """Implements `Incoming`."""

    def __init__(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.status = status
        self.headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body

    async def read(self, most_bytes: int) -> bytes:
        return self._body

    async def aclose(self) -> None:
        pass


class S3:
    """A table of neighbours with an S3 that answers each request alike, or is not there."""

    def __init__(self, answer: Answer | FrameworkError, *, is_offered: bool = True) -> None:
        self.answer = answer
        self.is_offered = is_offered
        self.requests: list[Outgoing] = []

    def of(self, service: str) -> Neighbour | None:
        return Neighbour(service, "http://s3") if self.is_offered else None

    async def send(self, neighbour: Neighbour, request: Outgoing, scope: Scope) -> Incoming:
        assert scope == SCOPE
        self.requests.append(request)
        if isinstance(self.answer, FrameworkError):
            raise self.answer
        return self.answer


class Notifications:
    """Configurations of buckets: one that wants what is put below `aws/`."""

    def __init__(self) -> None:
        self.told: list[tuple[Sequence[Occurrence], Origin, str | None]] = []
        self.failure: FrameworkError | None = None

    async def of(self, bucket: str) -> BucketNotification | None:
        rule = Rule("r", "arn:aws:sqs:us-east-1:000000000000:q", ("s3:ObjectCreated:*",), "aws/", None)
        return BucketNotification(bucket, SCOPE, (rule,)) if bucket == "watched" else None

    async def deliver(
        self, notification: BucketNotification, occurrences: Sequence[Occurrence], origin: Origin, trace: str | None
    ) -> None:
        if self.failure is not None:
            raise self.failure
        self.told.append((occurrences, origin, trace))


def buckets_of(s3: S3, notifications: Notifications | None = None) -> Buckets:
    told = cast("BucketNotifications", notifications or Notifications())
    return Buckets(cast("Neighbours", s3), told, VirtualClock())


def put(s3: S3, bucket: str = "b", notifications: Notifications | None = None) -> bool:
    made = buckets_of(s3, notifications)
    return asyncio.run(made.put(SCOPE, bucket, "aws/lambda/a b", b'{"k":1}', "Root=1-a-b"))


def test_an_object_is_put() -> None:
    """With its hash, and its key as S3 spells it."""
    s3 = S3(Answer(200))
    assert put(s3)
    (request,) = s3.requests
    assert (request.method, request.path, request.body) == ("PUT", "/b/aws/lambda/a%20b", b'{"k":1}')
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-amz-content-sha256"].startswith("a0da1fce")


def test_a_bucket_that_wants_to_know_is_told() -> None:
    """As of any other object; one that does not is not."""
    notifications = Notifications()
    s3 = S3(Answer(200, etag='"e"', x_amz_version_id="null", x_amz_request_id="r1"))
    assert put(s3, "b", notifications)
    assert notifications.told == []
    assert put(s3, "watched", notifications)
    ((occurrences, origin, trace),) = notifications.told
    assert occurrences == [Occurrence("s3:ObjectCreated:Put", "aws/lambda/a b", 7, "e", None)]
    assert (origin.principal, origin.request_id, trace) == ("AWS:000000000000", "r1", "Root=1-a-b")
    notifications.failure = SlowDown("full")
    with pytest.raises(DependencyError, match="full"):
        put(s3, "watched", notifications)


def test_what_s3_refuses_is_tried_again() -> None:
    """A bucket that is gone is one thing; what S3 says otherwise is told as it says it."""
    assert not put(S3(Answer(404, GONE)))
    for s3, reason in (
        (S3(Answer(403, DENIED)), "s3: AccessDenied: Access Denied"),
        (S3(Answer(503)), "s3: HTTP503"),
        (S3(NeighbourUnavailable("s3: no answer")), "s3: no answer"),
        (S3(NotImplementedException("not installed")), "not installed"),
        (S3(Answer(200), is_offered=False), "--neighbour s3=URL"),
    ):
        with pytest.raises(DependencyError, match=reason):
            put(s3)


def test_a_bucket_is_looked_for() -> None:
    """Asked when it is configured; whoever configures it hears why it cannot be."""

    def exists(s3: S3) -> bool:
        return asyncio.run(buckets_of(s3).exists(SCOPE, "b"))

    assert exists(S3(Answer(200)))
    assert not exists(S3(Answer(404)))
    with pytest.raises(TargetRefuses, match="--neighbour-credentials"):
        exists(S3(Answer(403)))
    with pytest.raises(TargetRefuses, match="eu-west-1"):
        exists(S3(Answer(301, x_amz_bucket_region="eu-west-1")))
    with pytest.raises(NeighbourUnavailable, match="answered 500"):
        exists(S3(Answer(500)))
    with pytest.raises(NotImplementedException, match="--neighbour s3=URL"):
        exists(S3(Answer(200), is_offered=False))
