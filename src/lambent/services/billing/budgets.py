"""
Follows what budgets watch: sums that run along with the folds, what they reach, and what is refused because of it.

A budget's sums are of its current period, and of the one before while invocations of that are still told of. They are
read from the store of usage at the start, at a period's begin, when a budget changes, when tags of a function do, and
when a fold failed; in between each fold's usage is added. All of that happens under one lock, the fold's commit
included: sums in memory are of one state of the store. Whoever reads holds it for one budget at a time, so that folds
wait for one of them, however many are to be read. That an invocation is refused hangs upon no lock.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from lambent.clock import Clock
from lambent.dispatch.budget_gate import BudgetGate
from lambent.dispatch.function_tags import FunctionTags
from lambent.domain.budget import (
    Budget,
    BudgetView,
    FirstTierPrices,
    PeriodState,
    PriceClass,
    Quantities,
    Sums,
    Usages,
    iso,
    period_end,
    period_start,
    price_class,
    reached,
    shown_amount,
    used_of,
)
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.errors.families import DependencyError
from lambent.services.billing.budget_notices import notices_of
from lambent.store.budgets_contract import BudgetRows, BudgetStore
from lambent.store.usage_contract import NewUsage, UsageGroup, UsageQuestion, UsageStore

_LOOK_EVERY_S: Final = 1.0
"""How often it is looked whether the wall clock has come into another period; at its end that is at once."""

_AGAIN_S: Final = 5.0
"""How long to wait after the store failed."""

_IN_A_THREAD: Final = 200
"""Records from which on they are summed in a thread: that many take a third of a millisecond."""

_log = logging.getLogger("lambent.services.billing")

Decide = Callable[[Budget | None, BudgetView | None, BudgetRows], Awaitable[Budget | None]]
"""Says what becomes of a budget, within the transaction; None: it goes."""


class _Watch:
    """A budget, and what was used of it."""

    __slots__ = ("budget", "current_s", "is_due", "is_stale", "sums")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.current_s = -1
        """The begin of the current period; -1: never looked at."""
        self.sums: dict[int, Sums] = {}
        """By the begin of the period."""
        self.is_stale = True
        """Whether the sums, and the budget itself, have to be read."""
        self.is_due = False
        """Whether something has to be written down."""


class Budgets:
    """
    Implements `telemetry.usage_follower.UsageFollower`.

    Args:
        tags: of functions. Of its own: it has to be told from here alone what has been read.
        prices: what money is made of.
        gate: what is used up is told there.
        fold: brings in all that ran by now.
    """

    def __init__(
        self,
        store: BudgetStore,
        usage: UsageStore,
        tags: FunctionTags,
        prices: FirstTierPrices,
        gate: BudgetGate,
        fold: Callable[[], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._usage = usage
        self._tags = tags
        self._prices = prices
        self._gate = gate
        self._fold = fold
        self._clock = clock
        self._lock = asyncio.Lock()
        self._watches: dict[str, dict[str, _Watch]] = {}
        """By account and name."""
        self._day = -1
        """Of the last look at the wall clock."""
        self._urgent = 0
        self._unknown: dict[tuple[Scope, FunctionName], None] = {}
        """Functions that ran and whose tags have not been read since they changed."""
        self._is_unsure = False
        """Whether it is not known which of our commits came through."""
        self._wake = asyncio.Event()

    @property
    def is_urgent(self) -> bool:
        """Whether there is a budget that refuses invocations once it is used up."""
        return self._urgent > 0

    async def begin(self) -> None:
        """
        Read all budgets and what was used of them; called once, before anything is invoked.

        Raises:
            DependencyError: the store failed.
        """
        async with self._lock:
            for budget in await self._store.every():
                self._watches.setdefault(budget.account, {})[budget.name] = _Watch(budget)
            self._count_urgent()
            self._look_at_clock()
            for watch in self._all():
                await self._read(watch)
        self._wake.set()

    # As it is used ----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def folding(self, usage: NewUsage) -> AsyncIterator[None]:
        """Surround a fold's commit; see the contract."""
        async with self._lock:
            try:
                yield
            except BaseException:
                # Whether it came through is the store's to say.
                self._read_again()
                raise
            if self._watches:
                try:
                    await self._count(usage)
                except BaseException as error:
                    # What is folded is folded; what it means for budgets is read again.
                    self._read_again()
                    if not isinstance(error, Exception):
                        raise
                    _log.exception("budget.count_failed")

    def _read_again(self) -> None:
        """Have all sums read from the store."""
        for watch in self._all():
            watch.is_stale = True
        self._wake.set()

    async def _count(self, usage: NewUsage) -> None:
        usages = Usages()
        if len(usage.records) < _IN_A_THREAD:
            usages.add_all(usage.records, self._watches)
        else:
            await asyncio.to_thread(usages.add_all, usage.records, self._watches)
        for one in usage.allocations:
            if one.key.scope.account in self._watches:
                usages.allocate(one.key, one.from_ms, (one.until_ms - one.from_ms) * one.environments)
        self._look_at_clock()
        touched: dict[_Watch, None] = {}
        for (key, day_s), used in usages.by_key.items():
            function = FunctionName(key.function)
            tags = self._tags.known(key.scope, function)
            for watch in self._watches[key.scope.account].values():
                watched = watch.budget.watched
                if watched.tag_key and tags is None:
                    # It was not seen yet, or has changed since: by which tags the fold went is the store's to say.
                    self._unknown[key.scope, function] = None
                    watch.is_stale = True
                    self._wake.set()
                elif not watch.is_stale and watched.includes(key.scope.region, key.function, tags or {}):
                    sums = watch.sums.get(period_start(watch.budget.period, day_s))
                    if sums is not None:
                        sums.setdefault(price_class(key), Quantities()).add(used)
                        touched[watch] = None
        for watch in touched:
            if not watch.is_stale:
                self._weigh(watch)

    # Reading ----------------------------------------------------------------------------------------------------------

    async def _read(self, watch: _Watch) -> None:
        """Read what was used of a budget, and weigh it. Under the lock."""
        budget, now = watch.budget, self._clock.now()
        current_s = period_start(budget.period, now)
        before_s = period_start(budget.period, current_s - 1)
        sums = {current_s: await self._sums(budget, current_s)}
        if budget.state(before_s) is not None:
            # What began before midnight ends after it.
            sums[before_s] = await self._sums(budget, before_s)
        watch.current_s, watch.sums, watch.is_stale = current_s, sums, False
        self._weigh(watch)

    async def _sums(self, budget: Budget, start_s: int) -> Sums:
        watched = budget.watched
        rows = await self._usage.totals(
            UsageQuestion(
                from_s=start_s,
                before_s=period_end(budget.period, start_s),
                by=UsageGroup.REGION,
                account=budget.account,
                region=watched.region or None,
                function=watched.function or None,
                tags={watched.tag_key: watched.tag_value} if watched.tag_key else {},
            )
        )
        sums: Sums = {}
        for row in rows:
            of = PriceClass(row.region, row.architecture, row.kind, row.runtime)
            total = row.total
            sums.setdefault(of, Quantities()).add(
                Quantities(
                    total.requests,
                    row.memory_mib_ms,
                    row.tmp_mib_ms,
                    total.billable_streamed_bytes,
                    row.allocated_mib_ms,
                    row.restored_mib,
                )
            )
        return sums

    def _weigh(self, watch: _Watch) -> None:
        """Say what follows from sums: what is refused now, and whether there is something to write down."""
        budget = watch.budget
        for start_s in watch.sums:
            state, view = budget.state(start_s), self._view(watch, start_s)
            warned = () if state is None else state.warned
            if state is None or not set(reached(budget.warn, view.used, view.limit)) <= set(warned):
                watch.is_due = True
                self._wake.set()
            if start_s != watch.current_s:
                continue
            if view.is_used_up:
                self._gate.stop(budget.account, budget.name, budget.watched, _refusal(view))
            else:
                self._gate.free(budget.account, budget.name)

    def _view(self, watch: _Watch, start_s: int) -> BudgetView:
        budget, sums = watch.budget, watch.sums[start_s]
        state, limit = budget.state(start_s), budget.limit(start_s)
        used = used_of(budget.measure, sums, () if state is None else state.baseline, self._prices)
        end_s = period_end(budget.period, start_s)
        return BudgetView(budget, start_s, end_s, used, limit, budget.throttle and used >= limit, sums)

    # Looking ----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the wall clock, and write down what was reached, for ever."""
        while True:
            self._wake.clear()
            try:
                await self._settle()
            except DependencyError as error:
                _log.error("budget.not_settled reason=%s", error)
                await self._clock.sleep(_AGAIN_S)
                continue
            if not self._watches:
                await self._wake.wait()
                continue
            now = self._clock.now()
            # Days begin where months do.
            timer = self._clock.call_later(min(_LOOK_EVERY_S, 86_400 - now % 86_400), self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()

    def _look_at_clock(self) -> None:
        """Have budgets begin anew whose period the wall clock is not in any more. What they refused is let in."""
        now = self._clock.now()
        day = int(now // 86_400)
        if day == self._day:
            return
        self._day = day
        for watch in self._all():
            budget = watch.budget
            if period_start(budget.period, now) != watch.current_s:
                self._gate.free(budget.account, budget.name)
                watch.is_stale = True
                self._wake.set()

    async def _settle(self) -> None:
        async with self._lock:
            if self._is_unsure:
                await self._reconcile()
            self._look_at_clock()
        while self._unknown:
            async with self._lock:
                scope, function = next(iter(self._unknown))
                await self._tags.of(scope, function)
                del self._unknown[scope, function]
        # What may have to refuse comes first.
        for watch in sorted(self._all(), key=lambda watch: not watch.budget.throttle):
            if not (watch.is_stale or watch.is_due):
                continue
            async with self._lock:
                if self._watch(watch.budget.account, watch.budget.name) is not watch:
                    # It went meanwhile, or became another, which has been read.
                    continue
                if watch.is_stale:
                    await self._read(watch)
                if watch.is_due:
                    await self._write_down(watch)

    async def _reconcile(self) -> None:
        """Watch what is stored, whatever was heard of it."""
        stored = {(one.account, one.name): one for one in await self._store.every()}
        for watch in list(self._all()):
            place = (watch.budget.account, watch.budget.name)
            there = stored.pop(place, None)
            if there is None:
                await self._take(*place, None)
            elif there.revision != watch.budget.revision:
                await self._take(*place, there)
        for (account, name), budget in stored.items():
            await self._take(account, name, budget)
        self._is_unsure = False

    async def _write_down(self, watch: _Watch) -> None:
        """Store what was reached, and what is to be told because of it, in one commit."""
        budget, now = watch.budget, self._clock.now()
        async with self._store.transaction(budget.account) as rows:
            stored = await rows.get(budget.name)
            if stored is None or stored.revision != budget.revision:
                self._is_unsure = True
                self._wake.set()
                return
            saved, notices = stored, []
            for start_s in watch.sums:
                view = self._view(watch, start_s)
                state = stored.state(start_s) or PeriodState(start_s)
                new = [one for one in reached(stored.warn, view.used, view.limit) if one not in state.warned]
                if new or stored.state(start_s) is None:
                    state = msgspec.structs.replace(state, warned=tuple(sorted({*state.warned, *new})))
                    saved = saved.with_state(state)
                    notices += [one for percent in new for one in notices_of(view, state, percent, self._prices, now)]
                for percent in new:
                    _log.warning(
                        "budget.reached account=%s budget=%s percent=%d used=%s amount=%s",
                        *(budget.account, budget.name, percent, shown_amount(view.used), shown_amount(view.limit)),
                    )
            if saved is not stored:
                saved = await rows.save(saved)
            if lost := await rows.order(notices):
                _log.error("budget.notices_dropped account=%s notices=%d reason=too many wait", budget.account, lost)
        watch.budget = saved
        watch.is_due = False

    # What people do ---------------------------------------------------------------------------------------------------

    async def change(self, account: str, name: str, decide: Decide) -> BudgetView | None:
        """
        Make, change or delete a budget; on return it acts. What ran by now is counted.

        Args:
            decide: what it raises leaves all as it was.

        Raises:
            DependencyError: the store failed. Where the change was stored, it acts within seconds.
        """
        await self._fold()
        async with self._lock:
            self._look_at_clock()
            watch = self._watch(account, name)
            if watch is not None and watch.is_stale:
                await self._read(watch)
            view = None if watch is None else self._view(watch, watch.current_s)
            try:
                async with self._store.transaction(account) as rows:
                    stored = await rows.get(name)
                    new = await decide(stored, view, rows)
                    if new is None:
                        if stored is not None:
                            await rows.delete(name)
                    elif new != stored:
                        if stored is not None and (gone := set(stored.targets) - set(new.targets)):
                            # Perhaps it was wrong, or somebody else has it now.
                            await rows.drop_notices(name, gone)
                        new = await rows.save(new)
            except BaseException:
                self._is_unsure = True
                self._wake.set()
                raise
            return await self._take(account, name, new)

    async def _take(self, account: str, name: str, budget: Budget | None) -> BudgetView | None:
        """Watch a budget as it is now. Under the lock."""
        of_account = self._watches.get(account, {})
        if budget is None:
            of_account.pop(name, None)
            if not of_account:
                self._watches.pop(account, None)
            self._count_urgent()
            self._gate.free(account, name)
            return None
        watch = self._watches.setdefault(account, {})[name] = _Watch(budget)
        self._count_urgent()
        await self._read(watch)
        self._wake.set()
        return self._view(watch, watch.current_s)

    async def views(self, account: str | None) -> Sequence[BudgetView]:
        """
        Return how the budgets of an account stand, or of all with None, with what ran by now, by account and name.

        Raises:
            DependencyError: the store failed.
        """
        if self._watches:
            await self._fold()
        async with self._lock:
            self._look_at_clock()
        places = [(watch.budget.account, watch.budget.name) for watch in self._all()]
        found = []
        for place in places:
            if account not in (None, place[0]):
                continue
            async with self._lock:
                watch = self._watch(*place)
                if watch is not None and watch.is_stale:
                    await self._read(watch)
                if watch is not None:
                    found.append(self._view(watch, watch.current_s))
        return sorted(found, key=lambda one: (one.budget.account, one.budget.name))

    def standing(self) -> Sequence[BudgetView]:
        """Return how all budgets stand as far as it is known, for metrics."""
        return [self._view(watch, watch.current_s) for watch in self._all() if watch.current_s in watch.sums]

    def _watch(self, account: str, name: str) -> _Watch | None:
        return self._watches.get(account, {}).get(name)

    def _all(self) -> Iterator[_Watch]:
        for of_account in self._watches.values():
            yield from of_account.values()

    def _count_urgent(self) -> None:
        self._urgent = sum(watch.budget.throttle for watch in self._all())


def _refusal(view: BudgetView) -> str:
    budget = view.budget
    return (
        f"Rate Exceeded. The budget {budget.name} of {shown_amount(view.limit)} {budget.measure} is used up until "
        f"{iso(view.end_s)}."
    )
