"""Where requests to HTTP servers go, what goes with them, and what becomes of the answers."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

import pytest
from unit.domain.api_requests import request_of

from lambent.domain.api_request import ApiRequest
from lambent.domain.http_api import Integration
from lambent.domain.parameter_mapping import mapped_request
from lambent.errors.families import InternalServerError
from lambent.gateway.http_api_proxy import HttpIntegrations, LeadsElsewhere
from lambent.neighbours.outward import TimedOut, Unreachable
from lambent.testing.virtual_clock import VirtualClock


class Answer:
    """What a server answers; its pieces come as long after each other as the test says."""

    def __init__(self, clock: VirtualClock, headers: Any = (), pieces: Any = (b"ok",), pause_s: float = 0.0) -> None:
        self.status = 200
        self.headers = list(headers)
        self.length: int | None = None
        self.is_closed = False
        self._clock = clock
        self._pieces = pieces
        self._pause_s = pause_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self._clock.advance(self._pause_s)
            # One turn of the loop, in which whoever waits may give up.
            await asyncio.sleep(0)
            yield piece

    async def read(self, most_bytes: int) -> bytes:
        return b"".join([piece async for piece in self])

    async def aclose(self) -> None:
        self.is_closed = True


class Server:
    """Stands for what goes out; keeps what was sent."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.answer = Answer(self.clock)
        self.url = ""
        self.method = ""
        self.headers: Mapping[str, str] = {}

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], **_: Any) -> Answer:
        self.method, self.url, self.headers = method, url, headers
        return self.answer

    async def ask(
        self, uri: str = "http://server", request: ApiRequest | None = None, **settings: Any
    ) -> tuple[int, Any, Any, bytes]:
        integration = Integration("i1", "HTTP_PROXY", uri, **settings)
        request = request or request_of()
        mapped = mapped_request(integration.request_parameters or {}, request)
        servers = HttpIntegrations(self, self.clock)  # type: ignore[arg-type]
        return await servers.answer(integration, request, mapped, is_https=False)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def of_default(path: str) -> ApiRequest:
    request = request_of("$default")
    request.route_path, request.parameters = path, {}
    return request


@pytest.mark.parametrize(
    "path", ["/..", "/../x", "/a/../../x", "/a/.", "/./a", "/..;/x", "/..;a=b/x", "/a\\..\\..\\x", "/..\\x"]
)
def test_no_path_leads_out_of_the_integrations(path: str) -> None:
    """A server goes up by `..`: what stands behind one of its folders would be all that it has."""

    async def story() -> None:
        server = Server()
        with pytest.raises(LeadsElsewhere):
            await server.ask("http://server/public", of_default(path))
        greedy = request_of("GET /{id+}")
        greedy.parameters = {"id": path[1:]}
        with pytest.raises(LeadsElsewhere):
            await server.ask("http://server/public/{id}", greedy)
        overwritten = {"overwrite:path": "$request.querystring.q"}
        with pytest.raises(LeadsElsewhere):
            await server.ask(request=request_of(query=f"q={path}"), request_parameters=overwritten)
        assert not server.url

    run(story())


@pytest.mark.parametrize("path", ["/a..b", "/...", "/.well-known/x", "/%2e%2e", "/a//b", "/a;..", "/;/x"])
def test_dots_that_lead_nowhere(path: str) -> None:
    async def story() -> None:
        server = Server()
        await server.ask("http://server/public/", of_default(path))
        assert server.url == f"http://server/public{path.replace('%', '%25')}?q=a&q=b&r=%20"

    run(story())


def test_variables_in_a_host() -> None:
    """A label of a name, and nothing by which a client would choose the server."""

    async def story() -> None:
        server = Server()
        request = request_of(query="")
        for value in ("evil.test", "evil.test#", "u@evil", "x:80", "evil.test\\", "", "a/b", "é"):
            request.parameters = {"id": value}
            with pytest.raises(LeadsElsewhere):
                await server.ask("http://{id}.example.com/", request)
        request.parameters = {"id": "tenant-1"}
        await server.ask("http://{id}.example.com/{id}?t={id}", request)
        assert server.url == "http://tenant-1.example.com/tenant-1?t=tenant-1"

    run(story())


