"""What variables stand for, and by which ARNs policies name what is asked for."""

import msgspec
import pytest
from unit.domain.api_requests import STAGE, request_of

from lambent.domain.api_request import BODY_MAX_BYTES, body_value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request.header.X", "y"),
        ("request.header.cookie", "s=1; t=2"),
        ("request.header.none", None),
        ("request.querystring.q", "a,b"),
        ("request.querystring.r", " "),
        ("request.querystring.Q", None),
        ("request.path", "/prod/items/7"),
        ("request.path.id", "7"),
        ("request.path.none", None),
        ("request.body", ""),
        ("stageVariables.v", "1"),
        ("stageVariables.w", None),
        ("context.requestId", "Kf2LcqRTjoEEPqw="),
        ("context.extendedRequestId", "Kf2LcqRTjoEEPqw="),
        ("context.accountId", "111122223333"),
        ("context.stage", "prod"),
        ("context.routeKey", "GET /items/{id}"),
        ("context.domainPrefix", "a1"),
        ("context.identity.sourceIp", "192.0.2.9"),
        ("context.requestTime", "18/Nov/2026:11:06:40 +0000"),
        ("context.requestTimeEpoch", "1795000000123"),
        ("context.authorizer.principalId", None),
        ("context.none", None),
        ("response.header.x", None),
        ("", None),
    ],
)
def test_variables(name: str, value: str | None) -> None:
    """What has no value, and what is no variable, is nothing."""
    assert request_of().value_of(name) == value


def test_what_an_authorizer_said() -> None:
    """Claims of a token, and what a function returned: texts as they are, anything else as JSON."""
    request = request_of()
    request.authorizer = {"jwt": {"claims": {"sub": "u1", "n": "5"}, "scopes": None}}
    assert request.context("authorizer.claims.sub") == "u1"
    assert request.context("authorizer.claims.none") is None
    request.authorizer, request.principal_id = {"lambda": {"a": "x", "b": [1, True]}}, "me"
    assert [request.context(f"authorizer.{name}") for name in ("a", "b", "c", "principalId")] == [
        "x",
        "[1,true]",
        None,
        "me",
    ]
    request.authorizer = {"lambda": None}
    assert request.context("authorizer.a") is None


@pytest.mark.parametrize(
    ("route_key", "source"),
    [
        ("GET /items/{id}", "prod/GET/items/{id}"),
        ("ANY /items/{id}", "prod/GET/items/{id}"),
        ("$default", "prod/$default"),
    ],
)
def test_arns(route_key: str, source: str) -> None:
    """What calls a function is named by its route, what a policy of an authorizer is put to by the path."""
    request = request_of(route_key)
    api = "arn:aws:execute-api:eu-west-1:111122223333:a1"
    assert request.source_arn() == f"{api}/{source}"
    assert request.route_arn() == f"{api}/prod/GET/items/7"
    assert request.authorizer_arn("z1") == f"{api}/authorizers/z1"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", '{"a":{"b":[1,{"c":"x"}],"d e":null},"n":1.5,"t":true}'),
        ("a.b[0]", "1"),
        ("a.b[1].c", "x"),
        ("a.b[1]['c']", "x"),
        ("a.b", '[1,{"c":"x"}]'),
        ("a.b[2]", None),
        ("a.b[99999999999999]", None),
        ("a.b.c", None),
        ("a[0]", None),
        ("a.d e", None),
        ("n", "1.5"),
        ("t", "true"),
        ("none.b", None),
        ("n.x", None),
    ],
)
def test_bodies(path: str, value: str | None) -> None:
    body = b'{"a":{"b":[1,{"c":"x"}],"d e":null},"n":1.5,"t":true}'
    assert body_value(body, path) == value


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 20_000, b'"' + b"x" * BODY_MAX_BYTES + b'"'])
def test_bodies_in_which_nothing_is(body: bytes) -> None:
    """What is no JSON, or too long, has no values."""
    assert body_value(body, "a.b") is None


def test_a_body_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a mapping looks into it, JSON or not; the next request's is another one."""
    read: list[bytes] = []
    decode = msgspec.json.decode
    monkeypatch.setattr(msgspec.json, "decode", lambda body: read.append(body) or decode(body))
    for body, value in ((b'{"a":"one"}', "one"), (b'{"a":"two"}', "two"), (b'{"a":"tw', None)):
        assert {body_value(body, "a") for _ in range(200)} == {value}
    assert len(read) == 3


def test_a_stage_without_variables() -> None:
    assert request_of(stage=STAGE).value_of("stageVariables.none") is None
