"""Whose a request is: what it is signed with, where it comes from, or what the server takes for granted."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from lambent.access.authentication import AnyKey
from lambent.access.authorize import Everything
from lambent.domain.caller import Caller, Inside, Scope
from lambent.errors.families import SerializationException
from lambent.gateway.pipeline import Pipeline
from lambent.protocol.service import Protocols
from lambent.protocol.wire import WireRequest
from lambent.services.operation import Service

INSIDE = Inside(Scope("111111111111", "eu-west-1"), "arn:aws:lambda:eu-west-1:111111111111:function:one")
SIGNED = "AWS4-HMAC-SHA256 Credential={key}/20260101/ap-south-1/lambda/aws4_request, SignedHeaders=host, Signature=00"


def caller_of(headers: Mapping[str, str], inside: Inside | None) -> Caller:
    """Send ListFunctions through the whole pipeline and return who its handler was called by."""
    callers: list[Caller] = []

    async def list_functions(caller: Caller, parameters: Any) -> Mapping[str, Any]:
        callers.append(caller)
        return {"Functions": []}

    async def no_body(most_bytes: int) -> bytes:
        return b""

    service = Service("lambda", {"ListFunctions": list_functions}, {}, SerializationException)
    protocols = Protocols({"lambda": SerializationException})
    pipeline = Pipeline({"lambda": service}, protocols, AnyKey("000000000000"), Everything(), "us-east-1")
    request = WireRequest(method="GET", path="/2015-03-31/functions/", query="", headers=dict(headers), inside=inside)
    answer = asyncio.run(pipeline.answer(request, no_body, "id", "http://127.0.0.1:1"))
    assert answer.status == 200, answer
    return callers[0]


@pytest.mark.parametrize(
    ("key", "inside", "scope"),
    [
        (None, None, Scope("000000000000", "us-east-1")),
        (None, INSIDE, INSIDE.scope),
        ("AKIAEXAMPLE", None, Scope("000000000000", "ap-south-1")),
        ("AKIAEXAMPLE", INSIDE, Scope("111111111111", "ap-south-1")),
        ("222222222222", INSIDE, Scope("222222222222", "ap-south-1")),
    ],
    ids=["unsigned", "unsigned-inside", "signed", "signed-inside", "signed-for-another"],
)
def test_where_a_call_acts(key: str | None, inside: Inside | None, scope: Scope) -> None:
    """An unsigned call from inside acts where its function is; a signature may say otherwise."""
    caller = caller_of({} if key is None else {"authorization": SIGNED.format(key=key)}, inside)
    assert caller.scope == scope
    assert caller.principal.arn == f"arn:aws:iam::{scope.account}:root"
    assert caller.inside == inside


def test_own_services_cost_no_look_at_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of several services one signing name stands for is asked of neighbours alone."""

    def service_of(*_: Any) -> str:
        raise AssertionError

    monkeypatch.setattr("lambent.gateway.pipeline.service_of", service_of)
    assert caller_of({"authorization": SIGNED.format(key="AKIAEXAMPLE")}, None)
