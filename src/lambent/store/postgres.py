"""
PostgreSQL under the event queue and positions in streams, through psycopg (the extra `lambent[postgres]`; nothing of
the core loads it).

Their tables and statements are the same as on SQLite. Here several processes may use them at once: each commit
locks the rows of its queues first, in order.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, insert, make_url, select
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.pool import NullPool

from lambent.errors.families import DependencyError
from lambent.store import tables
from lambent.store.connection_thread import ConnectionThread
from lambent.store.uninterrupted import uninterrupted

QUEUE_TABLES: tuple[Table, ...] = (
    tables.event_queues,
    tables.queued_events,
    tables.event_groups,
    tables.event_deduplications,
    tables.dropped_event_contents,
    tables.event_numbers,
)
"""What the event queue needs of the schema."""

STREAM_TABLES: tuple[Table, ...] = (tables.stream_readings, tables.stream_positions)
"""What positions in streams need of it."""

_TRIES = 5
"""How often a transaction is begun that another one's locks or changes ended. Assumed: beyond it something is wrong."""

_REPEATABLE = frozenset({"23505", "40001", "40P01"})
"""Documented: PostgreSQL, error codes: unique_violation (two made one queue at once), serialization_failure and
deadlock_detected."""

_CONNECT_TIMEOUT_S = 10
"""Assumed: a server that is there answers sooner."""

_T = TypeVar("_T")


class PostgresDatabase:
    """
    The `QueueDatabase` of one PostgreSQL database. Opening makes no connection yet. Whoever opens, closes.

    Args:
        url: `postgresql://user:password@host:port/database`.

    Raises:
        DependencyError: the driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self._applying = ConnectionThread("store-apply", _engine(url, isolation_level="READ COMMITTED"))
        # Its queries belong together: counts of a moment that add up.
        self._looking = ConnectionThread("store-look", _engine(url, isolation_level="REPEATABLE READ"))

    async def __aenter__(self) -> "PostgresDatabase":
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. Repeating it is fine."""
        await self._applying.close()
        await self._looking.close()

    async def prepare(self) -> None:
        """Make the tables where they are not there. Two at once are fine: one of them makes them."""
        await self.apply(_prepare)

    async def apply(self, work: Callable[[Connection], _T]) -> _T:
        """Run a function in a transaction that is on disk on return; to its end even when cancelled."""
        return await uninterrupted(self._apply(work))

    async def look(self, work: Callable[[Connection], _T]) -> _T:
        """Run a function of queries on one state."""
        with _translated():
            return await self._looking.run(work)

    async def _apply(self, work: Callable[[Connection], _T]) -> _T:
        for _ in range(_TRIES - 1):
            try:
                return await self._applying.run(work)
            except sqlalchemy_errors.DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in _REPEATABLE:
                    with _translated():
                        raise
        with _translated():
            return await self._applying.run(work)


def _engine(url: str, isolation_level: str) -> Engine:
    try:
        return create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            isolation_level=isolation_level,
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_S},
        )
    except ModuleNotFoundError as error:
        raise DependencyError(
            "PostgreSQL needs its driver: pip install 'lambent[postgres]'", retryable=False
        ) from error


def _prepare(connection: Connection) -> None:
    # Any number, the same for all of us: two that create one table at once would fail.
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({tables.APPLICATION_ID})")
    for table in QUEUE_TABLES:
        for index in table.indexes:
            # Said here and not in `tables`, where it would have every server load this dialect at its start.
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
    tables.metadata.create_all(connection, tables=QUEUE_TABLES + STREAM_TABLES)
    if connection.execute(select(tables.event_numbers.c.id)).first() is None:
        connection.execute(insert(tables.event_numbers).values(id=1, next_number=1, latest_us=0))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the library's exceptions into those of the contract."""
    try:
        yield
    except sqlalchemy_errors.DBAPIError as error:
        is_passing = error.connection_invalidated or isinstance(error, sqlalchemy_errors.OperationalError)
        raise DependencyError(f"database: {error.orig}", retryable=is_passing) from error
    except sqlalchemy_errors.SQLAlchemyError as error:
        raise DependencyError(f"database: {error}", retryable=False) from error
