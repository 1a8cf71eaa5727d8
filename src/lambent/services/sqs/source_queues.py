"""Queues as event sources: what a mapping has to know of one, and whether a function's role may read it."""

import msgspec

from lambent.access.authorize import Authorizer, Demand, ResourceFacts
from lambent.domain.caller import Scope
from lambent.domain.principal import Principal, PrincipalType
from lambent.domain.resource_policy import Decision, Requester, decide
from lambent.services.sqs.attributes import number, read_policy
from lambent.services.sqs.directory import Directory, Queue
from lambent.services.sqs.elsewhere import QueuesElsewhere, Refused
from lambent.services.sqs.naming import is_fifo, queue_arn, queue_of_arn
from lambent.store.contract import QueueName

_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
"""What a function's role needs of a queue. Documented: Lambda developer guide, SQS, execution role permissions."""


class SourceQueue(msgspec.Struct, frozen=True):
    """One queue that a mapping reads."""

    name: QueueName
    is_fifo: bool
    visibility_s: int
    is_elsewhere: bool = False
    """It is another server's."""


class NotAllowed(Exception):
    """The role may not read the queue. The message names the first action that it lacks."""


class SourceQueues:
    """
    Looks queues up for mappings. What of our own was looked at lately costs no look at the store.

    Args:
        elsewhere: the queues of another server, where one is named.
        authorizer: says what roles may do.
        facts: of our own queues.
    """

    def __init__(
        self, directory: Directory, elsewhere: QueuesElsewhere, authorizer: Authorizer, facts: ResourceFacts
    ) -> None:
        self._directory = directory
        self._elsewhere = elsewhere
        self._authorizer = authorizer
        self._facts = facts

    async def find(self, arn: str, scope: Scope, role: str, *, is_elsewhere: bool | None = None) -> SourceQueue | None:
        """
        Return the queue that an ARN names; None when there is none.

        Args:
            scope: of the function.
            role: that it runs with.
            is_elsewhere: whose queue is meant; None: ours where we have it, else the other server's, if one is named.

        Raises:
            NotAllowed: the role may not read it; or the queue is another account's, and its policy does not let the
                role in; or the other server does not let us in.
            Refused: the other server says no otherwise.
            NeighbourUnavailable: it does not answer.
        """
        name = queue_of_arn(arn)
        if name is None:
            return None
        await self.check_role(name, role)
        queue = None if is_elsewhere else await self._directory.find(name)
        if is_elsewhere or (is_elsewhere is None and queue is None and self._elsewhere.is_named):
            return await self._find_elsewhere(name)
        if name.scope.account != scope.account:
            # In the same words whether there is such a queue or not.
            _check_access(name, queue, scope, role)
        if queue is None:
            return None
        return SourceQueue(name, is_fifo(name), number(queue.document.attributes, "VisibilityTimeout"))

    async def check_role(self, name: QueueName, role: str) -> None:
        """
        Refuse a role that may not read a queue, whether there is one or not.

        Raises:
            NotAllowed: naming the first action that it lacks.
        """
        if not self._authorizer.is_on:
            return
        for action in _ACTIONS:
            if not await self._authorizer.allows_role(role, Demand(f"sqs:{action}", queue_arn(name)), self._facts):
                raise NotAllowed(action)

    async def _find_elsewhere(self, name: QueueName) -> SourceQueue | None:
        try:
            found = await self._elsewhere.find(name)
        except Refused as error:
            if error.is_denied:
                raise NotAllowed(error.action) from error
            raise
        return None if found is None else SourceQueue(name, is_fifo(name), found.visibility_s, is_elsewhere=True)


def _check_access(name: QueueName, queue: Queue | None, scope: Scope, role: str) -> None:
    text = "" if queue is None else queue.document.attributes.get("Policy", "")
    policy = read_policy(text) if text else None
    requester = Requester(
        Principal(PrincipalType.ROLE, scope.account, role, "", role),
        {"aws:principalaccount": scope.account, "aws:principalarn": role},
    )
    for action in _ACTIONS:
        if decide(policy, requester, f"sqs:{action}", queue_arn(name)) is not Decision.ALLOWED:
            raise NotAllowed(action)
