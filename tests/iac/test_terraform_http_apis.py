"""
What the AWS provider of Terraform and OpenTofu asks for of HTTP APIs, as scripts of requests; `test_terraform_calls`
says why, and what a settled resource is.

The calls are those of provider 6.x (hashicorp/terraform-provider-aws, internal/service/apigatewayv2).
"""

import json
from typing import ClassVar

import pytest
from iac.test_terraform_calls import is_gone, settled, wait_through
from wire.http_apis import FUNCTION
from wire.support import ACCOUNT, REGION

INVOCATION = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/11111111-2222-3333-4444-555555555555"
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/api"


@pytest.fixture(scope="module")
def client(server):
    return server.client("apigatewayv2", parameter_validation=False)


class Api:
    """aws_apigatewayv2_api."""

    LEFT_OUT: ClassVar = {
        "api_key_selection_expression": "$request.header.x-api-key",
        "cors_configuration": [],
        "description": "",
        "disable_execute_api_endpoint": False,
        "ip_address_type": "ipv4",
        "protocol_type": "HTTP",
        "route_selection_expression": "$request.method $request.path",
        "tags": {},
        "version": "",
    }

    def __init__(self, client, **members):
        self.client = client
        made = client.create_api(
            ProtocolType="HTTP",
            ApiKeySelectionExpression="$request.header.x-api-key",
            RouteSelectionExpression="$request.method $request.path",
            **members,
        )
        self.id = made["ApiId"]
        self.arn = f"arn:aws:apigateway:{REGION}::/apis/{self.id}"

    def read(self):
        found = self.client.get_api(ApiId=self.id)
        cors = found.get("CorsConfiguration")
        return {
            "api_endpoint": found["ApiEndpoint"],
            "api_key_selection_expression": found["ApiKeySelectionExpression"],
            "cors_configuration": []
            if cors is None
            else [
                {
                    "allow_credentials": cors.get("AllowCredentials", False),
                    "allow_headers": set(cors.get("AllowHeaders", ())),
                    "allow_methods": set(cors.get("AllowMethods", ())),
                    "allow_origins": set(cors.get("AllowOrigins", ())),
                    "expose_headers": set(cors.get("ExposeHeaders", ())),
                    "max_age": cors.get("MaxAge", 0),
                }
            ],
            "description": found.get("Description", ""),
            "disable_execute_api_endpoint": found["DisableExecuteApiEndpoint"],
            "ip_address_type": found["IpAddressType"],
            "name": found["Name"],
            "protocol_type": found["ProtocolType"],
            "route_selection_expression": found["RouteSelectionExpression"],
            "tags": found.get("Tags", {}),
            "version": found.get("Version", ""),
        }

    def update(self, **members):
        self.client.update_api(ApiId=self.id, **members)

    def import_body(self, body, *, name, cors=()):
        """What follows from `body`: an import, and then what the configuration says beside it."""
        self.client.reimport_api(ApiId=self.id, Body=body)
        found = self.read()
        info = json.loads(body)["info"]
        said = {
            "Name": found["name"] if "title" in info else name,
            "Description": found["description"] if "description" in info else "",
            "Version": found["version"] if "version" in info else "",
        }
        if found["cors_configuration"] != list(cors) and not cors:
            self.client.delete_cors_configuration(ApiId=self.id)
        self.client.update_api(ApiId=self.id, **said)

    def destroy(self):
        self.client.delete_api(ApiId=self.id)
        assert is_gone(self.client.get_api, ApiId=self.id)


class Part:
    """What the resources of an API's parts have in common."""

    noun: ClassVar[str]
    attributes: ClassVar[dict]
    """Attribute to member, and what stands for one that is absent."""

    def __init__(self, api, **members):
        self.api, self.client = api, api.client
        made = self.call("create", ApiId=api.id, **members)
        self.key = {"ApiId": api.id, f"{self.noun.capitalize()}Id": made[f"{self.noun.capitalize()}Id"]}
        self.id = made[f"{self.noun.capitalize()}Id"]

    def call(self, verb, **members):
        return getattr(self.client, f"{verb}_{self.noun}")(**members)

    def read(self):
        found = self.call("get", **self.key)
        return {attribute: found.get(member, absent) for attribute, (member, absent) in self.attributes.items()}

    def update(self, **members):
        self.call("update", **self.key, **members)

    def destroy(self):
        self.call("delete", **self.key)
        assert is_gone(getattr(self.client, f"get_{self.noun}"), **self.key)


