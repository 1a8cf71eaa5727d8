"""Routes of AWS_IAM of HTTP APIs: who gets in, what functions and access logs learn of them. Real signatures."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from unit.domain.api_requests import SCOPE
from unit.gateway.signatures import OWNER, R, Rules, Signatures, U, X, allow, signed

from lambent.access.authentication import AnyKey, Authenticator
from lambent.access.authorize import Authorizer, Everything
from lambent.clock import SystemClock
from lambent.dispatch.http_apis import ServedApi, ServedRoute, ServedStage
from lambent.domain.access_log import AccessLogFormat
from lambent.domain.api_request import ApiRequest
from lambent.domain.caller import Caller, Scope
from lambent.domain.function_url import parse_url_domain
from lambent.domain.http_api import (
    AWS_IAM,
    CALLERS_CREDENTIALS,
    AccessLogSettings,
    ApiCors,
    ApiDomain,
    HttpApi,
    Integration,
    Route,
    Stage,
)
from lambent.domain.http_routes import RouteTable
from lambent.domain.invocation import InvocationOutcome
from lambent.domain.quotas import Quotas
from lambent.gateway.http_api import HttpApis
from lambent.gateway.http_api_callers import ApiCallers
from lambent.gateway.signed_callers import SignedCallers
from lambent.protocol.wire import WireRequest, WireResponse

HOST = "a1.execute-api.eu-west-1.localhost:4566"
URL = f"http://{HOST}"
API = f"arn:aws:execute-api:eu-west-1:{OWNER}:a1"
LOG = (
    '{"id":"$context.requestId","status":"$context.status","error":"$context.authorizer.error",'
    '"type":"$context.error.responseType","account":"$context.identity.accountId","caller":"$context.identity.caller",'
    '"user":"$context.identity.user","arn":"$context.identity.userArn"}'
)


class Bench:
    """An API with an open route, `GET /open`, and one of AWS_IAM that takes what is left; a function answers both."""

    def __init__(
        self,
        authorizer: Authorizer | None = None,
        authenticator: Authenticator | None = None,
        version: str = "2.0",
        cors: ApiCors | None = None,
    ) -> None:
        self.ran: list[tuple[dict[str, Any], Caller | None]] = []
        self.lines: list[dict[str, str]] = []
        self.read: list[int] = []
        integration = Integration(
            "i1", "AWS_PROXY", "f", payload_format_version=version, credentials_arn=CALLERS_CREDENTIALS
        )
        routes = {
            "GET /open": ServedRoute(Route("r1", "GET /open"), integration, None),
            "ANY /{path+}": ServedRoute(Route("r2", "ANY /{path+}", authorization_type=AWS_IAM), integration, None),
        }
        rules = None if cors is None else cors.rules()
        settings = AccessLogSettings("arn:x:log-group:g", "")
        stage = Stage("prod", 0.0, 0.0, access_log_settings=settings)
        served = ServedStage(stage, RouteTable(routes), rules, AccessLogFormat(LOG))
        self._served = ServedApi(HttpApi(SCOPE, "a1", "test", 0.0), {"prod": served})
        callers = SignedCallers(authenticator or Signatures(), authorizer or Everything())
        self._apis = HttpApis(
            self,  # type: ignore[arg-type]
            None,  # type: ignore[arg-type]
            ApiCallers(callers),
            self,  # type: ignore[arg-type]
            None,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            parse_url_domain("localhost", 4566),
            Quotas(),
            SystemClock(),
        )

    def domain_of(self, host: str) -> ApiDomain | None:
        return None

    async def find(self, api_id: str) -> ServedApi | None:
        return self._served

    def open_stream(self, scope: Scope, group: str, stream: str) -> "Bench":
        return self

    def output(self, lines: list[str]) -> None:
        self.lines += map(json.loads, lines)

    async def run(self, uri: str, payload: bytes, *, caller: Caller | None, **_: Any) -> tuple[InvocationOutcome, str]:
        self.ran.append((json.loads(payload), caller))
        return InvocationOutcome(b'{"statusCode": 200, "body": "ok"}', "1"), "id"

    def ask(self, request: WireRequest, body: bytes = b"") -> WireResponse:
        async def read_body(most_bytes: int) -> bytes:
            self.read.append(most_bytes)
            return body

        return asyncio.run(self._apis.answer(request, read_body))

    def lets_in(self, request: WireRequest, body: bytes = b"") -> bool:
        before = len(self.ran)
        response = self.ask(request, body)
        if response.status != 200:
            assert (response.status, response.body) == (403, b'{"message":"Forbidden"}')
        assert (response.status == 200) == (len(self.ran) > before)
        return response.status == 200


def unsigned(path: str, method: str = "GET", **headers: str) -> WireRequest:
    given = {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    pairs = [(name.encode(), value.encode()) for name, value in given.items()]
    return WireRequest(method, path, headers=given, pairs=pairs, client="192.0.2.9")


def for_api(path: str = "/prod/items/7", method: str = "GET", body: bytes = b"", **how: Any) -> WireRequest:
    return signed(f"{URL}{path}", method, body, **{"service": "execute-api", **how})


def test_whoever_signs_and_may() -> None:
    """By the ARN of stage, method and path; payload 2.0 says who, and no signature goes on."""
    rules = Rules({U.arn: [allow("execute-api:Invoke", resource=f"{API}/prod/POST/items/*")]})
    bench = Bench(rules)
    assert bench.lets_in(for_api(method="POST", body=b"{}"), b"{}")
    assert rules.asked == [("execute-api:Invoke", f"{API}/prod/POST/items/7")]
    event, caller = bench.ran[0]
    assert caller is not None and caller.principal == U and caller.authenticated_by == "signature"
    assert event["body"] == "{}" and "authorization" not in event["headers"]
    assert event["requestContext"]["accountId"] == OWNER
    assert event["requestContext"]["authorizer"] == {
        "iam": {
            "accessKey": "AKIAU",
            "accountId": OWNER,
            "callerId": "AIDAU",
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": U.arn,
            "userId": "AIDAU",
        }
    }
    (line,) = bench.lines
    assert (line["status"], line["error"], line["type"]) == ("200", "-", "-")
    assert (line["account"], line["caller"], line["user"], line["arn"]) == (OWNER, "AIDAU", "AIDAU", U.arn)
    assert not bench.lets_in(for_api(method="PUT", body=b"{}"), b"{}")
    assert not bench.lets_in(for_api("/prod/others", "POST"))


def test_payload_1() -> None:
    """It has who signed in its identity, and nothing of an authorizer."""
    bench = Bench(version="1.0")
    assert bench.lets_in(for_api(key=R.access_key))
    context = bench.ran[0][0]["requestContext"]
    assert context["authorizer"] == {"claims": None, "scopes": None}
    found = {name: context["identity"][name] for name in ("accessKey", "accountId", "caller", "user", "userArn")}
    assert found == {
        "accessKey": "ASIAR", "accountId": OWNER, "caller": "AROAR:s", "user": "AROAR:s", "userArn": R.arn,
    }  # fmt: skip


def test_an_open_route_looks_at_no_signature() -> None:
    """Of whomever, for whatever; it goes on as it is."""
    bench = Bench(Rules())
    request = for_api("/prod/open", key="AKIANOBODY", service="execute-api")
    assert bench.lets_in(request) and bench.lets_in(unsigned("/prod/open"))
    event, caller = bench.ran[0]
    assert caller is None and "authorizer" not in event["requestContext"]
    assert event["headers"]["authorization"] == request.headers["authorization"]
    assert bench.lines[0]["arn"] == "-"


def refusal(bench: Bench, request: WireRequest, body: bytes = b"") -> tuple[str, str, str]:
    """Ask, see it refused; return what the access log has of why and of whom."""
    assert not bench.lets_in(request, body)
    line = bench.lines.pop()
    return line["type"], line["error"], line["arn"]


def test_signatures_that_do_not_hold() -> None:
    """All are told the same; the log says why, and names nobody who may be another one."""
    bench = Bench()
    assert bench.lets_in(for_api(method="POST", body=b"pay 1"), b"pay 1")
    bench.lines.clear()
    mismatch = (
        "INVALID_SIGNATURE", "The request signature we calculated does not match the signature you provided.", "-"
    )  # fmt: skip
    assert refusal(bench, for_api(method="POST", body=b"pay 1"), b"pay 2") == mismatch
    assert refusal(bench, for_api(secret="wrong")) == mismatch
    moved = for_api("/prod/a")
    moved.path = "/prod/b"
    assert refusal(bench, moved) == mismatch
    bench.read.clear()
    assert refusal(bench, for_api(service="lambda"))[:2] == (
        "INVALID_SIGNATURE", "Credential should be scoped to correct service: 'execute-api'. "
    )  # fmt: skip
    assert refusal(bench, for_api(region="us-east-1"))[:2] == (
        "INVALID_SIGNATURE", "Credential should be scoped to a valid region, not 'us-east-1'. "
    )  # fmt: skip
    assert refusal(bench, for_api(key="AKIANOBODY"))[0] == "INVALID_SIGNATURE"
    nobody = ("MISSING_AUTHENTICATION_TOKEN", "nobody signed the request", "-")
    assert refusal(bench, unsigned("/prod/items/7")) == nobody
    assert refusal(bench, unsigned("/prod/items/7", authorization="Bearer x")) == nobody
    assert bench.read == [0] * 5


@pytest.mark.parametrize("authorizer", [Rules({U.arn: [], X.arn: [allow("*")]}), Everything()], ids=["on", "off"])
def test_nobody_of_another_account(authorizer: Authorizer) -> None:
    """Whatever they may at home: HTTP APIs have no policies that could let them in."""
    bench = Bench(authorizer)
    kind, error, arn = refusal(bench, for_api(key=X.access_key))
    assert (kind, error, arn) == ("ACCESS_DENIED", f"{X.arn} is of another account than the API", X.arn)


def test_whoever_may_not() -> None:
    """The log says what was lacking."""
    kind, error, arn = refusal(Bench(Rules({U.arn: [allow("lambda:*")]})), for_api())
    assert (kind, arn) == ("ACCESS_DENIED", U.arn)
    assert error == (
        f"User: {U.arn} is not authorized to perform: execute-api:Invoke on resource: {API}/prod/GET/items/7 because "
        "no identity-based policy allows the execute-api:Invoke action"
    )


def test_where_any_key_is_taken() -> None:
    """It still takes one."""
    bench = Bench(authenticator=AnyKey(OWNER))
    assert bench.lets_in(for_api(key="test", secret="test"))
    assert bench.ran[0][0]["requestContext"]["authorizer"]["iam"]["userArn"] == f"arn:aws:iam::{OWNER}:root"
    assert not bench.lets_in(unsigned("/prod/items/7"))


def test_a_preflight_is_open() -> None:
    """With a configuration the API answers it; without one it is a request like any other."""
    preflight = {"origin": "https://a.example", "access_control_request_method": "GET"}
    bench = Bench(cors=ApiCors(allow_origins=("https://a.example",)))
    response = bench.ask(unsigned("/prod/items/7", "OPTIONS", **preflight))
    assert response.status == 204 and not bench.ran
    assert (b"access-control-allow-origin", b"https://a.example") in response.headers
    assert not bench.lets_in(unsigned("/prod/items/7", "GET", **preflight))
    assert not Bench().lets_in(unsigned("/prod/items/7", "OPTIONS", **preflight))


def test_context_variables_of_a_request_that_nobody_signed() -> None:
    route = Route("r", "GET /a")
    http: Any = None
    request = ApiRequest(SCOPE, "a1", Stage("prod", 0, 0), route, http, "/a", {}, "id", "a1.x", 0.0)
    assert [request.context(f"identity.{name}") for name in ("accountId", "caller", "user", "userArn")] == [None] * 4
    request.authorizer = msgspec.json.decode(b'{"lambda": {"userArn": "x"}}')
    assert request.context("identity.userArn") is None
