"""Operations of the API Gateway API, which are all that it has. A test proves that they are the service model."""

_OPERATIONS = (
    "CreateApiKey CreateAuthorizer CreateBasePathMapping CreateDeployment CreateDocumentationPart "
    "CreateDocumentationVersion CreateDomainName CreateDomainNameAccessAssociation CreateModel "
    "CreateRequestValidator CreateResource CreateRestApi CreateStage CreateUsagePlan CreateUsagePlanKey "
    "CreateVpcLink DeleteApiKey DeleteAuthorizer DeleteBasePathMapping DeleteClientCertificate DeleteDeployment "
    "DeleteDocumentationPart DeleteDocumentationVersion DeleteDomainName DeleteDomainNameAccessAssociation "
    "DeleteGatewayResponse DeleteIntegration DeleteIntegrationResponse DeleteMethod DeleteMethodResponse "
    "DeleteModel DeleteRequestValidator DeleteResource DeleteRestApi DeleteStage DeleteUsagePlan "
    "DeleteUsagePlanKey DeleteVpcLink FlushStageAuthorizersCache FlushStageCache GenerateClientCertificate "
    "GetAccount GetApiKey GetApiKeys GetAuthorizer GetAuthorizers GetBasePathMapping GetBasePathMappings "
    "GetClientCertificate GetClientCertificates GetDeployment GetDeployments GetDocumentationPart "
    "GetDocumentationParts GetDocumentationVersion GetDocumentationVersions GetDomainName "
    "GetDomainNameAccessAssociations GetDomainNames GetExport GetGatewayResponse GetGatewayResponses "
    "GetIntegration GetIntegrationResponse GetMethod GetMethodResponse GetModel GetModelTemplate GetModels "
    "GetRequestValidator GetRequestValidators GetResource GetResources GetRestApi GetRestApis GetSdk GetSdkType "
    "GetSdkTypes GetStage GetStages GetTags GetUsage GetUsagePlan GetUsagePlanKey GetUsagePlanKeys GetUsagePlans "
    "GetVpcLink GetVpcLinks ImportApiKeys ImportDocumentationParts ImportRestApi PutGatewayResponse "
    "PutIntegration PutIntegrationResponse PutMethod PutMethodResponse PutRestApi "
    "RejectDomainNameAccessAssociation TagResource TestInvokeAuthorizer TestInvokeMethod UntagResource "
    "UpdateAccount UpdateApiKey UpdateAuthorizer UpdateBasePathMapping UpdateClientCertificate UpdateDeployment "
    "UpdateDocumentationPart UpdateDocumentationVersion UpdateDomainName UpdateGatewayResponse UpdateIntegration "
    "UpdateIntegrationResponse UpdateMethod UpdateMethodResponse UpdateModel UpdateRequestValidator "
    "UpdateResource UpdateRestApi UpdateStage UpdateUsage UpdateUsagePlan UpdateVpcLink"
)

NOT_OFFERED = dict.fromkeys(
    _OPERATIONS.split(), "REST APIs come with a later version; HTTP APIs (apigatewayv2) are offered"
)
"""Operation to the reason."""
