"""Identities as answers show them. Members that would be null are left out: clients fall over them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from lambent.domain.identity import Group, InstanceProfile, Role, User
from lambent.services.iam.documents import shown_document


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def boundary_of(identity: User | Role) -> dict[str, Any]:
    if identity.boundary is None:
        return {}
    # Observed: localstack/localstack tests/aws/services/iam (recorded): the type is not the one that the guide has.
    return {
        "PermissionsBoundary": {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": identity.boundary,
        }
    }


def tags_of(tags: Mapping[str, str]) -> dict[str, Any]:
    return {"Tags": tag_list(tags)} if tags else {}


def shown_user(user: User, *, is_whole: bool = False) -> dict[str, Any]:
    """Return a user as GetUser shows it (`is_whole`), or as lists do."""
    shown: dict[str, Any] = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.unique_id,
        "Arn": user.arn,
        "CreateDate": moment(user.created_at),
    }
    # Documented: IAM API reference, ListUsers: neither boundary nor tags.
    return {**shown, **boundary_of(user), **tags_of(user.tags)} if is_whole else shown


def shown_group(group: Group) -> dict[str, Any]:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.unique_id,
        "Arn": group.arn,
        "CreateDate": moment(group.created_at),
    }


def created_role(role: Role, trust_policy: str) -> dict[str, Any]:
    """
    Return a role as CreateRole shows it.

    Observed: localstack/localstack tests/aws/services/iam (recorded): neither MaxSessionDuration nor RoleLastUsed.
    """
    return {**_role(role, trust_policy), **boundary_of(role), **tags_of(role.tags)}


def listed_role(role: Role, trust_policy: str) -> dict[str, Any]:
    """
    Return a role as ListRoles shows it.

    Observed: localstack/localstack (recorded): without RoleLastUsed, tags and boundary.
    """
    return {**_role(role, trust_policy), **_description(role), "MaxSessionDuration": role.session_max_s}


def shown_role(role: Role, trust_policy: str) -> dict[str, Any]:
    """Return a role as GetRole shows it."""
    return {
        **listed_role(role, trust_policy),
        **boundary_of(role),
        **tags_of(role.tags),
        "RoleLastUsed": last_use(role),
    }


def last_use(role: Role) -> dict[str, Any]:
    if role.last_used_at is None:
        return {}
    return {"LastUsedDate": moment(role.last_used_at), "Region": role.last_used_region}


def shown_profile(profile: InstanceProfile, roles: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return an instance profile, with its role as `profiled_role` has it."""
    return {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.unique_id,
        "Arn": profile.arn,
        "CreateDate": moment(profile.created_at),
        "Roles": list(roles),
        **tags_of(profile.tags),
    }


def profiled_role(role: Role, trust_policy: str) -> dict[str, Any]:
    return {**_role(role, trust_policy), **_description(role)}


def shown_attached(arns: Iterable[str]) -> list[dict[str, str]]:
    return [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]


def _description(role: Role) -> dict[str, Any]:
    return {} if role.description is None else {"Description": role.description}


def _role(role: Role, trust_policy: str) -> dict[str, Any]:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.unique_id,
        "Arn": role.arn,
        "CreateDate": moment(role.created_at),
        "AssumeRolePolicyDocument": shown_document(trust_policy),
    }
