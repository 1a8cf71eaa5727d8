"""The Runtime API, spoken to in bytes over real sockets."""

import asyncio
import base64
import contextlib
import gc
import json
import logging
import socket
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from lambent.access.secrets import Credentials
from lambent.domain.invocation import Invocation
from lambent.runtime_api import server
from lambent.runtime_api.contract import Inflow, NextCall, Post, RestoreCall, Verdict
from lambent.runtime_api.long_body import READ_BYTES, LongBody
from lambent.runtime_api.server import BODIES_MAX, CONNECTIONS_MAX, HEAD_BYTES_MAX, RuntimeApiListener, serve

RESPONSE_MAX_BYTES = 300_000
STREAM_MAX_BYTES = 1_000_000
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
CREDENTIALS = Credentials("ASIA1", "secret", "token", 1_800_000_000.0)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:hello"
TRACE = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"
DEADLINE_MS = 1_542_409_706_888


def invocation(payload: bytes = b'{"a":1}', **changes: Any) -> Invocation:
    fields: dict[str, Any] = {"request_id": REQUEST_ID, "invoked_arn": ARN, "payload": payload, "trace_header": TRACE}
    return Invocation(**(fields | changes))


class RecordedEvents:
    """What happened, in order; answers what it was told to answer."""

    def __init__(self) -> None:
        self.happened: list[tuple[str, Any]] = []
        self.next_calls: list[NextCall] = []
        self.restore_calls: list[RestoreCall] = []
        self.verdict = Verdict.ACCEPTED
        self.ready: list[Invocation] = []
        """Delivered from within the Next that asks, as after an init."""
        self.next_asked = asyncio.Event()
        self.takes_streams = False
        self.inflows: list[Inflow] = []
        self.pieces = bytearray()
        """Of streamed responses."""
        self.limits: list[int] = []
        """Of bodies that went beyond one."""

    def next_requested(self, call: NextCall) -> Verdict:
        self.happened.append(("next", None))
        self.next_asked.set()
        if self.verdict is Verdict.ACCEPTED:
            self.next_calls.append(call)
            if self.ready:
                call.deliver(self.ready.pop(0), DEADLINE_MS)
        return self.verdict

    def response_posted(self, request_id: str, post: Post) -> Verdict:
        self.happened.append(("response", (request_id, post)))
        return self.verdict

    def response_too_large(self, request_id: str, limit_bytes: int) -> Verdict:
        self.happened.append(("too large", request_id))
        self.limits.append(limit_bytes)
        return Verdict.TOO_LARGE if self.verdict is Verdict.ACCEPTED else self.verdict

    def response_begun(self, request_id: str, content_type: str, inflow: Inflow) -> bool:
        if self.takes_streams:
            self.happened.append(("begun", (request_id, content_type)))
            self.inflows.append(inflow)
        return self.takes_streams

    def response_piece(self, request_id: str, piece: bytes) -> None:
        assert request_id == REQUEST_ID
        self.pieces += piece

    def response_ended(self, request_id: str) -> Verdict:
        self.happened.append(("ended", request_id))
        return self.verdict

    def response_broken(self, request_id: str) -> None:
        self.happened.append(("broken", request_id))

    def error_posted(self, request_id: str, post: Post) -> Verdict:
        self.happened.append(("error", (request_id, post)))
        return self.verdict

    def init_error_posted(self, post: Post) -> Verdict:
        self.happened.append(("init error", post))
        return self.verdict

    def restore_requested(self, call: RestoreCall) -> Verdict:
        self.happened.append(("restore", None))
        self.next_asked.set()
        if self.verdict is Verdict.ACCEPTED:
            self.restore_calls.append(call)
        return self.verdict

    def restore_error_posted(self, post: Post) -> Verdict:
        self.happened.append(("restore error", post))
        return self.verdict

    def credentials_requested(self, token: str) -> Credentials | None:
        return CREDENTIALS if token == "right" else None

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.happened]


class Client:
    """A runtime's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(status_line.split(" ")[1]), headers, body

    async def ask(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        self.send(data)
        return await self.answer()


class Api:
    """A served Runtime API and the connections that a test opened to it."""

    def __init__(self, events: RecordedEvents, listener: RuntimeApiListener, address: tuple[str, int]) -> None:
        self.events = events
        self.listener = listener
        self.address = address
        self._clients: list[Client] = []

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection(*self.address))
        self._clients.append(client)
        return client

    async def close(self) -> None:
        for client in self._clients:
            client.writer.close()
        self.listener.close()
        # Closed transports tell their protocols in the loop's next turns.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def run(story: Callable[[Api], Awaitable[None]]) -> None:
    async def told() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            events = RecordedEvents()
            api = Api(
                events, await serve(listener, events, RESPONSE_MAX_BYTES, STREAM_MAX_BYTES), listener.getsockname()
            )
            try:
                await asyncio.wait_for(story(api), 120)
            finally:
                await api.close()

    uvloop.run(told())


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something that only the other side of a socket can bring about is so."""
    while not condition():  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0.001)


def get(path: str, *headers: str) -> bytes:
    lines = "".join(f"{header}\r\n" for header in ("Host: 127.0.0.1:9001", *headers))
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = "".join(f"{header}\r\n" for header in ("Host: 127.0.0.1:9001", f"Content-Length: {len(body)}", *headers))
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


def chunked(path: str, chunks: list[bytes], *headers: str, trailers: tuple[str, ...] = ()) -> bytes:
    lines = "".join(f"{header}\r\n" for header in ("Host: h", "Transfer-Encoding: chunked", *headers))
    head = f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    ending = "".join(f"{trailer}\r\n" for trailer in trailers)
    return head + body + f"0\r\n{ending}\r\n".encode("latin-1")


