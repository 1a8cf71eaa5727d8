"""
One HTTP/1.1 server per execution environment, made for the warm path.

A connection parses in its data callback, calls `RuntimeEvents` there and then, and answers with one write:
no task, no future, no queue between a runtime and the state machine of its environment. A response that its caller
takes as a stream is handed on piece by piece as it comes, and not gathered.

Source: Lambda developer guide, runtime API; the official runtime clients for what they send and tolerate.
"""

import asyncio
import base64
import binascii
import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import httptools

from lambent.domain.invocation import Invocation
from lambent.runtime_api import answers
from lambent.runtime_api.contract import Post, RuntimeEvents, Verdict
from lambent.runtime_api.long_body import LongBody
from lambent.runtime_api.pages import HOST, ORIGIN, SITE, is_sent_by_a_page

CONNECTIONS_MAX: Final = 64
"""
Open connections per environment; one more gets 503. Official clients hold one to five, Ruby opens two per
invocation and closes them.
"""

HEAD_BYTES_MAX: Final = 1024 * 1024 + 64 * 1024
"""
Bytes of request line and headers, and of trailers. Observed: the official Python client sends its X-Ray error cause
as a header of up to 1 MiB (aws/aws-lambda-python-runtime-interface-client 4.2.2), everything else fits 64 KiB.
"""

BODIES_MAX: Final = 2
"""
How many bodies of the longest response one environment may have us hold, over all its connections; the one that goes
beyond is dropped. Assumed: a runtime posts one thing at a time, and once more where a connection broke under it.
"""

_SMALL_PIECE_BYTES: Final = 1024
"""Pieces of a body below this size are put together as they come: an object for each may be 20 times as large."""

_LONG_BYTES: Final = 128 * 1024
"""A body that has brought more is read by a `LongBody`, whose buffer is no gain for a shorter one."""

_JOINED_BYTES_MAX: Final = 64 * 1024
"""Below this size one joined buffer is cheaper to write than two."""

_RECEIVE_BUFFER_BYTES: Final = 256 * 1024
"""
What the kernel keeps of a body that is not read yet. By its own measure it lets one connection grow to 32 MB where
memory is plenty, and a stream fills that before it waits for a client that reads slowly.
"""

_PREFIX: Final = b"/2018-06-01/runtime/"
_NEXT: Final = b"/2018-06-01/runtime/invocation/next"
_INIT_ERROR: Final = b"/2018-06-01/runtime/init/error"
_RESTORE_NEXT: Final = b"/2018-06-01/runtime/restore/next"
_RESTORE_ERROR: Final = b"/2018-06-01/runtime/restore/error"
_INVOCATION: Final = b"/2018-06-01/runtime/invocation/"
_CREDENTIALS: Final = b"/2021-04-23/credentials"
_PINGS: Final = frozenset({b"/2018-06-01/ping", b"/ping"})

_AUTHORIZATION: Final = b"authorization"
_CONTENT_TYPE: Final = b"content-type"
_ERROR_TYPE: Final = b"lambda-runtime-function-error-type"
_ERROR_CAUSE: Final = b"lambda-runtime-function-xray-error-cause"
_ERROR_BODY: Final = b"lambda-runtime-function-error-body"
_RESPONSE_MODE: Final = b"lambda-runtime-function-response-mode"
_EXPECT: Final = b"expect"
_TRANSFER_ENCODING: Final = b"transfer-encoding"
_LENGTH_HEADERS: Final = (b"content-length", _TRANSFER_ENCODING)
_KEPT_HEADERS: Final = frozenset(
    {_AUTHORIZATION, _CONTENT_TYPE, _ERROR_CAUSE, _ERROR_TYPE, _ERROR_BODY, _RESPONSE_MODE, _EXPECT, *_LENGTH_HEADERS}
    | {HOST, ORIGIN, SITE}
)

_INVALID_RESPONSE_MODE: Final = "Runtime.InvalidResponseModeHeader"

_logger = logging.getLogger(__name__)