class Integration(Part):
    """aws_apigatewayv2_integration: the defaults of its schema are sent."""

    noun = "integration"
    attributes: ClassVar = {
        "connection_type": ("ConnectionType", ""),
        "credentials_arn": ("CredentialsArn", ""),
        "description": ("Description", ""),
        "integration_method": ("IntegrationMethod", ""),
        "integration_type": ("IntegrationType", ""),
        "integration_uri": ("IntegrationUri", ""),
        "passthrough_behavior": ("PassthroughBehavior", ""),
        "payload_format_version": ("PayloadFormatVersion", ""),
        "request_parameters": ("RequestParameters", {}),
        "response_parameters": ("ResponseParameters", {}),
        "timeout_milliseconds": ("TimeoutInMillis", 0),
    }
    # Absent passthrough_behavior, and POST for a function, are what the provider takes for its defaults.
    LEFT_OUT: ClassVar = {
        "connection_type": "INTERNET",
        "credentials_arn": "",
        "description": "",
        "integration_method": "POST",
        "passthrough_behavior": "",
        "request_parameters": {},
        "response_parameters": {},
        "timeout_milliseconds": 30000,
    }

    def __init__(self, api, **members):
        defaults = {"ConnectionType": "INTERNET", "PassthroughBehavior": "WHEN_NO_MATCH", "PayloadFormatVersion": "1.0"}
        super().__init__(api, **{**defaults, **members})

    def update(self, **members):
        super().update(IntegrationType=self.read()["integration_type"], **members)


class Route(Part):
    """aws_apigatewayv2_route."""

    noun = "route"
    attributes: ClassVar = {
        "api_key_required": ("ApiKeyRequired", False),
        "authorization_scopes": ("AuthorizationScopes", []),
        "authorization_type": ("AuthorizationType", ""),
        "authorizer_id": ("AuthorizerId", ""),
        "operation_name": ("OperationName", ""),
        "route_key": ("RouteKey", ""),
        "target": ("Target", ""),
    }
    LEFT_OUT: ClassVar = {
        "api_key_required": False,
        "authorization_scopes": [],
        "authorization_type": "NONE",
        "authorizer_id": "",
        "operation_name": "",
    }

    def __init__(self, api, **members):
        super().__init__(api, **{"ApiKeyRequired": False, "AuthorizationType": "NONE", **members})


class Authorizer(Part):
    """aws_apigatewayv2_authorizer."""

    noun = "authorizer"
    attributes: ClassVar = {
        "authorizer_credentials_arn": ("AuthorizerCredentialsArn", ""),
        "authorizer_payload_format_version": ("AuthorizerPayloadFormatVersion", ""),
        "authorizer_result_ttl_in_seconds": ("AuthorizerResultTtlInSeconds", 0),
        "authorizer_type": ("AuthorizerType", ""),
        "authorizer_uri": ("AuthorizerUri", ""),
        "enable_simple_responses": ("EnableSimpleResponses", False),
        "identity_sources": ("IdentitySource", []),
        "jwt_configuration": ("JwtConfiguration", None),
        "name": ("Name", ""),
    }
    LEFT_OUT: ClassVar = {
        "authorizer_credentials_arn": "",
        "enable_simple_responses": False,
    }


class Deployment(Part):
    """aws_apigatewayv2_deployment."""

    noun = "deployment"
    attributes: ClassVar = {"auto_deployed": ("AutoDeployed", None), "description": ("Description", "")}
    LEFT_OUT: ClassVar = {"auto_deployed": False, "description": ""}

    def __init__(self, api, **members):
        super().__init__(api, **members)
        wait_through(lambda: self.call("get", **self.key)["DeploymentStatus"], {"PENDING"}, "DEPLOYED")


