"""Queues of this server, straight from the event queue that keeps them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.queue_message import unpack
from lambent.event_sources.sqs_queue import Claimed, Message
from lambent.event_sources.sqs_record import record_of
from lambent.event_sources.sqs_shared import Shared
from lambent.services.sqs.handles import Handles
from lambent.services.sqs.naming import is_fifo
from lambent.store.contract import Claim, Done, Extend, Hold, Outcome, QueueName, Receipt


class OwnQueue:
    """Implements `ReadQueue`. A commit that makes a message claimable wakes the pollers of its queue."""

    tells = True
    pause_max_s = 1.0
    """How soon a failure of the store is over. Assumed."""

    def __init__(self, shared: Shared, name: QueueName) -> None:
        self._shared = shared
        self._name = name
        # Also what was read again since is deleted: it was dealt with. Of a FIFO queue that would break the order of
        # its group.
        self._hold = Hold.CURRENT if is_fifo(name) else Hold.ANY

    async def visibility_s(self, mapping: EventSourceMapping, role: str) -> int | None:
        queue = await self._shared.queues.find(mapping.source_arn, mapping.scope, role, is_elsewhere=False)
        return None if queue is None else queue.visibility_s

    @asynccontextmanager
    async def claim(self, wanted: int, lease_s: float, bytes_max: int) -> AsyncIterator[Claimed]:
        shared = self._shared
        # Until it is known what they take.
        shared.budget.hold(bytes_max)
        try:
            at = shared.clock.monotonic()
            claimed = await shared.events.claim({self._name: wanted}, lease_s, bytes_max=bytes_max)
            if shared.of_queues is not None and claimed.claims:
                # One that finds nothing is no receive here: it was woken by something that another got.
                shared.of_queues.received(self._name, len(claimed.claims))
            at_ms = int(shared.clock.now() * 1000)
            yield Claimed(
                [_OwnMessage(claim, at_ms, shared.handles) for claim in claimed.claims],
                at,
                len(claimed.claims) < wanted,
                claimed.next_due_s.get(self._name),
            )
        finally:
            shared.budget.release(bytes_max)

    async def delete(self, receipts: Sequence[Receipt]) -> None:
        outcomes = await self._shared.events.settle([Done(receipt, hold=self._hold) for receipt in receipts])
        if self._shared.of_queues is not None:
            self._shared.of_queues.deleted(self._name, outcomes.count(Outcome.HAPPENED))

    async def give_back(self, receipts: Sequence[Receipt]) -> None:
        await self._shared.events.settle([Extend(receipt, 0) for receipt in receipts])


class _OwnMessage(msgspec.Struct, frozen=True):
    """Implements `Received`."""

    claim: Claim
    at_ms: int
    handles: Handles

    @property
    def id(self) -> str:
        return self.claim.id

    @property
    def group(self) -> str | None:
        return self.claim.group

    @property
    def receipt(self) -> Receipt:
        return self.claim.receipt

    @property
    def size_bytes(self) -> int:
        return len(self.claim.body)

    def read(self) -> Message:
        message = unpack(self.claim.body, self.claim.attributes)
        record = record_of(self.claim, message, self.handles.write(self.claim.receipt, self.at_ms))
        return Message(record, message.body, message.trace_header)
