"""The one path that every invocation takes."""

import asyncio
import logging

from lambent.dispatch.resolve import VersionResolver
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName, FunctionVersion
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.fleet.contract import Placement, Workers
from lambent.store.contract import FunctionChange, FunctionStore

_log = logging.getLogger("lambent.dispatch")


class Dispatcher:
    """
    Resolves, acquires a slot and runs.

    Args:
        store: whose change notices retire environments of old deployments.
        placement: grants slots.
        workers: runs invocations in them.
    """

    def __init__(self, store: FunctionStore, placement: Placement, workers: Workers) -> None:
        self._store = store
        self._placement = placement
        self._workers = workers
        self._resolver = VersionResolver(store)
        self._changed: dict[tuple[Scope, FunctionName], None] = {}
        self._has_changed = asyncio.Event()
        store.on_change(self._note_change)

    async def resolve(self, scope: Scope, name: FunctionName, qualifier: str | None) -> FunctionVersion | None:
        """Return the version that a qualifier names, or None when there is none."""
        return await self._resolver.resolve(scope, name, qualifier)

    async def run(self, version: FunctionVersion, invocation: Invocation) -> InvocationOutcome:
        """
        Run one invocation now.

        Args:
            version: Active; the caller has checked.

        Raises:
            Throttled: no slot may be granted now.
            DependencyError: this machine could not provide the environment.
        """
        slot = await self._placement.acquire(version.deployment())
        return await self._workers.invoke(slot, invocation)

    def _note_change(self, change: FunctionChange) -> None:
        # Names, not events: however many changes come, what waits here is bounded by the number of functions.
        self._changed[(change.scope, change.name)] = None
        self._has_changed.set()

    async def retire_old_deployments(self) -> None:
        """Follow the store's changes for ever; retire environments whose deployment no version serves any more."""
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            changed, self._changed = self._changed, {}
            for scope, name in changed:
                async with self._store.snapshot(scope) as reading:
                    versions = await reading.list_versions(name, after=None, limit=1_000_000)
                self._placement.retain(scope, name, {version.deployment().deployment_id for version in versions})
