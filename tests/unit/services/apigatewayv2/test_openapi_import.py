"""What an OpenAPI definition says of an HTTP API."""

import contextlib
from typing import Any

import pytest

from lambent.errors.api.apigatewayv2 import BadRequestException, TooManyRequestsException
from lambent.services.apigatewayv2.openapi_import import Imported, read_api

URI = "arn:aws:lambda:eu-west-1:111122223333:function:f"
PROXY = {"type": "AWS_PROXY", "uri": URI, "httpMethod": "POST", "payloadFormatVersion": "2.0"}
JWT = {
    "type": "oauth2",
    "x-amazon-apigateway-authorizer": {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": "https://issuer.example", "audience": ["a"]},
    },
}
ASKED = {
    "type": "apiKey",
    "name": "Unused",
    "in": "header",
    "x-amazon-apigateway-authorizer": {
        "type": "request",
        "identitySource": "$request.header.A, $request.querystring.b",
        "authorizerUri": URI,
        "authorizerPayloadFormatVersion": "2.0",
        "authorizerResultTtlInSeconds": 60,
        "enableSimpleResponses": True,
        "authorizerCredentials": "arn:aws:iam::111122223333:role/r",
    },
}


def read(paths: Any = None, base_path: str = "ignore", **members: Any) -> Imported:
    """Read a definition; members' names have `_` for `-`."""
    definition = {"openapi": "3.0.1", "info": {"title": "t", "version": "1"}, "paths": paths or {}}
    definition |= {name.replace("_", "-"): value for name, value in members.items()}
    return read_api(definition, base_path)


def operation(**members: Any) -> dict[str, Any]:
    return {"x-amazon-apigateway-integration": PROXY, **members}


def test_what_an_api_is_called() -> None:
    """Title, version and description, whatever YAML made of them."""
    made = read(info={"title": "shop", "version": 1.0, "description": "sells"})
    assert (made.name, made.version, made.description) == ("shop", "1.0", "sells")
    # What an export writes for an API without a version means none.
    assert read(info={"title": "shop", "version": "2026-11-30 18:00:00UTC"}).version is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"openapi": "3.1.0"},
        {"openapi": None},
        {"swagger": "2.0", "openapi": ""},
        {"info": {}},
        {"info": {"title": "t" * 129}},
        {"info": {"title": "t", "version": "v" * 65}},
        {"info": {"title": "t", "description": "d" * 1025}},
        {"x-amazon-apigateway-importexport-version": "2.0"},
    ],
    ids=str,
)
def test_what_is_no_definition(wrong: dict[str, Any]) -> None:
    """Other versions of OpenAPI, and names that an API may not have."""
    with pytest.raises(BadRequestException):
        read_api({"openapi": "3.0.1", "info": {"title": "t"}, "paths": {}, **wrong}, "ignore")


def test_operations_become_routes() -> None:
    """Methods, any method, and the default route in both spellings."""
    made = read(
        {
            "/items/{id}": {
                "get": operation(operationId="one"),
                "x-amazon-apigateway-any-method": operation(),
                "parameters": [],
                "summary": "items",
                "trace": operation(),
                "GET": operation(),
            },
            "/$default": {"x-amazon-apigateway-any-method": operation(), "get": operation()},
        }
    )
    assert [route.key for route in made.routes] == ["GET /items/{id}", "ANY /items/{id}", "$default"]
    assert [route.operation_name for route in made.routes] == ["one", None, None]
    assert len(made.integrations) == 3 and len(made.warnings) == 2
    spelled = read({"$default": {"x-amazon-apigateway-any-method": operation(isDefaultRoute=True)}})
    assert [route.key for route in spelled.routes] == ["$default"]
    assert spelled.warnings == ["Parse issue: attribute paths. Resource $default should start with /"]


