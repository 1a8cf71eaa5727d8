"""The configuration of HTTP APIs' authorizers, through boto3."""

import json

import pytest
from wire.http_apis import FUNCTION, ROLE, bare, make_integration, make_route, refusal, served, status
from wire.support import ACCOUNT, REGION
from wire.urls import ask

JWT = {
    "AuthorizerType": "JWT",
    "IdentitySource": ["$request.header.Authorization"],
    "JwtConfiguration": {"Issuer": "https://issuer.example/pool", "Audience": ["client-1", "client-2"]},
    "Name": "tokens",
}
ASKED = {
    "AuthorizerType": "REQUEST",
    "AuthorizerPayloadFormatVersion": "2.0",
    "AuthorizerUri": f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations",
    "IdentitySource": ["$request.header.X-Key", "$request.querystring.key", "$context.routeKey", "$stageVariables.s"],
    "Name": "asked",
}


def test_a_life_of_a_jwt_authorizer(apis, api):
    """What is shown, what an update changes, and which routes keep it from going."""
    made = apis.create_authorizer(ApiId=api, **JWT)
    assert status(made) == 201
    made = bare(made)
    assert made == {**JWT, "AuthorizerId": made["AuthorizerId"]}
    key = {"ApiId": api, "AuthorizerId": made["AuthorizerId"]}
    issuer = {"Issuer": "http://127.0.0.1:9999/", "Audience": ["other"]}
    changed = apis.update_authorizer(
        **key,
        Name="others",
        JwtConfiguration=issuer,
        IdentitySource=["$request.querystring.token"],
        IdentityValidationExpression="x",
    )
    expected = {
        **made,
        "Name": "others",
        "JwtConfiguration": issuer,
        "IdentitySource": ["$request.querystring.token"],
        "IdentityValidationExpression": "x",
    }
    assert bare(changed) == bare(apis.get_authorizer(**key)) == expected
    assert apis.get_authorizers(ApiId=api)["Items"] == [expected]
    route = apis.create_route(
        ApiId=api,
        RouteKey="GET /a",
        AuthorizationType="JWT",
        AuthorizerId=made["AuthorizerId"],
        AuthorizationScopes=["read", "write"],
    )
    assert route["AuthorizationScopes"] == ["read", "write"] and route["AuthorizerId"] == made["AuthorizerId"]
    assert refusal(apis.delete_authorizer, **key) == (
        409,
        "ConflictException",
        "Cannot delete authorizer 'others', is referenced in route: GET /a",
    )
    # A route that asks nobody any more lets it go.
    free = apis.update_route(ApiId=api, RouteId=route["RouteId"], AuthorizationType="NONE")
    assert "AuthorizerId" not in free and "AuthorizationScopes" not in free
    assert status(apis.delete_authorizer(**key)) == 204
    gone = (404, "NotFoundException", f"Invalid Authorizer identifier specified {made['AuthorizerId']}")
    for call in (apis.get_authorizer, apis.update_authorizer, apis.delete_authorizer):
        assert refusal(call, **key) == gone


def test_a_life_of_a_request_authorizer(apis, api):
    """What is shown of one that nobody set, and what an update changes."""
    made = bare(apis.create_authorizer(ApiId=api, **ASKED))
    assert made == {
        **ASKED,
        "AuthorizerId": made["AuthorizerId"],
        "AuthorizerResultTtlInSeconds": 0,
        "EnableSimpleResponses": False,
    }
    key = {"ApiId": api, "AuthorizerId": made["AuthorizerId"]}
    changes = {
        "AuthorizerResultTtlInSeconds": 3600,
        "EnableSimpleResponses": True,
        "AuthorizerCredentialsArn": ROLE,
        "IdentityValidationExpression": "^x",
        "AuthorizerUri": f"{FUNCTION}:live",
        "Name": "asked-2",
    }
    apis.update_authorizer(**key, **changes)
    assert bare(apis.get_authorizer(**key)) == {**made, **changes}
    made = apis.create_authorizer(ApiId=api, **{**ASKED, **changes, "Name": "made so"})
    assert {member: made[member] for member in changes} == {**changes, "Name": "made so"}
    same = apis.update_authorizer(**key, AuthorizerType="REQUEST", AuthorizerPayloadFormatVersion="2.0")
    assert same["Name"] == "asked-2"
    # What follows from what is there already is looked at, too.
    assert refusal(apis.update_authorizer, **key, AuthorizerPayloadFormatVersion="1.0")[0] == 400
    assert refusal(apis.update_authorizer, **key, IdentitySource=[])[0] == 400
    assert refusal(apis.update_authorizer, **key, AuthorizerType="JWT")[0] == 400


