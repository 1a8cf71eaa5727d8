"""Function URLs: their names, and who may use them."""

import msgspec
import pytest

from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.domain.function_url import AWS_IAM, FunctionUrl, UrlHost, parse_url_domain, parse_url_host
from lambent.domain.resource_policy import ResourcePolicy, Statement

ID = "abcdefghijklmnopqrstuvwxyz012345"
ARN = "arn:aws:lambda:eu-west-1:000000000000:function:f:live"
URL = FunctionUrl(Scope("000000000000", "eu-west-1"), FunctionName("f"), "live", ID, 1.0, 1.0)


@pytest.mark.parametrize(
    ("host", "named"),
    [
        (f"{ID}.lambda-url.eu-west-1.localhost:4566", UrlHost(ID, "eu-west-1")),
        (f"{ID}.lambda-url.eu-west-1.on.aws", UrlHost(ID, "eu-west-1")),
        (f"{ID.upper()}.Lambda-URL.eu-west-1.fn.example.com", UrlHost(ID, "eu-west-1")),
        ("x.lambda-url.eu-west-1.localhost", UrlHost("x", "eu-west-1")),
        (f"{ID}.lambda-url.eu-west-1.localhost, other", UrlHost("", "")),
        (f"{ID}.lambda-url.eu-west-1.localhost:x", UrlHost("", "")),
        (f"a.{ID}.lambda-url.eu-west-1.localhost", UrlHost("", "")),
        (f"{ID}.lambda-url.eu-west-1", UrlHost("", "")),
        ("localhost:4566", None),
        ("lambda-url.localhost", None),
        ("", None),
    ],
)
def test_what_a_host_names(host: str, named: UrlHost | None) -> None:
    """Any domain, any case; what is a URL's and malformed names nothing that could be found."""
    assert parse_url_host(host) == named


@pytest.mark.parametrize(
    ("text", "port", "shown", "forwarded_port"),
    [
        ("localhost", 4566, f"http://{ID}.lambda-url.eu-west-1.localhost:4566/", "4566"),
        ("localhost", 80, f"http://{ID}.lambda-url.eu-west-1.localhost/", "80"),
        ("fn.example.com:8080", 4566, f"http://{ID}.lambda-url.eu-west-1.fn.example.com:8080/", "8080"),
        ("https://fn.example.com", 4566, f"https://{ID}.lambda-url.eu-west-1.fn.example.com/", "443"),
        ("https://fn.example.com:8443", 4566, f"https://{ID}.lambda-url.eu-west-1.fn.example.com:8443/", "8443"),
        ("http://fn.example.com", 4566, f"http://{ID}.lambda-url.eu-west-1.fn.example.com/", "80"),
    ],
)
def test_where_urls_are(text: str, port: int, shown: str, forwarded_port: str) -> None:
    """The server's own port belongs to a bare name; whoever says a scheme speaks of another server."""
    domain = parse_url_domain(text, port)
    assert (domain.url(URL), domain.port_number) == (shown, forwarded_port)
    assert parse_url_host(shown.split("/")[2]) == UrlHost(ID, "eu-west-1")


def test_where_urls_are_of_a_server_with_tls() -> None:
    """A name without a scheme has the server's; one with a scheme keeps it, and 443 is not said."""
    assert parse_url_domain("localhost", 4566, "https").url(URL) == f"https://{ID}.lambda-url.eu-west-1.localhost:4566/"
    assert parse_url_domain("localhost", 443, "https").url(URL) == f"https://{ID}.lambda-url.eu-west-1.localhost/"
    assert parse_url_domain("localhost", 80, "https").port_number == "80"
    assert parse_url_domain("localhost:90", 4566, "https").scheme == "https"
    assert parse_url_domain("http://localhost", 4566, "https").url(URL).startswith("http://")


def statement(action: str, *, principal: object = "*", resource: str = ARN, **condition: object) -> Statement:
    return {
        "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource, "Condition": condition,
    }  # fmt: skip


URL_GRANT = statement("lambda:InvokeFunctionUrl", StringEquals={"lambda:FunctionUrlAuthType": "NONE"})
IAM_GRANT = statement("lambda:InvokeFunctionUrl", StringEquals={"lambda:FunctionUrlAuthType": "AWS_IAM"})
INVOKE_GRANT = statement("lambda:InvokeFunction", Bool={"lambda:InvokedViaFunctionUrl": "true"})


@pytest.mark.parametrize(
    ("statements", "may"),
    [
        ((URL_GRANT, INVOKE_GRANT), True),
        ((URL_GRANT, statement("lambda:InvokeFunction")), True),
        ((statement("lambda:*", principal={"AWS": "*"}),), True),
        ((URL_GRANT,), False),
        ((INVOKE_GRANT,), False),
        ((URL_GRANT, statement("lambda:InvokeFunction", Bool={"lambda:InvokedViaFunctionUrl": "false"})), False),
        ((IAM_GRANT, INVOKE_GRANT), False),
        ((statement("lambda:*", principal={"AWS": "arn:aws:iam::000000000000:root"}),), False),
        ((statement("lambda:*", principal={"Service": "s3.amazonaws.com"}),), False),
        ((statement("lambda:*", resource=ARN.removesuffix(":live")),), False),
        ((statement("lambda:*"), {**URL_GRANT, "Effect": "Deny"}), False),
        ((), False),
    ],
)  # fmt: skip
def test_who_may_use_a_url(statements: tuple[Statement, ...], *, may: bool) -> None:
    """Anybody, where both actions are granted to anybody, on the very ARN, and nothing denies one of them."""
    assert URL.is_open(ResourcePolicy(statements).compiled()) is may
    assert not URL.is_open(None)


def test_a_url_that_wants_signatures_is_open_to_nobody() -> None:
    """Whatever its policy says; nor is one whose alias is gone."""
    policy = ResourcePolicy((statement("lambda:*"),)).compiled()
    assert URL.is_open(policy) is True
    assert msgspec.structs.replace(URL, auth_type=AWS_IAM).is_open(policy) is False
    assert msgspec.structs.replace(URL, is_lost=True).is_open(policy) is False
    at_night = statement("lambda:*", DateGreaterThan={"aws:CurrentTime": "2026-01-01T22:00:00Z"})
    assert URL.is_open(ResourcePolicy((at_night,)).compiled()) is None
