"""
What environments take of the host's memory and will take: whether there is room for one more.

Stands between the host's readings (`host_memory.py`) and the pool, which decides who waits and who has to go; the
arithmetic is in `scaling.py`. All methods are plain and atomic on the event loop.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from lambent.clock import Clock
from lambent.domain.function import Deployment
from lambent.execution.driver import ExecutionEnvironment
from lambent.execution.host_memory import READING_AGE_MAX_S
from lambent.execution.scaling import MemoryView, cost_mib, observe_mib

PROMISE_S: Final = 5.0
"""
How long the memory that an environment is expected to take counts as promised once its runtime was started, unless
its first invocation is over before. Assumed: by then it has taken what it needs, and the host's reading holds it.
"""

SHOWN_S: Final = READING_AGE_MAX_S + 0.01
"""How long after the end of its processes what an environment gave back is in the reading for certain."""

OBSERVED_MAX: Final = 2000
"""Deployments whose use of memory is remembered; the one learnt first leaves, until its next invocation is over."""


class MemoryAdmission:
    """
    What environments cost, what of it has been promised, and what is about to come back.

    Args:
        available_mib: returns what the host could give, at most `READING_AGE_MAX_S` old; None where nobody can tell,
            and memory bounds nothing.
        reserve_mib: how much of it stays with the host.
    """

    def __init__(self, available_mib: Callable[[], float | None], reserve_mib: float, clock: Clock) -> None:
        self._available_mib = available_mib
        self._reserve_mib = reserve_mib
        self._clock = clock
        self._promised: dict[ExecutionEnvironment, tuple[float, float]] = {}
        """What new environments will still take, in MiB, and until when that counts."""
        self._ending: dict[ExecutionEnvironment, float] = {}
        """What environments hold whose processes are ending."""
        self._ended: deque[tuple[float, float]] = deque()
        """What environments have just given back, and when the reading shows it, in order."""
        self._observed: OrderedDict[str, float] = OrderedDict()
        """What environments of a deployment have been seen to use."""
        self.is_known = available_mib() is not None
        """Whether there are readings at all."""

    def view(self) -> MemoryView | None:
        """Return what a decision may rest on now; None where memory bounds nothing."""
        available_mib = self._available_mib()
        if available_mib is None:
            return None
        now = self._clock.monotonic()
        for environment in [started for started, (_, until) in self._promised.items() if until <= now]:
            del self._promised[environment]
        self._forget_shown(now)
        promised_mib = sum(promised for promised, _ in self._promised.values())
        leaving_mib = sum(self._ending.values()) + sum(given_back for given_back, _ in self._ended)
        return MemoryView(available_mib, self._reserve_mib, promised_mib, leaving_mib)

    def cost_mib(self, deployment: Deployment) -> float:
        """Return what one more environment of a deployment is taken to cost."""
        return cost_mib(self._observed.get(deployment.of_all_tenants), deployment.configuration.memory_mib)

    def promise(self, environment: ExecutionEnvironment) -> None:
        """Count what an environment will take: a process of it is about to be made."""
        self._promised[environment] = self.cost_mib(environment.deployment), math.inf

    def started(self, environment: ExecutionEnvironment) -> None:
        """Note that what was promised is being taken: after a moment it is in the reading."""
        promised = self._promised.get(environment)
        if promised is not None:
            self._promised[environment] = promised[0], self._clock.monotonic() + PROMISE_S

    def observe(self, environment: ExecutionEnvironment, *, has_failed: bool = False) -> None:
        """Learn from what an environment has used what its like will; one that failed may not have used it all."""
        if self._promised:
            self._promised.pop(environment, None)
        deployment_id, peak_mib = environment.deployment.of_all_tenants, environment.memory_peak_mib
        if has_failed and peak_mib <= self.cost_mib(environment.deployment):
            return
        # Zero until its first invocation is over.
        if peak_mib and self._observed.get(deployment_id) != peak_mib:
            self._observed[deployment_id] = observe_mib(self._observed.get(deployment_id), peak_mib)
            if len(self._observed) > OBSERVED_MAX:
                self._observed.popitem(last=False)

    def ends(self, environment: ExecutionEnvironment) -> None:
        """Note that an environment's processes are ending: what they hold is about to come back."""
        self._ending[environment] = environment.memory_peak_mib

    def ended(self, environment: ExecutionEnvironment) -> None:
        """Note that they have ended. A reading that is older does not show it, and is not to cost another its end."""
        given_back_mib = self._ending.pop(environment, 0)
        now = self._clock.monotonic()
        self._forget_shown(now)
        if given_back_mib:
            self._ended.append((given_back_mib, now + SHOWN_S))

    def _forget_shown(self, now: float) -> None:
        while self._ended and self._ended[0][1] <= now:
            self._ended.popleft()
