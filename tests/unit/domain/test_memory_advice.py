"""The cheapest size, by what was seen and by what follows from it."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.memory_advice import COUNT_MIN, SAVING_MIN, Observed, Prices, advise, room_for

PRICES = Prices(Fraction("0.0000166667") * 1_000_000, Fraction("0.2"))


def seen(memory_mib: int, *, ms: int, cpu_ms: int, peak: int = 60, times: int = 100) -> Observed:
    """Return what was taken by invocations that are all alike."""
    return Observed(memory_mib, times, ms * times, cpu_ms * 1000 * times, peak)


def test_who_only_waits_needs_the_least_memory() -> None:
    """200 ms of waiting are as long with 128 MiB, which costs an eighth."""
    found = advise(1024, [seen(1024, ms=200, cpu_ms=1)], PRICES)
    assert found.suggested is not None
    assert (found.suggested.memory_mib, found.suggested.is_observed) == (128, False)
    # Its millisecond of processor time takes 8 times as long.
    assert 205 < found.suggested.billed_ms < 220
    assert found.current.cost == Fraction("0.2") * PRICES.gb_second + PRICES.request


def test_room_is_left_beyond_the_peak() -> None:
    """A quarter at least: 300 MiB of peak want 375."""
    found = advise(1024, [seen(1024, ms=200, cpu_ms=1, peak=300)], PRICES)
    assert found.suggested is not None
    assert found.suggested.memory_mib == room_for(300) == 375


def test_who_computes_pays_the_same_with_every_size() -> None:
    """Twice the memory, half the time: not worth a change."""
    found = advise(512, [seen(512, ms=1000, cpu_ms=289)], PRICES)
    assert found.suggested is None
    assert found.reason == "no size is cheaper by a twentieth"


def test_more_than_a_processor_helps_one_thread_no_further() -> None:
    """With 3,008 MiB it takes as long as with 1,769, which costs less."""
    found = advise(3008, [seen(3008, ms=1000, cpu_ms=1000, peak=1400)], PRICES)
    assert found.suggested is not None
    assert found.suggested.memory_mib <= 1769
    assert found.suggested.cost == pytest.approx(float(found.current.cost) * 1769 / 3008, rel=0.01)


def test_what_was_observed_goes_before_the_model() -> None:
    """Here 512 MiB were faster than they should have been: its invocations say so."""
    found = advise(
        256, [seen(256, ms=1000, cpu_ms=145), seen(512, ms=200, cpu_ms=50), seen(1024, ms=190, cpu_ms=50)], PRICES
    )
    assert found.suggested is not None
    assert (found.suggested.memory_mib, found.suggested.is_observed, found.suggested.billed_ms) == (512, True, 200)
    assert "sooner" in found.reason


def test_few_invocations_are_no_ground_for_advice() -> None:
    """Nor do few with another size count as observed."""
    few = advise(512, [seen(512, ms=100, cpu_ms=1, times=COUNT_MIN - 1)], PRICES)
    assert few.suggested is None and few.reason == "49 invocations with this size; 50 are needed"
    other = advise(512, [seen(512, ms=100, cpu_ms=0), seen(128, ms=100, cpu_ms=0, times=3)], PRICES)
    assert other.suggested is None and "processor time is not known" in other.reason


def test_without_a_peak_no_size_below_those_seen_is_suggested() -> None:
    """Where the sandbox cannot tell what was used."""
    found = advise(1024, [seen(1024, ms=200, cpu_ms=1, peak=0)], PRICES)
    assert found.suggested is None


def test_who_is_short_of_memory_is_told_so() -> None:
    """A smaller bill is not the point then."""
    found = advise(128, [seen(128, ms=100, cpu_ms=1, peak=127)], PRICES)
    assert found.suggested is None
    assert found.reason == "it used up to 127 MiB: more memory would be safer, and no size cheaper"


@given(
    st.lists(
        st.builds(
            Observed,
            st.integers(128, 10_240),
            st.integers(1, 10_000),
            st.integers(1, 10**9),
            st.integers(0, 10**12),
            st.integers(0, 10_240),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda one: one.memory_mib,
    )
)
def test_what_is_suggested_is_cheaper_and_large_enough(observed: list[Observed]) -> None:
    """Whatever was measured."""
    found = advise(observed[0].memory_mib, observed, PRICES)
    assert found.reason
    if found.suggested is not None:
        assert found.suggested.cost <= found.current.cost * (1 - SAVING_MIN)
        peak = max(one.memory_peak_mib for one in observed)
        assert not peak or found.suggested.memory_mib >= min(room_for(peak), 10_240)
        assert found.suggested.billed_ms >= 1 or found.suggested.is_observed