NEXT = get("/2018-06-01/runtime/invocation/next")
RESPONSE = f"/2018-06-01/runtime/invocation/{REQUEST_ID}/response"
ERROR = f"/2018-06-01/runtime/invocation/{REQUEST_ID}/error"
INIT_ERROR = "/2018-06-01/runtime/init/error"
ACCEPTED = (202, b'{"status":"OK"}\n')


def test_next_carries_every_header_that_clients_rely_on() -> None:
    """RT-05: content type, request id, deadline, ARN and trace id are there; what has no value is left out."""

    async def story(api: Api) -> None:
        api.events.ready = [invocation()]
        status, headers, body = await (await api.connect()).ask(NEXT)
        assert (status, body) == (200, b'{"a":1}')
        assert headers == {
            "content-type": "application/json",
            "lambda-runtime-aws-request-id": REQUEST_ID,
            "lambda-runtime-deadline-ms": str(DEADLINE_MS),
            "lambda-runtime-invoked-function-arn": ARN,
            "lambda-runtime-trace-id": TRACE,
            "content-length": "7",
        }

    run(story)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('{"custom":{"k":"v"}}', '{"custom":{"k":"v"}}'),
        ('{"custom":{"k":"é 😀"}}', '{"custom":{"k":"\\u00e9 \\ud83d\\ude00"}}'),
        ('{\r\n  "k":\t"v"\n}', '{    "k": "v" }'),
        ('{"k":"v"}\r\nLambda-Runtime-Aws-Request-Id: forged', '{"k":"v"}  Lambda-Runtime-Aws-Request-Id: forged'),
    ],
)
def test_a_client_context_is_one_line_of_ascii_that_means_the_same(given: str, sent: str) -> None:
    """What a caller wrote cannot become another header, and reads the same however a client decodes headers."""

    async def story(api: Api) -> None:
        api.events.ready = [invocation(client_context=given)]
        _, headers, _ = await (await api.connect()).ask(NEXT)
        assert headers["lambda-runtime-client-context"] == sent
        assert headers["lambda-runtime-aws-request-id"] == REQUEST_ID

    run(story)


def test_next_waits_until_there_is_work_and_the_connection_is_kept() -> None:
    """One connection serves invocation after invocation: Next waits, the answer is accepted, Next waits again."""

    async def story(api: Api) -> None:
        client = await api.connect()
        for number in range(3):
            api.events.next_asked.clear()
            client.send(NEXT)
            await api.events.next_asked.wait()
            api.events.next_calls.pop().deliver(invocation(b"%d" % number), DEADLINE_MS)
            status, _, body = await client.answer()
            assert (status, body) == (200, b"%d" % number)
            status, _, body = await client.ask(post(RESPONSE, b'"done"', "Content-Type: application/json"))
            assert (status, body) == ACCEPTED
        assert api.events.names == ["next", "response"] * 3

    run(story)


def test_next_sent_in_pieces_or_in_another_form_is_the_same_next() -> None:
    """After a Next was seen once, one that comes cut in two, with other headers or behind a post is seen as well."""

    async def story(api: Api) -> None:
        client = await api.connect()
        api.events.ready = [invocation(b"%d" % number) for number in range(6)]
        assert (await client.ask(NEXT))[2] == b"0"
        assert (await client.ask(NEXT))[2] == b"1"
        client.send(NEXT[:20])
        await asyncio.sleep(0.01)
        assert (await client.ask(NEXT[20:]))[2] == b"2"
        assert (await client.ask(get("/2018-06-01/runtime/invocation/next", "X-Other: 1")))[2] == b"3"
        client.send(post(RESPONSE, b"1") + NEXT)
        assert (await client.answer())[0] == 202
        assert (await client.answer())[2] == b"4"
        assert (await client.ask(NEXT))[2] == b"5"

    run(story)


def test_a_large_event_arrives_whole() -> None:
    """An event of six megabytes is delivered as it is."""

    async def story(api: Api) -> None:
        payload = json.dumps("x" * 6_000_000).encode()
        api.events.ready = [invocation(payload), invocation()]
        client = await api.connect()
        assert (await client.ask(NEXT))[2] == payload
        assert (await client.ask(NEXT))[2] == b'{"a":1}'

    run(story)


def test_a_next_that_is_refused_gets_403_and_may_be_repeated() -> None:
    """Asking at the wrong time is answered, and harms nothing."""

    async def story(api: Api) -> None:
        client = await api.connect()
        api.events.verdict = Verdict.INVALID_STATE
        status, _, body = await client.ask(NEXT)
        assert (status, json.loads(body)["errorType"]) == (403, "InvalidStateTransition")
        api.events.verdict = Verdict.ACCEPTED
        api.events.ready = [invocation()]
        assert (await client.ask(NEXT))[0] == 200

    run(story)


def test_a_next_whose_connection_died_takes_its_delivery_silently() -> None:
    """Delivering to a connection that is gone does nothing; the next connection asks anew."""

    async def story(api: Api) -> None:
        client = await api.connect()
        client.send(NEXT)
        await api.events.next_asked.wait()
        client.writer.transport.abort()
        (call,) = api.events.next_calls
        await until(lambda: api.listener.connection_count == 0)
        call.deliver(invocation(), DEADLINE_MS)
        api.events.ready = [invocation()]
        assert (await (await api.connect()).ask(NEXT))[0] == 200

    run(story)


