"""What follows budgets, tells of them, and refuses because of them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from lambent.assembly.access import Access
from lambent.assembly.asynchronous import Asynchronous
from lambent.assembly.tasks import logged
from lambent.assembly.telemetry import Telemetry
from lambent.clock import Clock
from lambent.dispatch.budget_gate import BudgetGate
from lambent.dispatch.function_tags import FunctionTags
from lambent.domain.price_list import PriceList
from lambent.gateway.budget_paths import BudgetPaths
from lambent.neighbours.outward import Outward
from lambent.services.billing.budget_access import BudgetAccess
from lambent.services.billing.budget_figures import families
from lambent.services.billing.budget_notices import BudgetNotices
from lambent.services.billing.budget_targets import BudgetTargets
from lambent.services.billing.budgets import Budgets
from lambent.services.billing.first_tier import FirstTier
from lambent.services.lambda_.role_checks import TargetRights
from lambent.settings import SandboxSettings
from lambent.store.budgets import BudgetRepository
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.telemetry.exposition import Family


class BudgetKeeping:
    """What follows budgets from a server's start on: it knows what is used up before anything is invoked."""

    def __init__(
        self, database: Database, telemetry: Telemetry, functions: FunctionRepository, prices: PriceList, clock: Clock
    ) -> None:
        self._store = BudgetRepository(database)
        self._functions = functions
        self._clock = clock
        self._prices = FirstTier(prices)
        self.gate = BudgetGate(FunctionTags(functions))
        self._budgets = Budgets(
            self._store,
            telemetry.usage_store,
            FunctionTags(functions),
            self._prices,
            self.gate,
            telemetry.logs.fold,
            clock,
        )
        self._telemetry = telemetry
        self._notices: BudgetNotices | None = None

    async def begun(self) -> "BudgetKeeping":
        """
        Return itself once it has read what there is.

        Raises:
            DependencyError: the store failed.
        """
        await self._budgets.begin()
        self._telemetry.logs.follow_usage(self._budgets)
        return self

    def paths(
        self,
        settings: SandboxSettings,
        asynchronous: Asynchronous,
        rights: TargetRights,
        access: Access,
        tasks: asyncio.TaskGroup,
        stack: contextlib.AsyncExitStack,
    ) -> BudgetPaths:
        """Put together what answers for budgets, and what tells of them."""
        # Its own: servers that hang hold up no API, and none of those hold up what budgets tell.
        outward = Outward(
            is_open=settings.egress != "none",
            allow_host=map(int, settings.allow_host),
            allow_net=settings.allow_net,
        )
        stack.push_async_callback(outward.close)
        targets = BudgetTargets(asynchronous.destinations, outward, access.authorizer, rights.facts)
        self._notices = BudgetNotices(
            self._store,
            targets,
            asynchronous.deliveries,
            self._clock,
            lambda work: tasks.create_task(logged(work)),
        )
        desk = BudgetAccess(
            self._budgets, self._store, self._notices, targets, self._functions, self._prices, self._clock
        )
        return BudgetPaths(desk, access.own, access.trail)

    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return by name all that goes on for as long as the server does."""
        assert self._notices is not None
        return {"budgets": self._budgets.run, "notices of budgets": self._notices.run}

    def figures(self) -> list[Family]:
        """Return what scrapers are answered of budgets."""
        return families(self._budgets.standing(), 0 if self._notices is None else self._notices.waiting)
