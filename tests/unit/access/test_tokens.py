"""Tokens of real issuers' form, signed here: which count, and how often issuers are asked."""

import asyncio
import base64
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt import encode
from jwt.algorithms import RSAAlgorithm

from lambent.access.tokens import (
    ASK_AGAIN_S,
    KEYS_END_S,
    KEYS_HOLD_S,
    InvalidToken,
    IssuerUnavailable,
    TokenVerifier,
    claims_as_text,
    scopes_of,
)
from lambent.domain.http_api import JwtConfiguration
from lambent.testing.virtual_clock import VirtualClock

ISSUER = "https://issuer.example.com/pool"
CONFIGURATION = JwtConfiguration(ISSUER, ("app", "other"))
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key: rsa.RSAPrivateKey, key_id: str) -> dict[str, Any]:
    return {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": key_id, "alg": "RS256", "use": "sig"}


class Issuer:
    """An issuer's two documents; counts who asks."""

    def __init__(self) -> None:
        self.keys: list[Any] = [public(KEY, "k1"), {"kty": "EC", "kid": "e"}, "none", {"kty": "RSA", "kid": "broken"}]
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()
        self.is_there = True
        self.hold: asyncio.Event | None = None

    async def fetch(self, url: str, most_bytes: int) -> bytes:
        self.asked.append(url)
        self.was_asked.set()
        if self.hold is not None:
            await self.hold.wait()
        if not self.is_there:
            raise IssuerUnavailable("gone")
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return json.dumps({"issuer": ISSUER, "jwks_uri": "https://keys.example.com/jwks"}).encode()
        assert url == "https://keys.example.com/jwks"
        return json.dumps({"keys": self.keys}).encode()


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.issuer = Issuer()
        self.verifier = TokenVerifier(self.issuer.fetch, self.clock)

    def token(
        self, key: Any = KEY, headers: dict[str, Any] | None = None, algorithm: str = "RS256", **changes: Any
    ) -> str:
        now = int(self.clock.now())
        claims = {"iss": ISSUER, "aud": "app", "sub": "u1", "exp": now + 60, "iat": now, **changes}
        return encode(
            {name: value for name, value in claims.items() if value is not None},
            key,
            algorithm,
            headers={"kid": "k1"} if headers is None else headers,
        )

    async def refused(self, token: str) -> str:
        with pytest.raises(InvalidToken) as excinfo:
            await self.verifier.verify(token, CONFIGURATION)
        return str(excinfo.value)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_what_counts() -> None:
    """Its claims come back; by `client_id` where there is no `aud`, and one audience of several is enough."""

    async def story() -> None:
        bench = Bench()
        assert (await bench.verifier.verify(bench.token(), CONFIGURATION))["sub"] == "u1"
        for changes in (
            {"aud": ["x", "other"]},
            {"aud": None, "client_id": "app"},
            {"nbf": int(bench.clock.now())},
            {"iat": None},
        ):
            assert await bench.verifier.verify(bench.token(**changes), CONFIGURATION)
        for algorithm in ("RS384", "RS512"):
            assert await bench.verifier.verify(bench.token(algorithm=algorithm), CONFIGURATION)
        # However many tokens: each document once.
        assert len(bench.issuer.asked) == 2

    run(story())


def test_what_does_not_count() -> None:
    """Each with what is wrong with it."""

    async def story() -> None:
        bench = Bench()
        now = int(bench.clock.now())
        for changes, text in (
            ({"iss": "https://evil.example.com"}, "the token does not have a valid issuer"),
            ({"iss": None}, "the token does not have a valid issuer"),
            ({"aud": "evil"}, "the token does not have a valid audience"),
            ({"aud": None}, "the token does not have a valid audience"),
            ({"aud": "evil", "client_id": "app"}, "the token does not have a valid audience"),
            ({"aud": [["app"], 1]}, "the token does not have a valid audience"),
            ({"exp": now}, "the token has expired"),
            ({"exp": None}, "the token has expired"),
            ({"nbf": now + 1}, "the token is not valid yet"),
            ({"iat": now + 1}, "the token is not valid yet"),
            ({"key": OTHER_KEY}, "the token's signature is invalid"),
            ({"headers": {}}, "the token names no key"),
            ({"headers": {"kid": "k2"}}, "the token's key is not one of the issuer's"),
            ({"headers": {"kid": "broken"}}, "the token's key is not one of the issuer's"),
        ):
            assert await bench.refused(bench.token(**changes)) == text, changes
        for exp in (True, "9999999999", [1]):
            # A library that makes tokens refuses to; one that forges them does not.
            body = {"iss": ISSUER, "aud": "app", "exp": exp}
            payload = base64.urlsafe_b64encode(json.dumps(body).encode()).rstrip(b"=").decode()
            head = bench.token().split(".")[0]
            assert await bench.refused(f"{head}.{payload}.AAAA") == "the token's signature is invalid"
        for token in ("", "x", "a.b.c", "é.é.é", "." * 50, bench.token()[:-9], f"{bench.token()}x"):
            await bench.refused(token)

    run(story())


def test_algorithms() -> None:
    """One without a key, one whose key is public, and one of another family: a forger's usual means."""

    async def story() -> None:
        bench = Bench()
        none = bench.token(key=None, algorithm="none")
        assert await bench.refused(none) == "signing method none is invalid"
        shared = bench.token(key="0123456789abcdef0123456789abcdef", algorithm="HS256")
        assert await bench.refused(shared) == "signing method HS256 is invalid"
        curve = bench.token(key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")
        assert await bench.refused(curve) == "signing method ES256 is invalid"

    run(story())


def forged(header: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part({})}.AAAA"


@pytest.mark.parametrize(
    "algorithm", ["a\r\nx: y", 'a", b="', "\ud800", "é", "x" * 21, "", ["RS256"], {"RS256": 1}, 1, None]
)
def test_what_a_token_says_is_not_said_back(algorithm: object) -> None:
    """What is wrong with it goes into a header: no end of a line, no quote, nothing long."""

    async def story() -> None:
        assert await Bench().refused(forged({"alg": algorithm, "kid": "k1"})) == "the token is malformed"

    run(story())


def test_what_has_to_be_understood() -> None:
    """A token whose header makes demands counts for nothing, whatever they are, though it is signed."""

    async def story() -> None:
        bench = Bench()
        token = bench.token(headers={"kid": "k1", "crit": ["exp"], "exp": 1})
        assert await bench.refused(token) == "the token is malformed"

    run(story())


def test_times_that_are_none() -> None:
    """What is no moment is not one to come."""

    async def story() -> None:
        bench = Bench()
        for exp in (float("nan"), float("inf")):
            assert await bench.refused(bench.token(exp=exp)) == "the token has expired"

    run(story())


def number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


SHORT_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)


@pytest.mark.parametrize(
    "key",
    [
        {**public(KEY, "k1"), "use": "enc"},
        {**public(KEY, "k1"), "alg": "RSA-OAEP"},
        {**public(KEY, "k1"), "alg": ["RS256"]},
        {**public(KEY, "k1"), "n": number(1 << 100_000 | 1)},
        {**public(KEY, "k1"), "n": number(1 << 100_000 | 1), "d": number(1 << 99_999 | 1)},
        {**public(KEY, "k1"), "kid": ["k1"]},
        public(SHORT_KEY, "k1"),
    ],
)
def test_keys_that_sign_nothing(key: dict[str, Any]) -> None:
    """
    One that encrypts, one too short to be safe, or too long to verify with; and no number in an issuer's document keeps
    the server busy.
    """

    async def story() -> None:
        bench = Bench()
        bench.issuer.keys = [key]
        assert await bench.refused(bench.token()) == "the token's key is not one of the issuer's"

    run(story())


def test_a_private_key_that_was_published() -> None:
    """Its public half verifies; that everybody can sign is its owner's trouble."""

    async def story() -> None:
        bench = Bench()
        bench.issuer.keys = [{**json.loads(RSAAlgorithm.to_jwk(KEY)), "kid": "k1"}]
        assert (await bench.verifier.verify(bench.token(), CONFIGURATION))["sub"] == "u1"

    run(story())


def test_keys_are_asked_for_again() -> None:
    """When they are old, and for a key that is new; not for each token that somebody made up."""

    async def story() -> None:
        bench = Bench()
        await bench.verifier.verify(bench.token(), CONFIGURATION)
        bench.issuer.keys = [public(OTHER_KEY, "k2")]
        newer = {"key": OTHER_KEY, "headers": {"kid": "k2"}}
        for _ in range(3):
            await bench.refused(bench.token(**newer))
        assert len(bench.issuer.asked) == 2
        bench.clock.advance(ASK_AGAIN_S)
        await bench.verifier.verify(bench.token(**newer), CONFIGURATION)
        assert len(bench.issuer.asked) == 4
        await bench.refused(bench.token())
        bench.clock.advance(KEYS_HOLD_S)
        await bench.verifier.verify(bench.token(**newer), CONFIGURATION)
        assert len(bench.issuer.asked) == 6

    run(story())


def test_an_issuer_that_is_gone() -> None:
    """Tokens do not count until it is there; keys that are known go on counting, for a day."""

    async def story() -> None:
        bench = Bench()
        bench.issuer.is_there = False
        for _ in range(3):
            assert await bench.refused(bench.token()) == "OIDC discovery endpoint communication error"
        assert len(bench.issuer.asked) == 1
        bench.issuer.is_there = True
        bench.clock.advance(ASK_AGAIN_S)
        await bench.verifier.verify(bench.token(), CONFIGURATION)
        bench.issuer.is_there = False
        bench.clock.advance(KEYS_HOLD_S)
        assert await bench.verifier.verify(bench.token(), CONFIGURATION)
        bench.clock.advance(KEYS_END_S - KEYS_HOLD_S)
        assert await bench.refused(bench.token()) == "OIDC discovery endpoint communication error"
        bench.issuer.is_there = True
        bench.clock.advance(ASK_AGAIN_S)
        assert await bench.verifier.verify(bench.token(), CONFIGURATION)

    run(story())


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"jwks_uri": 1}', b'{"jwks_uri": "u", "keys": 1}', b"\xff"])
def test_documents_that_are_none(document: bytes) -> None:
    async def story() -> None:
        bench = Bench()

        async def fetch(url: str, most_bytes: int) -> bytes:
            return document

        verifier = TokenVerifier(fetch, bench.clock)
        with pytest.raises(InvalidToken, match="communication error"):
            await verifier.verify(bench.token(), CONFIGURATION)

    run(story())


def test_who_comes_at_once_asks_once() -> None:
    """And whoever gives up does not end it for the others."""

    async def story() -> None:
        bench = Bench()
        bench.issuer.hold = asyncio.Event()
        waiting = [asyncio.create_task(bench.verifier.verify(bench.token(), CONFIGURATION)) for _ in range(5)]
        await bench.issuer.was_asked.wait()
        waiting[0].cancel()
        await asyncio.sleep(0)
        bench.issuer.hold.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert all(isinstance(result, dict) for result in results[1:])
        assert len(bench.issuer.asked) == 2

    run(story())


def test_scopes_and_claims() -> None:
    assert scopes_of({"scope": "a b", "scp": ["c"]}) == ["a", "b"]
    assert scopes_of({"scp": ["c", 1]}) == ["c"]
    assert scopes_of({"scp": "c d"}) == ["c", "d"]
    assert scopes_of({}) == []
    assert claims_as_text({"a": "x", "b": 5, "c": True, "d": ["x", 1], "e": {"f": None}}) == {
        "a": "x",
        "b": "5",
        "c": "true",
        "d": "[x 1]",
        "e": '{"f":null}',
    }
