"""The event queue's suite on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lambent.store.database import Database
from lambent.testing.conformance.event_queue import EventQueueConformance, QueueOpener
from lambent.testing.stores import OpenQueue, make_sqlite, open_queue
from lambent.testing.virtual_clock import VirtualClock


class TestOnSqlite(EventQueueConformance):
    """In a SQLite file."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> QueueOpener:
        make_sqlite(tmp_path / "state.db")

        @asynccontextmanager
        async def opened(clock: VirtualClock, events_max: int = 1_000_000) -> AsyncIterator[OpenQueue]:
            async with (
                Database(tmp_path / "state.db") as database,
                open_queue(database, tmp_path / "payloads", clock, events_max) as queue,
            ):
                yield queue

        return opened
