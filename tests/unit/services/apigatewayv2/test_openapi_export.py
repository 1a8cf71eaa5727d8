"""An HTTP API as a definition, of which the same API is made again."""

from typing import Any

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.http_api import (
    ApiCors,
    Authorizer,
    DeployedApi,
    HttpApi,
    Integration,
    JwtConfiguration,
    Route,
)
from lambent.services.apigatewayv2.authorizers import authorizer_of
from lambent.services.apigatewayv2.cors import parse_cors
from lambent.services.apigatewayv2.integrations import integration_of
from lambent.services.apigatewayv2.openapi_export import write_api
from lambent.services.apigatewayv2.openapi_import import read_api
from lambent.services.apigatewayv2.openapi_text import read_definition, write_yaml

SCOPE = Scope("111122223333", "eu-west-1")
URI = "arn:aws:lambda:eu-west-1:111122223333:function:f"
ENDPOINT = "http://a1b2c3d4e5.execute-api.eu-west-1.localhost:4566"

API = HttpApi(
    scope=SCOPE,
    api_id="a1b2c3d4e5",
    name="shop",
    created=1_795_000_000.5,
    description="sells",
    disable_execute_api_endpoint=True,
    tags={"team": "a"},
)
CONTENT = DeployedApi(
    deployment_id="d",
    routes=(
        Route("r1", "GET /items/{id}", "integrations/i1", "JWT", "a1", ("read",), "one"),
        Route("r2", "ANY /files/{path+}", "integrations/i2", "CUSTOM", "a2"),
        Route("r3", "$default", "integrations/i1"),
        Route("r4", "POST /nothing"),
        Route("r5", "GET /signed", "integrations/i1", "AWS_IAM"),
    ),
    integrations=(
        Integration("i1", "AWS_PROXY", URI, "POST", "2.0", timeout_in_millis=100, description="answers"),
        Integration(
            "i2",
            "HTTP_PROXY",
            "https://a.example/{path}",
            "ANY",
            request_parameters={"append:header.x": "$request.path"},
            response_parameters={"200": {"overwrite:header.y": "z"}},
        ),
    ),
    authorizers=(
        Authorizer(
            "a1", "tokens", "JWT", ("$request.header.Authorization",), JwtConfiguration("https://i.example", ("a",))
        ),
        Authorizer(
            "a2",
            "asked",
            "REQUEST",
            ("$request.header.A", "$context.routeKey"),
            authorizer_uri=URI,
            authorizer_payload_format_version="2.0",
            enable_simple_responses=True,
            authorizer_result_ttl_in_seconds=60,
        ),
    ),
    cors=ApiCors(allow_credentials=False, allow_origins=("*",), max_age=5),
)


def written(**options: Any) -> dict[str, Any]:
    return write_api(API, CONTENT, ENDPOINT, options.pop("stage", None), **{"with_extensions": True, **options})


def test_an_export_makes_the_same_api_again() -> None:
    """Through JSON and through YAML."""
    for text in (msgspec.json.encode(written()).decode(), write_yaml(written()).decode()):
        made = read_api(read_definition(text, SCOPE), "ignore")
        assert (made.name, made.version, made.description) == ("shop", None, "sells")
        assert made.tags == {"team": "a"} and made.disable_execute_api_endpoint
        assert parse_cors(made.cors or {}) == CONTENT.cors
        ids = {"i1": "AWS_PROXY", "i2": "HTTP_PROXY"}
        again = {
            members["IntegrationType"]: integration_of(SCOPE, "", members) for members in made.integrations.values()
        }
        for integration in CONTENT.integrations:
            assert again[ids[integration.integration_id]] == msgspec.structs.replace(integration, integration_id="")
        for authorizer in CONTENT.authorizers:
            found = authorizer_of(SCOPE, authorizer.authorizer_id, made.authorizers[authorizer.name])
            assert found == authorizer
        routes = {route.key: (route.authorizer, route.scopes, route.operation_name) for route in made.routes}
        assert routes == {
            "GET /items/{id}": ("tokens", ("read",), "one"),
            "ANY /files/{path+}": ("asked", (), None),
            "$default": (None, (), None),
            "POST /nothing": (None, (), None),
            "GET /signed": (None, (), None),
        }
        assert [route.key for route in made.routes if route.is_signed] == ["GET /signed"]
        places = {route.key: route.integration for route in made.routes}
        assert places["GET /items/{id}"] == places["$default"] and places["POST /nothing"] is None


def test_what_a_definition_has_beside_the_extensions() -> None:
    """A server, the date in the place of a version, parameters of paths, responses."""
    definition = written(stage="prod")
    assert definition["info"]["version"] == "2026-11-18 11:06:40UTC"
    assert definition["servers"] == [
        {
            "url": f"{ENDPOINT}/{{basePath}}",
            "variables": {"basePath": {"default": "prod"}},
            "x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": True},
        }
    ]
    item = definition["paths"]["/items/{id}"]["get"]
    assert item["parameters"][0]["name"] == "id" and item["parameters"][0]["required"] is True
    assert item["responses"] == {"default": {"description": "Default response for GET /items/{id}"}}


def test_without_extensions() -> None:
    """Nothing that only API Gateway understands is left, and what cannot be said without it is not said."""
    definition = written(with_extensions=False)
    assert "x-amazon" not in msgspec.json.encode(definition).decode()
    assert set(definition["paths"]) == {"/items/{id}", "/nothing", "/signed"}
    assert set(definition["components"]["securitySchemes"]) == {"tokens", "asked"}
