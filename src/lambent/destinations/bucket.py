"""S3 buckets as destinations: each record becomes an object."""

import re
from typing import Protocol

from lambent.destinations.contract import Message, NoSuchTarget
from lambent.domain.caller import Scope
from lambent.domain.destination import Target

_ARN = re.compile(r"arn:aws[a-zA-Z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""A bucket's, and of nothing in it. Documented: Amazon S3 user guide, General purpose bucket naming rules."""


class Buckets(Protocol):
    """The buckets of S3, whatever server has them: `app.py` hands over what the S3 service offers."""

    async def exists(self, scope: Scope, bucket: str) -> bool:
        """
        Say whether objects can be written into a bucket.

        Raises:
            TargetRefuses: it may be there, and takes none.
            ApiError: its server does not answer, or is not offered.
        """
        ...

    async def put(self, scope: Scope, bucket: str, key: str, body: bytes, trace_header: str | None) -> bool:
        """
        Write an object of JSON; False when there is no such bucket.

        Args:
            trace_header: what follows from the object goes on with it; None: nothing does.

        Raises:
            DependencyError: it takes nothing now.
        """
        ...


class BucketDestination:
    """Implements `Destination` for ARNs of buckets."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    async def exists(self, target: Target) -> bool:
        return _ARN.fullmatch(target.arn) is not None and await self._buckets.exists(target.scope, target.resource)

    async def deliver(self, target: Target, message: Message) -> None:
        assert message.object_key, "a record for a bucket has a key"
        trace_header = None if message.ends_chain else message.trace_header
        if not await self._buckets.put(target.scope, target.resource, message.object_key, message.body, trace_header):
            raise NoSuchTarget
