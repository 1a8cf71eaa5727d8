"""Queues: made, found, listed, changed, emptied and deleted."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.errors.api.sqs import PurgeQueueInProgress, QueueDeletedRecently, QueueNameExists
from lambent.protocol.shapes.sqs import (
    CreateQueueRequest,
    DeleteQueueRequest,
    GetQueueAttributesRequest,
    GetQueueUrlRequest,
    ListQueuesRequest,
    PurgeQueueRequest,
    SetQueueAttributesRequest,
)
from lambent.services.operation import operation
from lambent.services.sqs.attributes import (
    COUNTED,
    KNOWN,
    conflicting,
    is_on,
    merged,
    normalise,
    rules_of,
    shown,
    unknown,
)
from lambent.services.sqs.dead_letters import check_target
from lambent.services.sqs.directory import Directory, Queue, QueueDocument
from lambent.services.sqs.lately import Lately
from lambent.services.sqs.naming import (
    check_new_name,
    is_fifo,
    missing,
    queue_arn,
    queue_at_url,
    queue_of,
    queue_url,
)
from lambent.services.sqs.tags import check_tags
from lambent.services.sqs.tokens import page_size, read_token, write_token
from lambent.store.contract import Depth, EventQueue, QueueKind, QueueName, QueueRules


class Queues:
    """
    Args:
        purge_wait_s: how soon a queue may be purged again.
        recreate_wait_s: how soon a queue may be made that has the name of a deleted one.
    """

    def __init__(
        self, events: EventQueue, directory: Directory, clock: Clock, *, purge_wait_s: float, recreate_wait_s: float
    ) -> None:
        self._events = events
        self._directory = directory
        self._clock = clock
        self._purged = Lately(clock, purge_wait_s)
        self._deleted = Lately(clock, recreate_wait_s)

    @operation("CreateQueue")
    async def create(self, caller: Caller, request: CreateQueueRequest) -> Mapping[str, Any]:
        given = request.get("Attributes", {})
        name, wants_fifo = (
            request["QueueName"],
            is_on(given, "FifoQueue") or given.get("FifoQueue", "").lower() == "true",
        )
        check_new_name(name, is_fifo=wants_fifo)
        queue = queue_of(caller.scope, name)
        wanted = normalise(given, is_fifo=wants_fifo, is_new=True)
        attributes = merged({}, wanted)
        rules = rules_of(queue, attributes)
        if (tags := request.get("tags")) is not None:
            check_tags(name, tags)
        existing = await self._directory.find(queue)
        if existing is None:
            if queue in self._deleted:
                # Observed: localstack/localstack tests/aws/services/sqs (recorded).
                raise QueueDeletedRecently(
                    "You must wait 60 seconds after deleting a queue before you can create another with the same name."
                )
            if attributes.get("RedrivePolicy"):
                await check_target(self._directory, queue, attributes["RedrivePolicy"])
            now_s = int(self._clock.now())
            if not await self._directory.create(
                queue, rules, QueueDocument(now_s, now_s, attributes, dict(tags or {}))
            ):
                existing = await self._directory.get(queue)
        if existing is not None:
            # Observed: the same recordings: only what is given is compared, with what the queue has now.
            other = conflicting(existing.document.attributes, wanted)
            if other is not None:
                raise QueueNameExists(
                    f"A queue already exists with the same name and a different value for attribute {other}"
                )
        return {"QueueUrl": queue_url(caller, queue)}

    @operation("GetQueueUrl")
    async def url(self, caller: Caller, request: GetQueueUrlRequest) -> Mapping[str, Any]:
        # The caller's scope is the owner's by now, where that is another one.
        queue = await self._directory.get(queue_of(caller.scope, request["QueueName"]))
        return {"QueueUrl": queue_url(caller, queue.name)}

    @operation("ListQueues")
    async def list(self, caller: Caller, request: ListQueuesRequest) -> Mapping[str, Any]:
        limit, prefix = page_size(request), request.get("QueueNamePrefix", "")
        token = read_token(request.get("NextToken"))
        after = QueueName(caller.scope, QueueKind.SQS, token) if token else None
        found = await self._directory.page(caller.scope, prefix, after, limit + 1)
        answer: dict[str, Any] = {}
        if found:
            answer["QueueUrls"] = [queue_url(caller, queue.name) for queue in found[:limit]]
        # Documented: SQS API reference, ListQueues: no token for who did not ask for pages.
        if "MaxResults" in request and len(found) > limit:
            answer["NextToken"] = write_token(found[limit - 1].name.name)
        return answer

    @operation("GetQueueAttributes")
    async def attributes(self, caller: Caller, request: GetQueueAttributesRequest) -> Mapping[str, Any]:
        asked = request.get("AttributeNames", [])
        for name in asked:
            if name not in KNOWN:
                raise unknown(name)
        queue = await self._directory.get(queue_at_url(caller, request["QueueUrl"]))
        if not asked:
            return {}
        found = {
            "QueueArn": queue_arn(queue.name),
            "CreatedTimestamp": str(queue.document.created_s),
            "LastModifiedTimestamp": str(queue.document.modified_s),
            **shown(queue.document.attributes),
        }
        if "All" in asked or not set(COUNTED).isdisjoint(asked):
            depth = (await self._events.depth([queue.name])).get(queue.name, Depth())
            found.update(zip(COUNTED, map(str, (depth.waiting, depth.in_flight, depth.delayed)), strict=True))
        chosen = found if "All" in asked else {name: found[name] for name in asked if name in found}
        return {"Attributes": chosen} if chosen else {}

    @operation("SetQueueAttributes")
    async def set(self, caller: Caller, request: SetQueueAttributesRequest) -> Mapping[str, Any]:
        queue = queue_at_url(caller, request["QueueUrl"])
        given = request["Attributes"]
        await self._directory.get(queue)
        change = normalise(given, is_fifo=is_fifo(queue), is_new=False)
        if change.get("RedrivePolicy"):
            await check_target(self._directory, queue, change["RedrivePolicy"])

        def decide(before: Queue) -> tuple[QueueRules, QueueDocument]:
            after = merged(before.document.attributes, change)
            document = msgspec.structs.replace(before.document, attributes=after, modified_s=int(self._clock.now()))
            return rules_of(queue, after), document

        await self._directory.change(queue, decide)
        return {}

    @operation("PurgeQueue")
    async def purge(self, caller: Caller, request: PurgeQueueRequest) -> Mapping[str, Any]:
        queue = queue_at_url(caller, request["QueueUrl"])
        await self._directory.get(queue)
        if queue in self._purged:
            # Observed: localstack/localstack tests/aws/services/sqs (recorded).
            raise PurgeQueueInProgress(f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds.")
        self._purged.add(queue)
        if not await self._events.purge(queue):
            raise missing()
        return {}

    @operation("DeleteQueue")
    async def delete(self, caller: Caller, request: DeleteQueueRequest) -> Mapping[str, Any]:
        queue = queue_at_url(caller, request["QueueUrl"])
        if not await self._directory.remove(queue):
            raise missing()
        self._deleted.add(queue)
        self._purged.discard(queue)
        return {}
