"""One connection of a client: uvicorn's own, with limits on what it may send and keep waiting."""

from asyncio import TimerHandle
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lambent.gateway.own_paths import BACKUP_PATH

_HEAD_MAX_BYTES = 1_048_576
"""
How much of a request may come without becoming part of its body: line, headers, trailers. The parser has no limit.

Assumed: AWS takes less, and nobody means to send so much; it is above what one read of a socket brings (test_server).
"""

_STALLED_S = 900
"""
How long a client may leave what we have for it untaken before its connection is dropped. No function that streams to it
lives longer.
"""


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


class Connection(HttpToolsProtocol):
    """One connection, on which a request's head has a limit, and silence wherever the client's next bytes are due."""

    _head_bytes = 0
    """What has come since the last headers or piece of a body were complete."""
    _stalled: TimerHandle | None = None
    """Ends the connection of a client that takes nothing."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = _Flow(transport, self._await_body)
        self._await_client()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        if self._head_bytes > _HEAD_MAX_BYTES:
            self.send_400_response("Request head is too large.")
            return
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
            return
        self._await_client()

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

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_client()

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
        if is_clients_turn and self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(_STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._end_stall()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_stall()
        super().connection_lost(exc)

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

    def on_headers_complete(self) -> None:
        self._head_bytes = 0
        if not self.parser.should_upgrade():
            if not self.url.startswith((b"/", b"*")):
                self._check_target()
            super().on_headers_complete()
            # What comes from here on are trailers, which the parser hands over like headers. Source: RFC 9110, section
            # 6.5.1: they are not headers. Whoever stands before us let them pass as such.
            self.headers = []

    def _check_target(self) -> None:
        """
        Refuse a target that names its host, as clients of a proxy write it, if the Host header names another.

        Source: RFC 9112, section 3.2.2: the target's counts, and the two are the same. Whoever stands before us may
        have looked at either.

        Raises:
            HttpParserInvalidURLError: they are not.
        """
        authority = self.url.partition(b"://")[2].partition(b"/")[0].partition(b"?")[0]
        if [value.lower() for name, value in self.headers if name == b"host"] != [authority.lower()]:
            raise httptools.HttpParserInvalidURLError("the target's host is not the Host header's")

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        super().on_body(body)