def test_an_authorizer_of_another_type(apis, api):
    """It becomes one as a whole, while no route relies on what it was."""
    made = apis.create_authorizer(ApiId=api, **ASKED, AuthorizerResultTtlInSeconds=300)["AuthorizerId"]
    key = {"ApiId": api, "AuthorizerId": made}
    tokens = {member: value for member, value in JWT.items() if member != "Name"}
    route = make_route(apis, api, "GET /a", AuthorizationType="CUSTOM", AuthorizerId=made)
    assert refusal(apis.update_authorizer, **key, **tokens)[:2] == (409, "ConflictException")
    apis.delete_route(ApiId=api, RouteId=route)
    changed = bare(apis.update_authorizer(**key, **tokens))
    assert changed == {**tokens, "Name": ASKED["Name"], "AuthorizerId": made}


@pytest.mark.parametrize(
    "wrong",
    [
        {"Name": ""},
        {"Name": "n" * 129},
        {"IdentitySource": []},
        {"IdentitySource": ["$request.header.A", "$request.header.B"]},
        {"IdentitySource": ["$context.routeKey"]},
        {"IdentitySource": ["route.request.header.Authorization"]},
        {"JwtConfiguration": {"Issuer": "https://issuer.example"}},
        {"JwtConfiguration": {"Issuer": "https://issuer.example", "Audience": []}},
        {"JwtConfiguration": {"Issuer": "https://issuer.example", "Audience": [str(n) for n in range(51)]}},
        {"JwtConfiguration": {"Audience": ["a"]}},
        {"JwtConfiguration": {"Issuer": "issuer.example", "Audience": ["a"]}},
        {"JwtConfiguration": {"Issuer": "file:///etc/passwd", "Audience": ["a"]}},
        {"JwtConfiguration": {"Issuer": "https://u:p@issuer.example", "Audience": ["a"]}},
        {"JwtConfiguration": {"Issuer": "https://issuer.example/?a=b", "Audience": ["a"]}},
        {"AuthorizerUri": FUNCTION},
        {"EnableSimpleResponses": True},
        {"AuthorizerResultTtlInSeconds": 60},
    ],
    ids=lambda wrong: json.dumps(wrong)[:60],
)
def test_what_a_jwt_authorizer_may_not_be(apis, api, wrong):
    """Each is refused when it is made, and nothing is left of it."""
    assert refusal(apis.create_authorizer, ApiId=api, **{**JWT, **wrong})[:2] == (400, "BadRequestException")
    assert apis.get_authorizers(ApiId=api)["Items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"AuthorizerUri": ""},
        {"AuthorizerUri": "https://a.example"},
        {"AuthorizerPayloadFormatVersion": ""},
        {"AuthorizerPayloadFormatVersion": "3.0"},
        {"AuthorizerPayloadFormatVersion": "1.0", "EnableSimpleResponses": True},
        {"AuthorizerResultTtlInSeconds": 3601},
        {"AuthorizerResultTtlInSeconds": -1},
        {"AuthorizerResultTtlInSeconds": 1, "IdentitySource": []},
        {"IdentitySource": ["$request.body.key"]},
        {"IdentitySource": [f"$request.header.h{n}" for n in range(21)]},
        {"AuthorizerCredentialsArn": "arn:aws:iam::999988887777:role/other"},
        {"IdentityValidationExpression": "e" * 1025},
        {"JwtConfiguration": {"Issuer": "https://issuer.example", "Audience": ["a"]}},
        {"AuthorizerType": "TOKEN"},
    ],
    ids=lambda wrong: json.dumps(wrong)[:60],
)
def test_what_a_request_authorizer_may_not_be(apis, api, wrong):
    """Each is refused when it is made, and nothing is left of it."""
    assert refusal(apis.create_authorizer, ApiId=api, **{**ASKED, **wrong})[:2] == (400, "BadRequestException")
    assert apis.get_authorizers(ApiId=api)["Items"] == []


