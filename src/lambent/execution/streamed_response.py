"""A streamed response on its way from the runtime's connection to the one who reads it, never much of it at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from lambent.domain.invocation import StreamEnd
from lambent.runtime_api.contract import Inflow

BUFFERED_MAX_BYTES: Final = 262_144
"""
What may wait for the reader before the runtime's connection is read no more; what one read of it brings comes on top.
Four times what a transport keeps of what it could not send: with as much, runtime, server and client wait for each
other in turns, and a stream of 100 MB takes a tenth to a fifth longer.
"""

_SMALL_PIECE_BYTES = 4096
"""Below it a copy costs less than an object for each would."""


class StreamedResponse:
    """
    Implements `ResponseStream`. Plain methods but for the iteration, all on the event loop.

    The environment writes pieces and ends it, in whatever state the reader is.
    """

    def __init__(self, inflow: Inflow) -> None:
        self.end: StreamEnd | None = None
        self._inflow = inflow
        self._pieces: list[bytes | bytearray] = []
        """What waits for the reader: large pieces as they came, small ones in a row in one."""
        self._buffered_bytes = 0
        self._is_paused = False
        self._is_closed = False
        self._waiting: asyncio.Future[None] | None = None
        self._when_ended: list[Callable[[], None]] = []

    # The environment's side --------------------------------------------------------------------------------------

    def write(self, piece: bytes) -> None:
        """Take a piece in; thrown away when nobody reads."""
        assert self.end is None, "a piece after the end"
        if self._is_closed or not piece:
            return
        self._buffered_bytes += len(piece)
        if len(piece) >= _SMALL_PIECE_BYTES or not self._pieces:
            self._pieces.append(piece)
        elif isinstance(last := self._pieces[-1], bytearray):
            last += piece
        else:
            self._pieces.append(bytearray(piece))
        if self._buffered_bytes > BUFFERED_MAX_BYTES and not self._is_paused:
            self._is_paused = True
            self._inflow.pause()
        self._wake()

    def finish(self, end: StreamEnd) -> None:
        """Say how it ended. Called once."""
        assert self.end is None, "a second end"
        self.end = end
        self._wake()
        # The runtime goes on with what comes next, whatever the reader still has before it.
        self._resume()
        for call in self._when_ended:
            call()
        self._when_ended.clear()

    # The reader's side -------------------------------------------------------------------------------------------

    def when_ended(self, call: Callable[[], None]) -> None:
        if self.end is None:
            self._when_ended.append(call)
        else:
            call()

    def close(self) -> None:
        self._is_closed = True
        self._take()
        self._resume()
        self._wake()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        taken = await self.take()
        if not taken:
            raise StopAsyncIteration
        # One alone is handed on as it is.
        return b"".join(taken)

    async def take(self) -> list[bytes | bytearray]:
        while not self._pieces:
            if self.end is not None or self._is_closed:
                return []
            assert self._waiting is None, "a second reader"
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        # All at once: many small pieces then cost as little as a large one, which is handed on as it came.
        taken = self._take()
        self._resume()
        return taken

    def _take(self) -> list[bytes | bytearray]:
        taken, self._pieces, self._buffered_bytes = self._pieces, [], 0
        return taken

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._inflow.resume()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
