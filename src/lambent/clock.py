"""
Time, randomness and new identifiers: the only source of each.

Nothing else in Lambent reads the time, draws a random number or makes an id, so
that a test that hands in a `VirtualClock` (lambent.testing) decides all three.
"""

import asyncio
import os
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Protocol


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
    """The machine's clock, the running event loop's timers, the kernel's randomness."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, callback)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def new_id(self) -> str:
        return str(uuid.UUID(bytes=os.urandom(16), version=4))

    def token_hex(self, size_bytes: int) -> str:
        return secrets.token_hex(size_bytes)
