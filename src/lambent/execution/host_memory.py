"""How much memory the host could give, read at most every few milliseconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from lambent.clock import Clock

MEMINFO: Final = Path("/proc/meminfo")

READING_AGE_MAX_S: Final = 0.05
"""
How old a reading may be. Assumed: a reading costs 25 µs, and what has started since is counted as promised, so that a
burst of cold starts needs no reading each.
"""


def read_available_mib(meminfo: Path = MEMINFO) -> float | None:
    """Return the kernel's MemAvailable; None where there is no such file, as on macOS."""
    try:
        text = meminfo.read_bytes()
    except OSError:
        return None
    _, found, rest = text.partition(b"MemAvailable:")
    return int(rest.split(maxsplit=1)[0]) / 1024 if found else None


class HostMemory:
    """
    A reading of the host's available memory that is never older than `READING_AGE_MAX_S`.

    Args:
        read: returns MiB, or None where nobody can tell: then memory bounds nothing.
    """

    def __init__(self, clock: Clock, read: Callable[[], float | None] = read_available_mib) -> None:
        self._clock = clock
        self._read = read
        self._available_mib: float | None = None
        self._read_at: float | None = None

    def available_mib(self) -> float | None:
        """Return what the host could give."""
        now = self._clock.monotonic()
        if self._read_at is None or now - self._read_at > READING_AGE_MAX_S:
            self._available_mib = self._read()
            self._read_at = now
        return self._available_mib

    def spare_mib(self, reserve_mib: float) -> float | None:
        """Return what the host could give beyond a reserve; below 0 under pressure."""
        available_mib = self.available_mib()
        return None if available_mib is None else available_mib - reserve_mib
