"""What is promised of the store of saved queries; `store.query_definitions` keeps it."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from lambent.domain.caller import Scope


class QueryDefinition(msgspec.Struct, frozen=True):
    """A query of Logs Insights that somebody saved."""

    id: str
    name: str
    query: str
    groups: tuple[str, ...]
    modified_ms: int
    parameters: tuple[dict[str, Any], ...] = ()
    """As they were given: the query does not know them."""


class QueryDefinitions(Protocol):
    """Saved queries of all scopes."""

    async def put(self, scope: Scope, definition: QueryDefinition, *, is_new: bool, most: int) -> bool:
        """
        Save a query, in place of the one of its id.

        Args:
            is_new: whether there may be none of its id yet.
            most: that one scope may have.

        Returns: False where there is no query of the id to replace, or no room for a new one; nothing was saved.
        """
        ...

    async def delete(self, scope: Scope, query_id: str) -> bool:
        """Remove a query; False when there was none."""
        ...

    async def list(
        self, scope: Scope, *, prefix: str, after: tuple[str, str] | None, limit: int
    ) -> Sequence[QueryDefinition]:
        """
        Return queries by name and id.

        Args:
            prefix: of their names.
            after: name and id of the last one that is known.
        """
        ...
