"""The configuration of HTTP APIs, through boto3: APIs, routes, integrations, stages, deployments, tags."""

import http.server
import json
import re
import threading
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError
from wire.http_apis import FUNCTION, ROLE, bare, make_integration, make_route, refusal, served, status
from wire.support import ACCOUNT, REGION, error_of

AUTOMATIC = "Automatic deployment triggered by changes to the Api configuration"
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/api/access"
FORMAT = "$context.requestId $context.status"


def test_a_life_of_an_api(server, apis):
    """What is shown of one when nobody set it, what changes, and that it goes with all it has."""
    made = apis.create_api(Name="shop", ProtocolType="HTTP")
    assert status(made) == 201
    made = bare(made)
    assert re.fullmatch("[a-z0-9]{10}", made["ApiId"])
    assert made["CreatedDate"].microsecond == 0
    assert made == {
        "ApiEndpoint": f"http://{made['ApiId']}.execute-api.{REGION}.localhost:{server.port}",
        "ApiId": made["ApiId"],
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "CreatedDate": made["CreatedDate"],
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "Name": "shop",
        "ProtocolType": "HTTP",
        "RouteSelectionExpression": "$request.method $request.path",
        "Tags": {},
    }
    changed = apis.update_api(
        ApiId=made["ApiId"],
        Name="shop-2",
        Description="sells",
        Version="2",
        DisableExecuteApiEndpoint=True,
        IpAddressType="dualstack",
        RouteSelectionExpression="${request.method} ${request.path}",
        ApiKeySelectionExpression="$request.header.x-api-key",
    )
    assert status(changed) == 200
    expected = {
        **made,
        "Name": "shop-2",
        "Description": "sells",
        "Version": "2",
        "DisableExecuteApiEndpoint": True,
        "IpAddressType": "dualstack",
    }
    assert bare(changed) == bare(apis.get_api(ApiId=made["ApiId"])) == expected
    assert expected in apis.get_apis(MaxResults="500")["Items"]
    # An empty text takes away.
    assert "Description" not in apis.update_api(ApiId=made["ApiId"], Description="")
    make_route(apis, made["ApiId"], "$default", make_integration(apis, made["ApiId"]))
    assert status(apis.delete_api(ApiId=made["ApiId"])) == 204
    for call in (apis.get_api, apis.delete_api, apis.update_api, apis.get_routes, apis.get_stages):
        gone = (404, "NotFoundException", f"Invalid API identifier specified {made['ApiId']}")
        assert refusal(call, ApiId=made["ApiId"]) == gone


def test_what_kind_of_thing_is_missing_is_said(apis, api):
    """NotFoundException has resourceType, TooManyRequestsException limitType."""
    with pytest.raises(ClientError) as excinfo:
        apis.get_route(ApiId=api, RouteId="nothere")
    assert excinfo.value.response["ResourceType"] == "Route"
    for number in range(10):
        apis.create_stage(ApiId=api, StageName=f"s{number}")
    with pytest.raises(ClientError) as excinfo:
        apis.create_stage(ApiId=api, StageName="s10")
    assert error_of(excinfo)[:2] == (429, "TooManyRequestsException")
    assert excinfo.value.response["LimitType"] == "Stages"


def test_what_errors_look_like(server):
    """Their members are spelled as answers' are: clients in typed languages read no other spelling."""
    request = urllib.request.Request(f"{server.endpoint}/v2/apis/nothere")
    with pytest.raises(urllib.error.HTTPError) as excinfo:
        urllib.request.urlopen(request, timeout=30)
    assert excinfo.value.code == 404 and excinfo.value.headers["x-amzn-errortype"] == "NotFoundException"
    assert json.loads(excinfo.value.read()) == {
        "message": "Invalid API identifier specified nothere",
        "resourceType": "API",
    }


