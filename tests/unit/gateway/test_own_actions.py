"""Actions over HTTP, of whatever area: who may ask, what they are answered, and what log and trail say of it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from lambent.access.authorize import Demand, ResourceFacts
from lambent.domain.caller import Caller, Inside, Scope
from lambent.domain.principal import Principal, Session, root_of, session_of_role
from lambent.errors.families import AccessDeniedException, ApiError, DependencyError, MissingAuthenticationToken
from lambent.gateway.own_access import OwnAccess
from lambent.gateway.own_actions import OwnActions, parsed
from lambent.protocol.wire import WireRequest

ACCOUNT = "111122223333"
INSIDE = Inside(Scope(ACCOUNT, "us-east-1"), "arn:aws:lambda:us-east-1:111122223333:function:f", "id", "")


class Claim(msgspec.Struct):
    principal: Principal
    how: str = "signature"

    def check_body(self, body: bytes) -> None:
        pass


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    word: str = ""
    number: int | msgspec.UnsetType = msgspec.UNSET
    words: list[str] = []


class Gone(ApiError):
    code = "NoSuchEntity"
    status = 404


class Stage:
    """Implements what stands around the actions, and says what got there."""

    def __init__(self) -> None:
        self.principal: Principal | None = root_of(ACCOUNT)
        self.done: list[str] = []
        self.noted: list[Any] = []
        self.discarded = 0
        self.failure: Exception | None = None

    async def begin(self, request: WireRequest, service: str, **more: Any) -> Claim:
        assert service == "lambent"
        if self.principal is None:
            raise MissingAuthenticationToken("Missing Authentication Token")
        return Claim(self.principal)

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        pass

    def note(self, call: Any) -> None:
        self.noted.append(call)

    async def act(self, caller: Caller, body: bytes) -> tuple[Any, Any]:
        asked = parsed(body, Asked)
        if self.failure is not None:
            raise self.failure
        self.done.append(asked.word)
        return {"said": asked.word}, asked

    def ask(self, action: str = "Write", body: Any = None, *, has_trail: bool = True, **more: Any) -> tuple[int, Any]:
        sent = body if isinstance(body, bytes) else json.dumps(body or {}).encode()

        async def stream() -> AsyncIterator[bytes]:
            yield sent

        async def discard() -> None:
            self.discarded += 1

        request = WireRequest(
            **{"method": "POST", "path": f"/_lambent/area/{action}", "stream": stream, "discard": discard}
            | {"headers": {"content-type": "application/json"}}
            | more
        )
        own: Any = OwnAccess(self, self, "us-east-1")  # type: ignore[arg-type]
        actions = OwnActions(
            "area",
            {"Write": self.act, "Read": self.act},
            own,
            self if has_trail else None,  # type: ignore[arg-type]
            functions="functions write nothing",
            of_functions={"Read"},
            veil=lambda value: dict.fromkeys(value, "*"),
        )
        response = asyncio.run(actions.answer(request, action, "the-id"))
        assert isinstance(response.body, bytes)
        return response.status, json.loads(response.body)


def test_an_action_is_answered_and_recorded_as_the_veil_lets_it(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    caplog.set_level(logging.INFO)
    assert stage.ask("Write", {"word": "w"}) == (200, {"said": "w"})
    (call,) = stage.noted
    assert (call.service, call.operation, call.request_id) == ("lambent", "Write", "the-id")
    # What was not set is not told.
    assert (call.parameters, call.output, call.error) == ({"word": "*", "words": "*"}, {"said": "*"}, None)
    assert caplog.messages == [f"area.Write request_id=the-id by=arn:aws:iam::{ACCOUNT}:root"]


def test_without_a_trail_it_is_answered_as_well() -> None:
    stage = Stage()
    assert stage.ask("Write", has_trail=False)[0] == 200 and stage.noted == []


def test_a_refusal_of_an_action_is_an_answer_and_recorded() -> None:
    stage = Stage()
    stage.failure = Gone("it is gone")
    assert stage.ask("Write") == (404, {"code": "NoSuchEntity", "message": "it is gone"})
    assert [call.error for call in stage.noted] == [stage.failure]


def test_what_fails_besides_is_for_whoever_answers_the_request() -> None:
    stage = Stage()
    stage.failure = DependencyError("the store failed", retryable=True)
    with pytest.raises(DependencyError):
        stage.ask("Write")


@pytest.mark.parametrize(
    "more",
    [
        {"method": "GET"},
        {"headers": {}},
        {"headers": {"content-type": "text/plain"}},
        {"headers": {"content-type": "application/json", "origin": "http://evil.example"}},
    ],
)
def test_no_page_of_the_web_gets_in(more: dict[str, Any]) -> None:
    """Not even the door is tried: it would be a stranger, and this is what is answered."""
    stage = Stage()
    stage.principal = None
    status, answer = stage.ask("Read", **more)
    assert (status, answer["code"], stage.done) == (403, "AccessDenied", [])
    assert [call.error.code for call in stage.noted] == ["AccessDenied"]


def test_a_stranger_does_not_get_in() -> None:
    stage = Stage()
    stage.principal = None
    assert stage.ask("Read")[0] == 403 and stage.done == []
    assert [call.caller for call in stage.noted] == [None]


def test_functions_get_what_they_may_as_the_veil_lets_them() -> None:
    """By where they call from, or by their credentials; whoever assumed the same role is none."""
    stage = Stage()
    refused = (403, {"code": "AccessDenied", "message": "functions write nothing"})
    assert stage.ask("Write", inside=INSIDE) == refused
    assert stage.ask("Read", {"word": "w"}, inside=INSIDE) == (200, {"said": "*"})
    session = Session("f", 0.0, 9e9, environment="env-1")
    stage.principal = session_of_role(ACCOUNT, "r", "/", "AROA1", session)
    assert stage.ask("Write") == refused
    assert stage.ask("Read", {"word": "w"}) == (200, {"said": "*"})
    assert stage.done == ["w", "w"]
    stage.principal = session_of_role(ACCOUNT, "r", "/", "AROA1", Session("s", 0.0, 9e9))
    assert stage.ask("Write", {"word": "w"}) == (200, {"said": "w"})


@pytest.mark.parametrize("action", ["Nothing", "", "../backup", "write"])
def test_what_is_no_action_is_read_away_and_not_recorded(action: str) -> None:
    stage = Stage()
    status, answer = stage.ask(action)
    assert (status, answer["code"], stage.noted, stage.discarded) == (404, "NoSuchAction", [], 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "the body"),
        (b"[]", "the body"),
        (b"\xff", "the body"),
        (b'{"word": ' + b"[" * 5_000, "word"),
        (b"[" * 50_000, "the body"),
        ({"more": 1}, "the body"),
        ({"word": 1}, "word"),
        ({"words": ["a", 1]}, "words[1]"),
    ],
)
def test_what_is_not_asked_for_is_named(body: Any, said: str) -> None:
    stage = Stage()
    status, answer = stage.ask("Write", body)
    assert (status, answer["code"], stage.done) == (400, "ValidationError", [])
    assert answer["message"].startswith(f"{said}: ") and len(answer["message"]) < 500


def test_an_empty_body_is_an_empty_object_and_one_too_long_is_refused() -> None:
    stage = Stage()
    assert stage.ask("Write", b"") == (200, {"said": ""})
    assert stage.ask("Write", {"word": "w" * 70_000})[0] == 413
    assert stage.done == [""]


def test_a_denial_by_policy_is_recorded_as_one() -> None:
    stage = Stage()
    stage.failure = AccessDeniedException("not authorized to perform: lambent:Write")
    assert stage.ask("Write")[0] == 403
    assert [call.error.code for call in stage.noted] == ["AccessDeniedException"]
