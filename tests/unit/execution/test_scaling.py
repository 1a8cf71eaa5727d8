"""The arithmetic of scaling: what is kept parked, what a new environment may cost, who goes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.execution.scaling import (
    BURST_HALF_LIFE_S,
    ESTIMATE_MIB,
    STOCK_MIN,
    Demand,
    MemoryView,
    Wanted,
    backoff_s,
    cost_mib,
    first_to_go,
    observe_mib,
    share_stock,
)


def test_nobody_asked_for_is_stocked_at_the_least() -> None:
    """One to take, and one for whoever comes while it is replaced."""
    assert Demand(0).target(0, 1.0) == STOCK_MIN


def test_the_stock_follows_the_rate_and_how_long_parking_takes() -> None:
    """A steady rate of ten a second, and half a second to park one: five and a little."""
    demand = Demand(0)
    for number in range(1, 301):
        demand.taken(number / 10)
    assert 5 <= demand.target(30, 0.5) <= 6
    assert 10 <= demand.target(30, 1.0) <= 12


def test_a_burst_is_remembered_for_a_while() -> None:
    """Fifty at once will come again: the stock halves every few minutes and ends at the least."""
    demand = Demand(0)
    for _ in range(50):
        demand.taken(100)
    assert demand.target(100, 0.001) == 50
    assert demand.target(100 + BURST_HALF_LIFE_S, 0.001) == 25
    assert demand.target(100 + 20 * BURST_HALF_LIFE_S, 0.001) == STOCK_MIN


def test_steady_takes_are_no_burst() -> None:
    """However long they go on."""
    demand = Demand(0)
    for number in range(1000):
        demand.taken(number * 0.3)
    assert demand.target(300, 0.02) == STOCK_MIN


KINDS = st.lists(
    st.builds(Wanted, target=st.integers(0, 60), cost_mib=st.sampled_from([1.5, 2.5])), min_size=0, max_size=8
)


@given(KINDS, st.floats(0, 300), st.integers(0, 100))
def test_shares_stay_within_the_budget(wanted: list[Wanted], budget_mib: float, count_max: int) -> None:
    """Of memory and of number, whatever is asked for; and no kind gets more than it asks for."""
    shares = share_stock(wanted, budget_mib, count_max)
    assert sum(shares) <= count_max
    cost = sum(share * kind.cost_mib for share, kind in zip(shares, wanted, strict=True))
    assert cost <= budget_mib + 1e-6
    assert all(0 <= share <= kind.target for share, kind in zip(shares, wanted, strict=True))


def test_every_kind_gets_the_least_before_one_gets_more() -> None:
    """A burst of one kind leaves the others theirs; what is left goes to whoever stands first."""
    wanted = [Wanted(50, 2.0), Wanted(2, 2.0), Wanted(10, 2.0)]
    assert share_stock(wanted, 40, 1000) == [16, 2, 2]
    assert share_stock(wanted, 1000, 20) == [16, 2, 2]
    assert share_stock(wanted, 7, 1000) == [2, 1, 0]


def test_failures_are_answered_with_patience() -> None:
    """Doubled from a tenth of a second up to half a minute, and never beyond."""
    assert [backoff_s(failures) for failures in (1, 2, 3, 9, 10, 1000)] == [0.1, 0.2, 0.4, 25.6, 30.0, 30.0]


@pytest.mark.parametrize(
    ("view", "room_mib"),
    [
        (MemoryView(1000, 256), 744),
        (MemoryView(1000, 256, promised_mib=100), 644),
        (MemoryView(1000, 256, promised_mib=100, leaving_mib=50), 644),
        (MemoryView(100, 256), -156),
    ],
)
def test_room_is_what_is_available_beyond_reserve_and_promises(view: MemoryView, room_mib: float) -> None:
    """What starts counts as taken; what ends counts once it has ended, but nothing more has to end for it."""
    assert view.room_mib == room_mib
    assert (view.admits(room_mib), view.admits(room_mib + 1)) == (True, False)
    soon_mib = room_mib + view.leaving_mib
    assert (view.lacks(soon_mib), view.lacks(soon_mib + 1)) == (False, True)


def test_an_environment_costs_what_was_observed_within_its_memory_size() -> None:
    """Before there was one, an estimate."""
    assert cost_mib(None, 1024) == ESTIMATE_MIB
    assert cost_mib(None, 16) == 16
    assert cost_mib(5, 1024) == 5
    assert cost_mib(2000, 1024) == 1024
    assert cost_mib(0, 1024) == 1


def test_observations_rise_at_once_and_fall_slowly() -> None:
    """One small environment does not undo what a large one showed."""
    assert observe_mib(None, 50) == 50
    assert observe_mib(50, 80) == 80
    assert observe_mib(100, 50) == 95


def test_the_longest_idle_goes_first_and_the_larger_of_a_tie() -> None:
    """Those that became idle within the same second tie."""
    assert first_to_go([]) is None
    assert first_to_go([(1.0, 5), (2.0, 500)]) == 0
    assert first_to_go([(1.0, 5), (1.2, 50), (1.9, 20), (2.0, 500)]) == 1
