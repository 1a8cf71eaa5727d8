"""What environments take of the host's memory and will take."""

from types import SimpleNamespace
from typing import Any

import pytest

from lambent.execution.host_memory import READING_AGE_MAX_S
from lambent.execution.memory_admission import OBSERVED_MAX, PROMISE_S, SHOWN_S, MemoryAdmission
from lambent.execution.scaling import ESTIMATE_MIB, MemoryView
from lambent.testing.virtual_clock import VirtualClock

AVAILABLE_MIB = 1000.0
RESERVE_MIB = 100.0


class Environment:
    """What is known of an environment here."""

    def __init__(self, deployment_id: str = "f-1", memory_mib: int = 128, memory_peak_mib: int = 0) -> None:
        self.deployment: Any = SimpleNamespace(
            of_all_tenants=deployment_id, configuration=SimpleNamespace(memory_mib=memory_mib)
        )
        self.memory_peak_mib = memory_peak_mib


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def memory(clock: VirtualClock) -> Any:
    return MemoryAdmission(lambda: AVAILABLE_MIB, RESERVE_MIB, clock)


def view(promised_mib: float = 0, leaving_mib: float = 0) -> MemoryView:
    return MemoryView(AVAILABLE_MIB, RESERVE_MIB, promised_mib, leaving_mib)


def test_what_is_promised_counts_until_it_has_been_taken(memory: Any, clock: VirtualClock) -> None:
    """As long as a start takes; then for a moment, or until the first invocation is over."""
    first, second = Environment(), Environment(memory_mib=20)
    memory.promise(first)
    memory.promise(second)
    clock.advance(1000)
    assert memory.view() == view(promised_mib=ESTIMATE_MIB + 20)
    memory.started(first)
    memory.observe(second)
    memory.started(second)
    assert memory.view() == view(promised_mib=ESTIMATE_MIB)
    clock.advance(PROMISE_S)
    assert memory.view() == view()


def test_what_comes_back_counts_until_it_is_there_to_see(memory: Any, clock: VirtualClock) -> None:
    """While processes end, however long, and until a reading is younger than their end."""
    assert SHOWN_S > READING_AGE_MAX_S
    slow, quick = Environment(memory_peak_mib=30), Environment(memory_peak_mib=50)
    memory.ends(slow)
    memory.ends(quick)
    clock.advance(1000)
    memory.ended(quick)
    clock.advance(SHOWN_S / 2)
    memory.ended(slow)
    memory.ended(Environment())
    assert memory.view() == view(leaving_mib=80)
    clock.advance(SHOWN_S * 0.6)
    assert memory.view() == view(leaving_mib=30)
    clock.advance(SHOWN_S)
    assert memory.view() == view()


def test_what_is_remembered_of_deployments_is_bounded(memory: Any) -> None:
    """The one learnt first is estimated again."""
    for number in range(OBSERVED_MAX + 1):
        memory.observe(Environment(f"f-{number}", memory_peak_mib=5))
    costs = [memory.cost_mib(Environment(f"f-{number}").deployment) for number in range(OBSERVED_MAX + 1)]
    assert (costs[0], set(costs[1:])) == (ESTIMATE_MIB, {5})


def test_nothing_is_bounded_where_nobody_can_tell(clock: VirtualClock) -> None:
    """As on macOS."""
    memory = MemoryAdmission(lambda: None, RESERVE_MIB, clock)
    assert not memory.is_known
    assert memory.view() is None
