"""
The program that test_event_queue_crash.py kills: puts, claims and finishes events, and says what it was told.

    queue_churn.py <folder> <seed> <round>

A line for each answer, written when it came: `put <id>`, `done <id>`; and before it asks, `try <id>`.
"""

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import Awaitable
from pathlib import Path

from lambent.clock import SystemClock
from lambent.domain.caller import Scope
from lambent.store.blobs import FileBlobs
from lambent.store.contract import (
    BODY_INLINE_MAX_BYTES,
    Claim,
    Done,
    EventQueue,
    NewEvent,
    Outcome,
    QueueKind,
    QueueName,
    QueueRules,
    Retry,
)
from lambent.store.database import Database
from lambent.store.queue import DurableEventQueue

SCOPE = Scope("111122223333", "eu-west-1")
PLAIN = QueueName(SCOPE, QueueKind.ASYNC, "f/1")
GROUPS = QueueName(SCOPE, QueueKind.SQS, "groups.fifo")
RECORDS = QueueName(SCOPE, QueueKind.DESTINATION, "records")
LEASE_S = 0.2
"""So short that leases of a process that was killed run out while the next one works."""


def body_of(name: str) -> bytes:
    """Return the body of an event; of every fifth one it is a blob."""
    number = int(name.rpartition(".")[2])
    return name.encode().ljust(BODY_INLINE_MAX_BYTES + 1 if number % 5 == 0 else 50)


async def churn(queue: EventQueue, prefix: str, chance: random.Random) -> None:
    """Work for ever, several callers at once."""
    await queue.define(GROUPS, QueueRules(is_fifo=True))
    number = 0

    def name() -> str:
        nonlocal number
        number += 1
        return f"{prefix}.{number}"

    async def produce() -> None:
        while True:
            into = chance.choice([PLAIN, GROUPS])
            events = [
                NewEvent(into, one, body_of(one), group=chance.choice("abc") if into is GROUPS else None)
                for one in (name() for _ in range(chance.randint(1, 3)))
            ]
            await queue.put(events)
            say(*(f"put {event.id}" for event in events))
            await asyncio.sleep(0.005)

    async def consume() -> None:
        while True:
            found = await queue.claim({PLAIN: 3, GROUPS: 3}, LEASE_S)
            for claim in found.claims:
                assert claim.body == body_of(claim.id), claim.id
                await finish(claim)
            await asyncio.sleep(0.002)

    async def finish(claim: Claim) -> None:
        if chance.random() < 0.2:
            await queue.settle([Retry(claim.receipt, 0.05)])
            return
        record = NewEvent(RECORDS, claim.id, body_of(claim.id))
        say(f"try {claim.id}")
        if await queue.settle([Done(claim.receipt, then=(record,))]) == [Outcome.HAPPENED]:
            say(f"done {claim.id}")

    async def sweep() -> None:
        while True:
            await queue.sweep()
            await asyncio.sleep(0.01)

    workers: list[Awaitable[None]] = [produce(), produce(), produce(), consume(), consume(), sweep()]
    await asyncio.gather(*workers)


def say(*lines: str) -> None:
    """Write lines at once and whole."""
    os.write(1, "".join(f"{line}\n" for line in lines).encode())


async def main(folder: Path, seed: int, number: int) -> None:
    async with (
        Database(folder / "state.db") as database,
        DurableEventQueue(database, FileBlobs(folder / "payloads"), SystemClock()) as queue,
    ):
        await churn(queue, f"{number}", random.Random(seed * 1000 + number))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
