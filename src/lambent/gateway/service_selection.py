"""
Which service a request is for, and whose it is.

One port serves every API. AWS clients differ in the signing name of their credential scope; then in
`X-Amz-Target`; then in the host name; then in the path.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from lambent.access.credential import Credential
from lambent.services.s3.addressing import is_s3_host

_TARGETS = {"AmazonSQS": "sqs", "GraniteServiceVersion20100801": "monitoring", "Logs_20140328": "logs"}
"""Prefix of X-Amz-Target to service. Source: `targetPrefix` of the service models."""

_CLOUDTRAIL = "com.amazonaws.cloudtrail."
"""Source: as above. Other prefixes have no full stops."""

_LAMBDA_PATH = re.compile(r"/20\d\d-\d\d-\d\d/(functions|tags|account-settings|layers|event-source-mappings)(/|$)")


_QUEUE_PATH = re.compile(r"/\d{12}/[A-Za-z0-9_-]{1,80}(?:\.fifo)?/?")
"""A queue's URL is an endpoint, also for requests that nobody signed. Observed: curl on a queue's URL."""

_METRICS_PATH = re.compile(r"(?:/.*)?/service/[^/]*GraniteServiceVersion20100801/operation/\w+/?")
"""Documented: Smithy RPC v2 CBOR; the prefix is as above."""

_API_PATH = re.compile(r"/v2/(apis|domainnames|tags|vpclinks)(/|$)")
"""What is HTTP APIs'. Documented: API Gateway v2 API reference; the paths of REST APIs begin otherwise."""

_SAMPLING_PATHS = frozenset({"/GetSamplingRules", "/SamplingTargets"})
"""
What programs with an X-Ray SDK ask of a daemon, unsigned: their AWS_XRAY_DAEMON_ADDRESS may name this port. Observed:
sources of the SDKs.
"""

_STREAM = re.compile(r"stream(?:ing)?-")
"""What SDKs put before the endpoint's host for operations that stream. Source: `hostPrefix` of the service models."""

_HOST = re.compile(
    r"(?:stream(?:ing)?-)?(?:apigateway|cloudtrail|lambda|logs|monitoring|sqs|sts|xray)\.((?:[a-z]{2,4}-)+[a-z]+-\d)\."
)


_OF_OLD_S3 = frozenset({"AWSAccessKeyId", "Signature", "Expires"})
_OF_OLD_QUERIES = frozenset({"Action", "SignatureVersion"})
"""
Parameters of a URL that is presigned by version 2 of S3; and those by which the version 2 of other services, whose
requests may be a query too, differs. Documented: Amazon S3 user guide, Signing and authenticating REST requests; AWS
General Reference, Signature version 2 signing process.
"""


def select_service(credential: Credential | None, headers: Mapping[str, str], path: str, query: str = "") -> str | None:
    """
    Return the signing name of the service that a request is for, None when nothing tells.

    Two services sign as `apigateway`; that of HTTP APIs goes by its model's name, `apigatewayv2`.
    """
    if credential is not None:
        return _of_two(credential.service, path)
    target = headers.get("x-amz-target")
    if target is not None:
        prefix = target.partition(".")[0]
        if prefix in _TARGETS:
            return _TARGETS[prefix]
        if target.startswith(_CLOUDTRAIL):
            return "cloudtrail"
        return prefix.partition("_")[0].lower()
    first_label = _STREAM.sub("", headers.get("host", "").partition(".")[0], count=1)
    if first_label in {"apigateway", "cloudtrail", "iam", "lambda", "logs", "monitoring", "sqs", "sts", "xray"}:
        return _of_two(first_label, path)
    if is_s3_host(headers.get("host", "")) or _is_presigned_by_version_2(query):
        return "s3"
    if _METRICS_PATH.fullmatch(path):
        return "monitoring"
    if path in _SAMPLING_PATHS:
        return "xray"
    if _QUEUE_PATH.fullmatch(path):
        return "sqs"
    if _LAMBDA_PATH.match(path):
        return "lambda"
    if _API_PATH.match(path):
        return "apigatewayv2"
    # A form that a browser posts is signed in one of its fields.
    return "s3" if headers.get("content-type", "").startswith("multipart/form-data") else None


def region_of_host(host: str) -> str | None:
    """Return the region in a host name such as `sqs.eu-west-1.localhost`, for requests that nobody signed."""
    found = _HOST.match(host)
    return None if found is None else found[1]


def _of_two(signing_name: str, path: str) -> str:
    return "apigatewayv2" if signing_name == "apigateway" and path.startswith("/v2/") else signing_name


def _is_presigned_by_version_2(query: str) -> bool:
    if "Signature=" not in query:
        return False
    names = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    return names >= _OF_OLD_S3 and not names & _OF_OLD_QUERIES
