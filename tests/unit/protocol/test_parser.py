"""What is read from requests that no SDK writes: malformed bodies, other content types, odd places."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lambent.errors.families import (
    ApiError,
    SerializationException,
    UnknownOperationException,
    UnsupportedMediaTypeException,
    ValidationException,
)
from lambent.protocol.service import ServiceProtocol
from lambent.protocol.wire import WireRequest

SERVICES = {name: ServiceProtocol(name, ValidationException) for name in ("lambda", "logs", "sns", "cloudwatch")}
JSON_1_1 = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "Logs_20140328.GetLogEvents"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
RPC = {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
RPC_PATH = "/service/GraniteServiceVersion20100801/operation/"


def parse(service: str, request: WireRequest) -> dict[str, Any]:
    protocol = SERVICES[service]
    return protocol.parse(protocol.match(request), request)


def create(body: bytes, content_type: str = "application/json") -> dict[str, Any]:
    headers = {"content-type": content_type} if content_type else {}
    return parse("lambda", WireRequest("POST", "/2015-03-31/functions", headers=headers, body=body))


def refusal(*arguments: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        parse(*arguments)
    return refused.value


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{} x",
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b"\xff",
        b'{"FunctionName": "\xff"}',
        b'{"Timeout": NaN}',
        b'{"Timeout": 1e999}',
        b'{"Timeout": 012}',
        b'{"Timeout": "3"}',
        b'{"Timeout": 3.5}',
        b'{"Timeout": true}',
        b'{"Timeout": 99999999999}',
        b'{"Timeout": ' + b"9" * 5000 + b"}",
        b'{"FunctionName": 1}',
        b'{"FunctionName": ["f"]}',
        b'{"FunctionName": {"a": "f"}}',
        b'{"Layers": "a"}',
        b'{"Layers": [1]}',
        b'{"Tags": []}',
        b'{"Tags": {"a": 1}}',
        b'{"Code": "a"}',
        b'{"Code": []}',
        b'{"Code": {"ZipFile": "no base64!"}}',
        b'{"Code": {"ZipFile": 1}}',
        b'{"Publish": "true"}',
        b'{"Code": ' * 100_000,
        b"[" * 100_000,
    ],
)
def test_a_malformed_json_body_is_a_serialization_error(body: bytes) -> None:
    """400 for what is no JSON, no object, of another type than the model says, or nested too deeply."""
    with pytest.raises(SerializationException) as refused:
        create(body)
    assert refused.value.status == 400


def test_null_is_absent_and_unknown_members_are_ignored() -> None:
    """A member that is null is not there; one that the model does not know does no harm."""
    assert create(b'{"FunctionName": "f", "Handler": null, "New2031": {"a": [1]}, "Code": {"ZipFile": null}}') == {
        "FunctionName": "f",
        "Code": {},
    }
    # An item or value cannot be absent: it stays for the validator to name.
    assert create(b'{"Layers": [null], "Tags": {"a": null}}') == {"Layers": [None], "Tags": {"a": None}}


def test_a_whole_number_with_a_fraction_is_an_integer() -> None:
    """3.0 is 3."""
    timeout = create(b'{"Timeout": 3.0}')["Timeout"]
    assert (timeout, type(timeout)) == (3, int)


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "application/json; charset=utf-8", "APPLICATION/JSON"]
)
def test_json_and_no_content_type_are_read_as_json(content_type: str) -> None:
    """A body without a content type is taken for JSON."""
    assert create(b'{"FunctionName": "f"}', content_type) == {"FunctionName": "f"}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/cbor"])
def test_another_content_type_is_unsupported_in_rest_json(content_type: str) -> None:
    """415; an empty body has no type to be wrong."""
    with pytest.raises(UnsupportedMediaTypeException) as refused:
        create(b'{"FunctionName": "f"}', content_type)
    assert refused.value.status == 415
    assert create(b"", content_type) == {}


@pytest.mark.parametrize("content_type", ["", "application/json", "application/octet-stream", "text/plain"])
def test_a_raw_payload_may_be_of_any_content_type(content_type: str) -> None:
    """The payload of Invoke is bytes; clients send several types with it."""
    headers = {"content-type": content_type, "x-amz-invocation-type": "RequestResponse", "x-amz-log-type": "Tail"}
    request = WireRequest("POST", "/2015-03-31/functions/f/invocations", "Qualifier=%24LATEST", headers, b"not json")
    assert parse("lambda", request) == {
        "FunctionName": "f",
        "Qualifier": "$LATEST",
        "InvocationType": "RequestResponse",
        "LogType": "Tail",
        "Payload": b"not json",
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("&&", {}),
        ("Marker=a%2Bb+c", {"Marker": "a+b c"}),
        ("Marker", {"Marker": ""}),
        ("Marker=a=b", {"Marker": "a=b"}),
        ("MaxItems=5&MaxItems=6", {"MaxItems": 5}),
        ("marker=other-case&Unknown=1", {}),
    ],
)
def test_query_strings_are_read(query: str, expected: dict[str, Any]) -> None:
    """Decoded once; the first of a repeated parameter counts; unknown ones are ignored."""
    assert parse("lambda", WireRequest("GET", "/2015-03-31/functions", query)) == expected


@pytest.mark.parametrize("number", ["", "x", "1.5", "1_0", " 1", "٣", "99999999999"])
def test_a_malformed_number_in_a_query_string_is_a_serialization_error(number: str) -> None:
    """Only digits make an integer."""
    request = WireRequest("GET", "/2015-03-31/functions", f"MaxItems={number}")
    assert refusal("lambda", request).code == "SerializationException"


def test_repeated_parameters_are_a_list() -> None:
    """`tagKeys` is given once for each key."""
    request = WireRequest("DELETE", "/2017-03-31/tags/arn", "tagKeys=a&tagKeys=b%20c")
    assert parse("lambda", request) == {"Resource": "arn", "TagKeys": ["a", "b c"]}


def test_a_json_request_of_another_content_type_is_unknown() -> None:
    """As AWS answers it: without the content type of the protocol there is no such operation."""
    request = WireRequest("POST", "/", headers={**JSON_1_1, "content-type": "text/plain"}, body=b"{}")
    assert isinstance(refusal("logs", request), UnknownOperationException)


def test_a_json_request_may_have_no_body() -> None:
    """An empty body has no members."""
    assert parse("logs", WireRequest("POST", "/", headers=JSON_1_1)) == {}
    request = WireRequest("POST", "/", headers={**JSON_1_1, "content-type": "application/x-amz-json-1.0"}, body=b"{}")
    assert parse("logs", request) == {}
    assert refusal("logs", WireRequest("POST", "/", headers=JSON_1_1, body=b"{")).code == "SerializationException"


@pytest.mark.parametrize(
    "body",
    [
        b"Action=ListTopics&NextToken=%ff",
        b"Action=ListTopics&NextToken.a=b",
        b"Action=CreateTopic&Tags.member.x.Key=a",
        b"Action=CreateTopic&Attributes.entry.1.value=v",
        b"Action=ListTopics&" + b"a." * 100 + b"=1",
        b"Action=ListTopics&a=\xff",
    ],
)
def test_a_malformed_form_is_a_serialization_error(body: bytes) -> None:
    """400 for what is not UTF-8, has no item number, no map key, or is nested too deeply."""
    assert refusal("sns", WireRequest("POST", "/", headers=FORM, body=body)).code == "SerializationException"


def test_a_form_may_come_in_the_query_string() -> None:
    """A GET carries its fields in the query string; items come in the order of their numbers."""
    query = "Action=CreateTopic&Name=t&Tags.member.10.Key=b&Tags.member.10.Value=2&Tags.member.9.Key=a"
    assert parse("sns", WireRequest("GET", "/", query)) == {
        "Name": "t",
        "Tags": [{"Key": "a"}, {"Key": "b", "Value": "2"}],
    }


def rpc(operation: str, body: bytes, **headers: str) -> WireRequest:
    return WireRequest("POST", RPC_PATH + operation, headers={**RPC, **headers}, body=body)


@pytest.mark.parametrize(
    "body",
    [
        b"\xa1",
        b"\x80",
        b"\x01",
        b"\xa1\x69NextToken\x01",
        b"\xa1\x69NextToken\x41a",
        b"\xa1\x69NextToken\x62\xff\xff",
        b"\x81" * 1000,
        b"\xbb\x0f\xff\xff\xff\xff\xff\xff\xff",
        # Tags that the protocol does not have: a shared reference, a regular expression.
        b"\xd8\x1c\xa1\x61a\xd8\x1d\x00",
        b"\xa1\x61a\xd8\x23\x61a",
    ],
)
def test_a_malformed_cbor_body_is_a_serialization_error(body: bytes) -> None:
    """400 for what is no CBOR, no map, or of another type."""
    assert refusal("cloudwatch", rpc("ListMetrics", body)).code == "SerializationException"


def test_cbor_takes_every_encoding_of_a_value() -> None:
    """Indefinite lengths, half floats and integers for floats, `undefined` for null, seconds in tag 1."""
    datum = b"\xbf\x6aMetricName\x7f\x61a\x61b\xff\x65Value\x15\x64Unit\xf7\x69Timestamp\xc1\x18\x3c\xff"
    half = b"\xa2\x6aMetricName\x61c\x65Value\xf9\x3e\x00"
    body = b"\xa2\x69Namespace\x61n\x6aMetricData\x9f" + datum + half + b"\xff"
    read = parse("cloudwatch", rpc("PutMetricData", body))
    assert read == {
        "Namespace": "n",
        "MetricData": [
            {"MetricName": "ab", "Value": 21.0, "Timestamp": datetime(1970, 1, 1, 0, 1, tzinfo=UTC)},
            {"MetricName": "c", "Value": 1.5},
        ],
    }
    assert type(read["MetricData"][0]["Value"]) is float


def test_cbor_of_another_content_type_is_unsupported() -> None:
    """415; a request without a body has no content type."""
    wrong = rpc("ListMetrics", b"\xa0", **{"content-type": "application/json"})
    assert isinstance(refusal("cloudwatch", wrong), UnsupportedMediaTypeException)
    assert parse("cloudwatch", rpc("ListMetrics", b"", **{"content-type": ""})) == {}
