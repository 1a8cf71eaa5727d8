"""
Signatures of version 4, as a server verifies them. Pure.

A request is verified as it was sent: by its raw path and raw query, by the headers that its signature lists, in their
order. What is signed and what is received may differ in nothing. All of it is bytes: what is no ASCII was signed as it
is, whatever it means.

Documented: AWS General Reference, Signature Version 4 signing process; Amazon S3 API reference, authenticating
requests. Measured against botocore's signer and the published vectors (test_sigv4).
"""

import hashlib
import hmac
import re
from calendar import timegm
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
OF_S3 = frozenset({"s3", "s3express", "s3-outposts", "s3-object-lambda"})
"""Services whose paths are signed as they are. Documented: Amazon S3 user guide."""

_USUAL = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,= ]+)/([0-9]+)/([^/,= ]+)/([^/,= ]+)/([^/,= ]+), ?"
    r"SignedHeaders=([^,= ]+), ?Signature=([0-9a-f]{64})"
)
"""What clients write, nearly all of them."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HEADERS_MAX = 200
"""Names in a list of signed headers. Assumed: no client signs a tenth of them (test_sigv4)."""
_REMEMBERED_MAX_CHARACTERS = 1_024
"""A longer list of signed headers is taken apart each time, so that what is remembered stays small."""

_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?")
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9_.~&=-]*")
"""In which nothing is encoded, or to be; of a path, nor left out."""
_NOT_IN_PATHS = re.compile(r"[^A-Za-z0-9_.~/-]")
_NOT_IN_QUERIES = re.compile(r"[^A-Za-z0-9_.~-]")
_ENCODED = {chr(byte): f"%{byte:02X}" for byte in range(256)}


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
    is_in_query = "X-Amz-Algorithm=" in query or "X-Amz-Signature=" in query
    if authorization is not None and is_in_query:
        # Which of them counts would be anybody's guess.
        raise Incomplete("Only one auth mechanism allowed: a signature in the header, or one in the query.")
    if authorization is not None and authorization.startswith(ALGORITHM):
        return _in_header(authorization, headers)
    if is_in_query:
        return _in_query(query)
    if authorization is not None and authorization.startswith("AWS4-"):
        raise Incomplete(f"The algorithm {authorization.partition(' ')[0][:40]} is not supported; use {ALGORITHM}.")
    return None


def _in_header(authorization: str, headers: Mapping[str, str]) -> Signature:
    timestamp = headers.get("x-amz-date") or _basic_form(headers.get("date", ""))
    token = headers.get("x-amz-security-token") or headers.get("x-amz-s3session-token")
    usual = _USUAL.fullmatch(authorization)
    if usual is not None and timestamp:
        access_key, date, region, service, terminator, names, signature = usual.groups()
        return Signature(
            access_key, date, region, service, terminator, _names(names), signature, _sound(timestamp), token
        )
    parts: dict[str, str] = {}
    for part in authorization[len(ALGORITHM) :].split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            # Not what was sent: it may be a secret that somebody put in the wrong place.
            raise Incomplete(
                f"'{_hashed(part.strip())}' not a valid key=value pair (missing equal-sign) in Authorization header: "
                f"'{_hashed(authorization)}'."
            )
        if name in parts or name not in {"Credential", "SignedHeaders", "Signature"}:
            # Which of two counts would be anybody's guess.
            raise Incomplete(
                "Authorization header takes 'Credential', 'SignedHeaders' and 'Signature', each once. "
                f"Authorization={ALGORITHM} (hashed: {_hashed(authorization)})"
            )
        parts[name] = value
    lacking = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    if not timestamp:
        lacking.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if lacking:
        raise Incomplete(f"{' '.join(lacking)} Authorization={ALGORITHM} (hashed: {_hashed(authorization)})")
    return _signature(parts["Credential"], parts["SignedHeaders"], parts["Signature"], timestamp, token, None)


def _in_query(query: str) -> Signature:
    # Repeated names are malformed here: which one counts would be anybody's guess.
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, encoding="latin-1"):
        if name.startswith("X-Amz-"):
            if f"{name}=" not in query:
                # What looks for the scope elsewhere takes names as they are, and would find another one, or none.
                raise Incomplete(f"The name of the AWS query-string parameter {name[:64]} must not be encoded.")
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
    if _SHA256.fullmatch(signature) is None:
        raise Incomplete("Signature must be 64 lower-case hexadecimal digits.")
    access_key, date, region, service, terminator = scope
    names = _names(signed_headers)
    return Signature(
        access_key, date, region, service, terminator, names, signature, _sound(timestamp), token, expires_s
    )


def _names(signed_headers: str) -> tuple[str, ...]:
    return (_read_names if len(signed_headers) <= _REMEMBERED_MAX_CHARACTERS else _read_names.__wrapped__)(
        signed_headers
    )


@lru_cache(maxsize=512)
def _read_names(signed_headers: str) -> tuple[str, ...]:
    names = tuple(signed_headers.split(";"))
    is_sound = len(names) <= _HEADERS_MAX and all(_HEADER_NAME.fullmatch(name) for name in names)
    if not is_sound or list(names) != sorted(set(names)):
        raise Incomplete("SignedHeaders must be lower-case names, each once and in order.")
    if "host" not in names:
        raise Incomplete("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    return names


def _sound(timestamp: str) -> str:
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise Incomplete("Date must be in ISO-8601 'basic format', e.g. 20260101T000000Z.")
    return timestamp


def _basic_form(date: str) -> str:
    """Return a `Date` header in the form of `X-Amz-Date`; as it is where it is that, or nothing that can be read."""
    if _TIMESTAMP.fullmatch(date) or not date:
        return date
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return date


@lru_cache(maxsize=512)
def time_of(timestamp: str) -> int | None:
    """Return a timestamp in seconds since the epoch; None where it is no moment of any day."""
    parts = [int(timestamp[start:end]) for start, end in ((0, 4), (4, 6), (6, 8), (9, 11), (11, 13), (13, 15))]
    try:
        return timegm((*parts, 0, 0, 0))
    except ValueError:
        return None


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
) -> bytes:
    """
    Return what was signed, in its six lines.

    Args:
        path: as sent: each character a byte, as `query`.
        query: as sent.
        pairs: the headers as sent, with lower-case names.
        payload: what stands for the body.
        host: what the Host header was before somebody between replaced it.
        is_path_reencoded: of S3: as if its path had been encoded by the rules before it was signed.
    """
    values: dict[bytes, bytes | None] = dict.fromkeys(name.encode() for name in signature.signed_headers)
    for name, value in pairs:
        if name in values:
            text = b" ".join(value.split())
            before = values[name]
            values[name] = text if before is None else b"%b,%b" % (before, text)
    if host is not None:
        values[b"host"] = host.encode("latin-1")
    lines = [b"%b:%b\n" % (name, text or b"") for name, text in values.items()]
    return (
        f"{method}\n{_canonical_path(path, signature.service, is_reencoded=is_path_reencoded)}\n"
        f"{_canonical_query(query)}\n".encode("latin-1")
        + b"".join(lines)
        + f"\n{';'.join(signature.signed_headers)}\n{payload}".encode("latin-1")
    )


def _canonical_path(path: str, service: str, *, is_reencoded: bool) -> str:
    if service in OF_S3:
        return _encoded(_decoded(path), _NOT_IN_PATHS) if is_reencoded else path or "/"
    if _PLAIN_PATH.fullmatch(path):
        return path or "/"
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if segments:
                segments.pop()
        elif segment not in ("", "."):
            segments.append(segment)
    text = "/" + "/".join(segments)
    if segments and path.endswith("/"):
        # Behind a last segment of dots, clients leave it out.
        text += "/"
    # Encoded as it is, so that what is encoded already is so twice.
    return _encoded(text, _NOT_IN_PATHS)


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    parts = query.split("&")
    pairs = [(name, value) for name, _, value in (part.partition("=") for part in parts if part)]
    if _PLAIN_QUERY.fullmatch(query) is None:
        pairs = [
            (_encoded(_decoded(name), _NOT_IN_QUERIES), _encoded(_decoded(value), _NOT_IN_QUERIES))
            for name, value in pairs
        ]
    return "&".join([f"{name}={value}" for name, value in sorted(pairs) if name != "X-Amz-Signature"])


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.encode("latin-1")).decode("latin-1") if "%" in text else text


def _encoded(text: str, not_in: re.Pattern[str]) -> str:
    return not_in.sub(lambda found: _ENCODED[found[0]], text)


def string_to_sign(signature: Signature, canonical: bytes) -> str:
    """Return what the signature is the HMAC of."""
    return f"{ALGORITHM}\n{signature.timestamp}\n{signature.scope}\n{hashlib.sha256(canonical).hexdigest()}"


@lru_cache(maxsize=4096)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Return the key of a day, a region and a service: four of the five HMACs of a request, so it is remembered."""
    key = hmac.digest(f"AWS4{secret}".encode(), date.encode("latin-1"), "sha256")
    for part in (region, service, "aws4_request"):
        key = hmac.digest(key, part.encode("latin-1"), "sha256")
    return key


def is_signed_by(key: bytes, text: str, signature: str) -> bool:
    """Say whether a signature is a key's, in a time that says nothing of either."""
    return hmac.compare_digest(hmac.digest(key, text.encode("latin-1"), "sha256").hex().encode(), signature.encode())
