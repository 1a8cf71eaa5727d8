"""What is claimed, and what stays due."""

import asyncio
from pathlib import Path
from typing import Any

from lambent.dispatch.claiming import Claimer
from lambent.domain.caller import Scope
from lambent.store.blobs import FileBlobs
from lambent.store.contract import CLAIMS_MAX, Depth, Done, NewEvent, QueueKind, QueueName, Retry
from lambent.store.database import Database
from lambent.store.queue import DurableEventQueue
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")


def test_queues_beyond_what_one_claim_gives_stay_due(tmp_path: Path) -> None:
    """However much is wanted at once: what came short, or did not come at all, is claimed next."""

    async def run() -> None:
        make_sqlite(tmp_path / "state.db")
        clock = VirtualClock()
        async with (
            Database(tmp_path / "state.db") as database,
            DurableEventQueue(database, FileBlobs(tmp_path / "payloads"), clock) as queue,
        ):
            claimer = Claimer(queue, QueueKind.ASYNC, clock)
            await claimer.begin()
            names = [QueueName(SCOPE, QueueKind.ASYNC, f"f{number}/id") for number in range(3)]
            await queue.put([NewEvent(name, f"r{number}", b"{}") for name in names for number in range(2)])
            claimed = 0
            while due := claimer.due():
                claimed += len(await claimer.claim(dict.fromkeys(due, CLAIMS_MAX - 1)))
            assert claimed == 6

    asyncio.run(run())


def test_a_lease_that_is_extended_takes_the_place_of_no_delay(tmp_path: Path) -> None:
    """An event that is given back while leases are extended waits as long as it was to."""

    async def run() -> None:
        make_sqlite(tmp_path / "state.db")
        clock = VirtualClock()
        async with (
            Database(tmp_path / "state.db") as database,
            DurableEventQueue(database, FileBlobs(tmp_path / "payloads"), clock) as queue,
        ):
            claimer = Claimer(queue, QueueKind.ASYNC, clock)
            await claimer.begin()
            name = QueueName(SCOPE, QueueKind.ASYNC, "f/id")
            await queue.put([NewEvent(name, request_id, b"{}") for request_id in ("given back", "runs")])
            given_back, _ = await claimer.claim({name: 2})
            settle = queue.settle
            is_back, goes_on, extended = asyncio.Event(), asyncio.Event(), asyncio.Event()

            async def slow(steps: Any) -> Any:
                is_retry = isinstance(steps[0], Retry)
                outcomes = await settle(steps)
                if is_retry:
                    is_back.set()
                    await goes_on.wait()
                else:
                    extended.set()
                return outcomes

            queue.settle = slow  # type: ignore[method-assign]
            keeping = asyncio.create_task(claimer.keep_leases())
            settling = asyncio.create_task(claimer.settle([(given_back, Retry(given_back.receipt, 60))]))
            await is_back.wait()
            clock.advance(10)
            await extended.wait()
            assert (await queue.depth([name]))[name] == Depth(waiting=0, in_flight=1, delayed=1)
            goes_on.set()
            await settling
            keeping.cancel()
            await asyncio.wait([keeping])

    asyncio.run(run())


def test_what_is_claimed_in_the_commit_that_gives_it_back_is_claimed_again(tmp_path: Path) -> None:
    """A claim that waits for the commit of an event's next attempt gets that event: it is nobody's until somebody runs
    it, and does not wait for its lease to end."""

    async def run() -> None:
        make_sqlite(tmp_path / "state.db")
        clock = VirtualClock()
        async with (
            Database(tmp_path / "state.db") as database,
            DurableEventQueue(database, FileBlobs(tmp_path / "payloads"), clock) as queue,
        ):
            claimer = Claimer(queue, QueueKind.ASYNC, clock)
            await claimer.begin()
            name = QueueName(SCOPE, QueueKind.ASYNC, "f/id")
            await queue.put([NewEvent(name, "tried again", b"{}")])
            (claim,) = await claimer.claim({name: 1})
            again, _ = await asyncio.gather(
                claimer.claim({name: 1}), claimer.settle([(claim, Retry(claim.receipt, 0.0))])
            )
            while not again:
                assert claimer.due() == [name]
                again = await claimer.claim({name: 1})
            assert [one.id for one in again] == ["tried again"]
            assert claimer.held_count == 1
            await claimer.settle([(again[0], Done(again[0].receipt))])
            assert (await queue.depth([name]))[name] == Depth(waiting=0, in_flight=0, delayed=0)

    asyncio.run(run())
