"""
One mapping's reading of a queue: when it reads and how much, what it makes of that, and what follows a batch.

A mapping at rest is one small object, without a task and without a timer.

Documented: Lambda developer guide, using Lambda with Amazon SQS, for what is read, deleted and left.
"""

import logging
from collections import deque
from collections.abc import Sequence, Set

import msgspec

from lambent.clock import TimerHandle
from lambent.dispatch.async_room import AsyncRoom, share
from lambent.domain.event_source_mapping import INVOCATIONS_BY_POLLER, EventSourceMapping
from lambent.domain.invocation import InvocationOutcome
from lambent.domain.queue_message import unpack
from lambent.domain.record_filter import compile_filters
from lambent.errors.families import DependencyError
from lambent.event_sources.batch_response import failed_items
from lambent.event_sources.batching import Batch, Lease, Record, payload_of
from lambent.event_sources.contract import Counts
from lambent.event_sources.mapped_function import MappedFunction
from lambent.event_sources.sqs_record import record_of
from lambent.event_sources.sqs_shared import Shared
from lambent.services.sqs.attributes import MESSAGE_MAX_BYTES
from lambent.services.sqs.naming import is_fifo, queue_of_arn
from lambent.services.sqs.source_queues import NotAllowed
from lambent.store.contract import (
    CLAIMS_MAX,
    Claim,
    Done,
    Extend,
    Hold,
    Receipt,
)

_log = logging.getLogger("lambent.event_sources")

_LESS_AHEAD = 4
"""
By how much less is read ahead for a quick function than of its events, of which nobody counts the claims: the time in
which a message is hidden, and how often it was received, are its queue's to give.
"""

_LOOK_AGAIN_S = 0.05
"""Where other callers may hold what a function may have: nobody tells when they end. Assumed."""

_LOOK_AGAIN_MAX_S = 1.0
"""Between looks that found no room, doubled from one to the next. Also how soon a failure of the store is over."""

_NOT_ALLOWED_S = 30.0
"""Between looks at a queue of another account whose policy lets the role in no more."""

_encode = msgspec.json.Encoder().encode


