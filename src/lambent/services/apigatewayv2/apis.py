"""HTTP APIs themselves."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.function_url import UrlDomain
from lambent.domain.http_api import HttpApi
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.protocol.shapes.apigatewayv2 import (
    CreateApiRequest,
    DeleteApiRequest,
    DeleteCorsConfigurationRequest,
    GetApiRequest,
    GetApisRequest,
    UpdateApiRequest,
)
from lambent.services.apigatewayv2.cors import parse_cors
from lambent.services.apigatewayv2.deploying import redeploy
from lambent.services.apigatewayv2.identifiers import API_LENGTH, new_id
from lambent.services.apigatewayv2.limits import APIS_MAX
from lambent.services.apigatewayv2.paging import requested_page
from lambent.services.apigatewayv2.quick_create import change_target, quick_create
from lambent.services.apigatewayv2.refusals import (
    check_lengths,
    check_one_of,
    existing_api,
    full,
    not_offered,
    refuse_members,
)
from lambent.services.apigatewayv2.shown import API_KEY_SELECTION, PROTOCOL, ROUTE_SELECTION, api_view
from lambent.services.apigatewayv2.tags import check_tags
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

_REFUSED = {"DisableSchemaValidation": "it is for WebSocket APIs, which come with a later version"}

_EXPRESSIONS = {
    "RouteSelectionExpression": {ROUTE_SELECTION, "${request.method} ${request.path}"},
    "ApiKeySelectionExpression": {API_KEY_SELECTION},
}
"""What they are of every HTTP API. Documented: API Gateway v2 API reference, Api."""


class Apis:
    """
    HTTP APIs. See the API Gateway v2 API reference for each operation.

    Args:
        domain: below which APIs answer.
    """

    def __init__(self, store: FunctionStore, domain: UrlDomain, clock: Clock) -> None:
        self._store = store
        self._domain = domain
        self._clock = clock

    @operation("CreateApi")
    async def create(self, caller: Caller, request: CreateApiRequest) -> Mapping[str, Any]:
        # Assumed: the text, which other implementations have (test_http_api_config).
        check_one_of("protocol", request["ProtocolType"], ("HTTP", "WEBSOCKET"))
        if request["ProtocolType"] != PROTOCOL:
            raise not_offered("protocolType WEBSOCKET", "WebSocket APIs come with a later version; HTTP is offered")
        _check(request)
        check_tags(request.get("Tags", {}))
        if not request.get("Target") and (request.get("RouteKey") or request.get("CredentialsArn")):
            raise BadRequestException("routeKey and credentialsArn are for quick create, which needs a target")
        async with self._store.transaction(caller.scope) as tx:
            api = HttpApi(
                scope=caller.scope,
                api_id=await new_api_id(tx, self._clock),
                name=request["Name"],
                created=self._clock.now(),
                description=request.get("Description") or None,
                version=request.get("Version") or None,
                cors=parse_cors(request.get("CorsConfiguration") or {}),
                disable_execute_api_endpoint=request.get("DisableExecuteApiEndpoint", False),
                ip_address_type=request.get("IpAddressType", "ipv4"),
                tags=request.get("Tags", {}),
            )
            await tx.http_apis.save(api)
            if request.get("Target"):
                await quick_create(tx, api, request, self._clock)
        return api_view(api, self._domain)

    @operation("GetApi")
    async def get(self, caller: Caller, request: GetApiRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            return api_view(await existing_api(reading, request["ApiId"]), self._domain)

    @operation("GetApis")
    async def list(self, caller: Caller, request: GetApisRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope) as reading:
            found = await reading.http_apis.list(after=page.after, limit=page.looked_at)
        return page.answer(found, lambda one: one.api_id, lambda one: api_view(one, self._domain))

    @operation("UpdateApi")
    async def update(self, caller: Caller, request: UpdateApiRequest) -> Mapping[str, Any]:
        _check(request)
        async with self._store.transaction(caller.scope) as tx:
            before = await existing_api(tx, request["ApiId"])
            api = msgspec.structs.replace(before, **_changes(request))
            await tx.http_apis.save(api)
            is_changed = await change_target(tx, api, request)
            if is_changed or api.cors != before.cors:
                await redeploy(tx, api, self._clock)
        return api_view(api, self._domain)

    @operation("DeleteApi")
    async def delete(self, caller: Caller, request: DeleteApiRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            for domain in await tx.http_apis.domains():
                if any(mapping.api_id == api.api_id for mapping in domain.mappings):
                    # Observed: gruntwork-io/cloud-nuke#370.
                    raise BadRequestException(
                        f"Deleting API {api.api_id} failed. Please remove all API mappings for the API from your "
                        "custom domain names."
                    )
            await tx.http_apis.delete(api.api_id)
        return {}

    @operation("DeleteCorsConfiguration")
    async def delete_cors(self, caller: Caller, request: DeleteCorsConfigurationRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = msgspec.structs.replace(await existing_api(tx, request["ApiId"]), cors=None)
            await tx.http_apis.save(api)
            await redeploy(tx, api, self._clock)
        return {}


async def new_api_id(tx: FunctionTransaction, clock: Clock) -> str:
    """
    Return the id of an API that is to be made. Ten characters of chance: nobody has it, in another scope either.

    Raises:
        TooManyRequestsException: there are as many as there may be.
    """
    if len(await tx.http_apis.list()) >= APIS_MAX:
        raise full("APIs", "this account")
    return new_id(clock, API_LENGTH)


def _check(request: Mapping[str, Any]) -> None:
    refuse_members(request, _REFUSED)
    check_lengths(request, {"Name": (1, 128), "Description": (0, 1024), "Version": (0, 64), "RouteKey": (1, 512)})
    for member, allowed in _EXPRESSIONS.items():
        given = request.get(member)
        if given is not None and given not in allowed:
            # Assumed: the text (test_http_api_config).
            raise BadRequestException(
                f"Invalid {member[0].lower()}{member[1:]}: that of an HTTP API is {min(allowed, key=len)}"
            )


def _changes(request: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for member, field in (("Name", "name"), ("IpAddressType", "ip_address_type")):
        if member in request:
            changes[field] = request[member]
    for member, field in (("Description", "description"), ("Version", "version")):
        if member in request:
            changes[field] = request[member] or None
    if "DisableExecuteApiEndpoint" in request:
        changes["disable_execute_api_endpoint"] = request["DisableExecuteApiEndpoint"]
    if "CorsConfiguration" in request:
        # Assumed: it is replaced as a whole (test_http_api_config).
        changes["cors"] = parse_cors(request["CorsConfiguration"] or {})
    return changes
