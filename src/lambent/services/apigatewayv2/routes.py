"""Routes: which requests go to which integration, and who may send them."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.http_api import AWS_IAM, DEFAULT_ROUTE, Authorizer, HttpApi, Integration, Route
from lambent.domain.http_routes import MalformedRouteKey, parse_route_key, shape_of
from lambent.errors.api.apigatewayv2 import BadRequestException, ConflictException
from lambent.protocol.shapes.apigatewayv2 import (
    CreateRouteRequest,
    DeleteRouteRequest,
    GetRouteRequest,
    GetRoutesRequest,
    UpdateRouteRequest,
)
from lambent.services.apigatewayv2.deploying import redeploy
from lambent.services.apigatewayv2.identifiers import free_part_id
from lambent.services.apigatewayv2.limits import ROUTES_MAX, SCOPES_MAX
from lambent.services.apigatewayv2.paging import requested_page
from lambent.services.apigatewayv2.refusals import (
    check_lengths,
    existing_api,
    existing_part,
    full,
    missing,
    refuse_members,
)
from lambent.services.apigatewayv2.shown import merged, route_view
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

_WEBSOCKETS = "it is for WebSocket APIs, which come with a later version"
_REFUSED = {
    "ModelSelectionExpression": _WEBSOCKETS,
    "RequestModels": _WEBSOCKETS,
    "RequestParameters": _WEBSOCKETS,
    "RouteResponseSelectionExpression": _WEBSOCKETS,
}


class Routes:
    """The routes of HTTP APIs. See the API Gateway v2 API reference for each operation."""

    def __init__(self, store: FunctionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateRoute")
    async def create(self, caller: Caller, request: CreateRouteRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            others = await tx.http_apis.parts(Route, api.api_id)
            if len(others) >= ROUTES_MAX:
                raise full("Routes", "this API")
            made = route_of(await free_part_id(tx, Route, api.api_id, self._clock), merged({}, request))
            RouteKeys(others).check(made.route_key)
            await _check_refers(tx, api, made)
            await tx.http_apis.save_part(api.api_id, made)
            await redeploy(tx, api, self._clock)
        return route_view(made)

    @operation("GetRoute")
    async def get(self, caller: Caller, request: GetRouteRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            return route_view(await existing_part(reading, Route, api.api_id, request["RouteId"]))

    @operation("GetRoutes")
    async def list(self, caller: Caller, request: GetRoutesRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            found = await reading.http_apis.parts(Route, api.api_id, after=page.after, limit=page.looked_at)
        return page.answer(found, lambda one: one.route_id, route_view)

    @operation("UpdateRoute")
    async def update(self, caller: Caller, request: UpdateRouteRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            before = await existing_part(tx, Route, api.api_id, request["RouteId"])
            changed = route_of(before.route_id, _changed(before, request), managed=before.api_gateway_managed)
            if changed.route_key != before.route_key:
                if before.api_gateway_managed and before.route_key == DEFAULT_ROUTE:
                    # Documented: API Gateway v2 API reference, Route, apiGatewayManaged. Assumed: the text.
                    raise BadRequestException(
                        "The route key of a $default route that is managed by API Gateway cannot be changed"
                    )
                others = await tx.http_apis.parts(Route, api.api_id)
                RouteKeys(one for one in others if one.route_id != changed.route_id).check(changed.route_key)
            await _check_refers(tx, api, changed)
            await tx.http_apis.save_part(api.api_id, changed)
            await redeploy(tx, api, self._clock)
        return route_view(changed)

    @operation("DeleteRoute")
    async def delete(self, caller: Caller, request: DeleteRouteRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            if not await tx.http_apis.delete_part(Route, api.api_id, request["RouteId"]):
                raise missing("Route", request["RouteId"])
            await redeploy(tx, api, self._clock)
        return {}


def route_of(route_id: str, members: Mapping[str, Any], *, managed: bool = False) -> Route:
    """
    Return what a whole set of members describes, by wire name. Whether what it names is there is not looked at.

    Raises:
        BadRequestException: it describes none, or one that is not offered.
    """
    refuse_members(members, _REFUSED)
    check_lengths(members, {"RouteKey": (1, 512), "Target": (1, 128), "OperationName": (1, 64)})
    if members.get("ApiKeyRequired"):
        # Assumed: the text (test_http_api_config). Documented: API Gateway developer guide, choosing between REST APIs
        # and HTTP APIs: they have no API keys.
        raise BadRequestException("ApiKeyRequired is not currently supported for HTTP APIs")
    target = members.get("Target")
    if target is not None and not target.startswith("integrations/"):
        raise BadRequestException("Invalid target: it must be integrations/ and the id of an integration")
    kind = members.get("AuthorizationType", "NONE")
    authorizer_id, scopes = members.get("AuthorizerId"), members.get("AuthorizationScopes")
    if kind in ("NONE", AWS_IAM) and authorizer_id is not None:
        raise BadRequestException("An authorizerId needs the authorizationType JWT or CUSTOM")
    if kind not in ("NONE", AWS_IAM) and authorizer_id is None:
        # Observed for REST APIs, whose other type is called otherwise: localstack/localstack, recorded.
        raise BadRequestException(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or JWT requires a valid "
            "authorizer."
        )
    if scopes and kind != "JWT":
        raise BadRequestException("authorizationScopes need the authorizationType JWT")
    if scopes and (len(scopes) > SCOPES_MAX or not all(0 < len(scope) <= 64 for scope in scopes)):
        raise BadRequestException(f"Invalid authorizationScopes: up to {SCOPES_MAX}, of 1 to 64 characters")
    return Route(
        route_id=route_id,
        route_key=members["RouteKey"],
        target=target,
        authorization_type=kind,
        authorizer_id=authorizer_id,
        authorization_scopes=tuple(scopes) if scopes else None,
        operation_name=members.get("OperationName"),
        api_gateway_managed=managed,
    )


class RouteKeys:
    """The route keys of an API, by what they match."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_shape: dict[tuple[str, ...], str] = {}
        for route in routes:
            self.add(route.route_key)

    def add(self, key: str) -> None:
        """Take one, which was checked, among them."""
        self._by_shape[_shape(key)] = key

    def check(self, key: str) -> None:
        """
        Refuse a route key that is none, or that takes what another one takes.

        Raises:
            BadRequestException: it is none.
            ConflictException: another route takes the same requests.
        """
        try:
            shape = _shape(key)
        except MalformedRouteKey as malformed:
            # Assumed: the text (test_http_api_config).
            raise BadRequestException(f"Invalid route key {key}: {malformed}") from None
        other = self._by_shape.get(shape)
        if other == key:
            # Observed: anomalyco/sst#5031.
            raise ConflictException(f"Route with key {key} already exists for this API")
        if other is not None:
            # Observed: plutomi/plutomi#271.
            raise ConflictException(
                f'The provided route key "{key}" has a conflicting variable on the same hierarchical level as "{other}"'
            )


