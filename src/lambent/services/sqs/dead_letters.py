"""Dead-letter queues: redrive policies of sources, what targets allow, and who redrives to a queue."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.errors.api.sqs import InvalidAttributeValue, InvalidParameterValueException
from lambent.protocol.shapes.sqs import ListDeadLetterSourceQueuesRequest
from lambent.services.operation import operation
from lambent.services.sqs.directory import Directory
from lambent.services.sqs.naming import is_fifo, queue_arn, queue_at_url, queue_of_arn, queue_url
from lambent.services.sqs.tokens import page_size, read_token, write_token
from lambent.store.contract import QueueName

_RECEIVES_MAX = 1_000


class RedrivePolicy(msgspec.Struct, frozen=True):
    """What a RedrivePolicy says."""

    target: QueueName
    after: int
    """Receives after which a message is not received once more."""


def parse_redrive_policy(queue: QueueName, text: str) -> RedrivePolicy:
    """
    Return what a queue's RedrivePolicy says. Whether there is such a target is not looked at.

    Raises:
        InvalidParameterValueException: it is none. Observed: field reports for the texts.
    """
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _refused(text, "Redrive policy is not a valid JSON map.")
    for member in ("deadLetterTargetArn", "maxReceiveCount"):
        if document.get(member) in (None, ""):
            raise _refused(text, f"Redrive policy does not contain mandatory attribute: {member}.")
    after = document["maxReceiveCount"]
    if isinstance(after, str) and after.isascii() and after.isdigit():
        after = int(after[:6])
    if type(after) is not int or not 1 <= after <= _RECEIVES_MAX:
        raise _refused(
            text,
            f"Invalid value for maxReceiveCount: {after}, valid values are from 1 to {_RECEIVES_MAX} both inclusive.",
        )
    target = queue_of_arn(str(document["deadLetterTargetArn"]))
    if target is None:
        raise _refused(text, "Only SQS queues are valid resources for deadLetterTargetArn.")
    if target.scope.account != queue.scope.account:
        raise _refused(text, "Dead-letter target owner should be same as the source.")
    if target.scope.region != queue.scope.region:
        # Assumed: the text.
        raise _refused(text, "Dead-letter target must be in the region of the source.")
    if is_fifo(target) != is_fifo(queue):
        raise _refused(text, "Dead-letter queue must be same type of queue as the source.")
    return RedrivePolicy(target, after)


async def check_target(directory: Directory, queue: QueueName, text: str) -> None:
    """
    Refuse a RedrivePolicy whose target is not there, or does not take what a queue gives up.

    Raises:
        InvalidParameterValueException: so it is.
    """
    target = await directory.find(parse_redrive_policy(queue, text).target)
    if target is None:
        raise _refused(text, "Dead letter target does not exist.")
    if not _is_allowed(target.document.attributes.get("RedriveAllowPolicy", ""), queue):
        # Assumed: the text.
        raise _refused(text, "Queue permissions on the dead-letter target do not allow redrive from the source queue.")


def check_allow_policy(text: str) -> None:
    """
    Refuse a RedriveAllowPolicy that is none.

    Raises:
        InvalidAttributeValue: so it is. Assumed: the texts (test_dead_letters).

    Source: SQS API reference, SetQueueAttributes.
    """
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _allow_refused("it is not a JSON object.")
    permission = document.get("redrivePermission")
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise _allow_refused("redrivePermission must be allowAll, denyAll or byQueue.")
    sources = document.get("sourceQueueArns")
    if permission != "byQueue":
        if sources is not None:
            raise _allow_refused("sourceQueueArns is for the redrivePermission byQueue only.")
        return
    if not isinstance(sources, list) or not 1 <= len(sources) <= 10:
        raise _allow_refused("sourceQueueArns must hold 1 to 10 ARNs.")
    if not all(isinstance(source, str) and queue_of_arn(source) for source in sources):
        raise _allow_refused("sourceQueueArns must hold ARNs of queues.")


def _is_allowed(text: str, source: QueueName) -> bool:
    if not text:
        return True
    document: dict[str, Any] = msgspec.json.decode(text)
    if document["redrivePermission"] == "byQueue":
        return queue_arn(source) in document["sourceQueueArns"]
    return bool(document["redrivePermission"] == "allowAll")


def _allow_refused(reason: str) -> InvalidAttributeValue:
    return InvalidAttributeValue(f"Invalid value for the parameter RedriveAllowPolicy. Reason: {reason}")


def _refused(text: str, reason: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(f"Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}")


async def sources_of(directory: Directory, target: QueueName) -> list[QueueName]:
    """Return the queues whose messages go to a queue when they are given up, by name."""
    return [queue.name for queue in await directory.all(target.scope) if queue.rules.redrive_to == target]


class DeadLetterSources:
    """Who redrives to a queue."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    @operation("ListDeadLetterSourceQueues")
    async def list(self, caller: Caller, request: ListDeadLetterSourceQueuesRequest) -> Mapping[str, Any]:
        limit = page_size(request)
        after = read_token(request.get("NextToken"))
        queue = await self._directory.get(queue_at_url(caller, request["QueueUrl"]))
        found = [name for name in await sources_of(self._directory, queue.name) if name.name > after]
        answer: dict[str, Any] = {"queueUrls": [queue_url(caller, name) for name in found[:limit]]}
        if "MaxResults" in request and len(found) > limit:
            answer["NextToken"] = write_token(found[limit - 1].name)
        return answer
