"""From the id in a function URL's address to the URL, as it was configured and may be used now."""

from collections import OrderedDict

import msgspec

from lambent.dispatch.recent import CACHE_MAX
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.domain.function_url import FunctionUrl
from lambent.domain.policy import Policies
from lambent.store.contract import FunctionChange, FunctionStore


class UrlRoute(msgspec.Struct, frozen=True):
    """What a request to a function URL has to know of it."""

    url: FunctionUrl
    is_open: bool | None
    """Whether the resource policy lets anybody use it; None: that depends on the request."""
    policy: Policies | None = None
    """The resource policy."""


class UrlRouter:
    """
    Finds URLs by id. Those that were asked for lately are remembered, so that a warm request never touches the store.

    Args:
        store: whose change notices keep it honest: policies change with their function, as URLs do.
        cache_max: how many are kept; the least recently used leaves.
    """

    def __init__(self, store: FunctionStore, cache_max: int = CACHE_MAX) -> None:
        self._store = store
        self._cache_max = cache_max
        self._cache: OrderedDict[str, UrlRoute] = OrderedDict()
        self._ids: dict[tuple[Scope, FunctionName], set[str]] = {}
        self._generation = 0
        store.on_change(self._forget)

    async def find(self, url_id: str) -> UrlRoute | None:
        """Return where an id leads; None: nowhere."""
        found = self._cache.get(url_id)
        if found is not None:
            self._cache.move_to_end(url_id)
            return found
        generation = self._generation
        url = await self._store.function_url(url_id)
        if url is None:
            return None
        async with self._store.snapshot(url.scope) as reading:
            policy = await reading.policies.get(url.name, url.qualifier or None)
        compiled = None if policy is None else policy.compiled()
        route = UrlRoute(url, url.is_open(compiled), compiled)
        # A notice that came while we read may have been about this very URL: do not keep what might be stale.
        if generation == self._generation:
            self._remember(url_id, route)
        return route

    def _remember(self, url_id: str, route: UrlRoute) -> None:
        self._cache[url_id] = route
        self._ids.setdefault((route.url.scope, route.url.name), set()).add(url_id)
        if len(self._cache) > self._cache_max:
            oldest, left = self._cache.popitem(last=False)
            ids = self._ids[(left.url.scope, left.url.name)]
            ids.discard(oldest)
            if not ids:
                del self._ids[(left.url.scope, left.url.name)]

    def _forget(self, change: FunctionChange) -> None:
        self._generation += 1
        for url_id in self._ids.pop((change.scope, change.name), ()):
            del self._cache[url_id]
