"""How much memory the host could give."""

from pathlib import Path

from lambent.execution.host_memory import READING_AGE_MAX_S, HostMemory, read_available_mib
from lambent.testing.virtual_clock import VirtualClock


def test_the_kernels_estimate_is_read(tmp_path: Path) -> None:
    """MemAvailable, in MiB; nothing where there is no such file or line."""
    meminfo = tmp_path / "meminfo"
    assert read_available_mib(meminfo) is None
    meminfo.write_text("MemTotal:       24683524 kB\nMemFree:        20000000 kB\nMemAvailable:    2097152 kB\n")
    assert read_available_mib(meminfo) == 2048
    meminfo.write_text("MemTotal:       24683524 kB\n")
    assert read_available_mib(meminfo) is None


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
