"""Stages: the names under which deployments of an API are served, with what holds for each."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.arn import log_group_arn
from lambent.domain.caller import Caller, Scope
from lambent.domain.http_api import (
    DEFAULT_STAGE,
    AccessLogSettings,
    Deployment,
    HttpApi,
    Route,
    RouteSettings,
    Stage,
)
from lambent.errors.api.apigatewayv2 import BadRequestException, ConflictException, NotFoundException
from lambent.protocol.shapes.apigatewayv2 import (
    CreateStageRequest,
    DeleteAccessLogSettingsRequest,
    DeleteRouteSettingsRequest,
    DeleteStageRequest,
    GetStageRequest,
    GetStagesRequest,
    ResetAuthorizersCacheRequest,
    UpdateStageRequest,
)
from lambent.services.apigatewayv2.deploying import check_may_be_set, deploy_stage, forget_outlived, moved
from lambent.services.apigatewayv2.limits import STAGE_VARIABLES_MAX, STAGES_MAX
from lambent.services.apigatewayv2.paging import requested_page
from lambent.services.apigatewayv2.refusals import (
    check_lengths,
    existing_api,
    full,
    missing,
    missing_stage,
    not_offered,
    refuse_members,
)
from lambent.services.apigatewayv2.shown import stage_view
from lambent.services.apigatewayv2.tags import check_tags
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

ForgetVerdicts = Callable[[str, str], None]

_REFUSED = {"ClientCertificateId": "it is for WebSocket APIs, which come with a later version"}

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VARIABLE = re.compile(r"[A-Za-z0-9_]{1,64}")
_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]{1,512}")
# Documented: API Gateway v2 API reference, stage variables; their sizes by the quotas.

_LIMIT_MAX = 2_147_483_647

_FORMAT_MAX_BYTES = 3_072
_REQUIRED_VARIABLES = re.compile(r"\$context\.(?:requestId|extendedRequestId)\b")
# Documented: API Gateway developer guide, logging for HTTP APIs.


class Stages:
    """
    The stages of HTTP APIs. See the API Gateway v2 API reference for each operation.

    Args:
        forget_verdicts: makes authorizers of a stage, which is an API's id and a name, be asked anew.
    """

    def __init__(self, store: FunctionStore, forget_verdicts: ForgetVerdicts, clock: Clock) -> None:
        self._store = store
        self._forget_verdicts = forget_verdicts
        self._clock = clock

    @operation("CreateStage")
    async def create(self, caller: Caller, request: CreateStageRequest) -> Mapping[str, Any]:
        name = request["StageName"]
        refuse_members(request, _REFUSED)
        check_lengths(request, {"Description": (0, 1024)})
        if name != DEFAULT_STAGE and _NAME.fullmatch(name) is None:
            # Assumed: the text (test_http_api_config). Documented: the characters.
            raise BadRequestException("Stage name only allows a-zA-Z0-9_- or $default")
        check_tags(request.get("Tags", {}))
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            stages = await tx.http_apis.parts(Stage, api.api_id)
            if any(stage.stage_name == name for stage in stages):
                # Observed: hashicorp/terraform-provider-aws#1153, of REST APIs.
                raise ConflictException("Stage already exists")
            if len(stages) >= STAGES_MAX:
                raise full("Stages", "this API")
            now = self._clock.now()
            made = Stage(stage_name=name, created=now, last_updated=now, tags=request.get("Tags", {}))
            return stage_view(await self._apply(tx, api, made, request))

    @operation("GetStage")
    async def get(self, caller: Caller, request: GetStageRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            return stage_view(await existing_stage(reading, api.api_id, request["StageName"]))

    @operation("GetStages")
    async def list(self, caller: Caller, request: GetStagesRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            found = await reading.http_apis.parts(Stage, api.api_id, after=page.after, limit=page.looked_at)
        return page.answer(found, lambda one: one.stage_name, stage_view)

    @operation("UpdateStage")
    async def update(self, caller: Caller, request: UpdateStageRequest) -> Mapping[str, Any]:
        refuse_members(request, _REFUSED)
        check_lengths(request, {"Description": (0, 1024)})
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            before = await existing_stage(tx, api.api_id, request["StageName"])
            if before.api_gateway_managed and request.get("AutoDeploy") is False:
                # Documented: API Gateway v2 API reference, apiGatewayManaged: such a stage cannot be changed. Assumed:
                # what holds for a stage, such as its limits, can be; Terraform's users do it (test_http_api_config).
                raise BadRequestException("autoDeploy of a stage that is managed by API Gateway cannot be changed")
            return stage_view(await self._apply(tx, api, before, request))

    @operation("DeleteStage")
    async def delete(self, caller: Caller, request: DeleteStageRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            gone = await existing_stage(tx, api.api_id, request["StageName"])
            for domain in await tx.http_apis.domains():
                if any((one.api_id, one.stage) == (api.api_id, gone.stage_name) for one in domain.mappings):
                    # Assumed: the text (test_http_api_config_domains); of APIs it is known.
                    raise BadRequestException(
                        f"Deleting stage {gone.stage_name} failed. Please remove all API mappings for the stage from "
                        "your custom domain names."
                    )
            await tx.http_apis.delete_part(Stage, api.api_id, gone.stage_name)
            await forget_outlived(tx, api)
        return {}

    @operation("DeleteAccessLogSettings")
    async def delete_access_log_settings(
        self, caller: Caller, request: DeleteAccessLogSettingsRequest
    ) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            stage = await existing_stage(tx, api.api_id, request["StageName"])
            await self._save(tx, api, msgspec.structs.replace(stage, access_log_settings=None))
        return {}

    @operation("DeleteRouteSettings")
    async def delete_route_settings(self, caller: Caller, request: DeleteRouteSettingsRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            stage = await existing_stage(tx, api.api_id, request["StageName"])
            left = {key: value for key, value in stage.route_settings.items() if key != request["RouteKey"]}
            if len(left) == len(stage.route_settings):
                raise missing("RouteKey", request["RouteKey"])
            await self._save(tx, api, msgspec.structs.replace(stage, route_settings=left))
        return {}

    @operation("ResetAuthorizersCache")
    async def reset_authorizers_cache(self, caller: Caller, request: ResetAuthorizersCacheRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            stage = await existing_stage(reading, api.api_id, request["StageName"])
        self._forget_verdicts(api.api_id, stage.stage_name)
        return {}

    async def _apply(self, tx: FunctionTransaction, api: HttpApi, stage: Stage, request: Mapping[str, Any]) -> Stage:
        """Save a stage as a request wants it, and deploy where that follows."""
        auto_deploy = request.get("AutoDeploy", stage.auto_deploy)
        check_may_be_set(auto_deploy, request.get("DeploymentId"))
        begins_to_deploy = auto_deploy and not stage.auto_deploy
        keys = [] if not request.get("RouteSettings") else await tx.http_apis.parts(Route, api.api_id)
        changes: dict[str, Any] = {
            "auto_deploy": auto_deploy,
            "last_updated": self._clock.now(),
            "stage_variables": merge_variables(stage.stage_variables, request.get("StageVariables", {})),
            "route_settings": self._route_settings(stage, request, {route.route_key for route in keys}),
        }
        if not auto_deploy:
            changes["last_deployment_status_message"] = None
        if "Description" in request:
            changes["description"] = request["Description"] or None
        if "DefaultRouteSettings" in request:
            changes["default_route_settings"] = self._settings(request["DefaultRouteSettings"])
        if "AccessLogSettings" in request:
            changes["access_log_settings"] = parse_access_log_settings(api.scope, request["AccessLogSettings"])
        stage = msgspec.structs.replace(stage, **changes)
        if begins_to_deploy:
            return await deploy_stage(tx, api, stage, self._clock)
        if request.get("DeploymentId"):
            deployment = await tx.http_apis.part(Deployment, api.api_id, request["DeploymentId"])
            if deployment is None:
                raise missing("Deployment", request["DeploymentId"])
            stage = moved(stage, deployment, self._clock.now())
        await tx.http_apis.save_part(api.api_id, stage)
        await forget_outlived(tx, api)
        return stage

    async def _save(self, tx: FunctionTransaction, api: HttpApi, stage: Stage) -> None:
        await tx.http_apis.save_part(api.api_id, msgspec.structs.replace(stage, last_updated=self._clock.now()))

    def _route_settings(self, stage: Stage, request: Mapping[str, Any], known: set[str]) -> dict[str, RouteSettings]:
        """Return the settings by route key; those that a request does not name stay."""
        merged = dict(stage.route_settings)
        for key, given in request.get("RouteSettings", {}).items():
            if key not in known:
                # Observed: terraform-aws-modules/terraform-aws-apigateway-v2#80.
                raise NotFoundException(
                    f"Unable to find Route by key {key} within the provided RouteSettings",
                    fields={"ResourceType": "Route"},
                )
            merged[key] = self._settings(given)
        return merged

    def _settings(self, given: Mapping[str, Any]) -> RouteSettings:
        """Return settings as a value. Assumed: they are given as a whole (test_http_api_config)."""
        if given.get("DataTraceEnabled") or given.get("LoggingLevel", "OFF") != "OFF":
            # Observed: hashicorp/terraform-provider-aws#13801.
            raise BadRequestException("Execution logs are not supported on protocolType HTTP")
        # Assumed: the texts (test_http_api_config).
        for member in ("ThrottlingBurstLimit", "ThrottlingRateLimit"):
            value = given.get(member)
            if value is not None and not 0 <= value <= _LIMIT_MAX:
                raise BadRequestException(f"Invalid {member[0].lower()}{member[1:]}: it must not be negative")
        return RouteSettings(
            throttling_burst_limit=given.get("ThrottlingBurstLimit"),
            throttling_rate_limit=given.get("ThrottlingRateLimit"),
            detailed_metrics_enabled=given.get("DetailedMetricsEnabled"),
        )


def merge_variables(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """
    Return stage variables after a request. Assumed: an empty value removes, as Terraform's provider has it.

    Raises:
        BadRequestException: a name or a value has characters that it may not have, or there are too many.
    """
    merged = dict(before)
    for name, value in given.items():
        if _VARIABLE.fullmatch(name) is None:
            # Assumed: the texts (test_http_api_config).
            raise BadRequestException(f"Stage variable name {name[:80]} must be 1 to 64 of a-zA-Z0-9_")
        if not value:
            merged.pop(name, None)
            continue
        if _VALUE.fullmatch(value) is None:
            raise BadRequestException(
                f"Stage variable {name} must have a value of 1 to 512 characters of A-Za-z0-9-._~:/?#&=,"
            )
        merged[name] = value
    if len(merged) > STAGE_VARIABLES_MAX:
        raise BadRequestException(f"A stage may have {STAGE_VARIABLES_MAX} stage variables")
    return merged


def parse_access_log_settings(scope: Scope, given: Mapping[str, Any]) -> AccessLogSettings | None:
    """
    Return access log settings as a value; None for empty ones, which take them away.

    Observed: hashicorp/terraform-provider-aws, internal/service/apigatewayv2/stage.go, which sends that.

    Raises:
        BadRequestException: one of both is missing or is not offered.
    """
    # Assumed: the texts but the first (test_http_api_config). Observed: that one, of REST APIs: localstack/localstack,
    # recorded.
    arn, template = given.get("DestinationArn"), given.get("Format")
    if arn is None and template is None:
        return None
    if not arn or not template:
        raise BadRequestException("Access Log value must not be empty")
    if ":firehose:" in arn:
        raise not_offered("an access log destination of Firehose", "give the ARN of a log group")
    prefix = log_group_arn(scope, "")
    group = arn.removesuffix(":*").removeprefix(prefix)
    if not arn.startswith(prefix) or re.fullmatch(r"[\w./#-]{1,512}", group, re.ASCII) is None:
        raise BadRequestException(
            "Invalid ARN specified in the request: it must be of a log group of this account and region"
        )
    if len(template.encode()) > _FORMAT_MAX_BYTES:
        raise BadRequestException(f"Access Log format must be at most {_FORMAT_MAX_BYTES} bytes")
    if "\n" in template.rstrip("\n") or "\r" in template:
        raise BadRequestException("Access Log format must be single line")
    if _REQUIRED_VARIABLES.search(template) is None:
        raise BadRequestException(
            "Access Log format must contain at least one of $context.requestId and $context.extendedRequestId"
        )
    return AccessLogSettings(arn.removesuffix(":*"), template.rstrip("\n"))


async def existing_stage(reading: FunctionTransaction, api_id: str, name: str) -> Stage:
    """
    Return a stage.

    Raises:
        NotFoundException: the API has none of this name.
    """
    stage = await reading.http_apis.part(Stage, api_id, name)
    if stage is None:
        raise missing_stage()
    return stage
