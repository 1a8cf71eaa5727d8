"""
Traces of sampled invocations: plain tuples on their way, segments in the store soon after.

In: tuples, and what functions send to the X-Ray daemon's port, on the event loop. Out: segments in the store, and to
whoever else wants them. Never: work on the way of an invocation that is not sampled. What waits here is bounded; a
crash loses what was not put yet.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from lambent.clock import Clock, TimerHandle
from lambent.domain.arn import function_arn
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionVersion
from lambent.domain.trace import Sampled, Sampler, Trace, next_trace
from lambent.domain.traced import LINKS_MAX, Document, Entered, Linked, Traced, Tracing, documents_of, link_of
from lambent.domain.xray.document import has_ended, parse
from lambent.errors.families import DependencyError
from lambent.store.traces_contract import TraceDocument, TraceStore

PUT_AFTER_S: Final = 0.5
"""How long what was left waits for more. Clients look for new traces within seconds."""

RING_MAX: Final = 20_000
"""Tuples that may wait; the oldest goes where there is no room."""

RECEIVED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of what functions sent, likewise; further ones are dropped."""

_DATAGRAM_BYTES: Final = 256
"""What one takes beside its content."""

BATCH_MAX: Final = 500
"""Tuples, and as many of what functions sent, that become segments in one commit."""

LINKS_WAITING_MAX: Final = 1000
"""Links whose producer has not written its segment yet; the oldest goes where there is no room."""

_LINK_AGAIN_S: Final = 1.0
_LINK_AGAIN_MAX_S: Final = 60.0
_LINK_AGE_MAX_S: Final = 1000.0
"""A producer writes its segment when it ends: it may take fifteen minutes, the longest timeout."""

_RETRY_S: Final = 5.0
"""After the store refused. Assumed: as with logs."""

_log = logging.getLogger("lambent.telemetry")


class Exported(NamedTuple):
    """A segment that was put."""

    scope: Scope
    function: str
    """Who it is of; empty where it is a stage's."""
    document: bytes
    """JSON."""


Export = Callable[[Sequence[Exported]], None]
"""Takes segments that were put, on the event loop. It must not raise and not wait."""


class _Header(msgspec.Struct):
    format: str
    version: int


class _WaitingLink(NamedTuple):
    linked: Linked
    until: float
    next_at: float
    delay_s: float


