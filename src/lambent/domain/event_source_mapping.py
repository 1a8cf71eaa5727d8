"""
Event source mappings: which source feeds which function and how, and the states that one goes through. Pure.

What a request may set of a mapping depends on its source. Texts marked as observed are AWS's answers as
localstack/localstack recorded them, in tests/aws/services/lambda_/event_source_mapping, unless a line says otherwise.
"""

import enum
import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from lambent.domain.arn import function_arn
from lambent.domain.caller import Scope
from lambent.domain.destination import parse_target
from lambent.domain.event_pattern import InvalidPattern
from lambent.domain.function import FunctionName
from lambent.domain.record_filter import compile_filters
from lambent.errors.api.lambda_ import InvalidParameterValueException

FILTERS_MAX = 5
"""Documented: Lambda developer guide, event filtering: five filters a mapping, unless more were asked for."""

BATCH_WITHOUT_WINDOW_MAX = 10
"""Messages of an SQS batch that no window gathers. Documented: Lambda developer guide, SQS."""

INVOCATIONS_BY_POLLER = 10
"""What one provisioned poller runs at once at most. Documented: Lambda developer guide, provisioned mode for SQS."""

_POLLERS_MIN, _POLLERS_MAX = 2, 200
"""Documented: Lambda API reference, ProvisionedPollerConfig: the defaults of an SQS mapping; two is also the least."""

_COMING = {
    "kinesis": "Kinesis streams",
    "dynamodb": "DynamoDB streams",
    "kafka": "Kafka clusters",
    "mq": "Amazon MQ brokers",
    "rds": "DocumentDB change streams",
}
"""By the service in the ARN: what AWS reads for functions and this version does not yet."""

_STREAMS = {
    "kinesis": re.compile(r"stream/[a-zA-Z0-9_.-]{1,128}"),
    "dynamodb": re.compile(r"table/[a-zA-Z0-9_.-]{1,255}/stream/[0-9T:.-]+"),
}
"""By the service in the ARN: its resource."""

_OF_OTHER_SOURCES = (
    "StartingPositionTimestamp",
    "ParallelizationFactor",
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "LoggingConfig",
)
"""Members that mean nothing for a queue. LoggingConfig: documented for Kafka alone."""

_SET_BY_ZERO = frozenset({"MaximumRecordAgeInSeconds", "MaximumRetryAttempts"})
"""Those of which 0 is a setting like others, and -1 switches them off."""


class MappingState(enum.StrEnum):
    """Where a mapping stands. Those that end in -ing last until its poller has followed."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    UPDATING = "Updating"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    DELETING = "Deleting"

    @property
    def is_settled(self) -> bool:
        """Whether a request may change or delete the mapping."""
        return self in {MappingState.ENABLED, MappingState.DISABLED}


class ProvisionedPollers(msgspec.Struct, frozen=True):
    """How many pollers a mapping has at least, from the start, and at most."""

    minimum: int
    maximum: int


class StreamSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a mapping of a stream has beside."""

    starting_position: str
    """TRIM_HORIZON, LATEST or AT_TIMESTAMP."""
    starting_at: float | None = None
    """Of AT_TIMESTAMP: seconds since the epoch."""
    lanes: int = 1
    """ParallelizationFactor: batches of a shard that run at once, each key in one of them."""
    bisects: bool = False
    age_max_s: int = -1
    """Of records; -1: as old as the stream keeps them."""
    retries_max: int = -1
    """After the first attempt; -1: until it succeeds."""
    tumbling_s: int = 0
    """Of the windows over which the function keeps a state; 0: there are none."""
    on_failure: str = ""
    """ARN of where records of given-up batches go; empty: nowhere."""


