"""Lists: MaxItems, and the opaque marker by which a caller goes on."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from lambent.domain.identity import Group, InstanceProfile, ManagedPolicy, Role, User
from lambent.services.iam.refusals import ValidationError
from lambent.store.contract import IdentityRows

N = TypeVar("N", bound=User | Group | Role | ManagedPolicy | InstanceProfile)
_T = TypeVar("_T")

_PAGE = 100
"""Documented: IAM API reference, MaxItems: the default."""


class Page(NamedTuple):
    """What of a list is asked for."""

    after: str
    """The key that the page before ended with; empty: from the beginning."""
    size: int

    def of(self, items: Iterable[_T], key: Callable[[_T], str]) -> "Found":
        """Return the page of items that are all at hand, by key."""
        behind = sorted((item for item in items if key(item) > self.after), key=key)
        shown = behind[: self.size]
        return Found(shown, key(shown[-1]) if len(behind) > self.size else None)


class Found(NamedTuple):
    """A page of items."""

    items: Sequence[Any]
    last_key: str | None
    """Where the next page begins behind; None: this is the last one."""

    def answer(self, member: str, view: Callable[[Any], Any]) -> dict[str, Any]:
        return {member: [view(item) for item in self.items], **self.end()}

    def end(self) -> dict[str, Any]:
        """Return the members that say whether there is more. Documented: IsTruncated always, Marker only if so."""
        if self.last_key is None:
            return {"IsTruncated": False}
        return {"IsTruncated": True, "Marker": base64.urlsafe_b64encode(self.last_key.encode()).decode()}


def requested_page(request: Mapping[str, Any]) -> Page:
    """
    Return which page a request asks for.

    Raises:
        ValidationError: a marker that is none of ours.
    """
    marker = request.get("Marker")
    after = ""
    if marker is not None:
        try:
            after = base64.b64decode(marker, altchars=b"-_", validate=True).decode("ascii")
        except ValueError:
            after = ""
        # What we gave is printable: nothing else has to reach a database.
        if not after or not after.isprintable():
            # Assumed: other implementations have the text (test_paging).
            raise ValidationError("Invalid Marker.")
    return Page(after, request.get("MaxItems", _PAGE))


_READ_AT_ONCE = 500
"""Rows, where a filter leaves out some: documents of roles are large."""


async def page_of(rows: IdentityRows, kind: type[N], page: Page, keep: Callable[[N], bool] = lambda _: True) -> Found:
    """Return the page of an account's identities of one kind that a filter keeps, by name."""
    found: list[N] = []
    after = page.after
    while True:
        read = await rows.list(kind, after=after, limit=min(page.size + 1, _READ_AT_ONCE))
        found += filter(keep, read)
        if len(found) > page.size:
            shown = found[: page.size]
            return Found(shown, shown[-1].key)
        if len(read) < min(page.size + 1, _READ_AT_ONCE):
            return Found(found, None)
        after = read[-1].key
