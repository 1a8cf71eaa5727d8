"""
Segments as spans of OpenTelemetry, sent to a collector.

In: segments that were put into the store, on the event loop. Out: requests, from a thread of its own. Never: anything
on the way of an invocation. What a collector does not take waits, up to a bound, beyond which the oldest go.

Source: OpenTelemetry protocol specification, OTLP/HTTP; its conventions for HTTP, functions and exceptions; the
collector's own receiver of X-Ray segments, for what it makes of annotations and metadata.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec

from lambent.clock import Clock
from lambent.domain.traced import Document
from lambent.domain.xray.document import has_ended
from lambent.telemetry.otlp import Collector, session
from lambent.telemetry.traces import Exported

WAITING_MAX_BYTES: Final = 16 * 1024 * 1024
"""Of segments that wait to be sent."""

BATCH_MAX: Final = 500
"""Segments of one request."""

SEND_MAX_S: Final = 5.0
"""How long one attempt may take, repeated requests within it included."""

LAST_SEND_MAX_S: Final = 3.0
"""How long a server that ends waits for its last spans to be taken."""

_INT_MAX: Final = (1 << 63) - 1
"""Of a number in an attribute, and of a time in nanoseconds."""

_AGAIN_S: Final = 5.0
"""After a collector took none. Assumed."""

_log = logging.getLogger("lambent.telemetry")


class OtlpTraces:
    """
    Sends segments that have ended.

    Args:
        version: of the server.
    """

    def __init__(self, to: Collector, clock: Clock, *, version: str) -> None:
        self._to = to
        self._clock = clock
        self._version = version
        # Of its own: a collector that hangs keeps nothing else waiting.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="otlp-traces")
        self._waiting: deque[Exported] = deque()
        self._waiting_bytes = 0
        self._wanted = asyncio.Event()
        self._exporter: Any = None
        self._is_away = False
        self.dropped = 0
        """Segments that found no room."""

    def take(self, segments: Sequence[Exported]) -> None:
        """Take segments. Never fails, never waits."""
        for one in segments:
            self._waiting.append(one)
            self._waiting_bytes += len(one.document)
        while self._waiting_bytes > WAITING_MAX_BYTES:
            self._waiting_bytes -= len(self._waiting.popleft().document)
            self.dropped += 1
        if self._waiting:
            self._wanted.set()

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._waiting:
                if not await self.send():
                    await self._clock.sleep(_AGAIN_S)

    async def send(self) -> bool:
        """Send the oldest of what waits; say whether it was taken. A collector that takes none is told of once."""
        batch: list[Exported] = []
        while self._waiting and len(batch) < BATCH_MAX:
            batch.append(self._waiting.popleft())
            self._waiting_bytes -= len(batch[-1].document)
        try:
            is_taken = await asyncio.get_running_loop().run_in_executor(self._thread, self._send, batch)
        except BaseException:
            self._give_back(batch)
            raise
        if not is_taken:
            self._give_back(batch)
        if is_taken is self._is_away:
            self._is_away = not is_taken
            word = "taken_again" if is_taken else "not_taken"
            _log.warning("otlp.traces_%s endpoint=%s dropped=%d", word, self._to.endpoint, self.dropped)
        return is_taken

    def _give_back(self, batch: Sequence[Exported]) -> None:
        self._waiting.extendleft(reversed(batch))
        self._waiting_bytes += sum(len(one.document) for one in batch)
        self.take(())

    async def close(self) -> None:
        """Send what waits, if that is quick, and end."""
        last = asyncio.ensure_future(self._send_rest())
        try:
            await asyncio.wait_for(asyncio.shield(last), LAST_SEND_MAX_S)
        except TimeoutError:
            pass
        finally:
            if self._exporter is not None:
                # Has an attempt that waits to be repeated give up.
                self._exporter.shutdown()
            self._thread.shutdown(wait=False, cancel_futures=True)
            await asyncio.wait([last], timeout=SEND_MAX_S)
        if self._waiting:
            _log.warning("otlp.last_traces_lost endpoint=%s segments=%d", self._to.endpoint, len(self._waiting))

    async def _send_rest(self) -> None:
        while self._waiting:
            if not await self.send():
                return

    # In the thread ------------------------------------------------------------------------------------------------

    def _send(self, batch: Sequence[Exported]) -> bool:
        from opentelemetry.sdk.trace.export import SpanExportResult

        if self._exporter is None:
            self._exporter = self._make_exporter()
        try:
            spans = [span for one in batch for span in spans_of(one, self._version)]
            return not spans or self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception:
            # Something in what functions sent: it would fail for ever, and keep all that follows from being sent.
            _log.exception("otlp.traces_not_understood segments=%d", len(batch))
            self.dropped += len(batch)
            return True

    def _make_exporter(self) -> Any:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        # It tells of each attempt; what there is to say of it is said here, once.
        logging.getLogger(OTLPSpanExporter.__module__).setLevel(logging.CRITICAL)
        return OTLPSpanExporter(
            endpoint=self._to.url("traces"),
            headers=dict(self._to.headers),
            timeout=SEND_MAX_S,
            compression=Compression.Gzip,
            session=session(),
        )


def spans_of(segment: Exported, version: str) -> Iterator[Any]:
    """Iterate over the spans that a segment and its subsegments are; one that has not ended is none yet."""
    from opentelemetry.sdk.resources import Resource

    document = msgspec.json.decode(segment.document)
    if not has_ended(document):
        return
    resource = Resource(
        {
            "service.name": segment.function or document["name"],
            "cloud.provider": "aws",
            "cloud.account.id": segment.scope.account,
            "cloud.region": segment.scope.region,
            **({"cloud.platform": "aws_lambda", "faas.name": segment.function} if segment.function else {}),
        }
    )
    waiting: list[tuple[Document, str | None]] = [(document, document.get("parent_id"))]
    while waiting:
        one, parent_id = waiting.pop()
        if has_ended(one):
            yield _span(one, document["trace_id"], parent_id, resource, version)
        waiting += [(inner, one["id"]) for inner in one.get("subsegments") or ()]


def _span(one: Document, trace_id: str, parent_id: str | None, resource: Any, version: str) -> Any:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanKind

    # Documented: X-Ray developer guide, tracing header: how W3C ids are spelled, and so the other way round.
    number = int(trace_id.replace("-", "")[1:], 16)
    kind = SpanKind.INTERNAL
    if one.get("origin"):
        kind = SpanKind.SERVER
    elif one.get("namespace") in {"aws", "remote"}:
        kind = SpanKind.CLIENT
    start = _nanoseconds(one["start_time"])
    return ReadableSpan(
        one["name"],
        context=_context(number, one["id"]),
        parent=None if parent_id is None else _context(number, parent_id),
        resource=resource,
        attributes=_attributes(one),
        events=_events(one, start),
        links=_links(one),
        kind=kind,
        status=_status(one),
        start_time=start,
        # X-Ray keeps one that ends before it begins; a span must not.
        end_time=max(start, _nanoseconds(one["end_time"])),
        instrumentation_scope=InstrumentationScope("lambent", version),
    )


def _context(trace_id: int, span_id: str) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(trace_id, int(span_id, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _nanoseconds(seconds: float) -> int:
    # Microseconds are what a segment has; beyond them a float is noise. A segment may lie beyond what a span can say.
    return min(round(seconds * 1_000_000) * 1000, _INT_MAX)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


_PLAIN = (
    (("http", "request"), "method", "http.request.method"),
    (("http", "request"), "url", "url.full"),
    (("http", "request"), "user_agent", "user_agent.original"),
    (("http", "request"), "client_ip", "client.address"),
    (("http", "response"), "status", "http.response.status_code"),
    (("aws",), "request_id", "aws.request_id"),
    (("aws",), "operation", "rpc.method"),
    (("aws",), "function_arn", "aws.lambda.invoked_arn"),
    (("aws",), "queue_url", "aws.sqs.queue.url"),
    (("aws",), "table_name", "aws.dynamodb.table_name"),
    (("sql",), "sanitized_query", "db.query.text"),
    ((), "origin", "aws.xray.origin"),
    ((), "resource_arn", "cloud.resource_id"),
    ((), "user", "enduser.id"),
)
"""Where in a segment what stands, and what a span calls it."""


def _attributes(one: Document) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for path, name, key in _PLAIN:
        place: Mapping[str, Any] = one
        for step in path:
            place = _mapping(place.get(step))
        value = place.get(name)
        if isinstance(value, (str, int, float)):
            attributes[key] = _value(value)
    annotations = {
        name: _value(value)
        for name, value in _mapping(one.get("annotations")).items()
        if isinstance(value, (str, int, float))
    }
    if annotations:
        attributes.update(annotations)
        attributes["aws.xray.annotations"] = list(annotations)
    for name, value in _mapping(one.get("metadata")).items():
        attributes[f"aws.xray.metadata.{name}"] = msgspec.json.encode(value).decode()
    return attributes


def _value(value: str | int | float) -> str | int | float:
    """Return a value as an attribute can hold it: JSON's numbers have no end."""
    return str(value) if isinstance(value, int) and abs(value) > _INT_MAX else value


