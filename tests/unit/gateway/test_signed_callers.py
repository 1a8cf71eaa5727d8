"""Function URLs of AWS_IAM: who gets in, who does not, and what each is told. Real signatures, real policies."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from unit.gateway.signatures import OTHER, OWNER, Facts, R, Rules, Signatures, U, X, allow, signed

from lambent.access.authentication import AnyKey, Authenticator, Claim
from lambent.access.authorize import Authorizer, Everything
from lambent.clock import SystemClock
from lambent.dispatch.function_urls import UrlRoute
from lambent.domain.caller import Scope
from lambent.domain.cors import Cors
from lambent.domain.function import LATEST, Code, Configuration, FunctionName, FunctionVersion, State
from lambent.domain.function_url import AWS_IAM, NONE, FunctionUrl, UrlDomain
from lambent.domain.invocation import InvocationOutcome
from lambent.domain.quotas import Quotas
from lambent.domain.resource_policy import ResourcePolicy
from lambent.gateway.function_url import FunctionUrls
from lambent.gateway.signed_callers import SignedCallers, without_signature
from lambent.protocol.wire import BodyTooLarge, WireRequest, WireResponse
from lambent.telemetry.trail_record import Call

URL_ID = "abcdefghijklmnopqrstuvwxyz012345"
HOST = f"{URL_ID}.lambda-url.eu-west-1.localhost:4566"
URL = f"http://{HOST}/"
SCOPE = Scope(OWNER, "eu-west-1")
F = f"arn:aws:lambda:eu-west-1:{OWNER}:function:f"
BOTH = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
FORBIDDEN = "Forbidden. For troubleshooting Function URL authorization issues, see: "


class Stage:
    """One URL, of a function that answers with its event."""

    def __init__(
        self,
        *statements: dict[str, Any],
        authorizer: Authorizer | None = None,
        authenticator: Authenticator | None = None,
        auth_type: str = AWS_IAM,
        qualifier: str = "",
        cors: Cors | None = None,
    ) -> None:
        self.url = FunctionUrl(SCOPE, FunctionName("f"), qualifier, URL_ID, 0, 0, None, cors, auth_type)
        self.policy = ResourcePolicy(statements).compiled() if statements else None
        self.events: list[dict[str, Any]] = []
        self.read: list[int] = []
        callers = SignedCallers(authenticator or Signatures(), authorizer or Everything())
        self._urls = FunctionUrls(
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            callers,
            Facts(self.policy),
            UrlDomain("http", "localhost", ":4566"),
            Quotas(),
            SystemClock(),
            self,  # type: ignore[arg-type]
        )
        self.trail: list[tuple[str | None, str | None]] = []
        """Of each request, who sent it, as far as it is known, and how it was refused."""

    def wants(self, service: str, operation: str) -> bool:
        return (service, operation) == ("lambda", "InvokeFunctionUrl")

    def note(self, call: Call) -> None:
        who = None if call.caller is None else call.caller.principal.arn
        self.trail.append((who, None if call.refusal is None else call.refusal[0]))

    async def find(self, url_id: str) -> UrlRoute | None:
        return UrlRoute(self.url, self.url.is_open(self.policy), self.policy)

    async def resolve(self, scope: Scope, name: FunctionName, qualifier: str | None) -> FunctionVersion:
        configuration = Configuration("python3.11", "app.handler", "role")
        return FunctionVersion(
            scope=scope, name=name, version=LATEST, function_id="id", configuration=configuration,
            code=Code("0" * 64, 1), revision_id="r", last_modified=0.0, state=State.ACTIVE,
        )  # fmt: skip

    async def run(self, *_: Any, payload: bytes, trace_header: str, **__: Any) -> tuple[InvocationOutcome, str]:
        self.events.append(json.loads(payload))
        return InvocationOutcome(b'{"ran": true}', LATEST), trace_header

    def ask(self, request: WireRequest, body: bytes = b"") -> WireResponse:
        async def read_body(most_bytes: int) -> bytes:
            self.read.append(most_bytes)
            if len(body) > most_bytes:
                raise BodyTooLarge
            return body

        return asyncio.run(self._urls.answer(request, read_body, "request-1"))

    def tells(self, request: WireRequest, body: bytes = b"") -> tuple[int, str, str]:
        """Ask; return the status, the kind of error and its text, and see that nothing ran."""
        response = self.ask(request, body)
        assert not self.events
        kind = dict(response.headers).get(b"x-amzn-errortype", b"").decode()
        assert isinstance(response.body, bytes)
        said = msgspec.json.decode(response.body)
        return response.status, kind, said.get("Message") or said["message"]

    def lets_in(self, request: WireRequest, body: bytes = b"") -> bool:
        before = len(self.events)
        response = self.ask(request, body)
        assert (response.status == 200) == (len(self.events) > before)
        return response.status == 200

    @property
    def context(self) -> dict[str, Any]:
        context: dict[str, Any] = self.events[-1]["requestContext"]
        return context


def unsigned(**headers: str) -> WireRequest:
    given = {"host": HOST, **headers}
    pairs = [(name.encode(), value.encode()) for name, value in given.items()]
    return WireRequest("GET", "/", headers=given, pairs=pairs, client="192.0.2.9")


def policies(arn: str, *statements: dict[str, Any]) -> Rules:
    return Rules({arn: statements})


def test_whoever_signs_and_may() -> None:
    """Case 46: both actions by the caller's own policy, none by the function's; the event says who it was."""
    rules = policies(U.arn, allow(*BOTH, resource=F))
    stage = Stage(authorizer=rules)
    assert stage.lets_in(signed(URL, "POST", b"hello"), b"hello")
    assert rules.asked == [(action, F) for action in BOTH]
    assert stage.context["accountId"] == OWNER
    assert stage.context["authorizer"] == {
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
    assert stage.events[0]["body"] == "hello"
    assert "authorization" not in stage.events[0]["headers"] and "x-amz-date" in stage.events[0]["headers"]


def test_a_session_of_a_role() -> None:
    """It is named by the session, without the role's path."""
    stage = Stage(authorizer=policies(R.arn, allow("lambda:*")))
    assert stage.lets_in(signed(URL, key=R.access_key))
    iam = stage.context["authorizer"]["iam"]
    assert (iam["userArn"], iam["userId"]) == (f"arn:aws:sts::{OWNER}:assumed-role/r/s", "AROAR:s")


