"""
One mapping's reading of a queue: when it reads and how much, what it makes of that, and what follows a batch.

A mapping at rest is one small object, without a task and without a timer; one whose queue tells nothing is a task that
waits at the queue's server.

Documented: Lambda developer guide, using Lambda with Amazon SQS, for what is read, deleted and left.
"""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from lambent.clock import TimerHandle
from lambent.dispatch.async_room import AsyncRoom, share
from lambent.domain.event_source_mapping import INVOCATIONS_BY_POLLER, EventSourceMapping
from lambent.domain.record_filter import compile_filters
from lambent.errors.families import DependencyError
from lambent.event_sources.batching import FRAME_BYTES, Batch, Lease, Record
from lambent.event_sources.contract import Counts
from lambent.event_sources.mapped_function import MappedFunction
from lambent.event_sources.sqs_batch import Result, Runs, Work
from lambent.event_sources.sqs_queue import ReadQueue, Received
from lambent.event_sources.sqs_shared import Shared
from lambent.event_sources.sqs_unbegun import Unbegun
from lambent.services.sqs.attributes import MESSAGE_MAX_BYTES
from lambent.services.sqs.naming import is_fifo
from lambent.services.sqs.source_queues import NotAllowed
from lambent.store.contract import CLAIMS_MAX, QueueName

_log = logging.getLogger("lambent.event_sources")

_LESS_AHEAD = 4
"""
By how much less is read ahead for a quick function than of its events, of which nobody counts the claims: the time in
which a message is hidden, and how often it was received, are its queue's to give.
"""

_LOOK_AGAIN_S = 0.05
"""Where other callers may hold what a function may have: nobody tells when they end. Assumed."""

_LOOK_AGAIN_MAX_S = 1.0
"""Between looks that found no room, doubled from one to the next. Also how soon a failure may be over."""

_NOT_THERE_S = 10.0
"""Between looks at a queue that is not there, and of which nobody tells when it is made. Assumed."""

_NOT_ALLOWED_S = 30.0
"""Between looks at a queue that may not be read any more."""

_encode = msgspec.json.Encoder().encode


