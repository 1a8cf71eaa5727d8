"""What reads logs for longer than one call, over a store in memory and on a clock that tests move."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from unit.services.logs.conftest import SCOPE, _caller

from lambent.services.operation import collect_handlers
from lambent.store.contract import LogPosition, NewLogEvent
from lambent.testing.log_store import MemoryLogStore
from lambent.testing.virtual_clock import VirtualClock

DAY_S = 1_764_028_800
"""2025-11-25, UTC."""


class Reading:
    """A store that holds what `write` was given as soon as somebody reads, and resources over it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store = MemoryLogStore(self.clock)
        self.told: list[Callable[[Any], None]] = []
        self._unfolded: list[NewLogEvent] = []
        self._folds = 0
        self._handlers: Mapping[str, Any] = {}

    def has(self, *resources: object) -> None:
        self._handlers = collect_handlers(*resources)

    def write(self, message: str, at_s: float = 0.0, *, group: str = "g", stream: str = "s") -> None:
        at_ms = int((DAY_S + at_s) * 1_000)
        self._unfolded.append(NewLogEvent(SCOPE, group, stream, at_ms, at_ms + 5, message))

    async def fold(self) -> None:
        events, self._unfolded = self._unfolded, []
        if events:
            self._folds += 1
            await self.store.fold(events, [], [], LogPosition(1, self._folds))
            for tell in list(self.told):
                tell(events)

    def follow(self, tell: Callable[[Any], None]) -> Callable[[], None]:
        self.told.append(tell)
        return lambda: self.told.remove(tell)

    async def call(self, operation: str, **request: Any) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = await self._handlers[operation](_caller(), request)
        return answer


async def until(holds: Callable[[], Awaitable[Any]]) -> Any:
    """Return what is true at last; what it waits for happens on threads."""
    for _ in range(100_000):
        found = await holds()
        if found:
            return found
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")