def test_variables_in_a_query() -> None:
    """A value stays one."""

    async def story() -> None:
        server = Server()
        request = request_of(query="")
        request.parameters = {"id": "1&admin=true#x+y"}
        await server.ask("http://server/?id={id}", request)
        assert server.url == "http://server/?id=1%26admin%3Dtrue%23x%2By"

    run(story())


def test_headers_that_go_along() -> None:
    """In the bytes that they came in; with the host that a mapping sets, else with the server's own."""

    async def story() -> None:
        server = Server()
        text = "é".encode().decode("latin-1")
        await server.ask(request=request_of(headers={"host": "api", "utf-8": text, "latin": "é", "connection": "x"}))
        assert (server.headers["utf-8"], server.headers["latin"]) == ("é", "é")
        assert "host" not in server.headers and "connection" not in server.headers
        await server.ask(request_parameters={"overwrite:header.Host": "inner.example.com"})
        assert server.headers["host"] == "inner.example.com"

    run(story())


@pytest.mark.parametrize("value", [b"a\x01", b"a\x7f", b"a\r\nb: c", b"\x00"])
def test_headers_that_are_none(value: bytes) -> None:
    """They would break the answer, or be two."""

    async def story() -> None:
        server = Server()
        server.answer = Answer(server.clock, [(b"x", value)])
        with pytest.raises(Unreachable, match="header 'x'"):
            await server.ask()
        assert server.answer.is_closed

    run(story())


def test_headers_of_the_servers_connection() -> None:
    async def story() -> None:
        server = Server()
        names = (b"proxy-authenticate", b"proxy-connection", b"keep-alive", b"x-hop", b"content-length", b"x")
        server.answer = Answer(server.clock, [*((name, b"1") for name in names), (b"connection", b"close, X-Hop")])
        assert (await server.ask())[1] == [(b"x", b"1")]

    run(story())


def test_how_long_a_body_is() -> None:
    """Said where the server says it; also where only that was asked for."""

    async def story() -> None:
        for client, own, length, sent, has_stream in (
            ("GET", "ANY", 2, [(b"content-length", b"2")], True),
            ("GET", "ANY", None, [], True),
            ("HEAD", "ANY", 20_000_000, [(b"content-length", b"20000000")], True),
            ("HEAD", "GET", 7, [(b"content-length", b"7")], True),
            ("HEAD", "ANY", None, [], False),
            ("GET", "HEAD", 7, [], False),
        ):
            server = Server()
            server.answer.length = length
            _, headers, body, _ = await server.ask(request=request_of(method=client), integration_method=own)
            assert (headers, not isinstance(body, bytes)) == (sent, has_stream), (client, own, length)
            if "HEAD" in (client, own):
                assert server.answer.is_closed
                assert isinstance(body, bytes) or [piece async for piece in body] == []
        server.answer.length = 20_000_000
        with pytest.raises(Unreachable, match="more than"):
            await server.ask()

    run(story())


def test_a_server_that_says_a_little_at_a_time() -> None:
    """All of its silences together are no longer than the integration's timeout; a client's do not count."""

    async def story() -> None:
        server = Server()
        server.answer = Answer(server.clock, pieces=[b"x"] * 30, pause_s=10.0)
        body = (await server.ask())[2]
        taken = b""
        with pytest.raises(InternalServerError, match="within 30 s"):
            async for piece in body:
                taken += piece
                server.clock.advance(3_600)
        assert taken == b"xxx"
        server.answer = Answer(server.clock, pieces=[b"x"] * 30, pause_s=10.0)
        with pytest.raises(TimedOut):
            await server.ask(response_parameters={"200": {"append:header.x": "$response.body"}}, timeout_in_millis=0)
        assert server.answer.is_closed

    run(story())
