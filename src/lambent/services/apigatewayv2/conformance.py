"""
What becomes of each input member and each error of the API Gateway v2 API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

_CORS = (
    "CorsConfiguration.AllowCredentials CorsConfiguration.AllowHeaders CorsConfiguration.AllowMethods "
    "CorsConfiguration.AllowOrigins CorsConfiguration.ExposeHeaders CorsConfiguration.MaxAge"
)
_LOGS = "AccessLogSettings.DestinationArn AccessLogSettings.Format"
_SETTINGS = (
    "DefaultRouteSettings.DetailedMetricsEnabled DefaultRouteSettings.ThrottlingBurstLimit "
    "DefaultRouteSettings.ThrottlingRateLimit"
)
_FORMAT = "AuthorizerCredentialsArn AuthorizerPayloadFormatVersion AuthorizerResultTtlInSeconds"
_ANSWER = "EnableSimpleResponses IdentitySource JwtConfiguration.Audience JwtConfiguration.Issuer"
_INTEGRATION = (
    "IntegrationMethod IntegrationType IntegrationUri PayloadFormatVersion RequestParameters ResponseParameters"
)
_PAGE = "MaxResults NextToken"
_WEBSOCKETS = "it is for WebSocket APIs, which come with a later version"
_ROLE = "its rights and trust policy decide in the place of the function's policy; with `--iam off` it may everything"

JUDGEMENTS = Judgements(
    acting={
        "CreateApi": (
            f"{_CORS} CredentialsArn Description DisableExecuteApiEndpoint Name ProtocolType RouteKey Tags Target "
            "Version"
        ),
        "CreateApiMapping": "ApiId ApiMappingKey DomainName Stage",
        "CreateAuthorizer": f"ApiId {_FORMAT} AuthorizerType AuthorizerUri {_ANSWER} Name",
        "CreateDeployment": "ApiId Description StageName",
        "CreateDomainName": "DomainName Tags",
        "CreateIntegration": f"ApiId CredentialsArn Description {_INTEGRATION} TimeoutInMillis",
        "CreateRoute": "ApiId AuthorizationScopes AuthorizationType AuthorizerId OperationName RouteKey Target",
        "CreateStage": (
            f"{_LOGS} ApiId AutoDeploy {_SETTINGS} DeploymentId Description RouteSettings StageName StageVariables Tags"
        ),
        "DeleteAccessLogSettings": "ApiId StageName",
        "DeleteApi": "ApiId",
        "DeleteApiMapping": "ApiMappingId DomainName",
        "DeleteAuthorizer": "ApiId AuthorizerId",
        "DeleteCorsConfiguration": "ApiId",
        "DeleteDeployment": "ApiId DeploymentId",
        "DeleteDomainName": "DomainName",
        "DeleteIntegration": "ApiId IntegrationId",
        "DeleteRoute": "ApiId RouteId",
        "DeleteRouteSettings": "ApiId RouteKey StageName",
        "DeleteStage": "ApiId StageName",
        "ExportApi": "ApiId ExportVersion IncludeExtensions OutputType Specification StageName",
        "GetApi": "ApiId",
        "GetApiMapping": "ApiMappingId DomainName",
        "GetApiMappings": f"DomainName {_PAGE}",
        "GetApis": f"{_PAGE}",
        "GetAuthorizer": "ApiId AuthorizerId",
        "GetAuthorizers": f"ApiId {_PAGE}",
        "GetDeployment": "ApiId DeploymentId",
        "GetDeployments": f"ApiId {_PAGE}",
        "GetDomainName": "DomainName",
        "GetDomainNames": f"{_PAGE}",
        "GetIntegration": "ApiId IntegrationId",
        "GetIntegrations": f"ApiId {_PAGE}",
        "GetRoute": "ApiId RouteId",
        "GetRoutes": f"ApiId {_PAGE}",
        "GetStage": "ApiId StageName",
        "GetStages": f"ApiId {_PAGE}",
        "GetTags": "ResourceArn",
        "ImportApi": "Basepath Body FailOnWarnings",
        "ReimportApi": "ApiId Basepath Body FailOnWarnings",
        "ResetAuthorizersCache": "ApiId StageName",
        "TagResource": "ResourceArn Tags",
        "UntagResource": "ResourceArn TagKeys",
        "UpdateApi": f"ApiId {_CORS} CredentialsArn Description DisableExecuteApiEndpoint Name RouteKey Target Version",
        "UpdateApiMapping": "ApiId ApiMappingId ApiMappingKey DomainName Stage",
        "UpdateAuthorizer": f"ApiId AuthorizerId {_FORMAT} AuthorizerType AuthorizerUri {_ANSWER} Name",
        "UpdateDeployment": "ApiId DeploymentId Description",
        "UpdateDomainName": "DomainName",
        "UpdateIntegration": f"ApiId CredentialsArn Description IntegrationId {_INTEGRATION} TimeoutInMillis",
        "UpdateRoute": "ApiId AuthorizationScopes AuthorizationType AuthorizerId OperationName RouteId RouteKey Target",
        "UpdateStage": (
            f"{_LOGS} ApiId AutoDeploy {_SETTINGS} DeploymentId Description RouteSettings StageName StageVariables"
        ),
    },
    remarks={
        "ProtocolType": "HTTP alone; WebSocket APIs come with a later version",
        "CredentialsArn": _ROLE,
        "AuthorizerCredentialsArn": _ROLE,
        "IntegrationType": "AWS_PROXY of functions and HTTP_PROXY",
        "JwtConfiguration.Issuer": "http as well as https: AWS takes https alone",
        "AccessLogSettings.DestinationArn": "a log group of the account and region",
        "RouteSettings": "throttling and detailed metrics; what else it holds is refused as in DefaultRouteSettings",
        "Body": "a part that cannot be made ends the import; AWS leaves it out with a warning",
    },
    echoed={
        "IpAddressType": "the server listens where it is told to",
        "DomainNameConfigurations[].IpAddressType": "the server listens where it is told to",
        "DomainNameConfigurations[].CertificateArn": "who ends TLS before the server has the certificate",
        "DomainNameConfigurations[].CertificateName": "who ends TLS before the server has the certificate",
        "DomainNameConfigurations[].OwnershipVerificationCertificateArn": "nobody is asked who owns a name",
        "IdentityValidationExpression": "HTTP APIs do not use it, on AWS either",
    },
    taken={
        "ApiKeySelectionExpression": "every HTTP API has the same, and another is refused",
        "RouteSelectionExpression": "every HTTP API has the same, and another is refused",
        "PassthroughBehavior": "HTTP APIs do not use it, on AWS either; another than WHEN_NO_MATCH is refused",
        "ConnectionType": "INTERNET is the one there is; VPC_LINK is refused",
        "DomainNameConfigurations[].EndpointType": "REGIONAL is the one there is; EDGE is refused",
        "DomainNameConfigurations[].SecurityPolicy": "TLS_1_2 is the one there is; another is refused",
        "DomainNameConfigurations[].ApiGatewayDomainName": "it follows from the name, and is no input on AWS either",
        "DomainNameConfigurations[].CertificateUploadDate": "it is no input on AWS either",
        "DomainNameConfigurations[].DomainNameStatus": "it is no input on AWS either",
        "DomainNameConfigurations[].DomainNameStatusMessage": "it is no input on AWS either",
        "DomainNameConfigurations[].HostedZoneId": "it is no input on AWS either",
    },
    refused={
        "DisableSchemaValidation": _WEBSOCKETS,
        "ModelSelectionExpression": _WEBSOCKETS,
        "RequestModels": _WEBSOCKETS,
        "CreateRoute:RequestParameters": _WEBSOCKETS,
        "UpdateRoute:RequestParameters": _WEBSOCKETS,
        "RouteResponseSelectionExpression": _WEBSOCKETS,
        "ApiKeyRequired": "HTTP APIs have no API keys, on AWS either",
        "IntegrationSubtype": "integrations with AWS services come with a later version",
        "ConnectionId": "VPC links are not planned: there is no VPC",
        "TlsConfig": "it is for VPC links, which are not planned",
        "ContentHandlingStrategy": _WEBSOCKETS,
        "RequestTemplates": _WEBSOCKETS,
        "TemplateSelectionExpression": _WEBSOCKETS,
        "ClientCertificateId": _WEBSOCKETS,
        "DefaultRouteSettings.DataTraceEnabled": "HTTP APIs have no execution logs, on AWS either",
        "DefaultRouteSettings.LoggingLevel": "HTTP APIs have no execution logs, on AWS either",
        "MutualTlsAuthentication": "who ends TLS before the server has to ask for certificates",
        "RoutingMode": "routing rules come with a later version",
    },
    given="BadRequestException ConflictException NotFoundException TooManyRequestsException",
    never={"access control comes with a later version": "AccessDeniedException"},
    shown_otherwise={},
)