class _Request:
    """One request as it comes in; complete once it stands in its connection's queue."""

    __slots__ = ("body", "fields", "is_too_large", "keeps_alive", "method", "refused", "streamed", "target", "trailers")

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.fields: dict[bytes, bytes] = {}
        """Of the headers only `_KEPT_HEADERS`, by lower-case name."""
        self.trailers: dict[bytes, bytes] = {}
        """Those of `_KEPT_HEADERS` that came after the body."""
        self.body = b""
        self.is_too_large = False
        """Whether the body went past the limit and was thrown away."""
        self.streamed = ""
        """The request id of the invocation whose response the body is, where it is handed on as it comes."""
        self.refused: Verdict | None = None
        """Of a streamed body: what was said when it went past the limit."""
        self.keeps_alive = True

    def head(self) -> bytes:
        """Return its head as it may have come in, with what is known of it."""
        lines = (b"%b: %b\r\n" % field for field in self.fields.items())
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (self.method, self.target, b"".join(lines))


_USUAL_NEXT: Final = _Request()
_USUAL_NEXT.method = b"GET"
_USUAL_NEXT.target = _NEXT


class _NextCall:
    """A Next, or a request for the restore, that waits or has been answered. It then forgets its connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: "_Connection") -> None:
        self._connection: _Connection | None = connection

    def deliver(self, invocation: Invocation, deadline_ms: int) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.answer_next(invocation, deadline_ms)

    def restored(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.answer_restore()

    def drop(self) -> None:
        self._connection = None


class _Connection(asyncio.Protocol):
    """
    One connection of a runtime.

    Requests that came in whole stand in `_requests`. They are answered in order; a Next that waits holds up
    those behind it, and nothing more is read until they are through.
    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_closing",
        "_current",
        "_head_bytes",
        "_held_bytes",
        "_in_body",
        "_is_full",
        "_is_held",
        "_is_paused",
        "_listener",
        "_long",
        "_next",
        "_next_keeps_alive",
        "_parser",
        "_requests",
        "_transport",
        "_unparsed_bytes",
        "_usual_next",
    )

    def __init__(self, listener: "RuntimeApiListener") -> None:
        self._listener = listener
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._requests: deque[_Request] = deque()
        self._current: _Request | None = None
        self._body: list[bytes | bytearray] = []
        self._body_bytes = 0
        self._held_bytes = 0
        """Of bodies that are coming in or have not been handed on."""
        self._in_body = False
        self._head_bytes = 0
        self._unparsed_bytes = 0
        self._next: _NextCall | None = None
        self._next_keeps_alive = True
        self._usual_next: bytes | None = None
        self._is_full = False
        self._is_held = False
        self._long: LongBody | None = None
        """What reads for us."""
        self._is_paused = False
        """Whether the reader of the response that comes in here is behind."""
        self._closing = False

    # asyncio.Protocol --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._listener.is_closed:
            # The loop had accepted it already when the listener was closed.
            self.abort()
        elif not self._listener.admit(self):
            self._refuse(answers.TOO_MANY_CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._transport = self._long = None
        # The invocation is not lost with its Next: the runtime's process ends, or asks again.
        self._drop_all()
        self._listener.forget(self)

    def pause_writing(self) -> None:
        # A client that sends and never reads must not fill our memory with answers.
        self._is_full = True
        self._hold()

    def resume_writing(self) -> None:
        self._is_full = False
        # Not here: a transport may say so from within a write.
        asyncio.get_running_loop().call_soon(self._answer_waiting)

    def eof_received(self) -> bool:
        if self._in_body and not self._closing:
            self._refuse(answers.TRUNCATED)
        return False

    def data_received(self, data: bytes | memoryview) -> None:
        """Take in what has come; a view is good until this returns."""
        if self._closing:
            return
        is_alone = self._current is None and self._next is None and not self._requests
        if is_alone and data == self._usual_next:
            # A runtime asks for work with the same bytes each time, so parsing them again tells nothing new.
            self._handle(_USUAL_NEXT)
            return
        self._unparsed_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError:
            self._answer_waiting()
            self._refuse(answers.NOT_HTTP)
            return
        if self._unparsed_bytes > HEAD_BYTES_MAX or self._head_bytes > HEAD_BYTES_MAX:
            # Only headers and trailers get here without progress, and the parser keeps them whole.
            self._refuse(answers.HEAD_TOO_LARGE)
            return
        if self._in_body and self._body_bytes > _LONG_BYTES and self._long is None:
            self._long = LongBody(self)
            self._read_by(self._long)
        if self._requests:
            if is_alone and len(self._requests) == 1 and self._current is None:
                self._learn_next(data, self._requests[0])
            self._answer_waiting()

    def _read_by(self, protocol: "LongBody | _Connection") -> None:
        if self._transport is not None:
            self._transport.set_protocol(protocol)

    def _learn_next(self, data: bytes | memoryview, request: _Request) -> None:
        """Remember `data` when it is one whole Next and nothing else."""
        is_plain = request.keeps_alive and not request.body and _EXPECT not in request.fields
        if is_plain and request.target == _NEXT and request.method == b"GET" and not is_sent_by_a_page(request.fields):
            self._usual_next = bytes(data)

    def _feed(self, data: bytes | memoryview) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # A client offers another protocol, as Java's does with `Upgrade: h2c`. Not taking the offer is legal,
                # but this parser then takes what follows for that protocol, so a fresh one goes on.
                data = data[upgrade.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
                if any(name in self._requests[-1].fields for name in _LENGTH_HEADERS):
                    # The body counts as the other protocol, too: read the request again, without the offer.
                    data = self._requests.pop().head() + data
                if data:
                    continue
            return

    # httptools ---------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._current = _Request()
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        assert self._current is not None
        self._current.target += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        name = name.lower()
        if name in _KEPT_HEADERS:
            assert self._current is not None
            if self._in_body:
                self._current.trailers[name] = value
            else:
                self._current.fields[name] = value

    def on_headers_complete(self) -> None:
        request = self._current
        assert request is not None
        request.method = self._parser.get_method()
        self._in_body = True
        self._body_bytes = 0
        self._unparsed_bytes = 0
        if _EXPECT in request.fields and not self._requests and self._next is None:
            # Only when nothing is to be answered before: an interim answer has its place in the order, too.
            # A client that does not get one sends its body after a moment anyway.
            self._write(answers.CONTINUE)
        if _TRANSFER_ENCODING in request.fields or _RESPONSE_MODE in request.fields:
            self._begin_streaming(request)

    def _begin_streaming(self, request: _Request) -> None:
        """Have the body handed on as it comes, if it is a response that somebody takes so."""
        name, _, kind = request.target[len(_INVOCATION) :].partition(b"/")
        is_response = request.target.startswith(_INVOCATION) and kind == b"response" and request.method == b"POST"
        if is_response and is_sent_by_a_page(request.fields):
            return
        # Assumed: no runtime sends a response behind something that has not been answered, and one of a request that
        # offers another protocol is about to be read again.
        is_next_in_order = not self._requests and self._next is None and not self._parser.should_upgrade()
        # A body in chunks may be a stream without saying so. Observed: aws/aws-lambda-go 1.54.0 sends an io.Reader in
        # chunks and never names a mode, which its own lambdaurl relies on; clients that buffer send a length.
        may_stream = _streams(request) or _RESPONSE_MODE not in request.fields
        if is_response and is_next_in_order and not self._closing and may_stream:
            request_id = name.decode("latin-1")
            # Assumed: one that names no type is bytes, as Node.js says of its own (test_function_url_streams).
            content_type = _content_type(request, "application/octet-stream")
            if self._listener.events.response_begun(request_id, content_type, self):
                request.streamed = request_id

    def on_body(self, body: bytes) -> None:
        request = self._current
        assert request is not None
        self._unparsed_bytes = 0
        self._body_bytes += len(body)
        if request.streamed:
            if request.refused is None:
                self._hand_on(request, body)
        elif self._body_bytes <= self._listener.response_max_bytes:
            self._keep(body)
        elif not request.is_too_large:
            request.is_too_large = True
            self._let_go(sum(map(len, self._body)))
            self._body.clear()

    def _hand_on(self, request: _Request, piece: bytes) -> None:
        listener = self._listener
        if self._body_bytes <= listener.stream_max_bytes:
            listener.events.response_piece(request.streamed, piece)
        else:
            request.refused = listener.events.response_too_large(request.streamed, listener.stream_max_bytes)

    # Inflow: what the reader of a streamed response asks for ------------------------------------------------------

    def pause(self) -> None:
        self._is_paused = True
        self._hold()

    def resume(self) -> None:
        self._is_paused = False
        self._hold()

    def _keep(self, body: bytes) -> None:
        if self._closing:
            return
        listener = self._listener
        if listener.held_bytes + len(body) > BODIES_MAX * listener.response_max_bytes:
            self.abort()
            return
        if len(body) >= _SMALL_PIECE_BYTES or not self._body:
            self._body.append(body)
        elif isinstance(last := self._body[-1], bytearray):
            last += body
        else:
            self._body.append(bytearray(body))
        self._held_bytes += len(body)
        listener.held_bytes += len(body)

    def _let_go(self, count: int) -> None:
        # Less where the connection has ended meanwhile, and let go of everything.
        count = min(count, self._held_bytes)
        self._held_bytes -= count
        self._listener.held_bytes -= count

    def on_message_complete(self) -> None:
        request = self._current
        assert request is not None
        self._current = None
        self._in_body = False
        self._unparsed_bytes = 0
        if self._long is not None:
            self._read_by(self)
            self._long.end()
            self._long = None
        parts = self._body
        if parts:
            first = parts[0]
            request.body = first if len(parts) == 1 and isinstance(first, bytes) else b"".join(parts)
            parts.clear()
        request.keeps_alive = self._parser.should_keep_alive()
        self._requests.append(request)

    # Requests and answers ----------------------------------------------------------------------------------------

    def _answer_waiting(self) -> None:
        """Answer what has come in, up to a Next that has to wait."""
        while self._requests and self._next is None and not self._is_full and not self._closing:
            self._handle(self._requests.popleft())
        self._hold()

    def _hold(self) -> None:
        """Stop reading while requests wait or answers are not taken, and go on afterwards."""
        holds = self._is_full or self._is_paused or bool(self._requests)
        if holds is self._is_held or self._closing or self._transport is None:
            return
        self._is_held = holds
        if holds:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _handle(self, request: _Request) -> None:
        try:
            answer = self._answer_to(request)
        except Exception:
            # The boundary to the environment's own code: its failure is ours, and costs one connection.
            _logger.exception("runtime_api.failed", extra={"target": request.target})
            self._refuse(answers.INTERNAL)
            return
        self._let_go(len(request.body))
        if answer:
            self._send(answer, request.keeps_alive)

    def _answer_to(self, request: _Request) -> bytes:
        """Return the answer, or nothing when a Next was answered already or has to wait."""
        if request.fields and is_sent_by_a_page(request.fields):
            return answers.OF_A_PAGE
        target = request.target
        events = self._listener.events
        if request.method == b"GET":
            if target == _NEXT:
                return self._ask(request, self._listener.events.next_requested)
            if target == _RESTORE_NEXT:
                return self._ask(request, self._listener.events.restore_requested)
            if target == _CREDENTIALS:
                token = request.fields.get(_AUTHORIZATION, b"").decode("latin-1")
                found = events.credentials_requested(token)
                return answers.NO_CREDENTIALS if found is None else answers.credentials(found)
            return answers.PONG if target in _PINGS else answers.NOT_FOUND
        if request.method != b"POST" or not target.startswith(_PREFIX):
            return answers.NOT_FOUND
        if target == _INIT_ERROR:
            if request.is_too_large:
                return self._too_large
            return self._render(events.init_error_posted(_post_of(request)))
        if target == _RESTORE_ERROR:
            if request.is_too_large:
                return self._too_large
            return self._render(events.restore_error_posted(_post_of(request)))
        if not target.startswith(_INVOCATION):
            return answers.NOT_FOUND
        name, _, kind = target[len(_INVOCATION) :].partition(b"/")
        request_id = name.decode("latin-1")
        if kind == b"response":
            return self._response(request_id, request)
        if kind != b"error":
            return answers.NOT_FOUND
        if request.is_too_large:
            # Assumed: an error beyond the limit of a response ends like one; nothing is published. Revisit with
            # tests/unit/runtime_api/test_server.py, bodies beyond the limit.
            return self._render(events.response_too_large(request_id, self._listener.response_max_bytes))
        return self._render(events.error_posted(request_id, _post_of(request)))

    def _response(self, request_id: str, request: _Request) -> bytes:
        events = self._listener.events
        if request.refused is not None:
            is_too_large = request.refused is Verdict.TOO_LARGE
            return self._listener.stream_too_large if is_too_large else self._render(request.refused)
        if request.fields.get(_RESPONSE_MODE) and not _streams(request):
            refused = Post(body=b"", content_type="application/json", error_type=_INVALID_RESPONSE_MODE)
            verdict = events.error_posted(request_id, refused)
            return answers.INVALID_RESPONSE_MODE if verdict is Verdict.ACCEPTED else self._render(verdict)
        if request.is_too_large:
            return self._render(events.response_too_large(request_id, self._listener.response_max_bytes))
        if request.trailers and request.trailers.get(_ERROR_TYPE):
            # The handler failed after its first byte. Documented: Lambda developer guide, response streaming in
            # custom runtimes. The Go client declares these trailers always and leaves them empty.
            return self._render(events.error_posted(request_id, _failed_midway(request)))
        if request.streamed:
            return self._render(events.response_ended(request_id))
        return self._render(events.response_posted(request_id, _post_of(request)))

    def _ask(self, request: _Request, ask: Callable[[_NextCall], Verdict]) -> bytes:
        call = self._next = _NextCall(self)
        self._next_keeps_alive = request.keeps_alive
        try:
            verdict = ask(call)
        except BaseException:
            self._drop_next()
            raise
        if verdict is Verdict.ACCEPTED:
            return b""
        assert self._next is call, "a Next was delivered and refused"
        self._drop_next()
        return self._render(verdict)

    def _drop_next(self) -> None:
        if self._next is not None:
            self._next.drop()
            self._next = None

    def answer_next(self, invocation: Invocation, deadline_ms: int) -> None:
        """Answer the Next that waits; only its `_NextCall` calls this, once."""
        self._next = None
        head = answers.event_head(invocation, deadline_ms)
        if not self._next_keeps_alive:
            self._send(head + invocation.payload, keeps_alive=False)
        elif self._transport is not None:
            if len(invocation.payload) < _JOINED_BYTES_MAX:
                self._transport.write(head + invocation.payload)
            else:
                self._transport.writelines((head, invocation.payload))
        if self._requests:
            # Not here: whoever delivers stands in the middle of its own decision.
            asyncio.get_running_loop().call_soon(self._answer_waiting)

    def answer_restore(self) -> None:
        """Answer the request for the restore that waits; only its `_NextCall` calls this, once."""
        self._next = None
        self._send(answers.RESTORED, self._next_keeps_alive)
        if self._requests:
            asyncio.get_running_loop().call_soon(self._answer_waiting)

    @property
    def _too_large(self) -> bytes:
        return self._listener.too_large

    def _render(self, verdict: Verdict) -> bytes:
        if verdict is Verdict.ACCEPTED:
            return answers.ACCEPTED
        if verdict is Verdict.TOO_LARGE:
            return self._too_large
        return answers.INVALID_REQUEST_ID if verdict is Verdict.INVALID_REQUEST_ID else answers.INVALID_STATE

    def _send(self, answer: bytes, keeps_alive: bool) -> None:
        if keeps_alive:
            self._write(answer)
        else:
            self._refuse(answer)

    def _refuse(self, answer: bytes) -> None:
        """Send a last answer and close, unless that is done; what else comes in is thrown away."""
        if self._closing:
            return
        self._closing = True
        self._drop_all()
        if self._transport is not None:
            self._transport.write(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            self._transport.close()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """Drop the connection without another byte."""
        self._closing = True
        self._drop_all()
        if self._transport is not None:
            self._transport.abort()

    def _drop_all(self) -> None:
        """Forget what has come in and what waits."""
        self._drop_next()
        dropped = [*self._requests] if self._current is None else [*self._requests, self._current]
        self._requests.clear()
        self._body.clear()
        self._let_go(self._held_bytes)
        for request in dropped:
            broken = _answered_by(request)
            # Told once.
            request.streamed, request.method = "", b""
            if broken:
                self._listener.events.response_broken(broken)


def _answered_by(request: _Request) -> str:
    """Return the id of the invocation whose response or error a request posts, nothing where it does something else."""
    name, _, kind = request.target[len(_INVOCATION) :].partition(b"/")
    is_post = request.method == b"POST" and request.target.startswith(_INVOCATION)
    return name.decode("latin-1") if is_post and kind in (b"response", b"error") else ""


def _streams(request: _Request) -> bool:
    """Whether a response says that it is streamed."""
    return request.fields.get(_RESPONSE_MODE, b"").strip().lower() == b"streaming"


def _content_type(request: _Request, default: str = "application/json") -> str:
    content_type = request.fields.get(_CONTENT_TYPE)
    return default if content_type is None else content_type.decode("latin-1")


def _post_of(request: _Request) -> Post:
    error_type = request.fields.get(_ERROR_TYPE) or request.trailers.get(_ERROR_TYPE) or b""
    cause = request.fields.get(_ERROR_CAUSE, b"")
    return Post(
        body=request.body,
        content_type=_content_type(request),
        error_type=error_type.decode("latin-1"),
        cause=cause.decode("utf-8", "replace"),
    )


def _failed_midway(request: _Request) -> Post:
    encoded = request.trailers.get(_ERROR_BODY, b"")
    try:
        body = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        # Assumed: a body that is not base64 is passed on as it stands rather than lost.
        body = encoded
    return Post(body=body, content_type="application/json", error_type=request.trailers[_ERROR_TYPE].decode("latin-1"))


class RuntimeApiListener:
    """The Runtime API of one environment, from `serve` to `close`."""

    def __init__(self, events: RuntimeEvents, response_max_bytes: int, stream_max_bytes: int) -> None:
        self.events = events
        self.response_max_bytes = response_max_bytes
        self.stream_max_bytes = stream_max_bytes
        self.too_large = answers.too_large(response_max_bytes)
        self.stream_too_large = answers.too_large(stream_max_bytes)
        self.held_bytes = 0
        """Of bodies, over all connections."""
        self.is_closed = False
        self._connections: set[_Connection] = set()
        self._server: asyncio.AbstractServer | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept connections; called once, by `serve`."""
        # A descriptor of our own: the sandbox closes its own when it kills, whoever comes first.
        own = listener.dup()
        try:
            # Its connections inherit it.
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            # In two steps: a loop that suspends once it serves may be cancelled there, and then there is what to close.
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Connection(self), sock=own, start_serving=False
            )
            await self._server.start_serving()
        except BaseException:
            self.close()
            own.close()
            raise

    def admit(self, connection: _Connection) -> bool:
        """Count a connection in; False when there are too many."""
        if len(self._connections) >= CONNECTIONS_MAX:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: _Connection) -> None:
        self._connections.discard(connection)

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    def close(self) -> None:
        """Stop accepting and drop every connection; calls that pend are never answered. Idempotent."""
        self.is_closed = True
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.abort()


async def serve(
    listener: socket.socket, events: RuntimeEvents, response_max_bytes: int, stream_max_bytes: int
) -> RuntimeApiListener:
    """
    Serve the Runtime API on a listening socket until `RuntimeApiListener.close`. A cancelled call leaves nothing open.

    Args:
        listener: stays the caller's; the server works on a duplicate.
        events: is called from data callbacks, on the running loop.
        response_max_bytes: longest body that a runtime may post; more is read and thrown away.
        stream_max_bytes: longest response that is handed on as it comes.
    """
    served = RuntimeApiListener(events, response_max_bytes, stream_max_bytes)
    await served.start(listener)
    return served
