"""What became of events, on its way into the store: gathered for a moment, since a commit costs as much for one."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from lambent.clock import Clock, TimerHandle
from lambent.dispatch.claiming import SETTLE_AGAIN_MAX_S, SETTLE_AGAIN_MIN_S, Claimer, Settled
from lambent.store.contract import BODY_INLINE_MAX_BYTES, Claim, Done, Retry

_log = logging.getLogger("lambent.dispatch")

_PATIENCE_S = 0.02
"""
How long an outcome waits for others to share a commit with. What ended within so short a time before a crash runs once
more. Assumed; revisit with `make bench`, async-drain.
"""

_PATIENCE_OF_NEWS_S = 0.005
"""The same where something follows that somebody waits for: a record, or another attempt."""

_TOGETHER_MAX = 200
"""Outcomes in one commit. Assumed: some milliseconds of work."""

_TOGETHER_BYTES_MAX = 1 << 20
"""Bytes of what follows from them."""


class Outcomes:
    """
    Takes what became of events, and has it written.

    Args:
        spawn: runs a task that somebody looks after.
        written: called when some were written, or had their queue dropped: those are held no more.
    """

    def __init__(
        self,
        claimer: Claimer,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
        written: Callable[[], None],
    ) -> None:
        self._claimer = claimer
        self._clock = clock
        self._spawn = spawn
        self._written = written
        self._gathered: list[Settled] = []
        self._timer: TimerHandle | None = None
        self._due_at = 0.0
        self._writing: set[asyncio.Task[None]] = set()
        self._pausing: set[asyncio.Task[None]] = set()
        """Those of them that failed, and try again in a moment."""
        self._is_closing = False

    def add(self, claim: Claim, step: Done | Retry, *, is_urgent: bool) -> None:
        """
        Take the outcome of an event that is held.

        Args:
            is_urgent: whether somebody waits for it to be written.
        """
        self._gathered.append((claim, step))
        if is_urgent or len(self._gathered) >= _TOGETHER_MAX:
            self.write()
            return
        patience_s = _PATIENCE_S if isinstance(step, Done) and not step.then else _PATIENCE_OF_NEWS_S
        if self._timer is None:
            self._begin_wait(patience_s)
        elif patience_s < _PATIENCE_S and self._clock.monotonic() + patience_s < self._due_at:
            self._timer.cancel()
            self._begin_wait(patience_s)

    def write(self) -> None:
        """Have all that was gathered be written now: whoever is about to commit something takes it along."""
        for together in _parts(self._take()):
            task = self._spawn(self._write(together))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Have what was gathered be written, or fail once: the next start runs those events again."""
        self._is_closing = True
        for task in self._pausing:
            task.cancel()
        for together in _parts(self._take()):
            try:
                await self._claimer.try_to_settle(together)
            except Exception:
                _log.exception("event.not_settled request_id=%s", together[0][0].id)
        if self._writing:
            await asyncio.wait(self._writing)

    def _take(self) -> Sequence[Settled]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gathered, self._gathered = self._gathered, []
        return gathered

    def _begin_wait(self, seconds: float) -> None:
        self._due_at = self._clock.monotonic() + seconds
        self._timer = self._clock.call_later(seconds, self.write)

    async def _write(self, steps: Sequence[Settled]) -> None:
        delay_s = SETTLE_AGAIN_MIN_S
        try:
            while (steps := await self._claimer.try_to_settle(steps)) and not self._is_closing:
                self._written()
                await self._pause(delay_s)
                delay_s = min(2 * delay_s, SETTLE_AGAIN_MAX_S)
        finally:
            self._written()

    async def _pause(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pausing.add(task)
        try:
            await self._clock.sleep(seconds)
        finally:
            self._pausing.discard(task)


def _parts(gathered: Sequence[Settled]) -> Iterator[Sequence[Settled]]:
    """
    Return outcomes by those that share a commit.

    One with a long body to be put goes alone: such a body is stored before, in a file of its own, and the others would
    wait for that.
    """
    part: list[Settled] = []
    part_bytes = 0
    for settled in gathered:
        then = settled[1].then
        if then:
            if any(len(event.body) > BODY_INLINE_MAX_BYTES for event in then):
                yield [settled]
                continue
            part_bytes += sum(len(event.body) for event in then)
            if part and part_bytes > _TOGETHER_BYTES_MAX:
                yield part
                part, part_bytes = [], 0
        part.append(settled)
    if part:
        yield part
