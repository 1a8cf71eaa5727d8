"""Streams that begin with a prelude, and what becomes of a request that its function cannot answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from lambent.clock import SystemClock
from lambent.dispatch.function_urls import UrlRoute
from lambent.domain.caller import Scope
from lambent.domain.cors import Cors
from lambent.domain.function import LATEST, Code, Configuration, FunctionName, FunctionVersion, State
from lambent.domain.function_url import NONE, FunctionUrl, UrlDomain
from lambent.domain.http_answer import PRELUDE_MAX_BYTES, PRELUDE_TYPE
from lambent.domain.invocation import FunctionError, InvocationOutcome, StreamEnd
from lambent.domain.policy import Policies
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import ServiceException, SnapStartException, TooManyRequestsException
from lambent.errors.families import ApiError, DependencyError
from lambent.gateway.function_url import FunctionUrls
from lambent.gateway.signed_callers import SignedCallers
from lambent.protocol.wire import BodyTooLarge, ClientGone, WireRequest, WireResponse

URL_ID = "abcdefghijklmnopqrstuvwxyz012345"
HOST = f"{URL_ID}.lambda-url.us-east-1.localhost"
NUL = b"\0" * 8


class Pieces:
    """A streamed response whose pieces and end are there already; knows whether it was closed."""

    def __init__(self, *pieces: bytes, error: FunctionError | None = None) -> None:
        self._pieces = list(pieces)
        self._error = error
        self.end: StreamEnd | None = None
        self.is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if pieces := await self.take():
            return b"".join(pieces)
        raise StopAsyncIteration

    async def take(self) -> list[bytes | bytearray]:
        if self._pieces:
            return [self._pieces.pop(0)]
        self.end = StreamEnd(self._error)
        return []

    def when_ended(self, call: Callable[[], None]) -> None:
        call()

    def close(self) -> None:
        self.is_closed = True


class Stage:
    """The one URL that there is, and what its invocations come to."""

    def __init__(self, result: InvocationOutcome | Exception, state: State = State.ACTIVE) -> None:
        self.result = result
        self.state = state
        self.ran: list[dict[str, Any]] = []
        self.cors: Cors | None = None
        self.auth_type = NONE
        self.is_open: bool | None = True
        self.policy: Policies | None = None
        self.callers: SignedCallers | None = None
        """Nobody looks for a signature where none is needed."""
        self.body = b""
        self.read: list[int] = []

    async def find(self, url_id: str) -> UrlRoute | None:
        assert url_id == URL_ID
        scope = Scope("000000000000", "us-east-1")
        url = FunctionUrl(scope, FunctionName("f"), "", url_id, 0, 0, "RESPONSE_STREAM", self.cors, self.auth_type)
        return UrlRoute(url, self.is_open, self.policy)

    async def resolve(self, scope: Scope, name: FunctionName, qualifier: str | None) -> FunctionVersion:
        return FunctionVersion(
            scope=scope,
            name=name,
            version=LATEST,
            function_id="id",
            configuration=Configuration("python3.11", "app.handler", "role"),
            code=Code("0" * 64, 1),
            revision_id="r",
            last_modified=0.0,
            state=self.state,
        )

    async def run(self, *_: Any, **given: Any) -> tuple[InvocationOutcome, str]:
        self.ran.append(given)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result, given["trace_header"]

    def ask(self, **changes: Any) -> WireResponse:
        urls: Any = FunctionUrls(
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self.callers,  # type: ignore[arg-type]
            None,
            UrlDomain("http", "localhost", ":4566"),
            Quotas(),
            SystemClock(),
        )

        async def read_body(most_bytes: int) -> bytes:
            self.read.append(most_bytes)
            return self.body

        given = {"method": "GET", "path": "/", "headers": {"host": HOST}, "pairs": [(b"host", HOST.encode())]}
        response: WireResponse = asyncio.run(urls.answer(WireRequest(**{**given, **changes}), read_body, "request-1"))
        return response


def streamed(stream: Pieces, content_type: str = PRELUDE_TYPE) -> WireResponse:
    return Stage(InvocationOutcome(b"", LATEST, content_type=content_type, stream=stream)).ask()


async def _gather(body: Any) -> bytes:
    got = b""
    try:
        async for piece in body:
            assert piece
            got += piece
    finally:
        await body.aclose()
    return got


def whole(response: WireResponse) -> bytes:
    return asyncio.run(_gather(response.body))


PRELUDE = b'{"statusCode": 201, "headers": {"x": "\\u0000"}}'.replace(b"\\u0000", b"y")
STREAM = PRELUDE + NUL + b"\0body\0"


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, len(PRELUDE) + 4, len(PRELUDE) + 8, len(STREAM)])
def test_a_prelude_in_any_pieces(size: int) -> None:
    """Wherever the pieces end, the head is the same, and the rest begins right behind the eight NULs."""
    stream = Pieces(*(STREAM[at : at + size] for at in range(0, len(STREAM), size)))
    response = streamed(stream)
    assert (response.status, response.headers[0]) == (201, (b"x", b"y"))
    assert whole(response) == b"\0body\0"
    assert stream.is_closed


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"{}",),
        (b"{}" + NUL[:7],),
        (b"[]" + NUL,),
        (b" " * PRELUDE_MAX_BYTES, b" "),
        (b" " * (PRELUDE_MAX_BYTES + 1) + NUL,),
    ],
)
def test_no_prelude_where_there_should_be_one(pieces: tuple[bytes, ...]) -> None:
    """502, and the stream is let go."""
    stream = Pieces(*pieces)
    response = streamed(stream)
    assert (response.status, response.body) == (502, b"Internal Server Error")
    assert stream.is_closed


def test_a_failure_before_and_in_the_middle() -> None:
    """Before anything was sent it is 502; later it breaks the response off."""
    error = FunctionError(error_type="E")
    for content_type in (PRELUDE_TYPE, "text/plain"):
        assert streamed(Pieces(error=error), content_type).status == 502
    for stream, content_type in ((Pieces(STREAM, error=error), PRELUDE_TYPE), (Pieces(b"a", error=error), "a/b")):
        response = streamed(stream, content_type)
        with pytest.raises(ApiError, match="in the midst of its response: E"):
            whole(response)
        assert stream.is_closed


def test_statuses_without_a_body_let_the_stream_go() -> None:
    """Nobody reads what the function writes behind a 204."""
    stream = Pieces(b'{"statusCode": 204}' + NUL, b"body")
    response = streamed(stream)
    assert (response.status, response.body, stream.is_closed) == (204, b"", True)


@pytest.mark.parametrize(
    ("failure", "status", "body"),
    [
        (
            TooManyRequestsException("Rate Exceeded.", fields={"Reason": "R", "retryAfterSeconds": "1"}),
            429,
            b'{"Reason":"R","message":"Rate Exceeded."}',
        ),
        (ServiceException("no room"), 500, b"Internal Server Error"),
        (DependencyError("store", retryable=True), 500, b"Internal Server Error"),
        (SnapStartException("hook"), 502, b"Internal Server Error"),
        (ValueError("a defect"), 500, b"Internal Server Error"),
    ],
)
def test_what_keeps_a_function_from_running(failure: Exception, status: int, body: bytes) -> None:
    """It is told by the status alone, but for limits: a client that waits may come again."""
    response = Stage(failure).ask()
    assert (response.status, response.body) == (status, body)
    assert (b"x-amzn-requestid", b"request-1") in response.headers
    assert ((b"retry-after", b"1") in response.headers) is (status == 429)


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (TooManyRequestsException("Rate Exceeded."), 429),
        (BodyTooLarge(), 413),
        (ServiceException("no room"), 500),
        (ValueError("a defect"), 500),
    ],
)
def test_a_page_that_may_read_answers_reads_refusals(failure: Exception, status: int) -> None:
    """Else a browser tells its page of an origin that is not allowed, and not to come again later."""
    stage = Stage(failure)
    stage.cors = Cors(allow_origins=("*",))
    headers = {"host": HOST, "origin": "https://a.example"}
    response = stage.ask(headers=headers)
    assert response.status == status
    assert response.headers.count((b"access-control-allow-origin", b"*")) == 1


def test_a_function_that_is_not_ready() -> None:
    """502: no client can do anything about it."""
    stage = Stage(InvocationOutcome(b"1", LATEST), State.PENDING)
    assert (stage.ask().status, stage.ran) == (502, [])


def test_a_client_that_left() -> None:
    """Nobody waits for an answer."""
    with pytest.raises(ClientGone):
        Stage(ClientGone()).ask()


@pytest.mark.parametrize(
    ("pairs", "protocol", "status"),
    [
        ([(b"host", HOST.encode())], "HTTP/1.1", 200),
        ([(b"host", HOST.encode())] * 2, "HTTP/1.1", 400),
        ([], "HTTP/1.1", 400),
        ([], "HTTP/1.0", 200),
    ],
)
def test_one_host(pairs: list[tuple[bytes, bytes]], protocol: str, status: int) -> None:
    """Two name two things to two servers."""
    stage = Stage(InvocationOutcome(b"1", LATEST))
    response = stage.ask(pairs=pairs, protocol=protocol, headers={}, path=f"/_lambent/url/{URL_ID}")
    assert (response.status, len(stage.ran)) == (status, int(status == 200))


def test_the_trace_and_what_a_client_says_of_itself() -> None:
    """A root is made where none is given; X-Forwarded-For is ours."""
    stage = Stage(InvocationOutcome(b"1", LATEST))
    stage.ask(pairs=[(b"host", HOST.encode()), (b"x-forwarded-for", b"192.0.2.1")], client="127.0.0.7")
    (given,) = stage.ran
    assert given["trace_header"].startswith("Root=1-")
    assert b'"x-forwarded-for":"127.0.0.7"' in given["payload"]
    assert b'"sourceIp":"127.0.0.7"' in given["payload"]
    assert given["wants_stream"] is True