def test_requests_behind_a_waiting_next_are_answered_in_their_turn() -> None:
    """Pipelining is safe: nothing overtakes a Next that waits."""

    async def story(api: Api) -> None:
        client = await api.connect()
        client.send(NEXT + post(RESPONSE, b"1") + get("/ping") + NEXT)
        await api.events.next_asked.wait()
        assert api.events.names == ["next"]
        client.send(get("/ping"))
        api.events.next_asked.clear()
        api.events.next_calls.pop().deliver(invocation(b"first"), DEADLINE_MS)
        assert [await client.answer() for _ in range(3)] == [
            (200, *_rest(b"first")),
            (202, {"content-type": "application/json", "content-length": "16"}, b'{"status":"OK"}\n'),
            (200, {"content-type": "text/plain", "content-length": "4"}, b"pong"),
        ]
        await api.events.next_asked.wait()
        api.events.next_calls.pop().deliver(invocation(b"second"), DEADLINE_MS)
        assert (await client.answer())[2] == b"second"
        assert (await client.answer())[2] == b"pong"

    def _rest(payload: bytes) -> tuple[dict[str, str], bytes]:
        return {
            "content-type": "application/json",
            "lambda-runtime-aws-request-id": REQUEST_ID,
            "lambda-runtime-deadline-ms": str(DEADLINE_MS),
            "lambda-runtime-invoked-function-arn": ARN,
            "lambda-runtime-trace-id": TRACE,
            "content-length": str(len(payload)),
        }, payload

    run(story)


def test_a_response_is_handed_on_as_it_came() -> None:
    """Body and content type are untouched, whatever they are; the error type header is kept for errors."""

    async def story(api: Api) -> None:
        client = await api.connect()
        sent = post(RESPONSE, b"\x00\xff{", "content-type: application/x-www-form-urlencoded")
        assert (await client.ask(sent))[::2] == ACCEPTED
        sent = post(ERROR, b'{"errorType":"E"}', "LAMBDA-RUNTIME-FUNCTION-ERROR-TYPE: Function<ArgumentError>")
        assert (await client.ask(sent))[::2] == ACCEPTED
        assert (await client.ask(post(INIT_ERROR, b"{}", "Lambda-Runtime-Function-Error-Type: Runtime.Bad")))[
            ::2
        ] == ACCEPTED
        assert api.events.happened == [
            ("response", (REQUEST_ID, Post(b"\x00\xff{", "application/x-www-form-urlencoded"))),
            ("error", (REQUEST_ID, Post(b'{"errorType":"E"}', "application/json", "Function<ArgumentError>"))),
            ("init error", Post(b"{}", "application/json", "Runtime.Bad")),
        ]

    run(story)


def test_the_cause_of_an_error_is_for_its_trace() -> None:
    """In a header of its own: JSON, passed on as it is."""

    async def story(api: Api) -> None:
        client = await api.connect()
        header = "Lambda-Runtime-Function-XRay-Error-Cause: " + '{"exceptions":[]}'
        for path in (ERROR, INIT_ERROR):
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{header}\r\nContent-Length: 2\r\n\r\n"
            assert (await client.ask(head.encode() + b"{}"))[0] == 202
        posts = [api.events.happened[0][1][1], api.events.happened[1][1]]
        assert [post.cause for post in posts] == ['{"exceptions":[]}'] * 2

    run(story)


def test_an_empty_response_is_a_response() -> None:
    """A body of no bytes is accepted, with and without a length of zero in chunks."""

    async def story(api: Api) -> None:
        client = await api.connect()
        assert (await client.ask(post(RESPONSE, b"")))[0] == 202
        assert (await client.ask(chunked(RESPONSE, [])))[0] == 202
        assert [what[1].body for _, what in api.events.happened] == [b"", b""]

    run(story)


@pytest.mark.parametrize(
    ("verdict", "status", "error_type"),
    [
        (Verdict.INVALID_REQUEST_ID, 400, "InvalidRequestID"),
        (Verdict.INVALID_STATE, 403, "InvalidStateTransition"),
        (Verdict.TOO_LARGE, 413, "RequestEntityTooLarge"),
    ],
)
@pytest.mark.parametrize("path", [RESPONSE, ERROR, INIT_ERROR])
def test_each_verdict_has_its_answer(path: str, verdict: Verdict, status: int, error_type: str) -> None:
    """A refused post gets the status and the error type of the Runtime API, and the connection lives."""

    async def story(api: Api) -> None:
        client = await api.connect()
        api.events.verdict = verdict
        answered, headers, body = await client.ask(post(path, b"{}"))
        assert (answered, json.loads(body)["errorType"]) == (status, error_type)
        assert headers["content-type"] == "application/json"
        assert (await client.ask(get("/2018-06-01/ping")))[2] == b"pong"

    run(story)


def test_credentials_are_for_who_has_the_token() -> None:
    """As SDKs read them; whoever shows another token, or none, learns nothing."""

    async def story(api: Api) -> None:
        client = await api.connect()
        status, headers, body = await client.ask(get("/2021-04-23/credentials", "Authorization: right"))
        assert (status, headers["content-type"]) == (200, "application/json")
        assert json.loads(body) == {
            "AccessKeyId": "ASIA1",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": "2027-01-15T08:00:00Z",
        }
        for shown in (["Authorization: wrong"], ["Authorization: "], []):
            status, _, body = await client.ask(get("/2021-04-23/credentials", *shown))
            assert (status, body) == (404, b"cannot get credentials for the provided token\n")

    run(story)


def test_chunks_are_put_together_and_empty_trailers_mean_nothing() -> None:
    """The Go client always sends chunks and declares error trailers that it leaves away or empty."""

    async def story(api: Api) -> None:
        client = await api.connect()
        declared = "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
        mode = "Lambda-Runtime-Function-Response-Mode: streaming"
        assert (await client.ask(chunked(RESPONSE, [b'{"a"', b":", b"1}"], declared, mode)))[0] == 202
        empty = ("Lambda-Runtime-Function-Error-Type: ", "Lambda-Runtime-Function-Error-Body: ")
        assert (await client.ask(chunked(RESPONSE, [b"2"], declared, mode, trailers=empty)))[0] == 202
        assert (await client.ask(chunked(ERROR, [b"3"], declared)))[0] == 202
        assert api.events.names == ["response", "response", "error"]
        assert [what[1].body for _, what in api.events.happened] == [b'{"a":1}', b"2", b"3"]

    run(story)


