"""What is passed on to neighbours: how much at once, as which bytes, and what is answered when something fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from lambent.access.authentication import AnyKey
from lambent.access.authorize import Authorizer, Demand, Everything, ResourceFacts
from lambent.clock import SystemClock
from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import Session, root_of, session_of_role
from lambent.errors.families import (
    AccessDeniedException,
    ApiError,
    BodyNotAsSigned,
    DependencyError,
    InvalidSignature,
)
from lambent.gateway.proxy import Proxy
from lambent.neighbours.endpoints import Credentials, Neighbour
from lambent.neighbours.message import Outgoing
from lambent.neighbours.signing import sign
from lambent.protocol.wire import WireRequest, WireResponse

CALLER = Caller(Scope("000000000000", "us-east-1"), root_of("000000000000"), "none", "the-id", "http://x")
CLAIM = asyncio.run(AnyKey("000000000000").begin(WireRequest("GET", "/"), "s3"))
S3 = Neighbour("s3", "http://127.0.0.1:1")
DYNAMODB = Neighbour("dynamodb", "http://127.0.0.1:1")


class Answer:
    """What a neighbour answers."""

    status = 200

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = [(b"content-length", b"0")]
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""

    async def read(self, most_bytes: int) -> bytes:
        return b""

    async def aclose(self) -> None:
        self.is_closed = True


class World:
    """A proxy between a request and neighbours that keep what they get."""

    def __init__(
        self, failure: Exception | None = None, requests_max: int = 10, authorizer: Authorizer | None = None
    ) -> None:
        self.failure = failure
        self.sent: list[Outgoing] = []
        self.answers: list[Answer] = []
        self.discarded = self.reads = 0
        nobody: Any = self
        self.proxy = Proxy(nobody, nobody, authorizer or Everything(), SystemClock(), requests_max=requests_max)

    async def send(self, neighbour: Neighbour, request: Outgoing, scope: Scope) -> Answer:
        self.sent.append(request)
        self.answers.append(Answer())
        return self.answers[-1]

    async def watch(self, *_: Any) -> None:
        if self.failure is not None:
            raise self.failure

    async def configure(self, *_: Any) -> WireResponse:
        assert self.failure is not None
        raise self.failure

    async def ask(self, neighbour: Neighbour = S3, caller: Caller = CALLER, **request: Any) -> WireResponse:
        async def discard() -> None:
            self.discarded += 1

        async def read_body(most_bytes: int) -> bytes:
            self.reads += 1
            return whole

        whole = request.pop("whole", b"whole")
        made = WireRequest(**{"method": "PUT", "path": "/media/key", **request})
        made.discard = discard
        return await self.proxy.answer(neighbour, made, read_body, caller, CLAIM, is_signed=True)


@pytest.mark.parametrize("query", ["", "notification"])
@pytest.mark.parametrize(
    ("failure", "status", "code", "logged"),
    [
        (DependencyError("database is locked", retryable=True), 503, "ServiceUnavailable", "request.dependency_failed"),
        (OSError(28, "No space left on device"), 500, "ServiceException", "request.failed"),
        (ValueError("a defect"), 500, "ServiceException", "request.failed"),
    ],
)
def test_what_fails_here_is_answered_as_s3_does(
    failure: Exception, status: int, code: str, logged: str, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the request's id, in the log too; the body is read away, and what failed inside is not told."""
    world = World(failure)
    with caplog.at_level(logging.INFO, "lambent.gateway"):
        answer = asyncio.run(world.ask(query=query))
    assert answer.status == status
    assert isinstance(answer.body, bytes)
    assert f"<Code>{code}</Code>".encode() in answer.body and b"<RequestId>the-id</RequestId>" in answer.body
    assert str(failure).encode() not in answer.body
    assert any(logged in record.message and "the-id" in record.message for record in caplog.records)
    assert (world.discarded, world.proxy.requests) == (1, 0)


