"""S3 buckets as destinations."""

import asyncio

import msgspec
import pytest

from lambent.destinations.bucket import BucketDestination
from lambent.destinations.contract import Message, NoSuchTarget
from lambent.domain.caller import Scope
from lambent.domain.destination import Target, parse_target

SCOPE = Scope("000000000000", "us-east-1")
MESSAGE = Message(b'{"k":1}', "Root=1-a-b", object_key="aws/lambda/async/f/2026/11/25/x")


def target(arn: str) -> Target:
    found = parse_target(arn)
    assert found is not None
    return found.seen_from(SCOPE)


class Door:
    """Buckets that note what is written into them."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.written: list[tuple[Scope, str, str, bytes, str | None]] = []

    async def exists(self, scope: Scope, bucket: str) -> bool:
        return scope == SCOPE and bucket in self.names

    async def put(self, scope: Scope, bucket: str, key: str, body: bytes, trace_header: str | None) -> bool:
        if bucket not in self.names:
            return False
        self.written.append((scope, bucket, key, body, trace_header))
        return True


def test_a_record_becomes_an_object() -> None:
    """Under the key that it brings, in the function's scope."""
    door = Door("failed")
    asyncio.run(BucketDestination(door).deliver(target("arn:aws:s3:::failed"), MESSAGE))
    assert door.written == [(SCOPE, "failed", MESSAGE.object_key, b'{"k":1}', "Root=1-a-b")]
    last = msgspec.structs.replace(MESSAGE, ends_chain=True)
    asyncio.run(BucketDestination(door).deliver(target("arn:aws:s3:::failed"), last))
    assert door.written[1][4] is None, "something may follow from it"


def test_a_bucket_that_is_gone_may_come_again() -> None:
    """It is no loss: the record stays where it is, and is tried again."""
    with pytest.raises(NoSuchTarget):
        asyncio.run(BucketDestination(Door()).deliver(target("arn:aws:s3:::failed"), MESSAGE))


@pytest.mark.parametrize(
    ("arn", "is_there"),
    [
        ("arn:aws:s3:::failed", True),
        ("arn:aws:s3:::other", False),
        ("arn:aws:s3:::failed/in", False),
        ("arn:aws:s3:us-east-1:000000000000:failed", False),
        ("arn:aws:s3:us-east-1:000000000000:accesspoint/failed", False),
        ("arn:aws:s3:::a b", False),
    ],
)
def test_only_buckets_are_there(arn: str, is_there: bool) -> None:
    """What names a part of one, or something else of S3, cannot be configured."""
    assert asyncio.run(BucketDestination(Door("failed", "a b", "failed/in")).exists(target(arn))) is is_there
