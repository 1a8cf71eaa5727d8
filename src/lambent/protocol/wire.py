"""Requests and responses as the engine sees them: HTTP without a server."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lambent.domain.caller import Inside


@dataclass(slots=True)
class WireRequest:
    """One HTTP request. The body has been read whole, within the operation's limit."""

    method: str
    path: str
    """Raw, still percent-encoded, beginning with a slash, without the query."""
    query: str = ""
    """Raw query string without the question mark."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name; repeated headers joined with `, `."""
    body: bytes = b""
    inside: Inside | None = None
    """The execution environment that it comes from; None: from outside."""
    wait_gone: Callable[[], Awaitable[None]] | None = None
    """Returns when the client has left. To be called once the body is read; None: nobody can tell."""


class BodyStream(Protocol):
    """
    A body that is sent as it comes, chunked where no content-length is given. Whoever sends it iterates over it once,
    and closes it in any case.
    """

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Say that no more is taken. Idempotent; also before the first piece was asked for."""
        ...


@dataclass(slots=True)
class WireResponse:
    """One HTTP response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    """Lower-case names. No content-length: the gateway adds it, but for a stream whose length is known."""
    body: bytes | BodyStream = b""


def media_type(request: WireRequest) -> str:
    """Return the content type of a request in lower case, without its parameters; empty where it names none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
