"""
A message as the function gets it.

Observed: localstack/localstack test_lambda_integration_sqs.py in tests/aws/services/lambda_/event_source_mapping
(recorded).
"""

import base64
from typing import Any

from lambent.domain.queue_message import MessageAttribute, QueueMessage, md5_of_attributes, md5_of_body
from lambent.services.sqs.naming import queue_arn
from lambent.services.sqs.receiving import system_attributes
from lambent.store.contract import Claim


def record_of(claim: Claim, message: QueueMessage, receipt_handle: str) -> dict[str, Any]:
    """Return the record of one message of an event's `Records`."""
    record: dict[str, Any] = {
        "messageId": claim.id,
        "receiptHandle": receipt_handle,
        "body": message.body,
        "attributes": system_attributes(claim, message),
        "messageAttributes": {name: _attribute(value) for name, value in message.attributes.items()},
        "md5OfBody": md5_of_body(message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn(claim.queue),
        "awsRegion": claim.queue.scope.region,
    }
    if message.attributes:
        record["md5OfMessageAttributes"] = md5_of_attributes(message.attributes)
    return record


def _attribute(value: MessageAttribute) -> dict[str, Any]:
    kept: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value.type}
    if value.data is not None:
        return {"binaryValue": base64.b64encode(value.data).decode(), **kept}
    return {"stringValue": value.text, **kept}
