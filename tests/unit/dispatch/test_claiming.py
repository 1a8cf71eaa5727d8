"""What is claimed, and what stays due."""

import asyncio
from pathlib import Path

from lambent.dispatch.claiming import Claimer
from lambent.domain.caller import Scope
from lambent.store.blobs import FileBlobs
from lambent.store.contract import CLAIMS_MAX, NewEvent, QueueKind, QueueName
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
