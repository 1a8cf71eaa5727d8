"""How a long body is read: into one buffer, again and again."""

import asyncio
from typing import Final, Protocol

READ_BYTES: Final = 256 * 1024
"""What one read takes at most."""


class _Connection(Protocol):
    def data_received(self, data: memoryview) -> None: ...
    def eof_received(self) -> bool: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...


class LongBody(asyncio.BufferedProtocol):
    """
    Stands before a connection while a long body comes in. A transport makes an object of what each read brings, and the
    parser one of each piece of that; from a buffer that stays the parser's are the only ones.

    What `data_received` of the connection is given is good until it returns.
    """

    __slots__ = ("_buffer", "_connection")

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._buffer = memoryview(bytearray(READ_BYTES))

    def end(self) -> None:
        """Let go of the buffer; somebody else reads from here on. uvloop's transport keeps who read into one before."""
        self._buffer = memoryview(b"")

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._connection.data_received(self._buffer[:nbytes])

    def eof_received(self) -> bool:
        return self._connection.eof_received()

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)