@pytest.mark.parametrize(
    ("encoded", "body"),
    [(base64.b64encode(b'{"errorMessage":"late"}').decode(), b'{"errorMessage":"late"}'), ("no base64", b"no base64")],
)
def test_a_stream_that_fails_midway_is_an_error(encoded: str, body: bytes) -> None:
    """Error trailers after a streamed response make it a failed one; their body is the error's."""

    async def story(api: Api) -> None:
        trailers = (
            "Lambda-Runtime-Function-Error-Type: Runtime.Late",
            f"Lambda-Runtime-Function-Error-Body: {encoded}",
        )
        sent = chunked(RESPONSE, [b"half"], "Lambda-Runtime-Function-Response-Mode: streaming", trailers=trailers)
        assert (await (await api.connect()).ask(sent))[0] == 202
        assert api.events.happened == [("error", (REQUEST_ID, Post(body, "application/json", "Runtime.Late")))]

    run(story)


def test_an_unknown_response_mode_fails_the_invocation() -> None:
    """Only `streaming` is a response mode; another gets 400 and ends the invocation with an empty body."""

    async def story(api: Api) -> None:
        client = await api.connect()
        sent = post(RESPONSE, b"1", "Lambda-Runtime-Function-Response-Mode: sideways")
        status, _, body = await client.ask(sent)
        assert (status, json.loads(body)["errorType"]) == (400, "InvalidFunctionResponseMode")
        failed = Post(b"", "application/json", "Runtime.InvalidResponseModeHeader")
        assert api.events.happened == [("error", (REQUEST_ID, failed))]
        api.events.verdict = Verdict.INVALID_REQUEST_ID
        assert json.loads((await client.ask(sent))[2])["errorType"] == "InvalidRequestID"

    run(story)


@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_body_beyond_the_limit_is_thrown_away_and_refused(in_chunks: bool) -> None:
    """A response that is too large gets 413 with the limit in its text; the connection goes on."""

    async def story(api: Api) -> None:
        client = await api.connect()
        body = b"x" * (RESPONSE_MAX_BYTES + 1)
        sent = chunked(RESPONSE, [body[:7], body[7:]]) if in_chunks else post(RESPONSE, body)
        status, _, answer = await client.ask(sent)
        assert status == 413
        assert json.loads(answer) == {
            "errorMessage": f"Exceeded maximum allowed payload size ({RESPONSE_MAX_BYTES} bytes).",
            "errorType": "RequestEntityTooLarge",
        }
        assert (await client.ask(post(RESPONSE, body[1:])))[0] == 202
        assert (await client.ask(post(ERROR, body)))[0] == 413
        assert (await client.ask(post(INIT_ERROR, body)))[0] == 413
        assert api.events.names == ["too large", "response", "too large"]

    run(story)


def test_a_client_that_wants_to_be_asked_for_its_body_is() -> None:
    """`Expect: 100-continue` is answered before the body comes."""

    async def story(api: Api) -> None:
        client = await api.connect()
        head, body = post(RESPONSE, b"12345", "Expect: 100-continue").split(b"\r\n\r\n")
        assert (await client.ask(head + b"\r\n\r\n"))[0] == 100
        assert (await client.ask(body))[0] == 202

    run(story)


def test_what_is_not_there_gets_404_in_json() -> None:
    """Unknown paths and methods are answered, and the connection lives."""

    async def story(api: Api) -> None:
        client = await api.connect()
        for request in (
            get("/"),
            get("/2018-06-01/runtime/nothing"),
            get(RESPONSE),
            post("/2018-06-01/runtime/invocation/next", b""),
            post(f"/2018-06-01/runtime/invocation/{REQUEST_ID}/other", b""),
            post("/2020-01-01/extension/register", b"{}"),
            b"DELETE /ping HTTP/1.1\r\n\r\n",
        ):
            status, headers, body = await client.ask(request)
            assert (status, headers["content-type"]) == (404, "application/json")
            assert json.loads(body)["errorType"]
        assert api.events.happened == []

    run(story)


def test_a_client_that_asks_to_close_is_closed() -> None:
    """`Connection: close` and HTTP/1.0 end with the answer, for a Next that waited, too."""

    async def story(api: Api) -> None:
        client = await api.connect()
        _, headers, _ = await client.ask(get("/ping", "Connection: close"))
        assert headers["connection"] == "close"
        assert await client.reader.read() == b""
        client = await api.connect()
        client.send(b"GET /2018-06-01/runtime/invocation/next HTTP/1.0\r\n\r\n")
        await api.events.next_asked.wait()
        api.events.next_calls.pop().deliver(invocation(), DEADLINE_MS)
        assert (await client.answer())[0] == 200
        assert await client.reader.read() == b""

    run(story)


def test_an_offer_of_another_protocol_is_passed_over() -> None:
    """A client that offers `Upgrade: h2c` is answered in HTTP/1.1 and goes on with the same connection."""

    async def story(api: Api) -> None:
        client = await api.connect()
        api.events.ready = [invocation(), invocation()]
        offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB")
        assert (await client.ask(get("/2018-06-01/runtime/invocation/next", *offer)))[0] == 200
        assert (await client.ask(post(RESPONSE, b'"1"', *offer)))[0] == 202
        assert (await client.ask(chunked(RESPONSE, [b'"', b'2"'], *offer)))[0] == 202
        assert (await client.ask(get("/2018-06-01/runtime/invocation/next", *offer)))[0] == 200
        assert [what[1].body for name, what in api.events.happened if name == "response"] == [b'"1"', b'"2"']

    run(story)


