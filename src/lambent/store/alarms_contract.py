"""What is promised of the store of alarms; `store.alarms` keeps it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from lambent.domain.alarm import Alarm, HistoryItem, HistoryKind
from lambent.domain.caller import Scope

HISTORY_MAX = 1_000
"""Items of one alarm's history; older ones go. Assumed: AWS names a time alone, in which thousands may come to be."""

HISTORY_TOTAL_MAX = 200_000
"""Items of all histories, those of deleted alarms included, that a sweep leaves."""

HISTORY_S = 30 * 86_400
"""Documented: CloudWatch user guide: 30 days. Those of alarms that are gone stay as long."""


class NewAction(msgspec.Struct, frozen=True):
    """What is to be done because an alarm has another state."""

    scope: Scope
    alarm: str
    alarm_type: str
    target: str
    """The action's ARN."""
    payload: bytes
    """JSON."""
    state_at: float
    """When the state came about, in seconds since the epoch."""


class PendingAction(msgspec.Struct, frozen=True):
    """An action that is stored and not done."""

    number: int
    """Rises with each."""
    action: NewAction


class HistoryPlace(msgspec.Struct, frozen=True, order=True):
    """Where an item stands in the order of time."""

    at_ms: int
    number: int


class AlarmRows(Protocol):
    """
    The alarms of one scope, inside one transaction.

    Metric and composite alarms share their names. Histories outlive their alarms.
    """

    async def get(self, name: str) -> Alarm | None: ...

    async def list(self, *, prefix: str = "", after: str = "", limit: int) -> Sequence[Alarm]:
        """Return alarms by name (byte order), those behind `after`."""
        ...

    async def of_metric(self, namespace: str, name: str) -> Sequence[Alarm]:
        """Return the alarms on one metric by itself, whatever its dimensions, by name."""
        ...

    async def count(self) -> int: ...

    async def parents(self, name: str) -> Sequence[Alarm]:
        """Return the composite alarms that go by an alarm, by name. It need not be there."""
        ...

    async def children(self, name: str) -> Sequence[str]:
        """Return the names of the alarms that a composite alarm goes by, in byte order."""
        ...

    async def save(self, alarm: Alarm, *, children: Sequence[str] | None = None) -> None:
        """
        Insert or replace.

        Args:
            children: names of the alarms that it goes by; None: those that it went by.
        """
        ...

    async def delete(self, name: str) -> bool:
        """Remove an alarm and what it went by; False when there is none. What is to be done because of it is done."""
        ...

    async def note(self, items: Sequence[HistoryItem]) -> None:
        """Add to histories. The oldest items of one that has more than `HISTORY_MAX` go."""
        ...

    async def history(
        self,
        *,
        name: str | None,
        kind: HistoryKind | None,
        types: Sequence[str],
        from_s: float | None,
        until_s: float | None,
        after: HistoryPlace | None,
        newest_first: bool,
        limit: int,
    ) -> Sequence[tuple[HistoryPlace, HistoryItem]]:
        """
        Return items in order of time, those behind `after`.

        Args:
            name: of one alarm; None: of all.
            types: of alarms.
            from_s, until_s: seconds since the epoch, both inclusive.
        """
        ...

    async def order(self, actions: Sequence[NewAction]) -> None:
        """Have actions done, once at least, after the commit."""
        ...

    async def finish(self, number: int) -> bool:
        """Forget an action that is done, or given up; False when it is gone."""
        ...


class AlarmStore(Protocol):
    """Alarms of all scopes, their states and histories, and what is to be done because of them."""

    def transaction(self, scope: Scope) -> AbstractAsyncContextManager[AlarmRows]:
        """Open a transaction that alone may write; it commits with its block, and rolls back when that raises."""
        ...

    def snapshot(self, scope: Scope) -> AbstractAsyncContextManager[AlarmRows]:
        """Open a transaction that reads one state."""
        ...

    async def watching(
        self, *, is_fast: bool | None = None, after: tuple[Scope, str] | None = None, limit: int
    ) -> Sequence[Alarm]:
        """
        Return metric alarms of all scopes, by scope and name, those behind `after`.

        Args:
            is_fast: only those that are evaluated each ten seconds, or only the others; None: all.
        """
        ...

    async def pending(self, *, after: int = 0, limit: int) -> Sequence[PendingAction]:
        """Return actions that are not done, the oldest first, those behind a number."""
        ...

    async def pending_count(self) -> int: ...

    async def total(self) -> int:
        """Return how many alarms there are, in all scopes."""
        ...

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on the event loop, after every commit that may have changed an alarm or ordered an action."""
        ...

    async def sweep(self, now: float) -> None:
        """Delete what histories hold for too long. To be called each hour or so."""
        ...
