"""
The pool of execution environments on this machine: one for each concurrent invocation, the newest idle one first.

All methods but `lease`, `initialise` and `close` are plain and atomic on the event loop; nothing here needs a lock.
What is arithmetic, above all how much memory a new environment may take, is in `scaling.py`.
"""

import asyncio
import logging
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from typing import Final

from lambent.clock import Clock, TimerHandle
from lambent.domain.caller import Scope
from lambent.domain.concurrency import StartRate
from lambent.domain.function import Deployment, FunctionName
from lambent.execution.driver import EnvironmentOwner, ExecutionEnvironment
from lambent.execution.scaling import MemoryView, cost_mib, first_to_go, observe_mib

_log = logging.getLogger("lambent.execution")

HANDOVER_S: Final = 0.01
"""
How long a call waits for an environment that has answered and is about to ask for the next event. Assumed: that takes a
runtime well under a millisecond, a new environment takes tens; revisit test_pool.py and the wire test of a caller that
comes back at once.
"""

ROOM_WAIT_S: Final = 1.0
"""
How long a call waits for an environment or for room when there is neither. Assumed: most invocations are shorter, and
a caller hears of a full machine before its own patience ends; revisit test_pool.py.
"""

ROOM_WAITERS_MAX: Final = 1000
"""Calls that wait for room at once; one more is refused at once."""

PROMISE_S: Final = 5.0
"""
How long the memory that an environment is expected to take counts as promised once its runtime was started, unless
its first invocation is over before. Assumed: by then it has taken what it needs, and the host's reading holds it.
"""

WATCH_S: Final = 1.0
"""How often memory is looked at while invocations run: they grow."""

ROOM_WATCH_S: Final = 0.1
"""How often memory is looked at while calls wait for it."""

OBSERVED_MAX: Final = 2000
"""Deployments whose use of memory is remembered; the one that was seen longest ago leaves."""


class PoolFull(Exception):
    """Neither an environment nor room for one has come up in time."""


