"""
The pool of execution environments on this machine.

All methods are plain and atomic on the event loop; nothing here awaits, so nothing here needs a lock.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection

from lambent.clock import Clock, TimerHandle
from lambent.domain.caller import Scope
from lambent.domain.function import Deployment, FunctionName
from lambent.execution.driver import EnvironmentOwner, ExecutionEnvironment

_log = logging.getLogger("lambent.execution")

FREEZE_AFTER_S = 0.1
"""
How long an environment stays idle before it is frozen. Freezing and thawing `process` environments by signal costs
more than the next warm invocation should pay when it comes at once; AWS freezes immediately.
"""

HANDOVER_S = 0.01
"""
How long a call waits for an environment that has answered and is about to ask for the next event. Assumed: that takes a
runtime well under a millisecond, a new environment takes tens; revisit test_pool.py and the wire test of a caller that
comes back at once.
"""


class PoolFull(Exception):
    """Every environment that may exist is busy."""


class EnvironmentPool(EnvironmentOwner):
    """
    Environments by deployment; idle ones are reused, newest first.

    Args:
        make: makes an environment for a deployment; it is given this pool as its owner.
        environments_max: how many may exist at once.
        idle_s: how long an idle one is kept.
        spawn: runs an environment's `live` under a supervisor.
    """

    def __init__(
        self,
        make: Callable[[Deployment, EnvironmentOwner], ExecutionEnvironment],
        *,
        environments_max: int,
        idle_s: float,
        clock: Clock,
        spawn: Callable[[ExecutionEnvironment], asyncio.Task[None]],
    ) -> None:
        self._make = make
        self._environments_max = environments_max
        self._idle_s = idle_s
        self._clock = clock
        self._spawn = spawn
        self._all: set[ExecutionEnvironment] = set()
        """Environments that count: idle and busy ones. Those that are ending do not."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: dict[str, list[ExecutionEnvironment]] = {}
        """By deployment id, oldest first: the newest is popped."""
        self._idle_since: dict[ExecutionEnvironment, float] = {}
        """Every idle environment, the longest idle first."""
        self._unfrozen: dict[ExecutionEnvironment, float] = {}
        """Idle environments that are not frozen yet."""
        self._answered: dict[str, set[ExecutionEnvironment]] = {}
        """Busy environments whose caller has its answer, by deployment id: about to be free."""
        self._waiting: dict[str, deque[asyncio.Future[ExecutionEnvironment | None]]] = {}
        """Calls that wait for one of those, first come first served; never more than there are."""
        self._sweep_timer: TimerHandle | None = None
        self._sweep_at = 0.0
        self._is_closing = False

    @property
    def size(self) -> int:
        return len(self._all)

    @property
    def busy(self) -> int:
        return len(self._all) - len(self._idle_since)

    async def lease(self, deployment: Deployment) -> ExecutionEnvironment:
        """
        Return an environment for one invocation: the newest idle one, one that is about to be free, or a new one.

        A new one takes the place of the longest idle environment of another function when there is no room. A
        cancelled call leaves nothing behind.

        Raises:
            PoolFull: every environment is busy.
        """
        deployment_id = deployment.deployment_id
        idle = self._idle.get(deployment_id)
        if idle:
            environment = idle.pop()
            del self._idle_since[environment]
            self._unfrozen.pop(environment, None)
            environment.epoch += 1
            return environment
        answered = self._answered.get(deployment_id)
        if answered and len(self._waiting.get(deployment_id, ())) < len(answered):
            handed_over = await self._wait_for_handover(deployment_id)
            # It may have ended between the moment it was handed over and this one.
            if handed_over is not None and handed_over in self._all:
                return handed_over
        return self._new(deployment)

    async def _wait_for_handover(self, deployment_id: str) -> ExecutionEnvironment | None:
        """Wait for the next environment of a deployment to become free; None when none did in time."""
        waiter: asyncio.Future[ExecutionEnvironment | None] = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(deployment_id, deque())
        queue.append(waiter)

        def give_up() -> None:
            if not waiter.done():
                waiter.set_result(None)

        timer = self._clock.call_later(HANDOVER_S, give_up)
        try:
            return await waiter
        except asyncio.CancelledError:
            environment = waiter.result() if waiter.done() and not waiter.cancelled() else None
            if environment is not None and environment in self._all:
                self.environment_free(environment)
            raise
        finally:
            timer.cancel()
            if waiter in queue:
                queue.remove(waiter)
            if not queue:
                self._waiting.pop(deployment_id, None)

    def _new(self, deployment: Deployment) -> ExecutionEnvironment:
        if len(self._all) >= self._environments_max:
            if not self._idle_since:
                raise PoolFull
            next(iter(self._idle_since)).retire()
        environment = self._make(deployment, self)
        environment.epoch += 1
        self._all.add(environment)
        return environment

    def start(self, environment: ExecutionEnvironment) -> None:
        """Begin a new environment's life, after its first invocation was placed."""
        task = self._spawn(environment)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def environment_answered(self, environment: ExecutionEnvironment) -> None:
        self._answered.setdefault(environment.deployment.deployment_id, set()).add(environment)

    def environment_free(self, environment: ExecutionEnvironment) -> None:
        self._forget_answered(environment)
        if self._is_closing:
            environment.retire()
            return
        queue = self._waiting.get(environment.deployment.deployment_id)
        while queue:
            waiter = queue.popleft()
            if not waiter.done():
                environment.epoch += 1
                waiter.set_result(environment)
                return
        now = self._clock.monotonic()
        self._idle.setdefault(environment.deployment.deployment_id, []).append(environment)
        self._idle_since[environment] = now
        self._unfrozen[environment] = now
        # A timer may be set already, but for the end of an environment that has been idle for longer.
        if self._sweep_timer is None or self._sweep_at > now + FREEZE_AFTER_S:
            self._sweep_in(FREEZE_AFTER_S)

    def environment_gone(self, environment: ExecutionEnvironment) -> None:
        self._all.discard(environment)
        self._forget_answered(environment)
        idle = self._idle.get(environment.deployment.deployment_id)
        if self._idle_since.pop(environment, None) is not None:
            self._unfrozen.pop(environment, None)
            assert idle is not None
            idle.remove(environment)
        # Also of one that was busy: each update brings a new deployment, and nothing may stay of the old ones.
        if idle is not None and not idle:
            del self._idle[environment.deployment.deployment_id]

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
            if deployment.name == name and deployment.scope == scope and deployment.deployment_id not in deployment_ids:
                environment.retire()

    def _sweep(self) -> None:
        """Freeze what has been idle for a moment, end what has been idle for long, and come again when needed."""
        self._sweep_timer = None
        now = self._clock.monotonic()
        for environment, since in list(self._unfrozen.items()):
            if now - since < FREEZE_AFTER_S:
                break
            del self._unfrozen[environment]
            environment.freeze()
        for environment, since in list(self._idle_since.items()):
            if now - since < self._idle_s:
                break
            environment.retire()
        # Freshly used environments come first in neither table: both are ordered by when they became idle.
        if self._unfrozen:
            delay_s = FREEZE_AFTER_S
        elif self._idle_since:
            delay_s = max(next(iter(self._idle_since.values())) + self._idle_s - now, 0.001)
        else:
            return
        self._sweep_in(delay_s)

    def _sweep_in(self, delay_s: float) -> None:
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        self._sweep_at = self._clock.monotonic() + delay_s
        self._sweep_timer = self._clock.call_later(delay_s, self._sweep)

    async def close(self, grace_s: float) -> None:
        """Retire everything; wait up to `grace_s` for running invocations to finish, then end them."""
        self._is_closing = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        for environment in list(self._all):
            environment.retire()
        if self._tasks:
            _, late = await asyncio.wait(list(self._tasks), timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                _log.warning("pool.closed_with_running count=%d", len(late))
                await asyncio.wait(late)
