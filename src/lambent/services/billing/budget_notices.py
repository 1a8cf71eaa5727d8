"""
Delivers what budgets have to tell.

A notice is stored with the state that made it due. It is delivered once at least, and again only where the server ended
between its delivery and its commit. What fails is tried again for a day, with longer and longer pauses.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import msgspec

from lambent.clock import Clock
from lambent.domain.budget import BudgetView, FirstTierPrices, Measure, PeriodState, iso, shown_amount
from lambent.domain.caller import Scope
from lambent.errors.families import DependencyError
from lambent.services.billing.budget_targets import BudgetTargets, NotDelivered, shown_target
from lambent.store.budgets_contract import BudgetStore, NewNotice, PendingNotice
from lambent.telemetry.deliveries import Delivery, DeliveryCounts

LANES_MAX: Final = 32
"""Targets that are told at once. Assumed: each takes its ten seconds at most (test_budget_notices)."""

LANES_OF_ACCOUNT_MAX: Final = 8
"""Of one account: one whose servers all hang leaves the others theirs."""

TRIES_MAX: Final = 152
"""Then it is given up: by the pauses below after about a day."""

_FIRST_PAUSE_S: Final = 5.0
_PAUSE_MAX_S: Final = 600.0

_AT_ONCE: Final = 500
_AGAIN_S: Final = 5.0
_FAILURE_MAX: Final = 300

_log = logging.getLogger("lambent.services.billing")


def notices_of(
    view: BudgetView, state: PeriodState, percent: int, prices: FirstTierPrices, now: float
) -> Iterable[NewNotice]:
    """Return what is to be told because a percentage is reached, for each target. docs/budgets.md has the body."""
    budget = view.budget
    notice_id = f"{budget.account}/{budget.name}/{iso(view.start_s)[:10]}/{state.round}/{percent}"
    body = {
        "type": "BudgetReached",
        "id": notice_id,
        "account": budget.account,
        "budget": budget.name,
        "watches": budget.watched.shown(),
        "measure": budget.measure,
        "currency": prices.currency if budget.measure is Measure.MONEY else None,
        "period": {"kind": budget.period, "from": iso(view.start_s), "to": iso(view.end_s)},
        "percent": percent,
        "used": shown_amount(view.used),
        "amount": shown_amount(view.limit),
        "is_throttled": view.is_used_up,
        "at": iso(now),
    }
    text = msgspec.json.encode(body).decode()
    for target in budget.targets:
        yield NewNotice(budget.account, budget.name, target, notice_id, percent, view.start_s, now, text)


def pause_s(tries: int) -> float:
    """Return how long to wait after so many tries in a row that failed."""
    return float(min(_FIRST_PAUSE_S * 2 ** min(tries - 1, 10), _PAUSE_MAX_S))


_Lane = tuple[str, str]
"""An account and a target: what is for it is told one after the other, the oldest first."""


class BudgetNotices:
    """
    Delivers, to each target on its own.

    Args:
        spawn: starts a task.
        counts: what comes of each try is counted there.
    """

    def __init__(
        self,
        store: BudgetStore,
        targets: BudgetTargets,
        counts: DeliveryCounts,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
    ) -> None:
        self._store = store
        self._targets = targets
        self._counts = counts
        self._clock = clock
        self._spawn = spawn
        self._at_work: dict[_Lane, asyncio.Task[None]] = {}
        self._pause_until: dict[_Lane, float] = {}
        """Monotonic. Of lanes whose first notice failed; a start begins without any."""
        self._wake = asyncio.Event()
        self.waiting = 0
        """Notices that are not delivered, as far as is known."""
        store.on_notices(self._wake.set)

    async def run(self) -> None:
        """Deliver what there is, for ever."""
        try:
            while True:
                self._wake.clear()
                try:
                    wait_s = await self._start_lanes()
                except DependencyError as error:
                    _log.error("budget.notices_not_read reason=%s", error)
                    wait_s = _AGAIN_S
                timer = None if wait_s is None else self._clock.call_later(wait_s, self._wake.set)
                try:
                    await self._wake.wait()
                finally:
                    if timer is not None:
                        timer.cancel()
        finally:
            for task in self._at_work.values():
                task.cancel()

    def next_try_s(self, notice: NewNotice) -> float:
        """Return in how many seconds a notice that waits is tried next; those before it come first."""
        until = self._pause_until.get((notice.account, notice.target), 0.0)
        return max(until - self._clock.monotonic(), 0.0)

    async def _start_lanes(self) -> float | None:
        """Begin with targets that there is something for; return in how many seconds to look again, None: if woken."""
        # One that ends while this reads may have delivered what this reads of it: it wakes this again.
        busy = set(self._at_work)
        lanes: dict[_Lane, list[PendingNotice]] = {}
        after = waiting = 0
        while some := await self._store.pending(after=after, limit=_AT_ONCE):
            after, waiting = some[-1].number, waiting + len(some)
            for one in some:
                lanes.setdefault((one.notice.account, one.notice.target), []).append(one)
        self.waiting = waiting
        self._pause_until = {lane: until for lane, until in self._pause_until.items() if lane in lanes}
        later: list[float] = []
        now = self._clock.monotonic()
        for lane, notices in lanes.items():
            until = self._pause_until.get(lane, 0.0)
            of_account = sum(account == lane[0] for account, _ in self._at_work)
            if lane in busy or len(self._at_work) >= LANES_MAX or of_account >= LANES_OF_ACCOUNT_MAX:
                # Whichever ends wakes this.
                continue
            if until > now:
                later.append(until - now)
                continue
            self._at_work[lane] = self._spawn(self._tell(lane, notices))
        return min(later, default=None)

    async def _tell(self, lane: _Lane, notices: list[PendingNotice]) -> None:
        try:
            for one in notices:
                if not await self._deliver(one):
                    self._pause_until[lane] = self._clock.monotonic() + pause_s(one.notice.tries + 1)
                    break
                self._pause_until.pop(lane, None)
        except Exception:
            # The store's failure, or what is ours to mend: what is stored is tried again.
            _log.exception("budget.notice_failed account=%s target=%s", lane[0], shown_target(lane[1]))
            self._pause_until[lane] = self._clock.monotonic() + _AGAIN_S
        finally:
            del self._at_work[lane]
            self._wake.set()

    async def _deliver(self, pending: PendingNotice) -> bool:
        """Deliver a notice; say whether it is done with."""
        notice = pending.notice
        scope, target = Scope(notice.account, ""), shown_target(notice.target)
        try:
            await self._targets.deliver(notice.target, notice.body.encode(), notice.id)
        except NotDelivered as error:
            tries = notice.tries + 1
            failure = str(error)[:_FAILURE_MAX]
            is_over = tries >= TRIES_MAX
            _log.warning(
                "budget.notice_%s account=%s budget=%s percent=%d target=%s tries=%d reason=%s",
                *("given_up" if is_over else "not_delivered", notice.account, notice.budget, notice.percent, target),
                *(tries, failure),
            )
            self._counts.count(scope, target, Delivery.GIVEN_UP if is_over else Delivery.FAILED)
            if not is_over:
                tried = msgspec.structs.replace(notice, tries=tries, tried_at=self._clock.now(), failure=failure)
                # One that went with its budget meanwhile is done with.
                return not await self._store.note_failure(pending.number, tried)
        else:
            _log.info(
                "budget.notice_delivered account=%s budget=%s percent=%d target=%s",
                *(notice.account, notice.budget, notice.percent, target),
            )
            self._counts.count(scope, target, Delivery.DELIVERED)
        await self._store.finish(pending.number)
        return True
