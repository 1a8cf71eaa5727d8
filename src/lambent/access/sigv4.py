"""
Signatures of version 4, as a server verifies them. Pure.

A request is verified as it was sent: by its raw path and raw query, by the headers that its signature lists, in their
order. What is signed and what is received may differ in nothing.

Documented: AWS General Reference, Signature Version 4 signing process; Amazon S3 API reference, authenticating
requests. Measured against botocore's signer and the published vectors (test_sigv4).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote_to_bytes

import msgspec

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_OF_S3 = frozenset({"s3", "s3express", "s3-outposts", "s3-object-lambda"})
"""Services whose paths are signed as they are. Documented: Amazon S3 user guide."""
_HEADERS_MAX = 200
"""Names in a list of signed headers. Assumed: no client signs a tenth of them (test_sigv4)."""


class Signature(msgspec.Struct, frozen=True):
    """What a request says of its own signature. Nothing of it is verified yet."""

    access_key: str
    date: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    """`YYYYMMDD'T'HHMMSS'Z'`."""
    session_token: str | None = None
    expires_s: int | None = None
    """Of a presigned request; None: the signature is in a header."""

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"

    @property
    def is_presigned(self) -> bool:
        return self.expires_s is not None


class Incomplete(Exception):
    """A signature lacks a part, or has one that is none. The text is AWS's."""


def read_signature(headers: Mapping[str, str], query: str) -> Signature | None:
    """
    Return what a request says of its signature, in a header or in its query; None where it has none.

    Args:
        headers: by lower-case name, repeated ones joined.

    Raises:
        Incomplete: it has one that cannot be read.
    """
    authorization = headers.get("authorization")
    if authorization is not None and authorization.startswith(ALGORITHM):
        return _in_header(authorization, headers)
    if "X-Amz-Algorithm=" in query or "X-Amz-Signature=" in query:
        return _in_query(query)
    if authorization is not None and authorization.startswith("AWS4-"):
        raise Incomplete(f"The algorithm {authorization.partition(' ')[0][:40]} is not supported; use {ALGORITHM}.")
    return None


def _in_header(authorization: str, headers: Mapping[str, str]) -> Signature:
    parts: dict[str, str] = {}
    for part in authorization[len(ALGORITHM) :].split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            # Not what was sent: it may be a secret that somebody put in the wrong place.
            raise Incomplete(
                f"'{_hashed(part.strip())}' not a valid key=value pair (missing equal-sign) in Authorization header: "
                f"'{_hashed(authorization)}'."
            )
        parts[name] = value
    lacking = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    timestamp = headers.get("x-amz-date") or _basic_form(headers.get("date", ""))
    if not timestamp:
        lacking.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if lacking:
        raise Incomplete(f"{' '.join(lacking)} Authorization={ALGORITHM} (hashed: {_hashed(authorization)})")
    return _signature(
        parts["Credential"],
        parts["SignedHeaders"],
        parts["Signature"],
        timestamp,
        headers.get("x-amz-security-token", headers.get("x-amz-s3session-token")),
        None,
    )


def _in_query(query: str) -> Signature:
    # Repeated names are malformed here: which one counts would be anybody's guess.
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.startswith("X-Amz-"):
            if name in given:
                raise Incomplete(f"AWS query-string parameters must not repeat {name[:64]}.")
            given[name] = value
    required = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
    lacking = [name for name in (*required, "X-Amz-Expires") if not given.get(name)]
    if lacking:
        raise Incomplete(
            "AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', "
            f"'X-Amz-SignedHeaders', 'X-Amz-Date' and 'X-Amz-Expires'. Re-examine the query-string parameters: "
            f"{', '.join(lacking)} is missing."
        )
    if given["X-Amz-Algorithm"] != ALGORITHM:
        raise Incomplete(f"The algorithm {given['X-Amz-Algorithm'][:40]} is not supported; use {ALGORITHM}.")
    expires = given["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdigit() and len(expires) < 10):
        raise Incomplete("X-Amz-Expires should be a number")
    return _signature(
        given["X-Amz-Credential"],
        given["X-Amz-SignedHeaders"],
        given["X-Amz-Signature"],
        given["X-Amz-Date"],
        given.get("X-Amz-Security-Token"),
        int(expires),
    )


def _signature(
    credential: str, signed_headers: str, signature: str, timestamp: str, token: str | None, expires_s: int | None
) -> Signature:
    # From the right: an id may hold anything.
    scope = credential.rsplit("/", 4)
    if len(scope) != 5:
        raise Incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
        )
    names = tuple(signed_headers.split(";"))
    is_sound = len(names) <= _HEADERS_MAX and all(_HEADER_NAME.fullmatch(name) for name in names)
    if not is_sound or list(names) != sorted(set(names)):
        raise Incomplete("SignedHeaders must be lower-case names, each once and in order.")
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise Incomplete("Date must be in ISO-8601 'basic format', e.g. 20260101T000000Z.")
    if _SHA256.fullmatch(signature) is None:
        raise Incomplete("Signature must be 64 lower-case hexadecimal digits.")
    access_key, date, region, service, terminator = scope
    return Signature(access_key, date, region, service, terminator, names, signature, timestamp, token, expires_s)