class EventSourceMapping(msgspec.Struct, frozen=True):
    """One mapping of a queue or a stream to a function."""

    scope: Scope
    """Of the function; a queue may be another account's."""
    uuid: str
    source_arn: str
    function_name: FunctionName
    qualifier: str | None
    """As it was given; None: `$LATEST`, which no ARN of the mapping says."""
    state: MappingState
    is_enabled: bool
    """What it is, or will be once its state is settled."""
    last_modified: float
    """Seconds since the epoch."""
    batch_size: int
    window_s: int = 0
    filters: tuple[str, ...] = ()
    """Patterns as they were given."""
    kms_key_arn: str = ""
    reports_failures: bool = False
    """The function's answer says which records failed."""
    concurrency_max: int | None = None
    provisioned: ProvisionedPollers | None = None
    metrics: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    is_elsewhere: bool = False
    """Its queue is not ours: it was found at the server that `--neighbour sqs=URL` names."""
    stream: StreamSettings | None = None
    """None: the source is a queue."""

    @property
    def service(self) -> str:
        """In the source's ARN."""
        return self.source_arn.split(":")[2]

    @property
    def arn(self) -> str:
        return mapping_arn(self.scope, self.uuid)

    @property
    def function_arn(self) -> str:
        """Qualified as the mapping is."""
        return function_arn(self.scope, self.function_name, self.qualifier)


def mapping_arn(scope: Scope, uuid: str) -> str:
    """Return a mapping's ARN."""
    return f"arn:aws:lambda:{scope.region}:{scope.account}:event-source-mapping:{uuid}"


def settled(mapping: EventSourceMapping) -> EventSourceMapping | None:
    """Return a mapping as it is once its poller has followed; None: there is none any more."""
    if mapping.state is MappingState.DELETING:
        return None
    state = MappingState.ENABLED if mapping.is_enabled else MappingState.DISABLED
    return msgspec.structs.replace(mapping, state=state)


def state_after_update(before: EventSourceMapping, *, is_enabled: bool) -> MappingState:
    """Return the state that an update begins. Documented: Lambda API reference, UpdateEventSourceMapping."""
    if is_enabled == before.is_enabled:
        return MappingState.UPDATING
    return MappingState.ENABLING if is_enabled else MappingState.DISABLING


# What a request may say ---------------------------------------------------------------------------------------------


def check_source(request: Mapping[str, Any], streams: Collection[str]) -> str:
    """
    Return the ARN of the queue or stream that a create request names.

    Args:
        streams: the services whose streams are read here.

    Raises:
        InvalidParameterValueException: it names nothing that can be a source, or nothing that is one in this version.
    """
    arn: str = request.get("EventSourceArn") or ""
    if "SelfManagedEventSource" in request:
        raise _not_offered("SelfManagedEventSource", _COMING["kafka"])
    target = parse_target(arn)
    if target is None or target.service not in {"sqs", *_COMING}:
        # Observed.
        raise InvalidParameterValueException("Unrecognized event source.")
    if target.service == "kinesis" and "/consumer/" in target.resource:
        raise InvalidParameterValueException(
            f"Event source {arn} is not offered by this version of Lambent: enhanced fan-out comes with a later "
            "version; use the stream's own ARN"
        )
    if target.service in _STREAMS and _STREAMS[target.service].fullmatch(target.resource) is None:
        # Observed.
        raise InvalidParameterValueException("Unrecognized event source.")
    if target.service not in {"sqs", *streams}:
        raise _not_offered(f"Event source {arn}", _COMING[target.service])
    return arn


