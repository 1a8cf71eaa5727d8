"""
One batch: refused, too late in its turn, without a function, in an endless chain, or at work while its mapping goes.
"""

from pathlib import Path
from typing import Any

import pytest
from unit.dispatch.async_bench import SCOPE
from unit.event_sources.elsewhere_bench import ElsewhereBench, tell_there
from unit.event_sources.mapping_bench import Bench, Tell
from unit.event_sources.mapping_scenes import OK, Gate

from lambent.domain.alias import Alias
from lambent.domain.function import FunctionName
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.domain.trace import next_trace
from lambent.domain.traced import Accepted, Link, Linked
from lambent.fleet.contract import Throttled
from lambent.testing.traces import LeftTraces


def test_a_throttled_batch_waits_and_costs_no_receive(tell: Tell, tmp_path: Path) -> None:
    """Its messages stay hidden and are tried again while they are; nothing more is read for nothing meanwhile."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        bench.fleet.refusal = Throttled("ConcurrentInvocationLimitExceeded")
        await bench.send(*"abcde")
        await bench.mapping(BatchSize=1)
        await bench.until_depth(1, 4, 0)
        await bench.pass_time(10)
        assert (await bench.depth())[1] == 4
        bench.fleet.refusal = None
        await bench.until_depth(0, 0, 0, step_s=0.1)
        assert {batch[0]["attributes"]["ApproximateReceiveCount"] for batch in bench.batches()} == {"1"}

    tell(tmp_path, story)


def test_a_refused_batch_keeps_nobody_waiting(tell: Tell, tmp_path: Path) -> None:
    """While it waits, what it would have of all that may run is another mapping's."""

    async def story(bench: Bench) -> None:
        for name in "fg":
            await bench.function(name)
            await bench.queue(f"q-{name}")
            await bench.mapping(f"q-{name}", name)
        acquire, refused = bench.fleet.acquire, True

        async def refuse(deployment: Any, released: Any) -> Any:
            if deployment.name == "f" and refused:
                raise Throttled("ConcurrentInvocationLimitExceeded")
            return await acquire(deployment, released)

        bench.fleet.acquire = refuse  # type: ignore[method-assign]
        await bench.send("f", queue="q-f")
        await bench.until_depth(0, 1, 0, queue="q-f")
        await bench.pass_time(2)
        await bench.send("g", queue="q-g")
        await bench.until_depth(0, 0, 0, queue="q-g")
        refused = False
        await bench.until_depth(0, 0, 0, queue="q-f", step_s=0.1)
        assert bench.batches("f")[0][0]["attributes"]["ApproximateReceiveCount"] == "1"

    tell(tmp_path, story, batches_max=1)


def test_what_follows_too_late_in_its_group_is_given_back(tell: Tell, tmp_path: Path) -> None:
    """FIFO: the second batch of a read, for which the first left no time, is read again at once."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo", VisibilityTimeout="5")
        await bench.send(*("a-" + str(number) + "x" * 1_040_000 for number in range(7)), queue="q.fifo")
        gate = Gate(bench)
        await bench.mapping("q.fifo")
        await bench.until(lambda: gate.waiting)
        await bench.pass_time(3, step_s=0.5)
        gate.let_all_go()
        await bench.until(lambda: gate.waiting)
        (bodies,) = gate.waiting
        assert bodies.startswith("a-6")
        assert bench.batches()[-1][0]["attributes"]["ApproximateReceiveCount"] == "2"
        gate.let_all_go()
        await bench.until_depth(0, 0, 0, queue="q.fifo")

    tell(tmp_path, story)


def test_a_function_that_goes_while_a_batch_waits_gives_it_back(tell: Tell, tmp_path: Path) -> None:
    """What was read and cannot be run is visible at once."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        bench.fleet.refusal = Throttled("ConcurrentInvocationLimitExceeded")
        await bench.send("a")
        await bench.mapping()
        await bench.until_depth(0, 1, 0)
        async with bench.store.transaction(SCOPE) as tx:
            await tx.delete_function(FunctionName("f"))
        await bench.until_depth(1, 0, 0, step_s=0.05)

    tell(tmp_path, story)


def test_an_alias_is_followed(tell: Tell, tmp_path: Path) -> None:
    """A mapping of an alias runs what it names now, under the ARN that it was made with."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.function(version="1")
        async with bench.store.transaction(SCOPE) as tx:
            await tx.aliases.save(
                Alias(scope=SCOPE, name=FunctionName("f"), alias="live", version="1", revision_id="r")
            )
        await bench.queue()
        await bench.mapping(function="f:live")
        await bench.send("a")
        await bench.until_depth(0, 0, 0)
        ((_, invocation),) = bench.fleet.ran
        assert invocation.invoked_arn == "arn:aws:lambda:us-east-1:000000000000:function:f:live"

    tell(tmp_path, story)


def test_a_batch_in_flight_ends_when_its_mapping_goes(tell: Tell, tmp_path: Path) -> None:
    """The mapping is gone at once, and what its function works on is deleted when it is done."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        gate = Gate(bench)
        uuid = await bench.mapping()
        await bench.send("a")
        await bench.until(lambda: gate.waiting)
        await bench.call("DeleteEventSourceMapping", UUID=uuid)
        await bench.until_state(uuid, "ResourceNotFoundException")
        await bench.send("b")
        gate.let_go("a")
        await bench.until_depth(1, 0, 0)
        assert bench.bodies() == [["a"]]

    tell(tmp_path, story)


