"""What the pollers of all queues work with, and the tasks that they begin."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from lambent.clock import Clock
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.domain.quotas import Quotas
from lambent.event_sources.budget import Budget
from lambent.services.sqs.attributes import MESSAGE_MAX_BYTES
from lambent.services.sqs.elsewhere import QueuesElsewhere
from lambent.services.sqs.handles import Handles
from lambent.services.sqs.source_queues import SourceQueues
from lambent.store.contract import EventQueue, QueueName
from lambent.telemetry.lambda_metrics import LambdaMetrics
from lambent.telemetry.queue_metrics import QueueMetrics

_WRITE_DOWN_S = 0.5
"""For what is left to do at the end of a server, once no function works any more. Assumed: some commits."""

_GIVE_BACK_S = 5.0
"""How long a server that stops waits for another to take messages back. Assumed: one that answers is quicker."""

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Shared:
    """
    What the pollers of all mappings work with.

    Args:
        elsewhere: the queues of another server.
        handles: writes the receipt handles in records.
        batches_max: how many batches run at once.
        processors: of the machine: no use in running more of what keeps them busy.
        spawn: runs a task that somebody looks after.
        ring_in: has the pollers of a queue look in so many seconds, unless they do before anyway.
        of_functions, of_queues: told what pollers do; None: nobody is.
    """

    def __init__(
        self,
        events: EventQueue,
        queues: SourceQueues,
        elsewhere: QueuesElsewhere,
        handles: Handles,
        dispatcher: Dispatcher,
        quotas: Quotas,
        clock: Clock,
        *,
        batches_max: int,
        processors: int,
        spawn: Spawn,
        ring_in: Callable[[QueueName, float], None],
        of_functions: LambdaMetrics | None = None,
        of_queues: QueueMetrics | None = None,
    ) -> None:
        self.events = events
        self.of_functions = of_functions
        self.of_queues = of_queues
        self.queues = queues
        self.elsewhere = elsewhere
        self.handles = handles
        self.dispatcher = dispatcher
        self.clock = clock
        self.payload_max_bytes = quotas.invoke_payload_max_bytes
        self.processors = processors
        self.ring_in = ring_in
        self.budget = Budget(batches_max, MESSAGE_MAX_BYTES)
        self._starting: dict[tuple[Scope, FunctionName], int] = {}
        self._spawn = spawn
        self._tasks: set[asyncio.Task[None]] = set()
        self._giving_back: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[Any]] = set()

    def starting(self, scope: Scope, name: FunctionName) -> int:
        """Return how many batches of a function, of whichever mappings, are begun and not in its slots yet."""
        return self._starting.get((scope, name), 0)

    def note_starting(self, scope: Scope, name: FunctionName, more: int) -> None:
        """Count one more of these, or one less."""
        count = self._starting.pop((scope, name), 0) + more
        assert count >= 0
        if count:
            self._starting[scope, name] = count

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run something that ends with the server at the latest."""
        task = self._spawn(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def give_back(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that a server which stops is to wait for."""
        task = self.spawn(work)
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)

    async def wait_given_back(self) -> None:
        """Return when all that is being given back is; what takes too long has until `close`."""
        await self._wait_for(self._giving_back, _GIVE_BACK_S)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Have the current task be one that waits for another server's messages, and ends with `end_waits`."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            yield
        finally:
            self._waiting.discard(task)

    def end_waits(self) -> None:
        """Have nobody wait for messages any more."""
        for task in self._waiting:
            task.cancel()

    async def close(self) -> None:
        """End all tasks. Those whose function has ended get the time to write that down."""
        await self._wait_for(self._tasks, _WRITE_DOWN_S)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _wait_for(self, tasks: "set[asyncio.Task[None]]", patience_s: float) -> None:
        """Return when all of them have ended, which leave the set, or so many seconds have passed."""
        if not tasks:
            return
        patience = asyncio.ensure_future(self.clock.sleep(patience_s))
        while tasks and not patience.done():
            await asyncio.wait({patience, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        patience.cancel()
