"""Which deployments go when stages move."""

import msgspec
import pytest

from lambent.domain.http_api import Deployment, Stage
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.deploying import check_may_be_set, moved, outlived

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
