"""Requests and responses as the engine sees them: HTTP without a server."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from lambent.domain.caller import Inside


class BodyTooLarge(Exception):
    """The body is beyond the operation's limit. It has been read and thrown away."""


class ClientGone(Exception):
    """The client left before its body was complete."""


async def _no_body() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece


async def _nothing() -> None:
    return


@dataclass(slots=True)
class WireRequest:
    """One HTTP request. The body has been read whole, within the operation's limit, or is taken by `stream`."""

    method: str
    path: str
    """Raw, still percent-encoded, beginning with a slash, without the query."""
    query: str = ""
    """Raw query string without the question mark."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name; repeated headers joined with `, `."""
    body: bytes = b""
    client: str = "127.0.0.1"
    """Address of whoever sent it."""
    inside: Inside | None = None
    """The execution environment that it comes from; None: from outside."""
    wait_gone: Callable[[], Awaitable[None]] | None = None
    """Returns when the client has left. To be called once the body is read; None: nobody can tell."""
    stream: Callable[[], AsyncIterator[bytes]] = _no_body
    """Returns the body as it comes, instead of reading it; once. Raises ClientGone."""
    discard: Callable[[], Awaitable[None]] = _nothing
    """Reads away what is left of the body, so that a client which is still sending gets to see an answer."""
    pairs: Sequence[tuple[bytes, bytes]] = ()
    """The headers as they were sent, names in lower case."""
    protocol: str = "HTTP/1.1"


class OutputWithHeaders(dict[str, Any]):
    """The output of an operation whose answer has headers beside those that the model knows."""

    __slots__ = ("headers",)

    def __init__(self, output: Mapping[str, Any], *headers: tuple[bytes, bytes]) -> None:
        super().__init__(output)
        self.headers = headers
        """Names in lower case."""


class BodyStream(Protocol):
    """
    A body that is sent as it comes, chunked where no content-length is given. Whoever sends it iterates over it once,
    and closes it in any case.
    """

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Say that no more is taken. Idempotent; also before the first piece was asked for."""
        ...


@runtime_checkable
class BodyInPieces(BodyStream, Protocol):
    """A body that also tells the pieces in which it came, so that nobody joins them only to send them."""

    async def take(self) -> list[bytes | bytearray]:
        """
        Return what has come, once there is something, none of the pieces empty; an empty list at the end. In the place
        of the iteration, which gives the same joined and ends as this does.
        """
        ...


@dataclass(slots=True)
class WireResponse:
    """One HTTP response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    """Lower-case names. No content-length: the gateway adds it, but for a stream whose length is known."""
    body: bytes | BodyStream = b""
    ends_with_client: bool = False
    """Whether a stream is closed as soon as its client has left, instead of being read to its end for nobody."""


def media_type(request: WireRequest) -> str:
    """Return the content type of a request in lower case, without its parameters; empty where it names none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