class Stage:
    """aws_apigatewayv2_stage."""

    SETTINGS: ClassVar = {
        "data_trace_enabled": False,
        "detailed_metrics_enabled": False,
        "logging_level": "",
        "throttling_burst_limit": 0,
        "throttling_rate_limit": 0.0,
    }
    LEFT_OUT: ClassVar = {
        "access_log_settings": [],
        "auto_deploy": False,
        "client_certificate_id": "",
        "default_route_settings": SETTINGS,
        "description": "",
        "route_settings": {},
        "stage_variables": {},
        "tags": {},
    }

    def __init__(self, api, name, **members):
        self.api, self.client, self.key = api, api.client, {"ApiId": api.id, "StageName": name}
        self.arn = f"{api.arn}/stages/{name}"
        self.client.create_stage(**self.key, **{"AutoDeploy": False, **members})

    def read(self):
        found = self.client.get_stage(**self.key)
        logs = found.get("AccessLogSettings")
        return {
            "access_log_settings": [] if logs is None else [(logs["DestinationArn"], logs["Format"])],
            "auto_deploy": found.get("AutoDeploy", False),
            "client_certificate_id": found.get("ClientCertificateId", ""),
            "default_route_settings": self.settings(found["DefaultRouteSettings"]),
            "deployment_id": found.get("DeploymentId", ""),
            "description": found.get("Description", ""),
            "name": found["StageName"],
            "route_settings": {key: self.settings(value) for key, value in found["RouteSettings"].items()},
            "stage_variables": found.get("StageVariables", {}),
            "tags": found.get("Tags", {}),
        }

    def settings(self, found):
        return {
            "data_trace_enabled": found.get("DataTraceEnabled", False),
            "detailed_metrics_enabled": found.get("DetailedMetricsEnabled", False),
            "logging_level": found.get("LoggingLevel", ""),
            "throttling_burst_limit": found.get("ThrottlingBurstLimit", 0),
            "throttling_rate_limit": found.get("ThrottlingRateLimit", 0.0),
        }

    def update(self, *, gone=(), **members):
        for route_key in gone:
            is_gone(self.client.delete_route_settings, **self.key, RouteKey=route_key)
        self.client.update_stage(**self.key, **members)

    def destroy(self):
        self.client.delete_stage(**self.key)
        assert is_gone(self.client.get_stage, **self.key)


def sent(**limits):
    """Return settings as the provider sends them: with each number, and nothing of execution logs."""
    return {"DetailedMetricsEnabled": False, "ThrottlingBurstLimit": 0, "ThrottlingRateLimit": 0, **limits}


