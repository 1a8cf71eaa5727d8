"""Requests signed anew: as a server that checks signatures would sign them itself."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys

from lambent.neighbours.endpoints import Credentials
from lambent.neighbours.message import Outgoing
from lambent.neighbours.signing import is_presigned, sign, without_signature

URL = "http://s3.example:9000"
OURS = Credentials("OURKEY", "our-secret", region="eu-west-1")


async def body_of(text: bytes) -> AsyncIterator[bytes]:
    yield text


def read(request: Outgoing) -> bytes:
    async def collect() -> bytes:
        assert not isinstance(request.body, bytes)
        return b"".join([piece async for piece in request.body])

    return request.body if isinstance(request.body, bytes) else asyncio.run(collect())


def check_signature(request: Outgoing, service: str) -> None:
    """Compute the signature from the request as it leaves, as its receiver does, and compare."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=OURKEY/\d{8}/eu-west-1/([\w-]+)/aws4_request, SignedHeaders=([\w;-]+), "
        r"Signature=([0-9a-f]{64})",
        request.headers["authorization"],
    )
    assert found is not None and found[1] == service
    names = found[2].split(";")
    assert "host" in names and {name for name in request.headers if name.startswith("x-amz-")} <= set(names)
    base = S3SigV4Auth if service == "s3" else SigV4Auth

    class Receiver(base):  # type: ignore[misc, valid-type]
        def payload(self, _: AWSRequest) -> str:
            return request.headers.get("x-amz-content-sha256") or str(super().payload(_))

    auth = Receiver(Keys(OURS.access_key, OURS.secret_key), service, "eu-west-1")
    headers = {name: value for name, value in request.headers.items() if name in names}
    target = f"{URL}{request.path}?{request.query}"
    checked = AWSRequest(request.method, target, headers, request.body if isinstance(request.body, bytes) else b"")
    checked.context["timestamp"] = request.headers["x-amz-date"]
    text = auth.string_to_sign(checked, auth.canonical_request(checked))
    assert auth.signature(text, checked) == found[3]


def test_a_signed_upload_gets_a_signature_of_ours() -> None:
    """The caller's goes; the hash that the caller gave stays."""
    request = Outgoing(
        "PUT",
        "/media/a%20b/c+d%2Be.txt",
        headers={
            "authorization": "AWS4-HMAC-SHA256 Credential=x",
            "x-amz-date": "20200101T000000Z",
            "x-amz-security-token": "theirs",
            "x-amz-content-sha256": "ab" * 32,
            "x-amz-meta-who": "me",
            "content-type": "text/plain",
            "user-agent": "sdk",
        },
        body=body_of(b"hello"),
        body_bytes=5,
    )
    signed = sign(request, "s3", URL, OURS, "us-east-1")
    check_signature(signed, "s3")
    assert signed.headers["x-amz-content-sha256"] == "ab" * 32
    assert signed.headers["x-amz-date"] != "20200101T000000Z"
    assert "x-amz-security-token" not in signed.headers
    assert signed.path == "/media/a%20b/c%2Bd%2Be.txt"
    assert (read(signed), signed.body_bytes) == (b"hello", 5)


def test_a_presigned_url_becomes_a_signed_request() -> None:
    """What belongs to the signature leaves the URL, what belongs to the request stays."""
    query = (
        "response-content-type=text%2Fplain&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x&X-Amz-Date=y"
        "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=z&versionId=a b"
    )
    signed = sign(Outgoing("GET", "/media/key", query), "s3", URL, OURS, "us-east-1")
    check_signature(signed, "s3")
    assert signed.query == "response-content-type=text%2Fplain&versionId=a%20b"
    assert signed.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"


def test_signed_chunks_lose_their_signatures() -> None:
    """They follow from the caller's key."""
    framed = b"5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\n\r\n"
    headers = {
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": "5",
        "content-encoding": "gzip,aws-chunked",
        "content-length": str(len(framed)),
    }
    request = Outgoing("PUT", "/media/key", headers=headers, body=body_of(framed), body_bytes=len(framed))
    signed = sign(request, "s3", URL, OURS, "us-east-1")
    check_signature(signed, "s3")
    assert (read(signed), signed.body_bytes) == (b"hello", 5)
    assert signed.headers["content-encoding"] == "gzip"


def test_signed_chunks_with_a_trailer_keep_it() -> None:
    """The neighbour checks the checksum in it."""
    framed = (
        b"5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\nx-amz-checksum-crc32:NhCmhg==\r\n"
        b"x-amz-trailer-signature:00\r\n\r\n"
    )
    headers = {
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
    }
    request = Outgoing("PUT", "/media/key", headers=headers, body=body_of(framed), body_bytes=len(framed))
    signed = sign(request, "s3", URL, OURS, "us-east-1")
    check_signature(signed, "s3")
    assert signed.headers["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert (read(signed), signed.body_bytes) == (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", None)


def test_other_services_hash_the_body() -> None:
    """None but S3 takes a body whose hash it does not know."""
    headers = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
    signed = sign(Outgoing("POST", "/", headers=headers, body=b"{}"), "dynamodb", URL, OURS, "us-east-1")
    check_signature(signed, "dynamodb")


@pytest.mark.parametrize(
    ("query", "is_it"),
    [
        ("X-Amz-Signature=a", True),
        ("AWSAccessKeyId=a&Expires=1&Signature=b", True),
        ("Signature=b", False),
        ("acl", False),
        ("", False),
    ],
)
def test_what_a_signed_url_is(query: str, is_it: bool) -> None:
    """Both versions are known by their parameters."""
    assert is_presigned(query) is is_it


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("b=1&X-Amz-Date=x&a=%2f&uploads", "b=1&a=%2f&uploads"),
        ("AWSAccessKeyId=a&b=1&Expires=1&Signature=b", "b=1"),
        # Not a presigned URL: these belong to the request.
        ("expires=1&b=1&signature=c", "expires=1&b=1&signature=c"),
    ],
)
def test_a_query_without_its_signature(query: str, left: str) -> None:
    """The order and the spelling of the rest stay."""
    assert without_signature(query) == left


@pytest.mark.parametrize(
    ("service", "path", "expected"),
    [
        ("s3", "/media/a%2Fb!c", "/media/a/b%21c"),
        ("execute-api", "/tags/arn%3aaws%2Fx/a b", "/tags/arn%3Aaws%2Fx/a%20b"),
        ("execute-api", "/a//b/", "/a//b/"),
    ],
)
def test_a_slash_in_a_segment(service: str, path: str, expected: str) -> None:
    """It is part of a value, but in S3, where it is the same as any other."""
    signed = sign(Outgoing("GET", path), service, URL, OURS, "us-east-1")
    check_signature(signed, service)
    assert signed.path == expected
