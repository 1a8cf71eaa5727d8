"""Where a list goes on: opaque tokens, each good for the request that it was given for."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Scope
from lambent.errors.api.xray import InvalidRequestException

_TOKEN_MAX = 300


class _Token(msgspec.Struct, array_like=True):
    digest: str
    at: float
    key: str


def digest_of(scope: Scope, *parts: Any) -> str:
    """Return what tells a request from others, its token aside."""
    return hashlib.sha256(msgspec.json.encode([scope.account, scope.region, *parts])).hexdigest()[:16]


def make_token(digest: str, at: float, key: str) -> str:
    """Return the token of a place."""
    return base64.urlsafe_b64encode(msgspec.json.encode(_Token(digest, at, key))).decode()


def parse_token(token: str | None, digest: str) -> tuple[float, str] | None:
    """
    Return the place that a token stands for; None: there is none, so begin.

    Raises:
        InvalidRequestException: it is none of ours, or another request's.
    """
    if token is None:
        return None
    try:
        if len(token) > _TOKEN_MAX:
            raise ValueError
        found = msgspec.json.decode(base64.urlsafe_b64decode(token.encode()), type=_Token)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise _invalid() from None
    if found.digest != digest:
        raise _invalid()
    return found.at, found.key


def refuse_token(request: Mapping[str, Any]) -> None:
    """
    Refuse the token of a request whose answer is always whole: none is ever given for it.

    Raises:
        InvalidRequestException: the request has one.
    """
    if request.get("NextToken") is not None:
        raise _invalid()


def _invalid() -> InvalidRequestException:
    # Assumed: the text (test_xray).
    return InvalidRequestException("Invalid next token.")
