"""
What a request may set of a mapping of a stream: Kinesis, or the changes of a DynamoDB table. Pure.

Texts marked as observed are AWS's answers as localstack/localstack recorded them, in
tests/aws/services/lambda_/event_source_mapping, unless a line says otherwise.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.event_source_mapping import StreamSettings, shared_settings, unsupported
from lambent.errors.api.lambda_ import InvalidParameterValueException

PAYLOAD_KEYS = {"kinesis": "data", "dynamodb": "dynamodb"}
"""By the service in the ARN: under which key of a record filters look for what was sent."""

AT_TIME = frozenset({"kinesis"})
"""Services whose streams can be read from a moment on. Documented: Lambda API reference, StartingPosition."""

BATCH_DEFAULT = 100
"""Documented: Lambda API reference, CreateEventSourceMapping."""

_AGE_MIN_S = 60

_OF_OTHER_SOURCES = (
    "ScalingConfig",
    "ProvisionedPollerConfig",
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "LoggingConfig",
)


def stream_settings(request: Mapping[str, Any], before: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """
    Return the settings of a mapping of a stream after a request: fields of `EventSourceMapping`.

    Args:
        request: of a create or an update.
        before: the fields before it; empty for a new mapping.

    Raises:
        InvalidParameterValueException: they cannot be so.
    """
    service = arn.split(":")[2]
    for member in _OF_OTHER_SOURCES:
        # Tools send what switches a setting off for every source alike.
        if request.get(member) not in (None, [], {}):
            raise unsupported(member)
    settings = dict(before) or {
        "batch_size": BATCH_DEFAULT,
        "window_s": 0,
        "stream": _started(request, service, arn),
    }
    settings.update(shared_settings(request, PAYLOAD_KEYS[service]))
    changes: dict[str, Any] = {}
    for member, name in (
        ("ParallelizationFactor", "lanes"),
        ("BisectBatchOnFunctionError", "bisects"),
        ("MaximumRecordAgeInSeconds", "age_max_s"),
        ("MaximumRetryAttempts", "retries_max"),
        ("TumblingWindowInSeconds", "tumbling_s"),
    ):
        if member in request:
            changes[name] = request[member]
    if "DestinationConfig" in request:
        changes["on_failure"] = _on_failure(request["DestinationConfig"])
    stream = settings["stream"] = msgspec.structs.replace(settings["stream"], **changes)
    if stream.age_max_s != -1 and stream.age_max_s < _AGE_MIN_S:
        # Documented: Lambda API reference. Assumed: the text (test_stream_mapping).
        raise InvalidParameterValueException(
            f"MaximumRecordAgeInSeconds must be -1 or at least {_AGE_MIN_S}, not {stream.age_max_s}."
        )
    if stream.tumbling_s and stream.lanes > 1:
        # Documented: Lambda developer guide, tumbling windows. Assumed: the text (test_stream_mapping).
        raise InvalidParameterValueException("ParallelizationFactor must be 1 where TumblingWindowInSeconds is set.")
    return settings


def _started(request: Mapping[str, Any], service: str, arn: str) -> StreamSettings:
    position, at = request.get("StartingPosition"), request.get("StartingPositionTimestamp")
    if not position:
        # Observed.
        raise InvalidParameterValueException(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must "
            "not be null."
        )
    if position != "AT_TIMESTAMP":
        if at is not None:
            # Assumed: the text (test_stream_mapping).
            raise InvalidParameterValueException(
                "StartingPositionTimestamp is for StartingPosition AT_TIMESTAMP alone."
            )
        return StreamSettings(position)
    if service not in AT_TIME:
        # Observed.
        raise InvalidParameterValueException(f"Unsupported starting position for arn type: {arn}")
    if at is None:
        # Assumed: the text (test_stream_mapping).
        raise InvalidParameterValueException("StartingPosition AT_TIMESTAMP needs a StartingPositionTimestamp.")
    return StreamSettings(position, at.timestamp())


def _on_failure(config: Mapping[str, Any]) -> str:
    if "OnSuccess" in config:
        # Observed.
        raise unsupported("DestinationConfig")
    destination: str = (config.get("OnFailure") or {}).get("Destination") or ""
    return destination
