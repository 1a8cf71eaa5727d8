"""
Takes new and updated functions from Pending to Active, or to Failed.

A function is Pending while its runtime is made ready (which may install the runtime's client); an update is
InProgress likewise, and the old deployment serves meanwhile. What a crash interrupted is taken up at the start.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, Deployment, FunctionName, FunctionVersion, State, UpdateStatus
from lambent.errors.families import DependencyError
from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.store.contract import FunctionStore, Packages

_log = logging.getLogger("lambent.services")

_AT_ONCE_MAX = 16
_RETRY_S = 1.0
"""Assumed: how soon a store that failed is worth asking again; revisit test_activation.py."""


class Activation:
    """
    Settles functions. `run` is a supervised task; `settle_soon` may be called before it runs.

    Args:
        expect: called with what is about to become Active, before it does: its first invocation may come at once.
    """

    def __init__(
        self,
        store: FunctionStore,
        packages: Packages,
        runtimes: Runtimes,
        clock: Clock,
        expect: Callable[[Deployment], Awaitable[None]],
    ) -> None:
        self._store = store
        self._packages = packages
        self._runtimes = runtimes
        self._clock = clock
        self._expect = expect
        self._waiting: dict[tuple[Scope, FunctionName], None] = {}
        self._has_waiting = asyncio.Event()

    def settle_soon(self, scope: Scope, name: FunctionName) -> None:
        """Ask for a function to be settled. Names wait, not events: the functions there are bound the queue."""
        self._waiting[(scope, name)] = None
        self._has_waiting.set()

    async def run(self) -> None:
        """Settle functions for ever, what an earlier server left unsettled first."""
        for version in await self._store.unsettled():
            self.settle_soon(version.scope, version.name)
        limit = asyncio.Semaphore(_AT_ONCE_MAX)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._has_waiting.wait()
                while self._waiting:
                    await limit.acquire()
                    scope, name = next(iter(self._waiting))
                    del self._waiting[(scope, name)]
                    tasks.create_task(self._settle_one(scope, name, limit), name=f"settle {name}")
                self._has_waiting.clear()

    async def _settle_one(self, scope: Scope, name: FunctionName, limit: asyncio.Semaphore) -> None:
        try:
            await self.settle(scope, name)
        except DependencyError as error:
            _log.error("activation.failed function=%s reason=%s", name, error)
            self._clock.call_later(_RETRY_S, lambda: self.settle_soon(scope, name))
        finally:
            limit.release()

    async def settle(self, scope: Scope, name: FunctionName) -> None:
        """
        Prepare what `$LATEST` asks for and store the result, for it and for versions published of it.

        Nothing happens when the function is gone, settled, or changed again meanwhile (the change asked anew).
        """
        async with self._store.snapshot(scope) as reading:
            wanted = await reading.version(name, LATEST)
        if wanted is None:
            return
        failure = await self._prepare(wanted)
        async with self._store.transaction(scope) as tx:
            latest = await tx.version(name, LATEST)
            if latest is None or latest.deployment_id != wanted.deployment_id:
                return
            for version in await tx.list_versions(name, after=None, limit=1_000_000):
                settled = self._settled(version, failure)
                if settled is not None:
                    await tx.save_version(settled)

    async def _prepare(self, wanted: FunctionVersion) -> str | None:
        """Return why the deployment cannot run, None when it can."""
        try:
            await self._packages.folder(wanted.code.sha256)
            await self._runtimes.prepare(wanted.configuration.runtime)
            await self._expect(wanted.deployment())
        except RuntimeUnavailable as error:
            return str(error)
        except KeyError:
            return "the deployment package is missing from the data folder"
        return None

    def _settled(self, version: FunctionVersion, failure: str | None) -> FunctionVersion | None:
        """Return the version with its state settled, None when it is settled already."""
        revision_id = self._clock.new_id()
        if version.state is State.PENDING:
            if failure is None:
                return msgspec.structs.replace(
                    version,
                    state=State.ACTIVE,
                    state_reason=None,
                    state_reason_code=None,
                    last_update_status=UpdateStatus.SUCCESSFUL,
                    revision_id=revision_id,
                )
            return msgspec.structs.replace(
                version,
                state=State.FAILED,
                state_reason=failure,
                state_reason_code="InvalidRuntime",
                last_update_status=UpdateStatus.FAILED,
                last_update_status_reason=failure,
                last_update_status_reason_code="InvalidRuntime",
                revision_id=revision_id,
            )
        if version.last_update_status is UpdateStatus.IN_PROGRESS:
            return msgspec.structs.replace(
                version,
                last_update_status=UpdateStatus.SUCCESSFUL if failure is None else UpdateStatus.FAILED,
                last_update_status_reason=failure,
                last_update_status_reason_code=None if failure is None else "InvalidRuntime",
                serving=None if failure is None else version.serving,
                revision_id=revision_id,
            )
        return None
