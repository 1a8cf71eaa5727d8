"""
The record of a batch that was given up.

Observed: localstack/localstack tests/aws/services/lambda_/event_source_mapping (recorded), for its members and forms.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambent.domain.invocation import InvocationOutcome

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
AGE_EXCEEDED = "RecordAgeExceeded"


def failure_record(
    *,
    request_id: str,
    function_arn: str,
    condition: str,
    invoke_count: int,
    outcome: InvocationOutcome | None,
    now: float,
    batch_info: tuple[str, Mapping[str, Any]],
    payload: bytes | None,
) -> bytes:
    """
    Return what a destination gets of a batch.

    Args:
        function_arn: unqualified.
        outcome: of the last run; None where the records are too old, whatever came before.
        payload: the event of the batch, for destinations that get it; None for the others.
    """
    name, info = batch_info
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": invoke_count,
        }
    }
    if outcome is not None:
        record["responseContext"] = {
            "statusCode": 200,
            "executedVersion": outcome.executed_version,
            # Null where the function itself said what failed.
            "functionError": None if outcome.error is None else outcome.error.kind,
        }
    record["version"] = "1.0"
    record["timestamp"] = iso_ms(now)
    record[name] = info
    if payload is not None:
        record["payload"] = msgspec.Raw(payload)
    return msgspec.json.encode(record)


def iso_ms(seconds: float) -> str:
    """Return a moment as these records have it, with milliseconds."""
    at = datetime.fromtimestamp(round(seconds, 3), UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
