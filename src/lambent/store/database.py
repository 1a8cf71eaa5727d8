"""
The database under the repositories: connections, transactions, and what its failures become.

SQLite in WAL mode with full sync, through SQLAlchemy's async engine. A commit that returned is on disk;
readers work on their own connections and wait for no writer. Everything that knows the driver is here.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import aiosqlite
from sqlalchemy import URL, Connection, Engine, Executable, Insert, Row, create_engine, event
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from lambent.errors.families import DependencyError
from lambent.store.connection_thread import ConnectionThread
from lambent.store.contract import Conflict
from lambent.store.tables import APPLICATION_ID
from lambent.store.uninterrupted import uninterrupted

BUSY_TIMEOUT_MS = 10_000
"""How long a statement waits for another process's lock. Beyond it the call fails as retryable."""

CONNECTIONS_MAX = 5
"""One for the writer, the others for readers: each is a thread, and more of them than cores gain nothing."""

CONNECTION_WAIT_S = 30.0
"""How long a call waits for a free connection before it fails as retryable."""

_MAGIC = b"SQLite format 3\0"

# Execution option that says what a connection's BEGIN is; see `_begin`.
_MODE = "lambent_begin"

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row of a query, by position."""

_T = TypeVar("_T")


class CorruptDatabase(DependencyError):
    """The file is not a database of ours, or is damaged. Nothing was written to it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