def test_what_is_not_http_is_refused_and_closed() -> None:
    """Garbage costs its connection and nothing else."""

    async def story(api: Api) -> None:
        client = await api.connect()
        status, headers, _ = await client.ask(b"\x16\x03\x01 hello\r\n\r\n")
        assert (status, headers["connection"]) == (400, "close")
        assert await client.reader.read() == b""

    run(story)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /ping HTTP/1.1\r\nX: " + b"y" * HEAD_BYTES_MAX + b"\r\n\r\n",
        b"GET /" + b"y" * HEAD_BYTES_MAX + b" HTTP/1.1\r\n\r\n",
        b"GET /ping HTTP/1.1\r\n" + b"X: y\r\n" * (HEAD_BYTES_MAX // 2),
        b"POST /ping HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"y" * HEAD_BYTES_MAX * 2,
    ],
)
def test_endless_headers_are_refused(head: bytes) -> None:
    """Headers and trailers cannot fill the server's memory: past the limit the connection ends."""

    async def story(api: Api) -> None:
        client = await api.connect()
        client.send(head)
        received = b""
        try:
            while chunk := await client.reader.read(65536):
                received += chunk
        except ConnectionError:
            # The server closed while we were still sending, and the kernel threw the answer away.
            return
        assert received.startswith(b"HTTP/1.1 431 ")

    run(story)


def test_an_error_cause_of_a_megabyte_is_no_endless_header() -> None:
    """The official Python client sends its X-Ray cause as a header of up to a megabyte."""

    async def story(api: Api) -> None:
        cause = f"Lambda-Runtime-Function-XRay-Error-Cause: {'x' * (1024 * 1024 - 1)}"
        assert (await (await api.connect()).ask(post(ERROR, b"{}", cause)))[0] == 202

    run(story)


def test_connections_are_limited() -> None:
    """The connection above the limit gets 503; once another is gone, a new one is served."""

    async def story(api: Api) -> None:
        clients = [await api.connect() for _ in range(CONNECTIONS_MAX)]
        for client in clients:
            assert (await client.ask(get("/ping")))[0] == 200
        refused = await api.connect()
        assert (await refused.answer())[0] == 503
        assert await refused.reader.read() == b""
        clients[0].writer.close()
        await until(lambda: api.listener.connection_count < CONNECTIONS_MAX)
        assert (await (await api.connect()).ask(get("/ping")))[0] == 200

    run(story)


def test_a_client_that_sends_and_never_reads_is_held_up() -> None:
    """Answers that nobody takes stop the reading of requests instead of piling up; taken, all of them arrive."""

    async def story(api: Api) -> None:
        loop = asyncio.get_running_loop()
        pings = get("/ping") * 1000
        with socket.create_connection(api.address) as client:
            client.setblocking(False)
            sent_bytes = 0
            with pytest.raises(TimeoutError):
                while sent_bytes < 200_000_000:
                    async with asyncio.timeout(0.5):
                        await loop.sock_sendall(client, pings)
                    sent_bytes += len(pings)
            # The last thousand may have left in part; what was sent whole must be answered.
            pong = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\npong"
            missing_bytes = sent_bytes // len(get("/ping")) * len(pong)
            while missing_bytes > 0:
                missing_bytes -= len(await loop.sock_recv(client, 1 << 20))

    run(story)


def test_a_post_cut_short_is_told_so() -> None:
    """A runtime that ends its side in the middle of a body gets TruncatedHTTPRequest; what it posted is broken."""

    async def story(api: Api) -> None:
        client = await api.connect()
        client.send(post(RESPONSE, b"12345")[:-2])
        client.writer.write_eof()
        status, _, body = await client.answer()
        assert (status, json.loads(body)["errorType"]) == (400, "TruncatedHTTPRequest")
        await until(lambda: api.listener.connection_count == 0)
        assert api.events.happened == [("broken", REQUEST_ID)]

    run(story)


def test_a_failure_of_ours_costs_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    """When the environment's own code raises, the runtime gets the fatal 500, and the listener lives."""

    async def story(api: Api) -> None:
        def broken(request_id: str, post: Post) -> Verdict:
            raise AssertionError("a bug")

        api.events.response_posted = broken  # type: ignore[method-assign]
        status, headers, body = await (await api.connect()).ask(post(RESPONSE, b"1"))
        assert (status, headers["connection"]) == (500, "close")
        assert json.loads(body)["errorType"] == "InternalServerError"
        assert (await (await api.connect()).ask(get("/ping")))[0] == 200

    with caplog.at_level(logging.CRITICAL):
        run(story)


def test_close_ends_everything_and_leaves_the_listener_to_its_owner() -> None:
    """After `close` nothing is accepted and pending calls are cut; closing again, or delivering late, does nothing."""

    async def story(api: Api) -> None:
        client = await api.connect()
        client.send(NEXT)
        await api.events.next_asked.wait()
        api.listener.close()
        api.listener.close()
        api.events.next_calls.pop().deliver(invocation(), DEADLINE_MS)
        with contextlib.suppress(ConnectionResetError):
            assert await client.reader.read() == b""
        assert api.listener.connection_count == 0

    run(story)


RESTORE_NEXT = "/2018-06-01/runtime/restore/next"
RESTORE_ERROR = "/2018-06-01/runtime/restore/error"


def test_a_restore_is_waited_for_and_answered_without_a_body() -> None:
    """GET restore/next is held until the environment is restored, then answered 200; Next follows on the connection."""

    async def story(api: Api) -> None:
        client = await api.connect()
        client.send(get(RESTORE_NEXT))
        await until(lambda: bool(api.events.restore_calls))
        api.events.restore_calls[0].restored()
        status, _, body = await client.answer()
        assert (status, body) == (200, b"")
        client.send(NEXT)
        await until(lambda: bool(api.events.next_calls))
        assert api.events.names == ["restore", "next"]

    run(story)


def test_a_restore_out_of_time_is_refused() -> None:
    """403, and nothing waits."""

    async def story(api: Api) -> None:
        client = await api.connect()
        api.events.verdict = Verdict.INVALID_STATE
        assert (await client.ask(get(RESTORE_NEXT)))[0] == 403
        assert api.events.restore_calls == []

    run(story)