def test_an_endless_chain_is_broken(tell: Tell, tmp_path: Path) -> None:
    """A message whose chain has passed the function too often stays, and ends as the queue's redrive policy has it."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"
        for _ in range(16):
            header = next_trace(header, 0, "", "5" * 16, arn).header
        chain = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}
        await bench.send("chain", MessageSystemAttributes=chain)
        await bench.send("plain")
        await bench.mapping()
        await bench.until_depth(0, 1, 0)
        assert bench.bodies() == [["plain"]]
        told = await bench.told_metrics.sums(FunctionName="f")
        assert told["RecursiveInvocationsDropped"] >= 1
        await bench.change_function("f", may_recurse=True)
        await bench.until_depth(0, 0, 0, step_s=0.5)
        assert bench.bodies()[1] == ["chain"]
        assert next_trace(bench.fleet.ran[1][1].trace_header, 0, "", "", arn).passes == 18

    tell(tmp_path, story)


def test_an_endless_chain_is_not_overtaken_in_its_group(tell: Tell, tmp_path: Path) -> None:
    """FIFO: what follows it in its group waits; other groups of the batch are invoked."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo")
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"
        for _ in range(16):
            header = next_trace(header, 0, "", "5" * 16, arn).header
        chain = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}
        await bench.send("a-1", queue="q.fifo", MessageSystemAttributes=chain)
        await bench.send("a-2", "b-1", queue="q.fifo")
        await bench.mapping("q.fifo")
        await bench.until_depth(0, 2, 0, queue="q.fifo")
        assert bench.bodies() == [["b-1"]]

    tell(tmp_path, story)


def test_a_consumer_has_a_trace_of_its_own_that_is_linked(tell: Tell, tmp_path: Path) -> None:
    """A sampled producer has the consumer sampled, and both traces name each other; a batch may have several."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        traces = bench.dispatcher.traces = LeftTraces(bench.clock)
        producer = Link("1-5759e988-bd862e3fe1be46a994272793", "5" * 16)
        header = f"Root={producer.trace_id};Parent={producer.segment_id};Sampled=1"
        trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}
        await bench.send("a", MessageSystemAttributes=trace)
        await bench.until_depth(0, 0, 0)
        invocation = bench.fleet.ran[0][1]
        assert invocation.tracing is not None
        assert invocation.tracing.trace_id != producer.trace_id
        assert invocation.trace_header.startswith(
            f"Root={invocation.tracing.trace_id};Parent={invocation.tracing.invocation_id};Sampled=1"
        )
        linked, accepted = traces.left
        assert isinstance(linked, Linked) and isinstance(accepted, Accepted)
        assert (linked.trace_id, linked.id, linked.name) == (*producer, "f")
        assert linked.to == Link(accepted.trace_id, accepted.id)
        assert (list(accepted.links), accepted.status, accepted.has_failed) == ([producer], 200, False)
        # One that is not sampled has a trace of its own, too.
        trace["AWSTraceHeader"]["StringValue"] = header.replace("Sampled=1", "Sampled=0")
        await bench.send("b", MessageSystemAttributes=trace)
        await bench.until_depth(0, 0, 0)
        invocation = bench.fleet.ran[1][1]
        assert (invocation.tracing, len(traces.left)) == (None, 2)
        assert ";Sampled=0" in invocation.trace_header and producer.trace_id not in invocation.trace_header

    tell(tmp_path, story)


def test_a_deletion_that_fails_is_tried_less_and_less(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A server that is away is not asked for each ten of thousands, nor each second for hours."""

    async def story(bench: ElsewhereBench) -> None:
        async def does(_: Invocation) -> InvocationOutcome:
            bench.there.is_away = True
            return OK

        bench.fleet.does = does
        await bench.function()
        await bench.queue(VisibilityTimeout="3600")
        for _ in range(20):
            await bench.send(*map(str, range(20)))
        await bench.mapping(BatchSize=400, MaximumBatchingWindowInSeconds=1)
        await bench.until(lambda: bench.there.is_away, step_s=0.25)
        await bench.pass_time(100, step_s=0.5)
        # Mostly one; two where the window was over before the last of them was read.
        batches = len(bench.batches())
        # After 1, 2, 4, 8 and then every 16 seconds.
        assert 8 * batches <= caplog.text.count("mapping.not_deleted") <= 11 * batches
        # As many as go out at once, before the first has failed.
        assert bench.there.count("DeleteMessageBatch") <= 8 * batches
        bench.there.is_away = False
        await bench.until_depth(0, 0, 0, step_s=0.5)
        assert sum(len(batch) for batch in bench.batches()) == 400

    tell_there(tmp_path, story)
