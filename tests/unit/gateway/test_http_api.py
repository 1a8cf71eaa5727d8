"""The steps of a request to an HTTP API that only a fake can bring about; clients see the others in tests/wire."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import msgspec
import pytest
from unit.domain.api_requests import SCOPE

from lambent.dispatch.http_apis import ServedApi, ServedRoute, ServedStage
from lambent.domain.access_log import AccessLogFormat
from lambent.domain.caller import Scope
from lambent.domain.cors import HttpHeaders
from lambent.domain.function_url import parse_url_domain
from lambent.domain.http_api import (
    AccessLogSettings,
    ApiCors,
    ApiDomain,
    ApiMapping,
    HttpApi,
    Integration,
    Route,
    Stage,
)
from lambent.domain.http_routes import RouteTable
from lambent.domain.quotas import Quotas
from lambent.domain.traced import Entered
from lambent.gateway.admission import TooManyRequests
from lambent.gateway.http_api import HttpApis
from lambent.gateway.http_api_callers import ApiCallers
from lambent.gateway.http_api_proxy import LeadsElsewhere
from lambent.neighbours.outward import Unreachable
from lambent.protocol.wire import BodyStream, WireRequest, WireResponse
from lambent.testing.traces import LeftTraces
from lambent.testing.virtual_clock import VirtualClock

HOST = "a1.execute-api.eu-west-1.localhost"
DOMAIN = "api.example.com"


class Stream:
    """A body on its way."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = next(self._pieces, None)
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self.is_closed = True


