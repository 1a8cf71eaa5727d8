"""
What each operation of SQS asks leave for.

Documented: service authorization reference, Amazon SQS. Batches ask for the action of one.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lambent.access.authorize import Demand
from lambent.access.conditions import of_tag_keys, of_tags
from lambent.domain.caller import Caller
from lambent.services.operation import Demands
from lambent.services.sqs.naming import owner_of_url

_QUEUE = (
    "AddPermission ChangeMessageVisibility DeleteMessage DeleteQueue GetQueueAttributes GetQueueUrl "
    "ListDeadLetterSourceQueues ListMessageMoveTasks ListQueueTags PurgeQueue ReceiveMessage RemovePermission "
    "SendMessage SetQueueAttributes"
)
"""Operations on the queue that a request names, whose action has the operation's name."""

_BATCHES = {
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "DeleteMessageBatch": "DeleteMessage",
    "SendMessageBatch": "SendMessage",
}


def requested_arn(caller: Caller, request: Mapping[str, Any]) -> str:
    """Return the ARN of the queue that a request names, by its URL, its name or its ARN."""
    if (arn := request.get("SourceArn")) is not None:
        return arn if arn.startswith("arn:") else "*"
    if (url := request.get("QueueUrl")) is not None:
        owner, name = owner_of_url(url), url.rstrip("/").rsplit("/", 1)[-1]
    else:
        owner, name = request.get("QueueOwnerAWSAccountId"), request["QueueName"]
    return f"arn:aws:sqs:{caller.scope.region}:{owner or caller.scope.account}:{name}"


def _on_queue(action: str) -> Demands:
    return lambda caller, request: (Demand(f"sqs:{action}", requested_arn(caller, request)),)


def _create(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    arn, tags = requested_arn(caller, request), of_tags(request.get("tags") or {})
    creating = Demand("sqs:CreateQueue", arn, context=tags)
    # Documented: SQS API reference, CreateQueue: to tag a queue on creation takes leave for TagQueue as well.
    return (creating, Demand("sqs:TagQueue", arn, context=tags)) if tags else (creating,)


def _tag(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("sqs:TagQueue", requested_arn(caller, request), context=of_tags(request["Tags"])),)


def _untag(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("sqs:UntagQueue", requested_arn(caller, request), context=of_tag_keys(request["TagKeys"])),)


def _start_move(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    # Documented: SQS developer guide, configuring queue permissions for dead-letter queue redrive.
    source, target = requested_arn(caller, request), request.get("DestinationArn")
    actions = ("StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    found = [Demand(f"sqs:{action}", source) for action in actions]
    return [*found, Demand("sqs:SendMessage", target if target.startswith("arn:") else "*")] if target else found


def _cancel_move(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    try:
        handle = msgspec.json.decode(base64.b64decode(request["TaskHandle"], validate=True))
        source = handle["sourceArn"]
    except (binascii.Error, msgspec.DecodeError, ValueError, TypeError, KeyError, RecursionError):
        source = ""
    # The operation says what it thinks of another one; no policy but one for `*` allows it.
    is_arn = isinstance(source, str) and source.startswith("arn:")
    return (Demand("sqs:CancelMessageMoveTask", source if is_arn else "*"),)


def _list(_: Caller, _request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("sqs:ListQueues"),)


DEMANDS: Mapping[str, Demands] = {
    **{operation: _on_queue(operation) for operation in _QUEUE.split()},
    **{operation: _on_queue(action) for operation, action in _BATCHES.items()},
    "CancelMessageMoveTask": _cancel_move,
    "CreateQueue": _create,
    "ListQueues": _list,
    "StartMessageMoveTask": _start_move,
    "TagQueue": _tag,
    "UntagQueue": _untag,
}
"""What each operation that is offered asks leave for."""
