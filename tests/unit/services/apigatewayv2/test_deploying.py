"""Which deployments go when stages move."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from lambent.domain.caller import Scope
from lambent.domain.http_api import DeployedApi, Deployment, HttpApi, Integration, Stage
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2 import deploying
from lambent.services.apigatewayv2.deploying import check_may_be_set, moved, outlived, redeploy
from lambent.testing.stores import make_sqlite, open_sqlite

STAGE = Stage("prod", created=1.0, last_updated=1.0, deployment_id="b", auto_deploy=True)


def test_what_nobody_serves_any_more_goes() -> None:
    """If it was made by itself; what somebody made by hand stays."""
    deployments = [
        Deployment("a", 1.0, auto_deployed=True),
        Deployment("b", 2.0, auto_deployed=True),
        Deployment("c", 3.0),
    ]
    assert [one.deployment_id for one in outlived(deployments, [STAGE])] == ["a"]
    assert [one.deployment_id for one in outlived(deployments, [])] == ["a", "b"]


def test_a_stage_moves() -> None:
    """One that deploys by itself says that it went well."""
    there = moved(STAGE, Deployment("d", 5.0), 6.0)
    assert (there.deployment_id, there.last_updated, there.created) == ("d", 6.0, 1.0)
    assert there.last_deployment_status_message == "Successfully deployed stage with deployment ID 'd'"
    by_hand = moved(msgspec.structs.replace(STAGE, auto_deploy=False), Deployment("d", 5.0), 6.0)
    assert by_hand.last_deployment_status_message is None


def test_a_stage_that_deploys_by_itself_takes_none_by_hand() -> None:
    """Only where one is given."""
    check_may_be_set(True, None)
    check_may_be_set(False, "d")
    with pytest.raises(BadRequestException):
        check_may_be_set(True, "d")


def test_a_deployment_has_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds a copy of the whole API; one that is too large changes nothing."""
    scope = Scope("111122223333", "eu-west-1")
    api = HttpApi(scope, "a1", "an api", 1.5)
    make_sqlite(tmp_path / "state.db")

    async def story() -> None:
        async with open_sqlite(str(tmp_path / "state.db")) as stores:

            async def put(description: str) -> None:
                made = Integration("i1", "HTTP_PROXY", "https://a.example", description=description)
                async with stores.functions.transaction(scope) as tx:
                    await tx.http_apis.save(api)
                    await tx.http_apis.save_part("a1", STAGE)
                    await tx.http_apis.save_part("a1", made)
                    await redeploy(tx, api, stores.clock)

            monkeypatch.setattr(deploying, "DEPLOYED_MAX_BYTES", 1_000)
            await put("d" * 500)
            with pytest.raises(BadRequestException, match="may have 1000 bytes"):
                await put("d" * 1_000)
            async with stores.functions.snapshot(scope) as reading:
                (deployed,) = await reading.http_apis.parts(DeployedApi, "a1")
                assert [len(one.description or "") for one in deployed.integrations] == [500]
                assert await reading.http_apis.parts(Integration, "a1") == list(deployed.integrations)

    asyncio.run(story())