@pytest.mark.parametrize("action", BOTH)
def test_one_action_is_not_enough(action: str) -> None:
    stage = Stage(authorizer=policies(U.arn, allow(action)))
    status, kind, text = stage.tells(signed(URL))
    assert (status, kind) == (403, "AccessDeniedException") and text.startswith(FORBIDDEN)


def test_the_conditions_of_a_url() -> None:
    """A grant for AWS_IAM lets in, one for NONE does not, nor one for what is invoked otherwise."""
    for auth_type, is_in in ((AWS_IAM, True), (NONE, False)):
        condition = {"StringEquals": {"lambda:FunctionUrlAuthType": auth_type}}
        rules = policies(U.arn, allow(BOTH[0], Condition=condition), allow(BOTH[1]))
        assert Stage(authorizer=rules).lets_in(signed(URL)) is is_in
    for value, is_in in (("true", True), ("false", False)):
        condition = {"Bool": {"lambda:InvokedViaFunctionUrl": value}}
        rules = policies(U.arn, allow(BOTH[0]), allow(BOTH[1], Condition=condition))
        assert Stage(authorizer=rules).lets_in(signed(URL)) is is_in


def test_an_alias_is_asked_for_by_its_own_name() -> None:
    """A grant on the function does not reach it (case 2)."""
    assert not Stage(qualifier="live", authorizer=policies(U.arn, allow(*BOTH, resource=F))).lets_in(signed(URL))
    assert Stage(qualifier="live", authorizer=policies(U.arn, allow(*BOTH, resource=f"{F}:live"))).lets_in(signed(URL))


def grant(principal: Any, *actions: str, **more: Any) -> dict[str, Any]:
    return allow(*(actions or BOTH), resource=F, Principal=principal, **more)


def test_the_functions_policy_alone_within_the_account() -> None:
    """It may name a user (case 10); the account's number delegates to policies that allow nothing (case 11)."""
    rules = Rules()
    assert Stage(grant({"AWS": U.arn}), authorizer=rules).lets_in(signed(URL))
    assert not Stage(grant({"AWS": OWNER}), authorizer=rules).lets_in(signed(URL))
    denied = {**grant("*"), "Effect": "Deny"}
    assert not Stage(grant({"AWS": U.arn}), denied, authorizer=rules).lets_in(signed(URL))


