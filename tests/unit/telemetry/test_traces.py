"""What sampled invocations leave, on its way to the store."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, Code, Configuration, FunctionName, FunctionVersion, State
from lambent.domain.traced import Accepted, Link, Linked, Ran
from lambent.errors.families import DependencyError
from lambent.telemetry import traces as telemetry_traces
from lambent.telemetry.traces import (
    BATCH_MAX,
    LINKS_WAITING_MAX,
    PUT_AFTER_S,
    RECEIVED_BYTES_MAX,
    RING_MAX,
    Exported,
    Traces,
)
from lambent.testing.traces import MemoryTraces
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("111122223333", "eu-west-1")
OTHER = Scope("444455556666", "eu-west-1")
TRACE_ID = "1-654c0557-5611b044040fc7224c4790b6"
HEADER = b'{"format": "json", "version": 1}\n'

ACCEPTED = Accepted(SCOPE, "f", TRACE_ID, "5" * 16, "", "r1", 100.0, 101.0, 200)
RAN = Ran(SCOPE, "f", "/aws/lambda/f", TRACE_ID, "f" * 16, "5" * 16, "1" * 16, 100.1, 100.8, 100.9)
SENT = {"id": "a" * 16, "trace_id": TRACE_ID, "parent_id": "1" * 16, "type": "subsegment", "name": "s"}
SENT |= {"start_time": 100.2, "end_time": 100.3}  # type: ignore[dict-item]

VERSION = FunctionVersion(
    scope=SCOPE,
    name=FunctionName("f"),
    version=LATEST,
    function_id="1",
    configuration=Configuration("python3.13", "app.handler", "role"),
    code=Code("0" * 64, 1),
    deployment_id="d",
    revision_id="r",
    last_modified=0.0,
    state=State.ACTIVE,
)


class Bench:
    """Traces, running, over a store in memory."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store = MemoryTraces()
        self.exported: list[Exported] = []
        self.traces = Traces(self.store, self.clock, self.exported.extend)
        self.running = asyncio.ensure_future(self.traces.run())

    def segments(self, trace_id: str = TRACE_ID, scope: Scope = SCOPE) -> dict[str, dict[str, Any]]:
        return {one["id"]: one for one in self.store.segments(scope, trace_id)}

    async def pass_(self, seconds: float) -> None:
        """Let time pass, and what is due happen."""
        self.clock.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0)
        await self.traces.settle()


def play(story: Callable[[Bench], Awaitable[None]]) -> None:
    async def whole() -> None:
        bench = Bench()
        await story(bench)
        bench.running.cancel()
        await asyncio.wait([bench.running])
        await bench.traces.close()

    asyncio.run(whole())


def test_what_is_left_becomes_segments_a_moment_later() -> None:
    """All in one commit a scope, by a task of its own; and goes to whoever else wants it."""

    async def story(bench: Bench) -> None:
        bench.traces.add(ACCEPTED)
        bench.traces.add(RAN)
        bench.traces.received(SCOPE, "f", HEADER + msgspec.json.encode(SENT))
        assert bench.store.puts == 0
        bench.clock.advance(PUT_AFTER_S)
        for _ in range(1000):
            if bench.store.puts:
                break
            await asyncio.sleep(0.001)
        await bench.traces.settle()
        assert bench.store.puts == 1
        assert set(bench.segments()) == {"5" * 16, "f" * 16, "a" * 16}
        assert bench.segments()["a" * 16] == SENT
        assert [json.loads(one.document)["id"] for one in bench.exported] == ["5" * 16, "f" * 16, "a" * 16]

    play(story)


