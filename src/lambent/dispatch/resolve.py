"""
From a name and a qualifier to the version that answers; behind an alias with weights, chance decides for each call.

Snapshots of recently invoked versions sit in a bounded cache, so that a warm invocation never touches the
store. A change notice drops a function's snapshots; a miss is one read.
"""

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from lambent.clock import Clock
from lambent.domain.alias import Alias
from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, FunctionName, FunctionVersion
from lambent.store.contract import FunctionChange, FunctionStore

CACHE_MAX = 2000

_Key = tuple[str, str, str, str]


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
        self._cache_max = cache_max
        self._cache: OrderedDict[_Key, FunctionVersion | _Route] = OrderedDict()
        self._keys: dict[tuple[str, str, str], set[_Key]] = {}
        self._generation = 0
        store.on_change(self._forget)

    async def resolve(self, scope: Scope, name: FunctionName, qualifier: str | None) -> FunctionVersion | None:
        """Return the version that answers for `qualifier` (None means `$LATEST`), or None."""
        key = (scope.account, scope.region, name, qualifier or LATEST)
        found = self._cache.get(key)
        if found is not None:
            self._cache.move_to_end(key)
        else:
            generation = self._generation
            found = await self._read(scope, name, key[3])
            # A notice that came while we read may have been about this very row: do not keep what might be stale.
            if found is not None and generation == self._generation:
                self._remember(key, found)
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
        return versions.get(alias.version) if len(versions) == 1 else _Route(alias, versions)

    def _chosen(self, route: _Route) -> FunctionVersion | None:
        # 52 bits are what a float holds exactly: with more, the highest numbers would round to 1.
        version = route.alias.choose((int(self._clock.token_hex(7), 16) >> 4) / (1 << 52))
        return route.versions.get(version) or route.versions.get(route.alias.version)

    def _remember(self, key: _Key, found: FunctionVersion | _Route) -> None:
        self._cache[key] = found
        self._keys.setdefault(key[:3], set()).add(key)
        if len(self._cache) > self._cache_max:
            oldest, _ = self._cache.popitem(last=False)
            self._unlink(oldest)

    def _unlink(self, key: _Key) -> None:
        keys = self._keys[key[:3]]
        keys.discard(key)
        if not keys:
            del self._keys[key[:3]]

    def _forget(self, change: FunctionChange) -> None:
        self._generation += 1
        for key in self._keys.pop((change.scope.account, change.scope.region, change.name), ()):
            del self._cache[key]