def test_integrations() -> None:
    """Members in the API's spelling and types; one that components define is one, however many routes go there."""
    shared = {
        "type": "http_proxy",
        "uri": "https://a.example",
        "httpMethod": "x-amazon-apigateway-any-method",
        "timeoutInMillis": "500",
        "requestParameters": {"append:header.x": 1},
        "responseParameters": {200: {"overwrite:header.y": "z"}},
        "responses": {"default": {"statusCode": "200"}},
    }
    reference = {"x-amazon-apigateway-integration": {"$ref": "#/components/x-amazon-apigateway-integrations/s"}}
    made = read(
        {"/a": {"get": reference, "post": reference}, "/b": {"get": {}}},
        components={"x-amazon-apigateway-integrations": {"s": shared}},
    )
    ((place, members),) = made.integrations.items()
    assert members == {
        "IntegrationType": "HTTP_PROXY",
        "IntegrationUri": "https://a.example",
        "IntegrationMethod": "ANY",
        "TimeoutInMillis": 500,
        "RequestParameters": {"append:header.x": "1"},
        "ResponseParameters": {"200": {"overwrite:header.y": "z"}},
    }
    assert [route.integration for route in made.routes] == [place, place, None]
    assert made.warnings == ["The route GET /b has no x-amazon-apigateway-integration: it answers nothing."]
    assert len(made.infos) == 1 and "responses" in made.infos[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeoutInMillis": 49},
        {"timeoutInMillis": True},
        {"requestParameters": []},
        {"responseParameters": {"200": "x"}},
        {"uri": {"Fn::Sub": "x"}},
        {"$ref": "#/components/x-amazon-apigateway-integrations/none"},
        {"$ref": "https://a.example/integrations.yaml"},
    ],
    ids=str,
)
def test_integrations_that_are_none(wrong: dict[str, Any]) -> None:
    """Values of another type, and references that lead nowhere."""
    with pytest.raises(BadRequestException):
        read({"/a": {"get": {"x-amazon-apigateway-integration": {**PROXY, **wrong}}}})


def test_authorizers_and_who_needs_them() -> None:
    """Security schemes with the extension; an operation's own security takes the place of the root's."""
    schemes = {"tokens": JWT, "asked": ASKED, "documented": {"type": "http", "scheme": "basic"}}
    made = read(
        {
            "/root": {"get": operation()},
            "/own": {"get": operation(security=[{"asked": []}])},
            "/open": {"get": operation(security=[])},
            "/none": {"get": operation(**{"x-amazon-apigateway-auth": {"type": "NONE"}})},
            "/documented": {"get": operation(security=[{"documented": []}])},
            "/two": {"get": operation(security=[{"tokens": []}, {"asked": []}])},
            "/scopes": {"get": operation(security=[{"asked": ["read"]}])},
        },
        components={"securitySchemes": schemes},
        security=[{"tokens": ["read", "write"]}],
    )
    assert made.authorizers == {
        "tokens": {
            "Name": "tokens",
            "AuthorizerType": "JWT",
            "IdentitySource": ["$request.header.Authorization"],
            "JwtConfiguration": {"Issuer": "https://issuer.example", "Audience": ["a"]},
        },
        "asked": {
            "Name": "asked",
            "AuthorizerType": "REQUEST",
            "IdentitySource": ["$request.header.A", "$request.querystring.b"],
            "AuthorizerUri": URI,
            "AuthorizerPayloadFormatVersion": "2.0",
            "AuthorizerResultTtlInSeconds": 60,
            "EnableSimpleResponses": True,
            "AuthorizerCredentialsArn": "arn:aws:iam::111122223333:role/r",
        },
    }
    decided = {route.key[5:]: (route.authorizer, route.scopes) for route in made.routes}
    assert decided == {
        "root": ("tokens", ("read", "write")),
        "own": ("asked", ()),
        "open": (None, ()),
        "none": (None, ()),
        "documented": (None, ()),
        "two": ("tokens", ()),
        "scopes": ("asked", ()),
    }
    assert len(made.warnings) == 3