def test_what_comes_while_others_are_put_waits_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A put for each few that come during the one before would never end, and pay what a put costs each time."""

    async def story(bench: Bench) -> None:
        put = bench.store.put

        async def put_and_add(*arguments: Any) -> Any:
            if not bench.store.puts:
                bench.traces.add(RAN)
                bench.traces.received(SCOPE, "f", HEADER + msgspec.json.encode(SENT))
            return await put(*arguments)

        bench.traces.add(ACCEPTED)
        with monkeypatch.context() as patched:
            patched.setattr(bench.store, "put", put_and_add)
            await bench.traces.settle()
        assert (bench.store.puts, set(bench.segments())) == (1, {"5" * 16})
        # They have a moment of their own.
        bench.clock.advance(PUT_AFTER_S)
        while bench.store.puts == 1:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)
        await bench.traces.settle()
        assert (bench.store.puts, set(bench.segments())) == (2, {"5" * 16, "f" * 16, "a" * 16})

    play(story)


def test_traces_that_nobody_keeps_cost_nothing() -> None:
    """Without a store nothing is gathered either."""
    traces = Traces(None, VirtualClock())
    traces.add(ACCEPTED)
    traces.received(SCOPE, "f", b"x")
    asyncio.run(traces.settle())
    assert (len(traces._ring), len(traces._received)) == (0, 0)


def test_what_waits_is_bounded() -> None:
    """The oldest tuples go, further datagrams find no room; both are counted."""

    async def story(bench: Bench) -> None:
        for number in range(RING_MAX + 3):
            bench.traces.add(ACCEPTED._replace(id=f"{number:016x}"))
        assert (len(bench.traces._ring), bench.traces.dropped) == (RING_MAX, 3)
        count = RECEIVED_BYTES_MAX // (65_536 + 256)
        for _ in range(count + 2):
            bench.traces.received(SCOPE, "f", b"x" * 65_536)
        assert bench.traces.dropped == 5
        await bench.traces.settle()
        assert set(bench.segments()) == {f"{number:016x}" for number in range(3, RING_MAX + 3)}
        assert bench.store.puts == RING_MAX // BATCH_MAX
        assert bench.traces.malformed == count
        bench.traces.received(SCOPE, "f", HEADER + msgspec.json.encode(SENT))
        await bench.traces.settle()
        assert "a" * 16 in bench.segments()

    play(story)


def test_empty_datagrams_take_room_as_well() -> None:
    """While the store does not answer, a function that sends nothing but those would fill the memory."""

    async def story(bench: Bench) -> None:
        for _ in range(RECEIVED_BYTES_MAX // 256 + 2):
            bench.traces.received(SCOPE, "f", b"")
        assert bench.traces.dropped == 2
        await bench.traces.settle()
        bench.traces.received(SCOPE, "f", b"")
        assert bench.traces.dropped == 2

    play(story)


def test_a_store_that_fails_loses_nothing_that_there_is_room_for() -> None:
    """What was taken waits again, in its order, for the next time."""

    async def story(bench: Bench) -> None:
        bench.store.refuses = True
        bench.traces.add(ACCEPTED._replace(is_open=True, status=202))
        bench.traces.received(SCOPE, "f", HEADER + msgspec.json.encode(SENT))
        with pytest.raises(DependencyError):
            await bench.traces.settle()
        bench.traces.add(ACCEPTED)
        bench.store.refuses = False
        await bench.traces.settle()
        assert bench.segments()["5" * 16]["end_time"] == 101.0
        assert set(bench.segments()) == {"5" * 16, "a" * 16}

    play(story)


def test_a_store_that_fails_is_asked_again() -> None:
    """By the task itself, some seconds later, without anything new."""

    async def story(bench: Bench) -> None:
        bench.store.refuses = True
        bench.traces.add(ACCEPTED)
        bench.clock.advance(PUT_AFTER_S)
        for _ in range(1000):
            await asyncio.sleep(0.001)
            if bench.clock._timers:
                break
        bench.store.refuses = False
        for _ in range(1000):
            bench.clock.advance(1)
            await asyncio.sleep(0.001)
            if bench.store.puts:
                break
        assert set(bench.segments()) == {"5" * 16}

    play(story)


def test_what_a_function_sends_counts_in_its_own_account() -> None:
    """Also where it names the trace of another."""

    async def story(bench: Bench) -> None:
        bench.traces.add(ACCEPTED)
        bench.traces.received(OTHER, "f", HEADER + msgspec.json.encode(SENT))
        await bench.traces.settle()
        assert set(bench.segments()) == {"5" * 16}
        assert set(bench.segments(scope=OTHER)) == {"a" * 16}

    play(story)


@pytest.mark.parametrize(
    ("datagram", "segments"),
    [
        (HEADER + json.dumps(SENT).encode(), 1),
        (b'{"version":1,"format":"JSON","more":0}\n  ' + json.dumps(SENT).encode() + b"\n", 1),
        (HEADER + json.dumps([SENT, SENT, 1]).encode(), 2),
        (json.dumps(SENT).encode(), 0),
        (b'{"format": "json", "version": 2}\n' + json.dumps(SENT).encode(), 0),
        (b'{"format": "cbor", "version": 1}\n' + json.dumps(SENT).encode(), 0),
        (b"", 0),
        (HEADER, 0),
        (HEADER + b"\xff", 0),
        (HEADER + b"[" * 60_000, 0),
        (HEADER + json.dumps({**SENT, "metadata": "x" * 65_536}).encode(), 0),
    ],
)
def test_datagrams_are_read_as_the_daemon_reads_them(datagram: bytes, segments: int) -> None:
    """A line with the format, then a document, or several; anything else is dropped."""

    async def story(bench: Bench) -> None:
        bench.traces.received(SCOPE, "f", datagram)
        await bench.traces.settle()
        assert len(bench.exported) == segments
        assert bool(bench.traces.malformed) is (segments != 1)

    play(story)


def test_what_nobody_understands_keeps_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours costs what it met, and says so in the log; what follows is put."""

    async def story(bench: Bench) -> None:
        real = telemetry_traces.parse

        def fails_once(body: bytes) -> Any:
            monkeypatch.setattr(telemetry_traces, "parse", real)
            raise AssertionError("ours")

        monkeypatch.setattr(telemetry_traces, "parse", fails_once)
        for _ in range(2):
            bench.traces.received(SCOPE, "f", HEADER + msgspec.json.encode(SENT))
        await bench.traces.settle()
        assert (bench.traces.malformed, len(bench.exported)) == (1, 1)

    play(story)


