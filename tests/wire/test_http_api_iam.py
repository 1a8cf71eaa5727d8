"""HTTP APIs with routes of AWS_IAM, and with roles: whoever signs for execute-api and may, as botocore signs."""

import json

import pytest
from wire.http_api_stage import ECHO, Api, arn_of, let_in
from wire.http_apis import refusal
from wire.iam import allow, policy, put_role, trusting
from wire.signed import TEST, Key, ask_signed, presigned, signed_headers
from wire.support import ACCOUNT, REGION, ROLE, FunctionMaker, wait_for
from wire.urls import ask

OTHER = "444455556666"
CALLERS = "arn:aws:iam::*:user/*"
FORBIDDEN = (403, {"message": "Forbidden"})


def made(apis, client, runtime, name, **integration):
    """Make an API with an open route and one of AWS_IAM, both to a function that answers with its event."""
    function = FunctionMaker(client, runtime, name)(ECHO)
    api = Api(apis)
    leads_to = api.function(arn_of(function), **integration)
    api.route("GET /open", leads_to)
    api.route("ANY /signed/{path+}", leads_to, AuthorizationType="AWS_IAM")
    return api, function, leads_to


@pytest.fixture(scope="module")
def api(server, runtime):
    client = server.client("lambda")
    api, function, _ = made(server.client("apigatewayv2"), client, runtime, "api-iam")
    let_in(client, function)
    yield api
    api.delete()
    client.delete_function(FunctionName=function)


def for_api(api, target="/signed/a", method="GET", body=None, **how):
    return ask_signed(api.endpoint, target, method, body, **{"service": "execute-api", **how})


def said(reply):
    return reply.status, reply.json


def test_what_is_configured_is_shown(apis, api):
    """A route of AWS_IAM has neither authorizer nor scopes; a definition says it, and makes the same again."""
    routes = {route["RouteKey"]: route for route in apis.get_routes(ApiId=api.id)["Items"]}
    route = routes["ANY /signed/{path+}"]
    assert route["AuthorizationType"] == "AWS_IAM" and "AuthorizerId" not in route
    wrong = {"ApiId": api.id, "RouteKey": "GET /x", "AuthorizationType": "AWS_IAM"}
    assert refusal(apis.create_route, **wrong, AuthorizerId="abc")[0] == 400
    assert refusal(apis.create_route, **wrong, AuthorizationScopes=["a"])[0] == 400
    changed = apis.update_route(ApiId=api.id, RouteId=routes["GET /open"]["RouteId"], AuthorizationType="AWS_IAM")
    assert changed["AuthorizationType"] == "AWS_IAM"
    assert said(api.ask("/open")) == FORBIDDEN
    apis.update_route(ApiId=api.id, RouteId=routes["GET /open"]["RouteId"], AuthorizationType="NONE")
    assert api.ask("/open").status == 200
    body = apis.export_api(ApiId=api.id, Specification="OAS30", OutputType="JSON")["body"].read()
    operation = json.loads(body)["paths"]["/signed/{path+}"]["x-amazon-apigateway-any-method"]
    assert operation["x-amazon-apigateway-auth"] == {"type": "AWS_IAM"}
    again = apis.import_api(Body=body.decode(), FailOnWarnings=True)["ApiId"]
    kinds = {route["RouteKey"]: route["AuthorizationType"] for route in apis.get_routes(ApiId=again)["Items"]}
    assert kinds == {"GET /open": "NONE", "ANY /signed/{path+}": "AWS_IAM"}
    apis.delete_api(ApiId=again)


def test_the_event_says_who_signed(api):
    """By payload 2.0; an open route says nothing of a signature, and gives it to the function."""
    event = for_api(api, "/signed/a%20b?x=1", "POST", b"hello").json
    assert (event["rawPath"], event["requestContext"]["accountId"]) == ("/signed/a b", ACCOUNT)
    iam = event["requestContext"]["authorizer"]["iam"]
    assert (iam["userArn"], iam["cognitoIdentity"]) == (f"arn:aws:iam::{ACCOUNT}:root", None)
    assert "authorization" not in event["headers"]
    event = for_api(api, "/open").json
    assert event["headers"]["authorization"].startswith("AWS4-") and "authorizer" not in event["requestContext"]


