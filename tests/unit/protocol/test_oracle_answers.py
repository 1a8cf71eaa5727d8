"""Answers and modelled errors as we write them are read by botocore's parsers as what was meant."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.errors.families import ApiError
from lambent.protocol.query_dialects import DIALECTS
from lambent.protocol.service_model import ServiceModel

SERVICES = ("lambda", "logs", "sqs", "sns", "cloudwatch", "apigatewayv2")

EVENT_STREAMS = {
    ("lambda", "InvokeWithResponseStream"),
    ("logs", "GetLogObject"),
    ("logs", "StartLiveTail"),
}
"""
Operations that answer with an event stream. The engine does not carry those of the JSON protocol; for the other,
test_event_stream.py.
"""

OPERATIONS = [
    (service, name)
    for service in SERVICES
    for name in ServiceModel(service).operations
    if (service, name) not in EVENT_STREAMS
]
ERRORS = [
    (service, name)
    for service in SERVICES
    for name in ServiceModel(service).errors
    # Errors of a dialect that the model does not hold: botocore does not know them by shape either.
    if (service, name)
    not in {
        ("sqs", "AccessDeniedException"),
        ("sqs", "InvalidParameterValueException"),
        ("sqs", "MissingRequiredParameterException"),
    }
]


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_an_answer_is_read_as_what_was_meant(
    service: str, operation: str, oracles: Any, output_values: Any, examples: Any
) -> None:
    """botocore reads each answer back to the very output that was given, whether or not members are None."""
    oracle = oracles(service)
    shape = oracle.model.operation_model(operation).output_shape

    @examples
    @given(output=output_values(service, shape))
    def check(output: dict[str, Any]) -> None:
        absent = dict.fromkeys(shape.members) if shape is not None and not shape.is_tagged_union else {}
        read = oracle.answer(operation, {**absent, **output})
        assert read == _as_botocore_returns(oracle, operation, output, read)

    check()


def _as_botocore_returns(oracle: Any, operation: str, output: dict[str, Any], read: dict[str, Any]) -> dict[str, Any]:
    """Add what botocore's parser fills in for absent members: the status and a body."""
    shape = oracle.model.operation_model(operation).output_shape
    expected = dict(output)
    for name, member in shape.members.items() if shape is not None else ():
        if member.serialization.get("location") == "statusCode":
            expected.setdefault(name, oracle.operations[operation].status)
        if name == shape.serialization.get("payload"):
            # A body is a stream to botocore, whether or not there is one.
            read[name] = read[name].read()
            expected.setdefault(name, b"")
    return expected


@pytest.mark.parametrize(("service", "operation"), sorted(EVENT_STREAMS))
def test_only_event_streams_are_left_out(service: str, operation: str, oracles: Any) -> None:
    """An entry stays for as long as the operation answers with an event stream."""
    assert oracles(service).model.operation_model(operation).has_event_stream_output


@pytest.mark.parametrize(("service", "name"), ERRORS)
def test_a_modelled_error_is_read_as_what_was_meant(
    service: str, name: str, oracles: Any, output_values: Any, examples: Any
) -> None:
    """botocore finds code, text, status and the further members of each error shape."""
    oracle = oracles(service)
    shape = oracle.model.shape_for(name)
    trait = shape.metadata.get("error", {})
    operation = oracle.model.operation_names[0]
    member = next((key for key in shape.members if key in ("message", "Message")), "message")
    message_key = shape.members[member].serialization.get("name", member) if member in shape.members else member
    error_class = type(
        name,
        (ApiError,),
        {
            "code": name,
            "status": trait.get("httpStatusCode", 400),
            "message_key": message_key,
            "has_type": "Type" in shape.members,
        },
    )

    @examples
    @given(message=st.sampled_from(["", "Function not found: a & <b> é"]), values=output_values(service, shape))
    def check(message: str, values: dict[str, Any]) -> None:
        fields = {key: value for key, value in values.items() if key not in (member, "Type")}
        response = oracle.protocol.serialize_error(error_class(message, fields=fields), "id")
        parsed = oracle.error(operation, response)
        assert response.status == error_class.status
        assert parsed["Error"].get("QueryErrorCode", parsed["Error"]["Code"]) in (name, trait.get("code"))
        # Python's XML reader gives None for an element without text, which botocore's error form passes on.
        assert (parsed["Error"]["Message"] or "") == message
        assert fields.items() <= parsed["Modelled"].items()
        assert parsed["ResponseMetadata"]["RequestId"] == "id"
        if oracle.model.is_query_compatible:
            dialect = DIALECTS.get(service)
            code = trait.get("code", name)
            if dialect is not None:
                code = dialect.errors.get(name, (code,))[0]
            assert parsed["Error"]["Code"] == code

    check()
