"""
What usage cost on this machine. Pure.

The machine costs the same in every hour. Half of that is shared by the processor time that was used, of what the
machine has, and half by memory times time, likewise; what nobody used is idle. Memory counts as it was configured, for
as long as it ran or was kept provisioned: so much is not given to others. Where more was promised at once than there
is, the half is shared by what each had of it.

Assumed: halves, because machines are sold with both, at about the same price for a processor as for the memory that
comes with it (docs/usage.md; test_machine_cost).
"""

from collections.abc import Sequence
from typing import NamedTuple


class MachineSize(NamedTuple):
    """What a machine has."""

    processors: int
    memory_mib: int


class Held(NamedTuple):
    """What somebody had of a machine."""

    cpu_us: int
    memory_mib_ms: int


def share(cost: int, size: MachineSize, seconds: int, everybody: Held, parts: Sequence[Held]) -> list[int]:
    """
    Return what each part comes to of what the machine cost in some seconds, in grains; the rest is idle, or others'.

    Args:
        everybody: what all had together, of whom the parts are some.
    """
    if not seconds:
        return [0 for _ in parts]
    processor = max(size.processors * seconds * 1_000_000, everybody.cpu_us)
    memory = max(size.memory_mib * seconds * 1_000, everybody.memory_mib_ms)
    # Rounded down: parts never come to more than the whole.
    return [cost * part.cpu_us // (2 * processor) + cost * part.memory_mib_ms // (2 * memory) for part in parts]
