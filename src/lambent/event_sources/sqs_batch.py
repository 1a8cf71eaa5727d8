"""One batch: its run, what it says of its messages, and what is deleted or given back."""

import logging
from collections.abc import Sequence, Set
from typing import Any

import msgspec

from lambent.dispatch.async_room import AsyncRoom
from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.invocation import InvocationOutcome
from lambent.errors.families import DependencyError
from lambent.event_sources.batch_response import failed_items
from lambent.event_sources.batching import Batch, Record, payload_of
from lambent.event_sources.contract import Counts
from lambent.event_sources.mapped_function import MappedFunction
from lambent.event_sources.sqs_queue import ReadQueue
from lambent.event_sources.sqs_shared import Shared

_log = logging.getLogger("lambent.event_sources")

_AGAIN_S = 1.0
"""After a refusal or a failure. Assumed."""


class Result(msgspec.Struct, frozen=True):
    """What came of one batch."""

    done: Sequence[Record] = ()
    give_back: Sequence[Record] = ()
    has_run: bool = False
    is_cold: bool = False
    is_clean: bool = True
    """Whether no message of it stays."""
    is_refused: bool = False
    """The function did not run, and the batch is to be tried again."""


class Work:
    """What a task works by, whatever becomes of the mapping meanwhile. It counts as starting until `begun`."""

    __slots__ = ("_is_starting", "_shared", "function", "mapping")

    def __init__(self, shared: Shared, mapping: EventSourceMapping, function: MappedFunction) -> None:
        self._shared = shared
        self.mapping = mapping
        self.function = function
        self._is_starting = True
        shared.note_starting(mapping.scope, mapping.function_name, 1)

    def begun(self) -> None:
        """Count as starting no more; it may be called again."""
        if self._is_starting:
            self._is_starting = False
            self._shared.note_starting(self.mapping.scope, self.mapping.function_name, -1)


class Runs:
    """
    Runs the batches of one mapping, and writes down what came of them.

    Args:
        uuid: of the mapping.
        room: learns of refusals.
    """

    __slots__ = ("_counts", "_queue", "_room", "_shared", "_uuid")

    def __init__(self, shared: Shared, queue: ReadQueue, uuid: str, counts: Counts, room: AsyncRoom) -> None:
        self._shared = shared
        self._queue = queue
        self._uuid = uuid
        self._counts = counts
        self._room = room

    async def invoke(self, batch: Batch, work: Work) -> Result:
        """Run the function with a batch, if it can run now, and would end before others may read the messages again."""
        shared, function = self._shared, work.function
        records = batch.records
        looping = [one for one in records if one.passes > 1 and not await function.may_run(one.passes)]
        if looping:
            # They stay, and end where the queue's redrive policy has them end; what follows them in a group stays, too.
            kept, groups = {one.id for one in looping}, {one.group for one in looping if one.group is not None}
            records = [one for one in records if one.id not in kept and one.group not in groups]
            if not batch.is_tried:
                stay = len(batch.records) - len(records)
                _log.warning("mapping.recursion uuid=%s messages=%d", self._uuid, stay)
                self._counts.failed_invoke += stay
                if shared.of_functions is not None:
                    mapping = work.mapping
                    shared.of_functions.chain_ended(mapping.scope, mapping.function_name, mapping.qualifier)
        if not records:
            return Result(is_clean=False)
        if shared.clock.monotonic() >= batch.lease.begin_by:
            self._counts.failed_invoke += len(records)
            return Result(give_back=() if batch.is_tried else records, is_clean=False)
        delay_s = _AGAIN_S
        try:
            version = await function.version()
            if version is None:
                return Result(give_back=records, is_clean=False)
            payload = payload_of(records)
            trace_header = max(records, key=lambda one: one.passes).trace_header
            work.begun()
            producers = [one.trace_header for one in records if one.trace_header]
            outcome = await function.run(version, payload, trace_header, producers=producers)
        except DependencyError as error:
            _log.warning("mapping.not_invoked uuid=%s reason=%s", self._uuid, error)
        else:
            if isinstance(outcome, InvocationOutcome):
                self._counts.invoked += len(records)
                return _judge(
                    records, outcome, reports=work.mapping.reports_failures, is_clean=len(records) == len(batch.records)
                )
            if outcome.is_throttled:
                delay_s = self._room.throttle(shared.clock.monotonic())
        # As on AWS the messages stay hidden meanwhile: a refusal costs no receive until their time is over.
        batch.is_tried = True
        batch.not_before = shared.clock.monotonic() + delay_s
        return Result(is_clean=False, is_refused=True)

    async def settle(self, result: Result, expires_at: float) -> None:
        """Write down what came of a batch."""
        if result.done:
            deleted = await self.delete([record.receipt for record in result.done], expires_at)
            self._counts.deleted += deleted
        await self.give_back([record.receipt for record in result.give_back])

    async def drop(self, receipts: Sequence[Any], expires_at: float) -> None:
        """Delete what filters let not through."""
        await self.delete(receipts, expires_at)

    async def delete(self, receipts: Sequence[Any], expires_at: float) -> int:
        """Delete messages that are dealt with. Where that fails this tries on, until they may be read again."""
        shared, tries = self._shared, 0
        while True:
            try:
                await self._queue.delete(receipts)
                return len(receipts)
            except DependencyError as error:
                _log.error("mapping.not_deleted uuid=%s reason=%s", self._uuid, error)
                if shared.clock.monotonic() >= expires_at:
                    return 0
            await shared.clock.sleep(min(_AGAIN_S * 2 ** min(tries, 10), self._queue.pause_max_s))
            tries += 1

    async def give_back(self, receipts: Sequence[Any]) -> None:
        """Let others read messages that were read and not worked on."""
        if not receipts:
            return
        try:
            await self._queue.give_back(receipts)
        except DependencyError as error:
            # They come back when their time is over.
            _log.warning("mapping.not_given_back uuid=%s reason=%s", self._uuid, error)


def _judge(records: Sequence[Record], outcome: InvocationOutcome, *, reports: bool, is_clean: bool) -> Result:
    """Say what is to be deleted after a run. What failed stays hidden until its time is over, and is read again."""
    if outcome.error is not None:
        return Result(has_run=True, is_cold=outcome.is_cold, is_clean=False)
    failed: Set[str] = frozenset()
    if reports:
        failed = failed_items(outcome.payload, {record.id for record in records})
    done = [record for record in records if record.id not in failed]
    return Result(done=done, has_run=True, is_cold=outcome.is_cold, is_clean=is_clean and not failed)
