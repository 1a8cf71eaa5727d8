"""When a mapping reads and how much: beside others, within what it and its function may, whatever fails."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.event_sources.elsewhere_bench import Answer, ElsewhereBench, tell_there
from unit.event_sources.mapping_bench import Bench, Tell
from unit.event_sources.mapping_scenes import OK, Gate

from lambent.domain.function import State
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.event_sources.budget import HELD_MAX_BYTES
from lambent.fleet.contract import Throttled


def test_no_more_at_once_than_a_mapping_may(tell: Tell, tmp_path: Path) -> None:
    """SQ-04-slow-mapping-isolation: MaximumConcurrency holds, and costs the messages that wait no receive."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.send(*"abcdef")
        gate = Gate(bench)
        await bench.mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
        for left in (4, 3, 2, 1, 0):
            await bench.until(lambda: len(gate.waiting) == 2)
            await bench.until_depth(left, 2, 0)
            await bench.pass_time(1, step_s=0.5)
            assert len(gate.waiting) == 2
            gate.let_go(next(iter(gate.waiting)))
        gate.let_go(next(iter(gate.waiting)))
        await bench.until_depth(0, 0, 0)
        assert bench.fleet.most_running == 2
        assert {batch[0]["attributes"]["ApproximateReceiveCount"] for batch in bench.batches()} == {"1"}

    tell(tmp_path, story)


def test_provisioned_pollers_begin_with_what_they_may(tell: Tell, tmp_path: Path) -> None:
    """Ten batches for each poller: so many at once from the first moment, and never more than the most."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue(VisibilityTimeout="3600")
        await bench.send(*(str(number) for number in range(40)))
        gate = Gate(bench)
        await bench.mapping(BatchSize=1, ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 3})
        await bench.until(lambda: len(gate.waiting) == 20)
        await bench.until(lambda: len(gate.waiting) == 30, step_s=1)
        await bench.pass_time(10, step_s=1)
        assert len(gate.waiting) == 30
        for body in list(gate.waiting):
            gate.let_go(body)
            await asyncio.sleep(0)
        await bench.until(lambda: len(gate.waiting) == 10)
        for body in list(gate.waiting):
            gate.let_go(body)
        await bench.until_depth(0, 0, 0)

    tell(tmp_path, story)


def test_one_slow_mapping_holds_up_no_other(tell: Tell, tmp_path: Path) -> None:
    """SQ-04-slow-mapping-isolation: it never fills all that may run at once."""

    async def story(bench: Bench) -> None:
        await bench.function("slow")
        await bench.function("quick")
        await bench.queue("q1")
        await bench.queue("q2")
        never = asyncio.Event()

        async def does(invocation: Invocation) -> InvocationOutcome:
            if invocation.invoked_arn.endswith("slow"):
                await never.wait()
            return OK

        bench.fleet.does = does
        await bench.mapping("q1", "slow", BatchSize=1)
        await bench.mapping("q2", "quick", BatchSize=1)
        await bench.send(*(str(number) for number in range(8)), queue="q1")
        await bench.until(lambda: bench.fleet.running == 3, step_s=0.5)
        await bench.pass_time(3, step_s=0.5)
        assert bench.fleet.running == 3
        await bench.send("x", queue="q2")
        await bench.until_depth(0, 0, 0, queue="q2")
        never.set()
        await bench.until_depth(0, 0, 0, queue="q1", step_s=0.1)

    tell(tmp_path, story, batches_max=4)


def test_those_that_wait_for_others_have_turns(tell: Tell, tmp_path: Path) -> None:
    """Where all that may run is taken, whoever ends makes room for the one that waited longest."""

    async def story(bench: Bench) -> None:
        for name in ("f", "g", "h"):
            await bench.function(name)
            await bench.queue(f"q-{name}")
        gate = Gate(bench)
        for name in ("f", "g", "h"):
            await bench.mapping(f"q-{name}", name, BatchSize=1)
        for name in ("f", "g", "h"):
            await bench.send(*(f"{name}{number}" for number in range(6)), queue=f"q-{name}")
        done: list[str] = []
        while len(done) < 18:
            await bench.until(lambda: gate.waiting)
            assert len(gate.waiting) <= 2
            body = next(iter(gate.waiting))
            done.append(body)
            gate.let_go(body)
            await bench.until(lambda: gate.waiting or len(done) == 18, step_s=0.01)
        # Nobody is done before everybody had a turn. Those who have to read first get theirs a little later.
        assert {body[0] for body in done[:9]} == {"f", "g", "h"}

    tell(tmp_path, story, batches_max=2)


def test_several_mappings_of_a_function_begin_no_more_than_it_may_run(tell: Tell, tmp_path: Path) -> None:
    """Each sees what the others are about to begin, so that none is refused."""

    async def story(bench: Bench) -> None:
        await bench.function(reserved_executions=1)
        run, refused = bench.dispatcher.run, 0

        async def count(*arguments: Any) -> InvocationOutcome:
            nonlocal refused
            try:
                return await run(*arguments)
            except Throttled:
                refused += 1
                raise

        bench.dispatcher.run = count  # type: ignore[method-assign]
        gate = Gate(bench)
        await bench.set_state("f", State.PENDING)
        for name in "abcdef":
            await bench.queue(name)
            await bench.mapping(name, BatchSize=1)
            await bench.send(name, queue=name)
        await bench.rest()
        await bench.set_state("f", State.ACTIVE)
        for _ in range(6):
            await bench.until(lambda: gate.waiting, step_s=0.05)
            (body,) = gate.waiting
            gate.let_go(body)
        for name in "abcdef":
            await bench.until_depth(0, 0, 0, queue=name)
        assert refused == 0

    tell(tmp_path, story)


def test_no_more_at_once_when_a_mapping_begins_again(tell: Tell, tmp_path: Path) -> None:
    """What it had at work before it was disabled counts in its MaximumConcurrency."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue(VisibilityTimeout="900")
        gate = Gate(bench)
        uuid = await bench.mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
        await bench.send(*"abcdef")
        await bench.until(lambda: len(gate.waiting) == 2, step_s=0.05)
        for enabled, state in ((False, "Disabled"), (True, "Enabled")):
            await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=enabled)
            await bench.until_state(uuid, state)
        await bench.pass_time(3)
        assert len(gate.waiting) == 2
        while gate.waiting or await bench.depth() != (0, 0, 0):
            gate.let_all_go()
            await bench.pass_time(0.02, step_s=0.01)
        assert bench.fleet.most_running == 2
        # Those that ended and have nothing at work are forgotten.
        await bench.call("DeleteEventSourceMapping", UUID=uuid)
        await bench.until_state(uuid, "ResourceNotFoundException")
        assert bench.source._ended == {}

    tell(tmp_path, story)


