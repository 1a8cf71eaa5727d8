"""Answers and errors to the byte, where SDKs are too forgiving to show a difference."""

import json
from datetime import UTC, datetime
from typing import Any, ClassVar

import cbor2
import pytest

from lambent.errors.api import lambda_, logs
from lambent.errors.families import (
    AccessDeniedException,
    AccessError,
    ApiError,
    ExpiredToken,
    IncompleteSignature,
    InternalServerError,
    InvalidSignature,
    MissingAuthenticationToken,
    SerializationException,
    UnknownOperationException,
    UnrecognizedClient,
    ValidationException,
)
from lambent.protocol.serializer import compile_error_serializer, compile_serializer
from lambent.protocol.service_model import ServiceModel
from lambent.protocol.wire import WireResponse

MODELS = {name: ServiceModel(name) for name in ("lambda", "logs", "sqs", "sns", "cloudwatch")}
REQUEST_ID = (b"x-amzn-requestid", b"id")
JSON = (b"content-type", b"application/json")
JSON_1_1 = (b"content-type", b"application/x-amz-json-1.1")


def answer(service: str, operation: str, output: dict[str, Any]) -> WireResponse:
    return compile_serializer(MODELS[service], MODELS[service].operations[operation])(output, "id")


def error(service: str, raised: ApiError) -> WireResponse:
    return compile_error_serializer(MODELS[service])(raised, "id")


def body(response: WireResponse) -> Any:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def test_the_model_says_the_status() -> None:
    """CreateFunction answers 201."""
    response = answer("lambda", "CreateFunction", {"FunctionName": "f", "Timeout": None})
    assert response == WireResponse(201, [REQUEST_ID, JSON], b'{"FunctionName":"f"}')


@pytest.mark.parametrize("operation", ["TagResource", "DeleteFunctionConcurrency"])
def test_no_content_has_neither_body_nor_content_type(operation: str) -> None:
    """204."""
    assert answer("lambda", operation, {}) == WireResponse(204, [REQUEST_ID])


def test_an_output_may_choose_its_status() -> None:
    """DeleteFunction answers 200 in the model; a handler that says 204 gets an answer without content."""
    assert answer("lambda", "DeleteFunction", {"StatusCode": 204}) == WireResponse(204, [REQUEST_ID])
    assert answer("lambda", "DeleteFunction", {}) == WireResponse(200, [REQUEST_ID, JSON], b"{}")


def test_invoke_answers_in_headers_and_a_raw_body() -> None:
    """The payload is passed on untouched; absent headers are not there."""
    output = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "FunctionError": None, "Payload": b"\x00raw"}
    assert answer("lambda", "Invoke", output) == WireResponse(
        200, [REQUEST_ID, (b"x-amz-executed-version", b"$LATEST"), JSON], b"\x00raw"
    )
    dry_run = answer("lambda", "Invoke", {"StatusCode": 204, "ExecutedVersion": "$LATEST"})
    assert dry_run == WireResponse(204, [REQUEST_ID, (b"x-amz-executed-version", b"$LATEST")])


def test_moments_are_epoch_numbers_with_milliseconds_in_json() -> None:
    """The type of the member decides: strings stay strings."""
    moment = datetime(2025, 11, 25, 2, 10, 19, 123456, tzinfo=UTC)
    response = answer("lambda", "GetEventSourceMapping", {"UUID": "u", "LastModified": moment})
    assert body(response) == {"UUID": "u", "LastModified": 1764036619.123}


def test_a_json_answer_names_its_version() -> None:
    """logs speaks 1.1; an operation without an output has no body."""
    assert answer("logs", "GetLogEvents", {"events": []}) == WireResponse(200, [REQUEST_ID, JSON_1_1], b'{"events":[]}')
    assert answer("logs", "DeleteLogGroup", {}) == WireResponse(200, [REQUEST_ID])


def test_a_cbor_answer_names_its_protocol() -> None:
    """An empty output is an empty map; no output is no body and no content type."""
    rpc, cbor = (b"smithy-protocol", b"rpc-v2-cbor"), (b"content-type", b"application/cbor")
    assert answer("cloudwatch", "PutDashboard", {}) == WireResponse(200, [REQUEST_ID, rpc, cbor], b"\xa0")
    assert answer("cloudwatch", "PutMetricData", {}) == WireResponse(200, [REQUEST_ID, rpc])


def test_a_query_answer_is_wrapped() -> None:
    """Root, result and the request id."""
    response = answer("sns", "CreateTopic", {"TopicArn": "a&b\x00"})
    assert (
        response.body
        == (
            '<CreateTopicResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><CreateTopicResult>'
            "<TopicArn>a&amp;b\ufffd</TopicArn></CreateTopicResult>"
            "<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></CreateTopicResponse>"
        ).encode()
    )
    assert b"Result" not in answer("sns", "DeleteTopic", {}).body


def test_an_output_member_that_the_model_does_not_know_is_our_mistake() -> None:
    """It fails here, not in a client."""
    with pytest.raises(AssertionError, match="FunctionConfiguration has no member Nope"):
        answer("lambda", "CreateFunction", {"Nope": 1})


def test_a_modelled_error_of_lambda_has_type_and_text() -> None:
    """The key of the text is the shape's own."""
    response = error("lambda", lambda_.ResourceNotFoundException("Function not found: f"))
    assert response.status == 404
    assert response.headers == [REQUEST_ID, (b"x-amzn-errortype", b"ResourceNotFoundException"), JSON]
    assert body(response) == {"Type": "User", "Message": "Function not found: f"}
    assert body(error("lambda", lambda_.InvalidParameterValueException("no"))) == {"Type": "User", "message": "no"}
    assert body(error("lambda", lambda_.ServiceException("oh"))) == {"Type": "Service", "Message": "oh"}


