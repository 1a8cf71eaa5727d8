"""
What people do with budgets: make, see, raise, reset and delete them.

In: what was asked for, as far as its form goes. Out: how budgets stand. What cannot be is refused by the member's name,
and then nothing has changed.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from lambent.clock import Clock
from lambent.domain.arn import parse_function_reference
from lambent.domain.budget import (
    BUDGETS_MAX,
    PERCENT_MAX,
    TARGETS_MAX,
    WARN_MAX,
    Budget,
    BudgetPeriod,
    BudgetView,
    FirstTierPrices,
    Measure,
    PeriodState,
    Watched,
    counted,
    iso,
    rearmed,
    shown_amount,
    used_of,
)
from lambent.domain.caller import Caller, Scope
from lambent.errors.families import ApiError
from lambent.services.billing.budget_notices import BudgetNotices
from lambent.services.billing.budget_targets import BudgetTargets, InvalidTarget
from lambent.services.billing.budgets import Budgets
from lambent.store.budgets_contract import BudgetRows, BudgetStore
from lambent.store.contract import FunctionStore

AMOUNT_MAX: Final = Decimal(10) ** 15
_PLACES_MAX: Final = 9
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)


class InvalidBudget(ApiError):
    """The request cannot be; the text names the member."""

    code = "ValidationError"
    status = 400


class NoSuchBudget(ApiError):
    code = "NoSuchEntity"
    status = 404


class TooManyBudgets(ApiError):
    code = "LimitExceeded"
    status = 409


class PutAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A budget as it is to be. Where neither a function nor a tag is named, the account's usage counts."""

    name: str
    account: str | None = None
    function: str | None = None
    """Its name, or its ARN."""
    region: str | None = None
    tag: str | None = None
    """KEY=VALUE."""
    measure: Measure
    amount: Decimal
    period: BudgetPeriod = BudgetPeriod.MONTH
    warn: tuple[int, ...] = (50, 80, 100)
    targets: tuple[str, ...] = ()
    throttle: bool = False


class NameAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One budget."""

    name: str
    account: str | None = None


class RaiseAsk(NameAsk, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """More, to an amount or by one."""

    to: Decimal | None = None
    by: Decimal | None = None
    is_for_good: bool = False


class ListAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which budgets. `all` are those of all accounts."""

    account: str | None = None
    name: str | None = None


