"""
Who calls: a request's signature, in two steps.

`begin` looks at everything that is known before the body, so that a refusal is cheap; the claim that it returns checks
the body, whole or as it passes.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Protocol
from urllib.parse import parse_qs

import msgspec

from lambent.access.credential import read_credential
from lambent.access.secrets import BadToken, Secrets
from lambent.domain.access_key import SESSION_KEY
from lambent.domain.principal import ANONYMOUS, Principal, root_of
from lambent.protocol.wire import WireRequest


class Claim(Protocol):
    """Who a request is from, if its body is the one that was signed."""

    @property
    def principal(self) -> Principal: ...

    @property
    def how(self) -> str:
        """As `Caller.authenticated_by`."""
        ...

    def check_body(self, body: bytes) -> None:
        """
        Compare a whole body. Must be called before anything is done.

        Raises:
            ApiError: it is not what was signed.
        """
        ...

    def watch_body(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """
        Pass a body on, and keep its last piece back until it is known to be what was signed.

        Raises:
            ApiError: it is not what was signed; while it is read.
        """
        ...

    @property
    def needs_body(self) -> bool:
        """Whether nothing is known without the whole body: its hash is part of what is signed, and was not sent."""
        ...


class Authenticator(Protocol):
    """Finds out who calls."""

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Claim:
        """
        Look at a request's head.

        Args:
            service: the signing name that it has to be signed for.
            allows_anonymous: whether one without a signature is from nobody, instead of refused.

        Raises:
            ApiError: it is not signed, or not as it has to be.
        """
        ...


class _TakenForGranted(msgspec.Struct, frozen=True):
    """A claim that nobody verifies."""

    principal: Principal
    how: str = "none"

    def check_body(self, body: bytes) -> None:
        return

    def watch_body(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return body

    @property
    def needs_body(self) -> bool:
        return False


class AnyKey:
    """
    Takes any key for what it says: a key of twelve digits is the root of that account, one with a session token of ours
    whoever got that, any other the root of `account`, or of the account of the function that calls.
    """

    def __init__(self, account: str, secrets: Secrets | None = None) -> None:
        self._account = account
        self._secrets = secrets

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Claim:
        credential = read_credential(request.headers.get("authorization", ""), request.query)
        if credential is None and allows_anonymous:
            return _TakenForGranted(ANONYMOUS)
        account = self._account if request.inside is None else request.inside.scope.account
        key = "" if credential is None else credential.access_key
        if self._secrets is not None and key.startswith(SESSION_KEY):
            with contextlib.suppress(BadToken):
                return _TakenForGranted(self._secrets.open(key, session_token_of(request)))
        if len(key) == 12 and key.isascii() and key.isdigit():
            account = key
        return _TakenForGranted(root_of(account, key))


def session_token_of(request: WireRequest) -> str:
    """Return the session token that a request brings, in a header or presigned; empty where it brings none."""
    token = request.headers.get("x-amz-security-token", "")
    if not token and "X-Amz-Security-Token=" in request.query:
        token = parse_qs(request.query).get("X-Amz-Security-Token", [""])[0]
    return token