@pytest.mark.parametrize(
    "security",
    [
        {"tokens": []},
        "tokens",
        ["tokens"],
        [["tokens"]],
        [{"tokens": "read"}],
        [{"tokens": [1]}],
        [{"tokens": {"read": True}}],
        [{"token": []}],
        [{"nothing": []}],
        [{"elsewhere": []}],
        [{"tokens": ["read"] * 101}],
        [{"tokens": []}] * 101,
        1,
    ],
    ids=str,
)
@pytest.mark.parametrize("at_root", [False, True])
def test_security_that_nobody_can_read(security: Any, *, at_root: bool) -> None:
    """It is refused, at the root and of an operation: left out, it would leave the route open to all."""
    own = {} if at_root else {"security": security}
    schemes = {"tokens": JWT, "nothing": None, "elsewhere": {"$ref": "#/components/securitySchemes/tokens"}}
    with pytest.raises(BadRequestException):
        read(
            {"/a": {"get": operation(**own)}},
            components={"securitySchemes": schemes},
            security=security if at_root else [{"tokens": []}],
        )


def test_nobody_is_to_be_asked() -> None:
    """As AWS SAM writes it, without a scheme of this name; where there is one, it is as others."""
    made = read({"/a": {"get": operation(security=[{"NONE": []}])}}, security=[{"token": []}])
    assert [route.authorizer for route in made.routes] == [None] and made.warnings == []
    schemes = {"securitySchemes": {"NONE": JWT}}
    made = read({"/a": {"get": operation(security=[{"NONE": []}])}}, components=schemes)
    assert [route.authorizer for route in made.routes] == ["NONE"]
    both = read(
        {"/a": {"get": operation(security=[{"NONE": []}, {"tokens": []}])}},
        components={"securitySchemes": {"tokens": JWT}},
    )
    assert [route.authorizer for route in both.routes] == ["tokens"]


def test_security_that_is_not_said() -> None:
    """What is null is not there: the root's holds, and no scope is needed."""
    made = read(
        {"/null": {"get": operation(security=None)}, "/own": {"get": operation(security=[{"asked": None}])}},
        components={"securitySchemes": {"tokens": JWT, "asked": ASKED}},
        security=[{"tokens": None}],
    )
    assert [(route.authorizer, route.scopes) for route in made.routes] == [("tokens", ()), ("asked", ())]


@pytest.mark.parametrize("auth", [None, "NONE", "AWS_IAM", {"type": "AWS"}, {"type": None}, []], ids=str)
def test_an_authorization_that_is_none(auth: Any) -> None:
    """It is refused, as is an authorizer that is no object."""
    with pytest.raises(BadRequestException, match="x-amazon-apigateway-auth of GET /a"):
        read({"/a": {"get": operation(**{"x-amazon-apigateway-auth": auth})}})
    with pytest.raises(BadRequestException, match="the security scheme tokens"):
        read(components={"securitySchemes": {"tokens": {"x-amazon-apigateway-authorizer": [auth]}}})


def test_the_issuer_of_openid_connect() -> None:
    """It is what the discovery document's address begins with."""
    scheme = {
        "type": "openIdConnect",
        "openIdConnectUrl": "https://issuer.example/pool/.well-known/openid-configuration",
        "x-amazon-apigateway-authorizer": {"type": "jwt", "jwtConfiguration": {"audience": "a"}},
    }
    made = read(components={"securitySchemes": {"oidc": scheme}})
    assert made.authorizers["oidc"]["JwtConfiguration"] == {
        "Issuer": "https://issuer.example/pool",
        "Audience": ["a"],
    }


