"""What buckets' requests do to their configurations, whichever way a bucket goes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lambent.clock import SystemClock
from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.gateway.bucket_events import BucketEvents
from lambent.neighbours.endpoints import Neighbour
from lambent.protocol.wire import WireRequest
from lambent.services.s3.addressing import Address
from lambent.services.s3.errors import NoSuchBucket

CALLER = Caller(Scope("000000000000", "us-east-1"), root_of("000000000000"), "none", "the-id", "http://x")
S3 = Neighbour("s3", "http://127.0.0.1:1")


class Answer:
    """What the S3 server says."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.headers: list[tuple[bytes, bytes]] = []

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""

    async def read(self, most_bytes: int) -> bytes:
        return b""

    async def aclose(self) -> None:
        return


class World:
    """One configured bucket, of which the S3 server says the same whatever it is asked."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.forgotten: list[str] = []
        nobody: Any = self
        self.events = BucketEvents(nobody, nobody, SystemClock())

    async def send(self, *_: Any) -> Answer:
        return Answer(self.status)

    async def forget(self, bucket: str) -> None:
        self.forgotten.append(bucket)


@pytest.mark.parametrize(("status", "forgotten"), [(204, ["media"]), (404, ["media"]), (409, []), (403, []), (500, [])])
def test_a_bucket_that_is_gone_is_forgotten(status: int, forgotten: list[str]) -> None:
    """Deleted now, or round us before; one that stays keeps its configuration."""
    world = World(status)

    async def story() -> None:
        where = Address("media", None, "/media")
        watch = await world.events.watch(S3, WireRequest("DELETE", "/media"), where, CALLER)
        assert watch is not None
        assert (await watch.after(Answer(status))).status == status

    asyncio.run(story())
    assert world.forgotten == forgotten


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_configuration_of_no_bucket_is_forgotten(method: str) -> None:
    """The server behind says that there is none: what was configured for an earlier one is not for a later one."""
    world = World(404)

    async def read_body(most_bytes: int) -> bytes:
        return b""

    request = WireRequest(method, "/media", "notification")
    with pytest.raises(NoSuchBucket):
        asyncio.run(world.events.configure(S3, request, read_body, "media", CALLER))
    assert world.forgotten == ["media"]
