"""Tags of queues."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.errors.api.sqs import InvalidParameterValueException
from lambent.protocol.shapes.sqs import ListQueueTagsRequest, TagQueueRequest, UntagQueueRequest
from lambent.services.operation import operation
from lambent.services.sqs.directory import Directory, Queue, QueueDocument
from lambent.services.sqs.naming import queue_at_url
from lambent.store.contract import QueueRules

_TAGS_MAX = 50


def check_tags(queue: str, tags: Mapping[str, str]) -> None:
    """
    Refuse tags that a queue may not have.

    Raises:
        InvalidParameterValueException: too many, too long, or reserved. Assumed: the texts (test_tags).

    Source: SQS developer guide, tags.
    """
    if len(tags) > _TAGS_MAX:
        raise InvalidParameterValueException(f"Too many tags added for queue {queue}.")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise InvalidParameterValueException("A tag's key has 1 to 128 characters, its value at most 256.")
        if key.lower().startswith("aws:"):
            raise InvalidParameterValueException("aws: prefixed tag key names are not allowed for external use.")


class QueueTags:
    """The tags of a queue."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    @operation("TagQueue")
    async def tag(self, caller: Caller, request: TagQueueRequest) -> Mapping[str, Any]:
        queue = queue_at_url(caller, request["QueueUrl"])

        def decide(before: Queue) -> tuple[QueueRules, QueueDocument]:
            tags = {**before.document.tags, **request["Tags"]}
            check_tags(queue.name, tags)
            return before.rules, msgspec.structs.replace(before.document, tags=tags)

        await self._directory.change(queue, decide)
        return {}

    @operation("UntagQueue")
    async def untag(self, caller: Caller, request: UntagQueueRequest) -> Mapping[str, Any]:
        def decide(before: Queue) -> tuple[QueueRules, QueueDocument]:
            tags = {key: value for key, value in before.document.tags.items() if key not in request["TagKeys"]}
            return before.rules, msgspec.structs.replace(before.document, tags=tags)

        await self._directory.change(queue_at_url(caller, request["QueueUrl"]), decide)
        return {}

    @operation("ListQueueTags")
    async def list(self, caller: Caller, request: ListQueueTagsRequest) -> Mapping[str, Any]:
        queue = await self._directory.get(queue_at_url(caller, request["QueueUrl"]))
        return {"Tags": queue.document.tags} if queue.document.tags else {}
