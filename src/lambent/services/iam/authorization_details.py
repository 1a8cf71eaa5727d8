"""GetAccountAuthorizationDetails: all that an account has, with every document."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from lambent.domain.caller import Caller
from lambent.domain.identity import Group, InstanceProfile, ManagedPolicy, Role, User
from lambent.protocol.shapes.iam import GetAccountAuthorizationDetailsRequest
from lambent.services.iam.documents import shown_document
from lambent.services.iam.groups import groups_of
from lambent.services.iam.instance_profiles import with_role
from lambent.services.iam.known_policies import Uses, uses_of_all
from lambent.services.iam.managed_policies import MANAGED
from lambent.services.iam.paging import Found, Page, page_of, requested_page
from lambent.services.iam.policies import described, policy_of_aws, shown_policy
from lambent.services.iam.shown import (
    boundary_of,
    created_role,
    last_use,
    moment,
    shown_attached,
    shown_group,
    shown_user,
    tag_list,
)
from lambent.services.iam.trust import shown_trust_policy
from lambent.services.operation import operation
from lambent.store.contract import IdentityRows, IdentityStore

_MEMBERS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


class _Part(NamedTuple):
    """One kind of what the answer holds, in the order in which pages go through them."""

    filter: str
    member: str
    kind: type[Any] | None
    """None: AWS's policies, which are in no table."""


_PARTS = (
    _Part("User", "UserDetailList", User),
    _Part("Group", "GroupDetailList", Group),
    _Part("Role", "RoleDetailList", Role),
    _Part("LocalManagedPolicy", "Policies", ManagedPolicy),
    _Part("AWSManagedPolicy", "Policies", None),
)


class AuthorizationDetails:
    """One list of everything, a page of which may hold several kinds."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    @operation("GetAccountAuthorizationDetails")
    async def get(self, caller: Caller, request: GetAccountAuthorizationDetailsRequest) -> Mapping[str, Any]:
        wanted = set(request.get("Filter") or [part.filter for part in _PARTS])
        page = requested_page(request)
        begun, _, after = page.after.partition("/")
        answer: dict[str, Any] = {member: [] for member in _MEMBERS}
        left, last = page.size, ""
        async with self._store.snapshot(caller.scope.account) as rows:
            uses = await uses_of_all(rows)
            for number, part in enumerate(_PARTS):
                if part.filter not in wanted or str(number) < begun:
                    continue
                here = Page(after if str(number) == begun else "", max(left, 1))
                if part.kind is None:
                    # Documented: IAM API reference: AWS's policies that are attached.
                    found = here.of((arn for arn in MANAGED if arn in uses), str)
                else:
                    found = await page_of(rows, part.kind, here)
                if found.items and left == 0:
                    return {**answer, **_continued(last)}
                for item in found.items:
                    answer[part.member].append(await _DETAILS[part.filter](rows, item, uses))
                    last = f"{number}/{item if isinstance(item, str) else item.key}"
                left -= len(found.items)
                if found.last_key is not None:
                    return {**answer, **_continued(last)}
        return {**answer, "IsTruncated": False}


def _continued(last: str) -> dict[str, Any]:
    return Found((), last).end()


async def _user(rows: IdentityRows, user: User, _uses: Mapping[str, Uses]) -> dict[str, Any]:
    return {
        **shown_user(user),
        "UserPolicyList": _inline(user),
        "GroupList": [group.name for group in await groups_of(rows, user)],
        "AttachedManagedPolicies": shown_attached(user.attached),
        **boundary_of(user),
        "Tags": tag_list(user.tags),
    }


async def _group(_rows: IdentityRows, group: Group, _uses: Mapping[str, Uses]) -> dict[str, Any]:
    return {
        **shown_group(group),
        "GroupPolicyList": _inline(group),
        "AttachedManagedPolicies": shown_attached(group.attached),
    }


async def _role(rows: IdentityRows, role: Role, _uses: Mapping[str, Uses]) -> dict[str, Any]:
    profiles = await page_of(rows, InstanceProfile, Page("", 1_000), lambda one: one.role_id == role.unique_id)
    return {
        **created_role(role, await shown_trust_policy(rows, role)),
        "InstanceProfileList": [await with_role(rows, profile) for profile in profiles.items],
        "RolePolicyList": _inline(role),
        "AttachedManagedPolicies": shown_attached(role.attached),
        "Tags": tag_list(role.tags),
        "RoleLastUsed": last_use(role),
    }


async def _policy(_rows: IdentityRows, policy: ManagedPolicy, uses: Mapping[str, Uses]) -> dict[str, Any]:
    versions = [
        {
            "Document": shown_document(version.document),
            "VersionId": f"v{version.number}",
            "IsDefaultVersion": version.number == policy.default_number,
            "CreateDate": moment(version.created_at),
        }
        for version in reversed(policy.versions)
    ]
    return {
        **shown_policy(policy, uses.get(policy.arn, Uses())),
        **described(policy),
        "PolicyVersionList": versions,
    }


async def _policy_of_aws(_rows: IdentityRows, arn: str, uses: Mapping[str, Uses]) -> dict[str, Any]:
    shown = policy_of_aws(arn, uses[arn])
    version = {
        "Document": shown_document(MANAGED[arn].document),
        "VersionId": shown["DefaultVersionId"],
        "IsDefaultVersion": True,
        "CreateDate": shown["CreateDate"],
    }
    return {**shown, "PolicyVersionList": [version]}


def _inline(holder: User | Group | Role) -> list[dict[str, str]]:
    return [
        {"PolicyName": name, "PolicyDocument": shown_document(document)} for name, document in holder.inline.items()
    ]


_DETAILS: Mapping[str, Callable[[IdentityRows, Any, Mapping[str, Uses]], Awaitable[dict[str, Any]]]] = {
    "User": _user,
    "Group": _group,
    "Role": _role,
    "LocalManagedPolicy": _policy,
    "AWSManagedPolicy": _policy_of_aws,
}
