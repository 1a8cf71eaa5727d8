"""
Counts what is kept initialised: provisioned concurrency, and versions with SnapStart.

Time goes by in steps of five minutes, each counted as it begins: whoever keeps environments for a moment has kept them
for a step. A step is one record in the segments, folded once, so that a kill neither loses it nor has it counted twice.

Documented: Lambda pricing, provisioned concurrency "from the time you enable it on your function until it is disabled,
rounded up to the nearest five minutes". AWS counts what is asked for; here, what there is.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from lambent.clock import Clock
from lambent.domain.usage import UsageKey
from lambent.store.usage_contract import Allocation, UsageStore
from lambent.telemetry.logs import FunctionLogs

STEP_S: Final = 300.0
"""Documented: Lambda pricing, see above."""

RETRY_AFTER_S: Final = 5.0
"""How long to wait where the disk took no record."""


class KeptEnvironments(Protocol):
    """Says what is kept."""

    def kept(self) -> Mapping[UsageKey, int]:
        """Return how many environments are kept now, by version; those without any are missing."""
        ...

    def on_more(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, on the event loop, whenever more is kept of a version."""
        ...


class _Step(NamedTuple):
    """What is counted already."""

    environments: int
    until: float
    """By the monotonic clock: a step takes five minutes whatever the wall clock does."""
    until_ms: int
    """As it is written."""


class Metering:
    """
    Counts, for as long as `run` does, what is kept.

    Args:
        logs: where it is written down; has folded all that an earlier server wrote.
        store: knows what that has counted.
    """

    def __init__(self, logs: FunctionLogs, store: UsageStore, source: KeptEnvironments, clock: Clock) -> None:
        self._logs = logs
        self._store = store
        self._source = source
        self._clock = clock
        self._steps: dict[UsageKey, _Step] = {}
        self._has_read = False
        self._has_more = asyncio.Event()
        source.on_more(self._has_more.set)

    async def run(self) -> None:
        """
        Count for ever.

        Raises:
            DependencyError: the store does not say what is counted already. Running it again goes on from there.
        """
        if not self._has_read:
            await self._read()
            self._has_read = True
        while True:
            self._has_more.clear()
            wait_s = self._count()
            timer = None if wait_s is None else self._clock.call_later(wait_s, self._has_more.set)
            try:
                await self._has_more.wait()
            finally:
                if timer is not None:
                    timer.cancel()

    async def _read(self) -> None:
        """Take over the steps that an earlier server counted and that are not over yet."""
        now, now_ms = self._clock.monotonic(), int(self._clock.now() * 1000)
        for key, _, until_ms, environments in await self._store.allocations(now_ms):
            left_s = (until_ms - now_ms) / 1000
            # One that ends later was written before the clock was set back: nobody knows what is left of it.
            if 0 < left_s <= STEP_S:
                self._steps[key] = _Step(environments, now + left_s, until_ms)

    def _count(self) -> float | None:
        """Count what begins now; return in how many seconds to look again, None when something has to come first."""
        now, now_ms = self._clock.monotonic(), int(self._clock.now() * 1000)
        kept = self._source.kept()
        self._steps = {key: step for key, step in self._steps.items() if step.until > now}
        is_refused = False
        for key, environments in kept.items():
            step = self._steps.get(key)
            if step is None:
                step = _Step(0, now + STEP_S, now_ms + int(STEP_S * 1000))
            more = environments - step.environments
            if more <= 0:
                continue
            # What comes within a step is counted for the rest of it.
            from_ms = step.until_ms - round((step.until - now) * 1000)
            if self._logs.allocated(Allocation(key, from_ms, step.until_ms, more)):
                self._steps[key] = step._replace(environments=environments)
            else:
                is_refused = True
        if is_refused:
            return RETRY_AFTER_S
        ends = [step.until for key, step in self._steps.items() if key in kept]
        return max(min(ends) - now, 0.0) if ends else None