class Idle:
    """Idle environments: by deployment, the newest on top; and all of them, the longest idle first."""

    def __init__(self) -> None:
        self.stacks: dict[str, list[ExecutionEnvironment]] = {}
        self.since: dict[ExecutionEnvironment, float] = {}

    def push(self, environment: ExecutionEnvironment, now: float) -> None:
        """Note that one has become idle."""
        self.stacks.setdefault(environment.deployment.deployment_id, []).append(environment)
        self.since[environment] = now

    def newest(self, deployment_id: str) -> ExecutionEnvironment | None:
        """Return the one that was used last."""
        stack = self.stacks.get(deployment_id)
        return stack[-1] if stack else None

    def remove(self, environment: ExecutionEnvironment) -> bool:
        """Forget one; False when it is not here."""
        if self.since.pop(environment, None) is None:
            return False
        deployment_id = environment.deployment.deployment_id
        stack = self.stacks[deployment_id]
        # The newest leaves nearly always; nothing may stay of deployments that are gone.
        if stack[-1] is environment:
            stack.pop()
        else:
            stack.remove(environment)
        if not stack:
            del self.stacks[deployment_id]
        return True


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
        self._idle_s = idle_s
        self._age_s = age_s
        self._freeze_after_s = freeze_after_s
        self._clock = clock
        self._spawn = spawn
        self._available_mib = available_mib
        self._reserve_mib = reserve_mib
        self._relieve = relieve
        self._all: dict[ExecutionEnvironment, float] = {}
        """Every environment that takes invocations, with the moment it was made: the oldest first."""
        self._tasks: dict[ExecutionEnvironment, asyncio.Task[None]] = {}
        """The life of each environment that was started, until its processes have ended."""
        self._idle = Idle()
        self._kept_idle = Idle()
        """Idle environments that are kept initialised: neither idle time nor eviction ends them."""
        self._kept: dict[ExecutionEnvironment, _Kept] = {}
        self._unfrozen: dict[ExecutionEnvironment, float] = {}
        """Idle environments that are not frozen yet."""
        self._answered: dict[str, set[ExecutionEnvironment]] = {}
        """Busy environments whose caller has its answer, by deployment id: about to be free."""
        self._released: dict[ExecutionEnvironment, Callable[[], None]] = {}
        """What to call when the invocation of a leased environment is over."""
        self._waiting: dict[str, deque[_Waiter]] = {}
        """Calls that wait for an environment of their deployment, first come first served."""
        self._wanting_room: dict[_Waiter, None] = {}
        """Those of them that would take a new one as well, first come first served."""
        self._start_rates: dict[tuple[Scope, FunctionName], StartRate] = {}
        self._promised: dict[ExecutionEnvironment, tuple[float, float]] = {}
        """Memory that new environments will still take, in MiB, and until when that counts."""
        self._leaving: dict[ExecutionEnvironment, float] = {}
        """Memory that ending environments will give back."""
        self._observed: OrderedDict[str, float] = OrderedDict()
        """What environments of a deployment have been seen to use."""
        self._knows_memory = available_mib() is not None
        self._is_making = False
        self._freeze_timer: TimerHandle | None = None
        self._sweep_timer: TimerHandle | None = None
        self._sweep_at = 0.0
        self._watch_timer: TimerHandle | None = None
        self._is_closing = False

    @property
    def size(self) -> int:
        return len(self._all)

    @property
    def busy(self) -> int:
        return len(self._all) - len(self._idle.since) - len(self._kept_idle.since)

    def kept_idle(self, deployment_id: str) -> int:
        """Return how many environments of a deployment are kept initialised and idle now."""
        return len(self._kept_idle.stacks.get(deployment_id, ()))

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
        if self._knows_memory and self._watch_timer is None:
            self._watch(WATCH_S)
        return environment

    def _take_idle(self, deployment_id: str) -> ExecutionEnvironment | None:
        oldest_allowed = self._clock.monotonic() - self._age_s
        for idle in self._places(deployment_id):
            while (environment := idle.newest(deployment_id)) is not None:
                if self._all[environment] <= oldest_allowed:
                    environment.retire()
                    continue
                idle.remove(environment)
                self._unfrozen.pop(environment, None)
                if idle is self._kept_idle and not self._kept[environment].stays:
                    self._kept.pop(environment).left()
                return environment
        return None

    def _places(self, deployment_id: str) -> tuple[Idle, ...]:
        """Return where to look for an idle one, in order: one that is used up when it is taken comes last."""
        if not self._kept_idle.since:
            return (self._idle,)
        kept = self._kept_idle.newest(deployment_id)
        if kept is not None and not self._kept[kept].stays:
            return self._idle, self._kept_idle
        return self._kept_idle, self._idle

    async def _take_other(self, deployment: Deployment) -> ExecutionEnvironment:
        deployment_id = deployment.deployment_id
        answered = self._answered.get(deployment_id)
        if answered and len(self._waiting.get(deployment_id, ())) < len(answered):
            environment = await self._wait(deployment, HANDOVER_S, wants_room=False)
            if environment is not None:
                return environment
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
            self._leaving.pop(environment, None)
            self._offer_room()

        task.add_done_callback(ended)

    # New ones ------------------------------------------------------------------------------------------------------

    def _try_new(self, deployment: Deployment) -> ExecutionEnvironment | None:
        """Make a new environment if the machine has room for it, or can make some; None if not."""
        if self._is_closing:
            return None
        self._is_making = True
        try:
            if not self._make_room(deployment) or not self._may_start(deployment):
                return None
            environment = self._make(deployment, self)
        finally:
            self._is_making = False
        self._all[environment] = self._clock.monotonic()
        self.environment_starts(environment)
        return environment

    def _make_room(self, deployment: Deployment) -> bool:
        while len(self._all) >= self._environments_max:
            if not self._evict():
                return False
        view, cost = self._memory(), self._cost_mib(deployment)
        if view is None or view.admits(cost):
            return True
        # Only what the host's reading shows is room: an environment that is ending may hold its memory for a moment.
        # Whoever wants it waits for that.
        self._relieve()
        while view is not None and view.lacks(cost) and self._evict():
            view = self._memory()
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
        idle = self._idle.since
        index = first_to_go((since, environment.memory_peak_mib) for environment, since in idle.items())
        if index is None:
            return False
        victim = next(environment for position, environment in enumerate(idle) if position == index)
        _log.info("pool.evicted function=%s memory_mib=%d", victim.deployment.name, victim.memory_peak_mib)
        victim.retire()
        return True

    def _offer_room(self) -> None:
        """Make new environments for those who wait for one, as far as there is room."""
        if self._is_making:
            return
        for waiter in list(self._wanting_room):
            if waiter.future.done():
                continue
            environment = self._try_new(waiter.deployment)
            if environment is None:
                return
            self._waiting[waiter.deployment.deployment_id].remove(waiter)
            waiter.give(environment)

    # Memory --------------------------------------------------------------------------------------------------------

    def _memory(self) -> MemoryView | None:
        available_mib = self._available_mib()
        if available_mib is None:
            return None
        now = self._clock.monotonic()
        for environment in [kept for kept, (_, until) in self._promised.items() if until <= now]:
            del self._promised[environment]
        promised_mib = sum(promised for promised, _ in self._promised.values())
        return MemoryView(available_mib, self._reserve_mib, promised_mib, sum(self._leaving.values()))

    def _cost_mib(self, deployment: Deployment) -> float:
        return cost_mib(self._observed.get(deployment.deployment_id), deployment.configuration.memory_mib)

    def _observe(self, environment: ExecutionEnvironment, *, has_failed: bool = False) -> None:
        """Learn from what an environment has used what its like will; one that failed may not have used it all."""
        if self._promised:
            self._promised.pop(environment, None)
        deployment_id, peak_mib = environment.deployment.deployment_id, environment.memory_peak_mib
        if has_failed and peak_mib <= self._cost_mib(environment.deployment):
            return
        # Zero until its first invocation is over.
        if peak_mib and self._observed.get(deployment_id) != peak_mib:
            self._observed[deployment_id] = observe_mib(self._observed.get(deployment_id), peak_mib)
            if len(self._observed) > OBSERVED_MAX:
                self._observed.popitem(last=False)

    def _watch(self, delay_s: float) -> None:
        if self._watch_timer is not None:
            self._watch_timer.cancel()
            self._watch_timer = None
        # Without a reading there is nothing to watch; those who wait for room are woken by what ends.
        if self._knows_memory:
            self._watch_timer = self._clock.call_later(delay_s, self._look_at_memory)

    def _look_at_memory(self) -> None:
        """Under pressure end idle environments until there is none; then serve those who wait for memory."""
        self._watch_timer = None
        view = self._memory()
        if view is None or self._is_closing:
            return
        if view.room_mib < 0:
            self._relieve()
        while view is not None and view.lacks(0) and self._evict():
            view = self._memory()
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
            self._promised[environment] = self._cost_mib(environment.deployment), math.inf

    def environment_started(self, environment: ExecutionEnvironment) -> None:
        promised = self._promised.get(environment)
        if promised is not None:
            self._promised[environment] = promised[0], self._clock.monotonic() + PROMISE_S

    def environment_answered(self, environment: ExecutionEnvironment) -> None:
        self._answered.setdefault(environment.deployment.deployment_id, set()).add(environment)

    def environment_free(self, environment: ExecutionEnvironment) -> None:
        self._forget_answered(environment)
        self._observe(environment)
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
        self._observe(environment, has_failed=True)
        self._call_released(environment, self._forget)

    def _call_released(self, environment: ExecutionEnvironment, then: Callable[[ExecutionEnvironment], None]) -> None:
        """Put an environment in its place, then tell whoever counts; they find the pool as it now is."""
        released = self._released.pop(environment, None)
        then(environment)
        if released is not None:
            released()

    def _settle(self, environment: ExecutionEnvironment) -> None:
        """Find a place for an environment that has nothing to do: a waiting call, among the idle ones, or the end."""
        now = self._clock.monotonic()
        if self._is_closing or now - self._all[environment] >= self._age_s:
            environment.retire()
            return
        queue = self._waiting.get(environment.deployment.deployment_id)
        while queue:
            waiter = queue.popleft()
            if not waiter.future.done():
                self._wanting_room.pop(waiter, None)
                waiter.give(environment)
                return
        idle = self._kept_idle if environment in self._kept else self._idle
        idle.push(environment, now)
        self._unfrozen[environment] = now
        self._freeze_soon(now)
        due = min(now + self._idle_s, self._all[environment] + self._age_s)
        # Nearly always there is one that is due before.
        if self._sweep_timer is None or due < self._sweep_at:
            self._sweep_by(due)
        if self._wanting_room:
            self._offer_room()

    def _forget(self, environment: ExecutionEnvironment) -> None:
        del self._all[environment]
        self._unfrozen.pop(environment, None)
        if not self._idle.remove(environment):
            self._kept_idle.remove(environment)
        kept = self._kept.pop(environment, None)
        if environment in self._tasks:
            self._leaving[environment] = environment.memory_peak_mib
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

    # Freezing, and scaling to zero -----------------------------------------------------------------------------------

    def _freeze_soon(self, now: float) -> None:
        # With a delay of 0 this is the loop's next iteration: the answer, and what follows it, leave first.
        if self._freeze_timer is None:
            self._freeze_timer = self._clock.call_later(self._freeze_after_s, self._freeze)

    def _freeze(self) -> None:
        """Freeze what has been idle long enough; come again for the others."""
        self._freeze_timer = None
        now = self._clock.monotonic()
        for environment, since in list(self._unfrozen.items()):
            early_s = since + self._freeze_after_s - now
            if early_s > 0:
                self._freeze_timer = self._clock.call_later(max(early_s, 0.001), self._freeze)
                return
            del self._unfrozen[environment]
            environment.freeze()

    def _sweep(self) -> None:
        """End what has been idle for long, and what has grown old; come again when there is more to do."""
        self._sweep_timer = None
        now = self._clock.monotonic()
        for environment in [*self._idle.since, *self._kept_idle.since]:
            since = self._idle.since.get(environment, now)
            if now - since >= self._idle_s or now - self._all[environment] >= self._age_s:
                environment.retire()
        due = [min(since + self._idle_s, self._all[idle] + self._age_s) for idle, since in self._idle.since.items()]
        due += [self._all[environment] + self._age_s for environment in self._kept_idle.since]
        if due:
            self._sweep_by(max(min(due), now + 0.001))

    def _sweep_by(self, moment: float) -> None:
        if self._sweep_timer is not None:
            if self._sweep_at <= moment:
                return
            self._sweep_timer.cancel()
        self._sweep_at = moment
        self._sweep_timer = self._clock.call_later(moment - self._clock.monotonic(), self._sweep)

    async def close(self, grace_s: float) -> None:
        """Retire everything; wait up to `grace_s` for running invocations to finish, then end them."""
        self._is_closing = True
        for timer in (self._sweep_timer, self._freeze_timer, self._watch_timer):
            if timer is not None:
                timer.cancel()
        for waiter in list(self._wanting_room):
            waiter.give(None)
        for environment in list(self._all):
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
