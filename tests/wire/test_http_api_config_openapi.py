"""HTTP APIs made of OpenAPI definitions, and definitions of HTTP APIs, through boto3."""

import json

import pytest
from wire.http_apis import FUNCTION, bare, make_integration, make_route, refusal, served, status
from wire.support import ACCOUNT, REGION

DEFINITION = {
    "openapi": "3.0.1",
    "info": {"title": "shop", "version": "7", "description": "sells"},
    "tags": [{"name": "team", "x-amazon-apigateway-tag-value": "a"}],
    "servers": [{"url": "https://a.example/v1/shop"}],
    "security": [{"tokens": ["read"]}],
    "paths": {
        "/items/{id}": {
            "get": {
                "operationId": "item",
                "x-amazon-apigateway-integration": {
                    "type": "aws_proxy",
                    "httpMethod": "POST",
                    "payloadFormatVersion": "2.0",
                    "uri": (
                        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
                        "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:items/invocations"
                    ),
                },
            }
        },
        "/$default": {
            "x-amazon-apigateway-any-method": {
                "security": [],
                "x-amazon-apigateway-integration": {
                    "type": "http_proxy",
                    "httpMethod": "ANY",
                    "payloadFormatVersion": "1.0",
                    "uri": "https://b.example/",
                },
            }
        },
    },
    "components": {
        "securitySchemes": {
            "tokens": {
                "type": "oauth2",
                "x-amazon-apigateway-authorizer": {
                    "type": "jwt",
                    "identitySource": "$request.header.Authorization",
                    "jwtConfiguration": {"issuer": "https://issuer.example", "audience": ["a"]},
                },
            }
        }
    },
    "x-amazon-apigateway-cors": {"allowOrigins": ["*"], "allowMethods": ["GET"]},
    "x-amazon-apigateway-importexport-version": "1.0",
}


def changed(**members):
    """Return the definition with some members others, as text."""
    return json.dumps({**DEFINITION, **members})


def facts(apis, api):
    """Return what an API does, without ids."""
    view = bare(apis.get_api(ApiId=api))
    for member in ("ApiId", "ApiEndpoint", "CreatedDate", "ImportInfo", "Warnings"):
        view.pop(member, None)
    integrations = {one.pop("IntegrationId"): one for one in apis.get_integrations(ApiId=api)["Items"]}
    authorizers = {one.pop("AuthorizerId"): one for one in apis.get_authorizers(ApiId=api)["Items"]}
    routes = {}
    for route in apis.get_routes(ApiId=api)["Items"]:
        del route["RouteId"]
        if "Target" in route:
            route["Target"] = integrations[route["Target"].removeprefix("integrations/")]
        if "AuthorizerId" in route:
            route["AuthorizerId"] = authorizers[route["AuthorizerId"]]["Name"]
        routes[route["RouteKey"]] = route
    return view, routes, sorted(map(json.dumps, authorizers.values()))


def exported(apis, api, **options):
    answer = apis.export_api(ApiId=api, Specification="OAS30", **{"OutputType": "JSON", **options})
    assert status(answer) == 200
    return answer["body"].read().decode()


def test_an_api_of_a_definition(apis):
    """Its routes, integrations and authorizers, with what belongs to the caller filled in."""
    made = apis.import_api(Body=json.dumps(DEFINITION), Basepath="split", FailOnWarnings=True)
    assert status(made) == 201
    api = made["ApiId"]
    view, routes, _ = facts(apis, api)
    assert (view["Name"], view["Version"], view["Description"]) == ("shop", "7", "sells")
    assert view["Tags"] == {"team": "a"}
    assert view["CorsConfiguration"] == {
        "AllowCredentials": False,
        "AllowOrigins": ["*"],
        "AllowMethods": ["GET"],
    }
    assert set(routes) == {"GET /shop/items/{id}", "$default"}
    item = routes["GET /shop/items/{id}"]
    assert item["OperationName"] == "item"
    assert (item["AuthorizationType"], item["AuthorizerId"], item["AuthorizationScopes"]) == ("JWT", "tokens", ["read"])
    assert item["Target"]["IntegrationUri"].endswith(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:items/invocations")
    assert routes["$default"]["AuthorizationType"] == "NONE"
    assert routes["$default"]["Target"]["IntegrationType"] == "HTTP_PROXY"
    apis.delete_api(ApiId=api)


def test_yaml_as_well(apis):
    """A definition as people write it."""
    text = f"""
openapi: 3.0.1
info:
  title: yaml
  version: 2020-01-02
paths:
  /a:
    get:
      x-amazon-apigateway-integration: &proxy
        type: AWS_PROXY
        uri: {FUNCTION}
        payloadFormatVersion: '2.0'
    post:
      x-amazon-apigateway-integration: *proxy
"""
    made = apis.import_api(Body=text)
    assert made["Name"] == "yaml" and made["Version"] == "2020-01-02"
    assert set(facts(apis, made["ApiId"])[1]) == {"GET /a", "POST /a"}
    apis.delete_api(ApiId=made["ApiId"])


def test_an_import_replaces_what_was_there(apis, api):
    """ReimportApi: routes, integrations and authorizers are those of the definition; a stage has them at once."""
    make_route(apis, api, "GET /old", make_integration(apis, api))
    apis.tag_resource(ResourceArn=f"arn:aws:apigateway:{REGION}::/apis/{api}", Tags={"kept": "yes", "team": "b"})
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    before = served(apis, api)
    answer = apis.reimport_api(ApiId=api, Body=json.dumps(DEFINITION), Basepath="ignore")
    assert status(answer) == 201 and answer["ApiId"] == api
    view, routes, authorizers = facts(apis, api)
    assert view["Tags"] == {"kept": "yes", "team": "a"}
    assert view["Name"] == "shop" and set(routes) == {"GET /items/{id}", "$default"} and len(authorizers) == 1
    assert len(apis.get_integrations(ApiId=api)["Items"]) == 2
    assert served(apis, api) != before
    assert len(apis.get_deployments(ApiId=api)["Items"]) == 1
    gone = (404, "NotFoundException", "Invalid API identifier specified none")
    assert refusal(apis.reimport_api, ApiId="none", Body=json.dumps(DEFINITION)) == gone


def test_an_import_that_fails_changes_nothing(apis, api):
    """All of it or nothing, and the error says where."""
    route = make_route(apis, api, "GET /old")
    schemes = json.loads(json.dumps(DEFINITION["components"]))
    schemes["securitySchemes"]["tokens"]["x-amazon-apigateway-authorizer"]["jwtConfiguration"] = {}
    twice = {f"/items/{{{name}}}": DEFINITION["paths"]["/items/{id}"] for name in ("id", "name")}
    unnamed = {"/a": {"get": {"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": FUNCTION}}}}
    for wrong, status_, where in (
        ({"components": schemes}, 400, "securitySchemes.tokens: Invalid issuer"),
        ({"paths": twice}, 409, "GET /items/{name}: The provided route key"),
        ({"paths": unnamed}, 400, "paths./a.get: PayloadFormatVersion"),
        ({"openapi": "2.0"}, 400, "Unable to determine OAS version"),
        ({"tags": [{"name": "aws:a", "x-amazon-apigateway-tag-value": "b"}]}, 400, "aws: prefixed"),
    ):
        code, _, text = refusal(apis.reimport_api, ApiId=api, Body=changed(**wrong))
        assert code == status_ and where in text, text
    for wrong in ({"Body": "{"}, {"Body": ""}, {"Body": changed(), "Basepath": "other"}):
        assert refusal(apis.import_api, **wrong)[:2] == (400, "BadRequestException")
    (only,) = apis.get_routes(ApiId=api)["Items"]
    assert only["RouteId"] == route and apis.get_api(ApiId=api)["Name"] == "test"