def _not_offered(source: str, what: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(
        f"{source} is not offered by this version of Lambent: {what} come with a later version; use an SQS queue"
    )


def queue_settings(request: Mapping[str, Any], before: Mapping[str, Any], *, is_fifo: bool) -> dict[str, Any]:
    """
    Return the settings of a mapping of a queue after a request: fields of `EventSourceMapping`.

    Args:
        request: of a create or an update.
        before: the fields before it; empty for a new mapping.

    Raises:
        InvalidParameterValueException: they cannot be so.
    """
    _check_members(request)
    settings = dict(before) or {"batch_size": BATCH_WITHOUT_WINDOW_MAX, "window_s": 0}
    settings.update(shared_settings(request, "body"))
    if "ScalingConfig" in request:
        settings["concurrency_max"] = request["ScalingConfig"].get("MaximumConcurrency")
    if "ProvisionedPollerConfig" in request:
        settings["provisioned"] = _provisioned(request["ProvisionedPollerConfig"])
    if is_fifo and settings["window_s"]:
        # Observed: aws/aws-lambda-dotnet#1758.
        raise InvalidParameterValueException("Batching window is not supported for FIFO queues")
    if settings["batch_size"] > BATCH_WITHOUT_WINDOW_MAX and not settings["window_s"]:
        # Observed.
        raise InvalidParameterValueException(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        )
    if settings.get("concurrency_max") and settings.get("provisioned"):
        # Documented: Lambda developer guide, provisioned mode for SQS. Assumed: the text
        # (test_event_source_mapping).
        raise InvalidParameterValueException(
            "ScalingConfig and ProvisionedPollerConfig cannot be used together for SQS event sources."
        )
    return settings


def shared_settings(request: Mapping[str, Any], payload_key: str) -> dict[str, Any]:
    """
    Return what a request sets that all sources have.

    Args:
        payload_key: of a record, under which filters look for what was sent.

    Raises:
        InvalidParameterValueException: it cannot be so.
    """
    settings: dict[str, Any] = {}
    for member, name in (("BatchSize", "batch_size"), ("MaximumBatchingWindowInSeconds", "window_s")):
        if member in request:
            settings[name] = request[member]
    if "FilterCriteria" in request:
        settings["filters"] = _filters(request["FilterCriteria"], payload_key)
    if "KMSKeyArn" in request:
        settings["kms_key_arn"] = request["KMSKeyArn"]
    if "FunctionResponseTypes" in request:
        settings["reports_failures"] = bool(request["FunctionResponseTypes"])
    if "MetricsConfig" in request:
        settings["metrics"] = _metrics(request["MetricsConfig"])
    return settings


def _check_members(request: Mapping[str, Any]) -> None:
    if request.get("StartingPosition"):
        # Observed: motdotla/node-lambda#466.
        raise InvalidParameterValueException("StartingPosition is not valid for SQS event sources.")
    destinations = request.get("DestinationConfig") or {}
    if "OnSuccess" in destinations or (destinations.get("OnFailure") or {}).get("Destination"):
        # Observed for OnSuccess. Assumed for OnFailure: a queue has its own dead-letter queue.
        raise unsupported("DestinationConfig")
    for member in _OF_OTHER_SOURCES:
        # Tools send what switches a setting off for every source alike.
        value = request.get(member)
        if value not in (None, False, 0, -1, [], {}) or (value == 0 and member in _SET_BY_ZERO):
            # Assumed: the form of the text above (test_event_source_mapping).
            raise unsupported(member)


def unsupported(member: str) -> InvalidParameterValueException:
    """Refuse a member that means nothing for a source."""
    return InvalidParameterValueException(f"Unsupported {member} parameter for given event source mapping type.")


def _filters(criteria: Mapping[str, Any], payload_key: str) -> tuple[str, ...]:
    filters = criteria.get("Filters") or []
    if len(filters) > FILTERS_MAX:
        # Assumed: the text (test_event_source_mapping).
        raise InvalidParameterValueException(
            f"FilterCriteria holds {len(filters)} filters; at most {FILTERS_MAX} may be."
        )
    patterns = tuple(one.get("Pattern", "") for one in filters)
    try:
        compile_filters(patterns, payload_key, is_json=payload_key != "body")
    except InvalidPattern:
        # Observed.
        raise InvalidParameterValueException("Invalid filter pattern definition.") from None
    return patterns


def _provisioned(config: Mapping[str, Any]) -> ProvisionedPollers | None:
    if not config:
        return None
    if config.get("PollerGroupName"):
        raise unsupported("PollerGroupName")
    minimum = config.get("MinimumPollers", _POLLERS_MIN)
    maximum = config.get("MaximumPollers", max(_POLLERS_MAX, minimum))
    if not _POLLERS_MIN <= minimum <= maximum:
        # Assumed: the text (test_event_source_mapping).
        raise InvalidParameterValueException(
            f"MinimumPollers must be at least {_POLLERS_MIN} and not greater than MaximumPollers."
        )
    return ProvisionedPollers(minimum, maximum)


def _metrics(config: Mapping[str, Any]) -> tuple[str, ...]:
    metrics = tuple(config.get("Metrics") or ())
    if not {"EventCount"}.issuperset(metrics):
        # Documented: Lambda API reference: the other groups are those of Kafka mappings. Assumed: the text.
        raise unsupported("MetricsConfig")
    return metrics