class BudgetAccess:
    """
    Does it.

    Args:
        functions: which there are.
    """

    def __init__(
        self,
        budgets: Budgets,
        store: BudgetStore,
        notices: BudgetNotices,
        targets: BudgetTargets,
        functions: FunctionStore,
        prices: FirstTierPrices,
        clock: Clock,
    ) -> None:
        self._budgets = budgets
        self._store = store
        self._notices = notices
        self._targets = targets
        self._functions = functions
        self._prices = prices
        self._clock = clock

    async def put(self, caller: Caller, account: str, ask: PutAsk) -> Mapping[str, Any]:
        """
        Make a budget, or change one of that name. What counts the same goes on to count.

        Raises:
            ApiError: it cannot be.
            DependencyError: the store failed.
        """
        watched = self._watched(caller, account, ask)
        new = Budget(
            account,
            _checked_name(ask.name),
            watched,
            ask.measure,
            _checked_amount("amount", ask.amount, ask.measure),
            ask.period,
            _checked_percentages(ask.warn),
            await self._checked_targets(caller, account, ask.targets),
            ask.throttle,
        )

        async def decide(old: Budget | None, view: BudgetView | None, rows: BudgetRows) -> Budget:
            if old is None:
                if await rows.count() >= BUDGETS_MAX:
                    raise TooManyBudgets(
                        f"account {account} has {BUDGETS_MAX} budgets, which is as many as it may have"
                    )
                await self._check_function(account, watched)
                return msgspec.structs.replace(new, created_at=self._clock.now())
            if old.watched != watched:
                await self._check_function(account, watched)
            return _changed(old, new, view)

        return await self._shown(await self._budgets.change(account, new.name, decide))

    async def shown(self, ask: ListAsk) -> Sequence[Mapping[str, Any]]:
        """Return budgets by account and name, as they stand, with what waits to be told because of them."""
        account = None if ask.account == "all" else ask.account
        views = [one for one in await self._budgets.views(account) if ask.name in (None, one.budget.name)]
        found: list[Mapping[str, Any]] = []
        waiting: dict[str, Mapping[str, list[Mapping[str, Any]]]] = {}
        for view in views:
            of = view.budget.account
            if of not in waiting:
                waiting[of] = await self._waiting(of)
            found.append(_shown(view, self._prices) | {"notices": waiting[of].get(view.budget.name, [])})
        return found

    async def delete(self, account: str, ask: NameAsk) -> bool:
        """Delete a budget and what is still to be told because of it; False where there is none."""
        was_there = False

        async def decide(old: Budget | None, view: BudgetView | None, rows: BudgetRows) -> None:
            nonlocal was_there
            was_there = old is not None

        await self._budgets.change(account, _checked_name(ask.name), decide)
        return was_there

    async def raise_(self, account: str, ask: RaiseAsk) -> Mapping[str, Any]:
        """Let a budget have more, in this period or from now on. `to` may be repeated, `by` adds each time."""
        if (ask.to is None) == (ask.by is None):
            raise InvalidBudget("to, by: one of the two is needed, and not both")

        async def decide(old: Budget | None, view: BudgetView | None, rows: BudgetRows) -> Budget:
            if old is None or view is None:
                raise _no_such(ask.name)
            before = old.limit(view.start_s)
            # What was given for this period alone is not to become so much for good.
            had = old.amount if ask.is_for_good else before
            more = Decimal(0)
            if ask.to is not None:
                wanted = _checked_amount("to", ask.to, old.measure)
            else:
                assert ask.by is not None
                more = _checked_amount("by", ask.by, old.measure)
                wanted = _checked_amount("by", had + more, old.measure)
            if wanted < had:
                raise InvalidBudget(
                    f"to: {shown_amount(wanted)} is less than the {shown_amount(had)} that it has; PutBudget lowers it"
                )
            state, raised = old.state(view.start_s) or PeriodState(view.start_s), old
            if ask.is_for_good:
                raised = msgspec.structs.replace(old, amount=wanted)
                if state.raised_to is not None and more:
                    state = msgspec.structs.replace(state, raised_to=_checked_amount("by", before + more, old.measure))
            elif wanted > before:
                state = msgspec.structs.replace(state, raised_to=wanted)
            limit = raised.with_state(state).limit(view.start_s)
            return raised.with_state(rearmed(state, view.used, limit)) if limit > before else raised

        return await self._shown(await self._budgets.change(account, _checked_name(ask.name), decide))

    async def reset(self, account: str, ask: NameAsk) -> Mapping[str, Any]:
        """Count from now on, until the period ends."""

        async def decide(old: Budget | None, view: BudgetView | None, rows: BudgetRows) -> Budget:
            if old is None or view is None:
                raise _no_such(ask.name)
            state = old.state(view.start_s) or PeriodState(view.start_s)
            baseline = counted(view.sums)
            if baseline == state.baseline:
                return old
            reset = msgspec.structs.replace(state, baseline=baseline)
            return old.with_state(rearmed(reset, Decimal(0), old.limit(view.start_s)))

        return await self._shown(await self._budgets.change(account, _checked_name(ask.name), decide))

    # ------------------------------------------------------------------------------------------------------------------

    async def _shown(self, view: BudgetView | None) -> Mapping[str, Any]:
        assert view is not None, "it was made or changed just now"
        waiting = await self._waiting(view.budget.account)
        return _shown(view, self._prices) | {"notices": waiting.get(view.budget.name, [])}

    async def _waiting(self, account: str) -> Mapping[str, list[Mapping[str, Any]]]:
        """Return what waits to be told, by the budget's name."""
        async with self._store.snapshot(account) as rows:
            pending = await rows.notices()
        found: dict[str, list[Mapping[str, Any]]] = {}
        for one in pending:
            notice = one.notice
            found.setdefault(notice.budget, []).append(
                {
                    "id": notice.id,
                    "percent": notice.percent,
                    "target": notice.target,
                    "due_at": iso(notice.due_at),
                    "tries": notice.tries,
                    "tried_at": iso(notice.tried_at) if notice.tries else None,
                    "failure": notice.failure or None,
                    "next_try_s": round(self._notices.next_try_s(notice), 1),
                }
            )
        return found

    def _watched(self, caller: Caller, account: str, ask: PutAsk) -> Watched:
        if ask.function is not None and ask.tag is not None:
            raise InvalidBudget("function, tag: a budget watches one of the two, or the account")
        if ask.tag is not None:
            key, separator, value = ask.tag.partition("=")
            if not separator or not 1 <= len(key) <= 128 or len(value) > 256 or "\0" in ask.tag:
                raise InvalidBudget(f"tag: {ask.tag[:100]!r} is not KEY=VALUE of at most 128 and 256 characters")
            return Watched(tag_key=key, tag_value=value)
        if ask.function is None:
            if ask.region is not None:
                raise InvalidBudget("region: only a function is of one")
            return Watched()
        try:
            reference = parse_function_reference(ask.function)
        except ValueError as error:
            raise InvalidBudget(f"function: {ask.function[:100]!r} is neither a name nor an ARN: {error}") from None
        if reference.qualifier is not None:
            raise InvalidBudget("function: a budget watches all versions; leave the qualifier out")
        if reference.account not in (None, account):
            raise InvalidBudget(f"function: {ask.function} is not of account {account}")
        region = reference.region or ask.region or caller.scope.region
        if ask.region not in (None, region):
            raise InvalidBudget(f"region: {ask.region[:40]!r} is not the one of the function's ARN")
        if _REGION.fullmatch(region) is None:
            raise InvalidBudget(f"region: {region[:60]!r} is none")
        return Watched(str(reference.name), region)

    async def _check_function(self, account: str, watched: Watched) -> None:
        if not watched.function:
            return
        reference = parse_function_reference(watched.function)
        async with self._functions.snapshot(Scope(account, watched.region)) as reading:
            if await reading.function(reference.name) is None:
                raise InvalidBudget(
                    f"function: account {account} has no function {watched.function} in {watched.region}"
                )

    async def _checked_targets(self, caller: Caller, account: str, targets: Sequence[str]) -> tuple[str, ...]:
        if len(targets) > TARGETS_MAX:
            raise InvalidBudget(f"targets: {len(targets)} are more than {TARGETS_MAX}")
        for target in targets:
            try:
                await self._targets.check(caller, account, target)
            except InvalidTarget as error:
                raise InvalidBudget(f"targets: {error}") from None
        return tuple(dict.fromkeys(targets))


