"""Which service a request is for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.access.credential import Credential, read_credential
from lambent.gateway.service_selection import select_service

SIGNED = "AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=00"


def signed(key: str = "AKID", region: str = "us-east-1", service: str = "lambda") -> str:
    return SIGNED.format(key=key, region=region, service=service)


@pytest.mark.parametrize(
    ("authorization", "query", "expected"),
    [
        (signed(), "", Credential("AKID", "us-east-1", "lambda")),
        (signed(service="s3express", region="eu-west-1"), "", Credential("AKID", "eu-west-1", "s3express")),
        # Nothing says that a key holds no slash: what follows it is counted from the end.
        (signed(key="a/b"), "", Credential("a/b", "us-east-1", "lambda")),
        (signed().partition(",")[0], "", Credential("AKID", "us-east-1", "lambda")),
        (
            "",
            "X-Amz-Algorithm=A&X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Flogs%2Faws4_request",
            Credential("AKID", "us-east-1", "logs"),
        ),
        ("", "", None),
        ("Bearer token", "", None),
        ("AWS4-HMAC-SHA256 Credential=", "", None),
        ("AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/lambda", "", None),
        (signed(region=""), "", None),
        (signed(service="La mbda"), "", None),
        (signed(region="x" * 41), "", None),
        ("", "X-Amz-Credential=", None),
    ],
)
def test_a_credential_scope_is_read(authorization: str, query: str, expected: Credential | None) -> None:
    """Header or presigned; what cannot be read counts as absent."""
    assert read_credential(authorization, query) == expected


@given(st.text(), st.text())
def test_no_header_is_too_strange(authorization: str, query: str) -> None:
    """Whatever a client sends, an answer comes back."""
    read_credential(authorization, query)
    read_credential(f"Credential={authorization}", f"X-Amz-Credential={query}")


@pytest.mark.parametrize(
    ("headers", "path", "expected"),
    [
        ({"x-amz-target": "Logs_20140328.DescribeLogGroups"}, "/", "logs"),
        ({"x-amz-target": "DynamoDB_20120810.ListTables"}, "/", "dynamodb"),
        ({"x-amz-target": "AmazonSQS.ListQueues"}, "/", "sqs"),
        ({"host": "lambda.us-east-1.localhost:4566"}, "/", "lambda"),
        ({"host": "logs.us-east-1.localhost:4566"}, "/", "logs"),
        ({"host": "stream-logs.us-east-1.localhost:4566"}, "/", "logs"),
        ({"host": "streaming-logs.us-east-1.localhost:4566"}, "/", "logs"),
        ({"host": "stream-x.localhost:4566"}, "/", None),
        ({"host": "bucket.localhost:4566"}, "/", None),
        ({"host": "127.0.0.1:4566"}, "/2015-03-31/functions/f/invocations", "lambda"),
        ({}, "/2016-08-19/account-settings", "lambda"),
        ({}, "/2015-03-31/functionsx", None),
        ({"host": "sqs.eu-west-1.localhost:4566"}, "/", "sqs"),
        ({"host": "apigateway.eu-west-1.localhost:4566"}, "/v2/apis", "apigatewayv2"),
        ({"host": "apigateway.eu-west-1.localhost:4566"}, "/restapis", "apigateway"),
        ({}, "/v2/apis/a1b2c3d4e5", "apigatewayv2"),
        ({}, "/v2/apisx", None),
        ({}, "/111122223333/orders.fifo", "sqs"),
        ({}, "/111122223333/orders/x", None),
        ({"x-amz-target": "GraniteServiceVersion20100801.ListMetrics"}, "/", "monitoring"),
        ({"host": "monitoring.eu-west-1.localhost:4566"}, "/", "monitoring"),
        ({}, "/service/GraniteServiceVersion20100801/operation/ListMetrics", "monitoring"),
        ({}, "/service/Another/operation/ListMetrics", None),
        ({"host": "xray.eu-west-1.localhost:4566"}, "/TraceSegments", "xray"),
        ({}, "/GetSamplingRules", "xray"),
        ({}, "/SamplingTargets", "xray"),
        ({}, "/TraceSegments", None),
        ({}, "/bucket/key", None),
        ({}, "/", None),
    ],
)
def test_without_a_signature_other_signs_are_read(headers: dict[str, str], path: str, expected: str | None) -> None:
    """X-Amz-Target, then the host's first label, then the path; otherwise nothing is guessed."""
    assert select_service(None, headers, path) == expected


def test_a_signature_wins() -> None:
    """A signed request says itself what it is for."""
    credential = Credential("AKID", "us-east-1", "sqs")
    assert select_service(credential, {"x-amz-target": "Logs_20140328.X"}, "/2015-03-31/functions") == "sqs"


def test_two_services_with_one_signing_name() -> None:
    """HTTP APIs have the paths below /v2, REST APIs all others."""
    credential = Credential("AKID", "us-east-1", "apigateway")
    assert select_service(credential, {}, "/v2/apis") == "apigatewayv2"
    assert select_service(credential, {}, "/restapis") == select_service(credential, {}, "/v2") == "apigateway"


@pytest.mark.parametrize(
    ("headers", "path", "query"),
    [
        ({"host": "s3.localhost:4566"}, "/bucket/key", ""),
        ({"host": "bucket.s3.eu-west-1.localhost:4566"}, "/key", ""),
        ({"host": "127.0.0.1:4566"}, "/bucket/key", "AWSAccessKeyId=a&Signature=b&Expires=1"),
        ({"host": "127.0.0.1:4566", "content-type": "multipart/form-data; boundary=x"}, "/bucket", ""),
    ],
)
def test_s3_without_a_signature_of_version_4(headers: dict[str, str], path: str, query: str) -> None:
    """By its host, the older signature, or the form of a browser."""
    assert select_service(None, headers, path, query) == "s3"


def test_other_names_of_hosts_are_not_s3() -> None:
    """Nor is a path alone."""
    assert select_service(None, {"host": "a.lambda-url.us-east-1.localhost"}, "/bucket/key") is None
    assert select_service(None, {"host": "127.0.0.1:4566"}, "/bucket/key") is None


OLD = "AWSAccessKeyId=a&Signature=b&Expires=1"


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/bucket/key", OLD, "s3"),
        ("/bucket/key", f"versionId=1&{OLD}", "s3"),
        ("/111122223333/orders", f"Action=ReceiveMessage&SignatureVersion=2&SignatureMethod=HmacSHA256&{OLD}", "sqs"),
        ("/111122223333/orders", f"{OLD}&Action=ReceiveMessage", "sqs"),
        ("/111122223333/orders", f"{OLD}&SignatureVersion=2", "sqs"),
        ("/bucket/key", "AWSAccessKeyId=a&Expires=1", None),
        ("/bucket/key", "AWSAccessKeyId=a&Signature=b", None),
        ("/bucket/key", "Signature=b&Expires=1", None),
    ],
)
def test_the_older_signature_of_a_query(path: str, query: str, expected: str | None) -> None:
    """S3's URLs have a signature and an end; other services' queries name an action, and the version."""
    assert select_service(None, {"host": "127.0.0.1:4566"}, path, query) == expected
