"""The gateway's own paths answer, whatever fails behind them."""

import asyncio
from typing import Any

import pytest

from lambent.clock import SystemClock
from lambent.errors.families import DependencyError
from lambent.gateway.own_paths import OwnPaths
from lambent.gateway.s3_events_door import S3EventsDoor
from lambent.protocol.wire import WireRequest

EVENT = b'{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}'


@pytest.mark.parametrize(
    ("failure", "status"), [(DependencyError("database is locked", retryable=True), 503), (OSError("a defect"), 500)]
)
def test_a_door_behind_which_something_fails(failure: Exception, status: int, caplog: pytest.LogCaptureFixture) -> None:
    """JSON with a status by which S3 servers send their events again; the log says why."""

    class Notifications:
        async def of(self, bucket: str) -> None:
            raise failure

    async def body() -> Any:
        yield EVENT

    notifications: Any = Notifications()
    nowhere: Any = None
    door = S3EventsDoor(notifications, "token", SystemClock())
    paths = OwnPaths(nowhere, nowhere, nowhere, nowhere, nowhere, nowhere, door, nowhere)
    request = WireRequest("POST", "/_lambent/s3/events", headers={"authorization": "Bearer token"}, stream=body)
    answer = asyncio.run(paths.answer(request, "the-id"))
    assert answer.status == status
    assert (b"content-type", b"application/json") in answer.headers
    assert any("the-id" in record.message for record in caplog.records)
