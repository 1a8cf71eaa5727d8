"""One connection of a client: uvicorn's own, with limits on what it may send and keep waiting."""

import socket
import struct
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from lambent.gateway.own_paths import BACKUP_PATH

_HEAD_MAX_BYTES = 131_072
"""
The longest head of a request: line and headers.

Assumed: AWS takes less, and nobody means to send so much (test_server).
"""

_UNFINISHED_MAX_BYTES = _HEAD_MAX_BYTES + 262_144
"""
How much may come without becoming part of a body or the end of a head: lines, headers, trailers, extensions of chunks.
The parser has no limit. By one read of a socket more than a head: what a read brings is not told apart before.
"""

_BODY_LEAST_BYTES_PER_S = 1_024
"""
What a body has to come with, on average over the time that it is waited for, once it has been waited for as long as a
silence may last. Assumed: slower than any modem, and who sends a byte a minute means to hold a place (test_server).
"""

_PIPELINE_MAX = 64
"""
Requests of one connection that wait for the answer of one before them. The last of them is answered with the end of the
connection. Assumed: no client of AWS sends a second one before its first is answered (test_server).
"""

_SURPLUS_MAX = 256
"""Connections beyond the limit that are kept until their request comes, to be told 503; one more is dropped unheard."""

_STALLED_S = 900
"""
How long a client may leave what we have for it untaken before its connection is dropped. No function that streams to it
lives longer.
"""

_WITHOUT_BODY = frozenset({204, 304})
"""Statuses that no body follows. Source: RFC 9110, section 8.6."""

_LINGER_S = 1.0
"""
How long a refused client may go on to send before its connection is closed. Closed at once with something unread, the
kernel would reset the connection, and the client would not see why.
"""


class Waits(NamedTuple):
    """How long a client may keep us waiting."""

    silence_s: float = 75.0
    """
    Between requests and in the midst of one: else whoever stops half-way holds what a request counts for ever.
    """
    head_s: float = 30.0
    """For the whole of a head, from its first byte, and for a TLS handshake."""


USUAL_WAITS = Waits()


def send_unpaced(listener: socket.socket) -> None:
    """
    Have the connections of a listener on loopback sent as they are taken.

    Where the machine's choice is BBR, the kernel paces them, with a timer for each packet, to spare a network that is
    not there. Whoever comes from elsewhere gets what the machine has chosen.
    """
    if hasattr(socket, "TCP_CONGESTION") and listener.getsockname()[0] in ("127.0.0.1", "::1"):
        # Built into every Linux, and anybody may choose it; what only acts as one may refuse. Connections inherit it.
        with suppress(OSError):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")


class _Flow(FlowControl):
    """Says when a connection is read again, on which so much lay unread that it was not."""

    def __init__(self, transport: Any, resumed: Callable[[], None]) -> None:
        super().__init__(transport)
        self._resumed = resumed

    def resume_reading(self) -> None:
        was_paused = self.read_paused
        super().resume_reading()
        if was_paused:
            self._resumed()


_CONTROLS = bytes((*range(0x20), 0x7F))
"""What no line of a head holds, but for the two that end it."""

_COPIED_MAX_BYTES = 65_536
"""A longer body follows its head by a write of its own: a copy would cost more. Assumed."""

_OWN_HEADERS = frozenset({b"connection", b"transfer-encoding", b"content-length"})
"""Those that say how a response is sent."""


@lru_cache(maxsize=1024)
def _is_plain(name: bytes) -> bool:
    """Say whether a header's name can be sent as it is, and says nothing of how the response is sent."""
    return HEADER_RE.search(name) is None and name == name.lower() and name not in _OWN_HEADERS


