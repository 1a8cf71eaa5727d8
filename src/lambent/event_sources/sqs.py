"""
The pollers of queues: our own ones, straight from the event queue that keeps them, and those of another server.

Of our own nothing is polled. A commit that makes a message claimable wakes the pollers of its queue, as it wakes
receivers; one timer for each queue rings when a delay or a lease runs out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from lambent.clock import Clock, TimerHandle
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.caller import Scope
from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.function import FunctionName
from lambent.domain.quotas import Quotas
from lambent.event_sources.contract import Counts, PollerView
from lambent.event_sources.sqs_http import HttpQueue
from lambent.event_sources.sqs_own import OwnQueue
from lambent.event_sources.sqs_poller import SqsPoller
from lambent.event_sources.sqs_queue import ReadQueue
from lambent.event_sources.sqs_shared import Shared, Spawn
from lambent.services.sqs.elsewhere import QueuesElsewhere
from lambent.services.sqs.handles import Handles
from lambent.services.sqs.naming import queue_of_arn
from lambent.services.sqs.source_queues import SourceQueues
from lambent.store.contract import EventQueue, FunctionChange, FunctionStore, QueueName
from lambent.telemetry.lambda_metrics import LambdaMetrics
from lambent.telemetry.queue_metrics import QueueMetrics

_NOW_S = 0.001
"""What comes sooner is there by the time that a claim has found it: no timer is as quick."""


class SqsSource:
    """
    Implements `EventSource` for queues.

    Args:
        elsewhere: the queues of another server.
        handles: writes the receipt handles in records.
        batches_max: how many batches run at once, over all mappings.
        processors: of the machine: no use in running more of what keeps them busy.
        spawn: runs a task that somebody looks after.
        of_functions, of_queues: told what pollers do; None: nobody is.
    """

    def __init__(
        self,
        events: EventQueue,
        queues: SourceQueues,
        elsewhere: QueuesElsewhere,
        handles: Handles,
        store: FunctionStore,
        dispatcher: Dispatcher,
        quotas: Quotas,
        clock: Clock,
        *,
        batches_max: int,
        processors: int,
        spawn: Spawn,
        of_functions: LambdaMetrics | None = None,
        of_queues: QueueMetrics | None = None,
    ) -> None:
        self._clock = clock
        self._shared = Shared(
            events,
            queues,
            elsewhere,
            handles,
            dispatcher,
            quotas,
            clock,
            batches_max=batches_max,
            processors=processors,
            spawn=spawn,
            ring_in=self._ring_in,
            of_functions=of_functions,
            of_queues=of_queues,
        )
        self._pollers: dict[str, SqsPoller] = {}
        self._ended: dict[str, SqsPoller] = {}
        """Those of which batches are still at work: should the mapping begin again meanwhile, these count."""
        self._by_queue: dict[QueueName, dict[str, SqsPoller]] = {}
        """Those of our own queues."""
        self._by_function: dict[tuple[Scope, FunctionName], dict[str, SqsPoller]] = {}
        self._rings: dict[QueueName, tuple[float, TimerHandle]] = {}
        events.on_due(self._on_due)
        store.on_change(self._on_function_change)

    def begin(self, mapping: EventSourceMapping) -> None:
        """Read for a mapping from now on, or go on under its new settings; see the contract."""
        poller = self._pollers.get(mapping.uuid)
        if poller is None:
            poller = self._ended.pop(mapping.uuid, None)
            if poller is None:
                poller = self._new_poller(mapping)
            else:
                poller.resume(mapping)
            self._pollers[mapping.uuid] = poller
            if not mapping.is_elsewhere:
                self._by_queue.setdefault(poller.name, {})[mapping.uuid] = poller
        else:
            _drop(self._by_function, _function_of(poller.mapping), mapping.uuid)
            poller.change(mapping)
        self._by_function.setdefault(_function_of(mapping), {})[mapping.uuid] = poller
        # What is there is not told: the first look finds it, and begins what was read before.
        poller.poke()

    def end(self, uuid: str) -> None:
        """Read no more for a mapping; see the contract."""
        poller = self._pollers.pop(uuid, None)
        if poller is None:
            return
        _drop(self._by_function, _function_of(poller.mapping), uuid)
        if not poller.mapping.is_elsewhere:
            _drop(self._by_queue, poller.name, uuid)
            if poller.name not in self._by_queue and (ringing := self._rings.pop(poller.name, None)) is not None:
                ringing[1].cancel()
        self._shared.budget.leave(poller)
        poller.stop()
        self._ended[uuid] = poller
        self._ended = {ended: one for ended, one in self._ended.items() if one.is_at_work}

    def _new_poller(self, mapping: EventSourceMapping) -> SqsPoller:
        name = queue_of_arn(mapping.source_arn)
        assert name is not None, "the API took it for a queue"
        queue: ReadQueue = HttpQueue(self._shared, name) if mapping.is_elsewhere else OwnQueue(self._shared, name)
        return SqsPoller(self._shared, mapping, name, queue)

    def counts(self) -> Mapping[str, Counts]:
        """Return, by UUID, the counts of mappings that ask for them."""
        return {uuid: poller.counts for uuid, poller in self._pollers.items() if poller.mapping.metrics}

    def pollers(self) -> Iterable[PollerView]:
        """Return what is read for now."""
        return [PollerView(poller.mapping, poller.counts, poller.in_flight) for poller in self._pollers.values()]

    async def stop(self) -> None:
        """End all; return when what was only read is given back."""
        for uuid in list(self._pollers):
            self.end(uuid)
        self._shared.end_waits()
        await self._shared.wait_given_back()

    async def close(self) -> None:
        """Leave what functions still work on to the next start: its messages come back in their time."""
        await self._shared.close()

    def _ring_in(self, queue: QueueName, delay_s: float) -> None:
        pollers = self._by_queue.get(queue)
        if pollers is None:
            return
        if delay_s <= _NOW_S:
            for poller in list(pollers.values()):
                poller.poke()
            return
        at = self._clock.monotonic() + delay_s
        if (ringing := self._rings.get(queue)) is not None:
            if ringing[0] <= at:
                return
            ringing[1].cancel()

        def ring() -> None:
            del self._rings[queue]
            self._ring_in(queue, 0)

        self._rings[queue] = at, self._clock.call_later(delay_s, ring)

    def _on_due(self, queue: QueueName, due_s: float) -> None:
        if queue in self._by_queue:
            self._ring_in(queue, due_s)

    def _on_function_change(self, change: FunctionChange) -> None:
        # It may have become able to run, or faster.
        for poller in list(self._by_function.get((change.scope, change.name), {}).values()):
            poller.note_function_change()


def _function_of(mapping: EventSourceMapping) -> tuple[Scope, FunctionName]:
    return mapping.scope, mapping.function_name


def _drop(index: dict[Any, dict[str, SqsPoller]], key: Any, uuid: str) -> None:
    found = index[key]
    del found[uuid]
    if not found:
        del index[key]
