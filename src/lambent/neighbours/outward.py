"""
HTTP to where users say: what an HTTP integration stands for, and the issuers of tokens.

An address that a user names must lead to no place that functions are kept from, or a function would make an API and
have the server go there: the machine's own ports, private networks and the address where clouds tell secrets are
closed, unless the operator opened them for functions (`--allow-host`, `--allow-net`).
"""

import asyncio
import functools
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lambent.neighbours.message import AnswerTooLarge, Incoming, read_whole

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import ResolveResult

HOST_NAME = "host.lambent.internal"
"""By which functions call the machine that they run on."""

_CONNECT_S = 10.0
CONNECTIONS_MAX = 256
_CONNECTIONS_OF_ONE_MAX = 64
"""To one server: one that lets its clients wait leaves the others theirs."""
_LOOKUPS_MAX = 16
"""
Names that are looked up at once. Threads of their own: a name server that its owner keeps slow holds each for half a
minute, and the loop's are what reads packages.
"""
_PIECE_BYTES = 262_144

_CLOSED = tuple(
    map(
        ipaddress.ip_network,
        ("168.63.129.16/32", "64:ff9b::/96", "2002::/16", "::/96", "::ffff:0:0:0/96", "fec0::/10"),
    )
)
"""
Where Azure's machines fetch what they are set up with; IPv4 written as IPv6, whose own ranges count; and what was for
private networks before fc00::/7.
"""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Unreachable(Exception):
    """A server cannot be reached, may not be, or does not answer in time."""


class TimedOut(Unreachable):
    """It did not answer in time."""


