"""
The pool of execution environments on this machine: one for each concurrent invocation, the newest idle one first.

All methods but `lease`, `initialise` and `close` are plain and atomic on the event loop; nothing here needs a lock.
What becomes of idle ones is the matter of `idle.py`; what memory there is for new ones, that of `memory_admission.py`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from lambent.clock import Clock, TimerHandle
from lambent.domain.caller import Scope
from lambent.domain.concurrency import StartRate
from lambent.domain.function import Deployment, FunctionName
from lambent.execution.driver import EnvironmentOwner, ExecutionEnvironment
from lambent.execution.idle import IdleEnvironments, Stacks
from lambent.execution.memory_admission import SHOWN_S, MemoryAdmission
from lambent.execution.scaling import first_to_go
from lambent.telemetry.exposition import EnvironmentView

_log = logging.getLogger("lambent.execution")

HANDOVER_S: Final = 0.1
"""
How long a call waits for an environment that has answered and is about to ask for the next event. Assumed: that takes a
runtime well under a millisecond, and on an overloaded machine some tens, where a new environment takes longer as well
and loads it further; revisit test_pool.py and the wire test of a caller that comes back at once.
"""

ROOM_WAIT_S: Final = 1.0
"""
How long a call waits for an environment or for room when there is neither. Assumed: most invocations are shorter, and
a caller hears of a full machine before its own patience ends; revisit test_pool.py.
"""

ROOM_WAITERS_MAX: Final = 1000
"""Calls that wait for room at once; one more is refused at once."""

WATCH_S: Final = 1.0
"""How often memory is looked at while invocations run: they grow."""

ROOM_WATCH_S: Final = 0.1
"""How often memory is looked at while calls wait for it."""


class PoolFull(Exception):
    """Neither an environment nor room for one has come up in time."""


class _Kept:
    """That an environment is kept initialised."""

    __slots__ = ("is_ready", "left", "stays")

    def __init__(self, stays: bool, left: Callable[[], None]) -> None:
        self.stays = stays
        self.left = left
        self.is_ready = False


class _Waiter:
    """A call that waits for an environment."""

    __slots__ = ("deployment", "future")

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.future: asyncio.Future[ExecutionEnvironment | None] = asyncio.get_running_loop().create_future()

    def give(self, environment: ExecutionEnvironment | None) -> None:
        if not self.future.done():
            self.future.set_result(environment)


class EnvironmentPool(EnvironmentOwner):
    """
    Environments by deployment; idle ones are reused, newest first.

    Args:
        make: makes an environment for a deployment; it is given this pool as its owner.
        environments_max: how many may exist at once.
        idle_s: how long an idle one is kept.
        age_s: how old one may become; it then ends when it is free.
        freeze_after_s: how long one is idle before it is frozen; with 0 it is in the loop's next iteration.
        available_mib: returns what the host could give; None where nobody can tell, and memory bounds nothing.
        reserve_mib: how much of it stays with the host.
        relieve: called under pressure, before an idle environment has to go: gives back what is only kept ahead.
        spawn: runs an environment's `live` under a supervisor.
    """

    def __init__(
        self,
        make: Callable[[Deployment, EnvironmentOwner], ExecutionEnvironment],
        *,
        environments_max: int,
        idle_s: float,
        age_s: float,
        freeze_after_s: float,
        clock: Clock,
        spawn: Callable[[ExecutionEnvironment], asyncio.Task[None]],
        available_mib: Callable[[], float | None] = lambda: None,
        reserve_mib: float = 0,
        relieve: Callable[[], None] = lambda: None,
    ) -> None:
        self._make = make
        self._environments_max = environments_max
        self._age_s = age_s
        self._clock = clock
        self._spawn = spawn
        self._memory = MemoryAdmission(available_mib, reserve_mib, clock)
        self._relieve = relieve
        self._all: dict[ExecutionEnvironment, float] = {}
        """Every environment that takes invocations, with the moment from which it is old: the oldest first."""
        self._tasks: dict[ExecutionEnvironment, asyncio.Task[None]] = {}
        """The life of each environment that was started, until its processes have ended."""
        self._idle = IdleEnvironments(idle_s, freeze_after_s, clock)
        self._kept: dict[ExecutionEnvironment, _Kept] = {}
        """Those that are kept initialised: neither idle time nor eviction ends them."""
        self._answered: dict[str, set[ExecutionEnvironment]] = {}
        """Busy environments whose caller has its answer, by deployment id: about to be free."""
        self._released: dict[ExecutionEnvironment, Callable[[], None]] = {}
        """What to call when the invocation of a leased environment is over."""
        self._waiting: dict[str, deque[_Waiter]] = {}
        """Calls that wait for an environment of their deployment, first come first served."""
        self._wanting_room: dict[_Waiter, None] = {}
        """Those of them that would take a new one as well, first come first served."""
        self._start_rates: dict[tuple[Scope, FunctionName], StartRate] = {}
        self._is_evicting = False
        self._watch_timer: TimerHandle | None = None
        self._watch_at = 0.0
        self._is_closing = False

    @property
    def size(self) -> int:
        return len(self._all)

    @property
    def busy(self) -> int:
        return len(self._all) - len(self._idle)

    def view(self) -> list[EnvironmentView]:
        """Return all that take invocations. Costs what there are."""
        return [self._view_of(environment) for environment in self._all]

    def _view_of(self, environment: ExecutionEnvironment) -> EnvironmentView:
        deployment = environment.deployment
        state = "idle" if environment in self._idle else "starting" if environment.is_starting else "busy"
        return EnvironmentView(
            deployment.scope,
            deployment.name,
            deployment.configuration.runtime,
            state,
            environment.memory_peak_mib,
            deployment.configuration.memory_mib,
        )

    def kept_idle(self, deployment_id: str) -> int:
        """Return how many environments of a deployment are kept initialised and idle now."""
        return len(self._idle.kept.stacks.get(deployment_id, ()))

    # Leasing -------------------------------------------------------------------------------------------------------

    async def lease(self, deployment: Deployment, released: Callable[[], None]) -> ExecutionEnvironment:
        """
        Return an environment for one invocation: a kept one, the newest idle one, one about to be free, or a new one.

        Where there is no room the least recently used idle environment goes; where none is idle, this waits a moment.
        A cancelled call leaves nothing behind.

        Args:
            released: called once, on the event loop, when the environment can take another invocation or is gone;
                never when this raises.

        Raises:
            PoolFull: neither an environment nor room has come up, or the function gets new ones too fast.
        """
        environment = self._take_idle(deployment.deployment_id)
        if environment is None:
            environment = await self._take_other(deployment)
        environment.epoch += 1
        self._released[environment] = released
        if self._kept:
            self._note_taken(environment)
        if self._watch_timer is None:
            self._watch(WATCH_S)
        return environment

    def _take_idle(self, deployment_id: str) -> ExecutionEnvironment | None:
        now = self._clock.monotonic()
        for stacks in self._places(deployment_id):
            while (environment := stacks.newest(deployment_id)) is not None:
                if self._all[environment] <= now:
                    environment.retire()
                    continue
                self._idle.remove(environment)
                return environment
        return None

    def _places(self, deployment_id: str) -> tuple[Stacks, ...]:
        """Return where to look for an idle one, in order: one that is used up when it is taken comes last."""
        ordinary, kept = self._idle.ordinary, self._idle.kept
        if not kept.since:
            return (ordinary,)
        first = kept.newest(deployment_id)
        if first is not None and not self._kept[first].stays:
            return ordinary, kept
        return kept, ordinary

    def _note_taken(self, environment: ExecutionEnvironment) -> None:
        """Make an ordinary environment of one that is kept for one invocation only."""
        kept = self._kept.get(environment)
        if kept is not None and not kept.stays:
            del self._kept[environment]
            kept.left()

    async def _take_other(self, deployment: Deployment) -> ExecutionEnvironment:
        deployment_id = deployment.deployment_id
        answered = self._answered.get(deployment_id)
        if answered and len(self._waiting.get(deployment_id, ())) < len(answered):
            environment = await self._wait(deployment, HANDOVER_S, wants_room=False) or self._take_idle(deployment_id)
            if environment is not None:
                return environment
        if self._wanting_room:
            # Memory may have come back since it was looked at: they were here before.
            self._offer_room()
        environment = self._try_new(deployment)
        if environment is None and not self._is_closing and len(self._wanting_room) < ROOM_WAITERS_MAX:
            environment = await self._wait(deployment, ROOM_WAIT_S, wants_room=True)
            # What was handed over may have ended between that moment and this one, and left room.
            environment = environment or self._take_idle(deployment_id) or self._try_new(deployment)
        if environment is None:
            _log.info("pool.full function=%s environments=%d busy=%d", deployment.name, self.size, self.busy)
            raise PoolFull
        return environment

    async def _wait(self, deployment: Deployment, seconds: float, *, wants_room: bool) -> ExecutionEnvironment | None:
        """Wait for an environment of a deployment to become free, or for a new one; None when none did in time."""
        waiter = _Waiter(deployment)
        queue = self._waiting.setdefault(deployment.deployment_id, deque())
        queue.append(waiter)
        if wants_room:
            self._wanting_room[waiter] = None
            self._watch(ROOM_WATCH_S)
        timer = self._clock.call_later(seconds, lambda: waiter.give(None))
        try:
            environment = await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled():
                given = waiter.future.result()
                if given is not None and given in self._all:
                    self._give_back(given)
            raise
        finally:
            timer.cancel()
            self._wanting_room.pop(waiter, None)
            if waiter in queue:
                queue.remove(waiter)
            if not queue and self._waiting.get(deployment.deployment_id) is queue:
                del self._waiting[deployment.deployment_id]
        return environment if environment in self._all else None

    def give_back(self, environment: ExecutionEnvironment) -> None:
        """Return a leased environment in which nothing was run."""
        self._call_released(environment, self._give_back)

    def _give_back(self, environment: ExecutionEnvironment) -> None:
        if environment.is_new:
            # Nothing of it has been started.
            self.environment_gone(environment)
        else:
            self._settle(environment)

    def start(self, environment: ExecutionEnvironment) -> None:
        """Begin a new environment's life, after its first invocation was placed."""
        task = self._tasks[environment] = self._spawn(environment)

        def ended(task: "asyncio.Task[None]") -> None:
            del self._tasks[environment]
            self._memory.ended(environment)
            self._offer_room()
            if self._wanting_room:
                self._watch(SHOWN_S)

        task.add_done_callback(ended)

    # New ones ------------------------------------------------------------------------------------------------------

    def _try_new(self, deployment: Deployment) -> ExecutionEnvironment | None:
        """Make a new environment if there is room for it and its function may have it; None if not."""
        if self._is_closing or not self._has_room(deployment) or not self._may_start(deployment):
            return None
        return self._new(deployment)

    def _new(self, deployment: Deployment) -> ExecutionEnvironment:
        if len(self._all) >= self._environments_max:
            # Not before: nobody's environment ends for the place of one that may not start.
            self._evict()
        environment = self._make(deployment, self)
        self._all[environment] = self._clock.monotonic() + self._age_s
        self.environment_starts(environment)
        return environment

    def _has_room(self, deployment: Deployment) -> bool:
        """Whether a new environment fits now, the place of an idle one included. Makes memory free for later if not."""
        if len(self._all) >= self._environments_max and not self._idle.ordinary.since:
            return False
        view, cost_mib = self._memory.view(), self._memory.cost_mib(deployment)
        if view is None or view.admits(cost_mib):
            return True
        # Only what the host's reading shows is room: an environment that is ending may hold its memory for a moment.
        # Whoever wants it waits for that.
        self._relieve()
        if view.lacks(cost_mib - sum(environment.memory_peak_mib for environment in self._idle.ordinary.since)):
            # All of them together are too little, and would be missed: what is busy has to end first.
            return False
        while view is not None and view.lacks(cost_mib) and self._evict():
            view = self._memory.view()
        return False

    def _may_start(self, deployment: Deployment) -> bool:
        """Whether the function may have one more new environment now: AWS bounds how fast they come."""
        key, now = (deployment.scope, deployment.name), self._clock.monotonic()
        rate = self._start_rates.get(key)
        if rate is None:
            if len(self._start_rates) > 2 * len(self._all) + 100:
                self._start_rates = {name: rate for name, rate in self._start_rates.items() if not rate.is_full(now)}
            rate = self._start_rates[key] = StartRate()
        return rate.take(now)

    def _evict(self) -> bool:
        """End the idle environment that is missed least; False when none is idle."""
        idle = self._idle.ordinary.since
        index = first_to_go((since, environment.memory_peak_mib) for environment, since in idle.items())
        if index is None:
            return False
        victim = next(environment for position, environment in enumerate(idle) if position == index)
        _log.info("pool.evicted function=%s memory_mib=%d", victim.deployment.name, victim.memory_peak_mib)
        # What it leaves is not on offer: it is for whoever has it end.
        self._is_evicting = True
        try:
            victim.retire(at_once=True)
        finally:
            self._is_evicting = False
        return True

    def _offer_room(self) -> None:
        """Make new environments for those who wait for one, as far as there is room."""
        if self._is_evicting or self._is_closing:
            return
        too_fast: set[str] = set()
        for waiter in list(self._wanting_room):
            deployment = waiter.deployment
            if waiter.future.done() or deployment.deployment_id in too_fast:
                continue
            if not self._has_room(deployment):
                return
            if not self._may_start(deployment):
                # This says nothing of the others' functions.
                too_fast.add(deployment.deployment_id)
                continue
            self._waiting[deployment.deployment_id].remove(waiter)
            waiter.give(self._new(deployment))

    # Memory --------------------------------------------------------------------------------------------------------

    def _watch(self, delay_s: float) -> None:
        """Look at memory in so many seconds, or when it is to be looked at before."""
        # Without a reading there is nothing to watch; those who wait for room are woken by what ends.
        if self._is_closing or not self._memory.is_known:
            return
        at = self._clock.monotonic() + delay_s
        if self._watch_timer is not None:
            if self._watch_at <= at:
                return
            self._watch_timer.cancel()
        self._watch_at = at
        self._watch_timer = self._clock.call_later(delay_s, self._look_at_memory)

    def _look_at_memory(self) -> None:
        """Under pressure end idle environments until there is none; then serve those who wait for memory."""
        self._watch_timer = None
        view = self._memory.view()
        if view is None or self._is_closing:
            return
        if view.room_mib < 0:
            self._relieve()
        while view is not None and view.lacks(0) and self._evict():
            view = self._memory.view()
        self._offer_room()
        if self._wanting_room:
            self._watch(ROOM_WATCH_S)
        elif self.busy:
            self._watch(WATCH_S)

    # Kept initialised ------------------------------------------------------------------------------------------------

    async def initialise(
        self,
        deployment: Deployment,
        *,
        limit_s: float,
        initialization_type: str,
        stays: bool,
        left: Callable[[], None],
    ) -> ExecutionEnvironment:
        """
        Start an environment without an invocation and keep it, idle and frozen, for invocations of its deployment.

        A kept one is leased before any other and is neither evicted nor ended for being idle; only its age, an update
        and its own end take it. `environment.retire()` gives it up. A cancelled call leaves nothing behind.

        Args:
            limit_s: how long init may take.
            initialization_type: what the function finds in AWS_LAMBDA_INITIALIZATION_TYPE.
            stays: whether it is kept again after each invocation; else the first makes an ordinary one of it.
            left: called once, on the event loop, when it is not kept any more; possibly just before this returns,
                never when this raises.

        Raises:
            PoolFull: there is no room.
            InitialisationFailed: the function's init failed.
            DependencyError: the sandbox failed.
        """
        environment = self._try_new(deployment)
        if environment is None:
            raise PoolFull
        environment.epoch += 1
        self._kept[environment] = _Kept(stays, left)
        initialised = environment.initialise(limit_s, initialization_type)
        self.start(environment)
        try:
            await initialised
        except asyncio.CancelledError:
            kept = self._kept.pop(environment, None)
            if kept is not None and environment in self._all:
                environment.retire()
            raise
        return environment

    # Called by environments ------------------------------------------------------------------------------------------

    def environment_starts(self, environment: ExecutionEnvironment) -> None:
        if environment in self._all:
            self._memory.promise(environment)

    def environment_started(self, environment: ExecutionEnvironment) -> None:
        self._memory.started(environment)

    def environment_answered(self, environment: ExecutionEnvironment) -> None:
        self._answered.setdefault(environment.deployment.deployment_id, set()).add(environment)

    def environment_free(self, environment: ExecutionEnvironment) -> None:
        self._forget_answered(environment)
        self._memory.observe(environment)
        if self._kept:
            kept = self._kept.get(environment)
            if kept is not None:
                kept.is_ready = True
        self._call_released(environment, self._settle)

    def environment_gone(self, environment: ExecutionEnvironment) -> None:
        if environment not in self._all:
            # Given up after a failure of ours that came behind its end.
            return
        self._forget_answered(environment)
        self._end_vain_waits(environment.deployment.deployment_id)
        self._memory.observe(environment, has_failed=True)
        self._call_released(environment, self._forget)

    def _call_released(self, environment: ExecutionEnvironment, then: Callable[[ExecutionEnvironment], None]) -> None:
        """Put an environment in its place, then tell whoever counts; they find the pool as it now is."""
        released = self._released.pop(environment, None)
        then(environment)
        if released is not None:
            released()

    def _settle(self, environment: ExecutionEnvironment) -> None:
        """Find a place for an environment that has nothing to do: a waiting call, among the idle ones, or the end."""
        if self._is_closing or self._all[environment] <= self._clock.monotonic():
            environment.retire()
            return
        queue = self._waiting.get(environment.deployment.deployment_id)
        while queue:
            waiter = queue.popleft()
            if not waiter.future.done():
                self._wanting_room.pop(waiter, None)
                waiter.give(environment)
                return
        self._idle.push(environment, old_at=self._all[environment], is_kept=environment in self._kept)
        if self._wanting_room:
            self._offer_room()

    def _forget(self, environment: ExecutionEnvironment) -> None:
        del self._all[environment]
        self._idle.remove(environment)
        kept = self._kept.pop(environment, None)
        if environment in self._tasks:
            self._memory.ends(environment)
        if kept is not None and kept.is_ready:
            kept.left()
        if self._wanting_room:
            self._offer_room()

    def _forget_answered(self, environment: ExecutionEnvironment) -> None:
        answered = self._answered.get(environment.deployment.deployment_id)
        if answered is not None:
            answered.discard(environment)
            if not answered:
                del self._answered[environment.deployment.deployment_id]

    def _end_vain_waits(self, deployment_id: str) -> None:
        """Let calls go on that wait for a handover which will not come."""
        waiting = [one for one in self._waiting.get(deployment_id, ()) if one not in self._wanting_room]
        for waiter in waiting[len(self._answered.get(deployment_id, ())) :]:
            waiter.give(None)

    def retain(self, scope: Scope, name: FunctionName, deployment_ids: Collection[str]) -> None:
        """Retire a function's environments of every other deployment: idle ones now, busy ones when they are free."""
        for environment in list(self._all):
            deployment = environment.deployment
            if (
                deployment.name == name
                and deployment.scope == scope
                and deployment.of_all_tenants not in deployment_ids
            ):
                environment.retire()

    async def close(self, grace_s: float) -> None:
        """Retire everything; wait up to `grace_s` for running invocations to finish, then end them."""
        self._is_closing = True
        self._idle.close()
        if self._watch_timer is not None:
            self._watch_timer.cancel()
        for waiter in list(self._wanting_room):
            waiter.give(None)
        for environment in list(self._all):
            if environment.is_new and environment not in self._released:
                # Made for a call that has not gone on yet; it will find it gone, and is refused.
                self.environment_gone(environment)
            else:
                environment.retire()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=grace_s)
        late = dict(self._tasks)
        if late:
            _log.warning("pool.closed_with_running count=%d", len(late))
            for task in late.values():
                task.cancel()
            await asyncio.wait(list(late.values()))
            # Whoever still waits for an answer hears that there will be none.
            for environment in late:
                environment.abandon()
