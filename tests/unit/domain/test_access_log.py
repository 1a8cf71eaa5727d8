"""Lines of access logs."""

import json

import pytest
from unit.domain.api_requests import request_of

from lambent.domain.access_log import AccessLogFormat, names_request


def test_the_common_format() -> None:
    """Documented: the preset for HTTP APIs. What has no value is a hyphen."""
    request = request_of()
    request.status, request.response_bytes = 200, 12
    text = (
        '$context.identity.sourceIp - - [$context.requestTime] "$context.httpMethod $context.routeKey '
        '$context.protocol" $context.status $context.responseLength $context.requestId $context.error.message'
    )
    assert AccessLogFormat(text).line(request.context) == (
        '192.0.2.9 - - [18/Nov/2026:11:06:40 +0000] "GET GET /items/{id} HTTP/1.1" 200 12 Kf2LcqRTjoEEPqw= -'
    )


def test_json_stays_json() -> None:
    """Whatever a client says of itself; the message that has its quotes with it keeps them."""
    request = request_of()
    request.error_message = 'no "x"'
    text = (
        '{"agent": "$context.identity.userAgent", "none": "$context.none", "said": $context.error.messageString, '
        '"id": "$context.requestId"}'
    )
    assert json.loads(AccessLogFormat(text).line(request.context)) == {
        "agent": 'say "hi"\\\n',
        "none": "-",
        "said": 'no "x"',
        "id": "Kf2LcqRTjoEEPqw=",
    }


def test_a_line_is_one_line() -> None:
    text = "$context.requestId\n$context.identity.userAgent"
    assert AccessLogFormat(text).line(request_of().context) == 'Kf2LcqRTjoEEPqw= say "hi"\\ '


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$context.requestId", True),
        ('{"x": "$context.extendedRequestId."}', True),
        ("$context.requestIdentity", False),
        ("$context.requestTime", False),
        ("requestId", False),
        ("", False),
    ],
)
def test_which_formats_tell_requests_apart(text: str, expected: bool) -> None:
    assert names_request(text) is expected