def test_what_an_api_may_not_be(apis):
    """Other protocols, other expressions, lengths, members of WebSocket APIs, of quick create without it."""
    create = apis.create_api
    http = {"Name": "a", "ProtocolType": "HTTP"}
    assert refusal(create, Name="a", ProtocolType="REST") == (
        400,
        "BadRequestException",
        "Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]",
    )
    code, name, text = refusal(create, Name="a", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a")
    assert (code, name) == (400, "BadRequestException") and "WebSocket APIs come with a later version" in text
    for wrong in (
        {"Name": ""},
        {"Name": "a" * 129},
        {"Description": "d" * 1025},
        {"Version": "v" * 65},
        {"RouteSelectionExpression": "$request.body.action"},
        {"ApiKeySelectionExpression": "$request.header.other"},
        {"DisableSchemaValidation": True},
        {"RouteKey": "GET /a"},
        {"Target": "https://", "RouteKey": "GET /a"},
        {"Target": FUNCTION, "RouteKey": "GET a"},
        {"Tags": {"aws:x": "y"}},
        {"Tags": {"k" * 129: "y"}},
        {"Tags": {f"k{number}": "y" for number in range(51)}},
        {"IpAddressType": "ipv6"},
    ):
        assert refusal(create, **{**http, **wrong})[:2] == (400, "BadRequestException"), wrong


def test_apis_of_another_scope_are_not_seen(server, apis, api):
    """Another account and another region have none of them."""
    for other in (
        server.client("apigatewayv2", account="222233334444"),
        server.client("apigatewayv2", region="eu-west-1"),
    ):
        assert api not in {item["ApiId"] for item in other.get_apis(MaxResults="500")["Items"]}
        assert refusal(other.get_api, ApiId=api)[0] == 404
        assert refusal(other.create_route, ApiId=api, RouteKey="$default")[0] == 404


def test_all_that_things_can_be_made_with(apis):
    """What an update can set, the call that makes something can, too."""
    wanted = {
        "Name": "all",
        "ProtocolType": "HTTP",
        "Description": "everything",
        "Version": "1",
        "DisableExecuteApiEndpoint": True,
        "IpAddressType": "dualstack",
        "RouteSelectionExpression": "$request.method $request.path",
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "CorsConfiguration": {
            "AllowCredentials": True,
            "AllowHeaders": ["x-a"],
            "AllowMethods": ["*"],
            "AllowOrigins": ["https://a.example"],
            "ExposeHeaders": ["x-b"],
            "MaxAge": 0,
        },
        "Tags": {"a": "b"},
    }
    made = apis.create_api(**wanted)
    assert {member: made[member] for member in wanted} == wanted
    api = made["ApiId"]
    integration = {
        "IntegrationType": "HTTP_PROXY",
        "IntegrationUri": "https://a.example/",
        "IntegrationMethod": "GET",
        "PayloadFormatVersion": "1.0",
        "ConnectionType": "INTERNET",
        "Description": "answers",
        "TimeoutInMillis": 30000,
        "RequestParameters": {"append:querystring.a": "$request.header.b"},
        "ResponseParameters": {"404": {"remove:header.x": "''"}},
    }
    made = bare(apis.create_integration(ApiId=api, PassthroughBehavior="WHEN_NO_MATCH", **integration))
    assert made == {**integration, "IntegrationId": made["IntegrationId"]}
    changed = apis.update_integration(
        ApiId=api,
        IntegrationId=made["IntegrationId"],
        IntegrationType="AWS_PROXY",
        IntegrationUri=FUNCTION,
        CredentialsArn=ROLE,
    )
    assert changed["IntegrationType"] == "AWS_PROXY" and changed["CredentialsArn"] == ROLE
    with_role = make_integration(apis, api, CredentialsArn=ROLE)
    assert apis.get_integration(ApiId=api, IntegrationId=with_role)["CredentialsArn"] == ROLE
    apis.create_route(ApiId=api, RouteKey="GET /a", OperationName="a", ApiKeyRequired=False)
    stage = {
        "StageName": "$default",
        "AutoDeploy": True,
        "Description": "all",
        "StageVariables": {"a": "b"},
        "DefaultRouteSettings": {
            "ThrottlingBurstLimit": 10,
            "ThrottlingRateLimit": 2.5,
            "DetailedMetricsEnabled": False,
        },
        "RouteSettings": {"GET /a": {"ThrottlingRateLimit": 1.0}},
        "AccessLogSettings": {"DestinationArn": LOGS, "Format": FORMAT},
        "Tags": {"c": "d"},
    }
    made = apis.create_stage(ApiId=api, **stage)
    assert {member: made[member] for member in stage} == stage
    apis.delete_api(ApiId=api)


def read_in_pages(call, **parameters):
    """Return all items, read one at a time; the caller knows how many there are."""
    items, token = [], {}
    while True:
        page = call(**parameters, MaxResults="1", **token)
        items += page["Items"]
        assert len(page["Items"]) == 1
        if "NextToken" not in page:
            return items
        token = {"NextToken": page["NextToken"]}


def test_lists_come_in_pages(apis, api):
    """maxResults is text; a token leads on, one that is none is refused."""
    for number in range(3):
        integration = make_integration(apis, api)
        make_route(apis, api, f"GET /{number}", integration)
        apis.create_deployment(ApiId=api)
        apis.create_stage(ApiId=api, StageName=f"s{number}")
        apis.create_authorizer(
            ApiId=api,
            Name=f"a{number}",
            AuthorizerType="REQUEST",
            AuthorizerUri=FUNCTION,
            AuthorizerPayloadFormatVersion="2.0",
            IdentitySource=[],
        )
    for call, key in (
        (apis.get_integrations, "IntegrationId"),
        (apis.get_routes, "RouteId"),
        (apis.get_deployments, "DeploymentId"),
        (apis.get_stages, "StageName"),
        (apis.get_authorizers, "AuthorizerId"),
    ):
        items = read_in_pages(call, ApiId=api)
        assert [item[key] for item in items] == sorted({item[key] for item in items}) and len(items) == 3
        assert call(ApiId=api)["Items"] == items
        for wrong in ({"MaxResults": "0"}, {"MaxResults": "two"}, {"NextToken": "?"}):
            assert refusal(call, ApiId=api, **wrong)[:2] == (400, "BadRequestException")
        assert refusal(call, ApiId="none")[:2] == (404, "NotFoundException")
    assert refusal(apis.get_apis, NextToken="?")[:2] == (400, "BadRequestException")
    other = apis.create_api(Name="other", ProtocolType="HTTP")["ApiId"]
    assert {api, other} <= {item["ApiId"] for item in read_in_pages(apis.get_apis)}
    apis.delete_api(ApiId=other)


def test_a_life_of_an_integration(apis, api):
    """A function's: what is shown, what an update changes, and which routes keep it from going."""
    made = apis.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=FUNCTION, PayloadFormatVersion="2.0"
    )
    assert status(made) == 201
    made = bare(made)
    assert made == {
        "ConnectionType": "INTERNET",
        "IntegrationId": made["IntegrationId"],
        "IntegrationMethod": "POST",
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": FUNCTION,
        "PayloadFormatVersion": "2.0",
        "TimeoutInMillis": 30000,
    }
    key = {"ApiId": api, "IntegrationId": made["IntegrationId"]}
    changes = {
        "IntegrationUri": f"{FUNCTION}:${{stageVariables.alias}}",
        "IntegrationMethod": "ANY",
        "PayloadFormatVersion": "1.0",
        "TimeoutInMillis": 50,
        "Description": "answers",
        "CredentialsArn": ROLE,
        "ConnectionType": "INTERNET",
        "RequestParameters": {"append:header.x-a": "1", "overwrite:path": "/p"},
        "ResponseParameters": {"200": {"overwrite:header.x-b": "2"}, "500": {"overwrite:statuscode": "503"}},
    }
    changed = apis.update_integration(**key, **changes)
    assert bare(changed) == bare(apis.get_integration(**key)) == {**made, **changes}
    assert apis.get_integrations(ApiId=api)["Items"] == [{**made, **changes}]
    # Empty values take single parameters away, and what HTTP APIs do not use is not shown.
    less = apis.update_integration(
        **key,
        PassthroughBehavior="WHEN_NO_MATCH",
        TlsConfig={},
        RequestParameters={"append:header.x-a": ""},
        ResponseParameters={"500": {}},
        Description="",
    )
    assert less["RequestParameters"] == {"overwrite:path": "/p"}
    assert less["ResponseParameters"] == {"200": {"overwrite:header.x-b": "2"}} and "Description" not in less
    route = make_route(apis, api, "GET /a", made["IntegrationId"])
    assert refusal(apis.delete_integration, **key) == (
        409,
        "ConflictException",
        f"Cannot delete Integration because it is referenced by the following Routes with Ids: [{route}]",
    )
    apis.delete_route(ApiId=api, RouteId=route)
    assert status(apis.delete_integration(**key)) == 204
    assert refusal(apis.get_integration, **key) == (
        404,
        "NotFoundException",
        f"Invalid Integration identifier specified {made['IntegrationId']}",
    )


