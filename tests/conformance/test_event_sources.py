"""What every kind of event source promises, on a FIFO queue and on a stream."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from unit.event_sources.mapping_bench import Bench
from unit.event_sources.stream_bench import FAILED, OK, StreamBench, tell_of_streams

from lambent.domain.invocation import Invocation, InvocationOutcome

Story = Callable[["Source"], Awaitable[None]]


class Source:
    """A source of one kind on a bench, and what its function got. A body's part before the dash has an order."""

    def __init__(self, bench: StreamBench) -> None:
        self.bench = bench

    async def make(self, **settings: Any) -> str:
        """Make the source and a mapping of it; return its UUID."""
        raise NotImplementedError

    async def put(self, *bodies: str) -> None:
        raise NotImplementedError

    async def until_done(self, *bodies: str) -> None:
        """Wait until just these have run, in this order."""
        await self.bench.until(lambda: self.bench.seen() == list(bodies), step_s=0.1)


class Queue(Source):
    """A FIFO queue, whose groups have an order."""

    async def make(self, **settings: Any) -> str:
        await self.bench.queue("q.fifo", VisibilityTimeout="5")
        return await self.bench.mapping("q.fifo", **settings)

    async def put(self, *bodies: str) -> None:
        await self.bench.send(*bodies, queue="q.fifo")


class Stream(Source):
    """A stream of one shard, whose keys have an order."""

    async def make(self, **settings: Any) -> str:
        return await self.bench.stream_mapping(**settings)

    async def put(self, *bodies: str) -> None:
        self.bench.reader.put(*bodies)


@pytest.fixture(params=[Queue, Stream])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Story], None]:
    """Give what tells a story of a source of each kind."""

    def tell(story: Story) -> None:
        async def run(bench: StreamBench) -> None:
            await story(request.param(bench))

        tell_of_streams(tmp_path, run)

    return tell


Tell = Callable[[Story], None]


def test_in_order_and_in_batches(told: Tell) -> None:
    """No more than BatchSize at once, each once, and in the order in which they were put."""

    async def story(source: Source) -> None:
        await source.make(BatchSize=3)
        bodies = [f"a-{number}" for number in range(10)]
        await source.put(*bodies)
        await source.until_done(*bodies)
        assert max(map(len, source.bench.batches())) <= 3

    told(story)


def test_what_failed_comes_again_before_what_follows_it(told: Tell) -> None:
    """As often as it fails."""

    async def story(source: Source) -> None:
        failures = 3

        async def does(invocation: Invocation) -> InvocationOutcome:
            nonlocal failures
            if b"a-1" in invocation.payload and failures:
                failures -= 1
                return FAILED
            return OK

        source.bench.fleet.does = does
        await source.make(BatchSize=1)
        await source.put("a-0", "a-1", "a-2")
        await source.until_done("a-0", "a-1", "a-1", "a-1", "a-1", "a-2")

    told(story)


def test_a_part_of_a_batch_failed(told: Tell) -> None:
    """ReportBatchItemFailures: what was done is done, the rest comes again in its order."""

    async def story(source: Source) -> None:
        has_failed = False

        async def does(invocation: Invocation) -> InvocationOutcome:
            nonlocal has_failed
            if has_failed:
                return OK
            has_failed = True
            records = json.loads(invocation.payload)["Records"]
            failed = [one.get("messageId") or one["sequence"] for one in records[1:]]
            answer = {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
            return InvocationOutcome(json.dumps(answer).encode(), "$LATEST")

        source.bench.fleet.does = does
        uuid = await source.make(FunctionResponseTypes=["ReportBatchItemFailures"])
        await source.bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
        await source.bench.until_settled(uuid)
        await source.put("a-0", "a-1", "a-2")
        await source.bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=True)
        await source.until_done("a-0", "a-1", "a-2", "a-1", "a-2")

    told(story)


def test_stopped_in_the_middle_of_a_batch(told: Tell) -> None:
    """What is at work ends and counts; nothing more is begun until the mapping is enabled again."""

    async def story(source: Source) -> None:
        gate = asyncio.Event()

        async def does(_: Invocation) -> InvocationOutcome:
            await gate.wait()
            return OK

        bench: Bench = source.bench
        bench.fleet.does = does
        uuid = await source.make(BatchSize=1)
        await source.put("a-0", "a-1")
        await source.until_done("a-0")
        await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
        await bench.until_state(uuid, "Disabled")
        gate.set()
        await bench.pass_time(3, step_s=0.1)
        await source.until_done("a-0")
        await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=True)
        await source.until_done("a-0", "a-1")

    told(story)


def test_killed_in_the_middle_of_a_batch(told: Tell) -> None:
    """The batch at work comes again, nothing before it and nothing out of turn."""

    async def story(source: Source) -> None:
        async def does(invocation: Invocation) -> InvocationOutcome:
            if b"a-1" in invocation.payload:
                await asyncio.Event().wait()
            return OK

        bench = source.bench
        bench.fleet.does = does
        await source.make(BatchSize=1)
        await source.put("a-0", "a-1", "a-2")
        await source.until_done("a-0", "a-1")
        await bench.pass_time(1, step_s=0.1)
        await bench.crash()
        bench.fleet.does = None
        await bench.open()
        await source.until_done("a-0", "a-1", "a-1", "a-2")

    told(story)


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_wall_clock_that_jumps(told: Tell, seconds: float) -> None:
    """It changes nothing: nothing is lost, nothing comes twice, and nothing waits for it."""

    async def story(source: Source) -> None:
        await source.make()
        await source.put("a-0")
        await source.until_done("a-0")
        source.bench.clock.set_wall(seconds)
        await source.put("a-1")
        await source.until_done("a-0", "a-1")
        await source.bench.pass_time(7, step_s=0.1)
        await source.until_done("a-0", "a-1")

    told(story)
