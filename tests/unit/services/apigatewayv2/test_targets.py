"""What integrations and authorizers may point to."""

import pytest

from lambent.domain.caller import Scope
from lambent.services.apigatewayv2.targets import is_function, is_role_of, is_url

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:f"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ARN, True),
        (f"{ARN}:live", True),
        (f"{ARN}:$LATEST", True),
        (f"{ARN}:7", True),
        (f"{ARN}:${{stageVariables.alias}}", True),
        ("arn:aws:lambda:eu-west-1:111122223333:function:${stageVariables.name}", True),
        ("arn:aws:lambda:eu-west-1:111122223333:function:a-${stageVariables.name}-b", True),
        (f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{ARN}/invocations", True),
        (f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{ARN}:live/invocations", True),
        ("arn:aws-cn:lambda:cn-north-1:111122223333:function:f", True),
        ("f", False),
        ("${stageVariables.all}", False),
        (f"{ARN}:${{stageVariables.no-name}}", False),
        (f"{ARN}:a:b", False),
        (f"{ARN} ", False),
        (f"{ARN}\n", False),
        ("arn:aws:lambda:eu-west-1:111122223333:layer:l", False),
        (f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{ARN}", False),
        (f"arn:aws:apigateway:eu-west-1:sqs:path/{ARN}/invocations", False),
    ],
)
def test_functions(text: str, expected: bool) -> None:
    """An ARN in each of its forms, with stage variables in it."""
    assert is_function(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.example", True),
        ("http://127.0.0.1:8080/{proxy}?a=b", True),
        ("https://${stageVariables.host}/x", True),
        ("http://[::1]:80/", True),
        ("ftp://a.example", False),
        ("https://", False),
        ("https:///x", False),
        ("//a.example", False),
        ("https://u:p@a.example", False),
        ("https://a.example:99999", False),
        ("https://a.example:x", False),
        ("https://a example", False),
        ("https://a.example\r\nx: y", False),
        ("https://é.example", False),
        ("http://[::1", False),
    ],
)
def test_urls(text: str, expected: bool) -> None:
    """What a request can be sent to."""
    assert is_url(text) is expected


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:iam::111122223333:role/gateway", True),
        ("arn:aws:iam::111122223333:role/path/gateway", True),
        ("arn:aws:iam::999988887777:role/gateway", False),
        ("arn:aws:iam::111122223333:user/me", False),
        ("arn:aws:iam::*:user/*", False),
    ],
)
def test_roles(arn: str, expected: bool) -> None:
    """Those of the account alone."""
    assert is_role_of(Scope("111122223333", "eu-west-1"), arn) is expected