def test_nobody_without_a_signature(api):
    """Nor of another account, or with one for another region."""
    assert said(api.ask("/signed/a")) == FORBIDDEN
    assert said(api.ask("/signed/a", "POST", b"x" * 10_000, [("Authorization", "Bearer x")])) == FORBIDDEN
    assert said(for_api(api, key=Key(OTHER, "x"))) == FORBIDDEN
    assert said(for_api(api, region="eu-west-1")) == FORBIDDEN
    assert api.ask(presigned(api.endpoint, "/signed/a", service="execute-api")).status == 200


def test_payload_1_and_the_access_log(server, logs_client, lambda_client, runtime):
    """`identity` and the variables of access logs say who it was, and why somebody was refused."""
    apis = server.client("apigatewayv2")
    api, function, _ = made(apis, lambda_client, runtime, "api-iam-1", PayloadFormatVersion="1.0")
    let_in(lambda_client, function)
    group = f"/apis/{api.id}"
    fields = "status identity.userArn identity.accountId identity.caller identity.user authorizer.error requestId"
    api.stage(
        AccessLogSettings={
            "DestinationArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}",
            "Format": json.dumps({name: f"$context.{name}" for name in fields.split()}),
        }
    )
    context = for_api(api).json["requestContext"]
    assert context["authorizer"] == {"claims": None, "scopes": None}
    root = f"arn:aws:iam::{ACCOUNT}:root"
    assert (context["identity"]["userArn"], context["identity"]["accountId"]) == (root, ACCOUNT)
    assert said(api.ask("/signed/a")) == FORBIDDEN

    def lines():
        found = logs_client.filter_log_events(logGroupName=group)["events"]
        return {line["status"]: line for line in (json.loads(event["message"]) for event in found)}

    wait_for(lambda: len(lines()) == 2)
    assert (lines()["200"]["identity.userArn"], lines()["200"]["identity.user"]) == (root, ACCOUNT)
    assert lines()["403"]["authorizer.error"] == "nobody signed the request"
    assert lines()["403"]["identity.userArn"] == "-"
    api.delete()
    lambda_client.delete_function(FunctionName=function)


def test_a_preflight_is_open(server, lambda_client, runtime):
    """Where the API has a configuration."""
    api, function, _ = made(server.client("apigatewayv2"), lambda_client, runtime, "api-iam-cors")
    preflight = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]
    assert said(api.ask("/signed/a", "OPTIONS", headers=preflight)) == FORBIDDEN
    api.apis.update_api(ApiId=api.id, CorsConfiguration={"AllowOrigins": ["https://a.example"]})
    answered = api.ask("/signed/a", "OPTIONS", headers=preflight)
    assert (answered.status, answered.one("access-control-allow-origin")) == (204, "https://a.example")
    assert said(api.ask("/signed/a", "GET", headers=preflight)) == FORBIDDEN
    api.delete()
    lambda_client.delete_function(FunctionName=function)


def test_the_callers_own_credentials(server, lambda_client, runtime):
    """They take the place of a role for integrations alone, and need a route that knows who calls."""
    apis = server.client("apigatewayv2")
    api, function, integration = made(apis, lambda_client, runtime, "api-iam-own", CredentialsArn=CALLERS)
    assert apis.get_integration(ApiId=api.id, IntegrationId=integration)["CredentialsArn"] == CALLERS
    assert for_api(api).status == 200
    assert api.ask("/open").status == 500
    assert refusal(
        apis.create_authorizer, ApiId=api.id, Name="a", AuthorizerType="REQUEST", IdentitySource=[],
        AuthorizerUri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn_of(function)}/invocations",
        AuthorizerPayloadFormatVersion="2.0", AuthorizerCredentialsArn=CALLERS,
    )[0] == 400  # fmt: skip
    api.delete()
    lambda_client.delete_function(FunctionName=function)


# Where signatures are verified and policies decide -----------------------------------------------------------------


@pytest.fixture(scope="module")
def strict_api(signed, runtime):
    client = signed.with_key("lambda")
    api, function, integration = made(signed.with_key("apigatewayv2"), client, runtime, "strict-api")
    let_in(client, function)
    return api, function, integration


