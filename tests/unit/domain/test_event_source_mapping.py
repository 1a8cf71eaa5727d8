"""What a request may say of a mapping, and the states that one goes through."""

from typing import Any

import msgspec
import pytest

from lambent.domain.caller import Scope
from lambent.domain.event_source_mapping import (
    EventSourceMapping,
    MappingState,
    ProvisionedPollers,
    check_source,
    queue_settings,
    settled,
    state_after_update,
)
from lambent.domain.function import FunctionName
from lambent.errors.api.lambda_ import InvalidParameterValueException

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
MAPPING = EventSourceMapping(
    scope=Scope("000000000000", "us-east-1"),
    uuid="u",
    source_arn=QUEUE,
    function_name=FunctionName("f"),
    qualifier="live",
    state=MappingState.CREATING,
    is_enabled=True,
    last_modified=0.0,
    batch_size=10,
)


def refusal(request: dict[str, Any], *, before: dict[str, Any] | None = None, is_fifo: bool = False) -> str:
    with pytest.raises(InvalidParameterValueException) as excinfo:
        queue_settings(request, before or {}, is_fifo=is_fifo)
    return excinfo.value.message


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({}, "Unrecognized event source."),
        ({"EventSourceArn": ""}, "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:s3:::bucket"}, "Unrecognized event source."),
        *(
            (
                {"EventSourceArn": arn},
                f"Event source {arn} is not offered by this version of Lambent: {what} come with a later version; use "
                "an SQS queue",
            )
            for arn, what in (
                ("arn:aws:kinesis:us-east-1:000000000000:stream/s", "Kinesis streams"),
                ("arn:aws:dynamodb:us-east-1:000000000000:table/tab/stream/2026", "DynamoDB streams"),
                ("arn:aws:kafka:us-east-1:000000000000:cluster/c/1", "Kafka clusters"),
                ("arn:aws:mq:us-east-1:000000000000:broker:b:1", "Amazon MQ brokers"),
                ("arn:aws:rds:us-east-1:000000000000:cluster:docs", "DocumentDB change streams"),
            )
        ),
        (
            {"SelfManagedEventSource": {"Endpoints": {}}},
            "SelfManagedEventSource is not offered by this version of Lambent: Kafka clusters come with a later "
            "version; use an SQS queue",
        ),
    ],
)
def test_what_is_no_source(request_: dict[str, Any], text: str) -> None:
    """What AWS reads and this version does not yet is refused by name; what nobody reads, with AWS's text."""
    with pytest.raises(InvalidParameterValueException) as excinfo:
        check_source(request_, ())
    assert excinfo.value.message == text


def test_a_queue_is_a_source() -> None:
    assert check_source({"EventSourceArn": QUEUE}, ()) == QUEUE


@pytest.mark.parametrize(
    ("service", "resource"), [("kinesis", "stream/s"), ("dynamodb", "table/tab/stream/2026-11-20T08:00:00.000")]
)
def test_streams_are_sources_where_they_are_read(service: str, resource: str) -> None:
    """By what the server has readers for."""
    arn = f"arn:aws:{service}:us-east-1:000000000000:{resource}"
    assert check_source({"EventSourceArn": arn}, {service}) == arn
    with pytest.raises(InvalidParameterValueException, match="is not offered by this version"):
        check_source({"EventSourceArn": arn}, ())


def test_what_is_no_stream() -> None:
    """A table is none, and a consumer's own way into a stream is refused by name."""
    stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    for arn, text in (
        (f"{stream}/x", "Unrecognized event source."),
        ("arn:aws:dynamodb:us-east-1:000000000000:table/tab", "Unrecognized event source."),
        (
            f"{stream}/consumer/c:1",
            f"Event source {stream}/consumer/c:1 is not offered by this version of Lambent: enhanced fan-out comes "
            "with a later version; use the stream's own ARN",
        ),
    ):
        with pytest.raises(InvalidParameterValueException) as excinfo:
            check_source({"EventSourceArn": arn}, {"kinesis", "dynamodb"})
        assert excinfo.value.message == text


def test_defaults_of_a_queue() -> None:
    """Ten messages, no window; an update that says nothing changes nothing."""
    assert queue_settings({}, {}, is_fifo=False) == {"batch_size": 10, "window_s": 0}
    before = {"batch_size": 7, "window_s": 3, "concurrency_max": 5}
    assert queue_settings({}, before, is_fifo=False) == before


def test_what_a_request_sets() -> None:
    """Each setting of a queue, and what clears it again."""
    request = {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 5,
        "FilterCriteria": {"Filters": [{"Pattern": '{"body": ["x"]}'}]},
        "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 5},
        "MetricsConfig": {"Metrics": ["EventCount"]},
        # What switches off what a queue does not have.
        "DestinationConfig": {"OnFailure": {}},
        "BisectBatchOnFunctionError": False,
        "TumblingWindowInSeconds": 0,
        "MaximumRetryAttempts": -1,
        "SourceAccessConfigurations": [],
    }
    expected = {
        "batch_size": 100,
        "window_s": 5,
        "filters": ('{"body": ["x"]}',),
        "kms_key_arn": "arn:aws:kms:us-east-1:000000000000:key/k",
        "reports_failures": True,
        "concurrency_max": 5,
        "metrics": ("EventCount",),
    }
    assert queue_settings(request, {}, is_fifo=False) == expected
    cleared = {
        "FilterCriteria": {},
        "FunctionResponseTypes": [],
        "ScalingConfig": {},
        "ProvisionedPollerConfig": {},
        "MetricsConfig": {},
        "KMSKeyArn": "",
    }
    assert queue_settings(cleared, expected, is_fifo=False) == {
        "batch_size": 100,
        "window_s": 5,
        "filters": (),
        "kms_key_arn": "",
        "reports_failures": False,
        "concurrency_max": None,
        "provisioned": None,
        "metrics": (),
    }
    pollers = queue_settings({"ProvisionedPollerConfig": {"MaximumPollers": 20}}, {}, is_fifo=False)["provisioned"]
    assert pollers == ProvisionedPollers(2, 20)
    pollers = queue_settings({"ProvisionedPollerConfig": {"MinimumPollers": 200}}, {}, is_fifo=False)["provisioned"]
    assert pollers == ProvisionedPollers(200, 200)


