"""The suite of positions in streams, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lambent.domain.event_source_mapping import EventSourceMapping, MappingState
from lambent.domain.function import FunctionName
from lambent.store.contract import StreamPositions
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.postgres import STREAM_TABLES, PostgresDatabase
from lambent.store.stream_positions import DurableStreamPositions
from lambent.store.tables import metadata
from lambent.testing.conformance.stream_positions import FULL, SCOPE, PositionsOpener, StreamPositionConformance
from lambent.testing.stores import make_sqlite


class TestOnSqlite(StreamPositionConformance):
    """In a SQLite file."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> PositionsOpener:
        make_sqlite(tmp_path / "state.db")

        @asynccontextmanager
        async def opened() -> AsyncIterator[StreamPositions]:
            async with Database(tmp_path / "state.db") as database:
                yield DurableStreamPositions(database)

        return opened

    def test_they_go_with_their_mapping(self, tmp_path: Path) -> None:
        """In the commit that deletes it; those of others stay."""
        make_sqlite(tmp_path / "state.db")

        async def story() -> None:
            async with Database(tmp_path / "state.db") as database:
                positions, store = DurableStreamPositions(database), FunctionRepository(database)
                for uuid in ("a", "b"):
                    async with store.transaction(SCOPE) as tx:
                        await tx.event_source_mappings.save(
                            EventSourceMapping(
                                SCOPE, uuid, f"arn:{uuid}", FunctionName("f"), None, MappingState.ENABLED, True, 0.0, 1
                            )
                        )
                    await positions.begin(SCOPE, uuid)
                    assert await positions.save(SCOPE, uuid, 1, [FULL], result="OK")
                async with store.transaction(SCOPE) as tx:
                    await tx.event_source_mappings.delete("a")
                assert not await positions.save(SCOPE, "a", 1, [FULL])
                assert await positions.results(SCOPE, ["a", "b"]) == {"b": "OK"}
                assert (await positions.begin(SCOPE, "a")).positions == []
                assert len((await positions.begin(SCOPE, "b")).positions) == 1

        asyncio.run(story())


class TestOnPostgres(StreamPositionConformance):
    """In a PostgreSQL database."""

    @pytest.fixture
    def opener(self, postgres_url: str) -> PositionsOpener:
        async def empty() -> None:
            async with PostgresDatabase(postgres_url) as database:
                await database.apply(lambda connection: metadata.drop_all(connection, tables=STREAM_TABLES))
                await database.prepare()

        asyncio.run(empty())

        @asynccontextmanager
        async def opened() -> AsyncIterator[StreamPositions]:
            async with PostgresDatabase(postgres_url) as database:
                yield DurableStreamPositions(database)

        return opened
