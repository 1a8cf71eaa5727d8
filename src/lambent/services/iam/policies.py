"""Managed policies: those of the account, and AWS's as they are shipped."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from lambent.clock import Clock
from lambent.domain.access_key import POLICY_ID
from lambent.domain.caller import Caller
from lambent.domain.identity import Group, ManagedPolicy, PolicyVersion, Role, User
from lambent.domain.policy_document import check_managed_policy
from lambent.errors.api.iam import DeleteConflictException
from lambent.protocol.shapes.iam import (
    CreatePolicyRequest,
    DeletePolicyRequest,
    GetPolicyRequest,
    ListEntitiesForPolicyRequest,
    ListPoliciesRequest,
)
from lambent.services.iam.arns import PolicyArn, parse_policy_arn
from lambent.services.iam.documents import check
from lambent.services.iam.identities import check_new, fresh
from lambent.services.iam.known_policies import Uses, holders, is_of_aws, is_same, own_policy, uses_of_all
from lambent.services.iam.managed_policies import MANAGED
from lambent.services.iam.paging import requested_page
from lambent.services.iam.refusals import missing_policy, not_yours
from lambent.services.iam.shown import moment, tag_list, tags_of
from lambent.services.iam.tagging import tagged
from lambent.services.operation import operation
from lambent.store.contract import IdentityRows, IdentityStore

_OF_AWS_SINCE = 0.0
"""When policies of AWS's were made, for whoever reads the date: it is not known here."""


class _Listed(NamedTuple):
    key: str
    shown: dict[str, Any]


