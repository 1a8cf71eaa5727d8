"""
What becomes of each input member and each error of the IAM API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

_PAGE = "Marker MaxItems"
_TAGS = "Tags[].Key Tags[].Value"
_CONTEXT = "ContextEntries[].ContextKeyName ContextEntries[].ContextKeyValues ContextEntries[].ContextKeyType"
_SIMULATED = (
    f"ActionNames ResourceArns ResourcePolicy ResourceOwner CallerArn {_CONTEXT} PermissionsBoundaryPolicyInputList "
    f"PolicyInputList {_PAGE}"
)

JUDGEMENTS = Judgements(
    acting={
        "AddRoleToInstanceProfile": "InstanceProfileName RoleName",
        "AddUserToGroup": "GroupName UserName",
        "AttachGroupPolicy": "GroupName PolicyArn",
        "AttachRolePolicy": "RoleName PolicyArn",
        "AttachUserPolicy": "UserName PolicyArn",
        "CreateAccessKey": "UserName",
        "CreateAccountAlias": "AccountAlias",
        "CreateGroup": "Path GroupName",
        "CreateInstanceProfile": f"InstanceProfileName Path {_TAGS}",
        "CreatePolicy": f"PolicyName Path PolicyDocument Description {_TAGS}",
        "CreatePolicyVersion": "PolicyArn PolicyDocument SetAsDefault",
        "CreateRole": (
            f"Path RoleName AssumeRolePolicyDocument Description MaxSessionDuration PermissionsBoundary {_TAGS}"
        ),
        "CreateServiceLinkedRole": "AWSServiceName Description CustomSuffix",
        "CreateUser": f"Path UserName PermissionsBoundary {_TAGS}",
        "DeleteAccessKey": "UserName AccessKeyId",
        "DeleteAccountAlias": "AccountAlias",
        "DeleteGroup": "GroupName",
        "DeleteGroupPolicy": "GroupName PolicyName",
        "DeleteInstanceProfile": "InstanceProfileName",
        "DeletePolicy": "PolicyArn",
        "DeletePolicyVersion": "PolicyArn VersionId",
        "DeleteRole": "RoleName",
        "DeleteRolePermissionsBoundary": "RoleName",
        "DeleteRolePolicy": "RoleName PolicyName",
        "DeleteServiceLinkedRole": "RoleName",
        "DeleteUser": "UserName",
        "DeleteUserPermissionsBoundary": "UserName",
        "DeleteUserPolicy": "UserName PolicyName",
        "DetachGroupPolicy": "GroupName PolicyArn",
        "DetachRolePolicy": "RoleName PolicyArn",
        "DetachUserPolicy": "UserName PolicyArn",
        "GetAccessKeyLastUsed": "AccessKeyId",
        "GetAccountAuthorizationDetails": f"Filter {_PAGE}",
        "GetAccountPasswordPolicy": "",
        "GetAccountSummary": "",
        "GetContextKeysForCustomPolicy": "PolicyInputList",
        "GetContextKeysForPrincipalPolicy": "PolicySourceArn PolicyInputList",
        "GetGroup": f"GroupName {_PAGE}",
        "GetGroupPolicy": "GroupName PolicyName",
        "GetInstanceProfile": "InstanceProfileName",
        "GetPolicy": "PolicyArn",
        "GetPolicyVersion": "PolicyArn VersionId",
        "GetRole": "RoleName",
        "GetRolePolicy": "RoleName PolicyName",
        "GetServiceLinkedRoleDeletionStatus": "DeletionTaskId",
        "GetUser": "UserName",
        "GetUserPolicy": "UserName PolicyName",
        "ListAccessKeys": f"UserName {_PAGE}",
        "ListAccountAliases": _PAGE,
        "ListAttachedGroupPolicies": f"GroupName PathPrefix {_PAGE}",
        "ListAttachedRolePolicies": f"RoleName PathPrefix {_PAGE}",
        "ListAttachedUserPolicies": f"UserName PathPrefix {_PAGE}",
        "ListEntitiesForPolicy": f"PolicyArn EntityFilter PathPrefix PolicyUsageFilter {_PAGE}",
        "ListGroupPolicies": f"GroupName {_PAGE}",
        "ListGroups": f"PathPrefix {_PAGE}",
        "ListGroupsForUser": f"UserName {_PAGE}",
        "ListInstanceProfileTags": f"InstanceProfileName {_PAGE}",
        "ListInstanceProfiles": f"PathPrefix {_PAGE}",
        "ListInstanceProfilesForRole": f"RoleName {_PAGE}",
        "ListPolicies": f"Scope OnlyAttached PathPrefix PolicyUsageFilter {_PAGE}",
        "ListPolicyTags": f"PolicyArn {_PAGE}",
        "ListPolicyVersions": f"PolicyArn {_PAGE}",
        "ListRolePolicies": f"RoleName {_PAGE}",
        "ListRoleTags": f"RoleName {_PAGE}",
        "ListRoles": f"PathPrefix {_PAGE}",
        "ListUserPolicies": f"UserName {_PAGE}",
        "ListUserTags": f"UserName {_PAGE}",
        "ListUsers": f"PathPrefix {_PAGE}",
        "PutGroupPolicy": "GroupName PolicyName PolicyDocument",
        "PutRolePermissionsBoundary": "RoleName PermissionsBoundary",
        "PutRolePolicy": "RoleName PolicyName PolicyDocument",
        "PutUserPermissionsBoundary": "UserName PermissionsBoundary",
        "PutUserPolicy": "UserName PolicyName PolicyDocument",
        "RemoveRoleFromInstanceProfile": "InstanceProfileName RoleName",
        "RemoveUserFromGroup": "GroupName UserName",
        "SetDefaultPolicyVersion": "PolicyArn VersionId",
        "SimulateCustomPolicy": _SIMULATED,
        "SimulatePrincipalPolicy": f"PolicySourceArn {_SIMULATED}",
        "TagInstanceProfile": f"InstanceProfileName {_TAGS}",
        "TagPolicy": f"PolicyArn {_TAGS}",
        "TagRole": f"RoleName {_TAGS}",
        "TagUser": f"UserName {_TAGS}",
        "UntagInstanceProfile": "InstanceProfileName TagKeys",
        "UntagPolicy": "PolicyArn TagKeys",
        "UntagRole": "RoleName TagKeys",
        "UntagUser": "UserName TagKeys",
        "UpdateAccessKey": "UserName AccessKeyId Status",
        "UpdateAssumeRolePolicy": "RoleName PolicyDocument",
        "UpdateGroup": "GroupName NewPath NewGroupName",
        "UpdateRole": "RoleName Description MaxSessionDuration",
        "UpdateRoleDescription": "RoleName Description",
        "UpdateUser": "UserName NewPath NewUserName",
    },
    remarks={},
    echoed={},
    taken={
        "ResourceHandlingOption": "scenarios of EC2: what they would add to a request is not added",
    },
    refused={
        "OrderedOrganizationPolicyInputList": "there are no organizations",
        "PolicyExclusionList": "all policies of the principal have their say",
    },
    given=(
        "DeleteConflictException EntityAlreadyExistsException InvalidInputException LimitExceededException "
        "MalformedPolicyDocumentException NoSuchEntityException UnmodifiableEntityException"
    ),
    never={
        "changes of one account wait for each other, and are there at once": (
            "ConcurrentModificationException EntityTemporarilyUnmodifiableException RoleModifiedException"
        ),
        "no operation that is offered has it": (
            "AccountNotManagementOrDelegatedAdministratorException CallerIsNotManagementAccountException "
            "CredentialReportExpiredException CredentialReportNotPresentException CredentialReportNotReadyException "
            "DuplicateCertificateException DuplicateSSHPublicKeyException FeatureDisabledException "
            "FeatureEnabledException InvalidAuthenticationCodeException InvalidCertificateException "
            "InvalidPublicKeyException InvalidUserTypeException KeyPairMismatchException "
            "MalformedCertificateException OpenIdIdpCommunicationErrorException OrganizationNotFoundException "
            "OrganizationNotInAllFeaturesModeException PasswordPolicyViolationException "
            "ReportGenerationLimitExceededException RoleTemplateDisabledException ServiceAccessNotEnabledException "
            "UnrecognizedPublicKeyEncodingException"
        ),
        "every policy of AWS's may be attached, shipped or not": "PolicyNotAttachableException",
        "a policy that cannot be evaluated is refused as InvalidInput before": "PolicyEvaluationException",
        "names are unique in an account, and a second one is EntityAlreadyExists": "NameConflictException",
        "a failure of the server is answered as ServiceException, as for every service": "ServiceFailureException",
        "any service may have a linked role": "ServiceNotSupportedException",
    },
    shown_otherwise={},
)
