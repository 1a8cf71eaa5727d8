"""
JSON Web Tokens: whether one was made by an issuer, for somebody, and still holds.

Documented: API Gateway developer guide, controlling access to HTTP APIs with JWT authorizers.
"""

import asyncio
import logging
import math
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.access_log import on_one_line
from lambent.domain.http_api import JwtConfiguration

_log = logging.getLogger("lambent.access")

NOT_INSTALLED = "JWT authorizers need the extra `apis`: pip install 'lambent[apis]'"

_ALGORITHMS = ("RS256", "RS384", "RS512")
"""Documented: only RSA-based algorithms."""

_NAME = re.compile(r"[A-Za-z0-9-]{1,20}")

KEYS_HOLD_S = 7_200.0
"""How long an issuer's keys are not asked for again. Documented: API Gateway may keep them for two hours."""

KEYS_END_S = 86_400.0
"""
How long an issuer that does not answer keeps the keys that it had: one that it has withdrawn must not count for ever.
Assumed: an outage of a day is none any more (test_tokens).
"""

ASK_AGAIN_S = 30.0
"""
How soon an issuer is asked again, for a key that it did not have or because it did not answer. Whoever makes tokens up
must not have us ask as often. Assumed: keys are published before they sign (test_tokens).
"""

DOCUMENT_MAX_BYTES = 150_000
"""Documented: API Gateway quotas, what an issuer's endpoints may return."""

_ISSUERS_MAX = 1_000
_KEY_MIN_BITS = 2_048
"""Source: RFC 7518, section 3.3: a shorter key must not be used."""
_KEY_MAX_BITS = 16_384
"""Assumed: what OpenSSL verifies with; longer ones cost with the square of their length (test_tokens)."""
_KEYS_MAX = 100
"""Of one issuer. Assumed: it has two or three (test_tokens)."""

Fetch = Callable[[str, int], Awaitable[bytes]]
"""Fetches a document of at most so many bytes by its URL. Raises IssuerUnavailable."""


class IssuerUnavailable(Exception):
    """An issuer's endpoint cannot be reached, or answers with what is none."""


class InvalidToken(Exception):
    """A token does not count. The text is for who sent it."""


class _Keys(msgspec.Struct):
    """What is known of one issuer."""

    by_id: dict[str, Any] = {}
    fetched_at: float | None = None
    asked_at: float | None = None
    asking: "asyncio.Task[None] | None" = None


