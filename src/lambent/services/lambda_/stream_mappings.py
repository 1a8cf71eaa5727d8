"""
What mappings of streams have and those of queues do not: whether their stream is there, where failed batches go, how
they are shown.

Texts marked as observed are AWS's answers as localstack/localstack recorded them, in
tests/aws/services/lambda_/event_source_mapping, unless a line says otherwise.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from lambent.destinations.contract import Destinations, TargetRefuses
from lambent.domain.destination import parse_target, why_not_offered
from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.function import FunctionVersion
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.role_checks import TargetRights

NOTHING_PROCESSED = "No records processed"
"""Observed."""

_TARGETS = frozenset({"sqs", "s3"})
"""Where records of batches may go, of what this server delivers to. Documented: Lambda API reference, OnFailure."""

_CLOCKS_DIFFER_S = 60.0
"""What a caller's clock may be ahead of ours where it says from when on a stream is to be read. Assumed."""


class StreamLook(Protocol):
    """How the API sees whether a stream is there: `app.py` hands over what reads the streams of a service."""

    async def why_not(self, mapping: EventSourceMapping) -> str | None:
        """Say why a mapping's stream cannot be read; None where it can."""
        ...


StreamLooks = Mapping[str, StreamLook]
"""By the service in a stream's ARN: what is read here."""


async def check_stream(look: StreamLook, mapping: EventSourceMapping, version: FunctionVersion) -> None:
    """
    Refuse a stream that cannot feed a function.

    Raises:
        InvalidParameterValueException: it is another region's or account's, is not there, or cannot be read, or is to
            be read from a moment on that is yet to come.
    """
    stream = mapping.stream
    assert stream is not None
    if stream.starting_at is not None and stream.starting_at > mapping.last_modified + _CLOCKS_DIFFER_S:
        # Documented: Lambda API reference, StartingPositionTimestamp. Assumed: the text (test_stream_mappings).
        raise InvalidParameterValueException("StartingPositionTimestamp cannot be in the future.")
    target = parse_target(mapping.source_arn)
    assert target is not None
    if target.scope.region != version.scope.region:
        # Assumed: the text (test_stream_mappings).
        raise InvalidParameterValueException(
            f"The event source must be in the function's region, {version.scope.region}."
        )
    if target.scope != mapping.scope:
        # Assumed: the text (test_stream_mappings).
        raise InvalidParameterValueException(
            f"Event source {mapping.source_arn} is not offered by this version of Lambent: streams of other accounts "
            "are not read"
        )
    reason = await look.why_not(mapping)
    if reason is not None:
        # Observed, for a stream that is not there.
        raise InvalidParameterValueException(reason)


async def check_on_failure(
    mapping: EventSourceMapping, role: str, destinations: Destinations, rights: TargetRights
) -> None:
    """
    Refuse a destination that takes no records of batches.

    Args:
        role: of the function.

    Raises:
        InvalidParameterValueException: it is none, or is not there, or the role may not send to it.
    """
    assert mapping.stream is not None
    arn = mapping.stream.on_failure
    if not arn:
        return
    offered = tuple(service for service in destinations if service in _TARGETS)
    if why_not_offered(arn, offered) is not None:
        raise InvalidParameterValueException(
            f"Destination {arn} is not offered by this version of Lambent for event source mappings: use an SQS queue "
            "or an S3 bucket"
        )
    target = parse_target(arn)
    if target is None or target.service not in offered or target.resource.endswith(".fifo"):
        # Documented: Lambda API reference, OnFailure: standard queues, topics and buckets. Assumed: the text
        # (test_stream_mappings).
        raise InvalidParameterValueException(
            f"The destination ARN {arn} is invalid: an event source mapping's is a standard SQS queue or a bucket."
        )
    target = target.seen_from(mapping.scope)
    if target.scope != mapping.scope:
        raise InvalidParameterValueException(
            f"The destination ARN {arn} is invalid: it must be of account {mapping.scope.account} in "
            f"{mapping.scope.region}, as the function is."
        )
    if lacking := await rights.lacking(role, target):
        # Assumed: as for asynchronous invocation (test_role_checks).
        raise InvalidParameterValueException(f"The provided execution role does not have permissions to call {lacking}")
    try:
        is_there = await destinations[target.service].exists(target)
    except TargetRefuses as refused:
        raise InvalidParameterValueException(f"The destination ARN {arn} is invalid: {refused}.") from refused
    if not is_there:
        # Assumed: as for asynchronous invocation (test_stream_mappings).
        raise InvalidParameterValueException(f"The destination ARN {arn} is invalid.")


def view_of_stream(mapping: EventSourceMapping, result: str) -> dict[str, Any]:
    """
    Return the members that mappings of streams have beside.

    Args:
        result: what the last batch came to; empty before one.
    """
    stream = mapping.stream
    assert stream is not None
    view: dict[str, Any] = {
        "StartingPosition": stream.starting_position,
        "ParallelizationFactor": stream.lanes,
        "BisectBatchOnFunctionError": stream.bisects,
        "MaximumRecordAgeInSeconds": stream.age_max_s,
        "MaximumRetryAttempts": stream.retries_max,
        "TumblingWindowInSeconds": stream.tumbling_s,
        # Observed: there, empty, where nothing is set.
        "DestinationConfig": {"OnFailure": {"Destination": stream.on_failure} if stream.on_failure else {}},
        "LastProcessingResult": result or NOTHING_PROCESSED,
        # Observed.
        "StateTransitionReason": "User action",
    }
    if stream.starting_at is not None:
        view["StartingPositionTimestamp"] = datetime.fromtimestamp(stream.starting_at, UTC)
    return view
