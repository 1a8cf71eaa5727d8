"""
The database under the repositories: connections, transactions, and what its failures become.

SQLite in WAL mode with full sync, through SQLAlchemy. A commit that returned is on disk; readers work on connections of
their own and wait for no writer. Each connection has a thread. Everything that knows the driver is here.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, Executable, Insert, Row, create_engine, event
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.engine import CursorResult
from sqlalchemy.pool import NullPool

from lambent.errors.families import DependencyError
from lambent.store.connection_thread import ConnectionThread
from lambent.store.contract import Conflict
from lambent.store.tables import APPLICATION_ID
from lambent.store.uninterrupted import uninterrupted

BUSY_TIMEOUT_MS = 10_000
"""How long a statement waits for another process's lock. Beyond it the call fails as retryable."""

READERS_MAX = 4
"""Connections that read at once, beside the one that writes: each is a thread, and more than cores gain nothing."""

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

    def __init__(self, thread: ConnectionThread) -> None:
        self._thread = thread

    async def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[AnyRow]:
        """Return all rows of a query."""
        with _translated():
            return await self._thread.step(lambda connection: _inside(connection).execute(statement, parameters).all())

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
            return await self._thread.step(
                lambda connection: (
                    cast("CursorResult[Any]", _inside(connection).execute(statement, parameters)).rowcount
                )
            )

    async def run(self, work: Callable[[Connection], _T]) -> _T:
        """Run a function of many statements on the transaction's thread: one trip there for them all."""
        with _translated():
            return await self._thread.step(lambda connection: work(_inside(connection)))

    async def insert(self, statement: Insert) -> int:
        """Insert one row into a table with a serial number; return the number."""
        with _translated():
            key = await self._thread.step(
                lambda connection: (
                    cast("CursorResult[Any]", _inside(connection).execute(statement)).inserted_primary_key
                )
            )
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
        # For fairness, not for correctness: BEGIN IMMEDIATE serialises writers, over processes as well. But SQLite lets
        # waiting writers poll with growing pauses, first served whoever wakes at the right moment; here they queue.
        self._turn = asyncio.Lock()
        self._writer = ConnectionThread("store-write", self._engine_of("BEGIN IMMEDIATE"))
        self._readers: list[ConnectionThread] = []
        self._idle: list[ConnectionThread] = []
        """Readers that nobody has; the one that was used last is taken first."""
        self._free = asyncio.Semaphore(READERS_MAX)

    async def __aenter__(self) -> "Database":
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. Repeating it is fine."""
        for thread in (self._writer, *self._readers):
            await thread.close()

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
            try:
                with _translated():
                    await self._writer.step(Connection.begin)
                yield Statements(self._writer)
            except BaseException:
                await uninterrupted(self._writer.undo())
                raise
            await uninterrupted(self._commit(committed))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Statements]:
        """Open a transaction that reads one state of the database and waits for no writer."""
        async with self._reader() as reader:
            try:
                with _translated():
                    await reader.step(Connection.begin)
                yield Statements(reader)
            finally:
                await uninterrupted(reader.undo())

    async def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[AnyRow]:
        """Return the rows of one query."""
        return await self.look(lambda connection: connection.execute(statement, parameters).all())

    async def apply(self, work: Callable[[Connection], _T]) -> _T:
        """
        Run a function of many statements on a thread, in a transaction like that of `write`, in turn with those.

        It runs to its end even when the caller is cancelled.
        """
        async with self._turn:
            with _translated():
                return await uninterrupted(self._writer.run(work))

    async def look(self, work: Callable[[Connection], _T]) -> _T:
        """Run a function of many queries on a thread, on one state of the database; it waits for no writer."""
        async with self._reader() as reader:
            with _translated():
                # To its end: whoever has the connection next would wait for it, and not know why.
                return await uninterrupted(reader.run(work))

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[ConnectionThread]:
        """
        Have a connection that reads.

        Raises:
            DependencyError: none became free in time.
        """
        try:
            # Nearly always one is free, and a timer would cost more than taking it.
            async with asyncio.timeout(CONNECTION_WAIT_S if self._free.locked() else None):
                await self._free.acquire()
        except TimeoutError:
            raise DependencyError(f"no free connection within {CONNECTION_WAIT_S:.0f} s", retryable=True) from None
        try:
            if not self._idle:
                self._idle.append(ConnectionThread("store-read", self._engine_of("BEGIN")))
                self._readers.append(self._idle[-1])
            reader = self._idle.pop()
            try:
                yield reader
            finally:
                self._idle.append(reader)
        finally:
            self._free.release()

    async def _commit(self, committed: Callable[[], None] | None) -> None:
        try:
            with _translated():
                await self._writer.step(_inside)
                await self._writer.commit()
        except BaseException:
            await self._writer.undo()
            raise
        if committed is not None:
            committed()

    def _engine_of(self, begin: str) -> Engine:
        """Return an engine for one connection whose transactions begin like that."""
        engine = create_engine(
            URL.create("sqlite", database=str(self._path)),
            creator=self._open,
            poolclass=NullPool,
            execution_options={_MODE: begin},
        )
        event.listen(engine, "begin", _begin)
        return engine

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


def _begin(connection: Connection) -> None:
    """Send the BEGIN that the connection's options ask for, in place of the driver's."""
    driver = cast(sqlite3.Connection, connection.connection.dbapi_connection)
    driver.execute(connection.get_execution_options()[_MODE])


def _inside(connection: Connection) -> Connection:
    """
    Return a connection whose transaction goes on.

    SQLite may end one by itself, when its disk is full or fails. Whoever caught that and went on would have each of the
    following statements committed by itself, and what came before lost.
    """
    driver = cast(sqlite3.Connection, connection.connection.dbapi_connection)
    if not (connection.in_transaction() and driver.in_transaction):
        raise DependencyError("database: the transaction has ended", retryable=False)
    return connection


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the libraries' exceptions into those of the contract."""
    try:
        yield
    except sqlalchemy_errors.IntegrityError as error:
        raise Conflict(str(error.orig)) from error
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
