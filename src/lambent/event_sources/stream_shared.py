"""What the pollers of all streams work with, and what those of one mapping share."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from lambent.clock import Clock
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.quotas import Quotas
from lambent.domain.record_filter import compile_filters
from lambent.domain.stream_mapping import PAYLOAD_KEYS
from lambent.domain.stream_position import ShardPosition
from lambent.errors.families import DependencyError
from lambent.event_sources.contract import Counts
from lambent.event_sources.mapped_function import MappedFunction
from lambent.event_sources.stream_reader import StreamReader
from lambent.store.contract import EventQueue, StreamPositions
from lambent.telemetry.lambda_metrics import LambdaMetrics

_log = logging.getLogger("lambent.event_sources")

HELD_MAX_BYTES = 128 << 20
"""What records of all streams take at once, read and not dealt with; beyond it nothing more is read until some are."""

_WRITE_DOWN_S = 0.5
"""For what is left to do at the end of a server, once no function works any more. Assumed: some commits."""

_STORE_AGAIN_S = 1.0
"""After a failure of the store."""

_TROUBLE_MAX = 500
"""Characters of what a source says is wrong that a mapping tells. Assumed."""

PROBLEM = "PROBLEM: "
CALL_FAILED = f"{PROBLEM}Function call failed"
"""Assumed: field reports."""

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Stopped(Exception):
    """A poller was told to stop: what it has begun and not dealt with is the next one's."""