def test_whoever_may(signed, strict_api):
    """By stage, method and path; another method or path is another thing."""
    api, _, _ = strict_api
    on = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.id}/$default/GET/signed/*"
    key = signed.user("api-reader", allow("execute-api:Invoke", resource=on))
    event = for_api(api, key=key).json
    assert event["requestContext"]["authorizer"]["iam"]["userArn"] == f"arn:aws:iam::{ACCOUNT}:user/api-reader"
    assert said(for_api(api, method="POST", body=b"x", key=key)) == FORBIDDEN
    assert said(for_api(api, key=signed.user("api-nobody"))) == FORBIDDEN
    assert said(for_api(api, key=signed.user("lambda-only", allow("lambda:*")))) == FORBIDDEN
    assert api.ask("/open").status == 200
    assert said(for_api(api, key=signed.user("api-foreign", allow("*"), account=OTHER))) == FORBIDDEN


def test_signatures_that_do_not_hold(signed, strict_api):
    """None gets in; the right one, beside them, does."""
    api, _, _ = strict_api
    key = signed.first
    headers = signed_headers(api.endpoint, "/signed/a", "POST", b"pay 1", key=key, service="execute-api")
    assert api.ask("/signed/a", "POST", b"pay 1", headers).status == 200
    assert said(api.ask("/signed/a", "POST", b"pay 2", headers)) == FORBIDDEN
    assert said(api.ask("/signed/b", "POST", b"pay 1", headers)) == FORBIDDEN
    assert said(api.ask("/signed/a", "PUT", b"pay 1", headers)) == FORBIDDEN
    assert said(for_api(api, key=Key(key.access_key, "wrong"))) == FORBIDDEN
    assert said(for_api(api, key=key, service="lambda")) == FORBIDDEN
    assert said(for_api(api, key=TEST)) == FORBIDDEN
    assert said(api.ask("/signed/a")) == FORBIDDEN


def test_a_role_decides_in_the_place_of_the_functions_policy(signed, runtime):
    """If API Gateway may act as it, and the role may invoke."""
    client, iam = signed.with_key("lambda"), signed.with_key("iam")
    role = ROLE.replace("lambda-role", "of-the-api")
    api, function, _ = made(signed.with_key("apigatewayv2"), client, runtime, "by-role", CredentialsArn=role)
    assert api.ask("/open").status == 500
    put_role(iam, name="of-the-api", trust=trusting(services=["apigateway.amazonaws.com"]))
    assert api.ask("/open").status == 500
    document = policy(allow("lambda:InvokeFunction", resource=arn_of(function)))
    iam.put_role_policy(RoleName="of-the-api", PolicyName="p", PolicyDocument=document)
    assert api.ask("/open").status == 200
    only_lambda = trusting(services=["lambda.amazonaws.com"])
    iam.update_assume_role_policy(RoleName="of-the-api", PolicyDocument=only_lambda)
    assert api.ask("/open").status == 500


def test_the_callers_own_rights(signed, runtime):
    """Whoever may use the route, but not invoke the function, gets what a failure of the integration gives."""
    client = signed.with_key("lambda")
    api, function, _ = made(signed.with_key("apigatewayv2"), client, runtime, "by-caller", CredentialsArn=CALLERS)
    both = signed.user(
        "api-and-function", allow("execute-api:*"), allow("lambda:InvokeFunction", resource=arn_of(function))
    )
    assert for_api(api, key=both).status == 200
    assert for_api(api, key=signed.user("api-alone", allow("execute-api:*"))).status == 500


def test_a_custom_domain(signed, strict_api):
    """The name is what was signed."""
    api, _, _ = strict_api
    apis = signed.with_key("apigatewayv2")
    apis.create_domain_name(DomainName="api.example.com")
    apis.create_api_mapping(DomainName="api.example.com", ApiId=api.id, Stage="$default")
    named = f"http://api.example.com:{signed.port}/"
    headers = signed_headers(named, "/signed/a", key=signed.first, service="execute-api")
    assert ask(named, target="/signed/a", headers=headers).status == 200
    assert ask(api.endpoint, target="/signed/a", headers=headers).status == 403
