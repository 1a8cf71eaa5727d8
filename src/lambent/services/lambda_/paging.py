"""Pages of lists: the opaque markers between them."""

import base64
import binascii

from lambent.errors.api.lambda_ import InvalidParameterValueException

PAGE_MAX = 50
"""Documented: ListFunctions and its like return at most 50 items a page, whatever MaxItems says."""


def encode_marker(text: str) -> str:
    """Make an opaque paging marker."""
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode_marker(marker: str | None) -> str | None:
    """
    Read a paging marker back.

    Raises:
        InvalidParameterValueException: it is none of ours.
    """
    if not marker:
        return None
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise InvalidParameterValueException(f"Marker is not valid: {marker}") from None


def decode_number(marker: str | None) -> int | None:
    """
    Read a marker that holds a number.

    Raises:
        InvalidParameterValueException: it does not.
    """
    text = decode_marker(marker)
    return None if text is None else marker_number(text)


def marker_number(text: str) -> int:
    """
    Return the number in a marker's text.

    Raises:
        InvalidParameterValueException: it is none.
    """
    # More digits than a stored number has would not fit the column that it is compared with.
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidParameterValueException("Marker is not valid")
    return int(text)