def test_a_restore_whose_connection_went_is_forgotten() -> None:
    """Answering it does nothing."""

    async def story(api: Api) -> None:
        client = await api.connect()
        client.send(get(RESTORE_NEXT))
        await until(lambda: bool(api.events.restore_calls))
        client.writer.close()
        await until(lambda: api.listener.connection_count == 0)
        api.events.restore_calls[0].restored()

    run(story)


def test_a_failed_hook_is_passed_on() -> None:
    """POST restore/error answers 202 and carries body and type; a body beyond the limit is refused."""

    async def story(api: Api) -> None:
        client = await api.connect()
        header = "Lambda-Runtime-Function-Error-Type: Runtime.AfterRestoreError"
        assert (await client.ask(post(RESTORE_ERROR, b"{}", "Content-Type: application/json", header)))[0] == 202
        assert api.events.happened == [
            ("restore error", Post(b"{}", "application/json", "Runtime.AfterRestoreError"))
        ]  # fmt: skip
        assert (await client.ask(post(RESTORE_ERROR, b" " * (RESPONSE_MAX_BYTES + 1))))[0] == 413

    run(story)


def test_a_serve_that_is_cancelled_leaves_the_listener_alone() -> None:
    """Python's own loop suspends in it: nobody may be left who takes what comes to the socket."""

    async def told() -> None:
        failures: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            serving = asyncio.create_task(serve(listener, RecordedEvents(), RESPONSE_MAX_BYTES, STREAM_MAX_BYTES))
            await asyncio.sleep(0)
            assert not serving.done()
            serving.cancel()
            await asyncio.wait([serving])
            assert serving.cancelled()
            with socket.create_connection(listener.getsockname()):
                for _ in range(5):
                    await asyncio.sleep(0)
                listener.accept()[0].close()
        assert failures == []

    asyncio.run(told())


@pytest.mark.parametrize("in_chunks", [True, False])
def test_bodies_that_are_never_finished_are_bounded_together(in_chunks: bool) -> None:
    """A function cannot fill the server's memory through many connections; what it leaves is free again."""

    async def story(api: Api) -> None:
        body = bytes(RESPONSE_MAX_BYTES)
        whole = chunked(RESPONSE, [body]) if in_chunks else post(RESPONSE, body)
        greedy = [await api.connect() for _ in range(BODIES_MAX + 2)]
        for client in greedy:
            client.send(whole[:-10])
        await until(lambda: api.listener.connection_count == BODIES_MAX)
        assert api.listener.held_bytes <= BODIES_MAX * RESPONSE_MAX_BYTES
        for client in greedy:
            client.writer.close()
        await until(lambda: api.listener.connection_count == 0)
        assert api.listener.held_bytes == 0
        assert (await (await api.connect()).ask(whole))[0] == 202
        assert api.listener.held_bytes == 0
        assert api.events.names == ["broken"] * len(greedy) + ["response"]

    run(story)


def test_a_body_in_small_chunks_takes_no_more_room_than_it_has_bytes() -> None:
    """Counting its bytes would bound nothing if each chunk were an object of its own until the end."""

    async def story(api: Api) -> None:
        client = await api.connect()
        chunks = [count.to_bytes(2, "big") for count in range(40_000)]
        whole = chunked(RESPONSE, chunks)
        tracemalloc.start()
        try:
            client.send(whole[:-5])
            await until(lambda: api.listener.held_bytes == 80_000)
            ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, server.__file__)])
            held_bytes = sum(one.size for one in ours.traces)
        finally:
            tracemalloc.stop()
        assert held_bytes < 3 * 80_000
        client.send(whole[-5:])
        assert (await client.answer())[0] == 202
        ((_, (_, posted)),) = api.events.happened
        assert posted.body == b"".join(chunks)

    run(story)


def test_bodies_behind_a_waiting_next_are_counted_until_they_are_handed_on() -> None:
    """They are held as long; one beyond the limit gives back what it held at once."""

    async def story(api: Api) -> None:
        client = await api.connect()
        client.send(NEXT + post(ERROR, bytes(1000)) + post(RESPONSE, bytes(RESPONSE_MAX_BYTES + 1)))
        await until(lambda: api.listener.held_bytes >= 1000)
        api.events.next_calls.pop().deliver(invocation(), DEADLINE_MS)
        assert [(await client.answer())[0] for _ in range(3)] == [200, 202, 413]
        assert api.listener.held_bytes == 0

    run(story)


# Responses that are handed on as they come ---------------------------------------------------------------------------

STREAMED = "Lambda-Runtime-Function-Response-Mode: streaming"


def begun(*headers: str) -> bytes:
    """Return the head of a streamed response; chunks follow."""
    lines = "".join(f"{header}\r\n" for header in ("Host: h", "Transfer-Encoding: chunked", STREAMED, *headers))
    return f"POST {RESPONSE} HTTP/1.1\r\n{lines}\r\n".encode()


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


