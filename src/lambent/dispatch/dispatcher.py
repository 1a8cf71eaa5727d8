"""The one path that every invocation takes."""

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from lambent.clock import Clock
from lambent.dispatch.budget_gate import BudgetGate
from lambent.dispatch.function_tags import FunctionTags
from lambent.dispatch.resolve import VersionResolver
from lambent.dispatch.slots import AccountSlots, Grant, Pool, Slots
from lambent.domain.caller import Scope
from lambent.domain.concurrency import Peaks
from lambent.domain.function import FunctionName, FunctionVersion
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.domain.quotas import AccountQuotas, Quotas
from lambent.fleet.contract import Placement, Slot, Throttled, Workers
from lambent.store.contract import FunctionChange, FunctionStore
from lambent.telemetry.figures import FunctionFigures
from lambent.telemetry.lambda_metrics import LambdaMetrics
from lambent.telemetry.traces import Traces

_log = logging.getLogger("lambent.dispatch")

HANDOVER_S = 0.5
"""
How long a call waits, where a limit is reached, for an invocation that has been answered to be over. It counts until
its runtime asks for the next event: a caller that comes back at once is faster, and must not be refused for that.
Assumed: a runtime asks well within a millisecond, and on an overloaded machine within some hundred: a refusal would be
wrong there and a wait is not; revisit test_dispatcher.py.
"""

_VERSIONS_MAX = 1_000_000
"""All of a function's: no function has so many."""