LARGE = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"BatchSize": 11}, LARGE),
        ({"StartingPosition": "LATEST"}, "StartingPosition is not valid for SQS event sources."),
        *(
            ({member: value}, f"Unsupported {member} parameter for given event source mapping type.")
            for member, value in (
                ("DestinationConfig", {"OnSuccess": {}}),
                ("DestinationConfig", {"OnFailure": {"Destination": QUEUE}}),
                ("ParallelizationFactor", 2),
                ("BisectBatchOnFunctionError", True),
                ("MaximumRecordAgeInSeconds", 60),
                ("MaximumRecordAgeInSeconds", 0),
                ("MaximumRetryAttempts", 3),
                ("MaximumRetryAttempts", 0),
                ("TumblingWindowInSeconds", 5),
                ("Topics", ["t"]),
                ("Queues", ["q"]),
                ("SourceAccessConfigurations", [{"Type": "BASIC_AUTH", "URI": "x"}]),
                ("LoggingConfig", {"SystemLogLevel": "DEBUG"}),
                ("DocumentDBEventSourceConfig", {"DatabaseName": "d"}),
                ("MetricsConfig", {"Metrics": ["KafkaMetrics"]}),
            )
        ),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "Invalid filter pattern definition."),
        *(
            ({"FilterCriteria": {"Filters": [{"Pattern": pattern}]}}, "Invalid filter pattern definition.")
            for pattern in (
                '{"body": {"a": [{"cidr": "1.2.3.4/00009999"}]}}',
                '{"body": {"' + "a." * 1900 + 'a": [1]}}',
            )
        ),
        ({"FilterCriteria": {"Filters": [{}]}}, "Invalid filter pattern definition."),
        ({"FilterCriteria": {"Filters": [{"Pattern": '{"body": "x"}'}]}}, "Invalid filter pattern definition."),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}},
            "FilterCriteria holds 6 filters; at most 5 may be.",
        ),
        (
            {"ScalingConfig": {"MaximumConcurrency": 2}, "ProvisionedPollerConfig": {"MinimumPollers": 2}},
            "ScalingConfig and ProvisionedPollerConfig cannot be used together for SQS event sources.",
        ),
        (
            {"ProvisionedPollerConfig": {"MinimumPollers": 9, "MaximumPollers": 8}},
            "MinimumPollers must be at least 2 and not greater than MaximumPollers.",
        ),
        (
            {"ProvisionedPollerConfig": {"MinimumPollers": 1}},
            "MinimumPollers must be at least 2 and not greater than MaximumPollers.",
        ),
        (
            {"ProvisionedPollerConfig": {"PollerGroupName": "g"}},
            "Unsupported PollerGroupName parameter for given event source mapping type.",
        ),
    ],
)
def test_what_a_queue_cannot_have(request_: dict[str, Any], text: str) -> None:
    """Each is refused by name, and nothing is stored that would not act."""
    assert refusal(request_) == text


def test_limits_of_fifo_queues() -> None:
    """SQ-03-fifo-order: no window, and so no batch over ten."""
    assert refusal({"BatchSize": 11}, is_fifo=True) == LARGE
    text = "Batching window is not supported for FIFO queues"
    assert refusal({"BatchSize": 100, "MaximumBatchingWindowInSeconds": 5}, is_fifo=True) == text


def test_an_update_is_judged_with_what_was_there() -> None:
    """SQ-04-slow-mapping-isolation: a window cannot go while the batch needs it."""
    before = {"batch_size": 100, "window_s": 5}
    assert refusal({"MaximumBatchingWindowInSeconds": 0}, before=before) == LARGE
    changed = queue_settings({"MaximumBatchingWindowInSeconds": 0, "BatchSize": 10}, before, is_fifo=False)
    assert changed == {"batch_size": 10, "window_s": 0}


def test_states() -> None:
    """EM-01-states: each on its way comes to its end."""
    assert settled(MAPPING) == msgspec.structs.replace(MAPPING, state=MappingState.ENABLED)
    disabled = msgspec.structs.replace(MAPPING, state=MappingState.DISABLING, is_enabled=False)
    assert settled(disabled) == msgspec.structs.replace(disabled, state=MappingState.DISABLED)
    assert settled(msgspec.structs.replace(MAPPING, state=MappingState.DELETING)) is None
    assert state_after_update(MAPPING, is_enabled=True) is MappingState.UPDATING
    assert state_after_update(MAPPING, is_enabled=False) is MappingState.DISABLING
    assert state_after_update(disabled, is_enabled=True) is MappingState.ENABLING
    assert [state.value for state in MappingState if state.is_settled] == ["Enabled", "Disabled"]


def test_arns() -> None:
    """A mapping's own, and its function's as it was named."""
    assert MAPPING.arn == "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:u"
    assert MAPPING.function_arn == "arn:aws:lambda:us-east-1:000000000000:function:f:live"
