"""A function in a real store, and what settles it: a machine that fails as told and lets a test act meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.function import (
    LATEST,
    Code,
    Configuration,
    Deployment,
    Function,
    FunctionName,
    FunctionVersion,
    State,
    UpdateStatus,
)
from lambent.execution.environment import InitFailure
from lambent.services.lambda_.activation import Activation
from lambent.store.contract import FunctionStore
from lambent.testing.stores import make_sqlite, open_sqlite
from lambent.testing.virtual_clock import PATIENCE_S, VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
F = FunctionName("f")
PENDING = FunctionVersion(
    scope=SCOPE,
    name=F,
    version=LATEST,
    function_id="id",
    configuration=Configuration("python3.11", "app.handler", "role"),
    code=Code("1" * 64, 1),
    revision_id="r1",
    last_modified=0.0,
    state_reason="The function is being created.",
    state_reason_code="Creating",
    deployment_id="d1",
)
ACTIVE = msgspec.structs.replace(
    PENDING,
    state=State.ACTIVE,
    state_reason=None,
    state_reason_code=None,
    last_update_status=UpdateStatus.SUCCESSFUL,
)
UPDATING = msgspec.structs.replace(
    ACTIVE, last_update_status=UpdateStatus.IN_PROGRESS, deployment_id="d2", serving=ACTIVE.deployment()
)


@dataclass
class FakeMachine:
    """Packages and runtimes, and who runs first inits."""

    failures: list[Exception] = field(default_factory=list)
    """What preparations fail with, the last one first."""
    meanwhile: Callable[[], Awaitable[None]] | None = None
    """Called by every preparation and first init."""
    prepared: list[str] = field(default_factory=list)
    """Runtimes that were asked for, in order."""
    first_inits: list[str] = field(default_factory=list)
    """Versions whose first init ran, in order."""
    init_failures: list[InitFailure | Exception] = field(default_factory=list)
    """What first inits fail with, the first one first."""

    async def folder(self, sha256: str) -> Path:
        if self.failures:
            raise self.failures.pop()
        return Path("package")

    async def prepare(self, runtime: str) -> None:
        self.prepared.append(runtime)
        if self.meanwhile is not None:
            await self.meanwhile()

    async def expect(self, deployment: Deployment) -> None:
        pass

    async def first_init(self, deployment: Deployment) -> InitFailure | None:
        self.first_inits.append(deployment.version)
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.init_failures:
            failure = self.init_failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        return None


@dataclass
class Bench:
    """The store with one function, its machine, and `Activation` between them."""

    store: FunctionStore
    machine: FakeMachine
    clock: VirtualClock
    activation: Activation

    async def save(self, *versions: FunctionVersion) -> None:
        """Store versions, the first time with their function."""
        async with self.store.transaction(SCOPE) as tx:
            if await tx.function(F) is None:
                await tx.create(Function(SCOPE, F, "id"), versions[0])
            for version in versions:
                await tx.save_version(version)

    async def version(self, number: str = LATEST) -> FunctionVersion:
        async with self.store.snapshot(SCOPE) as reading:
            found = await reading.version(F, number)
        assert found is not None
        return found

    async def settle(self) -> FunctionVersion:
        await self.activation.settle(SCOPE, F)
        return await self.version()

    async def run_until(self, is_settled: Callable[[FunctionVersion], bool], number: str = LATEST) -> FunctionVersion:
        """Run the supervised task until a version is as asked, letting time pass for retries."""
        running = asyncio.create_task(self.activation.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not is_settled(version := await self.version(number)):
                    assert not running.done(), "the task has ended"
                    self.clock.advance(0.5)
        finally:
            running.cancel()
            await asyncio.wait([running])
        return version


Story = Callable[[Bench], Awaitable[None]]


def tell(folder: Path, story: Story, *failures: Exception) -> None:
    """Run a coroutine with a bench over a new store in `folder`; `failures` are the machine's."""
    make_sqlite(folder / "state.db")

    async def open_and_tell() -> None:
        async with open_sqlite(str(folder / "state.db")) as stores:
            machine: Any = FakeMachine(list(failures))
            clock = VirtualClock()
            activation = Activation(stores.functions, machine, machine, clock, machine.expect, machine.first_init)
            await story(Bench(stores.functions, machine, clock, activation))

    asyncio.run(open_and_tell())
