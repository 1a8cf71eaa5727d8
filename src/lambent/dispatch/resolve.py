"""
From a name and a qualifier to the version that answers; behind an alias with weights, chance decides for each call.

Snapshots of recently invoked versions are remembered, so that a warm invocation never touches the store.
"""

from collections.abc import Mapping

import msgspec

from lambent.clock import Clock
from lambent.dispatch.recent import CACHE_MAX, Recent
from lambent.domain.alias import Alias
from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, FunctionName, FunctionVersion
from lambent.store.contract import FunctionStore


class _Route(msgspec.Struct, frozen=True):
    """An alias with weights, and the versions that it leads to."""

    alias: Alias
    versions: Mapping[str, FunctionVersion]


class VersionResolver:
    """
    Resolves qualifiers, with a cache.

    Args:
        store: where versions are kept; its change notices keep the cache honest.
        cache_max: how many snapshots are kept; the least recently used leaves.
    """

    def __init__(self, store: FunctionStore, clock: Clock, cache_max: int = CACHE_MAX) -> None:
        self._store = store
        self._clock = clock
        self._recent: Recent[FunctionVersion | _Route] = Recent(store, self._read, cache_max)

    async def resolve(self, scope: Scope, name: FunctionName, qualifier: str | None) -> FunctionVersion | None:
        """Return the version that answers for `qualifier` (None means `$LATEST`), or None."""
        found = await self._recent.get(scope, name, qualifier or LATEST)
        return self._chosen(found) if isinstance(found, _Route) else found

    async def _read(self, scope: Scope, name: FunctionName, qualifier: str) -> FunctionVersion | _Route | None:
        async with self._store.snapshot(scope) as reading:
            if qualifier == LATEST or qualifier.isdigit():
                return await reading.version(name, qualifier)
            alias = await reading.aliases.get(name, qualifier)
            if alias is None:
                return None
            versions: dict[str, FunctionVersion] = {}
            for wanted in alias.versions:
                version = await reading.version(name, wanted)
                # One that is gone is answered for by the alias's own version.
                if version is not None:
                    versions[wanted] = version
        if len(versions) == 1:
            return versions.get(alias.version)
        replaced = msgspec.structs.replace
        return _Route(alias, {key: replaced(version, is_weighted=True) for key, version in versions.items()})

    def _chosen(self, route: _Route) -> FunctionVersion | None:
        # 52 bits are what a float holds exactly: with more, the highest numbers would round to 1.
        version = route.alias.choose((int(self._clock.token_hex(7), 16) >> 4) / (1 << 52))
        return route.versions.get(version) or route.versions.get(route.alias.version)
