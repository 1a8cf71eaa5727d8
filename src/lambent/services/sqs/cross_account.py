"""Callers of other accounts: what a queue's policy lets them do. As `lambda_.cross_account`, by the same evaluation."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller, Scope
from lambent.domain.resource_policy import Decision, decide
from lambent.errors.api.sqs import AccessDeniedException
from lambent.services.lambda_.cross_account import requester_of
from lambent.services.operation import Handler
from lambent.services.sqs.attributes import read_policy
from lambent.services.sqs.directory import Directory
from lambent.services.sqs.naming import owner_of_url, queue_arn, queue_of, queue_of_arn

ACTIONS: Mapping[str, str] = {
    "ChangeMessageVisibility": "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "DeleteMessage": "DeleteMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "GetQueueAttributes": "GetQueueAttributes",
    "GetQueueUrl": "GetQueueUrl",
    "ListDeadLetterSourceQueues": "ListDeadLetterSourceQueues",
    "PurgeQueue": "PurgeQueue",
    "ReceiveMessage": "ReceiveMessage",
    "SendMessage": "SendMessage",
    "SendMessageBatch": "SendMessage",
}
"""Operation that a policy can grant to other accounts, to the action's name. Documented: SQS API reference."""


class CrossAccount:
    """Lets callers of other accounts in where a policy does."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def open(self, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """Return the handlers, each open to other accounts as far as policies go, and closed beyond."""
        return {operation: self._opened(handler, operation) for operation, handler in handlers.items()}

    def _opened(self, handler: Handler, operation: str) -> Handler:
        async def handle(caller: Caller, request: Any) -> Mapping[str, Any]:
            owner = _owner(request)
            if owner is not None and owner != caller.scope.account:
                caller = await self._entered(caller, owner, request, operation)
            return await handler(caller, request)

        return handle

    async def _entered(self, caller: Caller, account: str, request: Mapping[str, Any], operation: str) -> Caller:
        """
        Return the caller as one of the queue's account.

        Raises:
            AccessDeniedException: no policy there grants the operation.
            QueueDoesNotExist: no queue can have such a name.
        """
        owner = Scope(account, caller.scope.region)
        named = request.get("QueueUrl") or request.get("QueueName") or request.get("SourceArn", "").replace(":", "/")
        queue = queue_of(owner, named.rstrip("/").rsplit("/", 1)[-1])
        action = f"sqs:{ACTIONS.get(operation, operation)}"
        decision = Decision.UNMENTIONED
        if operation in ACTIONS:
            found = await self._directory.find(queue)
            text = "" if found is None else found.document.attributes.get("Policy", "")
            requester = requester_of(caller, action, account, self._clock.now())
            decision = decide(read_policy(text) if text else None, requester, action, queue_arn(queue))
            if decision is Decision.ALLOWED:
                return msgspec.structs.replace(caller, scope=owner)
        why = f"because no resource-based policy allows the {action.lower()} action"
        if decision is Decision.DENIED:
            why = "with an explicit deny in a resource-based policy"
        # Observed: localstack/localstack tests/aws/services/sqs (recorded), the action in small letters.
        raise AccessDeniedException(
            f"User: {caller.principal.arn} is not authorized to perform: {action.lower()} on resource: "
            f"{queue_arn(queue)} {why}"
        )


def _owner(request: Mapping[str, Any]) -> str | None:
    if "QueueUrl" in request:
        return owner_of_url(request["QueueUrl"])
    if "SourceArn" in request:
        queue = queue_of_arn(request["SourceArn"])
        return None if queue is None else queue.scope.account
    return request.get("QueueOwnerAWSAccountId")
