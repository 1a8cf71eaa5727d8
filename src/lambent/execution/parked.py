"""
The parked pool: environments made before they are needed, so that a cold start only has to give one its code.

Each kind has a stock, refilled in the background by demand within a budget of memory. A parked environment has no
customer data; taken, it belongs to whoever took it and never comes back. Decisions are in `scaling.py`.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from lambent.clock import Clock, TimerHandle
from lambent.errors.families import DependencyError
from lambent.execution.scaling import STOCK_MIN, Demand, Wanted, backoff_s, share_stock
from lambent.sandbox.contract import Environment, Exit, ParkedKind, Sandbox

PARKS_AT_ONCE: Final = max(4, 2 * (os.cpu_count() or 1))
"""
Parks in flight when someone waits for one. Others wait their turn: a spawner makes one after the other anyway, and what
is started ahead wants a processor.
"""

REFILLS_AT_ONCE: Final = 2
"""Parks in flight in the background. Assumed: they share the processors with the functions that run."""

REFILL_AFTER_S: Final = 0.01
"""
How long after a take refilling begins, as long as there is another: parking would compete with the very cold start
that caused it. Assumed; revisit with `make bench`, cold start.
"""

EXPECT_MAX_S: Final = 1.0
"""Assumed: a zygote starts in a tenth of a second; who waits longer than a second waits for something else."""

KEEP_S: Final = 600.0
"""How long a kind that nobody takes keeps its stock."""

TRIM_EVERY_S: Final = 60.0
"""How often a stock that is larger than the least is compared with the demand, which falls by itself."""

KINDS_MAX: Final = 64
"""Kinds with a stock; one more takes the place of the one that was wanted longest ago."""

STEADY_S: Final = 5.0
"""A parked environment that lived so long did not die of how it was made."""

LEAVE_MAX_S: Final = 5.0
"""
How long a closing pool waits for what it has killed. Assumed: that takes milliseconds, and what takes seconds is held
by the kernel, for hours perhaps.
"""

ZYGOTE_MIB: Final = 2.5
BLANK_MIB: Final = 1.5
AHEAD_MIB: Final = 12.0
"""
What a parked environment is taken to cost: a fork of a loaded interpreter, a process that waits, or an interpreter that
was started ahead. Measured: Node.js 20 has 8 MiB of its own, Ruby 3.1 has 9.6, their process 1 has 1.6; what they map
of files is the same for all.
"""

_log = logging.getLogger("lambent.execution")


class ParkedEnvironment:
    """One parked environment, and what is known of it. `ended` is over when the environment is."""

    __slots__ = ("cpu_us", "ended", "environment", "parked_at")

    def __init__(self, environment: Environment, ended: "asyncio.Task[Exit]", cpu_us: int, parked_at: float) -> None:
        self.environment = environment
        self.ended = ended
        self.cpu_us = cpu_us
        """Processor time that parking took: nobody's to pay."""
        self.parked_at = parked_at


class _Kind:
    """The stock of one kind and who waits for more."""

    __slots__ = (
        "deaths",
        "demand",
        "expecting",
        "failures",
        "kind",
        "parking",
        "refill_s",
        "retry_at",
        "stock",
        "turn",
        "waiters",
        "wanted_at",
    )

    def __init__(self, kind: ParkedKind, now: float) -> None:
        self.kind = kind
        self.demand = Demand(now)
        self.stock: deque[ParkedEnvironment] = deque()
        """The longest parked first, which is taken first."""
        self.waiters: deque[asyncio.Future[ParkedEnvironment]] = deque()
        self.expecting: set[asyncio.Future[None]] = set()
        """Those who wait until there is one, without taking it."""
        self.parking = 0
        self.turn = 0
        """Rises with each park for a waiting call, over all kinds."""
        self.refill_s = 0.02
        """How long parking takes, averaged. The first value only matters until the first one is there."""
        self.wanted_at = now
        self.failures = 0
        """Parks that failed in a row."""
        self.deaths = 0
        """Parked environments that died in a row, soon after they were made."""
        self.retry_at = now

    def tell(self) -> None:
        """Let those go on who expect one."""
        for told in self.expecting:
            if not told.done():
                told.set_result(None)

    @property
    def cost_mib(self) -> float:
        if self.kind.ahead is not None:
            return AHEAD_MIB
        return BLANK_MIB if self.kind.zygote is None else ZYGOTE_MIB

    @property
    def is_needed(self) -> bool:
        return bool(self.waiters or self.parking)


