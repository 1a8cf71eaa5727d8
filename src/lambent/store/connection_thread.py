"""
One synchronous connection on one thread.

Work of many statements runs whole there, in one transaction: one trip to the thread and back, which costs more than
most statements do. A transaction that takes its decisions on the event loop makes a trip for each of its steps. It
knows no database.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine

_T = TypeVar("_T")


class ConnectionThread:
    """
    Runs functions on a connection of its own, one after another. Thread and connection come with the first of them.

    Args:
        name: of the thread.
        engine: makes connections; `close` disposes of it.
    """

    def __init__(self, name: str, engine: Engine) -> None:
        self._engine = engine
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._connection: Connection | None = None

    async def run(self, work: Callable[[Connection], _T]) -> _T:
        """
        Run `work` in a transaction that commits when it returns and rolls back when it raises.

        Cancelling the caller does not stop it.

        Raises:
            RuntimeError: closed.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, work)

    async def step(self, work: Callable[[Connection], _T]) -> _T:
        """
        Run `work` on the connection as it is: one step of a transaction, which is somebody's until `undo` or a commit.

        Cancelling the caller does not stop it; what comes next waits for it.

        Raises:
            RuntimeError: closed.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._step, work)

    async def commit(self) -> None:
        """Commit what the steps did. Where that fails the connection goes, and the database undoes it."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._commit)

    async def undo(self) -> None:
        """Roll back what there is to roll back. Where that fails the connection goes, and the database does it."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._undo)

    async def close(self) -> None:
        """Wait for the work that was begun, and close the connection. Repeating it is fine."""
        await asyncio.to_thread(self._close)

    def _run(self, work: Callable[[Connection], _T]) -> _T:
        try:
            connection = self._connected()
            with connection.begin():
                return work(connection)
        except BaseException:
            # Whatever state it is in, the next work gets a new one.
            self._drop()
            raise

    def _step(self, work: Callable[[Connection], _T]) -> _T:
        return work(self._connected())

    def _commit(self) -> None:
        try:
            self._connected().commit()
        except BaseException:
            # SQLAlchemy rolls nothing back any more, while the database may have the transaction open.
            self._drop()
            raise

    def _undo(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.rollback()
        except Exception:
            self._drop()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _close(self) -> None:
        self._executor.shutdown()
        self._drop()
        self._engine.dispose()
