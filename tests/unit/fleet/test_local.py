"""The adapter for one machine: what the pool says, in the fleet's words."""

import asyncio
from typing import Any

import pytest

from lambent.domain.invocation import InvocationOutcome
from lambent.execution.pool import PoolFull
from lambent.fleet.contract import Throttled
from lambent.fleet.local import LocalFleet

DEPLOYMENT: Any = object()
INVOCATION: Any = object()
OUTCOME = InvocationOutcome(b"{}", "1")


class Environment:
    """Answers the same to whatever it is asked."""

    def __init__(self, *, is_new: bool) -> None:
        self.is_new = is_new
        self.epoch = 0

    def invoke(self, invocation: object) -> "asyncio.Future[object]":
        self.is_new = False
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        answer.set_result(OUTCOME)
        return answer


class Pool:
    """Has one environment, or none."""

    def __init__(self, environment: Environment | None) -> None:
        self.environment = environment
        self.started: list[object] = []
        self.given_back: list[object] = []

    async def lease(self, deployment: object, released: object) -> Environment:
        if self.environment is None:
            raise PoolFull
        self.environment.epoch += 1
        return self.environment

    def start(self, environment: Environment) -> None:
        assert not environment.is_new, "its first invocation is to be placed before"
        self.started.append(environment)

    def give_back(self, environment: object) -> None:
        self.given_back.append(environment)


def fleet_of(pool: Pool) -> LocalFleet:
    return LocalFleet(pool)  # type: ignore[arg-type]


def nothing() -> None:
    """Nobody counts here."""


def test_a_machine_without_room_throttles() -> None:
    """With a Reason that AWS's clients know."""

    async def story() -> None:
        with pytest.raises(Throttled) as refused:
            await fleet_of(Pool(None)).acquire(DEPLOYMENT, nothing)
        assert refused.value.reason == "ConcurrentInvocationLimitExceeded"

    asyncio.run(story())


def test_a_new_environment_is_started_with_its_first_invocation() -> None:
    """Once, and its outcome says so: the second finds it running."""

    async def story() -> None:
        pool = Pool(Environment(is_new=True))
        fleet = fleet_of(pool)
        outcomes = [await fleet.invoke(await fleet.acquire(DEPLOYMENT, nothing), INVOCATION) for _ in range(2)]
        assert [outcome.is_cold for outcome in outcomes] == [True, False]
        assert outcomes[1] is OUTCOME
        assert pool.started == [pool.environment]

    asyncio.run(story())


def test_a_slot_counts_for_one_grant() -> None:
    """Once its environment has been granted anew, it neither runs nor gives back anything."""

    async def story() -> None:
        pool = Pool(Environment(is_new=False))
        fleet = fleet_of(pool)
        stale, slot = await fleet.acquire(DEPLOYMENT, nothing), await fleet.acquire(DEPLOYMENT, nothing)
        with pytest.raises(AssertionError, match="stale"):
            await fleet.invoke(stale, INVOCATION)
        with pytest.raises(AssertionError, match="stale"):
            fleet.give_back(stale)
        fleet.give_back(slot)
        assert pool.given_back == [pool.environment]

    asyncio.run(story())
