"""
The load client: one thread, plain sockets, a closed loop. The same for every target.

It shares the cores with what it measures, so it does the least: requests are bytes that were built before the clock
started, one `select` loop drives all connections, and an answer is looked at only as far as needed to know that it is
whole and good. Each connection is kept alive and has one request in flight. Nagle's algorithm is off, as in AWS SDKs.
"""

import math
import selectors
import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_RECEIVE_BYTES = 1 << 18
_STALL_S = 60.0
"""Longest silence of all connections together before the target counts as hung; a cold start takes a fraction of it."""


class BadAnswer(Exception):
    """The target answered something else than success: a figure made of such answers would say nothing."""


@dataclass(frozen=True)
class Result:
    """What one run of the loop saw."""

    latencies_s: list[float]
    """From the first byte sent to the last one received, in order of completion."""
    elapsed_s: float
    """From the first request to the last answer."""
    answers: list[bytes]
    """The bodies, in order of completion; empty unless they were asked for."""
    reconnects: int
    """How often a target closed a connection that was to be kept alive."""

    @property
    def per_second(self) -> float:
        return len(self.latencies_s) / self.elapsed_s

    @property
    def p50_s(self) -> float:
        return statistics.median(self.latencies_s)

    def percentile_s(self, percent: float) -> float:
        """Return the latency that `percent` percent of the requests did not exceed (nearest rank)."""
        ordered = sorted(self.latencies_s)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def build_request(url: str, method: str, path: str, body: bytes, service: str = "lambda", headers: str = "") -> bytes:
    """
    Return a whole HTTP/1.1 request as an AWS SDK would send it: with a credential scope, though with a dummy signature.

    Args:
        url: base URL of the target, e.g. `http://127.0.0.1:4566`.
        path: path and query, escaped already.
        headers: further ones, each with its CRLF.
    """
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    head = (
        f"{method} {path} HTTP/1.1\r\n"
        f"Host: {urlsplit(url).netloc}\r\n"
        f"User-Agent: lambent-bench\r\n"
        f"Content-Type: application/json\r\n"
        f"X-Amz-Date: {now}\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential=000000000000/{now[:8]}/us-east-1/{service}/aws4_request, "
        f"SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}\r\n"
        f"{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def invoke_request(url: str, function: str, event: bytes) -> bytes:
    """Return the request of a synchronous Invoke."""
    return build_request(url, "POST", f"/2015-03-31/functions/{function}/invocations", event)


def stream_request(url: str, function: str, event: bytes) -> bytes:
    """Return the request of an InvokeWithResponseStream."""
    return build_request(url, "POST", f"/2021-11-15/functions/{function}/response-streaming-invocations", event)


@dataclass(frozen=True)
class StreamResult:
    """What one streamed answer took, from the first byte sent."""

    first_s: float
    """Until a byte behind the answer's head was there."""
    whole_s: float
    received: int
    """Bytes, framing and all."""


def read_stream(url: str, request: bytes) -> StreamResult:
    """
    Send one request on a connection of its own and read a chunked answer as fast as it comes.

    Raises:
        BadAnswer: it is no success, or ends before its last chunk.
    """
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=_STALL_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = time.perf_counter()
        connection.sendall(request)
        head = b""
        first = received = 0.0
        ending = b""
        while not ending.endswith(b"\r\n0\r\n\r\n"):
            some = connection.recv(_RECEIVE_BYTES)
            if not some:
                raise BadAnswer("the connection was closed in the middle of an answer")
            received += len(some)
            ending = (ending + some)[-7:]
            if not first:
                head += some
                status, _, body = head.partition(b"\r\n\r\n")
                if not status.startswith(b"HTTP/1.1 2"):
                    raise BadAnswer(head[:800].decode("utf-8", "replace"))
                if body:
                    first = time.perf_counter()
        end = time.perf_counter()
    return StreamResult(first - begin, end - begin, int(received))


class _Connection:
    """One kept-alive connection: sends a request, collects its answer."""

    def __init__(self, address: tuple[str, int], selector: selectors.BaseSelector) -> None:
        self._address = address
        self._selector = selector
        self.reconnects = 0
        self.sent_ns = 0
        self._request = b""
        self._unsent = memoryview(b"")
        self._received = bytearray()
        self._body_start = 0
        self._whole = -1
        self._closes = False
        self._is_resent = False
        self._open()

    def _open(self) -> None:
        self._socket = socket.create_connection(self._address, timeout=_STALL_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._selector.register(self._socket, selectors.EVENT_READ, self)

    def close(self) -> None:
        self._selector.unregister(self._socket)
        self._socket.close()

    def _reopen(self) -> None:
        self.reconnects += 1
        self.close()
        self._open()

    def start(self, request: bytes) -> None:
        """Send a request; the part that the kernel does not take now goes when the socket is writable."""
        self.sent_ns = time.perf_counter_ns()
        if self._closes:
            self._reopen()
        self._closes = False
        self._is_resent = False
        self._request = request
        self._unsent = memoryview(request)
        self._received.clear()
        self._whole = -1
        self._send()

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._again()
            return
        if self._unsent:
            self._selector.modify(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def _again(self) -> None:
        """Send once more, on a new connection: the target may have closed the old one while it was idle."""
        if self._is_resent:
            raise BadAnswer("the target closes connections instead of answering")
        self._is_resent = True
        self._reopen()
        self._unsent = memoryview(self._request)
        self._send()

    def on_ready(self, mask: int) -> bytes | None:
        """Move bytes; return the body once the answer is whole. Raises BadAnswer."""
        if mask & selectors.EVENT_WRITE:
            self._send()
            if not self._unsent:
                self._selector.modify(self._socket, selectors.EVENT_READ, self)
        if not mask & selectors.EVENT_READ:
            return None
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            data = b""
        received = self._received
        if not data:
            if received:
                raise BadAnswer("the connection was closed in the middle of an answer")
            self._again()
            return None
        received += data
        if self._whole < 0 and not self._read_head():
            return None
        if self._whole:
            return bytes(received[self._body_start :]) if len(received) >= self._whole else None
        # Chunked: with one request in flight, the last chunk is the end of what was received.
        return _unchunk(received[self._body_start :]) if received.endswith(b"0\r\n\r\n") else None

    def _read_head(self) -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._received[:end]).lower()
        if not head.startswith(b"http/1.1 2") or b"\r\nx-amz-function-error:" in head:
            raise BadAnswer(bytes(self._received[:800]).decode("utf-8", "replace"))
        self._body_start = end + 4
        self._closes = b"\r\nconnection: close" in head
        _, found, after = head.partition(b"\r\ncontent-length:")
        if head.startswith(b"http/1.1 204"):
            self._whole = self._body_start
        elif found:
            self._whole = self._body_start + int(after.partition(b"\r\n")[0])
        elif b"\r\ntransfer-encoding: chunked" in head:
            self._whole = 0
        else:
            raise BadAnswer(f"an answer without a length: {head[:200]!r}")
        return True


def _unchunk(data: bytearray) -> bytes | None:
    body = bytearray()
    at = 0
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return None
        size = int(data[at:line_end].partition(b";")[0], 16)
        if size == 0:
            return bytes(body)
        body += data[line_end + 2 : line_end + 2 + size]
        at = line_end + 4 + size


def run_load(
    url: str,
    requests: Sequence[bytes],
    *,
    concurrency: int,
    count: int,
    seconds: float = 120.0,
    keep_answers: bool = False,
) -> Result:
    """
    Send `count` requests over `concurrency` kept-alive connections, each as soon as its connection's last answer is in.

    Connections are opened before the clock starts. Requests are taken from `requests` in turn, over and over.

    Args:
        seconds: no request starts after this time; those in flight are waited for.
        keep_answers: keep the bodies (they cost memory, so only when they are looked at).

    Raises:
        BadAnswer: any answer but a 2xx without a function error, or none for a minute.
    """
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    selector = selectors.DefaultSelector()
    connections: list[_Connection] = []
    latencies_ns: list[int] = []
    answers: list[bytes] = []
    started = 0
    in_flight = 0
    try:
        connections.extend(_Connection(address, selector) for _ in range(min(concurrency, count)))
        begin_ns = end_ns = time.perf_counter_ns()
        last_start_ns = begin_ns + int(seconds * 1e9)
        for connection in connections:
            connection.start(requests[started % len(requests)])
            started += 1
            in_flight += 1
        while in_flight:
            ready = selector.select(_STALL_S)
            if not ready:
                raise BadAnswer(f"no answer for {_STALL_S:.0f} s, {in_flight} requests in flight")
            for key, mask in ready:
                connection = key.data
                answer = connection.on_ready(mask)
                if answer is None:
                    continue
                end_ns = time.perf_counter_ns()
                latencies_ns.append(end_ns - connection.sent_ns)
                if keep_answers:
                    answers.append(answer)
                if started < count and end_ns < last_start_ns:
                    connection.start(requests[started % len(requests)])
                    started += 1
                else:
                    in_flight -= 1
    finally:
        for connection in connections:
            connection.close()
        selector.close()
    return Result(
        latencies_s=[latency / 1e9 for latency in latencies_ns],
        elapsed_s=(end_ns - begin_ns) / 1e9,
        answers=answers,
        reconnects=sum(connection.reconnects for connection in connections),
    )
