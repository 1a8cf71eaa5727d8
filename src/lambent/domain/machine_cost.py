"""What usage cost on this machine. Pure."""

from typing import NamedTuple


class MachineSize(NamedTuple):
    """What a machine has."""

    processors: int
    memory_mib: int
