"""Whose verdicts are believed, for whom, and for how long."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest
from unit.domain.api_requests import STAGE, request_of

from lambent.access.tokens import InvalidToken
from lambent.dispatch.http_apis import ServedRoute
from lambent.domain.api_request import ApiRequest
from lambent.domain.http_api import Authorizer, JwtConfiguration, Route
from lambent.domain.invocation import FunctionError, InvocationOutcome
from lambent.gateway import http_api_authorizers
from lambent.gateway.http_api_authorizers import ApiAuthorizers, NotAuthorized, with_stage_variables
from lambent.protocol.wire import WireRequest
from lambent.testing.virtual_clock import VirtualClock

WIRE = WireRequest("GET", "/items/7")
SIMPLE = Authorizer(
    "z1",
    "who",
    "REQUEST",
    ("$request.header.x",),
    authorizer_uri="arn:aws:lambda:eu-west-1:111122223333:function:who:${stageVariables.v}",
    authorizer_payload_format_version="2.0",
    enable_simple_responses=True,
    authorizer_result_ttl_in_seconds=60,
)


class Functions:
    """Stands for the functions that decide; keeps which were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.allowed = True
        self.context: dict[str, Any] = {}
        self.hold: asyncio.Event | None = None
        self.was_asked = asyncio.Event()
        self.error: FunctionError | None = None

    async def run(self, uri: str, payload: bytes, **_: Any) -> tuple[InvocationOutcome, str]:
        self.asked.append(uri)
        self.was_asked.set()
        answer = {"isAuthorized": self.allowed, "context": self.context}
        if self.hold is not None:
            await self.hold.wait()
        return InvocationOutcome(json.dumps(answer).encode(), executed_version="1", error=self.error), "id"


class Tokens:
    """Stands for the verifier: knows one token, and says of others what is wrong."""

    def __init__(self, why: str = "") -> None:
        self._why = why

    async def verify(self, token: str, configuration: JwtConfiguration) -> dict[str, Any]:
        if self._why:
            raise InvalidToken(self._why)
        return {"sub": "u1", "scope": "other"}


class Bench:
    def __init__(self, verifier: Tokens | None = None) -> None:
        self.clock = VirtualClock()
        self.functions = Functions()
        self.authorizers = ApiAuthorizers(self.functions, verifier or Tokens(), self.clock)  # type: ignore[arg-type]

    async def passes(self, authorizer: Authorizer, request: ApiRequest | None = None, **route: Any) -> bool:
        served = ServedRoute(Route("r1", "GET /items/{id}", **route), None, authorizer)
        try:
            await self.authorizers.check(served, request or request_of(), WIRE, "Root=1")
        except NotAuthorized as error:
            self.refused = error
            return False
        return True


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_what_was_decided_is_kept_for_its_time() -> None:
    async def story() -> None:
        bench = Bench()
        for _ in range(3):
            assert await bench.passes(SIMPLE)
        bench.functions.allowed = False
        bench.clock.advance(59)
        assert await bench.passes(SIMPLE)
        bench.clock.advance(1)
        assert not await bench.passes(SIMPLE)
        assert len(bench.functions.asked) == 2

    run(story())


@pytest.mark.parametrize(
    "changes",
    [
        {"identity_source": ("$request.header.other",)},
        {"authorizer_uri": "arn:aws:lambda:eu-west-1:111122223333:function:another"},
        {"authorizer_result_ttl_in_seconds": 30},
        {"authorizer_credentials_arn": "arn:aws:iam::111122223333:role/r"},
    ],
)
def test_an_authorizer_that_was_changed_is_asked_anew(changes: dict[str, Any]) -> None:
    """The same text from another place is another identity: whoever could choose that header would be let in."""

    async def story() -> None:
        bench = Bench()
        assert await bench.passes(SIMPLE)
        bench.functions.allowed = False
        changed = msgspec.structs.replace(SIMPLE, **changes)
        headers = {"x": "y", "other": "y"}
        assert not await bench.passes(changed, request_of(headers=headers))

    run(story())


def test_a_stage_variable_that_was_changed() -> None:
    """It names another function, which is asked."""

    async def story() -> None:
        bench = Bench()
        assert await bench.passes(SIMPLE)
        bench.functions.allowed = False
        stage = msgspec.structs.replace(STAGE, stage_variables={"v": "2"})
        assert not await bench.passes(SIMPLE, request_of(stage=stage))
        assert [uri.rpartition(":")[2] for uri in bench.functions.asked] == ["1", "2"]

    run(story())