class TokenVerifier:
    """
    Verifies tokens; keeps the keys of issuers.

    Args:
        fetch: reaches issuers.
    """

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._issuers: OrderedDict[str, _Keys] = OrderedDict()

    async def verify(self, token: str, configuration: JwtConfiguration) -> Mapping[str, Any]:
        """
        Return a token's claims.

        Raises:
            InvalidToken: it was not signed by the issuer, is not for the audience, or holds no more or not yet.
        """
        import jwt

        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise InvalidToken("the token is malformed") from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in _ALGORITHMS:
            # It comes back in a header: a text with the end of a line would be two.
            named = isinstance(algorithm, str) and _NAME.fullmatch(algorithm) is not None
            raise InvalidToken(f"signing method {algorithm} is invalid" if named else "the token is malformed")
        if "crit" in header:
            # Source: RFC 7515, section 4.1.11: whoever does not understand what it lists must refuse the token.
            raise InvalidToken("the token is malformed")
        if not isinstance(key_id, str):
            raise InvalidToken("the token names no key")
        key = await self._key(configuration.issuer, key_id)
        if key is None:
            raise InvalidToken("the token's key is not one of the issuer's")
        try:
            # Times are compared below, by our own clock.
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                options={
                    "verify_signature": True,
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_iss": False,
                    "verify_jti": False,
                    "verify_nbf": False,
                    "verify_sub": False,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise InvalidToken("the token's signature is invalid") from None
        self._check(claims, configuration)
        return claims

    def _check(self, claims: Mapping[str, Any], configuration: JwtConfiguration) -> None:
        now = self._clock.now()
        if claims.get("iss") != configuration.issuer:
            raise InvalidToken("the token does not have a valid issuer")
        # Documented: `client_id` is looked at where there is no `aud`.
        audience = claims["aud"] if "aud" in claims else claims.get("client_id")
        named = audience if isinstance(audience, list) else [audience]
        if not any(one in configuration.audience for one in named if isinstance(one, str)):
            raise InvalidToken("the token does not have a valid audience")
        if not _is_time(claims.get("exp")) or claims["exp"] <= now:
            raise InvalidToken("the token has expired")
        for name in ("nbf", "iat"):
            if name in claims and not (_is_time(claims[name]) and claims[name] <= now):
                raise InvalidToken("the token is not valid yet")

    async def _key(self, issuer: str, key_id: str) -> Any:
        keys = self._issuers.get(issuer)
        if keys is None:
            keys = self._issuers[issuer] = _Keys()
            if len(self._issuers) > _ISSUERS_MAX:
                self._issuers.popitem(last=False)
        else:
            self._issuers.move_to_end(issuer)
        now = self._clock.monotonic()
        is_old = keys.fetched_at is None or now - keys.fetched_at >= KEYS_HOLD_S
        if key_id not in keys.by_id or is_old:
            may_ask = keys.asked_at is None or now - keys.asked_at >= ASK_AGAIN_S
            if keys.asking is None and may_ask:
                keys.asked_at = now
                keys.asking = asyncio.get_running_loop().create_task(self._ask(issuer, keys))
            if keys.asking is not None:
                # Whoever leaves meanwhile must not end it for the others.
                await asyncio.shield(keys.asking)
        if keys.fetched_at is None or self._clock.monotonic() - keys.fetched_at >= KEYS_END_S:
            raise InvalidToken("OIDC discovery endpoint communication error")
        return keys.by_id.get(key_id)

    async def _ask(self, issuer: str, keys: _Keys) -> None:
        """Fetch an issuer's keys. One that does not answer keeps those that it had."""
        try:
            document = _object(await self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration", _MOST))
            location = document.get("jwks_uri")
            if not isinstance(location, str):
                raise IssuerUnavailable("its configuration has no jwks_uri")
            found = _object(await self._fetch(location, _MOST)).get("keys")
            if not isinstance(found, list):
                raise IssuerUnavailable("what its jwks_uri leads to has no keys")
            keys.by_id = _read_keys(found)
            keys.fetched_at = self._clock.monotonic()
        except IssuerUnavailable as error:
            _log.warning("jwt.issuer_unavailable issuer=%s reason=%s", issuer, on_one_line(str(error)))
        finally:
            keys.asking = None


_MOST = DOCUMENT_MAX_BYTES


def is_installed() -> bool:
    """Say whether tokens can be verified here."""
    import importlib.util

    return all(importlib.util.find_spec(name) is not None for name in ("jwt", "cryptography"))


def scopes_of(claims: Mapping[str, Any]) -> list[str]:
    """Return the scopes that a token was given. Documented: `scope`, else `scp`."""
    for name in ("scope", "scp"):
        given = claims.get(name)
        if isinstance(given, str):
            return given.split()
        if isinstance(given, list):
            return [one for one in given if isinstance(one, str)]
    return []


def claims_as_text(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return claims as an event holds them. Assumed: a list as field reports show it, `[a b]` (test_tokens)."""
    return {name: _text(value) for name, value in claims.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return f"[{' '.join(map(_text, value))}]"
    return msgspec.json.encode(value).decode()


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise IssuerUnavailable("it answers with what is no JSON object")
    return found


def _read_keys(found: list[Any]) -> dict[str, Any]:
    import jwt

    keys = {}
    for one in found[:_KEYS_MAX]:
        if (
            not isinstance(one, dict)
            or one.get("kty") != "RSA"
            or one.get("alg", "RS256") not in _ALGORITHMS
            # Source: RFC 7517, section 4.2: what encrypts does not sign.
            or one.get("use", "sig") != "sig"
            or not isinstance(one.get("kid"), str)
        ):
            continue
        try:
            # Of a private key the public half: to take the whole one apart may take minutes, and its owner chose it.
            key = jwt.PyJWK.from_dict({"kty": "RSA", "n": one.get("n"), "e": one.get("e"), "alg": "RS256"}).key
        except (jwt.PyJWTError, ValueError, TypeError):
            # One of another kind, perhaps of a newer one: the others count.
            continue
        if _KEY_MIN_BITS <= key.key_size <= _KEY_MAX_BITS:
            keys[one["kid"]] = key
    return keys


def _is_time(value: Any) -> bool:
    # Python reads NaN, which is after no moment and before none.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
