"""Policies that are part of one user, group or role."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.identity import Group, Role, User
from lambent.domain.policy_document import check_identity_policy, counted_size
from lambent.errors.api.iam import LimitExceededException, NoSuchEntityException
from lambent.protocol.shapes.iam import (
    DeleteGroupPolicyRequest,
    DeleteRolePolicyRequest,
    DeleteUserPolicyRequest,
    GetGroupPolicyRequest,
    GetRolePolicyRequest,
    GetUserPolicyRequest,
    ListGroupPoliciesRequest,
    ListRolePoliciesRequest,
    ListUserPoliciesRequest,
    PutGroupPolicyRequest,
    PutRolePolicyRequest,
    PutUserPolicyRequest,
)
from lambent.services.iam.documents import check, shown_document
from lambent.services.iam.identities import find, find_own_role
from lambent.services.iam.limits import INLINE_MAX
from lambent.services.iam.paging import requested_page
from lambent.services.operation import operation
from lambent.store.contract import IdentityStore

H = TypeVar("H", User, Group, Role)

_NAMES: Mapping[type, str] = {User: "UserName", Group: "GroupName", Role: "RoleName"}


class InlinePolicies:
    """The same four operations for each of the three kinds."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    @operation("PutUserPolicy")
    async def put_of_user(self, caller: Caller, request: PutUserPolicyRequest) -> Mapping[str, Any]:
        return await self._put(User, caller, request)

    @operation("PutGroupPolicy")
    async def put_of_group(self, caller: Caller, request: PutGroupPolicyRequest) -> Mapping[str, Any]:
        return await self._put(Group, caller, request)

    @operation("PutRolePolicy")
    async def put_of_role(self, caller: Caller, request: PutRolePolicyRequest) -> Mapping[str, Any]:
        return await self._put(Role, caller, request)

    @operation("GetUserPolicy")
    async def get_of_user(self, caller: Caller, request: GetUserPolicyRequest) -> Mapping[str, Any]:
        return await self._get(User, caller, request)

    @operation("GetGroupPolicy")
    async def get_of_group(self, caller: Caller, request: GetGroupPolicyRequest) -> Mapping[str, Any]:
        return await self._get(Group, caller, request)

    @operation("GetRolePolicy")
    async def get_of_role(self, caller: Caller, request: GetRolePolicyRequest) -> Mapping[str, Any]:
        return await self._get(Role, caller, request)

    @operation("ListUserPolicies")
    async def list_of_user(self, caller: Caller, request: ListUserPoliciesRequest) -> Mapping[str, Any]:
        return await self._list(User, caller, request)

    @operation("ListGroupPolicies")
    async def list_of_group(self, caller: Caller, request: ListGroupPoliciesRequest) -> Mapping[str, Any]:
        return await self._list(Group, caller, request)

    @operation("ListRolePolicies")
    async def list_of_role(self, caller: Caller, request: ListRolePoliciesRequest) -> Mapping[str, Any]:
        return await self._list(Role, caller, request)

    @operation("DeleteUserPolicy")
    async def delete_of_user(self, caller: Caller, request: DeleteUserPolicyRequest) -> Mapping[str, Any]:
        return await self._delete(User, caller, request)

    @operation("DeleteGroupPolicy")
    async def delete_of_group(self, caller: Caller, request: DeleteGroupPolicyRequest) -> Mapping[str, Any]:
        return await self._delete(Group, caller, request)

    @operation("DeleteRolePolicy")
    async def delete_of_role(self, caller: Caller, request: DeleteRolePolicyRequest) -> Mapping[str, Any]:
        return await self._delete(Role, caller, request)

    async def _put(self, kind: type[H], caller: Caller, request: Mapping[str, Any]) -> Mapping[str, Any]:
        document = request["PolicyDocument"]
        check(document, check_identity_policy)
        async with self._store.transaction(caller.scope.account) as tx:
            name = request[_NAMES[kind]]
            holder: Any = await (find_own_role(tx, name) if kind is Role else find(tx, kind, name))
            inline = {**holder.inline, request["PolicyName"]: document}
            check_inline_size(kind, holder.name, inline)
            await tx.save(msgspec.structs.replace(holder, inline=inline))
        return {}

    async def _get(self, kind: type[H], caller: Caller, request: Mapping[str, Any]) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope.account) as rows:
            holder = await find(rows, kind, request[_NAMES[kind]])
        name = request["PolicyName"]
        document = holder.inline.get(name)
        if document is None:
            raise _missing(kind, name)
        return {_NAMES[kind]: holder.name, "PolicyName": name, "PolicyDocument": shown_document(document)}

    async def _list(self, kind: type[H], caller: Caller, request: Mapping[str, Any]) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope.account) as rows:
            holder = await find(rows, kind, request[_NAMES[kind]])
        return page.of(holder.inline, str).answer("PolicyNames", str)

    async def _delete(self, kind: type[H], caller: Caller, request: Mapping[str, Any]) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            name = request[_NAMES[kind]]
            holder: Any = await (find_own_role(tx, name) if kind is Role else find(tx, kind, name))
            inline = dict(holder.inline)
            if inline.pop(request["PolicyName"], None) is None:
                raise _missing(kind, request["PolicyName"])
            await tx.save(msgspec.structs.replace(holder, inline=inline))
        return {}


def check_inline_size(kind: type[Any], name: str, inline: Mapping[str, str]) -> None:
    """
    Refuse inline policies that are too large together.

    Raises:
        LimitExceededException
    """
    at_most = INLINE_MAX[kind]
    if sum(map(counted_size, inline.values())) > at_most:
        # Observed: hashicorp/terraform-provider-aws issues quote it for roles.
        raise LimitExceededException(f"Maximum policy size of {at_most} bytes exceeded for {kind.kind} {name}")


def _missing(kind: type[Any], name: str) -> NoSuchEntityException:
    # Observed: localstack/localstack tests/aws/services/iam (recorded), for roles.
    return NoSuchEntityException(f"The {kind.kind} policy with name {name} cannot be found.")