class Outward:
    """
    Sends requests. Nothing heavy is loaded before the first goes out. To be closed.

    Args:
        is_open: whether anything goes out at all; functions may be kept in.
        allow_host: ports of this machine that are open.
        allow_net: networks that are open.
    """

    def __init__(self, *, is_open: bool, allow_host: Iterable[int] = (), allow_net: Iterable[str] = ()) -> None:
        self._is_open = is_open
        self._ports = frozenset(allow_host)
        self._networks = tuple(ipaddress.ip_network(network) for network in allow_net)
        self._session: aiohttp.ClientSession | None = None
        self._lookups: ThreadPoolExecutor | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout_s: float,
    ) -> "Answer":
        """
        Send a request; return when the head of the answer is there. Redirects are not followed.

        Args:
            headers: without those of one connection; `host` follows from the URL where it is not among them.
            timeout_s: until the head is there, and for each piece behind it.

        Raises:
            TimedOut, Unreachable: see there.
        """
        import aiohttp
        from yarl import URL

        self.check(url)
        try:
            target = URL(url, encoded=True)
            async with asyncio.timeout(timeout_s):
                response = await self._opened().request(
                    method,
                    target,
                    headers=dict(headers),
                    data=body or None,
                    allow_redirects=False,
                    skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                    timeout=aiohttp.ClientTimeout(
                        total=None, connect=_CONNECT_S, sock_connect=_CONNECT_S, sock_read=timeout_s
                    ),
                )
        except TimeoutError as error:
            raise TimedOut(f"no answer within {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        if not 200 <= response.status <= 599:
            # One of 1xx is not the last word: whoever stands before our client would wait for it, or for a tunnel.
            response.close()
            raise Unreachable(f"status {response.status}")
        return Answer(response)

    async def fetch(self, url: str, most_bytes: int, timeout_s: float) -> bytes:
        """
        Return what a URL leads to.

        Raises:
            Unreachable: nothing, another status than 200, or more than `most_bytes`.
        """
        answer = await self.send("GET", url, headers={"accept": "application/json"}, timeout_s=timeout_s)
        try:
            if answer.status != 200:
                raise Unreachable(f"status {answer.status}")
            async with asyncio.timeout(timeout_s):
                return await answer.read(most_bytes)
        except AnswerTooLarge:
            raise Unreachable(f"more than {most_bytes} bytes") from None
        except TimeoutError as error:
            raise TimedOut(f"no answer within {timeout_s:g} s") from error
        finally:
            await answer.aclose()

    async def close(self) -> None:
        """Drop all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._lookups is not None:
            self._lookups.shutdown(wait=False, cancel_futures=True)
            self._lookups = None

    def check(self, url: str) -> None:
        """
        Refuse what no look at names is needed for.

        Raises:
            Unreachable: nothing is ever sent there.
        """
        if not self._is_open:
            raise Unreachable("--egress none lets nothing out")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise Unreachable(f"{url[:200]!r} is no URL: {error}") from None
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            raise Unreachable(f"{url[:200]!r} is no URL of a server")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if ":" in host or _looks_numeric(host):
                # Who connects would read it as an address all the same: 127.1, 2130706433.
                raise Unreachable(f"{host[:200]!r} is an address that is spelled otherwise") from None
            return
        self._check_address(address, port or (443 if parts.scheme == "https" else 80))

    def _check_address(self, address: _Address, port: int) -> None:
        plain = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped else address
        # What listens everywhere listens at each address of the machine. From inside, the walls let none of them be
        # reached either, whatever network they are in.
        if plain.is_loopback or plain.is_unspecified or _source_of(str(plain)) == str(plain):
            if port not in self._ports:
                raise Unreachable(f"port {port} of this machine is not open to functions: --allow-host {port} opens it")
            return
        if any(plain in network for network in self._networks):
            return
        is_closed = any(plain.version == network.version and plain in network for network in _CLOSED)
        if not plain.is_global or plain.is_multicast or is_closed:
            raise Unreachable(f"{plain} is in a network that is not open to functions: --allow-net opens it")

    async def resolve(self, host: str, port: int, family: int) -> "list[ResolveResult]":
        """Return a name's addresses. Any that is closed closes the name: which one is taken is chance."""
        if host == HOST_NAME:
            host, family = "127.0.0.1", socket.AF_INET
        if self._lookups is None:
            self._lookups = ThreadPoolExecutor(_LOOKUPS_MAX, "names")
        look = functools.partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._lookups, look)
        results: list[ResolveResult] = []
        for kind, _, protocol, _, address in found:
            numeric = str(address[0])
            self._check_address(ipaddress.ip_address(numeric.partition("%")[0]), port)
            results.append(
                {
                    "hostname": host,
                    "host": numeric,
                    "port": port,
                    "family": kind,
                    "proto": protocol,
                    "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                }
            )
        return results

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp
            from aiohttp.abc import AbstractResolver

            outward = self

            class Resolver(AbstractResolver):
                async def resolve(
                    self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
                ) -> "list[ResolveResult]":
                    try:
                        return await outward.resolve(host, port, family)
                    except Unreachable as error:
                        # What the connector turns into an error of its own.
                        raise OSError(None, str(error)) from error

                async def close(self) -> None:
                    return

            def made(info: "aiohttp.AddrInfoType") -> socket.socket:
                # The last look, at what is connected to: it does not hang upon how anybody reads a URL.
                family, kind, protocol, _, address = info
                try:
                    outward._check_address(ipaddress.ip_address(address[0].partition("%")[0]), address[1])
                except (Unreachable, ValueError) as error:
                    raise OSError(None, str(error)) from error
                return socket.socket(family, kind, protocol)

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS_MAX,
                    limit_per_host=_CONNECTIONS_OF_ONE_MAX,
                    resolver=Resolver(),
                    # What an address was a moment ago is not what it is now.
                    use_dns_cache=False,
                    socket_factory=made,
                ),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=_PIECE_BYTES,
                max_line_size=65_536,
                max_field_size=65_536,
            )
        return self._session


def _looks_numeric(host: str) -> bool:
    last = host.rstrip(".").rpartition(".")[2]
    # Source: WHATWG URL standard, "ends in a number": no name has such a last part.
    return last.isdigit() or last[:2].lower() == "0x"


def _source_of(address: str) -> str | None:
    """
    Return the address from which this machine would send to another one; None where it has no way there.

    Where that is the same address, it is the machine's own. Nothing is sent.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((address, 9))
            return str(asking.getsockname()[0])
    except OSError:
        return None


class Answer(Incoming):
    """What came back. Whoever got it reads it to its end, or closes it."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self.status = response.status
        self.headers = [(name.lower(), value) for name, value in response.raw_headers]

    @property
    def length(self) -> int | None:
        """How long the body is, where that is known."""
        length: int | None = self._response.content_length
        return length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        import aiohttp

        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"it broke off ({error or type(error).__name__})") from error
        finally:
            self._response.close()

    async def read(self, most_bytes: int) -> bytes:
        return await read_whole(self, most_bytes)

    async def aclose(self) -> None:
        self._response.close()