class Cycle(RequestResponseCycle):
    """A request and its response, which is sent in one piece where it is whole: some 3 us less than two messages."""

    chunked_encoding: bool | None

    def answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """
        Send a whole response at once. Return False, with nothing sent, where there is anything unusual about it: then
        it goes out by `send`, which says what is wrong, too.

        Args:
            headers: without a length, which is added.
        """
        if (
            self.response_started
            or self.disconnected
            or not self.keep_alive
            or self.flow.write_paused
            or status in _WITHOUT_BODY
            or self.scope["method"] == "HEAD"
        ):
            return False
        lines = [STATUS_LINE[status]]
        for name, value in headers:
            if not _is_plain(name):
                return False
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"content-length: %d\r\n\r\n" % len(body))
        head = b"".join(lines)
        if len(head.translate(None, _CONTROLS)) + 2 * (len(headers) + 3) != len(head):
            # A value would end its line, or is none otherwise.
            return False
        self.waiting_for_100_continue = False
        self.chunked_encoding = False
        self.response_started = self.response_complete = True
        if len(body) <= _COPIED_MAX_BYTES:
            self.transport.write(head + body)
        else:
            self.transport.write(head)
            self.transport.write(body)
        self.message_event.set()
        self.on_response()
        return True

    async def send_pieces(self, pieces: list[bytes | bytearray]) -> None:
        """
        Send a part of the body as `send` does, which would copy it for its framing. Returns once there is room for it.

        Args:
            pieces: none of them empty.
        """
        size = sum(map(len, pieces))
        if size <= _COPIED_MAX_BYTES or not self.chunked_encoding or self.scope["method"] == "HEAD":
            await self.send({"type": "http.response.body", "body": b"".join(pieces), "more_body": True})
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self.transport.writelines((b"%x\r\n" % size, *pieces, b"\r\n"))


class _Unframed(RequestResponseCycle):
    """
    A request of HTTP/1.0 and its response, whose end, where no length is told, is that of the connection.

    Source: RFC 9112, section 6.1: such a client knows no chunks.
    """

    chunked_encoding: bool | None

    async def run_asgi(self, app: Any) -> None:
        async def watched(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)
            if self.response_started and not self.response_complete and not self.disconnected:
                # The end would look like that of a whole response; a reset does not.
                _break_off(self.transport)

        await super().run_asgi(watched)

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


