"""
Keeps environments initialised: as many as provisioned concurrency asks for, one for each version with SnapStart.

The store says what is wanted, through change notices and at the start; the pool makes the environments and tells when
one is gone; `decide` says, from numbers alone, what is to be done. What goes wrong is tried again, ever later.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, cast

import msgspec

from lambent.clock import Clock, TimerHandle
from lambent.domain.caller import Scope
from lambent.domain.concurrency import ProvisionedConcurrency, ProvisionedState, ProvisionedStatus
from lambent.domain.function import Deployment, FunctionName, FunctionVersion, State
from lambent.domain.usage import UsageKey
from lambent.errors.families import DependencyError
from lambent.execution.driver import InitialisationFailed
from lambent.execution.environment import InitFailure
from lambent.execution.output import usage_class
from lambent.execution.pool import EnvironmentPool, PoolFull
from lambent.store.contract import FunctionChange, FunctionStore

_log = logging.getLogger("lambent.execution")

PROVISIONED: Final = "provisioned-concurrency"
SNAP_START: Final = "snap-start"

STARTS_MAX: Final = 4
ALL_STARTS_MAX: Final = 32
"""
Inits at once, of one version and over all. Assumed: more would slow each other down, and the invocations that run
meanwhile; and a few functions whose init takes minutes must not hold up the others. Revisit test_provisioned.py.
"""

RETRY_FIRST_S: Final = 1.0
RETRY_MOST_S: Final = 60.0
"""How soon a failed init is tried again: twice as late each time. Assumed: AWS publishes nothing."""

INIT_FAILURE: Final = "FUNCTION_ERROR_INIT_FAILURE"
"""Observed: the StatusReason where init fails (recorded answers of the service)."""

_VERSIONS_MAX: Final = 1_000_000

Key = tuple[Scope, FunctionName, str]
"""A version: scope, function, number."""


class Wish(msgspec.Struct, frozen=True):
    """How many environments of a deployment are to be kept initialised, and how."""

    deployment: Deployment
    count: int
    initialization_type: str
    asked_at: float = 0.0
    """When somebody asked for it, in seconds since the epoch; 0 where nobody has to."""

    @property
    def stays(self) -> bool:
        """Whether one is kept again after its invocation; else it is taken once, and another made instead."""
        return self.initialization_type == PROVISIONED


class Step(msgspec.Struct, frozen=True):
    """What is to be done for one version now."""

    start: int = 0
    end: int = 0
    wake_at: float | None = None
    """When to look again, where nothing else would cause it."""


def decide(wanted: int, ready: int, starting: int, failures: int, retry_at: float, now: float) -> Step:
    """
    Say what is to be done for one version.

    Args:
        wanted: how many environments are to be kept.
        ready: how many are, those that run an invocation included.
        starting: how many inits are under way.
        failures: how many inits have failed since the last one that did not.
        retry_at: when another may be tried after a failure.
        now: monotonic seconds, as is `retry_at`.
    """
    if ready > wanted:
        return Step(end=ready - wanted)
    missing = max(min(wanted - ready, STARTS_MAX) - starting, 0)
    if not missing or not failures:
        return Step(start=missing)
    if now < retry_at:
        return Step(wake_at=retry_at)
    # What has failed before is tried once, not as often as it is missing.
    return Step(start=0 if starting else 1)


def retry_after_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row; at least 1."""
    return min(RETRY_FIRST_S * 2.0 ** min(failures - 1, 16), RETRY_MOST_S)


def init_limit_s(timeout_s: float) -> float:
    """
    Return how long an init ahead of invocations may take.

    Documented: Lambda developer guide, execution environment life cycle: 130 seconds or the function's timeout,
    whichever is larger, 900 at most.
    """
    return min(max(130.0, timeout_s), 900.0)


def wishes(
    versions: Sequence[FunctionVersion], provisioned: Sequence[ProvisionedConcurrency]
) -> Mapping[str, Wish | None]:
    """
    Say what is to be kept of one function, by version; None where that is not known yet and all stays as it is.

    Args:
        versions: all of the function.
        provisioned: of those versions.
    """
    asked = {of.version: of for of in provisioned}
    found: dict[str, Wish | None] = {}
    for version in versions:
        if version.is_snap_started and version.state is State.PENDING:
            # Its first init is under way, by `first`.
            found[version.version] = None
        elif version.state is not State.ACTIVE:
            continue
        elif (of := asked.get(version.version)) is not None:
            found[version.version] = Wish(version.deployment(), of.requested, PROVISIONED, of.last_modified)
        elif version.is_snap_started:
            found[version.version] = Wish(version.deployment(), 1, SNAP_START)
    return found


class Retirable(Protocol):
    """An environment, as far as it concerns who keeps it."""

    def retire(self) -> None:
        """End it: now when it is idle, after its invocation when it is busy."""
        ...


