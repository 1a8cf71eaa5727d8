"""The ASGI application, and the uvicorn server that runs it."""

import contextlib
import logging
import math
from asyncio import FIRST_COMPLETED, AbstractServer, Event, create_task, gather, get_running_loop, wait
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, MutableMapping
from email.utils import formatdate
from socket import SHUT_RDWR, socket
from ssl import SSLContext
from typing import Any

import uvicorn

from lambent.access.credential import read_credential
from lambent.clock import Clock
from lambent.domain.access_log import on_one_line
from lambent.domain.caller import Inside
from lambent.errors.families import AccessDeniedException, ApiError, DependencyError
from lambent.gateway.admission import Admission, TooManyRequests
from lambent.gateway.connection import USUAL_WAITS, Connection, Cycle, Waits, send_unpaced
from lambent.gateway.function_url import FunctionUrls, is_for_url
from lambent.gateway.host_names import HostNames
from lambent.gateway.http_api import HttpApis
from lambent.gateway.own_answers import problem
from lambent.gateway.own_paths import PREFIX, OwnPaths
from lambent.gateway.pipeline import Pipeline
from lambent.gateway.tls import Handshake, SecuredConnection
from lambent.protocol.errors import error_response_without_model
from lambent.protocol.wire import BodyInPieces, BodyStream, BodyTooLarge, ClientGone, WireRequest, WireResponse

_log = logging.getLogger("lambent.gateway")

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_WITHOUT_LENGTH = frozenset({204, 304})
"""Statuses that no body follows, whatever would be said of its length. Source: RFC 9110, section 8.6."""

_DISCARD_MAX_BYTES = 268_435_456
"""How much of a refused body is read away before the connection is given up."""

_HOSTS_TOLD_MAX = 20
"""Refused names that the log tells of. Assumed: whoever tries more than that tries any (test_server)."""

INSIDE_CONNECTIONS_MAX = 256
"""
Connections that one execution environment may have at once; one more is dropped.

Assumed: many times what a pool of an SDK holds, and few enough that one function leaves descriptors, and the limit of
all connections, to others (test_server).
"""


