"""What was signed: method, path, query, headers, and the body, whole or as it passes."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from unit.access.signing import KEY, SECRETS, URL, World, presigned, signed

from lambent.errors.families import (
    ApiError,
    BodyNotAsSigned,
    InvalidPresignedUrl,
    InvalidSignature,
    UnsupportedSignature,
)
from lambent.protocol.wire import WireRequest


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.mark.parametrize("place", ["method", "path", "query", "header", "body", "region"])
def test_what_is_changed_on_its_way(world: World, place: str) -> None:
    """Anything else than what was signed, and the answer shows what should have been."""
    request = signed(headers={"X-Own": "one"})
    if place == "method":
        request.method = "PUT"
    elif place == "path":
        request.path = request.path.replace("/f/", "/g/")
    elif place == "query":
        request.query = "Qualifier=2"
    elif place == "header":
        request.pairs = [(name, b"two" if name == b"x-own" else value) for name, value in request.pairs]
    elif place == "body":
        request.body = b"[]"
    else:
        moved = request.headers["authorization"].replace("eu-west-1", "eu-west-2")
        request.headers = {**request.headers, "authorization": moved}
    refused = world.refusal(request, "lambda")
    assert isinstance(refused, InvalidSignature)
    assert refused.message.startswith("The request signature we calculated does not match the signature you provided.")
    assert "The Canonical String for this request should have been\n'" in refused.message
    assert request.headers["authorization"] not in refused.message
    assert SECRETS.of_key(KEY) not in refused.message


@pytest.mark.parametrize(
    ("trick", "is_same"),
    [
        ("/2015-03-31/functions/f/invocations/", False),
        ("/2015-03-31/functions/f%2Finvocations", False),
        ("/2015-03-31/functions/%66/invocations", False),
        ("/2015-03-31/functions/F/invocations", False),
        ("/2015-03-31/functions/x/../f/invocations", True),
        ("/2015-03-31//functions/f/invocations", True),
    ],
)
def test_tricks_with_paths(world: World, trick: str, is_same: bool) -> None:
    """What AWS takes for the same path is signed as one, but S3; no operation of ours is at the other spelling."""
    request = signed()
    request.path = trick
    if is_same:
        assert world.who(request, "lambda").name == "bob"
    else:
        assert isinstance(world.refusal(request, "lambda"), InvalidSignature)
    of_s3 = signed("s3", url="http://127.0.0.1:4566/2015-03-31/functions/f/invocations")
    of_s3.path = trick
    if "%66" in trick:
        # Some clients send characters otherwise than they have signed them: it is the same key.
        assert world.who(of_s3, "s3").name == "bob"
    else:
        assert isinstance(world.refusal(of_s3, "s3"), InvalidSignature)


def test_a_proxy_that_renames_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public host is tried where the one that came does not fit; any other is not."""
    world = World(monkeypatch, public_hosts=("other.example.com", "api.example.com"))
    request = signed(url="https://api.example.com/2015-03-31/functions/")
    request.pairs = [(name, b"inner:4566" if name == b"host" else value) for name, value in request.pairs]
    assert world.who(request, "lambda").name == "bob"
    without = World(monkeypatch, public_hosts=("other.example.com",))
    assert type(without.refusal(request, "lambda")) is InvalidSignature


def test_a_query_with_a_plus(world: World) -> None:
    """A client that writes a blank so has signed it as one."""
    request = signed(url=URL + "?Marker=a%20b")
    request.query = "Marker=a+b"
    assert world.who(request, "lambda").name == "bob"


@pytest.mark.parametrize("name", ["X-Amz-Credential", "X-Amz-Expires", "X-Amz-SignedHeaders"])
def test_names_in_a_query_are_as_they_are(world: World, name: str) -> None:
    """An encoded one was read by one and not by another: the region of a presigned URL was its holder's to choose."""
    request = presigned()
    request.query = request.query.replace(name, name.replace("e", "%65"))
    assert type(world.refusal(request, "lambda")) is InvalidPresignedUrl