def test_what_cannot_be_told_of_an_invocation_keeps_nothing_back() -> None:
    """Else one invocation would stop the traces of all, and the end of the server before the log's."""

    async def story(bench: Bench) -> None:
        bench.traces.add(RAN._replace(trace_id="\ud800"))
        bench.traces.add(ACCEPTED)
        await bench.traces.settle()
        assert list(bench.segments()) == [ACCEPTED.id]
        assert bench.traces.dropped == 1

    play(story)


def test_whether_it_is_sampled_is_the_callers_say_or_the_functions() -> None:
    """PassThrough follows; Active decides where nobody has. The function sees its Invocation as the parent."""
    traces = Traces(None, VirtualClock())
    given = f"Root={TRACE_ID};Parent={'c' * 16};Sampled=1"
    trace, tracing = traces.begin(VERSION, given)
    assert tracing is not None
    assert (tracing.trace_id, tracing.caller_id, tracing.parent_id) == (TRACE_ID, "c" * 16, tracing.service_id)
    assert trace.header.startswith(f"Root={TRACE_ID};Parent={tracing.invocation_id};Sampled=1;")
    assert len({tracing.caller_id, tracing.service_id, tracing.id, tracing.invocation_id}) == 4
    assert traces.begin(VERSION, None)[1] is None
    active = msgspec.structs.replace(
        VERSION, configuration=msgspec.structs.replace(VERSION.configuration, tracing="Active")
    )
    assert traces.begin(active, None)[1] is not None
    assert traces.begin(active, given.replace("Sampled=1", "Sampled=0"))[1] is None


# Links ---------------------------------------------------------------------------------------------------------------

PRODUCER = "1-654c0557-bbbbbbbbbbbbbbbbbbbbbbbb"
LINKED = Linked(SCOPE, PRODUCER, "1" * 16, Link(TRACE_ID, "5" * 16), "consumer", 100.5)


def links_of(bench: Bench) -> list[str]:
    """Return the ids that the producer's Invocation is linked to."""
    for segment in bench.segments(PRODUCER).values():
        for part in segment.get("subsegments", ()):
            if part["id"] == "1" * 16:
                return [link["id"] for link in part.get("links", ())]
    return []


def test_a_producer_that_ends_after_its_consumer_is_linked_then() -> None:
    """It writes its segment at its end, up to fifteen minutes later; until then it is looked for, ever more seldom."""

    async def story(bench: Bench) -> None:
        bench.traces.add(LINKED)
        await bench.pass_(PUT_AFTER_S)
        for _ in range(20):
            await bench.pass_(40)
        assert links_of(bench) == []
        bench.traces.add(RAN._replace(trace_id=PRODUCER))
        await bench.traces.settle()
        await bench.pass_(60)
        assert links_of(bench) == ["5" * 16]
        assert not bench.traces._links

    play(story)


def test_a_producer_that_never_writes_a_segment_is_given_up() -> None:
    """After longer than any function may take; and no more than so many wait."""

    async def story(bench: Bench) -> None:
        for number in range(LINKS_WAITING_MAX + 5):
            bench.traces.add(LINKED._replace(trace_id=f"1-654c0557-{number:024x}"))
        await bench.pass_(PUT_AFTER_S)
        assert (len(bench.traces._links), bench.traces.dropped) == (LINKS_WAITING_MAX, 5)
        for _ in range(30):
            await bench.pass_(60)
        assert not bench.traces._links
        assert bench.traces.dropped == LINKS_WAITING_MAX + 5

    play(story)


def test_a_subsegment_sent_alone_is_linked_itself() -> None:
    """As the SDK's own subsegment for the call is, which is the parent that the message names."""

    async def story(bench: Bench) -> None:
        sent = {**SENT, "trace_id": PRODUCER, "id": "1" * 16}
        bench.traces.received(SCOPE, "f", HEADER + msgspec.json.encode(sent))
        bench.traces.add(LINKED)
        await bench.traces.settle()
        (segment,) = bench.segments(PRODUCER).values()
        assert [link["trace_id"] for link in segment["links"]] == [TRACE_ID]

    play(story)