class HeldBytes:
    """Counts what is held; those that find no room wait in line."""

    def __init__(self, most_bytes: int = HELD_MAX_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._line: deque[tuple[asyncio.Future[None], int]] = deque()

    @property
    def held(self) -> int:
        return self._held

    async def take(self, size_bytes: int) -> None:
        """Count bytes that are about to be read; wait while there are too many. Whoever waits first is first."""
        if not self._held or (not self._line and self._held + size_bytes <= self._most):
            self._held += size_bytes
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (turn, size_bytes)
        self._line.append(place)
        try:
            await turn
        except asyncio.CancelledError:
            if place in self._line:
                self._line.remove(place)
            else:
                self.add(-size_bytes)
            raise

    def add(self, size_bytes: int) -> None:
        """Count more, or less where it is negative: what was read was not what was expected."""
        self._held += size_bytes
        while self._line and self._held < self._most * 3 // 4:
            turn, expected = self._line.popleft()
            if not turn.done():
                # Counted with the turn, not when its task runs: others may be given theirs before.
                self._held += expected
                turn.set_result(None)


class StreamShared:
    """
    What the pollers of all streams work with.

    Args:
        events: takes the records of batches that were given up.
        batches_max: how many batches run at once.
        spawn: runs a task that somebody looks after.
        metrics: told how old what is run has become; None: nobody is.
    """

    def __init__(
        self,
        positions: StreamPositions,
        events: EventQueue,
        dispatcher: Dispatcher,
        quotas: Quotas,
        clock: Clock,
        *,
        batches_max: int,
        spawn: Spawn,
        metrics: LambdaMetrics | None = None,
    ) -> None:
        self.positions = positions
        self.metrics = metrics
        self.events = events
        self.dispatcher = dispatcher
        self.clock = clock
        self.payload_max_bytes = quotas.invoke_payload_max_bytes
        self.batches = asyncio.Semaphore(batches_max)
        self.held = HeldBytes()
        self._spawn = spawn
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run something that ends with the server at the latest."""
        task = self._spawn(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End all tasks. Those whose function has ended get the time to write that down."""
        if self._tasks:
            patience = asyncio.ensure_future(self.clock.sleep(_WRITE_DOWN_S))
            while self._tasks and not patience.done():
                await asyncio.wait({patience, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            patience.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


class Reading:
    """What the pollers of one mapping's shards share, from one `begin` to the next."""

    def __init__(self, shared: StreamShared, reader: StreamReader, mapping: EventSourceMapping, counts: Counts) -> None:
        assert mapping.stream is not None
        self.shared = shared
        self.reader = reader
        self.mapping = mapping
        self.settings = mapping.stream
        self.function = MappedFunction(shared.dispatcher, shared.clock, mapping)
        self.filter = compile_filters(mapping.filters, PAYLOAD_KEYS[mapping.service], is_json=True)
        self.counts = counts
        self.in_flight = 0
        """Batches that the function works on."""
        self.epoch = 0
        self.is_stopped = False
        self.is_replaced = False
        """Whether another poller has begun for the mapping, or it is gone."""
        self._waits: set[asyncio.Event] = set()
        self._role_arn = ""
        self._batch_result = ""
        self._trouble: dict[str, str] = {}
        """Shard to why it cannot be read; "" for the stream."""
        self._told: str | None = None

    def anew(self) -> "Reading":
        """Return one that has not been stopped, for the same mapping and under the same epoch."""
        other = Reading(self.shared, self.reader, self.mapping, self.counts)
        other.epoch, other._batch_result, other._told = self.epoch, self._batch_result, self._told
        return other

    def stop(self) -> None:
        """Begin nothing more."""
        self.is_stopped = True
        for wait in self._waits:
            wait.set()

    def poke(self) -> None:
        """End all waits: the function may be able to run."""
        for wait in self._waits:
            wait.set()

    async def wait(self, event: asyncio.Event, most_s: float) -> None:
        """
        Return when an event is set, or after so long; it is not set then.

        Raises:
            Stopped: there is nothing more to wait for.
        """
        if self.is_stopped:
            raise Stopped
        timer = self.shared.clock.call_later(most_s, event.set)
        self._waits.add(event)
        try:
            await event.wait()
        finally:
            timer.cancel()
            self._waits.discard(event)
            event.clear()
        if self.is_stopped:
            raise Stopped

    async def pause(self, seconds: float) -> None:
        """
        Wait for so long, or until somebody pokes.

        Raises:
            Stopped: there is nothing more to wait for.
        """
        await self.wait(asyncio.Event(), seconds)

    async def role_arn(self) -> str:
        """Return the role of the function, of the one before where it is gone."""
        try:
            version = await self.function.version()
        except DependencyError:
            version = None
        if version is not None:
            self._role_arn = version.configuration.role
        return self._role_arn

    async def save(self, positions: Sequence[ShardPosition], forget: Sequence[str] = ()) -> None:
        """
        Write positions down, however often the store fails.

        Raises:
            Stopped: another poller has begun for the mapping, or it is gone; or the store fails and the server stops.
        """
        while True:
            result = self._untold()
            mapping = self.mapping
            try:
                is_ours = await self.shared.positions.save(
                    mapping.scope, mapping.uuid, self.epoch, positions, forget=forget, result=result
                )
            except DependencyError as error:
                _log.error("mapping.not_saved uuid=%s reason=%s", mapping.uuid, error)
                await self.pause(_STORE_AGAIN_S)
                continue
            if not is_ours:
                self.is_replaced = True
                self.stop()
                raise Stopped
            if result is not None:
                self._told = result
            return

    async def note_batch(self, result: str) -> None:
        """Have the mapping tell what a batch came to, at once where nothing else is written soon."""
        self._batch_result = result
        if result != "OK" and self._untold() is not None:
            await self.save(())

    async def note_trouble(self, shard_id: str, reason: str | None) -> None:
        """Have the mapping tell why a shard cannot be read; None: it can."""
        if reason is None:
            if self._trouble.pop(shard_id, None) is None:
                return
        else:
            self._trouble[shard_id] = reason
        if self._untold() is not None:
            await self.save(())

    def _untold(self) -> str | None:
        trouble = next(iter(self._trouble.values()), None)
        result = self._batch_result if trouble is None else f"{PROBLEM}{_line_of(trouble)}"
        return None if result == (self._told or "") else result


def _line_of(text: str) -> str:
    """Return what a source says so that anybody can keep and show it."""
    shown = "".join(one if one.isprintable() else " " for one in text[:_TROUBLE_MAX])
    return shown if len(text) <= _TROUBLE_MAX else f"{shown}..."
