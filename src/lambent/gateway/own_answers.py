"""What the gateway's own paths answer with: JSON, problems in one shape, and bodies that come piece by piece."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec

from lambent.protocol.wire import WireResponse

JSON = (b"content-type", b"application/json")


def answered(value: Any, status: int = 200) -> WireResponse:
    """Return an answer in JSON."""
    return WireResponse(status, [JSON], msgspec.json.encode(value))


def problem(status: int, text: str, code: str | None = None) -> WireResponse:
    """Return what says why there is no other answer."""
    return answered({"message": text} if code is None else {"code": code, "message": text}, status)


async def with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield a piece that was read ahead, and all others. Closes `rest` where that can be closed."""
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        close = getattr(rest, "aclose", None)
        if close is not None:
            await close()