def test_ag02_the_forms_of_a_functions_arn(apis, api):
    """AG-02-v2-alias-uri: what an integration's URI may be."""
    wrapped = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{{}}/invocations"
    for uri in (
        FUNCTION,
        f"{FUNCTION}:live",
        f"{FUNCTION}:$LATEST",
        f"{FUNCTION}:${{stageVariables.alias}}",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:${{stageVariables.name}}",
        wrapped.format(FUNCTION),
        wrapped.format(f"{FUNCTION}:live"),
        wrapped.format(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:${{stageVariables.name}}"),
    ):
        made = make_integration(apis, api, IntegrationUri=uri)
        assert apis.get_integration(ApiId=api, IntegrationId=made)["IntegrationUri"] == uri


def test_empty_texts_are_what_nobody_set(apis, api):
    """When something is made as when it is changed."""
    integration = bare(
        apis.create_integration(
            ApiId=api,
            IntegrationType="AWS_PROXY",
            IntegrationUri=FUNCTION,
            PayloadFormatVersion="2.0",
            CredentialsArn="",
            Description="",
            IntegrationMethod="",
        )
    )
    assert integration["IntegrationMethod"] == "POST" and not {"CredentialsArn", "Description"} & set(integration)
    route = bare(apis.create_route(ApiId=api, RouteKey="GET /a", AuthorizerId="", OperationName="", Target=""))
    assert not {"AuthorizerId", "OperationName", "Target"} & set(route)


def test_an_http_proxy_integration(apis, api):
    """What another server's URL needs and has."""
    made = bare(
        apis.create_integration(
            ApiId=api,
            IntegrationType="HTTP_PROXY",
            IntegrationMethod="ANY",
            IntegrationUri="https://${stageVariables.host}/items/{proxy}",
        )
    )
    assert made["PayloadFormatVersion"] == "1.0" and made["IntegrationMethod"] == "ANY"


@pytest.mark.parametrize(
    "wrong",
    [
        {"IntegrationUri": "items"},
        {"IntegrationUri": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"},
        {"IntegrationUri": "https://example.com"},
        {"IntegrationUri": ""},
        {"PayloadFormatVersion": "3.0"},
        {"PayloadFormatVersion": ""},
        {"TimeoutInMillis": 49},
        {"TimeoutInMillis": 30001},
        {"Description": "d" * 1025},
        {"IntegrationMethod": "BREW"},
        {"IntegrationSubtype": "SQS-SendMessage"},
        {"IntegrationType": "MOCK"},
        {"IntegrationType": "AWS"},
        {"IntegrationType": "HTTP"},
        {"ConnectionType": "VPC_LINK", "ConnectionId": "l"},
        {"TlsConfig": {"ServerNameToVerify": "a.example"}},
        {"RequestTemplates": {"application/json": "{}"}},
        {"PassthroughBehavior": "NEVER"},
        {"RequestParameters": {"append:header.a": "v" * 20_480}},
        {"ResponseParameters": {"200": {"append:header.a": "v" * 10_240}, "201": {"append:header.a": "v" * 10_240}}},
        {"ContentHandlingStrategy": "CONVERT_TO_TEXT"},
        {"TemplateSelectionExpression": "$request.body.a"},
        {"CredentialsArn": "arn:aws:iam::999988887777:role/other"},
        {"CredentialsArn": "arn:aws:iam::*:user/x"},
        {"IntegrationType": "HTTP_PROXY", "PayloadFormatVersion": "1.0", "IntegrationUri": "https://a.example"},
        {
            "IntegrationType": "HTTP_PROXY",
            "IntegrationMethod": "GET",
            "PayloadFormatVersion": "2.0",
            "IntegrationUri": "https://a.example",
        },
        {
            "IntegrationType": "HTTP_PROXY",
            "IntegrationMethod": "GET",
            "PayloadFormatVersion": "1.0",
            "IntegrationUri": "ftp://a.example",
        },
    ],
    ids=lambda wrong: "-".join(map(str, wrong.values()))[:60],
)
def test_what_an_integration_may_not_be(apis, api, wrong):
    """Each is refused when it is made, and nothing is left of it."""
    call = {"IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION, "PayloadFormatVersion": "2.0", **wrong}
    assert refusal(apis.create_integration, ApiId=api, **call)[:2] == (400, "BadRequestException")
    assert apis.get_integrations(ApiId=api)["Items"] == []


def test_a_life_of_a_route(apis, api):
    """What is shown, what an update changes, and two that would take the same requests."""
    integration = make_integration(apis, api)
    made = apis.create_route(ApiId=api, RouteKey="GET /items/{id}", Target=f"integrations/{integration}")
    assert status(made) == 201
    made = bare(made)
    assert made == {
        "ApiKeyRequired": False,
        "AuthorizationType": "NONE",
        "RouteId": made["RouteId"],
        "RouteKey": "GET /items/{id}",
        "Target": f"integrations/{integration}",
    }
    key = {"ApiId": api, "RouteId": made["RouteId"]}
    assert refusal(apis.create_route, ApiId=api, RouteKey="GET /items/{id}") == (
        409,
        "ConflictException",
        "Route with key GET /items/{id} already exists for this API",
    )
    assert refusal(apis.create_route, ApiId=api, RouteKey="GET /items/{name}") == (
        409,
        "ConflictException",
        'The provided route key "GET /items/{name}" has a conflicting variable on the same hierarchical level as '
        '"GET /items/{id}"',
    )
    other = make_route(apis, api, "$default")
    assert refusal(apis.update_route, **key, RouteKey="$default")[:2] == (409, "ConflictException")
    changed = apis.update_route(
        **key, RouteKey="ANY /items/{id}", OperationName="items", Target="", AuthorizationType="NONE"
    )
    expected = {name: value for name, value in made.items() if name != "Target"}
    expected |= {"RouteKey": "ANY /items/{id}", "OperationName": "items"}
    assert bare(changed) == bare(apis.get_route(**key)) == expected
    assert {item["RouteId"] for item in apis.get_routes(ApiId=api)["Items"]} == {made["RouteId"], other}
    assert status(apis.delete_route(**key)) == 204
    gone = (404, "NotFoundException", f"Invalid Route identifier specified {made['RouteId']}")
    for call in (apis.get_route, apis.update_route, apis.delete_route):
        assert refusal(call, **key) == gone


@pytest.mark.parametrize(
    "wrong",
    [
        {"RouteKey": ""},
        {"RouteKey": "get /a"},
        {"RouteKey": "GET a"},
        {"RouteKey": "GET /a/"},
        {"RouteKey": "GET /{p+}/a"},
        {"RouteKey": "$connect"},
        {"Target": "nothing"},
        {"OperationName": "o" * 65},
        {"ApiKeyRequired": True},
        {"AuthorizationType": "AWS_IAM", "AuthorizerId": "nothere"},
        {"AuthorizationType": "AWS_IAM", "AuthorizationScopes": ["read"]},
        {"AuthorizationType": "JWT"},
        {"AuthorizationType": "CUSTOM", "AuthorizerId": "nothere"},
        {"AuthorizerId": "nothere"},
        {"AuthorizationScopes": ["read"]},
        {"ModelSelectionExpression": "a"},
        {"RequestModels": {"a": "b"}},
        {"RequestParameters": {"route.request.header.a": {"Required": True}}},
        {"RouteResponseSelectionExpression": "$default"},
    ],
    ids=lambda wrong: "-".join(map(str, wrong.values()))[:60],
)
def test_what_a_route_may_not_be(apis, api, wrong):
    """Each is refused when it is made, and nothing is left of it."""
    assert refusal(apis.create_route, ApiId=api, **{"RouteKey": "GET /a", **wrong})[:2] == (400, "BadRequestException")
    assert apis.get_routes(ApiId=api)["Items"] == []


def test_a_route_needs_an_integration_that_is_there(apis, api):
    """When it is made, and when it is changed."""
    gone = (404, "NotFoundException", "Invalid Integration identifier specified nothere")
    assert refusal(apis.create_route, ApiId=api, RouteKey="GET /a", Target="integrations/nothere") == gone
    route = make_route(apis, api, "GET /a")
    assert refusal(apis.update_route, ApiId=api, RouteId=route, Target="integrations/nothere") == gone


def test_a_life_of_a_stage(apis, api):
    """What is shown of one that nobody set, and what each setting becomes."""
    make_route(apis, api, "GET /a")
    made = apis.create_stage(ApiId=api, StageName="prod")
    assert status(made) == 201
    made = bare(made)
    assert made == {
        "CreatedDate": made["CreatedDate"],
        "DefaultRouteSettings": {"DetailedMetricsEnabled": False},
        "LastUpdatedDate": made["LastUpdatedDate"],
        "RouteSettings": {},
        "StageName": "prod",
        "StageVariables": {},
        "Tags": {},
    }
    assert refusal(apis.create_stage, ApiId=api, StageName="prod") == (
        409,
        "ConflictException",
        "Stage already exists",
    )
    key = {"ApiId": api, "StageName": "prod"}
    changes = {
        "Description": "for everybody",
        "StageVariables": {"alias": "live", "host": "a.example:8080/x?y=1&z"},
        "DefaultRouteSettings": {"ThrottlingBurstLimit": 10, "ThrottlingRateLimit": 5.5},
        "RouteSettings": {"GET /a": {"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 1.0}},
        "AccessLogSettings": {"DestinationArn": LOGS, "Format": FORMAT},
    }
    apis.update_stage(**key, **changes)
    shown = bare(apis.get_stage(**key))
    assert shown["DefaultRouteSettings"].pop("DetailedMetricsEnabled") is False
    assert {name: shown[name] for name in changes} == changes
    apis.update_stage(
        **key, StageVariables={"host": "", "new": "1"}, RouteSettings={"GET /a": {"ThrottlingBurstLimit": 2}}
    )
    shown = bare(apis.get_stage(**key))
    assert shown["StageVariables"] == {"alias": "live", "new": "1"}
    assert shown["RouteSettings"] == {"GET /a": {"ThrottlingBurstLimit": 2}}
    assert shown["Description"] == "for everybody"
    # Empty ones are none.
    assert "AccessLogSettings" not in apis.update_stage(**key, AccessLogSettings={})
    apis.update_stage(**key, AccessLogSettings=changes["AccessLogSettings"])
    assert status(apis.delete_access_log_settings(**key)) == 204
    assert status(apis.delete_route_settings(**key, RouteKey="GET /a")) == 204
    assert refusal(apis.delete_route_settings, **key, RouteKey="GET /a")[:2] == (404, "NotFoundException")
    shown = bare(apis.get_stage(**key))
    assert "AccessLogSettings" not in shown and shown["RouteSettings"] == {}
    assert [item["StageName"] for item in apis.get_stages(ApiId=api)["Items"]] == ["prod"]
    assert status(apis.delete_stage(**key)) == 204
    for call in (
        apis.get_stage,
        apis.update_stage,
        apis.delete_stage,
        apis.delete_access_log_settings,
    ):
        assert refusal(call, **key) == (404, "NotFoundException", "Invalid stage identifier specified")


@pytest.mark.parametrize(
    "wrong",
    [
        {"StageName": "a b"},
        {"StageName": "s" * 129},
        {"StageName": "$other"},
        {"Description": "d" * 1025},
        {"StageVariables": {"a-b": "c"}},
        {"StageVariables": {"a": "b c"}},
        {"StageVariables": {"a": "é"}},
        {"StageVariables": {f"v{number}": "x" for number in range(101)}},
        {"DefaultRouteSettings": {"LoggingLevel": "INFO"}},
        {"DefaultRouteSettings": {"DataTraceEnabled": True}},
        {"DefaultRouteSettings": {"ThrottlingBurstLimit": -1}},
        {"DefaultRouteSettings": {"ThrottlingRateLimit": -0.5}},
        {"ClientCertificateId": "c"},
        {"AutoDeploy": True, "DeploymentId": "d"},
        {"AccessLogSettings": {"DestinationArn": LOGS}},
        {"AccessLogSettings": {"Format": FORMAT}},
        {"AccessLogSettings": {"DestinationArn": LOGS, "Format": "$context.status"}},
        {"AccessLogSettings": {"DestinationArn": LOGS, "Format": f"{FORMAT}\n{FORMAT}"}},
        {"AccessLogSettings": {"DestinationArn": LOGS, "Format": FORMAT + "x" * 3072}},
        {"AccessLogSettings": {"DestinationArn": LOGS.replace(ACCOUNT, "111122223333"), "Format": FORMAT}},
        {
            "AccessLogSettings": {
                "DestinationArn": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/amazon-apigateway-x",
                "Format": FORMAT,
            }
        },
    ],
    ids=lambda wrong: json.dumps(wrong)[:60],
)
def test_what_a_stage_may_not_be(apis, api, wrong):
    """Each is refused when it is made, and nothing is left of it."""
    assert refusal(apis.create_stage, ApiId=api, **{"StageName": "s", **wrong})[:2] == (400, "BadRequestException")
    assert apis.get_stages(ApiId=api)["Items"] == []


def test_settings_of_a_route_that_is_not_there(apis, api):
    """The key has to be a route's."""
    assert refusal(apis.create_stage, ApiId=api, StageName="s", RouteSettings={"GET /a": {}}) == (
        404,
        "NotFoundException",
        "Unable to find Route by key GET /a within the provided RouteSettings",
    )


def test_deployments_by_hand(apis, api):
    """A deployment moves a stage, can be chosen for one, and stays while one serves it."""
    key = {"ApiId": api, "StageName": "prod"}
    assert refusal(apis.create_deployment, **key)[0] == 404
    first = apis.create_deployment(ApiId=api, Description="one")
    assert status(first) == 201
    first = bare(first)
    assert first == {
        "AutoDeployed": False,
        "CreatedDate": first["CreatedDate"],
        "DeploymentId": first["DeploymentId"],
        "DeploymentStatus": "DEPLOYED",
        "Description": "one",
    }
    apis.create_stage(**key, DeploymentId=first["DeploymentId"])
    assert served(apis, api, "prod") == first["DeploymentId"]
    second = apis.create_deployment(**key)["DeploymentId"]
    assert served(apis, api, "prod") == second
    one = {"ApiId": api, "DeploymentId": second}
    assert refusal(apis.delete_deployment, **one) == (
        400,
        "BadRequestException",
        "Active stages pointing to this deployment must be moved or deleted",
    )
    apis.update_stage(**key, DeploymentId=first["DeploymentId"])
    assert apis.update_deployment(**one, Description="two")["Description"] == "two"
    assert apis.get_deployment(**one)["Description"] == "two"
    listed = {item["DeploymentId"] for item in apis.get_deployments(ApiId=api)["Items"]}
    assert listed == {first["DeploymentId"], second}
    assert status(apis.delete_deployment(**one)) == 204
    gone = (404, "NotFoundException", f"Invalid Deployment identifier specified {second}")
    for call in (apis.get_deployment, apis.update_deployment, apis.delete_deployment):
        assert refusal(call, **one) == gone
    assert refusal(apis.update_stage, **key, DeploymentId=second) == gone


def test_a_stage_that_deploys_by_itself(apis, api):
    """Each change makes one deployment, which takes the place of the one before it, for all such stages."""
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    apis.create_stage(ApiId=api, StageName="beta", AutoDeploy=True)
    apis.create_stage(ApiId=api, StageName="still")
    seen = [served(apis, api)]
    integration = make_integration(apis, api)
    seen.append(served(apis, api))
    route = make_route(apis, api, "GET /a", integration)
    seen.append(served(apis, api))
    apis.update_route(ApiId=api, RouteId=route, RouteKey="GET /b")
    seen.append(served(apis, api))
    apis.update_integration(ApiId=api, IntegrationId=integration, TimeoutInMillis=100)
    seen.append(served(apis, api))
    apis.update_api(ApiId=api, CorsConfiguration={"AllowOrigins": ["*"]})
    seen.append(served(apis, api))
    apis.delete_cors_configuration(ApiId=api)
    seen.append(served(apis, api))
    apis.delete_route(ApiId=api, RouteId=route)
    seen.append(served(apis, api))
    apis.delete_integration(ApiId=api, IntegrationId=integration)
    seen.append(served(apis, api))
    assert len(set(seen)) == len(seen) and None not in seen
    (only,) = apis.get_deployments(ApiId=api)["Items"]
    assert only["DeploymentId"] == seen[-1] == served(apis, api, "beta")
    assert only["AutoDeployed"] is True and only["Description"] == AUTOMATIC
    assert served(apis, api, "still") is None
    stage = apis.get_stage(ApiId=api, StageName="$default")
    assert stage["AutoDeploy"] is True
    assert stage["LastDeploymentStatusMessage"] == f"Successfully deployed stage with deployment ID '{seen[-1]}'"
    # What is not served from a copy makes none.
    apis.update_api(ApiId=api, Name="other")
    apis.update_stage(ApiId=api, StageName="$default", StageVariables={"a": "b"})
    assert served(apis, api) == seen[-1]


def test_switching_auto_deploy(apis, api):
    """On deploys at once; off keeps what is served; a deployment by hand has no place on such a stage."""
    key = {"ApiId": api, "StageName": "prod"}
    by_hand = apis.create_deployment(ApiId=api)["DeploymentId"]
    apis.create_stage(**key, DeploymentId=by_hand)
    make_route(apis, api, "GET /a")
    apis.update_stage(**key, AutoDeploy=True)
    by_itself = served(apis, api, "prod")
    assert by_itself not in {None, by_hand}
    cannot = (
        400,
        "BadRequestException",
        "Deployment ID cannot be set on this stage because AutoDeploy is enabled.",
    )
    assert refusal(apis.update_stage, **key, DeploymentId=by_hand) == cannot
    assert refusal(apis.create_deployment, **key) == cannot
    apis.update_stage(**key, AutoDeploy=False)
    make_route(apis, api, "GET /b")
    assert served(apis, api, "prod") == by_itself
    apis.update_stage(**key, DeploymentId=by_hand)
    assert [item["DeploymentId"] for item in apis.get_deployments(ApiId=api)["Items"]] == [by_hand]


def test_cors(apis, api):
    """A configuration is shown as it was given, replaced as a whole, and taken away."""
    cors = {
        "AllowCredentials": True,
        "AllowHeaders": ["x-a", "authorization"],
        "AllowMethods": ["GET", "OPTIONS"],
        "AllowOrigins": ["https://a.example", "http://localhost:3000"],
        "ExposeHeaders": ["x-b"],
        "MaxAge": 300,
    }
    assert apis.update_api(ApiId=api, CorsConfiguration=cors)["CorsConfiguration"] == cors
    assert apis.get_api(ApiId=api)["CorsConfiguration"] == cors
    less = apis.update_api(ApiId=api, CorsConfiguration={"AllowOrigins": ["*"]})["CorsConfiguration"]
    assert less == {"AllowCredentials": False, "AllowOrigins": ["*"]}
    assert status(apis.delete_cors_configuration(ApiId=api)) == 204
    assert "CorsConfiguration" not in apis.get_api(ApiId=api)
    for wrong in (
        {"AllowOrigins": ["*"], "AllowCredentials": True},
        {"AllowOrigins": ["a.example"]},
        {"AllowMethods": ["BREW"]},
        {"AllowHeaders": ["x\r\ny"]},
        {"AllowHeaders": [f"x-{number}" for number in range(101)]},
        {"ExposeHeaders": [""]},
        {"MaxAge": 86401},
        {"MaxAge": -2},
    ):
        assert refusal(apis.update_api, ApiId=api, CorsConfiguration=wrong)[:2] == (400, "BadRequestException"), wrong


def test_quick_create_of_a_function(apis):
    """One call makes an integration, a route and a stage, which API Gateway manages."""
    made = apis.create_api(Name="quick", ProtocolType="HTTP", Target=FUNCTION, CredentialsArn=ROLE)["ApiId"]
    (integration,) = apis.get_integrations(ApiId=made)["Items"]
    assert integration["CredentialsArn"] == ROLE
    assert integration["ApiGatewayManaged"] is True
    assert (integration["IntegrationType"], integration["PayloadFormatVersion"]) == ("AWS_PROXY", "2.0")
    (route,) = apis.get_routes(ApiId=made)["Items"]
    assert route["ApiGatewayManaged"] is True and route["RouteKey"] == "$default"
    assert route["Target"] == f"integrations/{integration['IntegrationId']}"
    (stage,) = apis.get_stages(ApiId=made)["Items"]
    assert stage["ApiGatewayManaged"] is True and stage["StageName"] == "$default" and stage["AutoDeploy"] is True
    for call, parameters in (
        (apis.delete_integration, {"IntegrationId": integration["IntegrationId"]}),
        (apis.update_route, {"RouteId": route["RouteId"], "RouteKey": "GET /a"}),
        (apis.update_stage, {"StageName": "$default", "AutoDeploy": False}),
        (apis.update_api, {"RouteKey": "GET /a"}),
    ):
        assert refusal(call, ApiId=made, **parameters)[:2] == (400, "BadRequestException")
    kept = {"TimeoutInMillis": 5000, "PayloadFormatVersion": "1.0", "RequestParameters": {"append:header.a": "b"}}
    apis.update_integration(ApiId=made, IntegrationId=integration["IntegrationId"], **kept)
    other = ROLE + "-2"
    apis.update_api(ApiId=made, Target=f"{FUNCTION}:live", CredentialsArn=other)
    expected = {**integration, **kept, "IntegrationUri": f"{FUNCTION}:live", "CredentialsArn": other}
    assert apis.get_integrations(ApiId=made)["Items"] == [expected]
    assert served(apis, made) != stage["DeploymentId"]
    # What is gone cannot be changed.
    apis.delete_route(ApiId=made, RouteId=route["RouteId"])
    assert refusal(apis.update_api, ApiId=made, RouteKey="GET /a")[:2] == (400, "BadRequestException")
    apis.delete_api(ApiId=made)


def test_quick_create_of_a_url(apis, api):
    """A URL becomes an HTTP proxy; its route key can be another, and be changed."""
    made = apis.create_api(
        Name="quick", ProtocolType="HTTP", Target="https://a.example/x", RouteKey="GET /a", Tags={"k": "v"}
    )["ApiId"]
    (integration,) = apis.get_integrations(ApiId=made)["Items"]
    assert integration["IntegrationType"] == "HTTP_PROXY" and integration["IntegrationMethod"] == "ANY"
    assert integration["PayloadFormatVersion"] == "1.0"
    apis.update_api(ApiId=made, RouteKey="GET /b")
    (route,) = apis.get_routes(ApiId=made)["Items"]
    assert route["RouteKey"] == "GET /b"
    apis.delete_api(ApiId=made)
    # An API that was made otherwise has nothing to change so.
    assert refusal(apis.update_api, ApiId=api, Target=FUNCTION)[:2] == (400, "BadRequestException")


def test_tags(apis, api):
    """Of an API and of a stage, by ARN."""
    apis.create_stage(ApiId=api, StageName="prod", Tags={"team": "a"})
    api_arn = f"arn:aws:apigateway:{REGION}::/apis/{api}"
    stage_arn = f"{api_arn}/stages/prod"
    assert status(apis.tag_resource(ResourceArn=api_arn, Tags={"a": "1", "b": ""})) == 201
    assert apis.get_tags(ResourceArn=api_arn)["Tags"] == {"a": "1", "b": ""} == apis.get_api(ApiId=api)["Tags"]
    assert status(apis.untag_resource(ResourceArn=api_arn, TagKeys=["a", "c"])) == 204
    assert apis.get_tags(ResourceArn=api_arn)["Tags"] == {"b": ""}
    apis.tag_resource(ResourceArn=stage_arn, Tags={"team": "b"})
    assert apis.get_tags(ResourceArn=stage_arn)["Tags"] == {"team": "b"}
    assert apis.get_stage(ApiId=api, StageName="prod")["Tags"] == {"team": "b"}
    assert refusal(apis.get_tags, ResourceArn=f"{api_arn}/stages/none")[0] == 404
    assert refusal(apis.get_tags, ResourceArn=f"arn:aws:apigateway:{REGION}::/apis/none")[0] == 404
    for wrong in (f"arn:aws:apigateway:eu-west-1::/apis/{api}", f"arn:aws:apigateway:{REGION}::/vpclinks/x", "x"):
        assert refusal(apis.get_tags, ResourceArn=wrong)[:2] == (400, "BadRequestException")
    many = {f"k{number}": "v" for number in range(50)}
    assert refusal(apis.tag_resource, ResourceArn=api_arn, Tags=many)[:2] == (400, "BadRequestException")


def test_what_is_not_offered_says_so(server, apis, api):
    """WebSocket APIs' parts, VPC links and REST APIs, each with its reason."""
    code, name, text = refusal(apis.create_model, ApiId=api, Name="m", Schema="{}")
    assert (code, name) == (501, "NotImplementedException") and "WebSocket APIs" in text
    assert refusal(apis.get_vpc_links)[2].endswith("VPC links are not planned: there is no VPC")
    assert refusal(server.client("apigateway").get_rest_apis) == (
        501,
        "NotImplementedException",
        "GetRestApis is not offered by this version of Lambent: REST APIs come with a later version; HTTP APIs "
        "(apigatewayv2) are offered",
    )


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A server that has one REST API."""

    def do_GET(self):
        body = json.dumps({"item": [{"id": "rest", "name": self.path}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_rest_apis_of_another_server(own_server):
    """They are passed on where somebody has them, and HTTP APIs stay here."""
    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        serving = threading.Thread(target=elsewhere.serve_forever, daemon=True)
        serving.start()
        url = f"http://127.0.0.1:{elsewhere.server_address[1]}"
        server = own_server(None, "--neighbour", f"apigateway={url}").start()
        assert server.client("apigateway").get_rest_apis()["items"] == [{"id": "rest", "name": "/restapis"}]
        assert server.client("apigatewayv2").get_apis()["Items"] == []
        elsewhere.shutdown()
        serving.join()
