"""What operations of API Gateway ask leave for. Their methods and paths are compared with the model elsewhere."""

from collections.abc import Mapping
from typing import Any

import pytest

from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.services.apigatewayv2.demands import DEMANDS

A = "111122223333"
CALLER = Caller(Scope(A, "eu-west-1"), root_of(A), "signature", "id", "https://x")
BASE = "arn:aws:apigateway:eu-west-1::"
ROLE = f"arn:aws:iam::{A}:role/r"
PASSED = ("iam:PassRole", ROLE, {"iam:passedtoservice": "apigateway.amazonaws.com"})


@pytest.mark.parametrize(
    ("operation", "request_", "expected"),
    [
        ("CreateApi", {"Name": "a"}, [("apigateway:POST", f"{BASE}/apis")]),
        (
            "CreateApi",
            {"Name": "a", "Tags": {"k": "v"}, "CredentialsArn": ROLE},
            [("apigateway:POST", f"{BASE}/apis", {"aws:requesttag/k": "v", "aws:tagkeys": ("k",)}), PASSED],
        ),
        ("GetApi", {"ApiId": "i"}, [("apigateway:GET", f"{BASE}/apis/i")]),
        (
            "UpdateStage",
            {"ApiId": "i", "StageName": "$default"},
            [("apigateway:PATCH", f"{BASE}/apis/i/stages/$default")],
        ),
        (
            "CreateIntegration",
            {"ApiId": "i", "CredentialsArn": ROLE},
            [("apigateway:POST", f"{BASE}/apis/i/integrations"), PASSED],
        ),
        (
            "CreateAuthorizer",
            {"ApiId": "i", "AuthorizerCredentialsArn": ROLE},
            [("apigateway:POST", f"{BASE}/apis/i/authorizers"), PASSED],
        ),
        (
            "TagResource",
            {"ResourceArn": f"{BASE}/apis/i", "Tags": {"k": "v"}},
            [
                (
                    "apigateway:POST",
                    f"{BASE}/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Fapis%2Fi",
                    {"aws:requesttag/k": "v", "aws:tagkeys": ("k",)},
                )
            ],
        ),
        (
            "GetRoute",
            {"ApiId": "a/stages/b", "RouteId": "r"},
            [("apigateway:GET", f"{BASE}/apis/a%2Fstages%2Fb/routes/r")],
        ),
    ],
)
def test_demands(operation: str, request_: Mapping[str, Any], expected: list[tuple[Any, ...]]) -> None:
    found = DEMANDS[operation](CALLER, request_)
    assert [(one.action, one.resource, *([dict(one.context)] if one.context else [])) for one in found] == expected
