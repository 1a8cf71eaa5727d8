"""How much memory the host could give, read at most every few milliseconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from lambent.clock import Clock

MEMINFO: Final = Path("/proc/meminfo")
GROUPS: Final = Path("/sys/fs/cgroup")

_UNLIMITED_BYTES: Final = 1 << 60
"""Version 1 of control groups has no word for it: it shows the largest number of whole pages."""

READING_AGE_MAX_S: Final = 0.05
"""
How old a reading may be. Assumed: a reading costs 60 µs, and what has started since is counted as promised, so that a
burst of cold starts needs no reading each.
"""


def read_available_mib(meminfo: Path = MEMINFO, groups: Path = GROUPS) -> float | None:
    """
    Return the kernel's MemAvailable, or what is left to the container that this is, whichever is less.

    None where there is no such file, as on macOS.
    """
    try:
        text = meminfo.read_bytes()
    except OSError:
        return None
    _, found, rest = text.partition(b"MemAvailable:")
    if not found:
        return None
    host_mib = int(rest.split(maxsplit=1)[0]) / 1024
    container_mib = read_container_mib(groups)
    return host_mib if container_mib is None else min(host_mib, container_mib)


def read_container_mib(groups: Path = GROUPS) -> float | None:
    """
    Return what is left below the memory limit of the container that this is; None outside of one, or without a limit.

    Inside, the top of the control groups that can be seen is the container's own; every environment is below it. Where
    there is no container, version 2 has no limit there and version 1 an infinite one.

    Args:
        groups: where they are mounted: version 2 here, or version 1 with a folder for each controller.
    """
    for folder, limit, usage, file_cache in (
        (groups, "memory.max", "memory.current", b"\ninactive_file "),
        (groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", b"\ntotal_inactive_file "),
    ):
        try:
            text = (folder / limit).read_bytes().strip()
            if text == b"max" or int(text) >= _UNLIMITED_BYTES:
                continue
            left_bytes = int(text) - int((folder / usage).read_bytes())
            _, found, rest = (b"\n" + (folder / "memory.stat").read_bytes()).partition(file_cache)
        except OSError:
            continue
        # Counts as used, and the kernel gives it up before it refuses anything.
        cache_bytes = int(rest.split(maxsplit=1)[0]) if found else 0
        return (left_bytes + cache_bytes) / 1_048_576
    return None


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