def test_an_api_with_what_it_consists_of(client):
    """Apply, change, take away, destroy; each time the plan is empty."""
    api = Api(client, Name="shop", Tags={"a": "b"})
    settled(api, name="shop", tags={"a": "b"})
    integration = Integration(api, IntegrationType="AWS_PROXY", IntegrationUri=INVOCATION, PayloadFormatVersion="2.0")
    settled(integration, integration_uri=INVOCATION, payload_format_version="2.0", integration_type="AWS_PROXY")
    authorizer = Authorizer(
        api,
        Name="asked",
        AuthorizerType="REQUEST",
        AuthorizerUri=INVOCATION,
        AuthorizerPayloadFormatVersion="2.0",
        IdentitySource=["$request.header.Authorization"],
        AuthorizerResultTtlInSeconds=300,
    )
    settled(authorizer, name="asked", authorizer_result_ttl_in_seconds=300, jwt_configuration=None)
    route = Route(
        api,
        RouteKey="GET /items/{id}",
        Target=f"integrations/{integration.id}",
        AuthorizationType="CUSTOM",
        AuthorizerId=authorizer.id,
    )
    settled(
        route,
        route_key="GET /items/{id}",
        target=f"integrations/{integration.id}",
        authorization_type="CUSTOM",
        authorizer_id=authorizer.id,
    )
    stage = Stage(
        api,
        "$default",
        AutoDeploy=True,
        RouteSettings={"GET /items/{id}": sent(ThrottlingBurstLimit=5)},
        AccessLogSettings={"DestinationArn": LOGS, "Format": "$context.requestId"},
        StageVariables={"a": "1", "b": "2"},
        Tags={"c": "d"},
    )
    settled(
        stage,
        auto_deploy=True,
        route_settings={"GET /items/{id}": {**Stage.SETTINGS, "throttling_burst_limit": 5}},
        access_log_settings=[(LOGS, "$context.requestId")],
        stage_variables={"a": "1", "b": "2"},
        tags={"c": "d"},
    )

    # The authorizer goes, with the route that it was for; what is taken away is sent empty.
    route.update(AuthorizerId="", AuthorizationType="NONE", OperationName="item")
    settled(route, operation_name="item")
    authorizer.destroy()
    integration.update(RequestParameters={"append:header.x": "1", "append:header.y": "2"})
    integration.update(RequestParameters={"append:header.x": "", "append:header.y": "2"}, TlsConfig={})
    settled(integration, request_parameters={"append:header.y": "2"})
    stage.update(
        gone=["GET /items/{id}"],
        RouteSettings={},
        AccessLogSettings={},
        StageVariables={"a": "", "c": "3"},
        DefaultRouteSettings=sent(ThrottlingBurstLimit=10, ThrottlingRateLimit=2.5),
        Description="all",
    )
    settled(
        stage,
        auto_deploy=True,
        stage_variables={"b": "2", "c": "3"},
        default_route_settings={**Stage.SETTINGS, "throttling_burst_limit": 10, "throttling_rate_limit": 2.5},
        description="all",
        tags={"c": "d"},
    )
    client.tag_resource(ResourceArn=stage.arn, Tags={"e": "f"})
    client.untag_resource(ResourceArn=stage.arn, TagKeys=["c"])
    assert stage.read()["tags"] == {"e": "f"}
    for resource in (stage, route, integration, api):
        resource.destroy()


def test_cors_and_the_other_settings_of_an_api(client):
    """Lists that are empty, and a max_age that nobody set, are sent."""
    given = {
        "AllowCredentials": False,
        "AllowHeaders": [],
        "AllowMethods": ["GET"],
        "AllowOrigins": ["https://a.example"],
        "ExposeHeaders": [],
        "MaxAge": 0,
    }
    wanted = [
        {
            "allow_credentials": False,
            "allow_headers": set(),
            "allow_methods": {"GET"},
            "allow_origins": {"https://a.example"},
            "expose_headers": set(),
            "max_age": 0,
        }
    ]
    api = Api(client, Name="cors", CorsConfiguration=given)
    settled(api, cors_configuration=wanted)
    api.update(Description="d", Version="2", DisableExecuteApiEndpoint=True)
    settled(api, cors_configuration=wanted, description="d", version="2", disable_execute_api_endpoint=True)
    client.delete_cors_configuration(ApiId=api.id)
    api.update(Description="", Version="", DisableExecuteApiEndpoint=False)
    settled(api, name="cors")
    api.destroy()


def test_an_api_of_a_definition(client):
    """`body` is imported over an API that is there, whose tags stay."""
    api = Api(client, Name="ours", Tags={"a": "b"})
    body = {
        "openapi": "3.0.1",
        "info": {"title": "theirs", "version": "1.0"},
        "paths": {
            "/a": {
                "get": {
                    "x-amazon-apigateway-integration": {
                        "type": "HTTP_PROXY",
                        "httpMethod": "GET",
                        "payloadFormatVersion": "1.0",
                        "uri": "https://a.example/",
                    }
                }
            }
        },
        "x-amazon-apigateway-cors": {"allowOrigins": ["*"]},
    }
    api.import_body(json.dumps(body), name="ours")
    settled(api, name="theirs", version="1.0", tags={"a": "b"})
    assert [route["RouteKey"] for route in client.get_routes(ApiId=api.id)["Items"]] == ["GET /a"]
    api.import_body(json.dumps({**body, "info": {"title": "theirs"}}), name="ours")
    settled(api, name="theirs", tags={"a": "b"})
    api.destroy()


