"""Roles: what functions and services act as."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.identity import InstanceProfile, Role
from lambent.domain.policy_document import check_trust_policy
from lambent.errors.api.iam import DeleteConflictException, InvalidInputException
from lambent.protocol.shapes.iam import (
    CreateRoleRequest,
    DeleteRoleRequest,
    GetRoleRequest,
    ListRolesRequest,
    UpdateAssumeRolePolicyRequest,
    UpdateRoleDescriptionRequest,
    UpdateRoleRequest,
)
from lambent.services.iam.boundaries import check_boundary
from lambent.services.iam.documents import check
from lambent.services.iam.identities import SERVICE_LINKED, check_new, find, find_own_role, fresh, under
from lambent.services.iam.paging import page_of, requested_page
from lambent.services.iam.shown import created_role, listed_role, shown_role
from lambent.services.iam.tagging import tagged
from lambent.services.iam.trust import shown_trust_policy, trusted_ids
from lambent.services.operation import operation
from lambent.store.contract import IdentityStore


class Roles:
    """Roles themselves; policies, tags and boundaries of them are resources of their own."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateRole")
    async def create(self, caller: Caller, request: CreateRoleRequest) -> Mapping[str, Any]:
        name, path, account = request["RoleName"], request.get("Path", "/"), caller.scope.account
        if path.startswith(SERVICE_LINKED):
            # Assumed: the text; such roles are made by CreateServiceLinkedRole alone (test_iam_roles).
            raise InvalidInputException(f"The path {path} is reserved for service-linked roles.")
        trust_policy = request["AssumeRolePolicyDocument"]
        check(trust_policy, check_trust_policy)
        trust_ids = await trusted_ids(self._store, account, trust_policy)
        tags = tagged({}, request.get("Tags", []))
        async with self._store.transaction(account) as tx:
            await check_new(tx, Role, name)
            await check_boundary(tx, account, request.get("PermissionsBoundary"))
            role = fresh(
                Role,
                self._clock,
                account,
                name,
                path=path,
                tags=tags,
                trust_policy=trust_policy,
                trust_ids=trust_ids,
                description=request.get("Description"),
                session_max_s=request.get("MaxSessionDuration", 3_600),
                boundary=request.get("PermissionsBoundary"),
            )
            await tx.save(role)
        return {"Role": created_role(role, trust_policy)}

    @operation("GetRole")
    async def get(self, caller: Caller, request: GetRoleRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope.account) as rows:
            role = await find(rows, Role, request["RoleName"])
            return {"Role": shown_role(role, await shown_trust_policy(rows, role))}

    @operation("ListRoles")
    async def list(self, caller: Caller, request: ListRolesRequest) -> Mapping[str, Any]:
        page, is_listed = requested_page(request), under(request.get("PathPrefix", "/"))
        async with self._store.snapshot(caller.scope.account) as rows:
            found = await page_of(rows, Role, page, is_listed)
            roles = [listed_role(role, await shown_trust_policy(rows, role)) for role in found.items]
        return {"Roles": roles, **found.end()}

    @operation("UpdateRole")
    async def update(self, caller: Caller, request: UpdateRoleRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            # Documented: IAM user guide, editing a service-linked role: its description may be changed, no more.
            is_own = "MaxSessionDuration" in request
            role = await (find_own_role(tx, request["RoleName"]) if is_own else find(tx, Role, request["RoleName"]))
            await tx.save(
                msgspec.structs.replace(
                    role,
                    description=request.get("Description", role.description),
                    session_max_s=request.get("MaxSessionDuration", role.session_max_s),
                )
            )
        return {}

    @operation("UpdateRoleDescription")
    async def update_description(self, caller: Caller, request: UpdateRoleDescriptionRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            role = await find(tx, Role, request["RoleName"])
            role = msgspec.structs.replace(role, description=request["Description"])
            await tx.save(role)
            return {"Role": shown_role(role, await shown_trust_policy(tx, role))}

    @operation("UpdateAssumeRolePolicy")
    async def update_trust_policy(self, caller: Caller, request: UpdateAssumeRolePolicyRequest) -> Mapping[str, Any]:
        trust_policy = request["PolicyDocument"]
        check(trust_policy, check_trust_policy)
        trust_ids = await trusted_ids(self._store, caller.scope.account, trust_policy)
        async with self._store.transaction(caller.scope.account) as tx:
            role = await find_own_role(tx, request["RoleName"])
            await tx.save(msgspec.structs.replace(role, trust_policy=trust_policy, trust_ids=trust_ids))
        return {}

    @operation("DeleteRole")
    async def delete(self, caller: Caller, request: DeleteRoleRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            role = await find_own_role(tx, request["RoleName"])
            profiles = await tx.list(InstanceProfile)
            check_deletable(role, is_in_profile=any(profile.role_id == role.unique_id for profile in profiles))
            await tx.delete(Role, role.name)
        return {}


def check_deletable(role: Role, *, is_in_profile: bool) -> None:
    """
    Refuse to delete a role that something belongs to: the first that applies is named.

    Observed: hashicorp/terraform-provider-aws issues quote the texts. Assumed: their order, which other
    implementations have (test_roles).

    Raises:
        DeleteConflictException
    """
    if is_in_profile:
        raise DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
    if role.attached:
        raise DeleteConflictException("Cannot delete entity, must detach all policies first.")
    if role.inline:
        raise DeleteConflictException("Cannot delete entity, must delete policies first.")
