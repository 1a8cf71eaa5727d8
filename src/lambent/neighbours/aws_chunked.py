"""
`aws-chunked` bodies, piece by piece: the frame that AWS's SDKs put round a body whose signature or checksum follows it.

    <size in hex>[;chunk-signature=<signature>] CRLF  <data> CRLF   ... as often as wanted
    0[;chunk-signature=<signature>] CRLF  [<trailer>: <value> CRLF ...]  CRLF

Documented: Amazon S3 API reference, Signature calculations for the Authorization header: transferring payload in
multiple chunks; the same with trailing headers.
"""

from collections.abc import AsyncIterator

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_WITH_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_WITH_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
"""Values of x-amz-content-sha256."""

_LINE_MAX_BYTES = 16_384
_SIZE_MAX_DIGITS = 10
_TRAILERS_MAX = 20


class MalformedBody(Exception):
    """The body is not framed as its header says."""


async def decode(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """
    Yield the data without its frame; trailers are dropped.

    Raises:
        MalformedBody: the frame is broken, or the body ends in it.
    """
    reader = _Reader(body)
    while size := _size_of(await reader.line()):
        async for piece in reader.exactly(size):
            yield piece
        await reader.end_of_chunk()
    async for _ in reader.trailers():
        pass


async def unsign(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """
    Yield the same body without the signatures of chunks and of the trailer, which fit the sender's own key alone.

    Raises:
        MalformedBody: as of `decode`.
    """
    reader = _Reader(body)
    while size := _size_of(await reader.line()):
        yield b"%x\r\n" % size
        async for piece in reader.exactly(size):
            yield piece
        await reader.end_of_chunk()
        yield b"\r\n"
    yield b"0\r\n"
    async for line in reader.trailers():
        if not line.lower().startswith(b"x-amz-trailer-signature"):
            yield line + b"\r\n"
    yield b"\r\n"


def _size_of(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        if len(digits) > _SIZE_MAX_DIGITS or not digits.isalnum():
            raise ValueError
        return int(digits, 16)
    except ValueError:
        raise MalformedBody("a chunk has no size") from None


class _Reader:
    """Takes lines and runs of bytes off a stream."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._held = b""

    async def line(self) -> bytes:
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > _LINE_MAX_BYTES:
                raise MalformedBody("a line is too long")
            if not await self._more():
                raise MalformedBody("the body ends in its frame")
        line, self._held = self._held[:end], self._held[end + 1 :]
        return line.rstrip(b"\r")

    async def exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            if not self._held and not await self._more():
                raise MalformedBody("the body ends in a chunk")
            piece, self._held = self._held[:size], self._held[size:]
            size -= len(piece)
            yield piece

    async def end_of_chunk(self) -> None:
        if await self.line():
            raise MalformedBody("a chunk is longer than its size")

    async def trailers(self) -> AsyncIterator[bytes]:
        """Yield the lines after the last chunk. Some clients leave the empty line at their end out."""
        for _ in range(_TRAILERS_MAX):
            if b"\n" not in self._held and not await self._more():
                if self._held:
                    yield self._held.rstrip(b"\r")
                return
            line = await self.line()
            if not line:
                return
            yield line
        raise MalformedBody("there are too many trailers")

    async def _more(self) -> bool:
        async for piece in self._body:
            if piece:
                self._held += piece
                return True
        return False
