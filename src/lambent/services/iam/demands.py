"""
What each operation of IAM asks leave for.

Documented: service authorization reference, AWS Identity and Access Management: actions, resources, condition keys.
A request names most of what it is about by name alone: the path in its ARN is looked up (`facts`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.access.authorize import PASS_ROLE, Demand
from lambent.access.conditions import of_tag_keys, of_tags
from lambent.domain.caller import Caller
from lambent.domain.policy import Value
from lambent.domain.principal import PrincipalType
from lambent.services.operation import Demands

_ROLE = (
    "AttachRolePolicy CreateRole DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy DetachRolePolicy GetRole "
    "GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies ListRoleTags "
    "PutRolePermissionsBoundary PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRole "
    "UpdateRoleDescription"
)
_USER = (
    "AttachUserPolicy CreateAccessKey CreateLoginProfile CreateUser DeleteAccessKey DeleteLoginProfile DeleteUser "
    "DeleteUserPermissionsBoundary DeleteUserPolicy DetachUserPolicy GetLoginProfile GetUser GetUserPolicy "
    "ListAccessKeys ListAttachedUserPolicies ListGroupsForUser ListMFADevices ListSSHPublicKeys "
    "ListServiceSpecificCredentials ListSigningCertificates ListUserPolicies ListUserTags PutUserPermissionsBoundary "
    "PutUserPolicy TagUser UntagUser UpdateAccessKey UpdateLoginProfile UpdateUser"
)
_GROUP = (
    "AddUserToGroup AttachGroupPolicy CreateGroup DeleteGroup DeleteGroupPolicy DetachGroupPolicy GetGroup "
    "GetGroupPolicy ListAttachedGroupPolicies ListGroupPolicies PutGroupPolicy RemoveUserFromGroup UpdateGroup"
)
_POLICY = (
    "CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion ListEntitiesForPolicy "
    "ListPolicyTags ListPolicyVersions SetDefaultPolicyVersion TagPolicy UntagPolicy"
)
_PROFILE = (
    "CreateInstanceProfile DeleteInstanceProfile GetInstanceProfile ListInstanceProfileTags "
    "RemoveRoleFromInstanceProfile TagInstanceProfile UntagInstanceProfile"
)
_PROVIDER = (
    "AddClientIDToOpenIDConnectProvider DeleteOpenIDConnectProvider GetOpenIDConnectProvider "
    "ListOpenIDConnectProviderTags RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider "
    "UntagOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint"
)
_ANYWHERE = (
    "CreateAccountAlias DeleteAccountAlias DeleteAccountPasswordPolicy GenerateCredentialReport "
    "GetAccountAuthorizationDetails GetAccountPasswordPolicy GetAccountSummary GetContextKeysForCustomPolicy "
    "GetCredentialReport ListAccountAliases ListGroups ListInstanceProfiles ListOpenIDConnectProviders ListPolicies "
    "ListRoles ListSAMLProviders ListServerCertificates ListUsers ListVirtualMFADevices SimulateCustomPolicy "
    "UpdateAccountPasswordPolicy"
)

_TAGS_NEW = {"CreateRole": "TagRole", "CreateUser": "TagUser", "CreatePolicy": "TagPolicy"} | {
    "CreateInstanceProfile": "TagInstanceProfile",
    "CreateOpenIDConnectProvider": "TagOpenIDConnectProvider",
}
"""Documented: IAM user guide, tagging: to tag what is created takes leave for that as well."""


def _named(operation: str, kind: str, member: str, shown: str) -> Demands:
    """Return the demands of an operation on what is named in `member`."""

    def demands(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        name = request.get(member)
        arn = _arn(caller, kind, request.get("Path") or "/", name) if name else _own_arn(caller)
        own = arn.rpartition("/")[2] if arn != "*" else "*"
        found = [_demand(operation, arn, f"{shown} {name or own}", request)]
        found += _tagging(operation, found[0])
        if new := request.get(f"New{member}"):
            # Documented: IAM API reference, UpdateUser and UpdateGroup: leave for the old and the new.
            renamed = _arn(caller, kind, request.get("NewPath") or "/", new)
            found.append(_demand(operation, renamed, f"{shown} {new}", request))
        elif path := request.get("NewPath"):
            found.append(_demand(operation, _arn(caller, kind, path, name or own), f"{shown} {name or own}", request))
        return found

    return demands


def _own_arn(caller: Caller) -> str:
    """Return the caller's own ARN, whom some operations are about where they name nobody."""
    principal = caller.principal
    return principal.identity_arn if principal.type in {PrincipalType.USER, PrincipalType.ROOT} else "*"


