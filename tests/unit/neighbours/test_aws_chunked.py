"""Framed bodies: what is in them comes out whole, wherever the pieces end, and what is broken is refused."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.neighbours.aws_chunked import MalformedBody, decode, unsign

SIGNATURE = b";chunk-signature=" + b"0" * 64


def framed(chunks: list[bytes], trailers: bytes = b"", signature: bytes = b"") -> bytes:
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), signature, chunk) for chunk in chunks)
    return body + b"0" + signature + b"\r\n" + trailers + b"\r\n"


async def pieces_of(body: bytes, size: int) -> AsyncIterator[bytes]:
    for begin in range(0, len(body), size):
        yield body[begin : begin + size]


def through(step: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]], body: bytes, size: int = 7) -> bytes:
    async def collect() -> bytes:
        return b"".join([piece async for piece in step(pieces_of(body, size))])

    return asyncio.run(collect())


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.integers(1, 400), st.booleans())
def test_what_was_framed_comes_out(chunks: list[bytes], size: int, is_signed: bool) -> None:
    """Data may hold anything that looks like a frame."""
    body = framed(chunks, signature=SIGNATURE if is_signed else b"")
    assert through(decode, body, size) == b"".join(chunks)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.integers(1, 400))
def test_signatures_go_and_the_rest_stays(chunks: list[bytes], size: int) -> None:
    """The checksum in the trailer stays, its signature goes."""
    checksum = b"x-amz-checksum-crc32:AAAAAA==\r\n"
    signed = framed(chunks, checksum + b"x-amz-trailer-signature:" + b"0" * 64 + b"\r\n", SIGNATURE)
    assert through(unsign, signed, size) == framed(chunks, checksum)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5\r\nhel",
        b"5\r\nhello",
        b"5\r\nhelloworld\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"zz\r\n",
        b"fffffffffff\r\n",
        b"0" * 40_000,
        b"0\r\n" + b"a:b\r\n" * 30 + b"\r\n",
    ],
)
def test_what_is_broken_is_refused(body: bytes) -> None:
    """Nothing of a frame is guessed."""
    with pytest.raises(MalformedBody):
        through(decode, body)


def test_the_last_empty_line_may_be_missing() -> None:
    """Some clients end with the trailer."""
    assert through(decode, b"2\r\nab\r\n0\r\nx-amz-checksum-crc32:AA\r\n") == b"ab"
    assert through(decode, b"2\r\nab\r\n0\r\n") == b"ab"
