"""Cross-origin requests of browsers: what a configuration has a function URL or an HTTP API answer. Pure."""

from collections.abc import Mapping

import msgspec

HttpHeaders = list[tuple[bytes, bytes]]
"""Lower-case names."""


class Cors(msgspec.Struct, frozen=True):
    """
    Who else may read what is answered. Texts are what a header can hold, in ASCII.

    Documented: Lambda API reference, Cors; API Gateway API reference, Cors.
    """

    allow_credentials: bool | None = None
    allow_headers: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age_s: int | None = None

    def preflight(self, origin: str) -> HttpHeaders:
        """
        Return the headers of the answer to a browser that asks before it sends a request.

        Documented: Lambda developer guide, function URLs: the service answers it, not the function.
        Assumed: an origin that is not allowed gets 200 without these headers, by which a browser knows (test_cors).
        """
        headers = self._to(origin)
        if headers:
            if self.allow_methods:
                headers.append((b"access-control-allow-methods", _joined(self.allow_methods)))
            if self.allow_headers:
                headers.append((b"access-control-allow-headers", _joined(self.allow_headers)))
            if self.max_age_s is not None:
                headers.append((b"access-control-max-age", str(self.max_age_s).encode()))
        headers.append((b"vary", b"Origin"))
        return headers

    def beside_answer(self, origin: str) -> HttpHeaders:
        """
        Return the headers that go with a function's own.

        Documented: Lambda developer guide, function URLs: one that the function sets as well is there twice, and
        browsers then refuse it.
        """
        headers = self._to(origin)
        if headers and self.expose_headers:
            headers.append((b"access-control-expose-headers", _joined(self.expose_headers)))
        return headers

    @property
    def answers_differ(self) -> bool:
        """Whether what one origin is told is not what another is. Source: Fetch standard, CORS protocol and caches."""
        return bool(self.allow_origins) and "*" not in self.allow_origins

    def _to(self, origin: str) -> HttpHeaders:
        if "*" in self.allow_origins:
            allowed = b"*"
        elif origin in self.allow_origins or f"{origin.partition('://')[0]}://*" in self.allow_origins:
            # Documented, for HTTP APIs: `https://*` stands for every origin with this scheme.
            allowed = origin.encode()
        else:
            return []
        headers = [(b"access-control-allow-origin", allowed)]
        if self.allow_credentials:
            headers.append((b"access-control-allow-credentials", b"true"))
        return headers


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Say whether a browser asks by this request whether it may send another. Source: Fetch standard, CORS protocol."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def _joined(values: tuple[str, ...]) -> bytes:
    return ",".join(values).encode()