def schema_of(path: Path) -> int:
    """
    Return the schema number of the database at `path`: 0 for one that was never migrated or does not exist.

    Args:
        path: the database file. It is opened read-only and left as it is.

    Raises:
        CorruptDatabase: the file is no SQLite database, is damaged, or belongs to another program.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise CorruptDatabase(f"{path} cannot be read: {error.strerror}") from error
    if head == b"":
        return 0
    # Looked at before SQLite does, which might lay files of its own beside a stranger's.
    if head != _MAGIC:
        raise CorruptDatabase(f"{path} is not a SQLite database")
    try:
        # Through SQLite and not from the header's bytes: after a crash the newest header may still be in the WAL.
        # Without a WAL `immutable` keeps SQLite from making an empty one to read by.
        options = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, timeout=BUSY_TIMEOUT_MS / 1000)
        try:
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise CorruptDatabase(f"{path} is not a readable SQLite database: {error}") from error
    if tables and application_id != APPLICATION_ID:
        raise CorruptDatabase(f"{path} is a database of another program")
    return int(schema)


class Statements:
    """What may be done inside one transaction. Failures of the database arrive translated."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[AnyRow]:
        """Return all rows of a query."""
        with _translated():
            return (await self._connection.execute(statement, parameters)).all()

    async def change(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> int:
        """
        Run a statement that writes; return how many rows it touched.

        Args:
            parameters: a sequence runs the statement once for each, in order, in one trip to the driver.

        Raises:
            Conflict: a constraint of the tables refused it.
        """
        with _translated():
            result = await self._connection.execute(statement, parameters)
            return cast("CursorResult[Any]", result).rowcount

    async def insert(self, statement: Insert) -> int:
        """Insert one row into a table with a serial number; return the number."""
        with _translated():
            result = await self._connection.execute(statement)
            key = cast("CursorResult[Any]", result).inserted_primary_key
        assert key is not None
        return int(key[0])


class Database:
    """
    One database file and the connections to it.

    Opening makes no connection yet, and never makes a file: `migrate` does. Whoever opens, closes.

    Args:
        path: the file, already migrated to `tables.SCHEMA`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(path)),
            async_creator=self._connect,
            pool_size=CONNECTIONS_MAX,
            max_overflow=0,
            pool_timeout=CONNECTION_WAIT_S,
            # Every way out of a transaction below ends it; a rollback on return would be one more trip for nothing.
            pool_reset_on_return=None,
        )
        event.listen(engine.sync_engine, "begin", _begin)
        self._engine = engine
        self._writing = engine.execution_options(**{_MODE: "BEGIN IMMEDIATE"})
        self._reading = engine.execution_options(**{_MODE: "BEGIN"})
        self._glancing = engine.execution_options(**{_MODE: None})
        # For fairness, not for correctness: BEGIN IMMEDIATE serialises writers, over processes as well. But SQLite lets
        # waiting writers poll with growing pauses, first served whoever wakes at the right moment; here they queue.
        self._turn = asyncio.Lock()
        self._applying = ConnectionThread("store-apply", self._engine_of("BEGIN IMMEDIATE"))
        self._looking = ConnectionThread("store-look", self._engine_of("BEGIN"))

    async def __aenter__(self) -> "Database":
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. Repeating it is fine."""
        await self._applying.close()
        await self._looking.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def write(self, committed: Callable[[], None] | None = None) -> AsyncIterator[Statements]:
        """
        Open a transaction that alone may write until it ends; it commits with its block, rolls back when that raises.

        Args:
            committed: called on the event loop right after the commit, in the order of commits, and also when the
                caller was cancelled while the commit was under way. It must not raise.

        Raises:
            DependencyError: the database failed, or another process kept it locked.
        """
        async with self._turn:
            with _translated():
                connection = await self._writing.connect()
            try:
                try:
                    with _translated():
                        await connection.begin()
                    yield Statements(connection)
                except BaseException:
                    await uninterrupted(_quietly(connection.rollback()))
                    raise
                await uninterrupted(self._commit(connection, committed))
            finally:
                await uninterrupted(_quietly(connection.close()))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Statements]:
        """Open a transaction that reads one state of the database and waits for no writer."""
        with _translated():
            connection = await self._reading.connect()
        try:
            with _translated():
                await connection.begin()
            yield Statements(connection)
        finally:
            # One step: a cancellation between the two would keep the connection from the others for ever.
            await uninterrupted(self._undo_and_close(connection))

    async def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[AnyRow]:
        """Return the rows of one query. A single statement is a snapshot by itself, so it needs no BEGIN."""
        with _translated():
            async with self._glancing.connect() as connection:
                return (await connection.execute(statement, parameters)).all()

    async def apply(self, work: Callable[[Connection], _T]) -> _T:
        """
        Run a function of many statements on a thread, in a transaction like that of `write`, in turn with those.

        It runs to its end even when the caller is cancelled.
        """
        async with self._turn:
            with _translated():
                return await uninterrupted(self._applying.run(work))

    async def look(self, work: Callable[[Connection], _T]) -> _T:
        """Run a function of many queries on a thread, on one state of the database; it waits for no writer."""
        with _translated():
            return await self._looking.run(work)

    @staticmethod
    async def _undo_and_close(connection: AsyncConnection) -> None:
        await _quietly(connection.rollback())
        await _quietly(connection.close())

    @staticmethod
    async def _commit(connection: AsyncConnection, committed: Callable[[], None] | None) -> None:
        try:
            with _translated():
                await connection.commit()
        except BaseException:
            await _quietly(connection.rollback())
            raise
        if committed is not None:
            committed()

    def _engine_of(self, begin: str) -> Engine:
        """Return an engine for a `ConnectionThread`."""
        engine = create_engine(
            URL.create("sqlite", database=str(self._path)),
            creator=self._open,
            poolclass=NullPool,
            execution_options={_MODE: begin},
        )
        event.listen(engine, "begin", _begin)
        return engine

    def _connect(self, *_: object, **__: object) -> "_Driver":
        driver = _Driver(self._open, iter_chunk_size=64)
        # A connection that was never closed must not keep the process from ending.
        driver._thread.daemon = True
        return driver

    def _open(self) -> sqlite3.Connection:
        """Open one connection, on the thread that will serve it."""
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_MS / 1000,
            # No BEGIN of the driver's own: it would come late, be a deferred one and skip reads.
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # With the default of many builds (NORMAL in WAL mode) a power cut takes the last commits along.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection


