"""Sends requests to neighbours, and their answers back, piece by piece."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from lambent.domain.caller import Scope
from lambent.errors.families import NotImplementedException
from lambent.neighbours.embedded import NOT_INSTALLED, EmbeddedServer
from lambent.neighbours.endpoints import Credentials, Endpoints, Neighbour
from lambent.neighbours.message import Incoming, NeighbourUnavailable, Outgoing, hops_named, read_whole
from lambent.neighbours.signing import sign

if TYPE_CHECKING:
    import aiohttp

_CONNECT_S = 10.0
"""How long a request waits for a connection: for one to become free, and for it to be made."""
_SILENCE_S = 300.0
"""How long a neighbour may say nothing. Assumed: putting a large upload together takes minutes, not more."""
_CONNECTIONS_MAX = 256
"""To one neighbour at once; what is beyond waits for so long, within the limit of requests."""
_LONG_POLLS_MAX = 1_000
"""To one neighbour at once; what is beyond waits for its turn, as long as that takes."""
_PIECE_BYTES = 262_144

_DROPPED = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "date", "server"})
"""Headers of answers that the gateway says itself, or that belong to one connection."""

_SIGNING_NAMES = {"dynamodbstreams": "dynamodb"}


class Neighbours:
    """
    Reaches the neighbours of the table.

    Nothing heavy is loaded before the first request goes out. To be closed.
    """

    def __init__(self, endpoints: Endpoints, embedded: EmbeddedServer) -> None:
        self._endpoints = endpoints
        self._embedded = embedded
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    def of(self, service: str) -> Neighbour | None:
        """Return where a service is, None where it is not offered."""
        return self._endpoints.of(service)

    async def send(self, neighbour: Neighbour, request: Outgoing, scope: Scope) -> Incoming:
        """
        Send a request; return when the head of the answer is there.

        Whoever calls reads the answer or closes it. Cancelled, or when a body that comes piece by piece raises, the
        request breaks off; what the neighbour made of it is unknown, as with any request that breaks off.

        Args:
            scope: account and region that the request counts as; the embedded server keeps them apart.

        Raises:
            NotImplementedException: it is the embedded server's, which is not installed.
            NeighbourUnavailable: it cannot be reached, does not answer, or breaks off.
            MalformedBody: an `aws-chunked` body is not one.
        """
        if neighbour.url is None:
            if not self._embedded.is_installed():
                raise NotImplementedException(
                    f"{neighbour.service} is not offered by this version of Lambent: {NOT_INSTALLED}, or name a "
                    f"server: --neighbour {neighbour.service}=URL"
                )
            await self._embedded.ensure_running()
            request = self._embedded.addressed(request, neighbour.service, scope)
            session, url = self._session(None), "http://embedded"
        else:
            url = neighbour.url
            if neighbour.credentials is not None:
                if request.is_signed:
                    signing = _SIGNING_NAMES.get(neighbour.service, neighbour.service)
                    request = sign(request, signing, url, neighbour.credentials, scope.region)
            elif request.is_own:
                # Some tell accounts apart by the access key.
                signing = _SIGNING_NAMES.get(neighbour.service, neighbour.service)
                request = sign(request, signing, url, Credentials(scope.account, "none"), scope.region)
            elif request.host is not None:
                # The caller's signature covers the host that it named.
                request.headers["host"] = request.host
            session = self._session(url, is_for_polls=request.is_long_poll)
        try:
            return await self._send(session, url, request)
        except NeighbourUnavailable as error:
            raise NeighbourUnavailable(f"{neighbour.service}: {error.message}") from error

    async def close(self) -> None:
        """Drop all connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def _send(self, session: "aiohttp.ClientSession", url: str, request: Outgoing) -> Incoming:
        import aiohttp
        from yarl import URL

        headers = dict(request.headers)
        body: Any = None
        upload = None
        if isinstance(request.body, bytes):
            body = request.body
            headers["content-length"] = str(len(body))
        else:
            body = upload = _Upload(request.body)
            if request.body_bytes is not None:
                headers["content-length"] = str(request.body_bytes)
            else:
                headers.pop("content-length", None)
        target = f"{url}{request.path}" + (f"?{request.query}" if request.query else "")
        timeout = aiohttp.ClientTimeout(
            total=None,
            # The turns of long polls take as long as they do.
            connect=None if request.is_long_poll else _CONNECT_S,
            sock_connect=_CONNECT_S,
            sock_read=request.silence_s or _SILENCE_S,
        )
        try:
            answer = await session.request(
                request.method,
                URL(target, encoded=True),
                headers=headers,
                data=body or None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                chunked=True if upload is not None and request.body_bytes is None else None,
                timeout=timeout,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if upload is not None and upload.failure is not None:
                # It was not the neighbour that broke off.
                raise upload.failure from None
            raise NeighbourUnavailable(f"the neighbour does not answer ({error or type(error).__name__})") from error
        return _Answer(answer)

    def _session(self, url: str | None, *, is_for_polls: bool = False) -> "aiohttp.ClientSession":
        name = f"{url or ''} {is_for_polls}"
        session = self._sessions.get(name)
        if session is None:
            most = _LONG_POLLS_MAX if is_for_polls else _CONNECTIONS_MAX
            socket = None if url is not None else self._embedded.socket_path
            session = self._sessions[name] = _new_session(socket, most)
        return session


def _new_session(socket: str | None, connections_max: int) -> "aiohttp.ClientSession":
    import aiohttp

    connector: aiohttp.BaseConnector
    if socket is None:
        connector = aiohttp.TCPConnector(limit=connections_max)
    else:
        # One request per connection: a process that ends takes no request down with a connection kept open.
        connector = aiohttp.UnixConnector(socket, limit=connections_max, force_close=True)
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=_PIECE_BYTES,
        max_line_size=65_536,
        max_field_size=65_536,
    )


class _Upload:
    """A body on its way; keeps what went wrong on our side of it."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self.failure: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._body:
                yield piece
        except Exception as error:
            self.failure = error
            raise


class _Answer:
    """Implements `Incoming` over aiohttp."""

    def __init__(self, response: "aiohttp.ClientResponse") -> None:
        self._response = response
        self.status = response.status
        dropped = _DROPPED | hops_named(response.headers.getall("connection", []))
        self.headers = [
            (name.lower(), value)
            for name, value in response.raw_headers
            if name.decode("latin-1").lower() not in dropped
        ]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        import aiohttp

        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NeighbourUnavailable(f"the neighbour broke off ({error or type(error).__name__})") from error
        finally:
            self._response.close()

    async def read(self, most_bytes: int) -> bytes:
        return await read_whole(self, most_bytes)

    async def aclose(self) -> None:
        self._response.close()