@pytest.mark.parametrize(
    ("identity", "resource", "is_in"),
    [
        ((), grant({"AWS": X.arn}), False),
        ((allow("lambda:*"),), None, False),
        ((allow("lambda:*"),), grant({"AWS": OTHER}), True),
        ((allow("lambda:*"),), grant({"AWS": X.arn}), True),
        ((allow("lambda:*"),), grant("*"), True),
        ((allow("lambda:*"),), grant({"AWS": OTHER}, BOTH[0]), False),
        ((allow("lambda:*"),), grant({"AWS": U.arn}), False),
    ],
)
def test_another_account_needs_both_sides(
    identity: tuple[dict[str, Any], ...], resource: dict[str, Any] | None, *, is_in: bool
) -> None:
    """Cases 12 to 14, of a URL. What it is told says nothing of why."""
    statements = () if resource is None else (resource,)
    request = signed(URL, key=X.access_key)
    stage = Stage(*statements, authorizer=policies(X.arn, *identity))
    assert stage.lets_in(request) is is_in
    if not is_in:
        assert stage.tells(request)[2].startswith(FORBIDDEN)
    else:
        assert stage.context["accountId"] == OTHER


def test_where_policies_decide_nothing() -> None:
    """With `--iam off` whoever signs may, of the own account; of another one whom the function's policy lets in."""
    assert Stage().lets_in(signed(URL))
    assert not Stage().lets_in(signed(URL, key=X.access_key))
    assert not Stage(grant({"AWS": OTHER}, BOTH[0])).lets_in(signed(URL, key=X.access_key))
    assert Stage(grant({"AWS": OTHER})).lets_in(signed(URL, key=X.access_key))
    by_address = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "StringEquals": {"aws:username": "x"}}
    assert Stage(grant({"AWS": OTHER}, Condition=by_address)).lets_in(signed(URL, key=X.access_key))
    by_address["IpAddress"] = {"aws:SourceIp": "10.0.0.0/8"}
    assert not Stage(grant({"AWS": OTHER}, Condition=by_address)).lets_in(signed(URL, key=X.access_key))


def test_nobody_gets_in_without_a_signature() -> None:
    """Also not where the function's policy lets everybody in; nor where any key is taken. The body is read away."""
    for authenticator in (Signatures(), AnyKey(OWNER)):
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp5"}):
            stage = Stage(grant("*"), authenticator=authenticator)
            status, kind, text = stage.tells(unsigned(**headers))
            assert (status, kind) == (403, "AccessDeniedException") and text.startswith(FORBIDDEN)
            assert stage.read == [0]


def test_any_key_where_any_is_taken() -> None:
    """On loopback a key of twelve digits is that account's root."""
    stage = Stage(authenticator=AnyKey(OWNER))
    assert stage.lets_in(signed(URL, key="test", secret="test"))
    assert stage.context["authorizer"]["iam"]["userArn"] == f"arn:aws:iam::{OWNER}:root"
    assert not stage.lets_in(signed(URL, key=OTHER, secret="test"))


def tampered(request: WireRequest, **changes: Any) -> WireRequest:
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def test_signatures_that_do_not_hold() -> None:
    """Each with AWS's text; a head that cannot be right is refused before the body is read."""
    stage = Stage()
    mismatch = "The request signature we calculated does not match the signature you provided."
    invalid = (403, "InvalidSignatureException")
    assert stage.lets_in(signed(URL, "POST", b"pay 1"), b"pay 1")
    stage.events.clear()
    assert stage.tells(signed(URL, "POST", b"pay 1"), b"pay 2") == (*invalid, mismatch)
    assert stage.tells(signed(f"{URL}a"), b"x") == (*invalid, mismatch)
    assert stage.tells(signed(URL, secret="wrong")) == (*invalid, mismatch)
    assert stage.tells(tampered(signed(f"{URL}a"), path="/b")) == (*invalid, mismatch)
    assert stage.tells(tampered(signed(f"{URL}?a=1"), query="a=2")) == (*invalid, mismatch)
    assert stage.tells(tampered(signed(URL, "POST"), method="PUT")) == (*invalid, mismatch)
    stage.read.clear()
    assert stage.tells(signed(URL, service="execute-api")) == (
        *invalid, "Credential should be scoped to correct service: 'lambda'. "
    )  # fmt: skip
    assert stage.tells(signed(URL, region="us-east-1")) == (
        *invalid, "Credential should be scoped to a valid region, not 'us-east-1'. "
    )  # fmt: skip
    assert stage.tells(signed(URL, key="AKIANOBODY")) == (
        403, "UnrecognizedClientException", "The security token included in the request is invalid."
    )  # fmt: skip
    status, kind, text = stage.tells(unsigned(authorization="AWS4-HMAC-SHA256 Credential=a"))
    assert (status, kind) == (403, "IncompleteSignatureException") and "requires 'Signature' parameter" in text
    assert stage.read == [0, 0, 0, 0]


