"""The query protocol of services whose models have lost it."""

from lambent.errors.api.monitoring import ResourceNotFound
from lambent.errors.families import ValidationException
from lambent.protocol.query_dialects import DIALECTS
from lambent.protocol.service import Protocols
from lambent.protocol.service_model import ServiceModel
from lambent.protocol.wire import WireRequest
from lambent.services.sqs import lacking

FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_every_name_and_code_is_there() -> None:
    """A list, a map or an error that a newer model of SQS brings needs a line of its own."""
    model, dialect = ServiceModel("sqs"), DIALECTS["sqs"]
    shapes = model.raw_shapes
    lists = {name for name, shape in shapes.items() if shape["type"] == "list"}
    maps = {name for name, shape in shapes.items() if shape["type"] == "map"}
    assert (lists, maps) == (set(dialect.items), set(dialect.entries))
    same = {"InvalidAttributeName", "InvalidAttributeValue", "InvalidIdFormat", "InvalidMessageContents"}
    assert set(model.errors) - same == set(dialect.errors)
    assert model.is_query_compatible and model.protocol == "json"
    assert ServiceModel("sqs", protocol="query").protocol == "query"


def test_a_model_that_has_kept_its_names_needs_none() -> None:
    """That of CloudWatch says how all three protocols are written, and where its answers are wrapped."""
    model = ServiceModel("cloudwatch", protocol="query")
    assert model.is_query_compatible and model.protocols == {"smithy-rpc-v2-cbor", "json", "query"}
    output = model.operations["GetMetricData"].output
    assert output is not None and output.traits["resultWrapper"] == "GetMetricDataResult"


def test_three_protocols_on_one_host() -> None:
    """Each request of CloudWatch chooses, and a client that still says which it spoke once gets what it speaks now."""
    protocols = Protocols({"cloudwatch": lacking})
    in_cbor = protocols.of("cloudwatch", WireRequest("POST", "/", headers={"smithy-protocol": "rpc-v2-cbor"}))
    in_json = protocols.of("cloudwatch", WireRequest("POST", "/", headers={"x-amz-target": "Granite.ListMetrics"}))
    in_query = protocols.of("cloudwatch", WireRequest("POST", "/", headers=FORM))
    assert in_cbor is protocols.get("cloudwatch")
    assert len({in_cbor, in_json, in_query}) == 3
    assert in_query.needs_body_to_match and not in_json.needs_body_to_match
    for protocol, mode, status in ((in_cbor, "", 400), (in_json, "", 400), (in_json, "true", 404), (in_query, "", 404)):
        request = WireRequest("POST", "/", headers={"x-amzn-query-mode": mode})
        response = protocol.serialize_error(ResourceNotFound(), "id", request)
        assert response.status == status
        if protocol is in_json:
            assert response.body == b'{"__type":"com.amazonaws.cloudwatch.v2010_08_01#ResourceNotFound"}'
        if protocol is not in_query:
            assert (b"x-amzn-query-error", b"ResourceNotFound;Sender") in response.headers
    invalid = in_json.serialize_error(ValidationException("v"), "id")
    assert invalid.body == b'{"__type":"com.amazon.coral.validate#ValidationException","message":"v"}'
    assert (b"x-amzn-query-error", b"ValidationError;Sender") in invalid.headers


def test_each_request_chooses() -> None:
    """By its target or by its form, on any path; what is compiled is kept for the next."""
    protocols = Protocols({"sqs": lacking})
    by_target = WireRequest("POST", "/", headers={"x-amz-target": "AmazonSQS.ListQueues"})
    by_form = WireRequest("POST", "/111122223333/q", headers=FORM, body=b"Action=PurgeQueue")
    assert protocols.of("sqs", by_target) is protocols.get("sqs")
    spoken = protocols.of("sqs", by_form)
    assert spoken is protocols.of("sqs", by_form) is not protocols.get("sqs")
    match = spoken.match(by_form)
    assert match.operation.name == "PurgeQueue"
    assert spoken.parse(match, by_form) == {"QueueUrl": "/111122223333/q"}


def test_old_forms_are_read() -> None:
    """Numbered entries of lists, maps and structures, and the only entry of a map or list without its number."""
    spoken = Protocols({"sqs": lacking}).of("sqs", WireRequest("GET", "/"))

    def parsed(form: str) -> dict[str, object]:
        request = WireRequest("GET", "/", form)
        return spoken.parse(spoken.match(request), request)

    assert parsed("Action=SetQueueAttributes&QueueUrl=q&Attribute.Name=DelaySeconds&Attribute.Value=1") == {
        "QueueUrl": "q",
        "Attributes": {"DelaySeconds": "1"},
    }
    assert parsed("Action=GetQueueAttributes&QueueUrl=q&AttributeName=All") == {
        "QueueUrl": "q",
        "AttributeNames": ["All"],
    }
    assert parsed("Action=AddPermission&AWSAccountId.1=1&AWSAccountId.2=2&ActionName.1=*&Label=l&QueueUrl=q") == {
        "AWSAccountIds": ["1", "2"],
        "Actions": ["*"],
        "Label": "l",
        "QueueUrl": "q",
    }
    entry = "SendMessageBatchRequestEntry.1"
    value = f"{entry}.MessageAttribute.1.Value"
    assert parsed(
        f"Action=SendMessageBatch&{entry}.Id=a&{entry}.MessageBody=m&{entry}.MessageAttribute.1.Name=k"
        f"&{value}.DataType=Binary&{value}.BinaryValue=AA%3D%3D"
    ) == {
        "Entries": [
            {
                "Id": "a",
                "MessageBody": "m",
                "MessageAttributes": {"k": {"DataType": "Binary", "BinaryValue": b"\x00"}},
            }
        ]
    }
