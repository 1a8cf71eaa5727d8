"""
Takes new and updated functions from Pending to Active, or to Failed.

A function is Pending while its runtime is made ready (which may install the runtime's client); an update is
InProgress likewise, and the old deployment serves meanwhile. What a crash interrupted is taken up at the start.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, Deployment, FunctionName, FunctionVersion, State, UpdateStatus
from lambent.domain.invocation import EnvironmentFailure
from lambent.errors.families import DependencyError
from lambent.execution.environment import InitFailure
from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.store.contract import FunctionStore, Packages

_log = logging.getLogger("lambent.services")

_AT_ONCE_MAX = 16
_RETRY_S = 1.0
"""Assumed: how soon a store that failed is worth asking again; revisit test_activation.py."""

_REASON_CHARACTERS_MAX = 1024
"""Assumed: how much of an error that a function reports is worth storing with its version."""

_UNPREPARED = "InvalidRuntime"
"""Assumed: the code of the model that comes nearest to a runtime or package that this machine cannot provide."""


class Activation:
    """
    Settles functions. `run` is a supervised task; `settle_soon` may be called before it runs.

    Args:
        expect: called with what is about to become Active, before it does: its first invocation may come at once.
        first_init: runs the init of a published version with SnapStart and keeps what it leaves; returns why the
            function's init failed. Raises DependencyError where it was not the function's fault.
    """

    def __init__(
        self,
        store: FunctionStore,
        packages: Packages,
        runtimes: Runtimes,
        clock: Clock,
        expect: Callable[[Deployment], Awaitable[None]],
        first_init: Callable[[Deployment], Awaitable[InitFailure | None]],
    ) -> None:
        self._store = store
        self._packages = packages
        self._runtimes = runtimes
        self._clock = clock
        self._expect = expect
        self._first_init = first_init
        self._in_first_init: set[str] = set()
        """Deployments whose first init is under way."""
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
                    tasks.create_task(self._settle_one(scope, name, limit, tasks), name=f"settle {name}")
                self._has_waiting.clear()

    async def _settle_one(
        self, scope: Scope, name: FunctionName, limit: asyncio.Semaphore, tasks: asyncio.TaskGroup
    ) -> None:
        try:
            for version in await self.settle(scope, name):
                # On their own: an init may take minutes, and settling others must not wait for it.
                tasks.create_task(self._initialise_one(version), name=f"first init {name}")
        except Exception as error:
            self._put_off(scope, name, error)
        finally:
            limit.release()

    async def _initialise_one(self, version: FunctionVersion) -> None:
        try:
            await self.initialise(version)
        except Exception as error:
            self._put_off(version.scope, version.name, error)

    def _put_off(self, scope: Scope, name: FunctionName, error: Exception) -> None:
        """Log a failure of ours and try again later; the other functions, and inits that take minutes, go on."""
        trace = None if isinstance(error, DependencyError) else error
        _log.error("activation.failed function=%s reason=%s", name, error, exc_info=trace)
        self._clock.call_later(_RETRY_S, lambda: self.settle_soon(scope, name))

    async def settle(self, scope: Scope, name: FunctionName) -> Sequence[FunctionVersion]:
        """
        Prepare what `$LATEST` asks for and store the result, for it and for versions published of it.

        Nothing happens when the function is gone, settled, or changed again meanwhile (the change asked anew).

        Returns:
            Versions with SnapStart that are Pending, whatever came of `$LATEST`, which may have changed since they were
            published: `initialise` is to settle them.
        """
        async with self._store.snapshot(scope) as reading:
            wanted = await reading.version(name, LATEST)
        if wanted is None:
            return []
        failure = await self._prepare(wanted)
        pending: list[FunctionVersion] = []
        async with self._store.transaction(scope) as tx:
            latest = await tx.version(name, LATEST)
            if latest is None or latest.deployment_id != wanted.deployment_id:
                return []
            for version in await tx.list_versions(name, after=None, limit=1_000_000):
                if version.state is State.PENDING and version.is_snap_started:
                    pending.append(version)
                    continue
                settled = self._settled(version, failure)
                if settled is not None:
                    await tx.save_version(settled)
        return pending

    async def initialise(self, wanted: FunctionVersion) -> None:
        """
        Prepare a published version with SnapStart, run its first init and store the result.

        Nothing happens when it is under way already, or when the version is gone or changed afterwards.

        Raises:
            DependencyError: it was not the function's fault: worth another try.
        """
        if wanted.deployment_id in self._in_first_init:
            return
        self._in_first_init.add(wanted.deployment_id)
        try:
            reason, code = await self._prepare(wanted), _UNPREPARED
            if reason is None:
                failure = await self._first_init(wanted.deployment())
                if failure is not None:
                    reason, code = _reason_of(failure), _reason_code_of(failure)
            async with self._store.transaction(wanted.scope) as tx:
                version = await tx.version(wanted.name, wanted.version)
                if version is None or version.deployment_id != wanted.deployment_id:
                    return
                settled = self._settled(version, reason, code)
                if settled is not None:
                    await tx.save_version(settled)
        finally:
            self._in_first_init.discard(wanted.deployment_id)

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

    def _settled(
        self, version: FunctionVersion, failure: str | None, code: str = _UNPREPARED
    ) -> FunctionVersion | None:
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
                state_reason_code=code,
                last_update_status=UpdateStatus.FAILED,
                last_update_status_reason=failure,
                last_update_status_reason_code=code,
                revision_id=revision_id,
            )
        if version.last_update_status is UpdateStatus.IN_PROGRESS:
            return msgspec.structs.replace(
                version,
                last_update_status=UpdateStatus.SUCCESSFUL if failure is None else UpdateStatus.FAILED,
                last_update_status_reason=failure,
                last_update_status_reason_code=None if failure is None else code,
                serving=None if failure is None else version.serving,
                revision_id=revision_id,
            )
        return None


class _ErrorBody(msgspec.Struct):
    errorMessage: str = ""


def _reason_of(failure: InitFailure) -> str:
    """Return what a version says that could not be initialised. Assumed: what an invocation would have been told."""
    try:
        message = msgspec.json.decode(failure.payload, type=_ErrorBody).errorMessage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = ""
    return message[:_REASON_CHARACTERS_MAX] or failure.error_type or "The function's init failed."


def _reason_code_of(failure: InitFailure) -> str:
    """Return the StateReasonCode of a failed init. Assumed: which failure has which; the codes are the model's."""
    if not failure.error_type:
        return "FunctionError.InitTimeout"
    if failure.error_type == EnvironmentFailure.INVALID_ENTRYPOINT.value:
        return "FunctionError.InvalidEntryPoint"
    return "FunctionError.RuntimeInitError"
