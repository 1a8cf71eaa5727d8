"""Integrations: what answers the requests of routes."""

from collections.abc import Mapping
from typing import Any

from lambent.clock import Clock
from lambent.domain.caller import Caller, Scope
from lambent.domain.http_api import CALLERS_CREDENTIALS, Integration, Route
from lambent.domain.http_routes import METHODS
from lambent.domain.parameter_mapping import (
    MalformedMapping,
    check_request_parameters,
    check_response_parameters,
)
from lambent.errors.api.apigatewayv2 import BadRequestException, ConflictException
from lambent.protocol.shapes.apigatewayv2 import (
    CreateIntegrationRequest,
    DeleteIntegrationRequest,
    GetIntegrationRequest,
    GetIntegrationsRequest,
    UpdateIntegrationRequest,
)
from lambent.services.apigatewayv2.deploying import redeploy
from lambent.services.apigatewayv2.identifiers import free_part_id
from lambent.services.apigatewayv2.limits import INTEGRATIONS_MAX, PARAMETERS_MAX_CHARACTERS
from lambent.services.apigatewayv2.paging import requested_page
from lambent.services.apigatewayv2.refusals import (
    check_lengths,
    existing_api,
    existing_part,
    full,
    not_offered,
    refuse_members,
)
from lambent.services.apigatewayv2.shown import integration_view, merged
from lambent.services.apigatewayv2.targets import is_function, is_role_of, is_url
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore

_WEBSOCKETS = "it is for WebSocket APIs, which come with a later version"
_REFUSED = {
    "IntegrationSubtype": "integrations with AWS services come with a later version",
    "ConnectionId": "VPC links are not planned: there is no VPC",
    "TlsConfig": "it is for VPC links, which are not planned",
    "ContentHandlingStrategy": _WEBSOCKETS,
    "RequestTemplates": _WEBSOCKETS,
    "TemplateSelectionExpression": _WEBSOCKETS,
}