class Dispatcher:
    """
    Resolves, counts, acquires a slot and runs.

    Args:
        store: whose change notices retire environments of old deployments, and tell of changed claims to concurrency.
        placement: grants slots.
        workers: runs invocations in them.
        quotas: how much may be in flight.
        of_accounts: the same of single accounts; None: all have `quotas`.
        traces: what whoever runs something leaves traces in; None: nobody reads any.
        figures: where refusals are counted.
        metrics: told of refusals, and of what runs as provisioned; None: nobody is.
        budgets: those that are used up; None: there are none.
    """

    def __init__(
        self,
        store: FunctionStore,
        placement: Placement,
        workers: Workers,
        quotas: Quotas,
        clock: Clock,
        of_accounts: AccountQuotas | None = None,
        traces: Traces | None = None,
        figures: FunctionFigures | None = None,
        metrics: LambdaMetrics | None = None,
        budgets: BudgetGate | None = None,
    ) -> None:
        self.traces = traces or Traces(None, clock)
        self._store = store
        self._placement = placement
        self._workers = workers
        self._clock = clock
        self._figures = figures or FunctionFigures()
        self._metrics = metrics
        self._budgets = budgets or BudgetGate(FunctionTags(store))
        self._resolver = VersionResolver(store, clock)
        self._slots = Slots(quotas)
        self._quotas: AccountQuotas = of_accounts or quotas
        self._quotas.on_change(self._slots.note_account_change)
        self._changed: dict[tuple[Scope, FunctionName], None] = {}
        self._has_changed = asyncio.Event()
        store.on_change(self._note_change)

    async def resolve(self, scope: Scope, name: FunctionName, qualifier: str | None) -> FunctionVersion | None:
        """Return the version that a qualifier names, or None when there is none."""
        return await self._resolver.resolve(scope, name, qualifier)

    async def may_recurse(self, scope: Scope, name: FunctionName) -> bool:
        """Say whether a chain of invocations may come back to a function without end."""
        async with self._store.snapshot(scope) as reading:
            function = await reading.function(name)
        return function is not None and function.may_recurse

    async def slots(self, scope: Scope) -> AccountSlots:
        """Return what counts for a scope, with claims as they are. Do not keep it."""
        return await self._account(scope)

    def slots_nowait(self, scope: Scope) -> AccountSlots:
        """Return the same, with claims as they were when they were last read."""
        return self._slots.account(scope, self._clock.monotonic())

    def take_peaks(self) -> Sequence[tuple[Scope, Peaks]]:
        """Return, of each account in which anything was, the most that was in flight since the last call."""
        return self._slots.take_peaks()

    async def run(self, version: FunctionVersion, invocation: Invocation) -> InvocationOutcome:
        """
        Run one invocation now.

        It counts against the limits until its environment is free or gone, whatever becomes of the caller.

        Args:
            version: Active; the caller has checked.

        Raises:
            Throttled: a limit is reached, or no slot may be granted now.
            DependencyError: the store failed, or this machine could not provide the environment.
        """
        try:
            slot, grant = await self._acquire(version, invocation)
        except Throttled:
            self._figures.of(version.scope, version.name).throttles += 1
            if self._metrics is not None:
                self._metrics.throttled(version.scope, invocation.invoked_arn)
            raise
        if grant.is_provisioned is not None and self._metrics is not None:
            self._metrics.provisioned(version.scope, invocation.invoked_arn, is_spilled=not grant.is_provisioned)
        if version.is_weighted:
            invocation = msgspec.structs.replace(invocation, is_weighted=True)
        outcome = await self._workers.invoke(slot, invocation)
        if outcome.stream is None:
            grant.answer()
        else:
            outcome.stream.when_ended(grant.answer)
        return outcome

    async def _acquire(self, version: FunctionVersion, invocation: Invocation) -> tuple[Slot, Grant]:
        """
        Count one more invocation and get a place for it.

        Raises:
            Throttled: a limit is reached, a budget is used up, or no slot may be granted now.
            DependencyError: the store failed.
        """
        stopped = self._budgets.stopped
        if stopped and (of_account := stopped.get(version.scope.account)) is not None:
            await of_account.check(version.scope, version.name)
        now = self._clock.monotonic()
        account = self._slots.account(version.scope, now)
        if account.is_current:
            try:
                grant = account.take(version.name, now, version.version)
            except Throttled:
                grant = await self._take(version)
        else:
            grant = await self._take(version)
        try:
            deployment = version.deployment()
            if invocation.tenant is not None:
                deployment = deployment.for_tenant(invocation.tenant)
            return await self._placement.acquire(deployment, grant.release), grant
        except BaseException:
            grant.release()
            raise

    async def _take(self, version: FunctionVersion) -> Grant:
        """
        Count one more invocation, once claims are read and what is about to be over had a moment for it.

        Raises:
            Throttled: a limit is reached.
        """
        give_up_at = self._clock.monotonic() + HANDOVER_S
        while True:
            account = await self._account(version.scope)
            now = self._clock.monotonic()
            try:
                return account.take(version.name, now, version.version)
            except Throttled:
                pool = account.pool_about_to_free(version.name, version.version)
                if pool is None or now >= give_up_at:
                    raise
            await self._wait_for_room(pool, give_up_at - now)

    async def _account(self, scope: Scope) -> AccountSlots:
        """Return what counts for a scope, with claims as they were when this was called, or newer ones."""
        while True:
            account = self._slots.account(scope, self._clock.monotonic())
            if account.is_current:
                return account
            as_of = account.changes
            quotas = await self._quotas.of(scope.account)
            async with self._store.snapshot(scope) as reading:
                claims = await reading.claims()
            account.claim(claims, as_of, quotas)
            # Not until it is current: where changes come faster than they are read, nobody would be served. But it may
            # have been idle enough to be forgotten.
            if account is self._slots.account(scope, self._clock.monotonic()):
                return account

    async def _wait_for_room(self, pool: Pool, most_s: float) -> None:
        """Return when something in a pool is over, or its limit has changed, or after `most_s`."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def tell() -> None:
            if not told.done():
                told.set_result(None)

        pool.waiting.append(tell)
        timer = self._clock.call_later(most_s, tell)
        try:
            await told
        except asyncio.CancelledError:
            if told.done() and not told.cancelled() and pool.waiting:
                # What it was told of is there for the next one that waits.
                pool.waiting.popleft()()
            raise
        finally:
            timer.cancel()
            if tell in pool.waiting:
                pool.waiting.remove(tell)

    def _note_change(self, change: FunctionChange) -> None:
        self._slots.note_change(change.scope)
        # Names, not events: however many changes come, what waits here is bounded by the number of functions.
        self._changed[(change.scope, change.name)] = None
        self._has_changed.set()

    async def retire_old_deployments(self) -> None:
        """Follow the store's changes for ever; retire environments whose deployment no version serves any more."""
        while True:
            while self._changed:
                await self._retire_old_deployments_of(*next(iter(self._changed)))
            self._has_changed.clear()
            await self._has_changed.wait()

    async def _retire_old_deployments_of(self, scope: Scope, name: FunctionName) -> None:
        # Before reading: a change that comes meanwhile is another one.
        del self._changed[(scope, name)]
        try:
            async with self._store.snapshot(scope) as reading:
                versions = await reading.list_versions(name, after=None, limit=_VERSIONS_MAX)
            # Whoever changes a function mostly invokes it next: that cold start is to find it read.
            await self._resolver.resolve(scope, name, None)
        except BaseException:
            self._changed[(scope, name)] = None
            raise
        self._placement.retain(scope, name, {version.deployment().deployment_id for version in versions})
