"""What is promised of the store of budgets; `store.budgets` keeps it."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from lambent.domain.budget import Budget

NOTICES_MAX = 2_000
"""
Notices of one account that wait. More are not stored, and the log says so. Assumed: days of all that its budgets may
have to tell, to targets that are down (test_budgets).
"""


class NewNotice(msgspec.Struct, frozen=True):
    """What is to be told because a budget has reached a percentage, to one target."""

    account: str
    budget: str
    target: str
    """A URL or an ARN."""
    id: str
    """Names the account, the budget, the period, the round and the percentage; the same for all targets."""
    percent: int
    start_s: int
    """Of the period."""
    due_at: float
    """Seconds since the epoch."""
    body: str
    """JSON."""
    tries: int = 0
    """That failed."""
    tried_at: float = 0.0
    failure: str = ""
    """Of the last one."""


class PendingNotice(msgspec.Struct, frozen=True):
    """A notice that is stored and not delivered."""

    number: int
    """Rises with each."""
    notice: NewNotice


class BudgetRows(Protocol):
    """The budgets of one account, inside one transaction."""

    async def get(self, name: str) -> Budget | None: ...

    async def list(self) -> Sequence[Budget]:
        """Return all by name (byte order); there are few."""
        ...

    async def count(self) -> int: ...

    async def save(self, budget: Budget) -> Budget:
        """Insert or replace; return it with its new revision."""
        ...

    async def delete(self, name: str) -> bool:
        """Remove a budget, and what is still to be told because of it; False when there is none."""
        ...

    async def order(self, notices: Sequence[NewNotice]) -> int:
        """Have notices delivered, once at least, after the commit; return how many found no room."""
        ...

    async def notices(self) -> Sequence[PendingNotice]:
        """Return what waits, the oldest first."""
        ...

    async def drop_notices(self, name: str, targets: Collection[str]) -> None:
        """Remove what is still to be told some targets because of a budget."""
        ...


class BudgetStore(Protocol):
    """Budgets of all accounts, and what is to be told because of them."""

    def transaction(self, account: str) -> AbstractAsyncContextManager[BudgetRows]:
        """Open a transaction that commits with its block and rolls back when that raises; writers are serialised."""
        ...

    def snapshot(self, account: str) -> AbstractAsyncContextManager[BudgetRows]:
        """Open a read-only transaction."""
        ...

    async def every(self) -> Sequence[Budget]:
        """Return the budgets of all accounts, by account and name."""
        ...

    async def pending(self, *, after: int = 0, limit: int) -> Sequence[PendingNotice]:
        """Return notices of all accounts that are not delivered, by number, those behind `after`."""
        ...

    async def pending_count(self) -> int: ...

    async def finish(self, number: int) -> bool:
        """Forget a notice; False where it is not there any more."""
        ...

    async def note_failure(self, number: int, notice: NewNotice) -> bool:
        """Keep what came of a try; False where the notice is not there any more."""
        ...

    def on_notices(self, callback: Callable[[], None]) -> None:
        """Call back, on the event loop, after every commit that ordered or dropped notices. It must not raise."""
        ...