def _status(one: Document) -> Any:
    from opentelemetry.trace import Status, StatusCode

    if not (one.get("fault") or one.get("error")):
        return Status(StatusCode.UNSET)
    messages = [str(exception.get("message", "")) for exception in _exceptions(one)]
    return Status(StatusCode.ERROR, next(iter(messages), None))


def _exceptions(one: Document) -> list[Mapping[str, Any]]:
    exceptions = _mapping(one.get("cause")).get("exceptions")
    return [item for item in exceptions if isinstance(item, dict)] if isinstance(exceptions, list) else []


def _events(one: Document, at: int) -> list[Any]:
    from opentelemetry.sdk.trace import Event

    return [
        Event(
            "exception",
            {
                "exception.type": str(exception.get("type", "")),
                "exception.message": str(exception.get("message", "")),
                "exception.stacktrace": _stack(exception.get("stack")),
            },
            at,
        )
        for exception in _exceptions(one)
    ]


def _stack(stack: Any) -> str:
    frames = [_mapping(frame) for frame in stack] if isinstance(stack, list) else []
    return "\n".join(f"{frame.get('path', '')}:{frame.get('line', '')} {frame.get('label', '')}" for frame in frames)


def _links(one: Document) -> list[Any]:
    from opentelemetry.trace import Link

    links = one.get("links")
    made = []
    for link in links if isinstance(links, list) else ():
        try:
            context = _context(int(link["trace_id"].replace("-", "")[1:], 16), link["id"])
        except (AttributeError, KeyError, TypeError, ValueError):
            # Whoever wrote it meant something else.
            continue
        made.append(Link(context))
    return made
