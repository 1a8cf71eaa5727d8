"""
An HTTP API as an OpenAPI 3.0 definition, of which `openapi_import` makes the same API again. Pure.

Documented: API Gateway developer guide, exporting an HTTP API. Assumed: what beside the extensions is in it
(test_openapi_export).
"""

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from lambent.domain.http_api import AWS_IAM, DEFAULT_ROUTE, Authorizer, DeployedApi, HttpApi, Integration, Route
from lambent.services.apigatewayv2.openapi_import import (
    ANY_METHOD,
    AUTH,
    AUTHORIZER,
    AUTHORIZER_MEMBERS,
    CORS,
    ENDPOINT,
    INTEGRATION,
    INTEGRATION_MEMBERS,
    INTEGRATIONS,
    TAG_VALUE,
    VERSION,
)
from lambent.services.apigatewayv2.shown import authorizer_view, cors_view, integration_view

_VARIABLE = re.compile(r"\{([^{}]+)\}")


def write_api(
    api: HttpApi, content: DeployedApi, endpoint: str, stage: str | None, *, with_extensions: bool
) -> dict[str, Any]:
    """
    Return the definition of an API.

    Args:
        content: of the API as it is, or as a stage serves it.
        endpoint: where the API answers.
        stage: the path below which it does.
        with_extensions: whether to say what only API Gateway understands. Without that, routes of any method and
            `$default` cannot be said.
    """
    definition: dict[str, Any] = {
        "openapi": "3.0.1",
        "info": {
            "title": api.name,
            # Documented: the specification needs one. Observed: exports have the date for an API without.
            "version": api.version or datetime.fromtimestamp(int(api.created), UTC).strftime("%Y-%m-%d %H:%M:%SUTC"),
        },
    }
    server: dict[str, Any] = {"url": f"{endpoint}/{{basePath}}", "variables": {"basePath": {"default": stage or ""}}}
    if with_extensions and api.disable_execute_api_endpoint:
        server[ENDPOINT] = {"disableExecuteApiEndpoint": True}
    definition["servers"] = [server]
    if api.description is not None:
        definition["info"]["description"] = api.description
    if with_extensions and api.tags:
        definition["tags"] = [{"name": name, TAG_VALUE: value} for name, value in api.tags.items()]
    integrations = {one.integration_id: one for one in content.integrations}
    authorizers = {one.authorizer_id: one for one in content.authorizers}
    used = Counter(route.integration_id for route in content.routes)
    shared = {one for one, count in used.items() if one is not None and count > 1 and one in integrations}
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(content.routes, key=lambda route: route.route_key.partition(" ")[2]):
        method, _, path = route.route_key.partition(" ")
        if route.route_key == DEFAULT_ROUTE:
            method, path = "ANY", f"/{DEFAULT_ROUTE}"
        if method == "ANY" and not with_extensions:
            continue
        operation = _operation(route, path, authorizers)
        if with_extensions and route.authorization_type == AWS_IAM:
            operation[AUTH] = {"type": AWS_IAM}
        integration = integrations.get(route.integration_id or "")
        if with_extensions and integration is not None:
            operation[INTEGRATION] = (
                {"$ref": f"#/components/{INTEGRATIONS}/{integration.integration_id}"}
                if integration.integration_id in shared
                else _integration(integration)
            )
        paths.setdefault(path, {})[ANY_METHOD if method == "ANY" else method.lower()] = operation
    definition["paths"] = paths
    components: dict[str, Any] = {}
    if authorizers:
        components["securitySchemes"] = {
            one.name: _scheme(one, with_extensions=with_extensions) for one in authorizers.values()
        }
    if with_extensions and shared:
        components[INTEGRATIONS] = {one: _integration(integrations[one]) for one in sorted(shared)}
    if components:
        definition["components"] = components
    if with_extensions:
        if content.cors is not None:
            definition[CORS] = _lower(cors_view(content.cors))
        definition[VERSION] = "1.0"
    return definition


def _operation(route: Route, path: str, authorizers: dict[str, Authorizer]) -> dict[str, Any]:
    operation: dict[str, Any] = {}
    if route.operation_name is not None:
        operation["operationId"] = route.operation_name
    if names := _VARIABLE.findall(path):
        # Source: OpenAPI specification 3.0, path templating: each variable is a parameter that is required.
        operation["parameters"] = [
            {
                "name": name,
                "in": "path",
                "description": f"Generated path parameter for {name}",
                "required": True,
                "schema": {"type": "string"},
            }
            for name in names
        ]
    operation["responses"] = {"default": {"description": f"Default response for {route.route_key}"}}
    authorizer = authorizers.get(route.authorizer_id or "")
    if authorizer is not None:
        operation["security"] = [{authorizer.name: list(route.authorization_scopes or ())}]
    return operation


def _integration(integration: Integration) -> dict[str, Any]:
    view = integration_view(integration)
    members = {name: view.get(member) for name, member in INTEGRATION_MEMBERS.items()}
    members["type"] = integration.integration_type.lower()
    return {name: value for name, value in members.items() if value is not None}


def _scheme(authorizer: Authorizer, *, with_extensions: bool) -> dict[str, Any]:
    view = authorizer_view(authorizer)
    jwt = authorizer.jwt_configuration
    # Source: OpenAPI specification 3.0, security scheme object.
    scheme: dict[str, Any] = (
        {"type": "apiKey", "name": "Authorization", "in": "header"}
        if jwt is None
        else {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    )
    if with_extensions:
        extension: dict[str, Any] = {"type": authorizer.authorizer_type.lower()}
        if authorizer.identity_source:
            extension["identitySource"] = ",".join(authorizer.identity_source)
        if jwt is not None:
            extension["jwtConfiguration"] = {"issuer": jwt.issuer, "audience": list(jwt.audience)}
        extension |= {name: view[member] for name, member in AUTHORIZER_MEMBERS.items() if view.get(member) is not None}
        scheme[AUTHORIZER] = extension
    return scheme


def _lower(view: dict[str, Any]) -> dict[str, Any]:
    return {member[0].lower() + member[1:]: value for member, value in view.items() if value is not None}
