"""When keys and roles were last used: noted in memory with each request, written down every few minutes."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lambent.clock import Clock
from lambent.domain.identity import AccessKey, Role
from lambent.domain.principal import Principal, PrincipalType
from lambent.errors.families import DependencyError
from lambent.store.contract import IdentityRows, IdentityStore

_log = logging.getLogger("lambent.access")

_EVERY_S: Final = 180.0
"""Assumed: AWS's own figures are many minutes old (test_key_use)."""

_NOTED_MAX: Final = 10_000
"""Keys and roles between two times of writing; the uses of more than so many are not noted."""


class _Use(msgspec.Struct, frozen=True):
    at: float
    service: str
    region: str


class KeyUse:
    """
    Notes which keys and roles are used.

    What is noted and not yet written is lost with a crash, and nothing else is.
    """

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted: dict[tuple[str, type[AccessKey] | type[Role], str], _Use] = {}

    def note(self, principal: Principal, service: str, region: str) -> None:
        """
        Remember that somebody's request was taken. Never waits.

        Args:
            service: the signing name that it was signed for.
        """
        kind: type[AccessKey] | type[Role]
        if principal.type is PrincipalType.ROLE:
            kind, unique_id = Role, principal.identity_id
        elif principal.session is None and principal.access_key:
            kind, unique_id = AccessKey, principal.access_key
        else:
            return
        place = (principal.account, kind, unique_id)
        if place in self._noted or len(self._noted) < _NOTED_MAX:
            self._noted[place] = _Use(self._clock.now(), service, region)

    async def flush(self) -> None:
        """Write down what was noted."""
        noted, self._noted = self._noted, {}
        by_account: dict[str, list[tuple[type[AccessKey] | type[Role], str, _Use]]] = {}
        for (account, kind, unique_id), use in noted.items():
            by_account.setdefault(account, []).append((kind, unique_id, use))
        for account, uses in by_account.items():
            async with self._store.transaction(account) as tx:
                for kind, unique_id, use in uses:
                    await _touch(tx, kind, unique_id, use)

    async def run(self) -> None:
        """Write down what was noted from time to time, and once more when cancelled."""
        try:
            while True:
                await self._clock.sleep(_EVERY_S)
                await self.flush()
        finally:
            try:
                await self.flush()
            except DependencyError as error:
                _log.warning("access.key_use_lost reason=%s", error)


async def _touch(tx: IdentityRows, kind: type[AccessKey] | type[Role], unique_id: str, use: _Use) -> None:
    found = await tx.by_id(kind, unique_id)
    if found is None:
        return
    changes: Mapping[str, Any] = {"last_used_at": float(int(use.at)), "last_used_region": use.region}
    if isinstance(found, AccessKey):
        await tx.touch(msgspec.structs.replace(found, **changes, last_used_service=use.service))
    else:
        await tx.touch(msgspec.structs.replace(found, **changes))
