"""Bodies of requests to HTTP APIs, and of the answers to them, on their way."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from lambent.domain.api_request import ApiRequest
from lambent.gateway.http_api_proxy import PAYLOAD_MAX_BYTES
from lambent.protocol.wire import BodyStream, BodyTooLarge, WireResponse

ReadBody = Callable[[int], Awaitable[bytes]]


async def leave_body(response: WireResponse) -> None:
    """Send nothing behind the head."""
    if not isinstance(response.body, bytes):
        await response.body.aclose()
    response.headers = [header for header in response.headers if header[0] != b"content-length"]
    response.body, response.ends_with_client = b"", False


class LoggedBody:
    """A body on its way; counts its bytes, and has the access log written once it is over."""

    def __init__(self, body: BodyStream, request: ApiRequest, write: Callable[[], None]) -> None:
        self._body = body
        self._pieces = aiter(body)
        self._request = request
        self._write: Callable[[], None] | None = write

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await anext(self._pieces)
        self._request.response_bytes += len(piece)
        return piece

    async def aclose(self) -> None:
        write, self._write = self._write, None
        try:
            await self._body.aclose()
        finally:
            if write is not None:
                write()


class RequestBody:
    """The body of one request, which is read once: by what answers, or away."""

    def __init__(self, read: ReadBody) -> None:
        self._read = read
        self._is_read = False
        self.size_bytes = 0
        """What was read of it."""

    async def read(self) -> bytes:
        """Return it. Raises BodyTooLarge, ClientGone."""
        self._is_read = True
        body = await self._read(PAYLOAD_MAX_BYTES)
        self.size_bytes = len(body)
        return body

    async def discard(self) -> None:
        """Read it away, unless it was read: a client that is still sending would see a reset instead of the answer."""
        if not self._is_read:
            self._is_read = True
            with contextlib.suppress(BodyTooLarge):
                await self._read(0)
