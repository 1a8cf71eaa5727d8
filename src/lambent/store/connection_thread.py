"""
One synchronous connection on one thread, for work of many statements.

Through the asynchronous engine each statement is a trip to a thread and back, which costs more than most statements
do. Here a function runs whole on the thread, in one transaction: one trip. It knows no database.
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

    async def close(self) -> None:
        """Wait for the work that was begun, and close the connection. Repeating it is fine."""
        await asyncio.to_thread(self._close)

    def _run(self, work: Callable[[Connection], _T]) -> _T:
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                return work(self._connection)
        except BaseException:
            # Whatever state it is in, the next work gets a new one.
            connection, self._connection = self._connection, None
            connection.close()
            raise

    def _close(self) -> None:
        self._executor.shutdown()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()
