"""Whose a request is: what it is signed with, where it comes from, or what the server takes for granted."""

import asyncio
import contextlib
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lambent.access.authentication import AnyKey, Verifying
from lambent.access.authorize import Everything
from lambent.access.keyring import Keyring
from lambent.access.secrets import Secrets
from lambent.clock import SystemClock
from lambent.domain.access_key import encode_id
from lambent.domain.caller import Caller, Inside, Scope
from lambent.domain.identity import AccessKey
from lambent.errors.families import AccessDeniedException, MissingAuthenticationToken, SerializationException
from lambent.gateway.pipeline import Pipeline
from lambent.gateway.proxy import Proxy
from lambent.neighbours.endpoints import Neighbour
from lambent.neighbours.message import NeighbourUnavailable
from lambent.protocol.service import Protocols
from lambent.protocol.service_model import ServiceModel
from lambent.protocol.wire import ClientGone, WireRequest
from lambent.services.operation import Service
from lambent.telemetry.trail import Call
from lambent.testing.client_requests import ClientRequests

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


OWN = ("apigateway", "apigatewayv2", "lambda", "logs", "sqs")
REFUSALS = {
    "unsigned": {"MissingAuthenticationToken", "MissingAuthenticationTokenException"},
    "stranger": {"UnrecognizedClientException"},
    "wrong secret": {"InvalidSignatureException"},
}


@pytest.mark.parametrize("credentials", REFUSALS)
@pytest.mark.parametrize("name", [*OWN, "dynamodb", "kinesis", "s3", "iam", "sts"])
def test_no_operation_answers_who_has_not_signed(name: str, credentials: str) -> None:
    """
    Every operation of what is answered here, passed on, or not offered: refused before anything else is said; and
    nobody is put down for it, whose key it names.
    """

    async def reached(*_: Any) -> Any:
        raise AssertionError

    async def nothing(*_: Any) -> None:
        return

    store: Any = SimpleNamespace(on_change=lambda _: None, snapshot=lambda _: NoKeys())
    secrets = Secrets(b"s" * 32)
    key = encode_id("AKIA", "111122223333", "0" * 20)
    given = {"unsigned": None, "stranger": (key, secrets.of_key(key), None), "wrong secret": (key, "x", None)}
    services, shapes = {}, {}
    if name in OWN:
        operations = ServiceModel(name).operations
        services[name] = Service(name, dict.fromkeys(operations, reached), {}, SerializationException)
        shapes[name] = SerializationException
    neighbours: Any = SimpleNamespace(of=lambda service: Neighbour(service) if service != "iam" else None, send=reached)
    buckets: Any = SimpleNamespace(watch=nothing, configure=nothing)
    proxy = Proxy(neighbours, buckets, Everything(), SystemClock(), requests_max=10)
    trail: Any = _Calls()
    authenticator = Verifying(Keyring(store, secrets), SystemClock())
    pipeline = Pipeline(services, Protocols(shapes), authenticator, Everything(), "us-east-1", proxy, trail)
    if credentials == "wrong secret":
        # There is the key, and it is somebody's.
        store.snapshot = lambda _: OneKey()
    requests = ClientRequests(name, given[credentials])
    for operation in requests.operations:
        request = requests.request(operation)

        async def read(most_bytes: int, body: bytes = request.body) -> bytes:
            return body

        answer = asyncio.run(pipeline.answer(request, read, "id", "http://127.0.0.1:1"))
        assert answer.status in {400, 403}, (operation, answer)
        assert isinstance(answer.body, bytes)
        said = (answer.body + b"".join(value for _, value in answer.headers)).decode()
        assert (name == "s3" and request.method == "HEAD") or any(
            code in said for code in (*REFUSALS[credentials], *IN_S3, *IN_QUERIES)
        ), (operation, said)
        assert trail.calls.pop().caller is None, operation


def test_who_has_signed_with_the_body_is_put_down_once_it_is_known() -> None:
    """Of what is passed on as well, whose body the proxy reads."""
    secrets = Secrets(b"s" * 32)
    key = encode_id("AKIA", "111122223333", "0" * 20)
    store: Any = SimpleNamespace(on_change=lambda _: None, snapshot=lambda _: OneKey())

    async def unreachable(*_: Any) -> Any:
        raise NeighbourUnavailable("it is gone")

    neighbours: Any = SimpleNamespace(of=Neighbour, send=unreachable)
    proxy = Proxy(neighbours, cast("Any", None), Everything(), SystemClock(), requests_max=10)
    trail: Any = _Calls()
    authenticator = Verifying(Keyring(store, secrets), SystemClock())
    pipeline = Pipeline({}, Protocols({}), authenticator, Everything(), "us-east-1", proxy, trail)
    request = ClientRequests("kms", (key, secrets.of_key(key), None)).request("ListKeys")

    async def read(most_bytes: int) -> bytes:
        return request.body

    assert asyncio.run(pipeline.answer(request, read, "id", "http://127.0.0.1:1")).status == 503
    assert trail.calls[0].caller.principal.access_key == key


