"""Signed bodies in chunks: S3's own examples come out, and nothing else passes."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.access.chunks import NotAsSigned, SignedChunks
from lambent.access.sigv4 import (
    Signature,
    canonical_request,
    is_signed_by,
    read_signature,
    signing_key,
    string_to_sign,
)

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SIGNING_KEY = signing_key(SECRET, "20130524", "us-east-1", "s3")
DATA = b"a" * (65536 + 1024)

# Documented: Amazon S3 API reference, the two examples of chunked uploads.
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
PLAIN = [
    (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
]
SEED_OF_TRAILER = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
WITH_TRAILER = [
    (65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
    (1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
    (0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
]
TRAILER = b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
TRAILER_SIGNATURE = b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"


def framed(chunks: list[tuple[int, str]], *, trailers: bytes = b"") -> bytes:
    body = b"".join(
        b"%x;chunk-signature=%b\r\n%b" % (size, signature.encode(), b"a" * size + b"\r\n" if size else b"")
        for size, signature in chunks
    )
    return body + trailers + b"\r\n"


BODY = framed(PLAIN)
BODY_WITH_TRAILER = framed(WITH_TRAILER, trailers=TRAILER + TRAILER_SIGNATURE)


def signature_of(seed: str) -> Signature:
    names = (
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
        "x-amz-storage-class"
    )
    found = read_signature(
        {
            "authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20130524/us-east-1/s3/aws4_request,"
            f"SignedHeaders={names},Signature={seed}",
            "x-amz-date": "20130524T000000Z",
        },
        "",
    )
    assert found is not None
    return found


def take(body: bytes, *, piece: int = 4096, has_trailer: bool = False, decoded: int | None = len(DATA)) -> None:
    seed = SEED_OF_TRAILER if has_trailer else SEED
    chunks = SignedChunks(SIGNING_KEY, signature_of(seed), has_trailer=has_trailer, decoded_bytes=decoded)
    for start in range(0, len(body), piece):
        chunks.feed(body[start : start + piece])
    chunks.end()


def test_the_seed_of_the_example() -> None:
    """The request of the example is signed as its documentation says."""
    pairs = [
        (b"host", b"s3.amazonaws.com"),
        (b"x-amz-date", b"20130524T000000Z"),
        (b"x-amz-storage-class", b"REDUCED_REDUNDANCY"),
        (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        (b"content-encoding", b"aws-chunked"),
        (b"x-amz-decoded-content-length", b"66560"),
        (b"content-length", b"66824"),
    ]
    signature = signature_of(SEED)
    path = "/examplebucket/chunkObject.txt"
    canonical = canonical_request(signature, "PUT", path, "", pairs, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    assert is_signed_by(SIGNING_KEY, string_to_sign(signature, canonical), SEED)


@pytest.mark.parametrize("piece", [1, 7, 4096, 65536, 1 << 20])
def test_the_examples_pass(piece: int) -> None:
    """However they come in pieces; and the signature of the trailer is its own."""
    assert len(BODY) == 66824
    take(BODY, piece=piece)
    take(BODY_WITH_TRAILER, piece=piece, has_trailer=True)
    take(BODY[:-2], piece=piece)
    take(BODY_WITH_TRAILER[:-4], piece=piece, has_trailer=True)


def others() -> Iterator[tuple[str, bytes, bool]]:
    """Yield bodies that are not what was signed."""
    first, second, last = (framed([chunk])[:-2] for chunk in PLAIN)
    yield "another byte", BODY.replace(b"aaaa", b"aaba", 1), False
    yield "chunks swapped", second + first + last + b"\r\n", False
    yield "a chunk left out", first + last + b"\r\n", False
    yield "a chunk twice", first + first + second + last + b"\r\n", False
    yield "cut off behind a chunk", first + second, False
    yield "cut off in a chunk", BODY[:1000], False
    yield "cut off in the last signature", BODY[:-10], False
    yield "more behind it", BODY + b"1;chunk-signature=0\r\na\r\n", False
    yield "without signatures", b"5\r\naaaaa\r\n0\r\n\r\n", False
    yield "a size that is none", BODY.replace(b"10000;", b"0x10000;"), False
    yield "a trailer nobody announced", BODY[:-2] + TRAILER + b"\r\n", False
    yield "a trailer changed", BODY_WITH_TRAILER.replace(b"sOO8", b"sOO9"), True
    yield "a trailer left out", BODY_WITH_TRAILER.replace(TRAILER, b""), True
    yield "no signature of the trailer", BODY_WITH_TRAILER.replace(TRAILER_SIGNATURE, b""), True
    yield "a trailer behind its signature", BODY_WITH_TRAILER[:-2] + TRAILER + b"\r\n", True
    yield "too many trailers", BODY_WITH_TRAILER.replace(TRAILER, TRAILER * 30), True
    yield "a line without an end", b"1" * 100_000, False
    yield "nothing", b"", False


@pytest.mark.parametrize(("body", "has_trailer"), [pytest.param(b, t, id=name) for name, b, t in others()])
def test_what_is_not_as_it_was_signed(body: bytes, has_trailer: bool) -> None:
    """Refused, whatever the pieces are that it comes in."""
    for piece in (13, 1 << 20):
        with pytest.raises(NotAsSigned):
            take(body, piece=piece, has_trailer=has_trailer, decoded=None)


def test_a_length_that_is_another() -> None:
    """What the header says of the data has to be so."""
    with pytest.raises(NotAsSigned, match="decoded-content-length"):
        take(BODY, decoded=5)


@given(st.binary(max_size=200))
def test_anything_else(body: bytes) -> None:
    """Bytes of any kind are refused, and nothing worse."""
    with pytest.raises(NotAsSigned):
        take(body, piece=7, decoded=None)


def test_a_chunk_is_verified_with_its_last_byte() -> None:
    """Whoever passes pieces on after each `feed` has passed on no whole chunk that is another."""
    chunks = SignedChunks(SIGNING_KEY, signature_of(SEED), has_trailer=False, decoded_bytes=None)
    head, end = BODY[: BODY.index(b"a\r\n")], b"b"
    chunks.feed(head)
    with pytest.raises(NotAsSigned):
        chunks.feed(end)
