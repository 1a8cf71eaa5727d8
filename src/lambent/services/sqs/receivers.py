"""
Receivers that wait for messages: who is woken when something can be claimed, without a look at the store meanwhile.

One commit wakes one receiver. One that got all it asked for wakes the next, since there may be more; one that got less
has emptied the queue. So a thousand receivers of one message cost two claims and not a thousand.
"""

import asyncio
from collections.abc import Awaitable, Callable

from lambent.clock import Clock, TimerHandle
from lambent.domain.caller import Caller
from lambent.errors.api.sqs import RequestThrottled
from lambent.store.contract import QueueName

_NOW_S = 0.001
"""What comes sooner is there by the time that a claim has found it: no timer is as quick."""


class _Line:
    """The receivers of one queue."""

    __slots__ = ("parked", "receivers", "signals", "timer", "timer_at")

    def __init__(self) -> None:
        self.receivers = 0
        self.parked: dict[asyncio.Future[bool], None] = {}
        self.signals = 0
        """How often something became claimable: whoever was claiming meanwhile looks again."""
        self.timer: TimerHandle | None = None
        self.timer_at = 0.0


class Receivers:
    """
    Args:
        waiting_max: receivers that wait at once, over all queues; one more is refused.
    """

    def __init__(self, clock: Clock, waiting_max: int) -> None:
        self._clock = clock
        self._waiting_max = waiting_max
        self._lines: dict[QueueName, _Line] = {}
        self._is_closed = False
        self.waiting = 0

    def on_due(self, queue: QueueName, due_s: float) -> None:
        """Take the event queue's word that something can be claimed, or will be."""
        line = self._lines.get(queue)
        if line is None:
            return
        if due_s > _NOW_S:
            self._set_timer(queue, line, due_s)
            return
        line.signals += 1
        self._wake_one(line)

    def changed(self, queue: QueueName) -> None:
        """Let everybody look again: the queue was changed or removed."""
        line = self._lines.get(queue)
        if line is not None:
            line.signals += 1
            while line.parked:
                self._wake_one(line)

    def close(self) -> None:
        """Send everybody home with what there is. The server stops, and nobody is to wait for a long poll's end."""
        self._is_closed = True
        for queue in list(self._lines):
            self.changed(queue)

    async def receive(
        self,
        queue: QueueName,
        wait_s: float,
        caller: Caller,
        claim: Callable[[], Awaitable[tuple[bool, bool, float | None]]],
    ) -> None:
        """
        Call `claim` until it got something, and at most for `wait_s`.

        A caller that leaves ends it: nothing is claimed for somebody who is known to be gone.

        Args:
            claim: returns whether it got something, whether that was all it asked for, and in how many seconds
                something can be claimed if nothing happens (None: never).

        Raises:
            RequestThrottled: too many wait.
        """
        if wait_s <= 0:
            await claim()
            return
        if self.waiting >= self._waiting_max:
            raise RequestThrottled(
                f"{self._waiting_max} receivers wait already: receive with a shorter WaitTimeSeconds, or allow more by "
                "--sqs-receivers-max"
            )
        line = self._lines.setdefault(queue, _Line())
        line.receivers += 1
        self.waiting += 1
        gone: asyncio.Future[None] | None = None
        has_more = is_over = False
        until = self._clock.monotonic() + wait_s
        try:
            while gone is None or not gone.done():
                signals = line.signals
                got_some, has_more, next_s = await claim()
                if got_some or is_over or self._is_closed:
                    return
                if signals != line.signals:
                    continue
                if next_s is not None:
                    self._set_timer(queue, line, next_s)
                if gone is None and caller.wait_gone is not None:
                    gone = asyncio.ensure_future(caller.wait_gone())
                # What wakes us is ours to use, or to pass on. When the time is over we look once more all the same.
                has_more = await self._park(line, until - self._clock.monotonic(), gone)
                is_over = not has_more
        finally:
            if gone is not None:
                gone.cancel()
            self.waiting -= 1
            line.receivers -= 1
            if has_more:
                self._wake_one(line)
            if line.receivers == 0:
                if line.timer is not None:
                    line.timer.cancel()
                del self._lines[queue]

    async def _park(self, line: _Line, wait_s: float, gone: "asyncio.Future[None] | None") -> bool:
        """Wait to be woken; return whether that is what ended it."""
        woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        line.parked[woken] = None
        timer = self._clock.call_later(max(wait_s, 0), lambda: None if woken.done() else woken.set_result(False))

        def leave(_: "asyncio.Future[None]") -> None:
            if not woken.done():
                woken.set_result(False)

        if gone is not None:
            gone.add_done_callback(leave)
        try:
            return await woken
        except asyncio.CancelledError:
            if woken.done() and not woken.cancelled() and woken.result():
                self._wake_one(line)
            raise
        finally:
            timer.cancel()
            line.parked.pop(woken, None)
            if gone is not None:
                gone.remove_done_callback(leave)

    def _wake_one(self, line: _Line) -> None:
        while line.parked:
            woken = next(iter(line.parked))
            del line.parked[woken]
            if not woken.done():
                woken.set_result(True)
                return

    def _set_timer(self, queue: QueueName, line: _Line, due_s: float) -> None:
        """Have somebody woken in so many seconds, unless that happens before anyway."""
        at = self._clock.monotonic() + due_s
        if line.timer is not None:
            if line.timer_at <= at:
                return
            line.timer.cancel()

        def ring() -> None:
            line.timer = None
            if self._lines.get(queue) is line:
                self.on_due(queue, 0)

        line.timer_at = at
        line.timer = self._clock.call_later(due_s, ring)
