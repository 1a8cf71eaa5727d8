"""One batch of a shard, until all of it is dealt with: run, tried again, split, given up and told of."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from lambent.dispatch.async_event import OutgoingMessage, outgoing
from lambent.domain.arn import function_arn
from lambent.domain.destination import object_key, parse_target
from lambent.domain.function import FunctionVersion
from lambent.domain.invocation import InvocationOutcome
from lambent.domain.stream_position import Window
from lambent.errors.families import DependencyError
from lambent.event_sources.batch_response import failed_items
from lambent.event_sources.batching import payload_of_encoded
from lambent.event_sources.failed_batch import AGE_EXCEEDED, RETRIES_EXHAUSTED, failure_record
from lambent.event_sources.retrying import Piece, pause_after_refusals, step_after, too_old
from lambent.event_sources.shard_progress import Item
from lambent.event_sources.stream_shared import CALL_FAILED, Reading, Stopped
from lambent.event_sources.tumbling import STATE_MAX_BYTES, payload_in, state_of
from lambent.store.contract import QueueFull

_log = logging.getLogger("lambent.event_sources")

_LONG_S = 1.0
"""A pause before which a batch is let go: there is one more read for it."""

_TELL_AGAIN_S = 1.0
"""After the outbox took no record of a batch. Assumed."""

Done = Callable[[Sequence[Item]], Awaitable[None]]
"""Called with records, the next ones of their lane, once they are dealt with."""


class Frame(Protocol):
    """What the function gets beside records, and has to answer."""

    def payload(self, records: list[bytes]) -> bytes:
        """Return the event of some records."""
        ...

    def takes(self, payload: bytes) -> bool:
        """Take what the function answered; False where it has to fail."""
        ...


class Plain:
    """Records alone."""

    def payload(self, records: list[bytes]) -> bytes:
        return payload_of_encoded(records)

    def takes(self, payload: bytes) -> bool:
        return True


class InWindow:
    """Records in a tumbling window."""

    def __init__(
        self, window: Window, shard_id: str, source_arn: str, *, is_final: bool = False, is_early: bool = False
    ) -> None:
        self.window = window
        self._shard_id = shard_id
        self._source_arn = source_arn
        self._is_final = is_final
        self._is_early = is_early

    @property
    def is_overfull(self) -> bool:
        """Whether the state is more than a window may have."""
        return len(bytes(self.window.state)) > STATE_MAX_BYTES

    def payload(self, records: list[bytes]) -> bytes:
        return payload_in(
            self.window,
            records,
            self._shard_id,
            self._source_arn,
            is_final=self._is_final,
            is_early=self._is_early,
        )

    def takes(self, payload: bytes) -> bool:
        # Assumed: what the last call answers is nobody's any more (test_stream_batch).
        if self._is_final:
            return True
        state = state_of(payload)
        if state is None:
            return False
        self.window = msgspec.structs.replace(self.window, state=state)
        return True


class Holder(Protocol):
    """Who has read the records."""

    def let_go(self, items: Sequence[Item]) -> None:
        """Hold no more than the places of records that are going to wait for long."""
        ...

    async def fetch(self, items: Sequence[Item]) -> int:
        """
        Read records again of which only the places are kept.

        Return how many from the front the stream has no more.

        Raises:
            Stopped: the poller was told to stop, or the stream is gone.
        """
        ...


class BatchWork:
    """Deals with the batches of one shard."""

    def __init__(self, reading: Reading, shard_id: str, holder: Holder) -> None:
        self._reading = reading
        self._shard_id = shard_id
        self._holder = holder

    async def deal(self, items: Sequence[Item], frame: Frame, done: Done) -> None:
        """
        Return when all of a batch is dealt with, in one way or another.

        Args:
            items: in the order of the shard; none at all for the last call of a window.
            done: called with its records, part by part, from the front.

        Raises:
            Stopped: the poller was told to stop; what was not done is the next one's.
        """
        reading, settings = self._reading, self._reading.settings
        pieces = deque([Piece(0, len(items))])
        refusals = 0
        while pieces:
            if reading.is_stopped:
                raise Stopped
            piece = pieces.popleft()
            part = items[piece.first : piece.first + piece.count]
            old = too_old([one.record.arrived_at for one in part], reading.shared.clock.now(), settings.age_max_s)
            is_whole, may_run = all(one.encoded for one in part), True
            if not old and not is_whole:
                # Nothing is read for a function that is closed, maybe for days.
                may_run = await self._version() is not None
            if may_run and not is_whole:
                # Documented: without other limits a batch is tried until its records leave the stream. Assumed: they
                # are told of like those that are too old (test_stream_batch).
                old = max(old, await self._holder.fetch(part))
                # Whatever a source has lost in the middle: what stands before it is tried without it.
                whole = next(
                    (number for number, one in enumerate(part) if number >= old and not one.encoded), piece.count
                )
                if old < whole < piece.count:
                    pieces.appendleft(Piece(piece.first + whole, piece.count - whole, piece.attempts))
                    piece = Piece(piece.first, whole, piece.attempts)
                    part = part[:whole]
            if old:
                request_id = reading.shared.clock.new_id()
                await self._give_up(part[:old], frame, request_id, AGE_EXCEEDED, piece.attempts, None)
                await done(part[:old])
                if old < piece.count:
                    pieces.appendleft(Piece(piece.first + old, piece.count - old, piece.attempts))
                continue
            request_id = reading.shared.clock.new_id()
            outcome = await self._run(part, frame, request_id) if may_run else None
            if outcome is None:
                refusals += 1
                pieces.appendleft(piece)
                await reading.note_batch(CALL_FAILED)
                await self._pause(pause_after_refusals(refusals), items[piece.first :])
                continue
            refusals = 0
            failed_at = self._failed_at(part, frame, outcome)
            step = step_after(piece, failed_at, bisects=settings.bisects, retries_max=settings.retries_max)
            await reading.note_batch("OK" if failed_at is None else CALL_FAILED)
            if step.done:
                await done(part[: step.done])
            if step.given_up is not None:
                lost = items[step.given_up.first : step.given_up.first + step.given_up.count]
                await self._give_up(lost, frame, request_id, RETRIES_EXHAUSTED, step.given_up.attempts, outcome)
                await done(lost)
            pieces.extendleft(reversed(step.pieces))
            if step.pause_s:
                await self._pause(step.pause_s, items[pieces[0].first :])

    async def _pause(self, seconds: float, waiting: Sequence[Item]) -> None:
        if seconds >= _LONG_S:
            self._holder.let_go(waiting)
        await self._reading.pause(seconds)

    async def _run(self, part: Sequence[Item], frame: Frame, request_id: str) -> InvocationOutcome | None:
        """Run the function; None where it could not run now, which is not its fault."""
        reading = self._reading
        try:
            async with reading.shared.batches:
                if reading.is_stopped:
                    raise Stopped
                if (version := await self._version()) is None:
                    return None
                payload = frame.payload([one.encoded for one in part])
                if part:
                    self._note_age(part[-1].record.arrived_at)
                reading.in_flight += 1
                try:
                    outcome = await reading.function.run(version, payload, "", request_id)
                finally:
                    reading.in_flight -= 1
        except DependencyError as error:
            _log.warning("mapping.not_invoked uuid=%s reason=%s", reading.mapping.uuid, error)
            return None
        if not isinstance(outcome, InvocationOutcome):
            return None
        reading.counts.invoked += len(part)
        return outcome

    def _note_age(self, arrived_at: float) -> None:
        """Tell how old the last record of a batch is that is about to run."""
        reading, mapping = self._reading, self._reading.mapping
        age_s = max(reading.shared.clock.now() - arrived_at, 0.0)
        reading.counts.age_s = age_s
        if reading.shared.metrics is not None:
            reading.shared.metrics.batch_begins(mapping.scope, mapping.function_arn, age_s)

    async def _version(self) -> FunctionVersion | None:
        """Return what would run now; None where nothing can."""
        function = self._reading.function
        try:
            version = await function.version()
            return None if version is None or await function.is_closed() else version
        except DependencyError as error:
            _log.warning("mapping.not_invoked uuid=%s reason=%s", self._reading.mapping.uuid, error)
            return None

    def _failed_at(self, part: Sequence[Item], frame: Frame, outcome: InvocationOutcome) -> int | None:
        """Return the first record that failed, 0 where all did; None where none did."""
        if outcome.error is not None:
            return 0
        failed_at = None
        if self._reading.mapping.reports_failures and part:
            failed = failed_items(outcome.payload, {one.record.sequence for one in part})
            # Documented: the lowest sequence number that is reported is where the batch begins again.
            failed_at = next((number for number, one in enumerate(part) if one.record.sequence in failed), None)
        if failed_at != 0 and not frame.takes(outcome.payload):
            return 0
        return failed_at

    async def _give_up(
        self,
        items: Sequence[Item],
        frame: Frame,
        request_id: str,
        condition: str,
        invoke_count: int,
        outcome: InvocationOutcome | None,
    ) -> None:
        """Put the record of a batch that is not tried again into the outbox, where there is a place for it."""
        reading, mapping = self._reading, self._reading.mapping
        _log.warning(
            "mapping.given_up uuid=%s shard=%s records=%d condition=%s",
            mapping.uuid,
            self._shard_id,
            len(items),
            condition,
        )
        reading.counts.dropped += len(items)
        target = parse_target(reading.settings.on_failure)
        # The last call of a window has no records to tell of.
        if target is None or not items:
            return
        first, last = items[0].record, items[-1].record
        encoded = [one.encoded for one in items if one.encoded]
        now = reading.shared.clock.now()
        body = failure_record(
            request_id=request_id,
            function_arn=function_arn(mapping.scope, mapping.function_name),
            condition=condition,
            invoke_count=invoke_count,
            outcome=outcome,
            now=now,
            batch_info=reading.reader.batch_info(mapping, self._shard_id, first, last, len(items)),
            # Documented: Lambda developer guide: S3 gets the whole event, queues and topics only what is about it.
            payload=frame.payload(encoded) if target.is_bucket and len(encoded) == len(items) else None,
        )
        key = object_key(f"{mapping.uuid}/{self._shard_id}", now, request_id) if target.is_bucket else ""
        message = OutgoingMessage(
            trace_header="",
            function_arn=mapping.function_arn,
            object_key=key,
            mapping=mapping.uuid if mapping.metrics else "",
            records=len(items) if mapping.metrics else 0,
        )
        event = outgoing(mapping.scope, target.arn, request_id, body, message)
        while True:
            try:
                await reading.shared.events.put([event])
                return
            except (QueueFull, DependencyError) as error:
                _log.error("mapping.not_told uuid=%s reason=%s", mapping.uuid, error)
            await reading.pause(_TELL_AGAIN_S)