def checked_account(account: str) -> str:
    """
    Return an account's number.

    Raises:
        InvalidBudget: it is none.
    """
    if _ACCOUNT.fullmatch(account) is None:
        raise InvalidBudget(f"account: {account[:40]!r} is not twelve digits")
    return account


def _changed(old: Budget, new: Budget, view: BudgetView | None) -> Budget:
    """Return a budget as it is put anew: what it counts, and what it told, it keeps where that means the same."""
    kept = msgspec.structs.replace(new, created_at=old.created_at, revision=old.revision, states=old.states)
    if (old.watched, old.measure, old.period) != (new.watched, new.measure, new.period):
        return msgspec.structs.replace(kept, states=())
    if view is None or new.amount <= old.amount:
        return kept
    state, limit = kept.state(view.start_s), kept.limit(view.start_s)
    return kept if state is None else kept.with_state(rearmed(state, view.used, limit))


def _shown(view: BudgetView, prices: FirstTierPrices) -> dict[str, Any]:
    budget = view.budget
    state = budget.state(view.start_s) or PeriodState(view.start_s)
    return {
        "name": budget.name,
        "account": budget.account,
        "watches": budget.watched.shown(),
        "measure": budget.measure,
        "currency": prices.currency if budget.measure is Measure.MONEY else None,
        "amount": shown_amount(budget.amount),
        "period": budget.period,
        "warn": budget.warn,
        "targets": budget.targets,
        "throttle": budget.throttle,
        "created_at": iso(budget.created_at),
        "now": {
            "from": iso(view.start_s),
            "to": iso(view.end_s),
            "used": shown_amount(view.used),
            "amount": shown_amount(view.limit),
            "percent": float(round(view.used * 100 / view.limit, 2)),
            "warned": state.warned,
            "is_throttled": view.is_used_up,
            "is_raised": view.limit != budget.amount,
            "not_counted": shown_amount(used_of(budget.measure, view.sums, (), prices) - view.used),
        },
    }


def _no_such(name: str) -> NoSuchBudget:
    return NoSuchBudget(f"there is no budget {name}")


def _checked_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise InvalidBudget(f"name: {name[:100]!r} is not 1 to 100 letters, digits, dots, underscores and hyphens")
    return name


def _checked_amount(member: str, amount: Decimal, measure: Measure) -> Decimal:
    if not amount.is_finite() or not 0 < amount <= AMOUNT_MAX:
        raise InvalidBudget(f"{member}: {str(amount)[:60]} is not more than 0 and at most {AMOUNT_MAX}")
    # By its digits: arithmetic, `normalize` included, rounds those that have many, and makes 0 of what is too small.
    _, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int)
    places = len(bytes(digits).rstrip(b"\0")) - len(digits) - exponent
    if measure is Measure.REQUESTS and places > 0:
        raise InvalidBudget(f"{member}: {str(amount)[:60]} is no whole number of requests")
    if places > _PLACES_MAX:
        raise InvalidBudget(f"{member}: {str(amount)[:60]} has more than {_PLACES_MAX} places")
    return Decimal(shown_amount(amount))


def _checked_percentages(warn: Sequence[int]) -> tuple[int, ...]:
    if len(warn) > WARN_MAX:
        raise InvalidBudget(f"warn: {len(warn)} percentages are more than {WARN_MAX}")
    for percent in warn:
        if not 1 <= percent <= PERCENT_MAX:
            raise InvalidBudget(f"warn: {percent} is not between 1 and {PERCENT_MAX}")
    return tuple(sorted(set(warn)))
