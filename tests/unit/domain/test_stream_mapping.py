"""What a request may set of a mapping of a stream."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lambent.domain.event_source_mapping import StreamSettings
from lambent.domain.stream_mapping import stream_settings
from lambent.errors.api.lambda_ import InvalidParameterValueException

KINESIS = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
DYNAMODB = "arn:aws:dynamodb:us-east-1:000000000000:table/tab/stream/2026-11-20T08:00:00.000"
LATEST = {"StartingPosition": "LATEST"}


def test_defaults() -> None:
    """Documented: a hundred records, no window, nothing limited."""
    expected = {"batch_size": 100, "window_s": 0, "stream": StreamSettings("LATEST")}
    assert stream_settings(LATEST, {}, KINESIS) == stream_settings(LATEST, {}, DYNAMODB) == expected
    assert StreamSettings("LATEST").age_max_s == StreamSettings("LATEST").retries_max == -1


def test_what_a_request_sets() -> None:
    """And what an update that names a few leaves."""
    request: dict[str, Any] = {
        "StartingPosition": "AT_TIMESTAMP",
        "StartingPositionTimestamp": datetime.fromtimestamp(1_795_000_000.5, UTC),
        "BatchSize": 10_000,
        "MaximumBatchingWindowInSeconds": 300,
        "ParallelizationFactor": 10,
        "BisectBatchOnFunctionError": True,
        "MaximumRecordAgeInSeconds": 60,
        "MaximumRetryAttempts": 0,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": {"Filters": [{"Pattern": '{"data": {"a": [1]}, "partitionKey": ["k"]}'}]},
        "DestinationConfig": {"OnFailure": {"Destination": "arn:q"}},
        # Tools send what switches off what other sources have.
        "SourceAccessConfigurations": [],
        "Topics": [],
    }
    settings = stream_settings(request, {}, KINESIS)
    stream = StreamSettings("AT_TIMESTAMP", 1_795_000_000.5, 10, True, 60, 0, 0, "arn:q")
    assert settings.pop("stream") == stream
    assert settings == {
        "batch_size": 10_000,
        "window_s": 300,
        "filters": ('{"data": {"a": [1]}, "partitionKey": ["k"]}',),
        "reports_failures": True,
    }
    before = {**settings, "stream": stream}
    assert stream_settings({}, before, KINESIS) == before
    cleared = stream_settings({"DestinationConfig": {"OnFailure": {}}, "ParallelizationFactor": 1}, before, KINESIS)
    assert (cleared["stream"].on_failure, cleared["stream"].lanes, cleared["stream"].bisects) == ("", 1, True)


@pytest.mark.parametrize(
    ("arn", "request_", "text"),
    [
        (DYNAMODB, {}, "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
                       "Member must not be null."),
        (DYNAMODB, {"StartingPosition": "AT_TIMESTAMP"}, f"Unsupported starting position for arn type: {DYNAMODB}"),
        (KINESIS, {"StartingPosition": "AT_TIMESTAMP"},
         "StartingPosition AT_TIMESTAMP needs a StartingPositionTimestamp."),
        (KINESIS, {**LATEST, "StartingPositionTimestamp": datetime.now(UTC)},
         "StartingPositionTimestamp is for StartingPosition AT_TIMESTAMP alone."),
        (KINESIS, {**LATEST, "MaximumRecordAgeInSeconds": 59},
         "MaximumRecordAgeInSeconds must be -1 or at least 60, not 59."),
        (KINESIS, {**LATEST, "MaximumRecordAgeInSeconds": 0},
         "MaximumRecordAgeInSeconds must be -1 or at least 60, not 0."),
        (KINESIS, {**LATEST, "TumblingWindowInSeconds": 1, "ParallelizationFactor": 2},
         "ParallelizationFactor must be 1 where TumblingWindowInSeconds is set."),
        (KINESIS, {**LATEST, "DestinationConfig": {"OnSuccess": {}}},
         "Unsupported DestinationConfig parameter for given event source mapping type."),
        (KINESIS, {**LATEST, "ScalingConfig": {"MaximumConcurrency": 2}},
         "Unsupported ScalingConfig parameter for given event source mapping type."),
        (KINESIS, {**LATEST, "LoggingConfig": {"SystemLogLevel": "DEBUG"}},
         "Unsupported LoggingConfig parameter for given event source mapping type."),
        *(
            (arn, {**LATEST, "FilterCriteria": {"Filters": [{"Pattern": pattern}]}},
             "Invalid filter pattern definition.")
            for arn, pattern in (
                (KINESIS, '{"data": ["text"]}'),
                (KINESIS, '{"$or": [{"data": ["text"]}, {"partitionKey": ["k"]}]}'),
                (DYNAMODB, '{"dynamodb": ["text"]}'),
                (KINESIS, "no JSON"),
            )
        ),
    ],
)  # fmt: skip
def test_what_is_refused(arn: str, request_: dict[str, Any], text: str) -> None:
    """ST-02-tumbling-window among them."""
    with pytest.raises(InvalidParameterValueException) as excinfo:
        stream_settings(request_, {}, arn)
    assert excinfo.value.message == text


def test_a_window_of_a_mapping_with_lanes_is_refused_later_as_well() -> None:
    before = stream_settings({**LATEST, "ParallelizationFactor": 2}, {}, KINESIS)
    with pytest.raises(InvalidParameterValueException):
        stream_settings({"TumblingWindowInSeconds": 5}, before, KINESIS)