def _break_off(transport: Any) -> None:
    """End a connection so that the client knows that this was not the end."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Connection(HttpToolsProtocol):
    """One connection, on which a request's head has a limit, and silence wherever the client's next bytes are due."""

    _head_bytes = 0
    """What has come since the last headers or piece of a body were complete."""
    _is_in_head = False
    """Whether a head has begun that is not complete."""
    _is_in_message = False
    """Whether a head is complete, and what belongs to it is not."""
    _waiting_since: float | None = None
    """Since when it is the client's turn."""
    _waited_s = 0.0
    """How long this head, or what belongs to it, has been waited for before that."""
    _body_bytes = 0
    _running: RequestResponseCycle | None = None
    """The request that is answered, or was last; those that wait behind it are in `pipeline`."""
    _fault: tuple[HTTPStatus, str] | None = None
    """What the parser was stopped for, if not for what it found itself."""
    _refusal: bytes | None = None
    """Said once all before it is answered; from when it is set on, nothing that comes counts."""
    _stalled: TimerHandle | None = None
    """Ends the connection of a client that takes nothing."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,
        app_state: dict[str, Any],
        waits: Waits,
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._waits = waits

    def connection_made(self, transport: Any) -> None:
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency + _SURPLUS_MAX:
            self.transport = transport
            transport.abort()
            return
        super().connection_made(transport)
        self.flow = _Flow(transport, self._await_body)
        self._await_client()

    def data_received(self, data: bytes) -> None:
        # Over TLS what came before the end is handed on after we closed.
        if self._refusal is not None or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        if self._waiting_since is not None:
            self._waited_s += self.loop.time() - self._waiting_since
            self._waiting_since = None
        if self._is_too_slow():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request's body came too slowly.")
            return
        self._head_bytes += len(data)
        if self._head_bytes > _UNFINISHED_MAX_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "Request head is too large.")
            return
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse(*(self._fault or (HTTPStatus.BAD_REQUEST, "Invalid HTTP request received.")))
            return
        self._await_client()

    def _is_too_slow(self) -> bool:
        allowed_s = self._waits.silence_s + self._body_bytes / _BODY_LEAST_BYTES_PER_S
        return self._is_in_message and self._waited_s > allowed_s

    def _feed(self, data: bytes) -> None:
        """
        Parse what has come.

        A client may offer another protocol with a request, as curl does with `Upgrade: h2c`. Not taking the offer is
        legal, but the parser takes all that follows for that protocol: the body would be lost, or read as a request of
        its own. So the request is read again without the offer.

        Raises:
            HttpParserError: it is no HTTP.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                method, version = self.parser.get_method(), self.parser.get_http_version().encode()
                if method == b"CONNECT":
                    raise httptools.HttpParserInvalidMethodError("CONNECT") from None
                head = [method, b" ", self.url, b" HTTP/", version, b"\r\n"]
                for name, value in self.headers:
                    if name != b"upgrade":
                        head += [name, b": ", value, b"\r\n"]
                data = b"".join((*head, b"\r\n", data[upgrade.args[0] :]))
                self.parser = httptools.HttpRequestParser(self)
            else:
                return

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        """
        Answer what cannot be read as a request, and end the connection: nobody knows where the next one would begin.

        In its turn: the client would take it for the answer to a request before it. Nothing is said within or behind an
        answer to the same request.
        """
        self._unset_keepalive_if_required()
        cycle = self.cycle
        if self._is_in_message and self.pipeline and self.pipeline[0][0] is cycle:
            # Part of it has come, and it has not begun: nobody gets to see it.
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._running  # type: ignore[assignment]
        elif self._is_in_message:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
            if cycle.response_started:
                self._refusal = b""
                if cycle.response_complete:
                    self._close()
                else:
                    _break_off(self.transport)
                return
            self._running = None
        self._is_in_message = False
        self._refusal = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(why)}\r\nconnection: close\r\n\r\n{why}"
        ).encode()
        self._say_refusal()

    def _say_refusal(self) -> None:
        """Send what was refused once it is its turn."""
        running = self._running
        is_answered = running is None or (running.response_complete and not self.pipeline)
        if not self._refusal or not is_answered or self.transport.is_closing():
            return
        self.transport.write(self._refusal)
        self._refusal = b""
        if not self.transport.can_write_eof():
            self._close()
            return
        self.flow.resume_reading()
        self.transport.write_eof()
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(_LINGER_S, self._close)

    def _close(self) -> None:
        """Close the connection once what was written has left. Idempotent."""
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        # uvicorn offers no other way to say what a request is answered by.
        if cycle.scope["http_version"] == "1.0":
            cycle.__class__ = _Unframed
            cycle.chunked_encoding = False
        else:
            cycle.__class__ = Cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for it: uvicorn's limit knows nothing of a head that has begun."""
        if self.transport.is_closing():
            self._close()
            return
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self._refusal is None:
            self._await_client()
        else:
            self._say_refusal()

    def _await_body(self) -> None:
        # At the end of a response its own limit begins, whatever was unread.
        if self.cycle is not None and not self.cycle.response_complete:
            self._await_client()

    def _await_client(self) -> None:
        """
        Limit the silence if it is the client's turn. Whatever comes ends the limit, as between requests.

        While nobody takes what has come, as when a neighbour hangs, the client cannot send: it is not its turn.
        """
        cycle = self.cycle
        is_body_due = cycle is not None and cycle.more_body and not self.pipeline and not self.flow.read_paused
        is_clients_turn = cycle is None or cycle.response_complete or is_body_due
        if not is_clients_turn or self.timeout_keep_alive_task is not None or self.transport.is_closing():
            return
        now, limit_s = self.loop.time(), self._waits.silence_s
        if self._is_in_head:
            limit_s = max(0.0, min(limit_s, self._waits.head_s - self._waited_s))
        self._waiting_since = now
        self.timeout_keep_alive_task = self.loop.call_later(limit_s, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._is_in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request's head did not come in time.")
        elif self._is_in_message:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request's body did not come in time.")
        else:
            self._close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(_STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._end_stall()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_stall()
        self._unset_keepalive_if_required()
        running = self._running
        if running is not None and not running.response_complete:
            # uvicorn tells it to the newest request alone.
            running.disconnected = True
            running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Called when the server stops: end the connection once all requests that came are answered."""
        if self.cycle is None or self.cycle.response_complete:
            self._close()
        else:
            self.cycle.keep_alive = False

    def drop_backup(self) -> None:
        """
        Drop the connection if its answer is a backup, which may last far beyond what a stopping server waits.

        Dropped, not closed: a client that takes nothing would keep what has been written for it. For the backup it is a
        client that leaves.
        """
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and cycle.scope["path"] == BACKUP_PATH:
            self.transport.abort()

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._waited_s = True, 0.0

    def on_headers_complete(self) -> None:
        self._check_head()
        self._head_bytes = 0
        if self.parser.should_upgrade():
            return
        self._is_in_head, self._is_in_message = False, True
        self._waited_s, self._body_bytes = 0.0, 0
        if self.parser.get_http_version() == "1.0":
            # Source: RFC 9110, section 10.1.1: such a client knows no interim response.
            self.expect_100_continue = False
        super().on_headers_complete()
        # What comes from here on are trailers, which the parser hands over like headers. Source: RFC 9110, section
        # 6.5.1: they are not headers. Whoever stands before us let them pass as such.
        self.headers = []

    def _check_head(self) -> None:
        """
        Refuse a head that two servers could read in two ways, and one that is too long.

        Raises:
            HttpParserError: it is so; `_fault` may say more.
        """
        if len(self.pipeline) >= _PIPELINE_MAX:
            # Told with the answer before: no request is answered that the client could not ask again.
            self.pipeline[0][0].keep_alive = False
            self._fault = (HTTPStatus.BAD_REQUEST, "Too many requests at once on one connection.")
            raise httptools.HttpParserError("too many requests in a row")
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise httptools.HttpParserError(f"HTTP/{version}")
        hosts = [value for name, value in self.headers if name == b"host"]
        # Source: RFC 9112, section 3.2. Whoever stands before us may have read another one of two.
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            raise httptools.HttpParserError("the Host header is not one")
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        # Source: RFC 9112, section 6.1. What we do not undo, a function would take for its event.
        if codings and (codings != [b"chunked"] or version == "1.0"):
            self._fault = (HTTPStatus.BAD_REQUEST, "No Transfer-Encoding but chunked is understood.")
            raise httptools.HttpParserError("an unknown transfer coding")
        if self._head_bytes > _HEAD_MAX_BYTES:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > _HEAD_MAX_BYTES:
                self._fault = (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "Request head is too large.")
                raise httptools.HttpParserError("the head is too long")
        if b"#" in self.url:
            # Source: RFC 9112, section 3.2: no part of a target. Servers differ in what they make of it.
            raise httptools.HttpParserInvalidURLError("a fragment")
        if not self.url.startswith((b"/", b"*")):
            self._check_target(hosts)

    def _check_target(self, hosts: list[bytes]) -> None:
        """
        Refuse a target that names its host, as clients of a proxy write it, if the Host header names another.

        Source: RFC 9112, section 3.2.2: the target's counts, and the two are the same. Whoever stands before us may
        have looked at either.

        Raises:
            HttpParserInvalidURLError: they are not.
        """
        authority = self.url.partition(b"://")[2].partition(b"/")[0].partition(b"?")[0]
        if [value.lower() for value in hosts] != [authority.lower()]:
            raise httptools.HttpParserInvalidURLError("the target's host is not the Host header's")

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self._is_in_message = False
            self._head_bytes = 0
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        self._body_bytes += len(body)
        super().on_body(body)