def test_hashes_that_were_sent(world: World) -> None:
    """Where the hash of the body is in a header, the signature is known before the body, and the body has to fit."""
    digest = hashlib.sha256(b"{}").hexdigest()
    request = signed(headers={"X-Amz-Content-SHA256": digest})
    claim = asyncio.run(world.authenticator.begin(request, "lambda"))
    assert not claim.needs_body
    claim.check_body(b"{}")
    with pytest.raises(BodyNotAsSigned):
        claim.check_body(b"[]")
    assert asyncio.run(world.authenticator.begin(signed(), "lambda")).needs_body
    unsigned = signed(headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    unsigned.body = b"anything"
    assert world.who(unsigned, "lambda").name == "bob"
    for bad in ("x", digest.upper(), f"{digest}, {digest}", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
        assert type(world.refusal(signed(headers={"X-Amz-Content-SHA256": bad}), "lambda")) is UnsupportedSignature


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


def passed_on(world: World, request: WireRequest, *given: bytes) -> tuple[list[bytes], ApiError | None]:
    """Return what of a body passes, and what is said at its end."""

    async def watch() -> tuple[list[bytes], ApiError | None]:
        claim = await world.authenticator.begin(request, "s3")
        passed = []
        try:
            async for piece in claim.watch_body(pieces(*given)):
                passed.append(piece)
        except ApiError as error:
            return passed, error
        return passed, None

    return asyncio.run(watch())


def test_a_body_that_passes(world: World) -> None:
    """Its last piece is kept back until its hash is known to be the one that was signed."""
    request = signed("s3", method="PUT", url="http://127.0.0.1:4566/media/key", body=b"onetwothree")
    assert passed_on(world, request, b"one", b"", b"two", b"three") == ([b"one", b"two", b"three"], None)
    for other in ((b"one", b"two", b"thref"), (b"one", b"two"), (b"one", b"two", b"three", b"x"), ()):
        passed, error = passed_on(world, request, *other)
        assert passed == list(other[:-1])
        assert isinstance(error, BodyNotAsSigned)
    empty = signed("s3", method="PUT", url="http://127.0.0.1:4566/media/key", body=b"")
    assert passed_on(world, empty) == ([], None)
    assert isinstance(passed_on(world, empty, b"x")[1], BodyNotAsSigned)


def in_chunks(world: World, *data: bytes) -> tuple[WireRequest, bytes]:
    """Return a request with a body of signed chunks, and the body."""
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

    class Streaming(S3SigV4Auth):  # type: ignore[misc]
        def payload(self, _: AWSRequest) -> str:
            return kind

    length = str(sum(map(len, data)))
    request = signed(
        "s3",
        method="PUT",
        url="http://127.0.0.1:4566/media/key",
        body=b"",
        headers={"x-amz-decoded-content-length": length, "content-encoding": "aws-chunked"},
        signer=Streaming,
    )
    signer = SigV4Auth(Credentials(KEY, SECRETS.of_key(KEY)), "s3", "eu-west-1")
    before, body = request.headers["authorization"].rpartition("=")[2], b""
    scope = "20261118/eu-west-1/s3/aws4_request"
    for chunk in (*data, b""):
        text = "\n".join(
            [
                "AWS4-HMAC-SHA256-PAYLOAD", request.headers["x-amz-date"], scope, before,
                hashlib.sha256(b"").hexdigest(), hashlib.sha256(chunk).hexdigest(),
            ]
        )  # fmt: skip
        awaited = AWSRequest("PUT", "http://x")
        awaited.context["timestamp"] = request.headers["x-amz-date"]
        before = signer.signature(text, awaited)
        body += b"%x;chunk-signature=%b\r\n%b" % (len(chunk), before.encode(), chunk + b"\r\n" if chunk else b"")
    return request, body + b"\r\n"


def test_a_body_of_signed_chunks(world: World) -> None:
    """As botocore's own keys sign them; nothing from the last of the data on passes before its end was verified."""
    request, body = in_chunks(world, b"a" * 100, b"b" * 50)
    cut = body.index(b"\r\n0;") + 2
    passed, error = passed_on(world, request, body[:60], body[60:cut], body[cut:-2], body[-2:])
    assert error is None and b"".join(passed) == body
    tampered = body.replace(b"bbbb", b"bcbb", 1)
    passed, error = passed_on(world, request, tampered[:60], tampered[60:cut], tampered[cut:])
    assert isinstance(error, InvalidSignature) and passed == []
    forged = body[:-10] + b"00000000\r\n"
    passed, error = passed_on(world, request, forged[:60], forged[60:cut], forged[cut:])
    assert isinstance(error, InvalidSignature) and passed == [forged[:60]]
    request.body = body
    assert world.who(request, "s3").name == "bob"
    request.body = tampered
    assert type(world.refusal(request, "s3")) is InvalidSignature
