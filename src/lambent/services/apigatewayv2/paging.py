"""Lists: how many items a page holds, and the opaque token by which a caller goes on."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from lambent.errors.api.apigatewayv2 import BadRequestException

_T = TypeVar("_T")

_PAGE_MAX = 500
_PAGE = 100
"""Where nobody says. Assumed: the API reference has no number (test_paging)."""

_NUMBER = re.compile(r"[0-9]{1,9}")


class Page(NamedTuple):
    """What of a list is asked for."""

    after: str
    """The id that the page before ended with; empty: from the beginning."""
    size: int

    @property
    def looked_at(self) -> int:
        """How many items to read: one more shows whether there is another page."""
        return self.size + 1

    def answer(
        self, found: Sequence[_T], key: Callable[[_T], str], view: Callable[[_T], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """Return the page as an output: `found` begins behind `after` and holds `looked_at` at most."""
        shown = found[: self.size]
        answer: dict[str, Any] = {"Items": [view(item) for item in shown]}
        if len(found) > self.size:
            answer["NextToken"] = base64.urlsafe_b64encode(key(shown[-1]).encode()).decode()
        return answer


def requested_page(request: Mapping[str, Any]) -> Page:
    """
    Return which page a request asks for. Both members are text, MaxResults too.

    Raises:
        BadRequestException: a number that is none, a token that is none of ours.
    """
    size = _PAGE
    if given := request.get("MaxResults"):
        if _NUMBER.fullmatch(given) is None or int(given) == 0:
            raise BadRequestException("Invalid maxResults: it must be a whole number of 1 or more")
        size = min(int(given), _PAGE_MAX)
    token = request.get("NextToken")
    if not token:
        return Page("", size)
    try:
        after = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        after = ""
    # Ids and names are printable: nothing else has to reach a database.
    if not after or not after.isprintable():
        raise BadRequestException("Invalid nextToken")
    return Page(after, size)
