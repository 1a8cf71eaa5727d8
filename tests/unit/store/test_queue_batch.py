"""What a commit of the event queue asks of the database: it walks indexes, however much waits."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from lambent.domain.caller import Scope
from lambent.store.contract import (
    BODY_INLINE_MAX_BYTES,
    Done,
    EventQueue,
    Extend,
    NewEvent,
    QueueKind,
    QueueName,
    QueueRules,
    Retry,
)
from lambent.store.database import Database
from lambent.testing.stores import make_sqlite, open_queue
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope(account="111122223333", region="eu-west-1")
FUNCTION = QueueName(SCOPE, QueueKind.ASYNC, "f/1")
FIFO = QueueName(SCOPE, QueueKind.SQS, "q.fifo")
DEAD = QueueName(SCOPE, QueueKind.SQS, "dead.fifo")


async def use_all_of(queue: EventQueue, clock: VirtualClock) -> None:
    """Do everything once that may be done while much waits."""
    await queue.define(DEAD, QueueRules(is_fifo=True))
    await queue.define(
        FIFO, QueueRules(is_fifo=True, retention_s=60, in_flight_max=5, redrive_to=DEAD, redrive_after=1)
    )
    await queue.put([NewEvent(FUNCTION, "a", bytes(BODY_INLINE_MAX_BYTES + 1)), NewEvent(FUNCTION, "b", b"")])
    await queue.put([NewEvent(FIFO, name, b"", group="g", deduplication_id=name) for name in "abc"])
    a, b = (await queue.claim({FUNCTION: 2}, 30)).claims
    one, two = (await queue.claim({FIFO: 2}, 30)).claims
    await queue.settle([Done(a.receipt), Retry(b.receipt, 5, b"x"), Extend(one.receipt, 0), Done(two.receipt)])
    await queue.claim({FUNCTION: 2, FIFO: 2}, 30)
    await queue.put([NewEvent(FUNCTION, name, b"") for name in "cdefg"])
    await queue.settle([Done(claim.receipt) for claim in (await queue.claim({FUNCTION: 5}, 30)).claims])
    await queue.depth([FUNCTION, FIFO])
    await queue.peek(FUNCTION, limit=5)
    await queue.filled(QueueKind.ASYNC)
    await queue.definitions(QueueKind.SQS, scope=SCOPE, limit=5)
    clock.advance(400)
    await queue.sweep()
    await queue.purge(FIFO)
    await queue.sweep()


def test_it_walks_indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No statement reads a table from end to end, or sorts what it found, but for the queues that hold something."""
    path = tmp_path / "state.db"
    make_sqlite(path)
    asked: set[str] = set()
    plain_open = Database._open

    def traced(self: Database) -> sqlite3.Connection:
        connection = plain_open(self)
        connection.set_trace_callback(asked.add)
        return connection

    monkeypatch.setattr(Database, "_open", traced)

    async def run() -> None:
        clock = VirtualClock()
        async with Database(path) as database, open_queue(database, tmp_path / "payloads", clock) as opened:
            await use_all_of(opened.queue, clock)

    asyncio.run(run())
    statements = {sql for sql in asked if sql.startswith(("SELECT", "UPDATE", "DELETE", "INSERT INTO event_groups"))}
    assert len(statements) > 40
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for sql in sorted(statements):
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}"):
                is_small = any(name in step for name in ("event_numbers", "dropped_event_contents", "CONSTANT ROW"))
                is_subquery = "anon_" in step
                is_index_of_filled = step.startswith("SCAN event_queues USING") and "event_queues_filled" in step
                assert not step.startswith("SCAN") or is_small or is_subquery or is_index_of_filled, (step, sql)
                assert "TEMP B-TREE FOR ORDER BY" not in step, (step, sql)