IN_S3 = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
IN_QUERIES = ("InvalidClientTokenId", "MissingAuthenticationToken")


class NoKeys:
    """Rows of an account without any."""

    async def __aenter__(self) -> "NoKeys":
        return self

    async def __aexit__(self, *_: Any) -> None:
        return

    async def get(self, kind: type[Any], name: str) -> Any:
        return None


class OneKey(NoKeys):
    """Rows of an account whose root has one."""

    async def get(self, kind: type[Any], name: str) -> Any:
        if kind is not AccessKey:
            return None
        return AccessKey(account="111122223333", access_key=name, owner_id="111122223333", created_at=0)


class _Refusing(AnyKey):
    """Takes no key."""

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Any:
        raise MissingAuthenticationToken("Missing Authentication Token")


class _Denying(Everything):
    """Allows nothing."""

    is_on = True

    async def authorize(self, caller: Caller, demands: Any, facts: Any = None) -> None:
        raise AccessDeniedException("not authorized")


class _Calls:
    """A trail that keeps calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def note(self, call: Call) -> None:
        self.calls.append(call)


TAKES, REFUSES, ALLOWS, DENIES = AnyKey("0" * 12), _Refusing("0" * 12), Everything(), _Denying()
PAGE = {"headers": {"origin": "http://evil.example"}}
ELSEWHERE = {"path": "/", "headers": {"x-amz-target": "AmazonEC2.Run"}}


@pytest.mark.parametrize(
    ("authenticator", "authorizer", "request_", "expected"),
    [
        (TAKES, ALLOWS, {}, ("lambda", "ListFunctions", None, True)),
        (REFUSES, ALLOWS, {}, ("lambda", "ListFunctions", "MissingAuthenticationTokenException", False)),
        (TAKES, DENIES, {}, ("lambda", "ListFunctions", "AccessDeniedException", True)),
        (TAKES, ALLOWS, {"query": "MaxItems=x"}, ("lambda", "ListFunctions", "SerializationException", True)),
        (TAKES, ALLOWS, PAGE, ("lambda", "ListFunctions", "AccessDeniedException", False)),
        (TAKES, ALLOWS, {"method": "PATCH"}, ("lambda", "", "UnknownOperationException", False)),
        (TAKES, ALLOWS, ELSEWHERE, ("amazonec2", "", "NotImplementedException", False)),
        (TAKES, ALLOWS, {"body": OSError("a defect")}, ("lambda", "ListFunctions", "ServiceException", False)),
        (TAKES, ALLOWS, {"body": ClientGone()}, ("lambda", "ListFunctions", "ClientGone", False)),
    ],
    ids=["answered", "unsigned", "denied", "unreadable", "page", "unmatched", "unknown", "defect", "gone"],
)
def test_every_request_is_told_once(
    authenticator: AnyKey, authorizer: Everything, request_: dict[str, Any], expected: tuple[str, str, str | None, bool]
) -> None:
    """Also one that is refused before anybody knows who sent it: by what it would have done, as far as that is told."""
    failure = request_.get("body")
    trail: Any = _Calls()

    async def list_functions(caller: Caller, parameters: Any) -> Mapping[str, Any]:
        return {"Functions": []}

    async def body(most_bytes: int) -> bytes:
        if failure is not None:
            raise failure
        return b""

    service = Service("lambda", {"ListFunctions": list_functions}, {}, SerializationException)
    protocols = Protocols({"lambda": SerializationException})
    pipeline = Pipeline({"lambda": service}, protocols, authenticator, authorizer, "us-east-1", trail=trail)
    request = WireRequest(**{"method": "GET", "path": "/2015-03-31/functions/"} | request_ | {"body": b""})
    with contextlib.suppress(ClientGone):
        asyncio.run(pipeline.answer(request, body, "id", "http://127.0.0.1:1"))
    (call,) = trail.calls
    code = call.error.code if call.error is not None else call.refusal[0] if call.refusal is not None else None
    assert (call.service, call.operation, code, call.caller is not None) == expected
