"""The one tag that acts: a change of it makes new deployments, whatever else is going on."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from unit.services.lambda_.function_bench import ACTIVE, SCOPE, UPDATING, Bench, F, tell

from lambent.domain.arn import function_arn
from lambent.domain.caller import Caller
from lambent.domain.function import LATEST, UpdateStatus
from lambent.domain.principal import root_of
from lambent.domain.quotas import Quotas
from lambent.services.lambda_.tags import Tags

CALLER = Caller(
    scope=SCOPE, principal=root_of("000000000000"), authenticated_by="none", request_id="id", endpoint="http://x"
)
CLOSED = {"lambent:egress": "none"}


@pytest.fixture
def story(tmp_path: Path) -> Callable[..., None]:
    """Give a function that runs a coroutine with a bench over a real store."""
    return partial(tell, tmp_path)


def tags_of(bench: Bench) -> Tags:
    return Tags(bench.store, bench.activation, Quotas(), bench.clock)


async def tag(bench: Bench, **tags: str) -> None:
    await tags_of(bench).tag(CALLER, {"Resource": function_arn(SCOPE, F), "Tags": tags})


async def untag(bench: Bench, *keys: str) -> None:
    await tags_of(bench).untag(CALLER, {"Resource": function_arn(SCOPE, F), "TagKeys": list(keys)})


def test_closing_and_opening_make_new_deployments_of_all_versions(story: Callable[..., None]) -> None:
    """Every version gets another deployment with the new answer; configuration and code are what they were."""

    async def tell(bench: Bench) -> None:
        await bench.save(ACTIVE, msgspec.structs.replace(ACTIVE, version="1", deployment_id="d-1"))
        await tag(bench, **CLOSED)
        closed = [(await bench.version(number)).deployment() for number in (LATEST, "1")]
        assert [one.egress for one in closed] == [False, False]
        assert {one.deployment_id for one in closed}.isdisjoint({"d1", "d-1"})
        assert closed[0].configuration == ACTIVE.configuration
        await untag(bench, "lambent:egress")
        opened = [(await bench.version(number)).deployment() for number in (LATEST, "1")]
        assert [one.egress for one in opened] == [True, True]
        assert len({one.deployment_id for one in (*closed, *opened)}) == 4

    story(tell)


def test_tags_that_say_the_same_leave_deployments_alone(story: Callable[..., None]) -> None:
    """Other tags, the default spelt out, and the same again: the revision is new and nothing else."""

    async def tell(bench: Bench) -> None:
        await bench.save(ACTIVE)
        await tag(bench, team="a")
        await tag(bench, **{"lambent:egress": "nat"})
        tagged = await bench.version()
        assert tagged == msgspec.structs.replace(ACTIVE, revision_id=tagged.revision_id)
        assert tagged.revision_id != "r1"
        await tag(bench, **CLOSED)
        closed = await bench.version()
        await tag(bench, **CLOSED)
        await untag(bench, "team", "nobody")
        assert (await bench.version()).deployment_id == closed.deployment_id

    story(tell)


def test_what_serves_during_an_update_is_closed_at_once(story: Callable[..., None]) -> None:
    """Neither the old deployment nor the one that is prepared keeps the way out."""

    async def tell(bench: Bench) -> None:
        await bench.save(UPDATING)
        await tag(bench, **CLOSED)
        version = await bench.version()
        assert version.serving is not None
        assert (version.egress, version.serving.egress) == (False, False)
        assert len({version.deployment_id, version.serving.deployment_id, "d1", "d2"}) == 4

    story(tell)


def test_a_function_that_is_tagged_while_it_is_prepared_settles(story: Callable[..., None]) -> None:
    """The preparation that was overtaken is asked for again: no function stays InProgress for ever."""

    async def tell(bench: Bench) -> None:
        await bench.save(UPDATING)

        async def close_once() -> None:
            bench.machine.meanwhile = None
            await tag(bench, **CLOSED)

        bench.machine.meanwhile = close_once
        bench.activation.settle_soon(SCOPE, F)
        version = await bench.run_until(lambda version: version.last_update_status is UpdateStatus.SUCCESSFUL)
        assert (version.serving, version.egress) == (None, False)

    story(tell)