@pytest.mark.parametrize(
    ("end", "status", "happened"),
    [
        (b"0\r\n\r\n", 202, ("ended", REQUEST_ID)),
        # As the Go client ends every response.
        (
            b"0\r\nLambda-Runtime-Function-Error-Type: \r\nLambda-Runtime-Function-Error-Body: \r\n\r\n",
            202,
            ("ended", REQUEST_ID),
        ),
        (
            b"0\r\nlambda-runtime-function-error-type: Runtime.Late\r\n"
            b"lambda-runtime-function-error-body: e30=\r\n\r\n",
            202,
            ("error", (REQUEST_ID, Post(b"{}", "application/json", "Runtime.Late"))),
        ),
        (
            b"0\r\nLambda-Runtime-Function-Error-Type: Late\r\nLambda-Runtime-Function-Error-Body: {\r\n\r\n",
            202,
            ("error", (REQUEST_ID, Post(b"{", "application/json", "Late"))),
        ),
        (b"0\r\nLambda-Runtime-Function-Error-Type\r\n\r\n", 400, ("broken", REQUEST_ID)),
        (b"x\r\n", 400, ("broken", REQUEST_ID)),
        (b"-1\r\n\r\n", 400, ("broken", REQUEST_ID)),
        (b"5\r\nabcdefg\r\n", 400, ("broken", REQUEST_ID)),
        (b"0\r\nX: " + b"y" * (HEAD_BYTES_MAX + 1), 431, ("broken", REQUEST_ID)),
    ],
    ids=["plain", "go", "error", "no-base64", "bad-trailer", "bad-size", "negative", "too-long", "endless-trailer"],
)
def test_a_stream_is_handed_on_and_ends(end: bytes, status: int, happened: tuple[str, Any]) -> None:
    """Each piece is there before the next is sent; the end is an end, an error, or, where it is malformed, a break."""

    async def story(api: Api) -> None:
        api.events.takes_streams = True
        client = await api.connect()
        client.send(begun("Content-Type: text/plain", "Trailer: Lambda-Runtime-Function-Error-Type"))
        await until(lambda: api.events.names == ["begun"])
        assert api.events.happened == [("begun", (REQUEST_ID, "text/plain"))]
        for count, piece in ((1, b"a"), (3, b"bc")):
            client.send(chunk(piece))
            await until(lambda count=count: len(api.events.pieces) == count)
        client.send(end)
        assert (await client.answer())[0] == status
        assert api.events.pieces.startswith(b"abc")
        assert api.events.happened[1:] == [happened]
        assert api.listener.held_bytes == 0, "what is handed on is not kept"
        if status == 202:
            api.events.ready = [invocation()]
            assert (await client.ask(NEXT))[0] == 200

    run(story)


@pytest.mark.parametrize("how", ["closed", "reset", "half-closed", "listener closed"])
def test_a_stream_that_is_cut_off_is_told_once(how: str) -> None:
    """Whoever ends the connection: the response is broken."""

    async def story(api: Api) -> None:
        api.events.takes_streams = True
        client = await api.connect()
        client.send(begun() + chunk(b"half"))
        await until(lambda: api.events.pieces == b"half")
        if how == "closed":
            client.writer.close()
        elif how == "reset":
            client.writer.transport.abort()
        elif how == "half-closed":
            client.writer.write_eof()
            assert json.loads((await client.answer())[2])["errorType"] == "TruncatedHTTPRequest"
        else:
            api.listener.close()
        await until(lambda: api.listener.connection_count == 0)
        assert api.events.names == ["begun", "broken"]

    run(story)


def test_a_reader_that_is_behind_stops_the_runtime() -> None:
    """Nothing is read of a paused connection, however much the runtime sends; all of it once it is resumed."""

    async def story(api: Api) -> None:
        api.events.takes_streams = True
        client = await api.connect()
        client.send(begun())
        await until(lambda: bool(api.events.inflows))
        (inflow,) = api.events.inflows
        inflow.pause()
        client.send(chunk(b"x" * (STREAM_MAX_BYTES - 1)))
        other = await api.connect()
        for _ in range(3):
            assert (await other.ask(get("/ping")))[2] == b"pong"
        assert len(api.events.pieces) == 0
        inflow.resume()
        await until(lambda: len(api.events.pieces) == STREAM_MAX_BYTES - 1)
        assert (await client.ask(b"0\r\n\r\n"))[0] == 202
        inflow.pause()
        inflow.resume()
        client.writer.transport.abort()
        await until(lambda: api.listener.connection_count == 1)
        inflow.resume()

    run(story)


def test_no_page_of_the_web_takes_an_event() -> None:
    """However often it asks, and it answers for no function; the runtime goes on as if nobody had."""
    page = ("Origin: https://evil.example",)
    rebound = NEXT.replace(b"127.0.0.1:9001", b"evil.example:9001")

    async def story(api: Api) -> None:
        api.events.ready = [invocation()]
        api.events.takes_streams = True
        client = await api.connect()
        for asked in (
            *(get("/2018-06-01/runtime/invocation/next", *page), rebound) * 2,
            post(RESPONSE, b"{}", *page),
            chunked(RESPONSE, [b"{}"], *page),
            chunked(RESPONSE, [b"{}"], STREAMED, *page),
            post("/2018-06-01/runtime/init/error", b"{}", *page),
            # Read again without the offer.
            post(RESPONSE, b"{}", *page, "Connection: Upgrade", "Upgrade: h2c"),
        ):
            assert (await client.ask(asked))[0] == 403
        assert api.events.names == []
        assert (await client.ask(NEXT))[0] == 200

    run(story)


LONG = bytes(range(251)) * 1_000
"""Longer than what is read the usual way."""


@pytest.mark.parametrize("is_streamed", [False, True], ids=["gathered", "streamed"])
def test_a_long_body_among_others(is_streamed: bool) -> None:
    """However it is read, it is whole, what comes with its end is a request of its own, and so is all after it."""

    async def story(api: Api) -> None:
        api.events.takes_streams = is_streamed
        client = await api.connect()
        for count in (1, 2):
            api.events.ready = [invocation()]
            # In pieces that fall together with no read.
            pieces = [LONG[:100], LONG[100:200_000], LONG[200_000:]]
            sent = chunked(RESPONSE, pieces, STREAMED) if is_streamed else post(RESPONSE, LONG)
            client.send(sent[:220_000])
            await until(lambda: api.events.names[-1:] == ["begun"] if is_streamed else api.listener.held_bytes > 0)
            client.send(sent[220_000:] + NEXT)
            assert (await client.answer())[0] == 202
            assert (await client.answer())[0] == 200
            if is_streamed:
                assert api.events.pieces == LONG * count
            else:
                assert api.events.happened[-2] == ("response", (REQUEST_ID, Post(LONG, "application/json")))
            for _ in range(2):
                api.events.ready = [invocation()]
                assert (await client.ask(NEXT))[0] == 200
        assert api.listener.held_bytes == 0

    run(story)


