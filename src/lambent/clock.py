"""
Time, randomness and new identifiers: the only source of each.

Nothing else in Lambent reads the time, draws a random number or makes an id, so
that a test that hands in a `VirtualClock` (lambent.testing) decides all three.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

_CHUNK_BYTES: Final = 16
_CHUNKS_AT_ONCE: Final = 256


class TimerHandle(Protocol):
    """A timer that has been set; `cancel` may be called at any time, repeatedly."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Where time, timers, randomness and ids come from."""

    def now(self) -> float:
        """Return the time in seconds since the epoch, UTC. May jump."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; never goes back."""
        ...

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        """Call `callback` on the event loop once `delay_s` seconds have passed."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Suspend the calling task for `seconds`."""
        ...

    def new_id(self) -> str:
        """Return a fresh version-4 UUID in its text form (36 characters)."""
        ...

    def token_hex(self, size_bytes: int) -> str:
        """Return `size_bytes` random bytes as twice as many hexadecimal digits."""
        ...


class SystemClock:
    """
    The machine's clock, the running event loop's timers, the kernel's randomness.

    That is fetched 4 KiB at a time: each invocation needs some, and the kernel's call takes five microseconds whether
    it is asked for much or little. What was given out is kept nowhere. A forked process starts with none.
    """

    def __init__(self) -> None:
        # Taking one is atomic: two threads never get the same.
        self._random: deque[bytes] = deque()
        os.register_at_fork(after_in_child=self._random.clear)

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, callback)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def new_id(self) -> str:
        digits = self._chunk().hex()
        # The version, and the two bits of the variant. Source: RFC 9562, 5.4.
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

    def token_hex(self, size_bytes: int) -> str:
        digits = self._chunk().hex()
        while len(digits) < 2 * size_bytes:
            digits += self._chunk().hex()
        return digits[: 2 * size_bytes]

    def _chunk(self) -> bytes:
        while True:
            try:
                return self._random.pop()
            except IndexError:
                fresh = os.urandom(_CHUNK_BYTES * _CHUNKS_AT_ONCE)
                self._random.extend(fresh[start : start + _CHUNK_BYTES] for start in range(0, len(fresh), _CHUNK_BYTES))
