"""
From a name and a qualifier to the version that answers.

Snapshots of recently invoked versions sit in a bounded cache, so that a warm invocation never touches the
store. A change notice drops a function's snapshots; a miss is one read.
"""

from collections import OrderedDict

from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, FunctionName, FunctionVersion
from lambent.store.contract import FunctionChange, FunctionStore

CACHE_MAX = 2000

_Key = tuple[str, str, str, str]


class VersionResolver:
    """
    Resolves qualifiers, with a cache.

    Args:
        store: where versions are kept; its change notices keep the cache honest.
        cache_max: how many snapshots are kept; the least recently used leaves.
    """

    def __init__(self, store: FunctionStore, cache_max: int = CACHE_MAX) -> None:
        self._store = store
        self._cache_max = cache_max
        self._cache: OrderedDict[_Key, FunctionVersion] = OrderedDict()
        self._keys: dict[tuple[str, str, str], set[_Key]] = {}
        self._generation = 0
        store.on_change(self._forget)

    async def resolve(self, scope: Scope, name: FunctionName, qualifier: str | None) -> FunctionVersion | None:
        """Return the version that `qualifier` (None means `$LATEST`) names, or None."""
        key = (scope.account, scope.region, name, qualifier or LATEST)
        version = self._cache.get(key)
        if version is not None:
            self._cache.move_to_end(key)
            return version
        generation = self._generation
        async with self._store.snapshot(scope) as reading:
            version = await reading.version(name, key[3])
        # A notice that came while we read may have been about this very row: do not keep what might be stale.
        if version is not None and generation == self._generation:
            self._remember(key, version)
        return version

    def _remember(self, key: _Key, version: FunctionVersion) -> None:
        self._cache[key] = version
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
