"""The tokens by which a listing of queues goes on."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from lambent.errors.api.sqs import InvalidParameterValueException

PAGE_MAX = 1_000
"""Documented: SQS API reference, ListQueues."""


def page_size(request: Mapping[str, Any]) -> int:
    """
    Return how many queues a listing is to show.

    Raises:
        InvalidParameterValueException: MaxResults is out of range.
    """
    asked: int = request.get("MaxResults", PAGE_MAX)
    if not 1 <= asked <= PAGE_MAX:
        # Assumed: the text, after that of ReceiveMessage (test_tokens).
        raise InvalidParameterValueException(
            f"Value {asked} for parameter MaxResults is invalid. Reason: Must be between 1 and {PAGE_MAX}, if provided."
        )
    return asked


def write_token(name: str) -> str:
    """Return the token that goes on after a queue."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def read_token(token: str | None) -> str:
    """
    Return the name after which a listing goes on, empty for the beginning.

    Raises:
        InvalidParameterValueException: the token is none of ours. Assumed: the code and the text (test_tokens).
    """
    try:
        return base64.b64decode(token or "", altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidParameterValueException("Invalid or expired next token.") from None