class ManagedPolicies:
    """Policies with an ARN of their own; their versions and tags are resources of their own."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreatePolicy")
    async def create(self, caller: Caller, request: CreatePolicyRequest) -> Mapping[str, Any]:
        document, account = request["PolicyDocument"], caller.scope.account
        check(document, check_managed_policy)
        tags = tagged({}, request.get("Tags", []))
        async with self._store.transaction(account) as tx:
            await check_new(tx, ManagedPolicy, request["PolicyName"])
            policy = fresh(
                ManagedPolicy,
                self._clock,
                account,
                request["PolicyName"],
                path=request.get("Path", "/"),
                tags=tags,
                versions=(),
                default_number=1,
                next_number=2,
                updated_at=0.0,
                description=request.get("Description"),
            )
            made_at = policy.created_at
            versions = (PolicyVersion(1, document, made_at),)
            policy = msgspec.structs.replace(policy, versions=versions, updated_at=made_at)
            await tx.save(policy)
        # Observed: localstack/localstack (recorded): the answer has no Description.
        return {"Policy": {**shown_policy(policy, Uses()), **tags_of(tags)}}

    @operation("GetPolicy")
    async def get(self, caller: Caller, request: GetPolicyRequest) -> Mapping[str, Any]:
        arn = request["PolicyArn"]
        async with self._store.snapshot(caller.scope.account) as rows:
            if is_of_aws(arn):
                shown = {**await _shown_of_aws(rows, arn), "Tags": []}
            else:
                policy = await own_policy(rows, caller.scope.account, arn)
                uses = (await uses_of_all(rows)).get(policy.arn, Uses())
                # Observed: localstack/localstack (recorded): an empty list of tags where there are none.
                shown = {**shown_policy(policy, uses), **described(policy), "Tags": tag_list(policy.tags)}
        return {"Policy": shown}

    @operation("ListPolicies")
    async def list(self, caller: Caller, request: ListPoliciesRequest) -> Mapping[str, Any]:
        page, prefix, scope = requested_page(request), request.get("PathPrefix", "/"), request.get("Scope", "All")
        usage, is_attached_only = request.get("PolicyUsageFilter"), request.get("OnlyAttached", False)
        async with self._store.snapshot(caller.scope.account) as rows:
            uses = await uses_of_all(rows)
            own = [] if scope == "AWS" else await rows.list(ManagedPolicy)
        listed = [_Listed(policy.key, shown_policy(policy, uses.get(policy.arn, Uses()))) for policy in own]
        if scope != "Local":
            listed += [
                _Listed(f"{shown['PolicyName'].lower()}\x7e{arn}", shown)
                for arn in MANAGED
                for shown in (policy_of_aws(arn, uses.get(arn, Uses())),)
            ]
        counted = {"PermissionsPolicy": ("AttachmentCount",), "PermissionsBoundary": ("PermissionsBoundaryUsageCount",)}
        counts = counted.get(usage or "", ("AttachmentCount", "PermissionsBoundaryUsageCount"))
        wanted = [
            one
            for one in listed
            if one.shown["Path"].startswith(prefix)
            and ((usage is None and not is_attached_only) or any(one.shown[count] for count in counts))
        ]
        return page.of(wanted, lambda one: one.key).answer("Policies", lambda one: one.shown)

    @operation("DeletePolicy")
    async def delete(self, caller: Caller, request: DeletePolicyRequest) -> Mapping[str, Any]:
        arn = request["PolicyArn"]
        if is_of_aws(arn):
            raise not_yours(caller.principal.arn, "DeletePolicy", arn)
        async with self._store.transaction(caller.scope.account) as tx:
            policy = await own_policy(tx, caller.scope.account, arn)
            check_deletable(policy, (await uses_of_all(tx)).get(policy.arn, Uses()))
            await tx.delete(ManagedPolicy, policy.name)
        return {}

    @operation("ListEntitiesForPolicy")
    async def list_entities(self, caller: Caller, request: ListEntitiesForPolicyRequest) -> Mapping[str, Any]:
        page, prefix, arn = requested_page(request), request.get("PathPrefix", "/"), request["PolicyArn"]
        usage, kind = request.get("PolicyUsageFilter"), request.get("EntityFilter")
        parsed = parse_policy_arn(arn)
        if parsed is None:
            raise missing_policy(arn)
        async with self._store.snapshot(caller.scope.account) as rows:
            if not is_of_aws(arn):
                await own_policy(rows, caller.scope.account, arn)
            everybody = await holders(rows)
        found = page.of(
            (
                one
                for one in everybody
                if one.path.startswith(prefix)
                and kind in (None, type(one).__name__)
                and (
                    (usage != "PermissionsBoundary" and any(is_same(other, parsed) for other in one.attached))
                    or (usage != "PermissionsPolicy" and _is_bound_by(one, parsed))
                )
            ),
            lambda one: f"{one.kind}/{one.key}",
        )
        members: tuple[tuple[type[Any], str, str], ...] = (
            (Group, "PolicyGroups", "Group"),
            (User, "PolicyUsers", "User"),
            (Role, "PolicyRoles", "Role"),
        )
        answer = {
            member: [{f"{word}Name": one.name, f"{word}Id": one.unique_id} for one in found.items if type(one) is kept]
            for kept, member, word in members
        }
        return {**answer, **found.end()}


def check_deletable(policy: ManagedPolicy, uses: Uses) -> None:
    """
    Refuse to delete a policy that is used, or has more than its default version.

    Observed: hashicorp/terraform-provider-aws issues quote the texts.

    Raises:
        DeleteConflictException
    """
    if uses.attached or uses.as_boundary:
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise DeleteConflictException(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )


def shown_policy(policy: ManagedPolicy, uses: Uses) -> dict[str, Any]:
    """Return a policy as lists show it."""
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.unique_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_number}",
        "AttachmentCount": uses.attached,
        "PermissionsBoundaryUsageCount": uses.as_boundary,
        "IsAttachable": True,
        "CreateDate": moment(policy.created_at),
        "UpdateDate": moment(policy.updated_at),
    }


def described(policy: ManagedPolicy) -> dict[str, Any]:
    return {} if policy.description is None else {"Description": policy.description}


async def _shown_of_aws(rows: IdentityRows, arn: str) -> dict[str, Any]:
    parsed = parse_policy_arn(arn)
    if parsed is None or parsed.canonical not in MANAGED:
        raise missing_policy(arn)
    return policy_of_aws(parsed.canonical, (await uses_of_all(rows)).get(parsed.canonical, Uses()))


def policy_of_aws(arn: str, uses: Uses) -> dict[str, Any]:
    parsed = parse_policy_arn(arn)
    assert parsed is not None
    return {
        "PolicyName": parsed.name,
        "PolicyId": aws_policy_id(arn),
        "Arn": arn,
        "Path": parsed.path,
        "DefaultVersionId": f"v{MANAGED[arn].version}",
        "AttachmentCount": uses.attached,
        "PermissionsBoundaryUsageCount": uses.as_boundary,
        "IsAttachable": True,
        "CreateDate": moment(_OF_AWS_SINCE),
        "UpdateDate": moment(_OF_AWS_SINCE),
    }


def aws_policy_id(arn: str) -> str:
    """Return an id for a policy of AWS's that is always the same. Assumed: nobody compares it with AWS's own."""
    digest = hashlib.sha256(arn.encode()).digest()
    return POLICY_ID + base64.b32encode(digest).decode()[:17]


def _is_bound_by(holder: User | Group | Role, arn: PolicyArn) -> bool:
    return not isinstance(holder, Group) and holder.boundary is not None and is_same(holder.boundary, arn)