@functools.lru_cache(maxsize=2 * ROUTES_MAX)
def _shape(key: str) -> tuple[str, ...]:
    """
    Return what a key shares with each that matches the same. Raises MalformedRouteKey.

    Remembered, since each new route of an API is held against all the others.
    """
    parsed = parse_route_key(key)
    return (key,) if parsed is None else shape_of(parsed)


async def _check_refers(tx: FunctionTransaction, api: HttpApi, route: Route) -> None:
    """
    See that what a route names is there.

    Raises:
        NotFoundException: its integration is not.
        BadRequestException: its authorizer is not, or decides otherwise than the route says.
    """
    integration_id = route.integration_id
    if integration_id is not None and await tx.http_apis.part(Integration, api.api_id, integration_id) is None:
        raise missing("Integration", integration_id)
    if route.authorizer_id is not None:
        check_authorizer(route, await tx.http_apis.part(Authorizer, api.api_id, route.authorizer_id))


def check_authorizer(route: Route, authorizer: Authorizer | None) -> None:
    """
    Refuse a route whose authorizer is not there, or is of another kind than the route says.

    Raises:
        BadRequestException: so it is.
    """
    # Assumed: the texts (test_http_api_config).
    if authorizer is None:
        raise BadRequestException(f"Invalid authorizer ID specified: {route.authorizer_id}")
    if (route.authorization_type == "JWT") != (authorizer.authorizer_type == "JWT"):
        raise BadRequestException(
            f"The authorizationType {route.authorization_type} needs an authorizer of the type "
            f"{'JWT' if route.authorization_type == 'JWT' else 'REQUEST'}"
        )


def _changed(before: Route, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members after an update. Observed: a route that needs none any more lets its authorizer go."""
    # Observed: aws-cloudformation/cloudformation-coverage-roadmap#2184.
    members = merged(route_view(before), request)
    kind = request.get("AuthorizationType")
    nobody = ("AuthorizerId", "AuthorizationScopes")
    gone = {"NONE": nobody, AWS_IAM: nobody, "CUSTOM": ("AuthorizationScopes",)}
    for member in gone.get(kind or "", ()):
        if not request.get(member):
            members.pop(member, None)
    return members