class ParkedPool:
    """
    Parked environments by kind.

    All methods but `expect`, `take` and `close` are plain and atomic on the event loop. A driver that does not park
    ahead gets no stock: `take` parks.

    Args:
        budget_mib: what all stock together may cost.
        count_max: how many may be parked at once.
        spare_mib: returns what the host has to spare, below 0 under pressure; None where nobody can tell.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        clock: Clock,
        *,
        budget_mib: float,
        count_max: int = 256,
        spare_mib: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._sandbox = sandbox
        self._clock = clock
        self._budget_mib = budget_mib
        self._count_max = count_max
        self._spare_mib = spare_mib
        self._kinds: dict[ParkedKind, _Kind] = {}
        """The kind that was wanted longest ago first."""
        self._parks: set[asyncio.Task[None]] = set()
        self._watching: set[asyncio.Task[Exit]] = set()
        self._leaving: dict[asyncio.Task[Exit], ParkedEnvironment] = {}
        """Environments that were parked here and are ending, by their `ended`."""
        self._turn = 0
        self._quiet_until = 0.0
        self._timer: TimerHandle | None = None
        self._timer_at = 0.0
        self._is_closed = False
        self.failures = 0
        """Parks that failed, and parked environments that died, since the start."""

    @property
    def size(self) -> int:
        """How many environments are parked now."""
        return sum(len(row.stock) for row in self._kinds.values())

    @property
    def size_mib(self) -> float:
        """What they are taken to cost."""
        return sum(len(row.stock) * row.cost_mib for row in self._kinds.values())

    @property
    def parking(self) -> int:
        """How many are being parked."""
        return len(self._parks)

    def want(self, kind: ParkedKind) -> None:
        """Say that a kind will be needed soon. Repeating it keeps its stock from being given back."""
        if self._sandbox.parks_ahead and not self._is_closed:
            self._row(kind)
            self._pump()

    async def expect(self, kind: ParkedKind) -> None:
        """
        Say that a kind is needed now; return once one is parked, its parking has failed, or a bounded moment is over.

        A cancelled call leaves nothing behind.
        """
        if not self._sandbox.parks_ahead or self._is_closed:
            return
        self.want(kind)
        row = self._row(kind)
        if row.stock:
            return
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        row.expecting.add(told)
        timer = self._clock.call_later(EXPECT_MAX_S, row.tell)
        try:
            await told
        finally:
            timer.cancel()
            row.expecting.discard(told)

    async def take(self, kind: ParkedKind) -> ParkedEnvironment:
        """
        Return a parked environment: at once if there is one, else one that is parked now.

        It is the caller's to `end`. A cancelled call leaves nothing behind.

        Raises:
            DependencyError: the host cannot provide one now.
        """
        if self._is_closed:
            raise DependencyError("the server is stopping", retryable=True)
        if not self._sandbox.parks_ahead:
            return self._watched(await self._sandbox.park(kind))
        now = self._clock.monotonic()
        row = self._row(kind)
        row.demand.taken(now)
        if row.stock:
            taken = row.stock.popleft()
            row.deaths = 0
            self._quiet_until = now + REFILL_AFTER_S
            if row.stock:
                self._wake_at(self._quiet_until)
            else:
                self._pump()
            return taken
        waiter: asyncio.Future[ParkedEnvironment] = asyncio.get_running_loop().create_future()
        row.waiters.append(waiter)
        self._pump()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter in row.waiters:
                row.waiters.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:
                self._arrived(row, waiter.result())
            raise

    def end(self, parked: ParkedEnvironment) -> None:
        """
        End an environment that was parked here, whoever has it, and give back what it holds once it has ended.

        Called once. `close` waits for it.
        """
        self._sandbox.kill(parked.environment)
        if parked.ended.done():
            self._sandbox.release(parked.environment)
            return
        self._leaving[parked.ended] = parked
        parked.ended.add_done_callback(partial(self._left, parked))

    def trim(self) -> None:
        """Give back what the host's memory does not allow any more, and refill what it allows again."""
        if not self._is_closed:
            self._pump()

    async def close(self) -> None:
        """
        End everything that is parked, and see what is ending out, for a bounded time; whoever waits is told.

        Nothing is parked afterwards.
        """
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for park in self._parks:
            park.cancel()
        for row in self._kinds.values():
            for waiter in row.waiters:
                if not waiter.done():
                    waiter.set_exception(DependencyError("the server is stopping", retryable=True))
            row.waiters.clear()
            row.tell()
            while row.stock:
                self.end(row.stock.popleft())
        self._kinds.clear()
        if self._parks:
            await asyncio.wait(list(self._parks))
        if self._leaving:
            await asyncio.wait(list(self._leaving), timeout=LEAVE_MAX_S)
        for parked in self._leaving.values():
            self._sandbox.release(parked.environment)

    # Kinds -------------------------------------------------------------------------------------------------------

    def _row(self, kind: ParkedKind) -> _Kind:
        """Return the row of a kind that is wanted now."""
        now = self._clock.monotonic()
        row = self._kinds.pop(kind, None)
        if row is None:
            row = _Kind(kind, now)
            if len(self._kinds) >= KINDS_MAX:
                # Those with someone waiting stay: they are bounded by the environments that may exist.
                oldest = next((old for old in self._kinds.values() if not old.is_needed), None)
                if oldest is not None:
                    self._drop(oldest)
        row.wanted_at = now
        self._kinds[kind] = row
        return row

    def _drop(self, row: _Kind) -> None:
        del self._kinds[row.kind]
        row.tell()
        while row.stock:
            self.end(row.stock.popleft())

    # Deciding what to park -----------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Park for those who wait, then compare every stock with what it should be, then sleep until the next time."""
        if self._is_closed:
            return
        now = self._clock.monotonic()
        self._serve_waiters()
        for row in list(self._kinds.values()):
            if now - row.wanted_at >= KEEP_S and not row.is_needed:
                self._drop(row)
        self._refill(now)
        self._wake_for_next(now)

    def _serve_waiters(self) -> None:
        while len(self._parks) < PARKS_AT_ONCE:
            short = [row for row in self._kinds.values() if len(row.waiters) > row.parking]
            if not short:
                return
            # In turns, so that a burst of one owner does not hold up another's call.
            row = min(short, key=lambda row: row.turn)
            self._turn = row.turn = self._turn + 1
            self._park(row)

    def _refill(self, now: float) -> None:
        rows = list(reversed(self._kinds.values()))
        wanted = [Wanted(row.demand.target(now, row.refill_s), row.cost_mib) for row in rows]
        shares = share_stock(wanted, self._allowed_mib(), self._count_max)
        for row, share in zip(rows, shares, strict=True):
            while len(row.stock) > share:
                self.end(row.stock.popleft())
        for row, share in zip(rows, shares, strict=True):
            if now < row.retry_at or (row.stock and now < self._quiet_until):
                continue
            coming = max(0, row.parking - len(row.waiters))
            for _ in range(share - len(row.stock) - coming):
                if len(self._parks) >= REFILLS_AT_ONCE:
                    return
                self._park(row)

    def _allowed_mib(self) -> float:
        spare_mib = self._spare_mib()
        if spare_mib is None:
            return self._budget_mib
        # Half of what is spare: the other half is for those who do not wait for a stock to fill.
        allowed_mib = self.size_mib + (spare_mib / 2 if spare_mib > 0 else spare_mib)
        return max(0.0, min(self._budget_mib, allowed_mib))

    def _wake_for_next(self, now: float) -> None:
        """Set the timer for whatever changes first by itself."""
        for row in self._kinds.values():
            self._wake_at(max(row.wanted_at + KEEP_S, now + 1.0))
            if row.retry_at > now:
                self._wake_at(row.retry_at)
            if len(row.stock) > STOCK_MIN:
                self._wake_at(now + TRIM_EVERY_S)
        if self._quiet_until > now:
            self._wake_at(self._quiet_until)

    def _wake_at(self, moment: float) -> None:
        if self._timer is not None:
            if self._timer_at <= moment:
                return
            self._timer.cancel()
        self._timer_at = moment
        self._timer = self._clock.call_later(max(0.0, moment - self._clock.monotonic()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._pump()

    # Parking -------------------------------------------------------------------------------------------------------

    def _park(self, row: _Kind) -> None:
        row.parking += 1
        park = asyncio.get_running_loop().create_task(self._park_one(row), name="parked.park")
        self._parks.add(park)
        park.add_done_callback(partial(self._parked, row))

    async def _park_one(self, row: _Kind) -> None:
        began = self._clock.monotonic()
        try:
            environment = await self._sandbox.park(row.kind)
        except DependencyError as error:
            self._failed(row, error)
        except Exception:
            # Nobody waits for a refill: what fails is logged here, and whoever waits for this kind is told.
            _log.exception("parked.failed")
            self._failed(row, DependencyError("the sandbox could not be made", retryable=True))
        else:
            row.failures = 0
            row.refill_s += 0.2 * (self._clock.monotonic() - began - row.refill_s)
            self._arrived(row, self._watched(environment))

    def _parked(self, row: _Kind, park: "asyncio.Task[None]") -> None:
        row.parking -= 1
        self._parks.discard(park)
        self._pump()

    def _arrived(self, row: _Kind, parked: ParkedEnvironment) -> None:
        """Give a parked environment to whoever waits longest, else keep it."""
        while row.waiters:
            waiter = row.waiters.popleft()
            if not waiter.done():
                waiter.set_result(parked)
                return
        is_wanted = not self._is_closed and self._kinds.get(row.kind) is row and not parked.ended.done()
        # Its waiter may have gone meanwhile, and others may have filled the budget.
        if is_wanted and self.size < self._count_max and self.size_mib + row.cost_mib <= self._budget_mib:
            row.stock.append(parked)
            row.tell()
            parked.ended.add_done_callback(partial(self._died, row, parked))
        else:
            self.end(parked)

    def _failed(self, row: _Kind, error: DependencyError) -> None:
        row.failures += 1
        row.tell()
        self._back_off(row, row.failures, error)
        while row.waiters:
            waiter = row.waiters.popleft()
            if not waiter.done():
                waiter.set_exception(error)
                return

    def _died(self, row: _Kind, parked: ParkedEnvironment, ended: "asyncio.Task[Exit]") -> None:
        if parked not in row.stock:
            return
        row.stock.remove(parked)
        self.end(parked)
        now = self._clock.monotonic()
        row.deaths = 1 if now - parked.parked_at >= STEADY_S else row.deaths + (now >= row.retry_at)
        self._back_off(row, row.deaths, "it ended while it was parked")
        self._pump()

    def _back_off(self, row: _Kind, failures: int, reason: object) -> None:
        self.failures += 1
        delay_s = backoff_s(failures)
        row.retry_at = max(row.retry_at, self._clock.monotonic() + delay_s)
        _log.warning("parked.failed in_a_row=%d again_in_s=%.1f reason=%s", failures, delay_s, reason)

    # Watching and ending -------------------------------------------------------------------------------------------

    def _watched(self, environment: Environment) -> ParkedEnvironment:
        ended = asyncio.get_running_loop().create_task(self._sandbox.wait(environment), name="parked.wait")
        self._watching.add(ended)
        ended.add_done_callback(self._watching.discard)
        cpu_us = self._sandbox.stats(environment).cpu_us
        return ParkedEnvironment(environment, ended, cpu_us, self._clock.monotonic())

    def _left(self, parked: ParkedEnvironment, ended: "asyncio.Task[Exit]") -> None:
        self._leaving.pop(ended, None)
        self._sandbox.release(parked.environment)
