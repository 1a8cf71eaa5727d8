"""
What each operation of API Gateway asks leave for: the HTTP method, on the path of what it is about.

Documented: service authorization reference, Amazon API Gateway Management V2.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lambent.access.authorize import PASS_ROLE, Demand
from lambent.access.conditions import of_tag_keys, of_tags
from lambent.domain.caller import Caller
from lambent.domain.http_api import CALLERS_CREDENTIALS
from lambent.services.operation import Demands

SERVICE = "apigateway.amazonaws.com"

_PATHS = """
POST    /apis                                                           CreateApi
PUT     /apis                                                           ImportApi
GET     /apis                                                           GetApis
GET     /apis/{ApiId}                                                   GetApi
PATCH   /apis/{ApiId}                                                   UpdateApi
PUT     /apis/{ApiId}                                                   ReimportApi
DELETE  /apis/{ApiId}                                                   DeleteApi
DELETE  /apis/{ApiId}/cors                                              DeleteCorsConfiguration
GET     /apis/{ApiId}/exports/{Specification}                           ExportApi
POST    /apis/{ApiId}/authorizers                                       CreateAuthorizer
GET     /apis/{ApiId}/authorizers                                       GetAuthorizers
GET     /apis/{ApiId}/authorizers/{AuthorizerId}                        GetAuthorizer
PATCH   /apis/{ApiId}/authorizers/{AuthorizerId}                        UpdateAuthorizer
DELETE  /apis/{ApiId}/authorizers/{AuthorizerId}                        DeleteAuthorizer
POST    /apis/{ApiId}/deployments                                       CreateDeployment
GET     /apis/{ApiId}/deployments                                       GetDeployments
GET     /apis/{ApiId}/deployments/{DeploymentId}                        GetDeployment
PATCH   /apis/{ApiId}/deployments/{DeploymentId}                        UpdateDeployment
DELETE  /apis/{ApiId}/deployments/{DeploymentId}                        DeleteDeployment
POST    /apis/{ApiId}/integrations                                      CreateIntegration
GET     /apis/{ApiId}/integrations                                      GetIntegrations
GET     /apis/{ApiId}/integrations/{IntegrationId}                      GetIntegration
PATCH   /apis/{ApiId}/integrations/{IntegrationId}                      UpdateIntegration
DELETE  /apis/{ApiId}/integrations/{IntegrationId}                      DeleteIntegration
POST    /apis/{ApiId}/routes                                            CreateRoute
GET     /apis/{ApiId}/routes                                            GetRoutes
GET     /apis/{ApiId}/routes/{RouteId}                                  GetRoute
PATCH   /apis/{ApiId}/routes/{RouteId}                                  UpdateRoute
DELETE  /apis/{ApiId}/routes/{RouteId}                                  DeleteRoute
POST    /apis/{ApiId}/stages                                            CreateStage
GET     /apis/{ApiId}/stages                                            GetStages
GET     /apis/{ApiId}/stages/{StageName}                                GetStage
PATCH   /apis/{ApiId}/stages/{StageName}                                UpdateStage
DELETE  /apis/{ApiId}/stages/{StageName}                                DeleteStage
DELETE  /apis/{ApiId}/stages/{StageName}/accesslogsettings              DeleteAccessLogSettings
DELETE  /apis/{ApiId}/stages/{StageName}/routesettings/{RouteKey}       DeleteRouteSettings
DELETE  /apis/{ApiId}/stages/{StageName}/cache/authorizers              ResetAuthorizersCache
POST    /domainnames                                                    CreateDomainName
GET     /domainnames                                                    GetDomainNames
GET     /domainnames/{DomainName}                                       GetDomainName
PATCH   /domainnames/{DomainName}                                       UpdateDomainName
DELETE  /domainnames/{DomainName}                                       DeleteDomainName
POST    /domainnames/{DomainName}/apimappings                           CreateApiMapping
GET     /domainnames/{DomainName}/apimappings                           GetApiMappings
GET     /domainnames/{DomainName}/apimappings/{ApiMappingId}            GetApiMapping
PATCH   /domainnames/{DomainName}/apimappings/{ApiMappingId}            UpdateApiMapping
DELETE  /domainnames/{DomainName}/apimappings/{ApiMappingId}            DeleteApiMapping
GET     /tags/{ResourceArn}                                             GetTags
POST    /tags/{ResourceArn}                                             TagResource
DELETE  /tags/{ResourceArn}                                             UntagResource
"""
"""Method and path of each operation, as the service model has them, without `/v2`."""

_ROLES = ("CredentialsArn", "AuthorizerCredentialsArn")


def pass_role(role: str) -> Demand:
    """Return what hands a role to the gateway. Documented: IAM user guide, passing roles to services."""
    return Demand(PASS_ROLE, role, context={"iam:passedtoservice": SERVICE})


def _demands(method: str, path: str) -> Demands:
    segments = path.split("/")

    def demands(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        # Encoded, so that no name reads like a path below another one.
        filled = "/".join(
            quote(str(request[segment[1:-1]]), safe="$") if segment.startswith("{") else segment for segment in segments
        )
        tags = of_tags(request.get("Tags") or {}) or of_tag_keys(request.get("TagKeys") or ())
        arn = f"arn:aws:apigateway:{caller.scope.region}::{filled}"
        own = Demand(f"apigateway:{method}", arn, caller.scope.account, context=tags)
        roles = [request[member] for member in _ROLES if request.get(member)]
        # With the caller's own credentials no role is handed over. Assumed: so none needs to be passed
        # (test_http_api_iam).
        return own, *(pass_role(role) for role in roles if role != CALLERS_CREDENTIALS)

    return demands


DEMANDS: Mapping[str, Demands] = {
    operation: _demands(method, path)
    for method, path, operation in (line.split() for line in _PATHS.strip().splitlines())
}
"""What each operation that is offered asks leave for. What a definition says of roles is known once it is read."""
