"""
Claims events from the queues of one kind, as they come due: which queues have some, and the leases of what is held.

Nothing here polls: commits tell of new events, and each claim tells when the next one of its queue is due.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from lambent.clock import Clock
from lambent.errors.families import DependencyError
from lambent.store.contract import CLAIMS_MAX, Claim, Done, EventQueue, Extend, Outcome, QueueKind, QueueName, Retry

_log = logging.getLogger("lambent.dispatch")

LEASE_S = 30.0
"""
Assumed: what a server held that was killed is claimed again after so long; one that lives extends it long before.
"""
_EXTEND_EVERY_S = LEASE_S / 3
_EXTEND_AT_ONCE = 500

SETTLE_AGAIN_MIN_S, SETTLE_AGAIN_MAX_S = 0.1, 5.0
"""Between attempts to write down what became of an event. Assumed."""

Settled = tuple[Claim, Done | Retry]
"""An event, and what became of it."""

_Key = tuple[QueueName, int]


class Claimer:
    """
    The queues of one kind that hold events, and the events that this server holds a lease on.

    Args:
        kind: of the queues.
    """

    def __init__(self, queue: EventQueue, kind: QueueKind, clock: Clock) -> None:
        self._queue = queue
        self._kind = kind
        self._clock = clock
        self._due_at: dict[QueueName, float] = {}
        """When something can be claimed from a queue, in the order in which queues have their turn."""
        self._not_before: dict[QueueName, float] = {}
        """Where nothing is to be taken before a moment, whatever comes due."""
        self._held: dict[_Key, Claim] = {}
        self._settling: set[_Key] = set()
        """Those of which a step is on its way to disk."""
        self._has_begun = False
        self._looked_at = 0.0
        """The moment of the last look at what is due."""
        self._wake = asyncio.Event()
        queue.on_due(self._note_due)

    @property
    def held_count(self) -> int:
        """How many events this server holds."""
        return len(self._held)

    async def begin(self) -> None:
        """
        Look what there is, as a server does that starts: what an earlier one held when it ended is there for all.

        No other server uses this store: the data folder is locked. Again after a failure, it looks only.
        """
        if not self._has_begun:
            given_back = await self._queue.give_back(self._kind)
            self._has_begun = True
            if given_back:
                _log.warning("event.given_back kind=%s count=%d", self._kind.value, given_back)
        now = self._clock.monotonic()
        for queue, seconds in (await self._queue.filled(self._kind)).items():
            self._note_due(queue, seconds, now)

    def due(self) -> Sequence[QueueName]:
        """Return the queues that have something to claim now, those first that had no turn for longest."""
        now = self._looked_at = self._clock.monotonic()
        self._not_before = {queue: at for queue, at in self._not_before.items() if at > now}
        return [queue for queue, at in self._due_at.items() if at <= now]

    def is_empty(self, queue: QueueName) -> bool:
        """Say whether a queue holds nothing that waits to be claimed now, as far as is known."""
        return self._has_begun and self._due_at.get(queue, float("inf")) > self._clock.monotonic()

    def wait_until(self, queue: QueueName, delay_s: float) -> None:
        """Take nothing from a queue for a while."""
        at = self._clock.monotonic() + delay_s
        self._not_before[queue] = at
        if queue in self._due_at:
            self._due_at[queue] = max(self._due_at.pop(queue), at)

    def wake(self) -> None:
        """Have `wait` return: there may be room where there was none."""
        self._wake.set()

    async def wait(self, most_s: float | None = None) -> None:
        """
        Return when there may be something to claim: by a commit, by `wake`, or because a queue comes due.

        Args:
            most_s: return after so long in any case.
        """
        if not self._wake.is_set():
            now = self._clock.monotonic()
            # What came due since the last look has not been seen; what was due then was, and there is no room for it.
            coming = [at - now for at in self._due_at.values() if at > self._looked_at]
            if most_s is not None:
                coming.append(most_s)
            timer = self._clock.call_later(max(min(coming), 0.0), self._wake.set) if coming else None
            try:
                await self._wake.wait()
            finally:
                if timer is not None:
                    timer.cancel()
        self._wake.clear()

    async def claim(self, room: Mapping[QueueName, int]) -> Sequence[Claim]:
        """
        Claim what is due, at most so many of each queue. What is claimed is held until `settle` has let go of it.

        Raises:
            DependencyError: the store failed; what was due still is.
        """
        room = _most_at_once(room)
        before = {queue: self._due_at.pop(queue, 0.0) for queue in room}
        try:
            claimed = await self._queue.claim(room, LEASE_S)
        except BaseException:
            for queue, at in before.items():
                self._note_due(queue, 0.0, at)
            raise
        now = self._clock.monotonic()
        given: dict[QueueName, int] = {}
        new = []
        for claim in claimed.claims:
            given[claim.queue] = given.get(claim.queue, 0) + 1
            key = (claim.queue, claim.sequence)
            if key not in self._held:
                new.append(claim)
            # A lease of ours had run out, because this process stood still: what runs goes on under the newer one.
            self._held[key] = claim
        for queue, most in room.items():
            if given.get(queue, 0) >= most:
                # Behind the others.
                self._due_at.pop(queue, None)
                self._note_due(queue, 0.0, now)
            elif queue in claimed.next_due_s:
                self._note_due(queue, claimed.next_due_s[queue], now)
        return new

    async def settle(self, steps: Sequence[Settled]) -> None:
        """
        Write down what became of events, in one commit, and let go of them. Where the store fails, or what follows
        finds its queue full, this tries until it succeeds: the event stays held, and its outcome is not lost.

        Args:
            steps: each of a claim that may have been renewed meanwhile; its receipt is put right here. What is no
                longer held, since its queue was dropped, is passed over.
        """
        delay = SETTLE_AGAIN_MIN_S
        while steps := await self.try_to_settle(steps):
            await self._clock.sleep(delay)
            delay = min(2 * delay, SETTLE_AGAIN_MAX_S)

    async def try_to_settle(self, steps: Sequence[Settled]) -> Sequence[Settled]:
        """Do the same once; return those steps that are still to be written, since the store or a queue refused."""
        asked = [(claim, step, key) for claim, step in steps if (key := _key_of(claim)) in self._held]
        if not asked:
            return ()
        keys = [key for _, _, key in asked]
        held = [self._held[key] for key in keys]
        self._settling.update(keys)
        try:
            outcomes = await self._queue.settle(
                [_with_receipt(step, one) for (_, step, _), one in zip(asked, held, strict=True)]
            )
        except DependencyError as error:
            if len(asked) > 1 and not error.retryable:
                # It may be the fault of one of them: each for itself, so that the others happen.
                return await self._settle_each(asked)
            _log.error("event.not_settled request_id=%s count=%d reason=%s", asked[0][0].id, len(asked), error)
            return [(claim, step) for claim, step, _ in asked]
        except Exception:
            if len(asked) == 1:
                raise
            return await self._settle_each(asked)
        finally:
            self._settling.difference_update(keys)
        again: list[Settled] = []
        lost: list[Settled] = []
        anew: list[Claim] = []
        for (claim, step, key), one, outcome in zip(asked, held, outcomes, strict=True):
            if outcome is Outcome.HAPPENED:
                newest = self._held.pop(key, one)
                if newest is not one:
                    # Claimed in the same commit, behind the step, by who took it for what runs here: it does not.
                    anew.append(newest)
            elif outcome is Outcome.LOST and self._held.get(key, one) is not one:
                # To ourselves: the lease ran out, and was taken again on the way.
                lost.append((claim, step))
            elif outcome is Outcome.FULL:
                _log.warning("event.not_settled request_id=%s reason=its destination's queue is full", claim.id)
                again.append((claim, step))
            else:
                self._held.pop(key, None)
                _log.warning("event.claim_lost request_id=%s outcome=%s", claim.id, outcome.value)
        if anew:
            try:
                await self.give_back(anew)
            except DependencyError as error:
                # Claimed again once their leases have run out.
                _log.error("event.not_given_back count=%d reason=%s", len(anew), error)
        if lost:
            again.extend(await self.try_to_settle(lost))
        return again

    async def _settle_each(self, asked: Sequence[tuple[Claim, Done | Retry, _Key]]) -> Sequence[Settled]:
        again: list[Settled] = []
        for claim, step, _ in asked:
            try:
                again.extend(await self.try_to_settle([(claim, step)]))
            except Exception:
                _log.exception("event.not_settled request_id=%s", claim.id)
        return again

    async def drop(self, queue: QueueName) -> None:
        """Remove a queue with all it holds."""
        await self._queue.remove(queue)
        self._due_at.pop(queue, None)
        for key in [key for key in self._held if key[0] == queue]:
            del self._held[key]

    def let_go(self, claim: Claim) -> None:
        """Hold an event no more, whatever becomes of it: its lease runs out."""
        self._held.pop((claim.queue, claim.sequence), None)

    async def give_back(self, claims: Sequence[Claim]) -> None:
        """Let others have events that were claimed and not begun."""
        for claim in claims:
            self.let_go(claim)
        if claims:
            await self._queue.settle([Extend(claim.receipt, 0) for claim in claims])

    async def keep_leases(self) -> None:
        """Extend the leases of what is held, for ever."""
        while True:
            await self._clock.sleep(_EXTEND_EVERY_S)
            held = list(self._held)
            for start in range(0, len(held), _EXTEND_AT_ONCE):
                # Not of what is given back or ended on the way: a lease would take the place of the delay.
                receipts = [
                    self._held[key].receipt
                    for key in held[start : start + _EXTEND_AT_ONCE]
                    if key in self._held and key not in self._settling
                ]
                if receipts:
                    await self._queue.settle([Extend(receipt, LEASE_S) for receipt in receipts])

    def _note_due(self, queue: QueueName, delay_s: float, now: float | None = None) -> None:
        if queue.kind is not self._kind:
            return
        at = (self._clock.monotonic() if now is None else now) + delay_s
        if queue in self._not_before:
            at = max(at, self._not_before[queue])
        known = self._due_at.get(queue)
        if known is None or at < known:
            self._due_at[queue] = at
            self._wake.set()


def _most_at_once(room: Mapping[QueueName, int]) -> Mapping[QueueName, int]:
    """Return as much of what is wanted as one claim gives; the other queues stay due."""
    if sum(room.values()) <= CLAIMS_MAX:
        return room
    part, left = {}, CLAIMS_MAX
    for queue, most in room.items():
        if left > 0:
            part[queue] = min(most, left)
            left -= part[queue]
    return part


def _key_of(claim: Claim) -> _Key:
    return claim.queue, claim.sequence


def _with_receipt(step: Done | Retry, claim: Claim) -> Done | Retry:
    if step.receipt == claim.receipt:
        return step
    if isinstance(step, Done):
        return Done(claim.receipt, step.then, step.hold)
    return Retry(claim.receipt, step.delay_s, step.attributes, step.then, step.hold)