class _Cursor(aiosqlite.Cursor):
    """
    A cursor that executes and fetches in one trip to the connection's thread.

    The driver's own takes four (make, execute, fetch, close), each two thread switches; all our results are
    read whole anyway.
    """

    def __init__(self, connection: "_Driver") -> None:
        super().__init__(connection, cast(sqlite3.Cursor, None))
        self._fetched: list[Any] = []

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> "_Cursor":
        await self._on_thread(self._execute_and_fetch, sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> "_Cursor":
        await self._on_thread(self._execute_many, sql, parameters)
        return self

    async def fetchall(self) -> Iterable[sqlite3.Row]:
        rows, self._fetched = self._fetched, []
        return rows

    async def close(self) -> None:
        # The statement was read to its end, which is all that closing would do.
        return

    @property
    def description(self) -> Any:
        return None if self._cursor is None else self._cursor.description

    async def _on_thread(self, work: Callable[[str, Any], None], sql: str, parameters: Any) -> None:
        await self._execute(work, sql, parameters)  # type: ignore[no-untyped-call]

    def _execute_and_fetch(self, sql: str, parameters: Any) -> None:
        self._cursor = self._conn._conn.cursor()
        self._cursor.execute(sql, parameters or ())
        if self._cursor.description is not None:
            self._fetched = self._cursor.fetchall()

    def _execute_many(self, sql: str, parameters: Any) -> None:
        self._cursor = self._conn._conn.cursor()
        self._cursor.executemany(sql, parameters)


class _Driver(aiosqlite.Connection):
    """The driver's connection, without trips to its thread that change nothing, and with one that ends in order."""

    _stopped: "asyncio.Future[Any] | None" = None

    def cursor(self) -> Any:
        return _Cursor(self)

    async def rollback(self) -> None:
        if self._conn.in_transaction:
            await super().rollback()

    def stop(self) -> "asyncio.Future[Any] | None":
        self._stopped = super().stop()
        return self._stopped

    async def _connect(self) -> aiosqlite.Connection:
        # Left half-way, the file would stay open, and the thread would speak to an event loop that may be gone.
        try:
            return await uninterrupted(self._connect_or_stop())
        except asyncio.CancelledError:
            await uninterrupted(self.close())
            raise

    async def _connect_or_stop(self) -> aiosqlite.Connection:
        try:
            return await super()._connect()
        except BaseException:
            if self._stopped is not None:
                await self._stopped
            raise


def _begin(connection: Connection) -> None:
    """Send the BEGIN that the connection's options ask for, in place of the driver's."""
    begin = connection.get_execution_options()[_MODE]
    if begin is not None:
        connection.exec_driver_sql(begin)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the libraries' exceptions into those of the contract."""
    try:
        yield
    except sqlalchemy_errors.IntegrityError as error:
        raise Conflict(str(error.orig)) from error
    except sqlalchemy_errors.TimeoutError as error:
        raise DependencyError(f"no free connection within {CONNECTION_WAIT_S:.0f} s", retryable=True) from error
    except sqlalchemy_errors.DBAPIError as error:
        raise _failure(error.orig) from error
    except sqlite3.Error as error:
        raise _failure(error) from error
    except sqlalchemy_errors.SQLAlchemyError as error:
        raise DependencyError(f"database: {error}", retryable=False) from error


def _failure(error: BaseException | None) -> DependencyError:
    # The low byte is the result code proper, the rest its variety. Source: SQLite documentation, result codes.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return CorruptDatabase(f"database: {error}")
    return DependencyError(f"database: {error}", retryable=code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))


async def _quietly(step: Coroutine[Any, Any, None]) -> None:
    """Run a step of tidying up. A failure of it is dropped: the connection is then closed, and SQLite rolls back."""
    try:
        await step
    except (sqlalchemy_errors.SQLAlchemyError, sqlite3.Error):
        return