def test_a_preflight_is_open() -> None:
    """No browser signs it; a request that is no preflight is not let through by looking like one in part."""
    cors = Cors(allow_origins=("https://a.example",))
    preflight = {"origin": "https://a.example", "access-control-request-method": "GET"}
    stage = Stage(cors=cors)
    request = unsigned(**preflight)
    request.method = "OPTIONS"
    response = stage.ask(request)
    assert response.status == 200 and (b"access-control-allow-origin", b"https://a.example") in response.headers
    assert stage.tells(unsigned(**preflight))[0] == 403
    # What is refused says so to the page that asked.
    assert (b"access-control-allow-origin", b"https://a.example") in stage.ask(unsigned(**preflight)).headers


def test_an_alias_that_is_gone() -> None:
    """Its URL is refused to whoever may everything."""
    stage = Stage(authorizer=policies(U.arn, allow("*")))
    stage.url = msgspec.structs.replace(stage.url, is_lost=True)
    assert stage.tells(signed(URL))[2].startswith(FORBIDDEN)


def test_an_open_url_looks_at_no_signature() -> None:
    """Whatever is in the header; it stays where it is, and nobody is named."""
    condition = {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    open_to_all = (grant("*", BOTH[0], Condition=condition), grant("*", BOTH[1]))
    stage = Stage(*open_to_all, auth_type=NONE, authenticator=None, authorizer=Rules())
    request = signed(URL, key="AKIANOBODY", service="s3")
    assert stage.lets_in(request)
    assert stage.context["accountId"] == "anonymous" and "authorizer" not in stage.context
    assert stage.events[0]["headers"]["authorization"] == request.headers["authorization"]
    # Case 45: one grant alone.
    stage = Stage(open_to_all[0], auth_type=NONE)
    assert stage.tells(unsigned())[2].startswith(FORBIDDEN)
    # The same grants let nobody in where the URL wants a signature, and no grant for that is for anybody.
    assert Stage(*open_to_all).tells(unsigned())[0] == 403
    for_iam = {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}
    assert Stage(grant("*", Condition=for_iam), auth_type=NONE).tells(unsigned())[0] == 403


def test_an_open_url_whose_policy_asks_of_the_request() -> None:
    """Where from it comes is looked at each time."""
    for network, is_in in (("192.0.2.0/24", True), ("10.0.0.0/8", False)):
        stage = Stage(grant("*", Condition={"IpAddress": {"aws:SourceIp": network}}), auth_type=NONE)
        assert stage.lets_in(unsigned()) is is_in
    denied = {**grant("*", Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), "Effect": "Deny"}
    assert not Stage(grant("*"), denied, auth_type=NONE).lets_in(unsigned())


def test_whom_a_not_principal_lets_in() -> None:
    """Case 24: everybody else, who did not sign included."""
    statement = {"Effect": "Allow", "NotPrincipal": {"AWS": X.arn}, "Action": list(BOTH), "Resource": F}
    assert Stage(statement, auth_type=NONE).lets_in(unsigned())
    denied = {**statement, "Effect": "Deny"}
    assert not Stage(grant("*"), denied, auth_type=NONE).lets_in(unsigned())


def test_what_the_audit_trail_has_of_it() -> None:
    """Who signed, whether they may or not; nobody where no signature holds, and who is anybody where none is needed."""
    stage = Stage(authorizer=policies(U.arn, allow("lambda:*")))
    for request in (signed(URL), signed(URL, key=X.access_key), signed(URL, key=R.access_key), unsigned()):
        stage.ask(request)
    stage.ask(signed(URL), b"another")
    assert stage.trail == [
        (U.arn, None),
        (X.arn, "HTTP403"),
        (R.arn, "HTTP403"),
        (None, "HTTP403"),
        (None, "HTTP403"),
    ]
    stage = Stage(grant("*"), auth_type=NONE)
    stage.ask(signed(URL))
    assert stage.trail == [("anonymous", None)]


class OfTheEnvironment:
    """Knows by the listener whose function calls, whatever a request says."""

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Claim:
        return await AnyKey(OWNER).begin(request, service)


def test_an_environment_is_no_signature() -> None:
    """Also where it is known which function sends a request, it has to be signed, as on AWS."""
    stage = Stage(authenticator=OfTheEnvironment())
    assert stage.lets_in(signed(URL))
    stage.events.clear()
    assert stage.tells(unsigned())[2].startswith(FORBIDDEN)


def test_what_goes_on_without_its_signature() -> None:
    """Signatures alone: whatever else is in the header is the function's."""
    for value, is_left in (("AWS4-HMAC-SHA256 Credential=a", False), ("Bearer a", True), ("aws4", True)):
        headers = {"authorization": value, "x-amz-date": "d"}
        without_signature(headers)
        assert headers == {"x-amz-date": "d", **({"authorization": value} if is_left else {})}