def test_a_route_needs_an_authorizer_of_its_kind(apis, api):
    """A token's for JWT, a function for CUSTOM; scopes are tokens'."""
    tokens = apis.create_authorizer(ApiId=api, **JWT)["AuthorizerId"]
    asked = apis.create_authorizer(ApiId=api, **ASKED)["AuthorizerId"]
    route = make_route(apis, api, "GET /a")
    for wrong in (
        {"AuthorizationType": "JWT", "AuthorizerId": asked},
        {"AuthorizationType": "CUSTOM", "AuthorizerId": tokens},
        {"AuthorizationType": "CUSTOM", "AuthorizerId": asked, "AuthorizationScopes": ["read"]},
        {"AuthorizationType": "JWT", "AuthorizerId": tokens, "AuthorizationScopes": [f"s{n}" for n in range(11)]},
    ):
        assert refusal(apis.update_route, ApiId=api, RouteId=route, **wrong)[:2] == (400, "BadRequestException")
    apis.update_route(
        ApiId=api, RouteId=route, AuthorizationType="JWT", AuthorizerId=tokens, AuthorizationScopes=["read"]
    )
    other = apis.update_route(ApiId=api, RouteId=route, AuthorizationType="CUSTOM", AuthorizerId=asked)
    assert other["AuthorizerId"] == asked and "AuthorizationScopes" not in other


def test_names_and_numbers(apis, api):
    """Names are unique within an API, of which ten authorizers are all."""
    first = apis.create_authorizer(ApiId=api, **JWT)["AuthorizerId"]
    assert refusal(apis.create_authorizer, ApiId=api, **JWT)[:2] == (409, "ConflictException")
    apis.update_authorizer(ApiId=api, AuthorizerId=first, Name=JWT["Name"])
    for number in range(9):
        apis.create_authorizer(ApiId=api, **{**JWT, "Name": f"n{number}"})
    assert refusal(apis.create_authorizer, ApiId=api, **{**JWT, "Name": "one more"})[:2] == (
        429,
        "TooManyRequestsException",
    )


def test_changes_are_deployed(apis, api):
    """A stage that deploys by itself has each change."""
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    seen = [served(apis, api)]
    made = apis.create_authorizer(ApiId=api, **JWT)["AuthorizerId"]
    seen.append(served(apis, api))
    apis.update_authorizer(ApiId=api, AuthorizerId=made, Name="other")
    seen.append(served(apis, api))
    apis.delete_authorizer(ApiId=api, AuthorizerId=made)
    seen.append(served(apis, api))
    assert len(set(seen)) == 4


DECIDING = """
import uuid

def handler(event, context):
    return {"isAuthorized": True, "context": {"verdict": str(uuid.uuid4())}}
"""

ECHO = "def handler(e, c): return {'statusCode': 200, 'body': e['requestContext']['authorizer']['lambda']['verdict']}"


def test_verdicts_are_forgotten(server, apis, api, make_function):
    """ResetAuthorizersCache: a function whose verdict was kept is asked again."""
    lambdas = server.client("lambda")
    arns = {}
    for name, source in (("decide", DECIDING), ("echo", ECHO)):
        function = make_function(source, name=f"{name}-{api}")
        arns[name] = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        lambdas.add_permission(
            FunctionName=function,
            StatementId="gateway",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
    authorizer = apis.create_authorizer(
        ApiId=api,
        **{**ASKED, "AuthorizerUri": arns["decide"], "IdentitySource": ["$request.header.x-key"]},
        EnableSimpleResponses=True,
        AuthorizerResultTtlInSeconds=300,
    )["AuthorizerId"]
    integration = make_integration(apis, api, IntegrationUri=arns["echo"])
    make_route(apis, api, "$default", integration, AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    url = f"{apis.get_api(ApiId=api)['ApiEndpoint']}/"

    def verdict():
        reply = ask(url, headers=[("x-key", "k")])
        assert reply.status == 200, reply.body
        return reply.body

    first = verdict()
    assert verdict() == first
    assert status(apis.reset_authorizers_cache(ApiId=api, StageName="$default")) == 204
    assert verdict() != first
    assert refusal(apis.reset_authorizers_cache, ApiId=api, StageName="none")[0] == 404
