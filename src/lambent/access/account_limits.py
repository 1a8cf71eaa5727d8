"""What the operator set for single accounts: their limits, and whether they are open. Remembered."""

from collections.abc import Callable

import msgspec

from lambent.domain.identity import Account
from lambent.domain.quotas import Quotas
from lambent.store.contract import IdentityStore

_KEPT_MAX = 10_000
"""Accounts that are remembered. Beyond it all are forgotten: what is used is read again, once."""


class AccountLimits:
    """
    Implements `AccountQuotas`. Asks the store once for an account, and again after something in it has changed.

    Args:
        quotas: of accounts that nobody made, and what the others have where they have nothing of their own.
    """

    def __init__(self, identities: IdentityStore, quotas: Quotas) -> None:
        self._identities = identities
        self._quotas = quotas
        self._kept: dict[str, Quotas] = {}
        self._changes = 0
        identities.on_change(self._note_change)

    async def of(self, account: str) -> Quotas:
        """Return the limits of an account."""
        kept = self._kept.get(account)
        if kept is not None:
            return kept
        as_of = self._changes
        async with self._identities.snapshot(account) as rows:
            found = await rows.get(Account, account)
        quotas = self._quotas if found is None else limits_of(found, self._quotas)
        # What changed while it was read is read again by the next one.
        if as_of == self._changes:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            self._kept[account] = quotas
        return quotas

    async def is_open(self, account: str) -> bool:
        """Say whether an account's keys count. One that nobody made is open."""
        return (await self.of(account)).is_open

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call back with the number of each account whose limits may have changed, once they would be read again."""
        # After our own callback: callbacks are called in the order in which they came.
        self._identities.on_change(callback)

    def _note_change(self, account: str) -> None:
        self._changes += 1
        self._kept.pop(account, None)


def limits_of(account: Account, quotas: Quotas) -> Quotas:
    """Return the limits of an account that the operator made."""
    given = {
        name: value
        for name in ("concurrent_executions", "code_total_max_bytes")
        if (value := getattr(account, name)) is not None
    }
    return msgspec.structs.replace(quotas, is_open=account.is_open, **given)