def _basic_form(date: str) -> str:
    """Return a `Date` header in the form of `X-Amz-Date`; as it is where it is that, or nothing that can be read."""
    from email.utils import parsedate_to_datetime

    if _TIMESTAMP.fullmatch(date) or not date:
        return date
    try:
        return parsedate_to_datetime(date).strftime("%Y%m%dT%H%M%SZ")
    except ValueError:
        return date


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def canonical_request(
    signature: Signature,
    method: str,
    path: str,
    query: str,
    pairs: Sequence[tuple[bytes, bytes]],
    payload: str,
    *,
    host: str | None = None,
    is_path_reencoded: bool = False,
) -> str:
    """
    Return what was signed, in its six lines.

    Args:
        path: as sent.
        query: as sent.
        pairs: the headers as sent, with lower-case names.
        payload: what stands for the body.
        host: what the Host header was before somebody between replaced it.
        is_path_reencoded: of S3: as if its path had been encoded by the rules before it was signed.
    """
    values: dict[str, list[str]] = {name: [] for name in signature.signed_headers}
    for name, value in pairs:
        found = values.get(name.decode("latin-1"))
        if found is not None:
            found.append(" ".join(_split(value.decode("latin-1"))))
    if host is not None and "host" in values:
        values["host"] = [host]
    headers = "".join(f"{name}:{','.join(texts)}\n" for name, texts in values.items())
    return "\n".join(
        (
            method,
            _canonical_path(path, signature.service, is_reencoded=is_path_reencoded),
            _canonical_query(query),
            headers,
            ";".join(signature.signed_headers),
            payload,
        )
    )


def _split(value: str) -> list[str]:
    return [word for word in re.split(r"[ \t\r\n]+", value) if word]


def _canonical_path(path: str, service: str, *, is_reencoded: bool) -> str:
    if service in _OF_S3:
        return quote(unquote_to_bytes(path), safe="/-_.~") if is_reencoded else path or "/"
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if segments:
                segments.pop()
        elif segment not in ("", "."):
            segments.append(segment)
    text = "/" + "/".join(segments)
    if segments and path.endswith(("/", "/.", "/..")):
        text += "/"
    # Encoded as it is, so that what is encoded already is so twice.
    return quote(text, safe="/-_.~")


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        encoded = quote(unquote_to_bytes(name), safe="-_.~")
        if not part or encoded == "X-Amz-Signature":
            continue
        pairs.append((encoded, quote(unquote_to_bytes(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def string_to_sign(signature: Signature, canonical: str) -> str:
    """Return what the signature is the HMAC of."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{signature.timestamp}\n{signature.scope}\n{digest}"


@lru_cache(maxsize=4096)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Return the key of a day, a region and a service: four of the five HMACs of a request, so it is remembered."""
    key = hmac.digest(f"AWS4{secret}".encode(), date.encode(), hashlib.sha256)
    for part in (region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return key


def is_signed_by(key: bytes, text: str, signature: str) -> bool:
    """Say whether a signature is a key's, in a time that says nothing of either."""
    return hmac.compare_digest(
        hmac.digest(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hex(), signature
    )
