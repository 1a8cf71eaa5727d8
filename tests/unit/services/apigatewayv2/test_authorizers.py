"""What an authorizer needs."""

import pytest

from lambent.domain.caller import Scope
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2 import authorizers
from lambent.services.apigatewayv2.authorizers import authorizer_of

SCOPE = Scope("111122223333", "eu-west-1")
JWT = {
    "Name": "tokens",
    "AuthorizerType": "JWT",
    "IdentitySource": ["$request.header.Authorization"],
    "JwtConfiguration": {"Issuer": "https://issuer.example", "Audience": ["a"]},
}
ASKED = {
    "Name": "asked",
    "AuthorizerType": "REQUEST",
    "AuthorizerUri": "arn:aws:lambda:eu-west-1:111122223333:function:f",
    "AuthorizerPayloadFormatVersion": "2.0",
}


def test_tokens_need_what_verifies_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra a JWT authorizer is refused, and the refusal says what helps; functions can be asked."""
    assert authorizer_of(SCOPE, "a", JWT).jwt_configuration is not None
    monkeypatch.setattr(authorizers, "is_installed", lambda: False)
    with pytest.raises(BadRequestException, match=r"lambent\[apis\]"):
        authorizer_of(SCOPE, "a", JWT)
    assert authorizer_of(SCOPE, "a", ASKED).authorizer_type == "REQUEST"


def test_a_request_authorizer_without_sources() -> None:
    """It is asked each time; there is nothing under which its answer could be kept."""
    assert authorizer_of(SCOPE, "a", ASKED).authorizer_result_ttl_in_seconds == 0
    with pytest.raises(BadRequestException):
        authorizer_of(SCOPE, "a", {**ASKED, "AuthorizerResultTtlInSeconds": 1})
