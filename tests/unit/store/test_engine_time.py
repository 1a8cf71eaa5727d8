"""The event queue's time, with a wall clock that jumps."""

from lambent.store.engine_time import SECOND_US, EngineTime
from lambent.testing.virtual_clock import VirtualClock

NOW_US = 1_795_000_000 * SECOND_US


def test_it_begins_at_the_wall_clock_or_later() -> None:
    """The newest time that is known counts where the wall clock is behind it."""
    assert EngineTime(VirtualClock(), 0).now() == NOW_US
    assert EngineTime(VirtualClock(), NOW_US + 7).now() == NOW_US + 8


def test_it_follows_no_jump() -> None:
    """Seconds pass as they do; the wall clock may say what it likes."""
    clock = VirtualClock()
    time = EngineTime(clock, 0)
    for jump_s in (-3600, 7200):
        before = time.now()
        clock.set_wall(jump_s)
        clock.advance(1)
        assert time.now() - before == SECOND_US


def test_ticks_differ() -> None:
    """What happens at one moment still happens in turn, and `now` is never before it."""
    time = EngineTime(VirtualClock(), 0)
    ticks = [time.tick() for _ in range(3)]
    assert ticks == [NOW_US, NOW_US + 1, NOW_US + 2]
    assert time.now() == NOW_US + 2
