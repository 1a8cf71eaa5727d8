"""What usage cost on this machine: parts and what is idle add up to the whole."""

from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.machine_cost import Held, MachineSize, share

SIZE = MachineSize(2, 4096)


def test_half_by_processor_and_half_by_memory() -> None:
    """An hour of one of two processors is a quarter of the cost; an hour of a quarter of the memory is an eighth."""
    busy, large = Held(3600 * 1_000_000, 0), Held(0, 3_600_000 * 1024)
    both = Held(busy.cpu_us, large.memory_mib_ms)
    assert share(8_000, SIZE, 3600, both, [busy, large, both]) == [2_000, 1_000, 3_000]


def test_who_has_more_than_there_is_shares_all_of_it() -> None:
    """Memory is promised twice over: nothing of its half is idle, and nobody pays for more than the machine."""
    one, other = Held(0, 3_600_000 * 6144), Held(0, 3_600_000 * 2048)
    everybody = Held(0, one.memory_mib_ms + other.memory_mib_ms)
    assert share(8_000, SIZE, 3600, everybody, [one, other]) == [3_000, 1_000]


def test_no_time_costs_nothing() -> None:
    """A stretch before the first usage, or after now."""
    assert share(0, SIZE, 0, Held(5, 5), [Held(5, 5)]) == [0]


helds = st.builds(Held, st.integers(0, 10**15), st.integers(0, 10**18))


@given(st.integers(0, 10**33), st.integers(1, 10**7), st.lists(helds, max_size=10))
def test_parts_never_come_to_more_than_the_whole(cost: int, seconds: int, parts: list[Held]) -> None:
    """Whatever was measured, and however clocks jumped."""
    everybody = Held(sum(part.cpu_us for part in parts), sum(part.memory_mib_ms for part in parts))
    found = share(cost, SIZE, seconds, everybody, parts)
    assert all(one >= 0 for one in found)
    assert sum(found) <= cost
