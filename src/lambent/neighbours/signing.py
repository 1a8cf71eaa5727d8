"""
Requests signed anew for a neighbour that has credentials of its own.

The rule, for a request that its caller signed, in a header or in the URL (docs/adr/0033-neighbours.md):

- its signature goes, wherever it stands, and one with the neighbour's credentials takes its place;
- S3: the hash of the body is the one that the caller gave, or `UNSIGNED-PAYLOAD`; a body whose chunks are signed
  loses those signatures on the way, since they follow from the caller's key;
- other services: the body is hashed, so it is read whole first.
"""

from collections.abc import AsyncIterator
from urllib.parse import quote, unquote

from lambent.neighbours import aws_chunked
from lambent.neighbours.endpoints import Credentials
from lambent.neighbours.message import Outgoing

_UNSIGNED = "UNSIGNED-PAYLOAD"

_OF_A_SIGNATURE = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "date"})
"""Headers that belong to a signature."""

_OF_A_SIGNED_URL = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    }
)
_OF_A_URL_OF_VERSION_2 = frozenset({"awsaccesskeyid", "signature", "expires"})
"""
Parameters that belong to a presigned URL. Those of version 2 are also names of other things, where it is none.

Documented: Amazon S3 user guide, Authenticating requests: using query parameters; signing and authenticating REST
requests (version 2).
"""


def sign(request: Outgoing, service: str, url: str, credentials: Credentials, region: str) -> Outgoing:
    """
    Return the request with the signature of a neighbour's credentials.

    Args:
        service: signing name.
        url: the neighbour's: scheme, host and port.
        region: of the signature, where the credentials name none.
    """
    headers = {name: value for name, value in request.headers.items() if name not in _OF_A_SIGNATURE}
    body, body_bytes = request.body, request.body_bytes
    if service == "s3":
        body, body_bytes = _unsigned_chunks(headers, body, body_bytes)
        headers.setdefault("x-amz-content-sha256", _UNSIGNED)
    signed = Outgoing(
        method=request.method,
        path=_path(request.path, is_s3=service == "s3"),
        query=_query(request.query),
        headers=headers,
        body=body,
        body_bytes=body_bytes,
        silence_s=request.silence_s,
        is_long_poll=request.is_long_poll,
    )
    signed.headers |= _signature(signed, service, url, credentials, credentials.region or region)
    return signed


def without_signature(query: str) -> str:
    """Return a query without the parameters of a presigned URL."""
    pairs = query.split("&")
    dropped = _OF_A_SIGNED_URL
    if _is_of_version_2({_name(pair) for pair in pairs}):
        dropped |= _OF_A_URL_OF_VERSION_2
    return "&".join(pair for pair in pairs if _name(pair) not in dropped)


def is_presigned(query: str) -> bool:
    """Say whether a query holds a signature."""
    names = {_name(pair) for pair in query.split("&")}
    return "x-amz-signature" in names or _is_of_version_2(names)


def _is_of_version_2(names: set[str]) -> bool:
    return {"signature", "awsaccesskeyid"} <= names


def _path(path: str, *, is_s3: bool) -> str:
    """Return a path as every server spells it; a slash in a segment is part of a key in S3 alone."""
    if is_s3:
        return quote(unquote(path), safe="/-_.~")
    return "/".join(quote(unquote(segment), safe="-_.~") for segment in path.split("/"))


def _name(pair: str) -> str:
    return unquote(pair.partition("=")[0]).lower()


def _query(query: str) -> str:
    """Return a query, unsigned, as every server spells it when it checks a signature."""
    pairs = [pair.partition("=") for pair in without_signature(query).split("&") if pair]
    spelled = [f"{_spelled(name)}{equals}{_spelled(value)}" for name, equals, value in pairs]
    return "&".join(spelled)


def _spelled(text: str) -> str:
    return quote(unquote(text.replace("+", " ")), safe="-_.~")


def _unsigned_chunks(
    headers: dict[str, str], body: bytes | AsyncIterator[bytes], body_bytes: int | None
) -> tuple[bytes | AsyncIterator[bytes], int | None]:
    """Take the signatures out of a body of signed chunks; change the headers that told of them."""
    kind = headers.get("x-amz-content-sha256", "")
    if isinstance(body, bytes) or kind not in {aws_chunked.SIGNED, aws_chunked.SIGNED_WITH_TRAILER}:
        return body, body_bytes
    headers.pop("content-length", None)
    if kind == aws_chunked.SIGNED_WITH_TRAILER:
        headers["x-amz-content-sha256"] = aws_chunked.UNSIGNED_WITH_TRAILER
        return aws_chunked.unsign(body), None
    headers["x-amz-content-sha256"] = _UNSIGNED
    unframe(headers)
    decoded = headers.pop("x-amz-decoded-content-length", "")
    return aws_chunked.decode(body), int(decoded) if decoded.isascii() and decoded.isdigit() else None


def unframe(headers: dict[str, str]) -> None:
    """Take `aws-chunked` out of Content-Encoding."""
    codings = [coding.strip() for coding in headers.pop("content-encoding", "").split(",")]
    left = [coding for coding in codings if coding and coding != "aws-chunked"]
    if left:
        headers["content-encoding"] = ",".join(left)


def _signature(request: Outgoing, service: str, url: str, credentials: Credentials, region: str) -> dict[str, str]:
    """Return the headers that a signature consists of."""
    # Loaded with the first request that needs it: at rest the server has no AWS client.
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Keys

    class WithGivenHash(S3SigV4Auth):  # type: ignore[misc]
        def payload(self, _: AWSRequest) -> str:
            return request.headers["x-amz-content-sha256"]

    # What passes other hands on its way is left out: a proxy may change it.
    covered = {
        name: value
        for name, value in request.headers.items()
        if name.startswith("x-amz-") or name in {"content-type", "content-md5"}
    }
    target = f"{url}{request.path}" + (f"?{request.query}" if request.query else "")
    body = request.body if isinstance(request.body, bytes) else b""
    signing = AWSRequest(method=request.method, url=target, headers=covered, data=body)
    keys = Keys(credentials.access_key, credentials.secret_key, credentials.token)
    (WithGivenHash if service == "s3" else SigV4Auth)(keys, service, region).add_auth(signing)
    return {name.lower(): value for name, value in signing.headers.items()}