def test_the_buffer_of_a_long_body_goes_with_it() -> None:
    """A runtime keeps its connection for as long as it lives, and the loop's transport what has read for it before."""

    async def story(api: Api) -> None:
        gc.collect()
        client = await api.connect()
        api.events.ready = [invocation()]
        client.send(post(RESPONSE, LONG)[:220_000])
        await until(lambda: api.listener.held_bytes > 200_000)
        (body,) = [each for each in gc.get_objects() if type(each) is LongBody]
        assert len(body.get_buffer(-1)) == READ_BYTES
        client.send(post(RESPONSE, LONG)[220_000:] + NEXT)
        assert (await client.answer())[0] == 202
        assert (await client.answer())[0] == 200
        assert len(body.get_buffer(-1)) == 0

    run(story)


@pytest.mark.parametrize("how", ["malformed", "half-closed", "reset"])
def test_a_long_stream_that_breaks_off_is_told_once(how: str) -> None:
    """As a short one."""

    async def story(api: Api) -> None:
        api.events.takes_streams = True
        client = await api.connect()
        client.send(begun() + chunk(LONG))
        await until(lambda: len(api.events.pieces) == len(LONG))
        if how == "malformed":
            client.send(b"x\r\n")
            assert (await client.answer())[0] == 400
        elif how == "half-closed":
            client.writer.write_eof()
            assert json.loads((await client.answer())[2])["errorType"] == "TruncatedHTTPRequest"
        else:
            client.writer.transport.abort()
        await until(lambda: api.listener.connection_count == 0)
        assert api.events.names == ["begun", "broken"]

    run(story)


def test_the_kernel_takes_little_ahead_of_a_reader() -> None:
    """However fast the reader was before: left to itself, a kernel lets what it keeps grow to 32 MB and more."""
    piece = chunk(bytes(2**18))

    def send_until_nobody_reads(address: tuple[str, int]) -> int:
        """Send for half a second longer than anybody reads; return how many bytes the sender's own kernel let go."""
        with socket.create_connection(address) as client:
            client.settimeout(0.5)
            client.sendall(begun())
            sent = 0
            with contextlib.suppress(TimeoutError):
                while True:
                    client.sendall(piece)
                    sent += 1
            return sent * 2**18 - client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)

    async def story(api: Api) -> None:
        taken = 0

        def take(request_id: str, some: bytes) -> None:
            nonlocal taken
            taken += len(some)
            if taken > 400 * 2**20:
                api.events.inflows[0].pause()

        api.events.takes_streams = True
        api.events.response_piece = take  # type: ignore[method-assign]
        api.listener.stream_max_bytes = 2**30
        sent = await asyncio.to_thread(send_until_nobody_reads, api.address)
        assert sent - taken <= 2**20

    run(story)


def test_a_stream_has_a_limit_of_its_own() -> None:
    """Told at the byte that is too many; the rest is thrown away, and 413 names the limit."""

    async def story(api: Api) -> None:
        api.events.takes_streams = True
        client = await api.connect()
        client.send(begun() + chunk(b"x" * STREAM_MAX_BYTES))
        await until(lambda: len(api.events.pieces) == STREAM_MAX_BYTES)
        assert api.events.names == ["begun"]
        client.send(chunk(b"y"))
        await until(lambda: api.events.names == ["begun", "too large"])
        status, _, body = await client.ask(chunk(b"z" * 100_000) + b"0\r\n\r\n")
        assert (status, json.loads(body)["errorType"]) == (413, "RequestEntityTooLarge")
        assert str(STREAM_MAX_BYTES) in body.decode()
        assert api.events.limits == [STREAM_MAX_BYTES]
        assert len(api.events.pieces) == STREAM_MAX_BYTES
        assert api.events.names == ["begun", "too large"]

    run(story)


def test_what_nobody_takes_piece_by_piece_is_gathered() -> None:
    """A buffered invocation's; one with a length works as well; and an error is never a stream."""

    async def story(api: Api) -> None:
        client = await api.connect()
        assert (await client.ask(chunked(RESPONSE, [b"a", b"b"], STREAMED)))[0] == 202
        api.events.takes_streams = True
        assert (await client.ask(post(RESPONSE, b"whole", STREAMED)))[0] == 202
        assert (await client.ask(chunked(ERROR, [b"{", b"}"], STREAMED)))[0] == 202
        assert (await client.ask(post(RESPONSE, b"gathered")))[0] == 202
        assert (await client.ask(chunked(RESPONSE, [b"!"], "Lambda-Runtime-Function-Response-Mode: other")))[0] == 400
        assert api.events.names == ["response", "begun", "ended", "error", "response", "error"]
        assert api.events.pieces == b"whole"

    run(story)


def test_chunks_are_a_stream_without_saying_so() -> None:
    """The Go client sends whatever an io.Reader gives in chunks, and never names a mode."""

    async def story(api: Api) -> None:
        api.events.takes_streams = True
        client = await api.connect()
        declared = "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
        head = f"POST {RESPONSE} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n{declared}\r\n\r\n"
        client.send(head.encode() + chunk(b"one"))
        await until(lambda: api.events.pieces == b"one")
        assert (await client.ask(b"0\r\n\r\n"))[0] == 202
        assert api.events.names == ["begun", "ended"]

    run(story)


def test_a_stream_of_a_client_that_offers_another_protocol() -> None:
    """Java's offers HTTP/2 with its first request; the offer is not taken, and nothing begins twice."""

    async def story(api: Api) -> None:
        api.events.takes_streams = True
        client = await api.connect()
        offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQ")
        status, _, _ = await client.ask(begun(*offer) + chunk(b"one") + b"0\r\n\r\n")
        assert status == 202
        assert api.events.names == ["begun", "ended"]
        assert api.events.pieces == b"one"

    run(story)