def test_nothing_is_read_for_a_function_that_may_not_run(tell: Tell, tmp_path: Path) -> None:
    """A reservation of 0 burns no receives; once it is lifted, the messages come."""

    async def story(bench: Bench) -> None:
        await bench.function(reserved_executions=0)
        await bench.queue()
        await bench.send("a")
        await bench.mapping()
        await bench.pass_time(5)
        assert await bench.depth() == (1, 0, 0)
        await bench.change_function("f", reserved_executions=None)
        await bench.until_depth(0, 0, 0)
        assert bench.batches()[0][0]["attributes"]["ApproximateReceiveCount"] == "1"

    tell(tmp_path, story)


def test_no_more_is_read_than_a_reservation_lets_run(tell: Tell, tmp_path: Path) -> None:
    """SQ-04-slow-mapping-isolation: with reserved concurrency 1 nothing is lost to throttling."""

    async def story(bench: Bench) -> None:
        await bench.function(reserved_executions=1)
        await bench.queue()
        await bench.send(*"abc")
        gate = Gate(bench)
        await bench.mapping(BatchSize=1)
        for left, body in ((2, "a"), (1, "b"), (0, "c")):
            await bench.until(lambda body=body: list(gate.waiting) == [body], step_s=0.05)  # type: ignore[misc]
            # The one before it may still be on its way out of the queue.
            await bench.until_depth(left, 1, 0)
            await bench.pass_time(1, step_s=0.25)
            assert list(gate.waiting) == [body]
            assert await bench.depth() == (left, 1, 0)
            gate.let_go(body)
        await bench.until_depth(0, 0, 0)
        assert {batch[0]["attributes"]["ApproximateReceiveCount"] for batch in bench.batches()} == {"1"}

    tell(tmp_path, story)