class Traces:
    """
    Takes what sampled invocations leave. All methods are for the event loop.

    Args:
        store: None: nothing is kept, as in tests of parts that only leave something.
        export: where segments go beside the store.
    """

    def __init__(self, store: TraceStore | None, clock: Clock, export: Export | None = None) -> None:
        self._store = store
        self._clock = clock
        self._export = export
        self._sampler = Sampler()
        self._ring: deque[Traced | Linked] = deque()
        self._received: deque[_Datagram] = deque()
        self._received_bytes = 0
        self._links: deque[_WaitingLink] = deque()
        self._wanted = asyncio.Event()
        self._timer: TimerHandle | None = None
        self._putting: asyncio.Task[None] | None = None
        self.dropped = 0
        """Tuples, datagrams and links that found no room, or that the store refused for good."""
        self.malformed = 0
        """Of what functions sent: no segments."""

    # On the way of invocations -----------------------------------------------------------------------------------

    def begin(self, version: FunctionVersion, given: str | None) -> tuple[Trace, Tracing | None]:
        """
        Return the header that an invocation goes on with; with it, where it is sampled, the ids of its segments.

        Args:
            version: decides by itself where nobody has, if its tracing is active.
            given: the request's header, as sent.
        """
        clock = self._clock
        random_hex, now = clock.token_hex(20), clock.now()
        sampler = self._sampler if version.configuration.is_traced else None
        arn = function_arn(version.scope, version.name)
        trace = next_trace(given, now, random_hex[:24], random_hex[24:], arn, sampler)
        if trace.sampled is None:
            return trace, None
        return trace, self.tracing(trace.sampled, random_hex[24:], now)

    def tracing(self, sampled: Sampled, invocation_id: str, now: float) -> Tracing:
        """Return the ids of an invocation's segments, but for that of the subsegment that the function sees."""
        more = self._clock.token_hex(16)
        return Tracing(sampled.trace_id, sampled.parent_id, more[:16], more[:16], more[16:], invocation_id, now)

    def sampler_of(self, version: FunctionVersion) -> Sampler | None:
        """Return what decides about requests to a version that nobody has decided about; None: they are not sampled."""
        return self._sampler if version.configuration.is_traced else None

    def add(self, traced: Traced | Linked) -> None:
        """Take what a sampled invocation left. Never fails, never waits."""
        if self._store is None:
            return
        if len(self._ring) >= RING_MAX:
            self._ring.popleft()
            self.dropped += 1
        self._ring.append(traced)
        self._wake()

    def received(self, scope: Scope, function: str, datagram: bytes) -> None:
        """Take what a function sent to the daemon's port. It counts in the function's own account alone."""
        if self._store is None:
            return
        one = _Datagram(scope, function, datagram)
        if self._received_bytes + one.costs > RECEIVED_BYTES_MAX:
            self.dropped += 1
            return
        self._received_bytes += one.costs
        self._received.append(one)
        self._wake()

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = self._clock.call_later(PUT_AFTER_S, self._due)

    def _due(self) -> None:
        self._timer = None
        self._wanted.set()

    # Beside it ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Put what was left into the store, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.settle()
            except DependencyError as error:
                _log.error("traces.not_put waiting=%d reason=%s", len(self._ring), error)
                await self._clock.sleep(_RETRY_S)
                self._wake()

    async def settle(self) -> None:
        """
        Return once everything left before this call is in the store. Concurrent calls share the work.

        Raises:
            DependencyError: the store does not answer; what was left waits for the next time.
        """
        while self._putting is not None and not self._putting.done():
            await asyncio.shield(self._putting)
        if self._ring or self._received or self._links:
            self._putting = asyncio.get_running_loop().create_task(self._put(), name="traces.put")
            await asyncio.shield(self._putting)

    async def close(self) -> None:
        """Put what is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            await self.settle()
        except DependencyError as error:
            _log.error("traces.lost waiting=%d reason=%s", len(self._ring) + len(self._received), error)

    async def _put(self) -> None:
        assert self._store is not None
        # What comes meanwhile waits for more: a put for each few would take several times as long.
        left, left_received = len(self._ring), len(self._received)
        while left > 0 or left_received > 0:
            traced = _taken(self._ring, min(left, BATCH_MAX))
            received = _taken(self._received, min(left_received, BATCH_MAX))
            left -= BATCH_MAX
            left_received -= BATCH_MAX
            self._received_bytes -= sum(one.costs for one in received)
            try:
                # In a thread: hundreds of segments at once would hold up invocations.
                made = await asyncio.to_thread(_made_of, traced, received)
                for scope, documents in made.by_scope.items():
                    self.dropped += len(await self._store.put(scope, documents))
            except BaseException:
                self._give_back(traced, received)
                raise
            self.malformed += made.malformed
            self.dropped += made.dropped
            if self._export is not None:
                self._export(made.exported)
            for linked in made.links:
                self._wait_for(linked)
        await self._link()

    def _give_back(self, traced: Sequence[Traced | Linked], received: Sequence["_Datagram"]) -> None:
        """Have a batch wait again, as far as there is room: the oldest go."""
        room = RING_MAX - len(self._ring)
        self.dropped += max(0, len(traced) - room)
        self._ring.extendleft(reversed(traced[max(0, len(traced) - room) :]))
        for one in reversed(received):
            if self._received_bytes + one.costs > RECEIVED_BYTES_MAX:
                self.dropped += 1
            else:
                self._received_bytes += one.costs
                self._received.appendleft(one)

    # Links -------------------------------------------------------------------------------------------------------

    def _wait_for(self, linked: Linked) -> None:
        if len(self._links) >= LINKS_WAITING_MAX:
            self._links.popleft()
            self.dropped += 1
        now = self._clock.monotonic()
        self._links.append(_WaitingLink(linked, now + _LINK_AGE_MAX_S, now, _LINK_AGAIN_S))

    async def _link(self) -> None:
        """Write links into the segments of producers that are there by now; look again later for the others."""
        assert self._store is not None
        now = self._clock.monotonic()
        for one in _taken(self._links, len(self._links)):
            if one.next_at > now:
                self._links.append(one)
                continue
            linked = one.linked
            try:
                found = await self._store.documents(linked.scope, [linked.trace_id])
                changed = await asyncio.to_thread(_with_link, found.get(linked.trace_id, ()), linked)
                if changed is not None:
                    await self._store.put(linked.scope, [changed])
            except BaseException:
                self._links.append(one)
                raise
            if changed is not None:
                continue
            if now >= one.until:
                # Its producer sent no segment of that id: it was not sampled here, or names what is not there.
                self.dropped += 1
                continue
            self._links.append(one._replace(next_at=now + one.delay_s, delay_s=min(2 * one.delay_s, _LINK_AGAIN_MAX_S)))
        if self._links and self._timer is None:
            wait_s = max(0.0, min(one.next_at for one in self._links) - now)
            self._timer = self._clock.call_later(wait_s, self._due)


class _Datagram(NamedTuple):
    scope: Scope
    function: str
    datagram: bytes

    @property
    def costs(self) -> int:
        """Bytes that it takes here: of empty ones there would be millions."""
        return len(self.datagram) + _DATAGRAM_BYTES


class _Made(NamedTuple):
    by_scope: Mapping[Scope, Sequence[TraceDocument]]
    exported: Sequence[Exported]
    links: Sequence[Linked]
    malformed: int
    dropped: int


def _taken(waiting: deque[Any], most: int) -> list[Any]:
    return [waiting.popleft() for _ in range(min(most, len(waiting)))]


def _made_of(traced: Iterable[Traced | Linked], received: Iterable[_Datagram]) -> _Made:
    by_scope: dict[Scope, list[TraceDocument]] = {}
    exported: list[Exported] = []
    links: list[Linked] = []
    malformed = dropped = 0

    def take(scope: Scope, function: str, documents: Sequence[TraceDocument]) -> None:
        if documents:
            by_scope.setdefault(scope, []).extend(documents)
            exported.extend(Exported(scope, function, one.document) for one in documents)

    for one in traced:
        if isinstance(one, Linked):
            links.append(one)
            continue
        function = "" if isinstance(one, Entered) else one.name
        try:
            documents = [*map(_stored, documents_of(one))]
        except Exception:
            # Ours to mend, as below.
            _log.exception("traces.not_understood function=%s", function)
            dropped += 1
            continue
        take(one.scope, function, documents)
    for scope, function, datagram in received:
        try:
            sent, refused = _sent_in(datagram)
        except Exception:
            # Ours to mend. It would fail for ever, and keep all that follows from being put.
            _log.exception("traces.not_understood function=%s", function)
            sent, refused = [], 1
        malformed += refused
        take(scope, function, sent)
    return _Made(by_scope, exported, links, malformed, dropped)


def _stored(document: Document) -> TraceDocument:
    """Return a sound segment as the store takes it."""
    return TraceDocument(
        document["trace_id"].lower(),
        document["id"].lower(),
        float(document["start_time"]),
        float(document["end_time"]) if has_ended(document) else None,
        msgspec.json.encode(document),
    )


def _sent_in(datagram: bytes) -> tuple[list[TraceDocument], int]:
    """
    Return the segments of a datagram, and how much else was in it.

    Observed: the daemon's source (aws/aws-xray-daemon): a header as JSON, a line's end, a document.
    """
    head, _, body = datagram.partition(b"\n")
    try:
        header = msgspec.json.decode(head, type=_Header)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return [], 1
    if header.format.lower() != "json" or header.version != 1:
        return [], 1
    segments, refusals = parse(body)
    sent = [
        TraceDocument(one.trace_id, one.id, one.start_s, one.end_s if one.is_complete else None, one.text)
        for one in segments
    ]
    return sent, len(refusals)


def _with_link(documents: Sequence[bytes], linked: Linked) -> TraceDocument | None:
    """Return the document that holds a producer's segment, with the link in it; None where it is not there yet."""
    # Of two of one id the last one counts.
    for text in reversed(documents):
        # Most of a trace's documents are others; reading them all would cost more than looking.
        if linked.id.encode() not in text.lower():
            continue
        document = msgspec.json.decode(text)
        segment = _found(document, linked.id)
        if segment is None or not has_ended(document):
            continue
        links = segment.setdefault("links", [])
        if isinstance(links, list) and len(links) < LINKS_MAX:
            links.append(link_of(linked))
        return _stored(document)
    return None


def _found(document: Any, segment_id: str) -> Document | None:
    """Return the segment or subsegment of an id in a document."""
    waiting = [document]
    while waiting:
        one = waiting.pop()
        if str(one["id"]).lower() == segment_id:
            found: Document = one
            return found
        waiting += one.get("subsegments") or ()
    return None
