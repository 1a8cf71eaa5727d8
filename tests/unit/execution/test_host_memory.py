"""How much memory the host could give."""

from pathlib import Path

import pytest

from lambent.execution.host_memory import READING_AGE_MAX_S, HostMemory, read_available_mib
from lambent.testing.virtual_clock import VirtualClock

MEMINFO = "MemTotal:       24683524 kB\nMemFree:        20000000 kB\nMemAvailable:    2097152 kB\n"


def test_the_kernels_estimate_is_read(tmp_path: Path) -> None:
    """MemAvailable, in MiB; nothing where there is no such file or line."""
    meminfo = tmp_path / "meminfo"
    assert read_available_mib(meminfo, tmp_path) is None
    meminfo.write_text(MEMINFO)
    assert read_available_mib(meminfo, tmp_path) == 2048
    meminfo.write_text("MemTotal:       24683524 kB\n")
    assert read_available_mib(meminfo, tmp_path) is None


@pytest.mark.parametrize(
    ("folder", "limit", "usage", "cache", "unlimited"),
    [
        (".", "memory.max", "memory.current", "inactive_file", "max"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "9223372036854771712"),
    ],
)
def test_a_container_has_its_own_limit(
    tmp_path: Path, folder: str, limit: str, usage: str, cache: str, unlimited: str
) -> None:
    """What is left of it, the cache of files included; the machine's where that is less or nothing is limited."""
    meminfo, group = tmp_path / "meminfo", tmp_path / folder
    meminfo.write_text(MEMINFO)
    group.mkdir(exist_ok=True)
    (group / usage).write_text(f"{300 << 20}\n")
    (group / "memory.stat").write_text(f"anon 5\nx{cache} 7\n{cache} {100 << 20}\nactive_file 9\n")
    for text, expected in ((f"{512 << 20}", 312), (f"{250 << 20}", 50), (f"{64 << 30}", 2048), (unlimited, 2048)):
        (group / limit).write_text(text + "\n")
        assert read_available_mib(meminfo, tmp_path) == expected


def test_a_reading_serves_for_a_moment() -> None:
    """A burst of cold starts reads once."""
    clock = VirtualClock()
    readings = iter([100.0, 200.0])
    memory = HostMemory(clock, lambda: next(readings))
    assert [memory.available_mib(), memory.available_mib()] == [100, 100]
    clock.advance(READING_AGE_MAX_S * 1.1)
    assert memory.available_mib() == 200
    assert memory.spare_mib(256) == -56


def test_where_nobody_can_tell_nothing_is_spare_and_nothing_short() -> None:
    """Memory then bounds nothing."""
    assert HostMemory(VirtualClock(), lambda: None).spare_mib(256) is None
