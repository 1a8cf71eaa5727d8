"""Placement and Workers for one machine: function calls, no serialisation, no hop."""

from collections.abc import Callable, Collection

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.function import Deployment, FunctionName
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.execution.driver import ExecutionEnvironment
from lambent.execution.pool import EnvironmentPool, PoolFull
from lambent.fleet.contract import Slot, Throttled


class LocalSlot(msgspec.Struct, frozen=True):
    """The right to run one invocation in `environment`, for as long as its epoch stands."""

    environment: ExecutionEnvironment
    epoch: int


class LocalFleet:
    """Implements `Placement` and `Workers` over this machine's pool."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool

    async def acquire(self, deployment: Deployment, released: Callable[[], None]) -> LocalSlot:
        try:
            environment = await self._pool.lease(deployment, released)
        except PoolFull:
            # AWS's reason for an exhausted pool. Ours is this machine's room, or how fast the function may have more.
            raise Throttled("ConcurrentInvocationLimitExceeded") from None
        return LocalSlot(environment, environment.epoch)

    def give_back(self, slot: Slot) -> None:
        self._pool.give_back(_environment_of(slot))

    def retain(self, scope: Scope, name: FunctionName, deployment_ids: Collection[str]) -> None:
        self._pool.retain(scope, name, deployment_ids)

    def in_use(self) -> tuple[int, int]:
        return self._pool.busy, self._pool.size

    async def invoke(self, slot: Slot, invocation: Invocation) -> InvocationOutcome:
        environment = _environment_of(slot)
        is_new = environment.is_new
        answer = environment.invoke(invocation)
        if is_new:
            self._pool.start(environment)
        try:
            outcome = await answer
        except BaseException:
            # The caller was cancelled when its answer was there already: nobody is left to read what is streamed.
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                stream = answer.result().stream
                if stream is not None:
                    stream.close()
            raise
        return msgspec.structs.replace(outcome, is_cold=True) if is_new else outcome


def _environment_of(slot: Slot) -> ExecutionEnvironment:
    assert isinstance(slot, LocalSlot), "a slot of another fleet"
    assert slot.environment.epoch == slot.epoch, "a stale slot"
    return slot.environment
