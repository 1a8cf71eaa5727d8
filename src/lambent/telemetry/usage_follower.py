"""Who follows what invocations used, as it is folded."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from lambent.store.usage_contract import NewUsage


class UsageFollower(Protocol):
    """Counts along: `app.py` hands over what budgets are watched by."""

    @property
    def is_urgent(self) -> bool:
        """Whether usage is to be folded within about a second of an invocation's end."""
        ...

    def folding(self, usage: NewUsage) -> AbstractAsyncContextManager[None]:
        """
        Surround the commit of what one fold brings in: nothing else is read or counted until it is left.

        On leaving, the usage is in the store; where the block raised, it may be or not.
        """
        ...
