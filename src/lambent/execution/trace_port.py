"""
What an environment's functions send to the X-Ray daemon's port.

The port is there in every environment, and read while a sampled invocation runs: what is sent otherwise stays in the
kernel's buffer until then, which is small. Nobody is ever answered.
"""

import asyncio
import socket
from typing import Final

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.telemetry.traces import Traces

_DATAGRAM_BYTES: Final = 65_536
_READS_MAX: Final = 256
"""In a row: a function that floods the port gets its turn again from the loop."""

BYTES_PER_S_MAX: Final = 2 * 1024 * 1024
"""Of one environment; what goes beyond is dropped. Assumed: some thousand subsegments (test_trace_port)."""


class TracePort:
    """The port of one environment, over all sandboxes that it may have one after the other."""

    __slots__ = ("_clock", "_function", "_is_open", "_port", "_scope", "_second", "_spent_bytes", "_traces")

    def __init__(self, scope: Scope, function: str, traces: Traces, clock: Clock) -> None:
        self._scope = scope
        self._function = function
        self._traces = traces
        self._clock = clock
        self._port: socket.socket | None = None
        self._is_open = False
        self._second = 0
        self._spent_bytes = 0

    def attach(self, port: socket.socket | None) -> None:
        """Be at the port of a new sandbox, None where it has none. The socket stays the caller's."""
        self._port = port

    def detach(self) -> None:
        """Read no more; `attach` may follow."""
        self.close()
        self._port = None

    def open(self) -> None:
        """Take what is sent, from now on."""
        if self._port is not None and not self._is_open:
            self._is_open = True
            asyncio.get_running_loop().add_reader(self._port, self._read)

    def close(self) -> None:
        """Take what has been sent by now, and no more."""
        if self._is_open and self._port is not None:
            self._read()
            self._is_open = False
            asyncio.get_running_loop().remove_reader(self._port)

    def _read(self) -> None:
        assert self._port is not None
        for _ in range(_READS_MAX):
            try:
                datagram = self._port.recv(_DATAGRAM_BYTES)
            except OSError:
                # Nothing more; or a sender that has gone, of which the kernel tells.
                return
            second = int(self._clock.monotonic())
            if second != self._second:
                self._second, self._spent_bytes = second, 0
            self._spent_bytes += len(datagram)
            if self._spent_bytes > BYTES_PER_S_MAX:
                self._traces.dropped += 1
            else:
                self._traces.received(self._scope, self._function, datagram)