class _Kept:
    """One environment from the beginning of its init until it is not kept any more."""

    __slots__ = ("environment", "is_left")

    def __init__(self) -> None:
        self.environment: Retirable | None = None
        self.is_left = False


class _Keeping:
    """What is kept of one version."""

    __slots__ = ("failure", "failures", "ready", "retry_at", "starting", "wish")

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.ready: dict[_Kept, None] = {}
        self.starting: set[asyncio.Task[None]] = set()
        self.failures = 0
        self.retry_at = 0.0
        self.failure: InitFailure | None = None
        """What the function's last init failed with, until one succeeds."""


class InitialisedKeeper:
    """
    Follows the store and keeps environments initialised. `run` is a supervised task.

    Args:
        store: says what is wanted.
        pool: makes the environments.
    """

    def __init__(self, store: FunctionStore, pool: EnvironmentPool, clock: Clock) -> None:
        self._store = store
        self._pool = pool
        self._clock = clock
        self._keepings: dict[Key, _Keeping] = {}
        self._changed: dict[tuple[Scope, FunctionName], None] = {}
        self._has_work = asyncio.Event()
        self._is_reading = False
        self._timer: TimerHandle | None = None
        self._timer_at = 0.0
        self._starts = asyncio.Semaphore(ALL_STARTS_MAX)
        self._on_more: Callable[[], None] | None = None
        store.on_change(self._note_change)

    @property
    def has_caught_up(self) -> bool:
        """Whether it has read all that it was told of."""
        return not self._changed and not self._is_reading

    def state(self, scope: Scope, name: FunctionName, version: str, requested: int) -> ProvisionedState:
        """Return what has come of a version's provisioned concurrency."""
        keeping = self._keepings.get((scope, name, version))
        if keeping is None or keeping.wish.initialization_type != PROVISIONED:
            return ProvisionedState(0, ProvisionedStatus.IN_PROGRESS)
        available = min(len(keeping.ready), requested)
        if available == requested:
            return ProvisionedState(available, ProvisionedStatus.READY)
        if keeping.failure is not None:
            return ProvisionedState(available, ProvisionedStatus.FAILED, INIT_FAILURE)
        return ProvisionedState(available, ProvisionedStatus.IN_PROGRESS)

    def kept(self) -> Mapping[UsageKey, int]:
        """Return how many environments are kept now, of each version of which there are some."""
        found = {}
        for keeping in self._keepings.values():
            if keeping.ready:
                of = keeping.wish.deployment
                key = UsageKey(of.scope, of.name, of.version, "", usage_class(of, keeping.wish.initialization_type))
                found[key] = len(keeping.ready)
        return found

    def on_more(self, callback: Callable[[], None]) -> None:
        """Have somebody called, on the event loop, whenever more is kept of a version."""
        self._on_more = callback

    async def first(self, deployment: Deployment) -> InitFailure | None:
        """
        Run the first init of a version with SnapStart and keep what it leaves.

        Returns:
            Why the function's init failed; None when it did not.

        Raises:
            DependencyError: there is no room, or the sandbox failed: worth another try.
        """
        key = (deployment.scope, deployment.name, deployment.version)
        keeping = _Keeping(Wish(deployment, 1, SNAP_START))
        kept = _Kept()
        try:
            async with self._starts:
                await self._initialise(keeping, kept)
        except InitialisationFailed as error:
            return error.failure
        except PoolFull:
            raise DependencyError("there is no room for another environment", retryable=True) from None
        before = self._keepings.get(key)
        if before is None or before.wish.deployment.deployment_id != deployment.deployment_id:
            if before is not None:
                self._drop(before)
            self._keepings[key] = keeping
        elif not kept.is_left:
            before.ready[kept] = None
        self._tell_more()
        # The version may have been deleted meanwhile: look, and end what nobody wants.
        self._note_change(FunctionChange(deployment.scope, deployment.name))
        return None

    async def run(self) -> None:
        """Keep what the store asks for, for ever."""
        for change in await self._store.kept():
            self._note_change(change)
        for scope, name, _ in self._keepings:
            self._changed[(scope, name)] = None
        async with asyncio.TaskGroup() as tasks:
            while True:
                while self._changed:
                    scope, name = next(iter(self._changed))
                    # Not before it was read: what fails here is begun again with everything that is kept.
                    await self._read(scope, name)
                now = self._clock.monotonic()
                for keeping in list(self._keepings.values()):
                    self._keep(keeping, now, tasks)
                await self._has_work.wait()
                self._has_work.clear()

    # Following the store -------------------------------------------------------------------------------------------

    def _note_change(self, change: FunctionChange) -> None:
        # Names, not events: however many changes come, what waits here is bounded by the number of functions.
        self._changed[(change.scope, change.name)] = None
        self._has_work.set()

    async def _read(self, scope: Scope, name: FunctionName) -> None:
        """Take over what is to be kept of one function."""
        del self._changed[(scope, name)]
        self._is_reading = True
        try:
            async with self._store.snapshot(scope) as reading:
                provisioned = await reading.list_provisioned(name)
                versions = await reading.list_versions(name, after=None, limit=_VERSIONS_MAX)
        except BaseException:
            self._changed[(scope, name)] = None
            raise
        finally:
            self._is_reading = False
        wanted = wishes(versions, provisioned)
        for key in [key for key in self._keepings if key[:2] == (scope, name) and key[2] not in wanted]:
            self._drop(self._keepings.pop(key))
        for version, wish in wanted.items():
            if wish is not None:
                self._take_over((scope, name, version), wish)

    def _take_over(self, key: Key, wish: Wish) -> None:
        keeping = self._keepings.get(key)
        if keeping is not None and (
            keeping.wish.deployment.deployment_id != wish.deployment.deployment_id
            or keeping.wish.initialization_type != wish.initialization_type
        ):
            self._drop(keeping)
            keeping = None
        if keeping is None:
            self._keepings[key] = _Keeping(wish)
            return
        if keeping.wish.asked_at != wish.asked_at:
            # Whoever asks again, if for the same number, gets another try now.
            keeping.failures, keeping.failure = 0, None
        keeping.wish = wish

    @staticmethod
    def _drop(keeping: _Keeping) -> None:
        for task in keeping.starting:
            task.cancel()
        for kept in list(keeping.ready):
            assert kept.environment is not None
            kept.environment.retire()
        keeping.ready.clear()

    # Keeping -------------------------------------------------------------------------------------------------------

    def _keep(self, keeping: _Keeping, now: float, tasks: asyncio.TaskGroup) -> None:
        wanted, ready = keeping.wish.count, len(keeping.ready)
        step = decide(wanted, ready, len(keeping.starting), keeping.failures, keeping.retry_at, now)
        for kept in list(keeping.ready)[: step.end]:
            del keeping.ready[kept]
            assert kept.environment is not None
            kept.environment.retire()
        surplus = ready + len(keeping.starting) - wanted
        for task in list(keeping.starting)[: max(surplus, 0)]:
            task.cancel()
        for _ in range(step.start):
            task = tasks.create_task(self._start(keeping), name=f"initialise {keeping.wish.deployment.name}")
            keeping.starting.add(task)
            # One that is cancelled before it began discards nothing by itself.
            task.add_done_callback(keeping.starting.discard)
        if step.wake_at is not None:
            self._wake_at(step.wake_at)

    async def _start(self, keeping: _Keeping) -> None:
        """Make one environment more for a version, and note what came of it."""
        deployment = keeping.wish.deployment
        try:
            async with self._starts:
                await self._initialise(keeping, _Kept())
        except InitialisationFailed as error:
            keeping.failure = error.failure
            self._put_off(keeping)
            _log.warning(
                "provisioned.init_failed function=%s version=%s error_type=%s",
                deployment.name,
                deployment.version,
                error.failure.error_type or "timeout",
            )
        except (PoolFull, DependencyError) as error:
            # Nothing that the function did: what it asks for stays in progress.
            self._put_off(keeping)
            reason = str(error) or "no room"
            _log.warning(
                "provisioned.put_off function=%s version=%s reason=%s", deployment.name, deployment.version, reason
            )
        else:
            keeping.failures, keeping.failure = 0, None
        finally:
            # Before the loop looks again: this one is not under way any more.
            keeping.starting.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            self._has_work.set()

    async def _initialise(self, keeping: _Keeping, kept: _Kept) -> None:
        wish = keeping.wish

        def left() -> None:
            kept.is_left = True
            keeping.ready.pop(kept, None)
            other = self._keepings.get((wish.deployment.scope, wish.deployment.name, wish.deployment.version))
            if other is not None:
                other.ready.pop(kept, None)
            self._has_work.set()

        environment = await self._pool.initialise(
            wish.deployment,
            limit_s=init_limit_s(wish.deployment.configuration.timeout_s),
            initialization_type=wish.initialization_type,
            stays=wish.stays,
            left=left,
        )
        if not kept.is_left:
            kept.environment = environment
            keeping.ready[kept] = None
            self._tell_more()

    def _tell_more(self) -> None:
        if self._on_more is not None:
            self._on_more()

    def _put_off(self, keeping: _Keeping) -> None:
        now = self._clock.monotonic()
        if keeping.failures and now < keeping.retry_at:
            # One of several that were tried together.
            return
        keeping.failures += 1
        keeping.retry_at = now + retry_after_s(keeping.failures)

    def _wake_at(self, moment: float) -> None:
        if self._timer is not None:
            if self._timer_at <= moment:
                return
            self._timer.cancel()

        def wake() -> None:
            self._timer = None
            self._has_work.set()

        self._timer_at = moment
        self._timer = self._clock.call_later(max(moment - self._clock.monotonic(), 0.0), wake)
