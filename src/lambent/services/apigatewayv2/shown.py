"""The resources of an HTTP API as operations answer them: wire member to value, None where AWS leaves it out."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambent.domain.function_url import UrlDomain
from lambent.domain.http_api import (
    ApiCors,
    ApiDomain,
    ApiMapping,
    Authorizer,
    Deployment,
    HttpApi,
    Integration,
    Route,
    RouteSettings,
    Stage,
)

PROTOCOL = "HTTP"
ROUTE_SELECTION = "$request.method $request.path"
API_KEY_SELECTION = "$request.header.x-api-key"
MAPPING_SELECTION = "$request.basepath"

_NEVER_ABSENT = frozenset({"Name", "RouteKey", "IntegrationUri"})

# Which members are there when nobody set them: observed in aws/aws-cli, the examples of apigatewayv2.


def api_view(api: HttpApi, domain: UrlDomain) -> dict[str, Any]:
    return {
        "ApiEndpoint": api.endpoint(domain),
        "ApiId": api.api_id,
        "ApiKeySelectionExpression": API_KEY_SELECTION,
        "CorsConfiguration": None if api.cors is None else cors_view(api.cors),
        "CreatedDate": moment(api.created),
        "Description": api.description,
        "DisableExecuteApiEndpoint": api.disable_execute_api_endpoint,
        "ImportInfo": list(api.import_info) or None,
        "IpAddressType": api.ip_address_type,
        "Name": api.name,
        "ProtocolType": PROTOCOL,
        "RouteSelectionExpression": ROUTE_SELECTION,
        "Tags": dict(api.tags),
        "Version": api.version,
        "Warnings": list(api.warnings) or None,
    }


def cors_view(cors: ApiCors) -> dict[str, Any]:
    return {
        "AllowCredentials": bool(cors.allow_credentials),
        "AllowHeaders": _listed(cors.allow_headers),
        "AllowMethods": _listed(cors.allow_methods),
        "AllowOrigins": _listed(cors.allow_origins),
        "ExposeHeaders": _listed(cors.expose_headers),
        "MaxAge": cors.max_age,
    }


def route_view(route: Route) -> dict[str, Any]:
    return {
        "ApiGatewayManaged": route.api_gateway_managed or None,
        "ApiKeyRequired": False,
        "AuthorizationScopes": _listed(route.authorization_scopes),
        "AuthorizationType": route.authorization_type,
        "AuthorizerId": route.authorizer_id,
        "OperationName": route.operation_name,
        "RouteId": route.route_id,
        "RouteKey": route.route_key,
        "Target": route.target,
    }


def integration_view(integration: Integration) -> dict[str, Any]:
    return {
        "ApiGatewayManaged": integration.api_gateway_managed or None,
        "ConnectionType": integration.connection_type,
        "CredentialsArn": integration.credentials_arn,
        "Description": integration.description,
        "IntegrationId": integration.integration_id,
        "IntegrationMethod": integration.integration_method,
        "IntegrationType": integration.integration_type,
        "IntegrationUri": integration.integration_uri,
        "PayloadFormatVersion": integration.payload_format_version,
        "RequestParameters": integration.request_parameters,
        "ResponseParameters": integration.response_parameters,
        "TimeoutInMillis": integration.timeout_in_millis,
    }


def authorizer_view(authorizer: Authorizer) -> dict[str, Any]:
    view: dict[str, Any] = {
        "AuthorizerId": authorizer.authorizer_id,
        "AuthorizerType": authorizer.authorizer_type,
        "IdentitySource": list(authorizer.identity_source),
        "IdentityValidationExpression": authorizer.identity_validation_expression,
        "Name": authorizer.name,
    }
    if (jwt := authorizer.jwt_configuration) is not None:
        return {**view, "JwtConfiguration": {"Audience": list(jwt.audience), "Issuer": jwt.issuer}}
    return {
        **view,
        "AuthorizerCredentialsArn": authorizer.authorizer_credentials_arn,
        "AuthorizerPayloadFormatVersion": authorizer.authorizer_payload_format_version,
        "AuthorizerResultTtlInSeconds": authorizer.authorizer_result_ttl_in_seconds,
        "AuthorizerUri": authorizer.authorizer_uri,
        "EnableSimpleResponses": authorizer.enable_simple_responses,
    }


def stage_view(stage: Stage) -> dict[str, Any]:
    logs = stage.access_log_settings
    return {
        "AccessLogSettings": None if logs is None else {"DestinationArn": logs.destination_arn, "Format": logs.format},
        "ApiGatewayManaged": stage.api_gateway_managed or None,
        "AutoDeploy": stage.auto_deploy or None,
        "CreatedDate": moment(stage.created),
        "DefaultRouteSettings": {"DetailedMetricsEnabled": False, **settings_view(stage.default_route_settings)},
        "DeploymentId": stage.deployment_id,
        "Description": stage.description,
        "LastDeploymentStatusMessage": stage.last_deployment_status_message,
        "LastUpdatedDate": moment(stage.last_updated),
        "RouteSettings": {key: settings_view(settings) for key, settings in stage.route_settings.items()},
        "StageName": stage.stage_name,
        "StageVariables": dict(stage.stage_variables),
        "Tags": dict(stage.tags),
    }


def settings_view(settings: RouteSettings) -> dict[str, Any]:
    """Return what was set."""
    view = {
        "DetailedMetricsEnabled": settings.detailed_metrics_enabled,
        "ThrottlingBurstLimit": settings.throttling_burst_limit,
        "ThrottlingRateLimit": settings.throttling_rate_limit,
    }
    return {member: value for member, value in view.items() if value is not None}


def deployment_view(deployment: Deployment) -> dict[str, Any]:
    return {
        "AutoDeployed": deployment.auto_deployed,
        "CreatedDate": moment(deployment.created),
        "DeploymentId": deployment.deployment_id,
        "DeploymentStatus": "DEPLOYED",
        "Description": deployment.description,
    }


def domain_view(domain: ApiDomain) -> dict[str, Any]:
    return {
        "ApiMappingSelectionExpression": MAPPING_SELECTION,
        "DomainName": domain.domain_name,
        "DomainNameArn": domain.arn,
        "DomainNameConfigurations": [dict(configuration) for configuration in domain.configurations],
        "RoutingMode": "API_MAPPING_ONLY",
        "Tags": dict(domain.tags),
    }


def mapping_view(mapping: ApiMapping) -> dict[str, Any]:
    return {
        "ApiId": mapping.api_id,
        "ApiMappingId": mapping.api_mapping_id,
        "ApiMappingKey": mapping.api_mapping_key,
        "Stage": mapping.stage,
    }


def moment(at: float) -> datetime:
    """Return seconds since the epoch as times are shown. Observed: aws/aws-cli, the examples: whole seconds."""
    return datetime.fromtimestamp(int(at), UTC)


def merged(before: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a resource's members after a PATCH: what it gives takes the place of what was, an empty text removes.

    Assumed: the empty text, which Terraform's provider sends for what its user took away (test_http_api_config). Of
    what has to be there it removes nothing, and is refused where it is looked at.
    """
    return {
        member: value
        for member, value in {**before, **request}.items()
        if value is not None and (value != "" or member in _NEVER_ABSENT)
    }


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