class SqsPoller:
    """One mapping's reading."""

    __slots__ = (
        "_filter",
        "_function",
        "_has_due",
        "_is_fifo",
        "_is_pumping",
        "_is_stopped",
        "_look_at",
        "_look_timer",
        "_looks",
        "_message_bytes",
        "_misses",
        "_not_read_before",
        "_open",
        "_ready",
        "_room",
        "_shared",
        "_signals",
        "_window_timer",
        "counts",
        "mapping",
        "queue",
    )

    def __init__(self, shared: Shared, mapping: EventSourceMapping) -> None:
        queue = queue_of_arn(mapping.source_arn)
        assert queue is not None, "the API took it for a queue"
        self.queue = queue
        self.counts = Counts()
        self._shared = shared
        self._is_fifo = is_fifo(queue)
        self._room = AsyncRoom(shared.processors)
        self._ready: deque[list[Batch]] = deque()
        """Read, and not begun, or refused. Batches of one item follow each other: what of a group came in one read is
        kept in order."""
        self._open: Batch | None = None
        """What a window gathers."""
        self._window_timer: TimerHandle | None = None
        self._look_timer: TimerHandle | None = None
        self._look_at = 0.0
        self._looks = 0
        self._misses = 0
        """Looks in a row that found no room."""
        self._message_bytes = MESSAGE_MAX_BYTES
        """What a message may take, as far as is known."""
        self._has_due = False
        """Whether there may be something to read now."""
        self._signals = 0
        """How often something became claimable: whoever was reading meanwhile looks again."""
        self._not_read_before = 0.0
        """After a failure nothing is read for a while, whatever comes in."""
        self._is_pumping = False
        self._is_stopped = False
        self._follow(mapping)

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    @property
    def is_at_work(self) -> bool:
        """Whether a batch is with the function."""
        return self._room.running > 0

    def _follow(self, mapping: EventSourceMapping) -> None:
        self.mapping = mapping
        self._function = MappedFunction(self._shared.dispatcher, self._shared.clock, mapping)
        self._filter = compile_filters(mapping.filters, "body")
        self._not_read_before = 0.0

    def change(self, mapping: EventSourceMapping) -> None:
        """
        Go on under new settings.

        What was read and not begun is begun, unless others are to have it now or other filters to judge it: to give it
        back would count as a receive that nobody saw.
        """
        if not _are_for_the_same(mapping, self.mapping):
            self._drop_unbegun()
        elif self._open is not None:
            self._ready.append([self._close()])
        self._follow(mapping)

    def stop(self) -> None:
        """Read no more, and give back what was not begun."""
        self._is_stopped = True
        self._drop_unbegun()
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None

    def resume(self, mapping: EventSourceMapping) -> None:
        """Read again after `stop`, under settings that may be others."""
        self._is_stopped = False
        self._follow(mapping)

    def _drop_unbegun(self) -> None:
        if self._open is not None:
            self._ready.append([self._close()])
        unbegun = [batch for batches in self._ready for batch in batches]
        self._ready.clear()
        self._drop_batches(unbegun, [record.receipt for batch in unbegun for record in batch.records])

    def _drop_batches(self, batches: Sequence[Batch], give_back: Sequence[Receipt]) -> None:
        if give_back:
            self._shared.give_back(self._give_back(give_back))
        if batches:
            self._shared.budget.release(sum(batch.payload_bytes for batch in batches))

    def _drop_late(self, now: float) -> None:
        """Drop what could not end any more before others may read it."""
        late = [batches for batches in self._ready if batches[0].lease.begin_by <= now]
        if not late:
            return
        self._ready = deque(batches for batches in self._ready if batches[0].lease.begin_by > now)
        dropped = [batch for batches in late for batch in batches]
        self.counts.failed_invoke += sum(len(batch.records) for batch in dropped)
        # As on AWS the messages of a batch that was refused stay hidden until their time is over.
        untried = [record.receipt for batch in dropped if not batch.is_tried for record in batch.records]
        self._drop_batches(dropped, untried)

    # When to read -------------------------------------------------------------------------------------------------

    def poke(self) -> None:
        """Look: something can be claimed, or may be."""
        self._has_due = True
        self._signals += 1
        self.look()

    def note_function_change(self) -> None:
        """Look: the function may have become able to run, or faster; or it cannot run any more."""
        self._not_read_before = 0.0
        # Whoever is reading meanwhile looks at it again.
        self._signals += 1
        if self._ready or self._open is not None:
            self._has_due = True
        self.look()

    def look(self) -> bool:
        """
        Read if there may be something, and begin what was read: there may be room where there was none.

        Return whether nothing was begun by that, and something may be once it is read.
        """
        if self._is_stopped:
            return False
        self._looks += 1
        began = self._begin_ready()
        if self._has_due and not self._is_pumping:
            if (pause_s := self._not_read_before - self._shared.clock.monotonic()) > 0:
                self._look_again(pause_s)
            else:
                self._is_pumping = True
                self._shared.spawn(self._pump())
        return self._is_pumping and not began

    def _look_again(self, delay_s: float) -> None:
        at = self._shared.clock.monotonic() + delay_s
        if self._look_timer is not None:
            if self._look_at <= at:
                return
            self._look_timer.cancel()
        self._look_at = at
        self._look_timer = self._shared.clock.call_later(delay_s, self._on_look_timer)

    def _on_look_timer(self) -> None:
        self._look_timer = None
        self.look()

    async def _pump(self) -> None:
        """Read until there is nothing more, or no room for it."""
        try:
            while self._has_due and not self._is_stopped:
                looks = self._looks
                if not await self._read_some() and looks == self._looks:
                    # A change of the function, the end of a batch, a message or a timer has us look again.
                    return
        except NotAllowed as denied:
            _log.warning("mapping.denied uuid=%s action=%s", self.mapping.uuid, denied)
            self._pause(_NOT_ALLOWED_S)
        except DependencyError as error:
            _log.warning("mapping.not_read uuid=%s reason=%s", self.mapping.uuid, error)
            self._pause(_LOOK_AGAIN_MAX_S)
        except Exception:
            # Whatever it is, it is not to be the end of the mapping.
            _log.exception("mapping.not_read uuid=%s", self.mapping.uuid)
            self._pause(_LOOK_AGAIN_MAX_S)
        finally:
            self._is_pumping = False
            self._shared.budget.end_turn(self)

    def _pause(self, delay_s: float) -> None:
        """Read nothing for a while."""
        self._not_read_before = self._shared.clock.monotonic() + delay_s
        self._look_again(delay_s)

    async def _read_some(self) -> bool:
        """Read as many messages as there is room for; say whether there is any."""
        mapping, function = self.mapping, self._function
        version = await function.version()
        if version is None or await function.is_closed():
            # A change of the function has us look again.
            if mapping is self.mapping:
                self._drop_unbegun()
            return False
        if (wanted := await self._wanted()) <= 0:
            return False
        configuration = version.configuration
        queue = await self._shared.queues.find(mapping.source_arn, mapping.scope, configuration.role)
        if queue is None:
            # It was deleted. The first message of one that is made anew is told.
            return False
        if mapping is not self.mapping or self._is_stopped:
            return True
        now = self._shared.clock.monotonic()
        lease = Lease.of(now, queue.visibility_s, mapping.window_s, configuration.timeout_s)
        await self._read(mapping, wanted, lease, lease.expires_at - now)
        return True

    async def _read(self, mapping: EventSourceMapping, wanted: int, lease: Lease, lease_s: float) -> None:
        shared, signals = self._shared, self._signals
        # Until it is known what they take. The first may be as long as any.
        reserved = max(wanted * self._message_bytes, MESSAGE_MAX_BYTES)
        shared.budget.hold(reserved)
        try:
            claimed = await shared.events.claim({self.queue: wanted}, lease_s, bytes_max=reserved)
            if self._is_stopped or mapping is not self.mapping:
                # It was read for settings that hold no more.
                await self._give_back([claim.receipt for claim in claimed.claims])
                return
            self._take(claimed.claims, lease)
        finally:
            shared.budget.release(reserved)
        if len(claimed.claims) < wanted:
            # It has given all that it can give, unless more came meanwhile.
            self._has_due = signals != self._signals
            if (next_s := claimed.next_due_s.get(self.queue)) is not None:
                shared.ring_in(self.queue, next_s)
        self._begin_ready()

    async def _wanted(self) -> int:
        """Return how many messages to read now."""
        budget, now = self._shared.budget, self._shared.clock.monotonic()
        left = budget.left_bytes // self._message_bytes
        if budget.is_full_for(self):
            budget.stand_in_line(self)
            return 0
        if budget.left_bytes < MESSAGE_MAX_BYTES:
            # Who holds some waits for itself: what it has read is begun first.
            if not self._ready:
                budget.stand_in_line(self)
            return 0
        # The window's batch waits to be filled, not to be begun.
        filled = 0 if self._open is None else len(self._open.records)
        free = max(await self._function.room() - self._starting(), 0)
        most = self._most(now)
        batches = min(most - self._room.running, free)
        if (ahead := self._room.ahead(now)) and (free or self._room.running):
            batches += ahead // _LESS_AHEAD
        batches -= len(self._ready)
        if batches <= 0:
            self._wait_for_room(is_free=free > 0, most=most)
            return 0
        self._misses = 0
        # Of a FIFO queue one batch at a time: of a group that fails no more is to have been read than what was tried.
        batches = 1 if self._is_fifo else batches
        return min(batches * self.mapping.batch_size - filled, CLAIMS_MAX, left)

    def _starting(self) -> int:
        """Return how many batches are begun, and not counted in the function's slots yet."""
        return self._shared.starting(self.mapping.scope, self.mapping.function_name)

    def _wait_for_room(self, *, is_free: bool, most: int) -> None:
        """Look again when there may be room, where no batch's end tells."""
        if not is_free:
            self._look_again(min(_LOOK_AGAIN_S * 2 ** min(self._misses, 10), _LOOK_AGAIN_MAX_S))
            self._misses += 1
        elif most < self._cap():
            # How many may run grows with time, and when others' batches end.
            self._look_again(_LOOK_AGAIN_MAX_S)

    def _most(self, now: float) -> int:
        """Return how many batches may run at once, apart from the function's slots."""
        most = self._room.most(now)
        if self.mapping.provisioned is not None:
            most = max(most, INVOCATIONS_BY_POLLER * self.mapping.provisioned.minimum)
        return min(most, self._cap(), share(self._shared.budget.left_by_others(self._room.running)))

    def _cap(self) -> int:
        """Return how many may at the most, whatever was learnt and others leave."""
        mapping, cap = self.mapping, self._shared.budget.batches_max
        if mapping.concurrency_max is not None:
            cap = min(cap, mapping.concurrency_max)
        if mapping.provisioned is not None:
            cap = min(cap, INVOCATIONS_BY_POLLER * mapping.provisioned.maximum)
        return cap

    # What was read ------------------------------------------------------------------------------------------------

    def _take(self, claims: Sequence[Claim], lease: Lease) -> None:
        """Make batches of what was read, and drop what filters let not through."""
        closed: list[Batch] = []
        self.counts.polled += len(claims)
        records, dropped = self._records(claims, lease)
        for record in records:
            if self._open is not None and not self._open.takes(record):
                closed.append(self._close())
            if self._open is None:
                self._open = Batch(self.mapping.batch_size, self._shared.payload_max_bytes)
                self._shared.budget.hold(self._open.payload_bytes)
                if self.mapping.window_s:
                    self._window_timer = self._shared.clock.call_later(self.mapping.window_s, self._on_window)
            before = self._open.payload_bytes
            self._open.add(record)
            self._shared.budget.hold(self._open.payload_bytes - before)
            if self._open.is_full:
                closed.append(self._close())
        if self._open is not None and not self.mapping.window_s:
            closed.append(self._close())
        if claims:
            average = sum(len(claim.body) for claim in claims) // len(claims)
            self._message_bytes = min(max(2 * average, self._message_bytes // 4, 1024), MESSAGE_MAX_BYTES)
        # What is too long for one payload may hold a group of a FIFO queue in two: the second is to follow the first.
        self._ready.extend([closed] if self._is_fifo and closed else [[batch] for batch in closed])
        if dropped:
            self.counts.filtered_out += len(dropped)
            self._shared.spawn(self._drop(dropped, lease.expires_at))

    def _records(self, claims: Sequence[Claim], lease: Lease) -> tuple[list[Record], list[Receipt]]:
        """Return messages as records, and those that the filters drop."""
        at_ms = int(self._shared.clock.now() * 1000)
        records: list[Record] = []
        dropped: list[Receipt] = []
        left: set[str] = set()
        for claim in claims:
            if claim.group in left:
                continue
            try:
                record = self._record(claim, at_ms, lease)
            except Exception:
                # One that nobody understands keeps no other from its function: it comes back when its time is over, and
                # ends where the queue's redrive policy has it end. What follows it in its group comes back with it.
                _log.exception("mapping.not_understood uuid=%s message=%s", self.mapping.uuid, claim.id)
                if claim.group is not None:
                    left.add(claim.group)
                continue
            if record is None:
                dropped.append(claim.receipt)
            else:
                records.append(record)
        return records, dropped

    def _record(self, claim: Claim, at_ms: int, lease: Lease) -> Record | None:
        """Return a message as a record, None where the filters drop it."""
        message = unpack(claim.body, claim.attributes)
        record = record_of(claim, message, self._shared.handles.write(claim.receipt, at_ms))
        if not self._filter.lets_through(record, message.body):
            return None
        header = message.trace_header
        passes = self._function.passes(header)
        return Record(claim.id, claim.receipt, _encode(record), lease, claim.group, header, passes)

    def _close(self) -> Batch:
        batch, self._open = self._open, None
        assert batch is not None
        if self._window_timer is not None:
            self._window_timer.cancel()
            self._window_timer = None
        return batch

    def _on_window(self) -> None:
        self._window_timer = None
        if self._open is not None:
            self._ready.append([self._close()])
            self._begin_ready()

    def _begin_ready(self) -> bool:
        """Begin what was read, as far as there is room; say whether anything was begun."""
        shared, began = self._shared, False
        now = shared.clock.monotonic()
        self._drop_late(now)
        while not self._is_stopped and (batches := self._next_ready(now)) is not None:
            if shared.budget.is_full_for(self):
                shared.budget.stand_in_line(self)
                break
            most = self._most(now)
            if self._room.running >= most:
                self._wait_for_room(is_free=True, most=most)
                break
            if self._function.room_nowait() <= self._starting():
                self._wait_for_room(is_free=False, most=most)
                break
            self._ready.remove(batches)
            self._room.begin(now)
            shared.budget.begin(self)
            shared.spawn(self._work(batches, _Work(shared, self.mapping, self._function)))
            began = True
        if self._ready and not self._is_stopped:
            # When the pause after a refusal is over, or it is too late for one of them: nobody tells of that.
            heads = [batches[0] for batches in self._ready]
            self._look_again(min(at for one in heads for at in (one.not_before, one.lease.begin_by) if at > now) - now)
        return began

    def _next_ready(self, now: float) -> list[Batch] | None:
        """Return what is to be begun next: what was read first, unless it was refused just now."""
        return next((batches for batches in self._ready if batches[0].not_before <= now), None)

    # One batch, or a few in turn ----------------------------------------------------------------------------------

    async def _work(self, batches: list[Batch], work: "_Work") -> None:
        shared = self._shared
        began, took_s, is_cold = shared.clock.monotonic(), None, False
        result, expires_at = _Result(), batches[0].lease.expires_at
        left: list[Batch] = []
        try:
            for number, batch in enumerate(batches):
                await self._settle(result, expires_at)
                if not result.is_clean:
                    # What of its groups the one before left is to come first.
                    later = [record for one in batches[number:] for record in one.records]
                    result = _Result(give_back=later)
                    break
                result, expires_at = await self._invoke(batch, work), batch.lease.expires_at
                if result.is_refused:
                    left = batches[number:]
                    break
            if result.has_run:
                took_s, is_cold = shared.clock.monotonic() - began, result.is_cold
        finally:
            work.begun()
            self._room.end(took_s, shared.clock.monotonic(), is_cold=is_cold)
            shared.budget.end()
            if left and (self._is_stopped or not _are_for_the_same(work.mapping, self.mapping)):
                result = _Result(give_back=[record for one in left for record in one.records])
                left = []
            elif left:
                # Not at work any more: what it had may be another mapping's while it waits.
                self._ready.appendleft(left)
            try:
                self._after_end()
            finally:
                shared.budget.release(sum(one.payload_bytes for one in batches if one not in left))
        await self._settle(result, expires_at)
        self.look()

    def _after_end(self) -> None:
        """Go on where a batch of ours has ended."""
        if self._shared.budget.has_line and not self._is_stopped:
            self._shared.budget.stand_in_line(self)
        elif self._is_fifo:
            # Its group has nothing more to give before the deletion.
            self._begin_ready()
        else:
            # Now, and not after the deletion: an environment that falls idle is frozen, and the next claim shares the
            # commit.
            self.look()

    async def _invoke(self, batch: Batch, work: "_Work") -> "_Result":
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
                _log.warning("mapping.recursion uuid=%s messages=%d", work.mapping.uuid, stay)
                self.counts.failed_invoke += stay
        if not records:
            return _Result(is_clean=False)
        if shared.clock.monotonic() >= batch.lease.begin_by:
            self.counts.failed_invoke += len(records)
            return _Result(give_back=() if batch.is_tried else records, is_clean=False)
        delay_s = _LOOK_AGAIN_MAX_S
        try:
            version = await function.version()
            if version is None:
                return _Result(give_back=records, is_clean=False)
            payload = payload_of(records)
            trace_header = max(records, key=lambda one: one.passes).trace_header
            work.begun()
            outcome = await function.run(version, payload, trace_header)
        except DependencyError as error:
            _log.warning("mapping.not_invoked uuid=%s reason=%s", work.mapping.uuid, error)
        else:
            if isinstance(outcome, InvocationOutcome):
                self.counts.invoked += len(records)
                return _judge(
                    records, outcome, reports=work.mapping.reports_failures, is_clean=len(records) == len(batch.records)
                )
            if outcome.is_throttled:
                delay_s = self._room.throttle(shared.clock.monotonic())
        # As on AWS the messages stay hidden meanwhile: a refusal costs no receive until their time is over.
        batch.is_tried = True
        batch.not_before = shared.clock.monotonic() + delay_s
        return _Result(is_clean=False, is_refused=True)

    async def _settle(self, result: "_Result", expires_at: float) -> None:
        """Write down what came of a batch."""
        if result.done:
            deleted = await self._delete([record.receipt for record in result.done], expires_at)
            self.counts.deleted += deleted
        await self._give_back([record.receipt for record in result.give_back])

    async def _delete(self, receipts: Sequence[Receipt], expires_at: float) -> int:
        """Delete messages that are dealt with. Where the store fails this tries on, until they may be read again."""
        shared = self._shared
        # Also what was read again since: it was dealt with. Of a FIFO queue that would break the order of its group.
        hold = Hold.CURRENT if self._is_fifo else Hold.ANY
        while True:
            try:
                await shared.events.settle([Done(receipt, hold=hold) for receipt in receipts])
                return len(receipts)
            except DependencyError as error:
                _log.error("mapping.not_deleted uuid=%s reason=%s", self.mapping.uuid, error)
                if shared.clock.monotonic() >= expires_at:
                    return 0
            await shared.clock.sleep(_LOOK_AGAIN_MAX_S)

    async def _drop(self, receipts: Sequence[Receipt], expires_at: float) -> None:
        await self._delete(receipts, expires_at)

    async def _give_back(self, receipts: Sequence[Receipt]) -> None:
        """Let others read messages that were read and not worked on."""
        if not receipts:
            return
        try:
            await self._shared.events.settle([Extend(receipt, 0) for receipt in receipts])
        except DependencyError as error:
            # They come back when their time is over.
            _log.warning("mapping.not_given_back uuid=%s reason=%s", self.mapping.uuid, error)


class _Result(msgspec.Struct, frozen=True):
    """What came of one batch."""

    done: Sequence[Record] = ()
    give_back: Sequence[Record] = ()
    has_run: bool = False
    is_cold: bool = False
    is_clean: bool = True
    """Whether no message of it stays."""
    is_refused: bool = False
    """The function did not run, and the batch is to be tried again."""


class _Work:
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


def _are_for_the_same(one: EventSourceMapping, other: EventSourceMapping) -> bool:
    """Say whether what was read for one mapping may be begun for the other."""
    return (one.function_arn, one.filters) == (other.function_arn, other.filters)


def _judge(records: Sequence[Record], outcome: InvocationOutcome, *, reports: bool, is_clean: bool) -> _Result:
    """Say what is to be deleted after a run. What failed stays hidden until its time is over, and is read again."""
    if outcome.error is not None:
        return _Result(has_run=True, is_cold=outcome.is_cold, is_clean=False)
    failed: Set[str] = frozenset()
    if reports:
        failed = failed_items(outcome.payload, {record.id for record in records})
    done = [record for record in records if record.id not in failed]
    return _Result(done=done, has_run=True, is_cold=outcome.is_cold, is_clean=is_clean and not failed)
