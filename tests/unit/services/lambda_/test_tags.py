"""The one tag that acts: a change of it makes new deployments, whatever else is going on."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.domain.arn import function_arn
from lambent.domain.caller import Caller, Scope
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
from lambent.domain.quotas import Quotas
from lambent.services.lambda_.activation import Activation
from lambent.services.lambda_.tags import Tags
from lambent.store.contract import FunctionStore
from lambent.testing.stores import make_sqlite, open_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
F = FunctionName("f")
CALLER = Caller(scope=SCOPE, principal="arn", authenticated_by="none", request_id="id", endpoint="http://x")
LATEST_OF_F = FunctionVersion(
    scope=SCOPE,
    name=F,
    version=LATEST,
    function_id="id",
    configuration=Configuration("python3.11", "app.handler", "role"),
    code=Code("1" * 64, 1),
    revision_id="r1",
    last_modified=0.0,
    state=State.ACTIVE,
    last_update_status=UpdateStatus.SUCCESSFUL,
    deployment_id="d1",
)
UPDATING = msgspec.structs.replace(
    LATEST_OF_F,
    last_update_status=UpdateStatus.IN_PROGRESS,
    deployment_id="d2",
    serving=LATEST_OF_F.deployment(),
)
CLOSED = {"lambent:egress": "none"}


class FakeMachine:
    """Packages and runtimes that are always ready; lets a test act while one is prepared."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], Awaitable[Any]] | None = None

    async def folder(self, sha256: str) -> Path:
        return Path("package")

    async def prepare(self, runtime: str) -> None:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()

    async def expect(self, deployment: Deployment) -> None:
        pass

    async def first_init(self, deployment: Deployment) -> None:
        pass


class Bench:
    def __init__(self, store: FunctionStore) -> None:
        clock = VirtualClock()
        self.store = store
        self.machine: Any = FakeMachine()
        self.activation = Activation(
            store, self.machine, self.machine, clock, self.machine.expect, self.machine.first_init
        )
        self.tags = Tags(store, self.activation, Quotas(), clock)

    async def create(self, *versions: FunctionVersion) -> None:
        async with self.store.transaction(SCOPE) as tx:
            await tx.create(Function(SCOPE, F, "id"), versions[0])
            for version in versions[1:]:
                await tx.save_version(version)

    async def version(self, number: str = LATEST) -> FunctionVersion:
        async with self.store.snapshot(SCOPE) as reading:
            found = await reading.version(F, number)
        assert found is not None
        return found

    async def tag(self, **tags: str) -> None:
        await self.tags.tag(CALLER, {"Resource": function_arn(SCOPE, F), "Tags": tags})

    async def untag(self, *keys: str) -> None:
        await self.tags.untag(CALLER, {"Resource": function_arn(SCOPE, F), "TagKeys": list(keys)})


@pytest.fixture
def story(tmp_path: Path) -> Callable[[Callable[[Bench], Awaitable[None]]], None]:
    """Give a function that runs a coroutine with a bench over a real store."""
    make_sqlite(tmp_path / "state.db")

    def run(tell: Callable[[Bench], Awaitable[None]]) -> None:
        async def open_and_tell() -> None:
            async with open_sqlite(str(tmp_path / "state.db")) as stores:
                await tell(Bench(stores.functions))

        asyncio.run(open_and_tell())

    return run


def test_closing_and_opening_make_new_deployments_of_all_versions(story: Callable[..., None]) -> None:
    """Every version gets another deployment with the new answer; configuration and code are what they were."""

    async def tell(bench: Bench) -> None:
        await bench.create(LATEST_OF_F, msgspec.structs.replace(LATEST_OF_F, version="1", deployment_id="d-1"))
        await bench.tag(**CLOSED)
        closed = [(await bench.version(number)).deployment() for number in (LATEST, "1")]
        assert [one.egress for one in closed] == [False, False]
        assert {one.deployment_id for one in closed}.isdisjoint({"d1", "d-1"})
        assert closed[0].configuration == LATEST_OF_F.configuration
        await bench.untag("lambent:egress")
        opened = [(await bench.version(number)).deployment() for number in (LATEST, "1")]
        assert [one.egress for one in opened] == [True, True]
        assert len({one.deployment_id for one in (*closed, *opened)}) == 4

    story(tell)


def test_tags_that_say_the_same_leave_deployments_alone(story: Callable[..., None]) -> None:
    """Other tags, the default spelt out, and the same again: the revision is new and nothing else."""

    async def tell(bench: Bench) -> None:
        await bench.create(LATEST_OF_F)
        await bench.tag(team="a")
        await bench.tag(**{"lambent:egress": "nat"})
        tagged = await bench.version()
        assert tagged == msgspec.structs.replace(LATEST_OF_F, revision_id=tagged.revision_id)
        assert tagged.revision_id != "r1"
        await bench.tag(**CLOSED)
        closed = await bench.version()
        await bench.tag(**CLOSED)
        await bench.untag("team", "nobody")
        assert (await bench.version()).deployment_id == closed.deployment_id

    story(tell)


def test_what_serves_during_an_update_is_closed_at_once(story: Callable[..., None]) -> None:
    """Neither the old deployment nor the one that is prepared keeps the way out."""

    async def tell(bench: Bench) -> None:
        await bench.create(UPDATING)
        await bench.tag(**CLOSED)
        version = await bench.version()
        assert version.serving is not None
        assert (version.egress, version.serving.egress) == (False, False)
        assert len({version.deployment_id, version.serving.deployment_id, "d1", "d2"}) == 4

    story(tell)


def test_a_function_that_is_tagged_while_it_is_prepared_settles(story: Callable[..., None]) -> None:
    """The preparation that was overtaken is asked for again: no function stays InProgress for ever."""

    async def tell(bench: Bench) -> None:
        await bench.create(UPDATING)
        bench.machine.meanwhile = lambda: bench.tag(**CLOSED)
        bench.activation.settle_soon(SCOPE, F)
        running = asyncio.create_task(bench.activation.run())
        try:
            async with asyncio.timeout(10):
                while (await bench.version()).last_update_status is not UpdateStatus.SUCCESSFUL:
                    assert not running.done()
        finally:
            running.cancel()
            await asyncio.wait([running])
        version = await bench.version()
        assert (version.serving, version.egress) == (None, False)

    story(tell)
