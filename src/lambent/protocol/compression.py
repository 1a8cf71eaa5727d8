"""Request bodies that clients have compressed: what they unpack to, within a limit."""

import zlib

from lambent.errors.families import RequestEntityTooLargeException, SerializationException
from lambent.protocol.wire import WireRequest

_GZIP = 16 + zlib.MAX_WBITS
"""Source: zlib manual, inflateInit2: with a header and a trailer of gzip."""


def is_compressed(request: WireRequest) -> bool:
    """Say whether a body is to be unpacked. Documented: Smithy, requestCompression: gzip comes last, if at all."""
    return request.headers.get("content-encoding", "").rpartition(",")[2].strip().lower() == "gzip"


def unpack(body: bytes, max_bytes: int) -> bytes:
    """
    Return what a body unpacks to. It takes no more memory than that, whatever the body says.

    Raises:
        SerializationException: it is none, or not whole.
        RequestEntityTooLargeException: it would unpack to more than `max_bytes`.
    """
    inflater = zlib.decompressobj(_GZIP)
    try:
        unpacked = inflater.decompress(body, max_bytes + 1)
    except zlib.error as malformed:
        raise SerializationException("The body is not compressed as its content encoding says.") from malformed
    if len(unpacked) > max_bytes:
        raise RequestEntityTooLargeException(f"Request must be smaller than {max_bytes} bytes when it is unpacked")
    if not inflater.eof or inflater.unused_data:
        raise SerializationException("The body is not compressed as its content encoding says.")
    return unpacked
