"""
kill -9 of a process that works on the event queue, again and again.

What was acknowledged is there: an event that was put is in its queue, or finished and then its record is in the other
queue, exactly once, with its body. What was finished never comes back. A failure names its seed;
`LAMBENT_SIMULATION_SEEDS` says how many are tried.
"""

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from simulation.queue_churn import GROUPS, PLAIN, RECORDS, body_of

from lambent.store.contract import Claim, Done, EventQueue, QueueName
from lambent.store.database import Database
from lambent.testing.stores import make_sqlite, open_queue
from lambent.testing.virtual_clock import VirtualClock

SEEDS = range(int(os.environ.get("LAMBENT_SIMULATION_SEEDS", "12")) // 6)
ROUNDS = 3
PROGRAM = Path(__file__).with_name("queue_churn.py")
YEAR_S = 365 * 86_400


def kill_in_the_middle(folder: Path, seed: int, number: int, after_lines: int) -> list[str]:
    """Let the program work until it has said so many lines, kill it, and return all that it said."""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), str(seed), str(number)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [line.rstrip("\n") for _, line in zip(range(after_lines), process.stdout, strict=False)]
        process.kill()
        said += [line.rstrip("\n") for line in process.stdout if line.endswith("\n")]
    assert len(said) >= after_lines, f"it ended by itself: {said}"
    return said


async def drain(queue: EventQueue, clock: VirtualClock, of: QueueName) -> list[Claim]:
    """Take all that a queue holds, whoever leased it."""
    found: list[Claim] = []
    clock.advance(60)
    while claims := (await queue.claim({of: 500}, 30)).claims:
        await queue.settle([Done(claim.receipt) for claim in claims])
        found += claims
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """Nothing that was acknowledged is lost or comes twice, whatever the moment of the kill."""
    make_sqlite(tmp_path / "state.db")
    chance = random.Random(seed)
    said: list[str] = []
    for number in range(ROUNDS):
        said += kill_in_the_middle(tmp_path, seed, number, chance.randint(1, 150))
    put, tried, done = ({line.split()[1] for line in said if line.startswith(word)} for word in ("put", "try", "done"))

    async def run() -> None:
        # Later than any lease of theirs.
        clock = VirtualClock(now=VirtualClock().now() + YEAR_S)
        async with (
            Database(tmp_path / "state.db") as database,
            open_queue(database, tmp_path / "payloads", clock) as opened,
        ):
            queue = opened.queue
            depths = await queue.depth([PLAIN, GROUPS, RECORDS])
            claims = {of: await drain(queue, clock, of) for of in (PLAIN, GROUPS, RECORDS)}
            for of, found in claims.items():
                counted = depths[of].waiting + depths[of].delayed + depths[of].in_flight if of in depths else 0
                assert len(found) == counted
                assert all(claim.body == body_of(claim.id) for claim in found)
            await queue.sweep()
            assert opened.payloads.names() == []
        waiting = Counter(claim.id for of in (PLAIN, GROUPS) for claim in claims[of])
        records = Counter(claim.id for claim in claims[RECORDS])
        assert max((*waiting.values(), *records.values(), 0)) <= 1
        # An event is in one of the two, never in both and, once acknowledged, never in none.
        assert not waiting.keys() & records.keys()
        assert put <= waiting.keys() | records.keys()
        assert done <= records.keys() <= tried
        for group in "abc":
            sequences = [claim.sequence for claim in claims[GROUPS] if claim.group == group]
            assert sequences == sorted(sequences)

    asyncio.run(run())
