"""Our own queues: woken by commits, at rest for nothing, and with a store that may fail."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from unit.dispatch.async_bench import SCOPE
from unit.event_sources.mapping_bench import Bench, queue_arn, tell
from unit.event_sources.mapping_scenes import Gate, fail_on, read_ahead

from lambent.domain.function import FunctionName, State
from lambent.errors.families import DependencyError
from lambent.event_sources.budget import HELD_MAX_BYTES
from lambent.store.contract import Extend


def test_a_mapping_at_rest_does_nothing(tmp_path: Path) -> None:
    """No timer, no task, no look at the store, however long it rests and whatever other queues do."""

    async def story(bench: Bench) -> None:
        await bench.function()
        for number in range(20):
            await bench.queue(f"q{number}")
            await bench.mapping(f"q{number}")
        await bench.queue("other")
        await bench.rest()
        timers, tasks = bench.clock.timer_count, len(bench.tasks)
        await bench.send("x", queue="other")
        bench.clock.advance(3600)
        await bench.rest()
        assert (bench.clock.timer_count, len(bench.tasks)) == (timers, tasks)
        assert bench.fleet.ran == []

    tell(tmp_path, story)


def test_what_was_read_and_never_begun_is_given_back_in_time(tmp_path: Path) -> None:
    """Once it could not end any more before others may read it; nothing is held for it any longer."""

    async def story(bench: Bench) -> None:
        gate = Gate(bench)
        await read_ahead(bench, gate)
        (poller,) = bench.source._pollers.values()
        read = [batch for batches in poller._unbegun._ready for batch in batches]
        assert read
        settle, given_back = bench.events.settle, set()

        async def note(steps: Any) -> Any:
            given_back.update(step.receipt for step in steps if isinstance(step, Extend))
            return await settle(steps)

        bench.events.settle = note  # type: ignore[method-assign]
        # The queue hides them for 30 s, and the function may take three.
        begin_by = min(batch.lease.begin_by for batch in read)
        await bench.pass_time(begin_by - bench.clock.monotonic() - 0.5, step_s=0.25)
        assert not given_back
        await bench.until(lambda: {one.receipt for batch in read for one in batch.records} <= given_back, step_s=0.25)
        assert bench.clock.monotonic() < begin_by + 10
        assert not any(batches[0] in read for batches in poller._unbegun._ready)
        gate.is_open = True
        gate.let_all_go()
        await bench.until_depth(0, 0, 0, step_s=0.1)
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES

    tell(tmp_path, story)


def test_what_was_read_for_settings_that_changed_meanwhile_is_given_back(tmp_path: Path) -> None:
    """Its time was measured for another function: it is read again for the new one."""

    async def story(bench: Bench) -> None:
        await bench.function("f")
        await bench.function("g", timeout_s=20)
        await bench.queue()
        uuid = await bench.mapping()
        await bench.rest()
        claim, go_on, reads = bench.events.claim, asyncio.Event(), 0

        async def slow(*arguments: Any, **more: Any) -> Any:
            nonlocal reads
            claimed = await claim(*arguments, **more)
            reads += 1
            await go_on.wait()
            return claimed

        bench.events.claim = slow  # type: ignore[method-assign]
        await bench.send("a")
        await bench.until(lambda: reads == 1)
        await bench.call("UpdateEventSourceMapping", UUID=uuid, FunctionName="g")
        await bench.until_state(uuid, "Enabled")
        go_on.set()
        await bench.until_depth(0, 0, 0)
        assert bench.bodies("g") == [["a"]]
        assert bench.batches()[0][0]["attributes"]["ApproximateReceiveCount"] == "2"

    tell(tmp_path, story)


def test_a_queue_that_lets_nobody_in_is_looked_at_now_and_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not with each message that is put into it; half a minute later its policy counts."""
    owner = "111122223333"
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": SCOPE.account}, "Action": "sqs:*", "Resource": "*"}],
    }

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.call("CreateQueue", owner, QueueName="q", Attributes={"Policy": json.dumps(policy)})
        made = await bench.call("CreateEventSourceMapping", EventSourceArn=queue_arn("q", owner), FunctionName="f")
        await bench.until_state(made["UUID"], "Enabled")
        await bench.rest()
        await bench.call("SetQueueAttributes", owner, QueueUrl="q", Attributes={"Policy": ""})
        for _ in range(5):
            await bench.call("SendMessage", owner, QueueUrl="q", MessageBody="a")
            await bench.rest()
        assert caplog.text.count("mapping.denied") == 1
        await bench.call("SetQueueAttributes", owner, QueueUrl="q", Attributes={"Policy": json.dumps(policy)})
        await bench.until(lambda: sum(len(batch) for batch in bench.bodies()) == 5, step_s=1)

    tell(tmp_path, story)