def test_so_many_are_passed_on_at_once() -> None:
    """One counts until its answer has been sent, or was closed; one more gets 503, and then there is room again."""
    world = World(requests_max=2)

    async def story() -> None:
        first, second = await world.ask(), await world.ask(DYNAMODB)
        assert first.ends_with_client
        refused = await world.ask()
        assert refused.status == 503
        assert isinstance(refused.body, bytes) and b"<Code>SlowDown</Code>" in refused.body
        assert (b"retry-after", b"1") in refused.headers
        assert len(world.sent) == 2 and world.discarded == 3
        for answer in (first, second, first):
            assert not isinstance(answer.body, bytes)
            await answer.body.aclose()
        assert all(answer.is_closed for answer in world.answers)
        assert world.proxy.requests == 0
        assert (await world.ask()).status == 200

    asyncio.run(story())


def test_sessions_of_ours_are_nobody_elses() -> None:
    """A function's signature means nothing elsewhere: its account's takes its place. Others' go on as sent."""
    session = session_of_role("111122223333", "r", "/", "AROA1", Session("f", 0, 1))
    function = msgspec.structs.replace(CALLER, principal=session)

    def sent(neighbour: Neighbour, caller: Caller) -> Outgoing:
        world = World()
        headers = {"content-length": "5", "host": "media.s3.localhost:4566"}
        asyncio.run(world.ask(neighbour, caller, headers=headers, path="/key"))
        (request,) = world.sent
        return request

    # What is signed here is hashed first, and addresses a bucket in its path; S3 does without the hash.
    assert (sent(DYNAMODB, function).is_own, sent(DYNAMODB, function).body) == (True, b"whole")
    assert (sent(S3, function).is_own, sent(S3, function).path) == (True, "/media/key")
    assert not isinstance(sent(S3, function).body, bytes)
    assert not sent(DYNAMODB, CALLER).is_own and not isinstance(sent(DYNAMODB, CALLER).body, bytes)
    assert (sent(S3, CALLER).is_own, sent(S3, CALLER).path) == (False, "/key")
    embedded = Neighbour("dynamodb", None)
    assert not sent(embedded, function).is_own


class Asked(Everything):
    """An authorizer that keeps what is demanded, and allows it or not."""

    is_on = True

    def __init__(self, *, allows: bool) -> None:
        self.allows = allows
        self.demands: list[tuple[str, str]] = []

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        self.demands += [(demand.action, demand.resource) for demand in demands]
        if not self.allows:
            raise AccessDeniedException("no")


PUT_ITEM = {
    "headers": {"x-amz-target": "DynamoDB_20120810.PutItem", "content-length": "17"},
    "method": "POST",
    "path": "/",
}


def test_a_body_that_says_what_is_asked_for_is_read_once_and_passed_on() -> None:
    """What is looked at is what the neighbour gets."""
    asked = Asked(allows=True)
    world = World(authorizer=asked)

    async def story() -> None:
        await world.ask(DYNAMODB, whole=b'{"TableName":"t"}', **PUT_ITEM)
        (sent,) = world.sent
        body = sent.body if isinstance(sent.body, bytes) else b"".join([piece async for piece in sent.body])
        assert body == b'{"TableName":"t"}' and sent.body_bytes == 17

    asyncio.run(story())
    assert asked.demands == [("dynamodb:PutItem", "arn:aws:dynamodb:us-east-1:000000000000:table/t")]
    assert world.reads == 1


def test_objects_are_not_read_to_be_authorized() -> None:
    asked = Asked(allows=True)
    world = World(authorizer=asked)
    asyncio.run(world.ask())
    assert asked.demands == [("s3:PutObject", "arn:aws:s3:::media/key")]
    assert world.reads == 0


@pytest.mark.parametrize(
    ("neighbour", "status", "text"),
    [(S3, 403, b"<Code>AccessDenied</Code>"), (DYNAMODB, 400, b'"__type":"AccessDeniedException"')],
)
def test_what_is_not_allowed_reaches_nobody(neighbour: Neighbour, status: int, text: bytes) -> None:
    """Each service says so in its own form."""
    world = World(authorizer=Asked(allows=False))
    request: dict[str, Any] = {} if neighbour is S3 else PUT_ITEM
    answer = asyncio.run(world.ask(neighbour, whole=b"{}", **request))
    assert isinstance(answer.body, bytes)
    assert answer.status == status and text in answer.body
    assert world.sent == []


