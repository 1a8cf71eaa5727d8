"""Tags of functions as they are now: read once, and dropped with a change notice."""

from collections.abc import Mapping
from typing import Final

from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.store.contract import FunctionChange, FunctionStore

_KNOWN_MAX: Final = 10_000
"""Functions whose tags are kept; beyond that all are forgotten. Assumed: more than are busy at a time."""


class FunctionTags:
    """
    Tags by function.

    Args:
        store: whose change notices drop what is known.
    """

    def __init__(self, store: FunctionStore) -> None:
        self._store = store
        self._known: dict[tuple[Scope, FunctionName], Mapping[str, str]] = {}
        self._changes = 0
        store.on_change(self._drop)

    def known(self, scope: Scope, name: FunctionName) -> Mapping[str, str] | None:
        """Return a function's tags where they have been read since its last change; None: they have not."""
        return self._known.get((scope, name))

    async def of(self, scope: Scope, name: FunctionName) -> Mapping[str, str]:
        """
        Return a function's tags, none where there is no such function: that is not kept.

        Raises:
            DependencyError: the store failed.
        """
        tags = self._known.get((scope, name))
        if tags is not None:
            return tags
        changes = self._changes
        async with self._store.snapshot(scope) as reading:
            function = await reading.function(name)
        if function is None:
            return {}
        if changes == self._changes:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[scope, name] = function.tags
        return function.tags

    def _drop(self, change: FunctionChange) -> None:
        self._changes += 1
        self._known.pop((change.scope, change.name), None)
