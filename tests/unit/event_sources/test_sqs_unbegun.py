"""What was read and not begun: windows, payloads that are full, and what it is too late for."""

from pathlib import Path

import pytest
from unit.event_sources.mapping_bench import Bench, Tell
from unit.event_sources.mapping_scenes import FAILED, OK, Gate, read_ahead

from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.event_sources.budget import HELD_MAX_BYTES
from lambent.fleet.contract import Throttled


def test_a_window_gathers(tell: Tell, tmp_path: Path) -> None:
    """
    SQ-04-slow-mapping-isolation: three messages within the window are one call when it ends, from the first on; what
    fills the batch before is called at once.
    """

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping(BatchSize=100, MaximumBatchingWindowInSeconds=5)
        await bench.rest()
        for number in range(3):
            await bench.send(str(number))
            await bench.until_depth(0, number + 1, 0)
            await bench.rest()
            await bench.pass_time(1, step_s=0.5)
        await bench.pass_time(1.5, step_s=0.5)
        assert bench.fleet.ran == []
        await bench.until(lambda: bench.fleet.ran, step_s=0.25)
        assert bench.bodies() == [["0", "1", "2"]]
        await bench.until_depth(0, 0, 0)
        await bench.send(*(str(number) for number in range(100)))
        await bench.until(lambda: len(bench.fleet.ran) == 2)
        assert len(bench.bodies()[1]) == 100

    tell(tmp_path, story)


@pytest.mark.parametrize(("visibility_s", "window_s", "timeout_s"), [(30, 3, 27), (30, 20, 10), (60, 30, 30)])
def test_a_window_may_end_as_late_as_the_queue_allows(
    tell: Tell, tmp_path: Path, visibility_s: int, window_s: int, timeout_s: int
) -> None:
    """Where window and timeout together are the visibility timeout, what was gathered is invoked all the same."""

    async def story(bench: Bench) -> None:
        await bench.function(timeout_s=timeout_s)
        await bench.queue(VisibilityTimeout=str(visibility_s))
        await bench.mapping(MaximumBatchingWindowInSeconds=window_s)
        await bench.send("a")
        await bench.until_depth(0, 1, 0)
        # The window begins when the answer is here, which on a busy machine is some steps later.
        await bench.until(lambda: bench.fleet.ran, step_s=0.5)
        assert bench.bodies() == [["a"]]
        assert bench.batches()[0][0]["attributes"]["ApproximateReceiveCount"] == "1"

    tell(tmp_path, story)


def test_a_batch_fits_into_a_payload(tell: Tell, tmp_path: Path) -> None:
    """Messages of a mebibyte: six mebibytes of event are the most, whatever the batch size; none is lost."""

    async def story(bench: Bench) -> None:
        sizes = []

        async def does(invocation: Invocation) -> InvocationOutcome:
            sizes.append(len(invocation.payload))
            return OK

        bench.fleet.does = does
        await bench.function()
        await bench.queue()
        await bench.send(*("x" * (1 << 20) for _ in range(7)))
        await bench.mapping()
        await bench.until_depth(0, 0, 0)
        assert len(sizes) == 2
        assert max(sizes) <= 6_291_456
        assert sum(len(batch) for batch in bench.batches()) == 7

    tell(tmp_path, story)


def test_a_group_that_is_too_long_for_a_payload_follows_itself(tell: Tell, tmp_path: Path) -> None:
    """FIFO: what of one read does not fit waits for the rest, and comes back unseen when that failed."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo", VisibilityTimeout="5")
        large = ["a-" + str(number) + "x" * 1_040_000 for number in range(8)]
        await bench.send(*large, queue="q.fifo")
        gate = Gate(bench)
        await bench.mapping("q.fifo")
        await bench.until(lambda: gate.waiting)
        ((first, going),) = gate.waiting.items()
        assert len(first.split()) == 6
        gate.waiting.clear()
        going.set_result(FAILED)
        await bench.until_depth(2, 6, 0, queue="q.fifo")
        done: list[str] = []
        while len(done) < len(large):
            await bench.until(lambda: gate.waiting, step_s=0.25)
            (bodies,) = gate.waiting
            done.extend(bodies.split())
            gate.let_go(bodies)
        assert done == large
        await bench.until_depth(0, 0, 0, queue="q.fifo")

    tell(tmp_path, story)


def test_a_function_that_is_closed_gives_back_what_was_read(tell: Tell, tmp_path: Path) -> None:
    """A reservation of 0: only what is at work stays hidden, and no timer looks for room."""

    async def story(bench: Bench) -> None:
        gate = Gate(bench)
        await read_ahead(bench, gate)
        await bench.change_function("f", reserved_executions=0)
        at_work = len(gate.waiting)
        await bench.until_depth(60 - at_work, at_work, 0)
        gate.is_open = True
        gate.let_all_go()
        await bench.until_depth(60 - at_work, 0, 0)
        await bench.rest()
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES
        await bench.pass_time(30, step_s=1)
        timers, tasks = bench.clock.timer_count, len(bench.tasks)
        await bench.pass_time(30, step_s=1)
        assert (bench.clock.timer_count, len(bench.tasks)) == (timers, tasks)
        await bench.change_function("f", reserved_executions=None)
        await bench.until_depth(0, 0, 0)

    tell(tmp_path, story)


def test_a_batch_that_is_throttled_too_long_becomes_visible(tell: Tell, tmp_path: Path) -> None:
    """As on AWS, once its time is over; a receive is counted then."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue(VisibilityTimeout="10")
        bench.fleet.refusal = Throttled("ConcurrentInvocationLimitExceeded")
        await bench.send("a")
        uuid = await bench.mapping(MetricsConfig={"Metrics": ["EventCount"]})
        await bench.until(lambda: bench.source.counts()[uuid].failed_invoke == 1, step_s=0.25)
        bench.fleet.refusal = None
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert bench.batches()[0][0]["attributes"]["ApproximateReceiveCount"] == "2"

    tell(tmp_path, story)


def test_a_mapping_that_ends_gives_back_what_it_gathered(tell: Tell, tmp_path: Path) -> None:
    """EM-01-states: nothing is delivered while it is disabled, and all of it afterwards; so it is when it changes."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        uuid = await bench.mapping(BatchSize=100, MaximumBatchingWindowInSeconds=300)
        await bench.send("a")
        await bench.until_depth(0, 1, 0)
        await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
        await bench.until_state(uuid, "Disabled")
        await bench.until_depth(1, 0, 0)
        await bench.send("b")
        await bench.pass_time(2, step_s=0.5)
        assert bench.fleet.ran == []
        await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=True)
        await bench.until_state(uuid, "Enabled")
        await bench.until_depth(0, 2, 0)
        update = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}
        await bench.call("UpdateEventSourceMapping", UUID=uuid, **update)
        await bench.until_depth(0, 0, 0)
        assert sorted(body for batch in bench.bodies() for body in batch) == ["a", "b"]

    tell(tmp_path, story)
