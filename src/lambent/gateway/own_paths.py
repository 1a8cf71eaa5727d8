"""The gateway's own paths, below `/_lambent/`."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import msgspec

from lambent.access.links import CodeLinks
from lambent.protocol.wire import WireRequest, WireResponse
from lambent.store.contract import Blobs

PREFIX = "/_lambent/"

_JSON = (b"content-type", b"application/json")


class OwnPaths:
    """
    Health, and downloads of deployment packages by signed link.

    Args:
        health: returns what `/_lambent/health` shows, awaited.
    """

    def __init__(self, blobs: Blobs, links: CodeLinks, health: Callable[[], Any]) -> None:
        self._blobs = blobs
        self._links = links
        self._health = health

    async def answer(self, request: WireRequest) -> WireResponse:
        """Answer a request whose path begins with `/_lambent/`."""
        rest = request.path[len(PREFIX) :]
        if request.method not in {"GET", "HEAD"}:
            return _problem(405, "only GET is answered here")
        if rest == "health":
            return WireResponse(200, [_JSON], msgspec.json.encode(await self._health()))
        if rest.startswith("code/"):
            return await self._code(rest[len("code/") :], request)
        return _problem(404, f"there is no {PREFIX}{rest[:100]}")

    async def _code(self, sha256: str, request: WireRequest) -> WireResponse:
        if not self._links.verify(sha256, request.query):
            return _problem(403, "this link is not valid or has expired: ask GetFunction for a new one")
        try:
            chunks = self._blobs.open(sha256)
            first = await anext(chunks)
        except KeyError:
            return _problem(404, "this package is gone")
        except StopAsyncIteration:
            return WireResponse(200, [(b"content-type", b"application/zip")], b"")
        body = b"" if request.method == "HEAD" else _with_first(first, chunks)
        return WireResponse(200, [(b"content-type", b"application/zip")], body)


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _problem(status: int, text: str) -> WireResponse:
    return WireResponse(status, [_JSON], msgspec.json.encode({"message": text}))
