"""
What an environment's functions send to the X-Ray daemon's port.

The port is there in every environment, and read from its first sampled invocation on: what is sent before stays in the
kernel's buffer, which is small. Nobody is ever answered.
"""

import asyncio
import socket
from typing import Final

from lambent.clock import Clock, TimerHandle
from lambent.domain.caller import Scope
from lambent.telemetry.traces import Traces

_DATAGRAM_BYTES: Final = 65_536
_READS_MAX: Final = 256
"""In a row: a function that floods the port gets its turn again from the loop."""

_PAUSE_S: Final = 1.0

BYTES_PER_S_MAX: Final = 2 * 1024 * 1024
"""
Of one environment. Beyond, nothing is read for the rest of the second, and what the kernel has no room for is gone.
Assumed: some thousand subsegments (test_trace_port).
"""

_DATAGRAM_COSTS: Final = 256
"""What each counts beside its bytes: reading an empty one takes time as well."""


class TracePort:
    """The port of one environment, over all sandboxes that it may have one after the other."""

    __slots__ = ("_clock", "_function", "_pause", "_port", "_reads", "_scope", "_second", "_spent_bytes", "_traces")

    def __init__(self, scope: Scope, function: str, traces: Traces, clock: Clock) -> None:
        self._scope = scope
        self._function = function
        self._traces = traces
        self._clock = clock
        self._port: socket.socket | None = None
        self._reads = False
        """Whether the loop reads it."""
        self._pause: TimerHandle | None = None
        """Set while it does not because too much has been sent."""
        self._second = 0
        self._spent_bytes = 0

    def attach(self, port: socket.socket | None) -> None:
        """Be at the port of a new sandbox, None where it has none. The socket stays the caller's."""
        self._port = port

    def detach(self) -> None:
        """Read no more; `attach` may follow."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._stop_reading()
        self._port = None

    def open(self) -> None:
        """Take what is sent, from now on."""
        if self._port is not None and not self._reads and self._pause is None:
            # Once: doing so for each invocation costs as much as reading what it sends.
            self._reads = True
            asyncio.get_running_loop().add_reader(self._port, self.read)

    def read(self) -> None:
        """Take what has been sent by now."""
        if self._port is None or self._pause is not None:
            return
        for _ in range(_READS_MAX):
            try:
                datagram = self._port.recv(_DATAGRAM_BYTES)
            except OSError:
                # Nothing more; or a sender that has gone, of which the kernel tells.
                return
            second = int(self._clock.monotonic())
            if second != self._second:
                self._second, self._spent_bytes = second, 0
            self._spent_bytes += len(datagram) + _DATAGRAM_COSTS
            if self._spent_bytes > BYTES_PER_S_MAX:
                self._traces.dropped += 1
                self._stop_reading()
                self._pause = self._clock.call_later(_PAUSE_S, self._go_on)
                return
            self._traces.received(self._scope, self._function, datagram)

    def _go_on(self) -> None:
        self._pause = None
        self.open()

    def _stop_reading(self) -> None:
        if self._reads and self._port is not None:
            self._reads = False
            asyncio.get_running_loop().remove_reader(self._port)
