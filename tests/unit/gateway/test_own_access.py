"""Own paths: who gets to see all accounts' queues, and who a backup."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from lambent.access.authentication import Claim
from lambent.access.authorize import Demand
from lambent.clock import SystemClock
from lambent.domain.principal import Principal, root_of
from lambent.errors.families import AccessDeniedException, ApiError, BodyNotAsSigned, MissingAuthenticationToken
from lambent.gateway.own_access import OwnAccess
from lambent.gateway.own_paths import OwnPaths
from lambent.gateway.s3_events_door import S3EventsDoor
from lambent.protocol.wire import WireRequest

ACCOUNT = "111122223333"
PATHS = [
    ("GET", "metrics", "GetMetrics"),
    ("GET", "functions", "GetMetrics"),
    ("GET", "queues", "GetQueues"),
    ("GET", "queues/peek", "PeekQueue"),
    ("POST", "queues/purge", "PurgeQueue"),
    ("POST", "backup", "CreateBackup"),
]


class Signed:
    """A claim of a body `{}`."""

    how = "signature"
    needs_body = True

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    def check_body(self, body: bytes) -> None:
        if body != b"{}":
            raise BodyNotAsSigned("another body")

    def watch_body(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        raise AssertionError


class World:
    """Own paths behind which nothing is reached: whatever is let in fails."""

    def __init__(self, principal: Principal | None = None, *, token: str | None = None) -> None:
        self.principal = principal
        self.demanded: list[str] = []
        self.services: list[str] = []
        self.denies = False
        fakes: Any = self
        self.access = OwnAccess(fakes, fakes, "us-east-1", account=ACCOUNT, metrics_token=token)

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Claim:
        self.services.append(service)
        if self.principal is None:
            raise MissingAuthenticationToken("Missing Authentication Token")
        return Signed(self.principal)

    async def authorize(self, caller: Any, demands: Sequence[Demand], facts: Any = None) -> None:
        self.demanded += [demand.action for demand in demands]
        if self.denies:
            raise AccessDeniedException("no policy allows it")

    def ask(self, method: str, path: str, body: bytes = b"{}", **headers: str) -> int:
        async def stream() -> AsyncIterator[bytes]:
            yield body

        nowhere: Any = None
        door = S3EventsDoor(nowhere, "s3-token", SystemClock())
        paths = OwnPaths(nowhere, nowhere, healthy, nowhere, nowhere, nowhere, door, self.access)
        request = WireRequest(method, f"/_lambent/{path}", headers=headers, stream=stream)
        return asyncio.run(paths.answer(request, "id")).status


async def healthy() -> dict[str, str]:
    return {"version": "1"}


LET_IN = {400, 500}
"""Behind the door there is nothing, or a parameter is lacking."""


def test_what_is_asked_of_whom() -> None:
    """Each needs leave for an action of its own name."""
    for method, path, verb in PATHS:
        world = World(root_of(ACCOUNT))
        assert world.ask(method, path, **{"content-type": "application/json"}) in LET_IN
        assert (world.services, world.demanded) == (["lambent"], [f"lambent:{verb}"])


@pytest.mark.parametrize(("method", "path", "verb"), PATHS)
def test_who_is_not_let_in(method: str, path: str, verb: str) -> None:
    """Nobody, somebody of another account, without leave, or with another body than the signed one."""
    headers = {"content-type": "application/json"}
    assert World().ask(method, path, **headers) == 403
    assert World(root_of("444455556666")).ask(method, path, **headers) == 403
    world = World(root_of(ACCOUNT))
    assert world.ask(method, path, b"[]", **headers) == 403
    assert world.ask(method, path, b"x" * 70_000, **headers) == 413
    assert world.demanded == []
    world.denies = True
    assert world.ask(method, path, **headers) == 403
    assert world.demanded == [f"lambent:{verb}"]


def test_what_is_open() -> None:
    """That the server lives is nobody's secret; events of S3 servers have a token of their own."""
    assert World().ask("GET", "health") == 200
    assert World().ask("GET", "s3/events") == 200
    assert World().ask("POST", "s3/events") == 403


def test_a_scraper() -> None:
    """The token for metrics opens metrics, and nothing else."""
    world = World(token="secret")
    assert world.ask("GET", "metrics", authorization="Bearer secret") == 500
    for wrong in ("Bearer secrets", "secret", "Bearer", "Bearer sécret"):
        assert world.ask("GET", "metrics", authorization=wrong) == 403
    assert world.ask("GET", "queues", authorization="Bearer secret") == 403
    assert World().ask("GET", "metrics", authorization="Bearer None") == 403


def test_where_any_key_is_taken() -> None:
    """Nobody is asked for an account; leave is needed all the same."""
    world = World(root_of("444455556666"))
    fakes: Any = world
    access = OwnAccess(fakes, fakes, "us-east-1")

    async def body() -> AsyncIterator[bytes]:
        yield b"{}"

    request = WireRequest("GET", "/_lambent/queues", stream=body)
    caller = asyncio.run(access.admit(request, "GetQueues", "id"))
    assert caller.scope.account == "444455556666"
    world.denies = True
    with pytest.raises(ApiError):
        asyncio.run(access.admit(request, "GetQueues", "id"))