def test_a_function_that_is_gone_or_not_ready_leaves_the_queue_alone(tmp_path: Path) -> None:
    """Messages wait, and none is received for nothing; one that is made anew or gets ready gets them."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        uuid = await bench.mapping()
        async with bench.store.transaction(SCOPE) as tx:
            await tx.delete_function(FunctionName("f"))
        await bench.send("a")
        await bench.rest()
        assert await bench.depth() == (1, 0, 0)
        assert await bench.state(uuid) == "Enabled"
        await bench.function()
        await bench.until_depth(0, 0, 0)
        await bench.set_state("f", State.PENDING)
        await bench.send("b")
        await bench.rest()
        assert await bench.depth() == (1, 0, 0)
        await bench.set_state("f", State.ACTIVE)
        await bench.until_depth(0, 0, 0)
        assert bench.bodies() == [["a"], ["b"]]
        assert bench.batches()[1][0]["attributes"]["ApproximateReceiveCount"] == "1"

    tell(tmp_path, story)


def test_a_queue_that_goes_and_comes_again(tmp_path: Path) -> None:
    """The mapping stays; the first message of the new queue is read."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.send("a")
        await bench.until_depth(0, 0, 0)
        await bench.call("DeleteQueue", QueueUrl="q")
        await bench.rest()
        await bench.queue()
        await bench.send("b")
        await bench.until_depth(0, 0, 0)
        assert bench.bodies() == [["a"], ["b"]]

    tell(tmp_path, story)


def test_a_store_that_fails_loses_nothing(tmp_path: Path) -> None:
    """Reading is tried again, and so is the deletion of what is done, which runs no second time."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.rest()
        claim, settle = bench.events.claim, bench.events.settle
        failures = {"claim": 1, "settle": 2}

        async def fail_claim(*arguments: Any, **more: Any) -> Any:
            if failures["claim"]:
                failures["claim"] -= 1
                raise DependencyError("disk full", retryable=True)
            return await claim(*arguments, **more)

        async def fail_settle(*arguments: Any) -> Any:
            if failures["settle"]:
                failures["settle"] -= 1
                raise DependencyError("disk full", retryable=True)
            return await settle(*arguments)

        bench.events.claim, bench.events.settle = fail_claim, fail_settle  # type: ignore[method-assign]
        await bench.send("a")
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert bench.bodies() == [["a"]]
        assert failures == {"claim": 0, "settle": 0}

    tell(tmp_path, story)


def test_one_message_that_nobody_understands_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of its read are invoked, and it comes back when its time is over, as after a failure."""
    fail_on(monkeypatch, "poison")

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue(VisibilityTimeout="10")
        await bench.send(*"abcdefg", "poison", *"hijklmn")
        await bench.mapping()
        await bench.until_depth(0, 1, 0)
        assert sorted(body for batch in bench.bodies() for body in batch) == list("abcdefghijklmn")
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES
        monkeypatch.undo()
        await bench.until_depth(0, 0, 0, step_s=0.5)
        assert bench.batches()[-1][0]["attributes"]["ApproximateReceiveCount"] == "2"

    tell(tmp_path, story)


def test_one_message_that_nobody_understands_is_not_overtaken_in_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FIFO: what follows it waits with it; other groups go on."""
    fail_on(monkeypatch, "a-2")

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo", VisibilityTimeout="10")
        await bench.send("a-1", "a-2", "a-3", "b-1", queue="q.fifo")
        await bench.mapping("q.fifo")
        await bench.until_depth(0, 2, 0, queue="q.fifo")
        assert sorted(body for batch in bench.bodies() for body in batch) == ["a-1", "b-1"]
        monkeypatch.undo()
        await bench.until_depth(0, 0, 0, queue="q.fifo", step_s=0.5)
        assert [body for batch in bench.bodies() for body in batch][-2:] == ["a-2", "a-3"]

    tell(tmp_path, story)


@pytest.mark.parametrize("revoked", [False, True])
def test_another_accounts_queue(tmp_path: Path, revoked: bool) -> None:
    """It is read while its policy lets the function's role in, and left alone once it does not."""
    owner = "111122223333"
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": SCOPE.account}, "Action": "sqs:*", "Resource": "*"}],
    }

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.call("CreateQueue", owner, QueueName="q", Attributes={"Policy": json.dumps(policy)})
        arn = queue_arn("q", owner)
        made = await bench.call("CreateEventSourceMapping", EventSourceArn=arn, FunctionName="f")
        await bench.until_state(made["UUID"], "Enabled")
        await bench.rest()
        if revoked:
            await bench.call("SetQueueAttributes", owner, QueueUrl="q", Attributes={"Policy": ""})
        await bench.call("SendMessage", owner, QueueUrl="q", MessageBody="a")
        if revoked:
            await bench.rest()
            assert bench.fleet.ran == []
        else:
            await bench.until(lambda: bench.fleet.ran)
            assert bench.batches()[0][0]["eventSourceARN"] == arn

    tell(tmp_path, story)