class Gateway:
    """
    The raw ASGI application: no framework, no middleware.

    Args:
        host_names: by which APIs and own paths may be called, where nothing but that keeps pages of the web out; None:
            by any. Function URLs and HTTP APIs are for pages, too.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        own_paths: OwnPaths,
        function_urls: FunctionUrls,
        http_apis: HttpApis,
        admission: Admission,
        clock: Clock,
        host_names: HostNames | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._function_urls = function_urls
        self._http_apis = http_apis
        self._own_paths = own_paths
        self._admission = admission
        self._clock = clock
        self._host_names = host_names
        self._refused_hosts: set[str] = set()
        """Those that the log has named."""
        self._date = b""
        self._date_second = -1

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            # WebSocket: uvicorn answers a close for an application that returns.
            return
        request = WireRequest(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=_headers(scope["headers"]),
            pairs=scope["headers"],
            protocol=f"HTTP/{scope['http_version']}",
            client=(scope.get("client") or ("127.0.0.1", 0))[0],
            inside=scope["state"].get("inside"),
        )
        request_id = self._clock.new_id()
        body = _Body(receive, self._admission, request.headers)
        request.wait_gone = body.wait_gone
        request.stream = body.stream
        request.discard = body.discard
        try:
            self._admission.enter()
        except TooManyRequests as error:
            await self._send(send, error_response_without_model(request, "", error, request_id), body)
            return
        try:
            if not self._http_apis.is_current:
                await self._http_apis.refresh()
            if is_for_url(request):
                response = await self._function_urls.answer(request, body.read, request_id)
            elif self._http_apis.is_for_api(request):
                response = await self._http_apis.answer(request, body.read)
            elif request.inside is None and not self._is_called_by_name(request):
                await request.discard()
                response = _refused_name(request, request_id)
            elif request.path.startswith(PREFIX):
                response = await self._own_paths.answer(request, request_id)
            else:
                endpoint = f"{scope['scheme']}://{_host(request, scope)}"
                response = await self._pipeline.answer(request, body.read, request_id, endpoint)
            await self._send(send, response, body)
        except ClientGone:
            return
        finally:
            self._admission.leave(body.counted_bytes)

    def _is_called_by_name(self, request: WireRequest) -> bool:
        """Say whether the name in Host is one of this server's, where that is all that keeps pages of the web out."""
        host = request.headers.get("host", "")
        # A custom domain is a name that somebody here gave: what is signed for a service goes there by it, too.
        if self._host_names is None or self._host_names.admits(host) or self._http_apis.has_domain(host):
            return True
        if host not in self._refused_hosts and len(self._refused_hosts) < _HOSTS_TOLD_MAX:
            self._refused_hosts.add(host)
            _log.warning("request.host_refused host=%s hint=--public-host", on_one_line(host[:255]))
        return False

    async def _send(self, send: _Send, response: WireResponse, request_body: "_Body") -> None:
        headers = response.headers
        headers.append((b"date", self._date_header()))
        if request_body.is_withheld:
            # The client may take it for leave to keep its body to itself: what it sends next would be read as that.
            # Source: RFC 9110, section 10.1.1.
            headers.append((b"connection", b"close"))
        body = response.body
        if isinstance(body, bytes):
            # Where the server is ours, `send` is a method of its `Cycle`, which takes a whole response at once. Found
            # here, since a scope that named its cycle would be garbage that only the collector frees.
            cycle = getattr(send, "__self__", None)
            if isinstance(cycle, Cycle) and cycle.answer(response.status, headers, body):
                return
            if response.status not in _WITHOUT_LENGTH:
                headers.append((b"content-length", str(len(body)).encode()))
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        sending = _send_stream(send, response.status, headers, body)
        try:
            if response.ends_with_client:
                await _unless_gone(sending, request_body.wait_gone)
            else:
                await sending
        except ApiError as error:
            # The head has left: the connection breaks off as well, so that nobody takes a part for the whole.
            _log.warning("response.broke_off reason=%s", error.message)
        except DependencyError as error:
            # Too late for another status. The server drops the connection, by which the client knows.
            _log.error("response.broken_off reason=%s", error)
        finally:
            await body.aclose()

    def _date_header(self) -> bytes:
        now = self._clock.now()
        if int(now) != self._date_second:
            self._date_second = int(now)
            self._date = formatdate(now, usegmt=True).encode()
        return self._date


