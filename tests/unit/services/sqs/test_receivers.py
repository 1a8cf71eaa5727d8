"""Receivers that wait: who is woken, by what, and who is sent home."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.errors.api.sqs import QueueDoesNotExist, RequestThrottled
from lambent.testing.sqs import SqsBench


class Waiting:
    """Receivers of one queue that wait, and the claims that all of them made."""

    def __init__(self, sqs: SqsBench) -> None:
        self.sqs = sqs
        self.tasks: list[asyncio.Task[Any]] = []
        self.claims = 0
        claim = sqs.events.claim

        async def counted(*arguments: Any) -> Any:
            self.claims += 1
            return await claim(*arguments)

        sqs.events.claim = counted  # type: ignore[method-assign]

    async def begin(self, count: int = 1, most: int = 1, queue: str = "q", **more: Any) -> None:
        """Have receivers wait, each for up to 20 s."""
        for _ in range(count):
            before = self.claims
            receive = self.sqs.begin(
                "ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=most, WaitTimeSeconds=20, **more
            )
            self.tasks.append(asyncio.create_task(receive))
            while self.claims == before:
                await self.settled()
            await self.settled()

    async def settled(self) -> None:
        """Wait until what was begun has come to rest: whatever a commit wakes has made its claim."""
        for _ in range(2):
            await self.sqs.events.settle([])
            for _ in range(20):
                await asyncio.sleep(0)

    async def got(self) -> list[str]:
        """Return what each receiver that is done got; blank: nothing."""
        await self.settled()
        done = [task.result().get("Messages", []) for task in self.tasks if task.done()]
        return [" ".join(message["Body"] for message in messages) for messages in done]

    async def send(self, *bodies: str, **more: Any) -> None:
        entries = [{"Id": str(number), "MessageBody": body, **more} for number, body in enumerate(bodies)]
        await self.sqs.begin("SendMessageBatch", QueueUrl="q", Entries=entries)
        await self.settled()


def story(run: Callable[[Waiting], Awaitable[None]]) -> Callable[[SqsBench], None]:
    def test(sqs: SqsBench) -> None:
        async def whole() -> None:
            waiting = Waiting(sqs)
            await run(waiting)
            for task in waiting.tasks:
                task.cancel()
            await asyncio.gather(*waiting.tasks, return_exceptions=True)
            assert sqs.queues.receivers.waiting == 0
            assert sqs.queues.receivers._lines == {}

        sqs.create("q")
        sqs.runner.run(whole())

    test.__doc__ = run.__doc__
    return test


@story
async def test_one_message_wakes_one(waiting: Waiting) -> None:
    """And nobody claims twice for it: the others go on waiting."""
    await waiting.begin(4)
    before = waiting.claims
    await waiting.send("m")
    assert await waiting.got() == ["m"]
    # The one that got all it asked for has woken another, since there might have been more.
    assert waiting.claims - before == 2


@story
async def test_several_messages_wake_several(waiting: Waiting) -> None:
    """Though they came with one commit."""
    await waiting.begin(3)
    await waiting.send("a", "b")
    assert sorted(await waiting.got()) == ["a", "b"]
    await waiting.send("c")
    assert sorted(await waiting.got()) == ["a", "b", "c"]


@story
async def test_a_receiver_gets_what_there_is(waiting: Waiting) -> None:
    """It does not wait for the rest of the ten."""
    await waiting.begin(most=10)
    await waiting.send("a", "b")
    assert await waiting.got() == ["a b"]


@story
async def test_time_wakes(waiting: Waiting) -> None:
    """A delay that ends, and a message whose receiver let its time run out; the wait itself has an end."""
    await waiting.begin(VisibilityTimeout=5)
    await waiting.send("m", DelaySeconds=3)
    assert await waiting.got() == []
    waiting.sqs.wait(3)
    assert await waiting.got() == ["m"]
    await waiting.begin(2)
    waiting.sqs.wait(5)
    assert await waiting.got() == ["m", "m"]
    waiting.sqs.wait(15)
    assert await waiting.got() == ["m", "m", ""]


@story
async def test_a_group_that_is_free_again_wakes(waiting: Waiting) -> None:
    """By a delete, and by a receiver whose time ran out."""
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    await waiting.sqs.begin("CreateQueue", QueueName="f.fifo", Attributes=attributes)
    for body in ("a", "b"):
        await waiting.sqs.begin("SendMessage", QueueUrl="f.fifo", MessageBody=body, MessageGroupId="g")
    (first,) = (await waiting.sqs.begin("ReceiveMessage", QueueUrl="f.fifo", VisibilityTimeout=10))["Messages"]
    await waiting.begin(queue="f.fifo", VisibilityTimeout=5)
    assert await waiting.got() == []
    waiting.sqs.wait(10)
    assert await waiting.got() == ["a"]
    await waiting.begin(queue="f.fifo")
    found = waiting.tasks[0].result()["Messages"][0]
    assert found["ReceiptHandle"] != first["ReceiptHandle"]
    await waiting.sqs.begin("DeleteMessage", QueueUrl="f.fifo", ReceiptHandle=found["ReceiptHandle"])
    assert await waiting.got() == ["a", "b"]


@story
async def test_who_leaves_gets_nothing(waiting: Waiting) -> None:
    """Neither a caller that is gone nor a call that was cancelled; what woke them wakes the next."""
    left = asyncio.Event()

    async def gone() -> None:
        await left.wait()

    await waiting.begin(caller=waiting.sqs.caller(wait_gone=gone))
    await waiting.begin(2)
    left.set()
    assert await waiting.got() == [""]
    waiting.tasks.pop(0)
    cancelled = waiting.tasks.pop(0)
    send = asyncio.create_task(waiting.send("m"))
    cancelled.cancel()
    await send
    assert await waiting.got() == ["m"]
    counts = (await waiting.sqs.events.depth([waiting.sqs.queue("q")]))[waiting.sqs.queue("q")]
    assert (counts.waiting, counts.in_flight) == (0, 1)


@story
async def test_a_removed_queue_ends_the_wait(waiting: Waiting) -> None:
    """With the error that the next call would get."""
    await waiting.begin(2)
    await waiting.sqs.begin("DeleteQueue", QueueUrl="q")
    for task in waiting.tasks:
        with pytest.raises(QueueDoesNotExist):
            await task


@story
async def test_the_server_ends(waiting: Waiting) -> None:
    """Everybody is sent home at once, and who comes later does not wait."""
    await waiting.begin(3)
    waiting.sqs.queues.receivers.close()
    assert await waiting.got() == ["", "", ""]
    await waiting.begin()
    assert await waiting.got() == ["", "", "", ""]


@story
async def test_so_many_may_wait(waiting: Waiting) -> None:
    """One more is refused; one that does not wait is not."""
    await waiting.begin(4)
    with pytest.raises(RequestThrottled):
        await waiting.sqs.begin("ReceiveMessage", QueueUrl="q", WaitTimeSeconds=1)
    assert await waiting.sqs.begin("ReceiveMessage", QueueUrl="q") == {}


@story
async def test_a_queue_may_have_everybody_wait(waiting: Waiting) -> None:
    """Its ReceiveMessageWaitTimeSeconds holds for receives that say nothing of their own."""
    attributes = {"ReceiveMessageWaitTimeSeconds": "5"}
    await waiting.sqs.begin("SetQueueAttributes", QueueUrl="q", Attributes=attributes)
    waiting.tasks.append(asyncio.create_task(waiting.sqs.begin("ReceiveMessage", QueueUrl="q")))
    assert await waiting.got() == []
    assert await waiting.sqs.begin("ReceiveMessage", QueueUrl="q", WaitTimeSeconds=0) == {}
    waiting.sqs.wait(5)
    assert await waiting.got() == [""]


def test_nothing_waits_after_all(tmp_path: Path) -> None:
    """Timers of queues that nobody waits for any more are gone."""
    sqs = SqsBench(tmp_path)
    sqs.create("q")
    timers = sqs.clock.timer_count
    sqs.send("q", "m", DelaySeconds=900)

    async def wait() -> None:
        task = asyncio.create_task(sqs.begin("ReceiveMessage", QueueUrl="q", WaitTimeSeconds=20))
        while sqs.clock.timer_count == timers:
            await sqs.events.settle([])
        sqs.wait(20)
        assert await task == {}

    sqs.runner.run(wait())
    assert sqs.clock.timer_count == timers
    sqs.close()
