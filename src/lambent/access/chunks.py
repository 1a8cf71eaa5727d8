"""
Signed `aws-chunked` bodies, verified as they pass. Pure: bytes go in; nothing is wrong, or `NotAsSigned` says what is.

The frame is that of `neighbours.aws_chunked`. Each chunk is signed together with the signature before it, the first
one with that of the request; the last, empty one ends the chain, so that nothing can be taken away, put in or swapped.

Documented: Amazon S3 API reference, Signature calculations for the Authorization header: transferring payload in
multiple chunks; the same with trailing headers. Measured against the examples there (test_chunks).
"""

import hashlib
import hmac
import re
from enum import Enum, auto

from lambent.access.sigv4 import ALGORITHM, EMPTY_SHA256, Signature

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_WITH_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_WITH_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
"""Values of x-amz-content-sha256."""

_LINE_MAX_BYTES = 16_384
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,10}")
_TRAILERS_MAX = 20


class NotAsSigned(Exception):
    """A body is not what was signed, or not framed as its header says."""


class _Expects(Enum):
    """What comes next in the frame."""

    SIZE = auto()
    """The line before a chunk."""
    DATA = auto()
    END_OF_DATA = auto()
    """The end of line behind a chunk."""
    TRAILER = auto()
    """A trailer, its signature, or the empty line that ends the body."""
    NOTHING = auto()


class SignedChunks:
    """
    One body on its way.

    Args:
        key: the signing key of the request.
        signature: the request's.
        has_trailer: whether trailers and a signature of them follow.
        decoded_bytes: how long the data is said to be; None: nothing was said.
    """

    def __init__(self, key: bytes, signature: Signature, *, has_trailer: bool, decoded_bytes: int | None) -> None:
        self._key = key
        self._context = f"{signature.timestamp}\n{signature.scope}"
        self._before = signature.signature
        self._has_trailer = has_trailer
        self._decoded_bytes = decoded_bytes
        self._expects = _Expects.SIZE
        self._line = bytearray()
        self._left = 0
        self._claimed = ""
        self._hash = hashlib.sha256()
        self._trailers: list[bytes] = []
        self._is_trailer_signed = False
        self.data_bytes = 0
        """How much data has passed."""

    def feed(self, piece: bytes) -> None:
        """
        Take the next bytes of the body. Where a chunk ends in them, it is verified before this returns.

        Raises:
            NotAsSigned: nothing of this piece may be used.
        """
        view = memoryview(piece)
        while view:
            if self._expects is _Expects.DATA:
                taken = view[: self._left]
                self._hash.update(taken)
                self._left -= len(taken)
                self.data_bytes += len(taken)
                view = view[len(taken) :]
                if not self._left:
                    self._end_chunk()
                    self._expects = _Expects.END_OF_DATA
                continue
            end = bytes(view[: _LINE_MAX_BYTES + 1]).find(b"\n")
            self._line += view if end < 0 else view[:end]
            if len(self._line) > _LINE_MAX_BYTES:
                raise NotAsSigned("a line of the frame is too long")
            if end < 0:
                return
            view = view[end + 1 :]
            line = bytes(self._line).removesuffix(b"\r")
            self._line.clear()
            self._take_line(line)

    def end(self) -> None:
        """
        Say that the body is over.

        Raises:
            NotAsSigned: something of it is missing.
        """
        if self._line and self._expects is _Expects.TRAILER:
            # Some clients leave out what ends the last line.
            self._take_line(bytes(self._line).removesuffix(b"\r"))
            self._line.clear()
        if self._line or self._expects not in {_Expects.TRAILER, _Expects.NOTHING}:
            raise NotAsSigned("the body ends in its frame")
        if self._has_trailer and not self._is_trailer_signed:
            raise NotAsSigned("the signature of the trailer is missing")
        if self._decoded_bytes is not None and self.data_bytes != self._decoded_bytes:
            raise NotAsSigned("x-amz-decoded-content-length is not how long the data is")

    def _take_line(self, line: bytes) -> None:
        if self._expects is _Expects.SIZE:
            self._begin_chunk(line)
        elif self._expects is _Expects.END_OF_DATA:
            if line:
                raise NotAsSigned("a chunk is longer than its size")
            self._expects = _Expects.SIZE
        elif self._expects is _Expects.TRAILER and line:
            self._take_trailer(line)
        elif self._expects is _Expects.TRAILER:
            self._expects = _Expects.NOTHING
        else:
            raise NotAsSigned("something follows the end of the body")

    def _begin_chunk(self, line: bytes) -> None:
        size, _, extension = line.partition(b";")
        name, _, claimed = extension.strip().partition(b"=")
        if _SIZE.fullmatch(size) is None or name != b"chunk-signature":
            raise NotAsSigned("a chunk has no size or no signature")
        self._left = int(size, 16)
        self._claimed = claimed.decode("latin-1")
        self._hash = hashlib.sha256()
        if self._left:
            self._expects = _Expects.DATA
        else:
            self._end_chunk()
            self._expects = _Expects.TRAILER

    def _end_chunk(self) -> None:
        self._check(f"{ALGORITHM}-PAYLOAD", f"{EMPTY_SHA256}\n{self._hash.hexdigest()}", self._claimed)

    def _take_trailer(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if not self._has_trailer or self._is_trailer_signed or len(self._trailers) >= _TRAILERS_MAX:
            raise NotAsSigned("there are trailers that were not announced")
        if name.lower() != b"x-amz-trailer-signature":
            self._trailers.append(b"%b:%b\n" % (name.strip().lower(), value.strip()))
            return
        digest = hashlib.sha256(b"".join(self._trailers)).hexdigest()
        self._check(f"{ALGORITHM}-TRAILER", digest, value.strip().decode("latin-1"))
        self._is_trailer_signed = True

    def _check(self, kind: str, digests: str, claimed: str) -> None:
        text = f"{kind}\n{self._context}\n{self._before}\n{digests}"
        made = hmac.digest(self._key, text.encode("latin-1"), "sha256").hex()
        if not hmac.compare_digest(made.encode(), claimed.encode("latin-1")):
            raise NotAsSigned("the signature of a chunk does not match")
        self._before = made