async def _send_stream(send: _Send, status: int, headers: list[tuple[bytes, bytes]], body: BodyStream) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    cycle = getattr(send, "__self__", None)
    if isinstance(body, BodyInPieces) and isinstance(cycle, Cycle):
        while pieces := await body.take():
            await cycle.send_pieces(pieces)
        await send({"type": "http.response.body", "body": b""})
        return
    async for chunk in body:
        # Returns when the client's connection has room; at once, and without effect, when the client has left.
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _unless_gone(sending: Coroutine[Any, Any, None], wait_gone: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Send until it is done, which is what counts, or until the client has left."""
    both = (sent := create_task(sending)), create_task(wait_gone())
    try:
        await wait(both, return_when=FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await gather(*both, return_exceptions=True)
    if not sent.cancelled():
        sent.result()


class _Body:
    """One request's body, read when its limit is known."""

    __slots__ = ("_admission", "_declared", "_is_left", "_receive", "counted_bytes", "is_withheld")

    def __init__(self, receive: _Receive, admission: Admission, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self._admission = admission
        self._declared = declared = headers.get("content-length")
        self.is_withheld = headers.get("expect", "").lower() == "100-continue"
        """Whether the client waits for leave to send it. It is given once somebody reads."""
        self._is_left = declared is None or declared != "0"
        """Whether there is a body of which `read` or `stream` have not seen the end."""
        self.counted_bytes = 0

    async def read(self, most_bytes: int) -> bytes:
        """
        Return the whole body.

        Raises:
            BodyTooLarge: it is longer; it has been read and thrown away.
            ClientGone: the client left before its end.
            TooManyRequests: too many bytes of bodies are in memory.
        """
        self._is_left = self.is_withheld = False
        declared = int(self._declared) if self._declared is not None and self._declared.isdigit() else None
        if declared is not None and declared > most_bytes:
            await self._throw_away()
            raise BodyTooLarge
        message = await self._receive()
        chunks: list[bytes] = []
        size = 0
        while True:
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > most_bytes:
                chunks.clear()
                if message.get("more_body"):
                    await self._throw_away()
                raise BodyTooLarge
            try:
                self._admission.take_body(len(chunk))
            except TooManyRequests:
                chunks.clear()
                if message.get("more_body"):
                    await self._throw_away()
                raise
            self.counted_bytes += len(chunk)
            if not message.get("more_body"):
                return chunk if not chunks else b"".join((*chunks, chunk))
            chunks.append(chunk)
            message = await self._receive()

    async def stream(self) -> AsyncIterator[bytes]:
        """
        Yield the body as it comes. Nothing of it is counted: the server holds a piece at a time.

        Raises:
            ClientGone: the client left before its end.
        """
        self._is_left, self.is_withheld = True, False
        while self._is_left:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            self._is_left = bool(message.get("more_body"))
            if piece := message.get("body", b""):
                yield piece

    async def discard(self) -> None:
        """Read away what `stream` did not take, up to a limit. Fine where there is nothing left."""
        if self._is_left:
            self._is_left = False
            await self._throw_away()

    async def wait_gone(self) -> None:
        """Return when the client has left. Nobody may be reading the body."""
        self.is_withheld = False
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _throw_away(self) -> None:
        """Read the rest so that a client which is still sending gets to see the answer."""
        self.is_withheld = False
        size = 0
        while size <= _DISCARD_MAX_BYTES:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                return


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    # Joined once: with each value anew, a head full of one header would take a processor for seconds.
    repeated: dict[str, list[str]] = {}
    for name, value in pairs:
        key = name.decode("latin-1")
        text = value.decode("latin-1")
        if key in headers:
            repeated.setdefault(key, [headers[key]]).append(text)
        else:
            headers[key] = text
    for key, texts in repeated.items():
        headers[key] = ", ".join(texts)
    return headers


def _refused_name(request: WireRequest, request_id: str) -> WireResponse:
    error = AccessDeniedException(
        "This server verifies no signatures, so it answers to names of this machine alone, and the one in Host is "
        "none: give it to --public-host if it is yours, or start with --auth required"
    )
    if request.path.startswith(PREFIX):
        return problem(error.status, error.message, "AccessDenied")
    credential = read_credential(request.headers.get("authorization", ""), request.query)
    return error_response_without_model(request, "" if credential is None else credential.service, error, request_id)


def _host(request: WireRequest, scope: _Scope) -> str:
    host = request.headers.get("host", "")
    # The header comes back only to its own sender, inside a URL: keep it to what a host may hold.
    if host and len(host) <= 255 and all(character.isalnum() or character in ".-:[]_" for character in host):
        return host
    address, port = scope["server"]
    return f"{address}:{port}"


class GatewayServer(uvicorn.Server):
    """
    uvicorn, told when to stop by us instead of by its own signal handlers and its ten ticks a second.

    `serve(sockets=[...])` runs until `stop` was called and the requests in flight are answered.

    Args:
        waits: how long clients may keep it waiting.
        tls: spoken on the first of the sockets; the others, and what is inside, stay plain.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        connections_max: int,
        shutdown_grace_s: float,
        waits: Waits = USUAL_WAITS,
        tls: SSLContext | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                gateway,
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                limit_concurrency=connections_max,
                timeout_graceful_shutdown=math.ceil(shutdown_grace_s),
            )
        )
        self._connections_max = connections_max
        self.waits = waits
        self._tls = tls
        self._stop = Event()
        self._inside: set[InsideListener] = set()
        self._handshakes: set[Handshake] = set()

    def stop(self) -> None:
        """Accept nothing more; `serve` returns once what is in flight is done or the grace is over."""
        self.should_exit = True
        self._stop.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        self.servers = []
        loop = get_running_loop()
        for number, listener in enumerate(sockets or []):
            send_unpaced(listener)
            accept = self._shake_hands if self._tls is not None and number == 0 else self.new_connection
            self.servers.append(await loop.create_server(accept, sock=listener))
        self.started = True

    def new_connection(self) -> Connection:
        return Connection(self.config, self.server_state, {}, self.waits)

    def _shake_hands(self) -> Handshake:
        assert self._tls is not None
        # Who has not shaken hands counts as well.
        is_full = self.connection_count + len(self._handshakes) >= self._connections_max
        return Handshake(self._tls, self.waits, self._handshakes, None if is_full else self._new_secured)

    def _new_secured(self) -> SecuredConnection:
        return SecuredConnection(self.config, self.server_state, {}, self.waits)

    async def main_loop(self) -> None:
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        # Like the listeners outside: what comes now would keep the server from its end.
        for opened in self._inside:
            opened.refuse()
        for handshake in list(self._handshakes):
            handshake.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.drop_backup()
        await super().shutdown(sockets)
        for opened in list(self._inside):
            opened.close()

    async def serve_inside(self, listener: socket, inside: Inside) -> "InsideListener":
        """
        Serve the gateway on one more listening socket, which only one execution environment reaches.

        Args:
            listener: stays the caller's; the server works on a duplicate.
            inside: what requests that arrive there are known to come from.

        A server that is stopping refuses connections there from the beginning, as it does outside.
        """
        own = listener.dup()
        opened = InsideListener(self, inside, self._inside)
        try:
            await opened.start(own)
        except BaseException:
            own.close()
            raise
        if self.should_exit:
            opened.close()
        return opened

    @property
    def connection_count(self) -> int:
        return len(self.server_state.connections)


class InsideListener:
    """The gateway as one execution environment reaches it, until `close`."""

    def __init__(self, server: GatewayServer, inside: Inside, opened: "set[InsideListener]") -> None:
        self._server = server
        self._opened = opened
        """All that the server serves; this one is in it from `start` to `close`."""
        self._state = {"inside": inside}
        self.connections: set[_InsideConnection] = set()
        self.is_closed = False
        self._listening: AbstractServer | None = None

    async def start(self, own: socket) -> None:
        """Accept connections; called once."""
        self._socket = own
        # In two steps: cancelled in the middle of one, Python's own loop leaves a reader on a closed descriptor.
        self._listening = await get_running_loop().create_server(self._connect, sock=own, start_serving=False)
        self._opened.add(self)
        try:
            await self._listening.start_serving()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> "_InsideConnection":
        return _InsideConnection(self._server, self._state, self)

    def refuse(self) -> None:
        """Accept nothing more. Idempotent."""
        if self._listening is not None:
            # The caller's own socket would go on to take connections that nobody answers.
            with contextlib.suppress(OSError):
                self._socket.shutdown(SHUT_RDWR)
            self._listening.close()
            self._listening = None

    def close(self) -> None:
        """Accept nothing more and drop what is open: the environment is gone. Idempotent."""
        self.is_closed = True
        self.refuse()
        self._opened.discard(self)
        for connection in list(self.connections):
            connection.transport.abort()


class _InsideConnection(Connection):
    """One connection from an execution environment. All connections together count against the same limit."""

    def __init__(self, server: GatewayServer, state: dict[str, Any], listener: InsideListener) -> None:
        super().__init__(server.config, server.server_state, state, server.waits)
        self._listener = listener

    def connection_made(self, transport: Any) -> None:
        # The loop may have accepted it already when the listener was closed.
        if self._listener.is_closed or len(self._listener.connections) >= INSIDE_CONNECTIONS_MAX:
            transport.abort()
            return
        self._listener.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._listener.connections:
            self._listener.connections.remove(self)
            super().connection_lost(exc)


def bound_port(listener: socket) -> int:
    """Return the port that a listening socket got."""
    return int(listener.getsockname()[1])