class SqsPoller:
    """
    One mapping's reading.

    Args:
        name: of the queue.
        queue: the queue itself, wherever it is.
    """

    __slots__ = (
        "_failures",
        "_filter",
        "_function",
        "_has_due",
        "_is_fifo",
        "_is_pumping",
        "_is_stopped",
        "_is_waiting",
        "_look_at",
        "_look_timer",
        "_looks",
        "_message_bytes",
        "_misses",
        "_not_read_before",
        "_queue",
        "_room",
        "_runs",
        "_shared",
        "_signals",
        "_told",
        "_unbegun",
        "counts",
        "mapping",
        "name",
    )

    def __init__(self, shared: Shared, mapping: EventSourceMapping, name: QueueName, queue: ReadQueue) -> None:
        self.name = name
        self.counts = Counts()
        self._shared = shared
        self._queue = queue
        self._is_fifo = is_fifo(name)
        self._room = AsyncRoom(shared.processors)
        self._unbegun = Unbegun(shared, is_fifo=self._is_fifo, on_window=self._begin_ready)
        self._runs = Runs(shared, queue, mapping.uuid, self.counts, self._room)
        self._look_timer: TimerHandle | None = None
        self._look_at = 0.0
        self._looks = 0
        self._misses = 0
        """Looks in a row that found no room."""
        self._failures = 0
        """Reads in a row that failed."""
        self._told = ""
        """Why the last of these did that were logged."""
        self._message_bytes = MESSAGE_MAX_BYTES
        """What a message may take, as far as is known."""
        self._has_due = False
        """Whether there may be something to read now."""
        self._signals = 0
        """How often something became claimable: whoever was reading meanwhile looks again."""
        self._not_read_before = 0.0
        """After a failure nothing is read for a while, whatever comes in."""
        self._is_pumping = False
        self._is_waiting = False
        """Whether it waits for messages of a queue that does not tell of them."""
        self._is_stopped = False
        self._follow(mapping)

    @property
    def has_ready(self) -> bool:
        return bool(self._unbegun)

    @property
    def in_flight(self) -> int:
        """How many batches are with the function."""
        return self._room.running

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
        else:
            self._unbegun.close()
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
        self._give_back_later(self._unbegun.drop_all())

    def _give_back_later(self, receipts: Sequence[Any]) -> None:
        if receipts:
            self._shared.give_back(self._runs.give_back(receipts))

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
        if self._unbegun or self._unbegun.gathered:
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
        # Who waits for messages keeps no other waiting for its turn.
        return self._is_pumping and not self._is_waiting and not began

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
            self._tell_failure(str(error))
            self._pause_longer()
        except Exception:
            # Whatever it is, it is not to be the end of the mapping.
            _log.exception("mapping.not_read uuid=%s", self.mapping.uuid)
            self._pause_longer()
        finally:
            self._is_pumping = self._is_waiting = False
            self._shared.budget.end_turn(self)

    def _tell_failure(self, reason: str) -> None:
        """Log why nothing was read: at once where that is new, and less and less often while it stays."""
        count = self._failures + 1
        if self._queue.tells or reason != self._told or count & (count - 1) == 0:
            _log.warning("mapping.not_read uuid=%s failures=%d reason=%s", self.mapping.uuid, count, reason)
            self._told = reason

    def _pause_longer(self) -> None:
        """Read nothing for a while, longer after each failure that follows another."""
        self._pause(min(_LOOK_AGAIN_MAX_S * 2 ** min(self._failures, 10), self._queue.pause_max_s))
        self._failures += 1

    def _pause(self, delay_s: float) -> None:
        """Read nothing for a while."""
        if self._is_stopped:
            return
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
        visibility_s = await self._queue.visibility_s(mapping, configuration.role)
        if visibility_s is None:
            # It was deleted. The first message of one that is made anew is told, if anything is.
            if not self._queue.tells:
                self._pause(_NOT_THERE_S)
            return False
        if mapping is not self.mapping or self._is_stopped:
            return True
        now = self._shared.clock.monotonic()
        lease_s = Lease.of(now, visibility_s, mapping.window_s, configuration.timeout_s).expires_at - now
        await self._read(mapping, wanted, lease_s, configuration.timeout_s)
        return True

    async def _read(self, mapping: EventSourceMapping, wanted: int, lease_s: float, timeout_s: int) -> None:
        shared, signals = self._shared, self._signals
        if not self._queue.tells:
            self._is_waiting = True
            shared.budget.end_turn(self)
        # The first may be as long as any.
        bytes_max = max(wanted * self._message_bytes, MESSAGE_MAX_BYTES)
        async with self._queue.claim(wanted, lease_s, bytes_max) as claimed:
            self._is_waiting = False
            self._failures, self._told = 0, ""
            if self._is_stopped or self._has_changed(mapping):
                # It was read for settings that hold no more.
                await self._runs.give_back([message.receipt for message in claimed.messages])
                return
            self._take(claimed.messages, Lease.of(claimed.at, lease_s, 0, timeout_s))
        if claimed.is_drained:
            # It has given all that it can give, unless more came meanwhile.
            self._has_due = signals != self._signals
            if claimed.next_due_s is not None:
                shared.ring_in(self.name, claimed.next_due_s)
        self._begin_ready()

    def _has_changed(self, mapping: EventSourceMapping) -> bool:
        """Say whether what was read under older settings is of no use under those that hold now."""
        if mapping is self.mapping:
            return False
        # Who waits long for messages has them for new settings, too: to give them back counts as a receive. Their time
        # was measured for the function and the window.
        return self._queue.tells or _measures(mapping) != _measures(self.mapping)

    async def _wanted(self) -> int:
        """Return how many messages to read now."""
        budget, now = self._shared.budget, self._shared.clock.monotonic()
        left = budget.left_bytes // self._message_bytes
        if budget.is_full_for(self):
            budget.stand_in_line(self)
            return 0
        if budget.left_bytes < MESSAGE_MAX_BYTES:
            # Who holds some waits for itself: what it has read is begun first.
            if not self._unbegun:
                budget.stand_in_line(self)
            return 0
        free = max(await self._function.room() - self._starting(), 0)
        most = self._most(now)
        batches = min(most - self._room.running, free)
        if (ahead := self._room.ahead(now)) and (free or self._room.running):
            batches += ahead // _LESS_AHEAD
        batches -= len(self._unbegun)
        if batches <= 0:
            self._wait_for_room(is_free=free > 0, most=most)
            return 0
        self._misses = 0
        # Of a FIFO queue one batch at a time: of a group that fails no more is to have been read than what was tried.
        batches = 1 if self._is_fifo else batches
        # The window's batch waits to be filled, not to be begun.
        return min(batches * self.mapping.batch_size - self._unbegun.gathered, CLAIMS_MAX, left)

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

    def _take(self, messages: Sequence[Received], lease: Lease) -> None:
        """Make batches of what was read, and drop what filters let not through."""
        self.counts.polled += len(messages)
        records, dropped = self._records(messages, lease)
        self._unbegun.gather(records, self.mapping)
        if messages:
            average = sum(message.size_bytes for message in messages) // len(messages)
            self._message_bytes = min(max(2 * average, self._message_bytes // 4, 1024), MESSAGE_MAX_BYTES)
        if dropped:
            self.counts.filtered_out += len(dropped)
            self._shared.spawn(self._runs.drop(dropped, lease.expires_at))

    def _records(self, messages: Sequence[Received], lease: Lease) -> tuple[list[Record], list[Any]]:
        """Return messages as records, and the receipts of those that the filters drop."""
        records: list[Record] = []
        dropped: list[Any] = []
        left: set[str] = set()
        for message in messages:
            if message.group in left:
                continue
            try:
                record = self._record(message, lease)
            except Exception:
                # One that nobody understands keeps no other from its function: it comes back when its time is over, and
                # ends where the queue's redrive policy has it end. What follows it in its group comes back with it.
                _log.exception("mapping.not_understood uuid=%s message=%s", self.mapping.uuid, message.id)
                if message.group is not None:
                    left.add(message.group)
                continue
            if record is None:
                dropped.append(message.receipt)
            else:
                records.append(record)
        return records, dropped

    def _record(self, received: Received, lease: Lease) -> Record | None:
        """Return a message as a record, None where the filters drop it."""
        message = received.read()
        if not self._filter.lets_through(message.record, message.body):
            return None
        encoded = _encode(message.record)
        if FRAME_BYTES + len(encoded) > self._shared.payload_max_bytes:
            # Of ours there is none such: a mebibyte is the most, and what JSON escapes may be in no message.
            raise ValueError(f"a record of {len(encoded)} bytes fits into no invocation")
        header = message.trace_header
        passes = self._function.passes(header)
        return Record(received.id, received.receipt, encoded, lease, received.group, header, passes)

    def _begin_ready(self) -> bool:
        """Begin what was read, as far as there is room; say whether anything was begun."""
        shared, began = self._shared, False
        now = shared.clock.monotonic()
        late, untried = self._unbegun.drop_late(now)
        self.counts.failed_invoke += late
        self._give_back_later(untried)
        while not self._is_stopped and (batches := self._unbegun.next(now)) is not None:
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
            self._unbegun.remove(batches)
            self._room.begin(now)
            shared.budget.begin(self)
            shared.spawn(self._work(batches, Work(shared, self.mapping, self._function)))
            began = True
        if self._unbegun and not self._is_stopped:
            self._look_again(self._unbegun.next_look_at(now) - now)
        return began

    # One batch, or a few in turn ----------------------------------------------------------------------------------

    async def _work(self, batches: list[Batch], work: Work) -> None:
        shared, runs = self._shared, self._runs
        began, took_s, is_cold = shared.clock.monotonic(), None, False
        result, expires_at = Result(), batches[0].lease.expires_at
        left: list[Batch] = []
        try:
            for number, batch in enumerate(batches):
                await runs.settle(result, expires_at)
                if not result.is_clean:
                    # What of its groups the one before left is to come first.
                    later = [record for one in batches[number:] for record in one.records]
                    result = Result(give_back=later)
                    break
                result, expires_at = await runs.invoke(batch, work), batch.lease.expires_at
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
                result = Result(give_back=[record for one in left for record in one.records])
                left = []
            elif left:
                # Not at work any more: what it had may be another mapping's while it waits.
                self._unbegun.put_back(left)
            try:
                self._after_end()
            finally:
                shared.budget.release(sum(one.payload_bytes for one in batches if one not in left))
        await runs.settle(result, expires_at)
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


def _measures(mapping: EventSourceMapping) -> tuple[str, int]:
    """Return what the time is measured by in which messages of a mapping are hidden."""
    return mapping.function_arn, mapping.window_s


def _are_for_the_same(one: EventSourceMapping, other: EventSourceMapping) -> bool:
    """Say whether what was read for one mapping may be begun for the other."""
    return (one.function_arn, one.filters) == (other.function_arn, other.filters)