def test_deployments_by_hand(client):
    """A deployment that takes the place of another is made first, and the stage moves."""
    api = Api(client, Name="by hand")
    jwt = {"Audience": ["a"], "Issuer": "https://issuer.example"}
    authorizer = Authorizer(
        api,
        Name="tokens",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration=jwt,
    )
    settled(authorizer, jwt_configuration=jwt, authorizer_payload_format_version="", authorizer_uri="")
    first = Deployment(api, Description="first")
    settled(first, description="first")
    stage = Stage(api, "prod", DeploymentId=first.id)
    settled(stage, deployment_id=first.id)
    second = Deployment(api)
    stage.update(DeploymentId=second.id)
    settled(stage, deployment_id=second.id)
    first.destroy()
    for resource in (stage, second, authorizer, api):
        resource.destroy()


class DomainName:
    """aws_apigatewayv2_domain_name."""

    LEFT_OUT: ClassVar = {"api_mapping_selection_expression": "$request.basepath", "routing_mode": "API_MAPPING_ONLY"}

    def __init__(self, client, name, **members):
        self.client, self.key = client, {"DomainName": name}
        configuration = {"CertificateArn": CERTIFICATE, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
        client.create_domain_name(**self.key, DomainNameConfigurations=[configuration], **members)

        def status():
            return client.get_domain_name(**self.key)["DomainNameConfigurations"][0]["DomainNameStatus"]

        wait_through(status, {"UPDATING"}, "AVAILABLE")

    def read(self):
        found = self.client.get_domain_name(**self.key)
        (configuration,) = found["DomainNameConfigurations"]
        return {
            "api_mapping_selection_expression": found["ApiMappingSelectionExpression"],
            "certificate_arn": configuration["CertificateArn"],
            "domain_name": found["DomainName"],
            "endpoint_type": configuration["EndpointType"],
            "ip_address_type": configuration["IpAddressType"],
            "routing_mode": found["RoutingMode"],
            "security_policy": configuration["SecurityPolicy"],
            "tags": found["Tags"],
            "target_domain_name": configuration["ApiGatewayDomainName"],
        }

    def destroy(self):
        self.client.delete_domain_name(**self.key)
        assert is_gone(self.client.get_domain_name, **self.key)


class ApiMapping:
    """aws_apigatewayv2_api_mapping."""

    LEFT_OUT: ClassVar = {"api_mapping_key": ""}

    def __init__(self, domain, api, **members):
        self.client = api.client
        made = self.client.create_api_mapping(**domain.key, ApiId=api.id, **members)
        self.key = {**domain.key, "ApiMappingId": made["ApiMappingId"]}
        self.api = api

    def read(self):
        found = self.client.get_api_mapping(**self.key)
        return {
            "api_id": found["ApiId"],
            "api_mapping_key": found.get("ApiMappingKey", ""),
            "stage": found["Stage"],
        }

    def update(self, **members):
        self.client.update_api_mapping(**self.key, ApiId=self.api.id, **members)

    def destroy(self):
        self.client.delete_api_mapping(**self.key)
        assert is_gone(self.client.get_api_mapping, **self.key)


def test_a_custom_domain(client):
    """With two mappings, one of which gets a key and a stage."""
    api = Api(client, Name="mapped")
    stages = [Stage(api, name, AutoDeploy=True) for name in ("$default", "beta")]
    domain = DomainName(client, "terraform.shop.example", Tags={"a": "b"})
    settled(domain, domain_name="terraform.shop.example", certificate_arn=CERTIFICATE, tags={"a": "b"})
    root = ApiMapping(domain, api, Stage="$default")
    settled(root, stage="$default", api_id=api.id)
    deep = ApiMapping(domain, api, Stage="$default", ApiMappingKey="v1/items")
    deep.update(Stage="beta", ApiMappingKey="v2")
    settled(deep, stage="beta", api_mapping_key="v2")
    for resource in (deep, root, domain, *stages, api):
        resource.destroy()
