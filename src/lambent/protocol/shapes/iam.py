"""
Structures of the `iam` service model that this version reads or answers.

Members that an input must have are `Required`: the validator has seen them before a handler does.
For who checks types: while the server runs each name stands for `dict`, which saves it some MiB.
Written by tools/generate.py from botocore's service model. Do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Required, TypedDict

    class AccessKey(TypedDict, total=False):
        UserName: str
        AccessKeyId: str
        Status: str
        SecretAccessKey: str
        CreateDate: datetime

    class AccessKeyLastUsed(TypedDict, total=False):
        LastUsedDate: datetime
        ServiceName: str
        Region: str

    class AccessKeyMetadata(TypedDict, total=False):
        UserName: str
        AccessKeyId: str
        Status: str
        CreateDate: datetime

    class AddRoleToInstanceProfileRequest(TypedDict, total=False):
        InstanceProfileName: Required[str]
        RoleName: Required[str]

    class AddUserToGroupRequest(TypedDict, total=False):
        GroupName: Required[str]
        UserName: Required[str]

    class AttachGroupPolicyRequest(TypedDict, total=False):
        GroupName: Required[str]
        PolicyArn: Required[str]

    class AttachRolePolicyRequest(TypedDict, total=False):
        RoleName: Required[str]
        PolicyArn: Required[str]

    class AttachUserPolicyRequest(TypedDict, total=False):
        UserName: Required[str]
        PolicyArn: Required[str]

    class AttachedPermissionsBoundary(TypedDict, total=False):
        PermissionsBoundaryType: str
        PermissionsBoundaryArn: str

    class AttachedPolicy(TypedDict, total=False):
        PolicyName: str
        PolicyArn: str

    class ContextEntry(TypedDict, total=False):
        ContextKeyName: str
        ContextKeyValues: list[str]
        ContextKeyType: str

    class CreateAccessKeyRequest(TypedDict, total=False):
        UserName: str

    class CreateAccessKeyResponse(TypedDict, total=False):
        AccessKey: AccessKey

    class CreateAccountAliasRequest(TypedDict, total=False):
        AccountAlias: Required[str]

    class CreateGroupRequest(TypedDict, total=False):
        Path: str
        GroupName: Required[str]

    class CreateGroupResponse(TypedDict, total=False):
        Group: Group

    class CreateInstanceProfileRequest(TypedDict, total=False):
        InstanceProfileName: Required[str]
        Path: str
        Tags: list[Tag]

    class CreateInstanceProfileResponse(TypedDict, total=False):
        InstanceProfile: InstanceProfile

    class CreatePolicyRequest(TypedDict, total=False):
        PolicyName: Required[str]
        Path: str
        PolicyDocument: Required[str]
        Description: str
        Tags: list[Tag]

    class CreatePolicyResponse(TypedDict, total=False):
        Policy: Policy

    class CreatePolicyVersionRequest(TypedDict, total=False):
        PolicyArn: Required[str]
        PolicyDocument: Required[str]
        SetAsDefault: bool

    class CreatePolicyVersionResponse(TypedDict, total=False):
        PolicyVersion: PolicyVersion

    class CreateRoleRequest(TypedDict, total=False):
        Path: str
        RoleName: Required[str]
        AssumeRolePolicyDocument: Required[str]
        Description: str
        MaxSessionDuration: int
        PermissionsBoundary: str
        Tags: list[Tag]

    class CreateRoleResponse(TypedDict, total=False):
        Role: Role

    class CreateServiceLinkedRoleRequest(TypedDict, total=False):
        AWSServiceName: Required[str]
        Description: str
        CustomSuffix: str

    class CreateServiceLinkedRoleResponse(TypedDict, total=False):
        Role: Role

    class CreateUserRequest(TypedDict, total=False):
        Path: str
        UserName: Required[str]
        PermissionsBoundary: str
        Tags: list[Tag]

    class CreateUserResponse(TypedDict, total=False):
        User: User

    class DeleteAccessKeyRequest(TypedDict, total=False):
        UserName: str
        AccessKeyId: Required[str]

    class DeleteAccountAliasRequest(TypedDict, total=False):
        AccountAlias: Required[str]

    class DeleteGroupPolicyRequest(TypedDict, total=False):
        GroupName: Required[str]
        PolicyName: Required[str]

    class DeleteGroupRequest(TypedDict, total=False):
        GroupName: Required[str]

    class DeleteInstanceProfileRequest(TypedDict, total=False):
        InstanceProfileName: Required[str]

    class DeletePolicyRequest(TypedDict, total=False):
        PolicyArn: Required[str]

    class DeletePolicyVersionRequest(TypedDict, total=False):
        PolicyArn: Required[str]
        VersionId: Required[str]

    class DeleteRolePermissionsBoundaryRequest(TypedDict, total=False):
        RoleName: Required[str]

    class DeleteRolePolicyRequest(TypedDict, total=False):
        RoleName: Required[str]
        PolicyName: Required[str]

    class DeleteRoleRequest(TypedDict, total=False):
        RoleName: Required[str]

    class DeleteServiceLinkedRoleRequest(TypedDict, total=False):
        RoleName: Required[str]

    class DeleteServiceLinkedRoleResponse(TypedDict, total=False):
        DeletionTaskId: str

    class DeleteUserPermissionsBoundaryRequest(TypedDict, total=False):
        UserName: Required[str]

    class DeleteUserPolicyRequest(TypedDict, total=False):
        UserName: Required[str]
        PolicyName: Required[str]

    class DeleteUserRequest(TypedDict, total=False):
        UserName: Required[str]

    class DeletionTaskFailureReasonType(TypedDict, total=False):
        Reason: str
        RoleUsageList: list[RoleUsageType]

    class DetachGroupPolicyRequest(TypedDict, total=False):
        GroupName: Required[str]
        PolicyArn: Required[str]

    class DetachRolePolicyRequest(TypedDict, total=False):
        RoleName: Required[str]
        PolicyArn: Required[str]

    class DetachUserPolicyRequest(TypedDict, total=False):
        UserName: Required[str]
        PolicyArn: Required[str]

    class EvaluationResult(TypedDict, total=False):
        EvalActionName: str
        EvalResourceName: str
        EvalDecision: str
        MatchedStatements: list[Statement]
        MissingContextValues: list[str]
        OrganizationsDecisionDetail: OrganizationsDecisionDetail
        PermissionsBoundaryDecisionDetail: PermissionsBoundaryDecisionDetail
        EvalDecisionDetails: dict[str, str]
        ResourceSpecificResults: list[ResourceSpecificResult]

    class GetAccessKeyLastUsedRequest(TypedDict, total=False):
        AccessKeyId: Required[str]

    class GetAccessKeyLastUsedResponse(TypedDict, total=False):
        UserName: str
        AccessKeyLastUsed: AccessKeyLastUsed

    class GetAccountAuthorizationDetailsRequest(TypedDict, total=False):
        Filter: list[str]
        MaxItems: int
        Marker: str

    class GetAccountAuthorizationDetailsResponse(TypedDict, total=False):
        UserDetailList: list[UserDetail]
        GroupDetailList: list[GroupDetail]
        RoleDetailList: list[RoleDetail]
        Policies: list[ManagedPolicyDetail]
        IsTruncated: bool
        Marker: str

    class GetAccountPasswordPolicyResponse(TypedDict, total=False):
        PasswordPolicy: PasswordPolicy

    class GetAccountSummaryResponse(TypedDict, total=False):
        SummaryMap: dict[str, int]

    class GetContextKeysForCustomPolicyRequest(TypedDict, total=False):
        PolicyInputList: Required[list[str]]

    class GetContextKeysForPolicyResponse(TypedDict, total=False):
        ContextKeyNames: list[str]

    class GetContextKeysForPrincipalPolicyRequest(TypedDict, total=False):
        PolicySourceArn: Required[str]
        PolicyInputList: list[str]

    class GetGroupPolicyRequest(TypedDict, total=False):
        GroupName: Required[str]
        PolicyName: Required[str]

    class GetGroupPolicyResponse(TypedDict, total=False):
        GroupName: str
        PolicyName: str
        PolicyDocument: str

    class GetGroupRequest(TypedDict, total=False):
        GroupName: Required[str]
        Marker: str
        MaxItems: int

    class GetGroupResponse(TypedDict, total=False):
        Group: Group
        Users: list[User]
        IsTruncated: bool
        Marker: str

    class GetInstanceProfileRequest(TypedDict, total=False):
        InstanceProfileName: Required[str]

    class GetInstanceProfileResponse(TypedDict, total=False):
        InstanceProfile: InstanceProfile

    class GetPolicyRequest(TypedDict, total=False):
        PolicyArn: Required[str]

    class GetPolicyResponse(TypedDict, total=False):
        Policy: Policy

    class GetPolicyVersionRequest(TypedDict, total=False):
        PolicyArn: Required[str]
        VersionId: Required[str]

    class GetPolicyVersionResponse(TypedDict, total=False):
        PolicyVersion: PolicyVersion

    class GetRolePolicyRequest(TypedDict, total=False):
        RoleName: Required[str]
        PolicyName: Required[str]

    class GetRolePolicyResponse(TypedDict, total=False):
        RoleName: str
        PolicyName: str
        PolicyDocument: str

    class GetRoleRequest(TypedDict, total=False):
        RoleName: Required[str]

    class GetRoleResponse(TypedDict, total=False):
        Role: Role

    class GetServiceLinkedRoleDeletionStatusRequest(TypedDict, total=False):
        DeletionTaskId: Required[str]

    class GetServiceLinkedRoleDeletionStatusResponse(TypedDict, total=False):
        Status: str
        Reason: DeletionTaskFailureReasonType

    class GetUserPolicyRequest(TypedDict, total=False):
        UserName: Required[str]
        PolicyName: Required[str]

    class GetUserPolicyResponse(TypedDict, total=False):
        UserName: str
        PolicyName: str
        PolicyDocument: str

    class GetUserRequest(TypedDict, total=False):
        UserName: str

    class GetUserResponse(TypedDict, total=False):
        User: User

    class Group(TypedDict, total=False):
        Path: str
        GroupName: str
        GroupId: str
        Arn: str
        CreateDate: datetime

    class GroupDetail(TypedDict, total=False):
        Path: str
        GroupName: str
        GroupId: str
        Arn: str
        CreateDate: datetime
        GroupPolicyList: list[PolicyDetail]
        AttachedManagedPolicies: list[AttachedPolicy]

    class InlinePolicyIdentifierType(TypedDict, total=False):
        PolicyName: Required[str]
        AttachmentType: Required[str]
        AttachmentName: Required[str]

    class InstanceProfile(TypedDict, total=False):
        Path: str
        InstanceProfileName: str
        InstanceProfileId: str
        Arn: str
        CreateDate: datetime
        Roles: list[Role]
        Tags: list[Tag]

    class ListAccessKeysRequest(TypedDict, total=False):
        UserName: str
        Marker: str
        MaxItems: int

    class ListAccessKeysResponse(TypedDict, total=False):
        AccessKeyMetadata: list[AccessKeyMetadata]
        IsTruncated: bool
        Marker: str

    class ListAccountAliasesRequest(TypedDict, total=False):
        Marker: str
        MaxItems: int

    class ListAccountAliasesResponse(TypedDict, total=False):
        AccountAliases: list[str]
        IsTruncated: bool
        Marker: str

    class ListAttachedGroupPoliciesRequest(TypedDict, total=False):
        GroupName: Required[str]
        PathPrefix: str
        Marker: str
        MaxItems: int

    class ListAttachedGroupPoliciesResponse(TypedDict, total=False):
        AttachedPolicies: list[AttachedPolicy]
        IsTruncated: bool
        Marker: str

    class ListAttachedRolePoliciesRequest(TypedDict, total=False):
        RoleName: Required[str]
        PathPrefix: str
        Marker: str
        MaxItems: int

    class ListAttachedRolePoliciesResponse(TypedDict, total=False):
        AttachedPolicies: list[AttachedPolicy]
        IsTruncated: bool
        Marker: str

    class ListAttachedUserPoliciesRequest(TypedDict, total=False):
        UserName: Required[str]
        PathPrefix: str
        Marker: str
        MaxItems: int

    class ListAttachedUserPoliciesResponse(TypedDict, total=False):
        AttachedPolicies: list[AttachedPolicy]
        IsTruncated: bool
        Marker: str

    class ListEntitiesForPolicyRequest(TypedDict, total=False):
        PolicyArn: Required[str]
        EntityFilter: str
        PathPrefix: str
        PolicyUsageFilter: str
        Marker: str
        MaxItems: int

    class ListEntitiesForPolicyResponse(TypedDict, total=False):
        PolicyGroups: list[PolicyGroup]
        PolicyUsers: list[PolicyUser]
        PolicyRoles: list[PolicyRole]
        IsTruncated: bool
        Marker: str

    class ListGroupPoliciesRequest(TypedDict, total=False):
        GroupName: Required[str]
        Marker: str
        MaxItems: int

    class ListGroupPoliciesResponse(TypedDict, total=False):
        PolicyNames: list[str]
        IsTruncated: bool
        Marker: str

    class ListGroupsForUserRequest(TypedDict, total=False):
        UserName: Required[str]
        Marker: str
        MaxItems: int

    class ListGroupsForUserResponse(TypedDict, total=False):
        Groups: list[Group]
        IsTruncated: bool
        Marker: str

    class ListGroupsRequest(TypedDict, total=False):
        PathPrefix: str
        Marker: str
        MaxItems: int

    class ListGroupsResponse(TypedDict, total=False):
        Groups: list[Group]
        IsTruncated: bool
        Marker: str

    class ListInstanceProfileTagsRequest(TypedDict, total=False):
        InstanceProfileName: Required[str]
        Marker: str
        MaxItems: int

    class ListInstanceProfileTagsResponse(TypedDict, total=False):
        Tags: list[Tag]
        IsTruncated: bool
        Marker: str

    class ListInstanceProfilesForRoleRequest(TypedDict, total=False):
        RoleName: Required[str]
        Marker: str
        MaxItems: int

    class ListInstanceProfilesForRoleResponse(TypedDict, total=False):
        InstanceProfiles: list[InstanceProfile]
        IsTruncated: bool
        Marker: str

    class ListInstanceProfilesRequest(TypedDict, total=False):
        PathPrefix: str
        Marker: str
        MaxItems: int

    class ListInstanceProfilesResponse(TypedDict, total=False):
        InstanceProfiles: list[InstanceProfile]
        IsTruncated: bool
        Marker: str

    class ListPoliciesRequest(TypedDict, total=False):
        Scope: str
        OnlyAttached: bool
        PathPrefix: str
        PolicyUsageFilter: str
        Marker: str
        MaxItems: int

    class ListPoliciesResponse(TypedDict, total=False):
        Policies: list[Policy]
        IsTruncated: bool
        Marker: str

    class ListPolicyTagsRequest(TypedDict, total=False):
        PolicyArn: Required[str]
        Marker: str
        MaxItems: int

    class ListPolicyTagsResponse(TypedDict, total=False):
        Tags: list[Tag]
        IsTruncated: bool
        Marker: str

    class ListPolicyVersionsRequest(TypedDict, total=False):
        PolicyArn: Required[str]
        Marker: str
        MaxItems: int

    class ListPolicyVersionsResponse(TypedDict, total=False):
        Versions: list[PolicyVersion]
        IsTruncated: bool
        Marker: str

    class ListRolePoliciesRequest(TypedDict, total=False):
        RoleName: Required[str]
        Marker: str
        MaxItems: int

    class ListRolePoliciesResponse(TypedDict, total=False):
        PolicyNames: list[str]
        IsTruncated: bool
        Marker: str

    class ListRoleTagsRequest(TypedDict, total=False):
        RoleName: Required[str]
        Marker: str
        MaxItems: int

    class ListRoleTagsResponse(TypedDict, total=False):
        Tags: list[Tag]
        IsTruncated: bool
        Marker: str

    class ListRolesRequest(TypedDict, total=False):
        PathPrefix: str
        Marker: str
        MaxItems: int

    class ListRolesResponse(TypedDict, total=False):
        Roles: list[Role]
        IsTruncated: bool
        Marker: str

    class ListUserPoliciesRequest(TypedDict, total=False):
        UserName: Required[str]
        Marker: str
        MaxItems: int

    class ListUserPoliciesResponse(TypedDict, total=False):
        PolicyNames: list[str]
        IsTruncated: bool
        Marker: str

    class ListUserTagsRequest(TypedDict, total=False):
        UserName: Required[str]
        Marker: str
        MaxItems: int

    class ListUserTagsResponse(TypedDict, total=False):
        Tags: list[Tag]
        IsTruncated: bool
        Marker: str

    class ListUsersRequest(TypedDict, total=False):
        PathPrefix: str
        Marker: str
        MaxItems: int

    class ListUsersResponse(TypedDict, total=False):
        Users: list[User]
        IsTruncated: bool
        Marker: str

    class ManagedPolicyDetail(TypedDict, total=False):
        PolicyName: str
        PolicyId: str
        Arn: str
        Path: str
        DefaultVersionId: str
        AttachmentCount: int
        PermissionsBoundaryUsageCount: int
        IsAttachable: bool
        Description: str
        CreateDate: datetime
        UpdateDate: datetime
        PolicyVersionList: list[PolicyVersion]

    class OrderedOrganizationPolicyType(TypedDict, total=False):
        ServiceControlPolicyInputList: list[str]

    class OrganizationsDecisionDetail(TypedDict, total=False):
        AllowedByOrganizations: bool

    class PasswordPolicy(TypedDict, total=False):
        MinimumPasswordLength: int
        RequireSymbols: bool
        RequireNumbers: bool
        RequireUppercaseCharacters: bool
        RequireLowercaseCharacters: bool
        AllowUsersToChangePassword: bool
        ExpirePasswords: bool
        MaxPasswordAge: int
        PasswordReusePrevention: int
        HardExpiry: bool

    class PermissionsBoundaryDecisionDetail(TypedDict, total=False):
        AllowedByPermissionsBoundary: bool

    class Policy(TypedDict, total=False):
        PolicyName: str
        PolicyId: str
        Arn: str
        Path: str
        DefaultVersionId: str
        AttachmentCount: int
        PermissionsBoundaryUsageCount: int
        IsAttachable: bool
        Description: str
        CreateDate: datetime
        UpdateDate: datetime
        Tags: list[Tag]

    class PolicyDetail(TypedDict, total=False):
        PolicyName: str
        PolicyDocument: str

    class PolicyGroup(TypedDict, total=False):
        GroupName: str
        GroupId: str

    class PolicyIdentifier(TypedDict, total=False):
        PolicyType: str
        PolicyArn: str
        InlinePolicyIdentifier: InlinePolicyIdentifierType

    class PolicyRole(TypedDict, total=False):
        RoleName: str
        RoleId: str

    class PolicyUser(TypedDict, total=False):
        UserName: str
        UserId: str

    class PolicyVersion(TypedDict, total=False):
        Document: str
        VersionId: str
        IsDefaultVersion: bool
        CreateDate: datetime

    class Position(TypedDict, total=False):
        Line: int
        Column: int

    class PutGroupPolicyRequest(TypedDict, total=False):
        GroupName: Required[str]
        PolicyName: Required[str]
        PolicyDocument: Required[str]

    class PutRolePermissionsBoundaryRequest(TypedDict, total=False):
        RoleName: Required[str]
        PermissionsBoundary: Required[str]

    class PutRolePolicyRequest(TypedDict, total=False):
        RoleName: Required[str]
        PolicyName: Required[str]
        PolicyDocument: Required[str]

    class PutUserPermissionsBoundaryRequest(TypedDict, total=False):
        UserName: Required[str]
        PermissionsBoundary: Required[str]

    class PutUserPolicyRequest(TypedDict, total=False):
        UserName: Required[str]
        PolicyName: Required[str]
        PolicyDocument: Required[str]

    class RemoveRoleFromInstanceProfileRequest(TypedDict, total=False):
        InstanceProfileName: Required[str]
        RoleName: Required[str]

    class RemoveUserFromGroupRequest(TypedDict, total=False):
        GroupName: Required[str]
        UserName: Required[str]

    class ResourceSpecificResult(TypedDict, total=False):
        EvalResourceName: str
        EvalResourceDecision: str
        MatchedStatements: list[Statement]
        MissingContextValues: list[str]
        EvalDecisionDetails: dict[str, str]
        PermissionsBoundaryDecisionDetail: PermissionsBoundaryDecisionDetail

    class Role(TypedDict, total=False):
        Path: str
        RoleName: str
        RoleId: str
        Arn: str
        CreateDate: datetime
        AssumeRolePolicyDocument: str
        Description: str
        MaxSessionDuration: int
        PermissionsBoundary: AttachedPermissionsBoundary
        Tags: list[Tag]
        RoleLastUsed: RoleLastUsed
        SourceRoleTemplate: SourceRoleTemplate

    class RoleDetail(TypedDict, total=False):
        Path: str
        RoleName: str
        RoleId: str
        Arn: str
        CreateDate: datetime
        AssumeRolePolicyDocument: str
        InstanceProfileList: list[InstanceProfile]
        RolePolicyList: list[PolicyDetail]
        AttachedManagedPolicies: list[AttachedPolicy]
        PermissionsBoundary: AttachedPermissionsBoundary
        Tags: list[Tag]
        RoleLastUsed: RoleLastUsed

    class RoleLastUsed(TypedDict, total=False):
        LastUsedDate: datetime
        Region: str

    class RoleUsageType(TypedDict, total=False):
        Region: str
        Resources: list[str]

    class SetDefaultPolicyVersionRequest(TypedDict, total=False):
        PolicyArn: Required[str]
        VersionId: Required[str]

    class SimulateCustomPolicyRequest(TypedDict, total=False):
        PolicyInputList: Required[list[str]]
        PermissionsBoundaryPolicyInputList: list[str]
        OrderedOrganizationPolicyInputList: list[OrderedOrganizationPolicyType]
        ActionNames: Required[list[str]]
        ResourceArns: list[str]
        ResourcePolicy: str
        ResourceOwner: str
        CallerArn: str
        ContextEntries: list[ContextEntry]
        ResourceHandlingOption: str
        MaxItems: int
        Marker: str

    class SimulatePolicyResponse(TypedDict, total=False):
        EvaluationResults: list[EvaluationResult]
        IsTruncated: bool
        Marker: str

    class SimulatePrincipalPolicyRequest(TypedDict, total=False):
        PolicySourceArn: Required[str]
        PolicyInputList: list[str]
        PermissionsBoundaryPolicyInputList: list[str]
        PolicyExclusionList: list[PolicyIdentifier]
        ActionNames: Required[list[str]]
        ResourceArns: list[str]
        ResourcePolicy: str
        ResourceOwner: str
        CallerArn: str
        ContextEntries: list[ContextEntry]
        ResourceHandlingOption: str
        MaxItems: int
        Marker: str

    class SourceRoleTemplate(TypedDict, total=False):
        TemplateArn: str
        TemplateMinorVersion: int

    class Statement(TypedDict, total=False):
        SourcePolicyId: str
        SourcePolicyType: str
        StartPosition: Position
        EndPosition: Position

    class Tag(TypedDict, total=False):
        Key: Required[str]
        Value: Required[str]

    class TagInstanceProfileRequest(TypedDict, total=False):
        InstanceProfileName: Required[str]
        Tags: Required[list[Tag]]

    class TagPolicyRequest(TypedDict, total=False):
        PolicyArn: Required[str]
        Tags: Required[list[Tag]]

    class TagRoleRequest(TypedDict, total=False):
        RoleName: Required[str]
        Tags: Required[list[Tag]]

    class TagUserRequest(TypedDict, total=False):
        UserName: Required[str]
        Tags: Required[list[Tag]]

    class UntagInstanceProfileRequest(TypedDict, total=False):
        InstanceProfileName: Required[str]
        TagKeys: Required[list[str]]

    class UntagPolicyRequest(TypedDict, total=False):
        PolicyArn: Required[str]
        TagKeys: Required[list[str]]

    class UntagRoleRequest(TypedDict, total=False):
        RoleName: Required[str]
        TagKeys: Required[list[str]]

    class UntagUserRequest(TypedDict, total=False):
        UserName: Required[str]
        TagKeys: Required[list[str]]

    class UpdateAccessKeyRequest(TypedDict, total=False):
        UserName: str
        AccessKeyId: Required[str]
        Status: Required[str]

    class UpdateAssumeRolePolicyRequest(TypedDict, total=False):
        RoleName: Required[str]
        PolicyDocument: Required[str]

    class UpdateGroupRequest(TypedDict, total=False):
        GroupName: Required[str]
        NewPath: str
        NewGroupName: str

    class UpdateRoleDescriptionRequest(TypedDict, total=False):
        RoleName: Required[str]
        Description: Required[str]

    class UpdateRoleDescriptionResponse(TypedDict, total=False):
        Role: Role

    class UpdateRoleRequest(TypedDict, total=False):
        RoleName: Required[str]
        Description: str
        MaxSessionDuration: int

    class UpdateRoleResponse(TypedDict, total=False):
        pass

    class UpdateUserRequest(TypedDict, total=False):
        UserName: Required[str]
        NewPath: str
        NewUserName: str

    class User(TypedDict, total=False):
        Path: str
        UserName: str
        UserId: str
        Arn: str
        CreateDate: datetime
        PasswordLastUsed: datetime
        PermissionsBoundary: AttachedPermissionsBoundary
        Tags: list[Tag]

    class UserDetail(TypedDict, total=False):
        Path: str
        UserName: str
        UserId: str
        Arn: str
        CreateDate: datetime
        UserPolicyList: list[PolicyDetail]
        GroupList: list[str]
        AttachedManagedPolicies: list[AttachedPolicy]
        PermissionsBoundary: AttachedPermissionsBoundary
        Tags: list[Tag]

else:

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return dict
