"""Stage variables and access log settings."""

import pytest

from lambent.domain.caller import Scope
from lambent.domain.http_api import AccessLogSettings
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.stages import merge_variables, parse_access_log_settings

SCOPE = Scope("111122223333", "eu-west-1")
GROUP = "arn:aws:logs:eu-west-1:111122223333:log-group:/api/access"


def test_variables_are_merged() -> None:
    """What is not named stays, and an empty value takes away."""
    assert merge_variables({"a": "1", "b": "2"}, {"b": "", "c": "3", "d": ""}) == {"a": "1", "c": "3"}


def test_variables_have_a_number() -> None:
    """A hundred, with those that were there."""
    hundred = {f"v{number}": "x" for number in range(100)}
    assert len(merge_variables(hundred, {"v0": "y"})) == 100
    with pytest.raises(BadRequestException):
        merge_variables(hundred, {"one_more": "x"})


@pytest.mark.parametrize("form", ["$context.requestId", '{"id":"$context.extendedRequestId"}\n'])
def test_access_log_settings(form: str) -> None:
    """A group's ARN, with or without what stands for its streams."""
    for arn in (GROUP, f"{GROUP}:*"):
        settings = parse_access_log_settings(SCOPE, {"DestinationArn": arn, "Format": form})
        assert settings == AccessLogSettings(GROUP, form.strip())
    assert parse_access_log_settings(SCOPE, {}) is None


@pytest.mark.parametrize(
    ("arn", "form"),
    [
        ("", "$context.requestId"),
        (GROUP, ""),
        (GROUP, "$context.requestIds"),
        (GROUP, "$context.requestId\nx"),
        (GROUP, "$context.requestId " + "é" * 1_536),
        (GROUP.replace("111122223333", "999988887777"), "$context.requestId"),
        (GROUP.replace("eu-west-1", "us-east-1"), "$context.requestId"),
        (GROUP + ":log-stream:s", "$context.requestId"),
        (GROUP.removesuffix("/api/access"), "$context.requestId"),
        ("/api/access", "$context.requestId"),
        ("arn:aws:firehose:eu-west-1:111122223333:deliverystream/amazon-apigateway-x", "$context.requestId"),
    ],
    ids=range(11),
)
def test_access_log_settings_that_are_none(arn: str, form: str) -> None:
    """Other destinations, formats that tell no request from another."""
    with pytest.raises(BadRequestException):
        parse_access_log_settings(SCOPE, {"DestinationArn": arn, "Format": form})