def _by_arn(operation: str, member: str, shown: str) -> Demands:
    def demands(_: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        arn = request[member]
        return (_demand(operation, arn if arn.startswith("arn:") else "*", f"{shown} {arn}", request),)

    return demands


def _anywhere(operation: str) -> Demands:
    return lambda _caller, _request: (Demand(f"iam:{operation}"),)


def _create_policy(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    arn = _arn(caller, "policy", request.get("Path") or "/", request["PolicyName"])
    found = _demand("CreatePolicy", arn, f"policy {request['PolicyName']}", request)
    return [found, *_tagging("CreatePolicy", found)]


def _create_provider(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    url = request["Url"].partition("://")[2] or request["Url"]
    arn = f"arn:aws:iam::{caller.scope.account}:oidc-provider/{url.rstrip('/')}"
    found = _demand("CreateOpenIDConnectProvider", arn, arn, request)
    return [found, *_tagging("CreateOpenIDConnectProvider", found)]


def _add_to_profile(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    name, role = request["InstanceProfileName"], request["RoleName"]
    profile = _arn(caller, "instance-profile", "/", name)
    # Documented: IAM API reference, AddRoleToInstanceProfile: the caller must be granted the PassRole permission.
    passing = Demand(PASS_ROLE, _arn(caller, "role", "/", role), context={"iam:passedtoservice": "ec2.amazonaws.com"})
    return _demand("AddRoleToInstanceProfile", profile, f"instance profile {name}", request), passing


def _create_linked_role(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    service = request["AWSServiceName"]
    arn = _arn(caller, "role", f"/aws-service-role/{service}/", "*")
    return (Demand("iam:CreateServiceLinkedRole", arn, context={"iam:awsservicename": service}),)


def _delete_linked_role(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    name = request["RoleName"]
    return (Demand("iam:DeleteServiceLinkedRole", _arn(caller, "role", "/", name), shown_as=f"role {name}"),)


def _linked_role_task(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    # Observed: the id is `task/aws-service-role/<service>/<role>/<uuid>` (localstack/localstack, recorded).
    parts = request["DeletionTaskId"].split("/")
    arn = _arn(caller, "role", f"/aws-service-role/{parts[2]}/", parts[3]) if len(parts) == 5 else "*"
    return (Demand("iam:GetServiceLinkedRoleDeletionStatus", arn),)


def _last_used(caller: Caller, _: Mapping[str, Any]) -> Sequence[Demand]:
    # Whose key it is, is what is asked. Documented: the action takes users as its resource.
    return (Demand("iam:GetAccessKeyLastUsed", _arn(caller, "user", "/", "*")),)


def _demand(operation: str, arn: str, shown: str, request: Mapping[str, Any]) -> Demand:
    context: dict[str, Value] = {}
    if boundary := request.get("PermissionsBoundary"):
        context["iam:permissionsboundary"] = boundary
    if operation.startswith(("Attach", "Detach")):
        context["iam:policyarn"] = request["PolicyArn"]
    context |= of_tags({tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()})
    context |= of_tag_keys(request.get("TagKeys") or ())
    return Demand(f"iam:{operation}", arn, shown_as="*" if arn == "*" else shown, context=context)


def _tagging(operation: str, creating: Demand) -> Sequence[Demand]:
    if operation not in _TAGS_NEW or "aws:tagkeys" not in creating.context:
        return ()
    return (
        Demand(f"iam:{_TAGS_NEW[operation]}", creating.resource, shown_as=creating.shown_as, context=creating.context),
    )


def _arn(caller: Caller, kind: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{caller.scope.account}:{kind}{path}{name}"


DEMANDS: Mapping[str, Demands] = {
    **{operation: _named(operation, "role", "RoleName", "role") for operation in _ROLE.split()},
    **{operation: _named(operation, "user", "UserName", "user") for operation in _USER.split()},
    **{operation: _named(operation, "group", "GroupName", "group") for operation in _GROUP.split()},
    **{operation: _by_arn(operation, "PolicyArn", "policy") for operation in _POLICY.split()},
    **{
        operation: _named(operation, "instance-profile", "InstanceProfileName", "instance profile")
        for operation in _PROFILE.split()
    },
    **{operation: _by_arn(operation, "OpenIDConnectProviderArn", "provider") for operation in _PROVIDER.split()},
    **{operation: _anywhere(operation) for operation in _ANYWHERE.split()},
    **{
        operation: _by_arn(operation, "PolicySourceArn", "resource")
        for operation in ("GetContextKeysForPrincipalPolicy", "SimulatePrincipalPolicy")
    },
    "AddRoleToInstanceProfile": _add_to_profile,
    "CreateOpenIDConnectProvider": _create_provider,
    "CreatePolicy": _create_policy,
    "CreateServiceLinkedRole": _create_linked_role,
    "DeleteServiceLinkedRole": _delete_linked_role,
    "GetAccessKeyLastUsed": _last_used,
    "GetServiceLinkedRoleDeletionStatus": _linked_role_task,
}
"""What each operation that may be offered asks leave for."""
