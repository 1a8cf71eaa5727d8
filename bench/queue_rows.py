"""
Rows about the event queue, at its contract and without HTTP.

It lives in a file on the disk of the data folders, with full sync: what is told to have been put is on disk.
"""

import asyncio
import contextlib
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.processes import memory_bytes
from bench.table import Bound, Line, mebibytes, milliseconds
from bench.targets import scratch_folder, start_lambent
from lambent.clock import SystemClock
from lambent.domain.caller import Scope
from lambent.store.blobs import FileBlobs
from lambent.store.contract import Done, EventQueue, NewEvent, QueueKind, QueueName
from lambent.store.data_folder import DataFolder
from lambent.store.database import Database
from lambent.store.queue import DurableEventQueue

if TYPE_CHECKING:
    from bench.rows import Plan

_QUEUE = QueueName(Scope("000000000000", "us-east-1"), QueueKind.ASYNC, "bench/1")
_BODY = b'{"key": "value", "padding": "' + b"x" * 170 + b'"}'
_PRODUCERS = 64
_CONSUMERS = 16
_CLAIMED_AT_ONCE = 10
_START_MAX_S = 3.0
_MEMORY_MAX_BYTES = 8 << 20
"""How much more memory a server may take with a full queue: nothing that grows with it, but for a cache's pages."""


def measure_queue(plan: "Plan") -> list[Line]:
    """Put events with many producers and with one, in turn; then claim and finish them likewise."""

    async def run() -> tuple[list[list[float]], list[list[float]]]:
        with scratch_folder() as folder:
            async with _opened(folder / "many") as many, _opened(folder / "one") as one:
                puts = await _in_turn(lambda: _put(many, _PRODUCERS, 30), lambda: _put(one, 1, 20), rounds=plan.rounds)
                ends = await _in_turn(
                    lambda: _claim_and_finish(many, _CONSUMERS, _CLAIMED_AT_ONCE, 600),
                    lambda: _claim_and_finish(one, 1, 1, 10),
                    rounds=plan.rounds,
                )
        return puts, ends

    puts, ends = asyncio.run(run())
    return [
        _rates(f"events put by {_PRODUCERS} producers, on disk", puts, "one event a commit", Bound(10, is_upper=False)),
        _rates(
            f"events claimed {_CLAIMED_AT_ONCE} at a time and finished, {_CONSUMERS} consumers", ends, "one at a time"
        ),
    ]


def measure_backlog(plan: "Plan") -> list[Line]:
    """Do the same to a queue in which many events wait and to one that is empty; start servers on both."""

    async def run(full: Path, empty: Path) -> tuple[list[list[float]], list[list[float]]]:
        async with _opened(full) as behind, _opened(empty) as ahead:
            puts = await _in_turn(
                lambda: _put(behind, _PRODUCERS, 10), lambda: _put(ahead, _PRODUCERS, 10), rounds=plan.rounds
            )
            ends = await _in_turn(
                lambda: _claim_and_finish(behind, _CONSUMERS, _CLAIMED_AT_ONCE, 480),
                lambda: _claim_and_finish(ahead, _CONSUMERS, _CLAIMED_AT_ONCE, 480),
                rounds=plan.rounds,
            )
            return puts, ends

    with scratch_folder() as folder:
        full, empty = folder / "full", folder / "empty"
        asyncio.run(_fill(full, plan.waiting_events))
        puts, ends = asyncio.run(run(full, empty))
        with start_lambent(empty) as server:
            empty_s, empty_bytes = server.start_s, memory_bytes(server.pid)[0]
        with start_lambent(full) as server:
            full_s, full_bytes = server.start_s, memory_bytes(server.pid)[0]
    waiting = f"{plan.waiting_events} waiting"
    return [
        _costs(f"put, {waiting}", puts),
        _costs(f"claim and finish, {waiting}", ends),
        Line(
            f"server start, {waiting}",
            milliseconds(full_s),
            f"{milliseconds(empty_s)}, none waiting",
            full_s / empty_s,
            is_met=full_s < _START_MAX_S,
            required_text="under 3 s",
        ),
        Line(
            f"memory of that server, {waiting}",
            f"PSS {mebibytes(full_bytes)}",
            f"{mebibytes(empty_bytes)}, none waiting",
            full_bytes / empty_bytes,
            is_met=full_bytes < empty_bytes + _MEMORY_MAX_BYTES,
            required_text="at most 8 MiB more",
        ),
    ]


@contextlib.asynccontextmanager
async def _opened(data_dir: Path) -> AsyncIterator[EventQueue]:
    with DataFolder.open(data_dir) as folder:
        async with (
            Database(folder.database) as database,
            DurableEventQueue(database, FileBlobs(folder.payloads), SystemClock()) as queue,
        ):
            yield queue


async def _fill(data_dir: Path, count: int) -> None:
    """Put one event and copy its row: a million puts would take minutes."""
    async with _opened(data_dir) as queue:
        await queue.put([NewEvent(_QUEUE, "bench", _BODY)])
    with contextlib.closing(sqlite3.connect(data_dir / "state.db")) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(queued_events)") if row[1] != "sequence"]
        names = ", ".join(columns)
        connection.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "
            f"INSERT INTO queued_events (sequence, {names}) "
            f"SELECT sequence + n, {names} FROM numbers, queued_events ORDER BY n",
            (count - 1,),
        )
        connection.execute("UPDATE event_queues SET event_count = ?", (count,))
        connection.execute("UPDATE event_numbers SET next_number = next_number + ?", (count,))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _in_turn(*samplers: Callable[[], Awaitable[float]], rounds: int) -> list[list[float]]:
    """Like `yardsticks.interleave`, for what awaits."""
    samples: list[list[float]] = [[] for _ in samplers]
    for number in range(rounds):
        for offset in range(len(samplers)):
            index = (number + offset) % len(samplers)
            samples[index].append(await samplers[index]())
    return samples


async def _put(queue: EventQueue, producers: int, each: int) -> float:
    """Put events one at a time by several producers; return the seconds for one event."""

    async def produce() -> None:
        for _ in range(each):
            await queue.put([NewEvent(_QUEUE, "bench", _BODY)])

    begin = time.perf_counter()
    await asyncio.gather(*(produce() for _ in range(producers)))
    return (time.perf_counter() - begin) / (producers * each)


async def _claim_and_finish(queue: EventQueue, consumers: int, at_once: int, count: int) -> float:
    """Claim and finish at least so many events by several consumers; return the seconds for one event."""
    begun = finished = 0

    async def consume() -> None:
        nonlocal begun, finished
        while begun < count:
            begun += at_once
            claims = (await queue.claim({_QUEUE: at_once}, 60)).claims
            assert claims
            await queue.settle([Done(claim.receipt) for claim in claims])
            finished += len(claims)

    begin = time.perf_counter()
    await asyncio.gather(*(consume() for _ in range(consumers)))
    return (time.perf_counter() - begin) / finished


def _rates(what: str, samples: list[list[float]], yardstick: str, required: Bound | None = None) -> Line:
    measured, held_against = (1 / statistics.median(sample) for sample in samples)
    return Line(
        what,
        f"{measured:.0f}/s",
        f"{held_against:.0f}/s, {yardstick}",
        measured / held_against,
        required=required,
    )


def _costs(what: str, samples: list[list[float]]) -> Line:
    measured, held_against = (statistics.median(sample) for sample in samples)
    return Line(
        what,
        f"{measured * 1e6:.0f} us an event",
        f"{held_against * 1e6:.0f} us, none waiting",
        measured / held_against,
        required=Bound(1.5),
    )
