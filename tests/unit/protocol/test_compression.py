"""Bodies compressed by gzip: whole, within a limit, and nothing else."""

import gzip

import pytest

from lambent.errors.families import RequestEntityTooLargeException, SerializationException
from lambent.protocol.compression import is_compressed, unpack
from lambent.protocol.wire import WireRequest


def test_what_was_packed_comes_out() -> None:
    assert unpack(gzip.compress(b"x" * 1_000), 1_000) == b"x" * 1_000


def test_a_small_body_that_would_become_a_large_one_is_refused() -> None:
    """Before it has become one."""
    with pytest.raises(RequestEntityTooLargeException):
        unpack(gzip.compress(b"x" * 1_001), 1_000)
    with pytest.raises(RequestEntityTooLargeException):
        unpack(gzip.compress(bytes(50_000_000)), 1_000)


@pytest.mark.parametrize("body", [b"", b"{}", gzip.compress(b"x")[:-1], gzip.compress(b"x") + b"x"])
def test_half_a_body_is_none(body: bytes) -> None:
    with pytest.raises(SerializationException):
        unpack(body, 1_000)


@pytest.mark.parametrize(
    ("coding", "expected"), [("gzip", True), ("aws-chunked, GZIP", True), ("br", False), ("", False)]
)
def test_the_coding_that_was_put_on_last_counts(coding: str, expected: bool) -> None:
    headers = {"content-encoding": coding} if coding else {}
    assert is_compressed(WireRequest("POST", "/", headers=headers)) is expected
