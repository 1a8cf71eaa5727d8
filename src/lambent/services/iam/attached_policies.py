"""Managed policies that are attached to users, groups and roles."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.identity import Group, Role, User
from lambent.protocol.shapes.iam import (
    AttachGroupPolicyRequest,
    AttachRolePolicyRequest,
    AttachUserPolicyRequest,
    DetachGroupPolicyRequest,
    DetachRolePolicyRequest,
    DetachUserPolicyRequest,
    ListAttachedGroupPoliciesRequest,
    ListAttachedRolePoliciesRequest,
    ListAttachedUserPoliciesRequest,
)
from lambent.services.iam.arns import parse_policy_arn
from lambent.services.iam.identities import find, find_own_role
from lambent.services.iam.known_policies import is_attachable, is_same
from lambent.services.iam.limits import ATTACHED
from lambent.services.iam.paging import Found, requested_page
from lambent.services.iam.refusals import check_quota, missing_policy, not_attachable
from lambent.services.iam.shown import shown_attached
from lambent.services.operation import operation
from lambent.store.contract import IdentityStore

H = TypeVar("H", User, Group, Role)

_NAMES: Mapping[type, str] = {User: "UserName", Group: "GroupName", Role: "RoleName"}


class AttachedPolicies:
    """The same three operations for each of the three kinds."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    @operation("AttachUserPolicy")
    async def attach_to_user(self, caller: Caller, request: AttachUserPolicyRequest) -> Mapping[str, Any]:
        return await self._attach(User, caller, request)

    @operation("AttachGroupPolicy")
    async def attach_to_group(self, caller: Caller, request: AttachGroupPolicyRequest) -> Mapping[str, Any]:
        return await self._attach(Group, caller, request)

    @operation("AttachRolePolicy")
    async def attach_to_role(self, caller: Caller, request: AttachRolePolicyRequest) -> Mapping[str, Any]:
        return await self._attach(Role, caller, request)

    @operation("DetachUserPolicy")
    async def detach_from_user(self, caller: Caller, request: DetachUserPolicyRequest) -> Mapping[str, Any]:
        return await self._detach(User, caller, request)

    @operation("DetachGroupPolicy")
    async def detach_from_group(self, caller: Caller, request: DetachGroupPolicyRequest) -> Mapping[str, Any]:
        return await self._detach(Group, caller, request)

    @operation("DetachRolePolicy")
    async def detach_from_role(self, caller: Caller, request: DetachRolePolicyRequest) -> Mapping[str, Any]:
        return await self._detach(Role, caller, request)

    @operation("ListAttachedUserPolicies")
    async def list_of_user(self, caller: Caller, request: ListAttachedUserPoliciesRequest) -> Mapping[str, Any]:
        return await self._list(User, caller, request)

    @operation("ListAttachedGroupPolicies")
    async def list_of_group(self, caller: Caller, request: ListAttachedGroupPoliciesRequest) -> Mapping[str, Any]:
        return await self._list(Group, caller, request)

    @operation("ListAttachedRolePolicies")
    async def list_of_role(self, caller: Caller, request: ListAttachedRolePoliciesRequest) -> Mapping[str, Any]:
        return await self._list(Role, caller, request)

    async def _attach(self, kind: type[H], caller: Caller, request: Mapping[str, Any]) -> Mapping[str, Any]:
        arn, account = request["PolicyArn"], caller.scope.account
        parsed = parse_policy_arn(arn)
        async with self._store.transaction(account) as tx:
            name = request[_NAMES[kind]]
            holder: Any = await (find_own_role(tx, name) if kind is Role else find(tx, kind, name))
            if parsed is None or not await is_attachable(tx, account, parsed):
                raise not_attachable(arn)
            # Observed: localstack/localstack (recorded): once more is fine.
            if not any(is_same(other, parsed) for other in holder.attached):
                check_quota(holder.attached, *ATTACHED[kind])
                await tx.save(msgspec.structs.replace(holder, attached=(*holder.attached, arn)))
        return {}

    async def _detach(self, kind: type[H], caller: Caller, request: Mapping[str, Any]) -> Mapping[str, Any]:
        arn = request["PolicyArn"]
        parsed = parse_policy_arn(arn)
        async with self._store.transaction(caller.scope.account) as tx:
            name = request[_NAMES[kind]]
            holder: Any = await (find_own_role(tx, name) if kind is Role else find(tx, kind, name))
            left = tuple(other for other in holder.attached if parsed is None or not is_same(other, parsed))
            if len(left) == len(holder.attached):
                raise missing_policy(arn)
            await tx.save(msgspec.structs.replace(holder, attached=left))
        return {}

    async def _list(self, kind: type[H], caller: Caller, request: Mapping[str, Any]) -> Mapping[str, Any]:
        page, prefix = requested_page(request), request.get("PathPrefix", "/")
        async with self._store.snapshot(caller.scope.account) as rows:
            holder = await find(rows, kind, request[_NAMES[kind]])
        found: Found = page.of((arn for arn in holder.attached if _path_of(arn).startswith(prefix)), str)
        return {"AttachedPolicies": shown_attached(found.items), **found.end()}


def _path_of(arn: str) -> str:
    parsed = parse_policy_arn(arn)
    assert parsed is not None, f"{arn} is attached"
    return parsed.path
