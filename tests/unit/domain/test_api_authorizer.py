"""What functions that decide are asked, and what their answers mean."""

import json
from typing import Any

import pytest
from unit.domain.api_requests import request_of

from lambent.domain.api_authorizer import MalformedVerdict, authorizer_event, identity_of, read_verdict
from lambent.domain.http_api import Authorizer

SIMPLE = Authorizer(
    "z1",
    "who",
    "REQUEST",
    ("$request.header.x",),
    authorizer_payload_format_version="2.0",
    enable_simple_responses=True,
)
POLICY = Authorizer("z1", "who", "REQUEST", ("$request.header.x",))
ROUTE = "arn:aws:execute-api:eu-west-1:111122223333:a1/prod/GET/items/7"


def policy(*statements: dict[str, Any], **further: Any) -> bytes:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return json.dumps({"principalId": "me", "policyDocument": document, **further}).encode()


def statement(effect: str, resource: Any = "*", action: Any = "execute-api:Invoke") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


def test_identity() -> None:
    """All values in order; none where one is missing or empty."""
    request = request_of()
    assert identity_of(("$request.header.X", "$request.querystring.q", "$stageVariables.v"), request) == (
        "y",
        "a,b",
        "1",
    )
    assert identity_of((), request) == ()
    assert identity_of(("$request.header.x", "$request.header.none"), request) is None
    assert identity_of(("$context.routeKey",), request) == ("GET /items/{id}",)


def test_what_is_asked() -> None:
    """Documented: both formats, without a body."""
    request = request_of(body=b"secret")
    newest = json.loads(authorizer_event(SIMPLE, ("y",), request, []))
    assert list(newest)[:4] == ["version", "type", "routeArn", "identitySource"]
    assert (newest["version"], newest["type"], newest["routeArn"], newest["identitySource"]) == (
        "2.0",
        "REQUEST",
        ROUTE,
        ["y"],
    )
    assert (newest["pathParameters"], newest["stageVariables"], newest["cookies"]) == (
        {"id": "7"},
        {"v": "1"},
        ["s=1", "t=2"],
    )
    older = json.loads(authorizer_event(POLICY, ("y", "z"), request, []))
    assert (older["version"], older["methodArn"], older["identitySource"], older["authorizationToken"]) == (
        "1.0",
        ROUTE,
        "y,z",
        "y,z",
    )
    assert older["path"] == "/items/7"
    for event in (newest, older):
        assert not {"body", "isBase64Encoded"} & event.keys()
        assert "authorizer" not in event["requestContext"]


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (policy(statement("Allow")), True),
        (policy(statement("Allow", ROUTE)), True),
        (policy(statement("Allow", ROUTE.replace("/items/7", "/*"))), True),
        (policy(statement("Allow", [ROUTE.replace("7", "8"), ROUTE], ["execute-api:Invoke"])), True),
        (policy(statement("Allow", ROUTE.replace("GET", "POST"))), False),
        (policy(statement("Allow"), statement("Deny", ROUTE)), False),
        (policy(statement("Allow", action="execute-api:*")), True),
        (policy(statement("Allow", action="lambda:Invoke")), False),
        (policy(), False),
    ],
)
def test_policies(answer: bytes, allowed: bool) -> None:
    """What is denied is denied, what nobody allows is, too."""
    verdict = read_verdict(POLICY, answer)
    assert verdict.allows(request_of()) is allowed
    assert verdict.principal_id == "me"


@pytest.mark.parametrize(
    ("operator", "key", "value", "holds"),
    [
        ("IpAddress", "aws:SourceIp", "192.0.2.0/24", True),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", False),
        ("DateGreaterThan", "aws:CurrentTime", "2026-11-18T11:06:39Z", True),
        ("DateLessThan", "aws:CurrentTime", "2026-11-18T11:06:39Z", False),
        ("NumericGreaterThan", "aws:EpochTime", "1794999999", True),
        ("StringLike", "aws:UserAgent", "say*", True),
        ("StringEquals", "aws:Referer", "https://a.example/", True),
        ("Bool", "aws:SecureTransport", "true", True),
        ("StringEquals", "aws:PrincipalAccount", "111122223333", False),
    ],
)
def test_conditions(operator: str, key: str, value: str, holds: bool) -> None:
    """What a policy asks of a request's circumstances counts, both where it allows and where it denies."""
    condition = {operator: {key: value}}
    request = request_of(
        headers={"user-agent": "say hi", "referer": "https://a.example/", "x-forwarded-proto": "https"}
    )
    allowing = policy({**statement("Allow"), "Condition": condition})
    assert read_verdict(POLICY, allowing).allows(request) is holds
    denying = policy(statement("Allow"), {**statement("Deny"), "Condition": condition})
    assert read_verdict(POLICY, denying).allows(request) is not holds


def test_simple_answers() -> None:
    verdict = read_verdict(SIMPLE, b'{"isAuthorized": true, "context": {"a": [1]}}')
    assert (verdict.allows(request_of()), verdict.context) == (True, {"a": [1]})
    assert not read_verdict(SIMPLE, b'{"isAuthorized": false}').allows(request_of())


@pytest.mark.parametrize(
    ("authorizer", "answer"),
    [
        (SIMPLE, b""),
        (SIMPLE, b"null"),
        (SIMPLE, b"{}"),
        (SIMPLE, b'{"isAuthorized": "true"}'),
        (SIMPLE, b'{"isAuthorized": true, "context": []}'),
        (SIMPLE, policy(statement("Allow"))),
        (POLICY, b'{"isAuthorized": true}'),
        (POLICY, b'{"principalId": "me"}'),
        (POLICY, json.dumps({"policyDocument": {"Statement": [statement("Allow")]}}).encode()),
        (POLICY, policy({"Effect": "Allow", "Action": "execute-api:Invoke"})),
        (POLICY, policy({"Effect": "Perhaps", "Action": "*", "Resource": "*"})),
        (POLICY, policy({"Effect": "Allow", "Action": [], "Resource": "*"})),
        (POLICY, policy({"Effect": "Allow", "Action": "*", "Resource": [1]})),
        (POLICY, policy({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": []})),
        (POLICY, b'{"principalId": "me", "policyDocument": {"Statement": "*"}}'),
        (POLICY, b'{"principalId": "me", "policyDocument": []}'),
        (POLICY, policy(statement("Allow"), context={"claims": 1})),
    ],
)
def test_what_is_no_decision(authorizer: Authorizer, answer: bytes) -> None:
    with pytest.raises(MalformedVerdict):
        read_verdict(authorizer, answer)