class Bench:
    """One API whose `$default` route leads to an HTTP server, which the test answers for."""

    def __init__(
        self, cors: ApiCors | None = None, mapping: Any = None, kind: str = "NONE", callers: ApiCallers | None = None
    ) -> None:
        self.reply: tuple[int, HttpHeaders, bytes | BodyStream, bytes] | Exception = (200, [], b"ok", b"")
        self.lines: list[str] = []
        self.asked = 0
        stage = Stage("$default", 0.0, 0.0, access_log_settings=AccessLogSettings("arn:x:log-group:g", ""))
        route = ServedRoute(
            Route("r1", "$default", authorization_type=kind),
            Integration("i1", "HTTP_PROXY", "http://s", response_parameters=mapping),
            None,
        )
        self._served = ServedApi(
            HttpApi(SCOPE, "a1", "test", 0.0),
            {
                "$default": ServedStage(
                    stage,
                    RouteTable({"$default": route}),
                    None if cors is None else cors.rules(),
                    AccessLogFormat("$context.requestId $context.status $context.responseLength"),
                )
            },
        )
        self._apis = HttpApis(
            self,  # type: ignore[arg-type]
            None,  # type: ignore[arg-type]
            callers,  # type: ignore[arg-type]
            None,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            parse_url_domain("localhost", 4566),
            Quotas(),
            clock := VirtualClock(),
            traces=(traces := LeftTraces(clock)),
        )
        self.left = traces.left

    # What the parts around it would be asked.

    def domain_of(self, host: str) -> ApiDomain | None:
        mapping = ApiMapping("m1", "a1", "$default", "")
        return ApiDomain(SCOPE, host, 0.0, mappings=(mapping,)) if host == DOMAIN else None

    async def find(self, api_id: str) -> ServedApi | None:
        return self._served

    def open_stream(self, scope: Scope, group: str, stream: str) -> "Bench":
        return self

    def output(self, lines: list[str]) -> None:
        self.lines += [line.split(" ", 1)[1] for line in lines]

    async def answer(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    async def ask(
        self, method: str = "GET", headers: dict[str, str] | None = None, read: Any = None, path: str = "/x"
    ) -> WireResponse:
        given = {"host": HOST, **(headers or {})}
        pairs = [(name.encode(), value.encode()) for name, value in given.items()]

        async def nothing(most_bytes: int) -> bytes:
            return b""

        return await self._apis.answer(
            WireRequest(method, path, headers=given, pairs=pairs, protocol="HTTP/1.1"), read or nothing
        )


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def values(response: WireResponse, name: bytes) -> list[bytes]:
    return [value for found, value in response.headers if found == name]


def test_too_many_bytes_of_bodies() -> None:
    """The server is full: no failure of ours, and a reason to come again."""

    async def full(most_bytes: int) -> bytes:
        raise TooManyRequests("Rate Exceeded.", headers={"retry-after": "1"})

    async def story() -> None:
        bench = Bench()
        response = await bench.ask("POST", read=full)
        assert (response.status, response.body) == (429, b'{"message":"Too Many Requests"}')
        assert values(response, b"retry-after") == [b"1"]
        assert not bench.asked

    run(story())


@pytest.mark.parametrize("path", ["*", "*.evil.test/x", "x", ""])
def test_what_is_no_path(path: str) -> None:
    """Behind the name of an integration's server it would be a part of the name."""

    async def story() -> None:
        bench = Bench()
        response = await bench.ask("OPTIONS", path=path)
        assert (response.status, values(response, b"connection")) == (400, [b"close"])
        assert not bench.asked

    run(story())


def test_what_others_say_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A server, or a function, could otherwise write what looks like lines of ours."""

    async def story() -> None:
        bench = Bench()
        bench.reply = Unreachable("400\nready url=http://evil\r\x1b[2J\x9b")
        assert (await bench.ask()).status == 500

    run(story())
    (record,) = caplog.records
    assert record.getMessage().endswith("reason=400 ready url=http://evil  [2J ")


def test_a_path_that_leads_elsewhere_is_the_clients_fault() -> None:
    async def story() -> None:
        bench = Bench()
        bench.reply = LeadsElsewhere("up")
        response = await bench.ask()
        assert (response.status, response.body) == (400, b'{"message":"Bad Request"}')

    run(story())


@pytest.mark.parametrize("status", ["204", "304"])
def test_a_status_that_no_body_follows(status: str) -> None:
    """By a mapping: what came with another one is left, for the connection's next answer begins behind the head."""

    async def story() -> None:
        bench = Bench(mapping={"200": {"overwrite:statuscode": status}})
        response = await bench.ask()
        assert (response.status, response.body) == (int(status), b"")
        stream = Stream(b"ok")
        bench.reply = (200, [(b"content-length", b"2")], stream, b"")
        response = await bench.ask()
        assert (response.status, response.body, values(response, b"content-length")) == (int(status), b"", [])
        assert stream.is_closed

    run(story())


def test_what_is_sent_piece_by_piece_is_logged_at_its_end() -> None:
    """With all of its bytes, once; also where nobody takes them. It ends with its client."""

    async def story() -> None:
        bench = Bench()
        for taken, length in ((3, 6), (1, 2), (0, 0)):
            stream = Stream(b"ab", b"cd", b"ef")
            bench.reply = (200, [], stream, b"")
            response = await bench.ask()
            assert response.ends_with_client and not isinstance(response.body, bytes) and not bench.lines
            pieces = aiter(response.body)
            for _ in range(taken):
                await anext(pieces)
            for _ in range(2):
                await response.body.aclose()
            assert bench.lines == [f"200 {length}"] and stream.is_closed
            bench.lines.clear()
        bench.reply = (200, [], b"whole", b"")
        await bench.ask()
        assert bench.lines == ["200 5"]

    run(story())


def test_caches_tell_origins_apart() -> None:
    """Where one origin is told another thing than the next, also in an answer to none; not where all are told one."""

    async def story() -> None:
        named = Bench(ApiCors(allow_origins=("https://a.example", "https://b.example")))
        for headers in ({"origin": "https://a.example"}, {"origin": "https://evil.example"}, {}):
            assert values(await named.ask(headers=headers), b"vary") == [b"Origin"]
        preflight = {"origin": "https://a.example", "access-control-request-method": "GET"}
        response = await named.ask("OPTIONS", preflight)
        assert (response.status, values(response, b"vary")) == (204, [b"Origin"])
        for cors in (ApiCors(allow_origins=("*",)), ApiCors(), None):
            assert not values(await Bench(cors).ask(headers={"origin": "https://a.example"}), b"vary")

    run(story())


def test_a_body_is_not_read_before_a_route_is_found() -> None:
    """A request that nobody takes costs no memory: its body is read away."""

    async def story() -> None:
        bench = Bench()
        asked: list[int] = []

        async def read(most_bytes: int) -> bytes:
            asked.append(most_bytes)
            return b""

        served = bench._served
        stage = msgspec.structs.replace(served.stages["$default"], routes=RouteTable({}))
        bench._served = msgspec.structs.replace(served, stages={"$default": stage})
        assert (await bench.ask("POST", read=read)).status == 404
        assert asked == [0]

    run(story())


@pytest.mark.parametrize("path", ["/_lambent/metrics", "/_lambent/s3/events", "/_lambent/code/x", "/_lambent/api/a1/x"])
def test_a_domain_gets_nothing_that_is_sent_to_the_server_itself(path: str) -> None:
    """It may be the name by which others reach that: nobody proves that a domain is theirs."""

    async def story() -> None:
        bench = Bench()
        token = {"host": DOMAIN, "authorization": "Bearer of-metrics"}
        assert (await bench.ask(headers=token, path=path)).status == 404
        assert bench.asked == 0
        assert (await bench.ask(headers=token)).status == 200

    run(story())


def test_a_sampled_request_leaves_what_the_stage_did() -> None:
    """Where the client says so, in a trace that is one; also where its integration failed."""
    trace_id = "1-654c0557-5611b044040fc7224c4790b6"
    header = f"Root={trace_id};Parent={'c' * 16};Sampled=1"

    async def story() -> None:
        bench = Bench()
        for said in ("", header.replace("Sampled=1", "Sampled=0"), "Root=1-2-3;Sampled=1"):
            await bench.ask(headers={"x-amzn-trace-id": said} if said else None)
        assert bench.left == []
        await bench.ask("POST", headers={"x-amzn-trace-id": header, "user-agent": "me"}, path="/a/b")
        bench.reply = Unreachable("no")
        await bench.ask(headers={"x-amzn-trace-id": header})
        fine, failed = bench.left
        assert isinstance(fine, Entered) and isinstance(failed, Entered)
        assert (fine.trace_id, fine.parent_id, fine.api_id, fine.stage) == (trace_id, "c" * 16, "a1", "$default")
        assert (fine.http.method, fine.http.user_agent, fine.status, fine.called) == ("POST", "me", 200, None)
        assert fine.http.url.endswith("/a/b")
        assert failed.status == 500
        assert len({fine.id, fine.call_id, failed.id, failed.call_id}) == 4

    run(story())