def test_members_of_an_error_travel_where_the_model_says() -> None:
    """Retry-After is a header, the reason is in the body; further headers come along."""
    raised = lambda_.TooManyRequestsException(
        "Rate Exceeded.",
        fields={"retryAfterSeconds": "1", "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"},
        headers={"X-Extra": "yes"},
    )
    response = error("lambda", raised)
    assert response.status == 429
    assert (b"retry-after", b"1") in response.headers
    assert (b"x-extra", b"yes") in response.headers
    assert body(response) == {
        "Type": "User",
        "message": "Rate Exceeded.",
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
    }


@pytest.mark.parametrize(
    ("raised", "status", "expected"),
    [
        (ValidationException("v"), 400, {"message": "v"}),
        (SerializationException("s"), 400, {"Message": "s"}),
        (UnknownOperationException("u"), 404, {"message": "u"}),
        (InternalServerError("i"), 500, {"Type": "Service", "Message": "i"}),
    ],
)
def test_an_error_outside_the_model_has_no_type(raised: ApiError, status: int, expected: dict[str, str]) -> None:
    """Errors of the front door carry only their text."""
    response = error("lambda", raised)
    assert (response.status, body(response)) == (status, expected)
    assert (b"x-amzn-errortype", raised.code.encode()) in response.headers


def test_a_json_error_names_its_shape_in_the_body() -> None:
    """logs: `__type` and `message`, status 400; faults are 5xx."""
    response = error("logs", logs.ResourceNotFoundException("The specified log group does not exist."))
    assert response == WireResponse(
        400,
        [REQUEST_ID, JSON_1_1],
        b'{"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}',
    )
    assert error("logs", logs.ServiceUnavailableException()).status == 503


class _Missing(ApiError):
    code: ClassVar[str] = "ResourceNotFound"
    status: ClassVar[int] = 404


class _Denied(ApiError):
    code: ClassVar[str] = "AuthorizationErrorException"
    status: ClassVar[int] = 403


def test_a_query_compatible_service_names_its_former_code() -> None:
    """SDKs show the code that the service had in the query protocol."""
    response = error("cloudwatch", _Missing("gone"))
    assert (b"x-amzn-query-error", b"ResourceNotFound;Sender") in response.headers
    assert isinstance(response.body, bytes)
    assert cbor2.loads(response.body) == {
        "__type": "com.amazonaws.cloudwatch.v2010_08_01#ResourceNotFound",
        "message": "gone",
    }
    assert (b"x-amzn-query-error", b"ServiceException;Receiver") in error("sqs", InternalServerError("i")).headers


def test_a_query_error_is_xml() -> None:
    """The code is the model's, which differs from the shape's name; an unknown operation is a bare root."""
    response = error("sns", _Denied("no <entry>"))
    assert response.status == 403
    assert isinstance(response.body, bytes)
    assert b"<Type>Sender</Type><Code>AuthorizationError</Code><Message>no &lt;entry&gt;</Message>" in response.body
    assert error("sns", UnknownOperationException()).body == b"<UnknownOperationException/>"


def test_a_header_is_one_line() -> None:
    """A line feed in a header would begin another one."""
    with pytest.raises(AssertionError):
        error("lambda", ValidationException("v", headers={"x": "a\nb: c"}))


ACCESS_ERRORS: list[tuple[type[AccessError], str, int, str, int]] = [
    (AccessDeniedException, "AccessDeniedException", 403, "AccessDenied", 403),
    (MissingAuthenticationToken, "MissingAuthenticationTokenException", 403, "MissingAuthenticationToken", 403),
    (IncompleteSignature, "IncompleteSignatureException", 403, "IncompleteSignature", 400),
    (UnrecognizedClient, "UnrecognizedClientException", 403, "InvalidClientTokenId", 403),
    (InvalidSignature, "InvalidSignatureException", 403, "SignatureDoesNotMatch", 403),
    (ExpiredToken, "ExpiredTokenException", 403, "ExpiredToken", 403),
]


@pytest.mark.parametrize(("kind", "code", "status", "query_code", "query_status"), ACCESS_ERRORS)
def test_errors_of_access_by_protocol(
    kind: type[AccessError], code: str, status: int, query_code: str, query_status: int
) -> None:
    """rest-json has the statuses, JSON has 400; the query protocol, and who spoke it, has codes without the suffix."""
    raised = kind("why not")
    in_rest = error("lambda", raised)
    assert in_rest.status == status and (b"x-amzn-errortype", code.encode()) in in_rest.headers
    assert body(in_rest) == {"Message" if kind is AccessDeniedException else "message": "why not"}
    in_json = error("logs", raised)
    assert in_json.status == 400 and body(in_json)["__type"] == code
    in_cbor = error("cloudwatch", raised)
    assert in_cbor.status == query_status and isinstance(in_cbor.body, bytes)
    assert cbor2.loads(in_cbor.body)["__type"] == f"com.amazonaws.cloudwatch.v2010_08_01#{code}"
    assert (b"x-amzn-query-error", f"{query_code};Sender".encode()) in in_cbor.headers
    in_query = error("sns", raised)
    text = "Request is missing Authentication Token" if kind is MissingAuthenticationToken else "why not"
    assert in_query.status == query_status and isinstance(in_query.body, bytes)
    assert in_query.body.decode() == (
        '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>'
        f"<Code>{query_code}</Code><Message>{text}</Message></Error><RequestId>id</RequestId></ErrorResponse>"
    )
    in_sqs = error("sqs", raised)
    assert in_sqs.status == query_status
    assert (b"x-amzn-query-error", f"{query_code};Sender".encode()) in in_sqs.headers
