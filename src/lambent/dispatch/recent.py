"""
What was read of functions lately, in bounded memory: a change notice drops it, a miss is one read.

While a change is on its way to disk nothing of the function is remembered: others may see it there already, and who has
seen that a function was updated is not to run what it was before.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.store.contract import FunctionChange, FunctionStore

CACHE_MAX = 2000

_T = TypeVar("_T")
_Key = tuple[str, str, str, str]


class Recent(Generic[_T]):
    """
    Remembers one thing for each qualifier of a function.

    Args:
        store: whose change notices keep it honest.
        read: reads one; what is None is not remembered.
        cache_max: how many are kept; the least recently used leaves.
    """

    def __init__(
        self,
        store: FunctionStore,
        read: Callable[[Scope, FunctionName, str], Awaitable[_T | None]],
        cache_max: int = CACHE_MAX,
    ) -> None:
        self._read = read
        self._cache_max = cache_max
        self._cache: OrderedDict[_Key, _T] = OrderedDict()
        self._keys: dict[tuple[str, str, str], set[_Key]] = {}
        self._generation = 0
        self._changing: set[tuple[str, str, str]] = set()
        """Functions of which a change is on its way."""
        store.on_changing(self._note_changing)
        store.on_change(self._forget)

    async def get(self, scope: Scope, name: FunctionName, qualifier: str) -> _T | None:
        """Return what is remembered, or read now."""
        key = (scope.account, scope.region, name, qualifier)
        found = self._cache.get(key)
        if found is not None:
            self._cache.move_to_end(key)
            return found
        generation = self._generation
        found = await self._read(scope, name, qualifier)
        # A notice that came while we read may have been about this very row: do not keep what might be stale.
        if found is not None and generation == self._generation and key[:3] not in self._changing:
            self._remember(key, found)
        return found

    def _remember(self, key: _Key, found: _T) -> None:
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

    def _note_changing(self, change: FunctionChange) -> None:
        self._changing.add(self._drop(change))

    def _forget(self, change: FunctionChange) -> None:
        self._generation += 1
        self._changing.discard(self._drop(change))

    def _drop(self, change: FunctionChange) -> tuple[str, str, str]:
        function = (change.scope.account, change.scope.region, change.name)
        for key in self._keys.pop(function, ()):
            del self._cache[key]
        return function
