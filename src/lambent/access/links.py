"""Links that let whoever holds them download one deployment package for a while."""

import hashlib
import hmac
import re

from lambent.clock import Clock

_PURPOSE = b"lambent code link 1"
"""Mixed in, so that nothing else that is signed with the same secret passes for a link."""
_QUERY = re.compile(r"Expires=(?P<expires>[0-9]{1,12})&Signature=(?P<signature>[0-9a-f]{64})")


class CodeLinks:
    """
    Signs and verifies the query string of a package's download link.

    GetFunction's `Code.Location` is fetched without credentials, so the link itself has to carry the right: for one
    package, for some minutes.

    Args:
        secret: at least 32 bytes; links of another secret are not accepted.
        clock: decides when a link has expired.
    """

    def __init__(self, secret: bytes, clock: Clock) -> None:
        assert len(secret) >= 32
        self._secret = secret
        self._clock = clock

    def sign(self, sha256: str, ttl_s: int = 600) -> str:
        """
        Return the query string, without `?`, for a link to a package.

        Args:
            sha256: the package.
            ttl_s: seconds that the link is good for. Documented: GetFunction, the link is valid for 10 minutes.
        """
        expires = int(self._clock.now()) + ttl_s
        return f"Expires={expires}&Signature={self._signature(sha256, expires)}"

    def verify(self, sha256: str, query: str) -> bool:
        """Return whether a query string lets its sender have a package now. Malformed is False."""
        # Exactly what `sign` wrote, in that order: the fewer spellings pass, the less there is to get wrong.
        match = _QUERY.fullmatch(query)
        if match is None:
            return False
        expires = int(match["expires"])
        is_genuine = hmac.compare_digest(self._signature(sha256, expires), match["signature"])
        return is_genuine and self._clock.now() < expires

    def _signature(self, sha256: str, expires: int) -> str:
        message = b"\n".join([_PURPOSE, sha256.encode(errors="surrogatepass"), str(expires).encode()])
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()
