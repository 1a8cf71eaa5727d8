"""
Secrets of access keys, and sealed session tokens: both follow from the data folder's secret.

No secret of a key is stored. Each is the HMAC of the key's id, so verifying a signature needs the id alone, a copy of
the database gives nobody a key, and there is nothing to encrypt (docs/adr/0043-access.md). A session token is a record
with an HMAC: not secret from whoever holds it, and not to be made or changed by anybody else.
"""

import base64
import binascii
import hashlib
import hmac
import zlib

import msgspec

from lambent.domain.access_key import SESSION_KEY, encode_id
from lambent.domain.principal import Principal

_LONG_TERM = b"lambent access key 1\n"
_SESSION = b"lambent session key 1\n"
_SEAL = b"lambent session token 1\n"
"""What each is mixed with, so that nothing else that follows from the same secret passes for it."""

TOKEN_MAX_BYTES = 4_096
"""Of a token as text: it travels in headers and query strings. Documented: IAM user guide: AWS's are below that."""
_RECORD_MAX_BYTES = 32_768
"""Of what a token holds once it is unpacked; only what we sealed is."""
_MAC_BYTES = 32


class BadToken(Exception):
    """A session token that was not made here, or not with this key."""


class TokenTooLarge(Exception):
    """
    Policies and tags do not fit into a session token.

    Args:
        percent: how much of the room they take; over 100.
    """

    def __init__(self, percent: int) -> None:
        super().__init__(f"{percent} %")
        self.percent = percent


class Credentials(msgspec.Struct, frozen=True):
    """Temporary credentials. Whoever holds them acts as their principal."""

    access_key: str
    secret_key: str
    session_token: str
    expires_at: float


class Secrets:
    """
    Makes and opens.

    Args:
        secret: the data folder's, at least 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        assert len(secret) >= 32
        self._secret = secret

    def of_key(self, access_key: str) -> str:
        """Return the secret of a long-term key: forty characters."""
        return self._derived(_LONG_TERM + access_key.encode())

    def of_session(self, access_key: str, session_token: str) -> str:
        """Return the secret of temporary credentials."""
        return self._derived(_SESSION + access_key.encode() + b"\n" + session_token.encode())

    def issue(self, principal: Principal, random_hex: str) -> Credentials:
        """
        Return credentials of a session.

        Args:
            principal: with a session; its `access_key` is replaced.
            random_hex: at least twenty fresh random digits.

        Raises:
            TokenTooLarge: what the session carries does not fit.
        """
        assert principal.session is not None
        access_key = encode_id(SESSION_KEY, principal.account, random_hex)
        record = zlib.compress(msgspec.json.encode(msgspec.structs.replace(principal, access_key=access_key)), 9)
        token = base64.b64encode(record + self._seal(record)).decode()
        if len(token) > TOKEN_MAX_BYTES:
            raise TokenTooLarge(len(token) * 100 // TOKEN_MAX_BYTES)
        expires_at = principal.session.expires_at
        return Credentials(access_key, self.of_session(access_key, token), token, expires_at)

    def open(self, access_key: str, session_token: str) -> Principal:
        """
        Return whose temporary credentials a key and a token are; whether they still hold is not looked at.

        Raises:
            BadToken: the token was not made here, or for another key.
        """
        if len(session_token) > TOKEN_MAX_BYTES:
            raise BadToken
        try:
            sealed = base64.b64decode(session_token, validate=True)
        except (binascii.Error, ValueError):
            raise BadToken from None
        record, seal = sealed[:-_MAC_BYTES], sealed[-_MAC_BYTES:]
        # Before anything of it is read.
        if not hmac.compare_digest(self._seal(record), seal):
            raise BadToken
        text = zlib.decompressobj().decompress(record, _RECORD_MAX_BYTES)
        principal = msgspec.json.decode(text, type=Principal)
        if not hmac.compare_digest(principal.access_key.encode(), access_key.encode()):
            raise BadToken
        return principal

    def _derived(self, message: bytes) -> str:
        # Documented: IAM user guide: forty characters of Base64's alphabet.
        return base64.b64encode(hmac.digest(self._secret, message, hashlib.sha256)).decode()[:40]

    def _seal(self, record: bytes) -> bytes:
        return hmac.digest(self._secret, _SEAL + record, hashlib.sha256)