def test_access_by_signatures() -> None:
    """By the operation's own extension, and by a scheme, also one for all; an authorizer beside it is left out."""
    own = {"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}
    schemes = {"sig": {"type": "apiKey", "x-amazon-apigateway-authtype": "awsSigv4"}, "tokens": JWT}
    made = read(
        {
            "/a": {"get": operation(**own)},
            "/b": {"get": operation(security=[{"sig": []}])},
            "/c": {"get": operation(security=[{"sig": []}, {"tokens": ["read"]}])},
            "/d": {"get": operation(security=[{"tokens": ["read"]}, {"sig": []}])},
            "/e": {"get": operation()},
            "/f": {"get": operation(**{"x-amazon-apigateway-auth": {"type": "NONE"}})},
        },
        components={"securitySchemes": schemes},
        security=[{"sig": []}],
    )
    assert [(route.key, route.is_signed, route.authorizer, route.scopes) for route in made.routes] == [
        ("GET /a", True, None, ()),
        ("GET /b", True, None, ()),
        ("GET /c", True, None, ()),
        ("GET /d", False, "tokens", ("read",)),
        ("GET /e", True, None, ()),
        ("GET /f", False, None, ()),
    ]
    assert made.warnings == [
        "The route GET /c can have one authorizer, ignoring tokens.",
        "The route GET /d can have one authorizer, ignoring sig.",
    ]
    with pytest.raises(BadRequestException, match="jwt or request"):
        token = {"x-amazon-apigateway-authorizer": {"type": "token"}}
        read(components={"securitySchemes": {"token": token}})


@pytest.mark.parametrize(
    ("base_path", "expected"),
    [("ignore", "GET /e"), ("prepend", "GET /a/b/c/e"), ("split", "GET /b/c/e")],
)
@pytest.mark.parametrize(
    "server",
    [
        {"url": "https://a.example/a/b/c"},
        {"url": "https://a.example/{basePath}", "variables": {"basePath": {"default": "/a/b/c"}}},
        {"url": "https://{host}/{base}", "variables": {"host": {"default": "h"}, "base": {"default": "a/b/c"}}},
    ],
    ids=range(3),
)
def test_base_paths(server: dict[str, Any], base_path: str, expected: str) -> None:
    """Documented: API Gateway developer guide, the basePath property: ignored, prepended, or split."""
    made = read({"/e": {"get": operation()}}, base_path, servers=[server])
    assert [route.key for route in made.routes] == [expected]


@pytest.mark.parametrize(
    "server",
    [
        {"url": "https://a.example/" + "p" * 512},
        {"url": "https://a.example/" + "{p}" * 8, "variables": {"p": {"default": "p" * 100}}},
        {"url": "https://a.example/{basePath}", "variables": {"basePath": {"default": "p" * 513}}},
        {"url": "https://a.example/" + "{p}" * 700, "variables": {"p": {"default": ""}}},
        {"url": "https://[a/"},
    ],
    ids=range(5),
)
def test_base_paths_that_are_none(server: dict[str, Any]) -> None:
    """Longer than a route's path may be, or no URL."""
    with pytest.raises(BadRequestException, match="the first server"):
        read({"/e": {"get": operation()}}, "prepend", servers=[server])


def test_variables_of_a_server_stand_for_no_others() -> None:
    """However many of them name two others: what they stand for is a text."""
    variables = {f"v{number}": {"default": f"{{v{number + 1}}}{{v{number + 1}}}"} for number in range(40)}
    made = read({"/e": {"get": operation()}}, "prepend", servers=[{"url": "/{v0}/{v39}", "variables": variables}])
    assert [route.key for route in made.routes] == ["GET /{v1}{v1}/{v40}{v40}/e"]


def test_a_root_below_a_base_path() -> None:
    """It ends in no slash, which no route key may."""
    made = read({"/": {"get": operation()}}, "prepend", servers=[{"url": "https://a.example/v1/"}])
    assert [route.key for route in made.routes] == ["GET /v1"]
    assert [route.key for route in read({"/": {"get": operation()}}, "prepend").routes] == ["GET /"]


def test_what_stands_at_the_root() -> None:
    """CORS, tags with values, the endpoint; what is for REST APIs is told of."""
    made = read(
        {"/a": {"get": operation()}},
        tags=[{"name": "k", "x-amazon-apigateway-tag-value": 1}, {"name": "items"}],
        x_amazon_apigateway_cors={"allowOrigins": "*", "allowMethods": ["GET"], "maxAge": 3, "allowCredentials": False},
        x_amazon_apigateway_endpoint_configuration={"disableExecuteApiEndpoint": True},
        x_amazon_apigateway_binary_media_types=["*/*"],
        components={"schemas": {"Item": {}}},
    )
    assert made.tags == {"k": "1"}
    assert made.cors == {"AllowOrigins": ["*"], "AllowMethods": ["GET"], "MaxAge": 3, "AllowCredentials": False}
    assert made.disable_execute_api_endpoint and made.warnings == []
    assert len(made.infos) == 2


@pytest.mark.parametrize(
    ("given", "expected"), [(True, True), ("true", True), (False, False), ("false", False), (None, False)], ids=str
)
def test_the_endpoint(given: Any, *, expected: bool) -> None:
    """It is switched off at the root, and where OpenAPI 3.0 has it, which is at any server."""
    configuration = {"disableExecuteApiEndpoint": given}
    assert read(x_amazon_apigateway_endpoint_configuration=configuration).disable_execute_api_endpoint == expected
    server = {"x-amazon-apigateway-endpoint-configuration": configuration}
    made = read(servers=[{"url": "https://a.example"}, server])
    assert made.disable_execute_api_endpoint == expected


@pytest.mark.parametrize("wrong", [[], "true", {"disableExecuteApiEndpoint": "yes"}], ids=str)
def test_an_endpoint_of_another_form(wrong: Any) -> None:
    """It is refused: left out, it would leave open what is to be closed."""
    with pytest.raises(BadRequestException):
        read(x_amazon_apigateway_endpoint_configuration=wrong)
    with pytest.raises(BadRequestException):
        read(servers=[{"x-amazon-apigateway-endpoint-configuration": wrong}])


@pytest.mark.parametrize(
    "wrong",
    [[], {"maxAge": "x"}, {"maxAge": 86_401}, {"allowOrigins": [1]}, {"allowCredentials": "yes"}],
    ids=str,
)
def test_cors_of_another_form(wrong: Any) -> None:
    """It is left out with a warning."""
    made = read({"/a": {"get": operation()}}, x_amazon_apigateway_cors=wrong)
    assert made.cors is None and made.warnings == ["CORS Scheme is malformed, ignoring."]


def test_what_is_told_has_an_end() -> None:
    """An API keeps some warnings and infos, each cut."""
    long = "p" * 400
    made = read(
        {f"/{number}{long}": {"$ref": "x"} for number in range(150)},
        **{f"x_amazon_apigateway_{n}": 1 for n in range(150)},
    )
    for told in (made.warnings, made.infos):
        assert len(told) == 101 and told[-1] == "There are more, which are left out."
        assert max(map(len, told)) <= 300
    with pytest.raises(BadRequestException, match="Invalid path"):
        read({f"/{'p' * 512}": {"get": operation()}})


@pytest.mark.parametrize("name", [0x10**5_000, None, True, 1.5], ids=range(4))
def test_names_that_are_no_texts(name: Any) -> None:
    """YAML has them of any type."""
    read(
        {name: {name: operation(), "get": {"x-amazon-apigateway-integration": {**PROXY, name: 1}}}},
        "split",
        components={name: 1, "securitySchemes": {name: {}}},
        servers=[{"url": "{1}", "variables": {name: {"default": name}}}],
        security=[{name: []}],
    )


def test_there_may_be_so_many() -> None:
    """Routes and authorizers end where an API's do."""
    with pytest.raises(TooManyRequestsException):
        read({f"/{number}": {"get": operation()} for number in range(2_001)})
    with pytest.raises(TooManyRequestsException):
        read(components={"securitySchemes": {f"s{number}": JWT for number in range(11)}})


@pytest.mark.parametrize("strange", [None, 1, "x", [], [None], {"a": None}, {"a": []}, {"/a": {"get": None}}], ids=str)
def test_nothing_is_too_strange(strange: Any) -> None:
    """Values of any type in any place are read or refused."""
    for member in ("paths", "components", "servers", "tags", "security", "x_amazon_apigateway_cors"):
        read(**{member: strange})
    with contextlib.suppress(BadRequestException):
        read({"/a": {"get": operation(security=strange)}}, "split", servers=[strange])