def test_where_nobody_decides_nothing_is_read() -> None:
    world = World()
    asyncio.run(world.ask(DYNAMODB, whole=b"{}", **PUT_ITEM))
    assert world.reads == 0


def test_headers_are_the_bytes_that_came() -> None:
    """Whatever the gateway takes them for, the neighbour gets, and a signature covers, what the client sent."""
    world = World()
    came = "caf\u00e9 \u4e2d".encode()
    asyncio.run(world.ask(headers={"host": "s3.localhost", "x-amz-meta-who": came.decode("latin-1")}))
    (sent,) = world.sent
    assert sent.headers["x-amz-meta-who"].encode() == came
    signed = sign(sent, "s3", "http://127.0.0.1:1", Credentials("a", "b"), "us-east-1")
    assert signed.headers["x-amz-meta-who"].encode() == came


def test_headers_that_are_no_text_are_refused() -> None:
    """They would be other bytes behind the gateway."""
    world = World()
    answer = asyncio.run(world.ask(headers={"x-amz-meta-who": "caf\u00e9"}))
    assert answer.status == 400
    assert isinstance(answer.body, bytes)
    assert b"<Code>InvalidArgument</Code><Message>The value of the header x-amz-meta-who is" in answer.body
    assert world.sent == []


class Doubtful:
    """A claim of a body `right`: in its head where `is_hashed`, else known with the body alone."""

    principal = root_of("000000000000")
    how = "signature"

    def __init__(self, *, is_hashed: bool) -> None:
        self.needs_body = not is_hashed
        self.checked: list[bytes] = []

    def check_body(self, body: bytes) -> None:
        self.checked.append(body)
        if body != b"right":
            raise BodyNotAsSigned("another body")

    async def watch_body(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        whole = b"".join([piece async for piece in body])
        self.check_body(whole)
        yield whole


@pytest.mark.parametrize("body", [b"right", b"wrong", b""])
@pytest.mark.parametrize("is_hashed", [False, True])
@pytest.mark.parametrize("credentials", [None, Credentials("key", "secret")])
def test_only_what_was_signed_goes_on(credentials: Credentials | None, is_hashed: bool, body: bytes) -> None:
    """Whole or as it passes; and who calls is asked for leave only once it is known that they do."""
    world, claim, asked = World(), Doubtful(is_hashed=is_hashed), []

    class Asking(Everything):
        is_on = True

        async def authorize(self, *_: Any) -> None:
            asked.append(list(claim.checked))

    nobody: Any = world
    proxy = Proxy(nobody, nobody, Asking(), SystemClock(), requests_max=1)

    async def stream() -> AsyncIterator[bytes]:
        yield body

    async def read_body(most_bytes: int) -> bytes:
        return body

    async def ask() -> int:
        headers = {"content-length": str(len(body))} if body else {}
        request = WireRequest("POST", "/", headers=headers, stream=stream)
        neighbour = Neighbour("dynamodb", "http://127.0.0.1:1", credentials)
        answer = await proxy.answer(neighbour, request, read_body, CALLER, claim, is_signed=True)
        if world.sent and not isinstance(world.sent[0].body, bytes):
            try:
                _ = [piece async for piece in world.sent[0].body]
            except ApiError as error:
                # As the client of neighbours does, which breaks the request off.
                return error.status
        return answer.status

    status = asyncio.run(ask())
    assert status == (200 if body == b"right" else 403)
    assert set(claim.checked) == {body}
    if not is_hashed:
        assert [set(checked) for checked in asked] == ([{b"right"}] if body == b"right" else [])


def test_the_log_does_not_repeat_what_was_signed(caplog: pytest.LogCaptureFixture) -> None:
    """A session's token is among it, and whatever lines a stranger wants there."""
    text = "It does not match\r.\n\nThe Canonical String\n'x-amz-security-token:SECRET'\naccess.CreateKey by=nobody"
    world = World(InvalidSignature(text))
    with caplog.at_level(logging.INFO, "lambent.gateway"):
        response = asyncio.run(world.ask(query="notification", path="/bucket"))
    assert response.status == 403
    assert isinstance(response.body, bytes) and b"SECRET" in response.body
    assert [record.getMessage().partition("reason=")[2] for record in caplog.records] == ["It does not match ."]
