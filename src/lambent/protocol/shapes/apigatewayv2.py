"""
Structures of the `apigatewayv2` service model that this version reads or answers.

Members that an input must have are `Required`: the validator has seen them before a handler does.
For who checks types: while the server runs each name stands for `dict`, which saves it some MiB.
Written by tools/generate.py from botocore's service model. Do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Required, TypedDict

    class AccessLogSettings(TypedDict, total=False):
        DestinationArn: str
        Format: str

    class Api(TypedDict, total=False):
        ApiEndpoint: str
        ApiGatewayManaged: bool
        ApiId: str
        ApiKeySelectionExpression: str
        CorsConfiguration: Cors
        CreatedDate: datetime
        Description: str
        DisableSchemaValidation: bool
        DisableExecuteApiEndpoint: bool
        ImportInfo: list[str]
        IpAddressType: str
        Name: str
        ProtocolType: str
        RouteSelectionExpression: str
        Tags: dict[str, str]
        Version: str
        Warnings: list[str]

    class ApiMapping(TypedDict, total=False):
        ApiId: str
        ApiMappingId: str
        ApiMappingKey: str
        Stage: str

    class Authorizer(TypedDict, total=False):
        AuthorizerCredentialsArn: str
        AuthorizerId: str
        AuthorizerPayloadFormatVersion: str
        AuthorizerResultTtlInSeconds: int
        AuthorizerType: str
        AuthorizerUri: str
        EnableSimpleResponses: bool
        IdentitySource: list[str]
        IdentityValidationExpression: str
        JwtConfiguration: JWTConfiguration
        Name: str

    class Cors(TypedDict, total=False):
        AllowCredentials: bool
        AllowHeaders: list[str]
        AllowMethods: list[str]
        AllowOrigins: list[str]
        ExposeHeaders: list[str]
        MaxAge: int

    class CreateApiMappingRequest(TypedDict, total=False):
        ApiId: Required[str]
        ApiMappingKey: str
        DomainName: Required[str]
        Stage: Required[str]

    class CreateApiMappingResponse(TypedDict, total=False):
        ApiId: str
        ApiMappingId: str
        ApiMappingKey: str
        Stage: str

    class CreateApiRequest(TypedDict, total=False):
        ApiKeySelectionExpression: str
        CorsConfiguration: Cors
        CredentialsArn: str
        Description: str
        DisableSchemaValidation: bool
        DisableExecuteApiEndpoint: bool
        IpAddressType: str
        Name: Required[str]
        ProtocolType: Required[str]
        RouteKey: str
        RouteSelectionExpression: str
        Tags: dict[str, str]
        Target: str
        Version: str

    class CreateApiResponse(TypedDict, total=False):
        ApiEndpoint: str
        ApiGatewayManaged: bool
        ApiId: str
        ApiKeySelectionExpression: str
        CorsConfiguration: Cors
        CreatedDate: datetime
        Description: str
        DisableSchemaValidation: bool
        DisableExecuteApiEndpoint: bool
        ImportInfo: list[str]
        IpAddressType: str
        Name: str
        ProtocolType: str
        RouteSelectionExpression: str
        Tags: dict[str, str]
        Version: str
        Warnings: list[str]

    class CreateAuthorizerRequest(TypedDict, total=False):
        ApiId: Required[str]
        AuthorizerCredentialsArn: str
        AuthorizerPayloadFormatVersion: str
        AuthorizerResultTtlInSeconds: int
        AuthorizerType: Required[str]
        AuthorizerUri: str
        EnableSimpleResponses: bool
        IdentitySource: Required[list[str]]
        IdentityValidationExpression: str
        JwtConfiguration: JWTConfiguration
        Name: Required[str]

    class CreateAuthorizerResponse(TypedDict, total=False):
        AuthorizerCredentialsArn: str
        AuthorizerId: str
        AuthorizerPayloadFormatVersion: str
        AuthorizerResultTtlInSeconds: int
        AuthorizerType: str
        AuthorizerUri: str
        EnableSimpleResponses: bool
        IdentitySource: list[str]
        IdentityValidationExpression: str
        JwtConfiguration: JWTConfiguration
        Name: str

    class CreateDeploymentRequest(TypedDict, total=False):
        ApiId: Required[str]
        Description: str
        StageName: str

    class CreateDeploymentResponse(TypedDict, total=False):
        AutoDeployed: bool
        CreatedDate: datetime
        DeploymentId: str
        DeploymentStatus: str
        DeploymentStatusMessage: str
        Description: str

    class CreateDomainNameRequest(TypedDict, total=False):
        DomainName: Required[str]
        DomainNameConfigurations: list[DomainNameConfiguration]
        MutualTlsAuthentication: MutualTlsAuthenticationInput
        RoutingMode: str
        Tags: dict[str, str]

    class CreateDomainNameResponse(TypedDict, total=False):
        ApiMappingSelectionExpression: str
        DomainName: str
        DomainNameArn: str
        DomainNameConfigurations: list[DomainNameConfiguration]
        MutualTlsAuthentication: MutualTlsAuthentication
        RoutingMode: str
        Tags: dict[str, str]

    class CreateIntegrationRequest(TypedDict, total=False):
        ApiId: Required[str]
        ConnectionId: str
        ConnectionType: str
        ContentHandlingStrategy: str
        CredentialsArn: str
        Description: str
        IntegrationMethod: str
        IntegrationSubtype: str
        IntegrationType: Required[str]
        IntegrationUri: str
        PassthroughBehavior: str
        PayloadFormatVersion: str
        RequestParameters: dict[str, str]
        RequestTemplates: dict[str, str]
        ResponseParameters: dict[str, dict[str, str]]
        TemplateSelectionExpression: str
        TimeoutInMillis: int
        TlsConfig: TlsConfigInput

    class CreateIntegrationResult(TypedDict, total=False):
        ApiGatewayManaged: bool
        ConnectionId: str
        ConnectionType: str
        ContentHandlingStrategy: str
        CredentialsArn: str
        Description: str
        IntegrationId: str
        IntegrationMethod: str
        IntegrationResponseSelectionExpression: str
        IntegrationSubtype: str
        IntegrationType: str
        IntegrationUri: str
        PassthroughBehavior: str
        PayloadFormatVersion: str
        RequestParameters: dict[str, str]
        RequestTemplates: dict[str, str]
        ResponseParameters: dict[str, dict[str, str]]
        TemplateSelectionExpression: str
        TimeoutInMillis: int
        TlsConfig: TlsConfig

    class CreateRouteRequest(TypedDict, total=False):
        ApiId: Required[str]
        ApiKeyRequired: bool
        AuthorizationScopes: list[str]
        AuthorizationType: str
        AuthorizerId: str
        ModelSelectionExpression: str
        OperationName: str
        RequestModels: dict[str, str]
        RequestParameters: dict[str, ParameterConstraints]
        RouteKey: Required[str]
        RouteResponseSelectionExpression: str
        Target: str

    class CreateRouteResult(TypedDict, total=False):
        ApiGatewayManaged: bool
        ApiKeyRequired: bool
        AuthorizationScopes: list[str]
        AuthorizationType: str
        AuthorizerId: str
        ModelSelectionExpression: str
        OperationName: str
        RequestModels: dict[str, str]
        RequestParameters: dict[str, ParameterConstraints]
        RouteId: str
        RouteKey: str
        RouteResponseSelectionExpression: str
        Target: str

    class CreateStageRequest(TypedDict, total=False):
        AccessLogSettings: AccessLogSettings
        ApiId: Required[str]
        AutoDeploy: bool
        ClientCertificateId: str
        DefaultRouteSettings: RouteSettings
        DeploymentId: str
        Description: str
        RouteSettings: dict[str, RouteSettings]
        StageName: Required[str]
        StageVariables: dict[str, str]
        Tags: dict[str, str]

    class CreateStageResponse(TypedDict, total=False):
        AccessLogSettings: AccessLogSettings
        ApiGatewayManaged: bool
        AutoDeploy: bool
        ClientCertificateId: str
        CreatedDate: datetime
        DefaultRouteSettings: RouteSettings
        DeploymentId: str
        Description: str
        LastDeploymentStatusMessage: str
        LastUpdatedDate: datetime
        RouteSettings: dict[str, RouteSettings]
        StageName: str
        StageVariables: dict[str, str]
        Tags: dict[str, str]

    class DeleteAccessLogSettingsRequest(TypedDict, total=False):
        ApiId: Required[str]
        StageName: Required[str]

    class DeleteApiMappingRequest(TypedDict, total=False):
        ApiMappingId: Required[str]
        DomainName: Required[str]

    class DeleteApiRequest(TypedDict, total=False):
        ApiId: Required[str]

    class DeleteAuthorizerRequest(TypedDict, total=False):
        ApiId: Required[str]
        AuthorizerId: Required[str]

    class DeleteCorsConfigurationRequest(TypedDict, total=False):
        ApiId: Required[str]

    class DeleteDeploymentRequest(TypedDict, total=False):
        ApiId: Required[str]
        DeploymentId: Required[str]

    class DeleteDomainNameRequest(TypedDict, total=False):
        DomainName: Required[str]

    class DeleteIntegrationRequest(TypedDict, total=False):
        ApiId: Required[str]
        IntegrationId: Required[str]

    class DeleteRouteRequest(TypedDict, total=False):
        ApiId: Required[str]
        RouteId: Required[str]

    class DeleteRouteSettingsRequest(TypedDict, total=False):
        ApiId: Required[str]
        RouteKey: Required[str]
        StageName: Required[str]

    class DeleteStageRequest(TypedDict, total=False):
        ApiId: Required[str]
        StageName: Required[str]

    class Deployment(TypedDict, total=False):
        AutoDeployed: bool
        CreatedDate: datetime
        DeploymentId: str
        DeploymentStatus: str
        DeploymentStatusMessage: str
        Description: str

    class DomainName(TypedDict, total=False):
        ApiMappingSelectionExpression: str
        DomainName: str
        DomainNameArn: str
        DomainNameConfigurations: list[DomainNameConfiguration]
        MutualTlsAuthentication: MutualTlsAuthentication
        RoutingMode: str
        Tags: dict[str, str]

    class DomainNameConfiguration(TypedDict, total=False):
        ApiGatewayDomainName: str
        CertificateArn: str
        CertificateName: str
        CertificateUploadDate: datetime
        DomainNameStatus: str
        DomainNameStatusMessage: str
        EndpointType: str
        HostedZoneId: str
        IpAddressType: str
        SecurityPolicy: str
        OwnershipVerificationCertificateArn: str

    class ExportApiRequest(TypedDict, total=False):
        ApiId: Required[str]
        ExportVersion: str
        IncludeExtensions: bool
        OutputType: Required[str]
        Specification: Required[str]
        StageName: str

    class ExportApiResponse(TypedDict, total=False):
        body: bytes

    class GetApiMappingRequest(TypedDict, total=False):
        ApiMappingId: Required[str]
        DomainName: Required[str]

    class GetApiMappingResponse(TypedDict, total=False):
        ApiId: str
        ApiMappingId: str
        ApiMappingKey: str
        Stage: str

    class GetApiMappingsRequest(TypedDict, total=False):
        DomainName: Required[str]
        MaxResults: str
        NextToken: str

    class GetApiMappingsResponse(TypedDict, total=False):
        Items: list[ApiMapping]
        NextToken: str

    class GetApiRequest(TypedDict, total=False):
        ApiId: Required[str]

    class GetApiResponse(TypedDict, total=False):
        ApiEndpoint: str
        ApiGatewayManaged: bool
        ApiId: str
        ApiKeySelectionExpression: str
        CorsConfiguration: Cors
        CreatedDate: datetime
        Description: str
        DisableSchemaValidation: bool
        DisableExecuteApiEndpoint: bool
        ImportInfo: list[str]
        IpAddressType: str
        Name: str
        ProtocolType: str
        RouteSelectionExpression: str
        Tags: dict[str, str]
        Version: str
        Warnings: list[str]

    class GetApisRequest(TypedDict, total=False):
        MaxResults: str
        NextToken: str

    class GetApisResponse(TypedDict, total=False):
        Items: list[Api]
        NextToken: str

    class GetAuthorizerRequest(TypedDict, total=False):
        ApiId: Required[str]
        AuthorizerId: Required[str]

    class GetAuthorizerResponse(TypedDict, total=False):
        AuthorizerCredentialsArn: str
        AuthorizerId: str
        AuthorizerPayloadFormatVersion: str
        AuthorizerResultTtlInSeconds: int
        AuthorizerType: str
        AuthorizerUri: str
        EnableSimpleResponses: bool
        IdentitySource: list[str]
        IdentityValidationExpression: str
        JwtConfiguration: JWTConfiguration
        Name: str

    class GetAuthorizersRequest(TypedDict, total=False):
        ApiId: Required[str]
        MaxResults: str
        NextToken: str

    class GetAuthorizersResponse(TypedDict, total=False):
        Items: list[Authorizer]
        NextToken: str

    class GetDeploymentRequest(TypedDict, total=False):
        ApiId: Required[str]
        DeploymentId: Required[str]

    class GetDeploymentResponse(TypedDict, total=False):
        AutoDeployed: bool
        CreatedDate: datetime
        DeploymentId: str
        DeploymentStatus: str
        DeploymentStatusMessage: str
        Description: str

    class GetDeploymentsRequest(TypedDict, total=False):
        ApiId: Required[str]
        MaxResults: str
        NextToken: str

    class GetDeploymentsResponse(TypedDict, total=False):
        Items: list[Deployment]
        NextToken: str

    class GetDomainNameRequest(TypedDict, total=False):
        DomainName: Required[str]

    class GetDomainNameResponse(TypedDict, total=False):
        ApiMappingSelectionExpression: str
        DomainName: str
        DomainNameArn: str
        DomainNameConfigurations: list[DomainNameConfiguration]
        MutualTlsAuthentication: MutualTlsAuthentication
        RoutingMode: str
        Tags: dict[str, str]

    class GetDomainNamesRequest(TypedDict, total=False):
        MaxResults: str
        NextToken: str

    class GetDomainNamesResponse(TypedDict, total=False):
        Items: list[DomainName]
        NextToken: str

    class GetIntegrationRequest(TypedDict, total=False):
        ApiId: Required[str]
        IntegrationId: Required[str]

    class GetIntegrationResult(TypedDict, total=False):
        ApiGatewayManaged: bool
        ConnectionId: str
        ConnectionType: str
        ContentHandlingStrategy: str
        CredentialsArn: str
        Description: str
        IntegrationId: str
        IntegrationMethod: str
        IntegrationResponseSelectionExpression: str
        IntegrationSubtype: str
        IntegrationType: str
        IntegrationUri: str
        PassthroughBehavior: str
        PayloadFormatVersion: str
        RequestParameters: dict[str, str]
        RequestTemplates: dict[str, str]
        ResponseParameters: dict[str, dict[str, str]]
        TemplateSelectionExpression: str
        TimeoutInMillis: int
        TlsConfig: TlsConfig

    class GetIntegrationsRequest(TypedDict, total=False):
        ApiId: Required[str]
        MaxResults: str
        NextToken: str

    class GetIntegrationsResponse(TypedDict, total=False):
        Items: list[Integration]
        NextToken: str

    class GetRouteRequest(TypedDict, total=False):
        ApiId: Required[str]
        RouteId: Required[str]

    class GetRouteResult(TypedDict, total=False):
        ApiGatewayManaged: bool
        ApiKeyRequired: bool
        AuthorizationScopes: list[str]
        AuthorizationType: str
        AuthorizerId: str
        ModelSelectionExpression: str
        OperationName: str
        RequestModels: dict[str, str]
        RequestParameters: dict[str, ParameterConstraints]
        RouteId: str
        RouteKey: str
        RouteResponseSelectionExpression: str
        Target: str

    class GetRoutesRequest(TypedDict, total=False):
        ApiId: Required[str]
        MaxResults: str
        NextToken: str

    class GetRoutesResponse(TypedDict, total=False):
        Items: list[Route]
        NextToken: str

    class GetStageRequest(TypedDict, total=False):
        ApiId: Required[str]
        StageName: Required[str]

    class GetStageResponse(TypedDict, total=False):
        AccessLogSettings: AccessLogSettings
        ApiGatewayManaged: bool
        AutoDeploy: bool
        ClientCertificateId: str
        CreatedDate: datetime
        DefaultRouteSettings: RouteSettings
        DeploymentId: str
        Description: str
        LastDeploymentStatusMessage: str
        LastUpdatedDate: datetime
        RouteSettings: dict[str, RouteSettings]
        StageName: str
        StageVariables: dict[str, str]
        Tags: dict[str, str]

    class GetStagesRequest(TypedDict, total=False):
        ApiId: Required[str]
        MaxResults: str
        NextToken: str

    class GetStagesResponse(TypedDict, total=False):
        Items: list[Stage]
        NextToken: str

    class GetTagsRequest(TypedDict, total=False):
        ResourceArn: Required[str]

    class GetTagsResponse(TypedDict, total=False):
        Tags: dict[str, str]

    class ImportApiRequest(TypedDict, total=False):
        Basepath: str
        Body: Required[str]
        FailOnWarnings: bool

    class ImportApiResponse(TypedDict, total=False):
        ApiEndpoint: str
        ApiGatewayManaged: bool
        ApiId: str
        ApiKeySelectionExpression: str
        CorsConfiguration: Cors
        CreatedDate: datetime
        Description: str
        DisableSchemaValidation: bool
        DisableExecuteApiEndpoint: bool
        ImportInfo: list[str]
        IpAddressType: str
        Name: str
        ProtocolType: str
        RouteSelectionExpression: str
        Tags: dict[str, str]
        Version: str
        Warnings: list[str]

    class Integration(TypedDict, total=False):
        ApiGatewayManaged: bool
        ConnectionId: str
        ConnectionType: str
        ContentHandlingStrategy: str
        CredentialsArn: str
        Description: str
        IntegrationId: str
        IntegrationMethod: str
        IntegrationResponseSelectionExpression: str
        IntegrationSubtype: str
        IntegrationType: str
        IntegrationUri: str
        PassthroughBehavior: str
        PayloadFormatVersion: str
        RequestParameters: dict[str, str]
        RequestTemplates: dict[str, str]
        ResponseParameters: dict[str, dict[str, str]]
        TemplateSelectionExpression: str
        TimeoutInMillis: int
        TlsConfig: TlsConfig

    class JWTConfiguration(TypedDict, total=False):
        Audience: list[str]
        Issuer: str

    class MutualTlsAuthentication(TypedDict, total=False):
        TruststoreUri: str
        TruststoreVersion: str
        TruststoreWarnings: list[str]

    class MutualTlsAuthenticationInput(TypedDict, total=False):
        TruststoreUri: str
        TruststoreVersion: str

    class ParameterConstraints(TypedDict, total=False):
        Required: bool

    class ReimportApiRequest(TypedDict, total=False):
        ApiId: Required[str]
        Basepath: str
        Body: Required[str]
        FailOnWarnings: bool

    class ReimportApiResponse(TypedDict, total=False):
        ApiEndpoint: str
        ApiGatewayManaged: bool
        ApiId: str
        ApiKeySelectionExpression: str
        CorsConfiguration: Cors
        CreatedDate: datetime
        Description: str
        DisableSchemaValidation: bool
        DisableExecuteApiEndpoint: bool
        ImportInfo: list[str]
        IpAddressType: str
        Name: str
        ProtocolType: str
        RouteSelectionExpression: str
        Tags: dict[str, str]
        Version: str
        Warnings: list[str]

    class ResetAuthorizersCacheRequest(TypedDict, total=False):
        ApiId: Required[str]
        StageName: Required[str]

    class Route(TypedDict, total=False):
        ApiGatewayManaged: bool
        ApiKeyRequired: bool
        AuthorizationScopes: list[str]
        AuthorizationType: str
        AuthorizerId: str
        ModelSelectionExpression: str
        OperationName: str
        RequestModels: dict[str, str]
        RequestParameters: dict[str, ParameterConstraints]
        RouteId: str
        RouteKey: str
        RouteResponseSelectionExpression: str
        Target: str

    class RouteSettings(TypedDict, total=False):
        DataTraceEnabled: bool
        DetailedMetricsEnabled: bool
        LoggingLevel: str
        ThrottlingBurstLimit: int
        ThrottlingRateLimit: float

    class Stage(TypedDict, total=False):
        AccessLogSettings: AccessLogSettings
        ApiGatewayManaged: bool
        AutoDeploy: bool
        ClientCertificateId: str
        CreatedDate: datetime
        DefaultRouteSettings: RouteSettings
        DeploymentId: str
        Description: str
        LastDeploymentStatusMessage: str
        LastUpdatedDate: datetime
        RouteSettings: dict[str, RouteSettings]
        StageName: str
        StageVariables: dict[str, str]
        Tags: dict[str, str]

    class TagResourceRequest(TypedDict, total=False):
        ResourceArn: Required[str]
        Tags: dict[str, str]

    class TagResourceResponse(TypedDict, total=False):
        pass

    class TlsConfig(TypedDict, total=False):
        ServerNameToVerify: str

    class TlsConfigInput(TypedDict, total=False):
        ServerNameToVerify: str

    class UntagResourceRequest(TypedDict, total=False):
        ResourceArn: Required[str]
        TagKeys: Required[list[str]]

    class UpdateApiMappingRequest(TypedDict, total=False):
        ApiId: Required[str]
        ApiMappingId: Required[str]
        ApiMappingKey: str
        DomainName: Required[str]
        Stage: str

    class UpdateApiMappingResponse(TypedDict, total=False):
        ApiId: str
        ApiMappingId: str
        ApiMappingKey: str
        Stage: str

    class UpdateApiRequest(TypedDict, total=False):
        ApiId: Required[str]
        ApiKeySelectionExpression: str
        CorsConfiguration: Cors
        CredentialsArn: str
        Description: str
        DisableSchemaValidation: bool
        DisableExecuteApiEndpoint: bool
        IpAddressType: str
        Name: str
        RouteKey: str
        RouteSelectionExpression: str
        Target: str
        Version: str

    class UpdateApiResponse(TypedDict, total=False):
        ApiEndpoint: str
        ApiGatewayManaged: bool
        ApiId: str
        ApiKeySelectionExpression: str
        CorsConfiguration: Cors
        CreatedDate: datetime
        Description: str
        DisableSchemaValidation: bool
        DisableExecuteApiEndpoint: bool
        ImportInfo: list[str]
        IpAddressType: str
        Name: str
        ProtocolType: str
        RouteSelectionExpression: str
        Tags: dict[str, str]
        Version: str
        Warnings: list[str]

    class UpdateAuthorizerRequest(TypedDict, total=False):
        ApiId: Required[str]
        AuthorizerCredentialsArn: str
        AuthorizerId: Required[str]
        AuthorizerPayloadFormatVersion: str
        AuthorizerResultTtlInSeconds: int
        AuthorizerType: str
        AuthorizerUri: str
        EnableSimpleResponses: bool
        IdentitySource: list[str]
        IdentityValidationExpression: str
        JwtConfiguration: JWTConfiguration
        Name: str

    class UpdateAuthorizerResponse(TypedDict, total=False):
        AuthorizerCredentialsArn: str
        AuthorizerId: str
        AuthorizerPayloadFormatVersion: str
        AuthorizerResultTtlInSeconds: int
        AuthorizerType: str
        AuthorizerUri: str
        EnableSimpleResponses: bool
        IdentitySource: list[str]
        IdentityValidationExpression: str
        JwtConfiguration: JWTConfiguration
        Name: str

    class UpdateDeploymentRequest(TypedDict, total=False):
        ApiId: Required[str]
        DeploymentId: Required[str]
        Description: str

    class UpdateDeploymentResponse(TypedDict, total=False):
        AutoDeployed: bool
        CreatedDate: datetime
        DeploymentId: str
        DeploymentStatus: str
        DeploymentStatusMessage: str
        Description: str

    class UpdateDomainNameRequest(TypedDict, total=False):
        DomainName: Required[str]
        DomainNameConfigurations: list[DomainNameConfiguration]
        MutualTlsAuthentication: MutualTlsAuthenticationInput
        RoutingMode: str

    class UpdateDomainNameResponse(TypedDict, total=False):
        ApiMappingSelectionExpression: str
        DomainName: str
        DomainNameArn: str
        DomainNameConfigurations: list[DomainNameConfiguration]
        MutualTlsAuthentication: MutualTlsAuthentication
        RoutingMode: str
        Tags: dict[str, str]

    class UpdateIntegrationRequest(TypedDict, total=False):
        ApiId: Required[str]
        ConnectionId: str
        ConnectionType: str
        ContentHandlingStrategy: str
        CredentialsArn: str
        Description: str
        IntegrationId: Required[str]
        IntegrationMethod: str
        IntegrationSubtype: str
        IntegrationType: str
        IntegrationUri: str
        PassthroughBehavior: str
        PayloadFormatVersion: str
        RequestParameters: dict[str, str]
        RequestTemplates: dict[str, str]
        ResponseParameters: dict[str, dict[str, str]]
        TemplateSelectionExpression: str
        TimeoutInMillis: int
        TlsConfig: TlsConfigInput

    class UpdateIntegrationResult(TypedDict, total=False):
        ApiGatewayManaged: bool
        ConnectionId: str
        ConnectionType: str
        ContentHandlingStrategy: str
        CredentialsArn: str
        Description: str
        IntegrationId: str
        IntegrationMethod: str
        IntegrationResponseSelectionExpression: str
        IntegrationSubtype: str
        IntegrationType: str
        IntegrationUri: str
        PassthroughBehavior: str
        PayloadFormatVersion: str
        RequestParameters: dict[str, str]
        RequestTemplates: dict[str, str]
        ResponseParameters: dict[str, dict[str, str]]
        TemplateSelectionExpression: str
        TimeoutInMillis: int
        TlsConfig: TlsConfig

    class UpdateRouteRequest(TypedDict, total=False):
        ApiId: Required[str]
        ApiKeyRequired: bool
        AuthorizationScopes: list[str]
        AuthorizationType: str
        AuthorizerId: str
        ModelSelectionExpression: str
        OperationName: str
        RequestModels: dict[str, str]
        RequestParameters: dict[str, ParameterConstraints]
        RouteId: Required[str]
        RouteKey: str
        RouteResponseSelectionExpression: str
        Target: str

    class UpdateRouteResult(TypedDict, total=False):
        ApiGatewayManaged: bool
        ApiKeyRequired: bool
        AuthorizationScopes: list[str]
        AuthorizationType: str
        AuthorizerId: str
        ModelSelectionExpression: str
        OperationName: str
        RequestModels: dict[str, str]
        RequestParameters: dict[str, ParameterConstraints]
        RouteId: str
        RouteKey: str
        RouteResponseSelectionExpression: str
        Target: str

    class UpdateStageRequest(TypedDict, total=False):
        AccessLogSettings: AccessLogSettings
        ApiId: Required[str]
        AutoDeploy: bool
        ClientCertificateId: str
        DefaultRouteSettings: RouteSettings
        DeploymentId: str
        Description: str
        RouteSettings: dict[str, RouteSettings]
        StageName: Required[str]
        StageVariables: dict[str, str]

    class UpdateStageResponse(TypedDict, total=False):
        AccessLogSettings: AccessLogSettings
        ApiGatewayManaged: bool
        AutoDeploy: bool
        ClientCertificateId: str
        CreatedDate: datetime
        DefaultRouteSettings: RouteSettings
        DeploymentId: str
        Description: str
        LastDeploymentStatusMessage: str
        LastUpdatedDate: datetime
        RouteSettings: dict[str, RouteSettings]
        StageName: str
        StageVariables: dict[str, str]
        Tags: dict[str, str]

else:

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return dict
