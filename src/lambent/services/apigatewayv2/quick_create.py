"""Quick create: an API that one call makes whole, with what API Gateway then manages of it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.http_api import DEFAULT_ROUTE, DEFAULT_STAGE, HttpApi, Integration, Route, Stage
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.deploying import deploy_stage
from lambent.services.apigatewayv2.identifiers import free_part_id
from lambent.services.apigatewayv2.integrations import integration_of
from lambent.services.apigatewayv2.routes import RouteKeys, route_of
from lambent.services.apigatewayv2.shown import integration_view, merged
from lambent.services.apigatewayv2.targets import is_url
from lambent.store.contract import FunctionTransaction


async def quick_create(tx: FunctionTransaction, api: HttpApi, request: Mapping[str, Any], clock: Clock) -> None:
    """
    Give a new API an integration, a route to it and a stage that deploys by itself.

    Args:
        request: with Target, and perhaps RouteKey and CredentialsArn.

    Raises:
        BadRequestException: Target is neither a function nor a URL, or another member is none.
    """
    wanted = {**_pointing_to(request["Target"]), "CredentialsArn": request.get("CredentialsArn")}
    integration_id = await free_part_id(tx, Integration, api.api_id, clock)
    integration = integration_of(api.scope, integration_id, merged({}, wanted), managed=True)
    await tx.http_apis.save_part(api.api_id, integration)
    members = {
        "RouteKey": request.get("RouteKey") or DEFAULT_ROUTE,
        "Target": f"integrations/{integration.integration_id}",
    }
    route = route_of(await free_part_id(tx, Route, api.api_id, clock), members, managed=True)
    RouteKeys(()).check(route.route_key)
    await tx.http_apis.save_part(api.api_id, route)
    now = clock.now()
    stage = Stage(stage_name=DEFAULT_STAGE, created=now, last_updated=now, auto_deploy=True, api_gateway_managed=True)
    await deploy_stage(tx, api, stage, clock)


async def change_target(tx: FunctionTransaction, api: HttpApi, request: Mapping[str, Any]) -> bool:
    """
    Change what quick create made, as UpdateApi may; say whether something changed.

    Raises:
        BadRequestException: the API was not made so, or what it is changed to is nothing that it may be.
    """
    if not any(request.get(member) for member in ("Target", "RouteKey", "CredentialsArn")):
        return False
    integration = next(
        (one for one in await tx.http_apis.parts(Integration, api.api_id) if one.api_gateway_managed), None
    )
    if integration is None:
        # Assumed: the text (test_http_api_config). Documented: the members are for quick create.
        raise BadRequestException("target, routeKey and credentialsArn are for APIs that quick create made")
    view = integration_view(integration)
    if request.get("Target"):
        wanted = _pointing_to(request["Target"])
        # What was set of it beside stays, its payload's version too where it is for the same kind of thing.
        is_alike = wanted["IntegrationType"] == integration.integration_type
        view |= {"IntegrationUri": request["Target"]} if is_alike else wanted
    if request.get("CredentialsArn"):
        view["CredentialsArn"] = request["CredentialsArn"]
    changed = integration_of(api.scope, integration.integration_id, merged(view, {}), managed=True)
    await tx.http_apis.save_part(api.api_id, changed)
    key = request.get("RouteKey")
    routes = await tx.http_apis.parts(Route, api.api_id)
    managed = next((route for route in routes if route.api_gateway_managed), None)
    if key and managed is None:
        # Assumed, likewise.
        raise BadRequestException("routeKey is for the route that quick create made, which is gone")
    if key and managed is not None and key != managed.route_key:
        if managed.route_key == DEFAULT_ROUTE:
            # Documented: API Gateway v2 API reference, UpdateApi: a $default route's key cannot be changed so.
            raise BadRequestException(
                "The route key of a $default route that is managed by API Gateway cannot be changed"
            )
        RouteKeys(route for route in routes if route is not managed).check(key)
        await tx.http_apis.save_part(api.api_id, msgspec.structs.replace(managed, route_key=key))
    return True


def _pointing_to(target: str) -> dict[str, Any]:
    """Return the members of an integration that follow from what it leads to."""
    # Assumed: the payload's version, as the console makes functions (test_http_api_config).
    kind, method, version = ("HTTP_PROXY", "ANY", "1.0") if is_url(target) else ("AWS_PROXY", "POST", "2.0")
    return {
        "IntegrationUri": target,
        "IntegrationType": kind,
        "IntegrationMethod": method,
        "PayloadFormatVersion": version,
    }
