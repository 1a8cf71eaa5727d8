"""
A message as the function gets it.

Observed: localstack/localstack test_lambda_integration_sqs.py in tests/aws/services/lambda_/event_source_mapping
(recorded).
"""

import base64
from collections.abc import Mapping
from typing import Any

from lambent.domain.queue_message import MessageAttribute, QueueMessage, md5_of_attributes, md5_of_body
from lambent.services.sqs.naming import queue_arn
from lambent.services.sqs.receiving import system_attributes
from lambent.store.contract import Claim, QueueName


def record_of(claim: Claim, message: QueueMessage, receipt_handle: str) -> dict[str, Any]:
    """Return the record of one message of ours."""
    system = system_attributes(claim, message)
    return record(claim.queue, claim.id, receipt_handle, message.body, system, message.attributes)


def record(
    queue: QueueName,
    message_id: str,
    receipt_handle: str,
    body: str,
    system: Mapping[str, str],
    attributes: Mapping[str, MessageAttribute],
) -> dict[str, Any]:
    """
    Return the record of one message of an event's `Records`.

    Args:
        system: the attributes that it has by being received.
        attributes: those that its sender gave it.
    """
    made: dict[str, Any] = {
        "messageId": message_id,
        "receiptHandle": receipt_handle,
        "body": body,
        "attributes": system,
        "messageAttributes": {name: _attribute(value) for name, value in attributes.items()},
        "md5OfBody": md5_of_body(body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn(queue),
        "awsRegion": queue.scope.region,
    }
    if attributes:
        made["md5OfMessageAttributes"] = md5_of_attributes(attributes)
    return made


def _attribute(value: MessageAttribute) -> dict[str, Any]:
    kept: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value.type}
    if value.data is not None:
        return {"binaryValue": base64.b64encode(value.data).decode(), **kept}
    return {"stringValue": value.text, **kept}
