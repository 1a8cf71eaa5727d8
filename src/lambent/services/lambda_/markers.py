"""Paging: how many a page holds, and the opaque markers by which a caller goes on reading."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from lambent.domain.function import LATEST
from lambent.errors.api.lambda_ import InvalidParameterValueException

_PAGE_MAX = 50
"""Documented: ListFunctions returns at most 50 functions a page, whatever MaxItems says."""

_NUMBER = re.compile(r"[0-9]{1,18}")
"""What the store takes for the number of a version."""


def page_size(request: Mapping[str, Any], most: int = _PAGE_MAX) -> int:
    """Return how many items a page of the answer holds at most."""
    return min(int(request.get("MaxItems", most)), most)


def encode_marker(text: str) -> str:
    """Make an opaque paging marker."""
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode_marker(marker: str | None) -> str | None:
    """
    Read a paging marker back; None when there is none.

    Raises:
        InvalidParameterValueException: it is none of ours.
    """
    if not marker:
        return None
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise _invalid() from None


def version_marker(version: str) -> str:
    """Make a marker that stands behind a version in the order of their numbers, `$LATEST` first."""
    return encode_marker("0" if version == LATEST else version)


def decode_version_marker(marker: str | None) -> int | None:
    """
    Read the number of a version marker back, 0 for `$LATEST`; None when there is no marker.

    Raises:
        InvalidParameterValueException: it is none of ours.
    """
    text = decode_marker(marker)
    return None if text is None else version_number(text)


def version_number(text: str) -> int:
    """
    Return the number that a marker holds.

    Raises:
        InvalidParameterValueException: it holds something else.
    """
    if _NUMBER.fullmatch(text) is None:
        raise _invalid()
    return int(text)


def _invalid() -> InvalidParameterValueException:
    # Assumed: no recorded text (test_markers).
    return InvalidParameterValueException("Marker is not valid")