def test_a_mapping_that_goes_while_others_wait_leaves_them_its_turn(tell: Tell, tmp_path: Path) -> None:
    """Where all that may run was taken by it, the end of its batch is the beginning of theirs."""

    async def story(bench: Bench) -> None:
        for name in ("f", "g"):
            await bench.function(name)
            await bench.queue(f"q-{name}")
        gate = Gate(bench)
        first = await bench.mapping("q-f", "f", BatchSize=1)
        await bench.mapping("q-g", "g", BatchSize=1)
        await bench.send("f1", "f2", queue="q-f")
        await bench.until(lambda: gate.waiting)
        await bench.send("g1", queue="q-g")
        await bench.pass_time(0.05, step_s=0.01)
        await bench.call("DeleteEventSourceMapping", UUID=first)
        await bench.until_state(first, "ResourceNotFoundException")
        (at_work,) = gate.waiting
        gate.let_go(at_work)
        await bench.until(lambda: set(gate.waiting) == {"g1"}, step_s=0.01)
        gate.let_go("g1")
        await bench.until_depth(0, 0, 0, queue="q-g")

    tell(tmp_path, story, batches_max=1)


def test_whatever_fails_is_not_the_end_of_a_mapping(tell: Tell, tmp_path: Path) -> None:
    """It reads again a second later."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.rest()
        claim, failures = bench.events.claim, 1

        async def fail(*arguments: Any, **more: Any) -> Any:
            nonlocal failures
            if failures:
                failures -= 1
                raise RuntimeError("a mistake of ours")
            return await claim(*arguments, **more)

        bench.events.claim = fail  # type: ignore[method-assign]
        await bench.send("a")
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert bench.bodies() == [["a"]]
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES

    tell(tmp_path, story)


def test_no_more_is_read_than_there_is_room_for(tell: Tell, tmp_path: Path) -> None:
    """However short the messages were before: long ones that follow are within what is kept free for them."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        for body in "abcdef":
            await bench.send(body)
            await bench.until_depth(0, 0, 0)
        await bench.rest()
        claim, budget = bench.events.claim, bench.source._shared.budget

        async def watched(*arguments: Any, **more: Any) -> Any:
            kept_free = HELD_MAX_BYTES - budget.left_bytes
            claimed = await claim(*arguments, **more)
            assert sum(len(one.body) for one in claimed.claims) <= kept_free
            return claimed

        await bench.set_state("f", State.PENDING)
        await bench.send(*("x" * 1_000_000 for _ in range(9)))
        bench.events.claim = watched  # type: ignore[method-assign]
        await bench.set_state("f", State.ACTIVE)
        await bench.until_depth(0, 0, 0)
        assert sum(len(batch) for batch in bench.bodies()) == 15
        assert budget.left_bytes == HELD_MAX_BYTES

    tell(tmp_path, story)


def test_a_clock_that_jumps_changes_nothing(tell: Tell, tmp_path: Path) -> None:
    """Leases and windows go by time that passes."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        gate = Gate(bench)
        await bench.mapping()
        await bench.send("a")
        await bench.until(lambda: gate.waiting)
        bench.clock.set_wall(-86_400)
        await bench.send("b")
        await bench.until(lambda: set(gate.waiting) == {"a", "b"})
        bench.clock.set_wall(10 * 86_400)
        gate.let_go("a")
        gate.let_go("b")
        await bench.until_depth(0, 0, 0)
        assert bench.bodies() == [["a"], ["b"]]

    tell(tmp_path, story)


def test_a_message_longer_than_any_payload_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another server may have such; the function never gets more than an invocation may have."""

    async def story(bench: ElsewhereBench) -> None:
        messages = [
            {"MessageId": str(n), "ReceiptHandle": "h", "Body": "x" * size} for n, size in enumerate((6 << 20, 1))
        ]
        bench.there.says["ReceiveMessage"] = Answer(200, msgspec.json.encode({"Messages": messages}))
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.until(lambda: bench.fleet.ran)
        assert bench.bodies() == [["x"]]
        assert "message=0" in caplog.text

    tell_there(tmp_path, story)


def test_one_failure_is_told_less_and_less(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A server that is away for hours fills no log; another failure is told at once."""

    async def story(bench: ElsewhereBench) -> None:
        def told() -> int:
            return caplog.text.count("mapping.not_read")

        await bench.function()
        await bench.queue()
        await bench.mapping()
        bench.there.is_away = True
        # At the first look for the queue, or when the first receive has waited its time.
        await bench.until(told, step_s=1)
        await bench.pass_time(3600, step_s=4)
        before = told()
        assert 6 <= before <= 10
        bench.there.is_away = False
        bench.there.says["GetQueueUrl"] = Answer(500, b"")
        await bench.until(lambda: told() > before, step_s=1)
        await bench.pass_time(60, step_s=1)
        bench.there.is_away = True
        await bench.until(lambda: told() > before + 1, step_s=1)

    tell_there(tmp_path, story)
