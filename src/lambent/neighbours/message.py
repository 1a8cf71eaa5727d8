"""Requests to neighbours, and their answers: HTTP, with bodies that are never in memory whole."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from lambent.errors.families import FrameworkError

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to one connection. `Expect` has been answered by the gateway, `Host` is made anew."""


class NeighbourUnavailable(FrameworkError):
    """A neighbour does not answer. SDKs back off and retry."""

    code = "ServiceUnavailable"
    status = 503


class AnswerTooLarge(Exception):
    """An answer that was to be read whole is longer than anybody expected."""


@dataclass(slots=True)
class Outgoing:
    """A request to a neighbour."""

    method: str
    path: str
    """Raw, percent-encoded; of S3 in path style."""
    query: str = ""
    """Raw, without the question mark."""
    headers: dict[str, str] = field(default_factory=dict)
    """By lower-case name, without those of one connection. Sent, and signed, in UTF-8."""
    body: bytes | AsyncIterator[bytes] = b""
    body_bytes: int | None = None
    """Of a body that comes piece by piece; None where nobody knows, and it is sent chunked."""
    host: str | None = None
    """As the caller sent it: for requests that go on with the caller's own signature."""
    is_own: bool = False
    """
    Whether the server itself asks, of something that nobody may read unsigned, or a session of its own does: where the
    neighbour has no credentials in the table it is signed all the same, for servers for development want a signature
    and look at none.
    """
    is_signed: bool = True
    """Whether the caller signed it, in whatever way. What nobody signed is not signed here either."""
    silence_s: float | None = None
    """How long the neighbour may say nothing; None: as long as any."""
    is_long_poll: bool = False
    """Whether the neighbour is to wait with its answer. Such requests have connections of their own."""


class Incoming(Protocol):
    """A neighbour's answer. Whoever got it reads it to its end, or closes it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    """Lower-case names, without those of one connection."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the body, once."""
        ...

    async def read(self, most_bytes: int) -> bytes:
        """
        Return the whole body.

        Raises:
            AnswerTooLarge: it is longer.
            NeighbourUnavailable: it broke off.
        """
        ...

    async def aclose(self) -> None:
        """Take no more. Idempotent."""
        ...


async def read_whole(pieces: AsyncIterable[bytes], most_bytes: int) -> bytes:
    """
    Return pieces put together.

    Raises:
        AnswerTooLarge: they are longer.
    """
    taken: list[bytes] = []
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > most_bytes:
            raise AnswerTooLarge
        taken.append(piece)
    return b"".join(taken)


def without_hops(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers that may go further."""
    given = dict(headers)
    hops = _HOP_BY_HOP | hops_named([given.get("connection", "")])
    return {name: value for name, value in given.items() if name not in hops}


def hops_named(connection: Iterable[str]) -> set[str]:
    """Return the headers that `Connection` names: they belong to one connection too. Documented: RFC 9110, 7.6.1."""
    return {name.strip().lower() for value in connection for name in value.split(",")}


def header(answer: Incoming, name: str) -> str:
    """Return an answer's header, empty where there is none."""
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in answer.headers if key == wanted), "")
