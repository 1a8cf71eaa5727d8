"""
What a stage serves: deployments, which are frozen copies of an API, and when one is made by itself.

Whatever changes routes, integrations, authorizers or CORS calls `redeploy` in its own transaction: of a stage that
deploys automatically nobody sees a state between two changes.
"""

from collections.abc import Iterable, Sequence

import msgspec

from lambent.clock import Clock
from lambent.domain.http_api import Authorizer, DeployedApi, Deployment, HttpApi, Integration, Route, Stage
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.identifiers import DEPLOYMENT_LENGTH, free_part_id
from lambent.services.apigatewayv2.limits import DEPLOYED_MAX_BYTES, DEPLOYMENTS_MAX
from lambent.services.apigatewayv2.refusals import full
from lambent.store.contract import FunctionTransaction

AUTOMATIC = "Automatic deployment triggered by changes to the Api configuration"
"""Observed: aws/aws-cli, the example of get-deployments."""


async def redeploy(tx: FunctionTransaction, api: HttpApi, clock: Clock) -> None:
    """Move the stages that deploy automatically to the API as it is now."""
    stages = [stage for stage in await tx.http_apis.parts(Stage, api.api_id) if stage.auto_deploy]
    if not stages:
        return
    deployment = await freeze(tx, api, clock, description=AUTOMATIC, auto_deployed=True)
    for stage in stages:
        await tx.http_apis.save_part(api.api_id, moved(stage, deployment, clock.now()))
    await forget_outlived(tx, api)


async def deploy_stage(tx: FunctionTransaction, api: HttpApi, stage: Stage, clock: Clock) -> Stage:
    """Save a stage that deploys automatically from now on, with the API as it is now; return it."""
    deployment = await freeze(tx, api, clock, description=AUTOMATIC, auto_deployed=True)
    stage = moved(stage, deployment, clock.now())
    await tx.http_apis.save_part(api.api_id, stage)
    await forget_outlived(tx, api)
    return stage


async def freeze(
    tx: FunctionTransaction, api: HttpApi, clock: Clock, *, description: str | None, auto_deployed: bool
) -> Deployment:
    """
    Make a deployment of an API as it is now, which no stage serves yet.

    Raises:
        BadRequestException: the API is too large for one.
        TooManyRequestsException: it has as many as it may have, and somebody asked for one more.
    """
    rows = tx.http_apis
    # What is made by itself takes the place of what was: there are no more of those than stages, and one.
    if not auto_deployed and len(await rows.parts(Deployment, api.api_id)) >= DEPLOYMENTS_MAX:
        raise full("Deployments", "this API")
    deployment = Deployment(
        deployment_id=await free_part_id(tx, Deployment, api.api_id, clock, DEPLOYMENT_LENGTH),
        created=clock.now(),
        description=description,
        auto_deployed=auto_deployed,
    )
    frozen = DeployedApi(
        deployment_id=deployment.deployment_id,
        routes=tuple(await rows.parts(Route, api.api_id)),
        integrations=tuple(await rows.parts(Integration, api.api_id)),
        authorizers=tuple(await rows.parts(Authorizer, api.api_id)),
        cors=api.cors,
    )
    if len(msgspec.json.encode(frozen)) > DEPLOYED_MAX_BYTES:
        # Assumed: the text (test_deploying).
        raise BadRequestException(f"The API is too large: what a deployment holds may have {DEPLOYED_MAX_BYTES} bytes")
    await rows.save_part(api.api_id, deployment)
    await rows.save_part(api.api_id, frozen)
    return deployment


def moved(stage: Stage, deployment: Deployment, now: float) -> Stage:
    """Return a stage that serves a deployment."""
    return msgspec.structs.replace(
        stage,
        deployment_id=deployment.deployment_id,
        last_updated=now,
        # Observed: aws/aws-cli, the example of get-stages: the stages that deploy automatically have it.
        last_deployment_status_message=(
            f"Successfully deployed stage with deployment ID '{deployment.deployment_id}'"
            if stage.auto_deploy
            else None
        ),
    )


def check_may_be_set(stage_deploys_itself: bool, deployment_id: str | None) -> None:
    """
    Refuse a deployment by hand for a stage that deploys automatically.

    Raises:
        BadRequestException: so it is.
    """
    if stage_deploys_itself and deployment_id:
        # Observed: go-to-k/cdk-real-drift#667.
        raise BadRequestException("Deployment ID cannot be set on this stage because AutoDeploy is enabled.")


def outlived(deployments: Iterable[Deployment], stages: Sequence[Stage]) -> list[Deployment]:
    """Return the deployments that were made automatically and that no stage serves any more."""
    served = {stage.deployment_id for stage in stages}
    return [one for one in deployments if one.auto_deployed and one.deployment_id not in served]


async def remove(tx: FunctionTransaction, api: HttpApi, deployment_id: str) -> None:
    """Remove a deployment with what it froze."""
    await tx.http_apis.delete_part(Deployment, api.api_id, deployment_id)
    await tx.http_apis.delete_part(DeployedApi, api.api_id, deployment_id)


async def forget_outlived(tx: FunctionTransaction, api: HttpApi) -> None:
    """
    Remove what was deployed automatically and is not served any more.

    Assumed: AWS keeps them for a while; nothing can be done with one but to read its date, and each is a copy of the
    whole API (test_deploying).
    """
    rows = tx.http_apis
    for one in outlived(await rows.parts(Deployment, api.api_id), await rows.parts(Stage, api.api_id)):
        await remove(tx, api, one.deployment_id)