class Integrations:
    """The integrations of HTTP APIs. See the API Gateway v2 API reference for each operation."""

    def __init__(self, store: FunctionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateIntegration")
    async def create(self, caller: Caller, request: CreateIntegrationRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            if len(await tx.http_apis.parts(Integration, api.api_id)) >= INTEGRATIONS_MAX:
                raise full("Integrations", "this API")
            integration_id = await free_part_id(tx, Integration, api.api_id, self._clock)
            made = integration_of(caller.scope, integration_id, merged({}, request))
            await tx.http_apis.save_part(api.api_id, made)
            await redeploy(tx, api, self._clock)
        return integration_view(made)

    @operation("GetIntegration")
    async def get(self, caller: Caller, request: GetIntegrationRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            return integration_view(await existing_part(reading, Integration, api.api_id, request["IntegrationId"]))

    @operation("GetIntegrations")
    async def list(self, caller: Caller, request: GetIntegrationsRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            found = await reading.http_apis.parts(Integration, api.api_id, after=page.after, limit=page.looked_at)
        return page.answer(found, lambda one: one.integration_id, integration_view)

    @operation("UpdateIntegration")
    async def update(self, caller: Caller, request: UpdateIntegrationRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            before = await existing_part(tx, Integration, api.api_id, request["IntegrationId"])
            changed = integration_of(
                caller.scope, before.integration_id, _changed(before, request), managed=before.api_gateway_managed
            )
            await tx.http_apis.save_part(api.api_id, changed)
            await redeploy(tx, api, self._clock)
        return integration_view(changed)

    @operation("DeleteIntegration")
    async def delete(self, caller: Caller, request: DeleteIntegrationRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            gone = await existing_part(tx, Integration, api.api_id, request["IntegrationId"])
            if gone.api_gateway_managed:
                # Documented: API Gateway v2 API reference, apiGatewayManaged. Assumed: the text (test_http_api_config).
                raise BadRequestException("An integration that is managed by API Gateway cannot be deleted")
            routes = await tx.http_apis.parts(Route, api.api_id)
            users = [route.route_id for route in routes if route.integration_id == gone.integration_id]
            if users:
                # Observed: milliHQ/terraform-aws-next-js#247.
                raise ConflictException(
                    "Cannot delete Integration because it is referenced by the following Routes with Ids: "
                    f"[{', '.join(users)}]"
                )
            await tx.http_apis.delete_part(Integration, api.api_id, gone.integration_id)
            await redeploy(tx, api, self._clock)
        return {}


def integration_of(
    scope: Scope, integration_id: str, members: Mapping[str, Any], *, managed: bool = False
) -> Integration:
    """
    Return what a whole set of members describes, by wire name.

    Raises:
        BadRequestException: it describes none, or one that is not offered.
    """
    refuse_members(members, _REFUSED)
    check_lengths(members, {"IntegrationUri": (1, 2048), "Description": (0, 1024), "IntegrationMethod": (1, 64)})
    kind, uri = members["IntegrationType"], members.get("IntegrationUri", "")
    if kind not in {"AWS_PROXY", "HTTP_PROXY"}:
        raise not_offered(f"integrationType {kind}", _WEBSOCKETS)
    if members.get("PassthroughBehavior", "WHEN_NO_MATCH") != "WHEN_NO_MATCH":
        # Observed: hashicorp/terraform-provider-aws sends the default with each integration, and finds that HTTP APIs
        # do not show it (internal/service/apigatewayv2/integration.go).
        raise not_offered("passthroughBehavior", _WEBSOCKETS)
    if members.get("ConnectionType", "INTERNET") != "INTERNET":
        raise not_offered("connectionType VPC_LINK", "VPC links are not planned: there is no VPC")
    # Observed: what functions have where nobody says (the same file).
    method = members.get("IntegrationMethod", "POST" if kind == "AWS_PROXY" else None)
    if method is not None and method not in METHODS:
        raise BadRequestException(f"Invalid HttpMethod specified. Valid options are {','.join(METHODS)}")
    version = _check_function(members, uri) if kind == "AWS_PROXY" else _check_http(members, uri, method)
    for member, check in (
        ("RequestParameters", check_request_parameters),
        ("ResponseParameters", check_response_parameters),
    ):
        try:
            check(members.get(member) or {})
        except MalformedMapping as malformed:
            raise BadRequestException(f"Invalid {member[0].lower()}{member[1:]}: {malformed}") from None
    _check_parameters_size(members)
    credentials = members.get("CredentialsArn")
    if credentials is not None:
        if credentials != CALLERS_CREDENTIALS:
            check_role(scope, "credentialsArn", credentials)
        if kind == "HTTP_PROXY":
            raise BadRequestException("credentialsArn cannot be used with HTTP_PROXY integrations")
    return Integration(
        integration_id=integration_id,
        integration_type=kind,
        integration_uri=uri,
        integration_method=method,
        payload_format_version=version,
        credentials_arn=credentials,
        description=members.get("Description") or None,
        timeout_in_millis=members.get("TimeoutInMillis", 30_000),
        request_parameters=members.get("RequestParameters") or None,
        response_parameters=members.get("ResponseParameters") or None,
        api_gateway_managed=managed,
    )


def check_role(scope: Scope, member: str, arn: str) -> None:
    """
    Take a role of the account, as what lets the gateway call.

    The call is then made as the role, and the function's own policy is not asked. Where policies decide nothing a role
    may do everything, as every principal of the account may. One of another account could not be passed on AWS either.

    Raises:
        BadRequestException: it is something else.
    """
    if not is_role_of(scope, arn):
        raise BadRequestException(f"Invalid {member}: it must be the ARN of a role of this account")


# Assumed: the texts of all that follows (test_http_api_config). Documented: API Gateway v2 API reference, Integration.


def _check_parameters_size(members: Mapping[str, Any]) -> None:
    mappings = [members.get("RequestParameters") or {}, *(members.get("ResponseParameters") or {}).values()]
    if sum(len(key) + len(value) for mapping in mappings for key, value in mapping.items()) > PARAMETERS_MAX_CHARACTERS:
        raise BadRequestException(
            f"Invalid requestParameters or responseParameters: they may have {PARAMETERS_MAX_CHARACTERS} characters"
        )


def _check_function(members: Mapping[str, Any], uri: str) -> str:
    """Return the payload's version."""
    if not is_function(uri):
        raise BadRequestException(
            "Invalid integrationUri: an AWS_PROXY integration needs the ARN of a Lambda function or of its invocation"
        )
    version: str | None = members.get("PayloadFormatVersion")
    if version is None:
        raise BadRequestException("PayloadFormatVersion is a required parameter for AWS_PROXY integrations")
    if version not in {"1.0", "2.0"}:
        raise BadRequestException("Invalid payloadFormatVersion. Must be one of [1.0, 2.0]")
    return version


def _check_http(members: Mapping[str, Any], uri: str, method: str | None) -> str:
    if not is_url(uri):
        # Observed for REST APIs: localstack/localstack, recorded.
        raise BadRequestException("Invalid HTTP endpoint specified for URI")
    if method is None:
        raise BadRequestException("IntegrationMethod is a required parameter for HTTP_PROXY integrations")
    version: str = members.get("PayloadFormatVersion", "1.0")
    if version != "1.0":
        raise BadRequestException("Invalid payloadFormatVersion: HTTP_PROXY integrations have 1.0")
    return version


def _changed(before: Integration, request: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the members after an update.

    Assumed: of the maps a parameter whose value is empty goes, and the others stay, as Terraform's provider has it
    (test_http_api_config).
    """
    members = merged(integration_view(before), request)
    for member in ("RequestParameters", "ResponseParameters"):
        if member in request:
            old = integration_view(before)[member] or {}
            members[member] = {key: value for key, value in {**old, **request[member]}.items() if value}
    return members
