"""The event queue's suite on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

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

    def test_partial_indexes_are_partial_here_too(self, opener: QueueOpener, postgres_url: str) -> None:
        """What a start looks at does not list the queues in which nothing waits, on either database."""
        wanted = {
            index.name
            for table in QUEUE_TABLES
            for index in table.indexes
            if index.dialect_options["sqlite"]["where"] is not None
        }
        assert "event_queues_filled" in wanted

        async def found() -> set[str]:
            async with PostgresDatabase(postgres_url) as database:
                query = text("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '% WHERE %'")
                return set(await database.look(lambda connection: connection.execute(query).scalars().all()))

        assert wanted <= asyncio.run(found())
