"""What policies may ask of queues."""

from collections import OrderedDict
from collections.abc import Mapping

from lambent.access.authorize import Demand
from lambent.access.identities import compile_or_deny
from lambent.domain.policy import Policies
from lambent.services.sqs.directory import Directory, Queue
from lambent.services.sqs.naming import queue_of_arn

_CACHE_MAX = 5_000
"""Queues whose policies are kept compiled."""


class QueueFacts:
    """Implements `ResourceFacts` for SQS."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._compiled: OrderedDict[str, tuple[str, Policies]] = OrderedDict()

    @property
    def revision(self) -> int:
        return self._directory.revision

    async def completed(self, demand: Demand) -> Demand:
        return demand

    async def policy(self, demand: Demand) -> Policies | None:
        """Return the policy of the queue that a demand names."""
        queue = await self._find(demand)
        text = "" if queue is None else queue.document.attributes.get("Policy", "")
        if not text:
            return None
        kept = self._compiled.get(demand.resource)
        if kept is not None and kept[0] == text:
            self._compiled.move_to_end(demand.resource)
            return kept[1]
        found = Policies((compile_or_deny(text, demand.resource),))
        self._compiled[demand.resource] = text, found
        if len(self._compiled) > _CACHE_MAX:
            self._compiled.popitem(last=False)
        return found

    async def tags(self, demand: Demand) -> Mapping[str, str]:
        """Return the tags of the queue that a demand names."""
        queue = await self._find(demand)
        return {} if queue is None else queue.document.tags

    async def _find(self, demand: Demand) -> Queue | None:
        name = queue_of_arn(demand.resource)
        return None if name is None else await self._directory.find(name)
