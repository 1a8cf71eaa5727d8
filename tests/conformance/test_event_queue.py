"""The event queue's suite on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lambent.store.database import Database
from lambent.store.postgres import QUEUE_TABLES, PostgresDatabase
from lambent.store.tables import metadata
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


class TestOnPostgres(EventQueueConformance):
    """In a PostgreSQL database."""

    @pytest.fixture
    def opener(self, tmp_path: Path, postgres_url: str) -> QueueOpener:
        async def empty() -> None:
            async with PostgresDatabase(postgres_url) as database:
                await database.apply(lambda connection: metadata.drop_all(connection, tables=QUEUE_TABLES))
                await database.prepare()

        asyncio.run(empty())

        @asynccontextmanager
        async def opened(clock: VirtualClock, events_max: int = 1_000_000) -> AsyncIterator[OpenQueue]:
            async with (
                PostgresDatabase(postgres_url) as database,
                open_queue(database, tmp_path / "payloads", clock, events_max) as queue,
            ):
                yield queue

        return opened