def test_warnings_and_infos(apis):
    """They are told with the API, and refuse it where they are to."""
    body = changed(
        paths={**DEFINITION["paths"], "/nothing": {"get": {"responses": {}}}},
        **{"x-amazon-apigateway-request-validators": {}},
    )
    warning = "The route GET /nothing has no x-amazon-apigateway-integration: it answers nothing."
    made = apis.import_api(Body=body)
    assert made["Warnings"] == [warning]
    assert made["ImportInfo"] == ["x-amazon-apigateway-request-validators is not used by HTTP APIs, ignoring."]
    assert bare(apis.get_api(ApiId=made["ApiId"]))["Warnings"] == [warning]
    assert refusal(apis.reimport_api, ApiId=made["ApiId"], Body=body, FailOnWarnings=True) == (
        400,
        "BadRequestException",
        f"Warnings found during import:\n\t{warning}",
    )
    clean = apis.reimport_api(ApiId=made["ApiId"], Body=json.dumps(DEFINITION), FailOnWarnings=True)
    assert "Warnings" not in clean and "ImportInfo" not in clean
    apis.delete_api(ApiId=made["ApiId"])
    assert refusal(apis.import_api, Body=body, FailOnWarnings=True)[0] == 400


@pytest.mark.parametrize("output", ["JSON", "YAML"])
def test_an_export_makes_the_same_api_again(apis, output):
    """Whatever the API was made of."""
    first = apis.import_api(Body=json.dumps(DEFINITION))["ApiId"]
    make_route(apis, first, "GET /more/{proxy+}", make_integration(apis, first, IntegrationUri=f"{FUNCTION}:live"))
    second = apis.import_api(Body=exported(apis, first, OutputType=output))["ApiId"]
    assert facts(apis, first) == facts(apis, second)
    for api in (first, second):
        apis.delete_api(ApiId=api)


def test_an_export_of_a_stage(apis, api):
    """What it serves, not what was changed since; and what may not be asked for."""
    make_route(apis, api, "GET /a", make_integration(apis, api))
    apis.create_stage(ApiId=api, StageName="prod", AutoDeploy=True)
    apis.update_stage(ApiId=api, StageName="prod", AutoDeploy=False)
    make_route(apis, api, "GET /b")
    apis.create_stage(ApiId=api, StageName="empty")
    of_stage = json.loads(exported(apis, api, StageName="prod", ExportVersion="1.0"))
    assert set(of_stage["paths"]) == {"/a"} and of_stage["servers"][0]["variables"]["basePath"]["default"] == "prod"
    assert set(json.loads(exported(apis, api))["paths"]) == {"/a", "/b"}
    assert "x-amazon" not in exported(apis, api, IncludeExtensions=False)
    export = {"ApiId": api, "Specification": "OAS30", "OutputType": "JSON"}
    for wrong, code in (
        ({"StageName": "none"}, 404),
        ({"StageName": "empty"}, 404),
        ({"ApiId": "none"}, 404),
        ({"Specification": "OAS31"}, 400),
        ({"OutputType": "XML"}, 400),
        ({"ExportVersion": "2.0"}, 400),
    ):
        assert refusal(apis.export_api, **{**export, **wrong})[0] == code
