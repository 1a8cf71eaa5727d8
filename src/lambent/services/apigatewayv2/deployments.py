"""Deployments that somebody makes by hand."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.http_api import Deployment, Stage
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.protocol.shapes.apigatewayv2 import (
    CreateDeploymentRequest,
    DeleteDeploymentRequest,
    GetDeploymentRequest,
    GetDeploymentsRequest,
    UpdateDeploymentRequest,
)
from lambent.services.apigatewayv2.deploying import check_may_be_set, forget_outlived, freeze, moved, remove
from lambent.services.apigatewayv2.paging import requested_page
from lambent.services.apigatewayv2.refusals import check_lengths, existing_api, existing_part
from lambent.services.apigatewayv2.shown import deployment_view
from lambent.services.apigatewayv2.stages import existing_stage
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore


class Deployments:
    """The deployments of HTTP APIs. See the API Gateway v2 API reference for each operation."""

    def __init__(self, store: FunctionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateDeployment")
    async def create(self, caller: Caller, request: CreateDeploymentRequest) -> Mapping[str, Any]:
        check_lengths(request, {"Description": (0, 1024)})
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            name = request.get("StageName")
            stage = None if not name else await existing_stage(tx, api.api_id, name)
            if stage is not None:
                check_may_be_set(stage.auto_deploy, "the one that this makes")
            made = await freeze(
                tx, api, self._clock, description=request.get("Description") or None, auto_deployed=False
            )
            if stage is not None:
                await tx.http_apis.save_part(api.api_id, moved(stage, made, self._clock.now()))
                await forget_outlived(tx, api)
        return deployment_view(made)

    @operation("GetDeployment")
    async def get(self, caller: Caller, request: GetDeploymentRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            return deployment_view(await existing_part(reading, Deployment, api.api_id, request["DeploymentId"]))

    @operation("GetDeployments")
    async def list(self, caller: Caller, request: GetDeploymentsRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            found = await reading.http_apis.parts(Deployment, api.api_id, after=page.after, limit=page.looked_at)
        return page.answer(found, lambda one: one.deployment_id, deployment_view)

    @operation("UpdateDeployment")
    async def update(self, caller: Caller, request: UpdateDeploymentRequest) -> Mapping[str, Any]:
        check_lengths(request, {"Description": (0, 1024)})
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            deployment = await existing_part(tx, Deployment, api.api_id, request["DeploymentId"])
            if "Description" in request:
                deployment = msgspec.structs.replace(deployment, description=request["Description"] or None)
            await tx.http_apis.save_part(api.api_id, deployment)
        return deployment_view(deployment)

    @operation("DeleteDeployment")
    async def delete(self, caller: Caller, request: DeleteDeploymentRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            gone = await existing_part(tx, Deployment, api.api_id, request["DeploymentId"])
            stages = await tx.http_apis.parts(Stage, api.api_id)
            if any(stage.deployment_id == gone.deployment_id for stage in stages):
                # Observed: hashicorp/terraform-provider-aws#19805, of REST APIs.
                raise BadRequestException("Active stages pointing to this deployment must be moved or deleted")
            await remove(tx, api, gone.deployment_id)
        return {}