def test_values_are_not_run_together() -> None:
    """Two identities whose values make one text are two."""

    async def story() -> None:
        bench = Bench()
        authorizer = msgspec.structs.replace(SIMPLE, identity_source=("$request.header.a", "$request.header.b"))
        assert await bench.passes(authorizer, request_of(headers={"a": "1,2", "b": "3"}))
        bench.functions.allowed = False
        assert not await bench.passes(authorizer, request_of(headers={"a": "1", "b": "2,3"}))

    run(story())


def test_what_was_asked_before_all_was_forgotten() -> None:
    """Its answer counts for who asked, and for nobody behind it."""

    async def story() -> None:
        bench = Bench()
        bench.functions.hold = asyncio.Event()
        asking = asyncio.ensure_future(bench.passes(SIMPLE))
        await bench.functions.was_asked.wait()
        bench.authorizers.forget("a1", "prod")
        bench.functions.hold.set()
        assert await asking
        bench.functions.allowed = False
        assert not await bench.passes(SIMPLE)

    run(story())


def test_how_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes of verdicts and identities, which clients choose: what was used least recently goes."""

    async def story() -> None:
        monkeypatch.setattr(http_api_authorizers, "_VERDICTS_MAX_BYTES", 4_000)
        bench = Bench()
        bench.functions.context = {"long": "x" * 500}
        for number in range(20):
            await bench.passes(SIMPLE, request_of(headers={"x": f"{number:0500}"}))
        kept = bench.authorizers._verdicts
        assert len(kept) == 3
        assert bench.authorizers._verdicts_bytes == sum(one.size_bytes for one in kept.values()) <= 4_000
        bench.authorizers.forget("a1", "prod")
        assert bench.authorizers._verdicts_bytes == 0

    run(story())


def test_how_a_function_fails_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        bench = Bench()
        bench.functions.error = FunctionError("Handled", error_type="Oh\nno")
        assert not await bench.passes(SIMPLE)
        assert bench.refused.status == 500

    run(story())
    (record,) = caplog.records
    assert record.getMessage().endswith("it failed: Oh no")


def test_access_logs_tell_a_refusal_from_a_failure() -> None:
    """$context.error.responseType: who sent no identity, who may not, and what nobody can tell are three things."""

    async def story() -> None:
        bench = Bench()
        missing = msgspec.structs.replace(SIMPLE, identity_source=("$request.header.none",))
        assert not await bench.passes(missing)
        assert (bench.refused.status, bench.refused.error_type) == (401, "UNAUTHORIZED")
        bench.functions.allowed = False
        assert not await bench.passes(SIMPLE)
        assert (bench.refused.status, bench.refused.error_type) == (403, "ACCESS_DENIED")
        bench.functions.error = FunctionError("Handled")
        assert not await bench.passes(SIMPLE, request_of(headers={"x": "z"}))
        assert (bench.refused.status, bench.refused.error_type) == (500, "AUTHORIZER_FAILURE")

    run(story())


def test_challenges_are_one_header() -> None:
    """Whatever a token or a scope says."""
    authorizer = Authorizer("z1", "who", "JWT", ("$request.header.x",), JwtConfiguration("https://i", ("a",)))

    async def story() -> None:
        bench = Bench(Tokens('a"\r\nb: \\é'))
        assert not await bench.passes(authorizer)
        assert bench.refused.challenge.endswith('error_description="a???b: ??"')
        bench = Bench()
        assert not await bench.passes(authorizer, authorization_scopes=('r"\r\n',))
        assert bench.refused.challenge == 'Bearer scope="r???" error="insufficient_scope"'
        nothing = msgspec.structs.replace(authorizer, identity_source=())
        assert not await bench.passes(nothing)
        assert bench.refused.status == 401

    run(story())


def test_stage_variables_in_texts() -> None:
    """Each by its value, which is not looked into again; nothing stands for one that is not there."""
    stage = msgspec.structs.replace(STAGE, stage_variables={"v": "1", "vv": "2"})
    request = request_of(stage=stage)
    assert with_stage_variables("a${stageVariables.v}b${stageVariables.vv}${stageVariables.none}c", request) == "a1b2c"
